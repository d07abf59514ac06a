//! The entry lines of access lists: `acl` (rbldnsd's manual, "acl Dataset") and `aclkey` (rspamd's
//! fork of it, "aclkey Dataset").

use super::entry::{EntryKey, EntryValue};
use super::fatal::Refused;
use super::rules::{Address, Rules, duplicate, mapped_ip4};
use super::scan::{Scan, is_blank};
use super::values::Values;
use super::{FatalCause, Mistake};
use crate::listing::actions::listed;
use crate::listing::addresses::{Addresses4, Addresses6, PrefixesBuilder};
use crate::listing::{Actions, AnswerId, AnswersBuilder, Keyword};
use std::collections::BTreeMap;

/// An access list, read: who it is about, and the actions that its listing gives by number.
#[derive(Clone, Debug)]
pub struct ParsedAcl {
    /// Who it is about.
    pub subjects: Subjects,
    /// What is done with their queries.
    pub actions: Actions,
}

/// Who an access list is about.
#[derive(Clone, Debug)]
pub enum Subjects {
    /// The clients with these addresses (`acl`).
    Clients(Addresses4, Addresses6),
    /// Whoever shows a key (`aclkey`).
    Keys(Keys),
}

/// The keys of an `aclkey` dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// The keys in lower case, and their actions. Sorted, since no choice of keys makes that slow.
    pub known: BTreeMap<Box<[u8]>, AnswerId>,
    /// The action for queries without a known key.
    pub unknown: AnswerId,
}

/// The entries of an access list so far.
#[derive(Debug)]
pub(super) struct AclBuilder {
    listed: Listed,
    /// The action of entries that name none, at this line.
    default: Default,
}

#[derive(Debug)]
enum Listed {
    Clients(PrefixesBuilder<u32>, PrefixesBuilder<u128>),
    /// And the action that the last default line names.
    Keys(Keys),
}

#[derive(Clone, Copy, Debug)]
enum Default {
    Keyword(Keyword),
    /// The default value.
    Value,
}

/// What a line says instead of a value.
enum Stated {
    Keyword(Keyword),
    Value,
}

impl AclBuilder {
    pub(super) fn clients() -> Self {
        Self::new(Listed::Clients(PrefixesBuilder::default(), PrefixesBuilder::default()))
    }

    pub(super) fn keys() -> Self {
        Self::new(Listed::Keys(Keys { unknown: Keyword::Ignore.id(), ..Keys::default() }))
    }

    fn new(listed: Listed) -> Self {
        Self { listed, default: Default::Keyword(Keyword::Ignore) }
    }

    /// Defaults hold up to the end of their file.
    pub(super) fn start_file(&mut self) {
        self.default = Default::Keyword(Keyword::Ignore);
    }

    /// True if a line that starts like this sets the default action: `::1` is an address.
    pub(super) fn is_default_line(&self, scan: &Scan<'_>) -> bool {
        match (scan.peek(), &self.listed) {
            (b':', Listed::Clients(..)) => scan.peek_second() != b':',
            (b':' | b'=', _) => true,
            _ => false,
        }
    }

    /// Takes a default line. A reason returned is a warning only.
    pub(super) fn default_line(
        &mut self,
        scan: &mut Scan<'_>,
        values: &mut Values,
    ) -> Result<Option<Mistake>, Refused> {
        let mut warning = None;
        self.default = match self.stated(scan)? {
            Stated::Keyword(keyword) => Default::Keyword(keyword),
            Stated::Value => {
                warning = values.next_default(scan).map_err(bad_action)?;
                Default::Value
            }
        };
        let action = self.default_action(values)?;
        if let Listed::Keys(keys) = &mut self.listed {
            keys.unknown = action;
        }
        Ok(warning)
    }

    /// Takes an entry; `number` is its number in the files. A reason returned is a warning only.
    pub(super) fn add(
        &mut self,
        key: EntryKey<'_>,
        value: EntryValue<'_, '_>,
        values: &mut Values,
        rules: Rules<'_>,
        number: u32,
    ) -> Result<Option<Mistake>, Refused> {
        match (&self.listed, key) {
            (Listed::Clients(..), EntryKey::Prefix4 { address, len }) => {
                let start = address.admit(len, rules)?;
                let (action, warning) = self.action(value, values)?;
                self.add4(start, len, action, number);
                Ok(warning)
            }
            (Listed::Clients(..), EntryKey::Prefix6 { address, len }) => {
                let start = address.admit(len, rules)?;
                let (action, warning) = self.action(value, values)?;
                match (mapped_ip4(start, len), &mut self.listed) {
                    (Some((start, len)), _) => self.add4(start, len, action, number),
                    (None, Listed::Clients(_, trie6)) => trie6.add(start, len, action, number),
                    (None, Listed::Keys(_)) => {}
                }
                Ok(warning)
            }
            (Listed::Keys(_), EntryKey::AccessKey(key)) => {
                let (action, warning) = self.action(value, values)?;
                let Listed::Keys(keys) = &mut self.listed else { return Ok(None) };
                // In lower case as all names asked are; the fork never finds one with capital letters.
                let before = keys.known.insert(key.to_ascii_lowercase().into(), action);
                Ok(warning.or(before.map(|_| Mistake::DuplicateKey)))
            }
            _ => Err(Mistake::OtherType.into()),
        }
    }

