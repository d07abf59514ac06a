//! The feeds that `dnsbld sync` fetches: where from, when, and what must be true of what arrives.

use super::error::Problem;
use super::preset::PresetList;
use crate::snapshot::folder::file_name as file_name_of;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The settings of `dnsbld sync`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mirror {
    /// The folder that all feeds are published below, an absolute path.
    pub dir: PathBuf,
    /// The feeds, in the order of the configuration. Names and folders are unique.
    pub feeds: Vec<Feed>,
    /// The program, and its arguments, that is run for what goes wrong; none for no such program.
    pub alert: Vec<String>,
}

impl Default for Mirror {
    fn default() -> Self {
        Self { dir: Self::DIR.into(), feeds: Vec::new(), alert: Vec::new() }
    }
}

impl Mirror {
    /// The folder of a system that keeps no state elsewhere.
    pub const DIR: &'static str = "/var/lib/dnsbld/mirror";

    /// The folder in which the files of a feed are published.
    pub fn folder(&self, feed: &Feed) -> PathBuf {
        self.dir.join(&feed.folder)
    }
}

/// Files that a publisher changes, and that are fetched together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Feed {
    /// The name in the log and in the status.
    pub name: String,
    /// Where the files are.
    pub source: FeedSource,
    /// The names of the files in the source, which may have wildcards where that is rsync; none for all that
    /// the source names.
    pub files: Vec<String>,
    /// Where they are published, relative to the folder of the mirror.
    pub folder: PathBuf,
    /// When it is fetched.
    pub schedule: FeedSchedule,
    /// When a fetch is given up.
    pub limits: FeedLimits,
    /// Packs the data on its way.
    pub compress: bool,
    /// The private key for ssh.
    pub key: Option<PathBuf>,
    /// The file with the password for an rsync daemon.
    pub password_file: Option<PathBuf>,
    /// The program and its arguments that must end well in the folder of the new files; none for no such
    /// program. `{folder}` stands for that folder.
    pub verify: Vec<String>,
    /// The age without a change at which the feed counts as stale.
    pub max_age: Duration,
    /// The datasets whose accepted files a sibling hands out; none where the source is the publisher's.
    pub handed: Vec<HandedList>,
}

/// A dataset of another dnsbld, which hands out the files that it has accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandedList {
    /// Its name there.
    pub dataset: String,
    /// The names of its files.
    pub files: Vec<String>,
}

/// When a feed is fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeedSchedule {
    /// The time between two fetches.
    pub interval: Duration,
    /// The most by which that time is lengthened at random.
    pub jitter: Duration,
    /// The least time between two tries that its publisher allows.
    pub min_interval: Duration,
}

impl FeedSchedule {
    /// The time between two fetches where nothing is said of it.
    pub const INTERVAL: Duration = Duration::from_secs(3600);
    /// The least time between two tries where nothing is known of the publisher's rules: the strictest that is
    /// published says at most four fetches an hour.
    pub const MIN_INTERVAL: Duration = Duration::from_secs(15 * 60);

    /// The schedule of this interval, with what is usual of it.
    pub fn every(interval: Duration) -> Self {
        let min_interval = Self::MIN_INTERVAL.min(interval);
        Self { interval, jitter: interval / 4, min_interval }
    }
}

/// When a fetch is given up, or what it brought is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeedLimits {
    /// How long no data may come.
    pub timeout: Duration,
    /// How long the whole transfer may take.
    pub time: Duration,
    /// The most bytes a second; `None` for no limit.
    pub bandwidth: Option<u64>,
    /// The least bytes of each file.
    pub min_size: u64,
    /// The most bytes of each file.
    pub max_size: u64,
}

impl Default for FeedLimits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(180),
            time: Duration::from_secs(2 * 3600),
            bandwidth: None,
            min_size: 1,
            max_size: 4 << 30,
        }
    }
}

impl From<&PresetList> for HandedList {
    fn from(list: &PresetList) -> Self {
        let files = vec![list.file.to_owned()];
        Self { dataset: list.dataset.to_owned(), files }
    }
}

impl Feed {
    /// The age without a change that tells that a feed has died, where nothing is said of it.
    pub const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

    /// A feed of which nothing more is said.
    pub fn new(name: String, source: FeedSource) -> Self {
        Self {
            folder: PathBuf::from(&name),
            name,
            source,
            files: Vec::new(),
            schedule: FeedSchedule::every(FeedSchedule::INTERVAL),
            limits: FeedLimits::default(),
            compress: false,
            key: None,
            password_file: None,
            verify: Vec::new(),
            max_age: Self::MAX_AGE,
            handed: Vec::new(),
        }
    }

