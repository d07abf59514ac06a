//! What is logged of queries, one by one, and the forms of the server's log: of the real binary, with the collector
//! of the fstrm project.

use crate::common::{Daemon, Process, Setup, query, wait_until};
use hickory_proto::rr::RecordType;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

const SOON: Duration = Duration::from_secs(10);

/// Two zones with an address each.
fn two_zones(setup: &Setup, server: &str) {
    let lists = ["a.test", "b.test"].map(|zone| (zone.to_owned(), "list".to_owned()));
    setup.configure_lists(server, &lists);
    setup.write("list", "192.0.2.1\n");
}

/// The two are listed, the third is not, the fourth is of no zone.
const QUESTIONS: [&str; 4] =
    ["1.2.0.192.a.test", "1.2.0.192.b.test", "9.2.0.192.a.test", "other.example"];

fn ask_all(daemon: &Daemon) {
    for name in QUESTIONS {
        daemon.client().ask(name, RecordType::A).expect("an answer");
    }
}

fn names(lines: &str) -> Vec<String> {
    let name = |line: &str| {
        let json: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        json["name"].as_str().expect("a name").to_owned()
    };
    lines.lines().map(name).collect()
}

#[test]
fn the_query_log_has_what_its_filter_lets_pass_for_the_servers_group_alone() {
    for (filter, want) in [
        ("", &QUESTIONS[..]),
        ("query-log-only = [\"listed\"]", &QUESTIONS[..2]),
        ("query-log-only = [\"refused\"]", &QUESTIONS[3..]),
        ("query-log-zones = [\"a.test\"]", &["1.2.0.192.a.test", "9.2.0.192.a.test"]),
        ("query-log-only = [\"listed\"]\nquery-log-zones = [\"b.test\"]", &["1.2.0.192.b.test"]),
        ("workers = 1\nquery-log-sample = 4", &QUESTIONS[..1]),
    ] {
        let setup = Setup::new();
        let log = "query-log = \"queries\"\nquery-log-format = \"json\"";
        two_zones(&setup, &format!("{log}\n{filter}"));
        let daemon = setup.start();
        ask_all(&daemon);
        let setup = daemon.stop();
        let log = fs::read_to_string(setup.path("queries")).expect("it was written");
        let mut got = names(&log);
        got.sort_by_key(|name| QUESTIONS.iter().position(|question| question == name));
        assert_eq!(got, want, "{filter}");
        let mode = fs::metadata(setup.path("queries")).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }
}

#[test]
fn the_log_is_json_or_for_the_journal_from_the_first_to_the_last_line() {
    let setup = Setup::new();
    two_zones(&setup, "log-format = \"json\"");
    setup.write("list", "192.0.2.1\nbad \"line\"\n");
    let daemon = setup.start();
    let (_, _, log) = daemon.terminate();
    let lines: Vec<Value> = log
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    // Both datasets have the line; either may be the first.
    let is_bad = |line: &&Value| line["event"] == "bad-line" && line["dataset"] == "a.test";
    let bad = lines.iter().find(is_bad).expect("a bad line");
    assert_eq!(bad["level"], "warn", "{bad}");
    assert!(bad["file"].as_str().is_some_and(|file| file.ends_with("/list")), "{bad}");
    assert!(bad["message"].as_str().is_some_and(|words| words.contains("`bad \"line\"`")), "{bad}");
    assert!(bad["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{bad}");
    assert!(lines.iter().any(|line| line["event"] == "stopping"), "{log}");
    // Beside them, there is the report of the start.
    assert!(!log.lines().any(|line| line.contains("WARN")), "{log}");

    let setup = Setup::new();
    two_zones(&setup, "log-format = \"journald\"");
    setup.write("list", "192.0.2.1\nbad\n");
    let daemon = setup.start();
    let (_, _, log) = daemon.terminate();
    let is_bad = |line: &&str| line.contains(" event=\"bad-line\" dataset=\"a.test\"");
    let line = log.lines().find(is_bad).expect("a bad line");
    assert!(line.starts_with("<4>dataset a.test: "), "{line}");
    assert!(log.lines().any(|line| line == "<6>stopping event=\"stopping\""), "{log}");

    // What stands in the way of a start is told in that form, too.
    let last_word = |setup: &Setup, arguments: &[&str]| {
        let output = setup.command().args(arguments).output().expect("it can be started");
        let text = String::from_utf8(output.stderr).expect("text");
        let last: Option<Value> =
            text.lines().last().and_then(|line| serde_json::from_str(line).ok());
        last.and_then(|last| Some(last["message"].as_str()?.to_owned()))
            .expect("JSON with a message")
    };
    let setup = Setup::new();
    two_zones(&setup, "log-format = \"json\"");
    let _taken = UdpSocket::bind(setup.addr()).expect("it is free");
    let words = last_word(&setup, &[]);
    assert!(words.contains("cannot listen on"), "{words}");
    // The command line goes before the settings, and holds for settings that cannot be used.
    two_zones(&setup, "log-format = \"journald\"");
    let words = last_word(&setup, &["--log-format", "json"]);
    assert!(words.contains("cannot listen on"), "{words}");
    two_zones(&setup, "bogus = 1");
    let words = last_word(&setup, &["--log-format", "json"]);
    assert!(words.contains("unknown key \"bogus\" in server"), "{words}");
}

/// Starts `fstrm_capture`, which writes what it gets to a file.
fn collector(setup: &Setup) -> Process {
    let mut command = Command::new("fstrm_capture");
    command.args(["-t", "protobuf:dnstap.Dnstap", "-u"]).arg(setup.path("tap"));
    command.arg("-w").arg(setup.path("captured"));
    let process = Process::start(&mut command, &setup.path("collector"));
    assert!(wait_until(SOON, || setup.path("tap").exists()), "{}", process.out());
    process
}

/// The data frames of a file of fstrm, after its control frame.
fn frames(file: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(file).unwrap_or_default();
    let (mut rest, mut frames) = (&bytes[..], Vec::new());
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        let (len, after, is_control) = match u32::from_be_bytes(*len) {
            0 => {
                let (len, after) = after.split_first_chunk::<4>().expect("a control frame");
                (u32::from_be_bytes(*len), after, true)
            }
            len => (len, after, false),
        };
        let Some((frame, after)) = after.split_at_checked(len as usize) else { break };
        if !is_control {
            frames.push(frame.to_vec());
        }
        rest = after;
    }
    frames
}

