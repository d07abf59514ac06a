//! The commonest line: a whole IPv4 address and nothing else.

use crate::zonefile::{MAX_LINE, ip4, native};

/// How much of a text is looked at for a line. The longest, of four octets with three digits, has 17
/// bytes with CR LF; what stands behind it may be anything.
pub(in crate::zonefile) const WINDOW: usize = 32;

/// The addresses of the lines at the beginning of a text, up to the first line that is anything
/// else or too near the end of the text.
pub(in crate::zonefile) struct AddressLines<'a> {
    /// What was not read yet.
    pub(in crate::zonefile) rest: &'a [u8],
    /// The number of lines read.
    pub(in crate::zonefile) count: u64,
    before: Network,
}

impl<'a> AddressLines<'a> {
    pub(in crate::zonefile) fn new(text: &'a [u8]) -> Self {
        Self { rest: text, count: 0, before: Network::NONE }
    }
}

impl Iterator for AddressLines<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        let text = self.rest.first_chunk()?;
        let (address, end) = self.before.read(text)?;
        let len = end_of_line(text, end)?;
        self.rest = &self.rest[len..];
        self.count += 1;
        Some(address)
    }
}

/// The first three octets of a line: in a list in order, many lines begin as the line before does.
pub(in crate::zonefile) struct Network {
    address: u32,
    /// The beginning of the line, of which the bytes of the mask are the octets and their dots.
    text: u128,
    mask: u128,
    len: usize,
}

impl Default for Network {
    fn default() -> Self {
        Self::NONE
    }
}

impl Network {
    /// Nothing, which no line begins with.
    const NONE: Self = Self { address: 0, text: 0, mask: u128::MAX, len: 0 };

    fn new(text: &[u8; WINDOW], address: u32, len: usize) -> Self {
        /// The first bytes of a word, by their number.
        const MASKS: [u128; 16] = {
            let mut masks = [0; 16];
            let mut len = 1;
            while len < masks.len() {
                masks[len] = u128::MAX >> (128 - 8 * len);
                len += 1;
            }
            masks
        };
        Self { address: address & !0xff, text: beginning(text), mask: MASKS[len % 16], len }
    }

    /// The address that a line begins with, and where it ends.
    #[inline(always)]
    pub(super) fn read(&mut self, text: &[u8; WINDOW]) -> Option<(u32, usize)> {
        match self.neighbour(text) {
            Some(address) => Some(address),
            None => address(text, self),
        }
    }

    /// The address that a line begins with and where it ends, if it begins with this network.
    #[inline(always)]
    fn neighbour(&self, text: &[u8; WINDOW]) -> Option<(u32, usize)> {
        if (beginning(text) ^ self.text) & self.mask != 0 {
            return None;
        }
        let word = word_at(text, self.len);
        let len = breaks(word.into()).trailing_zeros() as usize / 8;
        let octet = value(word, len)?;
        Some((self.address | octet, self.len + len))
    }
}

/// The address that any line begins with, and where it ends.
#[inline(always)]
fn address(text: &[u8; WINDOW], before: &mut Network) -> Option<(u32, usize)> {
    let word = beginning(text);
    let mut breaks = one_by_one(breaks(word as u64)) | one_by_one(breaks((word >> 64) as u64)) << 8;
    let (mut address, mut start, mut network) = (0, 0, 0);
    for index in 0..4 {
        let end = breaks.trailing_zeros() as usize;
        breaks &= breaks.wrapping_sub(1);
        address = address << 8 | value(word_at(text, start), end - start)?;
        if index < 3 {
            if text[end % WINDOW] != b'.' {
                return None;
            }
            network = end + 1;
        }
        start = end + 1;
    }
    *before = Network::new(text, address, network);
    Some((address, start - 1))
}

/// The length of a line whose address ends here.
#[inline(always)]
fn end_of_line(text: &[u8; WINDOW], end: usize) -> Option<usize> {
    match text[end % WINDOW] {
        b'\n' => Some(end + 1),
        b'\r' if text[(end + 1) % WINDOW] == b'\n' => Some(end + 2),
        _ => None,
    }
}

/// The number up to 255 of up to three digits, the first bytes of a word.
#[inline(always)]
fn value(word: u32, len: usize) -> Option<u32> {
    if !(1..=3).contains(&len) {
        return None;
    }
    // The last digit comes to stand in the highest byte, where the sum of all is wanted.
    let digits = word << (8 * (4 - len)) & 0x0f0f_0f0f;
    let is_octet = digits.swap_bytes() <= 0x02_05_05;
    is_octet.then(|| digits.wrapping_mul(1 | 10 << 8 | 100 << 16) >> 24)
}

/// The highest bit of each byte that is no digit.
#[inline(always)]
fn breaks(word: u64) -> u64 {
    let each = |byte: u8| u64::from_ne_bytes([byte; 8]);
    // A digit becomes its value, and what is above 9 overflows into the highest bit.
    let values = word ^ each(b'0');
    (((values & each(0x7f)) + each(0x7f - 9)) | values) & each(0x80)
}

