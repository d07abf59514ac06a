//! The time at which a line of a log was written.

use crate::util::time::Utc;

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// How times are read that say too little.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StampRules {
    /// The present, in seconds since 1970: a time without a year is in the last twelve months before it.
    pub(crate) now: i64,
    /// The offset from UTC in seconds of times that have none.
    pub(crate) offset: i64,
}

/// Reads the time at the start of a line, in seconds since 1970: as syslog writes it (RFC 3164 section 4.1.2), as
/// RFC 3339 has it, also with a blank in the middle, without an offset, or behind the name of a day.
pub(crate) fn read(line: &[u8], rules: StampRules) -> Option<i64> {
    match line.first()? {
        b'0'..=b'9' => iso(line, rules),
        b'A'..=b'Z' => match line.split_first_chunk::<4>()? {
            ([_, _, _, b' '], rest)
                if rest.first()?.is_ascii_digit() && rest.get(4) == Some(&b'-') =>
            {
                iso(rest, rules)
            }
            _ => syslog(line, rules),
        },
        _ => None,
    }
}

/// `Nov 30 12:44:04`
fn syslog(line: &[u8], rules: StampRules) -> Option<i64> {
    let ([month @ .., b' '], rest) = line.split_first_chunk::<4>()? else { return None };
    let month = MONTHS.iter().position(|known| *known == month)? as u8 + 1;
    let ([ten, one, b' '], rest) = rest.split_first_chunk::<3>()? else { return None };
    let ten = if *ten == b' ' { b'0' } else { *ten };
    let day = two(&[ten, *one])?;
    let (hour, minute, second) = clock(rest)?;
    let this = Utc::from_unix(rules.now).year;
    let of_year = |year| {
        let utc = Utc { year, month, day, hour, minute, second };
        Some(utc.to_unix()? - rules.offset)
    };
    // A leap day may be years ago; a clock may go wrong by a day.
    (0..8).find_map(|ago| of_year(this - ago + 1).filter(|time| *time <= rules.now + 86_400))
}

/// `2026-11-30 12:44:04`, with a `T`, fractions or an offset.
fn iso(line: &[u8], rules: StampRules) -> Option<i64> {
    let (date, rest) = line.split_first_chunk::<11>()?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b't' | b' '] = *date else {
        return None;
    };
    let year = i64::from(two(&[y1, y2])?) * 100 + i64::from(two(&[y3, y4])?);
    let (month, day) = (two(&[m1, m2])?, two(&[d1, d2])?);
    let (hour, minute, second) = clock(rest)?;
    let rest = rest.get(8..)?;
    let fraction = match rest.first() {
        Some(b'.' | b',') => 1 + rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count(),
        _ => 0,
    };
    let offset = offset(&rest[fraction..]).unwrap_or(rules.offset);
    Some(Utc { year, month, day, hour, minute, second }.to_unix()? - offset)
}

/// `HH:MM:SS`
fn clock(text: &[u8]) -> Option<(u8, u8, u8)> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = *text.first_chunk::<8>()? else { return None };
    // A leap second is the last of its minute.
    Some((two(&[h1, h2])?, two(&[m1, m2])?, two(&[s1, s2])?.min(59)))
}

/// `Z`, `+01:00`, or ` +0100` as Exim writes it.
fn offset(text: &[u8]) -> Option<i64> {
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let (sign, rest) = text.split_first()?;
    let sign = match sign {
        b'Z' | b'z' => return Some(0),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, rest) = rest.split_first_chunk::<2>()?;
    let minutes = rest.strip_prefix(b":").unwrap_or(rest).first_chunk::<2>()?;
    Some(sign * (i64::from(two(hours)?) * 60 + i64::from(two(minutes)?)) * 60)
}

fn two(digits: &[u8; 2]) -> Option<u8> {
    let is_number = digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| (digits[0] & 15) * 10 + (digits[1] & 15))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 30 November 2026, 12:00:00.
    const NOW: i64 = 1_796_040_000;
    const UTC: StampRules = StampRules { now: NOW, offset: 0 };

    #[test]
    fn times_are_read_as_logs_have_them() {
        let at = |text: &str| read(text.as_bytes(), UTC);
        for (text, seconds) in [
            ("Nov 30 11:59:59 mx postfix", NOW - 1),
            ("Nov  1 00:00:00 mx", NOW - 29 * 86_400 - 43_200),
            ("Dec  1 12:00:00 mx", NOW + 86_400),
            ("Dec  1 12:00:01 mx", NOW - 364 * 86_400 + 1),
            ("2026-11-30T12:00:00.123456+00:00 mx", NOW),
            ("2026-11-30T13:30:00+01:30 mx", NOW),
            ("2026-11-30 12:00:00 1abc", NOW),
            ("2026-11-30 12:00:00.250 +0100 1abc", NOW - 3600),
            ("2026-11-30T12:00:00Z", NOW),
            ("Mon 2026-11-30 12:00:00: [1:2]", NOW),
            ("2026-11-30 11:59:60", NOW - 1),
        ] {
            assert_eq!(at(text), Some(seconds), "{text}");
        }
        for bad in [
            "",
            "Nov 30",
            "Nov 31 11:59:59",
            "nov 30 11:59:59",
            "2026-13-30 12:00:00",
            "2026-11-30 12:00",
            "Mon 30 12:00:00",
            "1796040000",
        ] {
            assert_eq!(at(bad), None, "{bad}");
        }
        let east = StampRules { offset: 3600, ..UTC };
        assert_eq!(read(b"Nov 30 12:59:59 mx", east), Some(NOW - 1));
        assert_eq!(read(b"2026-11-30 13:00:00 1abc", east), Some(NOW));
        assert_eq!(read(b"2026-11-30T12:00:00Z", east), Some(NOW));
    }

    proptest! {
        /// Each second of the last year is read back, whichever form it has.
        #[test]
        fn what_is_written_is_read(ago in 0_i64..364 * 86_400, offset in -50_400_i64..50_400) {
            let (time, rules) = (NOW - ago, StampRules { now: NOW, offset });
            let Utc { year, month, day, hour, minute, second } = Utc::from_unix(time + offset);
            let name = std::str::from_utf8(MONTHS[usize::from(month) - 1]).unwrap();
            let clock = format!("{hour:02}:{minute:02}:{second:02}");
            let forms = [
                format!("{name} {day:2} {clock} mx"),
                format!("{year}-{month:02}-{day:02} {clock} x"),
                format!("Sun {year}-{month:02}-{day:02} {clock}: x"),
                Utc::from_unix(time).rfc3339(),
            ];
            for form in forms {
                prop_assert_eq!(read(form.as_bytes(), rules), Some(time), "{}", form);
            }
        }

        #[test]
        fn no_bytes_are_too_odd(line in prop::collection::vec(any::<u8>(), 0..60), now: i32, offset: i16) {
            let _ = read(&line, StampRules { now: now.into(), offset: offset.into() });
        }
    }
}