    /// What rsync or curl is asked for, a text for each file; one with a slash at its end is a folder.
    pub fn urls(&self) -> Vec<String> {
        let base = &self.source.text;
        if !self.handed.is_empty() {
            let folders = self.handed.iter().map(|list| file_name_of(&list.dataset));
            return folders.map(|folder| format!("{base}{folder}")).collect();
        }
        match &self.files[..] {
            [] => vec![base.clone()],
            files => {
                let separator = if base.ends_with('/') || base.ends_with(':') { "" } else { "/" };
                files.iter().map(|file| format!("{base}{separator}{file}")).collect()
            }
        }
    }

    /// The names of the files that must arrive, as far as the settings tell.
    pub fn known_files(&self) -> Vec<&str> {
        let named: Vec<&str> = match &self.files[..] {
            _ if !self.handed.is_empty() => {
                self.handed.iter().flat_map(|list| &list.files).map(String::as_str).collect()
            }
            [] => self.source.file().into_iter().collect(),
            files => files.iter().map(String::as_str).collect(),
        };
        named.into_iter().filter(|name| !has_wildcard(name)).collect()
    }
}

/// How the files of a feed are fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// By rsync from a daemon.
    Rsync,
    /// By rsync over ssh.
    Ssh,
    /// By curl.
    Web,
}

/// Where the files of a feed are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FeedSource {
    /// How they are fetched.
    pub transport: Transport,
    /// The source as rsync or curl takes it. A module or a folder without a file ends with a slash.
    pub text: String,
    /// The host, in lower case, without brackets.
    pub host: String,
    /// The part that one session serves: a daemon's module with the user and the port, an ssh host, or a host.
    pub session: String,
}

impl FeedSource {
    /// Reads `rsync://[USER@]HOST[:PORT]/MODULE[/PATH]`, `[USER@]HOST::MODULE[/PATH]`, `[USER@]HOST:PATH` (ssh),
    /// `https://HOST[:PORT]/PATH` or the same with http.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let wrong = |why: &str| {
            Problem::new(
                format!("{text:?} is not the source of a feed: {why}"),
                "write rsync://host/module/path, host::module/path, user@host:path (ssh) or https://host/path",
            )
        };
        if text.is_empty() || text.starts_with('-') {
            return Err(wrong("it is empty or begins with a hyphen"));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(wrong("it has a blank or a control character"));
        }
        let scheme =
            text.split_once("://").map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
        let (transport, host, session, path) = match scheme {
            Some((scheme, rest)) => {
                let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
                let (user, place) = user_and_rest(authority);
                let (host, port) = host_and_rest(place);
                let transport = match scheme.as_str() {
                    "rsync" => Transport::Rsync,
                    "http" | "https" => Transport::Web,
                    _ => return Err(wrong("it has another scheme")),
                };
                let module = path.split('/').next().unwrap_or_default();
                let session = match transport {
                    Transport::Rsync => session(user, host, port, module)?,
                    _ => authority.to_owned(),
                };
                (transport, host, session, path)
            }
            None => {
                let (user, place) = user_and_rest(text);
                let (host, rest) = host_and_rest(place);
                if let Some(path) = rest.strip_prefix("::") {
                    let module = path.split('/').next().unwrap_or_default();
                    (Transport::Rsync, host, session(user, host, "", module)?, path)
                } else if let Some(path) = rest.strip_prefix(':') {
                    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
                    (Transport::Ssh, host, format!("{user}{host}:"), path)
                } else {
                    return Err(wrong("it names no host"));
                }
            }
        };
        if host.is_empty() || host.starts_with('-') || host.contains('/') {
            return Err(wrong("it names no host"));
        }
        if transport == Transport::Rsync && (path.is_empty() || path.starts_with('/')) {
            return Err(wrong("it names no module"));
        }
        let is_module = transport == Transport::Rsync && !path.contains('/');
        let text = if is_module { format!("{text}/") } else { text.to_owned() };
        Ok(Self { transport, text, host: host.to_ascii_lowercase(), session })
    }

    /// True for http without TLS.
    pub fn is_plain(&self) -> bool {
        self.text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("http:"))
    }

    /// True for a source that nobody on the way can read or change, and for one on this machine.
    pub(super) fn is_guarded(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        let is_here = address.is_ok_and(|address| address.is_loopback());
        !self.is_plain() || self.host == "localhost" || is_here
    }

    /// The name of the file, if the source is one.
    pub(super) fn file(&self) -> Option<&str> {
        let text = match self.transport {
            Transport::Web => self.text.split(['?', '#']).next().unwrap_or_default(),
            _ => &self.text,
        };
        let (_, name) = text.rsplit_once(['/', ':'])?;
        (!name.is_empty()).then_some(name)
    }
}

/// The source without a password.
impl fmt::Display for FeedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.text.find("://").map_or(0, |at| at + 3);
        let (scheme, rest) = self.text.split_at(start);
        let authority = rest.split('/').next().unwrap_or_default();
        match authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')) {
            Some((user, secret)) => {
                let rest = &rest[user.len() + 1 + secret.len()..];
                write!(f, "{scheme}{user}{rest}")
            }
            None => f.write_str(&self.text),
        }
    }
}

