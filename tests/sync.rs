//! `dnsbld sync` with real rsync daemons, ssh and web servers: what it fetches and how, what it publishes, and
//! what it leaves when it is disturbed.

mod disturbed;
mod rules;
mod ssh;
mod status;
mod terminal;
mod web;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{RsyncDaemon, sync, temp_dir};

const OK: i32 = 0;
const FAILED: i32 = 1;
const LOCKED: i32 = 2;
const MISTAKE: i32 = 78;

/// A configuration with feeds, in a folder of its own with the mirror beside it.
struct Feeds(TempDir);

impl Feeds {
    /// A mirror with these tables `[[feed]]`.
    fn new(feeds: &str) -> Self {
        let this = Self(temp_dir());
        this.configure(feeds);
        this
    }

    /// A mirror with one feed, `one`, from a source.
    fn of(source: &str, settings: &str) -> Self {
        Self::new(&feed("one", source, settings))
    }

    fn configure(&self, feeds: &str) {
        let text = format!("mirror.dir = 'mirror'\n{feeds}");
        fs::write(self.config(), text).expect("the folder is ours");
    }

    fn config(&self) -> PathBuf {
        self.0.path().join("dnsbld.toml")
    }

    /// A file or folder of the mirror.
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join("mirror").join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| format!("{name}: {error}"))
    }

    fn command(&self) -> Command {
        sync(&self.config())
    }

    /// Fetches what is due.
    fn sync(&self) -> Run {
        run(&mut self.command())
    }

    /// Fetches all now.
    fn force(&self) -> Run {
        run(self.command().arg("--force"))
    }

    /// The record of a feed.
    fn record(&self, feed: &str) -> Value {
        let path = self.path(&format!(".sync/{feed}/record.json"));
        serde_json::from_slice(&fs::read(path).expect("there is a record")).expect("it is JSON")
    }
}

/// The table of a feed with more lines of settings.
fn feed(name: &str, source: &str, settings: &str) -> String {
    format!("[[feed]]\nname = '{name}'\nsource = '{source}'\n{settings}\n")
}

/// A daemon with two files.
fn daemon() -> RsyncDaemon {
    let daemon = RsyncDaemon::start("");
    publish(&daemon, "a", "127.0.0.2\n");
    publish(&daemon, "b", "127.0.0.3\n");
    daemon
}

/// Puts a file where the daemon serves it, each a minute later than the one before: rsync takes files of one
/// size and second for the same.
fn publish(daemon: &RsyncDaemon, file: &str, text: &str) {
    static MINUTES: AtomicU64 = AtomicU64::new(0);
    let minutes = MINUTES.fetch_add(1, Ordering::Relaxed);
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + 60 * minutes);
    let path = daemon.feeds().join(file);
    fs::write(&path, text).expect("our folder");
    File::options().write(true).open(path).expect("it is there").set_modified(time).expect("ours");
}

/// What a run came to.
#[derive(Debug)]
struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    /// Fails unless the run ended so and said all of this.
    fn expect(&self, code: i32, words: &[&str]) {
        let said = format!("{}{}", self.out, self.err);
        assert!(self.code == code && words.iter().all(|word| said.contains(word)), "{self:?}");
    }
}

fn run(command: &mut Command) -> Run {
    let output = command.output().expect("it starts");
    Run {
        code: output.status.code().expect("no signal ended it"),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
