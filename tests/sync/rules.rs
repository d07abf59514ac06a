//! What is fetched when nothing goes wrong, and the rules of publishers that it keeps to.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::{FAILED, Feeds, MISTAKE, OK, daemon, feed, publish, run};
use crate::common::{RsyncDaemon, mirror, names_in, temp_dir};

#[test]
fn files_of_a_module_are_one_session_and_are_fetched_when_they_are_due() {
    let daemon = daemon();
    let feeds = Feeds::of(&daemon.url(""), "files = ['a', 'b']");
    feeds.sync().expect(OK, &["one: published 2 files"]);
    assert_eq!(daemon.sessions(), ["feeds/a feeds/b"]);
    assert_eq!(names_in(&feeds.path("")), [".sync", "one"]);
    assert_eq!(
        (feeds.read("one/a"), feeds.read("one/b")),
        ("127.0.0.2\n".into(), "127.0.0.3\n".into())
    );

    feeds.sync().expect(OK, &["next is one: in "]);
    assert_eq!(daemon.sessions().len(), 1, "it is not due");
    let record = feeds.record("one");
    let wait = record["next-try"].as_u64().unwrap() - record["last-success"].as_u64().unwrap();
    assert!((3600..=3600 + 900 + 120).contains(&wait), "{record}");

    feeds.force().expect(OK, &["one: nothing has changed"]);
    publish(&daemon, "b", "127.0.0.4\n127.0.0.5\n");
    feeds.force().expect(OK, &["one: published 1 file"]);
    assert_eq!(feeds.read("one/b"), "127.0.0.4\n127.0.0.5\n");
    assert_eq!(daemon.sessions().len(), 3);
}

#[test]
fn only_differences_are_sent() {
    let daemon = RsyncDaemon::start("");
    let list: String = (0..200_000).map(|i| format!("10.{}.{}.1\n", i >> 8, i & 255)).collect();
    publish(&daemon, "a", &list);
    let feeds = Feeds::of(&daemon.url("a"), "");
    feeds.sync().expect(OK, &[]);
    publish(&daemon, "a", &format!("{list}192.0.2.1\n"));
    feeds.force().expect(OK, &["published 1 file", "speed-up"]);
    let record = feeds.record("one");
    let figure = |name: &str| record[name].as_u64().unwrap();
    assert_eq!(figure("size"), list.len() as u64 + 10);
    assert!(figure("transferred") < figure("size") / 20, "{record}");
}

#[test]
fn a_module_is_fetched_whole() {
    let daemon = daemon();
    fs::create_dir(daemon.feeds().join("sub")).expect("it is new");
    publish(&daemon, "sub/c", "127.0.0.4\n");
    publish(&daemon, ".hidden", "no list\n");
    symlink("a", daemon.feeds().join("link")).expect("it is new");
    let feeds = Feeds::of(&daemon.url(""), "folder = 'deep/er'");
    feeds.sync().expect(OK, &["published 4 files"]);
    let all = feeds.path("deep/er");
    assert_eq!(names_in(&all), ["a", "b", "link", "sub"]);
    assert!(all.join("link").symlink_metadata().expect("it is there").is_file());
    assert_eq!(names_in(&all.join("sub")), ["c"]);
    // Nothing is deleted: a list that is gone is the server's to judge.
    fs::remove_file(daemon.feeds().join("a")).expect("it is there");
    fs::remove_file(daemon.feeds().join("link")).expect("it is there");
    publish(&daemon, "sub/c", "127.0.0.5\n127.0.0.6\n");
    feeds.force().expect(OK, &["published 1 file"]);
    assert_eq!(names_in(&all), ["a", "b", "link", "sub"]);
    assert_eq!(feeds.read("deep/er/sub/c"), "127.0.0.5\n127.0.0.6\n");
    assert_eq!(feeds.record("one")["orphans"], 2, "but it is told");
    fs::remove_file(all.join("a")).expect("it is there");
    fs::remove_file(all.join("link")).expect("it is there");
    feeds.force().expect(OK, &["nothing has changed"]);
    assert_eq!(feeds.record("one")["orphans"], 0);
}

#[test]
fn times_are_kept_and_files_readable() {
    let daemon = daemon();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    let source = File::options().write(true).open(daemon.feeds().join("a")).expect("it is there");
    source.set_modified(time).expect("it is ours");
    source.set_permissions(fs::Permissions::from_mode(0o600)).expect("it is ours");
    let feeds = Feeds::of(&daemon.url("a"), "");
    let mut careful = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_dnsbld");
    careful.args(["-c", "umask 077; exec \"$@\"", "sh", program, "sync", "--config"]);
    run(careful.arg(feeds.config())).expect(OK, &[]);
    let copy = feeds.path("one/a").metadata().expect("it was fetched");
    assert_eq!(copy.modified().expect("it has a time"), time);
    assert_eq!(copy.mode() & 0o777, 0o644);
    assert_eq!(feeds.path("one").metadata().expect("it was made").mode() & 0o777, 0o755);
}

