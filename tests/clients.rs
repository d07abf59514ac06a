//! Programs that people ask lists with: dig and kdig, over UDP, TCP and TLS and with what EDNS
//! offers, and unbound with the strictest of its settings.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use crate::common::{
    Server, Shown, Unbound, dig, free_port, kdig, make_certificate, sealed, temp_dir, wait_until,
};
use rustix::process::Signal;
use tempfile::TempDir;

const ADDRESSES: &str = "\
$SOA 3600 ns1.bl.example. hostmaster.bl.example. 7 3600 900 604800 120
$NS 3600 ns1.bl.example.
$TTL 60
:127.0.0.2:Listed, see https://bl.example/?ip=$
192.0.2.99
198.51.100.0/24
!198.51.100.10
";
const ADDRESSES6: &str = ":2:$ is listed\n2001:db8:1::/48\n!2001:db8:1::bad\n";
const NAMES: &str = ":2:$ is listed\nspammer.example\n.wild.example\n";
/// So many values has 203.0.113.200, each with a text of a hundred bytes or more.
const VALUES: usize = 30;

/// The files, and the zones of them as the command line takes them.
fn zones(folder: &TempDir) -> [String; 4] {
    let many: String = (1..=VALUES)
        .map(|n| format!("203.0.113.200 :127.0.0.{n}:Reason {n:02} {}\n", "of many ".repeat(12)))
        .collect();
    let files = [
        ("bl.example", "ip4set", ADDRESSES),
        ("many.example", "ip4set", many.as_str()),
        ("bl6.example", "ip6trie", ADDRESSES6),
        ("names.example", "dnset", NAMES),
    ];
    files.map(|(apex, kind, text)| {
        let path = folder.path().join(apex);
        fs::write(&path, text).expect("the folder is ours");
        format!("{apex}:{kind}:{}", path.display())
    })
}

fn serve(folder: &TempDir) -> Server {
    let zones = zones(folder);
    Server::start(&zones.each_ref().map(String::as_str))
}

/// Every way a record set of `VALUES` values may arrive.
fn assert_all_values(shown: &Shown) {
    let data = shown.data();
    assert_eq!(data.len(), VALUES, "{shown:?}");
    assert!(data[0].starts_with("\"Reason 01 of many"), "{data:?}");
    assert!(data[VALUES - 1].starts_with("\"Reason 30 of many"), "{data:?}");
}

#[test]
fn dig_sees_what_is_listed_and_what_is_not() {
    let folder = temp_dir();
    let server = serve(&folder);
    let ask = |arguments: &str| dig(server.addr(), arguments);

    let listed = ask("99.2.0.192.bl.example A");
    assert_eq!((listed.is("NOERROR"), listed.flags()), (true, "qr aa rd"), "{listed:?}");
    assert_eq!(listed.section("ANSWER"), ["60 IN A 127.0.0.2"]);
    let text = ["60 IN TXT \"Listed, see https://bl.example/?ip=192.0.2.99\""];
    assert_eq!(ask("99.2.0.192.bl.example TXT").section("ANSWER"), text);
    assert_eq!(ask("99.2.0.192.bl.example ANY").section("ANSWER").len(), 2);

    let soa = "120 IN SOA ns1.bl.example. hostmaster.bl.example. 7 3600 900 604800 120";
    for name in ["1.2.0.192.bl.example", "10.100.51.198.bl.example"] {
        let unlisted = ask(name);
        assert!(unlisted.is("NXDOMAIN"), "{unlisted:?}");
        assert_eq!(unlisted.section("AUTHORITY"), [soa]);
    }
    for no_data in ["99.2.0.192.bl.example AAAA", "99.2.0.192.bl.example MX", "2.0.192.bl.example"]
    {
        let no_data = ask(no_data);
        assert!(no_data.is("NOERROR") && no_data.data().is_empty(), "{no_data:?}");
        assert_eq!(no_data.section("AUTHORITY"), [soa]);
    }
    assert_eq!(ask("bl.example SOA").data(), [soa.split_once("SOA ").unwrap().1]);
    assert_eq!(ask("bl.example NS").data(), ["ns1.bl.example."]);
    assert!(ask("99.2.0.192.other.example").is("REFUSED"));
    assert!(ask("+opcode=notify bl.example SOA").is("NOTIMP"));
}

