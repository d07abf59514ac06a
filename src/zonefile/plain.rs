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
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { rest: text, count: 0 }
    }
}

impl Iterator for Lines<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        let (address, len) = line(self.rest.first_chunk()?)?;
        self.rest = &self.rest[len..];
        self.count += 1;
        Some(address)
    }
}

/// The address of a line and the length of the line.
#[inline]
fn line(text: &[u8; LONGEST]) -> Option<(u32, usize)> {
    let (address, len) = address(text)?;
    match text[len] {
        b'\n' => Some((address, len + 1)),
        b'\r' if text[len + 1] == b'\n' => Some((address, len + 2)),
        _ => None,
    }
}

/// The whole address that a text begins with, and its length.
#[inline(always)]
pub(super) fn address(text: &[u8]) -> Option<(u32, usize)> {
    let (mut address, mut at) = (0, 0);
    for index in 0..4 {
        let (value, end) = octet(text, at)?;
        at = end;
        if index < 3 {
            if *text.get(at)? != b'.' {
                return None;
            }
            at += 1;
        }
        address = address << 8 | value;
    }
    Some((address, at))
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
