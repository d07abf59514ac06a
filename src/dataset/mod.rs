//! A dataset that is served: from its files to what zones answer from.
//!
//! ```text
//! manager -> pool -> build -> cached, convert -> BuildOutcome -> lifecycle -> served
//! ```
//!
//! - `task` holds the plain values: what to build (`Task`), and what came of it.
//! - `build` reads and builds; `unchanged` finds that nothing has to be built; `cached` takes a snapshot
//!   instead of the files, `kept` the text that was accepted last; `convert` makes a dataset of what was parsed.
//! - `pool` has the threads that build; `lifecycle` owns what is `served` and decides what is told and tried
//!   again; `manager` has all datasets of a server.
//! - `lineage` says whether data is a newer version of other data.
//! - `acceptance` is about files that were refused and are to be served all the same.
//! - `offline` builds without a server; `preview` tells what would become of files.

pub(crate) mod acceptance;
mod build;
mod cached;
mod content_id;
mod convert;
mod freshness;
mod kept;
mod lifecycle;
mod lineage;
pub(crate) mod manager;
mod offline;
mod pool;
mod preview;
mod served;
pub(crate) mod task;
#[cfg(test)]
mod tests;
mod unchanged;

pub(crate) use convert::options as parse_options;
pub(crate) use lifecycle::Lifecycle;
pub use lifecycle::State;
pub use offline::{Compiled, compile};
pub(crate) use offline::{OfflineDataset, load};
pub use preview::{DatasetVersion, Preview, accepted_version, built_version, preview};
pub(crate) use served::Served;
