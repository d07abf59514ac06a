//! The running server.
//!
//! 1. Sockets are bound, so that a mistake in the addresses is told before anything is loaded (`servers`).
//! 2. All datasets are built, on all cores (`start`).
//! 3. The catalog is published (`catalog_builder`), and the threads that answer start.
//! 4. The control loop (`control`) obeys the commands (`command`) of signals, timers, builds and files; a
//!    reload of the settings takes several of them (`reload`).
//!
//! What is answered never waits for what is loaded: see [`crate::server`].

mod alarms;
mod catalog_builder;
mod command;
mod control;
mod personality;
mod phase;
mod reload;
mod servers;
mod signals;
mod start;
mod stats_reporter;
mod zone_health;

pub(crate) use personality::Personality;
pub(crate) use servers::Bound;

use crate::config::{ConfigSource, Settings};
use crate::zone::Catalog;
use personality::Plain;
use std::process::ExitCode;
use std::sync::Arc;

/// Loads `settings` as [`run`] does at its start, and gives what it would answer from: for those
/// who ask [`crate::engine::answer`] without a socket. Not to be called from async code.
///
/// # Errors
///
/// When the system gives no thread. Data that cannot be loaded is no error, as in [`run`].
pub fn load(settings: &Settings) -> anyhow::Result<Catalog> {
    load_with(settings, Arc::new(Plain::new(&settings.server)))
}

/// [`load`] with this personality.
pub(crate) fn load_with(
    settings: &Settings,
    personality: Arc<dyn Personality>,
) -> anyhow::Result<Catalog> {
    start::load(settings, &personality)
}

/// Serves `settings` until told to stop; `source` says where to read them again on SIGHUP.
///
/// # Errors
///
/// When an address cannot be listened on, a certificate cannot be used, or the system gives no
/// thread. Data that cannot be loaded is no error: zones that have nothing else answer SERVFAIL until
/// it can.
pub fn run(settings: Settings, source: ConfigSource) -> anyhow::Result<ExitCode> {
    let bound = Bound::bind(&settings.server)?;
    let personality = Arc::new(Plain::new(&settings.server));
    serve(settings, source, bound, personality)
}

/// [`run`] with sockets that are bound already, and this personality.
pub(crate) fn serve(
    settings: Settings,
    source: ConfigSource,
    bound: Bound,
    personality: Arc<dyn Personality>,
) -> anyhow::Result<ExitCode> {
    start::serve(settings, source, bound, personality)
}
