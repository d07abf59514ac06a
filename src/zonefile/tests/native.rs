//! Lines that say something else to their authors than to rbldnsd.

use super::*;
use crate::listing::records::NameRecords;
use crate::trie::names::NameLookup;
use crate::wire::Type;

fn native(kind: Kind, text: &str) -> Parsed {
    parse(kind, options(), &[text.as_bytes()]).unwrap()
}

/// The same by rbldnsd's name.
fn rbldnsd(kind: Kind, text: &str) -> Parsed {
    let options = Options { dialect: Dialect::Rbldnsd, ..options() };
    parse(kind, options, &[text.as_bytes()]).unwrap()
}

/// What is told: the line, and whether it was used.
fn told_of(parsed: &Parsed) -> Vec<(u32, bool, Mistake)> {
    parsed.diagnostics.kept.iter().map(|told| (told.line, told.is_used, told.reason)).collect()
}

fn net(text: &str) -> ipnet::IpNet {
    text.parse().unwrap()
}

#[test]
fn ranges_with_blanks_are_ranges() {
    for text in ["192.0.2.1 - 192.0.2.9\n", "192.0.2.1\t-192.0.2.9\n", "192.0.2.1  -  192.0.2.9 \n"]
    {
        let parsed = native(Kind::Ip4Set, text);
        assert_eq!(listing4(&parsed), ["192.0.2.1-192.0.2.9 127.0.0.2 "], "{text}");
        assert_eq!(told_of(&parsed), [(1, true, Mistake::SpacedRange)]);
        let faithful = rbldnsd(Kind::Ip4Set, text);
        assert_eq!(faithful.ip4.unwrap().ranges().count(), 1);
        assert_eq!(faithful.diagnostics.total, 0);
    }
    let parsed = native(Kind::Ip4Set, "192.0.2.1 - 192.0.2.9 :3:x\n192.0.2.20 - 5\n");
    assert_eq!(listing4(&parsed), ["192.0.2.1-192.0.2.9 127.0.0.3 x", "192.0.2.20 127.0.0.2 - 5"]);
    assert_eq!(
        told_of(&parsed),
        [(1, true, Mistake::SpacedRange), (2, true, Mistake::SecondAddress)]
    );
    let parsed = native(Kind::Ip4Set, "192.0.2.9 - 192.0.2.1\n");
    assert_eq!(told_of(&parsed), [(1, false, Mistake::BackwardRange)]);
    let parsed = native(Kind::Ip4Trie, "192.0.2.1 - 192.0.2.9\n");
    let range = ["192.0.2.1-192.0.2.9 127.0.0.2 "];
    assert_eq!((listing4(&parsed), parsed.entries), (range.map(str::to_owned).into(), 1));
    // Each line is one entry, though it is several prefixes.
    let parsed = native(Kind::Ip4Trie, "192.0.2.1-192.0.2.9\n192.0.2.1-192.0.2.9\n");
    assert_eq!((parsed.entries, parsed.diagnostics.total), (1, 1));
}

/// The first part of each of them was taken without a word.
#[test]
fn every_spelling_of_a_range_is_one_or_is_told() {
    let spaced = (1, true, Mistake::SpacedRange);
    for (text, listed) in [
        ("9.9.8 - 9.9.9\n", "9.9.8.0-9.9.9.255"),
        ("9.8 \u{2013} 9.9\n", "9.8.0.0-9.9.255.255"),
        ("192.0.2.1\u{2013}192.0.2.9\n", "192.0.2.1-192.0.2.9"),
        ("192.0.2.1- 192.0.2.9 # x\n", "192.0.2.1-192.0.2.9"),
    ] {
        for kind in [Kind::Ip4Set, Kind::Ip4Trie, Kind::Mixed] {
            let parsed = native(kind, text);
            assert_eq!(listing4(&parsed), [format!("{listed} 127.0.0.2 ")], "{kind} {text}");
            assert_eq!(told_of(&parsed), [spaced], "{kind} {text}");
        }
        assert_eq!(native(Kind::Ip4Tset, text).entries, 0, "{text}");
    }
    let parsed = native(Kind::Ip4Set, "!192.0.2.5 - 192.0.2.6\n192.0.2.0/29\n");
    let parts = ["192.0.2.0-192.0.2.4 127.0.0.2 ", "192.0.2.7 127.0.0.2 "];
    assert_eq!(
        (listing4(&parsed), told_of(&parsed)),
        (parts.map(str::to_owned).into(), vec![spaced])
    );
    // What is no range is the first address, and is told; a text that begins with a dash is not.
    let text = "192.0.2.1 - 192.0.3\n192.0.2.2 - spam from 2001\n192.0.2.0/30 - 192.0.2.8/30\n\
        !192.0.2.4 192.0.2.5\n192.0.2.6 - 2 spams\n";
    let second = Mistake::SecondAddress;
    let told = [1, 3, 4].map(|line| (line, true, second));
    assert_eq!(told_of(&native(Kind::Ip4Set, text)), told);
}

