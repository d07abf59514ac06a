//! Scenarios: zones, questions and the replies that are right, in `tests/scenarios/*.txt`
//! (`tests/scenarios/text.rs` tells their form). Every question is asked in memory, over UDP, over
//! TCP and over TLS, and must get the same message each time.
//!
//! `SCENARIO=name cargo test scenarios::` runs one of them and prints what the server says.

mod expected;
mod text;
mod ways;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{Reply, Server, temp_dir};
use dnsbld::engine::Transport;
use text::{Ask, Scenario};
pub(crate) use ways::make_certificate;
use ways::{Client, From, Memory, Streams, Udp};

const CHECKOUT: &str = env!("CARGO_MANIFEST_DIR");
/// The modification time of all data files, and so the serial of zones that have none.
const MTIME: u64 = 1_600_000_000;

#[test]
fn every_scenario_is_right_in_memory_and_over_udp_tcp_and_tls() {
    let only = std::env::var("SCENARIO").ok();
    let keys = temp_dir();
    make_certificate(keys.path());
    let groups = groups();
    assert!(!groups.is_empty(), "there is no scenario");
    let failures: Vec<String> =
        groups.iter().flat_map(|group| run(group, keys.path(), only.is_some())).collect();
    assert!(failures.is_empty(), "{}\n{} failures", failures.join("\n"), failures.len());
}

#[test]
fn every_sample_zone_is_asked_for_entries() {
    let samples = scenarios().into_iter().find(|scenario| scenario.name == "samples");
    let asks = samples.expect("tests/scenarios/samples.txt").asks;
    let memory = Memory::load(&Path::new(CHECKOUT).join("zones/dnsbld.toml"));
    let apexes: BTreeSet<String> = memory.apexes().into_iter().collect();
    let asked: BTreeSet<String> = asks
        .iter()
        .filter(|ask| ask.expected.is_listed())
        .filter_map(|ask| {
            let name = ask.text.split(' ').nth(1)?;
            apexes.iter().filter(|apex| name.ends_with(&format!(".{apex}"))).max_by_key(|a| a.len())
        })
        .cloned()
        .collect();
    assert_eq!(asked, apexes);
}

#[test]
fn what_is_wrong_is_found() {
    let served = "dataset list ip4set list\nzone bl.example list\nfile list\n|192.0.2.1 :2:text\n";
    let questions = [
        ("[192.0.2.1].bl.example A", "NOERROR 127.0.0.2"),
        ("[192.0.2.1].bl.example TXT edns=1232", "NOERROR \"text\""),
        ("[192.0.2.9].bl.example A", "NXDOMAIN"),
        ("[192.0.2.1].bl.example MX", "NODATA"),
        ("[192.0.2.1].bl.example A response", "silence"),
    ];
    let wrong = [
        "NOERROR 127.0.0.3",
        "NOERROR 127.0.0.2 ttl=1799",
        "NOERROR 127.0.0.2 127.0.0.3",
        "NOERROR 127.0.0.2 not-aa",
        "NOERROR 127.0.0.2 soa=300",
        "NOERROR 127.0.0.2 header",
        "NOERROR \"te\"+\"xt\"",
        "NOERROR",
        "NXDOMAIN soa=299",
        "NODATA soa=299",
        "REFUSED",
        "BADVERS",
    ];
    let folder = temp_dir();
    let mut memory = None;
    for (question, right) in questions {
        let expectations = questions
            .iter()
            .map(|(_, right)| right)
            .chain(&wrong)
            .map(|text| (*text, *text == right));
        for (expectation, is_right) in expectations {
            let text = format!("{served}ask {question} -> {expectation}\n");
            let scenario = Scenario::parse("wrong", &text).expect("a scenario");
            let memory = memory.get_or_insert_with(|| {
                Memory::load(&write(std::slice::from_ref(&scenario), folder.path(), folder.path()))
            });
            let Ask { question, expected, text, .. } = &scenario.asks[0];
            let reply = memory.ask(&question.message(1), question.client(), Transport::Udp);
            let verdict = expected.judge(question, reply.as_deref(), true);
            assert_eq!(verdict.is_ok(), is_right, "{text}: {verdict:?}");
        }
    }
}

/// All scenarios, or the one that is wanted alone: those together that share a server.
pub(crate) fn groups() -> Vec<Vec<Scenario>> {
    let only = std::env::var("SCENARIO").ok();
    let mut groups: BTreeMap<String, Vec<Scenario>> = BTreeMap::new();
    for scenario in scenarios() {
        if only.as_ref().is_none_or(|only| *only == scenario.name) {
            let server = format!("{:?} {}", scenario.config, scenario.server);
            groups.entry(server).or_default().push(scenario);
        }
    }
    groups.into_values().collect()
}

