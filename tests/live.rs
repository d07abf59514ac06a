//! `dnsbld events`, `stats` and `top`: what is going on in a running server, from outside.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hickory_proto::rr::RecordType;
use serde_json::Value;

use crate::common::{Daemon, Ended, Setup, ended, wait_until};

const SOON: Duration = Duration::from_secs(20);

/// A server with two zones that has answered two queries for what is listed, and one for what is not.
fn server() -> Daemon {
    let setup = Setup::new();
    setup.write("one", "127.0.0.2 :2:test\n10.0.0.1\n");
    setup.write("two", "127.0.0.2 :2:test\n");
    let lists = ["one", "two"].map(|name| (format!("{name}.test"), name.to_owned()));
    setup.configure_lists("workers = 1", &lists);
    let server = setup.start();
    for name in ["1.0.0.10.one.test", "2.0.0.127.one.test", "9.0.0.10.one.test"] {
        server.ask(name, RecordType::A);
    }
    server
}

fn client(server: &Daemon, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.args(arguments).current_dir(server.path("")).env("RUNTIME_DIRECTORY", server.path(""));
    command.env_remove("DNSBLD_LOG");
    command
}

fn dnsbld(server: &Daemon, arguments: &[&str]) -> String {
    let Ended { code, out, err } = ended(client(server, arguments));
    assert_eq!((code, &*err), (0, ""), "{out}");
    out
}

