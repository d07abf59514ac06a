//! `dnsbld replay` on logs of all sorts, and beside a history.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dnsbld::util::time::Utc;
use flate2::Compression;
use flate2::write::GzEncoder;
use hickory_proto::op::ResponseCode::NoError;
use serde_json::Value;

use crate::common::{Ended, Setup, dnsbld, wait_until};

const SOON: Duration = Duration::from_secs(10);

const POSTFIX: &str = "\
Nov 30 08:00:00 mx postfix/postscreen[11]: CONNECT from [192.0.2.1]:4711 to [10.0.0.1]:25
Nov 30 08:00:06 mx postfix/smtpd[12]: connect from a.example[192.0.2.1]
Nov 30 08:00:07 mx postfix/smtpd[12]: NOQUEUE: reject: RCPT from a.example[192.0.2.1]: 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using one.test; from=<x@y> to=<a@b> proto=ESMTP helo=<z>
Nov 30 08:00:08 mx postfix/smtpd[12]: disconnect from a.example[192.0.2.1] ehlo=1 mail=1 rcpt=0/1
Nov 30 09:00:00 mx postfix/smtpd[12]: connect from b.example[192.0.2.2]
Nov 30 09:00:01 mx postfix/smtpd[12]: 4F1G: client=b.example[192.0.2.2]
Nov 30 09:00:02 mx postfix/smtp[13]: 4F1G: to=<a@b>, relay=out.example[192.0.2.3]:25, dsn=2.0.0, status=sent
Nov 30 09:30:00 mx postfix/smtpd[12]: connect from b.example[192.0.2.2]
Nov 30 10:00:00 mx postfix/submission/smtpd[14]: connect from me.example[192.0.2.3]
";

const OTHERS: &str = "\
2026-11-30 10:00:00 H=(host) [198.51.100.1]:4711 F=<a@b.example> rejected RCPT <c@d.example>: blocked
2026-11-30 10:00:01 1abCdE-0001-Xy => c@d.example R=dnslookup T=remote_smtp H=mx.example [192.0.2.3]
2026-11-30 10:00:02 #12(normal) <a1>; task; rspamd_task_write_log: id: <m@x>, qid: <4F>, ip: 2001:db8::7, from: <a@b>, (default: F (no action): [1.00/15.00] []
Mon 2026-11-30 10:00:03: [7:1] Accepting SMTP connection from [203.0.113.9:4711] to [10.0.0.1:25]
";

/// Three blocklists and an allow list.
fn setup() -> Setup {
    let setup = Setup::new();
    setup.write("one", "192.0.2.0/31\n198.51.100.1\n203.0.113.9\n");
    setup.write("two", "192.0.2.1\n192.0.2.2\n2001:db8::/32\n");
    setup.write("three", "198.51.100.0/24\n!198.51.100.1\n203.0.113.0/24\n");
    setup.write("own", "203.0.113.9\n");
    let set = |name: &str| {
        format!("[[dataset]]\nname = '{name}'\ntype = 'ip4trie'\nfiles = ['{name}']\n")
    };
    let zone = |name: &str, allow: &str| {
        format!("[[zone]]\nname = '{name}.test'\ndatasets = ['{name}']\nallow = [{allow}]\n")
    };
    let sets = ["one", "two", "three", "own"].map(set).concat();
    let zones =
        [zone("one", "'own'"), zone("two", ""), zone("three", ""), zone("own", "")].concat();
    setup.configure("state-dir = 'state'\ncontrol = 'control'", &(sets + &zones));
    setup
}

fn replay(folder: &Path, arguments: &[&str]) -> Ended {
    dnsbld(folder, &[&["replay", "--config", "dnsbld.toml"], arguments].concat())
}

