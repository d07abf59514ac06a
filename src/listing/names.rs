//! The listing of domain names, by the rules of rbldnsd's `dnset`.

mod sort;
mod store;

use super::addresses::{self, Addresses4, Addresses6};
use super::{AnswerId, Answers, AnswersBuilder, NewNumbers, Overfull, ValueId};
use crate::trie::names::{
    MAX_OVERHEAD, NameTree, NameTreeBuilder, encode_key, encode_plain_key, key_text,
};
use store::{NameStore, StoredName};

/// The names that an entry is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    /// The name only: `name`.
    Itself,
    /// All names below the name, but not itself: `*.name`.
    Below,
    /// Both: `.name`.
    Both,
}

impl Scope {
    const ALL: [Self; 3] = [Self::Itself, Self::Below, Self::Both];

    /// True if it is about the name itself.
    pub fn has_itself(self) -> bool {
        self != Self::Below
    }

    /// True if it is about names below.
    pub fn has_below(self) -> bool {
        self != Self::Itself
    }
}

/// A dataset has more names than a tree can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many names: at most about 50 million fit in one dataset")]
pub struct TooManyNames;

/// Collects the entries of a dataset in the order of its files.
///
/// ```
/// use dnsbld::listing::AnswersBuilder;
/// use dnsbld::listing::names::{NamesBuilder, Scope};
/// use dnsbld::trie::names::NameLookup;
///
/// let mut answers = AnswersBuilder::default();
/// let value = answers.value([127, 0, 0, 2].into(), b"").unwrap();
/// let mut names = NamesBuilder::default();
/// names.add(b"\x07example\x03com\0", Scope::Both, Some(value)).unwrap();
/// names.add(b"\x04good\x07example\x03com\0", Scope::Itself, None).unwrap();
/// let (tree, _) = names.finish(answers, b"");
/// let bad = tree.lookup(b"\x03bad\x07example\x03com\0");
/// assert!(matches!(bad, NameLookup::Listed { labels: 2, .. }));
/// assert_eq!(tree.lookup(b"\x04good\x07example\x03com\0"), NameLookup::EmptyNonTerminal);
/// assert_eq!(tree.lookup(b"\x03com\0"), NameLookup::EmptyNonTerminal);
/// ```
#[derive(Debug, Default)]
pub struct NamesBuilder {
    entries: NameStore,
    len: usize,
    /// The bytes of all keys.
    key_bytes: usize,
    /// The key at hand.
    key: Vec<u8>,
    /// The number of entries for names themselves, and of those for what is below.
    scopes: (u64, u64),
    /// The number of threads that may sort; 0 means one, too.
    threads: usize,
}

/// The highest number of values of one name and scope, as for addresses: without a bound, a hostile file
/// could make the work quadratic, at load and for every query.
const MAX_VALUES: usize = 255;

/// In place of the number of a value.
pub(super) const EXCLUSION: u32 = u32::MAX;

/// The bytes of memory that sorting takes for each entry, beside its key and its node in the tree.
const HEAD: usize = 2;

/// Appends a name as text in the form that [`NamesBuilder::add_written`] takes: labels without NUL,
/// `\001` and escapes, joined by single dots.
pub(crate) fn write_plain(name: &[u8], scope: Scope, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend([0; size_of::<u16>()]);
    encode_plain_key(name, out);
    let head = ((out.len() - start - size_of::<u16>()) as u16) << 2 | scope as u16;
    out[start..start + size_of::<u16>()].copy_from_slice(&head.to_le_bytes());
}

/// The first of the names that [`write_plain`] has written, encoded for sorting, and the others.
#[inline(always)]
pub(crate) fn read_plain(written: &[u8]) -> Option<(&[u8], Scope, &[u8])> {
    let (&head, rest) = written.split_first_chunk()?;
    let head = u16::from_le_bytes(head);
    let (key, rest) = rest.split_at(usize::from(head >> 2));
    Some((key, Scope::ALL[usize::from(head & 3)], rest))
}