#[test]
fn ranges_of_ip6_addresses_are_networks_or_nothing() {
    for kind in [Kind::Ip6Trie, Kind::Ip4Trie, Kind::Mixed] {
        let parsed = native(
            kind,
            "2001:db8:: - 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff\n2001:db9::1-2001:db9::9\n\
             2001:dba::9 - 2001:dba::1\n2001:dbb:1 \u{2013} 2001:dbb:2:3\n",
        );
        let told = [
            (1, true, Mistake::Columns(net("2001:db8::/32"))),
            (2, false, Mistake::Range6),
            (3, false, Mistake::BackwardRange),
            (4, true, Mistake::SecondAddress),
        ];
        assert_eq!(told_of(&parsed), told, "{kind}");
        let ip6 = parsed.ip6.unwrap();
        let ranges = ip6.ranges().map(|r| (r.start >> 96, r.end >> 96));
        assert_eq!(
            ranges.collect::<Vec<_>>(),
            [(0x2001_0db8, 0x2001_0db8), (0x2001_0dbb, 0x2001_0dbb)]
        );
    }
}

#[test]
fn short_ranges_are_told_where_only_the_native_dialect_has_ranges() {
    for kind in [Kind::Mixed, Kind::Ip4Trie] {
        let parsed =
            native(kind, "192.0.2.1-7\n10.1-10.3\n1-2\n0-255\n192.0.2.8-192.0.2.9\n10.4-10.4.5\n");
        let bare = |line, net| (line, false, Mistake::BareOctet(net));
        let told = [
            (1, true, Mistake::ShortRange),
            (2, true, Mistake::ShortRange),
            bare(3, net("1.0.0.0/8")),
            bare(4, net("0.0.0.0/8")),
            (6, false, Mistake::UnequalRange),
        ];
        assert_eq!((parsed.entries, told_of(&parsed)), (3, told.to_vec()), "{kind}");
    }
    // `ip4set` has them of old.
    assert_eq!(native(Kind::Ip4Set, "192.0.2.1-7\n1-2\n0-255\n").diagnostics.total, 0);
}

#[test]
fn lengths_with_zeros_before_them_are_none() {
    let length = |max| (1, false, Mistake::PrefixLength { max });
    for kind in [Kind::Ip4Set, Kind::Ip4Trie, Kind::Mixed] {
        for text in ["10.0.0.0/08\n", "10.0.0.0/08 x\n", "!10.0.0.0/008\n"] {
            assert_eq!(told_of(&native(kind, text)), [length(32)], "{kind} {text}");
        }
        assert_eq!(rbldnsd(kind, "10.0.0.0/08\n").entries, 1);
    }
    for kind in [Kind::Ip4Set, Kind::Ip4Trie] {
        assert_eq!(told_of(&native(kind, "10.0.0.0/+8\n")), [length(32)]);
    }
    assert_eq!(native(Kind::Mixed, "10.0.0.0/+8\n").diagnostics.refused, 1);
    assert_eq!(told_of(&native(Kind::Ip6Trie, "2001:db8::/032\n")), [length(128)]);
    assert_eq!(native(Kind::Ip4Trie, "0.0.0.0/0\n::/0\n").entries, 2);
}

#[test]
fn v4_mapped_entries_are_told() {
    for kind in [Kind::Ip4Trie, Kind::Mixed] {
        let parsed = native(kind, "::ffff:192.0.2.7\n::ffff:c000:280/121 x\n64:ff9b::192.0.2.1\n");
        let read = |line, text| (line, true, Mistake::MappedRead(net(text)));
        assert_eq!(told_of(&parsed), [read(1, "192.0.2.7/32"), read(2, "192.0.2.128/25")]);
        let listed = ["192.0.2.7 127.0.0.2 ", "192.0.2.128-192.0.2.255 127.0.0.2 x"];
        assert_eq!((listing4(&parsed), parsed.entries), (listed.map(str::to_owned).into(), 3));
        assert_eq!(rbldnsd(kind, "::ffff:c000:280/121\n").diagnostics.total, 0);
    }
}

