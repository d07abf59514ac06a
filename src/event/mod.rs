//! What happens to data, settings and snapshots, as plain values.
//!
//! Who makes an [`Event`] states facts and chooses no words. An [`EventSink`] makes the words: [`Log`]
//! those of dnsbld's own log, `rbldnsd` those of rbldnsd's log. Every event has a [name](Event::name) that
//! stays the same when the words change; `docs/events.md` lists them all.

mod about;
mod counts;
mod dataset;
mod log;
mod name;
mod recent;
#[cfg(test)]
pub(crate) mod samples;
mod secondary;
mod transfer;

pub use counts::{EventCounts, EventFigures};
pub use dataset::{LastGood, ListingLine, Load, Overdue, Refusal, Renewal, Role, WatchedChange};
pub use log::Log;
pub(crate) use log::{level, odd, setting_change, setting_needs_restart, text};
pub use name::NAMES;
pub use recent::{News, RecentEvent, RecentEvents};
pub use secondary::{KeyFault, NotifyFault};
pub use transfer::{TransferOutcome, TransferRefusal};

use crate::config::{self, LogTarget, SettingChange, ValueChange};
use crate::engine::Transport;
use crate::snapshot::{Id, RuleDifference};
use crate::source::Problem;
use crate::wire::name::NameBuf;
use crate::zonefile::{Counts, Kind, Mistake};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Takes events. It must not wait: queries are answered and files are watched meanwhile.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn emit(&self, event: &Event);
}

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// The files of a dataset are about to be read.
    LoadStarted {
        /// The dataset.
        dataset: String,
    },
    /// A line of a file of a dataset cannot be used.
    BadLine {
        /// The dataset.
        dataset: String,
        /// The file, as the configuration names it.
        file: PathBuf,
        /// The line, from 1.
        line: u32,
        /// The byte of the line where it stops making sense, from 1.
        column: u32,
        /// What is wrong.
        reason: Mistake,
        /// The beginning of the line, as people can read it.
        excerpt: Option<Box<str>>,
    },
    /// More lines of a kind are wrong than are told one by one.
    BadLinesOmitted {
        /// The dataset.
        dataset: String,
        /// The file, as the configuration names it.
        file: PathBuf,
        /// What is wrong with one of them.
        reason: Mistake,
        /// How many are not told.
        lines: u64,
    },
    /// Other data of a dataset is served from now on.
    DatasetLoaded {
        /// The dataset.
        dataset: String,
        /// How it compares with what was served.
        load: Load,
        /// What kind of data it is.
        kind: Kind,
        /// The entries by size or scope.
        tally: Counts,
        /// The IPv4 addresses that are listed.
        addresses: u128,
        /// The bytes in memory.
        memory: usize,
        /// The modification time of the newest file, in seconds since 1970.
        newest: i64,
        /// How long reading and building took.
        took: Duration,
    },
    /// The files of a dataset could not be used for a while, and hold what is served again.
    DatasetRecovered {
        /// The dataset.
        dataset: String,
        /// How long they could not be used.
        failed_for: Duration,
    },
    /// The files of a dataset cannot be served.
    DatasetRefused {
        /// The dataset.
        dataset: String,
        /// Why, and what is served instead.
        refusal: Refusal,
        /// The command that has them served all the same, if anybody can ask the server.
        accept: Option<String>,
    },
    /// Files are served although a rule refuses them.
    DatasetAccepted {
        /// The dataset.
        dataset: String,
        /// What the rule says.
        problem: Problem,
        /// True if they were accepted before the start, and not now on demand.
        before: bool,
    },
    /// The data of a dataset has expired by its own account.
    DatasetExpired {
        /// The dataset.
        dataset: String,
        /// What zones use it for.
        role: Role,
    },
    /// The data of a dataset was not renewed for longer than a limit allows.
    DatasetOverdue {
        /// The dataset.
        dataset: String,
        /// What is overdue, and by which limit.
        overdue: Overdue,
    },
    /// The data of a dataset was renewed after it was overdue.
    DatasetRenewed {
        /// The dataset.
        dataset: String,
    },
    /// All loads that were under way have ended.
    LoadsFinished {
        /// How long they took together.
        took: Duration,
        /// True if they changed what is served.
        changed: bool,
        /// Zones that lack a dataset, and whether they answer without it.
        incomplete: Vec<(NameBuf, bool)>,
    },
    /// All data of a zone has expired: it answers SERVFAIL.
    ZoneExpired {
        /// The zone.
        zone: NameBuf,
    },
    /// A zone answers without one of its allow lists, which was never loaded.
    ZoneWithoutAllowList {
        /// The zone.
        zone: NameBuf,
        /// The allow list.
        dataset: String,
    },
    /// A zone does not answer, for want of one of its access lists.
    ZoneWithoutAccessList {
        /// The zone.
        zone: NameBuf,
        /// The access list.
        dataset: String,
    },
    /// A dataset was taken from its snapshot.
    SnapshotMapped {
        /// The dataset.
        dataset: String,
        /// The content.
        id: Id,
    },
    /// A file that a snapshot was made of has lines that could not be used.
    SnapshotBadLines {
        /// The dataset.
        dataset: String,
        /// The file.
        file: PathBuf,
        /// How many lines.
        lines: u64,
        /// The first of them and what is wrong with it, if the snapshot tells.
        first: Option<String>,
    },
    /// A snapshot in the state folder cannot be opened.
    SnapshotUnusable {
        /// The dataset.
        dataset: String,
        /// The snapshot.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A snapshot in the state folder was made by other settings.
    SnapshotOfOtherRules {
        /// The dataset.
        dataset: String,
        /// The first setting that differs.
        difference: RuleDifference,
    },
    /// A snapshot in the state folder holds data from the future.
    SnapshotFromFuture {
        /// The dataset.
        dataset: String,
    },
    /// A snapshot in the state folder was made of other versions of the files.
    SnapshotOfOtherFiles {
        /// The dataset.
        dataset: String,
        /// The files it was made of.
        files: Vec<PathBuf>,
    },
    /// A snapshot was written.
    SnapshotWritten {
        /// The dataset.
        dataset: String,
        /// The content.
        id: Id,
        /// How long that took.
        took: Duration,
        /// True if it could not be written before.
        recovered: bool,
    },
    /// A snapshot could not be written.
    SnapshotNotWritten {
        /// The dataset.
        dataset: String,
        /// The snapshot.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// What is remembered of a dataset cannot be used.
    RecordUnusable {
        /// The dataset.
        dataset: String,
        /// The record.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// What is to be remembered of a dataset could not be written.
    RecordNotWritten {
        /// The dataset.
        dataset: String,
        /// The record.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A dataset cannot be held by a snapshot.
    SnapshotUnfit {
        /// The dataset.
        dataset: String,
        /// Why.
        reason: String,
    },
    /// A snapshot of a dataset that is no longer served was removed.
    SnapshotRemoved {
        /// The snapshot.
        file: PathBuf,
    },
    /// Snapshots of datasets that are no longer served could not be removed.
    SnapshotsNotRemoved {
        /// Why.
        error: io::Error,
    },
    /// A refused file was kept aside.
    RefusedFileKept {
        /// The dataset.
        dataset: String,
        /// The packed copy.
        file: PathBuf,
    },
    /// A refused file, or text that was accepted, could not be kept aside.
    FileNotKept {
        /// The dataset.
        dataset: String,
        /// Where it was to be kept.
        folder: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// What a load listed and delisted, or a refusal, could not be written to the history.
    HistoryNotWritten {
        /// The dataset.
        dataset: String,
        /// The folder of the state folder.
        folder: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A dataset lists something of a network or a domain that is watched, which it did not before.
    WatchedListed {
        /// What, and by which line.
        change: Box<WatchedChange>,
    },
    /// A dataset does not list any more what it listed of a network or a domain that is watched.
    WatchedDelisted {
        /// What, and by which line it was listed.
        change: Box<WatchedChange>,
        /// For how long the first of it was listed.
        after: Duration,
        /// Something else of it is still listed there.
        is_part: bool,
    },
    /// What is listed of the networks and domains that are watched could not be written to the state folder.
    WatchedNotWritten {
        /// The file.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// No thread could be started that looks for what is watched.
    MonitorFailed {
        /// Why.
        error: io::Error,
    },
    /// No thread could be started to write snapshots.
    SnapshotWriterFailed {
        /// Why.
        error: io::Error,
    },
    /// Another server no longer holds the state folder: this one has it now.
    StateFolderTaken {
        /// The folder.
        folder: PathBuf,
    },
    /// Another server holds the state folder.
    StateFolderBusy {
        /// The folder.
        folder: PathBuf,
    },
    /// Another server is to take the place of this one, and has its sockets, too.
    HandoverBegun {
        /// The process id of that server.
        process: u32,
    },
    /// The server that was to take the place of this one has ended before it was ready.
    HandoverAbandoned {
        /// The process id of that server.
        process: u32,
    },
    /// Another server answers in place of this one, which ends.
    HandedOver {
        /// The process id of that server.
        process: u32,
    },
    /// This server is to take the place of another one, once its lists are loaded.
    TakingOver {
        /// The process id of that server.
        process: u32,
    },
    /// This server answers in place of another one, which has ended.
    TookOver {
        /// The process id of that server.
        process: u32,
    },
    /// A thread that answers over UDP does not go on.
    WorkerHangs {
        /// Its address.
        address: SocketAddr,
        /// Its number among those of the address.
        number: usize,
        /// For how long.
        time: Duration,
    },
    /// Root has started the server, and there is no other user for it.
    StaysRoot,
    /// The kernel does not keep the server to its folders.
    SandboxUnavailable {
        /// Why.
        reason: String,
    },
    /// Another folder is in the place of one that the kernel lets the server use.
    FolderOutsideSandbox {
        /// The folder.
        folder: PathBuf,
    },
    /// The file of serials cannot be read.
    SerialsUnreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file of serials has lines that cannot be used.
    SerialsDamaged {
        /// The file.
        file: PathBuf,
        /// How many lines.
        lines: u64,
    },
    /// The file of serials could not be written.
    SerialsNotWritten {
        /// Why.
        error: io::Error,
    },
    /// Something in the settings is allowed but doubtful.
    SettingDoubtful {
        /// Where the settings come from.
        source: String,
        /// What, and where.
        warning: config::ConfigDiagnostic,
    },
    /// A reload has changed a setting.
    SettingChanged {
        /// The change.
        change: SettingChange,
    },
    /// A reload cannot change this setting.
    SettingNeedsRestart {
        /// The change that waits for the restart.
        change: ValueChange,
    },
    /// A reload found settings that cannot be used.
    SettingsRefused {
        /// What is wrong with them.
        errors: config::Errors,
    },
    /// The settings were read again and hold from now on.
    SettingsReloaded {
        /// Where they come from.
        source: String,
        /// How many zones they have.
        zones: usize,
    },
    /// A secondary that may have a zone asked for it.
    Transfer {
        /// The zone.
        zone: NameBuf,
        /// The secondary.
        client: IpAddr,
        /// What came of it.
        outcome: TransferOutcome,
    },
    /// A secondary knows that a zone has changed.
    SecondaryNotified {
        /// The zone.
        zone: NameBuf,
        /// The secondary.
        address: SocketAddr,
        /// The serial.
        serial: u32,
    },
    /// A secondary does not know that a zone has changed.
    SecondaryNotNotified {
        /// The zone.
        zone: NameBuf,
        /// The secondary.
        address: SocketAddr,
        /// The serial.
        serial: u32,
        /// Why.
        fault: NotifyFault,
    },
    /// The secret of a key cannot be used.
    KeyUnusable {
        /// The name of the key.
        key: NameBuf,
        /// The file of the secret.
        file: PathBuf,
        /// Why.
        fault: KeyFault,
        /// The secret that was read before stays in use.
        is_kept: bool,
    },
    /// A changed TLS certificate is used from now on.
    CertificateRenewed,
    /// A changed TLS certificate cannot be used.
    CertificateRefused {
        /// Why.
        reason: String,
    },
    /// Queries of a proxy do not say whom they are for.
    ProxyHeaderMissing {
        /// The proxy.
        proxy: IpAddr,
        /// How they come.
        transport: Transport,
        /// How many times that has happened since it was told last.
        suppressed: u64,
    },
    /// A file of secrets for DNS cookies cannot be used.
    CookieSecretsRefused {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file of secrets for DNS cookies is open to everybody.
    CookieSecretsExposed {
        /// The file.
        file: PathBuf,
    },
    /// The server cannot keep its own secret for DNS cookies.
    CookieSecretsNotKept {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// A TLS certificate expires soon, or has expired.
    CertificateExpiring {
        /// The file.
        file: PathBuf,
        /// The names that it is for.
        names: Vec<String>,
        /// The time that is left; `None` if it has expired.
        left: Option<Duration>,
    },
    /// What is remembered of the traffic cannot be used.
    TrafficUnusable {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// What is to be remembered of the traffic could not be written.
    TrafficNotWritten {
        /// Why.
        error: io::Error,
    },
    /// What is remembered of the senders that allow lists let in cannot be used.
    OverridesUnusable {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// What is to be remembered of the senders that allow lists let in could not be written.
    OverridesNotWritten {
        /// Why.
        error: io::Error,
    },
    /// A line of the statistics was asked for.
    Statistics {
        /// The line.
        line: String,
    },
    /// The statistics file could not be written.
    StatisticsNotWritten {
        /// The file.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Every user of the machine can use the private key of TLS.
    KeyExposed {
        /// The file of the key.
        file: PathBuf,
    },
    /// The system grants a UDP socket a small receive buffer.
    ReceiveBufferSmall {
        /// The address of the socket.
        address: SocketAddr,
        /// The bytes it has.
        bytes: usize,
        /// The bytes it should have.
        wanted: usize,
    },
    /// Queries are taken from a network device past the kernel's stack.
    XdpStarted {
        /// The device.
        device: String,
        /// How many queues it receives by.
        queues: usize,
        /// True if its driver needs no copies.
        is_zero_copy: bool,
    },
    /// Queries cannot be taken from a network device: the sockets have them.
    XdpUnavailable {
        /// The device.
        device: String,
        /// Why, and what helps.
        reason: String,
    },
    /// A UDP socket gives no datagrams.
    ReceiveFailed {
        /// The address of the socket.
        address: SocketAddr,
        /// Why.
        error: io::Error,
        /// How often this was not told since it was told last.
        suppressed: u64,
    },
    /// A file has kept changing for so long that somebody should look.
    FileKeepsChanging {
        /// The file.
        file: PathBuf,
        /// How long.
        time: Duration,
    },
    /// The system tells of changes in all folders again.
    FoldersWatched,
    /// The system does not tell of changes in all folders.
    FoldersNotWatched {
        /// The kind of fault.
        fault: WatchFault,
        /// What the system says of it.
        reason: String,
        /// The time between two looks at the files.
        poll: Duration,
    },
    /// No settings were named: these are used.
    SettingsChosen {
        /// Where they come from.
        source: String,
    },
    /// A TCP listener gives no connections.
    AcceptFailed {
        /// The address of the listener.
        address: SocketAddr,
        /// Why.
        error: io::Error,
        /// How often this was not told since it was told last.
        suppressed: u64,
    },
    /// A fault of the server has cost a query its answer.
    AnswerPanicked {
        /// How the query came.
        transport: Transport,
        /// The address it came to.
        address: SocketAddr,
        /// The fault.
        panic: String,
        /// How often this was not told since it was told last.
        suppressed: u64,
    },
    /// A fault of the server has ended what a thread was at; the thread goes on with what comes next.
    ThreadPanicked {
        /// The thread.
        thread: String,
        /// The fault.
        panic: String,
    },
    /// What serves DNS over HTTPS has ended, and is opened again.
    HttpsListenerFailed {
        /// The address of the listener.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// The server has made an answer that cannot be sent over HTTPS.
    AnswerUnreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// The query log cannot be opened or written.
    QueryLogFailed {
        /// The log.
        target: LogTarget,
        /// Why.
        error: io::Error,
    },
    /// Lines of the query log were lost.
    QueryLogLinesLost {
        /// The log.
        target: LogTarget,
        /// How many.
        lines: u64,
    },
    /// The server stops before the query log is written.
    QueryLogUnfinished {
        /// The log.
        target: LogTarget,
    },
    /// A dnstap collector takes queries from now on.
    DnstapConnected {
        /// Its socket.
        socket: PathBuf,
    },
    /// There is no dnstap collector, or it is gone.
    DnstapFailed {
        /// Its socket.
        socket: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Queries were not told to the dnstap collector.
    DnstapQueriesLost {
        /// Its socket.
        socket: PathBuf,
        /// How many.
        queries: u64,
    },
    /// The server cannot be asked or told anything by `dnsbld status` and the like.
    ControlSocketNotOpened {
        /// The socket.
        socket: PathBuf,
        /// Why.
        fault: SocketFault,
    },
    /// The server stops.
    Stopping,
}

/// Why there is no control socket.
#[derive(Debug)]
pub enum SocketFault {
    /// Another server has it.
    InUse,
    /// Something else is at its place.
    NotASocket,
    /// Its folder is another user's, or open to others, who could put another socket there.
    ForeignFolder,
    /// The system refuses.
    Io(io::Error),
}

/// Why the system does not tell of changes in a folder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WatchFault {
    /// No more folders can be watched.
    Watches,
    /// No more programs can watch folders, or this one has no descriptor left.
    Instances,
    /// The server's user may not read the folder.
    Forbidden,
    /// The folder is not there.
    Absent,
    /// Something else.
    Other,
}

impl Event {
    /// Tells `sink` of the panics of a thread, see [`crate::util::threads::keep_at`].
    pub(crate) fn thread_panicked(
        sink: &Arc<dyn EventSink>,
        thread: &str,
    ) -> impl Fn(&str) + Send + Sync + use<> {
        let (sink, thread) = (Arc::clone(sink), thread.to_owned());
        move |panic| {
            let (thread, panic) = (thread.clone(), panic.to_owned());
            sink.emit(&Self::ThreadPanicked { thread, panic });
        }
    }
}
