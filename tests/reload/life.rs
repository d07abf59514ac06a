//! The life of datasets and zones: bad from the start, shared, stacked, expired; the serials.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hickory_proto::op::ResponseCode::{NXDomain, NoError, ServFail};
use hickory_proto::rr::RecordType;

use super::{RATE, SOON};
use crate::common::{Daemon, Setup, Stream, Style, VersionedFeed, event, wait_until};

/// The tables of datasets (name, files) and zones (name, datasets).
fn tables(datasets: &[(&str, &[&str])], zones: &[(&str, &[&str])]) -> String {
    let datasets = datasets.iter().map(|(name, files)| {
        format!("[[dataset]]\nname = \"{name}\"\ntype = \"ip4set\"\nfiles = {files:?}\n")
    });
    let zones = zones
        .iter()
        .map(|(name, sets)| format!("[[zone]]\nname = \"{name}\"\ndatasets = {sets:?}\n"));
    datasets.chain(zones).collect()
}

#[test]
fn a_bad_file_at_the_start_costs_its_own_dataset_only() {
    let setup = Setup::new();
    setup.write("good", "10.0.0.1 :2:good\n");
    setup.write("garbage", "@@@\n@@@\n");
    setup.configure(
        "",
        &tables(
            &[("good", &["good"]), ("garbage", &["garbage"]), ("absent", &["absent"])],
            &[
                ("good.test", &["good"]),
                ("garbage.test", &["garbage"]),
                ("absent.test", &["absent"]),
                ("stack.test", &["good", "absent"]),
                ("late.test", &["absent", "garbage"]),
            ],
        ),
    );
    let server = setup.start();
    let code = |name: &str| server.ask(name, RecordType::TXT).rcode();
    assert_eq!(code("1.0.0.10.good.test"), NoError);
    assert_eq!(code("1.0.0.10.stack.test"), NoError);
    for zone in ["garbage.test", "absent.test", "late.test"] {
        assert_eq!(code(&format!("1.0.0.10.{zone}")), ServFail, "{zone}");
        assert_eq!(server.ask(zone, RecordType::SOA).rcode(), ServFail, "{zone}");
    }
    // A health check must not call a zone well of which a part is dead.
    assert_eq!(code("2.0.0.127.good.test"), NoError);
    assert_eq!(code("2.0.0.127.stack.test"), ServFail);
    // Nor must it delist what the dead part lists.
    assert_eq!(code("9.0.0.10.stack.test"), ServFail);
    server
        .expect_log(&["ERROR", &event("dataset-refused", "garbage"), "holds nothing valid"], SOON);
    server
        .expect_log(&["ERROR", &event("dataset-refused", "absent"), "there is no such file"], SOON);

    setup_file(&server, "garbage", "10.0.0.2 :2:healed\n");
    server.expect_code("2.0.0.10.garbage.test", NoError, SOON);
    server.expect_code("2.0.0.10.late.test", NoError, SOON);
    assert_eq!(code("2.0.0.10.absent.test"), ServFail);
    setup_file(&server, "absent", "10.0.0.3 :2:there at last\n");
    for zone in ["absent.test", "stack.test", "late.test"] {
        server.expect_code(&format!("3.0.0.10.{zone}"), NoError, SOON);
    }
    assert_eq!(code("2.0.0.127.stack.test"), NoError);
    server.expect_log(&[&event("dataset-loaded", "garbage")], SOON);
    server.expect_log(&[&event("dataset-loaded", "absent")], SOON);
    assert_eq!(server.log_lines(&[&event("load-started", "good")]).len(), 1, "{}", server.log());
}

/// Regression: the test point was answered, and the zone looked healthy, without its allow list.
#[test]
fn a_zone_without_its_allow_list_is_not_whole() {
    let setup = Setup::new();
    setup.write("good", "127.0.0.2 :2:test\n10.0.0.1 :2:good\n10.0.0.2 :2:ours\n");
    let tables = tables(&[("good", &["good"]), ("allow", &["allow"])], &[]);
    let zone = "[[zone]]\nname = \"a.test\"\ndatasets = [\"good\"]\nallow = [\"allow\"]\n";
    setup.configure("", &(tables + zone));
    let server = setup.start();
    let code = |name: &str| server.ask(name, RecordType::A).rcode();
    assert_eq!(code("2.0.0.127.a.test"), NXDomain);
    // An allow list changes nothing of what is not listed.
    assert_eq!(code("9.0.0.10.a.test"), NXDomain);
    assert_eq!(code("1.0.0.10.a.test"), NoError);
    setup_file(&server, "allow", "10.0.0.2\n");
    server.expect_code("2.0.0.127.a.test", NoError, SOON);
    assert_eq!(code("9.0.0.10.a.test"), NXDomain);
    assert_eq!(code("2.0.0.10.a.test"), NXDomain);
}