#[test]
fn masks_and_columns_are_networks() {
    for kind in [Kind::Ip4Set, Kind::Ip4Trie] {
        let parsed = native(kind, "192.0.2.0/255.255.255.0 x\n192.0.3.0/255.0.255.0\n");
        assert_eq!(listing4(&parsed), ["192.0.2.0-192.0.2.255 127.0.0.2 x"]);
        let length = Mistake::PrefixLength { max: 32 };
        let mask = Mistake::Netmask(net("192.0.2.0/24"));
        assert_eq!(told_of(&parsed), [(1, true, mask), (2, false, length)]);
        assert_eq!(rbldnsd(kind, "192.0.2.0/255.255.255.0\n").entries, 0);
        let parsed = native(kind, "192.0.2.0\t192.0.2.255\t24\t1234\tX\n1.2.3.4 1.2.3.9\n");
        let listed = ["1.2.3.4 127.0.0.2 1.2.3.9", "192.0.2.0-192.0.2.255 127.0.0.2 "];
        assert_eq!(listing4(&parsed), listed);
        let columns = Mistake::Columns(net("192.0.2.0/24"));
        assert_eq!(told_of(&parsed), [(1, true, columns), (2, true, Mistake::SecondAddress)]);
    }
}

#[test]
fn values_that_were_meant_otherwise_are_told() {
    let parsed = native(Kind::Ip4Set, "192.0.2.1:25\n192.0.2.2:2\n192.0.2.3:25:x\n");
    assert_eq!(told_of(&parsed), [(1, true, Mistake::Port(25))]);
    assert_eq!(parsed.entries, 3);
    let parsed = native(Kind::Dnset, "a.example:143\nb.example:4\n.c.example:80:x\n");
    assert_eq!(told_of(&parsed), [(1, true, Mistake::Port(143))]);
    let map = "192.0.2.0/24 REJECT\n198.51.100.0/24 OK\n203.0.113.0/24\tdunno \n";
    let parsed = native(Kind::Ip4Trie, map);
    let passes = Mistake::PassesInMap;
    assert_eq!(told_of(&parsed), [(2, true, passes), (3, true, passes)]);
    assert_eq!(told_of(&native(Kind::Dnset, "a.example permit\n")), [(1, true, passes)]);
    let postfix = native(Kind::Ip4Set, "192.0.2.1 permit_mynetworks\n192.0.2.2 permits\n");
    assert_eq!(told_of(&postfix), [(1, true, passes)]);
    let values =
        [" OK # ours", " ok a friend", " Relay;x", " relay host", " okay", "\tDunno#", " # ok"];
    for (kind, key) in
        [(Kind::Dnset, "a.example"), (Kind::Ip4Set, "192.0.2.1"), (Kind::Ip4Tset, "192.0.2.1")]
    {
        let lines: String = values.iter().map(|value| format!("{key}{value}\n")).collect();
        let told = [1, 2, 3, 6].map(|line| (line, true, passes));
        assert_eq!(told_of(&native(kind, &lines)), told, "{kind}");
        assert_eq!(
            native(kind, &format!("!{key} OK\n"))
                .diagnostics
                .kept
                .iter()
                .filter(|told| told.reason == passes)
                .count(),
            0
        );
    }
    assert_eq!(rbldnsd(Kind::Ip4Trie, map).diagnostics.total, 0);
    let mapped = "::ffff:192.0.2.0/120\n::ffff:c000:300/120\n::/0\n";
    assert_eq!(native(Kind::Ip6Trie, mapped).diagnostics.total, 0);
    assert_eq!(rbldnsd(Kind::Ip6Trie, mapped).entries, 2);
    let beside = Options { is_beside_ip4: true, ..options() };
    let parsed = parse(Kind::Ip6Trie, beside, &[mapped.as_bytes()]).unwrap();
    let unreached = |line, net| (line, true, Mistake::Mapped(net));
    let nets = [net("192.0.2.0/24"), net("192.0.3.0/24")];
    assert_eq!(told_of(&parsed), [unreached(1, nets[0]), unreached(2, nets[1])]);
}

