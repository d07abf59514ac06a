//! What is counted of queries: by the zone they are for, by worker, by what they ask, and by why they got
//! their answer.

use super::TransferCounts;
use crate::wire::{Rcode, Type};
use std::collections::BTreeMap;
use std::iter::Sum;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Why a query got the answer it got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// Records of the type asked.
    Answered,
    /// The name exists, the type does not.
    NoData,
    /// The name does not exist.
    NxDomain,
    /// Not a zone of ours, or not a class we serve.
    Refused,
    /// The zone was never loaded, or has expired.
    ServFail,
    /// A malformed message.
    FormErr,
    /// A kind of query we do not implement.
    NotImp,
    /// An EDNS version we do not know.
    BadVers,
    /// A cookie was demanded that the client did not show.
    BadCookie,
    /// Not the apex of a zone of ours, of which the client wants all; or a signature that does not hold.
    NotAuth,
    /// A question about the server itself.
    Chaos,
    /// Some records of the answer did not fit, and the client was told to use TCP. A negative answer
    /// is counted as what it is.
    Truncated,
    /// An access list or a quota refuses the client or its key.
    Denied,
    /// An access list or a quota says not to answer the client or its key.
    Ignored,
    /// The client asks too often, and was told to use TCP.
    RateLimited,
    /// Not a query at all.
    Dropped,
}

impl Reason {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 16] = [
        Self::Answered,
        Self::NoData,
        Self::NxDomain,
        Self::Refused,
        Self::ServFail,
        Self::FormErr,
        Self::NotImp,
        Self::BadVers,
        Self::BadCookie,
        Self::NotAuth,
        Self::Chaos,
        Self::Truncated,
        Self::Denied,
        Self::Ignored,
        Self::RateLimited,
        Self::Dropped,
    ];

    /// The response code of an answer for this reason; `None` if there is no answer.
    pub fn rcode(self) -> Option<Rcode> {
        Some(match self {
            Self::Answered | Self::NoData | Self::Truncated | Self::RateLimited | Self::Chaos => {
                Rcode::NoError
            }
            Self::NxDomain => Rcode::NxDomain,
            Self::ServFail => Rcode::ServFail,
            Self::Refused | Self::Denied => Rcode::Refused,
            Self::FormErr => Rcode::FormErr,
            Self::NotImp => Rcode::NotImp,
            Self::BadVers => Rcode::BadVers,
            Self::BadCookie => Rcode::BadCookie,
            Self::NotAuth => Rcode::NotAuth,
            Self::Ignored | Self::Dropped => return None,
        })
    }
}

/// The type that a query asks for, as far as it is counted apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QueryType {
    /// An IPv4 address.
    A,
    /// Text strings.
    Txt,
    /// An IPv6 address.
    Aaaa,
    /// An authoritative name server.
    Ns,
    /// The start of a zone of authority.
    Soa,
    /// A mail exchange.
    Mx,
    /// All records.
    Any,
    /// Another type.
    Other,
    /// No question was read.
    Unread,
}

impl QueryType {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::A,
        Self::Txt,
        Self::Aaaa,
        Self::Ns,
        Self::Soa,
        Self::Mx,
        Self::Any,
        Self::Other,
        Self::Unread,
    ];

    /// Its mnemonic, `other`, or `unread`.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Txt => "TXT",
            Self::Aaaa => "AAAA",
            Self::Ns => "NS",
            Self::Soa => "SOA",
            Self::Mx => "MX",
            Self::Any => "ANY",
            Self::Other => "other",
            Self::Unread => "unread",
        }
    }

    /// What this type is counted as.
    #[inline(always)]
    pub fn of(qtype: Type) -> Self {
        BY_NUMBER[usize::from(qtype.0).min(BY_NUMBER.len() - 1)]
    }
}

/// [`QueryType::of`] of each number of a type; the last stands for all above it.
static BY_NUMBER: [QueryType; 257] = {
    let mut all = [QueryType::Other; 257];
    all[Type::A.0 as usize] = QueryType::A;
    all[Type::TXT.0 as usize] = QueryType::Txt;
    all[Type::AAAA.0 as usize] = QueryType::Aaaa;
    all[Type::NS.0 as usize] = QueryType::Ns;
    all[Type::SOA.0 as usize] = QueryType::Soa;
    all[Type::MX.0 as usize] = QueryType::Mx;
    all[Type::ANY.0 as usize] = QueryType::Any;
    all
};

