//! A dataset as it is served. One unit with `subzones.rs`: a `combined` dataset has datasets in it.

use super::{Acl, Ns, Soa, Subzones, Vars};
use crate::listing::Answers;
use crate::listing::records::RecordSet;
use crate::trie::digests::DigestTable;
use crate::trie::names::{NameEntry, NameTree};
use crate::trie::{Trie4, Trie6};

/// The compiled form of one dataset: its listing and what its files say of the zones it is in.
#[derive(Debug, Default)]
pub struct Dataset {
    /// The name, for people.
    pub name: String,
    /// IPv4 addresses, unless the type of the dataset has none.
    pub ip4: Option<Trie4>,
    /// IPv6 addresses, unless the type of the dataset has none.
    pub ip6: Option<Trie6>,
    /// Domain names, unless the type of the dataset has none.
    pub names: Option<NameTree>,
    /// Hashes, for the type `hashset`: their labels are names.
    pub digests: Option<DigestTable>,
    /// A name that is not listed itself does not exist, even if names below it are listed (against
    /// RFC 8020, as the type `dnhash` of rspamd's fork of rbldnsd has it).
    pub hides_empty_non_terminals: bool,
    /// Ordinary records (`generic`).
    pub records: Option<RecordSet>,
    /// Who may ask (`acl`, `aclkey`); such a dataset lists nothing.
    pub acl: Option<Acl>,
    /// The datasets in it, below apexes of their own (`combined`).
    pub subzones: Option<Subzones>,
    /// The answers the listings above give by number.
    pub answers: Answers,
    /// One answer with the default value, for the test points of RFC 5782.
    pub default_answer: Answers,
    /// What `$0`..`$9` and `$=` stand for.
    pub vars: Vars,
    /// The TTL of the answers, in seconds.
    pub ttl: u32,
    /// The SOA record its files name, the serial 0 for "the time of the newest file".
    pub soa: Option<Soa>,
    /// The name servers its files name.
    pub ns: Option<Ns>,
    /// Not to be served after this time, in seconds since 1970.
    pub expires: Option<u64>,
    /// When the next entry expires, in seconds since 1970: then it is to be built again.
    pub next_expiry: Option<u64>,
}

impl Dataset {
    /// Whether the data has expired by then, in seconds since 1970.
    pub fn is_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|expires| expires < now)
    }

    /// True if a key of this dataset can be an address or a name, so that the test points of
    /// RFC 5782 make sense.
    pub fn is_list(&self) -> bool {
        self.ip4.is_some() || self.ip6.is_some() || self.takes_names()
    }

    /// True if names are keys of this dataset: domain names, or the labels of hashes.
    pub fn takes_names(&self) -> bool {
        self.names.is_some() || self.digests.is_some()
    }

    /// What is said of names, in canonical order (RFC 4034 section 6.1).
    pub fn name_entries(&self) -> impl Iterator<Item = NameEntry> + '_ {
        // No dataset has both.
        let names = self.names.iter().flat_map(NameTree::iter);
        names.chain(self.digests.iter().flat_map(|digests| digests.iter().names()))
    }

    /// Itself, or the datasets in it.
    pub fn flat(&self) -> impl Iterator<Item = &Self> {
        let subzones = self.subzones.as_ref();
        subzones
            .is_none()
            .then_some(self)
            .into_iter()
            .chain(subzones.into_iter().flat_map(Subzones::datasets))
    }

    /// True if IPv6 addresses are keys of this dataset: those of an `ip4trie` are only if there are
    /// some in it.
    pub fn takes_ip6(&self) -> bool {
        self.ip6.as_ref().is_some_and(|ip6| self.ip4.is_none() || !ip6.is_empty())
    }

    /// The size in shared memory, in bytes: what is mapped from a snapshot.
    pub fn mapped(&self) -> usize {
        self.ip4.as_ref().map_or(0, Trie4::mapped)
            + self.ip6.as_ref().map_or(0, Trie6::mapped)
            + self.names.as_ref().map_or(0, NameTree::mapped)
            + self.digests.as_ref().map_or(0, DigestTable::mapped)
            + self.answers.mapped()
    }

    /// The size in this process's own memory, in bytes.
    pub fn memory(&self) -> usize {
        let subzones = self.subzones.iter().flat_map(Subzones::datasets).map(Self::memory);
        subzones.sum::<usize>()
            + self.ip4.as_ref().map_or(0, Trie4::memory)
            + self.ip6.as_ref().map_or(0, Trie6::memory)
            + self.names.as_ref().map_or(0, NameTree::memory)
            + self.digests.as_ref().map_or(0, DigestTable::memory)
            + self.acl.as_ref().map_or(0, Acl::memory)
            + self.records.as_ref().map_or(0, RecordSet::memory)
            + self.answers.memory()
    }
}