#[test]
fn dig_gets_one_type_for_any_over_udp_if_the_server_is_told_so() {
    let folder = temp_dir();
    zones(&folder);
    let config = folder.path().join("dnsbld.toml");
    let text = "[server]\nminimal-any = true\n\
        [[dataset]]\nname = 'bl'\ntype = 'ip4set'\nfiles = ['bl.example']\n\
        [[zone]]\nname = 'bl.example'\ndatasets = ['bl']\n";
    fs::write(&config, text).expect("the folder is ours");
    let config = config.to_string_lossy();
    let arguments = ["--config", &*config, "--listen", "127.0.0.1:0"];
    let server = Server::reporting(&arguments, folder.path());
    let ask = |arguments: &str| dig(server.addr(), arguments).section("ANSWER").len();
    assert_eq!(ask("+notcp 99.2.0.192.bl.example ANY"), 1);
    assert_eq!(ask("+tcp 99.2.0.192.bl.example ANY"), 2);
    assert_eq!(ask("+notcp bl.example ANY"), 1);
    assert_eq!(ask("+tcp bl.example ANY"), 2);
}

#[test]
fn the_question_comes_back_in_its_letter_case() {
    let folder = temp_dir();
    let server = serve(&folder);
    for transport in ["+notcp", "+tcp"] {
        let shown = dig(server.addr(), &format!("{transport} 99.2.0.192.bL.eXaMPLe"));
        assert!(shown.0.contains(";99.2.0.192.bL.eXaMPLe.\t"), "{shown:?}");
        assert_eq!(shown.data(), ["127.0.0.2"]);
    }
}

#[test]
fn a_long_answer_is_truncated_over_udp_and_whole_over_tcp() {
    let folder = temp_dir();
    let server = serve(&folder);
    let name = "200.113.0.203.many.example TXT";
    for edns in ["+noedns", "+bufsize=512", "+bufsize=1232", "+bufsize=65535"] {
        // +ignore stays with UDP.
        let truncated = dig(server.addr(), &format!("+ignore {edns} {name}"));
        assert_eq!(truncated.flags(), "qr aa tc rd", "{edns}");
        assert_all_values(&dig(server.addr(), &format!("{edns} {name}")));
        assert_all_values(&kdig(server.addr(), &format!("+tcp {edns} {name}")));
    }
    // The addresses fit into a reply with EDNS, and not into one without.
    let addresses = "+ignore 200.113.0.203.many.example A";
    assert_eq!(dig(server.addr(), &format!("+bufsize=1232 {addresses}")).data().len(), VALUES);
    assert_eq!(dig(server.addr(), &format!("+noedns {addresses}")).flags(), "qr aa tc rd");
}

#[test]
fn edns_is_answered_with_edns_and_options_are_ignored() {
    let folder = temp_dir();
    let server = serve(&folder);
    let name = "99.2.0.192.bl.example";
    let plain = dig(server.addr(), &format!("+noedns {name}"));
    assert!(!plain.0.contains("EDNS"), "{plain:?}");
    for option in ["+nocookie", "+cookie", "+subnet=192.0.2.0/24", "+ednsopt=65001:ab"] {
        let shown = dig(server.addr(), &format!("+edns=0 {option} {name}"));
        assert!(shown.0.contains("; EDNS: version: 0, flags:; udp: 1232\n"), "{shown:?}");
        assert_eq!(shown.section("ANSWER"), plain.section("ANSWER"), "{option}");
        for answered in ["COOKIE", "CLIENT-SUBNET", "OPT=", "Warning", "unexpected"] {
            assert!(!shown.0.contains(answered), "{option}: {shown:?}");
        }
    }
    let padded = kdig(server.addr(), &format!("+tcp +padding=128 {name}"));
    assert_eq!(padded.data(), ["127.0.0.2"]);
}

