//! Whole files, line by line, against what rbldnsd makes of them.

use super::scan::Scan;
use super::*;
use crate::listing::{Range, ValueId};
use crate::trie::names::NameLookup;
use std::net::Ipv4Addr;

mod combined;
mod formats;
mod hashes;
mod native;
mod oracle;
mod syntax;

// The model of a data file is the fuzzers', too.
#[allow(dead_code)]
#[path = "../../fuzz/targets/address_listing.rs"]
mod address_listing;
#[allow(clippy::duplicate_mod, dead_code)]
#[path = "../../fuzz/targets/input.rs"]
mod input;
#[allow(dead_code)]
#[path = "../../fuzz/targets/names_model.rs"]
mod names_model;
#[allow(dead_code)]
#[path = "../../fuzz/targets/zone_model.rs"]
mod zone_model;

/// Options for tests: a clock, and any A value.
fn options() -> Options {
    Options { now: 1_700_000_000, loopback_only: false, ..Options::default() }
}

fn parse(kind: Kind, options: Options, files: &[&[u8]]) -> Result<Parsed, Fatal> {
    let mut parser = Parser::new(kind, options);
    for file in files {
        parser.start_file();
        parser.feed(file)?;
        parser.end_file()?;
    }
    Ok(parser.finish())
}

/// What is told of a line, with its file, line and column.
fn told((file, line, column): (u16, u32, u32), reason: Mistake, line_text: &str) -> Diagnostic {
    let is_used = matches!(reason, Mistake::LongText);
    Diagnostic { file, line, column, reason, is_used, excerpt: Some(line_text.into()) }
}

/// A value as text: `a text`.
fn values(parsed: &Parsed, answer: crate::listing::AnswerId) -> Vec<String> {
    let text = |value: crate::listing::Value<'_>| {
        format!("{} {}", value.a, String::from_utf8_lossy(&value.text.whole()))
    };
    parsed.answers.get(answer).values().map(text).collect()
}

/// The IPv4 ranges as text: `start-end [values]`.
fn listing4(parsed: &Parsed) -> Vec<String> {
    let ip = Ipv4Addr::from;
    let line = |range: Range<u32>| {
        let values = values(parsed, range.answer).join(", ");
        match range.start == range.end {
            true => format!("{} {values}", ip(range.start)),
            false => format!("{}-{} {values}", ip(range.start), ip(range.end)),
        }
    };
    parsed.ip4.as_ref().unwrap().ranges().map(line).collect()
}

fn ip4set(text: &str) -> (Vec<String>, Diagnostics) {
    let parsed = parse(Kind::Ip4Set, options(), &[text.as_bytes()]).unwrap();
    (listing4(&parsed), parsed.diagnostics)
}

#[test]
fn kinds_have_rbldnsds_names() {
    for (name, _) in Kind::NAMES.into_iter().filter(|(name, _)| *name != "dnhash") {
        assert_eq!(name.parse::<Kind>().unwrap().to_string(), name);
    }
    assert_eq!("dnhash".parse(), Ok(Kind::Dnset));
    let error = "IP4SET".parse::<Kind>().unwrap_err().to_string();
    assert!(error.contains("`IP4SET`") && error.contains("ip4trie, ip6tset"), "{error}");
}

#[test]
fn defaults_hold_to_the_end_of_the_file() {
    let files: [&[u8]; 3] = [
        b"1.1.1.1\n:2:first $\n1.1.1.2\n1.1.1.3 :3\n1.1.1.4 :4:\n1.1.1.5 own\n:9\n1.1.1.6\n:x\n",
        b"1.1.1.7\n:5:\n1.1.1.8\n1.1.1.9 text # not a comment\n",
        b"1.1.1.10\n",
    ];
    for kind in [Kind::Ip4Set, Kind::Ip4Trie] {
        let parsed = parse(kind, options(), &files).unwrap();
        let want = [
            "1.1.1.1 127.0.0.2 ",
            "1.1.1.2 127.0.0.2 first $",
            "1.1.1.3 127.0.0.3 first $",
            "1.1.1.4 127.0.0.4 ",
            "1.1.1.5 127.0.0.2 own",
            "1.1.1.6 127.0.0.9 ",
            "1.1.1.7 127.0.0.2 ",
            "1.1.1.8 127.0.0.5 ",
            "1.1.1.9 127.0.0.5 text # not a comment",
            "1.1.1.10 127.0.0.2 ",
        ];
        assert_eq!(listing4(&parsed), want);
        assert_eq!(parsed.default_value, (Ipv4Addr::new(127, 0, 0, 2), b"first $"[..].into()));
        assert_eq!((parsed.entries, parsed.diagnostics.total), (10, 1));
        let bad_default = told((0, 9, 2), Mistake::BadA, ":x");
        assert_eq!(parsed.diagnostics.kept, [bad_default]);
    }
}

