//! Snapshots as users meet them: starts that map them, files that have changed meanwhile, damage,
//! and the commands that make and verify them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use crate::common::{Daemon, Setup, event, in_parallel, names_in, temp_dir, wait_until};
use hickory_proto::op::ResponseCode::{NXDomain, NoError, ServFail};
use hickory_proto::rr::RecordType;
use rustix::process::Signal;

const SOON: Duration = Duration::from_secs(5);

const MAPPED: &str = "event=\"snapshot-mapped\"";

fn dnsbld(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_dnsbld"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("DNSBLD_LOG")
        .output()
        .expect("the server's program runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

/// A server with a list of addresses and one of names, and a state folder.
fn setup() -> Setup {
    let setup = Setup::new();
    setup.write("list", "10.0.0.1 :2:first\nnonsense\n2001:db8::/32\n");
    setup.write("names", ".bad.example :3:a name\n");
    configure(&setup, "ip4trie", "");
    setup
}

fn configure(setup: &Setup, kind: &str, more: &str) {
    let tables = format!(
        "[[dataset]]\nname = 'list'\ntype = '{kind}'\nfiles = ['list']\n\
         accept-snapshot = true\n{more}\n\
         [[dataset]]\nname = 'names'\ntype = 'dnset'\nfiles = ['names']\n\
         [[zone]]\nname = 'bl.test'\ndatasets = ['list', 'names']\n"
    );
    setup.configure("state-dir = 'state'", &tables);
}

/// A server with the list alone.
fn configure_list(setup: &Setup) {
    setup.configure(
        "state-dir = 'state'",
        "[[dataset]]\nname = 'list'\ntype = 'ip4set'\nfiles = ['list']\n\
         accept-snapshot = true\n\
         [[zone]]\nname = 'bl.test'\ndatasets = ['list']\n",
    );
}

/// The snapshots in the state folder.
fn snapshots(setup: &Setup) -> Vec<PathBuf> {
    let folder = setup.path("state/snapshots");
    if !folder.exists() {
        return Vec::new();
    }
    let names = names_in(&folder).into_iter().filter(|name| !name.ends_with(".record.json"));
    names.map(|name| folder.join(name)).collect()
}

fn snapshot_of(setup: &Setup, name: &str) -> PathBuf {
    let start = format!("{name}-");
    let named =
        |path: &PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&start));
    snapshots(setup).into_iter().find(named).expect("there is one")
}

/// Files that have just changed are not trusted to show the next change: only the time tells, as the
/// clock of the file system goes in steps.
fn settle() {
    std::thread::sleep(Duration::from_millis(100));
}

fn written(server: &Daemon, count: usize) {
    let done =
        wait_until(SOON, || server.log_lines(&["event=\"snapshot-written\""]).len() >= count);
    assert!(done, "not written:\n{}", server.log());
}

fn check(server: &Daemon) {
    let texts = |name: &str| server.ask(name, RecordType::TXT).rcode();
    assert_eq!(texts("1.0.0.10.bl.test"), NoError);
    assert_eq!(texts("2.0.0.10.bl.test"), NXDomain);
    assert_eq!(texts("x.bad.example.bl.test"), NoError);
}

#[test]
fn a_start_with_unchanged_files_maps_and_one_with_changed_files_reads() {
    let setup = setup();
    settle();
    let server = setup.start();
    check(&server);
    written(&server, 2);
    assert!(server.log_lines(&[MAPPED]).is_empty(), "{}", server.log());
    let setup = server.stop();

    let server = setup.start();
    check(&server);
    assert_eq!(server.log_lines(&[MAPPED]).len(), 2, "{}", server.log());
    // What is told of the files is what was told when they were read.
    assert_eq!(server.log_lines(&[&event("dataset-loaded", "list"), "2 entries"]).len(), 1);
    assert_eq!(
        server.log_lines(&["WARN", &event("snapshot-bad-lines", "list"), "line 2"]).len(),
        1
    );
    // It is watched like any other: a change is read, and kept.
    settle();
    server.write("list", "10.0.0.1 :2:first\n10.0.0.2 :2:second\n");
    server.expect_code("2.0.0.10.bl.test", NoError, SOON);
    server.expect_log(&[&event("dataset-reloaded", "list")], SOON);
    written(&server, 1);
    let setup = server.stop();

    // Changed while nobody looked.
    settle();
    setup.write("list", "10.0.0.1 :2:first\n10.0.0.3 :2:third\n");
    let server = setup.start();
    check(&server);
    assert_eq!(server.ask("3.0.0.10.bl.test", RecordType::A).rcode(), NoError);
    assert_eq!(server.log_lines(&[MAPPED]).len(), 1, "{}", server.log());
    let told = ["event=\"snapshot-of-other-files\" dataset=\"list\""];
    assert_eq!(server.log_lines(&told).len(), 1, "{}", server.log());
    written(&server, 1);
    let setup = server.stop();

    // Written again as it was: another identity, the same bytes.
    let text = fs::read(setup.path("list")).expect("it is there");
    fs::remove_file(setup.path("list")).expect("ours");
    setup.write("list", text);
    settle();
    let server = setup.start();
    assert_eq!(server.log_lines(&[MAPPED]).len(), 2, "{}", server.log());
    written(&server, 1);
}