#[test]
fn a_later_version_of_edns_is_told_to_come_back() {
    let folder = temp_dir();
    let server = serve(&folder);
    let refused = dig(server.addr(), "+edns=1 +noednsneg 99.2.0.192.bl.example");
    assert!(refused.is("BADVERS") && refused.0.contains("EDNS: version: 0,"), "{refused:?}");
    assert_eq!(refused.section("ANSWER"), [""; 0]);
    // Here dig asks again with the version it was told.
    let negotiated = dig(server.addr(), "+edns=1 +ednsneg 99.2.0.192.bl.example");
    assert!(negotiated.is("NOERROR"), "{negotiated:?}");
    assert_eq!(negotiated.data(), ["127.0.0.2"]);
    let kdig = kdig(server.addr(), "+edns=1 99.2.0.192.bl.example");
    assert!(kdig.0.contains("BADVERS"), "{kdig:?}");
}

#[test]
fn kdig_gets_over_tls_what_it_gets_over_tcp() {
    let folder = temp_dir();
    let addr: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let tls: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let server = serve_tls(&folder, addr, tls);
    let trust = format!("+tls-ca={}/tls.crt +tls-hostname=dns.test", folder.path().display());
    for question in [
        "99.2.0.192.bl.example A",
        "99.2.0.192.bl.example TXT",
        "1.2.0.192.bl.example A",
        "bl.example SOA",
        "200.113.0.203.many.example TXT",
        "99.2.0.192.other.example A",
    ] {
        let tcp = kdig(addr, &format!("+tcp {question}"));
        let encrypted = kdig(tls, &format!("+tls {trust} {question}"));
        assert!(encrypted.0.contains(";; TLS session (TLS1.3)"), "{encrypted:?}");
        assert_eq!(encrypted.flags(), tcp.flags(), "{question}");
        for section in ["ANSWER", "AUTHORITY"] {
            assert_eq!(encrypted.section(section), tcp.section(section), "{question}");
        }
    }
    let long = kdig(tls, &format!("+tls {trust} 200.113.0.203.many.example TXT"));
    assert_all_values(&long);
    // Several questions over one connection.
    let questions = "99.2.0.192.bl.example 1.100.51.198.bl.example 2.0.0.127.bl.example";
    for (addr, transport) in [(addr, "+tcp".to_owned()), (tls, format!("+tls {trust}"))] {
        let shown = kdig(addr, &format!("{transport} +keepopen +short {questions}"));
        assert_eq!(shown.0, "127.0.0.2\n".repeat(3), "{transport}");
    }
    let stranger = kdig(tls, "+tls +tls-hostname=other.test +tls-ca 99.2.0.192.bl.example");
    assert!(!stranger.is("NOERROR"), "the certificate is not from a known authority");
    drop(server);
}

/// Serves the zones with a certificate for `dns.test`.
fn serve_tls(folder: &TempDir, addr: SocketAddr, tls: SocketAddr) -> Server {
    make_certificate(folder.path(), "dns.test");
    let mut config =
        format!("[server.tls]\nlisten = ['{tls}']\ncertificate = 'tls.crt'\nkey = 'tls.key'\n");
    for zone in zones(folder) {
        let [apex, kind, file] = zone.splitn(3, ':').collect::<Vec<_>>().try_into().unwrap();
        config += &format!("[[dataset]]\nname = '{apex}'\ntype = '{kind}'\nfiles = ['{file}']\n");
        config += &format!("[[zone]]\nname = '{apex}'\ndatasets = ['{apex}']\n");
    }
    let file = folder.path().join("dnsbld.toml");
    fs::write(&file, config).expect("the folder is ours");
    Server::configured(&file, addr, &["bl.example", "many.example"])
}

