//! rbldnsd's command line (rbldnsd(8), "Options"), with what the rspamd fork adds.

use super::VERSION;
use super::getopt::{GetOpt, Item};
use super::syslog::Facility;
use crate::config::{ControlPath, LogTarget, QueryLog, Server, StatsFile, Top, TtlBounds};
use crate::util::time::read_duration;
use anyhow::bail;
use std::ffi::{OsStr, OsString};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// The options of rbldnsd and, from `D` on, of its fork.
pub(super) const LETTERS: &str = "u:r:b:w:t:c:p:nel:qs:h46dvaAfF:Cx:X:DW:U:MTROB";

/// What there is to say without a `-b`.
pub(super) const NO_ADDRESS: &str = "no address to listen on (-b option) specified";

/// The most `-b` that rbldnsd takes.
const MAX_ADDRESSES: usize = 20;

/// What a command line asks for.
#[derive(Debug)]
pub(super) enum Asked {
    /// The list of options.
    Help,
    /// Anything else.
    Run(Box<Options>),
}

/// What keeps a command line from being followed, though it is well formed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Objection {
    /// The option that it is about.
    pub(super) letter: u8,
    /// In rbldnsd's words, if it is one of rbldnsd's.
    pub(super) reason: String,
}

impl std::fmt::Display for Objection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Objection {}

/// The family of the addresses to listen on (`-4`, `-6`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Family {
    #[default]
    Any,
    Ip4,
    Ip6,
}

/// A file of statistics (`-s`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Statistics {
    pub(super) file: PathBuf,
    /// Since the last line, not since the start.
    pub(super) relative: bool,
}

/// The options that were given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Options {
    pub(super) user: Option<String>,
    pub(super) root: Option<PathBuf>,
    pub(super) folder: Option<PathBuf>,
    pub(super) bind: Vec<String>,
    pub(super) family: Family,
    pub(super) pid_file: Option<PathBuf>,
    /// In seconds; 0 for no bound.
    pub(super) ttl: Ttl,
    /// Between two looks at the files, in seconds; 0 for never.
    pub(super) check: u32,
    pub(super) foreground: bool,
    pub(super) quick: bool,
    pub(super) accept_host_bits: bool,
    pub(super) minimal_answers: bool,
    pub(super) decompress: bool,
    /// How often the version was asked to be hidden.
    pub(super) hide_version: u8,
    pub(super) query_log: Option<QueryLog>,
    pub(super) statistics: Option<Statistics>,
    pub(super) facility: Facility,
    pub(super) workers: Option<NonZeroUsize>,
    pub(super) dump: bool,
    pub(super) dry_run: bool,
    /// The zone specs.
    pub(super) zones: Vec<OsString>,
}

/// The time to live of what is answered (`-t`), in seconds; a bound of 0 is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ttl {
    pub(super) default: u32,
    pub(super) min: u32,
    pub(super) max: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            user: None,
            root: None,
            folder: None,
            bind: Vec::new(),
            family: Family::Any,
            pid_file: None,
            ttl: Ttl { default: 35 * 60, min: 0, max: 0 },
            check: 60,
            foreground: false,
            quick: false,
            accept_host_bits: false,
            minimal_answers: false,
            decompress: true,
            hide_version: 0,
            query_log: None,
            statistics: None,
            facility: Facility::DAEMON,
            workers: None,
            dump: false,
            dry_run: false,
            zones: Vec::new(),
        }
    }
}

impl Options {
    /// Reads a command line without the program's name. What getopt(3) itself says of a mistake
    /// goes to `complain`. If sockets were `handed_over`, none must be asked for.
    ///
    /// # Errors
    ///
    /// What is wrong, in rbldnsd's words: the first mistake.
    pub(super) fn read(
        words: &[OsString],
        handed_over: bool,
        complain: impl FnMut(&str),
    ) -> anyhow::Result<Asked> {
        Self::read_but_for(words, handed_over, complain, |objection| Err(objection.into()))
    }

