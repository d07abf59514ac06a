//! Exports, each loaded by the program that it is for, and asked.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use crate::common::resolver::{Program, RunningResolver, UNPACKED};
use crate::common::{
    Client, Ended, Process, Server, add_user, dig, dnsbld, ended, hide, is_root, reversed, run,
    sealed, skip, temp_dir,
};
use hickory_proto::rr::RecordType;
use serde_json::Value;
use tempfile::TempDir;

const LIST: &str = "192.0.2.0/24 :2:a \"network\"\n198.51.100.7 :3:the address $\n\
                    203.0.113.0-203.0.113.130\n2001:db8::/32\n127.0.0.2\n\
                    .both.example :4:all of it\n!good.both.example\nonly.example\n*.below.example\n";
const ALLOW: &str = "192.0.2.64/26\n203.0.113.5\n";
const CONFIG: &str = "[[dataset]]\nname = \"list\"\ntype = \"mixed\"\nfiles = [\"list\"]\nown = true\n\
                      [[dataset]]\nname = \"allow\"\ntype = \"ip4trie\"\nfiles = [\"allow\"]\n\
                      [[zone]]\nname = \"bl.example\"\ndatasets = [\"list\"]\nallow = [\"allow\"]\n";

/// Addresses, and whether they are listed.
const ADDRESSES: [(&str, bool); 10] = [
    ("192.0.2.0", true),
    ("192.0.2.63", true),
    ("192.0.2.64", false),
    ("192.0.3.0", false),
    ("198.51.100.7", true),
    ("203.0.113.5", false),
    ("203.0.113.130", true),
    ("203.0.113.131", false),
    ("2001:db8:1::1", true),
    ("2001:db9::1", false),
];

/// Names, and whether they are listed.
const NAMES: [(&str, bool); 8] = [
    ("both.example", true),
    ("x.both.example", true),
    ("good.both.example", false),
    ("x.good.both.example", true),
    ("only.example", true),
    ("x.only.example", false),
    ("below.example", false),
    ("x.y.below.example", true),
];

/// A folder with the zone.
struct Zone {
    folder: TempDir,
}

