//! `dnsbld sync`

use super::client::{Answer, Client};
use super::{EX_CONFIG, config_source, current_folder, print};
use crate::config::{self, Mirror};
use crate::daemon::request::ControlRequest;
use crate::mirror::{self, Ask, Console, Orders, SyncEnd};
use crate::util::time::unix_time;
use anyhow::Context as _;
use clap::Args;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// The exit code if another supervisor has the folder.
const LOCKED: u8 = 2;

/// Fetch the feeds of the configuration that are due, by rsync and curl, and publish them.
///
/// Each feed is fetched once: put it into a cron job, or run it with --watch as a service. docs/feeds.md has both.
/// The exit code is 0 if all is well, 1 if some feed was not fetched, 2 if another `dnsbld sync` holds the folder,
/// 78 if the configuration cannot be used.
#[derive(Args, Debug)]
pub struct Sync {
    /// The configuration file [default: as for `dnsbld serve`].
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Fetch now, whether it is due or not.
    #[arg(long)]
    force: bool,
    /// Go on as a service: fetch each feed when it is due. SIGTERM ends it, SIGHUP has it read its settings again.
    #[arg(long, conflicts_with = "force")]
    watch: bool,
    /// Print the commands and what is due when, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print the feeds that are known by name, for `preset`, with where the facts come from.
    #[arg(long, exclusive = true)]
    list: bool,
    /// Fetch SOURCE now into FOLDER below the folder of the mirror, whatever the configuration says. SOURCE is
    /// host::module/path, rsync://host/module/path, user@host:path (ssh) or https://host/path.
    #[arg(long, conflicts_with_all = ["config", "watch", "force"], requires = "feeds")]
    once: bool,
    #[command(flatten)]
    once_feed: OnceFeed,
    /// The names of the feeds [default: all]; with --once, SOURCE and FOLDER.
    #[arg(value_name = "FEED")]
    feeds: Vec<String>,
}

/// What `--once` fetches; the settings of a `[[feed]]` of these names.
#[derive(Args, Debug)]
#[command(next_help_heading = "With --once")]
struct OnceFeed {
    /// The folder of the mirror [default: /var/lib/dnsbld/mirror].
    #[arg(long, value_name = "DIR", requires = "once")]
    dir: Option<PathBuf>,
    /// The least bytes of each file, such as 100K.
    #[arg(long, value_name = "SIZE", requires = "once")]
    min_size: Option<String>,
    /// Pack the data on its way.
    #[arg(long, requires = "once")]
    compress: bool,
    /// The private key for ssh.
    #[arg(long, value_name = "FILE", requires = "once")]
    key: Option<PathBuf>,
    /// The file with the password for an rsync daemon.
    #[arg(long, value_name = "FILE", requires = "once")]
    password_file: Option<PathBuf>,
}

impl OnceFeed {
    /// The settings that say the same.
    fn settings(&self, source: &str, folder: &str) -> anyhow::Result<Mirror> {
        let name: String = folder
            .trim_matches('/')
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' })
            .collect();
        let mut feed = toml::Table::new();
        let mut set = |key: &str, value: &str| feed.insert(key.to_owned(), value.into());
        set("name", &name);
        set("source", source);
        set("folder", folder);
        if let Some(size) = &self.min_size {
            set("min-size", size);
        }
        for (key, path) in [("key", &self.key), ("password-file", &self.password_file)] {
            if let Some(path) = path {
                set(key, path.to_str().with_context(|| format!("--{key} is not UTF-8"))?);
            }
        }
        feed.insert("compress".to_owned(), self.compress.into());
        let mut table = toml::Table::new();
        if let Some(dir) = &self.dir {
            let dir = dir.to_str().context("--dir is not UTF-8")?;
            table.insert(
                "mirror".to_owned(),
                toml::Table::from_iter([("dir".to_owned(), dir.into())]).into(),
            );
        }
        table.insert("feed".to_owned(), vec![toml::Value::Table(feed)].into());
        let here = current_folder()?;
        Ok(config::read(&table.to_string(), &here)?.settings.mirror)
    }
}

impl Sync {
    /// Fetches what is due.
    ///
    /// # Errors
    ///
    /// If the configuration cannot be used, or the folder of the mirror.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        if self.list {
            print(&mirror::presets())?;
            return Ok(ExitCode::SUCCESS);
        }
        let source = config_source(self.config.as_deref())?;
        let (mirror, only) = match &self.feeds[..] {
            [from, to] if self.once => (self.once_feed.settings(from, to)?, Vec::new()),
            _ if self.once => {
                anyhow::bail!("--once needs two arguments, SOURCE and FOLDER")
            }
            names => (source.load()?.settings.mirror, names.to_vec()),
        };
        let only_alerts = self.watch && !mirror.alert.is_empty() && only.is_empty();
        if let Err(problem) = check(&mirror, &only, only_alerts) {
            // If standard error is closed, nobody can be told.
            let _ = writeln!(std::io::stderr(), "dnsbld: {source}: {problem}");
            return Ok(ExitCode::from(EX_CONFIG));
        }
        let orders = Orders { only, force: self.force || self.once, watch: self.watch };
        if self.dry_run {
            let lines = mirror::dry_run(&mirror, &orders, unix_time());
            print(&(lines.join("\n") + "\n"))?;
            return Ok(ExitCode::SUCCESS);
        }
        let console = Console::new();
        let dir = mirror.dir.display().to_string();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("sync")
            .enable_all()
            .build()
            .context("cannot start the threads of the transfers")?;
        let reread = || match source.load_again() {
            Ok(loaded) => Some(loaded.settings.mirror),
            Err(errors) => {
                let _ = writeln!(
                    std::io::stderr(),
                    "{errors}\ndnsbld: settings not read again: those read before stay in use"
                );
                None
            }
        };
        let client = Client::of_config(self.config.clone());
        let ask: Ask = Arc::new(move || match client.ask(&ControlRequest::Status {}) {
            Ok(Ok(Answer::Done(status))) => Some(status),
            _ => None,
        });
        let end = runtime
            .block_on(mirror::run(mirror, &orders, &console, reread, ask))
            .with_context(|| format!("cannot fetch into {dir}"))?;
        Ok(match end {
            SyncEnd::Well => ExitCode::SUCCESS,
            SyncEnd::Failed => ExitCode::FAILURE,
            SyncEnd::Locked => {
                let _ = writeln!(
                    std::io::stderr(),
                    "dnsbld: another `dnsbld sync` fetches into {dir}, or a transfer that one started still \
                     runs; wait for its end"
                );
                ExitCode::from(LOCKED)
            }
        })
    }
}

/// Checks that there is something to fetch, unless it is run for the alerts alone.
fn check(mirror: &Mirror, only: &[String], only_alerts: bool) -> Result<(), String> {
    if mirror.feeds.is_empty() && !only_alerts {
        return Err("there is no feed to fetch; add a [[feed]]".to_owned());
    }
    let is_known = |name: &&String| mirror.feeds.iter().any(|feed| feed.name == **name);
    match only.iter().find(|name| !is_known(name)) {
        Some(name) => {
            let names: Vec<&str> = mirror.feeds.iter().map(|feed| feed.name.as_str()).collect();
            Err(format!("there is no feed {name:?}; there are: {}", names.join(", ")))
        }
        None => Ok(()),
    }
}
