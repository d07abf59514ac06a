//! The statistics of all zones since the start or the last reset.

use super::top::Tops;
use super::{Histogram, Latency, Workers};
use crate::engine::{Counters, Figures, MAX_VALUES, Reason, Transport, Values};
use crate::wire::name::NameBuf;
use crate::zone::{Overrides, QuotaCounts, TransferFigures, TransferKind};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// The longest name of a zone in a log line.
const MAX_LOGGED_NAME: usize = 60;

/// The counters of every zone there is or was, and what they were when it mattered.
///
/// The counters themselves never go back: only the worker may write them. A reset is a matter of
/// remembering. What is told is what [`Statistics::look`] last saw, so that nothing is lost between
/// telling and resetting.
#[derive(Debug)]
pub struct Statistics {
    workers: Workers,
    latency: Latency,
    tops: Tops,
    overrides: Overrides,
    zones: HashMap<NameBuf, Account>,
    quotas: BTreeMap<String, QuotaCounts>,
    /// Of queries that belong to no zone.
    rest: Account,
    /// The time of the start or the last reset, in seconds since 1970.
    start: u64,
}

#[derive(Debug)]
struct Account {
    counters: Counters,
    seen: Figures,
    /// What had been seen at the last reset.
    reset: Figures,
    /// What had been seen when increments were last written to the file.
    written: Figures,
    /// The A values that are told apart, in the order in which they were seen.
    values: Vec<Ipv4Addr>,
}

/// What was counted of a zone since the start, whatever was reset meanwhile.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Traffic {
    /// The zone; `None` for queries that belong to none.
    pub zone: Option<NameBuf>,
    /// What was counted over each transport that the server has workers for.
    pub transports: Vec<(Transport, Figures)>,
    /// How many A records were sent, by value: at most [`MAX_VALUES`], the same ones whenever it is asked,
    /// and all others together.
    pub values: Values,
    /// The transfers of each kind.
    pub transfers: [(TransferKind, TransferFigures); TransferKind::ALL.len()],
}

impl Account {
    fn new(workers: usize) -> Self {
        Self {
            counters: Counters::new(workers),
            seen: Figures::default(),
            reset: Figures::default(),
            written: Figures::default(),
            values: Vec::new(),
        }
    }

    fn traffic(&mut self, zone: Option<NameBuf>, workers: Workers) -> Traffic {
        let over = |transport| (transport, self.counters.figures_of(workers.over(transport)));
        let has_workers = |transport: &Transport| !workers.over(*transport).is_empty();
        let transports = Transport::ALL.into_iter().filter(has_workers).map(over).collect();
        let Values { mut counts, mut others } = self.counters.values();
        let is_new = |value: &&Ipv4Addr| !self.values.contains(value);
        let room = MAX_VALUES - self.values.len();
        let new: Vec<_> = counts.keys().filter(is_new).take(room).copied().collect();
        self.values.extend(new);
        counts.retain(|value, count| {
            let is_told = self.values.contains(value);
            others += if is_told { 0 } else { *count };
            is_told
        });
        let transfers = self.counters.transfers().figures();
        Traffic { zone, transports, values: Values { counts, others }, transfers }
    }
}

impl Statistics {
    /// Of a server with that many workers, started at this time in seconds since 1970.
    pub fn new(workers: Workers, now: u64) -> Self {
        let (rest, latency) = (Account::new(workers.all()), Latency::new(workers.all()));
        let (tops, overrides) = (Tops::new(workers.all(), now), Overrides::new(workers.all()));
        Self {
            workers,
            latency,
            tops,
            overrides,
            zones: HashMap::new(),
            quotas: BTreeMap::new(),
            rest,
            start: now,
        }
    }

    /// The workers of the server.
    pub fn workers(&self) -> Workers {
        self.workers
    }

    /// Where workers count what is asked most.
    pub fn tops(&self) -> &Tops {
        &self.tops
    }

    /// Where workers note the answers that allow lists change.
    pub fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// Where workers count how long answers take.
    pub fn latency(&self) -> &Latency {
        &self.latency
    }

    /// The counters of a zone; the same ones whenever the zone is there.
    pub fn zone(&mut self, apex: &NameBuf) -> Counters {
        let account = self.zones.entry(apex.to_lowercase());
        account.or_insert_with(|| Account::new(self.workers.all())).counters.clone()
    }

