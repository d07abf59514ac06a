//! What was wrong in a file, and where.

use super::entry::Place;
use super::mistake::Mistake;
use std::mem::discriminant;

/// How many diagnostics of a kind are kept of each file; the others are only counted.
pub const MAX_OF_KIND: usize = 5;

/// Everything found wrong while a dataset was read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Diagnostics {
    /// How many there were.
    pub total: u64,
    /// How many lines were not used; the other ones were, with a warning.
    pub refused: u64,
    /// The first of each kind and file, in the order of the files and lines.
    pub kept: Vec<Diagnostic>,
    kinds: Vec<OfKind>,
    /// How many of a kind are kept beyond [`MAX_OF_KIND`].
    pub(super) more_of_kind: usize,
}

/// The diagnostics of a kind in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct OfKind {
    file: u16,
    /// The first of them.
    reason: Mistake,
    total: u64,
    kept: usize,
}

/// Diagnostics that are not kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Omitted {
    /// The file: the number of calls of `Parser::start_file` before its own.
    pub file: u16,
    /// One of their kind.
    pub reason: Mistake,
    /// How many there are.
    pub lines: u64,
}

impl Diagnostics {
    /// Adds what is wrong at a column of a line, which is quoted if it is given.
    pub(super) fn push(
        &mut self,
        Place { file, line: number }: Place,
        column: u32,
        (reason, is_used): (Mistake, bool),
        line: Option<&[u8]>,
    ) {
        self.total += 1;
        self.refused += u64::from(!is_used);
        let most = MAX_OF_KIND.saturating_add(self.more_of_kind);
        let kind = self.kind(file, reason);
        kind.total += 1;
        if kind.kept < most {
            kind.kept += 1;
            let excerpt = line.map(excerpt);
            self.kept.push(Diagnostic { file, line: number, column, reason, is_used, excerpt });
        }
    }

    /// Adds what was found after the last line was read.
    pub(super) fn add_late(&mut self, late: Self) {
        if late.total == 0 {
            return;
        }
        self.total += late.total;
        self.refused += late.refused;
        for OfKind { file, reason, total, .. } in late.kinds {
            self.kind(file, reason).total += total;
        }
        let most = MAX_OF_KIND.saturating_add(self.more_of_kind);
        for diagnostic in late.kept {
            let kind = self.kind(diagnostic.file, diagnostic.reason);
            if kind.kept < most {
                kind.kept += 1;
                self.kept.push(diagnostic);
            }
        }
        self.kept.sort_by_key(|diagnostic| (diagnostic.file, diagnostic.line));
    }

    /// What is not kept, by kind.
    pub fn omitted(&self) -> impl Iterator<Item = Omitted> {
        self.kinds.iter().filter_map(|&OfKind { file, reason, total, kept }| {
            let lines = total - kept as u64;
            (lines > 0).then_some(Omitted { file, reason, lines })
        })
    }

    fn kind(&mut self, file: u16, reason: Mistake) -> &mut OfKind {
        let is_it = |of: &OfKind| of.file == file && are_of_a_kind(of.reason, reason);
        let index = self.kinds.iter().rposition(is_it).unwrap_or_else(|| {
            self.kinds.push(OfKind { file, reason, total: 0, kept: 0 });
            self.kinds.len() - 1
        });
        &mut self.kinds[index]
    }
}

/// True if two mistakes are told with the same words, but for what the lines have there.
fn are_of_a_kind(one: Mistake, other: Mistake) -> bool {
    match (one, other) {
        (Mistake::Unread(one), Mistake::Unread(other)) => one == other,
        (Mistake::OddName(one), Mistake::OddName(other)) => {
            one == other || !one.is_ascii() && !other.is_ascii()
        }
        _ => discriminant(&one) == discriminant(&other),
    }
}

/// One thing wrong with a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// The file: the number of calls of `Parser::start_file` before its own.
    pub file: u16,
    /// The line, from 1; 0 for what is wrong with the dataset as a whole.
    pub line: u32,
    /// The byte of the line where it stopped making sense, from 1.
    pub column: u32,
    /// What is wrong, and what was expected.
    pub reason: Mistake,
    /// True if the line was used all the same.
    pub is_used: bool,
    /// The beginning of the line, as people can read it, or the key that is at fault if the end of all
    /// files showed the fault.
    pub excerpt: Option<Box<str>>,
}

