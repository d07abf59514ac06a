//! What the server says as it goes, in rbldnsd's words, for people and programs that know them.

use super::detach::Daemon;
use super::log::Log;
use super::syslog::Severity;
use crate::config::{self, Settings};
use crate::daemon::{Loading, Voice};
use crate::load::{Cause, Message, Problem, State};
use crate::trie::Trie4;
use crate::wire::name::NameBuf;
use crate::zone::{Zone, ZoneState};
use crate::zonefile::{Kind, MAX_NAME_SERVERS, Reason, Tally};
use anyhow::bail;
use sd_notify::NotifyState;
use std::collections::{BTreeMap, HashMap};
use std::env;
use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::debug;

/// How many lines that could not be used are told for one load of a dataset.
const TOLD_LINES: usize = 5;

/// What remains to be done when the server is ready.
pub(super) struct Ready {
    /// Say this.
    pub(super) text: String,
    /// Leave the terminal.
    pub(super) daemon: Option<Daemon>,
    /// But leave the standard output open.
    pub(super) keep_stdout: bool,
}

/// rbldnsd's voice.
pub(super) struct Speaker {
    log: Arc<Log>,
    /// The files as typed.
    typed: HashMap<PathBuf, String>,
    /// How many datasets each zone should have.
    wanted: HashMap<NameBuf, usize>,
    manager: Manager,
    ready: Mutex<Option<Ready>>,
    refuse_gaps: bool,
    /// Some dataset could not be loaded, of a zone or an access list.
    has_gaps: AtomicBool,
    /// The place of each dataset on the command line.
    order: HashMap<String, usize>,
    /// What is to be told of datasets when all are built: they are built side by side.
    held: Mutex<BTreeMap<usize, Vec<(Severity, String)>>>,
    /// The time that building took since it was last told.
    building: Mutex<Duration>,
}

impl Speaker {
    pub(super) fn new(
        log: Arc<Log>,
        settings: &Settings,
        manager: Manager,
        ready: Option<Ready>,
    ) -> Self {
        let mut typed = HashMap::new();
        for set in &settings.datasets {
            let (_, files) = set.name.split_once(':').unwrap_or_default();
            let files = files.split([',', ':']).filter(|file| !file.is_empty());
            typed.extend(set.files.iter().cloned().zip(files.map(str::to_owned)));
        }
        let wanted = |zone: &config::Zone| (zone.name.clone(), zone.datasets.len());
        Self {
            log,
            typed,
            wanted: settings.zones.iter().map(wanted).collect(),
            manager,
            ready: Mutex::new(ready),
            refuse_gaps: false,
            has_gaps: AtomicBool::new(false),
            order: settings.datasets.iter().map(|set| set.name.clone()).zip(0..).collect(),
            held: Mutex::default(),
            building: Mutex::default(),
        }
    }

    /// Whether a dataset that cannot be loaded at the start ends the program.
    pub(super) fn refuse_gaps(mut self, refuse: bool) -> Self {
        self.refuse_gaps = refuse;
        self
    }

    /// Says that the server has started, and leaves the terminal. Does so once.
    pub(super) fn started(&self) -> anyhow::Result<()> {
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Ready { text, daemon, keep_stdout }) = ready else { return Ok(()) };
        self.log.say(Severity::Info, &text);
        if let Some(daemon) = daemon {
            self.log.leave_terminal();
            daemon.leave(keep_stdout)?;
        }
        Ok(())
    }

    /// Says it when all builds that are under way have ended.
    fn hold(&self, spec: &config::Dataset, severity: Severity, text: String) {
        let place = self.order.get(&spec.name).copied().unwrap_or(usize::MAX);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.entry(place).or_default().push((severity, text));
    }

    fn file(&self, path: &Path) -> String {
        self.typed.get(path).cloned().unwrap_or_else(|| path.display().to_string())
    }

    /// The zones that lack a dataset.
    fn gaps<'a>(&self, zones: &'a [Zone]) -> impl Iterator<Item = &'a Zone> {
        zones.iter().filter(|zone| self.wanted.get(&zone.apex) != Some(&zone.datasets.len()))
    }
}

impl Voice for Speaker {
    fn loaded(&self, loading: &Loading<'_>) {
        let Loading { spec, diagnostics, .. } = loading;
        for bad in diagnostics.kept.iter().take(TOLD_LINES) {
            let file = spec.files.get(usize::from(bad.file)).map(|path| self.file(path));
            let (file, line) = (file.unwrap_or_default(), bad.line);
            let text = format!("file {file}({line}): {}", fault(bad.reason));
            self.hold(spec, Severity::Warning, text);
        }
        let name = &spec.name;
        let more = diagnostics.total.saturating_sub(TOLD_LINES as u64);
        if more > 0 {
            let text = format!("{name}: {more} more warnings suppressed");
            self.hold(spec, Severity::Warning, text);
        }
        let modified = loading.sources.iter().map(|source| source.report.identity.modified.seconds);
        let stamp = stamp(modified.max().unwrap_or(0));
        self.hold(spec, Severity::Info, format!("{name}: {stamp}: {}", figures(loading)));
        *self.building.lock().unwrap_or_else(PoisonError::into_inner) += loading.took;
    }