/// The one form of a daemon's module with the user and the port.
fn session(user: Option<&str>, host: &str, port: &str, module: &str) -> Result<String, Problem> {
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    if user.contains(':') {
        return Err(Problem::new(
            "rsync takes no password in a source, where all users of this machine would see it",
            "write the user alone, and name a file with the password in password-file",
        ));
    }
    let port = if port == ":873" { "" } else { port };
    Ok(format!("{user}{}{port}/{module}", host.to_ascii_lowercase()))
}

/// The user in front of a host, and the host with what follows.
fn user_and_rest(text: &str) -> (Option<&str>, &str) {
    let end = text.find('/').unwrap_or(text.len());
    match text[..end].rfind('@') {
        Some(at) => (Some(&text[..at]), &text[at + 1..]),
        None => (None, text),
    }
}

/// The host, which may be an IPv6 address in brackets, and what follows it.
fn host_and_rest(text: &str) -> (&str, &str) {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        return (host, rest);
    }
    text.split_at(text.find(':').unwrap_or(text.len()))
}

/// Checks the name of a file of a feed.
pub(super) fn file_name(text: &str, transport: Transport) -> Result<(), Problem> {
    let wrong = |why: &str, help: &str| {
        Err(Problem::new(format!("{text:?} is not the name of a file of a feed: {why}"), help))
    };
    if text.is_empty() || text.contains('/') {
        return wrong("it is empty or has a slash", "put the folder into the source");
    }
    if text.starts_with(['.', '-']) {
        return wrong("it begins with a dot or a hyphen", "name another file");
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        let help = "name another file; for rsync, write ? in place of each blank";
        return wrong("it has a blank or a control character", help);
    }
    if transport == Transport::Web && has_wildcard(text) {
        return wrong("only rsync finds files by a wildcard", "name each file");
    }
    Ok(())
}

fn has_wildcard(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> FeedSource {
        FeedSource::parse(text).unwrap_or_else(|problem| panic!("{problem:?}"))
    }

    #[test]
    fn sources_are_told_apart() {
        use Transport::{Rsync, Ssh, Web};
        for (text, transport, host, session, file) in [
            ("rsync://Host:873/m/a", Rsync, "host", "host/m", Some("a")),
            ("rsync://u@h:8730/m/d/", Rsync, "h", "u@h:8730/m", None),
            ("rsync://[::1]:8730/m", Rsync, "::1", "::1:8730/m", None),
            ("h::m/x", Rsync, "h", "h/m", Some("x")),
            ("h::m", Rsync, "h", "h/m", None),
            ("u@[::1]::m/x", Rsync, "::1", "u@::1/m", Some("x")),
            ("bl@host:list", Ssh, "host", "bl@host:", Some("list")),
            ("host:/srv/list", Ssh, "host", "host:", Some("list")),
            ("https://host:8443/a/b.json?x=1/2", Web, "host", "host:8443", Some("b.json")),
            ("https://host/", Web, "host", "host", None),
            ("bl@host:", Ssh, "host", "bl@host:", None),
        ] {
            let source = source(text);
            let told = (source.transport, &*source.host, &*source.session, source.file());
            assert_eq!(told, (transport, host, session, file), "{text}");
        }
        for bad in [
            "",
            "-x::m",
            "::m",
            "/srv/list",
            "host",
            "ftp://h/a",
            "h::",
            "h::/m",
            "rsync://h",
            "a b::m",
            "u:secret@h::m",
            "rsync://u:secret@h/m",
        ] {
            assert!(FeedSource::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_folder_and_its_files_are_joined() {
        let urls = |text: &str, files: &[&str]| {
            let files = files.iter().map(|&file| file.to_owned()).collect();
            Feed { files, ..Feed::new("x".to_owned(), source(text)) }.urls()
        };
        assert_eq!(urls("h::m", &[]), ["h::m/"]);
        assert_eq!(urls("h::m", &["a", "b"]), ["h::m/a", "h::m/b"]);
        assert_eq!(urls("https://h/d", &["a"]), ["https://h/d/a"]);
        assert_eq!(urls("u@h:list", &[]), ["u@h:list"]);
    }

    #[test]
    fn plain_http_is_guarded_on_this_machine_alone() {
        assert!(source("https://example.org/a").is_guarded());
        assert!(source("http://127.0.0.1:1/a").is_guarded());
        assert!(source("http://[::1]:1/a").is_guarded());
        assert!(source("HTTP://localhost/a").is_guarded());
        assert!(!source("http://example.org/a").is_guarded());
        assert!(source("rsync://example.org/m/a").is_guarded());
    }

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(source("https://u:secret@h/a").to_string(), "https://u@h/a");
        assert_eq!(source("https://u@h/a").to_string(), "https://u@h/a");
        assert_eq!(source("h::m/a").to_string(), "h::m/a");
    }
}