    /// The same, but what cannot be had goes to `object`, and unless that makes an error of it, the
    /// option is passed over.
    ///
    /// # Errors
    ///
    /// As above.
    pub(super) fn read_but_for(
        words: &[OsString],
        handed_over: bool,
        mut complain: impl FnMut(&str),
        mut object: impl FnMut(Objection) -> anyhow::Result<()>,
    ) -> anyhow::Result<Asked> {
        let mut judge = |done: anyhow::Result<()>| match done {
            Ok(()) => Ok(()),
            Err(error) => object(error.downcast()?),
        };
        let posix = std::env::var_os("POSIXLY_CORRECT").is_some();
        let mut letters = GetOpt::new(LETTERS, words, posix);
        let mut options = Self::default();
        let mut facility = None;
        for item in letters.by_ref() {
            match item {
                Item::Flag(b'h') => return Ok(Asked::Help),
                Item::Flag(letter) => judge(options.flag(letter))?,
                Item::Argument(b'F', word) => facility = Some(text(&word)),
                Item::Argument(letter, word) => judge(options.argument(letter, &word))?,
                Item::Unknown(letter) => {
                    complain(&format!("invalid option -- '{}'", char::from(letter)));
                    bail!("type `rbldnsd -h' for help");
                }
                Item::Bare(letter) => {
                    complain(&format!("option requires an argument -- '{}'", char::from(letter)));
                    bail!("type `rbldnsd -h' for help");
                }
            }
        }
        options.zones = letters.operands();
        if options.zones.is_empty() {
            bail!("no zone(s) to service specified (-h for help)");
        }
        if options.dump || options.dry_run {
            return Ok(Asked::Run(Box::new(options)));
        }
        if options.bind.is_empty() && !handed_over {
            judge(against(b'b', NO_ADDRESS))?;
        }
        if let Some(name) = facility {
            let Some(known) = Facility::of(&name) else {
                bail!("log facility {name} is not valid");
            };
            options.facility = known;
        }
        Ok(Asked::Run(Box::new(options)))
    }

    fn flag(&mut self, letter: u8) -> anyhow::Result<()> {
        match letter {
            b'4' => self.family = Family::Ip4,
            b'6' => self.family = Family::Ip6,
            b'n' => self.foreground = true,
            b'e' => self.accept_host_bits = true,
            b'q' => self.quick = true,
            b'd' => self.dump = true,
            b'v' => self.hide_version = self.hide_version.saturating_add(1),
            b'a' => self.minimal_answers = true,
            b'A' => self.minimal_answers = false,
            b'C' => self.decompress = false,
            b'D' => self.dry_run = true,
            // Queries are always answered while zones are loaded.
            b'f' => {}
            b'M' => {
                against(
                    letter,
                    "a control socket (-M) is not supported: there is no equivalent yet",
                )?;
            }
            b'R' => against(letter, "quotas (-R) are not supported: there is no equivalent yet")?,
            b'O' => against(letter, "overlays (-O) are not supported: there is no equivalent yet")?,
            b'B' => against(
                letter,
                "compiled snapshots (-B) are not supported: give the text of the list",
            )?,
            _ => {
                let name = char::from(letter);
                against(letter, &format!("option -{name} of rbldnsd's fork is not supported"))?;
            }
        }
        Ok(())
    }

    fn argument(&mut self, letter: u8, word: &OsStr) -> anyhow::Result<()> {
        match letter {
            b'u' => self.user = Some(text(word)),
            b'r' => self.root = Some(word.into()),
            b'w' => self.folder = Some(word.into()),
            b'p' => self.pid_file = Some(word.into()),
            b'b' if self.bind.len() >= MAX_ADDRESSES => {
                bail!("too many addresses to listen on ({MAX_ADDRESSES} max)")
            }
            // The fork's; what Debian's rbldnsd would say of `/53` is said where it is looked up.
            b'b' if is_unix_socket(&text(word)) => against(
                letter,
                "unix sockets (-b /path) of rbldnsd's fork are not supported: give host/port",
            )?,
            b'b' => self.bind.push(text(word)),
            b't' => self.ttl.read(&text(word))?,
            b'c' => match time(&text(word)) {
                Some((check, "")) => self.check = check,
                _ => bail!("invalid check interval (-c) value `{}'", text(word)),
            },
            b'l' => {
                let (flush, file) = plus(word);
                // As rbldnsd makes it.
                let log = |target| Some(QueryLog { flush, mode: 0o644, ..QueryLog::new(target) });
                self.query_log = match file.as_encoded_bytes() {
                    b"" => None,
                    b"-" => log(LogTarget::Stdout),
                    _ => log(LogTarget::File(file.into())),
                };
            }
            b's' => {
                let (relative, file) = plus(word);
                let given = !file.is_empty();
                self.statistics = given.then(|| Statistics { file: file.into(), relative });
            }
            b'W' => match text(word).parse() {
                Ok(workers) => self.workers = Some(workers),
                Err(_) => bail!("invalid number of workers (-W) value `{}'", text(word)),
            },
            b'U' => against(
                letter,
                "updates over the network (-U) are not supported: files are read when they change",
            )?,
            _ => against(
                letter,
                "extensions (-x, -X) are not supported: they are written for the inside of rbldnsd",
            )?,
        }
        Ok(())
    }

