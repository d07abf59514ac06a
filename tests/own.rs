//! `dnsbld allow` and `dnsbld block`, on the running server and on files alone.

use crate::common::{Daemon, Setup, is_root, wait_until};
use hickory_proto::op::ResponseCode::{NXDomain, NoError};
use hickory_proto::rr::RecordType;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SETTINGS: &str = "
[[dataset]]
name = 'feed'
type = 'ip4set'
files = ['feed']
[[dataset]]
name = 'own-white'
type = 'ip4trie'
files = ['own-white']
own = true
[[dataset]]
name = 'own-names'
type = 'dnset'
files = ['own-names']
own = true
[[dataset]]
name = 'own-black'
type = 'ip4trie'
files = ['own-black']
own = true
[[zone]]
name = 'bl.test'
datasets = ['feed', 'own-black']
allow = ['own-white', 'own-names']
";

fn setup() -> Setup {
    let setup = Setup::new();
    setup.configure("state-dir = 'state'", SETTINGS);
    setup.write("feed", "192.0.2.0/24\n127.0.0.2\n");
    setup.write("own-white", "# mine\n10.0.0.1 # by hand\n");
    setup.write("own-names", "# mine\n");
    setup.write("own-black", "# mine\n");
    setup
}

/// Runs a command with the configuration of the server: its exit code and what it says.
fn dnsbld(setup: &Setup, arguments: &[&str]) -> (i32, String) {
    with_input(setup, arguments, "")
}

fn with_input(setup: &Setup, arguments: &[&str], input: impl AsRef<[u8]>) -> (i32, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dnsbld"))
        .args(arguments)
        .arg("--config")
        .arg(setup.path("dnsbld.toml"))
        .env("RUNTIME_DIRECTORY", setup.path(""))
        .env_remove("DNSBLD_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it was built");
    child.stdin.take().expect("it is ours").write_all(input.as_ref()).expect("it reads");
    let output = child.wait_with_output().expect("it was started");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("it is text");
    let folder = setup.path("").display().to_string();
    (output.status.code().expect("it ended by itself"), text.replace(&folder, "/etc/dnsbld/"))
}

fn code(server: &Daemon, name: &str) -> hickory_proto::op::ResponseCode {
    server.ask(&format!("{name}.bl.test"), RecordType::A).rcode()
}

/// What was said, with the times that differ replaced.
fn steady(text: &str) -> String {
    let steady = |line: &str| match line.split_once(" s in ") {
        Some((_, zones)) if line.starts_with("served after ") => {
            format!("served after 0.3 s in {zones}")
        }
        _ => line.to_owned(),
    };
    text.lines().map(|line| steady(line) + "\n").collect()
}

#[test]
fn a_sender_is_let_through_within_a_second_over_a_restart_and_no_longer_when_removed() {
    let server = setup().start();
    assert_eq!(code(&server, "7.2.0.192"), NoError);
    let start = Instant::now();
    let (exit, told) = dnsbld(
        &server,
        &["allow", "add", "192.0.2.7", "--until", "2999-12-07", "--reason", "ticket 4711"],
    );
    let took = start.elapsed();
    assert_eq!(
        (exit, &*steady(&told)),
        (
            0,
            "192.0.2.7: added to own-white, until 2999-12-07T00:00Z\nserved after 0.3 s in bl.test\n"
        )
    );
    assert_eq!(code(&server, "7.2.0.192"), NXDomain, "it is served when the command ends");
    assert!(took < Duration::from_secs(3), "{took:?}");
    let text = fs::read_to_string(server.path("own-white")).unwrap();
    let line =
        text.strip_prefix("# mine\n10.0.0.1 # by hand\n192.0.2.7 @ expires=2999-12-07T00:00Z  # ");
    assert!(line.is_some_and(|line| line.ends_with(": ticket 4711\n")), "{text}");

    let server = server.restart();
    assert_eq!(code(&server, "7.2.0.192"), NXDomain);
    let (exit, told) = dnsbld(&server, &["allow", "remove", "192.0.2.7"]);
    assert!(
        exit == 0 && told.starts_with("192.0.2.7: removed from own-white (line 3, until 2999-"),
        "{told}"
    );
    assert_eq!(code(&server, "7.2.0.192"), NoError);
    assert_eq!(
        fs::read_to_string(server.path("own-white")).unwrap(),
        "# mine\n10.0.0.1 # by hand\n"
    );
}

