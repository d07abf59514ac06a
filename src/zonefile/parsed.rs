//! What comes of reading a dataset.

use super::special::Local;
use super::{Counts, Diagnostics, Kind, NsData, ParsedAcl, SoaData, Stated, Vars};
use crate::listing::Answers;
use crate::listing::addresses::{Addresses4, Addresses6};
use crate::listing::records::RecordSet;
use crate::trie::digests::DigestTable;
use crate::trie::names::NameTree;
use crate::wire::name::NameBuf;
use std::net::Ipv4Addr;

/// A dataset, read.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The type of the dataset.
    pub kind: Kind,
    /// The TTL of its records, in seconds.
    pub ttl: u32,
    /// The first `$SOA`.
    pub soa: Option<SoaData>,
    /// The first `$NS`.
    pub ns: Option<NsData>,
    /// `$0` to `$9` and `$=`.
    pub vars: Vars,
    /// When the dataset expires, in seconds since 1970: the earliest that was given.
    pub expires: Option<u64>,
    /// When the next entry expires, in seconds since 1970: what had expired at the time of
    /// [`Options::now`](super::Options::now) is not listed.
    pub next_expiry: Option<u64>,
    /// When the data was made, in seconds since 1970: the latest that was given.
    pub stamp: Option<u64>,
    /// The A record and the TXT template of the first default line, or what stands for it.
    pub default_value: (Ipv4Addr, Box<[u8]>),
    /// The number of lines that list or exclude something.
    pub entries: u64,
    /// Those lines by size or scope.
    pub counts: Counts,
    /// The listed IPv4 addresses, for the types that have them.
    pub ip4: Option<Addresses4>,
    /// The listed IPv6 addresses, for the types that have them.
    pub ip6: Option<Addresses6>,
    /// The listed names, for the types that have them.
    pub names: Option<NameTree>,
    /// The listed hashes, for `hashset`.
    pub digests: Option<DigestTable>,
    /// The records, for `generic`.
    pub records: Option<RecordSet>,
    /// Who may ask, for access lists.
    pub acl: Option<ParsedAcl>,
    /// The sections, for `combined`.
    pub parts: Vec<ParsedSection>,
    /// What the listed keys give.
    pub answers: Answers,
    /// What the files say of themselves.
    pub stated: Stated,
    /// What was wrong.
    pub diagnostics: Diagnostics,
}

impl Parsed {
    /// A dataset without entries.
    pub(super) fn new(kind: Kind, Local { ttl, vars }: Local) -> Self {
        Self {
            kind,
            ttl,
            soa: None,
            ns: None,
            vars,
            expires: None,
            next_expiry: None,
            stamp: None,
            default_value: (Ipv4Addr::UNSPECIFIED, Box::default()),
            entries: 0,
            counts: Counts::Plain,
            ip4: None,
            ip6: None,
            names: None,
            digests: None,
            records: None,
            acl: None,
            parts: Vec::new(),
            answers: Answers::default(),
            stated: Stated::default(),
            diagnostics: Diagnostics::default(),
        }
    }
}

/// A section, read.
#[derive(Clone, Debug)]
pub struct ParsedSection {
    /// The name that the file gives it, or its type.
    pub name: Box<str>,
    /// The subzones it is for, relative to the zone, in lower case; the root for the zone itself.
    pub apexes: Vec<NameBuf>,
    /// What is in it. SOA, NS, expiry and diagnostics are those of the whole.
    pub parsed: Parsed,
}
