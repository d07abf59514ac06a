//! Who may ask: what the access lists of the server and of a zone make of a query.

use super::LowerName;
use crate::listing::{Action, Answer, Keyword};
use crate::wire::Type;
use crate::zone::{Acl, Dataset, KeyAcl};
use std::net::IpAddr;
use std::sync::Arc;

/// What the access lists say of a query, together: the strictest action of any of them counts
/// (rbldnsd's manual, "acl Dataset").
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Verdict<'a> {
    pub(super) restriction: Restriction,
    /// The value that stands for every listed one, of the first list that has one.
    pub(super) value: Option<(&'a Dataset, Answer<'a>)>,
    /// A known key was in the name.
    pub(super) has_key: bool,
}

/// How far a query is restricted, the strictest last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) enum Restriction {
    /// Not at all.
    #[default]
    Pass,
    /// All keys of the lists are listed.
    Listed,
    /// No key of the lists is listed.
    Empty,
    /// The answer is REFUSED.
    Refuse,
    /// There is no answer.
    Ignore,
}

impl<'a> Verdict<'a> {
    /// Adds what lists say of a client.
    pub(super) fn of_client(&mut self, acl: &'a [Arc<Dataset>], client: IpAddr) {
        for set in acl {
            if let Some(Acl::Clients(clients)) = &set.acl {
                self.add(set, clients.action(client));
            }
        }
    }

    /// Adds what lists say of the key in a name relative to its zone, and takes the key off the
    /// name.
    pub(super) fn of_key(&mut self, acl: &'a [Arc<Dataset>], name: &mut LowerName, query: Type) {
        // Who serves a zone is no secret: resolvers ask for it without a key.
        if name.labels() == 0 && !self.has_key && matches!(query, Type::SOA | Type::NS) {
            return;
        }
        for set in acl {
            if let Some(Acl::Keys(keys)) = &set.acl {
                let action = self.key_action(keys, name);
                self.add(set, action);
            }
        }
    }

    fn key_action(&mut self, keys: &'a KeyAcl, name: &mut LowerName) -> Option<Action<'a>> {
        let Some(action) = name.last_label().and_then(|label| keys.known(label)) else {
            return keys.unknown();
        };
        name.cut(name.labels() - 1);
        self.has_key = true;
        Some(action)
    }

    fn add(&mut self, set: &'a Dataset, action: Option<Action<'a>>) {
        let restriction = match action {
            None | Some(Action::Keyword(Keyword::Pass)) => Restriction::Pass,
            Some(Action::Listed(answer)) => {
                self.value.get_or_insert((set, answer));
                Restriction::Listed
            }
            Some(Action::Keyword(Keyword::Empty)) => Restriction::Empty,
            Some(Action::Keyword(Keyword::Refuse)) => Restriction::Refuse,
            Some(Action::Keyword(Keyword::Ignore)) => Restriction::Ignore,
        };
        self.restriction = self.restriction.max(restriction);
    }
}

#[cfg(test)]
mod tests;