/// How many bytes of a line are quoted.
const MAX_EXCERPT: usize = 80;

/// The beginning of a line without margins; what does not show on a terminal is escaped.
fn excerpt(line: &[u8]) -> Box<str> {
    let line = line.trim_ascii();
    let cut = &line[..line.len().min(MAX_EXCERPT)];
    let mut text = String::with_capacity(cut.len());
    for chunk in cut.utf8_chunks() {
        for shown in chunk.valid().chars() {
            match shown {
                ' '..='~' => text.push(shown),
                _ if shown.is_alphanumeric() => text.push(shown),
                _ => text.extend(shown.escape_default()),
            }
        }
        // A character that the cut halves is left out.
        if cut.len() == line.len() || !cut.ends_with(chunk.invalid()) {
            text.extend(chunk.invalid().escape_ascii().map(char::from));
        }
    }
    if cut.len() < line.len() {
        text.push_str("...");
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::super::format::Unread;
    use super::*;

    fn of_lines(lines: impl Iterator<Item = u32>, reason: Mistake) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        for line in lines {
            diagnostics.push(Place { file: 0, line }, 1, (reason, false), Some(b"x"));
        }
        diagnostics
    }

    #[test]
    fn the_first_of_each_kind_are_kept_and_all_are_counted() {
        let mut diagnostics = of_lines((0..250).map(|line| 2 * line), Mistake::NoName);
        diagnostics.push(Place { file: 0, line: 600 }, 1, (Mistake::LongText, true), Some(b"x"));
        diagnostics.add_late(of_lines((0..30).map(|line| 2 * line + 1), Mistake::BadA));
        diagnostics.add_late(of_lines(0..3, Mistake::NoName));
        assert_eq!((diagnostics.total, diagnostics.refused), (284, 283));
        let lines: Vec<_> = diagnostics.kept.iter().map(|kept| kept.line).collect();
        assert_eq!(lines, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 600]);
        let omitted: Vec<_> = diagnostics.omitted().map(|of| (of.reason, of.lines)).collect();
        assert_eq!(omitted, [(Mistake::NoName, 248), (Mistake::BadA, 25)]);
    }

    #[test]
    fn kinds_are_told_apart_by_their_words() {
        let mut diagnostics = of_lines(0..7, Mistake::Unread(Unread::NoKey));
        diagnostics.add_late(of_lines(7..14, Mistake::Unread(Unread::NotAName)));
        diagnostics.add_late(of_lines(14..21, Mistake::OddName(b'/')));
        diagnostics.add_late(of_lines(21..25, Mistake::OddName(0xc3)));
        diagnostics.add_late(of_lines(25..28, Mistake::OddName(0xe2)));
        let omitted: Vec<_> = diagnostics.omitted().map(|of| (of.reason, of.lines)).collect();
        let of_words = [
            (Mistake::Unread(Unread::NoKey), 2),
            (Mistake::Unread(Unread::NotAName), 2),
            (Mistake::OddName(b'/'), 2),
            (Mistake::OddName(0xc3), 2),
        ];
        assert_eq!(omitted, of_words);
    }

    #[test]
    fn a_line_is_quoted_as_it_can_be_read() {
        let quoted = |line: &str| excerpt(line.as_bytes()).into_string();
        assert_eq!(quoted(" 1.2.3.4\tx \r"), "1.2.3.4\\tx");
        assert_eq!(quoted("b\u{fc}cher \u{202e}\x1b[m"), "b\u{fc}cher \\u{202e}\\u{1b}[m");
        assert_eq!(&*excerpt(b"a\xff\\"), "a\\xff\\");
        assert_eq!(quoted(&"x".repeat(80)), "x".repeat(80));
        assert_eq!(quoted(&"x".repeat(81)), "x".repeat(80) + "...");
        assert_eq!(quoted(&format!("{}\u{fc}", "x".repeat(79))), "x".repeat(79) + "...");
    }
}
