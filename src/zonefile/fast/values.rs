//! What stands behind the key of an entry, in its commonest forms: nothing, a comment, an A value
//! `:A`, a text, or both `:A:TXT`.

use crate::listing::{AnswersBuilder, Hashed, HashedA};
use crate::zonefile::scan::is_blank;
use crate::zonefile::{MAX_TEXT, ip4, native};
use wide::i8x16;

/// What an entry says about its key, as [`EntryValue`](super::super::entry::EntryValue).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::zonefile) enum FastValue {
    Excluded,
    Default,
    /// An A value, and the text of the default value.
    A(u32),
    Text(TextPlace),
}

/// The text of a line, which stands in what was read, and perhaps its A value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::zonefile) struct TextPlace {
    /// None for that of the default value.
    a: HashedA,
    start: u32,
    len: u16,
    hash: u32,
}

impl TextPlace {
    /// The value, if an A value that is not given is this one; `read` is what was read.
    #[inline]
    pub(in crate::zonefile) fn value(self, default: HashedA, read: &[u8]) -> Hashed<'_> {
        let start = self.start as usize;
        let text = read.get(start..start + usize::from(self.len)).unwrap_or(&[]);
        Hashed::new(self.a.or(default), text, self.hash)
    }
}

/// What stands between the key of a line and its text, such as ` :127.0.0.2:`: in many lists, each line has
/// the same there.
#[derive(Clone, Copy, Default)]
pub(in crate::zonefile) struct ValueHead {
    /// The bytes from the end of the key on, and which of them are the head.
    bytes: u128,
    mask: u128,
    len: usize,
    a: HashedA,
}

impl ValueHead {
    /// The bytes that are looked at.
    const ROOM: usize = size_of::<u128>();

    fn bytes(text: &[u8], at: usize) -> Option<u128> {
        Some(u128::from_le_bytes(*text.get(at..)?.first_chunk()?))
    }

    /// True if this head stands at a place; where it is not known yet, none does.
    #[inline]
    fn stands(&self, text: &[u8], at: usize) -> bool {
        let bytes = Self::bytes(text, at);
        self.len > 0 && bytes.is_some_and(|bytes| (bytes ^ self.bytes) & self.mask == 0)
    }

    /// Keeps the head that stands between two places, if it is short.
    #[inline]
    fn keep(&mut self, text: &[u8], at: usize, end: usize, a: HashedA) {
        let len = end - at;
        if len <= Self::ROOM
            && let Some(bytes) = Self::bytes(text, at)
        {
            let mask = u128::MAX >> (u128::BITS as usize - 8 * len);
            *self = Self { bytes, mask, len, a };
        }
    }
}

/// What a line gives whose key ends here, and the end of the line; `head` is that of the line before.
#[inline(always)]
pub(super) fn read(text: &[u8], at: usize, head: &mut ValueHead) -> Option<(FastValue, usize)> {
    let (a, at) = if head.stands(text, at) {
        (head.a, at + head.len)
    } else if let Some(end) = end_of_line(text, at) {
        return Some((FastValue::Default, end));
    } else {
        match unlike(text, at, head)? {
            Rest::WithoutText(value, end) => return Some((value, end)),
            Rest::BeforeText(a, at) => (a, at),
        }
    };
    with_text(a, text, at)
}

/// The rest of a line, behind its key.
enum Rest {
    /// The line has no text: its value, and its end.
    WithoutText(FastValue, usize),
    /// A text begins here, perhaps behind an A value.
    BeforeText(HashedA, usize),
}

/// The rest of a line whose key ends here, if it is not empty and does not begin like that of the line before.
#[inline(never)]
fn unlike(text: &[u8], at: usize, head: &mut ValueHead) -> Option<Rest> {
    let key_end = at;
    if !is_blank(*text.get(at)?) {
        return None;
    }
    let at = skip_blanks(text, at)?;
    Some(match text[at] {
        b'\r' | b'\n' => Rest::WithoutText(FastValue::Default, end_of_line(text, at)?),
        b'#' | b';' => {
            let end = at + memchr::memchr(b'\n', &text[at..])? + 1;
            Rest::WithoutText(FastValue::Default, end)
        }
        b':' => {
            let (a, at) = a(text, at + 1)?;
            let at = skip_blanks(text, at)?;
            match text[at] {
                b':' => {
                    let a = HashedA::new(a.into());
                    head.keep(text, key_end, at + 1, a);
                    Rest::BeforeText(a, at + 1)
                }
                _ => Rest::WithoutText(FastValue::A(a), end_of_line(text, at)?),
            }
        }
        _ => Rest::BeforeText(HashedA::default(), at),
    })
}

