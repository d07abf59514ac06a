//! Random small zones, each dump asked by the naive server, against the engine.

use super::master::Master;
use crate::common::{Random, Reply, in_parallel, query, temp_dir};
use dnsbld::config::ConfigSource;
use dnsbld::daemon;
use dnsbld::dump::{self, SweepOptions};
use dnsbld::engine::{self, Catalog, Request, Transport, WorkerState};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::Command;

pub(super) const APEX: &str = "bl.example";

/// Addresses in few places, so that entries overlap, some of them also read as nibbles.
fn ip4(random: &mut Random) -> u32 {
    let octet = |random: &mut Random| match random.below(4) {
        0 => random.below(3) as u8,
        1 => 9 + random.below(3) as u8,
        2 => 254 + random.below(2) as u8,
        _ => random.next() as u8,
    };
    let first = [0, 1, 2, 10, 127, 200][random.below(6)];
    let second = random.below(3) as u8;
    u32::from_be_bytes([first, second, octet(random), octet(random)])
}

fn ip6(random: &mut Random) -> u128 {
    let top: u128 = [0, 0x2000, 0x2001, 0x2002, 0x1000, 0xfd00][random.below(6)];
    let middle = if random.below(2) == 0 { 0 } else { 0x0a00_0000_u128 };
    let low: u128 = [0, 0xffff_7f00_0002, 0xffff_0a00_0001, 1][random.below(4)];
    top << 112 | middle << 80 | low | (random.below(3) as u128) << 64
}

const NAMES: [&str; 14] = [
    "a", "b.a", "c.b.a", "x", "y.x", "www.y.x", "test", "invalid", "q.test", "10", "5.10", "0.2",
    "2", "com",
];

fn value(random: &mut Random, with_key: bool) -> &'static str {
    let values: &[&str] = match with_key {
        true => &["", ":2:", ":3:see $", "::at $$", ":127.0.0.4:plain"],
        false => &["", ":2:", ":3:see \"x\"", "::at \\ $$", ":127.0.0.4:plain"],
    };
    random.pick::<&str>(values)
}

/// The lines of a data file, and a few names of interest in it.
fn file(kind: &str, random: &mut Random, with_key: bool, asked: &mut Vec<String>) -> String {
    let mut text = format!("$TTL {}\n:127.0.0.{}:{}\n", 60 * random.below(3) + 60, 5, "default");
    for _ in 0..1 + random.below(12) {
        let not = if random.below(4) == 0 { "!" } else { "" };
        let value = if not.is_empty() { value(random, with_key) } else { "" };
        let line = match kind {
            "ip4tset" => {
                let address = ip4(random);
                around4(address, address, asked);
                format!("{not}{}", Ipv4Addr::from(address))
            }
            "ip4set" | "ip4trie" => {
                let bits = [8, 9, 15, 16, 20, 24, 25, 31, 32][random.below(9)];
                let start = ip4(random) & u32::MAX << (32 - bits);
                around4(start, start | (u64::from(u32::MAX) >> bits) as u32, asked);
                format!("{not}{}/{bits}{value}", Ipv4Addr::from(start))
            }
            "ip6tset" => {
                let start = ip6(random) & u128::MAX << 64;
                around6(start, start | u128::MAX >> 64, asked);
                format!("{not}{}", Ipv6Addr::from(start))
            }
            "ip6trie" => {
                let bits = [4, 6, 8, 12, 16, 30, 48, 64, 66, 128][random.below(10)];
                let start = ip6(random) & u128::MAX << (128 - bits);
                let last = start | u128::MAX.checked_shr(bits).unwrap_or(0);
                around6(start, last, asked);
                format!("{not}{}/{bits}{value}", Ipv6Addr::from(start))
            }
            _ => {
                let name = *random.pick(&NAMES);
                asked.extend([name.to_owned(), format!("z.{name}"), format!("k.z.{name}")]);
                format!("{not}{}{name}{value}", random.pick(&["", ".", "*."]))
            }
        };
        text += &line;
        text.push('\n');
    }
    text
}

fn around4(first: u32, last: u32, asked: &mut Vec<String>) {
    let middle = first + (last - first) / 2;
    for address in [first.wrapping_sub(1), first, middle, last, last.wrapping_add(1)] {
        let [a, b, c, d] = address.to_be_bytes();
        asked.push(format!("{d}.{c}.{b}.{a}"));
        asked.push(reversed6(0xffff_0000_0000 | u128::from(address)));
        asked.push(reversed6(0x2002 << 112 | u128::from(address) << 80 | 7));
        // Read as nibbles, a short block leads there.
        if [a, b, c].iter().all(|octet| *octet < 10) {
            let nibbles = u128::from(a) << 124 | u128::from(b) << 120 | u128::from(c) << 116;
            asked.push(reversed6(nibbles | 0xd << 112));
            asked.push(reversed6(nibbles | 0x5 << 112 | 99));
        }
    }
}

