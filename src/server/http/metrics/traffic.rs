//! What is asked and answered.

use super::super::Observation;
use super::{Exposition, Figure, Kind};
use crate::engine::{Figures, QueryType, Reason};
use crate::stats::{BUCKETS, Histogram, Traffic};
use crate::wire::Rcode;
use crate::zone::TransferFigures;
use std::iter;

/// The label of queries that belong to no zone.
const NO_ZONE: &str = "-";

pub(super) fn write(observation: &Observation, out: &mut Exposition) {
    let traffic = &observation.traffic;
    queries(traffic, out);
    answers(traffic, out);
    quotas(observation, out);
    values(traffic, out);
    bytes(traffic, out);
    transfers(traffic, out);
    times(&observation.times, out);
}

fn zone(traffic: &Traffic) -> String {
    traffic.zone.as_ref().map_or_else(|| NO_ZONE.to_owned(), ToString::to_string)
}

/// What was counted over all transports.
fn figures(traffic: &Traffic) -> Figures {
    traffic.transports.iter().map(|(_, figures)| *figures).sum()
}

fn queries(traffic: &[Traffic], out: &mut Exposition) {
    let help = "Queries, by zone (- for none), type of the question and transport.";
    let mut family = out.family("dnsbld_queries_total", Kind::Counter, help);
    for zone_traffic in traffic {
        let zone = zone(zone_traffic);
        for (transport, figures) in &zone_traffic.transports {
            for qtype in QueryType::ALL {
                let labels =
                    [("zone", &*zone), ("type", qtype.name()), ("transport", transport.name())];
                // Of what is seldom asked, there is no sample before it is.
                let count = figures.queries_of(qtype);
                if count > 0 || matches!(qtype, QueryType::A | QueryType::Txt) {
                    family.sample(&labels, count);
                }
            }
        }
    }
}

fn answers(traffic: &[Traffic], out: &mut Exposition) {
    let help = "Answers, by zone and response code.";
    let mut family = out.family("dnsbld_answers_total", Kind::Counter, help);
    for zone_traffic in traffic {
        let (zone, figures) = (zone(zone_traffic), figures(zone_traffic));
        for rcode in Rcode::ALL {
            let is_of = |reason: &Reason| reason.rcode() == Some(rcode);
            let count: u64 =
                Reason::ALL.into_iter().filter(is_of).map(|why| figures.queries(why)).sum();
            if count > 0 || matches!(rcode, Rcode::NoError | Rcode::NxDomain) {
                family.sample(&[("zone", &zone), ("rcode", rcode.name())], count);
            }
        }
    }
    let help = "Answers with records of the type asked, by zone.";
    let mut family = out.family("dnsbld_listed_answers_total", Kind::Counter, help);
    for zone_traffic in traffic {
        let figures = figures(zone_traffic);
        let listed = figures.queries(Reason::Answered) + figures.queries(Reason::Truncated);
        family.sample(&[("zone", &zone(zone_traffic))], listed);
    }
    let help = "Answers that did not fit and told the client to use TCP, by zone.";
    let mut family = out.family("dnsbld_truncated_answers_total", Kind::Counter, help);
    for zone_traffic in traffic {
        let truncated = figures(zone_traffic).queries(Reason::Truncated);
        family.sample(&[("zone", &zone(zone_traffic))], truncated);
    }
    let help = "Queries beyond the rate limit, by zone and what was done; none in a dry run.";
    let mut family = out.family("dnsbld_rate_limited_queries_total", Kind::Counter, help);
    for zone_traffic in traffic {
        let (zone, figures) = (zone(zone_traffic), figures(zone_traffic));
        let truncated = figures.queries(Reason::RateLimited);
        for (action, count) in [("truncated", truncated), ("none", figures.spared)] {
            family.sample(&[("zone", &zone), ("action", action)], count);
        }
    }
    let help = "Queries without an answer, by zone and reason.";
    let mut family = out.family("dnsbld_dropped_queries_total", Kind::Counter, help);
    for zone_traffic in traffic {
        let (zone, figures) = (zone(zone_traffic), figures(zone_traffic));
        for (reason, word) in [(Reason::Ignored, "access-list"), (Reason::Dropped, "malformed")] {
            family.sample(&[("zone", &zone), ("reason", word)], figures.queries(reason));
        }
    }
}

