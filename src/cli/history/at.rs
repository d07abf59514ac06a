//! Times as people write them.

use crate::util::time::Utc;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Reads a time, in seconds since 1970: as syslog writes it (RFC 3164 section 4.1.2), in the last twelve months
/// before `now`, or as RFC 3339 has it, of which the end may be left out. Without an offset, it is in UTC.
pub(in crate::cli) fn read(text: &str, now: u64) -> Result<u64, String> {
    let seconds = syslog(text, now).or_else(|| iso(text));
    seconds.and_then(|seconds| u64::try_from(seconds).ok()).ok_or_else(|| {
        "write it as \"Nov 12 07:41\", \"2026-11-12 07:41\" or \"2026-11-12T07:41:00Z\"".to_owned()
    })
}

fn syslog(text: &str, now: u64) -> Option<i64> {
    let words: Vec<_> = text.split_ascii_whitespace().collect();
    let (month, day, clock) = match words[..] {
        [month, day, clock] => (month, day, clock),
        [month, day] => (month, day, "00:00"),
        _ => return None,
    };
    let month = month.to_ascii_lowercase();
    let month = MONTHS.iter().position(|known| *known == month)? as u8 + 1;
    let now = i64::try_from(now).ok()?;
    let day = number(day)?;
    let (hour, minute, second) = self::clock(clock)?;
    let this = Utc::from_unix(now).year;
    let of_year = |year| Utc { year, month, day, hour, minute, second }.to_unix();
    // A leap day may be years ago.
    (0..8).find_map(|ago| of_year(this - ago).filter(|seconds| *seconds <= now))
}

fn iso(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, number(parts.next()?)?, number(parts.next()?)?);
    let year = year.bytes().all(|byte| byte.is_ascii_digit()).then(|| year.parse().ok())??;
    let rest = match rest.strip_prefix(['T', 't', ' ']) {
        None if rest.is_empty() => "00:00",
        rest => rest?,
    };
    let (clock, offset) = match rest.find(['Z', 'z', '+', '-']) {
        Some(at) => rest.split_at(at),
        None => (rest, "Z"),
    };
    let offset = match offset {
        "Z" | "z" => 0,
        offset => {
            let (sign, clock) = offset.split_at(1);
            let (hours, minutes, _) = self::clock(clock)?;
            let seconds = i64::from(hours) * 3600 + i64::from(minutes) * 60;
            if sign == "-" { -seconds } else { seconds }
        }
    };
    let (hour, minute, second) = self::clock(clock)?;
    Some(Utc { year, month, day, hour, minute, second }.to_unix()? - offset)
}

/// `HH:MM` or `HH:MM:SS`, of which fractions are left out.
fn clock(text: &str) -> Option<(u8, u8, u8)> {
    let text = text.split_once('.').map_or(text, |(whole, _)| whole);
    let mut parts = text.split(':');
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    let second = parts.next().map_or(Some(0), number)?;
    parts.next().is_none().then_some((hour, minute, second))
}

fn number(text: &str) -> Option<u8> {
    let is_number = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 30 November 2026, 12:00:00.
    const NOW: u64 = 1_796_040_000;

    #[test]
    fn times_are_read_as_people_write_them() {
        let morning = Utc { year: 2026, month: 11, day: 12, hour: 7, minute: 41, second: 0 };
        let morning = morning.to_unix().unwrap() as u64;
        for (text, seconds) in [
            ("Nov 12 07:41", morning),
            ("nov 12 07:41:30", morning + 30),
            ("2026-11-12 07:41", morning),
            ("2026-11-12T07:41:00Z", morning),
            ("2026-11-12T08:41:00.25+01:00", morning),
            ("2026-11-12 05:11-02:30", morning),
            ("2026-11-12", morning - 7 * 3600 - 41 * 60),
            ("Nov 12", morning - 7 * 3600 - 41 * 60),
            ("Nov 30 12:00", NOW),
            ("Nov 30 12:01", NOW - 365 * 86_400 + 60),
        ] {
            assert_eq!(read(text, NOW), Ok(seconds), "{text}");
        }
        for bad in
            ["", "yesterday", "Nov 31 07:41", "2026-11-12 7", "2026-13-12", "Nov 12 07:41:00:00"]
        {
            assert!(read(bad, NOW).is_err(), "{bad}");
        }
    }
}
