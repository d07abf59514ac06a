//! The meaning of a configuration: plain structures, checked, with every default filled in.

use super::client::ClientPrefixes;
use super::error::ConfigDiagnostic;
use super::feed::Mirror;
use super::guard::Guard;
use super::limit::{Quota, RateLimit};
use super::policy::Policy;
use super::scoring::Scoring;
use super::secondary::{CatalogZone, Key, NotifyTarget};
use crate::wire::name::NameBuf;
use crate::zone::{self, TransferAccess, Unlisted};
use crate::zonefile::{Format, HashForm, Kind};
use ipnet::IpNet;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

/// A configuration that can be used, and warnings about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loaded {
    /// The meaning of the configuration.
    pub settings: Settings,
    /// Settings that are allowed, but are probably slips.
    pub warnings: Vec<ConfigDiagnostic>,
}

/// What can be told of a configuration, whether or not it can be used.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Checked {
    /// Its meaning; without what is wrong if there are errors. `None` if it has none.
    pub settings: Option<Settings>,
    /// All mistakes, in the order of the file.
    pub errors: Vec<ConfigDiagnostic>,
    /// Settings that are allowed, but are probably slips.
    pub warnings: Vec<ConfigDiagnostic>,
}

/// A whole configuration. Every dataset a zone names exists, names are unique, paths absolute.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// The settings of the server as a whole.
    pub server: Server,
    /// The datasets, in the order of the configuration.
    pub datasets: Vec<Dataset>,
    /// The zones, in the order of the configuration.
    pub zones: Vec<Zone>,
    /// The feeds, which `dnsbld sync` fetches.
    pub mirror: Mirror,
    /// One's own networks and domains, in the order of the configuration: the log tells when a list has one.
    pub watch: Vec<WatchEntry>,
    /// The keys that queries may be signed with, each of another name.
    pub keys: Vec<Key>,
    /// The zone that tells secondaries which zones there are, if that is on.
    pub catalog_zone: Option<CatalogZone>,
}

/// What is watched, and what people call it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatchEntry {
    /// What.
    pub subject: WatchSubject,
    /// Its name for people.
    pub label: String,
}

/// A network or a domain of one's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WatchSubject {
    /// All addresses of a prefix.
    Prefix(IpNet),
    /// A domain, in lower case, and all names below it.
    Domain(Box<NameBuf>),
}

impl fmt::Display for WatchSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) if prefix.prefix_len() == prefix.max_prefix_len() => {
                prefix.addr().fmt(f)
            }
            Self::Prefix(prefix) => prefix.fmt(f),
            Self::Domain(name) => name.fmt(f),
        }
    }
}

impl Settings {
    /// The dataset of this name.
    pub fn dataset(&self, name: &str) -> Option<&Dataset> {
        self.datasets.iter().find(|dataset| dataset.name == name)
    }

    /// Says of each dataset what it is used for, and of each that is none itself whether it shares a zone with
    /// lists of IPv4 addresses.
    pub(super) fn with_neighbours(mut self) -> Self {
        let is_ip4 = |set: &Dataset| {
            matches!(set.kind, Kind::Ip4Set | Kind::Ip4Tset | Kind::Ip4Trie | Kind::Mixed)
        };
        let ip4: Vec<_> =
            self.datasets.iter().filter(|set| is_ip4(set)).map(|set| &set.name).collect();
        let has_ip4 = |zone: &&Zone| zone.datasets.iter().any(|name| ip4.contains(&name));
        let beside: Vec<_> = self
            .zones
            .iter()
            .filter(has_ip4)
            .flat_map(|zone| zone.datasets.iter().cloned())
            .collect();
        for set in &mut self.datasets {
            set.is_beside_ip4 = !is_ip4(set) && beside.contains(&set.name);
            set.usage = Usage {
                lists: self.zones.iter().any(|zone| zone.datasets.contains(&set.name)),
                allows: self.zones.iter().any(|zone| zone.allow.contains(&set.name)),
                admits: self
                    .zones
                    .iter()
                    .map(|zone| &zone.acl)
                    .chain([&self.server.acl])
                    .any(|acl| acl.contains(&set.name)),
            };
        }
        self
    }

