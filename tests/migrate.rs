//! `dnsbld migrate`: what it writes passes `check-config`, and is answered as the command line was.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::common::{
    Client, Process, Reply, Server, free_port, is_root, names_in, temp_dir, wait_until,
};
use hickory_proto::rr::RecordType;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(10);

const SOA: &str = "$SOA 1h ns.test hostmaster.test 7 1h 1h 2d 1h\n$NS 1d ns.test\n";

/// The data files: name and text.
const FILES: &[(&str, &str)] = &[
    (
        "list",
        "$TTL 600\n:3:three $\n192.0.2.0/26\n!192.0.2.9\n192.0.2.200 :4:four\n198.51.100.7/8\n",
    ),
    ("more", ":5:five\n192.0.2.1\n192.0.2.64/27\n"),
    ("single", "192.0.2.5\n192.0.2.6\n"),
    ("names", ":6:six $\n.spam.test\nham.test\n!good.spam.test\n"),
    ("six", "2001:db8::/32 :2:v6\n"),
    ("clients", "127.0.0.0/8 :pass\n0.0.0.0/0 :refuse\n"),
    (
        "records",
        "$TTL 700\nhost A 192.0.2.77\nhost TXT a text\n@ NS ns.test\nspam.test 5m A 127.0.0.8\n",
    ),
    (
        "both",
        "$DATASET ip4set:addresses sub\n:7:seven\n192.0.2.5\n$DATASET dnset @\n:8:eight\nham.test\n",
    ),
    ("everyone", "127.0.0.1/32 :9:everyone\n"),
];

/// Options and zones; what is written with @ is the address.
const LINES: &[&str] = &[
    "-b @ -w data z.test:ip4set:list",
    "-n -q -f -b @ -w data -t 2h:5m:1d z.test:ip4set:list,more y.test:ip4set:list,more",
    "-nb @ -w ./data/../data -e -a z.test:ip4trie:list z.test:ip4tset:single y.test:ip4tset:single",
    "-b @ z.test:dnset:data/names sub.z.test:ip4set:data/list y.test:dnset:data/names -vv -c 0",
    "-b @ -w data -c 10m -s stats -l log -p pid z.test:ip6trie:six z.test:ip4set:list",
    "-b @ -w data -l +log -s +stats -W 1 -A -C z.test:ip4set:soa,list y.test:ip4set:more",
    "-b @ -w data z.test:ip4set:list z.test:acl:clients y.test:ip4set:list y.test:acl:everyone",
    "-b @ -w data z.test:generic:records z.test:dnset:names y.test:combined:both",
    "-b @ -w data z.test:combined:both,both y.test:generic:records y.test:ip4set:list",
    "-b @ -w data :acl:everyone z.test:ip4set:list y.test:dnset:names",
];

const QUESTIONS: &[&str] = &[
    "host",
    "5.2.0.192.sub",
    "1.2.0.192",
    "9.2.0.192",
    "5.2.0.192",
    "200.2.0.192",
    "70.2.0.192",
    "7.100.51.198",
    "3.3.3.198",
    "2.0.192",
    "a.spam.test",
    "spam.test",
    "good.spam.test",
    "ham.test",
    "x.ham.test",
    "1.2.0.192.sub",
    "9.9.9.9.sub",
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2",
];

