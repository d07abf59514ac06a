//! What is no list at all, told by how it starts.

use super::problem::Cause;

/// So many bytes of value zero may be a slip of the publisher's; data that is packed, or has holes, has
/// more.
pub const MOST_ZEROS: usize = 8;

/// Of other bytes that no text has, a text may have one in so many: some comments have colours.
const FEWEST_BETWEEN: usize = 20;

/// Why a file that starts like this cannot be a list, if that is certain. What of it was read at first
/// should be given, unpacked.
///
/// To a list of names, many of its lines would be names.
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
    let is_binary = zeros > MOST_ZEROS || controls > MOST_ZEROS + start.len() / FEWEST_BETWEEN;
    is_binary.then_some(Cause::Binary)
}

/// How files begin that are often taken for a list, or fetched in its place.
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

/// True for what moves nothing on a page: of such bytes, a text may have the end of a file of DOS.
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
