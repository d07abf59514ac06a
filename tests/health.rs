//! What zones say of themselves at `_health.ZONE`, and as the identifier of the server.

use crate::common::{Daemon, Setup, Shown, dig, kdig, names_in, wait_until};
use std::fs::{self, File};
use std::process::Command;
use std::time::{Duration, SystemTime};

const SOON: Duration = Duration::from_secs(20);

fn setup() -> Setup {
    let setup = Setup::new();
    setup.write("list", "192.0.2.1 :2:listed\n127.0.0.2 :2:test\n");
    setup.configure_lists("", &[("bl.example".into(), "list".into())]);
    setup
}

fn ask(daemon: &Daemon, arguments: &str) -> Shown {
    dig(daemon.addr(), arguments)
}

/// What a command says that asks the server.
fn ask_control(daemon: &Daemon, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.current_dir(daemon.path("")).env("RUNTIME_DIRECTORY", daemon.path(""));
    let output = command.args(arguments).output().expect("it starts");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The character-string of the health that begins so.
fn said(daemon: &Daemon, zone: &str, key: &str) -> String {
    let shown = ask(daemon, &format!("_health.{zone} TXT")).data().join(" ");
    let of_key = format!("\"{key}=");
    let value = shown.split_once(&of_key).map(|(_, rest)| rest.split('"').next().unwrap_or(""));
    value.unwrap_or_default().to_owned()
}

#[test]
fn a_zone_is_ready_with_all_its_data_whatever_that_lists() {
    let daemon = setup().start();
    assert_eq!(ask(&daemon, "_health.bl.example A").data(), ["127.0.0.2"]);
    assert_eq!(said(&daemon, "bl.example", "state"), "live");
    assert_eq!(said(&daemon, "bl.example", "reason"), "");
    let id = said(&daemon, "bl.example", "id");
    let shown = ask(&daemon, "+nsid 1.2.0.192.bl.example A");
    assert!(shown.0.contains(&format!("(\"{id}\")")), "{id}: {}", shown.0);
    // Content that changes has another id; what is refused does not.
    daemon.write("list", "192.0.2.2 :2:listed\n127.0.0.2 :2:test\n");
    assert!(wait_until(SOON, || said(&daemon, "bl.example", "id") != id));
    let id = said(&daemon, "bl.example", "id");
    daemon.write("list", "<html>oops</html>\n");
    assert!(wait_until(SOON, || said(&daemon, "bl.example", "state") == "quarantined"));
    assert!(said(&daemon, "bl.example", "reason").starts_with("bl.example: "));
    assert_eq!(said(&daemon, "bl.example", "id"), id);
    // The last good data is within its policy.
    assert_eq!(ask(&daemon, "_health.bl.example A").data(), ["127.0.0.2"]);
}

#[test]
fn a_zone_that_lacks_a_dataset_is_not_ready_and_says_why() {
    let setup = Setup::new();
    setup.write("list", "127.0.0.2 :2:test\n");
    let lists = [("bl.example", "list"), ("none.example", "missing")];
    setup.configure_lists("", &lists.map(|(zone, file)| (zone.into(), file.into())));
    let daemon = setup.launch();
    assert!(wait_until(SOON, || ask(&daemon, "_health.bl.example A").data() == ["127.0.0.2"]));
    let shown = ask(&daemon, "_health.none.example A");
    assert!(shown.is("NOERROR") && shown.data().is_empty(), "{}", shown.0);
    assert_eq!(said(&daemon, "none.example", "state"), "never-loaded");
    assert_eq!(said(&daemon, "none.example", "reason"), "none.example: nothing was ever loaded");
    assert!(ask(&daemon, "2.0.0.127.none.example A").is("SERVFAIL"));
    daemon.write("missing", "127.0.0.2 :2:test\n");
    assert!(wait_until(SOON, || ask(&daemon, "_health.none.example A").data() == ["127.0.0.2"]));
}

/// A list in a zone with these settings, last changed this many seconds ago.
fn aged(dataset: &str, zone: &str, age: u64) -> Setup {
    let setup = Setup::new();
    write_aged(&setup, &(1..40).map(|n| format!("192.0.2.{n} :2:x\n")).collect::<String>(), age);
    let lists = format!(
        "[[dataset]]\nname = \"feed\"\ntype = \"ip4set\"\nfiles = [\"list\"]\n{dataset}\n\
         [[zone]]\nname = \"bl.example\"\ndatasets = [\"feed\"]\n{zone}\n"
    );
    setup.configure("extended-errors = true", &lists);
    setup
}

/// How many answers for the zone, of four, say that its data is overdue.
fn stale_answers(daemon: &Daemon) -> usize {
    let asked = [KEY, "9.2.0.192.bl.example TXT", "99.2.0.192.bl.example A", "bl.example SOA"];
    assert!(!ask(daemon, &format!("+noedns {KEY}")).0.contains("EDE"));
    asked.iter().filter(|name| ask(daemon, name).0.contains(STALE)).count()
}

fn write_aged(setup: &Setup, text: &str, age: u64) {
    setup.write("list", text);
    let file = File::options().append(true).open(setup.path("list")).expect("it was written");
    let then = SystemTime::now() - Duration::from_secs(age);
    file.set_modified(then).expect("it is ours");
}

const HOUR: u64 = 3600;
const KEY: &str = "9.2.0.192.bl.example A";
const STALE: &str = "EDE: 3 (Stale Answer): (the data of the zone is overdue)";

#[test]
fn a_feed_that_stays_as_it_is_for_a_week_is_told_and_goes_on() {
    let daemon = aged("", "", 8 * 24 * HOUR).start();
    daemon.expect_log(&["event=\"dataset-overdue\"", "set max-age"], SOON);
    assert_eq!(ask(&daemon, KEY).data(), ["127.0.0.2"]);
    assert_eq!(ask(&daemon, "_health.bl.example A").data(), ["127.0.0.2"]);
    assert_eq!(said(&daemon, "bl.example", "state"), "stale");
    assert_eq!(said(&daemon, "bl.example", "reason"), "feed: unchanged for more than 7 days");
    assert_eq!(stale_answers(&daemon), 0, "the settings allow it");
    let age: u64 = said(&daemon, "bl.example", "age").parse().expect("seconds");
    assert!((8 * 24 * HOUR..8 * 24 * HOUR + 600).contains(&age), "{age}");
    let (code, text) = ask_control(&daemon, &["status", "feed"]);
    assert_eq!(code, Some(1), "{text}");
    for want in
        ["dataset feed: stale: ", "not changed for more than 7 days (met 24 h ago)", "see whether"]
    {
        assert!(text.contains(want), "{text}");
    }
    let (code, text) = ask_control(&daemon, &["reload"]);
    assert_eq!(code, Some(0), "age is nothing that a reload could change: {text}");
}

#[test]
fn a_zone_does_with_data_out_of_policy_what_it_is_told_to() {
    for (stale, code, listed, does) in [
        ("", "NOERROR", &["127.0.0.2"][..], "serves it and is not ready"),
        ("stale = \"unlist\"", "NXDOMAIN", &[], "lists nothing of it"),
        ("stale = \"servfail\"", "SERVFAIL", &[], "answers SERVFAIL"),
    ] {
        let daemon = aged("max-age = \"2h\"", stale, 3 * HOUR).launch();
        let answers = |code: &str, listed: &[&str]| {
            let shown = ask(&daemon, KEY);
            shown.is(code) && shown.data() == listed
        };
        daemon.expect_log(&["event=\"dataset-overdue\"", "(max-age)"], SOON);
        assert!(wait_until(SOON, || answers(code, listed)), "{stale}: {:?}", ask(&daemon, KEY));
        let told = if stale.is_empty() { 4 } else { 0 };
        assert_eq!(stale_answers(&daemon), told, "{stale}");
        let health = ask(&daemon, "_health.bl.example A");
        assert!(health.is("NOERROR") && health.data().is_empty(), "{}", health.0);
        // Regression: the status said that the entries stay in service, whatever the zone did.
        let told = format!("; 39 entries are kept, zone bl.example {does}; ");
        let status = || ask_control(&daemon, &["status", "feed"]);
        assert!(wait_until(SOON, || status().1.contains(&told)), "{told}: {}", status().1);
        // The data is renewed.
        write_aged(&daemon, "192.0.2.9 :2:x\n192.0.2.10 :2:x\n192.0.2.11 :2:x\n", 60);
        daemon.expect_log(&["event=\"dataset-renewed\""], SOON);
        assert!(wait_until(SOON, || answers("NOERROR", &["127.0.0.2"])), "{stale}");
        assert!(wait_until(SOON, || stale_answers(&daemon) == 0), "{stale}");
        assert_eq!(ask(&daemon, "_health.bl.example A").data(), ["127.0.0.2"]);
    }
}

#[test]
fn data_that_is_kept_for_too_long_makes_its_zone_unready() {
    let daemon = aged("keep-bad-for = \"2s\"", "", HOUR).start();
    assert_eq!(ask(&daemon, "_health.bl.example A").data(), ["127.0.0.2"]);
    assert_eq!(stale_answers(&daemon), 0);
    fs::rename(daemon.path("list"), daemon.path("away")).expect("it is there");
    daemon.expect_log(&["event=\"dataset-overdue\"", "(keep-bad-for)"], SOON);
    assert!(wait_until(SOON, || ask(&daemon, "_health.bl.example A").data().is_empty()));
    let reason = said(&daemon, "bl.example", "reason");
    assert!(reason.starts_with("feed: no good files for more than 2 s: "), "{reason}");
    assert_eq!(ask(&daemon, KEY).data(), ["127.0.0.2"]);
    assert_eq!(stale_answers(&daemon), 4);
    let shown = kdig(daemon.addr(), &format!("+edns {KEY}")).0;
    assert!(shown.contains("EDE: 3 (Stale Answer): 'the data of the zone is overdue'"), "{shown}");
    // The same file comes back: nothing is built of it, and the zone is well.
    fs::rename(daemon.path("away"), daemon.path("list")).expect("it is there");
    assert!(wait_until(SOON, || ask(&daemon, "_health.bl.example A").data() == ["127.0.0.2"]));
    assert_eq!(stale_answers(&daemon), 0);
}

/// The time began anew with each start.
#[test]
fn how_long_data_is_kept_is_known_after_a_restart() {
    let setup = aged("keep-bad-for = \"1h\"", "", HOUR);
    let settings = fs::read_to_string(setup.path("dnsbld.toml")).expect("it is there");
    setup.write("dnsbld.toml", settings.replacen("[server]", "[server]\nstate-dir = \"state\"", 1));
    let daemon = setup.start();
    daemon.write("list", "<html>oops</html>\n");
    assert!(wait_until(SOON, || said(&daemon, "bl.example", "state") == "quarantined"));
    let record = names_in(&daemon.path("state/snapshots"));
    let record = record.iter().find(|name| name.ends_with(".record.json")).expect("there is one");
    let record = format!("state/snapshots/{record}");
    let since = |text: &str| {
        let record: serde_json::Value = serde_json::from_str(text).expect("it is JSON");
        record["bad-since"].as_u64()
    };
    let read = |path| fs::read_to_string(path).expect("it is there");
    assert!(wait_until(SOON, || since(&read(daemon.path(&record))).is_some()));
    let stopped = daemon.stop();
    let text = read(stopped.path(&record));
    let then = since(&text).expect("it was there");
    let earlier = text.replace(&then.to_string(), &(then - 2 * HOUR).to_string());
    stopped.write(&record, earlier);
    let daemon = stopped.start();
    let reason = said(&daemon, "bl.example", "reason");
    assert!(reason.starts_with("feed: no good files for more than 60 min: "), "{reason}");
    assert!(ask(&daemon, "_health.bl.example A").data().is_empty());
    assert_eq!(ask(&daemon, KEY).data(), ["127.0.0.2"]);
}

#[test]
fn a_list_is_shut_down_by_a_zone_that_says_so_and_lists_nothing() {
    let setup = Setup::new();
    setup.write("closed", "@ TXT \"bl.example was shut down\"\n");
    let lists = "[[dataset]]\nname = \"closed\"\ntype = \"generic\"\nfiles = [\"closed\"]\n\
                 [[zone]]\nname = \"bl.example\"\ndatasets = [\"closed\"]\n";
    setup.configure("", lists);
    let daemon = setup.start();
    assert_eq!(ask(&daemon, "bl.example TXT").data(), ["\"bl.example was shut down\""]);
    for name in ["2.0.0.127", "9.2.0.192", "test"] {
        assert!(ask(&daemon, &format!("{name}.bl.example A")).is("NXDOMAIN"), "{name}");
    }
    assert_eq!(ask(&daemon, "_ready.bl.example A").data(), ["127.0.0.2"]);
}

#[test]
fn sites_with_equal_content_have_equal_ids_whatever_their_files_are_called() {
    let site = |file: &str, name: &str, text: &str, rest: &str| {
        let setup = Setup::new();
        setup.write(file, text);
        let lists = format!(
            "[[dataset]]\nname = \"{name}\"\ntype = \"ip4set\"\nfiles = [\"{file}\"]\n{rest}\n\
             [[zone]]\nname = \"bl.example\"\ndatasets = [\"{name}\"]\n"
        );
        setup.configure("", &lists);
        setup.start()
    };
    let id = |daemon: Daemon| said(&daemon, "bl.example", "id");
    let text = "192.0.2.1 :2:x\n192.0.2.9 :3:y\n";
    let first = id(site("list", "a", text, ""));
    assert_eq!(first.len(), 16);
    assert_eq!(id(site("other", "b", text, "max-age = \"9d\"")), first);
    assert_ne!(id(site("list", "a", "192.0.2.1 :2:x\n192.0.2.9 :3:z\n", "")), first);
    assert_ne!(id(site("list", "a", text, "ttl = 77")), first);
}
