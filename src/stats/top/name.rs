//! The name that a query asks for, as a key of fixed size.

use crate::wire::HEADER;

/// The longest name (RFC 1035 section 3.1).
const LONGEST: usize = 255;

/// A name in wire form and lower case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct NameKey {
    len: u8,
    bytes: [u8; LONGEST],
}

impl NameKey {
    /// The name of the first question of a message; `None` if it is none that can be answered.
    pub(super) fn of(message: &[u8]) -> Option<Self> {
        let name = message.get(HEADER..)?;
        let mut end = 0;
        loop {
            match *name.get(end)? {
                0 => break,
                label @ 1..=63 => end += 1 + usize::from(label),
                // A pointer, or worse.
                _ => return None,
            }
        }
        let name = name.get(..=end).filter(|name| name.len() <= LONGEST)?;
        let mut key = Self { len: name.len() as u8, bytes: [0; LONGEST] };
        key.bytes[..name.len()].copy_from_slice(name);
        // Lengths are below the letters.
        key.bytes[..name.len()].make_ascii_lowercase();
        Some(key)
    }

    /// The name in wire form.
    pub(super) fn wire(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &[u8]) -> Option<Vec<u8>> {
        let message = [&[0; HEADER], name].concat();
        NameKey::of(&message).map(|key| key.wire().to_vec())
    }

    #[test]
    fn a_name_is_read_in_lower_case_to_its_end_and_nothing_else_is() {
        assert_eq!(key(b"\x01A\x02b[\x00rest"), Some(b"\x01a\x02b[\x00".to_vec()));
        assert_eq!(key(b"\x00"), Some(b"\x00".to_vec()));
        let longest = [
            [b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(3),
            [61].to_vec(),
            vec![b'b'; 61],
            vec![0],
        ];
        assert_eq!(key(&longest.concat()).map(|wire| wire.len()), Some(255));
        let longer = [
            [b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(3),
            [62].to_vec(),
            vec![b'b'; 62],
            vec![0],
        ];
        for bad in [b"".as_slice(), b"\x01", b"\x01a", b"\xc0\x0c", b"\x40a", &longer.concat()] {
            assert_eq!(key(bad), None, "{bad:?}");
        }
        assert!(NameKey::of(b"").is_none());
    }
}
