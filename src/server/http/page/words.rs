//! Figures and times, as people read them.

use super::super::form;
use crate::status::Time;
use crate::util::text::age;
use maud::{Markup, html};
use std::net::IpAddr;
use std::time::Duration;

/// A count with its digits in groups of three; a very large one as a power of ten.
pub(super) fn count(count: u128) -> String {
    if count >= 1_000_000_000_000_000 {
        return format!("{:.1e}", count as f64);
    }
    let digits = count.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// Bytes, in the largest unit of which there are some.
pub(super) fn bytes(bytes: u64) -> String {
    let of = |unit: u64, name: &str| match bytes as f64 / unit as f64 {
        few if few < 10.0 => format!("{few:.1} {name}"),
        many => format!("{many:.0} {name}"),
    };
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..0x10_0000 => of(1024, "KiB"),
        0x10_0000..0x4000_0000 => of(0x10_0000, "MiB"),
        _ => of(0x4000_0000, "GiB"),
    }
}

/// A rate with as many digits as say something.
pub(super) fn rate(per_second: f64) -> String {
    match per_second {
        0.0 => "0".to_owned(),
        few if few < 0.1 => format!("{few:.2}"),
        few if few < 10.0 => format!("{few:.1}"),
        many => count(many.round() as u128),
    }
}

/// A share of one.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0\u{a0}%".to_owned(),
        few if few < 0.1 => "< 0.1\u{a0}%".to_owned(),
        few if few < 10.0 => format!("{few:.1}\u{a0}%"),
        many => format!("{many:.0}\u{a0}%"),
    }
}

/// A part of a whole; nothing if there is no whole.
pub(super) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// How long ago something was, with the time itself for those who look closer.
pub(super) fn ago(now: Time, then: Time) -> Markup {
    html! { time datetime=(then) title=(then) { (since(now, then)) " ago" } }
}

/// The same, if it is known.
pub(super) fn ago_or_none(now: Time, then: Option<Time>) -> Markup {
    html! {
        @match then {
            Some(then) => (ago(now, then)),
            None => span.none { "-" },
        }
    }
}

/// The time from one to the other.
pub(super) fn since(now: Time, then: Time) -> String {
    age(Duration::from_secs(u64::try_from(now.0.saturating_sub(then.0)).unwrap_or(0)))
}

/// The hour and the minute of a time, in UTC.
pub(super) fn clock(time: Time) -> String {
    time.to_string().split_once('T').map_or_else(String::new, |(_, clock)| clock[..5].to_owned())
}

/// A time as RFC 3339 writes it, as people read it.
pub(super) fn stamp(time: &str) -> Markup {
    let shown = time.trim_end_matches('Z').replacen('T', " ", 1);
    html! { time datetime=(time) { (shown) } }
}

/// The page of a key; that of a range is the one of its first address, and that of all names below one is that of
/// this.
pub(super) fn link(key: &str) -> Markup {
    let first = key.split_once('-').map(|(first, _)| first);
    let first = first.filter(|first| first.parse::<IpAddr>().is_ok());
    let target = first.or_else(|| key.strip_prefix("*.")).unwrap_or(key);
    html! { a href={ "/lookup?key=" (form::encoded(target)) } { (key) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!([0, 999, 1000, 16_777_216].map(count), ["0", "999", "1,000", "16,777,216"]);
        assert_eq!(count(1 << 96), "7.9e28");
        assert_eq!(
            [5, 1024, 20_480, 5 << 20, 3 << 30].map(bytes),
            ["5 B", "1.0 KiB", "20 KiB", "5.0 MiB", "3.0 GiB"]
        );
        assert_eq!(
            [0.0, 0.016, 1.25, 45.4, 12_345.6].map(rate),
            ["0", "0.02", "1.2", "45", "12,346"]
        );
        assert_eq!(
            [0.0, 0.0001, 0.012, 0.5].map(percent),
            ["0\u{a0}%", "< 0.1\u{a0}%", "1.2\u{a0}%", "50\u{a0}%"]
        );
        for (key, target) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1-192.0.2.9", "192.0.2.1"),
            ("a-b.example", "a-b.example"),
            ("*.<b>", "%3Cb%3E"),
        ] {
            let link = link(key).into_string();
            assert!(link.contains(&format!("\"/lookup?key={target}\"")), "{link}");
        }
        assert_eq!(share(1, 0), None);
        assert_eq!(clock(Time(1_000_000_000)), "01:46");
    }
}