/// How many queries came for each type, how many were answered for each reason and with each A value, and
/// the bytes of these queries and answers; and what became of transfers.
///
/// There is a cell for each worker, which alone writes it; anybody may read. Clones count into the
/// same cells, so that counts outlive the catalogs they were made with.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    cells: Arc<[Cell]>,
    transfers: TransferCounts,
}

/// Aligned so that no two workers share a cache line, nor two lines that are fetched together.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Cell {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    queries: [AtomicU64; Reason::ALL.len()],
    types: [AtomicU64; QueryType::ALL.len()],
    spared: AtomicU64,
    values: ValueCell,
}

impl Counters {
    /// Counters of that many workers, all at zero. Those of no worker, the default, count nothing.
    pub fn new(workers: usize) -> Self {
        let cells = (0..workers).map(|_| Cell::default()).collect();
        Self { cells, transfers: TransferCounts::default() }
    }

    /// Counts a query of `bytes_in` bytes that got an answer of `bytes_out`, 0 for none.
    #[inline(always)]
    pub(crate) fn count(
        &self,
        worker: usize,
        qtype: QueryType,
        reason: Reason,
        bytes_in: usize,
        bytes_out: usize,
    ) {
        let Some(cell) = self.cells.get(worker) else { return };
        add(&cell.bytes_in, bytes_in as u64);
        add(&cell.bytes_out, bytes_out as u64);
        add(&cell.queries[reason as usize], 1);
        add(&cell.types[qtype as usize], 1);
    }

    /// Counts a query that a rate limit in a dry run let pass.
    pub(crate) fn count_spared(&self, worker: usize) {
        if let Some(cell) = self.cells.get(worker) {
            add(&cell.spared, 1);
        }
    }

    /// Counts an A record of an answer.
    #[inline(always)]
    pub(crate) fn count_value(&self, worker: usize, value: Ipv4Addr) {
        if let Some(cell) = self.cells.get(worker) {
            cell.values.count(value.to_bits());
        }
    }

    /// Where transfers are counted, which no worker is concerned with.
    pub fn transfers(&self) -> &TransferCounts {
        &self.transfers
    }

    /// What all workers have counted by now.
    pub fn figures(&self) -> Figures {
        self.figures_of(0..self.cells.len())
    }

    /// What these workers have counted by now.
    pub fn figures_of(&self, workers: Range<usize>) -> Figures {
        self.cells.get(workers).unwrap_or_default().iter().map(Cell::figures).sum()
    }

    /// How many A records of each value all workers have counted by now.
    pub fn values(&self) -> Values {
        let mut sum = Values::default();
        for cell in &*self.cells {
            cell.values.add_to(&mut sum);
        }
        sum
    }
}

impl Cell {
    fn figures(&self) -> Figures {
        Figures {
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            queries: load_all(&self.queries),
            types: load_all(&self.types),
            spared: self.spared.load(Ordering::Relaxed),
        }
    }
}

fn load_all<const N: usize>(counters: &[AtomicU64; N]) -> [u64; N] {
    std::array::from_fn(|index| counters[index].load(Ordering::Relaxed))
}

/// Load and store instead of an atomic add: there is a single writer, and the locked instruction
/// would cost more than the rest of the bookkeeping.
#[inline(always)]
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

/// The A values of one worker: a hash table of the first values seen, from which none is ever removed.
#[derive(Debug, Default)]
struct ValueCell {
    /// The value of each slot; 0 while it is free.
    keys: [AtomicU32; MAX_VALUES],
    counts: [AtomicU64; MAX_VALUES],
    /// What found no slot.
    others: AtomicU64,
}

/// The most values of a zone that are counted apart.
pub const MAX_VALUES: usize = 16;

impl ValueCell {
    /// The values of a zone mostly differ in their last bits alone, by which they are found.
    #[inline(always)]
    fn count(&self, value: u32) {
        let slot = value as usize % MAX_VALUES;
        match self.keys[slot].load(Ordering::Relaxed) == value {
            true => add(&self.counts[slot], 1),
            false => self.count_elsewhere(value, slot),
        }
    }

    #[cold]
    #[inline(never)]
    fn count_elsewhere(&self, value: u32, slot: usize) {
        for slot in (slot..MAX_VALUES).chain(0..slot).filter(|_| value != 0) {
            let key = &self.keys[slot];
            if key.load(Ordering::Relaxed) == 0 {
                key.store(value, Ordering::Relaxed);
            }
            if key.load(Ordering::Relaxed) == value {
                return add(&self.counts[slot], 1);
            }
        }
        add(&self.others, 1);
    }

