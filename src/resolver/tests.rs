use super::*;
use std::fs;

const ZONES: [&str; 4] = ["l2.apews.org", "l1.apews.org", "white.example", "zen.example"];

/// The lines that count.
fn lines(text: &str) -> Vec<&str> {
    let is_comment = |line: &str| ["#", "//", "--"].iter().any(|sign| line.starts_with(sign));
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !is_comment(line)).collect()
}

#[test]
fn the_examples_are_the_snippets_for_the_sample_zones() {
    let servers = ["127.0.0.1:5300", "[::1]:5300"].map(|server| server.parse().unwrap());
    for (resolver, file) in [
        (Resolver::Unbound, "unbound.conf"),
        (Resolver::Dnsmasq, "dnsmasq.conf"),
        (Resolver::KnotResolver, "knot-resolver.lua"),
        (Resolver::PdnsRecursor, "pdns-recursor.conf"),
        (Resolver::SystemdResolved, "systemd-resolved.conf"),
    ] {
        let path = format!("{}/deploy/{file}", env!("CARGO_MANIFEST_DIR"));
        let example = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(lines(&example), lines(&resolver.snippet(&ZONES, &servers)), "{file}");
    }
    // A whole named.conf holds the zones.
    let example = include_str!("../../deploy/bind.conf");
    let snippet = Resolver::Bind.snippet(&ZONES, &servers);
    let wanted = lines(&snippet);
    assert!(lines(example).windows(wanted.len()).any(|part| part == wanted));
}

#[test]
fn a_resolver_is_known_by_what_it_says() {
    for (version, resolver) in [
        ("unbound 1.17.1", Some(Resolver::Unbound)),
        ("9.18.49-1~deb12u3-Debian", Some(Resolver::Bind)),
        ("dnsmasq-2.90", Some(Resolver::Dnsmasq)),
        ("PowerDNS Recursor 4.8.8", Some(Resolver::PdnsRecursor)),
        ("PowerDNS Authoritative Server 4.7.3", None),
        ("dnsbld", None),
        ("", None),
    ] {
        assert_eq!(Resolver::by_version(version), resolver, "{version}");
    }
    assert_eq!(by_address([127, 0, 0, 53].into()), Some(Resolver::SystemdResolved));
    assert_eq!(by_address([127, 0, 0, 1].into()), None);
}

#[test]
fn a_resolver_is_known_by_its_files_if_it_is_the_only_one() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    assert_eq!(by_files(folder.path()), None);
    write("etc/unbound/unbound.conf", "");
    assert_eq!(by_files(folder.path()), Some(Resolver::Unbound));
    write("etc/dnsmasq.conf", "");
    assert_eq!(by_files(folder.path()), None);
    write("7/comm", "init\n");
    write("9/comm", "systemd-resolve\n");
    assert_eq!(by_processes(folder.path()), Some(Resolver::SystemdResolved));
    write("11/comm", "kresd\n");
    assert_eq!(by_processes(folder.path()), None);
}

#[test]
fn every_need_of_every_resolver_has_a_line() {
    let servers = ["127.0.0.1:5300".parse().unwrap()];
    for resolver in Resolver::value_variants() {
        for need in [
            Need::Forward(&servers),
            Need::NoValidation,
            Need::Loopback,
            Need::NoRewriting,
            Need::NegativeTtl,
            Need::WholeNames,
            Need::Flush,
        ] {
            let line = resolver.line("bl.example", need);
            assert!(line.ends_with('\n') && line.is_ascii(), "{resolver} {need:?}: {line:?}");
        }
        let forward = resolver.line("bl.example", Need::Forward(&servers));
        assert!(forward.contains("bl.example") && forward.contains("5300"), "{forward}");
    }
}

#[test]
fn unbound_gives_up_its_own_answers_for_names_below_test() {
    let servers = ["127.0.0.1:5300".parse().unwrap()];
    let local = "local-zone: \"bl.test\" transparent";
    assert!(Resolver::Unbound.snippet(&["bl.test"], &servers).contains(local));
    assert!(!Resolver::Unbound.snippet(&["bl.example"], &servers).contains("local-zone"));
}