    fn refused(
        &self,
        spec: &config::Dataset,
        problem: &Problem,
        state: State,
        message: Option<&Message>,
    ) {
        if state == State::NeverLoaded {
            self.has_gaps.store(true, Ordering::Relaxed);
        }
        if message.is_none() {
            return;
        }
        let (file, cause) = (self.file(&problem.file), refusal(&problem.cause));
        let text = match line_of(&cause) {
            Some((line, cause)) => format!("file {file}({line}): {cause}"),
            None => format!("file {file}: {cause}"),
        };
        self.hold(spec, Severity::Error, text);
        if state != State::NeverLoaded {
            let text = format!("{}: the data loaded before stays in service", spec.name);
            self.hold(spec, Severity::Warning, text);
        }
    }

    fn remark(&self, spec: &config::Dataset, message: &Message) {
        self.hold(spec, Severity::Info, format!("{}: {}", spec.name, message.text));
    }

    fn settled(&self, zones: &[Zone], took: Duration, changed: bool) {
        let held = std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner));
        for (severity, text) in held.into_values().flatten() {
            self.log.say(severity, &text);
        }
        if !changed {
            return;
        }
        for zone in self.gaps(zones) {
            let service = match zone.state {
                ZoneState::Unloaded => "zone will not be serviced",
                _ => "zone is serviced without them",
            };
            let text = format!("zone {}: not all datasets are loaded, {service}", zone.apex);
            self.log.say(Severity::Warning, &text);
        }
        let mut building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        let building = std::mem::take(&mut *building);
        let (took, building) = (took.as_secs_f64(), building.as_secs_f64());
        let text = format!("zones reloaded, time {took:.2}e/{building:.2}u sec");
        self.log.say(Severity::Info, &text);
    }

    fn first_load(&self, zones: &[Zone]) -> anyhow::Result<()> {
        let has_gaps = self.has_gaps.load(Ordering::Relaxed) || self.gaps(zones).next().is_some();
        if self.refuse_gaps && has_gaps {
            bail!("zone loading errors, aborting");
        }
        Ok(())
    }

    fn ready(&self, _report: &str) -> anyhow::Result<()> {
        self.started()
    }

    fn reread(&self, _source: &config::Source, _zones: usize) {}

    fn expired(&self, zone: &NameBuf) {
        let text = format!("zone {zone}: zone data expired, zone will not be serviced");
        self.log.say(Severity::Warning, &text);
    }

    fn stopping(&self) {
        self.log.say(Severity::Info, "terminating");
    }

    fn notify(&self, state: &[NotifyState<'_>]) {
        self.manager.tell(state);
    }
}

/// The manager of services (systemd), if there is one: it cannot be reached any more from a root
/// folder of one's own.
#[derive(Default)]
pub(super) struct Manager(Option<UnixDatagram>);

impl Manager {
    /// The one that has started this process (sd_notify(3)).
    pub(super) fn from_environment() -> Self {
        let Some(path) = env::var_os("NOTIFY_SOCKET") else { return Self::default() };
        Self(connect(&path).map_err(|error| debug!("no manager at {path:?}: {error}")).ok())
    }

    pub(super) fn is_there(&self) -> bool {
        self.0.is_some()
    }