/// Regression: what is told to be no list was taken for one if nothing was served yet: a list of zeros was
/// an empty list, and as an access list let everybody in.
#[test]
fn what_is_no_list_is_not_served_at_the_start_either() {
    let setup = Setup::new();
    let files: [(&str, &str, &[u8], &str); 4] = [
        ("zeros", "ip4set", &[0; 4096], "is no text"),
        ("packed", "dnset", b"\x28\xb5\x2f\xfd\nexample.com\n", "packed by zstd"),
        ("wide", "dnset", b"\xff\xfea\0.\0b\0\n\0", "text in UTF-16"),
        ("clients", "acl", &[0; 4096], "is no text"),
    ];
    let mut tables = String::new();
    for (name, kind, content, _) in files {
        setup.write(name, content);
        let zone = match kind {
            "acl" => "datasets = [\"good\"]\nacl = [\"clients\"]".to_owned(),
            _ => format!("datasets = [\"{name}\"]"),
        };
        tables += &format!(
            "[[dataset]]\nname = \"{name}\"\ntype = \"{kind}\"\nfiles = [\"{name}\"]\n\
             [[zone]]\nname = \"{name}.test\"\n{zone}\n"
        );
    }
    setup.write("good", "10.0.0.1\n");
    tables += "[[dataset]]\nname = \"good\"\ntype = \"ip4set\"\nfiles = [\"good\"]\n";
    setup.configure("", &tables);
    let server = setup.start();
    for (name, _, _, what) in files {
        for asked in ["1.0.0.10", "example.com", "2.0.0.127"] {
            let reply = server.ask(&format!("{asked}.{name}.test"), RecordType::A);
            assert_eq!(reply.rcode(), ServFail, "{asked} {name}");
        }
        server.expect_log(&["ERROR", &event("dataset-refused", name), what], SOON);
    }
}

fn setup_file(server: &Daemon, name: &str, text: &str) {
    fs::write(server.path(name), text).expect("it can be written");
}

#[test]
fn a_file_of_two_datasets_changes_both_and_no_other() {
    let setup = Setup::new();
    let [shared, twin, other] =
        ["one", "two", "three"].map(|z| VersionedFeed::new(z, Style::Replaced, 50));
    setup.write("shared", shared.text(1));
    setup.write("own", "");
    setup.write("other", other.text(1));
    let datasets: [(&str, &[&str]); 3] =
        [("a", &["shared"]), ("b", &["own", "shared"]), ("c", &["other"])];
    setup.configure("", &tables(&datasets, &[("one", &["a"]), ("two", &["b"]), ("three", &["c"])]));
    let server = setup.start();
    let feeds = [shared.clone(), twin.clone(), other.clone()];
    let stream = Stream::start(server.addr(), &feeds, RATE);
    shared.allow(2);
    twin.allow(2);
    setup_file(&server, "shared", &shared.text(2));
    shared.wait_for(2, SOON).expect("the first follows");
    twin.wait_for(2, SOON).expect("the second follows");
    stream.finish();
    feeds.iter().for_each(|feed| feed.check().expect("answers are right"));
    let loads = |dataset: &str| server.log_lines(&[&event("load-started", dataset)]).len();
    assert_eq!(["a", "b", "c"].map(loads), [2, 2, 1], "{}", server.log());
}

/// Regression: the change of one file made the dataset read the others as well, one of them half
/// written by a writer that paused.
#[test]
fn a_dataset_waits_for_all_its_files_to_rest() {
    let setup = Setup::new();
    let feed = VersionedFeed::new("both", Style::Replaced, 2000);
    setup.write("slow", feed.text(1));
    setup.write("quick", "192.0.2.1\n");
    setup.configure("", &tables(&[("both", &["slow", "quick"])], &[("both", &["both"])]));
    let server = setup.start();
    let stream = Stream::start(server.addr(), std::slice::from_ref(&feed), RATE);
    feed.allow(2);
    let text = feed.text(2);
    let (first, second) = text.as_bytes().split_at(text.len() / 2);
    let mut file = fs::File::create(server.path("slow")).expect("it can be written");
    std::io::Write::write_all(&mut file, first).expect("there is room");
    // The writer pauses: the other file changes later, and both could be read long before it goes on.
    sleep(Duration::from_millis(100));
    setup_file(&server, "quick", "192.0.2.1\n192.0.2.2\n");
    sleep(Duration::from_millis(1500));
    feed.check().expect("half a file is not served");
    assert_eq!(server.ask("2.2.0.192.both", RecordType::A).rcode(), NXDomain, "it waits");
    std::io::Write::write_all(&mut file, second).expect("there is room");
    drop(file);
    feed.wait_for(2, SOON).expect("both are served");
    assert_eq!(server.ask("2.2.0.192.both", RecordType::A).rcode(), NoError);
    stream.finish();
    feed.check().expect("answers are right");
}

