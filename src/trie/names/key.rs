//! Names as strings of bytes that compare in canonical order, the form they are sorted in.
//!
//! A key holds the labels of a name from the right, each ended by a zero byte. The bytes 0 and 1
//! inside of a label become 1 1 and 1 2, so that a zero only ever ends a label: comparing keys
//! byte by byte is then the canonical order of names (RFC 4034 section 6.1), a name comes right
//! before the names below it, and its key is a prefix of theirs.

use crate::wire::name::LabelStarts;

/// The end of a label in a key.
const END: u8 = 0;
const ESCAPE: u8 = 1;

/// Appends the key of a name in wire form; of bytes that are no name it appends nothing.
pub(crate) fn encode(name: &[u8], out: &mut Vec<u8>) {
    let mut labels = LabelStarts::default();
    if labels.read(name).is_none() {
        return;
    }
    for label in labels.as_slice().windows(2).rev() {
        let label = &name[usize::from(label[0]) + 1..usize::from(label[1])];
        if label.iter().all(|&byte| byte > ESCAPE) {
            out.extend_from_slice(label);
        } else {
            for &byte in label {
                match byte {
                    0 | ESCAPE => out.extend([ESCAPE, byte + 1]),
                    _ => out.push(byte),
                }
            }
        }
        out.push(END);
    }
}

/// Appends the key of a name as text: labels without NUL, `\001` and escapes, joined by single dots.
pub(crate) fn encode_plain(name: &[u8], out: &mut Vec<u8>) {
    for label in name.rsplit(|&byte| byte == b'.') {
        out.extend_from_slice(label);
        out.push(END);
    }
}

/// The length of the first label of a key, its end included.
pub(super) fn first_label_len(key: &[u8]) -> usize {
    key.iter().position(|&byte| byte == END).map_or(key.len(), |end| end + 1)
}

/// The labels of a key, as they stand in it, their ends included.
pub(super) fn labels(key: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    key.split_inclusive(|&byte| byte == END)
}

/// Appends the bytes of one label of a key, which may have its end, in wire form without a
/// length byte; their number.
pub(super) fn decode_label(encoded: &[u8], out: &mut Vec<u8>) -> usize {
    let encoded = encoded.strip_suffix(&[END]).unwrap_or(encoded);
    let start = out.len();
    if !encoded.contains(&ESCAPE) {
        out.extend_from_slice(encoded);
        return encoded.len();
    }
    let mut bytes = encoded.iter().copied();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            ESCAPE => bytes.next().map_or(0, |escaped| escaped - 1),
            _ => byte,
        });
    }
    out.len() - start
}

/// The length of what two keys have in common, in whole labels.
pub(super) fn common_len(a: &[u8], b: &[u8]) -> usize {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    a[..same].iter().rposition(|&byte| byte == END).map_or(0, |end| end + 1)
}

/// The name that a key stands for, as people write it.
pub(crate) fn text(key: &[u8]) -> String {
    let mut text = Vec::new();
    for label in labels(key).rev() {
        if !text.is_empty() {
            text.push(b'.');
        }
        decode_label(label, &mut text);
    }
    text.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::name::NameBuf;

    fn key(text: &str) -> Vec<u8> {
        let mut key = Vec::new();
        encode(NameBuf::from_text(text.as_bytes()).unwrap().as_wire(), &mut key);
        key
    }

    #[test]
    fn keys_compare_in_the_order_of_rfc_4034() {
        let names = [
            ".",
            "example",
            "a.example",
            "yljkjljk.a.example",
            "z.a.example",
            "zabc.a.example",
            "z.example",
            r"\000.z.example",
            r"\000\000.z.example",
            r"\000\001.z.example",
            r"\001.z.example",
            r"\001\000.z.example",
            r"\002.z.example",
            "*.z.example",
            r"\200.z.example",
        ];
        let keys = names.map(key);
        assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
        assert_eq!(keys[2], b"example\0a\0");
        let mut plain = Vec::new();
        encode_plain(b"a.example", &mut plain);
        assert_eq!(plain, keys[2]);
    }

    #[test]
    fn labels_come_back_as_they_were() {
        let key = key(r"a\000\001\002b.c");
        let mut found = Vec::new();
        for label in labels(&key) {
            decode_label(label, &mut found);
            found.push(b'|');
        }
        assert_eq!(found, b"c|a\0\x01\x02b|");
        assert_eq!(first_label_len(&key), 2);
    }

    #[test]
    fn common_part_ends_with_a_label() {
        assert_eq!(common_len(&key("b.ab.c"), &key("ac.c")), 2);
        assert_eq!(common_len(&key("c"), &key("a.c")), 2);
        assert_eq!(common_len(&key("c"), &key("d")), 0);
    }
}
