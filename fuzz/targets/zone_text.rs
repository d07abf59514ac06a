//! Any text as data files of any type: no panic, no difference between ways to cut it into
//! pieces, a listing in canonical form, and a trie that agrees with it.

use super::input::Input;
use super::{address_listing, seeds};
use dnsbld::listing::records::NameRecords;
use dnsbld::listing::{Action, AnswerId, Answers, Range};
use dnsbld::wire::Type;
use dnsbld::wire::name::NameBuf;
use dnsbld::zonefile::{
    Batches, Fatal, Kind, MAX_LINE, MAX_TEXT, Options, Parsed, Parser, Subjects,
};
use std::net::Ipv4Addr;

const KINDS: [Kind; 12] = [
    Kind::Ip4Set,
    Kind::Ip4Tset,
    Kind::Ip4Trie,
    Kind::Ip6Tset,
    Kind::Ip6Trie,
    Kind::Dnset,
    Kind::Mixed,
    Kind::Acl,
    Kind::AclKey,
    Kind::Generic,
    Kind::Combined,
    Kind::Hashset,
];

/// Ends a file; the next one follows.
const NEXT_FILE: u8 = 0x0c;
/// Stands for blanks that make a line too long, or nearly.
const LONG: u8 = 0x0b;

// The bits of the second byte of an input.
const HOST_BITS: u8 = 1;
const ANY_A: u8 = 2;
const LOCAL_A: u8 = 4;
const LOCAL_TEXT: u8 = 8;
const TTL_BOUNDS: u8 = 16;
const CLOCK: u8 = 32;

pub(crate) const TOKENS: &[&[u8]] = &[
    b"\n",
    b"\r\n",
    b"!",
    b"! ",
    b":",
    b":2:",
    b":127.0.0.3:",
    b"/8",
    b"/24",
    b"/32",
    b"/33",
    b"/64",
    b"/128",
    b"-",
    b"-255",
    b"1.2.3.4",
    b"1.2.3.4\n",
    b"1.2.3.0/24 :2:x\n",
    b"2001:db8::/32 :2:x\n",
    b"255.255.255.255",
    b"0.0.0.0/0",
    b"10",
    b"10.0-10.3",
    b"::",
    b"::1",
    b"2001:db8::",
    b"::ffff:",
    b"ffff:",
    b"$SOA 1h ns. h. 0 1 2 3 4\n",
    b"$NS 1d ",
    b"$TTL ",
    b"$TIMESTAMP ",
    b"2026-01-02-03-04-05",
    b"+2d",
    b"$MAXRANGE4 /20\n",
    b"$=",
    b"$1 ",
    b"$$",
    b"#$",
    b";$",
    b":$",
    b"#",
    b";",
    b"*.",
    b".",
    b"\\.",
    b"\\255",
    b"example.com",
    b"\x0c",
    b"\x0b",
    b"\0",
    b"@",
    b" @ ts=1;delay=2",
    b" @ key=require",
    b":refuse",
    b"=pass",
    b"key :empty\n",
    b"@ A ",
    b" 5m ",
    b" IN ",
    b" A ",
    b" TXT ",
    b" MX 10 ",
    b"\"",
    b"$DATASET ip4set:x ",
    b"$DATASET ip4trie sub @\n",
    b"$DATASET ip6tset ",
    b"$DATASET dnset a.sub\n",
    b"$DATASET generic @\n",
    b"$DATASET hashset _email\n",
    b"0123456789abcdef",
    b"0123456789ABCDEE\n",
    b"abcdefghijklmnop234567",
];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (number, (kind, text)) in seeds::zone_files().into_iter().enumerate() {
        let kind: Option<Kind> = kind.and_then(|name| name.parse().ok());
        for (index, of_type) in KINDS.into_iter().enumerate() {
            if kind.is_none_or(|kind| kind == of_type) {
                let options = if number % 3 == 0 { number as u8 } else { 0 };
                all.push([&[index as u8, options, number as u8], &text[..]].concat());
            }
        }
    }
    all
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = KINDS[input.below(KINDS.len())];
    let options = options(input.byte());
    let cut = 1 + input.below(64);
    let text = lengthen(input.rest());
    let cuts = if text.len() < MAX_LINE / 2 { [1, cut, 1 << 20] } else { [499, 64 * cut, 1 << 20] };
    let files: Vec<&[u8]> = text.split(|&byte| byte == NEXT_FILE).collect();
    let [singly, pieces, whole] =
        cuts.map(|cut| parse(kind, &options, &files, cut).map_err(|error| error.to_string()));
    let Ok(whole) = whole else {
        assert_eq!(whole.as_ref().err(), singly.as_ref().err());
        assert_eq!(whole.err(), pieces.err());
        return;
    };
    for other in [singly, pieces] {
        assert_same(&whole, &other.expect("the same as in one piece"));
    }
    check(&whole, &options, &files);
}

