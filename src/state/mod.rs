//! The state folder: who may write there, the serials of the zones, what is known of each dataset, and the
//! thread that writes that and the snapshots.

pub mod lock;
pub mod record;
pub mod serials;
pub(crate) mod snapshot_writer;
