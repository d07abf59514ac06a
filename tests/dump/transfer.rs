//! Zones taken over by other servers: the records of a transfer, asked by the naive server against the engine; and
//! NSD, Knot and BIND as secondaries, asked what dnsbld is asked.

use super::master::Master;
use super::random::{APEX, AskedKey, catalog, code, differences};
use crate::common::{Client, Process, Random, Server, free_port, in_parallel, temp_dir};
use dnsbld::config::ConfigSource;
use dnsbld::daemon;
use dnsbld::engine::{Catalog, Request, Transport};
use dnsbld::event::{Event, EventSink, Log};
use dnsbld::transfer::Transfers;
use dnsbld::zone::{Unlisted, ZoneState};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, RecordType};
use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

const NOW: u64 = 1_700_000_000;
/// Such a zone is not sent: it says SERVFAIL of what it does not list.
const UNLISTED_SERVFAIL: ZoneState = ZoneState::Partial(Unlisted::ServFail);

/// The messages that the first client that may have the zone gets.
fn messages(catalog: &Arc<Catalog>, transfers: &Transfers) -> Vec<Message> {
    let query = crate::common::query(7, APEX, RecordType::AXFR);
    let client = Ipv4Addr::LOCALHOST.into();
    let request = Request { query: &query, client, transport: Transport::Tcp, now: NOW };
    let mut transfer = transfers.answer(catalog, &request).expect("it is for this client");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut messages = Vec::new();
    while let Some(message) = runtime.block_on(transfer.next()).expect("it does not break") {
        messages.push(Message::from_vec(&message).expect("a message"));
    }
    messages
}

/// All records of a transfer, as the lines of a master file.
fn transferred(catalog: &Arc<Catalog>) -> String {
    let messages = messages(catalog, &Transfers::new(Arc::new(Log)));
    let is_good = |message: &Message| message.metadata.response_code == ResponseCode::NoError;
    assert!(messages.iter().all(is_good), "{messages:?}");
    let records: Vec<_> = messages.into_iter().flat_map(|message| message.answers).collect();
    let (first, last) = (&records[0], &records[records.len() - 1]);
    assert_eq!((first.record_type(), first), (RecordType::SOA, last));
    let mut lines = String::new();
    for record in &records {
        let owner = record.name.to_ascii().to_lowercase();
        let owner = owner.trim_end_matches('.').trim_end_matches(APEX).trim_end_matches('.');
        let owner = if owner.is_empty() { "@" } else { owner };
        let _ = match &record.data {
            RData::A(address) => writeln!(lines, "{owner}\tA\t{address}"),
            RData::TXT(texts) => {
                let text: Vec<u8> = texts.txt_data.iter().flat_map(|part| part.to_vec()).collect();
                let text = String::from_utf8(text).expect("texts are ASCII");
                let text = text.replace('\\', "\\\\").replace('"', "\\\"");
                writeln!(lines, "{owner}\tTXT\t\"{text}\"")
            }
            other => writeln!(lines, "{owner}\t{}\t-", other.record_type()),
        };
    }
    lines
}

fn check(seed: u64) {
    let random = &mut Random::new(seed);
    let with_key = random.below(2) == 0;
    let (catalog, asked, files) = catalog(random, with_key);
    if !catalog.zones()[0].is_served(NOW) || catalog.zones()[0].state == UNLISTED_SERVFAIL {
        return;
    }
    let catalog = Arc::new(catalog);
    let master = Master::read(&transferred(&catalog));
    let has_ip4 = catalog.zones()[0].datasets.iter().any(|set| set.ip4.is_some());
    let has_ip6 = catalog.zones()[0].datasets.iter().any(|set| set.ip6.is_some());
    let mut wrong = Vec::new();
    for name in asked {
        let labels = name.split('.').count();
        // Without lists of a family, its addresses are no keys, but names.
        let is_ip6 = has_ip6 && name.len() == 63 && labels == 32;
        let is_ip4 =
            has_ip4 && labels == 4 && name.split('.').all(|octet| octet.parse::<u8>().is_ok());
        let embeds_ip4 = name.ends_with("2.0.0.2")
            || name.ends_with("f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0");
        if name.len() == 63 && has_ip4 && embeds_ip4 {
            continue;
        }
        let kind = AskedKey { is_ip4, is_ip6, with_key };
        wrong.extend(differences(&master, &catalog, &name, kind));
        // What is not listed does not exist, unless a list of names says what an exclusion is.
        let has_names = files.contains(" dnset");
        let exists = code(&catalog, &name) == ResponseCode::NoError;
        if (is_ip4 || is_ip6) && !has_names && exists != master.exists(&name) {
            wrong.push(format!("{name}: exists {exists} in the engine alone"));
        }
    }
    assert!(wrong.is_empty(), "seed {seed}:\n{}\n{files}", wrong.join("\n"));
}

