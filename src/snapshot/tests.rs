use super::format::{HEADER, Header, Part};
use super::map::Mapping;
use super::open::{load, open_mapping, read_header};
use super::*;
use crate::listing::{AnswerId, AnswersBuilder, Gate};
use crate::source::{Identity, ReadReport, SourceFile, Stamp};
use crate::trie::{Trie4, Trie6};
use crate::wire::name::NameBuf;
use crate::zone::{Dataset, Subzones, testing};
use crate::zonefile::Kind;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const KINDS: [Kind; 7] = [
    Kind::Ip4Set,
    Kind::Ip4Tset,
    Kind::Ip4Trie,
    Kind::Ip6Tset,
    Kind::Ip6Trie,
    Kind::Dnset,
    Kind::Hashset,
];

/// Some of everything a dataset can say once.
const SPECIALS: &str = "$SOA 3000 ns1.bl.example. Admin.bl.example. 0 600 300 86400 60\n\
    $NS 1h ns1.bl.example. ns2.bl.example.\n$TTL 900\n$0 nought\n$7 seven\n$= base $ text\n\
    $TIMESTAMP 2024-01-01 +1000w\n:3:listed, see http://bl.example/$\n";

/// The dataset that these lines make.
fn dataset(kind: Kind, text: &str) -> Dataset {
    let subzones = (kind == Kind::Combined).then(Subzones::default);
    Dataset { name: kind.to_string(), subzones, ..testing::dataset(kind, text) }
}

fn origin(name: &str) -> Origin {
    let mut rules = Rules::default();
    rules.add("type", name);
    rules.add("default-ttl", 1800);
    let identity = Identity {
        device: 1,
        inode: 2,
        size: 3,
        modified: Stamp { seconds: -4, nanoseconds: 5 },
        changed: Stamp { seconds: 6, nanoseconds: 7 },
    };
    let report =
        ReadReport { identity, settled: true, hash: 8 << 100, content: 9, compressed: true };
    let bad = Some("line 1, column 2: nonsense".to_owned());
    let source = SourceFile {
        path: "/data/list".into(),
        report,
        entries: 10,
        bad_lines: 11,
        first_bad: bad,
    };
    let plain = SourceFile { path: "/data/other".into(), first_bad: None, ..source.clone() };
    Origin { name: name.to_owned(), rules, stamp: Some(12), sources: vec![source, plain] }
}

/// The bytes of the snapshot of a dataset.
fn bytes(dataset: &Dataset) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("snapshot");
    write(&path, dataset, &origin(&dataset.name), &|| true).unwrap();
    fs::read(path).unwrap()
}

/// Lines of every kind, of which many overlap.
fn line(kind: Kind, a: u8, b: u8, value: u8) -> String {
    let not = if value == 0 { "!" } else { "" };
    let tail = match value % 4 {
        0 | 1 => String::new(),
        2 => format!(" :{value}:"),
        _ => format!(" :{value}:text {a} for $"),
    };
    match kind {
        Kind::Ip4Set => match value % 3 {
            0 => format!("{not}10.{a}.{b}.0/24{tail}"),
            1 => format!("10.{a}.{b}.{a}-10.{a}.{b}.255{tail}"),
            _ => format!("10.{a}.{b}.{value}{tail}"),
        },
        Kind::Ip4Tset => format!("{not}10.{a}.{b}.{value}"),
        Kind::Ip4Trie if a.is_multiple_of(3) => format!("2001:db8:{a:x}:{b:x}::/64{tail}"),
        Kind::Ip4Trie => format!("{not}10.{a}.{b}.0/{}{tail}", 17 + value % 8),
        Kind::Ip6Tset => format!("2001:db8:{a:x}:{b:x}"),
        Kind::Ip6Trie => format!("{not}2001:db8:{a:x}:{b:x}::/{}{tail}", 64 + value % 4),
        Kind::Dnset => {
            let wild = ["", ".", "*."][usize::from(value % 3)];
            format!("{not}{wild}n{a}.d{}.example{tail}", b % 16)
        }
        Kind::Hashset => format!("{not}{a:02x}{:038x}{tail}", b % 16),
        other => unreachable!("{other} is not among the types above"),
    }
}

fn text(kind: Kind, lines: &[(u8, u8, u8)]) -> String {
    lines.iter().map(|&(a, b, value)| line(kind, a % 8, b, value) + "\n").collect()
}