/// The lines with one space between words.
fn squeezed(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Ends with the test.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn events_are_told_and_followed_until_the_server_stops() {
    let server = server();
    let told = dnsbld(&server, &["events"]);
    let line = told.lines().find(|line| line.contains("dataset one.test: loaded")).expect(&told);
    let (time, words) = line.split_once(' ').expect(line);
    assert!(time.len() == 20 && time.ends_with('Z'), "{line}");
    assert_eq!(words, " INFO dataset one.test: loaded 2 entries from 1 file");
    assert_eq!(dnsbld(&server, &["events", "-n", "1"]).lines().count(), 1);
    let last: Value =
        serde_json::from_str(&dnsbld(&server, &["events", "-n", "1", "--json"])).unwrap();
    let number = last["number"].as_u64().expect("a number");

    let mut follower = client(&server, &["events", "--follow", "--json", "-n", "1"]);
    let mut follower = Ending(follower.stdout(Stdio::piped()).spawn().expect("it starts"));
    let mut lines = BufReader::new(follower.0.stdout.take().expect("it is piped")).lines();
    let mut next = || -> Value {
        let line = lines.next().expect("a line").expect("it can be read");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"))
    };
    assert_eq!(next(), last);
    server.write("two", "@@@\n@@@\n");
    let refused = (number + 1..).map(|number| {
        let event = next();
        assert_eq!(event["number"], number, "none is left out");
        event
    });
    let refused = refused.into_iter().find(|event| event["event"] == "dataset-refused").unwrap();
    assert_eq!((&refused["dataset"], &refused["zone"]), (&"two.test".into(), &Value::Null));
    assert!(refused["text"].as_str().is_some_and(|text| text.starts_with("dataset two.test: ")));
    let status: Value =
        serde_json::from_str(&ended(client(&server, &["status", "--json", "two.test"])).out)
            .unwrap();
    let kept = status["events"].as_array().expect("a list");
    assert!(kept.contains(&refused), "{status}");
    assert!(kept.iter().all(|event| event["dataset"] == "two.test"), "{status}");

    server.stop();
    let end = lines.map(|line| line.expect("it can be read")).last().expect("a last line");
    assert_eq!(serde_json::from_str::<Value>(&end).unwrap()["event"], "stopping");
    assert_eq!(follower.0.wait().expect("it ends").code(), Some(0));
}

#[test]
fn stats_are_told_by_zone_with_their_shares() {
    let server = server();
    server.ask("1.0.0.10.elsewhere.test", RecordType::TXT);
    let text = squeezed(&dnsbld(&server, &["stats", "--interval", "0"]));
    assert!(text[0].ends_with("rates are those of all that time"), "{text:?}");
    let counts = |name: &str| {
        let line = text.iter().find(|line| line.starts_with(name)).expect("a line");
        let words: Vec<_> = line[name.len()..].split_whitespace().map(str::to_owned).collect();
        (words[0].clone(), words[2].clone(), words[4].clone())
    };
    let three =
        |queries: &str, listed: &str| (queries.to_owned(), listed.to_owned(), "0".to_owned());
    assert_eq!(counts("one.test"), three("3", "2"));
    assert_eq!(counts("two.test"), three("0", "0"));
    assert_eq!(counts("(no zone)"), three("1", "0"));
    assert_eq!(counts("all"), three("4", "2"));
    assert_eq!(
        text[text.len() - 4..],
        [
            "answers NOERROR 2 (50.0 %), NXDOMAIN 1 (25.0 %), REFUSED 1 (25.0 %)",
            "types A 3 (75.0 %), TXT 1 (25.0 %)",
            "over udp 4 (100.0 %)",
            "A values 127.0.0.2 2 (100.0 %)",
        ]
    );
    let json: Value =
        serde_json::from_str(&dnsbld(&server, &["stats", "--json", "ONE.test."])).unwrap();
    assert_eq!(json["zones"].as_array().map(Vec::len), Some(1));
    let zone = &json["zones"][0];
    assert_eq!((&zone["queries"], &zone["listed"]), (&3.into(), &2.into()));
    assert_eq!(zone["queries_per_second"], 0.0, "nobody asks now");
    assert!(json["uptime_seconds"].as_f64() > Some(1.0), "{json}");
    let Ended { code, err, .. } = ended(client(&server, &["stats", "absent.test"]));
    assert_eq!((code, err.contains("has no zone \"absent.test\"")), (1, true), "{err}");
    server.stop();
}

#[test]
fn top_prints_blocks_where_there_is_no_terminal() {
    let server = server();
    let asking = server.client();
    let mut top = client(&server, &["top", "-n", "2"]);
    let mut top = Ending(top.stdout(Stdio::piped()).spawn().expect("it starts"));
    // Enough for some to be looked at.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        asking.ask("1.0.0.10.one.test", RecordType::A).expect("an answer");
    }
    let mut out = String::new();
    top.0.stdout.take().expect("it is piped").read_to_string(&mut out).expect("text");
    assert_eq!(top.0.wait().expect("it ends").code(), Some(0));
    let blocks: Vec<_> = out.split_terminator("\n\ndnsbld ").collect();
    assert_eq!(blocks.len(), 2, "{out}");
    let text = squeezed(blocks[1]);
    let line = |start: &str| {
        let line = text.iter().find(|line| line.starts_with(start));
        line.unwrap_or_else(|| panic!("no {start}: {out}")).split(' ').collect::<Vec<_>>()
    };
    let zone = line("one.test live ");
    assert!(zone[2].parse::<f64>().is_ok_and(|rate| rate > 10.0), "{out}");
    assert!(line("10.0.0.1 one.test ")[2].parse::<f64>().is_ok_and(|rate| rate > 10.0), "{out}");
    assert_eq!(line("127.0.0.1 ")[2..], ["100.0", "%"]);
    assert_eq!(line("two.test live 1")[..2], ["two.test", "live"]);

    let config = fs::read_to_string(server.path("dnsbld.toml")).expect("it is there");
    server.write("dnsbld.toml", config.clone() + "[stats]\ntop = false\n");
    dnsbld(&server, &["reload"]);
    let json: Value = serde_json::from_str(&dnsbld(&server, &["stats", "--json"])).unwrap();
    assert_eq!(
        (&json["top"]["is_on"], json["top"]["clients"].as_array().map(Vec::len)),
        (&false.into(), Some(0))
    );
    server.stop();
    let Ended { code, out, err } = ended(client_of_nobody());
    assert_eq!((code, &*out), (2, ""), "{err}");
}

fn client_of_nobody() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.args(["top", "--socket", "/nonexistent/control"]).env_remove("DNSBLD_LOG");
    command
}

