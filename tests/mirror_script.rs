//! `scripts/mirror` with a real rsync daemon: what it fetches and how, and its exit status.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;

use crate::common::{Process, RsyncDaemon, mirror, names_in, temp_dir, wait_until};

const OK: i32 = 0;
const FAILED: i32 = 1;
const TRY_LATER: i32 = 75;
const MISTAKE: i32 = 78;

/// A source that nobody listens for.
const NOBODY: &str = "rsync://127.0.0.1:1/feeds/a";

/// A watched folder, with room for other files beside it.
struct Watched(TempDir);

impl Watched {
    fn new() -> Self {
        let dir = temp_dir();
        fs::create_dir(dir.path().join("watched")).expect("it is new");
        Self(dir)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("watched")
    }
}

/// What a run of the script came to.
#[derive(Debug)]
struct Run {
    status: i32,
    out: String,
    err: String,
}

fn run(command: &mut Command) -> Run {
    let output = command.output().expect("sh is there");
    Run {
        status: output.status.code().expect("no signal ended it"),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Fails unless the run ended well and said nothing.
fn quiet(command: &mut Command) {
    let run = run(command);
    assert!(run.status == OK && run.out.is_empty() && run.err.is_empty(), "{run:?}");
}

/// The script with a file of feeds.
fn mirror_feeds(folder: &Path, lines: &str) -> Command {
    let feeds = folder.with_file_name("feeds");
    fs::write(&feeds, lines).expect("the feeds can be written");
    let mut command = mirror(folder);
    command.arg("--config").arg(feeds);
    command
}

/// A daemon with two feeds, and a watched folder.
fn daemon_and_folder() -> (RsyncDaemon, Watched) {
    let daemon = RsyncDaemon::start("");
    fs::write(daemon.feeds().join("a"), "127.0.0.2\n").expect("it can be written");
    fs::write(daemon.feeds().join("b"), "127.0.0.3\n").expect("it can be written");
    (daemon, Watched::new())
}

/// A program that stands in for another one, in a folder to put in front of PATH.
fn program(name: &str, script: &str) -> TempDir {
    let folder = temp_dir();
    let path = folder.path().join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("it can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    folder
}

fn in_front_of_path(folder: &Path) -> String {
    format!("{}:{}", folder.display(), std::env::var("PATH").expect("there is a path"))
}

/// An ssh that notes its arguments in `log` and runs the command here.
const FAKE_SSH: &str = r#"
printf '%s\n' "$*" >>"${0%/*}/log"
while :; do
    case $1 in -l | -i) shift 2 ;; -*) shift ;; *) break ;; esac
done
shift
exec "$@""#;

#[test]
fn feeds_of_a_module_share_a_session() {
    let (daemon, folder) = daemon_and_folder();
    let lines = format!(
        "one {a} list/\ntwo {b} list/\nthree {b} other\n",
        a = daemon.url("a"),
        b = daemon.url("b")
    );
    quiet(&mut mirror_feeds(&folder.path(), &lines));
    assert_eq!(daemon.sessions(), ["feeds/a feeds/b", "feeds/b"]);
    assert_eq!(names_in(&folder.path().join("list")), ["a", "b"]);
    assert_eq!(names_in(&folder.path()), [".mirror.lock", "list", "other"]);

    quiet(mirror_feeds(&folder.path(), &lines).arg("three"));
    assert_eq!(daemon.sessions().len(), 3);
}

#[test]
fn other_folders_and_options_are_other_sessions() {
    let (daemon, folder) = daemon_and_folder();
    let (a, b) = (daemon.url("a"), daemon.url("b"));
    let lines = format!("one {a} x/\ntwo {b} y/\nthree {b} x/ --compress\nfour {b} x/\n");
    quiet(&mut mirror_feeds(&folder.path(), &lines));
    assert_eq!(daemon.sessions(), ["feeds/a feeds/b", "feeds/b", "feeds/b"]);
}

#[test]
fn a_module_is_fetched_whole() {
    let (daemon, folder) = daemon_and_folder();
    fs::create_dir(daemon.feeds().join("sub")).expect("it is new");
    fs::write(daemon.feeds().join("sub/c"), "127.0.0.4\n").expect("it can be written");
    symlink("a", daemon.feeds().join("link")).expect("it is new");
    quiet(mirror(&folder.path()).args([&daemon.url(""), "all/"]));
    let all = folder.path().join("all");
    assert_eq!(names_in(&all), ["a", "b", "link", "sub"]);
    assert!(all.join("link").symlink_metadata().expect("it is there").is_file());
    assert_eq!(names_in(&all.join("sub")), ["c"]);
    // Nothing is deleted: a feed that is gone is the server's to judge.
    fs::remove_file(daemon.feeds().join("a")).expect("it is there");
    fs::remove_file(daemon.feeds().join("link")).expect("it is there");
    quiet(mirror(&folder.path()).args([&daemon.url(""), "all/"]));
    assert_eq!(names_in(&all), ["a", "b", "link", "sub"]);
}

