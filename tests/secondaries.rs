//! Secondaries that are known by a key: they take zones and their changes signed, and are told of them.

use crate::common::{
    Daemon, Process, Setup, Shown, dig, free_port, kdig, make_certificate, temp_dir, wait_until,
};
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(30);

/// Base64 of 32 bytes.
const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// A name server that takes `bl.example` from dnsbld; ends when dropped.
struct Secondary {
    process: Process,
    addr: SocketAddr,
    _folder: TempDir,
}

/// What a secondary is started by: its configuration, and the program with it.
type Program = fn(SocketAddr, SocketAddr, &Path) -> (String, Vec<&'static str>);

impl Secondary {
    /// Starts it at `addr` with dnsbld as its primary.
    fn start(program: Program, addr: SocketAddr, primary: SocketAddr) -> Self {
        let folder = temp_dir();
        let (text, arguments) = program(addr, primary, folder.path());
        Self::start_as(text, &arguments, addr, folder)
    }

    /// Starts it by this configuration in this folder.
    fn start_as(text: String, arguments: &[&str], addr: SocketAddr, folder: TempDir) -> Self {
        let file = folder.path().join("secondary.conf");
        fs::write(&file, text).expect("the folder is ours");
        let mut command = Command::new(arguments[0]);
        command.args(&arguments[1..]).arg(&file).current_dir(folder.path());
        let process = Process::start(&mut command, &folder.path().join("log"));
        Self { process, addr, _folder: folder }
    }

    fn ask(&self, arguments: &str) -> Shown {
        dig(self.addr, arguments)
    }

    /// Waits until it answers so.
    fn expect(&self, question: &str, data: &[&str], daemon: &Daemon) {
        let is_so = wait_until(SOON, || self.ask(question).data() == data);
        let log = self.process.out();
        assert!(is_so, "{question}: {:?}\n{log}\n{}", self.ask(question), daemon.log());
    }
}

fn nsd(addr: SocketAddr, primary: SocketAddr, folder: &Path) -> (String, Vec<&'static str>) {
    let (port, from, to) = (addr.port(), primary.port(), folder.display());
    let text = format!(
        "server:\n ip-address: 127.0.0.1@{port}\n username: \"\"\n zonesdir: \"{to}\"\n database: \"\"\n \
         xfrdfile: \"{to}/xfrd.state\"\n xfrdir: \"{to}\"\n zonelistfile: \"{to}/zone.list\"\n pidfile: \"\"\n \
         server-count: 1\n verbosity: 2\nremote-control:\n control-enable: no\n\
         key:\n name: one.key\n algorithm: hmac-sha256\n secret: \"{SECRET}\"\n\
         zone:\n name: bl.example\n zonefile: bl.zone\n request-xfr: 127.0.0.1@{from} one.key\n \
         allow-notify: 127.0.0.1 one.key\n provide-xfr: 127.0.0.1 NOKEY\n"
    );
    (text, vec!["nsd", "-d", "-c"])
}

fn bind(addr: SocketAddr, primary: SocketAddr, folder: &Path) -> (String, Vec<&'static str>) {
    let (port, from, to) = (addr.port(), primary.port(), folder.display());
    let text = format!(
        "options {{ directory \"{to}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n \
         pid-file none; session-keyfile none; recursion no; dnssec-validation no; allow-transfer {{ any; }}; }};\n\
         controls {{ }};\n\
         key \"one.key\" {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n\
         zone \"bl.example\" {{ type secondary; file \"bl.zone\"; masterfile-format text; notify no;\n \
         primaries {{ 127.0.0.1 port {from} key one.key; }}; allow-notify {{ key one.key; }}; }};\n"
    );
    (text, vec!["named", "-g", "-n", "1", "-c"])
}

fn knot(addr: SocketAddr, primary: SocketAddr, folder: &Path) -> (String, Vec<&'static str>) {
    let (port, from, to) = (addr.port(), primary.port(), folder.display());
    let text = format!(
        "server:\n rundir: \"{to}\"\n listen: 127.0.0.1@{port}\nlog:\n - target: stderr\n   any: info\n\
         database:\n storage: \"{to}\"\n\
         key:\n - id: one.key\n   algorithm: hmac-sha256\n   secret: {SECRET}\n\
         remote:\n - id: primary\n   address: 127.0.0.1@{from}\n   key: one.key\n\
         acl:\n - id: told\n   key: one.key\n   action: notify\n - id: any\n   address: 127.0.0.1\n   action: transfer\n\
         zone:\n - domain: bl.example\n   storage: \"{to}\"\n   file: bl.zone\n   master: primary\n   acl: [told, any]\n"
    );
    (text, vec!["knotd", "-c"])
}

/// A list of so many addresses, from the one with this number on.
fn list(first: u32, count: u32) -> String {
    let line = |n: u32| {
        let address = Ipv4Addr::from(0x0a00_0001 + n * 7);
        format!("{address} :2:address {n} is listed\n")
    };
    (first..first + count).map(line).collect()
}

/// Serves `bl.example` to who has the key, and tells the secondary.
fn primary(secondary: SocketAddr) -> Daemon {
    primary_with(Setup::new(), "", secondary)
}

/// The same in this folder, with these settings of the server.
fn primary_with(setup: Setup, server: &str, secondary: SocketAddr) -> Daemon {
    setup.write("list", list(0, 2000));
    setup.write("secret", SECRET);
    fs::set_permissions(setup.path("secret"), Permissions::from_mode(0o600)).expect("it is ours");
    setup.configure(
        server,
        &format!(
            "[[key]]\nname = \"one.key\"\nsecret-file = \"secret\"\n\
             [[dataset]]\nname = \"list\"\ntype = \"ip4set\"\nfiles = [\"list\"]\nns = [\"ns.example\"]\n\
             [[zone]]\nname = \"bl.example\"\ndatasets = [\"list\"]\ntransfer = [\"key:one.key\"]\n\
             notify = [\"{secondary}@one.key\"]\n"
        ),
    );
    setup.start()
}

/// The records of `bl.example`, as the server gives them.
fn records(addr: SocketAddr, key: &str) -> BTreeSet<String> {
    let shown = dig(addr, &format!("{key} +noall +answer bl.example AXFR"));
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    shown.0.lines().filter(|line| line.contains("\tIN\t")).map(words).collect()
}

/// The bytes of the transfers, of those that have all of these words in their line of the log.
fn sent(daemon: &Daemon, words: &[&str]) -> Vec<u64> {
    let words = [words, &["event=\"transfer-sent\""]].concat();
    let bytes = |line: &String| {
        let (before, _) = line.split_once(" bytes")?;
        before.rsplit(' ').next()?.parse().ok()
    };
    daemon.log_lines(&words).iter().filter_map(bytes).collect()
}

fn follows(program: Program) {
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let daemon = primary(addr);
    let secondary = Secondary::start(program, addr, daemon.addr());
    secondary.expect("1.0.0.10.bl.example A", &["127.0.0.2"], &daemon);
    // One in a hundred goes, and as many come. The refresh of the zone is an hour.
    for (first, gone, new) in [(20, "1.0.0.10", "54.55.0.10"), (40, "141.0.0.10", "194.55.0.10")] {
        daemon.write("list", list(first, 2000));
        secondary.expect(&format!("{new}.bl.example A"), &["127.0.0.2"], &daemon);
        secondary.expect(&format!("{gone}.bl.example A"), &[], &daemon);
    }
    let key = format!("-y hmac-sha256:one.key:{SECRET}");
    let (own, copy) = (records(daemon.addr(), &key), records(addr, ""));
    assert!(own.len() > 4000, "{} records", own.len());
    assert_eq!(own, copy, "what the secondary has");
    let (whole, changes) = (sent(&daemon, &["serial"]), sent(&daemon, &["its changes since"]));
    let (whole, most) = (whole.iter().max(), changes.iter().max());
    let is_small = whole.zip(most).is_some_and(|(whole, most)| most * 20 < *whole);
    assert!(is_small && changes.len() >= 2, "{changes:?} of {whole:?}:\n{}", daemon.log());
    daemon.expect_log(&["event=\"secondary-notified\"", "bl.example"], SOON);
}

#[test]
fn nsd_follows_a_list_by_its_changes() {
    follows(nsd);
}

#[test]
fn bind_follows_a_list_by_its_changes() {
    follows(bind);
}

#[test]
fn knot_follows_a_list_by_its_changes() {
    follows(knot);
}

/// A folder with a certificate for `dns.test`, and the settings of a server that has it at this address.
fn with_tls(tls: SocketAddr) -> (Setup, String) {
    let setup = Setup::new();
    make_certificate(&setup.path(""), "dns.test");
    let settings =
        format!("tls = {{ listen = [\"{tls}\"], certificate = \"tls.crt\", key = \"tls.key\" }}");
    (setup, settings)
}

/// A secondary that knows of the primary's TLS alone (RFC 9103). `over_tls` changes its configuration: to a primary
/// with TLS at this port, whose certificate lies in this file.
fn follows_over_tls(program: Program, over_tls: fn(String, u16, &str) -> String) {
    let [addr, tls] = [(); 2].map(|()| SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())));
    let (setup, settings) = with_tls(tls);
    let daemon = primary_with(setup, &settings, addr);
    let certificate = daemon.path("tls.crt").display().to_string();
    let folder = temp_dir();
    let (text, arguments) = program(addr, tls, folder.path());
    let secondary =
        Secondary::start_as(over_tls(text, tls.port(), &certificate), &arguments, addr, folder);
    secondary.expect("1.0.0.10.bl.example A", &["127.0.0.2"], &daemon);
    daemon.write("list", list(20, 2000));
    secondary.expect("54.55.0.10.bl.example A", &["127.0.0.2"], &daemon);
    secondary.expect("1.0.0.10.bl.example A", &[], &daemon);
    let (whole, changes) = (sent(&daemon, &["serial"]), sent(&daemon, &["its changes since"]));
    assert!(whole.len() > changes.len() && changes.len() == 1, "{}", daemon.log());
    let key = format!("-y hmac-sha256:one.key:{SECRET}");
    assert_eq!(records(daemon.addr(), &key), records(addr, ""), "what the secondary has");
}