#[test]
fn a_secondary_answers_as_the_engine_does() {
    in_parallel(&Vec::from_iter(1000..1030), |&seed| check(seed));
}

/// Keeps the names of what happens.
#[derive(Default)]
struct Names(Mutex<Vec<&'static str>>);

impl EventSink for Names {
    fn emit(&self, event: &Event) {
        self.0.lock().expect("no panic").push(event.name());
    }
}

/// Sent as far as it may be, then refused; told once, until it is sent whole.
#[test]
fn a_zone_of_too_many_records_is_refused() {
    let folder = temp_dir();
    let path = folder.path().join("dnsbld.toml");
    let list: String =
        (0..3000).map(|number: u32| format!("{}\n", Ipv4Addr::from(number * 7))).collect();
    fs::write(folder.path().join("list"), format!(":127.0.0.2:\n{list}")).expect("it is ours");
    let load = |max: u32| {
        let config = format!(
            "[[dataset]]\nname = \"l\"\ntype = \"ip4set\"\nfiles = [\"list\"]\n\
             [[zone]]\nname = \"{APEX}\"\ndatasets = [\"l\"]\ntransfer = [\"127.0.0.1\"]\n\
             transfer-max-records = {max}\n"
        );
        fs::write(&path, config).expect("it is ours");
        let settings = ConfigSource::file(path.clone()).load().expect("it is good").settings;
        Arc::new(daemon::load(&settings).expect("it loads"))
    };
    // SOA twice, NS, and the test point.
    let all = 3000 + 4;
    let (short, whole) = (load(all - 1), load(all));
    let names = Arc::new(Names::default());
    let transfers = Transfers::new(Arc::clone(&names) as Arc<dyn EventSink>);
    let seen = |catalog| {
        let messages = messages(catalog, &transfers);
        let records: usize = messages.iter().map(|message| message.answers.len()).sum();
        (messages[messages.len() - 1].metadata.response_code, records)
    };
    let (code, records) = seen(&short);
    assert_eq!((code, records > 1000 && records < all as usize), (ResponseCode::Refused, true));
    assert_eq!(seen(&short), (ResponseCode::Refused, 0));
    assert_eq!(seen(&whole), (ResponseCode::NoError, all as usize));
    assert_eq!(seen(&short).0, ResponseCode::Refused);
    let told = names.0.lock().expect("no panic").clone();
    assert_eq!(told, ["transfer-refused", "transfer-sent", "transfer-refused"]);
}

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
        process.wait(Duration::from_secs(300), |_| {
            let reply = client.ask(APEX, RecordType::SOA);
            reply.is_ok_and(|reply| reply.serial().is_some())
        });
        Self { name, _process: process, _folder: folder, client }
    }
}

/// A list of that many single addresses and networks with exclusions, and a list of names.
fn lists(random: &mut Random, singles: usize) -> (String, String) {
    let mut addresses = String::from(
        "$SOA 60 ns.example hostmaster.example 0 1h 1h 2d 1h\n$NS 1d ns.example\n:127.0.0.2:listed\n\
         10.0.0.0/8 :127.0.0.3:wide\n!10.1.2.3\n!10.7.0.0/17\n172.16.0.0/12\n",
    );
    for _ in 0..singles {
        let address = Ipv4Addr::from(0xc000_0000 | random.below(20 * singles) as u32);
        let _ = writeln!(addresses, "{address} :127.0.0.4:see $");
    }
    let mut names = String::from(":127.0.0.9:name $\n.wide.example\n");
    for number in 0..500 {
        let _ = writeln!(names, "{}n{number}.test", random.pick(&["", "."]));
    }
    (addresses, names)
}

fn question(random: &mut Random, singles: usize) -> String {
    let reversed = |address: u32| {
        let [a, b, c, d] = address.to_be_bytes();
        format!("{d}.{c}.{b}.{a}.{APEX}")
    };
    match random.below(5) {
        0 => reversed(random.next() as u32),
        1 => reversed(0x0a00_0000 | random.below(1 << 20) as u32),
        2 => reversed(0xac00_0000 | random.below(1 << 24) as u32),
        3 => reversed(0xc000_0000 | random.below(20 * singles) as u32),
        _ => format!("{}n{}.test.{APEX}", random.pick(&["", "www.", "a.b."]), random.below(600)),
    }
}

#[test]
fn nsd_knot_and_bind_answer_as_their_primary_does() {
    compare(3000, 10_000);
}

#[test]
#[ignore = "takes minutes: cargo test --release --test integration a_million -- --ignored"]
fn a_million_entries_are_answered_alike() {
    compare(1_000_000, 100_000);
}

/// Asks a primary with that many single addresses, and its secondaries, as many questions.
fn compare(singles: usize, questions: usize) {
    let folder = temp_dir();
    let random = &mut Random::new(11);
    let (addresses, names) = lists(random, singles);
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
    let questions: Vec<_> = (0..questions).map(|_| question(random, singles)).collect();
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