    /// Which secondaries are told when the zone of this name has changed.
    pub fn notify(&self, name: &NameBuf) -> &[NotifyTarget] {
        let catalog = self.catalog_zone.as_ref().filter(|catalog| catalog.name == *name);
        let of_catalog = catalog.map(|catalog| &catalog.notify);
        self.zone(name).map(|zone| &zone.notify).or(of_catalog).map_or(&[], Vec::as_slice)
    }

    /// The zone of this name, in lower case.
    pub fn zone(&self, name: &NameBuf) -> Option<&Zone> {
        self.zones.iter().find(|zone| zone.name == *name)
    }

    /// Those of the zones served that have lists: all but the [catalog zone](Self::catalog_zone).
    pub fn zones_of_lists<'z>(
        &self,
        served: &'z [zone::Zone],
    ) -> impl Iterator<Item = &'z zone::Zone> {
        let catalog = self.catalog_zone.as_ref().map(|catalog| &catalog.name);
        served.iter().filter(move |zone| catalog != Some(&zone.apex))
    }
}

/// The settings of the server as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// The addresses for UDP and TCP. Port 0 is a free port of the system's choice.
    pub listen: Vec<SocketAddr>,
    /// The threads that answer over UDP; `None` for one per core.
    pub workers: Option<NonZeroUsize>,
    /// The limits of TCP and TLS.
    pub tcp: TcpLimits,
    /// DNS over TLS (RFC 7858), if it is on.
    pub tls: Option<Tls>,
    /// The times to live of answers.
    pub ttl: TtlBounds,
    /// Leaves the NS records out of answers that do not need them.
    pub minimal_answers: bool,
    /// Answers a question for all types (ANY) over UDP with one RRset (RFC 8482).
    pub minimal_any: bool,
    /// Says why an answer is what it is (RFC 8914), to clients that speak EDNS.
    pub extended_errors: bool,
    /// The answer to `version.bind` CH TXT; `None` refuses it.
    pub version: Option<String>,
    /// The answer to `id.server` CH TXT (RFC 4892); `None` refuses it.
    pub id: Option<String>,
    /// How often the data files are checked, besides the events of the system; `None` means on
    /// SIGHUP only (rbldnsd's `-c 0`).
    pub check_interval: Option<Duration>,
    /// How long a changed file must stay unchanged before it is read.
    pub quiet_period: Duration,
    /// The folder for serials and snapshots, which survive a restart; `None` keeps nothing.
    pub state_dir: Option<PathBuf>,
    /// The most bytes of memory that loading may take the process to; `None` for what the system
    /// [allows](crate::util::memory::LoadMemory::begin).
    pub max_memory: Option<u64>,
    /// Reads `127.2.3.4/24` as `127.2.3.0/24` (rbldnsd's `-e`) instead of refusing the line.
    pub accept_host_bits: bool,
    /// Unpacks compressed data files; if false, they cannot be loaded (rbldnsd's `-C`).
    pub decompress: bool,
    /// The form of the server's log. Under rbldnsd's name, the log has a form of its own.
    pub log_format: LogFormat,
    /// The log of queries, if it is on.
    pub query_log: Option<QueryLog>,
    /// Where dnstap messages go: a unix socket that a collector listens on, if that is on.
    pub dnstap: Option<PathBuf>,
    /// Which queries go to the query log and to dnstap.
    pub query_filter: QueryFilter,
    /// The statistics file, if it is on.
    pub stats_file: Option<StatsFile>,
    /// What is kept of single queries.
    pub top: Top,
    /// How often clients may ask over UDP.
    pub rate_limit: RateLimit,
    /// How much may be asked in a period, in the order of the configuration: the first that is used up counts.
    pub quotas: Vec<Quota>,
    /// How much is kept of what loads have listed and delisted, if there is a state folder.
    pub history: HistoryBounds,
    /// The names of the access lists that apply to all zones.
    pub acl: Vec<String>,
    /// The prefixes of proxies, whose queries name the client in a header of the PROXY protocol.
    pub proxies: Vec<IpNet>,
    /// The DNS cookies (RFC 7873).
    pub cookies: CookieMode,
    /// The file of the secrets that cookies are made with; `None` for a secret of the server's own.
    pub cookie_secrets: Option<PathBuf>,
    /// The socket for those who ask the server how it is, or tell it what to do.
    pub control: ControlPath,
    /// The user that a server becomes when root starts it, by name or number; `None` for the usual one.
    pub user: Option<String>,
    /// The group that it has then, by name or number; `None` for that of the user.
    pub group: Option<String>,
    /// The folder that becomes its root folder.
    pub chroot: Option<PathBuf>,
    /// Has the kernel bound the server to the folders that its settings name (Landlock).
    pub sandbox: bool,
    /// The network devices whose queries are taken past the kernel's stack (AF_XDP), as far as that can be had.
    pub xdp: Vec<String>,
    /// Metrics and health over HTTP, if that is on.
    pub http: Option<Http>,
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
            minimal_any: false,
            extended_errors: false,
            version: Some("dnsbld".to_owned()),
            id: None,
            check_interval: Some(Duration::from_secs(1)),
            quiet_period: Duration::from_millis(200),
            state_dir: None,
            max_memory: None,
            accept_host_bits: false,
            decompress: true,
            log_format: LogFormat::default(),
            query_log: None,
            dnstap: None,
            query_filter: QueryFilter::default(),
            stats_file: None,
            top: Top::default(),
            rate_limit: RateLimit::default(),
            quotas: Vec::new(),
            history: HistoryBounds::default(),
            acl: Vec::new(),
            proxies: Vec::new(),
            cookies: CookieMode::Off,
            cookie_secrets: None,
            control: ControlPath::Usual,
            user: None,
            group: None,
            chroot: None,
            sandbox: true,
            xdp: Vec::new(),
            http: None,
        }
    }
}

