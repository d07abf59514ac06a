//! Every way in which a file goes bad: the old data keeps serving, the log says what is wrong and
//! what to do, and a good file heals it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use flate2::{Compression, write::GzEncoder};

use super::{RATE, SOON};
use crate::common::{Daemon, Setup, Stream, Style, VersionedFeed, event};

const FILLER: u32 = 300;

/// How long after a file went bad the log may take to say so. An absence is given a second to pass.
const SAID: Duration = Duration::from_secs(4);

struct Fault {
    zone: &'static str,
    /// Spoils the list, a file in a folder of its own.
    spoil: fn(&Path, &VersionedFeed),
    /// Words of the line in the log that tells of it.
    says: &'static [&'static str],
    /// Puts things in order; version 2 is served then.
    heal: fn(&Path, &VersionedFeed),
}

const fn fault(
    zone: &'static str,
    spoil: fn(&Path, &VersionedFeed),
    says: &'static [&'static str],
) -> Fault {
    let heal = |file: &Path, feed: &VersionedFeed| put(file, feed.text(2));
    Fault { zone, spoil, says, heal }
}

/// Writes in place.
fn put(file: &Path, content: impl AsRef<[u8]>) {
    fs::write(file, content).expect("it can be written");
}

fn remove(file: &Path) {
    fs::remove_file(file).expect("it is there");
}

fn packed(feed: &VersionedFeed, version: u32) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(feed.text(version).as_bytes()).expect("there is room");
    packer.finish().expect("there is room")
}

const FAULTS: &[Fault] = &[
    fault(
        "vanished",
        |file, _| remove(file),
        &["there is no such file", "check the mirror job and the path"],
    ),
    Fault {
        heal: |file, feed| {
            remove(file);
            put(file, feed.text(2));
        },
        ..fault(
            "dangling",
            |file, _| {
                remove(file);
                std::os::unix::fs::symlink("nowhere", file).expect("it is away");
            },
            &["there is no such file", "check the mirror job"],
        )
    },
    Fault {
        heal: |file, feed| {
            fs::remove_dir(file).expect("it is empty");
            put(file, feed.text(2));
        },
        ..fault(
            "folder",
            |file, _| {
                remove(file);
                fs::create_dir(file).expect("it is away");
            },
            &["is a directory, not a regular file", "put a regular file"],
        )
    },
    Fault {
        heal: |file, feed| {
            remove(file);
            put(file, feed.text(2));
        },
        ..fault(
            "fifo",
            |file, _| {
                remove(file);
                assert!(Command::new("mkfifo").arg(file).status().expect("it runs").success());
            },
            &["is a fifo, not a regular file", "put a regular file"],
        )
    },
    fault("empty", |file, _| put(file, ""), &["holds no bytes", "accept-empty = true"]),
    fault(
        "comments",
        |file, _| put(file, "# This list was\n; shut down.\n"),
        &["lists nothing, while 303 entries are served", "accept-empty = true"],
    ),
    fault(
        "garbage",
        |file, _| put(file, "@@@\n".repeat(1000)),
        &["holds nothing valid, 1000 lines are wrong, the first: line 1", "the right file"],
    ),
    fault(
        "misuse",
        |file, _| put(file, "Your address fetched this list too often.\nThis is misuse.\n"),
        &["holds nothing valid, 2 lines are wrong", "the right file"],
    ),
    fault(
        "wide",
        |file, _| {
            put(
                file,
                format!("\u{feff}{}", "1.2.3.4\n".repeat(99))
                    .encode_utf16()
                    .flat_map(u16::to_le_bytes)
                    .collect::<Vec<_>>(),
            )
        },
        &["is no list but text in UTF-16", "text or gzip data"],
    ),
    fault(
        "html",
        |file, _| put(file, "\n<!DOCTYPE html>\n<html><h1>404</h1>\n1.2.3.4\n</html>\n"),
        &["is an HTML or XML page", "error page"],
    ),
    fault(
        "hosts",
        |file, _| put(file, "# x\n0.0.0.0 a.example\n0.0.0.0 b.example\n0.0.0.0 c.example\n"),
        &["is a hosts file", "type = \"dnset\" and format = \"hosts\""],
    ),
    fault(
        "json",
        |file, _| put(file, "{\"cidr\":\"192.0.2.0/24\",\"sblid\":\"SBL1\"}\n".repeat(300)),
        &["is a file of JSON lines", "format = \"jsonl\""],
    ),
    fault(
        "csv",
        |file, _| put(file, "ip,seen\n192.0.2.1,2026-01-01\n192.0.2.2,2026-01-02\n"),
        &["is a CSV file", "format = \"csv\""],
    ),
    fault(
        "holes",
        |file, feed| put(file, format!("{}\n{}", feed.text(2), "\0".repeat(512))),
        &["it has bytes of value zero", "fetch the file again"],
    ),
    fault(
        "bomb",
        |file, _| {
            let mut packer = GzEncoder::new(Vec::new(), Compression::best());
            packer.write_all(&b"9.9.9.9\n".repeat(4 << 20)).expect("there is room");
            put(file, packer.finish().expect("there is room"));
        },
        &["unpacks to more than 100 times its size", "check what the file is"],
    ),
    fault(
        "expired",
        |file, feed| put(file, format!("$TIMESTAMP 2001:01:01 +1w\n{}", feed.text(2))),
        &["has expired by its $TIMESTAMP line, and what is served has not"],
    ),
    fault(
        "gzip-corrupt",
        |file, feed| {
            let mut bytes = packed(feed, 2);
            let middle = bytes.len() / 2;
            bytes[middle..middle + 8].fill(0);
            put(file, bytes);
        },
        &["the gzip data is damaged", "gzip -t"],
    ),
    fault(
        "gzip-cut",
        |file, feed| {
            let bytes = packed(feed, 2);
            put(file, &bytes[..bytes.len() / 2]);
        },
        &["the gzip data is damaged: it is cut off", "gzip -t"],
    ),
    fault(
        "future",
        |file, feed| put(file, format!("$TIMESTAMP 2037:01:01\n{}", feed.text(2))),
        &["line 1: the data is dated 2037-01-01", "in the future", "ask its publisher"],
    ),
    fault(
        "interrupted",
        |file, feed| {
            let text = feed.text(2);
            put(file, &text[..text.len() / 2]);
            fs::File::options()
                .append(true)
                .open(file)
                .and_then(|file| file.set_modified(std::time::UNIX_EPOCH))
                .expect("it is ours");
        },
        &["interrupted rsync --partial", "run the mirror job again"],
    ),
];