fn around6(first: u128, last: u128, asked: &mut Vec<String>) {
    let middle = first + (last - first) / 2;
    for address in [first.wrapping_sub(1), first, middle, last, last.wrapping_add(1)] {
        asked.push(reversed6(address));
        let nibble = |index: u32| address >> (124 - 4 * index) & 15;
        asked.push(format!("77.{}.{}.{}", nibble(2), nibble(1), nibble(0)));
        asked.push(format!("7.{}.{}.{}", nibble(2), nibble(1), nibble(0)));
    }
}

fn reversed6(address: u128) -> String {
    let nibbles: Vec<_> = (0..32).map(|i| format!("{:x}", address >> (4 * i) & 15)).collect();
    nibbles.join(".")
}

/// A zone of some datasets, perhaps with an allow list and test points, and names to ask for.
pub(super) fn catalog(random: &mut Random, with_key: bool) -> (Catalog, Vec<String>, String) {
    let folder = temp_dir();
    let mut asked: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    asked.extend(["2.0.0.127", "1.0.0.127", "other", "3.0.0.127"].map(str::to_owned));
    asked.extend([0xffff_7f00_0001, 0xffff_7f00_0002, 0xffff_7f00_0003].map(reversed6));
    let kinds = ["ip4set", "ip4tset", "ip4trie", "ip6trie", "ip6tset", "dnset", "dnset"];
    let (mut config, mut all) = (String::new(), String::new());
    let (mut datasets, mut allow) = (Vec::new(), Vec::new());
    for number in 0..1 + random.below(4) {
        let kind = *random.pick(&kinds);
        let text = file(kind, random, with_key, &mut asked);
        let name = format!("set{number}");
        std::fs::write(folder.path().join(&name), &text).expect("the folder is ours");
        all += &format!("--- {name} {kind}\n{text}");
        config += &format!(
            "[[dataset]]\nname = \"{name}\"\ntype = \"{kind}\"\nfiles = [\"{name}\"]\n\
             accept-empty = true\n"
        );
        let list = if number > 0 && random.below(3) == 0 { &mut allow } else { &mut datasets };
        list.push(name);
    }
    let points = random.below(2) == 0;
    config += &format!(
        "[[zone]]\nname = \"{APEX}\"\ndatasets = {datasets:?}\nallow = {allow:?}\n\
         test-points = {points}\ntransfer = [\"127.0.0.1\"]\n"
    );
    all += &format!("allow {allow:?}, test points {points}\n");
    let path = folder.path().join("dnsbld.toml");
    std::fs::write(&path, config).expect("the folder is ours");
    let settings = ConfigSource::file(path).load().expect("a good configuration").settings;
    (daemon::load(&settings).expect("it loads"), asked, all)
}

/// The data of the answer section as a master file has it.
pub(super) fn answer(catalog: &Catalog, name: &str, rtype: RecordType) -> BTreeSet<String> {
    let reply = reply(catalog, name, rtype);
    let addresses = reply.addresses().into_iter().map(|address| address.to_string());
    let texts = reply.texts().into_iter();
    let texts =
        texts.map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")));
    addresses.chain(texts).collect()
}

/// The response code of the answer for a name.
pub(super) fn code(catalog: &Catalog, name: &str) -> ResponseCode {
    reply(catalog, name, RecordType::A).rcode()
}

fn reply(catalog: &Catalog, name: &str, rtype: RecordType) -> Reply {
    let query = query(1, &format!("{name}.{APEX}"), rtype);
    let client = Ipv4Addr::LOCALHOST.into();
    let request = Request { query: &query, client, transport: Transport::Tcp, now: 1_700_000_000 };
    let mut out = vec![0; 65_535];
    let outcome = engine::answer(catalog, &mut WorkerState::default(), &request, &mut out);
    Reply::parse(&out[..outcome.bytes().expect("an answer")]).expect("it parses")
}

/// What a name is to the zone.
pub(super) struct AskedKey {
    pub(super) is_ip4: bool,
    pub(super) is_ip6: bool,
    /// Texts show the address.
    pub(super) with_key: bool,
}