impl Zone {
    fn new() -> Self {
        let zone = Self { folder: temp_dir() };
        for (file, text) in [("list", LIST), ("allow", ALLOW), ("conf", CONFIG)] {
            fs::write(zone.path(file), text).expect("the folder is ours");
        }
        zone
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ended(&self, arguments: &[&str]) -> Ended {
        let command = ["export", "--config", "conf"];
        dnsbld(self.folder.path(), &[&command[..], arguments].concat())
    }

    /// Exports the zone to a file of the format's name.
    fn export(&self, format: &str, options: &[&str]) -> PathBuf {
        let done = self.ended(&[&[format, "bl.example"], options].concat());
        assert_eq!(done.code, 0, "{}", done.err);
        let file = self.path(format);
        fs::write(&file, done.out).expect("the folder is ours");
        file
    }
}

fn output(program: &str, arguments: &[&str]) -> Output {
    let command = &mut Command::new(program);
    command.args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// The family as it stands in the name of a set.
fn family(address: &str) -> &'static str {
    if address.contains(':') { "v6" } else { "v4" }
}

#[test]
fn nftables_has_the_set_and_its_changes() {
    sealed(|| {
        let zone = Zone::new();
        let load = |file: &Path| run(Command::new("nft").arg("-f").arg(file));
        let is_in = |address: &str| {
            let set = format!("bl.example-{}", family(address));
            let element = format!("{{ {address} }}");
            output("nft", &["get", "element", "inet", "dnsbld", &set, &element]).status.success()
        };
        load(&zone.export("nftables", &["--save", "saved"]));
        for (address, listed) in ADDRESSES {
            assert_eq!(is_in(address), listed, "{address}");
        }
        // The test entry is no address to block.
        assert!(!is_in("127.0.0.2"));
        // It is replaced while a rule uses it.
        run(Command::new("nft").arg(
            "add chain inet dnsbld input { type filter hook input priority 0; }; \
             add rule inet dnsbld input ip saddr @bl.example-v4 drop",
        ));
        fs::write(zone.path("list"), LIST.replace("192.0.2.0/24", "192.0.2.0/25\n100.64.0.1"))
            .expect("it is ours");
        load(&zone.export("nftables", &["--since", "saved", "--save", "saved"]));
        let seen = ["192.0.2.63", "192.0.2.64", "192.0.2.200", "100.64.0.1", "198.51.100.7"];
        let after = [true, false, false, true, true];
        assert_eq!(seen.map(is_in), after);
        let nothing = fs::read_to_string(zone.export("nftables", &["--since", "saved"])).unwrap();
        assert!(nothing.lines().all(|line| line.starts_with('#')), "{nothing}");
        load(&zone.export("nftables", &[]));
        assert_eq!(seen.map(is_in), after);
        let rules = run(Command::new("nft").args(["list", "chain", "inet", "dnsbld", "input"]));
        assert!(rules.contains("@bl.example-v4"), "{rules}");
    });
}

#[test]
fn ipset_has_the_set_and_its_changes() {
    sealed(|| {
        let zone = Zone::new();
        let load = |file: &Path| run(Command::new("ipset").arg("restore").arg("-f").arg(file));
        let is_in = |address: &str| {
            let set = format!("bl.example-{}", family(address));
            output("ipset", &["test", &set, address]).status.success()
        };
        load(&zone.export("ipset", &["--save", "saved"]));
        for (address, listed) in ADDRESSES {
            assert_eq!(is_in(address), listed, "{address}");
        }
        fs::write(zone.path("list"), LIST.replace("192.0.2.0/24", "192.0.2.0/25\n100.64.0.1"))
            .expect("it is ours");
        load(&zone.export("ipset", &["--since", "saved"]));
        let seen = ["192.0.2.63", "192.0.2.64", "192.0.2.200", "100.64.0.1", "198.51.100.7"];
        let after = [true, false, false, true, true];
        assert_eq!(seen.map(is_in), after);
        load(&zone.export("ipset", &[]));
        assert_eq!(seen.map(is_in), after);
        // Nothing is left of what it was filled by.
        assert_eq!(run(Command::new("ipset").args(["list", "-n"])).lines().count(), 2);
    });
}

#[test]
fn postfix_finds_addresses_with_their_texts() {
    let zone = Zone::new();
    fs::write(zone.path("main.cf"), "compatibility_level = 3.6\n").expect("it is ours");
    let folder = zone.folder.path().to_str().expect("UTF-8").to_owned();
    let find = |file: &Path, address: &str| {
        let table = format!("cidr:{}", file.display());
        let output = output("postmap", &["-c", &folder, "-q", address, &table]);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let (access, postscreen) = (zone.export("postfix-cidr", &[]), zone.export("postscreen", &[]));
    for (address, listed) in ADDRESSES {
        assert_eq!(find(&access, address).starts_with("REJECT "), listed, "{address}");
        assert_eq!(find(&postscreen, address), if listed { "reject" } else { "" }, "{address}");
    }
    assert_eq!(find(&access, "192.0.2.7"), "REJECT listed in bl.example: a \"network\"");
    let text = "REJECT listed in bl.example: the address 198.51.100.7";
    assert_eq!(find(&access, "198.51.100.7"), text);
}

#[test]
fn exim_finds_addresses_and_names() {
    if !is_root() {
        return skip("Exim changes its user, which only root may");
    }
    sealed(|| {
        let zone = Zone::new();
        add_user("Debian-exim", 54322);
        let program = Path::new(UNPACKED).join("usr/sbin/exim4");
        assert!(program.exists(), "there is no {}: scripts/test unpacks it", program.display());
        let config = zone.path("exim.conf");
        fs::write(&config, "primary_hostname = mx.test\nkeep_environment =\nadd_environment =\n")
            .expect("it is ours");
        fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).expect("it is ours");
        let find = |kind: &str, file: &Path, key: &str| {
            let expansion = format!("${{lookup{{{key}}}{kind}{{{}}}}}", file.display());
            let mut command = Command::new(&program);
            command.arg("-C").arg(&config).args(["-be", &expansion]);
            command.env("LD_LIBRARY_PATH", format!("{UNPACKED}/usr/lib/x86_64-linux-gnu"));
            run(&mut command).trim().to_owned()
        };
        let file = zone.export("exim", &[]);
        for (address, listed) in ADDRESSES {
            let found = find("iplsearch", &file, address);
            assert_eq!(found.starts_with("listed in bl.example"), listed, "{address}: {found}");
        }
        let text = "listed in bl.example: the address 198.51.100.7";
        assert_eq!(find("iplsearch", &file, "198.51.100.7"), text);
        let file = zone.export("exim", &["--names"]);
        for (name, listed) in NAMES {
            let found = find("partial0-lsearch", &file, name);
            assert_eq!(found.starts_with("listed in bl.example"), listed, "{name}: {found}");
        }
    });
}

/// Asks for the addresses of a name: they are there, the name is not, or it is there without any.
fn asked(program: Program, name: &str) -> &'static str {
    let shown = dig(program.addr(), &format!("+time=5 {name} A"));
    match (shown.is("NXDOMAIN"), shown.is("NOERROR"), shown.data().is_empty()) {
        (true, ..) => "no such name",
        (_, true, true) => "no data",
        (_, true, false) => "answered",
        _ => panic!("{shown:?}"),
    }
}