/// A value of protocol buffers, as its wire type has it.
#[derive(Clone, PartialEq, Debug)]
enum Wire {
    Number(u64),
    Bytes(Vec<u8>),
}

/// The fields of a message of protocol buffers, by their numbers.
fn fields(mut bytes: &[u8]) -> BTreeMap<u64, Wire> {
    let mut fields = BTreeMap::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = match key & 7 {
            0 => Wire::Number(varint(&mut bytes)),
            2 => {
                let len = varint(&mut bytes) as usize;
                Wire::Bytes(bytes.split_off(..len).expect("all bytes").to_vec())
            }
            5 => {
                let fixed = bytes.split_off(..4).expect("four bytes");
                Wire::Number(u32::from_le_bytes(fixed.try_into().expect("four")).into())
            }
            other => panic!("wire type {other}"),
        };
        assert!(fields.insert(key >> 3, value).is_none(), "a field twice");
    }
    fields
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let byte = *bytes.split_off_first().expect("a byte");
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    number
}

/// The fields of dnstap.proto that are read here.
const IDENTITY: u64 = 1;
const MESSAGE: u64 = 14;
const KIND: u64 = 15;

fn bytes(bytes: &[u8]) -> Option<Wire> {
    Some(Wire::Bytes(bytes.to_vec()))
}

