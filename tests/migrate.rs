//! `dnsbld migrate`: what it writes passes `check-config`, and is answered as the command line was.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::common::{
    Client, Ended, Foreground, Reply, Sandbox, Server, as_nobody, ended, free_port, in_parallel,
    names_in,
};
use hickory_proto::rr::RecordType;

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

fn sandbox() -> Sandbox {
    Sandbox::with_files(&[&[("soa", SOA)], FILES].concat())
}

/// Runs dnsbld here.
fn dnsbld(sandbox: &Sandbox, words: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.args(words).current_dir(sandbox.folder.path());
    ended(command)
}

fn migrate_line(sandbox: &Sandbox, line: &str, file: &str) -> Ended {
    let words = sandbox.words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    dnsbld(sandbox, &[&["migrate", "-o", file, "--"], words.as_slice()].concat())
}

fn read(sandbox: &Sandbox, name: &str) -> String {
    fs::read_to_string(sandbox.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The personality in the foreground.
fn personality(sandbox: &Sandbox, line: &str) -> Foreground {
    let all = fs::Permissions::from_mode(0o777);
    fs::set_permissions(sandbox.path("data"), all).unwrap();
    let command = sandbox.command(&format!("-n {} {line}", as_nobody()));
    Foreground::start(command, &sandbox.path("out"), &sandbox.path("err"))
}

fn shown(reply: io::Result<Reply>) -> String {
    reply.map_or("no reply".to_owned(), |reply| reply.to_string())
}

#[test]
fn answers_stay_the_same() {
    in_parallel(LINES, |line| {
        let sandbox = sandbox();
        let said = migrate_line(&sandbox, line, "new.toml");
        assert_eq!(said.code, 0, "{line}: {said:?}");
        let checked = dnsbld(&sandbox, &["check-config", "new.toml"]);
        assert_eq!(checked.code, 0, "{line}: {checked:?}\n{}", read(&sandbox, "new.toml"));
        assert!(checked.out.contains("\nOK: "), "{line}: {checked:?}");

        let _old = personality(&sandbox, line);
        let old = sandbox.client();
        let zones = ["z.test", "y.test"].into_iter().filter(|zone| line.contains(zone));
        let zones: Vec<&str> = zones.collect();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let new = Server::configured(&sandbox.path("new.toml"), address, &zones);
        let new = Client::new(new.addr());
        let mut listed = 0;
        for zone in &zones {
            let below = QUESTIONS.iter().map(|name| format!("{name}.{zone}"));
            for name in below.chain([(*zone).to_owned(), "other.test".to_owned()]) {
                for kind in [RecordType::A, RecordType::TXT, RecordType::SOA, RecordType::NS] {
                    let [want, got] = [&old, &new].map(|client| shown(client.ask(&name, kind)));
                    assert_eq!(got, want, "{line}: {name} {kind}\n{}", read(&sandbox, "new.toml"));
                    listed += usize::from(got.contains("127.0.0."));
                }
            }
        }
        assert!(listed > 0, "{line}");
    });
}

#[test]
fn a_defaults_file_with_several_instances() {
    let sandbox = sandbox();
    let data = sandbox.path("data").display().to_string();
    let text = format!(
        "# for the init script\nDATA={data}\nRBLDNSD=\"one -r$DATA -b 127.0.0.1/{0} \\\n  \
         z.test:ip4set:list \\\n  # no comment\n\n  two -w {data} -b 127.0.0.2/{0} y.test:dnset:names\n\
         # three -b 127.0.0.3 x:y:z\n\"\n",
        sandbox.port
    );
    let text = text.replace(" \\\n  # no comment", "");
    fs::write(sandbox.path("defaults"), &text).unwrap();
    fs::create_dir(sandbox.path("etc")).unwrap();

    let said = dnsbld(&sandbox, &["migrate", "defaults"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("several instances: one two;"), "{said:?}");

    let said = dnsbld(&sandbox, &["migrate", "defaults", "-o", "etc"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("note: one and two have the same options"), "{said:?}");
    assert_eq!(names_in(&sandbox.path("etc")), ["one.toml", "two.toml"]);
    for (name, file) in [("one", "list"), ("two", "names")] {
        let file = sandbox.path("data").join(file);
        let config = read(&sandbox, &format!("etc/{name}.toml"));
        let files = format!("files = [\"{}\"]", file.display());
        assert!(
            config.contains(&files) && config.contains(&format!("instance {name}:")),
            "{config}"
        );
        let checked = dnsbld(&sandbox, &["check-config", &format!("etc/{name}.toml")]);
        assert!(checked.out.contains("\nOK: 1 zone, 1 dataset, "), "{checked:?}");
    }

    let said = dnsbld(&sandbox, &["migrate", "--instance", "two", "defaults"]);
    assert_eq!((said.code, said.out), (0, read(&sandbox, "etc/two.toml")), "{}", said.err);
    let said = dnsbld(&sandbox, &["migrate", "--instance", "three", "defaults"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("no instance three; there are: one two"), "{said:?}");
}

#[test]
fn nothing_is_overwritten_and_nothing_odd_is_written() {
    let sandbox = sandbox();
    fs::write(sandbox.path("old.toml"), "mine").unwrap();
    let said = migrate_line(&sandbox, "-b @ z.test:ip4set:data/list", "old.toml");
    assert_eq!((said.code, read(&sandbox, "old.toml").as_str()), (1, "mine"), "{said:?}");
    assert!(said.err.contains("cannot write old.toml: File exists"), "{said:?}");

    fs::write(sandbox.path("defaults"), "RBLDNSD='../x -b 127.0.0.2 z:ip4set:/f'").unwrap();
    let said = dnsbld(&sandbox, &["migrate", "defaults", "-o", "."]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("\"../x\" cannot be the name of a file"), "{said:?}");

    for (words, code) in [(&["migrate"][..], 2), (&["migrate", "f", "--", "-n"], 2)] {
        assert_eq!(dnsbld(&sandbox, words).code, code, "{words:?}");
    }
    let said = dnsbld(&sandbox, &["migrate", "--", "-b", "127.0.0.2", "z:ip4sett:x"]);
    assert_eq!((said.code, said.err.as_str()), (1, "dnsbld: unknown dataset type `ip4sett'\n"));
}

/// One bad instance kept all others from being written.
#[test]
fn one_bad_instance_does_not_keep_the_others_from_being_written() {
    let sandbox = sandbox();
    let text = "RBLDNSD=\"one -w /x -b 127.0.0.1 z.test:ip4set:l\n\
                odd -b $(hostname) z.test:ip4set:l\n\
                ../x -b 127.0.0.2 z.test:ip4set:l\n\
                two -w /x -b 127.0.0.3 y.test:ip4set:l\"\n";
    fs::write(sandbox.path("defaults"), text).unwrap();
    fs::create_dir(sandbox.path("etc")).unwrap();
    let said = dnsbld(&sandbox, &["migrate", "defaults", "-o", "etc"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(names_in(&sandbox.path("etc")), ["one.toml", "two.toml"]);
    for want in [
        "error: defaults, instance odd: $(hostname): ",
        "; only a shell can tell what $(hostname) stands for: write its value in its place\n",
        "error: \"../x\" cannot be the name of a file",
        "\ndnsbld: not migrated: odd ../x\n",
    ] {
        assert!(said.err.contains(want), "{want}: {said:?}");
    }
    let said = dnsbld(&sandbox, &["migrate", "--instance", "odd", "defaults"]);
    assert!(said.err.contains("\ndnsbld: defaults, instance odd: $(hostname): "), "{said:?}");
}

#[test]
fn files_of_other_systems_are_read() {
    let sandbox = sandbox();
    let data = sandbox.path("data").display().to_string();
    let zone = "z.test:ip4set:list";
    let files = [
        format!("rbldnsd_enable=\"YES\"\nrbldnsd_flags=\"-r {data} -b 192.0.2.1 {zone}\"\n"),
        format!(
            "[Service]\nEnvironment=DATA={data}\n\
             ExecStart=-/usr/sbin/rbldnsd -n -b 192.0.2.1 \\\n  -r ${{DATA}} {zone}\n"
        ),
        format!(
            "FROM debian\nENTRYPOINT [\"rbldnsd\", \"-r\", \"{data}\"]\nCMD [\"-b192.0.2.1\", \"{zone}\"]\n"
        ),
        format!("services:\n  bl:\n    command: rbldnsd -r {data} -b 192.0.2.1 {zone}\n"),
    ];
    for text in files {
        fs::write(sandbox.path("file"), &text).unwrap();
        let said = dnsbld(&sandbox, &["migrate", "file"]);
        assert_eq!(said.code, 0, "{text}: {said:?}");
        for want in ["listen = [\"192.0.2.1:53\"]", &format!("files = [\"{data}/list\"]")] {
            assert!(said.out.contains(want), "{want}: {said:?}");
        }
    }
    fs::write(sandbox.path("file"), "#!/bin/sh\nexec rbldnsd -b 127.1 z.test:ip4set:f\n").unwrap();
    let said = dnsbld(&sandbox, &["migrate", "file"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("dnsbld migrate -- OPTIONS ZONE:TYPE:FILE"), "{said:?}");
}

#[test]
fn lists_of_ones_own_are_marked() {
    let sandbox = sandbox();
    let feed: String = (0..200).map(|number| format!("192.0.2.{number}\n")).collect();
    fs::write(sandbox.path("data/feed"), feed).unwrap();
    let said =
        migrate_line(&sandbox, "-b @ -w data z.test:ip4set:feed z.test:dnset:names", "new.toml");
    assert_eq!(said.code, 0, "{said:?}");
    let config = read(&sandbox, "new.toml");
    let (feed, own) = config.split_once("[[dataset]]\nname = \"names\"").unwrap();
    assert!(!feed.contains("# A list of your own"), "{config}");
    assert!(own.contains("\n# A list of your own, it seems: it has 3 entries."), "{config}");
}

/// A line of `ps` has the program in front.
#[test]
fn the_name_of_the_program_may_be_there() {
    let sandbox = sandbox();
    let words = ["-b", "127.0.0.2", "z:ip4set:x"];
    let plain = dnsbld(&sandbox, &[&["migrate", "--"], &words[..]].concat());
    let named = dnsbld(&sandbox, &[&["migrate", "--", "/usr/sbin/rbldnsd"], &words[..]].concat());
    assert_eq!(plain.code, 0, "{plain:?}");
    assert_eq!(plain.out, named.out);
}

#[test]
fn an_empty_list_may_stay_empty() {
    let sandbox = sandbox();
    fs::write(sandbox.path("data/none"), "").unwrap();
    let line = "-b @ -w data z.test:ip4set:list z.test:dnset:none";
    let said = migrate_line(&sandbox, line, "new.toml");
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(read(&sandbox, "new.toml").matches("\naccept-empty = true\n").count(), 1);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let server = Server::configured(&sandbox.path("new.toml"), address, &["z.test"]);
    let reply = Client::new(server.addr()).ask("2.2.0.192.z.test", RecordType::A).unwrap();
    assert_eq!(reply.addresses(), [Ipv4Addr::new(127, 0, 0, 3)]);
}

/// The comments are for people: what they must not miss is there.
#[test]
fn the_comments_say_what_became_of_each_option() {
    let sandbox = sandbox();
    let line = "-n -q -f -r data -u rbldns:mail -F mail -p /run/pid -l /log/queries -x e.so -vab @ \
                z.test:ip4set:list";
    let said = migrate_line(&sandbox, line, "new.toml");
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("warning: -x is left out: extensions"), "{said:?}");
    let config = read(&sandbox, "new.toml");
    for letter in "nqfruFplxvab".chars() {
        assert!(config.contains(&format!("\n#   -{letter}  ")), "-{letter}: {config}");
    }
    let data = sandbox.path("data");
    let log = Path::new(&data).join("log");
    for want in ["User=rbldns\n", "Group=mail\n", "SyslogFacility=mail\n", "allow-any-a = true"] {
        assert!(config.contains(want), "{want}: {config}");
    }
    assert!(config.contains(&format!("ReadWritePaths=\"{}\"\n", log.display())), "{config}");
    assert!(config.contains(&format!("query-log = \"{}\"\n", log.join("queries").display())));
    assert!(config.lines().all(|line| line.len() < 100 || line.contains("rbldnsd -n")), "{config}");
}