#[test]
fn logs_of_all_sorts_are_replayed_without_a_server() {
    let setup = setup();
    setup.write("postfix.log", POSTFIX);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(OTHERS.as_bytes()).expect("memory takes it");
    setup.write("others.gz", packed.finish().expect("memory takes it"));
    let folder = setup.path("");
    let told = replay(
        &folder,
        &[
            "--with",
            "three.test",
            "--without",
            "two.test",
            "--weights",
            "one.test=3,two.test=2,own.test=-4",
            "--at",
            "3",
            "postfix.log",
            "others.gz",
        ],
    );
    assert_eq!((told.code, &*told.err), (0, ""), "{}", told.out);
    let (head, rest) = told.out.split_once(", from ").expect("times");
    assert_eq!(
        head,
        "13 lines, 9 with a client (Postfix 6, Exim 1, rspamd 1, MDaemon 1)\n5 addresses, 6 connections"
    );
    let rest = rest.split_once('\n').expect("lines").1;
    assert_eq!(
        rest,
        "
   list               addresses  connections          only there  let in by allow lists
1  two.test                   3            4  66.7 %           2                      0
2  one.test                   2            2  33.3 %           1                      1
3  three.test                 1            1  16.7 %           1                      0
4  own.test (allows)          1            1  16.7 %           0                      0

addresses on both lists:
        1    2    3    4
   1    3    1    0    0
   2    1    2    0    0
   3    0    0    1    1
   4    0    0    1    1

rejected by any of one.test, two.test:
  4 addresses, 5 connections (83.3 %)
with three.test:
  5 addresses, 6 connections (100.0 %)
  more: 1 address, 1 connection (16.7 %); no more: 0 addresses, 0 connections (0.0 %)
without two.test:
  2 addresses, 2 connections (33.3 %)
  more: 0 addresses, 0 connections (0.0 %); no more: 2 addresses, 3 connections (50.0 %)
with three.test, without two.test:
  3 addresses, 3 connections (50.0 %)
  more: 1 address, 1 connection (16.7 %); no more: 2 addresses, 3 connections (50.0 %)
weights one.test=3,two.test=2,own.test=-4 at 3:
  2 addresses, 2 connections (33.3 %)
  more: 0 addresses, 0 connections (0.0 %); no more: 2 addresses, 3 connections (50.0 %)
"
    );
}

#[test]
fn standard_input_is_read_and_json_is_written() {
    let setup = setup();
    let mut child = Command::new(env!("CARGO_BIN_EXE_dnsbld"))
        .args(["replay", "--config", "dnsbld.toml", "--json", "--utc-offset", "+01:00", "-"])
        .current_dir(setup.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    child.stdin.take().expect("it is piped").write_all(OTHERS.as_bytes()).expect("it is read");
    let output = child.wait_with_output().expect("it ends");
    let json: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(json["addresses"], 3);
    assert_eq!(json["first"], "2026-11-30T09:00:00Z");
    assert_eq!(json["clients"][0]["address"], "198.51.100.1");
    assert_eq!(json["clients"][0]["lists"], serde_json::json!(["one.test"]));
    let text = include_str!("../docs/reports.md");
    let objects = [
        &json,
        &json["lists"][0],
        &json["clients"][0],
        &json["overlap"][0],
        &json["formats"][0],
        &json["rejected"],
    ];
    for field in objects.iter().flat_map(|object| object.as_object().expect("an object").keys()) {
        assert!(text.contains(&format!("`{field}`")), "docs/reports.md lacks {field}");
    }
}

#[test]
fn the_history_tells_how_much_earlier_lists_knew_a_client() {
    let server = setup().start();
    for (key, zone) in [("1.2.0.192", "one.test"), ("1.2.0.192", "two.test")] {
        server.expect_code(&format!("{key}.{zone}"), NoError, SOON);
    }
    let history = |list: &str| {
        let told = dnsbld(&server.path(""), &["history", "--config", "dnsbld.toml", list]);
        told.code == 0
    };
    let all = ["one", "two", "three"];
    assert!(wait_until(SOON, || all.iter().all(|list| history(list))), "{}", server.log());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    let line = |address: &str, hours: i64| {
        let time = Utc::from_unix(now + hours * 3600 + 120).rfc3339();
        format!("{time} mx postfix/smtpd[1]: connect from x[{address}]\n")
    };
    // Two come hours after the load, one came before.
    let log = line("192.0.2.1", 2) + &line("198.51.100.1", 5) + &line("192.0.2.2", -8);
    server.write("log", log);
    let told = replay(&server.path(""), &["log"]);
    assert_eq!(told.code, 0, "{told:?}");
    let table = told.out.split("by the history:\n").nth(1).expect("a table");
    assert_eq!(
        table,
        "list        had before         median  had later  median  had first
one.test             2  5.0 h or more          0       -          1
two.test             1  2.0 h or more          1   8.0 h          1
three.test           0              -          0       -          0
"
    );
}

#[test]
fn mistakes_are_told() {
    let setup = setup();
    setup.write("log", "nothing\n");
    let folder = setup.path("");
    let none = replay(&folder, &["log"]);
    assert_eq!(
        (none.code, &*none.out),
        (1, "1 line, 0 with a client\n0 addresses, 0 connections\n")
    );
    let unknown = replay(&folder, &["--with", "four.test", "log"]);
    assert_eq!(unknown.code, 2);
    assert!(
        unknown.err.contains("no list of addresses \"four.test\"; there are: one.test"),
        "{unknown:?}"
    );
    let missing = replay(&folder, &["missing"]);
    assert_eq!(missing.code, 2, "{missing:?}");
    assert!(missing.err.contains("cannot read the log missing: "), "{missing:?}");
    std::fs::remove_file(setup.path("three")).expect("it is there");
    let told = replay(&folder, &["log"]);
    assert!(told.err.contains("dataset three: not loaded: "), "{told:?}");
}
