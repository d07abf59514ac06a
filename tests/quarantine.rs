//! Refused files as an administrator meets them: the last good data goes on answering, also after a restart;
//! the refused file lies in quarantine; and somebody who knows better can have it served.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use hickory_proto::op::ResponseCode::{NXDomain, NoError};
use hickory_proto::rr::RecordType;

use crate::common::{self, Daemon, Setup, event, names_in, wait_until};

const SOON: Duration = Duration::from_secs(10);

const PAGE: &str = "<html><body>404: Not Found</body></html>\n";

fn names(count: u32) -> String {
    (0..count).map(|number| format!(".bad{number}.example :2:listed\n")).collect()
}

/// A server with one dataset `list` of this type and text, a zone `bl.test`, and a state folder.
fn setup(kind: &str, text: &str) -> Setup {
    let setup = Setup::new();
    setup.write("list", text);
    let tables = format!(
        "[[dataset]]\nname = 'list'\ntype = '{kind}'\nfiles = ['list']\n\
         [[zone]]\nname = 'bl.test'\ndatasets = ['list']\n"
    );
    setup.configure("state-dir = 'state'\ncontrol = 'control'", &tables);
    setup
}

/// Runs a command of the program with the configuration: the exit code, and what it prints on both outputs.
fn dnsbld(setup: &Setup, arguments: &[&str]) -> (i32, String) {
    let config = setup.path("dnsbld.toml");
    let config = config.to_str().expect("a path of the tests is text");
    common::dnsbld(&setup.path(""), &[arguments, &["--config", config]].concat()).code_and_text()
}

