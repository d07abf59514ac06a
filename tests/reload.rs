//! Files and settings change under a steady stream of queries: the right thing happens soon, not
//! one query is lost, and none is answered from a torn read.

mod common;

#[path = "reload/faults.rs"]
mod faults;
#[path = "reload/life.rs"]
mod life;
#[path = "reload/settings.rs"]
mod settings;
#[path = "reload/unheard.rs"]
mod unheard;
#[path = "reload/ways.rs"]
mod ways;

use std::time::Duration;

/// How long after its file is whole a list may take to be served.
const SOON: Duration = Duration::from_secs(2);

/// Queries per second of a stream.
const RATE: u32 = 1000;
