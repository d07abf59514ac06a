//! Content that is no list, recognised by its first bytes.

use crate::source::Cause;

/// The most bytes of value zero in a list: a few may be a slip of the publisher's, while packed data and
/// files with holes have more.
pub(super) const MOST_ZEROS: usize = 8;

/// A list may have one control character in this many bytes: some comments have colours.
const BYTES_PER_CONTROL: usize = 20;

/// Why a file that starts like this cannot be a list, if that is certain. Pass the first decompressed
/// chunk.
///
/// The check is needed because many lines of HTML would parse as names.
pub fn foreign(start: &[u8]) -> Option<Cause> {
    if is_markup(start) {
        return Some(Cause::Markup);
    }
    let known = SIGNATURES.iter().find(|(signature, _)| start.starts_with(signature));
    if let Some((_, what)) = known {
        return Some(Cause::Foreign(what));
    }
    let zeros = memchr::memchr_iter(0, start).count();
    let controls = start.iter().filter(|&&byte| is_control(byte)).count();
    let is_binary = zeros > MOST_ZEROS || controls > MOST_ZEROS + start.len() / BYTES_PER_CONTROL;
    is_binary.then_some(Cause::Binary)
}

/// The first bytes of files that are fetched in place of a list.
const SIGNATURES: [(&[u8], &str); 10] = [
    (b"\xfd7zXZ\0", "packed by xz"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd"),
    (b"BZh91AY&SY", "packed by bzip2"),
    (b"\x1f\x8b", "packed by gzip twice"),
    (b"\x04\x22\x4d\x18", "packed by lz4"),
    (b"LZIP", "packed by lzip"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
];

/// HTML or XML, as no line of a list begins.
fn is_markup(start: &[u8]) -> bool {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    matches!(text, [b'<', next, ..] if *next == b'!' || *next == b'?' || next.is_ascii_alphabetic())
}

/// Control characters that do not occur in text; Ctrl-Z, the end of a file of DOS, does.
fn is_control(byte: u8) -> bool {
    byte < b' ' && !matches!(byte, b'\t'..=b'\r' | 0x1a) || byte == 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regression: all of these were lists of names, of which some lines were names.
    #[test]
    fn what_is_no_list_is_told_by_its_start() {
        for (start, what) in SIGNATURES {
            assert_eq!(foreign(&[start, b"9 and more"].concat()), Some(Cause::Foreign(what)));
        }
        for markup in ["<html>", "\u{feff}<?xml", " \n<!DOCTYPE html>"] {
            assert_eq!(foreign(markup.as_bytes()), Some(Cause::Markup), "{markup}");
        }
        let random: Vec<u8> = (1..=0xf0).rev().collect();
        for binary in [&[0; 4096][..], b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0", &random] {
            assert_eq!(foreign(binary), Some(Cause::Binary), "{binary:?}");
        }
    }

    #[test]
    fn texts_are_lists() {
        let latin: Vec<u8> = b"# caf".iter().copied().chain(0x80..=0xff).collect();
        let slip = [&[0; MOST_ZEROS][..], b"\n10.0.0.1\n"].concat();
        let coloured = [
            &b"# \x1b[1m in bold, \x1b[0m and that is all of it, or so it seems, and so it is\n"
                .repeat(99)[..],
            b"10.0.0.1\n",
        ]
        .concat();
        let texts: [&[u8]; 9] = [
            &coloured,
            b"",
            b"10.0.0.1\r\n10.0.0.2\r\n\x1a",
            b"# B\t\x0b\x0c\n.example.com\n",
            b"BZ.example.com\n",
            b"<10.0.0.1\n",
            "\u{feff}10.0.0.1 :2:\u{43f}\u{43b}\u{43e}\u{445}\u{43e}\n".as_bytes(),
            &latin,
            &slip,
        ];
        for text in texts {
            assert_eq!(foreign(text), None, "{text:?}");
        }
    }
}