#[test]
fn bind_follows_a_list_over_tls() {
    follows_over_tls(bind, |text, port, certificate| {
        let from = format!("port {port} key one.key;");
        let to = format!("port {port} key one.key tls \"primary\";");
        let tls = format!(
            "tls \"primary\" {{ ca-file \"{certificate}\"; remote-hostname \"dns.test\"; }};\n"
        );
        tls + &text.replace(&from, &to)
    });
}

#[test]
fn nsd_follows_a_list_over_tls() {
    follows_over_tls(nsd, |text, port, certificate| {
        let from = format!("request-xfr: 127.0.0.1@{port} one.key");
        let text = text.replace(&from, &format!("{from} primary"));
        let server = format!("server:\n tls-cert-bundle: \"{certificate}\"\n");
        let tls = "tls-auth:\n name: primary\n auth-domain-name: dns.test\nkey:\n";
        text.replacen("server:\n", &server, 1).replacen("key:\n", tls, 1)
    });
}

/// kdig and BIND's dig name the protocol in the handshake (ALPN "dot"), which RFC 9103 section 7.1 asks for; who
/// names none is served, too, and who names another one is not.
#[test]
fn a_zone_is_sent_over_tls() {
    let [addr, tls] = [(); 2].map(|()| SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())));
    let (setup, settings) = with_tls(tls);
    let daemon = primary_with(setup, &settings, addr);
    let key = format!("-y hmac-sha256:one.key:{SECRET}");
    let certificate = daemon.path("tls.crt").display().to_string();
    let verified = format!("+tls-ca={certificate} +tls-hostname=dns.test");
    let all = records(daemon.addr(), &key);
    assert!(all.len() > 4000, "{} records", all.len());
    assert_eq!(records(tls, &format!("{key} +tls {verified}")), all);
    let by_kdig = kdig(tls, &format!("{key} +tls {verified} bl.example AXFR"));
    let first = by_kdig.0.lines().filter(|line| line.starts_with("1.0.0.10.bl.example.")).count();
    assert_eq!(first, 2, "A and TXT: {}", by_kdig.0);
    let changes = kdig(tls, &format!("{key} +tls bl.example IXFR={}", daemon.serial("bl.example")));
    assert!(changes.0.contains("1 messages, 1 records"), "{}", changes.0);
    let refused = kdig(tls, "+tls bl.example AXFR");
    assert!(refused.0.contains("Received 0 B"), "{}", refused.0);
    for (protocol, is_served) in [("dot", true), ("", true), ("h2", false)] {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-connect", &tls.to_string(), "-CAfile", &certificate]);
        if !protocol.is_empty() {
            openssl.args(["-alpn", protocol]);
        }
        let output = openssl.stdin(Stdio::null()).output().expect("it starts");
        let shown = String::from_utf8_lossy(&output.stdout);
        assert_eq!(shown.contains("BEGIN CERTIFICATE"), is_served, "{protocol}: {shown}");
        assert_eq!(shown.contains("ALPN protocol: dot"), protocol == "dot", "{shown}");
    }
}

