//! The mirror: `dnsbld sync` fetches feeds by rsync and curl, and publishes them where datasets find them.
//!
//! It is a process of its own. The server never starts programs; this room stands above it, so that it cannot
//! use it. The two meet in the folder of the mirror: in the files that are published, and in a record of each
//! feed ([`crate::state::feeds`]), which the server reads for its status.
//!
//! [`run`] starts what is due (`schedule`), one transfer per host at a time (`supervisor`). A transfer (`fetch`)
//! runs rsync or curl (`child`) into a staging folder, checks what has come, and publishes it (`staging`). A service
//! asks the server how it is, too, and runs a command for what goes wrong (`alert`).

mod alert;
mod child;
mod console;
mod curl;
mod exit;
mod fetch;
mod handed;
mod list;
mod lock;
mod outcome;
mod places;
mod rsync;
mod schedule;
mod staging;
mod supervisor;

pub use alert::Ask;
pub use console::Console;
pub use list::presets;
pub use supervisor::{Orders, SyncEnd, dry_run, run};