/// The end of the line, if it ends here.
#[inline]
pub(super) fn end_of_line(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at..)? {
        [b'\n', ..] => Some(at + 1),
        [b'\r', b'\n', ..] => Some(at + 2),
        _ => None,
    }
}

#[inline]
fn skip_blanks(text: &[u8], mut at: usize) -> Option<usize> {
    while is_blank(*text.get(at)?) {
        at += 1;
    }
    Some(at)
}

/// The A value that stands here, and its end.
#[inline]
fn a(text: &[u8], at: usize) -> Option<(u32, usize)> {
    let text = text.get(at..)?;
    let (octet, len) = ip4::octet(text, 0)?;
    let (a, len) = if text.get(len)? == &b'.' {
        let Ok((address @ 0x7f00_0000..0x8000_0000, 32, len)) = ip4::octets(text) else {
            return None;
        };
        (address, len)
    } else if octet > 0 {
        (0x7f00_0000 | octet, len)
    } else {
        return None;
    };
    Some((a, at + len))
}

/// Where the next newline, `@` or NUL is. Lines are short: what a general search has to prepare takes longer
/// than the search.
#[inline]
fn next_mark(text: &[u8], at: usize) -> Option<usize> {
    const LANES: usize = 16;
    let mut start = at;
    while let Some(bytes) = text[start..].first_chunk::<LANES>() {
        let bytes: i8x16 = bytemuck::cast(*bytes);
        let is = |mark: u8| bytes.simd_eq(i8x16::splat(mark as i8));
        let marks = (is(b'\n') | is(b'@') | is(0)).to_bitmask();
        if marks != 0 {
            return Some(start + marks.trailing_zeros() as usize);
        }
        start += LANES;
    }
    Some(start + memchr::memchr3(b'\n', b'@', 0, &text[start..])?)
}

