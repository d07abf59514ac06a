//! How much was asked in each minute of the last day, for programs that plot it.

use super::{SCHEMA, Time};
use crate::state::traffic::{Series, TrafficHistory};
use crate::wire::name::NameBuf;
use serde::{Deserialize, Serialize};

/// The minutes of the last day, in all and of each zone.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TrafficStatus {
    /// [`SCHEMA`] of the server.
    pub schema: u32,
    /// The first second of the newest minute, which is the last of all lists.
    pub newest: Time,
    /// The server as a whole, also what belongs to no zone.
    pub all: MinutesStatus,
    /// The zones that were asked, in the order of the settings.
    pub zones: Vec<ZoneTrafficStatus>,
}

/// What was counted in each minute, the oldest first; at most a day.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct MinutesStatus {
    /// The queries.
    pub queries: Vec<u64>,
    /// Those of them that were answered with records.
    pub listed: Vec<u64>,
}

/// The minutes of a zone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ZoneTrafficStatus {
    /// The name.
    pub name: String,
    /// Its minutes.
    #[serde(flatten)]
    pub minutes: MinutesStatus,
}

impl TrafficStatus {
    /// The history as it is now, of these zones.
    pub(crate) fn new<'z>(
        history: &TrafficHistory,
        zones: impl Iterator<Item = &'z NameBuf>,
    ) -> Self {
        let zone = |zone: &NameBuf| {
            let minutes = MinutesStatus::of(history.zone(zone)?);
            Some(ZoneTrafficStatus { name: zone.to_string(), minutes })
        };
        Self {
            schema: SCHEMA,
            newest: super::build::time(history.newest()),
            all: MinutesStatus::of(history.all()),
            zones: zones.filter_map(zone).collect(),
        }
    }
}

impl MinutesStatus {
    fn of(series: &Series) -> Self {
        let (queries, listed) = series.counts().map(|count| (count.queries, count.listed)).unzip();
        Self { queries, listed }
    }
}