fn options(bits: u8) -> Options {
    let has = |bit| bits & bit != 0;
    Options {
        accept_host_bits: has(HOST_BITS),
        loopback_only: !has(ANY_A),
        default_a: has(LOCAL_A).then_some(Ipv4Addr::new(127, 0, 0, 77)),
        default_text: has(LOCAL_TEXT).then(|| Box::from(*b"local $")),
        min_ttl: if has(TTL_BOUNDS) { 30 } else { 0 },
        max_ttl: if has(TTL_BOUNDS) { 3600 } else { 0 },
        now: if has(CLOCK) { 1_800_000_000 } else { u64::MAX },
        ..Options::default()
    }
}

/// Puts in the blanks, the first two times only.
fn lengthen(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut times = 0;
    for &byte in text {
        if byte == LONG && times < 2 {
            times += 1;
            out.resize(out.len() + MAX_LINE - 8, b' ');
        } else {
            out.push(byte);
        }
    }
    out
}

fn parse(kind: Kind, options: &Options, files: &[&[u8]], cut: usize) -> Result<Parsed, Fatal> {
    let mut parser = Parser::new(kind, options.clone());
    for file in files {
        parser.start_file();
        file.chunks(cut).enumerate().try_for_each(|(number, chunk)| match number % 2 {
            0 => parser.feed(chunk),
            _ => parser.feed_batches(chunk, &Batches::new(kind, chunk)),
        })?;
        parser.end_file()?;
    }
    Ok(parser.finish())
}

fn assert_same(a: &Parsed, b: &Parsed) {
    assert_eq!((a.ttl, &a.soa, &a.ns, &a.vars), (b.ttl, &b.soa, &b.ns, &b.vars));
    assert_eq!((a.expires, a.stamp, a.entries), (b.expires, b.stamp, b.entries));
    assert_eq!((&a.default_value, &a.diagnostics), (&b.default_value, &b.diagnostics));
    assert!(a.answers == b.answers, "the answers differ");
    assert_eq!(ranges4(a), ranges4(b));
    assert_eq!(ranges6(a), ranges6(b));
    assert!(a.names == b.names, "the names differ");
    assert!(a.digests == b.digests, "the hashes differ");
    // Maps that were filled in the same order are shown in the same order.
    assert_eq!(format!("{:?}", a.acl), format!("{:?}", b.acl));
    assert!(a.records == b.records, "the records differ");
    assert_eq!(a.parts.len(), b.parts.len());
    for (a, b) in a.parts.iter().zip(&b.parts) {
        assert_eq!((&a.name, &a.apexes), (&b.name, &b.apexes));
        assert_same(&a.parsed, &b.parsed);
    }
}

fn ranges4(parsed: &Parsed) -> Vec<Range<u32>> {
    parsed.ip4.iter().flat_map(|addresses| addresses.ranges()).collect()
}

fn ranges6(parsed: &Parsed) -> Vec<Range<u128>> {
    parsed.ip6.iter().flat_map(|addresses| addresses.ranges()).collect()
}

fn check(parsed: &Parsed, options: &Options, files: &[&[u8]]) {
    check_diagnostics(parsed, files);
    check_content(parsed, options);
    let of_parts: u64 = parsed.parts.iter().map(|part| part.parsed.entries).sum();
    assert!(parsed.kind != Kind::Combined || of_parts == parsed.entries);
    for part in &parsed.parts {
        assert!(part.parsed.kind != Kind::Combined && !part.apexes.is_empty());
        assert_eq!(part.parsed.diagnostics.total, 0, "those are of the whole");
        check_content(&part.parsed, options);
    }
}

