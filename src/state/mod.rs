//! The state folder: who may write there, the serials of the zones, and the thread that writes snapshots.

pub mod lock;
pub mod serials;
pub(crate) mod snapshot_writer;
