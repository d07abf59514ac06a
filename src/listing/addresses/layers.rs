//! The rules of `ip4set`.
//!
//! An entry is cut into whole blocks of /8, /16, /24 and single addresses, each as large as
//! possible. There is a table for each of the four sizes. For an address, only the table of the
//! smallest blocks that has its block counts: if an entry for the block is an exclusion, the
//! address is not listed, whatever the order of the lines; else all entries for the block give
//! their values.

mod active;
mod singles;

use super::sort::sort_by_u32;
use super::stream::Overlay;
use super::{Addresses4, AnswerId, AnswersBuilder, Form4, Range, SetBuilder4};
use crate::listing::{NewNumbers, ValueId};
use active::Active;
use singles::Singles;
use std::net::Ipv4Addr;

/// The most values of one address. No message has room for more, and without a bound a hostile file
/// could make the work quadratic.
const MAX_VALUES: usize = 255;

/// What is done where runs overlap, freely and for each run or value: each end of a run can give another answer
/// with as many values as an answer has.
const FREE_LOOKS: usize = 1 << 20;
const LOOKS_FOR_EACH_RUN: usize = 16;
const FREE_MEMBERS: usize = 1 << 18;
const MEMBERS_FOR_EACH_VALUE: usize = 2;

/// Collects the entries of an `ip4set` dataset.
#[derive(Clone, Debug, Default)]
pub struct LayersBuilder {
    singles: Singles,
    /// Runs of adjacent blocks, in tables of single addresses, /24, /16 and /8.
    runs: [Vec<BlockRun>; 4],
}

#[derive(Clone, Copy, Debug, Default)]
struct BlockRun {
    start: u32,
    end: u32,
    code: u32,
}

/// The code of an exclusion.
const EXCLUDED: u32 = AnswerId::NONE.0;

/// The number of the answer with this value alone, or the code of an exclusion.
fn code(value: Option<ValueId>) -> u32 {
    value.map_or(EXCLUDED, |value| value.alone().0)
}

impl LayersBuilder {
    /// Lists an address with a value, or excludes it.
    #[inline]
    pub fn add_single(&mut self, address: u32, value: Option<ValueId>) {
        self.singles.push(address, code(value));
    }

    /// Lists addresses with a value.
    pub fn add_singles(&mut self, addresses: &[u32], value: ValueId) {
        self.singles.extend(addresses, code(Some(value)));
    }

    /// Lists the addresses from `start` to `end` with a value, or excludes them.
    #[inline]
    pub fn add_range(&mut self, start: u32, end: u32, value: Option<ValueId>) {
        if start == end {
            self.add_single(start, value);
        } else if start & 0xff == 0 && end == start | 0xff {
            // As most are: this is the block's own table.
            self.runs[1].push(BlockRun { start, end, code: code(value) });
        } else {
            self.add_blocks(start, end, code(value));
        }
    }

    /// Cuts the addresses from `start` to `end` into blocks.
    fn add_blocks(&mut self, start: u32, end: u32, code: u32) {
        // In u64, so that the block behind the last one has a number.
        let (mut start, mut end) = (u64::from(start), u64::from(end) + 1);
        for (table, runs) in self.runs.iter_mut().enumerate() {
            let mut push = |start: u64, end: u64| {
                if start < end {
                    runs.push(BlockRun { start: start as u32, end: (end - 1) as u32, code });
                }
            };
            let inside = (1 << (8 * (table + 1))) - 1;
            let first_whole = (start + inside) & !inside;
            let last_whole = end & !inside;
            if table == 3 || first_whole >= last_whole {
                return push(start, end);
            }
            push(start, first_whole);
            push(last_whole, end);
            (start, end) = (first_whole, last_whole);
        }
    }

    /// Gives values their new numbers.
    pub fn renumber_values(&mut self, numbers: &NewNumbers) {
        let resolved = |code: u32| numbers.answer(AnswerId(code)).0;
        self.singles.change_codes(resolved);
        for run in self.runs.iter_mut().flatten() {
            run.code = resolved(run.code);
        }
    }

    /// The number of single addresses, /24, /16 and /8 that the entries were cut into.
    pub fn blocks(&self) -> [u64; 4] {
        let mut counts = [0, 8, 16, 24];
        for (count, runs) in counts.iter_mut().zip(&self.runs) {
            let bits = *count;
            *count = runs.iter().map(|run| u64::from((run.end - run.start) >> bits) + 1).sum();
        }
        counts[0] += self.singles.len() as u64;
        counts
    }

