//! What the configuration means: plain structures, checked, with every default filled in.

use super::error::Diagnostic;
use crate::wire::name::NameBuf;
use crate::zonefile::Kind;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// A configuration that can be used, and warnings about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loaded {
    /// The meaning of the configuration.
    pub settings: Settings,
    /// What is allowed, but probably a slip.
    pub warnings: Vec<Diagnostic>,
}

/// A whole configuration. Every dataset a zone names exists, names are unique, paths absolute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// What holds for the server as a whole.
    pub server: Server,
    /// The datasets, in the order of the configuration.
    pub datasets: Vec<Dataset>,
    /// The zones, in the order of the configuration.
    pub zones: Vec<Zone>,
}

impl Settings {
    /// The dataset of this name.
    pub fn dataset(&self, name: &str) -> Option<&Dataset> {
        self.datasets.iter().find(|dataset| dataset.name == name)
    }

    /// The zone of this name, in lower case.
    pub fn zone(&self, name: &NameBuf) -> Option<&Zone> {
        self.zones.iter().find(|zone| zone.name == *name)
    }
}

/// What holds for the server as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// The addresses for UDP and TCP. Port 0 is a free port of the system's choice.
    pub listen: Vec<SocketAddr>,
    /// The threads that answer over UDP; `None` for one per core.
    pub workers: Option<NonZeroUsize>,
    /// The limits of TCP.
    pub tcp: TcpLimits,
    /// DNS over TLS (RFC 7858), if wanted.
    pub tls: Option<Tls>,
    /// The time to live of what is answered.
    pub ttl: TtlBounds,
    /// Leaves the NS records out of answers that can do without them.
    pub minimal_answers: bool,
    /// The answer to `version.bind` CH TXT; `None` refuses it.
    pub version: Option<String>,
    /// The answer to `id.server` CH TXT (RFC 4892); `None` refuses it.
    pub id: Option<String>,
    /// How often the state of the data files is looked at, beside the events of the system;
    /// `None` for only when told to (rbldnsd's `-c 0`).
    pub check_interval: Option<Duration>,
    /// How long a changed file must lie still before it is read.
    pub quiet_period: Duration,
    /// Where the server keeps what it must remember over a restart; `None` for nowhere.
    pub state_dir: Option<PathBuf>,
    /// Takes `127.2.3.4/24` for `127.2.3.0/24` (rbldnsd's `-e`) and does not refuse the line.
    pub accept_host_bits: bool,
    /// Unpacks data files that are compressed; else they cannot be loaded (rbldnsd's `-C`).
    pub decompress: bool,
    /// The log of all queries, if wanted.
    pub query_log: Option<QueryLog>,
    /// The statistics file, if wanted.
    pub stats_file: Option<StatsFile>,
    /// The names of the access lists that hold for all zones.
    pub acl: Vec<String>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: vec![
                SocketAddr::from(([127, 0, 0, 1], 5300)),
                SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 5300)),
            ],
            workers: None,
            tcp: TcpLimits::default(),
            tls: None,
            ttl: TtlBounds::default(),
            minimal_answers: true,
            version: Some("dnsbld".to_owned()),
            id: None,
            check_interval: Some(Duration::from_secs(1)),
            quiet_period: Duration::from_millis(200),
            state_dir: None,
            accept_host_bits: false,
            decompress: true,
            query_log: None,
            stats_file: None,
            acl: Vec::new(),
        }
    }
}

/// The log of all queries (rbldnsd's `-l`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueryLog {
    /// Where it goes.
    pub target: LogTarget,
    /// Writes each line at once instead of within a second (rbldnsd's `-l +file`).
    pub flush: bool,
}

/// Where the query log goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogTarget {
    /// To standard output.
    Stdout,
    /// To the end of this file; it is opened anew on SIGHUP.
    File(PathBuf),
}

impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("on standard output"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// The statistics file (rbldnsd's `-s`): lines of counts are appended to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatsFile {
    /// The file.
    pub path: PathBuf,
    /// Writes what came since the last line, instead of since the start or the last reset
    /// (rbldnsd's `-s +file`).
    pub increments: bool,
    /// How often a line is written, beside those on signals and at the end; `None` for never.
    pub interval: Option<Duration>,
}

impl StatsFile {
    /// The interval of rbldnsd.
    pub const INTERVAL: Duration = Duration::from_secs(60);
}

/// The limits of TCP (RFC 7766 section 6.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpLimits {
    /// The most connections at a time.
    pub connections: usize,
    /// The most connections of one client address at a time.
    pub per_client: usize,
    /// A connection without a query for this long is closed.
    pub idle_timeout: Duration,
}

impl Default for TcpLimits {
    fn default() -> Self {
        Self { connections: 512, per_client: 16, idle_timeout: Duration::from_secs(10) }
    }
}

/// DNS over TLS (RFC 7858).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tls {
    /// The addresses.
    pub listen: Vec<SocketAddr>,
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

