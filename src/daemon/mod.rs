//! The running server.

use crate::config::{Settings, Source};
use std::process::ExitCode;

/// Serves `settings` until told to stop; `source` says where to read them again on SIGHUP.
///
/// # Errors
///
/// Always, for now: this build can check a configuration but has no server in it.
pub fn run(settings: Settings, source: Source) -> anyhow::Result<ExitCode> {
    let zones = settings.zones.len();
    anyhow::bail!("{source}: read {zones} zones, but this build of dnsbld cannot serve them")
}
