//! `[watch]` and `dnsbld watch` beside a server: what comes and goes is told once, also over restarts and reloads.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::common::{Daemon, Process, Setup, ended, sync, wait_until};

const SOON: Duration = Duration::from_secs(20);

/// A list of addresses and one of names in one zone, an allow list beside them.
const TABLES: &str = "\
    [[dataset]]\nname = 'list'\ntype = 'ip4set'\nfiles = ['list']\n\
    [[dataset]]\nname = 'names'\ntype = 'dnset'\nfiles = ['names']\n\
    [[dataset]]\nname = 'own'\ntype = 'ip4trie'\nfiles = ['own']\n\
    [[zone]]\nname = 'bl.test'\ndatasets = ['list', 'names']\nallow = ['own']\n\
    [watch]\n'203.0.113.0/24' = 'our mail'\n'example.org' = 'our domain'\n";

fn setup(list: &str) -> Setup {
    let setup = Setup::new();
    setup.write("list", list);
    setup.write("names", "bad.test\n");
    setup.write("own", "203.0.113.0/28\n");
    setup.configure("state-dir = 'state'", TABLES);
    setup
}

/// Runs `dnsbld watch` with the configuration: the exit code, and what it prints.
fn watch(setup: &Setup, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.args(["watch", "--config"]).arg(setup.path("dnsbld.toml")).args(arguments);
    command.current_dir(setup.path("")).env("RUNTIME_DIRECTORY", setup.path(""));
    ended(command).code_and_text()
}

/// Waits until it says this.
fn expect(server: &Daemon, code: i32, words: &[&str]) -> String {
    let mut said = (0, String::new());
    let found = wait_until(SOON, || {
        said = watch(server, &[]);
        said.0 == code && words.iter().all(|word| said.1.contains(word))
    });
    assert!(found, "{code}: not all of {words:?} in {said:?}\n{}", server.log());
    said.1
}

fn told(server: &Daemon, event: &str) -> usize {
    server.log_lines(&[&format!("event=\"{event}\"")]).len()
}

#[test]
fn what_comes_and_goes_is_told_once() {
    let server = setup("192.0.2.1\n203.0.113.7 spam\n").start();
    server.expect_log(
        &[
            "watched 203.0.113.0/24 (our mail): dataset list lists 203.0.113.7 by ",
            "list:2: \"203.0.113.7 spam\"; it is listed in bl.test; `dnsbld check 203.0.113.7` says why",
            "event=\"watched-listed\" dataset=\"list\" file=",
        ],
        SOON,
    );
    let said = expect(&server, 1, &["203.0.113.0/24 (our mail): listed in 1 list\n"]);
    assert!(said.contains("  list (in bl.test)\n    203.0.113.7 since "), "{said}");
    assert!(said.contains("list:2: 203.0.113.7 spam\n"), "{said}");
    assert!(said.contains("example.org (our domain): not listed\n"), "{said}");
    assert_eq!(told(&server, "watched-listed"), 1, "{}", server.log());

    // Neither a start nor a reload without change tells it again.
    let server = server.restart();
    expect(&server, 1, &["203.0.113.7 since "]);
    server.reload();
    server.write("list", "# Nothing else.\n203.0.113.7 spam\n203.0.113.64/26\n");
    let part = "203.0.113.64/26 by ";
    server.expect_log(&["dataset list lists", part, "list:3: \"203.0.113.64/26\""], SOON);
    assert_eq!(told(&server, "watched-listed"), 1, "{}", server.log());
    expect(&server, 1, &["203.0.113.7 since ", "203.0.113.64/26 since "]);

    server.write("names", "bad.test\n*.mail.example.org\n");
    server.expect_log(
        &[
            "watched example.org (our domain): dataset names lists *.mail.example.org by",
            "names:2:",
        ],
        SOON,
    );
    server.write("list", "192.0.2.1\n203.0.113.64/26\n");
    server.expect_log(
        &["dataset list does not list 203.0.113.7 any more, after", "else of it is still listed"],
        SOON,
    );
    server.write("list", "192.0.2.1\n");
    server.expect_log(&["dataset list does not list 203.0.113.64/26 any more, after"], SOON);
    server.write("names", "bad.test\n");
    let said = expect(&server, 0, &["203.0.113.0/24 (our mail): not listed\n"]);
    assert!(said.contains("example.org (our domain): not listed\n"), "{said}");
    server.expect_log(&["dataset names does not list *.mail.example.org any more"], SOON);
    assert_eq!(told(&server, "watched-listed"), 2, "{}", server.log());
    assert_eq!(told(&server, "watched-delisted"), 3, "{}", server.log());
}

