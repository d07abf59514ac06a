//! Entry parameters, which rspamd's fork of rbldnsd knows: `value @ ts=N;delay=TIME;key=WORD` (its
//! manual, "Per-entry parameters").
//!
//! To everybody else, ` @ ` is a part of the text. So a text is cut only if all that follows its
//! last `@`, which stands after a blank or in front of everything, are parameters that mean
//! something: names from the list below with values that can be read, and at least one of them.
//! Anything else stays the text that it is in rbldnsd; if it looks like parameters that were meant
//! as such, there is a warning.

use super::scan::{Scan, is_blank};
use crate::listing::Gate;
use std::time::Duration;

/// The longest that a reply waits: longer than any resolver does, and short enough that nobody
/// can fill the queue of waiting replies for days.
pub(super) const MAX_DELAY: Duration = Duration::from_secs(60);

/// What stands behind the value of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Params {
    /// Nothing: all of it is the value.
    None,
    /// All of it is the value, though it ends in what may have been meant as parameters.
    Doubtful,
    /// The value has this length, without the blanks behind it.
    Some(usize, Gate),
}

/// Looks for parameters in the rest of a line, from the value of the entry on.
pub(super) fn find(rest: &[u8]) -> Params {
    let Some(at) = memchr::memrchr(b'@', rest) else { return Params::None };
    let (value, tail) = (&rest[..at], without_comment(&rest[at + 1..]));
    if !value.last().is_none_or(|&byte| is_blank(byte)) {
        return Params::None;
    }
    match gate(tail) {
        Ok(gate) => {
            let len = value.iter().rposition(|&byte| !is_blank(byte)).map_or(0, |last| last + 1);
            Params::Some(len, gate)
        }
        Err(true) => Params::Doubtful,
        Err(false) => Params::None,
    }
}

/// A comment starts with `#` or `;` in front, or behind a blank.
fn without_comment(text: &[u8]) -> &[u8] {
    let starts = |at: usize| {
        matches!(text[at], b'#' | b';') && at.checked_sub(1).is_none_or(|at| is_blank(text[at]))
    };
    let end = (0..text.len()).find(|&at| starts(at)).unwrap_or(text.len());
    &text[..end]
}

/// The condition that parameters make; else whether they look like some.
fn gate(text: &[u8]) -> Result<Gate, bool> {
    let (mut ts, mut delay) = (None, None);
    let mut gate = Gate::default();
    let (mut any, mut good) = (false, true);
    let parts = text.split(|byte| matches!(byte, b';' | b':')).map(<[u8]>::trim_ascii);
    for part in parts.filter(|part| !part.is_empty()) {
        let Some(equals) = memchr::memchr(b'=', part) else { return Err(false) };
        let (name, value) = (&part[..equals], part[equals + 1..].trim_ascii());
        let fits = match (name, value) {
            (b"ts", _) => {
                ts = number(value);
                ts.is_some()
            }
            (b"delay", _) => {
                delay = time(value);
                delay.is_some()
            }
            (b"key", b"require") => {
                gate.needs_key = true;
                true
            }
            (b"key", b"nodelay") => {
                gate.key_spares = true;
                true
            }
            (b"key", _) => false,
            _ => return Err(false),
        };
        any = true;
        good &= fits;
    }
    if !any || !good {
        return Err(any);
    }
    match (ts, delay) {
        (Some(ts), Some(delay)) => gate.not_before = ts.saturating_add(delay.into()),
        (None, Some(delay)) => {
            gate.delay = Duration::from_secs(delay.into()).min(MAX_DELAY);
        }
        (_, None) => {}
    }
    Ok(gate)
}

fn number(text: &[u8]) -> Option<u64> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()
}

fn time(text: &[u8]) -> Option<u32> {
    let mut scan = Scan::new(text);
    scan.time().filter(|_| scan.is_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Params {
        find(text.as_bytes())
    }

    const PLAIN: Gate =
        Gate { not_before: 0, delay: Duration::ZERO, needs_key: false, key_spares: false };

    #[test]
    fn parameters_are_cut_off() {
        let delay = Duration::from_secs(2);
        let cases = [
            ("text @ delay=2s", 4, Gate { delay, ..PLAIN }),
            (":2:a @ b  @delay=2", 8, Gate { delay, ..PLAIN }),
            ("@ ts=100;delay=1m", 0, Gate { not_before: 160, ..PLAIN }),
            ("x @ ts=100:delay=1m", 1, Gate { not_before: 160, ..PLAIN }),
            ("x @ delay=1m ;ts=5", 1, Gate { delay: MAX_DELAY, ..PLAIN }),
            ("x @ delay=1w", 1, Gate { delay: MAX_DELAY, ..PLAIN }),
            ("x @ ts=100", 1, PLAIN),
            ("x @ key=require", 1, Gate { needs_key: true, ..PLAIN }),
            (
                "x @ key=nodelay; ts= 18446744073709551615 ;:delay=9 # comment",
                1,
                Gate { not_before: 0, key_spares: true, ..PLAIN },
            ),
            (
                "x\t@\tkey=nodelay;ts=18446744073709551615;delay=9;key=require;",
                1,
                Gate { not_before: u64::MAX, key_spares: true, needs_key: true, ..PLAIN },
            ),
        ];
        for (text, len, gate) in cases {
            assert_eq!(found(text), Params::Some(len, gate), "{text}");
        }
    }

    #[test]
    fn other_texts_stay_whole() {
        for text in [
            "",
            "abuse @ example.com",
            "write to us@delay=2",
            "x @",
            "x @ ",
            "x @ ; delay=2",
            "x @ delay=2 @ home",
            "x @ delay=2 see http://bl.example/",
            "x @ ts=5;colour=red",
            "x @ note",
            "x @ Delay=2",
            "x @ ts = 5",
        ] {
            assert_ne!(std::mem::discriminant(&found(text)), std::mem::discriminant(&some()));
        }
        for text in ["x @ key=requre", "x @ ts=-5", "x @ ts=5;delay=5x", "x @ delay=", "@ ts=1e9"] {
            assert_eq!(found(text), Params::Doubtful, "{text}");
        }
        assert_eq!(found("abuse @ example.com"), Params::None);
    }

    fn some() -> Params {
        Params::Some(0, PLAIN)
    }
}