fn check_content(parsed: &Parsed, options: &Options) {
    check_answers(parsed, options);
    check_records(parsed);
    if let (Some(min), Some(max)) = (options.min_ttl.checked_sub(1), options.max_ttl.checked_sub(1))
    {
        assert!((min + 1..=max + 1).contains(&parsed.ttl), "a TTL of {}", parsed.ttl);
    }
    let (ip4, ip6) = (ranges4(parsed), ranges6(parsed));
    let mut used: Vec<AnswerId> = address_listing::check4(&ip4);
    used.extend(address_listing::check6(&ip6));
    assert!(parsed.entries > 0 || (ip4.is_empty() && ip6.is_empty()));
    if let Some(names) = &parsed.names {
        for entry in names.iter() {
            used.extend([entry.itself, entry.below].into_iter().flatten());
        }
        used.retain(|id| id.is_listed());
    }
    if let Some(digests) = &parsed.digests {
        let labels: Vec<_> = digests.iter().names().map(|entry| entry.name).collect();
        assert!(labels.is_sorted_by(|a, b| a.as_wire() < b.as_wire()));
        for label in &labels {
            let answer = digests.lookup(&label.as_wire()[1..label.as_wire().len() - 1]);
            assert!(answer.is_listed());
            used.push(answer);
        }
    }
    assert_numbered(&used, &parsed.answers);
    check_acl(parsed);
}

/// Every address and key has an action that there is.
fn check_acl(parsed: &Parsed) {
    let Some(acl) = &parsed.acl else { return };
    let ids: Vec<AnswerId> = match &acl.subjects {
        Subjects::Clients(ip4, ip6) => {
            let ids4 = ip4.ranges().map(|range| range.answer);
            ids4.chain(ip6.ranges().map(|range| range.answer)).collect()
        }
        Subjects::Keys(keys) => {
            let good = |key: &[u8]| (1..=63).contains(&key.len()) && !key.contains(&b':');
            assert!(keys.known.keys().all(|key| good(key)));
            keys.known.values().copied().chain([keys.unknown]).collect()
        }
    };
    for id in ids {
        match acl.actions.get(id).expect("an action") {
            Action::Keyword(keyword) => assert_eq!(keyword.id(), id),
            Action::Listed(answer) => assert_eq!(answer.values().len(), 1),
        }
    }
}

/// Each answer is used, and they are numbered in the order of their first use.
fn assert_numbered(used: &[AnswerId], answers: &Answers) {
    let mut seen = 0;
    for id in used {
        assert!((1..=seen + 1).contains(&id.0), "answer {} after {seen}", id.0);
        seen = seen.max(id.0);
    }
    assert_eq!(seen as usize, answers.len(), "answers that nothing has");
}

/// Not more records than lines, and data that a message can hold.
fn check_records(parsed: &Parsed) {
    let Some(set) = &parsed.records else { return };
    assert_eq!(set.is_empty(), parsed.entries == 0);
    assert!(set.len() as u64 <= parsed.entries);
    if let NameRecords::Records(apex) = set.lookup(b"\0") {
        for record in set.records(apex) {
            match record.rtype {
                Type::A => assert_eq!(record.data.len(), 4),
                Type::MX => assert!(NameBuf::from_wire(&record.data[2..]).is_some()),
                _ => {
                    let mut rest = record.data;
                    while let Some((&len, after)) = rest.split_first() {
                        rest = &after[usize::from(len)..];
                    }
                }
            }
        }
    }
}

fn check_answers(parsed: &Parsed, options: &Options) {
    let count = parsed.answers.len() as u32;
    for id in 1..=count {
        let values: Vec<_> = parsed.answers.get(AnswerId(id)).values().collect();
        assert!((1..=255).contains(&values.len()));
        for (i, value) in values.iter().enumerate() {
            assert!(value.a.is_loopback() || !options.loopback_only, "{}", value.a);
            assert!(value.text.len() <= MAX_TEXT && !values[..i].contains(value));
            let text = value.text.whole();
            assert!(!text.contains(&0) && !text.contains(&b'\n'));
        }
    }
}

fn check_diagnostics(parsed: &Parsed, files: &[&[u8]]) {
    let diagnostics = &parsed.diagnostics;
    let omitted: u64 = diagnostics.omitted().map(|omitted| omitted.lines).sum();
    assert_eq!(diagnostics.kept.len() as u64 + omitted, diagnostics.total);
    assert!(diagnostics.refused <= diagnostics.total);
    for diagnostic in diagnostics.kept.iter().filter(|told| told.line > 0) {
        let file = files[usize::from(diagnostic.file)];
        let line = file.split(|&byte| byte == b'\n').nth(diagnostic.line as usize - 1);
        let line = line.expect("a line of the file");
        assert!((1..=line.len() + 1).contains(&(diagnostic.column as usize)), "{diagnostic:?}");
        assert!(!diagnostic.reason.to_string().is_empty());
    }
    let places: Vec<_> = diagnostics.kept.iter().map(|d| (d.file, d.line)).collect();
    assert!(places.is_sorted());
}
