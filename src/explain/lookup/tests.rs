use super::*;
use crate::config::read;
use proptest::prelude::*;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

const NOW: u64 = 1_800_000_000;
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

const SETTINGS: &str = "\
    [[dataset]]\nname = 'list'\ntype = 'ip4set'\nfiles = ['list']\n\
    [[dataset]]\nname = 'six'\ntype = 'ip6trie'\nfiles = ['six']\n\
    [[dataset]]\nname = 'names'\ntype = 'dnset'\nfiles = ['names']\n\
    [[dataset]]\nname = 'both'\ntype = 'combined'\nfiles = ['both']\n\
    [[dataset]]\nname = 'white'\ntype = 'ip4set'\nfiles = ['white']\n\
    [[dataset]]\nname = 'gone'\ntype = 'ip4set'\nfiles = ['gone']\n\
    [[dataset]]\nname = 'closed'\ntype = 'acl'\nfiles = ['acl']\n\
    [[zone]]\nname = 'bl.example'\ndatasets = ['list', 'six']\n\
    [[zone]]\nname = 'net.example'\ndatasets = ['list']\nallow = ['white']\n\
    [[zone]]\nname = 'names.example'\ndatasets = ['names']\n\
    [[zone]]\nname = 'both.example'\ndatasets = ['both']\n\
    [[zone]]\nname = 'gone.example'\ndatasets = ['gone']\n\
    [[zone]]\nname = 'closed.example'\ndatasets = ['list']\nacl = ['closed']\n";

/// The zones of the settings.
fn catalog() -> Catalog {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in [
        ("list", "192.0.2.1 :127.0.0.3:<b>$</b>\n192.0.2.16/28 :2:two\n"),
        ("six", ":2:six\n2001:db8::/32\n"),
        ("names", ".spam.example :2:$\nxn--bcher-kva.example :3:\n"),
        (
            "both",
            "$DATASET ip4set one\n192.0.2.9 :5:five\n$DATASET dnset two\nspam.example :6:six\n",
        ),
        ("white", "192.0.2.1\n"),
        ("acl", "127.0.0.0/8 :refuse\n"),
    ] {
        fs::write(folder.path().join(file), text).unwrap();
    }
    let settings = read(SETTINGS, Path::new(folder.path())).unwrap().settings;
    crate::daemon::load(&settings).unwrap()
}

/// Zone, verdict, addresses, texts and lists of what is found.
fn found(catalog: &Catalog, key: &str) -> Vec<String> {
    let lookup = look_up(catalog, &LookupKey::read(key).unwrap(), CLIENT, NOW);
    let line = |zone: &ZoneLookup| {
        let addresses: Vec<_> = zone.addresses.iter().map(ToString::to_string).collect();
        let (addresses, texts) = (addresses.join(" "), zone.texts.join("|"));
        let (by, allowed) = (zone.listed_by.join(" "), zone.allowed_by.join(" "));
        let line = format!("{} {:?} {addresses} {texts} {by} {allowed}", zone.zone, zone.verdict);
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    lookup.zones.iter().map(line).collect()
}

#[test]
fn each_zone_tells_what_it_answers_and_what_lists_the_key() {
    let catalog = catalog();
    let silent = ["gone.example NoAnswer", "closed.example NoAnswer list"];
    assert_eq!(
        found(&catalog, "192.0.2.1"),
        [
            "bl.example Listed 127.0.0.3 <b>192.0.2.1</b> list",
            "net.example Allowed list white",
            "one.both.example NotListed",
            silent[0],
            silent[1],
        ]
    );
    assert_eq!(found(&catalog, "2001:db8::7")[0], "bl.example Listed 127.0.0.2 six six");
    assert_eq!(
        found(&catalog, "mail.spam.example"),
        [
            "names.example Listed 127.0.0.2 spam.example names",
            "two.both.example NotListed",
            silent[0],
        ]
    );
    assert_eq!(found(&catalog, "b\u{fc}cher.example")[0], "names.example Listed 127.0.0.3 names");
    assert_eq!(
        found(&catalog, "192.0.2.9")[2],
        "one.both.example Listed 127.0.0.5 five both/ip4set"
    );
    // A test point is listed by no entry.
    assert_eq!(found(&catalog, "127.0.0.2")[0], "bl.example Listed 127.0.0.2");
    assert_eq!(found(&catalog, "127.0.0.1")[0], "bl.example NotListed");
}

#[test]
fn a_name_that_clients_ask_for_is_asked_for_itself() {
    let catalog = catalog();
    let want = ["bl.example Listed 127.0.0.3 <b>192.0.2.1</b> list"];
    assert_eq!(found(&catalog, "1.2.0.192.BL.example"), want);
    assert_eq!(found(&catalog, "9.9.9.9.bl.example"), ["bl.example NotListed"]);
    // The zone itself is no key of it.
    assert_eq!(found(&catalog, "bl.example")[0], "names.example NotListed");
}

#[test]
fn nobody_counts_what_is_looked_up() {
    let catalog = catalog();
    found(&catalog, "192.0.2.1");
    assert!(catalog.zones().iter().all(|zone| zone.counters.figures().all() == 0));
    assert_eq!(catalog.counters().figures().all(), 0);
}

proptest! {
    #[test]
    fn any_key_is_looked_up(text in any::<String>(), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        thread_local!(static CATALOG: Catalog = catalog());
        for text in [text, String::from_utf8_lossy(&bytes).into_owned()] {
            if let Ok(key) = LookupKey::read(&text) {
                CATALOG.with(|catalog| look_up(catalog, &key, CLIENT, NOW));
            }
        }
    }
}
