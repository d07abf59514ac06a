//! One server asks the publisher, and the other ones of a fleet take what it has accepted.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::common::{Daemon, RsyncDaemon, Setup, event, names_in, sync, wait_until};

const LIMIT: Duration = Duration::from_secs(20);

/// A list of so many addresses.
fn addresses(count: u32) -> String {
    (0..count).map(|n| format!("11.{}.{}.7\n", n / 250, n % 250)).collect()
}

/// A server whose feed is fetched as these lines say.
fn setup(feed: &str) -> Setup {
    let setup = Setup::new();
    let feed = format!("[mirror]\ndir = \"mirror\"\n[[feed]]\npreset = \"psbl\"\n{feed}");
    setup.configure("state-dir = \"state\"", &feed);
    setup
}

/// Fetches: what it says.
fn fetch(setup: &Setup) -> String {
    let mut command = sync(&setup.path("dnsbld.toml"));
    let output = command.arg("--force").output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

/// The rsync daemon of a server, as it is documented.
fn hands_out(setup: &Setup) -> RsyncDaemon {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/rsyncd.conf");
    let documented = fs::read_to_string(file).expect("it is there");
    let state = setup.path("state").display().to_string();
    let config = documented.replace("/var/lib/dnsbld/state", &state);
    RsyncDaemon::configured(&config)
}

/// What the status says of the list: its content id, and the number of its entries.
fn content(server: &Daemon) -> (String, u64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.args(["status", "--json"]).env("RUNTIME_DIRECTORY", server.path(""));
    let output = command.output().expect("it runs");
    let status: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let list = &status["datasets"][0];
    let id = list["content_id"].as_str().unwrap_or_else(|| panic!("{status}"));
    (id.to_owned(), list["entries"].as_u64().expect("a number"))
}

/// Waits until the text of this list has been kept to be handed out.
fn wait_for_text(server: &Daemon, content_id: &str) {
    let folder = server.path("state/accepted");
    let is_there = || {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut texts =
            entries.filter_map(|entry| fs::read_to_string(entry.path().join("manifest.json")).ok());
        texts.any(|text| text.contains(content_id) && text.contains("\"type\": \"ip4tset\""))
    };
    assert!(wait_until(LIMIT, is_there), "{}", server.log());
}

#[test]
fn one_fetch_serves_a_fleet() {
    let publisher = RsyncDaemon::start("");
    let list = publisher.feeds().join("psbl.txt");
    fs::write(&list, addresses(3000)).expect("our folder");
    let first = setup(&format!("source = \"{}\"", publisher.url("")));
    fetch(&first);
    let first = first.start();
    let (id, entries) = content(&first);
    assert_eq!(entries, 3000);
    wait_for_text(&first, &id);

    let daemon = hands_out(&first);
    let sibling = setup(&format!("from = \"{}\"", daemon.addr()));
    assert!(fetch(&sibling).contains("published 1 file"));
    let sibling = sibling.start();
    assert_eq!(content(&sibling), (id.clone(), 3000));
    let modified = |setup: &Setup| {
        let file = setup.path("mirror/psbl/psbl.txt");
        fs::metadata(file).and_then(|file| file.modified()).expect("it is there")
    };
    assert_eq!(modified(&sibling), modified(&first));
    assert!(fetch(&sibling).contains("nothing has changed"));

    // What the first one refuses is not handed out.
    fs::write(&list, "You have been found to misuse this service.\n".repeat(500)).expect("ours");
    fetch(&first);
    first.expect_log(&[&event("dataset-refused", "psbl")], LIMIT);
    assert!(fetch(&sibling).contains("nothing has changed"));

    fs::write(&list, addresses(4000)).expect("our folder");
    fetch(&first);
    first.expect_log(&[&event("dataset-recovered", "psbl")], LIMIT);
    let (next, entries) = content(&first);
    assert!(next != id && entries == 4000);
    wait_for_text(&first, &next);
    assert!(fetch(&sibling).contains("published 1 file"));
    assert!(wait_until(LIMIT, || content(&sibling) == (next.clone(), 4000)), "{}", sibling.log());

    // The first one alone has asked the publisher.
    assert_eq!(publisher.sessions().len(), 3);
    assert_eq!(daemon.sessions().len(), 4);
}

#[test]
fn a_compiled_list_is_handed_out_too() {
    let first = setup("source = \"rsync://127.0.0.1:1/feeds/\"");
    first.write("mirror/psbl/psbl.txt", addresses(3000));
    let first = first.start();
    let (id, _) = content(&first);
    let folder = first.path("state/snapshots");
    let snapshot = || {
        let names = if folder.is_dir() { names_in(&folder) } else { Vec::new() };
        names.into_iter().find(|name| name.ends_with(".snapshot"))
    };
    assert!(wait_until(LIMIT, || snapshot().is_some()), "{}", first.log());
    let name = snapshot().expect("it is there");

    let daemon = hands_out(&first);
    let sibling = setup(&format!(
        "source = \"rsync://{}/dnsbld-snapshots/\"\nfiles = [\"{name}\"]\nmin-size = \"1K\"\n[[dataset]]\nname = \"psbl\"\n\
         files = [\"mirror/psbl/{name}\"]\naccept-snapshot = true\n",
        daemon.addr()
    ));
    fetch(&sibling);
    assert_eq!(content(&sibling.start()), (id, 3000));
}

/// A sibling is believed as far as the hashes of its manifest.
#[test]
fn what_a_sibling_hands_out_must_be_whole() {
    let first = setup("source = \"rsync://127.0.0.1:1/feeds/\"");
    first.write("mirror/psbl/psbl.txt", addresses(300));
    let first = first.start();
    let (id, _) = content(&first);
    wait_for_text(&first, &id);
    let daemon = hands_out(&first);
    let sibling = setup(&format!("from = \"{}\"", daemon.addr()));

    let folder = fs::read_dir(first.path("state/accepted")).expect("it is there");
    let folder = folder.flatten().next().expect("one").path();
    let packed = fs::read_dir(&folder).expect("it is there").flatten().map(|entry| entry.path());
    let packed = packed.into_iter().find(|path| path.extension().is_some_and(|end| end == "gz"));
    let packed = packed.expect("one");
    let bytes = fs::read(&packed).expect("it is there");
    let refused = |words: &str| {
        let mut command = sync(&sibling.path("dnsbld.toml"));
        let output = command.arg("--force").output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && said.contains(words), "{said}");
        assert!(!sibling.path("mirror/psbl/psbl.txt").exists());
    };
    for damaged in [&bytes[..bytes.len() / 2], b"127.0.0.2\n", &[]] {
        fs::write(&packed, damaged).expect("it is ours");
        refused("is not the one in its manifest");
    }
    fs::remove_file(&packed).expect("it is ours");
    refused("is not the one in its manifest");
    fs::rename(folder.join("manifest.json"), folder.join("x")).expect("it is ours");
    refused("has nothing to hand out of dataset psbl");

    fs::rename(folder.join("x"), folder.join("manifest.json")).expect("it is ours");
    fs::write(&packed, bytes).expect("it is ours");
    fetch(&sibling);
    assert_eq!(fs::read_to_string(sibling.path("mirror/psbl/psbl.txt")).unwrap(), addresses(300));
}
