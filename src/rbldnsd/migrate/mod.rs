//! From a command line of rbldnsd to the configuration of `dnsbld serve` (`dnsbld migrate`).
//!
//! A file that starts rbldnsd (`input`) is one of four forms: assignments for an init script
//! (`shell_file`), a unit of systemd (`unit`), a Dockerfile (`dockerfile`), or a compose file
//! (`compose`). Each gives command lines.
//!
//! The personality's own parser reads the options and the zones of a command line. What they mean is
//! written as `dnsbld.toml` (`write`), with comments on what each option became (`notes`). Answers
//! stay the same, but for what protects a mail server: there, the defaults of dnsbld are taken.

mod compose;
mod container;
mod dockerfile;
mod input;
mod instance;
mod names;
mod notes;
mod own;
mod program;
mod shell;
mod shell_file;
mod text;
mod unit;
mod write;
mod yaml;

pub use input::LARGEST_FILE;
pub use instance::{CommandLines, Form, Instance, NAMELESS};

use super::bind;
use super::options::{Asked, Objection, Options};
use super::specs;
use crate::config::{self, LogTarget, Settings};
use anyhow::{Context, anyhow, bail};
use notes::CommandLine;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Component, Path, PathBuf};

/// A configuration that does what a command line of rbldnsd does.
#[derive(Debug)]
pub struct Migration {
    /// The text of `dnsbld.toml`.
    pub text: String,
    /// What somebody should look at, one line each. They are in the text, too.
    pub warnings: Vec<String>,
    settings: Settings,
}

/// Where a command line comes from.
#[derive(Clone, Copy, Debug)]
pub struct CommandSource<'a> {
    /// The command or the file, for the comments.
    pub name: &'a str,
    /// The folder in which rbldnsd is started: an absolute path.
    pub folder: &'a Path,
    /// The user that it is started as, if that is known.
    pub user: Option<&'a str>,
}

impl Migration {
    /// What `words`, a command line without the program's name, means.
    ///
    /// # Errors
    ///
    /// What is wrong with the command line, in rbldnsd's words, or what a configuration cannot say.
    pub fn of(words: &[OsString], origin: CommandSource<'_>) -> anyhow::Result<Self> {
        let unexpanded = input::unexpanded(words);
        if unexpanded.is_empty() {
            return Self::of_expanded(words, origin, Vec::new());
        }
        let hint = format!(
            "only a shell can tell what {} stands for: write its value in its place",
            unexpanded.join(" or ")
        );
        let warnings = vec![hint.clone()];
        Self::of_expanded(words, origin, warnings).map_err(|error| anyhow!("{error:#}; {hint}"))
    }

    fn of_expanded(
        words: &[OsString],
        origin: CommandSource<'_>,
        mut warnings: Vec<String>,
    ) -> anyhow::Result<Self> {
        let mut objections: Vec<Objection> = Vec::new();
        let mut complaints = String::new();
        let asked = Options::read_but_for(
            words,
            false,
            |complaint| complaints.push_str(complaint),
            |objection| {
                objections.push(objection);
                Ok(())
            },
        );
        let options = match asked {
            Ok(Asked::Run(options)) => *options,
            Ok(Asked::Help) => bail!("the command line asks for the list of options (-h)"),
            Err(error) if complaints.is_empty() => return Err(error),
            Err(_) => bail!("{complaints}"),
        };
        let paths = Paths::new(&options, origin.folder);
        let mut settings = specs::settings(&options.zones, &paths.inside, options.server())?;
        settings.server.listen = listen(&options, &mut warnings)?;
        paths.translate(&mut settings);
        tidy(&mut settings, &mut warnings);
        if options.root.is_none() && options.folder.is_none() {
            let is_relative = |word: &OsString| {
                let files = word.to_string_lossy();
                files.splitn(3, ':').nth(2).is_some_and(|files| !files.starts_with('/'))
            };
            if options.zones.iter().any(is_relative) {
                let folder = origin.folder.display();
                warnings.push(format!(
                    "there is no -r or -w, so files without a folder are taken from {folder}"
                ));
            }
        }
        let command_line = CommandLine::new(words, &options, &objections, &paths, origin.user);
        warnings.extend(command_line.warnings(&settings));
        let text = write::write(&settings, &command_line, origin.name, &warnings)?;
        let read = config::read(&text, Path::new("/"))
            .map_err(anyhow::Error::new)
            .context("dnsbld.toml cannot say this")?;
        debug_assert_eq!(read.settings.server.listen, settings.server.listen);
        Ok(Self { text, warnings, settings })
    }

