//! The listing of digests, by the rules of the type `hashset`.

use super::names::{EXCLUSION, Rules};
use super::{AnswerId, Answers, AnswersBuilder, NewNumbers, Overfull, ValueId};
use crate::trie::digests::{DigestForm, DigestTable, ROOM};

/// Collects the entries of a dataset in the order of its files.
///
/// ```
/// use dnsbld::listing::AnswersBuilder;
/// use dnsbld::listing::digests::DigestsBuilder;
/// use dnsbld::trie::digests::{Alphabet, DigestForm};
///
/// let mut answers = AnswersBuilder::default();
/// let value = answers.value([127, 0, 0, 2].into(), b"").unwrap();
/// let mut digests = DigestsBuilder::new(DigestForm::new(Alphabet::Hex, 32).unwrap());
/// let [bad, good] = [b"D41D8CD98F00B204E9800998ECF8427E", b"098f6bcd4621d373cade4e832627b4f6"];
/// assert!(digests.add(bad, Some(value)) && digests.add(good, Some(value)));
/// assert!(digests.add(good, None), "an exclusion");
/// let (table, ..) = digests.finish(answers);
/// assert!(table.lookup(&bad.to_ascii_lowercase()).is_listed());
/// assert!(!table.lookup(good).is_listed());
/// ```
#[derive(Debug)]
pub struct DigestsBuilder {
    form: DigestForm,
    /// The entries by the first byte of their digests, so that each part is sorted in the processor's cache, and
    /// freed once it is in the table.
    parts: Vec<Part>,
}

/// Entries, each the bytes of its digest and the number of its value, in the order of the files. At the end, each
/// digest once, and the number of its answer.
#[derive(Clone, Debug, Default)]
struct Part(Vec<u8>);

/// The bytes of the number of a value or an answer.
const NUMBER: usize = size_of::<u32>();

impl DigestsBuilder {
    /// A builder without entries, for digests of this form.
    pub fn new(form: DigestForm) -> Self {
        Self { form, parts: vec![Part::default(); 1 << u8::BITS] }
    }

    /// The form.
    pub fn form(&self) -> DigestForm {
        self.form
    }

    /// Adds an entry: a label in upper or lower case, and its value or, for an exclusion, none. `false` if the label
    /// is of another form.
    pub fn add(&mut self, label: &[u8], value: Option<ValueId>) -> bool {
        let mut room = [0; ROOM];
        let is_good = self.form.pack(label, &mut room);
        if is_good {
            self.add_packed(&room[..self.form.size()], value);
        }
        is_good
    }

    /// Adds an entry for a packed digest.
    pub(crate) fn add_packed(&mut self, packed: &[u8], value: Option<ValueId>) {
        let Part(part) = &mut self.parts[usize::from(packed[0])];
        let value = value.map_or(EXCLUSION, |ValueId(id)| id);
        part.extend_from_slice(packed);
        part.extend_from_slice(&value.to_le_bytes());
    }

    /// Gives values their new numbers.
    pub fn renumber_values(&mut self, numbers: &NewNumbers) {
        let row = self.form.size() + NUMBER;
        for row in self.parts.iter_mut().flat_map(|part| part.0.chunks_exact_mut(row)) {
            if let Some(number) = row.last_chunk_mut()
                && let value = u32::from_le_bytes(*number)
                && value != EXCLUSION
            {
                *number = numbers.value(ValueId(value)).0.to_le_bytes();
            }
        }
    }

