//! The entries of a `hashset`: hashes of one form, which the settings or the first entry tell.

use super::scan::{Scan, is_blank};
use super::values::GROUP;
use super::{HashForm, Mistake};
use crate::listing::digests::DigestsBuilder;
use crate::listing::names::{Scope, read_plain};
use crate::listing::{Answers, AnswersBuilder, NewNumbers, Overfull, ValueId};
use crate::trie::digests::{Alphabet, DigestForm, DigestTable, ROOM, long_hex_label};
use crate::wire::name::NameBuf;

/// Reads the hash that an entry line begins with: the label that it is asked for by, in lower case.
pub(super) fn read(scan: &mut Scan<'_>, form: HashForm) -> Result<NameBuf, Mistake> {
    let rest = scan.rest();
    let is_end = |&byte: &u8| is_blank(byte) || byte == b':';
    let word = &rest[..rest.iter().position(is_end).unwrap_or(rest.len())];
    let is_hex_alone = form == HashForm { alphabet: Some(Alphabet::Hex), digits: None };
    if let Some(label) = long_hex_label(word)
        && (is_hex_alone || form.fits(DigestForm::of_long_hex()))
    {
        scan.skip(word.len());
        return Ok(one_label(&label));
    }
    let alphabet = form.alphabet_of(word);
    if let Some(at) = word.iter().position(|&byte| !alphabet.has(byte)) {
        scan.skip(at);
        return Err(Mistake::HashDigit { byte: word[at], alphabet });
    }
    match form.digits.map(usize::from) {
        Some(digits) if digits != word.len() => {
            scan.skip(word.len().min(digits));
            return Err(Mistake::HashLength { found: word.len(), digits: digits as u8 });
        }
        None if form.of(word).is_none() => return Err(Mistake::NoHash { found: word.len() }),
        _ => {}
    }
    scan.skip(word.len());
    Ok(one_label(word))
}

fn one_label(label: &[u8]) -> NameBuf {
    NameBuf::from_labels(&[&[label.len() as u8], label].concat()).to_lowercase()
}

/// The entries so far.
#[derive(Debug)]
pub(super) struct HashesBuilder {
    form: HashForm,
    /// From the first entry on.
    digests: Option<DigestsBuilder>,
    /// The packed hashes of a group.
    packed: Vec<u8>,
}

impl HashesBuilder {
    pub(super) fn new(form: HashForm) -> Self {
        Self { form, digests: None, packed: Vec::new() }
    }

    /// The form that the next entry must have.
    pub(super) fn form(&self) -> HashForm {
        self.digests.as_ref().map_or(self.form, |digests| {
            let form = digests.form();
            HashForm { alphabet: Some(form.alphabet()), digits: Some(form.digits() as u8) }
        })
    }

    /// Takes an entry: a name of one label, and its value, none for an exclusion.
    pub(super) fn add(&mut self, name: &[u8], value: Option<ValueId>) -> Result<(), Mistake> {
        let (&len, rest) = name.split_first().ok_or(Mistake::OtherType)?;
        let (label, rest) = rest.split_at_checked(len.into()).ok_or(Mistake::OtherType)?;
        let form = match &self.digests {
            Some(digests) => digests.form(),
            None => self.first_form(label).ok_or(Mistake::OtherType)?,
        };
        let digests = self.digests.get_or_insert_with(|| DigestsBuilder::new(form));
        let is_taken = rest == [0] && digests.add(label, value);
        is_taken.then_some(()).ok_or(Mistake::OtherType)
    }

    /// The form that the first label gives. A SHA-256 in hex has a label in base32.
    fn first_form(&self, label: &[u8]) -> Option<DigestForm> {
        let given = self.form.of(label);
        let is_of_it =
            given.is_some_and(|form| label.iter().all(|&byte| form.alphabet().has(byte)));
        if is_of_it { given } else { HashForm::default().of(label) }
    }

    /// Packs the first of the names that [`write_plain`](crate::listing::names::write_plain) has written, at most
    /// [`GROUP`], up to the first that is no hash of the form; gives their number, and the others.
    pub(super) fn pack_group<'w>(&mut self, mut written: &'w [u8]) -> (usize, &'w [u8]) {
        self.packed.clear();
        let Some(digests) = &self.digests else { return (0, written) };
        let form = digests.form();
        let mut count = 0;
        while count < GROUP
            && let Some((key, Scope::Itself, rest)) = read_plain(written)
            && let Some((0, label)) = key.split_last()
        {
            let mut room = [0; ROOM];
            if !form.pack(label, &mut room) {
                break;
            }
            self.packed.extend_from_slice(&room[..form.size()]);
            (count, written) = (count + 1, rest);
        }
        (count, written)
    }

    /// Adds the group that was packed last, with these values.
    pub(super) fn add_group(&mut self, values: &[Option<ValueId>]) {
        let Some(digests) = &mut self.digests else { return };
        let size = digests.form().size();
        for (packed, &value) in self.packed.chunks_exact(size).zip(values) {
            digests.add_packed(packed, value);
        }
    }

    /// Gives values their new numbers.
    pub(super) fn renumber_values(&mut self, numbers: &NewNumbers) {
        if let Some(digests) = &mut self.digests {
            digests.renumber_values(numbers);
        }
    }

    pub(super) fn finish(self, answers: AnswersBuilder) -> (DigestTable, Answers, Overfull) {
        let form = || {
            self.form.digits.and_then(|digits| {
                DigestForm::new(self.form.alphabet.unwrap_or(Alphabet::Hex), digits.into())
            })
        };
        let digests =
            self.digests.unwrap_or_else(|| DigestsBuilder::new(form().unwrap_or_default()));
        digests.finish(answers)
    }
}