#[test]
fn the_first_default_counts_for_a_whole_tset() {
    let files: [&[u8]; 2] = [b"1.1.1.1 :7:ignored\n:bad\n", b":3:three\n:4:four\n1.1.1.2\n:x\n"];
    let parsed = parse(Kind::Ip4Tset, options(), &files).unwrap();
    assert_eq!(listing4(&parsed), ["1.1.1.1-1.1.1.2 127.0.0.3 three"]);
    assert_eq!(parsed.diagnostics.total, 1);
    let parsed = parse(Kind::Ip6Tset, options(), &[b"1:2:3:4\n::1\n!1:2:3:4::5\n"]).unwrap();
    let ranges: Vec<_> = parsed.ip6.as_ref().unwrap().ranges().collect();
    assert_eq!(ranges.len(), 2);
    assert_eq!(values(&parsed, ranges[0].answer), ["127.0.0.2 "]);
    assert_eq!(parsed.diagnostics.kept[0].reason, Mistake::BadA);
}

#[test]
fn a_local_default_replaces_those_of_the_files() {
    let local = Options {
        default_a: Some(Ipv4Addr::new(127, 0, 0, 8)),
        default_text: Some(Box::from(*b"local")),
        ..options()
    };
    let file: &[u8] = b":3:theirs\n1.1.1.1\n1.1.1.2 :4\n1.1.1.3 own\n:y\n";
    let parsed = parse(Kind::Ip4Set, local.clone(), &[file]).unwrap();
    let want = ["1.1.1.1 127.0.0.8 local", "1.1.1.2 127.0.0.4 local", "1.1.1.3 127.0.0.8 own"];
    assert_eq!(listing4(&parsed), want);
    assert_eq!(parsed.default_value, (Ipv4Addr::new(127, 0, 0, 8), b"local"[..].into()));
    assert_eq!(parsed.diagnostics.total, 1);
    let parsed = parse(Kind::Ip4Tset, local, &[file]).unwrap();
    assert_eq!(listing4(&parsed), ["1.1.1.1-1.1.1.3 127.0.0.8 local"]);
}

#[test]
fn only_loopback_values_are_taken() {
    let strict = Options { loopback_only: true, ..options() };
    let parsed =
        parse(Kind::Ip4Set, strict, &[b"1.1.1.1 :10.0.0.1:x\n:8.8.8.8:\n1.1.1.2\n"]).unwrap();
    assert_eq!(listing4(&parsed), ["1.1.1.2 127.0.0.2 "]);
    let columns: Vec<_> = parsed.diagnostics.kept.iter().map(|d| (d.line, d.column)).collect();
    assert_eq!(columns, [(1, 10), (2, 2)]);
}

#[test]
fn specials_in_every_spelling() {
    let file: &[u8] = b"$SOA 0 ns.example h.example 0 1 2 3 4\n\
        #$NS 1h ns.example\n;$TTL 1m\n:$MAXRANGE4 /24\n $1 one\n$= $1/$= \n#$TIMESTAMP 0 2030-01-01\n\
        $ TTL 5\n$DATASET ip4set x\n# $TTL 9\n#$5 off\n";
    let parsed = parse(Kind::Ip4Set, options(), &[file, b"1.1.0/23\n$TTL 2m\n$1 two\n"]).unwrap();
    assert_eq!(parsed.soa.as_ref().map(|soa| soa.ttl), Some(2100));
    assert_eq!(parsed.ns.as_ref().map(|ns| ns.ttl), Some(3600));
    assert_eq!((parsed.ttl, parsed.expires, parsed.stamp), (120, Some(1_893_456_000), None));
    assert_eq!(
        (parsed.vars.numbered[1].as_deref(), parsed.vars.numbered[5].as_deref()),
        (Some(&b"one"[..]), Some(&b"off"[..]))
    );
    assert_eq!(parsed.vars.base.as_deref(), Some(&b"$1/$="[..]));
    let kept: Vec<_> = parsed.diagnostics.kept.iter().map(|d| (d.file, d.line, d.reason)).collect();
    let large = Mistake::LargeRange { size: 512, max: 256 };
    let want = [(0, 8, Mistake::UnknownSpecial), (0, 9, Mistake::OnlyInCombined), (1, 1, large)];
    assert_eq!(kept, want);
}