    fn tell(&self, state: &[NotifyState<'_>]) {
        let Some(socket) = &self.0 else { return };
        let lines: Vec<String> = state.iter().map(ToString::to_string).collect();
        if let Err(error) = socket.send(lines.join("\n").as_bytes()) {
            debug!("cannot tell the manager: {error}");
        }
    }
}

fn connect(path: &OsStr) -> std::io::Result<UnixDatagram> {
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

/// What rbldnsd would say of a line.
fn fault(reason: Reason) -> String {
    let text = match reason {
        Reason::LongLine => "long line (truncated)",
        Reason::UnknownSpecial | Reason::BadSpecial(_) | Reason::OnlyInCombined => {
            "invalid or unrecognized special entry"
        }
        Reason::ManyNameServers => {
            return format!(
                "too many NS records specified, only first {MAX_NAME_SERVERS} will be used"
            );
        }
        Reason::RaisedMaxRange { from, to } => {
            return format!("ignoring attempt to increase $MAXRANGE4 from {from} to {to}");
        }
        Reason::NotAddress4
        | Reason::NotAddress6
        | Reason::BareOctet
        | Reason::BareField
        | Reason::PrefixLength { .. }
        | Reason::ZeroLength
        | Reason::UnequalRange
        | Reason::BackwardRange
        | Reason::AfterAddress
        | Reason::NotSingle4 => "invalid address",
        Reason::HostBits => "invalid range (non-zero host part)",
        Reason::LargeRange { size, max } => {
            return format!("too large range ({size}) ignored ({max} max)");
        }
        Reason::Duplicate { start, len } => return format!("duplicated entry for {start}/{len}"),
        Reason::BadA => "invalid A RR",
        Reason::AfterA => "unrecognized value for an entry",
        Reason::NoName | Reason::BadName(_) => "invalid domain name",
        Reason::NoRecord | Reason::RecordType | Reason::BadPreference => {
            "invalid/unrecognized entry"
        }
        Reason::NotSingle6 { excluded: false } => {
            "invalid address for regular entry (should be 64 bits)"
        }
        Reason::NotSingle6 { excluded: true } => {
            "invalid address for exclusion (should be 128 bits)"
        }
        Reason::NoSubzone => "no subzone(s) specified for dataset, data will be ignored",
        other => return other.to_string(),
    };
    text.to_owned()
}

/// What rbldnsd would say of a file.
fn refusal(cause: &Cause) -> String {
    match cause {
        Cause::Vanished => "unable to open file: No such file or directory".to_owned(),
        Cause::Knot => "unable to open file: Too many levels of symbolic links".to_owned(),
        Cause::Unreadable(reason) | Cause::Failing(reason) => {
            let reason = reason.split_once(" (os error").map_or(reason.as_str(), |(text, _)| text);
            format!("unable to open file: {reason}")
        }
        Cause::NotAFile("directory") => "error reading file: Is a directory".to_owned(),
        Cause::Torn => "file changed while we where reading it, data load aborted".to_owned(),
        Cause::Compressed => "file is compressed, decompression disabled".to_owned(),
        other => other.to_string(),
    }
}

/// The line that a refusal tells of, and the rest of it.
fn line_of(cause: &str) -> Option<(u32, &str)> {
    let (line, cause) = cause.strip_prefix("line ")?.split_once(": ")?;
    Some((line.parse().ok()?, cause))
}

/// What a dataset lists, in rbldnsd's numbers where there are such.
fn figures(loading: &Loading<'_>) -> String {
    let entries: u64 = loading.sources.iter().map(|source| source.entries).sum();
    match loading.tally {
        Tally::Blocks([e32, e24, e16, e8]) => format!("e32/24/16/8={e32}/{e24}/{e16}/{e8}"),
        Tally::Networks { listed, excluded } => format!("cnt={listed} exl={excluded}"),
        Tally::Names { itself, below } => format!("e/w={itself}/{below}"),
        Tally::Plain => match loading.spec.kind {
            Kind::Acl | Kind::AclKey => "loaded".to_owned(),
            Kind::Ip4Tset => {
                format!("cnt={}", loading.dataset.ip4.as_ref().map_or(0, Trie4::covered))
            }
            Kind::Ip4Trie | Kind::Ip6Trie => {
                format!("ents={entries} mem={}k", loading.dataset.memory().div_ceil(1024))
            }
            _ => format!("e={entries}"),
        },
    }
}

/// `YYYYMMDD HHMMSS` of a time in seconds since 1970, UTC.
fn stamp(seconds: i64) -> String {
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 1 March of the year 0, so that a leap day is the last of its year; then the 400,
    // 100, 4 and 1 years that they fill.
    let day = day + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let years = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * years + years / 4 - years / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = years + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02} {hour:02}{minute:02}{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those who read logs look for `file NAME(LINE): `.
    #[test]
    fn the_line_of_a_refusal_stands_behind_the_file() {
        let future = Cause::Fatal("line 12: the data is dated: really".to_owned());
        assert_eq!(line_of(&refusal(&future)), Some((12, "the data is dated: really")));
        assert_eq!(line_of(&refusal(&Cause::Vanished)), None);
        assert_eq!(line_of(&refusal(&Cause::Fatal("is not wanted".to_owned()))), None);
    }

    #[test]
    fn stamps_are_dates() {
        let cases = [
            (0, "19700101 000000"),
            (951_782_399, "20000228 235959"),
            (951_782_400, "20000229 000000"),
            (951_868_800, "20000301 000000"),
            (4_107_542_400, "21000301 000000"),
            (1_795_297_662, "20261121 214742"),
            (-1, "19691231 235959"),
        ];
        for (seconds, want) in cases {
            assert_eq!(stamp(seconds), want);
        }
    }
}