#[test]
fn an_entry_expires_by_itself() {
    let server = setup().start();
    let soon =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 4;
    let time = dnsbld::util::time::Utc::from_unix(soon as i64);
    let (exit, told) =
        dnsbld(&server, &["block", "add", "198.51.100.7", "--until", &time.to_string()]);
    assert_eq!(exit, 0, "{told}");
    assert_eq!(code(&server, "7.100.51.198"), NoError);
    server.expect_code("7.100.51.198.bl.test", NXDomain, Duration::from_secs(15));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(now >= soon, "not before its time");
    let (_, told) = dnsbld(&server, &["block", "list"]);
    assert!(told.contains("(expired)"), "{told}");
    let (_, told) = dnsbld(&server, &["block", "list", "--json"]);
    let rows: serde_json::Value = serde_json::from_str(&told).expect("it is JSON");
    assert_eq!((&rows[0]["key"], &rows[0]["expired"]), (&"198.51.100.7".into(), &true.into()));
    let (exit, told) = dnsbld(&server, &["check", "198.51.100.7"]);
    let ended = format!("expired on {}", time.rfc3339());
    assert!(exit == 0 && told.contains(&ended) && !told.contains("=>"), "{told}");
    // It is taken out with the next change, and told.
    let (exit, told) = dnsbld(&server, &["block", "add", "198.51.100.8"]);
    assert!(exit == 0 && told.contains("198.51.100.7: had expired, and is taken out"), "{told}");
    assert_eq!(code(&server, "8.100.51.198"), NoError);
}

#[test]
fn mistakes_are_told_and_change_nothing() {
    let setup = setup();
    let before = fs::read(setup.path("own-white")).unwrap();
    let refused = |arguments: &[&str], says: &str| {
        let (exit, told) = dnsbld(&setup, arguments);
        assert!(exit == 1 && told.contains(says), "{arguments:?}: {exit}: {told}");
    };
    refused(&["allow", "add", "0.0.0.0/0"], "--force writes it");
    refused(&["allow", "add", "org"], "--force writes it");
    refused(&["allow", "add", "192.0.2.7/24"], "write 192.0.2.0/24");
    refused(
        &["allow", "add", "192.0.2.7", "--zone", "none.test"],
        "there is no zone none.test; the configuration has bl.test",
    );
    refused(&["allow", "add", "192.0.2.7", "--list", "feed"], "own = true");
    refused(&["block", "add", "example.org"], "is no key of own-black (ip4trie)");
    refused(&["allow", "remove", "192.0.2.7"], "192.0.2.7: is not in own-white");
    for until in ["2020-01-01", "0m"] {
        let (exit, told) = dnsbld(&setup, &["allow", "add", "192.0.2.7", "--until", until]);
        assert!(exit == 2 && told.contains("that has passed"), "{told}");
    }
    assert_eq!(fs::read(setup.path("own-white")).unwrap(), before);
    setup.configure("", &SETTINGS.replace("own = true", ""));
    refused(&["allow", "add", "192.0.2.7"], "own-white is not said to be your own");
    refused(&["block", "add", "192.0.2.7"], "name = \"own-black\"");
}

