//! The status in text: the report of a start, and the answer to `dnsbld status`.

use super::{
    CertificateStatus, ConnectionStatus, DatasetStatus, FeedStatus, Health, ListenerStatus,
    LostQueries, RateLimitStatus, Status, Time, ZoneStatus,
};
use crate::util::text::{age, counted, table};
use std::fmt::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

/// How many events the text tells: all of it is to fit on a screen.
const EVENTS: usize = 5;

impl Status {
    /// A line per zone and a command to try, for people who have just started the server, `took` ago.
    pub fn start_report(&self, took: Duration) -> String {
        let version = &self.server.version;
        let zones = counted(self.zones.len() as u64, "zone", "zones");
        let datasets = counted(self.datasets.len() as u64, "dataset", "datasets");
        let mut out =
            format!("dnsbld {version}: {zones}, {datasets} from {}\n\n", self.server.config);
        let widths = self.zones.iter().map(|zone| zone.name.len());
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
                zone.name,
                zone.datasets.len(),
                zone.entries,
                addresses(zone.addresses),
                bytes(zone.bytes),
                milliseconds(zone.load_time),
                zone.state,
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
        if !listening.https.is_empty() {
            let _ = writeln!(out, "listening on {} (HTTPS)", list(&listening.https));
        }
        if let Some(address) = listening.http.first() {
            let _ = writeln!(out, "metrics at http://{address}/metrics");
        }
        if let (Some(address), Some(ZoneStatus { question, .. })) =
            (listening.plain.first(), self.zones.iter().min_by_key(|zone| zone.state))
        {
            let _ = writeln!(out, "try: dig @{} -p {} {question}", address.ip(), address.port());
        }
        out
    }

    /// The server, a line per zone and dataset, and what is wrong, with its remedy.
    pub fn to_text(&self) -> String {
        let server = &self.server;
        let loading = if server.loading { ", reading files" } else { "" };
        let up = age(elapsed(self.time, server.since));
        let mut out = format!(
            "dnsbld {}, process {}, up {up}, with {}{loading}\n",
            server.version, server.pid, server.config
        );
        if let Some(confinement) = &server.confinement {
            let _ = writeln!(out, "{confinement}");
        }
        if !server.listeners.is_empty() {
            let listeners = server.listeners.iter().map(ListenerStatus::words);
            let connections = server.connections.iter().map(ConnectionStatus::words);
            let _ = writeln!(out, "listening on {}", join(listeners.chain(connections)));
        }
        server.xdp.iter().for_each(|device| _ = writeln!(out, "{device}"));
        for certificate in &server.certificates {
            let _ = writeln!(out, "{}", certificate.words(self.time));
        }
        let LostQueries { query_log, dnstap } = server.lost;
        for (log, lost) in [("query log", query_log), ("dnstap", dnstap)] {
            if let Some(lost) = lost.filter(|lost| *lost > 0) {
                let queries = counted(lost, "query", "queries");
                let _ = writeln!(out, "{log}: {queries} lost since the start");
            }
        }
        if let Some(limit) = &server.rate_limit {
            let _ = writeln!(out, "{limit}");
        }
        out.push('\n');
        let zones = self.zones.iter().map(ZoneStatus::cells);
        let head =
            ["zone", "ready", "state", "serial", "entries", "addresses", "queries", "listed"];
        table(&mut out, head.map(str::to_owned), zones.collect(), 3);
        out.push('\n');
        let datasets = self.datasets.iter().map(|dataset| dataset.cells(self.time));
        let head =
            ["dataset", "type", "state", "entries", "addresses", "memory", "fetched", "accepted"];
        table(&mut out, head.map(str::to_owned), datasets.collect(), 3);
        if !self.feeds.is_empty() {
            out.push('\n');
            let feeds = self.feeds.iter().map(|feed| feed.cells(self.time));
            let head = ["feed", "state", "fetched", "changed", "next try", "failures", "speed-up"];
            table(&mut out, head.map(str::to_owned), feeds.collect(), 3);
        }
        let events = &self.events[self.events.len().saturating_sub(EVENTS)..];
        if !events.is_empty() {
            out.push_str("\nlast events\n");
            events.iter().for_each(|event| _ = writeln!(out, "{event}"));
        }
        let lines: String = self.troubles().iter().map(|trouble| format!("\n{trouble}")).collect();
        if !lines.is_empty() {
            let _ = writeln!(out, "{lines}");
        }
        out
    }
}

