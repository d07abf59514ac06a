//! The networks and domains of `[watch]`: which of them is listed where, since when and by which line.
//!
//! What a dataset lists of them (`listed.rs`) is compared with what was listed before (`changes.rs`), which is
//! remembered in the state folder (`record.rs`). A thread of the lowest priority does that after each load
//! (`thread.rs`); `dnsbld watch` does it without a server.

mod changes;
mod listed;
mod record;
mod thread;

pub(crate) use record::WatchRecord;
pub(crate) use thread::{Look, Monitor, look_at, watched_datasets};
