//! What was counted since the start, for people and programs.

use super::Traffic;
use super::top::TopReport;
use crate::engine::{Figures, QueryType, Reason};
use crate::status::{SCHEMA, Time};
use crate::wire::Rcode;
use crate::zone::{TransferFigures, TransferKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The counters of the server, and estimates of what is asked most.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct StatsReport {
    /// [`SCHEMA`] of the server.
    pub schema: u32,
    /// When this was so.
    pub time: Time,
    /// When the server was started, and counting began.
    pub since: Time,
    /// The seconds from then to now, by a clock that nobody sets.
    pub uptime_seconds: f64,
    /// Each zone that there is or was, by name; then the queries that belong to none.
    pub zones: Vec<ZoneStats>,
    /// The queries beyond each quota that there is or was.
    #[serde(default)]
    pub quotas: BTreeMap<String, u64>,
    /// What is asked most, and who asks most.
    pub top: TopReport,
}

/// What was counted of a zone.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ZoneStats {
    /// The name; `None` for queries that belong to no zone.
    pub name: Option<String>,
    /// The queries.
    pub queries: u64,
    /// Those that were answered with records.
    pub listed: u64,
    /// Those that got no answer.
    pub dropped: u64,
    /// Those beyond the rate limit, which were told to use TCP.
    #[serde(default)]
    pub limited: u64,
    /// Those beyond the rate limit that its dry run let pass.
    #[serde(default)]
    pub spared: u64,
    /// The bytes of queries, without what carried them.
    pub bytes_in: u64,
    /// The bytes of answers, without what carried them.
    pub bytes_out: u64,
    /// The answers by response code, without codes that were never sent.
    pub rcodes: BTreeMap<String, u64>,
    /// The queries by type, without types that were never asked for.
    pub types: BTreeMap<String, u64>,
    /// The queries by what carried them.
    pub transports: BTreeMap<String, u64>,
    /// The A records that were sent by their value: some of the values, and `other`.
    pub values: BTreeMap<String, u64>,
    /// The transfers by kind (`axfr`, `ixfr`), without kinds that never were.
    #[serde(default)]
    pub transfers: BTreeMap<String, TransferStats>,
}

/// The transfers of one kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TransferStats {
    /// Those that were sent to the end.
    pub sent: u64,
    /// Those whose secondary went away or was too slow.
    pub unfinished: u64,
    /// Those that were refused.
    pub refused: u64,
    /// The records that secondaries have taken.
    pub records: u64,
    /// The bytes of their messages.
    pub bytes: u64,
}

impl StatsReport {
    /// What was counted until now by a server that was started at that time, in seconds since 1970.
    pub fn new(
        traffic: &[Traffic],
        top: TopReport,
        since: u64,
        now: u64,
        uptime: Duration,
    ) -> Self {
        let [since, time] = [since, now].map(|time| Time(i64::try_from(time).unwrap_or(i64::MAX)));
        let zones = traffic.iter().map(ZoneStats::of).collect();
        let (uptime_seconds, quotas) = (uptime.as_secs_f64(), BTreeMap::new());
        Self { schema: SCHEMA, time, since, uptime_seconds, zones, quotas, top }
    }

    /// All zones, and what belongs to none, together.
    pub fn all(&self) -> ZoneStats {
        self.zones.iter().fold(ZoneStats::default(), ZoneStats::plus)
    }
}

impl ZoneStats {
    fn of(traffic: &Traffic) -> Self {
        let figures: Figures = traffic.transports.iter().map(|(_, figures)| *figures).sum();
        let of_rcode = |rcode| {
            let reasons = Reason::ALL.into_iter().filter(move |reason| reason.rcode() == rcode);
            reasons.map(|reason| figures.queries(reason)).sum::<u64>()
        };
        let counts = |counts: Vec<(&str, u64)>| -> BTreeMap<String, u64> {
            let told = counts.into_iter().filter(|(_, count)| *count > 0);
            told.map(|(name, count)| (name.to_owned(), count)).collect()
        };
        let values = traffic.values.counts.iter().map(|(value, count)| (value.to_string(), *count));
        let others = Some(traffic.values.others).filter(|count| *count > 0);
        Self {
            name: traffic.zone.as_ref().map(ToString::to_string),
            queries: figures.all(),
            listed: figures.listed(),
            dropped: of_rcode(None),
            limited: figures.queries(Reason::RateLimited),
            spared: figures.spared,
            bytes_in: figures.bytes_in,
            bytes_out: figures.bytes_out,
            rcodes: counts(Rcode::ALL.map(|rcode| (rcode.name(), of_rcode(Some(rcode)))).to_vec()),
            types: counts(
                QueryType::ALL.iter().map(|it| (it.name(), figures.queries_of(*it))).collect(),
            ),
            transports: counts(
                traffic.transports.iter().map(|(it, figures)| (it.name(), figures.all())).collect(),
            ),
            values: values.chain(others.map(|count| ("other".to_owned(), count))).collect(),
            transfers: transfers(&traffic.transfers),
        }
    }