    /// Applies the rules and builds the table, which does not depend on the order of the lines.
    ///
    /// Several values of one digest make one answer, in the order they were added and without duplicates; an
    /// exclusion beats them all, wherever it stands. Also gives the digests with more values than an answer holds.
    pub fn finish(mut self, answers: AnswersBuilder) -> (DigestTable, Answers, Overfull) {
        let (form, size) = (self.form, self.form.size());
        let mut numbering = answers.numbering();
        let mut rules = Rules::new(answers, b"");
        let (mut count, mut last) = (0, AnswerId::NONE);
        for part in &mut self.parts {
            let mut decided = Vec::with_capacity(part.0.len());
            part.each_digest(size, |digest, values| {
                let (answer, left_out) = rules.decide(values, AnswerId::NONE);
                if left_out > 0 {
                    let mut label = Vec::new();
                    form.unpack(digest, &mut label);
                    let key = || String::from_utf8_lossy(&label).into_owned();
                    rules.answers.overfull().count(left_out, left_out, key);
                }
                let Some(answer) = answer else { return };
                rules.answers.extend(&mut numbering);
                let answer = numbering.number(answer);
                last = AnswerId(last.0.max(answer.0));
                count += 1;
                decided.extend_from_slice(digest);
                decided.extend_from_slice(&answer.0.to_le_bytes());
            });
            decided.shrink_to_fit();
            *part = Part(decided);
        }
        let rows = self.parts.into_iter().flat_map(|part| part.into_rows(size));
        let table = DigestTable::build(form, count, last, rows);
        let overfull = rules.answers.take_overfull();
        (table, rules.answers.finish_as(numbering), overfull)
    }
}

impl Part {
    /// Gives each digest in ascending order, with its values in the order of the files, none for an exclusion.
    fn each_digest(
        &self,
        size: usize,
        mut give: impl FnMut(&[u8], &mut dyn Iterator<Item = Option<ValueId>>),
    ) {
        let rows: Vec<_> = self.0.chunks_exact(size + NUMBER).collect();
        let digest = |place: u32| &rows[place as usize][..size];
        // Eight bytes of a digest, and below them its place, as one integer: integers sort fast.
        let mut items: Vec<u128> = rows
            .iter()
            .zip(0_u32..)
            .map(|(row, place)| {
                let window = row.first_chunk().map_or(0, |head| u64::from_be_bytes(*head));
                u128::from(window) << u32::BITS | u128::from(place)
            })
            .collect();
        items.sort_unstable();
        for run in items.chunk_by_mut(|a, b| a >> u32::BITS == b >> u32::BITS) {
            if run.len() > 1 {
                run.sort_unstable_by_key(|&item| (digest(item as u32), item as u32));
            }
            for same in run.chunk_by(|&a, &b| digest(a as u32) == digest(b as u32)) {
                let value = |&item: &u128| {
                    let number = rows[item as u32 as usize].last_chunk();
                    let number = number.map_or(EXCLUSION, |number| u32::from_le_bytes(*number));
                    (number != EXCLUSION).then_some(ValueId(number))
                };
                give(digest(same[0] as u32), &mut same.iter().map(value));
            }
        }
    }

    /// Each digest and its answer.
    fn into_rows(self, size: usize) -> impl Iterator<Item = (Row, AnswerId)> {
        let count = self.0.len() / (size + NUMBER);
        (0..count).map(move |number| {
            let row = &self.0[number * (size + NUMBER)..][..size + NUMBER];
            let answer = row.last_chunk().map_or(0, |answer| u32::from_le_bytes(*answer));
            let mut bytes = [0; ROOM];
            bytes[..size].copy_from_slice(&row[..size]);
            (Row { bytes, size }, AnswerId(answer))
        })
    }
}

/// A packed digest.
struct Row {
    bytes: [u8; ROOM],
    size: usize,
}