/// The value with the text from here on, and the end of the line.
#[inline(always)]
fn with_text(a: HashedA, text: &[u8], at: usize) -> Option<(FastValue, usize)> {
    let start = skip_blanks(text, at)?;
    let mut end = start;
    // At a NUL, a line ends before its time. An `@` behind a blank may begin parameters.
    loop {
        end = next_mark(text, end)?;
        match text[end] {
            b'\n' => break,
            b'@' if !is_blank(text[end - 1]) => end += 1,
            _ => return None,
        }
    }
    let next = end + 1;
    while end > start && (is_blank(text[end - 1]) || text[end - 1] == b'\r') {
        end -= 1;
    }
    let text = &text[start..end];
    if text.len() > MAX_TEXT || native::may_mean_more(text) {
        return None;
    }
    let text = TextPlace {
        a,
        start: u32::try_from(start).ok()?,
        len: text.len() as u16,
        hash: AnswersBuilder::text_hash(text),
    };
    Some((FastValue::Text(text), next))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::zonefile::params;
    use crate::zonefile::scan::Scan;
    use crate::zonefile::value::{self, Pair};
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    const DEFAULT: Pair<'_> = Pair { a: Ipv4Addr::new(127, 0, 0, 9), text: b"default" };

    /// What was read behind a key, up to the end of the line, is what any line gives; `scan` has the
    /// line from the end of its key on.
    pub(in super::super) fn check(value: FastValue, read: &[u8], scan: &mut Scan<'_>) {
        scan.skip_blanks();
        if scan.is_end_or_comment() {
            return assert_eq!(value, FastValue::Default);
        }
        assert_eq!(params::find(scan.rest()), params::Params::None);
        let (pair, was_cut) = value::pair(scan, DEFAULT, true, false).unwrap();
        assert!(!was_cut);
        match value {
            FastValue::A(a) => assert_eq!(pair, Pair { a: a.into(), ..DEFAULT }),
            FastValue::Text(text) => {
                let hash = AnswersBuilder::text_hash(pair.text);
                let want = Hashed::new(HashedA::new(pair.a), pair.text, hash);
                assert_eq!(text.value(HashedA::new(DEFAULT.a), read), want);
            }
            other => panic!("{other:?} is none of its own"),
        }
    }

    /// What may stand behind a key, with the end of the line.
    pub(in super::super) fn ends() -> impl Strategy<Value = Vec<u8>> {
        const PARTS: &[&str] = &[
            "/",
            "0",
            "8",
            "24",
            "32",
            "64",
            "128",
            "129",
            " ",
            " ",
            "\t",
            ":2",
            ":2:",
            ":0:",
            ":256:",
            ":127.0.0.3:",
            ":127.0.0.3 ",
            ":127.1:",
            ":10.0.0.1:",
            ":",
            "text",
            "$",
            "@",
            " @ delay=2",
            "\0",
            "\r",
            "#",
            ";",
            "x",
        ];
        proptest::collection::vec(proptest::sample::select(PARTS), 0..6)
            .prop_map(|parts| [&parts.concat(), "\n"].concat().into_bytes())
    }

    #[test]
    fn which_ends_are_plain() {
        let taken = |end: &str| {
            let (value, next) = read(end.as_bytes(), 0, &mut ValueHead::default())?;
            let line = end.as_bytes()[..next].trim_ascii_end();
            check(value, end.as_bytes(), &mut Scan::new(line));
            assert_eq!(value_of(end.trim_end_matches('\n')), None);
            Some((value, next == end.len()))
        };
        fn value_of(end: &str) -> Option<FastValue> {
            read(end.as_bytes(), 0, &mut ValueHead::default()).map(|(value, _)| value)
        }
        for end in ["\n", "\r\n", " \n", "\t \r\n", " # : a @ b\n", " ;x\r\n", " #\0\n"] {
            assert_eq!(taken(end), Some((FastValue::Default, true)), "{end:?}");
        }
        for (end, a) in [(" :5\n", 5), (" :127.0.0.6 \r\n", 6), ("\t:255\r\n", 255)] {
            assert_eq!(taken(end), Some((FastValue::A(0x7f00_0000 | a), true)), "{end:?}");
        }
        for end in [
            " :2:text\n",
            "\t  :127.0.0.3:  a : b \r\n",
            " :2:\n",
            " :2: \n",
            " :2 :x\n",
            " text\n",
            "  a # b; c\n",
            " see abuse@example.com\n",
            " :2:@x\n",
            " x\r\r\n",
        ] {
            assert!(matches!(taken(end), Some((FastValue::Text(_), true))), "{end:?}");
        }
        for end in [
            "",
            ":2:x\n",
            "#x\n",
            "x\n",
            "\rx\n",
            " \rx\n",
            " :0:x\n",
            " :256:x\n",
            " :\n",
            " ::\n",
            " :10.0.0.1:x\n",
            " :127.1:x\n",
            " :2x\n",
            " :2:x @ ts=1\n",
            " @ ts=1\n",
            " :2: @x\n",
            " :2:x\0\n",
            " x\0y\n",
            " \0\n",
        ] {
            assert_eq!(value_of(end), None, "{end:?}");
        }
        let long = |len| format!(" :2:{}\n", "x".repeat(len));
        assert!(taken(&long(MAX_TEXT)).is_some());
        assert_eq!(value_of(&long(MAX_TEXT + 1)), None);
    }

    proptest! {
        #[test]
        fn sixteen_bytes_at_a_time_find_the_same_marks(
            text in proptest::collection::vec(proptest::sample::select(&b"aaaaaaaaaaaaaaaaaaaaaaaaa\n@\0\x80"[..]), 0..80),
            at in 0..80_usize,
        ) {
            let at = at.min(text.len());
            let found = text[at..].iter().position(|byte| matches!(byte, b'\n' | b'@' | 0));
            prop_assert_eq!(next_mark(&text, at), found.map(|found| at + found));
        }

        /// Of a line, the head of the line before tells nothing else than the line itself.
        #[test]
        fn the_line_before_changes_nothing(before in ends(), line in ends(), same in any::<bool>()) {
            let line = [if same { &before } else { &line }, &b"192.0.2.1 :2:x\n"[..]].concat();
            let before = [&before, &b"192.0.2.1 :2:x\n"[..]].concat();
            let mut head = ValueHead::default();
            read(&before, 0, &mut head);
            prop_assert_eq!(read(&line, 0, &mut head), read(&line, 0, &mut ValueHead::default()));
        }
    }
}
