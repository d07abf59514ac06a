//! Entries found, beside a scan of all lines; and the entries that decide, beside what is answered.

use super::*;
use crate::config::{Dataset as Spec, Server};
use crate::dataset::{load, parse_options};
use crate::listing::Answer;
use crate::trie::names::NameLookup;
use crate::util::time::unix_time;
use crate::zone::Dataset;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fs;

/// An entry as the test means it.
#[derive(Clone, Debug)]
struct Meant {
    keys: Keys,
    excluded: bool,
    /// Such a line is no plain one.
    indented: bool,
}

#[derive(Clone, Debug)]
enum Keys {
    Ip4(u32, u8),
    Range4(u32, u32),
    Ip6(u128, u8),
    Name(Vec<&'static str>, char),
}

impl Meant {
    /// Its line, with the value 127.0.0.N.
    fn line(&self, value: usize) -> String {
        let key = match &self.keys {
            Keys::Ip4(address, len) => format!("{}/{len}", Ipv4Addr::from_bits(*address)),
            Keys::Range4(start, end) => {
                format!("{}-{}", Ipv4Addr::from_bits(*start), Ipv4Addr::from_bits(*end))
            }
            Keys::Ip6(address, len) => format!("{}/{len}", Ipv6Addr::from_bits(*address)),
            Keys::Name(labels, scope) => {
                let before = match scope {
                    '.' => ".",
                    '*' => "*.",
                    _ => "",
                };
                format!("{before}{}", labels.join("."))
            }
        };
        let indent = if self.indented { " " } else { "" };
        match self.excluded {
            true => format!("{indent}!{key}\n"),
            false => format!("{indent}{key} :{value}:text {value}\n"),
        }
    }

    /// Whether it is about a key, decided without any of the code that is tested.
    fn is_about(&self, key: &AskedKey) -> bool {
        match (&self.keys, key) {
            (Keys::Ip4(address, len), AskedKey::Address(IpAddr::V4(key))) => {
                u64::from(address ^ key.to_bits()) >> (32 - len) == 0
            }
            (Keys::Range4(start, end), AskedKey::Address(IpAddr::V4(key))) => {
                (start..=end).contains(&&key.to_bits())
            }
            (Keys::Ip6(address, len), AskedKey::Address(IpAddr::V6(key))) => {
                (address ^ key.to_bits()).checked_shr(128 - u32::from(*len)).unwrap_or(0) == 0
            }
            (Keys::Name(labels, scope), AskedKey::Name(key)) => {
                let (name, key) = (labels.join("."), key.to_string());
                let is_below = key.ends_with(&format!(".{name}"));
                is_below && *scope != ' ' || key == name && *scope != '*'
            }
            _ => false,
        }
    }
}

fn address4() -> impl Strategy<Value = u32> {
    let octet = || prop::sample::select(vec![0_u32, 1, 2, 255]);
    (octet(), octet(), octet()).prop_map(|(b, c, d)| 0x0a00_0000 | b << 16 | c << 8 | d)
}

fn address6() -> impl Strategy<Value = u128> {
    let part = || prop::sample::select(vec![0_u128, 1, 0xffff]);
    (part(), part()).prop_map(|(a, b)| 0x2001_0db8 << 96 | a << 64 | b)
}

fn labels() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "ab"]), 1..4)
}

fn keys4(with_len: &'static [u8], with_ranges: bool) -> BoxedStrategy<Keys> {
    let prefix = (address4(), prop::sample::select(with_len)).prop_map(|(address, len)| {
        let hosts = u32::MAX.checked_shr(len.into()).unwrap_or(0);
        Keys::Ip4(address & !hosts, len)
    });
    let range = (address4(), address4()).prop_map(|(a, b)| Keys::Range4(a.min(b), a.max(b)));
    match with_ranges {
        true => prop_oneof![3 => prefix, 1 => range].boxed(),
        false => prefix.boxed(),
    }
}

fn keys6() -> BoxedStrategy<Keys> {
    let len = prop::sample::select(vec![128_u8, 127, 112, 64, 48, 32]);
    (address6(), len)
        .prop_map(|(address, len)| {
            let hosts = u128::MAX.checked_shr(len.into()).unwrap_or(0);
            Keys::Ip6(address & !hosts, len)
        })
        .boxed()
}

fn names() -> BoxedStrategy<Keys> {
    let scope = prop::sample::select(vec![' ', '.', '*']);
    (labels(), scope).prop_map(|(labels, scope)| Keys::Name(labels, scope)).boxed()
}