/// Asks for keys all over the place.
fn ask(dataset: &Dataset) -> Vec<u64> {
    let mut found = Vec::new();
    let mut see = |AnswerId(id): AnswerId| {
        found.push(id.into());
        let answer = dataset.answers.get(AnswerId(id));
        found.extend(answer.values().map(|value| u64::from(u32::from(value.a))));
        found.extend(answer.values().map(|value| value.text.len() as u64));
    };
    for n in 0..64_u32 {
        if let Some(trie) = &dataset.ip4 {
            see(trie.lookup(0x0a00_0000 | n.wrapping_mul(0x0009_1357) >> 2));
            see(AnswerId(trie.any_in(n << 20, n << 20 | 0xfffff).into()));
        }
        if let Some(trie) = &dataset.ip6 {
            let key = 0x2001_0db8_u128 << 96 | u128::from(n % 8) << 80 | u128::from(n) << 64;
            see(trie.lookup(key | u128::from(n)));
            see(AnswerId(trie.any_in(key, key | 1 << 70).into()));
        }
        if let Some(tree) = &dataset.names {
            let name = format!("x{n}.n{}.d{}.example", n % 8, n % 16);
            for text in [&name, name.split_once('.').unwrap().1, "example"] {
                let name: NameBuf = text.parse().unwrap();
                let found = tree.lookup(name.as_wire());
                if let crate::trie::names::NameLookup::Listed { answer, .. } = found {
                    see(answer);
                }
                see(AnswerId(tree.lists_below(name.as_wire()).into()));
            }
        }
        if let Some(digests) = &dataset.digests {
            see(digests.lookup(format!("{:02x}{:038x}", n % 8, n % 16).as_bytes()));
        }
    }
    found
}

fn same(opened: &Dataset, made: &Dataset) {
    assert_eq!(opened.ip4, made.ip4);
    assert_eq!(opened.ip6, made.ip6);
    assert_eq!(opened.names, made.names);
    assert_eq!(opened.digests, made.digests);
    assert_eq!(opened.answers, made.answers);
    assert_eq!(opened.default_answer, made.default_answer);
    assert_eq!(opened.vars, made.vars);
    assert_eq!((opened.ttl, opened.expires), (made.ttl, made.expires));
    assert_eq!(opened.soa, made.soa);
    assert_eq!(opened.ns, made.ns);
    assert!(opened.records.is_none());
    assert_eq!(ask(opened), ask(made));
    if let (Some(opened), Some(made)) = (&opened.ip4, &made.ip4) {
        assert!(opened.iter().eq(made.iter()));
        assert_eq!(opened.covered(), made.covered());
    }
    if let (Some(opened), Some(made)) = (&opened.ip6, &made.ip6) {
        assert!(opened.iter().eq(made.iter()));
        assert_eq!(opened.covered(), made.covered());
    }
    if let (Some(opened), Some(made)) = (&opened.names, &made.names) {
        assert!(opened.iter().eq(made.iter()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn what_was_written_is_what_is_opened(
        kind in prop::sample::select(&KINDS[..]),
        lines in prop::collection::vec(any::<(u8, u8, u8)>(), 0..300),
        specials in any::<bool>(),
        turn in any::<prop::sample::Index>(),
    ) {
        let head = if specials { SPECIALS } else { "" };
        let made = dataset(kind, &format!("{head}{}", text(kind, &lines)));
        let bytes = bytes(&made);
        let opened = open_bytes(&bytes).unwrap();
        same(&opened.dataset, &made);
        prop_assert_eq!(&opened.origin, &origin(&made.name));
        prop_assert_eq!(opened.size, bytes.len() as u64);
        let heap = opened.dataset.ip4.as_ref().map_or(0, |_| size_of::<Trie4>())
            + opened.dataset.ip6.as_ref().map_or(0, |_| size_of::<Trie6>());
        prop_assert_eq!(opened.dataset.memory(), heap, "all lies in the map");
        prop_assert_eq!(made.mapped(), 0);
        prop_assert!(opened.dataset.mapped() <= bytes.len());
        let id = opened.id;
        verify::verify_opened(opened).unwrap();

        // The order of lines about different keys does not count.
        let mut keys = std::collections::HashSet::new();
        let mut apart: Vec<_> =
            lines.into_iter().filter(|&(a, b, _)| keys.insert((a % 8, b % 16))).collect();
        let straight = dataset(kind, &format!("{head}{}", text(kind, &apart)));
        let length = apart.len().max(1);
        apart.reverse();
        apart.rotate_left(turn.index(length) % length.max(1));
        let turned = dataset(kind, &format!("{head}{}", text(kind, &apart)));
        let ids = [&straight, &turned].map(|dataset| write::id(dataset).unwrap());
        prop_assert_eq!(ids[0], ids[1]);
        if straight.answers != made.answers {
            prop_assert_ne!(ids[0], id);
        }
    }
}

/// A small dataset with all parts.
fn small() -> Dataset {
    let mut lines = SPECIALS.to_owned();
    for n in 0..40 {
        lines += &format!("10.{n}.3.0/24 :{}:text {n}\n2001:db8:{n:x}::/48 :4:\n", 2 + n % 3);
    }
    let names: String = (0..40).map(|n| format!(".n{n}.example\n!x.n{n}.example\n")).collect();
    let names = dataset(Kind::Dnset, &names).names;
    Dataset { names, ..dataset(Kind::Ip4Trie, &lines) }
}

/// A small dataset with all parts and hashes.
fn small_with_digests() -> Dataset {
    let lines: String = (0..40).map(|n| format!("{n:02x}{n:038x}\n")).collect();
    Dataset { digests: dataset(Kind::Hashset, &lines).digests, ..small() }
}

#[test]
fn every_changed_byte_and_every_cut_is_refused() {
    let good = bytes(&small());
    assert!(good.len() < 8000 && open_bytes(&good).is_ok(), "{}", good.len());
    for at in 0..good.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= change;
            assert!(open_bytes(&bad).is_err(), "byte {at} changed by {change:x}");
        }
        assert!(open_bytes(&good[..at]).is_err(), "cut at {at}");
    }
    assert!(matches!(
        open_bytes(&[&good[..], b"\0"].concat()),
        Err(OpenError::WrongSize { found, wanted }) if found == wanted + 1
    ));
}

#[test]
fn an_error_says_what_is_wrong() {
    let good = bytes(&small());
    let with = |at: usize, new: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + new.len()].copy_from_slice(new);
        open_bytes(&bad).unwrap_err().to_string()
    };
    assert_eq!(with(0, b"x"), "is not a snapshot");
    assert_eq!(with(8, &[9]), "is of version 9 of the format, and this is version 4");
    assert_eq!(with(12, &[1, 2, 3, 4]), "has its bytes in another order than this machine");
    assert_eq!(with(40, &[1]), "is damaged: the checksum of its header is wrong");
    assert_eq!(with(500, &[0xff]), "is damaged: the checksum of its data is wrong");
    let cut = open_bytes(&good[..1000]).unwrap_err().to_string();
    let size = good.len();
    assert_eq!(
        cut,
        format!("is 1000 bytes long and should be {size}: it was cut off, or added to")
    );
    assert_eq!(open_bytes(b"").unwrap_err().to_string(), "is not a snapshot");
    let absent = open(std::path::Path::new("/nowhere/at/all")).unwrap_err();
    assert!(absent.is_absence(), "{absent}");
}