impl fmt::Display for RateLimitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queries_per_second, dry_run, limited, spared, .. } = self;
        write!(f, "rate limit of {queries_per_second} queries a second for an address: ")?;
        write!(f, "{} told to use TCP", counted(*limited, "query", "queries"))?;
        if *dry_run || *spared > 0 {
            write!(f, ", {} let pass", counted(*spared, "query", "queries"))?;
        }
        f.write_str(if *dry_run { " (dry run)" } else { "" })
    }
}

impl ListenerStatus {
    fn words(&self) -> String {
        let protocols: Vec<_> = self.protocols.iter().map(ToString::to_string).collect();
        format!("{} ({})", self.address, protocols.join(" and "))
    }
}

impl ConnectionStatus {
    fn words(&self) -> String {
        let Self { protocol, open, limit, gave_way } = self;
        match gave_way {
            0 => format!("{open} of {limit} {protocol} connections"),
            _ => {
                format!("{open} of {limit} {protocol} connections ({gave_way} gave way to others)")
            }
        }
    }
}

impl CertificateStatus {
    fn words(&self, now: Time) -> String {
        format!("{}: {}", self.subject(), self.left(now))
    }

    /// The certificate, and whom it is for.
    pub(super) fn subject(&self) -> String {
        format!("certificate {} of {}", self.file, join(self.names.iter().cloned()))
    }

    /// How long it can still be used.
    pub fn left(&self, now: Time) -> String {
        match self.expires {
            Some(expires) if expires > now => {
                format!("expires in {}", age(elapsed(expires, now)))
            }
            Some(expires) => format!("expired {}", ago(now, expires)),
            None => "its end cannot be read".to_owned(),
        }
    }
}

impl ZoneStatus {
    fn cells(&self) -> [String; 8] {
        let yes_or_no = if self.ready { "yes" } else { "NO" };
        [
            self.name.clone(),
            yes_or_no.to_owned(),
            self.state.word().to_owned(),
            self.serial.map_or_else(|| "-".to_owned(), |serial| serial.to_string()),
            self.entries.to_string(),
            addresses(self.addresses),
            self.queries.to_string(),
            self.listed.to_string(),
        ]
    }
}

impl DatasetStatus {
    fn cells(&self, now: Time) -> [String; 8] {
        let ago = |time: Option<Time>| time.map_or_else(|| "-".to_owned(), |time| ago(now, time));
        [
            self.name.clone(),
            self.kind.clone(),
            self.state.clone(),
            self.entries.map_or_else(|| "-".to_owned(), |entries| entries.to_string()),
            addresses(self.addresses),
            self.bytes.map_or_else(|| "-".to_owned(), bytes),
            ago(self.fetched),
            ago(self.accepted),
        ]
    }
}

impl FeedStatus {
    fn cells(&self, now: Time) -> [String; 7] {
        let none = || "-".to_owned();
        let ago = |time: Option<Time>| time.map_or_else(none, |time| ago(now, time));
        let next = self.next_try.map_or_else(none, |next| match next <= now {
            true => "due".to_owned(),
            false => format!("in {}", age(Duration::from_secs(next.0.abs_diff(now.0)))),
        });
        [
            self.name.clone(),
            self.state.clone(),
            ago(self.last_success),
            ago(self.last_change),
            next,
            self.failures.to_string(),
            self.speed_up.map_or_else(none, |times| times.to_string()),
        ]
    }
}

pub(super) fn ago(now: Time, then: Time) -> String {
    format!("{} ago", age(elapsed(now, then)))
}

/// The time until `now`.
fn elapsed(now: Time, then: Time) -> Duration {
    Duration::from_secs(u64::try_from(now.0.saturating_sub(then.0)).unwrap_or(0))
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

impl Health {
    /// The words of all, the best first.
    pub const WORDS: [&'static str; 6] =
        ["live", "kept", "partial", "withheld", "expired", "never-loaded"];

    /// The word of the JSON form.
    pub fn word(self) -> &'static str {
        match self {
            Self::Whole => "live",
            Self::Kept => "kept",
            Self::Partial => "partial",
            Self::Withheld => "withheld",
            Self::Expired => "expired",
            Self::Unloaded => "never-loaded",
        }
    }
}

/// The last column of the table.
impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole => "serving",
            Self::Kept => "serving kept data, see the log",
            Self::Partial => "serving in part, see the log",
            Self::Withheld => "SERVFAIL, its data is too old",
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

fn bytes(count: u64) -> String {
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