/// What the server does about DNS cookies (RFC 7873).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CookieMode {
    /// Nothing: it reads none and sends none.
    #[default]
    Off,
    /// It sends cookies to clients that do.
    On,
    /// Over UDP, such clients get an answer only when they show one.
    Demand,
}

impl CookieMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Off, Self::On, Self::Demand];
}

impl fmt::Display for CookieMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Demand => "demand",
        })
    }
}

/// Where the control socket is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum ControlPath {
    /// Where the user and the system keep such sockets.
    #[default]
    Usual,
    /// There.
    At(PathBuf),
    /// There is none.
    Off,
}

impl fmt::Display for ControlPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usual => f.write_str("the usual place"),
            Self::At(path) => path.display().fmt(f),
            Self::Off => f.write_str("off"),
        }
    }
}

/// The log of all queries (rbldnsd's `-l`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueryLog {
    /// Where the lines go.
    pub target: LogTarget,
    /// Writes each line at once instead of within a second (rbldnsd's `-l +file`).
    pub flush: bool,
    /// The form of a line.
    pub format: QueryLogFormat,
    /// Who may read a file that is made for it: it has the addresses of clients.
    pub mode: u32,
}

impl QueryLog {
    /// The user and the group of the server.
    pub const MODE: u32 = 0o640;

    /// In rbldnsd's form, and not flushed.
    pub fn new(target: LogTarget) -> Self {
        Self { target, flush: false, format: QueryLogFormat::default(), mode: Self::MODE }
    }
}

/// The form of the lines of the query log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum QueryLogFormat {
    /// `time client name type class: code/answers/length` (rbldnsd's manual, `-l`).
    #[default]
    Rbldnsd,
    /// A JSON object.
    Json,
}

/// The form of the server's log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON object for each line.
    Json,
    /// For systemd's journal: the priority in front, as sd-daemon(3) has it, and no time.
    Journald,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Journald => "journald",
        })
    }
}

/// Which queries are logged: those that pass all of it. By default, all do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueryFilter {
    /// Only certain answers; `None` for all.
    pub only: Option<OnlyAnswers>,
    /// Only names at or below these apexes, in lower case; none for all.
    pub zones: Vec<NameBuf>,
    /// One of so many of the rest.
    pub sample: NonZeroU32,
}