    fn add4(&mut self, start: u32, len: u8, action: AnswerId, number: u32) {
        if let Listed::Clients(trie4, _) = &mut self.listed {
            trie4.add(start, len, action, number);
        }
    }

    /// The finished list; and the places of the entries that came too late.
    pub(super) fn finish(self, answers: AnswersBuilder) -> (ParsedAcl, Vec<(u32, Mistake)>) {
        match self.listed {
            Listed::Clients(trie4, trie6) => {
                let ((mut ip4, late4), (mut ip6, late6)) = (trie4.finish(), trie6.finish());
                let ids4 = ip4.ranges().map(|range| range.answer);
                let ids = ids4.chain(ip6.ranges().map(|range| range.answer));
                let (actions, numbers) = Actions::new(answers, ids);
                ip4.renumber(&|old| numbers.get(old));
                ip6.renumber(&|old| numbers.get(old));
                let subjects = Subjects::Clients(ip4, ip6);
                let late = late4.into_iter().map(duplicate);
                let late = late.chain(late6.into_iter().map(duplicate)).collect();
                (ParsedAcl { subjects, actions }, late)
            }
            Listed::Keys(mut keys) => {
                let ids = keys.known.values().copied().chain([keys.unknown]);
                let (actions, numbers) = Actions::new(answers, ids);
                for action in keys.known.values_mut() {
                    *action = numbers.get(*action);
                }
                keys.unknown = numbers.get(keys.unknown);
                (ParsedAcl { subjects: Subjects::Keys(keys), actions }, Vec::new())
            }
        }
    }

    /// The action of an entry, and a warning.
    fn action(
        &self,
        value: EntryValue<'_, '_>,
        values: &mut Values,
    ) -> Result<(AnswerId, Option<Mistake>), Refused> {
        let scan = match value {
            EntryValue::Rest(scan) => scan,
            EntryValue::Default => return Ok((self.default_action(values)?, None)),
            _ => return Err(Mistake::BadAction.into()),
        };
        scan.skip_blanks();
        if scan.is_end_or_comment() {
            return Ok((self.default_action(values)?, None));
        }
        match self.stated(scan)? {
            Stated::Keyword(keyword) => Ok((keyword.id(), None)),
            Stated::Value => {
                let (value, warning) = values.value(scan, None).map_err(bad_action)?;
                Ok((listed(values.answers.answer(&[value])), warning))
            }
        }
    }

    fn default_action(&self, values: &mut Values) -> Result<AnswerId, FatalCause> {
        match self.default {
            Default::Keyword(keyword) => Ok(keyword.id()),
            Default::Value => {
                let value = values.default_id()?;
                Ok(listed(values.answers.answer(&[value])))
            }
        }
    }

    /// Looks whether a keyword stands here, as `:word` or `=word`. What follows it on the line has
    /// never mattered.
    fn stated(&self, scan: &mut Scan<'_>) -> Result<Stated, Mistake> {
        let sign = scan.peek();
        if !matches!(sign, b':' | b'=') {
            return Ok(Stated::Value);
        }
        let word = &scan.rest()[1..];
        let end = |&byte: &u8| is_blank(byte) || matches!(byte, b':' | b'#' | b';');
        let word = &word[..word.iter().position(end).unwrap_or(word.len())];
        match self.keyword(word) {
            Some(keyword) => Ok(Stated::Keyword(keyword)),
            None if sign == b'=' => Err(Mistake::BadAction),
            None => Ok(Stated::Value),
        }
    }

    /// The keyword that a word is or, as in rbldnsd, begins.
    fn keyword(&self, word: &[u8]) -> Option<Keyword> {
        const WORDS: [(&[u8], Keyword); 6] = [
            (b"ignore", Keyword::Ignore),
            (b"blackhole", Keyword::Ignore),
            (b"refuse", Keyword::Refuse),
            (b"empty", Keyword::Empty),
            (b"pass", Keyword::Pass),
            (b"accept", Keyword::Pass),
        ];
        let known = match self.listed {
            Listed::Clients(..) => &WORDS[..5],
            Listed::Keys(_) => &WORDS,
        };
        let begins = |(name, _): &&(&[u8], Keyword)| {
            name.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
        };
        known.iter().find(begins).filter(|_| !word.is_empty()).map(|&(_, keyword)| keyword)
    }
}

/// What is no A value here may have been meant as a keyword.
fn bad_action(refused: Refused) -> Refused {
    match refused {
        Refused::Line(Mistake::BadA) => Refused::Line(Mistake::BadAction),
        other => other,
    }
}
