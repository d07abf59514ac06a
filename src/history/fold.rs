//! Old loads made part of the base: of what they did, only that is kept which no later load has ended.

use super::block::{
    self, BaseHead, Body, Group, Keys, ListPlace, ListedValues, LoadBuilder, LoadHead, Operation,
};
use super::files::{self, LogBytes, MAGIC, Step};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

/// The base that a base and the segments after it make. `None` if the end of them does not tell what is listed.
pub(super) fn base(log: &LogBytes) -> Option<Vec<u8>> {
    let mut loads = Vec::new();
    // The newest load in the base may have left nothing.
    let mut newest = log.base.as_deref().and_then(files::base).map(|(head, _)| head);
    log.walk(&mut |step| match step {
        Step::Load(head, body) => {
            if newest.is_none_or(|newest| newest.number < head.number) {
                let LoadHead { number, time, content_id, .. } = head;
                newest = Some(BaseHead { number, time, content_id, blocks: 0 });
            }
            loads.push((head, body));
        }
        Step::Unconnected(_) => {
            newest = None;
            loads.clear();
        }
        Step::Refusal(_) => {}
    });
    let mut head = BaseHead { blocks: 0, ..newest? };
    let mut blocks = Vec::new();
    for (load, block) in fold_blocks(&loads) {
        let pruned = LoadHead { is_whole: false, is_pruned: true, ..loads[load].0.clone() };
        blocks.extend(block.finish(&pruned)?);
        head.blocks += 1;
    }
    Some([MAGIC, &block::base(&head), &blocks].concat())
}