/// Damage that a checksum does not show, because whoever did it put the right one in: a lookup
/// gives anything, but neither panics nor runs on.
#[test]
fn damage_with_a_right_checksum_is_safe() {
    let good = bytes(&small_with_digests());
    let header = read_header(good.first_chunk::<HEADER>().unwrap());
    let mut random = 1_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let (mut opened, mut refused) = (0, 0);
    for round in 0..4000_usize {
        let mut bad = good.clone();
        let places = 1 + next() % 3;
        for _ in 0..places {
            let at =
                HEADER + if places == 1 { round } else { next() as usize } % (bad.len() - HEADER);
            bad[at] = match next() % 4 {
                0 => 0,
                1 => 0xff,
                2 => bad[at] ^ 1 << (next() % 8),
                _ => next() as u8,
            };
        }
        match load(&Mapping::copy(&bad).unwrap(), &header) {
            Ok(found) => {
                opened += 1;
                ask(&found.dataset);
                if round.is_multiple_of(64) {
                    // What is not canonical is found; what is left is another good listing.
                    let _ = verify::verify_opened(found);
                }
            }
            Err(_) => refused += 1,
        }
    }
    assert!(opened > 500 && refused > 50, "{opened} {refused}");
}

#[test]
fn verify_finds_what_the_checksum_does_not() {
    let damaged = |good: &[u8], part: Part, number: u32, at: usize, new: u8| {
        let header = read_header(good.first_chunk::<HEADER>().unwrap());
        let sections = open::table(&good[HEADER..]).unwrap();
        let section = sections.iter().find(|section| section.tag == part.tag(number)).unwrap();
        let mut bad = good.to_vec();
        bad[section.range().unwrap()][at] = new;
        let id = xxhash_rust::xxh3::xxh3_128(&bad[HEADER..HEADER + header.data_size as usize]);
        let origin = bad[HEADER + header.data_size as usize..].to_vec();
        bad[..HEADER].copy_from_slice(&Header { id, ..header }.seal(&origin));
        let opened = open_mapping(&Mapping::copy(&bad).unwrap()).unwrap();
        verify::verify_opened(opened).unwrap_err().to_string()
    };
    let good = bytes(&small_with_digests());
    let start = "is not what dnsbld writes: ";
    for (part, number, at, new, message) in [
        (Part::Ip4, 0, 0, 7, "the IPv4 addresses: compiled again they have other bytes"),
        (Part::Ip4, 0, 8, 7, "the IPv4 addresses: there are more than 7 ranges"),
        (Part::Ip6, 0, 16, 99, "the IPv6 addresses: there are 1 ranges, not 99"),
        (Part::Names, 0, 4, 99, "the names: there are 80 entries, not 99"),
        (Part::Digests, 1, 4, 7, "the hashes: compiled again they have other bytes"),
        (Part::Digests, 2, 0, 99, "the hashes: they are out of order"),
        (Part::Answers, 0, 4, 99, "the answers: compiled again they have other bytes"),
    ] {
        assert_eq!(damaged(&good, part, number, at, new), format!("{start}{message}"));
    }
    let several = dataset(Kind::Ip4Set, "1.2.3.4 :2:a\n1.2.3.4 :3:b\n1.2.3.5 :2:a\n");
    let several = bytes(&several);
    for (number, message) in
        [(2, "answer 1 has no values"), (3, "compiled again they have other bytes")]
    {
        let new = u8::from(number == 3);
        let found = damaged(&several, Part::Answers, number, 0, new);
        assert_eq!(found, format!("{start}the answers: {message}"));
    }
    let header = read_header(good.first_chunk::<HEADER>().unwrap());
    let sections = open::table(&good[HEADER..]).unwrap();
    let mut padding = good.clone();
    padding[HEADER + 8 + sections.len() * format::TABLE_ENTRY] = 1;
    let found = load(&Mapping::copy(&padding).unwrap(), &Header { id: 5, ..header }).unwrap();
    let found = verify::verify_opened(found).unwrap_err().to_string();
    assert!(found.starts_with(&format!("{start}the layout: written again its id is ")), "{found}");
}

