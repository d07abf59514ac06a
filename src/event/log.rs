//! Events in the words of dnsbld's log.
//!
//! A line says: what it is about, what happened; the consequence; the remedy. The name of the event, and
//! the dataset, zone and file that it is about, follow as fields.

use super::{
    Event, EventSink, Load, Overdue, Refusal, Role, SocketFault, TransferOutcome, WatchFault,
    WatchedChange,
};
use crate::config::{DatasetDifference, SAMPLE_FILE, SYSTEM_FILE, SettingChange, ValueChange};
use crate::engine::Transport;
use crate::guard::Doubt;
use crate::util::text::{age, counted, shell_word};
use std::io;
use std::time::Duration;
use tracing::{Level, debug, error, info, warn};

/// The log of the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log;

impl EventSink for Log {
    fn emit(&self, event: &Event) {
        /// The field stays out of the line if there is nothing to say.
        macro_rules! line {
            ($log:ident) => {
                $log!(
                    event = event.name(),
                    dataset = event.dataset(),
                    zone = event.zone().map(|zone| tracing::field::display(zone)),
                    file = event.file().map(|file| tracing::field::display(file.display())),
                    "{}",
                    text(event)
                )
            };
        }
        match level(event) {
            Level::ERROR => line!(error),
            Level::WARN => line!(warn),
            Level::INFO => line!(info),
            _ => line!(debug),
        }
    }
}

/// How much attention an event asks for.
pub(crate) fn level(event: &Event) -> Level {
    match event {
        // Somebody has to look: the lists of tomorrow may be refused, too.
        Event::DatasetRefused { refusal, .. } if refusal.problem.cause.rule().is_some() => {
            Level::ERROR
        }
        Event::DatasetRefused { refusal: Refusal { served: None, .. }, .. }
        | Event::ZoneWithoutAllowList { .. }
        | Event::ZoneWithoutAccessList { .. }
        | Event::SettingsRefused { .. }
        | Event::ReceiveFailed { .. }
        | Event::AcceptFailed { .. }
        | Event::AnswerPanicked { .. }
        | Event::ThreadPanicked { .. }
        | Event::WorkerHangs { .. }
        | Event::HttpsListenerFailed { .. }
        | Event::AnswerUnreadable { .. } => Level::ERROR,

        Event::BadLine { .. }
        | Event::BadLinesOmitted { .. }
        | Event::DatasetLoaded { load: Load { doubt: Some(_), .. }, .. }
        | Event::DatasetRefused { .. }
        | Event::DatasetAccepted { .. }
        | Event::DatasetExpired { .. }
        | Event::DatasetOverdue { .. }
        | Event::ZoneExpired { .. }
        | Event::SnapshotBadLines { .. }
        | Event::SnapshotUnusable { .. }
        | Event::SnapshotNotWritten { .. }
        | Event::RecordUnusable { .. }
        | Event::RecordNotWritten { .. }
        | Event::SnapshotsNotRemoved { .. }
        | Event::SnapshotWriterFailed { .. }
        | Event::FileNotKept { .. }
        | Event::HistoryNotWritten { .. }
        | Event::WatchedListed { .. }
        | Event::WatchedNotWritten { .. }
        | Event::MonitorFailed { .. }
        | Event::StateFolderBusy { .. }
        | Event::HandoverAbandoned { .. }
        | Event::StaysRoot
        | Event::FolderOutsideSandbox { .. }
        | Event::SerialsUnreadable { .. }
        | Event::SerialsDamaged { .. }
        | Event::SerialsNotWritten { .. }
        | Event::SettingDoubtful { .. }
        | Event::SettingNeedsRestart { .. }
        | Event::Transfer {
            outcome: TransferOutcome::Unfinished { .. } | TransferOutcome::Refused(_),
            ..
        }
        | Event::SecondaryNotNotified { .. }
        | Event::KeyUnusable { .. }
        | Event::CertificateRefused { .. }
        | Event::ProxyHeaderMissing { .. }
        | Event::CookieSecretsRefused { .. }
        | Event::CookieSecretsExposed { .. }
        | Event::CookieSecretsNotKept { .. }
        | Event::CertificateExpiring { .. }
        | Event::TrafficUnusable { .. }
        | Event::TrafficNotWritten { .. }
        | Event::OverridesUnusable { .. }
        | Event::OverridesNotWritten { .. }
        | Event::StatisticsNotWritten { .. }
        | Event::FileKeepsChanging { .. }
        | Event::ControlSocketNotOpened { .. }
        | Event::FoldersNotWatched { .. }
        | Event::KeyExposed { .. }
        | Event::ReceiveBufferSmall { .. }
        | Event::XdpUnavailable { .. }
        | Event::QueryLogFailed { .. }
        | Event::QueryLogLinesLost { .. }
        | Event::DnstapFailed { .. }
        | Event::DnstapQueriesLost { .. }
        | Event::QueryLogUnfinished { .. } => Level::WARN,

        Event::DatasetLoaded { .. }
        | Event::DatasetRecovered { .. }
        | Event::DatasetRenewed { .. }
        | Event::SnapshotMapped { .. }
        | Event::SnapshotOfOtherRules { .. }
        | Event::SnapshotFromFuture { .. }
        | Event::SnapshotOfOtherFiles { .. }
        | Event::SnapshotWritten { recovered: true, .. }
        | Event::RefusedFileKept { .. }
        | Event::WatchedDelisted { .. }
        | Event::StateFolderTaken { .. }
        | Event::HandoverBegun { .. }
        | Event::HandedOver { .. }
        | Event::TakingOver { .. }
        | Event::TookOver { .. }
        | Event::SandboxUnavailable { .. }
        | Event::FoldersWatched
        | Event::XdpStarted { .. }
        | Event::SettingsChosen { .. }
        | Event::DnstapConnected { .. }
        | Event::SettingChanged { .. }
        | Event::SettingsReloaded { .. }
        | Event::Transfer { outcome: TransferOutcome::Sent { .. }, .. }
        | Event::CertificateRenewed
        | Event::Statistics { .. }
        | Event::Stopping => Level::INFO,

        Event::LoadStarted { .. }
        | Event::LoadsFinished { .. }
        | Event::SecondaryNotified { .. }
        | Event::SnapshotWritten { .. }
        | Event::SnapshotUnfit { .. }
        | Event::SnapshotRemoved { .. } => Level::DEBUG,
    }
}

