//! `dnsbld history` beside a server: what it tells of addresses, names and loads, also after a kill.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::common::{Setup, dnsbld, wait_until};

const SOON: Duration = Duration::from_secs(10);

/// A server with a list of addresses and one of names, and a state folder.
fn setup(addresses: &str, names: &str) -> Setup {
    let setup = Setup::new();
    setup.write("list", addresses);
    setup.write("names", names);
    let tables = "[[dataset]]\nname = 'list'\ntype = 'ip4set'\nfiles = ['list']\n\
                  [[dataset]]\nname = 'names'\ntype = 'dnset'\nfiles = ['names']\n\
                  [[zone]]\nname = 'bl.test'\ndatasets = ['list', 'names']\n";
    setup.configure("state-dir = 'state'", tables);
    setup
}

/// Runs `dnsbld history` with the configuration: the exit code, and what it prints on both outputs.
fn history(setup: &Setup, arguments: &[&str]) -> (i32, String) {
    let config = setup.path("dnsbld.toml");
    let config = config.to_str().expect("a path of the tests is text");
    dnsbld(&setup.path(""), &[&["history", "--config", config], arguments].concat()).code_and_text()
}

/// Waits until the history of a key says these words.
fn expect(setup: &Setup, key: &str, words: &str) -> String {
    let mut said = String::new();
    let found = wait_until(SOON, || {
        said = history(setup, &[key]).1;
        said.contains(words)
    });
    assert!(found, "{key}: no {words:?} in\n{said}");
    said
}