#[test]
fn times_are_kept_and_files_readable() {
    let (daemon, folder) = daemon_and_folder();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    let source = File::options().write(true).open(daemon.feeds().join("a")).expect("it is there");
    source.set_modified(time).expect("it is ours");
    source.set_permissions(fs::Permissions::from_mode(0o600)).expect("it is ours");
    let mut careful = Command::new("sh");
    let script = mirror(&folder.path());
    careful.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(script.get_program());
    careful.args(script.get_args()).args([&daemon.url("a"), "deep/er/"]);
    quiet(&mut careful);

    let copy = folder.path().join("deep/er/a").metadata().expect("it was fetched");
    assert_eq!(copy.modified().expect("it has a time"), time);
    assert_eq!(copy.mode() & 0o777, 0o644);
    let made = folder.path().join("deep/er").metadata().expect("it was made");
    assert_eq!(made.mode() & 0o777, 0o755);

    // What has not changed is not touched.
    quiet(mirror(&folder.path()).args([&daemon.url("a"), "deep/er/"]));
    let again = folder.path().join("deep/er/a").metadata().expect("it is there");
    assert_eq!((again.ino(), again.ctime_nsec()), (copy.ino(), copy.ctime_nsec()));
}

#[test]
fn a_killed_session_leaves_the_old_file() {
    let (daemon, folder) = daemon_and_folder();
    quiet(mirror(&folder.path()).args([&daemon.url("a"), "a"]));
    let text = "127.0.0.2 some text\n".repeat(25_000);
    fs::write(daemon.feeds().join("a"), &text).expect("it can be written");

    let mut slow = mirror(&folder.path());
    slow.args([&daemon.url("a"), "a", "--bwlimit=200"]).process_group(0);
    let slow = Process::start(&mut slow, &folder.path().with_file_name("log"));
    let growing = || {
        let mut entries = fs::read_dir(folder.path()).expect("it is there").flatten();
        entries.any(|entry| entry.file_name().to_string_lossy().starts_with(".a."))
    };
    assert!(wait_until(Duration::from_secs(10), growing), "{:?}", names_in(&folder.path()));
    let group = format!("-{}", slow.id());
    let status = Command::new("kill").args(["-TERM", "--", &group]).status();
    assert!(status.expect("kill is there").success());
    assert!(wait_until(Duration::from_secs(10), || !growing()), "{:?}", names_in(&folder.path()));
    assert_eq!(fs::read(folder.path().join("a")).expect("it is there"), b"127.0.0.2\n");

    // The next run may come before the last process of this one has let go of the lock.
    let next = || run(mirror(&folder.path()).args([&daemon.url("a"), "a"])).status == OK;
    assert!(wait_until(Duration::from_secs(10), next));
    assert_eq!(fs::read(folder.path().join("a")).expect("it is there"), text.as_bytes());
    assert_eq!(names_in(&folder.path()), [".mirror.lock", "a"]);
}

#[test]
fn a_host_without_a_daemon_is_tried_later() {
    let (daemon, folder) = daemon_and_folder();
    let lines = format!("gone {NOBODY} x\nhere {} y\n", daemon.url("b"));
    let tried = run(&mut mirror_feeds(&folder.path(), &lines));
    assert_eq!(tried.status, TRY_LATER);
    assert!(tried.err.starts_with("mirror: gone: "), "{}", tried.err);
    // The other feeds come all the same.
    assert_eq!(names_in(&folder.path()), [".mirror.lock", "y"]);

    // What does not heal by itself is told first.
    let lines = format!("{lines}missing {} z\n", daemon.url("missing"));
    let failed = run(&mut mirror_feeds(&folder.path(), &lines));
    assert_eq!(failed.status, FAILED);
    assert!(failed.err.contains("mirror: missing: "), "{}", failed.err);
}

