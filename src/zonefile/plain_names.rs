//! The commonest line of a list of names, fast: a name of small letters, digits, hyphens and
//! underscores, perhaps with `.` or `*.` before it, and nothing else.

use crate::listing::names::Scope;
use crate::wire::name::{MAX_LABEL, MAX_NAME};

/// What a byte of such a line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Name,
    Dot,
    End,
    Other,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => Class::Name,
            b'.' => Class::Dot,
            b'\r' | b'\n' => Class::End,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
};

/// A line: the name as text, its labels joined by single dots.
pub(super) struct Line<'a> {
    pub(super) name: &'a [u8],
    pub(super) scope: Scope,
    /// The length of the line, its end included.
    pub(super) len: usize,
}

/// The line at the beginning of a text, if it is whole and such a one.
#[inline]
pub(super) fn line(text: &[u8]) -> Option<Line<'_>> {
    let (scope, start) = match text {
        [b'.', ..] => (Scope::Both, 1),
        [b'*', b'.', ..] => (Scope::Below, 2),
        _ => (Scope::Itself, 0),
    };
    let mut label = start;
    let mut at = start;
    loop {
        let class = CLASSES[usize::from(*text.get(at)?)];
        if class != Class::Name {
            let len = at - label;
            if class == Class::Other || len == 0 || len > MAX_LABEL {
                return None;
            }
            if class == Class::End {
                break;
            }
            label = at + 1;
        }
        at += 1;
    }
    let name = &text[start..at];
    let len = match text[at..] {
        [b'\n', ..] => at + 1,
        [b'\r', b'\n', ..] => at + 2,
        _ => return None,
    };
    // In wire form it has two bytes more.
    (name.len() + 2 <= MAX_NAME).then_some(Line { name, scope, len })
}

#[cfg(test)]
mod tests {
    use super::super::entries::scoped_name;
    use super::super::scan::Scan;
    use super::*;
    use crate::wire::name::NameBuf;
    use proptest::prelude::*;

    proptest! {
        /// What is taken as such a line is read as any line is.
        #[test]
        fn names_are_those_that_any_line_has(
            text in proptest::collection::vec(
                proptest::sample::select(&b"aaaaz09-_....*A \\!:#\r\n\0\x80"[..]), 0..300,
            ),
        ) {
            let text = [&text, &b"\n"[..]].concat();
            let Some(Line { name, scope, len }) = line(&text) else { return Ok(()) };
            prop_assert_eq!(text.iter().position(|&byte| byte == b'\n'), Some(len - 1));
            let line = text[..len].trim_ascii_end();
            let mut scan = Scan::new(line);
            prop_assert_eq!(scoped_name(&mut scan), Ok((NameBuf::from_text(name).unwrap(), scope)));
            prop_assert!(scan.is_end());
        }
    }

    #[test]
    fn which_lines_are_plain() {
        let taken = |text: &str| line(text.as_bytes()).map(|line| line.len);
        let label = "x".repeat(MAX_LABEL);
        let longest = [&label[..], &label, &label, &label[..61]].join(".");
        for text in ["a\n", "a.b\r\n", ".a.b\n", "*.x-y._z.0\n", &format!("{longest}\n")] {
            assert_eq!(taken(text), Some(text.len()), "{text}");
            assert_eq!(taken(&format!("{text}b\n")), Some(text.len()), "{text}");
            assert_eq!(taken(text.trim_end()), None, "{text}");
        }
        for text in [
            "\n", ".\n", "*.\n", "..a\n", "a..b\n", "a.\n", "a \n", " a\n", "a :2:x\n", "A\n",
            "!a\n", "a\\.b\n", "a\rb\n", "a\r", "#a\n", "$a\n", ":a\n", "a*\n",
        ] {
            assert_eq!(taken(text), None, "{text:?}");
        }
        assert_eq!(taken(&format!("x{label}\n")), None);
        assert_eq!(taken(&format!("x{longest}\n")), None);
    }
}