/// Regression: SIGHUP, and a retry, read a file while its writer paused.
#[test]
fn a_hangup_does_not_read_a_file_that_is_being_written() {
    let setup = Setup::new();
    let feed = VersionedFeed::new("hup", Style::Replaced, 2000);
    setup.write("list", feed.text(1));
    let files = [("hup".to_owned(), "list".to_owned())];
    setup.configure_lists("", &files);
    let server = setup.start();
    let stream = Stream::start(server.addr(), std::slice::from_ref(&feed), RATE);
    feed.allow(2);
    let text = feed.text(2);
    let (first, second) = text.as_bytes().split_at(text.len() / 2);
    let mut file = fs::File::create(server.path("list")).expect("it can be written");
    std::io::Write::write_all(&mut file, first).expect("there is room");
    // The writer pauses here, and again behind the hangup.
    sleep(Duration::from_millis(300));
    // All datasets are to be built anew, this one when its file is at rest.
    server.configure_lists("default-ttl = 77", &files);
    server.reload();
    sleep(Duration::from_millis(700));
    assert_eq!(feed.served(), 1);
    std::io::Write::write_all(&mut file, second).expect("there is room");
    drop(file);
    feed.wait_for(2, SOON).expect("it is served when it is whole");
    assert_eq!(server.ask("1.0.0.10.hup", RecordType::TXT).ttls(), [77]);
    stream.finish();
    feed.check().expect("answers are right");
}

#[test]
fn data_expires_while_it_is_served_and_newer_data_heals_it() {
    let setup = Setup::new();
    setup.write("list", "10.0.0.1 :2:first\n");
    setup.write("other", "10.0.0.1 :2:other\n");
    setup.configure(
        "",
        &tables(
            &[("ages", &["list"]), ("other", &["other"])],
            &[
                ("ages.test", &["ages"]),
                ("other.test", &["other"]),
                ("stack.test", &["ages", "other"]),
            ],
        ),
    );
    let server = setup.start();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    setup_file(&server, "list", &format!("$TIMESTAMP {} +5s\n10.0.0.1 :2:second\n", stamp(now)));
    let client = server.client();
    let text = || client.ask("1.0.0.10.ages.test", RecordType::TXT).map(|reply| reply.texts());
    assert!(wait_until(SOON, || text().is_ok_and(|text| text == ["second"])), "{}", server.log());
    server.expect_code("1.0.0.10.ages.test", ServFail, Duration::from_secs(8));
    server.expect_log(&["event=\"zone-expired\"", "$TIMESTAMP"], SOON);
    assert_eq!(server.ask("1.0.0.10.other.test", RecordType::A).rcode(), NoError);
    // What has expired took the zones down that have other data.
    let stack = || server.ask("1.0.0.10.stack.test", RecordType::TXT).texts();
    assert_eq!(stack(), ["other"]);
    server.expect_code("2.0.0.127.stack.test", ServFail, SOON);
    setup_file(&server, "list", "10.0.0.1 :2:third\n");
    server.expect_code("1.0.0.10.ages.test", NoError, SOON);
    assert!(wait_until(SOON, || stack().len() == 2), "{:?}", stack());
    for what in ["zone ages.test", "dataset ages"] {
        assert_eq!(server.log_lines(&[what, "has expired"]).len(), 1, "told once");
    }
}

/// It said "serving" of data that had expired, and the line to try asked for an entry that need not
/// be there.
#[test]
fn the_report_of_the_start_says_what_is_served() {
    let setup = Setup::new();
    setup.write("good", "10.0.0.1\n");
    setup.write("old", "$TIMESTAMP 2001:01:01 2001:02:01\n10.0.0.1\n");
    setup.configure(
        "",
        &tables(
            &[("good", &["good"]), ("old", &["old"]), ("absent", &["absent"])],
            &[
                ("old.test", &["old"]),
                ("absent.test", &["absent"]),
                ("part.test", &["good", "absent"]),
                ("half.test", &["old", "good"]),
            ],
        ),
    );
    let server = setup.start();
    for (zone, state) in [
        ("old.test ", " SERVFAIL, its data has expired"),
        ("absent.test ", " SERVFAIL, see the log"),
        ("part.test ", " serving in part, see the log"),
        ("half.test ", " serving in part, see the log"),
    ] {
        assert_eq!(server.log_lines(&[zone, state]).len(), 1, "{zone} {}", server.log());
    }
    assert_eq!(server.log_lines(&["try: dig", " part.test SOA"]).len(), 1, "{}", server.log());
    server.expect_log(&[&event("dataset-expired", "old")], SOON);
}

