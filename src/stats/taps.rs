//! Where queries are logged one by one: the query log and dnstap, and which of them are.

use super::dnstap::{self, Dnstap, Ends};
use super::query_log::{self, QueryLog, question};
use crate::config::{self, OnlyAnswers, QueryFilter};
use crate::engine::{Catalog, Request};
use crate::event::EventSink;
use crate::status::LostQueries;
use crate::wire::name::{Labels, NameBuf};
use crate::wire::{HEADER, Rcode};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The query log and dnstap of a server, as far as they are on.
#[derive(Default)]
pub struct Taps {
    filter: QueryFilter,
    query_log: Option<QueryLog>,
    dnstap: Option<Dnstap>,
}

impl Taps {
    /// Starts what the settings have.
    ///
    /// # Errors
    ///
    /// When the system has no thread left.
    pub fn start(server: &config::Server, sink: &Arc<dyn EventSink>) -> io::Result<Self> {
        let identity = server.id.as_deref().unwrap_or_default();
        let query_log = server.query_log.as_ref().map(|log| QueryLog::start(log, sink));
        let dnstap =
            server.dnstap.as_ref().map(|socket| Dnstap::start(socket.clone(), identity, sink));
        let filter = server.query_filter.clone();
        Ok(Self { filter, query_log: query_log.transpose()?, dnstap: dnstap.transpose()? })
    }

    /// Opens the file of the query log anew: it may have been renamed.
    pub fn reopen(&self) {
        if let Some(log) = &self.query_log {
            log.reopen();
        }
    }

    /// Writes and sends what is left, unless that takes too long.
    pub fn stop(self) {
        if let Some(log) = self.query_log {
            log.stop();
        }
        if let Some(dnstap) = self.dnstap {
            dnstap.stop();
        }
    }

    /// What was lost since the start.
    pub fn lost(&self) -> LostQueries {
        LostQueries {
            query_log: self.query_log.as_ref().map(QueryLog::lost),
            dnstap: self.dnstap.as_ref().map(Dnstap::lost),
        }
    }

    /// The place of one worker; `None` if nothing is on.
    pub(super) fn tap(&self) -> Option<Box<Tap>> {
        let log = self.query_log.as_ref().map(QueryLog::lane);
        let dnstap = self.dnstap.as_ref().map(Dnstap::lane);
        if log.is_none() && dnstap.is_none() {
            return None;
        }
        let (filter, passed) = (self.filter.clone(), AtomicU32::new(0));
        Some(Box::new(Tap { filter, passed, log, dnstap }))
    }
}

/// Where one worker logs.
#[derive(Debug)]
pub(super) struct Tap {
    filter: QueryFilter,
    /// How many queries a sample was taken of.
    passed: AtomicU32,
    log: Option<query_log::Lane>,
    dnstap: Option<dnstap::Lane>,
}

impl Tap {
    /// Logs a query and its answer, if the filter lets them pass.
    pub(super) fn take(
        &self,
        catalog: &Catalog,
        request: &Request<'_>,
        answer: &[u8],
        ends: impl FnOnce() -> Ends,
    ) {
        if !self.passes(request.query, answer) {
            return;
        }
        if let Some(log) = &self.log {
            log.log(request, answer);
        }
        if let Some(dnstap) = &self.dnstap {
            dnstap.take(request, answer, ends(), apex(catalog, request.query));
        }
    }

    fn passes(&self, query: &[u8], answer: &[u8]) -> bool {
        let QueryFilter { only, zones, sample } = &self.filter;
        let is_wanted = only.is_none_or(|only| is_one_of(answer, only));
        let is_inside = || match question(query) {
            Some((name, _)) => zones.iter().any(|zone| is_below(name, zone)),
            None => false,
        };
        is_wanted
            && (zones.is_empty() || is_inside())
            && self.passed.fetch_add(1, Ordering::Relaxed).is_multiple_of(sample.get())
    }
}

