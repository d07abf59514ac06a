//! One session of rsync: its command line, and what it says at its end.

use super::outcome::Transfer;
use super::places::Places;
use crate::config::{Feed, Transport};
use std::ffi::OsString;
use tokio::process::Command;

/// How long a connection may take to be made, in seconds.
const CONNECT: u32 = 30;

/// The variable with the password for a daemon.
const PASSWORD: &str = "RSYNC_PASSWORD";

/// The command that brings all files of a feed that are not published already into its folder of new files.
pub(super) fn command(feed: &Feed, places: &Places, shows_progress: bool) -> Command {
    let mut command = Command::new("rsync");
    command.env("LC_ALL", "C").args(arguments(feed, places, shows_progress));
    if std::env::var_os(PASSWORD).is_none() {
        // Else it asks the terminal, which stops it: it is not in front.
        command.env(PASSWORD, "");
    }
    command
}

fn arguments(feed: &Feed, places: &Places, shows_progress: bool) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    let mut add = |argument: String| arguments.push(argument.into());
    for argument in [
        // A link is fetched as the file it leads to; the time of a file is what the next session compares.
        "--recursive",
        "--copy-links",
        "--times",
        // Lists of one length that follow each other within a second are two.
        "--modify-window=-1",
        "--omit-dir-times",
        "--perms",
        "--chmod=D755,F644",
        // What an earlier session left of a source that is not there any more.
        "--delete",
        "--exclude=.*",
        // What is half there goes on at the next try.
        "--partial-dir=.partial",
        "--stats",
        "--no-human-readable",
        "--outbuf=L",
    ] {
        add(argument.to_owned());
    }
    add(format!("--info=skip1{}", if shows_progress { ",progress2" } else { "" }));
    add(format!("--timeout={}", feed.limits.timeout.as_secs().max(1)));
    add(format!("--max-size={}", feed.limits.max_size));
    match feed.source.transport {
        Transport::Ssh => {
            let key = feed.key.as_ref().map(|key| {
                // rsync parts the words of this option at blanks that are not in quotes.
                let key = key.display().to_string().replace('\'', "''");
                format!(" -oIdentitiesOnly=yes -i '{key}'")
            });
            let key = key.unwrap_or_default();
            add(format!("--rsh=ssh -oBatchMode=yes -oConnectTimeout={CONNECT}{key}"));
        }
        _ => {
            let connect = feed.limits.timeout.as_secs().clamp(1, CONNECT.into());
            add(format!("--contimeout={connect}"));
            add("--no-motd".to_owned());
        }
    }
    if feed.compress {
        add("--compress".to_owned());
    }
    if let Some(bytes) = feed.limits.bandwidth {
        add(format!("--bwlimit={}", bytes / 1024));
    }
    // What is published is the basis of the transfer. It is not linked to: that would touch it. Packed files of
    // a sibling stay where they arrive, and are the basis themselves.
    let is_packed = !feed.handed.is_empty();
    let target = if is_packed { &places.packed } else { &places.incoming };
    for (option, path) in [
        ("--password-file=", feed.password_file.as_ref()),
        ("--compare-dest=", (!is_packed).then_some(&places.published)),
    ] {
        if let Some(path) = path {
            let mut option = OsString::from(option);
            option.push(path);
            arguments.push(option);
        }
    }
    arguments.push("--".into());
    arguments.extend(feed.urls().into_iter().map(OsString::from));
    let mut target = target.clone().into_os_string();
    target.push("/");
    arguments.push(target);
    arguments
}

/// Reads what `--stats` says. What it does not say counts as 0.
pub(super) fn stats(said: &str) -> Transfer {
    let figure = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0, number)
    };
    Transfer {
        size: figure("Total file size: "),
        transferred: figure("Total bytes sent: ").saturating_add(figure("Total bytes received: ")),
        files: said
            .lines()
            .find_map(|line| line.strip_prefix("Number of files: "))
            .map(|line| line.split_once("reg: ").map_or(0, |(_, files)| number(files))),
    }
}

/// The files that were left out because they have more bytes than the settings allow.
pub(super) fn too_large(said: &str) -> Option<&str> {
    said.lines().find_map(|line| line.strip_suffix(" is over max-size"))
}