/// A mirror that fails while the server is down took the zone down at the next start, or emptied
/// it, although the last good data was in the state folder.
#[test]
fn the_last_good_data_outlives_a_restart() {
    let lines = |from: u8, to: u8| (from..=to).map(|n| format!("10.0.0.{n}\n")).collect::<String>();
    let good = lines(1, 100);
    let holes = format!("10.0.0.1\n{}", "\0".repeat(512));
    let hosts = "0.0.0.0 bad.example\n0.0.0.0 worse.example\n0.0.0.0 worst.example\n";
    let faults = [
        ("gone", None, "no such file"),
        ("empty", Some(""), "holds no bytes"),
        ("a page", Some("<html>\n10.0.0.1\n"), "HTML"),
        ("a hosts file", Some(hosts), "hosts file"),
        ("a remark", Some("# moved\n"), "while 100 entries are served"),
        ("holes", Some(&*holes), "bytes of value zero"),
    ];
    in_parallel(&faults, |&(what, fault, told)| {
        let setup = Setup::new();
        setup.write("list", &good);
        configure_list(&setup);
        settle();
        let server = setup.start();
        written(&server, 1);
        let setup = server.stop();
        match fault {
            Some(text) => setup.write("list", text),
            None => fs::remove_file(setup.path("list")).expect("ours"),
        }
        settle();
        // Twice: the snapshot has stayed.
        let server = setup.start().restart();
        assert_eq!(server.ask("9.0.0.10.bl.test", RecordType::A).rcode(), NoError, "{what}");
        let log = server.log();
        assert!(log.contains("100 entries loaded") && log.contains(told), "{what}: {log}");
        // Nothing is missing, but an entry for tests may not be there.
        let state = server.log_lines(&["bl.test ", " serving kept data, see the log"]);
        assert_eq!(state.len(), 1, "{what}: {log}");
        assert_eq!(server.log_lines(&["try: dig", " bl.test SOA"]).len(), 1, "{what}: {log}");
        // Better data is taken as ever.
        fs::write(server.path("new"), lines(2, 60)).expect("ours");
        fs::rename(server.path("new"), server.path("list")).expect("ours");
        server.expect_code("1.0.0.10.bl.test", NXDomain, SOON);
        assert_eq!(server.ask("9.0.0.10.bl.test", RecordType::A).rcode(), NoError, "{what}");
    });
}

/// A zone whose list had come back as a remark was dumped as an empty one.
#[test]
fn a_dump_judges_the_files_as_a_start_does() {
    let setup = Setup::new();
    setup.write("list", (0..20).map(|n| format!("10.0.0.{n}\n")).collect::<String>());
    configure_list(&setup);
    settle();
    let server = setup.start();
    written(&server, 1);
    let setup = server.stop();
    let dump = || dnsbld(&setup.path("."), &["dump", "--config", "dnsbld.toml", "bl.test"]);
    assert_eq!(dump().0, Some(0));
    setup.write("list", "# moved\n");
    settle();
    let (code, records, said) = dump();
    assert_eq!((code, &*records), (Some(1), ""), "{said}");
    assert!(said.contains("20 entries loaded"), "{said}");
}

