//! The comments of the configuration: what each option became, what differs, and what to do next.

use super::Paths;
use super::own;
use super::text::Text;
use crate::config::{LogTarget, Settings};
use crate::rbldnsd::getopt::{GetOpt, Item};
use crate::rbldnsd::options::{LETTERS, NO_ADDRESS, Objection, Options};
use crate::source::FileState;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// rbldnsd's interval of looking at files, which nobody chose.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_secs(60);

/// The user that rbldnsd becomes when started by root without `-u`.
const USER: &str = "rbldns";

/// A command line as it was command_line.
pub(super) struct CommandLine<'a> {
    words: &'a [OsString],
    options: &'a Options,
    objections: &'a [Objection],
    paths: &'a Paths,
    /// The user that rbldnsd is started as.
    user: Option<&'a str>,
    /// The options in their order, each with its arguments.
    flags: Vec<(u8, Vec<String>)>,
}

impl<'a> CommandLine<'a> {
    pub(super) fn new(
        words: &'a [OsString],
        options: &'a Options,
        objections: &'a [Objection],
        paths: &'a Paths,
        user: Option<&'a str>,
    ) -> Self {
        let mut flags: Vec<(u8, Vec<String>)> = Vec::new();
        for item in GetOpt::new(LETTERS, words, false) {
            let (letter, argument) = match item {
                Item::Flag(letter) | Item::Unknown(letter) | Item::Bare(letter) => (letter, None),
                Item::Argument(letter, word) => (letter, Some(word.to_string_lossy().into_owned())),
            };
            match flags.iter_mut().find(|(known, _)| *known == letter) {
                Some((_, arguments)) => arguments.extend(argument),
                None => flags.push((letter, argument.into_iter().collect())),
            }
        }
        Self { words, options, objections, paths, user, flags }
    }

    /// The command line, on one line.
    pub(super) fn line(&self) -> String {
        let quoted = |word: &OsString| {
            let word = word.to_string_lossy();
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.,:/+@%=".contains(c);
            match !word.is_empty() && word.chars().all(is_plain) {
                true => word.into_owned(),
                false => format!("'{}'", word.replace('\'', "'\\''")),
            }
        };
        self.words.iter().map(quoted).collect::<Vec<_>>().join(" ")
    }

    /// What somebody should look at.
    pub(super) fn warnings(&self, settings: &Settings) -> Vec<String> {
        let mut warnings: Vec<String> = Vec::new();
        let objections = self.objections.iter().filter(|objection| objection.reason != NO_ADDRESS);
        for Objection { letter, reason } in objections {
            warnings.push(format!("-{} is left out: {reason}", char::from(*letter)));
        }
        if self.options.dump || self.options.dry_run {
            warnings.push("-d and -D print or load the zones and end; this is for a server".into());
        }
        if self
            .options
            .user
            .as_deref()
            .is_some_and(|user| is_superuser(user.split_once(':').map_or(user, |(user, _)| user)))
        {
            warnings.push("-u root is left out: rbldnsd refuses it, too".into());
        }
        if written_folders(settings).contains(Path::new("/")) {
            warnings.push("-l or -s writes into /, which the unit forbids: choose a folder".into());
        }
        let files = || settings.datasets.iter().flat_map(|set| &set.files);
        for file in files().filter(|file| matches!(FileState::of(file), FileState::NotAFile(_))) {
            warnings.push(format!("{}: dnsbld reads regular files only", file.display()));
        }
        for file in settings.datasets.iter().flat_map(own::missing) {
            let file = file.display();
            warnings.push(format!(
                "{file}: there is no such file; what it should list is not known until it is there"
            ));
        }
        let is_hidden = |file: &&Path| ["/home", "/root"].iter().any(|dir| file.starts_with(dir));
        if let Some(file) = files().map(AsRef::as_ref).find(is_hidden) {
            let file = file.display();
            warnings.push(format!("{file}: the unit's ProtectHome=yes hides home folders"));
        }
        warnings
    }

    /// What an option became.
    fn replacement(&self, letter: u8) -> String {
        let root = self.paths.root.as_deref().unwrap_or(Path::new("/")).display();
        match letter {
            b'b' => "listen, for UDP and TCP; of an address family that is not there, it is an error",
            b'4' | b'6' => "the addresses in listen are those of this family",
            b't' => "default-ttl, min-ttl and max-ttl",
            b'c' if self.options.check == 0 => {
                "check-interval = 0: only SIGHUP reads files again; data with a time to expire \
                 ($TIMESTAMP) expires by itself all the same"
            }
            b'c' => {
                "check-interval (stats-interval too), which matters only where the system does not \
                 tell of changes: changed files are read at once"
            }
            b'e' => "accept-host-bits",
            b'l' => "query-log and query-log-flush",
            b's' => "stats-file, stats-increments and, from -c, stats-interval",
            b'a' | b'A' => "minimal-answers",
            b'v' if self.options.hide_version > 1 => "version = \"hide\"",
            b'v' => "nothing to do: version.bind CH TXT answers \"dnsbld\", without a version",
            b'W' => "workers",
            b'w' => "paths are written in full",
            b'r' => {
                return format!(
                    "paths are written in full, below {root}. The unit locks the server in by other \
                     means (ProtectSystem and the like), without a folder of its own"
                );
            }
            b'u' => "User= and Group= of the unit, see below",
            b'F' => "SyslogFacility= of the unit, see below: the log goes to the journal",
            b'p' => "dropped: systemd knows its processes",
            b'n' => "dropped: `dnsbld serve` stays in the foreground",
            b'q' => "dropped: systemd is told when all zones are loaded",
            b'f' => "dropped: queries are answered while data is loaded, always and without a fork",
            b'C' => "dropped: compressed files are unpacked",
            b'd' => "dropped: it prints the zones and ends",
            b'D' => "dropped: `dnsbld check-config` is for the configuration",
            _ => "dropped: there is no equivalent",
        }
        .to_owned()
    }

