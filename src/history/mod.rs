//! The history of the datasets: what each load listed, delisted and changed.
//!
//! Each dataset has a log in the state folder. A load appends a block of sorted differences (`block.rs`,
//! `changes.rs`, `log.rs`); old ones are pruned to what is still listed (`fold.rs`). Nothing is indexed: whoever
//! asks reads all of the log (`files.rs`, `query.rs`).

mod block;
mod changes;
mod codec;
mod files;
mod fold;
mod known;
mod log;
mod prefix;
mod query;
mod recent;
mod version;

pub use block::{
    KEY, ListPlace, ListedValue, ListedValues, LoadHead, Operation, RefusedEntry, Space, framed,
};
pub use known::Known;
pub use log::{Bounds, HistoryLog, LoadedVersion, retain};
pub use prefix::{PrefixMoment, PrefixTimeline};
pub use query::{Entry, History, LoadEntry, Moment, Sought, Timeline, Turn};
pub use recent::{LoadedKey, LoadedKeys, Recent, RecentLoad};
pub use version::comparable;

#[cfg(test)]
mod figures;
#[cfg(test)]
mod tests;