impl AsRef<[u8]> for Row {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.size]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trie::digests::Alphabet;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// Digests that share their first bytes or all but the last ones.
    fn label(form: DigestForm, (head, tail): (u8, u8)) -> Vec<u8> {
        const COMMON: &[u8] = b"34567abcdef";
        let digit = |code: u8| COMMON[usize::from(code) % COMMON.len()];
        let last = form.digits() - 1;
        (0..=last)
            .map(|at| match at {
                0 | 1 => digit(head >> (4 * at)),
                at if at == last => digit(tail),
                at => digit(tail >> 4 ^ at as u8),
            })
            .collect()
    }

    fn forms() -> impl Strategy<Value = DigestForm> {
        (0_usize..3, 16_usize..64).prop_map(|(number, digits)| {
            DigestForm::new(Alphabet::NAMES[number].1, digits).unwrap()
        })
    }

    proptest! {
        #[test]
        fn the_table_says_what_the_lines_say(
            form in forms(),
            lines in prop::collection::vec((any::<(u8, u8)>(), 0_u8..5), 0..400),
            asked in prop::collection::vec(any::<(u8, u8)>(), 50),
        ) {
            let mut answers = AnswersBuilder::default();
            let mut builder = DigestsBuilder::new(form);
            let mut excluded = BTreeSet::new();
            let mut listed: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
            for &(digest, value) in &lines {
                let label = label(form, digest);
                let id = (value > 0).then(|| answers.value([127, 0, 0, value].into(), b"").unwrap());
                prop_assert!(builder.add(&label.to_ascii_uppercase(), id));
                match value {
                    0 => drop(excluded.insert(label)),
                    value => {
                        let values = listed.entry(label).or_default();
                        if !values.contains(&value) {
                            values.push(value);
                        }
                    }
                }
            }
            listed.retain(|label, _| !excluded.contains(label));
            let (mut table, answers, overfull) = builder.finish(answers);
            prop_assert_eq!(overfull, Overfull::default());
            prop_assert_eq!(table.len(), listed.len());
            let values = |answer| {
                let values = answers.get(answer).values().map(|value| value.a.octets()[3]);
                values.collect::<Vec<_>>()
            };
            for digest in asked.iter().chain(lines.iter().map(|(digest, _)| digest)) {
                let label = label(form, *digest);
                let due = listed.get(&label).cloned().unwrap_or_default();
                prop_assert_eq!(values(table.lookup(&label)), due);
                prop_assert!(!table.lookup(&label[1..]).is_listed());
            }
            let found: Vec<_> = table.iter().names().collect();
            prop_assert_eq!(found.len(), listed.len());
            for (entry, (label, due)) in found.iter().zip(&listed) {
                prop_assert_eq!(&entry.name.as_wire()[1..=label.len()], &label[..]);
                prop_assert_eq!(&values(entry.itself.unwrap()), due);
            }
            // Whatever the bytes are, a search and a walk end.
            let mut bits = asked.iter().map(|&(a, b)| u64::from(a) << 37 | u64::from(b) << 32 | u64::from(b ^ a));
            for _ in 0..5 {
                table.damage(&mut || bits.next().unwrap_or(0));
                for (digest, _) in &lines {
                    let _ = table.lookup(&label(form, *digest));
                }
                prop_assert!(table.iter().count() <= table.memory());
            }
        }

        #[test]
        fn the_order_of_the_lines_does_not_count(
            lines in prop::collection::btree_map(any::<(u8, u8)>(), 1_u8..4, 0..200),
        ) {
            let form = DigestForm::default();
            let build = |lines: &mut dyn Iterator<Item = (&(u8, u8), &u8)>| {
                let (mut answers, mut builder) = (AnswersBuilder::default(), DigestsBuilder::new(form));
                let mut seen = BTreeSet::new();
                for (digest, value) in lines {
                    let label = label(form, *digest);
                    if seen.insert(label.clone()) {
                        let value = answers.value([127, 0, 0, *value].into(), b"").unwrap();
                        builder.add(&label, Some(value));
                    }
                }
                let (table, answers, _) = builder.finish(answers);
                (table, answers)
            };
            let mut first = BTreeMap::new();
            for (digest, value) in &lines {
                first.entry(label(form, *digest)).or_insert((digest, value));
            }
            let one: Vec<_> = first.into_values().collect();
            prop_assert_eq!(build(&mut one.iter().copied()), build(&mut one.iter().rev().copied()));
        }
    }

    #[test]
    fn a_digest_with_very_many_values_is_cut_and_told() {
        let (mut answers, mut builder) =
            (AnswersBuilder::default(), DigestsBuilder::new(DigestForm::default()));
        for number in 0..300_u32 {
            let value = answers.value([127, 1, (number >> 8) as u8, number as u8].into(), b"");
            builder.add(&[b'a'; 40], value);
        }
        let (table, answers, overfull) = builder.finish(answers);
        assert_eq!(answers.get(table.lookup(&[b'a'; 40])).values().len(), 255);
        assert_eq!((overfull.keys, overfull.entries), (1, 45));
        assert_eq!(*overfull.first[0].0, *"a".repeat(40));
    }
}