#[test]
fn data_from_the_future_is_fatal() {
    let file: &[u8] = b"# x\n$TIMESTAMP 2023-11-14-22-13-30\n1.1.1.1\n";
    let fatal = parse(Kind::Dnset, options(), &[b"", file]).unwrap_err();
    assert_eq!((fatal.file, fatal.line), (1, 2));
    assert_eq!(fatal.cause, FatalCause::FutureTimestamp(1_700_000_010));
    assert!(fatal.to_string().contains("line 2: the data is dated 2023-11-14 22:13:30"), "{fatal}");
}

#[test]
fn line_ends_blanks_and_nul() {
    let text = "1.1.1.1\r\n\t 1.1.1.2 \t\r\n1.1.1.3  x y \r\n1.1.1.4 a\0b\n\0 1.1.1.5\n\
        \n\r\n1.1.1.6 \0\n! \t1.1.2.0/24\r\n;c\r\n1.1.1.7\n";
    let (listed, diagnostics) = ip4set(text);
    let want = [
        "1.1.1.1-1.1.1.2 127.0.0.2 ",
        "1.1.1.3 127.0.0.2 x y",
        "1.1.1.4 127.0.0.2 a",
        "1.1.1.6-1.1.1.7 127.0.0.2 ",
    ];
    assert_eq!(listed, want);
    assert_eq!(diagnostics.total, 0);
}

/// The first line was lost: no address, or a name with the mark in it.
#[test]
fn a_byte_order_mark_is_no_part_of_the_first_line() {
    let file = b"\xef\xbb\xbf1.1.1.1\n1.1.1.2\n\xef\xbb\xbf1.1.1.3\n";
    for chunk in [1, 2, 3, 4, 100] {
        let mut parser = Parser::new(Kind::Ip4Set, options());
        for _ in 0..2 {
            parser.start_file();
            for chunk in file.chunks(chunk) {
                parser.feed_batches(chunk, &Batches::new(Kind::Ip4Set, chunk)).unwrap();
            }
            parser.end_file().unwrap();
        }
        let parsed = parser.finish();
        assert_eq!(listing4(&parsed), ["1.1.1.1-1.1.1.2 127.0.0.2 "], "{chunk}");
        let at = |file| told((file, 3, 1), Mistake::NotAddress4, "\\u{feff}1.1.1.3");
        assert_eq!(parsed.diagnostics.kept, [at(0), at(1)], "{chunk}");
    }
    for first in ["a.example\n", "a.example", ":3:x\na.example\n", "#\na.example", "\na.example"] {
        let file = [b"\xef\xbb\xbf", first.as_bytes()].concat();
        let parsed = parse(Kind::Dnset, options(), &[&file]).unwrap();
        let found = parsed.names.unwrap().lookup(b"\x01a\x07example\0");
        assert!(matches!(found, NameLookup::Listed { .. }), "{first}");
        assert_eq!((parsed.entries, parsed.diagnostics.refused), (1, 0), "{first}");
    }
}

