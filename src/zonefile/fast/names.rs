//! The commonest lines of lists of names: a name of small letters, digits, hyphens and underscores,
//! perhaps with `.` or `*.` before it, and behind it [what it gives](values). The line may be an
//! exclusion.

use super::values::{self, FastValue, ValueHead};
use crate::listing::names::Scope;
use crate::wire::name::{MAX_LABEL, MAX_NAME};
use crate::zonefile::{MAX_LINE, native};

/// What a byte of such a name is, or behind it.
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
            b'\r' | b'\n' | b' ' | b'\t' => Class::End,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
};

/// The entry of a line: the name as text, its labels joined by single dots.
pub(in crate::zonefile) struct NameEntry<'a> {
    pub(in crate::zonefile) name: &'a [u8],
    pub(in crate::zonefile) scope: Scope,
    pub(in crate::zonefile) value: FastValue,
    /// The end of the line, its newline included, in what was read.
    pub(in crate::zonefile) end: usize,
}

/// The line that begins at a place of a text, if it is whole and such a one; `head` is that of the line
/// before.
#[inline]
pub(in crate::zonefile) fn line<'t>(
    text: &'t [u8],
    begin: usize,
    head: &mut ValueHead,
) -> Option<NameEntry<'t>> {
    let excluded = *text.get(begin)? == b'!';
    let start = begin + usize::from(excluded);
    let (scope, start) = match text[start..] {
        [b'.', ..] => (Scope::Both, start + 1),
        [b'*', b'.', ..] => (Scope::Below, start + 2),
        _ => (Scope::Itself, start),
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
    // An address among names is for the general reader to tell.
    if name[name.len() - 1].is_ascii_digit() && native::is_address(name) {
        return None;
    }
    let (value, end) = match excluded {
        true => (FastValue::Excluded, values::end_of_line(text, at)?),
        false => values::read(text, at, head)?,
    };
    // In wire form it has two bytes more.
    let fits = name.len() + 2 <= MAX_NAME && end - begin <= MAX_LINE;
    fits.then_some(NameEntry { name, scope, value, end })
}

#[cfg(test)]
mod tests {
    use super::super::values::tests::{check, ends};
    use super::*;
    use crate::wire::name::NameBuf;
    use crate::zonefile::keys::scoped_name;
    use crate::zonefile::scan::Scan;
    use proptest::prelude::*;

    proptest! {
        /// What is taken as such a line is read as any line is.
        #[test]
        fn names_are_those_that_any_line_has(
            text in proptest::collection::vec(
                proptest::sample::select(&b"aaaaz09-_....*A \\!:#\r\n\0\x80"[..]), 0..300,
            ),
            end in ends(),
        ) {
            let text = [&text, &end[..]].concat();
            let Some(NameEntry { name, scope, value, end }) = line(&text, 0, &mut ValueHead::default()) else { return Ok(()) };
            prop_assert_eq!(text.iter().position(|&byte| byte == b'\n'), Some(end - 1));
            let line = text[..end].trim_ascii_end();
            let line = &line[..line.iter().position(|&byte| byte == 0).unwrap_or(line.len())];
            let mut scan = Scan::new(line);
            let is_exclusion = scan.eat(b'!');
            prop_assert_eq!(is_exclusion, value == FastValue::Excluded);
            prop_assert_eq!(scoped_name(&mut scan), Ok((NameBuf::from_text(name).unwrap(), scope)));
            match is_exclusion {
                true => prop_assert!(scan.is_end()),
                false => check(value, &text, &mut scan),
            }
        }
    }

    #[test]
    fn which_lines_are_plain() {
        let taken =
            |text: &str| line(text.as_bytes(), 0, &mut ValueHead::default()).map(|line| line.end);
        let label = "x".repeat(MAX_LABEL);
        let longest = [&label[..], &label, &label, &label[..61]].join(".");
        for text in [
            "a\n",
            "a.b\r\n",
            ".a.b\n",
            "*.x-y._z.0\n",
            "a \n",
            "a :2:x\n",
            "!.a\n",
            &format!("{longest}\n"),
        ] {
            assert_eq!(taken(text), Some(text.len()), "{text}");
            assert_eq!(taken(&format!("{text}b\n")), Some(text.len()), "{text}");
            assert_eq!(taken(text.trim_end()), None, "{text}");
        }
        for text in [
            "\n", ".\n", "*.\n", "..a\n", "a..b\n", "a.\n", " a\n", "a:2:x\n", "A\n", "! a\n",
            "!a \n", "a\\.b\n", "a\rb\n", "a\r", "#a\n", "$a\n", ":a\n", "a*\n", "!\n", "",
        ] {
            assert_eq!(taken(text), None, "{text:?}");
        }
        assert_eq!(taken(&format!("x{label}\n")), None);
        assert_eq!(taken(&format!("x{longest}\n")), None);
        let blanks = |count: usize| format!("a{}\n", " ".repeat(count));
        assert!(taken(&blanks(MAX_LINE - 2)).is_some() && taken(&blanks(MAX_LINE)).is_none());
    }
}