    /// Decides what every address gives. The values of an address come in the order in which the
    /// dataset first named them, at most 255 of them.
    pub fn finish(self, answers: &mut AnswersBuilder) -> Addresses4 {
        let has_runs = self.runs.iter().any(|runs| !runs.is_empty());
        let Self { singles, runs: [mut runs32, runs24, runs16, runs8] } = self;
        let mut singles = match singles {
            // Nothing overlaps: the rules are those of a set.
            Singles::Alike { addresses, code } if !has_runs && code != EXCLUDED => {
                return SetBuilder4::from(addresses).finish(AnswerId(code));
            }
            singles => singles.into_mixed(),
        };
        sort_by_u32(&mut singles, |single| (single >> 32) as u32);
        sort_by_u32(&mut runs32, |run| run.start);
        let mut answer_of = AnswerOf::new(answers);
        settle_singles(&mut singles, &mut runs32, &mut answer_of);
        // The entry of a range may have runs in all tables.
        answer_of.left_out = 0;
        let runs = runs32.len() + runs24.len() + runs16.len() + runs8.len();
        answer_of.budget = Some(Budget::new(answer_of.answers, runs));
        let runs = sweep(runs32, &mut answer_of);
        let [blocks24, blocks16, blocks8] =
            [runs24, runs16, runs8].map(|runs| sweep(runs, &mut answer_of).into_iter());
        let blocks = Overlay::new(Overlay::new(blocks24, blocks16), blocks8).collect();
        Addresses4(Form4::Layers(Layers { singles, runs, blocks }))
    }
}

/// Finds the answer for the codes of one block.
struct AnswerOf<'a> {
    answers: &'a mut AnswersBuilder,
    values: Vec<ValueId>,
    /// The most values that were left out of a block so far.
    left_out: u64,
    /// Without one, each entry is looked at once.
    budget: Option<Budget>,
}

/// How much may be done where runs overlap; behind it, each answer has one value.
struct Budget {
    /// So many values of answers with several are still looked at.
    looks: usize,
    /// So many values answers with several may have in all.
    members: usize,
}

impl Budget {
    /// That for so many runs.
    fn new(answers: &AnswersBuilder, runs: usize) -> Self {
        Self {
            looks: FREE_LOOKS + LOOKS_FOR_EACH_RUN * runs,
            members: answers.members() + FREE_MEMBERS + MEMBERS_FOR_EACH_VALUE * answers.values(),
        }
    }

    /// The most values of an answer, if so many are wanted.
    fn most(&mut self, count: usize, answers: &AnswersBuilder) -> usize {
        if self.looks < count || answers.members() > self.members {
            return 1;
        }
        self.looks -= count;
        count
    }
}

impl<'a> AnswerOf<'a> {
    fn new(answers: &'a mut AnswersBuilder) -> Self {
        Self { answers, values: Vec::new(), left_out: 0, budget: None }
    }

    /// The answer of the addresses from `start` on. The codes are sorted and distinct; there are `count` of
    /// them, one at least.
    fn get(&mut self, start: u32, count: usize, codes: impl Iterator<Item = u32>) -> AnswerId {
        let values = &mut self.values;
        values.clear();
        let mut most = count.min(MAX_VALUES);
        if let Some(budget) = &mut self.budget {
            most = budget.most(most, self.answers);
        }
        let left_out = (count - most) as u64;
        for code in codes.take(most) {
            match ValueId::only_of(AnswerId(code)) {
                None => return AnswerId::NONE,
                Some(value) => values.push(value),
            }
        }
        if left_out > 0 {
            // The entry of a range may be left out of many blocks, and is one.
            let entries = left_out.saturating_sub(self.left_out);
            self.left_out = self.left_out.max(left_out);
            let key = || Ipv4Addr::from_bits(start).to_string();
            self.answers.overfull().count(left_out, entries, key);
        }
        self.answers.answer(values)
    }
}

/// Replaces the codes of the sorted `singles` by answers, one for each address, in place. It moves
/// addresses inside one of the sorted `runs` to the runs, which are decided later.
fn settle_singles(singles: &mut Vec<u64>, runs: &mut Vec<BlockRun>, answer_of: &mut AnswerOf<'_>) {
    let runs_given = runs.len();
    let mut next_run = 0;
    let mut covered_to = None;
    let mut codes = Vec::new();
    let (mut read, mut written) = (0, 0);
    while let Some(&single) = singles.get(read) {
        let address = (single >> 32) as u32;
        while next_run < runs_given && runs[next_run].start <= address {
            covered_to = covered_to.max(Some(runs[next_run].end));
            next_run += 1;
        }
        let is_alone = singles.get(read + 1).is_none_or(|next| (next >> 32) as u32 != address);
        if is_alone && covered_to < Some(address) {
            // The answer with one value has the number that is its code.
            singles[written] = single;
            (read, written) = (read + 1, written + 1);
            continue;
        }
        codes.clear();
        while let Some(&same) = singles.get(read)
            && (same >> 32) as u32 == address
        {
            codes.push(same as u32);
            read += 1;
        }
        if codes.len() > 1 {
            codes.sort_unstable();
            codes.dedup();
        }
        if covered_to >= Some(address) {
            runs.extend(codes.iter().map(|&code| BlockRun { start: address, end: address, code }));
        } else {
            answer_of.left_out = 0;
            let answer = answer_of.get(address, codes.len(), codes.iter().copied());
            singles[written] = u64::from(address) << 32 | u64::from(answer.0);
            written += 1;
        }
    }
    singles.truncate(written);
}

