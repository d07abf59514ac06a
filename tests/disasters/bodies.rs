//! Everything that can come in the place of a list, all at one time, each for a zone of its own: what was good
//! goes on answering, also over a restart, and the next good list is served.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use flate2::{Compression, write::GzEncoder};

use crate::common::{
    Daemon, Keys, Random, RsyncDaemon, Setup, Stream, Style, VersionedFeed, event,
};

/// Lines of a list beside those that are asked for.
const FILLER: u32 = 300;

/// Queries a second, of all zones together.
const RATE: u32 = 1000;

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(20);

/// How it gets there.
enum Way {
    /// By rsync: what the publisher has.
    Mirrored(fn(&VersionedFeed) -> Vec<u8>),
    /// Here: what becomes of the file.
    Here(fn(&Path)),
}

/// What comes, and words of the line that tells of it.
struct Disaster {
    zone: &'static str,
    keys: Keys,
    way: Way,
    says: &'static str,
}

const fn body(
    zone: &'static str,
    body: fn(&VersionedFeed) -> Vec<u8>,
    says: &'static str,
) -> Disaster {
    Disaster { zone, keys: Keys::Addresses, way: Way::Mirrored(body), says }
}

/// What comes in the place of a list of names.
const fn for_names(
    zone: &'static str,
    body: fn(&VersionedFeed) -> Vec<u8>,
    says: &'static str,
) -> Disaster {
    Disaster { zone, keys: Keys::Names, way: Way::Mirrored(body), says }
}

const fn here(zone: &'static str, spoil: fn(&Path), says: &'static str) -> Disaster {
    Disaster { zone, keys: Keys::Addresses, way: Way::Here(spoil), says }
}

fn packed(text: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(text).expect("there is room");
    packer.finish().expect("there is room")
}

/// A line of that form for each of many hosts.
fn of_hosts(form: &str) -> Vec<u8> {
    (0..FILLER)
        .flat_map(|host| form.replace("{}", &format!("h{host}.example")).into_bytes())
        .collect()
}

fn remove(file: &Path) {
    fs::remove_file(file).expect("it is there");
}

const NOTHING_VALID: &str = "holds nothing valid";
const CUT: &str = "the gzip data is damaged: it is cut off";
const NO_FILE: &str = "not a regular file";