#[test]
fn a_dnstap_collector_gets_each_query_and_its_answer() {
    let setup = Setup::new();
    two_zones(&setup, "dnstap = \"tap\"\nid = \"ns1\"");
    let collector = collector(&setup);
    let daemon = setup.start();
    daemon.expect_log(&["event=\"dnstap-connected\""], SOON);

    // Over UDP of a listed name, in capitals, and over TCP of one of no zone.
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    udp.connect(daemon.addr()).expect("it is local");
    let listed = query(7, "1.2.0.192.A.TEST", RecordType::A);
    udp.send(&listed).expect("it can be sent");
    let mut buffer = [0; 2048];
    let len = udp.recv(&mut buffer).expect("an answer");
    let answer = buffer[..len].to_vec();
    let mut tcp = TcpStream::connect(daemon.addr()).expect("it listens");
    let other = query(8, "other.example", RecordType::TXT);
    tcp.write_all(&[&(other.len() as u16).to_be_bytes(), &other[..]].concat()).expect("sent");
    tcp.read_exact(&mut buffer[..2]).expect("an answer");
    let ports = [udp.local_addr(), tcp.local_addr()].map(|addr| addr.expect("bound").port());

    let setup = daemon.stop();
    // It writes what it has when it ends.
    let is_complete = || frames(&setup.path("captured")).len() == 4;
    collector.signal(Signal::TERM);
    wait_until(SOON, is_complete);
    let frames = frames(&setup.path("captured"));
    assert_eq!(frames.len(), 4, "{}", collector.out());
    let messages: Vec<_> = frames
        .iter()
        .map(|frame| {
            let envelope = fields(frame);
            assert_eq!(envelope.get(&IDENTITY).cloned(), bytes(b"ns1"));
            assert_eq!(envelope.get(&KIND), Some(&Wire::Number(1)));
            let Some(Wire::Bytes(message)) = envelope.get(&MESSAGE) else { panic!("no message") };
            fields(message)
        })
        .collect();
    let number = |number: u64| Some(Wire::Number(number));
    let server = setup.addr();
    for message in &messages {
        let is_udp = message.get(&3) == Some(&Wire::Number(1));
        assert_eq!(message.get(&2).cloned(), number(1), "IPv4");
        assert_eq!(message.get(&3).cloned(), number(if is_udp { 1 } else { 2 }));
        assert_eq!(message.get(&4).cloned(), bytes(&[127, 0, 0, 1]));
        assert_eq!(message.get(&5).cloned(), bytes(&[127, 0, 0, 1]));
        assert_eq!(message.get(&6).cloned(), number(ports[usize::from(!is_udp)].into()));
        assert_eq!(message.get(&7).cloned(), number(SocketAddr::port(&server).into()));
        let zone = is_udp.then(|| Wire::Bytes(b"\x01a\x04test\0".to_vec()));
        assert_eq!(message.get(&11).cloned(), zone);
        let Some(Wire::Number(asked)) = message.get(&8) else { panic!("no time") };
        let now = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
        assert!((now - 60..=now).contains(asked), "{asked}");
    }
    let of_kind = |kind, is_udp| {
        let is_it = |message: &&BTreeMap<u64, Wire>| {
            message.get(&1) == Some(&Wire::Number(kind))
                && (message.get(&3) == Some(&Wire::Number(1))) == is_udp
        };
        messages.iter().find(is_it).expect("one of each")
    };
    assert_eq!(of_kind(1, true).get(&10).cloned(), bytes(&listed));
    assert_eq!(of_kind(1, false).get(&10).cloned(), bytes(&other));
    assert_eq!(of_kind(2, true).get(&14).cloned(), bytes(&answer));
    assert!(of_kind(2, true).contains_key(&12) && of_kind(2, true).contains_key(&13));
    assert!(!of_kind(1, true).contains_key(&14) && !of_kind(2, true).contains_key(&10));
}

/// Queries find room while the collector is away; what finds none is counted, and no query waits.
#[test]
fn what_a_collector_that_is_away_does_not_get_is_in_the_status() {
    let setup = Setup::new();
    two_zones(&setup, "workers = 1\ndnstap = \"tap\"\nquery-log-only = [\"listed\"]");
    let daemon = setup.start();
    daemon.expect_log(&["event=\"dnstap-failed\""], SOON);
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    udp.connect(daemon.addr()).expect("it is local");
    udp.set_read_timeout(Some(SOON)).expect("a time");
    let mut buffer = [0; 2048];
    // Each takes some 90 bytes, of a mebibyte.
    for id in 0..14_000 {
        udp.send(&query(id, QUESTIONS[0], RecordType::A)).expect("it can be sent");
        udp.recv(&mut buffer).expect("an answer");
    }
    let lost = || {
        let output = Command::new(env!("CARGO_BIN_EXE_dnsbld"))
            .args(["status", "--json", "--socket"])
            .arg(daemon.path("control"))
            .output()
            .expect("it can be started");
        let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(json["server"]["lost"]["query_log"], Value::Null);
        json["server"]["lost"]["dnstap"].as_u64().expect("a number")
    };
    assert!(wait_until(SOON, || lost() > 0), "{}", daemon.log());
    daemon.expect_log(&["event=\"dnstap-queries-lost\""], SOON);
    let before = lost();

    // It comes, and gets what had room.
    let collector = collector(&daemon);
    daemon.expect_log(&["event=\"dnstap-connected\""], Duration::from_secs(20));
    let captured = daemon.path("captured");
    let got = || frames(&captured).len() as u64 / 2;
    // A server that stops waits half a second for its collector, which keeps the last 100 or so for a while.
    assert!(wait_until(SOON, || got() + before + 100 >= 14_000), "{} and {before}", got());
    let _setup = daemon.stop();
    collector.signal(Signal::TERM);
    assert!(wait_until(SOON, || got() + before >= 14_000), "{} and {before}", got());
}
