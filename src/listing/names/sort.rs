//! Sorting names: by the order of their keys, and then by their place in the files.

use super::store::{Chunks, Partition, StoredName, entries};
use super::window;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

/// The number of sorted parts of each thread that may wait for the thread that takes them.
const AHEAD: usize = 1;

/// Eight bytes of a key, and below them the place of the entry, as one integer: integers sort fast.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct SortItem(u128);

impl SortItem {
    fn new(window: u64, place: u32) -> Self {
        Self(u128::from(window) << 32 | u128::from(place))
    }

    fn window(self) -> u64 {
        (self.0 >> 32) as u64
    }

    fn place(self) -> u32 {
        self.0 as u32
    }
}

/// The entries of a part in the order of the names; those of one name in the order of the files.
#[derive(Default)]
pub(super) struct Sorted(Vec<u8>);

impl Sorted {
    /// The entries of each name.
    pub(super) fn names(
        &self,
    ) -> impl Iterator<Item = impl Iterator<Item = StoredName<'_>> + Clone> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let name = entries(rest).next()?.key;
            let same = entries(rest).take_while(|entry| entry.key == name);
            let (of_name, others) = rest.split_at(same.map(|entry| entry.size()).sum());
            rest = others;
            Some(entries(of_name))
        })
    }
}

/// Sorts one part after the other.
#[derive(Default)]
struct Sorter {
    items: Vec<SortItem>,
}

impl Sorter {
    /// Sorts a part. The result reuses the memory of `sorted`.
    fn sort(&mut self, part: Partition, Sorted(mut sorted): Sorted) -> Sorted {
        let (items, blocks) = (&mut self.items, part.blocks);
        items.clear();
        let item =
            |(place, entry): (u32, StoredName<'_>)| SortItem::new(window(entry.key, 0), place);
        items.extend(blocks.places().map(item));
        items.sort_unstable();
        sort_equal(items, &blocks, 0);
        sorted.clear();
        items.iter().for_each(|item| blocks.copy(item.place(), &mut sorted));
        Sorted(sorted)
    }
}

/// Sorts the items that have equal windows at byte `depth` of their keys by the rest of the keys.
fn sort_equal(items: &mut [SortItem], blocks: &Chunks, depth: usize) {
    for run in items.chunk_by_mut(|a, b| a.window() == b.window()) {
        // A window of zeros is past the end of all these keys: they are equal.
        if run.len() > 1 && run[0].window() != 0 {
            let depth = depth + size_of::<u64>();
            for item in &mut *run {
                let key = blocks.get(item.place()).key;
                *item = SortItem::new(window(key, depth), item.place());
            }
            run.sort_unstable();
            sort_equal(run, blocks, depth);
        }
    }
}

/// Sorts the parts and gives them to `take` in order. It frees the blocks of a part before it sorts the
/// next. With more than one thread, the other threads sort ahead, and this thread takes the parts.
pub(super) fn in_order(parts: Vec<Partition>, threads: usize, mut take: impl FnMut(&Sorted)) {
    let sorters = threads.saturating_sub(1).min(parts.len() - 1);
    if sorters == 0 {
        let (mut sorter, mut sorted) = (Sorter::default(), Sorted::default());
        for part in parts {
            sorted = sorter.sort(part, sorted);
            take(&sorted);
        }
        return;
    }
    let count = parts.len();
    let mut shares: Vec<Vec<Partition>> = (0..sorters).map(|_| Vec::new()).collect();
    parts.into_iter().enumerate().for_each(|(number, part)| shares[number % sorters].push(part));
    thread::scope(|scope| {
        let sorters: Vec<_> = shares
            .into_iter()
            .map(|share| {
                let ((sorted, waiting), (free, used)) = (sync_channel(AHEAD), channel());
                scope.spawn(move || sort_ahead(share, &sorted, &used));
                (waiting, free)
            })
            .collect();
        for number in 0..count {
            let (waiting, free): &(Receiver<Sorted>, Sender<_>) = &sorters[number % sorters.len()];
            // A sorter that has ended early has panicked; the scope passes the panic on.
            let Ok(sorted) = waiting.recv() else { return };
            take(&sorted);
            let _ = free.send(sorted);
        }
    });
}

/// Sorts a share of the parts until nobody takes them any more; `used` gives memory to reuse.
fn sort_ahead(share: Vec<Partition>, sorted: &SyncSender<Sorted>, used: &Receiver<Sorted>) {
    let mut sorter = Sorter::default();
    for part in share {
        let memory = used.try_recv().unwrap_or_default();
        if sorted.send(sorter.sort(part, memory)).is_err() {
            return;
        }
    }
}