#[test]
fn overlong_lines_are_cut_and_reported() {
    let mut file = b"1.1.1.1 x\n1.1.1.2".to_vec();
    file.extend(vec![b' '; MAX_LINE]);
    file.extend_from_slice(b"value\n1.1.1.3\n");
    let whole_line = [&b"1.1.1.4"[..], &vec![b' '; MAX_LINE - 8], b"v\r\n"].concat();
    file.extend(&whole_line);
    file.extend(vec![b'#'; 3 * MAX_LINE]);
    for chunk in [1, 7, MAX_LINE, 1_000_000] {
        let mut parser = Parser::new(Kind::Ip4Set, options());
        parser.start_file();
        file.chunks(chunk).for_each(|chunk| parser.feed(chunk).unwrap());
        parser.end_file().unwrap();
        let parsed = parser.finish();
        let want = ["1.1.1.1 127.0.0.2 x", "1.1.1.2-1.1.1.3 127.0.0.2 ", "1.1.1.4 127.0.0.2 v"];
        assert_eq!(listing4(&parsed), want);
        let column = MAX_LINE as u32 + 1;
        let places: Vec<_> = parsed.diagnostics.kept.iter().map(|d| (d.line, d.column)).collect();
        assert_eq!(places, [(2, column), (4, column), (5, column)]);
        let is_long = |told: &Diagnostic| told.reason == Mistake::LongLine;
        assert!(parsed.diagnostics.kept.iter().all(is_long));
    }
}

/// It was counted as two lines that are wrong, the first of them one whose beginning was used.
#[test]
fn an_overlong_line_of_garbage_is_one_line() {
    let mut file = vec![b'x'; 2 * MAX_LINE];
    file.extend_from_slice(b"\n1.1.1.1\n");
    let parsed = parse(Kind::Ip4Set, options(), &[&file]).unwrap();
    let bad = told((0, 1, 1), Mistake::NotAddress4, &("x".repeat(80) + "..."));
    assert_eq!((parsed.diagnostics.total, &parsed.diagnostics.kept[..]), (1, &[bad][..]));
}

#[test]
fn long_texts_are_cut_and_reported() {
    let text = format!("1.1.1.1 {}\n1.1.1.2 :3:{}\n", "x".repeat(1021), "y".repeat(1020));
    let (listed, diagnostics) = ip4set(&text);
    assert_eq!(listed[0], format!("1.1.1.1 127.0.0.2 {}", "x".repeat(1020)));
    assert_eq!(listed[1], format!("1.1.1.2 127.0.0.3 {}", "y".repeat(1020)));
    let excerpt = format!("1.1.1.1 {}...", "x".repeat(72));
    let cut = told((0, 1, 1029), Mistake::LongText, &excerpt);
    assert_eq!(diagnostics.kept, [cut]);
}

#[test]
fn duplicates_in_a_trie_are_reported_where_they_are() {
    let first: &[u8] = b"# x\n10.0.0.0/8 :2:a\n\n10.0/8 :3:b\n10.0.0.0/9\n";
    let second: &[u8] = b"bad\n!10/8\n1::/16\n1::0/16 :4:d\n::ffff:a00:0/104\n";
    let parsed = parse(Kind::Ip4Trie, options(), &[first, second]).unwrap();
    let want = ["10.0.0.0-10.127.255.255 127.0.0.2 ", "10.128.0.0-10.255.255.255 127.0.0.2 a"];
    assert_eq!(listing4(&parsed), want);
    let kept: Vec<_> = parsed.diagnostics.kept.iter().map(|d| (d.file, d.line, d.reason)).collect();
    let duplicate = |net: &str| Mistake::Duplicate(net.parse().unwrap());
    let want = [
        (0, 4, duplicate("10.0.0.0/8")),
        (1, 1, Mistake::NotAddress4),
        (1, 2, duplicate("10.0.0.0/8")),
        (1, 4, duplicate("1::/16")),
        (1, 5, Mistake::MappedRead("10.0.0.0/8".parse().unwrap())),
        (1, 5, duplicate("10.0.0.0/8")),
    ];
    assert_eq!(kept, want);
    assert_eq!((parsed.entries, parsed.diagnostics.total), (3, 6));
}

#[test]
fn real_feeds_without_a_type_of_their_own() {
    // A bare list, Spamhaus DROP, and a list of two columns.
    let text = "192.0.2.1\n192.0.2.2\n198.51.100.0/24 ; SBL123\n; end\n203.0.113.9\t10\n";
    let (listed, diagnostics) = ip4set(text);
    let want = [
        "192.0.2.1-192.0.2.2 127.0.0.2 ",
        "198.51.100.0-198.51.100.255 127.0.0.2 ",
        "203.0.113.9 127.0.0.2 10",
    ];
    assert_eq!(listed, want);
    assert_eq!(diagnostics.total, 0);
}