/// An event in words.
pub(crate) fn text(event: &Event) -> String {
    match event {
        Event::LoadStarted { dataset } => format!("dataset {dataset}: reading its files"),
        Event::BadLine { dataset, file, line, column, reason, excerpt } => {
            let place = format!("dataset {dataset}: {}:{line}:{column}", file.display());
            match excerpt {
                Some(key) if *line == 0 => format!("dataset {dataset}: {key}: {reason}"),
                None if *line == 0 => format!("dataset {dataset}: {reason}"),
                Some(excerpt) => format!("{place}: {reason}: `{excerpt}`"),
                None => format!("{place}: {reason}"),
            }
        }
        Event::BadLinesOmitted { dataset, file, reason, lines } => format!(
            "dataset {dataset}: {}: {} not shown: {reason}",
            file.display(),
            counted(*lines, "more line like these is", "more lines like these are")
        ),
        Event::DatasetLoaded { dataset, load, .. } => {
            format!("dataset {dataset}: {}", loaded(load))
        }
        Event::DatasetRecovered { dataset, failed_for } => format!(
            "dataset {dataset}: recovered after {}: its files hold the data that is served",
            age(*failed_for)
        ),
        Event::DatasetRefused { dataset, refusal, accept } => {
            format!("dataset {dataset}: {}", refused(refusal, accept.as_deref()))
        }
        Event::DatasetAccepted { dataset, problem, before } => format!(
            "dataset {dataset}: {problem}; it is served all the same: {}",
            match before {
                true => "it was accepted before",
                false => "somebody has accepted this version",
            }
        ),
        Event::DatasetExpired { dataset, role } => format!(
            "dataset {dataset}: its data has expired by its $TIMESTAMP line; {}; fetch newer data",
            match role {
                Role::Block => {
                    "its zones answer SERVFAIL for what only it could list"
                }
                Role::Allow => "zones keep it as an allow list",
            }
        ),
        Event::DatasetOverdue { dataset, overdue } => {
            format!("dataset {dataset}: {}", too_old(overdue))
        }
        Event::DatasetRenewed { dataset } => {
            format!("dataset {dataset}: renewed; its age is within its limits again")
        }
        Event::LoadsFinished { took, changed, incomplete } => format!(
            "all loads have finished after {took:.1?}; data {}; {}",
            if *changed { "changed" } else { "unchanged" },
            counted(incomplete.len() as u64, "zone is incomplete", "zones are incomplete"),
        ),
        Event::ZoneExpired { zone } => format!(
            "zone {zone}: its data has expired by its $TIMESTAMP line; the zone answers SERVFAIL; fetch newer data"
        ),
        Event::ZoneWithoutAllowList { zone, dataset } => format!(
            "zone {zone}: its allow list {dataset} was never loaded; the zone lists what {dataset} would \
             allow; see what is said of dataset {dataset}"
        ),
        Event::ZoneWithoutAccessList { zone, dataset } => format!(
            "zone {zone}: its access list {dataset} was never loaded; the zone answers SERVFAIL, because it \
             does not know who may ask; see what is said of dataset {dataset}"
        ),
        Event::SnapshotMapped { dataset, id } => {
            format!("dataset {dataset}: mapped from snapshot {id}: its files are unchanged")
        }
        Event::SnapshotBadLines { dataset, file, lines, first } => {
            let lines = counted(*lines, "bad line", "bad lines");
            let first = first.as_ref().map(|first| format!(", the first: {first}"));
            format!("dataset {dataset}: {}: {lines}{}", file.display(), first.unwrap_or_default())
        }
        Event::SnapshotUnusable { dataset, file, reason } => format!(
            "dataset {dataset}: snapshot ignored: {} {reason}; reading its files instead",
            file.display()
        ),
        Event::SnapshotOfOtherRules { dataset, difference } => format!(
            "dataset {dataset}: snapshot not used: it was made with {} {}, and the settings have {}; reading its \
             files instead",
            difference.rule, difference.theirs, difference.ours
        ),
        Event::SnapshotFromFuture { dataset } => format!(
            "dataset {dataset}: snapshot ignored: its data is dated in the future; reading its files instead"
        ),
        Event::SnapshotOfOtherFiles { dataset, files } => format!(
            "dataset {dataset}: snapshot ignored: it was made of another version of {}; reading its files \
             instead",
            files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
        ),
        Event::SnapshotWritten { dataset, id, took, recovered } => {
            let recovered = if *recovered { " after earlier failures" } else { "" };
            format!("dataset {dataset}: snapshot {id} written in {took:.1?}{recovered}")
        }
        Event::SnapshotNotWritten { dataset, file, error } => format!(
            "dataset {dataset}: snapshot not written to {}: {error}; the next start reads the files; {}",
            file.display(),
            state_remedy(error)
        ),
        Event::RecordUnusable { dataset, file, error } => format!(
            "dataset {dataset}: record ignored: {}: {error}; what was known of earlier versions is forgotten; \
             it is written anew when data is accepted",
            file.display()
        ),
        Event::RecordNotWritten { dataset, file, error } => format!(
            "dataset {dataset}: record not written to {}: {error}; the next start knows less of earlier \
             versions; {}",
            file.display(),
            state_remedy(error)
        ),
        Event::SnapshotUnfit { dataset, reason } => {
            format!("dataset {dataset}: no snapshot: {reason}")
        }
        Event::SnapshotRemoved { file } => {
            format!("snapshot {}: removed: no dataset uses it", file.display())
        }
        Event::SnapshotsNotRemoved { error } => format!(
            "state folder: old snapshots not removed: {error}; they take space; {}",
            state_remedy(error)
        ),
        Event::RefusedFileKept { dataset, file } => {
            format!(
                "dataset {dataset}: the refused file is kept for inspection as {}",
                file.display()
            )
        }
        Event::FileNotKept { dataset, folder, error } => format!(
            "dataset {dataset}: nothing can be kept in {}: {error}; refused files cannot be inspected later, nor \
             lines of the served data told while its files hold something else; {}",
            folder.display(),
            state_remedy(error)
        ),
        Event::HistoryNotWritten { dataset, folder, error } => format!(
            "dataset {dataset}: its history in {} cannot be written: {error}; `dnsbld history` does not know of the \
             last loads until one can be written; {}",
            folder.display(),
            state_remedy(error)
        ),
        Event::WatchedListed { change } => watched_listed(change),
        Event::WatchedDelisted { change, after, is_part } => {
            watched_delisted(change, *after, *is_part)
        }
        Event::WatchedNotWritten { file, error } => format!(
            "{}: cannot be written: {error}; after a restart, listings of watched networks and domains may be \
             told once more; {}",
            file.display(),
            state_remedy(error)
        ),
        Event::MonitorFailed { error } => format!(
            "the thread that looks for watched networks and domains cannot be started: {error}; they are not \
             watched until the next load; raise the limit of threads"
        ),
        Event::SnapshotWriterFailed { error } => format!(
            "state folder: the threads that write snapshots and keep files cannot be started: {error}; the next \
             start reads all files; raise the limit of threads"
        ),
        Event::StateFolderTaken { folder } => format!(
            "state folder {}: locked by this server from now on; it keeps snapshots and serials there",
            folder.display()
        ),
        Event::StateFolderBusy { folder } => format!(
            "state folder {}: locked by another dnsbld process; this server reads snapshots from it but \
             writes neither snapshots nor serials; set a separate state-dir, unless both serve the same",
            folder.display()
        ),
        Event::HandoverBegun { process } => format!(
            "handover: process {process} has the sockets of this server and is to take its place; this one answers until \
             that one has loaded its lists"
        ),
        Event::HandoverAbandoned { process } => format!(
            "handover: process {process} has ended before it was ready; this server goes on answering; see what that one \
             said at its end, and start it again"
        ),
        Event::HandedOver { process } => {
            format!("handover: process {process} answers from now on; this server ends")
        }
        Event::TakingOver { process } => format!(
            "handover: process {process} has handed its sockets to this server, and answers until the lists are loaded here"
        ),
        Event::TookOver { process } => {
            format!("handover: this server answers in place of process {process}, which has ended")
        }
        Event::WorkerHangs { address, number, time } => format!(
            "UDP {address}: thread udp-{number} has not gone on for {time:?}; the queries that it has taken get no \
             answer; WatchdogSec= of the unit restarts the server, otherwise restart it, and report this as a fault of \
             dnsbld"
        ),
        Event::StaysRoot => "user: the server stays root, because there is no user dnsbld; a fault in it could do what \
                             root may; make that user (adduser --system --group --no-create-home dnsbld), or set \
                             server.user"
            .to_owned(),
        Event::SandboxUnavailable { reason } => format!(
            "sandbox: {reason}; the server may use all files that its user may; boot a kernel with Landlock, or set \
             server.sandbox = false"
        ),
        Event::FolderOutsideSandbox { folder } => format!(
            "folder {}: another folder is in its place, which the running server may not use (server.sandbox); the \
             data loaded before stays in place; restart the server",
            folder.display()
        ),
        Event::SerialsUnreadable { file, error } => {
            format!("{}: cannot be read: {error}; {SERIALS_LOST}", file.display())
        }
        Event::SerialsDamaged { file, lines } => {
            let lines = counted(*lines, "line is", "lines are");
            format!("{}: damaged: {lines} wrong; {SERIALS_LOST}", file.display())
        }
        Event::SerialsNotWritten { error } => format!(
            "state folder: the serials of the zones are not written: {error}; they may go back at the next \
             start; {}",
            state_remedy(error)
        ),
        Event::SettingDoubtful { source, warning } => format!("{source}:{warning}"),
        Event::SettingChanged { change } => setting_change(change),
        Event::SettingNeedsRestart { change } => setting_needs_restart(change),
        Event::SettingsRefused { errors } => {
            format!("configuration not reloaded: the settings read before stay in use: {errors}")
        }
        Event::SettingsReloaded { source, zones } => {
            format!("{source} reloaded: {}", counted(*zones as u64, "zone", "zones"))
        }
        Event::Transfer { zone, client, outcome } => {
            format!("zone {zone}: {}", outcome.words(*client))
        }
        Event::SecondaryNotified { zone, address, serial } => {
            format!("zone {zone}: secondary {address} knows of serial {serial}")
        }
        Event::SecondaryNotNotified { zone, address, serial, fault } => format!(
            "zone {zone}: secondary {address} does not know of serial {serial}: {fault}; it takes the changes at its \
             next refresh; look whether it runs and takes NOTIFY from this server"
        ),
        Event::KeyUnusable { key, file, fault, is_kept } => {
            let consequence = match is_kept {
                true => "the secret read before stays in use",
                false => "what is signed with the key is refused",
            };
            let file = file.display();
            format!("key {key}: its secret file {file} {fault}; {consequence}; mend the file, then reload")
        }
        Event::CertificateRenewed => "TLS certificate: renewed".to_owned(),
        Event::CertificateRefused { reason } => {
            format!(
                "TLS certificate: not renewed: {reason}; the certificate read before stays in use"
            )
        }
        Event::ProxyHeaderMissing { proxy, transport, suppressed } => format!(
            "proxy {proxy}: no PROXY header of version 2 before a query over {}{}; it is dropped, because nobody \
             can tell whose it is; have the proxy send the header, or take it out of server.proxies",
            transport.name().to_uppercase(),
            times(*suppressed)
        ),
        Event::CookieSecretsRefused { file, reason } => format!(
            "cookie secrets {}: not read: {reason}; those read before stay in use, if there are some; \
             correct the file, then reload",
            file.display()
        ),
        Event::CookieSecretsExposed { file } => format!(
            "cookie secrets {0}: every user of this machine can use the file, and so forge cookies; \
             chmod o= {0}, and write new secrets to it",
            file.display()
        ),
        Event::CookieSecretsNotKept { file, reason } => format!(
            "cookie secrets {}: not kept: {reason}; after a restart, clients need new cookies; see \
             that the file can be written, or remove it if it is damaged",
            file.display()
        ),
        Event::CertificateExpiring { file, names, left } => {
            let when = match left {
                Some(left) => format!("expires in {}; clients refuse it from then on", age(*left)),
                None => "has expired; clients refuse it".to_owned(),
            };
            let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
            format!("TLS certificate {} of {names}: {when}; renew it", file.display())
        }
        Event::TrafficUnusable { file, reason } => format!(
            "{}: {reason}; how much was asked in the last day is forgotten; nothing is to be done",
            file.display()
        ),
        Event::TrafficNotWritten { error } => format!(
            "state folder: how much was asked is not written: {error}; a restart forgets it; see that the folder \
             can be written"
        ),
        Event::OverridesUnusable { file, reason } => format!(
            "{}: {reason}; the senders that allow lists let in are counted from now on; nothing is to be done",
            file.display()
        ),
        Event::OverridesNotWritten { error } => format!(
            "state folder: the senders that allow lists let in are not written: {error}; a restart forgets them; see \
             that the folder can be written"
        ),
        Event::Statistics { line } => line.clone(),
        Event::StatisticsNotWritten { file, error } => format!(
            "statistics file {}: not written: {error}; its lines are lost until it can be written",
            file.display()
        ),
        Event::FileKeepsChanging { file, time } => format!(
            "{}: has kept changing for {}; it is loaded once it stays unchanged; if it never does, check what \
             writes to it",
            file.display(),
            age(*time)
        ),
        Event::FoldersWatched => {
            "watched folders: the system tells of all changes again".to_owned()
        }
        Event::FoldersNotWatched { fault, reason, poll } => format!(
            "watched folders: the system does not tell of all changes: {reason}; the files are looked at \
             every {poll:?} instead{}",
            watch_remedy(*fault)
        ),
        Event::SettingsChosen { source } => format!(
            "configuration {source}: used because neither --config nor zones were given ({SYSTEM_FILE}, but \
             {SAMPLE_FILE} in a checkout)"
        ),
        Event::KeyExposed { file } => format!(
            "TLS key {0}: every user of this machine can use it, and pose as this server; chmod o= {0}",
            file.display()
        ),
        Event::ReceiveBufferSmall { address, bytes, wanted } => format!(
            "UDP socket {address}: the system grants a receive buffer of {bytes} bytes; bursts of queries \
             may be lost; set the sysctl net.core.rmem_max={wanted}"
        ),
        Event::XdpStarted { device, queues, is_zero_copy } => format!(
            "xdp {device}: queries over UDP are taken from {} past the kernel's stack, {} copies; a firewall and tcpdump \
             do not see them",
            counted(*queues as u64, "queue", "queues"),
            if *is_zero_copy { "without" } else { "with" }
        ),
        Event::XdpUnavailable { device, reason } => {
            format!("xdp {device}: {reason}; until then, the sockets have its queries")
        }
        Event::ReceiveFailed { address, error, suppressed } => {
            format!("UDP socket {address}: cannot receive{}: {error}", times(*suppressed))
        }
        Event::AcceptFailed { address, error, suppressed } => format!(
            "TCP listener {address}: cannot accept{}: {error}; new clients wait",
            times(*suppressed)
        ),
        Event::AnswerPanicked { transport, address, panic, suppressed } => format!(
            "{} {address}: a fault in the server{}: {panic}; the query gets no answer; please report it",
            transport_name(*transport),
            times(*suppressed)
        ),
        Event::ThreadPanicked { thread, panic } => format!(
            "thread {thread}: a fault in the server: {panic}; what it was at is lost, and it goes on; please \
             report it"
        ),
        Event::HttpsListenerFailed { address, reason } => {
            format!("HTTPS listener {address}: ended: {reason}; it is opened again")
        }
        Event::AnswerUnreadable { reason } => format!(
            "HTTPS: a fault in the server: its own answer cannot be read: {reason}; the client gets SERVFAIL; \
             please report it"
        ),
        Event::QueryLogFailed { target, error } => format!(
            "query log {target}: cannot be written: {error}; its lines are lost until it can be"
        ),
        Event::QueryLogLinesLost { target, lines } => format!(
            "query log {target}: {} lost: it cannot be written, or not fast enough",
            counted(*lines, "line is", "lines are")
        ),
        Event::QueryLogUnfinished { target } => {
            format!("query log {target}: its last lines are lost: it cannot be written")
        }
        Event::DnstapConnected { socket } => {
            format!("dnstap {}: connected: queries are sent there", socket.display())
        }
        Event::DnstapFailed { socket, error } => format!(
            "dnstap {}: no collector takes queries: {error}; those that find no room until one does are lost \
             to it; start it, and let the server's user write to the socket",
            socket.display()
        ),
        Event::DnstapQueriesLost { socket, queries } => format!(
            "dnstap {}: {} lost: the collector is away, or not fast enough",
            socket.display(),
            counted(*queries, "query is", "queries are")
        ),
        Event::ControlSocketNotOpened { socket, fault } => {
            let (reason, remedy) = socket_fault(fault);
            format!(
                "control socket {}: not opened: {reason}; nobody can ask this server (dnsbld status); \
                 {remedy}, and start it again",
                socket.display()
            )
        }
        Event::Stopping => "stopping".to_owned(),
    }
}