#[test]
fn without_a_server_the_file_is_written_with_its_mode_and_owner() {
    let setup = setup();
    let path = setup.path("own-white");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    if is_root() {
        chown(&path, Some(54_321), Some(54_322)).unwrap();
    }
    let before = fs::metadata(&path).unwrap();
    fs::rename(&path, setup.path("real")).unwrap();
    std::os::unix::fs::symlink("real", &path).unwrap();
    let (exit, told) = dnsbld(&setup, &["allow", "add", "192.0.2.0/24", "example.org"]);
    assert!(exit == 0 && told.contains("no server answers"), "{told}");
    let after = fs::metadata(&path).unwrap();
    let facts = |file: &fs::Metadata| (file.mode(), file.uid(), file.gid());
    assert_eq!(facts(&after), facts(&before));
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink(), "the link stays");
    assert!(fs::read_to_string(setup.path("own-names")).unwrap().contains("\nexample.org  # "));
    let (exit, told) = dnsbld(&setup, &["allow", "remove", "192.0.2.7"]);
    assert!(exit == 1 && told.contains("192.0.2.0/24 covers it (line 3, of 2"), "{told}");
    let (_, told) = dnsbld(&setup, &["allow", "list"]);
    let first: Vec<_> = told.lines().take(2).collect();
    assert_eq!(
        first,
        [
            "key           ends   added       list       reason",
            "10.0.0.1      never  -           own-white  by hand",
        ]
    );
}

#[test]
fn what_no_list_has_and_what_is_there_already_is_told() {
    let server = setup().start();
    let (exit, told) = dnsbld(&server, &["allow", "add", "203.0.113.9"]);
    assert!(
        exit == 0 && told.contains("203.0.113.9: no zone that allows by own-white lists it now"),
        "{told}"
    );
    let (_, told) =
        dnsbld(&server, &["allow", "add", "203.0.113.9", "--until", "2h", "--reason", "x"]);
    assert!(
        told.contains("203.0.113.9: renewed in own-white, until ")
            && told.contains("; before (line 3, of "),
        "{told}"
    );
}

#[test]
fn nothing_is_served_anew_when_nothing_was_removed() {
    let server = setup().start();
    let (exit, told) = dnsbld(&server, &["allow", "remove", "192.0.2.7"]);
    assert_eq!((exit, &*told), (1, "192.0.2.7: is not in own-white\n"));
}

/// One line that is no key costs no other.
#[test]
fn what_is_no_key_on_standard_input_is_left_out() {
    let setup = setup();
    let keys = b"198.51.100.1\n\xff\n0.0.0.0/0\nexample.org\n198.51.100.2\n";
    let (exit, told) = with_input(&setup, &["block", "add", "-"], keys);
    assert_eq!(exit, 1, "{told}");
    for part in
        ["0.0.0.0/0 is much to block", "\"example.org\" is no key of own-black (ip4trie); left out"]
    {
        assert!(told.contains(part), "{told}");
    }
    let text = fs::read_to_string(setup.path("own-black")).unwrap();
    assert!(text.contains("\n198.51.100.1") && text.contains("\n198.51.100.2"), "{text}");
}

/// Many writers lose nothing, and what comes on standard input is one change.
#[test]
fn many_entries_at_once() {
    let server = setup().start();
    let keys: String = (0..5000).map(|n| format!("10.{}.{}.9 # why\n", n / 250, n % 250)).collect();
    std::thread::scope(|scope| {
        let all = (0..4).map(|n| {
            let (server, key) = (&server, format!("203.0.113.{n}"));
            scope.spawn(move || dnsbld(server, &["block", "add", &key]).0)
        });
        let all: Vec<_> = all.collect();
        let (exit, told) = with_input(&server, &["block", "add", "-"], &keys);
        assert!(exit == 0 && told.contains("own-black: "), "{told}");
        assert!(all.into_iter().all(|one| one.join().unwrap() == 0));
    });
    let text = fs::read_to_string(server.path("own-black")).unwrap();
    assert_eq!(text.lines().count(), 1 + 5000 + 4);
    assert!(wait_until(Duration::from_secs(5), || {
        code(&server, "9.249.19.10") == NoError && code(&server, "3.113.0.203") == NoError
    }));
}
