//! Variables of texts, `$0` to `$9`: set and never used, used and never set, set twice.

use super::quote::Lines;

/// What is odd about a variable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Odd {
    /// No text has it.
    Unused,
    /// It is set by an earlier line, which counts.
    SetAgain {
        /// The earlier line.
        first: u32,
    },
    /// A text has it, and no line sets it.
    Unset,
}

/// A variable that is odd, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct OddVariable {
    pub(super) digit: u8,
    pub(super) line: u32,
    /// The byte of the line, from 1.
    pub(super) column: u32,
    pub(super) odd: Odd,
}

/// Looks at every `$` of a file in rbldnsd's format. If the file `has_sections`, each may set its own.
pub(super) fn odd(text: &[u8], lines: &Lines<'_>, has_sections: bool) -> Vec<OddVariable> {
    let mut set: [Option<(u32, u32)>; 10] = [None; 10];
    let mut used = set;
    let mut found = Vec::new();
    for at in memchr::memchr_iter(b'$', text) {
        let Some(digit @ b'0'..=b'9') = text.get(at + 1).copied() else { continue };
        let index = usize::from(digit - b'0');
        let start = memchr::memrchr(b'\n', &text[..at]).map_or(0, |end| end + 1);
        let head = text[start..at].trim_ascii_start();
        let is_end = text.get(at + 2).is_none_or(u8::is_ascii_whitespace);
        let place = || (lines.number(at), (at - start + 1) as u32);
        match head {
            [] | [b'#' | b';' | b':'] if is_end => match set[index] {
                Some((first, _)) if !has_sections => {
                    let (line, column) = place();
                    found.push(OddVariable { digit, line, column, odd: Odd::SetAgain { first } });
                }
                Some(_) => {}
                None => set[index] = Some(place()),
            },
            [b'#' | b';', ..] => {}
            _ if used[index].is_none() => used[index] = Some(place()),
            _ => {}
        }
    }
    for ((set, used), digit) in set.into_iter().zip(used).zip(b'0'..) {
        let odd = match (set, used) {
            (Some(place), None) => Some((place, Odd::Unused)),
            (None, Some(place)) => Some((place, Odd::Unset)),
            _ => None,
        };
        found.extend(odd.map(|((line, column), odd)| OddVariable { digit, line, column, odd }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_set_once_and_used() {
        let text = b"$0 a\n#$1 b\n:2:$0 $ $3\n# $5 $4\n;$2 $1\n$0 again\n1.2.3.4 $ $10\n";
        let found = odd(text, &Lines::new(text), false);
        let told: Vec<_> =
            found.iter().map(|it| (it.digit as char, it.line, it.column, it.odd)).collect();
        let want = [
            ('0', 6, 1, Odd::SetAgain { first: 1 }),
            ('2', 5, 2, Odd::Unused),
            ('3', 3, 9, Odd::Unset),
        ];
        assert_eq!(told, want);
        assert_eq!(odd(text, &Lines::new(text), true).len(), 2);
    }
}