/// A time as `$TIMESTAMP` takes it, in UTC.
fn stamp(seconds: u64) -> String {
    let mut date = std::process::Command::new("date");
    date.args(["-u", "-d", &format!("@{seconds}"), "+%Y:%m:%d:%H:%M:%S"]);
    let output = date.output().expect("date is there");
    String::from_utf8(output.stdout).expect("ASCII").trim().to_owned()
}

#[test]
fn serials_never_go_back() {
    let setup = Setup::new();
    setup.write("list", "10.0.0.1\n");
    setup.write("white", "10.0.0.99\n");
    let datasets: [(&str, &[&str]); 2] = [("list", &["list"]), ("white", &["white"])];
    let zones = "[[zone]]\nname = \"bl.test\"\ndatasets = [\"list\"]\nallow = [\"white\"]\n";
    let rest = tables(&datasets, &[]) + zones;
    setup.configure("state-dir = \"state\"", &rest);
    let touch = |setup: &Setup, name: &str, seconds: u64| {
        let file = fs::File::options().append(true).open(setup.path(name)).expect("it is there");
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).expect("it is ours");
    };
    let put = |server: &Daemon, name: &str, text: &str, seconds: u64| {
        setup_file(server, ".new", text);
        touch(server, ".new", seconds);
        fs::rename(server.path(".new"), server.path(name)).expect("it is there");
    };
    let rises = |server: &Daemon, before: u32| {
        assert!(wait_until(SOON, || server.serial("bl.test") != before), "{}", server.log());
        server.serial("bl.test")
    };
    const YEAR_2020: u64 = 1_600_000_000;
    for name in ["list", "white"] {
        touch(&setup, name, YEAR_2020 - 1000);
    }

    let server = setup.start();
    let first = server.serial("bl.test");
    put(&server, "list", "10.0.0.1\n10.0.0.2\n", YEAR_2020);
    assert_eq!(u64::from(rises(&server, first)), YEAR_2020, "the time of the newest file");
    put(&server, "list", "10.0.0.1\n10.0.0.3\n", YEAR_2020);
    assert_eq!(u64::from(rises(&server, 1_600_000_000)), YEAR_2020 + 1, "in the same second");
    put(&server, "list", "10.0.0.1\n10.0.0.4\n", YEAR_2020 - 500);
    assert_eq!(u64::from(rises(&server, 1_600_000_001)), YEAR_2020 + 2, "in the past");
    put(&server, "white", "10.0.0.4\n", YEAR_2020 - 400);
    assert_eq!(u64::from(rises(&server, 1_600_000_002)), YEAR_2020 + 3, "by an allow list");

    let server = server.restart();
    assert_eq!(u64::from(server.serial("bl.test")), YEAR_2020 + 3, "nothing has changed");
    put(&server, "list", "10.0.0.1\n10.0.0.5\n", YEAR_2020 - 300);
    assert_eq!(u64::from(rises(&server, 1_600_000_003)), YEAR_2020 + 4);
    server.configure("state-dir = \"state\"\ndefault-ttl = 99", &rest);
    server.reload();
    assert_eq!(u64::from(server.serial("bl.test")), YEAR_2020 + 5, "other TTLs are a change");
    // Regression: a mirror that was only touched, or written again as it was, seemed to be old.
    touch(&server, "list", YEAR_2020 + 1000);
    assert_eq!(u64::from(rises(&server, 1_600_000_005)), YEAR_2020 + 1000, "only touched");
    put(&server, "list", "10.0.0.1\n10.0.0.6\n", 1 << 33);
    let latest = u64::from(rises(&server, 1_600_001_000));
    let now = UNIX_EPOCH.elapsed().expect("it is later").as_secs();
    assert!((now - 60..=now).contains(&latest), "not from the future: {latest}");
}

#[test]
fn replaced_data_is_freed() {
    const NAMES: u32 = 300_000;
    let setup = Setup::new();
    let text = |version| {
        let name = |number: u32| format!("{:08x}.example\n", number.wrapping_mul(0x9e37_79b9));
        (0..NAMES).map(name).chain([format!("version-{version}\n")]).collect::<String>()
    };
    setup.write("names", text(1));
    setup.configure(
        "",
        "[[dataset]]\nname = \"names\"\ntype = \"dnset\"\nfiles = [\"names\"]\n\
         [[zone]]\nname = \"names.test\"\ndatasets = [\"names\"]\n",
    );
    let server = setup.start();
    server.expect_code("version-1.names.test", NoError, SOON);
    let before = server.resident_at_rest();
    setup_file(&server, "names", &text(2));
    server.expect_code("version-2.names.test", NoError, Duration::from_secs(20));
    // The names take some 5 MiB.
    let most = before + 3 * 1024;
    let after = server.resident(|resident| resident < most);
    assert!(after < most, "{before} KiB, and {after} KiB after a reload");
}