impl NamesBuilder {
    /// A builder without entries, which sorts with up to `threads` threads.
    pub fn new(threads: usize) -> Self {
        Self { threads, ..Self::default() }
    }

    /// Adds an entry: a whole name in wire form and lower case, and its value or, for an
    /// exclusion, none.
    pub fn add(
        &mut self,
        name: &[u8],
        scope: Scope,
        value: Option<ValueId>,
    ) -> Result<(), TooManyNames> {
        // A key has at most two bytes for each of the name's.
        let size = self.key_bytes + self.len * (HEAD + MAX_OVERHEAD);
        if size + HEAD + 2 * name.len() + MAX_OVERHEAD > u32::MAX as usize {
            return Err(TooManyNames);
        }
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        encode_key(name, &mut key);
        self.add_encoded(&key, scope, value);
        self.key = key;
        Ok(())
    }

    /// True if there is room for this number of names that [`write_plain`] has written.
    pub(crate) fn has_room(&self, written: &[u8], count: usize) -> bool {
        let size = self.key_bytes + written.len() + (self.len + count) * (HEAD + MAX_OVERHEAD);
        size + MAX_OVERHEAD <= u32::MAX as usize
    }

    /// Adds the first of the names that [`write_plain`] has written, for which there [is
    /// room](Self::has_room), and returns the others.
    #[inline]
    pub(crate) fn add_written<'w>(
        &mut self,
        written: &'w [u8],
        value: Option<ValueId>,
    ) -> &'w [u8] {
        let Some((key, scope, rest)) = read_plain(written) else { return written };
        self.add_encoded(key, scope, value);
        rest
    }

    fn add_encoded(&mut self, key: &[u8], scope: Scope, value: Option<ValueId>) {
        self.entries.push(key, scope, value.map_or(EXCLUSION, |ValueId(id)| id));
        self.key_bytes += key.len();
        self.len += 1;
        self.scopes.0 += u64::from(scope.has_itself());
        self.scopes.1 += u64::from(scope.has_below());
    }

    /// Gives values their new numbers.
    pub fn renumber_values(&mut self, numbers: &NewNumbers) {
        self.entries.change_values(|value| match value {
            EXCLUSION => EXCLUSION,
            value => numbers.value(ValueId(value)).0,
        });
    }

    /// The number of entries added.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The number of entries for names themselves, and of those for what is below.
    pub fn scopes(&self) -> (u64, u64) {
        self.scopes
    }

    /// True if no entry was added.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Applies the rules and builds the tree, which does not depend on the order of the names.
    ///
    /// Several values of one name and scope make one answer, in the order they were added and
    /// without duplicates; an exclusion beats them all, wherever it stands. The tree leaves out
    /// entries that change nothing: an exclusion where nothing is listed, and an entry that says
    /// what the name inherits anyway. It keeps the latter if a text may show the listed name (`$`);
    /// a text may come from `base_template`, the dataset's `$=` line, empty for none.
    pub fn finish(self, answers: AnswersBuilder, base_template: &[u8]) -> (NameTree, Answers) {
        let (tree, answers, _) = self.finish_beside(None, None, answers, base_template);
        (tree, answers)
    }

    /// As [`finish`](Self::finish), beside addresses that share the answers and whose answers are numbered
    /// first. Also gives the keys with more values than an answer holds.
    pub fn finish_beside(
        self,
        ip4: Option<&mut Addresses4>,
        ip6: Option<&mut Addresses6>,
        answers: AnswersBuilder,
        base_template: &[u8],
    ) -> (NameTree, Answers, Overfull) {
        let mut numbering = addresses::numbering(ip4.as_deref(), ip6.as_deref(), &answers);
        let mut rules = Rules::new(answers, base_template);
        let mut tree = NameTreeBuilder::default();
        // The answers that the names above the current one hand down, with the lengths of their keys.
        let mut above: Vec<(usize, AnswerId)> = Vec::new();
        let mut last = Vec::new();
        sort::in_order(self.entries.into_parts(), self.threads, |part| {
            for entries in part.names() {
                let Some(key) = entries.clone().next().map(|entry| entry.key) else { continue };
                while above.pop_if(|(len, _)| !key.starts_with(&last[..*len])).is_some() {}
                let inherited = above.last().map_or(AnswerId::NONE, |&(_, answer)| answer);
                let value = |entry: StoredName<'_>| {
                    (entry.value != EXCLUSION).then_some(ValueId(entry.value))
                };
                let itself = entries.clone().filter(|entry| entry.scope.has_itself());
                let (itself, left_out) = rules.decide(itself.map(value), inherited);
                let below = entries.filter(|entry| entry.scope.has_below());
                let (below, left_out_below) = rules.decide(below.map(value), inherited);
                let left_out = left_out.max(left_out_below);
                if left_out > 0 {
                    rules.answers.overfull().count(left_out, left_out, || key_text(key));
                }
                if itself.is_some() || below.is_some() {
                    rules.answers.extend(&mut numbering);
                    let mut number = |old| numbering.number(old);
                    let [itself, below] = [itself.map(&mut number), below.map(number)];
                    tree.push(key, itself, below);
                }
                if let Some(below) = below {
                    above.push((key.len(), below));
                    last.clear();
                    last.extend_from_slice(key);
                }
            }
        });
        addresses::renumber(ip4, ip6, &numbering);
        let overfull = rules.answers.take_overfull();
        (tree.finish(), rules.answers.finish_as(numbering), overfull)
    }
}