#[test]
fn old_data_serves_through_every_fault_and_a_good_file_heals_it() {
    let setup = Setup::new();
    let feed = |fault: &Fault| VersionedFeed::new(fault.zone, Style::Replaced, FILLER);
    let feeds: Vec<Arc<VersionedFeed>> = FAULTS.iter().map(feed).collect();
    for feed in &feeds {
        setup.write(&format!("{}/list", feed.zone()), feed.text(1));
    }
    let files: Vec<_> = FAULTS
        .iter()
        .map(|fault| (fault.zone.to_owned(), format!("{}/list", fault.zone)))
        .collect();
    setup.configure_lists("", &files);
    let server = setup.start();
    let stream = Stream::start(server.addr(), &feeds, RATE);
    for feed in &feeds {
        feed.wait_for_all_answers(SAID).expect("version 1 is served");
    }

    let results: Vec<_> = thread::scope(|scope| {
        let pairs = FAULTS.iter().zip(&feeds);
        let falls: Vec<_> =
            pairs.map(|(fault, feed)| scope.spawn(|| suffer(fault, feed, &server))).collect();
        falls.into_iter().map(|fall| fall.join().expect("it ends well")).collect()
    });
    println!("{:?}", stream.finish());
    let failures: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{}\n{}", failures.join("\n"), server.log());
}

fn suffer(fault: &Fault, feed: &VersionedFeed, server: &Daemon) -> Result<(), String> {
    let file = server.path(&format!("{}/list", fault.zone));
    let dataset = event("dataset-refused", fault.zone);
    (fault.spoil)(&file, feed);
    let words: Vec<&str> = [&dataset, file.to_str().expect("it is text"), "303 entries loaded"]
        .into_iter()
        .chain(fault.says.iter().copied())
        .collect();
    server.find_in_log(&words, SAID)?;
    feed.wait_for_all_answers(SAID)?;
    feed.allow(2);
    (fault.heal)(&file, feed);
    feed.wait_for(2, SOON)?;
    server.find_in_log(&[&event("dataset-recovered", fault.zone)], SOON)?;
    // It was said once.
    match server.log_lines(&words).len() {
        1 => Ok(()),
        times => Err(format!("{}: said {times} times", fault.zone)),
    }
}

#[test]
fn what_comes_back_as_it_was_is_good_again_and_not_built() {
    let setup = Setup::new();
    let feed = VersionedFeed::new("back", Style::Replaced, FILLER);
    setup.write("list", feed.text(1));
    setup.configure_lists("", &[("back".to_owned(), "list".to_owned())]);
    let server = setup.start();
    let (list, away) = (server.path("list"), server.path("away"));
    fs::rename(&list, &away).expect("it is there");
    server.expect_log(&[&event("dataset-refused", "back"), "there is no such file"], SAID);
    fs::rename(&away, &list).expect("it is there");
    server.expect_log(&[&event("dataset-recovered", "back"), "hold the data that is served"], SOON);
    // An empty file healed by the old one, which is another file now.
    fs::write(&list, "").expect("it can be written");
    server.expect_log(&[&event("dataset-refused", "back"), "holds no bytes"], SAID);
    fs::write(&list, feed.text(1)).expect("it can be written");
    let again =
        || server.log_lines(&[&event("dataset-recovered", "back"), "hold the data that is served"]);
    assert!(crate::common::wait_until(SOON, || again().len() == 2), "{}", server.log());
    assert!(server.log_lines(&["event=\"dataset-reloaded\""]).is_empty(), "{}", server.log());
    assert_eq!(server.log_lines(&[&event("dataset-loaded", "back")]).len(), 1, "{}", server.log());
}

#[test]
fn a_list_may_be_emptied_if_the_settings_say_so() {
    let setup = Setup::new();
    let feed = VersionedFeed::new("emptied", Style::Replaced, FILLER);
    setup.write("list", feed.text(1));
    let rest = "[[dataset]]\nname = \"emptied\"\ntype = \"ip4set\"\nfiles = [\"list\"]\n\
                accept-empty = true\n[[zone]]\nname = \"emptied\"\ndatasets = [\"emptied\"]\n";
    setup.configure("", rest);
    let server = setup.start();
    let stream = Stream::start(server.addr(), std::slice::from_ref(&feed), RATE);
    put(&server.path("list"), "@@@\n");
    server.expect_log(&[&event("dataset-refused", "emptied"), "holds nothing valid"], SAID);
    feed.allow(VersionedFeed::EMPTY);
    put(&server.path("list"), "# shut down\n");
    feed.wait_for(VersionedFeed::EMPTY, SOON).expect("an emptied list is served");
    server.expect_log(&["WARN", &event("dataset-recovered", "emptied"), "lists nothing"], SOON);
    stream.finish();
    feed.check().expect("answers are right");
}
