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
    let mut address = 0;
    let mut at = 0;
    for octet in 0..4 {
        let mut value = u32::from(text[at].wrapping_sub(b'0'));
        if value > 9 {
            return None;
        }
        at += 1;
        for _ in 0..2 {
            let digit = u32::from(text[at].wrapping_sub(b'0'));
            if digit > 9 {
                break;
            }
            value = value * 10 + digit;
            at += 1;
        }
        if value > 255 || (octet < 3 && text[at] != b'.') {
            return None;
        }
        address = address << 8 | value;
        at += usize::from(octet < 3);
    }
    match text[at] {
        b'\n' => Some((address, at + 1)),
        b'\r' if text[at + 1] == b'\n' => Some((address, at + 2)),
        _ => None,
    }
}
