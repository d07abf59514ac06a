//! `dnsbld status` and `dnsbld reload`: the control socket of a running server, from outside.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode::NoError;
use hickory_proto::rr::RecordType;
use rustix::process::Signal;
use serde_json::Value;

use crate::common::{Process, Setup, free_port, is_root, skip, slow_list, wait_until};

const SOON: Duration = Duration::from_secs(20);

/// The user "nobody" of most systems.
const NOBODY: u32 = 65_534;

struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Run {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}{}", self.out, self.err))
    }
}

/// Runs dnsbld beside the server of this folder.
fn dnsbld(setup: &Setup, arguments: &[&str]) -> Run {
    run(client(setup).args(arguments))
}

fn client(setup: &Setup) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.current_dir(setup.path("")).env("RUNTIME_DIRECTORY", setup.path(""));
    command.env_remove("DNSBLD_LOG");
    command
}

fn run(command: &mut Command) -> Run {
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Run { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// Settings with a dataset and a zone for each of these files.
fn lists(setup: &Setup, server: &str, names: &[&str]) {
    let list = |name: &&str| {
        format!(
            "[[dataset]]\nname = \"{name}\"\ntype = \"ip4set\"\nfiles = [\"{name}\"]\n\
             [[zone]]\nname = \"{name}.test\"\ndatasets = [\"{name}\"]\n"
        )
    };
    setup.configure(server, &names.iter().map(list).collect::<String>());
}

/// A request as it is, and the answer.
fn exchange(setup: &Setup, request: &[u8]) -> String {
    let mut stream = UnixStream::connect(setup.path("control")).expect("a server");
    // The server may answer before it has read all.
    let _ = stream.write_all(request);
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    text
}

#[test]
fn status_tells_how_the_server_is_during_the_first_load_and_after_it() {
    let setup = Setup::new();
    setup.write("good", "127.0.0.2 :2:test\n10.0.0.0/8\n");
    slow_list(&setup.path("slow"));
    lists(&setup, "", &["good", "slow"]);
    assert_eq!(dnsbld(&setup, &["status"]).code, Some(2), "before there is a server");

    let mut server = setup.launch();
    let mut first = Value::Null;
    assert!(
        wait_until(SOON, || {
            let run = dnsbld(&server, &["status", "--json"]);
            let answers = run.code == Some(1);
            if answers {
                first = run.json();
            }
            answers && first["datasets"].as_array().is_some_and(|sets| !sets.is_empty())
        }),
        "{}",
        server.log()
    );
    assert_eq!(first["schema"], 1);
    assert_eq!(first["server"]["loading"], true, "{first}");
    assert_eq!(first["zones"][1]["name"], "slow.test");
    assert_eq!(first["zones"][1]["ready"], false);
    assert_eq!(first["datasets"][1]["state"], "never-loaded");

    fs::write(server.path("slow"), "10.1.2.3\n").expect("it can be written");
    server.expect_log(&["ready after"], SOON);
    assert!(wait_until(SOON, || dnsbld(&server, &["status"]).code == Some(0)), "{}", server.log());
    assert!(!server.has_ended());
    assert_eq!(server.ask("2.0.0.127.good.test", RecordType::A).rcode(), NoError);
    let status = dnsbld(&server, &["status", "--json"]).json();
    assert_eq!(status["server"]["loading"], false);
    assert_eq!(status["server"]["listening"]["plain"][0], server.addr().to_string());
    let zone = &status["zones"][0];
    assert_eq!((zone["name"].as_str(), zone["ready"].as_bool()), (Some("good.test"), Some(true)));
    assert_eq!(zone["state"], "live");
    assert_eq!(zone["serial"], server.serial("good.test"));
    assert_eq!((&zone["entries"], &zone["addresses"]), (&2.into(), &16_777_217.into()));
    assert!(zone["queries"].as_u64() >= Some(1) && zone["listed"].as_u64() >= Some(1), "{zone}");
    let dataset = &status["datasets"][0];
    assert_eq!((&dataset["name"], &dataset["type"]), (&"good".into(), &"ip4set".into()));
    assert_eq!((&dataset["state"], &dataset["problem"]), (&"live".into(), &Value::Null));
    assert_eq!(dataset["files"][0]["path"], server.path("good").display().to_string());
    assert!(dataset["accepted"].as_str().is_some_and(|time| time.ends_with('Z')), "{dataset}");

    let part = dnsbld(&server, &["status", "--json", "slow"]).json();
    assert_eq!(part["zones"].as_array().map(Vec::len), Some(1));
    assert_eq!(part["datasets"][0]["name"], "slow");
    let none = dnsbld(&server, &["status", "absent"]);
    assert_eq!(
        (none.code, none.err.contains("has no zone, dataset or feed \"absent\"")),
        (Some(1), true)
    );
}

#[test]
fn a_dataset_with_a_bad_file_shows_what_is_wrong_and_the_remedy() {
    let setup = Setup::new();
    for name in ["good", "garbage", "gone"] {
        setup.write(name, "127.0.0.2 :2:test\n10.0.0.1\n");
    }
    lists(&setup, "", &["good", "garbage", "gone", "absent"]);
    let server = setup.start();
    server.write("garbage", "@@@\n@@@\n");
    fs::remove_file(server.path("gone")).expect("it was there");
    let state = |status: &Value, name: &str| {
        let sets = status["datasets"].as_array().expect("a list");
        sets.iter().find(|set| set["name"] == name).expect("the dataset").clone()
    };
    let mut status = Value::Null;
    let is_seen = wait_until(SOON, || {
        let run = dnsbld(&server, &["status", "--json"]);
        assert_eq!(run.code, Some(1), "{}", run.err);
        status = run.json();
        ["garbage", "gone"].iter().all(|name| !state(&status, name)["problem"].is_null())
    });
    assert!(is_seen, "{status}");
    assert_eq!(state(&status, "good")["state"], "live");
    assert_eq!(state(&status, "absent")["state"], "never-loaded");
    let zone =
        |number: usize| (&status["zones"][number]["state"], &status["zones"][number]["ready"]);
    assert_eq!(zone(0), (&"live".into(), &true.into()));
    assert_eq!(zone(1), (&"kept".into(), &true.into()));
    assert_eq!(zone(3), (&"never-loaded".into(), &false.into()));
    for (name, word, entries, cause) in
        [("garbage", "quarantined", 2, "nothing valid"), ("gone", "stale", 2, "no such file")]
    {
        let set = state(&status, name);
        assert_eq!((&set["state"], &set["entries"]), (&word.into(), &entries.into()), "{set}");
        let problem = &set["problem"];
        assert!(problem["cause"].as_str().is_some_and(|text| text.contains(cause)), "{problem}");
        assert!(problem["remedy"].as_str().is_some_and(|text| text.len() > 10), "{problem}");
        assert_eq!(problem["file"], server.path(name).display().to_string());
    }
    let text = dnsbld(&server, &["status", "garbage.test"]);
    assert_eq!(text.code, Some(1));
    let line = text.out.lines().last().unwrap_or_default();
    assert!(line.starts_with("dataset garbage: quarantined: "), "{}", text.out);
    assert!(line.contains("; 2 entries stay in service; "), "{line}");
    assert_eq!(dnsbld(&server, &["status", "good"]).code, Some(0), "this part is well");
}

#[test]
fn reload_waits_and_says_what_has_changed_or_why_not() {
    let setup = Setup::new();
    for name in ["one", "two", "three"] {
        setup.write(name, "127.0.0.2 :2:test\n10.0.0.1\n");
    }
    lists(&setup, "check-interval = 0", &["one", "two"]);
    let server = setup.launch();
    server.expect_log(&["ready after"], SOON);
    let reload = || dnsbld(&server, &["reload"]);

    let same = reload();
    assert_eq!((same.code, same.out.lines().next()), (Some(0), Some("nothing has changed")));
    assert_eq!(same.err, "");

    server.write("one", "127.0.0.2 :2:test\n10.0.0.1\n10.0.0.2\n10.0.0.3\n");
    let changed = reload();
    assert_eq!(changed.code, Some(0), "{}{}", changed.out, changed.err);
    let first = changed.out.lines().next();
    assert_eq!(first, Some("dataset one: reloaded: 4 entries, before 2"), "{}", server.log());
    assert_eq!(server.ask("3.0.0.10.one.test", RecordType::A).rcode(), NoError);
    let status = dnsbld(&server, &["status", "--json", "one"]).json();
    let change = &status["datasets"][0]["last_change"];
    assert_eq!((&change["added"], &change["removed"]), (&2.into(), &0.into()), "{status}");

    lists(&server, "check-interval = 0\nworkers = 1", &["one", "three"]);
    let settings = reload();
    assert_eq!(settings.code, Some(0), "{}{}", settings.out, settings.err);
    for line in [
        "dataset three is new",
        "zone three.test is new",
        "dataset two is removed",
        "server.workers needs a restart",
        "dataset three: loaded 2 entries",
        "dataset two: removed, with 2 entries",
    ] {
        assert!(settings.out.contains(line), "{line}: {}", settings.out);
    }
    assert_eq!(server.ask("1.0.0.10.three.test", RecordType::A).rcode(), NoError);

    server.write("three", "@@@\n");
    let refused = reload();
    assert_eq!(refused.code, Some(1));
    let line = refused.out.lines().find(|line| line.starts_with("dataset three: not reloaded: "));
    let line = line.unwrap_or_else(|| panic!("{}\n{}", refused.out, server.log()));
    assert!(line.contains("; 2 entries are kept; "), "{line}");

    server.write("dnsbld.toml", "[server]\nbogus = 1\n");
    let wrong = reload();
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.out.contains("dnsbld.toml:2:1: unknown key \"bogus\""), "{}", wrong.out);
    assert!(wrong.out.contains("the settings read before stay in use"), "{}", wrong.out);
}

#[test]
fn the_server_is_found_by_its_configuration_or_its_socket() {
    let setup = Setup::new();
    setup.write("good", "10.0.0.1\n");
    lists(&setup, "control = \"own/socket\"", &["good"]);
    let server = setup.start();
    let config = server.path("dnsbld.toml").display().to_string();
    let socket = server.path("own/socket").display().to_string();
    assert_eq!(dnsbld(&server, &["status", "--config", &config]).code, Some(0));
    assert_eq!(dnsbld(&server, &["status", "--socket", &socket]).code, Some(0));
    assert_eq!(dnsbld(&server, &["reload", "--socket", &socket]).code, Some(0));
    let nobody = dnsbld(&server, &["status"]);
    assert_eq!((nobody.code, nobody.out.as_str()), (Some(2), ""));
    let usual = server.path("control").display().to_string();
    assert!(nobody.err.starts_with(&format!("dnsbld: no server answers at {usual} (")));
    assert!(nobody.err.contains("--socket PATH"), "{}", nobody.err);
    // What is wrong elsewhere in the configuration does not hide the server.
    server.write("dnsbld.toml", "server.control = \"own/socket\"\nserver.bogus = 1\n");
    assert_eq!(dnsbld(&server, &["reload", "--config", &config]).code, Some(1));

    let off = Setup::new();
    off.write("good", "10.0.0.1\n");
    lists(&off, "control = \"off\"", &["good"]);
    let off = off.start();
    assert!(!off.path("control").exists());
    let config = off.path("dnsbld.toml").display().to_string();
    let run = dnsbld(&off, &["status", "--config", &config]);
    assert_eq!((run.code, run.err.contains("control = \"off\"")), (Some(2), true));
}

#[test]
fn the_socket_is_narrow_and_goes_with_the_server() {
    let setup = Setup::new();
    setup.write("good", "10.0.0.1\n");
    lists(&setup, "", &["good"]);
    let server = setup.start();
    let file = fs::metadata(server.path("control")).expect("a socket");
    assert!(file.file_type().is_socket());
    assert_eq!(file.mode() & 0o7777, 0o660);
    if is_root() {
        // Somebody whom the modes let in may read, and no more.
        for (path, mode) in [("control", 0o666), ("", 0o755)] {
            let permissions = Permissions::from_mode(mode);
            fs::set_permissions(server.path(path), permissions).expect("it is ours");
        }
        let socket = server.path("control").display().to_string();
        let other = |verb| {
            let mut command = client(&server);
            run(command.current_dir("/").args([verb, "--socket", &socket]).uid(NOBODY).gid(NOBODY))
        };
        let status = other("status");
        assert_eq!(status.code, Some(0), "{}", status.err);
        let reload = other("reload");
        assert_eq!((reload.code, reload.out.as_str()), (Some(1), ""));
        assert!(reload.err.contains("this user may only read"), "{}", reload.err);
        assert!(!server.log().contains("settings-reloaded"));
    } else {
        skip("only root can ask as another user");
    }
    let socket = server.path("control");
    let setup = server.stop();
    assert!(!socket.exists());

    // One that was killed leaves its socket behind, which the next one replaces.
    let mut server = setup.start();
    server.signal(Signal::KILL);
    assert!(wait_until(SOON, || server.has_ended()));
    assert!(socket.exists());
    assert_eq!(dnsbld(&server, &["status"]).code, Some(2));
    let again = Process::start(&mut server.command(), &server.path("again"));
    assert!(wait_until(SOON, || dnsbld(&server, &["status"]).code == Some(0)), "{}", again.out());
    assert!(!again.out().contains("control-socket-not-opened"), "{}", again.out());
}

/// Regression: nobody could ask a second server of one user.
#[test]
fn a_second_server_has_a_socket_of_its_own() {
    let setup = Setup::new();
    setup.write("good", "10.0.0.1\n");
    lists(&setup, "", &["good"]);
    let server = setup.start();
    let before = dnsbld(&server, &["status", "--json"]).json();
    let config = fs::read_to_string(server.path("dnsbld.toml")).expect("it is there");
    let other = config.replace(&server.addr().port().to_string(), &free_port().to_string());
    server.write("other.toml", other);
    let start = |out: &str| {
        let mut command = client(&server);
        command.args(["serve", "--config", "other.toml"]);
        let mut process = Process::start(&mut command, &server.path(out));
        process.wait(SOON, |process| process.out().contains("ready after"));
        process
    };
    let second = start("second");
    assert!(!second.out().contains("control-socket-not-opened"), "{}", second.out());
    let pid = |arguments: &[&str]| {
        let status = dnsbld(&server, arguments).json();
        status["server"]["pid"].as_u64()
    };
    let [of_first, of_second] =
        ["dnsbld.toml", "other.toml"].map(|config| pid(&["status", "--json", "--config", config]));
    assert_eq!(of_first, before["server"]["pid"].as_u64());
    assert!(of_second.is_some() && of_second != of_first);
    assert_eq!(pid(&["status", "--json"]), of_first, "the first one is at the usual place");
    // What is left of one that was killed is in nobody's way.
    let mut second = second;
    second.signal(Signal::KILL);
    assert!(wait_until(SOON, || second.has_ended()));
    assert_eq!(dnsbld(&server, &["status", "--config", "other.toml"]).code, Some(2));
    let mut third = start("third");
    assert_eq!(dnsbld(&server, &["reload", "--config", "other.toml"]).code, Some(0));
    third.signal(Signal::TERM);
    assert!(wait_until(SOON, || third.has_ended()));
    assert!(!server.path("control-2").exists());
    assert_eq!(pid(&["status", "--json"]), of_first);
}

/// Regression: with a path of its own, a second server takes nobody's socket.
#[test]
fn a_second_server_leaves_the_socket_of_the_first() {
    let setup = Setup::new();
    setup.write("good", "10.0.0.1\n");
    lists(&setup, "control = \"socket\"", &["good"]);
    let server = setup.start();
    let mut command = server.command();
    command.args(["--listen", &format!("127.0.0.1:{}", free_port())]);
    let mut second = Process::start(&mut command, &server.path("second"));
    second.wait(SOON, |process| process.out().contains("ready after"));
    let log = second.out();
    let line = log.lines().find(|line| line.contains("control-socket-not-opened"));
    let line = line.unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains("WARN") && line.contains("another server answers there"), "{line}");
    second.signal(Signal::TERM);
    assert!(wait_until(SOON, || second.has_ended()));
    assert!(server.path("socket").exists());
}