const SERIALS_LOST: &str = "the serials of zones are forgotten, and those of zones whose files give none may \
                            go back; if secondaries or monitors follow them, stop the server and restore the \
                            file";

/// The words for a setting that a restart changes.
pub(crate) fn setting_needs_restart(ValueChange { key, from, to }: &ValueChange) -> String {
    format!("{key} needs a restart to change from {from} to {to}")
}

/// The words for a change of settings.
pub(crate) fn setting_change(change: &SettingChange) -> String {
    match change {
        SettingChange::Value(ValueChange { key, from, to }) => {
            format!("{key} changes from {from} to {to}")
        }
        SettingChange::DatasetAdded { dataset } => format!("dataset {dataset} is new"),
        SettingChange::DatasetChanged { dataset, difference } => match difference {
            DatasetDifference::Type { from, to } => {
                format!("dataset {dataset} changes its type from {from} to {to}")
            }
            DatasetDifference::Files => format!("dataset {dataset} changes its files"),
            DatasetDifference::Overrides => format!("dataset {dataset} changes its overrides"),
        },
        SettingChange::DatasetRemoved { dataset } => format!("dataset {dataset} is removed"),
        SettingChange::ZoneAdded { zone } => format!("zone {zone} is new"),
        SettingChange::ZoneChanged { zone } => format!("zone {zone} changes its settings"),
        SettingChange::ZoneRemoved { zone } => {
            format!("zone {zone} is removed; queries for it are refused")
        }
    }
}

