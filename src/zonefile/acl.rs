//! The entry lines of access lists: `acl` (rbldnsd's manual, "acl Dataset") and `aclkey` (rspamd's
//! fork of it, "aclkey Dataset").

use super::body::{duplicate4, duplicate6};
use super::diagnostic::Refused;
use super::entries::{Rules, end_of_address, mapped_ip4};
use super::scan::{Scan, is_blank};
use super::values::Values;
use super::{FatalCause, Reason, ip4, ip6};
use crate::listing::actions::listed;
use crate::listing::addresses::{Addresses4, Addresses6, PrefixesBuilder};
use crate::listing::{Actions, AnswerId, AnswersBuilder, Keyword};
use hashbrown::HashMap;

/// The longest label of a name (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;

/// An access list, read: who it is about, and the actions that its listing gives by number.
#[derive(Clone, Debug)]
pub struct Acl {
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
    /// The keys in lower case, and their actions.
    pub known: HashMap<Box<[u8]>, AnswerId, foldhash::fast::FixedState>,
    /// The action for queries without a known key.
    pub unknown: AnswerId,
}

/// The entries of an access list so far.
#[derive(Debug)]
pub(super) struct AclEntries {
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

impl AclEntries {
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
    ) -> Result<Option<Reason>, Refused> {
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

    /// Takes an entry; `place` is the number of the entry in the files. A reason returned is a
    /// warning only.
    pub(super) fn line(
        &mut self,
        scan: &mut Scan<'_>,
        values: &mut Values,
        rules: Rules<'_>,
        place: u32,
    ) -> Result<Option<Reason>, Refused> {
        match &self.listed {
            Listed::Clients(..) => {
                let client = client(scan, rules)?;
                let (action, warning) = self.action(scan, values)?;
                let Listed::Clients(trie4, trie6) = &mut self.listed else { return Ok(None) };
                match client {
                    Client::Ip4(start, len) => trie4.add(start, len, action, place),
                    Client::Ip6(start, len) => trie6.add(start, len, action, place),
                }
                Ok(warning)
            }
            Listed::Keys(_) => {
                let key = key(scan)?;
                let (action, warning) = self.action(scan, values)?;
                let Listed::Keys(keys) = &mut self.listed else { return Ok(None) };
                let before = keys.known.insert(key, action);
                Ok(warning.or(before.map(|_| Reason::DuplicateKey)))
            }
        }
    }

    /// The finished list; and the places of the entries that came too late.
    pub(super) fn finish(self, answers: AnswersBuilder) -> (Acl, Vec<(u32, Reason)>) {
        match self.listed {
            Listed::Clients(trie4, trie6) => {
                let ((mut ip4, late4), (mut ip6, late6)) = (trie4.finish(), trie6.finish());
                let ids4 = ip4.ranges().map(|range| range.answer);
                let ids = ids4.chain(ip6.ranges().map(|range| range.answer));
                let (actions, numbers) = Actions::new(answers, ids);
                ip4.renumber(&|old| numbers.get(old));
                ip6.renumber(&|old| numbers.get(old));
                let subjects = Subjects::Clients(ip4, ip6);
                let late = late4.into_iter().map(duplicate4);
                let late = late.chain(late6.into_iter().map(duplicate6)).collect();
                (Acl { subjects, actions }, late)
            }
            Listed::Keys(mut keys) => {
                let mut sorted: Vec<_> = keys.known.iter_mut().collect();
                sorted.sort_unstable_by_key(|(key, _)| *key);
                let ids = sorted.iter().map(|(_, action)| **action).chain([keys.unknown]);
                let (actions, numbers) = Actions::new(answers, ids);
                for (_, action) in sorted {
                    *action = numbers.get(*action);
                }
                keys.unknown = numbers.get(keys.unknown);
                (Acl { subjects: Subjects::Keys(keys), actions }, Vec::new())
            }
        }
    }

    /// The action of an entry, and a warning.
    fn action(
        &self,
        scan: &mut Scan<'_>,
        values: &mut Values,
    ) -> Result<(AnswerId, Option<Reason>), Refused> {
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
    fn stated(&self, scan: &mut Scan<'_>) -> Result<Stated, Reason> {
        let sign = scan.peek();
        if !matches!(sign, b':' | b'=') {
            return Ok(Stated::Value);
        }
        let word = &scan.rest()[1..];
        let end = |&byte: &u8| is_blank(byte) || matches!(byte, b':' | b'#' | b';');
        let word = &word[..word.iter().position(end).unwrap_or(word.len())];
        match self.keyword(word) {
            Some(keyword) => Ok(Stated::Keyword(keyword)),
            None if sign == b'=' => Err(Reason::BadAction),
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

enum Client {
    Ip4(u32, u8),
    Ip6(u128, u8),
}

/// An IPv4 prefix, or what is none as an IPv6 prefix: so 10/88 is 10::/88 here, as in rbldnsd.
fn client(scan: &mut Scan<'_>, rules: Rules<'_>) -> Result<Client, Reason> {
    let start = scan.clone();
    let as_ip4 = ip4::cidr(scan).and_then(|found| end_of_address(scan).map(|()| found));
    match as_ip4 {
        Ok((address, len)) => {
            let start = rules.network4(address, len)?;
            rules.check_size(start, start | ip4::host_mask(len))?;
            Ok(Client::Ip4(start, len))
        }
        Err(reason4) => {
            let after_ip4 = std::mem::replace(scan, start.clone());
            match ip6::cidr(scan).and_then(|found| end_of_address(scan).map(|()| found)) {
                Ok((address, len)) => {
                    let start = rules.network6(address, len)?;
                    Ok(match mapped_ip4(start, len) {
                        Some((start, len)) => Client::Ip4(start, len),
                        None => Client::Ip6(start, len),
                    })
                }
                Err(reason6) if start.clone().word().contains(&b':') => Err(reason6),
                Err(_) => {
                    *scan = after_ip4;
                    Err(reason4)
                }
            }
        }
    }
}

/// A key, in lower case as all names asked are; the fork never finds one with capital letters.
fn key(scan: &mut Scan<'_>) -> Result<Box<[u8]>, Reason> {
    let rest = scan.rest();
    let end = |&byte: &u8| is_blank(byte) || matches!(byte, b':' | b'=');
    let key = &rest[..rest.iter().position(end).unwrap_or(rest.len())];
    if key.len() > MAX_LABEL {
        return Err(Reason::LongKey);
    }
    scan.skip(key.len());
    Ok(key.to_ascii_lowercase().into())
}

/// What is no A value here may have been meant as a keyword.
fn bad_action(refused: Refused) -> Refused {
    match refused {
        Refused::Line(Reason::BadA) => Refused::Line(Reason::BadAction),
        other => other,
    }
}