/// Cuts overlapping runs into segments that have one answer.
fn sweep(mut runs: Vec<BlockRun>, answer_of: &mut AnswerOf<'_>) -> Vec<Range<u32>> {
    sort_by_u32(&mut runs, |run| run.start);
    let mut segments: Vec<Range<u32>> = Vec::new();
    let mut push = |start: u32, end: u32, answer| match segments.last_mut() {
        Some(last) if last.answer == answer && last.end.checked_add(1) == Some(start) => {
            last.end = end;
        }
        _ => segments.push(Range { start, end, answer }),
    };
    let mut active = None;
    let mut ends = Vec::new();
    let mut rest = &runs[..];
    while let Some(first) = rest.first() {
        // Those behind each other without a gap, or the first alone.
        let mut last_end = first.end;
        let count = rest.iter().take_while(|run| {
            let is_in = run.start <= last_end;
            last_end = last_end.max(run.end);
            is_in
        });
        let (overlapping, others) = rest.split_at(count.count());
        rest = others;
        if overlapping.len() == 1 {
            push(first.start, first.end, AnswerId(first.code));
            continue;
        }
        let active = active
            .get_or_insert_with(|| Active::new(runs.iter().map(|run| run.code).max().unwrap_or(0)));
        ends.clear();
        ends.extend(overlapping.iter().map(|run| u64::from(run.end) << 32 | u64::from(run.code)));
        sort_by_u32(&mut ends, |end| (end >> 32) as u32);
        cut(overlapping, &ends, active, answer_of, &mut push);
    }
    segments
}

/// Cuts runs, which leave no gap, where one begins or ends. They are in order; so are their ends, each with the
/// code of its run below it.
fn cut(
    runs: &[BlockRun],
    ends: &[u64],
    active: &mut Active,
    answer_of: &mut AnswerOf<'_>,
    push: &mut impl FnMut(u32, u32, AnswerId),
) {
    let mut runs = runs.iter().peekable();
    let mut ends = ends.iter().peekable();
    let mut start = runs.peek().map_or(0, |run| run.start);
    let (mut answer, mut is_other) = (AnswerId::NONE, false);
    while let Some(&&end) = ends.peek() {
        while let Some(run) = runs.next_if(|run| run.start == start) {
            is_other |= active.begin(run.code);
        }
        if is_other {
            answer = answer_of.get(start, active.len(), active.codes());
            is_other = false;
        }
        let first_end = (end >> 32) as u32;
        let end = runs.peek().map_or(first_end, |run| first_end.min(run.start - 1));
        push(start, end, answer);
        while let Some(&ended) = ends.next_if(|&&it| (it >> 32) as u32 == end) {
            is_other |= active.end(ended as u32);
        }
        // Every run ends at the last address at the latest, so nothing uses a start past it.
        start = end.wrapping_add(1);
    }
}

/// What the four tables say.
#[derive(Clone, Debug)]
pub(super) struct Layers {
    /// Single addresses outside `runs`: the address in the upper half, its answer in the lower.
    singles: Vec<u64>,
    /// The rest of the table of single addresses.
    runs: Vec<Range<u32>>,
    /// The other tables, laid over each other.
    blocks: Vec<Range<u32>>,
}

impl Layers {
    pub(super) fn segments(&self) -> impl Iterator<Item = Range<u32>> {
        let ranges = Overlay::new(self.runs.iter().copied(), self.blocks.iter().copied());
        Overlay::new(self.singles(), ranges)
    }

    /// All [segments](Self::segments), if there are single addresses only.
    pub(super) fn only_singles(&self) -> Option<impl Iterator<Item = Range<u32>>> {
        (self.runs.is_empty() && self.blocks.is_empty()).then(|| self.singles())
    }

    fn singles(&self) -> impl Iterator<Item = Range<u32>> {
        self.singles.iter().map(|&single| {
            let address = (single >> 32) as u32;
            Range { start: address, end: address, answer: AnswerId(single as u32) }
        })
    }

    pub(super) fn memory(&self) -> usize {
        self.singles.capacity() * size_of::<u64>()
            + (self.runs.capacity() + self.blocks.capacity()) * size_of::<Range<u32>>()
    }

    pub(super) fn renumber(&mut self, number: &impl Fn(AnswerId) -> AnswerId) {
        for single in &mut self.singles {
            let answer = number(AnswerId(*single as u32));
            *single = *single >> 32 << 32 | u64::from(answer.0);
        }
        for range in self.runs.iter_mut().chain(&mut self.blocks) {
            range.answer = number(range.answer);
        }
    }
}
