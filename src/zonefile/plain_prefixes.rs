//! The commonest lines of lists of prefixes, fast: a prefix written in full, without host bits, and
//! [what it gives](plain_values). It may be an exclusion.

use super::plain_values::{self, Gives};
use super::{MAX_LINE, ip4, ip6, plain};
use crate::listing::addresses::Key;

/// A line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Line<K> {
    /// The first address of the prefix.
    pub(super) start: K,
    pub(super) len: u8,
    pub(super) gives: Gives,
}

/// An address that such lines can begin with.
pub(super) trait Prefix: Key {
    /// The prefix that a text begins with: the first address, its length, and where it ends.
    fn read(text: &[u8]) -> Option<(Self, u8, usize)>;
}

impl Prefix for u32 {
    #[inline]
    fn read(text: &[u8]) -> Option<(Self, u8, usize)> {
        let (address, end) = plain::address(text)?;
        let (len, end) = length(text, end, 32)?;
        (address & ip4::host_mask(len) == 0).then_some((address, len, end))
    }
}

impl Prefix for u128 {
    #[inline]
    fn read(text: &[u8]) -> Option<(Self, u8, usize)> {
        let (address, bits, end) = address6(text)?;
        let (len, end) = length(text, end, bits)?;
        (address & ip6::host_mask(len) == 0).then_some((address, len, end))
    }
}

/// The length of a prefix, if one stands here, else the other; and where it ends.
#[inline]
fn length(text: &[u8], at: usize, other: u8) -> Option<(u8, usize)> {
    if *text.get(at)? != b'/' {
        return Some((other, at));
    }
    let (mut len, mut end) = (0, at + 1);
    while let digit @ 0..=9 = text.get(end)?.wrapping_sub(b'0') {
        len = len * 10 + u32::from(digit);
        end += 1;
        if end > at + 4 {
            return None;
        }
    }
    (end > at + 1 && len <= other.into()).then_some((len as u8, end))
}

/// What a hexadecimal digit stands for; of another byte it is more.
const DIGITS: [u8; 256] = {
    let mut digits = [u8::MAX; 256];
    let mut byte = 0;
    while byte < 256 {
        digits[byte] = match byte as u8 {
            digit @ b'0'..=b'9' => digit - b'0',
            digit @ (b'a'..=b'f' | b'A'..=b'F') => (digit | 0x20) - b'a' + 10,
            _ => u8::MAX,
        };
        byte += 1;
    }
    digits
};

/// An address of eight fields, some of them perhaps as `::`; the number of its bits, and its end.
#[inline]
fn address6(text: &[u8]) -> Option<(u128, u8, usize)> {
    let (mut address, mut count) = (0_u128, 0);
    let (mut at, mut gap) = if text.starts_with(b"::") { (2, Some(0)) } else { (0, None) };
    loop {
        let (mut field, start) = (0, at);
        while let digit @ 0..=15 = DIGITS[usize::from(*text.get(at)?)] {
            field = field << 4 | u32::from(digit);
            at += 1;
        }
        match at - start {
            0 if gap == Some(count) => break,
            1..=4 => {}
            _ => return None,
        }
        address = address << 16 | u128::from(field);
        count += 1;
        if count == 8 || text[at] != b':' {
            break;
        }
        at += 1;
        if *text.get(at)? == b':' {
            if gap.is_some() {
                return None;
            }
            gap = Some(count);
            at += 1;
        }
    }
    let missing = 8 - count;
    match gap {
        _ if missing == 0 => gap.is_none().then_some((address, 128, at)),
        None => None,
        Some(0) => Some((address, 128, at)),
        Some(gap) => {
            // Up to seven fields lie behind the gap, and so many more before them are zero.
            let behind = 16 * (count - gap);
            let low = address & !(u128::MAX << behind);
            Some((address >> behind << (16 * (8 - gap)) | low, 128, at))
        }
    }
}

/// The lines at the beginning of a text, up to the first one that is of another kind, or not whole.
pub(super) struct Lines<'a, K> {
    text: &'a [u8],
    /// Where what was not read yet begins.
    pub(super) at: usize,
    /// Prefixes that are shorter are left.
    shortest: u8,
    kind: std::marker::PhantomData<K>,
}

impl<'a, K: Prefix> Lines<'a, K> {
    /// Those of a text from a place on, where a line begins, with prefixes of at least a length.
    pub(super) fn new(text: &'a [u8], at: usize, shortest: u8) -> Self {
        Self { text, at, shortest, kind: std::marker::PhantomData }
    }
}

