//! Options as getopt(3) of the GNU C library reads them. Several letters may share a word, an argument
//! may be attached to its letter, and operands may stand between options.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Reads the options of a command line one by one, and collects its operands.
pub(super) struct GetOpt<'a> {
    /// The letters, each followed by a colon if it takes an argument.
    letters: &'static [u8],
    words: VecDeque<&'a OsStr>,
    /// The letters of the current word that are not yet read.
    joined: &'a [u8],
    /// The first operand ends the options.
    posix: bool,
    operands: Vec<OsString>,
}

/// An option, or a mistake in one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Item {
    /// A letter that takes no argument.
    Flag(u8),
    /// A letter and its argument.
    Argument(u8, OsString),
    /// A letter that is no option.
    Unknown(u8),
    /// A letter whose argument is missing.
    Bare(u8),
}

impl<'a> GetOpt<'a> {
    /// Reads `words`, the command line without the program's name. If `posix` is set (by
    /// `POSIXLY_CORRECT` in the environment), the first operand ends the options.
    pub(super) fn new(letters: &'static str, words: &'a [OsString], posix: bool) -> Self {
        Self {
            letters: letters.as_bytes(),
            words: words.iter().map(OsString::as_os_str).collect(),
            joined: &[],
            posix,
            operands: Vec::new(),
        }
    }

    /// The operands, once all options are read.
    pub(super) fn operands(mut self) -> Vec<OsString> {
        self.operands.extend(self.words.iter().map(|&word| word.to_owned()));
        self.operands
    }

    /// The letters of the next word that has option letters.
    fn next_letters(&mut self) -> Option<&'a [u8]> {
        while let Some(word) = self.words.pop_front() {
            match word.as_bytes() {
                b"--" => return None,
                [b'-', letters @ ..] if !letters.is_empty() => return Some(letters),
                _ if self.posix => {
                    self.words.push_front(word);
                    return None;
                }
                _ => self.operands.push(word.to_owned()),
            }
        }
        None
    }
}

impl Iterator for GetOpt<'_> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        if self.joined.is_empty() {
            self.joined = self.next_letters()?;
        }
        let (&letter, rest) = self.joined.split_first()?;
        self.joined = rest;
        let place = self.letters.iter().position(|&known| known == letter && letter != b':');
        let Some(place) = place else { return Some(Item::Unknown(letter)) };
        if self.letters.get(place + 1) != Some(&b':') {
            return Some(Item::Flag(letter));
        }
        let attached = std::mem::take(&mut self.joined);
        if !attached.is_empty() {
            return Some(Item::Argument(letter, OsString::from_vec(attached.to_vec())));
        }
        Some(match self.words.pop_front() {
            Some(word) => Item::Argument(letter, word.to_owned()),
            None => Item::Bare(letter),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read, with a bar between options and operands.
    fn read(line: &str, posix: bool) -> String {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let mut options = GetOpt::new("ab:c", &words, posix);
        let mut out = Vec::new();
        for item in options.by_ref() {
            out.push(match item {
                Item::Flag(letter) => format!("{}", letter as char),
                Item::Argument(letter, word) => {
                    format!("{}={}", letter as char, word.to_string_lossy())
                }
                Item::Unknown(letter) => format!("?{}", letter as char),
                Item::Bare(letter) => format!("!{}", letter as char),
            });
        }
        out.push("|".to_owned());
        out.extend(options.operands().iter().map(|word| word.to_string_lossy().into_owned()));
        out.join(" ")
    }

    #[test]
    fn letters_are_read_as_getopt_does() {
        let cases = [
            ("", "|"),
            ("-a -b x y", "a b=x | y"),
            ("-acb x", "a c b=x |"),
            ("-bx -b-a -b -- y", "b=x b=-a b=-- | y"),
            ("x -a y -c", "a c | x y"),
            ("x -a -- -c y", "a | x -c y"),
            ("- -a", "a | -"),
            ("-z -: --a -b", "?z ?: ?- a !b |"),
            ("-ab", "a !b |"),
        ];
        for (line, want) in cases {
            assert_eq!(read(line, false), want, "{line}");
        }
    }

    #[test]
    fn posix_ends_options_at_the_first_operand() {
        assert_eq!(read("-a x -c", true), "a | x -c");
        assert_eq!(read("-a -- -c", true), "a | -c");
    }
}