/// The files of the dataset below a folder of the state folder, by their ending.
fn files(setup: &Setup, folder: &str, ending: &str) -> Vec<PathBuf> {
    let folder = setup.path("state").join(folder);
    let datasets = if folder.exists() { names_in(&folder) } else { Vec::new() };
    let all = datasets.iter().flat_map(|dataset| {
        let folder = folder.join(dataset);
        names_in(&folder).into_iter().map(move |name| folder.join(name))
    });
    all.filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

fn quarantined(setup: &Setup) -> Vec<PathBuf> {
    files(setup, "quarantine", ".gz")
}

fn unpacked(path: &Path) -> String {
    let mut text = String::new();
    let file = fs::File::open(path).expect("it is there");
    MultiGzDecoder::new(file).read_to_string(&mut text).expect("it is whole");
    text
}

fn snapshot(setup: &Setup) -> Vec<u8> {
    let folder = setup.path("state/snapshots");
    let name = names_in(&folder).into_iter().find(|name| name.ends_with(".snapshot"));
    fs::read(folder.join(name.expect("there is a snapshot"))).expect("it can be read")
}

fn wait_for_snapshot(server: &Daemon) {
    server.expect_log(&[&event("snapshot-written", "list")], SOON);
}

fn wait_for_text(server: &Daemon) {
    assert!(wait_until(SOON, || !files(server, "accepted", ".json").is_empty()), "not kept");
}

fn expect_quarantined(server: &Daemon, count: usize) {
    let done = wait_until(SOON, || quarantined(server).len() == count);
    assert!(done, "{:?}:\n{}", quarantined(server), server.log());
}

#[test]
fn an_error_page_leaves_the_good_names_in_service_over_a_restart() {
    let server = setup("dnset", &names(200)).start();
    server.expect_code("x.bad7.example.bl.test", NoError, SOON);
    wait_for_snapshot(&server);
    wait_for_text(&server);
    let good = snapshot(&server);
    server.write("list", PAGE);
    server.expect_log(&[&event("dataset-refused", "list"), "HTML"], SOON);
    expect_quarantined(&server, 1);
    assert_eq!(unpacked(&quarantined(&server)[0]), PAGE);
    let note = fs::read_to_string(quarantined(&server)[0].with_extension("json")).unwrap();
    assert!(note.contains("is an HTML or XML page"), "{note}");
    server.expect_code("x.bad7.example.bl.test", NoError, SOON);

    let server = server.restart();
    server.expect_log(&[&event("dataset-refused", "list"), "HTML"], SOON);
    server.expect_code("x.bad7.example.bl.test", NoError, SOON);
    assert_eq!(snapshot(&server), good, "what was refused does not overwrite it");
    assert_eq!(unpacked(&files(&server, "accepted", ".gz")[0]), names(200));
    assert_eq!(quarantined(&server).len(), 1, "the same file is kept once");

    server.write("list", names(201));
    server.expect_code("x.bad200.example.bl.test", NoError, SOON);
    assert_eq!(quarantined(&server).len(), 1, "it stays for inspection");
}

fn set_kind(server: &Setup, from: &str, to: &str) {
    let text = fs::read_to_string(server.path("dnsbld.toml")).unwrap();
    server.write("dnsbld.toml", text.replace(&format!("'{from}'"), &format!("'{to}'")));
}

/// Regression: with another type, a list that had grown to the world was judged as one without a past, and
/// served.
#[test]
fn another_type_is_no_way_around_the_guard() {
    let server = setup("ip4set", &addresses(200)).start();
    wait_for_snapshot(&server);
    let world = addresses(200) + "0-255\n";
    server.write("list", &world);
    server.expect_log(&[&event("dataset-refused", "list"), "guard grew"], SOON);
    set_kind(&server, "ip4set", "ip4trie");
    let trie = addresses(200) + "0.0.0.0/0\n";
    server.write("list", trie);
    let (code, told) = dnsbld(&server, &["reload"]);
    assert!(
        code == 1 && told.contains("guard grew") && told.contains("200 entries are kept"),
        "{told}"
    );
    assert_eq!(server.ask("1.1.1.1.bl.test", RecordType::A).rcode(), NXDomain);
    let server = server.restart();
    server.expect_log(&["snapshot not used: it was made with type ip4set"], SOON);
    server.expect_log(&[&event("dataset-refused", "list"), "guard grew"], SOON);
    assert_eq!(server.ask("7.0.0.10.bl.test", RecordType::A).rcode(), NoError);
    assert_eq!(server.ask("1.1.1.1.bl.test", RecordType::A).rcode(), NXDomain);
    let (code, told) = dnsbld(&server, &["guard", "list", "--as", "list"]);
    assert!(code == 1 && told.contains("before 200"), "{told}");

    // The old lines in the new type are a version like any other.
    server.write("list", addresses(201));
    server.expect_code("7.200.0.10.bl.test", NoError, SOON);
}

/// Regression: a type that refused the file left the zone without its list after a restart.
#[test]
fn a_type_that_refuses_the_file_leaves_the_last_good_data_over_a_restart() {
    let wide = "10.1.0.0/16\n10.2.0.0/16\n";
    let server = setup("ip4set", wide).start();
    server.expect_code("7.0.1.10.bl.test", NoError, SOON);
    wait_for_snapshot(&server);
    // It holds single addresses alone.
    set_kind(&server, "ip4set", "ip4tset");
    let (code, told) = dnsbld(&server, &["reload"]);
    assert!(code == 1 && told.contains("2 entries are kept"), "{told}");
    let server = server.restart();
    server.expect_log(&[&event("dataset-refused", "list"), "2 entries loaded"], SOON);
    assert_eq!(server.ask("7.0.1.10.bl.test", RecordType::A).rcode(), NoError);
    let (_, told) = dnsbld(&server, &["status", "list"]);
    assert!(told.contains("quarantined") && told.contains("2 entries stay in service"), "{told}");
    // It is no file of the new type, and must not be taken for one.
    server.write("list", wide);
    let (_, told) = dnsbld(&server, &["reload"]);
    assert!(told.contains("2 entries are kept"), "{told}");
    // Somebody finds the right type: the same bytes are judged on their own.
    set_kind(&server, "ip4tset", "ip4trie");
    let (code, told) = dnsbld(&server, &["reload"]);
    assert!(code == 0 && told.contains("2 entries, before 2"), "{told}");
}

/// Regression: where keys of another sort are looked up in the new type, or there is no snapshot, the zone was
/// without its list after a restart.
#[test]
fn a_type_with_other_keys_leaves_the_last_good_data_over_a_restart() {
    let records: String = (0..50).map(|number| format!("n{number} A 127.0.0.2\n")).collect();
    for (from, text, to, key) in [
        ("ip4set", addresses(200), "dnset", "7.0.0.10.bl.test"),
        ("dnset", names(200), "ip4trie", "x.bad7.example.bl.test"),
        ("generic", records, "ip4set", "n7.bl.test"),
        ("ip4set", addresses(200), "combined", "7.0.0.10.bl.test"),
        (
            "combined",
            format!("$DATASET dnset @\n{}", names(200)),
            "ip4set",
            "x.bad7.example.bl.test",
        ),
    ] {
        let server = setup(from, &text).start();
        server.expect_code(key, NoError, SOON);
        assert!(wait_until(SOON, || files(&server, "accepted", ".json").len() == 1), "{from}");
        let has_record = || {
            let kept = names_in(&server.path("state/snapshots"));
            kept.iter().any(|name| name.ends_with(".record.json"))
        };
        assert!(wait_until(SOON, has_record), "{from}");
        if from != "generic" && from != "combined" {
            wait_for_snapshot(&server);
        }
        set_kind(&server, from, to);
        let (code, told) = dnsbld(&server, &["reload"]);
        assert!(code == 1 && told.contains("entries are kept"), "{from} {to}: {told}");
        let server = server.restart();
        server.expect_code(key, NoError, SOON);
        let (code, told) = dnsbld(&server, &["status", "list"]);
        assert!(code == 1 && told.contains("quarantined"), "{from} {to}: {told}");
        // The type of before takes the same file.
        set_kind(&server, to, from);
        let (code, told) = dnsbld(&server, &["reload"]);
        assert!(code == 0, "{from} {to}: {told}");
        server.expect_code(key, NoError, SOON);
    }
}

/// What the last change did is known after a restart, and so is what happened while there was no server.
#[test]
fn the_last_change_is_remembered() {
    let server = setup("ip4set", &addresses(200)).start();
    wait_for_snapshot(&server);
    let change = |server: &Daemon| {
        let (_, told) = dnsbld(server, &["status", "--json"]);
        let status: serde_json::Value = serde_json::from_str(&told).expect("it is JSON");
        let change = &status["datasets"][0]["last_change"];
        (change["added"].as_u64(), change["removed"].as_u64())
    };
    assert_eq!(change(&server), (None, None));
    server.write("list", addresses(203));
    server.expect_code("7.202.0.10.bl.test", NoError, SOON);
    assert_eq!(change(&server), (Some(3), Some(0)));
    let server = server.restart();
    assert_eq!(change(&server), (Some(3), Some(0)));
    assert!(wait_until(SOON, || server.log_lines(&["snapshot-"]).len() == 1));
    let setup = server.stop();
    setup.write("list", addresses(202));
    let server = setup.start();
    assert_eq!(change(&server), (Some(0), Some(1)));
}

/// Records have no snapshot: their text is the last good data.
#[test]
fn records_outlive_a_restart_as_the_text_that_was_accepted() {
    let server = setup("generic", "www A 127.0.0.2\nmail A 127.0.0.3\n").start();
    server.expect_code("www.bl.test", NoError, SOON);
    wait_for_text(&server);
    server.write("list", PAGE);
    server.expect_log(&[&event("dataset-refused", "list")], SOON);
    let server = server.restart();
    server.expect_log(&[&event("dataset-refused", "list")], SOON);
    let reply = server.ask("mail.bl.test", RecordType::A);
    assert_eq!(reply.addresses(), ["127.0.0.3".parse::<std::net::Ipv4Addr>().unwrap()]);
    // A copy that is damaged is not served.
    let setup = server.stop();
    fs::write(&files(&setup, "accepted", ".gz")[0], "").unwrap();
    let server = setup.start();
    server.expect_log(&[&event("dataset-refused", "list"), "nothing of it is served"], SOON);
}

#[test]
fn many_refused_versions_do_not_fill_the_disk() {
    let server = setup("dnset", &names(30)).start();
    wait_for_snapshot(&server);
    for version in 0..12 {
        server.write("list", format!("<html>{version}</html>\n"));
        let kept = || server.log_lines(&["event=\"refused-file-kept\""]).len();
        assert!(wait_until(SOON, || kept() == version + 1), "{version}:\n{}", server.log());
        let files = quarantined(&server);
        assert_eq!(files.len(), (version + 1).min(4), "{files:?}");
        assert!(files.iter().any(|path| unpacked(path).contains(&format!(">{version}<"))));
    }
    expect_quarantined(&server, 4);
    assert_eq!(files(&server, "quarantine", ".json").len(), 4, "each has its note");
    server.expect_code("x.bad7.example.bl.test", NoError, SOON);
    server.expect_code("x.bad30.example.bl.test", NXDomain, SOON);
}

/// A state folder in which nothing can be kept harms nothing, and is told once.
#[test]
fn a_quarantine_that_cannot_be_written_is_told_once() {
    let setup = setup("dnset", &names(30));
    setup.write("state/quarantine", "a file in place of the folder");
    let server = setup.start();
    for version in 0..3 {
        server.write("list", format!("<html>{version}</html>\n"));
        server.expect_log(&[&event("file-not-kept", "list")], SOON);
        server.expect_code("x.bad7.example.bl.test", NoError, SOON);
    }
    assert_eq!(server.log_lines(&["event=\"file-not-kept\""]).len(), 1, "{}", server.log());
}

fn addresses(count: u32) -> String {
    (0..count).map(|number| format!("10.{}.{}.7 :2:listed\n", number / 250, number % 250)).collect()
}

/// Comments alone would delist everything: refused, accepted, and still served after a restart.
#[test]
fn what_is_accepted_is_served_once_and_over_a_restart() {
    let server = setup("ip4set", &addresses(200)).start();
    wait_for_snapshot(&server);
    let (code, told) = dnsbld(&server, &["accept", "list"]);
    assert_eq!((code, told.contains("nothing to accept")), (1, true), "{told}");
    let (code, told) = dnsbld(&server, &["accept", "other"]);
    assert_eq!((code, told.contains("no such dataset")), (1, true), "{told}");

    server.write("list", "# this list was shut down\n");
    server.expect_log(&["ERROR", &event("dataset-refused", "list"), "`dnsbld accept "], SOON);
    server.expect_code("7.0.0.10.bl.test", NoError, SOON);
    let (code, told) = dnsbld(&server, &["status", "list"]);
    assert_eq!(code, 1, "{told}");
    let wanted = ["quarantined", "guard delisting", "`dnsbld accept "];
    assert!(wanted.iter().all(|words| told.contains(words)), "{told}");
    let (code, told) = dnsbld(&server, &["diff", "list"]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("- 10.0.0.7\n"), "{told}");
    assert!(told.contains("removed: 200 addresses in 200 ranges"), "{told}");

    let (code, told) = dnsbld(&server, &["accept", "list"]);
    assert_eq!(code, 0, "{told}:\n{}", server.log());
    assert!(
        told.starts_with("dataset list: accepted: 0 entries served now, before 200;"),
        "{told}"
    );
    // Published before the answer.
    assert_eq!(server.ask("7.0.0.10.bl.test", RecordType::A).rcode(), NXDomain);
    server.expect_log(&["WARN", &event("dataset-accepted", "list")], SOON);

    // A server that stops at once does not forget it.
    let server = server.restart();
    assert_eq!(server.ask("7.0.0.10.bl.test", RecordType::A).rcode(), NXDomain);
    assert!(server.log_lines(&["dataset-refused"]).is_empty(), "{}", server.log());
    // The acceptance was for that file alone.
    server.write("list", addresses(200));
    server.expect_code("7.0.0.10.bl.test", NoError, SOON);
    server.write("list", "# this list was shut down\n");
    server.expect_log(&["ERROR", &event("dataset-refused", "list")], SOON);
    server.expect_code("7.0.0.10.bl.test", NoError, SOON);
}

/// The command of the log works in any terminal, whatever the server was started with.
#[test]
fn the_command_that_accepts_can_be_pasted() {
    let setup = setup("ip4set", &addresses(200));
    let text = fs::read_to_string(setup.path("dnsbld.toml")).unwrap();
    setup.write("dnsbld.toml", text.replace("'control'", "\"run it's/here\""));
    let server = setup.start();
    server.write("list", PAGE);
    server.expect_log(&["ERROR", &event("dataset-refused", "list"), "`dnsbld accept "], SOON);
    let lines = server.log_lines(&["dataset-refused"]);
    let (_, told) = dnsbld(&server, &["status"]);
    let command = |text: &str| text.split('`').nth(1).expect("a command").to_owned();
    assert_eq!(command(&lines[0]), command(&told));
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", &command(&told)]).current_dir("/").env_remove("RUNTIME_DIRECTORY");
    let folder = Path::new(env!("CARGO_BIN_EXE_dnsbld")).parent().expect("it is in a folder");
    let output = shell.env("PATH", folder).output().expect("there is a shell");
    assert!(output.status.success(), "{told}: {output:?}");
    assert_eq!(server.ask("7.0.0.10.bl.test", RecordType::A).rcode(), NXDomain);
}

/// What somebody has looked at is accepted, and nothing that came in its place.
#[test]
fn a_file_that_has_changed_since_is_judged_as_usual() {
    let setup = setup("ip4set", &addresses(200));
    let text = fs::read_to_string(setup.path("dnsbld.toml")).unwrap();
    let server = "[server]\nquiet-period = '2s'\ncheck-interval = '100ms'";
    setup.write("dnsbld.toml", text.replace("[server]", server));
    let server = setup.start();
    server.write("list", PAGE);
    server.expect_log(&["ERROR", &event("dataset-refused", "list")], SOON);
    // The server has not seen it at rest yet, and waits for that.
    server.write("list", "<html>another page</html>\n");
    let (code, told) = dnsbld(&server, &["accept", "list"]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("have changed since they were refused"), "{told}");
    server.expect_code("7.0.0.10.bl.test", NoError, SOON);
}

/// No list can be made of what is packed in another way.
#[test]
fn what_cannot_be_read_cannot_be_accepted() {
    let server = setup("ip4set", &addresses(200)).start();
    server.write("list", "PK\x03\x04 and so on");
    server.expect_log(&["ERROR", &event("dataset-refused", "list"), "ZIP"], SOON);
    let (code, told) = dnsbld(&server, &["accept", "list"]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("cannot be accepted") && told.contains("ZIP"), "{told}");
}

/// An error page is refused by its first bytes, and can be accepted all the same: it lists nothing.
#[test]
fn a_page_that_is_accepted_empties_the_list() {
    let server = setup("ip4set", &addresses(200)).start();
    server.write("list", PAGE);
    server.expect_log(&["ERROR", &event("dataset-refused", "list"), "`dnsbld accept "], SOON);
    let (code, told) = dnsbld(&server, &["accept", "list"]);
    assert_eq!(code, 0, "{told}:\n{}", server.log());
    assert_eq!(server.ask("7.0.0.10.bl.test", RecordType::A).rcode(), NXDomain);
}

#[test]
fn guard_and_diff_tell_beforehand_what_would_become_of_a_file() {
    let server = setup("ip4set", &addresses(200)).start();
    wait_for_snapshot(&server);
    let (good, page) = (server.path("new"), server.path("page"));
    fs::write(&good, addresses(190) + "10.0.1.0/24 :2:listed\n10.0.3.7 :3:otherwise\n").unwrap();
    fs::write(&page, PAGE).unwrap();
    let judge = |file: &Path| dnsbld(&server, &["guard", file.to_str().unwrap(), "--as", "list"]);
    let (code, told) = judge(&good);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("192, before 200") && told.contains("would be served"), "{told}");
    let (code, told) = judge(&page);
    assert_eq!(code, 1, "{told}");
    let wanted = [
        "would be refused: ",
        "guard foreign             refuses: is an HTML",
        "nothing-valid       refuses",
    ];
    assert!(wanted.iter().all(|words| told.contains(words)), "{told}");
    let (code, told) = judge(&server.path("none"));
    assert_eq!((code, told.contains("cannot tell")), (2, true), "{told}");

    let (code, told) = dnsbld(&server, &["diff", "list", good.to_str().unwrap(), "--limit", "3"]);
    assert_eq!(code, 1, "{told}");
    let want = "\
+ 10.0.1.8-10.0.1.255
+ 10.0.1.0-10.0.1.6
~ 10.0.3.7
... 10 more differences; --limit 0 prints all
added: 255 addresses in 2 ranges
removed: 10 addresses in 10 ranges
changed: 1 address in 1 range
";
    assert_eq!(told, want);
    let (code, told) = dnsbld(&server, &["diff", "list", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &report["schema"]), (0, &1.into()), "{told}");
    assert_eq!(report["differences"], serde_json::json!([]));
    // Nothing was taken of what was only looked at.
    assert_eq!(server.ask("0.1.0.10.bl.test", RecordType::A).rcode(), NXDomain);
    assert!(quarantined(&server).is_empty());
}