#[test]
fn the_history_tells_when_keys_were_listed_and_what_loads_did() {
    let setup = setup(
        ":2:see https://bl.test/$\n10.0.0.1\n10.0.0.8/29 :3:a net\n",
        ":2:bad\nbad.example\n.worse.example\n",
    );
    let (code, said) = history(&setup, &["10.0.0.1"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("has no history"), "{said}");
    let server = setup.start();

    let said = expect(&server, "10.0.0.1", "listed");
    assert!(said.contains("dataset list: listed; it was listed 1 time"), "{said}");
    assert!(said.contains("127.0.0.2 \"see https://bl.test/10.0.0.1\" (or earlier"), "{said}");
    expect(&server, "10.0.0.12", "127.0.0.3 \"a net\"");
    expect(&server, "bad.example", "listed     127.0.0.2 \"bad\"");
    expect(&server, "a.b.worse.example", "by *.worse.example");
    let (code, said) = history(&server, &["10.0.0.2"]);
    assert_eq!(code, 1, "{said}");
    let never = said.lines().nth(1).expect("a line");
    let is_told = never.starts_with("never listed since 2") && never.ends_with(", in: list, names");
    assert!(is_told, "{said}");
    // As a log has it, and what the history is not that of.
    let (code, said) = history(&server, &["1.0.0.10.bl.test"]);
    assert_eq!(
        (code, said.starts_with("10.0.0.1 (times in UTC)\ndataset list: listed")),
        (0, true),
        "{said}"
    );
    for (bad, words) in [
        ("a@bad.example", "name bad.example, or the hash that `dnsbld hash` prints"),
        ("", "\"\" is no address, prefix, name"),
        ("x y", "\"x y\" is no address"),
    ] {
        let (code, said) = history(&server, &[bad]);
        assert_eq!((code, said.contains(words)), (2, true), "{bad}: {said}");
    }

    server.write("list", ":2:see https://bl.test/$\n10.0.0.2\n10.0.0.8/29 :4:a net\n");
    let said = expect(&server, "10.0.0.1", "delisted   after");
    assert!(said.contains("dataset list: not listed; it was listed 1 time"), "{said}");
    expect(&server, "10.0.0.2", "listed     127.0.0.2");
    expect(&server, "10.0.0.9", "changed    127.0.0.4 \"a net\"");
    let (code, said) = history(&server, &["10.0.0.1", "--at", "2020-01-01"]);
    assert_eq!(code, 2, "{said}");
    let (code, said) = history(&server, &["10.0.0.1", "--at", "yesterday"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("write it as \"Nov 12 07:41\""), "{said}");

    server.write("list", "<html><body>404: Not Found</body></html>\n");
    expect(&server, "list", "refused ");
    let (code, said) = history(&server, &["list"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("2 entries, 55 bytes: 9 keys, all that was listed"), "{said}");
    assert!(said.contains("2 entries, 55 bytes: +1 -1 ~8"), "{said}");

    // Without a server.
    let setup = server.stop();
    let (code, said) = history(&setup, &["10.0.0.9", "--json"]);
    let told: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(code, 0, "{said}");
    assert_eq!((&told["schema"], &told["key"]), (&1.into(), &"10.0.0.9".into()));
    let list = &told["datasets"][0];
    assert_eq!((&list["dataset"], &list["listed"]), (&"list".into(), &true.into()));
    let moments = list["entries"][0]["moments"].as_array().expect("a list");
    let what: Vec<_> = moments.iter().map(|moment| moment["what"].as_str().unwrap()).collect();
    assert_eq!(what, ["listed", "changed"]);
    assert_eq!(moments[1]["values"][0]["a"], "127.0.0.4");
    let then = moments[0]["time"].as_str().expect("a time");
    let (code, said) = history(&setup, &["10.0.0.9", "--at", then]);
    assert_eq!(code, 0, "{said}");
    let (_, said) = history(&setup, &["list", "--json", "--limit", "1"]);
    let told: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((&told["older"], &told["loads"][0]["what"]), (&2.into(), &"refused".into()));

    // What has not changed is nothing new.
    let server = setup.start();
    server.write("list", ":2:see https://bl.test/$\n10.0.0.3\n");
    expect(&server, "10.0.0.3", "listed     127.0.0.2");
    let said = expect(&server, "10.0.0.9", "delisted   after");
    assert!(!said.contains("not known"), "{said}");
}

#[test]
fn a_kill_loses_at_most_the_load_under_way() {
    let list = |round: u32| format!("10.0.0.{round} :2:round\n");
    let mut setup = setup(&list(0), ".bad.example :2:bad\n");
    let mut seen = 0;
    for round in 1..6u32 {
        let server = setup.start();
        expect(&server, &format!("10.0.0.{}", round - 1), "dataset list: listed");
        server.write("list", list(round));
        // Before the load, while it is written, after it.
        std::thread::sleep(Duration::from_millis(u64::from(round) * 120));
        server.signal(Signal::KILL);
        setup = server.ended();
        let loads = history(&setup, &["list"]).1.matches("loaded").count();
        assert!(loads >= seen, "{loads} loads of {seen} are left");
        seen = loads;
    }
    let server = setup.start();
    expect(&server, "10.0.0.5", "dataset list: listed; it was listed 1 time");
    for round in 0..5 {
        let said = expect(&server, &format!("10.0.0.{round}"), "delisted   after");
        assert!(said.contains("not listed; it was listed 1 time"), "{said}");
        assert!(!said.contains("not known"), "{said}");
    }
}

#[test]
fn no_history_is_kept_if_that_is_off() {
    let setup = setup("10.0.0.1\n", ".bad.example\n");
    let text = std::fs::read_to_string(setup.path("dnsbld.toml")).expect("it is there");
    setup.write("dnsbld.toml", text + "[history]\ndays = 0\n");
    let server = setup.start();
    server.write("list", "10.0.0.2\n");
    server.expect_log(
        &["event=\"dataset-reloaded\" dataset=\"list\"", "reloaded: 1 entry, before 1"],
        SOON,
    );
    let setup = server.stop();
    assert!(!setup.path("state/history").exists());
    assert_eq!(history(&setup, &["10.0.0.1"]).0, 2);
}

#[test]
fn a_version_of_the_history_is_compared() {
    let server =
        setup(":2:see https://bl.test/$\n10.0.0.1\n10.0.0.8/29\n", ".bad.example\n").start();
    expect(&server, "10.0.0.1", "listed");
    // The history has times of whole seconds.
    std::thread::sleep(Duration::from_millis(1100));
    server.write("list", ":2:see https://bl.test/$\n10.0.0.2\n10.0.0.8/29\n10.0.0.12 :4:x\n");
    expect(&server, "10.0.0.1", "delisted   after");
    let loads: Value =
        serde_json::from_str(&history(&server, &["list", "--json"]).1).expect("JSON");
    let first = loads["loads"][0]["time"].as_str().expect("a time");
    let diff = |arguments: &[&str]| {
        let config = server.path("dnsbld.toml");
        let config = config.to_str().expect("a path of the tests is text");
        let all = [&["diff", "--config", config], arguments].concat();
        dnsbld(&server.path(""), &all).code_and_text()
    };
    let (old, new) = (format!("list@{first}"), "live:list");
    let want = format!(
        "{old}: as the load of {first} left it\n- 10.0.0.1\n+ 10.0.0.2\n~ 10.0.0.12\n\
         added: 1 address in 1 range\nremoved: 1 address in 1 range\nchanged: 1 address in 1 range\n"
    );
    assert_eq!(diff(&[&old, new]), (1, want));
    let (code, said) = diff(&["list@0s", new]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("list@0s and live:list list the same\n"), "{said}");
    let (code, said) = diff(&["--json", new, &old]);
    let json: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, &json["loads"][0]["loaded"]), (1, &first.into()), "{said}");
    let (code, said) = diff(&["list@24h", new]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("list@24h: the history does not know what was listed then"), "{said}");
    assert_eq!(diff(&["names@0s", "disk:names"]).0, 0);

    let (code, said) = history(&server, &["10.0.0.0/29"]);
    assert_eq!(code, 0, "{said}");
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(
        lines[..2],
        ["10.0.0.0/29 (times in UTC)", "dataset list: 1 address of it is listed"]
    );
    assert!(
        lines[2].ends_with(
            "listed     10.0.0.1  127.0.0.2 \"see https://bl.test/10.0.0.1\" (or earlier)"
        )
    );
    assert!(lines[3].ends_with("delisted   10.0.0.1"), "{said}");
    assert!(
        lines[4].ends_with("listed     10.0.0.2  127.0.0.2 \"see https://bl.test/10.0.0.2\""),
        "{said}"
    );
    let (_, said) = history(&server, &["10.0.0.0/28", "--limit", "1"]);
    assert!(
        said.contains("dataset list: 9 addresses of it are listed\n  ... 4 older changes;"),
        "{said}"
    );
    let (code, said) = history(&server, &["10.1.0.0/16", "--json"]);
    let json: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, &json["datasets"][0]["listed"]), (1, &"0".into()), "{said}");
}
