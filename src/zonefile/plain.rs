//! The commonest line, fast: a whole IPv4 address and nothing else.

/// The longest such line: four octets of three digits, three dots, CR LF.
const LONGEST: usize = 17;

/// The addresses of the lines at the beginning of a text, up to the first line that is anything
/// else or too near the end of the text.
pub(super) struct Lines<'a> {
    /// What was not read yet.
    pub(super) rest: &'a [u8],
    /// The number of lines read.
    pub(super) count: u64,
    before: Network,
}

/// The first three octets of a line. Lists are often in order, and the next line has them too.
#[derive(Default)]
struct Network {
    address: u32,
    /// The bytes of the line that are theirs.
    text: u128,
    mask: u128,
    /// Where the fourth octet begins; 0 if there was no line yet.
    len: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { rest: text, count: 0, before: Network::default() }
    }
}

impl Iterator for Lines<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        let (address, len) = self.before.line(self.rest.first_chunk()?)?;
        self.rest = &self.rest[len..];
        self.count += 1;
        Some(address)
    }
}

impl Network {
    /// The address of a line and the length of the line.
    #[inline]
    fn line(&mut self, text: &[u8; LONGEST]) -> Option<(u32, usize)> {
        if self.len == 0 || Self::text_of(text) & self.mask != self.text {
            self.set(text)?;
        }
        let (last, end) = octet(text, self.len)?;
        let address = self.address | last;
        match text.get(end..)? {
            [b'\n', ..] => Some((address, end + 1)),
            [b'\r', b'\n', ..] => Some((address, end + 2)),
            _ => None,
        }
    }

    #[inline]
    fn set(&mut self, text: &[u8; LONGEST]) -> Option<()> {
        let (network, len) = network(text)?;
        self.address = network << 8;
        self.len = len;
        self.mask = u128::MAX >> (u128::BITS - 8 * len as u32);
        self.text = Self::text_of(text) & self.mask;
        Some(())
    }

    #[inline(always)]
    fn text_of(text: &[u8; LONGEST]) -> u128 {
        let [start @ .., _] = *text;
        u128::from_le_bytes(start)
    }
}

/// The whole address that a text begins with, and its length.
#[inline(always)]
pub(super) fn address(text: &[u8]) -> Option<(u32, usize)> {
    let (network, start) = network(text)?;
    let (last, end) = octet(text, start)?;
    Some((network << 8 | last, end))
}

/// The three octets, each with a dot behind it, that a text begins with, and their length.
#[inline(always)]
fn network(text: &[u8]) -> Option<(u32, usize)> {
    let (mut octets, mut at) = (0, 0);
    for _ in 0..3 {
        let (value, end) = octet(text, at)?;
        if *text.get(end)? != b'.' {
            return None;
        }
        octets = octets << 8 | value;
        at = end + 1;
    }
    Some((octets, at))
}

/// The number up to 255, of up to three digits, that stands at a place, and where it ends.
#[inline(always)]
pub(super) fn octet(text: &[u8], at: usize) -> Option<(u32, usize)> {
    let mut value = u32::from(text.get(at)?.wrapping_sub(b'0'));
    if value > 9 {
        return None;
    }
    let mut end = at + 1;
    for _ in 0..2 {
        let digit = u32::from(text.get(end)?.wrapping_sub(b'0'));
        if digit > 9 {
            break;
        }
        value = value * 10 + digit;
        end += 1;
    }
    (value <= 255).then_some((value, end))
}