/// Names of the Internet, and what the servers of it say.
fn internet(zone: &Zone) -> Server {
    let names = NAMES.iter().map(|(name, _)| format!("{name} A 100.64.9.9\n"));
    let addresses = ADDRESSES.iter().filter(|(address, _)| !address.contains(':'));
    let addresses = addresses
        .map(|(address, _)| format!("at-{}.test A {address}\n", address.replace('.', "-")));
    let text: String = names.chain(addresses).collect();
    fs::write(zone.path("internet"), text).expect("it is ours");
    // Both names of a zone that has all.
    let files = ["example", "test"].map(|apex| {
        let lines = fs::read_to_string(zone.path("internet")).expect("it is there");
        let end = format!(".{apex} A ");
        let own = lines.lines().filter(|line| line.contains(&end));
        let own: String = own.map(|line| line.replace(&end, " A ") + "\n").collect();
        let file = zone.path(apex);
        fs::write(&file, own).expect("it is ours");
        format!("{apex}:generic:{}", file.display())
    });
    Server::start(&[&files[0], &files[1]])
}

/// A resolver with the policy zone leaves out what is listed, and nothing else.
fn assert_policy(program: Program) {
    for (name, listed) in NAMES {
        let wanted = if listed { "no such name" } else { "answered" };
        assert_eq!(asked(program, name), wanted, "{name}");
    }
    for (address, listed) in ADDRESSES.iter().filter(|(address, _)| !address.contains(':')) {
        let wanted = if *listed { "no such name" } else { "answered" };
        assert_eq!(asked(program, &format!("at-{}.test", address.replace('.', "-"))), wanted);
    }
}

#[test]
fn unbound_takes_the_policy_zone() {
    sealed(|| {
        let zone = Zone::new();
        let (internet, file) = (internet(&zone), zone.export("rpz", &[]));
        let at = internet.addr().port();
        let settings = format!(
            " module-config: \"respip iterator\"\n do-not-query-localhost: no\n\
             stub-zone:\n name: \"example\"\n stub-addr: 127.0.0.1@{at}\n\
             stub-zone:\n name: \"test\"\n stub-addr: 127.0.0.1@{at}\n\
             rpz:\n name: \"bl.rpz\"\n zonefile: \"{}\"\n",
            file.display()
        );
        let settings = format!(" local-zone: \"test\" nodefault\n{settings}");
        let _unbound = RunningResolver::start(Program::Unbound, &settings);
        assert_policy(Program::Unbound);
    });
}