#[test]
fn a_host_that_says_nothing_is_tried_later() {
    let folder = Watched::new();
    let silent = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let source = format!("rsync://{}/feeds/a", silent.local_addr().expect("it is bound"));
    let start = Instant::now();
    let tried = run(mirror(&folder.path()).args(["--timeout=1", &source, "x"]));
    assert_eq!(tried.status, TRY_LATER, "{tried:?}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn a_full_daemon_is_tried_later() {
    let locks = temp_dir();
    let settings = format!("max connections = 1\nlock file = {}/lock", locks.path().display());
    let daemon = RsyncDaemon::start(&settings);
    let url = daemon.url("");
    let host = url.strip_prefix("rsync://").and_then(|rest| rest.split_once('/'));
    let mut guest = TcpStream::connect(host.expect("rsync://host/").0).expect("it listens");
    guest.write_all(b"@RSYNCD: 31.0 md5\nfeeds\n").expect("it reads");
    let mut said = vec![];
    while !said.ends_with(b"@RSYNCD: OK\n") {
        let mut byte = [0];
        guest.read_exact(&mut byte).expect("it lets the first one in");
        said.extend(byte);
    }
    let folder = Watched::new();
    let tried = run(mirror(&folder.path()).args([&url, "all/"]));
    assert_eq!(tried.status, TRY_LATER, "{tried:?}");
}

#[test]
fn an_unknown_module_fails() {
    let (daemon, folder) = daemon_and_folder();
    let failed =
        run(mirror(&folder.path()).args([&daemon.url("a").replace("feeds", "foods"), "x"]));
    assert_eq!(failed.status, FAILED, "{failed:?}");
    assert!(failed.err.contains("foods"), "{failed:?}");
}

#[test]
fn a_password_comes_from_a_file() {
    let secrets = temp_dir();
    let secret = |name: &str, text: &str| {
        let path = secrets.path().join(name);
        fs::write(&path, text).expect("it can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
        path.display().to_string()
    };
    let settings =
        format!("auth users = mx\nsecrets file = {}", secret("users", "mx:open sesame\n"));
    let daemon = RsyncDaemon::start(&settings);
    fs::write(daemon.feeds().join("a"), "127.0.0.2\n").expect("it can be written");
    let source = daemon.url("a").replace("//", "//mx@");
    let folder = Watched::new();
    let fetch = |password: &str| {
        let option = format!("--password-file={}", secret("password", password));
        run(mirror(&folder.path()).args([&source, "a", &option])).status
    };
    assert_eq!(fetch("close sesame\n"), FAILED);
    assert_eq!(fetch("open sesame\n"), OK);
    assert_eq!(names_in(&folder.path()), [".mirror.lock", "a"]);
}

#[test]
fn ssh_is_asked_no_questions() {
    let (daemon, folder) = daemon_and_folder();
    let fake = program("ssh", FAKE_SSH);
    let source = format!("bl@host:{}", daemon.feeds().join("a").display());
    let mut command = mirror(&folder.path());
    quiet(command.args([&source, "x"]).env("PATH", in_front_of_path(fake.path())));
    assert_eq!(fs::read(folder.path().join("x")).expect("it was fetched"), b"127.0.0.2\n");
    let log = fs::read_to_string(fake.path().join("log")).expect("ssh was run");
    assert!(log.contains("-oBatchMode=yes") && log.contains("-l bl host rsync"), "{log}");
    assert_eq!(daemon.sessions().len(), 0);
}

#[test]
fn a_feed_may_have_its_own_ssh() {
    let (daemon, folder) = daemon_and_folder();
    let fake = program("own-ssh", FAKE_SSH);
    let feeds = daemon.feeds();
    let lines = format!(
        "one host:{a} x/ --rsh=\"{ssh} -i key\"\ntwo host:{b} x/ '--rsh={ssh} -i key'\n",
        a = feeds.join("a").display(),
        b = feeds.join("b").display(),
        ssh = fake.path().join("own-ssh").display(),
    );
    quiet(&mut mirror_feeds(&folder.path(), &lines));
    assert_eq!(names_in(&folder.path().join("x")), ["a", "b"]);
    let log = fs::read_to_string(fake.path().join("log")).expect("it was run");
    assert!(log.starts_with("-i key host rsync") && log.lines().count() == 1, "{log}");
}

#[test]
fn ssh_trouble_is_told_apart() {
    let folder = Watched::new();
    let status = |script: &str| {
        let fake = program("ssh", script);
        let mut command = mirror(&folder.path());
        command.args(["host:list", "x"]).env("PATH", in_front_of_path(fake.path()));
        run(&mut command).status
    };
    assert_eq!(status("echo 'connect to host: Connection timed out' >&2; exit 255"), TRY_LATER);
    assert_eq!(status("echo 'bl@host: Permission denied (publickey).' >&2; exit 255"), FAILED);
    assert_eq!(status("echo 'Host key verification failed.' >&2; exit 255"), FAILED);
}

#[test]
fn one_run_at_a_time() {
    let (daemon, folder) = daemon_and_folder();
    let silent = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let source = format!("rsync://{}/feeds/a", silent.local_addr().expect("it is bound"));
    let mut first = mirror(&folder.path());
    let log = folder.path().with_file_name("log");
    let first = Process::start(first.args([&source, "x"]), &log);
    let (connection, _) = silent.accept().expect("the first run connects");

    let mut second = mirror(&folder.path());
    second.args([&daemon.url("a"), "y"]);
    let refused = run(&mut second);
    assert_eq!(refused.status, TRY_LATER);
    assert!(refused.err.contains(".mirror.lock"), "{}", refused.err);
    assert_eq!(daemon.sessions().len(), 0);

    // Even when the script is killed: its rsync still holds the lock.
    drop(first);
    assert_eq!(run(&mut second).status, TRY_LATER);
    drop(connection);
    assert!(wait_until(Duration::from_secs(10), || run(&mut second).status == OK));
}

#[test]
fn a_system_without_flock_has_a_lock_too() {
    let (daemon, folder) = daemon_and_folder();
    let tools = temp_dir();
    for tool in ["awk", "mkdir", "mv", "ln", "ps", "readlink", "rm", "rsync", "sh"] {
        let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output();
        let found = String::from_utf8(found.expect("sh is there").stdout).expect("a path");
        symlink(found.trim(), tools.path().join(tool)).expect("it is new");
    }
    let link = folder.path().join(".mirror.lock.pid");
    let fetch = || {
        let mut command = mirror(&folder.path());
        run(command.args([&daemon.url("a"), "a"]).env("PATH", tools.path()))
    };

    // The lock of a process that is gone, or that is no mirror.
    let mut gone = Command::new("true").spawn().expect("true is there");
    gone.wait().expect("it is our child");
    for stale in [gone.id(), 1] {
        symlink(stale.to_string(), &link).expect("it is new");
        let fetched = fetch();
        assert!(fetched.status == OK && fetched.err.is_empty(), "{fetched:?}");
        assert_eq!(names_in(&folder.path()), ["a"]);
    }

    // One that is called mirror, and is there until its input ends.
    let mut holder = Command::new("sh");
    holder.args(["-c", "read line", "mirror"]).stdin(Stdio::piped());
    let mut holder = holder.spawn().expect("sh is there");
    symlink(holder.id().to_string(), &link).expect("it is new");
    assert_eq!(fetch().status, TRY_LATER);
    assert_eq!(names_in(&folder.path()), [".mirror.lock.pid", "a"]);
    drop(holder.stdin.take());
    holder.wait().expect("it is our child");
}

#[test]
fn the_delay_is_random_and_bounded() {
    let fake = program("sleep", "echo \"$1\" >>\"${0%/*}/log\"");
    let folder = Watched::new();
    let run_with = |options: &[&str]| {
        let mut command = mirror(&folder.path());
        command.args(options).args([NOBODY, "x"]);
        command.env("PATH", in_front_of_path(fake.path()));
        assert_eq!(run(&mut command).status, TRY_LATER);
    };
    run_with(&[]);
    assert!(!fake.path().join("log").exists(), "no delay was asked for");
    for _ in 0..20 {
        run_with(&["--max-delay", "3"]);
    }
    let log = fs::read_to_string(fake.path().join("log")).expect("sleep was run");
    let mut delays: Vec<u32> = log.lines().map(|line| line.parse().expect("seconds")).collect();
    assert_eq!(delays.len(), 20);
    delays.sort_unstable();
    delays.dedup();
    assert!(delays.len() > 1 && delays.iter().all(|&delay| delay <= 3), "{delays:?}");
}

#[test]
fn a_mistake_in_the_feeds_stops_all() {
    let (daemon, folder) = daemon_and_folder();
    let a = daemon.url("a");
    let good = format!("# a comment\n\n  \t\ngood {a} good\n");
    let mistakes = [
        "lonely".to_owned(),
        format!("short {a}"),
        format!("good {a} again"),
        "path /srv/feeds/a x".to_owned(),
        "dots a/b::c x".to_owned(),
        "nomodule host:: x".to_owned(),
        "nomodule rsync://host x".to_owned(),
        "nopath host: x".to_owned(),
        "dash --rsh=id host::m/a".to_owned(),
        format!("folder {} x", daemon.url("")),
        format!("half {a} x --inplace"),
        format!("half {a} x --append-verify"),
        format!("word {a} x --port 873"),
        format!("quote {a} \"x"),
        "''".to_owned(),
    ];
    for mistake in mistakes {
        let refused = run(&mut mirror_feeds(&folder.path(), &format!("{good}{mistake}")));
        assert_eq!(refused.status, MISTAKE, "{mistake}");
        assert!(refused.err.contains("/feeds:5: "), "{mistake}: {}", refused.err);
        assert!(names_in(&folder.path()).is_empty(), "{mistake}");
    }
    let unknown = run(mirror_feeds(&folder.path(), &good).arg("bad"));
    assert_eq!(unknown.status, MISTAKE);
    assert!(unknown.err.contains("no feed named bad"), "{}", unknown.err);
    assert_eq!(daemon.sessions().len(), 0);

    // What rsync alone can find out does not stop the others.
    let own = format!("own {a} x --no-such-option\n{good}");
    assert_eq!(run(&mut mirror_feeds(&folder.path(), &own)).status, MISTAKE);
    assert_eq!(names_in(&folder.path()), [".mirror.lock", "good"]);
}

#[test]
fn a_mistake_on_the_command_line() {
    let folder = Watched::new();
    let mistakes: [&[&str]; 7] = [
        &[],
        &["host::m/a"],
        &["--no-such-option", "host::m/a", "x"],
        &["--max-delay", "soon", "host::m/a", "x"],
        &["--timeout=", "host::m/a", "x"],
        &["--config"],
        &["--config", "/nonexistent/feeds"],
    ];
    for mistake in mistakes {
        let refused = run(mirror(&folder.path()).args(mistake));
        assert_eq!(refused.status, MISTAKE, "{mistake:?}");
        assert!(refused.err.starts_with("mirror: "), "{mistake:?}: {refused:?}");
    }
    let nowhere = run(mirror(&folder.path().join("none")).args(["host::m/a", "x"]));
    assert_eq!(nowhere.status, MISTAKE);
    assert!(names_in(&folder.path()).is_empty());
}

#[test]
fn a_dry_run_does_nothing() {
    let folder = Watched::new();
    let lines = "a [::1]::m/a x/\nb mx@[::1]:a x/\nc rsync://u@[::1]:8730/m/d/c x/\n\
                 d h::m/x y/\ne u@h::m/y y/\nf h::m/z y/\ng rsync://u@[::1]:8730/m/e x/\n";
    let told = run(mirror_feeds(&folder.path(), lines).args(["--dry-run", "--max-delay=99999"]));
    assert_eq!((told.status, told.err.as_str()), (OK, ""));
    let sources: Vec<Vec<&str>> = told
        .out
        .lines()
        .map(|line| line.split('\'').filter(|word| word.contains(':')).collect())
        .collect();
    let wanted: [&[&str]; 5] = [
        &["[::1]::m/a"],
        &["mx@[::1]:a"],
        &["rsync://u@[::1]:8730/m/d/c", "rsync://u@[::1]:8730/m/e"],
        &["h::m/x", "h::m/z"],
        &["u@h::m/y"],
    ];
    assert_eq!(sources, wanted);
    assert!(names_in(&folder.path()).is_empty());
}

#[test]
fn verbose_tells_and_help_explains() {
    let (daemon, folder) = daemon_and_folder();
    let told = run(mirror(&folder.path()).args(["-v", &daemon.url("a"), "a"]));
    assert_eq!(told.status, OK);
    assert!(told.err.contains("fetching") && told.out.contains("sent"), "{told:?}");

    let help = run(mirror(&folder.path()).arg("--help"));
    assert_eq!((help.status, help.err.as_str()), (OK, ""));
    for word in ["--config", "--max-delay", "--password-file", "75", "78"] {
        assert!(help.out.contains(word), "{word}");
    }
}

#[test]
fn the_example_feeds_are_good() {
    let folder = Watched::new();
    let example = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy/mirror.feeds");
    let text = fs::read_to_string(example).expect("it is shipped");
    // The lines to be uncommented have no blank after the sign.
    let all: String = text
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
        .map(|line| format!("{line}\n"))
        .collect();
    for lines in [text, all] {
        let told = run(mirror_feeds(&folder.path(), &lines).arg("--dry-run"));
        assert_eq!((told.status, told.err.as_str()), (OK, ""), "{}", told.out);
        assert!(told.out.contains("uceprotect"), "{}", told.out);
    }
}