fn watch_remedy(fault: WatchFault) -> &'static str {
    match fault {
        WatchFault::Watches => "; perhaps raise the sysctl fs.inotify.max_user_watches",
        WatchFault::Instances => {
            "; perhaps raise the sysctl fs.inotify.max_user_instances, or the limit of open files \
             (LimitNOFILE= of a systemd unit)"
        }
        WatchFault::Forbidden => {
            "; let the server's user read the folder and search every folder on the way to it"
        }
        WatchFault::Absent => "; the folder is watched when it is there again",
        WatchFault::Other => "",
    }
}

/// Why there is no control socket, and what to do.
fn socket_fault(fault: &SocketFault) -> (String, &'static str) {
    let another = "set another path as control in the [server] settings";
    match fault {
        SocketFault::InUse => ("another server answers there".to_owned(), another),
        SocketFault::NotASocket => ("there is a file that is no socket".to_owned(), another),
        SocketFault::ForeignFolder => ("other users may write to its folder".to_owned(), another),
        SocketFault::Io(error) if error.kind() == io::ErrorKind::InvalidInput => {
            ("the path is too long for a socket (107 bytes)".to_owned(), another)
        }
        SocketFault::Io(error) => (
            error.to_string(),
            "let the server's user write to the folder, or set another path as control in the [server] \
             settings",
        ),
    }
}

