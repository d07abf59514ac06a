//! The state folder: who may write there, the serials of the zones, what was asked, what allow lists let in, what is known of each dataset, and the
//! threads that write that and the snapshots, and keep files aside.

pub(crate) mod accepted;
pub(crate) mod archive;
pub mod cookie_secrets;
pub mod feeds;
pub(crate) mod historian;
pub mod lock;
pub(crate) mod overrides;
mod packed;
pub(crate) mod quarantine;
pub mod record;
pub mod serials;
pub(crate) mod snapshot_writer;
pub(crate) mod traffic;
pub(crate) mod writers;
