//! The word of a text that tells it from others.

use bytemuck::cast;
use std::ops::Range;
use wide::i8x16;

/// Where the last word with a digit stands. A word is letters, digits, dots, colons, hyphens and underscores side
/// by side.
#[inline]
pub(super) fn last_word(text: &[u8]) -> Option<Range<usize>> {
    if let Some((rest, last)) = text.split_last_chunk::<16>() {
        let [digits, words] = classes(*last);
        let last_digit = 15_u32.checked_sub(digits.leading_zeros());
        let end = last_digit.map(|at| at + (!words >> at).trailing_zeros().min(16 - at));
        let own = last_digit.map(|at| (words << (15 - at)).leading_ones());
        if let (Some(at), Some(end), Some(own)) = (last_digit, end, own)
            && own <= at
        {
            let at = rest.len() + at as usize;
            return Some(at + 1 - own as usize..rest.len() + end as usize);
        }
    }
    last_word_of_any(text)
}

/// True if the last bytes of a text, so many, are digits; `false` if there are none of them, or more than 16.
#[inline]
pub(super) fn ends_in_digits(text: &[u8], count: usize) -> bool {
    let Some(last) = text.last_chunk::<16>() else { return false };
    let digits = between(cast(*last), b'0', b'9').to_bitmask() as u16;
    count > 0 && digits.leading_ones() as usize >= count
}

/// Which of the bytes are in a range, both ends included.
#[inline]
fn between(bytes: i8x16, first: u8, last: u8) -> i8x16 {
    let each = |byte: u8| i8x16::splat(byte as i8);
    bytes.simd_gt(each(first - 1)) & bytes.simd_lt(each(last + 1))
}

/// The bits of bytes that are digits, and of those that words are made of, the first byte's lowest.
#[inline]
fn classes(bytes: [u8; 16]) -> [u16; 2] {
    let bytes: i8x16 = cast(bytes);
    let each = |byte: u8| i8x16::splat(byte as i8);
    let digits = between(bytes, b'0', b'9');
    let letters = between(bytes | each(0x20), b'a', b'z');
    let marks = between(bytes, b'-', b'.') | bytes.simd_eq(each(b':')) | bytes.simd_eq(each(b'_'));
    [digits, digits | letters | marks].map(|bytes| bytes.to_bitmask() as u16)
}

/// As [`last_word`], byte by byte.
fn last_word_of_any(text: &[u8]) -> Option<Range<usize>> {
    let is_of_word =
        |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(**byte, b'.' | b':' | b'-' | b'_');
    let last_digit = text.iter().rposition(u8::is_ascii_digit)?;
    let before = text[..last_digit].iter().rev().take_while(is_of_word).count();
    let behind = text[last_digit..].iter().take_while(is_of_word).count();
    Some(last_digit - before..last_digit + behind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_last_word_with_a_digit_is_the_own_one() {
        for (text, word) in [
            ("Evidence: https://bl.test/case/1234", "1234"),
            ("Listed at 2026, case 77 (phish)", "77"),
            ("https://bl.test/?ip=192.0.2.1&ok", "192.0.2.1"),
            ("https://bl.test/?name=a-1.example", "a-1.example"),
            ("https://bl.test/query/SBL123456", "SBL123456"),
            ("1 is the only digit", "1"),
        ] {
            let place = last_word(text.as_bytes()).expect(text);
            assert_eq!(&text[place], word, "{text}");
        }
        assert_eq!(last_word(b"no digit at all"), None);
        assert_eq!(last_word(b""), None);
    }

    proptest! {
        #[test]
        fn sixteen_bytes_at_a_time_give_the_same_words(
            text in "[ -~]{0,20}[a-z0-9/=:._@$-]{0,24}[^0-9]{0,6}",
            bytes in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            for text in [text.as_bytes(), &bytes] {
                prop_assert_eq!(last_word(text), last_word_of_any(text));
                for count in 0..text.len() {
                    let digits = &text[text.len() - count..];
                    let are_all = (1..=16).contains(&count) && digits.iter().all(u8::is_ascii_digit);
                    prop_assert_eq!(ends_in_digits(text, count), are_all && text.len() >= 16);
                }
            }
        }
    }
}