#[test]
fn each_feed_succeeds_or_fails_for_itself() {
    let daemon = daemon();
    let other = RsyncDaemon::start("");
    let feeds = Feeds::new(&format!(
        "{}{}",
        feed("bad", &other.url("none"), ""),
        feed("good", &daemon.url("a"), "")
    ));
    let both = feeds.sync();
    both.expect(FAILED, &["bad: the source has not all files", "good: published 1 file"]);
    assert!(both.err.starts_with("bad: ") && both.out.starts_with("good: "), "{both:?}");
    assert_eq!(names_in(&feeds.path("")), [".sync", "good"]);
    run(feeds.command().args(["--force", "good"])).expect(OK, &["good: nothing has changed"]);
    assert_eq!(other.sessions().len(), 1, "it was not asked for");
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
    let users = secret("users", "mx:open sesame\n");
    let daemon = RsyncDaemon::start(&format!("auth users = mx\nsecrets file = {users}"));
    publish(&daemon, "a", "127.0.0.2\n");
    let source = daemon.url("a").replace("//", "//mx@");
    let password = secret("password", "close sesame\n");
    let feeds = Feeds::of(&source, &format!("password-file = '{password}'"));
    feeds.sync().expect(FAILED, &["refuses the user or the password", "password-file"]);
    secret("password", "open sesame\n");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).expect("it is ours");
    feeds.force().expect(FAILED, &["password-file cannot be used", "chmod 600"]);
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("it is ours");
    feeds.force().expect(OK, &["published 1 file"]);
}

#[test]
fn the_misuse_note_is_not_published() {
    let daemon = RsyncDaemon::start("");
    publish(&daemon, "a", &"127.0.0.2\n".repeat(1000));
    let feeds = Feeds::of(&daemon.url("a"), "min-size = '1K'\nmax-size = '100K'");
    feeds.sync().expect(OK, &[]);
    publish(&daemon, "a", "You were blocked for misuse of this service.\n");
    let note =
        "fewer than min-size (1024); it begins: \"You were blocked for misuse of this service.\"";
    feeds.force().expect(FAILED, &[note, "keep to their rules"]);
    assert_eq!(feeds.read("one/a").len(), 10_000);
    publish(&daemon, "a", &"127.0.0.2\n".repeat(20_000));
    feeds.force().expect(FAILED, &["a has more bytes than max-size allows (102400)"]);
    assert_eq!(feeds.read("one/a").len(), 10_000);
}

#[test]
fn what_does_not_verify_is_not_published() {
    let daemon = daemon();
    let sum = |text: &str| {
        let folder = temp_dir();
        fs::write(folder.path().join("a"), text).expect("our folder");
        let sum = Command::new("sha256sum").arg("a").current_dir(folder.path()).output();
        String::from_utf8(sum.expect("it is everywhere").stdout).expect("hexadecimal")
    };
    publish(&daemon, "sums", &sum("127.0.0.2\n"));
    let settings = "files = ['a', 'sums']\nverify = ['sha256sum', '--check', '{folder}/sums']";
    let feeds = Feeds::of(&daemon.url(""), settings);
    feeds.sync().expect(OK, &["published 2 files"]);
    publish(&daemon, "a", "127.0.0.66\n");
    feeds
        .force()
        .expect(FAILED, &["do not pass verify (sha256sum, code 1: ", ".sync/one/incoming"]);
    assert_eq!(feeds.read("one/a"), "127.0.0.2\n");
    // What was refused is not sent again, and the sums alone have changed.
    publish(&daemon, "sums", &sum("127.0.0.66\n"));
    feeds.force().expect(OK, &["published 2 files"]);
    assert_eq!(feeds.read("one/a"), "127.0.0.66\n");
    // A file that has not changed is there for the check, too.
    publish(&daemon, "sums", &format!("{}\n", sum("127.0.0.66\n").trim_end()).repeat(2));
    feeds.force().expect(OK, &["published 1 file"]);
    assert_eq!(names_in(&feeds.path("one")), ["a", "sums"]);
}