#[test]
fn bind_takes_the_policy_zone() {
    sealed(|| {
        let zone = Zone::new();
        let (internet, file) = (internet(&zone), zone.export("rpz", &[]));
        run(Command::new("named-checkzone").args(["-q", "bl.rpz"]).arg(&file));
        let at = internet.addr().port();
        let forwarded = ["example", "test"].map(|name| {
            format!(
                "zone \"{name}\" {{ type forward; forward only; \
                 forwarders {{ 127.0.0.1 port {at}; }}; }};\n"
            )
        });
        let settings = format!(
            "options {{\n listen-on {{ 127.0.0.1; }};\n listen-on-v6 {{ none; }};\n \
             pid-file none;\n session-keyfile none;\n recursion yes;\n dnssec-validation no;\n \
             empty-zones-enable no;\n response-policy {{ zone \"bl.rpz\"; }} qname-wait-recurse no;\n}};\n\
             controls {{ }};\n{}zone \"bl.rpz\" {{ type primary; file \"{}\"; }};\n",
            forwarded.concat(),
            file.display()
        );
        let _bind = RunningResolver::start(Program::Bind, &settings);
        assert_policy(Program::Bind);
    });
}

#[test]
fn unbound_takes_local_zones() {
    sealed(|| {
        let zone = Zone::new();
        let (internet, file) = (internet(&zone), zone.export("unbound", &[]));
        let settings = format!(
            " do-not-query-localhost: no\nstub-zone:\n name: \"example\"\n stub-addr: 127.0.0.1@{}\n\
             include: \"{}\"\n",
            internet.addr().port(),
            file.display()
        );
        let _unbound = RunningResolver::start(Program::Unbound, &settings);
        let found = NAMES.map(|(name, _)| asked(Program::Unbound, name));
        // The exclusion of one name below what is listed, and what is listed below another, cannot be said.
        let wanted = [
            "no such name",
            "no such name",
            "no such name",
            "no such name",
            "no data",
            "answered",
            "answered",
            "answered",
        ];
        assert_eq!(found, wanted);
        let text = dig(Program::Unbound.addr(), "only.example TXT").data();
        assert_eq!(text, ["\"listed in bl.example\""]);
        let text = fs::read_to_string(&file).expect("it is there");
        assert!(text.contains("# left out, because this format cannot say it: "), "{text}");
    });
}