    /// The counts of a quota; the same ones whenever the quota is there.
    pub fn quota(&mut self, name: &str) -> QuotaCounts {
        self.quotas.entry(name.to_owned()).or_default().clone()
    }

    /// The queries beyond each quota that there is or was, by name, since the start.
    pub fn quotas(&self) -> BTreeMap<String, u64> {
        self.quotas.iter().map(|(name, counts)| (name.clone(), counts.beyond())).collect()
    }

    /// The counters of queries that belong to no zone.
    pub fn rest(&self) -> Counters {
        self.rest.counters.clone()
    }

    /// What was counted since the start: of each zone there is or was, and of queries that belong to none.
    pub fn figures(&self) -> impl Iterator<Item = (Option<&NameBuf>, Figures)> {
        let zones = self.zones.iter().map(|(zone, account)| (Some(zone), account));
        let all = zones.chain([(None, &self.rest)]);
        all.map(|(zone, account)| (zone, account.counters.figures()))
    }

    /// What was counted since the start: of each zone there is or was, by name, and of queries that belong to
    /// none.
    pub fn traffic(&mut self) -> Vec<Traffic> {
        let workers = self.workers;
        let zones = self.zones.iter_mut();
        let mut all: Vec<_> =
            zones.map(|(zone, account)| account.traffic(Some(zone.clone()), workers)).collect();
        all.sort_by_cached_key(|traffic| traffic.zone.as_ref().map(ToString::to_string));
        all.push(self.rest.traffic(None, workers));
        all
    }

    /// How long answers took.
    pub fn times(&self) -> Histogram {
        self.latency.histogram()
    }

    /// Reads all counters.
    pub fn look(&mut self) {
        for account in self.accounts_mut() {
            account.seen = account.counters.figures();
        }
    }

    /// What was seen since the last reset: a line for each of these zones and one for all, as
    /// rbldnsd writes them to syslog.
    pub fn log_lines<'z>(
        &self,
        zones: impl IntoIterator<Item = &'z NameBuf>,
        now: u64,
    ) -> Vec<String> {
        let seconds = now.saturating_sub(self.start);
        let line = |head: String, summary: Summary| {
            let Summary { ok, nxdomain, errors, bytes_in, bytes_out } = summary;
            let total = summary.total();
            format!(
                "{head}: tot={total} ok={ok} nxd={nxdomain} err={errors} in={bytes_in} \
                 out={bytes_out}"
            )
        };
        let zones = zones.into_iter().map(|zone| {
            let mut name = zone.to_string();
            name.truncate(MAX_LOGGED_NAME);
            let figures = self.of_zone(zone, Account::since_reset);
            line(format!("stats for {seconds}secs zone {name}"), Summary::of_zone(&figures))
        });
        let all = Summary::of_all(&self.total(Account::since_reset));
        zones.chain([line(format!("stats for {seconds}sec"), all)]).collect()
    }

    /// A line of rbldnsd's statistics file, with its end: what was seen since the last reset, or
    /// since the last such line with `increments`.
    pub fn file_line<'z>(
        &mut self,
        zones: impl IntoIterator<Item = &'z NameBuf>,
        now: u64,
        increments: bool,
    ) -> String {
        let since = if increments { Account::since_written } else { Account::since_reset };
        let mut out = now.to_string();
        let mut tuple = |name: &str, summary: Summary| {
            let Summary { ok, nxdomain, bytes_in, bytes_out, .. } = summary;
            let total = summary.total();
            let _ = write!(out, " {name}:{total}:{ok}:{nxdomain}:{bytes_in}:{bytes_out}");
        };
        for zone in zones {
            tuple(&zone.to_string(), Summary::of_zone(&self.of_zone(zone, since)));
        }
        tuple("*", Summary::of_all(&self.total(since)));
        out.push('\n');
        if increments {
            self.accounts_mut().for_each(|account| account.written = account.seen);
        }
        out
    }

    /// Counts from what was last seen on.
    pub fn reset(&mut self, now: u64) {
        self.start = now;
        for account in self.accounts_mut() {
            account.reset = account.seen;
            account.written = account.seen;
        }
    }

    fn accounts_mut(&mut self) -> impl Iterator<Item = &mut Account> {
        self.zones.values_mut().chain([&mut self.rest])
    }

    fn of_zone(&self, zone: &NameBuf, since: impl Fn(&Account) -> Figures) -> Figures {
        self.zones.get(zone).map(since).unwrap_or_default()
    }

    fn total(&self, since: impl Fn(&Account) -> Figures) -> Figures {
        self.zones.values().chain([&self.rest]).map(since).sum()
    }
}

