//! Unix time, the calendar, and durations as rbldnsd writes them.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// The units of a duration in seconds, the longest first (rbldnsd's manual, option `-t`).
const UNITS: [(u8, u64); 5] =
    [(b'w', 7 * 86_400), (b'd', 86_400), (b'h', 3600), (b'm', 60), (b's', 1)];

/// The time in seconds since 1970; 0 when the clock is set before that.
pub fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// Reads a duration at the start of `text`: decimal digits and at most one unit of `w d h m s`, in
/// either case. Returns the seconds, [`u64::MAX`] if they are more, and the rest of the text; `None` if
/// no digit comes first.
pub fn read_duration(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at(digits);
    let number = number.iter().fold(0u64, |number, digit| {
        number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    });
    let unit = rest.first().map(u8::to_ascii_lowercase);
    let unit = UNITS.iter().find(|(name, _)| Some(*name) == unit);
    let (factor, rest) = unit.map_or((1, rest), |(_, factor)| (*factor, &rest[1..]));
    (digits > 0).then(|| (number.saturating_mul(factor), rest))
}

/// Writes seconds in the longest unit that divides them, as [`read_duration`] reads it; without a unit if
/// that is the second.
pub fn write_duration(seconds: u64) -> String {
    let unit = UNITS.iter().find(|(_, factor)| seconds > 0 && seconds.is_multiple_of(*factor));
    match unit {
        Some((name, factor)) if *factor > 1 => {
            format!("{}{}", seconds / factor, char::from(*name))
        }
        _ => seconds.to_string(),
    }
}

/// A date and a time of day in UTC, in the Gregorian calendar.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Utc {
    /// The year.
    pub year: i64,
    /// The month, from 1 to 12.
    pub month: u8,
    /// The day of the month, from 1.
    pub day: u8,
    /// The hour, from 0 to 23.
    pub hour: u8,
    /// The minute.
    pub minute: u8,
    /// The second.
    pub second: u8,
}

impl Utc {
    /// The date and time of a time in seconds since 1970.
    pub fn from_unix(seconds: i64) -> Self {
        let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Days since 1 March of the year 0, so that a leap day is the last of its year.
        let day = day + DAYS_BEFORE_1970;
        let (era, of_era) = (day.div_euclid(DAYS_OF_ERA), day.rem_euclid(DAYS_OF_ERA));
        // The years that the days of the era fill, corrected for the leap days of 4, 100 and 400 years.
        let years = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * years + years / 4 - years / 100);
        let month_from_march = (5 * of_year + 2) / 153;
        let month = (month_from_march + 2) % 12 + 1;
        Self {
            year: years + era * 400 + i64::from(month <= 2),
            month: month as u8,
            day: (of_year - days_from_march(month_from_march) + 1) as u8,
            hour: (second / 3600) as u8,
            minute: (second / 60 % 60) as u8,
            second: (second % 60) as u8,
        }
    }

    /// The seconds since 1970; `None` if the calendar has no such date or the clock no such time, or if the
    /// year lies too far away.
    pub fn to_unix(self) -> Option<i64> {
        let Self { year, month, day, hour, minute, second } = self;
        let is_time = hour < 24 && minute < 60 && second < 60;
        let is_date = (1..=12).contains(&month) && (1..=31).contains(&day) && year.abs() < 1 << 32;
        if !is_time || !is_date {
            return None;
        }
        let year = year - i64::from(month <= 2);
        let (era, years) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = days_from_march((i64::from(month) + 9) % 12) + i64::from(day) - 1;
        let of_era = 365 * years + years / 4 - years / 100 + of_year;
        let days = era * DAYS_OF_ERA + of_era - DAYS_BEFORE_1970;
        let clock = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
        let seconds = days * 86_400 + clock;
        // The 30th of February is another day.
        (Self::from_unix(seconds) == self).then_some(seconds)
    }
}

impl Utc {
    /// As `2026-11-30T08:30:00Z` (RFC 3339).
    pub fn rfc3339(self) -> String {
        let Self { year, month, day, hour, minute, second } = self;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// A time in UTC as `2026-12-07T00:00Z`, with seconds if it has some.
impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}")?;
        if *second > 0 { write!(f, ":{second:02}Z") } else { f.write_str("Z") }
    }
}

