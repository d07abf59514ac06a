//! The commonest lines of lists of prefixes and ranges: the key, and behind it [what it gives](values).
//! The line may be an exclusion.

use super::addresses::{Network, WINDOW};
use super::values::{self, FastValue, ValueHead};
use crate::zonefile::{MAX_LINE, ip4, ip6};

/// The entry of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::zonefile) struct FastEntry<K> {
    pub(in crate::zonefile) key: K,
    pub(in crate::zonefile) value: FastValue,
}

/// What such lines can begin with.
pub(in crate::zonefile) trait FastKey: Copy {
    /// What is kept of the line before.
    type Before: Default;

    /// The key that a text begins with, and where it ends.
    fn read(text: &[u8], before: &mut Self::Before) -> Option<(Self, usize)>;
}

/// A prefix: the address as it is written, host bits included, and the length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::zonefile) struct Prefix<A> {
    pub(in crate::zonefile) address: A,
    pub(in crate::zonefile) len: u8,
}

/// The addresses from a first to a last one, which is not below it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::zonefile) struct Range4 {
    pub(in crate::zonefile) start: u32,
    pub(in crate::zonefile) end: u32,
    /// Both are written with four octets.
    pub(in crate::zonefile) is_whole: bool,
}

impl FastKey for Prefix<u32> {
    type Before = Network;

    #[inline]
    fn read(text: &[u8], before: &mut Network) -> Option<(Self, usize)> {
        let window: Option<&[u8; WINDOW]> = text.first_chunk();
        let (address, bits, end) = match window.and_then(|text| before.read(text)) {
            Some((address, end)) => (address, 32, end),
            None => ip4::octets(text).ok()?,
        };
        let (len, end) = length(text, end, (bits > 8).then_some(bits), 32)?;
        Some((Self { address, len }, end))
    }
}

impl FastKey for Prefix<u128> {
    type Before = ();

    #[inline]
    fn read(text: &[u8], (): &mut ()) -> Option<(Self, usize)> {
        let (address, bits, end) = ip6::fields(text).ok()?;
        let (len, end) = length(text, end, (bits > 16).then_some(bits), 128)?;
        Some((Self { address, len }, end))
    }
}

impl FastKey for Range4 {
    type Before = ();

    #[inline]
    fn read(text: &[u8], (): &mut ()) -> Option<(Self, usize)> {
        let (start, bits, dash) = ip4::octets(text).ok()?;
        if *text.get(dash)? != b'-' {
            return None;
        }
        let (end, end_bits, len) = ip4::octets(&text[dash + 1..]).ok()?;
        let is_whole = bits == 32 && end_bits == 32;
        let (start, end) = ip4::between((start, bits), (end, end_bits)).ok()?;
        Some((Self { start, end, is_whole }, dash + 1 + len))
    }
}

/// The length of a prefix if one stands here, else the other one, if there is one; and where it
/// ends.
#[inline]
fn length(text: &[u8], at: usize, other: Option<u8>, max: u8) -> Option<(u8, usize)> {
    if *text.get(at)? != b'/' {
        return Some((other?, at));
    }
    let (mut len, mut end) = (0, at + 1);
    while let digit @ 0..=9 = text.get(end)?.wrapping_sub(b'0') {
        len = len * 10 + u32::from(digit);
        end += 1;
        if end > at + 4 {
            return None;
        }
    }
    // The general reader judges zeros before a number.
    let is_plain = end > at + 1 && (end == at + 2 || text[at + 1] != b'0');
    (is_plain && len <= max.into()).then_some((len as u8, end))
}

/// The entries of the lines at the beginning of a text, up to the first line that is of another
/// kind, or not whole.
pub(in crate::zonefile) struct FastLines<'a, K: FastKey> {
    text: &'a [u8],
    /// Where what was not read yet begins.
    pub(in crate::zonefile) at: usize,
    before: K::Before,
    head: ValueHead,
}

impl<'a, K: FastKey> FastLines<'a, K> {
    /// Those of a text from a place on, where a line begins.
    pub(in crate::zonefile) fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at, before: K::Before::default(), head: ValueHead::default() }
    }
}

