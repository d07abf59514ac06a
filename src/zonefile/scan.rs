//! A cursor over one line, and the words and numbers all lines are made of.

use crate::util::time::read_duration;
use crate::wire::name::NameBuf;

/// A cursor over a line that holds no NUL; past its end it reads NUL.
///
/// When a method says no, the cursor stands where the line stopped making sense.
#[derive(Clone, Debug)]
pub(super) struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// The bytes read so far.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next byte, NUL at the end.
    #[inline]
    pub(super) fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    /// The byte after the next.
    pub(super) fn peek_second(&self) -> u8 {
        self.text.get(self.at + 1).copied().unwrap_or(0)
    }

    /// Takes the next byte if it is this one.
    #[inline]
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    #[inline]
    pub(super) fn is_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Ends the line that many bytes from here.
    pub(super) fn end_after(&mut self, bytes: usize) {
        self.text = &self.text[..self.text.len().min(self.at + bytes)];
    }

    /// Ends the line at a comment, which begins in front or behind a blank.
    pub(super) fn end_at_comment(&mut self) {
        let rest = self.rest();
        let begins = |&at: &usize| {
            matches!(rest[at], b'#' | b';') && at.checked_sub(1).is_none_or(|at| is_blank(rest[at]))
        };
        if let Some(at) = (0..rest.len()).find(begins) {
            self.end_after(rest[..at].trim_ascii_end().len());
        }
    }

    /// Skips that many bytes.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// True if an entry has no value of its own: nothing or a comment follows.
    pub(super) fn is_end_or_comment(&self) -> bool {
        matches!(self.peek(), 0 | b'#' | b';')
    }

    /// True if an address may end here: nothing, a blank, a comment or a value follows.
    pub(super) fn is_end_of_address(&self) -> bool {
        matches!(self.peek(), 0 | b' ' | b'\t' | b'#' | b';' | b':')
    }

    /// True if the next byte is a blank.
    pub(super) fn is_blank(&self) -> bool {
        is_blank(self.peek())
    }

    #[inline]
    pub(super) fn skip_blanks(&mut self) {
        while self.is_blank() {
            self.at += 1;
        }
    }

    /// What is left of the line.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.text[self.at.min(self.text.len())..]
    }

    /// Takes the bytes up to a blank, and the blanks after them.
    pub(super) fn word(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let len = rest.iter().position(|&byte| is_blank(byte)).unwrap_or(rest.len());
        self.at += len;
        self.skip_blanks();
        &rest[..len]
    }

    /// The next decimal digit.
    #[inline]
    pub(super) fn digit(&mut self) -> Option<u8> {
        let digit = self.peek().wrapping_sub(b'0');
        (digit < 10).then(|| {
            self.at += 1;
            digit
        })
    }

    /// A decimal number up to `max`, which is 9 or more; leading zeros allowed.
    #[inline]
    pub(super) fn number(&mut self, max: u32) -> Option<u32> {
        let mut number = 0;
        let mut digits = 0;
        for byte in self.rest() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            number = number * 10 + u64::from(digit);
            if number > u64::from(max) {
                self.at += digits;
                return None;
            }
            digits += 1;
        }
        self.at += digits;
        (digits > 0).then_some(number as u32)
    }

    /// A number that ends at a blank or the end of the line.
    pub(super) fn number_word(&mut self) -> Option<u32> {
        let number = self.number(u32::MAX)?;
        self.end_word()?;
        Some(number)
    }

    /// A time in seconds, or with one of the units `w d h m s` (rbldnsd's manual, option `-t`).
    /// It ends at a blank, at the end of the line, or before a colon.
    pub(super) fn time(&mut self) -> Option<u32> {
        let (seconds, rest) = read_duration(self.rest())?;
        self.at = self.text.len() - rest.len();
        let seconds = u32::try_from(seconds).ok()?;
        if self.peek() != b':' {
            self.end_word()?;
        }
        Some(seconds)
    }

    /// A domain name: the bytes up to a blank, and the blanks after them.
    pub(super) fn name(&mut self) -> Option<NameBuf> {
        let start = self.at;
        let word = self.word();
        let name = (!word.is_empty()).then(|| NameBuf::from_text(word).ok()).flatten();
        if name.is_none() {
            self.at = start;
        }
        name
    }

    /// Skips the blanks that must follow here unless the line ends.
    pub(super) fn end_word(&mut self) -> Option<()> {
        if !self.is_end() && !self.is_blank() {
            return None;
        }
        self.skip_blanks();
        Some(())
    }
}

/// Blanks as rbldnsd knows them: space and tab.
pub(super) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Option<(u32, &str)> {
        let mut scan = Scan::new(text.as_bytes());
        let time = scan.time()?;
        Some((time, std::str::from_utf8(scan.rest()).unwrap()))
    }

    #[test]
    fn times_have_units() {
        assert_eq!(time("0"), Some((0, "")));
        assert_eq!(time("35m"), Some((2100, "")));
        assert_eq!(time("1W \t2"), Some((604_800, "2")));
        assert_eq!(time("2h:x"), Some((7200, ":x")));
        assert_eq!(time("10s"), Some((10, "")));
        assert_eq!(time("4294967295"), Some((u32::MAX, "")));
        for bad in ["", "x", "-1", "1x", "1mm", "1.5", "4294967296", "7102w", " 1"] {
            assert_eq!(time(bad), None, "{bad}");
        }
        assert_eq!(time("7101w"), Some((4_294_684_800, "")));
    }

    #[test]
    fn past_the_end_there_is_nothing() {
        let mut scan = Scan::new(b"a");
        assert_eq!(scan.word(), b"a");
        assert_eq!((scan.peek(), scan.peek_second(), scan.rest()), (0, 0, &b""[..]));
        assert!(
            scan.is_end() && !scan.eat(b'a') && scan.digit().is_none() && scan.name().is_none()
        );
    }
}