#[test]
fn names_that_nobody_asks_for_are_told() {
    let text = "bad.example:2:text\nworse.example:\nw3.example#note\nw4.example,\n*w5.example\n\
        b*d.example\nhttps://bad.example/login\nb\u{fc}cher.example\n||bad.example^\n\\042.example\n";
    let parsed = native(Kind::Dnset, text);
    let odd = |line, byte| (line, false, Mistake::OddName(byte));
    assert_eq!(parsed.diagnostics.total, 8);
    assert_eq!(parsed.entries, 2);
    let kept = told_of(&parsed);
    assert_eq!(kept[..5], [odd(2, b':'), odd(3, b'#'), odd(4, b','), odd(5, b'*'), odd(6, b'*')]);
    let found = parsed.names.as_ref().unwrap().lookup(b"\x03bad\x07example\0");
    let NameLookup::Listed { answer, .. } = found else { panic!("{found:?}") };
    assert_eq!(values(&parsed, answer), ["127.0.0.2 text"]);
    assert_eq!(rbldnsd(Kind::Dnset, text).entries, 10);
    let beside = Options { is_beside_ip4: true, ..options() };
    let text =
        b"192.0.2.7\nbad.example\n.192.0.2.8\n*.192.0.2\n!192.0.2.9\n192.0.2 x\n7.example.1\n";
    let parsed = parse(Kind::Dnset, beside, &[text]).unwrap();
    let told = [1, 3, 4, 5, 6].map(|line| (line, true, Mistake::AddressInNames));
    assert_eq!(told_of(&parsed), told);
}

#[test]
fn lines_of_bind_are_told() {
    let text = "$TTL 3600\n2.0.0.127 IN A 127.0.0.2\n          IN TXT \"test\"\n\
        *.2.0.192 IN A 127.0.0.2\n  www A 127.0.0.2\na AAAA 2001:db8::1\n 300 IN A 127.0.0.2\n";
    let parsed = native(Kind::Generic, text);
    let told = [3, 7].map(|line| (line, false, Mistake::NoOwner));
    let star = (4, true, Mistake::Star);
    assert_eq!(told_of(&parsed), [told[0], star, told[1]]);
    let records = parsed.records.unwrap();
    assert_eq!(records.lookup(b"\x02in\0"), NameRecords::Nothing);
    let NameRecords::Records(name) = records.lookup(b"\x01a\0") else { panic!() };
    assert_eq!(records.records(name).next().unwrap().rtype, Type::AAAA);
    let faithful = rbldnsd(Kind::Generic, text);
    assert_eq!(told_of(&faithful), [(6, false, Mistake::RecordType)]);
}

#[test]
fn sets_take_lengths_that_change_nothing() {
    let text = "192.0.2.1\n192.0.2.2/32\n192.0.2.8/29\n192.0.2.20-22\n192.0.2\n";
    let parsed = native(Kind::Ip4Tset, text);
    assert_eq!(listing4(&parsed), ["192.0.2.1-192.0.2.2 127.0.0.2 "]);
    assert_eq!(told_of(&parsed), [3, 4, 5].map(|line| (line, false, Mistake::NotSingle4)));
    assert_eq!(rbldnsd(Kind::Ip4Tset, text).entries, 1);
    let parsed = native(Kind::Ip4Tset, "192.0.2.1\n!192.0.2.2\n");
    assert_eq!(told_of(&parsed), [(2, false, Mistake::NotSingle4)]);
    let text = "2001:db8:1:2\n2001:db8:1:3::/64\n2001:db8::/48\n2001:db8:1:4::1/64\n";
    let parsed = native(Kind::Ip6Tset, text);
    let wide = Mistake::NotSingle6 { excluded: false };
    let bits = Mistake::HostBits(net("2001:db8:1:4::/64"));
    assert_eq!((parsed.entries, told_of(&parsed)), (2, vec![(3, false, wide), (4, false, bits)]));
    assert_eq!(rbldnsd(Kind::Ip6Tset, text).entries, 1);
}