/// Such a resolver asks for `192.bl.example` on its way, and believes an NXDOMAIN: then there is
/// nothing below. With rbldnsd it finds no listing at all.
#[test]
fn an_unbound_that_is_strict_finds_every_listing() {
    sealed(|| {
        let folder = temp_dir();
        let server = serve(&folder);
        let strict = " qname-minimisation-strict: yes\n harden-below-nxdomain: yes\n";
        let _unbound = unbound(server.addr(), strict);
        let ask = |arguments: &str| dig(Unbound::ADDR, arguments);

        // First, as unbound remembers the SOA record from one negative answer to the next.
        let unlisted = ask("9.9.9.9.bl.example A");
        assert!(unlisted.is("NXDOMAIN"), "{unlisted:?}");
        let ttl = unlisted.ttl("AUTHORITY").unwrap();
        assert!((118..=120).contains(&ttl), "{ttl} is not the minimum of the SOA record");

        let see = "\"Listed, see https://bl.example/?ip=192.0.2.99\"";
        assert_eq!(ask("99.2.0.192.bl.example TXT").data(), [see]);
        assert_eq!(ask("77.100.51.198.bl.example A").data(), ["127.0.0.2"]);
        assert_eq!(ask("2.0.0.127.bl.example A").data(), ["127.0.0.2"]);
        assert!(ask("10.100.51.198.bl.example A").is("NXDOMAIN"));
        let no_data = ask("77.100.51.198.bl.example AAAA");
        assert!(no_data.is("NOERROR") && no_data.data().is_empty(), "{no_data:?}");

        let zeros = "0.".repeat(17);
        let inside = format!("e.d.c.{zeros}1.0.0.0.8.b.d.0.1.0.0.2.bl6.example");
        assert_eq!(ask(&format!("{inside} A")).data(), ["127.0.0.2"]);
        let outside = inside.replace(".1.0.0.0.8", ".2.0.0.0.8");
        assert!(ask(&format!("{outside} A")).is("NXDOMAIN"));

        assert_eq!(ask("spammer.example.names.example A").data(), ["127.0.0.2"]);
        assert_eq!(ask("a.b.c.wild.example.names.example A").data(), ["127.0.0.2"]);
        assert!(ask("a.spammer.example.names.example A").is("NXDOMAIN"));

        // By TCP, once unbound was told that it does not fit.
        assert_all_values(&ask("200.113.0.203.many.example TXT"));
    });
}

#[test]
fn an_unbound_remembers_listings_and_non_listings() {
    sealed(|| {
        let folder = temp_dir();
        let server = serve(&folder);
        let _unbound = unbound(server.addr(), "");
        let ask = |arguments: &str| dig(Unbound::ADDR, arguments);
        assert_eq!(ask("99.2.0.192.bl.example").data(), ["127.0.0.2"]);
        assert!(ask("9.9.9.9.bl.example").is("NXDOMAIN"));

        server.signal(Signal::STOP);
        let counted_down = wait_until(Duration::from_secs(5), || {
            ask("99.2.0.192.bl.example").ttl("ANSWER").is_some_and(|ttl| ttl < 60)
        });
        assert!(counted_down, "a listing is not remembered");
        let unlisted = ask("9.9.9.9.bl.example");
        assert!(unlisted.is("NXDOMAIN"), "a non-listing is not remembered: {unlisted:?}");
        // Still asked for, so it was the memory that answered.
        assert!(!ask("+time=1 1.100.51.198.bl.example").is("NOERROR"));
        server.signal(Signal::CONT);
    });
}

/// An unbound with these settings that mixes the case of letters, and takes only replies that
/// repeat it.
fn unbound(server: SocketAddr, settings: &str) -> Unbound {
    let mut settings = format!(" do-not-query-localhost: no\n use-caps-for-id: yes\n{settings}");
    for apex in ["bl.example", "bl6.example", "names.example", "many.example"] {
        let at = format!("{}@{}", server.ip(), server.port());
        settings += &format!("stub-zone:\n name: {apex}\n stub-addr: {at}\n");
    }
    Unbound::start(&settings)
}
