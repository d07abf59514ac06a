//! How digests are written: their digits, and how many they have.

use crate::wire::name::MAX_LABEL;
use std::fmt;
use std::str::FromStr;

/// The digits of a digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Alphabet {
    /// `0` to `9` and `a` to `f`: four bits each (RFC 4648 section 8).
    Hex,
    /// `a` to `z` and `2` to `7`: five bits each (RFC 4648 section 6), without padding.
    Base32,
    /// z-base-32, which rspamd's own lists have: five bits each.
    Zbase32,
}

/// The code of what is no digit.
const NO_DIGIT: u8 = 0x80;

/// The code of each byte: the place of the digit among those of the alphabet in the order of ASCII, so that
/// packed digests are in the order of their labels.
const fn codes(digits: &[u8]) -> [u8; 256] {
    let mut codes = [NO_DIGIT; 256];
    let mut at = 0;
    while at < digits.len() {
        codes[digits[at] as usize] = at as u8;
        codes[digits[at].to_ascii_uppercase() as usize] = at as u8;
        at += 1;
    }
    codes
}

const HEX: &[u8] = b"0123456789abcdef";
const BASE32: &[u8] = b"234567abcdefghijklmnopqrstuvwxyz";
const ZBASE32: &[u8] = b"13456789abcdefghijkmnopqrstuwxyz";
static HEX_CODES: [u8; 256] = codes(HEX);
static BASE32_CODES: [u8; 256] = codes(BASE32);
static ZBASE32_CODES: [u8; 256] = codes(ZBASE32);

impl Alphabet {
    /// All alphabets, each with its name.
    pub const NAMES: [(&'static str, Self); 3] =
        [("hex", Self::Hex), ("base32", Self::Base32), ("zbase32", Self::Zbase32)];

    /// The digits in lower case, in the order of ASCII.
    pub(super) fn digits(self) -> &'static [u8] {
        match self {
            Self::Hex => HEX,
            Self::Base32 => BASE32,
            Self::Zbase32 => ZBASE32,
        }
    }

    fn codes(self) -> &'static [u8; 256] {
        match self {
            Self::Hex => &HEX_CODES,
            Self::Base32 => &BASE32_CODES,
            Self::Zbase32 => &ZBASE32_CODES,
        }
    }

    /// The bits of a digit.
    fn bits(self) -> usize {
        if self == Self::Hex { 4 } else { 5 }
    }

    /// True if a byte is a digit, in upper or lower case.
    pub fn has(self, byte: u8) -> bool {
        self.codes()[usize::from(byte)] != NO_DIGIT
    }
}

impl fmt::Display for Alphabet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, alphabet)| alphabet == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

impl FromStr for Alphabet {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let known = Self::NAMES.iter().find(|(known, _)| *known == name);
        known.map(|&(_, alphabet)| alphabet).ok_or(())
    }
}

/// The form that all digests of a table have.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DigestForm {
    alphabet: Alphabet,
    digits: u8,
}

/// The fewest digits of a digest: shorter ones are words out of place.
pub const MIN_DIGITS: usize = 16;

/// The room that packing takes: the bits of a label, and those of one step behind them.
pub(crate) const ROOM: usize = MAX_LABEL * 5 / 8 + STEP;

/// So many digits are packed at once.
const STEP: usize = 8;

/// Forty digits of hex: SHA-1, which most lists have.
impl Default for DigestForm {
    fn default() -> Self {
        Self { alphabet: Alphabet::Hex, digits: 40 }
    }
}

impl DigestForm {
    /// The form of this many digits; `None` if they make no digest or no label.
    pub fn new(alphabet: Alphabet, digits: usize) -> Option<Self> {
        let fits = (MIN_DIGITS..=MAX_LABEL).contains(&digits);
        fits.then_some(Self { alphabet, digits: digits as u8 })
    }

    /// The form of the labels that SHA-256 in hex is asked for by, see [`long_hex_label`].
    pub(crate) fn of_long_hex() -> Self {
        Self { alphabet: Alphabet::Base32, digits: LONG_HEX_LABEL as u8 }
    }

    /// The alphabet.
    pub fn alphabet(self) -> Alphabet {
        self.alphabet
    }

    /// The number of digits, from [`MIN_DIGITS`] to 63.
    pub fn digits(self) -> usize {
        usize::from(self.digits)
    }

    /// The number of bytes of a packed digest: all bits of its digits, the last byte filled up with zeros.
    pub(crate) fn size(self) -> usize {
        (self.digits() * self.alphabet.bits()).div_ceil(8)
    }

    /// Packs a label of this form, in upper or lower case; `false` if it has another form.
    #[inline]
    pub(crate) fn pack(self, label: &[u8], room: &mut [u8; ROOM]) -> bool {
        if label.len() != self.digits() {
            return false;
        }
        match self.alphabet {
            Alphabet::Hex => pack::<4>(&HEX_CODES, HEX[0], label, room),
            Alphabet::Base32 => pack::<5>(&BASE32_CODES, BASE32[0], label, room),
            Alphabet::Zbase32 => pack::<5>(&ZBASE32_CODES, ZBASE32[0], label, room),
        }
    }

    /// Appends the label of a packed digest, in lower case.
    pub(crate) fn unpack(self, packed: &[u8], out: &mut Vec<u8>) {
        let (digits, bits) = (self.alphabet.digits(), self.alphabet.bits());
        for number in 0..self.digits() {
            let at = number * bits;
            let pair = [at / 8, at / 8 + 1].map(|byte| packed.get(byte).copied().unwrap_or(0));
            let code = usize::from(u16::from_be_bytes(pair)) >> (16 - at % 8 - bits);
            out.push(digits[code & (digits.len() - 1)]);
        }
    }
}