#[test]
fn what_is_listed_when_it_begins_to_be_watched_is_told() {
    let setup = setup("192.0.2.1\n198.51.100.0/24\n");
    let server = setup.start();
    expect(&server, 0, &["not listed"]);
    let more = format!("{TABLES}'198.51.100.200' = 'a customer'\n");
    server.configure("state-dir = 'state'", &more);
    server.reload();
    server.expect_log(
        &["watched 198.51.100.200 (a customer): dataset list lists 198.51.100.200", "list:2:"],
        SOON,
    );
    expect(&server, 1, &["198.51.100.200 (a customer): listed in 1 list\n"]);
    server.configure("state-dir = 'state'", TABLES);
    server.reload();
    let said = expect(&server, 0, &["not listed"]);
    assert!(!said.contains("a customer"), "{said}");
    assert_eq!(told(&server, "watched-delisted"), 0, "{}", server.log());
}

#[test]
fn the_files_tell_without_a_server() {
    let setup = setup("203.0.113.8/29 :3:why\n");
    let (code, said) = watch(&setup, &["--offline"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("    203.0.113.8/29 since "), "{said}");
    assert!(said.contains("list:1: 203.0.113.8/29 :3:why\n"), "{said}");
    let (code, said) = watch(&setup, &["--offline", "--json"]);
    let json: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, &json["schema"], &json["from"]), (1, &1.into(), &"files".into()), "{json}");
    let listed = &json["watched"][0]["listed"][0];
    assert_eq!(listed["dataset"], "list");
    assert_eq!((&listed["total"], &listed["keys"][0]["line"]), (&8.into(), &1.into()), "{json}");

    setup.write("list", "192.0.2.1\n");
    assert_eq!(watch(&setup, &["--offline"]).0, 0);
    fs::remove_file(setup.path("names")).expect("it is there");
    let (code, said) = watch(&setup, &["--offline"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("nothing is known of them: names\n"), "{said}");
    setup.configure("", TABLES.split("[watch]").next().expect("the rest"));
    let (code, said) = watch(&setup, &["--offline"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("nothing is watched"), "{said}");
}

#[test]
fn the_alert_command_is_run_once_for_each_listing() {
    let setup = setup("203.0.113.7\n");
    let told = setup.path("told");
    let script = format!("echo \"$DNSBLD_EVENT $DNSBLD_NAME: $DNSBLD_CAUSE\" >>{}", told.display());
    let tables =
        format!("[mirror]\ndir = 'mirror'\n[alert]\ncommand = ['sh', '-c', '{script}']\n{TABLES}");
    setup.configure("state-dir = 'state'", &tables);
    let server = setup.start();
    expect(&server, 1, &["203.0.113.7 since "]);
    let read = || fs::read_to_string(&told).unwrap_or_default();
    let listed = "listed 203.0.113.0/24 in list: our mail: list lists 203.0.113.7 in bl.test by ";
    let run = |log: &str| {
        let mut command = sync(&server.path("dnsbld.toml"));
        command.arg("--watch").env("RUNTIME_DIRECTORY", server.path(""));
        Process::start(&mut command, &server.path(log))
    };
    let first = run("first");
    assert!(wait_until(SOON, || read().contains(listed)), "{}", read());
    let remembered = server.path("mirror/.sync/alerts.json");
    assert!(wait_until(SOON, || remembered.exists()));
    drop(first);

    // The list has more of it a second later: that is another event.
    std::thread::sleep(Duration::from_millis(1100));
    server.write("list", "203.0.113.7\n203.0.113.9\n");
    expect(&server, 1, &["203.0.113.9 since "]);
    let second = run("second");
    let both = "our mail: list lists 203.0.113.9, 203.0.113.7 in bl.test";
    assert!(wait_until(SOON, || read().contains(both)), "{}", read());
    let is_noted = || {
        let noted = fs::read_to_string(&remembered).unwrap_or_default();
        noted.contains("list lists 203.0.113.9")
    };
    assert!(wait_until(SOON, is_noted), "{}", read());
    drop(second);

    server.write("list", "192.0.2.1\n");
    expect(&server, 0, &["not listed"]);
    let _third = run("third");
    let over = "recovered 203.0.113.0/24 in list: ";
    assert!(wait_until(SOON, || read().contains(over)), "{}", read());
    assert_eq!(read().matches("listed 203.0.113.0/24 in list: ").count(), 2, "{}", read());
}