    /// Whether what is loaded is told on the terminal before the daemon leaves it.
    pub(super) fn is_talkative(&self) -> bool {
        !self.quick && !self.query_log_on_stdout()
    }

    /// `-l -`: the standard output belongs to the queries.
    pub(super) fn query_log_on_stdout(&self) -> bool {
        self.query_log.as_ref().is_some_and(|log| log.target == LogTarget::Stdout)
    }

    /// The settings of the server that these options mean.
    pub(super) fn server(&self) -> Server {
        let defaults = Server::default();
        let Ttl { default, min, max } = self.ttl;
        let max = if max == 0 { TtlBounds::UNBOUNDED } else { max };
        let interval = (self.check > 0).then(|| Duration::from_secs(self.check.into()));
        let stats_file = |given: &Statistics| StatsFile {
            path: given.file.clone(),
            increments: given.relative,
            interval,
            mode: 0o666,
        };
        Server {
            workers: self.workers,
            ttl: TtlBounds { default, min, max, ..defaults.ttl },
            minimal_answers: self.minimal_answers,
            version: match self.hide_version {
                0 => Some(format!("rbldnsd {VERSION}")),
                1 => Some("rbldnsd".to_owned()),
                _ => None,
            },
            check_interval: interval,
            query_log: self.query_log.clone(),
            stats_file: self.statistics.as_ref().map(stats_file),
            accept_host_bits: self.accept_host_bits,
            decompress: self.decompress,
            control: ControlPath::Off,
            top: Top { is_on: false, ..defaults.top },
            max_memory: Some(u64::MAX),
            ..defaults
        }
    }
}

fn against(letter: u8, reason: &str) -> anyhow::Result<()> {
    Err(Objection { letter, reason: reason.to_owned() }.into())
}

impl Ttl {
    /// Reads `default[:min[:max]]`, each of which may be left out.
    fn read(&mut self, word: &str) -> anyhow::Result<()> {
        let mut rest = word;
        let names = ["ttl", "minttl", "maxttl"];
        for (name, value) in names.iter().zip([&mut self.default, &mut self.min, &mut self.max]) {
            if let Some(next) = rest.strip_prefix(':') {
                rest = next;
                continue;
            }
            if rest.is_empty() && *name != "ttl" {
                continue;
            }
            let given = time(rest).filter(|&(given, _)| given > 0 || *name != "ttl");
            let Some((given, after)) = given else {
                bail!("invalid {name} (-t) value `{word}'");
            };
            *value = given;
            rest = match after.strip_prefix(':') {
                Some(next) => next,
                None if after.is_empty() => after,
                None => bail!("invalid {name} (-t) value `{word}'"),
            };
        }
        if !rest.is_empty() {
            bail!("invalid value for -t (ttl) option: `{word}'");
        }
        let Self { default, min, max } = *self;
        if max > 0 && (min > max || default > max) || default < min {
            bail!("inconsistent def:min:max ttl: {default}:{min}:{max}");
        }
        Ok(())
    }
}