/// For people: `40 digits of hex`.
impl fmt::Display for DigestForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} digits of {}", self.digits, self.alphabet)
    }
}

#[inline]
fn pack<const BITS: usize>(
    codes: &[u8; 256],
    zero: u8,
    label: &[u8],
    room: &mut [u8; ROOM],
) -> bool {
    let (mut seen, mut at) = (0, 0);
    let mut put = |digits: [u8; STEP]| {
        let mut word = 0_u64;
        for digit in digits {
            let code = codes[usize::from(digit)];
            seen |= code;
            word = word << BITS | u64::from(code);
        }
        let bytes = (word << (u64::BITS as usize - STEP * BITS)).to_be_bytes();
        if let Some(place) = room.get_mut(at..at + STEP) {
            place.copy_from_slice(&bytes);
        }
        at += BITS;
    };
    let (steps, rest) = label.as_chunks::<STEP>();
    steps.iter().for_each(|&digits| put(digits));
    if !rest.is_empty() {
        let mut digits = [zero; STEP];
        digits[..rest.len()].copy_from_slice(rest);
        put(digits);
    }
    seen & NO_DIGIT == 0
}

/// The label that a hash of 64 digits of hex (SHA-256) is asked for by, since it fits no label itself: its bytes in
/// base32, as Spamhaus' and SURBL's lists have it. `None` if the text is no such hash.
pub(crate) fn long_hex_label(text: &[u8]) -> Option<[u8; LONG_HEX_LABEL]> {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    if text.len() != LONG_HEX {
        return None;
    }
    let mut bytes = [0_u8; LONG_HEX / 2 + 1];
    for (byte, pair) in bytes.iter_mut().zip(text.as_chunks::<2>().0) {
        let [high, low] = pair.map(|digit| HEX_CODES[usize::from(digit)]);
        if (high | low) & NO_DIGIT != 0 {
            return None;
        }
        *byte = high << 4 | low;
    }
    let mut label = [0; LONG_HEX_LABEL];
    for (number, digit) in label.iter_mut().enumerate() {
        let at = 5 * number;
        let pair = [at / 8, at / 8 + 1].map(|byte| bytes.get(byte).copied().unwrap_or(0));
        *digit = DIGITS[usize::from(u16::from_be_bytes(pair)) >> (11 - at % 8) & 31];
    }
    Some(label)
}

/// The digits of SHA-256 in hex.
pub(crate) const LONG_HEX: usize = 64;
/// The digits of SHA-256 in base32.
const LONG_HEX_LABEL: usize = 52;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A form, and a label of it.
    fn labels() -> impl Strategy<Value = (DigestForm, Vec<u8>)> {
        (0_usize..3, MIN_DIGITS..=MAX_LABEL, prop::collection::vec(0_usize..32, MAX_LABEL))
            .prop_map(|(alphabet, digits, codes)| {
                let form = DigestForm::new(Alphabet::NAMES[alphabet].1, digits).unwrap();
                let all = form.alphabet().digits();
                (form, codes[..digits].iter().map(|code| all[code % all.len()]).collect())
            })
    }

    proptest! {
        #[test]
        fn a_label_comes_back_in_lower_case((form, label) in labels(), upper: u64) {
            let mut written = label.clone();
            for (at, byte) in written.iter_mut().enumerate() {
                if upper >> at & 1 == 1 {
                    byte.make_ascii_uppercase();
                }
            }
            let (mut room, mut found) = ([0xff; ROOM], Vec::new());
            prop_assert!(form.pack(&written, &mut room));
            form.unpack(&room[..form.size()], &mut found);
            prop_assert_eq!(&found, &label);
            prop_assert!(!form.pack(&written[1..], &mut room));
            for odd in [b'-', b'.', 0, 0xff] {
                let mut damaged = label.clone();
                damaged[usize::try_from(upper % label.len() as u64).unwrap()] = odd;
                prop_assert!(!form.pack(&damaged, &mut room));
            }
        }

        #[test]
        fn packed_digests_are_in_the_order_of_their_labels(
            (form, label) in labels(),
            other in prop::collection::vec(0_usize..32, MAX_LABEL),
        ) {
            let all = form.alphabet().digits();
            let other: Vec<_> = other[..label.len()].iter().map(|code| all[code % all.len()]).collect();
            let pack = |label: &[u8]| {
                let mut room = [0; ROOM];
                assert!(form.pack(label, &mut room));
                room[..form.size()].to_vec()
            };
            prop_assert_eq!(pack(&label).cmp(&pack(&other)), label.cmp(&other));
        }
    }

    #[test]
    fn the_digits_are_those_of_the_standards() {
        assert!([HEX, BASE32, ZBASE32].iter().all(|digits| digits.is_sorted()));
        let in_order = |digits: &[u8]| {
            let mut digits = digits.to_vec();
            digits.sort_unstable();
            digits
        };
        assert_eq!(in_order(b"abcdefghijklmnopqrstuvwxyz234567"), BASE32);
        assert_eq!(in_order(b"ybndrfg8ejkmcpqxot1uwisza345h769"), ZBASE32);
    }

    #[test]
    fn sha256_in_hex_has_a_label_in_base32() {
        // Of "test", by `printf test | sha256sum` and `... | xxd -r -p | base32`.
        let hex = b"9F86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let label = b"t6dnbamijr6wlgrp5kqmkwwqcwr36ty3fmfyelgrlvwblmhqbiea";
        assert_eq!(long_hex_label(hex).as_ref(), Some(label));
        assert_eq!(long_hex_label(&hex[1..]), None);
        assert_eq!(long_hex_label(&[b'g'; 64]), None);
        assert!(DigestForm::new(Alphabet::Base32, LONG_HEX_LABEL).is_some());
    }
}
