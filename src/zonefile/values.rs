//! The values of a dataset while it is read.

use super::entry::EntryValue;
use super::fast::FastValue;
use super::fatal::Refused;
use super::params::{self, Params};
use super::scan::Scan;
use super::value::{self, Pair};
use super::{Dialect, FatalCause, Kind, MAX_TEXT, Mistake, Options};
use crate::listing::{AnswerId, AnswersBuilder, Gate, HashedA, ValueId};
use std::net::Ipv4Addr;

/// How many entries are looked at together.
pub(super) const GROUP: usize = 32;

/// The values of a dataset and the default value at the current line.
#[derive(Debug)]
pub(super) struct Values {
    pub(super) answers: AnswersBuilder,
    loopback_only: bool,
    /// A comment in a default line is no text.
    comments: bool,
    /// True if only the first default line counts, and for the whole dataset.
    one_default: bool,
    /// What every file starts with.
    base: OwnedPair,
    /// What stands for the A value and the text of every default line.
    local_a: Option<Ipv4Addr>,
    local_text: Option<Box<[u8]>>,
    current: OwnedPair,
    current_id: Option<ValueId>,
    first: Option<OwnedPair>,
    /// The value of the last entry that was read by itself.
    pub(super) last: ValueId,
}

#[derive(Clone, Debug)]
struct OwnedPair {
    a: Ipv4Addr,
    text: Box<[u8]>,
}

impl OwnedPair {
    fn new(pair: Pair<'_>) -> Self {
        Self { a: pair.a, text: pair.text.into() }
    }

    fn as_pair(&self) -> Pair<'_> {
        Pair { a: self.a, text: &self.text }
    }
}

impl Values {
    pub(super) fn new(kind: Kind, options: &Options) -> Self {
        let local_text = options.default_text.as_deref().map(Box::from);
        let base = Pair {
            a: options.default_a.unwrap_or(Pair::BUILT_IN.a),
            text: local_text.as_deref().unwrap_or(Pair::BUILT_IN.text),
        };
        Self {
            answers: AnswersBuilder::default(),
            loopback_only: options.loopback_only,
            comments: options.dialect == Dialect::Native,
            one_default: matches!(kind, Kind::Ip4Tset | Kind::Ip6Tset),
            base: OwnedPair::new(base),
            current: OwnedPair::new(base),
            local_a: options.default_a,
            local_text,
            current_id: None,
            first: None,
            last: ValueId(0),
        }
    }

    /// Defaults hold up to the end of their file.
    pub(super) fn start_file(&mut self) {
        if !self.one_default {
            self.current = self.base.clone();
            self.current_id = None;
        }
    }

    /// Takes a default line. A reason returned is a warning only.
    pub(super) fn default_line(&mut self, scan: &mut Scan<'_>) -> Result<Option<Mistake>, Refused> {
        if self.one_default && self.first.is_some() {
            return Ok(None);
        }
        let (pair, was_cut) = value::pair(scan, Pair::BUILT_IN, self.loopback_only, self.comments)?;
        let pair = OwnedPair::new(pair);
        self.set_default(pair);
        Ok(was_cut.then_some(Mistake::LongText))
    }

    /// Takes a default line that takes what it leaves out from the one before.
    pub(super) fn next_default(&mut self, scan: &mut Scan<'_>) -> Result<Option<Mistake>, Refused> {
        let (pair, was_cut) =
            value::pair(scan, self.current.as_pair(), self.loopback_only, self.comments)?;
        let pair = OwnedPair::new(pair);
        self.set_default(pair);
        Ok(was_cut.then_some(Mistake::LongText))
    }

    fn set_default(&mut self, pair: OwnedPair) {
        let text = self.local_text.clone().unwrap_or(pair.text);
        let pair = OwnedPair { a: self.local_a.unwrap_or(pair.a), text };
        self.current = pair.clone();
        self.current_id = None;
        self.first.get_or_insert(pair);
    }

    /// The number of the default value at this line.
    pub(super) fn default_id(&mut self) -> Result<ValueId, FatalCause> {
        if let Some(id) = self.current_id {
            return Ok(id);
        }
        let id = self.answers.value(self.current.a, &self.current.text);
        self.current_id = id;
        id.ok_or(FatalCause::TooLarge)
    }

    /// The answer of every entry of a dataset that has only one.
    pub(super) fn only_answer(&mut self) -> AnswerId {
        let value = self.default_id().ok();
        self.answer(value)
    }

    /// The first default line of the dataset, or what stands for it.
    pub(super) fn dataset_default(&self) -> (Ipv4Addr, Box<[u8]>) {
        let OwnedPair { a, text } = self.first.as_ref().unwrap_or(&self.base).clone();
        (a, text)
    }