fn quotas(observation: &Observation, out: &mut Exposition) {
    let help = "Queries beyond a quota, by its name.";
    let mut family = out.family("dnsbld_quota_exceeded_queries_total", Kind::Counter, help);
    for (quota, beyond) in &observation.quotas {
        family.sample(&[("quota", quota)], beyond);
    }
}

fn values(traffic: &[Traffic], out: &mut Exposition) {
    let help = "A records in answers, by zone and value; other for all but the first 16 values.";
    let mut family = out.family("dnsbld_answer_values_total", Kind::Counter, help);
    for zone_traffic in traffic {
        let (zone, values) = (zone(zone_traffic), &zone_traffic.values);
        for (value, count) in &values.counts {
            family.sample(&[("zone", &zone), ("value", &value.to_string())], count);
        }
        if values.others > 0 {
            family.sample(&[("zone", &zone), ("value", "other")], values.others);
        }
    }
}

fn bytes(traffic: &[Traffic], out: &mut Exposition) {
    let kinds: [Figure<Figures, u64>; 2] = [
        (
            "dnsbld_query_bytes_total",
            "Bytes of queries, without the headers of IP, UDP and TCP.",
            |figures| figures.bytes_in,
        ),
        (
            "dnsbld_answer_bytes_total",
            "Bytes of answers, without the headers of IP, UDP and TCP.",
            |figures| figures.bytes_out,
        ),
    ];
    for (name, help, bytes) in kinds {
        let mut family = out.family(name, Kind::Counter, help);
        for zone_traffic in traffic {
            let zone = zone(zone_traffic);
            for (transport, figures) in &zone_traffic.transports {
                let labels = [("zone", &*zone), ("transport", transport.name())];
                family.sample(&labels, bytes(figures));
            }
        }
    }
}

/// Of zones that nobody has ever asked for, there is no sample.
fn transfers(traffic: &[Traffic], out: &mut Exposition) {
    let asked = |zone_traffic: &&Traffic| {
        zone_traffic.transfers.iter().any(|(_, figures)| *figures != TransferFigures::default())
    };
    let help = "Transfers of zones to secondaries, by zone, kind and result.";
    let mut family = out.family("dnsbld_transfers_total", Kind::Counter, help);
    for zone_traffic in traffic.iter().filter(asked) {
        let zone = zone(zone_traffic);
        for (kind, figures) in zone_traffic.transfers {
            let TransferFigures { sent, unfinished, refused, .. } = figures;
            for (result, count) in
                [("sent", sent), ("unfinished", unfinished), ("refused", refused)]
            {
                let labels = [("zone", &*zone), ("kind", kind.name()), ("result", result)];
                family.sample(&labels, count);
            }
        }
    }
    let kinds: [Figure<TransferFigures, u64>; 2] = [
        (
            "dnsbld_transfer_records_total",
            "Records that secondaries have taken, by zone and kind.",
            |figures| figures.records,
        ),
        (
            "dnsbld_transfer_bytes_total",
            "Bytes of the messages that secondaries have taken, by zone and kind.",
            |figures| figures.bytes,
        ),
    ];
    for (name, help, of) in kinds {
        let mut family = out.family(name, Kind::Counter, help);
        for zone_traffic in traffic.iter().filter(asked) {
            let zone = zone(zone_traffic);
            for (kind, figures) in &zone_traffic.transfers {
                family.sample(&[("zone", &*zone), ("kind", kind.name())], of(figures));
            }
        }
    }
}

fn times(times: &Histogram, out: &mut Exposition) {
    let help = "Time to make an answer, without the system's part; of 1 in 1024 queries.";
    let bounds = (0..BUCKETS).map_while(Histogram::bound).map(|bound| bound.as_secs_f64());
    let buckets = iter::zip(bounds, times.buckets);
    let (above, sum) = (times.buckets[BUCKETS - 1], times.sum.as_secs_f64());
    let mut family = out.family("dnsbld_answer_duration_seconds", Kind::Histogram, help);
    family.histogram(buckets, above, sum);
}