/// Certain answers, each class if it is true.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OnlyAnswers {
    /// Those with records.
    pub listed: bool,
    /// REFUSED: of no zone, or to a client that may not ask.
    pub refused: bool,
}

impl Default for QueryFilter {
    fn default() -> Self {
        Self { only: None, zones: Vec::new(), sample: NonZeroU32::MIN }
    }
}

/// `only listed, of a.example b.example, 1 of 100`, or `all`.
impl fmt::Display for QueryFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { only, zones, sample } = self;
        let mut parts = Vec::new();
        if let Some(OnlyAnswers { listed, refused }) = only {
            let words = [(*listed, "listed"), (*refused, "refused")];
            let words: Vec<_> = words.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
            parts.push(format!("only {}", words.join(" and ")));
        }
        if !zones.is_empty() {
            let names: Vec<_> = zones.iter().map(ToString::to_string).collect();
            parts.push(format!("of {}", names.join(" ")));
        }
        if *sample != NonZeroU32::MIN {
            parts.push(format!("1 of {sample}"));
        }
        f.write_str(if parts.is_empty() { "all" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

/// Where the query log goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogTarget {
    /// To standard output.
    Stdout,
    /// To the end of this file, which is reopened on SIGHUP.
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
    /// Writes the counts since the last line, instead of those since the start or the last reset
    /// (rbldnsd's `-s +file`).
    pub increments: bool,
    /// How often a line is written, besides those on signals and at the end; `None` for never.
    pub interval: Option<Duration>,
    /// Who may read a file that is made for it.
    pub mode: u32,
}

impl StatsFile {
    /// The user and the group of the server.
    pub const MODE: u32 = 0o640;

    /// The interval of rbldnsd.
    pub const INTERVAL: Duration = Duration::from_secs(60);
}

/// What is kept, in memory alone, of what is asked most and of who asks most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Top {
    /// Keeps anything at all.
    pub is_on: bool,
    /// Keeps networks (IPv4 /24, IPv6 /48) in place of the addresses of clients.
    pub anonymise_clients: bool,
}

impl Default for Top {
    fn default() -> Self {
        Self { is_on: true, anonymise_clients: false }
    }
}

/// How much is kept of what the loads of each dataset have listed and delisted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HistoryBounds {
    /// For how many days; 0 keeps nothing.
    pub days: u32,
    /// The most bytes for the loads of a dataset; what it lists is kept besides.
    pub max_size: u64,
}

impl Default for HistoryBounds {
    fn default() -> Self {
        Self { days: 90, max_size: 256 << 20 }
    }
}

/// The limits of TCP and TLS (RFC 7766 section 6.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpLimits {
    /// The most connections at one time.
    pub connections: usize,
    /// The most connections of one client at one time.
    pub per_client: usize,
    /// What one client is.
    pub client: ClientPrefixes,
    /// How long a connection may stay without a query before it is closed.
    pub idle_timeout: Duration,
}

impl Default for TcpLimits {
    fn default() -> Self {
        let (client, idle_timeout) = (ClientPrefixes::default(), Duration::from_secs(10));
        Self { connections: 512, per_client: 16, client, idle_timeout }
    }
}

/// DNS over TLS (RFC 7858), and over HTTPS (RFC 8484).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tls {
    /// The addresses for DNS over TLS.
    pub listen: Vec<SocketAddr>,
    /// The addresses for DNS over HTTPS; none if that is off.
    pub https_listen: Vec<SocketAddr>,
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

/// Metrics and health over HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Http {
    /// The addresses.
    pub listen: Vec<SocketAddr>,
    /// The prefixes of those who may ask; none for everybody who can reach the addresses.
    pub allow: Vec<IpNet>,
}

/// The times to live of answers, in seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TtlBounds {
    /// For entries without a TTL in the file or the dataset.
    pub default: u32,
    /// Smaller TTLs of a file are raised to this.
    pub min: u32,
    /// Larger TTLs of a file are lowered to this.
    pub max: u32,
    /// For "not listed" in a zone that has no SOA of its own (RFC 2308 section 5).
    pub negative: u32,
}

