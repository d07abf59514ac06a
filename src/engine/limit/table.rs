//! The allowances of prefixes, in a table of fixed size.
//!
//! A bucket has the time until which its prefix has used up its allowance. Addresses are told apart by tags: no two
//! of IPv4 share a bucket unless both of its neighbours are busy, and two of IPv6 once in four billion. Shorter
//! prefixes have no tags: two that share a bucket ask less together than the many times that each of them may.

use crate::zone::{IP4_PREFIXES, IP6_PREFIXES, LENGTHS, RateLimit, SECOND};
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;

/// The bits of the number of a bucket.
const INDEX_BITS: u32 = 14;

/// The buckets for prefixes of one length.
const BUCKETS: usize = 1 << INDEX_BITS;

/// The bits of a hash that are no number of a bucket.
const TAG_BITS: u32 = u32::BITS - INDEX_BITS;

/// The bits of the time in a bucket. The time begins anew every two years: somebody may be taken for another then.
const TIME_BITS: u32 = u64::BITS - TAG_BITS;

/// The part of a bucket that is the time.
const TIME: u64 = (1 << TIME_BITS) - 1;

/// The allowances: the buckets of addresses, then those of each length of shorter prefixes.
#[derive(Debug)]
pub(super) struct Table {
    /// Odd, and known to nobody: nobody can choose addresses that fall into one bucket.
    key: u64,
    buckets: Box<[u64; LENGTHS * BUCKETS]>,
}

impl Table {
    /// All allowances are whole.
    #[cold]
    pub(super) fn new() -> Self {
        Self::with_key(RandomState::new().hash_one(SECOND))
    }

    pub(super) fn with_key(key: u64) -> Self {
        let buckets = vec![0; LENGTHS * BUCKETS].into_boxed_slice();
        // It has this length.
        let buckets = buckets.try_into().unwrap_or_else(|_| Box::new([0; LENGTHS * BUCKETS]));
        Self { key: key | 1, buckets }
    }

    /// Takes a query at that time, in seconds since 1970, off the allowances of a client and its prefixes, the
    /// longest first. Gives how many of them had enough left for certain: the next one needs a
    /// [closer look](Self::take_rest), unless these are all.
    ///
    /// It calls nothing, so that it saves no registers.
    #[inline(always)]
    pub(super) fn take_surely_ip4(&mut self, limit: &RateLimit, client: u32, now: u64) -> usize {
        let key = self.key;
        let hash = |number| hash_ip4(key, client, number);
        self.take_all_surely(hash, &limit.ip4_costs, Time::new(limit, now))
    }

    /// The same for IPv6.
    #[inline(always)]
    pub(super) fn take_surely_ip6(&mut self, limit: &RateLimit, client: u128, now: u64) -> usize {
        let key = self.key;
        let hash = |number| hash_ip6(key, client, number);
        self.take_all_surely(hash, &limit.ip6_costs, Time::new(limit, now))
    }

    #[inline(always)]
    fn take_all_surely(
        &mut self,
        hash: impl Fn(usize) -> u32,
        costs: &[u64; LENGTHS],
        time: Time,
    ) -> usize {
        let (slot, tag) = place(hash(0));
        let address = &mut self.buckets[slot];
        let until = *address ^ tag;
        // The bucket of another address reads as a number that is later than any time.
        let next = time.after(until, costs[0]);
        if next > time.latest {
            return 0;
        }
        *address = tag | next;
        let mut take = |number: usize| {
            let bucket = &mut self.buckets[number * BUCKETS + place(hash(number)).0];
            let next = time.after(*bucket, costs[number]);
            let is_within = next <= time.latest;
            if is_within {
                *bucket = next;
            }
            is_within
        };
        // No loop, so that lengths and costs are constants and fields.
        match take(1) {
            false => 1,
            true if take(2) => LENGTHS,
            true => 2,
        }
    }

    /// Goes on where so many prefixes have paid; false if the next one or another has not enough left.
    #[cold]
    #[inline(never)]
    pub(super) fn take_rest(
        &mut self,
        paid: usize,
        limit: &RateLimit,
        client: IpAddr,
        now: u64,
    ) -> bool {
        let (key, time) = (self.key, Time::new(limit, now));
        (paid..LENGTHS).all(|number| {
            let (hash, cost) = match client {
                IpAddr::V4(client) => {
                    (hash_ip4(key, client.to_bits(), number), limit.ip4_costs[number])
                }
                IpAddr::V6(client) => {
                    (hash_ip6(key, client.to_bits(), number), limit.ip6_costs[number])
                }
            };
            let (place, tag) = place(hash);
            let (place, tag, until) = match number {
                0 => {
                    let (place, until) = self.find_address(place, tag);
                    (place, tag, until)
                }
                _ => {
                    let place = number * BUCKETS + place;
                    (place, 0, self.buckets[place])
                }
            };
            let next = time.after(until, cost);
            let next = match next > time.latest {
                false => next,
                // The clock was set back: nobody is that far ahead of it.
                true if until > time.latest => time.now + cost,
                true => return false,
            };
            self.buckets[place] = tag | next;
            true
        })
    }

    /// The bucket of an address, which is its first place or the one beside that, and the time in it.
    ///
    /// If it has none, it takes the one of the two that has more of its allowance left, with what was used up: nobody
    /// gets a new allowance by having others displace him.
    fn find_address(&self, first: usize, tag: u64) -> (usize, u64) {
        let places = [first, first ^ 1];
        let is_own = |place: &usize| self.buckets[*place] ^ tag <= TIME;
        let used_up = |place: usize| self.buckets[place] & TIME;
        let place = places.into_iter().find(is_own);
        let place = place
            .unwrap_or_else(|| if used_up(places[1]) < used_up(first) { places[1] } else { first });
        (place, used_up(place))
    }
}

/// The time of a query.
#[derive(Clone, Copy)]
struct Time {
    now: u64,
    /// How far a prefix may be ahead.
    latest: u64,
}

impl Time {
    /// `now` is in seconds since 1970.
    #[inline(always)]
    fn new(limit: &RateLimit, now: u64) -> Self {
        let now = now.wrapping_mul(SECOND) & TIME;
        Self { now, latest: now + limit.tolerance }
    }

    /// The time until which a prefix has used up its allowance after a query, if it had until that time. It wraps for
    /// what is no time at all: for one in 2^18 of those who share a bucket, in the moment in which time begins anew.
    #[inline(always)]
    fn after(self, until: u64, cost: u64) -> u64 {
        until.max(self.now).wrapping_add(cost)
    }
}

/// The number of the bucket of a hash, and its tag.
#[inline(always)]
fn place(hash: u32) -> (usize, u64) {
    ((hash >> TAG_BITS) as usize, u64::from(hash) << TIME_BITS)
}

/// The hash of an IPv4 prefix.
#[inline(always)]
fn hash_ip4(key: u64, client: u32, number: usize) -> u32 {
    let prefix = client & u32::MAX << (u32::BITS - IP4_PREFIXES[number].0);
    prefix.wrapping_mul(key as u32)
}

/// The hash of an IPv6 prefix.
#[inline(always)]
fn hash_ip6(key: u64, client: u128, number: usize) -> u32 {
    let (site, host) = ((client >> 64) as u64, client as u64);
    let bits = match number {
        0 => host ^ site.wrapping_mul(key).rotate_left(32),
        _ => site & u64::MAX << (u64::BITS - IP6_PREFIXES[number].0),
    };
    // The upper half of a product depends on all bits.
    (bits.wrapping_mul(key) >> 32) as u32
}
