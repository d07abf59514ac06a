//! NSD, Knot and BIND as secondaries: each is asked what dnsbld is asked.

use crate::common::{Client, Process, Random, Server, free_port, in_parallel, temp_dir};
use hickory_proto::rr::RecordType;
use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const APEX: &str = "bl.example";

/// A secondary on a port of its own; ends when dropped.
struct Secondary {
    name: &'static str,
    _process: Process,
    _folder: TempDir,
    client: Client,
}

impl Secondary {
    fn start(name: &'static str, primary: SocketAddr) -> Self {
        let (folder, port, from) = (temp_dir(), free_port(), primary.port());
        let path = folder.path().display();
        let (mut command, config) = match name {
            "nsd" => {
                let mut command = Command::new("nsd");
                command.args(["-d", "-c"]);
                let config = format!(
                    "server:\n ip-address: 127.0.0.1@{port}\n username: \"\"\n chroot: \"\"\n \
                     database: \"\"\n zonesdir: {path}\n pidfile: \"\"\n server-count: 1\n \
                     xfrdir: {path}\n xfrdfile: \"\"\n zonelistfile: {path}/list\n \
                     cookie-secret-file: \"\"\n rrl-ratelimit: 0\n\
                     remote-control:\n control-enable: no\n\
                     zone:\n name: {APEX}\n zonefile: zone\n \
                     allow-notify: 127.0.0.1 NOKEY\n request-xfr: AXFR 127.0.0.1@{from} NOKEY\n"
                );
                (command, config)
            }
            "knotd" => {
                let mut command = Command::new("knotd");
                command.arg("-c");
                let config = format!(
                    "server:\n  listen: 127.0.0.1@{port}\n  rundir: {path}\n\
                     database:\n  storage: {path}\n\
                     remote:\n  - id: primary\n    address: 127.0.0.1@{from}\n\
                     zone:\n  - domain: {APEX}\n    storage: {path}\n    master: primary\n"
                );
                (command, config)
            }
            _ => {
                let mut command = Command::new("named");
                command.args(["-g", "-c"]);
                let config = format!(
                    "options {{ directory \"{path}\"; pid-file none; session-keyfile none; \
                     listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; \
                     recursion no; dnssec-validation no; }};\n\
                     controls {{ }};\n\
                     zone \"{APEX}\" {{ type secondary; primaries {{ 127.0.0.1 port {from}; }}; \
                     file \"zone\"; }};\n"
                );
                (command, config)
            }
        };
        let file = folder.path().join("config");
        fs::write(&file, config).expect("the folder is ours");
        let mut process = Process::start(command.arg(&file), &folder.path().join("log"));
        let client = Client::new(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        process.wait(Duration::from_secs(30), |_| {
            let reply = client.ask(APEX, RecordType::SOA);
            reply.is_ok_and(|reply| reply.serial().is_some())
        });
        Self { name, _process: process, _folder: folder, client }
    }
}

/// A list of single addresses, networks with exclusions, and names.
fn lists(random: &mut Random) -> (String, String) {
    let mut addresses = String::from(
        "$SOA 60 ns.example hostmaster.example 0 1h 1h 2d 1h\n$NS 1d ns.example\n:127.0.0.2:listed\n\
         10.0.0.0/8 :127.0.0.3:wide\n!10.1.2.3\n!10.7.0.0/17\n172.16.0.0/12\n",
    );
    for _ in 0..3000 {
        let address = Ipv4Addr::from(0xc000_0000 | random.below(1 << 16) as u32);
        let _ = writeln!(addresses, "{address} :127.0.0.4:see $");
    }
    let mut names = String::from(":127.0.0.9:name $\n.wide.example\n");
    for number in 0..500 {
        let _ = writeln!(names, "{}n{number}.test", random.pick(&["", "."]));
    }
    (addresses, names)
}

fn question(random: &mut Random) -> String {
    let reversed = |address: u32| {
        let [a, b, c, d] = address.to_be_bytes();
        format!("{d}.{c}.{b}.{a}.{APEX}")
    };
    match random.below(5) {
        0 => reversed(random.next() as u32),
        1 => reversed(0x0a00_0000 | random.below(1 << 20) as u32),
        2 => reversed(0xac00_0000 | random.below(1 << 24) as u32),
        3 => reversed(0xc000_0000 | random.below(1 << 16) as u32),
        _ => format!("{}n{}.test.{APEX}", random.pick(&["", "www.", "a.b."]), random.below(600)),
    }
}

#[test]
fn nsd_knot_and_bind_answer_as_their_primary_does() {
    let folder = temp_dir();
    let random = &mut Random::new(11);
    let (addresses, names) = lists(random);
    let path = |name: &str| folder.path().join(name);
    fs::write(path("addresses"), addresses).expect("it is ours");
    fs::write(path("names"), names).expect("it is ours");
    let port = free_port();
    let config = format!(
        "[server]\nlisten = [\"127.0.0.1:{port}\"]\ncontrol = \"off\"\n\
         [[dataset]]\nname = \"addresses\"\ntype = \"ip4set\"\nfiles = [\"addresses\"]\n\
         [[dataset]]\nname = \"names\"\ntype = \"dnset\"\nfiles = [\"names\"]\n\
         [[zone]]\nname = \"{APEX}\"\ndatasets = [\"addresses\", \"names\"]\n\
         transfer = [\"127.0.0.0/8\"]\n"
    );
    fs::write(path("dnsbld.toml"), config).expect("it is ours");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let server = Server::configured(&path("dnsbld.toml"), address, &[APEX]);
    let primary = Client::new(address);
    let secondaries =
        in_parallel(&["nsd", "knotd", "named"], |name| Secondary::start(name, address));
    let questions: Vec<_> = (0..10_000).map(|_| question(random)).collect();
    let seen = |client: &Client, name: &str, rtype| {
        let reply = client.ask(name, rtype).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (mut addresses, mut texts) = (reply.addresses(), reply.texts());
        addresses.sort();
        texts.sort();
        (reply.rcode(), addresses, texts)
    };
    let types = [RecordType::A, RecordType::TXT];
    let of = |client: &Client| -> Vec<_> {
        let asked = questions.iter().enumerate();
        asked.map(|(number, name)| seen(client, name, types[number % 2])).collect()
    };
    let wanted = of(&primary);
    in_parallel(&secondaries, |secondary| {
        for ((name, got), wanted) in questions.iter().zip(of(&secondary.client)).zip(&wanted) {
            assert_eq!(&got, wanted, "{}: {name}", secondary.name);
        }
    });
    assert_eq!(server.log().matches("event=\"transfer-sent\"").count(), 3, "{}", server.log());
}