    /// What the systemd unit has to say beside what it says already.
    fn unit(&self, settings: &Settings) -> Vec<String> {
        let user = self.options.user.as_deref().or(self.user).unwrap_or(USER);
        let (user, group) = user.split_once(':').unwrap_or((user, ""));
        let mut lines = Vec::new();
        if !is_superuser(user) {
            lines.extend([format!("User={user}"), format!("Group={group}")]);
        }
        if let Some((_, names)) = self.flags.iter().find(|(letter, _)| *letter == b'F')
            && let Some(name) = names.last()
        {
            lines.push(format!("SyslogFacility={name}"));
        }
        let folders =
            written_folders(settings).into_iter().filter(|folder| *folder != Path::new("/"));
        lines.extend(folders.map(|folder| format!("ReadWritePaths=\"{}\"", folder.display())));
        lines
    }
}

/// The folders of the files that the server writes.
fn written_folders(settings: &Settings) -> BTreeSet<&Path> {
    let mut folders = BTreeSet::new();
    if let Some(LogTarget::File(file)) = settings.server.query_log.as_ref().map(|l| &l.target) {
        folders.extend(file.parent());
    }
    folders.extend(settings.server.stats_file.as_ref().and_then(|stats| stats.path.parent()));
    folders
}

fn is_superuser(user: &str) -> bool {
    user == "root" || user.parse() == Ok(0_u32)
}

/// The comments in front of the settings.
pub(super) fn head(
    out: &mut Text,
    settings: &Settings,
    command_line: &CommandLine<'_>,
    warnings: &[String],
) {
    if !warnings.is_empty() {
        out.section("PLEASE LOOK AT:");
        for warning in warnings {
            out.wrapped("  - ", warning);
        }
    }
    if !command_line.flags.is_empty() {
        out.section("What each option became:");
        for (letter, _) in &command_line.flags {
            out.wrapped(
                &format!("  -{}  ", char::from(*letter)),
                &command_line.replacement(*letter),
            );
        }
    }
    out.section("What differs from rbldnsd, to protect mail:");
    for text in [
        "A file that is gone, empty, damaged or has no valid entry does not replace the list that \
         is served, nor does one that lists far more or less than before. A list that you write yourself is \
         taken as it is: own = true says so. docs/guards.md has all rules.",
        "Entries with a value outside 127.0.0.0/8 are left out, with a warning in the log; \
         allow-any-a = true at the dataset lets them in.",
        "The test points of RFC 5782 (127.0.0.2 listed, 127.0.0.1 not) are answered even if the \
         files do not have them; test-points = false at the zone leaves them to the files.",
        "When one dataset of a zone cannot be loaded at all, what the others list is served, and the \
         rest is SERVFAIL.",
        "Answers that do not fit a UDP datagram are truncated, so that the client asks again over \
         TCP: open port 53/TCP in the firewall, too.",
    ] {
        out.wrapped("  - ", text);
    }
    out.section(
        "What is better: no pause while data is loaded, TCP, negative answers that caches keep,",
    );
    out.comment("names above listed ones that are not NXDOMAIN; docs/compat.md has them all.");
    out.section("Next:");
    out.comment("  1. dnsbld check-config THIS-FILE");
    out.comment(
        "  2. Put it to /etc/dnsbld/dnsbld.toml, and deploy/systemd/dnsbld.service in place.",
    );
    out.comment("  3. systemctl edit dnsbld, so that it runs as rbldnsd did:");
    out.comment("");
    out.comment("         [Service]");
    for line in command_line.unit(settings) {
        out.comment(&format!("         {line}"));
    }
    out.comment("");
    out.comment(
        "  4. Stop rbldnsd, start dnsbld, and ask it. docs/migration.md has the details, and the",
    );
    out.comment("     way back.");
}

/// The comment in front of the datasets.
pub(super) fn before_datasets(out: &mut Text) {
    out.comment(
        "A dataset is loaded once, however many zones it serves. Its name is in the log; choose",
    );
    out.comment("another if you like. Lists that look like your own, not like feeds, are marked.");
}

/// The comment in front of the zones.
pub(super) fn before_zones(out: &mut Text) {
    out.comment(
        "What a zone must never list, such as your own servers, can go into a dataset that is",
    );
    out.comment("named here with allow = [\"...\"].");
}