/// Regression: a client that was told a configuration asked the server of another one.
#[test]
fn a_client_asks_no_server_of_another_configuration() {
    let setup = Setup::new();
    setup.write("good", "10.0.0.1\n");
    lists(&setup, "", &["good"]);
    let server = setup.start();
    assert_eq!(dnsbld(&server, &["status", "--config", "./dnsbld.toml"]).code, Some(0));
    server.write("other.toml", fs::read(server.path("dnsbld.toml")).expect("it is there"));
    for verb in ["status", "reload"] {
        let other = dnsbld(&server, &[verb, "--config", "other.toml"]);
        assert_eq!((other.code, other.out.as_str()), (Some(2), ""), "{verb}");
        assert!(other.err.contains("it serves another configuration: "), "{}", other.err);
        assert!(other.err.contains("(control in the [server] settings)"), "{}", other.err);
    }
    assert!(!server.log().contains("settings-reloaded"), "{}", server.log());
}

/// A reload during the first load has to wait for it, and says so.
#[test]
fn who_waits_for_the_first_load_is_told() {
    let setup = Setup::new();
    setup.write("good", "10.0.0.1\n");
    slow_list(&setup.path("slow"));
    lists(&setup, "", &["good", "slow"]);
    let server = setup.launch();
    assert!(wait_until(SOON, || server.path("control").exists()), "{}", server.log());
    let mut command = client(&server);
    let mut reload = Process::start(command.arg("reload"), &server.path("reload"));
    let says = |words: &str| wait_until(SOON, || reload.out().contains(words));
    assert!(says("dnsbld: waiting: the server is reading files"), "{}", reload.out());
    fs::write(server.path("slow"), "10.1.2.3\n").expect("it can be written");
    assert!(says("done in "), "{}", reload.out());
    assert!(wait_until(SOON, || reload.has_ended()));
}