struct Place {
    folder: TempDir,
    port: u16,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: temp_dir(), port: free_port() };
        symlink(env!("CARGO_BIN_EXE_dnsbld"), place.path("rbldnsd")).unwrap();
        fs::create_dir(place.path("data")).unwrap();
        fs::write(place.path("data/soa"), SOA).unwrap();
        for (name, text) in FILES {
            fs::write(place.path("data").join(name), text).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn words(&self, line: &str) -> Vec<String> {
        let address = format!("127.0.0.1/{}", self.port);
        line.split_whitespace().map(|word| word.replace('@', &address)).collect()
    }

    /// Runs dnsbld here.
    fn dnsbld(&self, words: &[&str]) -> Ran {
        ran(Command::new(env!("CARGO_BIN_EXE_dnsbld")).args(words).current_dir(self.folder.path()))
    }

    fn migrate_line(&self, line: &str, file: &str) -> Ran {
        let words = self.words(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.dnsbld(&[&["migrate", "-o", file, "--"], words.as_slice()].concat())
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// The personality in the foreground.
fn personality(place: &Place, line: &str) -> Process {
    let mut command = Command::new("./rbldnsd");
    command.arg("-n").current_dir(place.folder.path());
    if is_root() {
        command.args(["-u", "54321:54322"]);
        let all = fs::Permissions::from_mode(0o777);
        fs::set_permissions(place.path("data"), all).unwrap();
    }
    command.args(place.words(line)).env_remove("NOTIFY_SOCKET");
    let log = place.path("personality.log");
    let mut process = Process::start(&mut command, &log);
    let started = wait_until(LIMIT, || {
        fs::read_to_string(&log).unwrap().contains(" started (") || process.has_ended()
    });
    assert!(started && !process.has_ended(), "{line}: {}", fs::read_to_string(&log).unwrap());
    process
}

/// What a client makes of a reply: code and records, each section sorted.
fn shown(reply: std::io::Result<Reply>) -> String {
    let Ok(Reply(message)) = reply else { return "no reply".to_owned() };
    let sections = [&message.answers, &message.authorities, &message.additionals];
    let sections = sections.map(|records| {
        let mut lines: Vec<String> = records.iter().map(|record| format!("{record}")).collect();
        lines.sort();
        lines.join("; ")
    });
    let flags = &message.metadata;
    format!("{} aa={} | {}", flags.response_code, flags.authoritative, sections.join(" | "))
}

#[test]
fn answers_stay_the_same() {
    for line in LINES {
        let place = Place::new();
        let said = place.migrate_line(line, "new.toml");
        assert_eq!(said.code, Some(0), "{line}: {said:?}");
        let checked = place.dnsbld(&["check-config", "new.toml"]);
        assert_eq!(checked.code, Some(0), "{line}: {checked:?}\n{}", place.read("new.toml"));
        assert!(checked.out.contains(", 0 warnings"), "{line}: {checked:?}");

        let _old = personality(&place, line);
        let old = Client::new(SocketAddr::from((Ipv4Addr::LOCALHOST, place.port)));
        let zones = ["z.test", "y.test"].into_iter().filter(|zone| line.contains(zone));
        let zones: Vec<&str> = zones.collect();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let new = Server::configured(&place.path("new.toml"), address, &zones);
        let new = Client::new(new.addr());
        let mut listed = 0;
        for zone in &zones {
            let below = QUESTIONS.iter().map(|name| format!("{name}.{zone}"));
            for name in below.chain([(*zone).to_owned(), "other.test".to_owned()]) {
                for kind in [RecordType::A, RecordType::TXT, RecordType::SOA, RecordType::NS] {
                    let [want, got] = [&old, &new].map(|client| shown(client.ask(&name, kind)));
                    assert_eq!(got, want, "{line}: {name} {kind}\n{}", place.read("new.toml"));
                    listed += usize::from(got.contains("127.0.0."));
                }
            }
        }
        assert!(listed > 0, "{line}");
    }
}

#[test]
fn a_defaults_file_with_several_instances() {
    let place = Place::new();
    let data = place.path("data").display().to_string();
    let text = format!(
        "# for the init script\nDATA={data}\nRBLDNSD=\"one -r$DATA -b 127.0.0.1/{0} \\\n  \
         z.test:ip4set:list \\\n  # no comment\n\n  two -w {data} -b 127.0.0.2/{0} y.test:dnset:names\n\
         # three -b 127.0.0.3 x:y:z\n\"\n",
        place.port
    );
    let text = text.replace(" \\\n  # no comment", "");
    fs::write(place.path("defaults"), &text).unwrap();
    fs::create_dir(place.path("etc")).unwrap();

    let said = place.dnsbld(&["migrate", "defaults"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("several instances: one two;"), "{said:?}");

    let said = place.dnsbld(&["migrate", "defaults", "-o", "etc"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("note: one and two have the same options"), "{said:?}");
    assert_eq!(names_in(&place.path("etc")), ["one.toml", "two.toml"]);
    for (name, file) in [("one", "list"), ("two", "names")] {
        let file = place.path("data").join(file);
        let config = place.read(&format!("etc/{name}.toml"));
        let files = format!("files = [\"{}\"]", file.display());
        assert!(
            config.contains(&files) && config.contains(&format!("instance {name}:")),
            "{config}"
        );
        let checked = place.dnsbld(&["check-config", &format!("etc/{name}.toml")]);
        assert!(checked.out.ends_with("OK: 1 zone, 1 dataset, 0 warnings\n"), "{checked:?}");
    }

    let said = place.dnsbld(&["migrate", "--instance", "two", "defaults"]);
    assert_eq!((said.code, said.out), (Some(0), place.read("etc/two.toml")), "{}", said.err);
    let said = place.dnsbld(&["migrate", "--instance", "three", "defaults"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("no instance three; there are: one two"), "{said:?}");
}

#[test]
fn nothing_is_overwritten_and_nothing_odd_is_written() {
    let place = Place::new();
    fs::write(place.path("old.toml"), "mine").unwrap();
    let said = place.migrate_line("-b @ z.test:ip4set:data/list", "old.toml");
    assert_eq!((said.code, place.read("old.toml").as_str()), (Some(1), "mine"), "{said:?}");
    assert!(said.err.contains("cannot write old.toml: File exists"), "{said:?}");

    fs::write(place.path("defaults"), "RBLDNSD='../x -b 127.0.0.2 z:ip4set:/f'").unwrap();
    let said = place.dnsbld(&["migrate", "defaults", "-o", "."]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("\"../x\" cannot be the name of a file"), "{said:?}");

    for (words, code) in [(&["migrate"][..], 2), (&["migrate", "f", "--", "-n"], 2)] {
        assert_eq!(place.dnsbld(words).code, Some(code), "{words:?}");
    }
    let said = place.dnsbld(&["migrate", "--", "-b", "127.0.0.2", "z:ip4sett:x"]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (Some(1), "dnsbld: unknown dataset type `ip4sett'\n")
    );
}

/// A line of `ps` has the program in front.
#[test]
fn the_name_of_the_program_may_be_there() {
    let place = Place::new();
    let words = ["-b", "127.0.0.2", "z:ip4set:x"];
    let plain = place.dnsbld(&[&["migrate", "--"], &words[..]].concat());
    let named = place.dnsbld(&[&["migrate", "--", "/usr/sbin/rbldnsd"], &words[..]].concat());
    assert_eq!(plain.code, Some(0), "{plain:?}");
    assert_eq!(plain.out, named.out);
}

#[test]
fn an_empty_list_may_stay_empty() {
    let place = Place::new();
    fs::write(place.path("data/none"), "").unwrap();
    let line = "-b @ -w data z.test:ip4set:list z.test:dnset:none";
    let said = place.migrate_line(line, "new.toml");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(place.read("new.toml").matches("\naccept-empty = true\n").count(), 1);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let server = Server::configured(&place.path("new.toml"), address, &["z.test"]);
    let reply = Client::new(server.addr()).ask("2.2.0.192.z.test", RecordType::A).unwrap();
    assert_eq!(reply.addresses(), [Ipv4Addr::new(127, 0, 0, 3)]);
}

/// The comments are for people: what they must not miss is there.
#[test]
fn the_comments_say_what_became_of_each_option() {
    let place = Place::new();
    let line = "-n -q -f -r data -u rbldns:mail -F mail -p /run/pid -l /log/queries -x e.so -vab @ \
                z.test:ip4set:list";
    let said = place.migrate_line(line, "new.toml");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("warning: -x is left out: extensions"), "{said:?}");
    let config = place.read("new.toml");
    for letter in "nqfruFplxvab".chars() {
        assert!(config.contains(&format!("\n#   -{letter}  ")), "-{letter}: {config}");
    }
    let data = place.path("data");
    let log = Path::new(&data).join("log");
    for want in ["User=rbldns\n", "Group=mail\n", "SyslogFacility=mail\n", "allow-any-a = true"] {
        assert!(config.contains(want), "{want}: {config}");
    }
    assert!(config.contains(&format!("ReadWritePaths=\"{}\"\n", log.display())), "{config}");
    assert!(config.contains(&format!("query-log = \"{}\"\n", log.join("queries").display())));
    assert!(config.lines().all(|line| line.len() < 100 || line.contains("rbldnsd -n")), "{config}");
}