/// The programs that docs/feeds.md names, with real signatures.
#[test]
fn signatures_are_checked() {
    let daemon = daemon();
    let keys = temp_dir();
    let at = |name: &str| keys.path().join(name).display().to_string();
    let gpg = |arguments: &[&str]| {
        let mut gpg = Command::new("gpg");
        gpg.args(["--batch", "--yes", "--quiet", "--passphrase", "", "--homedir"]).arg(keys.path());
        run(gpg.args(arguments)).expect(OK, &[]);
    };
    let minisign = |arguments: &[&str]| {
        run(Command::new("minisign").args(arguments)).expect(OK, &[]);
    };
    fs::set_permissions(keys.path(), fs::Permissions::from_mode(0o700)).expect("it is ours");
    gpg(&["--quick-gen-key", "test@example", "ed25519", "sign", "never"]);
    gpg(&["--output", &at("x.gpg"), "--export", "test@example"]);
    minisign(&["-G", "-W", "-p", &at("x.pub"), "-s", &at("x.key")]);
    let list = daemon.feeds().join("a").display().to_string();
    let sign = || {
        gpg(&["--output", &format!("{list}.asc"), "--detach-sign", &list]);
        minisign(&["-S", "-s", &at("x.key"), "-m", &list]);
    };
    let by_gpgv = format!("verify = ['gpgv', '--keyring', '{}', 'a.asc', 'a']", at("x.gpg"));
    let by_minisign = format!("verify = ['minisign', '-V', '-p', '{}', '-m', 'a']", at("x.pub"));
    for (verify, signature, words) in [
        (by_gpgv, "a.asc", "(gpgv, code 1: gpgv: BAD signature from "),
        (by_minisign, "a.minisig", "(minisign, code 1: Signature verification failed"),
    ] {
        publish(&daemon, "a", "127.0.0.2\n");
        sign();
        let settings = format!("files = ['a', '{signature}']\n{verify}");
        let feeds = Feeds::of(&daemon.url(""), &settings);
        feeds.sync().expect(OK, &["published 2 files"]);
        // The session brings a version of the list and a signature of another one.
        publish(&daemon, "a", "192.0.2.1\n");
        feeds.force().expect(FAILED, &[words]);
        assert_eq!(feeds.read("one/a"), "127.0.0.2\n");
        sign();
        feeds.force().expect(OK, &["published 2 files"]);
        assert_eq!(feeds.read("one/a"), "192.0.2.1\n");
    }
    // The agent of gpg.
    let mut end = Command::new("gpgconf");
    run(end.args(["--kill", "all", "--homedir"]).arg(keys.path())).expect(OK, &[]);
}

#[test]
fn a_dry_run_tells_and_does_nothing() {
    let text = feed("one", "u@host::m/a", "verify = ['true', 'x y']")
        + &feed("two", "https://host/d/", "files = ['b']")
        + &feed("three", "bl@host:c", "key = 'k'");
    let feeds = Feeds::new(&text);
    let told = run(feeds.command().arg("--dry-run"));
    let words = ["one: due now", "-- u@host::m/a ", "verify: true 'x y'", "--url https://host/d/b"];
    told.expect(OK, &words);
    told.expect(OK, &["ssh -oBatchMode=yes", "-- bl@host:c "]);
    assert!(!feeds.path("").exists());
}

#[test]
fn mistakes_are_told_before_anything_is_fetched() {
    let daemon = daemon();
    let feeds = Feeds::of(&daemon.url("a"), "interval = '1s'");
    feeds.sync().expect(MISTAKE, &["dnsbld.toml:5:", "feed.interval", "help: "]);
    feeds.configure(&feed("one", &daemon.url("a"), ""));
    run(feeds.command().arg("two")).expect(MISTAKE, &["there is no feed \"two\"; there are: one"]);
    feeds.configure("[[dataset]]\nname = 'd'\ntype = 'ip4set'\nfiles = ['f']\n[[zone]]\nname = 'z'\ndatasets = ['d']");
    feeds.sync().expect(MISTAKE, &["there is no feed to fetch"]);
    assert!(daemon.sessions().is_empty() && !feeds.path("").exists());
}

#[test]
fn the_script_fetches_one_list_now() {
    let daemon = daemon();
    let folder = temp_dir();
    let fetch = |arguments: &[&str]| run(mirror(folder.path()).args(arguments));
    let (a, whole) = (daemon.url("a"), daemon.url(""));
    fetch(&[&a, "psbl/", "--min-size=5"]).expect(OK, &["psbl: published 1 file"]);
    assert_eq!(names_in(&folder.path().join("psbl")), ["a"]);
    fetch(&[&a, "psbl/", "--min-size=5"]).expect(OK, &["psbl: nothing has changed"]);
    fetch(&[&whole, "deep/er"]).expect(OK, &["deep_er: published 2 files"]);
    assert_eq!(names_in(&folder.path().join("deep/er")), ["a", "b"]);
    fetch(&[&a, "other/", "--min-size=1M"]).expect(FAILED, &["fewer than min-size (1048576)"]);
    fetch(&["/srv/a", "psbl/"]).expect(MISTAKE, &["feed.source", "rsync://host/module/path"]);
    fetch(&[&a, "../psbl"]).expect(MISTAKE, &["feed.folder"]);
    fetch(&[&a]).expect(FAILED, &["--once needs two arguments"]);
}