impl<K: Prefix> Iterator for Lines<'_, K> {
    type Item = Line<K>;

    #[inline]
    fn next(&mut self) -> Option<Line<K>> {
        let excluded = *self.text.get(self.at)? == b'!';
        let begin = self.at + usize::from(excluded);
        let (start, len, prefix_len) = K::read(&self.text[begin..])?;
        let at = begin + prefix_len;
        let (gives, end) = match excluded {
            true => (Gives::Nothing, plain_values::end_of_line(self.text, at)?),
            false => plain_values::gives(self.text, at)?,
        };
        if end - self.at > MAX_LINE || len < self.shortest {
            return None;
        }
        self.at = end;
        Some(Line { start, len, gives })
    }
}

#[cfg(test)]
mod tests {
    use super::super::plain_values::tests::{check as check_end, ends};
    use super::super::scan::Scan;
    use super::super::{MAX_TEXT, Reason, entries};
    use super::*;
    use proptest::prelude::*;

    type Reading<K> = fn(&mut Scan<'_>) -> Result<(K, u8), Reason>;

    /// What is taken as such a line is read as any line is.
    fn check<K: Prefix>(text: &[u8], cidr: Reading<K>) {
        let mut lines = Lines::<K>::new(text, 0, 0);
        let Some(Line { start, len, gives }) = lines.next() else { return };
        assert_eq!(text.iter().position(|&byte| byte == b'\n'), Some(lines.at - 1));
        let line = text[..lines.at].trim_ascii_end();
        assert!(lines.at <= MAX_LINE);
        let line = &line[..line.iter().position(|&byte| byte == 0).unwrap_or(line.len())];
        let mut scan = Scan::new(line);
        let is_exclusion = scan.eat(b'!');
        assert_eq!(is_exclusion, gives == Gives::Nothing);
        assert_eq!(cidr(&mut scan), Ok((start, len)));
        assert_eq!(entries::end_of_address(&scan), Ok(()));
        match is_exclusion {
            true => assert!(scan.is_end()),
            false => check_end(gives, text, &mut scan),
        }
    }

    proptest! {
        #[test]
        fn prefixes_are_those_that_any_line_has(
            start4 in "!?([0-9]{1,3}[.]){0,4}[0-9]{0,4}",
            start6 in "!?(::)?([0-9a-fA-F]{1,4}:{1,2}){0,8}([0-9a-fA-F]{0,5})",
            end in ends(),
        ) {
            let lines = [start4, start6].map(|start| [start.as_bytes(), &end].concat());
            lines.iter().for_each(|line| check(line, ip4::cidr));
            lines.iter().for_each(|line| check(line, ip6::cidr));
        }
    }

    #[test]
    fn which_lines_are_plain() {
        fn taken<K: Prefix>(text: &str) -> bool {
            let mut lines = Lines::<K>::new(text.as_bytes(), 0, 0);
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
        ] {
            assert!(taken::<u32>(text), "{text:?}");
            assert!(!taken::<u32>(text.trim_end()), "{text:?}");
            check(text.as_bytes(), ip4::cidr);
        }
        for text in [
            "1.2.3\n",
            "1.2.3.4/24\n",
            "1.2.3.4/33\n",
            "1.2.3.4/\n",
            " 1.2.3.4\n",
            "1.2.3.4:2:x\n",
            "! 1.2.3.4\n",
            "!1.2.3.4 \n",
            "1.2.3.4\r:2:x\n",
            "::1\n",
        ] {
            assert!(!taken::<u32>(text), "{text:?}");
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
        ] {
            assert!(taken::<u128>(text), "{text:?}");
            check(text.as_bytes(), ip6::cidr);
        }
        for text in [
            "1:2:3:4\n",
            "1\n",
            "00001::\n",
            "1::2::3\n",
            "1::2:\n",
            "1:::\n",
            ":\n",
            "1:\n",
            "1:2:3:4:5:6:7:8:9\n",
            "1:2:3:4:5:6:7::8\n",
            "1::/129\n",
            "1::/8\n",
            "1.2.3.4\n",
        ] {
            assert!(!taken::<u128>(text), "{text:?}");
        }
        let line = |blanks: usize, text: usize| {
            format!("1.2.3.4{}:2:{}\n", " ".repeat(blanks), "x".repeat(text))
        };
        assert!(taken::<u32>(&line(1, MAX_TEXT)) && !taken::<u32>(&line(1, MAX_TEXT + 1)));
        assert!(taken::<u32>(&line(MAX_LINE - 20, 5)) && !taken::<u32>(&line(MAX_LINE, 5)));
        let lengths = |shortest| Lines::<u32>::new(b"1.2.3.0/24\n1.0.0.0/8\n", 0, shortest).count();
        assert_eq!([8, 9, 24, 25].map(lengths), [2, 1, 1, 0]);
    }
}
