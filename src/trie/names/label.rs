//! Labels as words: to hash and to compare them without a loop.

use super::PaddedName;

/// The bytes of a word.
pub(super) const WORD: usize = 8;

/// What hashes are made with: an odd number whose bits follow no pattern.
pub(super) const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
const OTHER_MULTIPLIER: u64 = 0xa076_1d64_78bd_642f;

/// A label, or other bytes of which there is one at least.
#[derive(Clone, Copy)]
pub(super) struct Label<'a> {
    /// Bytes in which it stands, its first, and how many it has.
    text: &'a [u8],
    start: usize,
    len: usize,
    /// Its first and its last eight bytes, the lowest first; of a shorter one all, twice, and
    /// zeros above them.
    first: u64,
    last: u64,
    /// How many bits of a word lie above a label that is shorter than one.
    above: u32,
}

impl<'a> Label<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        let mut padded = [0; WORD];
        let len = bytes.len().min(WORD);
        padded[..len].copy_from_slice(&bytes[..len]);
        let first = u64::from_le_bytes(padded);
        let last = bytes.last_chunk().map_or(first, |last| u64::from_le_bytes(*last));
        Self { text: bytes, start: 0, len: bytes.len(), first, last, above: bits(WORD - len) }
    }

    /// The bytes of a name from `start` to before `end`, at most 255 in all. Bytes behind the label are
    /// read with it and shifted out.
    #[inline(always)]
    pub(super) fn within(name: &'a PaddedName, start: usize, end: usize) -> Option<Self> {
        let len = end.checked_sub(start)?;
        let above = bits(WORD.saturating_sub(len));
        let word = |at: usize| {
            let word = name.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
            u64::from_le_bytes(word).wrapping_shl(above).wrapping_shr(above)
        };
        let (first, last) = (word(start), word(start.max(end.saturating_sub(WORD))));
        Some(Self { text: name, start, len, first, last, above })
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.text.get(self.start..self.start + self.len).unwrap_or(&[])
    }

    /// True if these bytes start with the label, and eight bytes or more are there.
    #[inline(always)]
    pub(super) fn starts(&self, bytes: &[u8]) -> bool {
        let is = |bytes: &[u8], word: u64, above| {
            bytes
                .first_chunk()
                .is_some_and(|bytes| (u64::from_le_bytes(*bytes) ^ word).wrapping_shl(above) == 0)
        };
        is(bytes, self.first, self.above)
            && match self.len {
                0..=WORD => true,
                _ if self.len <= 2 * WORD => {
                    bytes.get(self.len - WORD..).is_some_and(|bytes| is(bytes, self.last, 0))
                }
                _ => starts_long(self.text, self.start, self.len, bytes),
            }
    }

    /// The hash. It decides where records lie, so it must never change while the format keeps its
    /// version, on no machine.
    #[inline(always)]
    pub(super) fn hash(&self, seed: u8) -> u64 {
        let mut key = u64::from(seed).wrapping_mul(MULTIPLIER);
        if self.len > 2 * WORD {
            key = fold_middle(key, self.text, self.start, self.len);
        }
        fold(self.first ^ key, (self.last ^ OTHER_MULTIPLIER).wrapping_add(self.len as u64))
    }
}

/// A label of up to seven bytes behind its length byte, as a word, the lowest byte first: not zero,
/// and another for each label.
pub(super) fn word(label: &[u8]) -> Option<u64> {
    let mut word = [0; WORD];
    word[0] = label.len() as u8;
    word[1..].get_mut(..label.len())?.copy_from_slice(label);
    Some(u64::from_le_bytes(word))
}

/// The [`word`] of the label whose length byte is at `start`, and which ends before `end`.
#[inline(always)]
pub(super) fn word_in(name: &PaddedName, start: u8, end: u8) -> Option<u64> {
    let word = name[usize::from(start)..].first_chunk()?;
    let above = WORD.checked_sub(usize::from(end.wrapping_sub(start))).map(bits)?;
    Some(u64::from_le_bytes(*word).wrapping_shl(above).wrapping_shr(above))
}