/// What a mirror job was writing to at the start was served in place of the last good data, and its
/// snapshot with it.
#[test]
fn a_start_waits_for_a_file_that_is_being_written() {
    let lines = |count: u8| (0..count).map(|n| format!("10.0.0.{n}\n")).collect::<Vec<_>>();
    let setup = Setup::new();
    setup.write("list", lines(200).concat());
    configure_list(&setup);
    settle();
    let server = setup.start();
    written(&server, 1);
    let setup = server.stop();
    let mut list = fs::File::create(setup.path("list")).expect("ours");
    let writer = std::thread::spawn(move || {
        for line in lines(100) {
            list.write_all(line.as_bytes()).expect("room");
            // It is at work for three seconds.
            std::thread::sleep(Duration::from_millis(30));
        }
    });
    let server = setup.start();
    while !writer.is_finished() {
        assert_eq!(server.ask("199.0.0.10.bl.test", RecordType::A).rcode(), NoError);
        // Often enough: a wrong answer would stay.
        std::thread::sleep(Duration::from_millis(100));
    }
    writer.join().expect("it has written all");
    server.expect_code("199.0.0.10.bl.test", NXDomain, SOON);
    assert_eq!(server.log_lines(&["event=\"dataset-reloaded\""]).len(), 1, "{}", server.log());
    server.expect_log(&[&event("dataset-reloaded", "list"), "100 entries"], SOON);
}

#[test]
fn other_settings_read_the_files_and_other_names_remove_the_snapshot() {
    let setup = setup();
    settle();
    let server = setup.start();
    written(&server, 2);
    let setup = server.stop();
    configure(&setup, "ip4trie", "ttl = '7m'\n");
    let server = setup.start();
    let told = [
        "dataset list: snapshot not used: it was made with ttl nothing, and the settings have 420",
    ];
    assert_eq!(server.log_lines(&told).len(), 1, "{}", server.log());
    check(&server);
    written(&server, 1);
    let foreign = server.path("state/snapshots/of-the-administrator");
    fs::write(&foreign, "").expect("ours");
    assert_eq!(snapshots(&server).len(), 3);
    server.configure(
        "state-dir = 'state'",
        "[[dataset]]\nname = 'list'\ntype = 'ip4trie'\nfiles = ['list']\nttl = '7m'\n\
         [[zone]]\nname = 'bl.test'\ndatasets = ['list']\n",
    );
    server.signal(Signal::HUP);
    assert!(wait_until(SOON, || snapshots(&server).len() == 2), "{}", server.log());
    assert!(foreign.exists());
}

#[test]
fn what_is_wrong_with_a_snapshot_is_told_and_the_files_are_read() {
    let setup = setup();
    settle();
    let server = setup.start();
    written(&server, 2);
    let mut setup = server.stop();
    let good = fs::read(snapshot_of(&setup, "list")).expect("it is there");
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let mut other_version = good.clone();
    other_version[8] = 77;
    let of_another = fs::read(snapshot_of(&setup, "names")).expect("it is there");
    for (bytes, level, told) in [
        (&flipped, "WARN", "is damaged: the checksum of its data is wrong"),
        (&good[..good.len() - 9].to_vec(), "WARN", "it was cut off, or added to"),
        (&Vec::new(), "WARN", "is not a snapshot"),
        (&other_version, "WARN", "is of version 77 of the format"),
        (&of_another, "INFO", "made with type dnset, and the settings have ip4trie"),
    ] {
        fs::write(snapshot_of(&setup, "list"), bytes).expect("ours");
        let server = setup.start();
        check(&server);
        let lines = server.log_lines(&[level, "dataset list: snapshot ", told]);
        assert_eq!(lines.len(), 1, "{told}:\n{}", server.log());
        written(&server, 1);
        setup = server.stop();
    }
    assert_eq!(fs::read(snapshot_of(&setup, "list")).expect("it is there"), good);
}

#[test]
fn data_expires_as_a_snapshot_too() {
    let setup = Setup::new();
    setup.write("text", "$TIMESTAMP 2020-01-01 2021-01-01\n10.0.0.1\n");
    let (code, _, err) = dnsbld(&setup.path(""), &["compile", "-o", "list", "ip4set:text"]);
    assert_eq!(code, Some(0), "{err}");
    configure_list(&setup);
    settle();
    let server = setup.start();
    assert_eq!(server.ask("1.0.0.10.bl.test", RecordType::A).rcode(), ServFail);
    written(&server, 1);
    let server = server.restart();
    assert_eq!(server.log_lines(&[MAPPED]).len(), 1, "{}", server.log());
    assert_eq!(server.ask("1.0.0.10.bl.test", RecordType::A).rcode(), ServFail);
}

