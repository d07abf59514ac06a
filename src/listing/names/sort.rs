//! Sorting names: by the order of their keys, and then by their place in the files.

use super::{Entry, HEAD, head, key, window};

/// How many keys are looked for at once, so that the processor waits for many of them together.
const AHEAD: usize = 32;
/// How many names are looked at to find bounds of parts of about the same size.
const SAMPLES: usize = 1024;

/// The keys of some of the names in the order of the names, and those.
type Part<'e> = (Vec<u8>, &'e mut [Entry]);

/// Sorts the entries. The parts are in order; no name is in two. Their number is that of threads at
/// most, and has no influence on the order.
pub(super) fn sort(keys: Vec<u8>, entries: &mut [Entry], threads: usize) -> Vec<Part<'_>> {
    let parts = split(entries, threads);
    let keys = &keys[..];
    std::thread::scope(|scope| {
        let mut parts = parts.into_iter();
        let own = parts.next();
        let others: Vec<_> =
            parts.map(|entries| scope.spawn(move || sort_part(keys, entries))).collect();
        let own = own.map(|entries| sort_part(keys, entries));
        let join = |other: std::thread::ScopedJoinHandle<'_, _>| {
            other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        own.into_iter().chain(others.into_iter().map(join)).collect()
    })
}

/// Splits the entries into parts, such that all in a part come before all in the next one by their
/// windows already.
fn split(entries: &mut [Entry], threads: usize) -> Vec<&mut [Entry]> {
    let parts = threads.clamp(1, entries.len() / SAMPLES + 1);
    let step = (entries.len() / SAMPLES).max(1);
    let mut samples: Vec<_> = entries.iter().step_by(step).map(|entry| entry.window).collect();
    samples.sort_unstable();
    let mut rest = entries;
    let mut done = Vec::with_capacity(parts);
    for part in 1..parts {
        let bound = samples[part * samples.len() / parts];
        let mut before = 0;
        for at in 0..rest.len() {
            if rest[at].window < bound {
                rest.swap(before, at);
                before += 1;
            }
        }
        let (part, others) = rest.split_at_mut(before);
        done.push(part);
        rest = others;
    }
    done.push(rest);
    done
}

/// Sorts by the first bytes, puts the keys in that order, and sorts what is equal so far: only the
/// second step goes all over memory.
fn sort_part<'e>(keys: &[u8], entries: &'e mut [Entry]) -> Part<'e> {
    sort_by_window(entries);
    let sorted = gather(keys, entries);
    sort_equal(entries, &sorted, 0);
    (sorted, entries)
}

fn sort_by_window(entries: &mut [Entry]) {
    entries.sort_unstable_by_key(|entry| (u64::from_be_bytes(entry.window), entry.at));
}

/// Copies the keys in the order of the entries, which are then told where they are.
fn gather(keys: &[u8], entries: &mut [Entry]) -> Vec<u8> {
    let mut sorted = Vec::new();
    for entries in entries.chunks_mut(AHEAD) {
        let mut lens = [0; AHEAD];
        for (len, &entry) in lens.iter_mut().zip(&*entries) {
            *len = HEAD + usize::from(head(keys, entry) >> 2);
        }
        for (entry, len) in entries.iter_mut().zip(lens) {
            let start = entry.at as usize;
            entry.at = sorted.len() as u32;
            sorted.extend_from_slice(&keys[start..start + len]);
        }
    }
    sorted
}

/// Sorts further the entries that have the same window at `depth` bytes of their keys.
fn sort_equal(entries: &mut [Entry], keys: &[u8], depth: usize) {
    for run in entries.chunk_by_mut(|a, b| a.window == b.window) {
        // A window of zeros is past the end of all these keys: they are equal.
        if run.len() > 1 && run[0].window != [0; 8] {
            let depth = depth + size_of_val(&run[0].window);
            for entry in &mut *run {
                entry.window = window(key(keys, *entry), depth);
            }
            sort_by_window(run);
            sort_equal(run, keys, depth);
        }
    }
}