fn list(keys: BoxedStrategy<Keys>) -> impl Strategy<Value = Vec<Meant>> {
    let entry = (keys, prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    let entry = entry.prop_map(|(keys, excluded, indented)| Meant { keys, excluded, indented });
    prop::collection::vec(entry, 1..12)
}

/// The values that a dataset gives a key.
fn values(set: &Dataset, key: &AskedKey) -> BTreeSet<u8> {
    let id = match key {
        AskedKey::Address(IpAddr::V4(key)) => set.ip4.as_ref().unwrap().lookup(key.to_bits()),
        AskedKey::Address(IpAddr::V6(key)) => set.ip6.as_ref().unwrap().lookup(key.to_bits()),
        AskedKey::Name(name) => match set.names.as_ref().unwrap().lookup(name.as_wire()) {
            NameLookup::Listed { answer, .. } => answer,
            _ => return BTreeSet::new(),
        },
        key => panic!("{key}"),
    };
    let answer: Answer<'_> = set.answers.get(id);
    answer.values().map(|value| value.a.octets()[3]).collect()
}

fn check(kind: Kind, meant: &[Meant], keys: &[AskedKey]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let lines: Vec<_> = (2..).zip(meant).map(|(value, entry)| entry.line(value)).collect();
    let text = format!("# list\n{}", lines.concat());
    fs::write(&path, &text).unwrap();
    let spec = Spec::new("list".to_owned(), kind, vec![path.clone()]);
    let server = Server::default();
    let served = load(&spec, &server).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let forms: Vec<_> = keys.iter().map(KeyForms::of).collect();
    let options = parse_options(&spec, &server, unix_time());
    let found = search(kind, options, &[on_disk(&path)], &forms, true, None);
    for (key, set) in keys.iter().zip(found) {
        assert_eq!(set.problem, None);
        let wanted: BTreeSet<u32> = (2..)
            .zip(meant)
            .filter(|(_, entry)| entry.is_about(key))
            .map(|(line, _)| line)
            .collect();
        let lines: BTreeSet<u32> = set.entries.iter().map(|entry| entry.line).collect();
        assert_eq!(lines, wanted, "{key}\n{text}");
        assert_eq!(set.total, wanted.len() as u64);
        for entry in &set.entries {
            let meant = &meant[entry.line as usize - 2];
            let line = meant.line(entry.line as usize);
            assert_eq!(entry.text.trim(), line.trim(), "{text}");
            assert_eq!(entry.excluded, meant.excluded);
        }
        let deciding: Vec<_> = set.entries.iter().filter(|entry| entry.decides).collect();
        assert_eq!(deciding.is_empty(), set.entries.is_empty(), "{key}\n{text}");
        let told: BTreeSet<u8> =
            deciding.iter().filter(|entry| !entry.excluded).map(|entry| entry.line as u8).collect();
        assert_eq!(told, values(&served.dataset, key), "{key}\n{text}");
    }
}

fn asked4(addresses: &[u32]) -> Vec<AskedKey> {
    addresses.iter().map(|&bits| AskedKey::Address(Ipv4Addr::from_bits(bits).into())).collect()
}

const LENGTHS: &[u8] = &[32, 32, 31, 24, 23, 16, 12, 8];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn lines_of_an_ip4set(
        meant in list(keys4(LENGTHS, true)),
        keys in prop::collection::vec(address4(), 1..8),
    ) {
        check(Kind::Ip4Set, &meant, &asked4(&keys));
    }

    #[test]
    fn lines_of_an_ip4trie(
        meant in list(keys4(LENGTHS, true)),
        keys in prop::collection::vec(address4(), 1..8),
    ) {
        check(Kind::Ip4Trie, &meant, &asked4(&keys));
    }

    #[test]
    fn lines_of_an_ip6trie(
        meant in list(keys6()),
        keys in prop::collection::vec(address6(), 1..8),
    ) {
        let keys: Vec<_> =
            keys.iter().map(|&bits| AskedKey::Address(Ipv6Addr::from_bits(bits).into())).collect();
        check(Kind::Ip6Trie, &meant, &keys);
    }

    #[test]
    fn lines_of_a_dnset(meant in list(names()), keys in prop::collection::vec(labels(), 1..8)) {
        let keys: Vec<_> =
            keys.iter().map(|labels| AskedKey::Name(labels.join(".").parse().unwrap())).collect();
        check(Kind::Dnset, &meant, &keys);
    }

    /// The entries inside of a prefix, and around it.
    #[test]
    fn lines_about_a_prefix(
        meant in list(keys4(LENGTHS, true)),
        address in address4(),
        len in prop::sample::select(&[30_u8, 24, 20, 8][..]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        let lines: Vec<_> = meant.iter().map(|entry| entry.line(2)).collect();
        fs::write(&path, lines.concat()).unwrap();
        let spec = Spec::new("list".to_owned(), Kind::Ip4Set, vec![path.clone()]);
        let net: IpNet = format!("{}/{len}", Ipv4Addr::from_bits(address)).parse().unwrap();
        let IpNet::V4(net4) = net.trunc() else { panic!("{net}") };
        let (first, last) = (net4.network().to_bits(), net4.broadcast().to_bits());
        let touches = |entry: &Meant| match entry.keys {
            Keys::Ip4(start, len) => {
                let end = start | u32::MAX.checked_shr(len.into()).unwrap_or(0);
                start <= last && end >= first
            }
            Keys::Range4(start, end) => start <= last && end >= first,
            _ => false,
        };
        let wanted = meant.iter().filter(|entry| touches(entry)).count();
        let forms = [KeyForms::of(&AskedKey::Prefix(net.trunc()))];
        let options = parse_options(&spec, &Server::default(), unix_time());
        let found = search(Kind::Ip4Set, options, &[on_disk(&path)], &forms, true, None);
        prop_assert_eq!(found[0].total, wanted as u64);
        prop_assert_eq!(found[0].entries.len(), wanted);
    }
}

/// Of many entries inside of a prefix, the widest are told, and all are counted.
#[test]
fn the_widest_entries_of_many_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let single = |number: u32| format!("{}\n", Ipv4Addr::from_bits(0x0a00_0000 + number));
    let singles: String = (0..30_000).map(single).collect();
    let wide = "10.9.0.0/24\n10.8.0.0/20\n";
    fs::write(&path, singles + wide).unwrap();
    let spec = Spec::new("list".to_owned(), Kind::Ip4Set, vec![path.clone()]);
    let forms = ["10.0.0.0/8", "0.0.0.0/0", "11.0.0.0/8"]
        .map(|net| KeyForms::of(&AskedKey::Prefix(net.parse().unwrap())));
    let options = parse_options(&spec, &Server::default(), unix_time());
    let found = search(Kind::Ip4Set, options, &[on_disk(&path)], &forms, true, None);
    for set in &found[..2] {
        assert_eq!((set.total, set.entries.len()), (30_002, MOST));
        let lines: Vec<_> = set.entries.iter().map(|entry| entry.line).take(2).collect();
        assert_eq!(lines, [30_002, 30_001]);
        assert_eq!(set.entries[0].text, "10.8.0.0/20");
    }
    assert_eq!(found[2].total, 0);
}