/// What the entries of one key give together.
pub(super) struct Rules<'a> {
    pub(super) answers: AnswersBuilder,
    base_template: &'a [u8],
    values: Vec<ValueId>,
}

impl<'a> Rules<'a> {
    pub(super) fn new(answers: AnswersBuilder, base_template: &'a [u8]) -> Self {
        Self { answers, base_template, values: Vec::new() }
    }

    /// The answer of the entries for one name and scope, `None` if it equals the inherited one; and the
    /// number of entries whose values an answer has no room for.
    pub(super) fn decide(
        &mut self,
        entries: impl Iterator<Item = Option<ValueId>>,
        inherited: AnswerId,
    ) -> (Option<AnswerId>, u64) {
        self.values.clear();
        let (mut excluded, mut left_out) = (false, 0);
        for value in entries {
            match value {
                None => excluded = true,
                Some(value) if self.values.contains(&value) => {}
                Some(_) if self.values.len() == MAX_VALUES => left_out += 1,
                Some(value) => self.values.push(value),
            }
        }
        if excluded {
            return (inherited.is_listed().then_some(AnswerId::NONE), 0);
        }
        if self.values.is_empty() {
            return (None, 0);
        }
        let answer = self.answers.answer(&self.values);
        let inert = answer == inherited && !self.values.iter().any(|&id| self.shows_name(id));
        ((!inert).then_some(answer), left_out)
    }

    /// True if the text of a value may contain the listed name.
    fn shows_name(&self, value: ValueId) -> bool {
        let pieces = self.answers.get_value(value).text.pieces();
        let is_alone = pieces.iter().find_map(|piece| piece.first()) == Some(&b'=');
        match is_alone || self.base_template.is_empty() {
            true => pieces.iter().any(|piece| piece.contains(&b'$')),
            false => self.base_template.contains(&b'$'),
        }
    }
}

/// Eight bytes of a key from `depth` on, with zeros after its end. They compare as the keys do.
#[inline]
fn window(key: &[u8], depth: usize) -> u64 {
    let rest = key.get(depth..).unwrap_or(&[]);
    u64::from_be_bytes(rest.first_chunk().copied().unwrap_or_else(|| {
        let mut window = [0; 8];
        window[..rest.len()].copy_from_slice(rest);
        window
    }))
}