#[test]
fn rspamd_takes_the_maps() {
    if !is_root() {
        return skip("rspamd as another user cannot be told where its files are");
    }
    sealed(|| {
        let zone = Zone::new();
        hide(Path::new("/var/lib/rspamd"));
        let addresses = zone.path("addresses");
        fs::rename(zone.export("rspamd", &[]), &addresses).expect("it is ours");
        let names = zone.export("rspamd", &["--names"]);
        // All names of hosts take it seconds to learn.
        fs::write(zone.path("tld"), "example\n").expect("it is ours");
        let config = zone.path("rspamd.conf");
        let folder = zone.folder.path().display();
        let text = format!(
            "options {{ pidfile = \"{folder}/pid\"; filters = \"\"; url_tld = \"{folder}/tld\"; \
             disable_hyperscan = true; tempdir = \"{folder}\"; }}\n\
             logging {{ type = \"console\"; level = \"info\"; }}\n\
             worker \"normal\" {{ bind_socket = \"127.0.0.1:11333\"; count = 1; }}\n\
             worker \"controller\" {{ bind_socket = \"127.0.0.1:11334\"; count = 1; }}\n\
             actions {{ reject = 15; }}\n\
             multimap {{\n LISTED {{ type = \"ip\"; map = \"{}\"; }}\n \
             SENDER {{ type = \"from\"; filter = \"email:domain\"; map = \"{}\"; regexp = true; }}\n}}\n\
             modules {{ path = \"/usr/share/rspamd/plugins/multimap.lua\"; }}\n\
             lua = \"/usr/share/rspamd/rules/rspamd.lua\";\n",
            addresses.display(),
            names.display()
        );
        fs::write(&config, text).expect("it is ours");
        let mut command = Command::new("rspamd");
        command.args(["-f", "-i", "-c"]).arg(&config);
        let mut rspamd = Process::start(&mut command, &zone.path("log"));
        let at = SocketAddr::from(([127, 0, 0, 1], 11333));
        rspamd.wait(Duration::from_secs(30), |process| {
            let said = process.out();
            TcpStream::connect(at).is_ok()
                && said.contains("read regexp list of")
                && said.contains("read radix trie of")
        });
        fs::write(zone.path("mail"), "Subject: x\r\n\r\nx\r\n").expect("it is ours");
        let symbols = |header: String| {
            let mail = format!("@{}", zone.path("mail").display());
            let url = "http://127.0.0.1:11333/checkv2";
            let said = run(Command::new("curl")
                .args(["-s", "--data-binary", &mail, "-H"])
                .args([&header, url]));
            let report: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
            let has = |symbol: &str| report["symbols"].get(symbol).is_some();
            (has("LISTED"), has("SENDER"))
        };
        for (address, listed) in ADDRESSES {
            assert_eq!(symbols(format!("IP: {address}")), (listed, false), "{address}");
        }
        for (name, listed) in NAMES {
            // A map has no exclusions.
            let listed = listed || name == "good.both.example";
            assert_eq!(symbols(format!("From: joe@{name}")), (false, listed), "{name}");
        }
    });
}

#[test]
fn json_lines_and_csv_are_read_by_others() {
    let zone = Zone::new();
    let (json, csv) = (zone.export("jsonl", &[]), zone.export("csv", &[]));
    let jq = |filter: &str| run(Command::new("jq").args(["-r", filter]).arg(&json));
    assert_eq!(jq("select(.type) | .zone, .names"), "bl.example\n4\n");
    let count = |text: String| text.lines().count();
    let records: usize = jq("select(.records).records").trim().parse().expect("a number");
    assert_eq!(count(jq("select(.type | not) | .cidr // .name")), records);
    let of = "select(.cidr == \"198.51.100.7\").values[] | .a + \" \" + .text";
    assert_eq!(jq(of), "127.0.0.3 the address 198.51.100.7\n");
    let scopes =
        jq("select(.name) | .name + \" \" + .scope + \" \" + (.excluded // false | tostring)");
    let wanted = "below.example below false\nboth.example both false\n\
                  good.both.example name true\nonly.example name false\n";
    assert_eq!(scopes, wanted);
    let script = "import csv, sys, ipaddress\n\
                  rows = list(csv.DictReader(open(sys.argv[1], newline='')))\n\
                  nets = [ipaddress.ip_network(r['key']) for r in rows if r['key'][0].isdigit()]\n\
                  for a in sys.argv[2:]:\n    a = ipaddress.ip_address(a)\n    \
                  print(any(a in n for n in nets if n.version == a.version))\n\
                  print(rows[0]['texts'])\n";
    let mut command = Command::new("python3");
    command.args(["-c", script]).arg(&csv).args(ADDRESSES.map(|(address, _)| address));
    let said = run(&mut command);
    let answers = ADDRESSES.map(|(_, listed)| if listed { "True\n" } else { "False\n" }).concat();
    assert_eq!(said, answers + "a \"network\"\n");
}