/// The hash of the bytes between the first word and the last one of a label.
///
/// Not inlined, and without a reference to the [`Label`], which then needs no memory.
#[inline(never)]
fn fold_middle(key: u64, text: &[u8], start: usize, len: usize) -> u64 {
    let middle = text.get(start + WORD..start + len - WORD).unwrap_or(&[]);
    middle.chunks(WORD).fold(key, |key, word| {
        let mut padded = [0; WORD];
        padded[..word.len()].copy_from_slice(word);
        fold(key ^ u64::from_le_bytes(padded), OTHER_MULTIPLIER)
    })
}

#[inline(never)]
fn starts_long(text: &[u8], start: usize, len: usize, bytes: &[u8]) -> bool {
    text.get(start..start + len).is_some_and(|label| bytes.starts_with(label))
}

/// The number of bits in so many bytes.
#[inline(always)]
fn bits(bytes: usize) -> u32 {
    (u8::BITS as usize * bytes) as u32
}

/// The halves of the product, one over the other: every bit of the input reaches every bit.
#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A name with other bytes behind it.
    fn padded(name: &[u8]) -> PaddedName {
        let mut padded = [0xee; size_of::<PaddedName>()];
        padded[..name.len()].copy_from_slice(name);
        padded
    }

    fn hash(bytes: &[u8], seed: u8) -> u64 {
        Label::of(bytes).hash(seed)
    }

    proptest! {
        /// In a name, where other bytes stand around it, a label is the same as by itself.
        #[test]
        fn labels_are_what_their_bytes_are(
            name in proptest::collection::vec(any::<u8>(), 1..120),
            other in proptest::collection::vec(any::<u8>(), 1..70),
            start: proptest::sample::Index,
            len in 1_usize..64,
            seed: u8,
        ) {
            let start = start.index(name.len());
            let end = name.len().min(start + len);
            let padded_name = padded(&name);
            let within = Label::within(&padded_name, start, end).unwrap();
            let bytes = &name[start..end];
            prop_assert_eq!(within.bytes(), bytes);
            prop_assert_eq!(within.hash(seed), hash(bytes, seed));
            for text in [bytes, &other, &name[start..], &[bytes, &other].concat()] {
                let mut padded = text.to_vec();
                padded.resize(text.len() + crate::trie::names::record::PADDING, 0);
                let wanted = padded.starts_with(bytes);
                prop_assert_eq!(within.starts(&padded), wanted);
                prop_assert_eq!(Label::of(bytes).starts(&padded), wanted);
            }
        }

        /// However few bits differ, as many labels have another place.
        #[test]
        fn like_labels_have_other_hashes(
            bytes in proptest::collection::vec(any::<u8>(), 1..40),
            at: proptest::sample::Index,
            bit in 0..8_u32,
            seed: u8,
        ) {
            let mut other = bytes.clone();
            other[at.index(bytes.len())] ^= 1 << bit;
            prop_assert_ne!(hash(&bytes, seed), hash(&other, seed));
            prop_assert_ne!(hash(&bytes, seed), hash(&bytes, seed.wrapping_add(1)));
        }
    }

    /// The hash is part of the snapshot format.
    #[test]
    fn hash_is_the_same_everywhere() {
        let found = [&b"a"[..], b"com", b"abcd", b"example", b"12345678", b"123456789abcdefgh"]
            .map(|label| hash(label, 1));
        let wanted = [
            0x35d9_004b_ce1e_6fcd,
            0x83ac_8a7c_66dc_3e42,
            0xf533_c1f5_36e3_7c9a,
            0x64ba_9c13_848b_2bf9,
            0x9f1e_e76b_b8b0_feb1,
            0x66e6_982b_e04b_c07d,
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn words_tell_labels_apart() {
        let labels = [&b"a"[..], b"a\0", b"\0", b"\0\0", b"1234567"];
        let words = labels.map(|label| word(label).unwrap());
        assert!(words.iter().all(|&word| word != 0));
        for (label, word) in labels.into_iter().zip(words) {
            assert_eq!(words.iter().filter(|&&other| other == word).count(), 1, "{label:?}");
            let name = [b"\x08xxxxxxxx", &[label.len() as u8][..], label, &[0]].concat();
            assert_eq!(word_in(&padded(&name), 9, name.len() as u8 - 1), Some(word));
        }
        assert_eq!(word(b"12345678"), None);
        assert_eq!(word_in(&padded(b"\x0812345678\0"), 0, 9), None);
    }
}