#[test]
fn a_zone_is_for_who_has_its_key() {
    let log = "query-log = \"queries\"\nquery-log-flush = true";
    let daemon = primary_with(Setup::new(), log, (Ipv4Addr::LOCALHOST, free_port()).into());
    let key = format!("-y hmac-sha256:one.key:{SECRET}");
    let shown = dig(daemon.addr(), &format!("{key} bl.example AXFR"));
    assert!(shown.0.contains("XFR size") && !shown.0.contains("verify"), "{shown:?}");
    let other = format!("-y hmac-sha256:one.key:{}", SECRET.replace("MDE", "MDA"));
    for (how, word) in [("", "Transfer failed"), (&*other, "BADSIG")] {
        let shown = dig(daemon.addr(), &format!("{how} bl.example AXFR"));
        assert!(shown.0.contains(word) && !shown.0.contains("XFR size"), "{shown:?}");
    }
    daemon.expect_log(&["event=\"transfer-refused\"", "BADSIG", "same key"], SOON);
    assert!(dig(daemon.addr(), "bl.example IXFR=1").0.contains("Transfer failed"));
    // Over UDP, the serial alone is told; over TCP, who has it already gets no more.
    let serial = daemon.serial("bl.example");
    let udp = dig(daemon.addr(), &format!("+notcp {key} bl.example IXFR=1"));
    assert!(udp.0.contains(&serial.to_string()) && !udp.0.contains("127.0.0.2"), "{udp:?}");
    let current = dig(daemon.addr(), &format!("{key} bl.example IXFR={serial}"));
    assert!(current.0.contains("XFR size: 1 records"), "{current:?}");

    // All of it is counted, and stands in the query log.
    let mut stats = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    stats.args(["stats", "--json", "--interval", "0"]).env("RUNTIME_DIRECTORY", daemon.path(""));
    let stats = stats.output().expect("it runs").stdout;
    let stats: serde_json::Value = serde_json::from_slice(&stats).expect("it is JSON");
    let [axfr, ixfr] = ["axfr", "ixfr"].map(|kind| &stats["zones"][0]["transfers"][kind]);
    let counts = |of: &serde_json::Value| ["sent", "refused"].map(|name| of[name].as_u64());
    assert_eq!((counts(axfr), counts(ixfr)), ([Some(1), Some(2)], [Some(1), Some(1)]), "{stats}");
    assert!(axfr["records"].as_u64() > Some(4000) && ixfr["records"] == 1, "{stats}");
    let bytes = sent(&daemon, &["serial"]).into_iter().sum::<u64>();
    let counted = [axfr, ixfr].iter().filter_map(|of| of["bytes"].as_u64()).sum::<u64>();
    assert_eq!(counted, bytes, "{stats}");
    let queries = fs::read_to_string(daemon.path("queries")).expect("there is one");
    for (of, count) in [
        ("AXFR IN: NOERROR/", 1),
        ("AXFR IN: REFUSED/", 1),
        ("IXFR IN: NOERROR/", 2),
        ("IXFR IN: REFUSED/", 1),
    ] {
        assert_eq!(queries.matches(&format!("bl.example {of}")).count(), count, "{of}\n{queries}");
    }
}

