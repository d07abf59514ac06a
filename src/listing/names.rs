//! The listing of domain names, by the rules of rbldnsd's `dnset`.

mod sort;

use super::{AnswerId, Answers, AnswersBuilder, ValueId};
use crate::trie::names::{MAX_OVERHEAD, NameTree, SortedNames, encode_key, encode_plain_key};

/// What an entry is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// The name only: `name`.
    Itself,
    /// All names below it, not itself: `*.name`.
    Below,
    /// Both: `.name`.
    Both,
}

impl Scope {
    const ALL: [Self; 3] = [Self::Itself, Self::Below, Self::Both];

    fn has_itself(self) -> bool {
        self != Self::Below
    }

    fn has_below(self) -> bool {
        self != Self::Itself
    }
}

/// A dataset has more names than can be held.
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
/// let NameLookup::Listed(found) = tree.lookup(b"\x03bad\x07example\x03com\0") else { panic!() };
/// assert_eq!(found.labels, 2);
/// assert_eq!(tree.lookup(b"\x04good\x07example\x03com\0"), NameLookup::EmptyNonTerminal);
/// assert_eq!(tree.lookup(b"\x03com\0"), NameLookup::EmptyNonTerminal);
/// ```
#[derive(Debug, Default)]
pub struct NamesBuilder {
    /// Per entry the length of its key and its scope, then the key.
    keys: Vec<u8>,
    entries: Vec<Entry>,
    /// The number of entries for names themselves, and of those for what is below.
    scopes: (u64, u64),
    /// How many threads may sort; 0 is one, too.
    threads: usize,
}

/// The most values of one name and scope, as for addresses: a hostile file must not make the work
/// quadratic, neither at load nor for every query.
const MAX_VALUES: usize = 255;

/// A statement about a name.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The bytes of the key to sort by next.
    window: [u8; 8],
    /// Where in `keys` it stands; in the order of the files.
    at: u32,
    /// The number of its value, or [`Entry::EXCLUSION`].
    value: u32,
}

impl Entry {
    const EXCLUSION: u32 = u32::MAX;

    fn value(self) -> Option<ValueId> {
        (self.value != Self::EXCLUSION).then_some(ValueId(self.value))
    }
}

/// The bytes in `keys` before each key: length and scope.
const HEAD: usize = 2;