fn is_one_of(answer: &[u8], only: OnlyAnswers) -> bool {
    let Some(header) = answer.first_chunk::<HEADER>() else { return false };
    let (code, answers) = (header[3] & 0x0f, &header[6..8]);
    only.listed && code == 0 && *answers != [0, 0] || only.refused && code == Rcode::Refused as u8
}

/// True if a name (wire form, in any case) is at or below an apex.
fn is_below(name: &[u8], apex: &NameBuf) -> bool {
    let apex = apex.as_wire();
    let mut start = 0;
    for label in Labels::of(name) {
        if name.len() - start <= apex.len() {
            break;
        }
        start += label.len() + 1;
    }
    name[start..].eq_ignore_ascii_case(apex)
}

/// The apex of the zone that a query belongs to, in wire form; empty if there is none.
fn apex<'c>(catalog: &'c Catalog, query: &[u8]) -> &'c [u8] {
    let Some((name, _)) = question(query) else { return &[] };
    // A name has at most 127 labels, and the root.
    let (mut starts, mut count, mut start) = ([0; 128], 0, 0);
    for label in Labels::of(name) {
        starts[count] = start as u8;
        (count, start) = (count + 1, start + label.len() + 1);
    }
    starts[count] = start as u8;
    let found = catalog.find(name, &starts[..=count], &mut 0);
    found.map_or(&[], |found| found.zone.apex.as_wire())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tap(filter: QueryFilter) -> Tap {
        Tap { filter, passed: AtomicU32::new(0), log: None, dnstap: None }
    }

    fn query(name: &str) -> Vec<u8> {
        let name: NameBuf = name.parse().unwrap();
        [&[0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], name.as_wire(), &[0, 1, 0, 1]].concat()
    }

    #[test]
    fn names_below_the_zones_of_the_filter_pass() {
        let zones = vec!["bl.test".parse().unwrap()];
        let tap = tap(QueryFilter { zones, ..QueryFilter::default() });
        for (name, passes) in [
            ("bl.test", true),
            ("1.BL.test", true),
            ("a.b.c.bl.test", true),
            ("xbl.test", false),
            ("test", false),
            ("bl.test.x", false),
        ] {
            assert_eq!(tap.passes(&query(name), &query(name)), passes, "{name}");
        }
        assert!(!tap.passes(b"no query", &query("bl.test")));
    }

    #[test]
    fn only_the_answers_of_the_filter_pass() {
        let answer = |code: u8, answers: u8| {
            let mut answer = query("bl.test");
            (answer[3], answer[7]) = (0x80 | code, answers);
            answer
        };
        let passing = |listed, refused| {
            let only = Some(OnlyAnswers { listed, refused });
            let tap = tap(QueryFilter { only, ..QueryFilter::default() });
            [(0, 1), (0, 0), (3, 0), (5, 0)]
                .map(|(code, answers)| tap.passes(&query("bl.test"), &answer(code, answers)))
        };
        assert_eq!(passing(true, false), [true, false, false, false]);
        assert_eq!(passing(false, true), [false, false, false, true]);
        assert_eq!(passing(true, true), [true, false, false, true]);
    }

    #[test]
    fn one_of_so_many_passes() {
        let tap = tap(QueryFilter { sample: 10.try_into().unwrap(), ..QueryFilter::default() });
        let query = query("bl.test");
        let passed = (0..100).filter(|_| tap.passes(&query, &query)).count();
        assert_eq!(passed, 10);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(query: Vec<u8>, answer: Vec<u8>) {
            let zones = vec!["bl.test".parse().unwrap()];
            let only = Some(OnlyAnswers { listed: true, refused: true });
            let tap = tap(QueryFilter { zones, only, ..QueryFilter::default() });
            for query in [&query[..], &[&[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], &query[..]].concat()] {
                let _ = tap.passes(query, &answer);
                let _ = apex(&Catalog::default(), query);
            }
        }
    }
}
