//! The questions of the scenarios and of the differential test, from the other end of the device: the answers are
//! those that are right, and byte for byte those of a second server with the same data that has no device.
//!
//! Who asks from another address is named to the server as by a proxy: nobody can ask from 127.0.0.2 by a device.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use super::{CLIENTS, SERVER_4, SERVER_6, at_clients, is_attached, linked, of_stack};
use crate::common::query::{Query, TYPE_A};
use crate::common::{Random, Server, proxy_header, sealed, skip, temp_dir};
use crate::differential::scenario::{Kind, Scenario};
use crate::differential::{files, questions};
use crate::scenarios;

/// Queries sent before their answers are awaited.
const BURST: usize = 32;

/// The identifiers of queries are below; those from here on are of the queries that end a burst.
const LAST: u16 = 0x8000;

/// The longest datagram over IPv4 that is taken from a device.
const MAX_QUERY: usize = 1300;

/// What the differential test tries first.
const SEEDS: u64 = 20;
const QUESTIONS: usize = 400;

#[test]
fn every_scenario_is_right_past_the_stack() {
    sealed(|| {
        linked(|| {
            let keys = temp_dir();
            scenarios::make_certificate(keys.path());
            let mut failures = Vec::new();
            let mut asked = 0;
            for group in scenarios::groups() {
                let folder = temp_dir();
                let config = scenarios::write(&group, folder.path(), keys.path());
                let config = fs::read_to_string(config).expect("it was written");
                let Some(mut servers) = Servers::start(folder.path(), &config, 4) else { return };
                for scenario in &group {
                    let queries = scenario.asks.iter().map(|ask| &ask.question);
                    let answers = servers.ask(&queries.collect::<Vec<_>>());
                    asked += answers.len();
                    for (ask, answer) in scenario.asks.iter().zip(answers) {
                        let verdict = ask.expected.judge(&ask.question, answer.as_deref(), true);
                        if let Err(error) = verdict {
                            failures.push(format!("{}: {}: {error}", scenario.name, ask.text));
                        }
                    }
                }
            }
            assert!(failures.is_empty(), "{}", failures.join("\n"));
            assert!(asked > 700, "{asked}");
        });
    });
}

#[test]
fn random_files_and_questions_get_the_answers_of_the_sockets() {
    sealed(|| {
        linked(|| {
            let mut with_records = 0;
            for seed in 1..=SEEDS {
                let mut random = Random::new(seed);
                let (scenario, keyspace) = files::scenario(&mut random);
                let queries = questions::questions(&mut random, &scenario, &keyspace, QUESTIONS);
                let folder = temp_dir();
                scenario.write(folder.path()).expect("our folder");
                let family = if seed % 2 == 0 { 4 } else { 6 };
                let config = config(&scenario);
                let Some(mut servers) = Servers::start(folder.path(), &config, family) else {
                    return;
                };
                let answers = servers.ask(&queries.iter().collect::<Vec<_>>());
                let has_records = |answer: &&Vec<u8>| answer.len() > 12 && answer[7] > 0;
                with_records += answers.iter().flatten().filter(has_records).count();
            }
            assert!(with_records > QUESTIONS * SEEDS as usize / 6, "{with_records}");
        });
    });
}

/// The settings that serve a scenario of the differential test.
fn config(scenario: &Scenario) -> String {
    let mut config = "[server]\n".to_owned();
    let mut zones: BTreeMap<&str, [Vec<String>; 2]> = BTreeMap::new();
    for (number, spec) in scenario.specs.iter().enumerate() {
        let (kind, name) = (spec.kind.as_str(), format!("set-{number}"));
        let files = &spec.files;
        config += &format!("[[dataset]]\nname = {name:?}\ntype = {kind:?}\nfiles = {files:?}\n");
        let [lists, access] = zones.entry(&spec.zone).or_default();
        if spec.kind == Kind::Acl { access.push(name) } else { lists.push(name) }
    }
    for (zone, [lists, access]) in zones.iter().filter(|(_, [lists, _])| !lists.is_empty()) {
        config += &format!("[[zone]]\nname = {zone:?}\ndatasets = {lists:?}\nacl = {access:?}\n");
    }
    config
}

/// A server that takes its queries from the device, one that does not, and who asks both.
struct Servers {
    _running: [Server; 2],
    past: Asker,
    by_sockets: Asker,
}

