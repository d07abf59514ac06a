//! The allowances of prefixes, in a table of fixed size.
//!
//! A bucket has the time until which its prefix has used up its allowance. Addresses are told apart by tags: no two
//! of IPv4 share a bucket unless both of its neighbours are busy, and two of IPv6 once in four billion. Shorter
//! prefixes have no tags: two that share a bucket ask less together than the many times that each of them may.

use crate::zone::{IP4_PREFIXES, IP6_PREFIXES, RateLimit, SECOND};
use std::hash::{BuildHasher as _, RandomState};

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
    buckets: Box<[u64; 4 * BUCKETS]>,
}

impl Table {
    /// All allowances are whole.
    #[cold]
    pub(super) fn new() -> Self {
        Self::with_key(RandomState::new().hash_one(SECOND))
    }

    pub(super) fn with_key(key: u64) -> Self {
        let buckets = vec![0; 4 * BUCKETS].into_boxed_slice();
        // It has this length.
        let buckets = buckets.try_into().unwrap_or_else(|_| Box::new([0; 4 * BUCKETS]));
        Self { key: key | 1, buckets }
    }

    /// Takes a query at that time, in seconds since 1970, off the allowances of an address and its prefixes; false if
    /// one has not enough left. Prefixes longer than that one have paid then.
    #[inline(always)]
    pub(super) fn take_ip4(&mut self, limit: &RateLimit, client: u32, now: u64) -> bool {
        let key = self.key as u32;
        let now = now.wrapping_mul(SECOND) & TIME;
        let taken = self.take_address(client.wrapping_mul(key), limit, limit.ip4_costs[0], now);
        let mut take = |number: usize| {
            let prefix = client & u32::MAX << (u32::BITS - IP4_PREFIXES[number].0);
            let hash = prefix.wrapping_mul(key);
            self.take_prefix(number, hash, limit, limit.ip4_costs[number], now)
        };
        taken && take(1) && take(2) && take(3)
    }

    /// The same for IPv6.
    #[inline(always)]
    pub(super) fn take_ip6(&mut self, limit: &RateLimit, client: u128, now: u64) -> bool {
        let key = self.key;
        let now = now.wrapping_mul(SECOND) & TIME;
        let (site, host) = ((client >> 64) as u64, client as u64);
        // The upper half of a product depends on all bits.
        let hash = |bits: u64| (bits.wrapping_mul(key) >> 32) as u32;
        let address = host ^ site.wrapping_mul(key).rotate_left(32);
        let taken = self.take_address(hash(address), limit, limit.ip6_costs[0], now);
        let mut take = |number: usize| {
            let prefix = site & u64::MAX << (u64::BITS - IP6_PREFIXES[number].0);
            self.take_prefix(number, hash(prefix), limit, limit.ip6_costs[number], now)
        };
        taken && take(1) && take(2) && take(3)
    }

    #[inline(always)]
    fn take_address(&mut self, hash: u32, limit: &RateLimit, cost: u64, now: u64) -> bool {
        let (mut slot, tag) = ((hash >> TAG_BITS) as usize, u64::from(hash) << TIME_BITS);
        let mut until = self.buckets[slot] ^ tag;
        if until > TIME {
            (slot, until) = self.find_address(slot, tag);
        }
        let taken = take(until, limit, cost, now);
        if let Some(until) = taken {
            self.buckets[slot & (BUCKETS - 1)] = tag | until;
        }
        taken.is_some()
    }

    #[inline(always)]
    fn take_prefix(
        &mut self,
        number: usize,
        hash: u32,
        limit: &RateLimit,
        cost: u64,
        now: u64,
    ) -> bool {
        let bucket = &mut self.buckets[number * BUCKETS + (hash >> TAG_BITS) as usize];
        let taken = take(*bucket, limit, cost, now);
        if let Some(until) = taken {
            *bucket = until;
        }
        taken.is_some()
    }

    /// The bucket of an address that is not in its first place, and the time in it.
    ///
    /// If it has none, it takes the one of two that has more of its allowance left, with what was used up: nobody
    /// gets a new allowance by having others displace him.
    #[cold]
    #[inline(never)]
    fn find_address(&mut self, slot: usize, tag: u64) -> (usize, u64) {
        let other = slot ^ 1;
        let until = self.buckets[other] ^ tag;
        if until <= TIME {
            return (other, until);
        }
        let slot =
            if self.buckets[other] & TIME < self.buckets[slot] & TIME { other } else { slot };
        (slot, self.buckets[slot] & TIME)
    }
}

/// The time until which a prefix has used up its allowance after a query, if there was enough left.
#[inline(always)]
fn take(until: u64, limit: &RateLimit, cost: u64, now: u64) -> Option<u64> {
    let next = until.max(now) + cost;
    if next > now + limit.tolerance {
        return after_a_jump(until, limit, cost, now);
    }
    Some(next)
}

/// The same where not enough is left, unless the clock was set back: nobody is that far ahead of it.
#[cold]
#[inline(never)]
fn after_a_jump(until: u64, limit: &RateLimit, cost: u64, now: u64) -> Option<u64> {
    (until > now + limit.tolerance).then_some(now + cost)
}