#[test]
fn a_secondary_that_does_not_take_the_word_is_told_of() {
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let secondary = Secondary::start(
        |addr, primary, folder| {
            let (text, arguments) = nsd(addr, primary, folder);
            (
                text.replace("allow-notify: 127.0.0.1 one.key", "allow-notify: 127.0.0.2 NOKEY"),
                arguments,
            )
        },
        addr,
        addr,
    );
    assert!(wait_until(SOON, || secondary.ask("version.server CH TXT").0.contains("status")));
    let daemon = primary(addr);
    daemon.expect_log(&["event=\"secondary-not-notified\"", "bl.example", "next refresh"], SOON);
}

/// A list that cannot be read any more takes the test point out of the zone, as the server does.
#[test]
fn a_secondary_learns_of_a_list_that_is_damaged() {
    let daemon = primary((Ipv4Addr::LOCALHOST, free_port()).into());
    let key = format!("-y hmac-sha256:one.key:{SECRET}");
    let has_test_point = || {
        let all = records(daemon.addr(), &key);
        all.iter().any(|record| record.starts_with("2.0.0.127.bl.example."))
    };
    let before = daemon.serial("bl.example");
    assert!(has_test_point());
    fs::remove_file(daemon.path("list")).expect("it is ours");
    daemon.reload();
    let is_told = wait_until(SOON, || daemon.serial("bl.example") != before);
    assert!(is_told && !has_test_point(), "{}", daemon.log());
}