#[test]
fn clients_that_hang_or_talk_nonsense_harm_nobody() {
    let setup = Setup::new();
    setup.write("good", "10.0.0.1\n");
    lists(&setup, "", &["good"]);
    let server = setup.start();
    let socket = server.path("control");
    let connect = || UnixStream::connect(&socket).expect("a server");
    let silent: Vec<_> = (0..15).map(|_| connect()).collect();
    let deaf: Vec<_> = (0..15)
        .map(|_| {
            let mut stream = connect();
            stream.write_all(b"{\"command\":\"status\"}\n").expect("it is read");
            stream
        })
        .collect();
    let start = Instant::now();
    assert_eq!(dnsbld(&server, &["status"]).code, Some(0));
    assert_eq!(server.ask("1.0.0.10.good.test", RecordType::A).rcode(), NoError);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    for nonsense in [&b"\0\n"[..], b"GET / HTTP/1.1\r\n\r\n", b"{}\n", b"{\"command\":\"stop\"}\n"]
    {
        let answer = exchange(&server, nonsense);
        assert!(answer.starts_with("{\"error\":\"the request is none"), "{answer}");
    }
    let answer = exchange(&server, &vec![b'x'; 1 << 20]);
    assert!(answer.contains("longer than 65536 bytes"), "{answer}");
    drop((silent, deaf));
    assert_eq!(dnsbld(&server, &["status"]).code, Some(0));
    let (status, took, log) = server.terminate();
    assert!(status.success() && took < Duration::from_secs(5), "{took:?}: {log}");
}
