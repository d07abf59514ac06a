//! What is counted of queries: by the zone they are for, by worker, and by why they got their answer.

use std::iter::Sum;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// A question about the server itself.
    Chaos,
    /// Some records of the answer did not fit, and the client was told to use TCP. A negative answer
    /// is counted as what it is.
    Truncated,
    /// An access list refuses the client or its key.
    Denied,
    /// An access list says not to answer the client or its key.
    Ignored,
    /// Not a query at all.
    Dropped,
}

impl Reason {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::Answered,
        Self::NoData,
        Self::NxDomain,
        Self::Refused,
        Self::ServFail,
        Self::FormErr,
        Self::NotImp,
        Self::BadVers,
        Self::Chaos,
        Self::Truncated,
        Self::Denied,
        Self::Ignored,
        Self::Dropped,
    ];
}

/// How many queries were answered for each reason, and the bytes of these queries and answers.
///
/// There is a cell for each worker, which alone writes it; anybody may read. Clones count into the
/// same cells, so that counts outlive the catalogs they were made with.
#[derive(Clone, Debug, Default)]
pub struct Counters(Arc<[Cell]>);

/// Aligned so that no two workers share a cache line, nor two lines that are fetched together.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Cell {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    queries: [AtomicU64; Reason::ALL.len()],
}

impl Counters {
    /// Counters of that many workers, all at zero. Those of no worker, the default, count nothing.
    pub fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| Cell::default()).collect())
    }

    /// Counts a query of `bytes_in` bytes that got an answer of `bytes_out`, 0 for none.
    #[inline(always)]
    pub(crate) fn count(&self, worker: usize, reason: Reason, bytes_in: usize, bytes_out: usize) {
        let Some(cell) = self.0.get(worker) else { return };
        add(&cell.bytes_in, bytes_in as u64);
        add(&cell.bytes_out, bytes_out as u64);
        add(&cell.queries[reason as usize], 1);
    }

    /// What all workers have counted by now.
    pub fn figures(&self) -> Figures {
        let mut sum = Figures::default();
        for cell in &*self.0 {
            sum.bytes_in += cell.bytes_in.load(Ordering::Relaxed);
            sum.bytes_out += cell.bytes_out.load(Ordering::Relaxed);
            for (sum, count) in sum.queries.iter_mut().zip(&cell.queries) {
                *sum += count.load(Ordering::Relaxed);
            }
        }
        sum
    }
}

/// Load and store instead of an atomic add: there is a single writer, and the locked instruction
/// would cost more than the rest of the bookkeeping.
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

/// Counts as they were at some time, or what was counted between two times.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    /// Bytes of the queries, without what carried them.
    pub bytes_in: u64,
    /// Bytes of the answers, without what carried them.
    pub bytes_out: u64,
    queries: [u64; Reason::ALL.len()],
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

    /// What was counted since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        self.combine(earlier, u64::wrapping_sub)
    }

    fn combine(&self, other: &Self, how: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            bytes_in: how(self.bytes_in, other.bytes_in),
            bytes_out: how(self.bytes_out, other.bytes_out),
            queries: std::array::from_fn(|index| how(self.queries[index], other.queries[index])),
        }
    }
}

impl Sum for Figures {
    fn sum<I: Iterator<Item = Self>>(figures: I) -> Self {
        figures.fold(Self::default(), |sum, next| sum.combine(&next, u64::wrapping_add))
    }
}
