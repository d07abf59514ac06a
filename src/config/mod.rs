//! The configuration: text (`spec`) -> meaning ([`Settings`]) -> what a reload changes ([`reload`]).
//!
//! It comes from a file `dnsbld.toml`, whose settings `docs/configuration.toml` explains, or from zone specs
//! on the command line as rbldnsd takes them. Every mistake is reported with its place and a remedy, and all
//! mistakes of a file at once where that is possible.

mod client;
mod compare;
mod error;
mod feed;
mod guard;
mod limit;
mod parse;
mod policy;
mod preset;
mod resolve;
mod scoring;
mod secondary;
mod settings;
mod source;
mod spec;
mod value;
mod zonespec;

pub use client::ClientPrefixes;
pub use compare::{Changes, DatasetDifference, SettingChange, ValueChange, reload};
pub use error::{ConfigDiagnostic, Errors};
pub use feed::{Feed, FeedLimits, FeedSchedule, FeedSource, HandedList, Mirror, Transport};
pub use guard::{Guard, Ratio, Sentinel};
pub use limit::{Quota, QuotaAnswer, RateLimit};
pub use policy::{Policy, RULES, TurnOff};
pub use preset::{IntervalOrigin, PRESETS, Preset, PresetList, preset};
pub use scoring::Scoring;
pub use secondary::{CatalogZone, Key, NotifyTarget};
pub use settings::{
    AgeLimit, Checked, ControlPath, CookieMode, Dataset, FreshnessLimits, HistoryBounds, Http,
    Loaded, LogFormat, LogTarget, OnlyAnswers, QueryFilter, QueryLog, QueryLogFormat, Server,
    Settings, Soa, StalePolicy, StatsFile, TcpLimits, Tls, Top, TtlBounds, Usage, WatchEntry,
    WatchSubject, Zone,
};
pub use source::{ConfigSource, SAMPLE_FILE, SYSTEM_FILE, open};
pub use value::collide;
pub use zonespec::dataset_spec;

#[cfg(test)]
mod feed_tests;
#[cfg(test)]
mod limit_tests;
#[cfg(test)]
mod mistakes_tests;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod verdict_tests;

use std::net::SocketAddr;
use std::path::Path;

/// Reads the text of a configuration whose relative files are in `folder`, an absolute path.
///
/// # Errors
///
/// If anything in it cannot be used.
pub fn read(text: &str, folder: &Path) -> Result<Loaded, Errors> {
    let errors = |list| Errors { origin: "configuration".to_owned(), list };
    let parsed = parse::parse(text).map_err(errors)?;
    loaded(resolve::resolve(text, parsed, folder, &[])).map_err(errors)
}

/// A configuration that can be used, or all mistakes.
fn loaded(resolved: resolve::Resolved) -> Result<Loaded, Vec<ConfigDiagnostic>> {
    let resolve::Resolved { settings, errors, warnings } = resolved;
    if errors.is_empty() { Ok(Loaded { settings, warnings }) } else { Err(errors) }
}

/// Reads an address and a port to listen on, such as `127.0.0.1:53` or `[::1]:53`.
///
/// # Errors
///
/// The mistake, and what to write instead.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    value::address(text).map_err(|problem| format!("{}; {}", problem.message, problem.help))
}

/// Reads the form of the server's log: `text`, `json` or `journald`.
///
/// # Errors
///
/// The mistake, and what to write instead.
pub fn log_format(text: &str) -> Result<LogFormat, String> {
    value::log_format(text).map_err(|problem| format!("{}; {}", problem.message, problem.help))
}
