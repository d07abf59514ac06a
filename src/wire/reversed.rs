//! Addresses as names in reverse order begin with them (RFC 5782 sections 2.1 and 2.4).

use super::name::Labels;
use bytemuck::cast;
use wide::{i8x16, u8x16, u16x8};

/// The IPv4 address whose four octets, the lowest first, are the labels of a message from `start` on,
/// and how many bytes these labels take. An octet written with leading zeros is not read.
///
/// Nothing here branches on how many digits there are, which no processor foresees.
#[inline(always)]
pub fn octets(message: &[u8], start: usize) -> Option<(u32, usize)> {
    // Four labels have up to sixteen bytes; with four more, each can be read as a whole, and with
    // `MASK` the compiler knows it.
    const MASK: usize = 15;
    let padded;
    let head = match message.get(start..start + 20).and_then(<[u8]>::first_chunk::<20>) {
        Some(head) => head,
        None => {
            padded = std::array::from_fn(|at| *message.get(start + at).unwrap_or(&0));
            &padded
        }
    };
    let (mut at, mut address, mut others) = (0, 0, 0);
    for _ in 0..4 {
        let label = only_label(u32::from_le_bytes(*head[at & MASK..].first_chunk()?));
        at += 1 + usize::from(head[at & MASK]);
        let octet = LABELS[place(label)] ^ u64::from(label);
        others |= octet as u32;
        address = address >> 8 | octet;
    }
    (others == 0).then_some(((address >> 32) as u32, at))
}

/// A label of one to three bytes with its length byte, in a little-endian word, without what follows it.
#[inline(always)]
const fn only_label(word: u32) -> u32 {
    const MASKS: [u32; 4] = [0xff, 0xffff, 0xff_ffff, 0xffff_ffff];
    word & MASKS[(word & 3) as usize]
}

/// For each octet, at the [`place`] of its label: the label in the lower half, the octet in the highest
/// byte. [`NO_LABEL`] elsewhere.
const LABELS: [u64; 1 << INDEX_BITS] = {
    let mut labels = [NO_LABEL; 1 << INDEX_BITS];
    let mut octet = 0;
    while octet < 256 {
        let (hundreds, tens, ones) = (octet / 100, octet / 10 % 10, octet % 10);
        let label = match octet {
            0..10 => 1 | (ones + 0x30) << 8,
            10..100 => 2 | (tens + 0x30) << 8 | (ones + 0x30) << 16,
            _ => 3 | (hundreds + 0x30) << 8 | (tens + 0x30) << 16 | (ones + 0x30) << 24,
        };
        assert!(labels[place(label)] == NO_LABEL, "two octets in one place");
        labels[place(label)] = (octet as u64) << 56 | label as u64;
        octet += 1;
    }
    labels
};

/// What [`only_label`] never gives: a byte behind the length zero.
const NO_LABEL: u64 = 1 << 8;

const INDEX_BITS: u32 = 9;

/// The place of a label in [`LABELS`]. The factor was found by trying: with it, the 256 labels of
/// octets have different places.
#[inline(always)]
const fn place(label: u32) -> usize {
    (label.wrapping_mul(0x8a01) >> (u32::BITS - INDEX_BITS)) as usize
}

/// The most bytes that the four labels of an IPv4 address take.
pub const OCTETS: usize = 4 * 4;

/// The bytes that the 32 labels of an IPv6 address take.
pub const NIBBLES: usize = 64;

