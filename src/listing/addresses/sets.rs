//! The rules of `ip4tset` and `ip6tset`: every entry has the same answer.

use super::sort::sort_by_u32;
use super::stream::Overlay;
use super::{Addresses4, Addresses6, AnswerId, Form4, Form6, Range};

/// Collects the entries of an `ip4tset` dataset: single addresses.
#[derive(Clone, Debug, Default)]
pub struct SetBuilder4 {
    addresses: Vec<u32>,
}

impl From<Vec<u32>> for SetBuilder4 {
    fn from(addresses: Vec<u32>) -> Self {
        Self { addresses }
    }
}

impl SetBuilder4 {
    /// Lists an address.
    #[inline]
    pub fn add(&mut self, address: u32) {
        self.addresses.push(address);
    }

    /// Lists addresses.
    pub fn add_all(&mut self, addresses: &[u32]) {
        self.addresses.extend_from_slice(addresses);
    }

    /// Gives every address this answer.
    pub fn finish(self, answer: AnswerId) -> Addresses4 {
        let mut addresses = self.addresses;
        if !is_in_order(&addresses) {
            sort_by_u32(&mut addresses, |address| address);
            addresses.dedup();
        }
        Addresses4(Form4::Set(Set4 { addresses, answer }))
    }
}

/// Whether addresses are sorted and distinct. Compares many before it looks at what came of it, several
/// with one instruction.
fn is_in_order(addresses: &[u32]) -> bool {
    const MANY: usize = 1024;
    let next = addresses.get(1..).unwrap_or(&[]);
    addresses.chunks(MANY).zip(next.chunks(MANY)).all(|(addresses, next)| {
        addresses.iter().zip(next).fold(true, |in_order, (a, b)| in_order & (a < b))
    })
}

/// Single addresses with one answer.
#[derive(Clone, Debug)]
pub(super) struct Set4 {
    addresses: Vec<u32>,
    answer: AnswerId,
}

impl Set4 {
    pub(super) fn segments(&self) -> impl Iterator<Item = Range<u32>> {
        let answer = self.answer;
        self.addresses.iter().map(move |&address| Range { start: address, end: address, answer })
    }

    pub(super) fn singles(&self) -> (&[u32], AnswerId) {
        (&self.addresses, self.answer)
    }

    pub(super) fn memory(&self) -> usize {
        self.addresses.capacity() * size_of::<u32>()
    }

    pub(super) fn renumber(&mut self, number: &impl Fn(AnswerId) -> AnswerId) {
        self.answer = number(self.answer);
    }
}

/// Collects the entries of an `ip6tset` dataset: /64 networks, and single addresses in them that
/// are not listed.
#[derive(Clone, Debug, Default)]
pub struct SetBuilder6 {
    networks: Vec<u64>,
    exclusions: Vec<u128>,
}

impl SetBuilder6 {
    /// Lists the /64 network of this address.
    pub fn add(&mut self, address: u128) {
        self.networks.push((address >> 64) as u64);
    }

    /// Excludes an address.
    pub fn exclude(&mut self, address: u128) {
        self.exclusions.push(address);
    }

    /// The number of networks listed so far, and of addresses excluded.
    pub fn counts(&self) -> (u64, u64) {
        (self.networks.len() as u64, self.exclusions.len() as u64)
    }

    /// Gives every listed address this answer.
    pub fn finish(self, answer: AnswerId) -> Addresses6 {
        let Self { mut networks, mut exclusions } = self;
        networks.sort_unstable();
        networks.dedup();
        exclusions.sort_unstable();
        exclusions.dedup();
        Addresses6(Form6::Set(Set6 { networks, exclusions, answer }))
    }
}

/// /64 networks with one answer, without some addresses.
#[derive(Clone, Debug)]
pub(super) struct Set6 {
    networks: Vec<u64>,
    exclusions: Vec<u128>,
    answer: AnswerId,
}

impl Set6 {
    pub(super) fn segments(&self) -> impl Iterator<Item = Range<u128>> {
        let answer = self.answer;
        let excluded = self.exclusions.iter().map(|&address| Range {
            start: address,
            end: address,
            answer: AnswerId::NONE,
        });
        let networks = self.networks.iter().map(move |&network| {
            let start = u128::from(network) << 64;
            Range { start, end: start | u128::from(u64::MAX), answer }
        });
        Overlay::new(excluded, networks)
    }

    pub(super) fn renumber(&mut self, number: &impl Fn(AnswerId) -> AnswerId) {
        self.answer = number(self.answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_order_as_the_standard_library_does() {
        for len in [0, 1, 2, 3, 1023, 1024, 1025, 2048, 2049, 3000] {
            let sorted: Vec<u32> = (0..len).map(|n| n * 3).collect();
            assert!(is_in_order(&sorted), "{len}");
            for place in [1, 2, 1023, 1024, 1025, 2047, 2048, 2999] {
                let Some(&before) = sorted.get(place - 1) else { continue };
                for other in [before, before.wrapping_sub(1), u32::MAX] {
                    let mut addresses = sorted.clone();
                    let Some(address) = addresses.get_mut(place) else { continue };
                    *address = other;
                    let want = addresses.is_sorted_by(|a, b| a < b);
                    assert_eq!(is_in_order(&addresses), want, "{len} {place} {other}");
                }
            }
        }
    }
}
