//! Lines of a file, and how they are quoted.

/// How many characters of a line are quoted.
const WIDTH: usize = 100;

/// How many of them stand before the place that is pointed at, at the least, if there are so many.
const BEFORE: usize = 60;

/// A part of a line as a terminal can show it, a character for each character of the line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quote {
    /// The characters.
    pub text: String,
    /// How many of them stand before the place that is pointed at.
    pub before: usize,
}

/// The lines of a file, by number.
pub(super) struct Lines<'t> {
    text: &'t [u8],
    /// Where each line starts.
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        let starts = std::iter::once(0);
        let starts = starts.chain(memchr::memchr_iter(b'\n', text).map(|end| end + 1));
        Self { text, starts: starts.collect() }
    }

    /// A line without its newline, from 1; empty if there is none of this number.
    pub(super) fn get(&self, number: u32) -> &'t [u8] {
        let Some(index) = (number as usize).checked_sub(1) else { return b"" };
        let Some(&start) = self.starts.get(index) else { return b"" };
        let end = self.starts.get(index + 1).map_or(self.text.len(), |&next| next - 1);
        let line = &self.text[start..end];
        let line =
            if index == 0 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    /// The number of the line that has this byte.
    pub(super) fn number(&self, at: usize) -> u32 {
        u32::try_from(self.starts.partition_point(|&start| start <= at)).unwrap_or(u32::MAX)
    }

    /// The byte at which a line starts that has something else than blanks, from 1.
    pub(super) fn first_column(&self, number: u32) -> u32 {
        let line = self.get(number);
        let blanks = line.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if blanks == line.len() { 1 } else { blanks as u32 + 1 }
    }

    /// What stands around a byte of a line, from 1.
    pub(super) fn quote(&self, number: u32, column: u32) -> Option<Quote> {
        let line = self.get(number);
        if line.is_empty() {
            return None;
        }
        let at = (column.saturating_sub(1) as usize).min(line.len());
        // A character has at most four bytes.
        let from = at.saturating_sub(4 * BEFORE);
        let head: Vec<char> = shown(&line[from..at]).collect();
        let head = &head[head.len().saturating_sub(BEFORE)..];
        let tail = shown(&line[at..line.len().min(at + 4 * WIDTH)]);
        let text: String = head.iter().copied().chain(tail).take(WIDTH).collect();
        let end = text.trim_end().len();
        let before = head.len();
        Some(Quote { text: text[..end].to_owned(), before })
    }
}

/// The characters of bytes; those that do not show, or do more than that, are question marks.
fn shown(bytes: &[u8]) -> impl Iterator<Item = char> {
    let is_plain = |c: char| (' '..='~').contains(&c) || c.is_alphanumeric();
    bytes.utf8_chunks().flat_map(move |chunk| {
        let valid = chunk.valid().chars().map(move |c| match c {
            '\t' => ' ',
            c if is_plain(c) => c,
            _ => '?',
        });
        valid.chain(chunk.invalid().iter().map(|_| '?'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(text: &[u8], line: u32, column: u32) -> Option<(String, usize)> {
        Lines::new(text).quote(line, column).map(|quote| (quote.text, quote.before))
    }

    #[test]
    fn a_quote_points_at_its_byte() {
        let text = "\u{feff}a\tb\r\n\nb\u{fc}cher \u{1b}x\n".as_bytes();
        assert_eq!(quote(text, 1, 3), Some(("a b".to_owned(), 2)));
        assert_eq!(quote(text, 2, 1), None);
        assert_eq!(quote(text, 3, 9), Some(("b\u{fc}cher ?x".to_owned(), 7)));
        assert_eq!(quote(text, 4, 1), None);
        assert_eq!(quote(text, 9, 1), None);
        let long = [b'x'; 1000];
        let (shown, before) = quote(&long, 1, 500).unwrap();
        assert_eq!((shown.len(), before), (WIDTH, BEFORE));
        assert_eq!(quote(&long, 1, 5000).unwrap().1, BEFORE);
    }

    #[test]
    fn lines_have_numbers() {
        let lines = Lines::new(b"a\n  b\n\nc");
        assert_eq!([0, 1, 2, 3, 6, 7].map(|at| lines.number(at)), [1, 1, 2, 2, 3, 4]);
        assert_eq!([1, 2, 3, 4].map(|number| lines.first_column(number)), [1, 3, 1, 1]);
        assert_eq!((lines.get(0), lines.get(4), lines.get(5)), (&b""[..], &b"c"[..], &b""[..]));
    }
}