impl Account {
    fn since_reset(&self) -> Figures {
        self.seen.since(&self.reset)
    }

    fn since_written(&self) -> Figures {
        self.seen.since(&self.written)
    }
}

/// What rbldnsd counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Summary {
    ok: u64,
    nxdomain: u64,
    errors: u64,
    bytes_in: u64,
    bytes_out: u64,
}

impl Summary {
    fn of_all(figures: &Figures) -> Self {
        let mut summary =
            Self { bytes_in: figures.bytes_in, bytes_out: figures.bytes_out, ..Self::default() };
        for reason in Reason::ALL {
            let sum = match reason {
                Reason::Answered
                | Reason::NoData
                | Reason::Truncated
                | Reason::RateLimited
                | Reason::Chaos => &mut summary.ok,
                Reason::NxDomain => &mut summary.nxdomain,
                Reason::Refused
                | Reason::ServFail
                | Reason::FormErr
                | Reason::NotImp
                | Reason::BadVers
                | Reason::BadCookie
                | Reason::NotAuth
                | Reason::Denied
                | Reason::Ignored
                | Reason::Dropped => &mut summary.errors,
            };
            *sum += figures.queries(reason);
        }
        summary
    }

    /// As [`of_all`](Self::of_all), but for a query that the zone drops: it is an error of no zone,
    /// though its bytes are the zone's.
    fn of_zone(figures: &Figures) -> Self {
        let all = Self::of_all(figures);
        let dropped = figures.queries(Reason::Dropped) + figures.queries(Reason::Ignored);
        Self { errors: all.errors - dropped, ..all }
    }