fn scenarios() -> Vec<Scenario> {
    let folder = Path::new(CHECKOUT).join("tests/scenarios");
    let files = fs::read_dir(folder).expect("the scenarios are there");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files
        .iter()
        .map(|file| {
            let name = file.file_stem().expect("a name").to_string_lossy();
            let text = fs::read_to_string(file).expect("a text");
            Scenario::parse(&name, &text).unwrap_or_else(|error| panic!("{error}"))
        })
        .collect()
}

/// Runs scenarios that share a server; gives what went wrong.
fn run(group: &[Scenario], keys: &Path, verbose: bool) -> Vec<String> {
    let folder = temp_dir();
    let config = write(group, folder.path(), keys);
    let mut memory = Memory::load(&config);
    let arguments = ["--config", &config.to_string_lossy(), "--listen", "127.0.0.1:0"];
    let server = Server::reporting(&arguments, folder.path());
    if verbose {
        println!("{}", server.log());
    }
    let mut udp = Udp::new(server.addr());
    let mut tcp = Streams::tcp(server.addr());
    let mut tls = Streams::tls(server.tls(), keys);
    let mut failures = Vec::new();
    for scenario in group {
        for (ask, id) in scenario.asks.iter().zip(1..) {
            let query = ask.question.message(id);
            let client = ask.question.client();
            let datagram = memory.ask(&query, client, Transport::Udp);
            let stream = memory.ask(&query, client, Transport::Tcp);
            let ways = From { client, silence: ask.expected.is_silence() };
            let whole = ask.expected.judge(&ask.question, stream.as_deref(), false);
            let found = [
                // What is wrong anyway is told once.
                ("in memory", ask.expected.judge(&ask.question, datagram.as_deref(), true)),
                ("in memory, whole", if datagram == stream { Ok(()) } else { whole }),
                ("UDP", same(udp.ask(&query, ways), &datagram)),
                ("TCP", same(tcp.ask(&query, ways), &stream)),
                ("TLS", same_parsed(tls.ask(&query, ways), &stream)),
            ];
            for (way, verdict) in found {
                let Err(error) = verdict else { continue };
                let (name, Ask { line, text, .. }) = (&scenario.name, ask);
                failures
                    .push(format!("tests/scenarios/{name}.txt:{line}: {text}\n  {way}: {error}"));
            }
        }
    }
    failures
}

/// Writes configuration and files; gives the configuration.
pub(crate) fn write(group: &[Scenario], folder: &Path, keys: &Path) -> PathBuf {
    let mut config = String::new();
    let mut path = folder.join("dnsbld.toml");
    for scenario in group {
        if let Some(sample) = &scenario.config {
            let sample = Path::new(CHECKOUT).join(sample);
            copy(sample.parent().expect("a folder"), folder);
            path = folder.join(sample.file_name().expect("a name"));
            config = fs::read_to_string(&path).expect("the configuration was copied");
            continue;
        }
        let files = folder.join(&scenario.name);
        fs::create_dir(&files).expect("our folder");
        for file in &scenario.files {
            file.write(&files, MTIME).expect("our folder");
        }
    }
    if group.iter().all(|scenario| scenario.config.is_none()) {
        config = format!("[server]\n{}", group[0].server);
        config.extend(group.iter().map(|scenario| scenario.tables.as_str()));
    }
    config += &format!(
        "\n[server.tls]\nlisten = [\"127.0.0.1:0\"]\ncertificate = \"{0}/cert.pem\"\n\
         key = \"{0}/key.pem\"\n",
        keys.display()
    );
    fs::write(&path, config).expect("our folder");
    path
}

fn copy(from: &Path, to: &Path) {
    for file in fs::read_dir(from).expect("a folder of the checkout") {
        let file = file.expect("a file").path();
        fs::copy(&file, to.join(file.file_name().expect("a name"))).expect("our folder");
    }
}

fn same(reply: Option<Vec<u8>>, memory: &Option<Vec<u8>>) -> Result<(), String> {
    if reply == *memory {
        return Ok(());
    }
    Err(format!("got\n{}\n  in memory\n{}", show(&reply), show(memory)))
}

fn show(reply: &Option<Vec<u8>>) -> String {
    match reply.as_ref().map(|bytes| Reply::parse(bytes)) {
        None => "    no reply".to_owned(),
        Some(Ok(reply)) => reply.to_string(),
        Some(Err(error)) => format!("    no message: {error}"),
    }
}

/// The library behind TLS compresses names in its own way.
fn same_parsed(reply: Option<Vec<u8>>, memory: &Option<Vec<u8>>) -> Result<(), String> {
    let parsed = |reply: &Option<Vec<u8>>| reply.as_ref().map(|bytes| Reply::parse(bytes));
    if parsed(&reply) == parsed(memory) { Ok(()) } else { same(reply, memory) }
}