impl<K: FastKey> Iterator for FastLines<'_, K> {
    type Item = FastEntry<K>;

    #[inline]
    fn next(&mut self) -> Option<FastEntry<K>> {
        let excluded = *self.text.get(self.at)? == b'!';
        let begin = self.at + usize::from(excluded);
        let (key, key_len) = K::read(&self.text[begin..], &mut self.before)?;
        let at = begin + key_len;
        let (value, end) = match excluded {
            true => (FastValue::Excluded, values::end_of_line(self.text, at)?),
            false => values::read(self.text, at, &mut self.head)?,
        };
        if end - self.at > MAX_LINE {
            return None;
        }
        self.at = end;
        Some(FastEntry { key, value })
    }
}

#[cfg(test)]
mod tests {
    use super::super::values::tests::{check as check_end, ends};
    use super::*;
    use crate::zonefile::entry::EntryKey;
    use crate::zonefile::scan::Scan;
    use crate::zonefile::{MAX_TEXT, Mistake};
    use proptest::prelude::*;
    use std::fmt::Debug;

    type Reading<K> = fn(&mut Scan<'_>) -> Result<K, Mistake>;

    fn cidr4(scan: &mut Scan<'_>) -> Result<Prefix<u32>, Mistake> {
        ip4::cidr(scan).map(|(address, len)| Prefix { address, len })
    }

    fn cidr6(scan: &mut Scan<'_>) -> Result<Prefix<u128>, Mistake> {
        ip6::cidr(scan).map(|(address, len)| Prefix { address, len })
    }

    fn range4(scan: &mut Scan<'_>) -> Result<Range4, Mistake> {
        let text = scan.rest();
        let EntryKey::Range4 { start, end } = ip4::range(scan)? else { return Err(Mistake::NoKey) };
        let spelled = &text[..text.len() - scan.rest().len()];
        let is_whole = spelled.iter().filter(|&&byte| byte == b'.').count() == 6;
        Ok(Range4 { start, end, is_whole })
    }

    /// What is taken as such a line is read as any line is.
    fn check<K: FastKey + PartialEq + Debug>(text: &[u8], reading: Reading<K>) {
        let mut lines = FastLines::<K>::new(text, 0);
        let Some(FastEntry { key, value }) = lines.next() else { return };
        assert_eq!(text.iter().position(|&byte| byte == b'\n'), Some(lines.at - 1));
        let line = text[..lines.at].trim_ascii_end();
        assert!(lines.at <= MAX_LINE);
        let line = &line[..line.iter().position(|&byte| byte == 0).unwrap_or(line.len())];
        let mut scan = Scan::new(line);
        let is_exclusion = scan.eat(b'!');
        assert_eq!(is_exclusion, value == FastValue::Excluded);
        assert_eq!(reading(&mut scan), Ok(key));
        assert!(scan.is_end_of_address());
        match is_exclusion {
            true => assert!(scan.is_end()),
            false => check_end(value, text, &mut scan),
        }
    }

    proptest! {
        #[test]
        fn keys_are_those_that_any_line_has(
            start4 in "!?([0-9]{1,3}[.]){0,4}[0-9]{0,4}",
            start6 in "!?(::)?([0-9a-fA-F]{1,4}:{1,2}){0,8}([0-9a-fA-F]{0,5})",
            between4 in "!?([0-9]{1,2}[.]){0,3}[0-9]{1,3}-([0-9]{1,3}[.]){0,3}[0-9]{1,3}",
            end in ends(),
        ) {
            let lines = [start4, start6, between4].map(|start| [start.as_bytes(), &end].concat());
            lines.iter().for_each(|line| check(line, cidr4));
            lines.iter().for_each(|line| check(line, cidr6));
            lines.iter().for_each(|line| check(line, range4));
        }
    }

    proptest! {
        /// Lines behind each other are what each is alone.
        #[test]
        fn the_line_before_changes_nothing(
            lines in prop::collection::vec(
                ("!?(1|20)[.](2|300)[.](3|44)[.](5|66|077|8888)(/24|-9)?", ends()),
                1..12,
            ),
        ) {
            let lines: Vec<_> = lines.iter().map(|(key, end)| [key.as_bytes(), end].concat()).collect();
            // Near its end, a text is read in another way.
            let text = [&lines.concat(), &[b'#'; 64][..]].concat();
            let mut at = 0;
            let mut together = FastLines::<Prefix<u32>>::new(&text, 0);
            while let Some(alone) = FastLines::<Prefix<u32>>::new(&text, at).next() {
                prop_assert_eq!(together.next(), Some(alone));
                at = together.at;
            }
            prop_assert_eq!(together.next(), None);
        }
    }

    #[test]
    fn which_lines_are_plain() {
        fn taken<K: FastKey>(text: &str) -> bool {
            let mut lines = FastLines::<K>::new(text.as_bytes(), 0);
            lines.next().is_some_and(|_| lines.at == text.len())
        }
        for text in [
            "1.2.3.4\n",
            "1.2.3.4/32\r\n",
            "!1.2.3.0/24\n",
            "0.0.0.0/0\n",
            "1.2.3.4 \n",
            "1.2.3.4 :2:text\n",
            "1.2.3.0/24 text\n",
            "1.2.3.4 #\n",
            "1.2.3\n",
            "1.2.3.4/24\n",
            "001.2.3.0004\n",
        ] {
            assert!(taken::<Prefix<u32>>(text), "{text:?}");
            assert!(!taken::<Prefix<u32>>(text.trim_end()), "{text:?}");
            check(text.as_bytes(), cidr4);
        }
        for text in [
            "1.2.3.4/33\n",
            "1.2.3.4/\n",
            " 1.2.3.4\n",
            "1.2.3.4:2:x\n",
            "! 1.2.3.4\n",
            "!1.2.3.4 \n",
            "1.2.3.4\r:2:x\n",
            "::1\n",
        ] {
            assert!(!taken::<Prefix<u32>>(text), "{text:?}");
        }
        for text in [
            "::\n",
            "::/0\n",
            "1::\n",
            "::1\n",
            "1::2\n",
            "1:2:3:4:5:6:7:8\n",
            "1:2:3:4:5:6:7::\n",
            "::2:3:4:5:6:7:8\n",
            "2001:DB8::/32\r\n",
            "!1:2:3:4:5:6:7:8/128\n",
            "1::/16 :2:x\n",
            "1:2:3:4\n",
            "00001::\n",
            "1::2:\n",
            "1::/8\n",
        ] {
            assert!(taken::<Prefix<u128>>(text), "{text:?}");
            check(text.as_bytes(), cidr6);
        }
        for text in [
            "1\n",
            "1::2::3\n",
            "1:::\n",
            ":\n",
            "1:\n",
            "1:2:3:4:5:6:7:8:9\n",
            "1:2:3:4:5:6:7::8\n",
            "1::/129\n",
            "1.2.3.4\n",
        ] {
            assert!(!taken::<Prefix<u128>>(text), "{text:?}");
        }
        for text in [
            "1.2.3.4-1.2.3.5\n",
            "1.2.3.4-5 :2:text\r\n",
            "!1.2-1.3\n",
            "10-11 # x\n",
            "1.2.3.0-1.2.3.255 text\n",
        ] {
            assert!(taken::<Range4>(text) && !taken::<Prefix<u32>>(text), "{text:?}");
            check(text.as_bytes(), range4);
        }
        for text in ["1.2.3.4\n", "1.2.3.5-4\n", "1.2.3.4-1.2\n", "1.2.3.4-5/8\n", "1.2.3.4-\n"] {
            assert!(!taken::<Range4>(text), "{text:?}");
        }
        let line = |blanks: usize, text: usize| {
            format!("1.2.3.4{}:2:{}\n", " ".repeat(blanks), "x".repeat(text))
        };
        assert!(
            taken::<Prefix<u32>>(&line(1, MAX_TEXT))
                && !taken::<Prefix<u32>>(&line(1, MAX_TEXT + 1))
        );
        assert!(
            taken::<Prefix<u32>>(&line(MAX_LINE - 20, 5))
                && !taken::<Prefix<u32>>(&line(MAX_LINE, 5))
        );
    }
}
