//! What allow lists let in that lists have, for reports.

use super::{SCHEMA, Time, build::time};
use crate::state::overrides::{OverrideKey, OverrideLog};
use crate::util::time::unix_time;
use serde::{Deserialize, Serialize};

/// The senders that allow lists let in although a list has them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct OverridesStatus {
    /// [`SCHEMA`] of the server.
    pub(crate) schema: u32,
    /// When this was told.
    pub(crate) time: Time,
    /// When counting began: with the state folder, perhaps by an earlier run of the server.
    pub(crate) since: Time,
    /// The most answers that there can have been for a sender that is not told; 0 if all are.
    pub(crate) floor: u64,
    /// How many answers there were of which nobody knows for whom: too many different senders at once.
    pub(crate) unnamed: u64,
    /// The senders, the commonest first.
    pub(crate) overrides: Vec<OverrideStatus>,
}

/// A sender that an allow list lets in although a list has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct OverrideStatus {
    /// The dataset that has it (of a combined one the section), the allow list, and the sender.
    #[serde(flatten)]
    pub(crate) key: OverrideKey,
    /// How many answers the allow list has changed; never less than there were.
    pub(crate) count: u64,
    /// The most that `count` may be too great.
    pub(crate) error: u64,
    /// The first time that is known.
    pub(crate) first: Time,
    /// The last time.
    pub(crate) last: Time,
}

impl OverridesStatus {
    /// What was counted until now.
    pub(crate) fn new(log: &OverrideLog) -> Self {
        Self::commonest(log, usize::MAX)
    }

    /// The same, of so many senders at most.
    pub(crate) fn commonest(log: &OverrideLog, most: usize) -> Self {
        let told = log.tallies().into_iter().take(most).map(|(key, tally)| OverrideStatus {
            key: key.clone(),
            count: tally.count,
            error: tally.error,
            first: time(tally.first),
            last: time(tally.last),
        });
        Self {
            schema: SCHEMA,
            time: time(unix_time()),
            since: time(log.since()),
            floor: log.floor(),
            unnamed: log.unnamed(),
            overrides: told.collect(),
        }
    }
}