impl TtlBounds {
    /// The largest time to live there is (RFC 2181 section 8).
    pub const UNBOUNDED: u32 = 0x7fff_ffff;
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
    /// The type, which decides how lines are read.
    pub kind: Kind,
    /// The form of the lines.
    pub format: Format,
    /// The column or the field that has the keys, where the format has several; `None` for the first.
    pub column: Option<String>,
    /// How the hashes of a `hashset` are written; what it leaves open, the first entry tells.
    pub hash: HashForm,
    /// The files, as absolute paths, in the order in which they are read.
    pub files: Vec<PathBuf>,
    /// The SOA of the zone; overrides the files.
    pub soa: Option<Soa>,
    /// The name servers of the zone; overrides the files unless it is empty.
    pub ns: Vec<NameBuf>,
    /// The time to live of `ns`, in seconds; `None` for the zone's default.
    pub ns_ttl: Option<u32>,
    /// The time to live of the entries in seconds; overrides the files.
    pub ttl: Option<u32>,
    /// The A value of entries without one; overrides the default of the files.
    pub default_a: Option<Ipv4Addr>,
    /// The TXT template of entries without one; overrides the default of the files. An empty one
    /// means no TXT.
    pub default_text: Option<String>,
    /// Accepts A values outside 127.0.0.0/8, which clients may mistake for real addresses.
    pub allow_any_a: bool,
    /// Lets an empty file replace a list that has entries.
    pub accept_empty: bool,
    /// Takes in a snapshot where a list is expected, whoever wrote it.
    pub accept_snapshot: bool,
    /// Answers NXDOMAIN for an unlisted name even if names below it are listed, against RFC 8020, as
    /// the type `dnhash` of rspamd's fork of rbldnsd does.
    pub hides_empty_non_terminals: bool,
    /// How long the data may be served without being renewed.
    pub freshness: FreshnessLimits,
    /// Which rules the data must pass.
    pub policy: Policy,
    /// The figures that it must keep to.
    pub guard: Guard,
    /// True for somebody's own list, false for a feed; `None` to tell by its use and its length.
    pub own: Option<bool>,
    /// What it is used for.
    pub usage: Usage,
    /// Shares a zone with lists of IPv4 addresses, which some entries of other lists are mistaken for.
    pub is_beside_ip4: bool,
}

impl Dataset {
    /// A dataset without overrides.
    pub fn new(name: String, kind: Kind, files: Vec<PathBuf>) -> Self {
        Self {
            name,
            kind,
            format: Format::Rbldnsd,
            column: None,
            hash: HashForm::default(),
            files,
            soa: None,
            ns: Vec::new(),
            ns_ttl: None,
            ttl: None,
            default_a: None,
            default_text: None,
            allow_any_a: false,
            accept_empty: false,
            accept_snapshot: false,
            hides_empty_non_terminals: false,
            freshness: FreshnessLimits::default(),
            policy: Policy::NATIVE,
            guard: Guard::default(),
            own: None,
            usage: Usage::default(),
            is_beside_ip4: false,
        }
    }
}

/// How long data may go on being served without being renewed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FreshnessLimits {
    /// Without a change of the files, by their own account (`$TIMESTAMP`) or else by their time.
    pub max_age: AgeLimit,
    /// While the files are wrong or gone.
    pub keep_bad_for: AgeLimit,
}

impl FreshnessLimits {
    /// No limits, and no alarms.
    pub const OFF: Self = Self { max_age: AgeLimit::Off, keep_bad_for: AgeLimit::Off };
}

impl Default for FreshnessLimits {
    /// An alarm after seven days.
    fn default() -> Self {
        let week = AgeLimit::Alarm(Duration::from_secs(7 * 24 * 3600));
        Self { max_age: week, keep_bad_for: week }
    }
}

