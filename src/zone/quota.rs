//! Quotas: how much may be asked in a period, over whatever transport.

use super::Dataset;
use crate::listing::{Answer, AnswerId, AnswersBuilder};
use ipnet::IpNet;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use xxhash_rust::xxh3::xxh3_64;

/// The most subjects of a quota that are told apart in a period.
const ROOM: usize = 1 << 14;

/// The buckets that are looked at for a subject.
const PROBES: usize = 8;

/// A bound of the queries in a period, for each of its subjects.
#[derive(Debug)]
pub struct Quota {
    /// What is counted.
    pub subject: QuotaSubject,
    /// The queries in each period.
    pub queries: u32,
    /// The length of a period, in seconds; periods begin at multiples of it since 1970.
    pub period: u64,
    /// What is answered beyond it.
    pub answer: QuotaAnswer,
    /// The clients that are not counted.
    pub exempt: Vec<IpNet>,
    /// Where it is counted.
    pub counts: QuotaCounts,
}

/// What a quota is counted for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QuotaSubject {
    /// Each prefix of these lengths that clients without a key ask from.
    Client {
        /// The length for IPv4.
        ip4: u8,
        /// The length for IPv6.
        ip6: u8,
    },
    /// Each known key of an access list.
    Key,
    /// Each zone as a whole.
    Zone,
}

/// What is answered beyond a quota.
#[derive(Debug)]
pub enum QuotaAnswer {
    /// REFUSED.
    Refuse,
    /// Nothing is listed.
    Empty,
    /// Nothing.
    Ignore,
    /// All keys of the lists are listed, with this answer of this dataset.
    Listed(Arc<Dataset>, AnswerId),
}

impl QuotaAnswer {
    /// Lists all keys with this value and template of the TXT record, whose TTL is in seconds.
    pub fn listed(a: Ipv4Addr, text: &str, ttl: u32) -> Self {
        let mut builder = AnswersBuilder::default();
        let values: Vec<_> = builder.value(a, text.as_bytes()).into_iter().collect();
        let id = builder.answer(&values);
        let (answers, numbers) = builder.finish([id]);
        let dataset = Dataset { answers, ttl, ..Dataset::default() };
        Self::Listed(Arc::new(dataset), numbers.get(id))
    }

    /// The dataset that stands for all lists, and its answer.
    pub(crate) fn value(&self) -> Option<(&Dataset, Answer<'_>)> {
        match self {
            Self::Listed(dataset, answer) => Some((dataset, dataset.answers.get(*answer))),
            _ => None,
        }
    }
}

impl Quota {
    /// Counts a query at that time, in seconds since 1970, for its subject: the hash of a known key in the name, the
    /// client, or the zone with this apex in wire form. True if it is beyond the quota.
    pub(crate) fn is_beyond(
        &self,
        key: Option<u64>,
        client: IpAddr,
        apex: &[u8],
        now: u64,
    ) -> bool {
        if self.exempt.iter().any(|prefix| prefix.contains(&client)) {
            return false;
        }
        let hash = match (self.subject, key) {
            (QuotaSubject::Client { .. }, Some(_)) | (QuotaSubject::Key, None) => return false,
            (QuotaSubject::Key, Some(key)) => key,
            (QuotaSubject::Client { ip4, ip6 }, None) => prefix_hash(client, ip4, ip6),
            (QuotaSubject::Zone, _) => xxh3_64(apex),
        };
        // Nobody can choose addresses or keys that fall into the buckets of another.
        let hash = self.counts.0.hasher.hash_one(hash);
        !self.counts.take(hash, self.queries, now / self.period.max(1))
    }
}

fn prefix_hash(client: IpAddr, ip4: u8, ip6: u8) -> u64 {
    match client {
        IpAddr::V4(client) => {
            let bits = client.to_bits().checked_shr(32_u32.saturating_sub(ip4.into()));
            xxh3_64(&bits.unwrap_or(0).to_be_bytes())
        }
        IpAddr::V6(client) => {
            let bits = client.to_bits().checked_shr(128_u32.saturating_sub(ip6.into()));
            xxh3_64(&bits.unwrap_or(0).to_be_bytes())
        }
    }
}

/// The counts of a quota, which all workers share, in a table of fixed size. Clones count into the same table, so that
/// counts outlive the catalogs they were made with.
#[derive(Clone, Debug)]
pub struct QuotaCounts(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    /// Its key is known to nobody.
    hasher: RandomState,
    /// The number of the period that is counted.
    period: AtomicU64,
    /// Queries beyond the quota since the start.
    beyond: AtomicU64,
    /// The upper half is the tag of a subject, never 0, the lower its queries; 0 while the bucket is free.
    buckets: Box<[AtomicU64]>,
}

impl Default for QuotaCounts {
    fn default() -> Self {
        let buckets = (0..ROOM).map(|_| AtomicU64::new(0)).collect();
        let (hasher, period, beyond) = Default::default();
        Self(Arc::new(Counts { hasher, period, beyond, buckets }))
    }
}

impl QuotaCounts {
    /// The queries beyond the quota since the start.
    pub fn beyond(&self) -> u64 {
        self.0.beyond.load(Ordering::Relaxed)
    }

    /// Counts a query for the subject with this hash in a period; false if there were that many before.
    pub(crate) fn take(&self, hash: u64, queries: u32, period: u64) -> bool {
        let Counts { period: current, beyond, buckets, .. } = &*self.0;
        if current.load(Ordering::Relaxed) != period
            && current.swap(period, Ordering::Relaxed) != period
        {
            buckets.iter().for_each(|bucket| bucket.store(0, Ordering::Relaxed));
        }
        let (bucket, before) = self.bucket(hash);
        let is_within = before < queries;
        if is_within {
            bucket.fetch_add(1, Ordering::Relaxed);
        } else {
            beyond.fetch_add(1, Ordering::Relaxed);
        }
        is_within
    }

    /// The bucket of a subject, and its queries until now.
    ///
    /// Where no bucket is free, the subject that has asked least makes way, and leaves what it has asked (space-saving):
    /// nobody can have others displace him to begin anew.
    fn bucket(&self, hash: u64) -> (&AtomicU64, u32) {
        let tag = (hash >> 32 | 1) << 32;
        let buckets = &self.0.buckets;
        let place = |probe: usize| &buckets[(hash as usize).wrapping_add(probe) % ROOM];
        let (mut lightest, mut least) = (place(0), u64::MAX);
        for probe in 0..PROBES {
            let bucket = place(probe);
            let free = bucket.compare_exchange(0, tag, Ordering::Relaxed, Ordering::Relaxed);
            let found = free.map_or_else(|found| found, |_| tag);
            if found & !u64::from(u32::MAX) == tag {
                return (bucket, found as u32);
            }
            if found & u64::from(u32::MAX) < least & u64::from(u32::MAX) {
                (lightest, least) = (bucket, found);
            }
        }
        let queries = least as u32;
        lightest.store(tag | u64::from(queries), Ordering::Relaxed);
        (lightest, queries)
    }
}

#[cfg(test)]
mod tests;