const DISASTERS: &[Disaster] = &[
    body("text-404", |_| b"404: Not Found".into(), NOTHING_VALID),
    body("words", |_| b"This list has moved.\nPlease ask its new owner.\n".into(), NOTHING_VALID),
    body("conflict", |_| b"<<<<<<< HEAD\n=======\n>>>>>>> feed\n".into(), NOTHING_VALID),
    body("json", |_| b"{\"error\": \"not found\", \"status\": 404}\n".into(), "JSON"),
    body(
        "html",
        |_| b"<!DOCTYPE html>\n<html><body><h1>502 Bad Gateway</h1></body></html>\n".into(),
        "is an HTML or XML page",
    ),
    body("xml", |_| b"<?xml version=\"1.0\"?>\n<Error>AccessDenied</Error>\n".into(), "XML page"),
    body("empty", |_| Vec::new(), "holds no bytes"),
    body("comments", |_| b"# This list is closed.\n".into(), "lists nothing"),
    body("newlines", |_| vec![b'\n'; 4096], "lists nothing"),
    body("zeros", |_| vec![0; 100_000], "zero"),
    body(
        "holes",
        |feed| [feed.text(2).as_bytes(), &[0; 512]].concat(),
        "it has bytes of value zero",
    ),
    body(
        "binary",
        |_| {
            let mut random = Random::new(7);
            (0..10_000).flat_map(|_| random.next().to_le_bytes()).collect()
        },
        "binary",
    ),
    body(
        "utf-16",
        |feed| {
            let text = format!("\u{feff}{}", feed.text(2));
            text.encode_utf16().flat_map(u16::to_le_bytes).collect()
        },
        "UTF-16",
    ),
    body("gzip-cut", |feed| packed(feed.text(2).as_bytes())[..200].to_vec(), CUT),
    body("gzip-head", |feed| packed(feed.text(2).as_bytes())[..5].to_vec(), CUT),
    body(
        "gzip-bit",
        |feed| {
            let mut bytes = packed(feed.text(2).as_bytes());
            let middle = bytes.len() / 2;
            bytes[middle] ^= 4;
            bytes
        },
        "the gzip data is damaged",
    ),
    body("gzip-page", |_| packed(b"<html>404</html>\n"), "is an HTML or XML page"),
    body("gzip-bomb", |_| packed(&b"9.9.9.9\n".repeat(4 << 20)), "unpacks to more than"),
    body("long-line", |_| b"1".repeat(200_000_000), NOTHING_VALID),
    body(
        "expired",
        |feed| format!("$TIMESTAMP 2001:01:01 +1w\n{}", feed.text(2)).into(),
        "has expired",
    ),
    body(
        "future",
        |feed| format!("$TIMESTAMP 2037:01:01\n{}", feed.text(2)).into(),
        "in the future",
    ),
    body(
        "truncated",
        |feed| {
            let text = feed.text(2);
            let end = text[..text.len() / 3].rfind('\n').expect("it has lines");
            text[..=end].into()
        },
        "guard shrank",
    ),
    body("world", |feed| format!("{}0-255\n", feed.text(2)).into(), "guard "),
    body("resolver", |feed| format!("{}8.8.8.8\n", feed.text(2)).into(), "guard sentinel"),
    for_names("names-404", |_| b"404: Not Found".into(), NOTHING_VALID),
    for_names(
        "names-words",
        |_| b"This list has moved.\nPlease ask.\n".into(),
        "which are single words",
    ),
    for_names("names-conflict", |_| b"<<<<<<< HEAD\n=======\n>>>>>>> feed\n".into(), NOTHING_VALID),
    for_names("names-json", |_| b"{\"error\": \"not found\"}\n".into(), "JSON"),
    for_names("names-page", |_| b"<html><h1>502</h1></html>\n".into(), "is an HTML or XML page"),
    for_names("names-hosts", |_| of_hosts("0.0.0.0 {}\n"), "is a hosts file"),
    for_names("names-filters", |_| of_hosts("||{}^\n"), "is a filter list"),
    for_names("names-urls", |_| of_hosts("https://{}/a?b=c\n"), "is a list of URLs"),
    for_names(
        "names-zone",
        |_| of_hosts("zone \"{}\" { type master; };\n"),
        "as settings or code have them",
    ),
    for_names("names-code", |_| of_hosts("  document.write('{}');\n"), NOTHING_VALID),
    for_names("names-csv", |_| of_hosts("17,\"{}\",2026-01-01\n"), "is a CSV file"),
    for_names(
        "names-addresses",
        |_| {
            (0..FILLER)
                .map(|line| format!("10.2.{}.{}\n", line / 200, line % 200))
                .collect::<String>()
                .into()
        },
        "which are addresses",
    ),
    for_names("names-few", |feed| feed.text(2)[..1000].into(), "guard shrank"),
    here("gone", remove, "there is no such file"),
    here(
        "dangling",
        |file| {
            remove(file);
            symlink("nowhere", file).expect("it is away");
        },
        "there is no such file",
    ),
    here(
        "circle",
        |file| {
            remove(file);
            symlink(file, file).expect("it is away");
        },
        "too many levels of symlinks",
    ),
    here(
        "folder",
        |file| {
            remove(file);
            fs::create_dir(file).expect("it is away");
        },
        NO_FILE,
    ),
    here(
        "fifo",
        |file| {
            remove(file);
            assert!(Command::new("mkfifo").arg(file).status().expect("it runs").success());
        },
        NO_FILE,
    ),
    here(
        "socket",
        |file| {
            remove(file);
            UnixListener::bind(file).expect("it is away");
        },
        NO_FILE,
    ),
    here(
        "device",
        |file| {
            remove(file);
            symlink("/dev/zero", file).expect("it is away");
        },
        NO_FILE,
    ),
    here(
        "forbidden",
        |file| fs::set_permissions(file, Permissions::from_mode(0o000)).expect("it is ours"),
        "denied",
    ),
    here(
        "locked-up",
        |file| {
            let folder = file.parent().expect("it has one");
            fs::set_permissions(folder, Permissions::from_mode(0o700)).expect("it is ours");
            if !crate::common::is_root() {
                fs::set_permissions(folder, Permissions::from_mode(0o000)).expect("it is ours");
            }
        },
        "denied",
    ),
];

/// One zone with its list, and the folder of its publisher.
struct Victim<'a> {
    disaster: &'a Disaster,
    feed: Arc<VersionedFeed>,
    publisher: &'a RsyncDaemon,
}