/// The highest bits of the bytes side by side.
#[inline(always)]
fn one_by_one(breaks: u64) -> u32 {
    ((breaks >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32
}

#[inline(always)]
fn beginning(text: &[u8; WINDOW]) -> u128 {
    u128::from_le_bytes(*text.first_chunk().unwrap_or(&[0; 16]))
}

/// Four bytes, from one of the first 16 on.
#[inline(always)]
fn word_at(text: &[u8; WINDOW], start: usize) -> u32 {
    u32::from_le_bytes(*text[start % 16..].first_chunk().unwrap_or(&[0; 4]))
}

/// The address of a line that begins at a place of a text, whatever stands behind it, and the end of the
/// line.
#[inline]
pub(in crate::zonefile) fn line_with_more(text: &[u8], at: usize) -> Option<(u32, usize)> {
    let line = &text[at..];
    let Ok((address, 32, len)) = ip4::octets(line) else { return None };
    let end = match line.get(len)? {
        b' ' | b'\t' | b':' => {
            let end = len + memchr::memchr(b'\n', &line[len..])?;
            let rest = line[len..end].trim_ascii();
            // An `@` may begin parameters, of which one says until when the line counts.
            let may_expire = !matches!(rest.first(), Some(b'#' | b';')) && rest.contains(&b'@');
            let is_value = line[len] == b':';
            if may_expire || !is_value && native::may_mean_more(rest) {
                return None;
            }
            end + 1
        }
        b'#' | b';' => len + memchr::memchr(b'\n', &line[len..])? + 1,
        b'\n' => len + 1,
        b'\r' if line.get(len + 1)? == &b'\n' => len + 2,
        _ => return None,
    };
    (end <= MAX_LINE).then_some((address, at + end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What [`AddressLines`] says, line by line with the standard library.
    fn naive(text: &[u8]) -> (Vec<u32>, &[u8]) {
        let (mut addresses, mut rest) = (Vec::new(), text);
        while rest.len() >= WINDOW
            && let Some(end) = rest.iter().position(|&byte| byte == b'\n')
            && let line = &rest[..end]
            && let Some(address) = naive_line(line.strip_suffix(b"\r").unwrap_or(line))
        {
            addresses.push(address);
            rest = &rest[end + 1..];
        }
        (addresses, rest)
    }

    fn naive_line(line: &[u8]) -> Option<u32> {
        let octets = line.split(|&byte| byte == b'.').map(|octet| {
            let is_number = (1..=3).contains(&octet.len()) && octet.iter().all(u8::is_ascii_digit);
            str::from_utf8(octet).ok().filter(|_| is_number)?.parse().ok()
        });
        let octets: Option<Vec<u8>> = octets.collect();
        Some(u32::from_be_bytes(octets?.try_into().ok()?))
    }

    fn check(text: &[u8]) {
        let mut lines = AddressLines::new(text);
        let addresses: Vec<u32> = lines.by_ref().collect();
        let (want, rest) = naive(text);
        assert_eq!(addresses, want, "{:?}", text.escape_ascii().to_string());
        assert_eq!(lines.rest, rest);
        assert_eq!(lines.count, want.len() as u64);
    }

    #[test]
    fn reads_lines_as_the_standard_library_does() {
        let after = "\n1.2.3.4\n5.6.7.8\n9.10.11.12\n13.14.15.16\n17.18.19.20\n";
        let lines = [
            "1.2.3.4",
            "255.255.255.255",
            "255.255.255.255\r",
            "0.0.0.0",
            "001.002.003.004",
            "1.2.3.256",
            "256.2.3.4",
            "1.2.3.0004",
            "0001.2.3.4",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.",
            ".1.2.3.4",
            "1..3.4",
            "1.2.3.4 ",
            "1.2.3.4/32",
            "1.2.3.4\r\r",
            "1.2.3.4\0",
            "1.2.3.:",
            "1.2.3./",
            "1.2.3.\x7f",
            "1.2\n3.4",
            "",
            "\r",
            "1,2,3,4",
            "::1",
            "1.2.3.4\u{b4}",
        ];
        for line in lines {
            check(format!("{line}{after}").as_bytes());
            // The same behind a neighbour, and twice.
            check(format!("1.2.3.9\n{line}{after}").as_bytes());
            check(format!("255.255.255.0\n{line}\n{line}{after}").as_bytes());
        }
    }

    #[test]
    fn whatever_stands_behind_an_address() {
        let taken = |line: &str| line_with_more(line.as_bytes(), 0);
        for line in
            ["1.2.3.4 # x\n", "1.2.3.4:2:x\r\n", "1.2.3.4;\n", "1.2.3.4#\0\n", "1.2.3.4\t\n"]
        {
            assert_eq!(taken(line), Some((0x0102_0304, line.len())), "{line:?}");
            assert_eq!(taken(line.trim_end_matches('\n')), None);
        }
        for line in [
            "1.2.3.4/32\n",
            "1.2.3.4-5\n",
            "1.2.3\n",
            "1.2.3.4\rx\n",
            "1.2.3.4.\n",
            "1.2.3.4 @ expires=2026-12-07\n",
            "1.2.3.4:2: @ expires=2026-12-07\n",
            "",
        ] {
            assert_eq!(taken(line), None, "{line:?}");
        }
        let long = |blanks: usize| taken(&format!("1.2.3.4{}\n", " ".repeat(blanks)));
        assert!(long(MAX_LINE - 8).is_some() && long(MAX_LINE - 7).is_none());
    }

    proptest! {
        /// Of few numbers, so that neighbours are many.
        #[test]
        fn reads_random_lines_as_the_standard_library_does(
            lines in prop::collection::vec(
                prop_oneof![
                    30 => "(1|10|255)\\.(0|20)\\.(3|199)\\.(0|7|25|99|100|249|255|256|300|0007)(\r)?",
                    10 => "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}",
                    1 => "[0-9.\r /:a]{0,18}",
                ],
                0..30,
            ),
            end in "[0-9.]{0,40}",
        ) {
            let text = lines.iter().flat_map(|line| [line, "\n"]).collect::<String>() + &end;
            check(text.as_bytes());
        }

        #[test]
        fn survives_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            check(&bytes);
        }
    }
}