/// A limit for the age of something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AgeLimit {
    /// There is none.
    Off,
    /// It is told once that age is passed, and nothing else happens.
    Alarm(Duration),
    /// Past that age, the dataset is out of policy: its zones are not ready, and do what their `stale` says.
    Limit(Duration),
}

/// What a zone does with a dataset whose data is out of policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StalePolicy {
    /// It goes on listing what the data lists.
    #[default]
    Serve,
    /// It lists nothing of the data.
    Unlist,
    /// It answers SERVFAIL.
    ServFail,
}

impl fmt::Display for StalePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Serve => "serve",
            Self::Unlist => "unlist",
            Self::ServFail => "servfail",
        })
    }
}

impl Dataset {
    /// With fewer entries, any list is somebody's own.
    const FEW: u64 = 20;
    /// With fewer, an allow list or an access list is.
    const SOME: u64 = 100;

    /// True for a list that somebody writes by hand, which may lose any of its entries; `most` is the number
    /// of entries that it ever had, if it ever had any.
    ///
    /// What cannot be told for sure is a feed, because the rules for feeds harm less where they are not
    /// needed than they are missed.
    pub fn is_own(&self, most: Option<u64>) -> bool {
        let Usage { lists, allows, admits } = self.usage;
        let is_exception = (allows || admits) && !lists;
        self.own.unwrap_or(match most {
            None => is_exception,
            Some(most) => most < Self::FEW || is_exception && most < Self::SOME,
        })
    }
}

/// What a dataset is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Zones list what it lists.
    pub lists: bool,
    /// Zones do not list what it lists.
    pub allows: bool,
    /// It says who may ask.
    pub admits: bool,
}

/// A SOA record (RFC 1035 section 3.3.13); times in seconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Soa {
    /// The primary server.
    pub mname: NameBuf,
    /// The mailbox of the person in charge, the `@` written as a dot.
    pub rname: NameBuf,
    /// The serial; `None` means the time of the newest file.
    pub serial: Option<u32>,
    /// How often secondaries ask for a new serial.
    pub refresh: u32,
    /// How soon they ask again after a failure.
    pub retry: u32,
    /// How long they serve the zone without an answer from the primary.
    pub expire: u32,
    /// How long resolvers may cache "not listed" (RFC 2308 section 4).
    pub minimum: u32,
    /// The time to live of the record itself; `None` for the zone's default.
    pub ttl: Option<u32>,
}

/// A zone: a name and the datasets that answer below it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone {
    /// The name, in lower case.
    pub name: NameBuf,
    /// The names of the datasets; every query asks all of them.
    pub datasets: Vec<String>,
    /// The names of the allow lists: the zone does not list what they list. Those of a verdict zone are the
    /// datasets with a negative weight.
    pub allow: Vec<String>,
    /// Makes it a verdict zone, which lists a key by the sum of the weights of the lists that have it.
    pub scoring: Option<Scoring>,
    /// The names of the access lists, which say who may ask this zone.
    pub acl: Vec<String>,
    /// Who may have it whole.
    pub transfer: TransferAccess,
    /// Which secondaries are told when it has changed.
    pub notify: Vec<NotifyTarget>,
    /// Answers the test points of RFC 5782 section 5 even if the files lack them.
    pub test_points: bool,
    /// Answers `_health.ZONE`, and says the content id to clients that ask for an identifier (RFC 5001).
    pub health: bool,
    /// What it says of names that are not listed, while one of its datasets was never loaded.
    pub partial: Unlisted,
    /// What it does with a dataset whose data is out of policy.
    pub stale: StalePolicy,
    /// A listed name in the zone, which the start report shows as an example query.
    pub example: Option<NameBuf>,
}

impl Zone {
    /// A zone with these datasets, and no allow or access lists.
    pub fn new(name: NameBuf, datasets: Vec<String>) -> Self {
        Self {
            name,
            datasets,
            allow: Vec::new(),
            scoring: None,
            acl: Vec::new(),
            transfer: TransferAccess::default(),
            notify: Vec::new(),
            test_points: true,
            health: true,
            partial: Unlisted::default(),
            stale: StalePolicy::default(),
            example: None,
        }
    }
}
