//! Dumps in a real name server: NSD with our dump, NSD with that of Debian's rbldnsd, and dnsbld
//! itself are asked the same.

use crate::common::{Client, Process, Random, Sandbox, Server, free_port, temp_dir};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const APEX: &str = "bl.example";
const ZONE: &str = "$SOA 60 ns.example hostmaster.example 7 1h 1h 2d 1h\n$NS 1d ns.example\n";
const HEAD: &str = "$TTL 300\n$1 for \"us\"\n:127.0.0.2:default $1, $$\n";

/// NSD with one zone, on a port of its own; ends when dropped.
struct Nsd {
    _process: Process,
    _folder: TempDir,
    client: Client,
}

impl Nsd {
    fn start(dump: &[u8]) -> Self {
        let (folder, port) = (temp_dir(), free_port());
        let path = folder.path().display();
        fs::write(folder.path().join("zone"), dump).expect("the folder is ours");
        let config = format!(
            "server:\n ip-address: 127.0.0.1@{port}\n username: \"\"\n chroot: \"\"\n \
             database: \"\"\n zonesdir: {path}\n pidfile: \"\"\n server-count: 1\n \
             xfrdir: {path}\n xfrdfile: \"\"\n zonelistfile: {path}/list\n cookie-secret-file: \"\"\n \
             rrl-ratelimit: 0\n\
             remote-control:\n control-enable: no\n\
             zone:\n name: {APEX}\n zonefile: zone\n"
        );
        let file = folder.path().join("nsd.conf");
        fs::write(&file, config).expect("the folder is ours");
        let mut command = Command::new("nsd");
        command.args(["-d", "-c"]).arg(&file);
        let mut process = Process::start(&mut command, &folder.path().join("log"));
        let client = Client::new(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        process.wait(Duration::from_secs(10), |_| {
            let reply = client.ask(APEX, RecordType::SOA);
            reply.is_ok_and(|reply| reply.rcode() == ResponseCode::NoError)
        });
        Self { _process: process, _folder: folder, client }
    }
}

/// What a client sees of a name: addresses and texts.
fn seen(client: &Client, name: &str) -> (BTreeSet<Ipv4Addr>, BTreeSet<String>) {
    let name = format!("{name}.{APEX}");
    let ask = |rtype| client.ask(&name, rtype).unwrap_or_else(|error| panic!("{name}: {error}"));
    let (a, txt) = (ask(RecordType::A), ask(RecordType::TXT));
    (a.addresses().into_iter().collect(), txt.texts().into_iter().collect())
}

fn output(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().expect("it can be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn check_zone(file: &Path) {
    output(Command::new("named-checkzone").args(["-q", APEX]).arg(file));
}

/// Compares all that can be asked, and gives the names that rbldnsd's own dump gets wrong.
fn compare(kind: &str, entries: &str, names: &[String]) -> Vec<String> {
    let folder = temp_dir();
    let path = |name: &str| folder.path().join(name);
    // The settings of a combined file belong to its sections.
    let head = if kind == "combined" { "" } else { HEAD };
    fs::write(path("list"), format!("{ZONE}{head}{entries}")).expect("the folder is ours");
    let spec = format!("{APEX}:{kind}:list");
    symlink(env!("CARGO_BIN_EXE_dnsbld"), path("rbldnsd")).expect("the folder is ours");
    let dump = |program: &Path| {
        let mut command = Command::new(program);
        output(command.args(["-d", "-w"]).arg(folder.path()).arg(&spec)).stdout
    };
    let (ours, theirs) = (dump(&path("rbldnsd")), dump("rbldnsd".as_ref()));
    fs::write(path("dump"), &ours).expect("the folder is ours");
    check_zone(&path("dump"));
    let absolute = format!("{APEX}:{kind}:{}", path("list").display());
    let server = Server::start(&[&absolute]);
    let (dnsbld, ours, theirs) =
        (Client::new(server.addr()), Nsd::start(&ours), Nsd::start(&theirs));
    let mut differ = Vec::new();
    for name in names {
        let wanted = seen(&dnsbld, name);
        assert_eq!(seen(&ours.client, name), wanted, "{kind}: {name}\n{entries}");
        if seen(&theirs.client, name) != wanted {
            differ.push(name.clone());
        }
    }
    differ
}

fn reversed4(address: u32) -> String {
    let [a, b, c, d] = address.to_be_bytes();
    format!("{d}.{c}.{b}.{a}")
}

fn reversed6(address: &str) -> String {
    let address: std::net::Ipv6Addr = address.parse().expect("an address");
    let address = u128::from(address);
    let nibbles: Vec<_> = (0..32).map(|i| format!("{:x}", address >> (4 * i) & 15)).collect();
    nibbles.join(".")
}

/// Names of the borders of networks and random addresses near them.
fn names4(networks: &[&str]) -> Vec<String> {
    let mut random = Random::new(5);
    let mut names = Vec::new();
    for network in networks {
        let (address, bits) = network.split_once('/').expect("a network");
        let first = u32::from(address.parse::<Ipv4Addr>().expect("an address"));
        let last = first | (u64::from(u32::MAX) >> bits.parse::<u32>().expect("bits")) as u32;
        let size = (last - first) as usize + 1;
        names.extend([first.wrapping_sub(1), first, last, last.wrapping_add(1)].map(reversed4));
        for _ in 0..8 {
            names.push(reversed4(first + random.below(size) as u32));
            names.push(reversed4(first.wrapping_add(random.below(2 * size) as u32)));
        }
    }
    names
}

#[test]
fn ip4set() {
    let networks =
        ["10.0.0.0/8", "10.1.2.0/24", "10.1.2.3/32", "100.64.0.0/10", "2.0.0.0/24", "99.1.2.64/26"];
    let entries = "10.0.0.0/8 :3:wide\n!10.1.2.0/24\n10.1.2.3 :4:narrow\n!10.200.0.0-10.200.1.5\n\
                   100.64.0.0/10\n2.0.0.0/24\n99.1.2.64/26\n99.1.2.70 :9:";
    let mut names = names4(&networks);
    names.extend(names4(&["10.200.0.0/23"]));
    names.push(reversed6("2001:db8::1"));
    names.push(reversed6("2003::1"));
    let differ = compare("ip4set", entries, &names);
    // Its wildcard for 2.0.0.0/24 is one for 2000::/12 as well.
    assert_eq!(differ, [reversed6("2001:db8::1"), reversed6("2003::1")]);
}

#[test]
fn ip4trie() {
    let entries = "10.0.0.0/8 :3:wide\n!10.1.0.0/16\n10.1.2.0/24 :4:in\n!10.1.2.3\n0.0.0.0/5\n";
    let names = names4(&["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "0.0.0.0/5"]);
    assert_eq!(compare("ip4trie", entries, &names), [""; 0]);
}

#[test]
fn ip4tset() {
    let mut random = Random::new(1);
    let addresses: Vec<u32> = (0..300)
        .map(|_| 0x0a00_0000 | (random.below(2) << 16 | random.below(256)) as u32)
        .collect();
    let entries: String =
        addresses.iter().map(|&address| format!("{}\n", Ipv4Addr::from(address))).collect();
    let near = addresses.iter().flat_map(|&address| [address, address + 1]);
    let names: Vec<_> = near.map(reversed4).collect();
    assert_eq!(compare("ip4tset", &entries, &names), [""; 0]);
}

#[test]
fn ip6trie() {
    let entries = "2001:db8::/32 :3:wide\n!2001:db8:1::/48\n2001:db8:1:2::/64 :4:in\n\
                   2001:db9::/31\n2001:db8:1:3::42/128 :5:one\n";
    let names = [
        "2001:db7:ffff::1",
        "2001:db8::",
        "2001:db8::1",
        "2001:db8:1::",
        "2001:db8:1::5",
        "2001:db8:1:2::",
        "2001:db8:1:2:3:4:5:6",
        "2001:db8:1:3::42",
        "2001:db8:1:3::43",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db9::",
        "2001:dba::",
        "2001:dbb::1",
    ];
    let names: Vec<_> = names.into_iter().map(reversed6).collect();
    assert_eq!(compare("ip6trie", entries, &names), [""; 0]);
}

#[test]
fn ip6tset() {
    let entries = "2001:db8:0:1\n2001:db8:0:2\n!2001:db8:0:2:0:0:0:7\n2001:db8:1:0\n";
    let names = [
        "2001:db8:0:1::",
        "2001:db8:0:1::9",
        "2001:db8:0:2::7",
        "2001:db8:0:2::8",
        "2001:db8:0:3::",
        "2001:db8:1::5",
    ];
    let names: Vec<_> = names.into_iter().map(reversed6).collect();
    let differ = compare("ip6tset", entries, &names);
    // The exception hides the wildcard of its /64 from its neighbours.
    assert_eq!(differ, [reversed6("2001:db8:0:2::8")]);
}

#[test]
fn dnset() {
    let entries = ".wide.example :3:see $\n!.not.wide.example\nin.not.wide.example :4:in $\n\
                   deep.er.wide.example :5:deep\n*.below.example\nitself.example\n\
                   *.a.itself.example :6:$$ is no key\n";
    let mut names = Vec::new();
    for name in [
        "wide.example",
        "not.wide.example",
        "in.not.wide.example",
        "deep.er.wide.example",
        "er.wide.example",
        "below.example",
        "itself.example",
        "a.itself.example",
        "example",
    ] {
        names.extend([name.to_owned(), format!("x.{name}"), format!("y.x.{name}")]);
    }
    let differ = compare("dnset", entries, &names);
    // A listed name hides the wildcard above it: from what is below it, and from the names between.
    let hidden = ["x.deep.er", "y.x.deep.er", "er", "x.er", "y.x.er"];
    assert_eq!(differ, hidden.map(|name| format!("{name}.wide.example")));
}

#[test]
fn generic() {
    let entries = "@ MX 10 mail.example\nwww A 192.0.2.1\nwww A 192.0.2.2\n\
                   www TXT \"a text\"\na.deep A 192.0.2.3\nwww MX 5 www\n";
    let names = ["www", "x.www", "deep", "a.deep", "none"].map(str::to_owned);
    assert_eq!(compare("generic", entries, &names), [""; 0]);
}

#[test]
fn combined() {
    let entries = "$DATASET ip4set:one @ ip\n:2:one $$\n10.0.0.0/8\n!10.1.2.3\n\
                   $DATASET dnset:two names\n:3:two $\n.wide.example\n!.not.wide.example\n\
                   $DATASET dnset:three inner.names\n:4:three\n.other.example\n\
                   $DATASET dnset:four wide.example.names\n:5:four\na.b\n\
                   $DATASET generic:five ip\nwww A 192.0.2.1\n";
    let names = [
        "1.2.3.10",
        "3.2.1.10",
        "1.2.3.11",
        "1.2.3.10.ip",
        "3.2.1.10.ip",
        "www.ip",
        "x.other.example.inner.names",
        "other.example.names",
        "inner.names",
        "names",
        "x.wide.example.names",
        "wide.example.names",
        "a.b.wide.example.names",
        "not.wide.example.names",
        "example.names",
        "ip",
    ];
    let differ = compare("combined", entries, &names.map(str::to_owned));
    // Of nested subzones the innermost answers, alone; its dump has the names of the outer one too.
    assert_eq!(differ, ["x.wide.example.names", "wide.example.names"]);
}

#[test]
fn texts_and_names_that_need_escapes_load() {
    let entries = "quo\\\"te.example :2:a \"text\" \\ of; (two)\n.par(en).example\n\
                   .br\\[ack\\]et.example\na\\@b.example\nse\\;mi.example\n\
                   bl\\032ank.example :3:=$ \\\n";
    let long = "x\"\\".repeat(300);
    let list = format!("{ZONE}{HEAD}{entries}long.example :4:{long}\n");
    let sandbox = Sandbox::with_files(&[("list", &list)]);
    let spec = format!("{APEX}:dnset:data/list");
    let dump = output(&mut sandbox.command(&format!("-d {spec}"))).stdout;
    fs::write(sandbox.path("dump"), &dump).expect("it is ours");
    check_zone(&sandbox.path("dump"));
    let _drop_in = sandbox.foreground(&spec);
    let native = Server::start(&[&format!("{APEX}:dnset:{}", sandbox.path("data/list").display())]);
    let (drop_in, native) = (sandbox.client(), Client::new(native.addr()));
    let nsd = Nsd::start(&dump);
    let names = [
        "quo\"te",
        "par(en)",
        "x.par(en)",
        "br[ack]et",
        "x.br[ack]et",
        "a@b",
        "se;mi",
        "bl ank",
        "long",
        "none",
    ];
    for name in names.map(|name| format!("{name}.example")) {
        let wanted = seen(&drop_in, &name);
        assert_eq!(wanted.0.is_empty(), name == "none.example", "{name}");
        assert_eq!(seen(&nsd.client, &name), wanted, "{name}");
        // Natively, a byte that no name asked for has is a slip unless it is escaped.
        let refused = name.contains('(');
        assert_eq!(
            seen(&native, &name),
            if refused { Default::default() } else { wanted },
            "{name}"
        );
    }
}

#[test]
fn a_zone_that_cannot_be_loaded_is_not_dumped() {
    let folder = temp_dir();
    let config = "[[dataset]]\nname = \"a\"\ntype = \"dnset\"\nfiles = [\"missing\"]\n\
                  [[zone]]\nname = \"bl.example\"\ndatasets = [\"a\"]\n";
    let file = folder.path().join("dnsbld.toml");
    fs::write(&file, config).expect("it is ours");
    let dump = |zone: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
        command.args(["dump", zone, "--config"]).arg(&file).output().expect("it runs")
    };
    for (zone, why) in [("bl.example", "is incomplete"), ("x.example", "there is no zone")] {
        let output = dump(zone);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
        assert!(said.contains(why), "{said}");
    }
}