/// Equal data has equal bytes on every machine and with every later release, or `VERSION` is
/// another.
#[test]
fn the_id_of_a_dataset_never_changes_while_the_version_stays() {
    assert_eq!(format::VERSION, 4);
    let ids = [small(), small_with_digests()].map(|made| write::id(&made).unwrap().to_string());
    assert_eq!(ids, ["6e0636c97e5eb978063d8fcfa39e81bd", "d602b6d93f37d597fcd42a73b811a5a9"]);
}

#[test]
fn a_snapshot_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("snapshot");
    let [old, new] = ["1.2.3.4\n", "1.2.3.5\n"].map(|text| dataset(Kind::Ip4Set, text));
    let id = write(&path, &old, &origin("old"), &|| true).unwrap();
    let mapped = open(&path).unwrap();
    assert_eq!((mapped.id, mapped.origin.name.as_str()), (id, "old"));
    let refused = write(&path, &new, &origin("new"), &|| false).unwrap_err();
    assert!(matches!(refused, WriteError::Unwanted));
    assert_eq!(open(&path).unwrap().id, id);
    assert_ne!(write(&path, &new, &origin("new"), &|| true).unwrap(), id);
    same(&open(&path).unwrap().dataset, &new);
    same(&mapped.dataset, &old);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    let nowhere = folder.path().join("no/snapshot");
    let error = write(&nowhere, &new, &origin("new"), &|| true).unwrap_err();
    assert!(matches!(error, WriteError::Io(_)), "{error}");
}