#[test]
fn a_snapshot_made_by_hand_is_served_in_place_of_its_text() {
    let folder = temp_dir();
    fs::write(folder.path().join("text"), "10.0.0.1 :2:made elsewhere\n:oops\n").expect("ours");
    let (code, out, err) = dnsbld(folder.path(), &["compile", "-o", "list", "ip4trie:text"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        out.starts_with("list: snapshot ") && out.ends_with(" of ip4trie:text, 1 entry\n"),
        "{out}"
    );
    assert!(err.contains("text:2:2: "), "{err}");
    let bytes = fs::read(folder.path().join("list")).expect("it is there");
    for state in [true, false] {
        let setup = setup();
        setup.write("list", &bytes);
        if !state {
            let text = fs::read_to_string(setup.path("dnsbld.toml")).expect("ours");
            fs::write(setup.path("dnsbld.toml"), text.replace("state-dir", "#state-dir"))
                .expect("ours");
        }
        settle();
        let server = setup.start();
        check(&server);
        // The file may do what it likes: what is mapped is a copy.
        fs::write(server.path("list"), b"").expect("ours");
        check(&server);
        settle();
        let mut other = bytes.clone();
        other[300] ^= 1;
        fs::write(server.path("list"), &other).expect("ours");
        let told = ["dataset list", "is a snapshot, but it is damaged", "dnsbld compile"];
        server.expect_log(&told, SOON);
        check(&server);
        fs::write(server.path("list"), "10.0.0.1 :2:text again\n10.0.0.9\n").expect("ours");
        server.expect_code("9.0.0.10.bl.test", NoError, SOON);
    }
    let setup = setup();
    setup.write("list", "10.0.0.1 :2:made elsewhere\n");
    let text = fs::read_to_string(setup.path("dnsbld.toml")).expect("ours");
    fs::write(setup.path("dnsbld.toml"), text.replace("accept-snapshot", "#accept-snapshot"))
        .expect("ours");
    settle();
    let server = setup.start();
    check(&server);
    server.write("list", &bytes);
    let told = ["dataset list", "is a snapshot, and the dataset takes in none", "accept-snapshot"];
    server.expect_log(&told, SOON);
    check(&server);
    let setup = self::setup();
    setup.write("list", &bytes);
    configure(&setup, "ip4set", "default-text = 'x'");
    let server = setup.start();
    let told = "is a snapshot, but it was made with type ip4trie, and the dataset has ip4set";
    server.expect_log(&["ERROR", told], SOON);
}

#[test]
fn two_servers_share_a_state_folder() {
    let first = setup();
    settle();
    let server = first.start();
    written(&server, 2);
    let second = Setup::new();
    let text = fs::read_to_string(server.path("dnsbld.toml")).expect("ours");
    let text = text
        .replace(&server.addr().to_string(), &second.addr().to_string())
        .replace("'list']", &format!("'{}']", server.path("list").display()))
        .replace("files = ['names']", &format!("files = ['{}']", server.path("names").display()))
        .replace("'state'", &format!("'{}'", server.path("state").display()));
    let text = text
        .replace(&format!("datasets = ['{}'", server.path("list").display()), "datasets = ['list'");
    second.write("dnsbld.toml", text);
    let other = second.start();
    check(&other);
    assert_eq!(other.log_lines(&[MAPPED]).len(), 2, "{}", other.log());
    // A new snapshot in the place of a mapped one takes nothing from who has mapped it.
    server.write("list", "10.0.0.1 :2:first\n10.0.0.4 :2:fourth\n");
    for server in [&server, &other] {
        server.expect_code("4.0.0.10.bl.test", NoError, SOON);
        check(server);
    }
}

/// Each of them wrote its snapshots over the other's, and took those for its own at its next start.
#[test]
fn a_state_folder_that_another_server_uses_is_no_place_for_other_lists() {
    let first = Setup::new();
    first.write("list", "10.0.0.1\n");
    configure_list(&first);
    settle();
    let server = first.start();
    written(&server, 1);
    let second = Setup::new();
    second.write("list", "10.0.0.2\n");
    configure_list(&second);
    let text = fs::read_to_string(second.path("dnsbld.toml")).expect("ours");
    let state = format!("'{}'", server.path("state").display());
    second.write("dnsbld.toml", text.replace("'state'", &state));
    settle();
    let other = second.start();
    other.expect_log(&["WARN", "event=\"state-folder-busy\""], SOON);
    let server = server.restart();
    assert_eq!(server.ask("1.0.0.10.bl.test", RecordType::A).rcode(), NoError);
    if server.log_lines(&[MAPPED]).is_empty() {
        // The other one was sooner, and writes there now.
        other.expect_log(&["event=\"state-folder-taken\""], SOON);
    }
    let state = server.path("state");
    let first = server.stop();
    other.expect_log(&["event=\"state-folder-taken\""], SOON);
    assert!(wait_until(SOON, || fs::read_to_string(state.join("serials")).is_ok()));
    written(&other, 1);
    let other = other.restart();
    assert_eq!(other.ask("2.0.0.10.bl.test", RecordType::A).rcode(), NoError);

    // Regression: whoever came last took what the other had left there for its own, if its file was gone.
    let other = other.stop();
    fs::remove_file(first.path("list")).expect("it is there");
    let text = fs::read_to_string(first.path("dnsbld.toml")).expect("ours");
    first.write("dnsbld.toml", text.replace("'state'", &format!("'{}'", state.display())));
    let server = first.start();
    assert_eq!(server.ask("2.0.0.10.bl.test", RecordType::A).rcode(), ServFail);
    drop(other);
}

#[test]
fn compile_and_verify_say_what_is_wrong_and_have_exit_codes() {
    let folder = temp_dir();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("list"), "10.0.0.1\n10.0.0.2\n").expect("ours");
    fs::write(path("turned"), "10.0.0.2\n10.0.0.1\n").expect("ours");
    fs::write(path("junk"), "@@@\n").expect("ours");
    let run = |arguments: &[&str]| dnsbld(folder.path(), arguments);
    let id = |out: &str| out.split(' ').nth(2).map(str::to_owned);
    let (code, first, _) = run(&["compile", "-o", "a", "ip4set:list"]);
    assert_eq!(code, Some(0));
    let (_, second, _) = run(&["compile", "-o", "b", "ip4set:turned"]);
    assert_eq!(id(&first), id(&second), "the same list, in another order");
    let (code, out, err) = run(&["verify", "a", "b"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let lines: Vec<_> = out.lines().collect();
    assert!(lines[0].starts_with("a: OK, snapshot "), "{out}");
    assert!(lines[0].contains(" of ip4set:list: 1 IPv4 range, 1 answer, "), "{out}");
    assert_eq!(lines.len(), 2);

    let mut bytes = fs::read(path("a")).expect("it is there");
    bytes[200] ^= 4;
    fs::write(path("bad"), &bytes).expect("ours");
    let (code, _, err) = run(&["verify", "a", "bad", "list"]);
    assert_eq!(code, Some(65));
    assert!(err.contains("bad is damaged: the checksum of its data is wrong"), "{err}");
    assert!(err.contains("list is not a snapshot"), "{err}");
    let (code, _, err) = run(&["verify", "nowhere"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("nowhere cannot be read: "), "{err}");

    for (arguments, told) in [
        (&["compile", "-o", "x", "ip4set:junk"][..], "holds nothing valid"),
        (&["compile", "-o", "x", "ip4set:nowhere"], "there is no such file"),
        (&["compile", "-o", "x", "ip5set:list"], "\"ip5set\" is not a dataset type"),
        (&["compile", "-o", "x", "ip4set:list", "ip4set:turned"], "takes one dataset, not 2"),
        (&["compile", "-o", "no/x", "ip4set:list"], "cannot write no/x"),
        (&["compile", "-o", "list", "ip4set:list"], "it exists and is not a snapshot"),
        (&["compile", "-o", "/dev/null", "ip4set:list"], "not a regular file"),
        (&["compile", "-o", "-", "ip4set:list"], "name another file"),
        (&["verify", "/dev/zero"], "is not a regular file"),
        (&["compile", "ip4set:list"], "there is no state folder: say with -o"),
    ] {
        let (code, _, err) = run(arguments);
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains(told), "{err}");
        assert!(!path("x").exists() && !path("-").exists());
    }
}

/// What is compiled into the state folder by hand is what the next start maps.
#[test]
fn a_start_finds_what_was_compiled_before_it() {
    let setup = setup();
    settle();
    let folder = setup.path("");
    let (code, out, err) = dnsbld(&folder, &["compile", "--config", "dnsbld.toml"]);
    assert_eq!((code, out.lines().count()), (Some(0), 2), "{err}");
    let (code, out, err) = dnsbld(&folder, &["compile", "--config", "dnsbld.toml", "names"]);
    assert_eq!((code, out.lines().count()), (Some(0), 1), "{err}");
    let (code, _, err) = dnsbld(&folder, &["compile", "--config", "dnsbld.toml", "other"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("there is no dataset \"other\""), "{err}");
    let server = setup.start();
    check(&server);
    assert_eq!(server.log_lines(&[MAPPED]).len(), 2, "{}", server.log());
}