    fn add_to(&self, sum: &mut Values) {
        for (key, count) in self.keys.iter().zip(&self.counts) {
            let (key, count) = (key.load(Ordering::Relaxed), count.load(Ordering::Relaxed));
            if count > 0 {
                *sum.counts.entry(key.into()).or_default() += count;
            }
        }
        sum.others += self.others.load(Ordering::Relaxed);
    }
}

/// How many A records were sent, by their value.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Values {
    /// Those of the first values that each worker saw.
    pub counts: BTreeMap<Ipv4Addr, u64>,
    /// Those of other values.
    pub others: u64,
}

/// Counts as they were at some time, or what was counted between two times.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    /// Bytes of the queries, without what carried them.
    pub bytes_in: u64,
    /// Bytes of the answers, without what carried them.
    pub bytes_out: u64,
    /// Queries that a rate limit would have limited, but for its dry run.
    pub spared: u64,
    queries: [u64; Reason::ALL.len()],
    types: [u64; QueryType::ALL.len()],
}

impl Figures {
    /// The number of queries answered for this reason.
    pub fn queries(&self, reason: Reason) -> u64 {
        self.queries[reason as usize]
    }

    /// The number of all queries.
    pub fn all(&self) -> u64 {
        self.queries.iter().sum()
    }

    /// The number of queries that were answered with records.
    pub fn listed(&self) -> u64 {
        self.queries(Reason::Answered) + self.queries(Reason::Truncated)
    }

    /// The number of queries of this type.
    pub fn queries_of(&self, qtype: QueryType) -> u64 {
        self.types[qtype as usize]
    }

    /// What was counted since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        self.combine(earlier, u64::wrapping_sub)
    }

    fn combine(&self, other: &Self, how: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            bytes_in: how(self.bytes_in, other.bytes_in),
            bytes_out: how(self.bytes_out, other.bytes_out),
            spared: how(self.spared, other.spared),
            queries: std::array::from_fn(|index| how(self.queries[index], other.queries[index])),
            types: std::array::from_fn(|index| how(self.types[index], other.types[index])),
        }
    }
}

impl Sum for Figures {
    fn sum<I: Iterator<Item = Self>>(figures: I) -> Self {
        figures.fold(Self::default(), |sum, next| sum.combine(&next, u64::wrapping_add))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_counted_as_what_they_are() {
        for (qtype, counted) in [
            (Type::A, QueryType::A),
            (Type::TXT, QueryType::Txt),
            (Type::ANY, QueryType::Any),
            (Type(0), QueryType::Other),
            (Type(254), QueryType::Other),
            // CAA, whose low byte is that of A.
            (Type(257), QueryType::Other),
            (Type(u16::MAX), QueryType::Other),
        ] {
            assert_eq!(QueryType::of(qtype), counted, "{qtype:?}");
        }
        for (number, qtype) in QueryType::ALL.into_iter().enumerate() {
            assert_eq!(qtype as usize, number);
        }
    }

    #[test]
    fn the_first_values_of_a_worker_are_counted_apart() {
        let counters = Counters::new(2);
        // All compete for one slot.
        let value = |number: u32| Ipv4Addr::from_bits(0x7f00_0002 + number * MAX_VALUES as u32);
        for number in 0..20 {
            (0..=number).for_each(|_| counters.count_value(0, value(number)));
        }
        counters.count_value(0, Ipv4Addr::UNSPECIFIED);
        counters.count_value(1, value(3));
        counters.count_value(1, value(19));
        counters.count_value(2, value(0));
        let Values { counts, others } = counters.values();
        let mut want: BTreeMap<_, _> =
            (0..16).map(|number| (value(number), u64::from(number) + 1)).collect();
        want.extend([(value(3), 4 + 1), (value(19), 1)]);
        assert_eq!(counts, want);
        assert_eq!(others, 17 + 18 + 19 + 20 + 1);
    }

    #[test]
    fn figures_of_some_workers_are_theirs() {
        let counters = Counters::new(3);
        for worker in 0..3 {
            counters.count(worker, QueryType::A, Reason::Answered, 1 << worker, 100);
        }
        assert_eq!(counters.figures_of(0..2).bytes_in, 3);
        assert_eq!(counters.figures_of(2..3).queries_of(QueryType::A), 1);
        assert_eq!(counters.figures_of(2..4), Figures::default(), "there is no such worker");
        assert_eq!(counters.figures().queries(Reason::Answered), 3);
    }
}
