//! One of every event, and the file that shows them all in words.

use super::{
    Event, KeyFault, LastGood, ListingLine, Load, NAMES, NotifyFault, Overdue, Refusal, Renewal,
    Role, SocketFault, TransferOutcome, TransferRefusal, WatchFault, WatchedChange,
};
use crate::config::{self, DatasetDifference, LogTarget, SettingChange, ValueChange, WatchSubject};
use crate::engine::Transport;
use crate::guard::Doubt;
use crate::snapshot::{Id, RuleDifference};
use crate::source::{Cause, Finding, Measure, Problem};
use crate::tsig::{AnswerError, SecretError};
use crate::wire::name::NameBuf;
use crate::zone::sweep::Unswept;
use crate::zonefile::{Counts, Fatal, FatalCause, Kind, Mistake};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// Set to write the golden files anew instead of comparing with them.
const REGENERATE: &str = "DNSBLD_WRITE_GOLDEN";

fn error(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

fn list() -> String {
    "list".to_owned()
}

fn zone() -> NameBuf {
    "bl.example".parse().expect("it is a name")
}

fn not_notified(fault: NotifyFault) -> Event {
    let address = (std::net::Ipv4Addr::LOCALHOST, 53).into();
    Event::SecondaryNotNotified { zone: zone(), address, serial: 1_700_000_000, fault }
}

fn transfer(outcome: TransferOutcome) -> Event {
    let client = std::net::Ipv4Addr::LOCALHOST.into();
    Event::Transfer { zone: zone(), client, outcome }
}

fn loaded(before: Option<u64>, failed_for: Option<u64>, doubt: Option<Doubt>) -> Event {
    Event::DatasetLoaded {
        dataset: list(),
        load: Load {
            entries: 12,
            files: 2,
            before,
            failed_for: failed_for.map(Duration::from_secs),
            doubt,
        },
        kind: Kind::Ip4Set,
        tally: Counts::Blocks([9, 2, 1, 0]),
        addresses: 66_057,
        memory: 4096,
        newest: 1_795_297_662,
        took: Duration::from_millis(15),
    }
}

fn refused(cause: Cause, told_for: Option<u64>, served: Option<LastGood>) -> Event {
    let problem = Problem { file: "/lists/one".into(), cause };
    let refusal = Refusal { problem, told_for: told_for.map(Duration::from_secs), served };
    let accept = Some("dnsbld accept list".to_owned());
    Event::DatasetRefused { dataset: list(), refusal, accept }
}

fn accepted(before: bool) -> Event {
    let problem = Problem { file: "/lists/one".into(), cause: Cause::Empty };
    Event::DatasetAccepted { dataset: list(), problem, before }
}

fn watched(keys: &[&str], total: u64) -> Box<WatchedChange> {
    let prefix = "203.0.113.0/24".parse().expect("it is a prefix");
    Box::new(WatchedChange {
        subject: WatchSubject::Prefix(prefix),
        label: "our mail".to_owned(),
        dataset: list(),
        zones: vec!["bl.example".to_owned()],
        keys: keys.iter().map(|&key| key.to_owned()).collect(),
        total,
        line: Some(ListingLine {
            file: "/lists/one".into(),
            line: 12,
            text: "203.0.113.7 spam".to_owned(),
        }),
    })
}

fn folders_not_watched(fault: WatchFault) -> Event {
    let (reason, poll) = ("the system says no".to_owned(), Duration::from_secs(1));
    Event::FoldersNotWatched { fault, reason, poll }
}

fn control_socket(fault: SocketFault) -> Event {
    Event::ControlSocketNotOpened { socket: "/run/dnsbld/control".into(), fault }
}

/// At least one of every event, in the order of their names' list.
pub(crate) fn samples() -> Vec<Event> {
    let address: SocketAddr = (std::net::Ipv4Addr::LOCALHOST, 5300).into();
    let untransferred = |refusal| transfer(TransferOutcome::Refused(refusal));
    let changed = |change| Event::SettingChanged { change };
    let target = || LogTarget::File("/queries".into());
    let served = Some(LastGood { entries: 12, age: Duration::from_secs(9000), is_overdue: false });
    let fatal = Fatal { file: 0, line: 7, cause: FatalCause::TooLarge };
    let diagnostic = config::ConfigDiagnostic {
        place: Some((3, 18)),
        message: "dataset \"unused\" is in no zone".to_owned(),
        help: String::new(),
    };
    let overdue = |what, is_by_setting| Event::DatasetOverdue {
        dataset: list(),
        overdue: Overdue { what, limit: Duration::from_secs(604_800), is_by_setting },
    };
    vec![
        Event::LoadStarted { dataset: list() },
        Event::BadLine {
            dataset: list(),
            file: "/lists/one".into(),
            line: 3,
            column: 9,
            reason: Mistake::NotAddress4,
            excerpt: Some("10.1.2.x".into()),
        },
        Event::BadLinesOmitted {
            dataset: list(),
            file: "/lists/one".into(),
            reason: Mistake::NotAddress4,
            lines: 8,
        },
        loaded(None, None, None),
        loaded(None, Some(90), Some(Doubt::Interrupted("/lists/one".into()))),
        loaded(Some(10), None, None),
        loaded(None, None, Some(Doubt::EmptyFile("/lists/two".into()))),
        loaded(Some(10), None, Some(Doubt::MostlyBad(99))),
        loaded(Some(90), None, Some(Doubt::Shrunk)),
        loaded(
            None,
            None,
            Some(Doubt::Sentinel {
                sentinel: "127.0.0.1".to_owned(),
                known_as: "never listed by RFC 5782",
            }),
        ),
        loaded(Some(10), Some(400), Some(Doubt::Empty)),
        Event::DatasetRecovered { dataset: list(), failed_for: Duration::from_secs(400) },
        refused(Cause::Vanished, None, None),
        refused(Cause::Rejected(fatal), None, served),
        refused(Cause::Empty, Some(7200), served),
        refused(
            Cause::Guard {
                finding: Finding::Grew {
                    measure: Measure::Addresses4,
                    listed: 1 << 32,
                    before: 1900,
                },
                shown: vec!["0.0.0.0/0".to_owned()],
            },
            None,
            served,
        ),
        accepted(false),
        accepted(true),
        Event::DatasetExpired { dataset: list(), role: Role::Block },
        Event::DatasetExpired { dataset: list(), role: Role::Allow },
        overdue(Renewal::Change, false),
        overdue(Renewal::Change, true),
        overdue(Renewal::GoodFiles, false),
        overdue(Renewal::GoodFiles, true),
        Event::DatasetRenewed { dataset: list() },
        Event::LoadsFinished {
            took: Duration::from_millis(120),
            changed: true,
            incomplete: vec![(zone(), true), (zone(), false)],
        },
        Event::ZoneExpired { zone: zone() },
        Event::ZoneWithoutAllowList { zone: zone(), dataset: list() },
        Event::ZoneWithoutAccessList { zone: zone(), dataset: list() },
        Event::SnapshotMapped { dataset: list(), id: Id(0x1f) },
        Event::SnapshotBadLines {
            dataset: list(),
            file: "/lists/one".into(),
            lines: 2,
            first: Some("line 2, column 1: not an address".to_owned()),
        },
        Event::SnapshotUnusable {
            dataset: list(),
            file: "/state/snapshots/list".into(),
            reason: "is damaged: the checksum of its data is wrong".to_owned(),
        },
        Event::SnapshotOfOtherRules {
            dataset: list(),
            difference: RuleDifference {
                rule: "ttl".to_owned(),
                ours: "420".to_owned(),
                theirs: "nothing".to_owned(),
            },
        },
        Event::SnapshotFromFuture { dataset: list() },
        Event::SnapshotOfOtherFiles {
            dataset: list(),
            files: vec!["/lists/one".into(), "/lists/two".into()],
        },
        Event::SnapshotWritten {
            dataset: list(),
            id: Id(0x1f),
            took: Duration::from_millis(15),
            recovered: false,
        },
        Event::SnapshotWritten {
            dataset: list(),
            id: Id(0x1f),
            took: Duration::from_millis(15),
            recovered: true,
        },
        Event::SnapshotNotWritten {
            dataset: list(),
            file: "/state/snapshots/list".into(),
            error: error(libc::ENOSPC),
        },
        Event::RecordUnusable {
            dataset: list(),
            file: "/state/snapshots/list.record.json".into(),
            error: io::Error::new(io::ErrorKind::InvalidData, "it is of another dataset"),
        },
        Event::RecordNotWritten {
            dataset: list(),
            file: "/state/snapshots/list.record.json".into(),
            error: error(libc::ENOSPC),
        },
        Event::SnapshotUnfit { dataset: list(), reason: "it is a file of names".to_owned() },
        Event::SnapshotRemoved { file: "/state/snapshots/old".into() },
        Event::SnapshotsNotRemoved { error: error(libc::EACCES) },
        Event::RefusedFileKept {
            dataset: list(),
            file: "/state/quarantine/list-1f/20261121T094742Z-2a.gz".into(),
        },
        Event::FileNotKept {
            dataset: list(),
            folder: "/state/quarantine/list-1f".into(),
            error: error(libc::ENOSPC),
        },
        Event::HistoryNotWritten {
            dataset: list(),
            folder: "/state/history".into(),
            error: error(libc::ENOSPC),
        },
        Event::WatchedListed { change: watched(&["203.0.113.7"], 1) },
        Event::WatchedDelisted {
            change: watched(&["203.0.113.8", "203.0.113.16/28"], 5),
            after: Duration::from_secs(200_000),
            is_part: true,
        },
        Event::WatchedNotWritten { file: "/state/watched.json".into(), error: error(libc::ENOSPC) },
        Event::MonitorFailed { error: error(libc::EAGAIN) },
        Event::SnapshotWriterFailed { error: error(libc::EAGAIN) },
        Event::StateFolderTaken { folder: "/state".into() },
        Event::StateFolderBusy { folder: "/state".into() },
        Event::HandoverBegun { process: 4712 },
        Event::HandoverAbandoned { process: 4712 },
        Event::HandedOver { process: 4712 },
        Event::TakingOver { process: 4711 },
        Event::TookOver { process: 4711 },
        Event::WorkerHangs { address, number: 1, time: Duration::from_secs(5) },
        Event::StaysRoot,
        Event::SandboxUnavailable {
            reason: "this kernel has no Landlock, or a filter of system calls hides it".to_owned(),
        },
        Event::FolderOutsideSandbox { folder: "/lists".into() },
        Event::SerialsUnreadable { file: "/state/serials".into(), error: error(libc::EACCES) },
        Event::SerialsDamaged { file: "/state/serials".into(), lines: 1 },
        Event::SerialsNotWritten { error: error(libc::EACCES) },
        Event::SettingDoubtful {
            source: "/etc/dnsbld/dnsbld.toml".to_owned(),
            warning: diagnostic.clone(),
        },
        changed(SettingChange::Value(ValueChange {
            key: "server.default-ttl",
            from: "1800".to_owned(),
            to: "300".to_owned(),
        })),
        changed(SettingChange::DatasetAdded { dataset: list() }),
        changed(SettingChange::DatasetChanged {
            dataset: list(),
            difference: DatasetDifference::Type { from: Kind::Ip4Set, to: Kind::Ip4Trie },
        }),
        changed(SettingChange::DatasetChanged {
            dataset: list(),
            difference: DatasetDifference::Files,
        }),
        changed(SettingChange::DatasetChanged {
            dataset: list(),
            difference: DatasetDifference::Overrides,
        }),
        changed(SettingChange::DatasetRemoved { dataset: list() }),
        changed(SettingChange::ZoneAdded { zone: zone() }),
        changed(SettingChange::ZoneChanged { zone: zone() }),
        changed(SettingChange::ZoneRemoved { zone: zone() }),
        Event::SettingNeedsRestart {
            change: ValueChange {
                key: "server.workers",
                from: "one per core".to_owned(),
                to: "3".to_owned(),
            },
        },
        Event::SettingsRefused {
            errors: config::Errors {
                origin: "/etc/dnsbld/dnsbld.toml".to_owned(),
                list: vec![diagnostic],
            },
        },
        Event::SettingsReloaded { source: "/etc/dnsbld/dnsbld.toml".to_owned(), zones: 2 },
        transfer(TransferOutcome::Sent {
            serial: 1_700_000_000,
            since: None,
            records: 1_000_003,
            bytes: 34_000_000,
            took: Duration::from_millis(2345),
        }),
        transfer(TransferOutcome::Sent {
            serial: 1_700_000_000,
            since: Some(1_600_000_000),
            records: 23,
            bytes: 1234,
            took: Duration::from_millis(1),
        }),
        transfer(TransferOutcome::Unfinished { records: 512, took: Duration::from_secs(12) }),
        untransferred(TransferRefusal::TooManyRecords { max: 5_000_000 }),
        untransferred(TransferRefusal::LongRecord),
        untransferred(TransferRefusal::Unswept(Unswept::NotAlone)),
        untransferred(TransferRefusal::NotWhole),
        untransferred(TransferRefusal::Busy),
        untransferred(TransferRefusal::Unproved("BADSIG")),
        untransferred(TransferRefusal::Unproved("BADTIME")),
        Event::SecondaryNotified { zone: zone(), address, serial: 1_700_000_000 },
        not_notified(NotifyFault::Silent),
        not_notified(NotifyFault::Unreachable(error(libc::ECONNREFUSED))),
        not_notified(NotifyFault::Refused(9)),
        not_notified(NotifyFault::Refused(11)),
        not_notified(NotifyFault::Unproved(AnswerError::Refused("BADKEY"))),
        Event::KeyUnusable {
            key: "secondary.example".parse().expect("a name"),
            file: "/etc/dnsbld/secondary.key".into(),
            fault: KeyFault::Exposed,
            is_kept: false,
        },
        Event::KeyUnusable {
            key: "secondary.example".parse().expect("a name"),
            file: "/etc/dnsbld/secondary.key".into(),
            fault: KeyFault::NoSecret(SecretError::NoBase64),
            is_kept: true,
        },
        Event::CertificateRenewed,
        Event::CertificateRefused { reason: "certificate file tls.pem: it is empty".to_owned() },
        Event::ProxyHeaderMissing {
            proxy: "192.0.2.1".parse().unwrap(),
            transport: Transport::Udp,
            suppressed: 0,
        },
        Event::CookieSecretsRefused {
            file: "/secrets".into(),
            reason: "it has 3 secrets in place of one or two".to_owned(),
        },
        Event::CookieSecretsExposed { file: "/secrets".into() },
        Event::CookieSecretsNotKept {
            file: "/state/cookie-secrets".into(),
            reason: "it cannot be read: permission denied".to_owned(),
        },
        Event::CertificateExpiring {
            file: "/tls.pem".into(),
            names: vec!["dns.example".to_owned(), "192.0.2.1".to_owned()],
            left: Some(Duration::from_secs(13 * 86_400)),
        },
        Event::CertificateExpiring { file: "/tls.pem".into(), names: Vec::new(), left: None },
        Event::TrafficUnusable {
            file: "/state/traffic".into(),
            reason: "it is damaged".to_owned(),
        },
        Event::TrafficNotWritten { error: error(libc::ENOSPC) },
        Event::OverridesUnusable {
            file: "/state/overrides".into(),
            reason: "it is damaged".to_owned(),
        },
        Event::OverridesNotWritten { error: error(libc::ENOSPC) },
        Event::Statistics { line: "stats for 60secs: tot=2 ok=2".to_owned() },
        Event::StatisticsNotWritten { file: "/stats".into(), error: error(libc::EACCES) },
        Event::FileKeepsChanging { file: "/lists/one".into(), time: Duration::from_secs(30) },
        Event::FoldersWatched,
        folders_not_watched(WatchFault::Watches),
        folders_not_watched(WatchFault::Instances),
        folders_not_watched(WatchFault::Forbidden),
        folders_not_watched(WatchFault::Absent),
        folders_not_watched(WatchFault::Other),
        Event::SettingsChosen { source: "/etc/dnsbld/dnsbld.toml".to_owned() },
        Event::KeyExposed { file: "/etc/dnsbld/tls.key".into() },
        Event::ReceiveBufferSmall { address, bytes: 212_992, wanted: 1 << 20 },
        Event::XdpStarted { device: "eth0".to_owned(), queues: 4, is_zero_copy: false },
        Event::XdpUnavailable {
            device: "eth0".to_owned(),
            reason: "the device does not run the program: Operation not supported (os error 95); its driver cannot; \
                     leave it out of server.xdp"
                .to_owned(),
        },
        Event::ReceiveFailed { address, error: error(libc::ENOMEM), suppressed: 0 },
        Event::AcceptFailed { address, error: error(libc::EMFILE), suppressed: 12 },
        Event::AnswerPanicked {
            transport: Transport::Udp,
            address,
            panic: "index out of bounds".to_owned(),
            suppressed: 0,
        },
        Event::ThreadPanicked {
            thread: "watch".to_owned(),
            panic: "index out of bounds".to_owned(),
        },
        Event::HttpsListenerFailed { address, reason: "it ended by itself".to_owned() },
        Event::AnswerUnreadable { reason: "unexpected end of input".to_owned() },
        Event::QueryLogFailed { target: target(), error: error(libc::EACCES) },
        Event::QueryLogLinesLost { target: target(), lines: 1000 },
        Event::QueryLogUnfinished { target: target() },
        Event::DnstapConnected { socket: "/run/dnstap/dnsbld.sock".into() },
        Event::DnstapFailed {
            socket: "/run/dnstap/dnsbld.sock".into(),
            error: error(libc::ECONNREFUSED),
        },
        Event::DnstapQueriesLost { socket: "/run/dnstap/dnsbld.sock".into(), queries: 1000 },
        control_socket(SocketFault::InUse),
        control_socket(SocketFault::NotASocket),
        control_socket(SocketFault::ForeignFolder),
        control_socket(SocketFault::Io(error(libc::EACCES))),
        control_socket(SocketFault::Io(io::ErrorKind::InvalidInput.into())),
        Event::Stopping,
    ]
}

/// Compares a golden file with what the words of every event are now; `lines` gives those of one.
pub(crate) fn check_golden(file: &str, head: &str, lines: impl Fn(&Event) -> Vec<String>) {
    let mut text = head.to_owned();
    let mut last = "";
    for event in samples() {
        let lines = lines(&event);
        if event.name() != last && !lines.is_empty() {
            last = event.name();
            writeln!(text, "\n{last}").expect("a string takes everything");
        }
        for line in lines {
            writeln!(text, "    {line}").expect("a string takes everything");
        }
    }
    text.push_str("```\n");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os(REGENERATE).is_some() {
        return std::fs::write(file, text).expect("it can be written");
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    let wrong = text.lines().zip(golden.lines()).find(|(now, then)| now != then);
    let same = text == golden;
    assert!(same, "{wrong:?}: if the new words are meant, run the test with {REGENERATE}=1");
}

#[test]
fn there_is_one_of_every_event() {
    let sampled: BTreeSet<&str> = samples().iter().map(Event::name).collect();
    let all: BTreeSet<&str> = NAMES.iter().copied().collect();
    assert_eq!(sampled, all);
    assert_eq!(all.len(), NAMES.len() - 1, "only dataset-recovered stands for two");
}