#[test]
fn the_other_family_is_one_kind_of_fault() {
    let text = "192.0.2.1\n2a01:db8::/32\n2001:db8::/32\n!fe80::/10\n10:2:x\n";
    for parse in [native, rbldnsd] {
        let parsed = parse(Kind::Ip4Set, text);
        let other = [2, 3, 4].map(|line| (line, false, Mistake::Ip6InIp4));
        assert_eq!(told_of(&parsed)[..3], other);
        assert_eq!(told_of(&parsed)[3], (5, false, Mistake::BareOctet(net("10.0.0.0/8"))));
        let parsed = parse(Kind::Ip6Trie, "2001:db8::/32\n192.0.2.1\n10.0.0.0/8\n2001\n");
        let bare = Mistake::BareField(net("2001::/16"));
        let other = Mistake::Ip4InIp6;
        assert_eq!(told_of(&parsed), [(2, false, other), (3, false, other), (4, false, bare)]);
    }
    let parsed = native(Kind::Ip4Set, "192.0.2.1\n::1\n::ffff:192.0.2.2\n:x\n");
    let told = [Mistake::Ip6InIp4, Mistake::Ip6InIp4, Mistake::BadA];
    assert_eq!(parsed.diagnostics.kept.iter().map(|told| told.reason).collect::<Vec<_>>(), told);
}

/// A file that was cut anywhere never lists more than the whole one.
#[test]
fn a_cut_last_line_counts_only_if_its_key_is_whole() {
    let whole = "203.113.45.67";
    for len in 1..=whole.len() {
        let parsed = native(Kind::Ip4Set, &format!("192.0.2.1\n{}", &whole[..len]));
        let is_whole = len >= "203.113.45.6".len();
        assert_eq!(parsed.entries, 1 + u64::from(is_whole), "{}", &whole[..len]);
        assert_eq!(parsed.diagnostics.total, 1);
        assert_eq!(parsed.diagnostics.kept[0].is_used, is_whole);
    }
    for (kind, line, is_whole) in [
        (Kind::Ip4Set, "203.113/16", true),
        (Kind::Ip4Set, "1.2.3.4-1.2.3", false),
        (Kind::Ip4Set, "1.2.3.4-9", false),
        (Kind::Ip4Set, "1.2.3.4-1.2.3.9", true),
        (Kind::Ip4Trie, "2a01:4f8", false),
        (Kind::Ip6Trie, "2a01:4f8", false),
        (Kind::Ip6Trie, "2a01:4f8::", true),
        (Kind::Ip6Trie, "2a01:4f8/32", true),
        (Kind::Ip6Trie, "1:2:3:4:5:6:7:8", true),
        (Kind::Dnset, ".mail", false),
        (Kind::Dnset, "mail.example", true),
        (Kind::Dnset, "*.mail.example :2:tex", true),
        (Kind::Ip4Set, "10.0.0.0/2", false),
        (Kind::Ip4Set, "10.0.0.0/8", true),
        (Kind::Ip4Set, "!10.0.0.0/2", false),
        (Kind::Ip6Trie, "2a00::/12", false),
        (Kind::Ip6Trie, "2a01::/16", true),
        (Kind::Ip4Set, "1.2.3.4:1", false),
        (Kind::Ip4Set, "1.2.3.4 :127.0.0.2", false),
        (Kind::Ip4Set, "1.2.3.4 :127.0.0.26", true),
        (Kind::Ip4Set, "1.2.3.4 :127.0.0.2:", true),
        (Kind::Ip4Set, "1.2.3 a tex", true),
        (Kind::Dnset, "mail.example:1", false),
        (Kind::Mixed, "mail.example :127.0", false),
    ] {
        let parsed = native(kind, line);
        let reason = match line {
            "1.2.3.4-1.2.3" => Mistake::UnequalRange,
            _ if is_whole => Mistake::NoNewline,
            _ => Mistake::CutKey,
        };
        assert_eq!(told_of(&parsed), [(1, is_whole, reason)], "{line}");
        let faithful = rbldnsd(kind, &format!("{line}\n"));
        assert_eq!(faithful.entries + faithful.diagnostics.total, 1, "{line}");
    }
    let parsed = rbldnsd(Kind::Ip4Set, "192.0.2.1\n192.0");
    assert_eq!((parsed.entries, told_of(&parsed)), (2, vec![(2, true, Mistake::NoNewline)]));
}

