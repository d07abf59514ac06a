//! Zones and the catalog of them: what the engine answers from, immutable once built.

mod acl;
mod apex_tree;
mod apexes;
mod catalog;
mod counters;
mod dataset;
pub mod diff;
mod health;
pub(crate) mod key;
pub mod lookup;
mod ns;
mod overrides;
mod quota;
mod rate_limit;
mod scoring;
mod soa;
mod subzones;
pub mod sweep;
#[cfg(test)]
pub(crate) mod testing;
mod transfer;

pub use crate::zonefile::{SoaData as Soa, Vars};
pub use acl::{Acl, ClientAcl, KeyAcl};
pub use catalog::{Catalog, Chaos, CompiledZone, Cookies, SimpleZone, ZoneMatch};
pub use counters::{Counters, Figures, MAX_VALUES, QueryType, Reason, Values};
pub use dataset::Dataset;
pub use health::ZoneHealth;
pub(crate) use health::{DOCTOR_PREFIX, HealthName};
pub use ns::NsRecords;
pub use overrides::Overrides;
pub(crate) use overrides::{Overridden, SenderKey, Table};
pub use quota::{Quota, QuotaAnswer, QuotaCounts, QuotaSubject};
pub use rate_limit::RateLimit;
pub(crate) use rate_limit::{IP4_PREFIXES, IP6_PREFIXES, LENGTHS, SECOND};
pub use scoring::{Scoring, Threshold};
pub use soa::{SOA_ROOM, SoaRecord};
pub use subzones::{Subzone, Subzones};
pub use transfer::{TransferAccess, TransferCounts, TransferFigures, TransferKind};

use crate::wire::name::NameBuf;
use std::sync::Arc;

/// A zone: an apex, its own records, and the datasets that say what is listed below it.
#[derive(Debug)]
pub struct Zone {
    /// The apex, in lower case.
    pub apex: NameBuf,
    /// The SOA record, from the first dataset that has one or synthesised.
    pub soa: Soa,
    /// The NS records, from the first dataset that has some or synthesised.
    pub ns: Ns,
    /// What is listed, in the order of the configuration.
    pub datasets: Vec<Arc<Dataset>>,
    /// Allow lists: a key listed in one of them is not listed in this zone. Those of a verdict zone are the
    /// lists with a negative weight, which take that off the sum.
    pub allow: Vec<Arc<Dataset>>,
    /// Makes it a verdict zone: how the weights of all these lists make one answer.
    pub scoring: Option<Arc<Scoring>>,
    /// Access lists: who may ask this zone. Those that hold for all zones are in the catalog.
    pub acl: Vec<Arc<Dataset>>,
    /// Who may have the zone whole.
    pub transfer: TransferAccess,
    /// Whether the zone is answered from, and how far it can be trusted.
    pub state: ZoneState,
    /// Some of the data that it answers from is overdue, and its answers are to say so (`extended-errors`).
    pub says_stale: bool,
    /// The zone is not served after this time, in seconds since 1970 (`$TIMESTAMP`).
    pub expires: Option<u64>,
    /// Whether the test points of RFC 5782 section 5 are looked after.
    pub test_points: bool,
    /// Whether NS records are left out of ordinary answers.
    pub minimal_answers: bool,
    /// What the zone says of itself; `None` if it says nothing.
    pub health: Option<ZoneHealth>,
    /// A hash of all that decides what is answered, equal on all servers that answer equally. Not the serial,
    /// which tells when, and not the access lists, which tell whom.
    pub content_id: u64,
    /// How much may be asked of it.
    pub quotas: Vec<Arc<Quota>>,
    /// Where the queries for the zone are counted.
    pub counters: Counters,
}

/// The health of a zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ZoneState {
    /// Every dataset holds what its files say.
    Live,
    /// Some dataset serves older data than its files have.
    Degraded,
    /// Some dataset or allow list was never loaded: what the zone lists is not known whole.
    Partial(Unlisted),
    /// Some of its data is out of policy, and it is to answer SERVFAIL then.
    Withheld,
    /// Nothing of what it lists was ever loaded, or not all that says who may ask: the answer is
    /// SERVFAIL.
    Unloaded,
}

/// What a zone says of names that it does not list, while one of its datasets was never loaded
/// (docs/decisions/014).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unlisted {
    /// NXDOMAIN, as if the missing dataset listed nothing.
    Answer,
    /// SERVFAIL: the missing dataset may list them.
    #[default]
    ServFail,
}

/// The NS records of a zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ns {
    /// The name servers.
    pub names: Vec<NameBuf>,
    /// The TTL of the records, in seconds.
    pub ttl: u32,
    /// False if the data files name no server and this is a stand-in, which is shown only to who
    /// asks for it.
    pub explicit: bool,
}

impl Zone {
    /// True if NS records stand behind ordinary answers.
    #[inline]
    pub fn shows_ns(&self) -> bool {
        self.ns.explicit && !self.minimal_answers
    }

    /// What to say of names that are not listed, if a dataset was never loaded.
    pub(crate) fn unlisted(&self) -> Option<Unlisted> {
        match self.state {
            ZoneState::Partial(unlisted) => Some(unlisted),
            _ => None,
        }
    }

    /// True if the zone can be answered from at this time, in seconds since 1970.
    #[inline]
    pub fn is_served(&self, now: u64) -> bool {
        let is_answered = !matches!(self.state, ZoneState::Unloaded | ZoneState::Withheld);
        is_answered && self.expires.is_none_or(|expires| expires >= now)
    }
}