/// The IPv6 address whose 32 nibbles, the lowest first, are the first labels of `name` (wire form),
/// each a hexadecimal digit in either case.
#[inline(always)]
pub fn nibbles(name: &[u8]) -> Option<u128> {
    let (halves, _) = name.first_chunk::<NIBBLES>()?.as_chunks::<{ NIBBLES / 2 }>();
    let (all, low) = (i8x16::splat, u16x8::splat(0xff));
    let (mut octets, mut wrong) = ([u16x8::ZERO; 2], i8x16::ZERO);
    for (octets, labels) in octets.iter_mut().zip(halves) {
        let (first, second) = labels.split_at(16);
        let (first, second) = (words(first), words(second));
        let lengths = bytes_of(first & low, second & low);
        let digits = bytes_of(first >> 8, second >> 8);
        // Bytes above 127 are negative, and so are no letters.
        let letter = digits.simd_gt(all(b'9' as i8));
        let nibbles = (digits | letter & all(0x20)) - all(b'0' as i8) - (letter & all(39));
        let above_nine = nibbles.simd_gt(all(9));
        wrong |= (lengths ^ all(1)) | (letter ^ above_nine) | (nibbles & all(!15));
        let pairs = words(&cast::<_, [u8; 16]>(nibbles));
        *octets = (pairs | pairs >> 4) & low;
    }
    let address = bytes_of(octets[0], octets[1]);
    (wrong == i8x16::ZERO).then_some(u128::from_le_bytes(cast(address)))
}

/// The IPv4 address that up to four labels begin, the lowest octet first: with zeros for the octets not
/// given. Octets may be written with leading zeros, in three digits at most.
pub fn some_octets(labels: &[u8]) -> Option<u32> {
    let mut address = 0;
    for label in Labels::of(labels) {
        if label.len() > 3 || !label.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let octet = label.iter().fold(0, |octet, digit| 10 * octet + u32::from(digit - b'0'));
        if octet > 255 {
            return None;
        }
        address = address >> 8 | octet << 24;
    }
    Some(address)
}

/// The IPv6 address that up to 32 labels of one hexadecimal digit begin, in lower case and the lowest
/// nibble first: with zeros for the nibbles not given.
pub fn some_nibbles(labels: &[u8]) -> Option<u128> {
    let mut address = 0u128;
    for label in Labels::of(labels) {
        let nibble = match *label {
            [digit @ b'0'..=b'9'] => digit - b'0',
            [letter @ b'a'..=b'f'] => letter - b'a' + 10,
            _ => return None,
        };
        address = address >> 4 | u128::from(nibble) << 124;
    }
    Some(address)
}

/// Sixteen bytes as words of two, the first of which is the lower one.
#[inline(always)]
fn words(bytes: &[u8]) -> u16x8 {
    u16x8::new(std::array::from_fn(|i| u16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]])))
}