    /// True if one server could do what this and the other one do: the same options, and no zone
    /// in common.
    pub fn can_join(&self, other: &Self) -> bool {
        let options = |settings: &Settings| {
            let mut server = settings.server.clone();
            server.listen.clear();
            server
        };
        let is_shared = |name| other.settings.zone(name).is_some();
        options(&self.settings) == options(&other.settings)
            && !self.settings.zones.iter().any(|zone| is_shared(&zone.name))
    }
}

/// The addresses that rbldnsd would listen on.
fn listen(options: &Options, warnings: &mut Vec<String>) -> anyhow::Result<Vec<SocketAddr>> {
    let mut listen: Vec<SocketAddr> = Vec::new();
    for text in &options.bind {
        let addresses = bind::resolve(text, options.family)?;
        let host = text.split('/').next().unwrap_or_default();
        // 127.2 and its like are no names.
        if host.parse::<IpAddr>().is_err() && host.contains(char::is_alphabetic) {
            let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            warnings.push(format!("-b {text}: {host} was looked up now: {}", list.join(", ")));
        }
        for address in addresses {
            if !listen.contains(&address) {
                listen.push(address);
            }
        }
    }
    // rbldnsd's :: takes IPv4 queries too.
    for any in listen.clone().iter().filter(|address| address.ip() == Ipv6Addr::UNSPECIFIED) {
        if !listen.iter().any(|other| other.is_ipv4() && other.port() == any.port()) {
            listen.push(SocketAddr::from((Ipv4Addr::UNSPECIFIED, any.port())));
        }
    }
    if listen.is_empty() {
        let [ip4, ip6] = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
        listen = vec![SocketAddr::new(ip4, bind::DNS_PORT), SocketAddr::new(ip6, bind::DNS_PORT)];
        warnings.push(
            "there is no -b: name in listen the addresses of rbldnsd.socket, if it is used"
                .to_owned(),
        );
    }
    Ok(listen)
}

/// Where rbldnsd's paths are, by its root folder (`-r`) and working folder (`-w`).
#[derive(Debug)]
struct Paths {
    root: Option<PathBuf>,
    /// The working folder as rbldnsd sees it.
    inside: PathBuf,
}

impl Paths {
    fn new(options: &Options, folder: &Path) -> Self {
        let root = options.root.as_ref().map(|root| normal(&folder.join(root)));
        let from = if root.is_some() { Path::new("/") } else { folder };
        let inside = options.folder.as_ref().map_or(from.to_owned(), |dir| from.join(dir));
        Self { root, inside: normal(&inside) }
    }

    /// A path of rbldnsd's as everybody else sees it.
    fn outside(&self, path: &Path) -> PathBuf {
        let path = normal(&self.inside.join(path));
        match &self.root {
            Some(root) => root.join(path.strip_prefix("/").unwrap_or(&path)),
            None => path,
        }
    }

    fn translate(&self, settings: &mut Settings) {
        for file in settings.datasets.iter_mut().flat_map(|set| &mut set.files) {
            *file = self.outside(file);
        }
        if let Some(LogTarget::File(file)) =
            settings.server.query_log.as_mut().map(|log| &mut log.target)
        {
            *file = self.outside(file);
        }
        if let Some(stats) = &mut settings.server.stats_file {
            stats.path = self.outside(&stats.path);
        }
    }
}

/// An absolute path without `.` and `..`, which do not lead out of the root.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::ParentDir => _ = out.pop(),
            Component::Normal(name) => out.push(name),
            _ => {}
        }
    }
    out
}