/// How often something was not told.
fn times(suppressed: u64) -> String {
    match suppressed {
        0 => String::new(),
        more => format!(" ({more} more times since it was last told)"),
    }
}

fn transport_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "UDP socket",
        Transport::Tcp => "TCP listener",
        Transport::Tls => "TLS listener",
    }
}

fn loaded(load: &Load) -> String {
    let Load { entries, files, before, failed_for, doubt } = load;
    let count = counted(*entries, "entry", "entries");
    let files = counted(*files as u64, "file", "files");
    let mut text = match (before, failed_for) {
        (None, None) => format!("loaded {count} from {files}"),
        (None, Some(time)) => {
            format!("loaded {count} from {files}, {} after the first failure", age(*time))
        }
        (Some(before), None) => format!("reloaded: {count}, before {before}"),
        (Some(before), Some(time)) => {
            format!("recovered after {}: {count}, before {before}", age(*time))
        }
    };
    if let Some(doubt) = doubt {
        text.push_str("; ");
        text.push_str(&odd(doubt));
    }
    text
}

/// What is odd about data that is served all the same.
pub(crate) fn odd(doubt: &Doubt) -> String {
    match doubt {
        Doubt::Interrupted(file) => format!(
            "{} is what an interrupted rsync --partial left, and is served because there is no better \
             data; run the mirror job again, and without --partial",
            file.display()
        ),
        Doubt::Empty => "the dataset lists nothing".to_owned(),
        Doubt::EmptyFile(file) => format!(
            "{} holds no bytes; fetch it again, or set accept-empty = true for the dataset if it is \
             meant to be empty",
            file.display()
        ),
        Doubt::MostlyBad(lines) => {
            let lines = counted(*lines, "line is", "lines are");
            format!("{lines} wrong; check that this is the right file and type")
        }
        Doubt::Sentinel { sentinel, known_as } => format!(
            "it lists {sentinel} ({known_as}); if that is meant, set guard = {{ sentinels = false }} for the \
             dataset"
        ),
        Doubt::Shrunk => "fewer than half of before; check that the file is whole".to_owned(),
    }
}