/// The blocks that are left of loads, by the place of each load.
fn fold_blocks(loads: &[(LoadHead, Body<'_>)]) -> BTreeMap<usize, LoadBuilder> {
    let mut blocks: BTreeMap<usize, LoadBuilder> = BTreeMap::new();
    Fold::of(loads).run(&mut |place, key, left, answers| {
        let mut in_block = |load: usize, answer: Option<usize>| {
            let block = blocks.entry(load).or_default();
            let operation = answer.map_or(Operation::Exclude, |answer| {
                Operation::List(block.answer(answers[answer].clone()))
            });
            let place = block.place(place);
            match key {
                LeftKey::Range(first, last) => block.add_range(place, operation, (first, last)),
                LeftKey::Name(name) => block.add_name(place, operation, name),
            }
        };
        match left {
            Left::Nothing => {}
            Left::Exclusion(load) => in_block(load, None),
            Left::Listing { since, now } => {
                in_block(since.0, Some(since.1));
                if now != since {
                    in_block(now.0, Some(now.1));
                }
            }
        }
    });
    blocks
}

/// What loads have left in the end: `take` gets each place with its keys, in their order, and the values of each;
/// `None` for an exclusion.
pub(super) fn each_left(
    loads: &[(LoadHead, Body<'_>)],
    take: &mut dyn FnMut(&ListPlace, LeftKey<'_>, Option<&ListedValues>),
) {
    Fold::of(loads).run(&mut |place, key, left, answers| match left {
        Left::Nothing => {}
        Left::Exclusion(_) => take(place, key, None),
        Left::Listing { now, .. } => take(place, key, Some(&answers[now.1])),
    });
}

/// A key of which something is left.
#[derive(Clone, Copy)]
pub(super) enum LeftKey<'k> {
    /// The first and the last of a range of addresses.
    Range(u128, u128),
    /// A name, as it is sorted.
    Name(&'k [u8]),
}

/// Takes what is left of each key, with all answers.
type TakeLeft<'t> = &'t mut dyn FnMut(&ListPlace, LeftKey<'_>, Left, &[ListedValues]);

/// The keys of one load that one thing becomes of.
struct Source<'b> {
    load: usize,
    operation: Operation,
    keys: Keys<'b>,
}

/// What is left of a key: the load that listed it and the one that last changed its answer, with the answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    Exclusion(usize),
    Listing { since: (usize, usize), now: (usize, usize) },
}

struct Fold<'b> {
    places: BTreeMap<ListPlace, Vec<Source<'b>>>,
    /// The loads that state all.
    whole: Vec<usize>,
    /// All answers, and the number of each of each load.
    answers: Vec<ListedValues>,
    numbers: Vec<Vec<usize>>,
}

impl<'b> Fold<'b> {
    fn of(loads: &[(LoadHead, Body<'b>)]) -> Self {
        let mut fold = Self {
            places: BTreeMap::new(),
            whole: Vec::new(),
            answers: Vec::new(),
            numbers: Vec::new(),
        };
        let mut known = HashMap::new();
        for (load, (head, body)) in loads.iter().enumerate() {
            if head.is_whole {
                fold.whole.push(load);
            }
            let numbers = body.answers().into_iter().map(|values| {
                *known.entry(values).or_insert_with_key(|values: &ListedValues| {
                    fold.answers.push(values.clone());
                    fold.answers.len() - 1
                })
            });
            fold.numbers.push(numbers.collect());
            for Group { place, operation, keys } in body.groups() {
                fold.places.entry(place).or_default().push(Source { load, operation, keys });
            }
        }
        fold
    }

    fn run(mut self, take: TakeLeft<'_>) {
        for (place, sources) in std::mem::take(&mut self.places) {
            if place.space.is_of_addresses() {
                self.ranges(&place, sources, take);
            } else {
                self.names(&place, sources, take);
            }
        }
    }

    fn ranges(&self, place: &ListPlace, mut sources: Vec<Source<'b>>, take: TakeLeft<'_>) {
        let mut waiting = BinaryHeap::new();
        for (source, keys) in sources.iter_mut().enumerate() {
            waiting.extend(keys.keys.next_range().map(|range| Reverse((range, source))));
        }
        // The ranges that the present address is in, each with its end.
        let mut active: Vec<(u128, usize)> = Vec::new();
        let mut at = 0;
        let mut run: Option<(Left, u128, u128)> = None;
        loop {
            if active.is_empty() {
                let Some(Reverse(((start, _), _))) = waiting.peek() else { break };
                at = *start;
            }
            while let Some(&Reverse(((start, end), source))) = waiting.peek()
                && start <= at
            {
                waiting.pop();
                // Damaged bytes could go back.
                if end >= at {
                    active.push((end, source));
                }
                let next = sources[source].keys.next_range();
                waiting.extend(next.map(|range| Reverse((range, source))));
            }
            let Some(&(mut end, _)) = active.iter().min() else { continue };
            if let Some(Reverse(((start, _), _))) = waiting.peek() {
                end = end.min(start - 1);
            }
            let events = active.iter().map(|(_, source)| {
                let Source { load, operation, .. } = sources[*source];
                (load, operation)
            });
            let left = self.left(events.collect());
            run = match run.take() {
                Some((before, first, last))
                    if before == left && last.checked_add(1) == Some(at) =>
                {
                    Some((left, first, end))
                }
                before => {
                    if let Some((before, first, last)) = before {
                        take(place, LeftKey::Range(first, last), before, &self.answers);
                    }
                    Some((left, at, end))
                }
            };
            active.retain(|(last, _)| *last > end);
            at = match end.checked_add(1) {
                Some(next) => next,
                None => break,
            };
        }
        if let Some((left, first, last)) = run {
            take(place, LeftKey::Range(first, last), left, &self.answers);
        }
    }

    fn names(&self, place: &ListPlace, mut sources: Vec<Source<'b>>, take: TakeLeft<'_>) {
        let mut waiting = BinaryHeap::new();
        let count = sources.len();
        let mut wait = |waiting: &mut BinaryHeap<_>, source: usize| {
            let name = sources[source].keys.next_name().map(<[u8]>::to_vec);
            let Source { load, operation, .. } = sources[source];
            waiting.extend(name.map(|name| Reverse((name, load, operation, source))));
        };
        (0..count).for_each(|source| wait(&mut waiting, source));
        while let Some(Reverse((name, load, operation, source))) = waiting.pop() {
            wait(&mut waiting, source);
            let mut events = vec![(load, operation)];
            while let Some(Reverse((next, ..))) = waiting.peek()
                && *next == name
            {
                let Some(Reverse((_, load, operation, source))) = waiting.pop() else { break };
                wait(&mut waiting, source);
                events.push((load, operation));
            }
            let left = self.left(events);
            take(place, LeftKey::Name(&name), left, &self.answers);
        }
    }

    /// What events of one key leave.
    fn left(&self, mut events: Vec<(usize, Operation)>) -> Left {
        events.sort_unstable();
        let mut left = Left::Nothing;
        let mut done = 0;
        for (load, operation) in events {
            // A load that states all, and not this key.
            if self.whole.iter().any(|whole| (done..load).contains(whole)) {
                left = Left::Nothing;
            }
            done = load + 1;
            left = match (operation, left) {
                (Operation::Delist, _) => Left::Nothing,
                (Operation::Exclude, Left::Exclusion(since)) => Left::Exclusion(since),
                (Operation::Exclude, _) => Left::Exclusion(load),
                (Operation::List(answer), left) => {
                    let Some(&answer) = self.numbers[load].get(answer) else { continue };
                    match left {
                        Left::Listing { now, .. } if now.1 == answer => left,
                        Left::Listing { since, .. } => Left::Listing { since, now: (load, answer) },
                        _ => Left::Listing { since: (load, answer), now: (load, answer) },
                    }
                }
            };
        }
        let is_ended = self.whole.iter().any(|whole| *whole >= done);
        if is_ended { Left::Nothing } else { left }
    }
}