/// Words below 256 as bytes.
#[inline(always)]
fn bytes_of(first: u16x8, second: u16x8) -> i8x16 {
    cast(u8x16::narrow_i16x8(cast(first), cast(second)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::name::NameBuf;
    use proptest::prelude::*;

    fn naive_octets(name: &[u8]) -> Option<(u32, usize)> {
        let (mut rest, mut octets) = (name, [0; 4]);
        for octet in octets.iter_mut().rev() {
            let (&len, after) = rest.split_first()?;
            let (label, after) = after.split_at_checked(len.into())?;
            let number: u8 = std::str::from_utf8(label).ok()?.parse().ok()?;
            if number.to_string().as_bytes() != label {
                return None;
            }
            (rest, *octet) = (after, number);
        }
        Some((u32::from_be_bytes(octets), name.len() - rest.len()))
    }

    fn naive_nibbles(name: &[u8]) -> Option<u128> {
        let mut address = 0;
        for (at, label) in name.get(..NIBBLES)?.chunks(2).enumerate() {
            let digit = char::from(label[1]).to_digit(16).filter(|_| label[0] == 1)?;
            address |= u128::from(digit) << (4 * at);
        }
        Some(address)
    }

    /// Names that are nearly what is looked for, and what may stand behind them.
    fn any_name(
        label: &'static str,
        count: std::ops::Range<usize>,
    ) -> impl Strategy<Value = Vec<u8>> {
        (prop::collection::vec(label, count), prop::collection::vec(any::<u8>(), 0..30)).prop_map(
            |(labels, tail)| {
                let name = NameBuf::from_text(labels.join(".").as_bytes()).unwrap_or(NameBuf::ROOT);
                [name.as_wire(), &tail].concat()
            },
        )
    }

    proptest! {
        #[test]
        fn octets_are_those_of_any_name_that_begins_with_them(
            mut name in any_name("[0-9]{1,3}|[1-9][0-9]?|1[0-9]{2}|25[0-9]|[0-9/:a]{1,3}|[0-9]{4}", 3..8),
            damage in prop::option::weighted(0.2, any::<(prop::sample::Index, u8)>()),
        ) {
            if let Some((at, byte)) = damage {
                let at = at.index(name.len());
                name[at] = byte;
            }
            prop_assert_eq!(octets(&name, 0), naive_octets(&name));
        }

        #[test]
        fn no_bytes_are_taken_for_octets_that_are_none(name: Vec<u8>) {
            prop_assert_eq!(octets(&name, 0), naive_octets(&name));
        }

        #[test]
        fn nibbles_are_those_of_any_name_that_begins_with_them(
            mut name in any_name("[0-9a-fA-F]", 30..35),
            damage in prop::option::weighted(0.3, any::<(prop::sample::Index, u8)>()),
        ) {
            if let Some((at, byte)) = damage {
                let at = at.index(name.len());
                name[at] = byte;
            }
            prop_assert_eq!(nibbles(&name), naive_nibbles(&name));
        }
    }

    #[test]
    fn labels_are_octets_as_they_are_usually_written() {
        let one = |label: &[u8]| {
            let name = [&[label.len() as u8], label, b"\x010\x010\x010\0"].concat();
            assert_eq!(octets(&name, 0), naive_octets(&name), "{label:?}");
            octets(&name, 0).map(|(address, _)| address)
        };
        for number in 0..=999_u32 {
            let wanted = (number < 256).then_some(number);
            assert_eq!(one(number.to_string().as_bytes()), wanted);
            one(format!("{number:02}").as_bytes());
            one(format!("{number:03}").as_bytes());
        }
        for byte in 0..=255 {
            for label in [&[byte][..], &[b'1', byte], &[byte, b'1'], &[b'1', byte, b'1']] {
                one(label);
            }
        }
        for len in 0..=255 {
            for byte in [0, b'0', b'1', 0xff] {
                let name = [&[len, byte, byte, byte][..], &[1, b'1'].repeat(9)].concat();
                assert_eq!(octets(&name, 0), naive_octets(&name), "{name:?}");
            }
        }
    }

    #[test]
    fn single_hexadecimal_digits_are_nibbles() {
        let name: Vec<u8> =
            b"0123456789abcdeffedcba9876543210".iter().flat_map(|&digit| [1, digit]).collect();
        assert_eq!(nibbles(&name), Some(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210));
        for at in 0..NIBBLES {
            for byte in 0..=255 {
                let mut name = name.clone();
                name[at] = byte;
                assert_eq!(nibbles(&name), naive_nibbles(&name), "{byte} at {at}");
            }
        }
        assert_eq!(nibbles(&name[1..]), None);
    }

    #[test]
    fn labels_of_up_to_three_digits_are_some_octets() {
        let one = |label: &[u8]| some_octets(&[&[label.len() as u8], label, &[0]].concat());
        for number in 0..=999_u32 {
            let wanted = (number < 256).then_some(number << 24);
            for text in [format!("{number}"), format!("{number:02}"), format!("{number:03}")] {
                assert_eq!(one(text.as_bytes()), wanted, "{text}");
            }
        }
        for byte in (0..=255_u8).filter(|byte| !byte.is_ascii_digit()) {
            for label in [&[byte][..], &[b'1', byte], &[byte, b'1'], &[b'1', byte, b'1']] {
                assert_eq!(one(label), None, "{label:?}");
            }
        }
        assert_eq!(one(b"0001"), None);
    }

    proptest! {
        #[test]
        fn some_nibbles_are_the_first_of_an_address(count in 0_usize..=32, address: u128) {
            let digit = |n: usize| char::from_digit((address >> (4 * n) & 15) as u32, 16).unwrap();
            let labels: Vec<u8> = (32 - count..32).flat_map(|n| [1, digit(n) as u8]).collect();
            let unused = u128::MAX.checked_shr(4 * count as u32).unwrap_or(0);
            prop_assert_eq!(some_nibbles(&labels), Some(address & !unused));
            if count == 32 {
                prop_assert_eq!(nibbles(&labels), Some(address));
            }
        }
    }
}