fn refused(refusal: &Refusal, accept: Option<&str>) -> String {
    let Refusal { problem, told_for, served } = refusal;
    let still = told_for.map_or(String::new(), |time| format!(" (for {} now)", age(time)));
    let remedy = problem.cause.remedy(accept);
    match served {
        None => {
            format!("not loaded{still}: {problem}; nothing of it is served; {remedy}")
        }
        Some(served) => {
            let (entries, age) = (counted(served.entries, "entry", "entries"), age(served.age));
            let kept = match served.is_overdue {
                true => "are kept, and zones do what their stale setting says",
                false => "stay in service",
            };
            format!("not reloaded{still}: {problem}; {entries} loaded {age} ago {kept}; {remedy}")
        }
    }
}

fn watched_listed(change: &WatchedChange) -> String {
    let WatchedChange { subject, label, dataset, zones, keys, line, .. } = change;
    let by = line.as_ref().map_or(String::new(), |line| {
        format!(" by {}:{}: {:?}", line.file.display(), line.line, line.text)
    });
    let key = keys.first().map_or("", String::as_str);
    format!(
        "watched {subject} ({label}): dataset {dataset} lists {}{by}; it is listed in {}; `dnsbld check {}` says \
         why",
        shown_keys(change),
        if zones.is_empty() { "no zone".to_owned() } else { zones.join(", ") },
        shell_word(key.trim_start_matches("*.")),
    )
}