/// Where records and the engine answer a name otherwise.
pub(super) fn differences(
    master: &Master,
    catalog: &Catalog,
    name: &str,
    AskedKey { is_ip4, is_ip6, with_key }: AskedKey,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (rtype, number) in [("A", RecordType::A), ("TXT", RecordType::TXT)] {
        let (ours, is_wildcard) = master.ask(name, rtype);
        let wanted = answer(catalog, name, number);
        let shows_block = with_key && rtype == "TXT" && is_wildcard && (is_ip4 || is_ip6);
        let same = if shows_block { ours.is_empty() == wanted.is_empty() } else { ours == wanted };
        // Under a wildcard of addresses a name that is no key is listed too.
        let no_key = is_wildcard && wanted.is_empty() && !is_ip4 && !is_ip6;
        let of_address = name.ends_with(|c: char| c.is_ascii_digit());
        if !(same || no_key && of_address) {
            wrong.push(format!("{name} {rtype}: records {ours:?}, engine {wanted:?}"));
        }
    }
    wrong
}

fn check(seed: u64) {
    let random = &mut Random::new(seed);
    let with_key = random.below(2) == 0;
    let ip4_in_ip6 = random.below(2) == 0;
    let (catalog, asked, files) = catalog(random, with_key);
    let zone = &catalog.zones()[0];
    let mut dump = Vec::new();
    dump::zone(zone, SweepOptions { now: 1_700_000_000, ip4_in_ip6 }, &mut dump)
        .expect("it is memory");
    let dump = String::from_utf8(dump).expect("a dump is ASCII");
    let master = Master::read(&dump);
    assert!(master.len() < 400_000, "seed {seed}: {} records\n{files}", master.len());
    let has_ip4 = zone.datasets.iter().any(|set| set.ip4.is_some());
    let mut wrong = Vec::new();
    for name in asked {
        let is_ip6 = name.len() == 63 && name.split('.').count() == 32;
        let embeds_ip4 = is_ip6
            && has_ip4
            && (name.ends_with("2.0.0.2")
                || name.ends_with("f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"));
        let is_ip4 =
            name.split('.').count() == 4 && name.split('.').all(|o| o.parse::<u8>().is_ok());
        if embeds_ip4 && !ip4_in_ip6 {
            continue;
        }
        let kind = AskedKey { is_ip4, is_ip6, with_key };
        wrong.extend(differences(&master, &catalog, &name, kind));
    }
    let dump: String = dump.lines().take(200).map(|line| format!("{line}\n")).collect();
    assert!(wrong.is_empty(), "seed {seed}:\n{}\n{files}\n{dump}", wrong.join("\n"));
}

#[test]
fn a_dump_answers_as_the_engine_does() {
    // The last ones were answered otherwise: a zone without one of its allow lists lists no test point.
    in_parallel(&Vec::from_iter((0..60).chain([102, 104, 168, 219])), |&seed| check(seed));
}

/// What `dnsbld dump` writes of a list of names whose wildcards cover addresses that an allow list has, alone and
/// beside a list of addresses of the other family.
#[test]
fn an_allowed_address_is_not_dumped_as_a_name() {
    let folder = temp_dir();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("the folder is ours");
    };
    write("names", ":2:named\n.10\n.8.b.d.0.1.0.0.2\n");
    write("four", "192.0.2.0/24 :3:four\n");
    write("six", "2001:db8:ffff::/48 :3:six\n");
    write("allow", "10.0.0.5\n2001:db8::1\n");
    for lists in ["\"names\"", "\"names\", \"four\"", "\"names\", \"six\""] {
        let dataset = |name: &str, kind: &str| {
            format!("[[dataset]]\nname = \"{name}\"\ntype = \"{kind}\"\nfiles = [\"{name}\"]\n")
        };
        let [names, four] = [dataset("names", "dnset"), dataset("four", "ip4set")];
        let [six, allow] = [dataset("six", "ip6trie"), dataset("allow", "ip4trie")];
        let zone =
            format!("[[zone]]\nname = \"{APEX}\"\ndatasets = [{lists}]\nallow = [\"allow\"]\n");
        let config = [names, four, six, allow, zone].concat();
        write("dnsbld.toml", &config);
        let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
        command.args(["dump", "--config", "dnsbld.toml"]).current_dir(folder.path());
        let output = command.output().expect("it starts");
        let dump = String::from_utf8(output.stdout).expect("a dump is ASCII");
        let master = Master::read(&dump);
        let settings = ConfigSource::file(folder.path().join("dnsbld.toml")).load();
        let catalog = daemon::load(&settings.expect("it is good").settings).expect("it loads");
        let names = [0x2001_0db8_u128 << 96 | 1, 0x2001_0db8 << 96 | 2, 0x2001_0db8_ffff << 80];
        let names = names.map(reversed6).into_iter();
        let names = names.chain(["5.0.0.10", "6.0.0.10", "www.10", "9.2.0.192"].map(str::to_owned));
        for name in names.chain([reversed6(0x2001_0db8 << 96 | 1).replacen('1', "x", 1)]) {
            let wanted = answer(&catalog, &name, RecordType::A);
            assert_eq!(master.ask(&name, "A").0, wanted, "{lists}: {name}\n{dump}");
        }
    }
}