impl NamesBuilder {
    /// No entries yet; as many threads as `threads` says may sort them at the end.
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
        self.add_key(name.len(), scope, value, |keys| encode_key(name, keys))
    }

    /// The same for a name as text: labels without NUL, `\001` and escapes, joined by single dots.
    pub(crate) fn add_plain(
        &mut self,
        name: &[u8],
        scope: Scope,
        value: Option<ValueId>,
    ) -> Result<(), TooManyNames> {
        self.add_key(name.len() + 2, scope, value, |keys| encode_plain_key(name, keys))
    }

    #[inline]
    fn add_key(
        &mut self,
        wire_len: usize,
        scope: Scope,
        value: Option<ValueId>,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), TooManyNames> {
        // A key has at most two bytes for each of the name's.
        let size = self.keys.len() + self.entries.len() * MAX_OVERHEAD;
        if size + HEAD + 2 * wire_len + MAX_OVERHEAD > u32::MAX as usize {
            return Err(TooManyNames);
        }
        let at = self.keys.len();
        self.keys.extend([0; HEAD]);
        encode(&mut self.keys);
        let len = self.keys.len() - at - HEAD;
        let head = (len as u16) << 2 | scope as u16;
        self.keys[at..at + HEAD].copy_from_slice(&head.to_le_bytes());
        let window = window(&self.keys[at + HEAD..], 0);
        let value = value.map_or(Entry::EXCLUSION, |ValueId(id)| id);
        self.entries.push(Entry { window, at: at as u32, value });
        self.scopes.0 += u64::from(scope.has_itself());
        self.scopes.1 += u64::from(scope.has_below());
        Ok(())
    }

    /// The number of entries added.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The number of entries for names themselves, and of those for what is below.
    pub fn scopes(&self) -> (u64, u64) {
        self.scopes
    }

    /// True if no entry was added.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Applies the rules and builds the tree, which does not depend on the order of the names.
    ///
    /// Several values of one name and scope make one answer, in the order they were added and
    /// without duplicates; an exclusion beats them all, wherever it stands. What changes nothing
    /// is left out: an exclusion where nothing is listed, and an entry that says what holds for
    /// the name anyway. The latter is kept if a text may show the listed name (`$`); a text may
    /// come from `base_template`, the dataset's `$=` line, empty for none.
    pub fn finish(mut self, answers: AnswersBuilder, base_template: &[u8]) -> (NameTree, Answers) {
        let count = self.entries.len();
        let parts = sort::sort(std::mem::take(&mut self.keys), &mut self.entries, self.threads);
        let mut rules = Rules { answers, base_template, values: Vec::new() };
        let key_bytes = parts.iter().map(|(keys, _)| keys.len()).sum();
        let mut names = SortedNames::with_capacity(count, key_bytes);
        // What holds below the names above the one at hand, with the lengths of their keys.
        let mut above: Vec<(usize, AnswerId)> = Vec::new();
        let mut last = Vec::new();
        for (keys, entries) in parts {
            for entries in entries.chunk_by(|a, b| key(&keys, *a) == key(&keys, *b)) {
                let key = key(&keys, entries[0]);
                while above.pop_if(|(len, _)| !key.starts_with(&last[..*len])).is_some() {}
                let inherited = above.last().map_or(AnswerId::NONE, |&(_, answer)| answer);
                let scoped = entries.iter().map(|&entry| (scope(&keys, entry), entry.value()));
                let itself = scoped.clone().filter(|(scope, _)| scope.has_itself());
                let itself = rules.decide(itself.map(|(_, value)| value), inherited);
                let below = scoped.filter(|(scope, _)| scope.has_below());
                let below = rules.decide(below.map(|(_, value)| value), inherited);
                if itself.is_some() || below.is_some() {
                    names.push(key, itself, below);
                }
                if let Some(below) = below {
                    above.push((key.len(), below));
                    last.clear();
                    last.extend_from_slice(key);
                }
            }
        }
        let Rules { answers, .. } = rules;
        drop(self);
        let (answers, numbers) = answers.finish(names.answers());
        names.renumber(&numbers);
        (names.into_tree(), answers)
    }
}

struct Rules<'a> {
    answers: AnswersBuilder,
    base_template: &'a [u8],
    values: Vec<ValueId>,
}

impl Rules<'_> {
    /// What the entries for one name and scope say; `None` if it is what is inherited.
    fn decide(
        &mut self,
        entries: impl Iterator<Item = Option<ValueId>>,
        inherited: AnswerId,
    ) -> Option<AnswerId> {
        self.values.clear();
        let mut excluded = false;
        for value in entries {
            match value {
                None => excluded = true,
                Some(value) if self.values.len() < MAX_VALUES && !self.values.contains(&value) => {
                    self.values.push(value);
                }
                Some(_) => {}
            }
        }
        if excluded {
            return inherited.is_listed().then_some(AnswerId::NONE);
        }
        if self.values.is_empty() {
            return None;
        }
        let answer = self.answers.answer(&self.values);
        let inert = answer == inherited && !self.values.iter().any(|&id| self.shows_name(id));
        (!inert).then_some(answer)
    }

    /// True if the text of a value may contain the listed name.
    fn shows_name(&self, value: ValueId) -> bool {
        let template = match self.answers.get_value(value).text {
            text if text.starts_with(b"=") || self.base_template.is_empty() => text,
            _ => self.base_template,
        };
        template.contains(&b'$')
    }
}

/// Eight bytes of a key from `depth` on, and zeros after its end.
fn window(key: &[u8], depth: usize) -> [u8; 8] {
    let rest = key.get(depth..).unwrap_or(&[]);
    rest.first_chunk().copied().unwrap_or_else(|| {
        let mut window = [0; 8];
        window[..rest.len()].copy_from_slice(rest);
        window
    })
}

fn head(keys: &[u8], entry: Entry) -> u16 {
    let at = entry.at as usize;
    u16::from_le_bytes([keys[at], keys[at + 1]])
}

fn scope(keys: &[u8], entry: Entry) -> Scope {
    Scope::ALL[usize::from(head(keys, entry) & 3)]
}

fn key(keys: &[u8], entry: Entry) -> &[u8] {
    let start = entry.at as usize + HEAD;
    &keys[start..start + usize::from(head(keys, entry) >> 2)]
}
