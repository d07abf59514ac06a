//! A mirror of two lists beside a server that serves them, both under queries.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::source::Source;
use crate::common::{Daemon, Process, Setup, Stream, Style, VersionedFeed, wait_until};

/// How long anything may take.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

/// The lists; a session brings them in this order.
pub(super) const LISTS: [&str; 2] = ["a", "b"];

/// Lines of each list: the first is so long that nobody has read all of it when the session is at its beginning.
const FILLER: [u32; 2] = [20_000, 2_000];

/// What a run of `dnsbld sync` came to.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: Option<i32>,
    pub(super) said: String,
}

/// The lists, and what is known of each of them.
pub(super) fn lists() -> [Arc<VersionedFeed>; 2] {
    let list = |at: usize| VersionedFeed::new(LISTS[at], Style::Replaced, FILLER[at]);
    [list(0), list(1)]
}

/// Has the source serve a version of both lists.
pub(super) fn offer(source: &Source, version: u32) {
    for (name, list) in LISTS.iter().zip(lists()) {
        source.write(name, &text(&list, version));
    }
}

/// A version of one of the lists; each is made once, as that takes longer than a session.
fn text(list: &VersionedFeed, version: u32) -> Arc<str> {
    static MADE: Mutex<BTreeMap<(String, u32), Arc<str>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().expect("nobody panics");
    let text =
        made.entry((list.zone().to_owned(), version)).or_insert_with(|| list.text(version).into());
    Arc::clone(text)
}

/// How long a source may be silent.
pub(super) const IMPATIENT: &str = "timeout = \"1s\"\n";

/// A folder in which lists are mirrored and served.
pub(super) fn configured(module: &str, more: &str) -> Setup {
    let setup = Setup::new();
    configure(&setup, module, more);
    setup
}

/// Has them fetched from there, with more settings of the feed.
pub(super) fn configure(setup: &Setup, module: &str, more: &str) {
    let tables = LISTS.map(|name| {
        format!(
            "[[dataset]]\nname = \"{name}\"\ntype = \"ip4set\"\nfiles = [\"mirror/lists/{name}\"]\n\
             [[zone]]\nname = \"{name}\"\ndatasets = [\"{name}\"]\n"
        )
    });
    let feed = format!(
        "[mirror]\ndir = \"mirror\"\n[[feed]]\nname = \"lists\"\nsource = \"{module}\"\n\
         files = [\"a\", \"b\"]\n{more}\n"
    );
    setup.configure("state-dir = \"state\"", &(feed + &tables.concat()));
}

/// `dnsbld sync` with these arguments.
pub(super) fn command(setup: &Setup, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.arg("sync").args(arguments).arg("--config").arg(setup.path("dnsbld.toml"));
    command.env_remove("RSYNC_PROXY").env_remove("DNSBLD_LOG");
    command
}

/// Runs it to its end.
pub(super) fn sync(setup: &Setup, arguments: &[&str]) -> Ran {
    let output = command(setup, arguments).output().expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    Ran { code: output.status.code(), said: String::from_utf8_lossy(&text).into_owned() }
}

/// Fetches whatever the time is, and expects that all is well.
pub(super) fn fetch(setup: &Setup) {
    let ran = sync(setup, &["--force"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

/// Starts it and does not wait.
pub(super) fn launch(setup: &Setup, arguments: &[&str]) -> Process {
    Process::start(&mut command(setup, arguments), &setup.path("sync.log"))
}

/// The version of each list that is published, whole; `None` if there is none.
pub(super) fn published(setup: &Setup, newest: u32) -> [Option<u32>; 2] {
    let mut lists = lists().into_iter();
    LISTS.map(|name| {
        let list = lists.next().expect("there are as many");
        let there = fs::read_to_string(setup.path(&format!("mirror/lists/{name}"))).ok()?;
        let start = there.lines().next().and_then(|line| line.strip_prefix(":2:start "));
        let version: Option<u32> = start.and_then(|version| version.parse().ok());
        let is_whole = version.is_some_and(|v| v <= newest && *self::text(&list, v) == *there);
        assert!(is_whole, "{name} is no version: {} bytes", there.len());
        version
    })
}

/// A server of both lists under queries.
pub(super) struct Served {
    pub(super) server: Daemon,
    lists: [Arc<VersionedFeed>; 2],
    stream: Stream,
}

impl Served {
    /// Starts it when the first version is published.
    pub(super) fn start(setup: Setup) -> Self {
        let server = setup.start();
        let lists = lists();
        let stream = Stream::start(server.addr(), &lists, 200);
        let served = Self { server, lists, stream };
        served.expect(1);
        served
    }

    /// From now on this version may be served.
    pub(super) fn allow(&self, version: u32) {
        self.lists.iter().for_each(|list| list.allow(version));
    }

    /// Waits until this version of both lists is served; all answers until then were right.
    pub(super) fn expect(&self, version: u32) {
        self.expect_each([version; 2]);
    }

    /// Waits until these versions are served.
    pub(super) fn expect_each(&self, versions: [u32; 2]) {
        for (list, version) in self.lists.iter().zip(versions) {
            let served = list.wait_for(version, LIMIT);
            let right = served.and_then(|_| list.wait_for_all_answers(LIMIT));
            assert!(right.is_ok(), "{right:?}: {}", self.server.log());
        }
    }

    /// What `dnsbld status` says of it.
    pub(super) fn status(&self) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
        command.arg("status").env("RUNTIME_DIRECTORY", self.server.path(""));
        let output = command.output().expect("it runs");
        String::from_utf8(output.stdout).expect("it is text")
    }

    /// Ends the queries; all answers were right.
    pub(super) fn finish(self) -> Daemon {
        self.stream.finish();
        self.lists.iter().for_each(|list| list.check().expect("all answers are right"));
        self.server
    }
}

/// Runs it until no transfer of a supervisor that was killed holds the folder any more.
pub(super) fn sync_when_free(setup: &Setup) -> Ran {
    let mut ran = sync(setup, &["--force"]);
    let is_free = wait_until(LIMIT, || {
        let is_locked = ran.code == Some(2);
        if is_locked {
            ran = sync(setup, &["--force"]);
        }
        !is_locked
    });
    assert!(is_free, "{ran:?}");
    ran
}