#[test]
fn the_last_line_needs_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    fs::write(&path, "# list\n192.0.2.7 :2:x").unwrap();
    let spec = Spec::new("list".to_owned(), Kind::Ip4Set, vec![path.clone()]);
    let forms = [KeyForms::of(&AskedKey::Address("192.0.2.7".parse().unwrap()))];
    let options = parse_options(&spec, &Server::default(), unix_time());
    let found = search(Kind::Ip4Set, options, &[on_disk(&path)], &forms, true, None);
    let [entry] = &found[0].entries[..] else { panic!("{found:?}") };
    assert_eq!((entry.line, &*entry.text), (2, "192.0.2.7 :2:x"));
}

/// A line is found whole wherever the chunks of a file end.
#[test]
fn lines_are_whole_across_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let line = |number: u32| format!("10.{}.{}.7 :2:number {number}\n", number >> 8, number & 255);
    let text: String = (0..20_000).map(line).collect();
    assert!(text.len() > 3 * 128 * 1024);
    fs::write(&path, &text).unwrap();
    let spec = Spec::new("list".to_owned(), Kind::Ip4Set, vec![path.clone()]);
    let keys: Vec<_> = (0..20_000).step_by(37).collect();
    let forms: Vec<_> = keys
        .iter()
        .map(|number| {
            let address = Ipv4Addr::new(10, (number >> 8) as u8, (number & 255) as u8, 7);
            KeyForms::of(&AskedKey::Address(address.into()))
        })
        .collect();
    let options = parse_options(&spec, &Server::default(), unix_time());
    let found = search(Kind::Ip4Set, options, &[on_disk(&path)], &forms, true, None);
    for (number, set) in keys.into_iter().zip(found) {
        let [entry] = &set.entries[..] else { panic!("{number}: {set:?}") };
        assert_eq!((entry.line, &entry.text), (number + 1, &line(number).trim_end().to_owned()));
    }
}