#[test]
fn plain_lists_are_served_again() {
    let zone = Zone::new();
    let file = zone.export("plain", &[]);
    let server = Server::start(&[&format!("bl.example:mixed:{}", file.display())]);
    let client = Client::new(server.addr());
    let keys = ADDRESSES.iter().filter_map(|(address, listed)| {
        Some((reversed(address.parse().ok()?, "bl.example"), *listed))
    });
    let names = NAMES.map(|(name, listed)| (format!("{name}.bl.example"), listed));
    for (key, listed) in keys.chain(names) {
        let reply = client.ask(&key, RecordType::A).expect("a reply");
        assert_eq!(!reply.addresses().is_empty(), listed, "{key}");
    }
}

#[test]
fn what_cannot_be_exported_is_told_before_anything_is_written() {
    let zone = Zone::new();
    zone.export("nftables", &["--save", "saved"]);
    let saved = fs::read_to_string(zone.path("saved")).expect("it was saved");
    fs::write(zone.path("short"), saved.lines().take(3).collect::<Vec<_>>().join("\n"))
        .expect("it is ours");
    for (arguments, why) in [
        (
            &["plain", "other.example"][..],
            "there is no zone other.example; the configuration has bl.example",
        ),
        (&["plain", "x.bl.example"], "nothing is listed at x.bl.example, but at bl.example"),
        (
            &["ipset", "bl.example", "--set", "much-too-long-for-a-set-of-ipset"],
            "give one with --set",
        ),
        (&["nftables", "bl.example", "--since", "short"], "it is not whole; nothing is exported"),
        (&["csv", "bl.example", "--since", "saved"], "csv has no form for changes"),
        (&["plain", "bl.example", "--since", "missing"], "missing: No such file"),
    ] {
        let done = zone.ended(arguments);
        assert_eq!((done.code, &*done.out), (1, ""), "{}", done.err);
        assert!(done.err.contains(why), "{}", done.err);
    }
    fs::remove_file(zone.path("allow")).expect("it was there");
    let done = zone.ended(&["plain", "bl.example"]);
    assert_eq!((done.code, &*done.out), (1, ""));
    assert!(done.err.contains("is incomplete"), "{}", done.err);
}

#[test]
fn maps_are_drawn_of_zones_datasets_and_changes() {
    let zone = Zone::new();
    zone.export("nftables", &["--save", "saved"]);
    let ended_map = |arguments: &[&str]| {
        let command = ["map", "--config", "conf", "-o", "map.png"];
        let mut map = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
        map.args([&command[..], arguments].concat()).current_dir(zone.folder.path());
        ended(map)
    };
    let map = |arguments: &[&str]| {
        let done = ended_map(arguments);
        assert_eq!((done.code, &*done.out), (0, ""), "{}", done.err);
        let picture = fs::read(zone.path("map.png")).expect("it was drawn");
        let mut reader = png::Decoder::new(std::io::Cursor::new(picture)).read_info().expect("PNG");
        let mut points = vec![0; reader.output_buffer_size().expect("it fits")];
        reader.next_frame(&mut points).expect("it is whole");
        points
    };
    let whole = map(&["bl.example"]);
    // The allow list takes off what the dataset lists.
    assert_ne!(
        map(&["list", "--prefix", "192.0.2.0/24"]),
        map(&["bl.example", "--prefix", "192.0.2.0/24"])
    );
    fs::write(zone.path("list"), LIST.replace("192.0.2.0/24", "100.64.0.0/10"))
        .expect("it is ours");
    let changes = map(&["bl.example", "--diff", "saved"]);
    assert_ne!(changes, map(&["bl.example"]));
    assert_ne!(changes, whole);
    fs::write(zone.path("names"), "a.example\n").expect("it is ours");
    fs::write(
        zone.path("conf"),
        "[[dataset]]\nname = \"names\"\ntype = \"dnset\"\nfiles = [\"names\"]\n\
         [[zone]]\nname = \"names.example\"\ndatasets = [\"names\"]\n",
    )
    .expect("it is ours");
    let done = ended_map(&["names.example"]);
    assert_eq!((done.code, &*done.out), (1, ""));
    assert!(done.err.contains("lists names alone"), "{}", done.err);
}