#[test]
fn what_has_no_place_in_the_format_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("snapshot");
    let mut answers = AnswersBuilder::default();
    let value = answers.gated_value([127, 0, 0, 2].into(), b"", Some(Gate::default())).unwrap();
    let gated = answers.answer(&[value]);
    let (answers, _) = answers.finish([gated]);
    for (dataset, unfit) in [
        (Dataset { records: Some(Default::default()), ..Dataset::default() }, Unfit::Records),
        (Dataset { answers, ..Dataset::default() }, Unfit::Gates),
        (dataset(Kind::Acl, "10/8\n"), Unfit::AccessList),
        (dataset(Kind::Combined, ""), Unfit::Combined),
    ] {
        let error = write(&path, &dataset, &origin("x"), &|| true).unwrap_err();
        assert!(matches!(error, WriteError::Unfit(found) if found == unfit), "{error}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_snapshot_that_others_may_write_to_is_taken_in() {
    let made = dataset(Kind::Ip4Set, "1.2.3.4 :2:text\n");
    let bytes = bytes(&made);
    let state = tempfile::tempdir().unwrap();
    let folder = folder::Folder::of(state.path());
    for folder in [None, Some(&folder)] {
        let mut intake = intake::Intake::new(folder).unwrap();
        bytes.chunks(100).for_each(|chunk| intake.add(chunk).unwrap());
        same(&intake.open().unwrap().dataset, &made);
    }
    let left = fs::read_dir(state.path().join("snapshots")).unwrap().count();
    assert_eq!(left, 0, "the copy has no name");
    let empty = intake::Intake::new(None).unwrap();
    assert!(matches!(empty.open(), Err(OpenError::NotASnapshot)));
}

#[test]
fn a_rule_that_is_not_the_same_is_named() {
    let rules = |list: &[(&str, u32)]| {
        let mut rules = Rules::default();
        list.iter().for_each(|(key, value)| rules.add(key, value));
        rules
    };
    let ours = rules(&[("type", 1), ("ttl", 2)]);
    assert_eq!(ours.difference(&ours.clone()), None);
    for (theirs, rule, value) in
        [(rules(&[("type", 1), ("ttl", 3)]), "ttl", "3"), (rules(&[("type", 1)]), "ttl", "nothing")]
    {
        let found = ours.difference(&theirs).unwrap();
        assert_eq!((&found.rule[..], &found.ours[..], &found.theirs[..]), (rule, "2", value));
        let found = theirs.difference(&ours).unwrap();
        assert_eq!((&found.rule[..], &found.theirs[..]), (rule, "2"));
    }
    assert_eq!(ours.to_string(), "type 1, ttl 2");
}

/// `docs/format.md` has the offsets, sizes and tags that are in the code, and the byte maps of the
/// tries as the tries tell them.
#[test]
fn the_description_of_the_format_is_true() {
    use super::format::*;
    const DOCUMENT: &str = include_str!("../../docs/format.md");
    let says = |line: String| assert!(DOCUMENT.contains(&line), "{line}");
    let magic: Vec<_> = MAGIC.iter().map(|byte| format!("{byte:02x}")).collect();
    says(format!("describes version {VERSION}"));
    says(format!("header    {HEADER} bytes"));
    says(format!("| 0 | {} | magic: `{}`", MAGIC.len(), magic.join(" ")));
    says(format!("| {VERSION_AT} | 4 | version"));
    says(format!("| {BYTE_ORDER_AT} | 4 | byte order: 0x{BYTE_ORDER:08x} |"));
    says(format!("| {FILE_SIZE_AT} | 8 | size of the file"));
    says(format!("| {DATA_SIZE_AT} | 8 | size of the data"));
    says(format!("| {ORIGIN_SIZE_AT} | 8 | size of the origin"));
    says(format!("| {RESERVED_AT} | {} | zeros |", ID_AT - RESERVED_AT));
    says(format!("| {ID_AT} | {} | hash of the data", CHECKSUM_AT - ID_AT));
    says(format!("| {CHECKSUM_AT} | {} | hash of the header's", HEADER - CHECKSUM_AT));
    says(format!("first {CHECKSUM_AT} bytes"));
    says(format!("number of sections, at most {MAX_SECTIONS} |"));
    says(format!("| {TABLE_HEAD} | {TABLE_ENTRY} each | the sections"));
    says(format!("from the start of the file: a multiple of {ALIGNMENT} |"));

    // The sections, as they are in a file that has them all.
    let bytes = bytes(&small_with_digests());
    let sections = open::table(&bytes[HEADER..]).unwrap();
    let tags: Vec<_> = sections.iter().map(|section| section.tag).collect();
    let all = Part::ALL.iter().flat_map(|&(part, count)| (0..count).map(move |n| part.tag(n)));
    assert!(all.eq(tags.iter().copied()), "{tags:x?}");
    for section in &sections {
        says(format!("| 0x{:04x} | {} | ", section.tag, section.item));
        assert!(section.start.is_multiple_of(ALIGNMENT as u64));
    }
    assert_eq!(DOCUMENT.lines().filter(|line| line.starts_with("| 0x")).count(), tags.len());

    let sources = [
        include_str!("../trie/mod.rs"),
        include_str!("../trie/names.rs"),
        include_str!("../trie/digests/mod.rs"),
    ];
    for source in sources {
        let maps = source.split("//! ```text\n").skip(1);
        let map = maps.filter_map(|rest| rest.split("//! ```").next()).next().unwrap();
        for line in map.lines() {
            let line = line.trim_start_matches("//!");
            says(line.strip_prefix(' ').unwrap_or(line).to_owned());
        }
    }
}