impl Victim<'_> {
    fn publish(&self, body: impl AsRef<[u8]>) {
        fs::write(self.publisher.feeds().join(self.disaster.zone), body).expect("it is ours");
    }

    /// Fetches what the publisher has.
    fn fetch(&self, setup: &Setup) {
        let zone = self.disaster.zone;
        let mut rsync = Command::new("rsync");
        rsync.args(["--times", "--perms", "--chmod=F644", "--timeout=60"]);
        let run = rsync.arg(self.publisher.url(zone)).arg(setup.path(zone).join("list")).output();
        let output = run.expect("rsync is there");
        assert!(output.status.success(), "{zone}: {output:?}");
    }

    fn suffer(&self, server: &Daemon) -> Result<(), String> {
        let Disaster { zone, way, says, .. } = self.disaster;
        match way {
            Way::Mirrored(body) => {
                self.publish(body(&self.feed));
                self.fetch(server);
            }
            Way::Here(spoil) => spoil(&server.path(&format!("{zone}/list"))),
        }
        server.find_in_log(&[&event("dataset-refused", zone), says], LIMIT)?;
        self.feed.wait_for_all_answers(LIMIT)
    }

    fn recover(&self, server: &Daemon) -> Result<(), String> {
        let folder = server.path(self.disaster.zone);
        let file = folder.join("list");
        fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("it is ours");
        // What rsync does not replace.
        if file.is_dir() {
            fs::remove_dir(&file).expect("it is empty");
        } else if file.is_symlink() {
            remove(&file);
        }
        self.feed.allow(2);
        self.publish(self.feed.text(2));
        self.fetch(server);
        self.feed.wait_for(2, LIMIT)?;
        server.find_in_log(&[&event("dataset-recovered", self.disaster.zone)], LIMIT)
    }
}

/// Does something with all of them at one time.
fn all(
    victims: &[Victim<'_>],
    server: &Daemon,
    what: fn(&Victim<'_>, &Daemon) -> Result<(), String>,
) {
    let results: Vec<_> = thread::scope(|scope| {
        let each: Vec<_> =
            victims.iter().map(|victim| scope.spawn(move || what(victim, server))).collect();
        each.into_iter().map(|one| one.join().expect("it ends well")).collect()
    });
    let failures: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{}\n{}", failures.join("\n"), server.log());
}

#[test]
fn what_comes_in_the_place_of_a_list_harms_no_answer_and_loses_nothing() {
    let publisher = RsyncDaemon::start("");
    let mut setup = Setup::new();
    setup.as_ordinary_user();
    let victim = |disaster| Victim {
        disaster,
        feed: VersionedFeed::of(disaster.keys, disaster.zone, Style::Replaced, FILLER),
        publisher: &publisher,
    };
    let victims: Vec<_> = DISASTERS.iter().map(victim).collect();
    for victim in &victims {
        fs::create_dir(setup.path(victim.disaster.zone)).expect("there is none");
        victim.publish(victim.feed.text(1));
        victim.fetch(&setup);
    }
    let tables = victims.iter().map(|Victim { disaster: Disaster { zone, keys, .. }, .. }| {
        let kind = match keys {
            Keys::Addresses => "ip4set",
            Keys::Names => "dnset",
        };
        format!(
            "[[dataset]]\nname = \"{zone}\"\ntype = \"{kind}\"\nfiles = [\"{zone}/list\"]\n\
             [[zone]]\nname = \"{zone}\"\ndatasets = [\"{zone}\"]\n"
        )
    });
    setup.configure("state-dir = \"state\"", &tables.collect::<String>());
    let feeds: Vec<_> = victims.iter().map(|victim| Arc::clone(&victim.feed)).collect();

    let server = setup.start();
    for victim in &victims {
        server.expect_log(&[&event("snapshot-written", victim.disaster.zone)], LIMIT);
    }
    let stream = Stream::start(server.addr(), &feeds, RATE);
    all(&victims, &server, |victim, server| victim.suffer(server));
    stream.finish();

    // What was good is all that a server started amid the disasters has.
    let server = server.restart();
    let stream = Stream::start(server.addr(), &feeds, RATE);
    all(&victims, &server, |victim, _| victim.feed.wait_for_all_answers(LIMIT));
    all(&victims, &server, |victim, server| victim.recover(server));
    stream.finish();

    let (status, took, log) = server.terminate();
    assert!(status.success() && took < Duration::from_secs(2), "{status} after {took:?}");
    assert!(!log.contains("panicked"), "{log}");
}
