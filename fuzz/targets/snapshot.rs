//! Snapshots whose bytes are anything: opening refuses them or gives a dataset that can be asked and
//! verified without a panic. Checksums are put right, so that they do not keep the rest away.
//!
//! An input is a snapshot, or changes of one: which (1 byte), then positions (2 bytes) and new
//! bytes.

use super::input::Input;
use dnsbld::listing::AnswerId;
use dnsbld::snapshot::{self, Opened, Origin, Rules};
use dnsbld::zone::Dataset;
use dnsbld::zonefile::{Kind, Options, Parser};
use std::sync::LazyLock;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

/// The most ranges that are looked at; a damaged trie may have any number.
const SOME: usize = 3000;

static GOOD: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    [
        (Kind::Ip4Set, "10.0.0.1 :2:text $\n10.1.0.0/16\n!10.1.2.3\n192.0.2.0-192.0.2.77 :4:\n"),
        (Kind::Ip4Trie, "10.0.0.0/9 :2:one\n10.1.0.0/16 :3:\n2001:db8::/32\n2001:db8:1::/48 :5:\n"),
        (Kind::Dnset, ".a.example :2:a\nb.example\n!x.a.example\n*.c.d.e.example :3:$\n"),
        (Kind::Hashset, "0123456789abcdef :2:a\n0023456789abcdef\nf023456789abcdef :3:$\n"),
    ]
    .into_iter()
    .map(|(kind, text)| good(kind, text))
    .collect()
});

pub(crate) const TOKENS: &[&[u8]] =
    &[b"\x89dnsbld\n", b"\xff\xff\xff\xff", b"\x00\x03\x00\x00", b"\x04\x03\x02\x01"];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let change = |n: u32| (0..30).map(move |i: u32| (n * 53 + i * i * (n + 1) + i / 5) as u8);
    let changes = (0..200).map(|n| std::iter::once(n as u8).chain(change(n)).collect());
    GOOD.iter().cloned().chain(changes).collect()
}

pub(crate) fn run(data: &[u8]) {
    let _ = snapshot::open_bytes(data);
    let mut bytes = if snapshot::is_snapshot(data) { data.to_vec() } else { changed(data) };
    seal(&mut bytes);
    let Ok(opened) = snapshot::open_bytes(&bytes) else { return };
    ask(&opened);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("again");
    if let Ok(verified) = snapshot::verify_bytes(&bytes) {
        // What is right is what would be written.
        let id = snapshot::write(&path, &opened.dataset, &opened.origin, &|| true).expect("room");
        assert_eq!(id, verified.id);
        assert!(std::fs::read(&path).expect("just written") == bytes);
    }
}

fn changed(data: &[u8]) -> Vec<u8> {
    let mut input = Input::new(data);
    let mut bytes = GOOD[usize::from(input.byte()) % GOOD.len()].clone();
    for _ in 0..data.len() / 3 {
        let at = usize::from(u16::from_be_bytes([input.byte(), input.byte()])) % bytes.len();
        bytes[at] = input.byte();
    }
    bytes
}

/// Puts sizes and checksums right, by the words of `docs/format.md`.
fn seal(bytes: &mut [u8]) {
    const HEADER: usize = 128;
    if bytes.len() < HEADER {
        return;
    }
    let number = |bytes: &[u8], at: usize| {
        u64::from_le_bytes(*bytes[at..].first_chunk().expect("the header is there"))
    };
    let size = bytes.len() as u64;
    let data_size = number(bytes, 24).min(size - HEADER as u64);
    bytes[16..24].copy_from_slice(&size.to_le_bytes());
    bytes[24..32].copy_from_slice(&data_size.to_le_bytes());
    let end = HEADER + data_size as usize;
    bytes[32..40].copy_from_slice(&(size - end as u64).to_le_bytes());
    let id = xxh3_128(&bytes[HEADER..end]);
    bytes[96..112].copy_from_slice(&id.to_le_bytes());
    let mut hash = Xxh3Default::new();
    hash.update(&bytes[..112]);
    hash.update(&bytes[end..]);
    let sum = hash.digest128();
    bytes[112..128].copy_from_slice(&sum.to_le_bytes());
}

fn ask(opened: &Opened) {
    let Dataset { ip4, ip6, names, digests, answers, default_answer, .. } = &opened.dataset;
    let see = |answer: AnswerId| {
        answers.get(answer).values().for_each(|value| drop(value.text.whole().to_vec()));
    };
    default_answer.get(AnswerId(1)).values().for_each(drop);
    if let Some(trie) = ip4 {
        for key in [0, 0x0a00_0001, 0x0a01_0203, 0xc000_0210, !0] {
            see(trie.lookup(key));
            trie.any_in(key, key | 0xffff);
        }
        let ranges = trie.iter().take(SOME);
        assert!(ranges.map(|range| (range.start, range.end)).is_sorted());
    }
    if let Some(trie) = ip6 {
        for key in [0, 0x2001_0db8 << 96, 0x2001_0db8_0001 << 80, !0] {
            see(trie.lookup(key));
            trie.any_in(key, key | u128::from(u64::MAX));
        }
        let ranges = trie.iter().take(SOME);
        assert!(ranges.map(|range| (range.start, range.end)).is_sorted());
    }
    if let Some(tree) = names {
        for name in [&b"\0"[..], b"\x01a\x07example\0", b"\x01x\x01c\x01d\x01e\x07example\0"] {
            let _ = tree.lookup(name);
        }
        assert!(tree.iter().count() <= tree.memory() + tree.mapped());
    }
    if let Some(table) = digests {
        for label in ["0123456789abcdef", "f023456789abcdef", "ffffffffffffffff"] {
            see(table.lookup(label.as_bytes()));
        }
        assert!(table.iter().count() <= table.memory() + table.mapped());
    }
}

fn good(kind: Kind, text: &str) -> Vec<u8> {
    let mut parser = Parser::new(kind, Options::default());
    parser.start_file();
    parser
        .feed(b"$SOA 9 ns.example a.example 0 1 2 3 4\n$NS 5 ns.example\n$1 one\n")
        .expect("fine");
    parser.feed(text.as_bytes()).expect("fine");
    let parsed = parser.finish();
    let dataset = Dataset {
        name: "list".to_owned(),
        ip4: parsed.ip4.map(|addresses| addresses.into_trie(2)),
        ip6: parsed.ip6.map(|addresses| addresses.into_trie()),
        names: parsed.names,
        digests: parsed.digests,
        answers: parsed.answers,
        vars: parsed.vars,
        ttl: parsed.ttl,
        soa: parsed.soa,
        ..Dataset::default()
    };
    let mut rules = Rules::default();
    rules.add("type", kind);
    let origin = Origin { name: "list".to_owned(), rules, stamp: Some(1), sources: Vec::new() };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("good");
    snapshot::write(&path, &dataset, &origin, &|| true).expect("room");
    std::fs::read(path).expect("just written")
}