/// Makes what dnsbld refuses into what it takes.
fn tidy(settings: &mut Settings, warnings: &mut Vec<String>) {
    for set in &mut settings.datasets {
        let mut files: Vec<PathBuf> = Vec::new();
        for file in std::mem::take(&mut set.files) {
            match files.contains(&file) {
                true => warnings.push(format!("{} is named twice in {}", file.display(), set.name)),
                false => files.push(file),
            }
        }
        set.files = files;
    }
    for (name, set) in names::of(&settings.datasets).into_iter().zip(&mut settings.datasets) {
        let old = std::mem::replace(&mut set.name, name);
        let lists = settings.zones.iter_mut().flat_map(|zone| [&mut zone.datasets, &mut zone.acl]);
        for label in lists.chain([&mut settings.server.acl]).flatten() {
            // A name has no colon, and what it replaces does.
            if *label == old {
                label.clone_from(&set.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migrate(line: &str) -> anyhow::Result<Migration> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Migration::of(
            &words,
            CommandSource { name: "a test", folder: Path::new("/home/me"), user: None },
        )
    }

    fn settings(line: &str) -> Settings {
        let text = migrate(line).unwrap_or_else(|error| panic!("{line}: {error:#}")).text;
        config::read(&text, Path::new("/")).unwrap().settings
    }

    #[test]
    fn files_are_where_rbldnsd_finds_them() {
        let cases = [
            ("x", "/home/me/x"),
            ("/x", "/x"),
            ("-w /d x", "/d/x"),
            ("-w d ../x", "/home/me/x"),
            ("-r /r x", "/r/x"),
            ("-r /r /x", "/r/x"),
            ("-r r -w d x", "/home/me/r/d/x"),
            ("-r /r -w /d x", "/r/d/x"),
            ("-r /r -w d ../../../x", "/r/x"),
            ("-r /r -w /d /x", "/r/x"),
        ];
        for (line, want) in cases {
            let (options, file) = line.rsplit_once(' ').unwrap_or(("", line));
            let line = format!("-b 127.1 {options} -l {file} -s +{file} z.test:ip4set:{file}");
            let Settings { server, datasets, .. } = settings(&line);
            assert_eq!(datasets[0].files, [PathBuf::from(want)], "{line}");
            assert_eq!(server.query_log.unwrap().target, LogTarget::File(want.into()), "{line}");
            assert_eq!(server.stats_file.unwrap().path, PathBuf::from(want), "{line}");
        }
    }

    #[test]
    fn addresses_are_those_of_b() {
        let cases = [
            ("-b 127.2", "127.0.0.2:53"),
            ("-b 127.0.0.1/530 -b ::1/531", "127.0.0.1:530 [::1]:531"),
            ("-b ::/531", "[::]:531 0.0.0.0:531"),
            ("-b ::/531 -b 127.0.0.1/531", "[::]:531 127.0.0.1:531"),
            ("-4 -b localhost/domain -b 127.1", "127.0.0.1:53"),
            ("-4 -b */531", "0.0.0.0:531"),
            ("-6 -b *", "[::]:53 0.0.0.0:53"),
            ("-b */531", "0.0.0.0:531 [::]:531"),
            ("", "127.0.0.1:53 [::1]:53"),
        ];
        for (line, want) in cases {
            let listen = settings(&format!("{line} z.test:ip4set:/x")).server.listen;
            let listen: Vec<String> = listen.iter().map(ToString::to_string).collect();
            assert_eq!(listen.join(" "), want, "{line}");
        }
        assert!(migrate("-4 -b ::1 z.test:ip4set:/x").is_err());
        assert!(migrate("-b nosuch.invalid z.test:ip4set:/x").is_err());
    }

    /// Options mean what the personality makes of them. The version, gzip, the control socket, the limit of
    /// memory and the keys and clients asked most are those of a native server.
    #[test]
    fn the_server_is_that_of_the_personality() {
        let lines = [
            "",
            "-t 2h",
            "-t 1h:5m:2d",
            "-t :1",
            "-c 0",
            "-c 10m -s /stats",
            "-c 0 -s +/stats",
            "-l /log",
            "-l +/log -e",
            "-l - -a",
            "-W 3 -A",
            "-vv",
            "-C -nqf -p /pid -u nobody -F mail",
            "-x a.so -X b -M -R -O -T -U ::1/9 -B",
        ];
        for line in lines {
            let line = format!("-b 127.0.0.1/530 {line} z.test:ip4set:/x");
            let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            let asked = Options::read_but_for(&words, false, |_| {}, |_| Ok(())).unwrap();
            let Asked::Run(options) = asked else { panic!("{line}") };
            let mut want = options.server();
            want.listen = vec![SocketAddr::from(([127, 0, 0, 1], 530))];
            want.version = want.version.map(|_| "dnsbld".to_owned());
            let native = config::Server::default();
            want.decompress = native.decompress;
            want.control = native.control;
            want.max_memory = native.max_memory;
            want.top = native.top;
            if let Some(log) = &mut want.query_log {
                log.mode = 0o640;
            }
            if let Some(stats) = &mut want.stats_file {
                stats.mode = 0o640;
            }
            if want.check_interval == Some(std::time::Duration::from_secs(60)) {
                want.check_interval = native.check_interval;
            }
            assert_eq!(settings(&line).server, want, "{line}");
        }
    }

    #[test]
    fn zones_stack_share_and_have_access_lists() {
        let settings = settings(
            "-b 127.1 -r /r sub.z.test:ip4set:d/list z.test:ip4set:d/list z.test:dnhash:e/list,d/x \
             z.test:ip4trie:d/list,d/list :acl:all z.test:acl:who .:aclkey:keys",
        );
        let zones: Vec<_> = settings
            .zones
            .iter()
            .map(|zone| {
                format!("{}: {} | {}", zone.name, zone.datasets.join(" "), zone.acl.join(" "))
            })
            .collect();
        let want = ["sub.z.test: list | ", "z.test: list list-x d-list | who"];
        assert_eq!(zones, want);
        assert_eq!(settings.server.acl, ["all", "keys"]);
        let is_safe = |set: &config::Dataset| {
            set.policy == config::Policy::NATIVE && !set.allow_any_a && !set.accept_empty
        };
        assert!(settings.datasets.iter().all(is_safe));
        assert!(settings.zones.iter().all(|zone| zone.test_points));
    }

    #[test]
    fn what_is_no_file_is_told() {
        let line = "-b 127.0.0.2 z.test:generic:/dev/zero z.test:generic:/dev/null";
        assert_eq!(migrate(line).unwrap().warnings, ["/dev/zero: dnsbld reads regular files only"]);
    }

    #[test]
    fn what_only_a_shell_can_tell_is_said() {
        let hint =
            "only a shell can tell what $(hostname) stands for: write its value in its place";
        let error = migrate("-b $(hostname) z.test:ip4set:/x").unwrap_err().to_string();
        assert!(error.starts_with("$(hostname)") && error.ends_with(hint), "{error}");
        let migration = migrate("-b 127.1 -w $D z.test:ip4set:x").unwrap();
        assert!(migration.warnings[0].contains("what $D stands for"), "{:?}", migration.warnings);
    }

    #[test]
    fn unix_sockets_are_left_out() {
        let line = "-b 127.1 -b /run/x.sock:mode=0660 z.test:ip4set:/x";
        let [warning] = &*migrate(line).unwrap().warnings else { panic!("{line}") };
        assert!(warning.starts_with("-b is left out: unix sockets"), "{warning}");
        assert!(migrate("-b ./sock z.test:ip4set:/x").unwrap().warnings.len() > 1);
    }

    #[test]
    fn the_user_is_that_of_u_or_of_the_file() {
        let user = |line: &str, user| {
            let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            let origin = CommandSource { name: "a test", folder: Path::new("/"), user };
            let text = Migration::of(&words, origin).unwrap().text;
            text.lines()
                .find_map(|line| line.split_once("     User=").map(|(_, user)| user.to_owned()))
        };
        let line = "-b 127.1 z.test:ip4set:/x";
        assert_eq!(user(line, None).as_deref(), Some("rbldns"));
        assert_eq!(user(line, Some("mail")).as_deref(), Some("mail"));
        assert_eq!(user(&format!("-u me {line}"), Some("mail")).as_deref(), Some("me"));
    }

    #[test]
    fn mistakes_are_told_in_rbldnsds_words() {
        let cases = [
            ("-b 127.1", "no zone(s) to service specified (-h for help)"),
            ("-b 127.1 -z a:ip4set:x", "invalid option -- 'z'"),
            ("-b 127.1 a:ip4sett:x", "unknown dataset type `ip4sett'"),
            ("-b 127.1 z.test:acl:x", "missing data for zone `z.test'"),
            ("-b 127.1 #", "invalid zone spec `#'"),
            ("-b 127.1 -t 0 a:ip4set:x", "invalid ttl (-t) value `0'"),
            ("-h", "the command line asks for the list of options (-h)"),
        ];
        for (line, want) in cases {
            assert_eq!(migrate(line).unwrap_err().to_string(), want, "{line}");
        }
    }

    #[test]
    fn servers_with_the_same_options_and_other_zones_can_join() {
        let of = |line: &str| migrate(line).unwrap();
        let first = of("-b 127.2 -r /r a.test:ip4set:x");
        assert!(first.can_join(&of("-b 127.3 -r /s b.test:ip4set:x")));
        assert!(!first.can_join(&of("-b 127.3 -r /r a.test:ip4set:y")));
        assert!(!first.can_join(&of("-b 127.3 -e b.test:ip4set:/x")));
    }
}