#[test]
fn comments_end_specials_and_default_lines() {
    let text = "$TTL 600 ; ten minutes\n$NS 3600 ns1.example ns2.example # both of them\n\
        $SOA 1h ns1.example host.example 0 2h 30m 1w 2m # ours\n$TIMESTAMP 2005-01-01 +1000w # x\n\
        $MAXRANGE4 /24 # no more\n#$ENT x\n#$QNMIN\n$1 a # text\n:127.0.0.2: # no text\n1.2.3.4\n\
        :3 # no text\n1.2.3.5\n";
    for parse in [native, rbldnsd] {
        let parsed = parse(Kind::Ip4Set, text);
        assert_eq!((parsed.ttl, parsed.soa.as_ref().unwrap().minimum), (600, 120));
        let names: Vec<_> =
            parsed.ns.as_ref().unwrap().names.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["ns1.example", "ns2.example"]);
        assert!(parsed.stamp.is_some() && parsed.expires.is_some());
        assert_eq!(parsed.vars.numbered[1].as_deref(), Some(&b"a # text"[..]));
    }
    let parsed = native(Kind::Ip4Set, text);
    assert_eq!(listing4(&parsed), ["1.2.3.4 127.0.0.2 ", "1.2.3.5 127.0.0.3 "]);
    assert_eq!(parsed.diagnostics.total, 0);
    let parsed = rbldnsd(Kind::Ip4Set, text);
    assert_eq!(listing4(&parsed), ["1.2.3.4-1.2.3.5 127.0.0.2 # no text"]);
    assert_eq!(told_of(&parsed), [(11, false, Mistake::AfterA)]);
}

#[test]
fn commas_between_name_servers_are_told() {
    let names = |parsed: Parsed| -> Vec<String> {
        assert_eq!(told_of(&parsed), [(1, true, Mistake::CommaInNs)]);
        parsed.ns.unwrap().names.iter().map(ToString::to_string).collect()
    };
    let text = "$NS 300 ns1.example, ns2.example ,\n";
    assert_eq!(names(native(Kind::Ip4Set, text)), ["ns1.example", "ns2.example"]);
    let text = "$NS 300 ns1.example, ns2.example\n";
    assert_eq!(names(rbldnsd(Kind::Ip4Set, text)), ["ns1.example,", "ns2.example"]);
}

/// They were dropped without a word.
/// The entry of such a range is in up to four tables, and counted as left out once.
#[test]
fn entries_that_ranges_leave_out_are_counted_once() {
    let text: String = (0..1000).map(|n| format!("1.0.0.1-3.255.255.254 :2:{n}\n")).collect();
    let parsed = parse(Kind::Ip4Set, options(), &[text.as_bytes()]).unwrap();
    assert_eq!(parsed.entries, 255);
}

#[test]
fn more_values_than_an_answer_holds_are_told() {
    let lines = |key: &str, last: u32| -> String {
        (1..=last).map(|n| format!("{key} :127.0.{}.{}:\n", n / 200, 1 + n % 200)).collect()
    };
    for (kind, key) in [
        (Kind::Ip4Set, "1.2.3.4"),
        (Kind::Ip4Set, "1.2.3"),
        (Kind::Dnset, "a.example"),
        (Kind::Mixed, "b.example"),
    ] {
        assert_eq!(native(kind, &lines(key, 255)).diagnostics.total, 0);
        let parsed = native(kind, &lines(key, 258));
        assert_eq!(told_of(&parsed), [(0, true, Mistake::ManyValues { values: 3 })], "{kind}");
        let key = if key == "1.2.3" { "1.2.3.0" } else { key };
        assert_eq!(parsed.diagnostics.kept[0].excerpt.as_deref(), Some(key));
        assert_eq!(parsed.entries, 255, "{kind}");
    }
    let records: String =
        (1..=258).map(|n| format!("a.example A 127.0.{}.{}\n", n / 200, 1 + n % 200)).collect();
    let parsed = native(Kind::Generic, &format!("{records}{records}b.example A 127.0.0.2\n"));
    assert_eq!(told_of(&parsed), [(0, true, Mistake::ManyValues { values: 3 })]);
    assert_eq!(parsed.diagnostics.kept[0].excerpt.as_deref(), Some("a.example"));
}

/// Regression: an entry with an end had a condition, too, and the zone answered on the slow path.
#[test]
fn an_end_is_no_condition() {
    let mut parser = Parser::new(Kind::Ip4Trie, Options { now: 0, ..Options::default() });
    parser.start_file();
    parser
        .feed(b"10.0.0.1 @ expires=1970-01-02\n10.0.0.2 :2:x @ expires=1970-01-01T00:01Z\n")
        .unwrap();
    parser.end_file().unwrap();
    let parsed = parser.finish();
    assert_eq!((parsed.entries, parsed.next_expiry), (2, Some(60)));
    assert!(!parsed.answers.has_gates());
}