/// The time to live of what is answered, in seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TtlBounds {
    /// Of entries for which neither the file nor the dataset says anything.
    pub default: u32,
    /// A smaller one of a file is raised to this.
    pub min: u32,
    /// A larger one of a file is lowered to this.
    pub max: u32,
    /// Of "not listed" in a zone that has no SOA of its own (RFC 2308 section 5).
    pub negative: u32,
}

impl TtlBounds {
    /// The largest time to live there is (RFC 2181 section 8).
    pub const UNBOUNDED: u32 = 0x7fff_ffff;

    /// A time to live that a file gives, within the bounds; 0 is the default.
    ///
    /// ```
    /// let ttl = dnsbld::config::TtlBounds { min: 60, max: 3600, ..Default::default() };
    /// assert_eq!([0, 5, 300, 86400].map(|given| ttl.clamp(given)), [1800, 60, 300, 3600]);
    /// ```
    pub fn clamp(&self, given: u32) -> u32 {
        if given == 0 { self.default } else { given.max(self.min).min(self.max) }
    }
}

impl Default for TtlBounds {
    fn default() -> Self {
        Self { default: 30 * 60, min: 0, max: Self::UNBOUNDED, negative: 5 * 60 }
    }
}

/// A set of files read as one list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dataset {
    /// The name in the log, the metrics and the zones.
    pub name: String,
    /// How the lines are read.
    pub kind: Kind,
    /// The files, absolute, in the order of reading.
    pub files: Vec<PathBuf>,
    /// Used for the SOA of the zone, whatever the files say.
    pub soa: Option<Soa>,
    /// Used as the name servers of the zone, whatever the files say; empty for no override.
    pub ns: Vec<NameBuf>,
    /// The time to live of `ns`, in seconds; `None` for the zone's default.
    pub ns_ttl: Option<u32>,
    /// The time to live of the entries, in seconds, whatever the files say.
    pub ttl: Option<u32>,
    /// The A value of entries that have none, instead of what the files give as default.
    pub default_a: Option<Ipv4Addr>,
    /// The TXT template of entries that have none, instead of what the files give as default;
    /// an empty one for no TXT.
    pub default_text: Option<String>,
    /// Takes A values outside 127.0.0.0/8 too, which clients may mistake for real addresses.
    pub allow_any_a: bool,
    /// Lets files that are empty, though well formed, replace a list that has entries.
    pub accept_empty: bool,
    /// A name that is not listed itself does not exist, even if names below it are listed (against
    /// RFC 8020, as the type `dnhash` of rspamd's fork of rbldnsd has it).
    pub hides_empty_non_terminals: bool,
    /// Judges files before they replace what is served; else whatever can be read is served, even
    /// if it lists nothing (as rbldnsd does).
    pub guarded: bool,
}

impl Dataset {
    /// A dataset without overrides.
    pub fn new(name: String, kind: Kind, files: Vec<PathBuf>) -> Self {
        Self {
            name,
            kind,
            files,
            soa: None,
            ns: Vec::new(),
            ns_ttl: None,
            ttl: None,
            default_a: None,
            default_text: None,
            allow_any_a: false,
            accept_empty: false,
            hides_empty_non_terminals: false,
            guarded: true,
        }
    }
}

/// A SOA record (RFC 1035 section 3.3.13); times in seconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Soa {
    /// The primary server.
    pub mname: NameBuf,
    /// The mailbox of the person in charge, the `@` written as a dot.
    pub rname: NameBuf,
    /// The serial; `None` for the time of the newest file.
    pub serial: Option<u32>,
    /// How often secondaries ask for a new serial.
    pub refresh: u32,
    /// How soon they ask again when that failed.
    pub retry: u32,
    /// After how long without an answer they stop serving.
    pub expire: u32,
    /// How long "not listed" may be cached (RFC 2308 section 4).
    pub minimum: u32,
    /// The time to live of the record itself; `None` for the zone's default.
    pub ttl: Option<u32>,
}

/// A zone: a name and the datasets that answer below it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone {
    /// The name, in lower case.
    pub name: NameBuf,
    /// The names of the datasets, all of them asked for every query.
    pub datasets: Vec<String>,
    /// The names of the datasets whose keys are not listed in this zone, whatever the others say.
    pub allow: Vec<String>,
    /// The names of the datasets that say who may ask this zone.
    pub acl: Vec<String>,
    /// Answers the test points of RFC 5782 section 5 even if the files forget them.
    pub test_points: bool,
    /// A name in the zone that is known to be listed, to be shown to people who want to try it.
    pub example: Option<NameBuf>,
}

impl Zone {
    /// A zone with these datasets, and no allow or access lists.
    pub fn new(name: NameBuf, datasets: Vec<String>) -> Self {
        Self {
            name,
            datasets,
            allow: Vec::new(),
            acl: Vec::new(),
            test_points: true,
            example: None,
        }
    }
}