    fn plus(self, other: &Self) -> Self {
        let both = |mut one: BTreeMap<String, u64>, other: &BTreeMap<String, u64>| {
            for (name, count) in other {
                *one.entry(name.clone()).or_default() += count;
            }
            one
        };
        Self {
            name: None,
            queries: self.queries + other.queries,
            listed: self.listed + other.listed,
            dropped: self.dropped + other.dropped,
            limited: self.limited + other.limited,
            spared: self.spared + other.spared,
            bytes_in: self.bytes_in + other.bytes_in,
            bytes_out: self.bytes_out + other.bytes_out,
            rcodes: both(self.rcodes, &other.rcodes),
            types: both(self.types, &other.types),
            transports: both(self.transports, &other.transports),
            values: both(self.values, &other.values),
            transfers: other.transfers.iter().fold(self.transfers, |mut all, (kind, stats)| {
                all.entry(kind.clone()).or_default().add(stats);
                all
            }),
        }
    }
}

/// The transfers of the kinds that there were.
fn transfers(all: &[(TransferKind, TransferFigures)]) -> BTreeMap<String, TransferStats> {
    let told = all.iter().filter(|(_, figures)| *figures != TransferFigures::default());
    told.map(|(kind, figures)| {
        let TransferFigures { sent, unfinished, refused, records, bytes } = *figures;
        (kind.name().to_owned(), TransferStats { sent, unfinished, refused, records, bytes })
    })
    .collect()
}

impl TransferStats {
    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.unfinished += other.unfinished;
        self.refused += other.refused;
        self.records += other.records;
        self.bytes += other.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Values;
    use crate::stats::{Statistics, Workers};
    use std::net::Ipv4Addr;

    #[test]
    fn what_was_counted_is_told_by_zone_and_in_all() {
        let workers = Workers { udp: 1, tcp: 1, ..Workers::default() };
        let mut statistics = Statistics::new(workers, 0);
        let zone = statistics.zone(&"bl.example".parse().unwrap());
        zone.count(0, QueryType::A, Reason::Answered, 40, 100);
        zone.count(1, QueryType::Txt, Reason::NxDomain, 41, 90);
        zone.count(0, QueryType::Unread, Reason::Dropped, 5, 0);
        zone.count(0, QueryType::A, Reason::RateLimited, 0, 0);
        zone.count_spared(0);
        zone.count_value(0, Ipv4Addr::new(127, 0, 0, 2));
        statistics.rest().count(0, QueryType::A, Reason::Refused, 20, 20);
        let sent = TransferFigures { sent: 1, records: 4, bytes: 100, ..Default::default() };
        zone.transfers().count(TransferKind::Whole, sent);
        zone.transfers()
            .count(TransferKind::Whole, TransferFigures { refused: 2, ..Default::default() });
        let mut traffic = statistics.traffic();
        traffic[0].values = Values { others: 3, ..traffic[0].values.clone() };
        let report =
            StatsReport::new(&traffic, TopReport::default(), 7, 9, Duration::from_millis(2500));
        assert_eq!((report.since, report.time, report.uptime_seconds), (Time(7), Time(9), 2.5));
        let json = serde_json::to_value(&report).unwrap();
        let want = serde_json::json!({
            "name": "bl.example", "queries": 4, "listed": 1, "dropped": 1, "limited": 1, "spared": 1, "bytes_in": 86, "bytes_out": 190,
            "rcodes": {"NOERROR": 2, "NXDOMAIN": 1}, "types": {"A": 2, "TXT": 1, "unread": 1},
            "transports": {"udp": 3, "tcp": 1}, "values": {"127.0.0.2": 1, "other": 3},
            "transfers": {"axfr": {"sent": 1, "unfinished": 0, "refused": 2, "records": 4, "bytes": 100}},
        });
        assert_eq!(json["zones"][0], want);
        assert_eq!(json["zones"][1]["name"], serde_json::Value::Null);
        let text = include_str!("../../docs/stats.md");
        let fields = |value: &serde_json::Value, above: &str| -> Vec<String> {
            let fields = value.as_object().unwrap().keys();
            fields.map(|field| format!("`{above}{field}`")).collect()
        };
        let (of_zone, of_top) = (fields(&json["zones"][0], "zones."), fields(&json["top"], "top."));
        for field in fields(&json, "").into_iter().chain(of_zone).chain(of_top) {
            assert!(text.contains(&field), "docs/stats.md lacks {field}");
        }
        let all = report.all();
        assert_eq!((all.queries, all.listed, all.bytes_in), (5, 1, 106));
        assert_eq!((all.rcodes["REFUSED"], all.transfers["axfr"].bytes), (1, 100));
        assert_eq!((all.types["A"], all.limited, all.spared), (3, 1, 1));
    }
}