/// A secondary that knows of the catalog zone alone.
fn bind_by_catalog(
    addr: SocketAddr,
    primary: SocketAddr,
    folder: &Path,
) -> (String, Vec<&'static str>) {
    let (text, arguments) = bind(addr, primary, folder);
    let from = primary.port();
    let catalogs = format!(
        "catalog-zones {{ zone \"catalog.example\" default-primaries {{ 127.0.0.1 port {from} key one.key; }}\n \
         in-memory yes min-update-interval 1; }}; }};\n"
    );
    let text = text.replacen("}; };\n", &format!("}}; {catalogs}"), 1);
    (
        text.replace("\"bl.example\"", "\"catalog.example\"").replace("bl.zone", "catalog.zone"),
        arguments,
    )
}

/// The same.
fn knot_by_catalog(
    addr: SocketAddr,
    primary: SocketAddr,
    folder: &Path,
) -> (String, Vec<&'static str>) {
    let (text, arguments) = knot(addr, primary, folder);
    let (before, _) = text.split_once("zone:\n").expect("it has zones");
    let to = folder.display();
    let text = format!(
        "{before}template:\n - id: member\n   storage: \"{to}\"\n   master: primary\n   acl: [told, any]\n\
         zone:\n - domain: catalog.example\n   storage: \"{to}\"\n   master: primary\n   acl: told\n   \
         catalog-role: interpret\n   catalog-template: member\n"
    );
    (text, arguments)
}

fn sets_itself_up(program: Program) {
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let daemon = primary(addr);
    let text = fs::read_to_string(daemon.path("dnsbld.toml")).expect("it was written");
    let catalog = format!(
        "{text}[catalog-zone]\nname = \"catalog.example\"\ntransfer = [\"key:one.key\"]\n\
         notify = [\"{addr}@one.key\"]\n"
    );
    daemon.write("dnsbld.toml", &catalog);
    daemon.reload();
    let secondary = Secondary::start(program, addr, daemon.addr());
    secondary.expect("1.0.0.10.bl.example A", &["127.0.0.2"], &daemon);
    // A second zone comes, and the first one goes.
    let other =
        "[[zone]]\nname = \"other.example\"\ndatasets = [\"list\"]\ntransfer = [\"key:one.key\"]\n";
    daemon.write("dnsbld.toml", format!("{catalog}{other}"));
    daemon.reload();
    secondary.expect("1.0.0.10.other.example A", &["127.0.0.2"], &daemon);
    let gone = catalog.replace("name = \"bl.example\"", "name = \"other.example\"");
    daemon.write("dnsbld.toml", gone);
    daemon.reload();
    let is_gone = || secondary.ask("bl.example SOA").is("REFUSED");
    assert!(wait_until(SOON, is_gone), "{:?}\n{}", secondary.ask("bl.example SOA"), daemon.log());
    assert_eq!(secondary.ask("1.0.0.10.other.example A").data(), ["127.0.0.2"]);
}

#[test]
fn bind_sets_itself_up_by_the_catalog_zone() {
    sets_itself_up(bind_by_catalog);
}

#[test]
fn knot_sets_itself_up_by_the_catalog_zone() {
    sets_itself_up(knot_by_catalog);
}