#[test]
fn names_are_compared_too() {
    let server = setup("dnset", &names(100)).start();
    wait_for_snapshot(&server);
    let new = server.path("new");
    fs::write(&new, names(99) + "one.example :2:listed\n").unwrap();
    let (code, told) = dnsbld(&server, &["diff", "list", new.to_str().unwrap()]);
    assert_eq!(code, 1, "{told}");
    let want = "\
- bad99.example
- *.bad99.example
+ one.example
added: 1 name
removed: 2 names
";
    assert_eq!(told, want);
}

/// `0-255` at the end of a list lists all of IPv4.
#[test]
fn a_list_that_grew_to_the_world_is_held_back_until_somebody_accepts_it() {
    let server = setup("ip4set", &addresses(200)).start();
    wait_for_snapshot(&server);
    let good = snapshot(&server);
    let world = addresses(200) + "0-255 :2:everybody\n";
    server.write("list", &world);
    let told =
        ["ERROR", &event("dataset-refused", "list"), "guard grew", "4294967296", "200 before"];
    server.expect_log(&told, SOON);
    expect_quarantined(&server, 1);
    assert_eq!(unpacked(&quarantined(&server)[0]), world);
    assert_eq!(server.ask("1.2.0.192.bl.test", RecordType::A).rcode(), NXDomain);
    assert_eq!(server.ask("7.0.0.10.bl.test", RecordType::A).rcode(), NoError);

    let server = server.restart();
    server.expect_log(&told, SOON);
    assert_eq!(server.ask("1.2.0.192.bl.test", RecordType::A).rcode(), NXDomain);
    assert_eq!(server.ask("7.0.0.10.bl.test", RecordType::A).rcode(), NoError);
    assert_eq!(snapshot(&server), good);
    let (code, told) = dnsbld(&server, &["status", "list"]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("guard grew: lists 4294967296 IPv4 addresses"), "{told}");
    let list = server.path("list");
    let (code, told) = dnsbld(&server, &["guard", list.to_str().unwrap(), "--as", "list"]);
    assert_eq!(code, 1, "{told}");
    let rules = [
        "guard grew                refuses: lists 4294967296",
        "guard sentinel            refuses: lists",
    ];
    assert!(rules.iter().all(|words| told.contains(words)), "{told}");
    assert!(told.contains("guard shrank              passes"), "{told}");

    let (code, told) = dnsbld(&server, &["accept", "list"]);
    assert_eq!(code, 0, "{told}:\n{}", server.log());
    assert!(told.contains("accepted: 201 entries served now, before 200"), "{told}");
    assert_eq!(server.ask("1.2.0.192.bl.test", RecordType::A).rcode(), NoError);
    for rule in ["guard grew", "guard sentinel"] {
        server.expect_log(&["WARN", &event("dataset-accepted", "list"), rule], SOON);
    }
    wait_for_snapshot(&server);
    let server = server.restart();
    assert_eq!(server.ask("1.2.0.192.bl.test", RecordType::A).rcode(), NoError);
    assert!(server.log_lines(&["dataset-refused"]).is_empty(), "{}", server.log());
    // It is what the next version is compared with.
    server.write("list", world + "10.9.9.9\n");
    server.expect_log(&[&event("dataset-reloaded", "list"), "202 entries, before 201"], SOON);
}