impl Servers {
    /// Starts both with these settings, at an address of IPv4 or IPv6. `None`, and a word, where the kernel has no
    /// such sockets.
    fn start(folder: &Path, config: &str, family: u8) -> Option<Self> {
        let [address, plain, proxy] = match family {
            4 => [SERVER_4, CLIENTS[1], CLIENTS[0]],
            _ => [SERVER_6, CLIENTS[3], CLIENTS[2]],
        };
        let address: IpAddr = address.parse().expect("an address");
        let start = |port: u16, xdp: &str| {
            let file = folder.join(format!("{port}.toml"));
            let server = format!("[server]\nproxies = [{proxy:?}]\nxdp = [{xdp}]\n");
            assert!(config.contains("[server]\n"), "{config}");
            fs::write(&file, config.replacen("[server]\n", &server, 1)).expect("our folder");
            let address = SocketAddr::new(address, port);
            let arguments = ["--config", &file.to_string_lossy(), "--listen", &address.to_string()];
            let server = Server::reporting(&arguments, folder);
            (server, Asker::new(address, plain, proxy))
        };
        let (with, past) = start(53, "'server'");
        if with.log().contains("it takes a kernel") {
            skip("the kernel has no AF_XDP");
            return None;
        }
        assert!(is_attached(), "{}", with.log());
        let (without, by_sockets) = start(54, "");
        Some(Self { _running: [with, without], past, by_sockets })
    }

    /// Asks both; gives the answers, which are the same, by query.
    fn ask(&mut self, queries: &[&Query]) -> Vec<Option<Vec<u8>>> {
        let before = of_stack().0;
        let answers = self.past.ask(queries);
        let long = queries.iter().filter(|query| payload(query, 0).len() > MAX_QUERY).count();
        assert_eq!(of_stack().0 - before, long as u64, "queries that came by the stack");
        for (query, (past, by_sockets)) in
            queries.iter().zip(answers.iter().zip(self.by_sockets.ask(queries)))
        {
            assert_eq!(*past, by_sockets, "{query}");
        }
        answers
    }
}

/// Who asks one server: for itself, and as a proxy for others.
struct Asker {
    plain: UdpSocket,
    proxy: UdpSocket,
    bursts: u16,
}

impl Asker {
    fn new(server: SocketAddr, plain: &str, proxy: &str) -> Self {
        let socket = |client: &str| {
            let client: IpAddr = client.parse().expect("an address");
            let socket = at_clients(|| UdpSocket::bind((client, 0))).expect("any port");
            socket.connect(server).expect("a route");
            socket.set_read_timeout(Some(Duration::from_secs(5))).expect("not zero");
            socket
        };
        Self { plain: socket(plain), proxy: socket(proxy), bursts: 0 }
    }

    /// The answers, by query; none where there is none. One client is answered in order: what is not there when the last
    /// query of a burst is answered does not come.
    fn ask(&mut self, queries: &[&Query]) -> Vec<Option<Vec<u8>>> {
        let mut answers = vec![None; queries.len()];
        let numbered: Vec<_> = (0..).zip(queries).collect();
        for burst in numbered.chunks(BURST) {
            self.bursts += 1;
            let last = LAST + self.bursts;
            let mut end = Query::new(Vec::new(), TYPE_A);
            for &(id, query) in burst {
                let socket = if query.from.is_some() { &self.proxy } else { &self.plain };
                socket.send(&payload(query, id)).expect("a route");
            }
            self.plain.send(&payload(&end, last)).expect("a route");
            end.from = Some(Ipv4Addr::LOCALHOST);
            self.proxy.send(&payload(&end, last)).expect("a route");
            for socket in [&self.plain, &self.proxy] {
                loop {
                    let mut answer = vec![0; 65_535];
                    let len = socket.recv(&mut answer).expect("an answer to the last query");
                    answer.truncate(len);
                    let id = answer.first_chunk().map_or(0, |id| u16::from_be_bytes(*id));
                    if id == last {
                        break;
                    }
                    let place = answers.get_mut(usize::from(id)).expect("a number that was sent");
                    assert_eq!(place.replace(answer), None, "two answers");
                }
            }
        }
        answers
    }
}

/// What is sent for a query: its message, behind a header of the PROXY protocol, version 2, if another client asks.
fn payload(query: &Query, id: u16) -> Vec<u8> {
    let Some(client) = query.from else { return query.message(id) };
    [proxy_header(client.into(), false), query.message(id)].concat()
}
