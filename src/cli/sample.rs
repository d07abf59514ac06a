//! Counters of a server at two times, and the rates between them.

use crate::stats::report::{StatsReport, ZoneStats};
use crate::util::text::counted;

/// The newest counters, and those before.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    pub(super) now: StatsReport,
    before: Option<StatsReport>,
}

impl Sample {
    /// Takes newer counters. Those of a server that was started anew follow no others.
    pub(super) fn add(&mut self, report: StatsReport) {
        let before = std::mem::replace(&mut self.now, report);
        let is_same =
            before.since == self.now.since && before.uptime_seconds < self.now.uptime_seconds;
        self.before = is_same.then_some(before);
    }

    /// The seconds between both; since the start, if there is only one.
    fn seconds(&self) -> f64 {
        let from = self.before.as_ref().map_or(0.0, |before| before.uptime_seconds);
        (self.now.uptime_seconds - from).max(0.001)
    }

    /// The time of which rates are, in words.
    pub(super) fn span(&self) -> String {
        match self.before {
            Some(_) => counted(self.seconds().round() as u64, "second", "seconds"),
            None => "all that time".to_owned(),
        }
    }

    /// The queries, and the listed answers, a second of a zone.
    pub(super) fn rates(&self, zone: &ZoneStats) -> (f64, f64) {
        (self.rate(zone, |zone| zone.queries), self.rate(zone, |zone| zone.listed))
    }

    /// What a count of a zone grows by in a second.
    pub(super) fn rate(&self, zone: &ZoneStats, count: impl Fn(&ZoneStats) -> u64) -> f64 {
        let before = self.before.as_ref().and_then(|before| {
            before.zones.iter().find(|before| before.name == zone.name).map(&count)
        });
        count(zone).saturating_sub(before.unwrap_or(0)) as f64 / self.seconds()
    }
}

/// A rate, with a fraction where it is small.
pub(super) fn rate(rate: f64) -> String {
    match rate {
        0.0 => "0".to_owned(),
        ..10.0 => format!("{rate:.1}"),
        _ => format!("{rate:.0}"),
    }
}

/// Bytes in the unit that fits.
pub(super) fn scaled(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut bytes, mut unit) = (bytes, 0);
    while bytes >= 10_240.0 && unit + 1 < UNITS.len() {
        bytes /= 1024.0;
        unit += 1;
    }
    format!("{bytes:.0} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Time;

    fn report(since: i64, uptime_seconds: f64, queries: u64) -> StatsReport {
        let zone = ZoneStats { name: Some("a.test".to_owned()), queries, ..ZoneStats::default() };
        let since = Time(since);
        StatsReport { since, uptime_seconds, zones: vec![zone], ..StatsReport::default() }
    }

    #[test]
    fn rates_are_those_between_two_looks_or_since_the_start() {
        let mut sample = Sample::default();
        sample.add(report(100, 10.0, 50));
        assert_eq!((sample.rates(&sample.now.zones[0]).0, &*sample.span()), (5.0, "all that time"));
        sample.add(report(100, 12.0, 80));
        assert_eq!((sample.rates(&sample.now.zones[0]).0, &*sample.span()), (15.0, "2 seconds"));
        sample.add(report(113, 2.0, 6));
        assert_eq!(sample.rates(&sample.now.zones[0]).0, 3.0, "another server");
    }

    #[test]
    fn figures_are_short() {
        assert_eq!([0.0, 0.04, 9.96, 1234.4].map(rate), ["0", "0.0", "10.0", "1234"]);
        assert_eq!(
            [0.0, 10_239.0, 10_240.0, 1e12].map(scaled),
            ["0 B", "10239 B", "10 KiB", "931 GiB"]
        );
    }
}
