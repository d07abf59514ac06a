//! Files and settings change under a steady stream of queries: the right thing happens soon, not
//! one query is lost, and none is answered from a torn read.

mod faults;
mod life;
mod settings;
mod unheard;
mod ways;

use std::time::Duration;

/// How long after its file is whole a list may take to be served.
const SOON: Duration = Duration::from_secs(2);

/// Queries per second of a stream.
const RATE: u32 = 1000;
