//! Entry parameters, which rspamd's fork of rbldnsd knows: `value @ ts=N;delay=TIME;key=WORD` (its
//! manual, "Per-entry parameters"), and one of dnsbld's own: `expires=2026-12-07T00:00Z`, or `expires=never`.
//!
//! To everybody else, ` @ ` is a part of the text. So a text is cut only if all that follows an
//! `@`, which stands after a blank or in front of everything, are parameters that mean
//! something and perhaps a comment: names from the list below with values that can be read, and at least one of them.
//! Anything else stays the text that it is in rbldnsd; if it looks like parameters that were meant
//! as such, there is a warning.

use super::scan::{Scan, is_blank};
use crate::listing::Gate;
use crate::util::time::read_utc;
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
    let mut none = Params::None;
    for (value, tail) in candidates(rest) {
        match parameters(tail) {
            Ok(Parameters { gate, .. }) => {
                let last = value.iter().rposition(|&byte| !is_blank(byte));
                return Params::Some(last.map_or(0, |last| last + 1), gate);
            }
            Err(true) => none = Params::Doubtful,
            Err(false) => {}
        }
    }
    none
}

/// Until when the entry counts whose value and parameters are in the rest of a line, in seconds since 1970:
/// [`u64::MAX`] for ever, if it says so. `None` if it says nothing of that.
pub(super) fn expires(rest: &[u8]) -> Option<u64> {
    if matches!(rest.trim_ascii_start(), [b'#' | b';', ..]) {
        return None;
    }
    candidates(rest).find_map(|(_, tail)| parameters(tail).ok())?.expires
}

/// What stands behind the key of an entry, as it is spelled, without blanks around.
pub(super) struct Behind<'t> {
    pub(super) value: &'t [u8],
    pub(super) params: &'t [u8],
    /// See [`expires`].
    pub(super) expires: Option<u64>,
    /// Without its mark.
    pub(super) comment: &'t [u8],
}

/// Takes the rest of a line apart, from the key of the entry on.
pub(super) fn split(rest: &[u8]) -> Behind<'_> {
    let rest = rest.trim_ascii();
    let none = Behind { value: &[], params: &[], expires: None, comment: &[] };
    if let [b'#' | b';', comment @ ..] = rest {
        return Behind { comment: comment.trim_ascii(), ..none };
    }
    let found = candidates(rest).find_map(|(value, tail)| {
        let expires = parameters(tail).ok()?.expires;
        let comment = rest[value.len() + 1 + tail.len()..].get(1..).unwrap_or_default();
        Some(Behind {
            value: value.trim_ascii_end(),
            params: tail.trim_ascii(),
            expires,
            comment: comment.trim_ascii(),
        })
    });
    found.unwrap_or(Behind { value: rest, ..none })
}

/// How many `@` of a line are looked at: a comment behind the parameters may have some, too.
const MOST_CANDIDATES: usize = 8;

/// The value and the parameters that each `@` may part, without comments.
fn candidates(rest: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let places = memchr::memchr_iter(b'@', rest).take(MOST_CANDIDATES);
    places
        .filter(|&at| at.checked_sub(1).is_none_or(|before| is_blank(rest[before])))
        .map(|at| (&rest[..at], without_comment(&rest[at + 1..])))
}

/// The time from which on the entry of a line is listed (`ts=`), in seconds since 1970, if it has one.
pub fn not_before(line: &[u8]) -> Option<u64> {
    match find(line) {
        Params::Some(_, gate) if gate.not_before > 0 => Some(gate.not_before),
        _ => None,
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

/// What parameters say.
#[derive(Default)]
struct Parameters {
    /// The condition that they make.
    gate: Gate,
    /// See [`expires`].
    expires: Option<u64>,
}

/// What parameters say; else whether they look like some.
fn parameters(mut text: &[u8]) -> Result<Parameters, bool> {
    let (mut ts, mut delay) = (None, None);
    let Parameters { mut gate, mut expires } = Parameters::default();
    let (mut any, mut good) = (false, true);
    while let Some(part) = next_part(&mut text) {
        let Some(equals) = memchr::memchr(b'=', part) else { return Err(false) };
        let (name, value) = (&part[..equals], part[equals + 1..].trim_ascii());
        let fits = match (name, value) {
            (b"expires", _) => {
                expires = end(value);
                expires.is_some()
            }
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
    Ok(Parameters { gate, expires })
}

/// Takes the next part up to a `;` or a `:`, but for those of a time of day.
pub(super) fn next_part<'t>(text: &mut &'t [u8]) -> Option<&'t [u8]> {
    let is_end = |byte: &u8| matches!(byte, b';' | b':');
    let start = text.iter().position(|byte| !is_end(byte) && !is_blank(*byte))?;
    let part = &text[start..];
    let time = part.strip_prefix(b"expires=").map(<[u8]>::trim_ascii_start).and_then(read_utc);
    let past = time.map_or(0, |(_, rest)| part.len() - rest.len());
    let end = part[past..].iter().position(is_end).map_or(part.len(), |end| past + end);
    *text = &part[end..];
    Some(part[..end].trim_ascii())
}

/// The end of an entry: a date or a time of UTC, or `never`.
fn end(text: &[u8]) -> Option<u64> {
    match read_utc(text) {
        Some((time, [])) => u64::try_from(time.to_unix()?).ok(),
        _ => (text == b"never").then_some(u64::MAX),
    }
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
            ("x @ expires=2026-12-07T00:00Z", 1, PLAIN),
            (
                "@ expires=never # 2026-11-30: asked by joe @ example.org, or jim@example.org",
                0,
                PLAIN,
            ),
            (
                "x @ expires=2026-12-07T00:00:30Z:delay=2 : key=require",
                1,
                Gate { delay, needs_key: true, ..PLAIN },
            ),
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
            "x @ expires=2026-13-07",
            "x @ expires=2026-12-07T00:00",
            "x @ expires=2026-12-07T00:00Z00",
            "x @ expires=7d",
        ] {
            assert_ne!(std::mem::discriminant(&found(text)), std::mem::discriminant(&some()));
        }
        for text in ["x @ key=requre", "x @ ts=-5", "x @ ts=5;delay=5x", "x @ delay=", "@ ts=1e9"] {
            assert_eq!(found(text), Params::Doubtful, "{text}");
        }
        assert_eq!(found("abuse @ example.com"), Params::None);
    }

    #[test]
    fn an_end_is_a_date_a_time_or_never() {
        for (text, end) in [
            ("x @ expires=1970-01-02", Some(86_400)),
            ("@ delay=2:expires=1970-01-01T00:01Z;ts=5 # x", Some(60)),
            ("@ expires=1970-01-01T00:01:01Z", Some(61)),
            ("@ expires=1970-01-02 # from 1970-01-01 @ joe", Some(86_400)),
            ("@ expires=never", Some(u64::MAX)),
            ("@ expires=1969-12-31", None),
            ("@ delay=2", None),
            ("# @ expires=1970-01-02", None),
            ("see @ expires=1970-01-02 there", None),
        ] {
            assert_eq!(expires(text.as_bytes()), end, "{text}");
        }
    }

    fn some() -> Params {
        Params::Some(0, PLAIN)
    }
}