/// Reads a time in UTC at the start of `text`, and gives the rest: `2026-12-07T00:00Z`, the same with seconds, or
/// `2026-12-07` for its first second. `None` if there is none that the calendar has.
pub fn read_utc(text: &[u8]) -> Option<(Utc, &[u8])> {
    let (year, rest) = digits(text, 4)?;
    let (month, rest) = digits(rest.strip_prefix(b"-")?, 2)?;
    let (day, rest) = digits(rest.strip_prefix(b"-")?, 2)?;
    let [month, day] = [month, day].map(|number| number as u8);
    let mut time = Utc { year: year.into(), month, day, hour: 0, minute: 0, second: 0 };
    let mut after = rest;
    if let Some(rest) = rest.strip_prefix(b"T") {
        let (hour, rest) = digits(rest, 2)?;
        let (minute, rest) = digits(rest.strip_prefix(b":")?, 2)?;
        let (second, rest) = match rest.strip_prefix(b":") {
            Some(rest) => digits(rest, 2)?,
            None => (0, rest),
        };
        [time.hour, time.minute, time.second] = [hour, minute, second].map(|number| number as u8);
        after = rest.strip_prefix(b"Z")?;
    }
    time.to_unix().map(|_| (time, after))
}

/// Reads exactly so many digits at the start of a text.
fn digits(text: &[u8], count: usize) -> Option<(u16, &[u8])> {
    let (digits, rest) = text.split_at_checked(count)?;
    let is_number = digits.iter().all(u8::is_ascii_digit);
    let number = digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit & 15));
    is_number.then_some((number, rest))
}

/// The days of 400 years, after which the calendar repeats.
const DAYS_OF_ERA: i64 = 146_097;

/// The days from 1 March of the year 0 to 1 January 1970.
const DAYS_BEFORE_1970: i64 = 719_468;

/// The days from 1 March to the first day of a month, counted from March as 0.
fn days_from_march(month: i64) -> i64 {
    (153 * month + 2) / 5
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: i64, month: u8, day: u8) -> Utc {
        Utc { year, month, day, hour: 0, minute: 0, second: 0 }
    }

    #[test]
    fn durations_have_at_most_one_unit() {
        let read = |text: &'static str| read_duration(text.as_bytes());
        for (text, seconds, rest) in [
            ("0", 0, ""),
            ("90", 90, ""),
            ("35m", 2100, ""),
            ("1W 2", 604_800, " 2"),
            ("2h:x", 7200, ":x"),
            ("10sm", 10, "m"),
            ("1x", 1, "x"),
            ("99999999999999999999d", u64::MAX, ""),
        ] {
            assert_eq!(read(text), Some((seconds, rest.as_bytes())), "{text}");
        }
        for bad in ["", "x", "-1", " 1", "m"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations_are_written_in_the_longest_unit() {
        for (seconds, text) in
            [(0, "0"), (90, "90"), (120, "2m"), (2100, "35m"), (86_400, "1d"), (604_800, "1w")]
        {
            assert_eq!(write_duration(seconds), text);
            assert_eq!(read_duration(text.as_bytes()), Some((seconds, &b""[..])));
        }
    }

    #[test]
    fn every_day_has_its_date() {
        let mut seconds = date(1599, 12, 31).to_unix().unwrap();
        for year in 1600..2401 {
            let leap = u8::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
            let months = [31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            for (month, days) in (1..).zip(months) {
                for day in 1..=days {
                    seconds += 86_400;
                    assert_eq!(Utc::from_unix(seconds), date(year, month, day));
                    assert_eq!(date(year, month, day).to_unix(), Some(seconds));
                }
                assert_eq!(date(year, month, days + 1).to_unix(), None);
            }
        }
    }

    #[test]
    fn a_written_time_is_read_again() {
        let midnight = date(2026, 12, 7);
        let late = Utc { hour: 23, minute: 5, second: 9, ..midnight };
        for (time, text) in [(midnight, "2026-12-07T00:00Z"), (late, "2026-12-07T23:05:09Z")] {
            assert_eq!(time.to_string(), text);
            assert_eq!(read_utc(format!("{text} x").as_bytes()), Some((time, &b" x"[..])));
        }
        assert_eq!(read_utc(b"2026-12-07;"), Some((midnight, &b";"[..])));
        for none in [
            "",
            "2026",
            "2026-2-30",
            "2026-02-30",
            "2026-12-07T",
            "2026-12-07T24:00Z",
            "2026-12-07T00:00",
        ] {
            assert_eq!(read_utc(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn the_time_of_day_counts_from_midnight() {
        let evening = Utc { hour: 21, minute: 47, second: 42, ..date(2026, 11, 21) };
        assert_eq!(evening.to_unix(), Some(1_795_297_662));
        let before_1970 = Utc { hour: 23, minute: 59, second: 59, ..date(1969, 12, 31) };
        assert_eq!(Utc::from_unix(-1), before_1970);
        for none in [
            Utc { hour: 24, ..evening },
            Utc { minute: 60, ..evening },
            Utc { second: 60, ..evening },
            date(2026, 0, 1),
            date(2026, 13, 1),
            date(2026, 1, 0),
            date(i64::MAX, 1, 1),
        ] {
            assert_eq!(none.to_unix(), None, "{none:?}");
        }
    }
}