#[test]
fn the_examples_of_the_manual() {
    let text = ":127.0.0.2:IP address $ is listed\n127.0.0.4\n127.0.0.5 :5\n127.0.0.6 :6:\n\
        127.0.0.7 IP address $ running an open relay\n";
    let (listed, _) = ip4set(text);
    let want = [
        "127.0.0.4 127.0.0.2 IP address $ is listed",
        "127.0.0.5 127.0.0.5 IP address $ is listed",
        "127.0.0.6 127.0.0.6 ",
        "127.0.0.7 127.0.0.2 IP address $ running an open relay",
    ];
    assert_eq!(listed, want);
    let text = ":127.0.1.2: Listed, see http://example.com/lookup?$\n2001:21ab:c000/36\n\
        2001:21ab:def7:4242 :127.0.1.3: This one smells funny\n2605:6001:42::/52\n\
        ::1                   # localhost\n!2605:6001:42::bead   # exclusion\n";
    let parsed = parse(Kind::Ip6Trie, options(), &[text.as_bytes()]).unwrap();
    assert_eq!((parsed.entries, parsed.diagnostics.total), (5, 0));
    let ranges: Vec<_> = parsed.ip6.as_ref().unwrap().ranges().collect();
    assert_eq!((ranges.len(), ranges[0].end), (5, 1));
    assert_eq!(values(&parsed, ranges[2].answer), ["127.0.1.3 This one smells funny"]);
    let text = "2001:20fe:23:41ed\nabac:adab:ad00:42f\n!abac:adab:ad00:42f:face:0f:a:beef\n\
        !abac:adab:ad00:42f::2\n";
    let parsed = parse(Kind::Ip6Tset, options(), &[text.as_bytes()]).unwrap();
    assert_eq!((parsed.entries, parsed.diagnostics.total), (4, 0));
    assert_eq!(parsed.ip6.unwrap().ranges().count(), 4);
}

/// Of a batch, the entries before and behind the one that breaks a rule are taken.
#[test]
fn a_rule_is_the_same_for_fast_and_general_readers() {
    let file = b"10.0.0.0/8 :2:a\n0.0.0.0/0\n10.1.0.0/16\n10.2.0.1/24 :3:b\n10.3.0.0/24\n";
    for (kind, wrong) in [(Kind::Ip4Set, 3), (Kind::Ip4Trie, 3)] {
        let file = [b"$MAXRANGE4 /16\n", &file[..]].concat();
        let parsed = parse(kind, options(), &[&file]).unwrap();
        let lines: Vec<_> = parsed.diagnostics.kept.iter().map(|d| (d.line, d.column)).collect();
        assert_eq!(lines, [(2, 11), (3, 10), (5, 12)], "{kind}");
        assert_eq!((parsed.entries, parsed.diagnostics.total), (2, wrong));
    }
    let lenient = Options { accept_host_bits: true, ..options() };
    let parsed = parse(Kind::Ip4Set, lenient, &[b"10.2.0.1/24\n"]).unwrap();
    assert_eq!(listing4(&parsed), ["10.2.0.0-10.2.0.255 127.0.0.2 "]);
}

#[test]
fn an_observer_is_told_of_every_entry_that_is_taken() {
    let files: [&[u8]; 2] = [b":2:x\n1.2.3.4\n!1.2.3.0/24\nbad\n", b"\n10.0.0.1-9 :3:\n"];
    let mut seen = Vec::new();
    let observe = |place: Place, key: EntryKey<'_>, says: Says| {
        seen.push((place.file, place.line, format!("{key:?}"), says));
    };
    let mut parser = Parser::observed(Kind::Ip4Set, options(), Box::new(observe));
    for file in files {
        parser.start_file();
        parser.feed_batches(file, &Batches::new(Kind::Ip4Set, file)).unwrap();
        parser.end_file().unwrap();
    }
    assert_eq!(parser.finish().entries, 3);
    let prefix = |address: u32, len: u8| format!("{:?}", EntryKey::Prefix4 { address, len });
    let range = format!("{:?}", EntryKey::Range4 { start: 0x0a00_0001, end: 0x0a00_0009 });
    let want = [
        (0, 2, prefix(0x0102_0304, 32), Says::Listed(ValueId(0))),
        (0, 3, prefix(0x0102_0300, 24), Says::Excluded),
        (1, 2, range, Says::Listed(ValueId(1))),
    ];
    assert_eq!(seen, want);
}