    /// The value of an entry, none for an exclusion; and a warning.
    pub(super) fn of_entry(
        &mut self,
        value: EntryValue<'_, '_>,
    ) -> Result<(Option<ValueId>, Option<Mistake>), Refused> {
        let (value, warning) = match value {
            EntryValue::Excluded => return Ok((None, None)),
            EntryValue::Default => (self.default_id()?, None),
            EntryValue::Text(text) => {
                let used = &text[..text.len().min(MAX_TEXT)];
                let id = self.answers.value(self.current.a, used).ok_or(FatalCause::TooLarge)?;
                (id, (used.len() < text.len()).then_some(Mistake::LongText))
            }
            EntryValue::Rest(scan) => self.of_rest(scan)?,
            EntryValue::Record(_) => return Err(Mistake::OtherType.into()),
        };
        self.last = value;
        Ok((Some(value), warning))
    }

    /// The value that the rest of a line gives, and a warning.
    fn of_rest(&mut self, scan: &mut Scan<'_>) -> Result<(ValueId, Option<Mistake>), Refused> {
        scan.skip_blanks();
        if scan.is_end_or_comment() {
            return Ok((self.default_id()?, None));
        }
        let (id, warning) = match params::find(scan.rest()) {
            Params::None => self.value(scan, None)?,
            Params::Doubtful => {
                let (id, warning) = self.value(scan, None)?;
                (id, warning.or(Some(Mistake::DoubtfulParams)))
            }
            Params::Some(len, gate) => {
                // A gate that is open to all would only take the zone off the fast path.
                let gate = Some(gate).filter(|gate| *gate != Gate::default());
                if len == 0 {
                    let Pair { a, text } = self.current.as_pair();
                    let id = self.answers.gated_value(a, text, gate);
                    (id.ok_or(FatalCause::TooLarge)?, None)
                } else {
                    scan.end_after(len);
                    self.value(scan, gate)?
                }
            }
        };
        Ok((id, warning))
    }

    /// The values of entries, at most [`GROUP`], in their order; none for an exclusion. They stand in
    /// `read`.
    pub(super) fn of_group(
        &mut self,
        entries: impl Iterator<Item = FastValue> + Clone,
        read: &[u8],
    ) -> Result<[Option<ValueId>; GROUP], FatalCause> {
        let mut values = [None; GROUP];
        if !entries.clone().any(|gives| matches!(gives, FastValue::Text(_))) {
            for (value, gives) in values.iter_mut().zip(entries) {
                if gives != FastValue::Excluded {
                    *value = self.without_text(gives)?;
                }
            }
            return Ok(values);
        }
        let (mut texts, default) = ([None; GROUP], HashedA::new(self.current.a));
        for (text, gives) in texts.iter_mut().zip(entries.clone()) {
            if let FastValue::Text(its) = gives {
                *text = Some(its.value(default, read));
            }
        }
        let guesses = self.answers.guess(&texts);
        for (((value, gives), text), guess) in
            values.iter_mut().zip(entries).zip(texts).zip(guesses)
        {
            *value = match (gives, text) {
                (FastValue::Excluded, _) => continue,
                (_, Some(text)) => self.answers.guessed_value(guess, text),
                (gives, None) => self.without_text(gives)?,
            };
            if value.is_none() {
                return Err(FatalCause::TooLarge);
            }
        }
        Ok(values)
    }

    /// The value of an entry that is no exclusion and has no text.
    fn without_text(&mut self, gives: FastValue) -> Result<Option<ValueId>, FatalCause> {
        match gives {
            FastValue::A(a) => {
                let value = self.answers.value(a.into(), &self.current.text);
                value.map(Some).ok_or(FatalCause::TooLarge)
            }
            _ => self.default_id().map(Some),
        }
    }

    /// A value that may stand on an entry line, and a warning.
    pub(super) fn value(
        &mut self,
        scan: &mut Scan<'_>,
        gate: Option<Gate>,
    ) -> Result<(ValueId, Option<Mistake>), Refused> {
        let (pair, was_cut) = value::pair(scan, self.current.as_pair(), self.loopback_only, false)?;
        let id = self.answers.gated_value(pair.a, pair.text, gate).ok_or(FatalCause::TooLarge)?;
        Ok((id, was_cut.then_some(Mistake::LongText)))
    }

    /// The answer of an entry with this value, none for an exclusion.
    pub(super) fn answer(&mut self, value: Option<ValueId>) -> AnswerId {
        value.map_or(AnswerId::NONE, |value| self.answers.answer(&[value]))
    }
}