/// The number at the start of a text; rsync of some languages parts its digits.
fn number(text: &str) -> u64 {
    let digits = text.chars().take_while(|c| c.is_ascii_digit() || matches!(c, ',' | '.'));
    digits
        .filter_map(|c| c.to_digit(10))
        .fold(0, |number: u64, digit| number.saturating_mul(10).saturating_add(u64::from(digit)))
}

/// The share that is done in percent, if `said`, a piece of what rsync says, tells it.
pub(super) fn percent(said: &[u8]) -> Option<u64> {
    let end = said.iter().rposition(|&byte| byte == b'%')?;
    let digits = said[..end].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let digits = std::str::from_utf8(&said[end - digits..end]).ok()?;
    digits.parse().ok().filter(|&percent| percent <= 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Mirror;
    use proptest::prelude::*;
    use std::path::Path;

    const SAID: &str = "\
a is over max-size

Number of files: 1,235 (reg: 1,234, dir: 1)
Number of regular files transferred: 1
Total file size: 589,189 bytes
Total transferred file size: 588897 bytes
Literal data: 762 bytes
Total bytes sent: 4694
Total bytes received: 3.976

sent 4694 bytes  received 3976 bytes  17340.00 bytes/sec
total size is 589189  speedup is 67.96
";

    #[test]
    fn the_figures_are_found() {
        let want = Transfer { size: 589_189, transferred: 4694 + 3976, files: Some(1234) };
        assert_eq!(stats(SAID), want);
        assert_eq!(too_large(SAID), Some("a"));
        let nothing = Transfer { size: 0, transferred: 0, files: None };
        assert_eq!(stats("rsync: x\nTotal file size: many\n"), nothing);
        assert_eq!(stats("Number of files: 0\n").files, Some(0));
        assert_eq!(number("99999999999999999999999 bytes"), u64::MAX);
    }

    #[test]
    fn progress_is_found_in_pieces() {
        assert_eq!(percent(b"\r        588897  99%  561.62MB/s    0:00:00 (xfr#1"), Some(99));
        assert_eq!(percent(b"0%  \r  100%  x"), Some(100));
        for none in [&b""[..], b"%", b"x%", b"999%", b"12"] {
            assert_eq!(percent(none), None, "{none:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_figures(said: String, at in 0..SAID.len(), bytes: Vec<u8>) {
            let _ = (stats(&said), too_large(&said), percent(said.as_bytes()), percent(&bytes));
            let mut damaged = SAID.to_owned();
            damaged.replace_range(at..=at, &said);
            let _ = (stats(&damaged), percent(damaged.as_bytes()));
        }

        /// The figures are those that stand behind the names, whatever they are.
        #[test]
        fn figures_are_read_as_they_are_written(size: u64, sent in 0..u64::MAX / 2, got in 0..u64::MAX / 2) {
            let said = format!(
                "x\nTotal file size: {size} bytes\nTotal bytes sent: {sent}\nTotal bytes received: {got}\n"
            );
            prop_assert_eq!(stats(&said), Transfer { size, transferred: sent + got, files: None });
        }
    }

    #[test]
    fn the_command_keeps_the_rules() {
        let text = "[[feed]]\nname = 'x'\nsource = 'u@h:d/'\nfiles = ['a', 'b']\nkey = \"k '\"\n\
                    bandwidth-limit = '5K'\ncompress = true\n";
        let settings = crate::config::read(text, Path::new("/etc")).unwrap().settings;
        let mirror = Mirror { dir: "/m".into(), ..settings.mirror };
        let feed = &mirror.feeds[0];
        let places = Places::new(&mirror.dir, feed);
        let arguments = arguments(feed, &places, false);
        let words: Vec<_> = arguments.iter().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(words[words.len() - 4..], ["--", "u@h:d/a", "u@h:d/b", "/m/.sync/x/incoming/"]);
        for word in [
            "--times",
            "--bwlimit=5",
            "--compress",
            "--timeout=180",
            "--compare-dest=/m/x",
            "--rsh=ssh -oBatchMode=yes -oConnectTimeout=30 -oIdentitiesOnly=yes -i '/etc/k '''",
        ] {
            assert!(words.contains(&word), "{word} is not in {words:?}");
        }
        assert!(!words.iter().any(|word| word.contains("inplace")));
    }
}