    fn total(&self) -> u64 {
        self.ok + self.nxdomain + self.errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::QueryType;

    fn name(text: &str) -> NameBuf {
        text.parse().unwrap()
    }

    /// Two zones, and queries of two workers.
    fn counted() -> (Statistics, [NameBuf; 2]) {
        let mut statistics =
            Statistics::new(Workers { udp: 1, tcp: 1, ..Workers::default() }, 1000);
        let zones = [name("a.test"), name("b.test")];
        let (a, b) = (statistics.zone(&zones[0]), statistics.zone(&zones[1]));
        a.count(0, QueryType::A, Reason::Answered, 40, 100);
        a.count(1, QueryType::A, Reason::NoData, 41, 80);
        a.count(1, QueryType::A, Reason::Dropped, 42, 0);
        b.count(1, QueryType::A, Reason::NxDomain, 43, 90);
        b.count(0, QueryType::A, Reason::ServFail, 44, 45);
        statistics.rest().count(0, QueryType::A, Reason::Refused, 20, 20);
        statistics.rest().count(1, QueryType::A, Reason::Chaos, 30, 50);
        (statistics, zones)
    }

    #[test]
    fn log_lines_are_those_of_rbldnsd() {
        let (mut statistics, zones) = counted();
        statistics.look();
        let want = [
            "stats for 5secs zone a.test: tot=2 ok=2 nxd=0 err=0 in=123 out=180",
            "stats for 5secs zone b.test: tot=2 ok=0 nxd=1 err=1 in=87 out=135",
            "stats for 5sec: tot=7 ok=3 nxd=1 err=3 in=260 out=385",
        ];
        assert_eq!(statistics.log_lines(&zones, 1005), want);
    }

    #[test]
    fn a_long_zone_name_is_cut_in_the_log_only() {
        let mut statistics = Statistics::new(Workers { udp: 1, ..Workers::default() }, 0);
        let long = name(&format!("{}.{}", "a".repeat(58), "b".repeat(9)));
        let lines = statistics.log_lines([&long], 0);
        assert!(lines[0].starts_with(&format!("stats for 0secs zone {}.b: tot", "a".repeat(58))));
        assert!(statistics.file_line([&long], 0, false).contains(&format!(" {long}:0:0:0:0:0 ")));
    }

    #[test]
    fn the_file_has_absolute_counts_or_increments() {
        let (mut statistics, zones) = counted();
        let a = statistics.zone(&zones[0]);
        let first = "1001 a.test:2:2:0:123:180 b.test:2:0:1:87:135 *:7:3:1:260:385\n";
        statistics.look();
        assert_eq!(statistics.file_line(&zones, 1001, true), first);
        assert_eq!(statistics.file_line(&zones, 1001, false), first);
        a.count(0, QueryType::A, Reason::Answered, 1, 2);
        let same = statistics.file_line(&zones, 1002, true);
        assert_eq!(same, "1002 a.test:0:0:0:0:0 b.test:0:0:0:0:0 *:0:0:0:0:0\n", "not looked");
        statistics.look();
        let more = statistics.file_line(&zones, 1003, true);
        assert_eq!(more, "1003 a.test:1:1:0:1:2 b.test:0:0:0:0:0 *:1:1:0:1:2\n");
        let all = statistics.file_line(&zones, 1004, false);
        assert_eq!(all, "1004 a.test:3:3:0:124:182 b.test:2:0:1:87:135 *:8:4:1:261:387\n");
    }

    #[test]
    fn a_reset_starts_at_what_was_told() {
        let (mut statistics, zones) = counted();
        let a = statistics.zone(&zones[0]);
        statistics.look();
        a.count(0, QueryType::A, Reason::Answered, 1, 2);
        statistics.reset(1010);
        assert!(statistics.log_lines([], 1012)[0].starts_with("stats for 2sec: tot=0 "));
        statistics.look();
        let want = "1012 a.test:1:1:0:1:2 *:1:1:0:1:2\n";
        assert_eq!(statistics.file_line(&zones[..1], 1012, true), want);
        assert_eq!(statistics.file_line(&zones[..1], 1012, false), want);
    }

    #[test]
    fn a_zone_that_comes_back_goes_on_and_its_counts_stay_in_the_total() {
        let (mut statistics, zones) = counted();
        statistics.look();
        let total = statistics.log_lines([], 0);
        assert!(total[0].contains("tot=7 "), "{total:?}");
        statistics.zone(&name("A.Test")).count(0, QueryType::A, Reason::Answered, 1, 1);
        statistics.look();
        assert!(statistics.log_lines(&zones, 0)[0].contains("tot=3 ok=3 "));
    }

    #[test]
    fn traffic_is_told_by_transport_and_never_goes_back() {
        let (mut statistics, zones) = counted();
        statistics.reset(1010);
        let traffic = statistics.traffic();
        let names: Vec<_> = traffic.iter().map(|traffic| traffic.zone.clone()).collect();
        assert_eq!(names, [Some(zones[0].clone()), Some(zones[1].clone()), None]);
        let [(Transport::Udp, udp), (Transport::Tcp, tcp)] = &traffic[0].transports[..] else {
            panic!("{traffic:?}");
        };
        assert_eq!((udp.queries_of(QueryType::A), udp.bytes_in), (1, 40));
        assert_eq!((tcp.queries_of(QueryType::A), tcp.bytes_in), (2, 83));
    }

    #[test]
    fn values_that_were_told_apart_stay_so() {
        let (mut statistics, zones) = counted();
        let zone = statistics.zone(&zones[0]);
        let value = |number: u8| Ipv4Addr::new(127, 0, 0, number);
        (100..112).for_each(|number| zone.count_value(0, value(number)));
        assert_eq!(statistics.traffic()[0].values.counts.len(), 12);
        // A second worker sees others, which come first in their order.
        (0..16).for_each(|number| zone.count_value(1, value(number)));
        zone.count_value(1, value(100));
        let Values { counts, others } = &statistics.traffic()[0].values;
        let told = (0..4).chain(100..112).map(value).collect::<Vec<_>>();
        assert_eq!(counts.keys().copied().collect::<Vec<_>>(), told);
        // The cell of the second worker is full.
        assert_eq!((counts[&value(100)], *others), (1, 12 + 1));
    }
}