/// True for a path, as rbldnsd's fork takes it for an address.
fn is_unix_socket(address: &str) -> bool {
    let is_path = address.starts_with(['/', '.']);
    is_path && !address[1..].bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads a duration up to a colon or the end; blanks may follow.
fn time(word: &str) -> Option<(u32, &str)> {
    let (seconds, rest) = read_duration(word.as_bytes())?;
    let seconds = u32::try_from(seconds).ok()?;
    let rest = &word[word.len() - rest.len()..];
    match rest.bytes().next() {
        None | Some(b':') => Some((seconds, rest)),
        Some(b' ' | b'\t') => Some((seconds, rest.trim_start_matches([' ', '\t']))),
        Some(_) => None,
    }
}

/// Takes a plus sign off the beginning.
fn plus(word: &OsStr) -> (bool, OsString) {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let bytes = word.as_bytes();
    let rest = bytes.strip_prefix(b"+");
    (rest.is_some(), OsString::from_vec(rest.unwrap_or(bytes).to_vec()))
}

fn text(word: &OsStr) -> String {
    word.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> anyhow::Result<Options> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let words = [&["-b".into(), "::1".into()], words.as_slice()].concat();
        match Options::read(&words, false, |_| {})? {
            Asked::Run(options) => Ok(*options),
            Asked::Help => bail!("help"),
        }
    }

    #[test]
    fn a_debian_command_line() {
        let line = "-p /run/rbldnsd-dsbl.pid -r/var/lib/rbldns/dsbl -b127.2 -b ::1/5353 -4v \
                    -fqt 2h:1m -c10m -l +log -s +stats -u rbldns:nogroup -Fmail a:ip4set:x b:dnset:y";
        let options = read(line).unwrap();
        let want = Options {
            user: Some("rbldns:nogroup".to_owned()),
            root: Some("/var/lib/rbldns/dsbl".into()),
            bind: ["::1", "127.2", "::1/5353"].map(str::to_owned).to_vec(),
            family: Family::Ip4,
            pid_file: Some("/run/rbldnsd-dsbl.pid".into()),
            ttl: Ttl { default: 7200, min: 60, max: 0 },
            check: 600,
            quick: true,
            hide_version: 1,
            query_log: Some(QueryLog {
                flush: true,
                mode: 0o644,
                ..QueryLog::new(LogTarget::File("log".into()))
            }),
            statistics: Some(Statistics { file: "stats".into(), relative: true }),
            facility: Facility::of("mail").unwrap(),
            zones: vec!["a:ip4set:x".into(), "b:dnset:y".into()],
            ..Options::default()
        };
        assert_eq!(options, want);
        let server = options.server();
        assert_eq!(server.ttl.max, TtlBounds::UNBOUNDED);
        assert_eq!(server.check_interval, Some(Duration::from_secs(600)));
        assert_eq!(server.version.as_deref(), Some("rbldnsd"));
        assert_eq!(server.query_log, want.query_log);
        let stats = StatsFile {
            path: "stats".into(),
            increments: true,
            interval: server.check_interval,
            mode: 0o666,
        };
        assert_eq!(server.stats_file, Some(stats));
    }

    #[test]
    fn times_to_live() {
        let ttl = |word| {
            let mut ttl = Options::default().ttl;
            ttl.read(word).map(|()| (ttl.default, ttl.min, ttl.max))
        };
        let good = [
            ("5", (5, 0, 0)),
            ("1h:5m:2d", (3600, 300, 172_800)),
            (":5m", (2100, 300, 0)),
            ("::1H", (2100, 0, 3600)),
            ("10:", (10, 0, 0)),
            ("10::20", (10, 0, 20)),
            ("1m:0:0", (60, 0, 0)),
        ];
        for (word, want) in good {
            assert_eq!(ttl(word).unwrap(), want, "{word}");
        }
        let bad = [
            ("0", "invalid ttl (-t) value `0'"),
            ("", "invalid ttl (-t) value `'"),
            ("5x", "invalid ttl (-t) value `5x'"),
            ("5:x", "invalid minttl (-t) value `5:x'"),
            ("5:5:x", "invalid maxttl (-t) value `5:5:x'"),
            ("5:5:5:5", "invalid value for -t (ttl) option: `5:5:5:5'"),
            ("5:10", "inconsistent def:min:max ttl: 5:10:0"),
            ("5::4", "inconsistent def:min:max ttl: 5:0:4"),
            ("9999999999", "invalid ttl (-t) value `9999999999'"),
            ("10000w", "invalid ttl (-t) value `10000w'"),
        ];
        for (word, want) in bad {
            assert_eq!(ttl(word).unwrap_err().to_string(), want, "{word}");
        }
    }

    #[test]
    fn logs_may_be_switched_off_again() {
        assert_eq!(read("-l x -l + z").unwrap().query_log, None);
        assert_eq!(read("-s x -s + z").unwrap().statistics, None);
        assert!(read("-l - z").unwrap().query_log_on_stdout());
        assert!(!read("-l + z").unwrap().query_log_on_stdout());
    }

    #[test]
    fn what_cannot_be_had_is_refused() {
        for line in [
            "-x a.so z",
            "-X arg z",
            "-U ::1/9 z",
            "-M z",
            "-R z",
            "-O z",
            "-B z",
            "-T z",
            "-b /s z",
        ] {
            let error = read(line).unwrap_err().to_string();
            assert!(error.contains("not supported"), "{line}: {error}");
        }
        assert_eq!(read("-W 3 z").unwrap().workers, NonZeroUsize::new(3));
        assert!(read("-W 0 z").is_err());
    }

    #[test]
    fn no_watching_with_an_interval_of_zero() {
        let server = read("-c 0 -s x z").unwrap().server();
        assert_eq!((server.check_interval, server.stats_file.unwrap().interval), (None, None));
        assert_eq!(read("z").unwrap().server().control, ControlPath::Off);
        assert_eq!(read("-vv z").unwrap().server().version, None);
        let version = read("z").unwrap().server().version.unwrap();
        assert!(version.starts_with("rbldnsd 1.0 (dnsbld "), "{version}");
    }
}
