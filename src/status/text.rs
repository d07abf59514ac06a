//! The status in text: the report of a start.

use super::{Health, Status, ZoneStatus};
use crate::util::text::counted;
use std::fmt::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

impl Status {
    /// A line per zone and a command to try, for people who have just started the server, `took` ago.
    pub fn start_report(&self, took: Duration) -> String {
        let version = self.server.version;
        let zones = counted(self.zones.len() as u64, "zone", "zones");
        let datasets = counted(self.datasets.len() as u64, "dataset", "datasets");
        let mut out =
            format!("dnsbld {version}: {zones}, {datasets} from {}\n\n", self.server.source);
        let widths = self.zones.iter().map(|zone| zone.name.to_string().len());
        let width = widths.max().unwrap_or(0).max("zone".len());
        let _ = writeln!(
            out,
            "{:<width$}  {:>8}  {:>9}  {:>14}  {:>9}  {:>8}  state",
            "zone", "datasets", "entries", "addresses", "memory", "time"
        );
        for zone in &self.zones {
            let _ = writeln!(
                out,
                "{:<width$}  {:>8}  {:>9}  {:>14}  {:>9}  {:>8}  {}",
                zone.name.to_string(),
                zone.datasets.len(),
                zone.entries,
                addresses(zone.addresses),
                bytes(zone.bytes),
                milliseconds(zone.load_time),
                zone.health,
            );
        }
        let _ = writeln!(out, "\nready after {}", milliseconds(took));
        let list = |addresses: &[SocketAddr]| {
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        let listening = &self.server.listening;
        let _ = writeln!(out, "listening on {} (UDP and TCP)", list(&listening.plain));
        if !listening.tls.is_empty() {
            let _ = writeln!(out, "listening on {} (TLS)", list(&listening.tls));
        }
        if let (Some(address), Some(ZoneStatus { question, .. })) =
            (listening.plain.first(), self.zones.iter().min_by_key(|zone| zone.health))
        {
            let _ = writeln!(out, "try: dig @{} -p {} {question}", address.ip(), address.port());
        }
        out
    }
}

/// The last column of the table.
impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole => "serving",
            Self::Kept => "serving kept data, see the log",
            Self::Partial => "serving in part, see the log",
            Self::Expired => "SERVFAIL, its data has expired",
            Self::Unloaded => "SERVFAIL, see the log",
        })
    }
}

fn addresses(count: Option<u128>) -> String {
    match count {
        None => "-".to_owned(),
        Some(sum) if sum < 1_000_000_000_000 => sum.to_string(),
        Some(sum) => format!("{:.1e}", sum as f64),
    }
}

fn bytes(count: usize) -> String {
    match count {
        0..10_240 => format!("{count} B"),
        10_240..10_485_760 => format!("{} KiB", count / 1024),
        _ => format!("{} MiB", count / 1_048_576),
    }
}

fn milliseconds(time: Duration) -> String {
    match time.as_secs_f64() * 1000.0 {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms => format!("{ms:.0} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{Listening, ServerStatus};

    fn zone(name: &str, health: Health, addresses: Option<u128>) -> ZoneStatus {
        ZoneStatus {
            name: name.parse().unwrap(),
            health,
            serial: 7,
            datasets: vec!["list".to_owned()],
            allow: Vec::new(),
            acl: Vec::new(),
            entries: 12,
            addresses,
            bytes: 20_480,
            load_time: Duration::from_micros(1500),
            question: format!("{name} SOA"),
        }
    }

    #[test]
    fn the_report_has_a_line_for_each_zone_and_a_question_to_the_best() {
        let status = Status {
            server: ServerStatus {
                version: "1.2.3",
                source: "a.toml".to_owned(),
                listening: Listening { plain: vec!["127.0.0.1:53".parse().unwrap()], tls: vec![] },
            },
            zones: vec![
                zone("a.example", Health::Unloaded, None),
                zone("b.example", Health::Whole, Some(1 << 50)),
            ],
            datasets: Vec::new(),
        };
        let want = "\
dnsbld 1.2.3: 2 zones, 0 datasets from a.toml

zone       datasets    entries       addresses     memory      time  state
a.example         1         12               -     20 KiB    1.5 ms  SERVFAIL, see the log
b.example         1         12          1.1e15     20 KiB    1.5 ms  serving

ready after 20 ms
listening on 127.0.0.1:53 (UDP and TCP)
try: dig @127.0.0.1 -p 53 b.example SOA
";
        assert_eq!(status.start_report(Duration::from_millis(20)), want);
    }
}