fn watched_delisted(change: &WatchedChange, after: Duration, is_part: bool) -> String {
    let WatchedChange { subject, label, dataset, .. } = change;
    let rest = if is_part { "; something else of it is still listed there" } else { "" };
    format!(
        "watched {subject} ({label}): dataset {dataset} does not list {} any more, after {}{rest}",
        shown_keys(change),
        age(after)
    )
}

fn shown_keys(change: &WatchedChange) -> String {
    let keys = change.keys.join(", ");
    match change.total.saturating_sub(change.keys.len() as u64) {
        0 => keys,
        more => format!("{keys} and {more} more"),
    }
}

/// What to do when this error keeps something from being written to the state folder.
fn state_remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free space on the disk of the state folder"
        }
        _ => "check state-dir in the [server] settings, and who may write there",
    }
}

/// What data that was not renewed for too long does, and what to do about it.
fn too_old(overdue: &Overdue) -> String {
    let consequence = match overdue.is_by_setting {
        true => "its zones are not ready, and do what their stale setting says",
        false => "the data goes on answering",
    };
    format!("{}; {consequence}; {}", overdue.cause(), overdue.remedy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::samples::check_golden;

    const HEAD: &str = "\
# Events

Every line of the log of `dnsbld` ends with the name of its event, as `event=\"dataset-reloaded\"`, and
with the `dataset=`, `zone=` and `file=` that it is about. Names stay the same; the words before them may
get better from version to version, so match the names. The names, and an example of each line:

```text
";

    /// `docs/events.md` shows every event in the words of now.
    #[test]
    fn the_words_of_every_event_are_those_of_the_documentation() {
        check_golden("docs/events.md", HEAD, |event| {
            vec![format!("{:>5} {}", level(event).as_str(), text(event))]
        });
    }

    #[test]
    fn the_remedy_for_a_full_disk_is_space() {
        for full in [libc::ENOSPC, libc::EDQUOT] {
            assert!(state_remedy(&io::Error::from_raw_os_error(full)).starts_with("free space"));
        }
        assert!(state_remedy(&io::Error::from_raw_os_error(libc::EACCES)).contains("state-dir"));
    }
}