/// Runs `dnsbld top` on a terminal: what was shown, and how it ended.
fn on_a_terminal(server: &Daemon, steps: &[&str]) -> Vec<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/terminal.py");
    let top = client(server, &["top"]);
    let mut command = Command::new("python3");
    command
        .arg(script)
        .arg("80x24")
        .args(steps)
        .arg("--")
        .arg(top.get_program())
        .args(top.get_args());
    command.current_dir(server.path("")).env("RUNTIME_DIRECTORY", server.path(""));
    let Ended { code, out, err } = ended(command);
    assert_eq!((code, &*err), (0, ""), "{out}");
    out.split("--------\n").map(str::to_owned).collect()
}

#[test]
fn top_shows_a_screen_obeys_keys_and_gives_the_terminal_back() {
    let server = server();
    let steps = [
        "wait:one.test",
        "show",
        "key:s",
        "wait:order (listed a second)",
        "key:TAB",
        "gone:accepted",
        "show",
        "key:?",
        "wait:ctrl-c",
        "key:x",
        "gone:ctrl-c",
        "key:p",
        "wait:PAUSED",
        "key:p",
        "gone:PAUSED",
        "key:ESC",
        "wait:accepted",
        "size:100x10",
        "wait:q quit",
        "show",
        "key:q",
        "end",
    ];
    let shown = on_a_terminal(&server, &steps);
    let lines = |screen: &str| -> Vec<String> { squeezed(screen) };
    let first = lines(&shown[0]);
    assert_eq!(first.len(), 24);
    assert!(
        first[0].starts_with(concat!("dnsbld ", env!("CARGO_PKG_VERSION"), ", up ")),
        "{first:?}"
    );
    assert_eq!(first[2], "all zones are ready, and all datasets are as they should be");
    assert_eq!(first[4], "zone state queries/s listed/s queries listed");
    assert!(first.iter().any(|line| line.starts_with("one.test live ")), "{first:?}");
    assert!(first.iter().any(|line| line.starts_with("two.test live 1 ")), "{first:?}");
    assert!(first.iter().any(|line| line == "events, the newest first"), "{first:?}");
    assert!(first[23].starts_with("q quit tab section s order (queries a second)"), "{first:?}");
    let zones = lines(&shown[1]);
    assert!(zones[4..8].iter().any(|line| line.starts_with("two.test")), "{zones:?}");
    assert!(zones[8..23].iter().all(String::is_empty), "zones alone: {zones:?}");
    let small = lines(&shown[2]);
    assert_eq!(small.len(), 10, "{small:?}");
    assert!(small[9].starts_with("q quit"), "{small:?}");
    assert_eq!(shown[3], "exit [0] as before\n");

    let shown = on_a_terminal(&server, &["wait:one.test", "signal:15", "end"]);
    assert_eq!(shown, ["exit [143] as before\n"], "a signal that ends it");
    let shown = on_a_terminal(&server, &["wait:one.test", "key:\u{3}", "end"]);
    assert_eq!(shown, ["exit [0] as before\n"], "ctrl-c");
    server.stop();
}

/// Clients of the control socket that connect and say nothing.
const HANG: &str = "
import socket, sys, time
held, start = [], time.monotonic()
while len(held) < 1000 and time.monotonic() - start < 30:
    client = socket.socket(socket.AF_UNIX)
    client.setblocking(False)
    while client.connect_ex(sys.argv[1]):
        time.sleep(0.002)
    held.append(client)
    if len(held) == 50:
        print('hanging', flush=True)
sys.stdin.read()
";

#[test]
fn clients_that_hang_keep_neither_queries_nor_others_waiting() {
    let server = server();
    let mut hanging = Command::new("python3");
    hanging.args(["-c", HANG]).arg(server.path("control"));
    let hanging = hanging.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut hanging = Ending(hanging.expect("it starts"));
    let mut line = String::new();
    let mut told = BufReader::new(hanging.0.stdout.take().expect("it is piped"));
    told.read_line(&mut line).expect("a line");
    assert_eq!(line, "hanging\n");
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let client = server.client();
            for _ in 0..2000 {
                client.ask("1.0.0.10.one.test", RecordType::A).expect("an answer");
            }
        });
        for _ in 0..3 {
            let start = Instant::now();
            dnsbld(&server, &["status"]);
            assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
        }
        asking.join().expect("all were answered");
    });
    drop(hanging);
    assert!(wait_until(SOON, || ended(client(&server, &["status"])).code == 0));
    server.stop();
}
