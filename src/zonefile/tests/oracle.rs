//! Generated files against rules as simple as they can be written: for every address that could
//! make a difference, all lines are looked at.

use super::*;
use proptest::prelude::*;

/// A line of a generated file, with its meaning.
#[derive(Clone, Debug)]
enum Line<K> {
    NextFile,
    Default(u8, &'static str),
    Entry {
        text: String,
        start: K,
        end: K,
        excluded: bool,
        value: Own,
    },
    /// A line without effect.
    Noise(&'static str),
}

/// What an entry says about its value.
#[derive(Clone, Copy, Debug)]
enum Own {
    Nothing,
    A(u8),
    Text(&'static str),
    Both(u8, &'static str),
}

type Value = (u8, &'static str);

/// An entry that was understood: its keys and its value, none for an exclusion.
type Entry<K> = (K, K, Option<Value>);

const BUILT_IN: Value = (2, "");
const TEXTS: [&str; 3] = ["", "one $", "two"];

fn own() -> impl Strategy<Value = Own> {
    prop_oneof![
        4 => Just(Own::Nothing),
        1 => (1..4u8).prop_map(Own::A),
        1 => (1..3usize).prop_map(|text| Own::Text(TEXTS[text])),
        2 => (1..4u8, 0..3usize).prop_map(|(a, text)| Own::Both(a, TEXTS[text])),
    ]
}

fn other_lines<K: Clone + std::fmt::Debug>() -> impl Strategy<Value = Line<K>> {
    const NOISE: &[&str] = &[
        "# 1.2.3.4",
        ";",
        "",
        "\t ",
        "x",
        "10",
        "1.2.3.4x",
        "0.0.0.0/33",
        "1.2.255.5/24",
        "0.1.0.5-0.1.0.2",
        "0.0.0.1 :0:",
        "0.0.0.1 :x",
        "!",
        "1:2:3/33",
        "::g",
        ":0",
        ":2 x",
    ];
    prop_oneof![
        1 => Just(Line::NextFile),
        2 => (1..4u8, 0..3usize).prop_map(|(a, text)| Line::Default(a, TEXTS[text])),
        2 => proptest::sample::select(NOISE).prop_map(Line::Noise),
    ]
}

fn octet() -> impl Strategy<Value = u8> {
    proptest::sample::select(&[0u8, 1, 2, 127, 128, 254, 255][..])
}

fn address4() -> impl Strategy<Value = u32> {
    (0..2u8, octet(), octet(), octet()).prop_map(|(a, b, c, d)| u32::from_be_bytes([a, b, c, d]))
}

fn low_bits(len: u32) -> u32 {
    u32::MAX.checked_shr(len).unwrap_or(0)
}

/// One spelling of some addresses, with a prefix length of at least `shortest`.
fn cidr4(shortest: u32) -> impl Strategy<Value = (String, u32, u32)> {
    const LENS: &[u32] = &[0, 1, 7, 8, 9, 15, 16, 17, 22, 23, 24, 25, 26, 30, 31, 32, 32, 32];
    (address4(), proptest::sample::select(LENS)).prop_map(move |(address, len)| {
        let len = len.max(shortest);
        let (start, end) = (address & !low_bits(len), address | low_bits(len));
        let [a, b, c, d] = start.to_be_bytes();
        let text = match len {
            32 => format!("{a}.{b}.{c}.{d}"),
            24 => format!("{a}.{b}.{c}"),
            16 => format!("{a}.{b}"),
            8 => format!("{a}/8"),
            _ => format!("{a}.{b}.{c}.{d}/{len}"),
        };
        (text, start, end)
    })
}

fn range4() -> impl Strategy<Value = (String, u32, u32)> {
    (address4(), address4(), octet(), 0..4u8).prop_map(|(one, other, last, spelling)| {
        let (start, end) = (one.min(other), one.max(other));
        let [a, b, c, d] = start.to_be_bytes();
        let [x, y, z, w] = end.to_be_bytes();
        let ip = |bytes: [u8; 4]| u32::from_be_bytes(bytes);
        match spelling {
            0 => (format!("{a}.{b}.{c}.{d}-{x}.{y}.{z}.{w}"), start, end),
            1 => (format!("{a}.{b}.{c}-{x}.{y}.{z}"), ip([a, b, c, 0]), ip([x, y, z, 255])),
            2 => {
                let last = last.max(d);
                (format!("{a}.{b}.{c}.{d}-{last}"), start, ip([a, b, c, last]))
            }
            _ => {
                let last = last.max(b);
                (format!("{a}.{b}-{last}"), ip([a, b, 0, 0]), ip([a, last, 255, 255]))
            }
        }
    })
}

fn cidr6() -> impl Strategy<Value = (String, u128, u128)> {
    let field = proptest::sample::select(&[0u16, 0, 1, 0x8000, 0xffff][..]);
    const LENS: &[u32] = &[0, 1, 15, 16, 17, 32, 63, 64, 64, 65, 96, 97, 112, 126, 127, 128, 128];
    (proptest::array::uniform8(field), proptest::sample::select(LENS)).prop_map(|(fields, len)| {
        let address = u128::from(std::net::Ipv6Addr::from(fields));
        let host = u128::MAX.checked_shr(len).unwrap_or(0);
        let start = address & !host;
        let fields: Vec<_> = std::net::Ipv6Addr::from(start).segments().into();
        let text = match len {
            32 => format!("{:x}:{:x}", fields[0], fields[1]),
            64 => format!("{:x}:{:x}:{:x}:{:x}", fields[0], fields[1], fields[2], fields[3]),
            // The standard library writes some of these with dots.
            _ => {
                let fields: Vec<_> = fields.iter().map(|field| format!("{field:x}")).collect();
                format!("{}/{len}", fields.join(":"))
            }
        };
        (text, start, address | host)
    })
}

fn file<K: Clone + std::fmt::Debug>(
    keys: impl Strategy<Value = (String, K, K)>,
) -> impl Strategy<Value = Vec<Line<K>>> {
    let entry = (keys, proptest::bool::weighted(0.2), own()).prop_map(
        |((text, start, end), excluded, value)| Line::Entry { text, start, end, excluded, value },
    );
    proptest::collection::vec(prop_oneof![6 => entry, 1 => other_lines()], 0..40)
}

/// The text of the files.
fn files_of<K>(lines: &[Line<K>]) -> Vec<Vec<u8>> {
    let mut files = vec![String::new()];
    for line in lines {
        let last = files.last_mut().unwrap();
        match line {
            Line::NextFile => files.push(String::new()),
            Line::Default(a, text) => *last += &format!(":{a}:{text}\n"),
            Line::Noise(text) => *last += &format!("{text}\r\n"),
            Line::Entry { text, excluded, value, .. } => {
                let sign = if *excluded { "! " } else { "" };
                *last += &match value {
                    Own::Nothing => format!("{sign}{text}\n"),
                    Own::A(a) => format!("{sign}{text} :127.0.0.{a}\n"),
                    Own::Text(own) => format!("{sign}{text}\t{own}\n"),
                    Own::Both(a, own) => format!("{sign}{text} :{a}: {own}\n"),
                };
            }
        }
    }
    files.into_iter().map(String::into_bytes).collect()
}

/// The entries with the defaults put in.
fn entries_of<K: Copy>(lines: &[Line<K>]) -> Vec<Entry<K>> {
    let mut default = BUILT_IN;
    let mut entries = Vec::new();
    for line in lines {
        match line {
            Line::NextFile => default = BUILT_IN,
            Line::Default(a, text) => default = (*a, text),
            Line::Noise(_) => {}
            Line::Entry { start, end, excluded, value, .. } => {
                let value = match value {
                    Own::Nothing => default,
                    Own::A(a) => (*a, default.1),
                    Own::Text(text) => (default.0, *text),
                    Own::Both(a, text) => (*a, *text),
                };
                entries.push((*start, *end, (!excluded).then_some(value)));
            }
        }
    }
    entries
}

/// The first default of the files.
fn first_default<K>(lines: &[Line<K>]) -> Value {
    let mut defaults = lines.iter().filter_map(|line| match line {
        Line::Default(a, text) => Some((*a, *text)),
        _ => None,
    });
    defaults.next().unwrap_or(BUILT_IN)
}

/// The values of an address by the rules of `ip4set`.
fn ip4set_values(entries: &[Entry<u32>], address: u32) -> Vec<Value> {
    let mut named = Vec::new();
    for (_, _, value) in entries {
        if let Some(value) = value
            && !named.contains(value)
        {
            named.push(*value);
        }
    }
    for len in [32, 24, 16, 8] {
        let within = |len: u32, entry: &Entry<u32>| {
            entry.0 <= address & !low_bits(len) && address | low_bits(len) <= entry.1
        };
        let here: Vec<_> = entries
            .iter()
            .filter(|entry| within(len, entry) && (len == 8 || !within(len - 8, entry)))
            .collect();
        if here.iter().any(|entry| entry.2.is_none()) {
            return Vec::new();
        }
        if !here.is_empty() {
            let is_here = |value: &Value| here.iter().any(|entry| entry.2 == Some(*value));
            return named.into_iter().filter(is_here).collect();
        }
    }
    Vec::new()
}

/// The values of an address by the rules of the tries.
fn trie_values<K: Copy + Ord>(entries: &[Entry<K>], address: K) -> Vec<Value> {
    let mut covering = entries.iter().filter(|entry| entry.0 <= address && address <= entry.1);
    let mut best = covering.next();
    for entry in covering {
        // A longer prefix is one inside of the best so far; the same is not.
        if let Some((start, end, _)) = best
            && (entry.0, entry.1) != (*start, *end)
            && (*start <= entry.0 && entry.1 <= *end)
        {
            best = Some(entry);
        }
    }
    best.and_then(|entry| entry.2).into_iter().collect()
}

fn check<K: crate::listing::addresses::Key>(
    parsed: &Parsed,
    ranges: &[Range<K>],
    probes: impl Iterator<Item = K>,
    oracle: impl Fn(K) -> Vec<Value>,
) {
    for pair in ranges.windows(2) {
        let joined =
            pair[0].answer == pair[1].answer && pair[0].end.successor() == Some(pair[1].start);
        assert!(pair[0].end < pair[1].start && !joined, "{pair:?}");
    }
    let mut used: Vec<_> = ranges.iter().map(|range| range.answer.0).collect();
    used.dedup();
    let mut seen = 0;
    for id in used {
        assert!((1..=seen + 1).contains(&id), "numbered in the order of the keys");
        seen = seen.max(id);
    }
    check_values(parsed, ranges, probes, oracle);
}

fn check_values<K: crate::listing::addresses::Key>(
    parsed: &Parsed,
    ranges: &[Range<K>],
    probes: impl Iterator<Item = K>,
    oracle: impl Fn(K) -> Vec<Value>,
) {
    for probe in probes {
        let range = ranges.iter().find(|range| range.start <= probe && probe <= range.end);
        let got: Vec<_> = range.map_or(Vec::new(), |range| values(parsed, range.answer));
        let want: Vec<_> =
            oracle(probe).iter().map(|(a, text)| format!("127.0.0.{a} {text}")).collect();
        assert_eq!(got, want, "{probe:?}");
    }
}

fn probes4(entries: &[Entry<u32>]) -> impl Iterator<Item = u32> {
    let near = |&(start, end, _): &Entry<u32>| {
        [start, start.wrapping_sub(1), end, end.wrapping_add(1), start | 0xff, end & !0xffff]
    };
    entries.iter().flat_map(near)
}

fn probes6(entries: &[Entry<u128>]) -> impl Iterator<Item = u128> {
    let near = |&(start, end, _): &Entry<u128>| {
        [start, start.wrapping_sub(1), end, end.wrapping_add(1), start | 0xffff]
    };
    entries.iter().flat_map(near)
}

fn read<K>(kind: Kind, lines: &[Line<K>]) -> Parsed {
    let files = files_of(lines);
    let files: Vec<_> = files.iter().map(Vec::as_slice).collect();
    parse(kind, options(), &files).unwrap()
}

/// Parses a file line by line, none of them in the ways of the commonest kinds.
fn parse_each(kind: Kind, file: &[u8]) -> Result<Parsed, Fatal> {
    let mut parser = Parser::new(kind, options());
    parser.start_file();
    let end = file.strip_suffix(b"\n").unwrap_or(file);
    if !file.is_empty() {
        end.split(|&byte| byte == b'\n').try_for_each(|line| parser.line(line, false))?;
    }
    Ok(parser.finish())
}

proptest! {
    #[test]
    fn ip4set_is_what_its_lines_say(lines in file(prop_oneof![2 => cidr4(1), 1 => range4()])) {
        let parsed = read(Kind::Ip4Set, &lines);
        let entries = entries_of(&lines);
        prop_assert_eq!(parsed.entries, entries.len() as u64);
        let ranges: Vec<_> = parsed.ip4.as_ref().unwrap().ranges().collect();
        check(&parsed, &ranges, probes4(&entries), |ip| ip4set_values(&entries, ip));
    }

    #[test]
    fn ip4tset_is_what_its_lines_say(mut lines in file(cidr4(0))) {
        // A value that would spoil the line elsewhere is ignored here.
        lines.retain(|line| !matches!(line, Line::Noise(text) if text.starts_with("0.0.0.1 ")));
        let parsed = read(Kind::Ip4Tset, &lines);
        let entries = entries_of(&lines);
        let ranges: Vec<_> = parsed.ip4.as_ref().unwrap().ranges().collect();
        let default = first_default(&lines);
        check(&parsed, &ranges, probes4(&entries), |ip| {
            let listed = |entry: &Entry<u32>| (entry.0, entry.1) == (ip, ip) && entry.2.is_some();
            entries.iter().any(listed).then_some(default).into_iter().collect()
        });
    }

    #[test]
    fn ip4trie_is_what_its_lines_say(
        lines4 in file(cidr4(0)),
        lines6 in file(cidr6()),
    ) {
        let mut files = files_of(&lines4);
        files.extend(files_of(&lines6));
        let files: Vec<_> = files.iter().map(Vec::as_slice).collect();
        let parsed = parse(Kind::Ip4Trie, options(), &files).unwrap();
        let is_mapped = |entry: &Entry<u128>| entry.0 >> 32 == 0xffff && entry.1 >> 32 == 0xffff;
        let (mapped, entries6): (Vec<_>, Vec<_>) =
            entries_of(&lines6).into_iter().partition(is_mapped);
        let mut entries4 = entries_of(&lines4);
        entries4.extend(mapped.into_iter().map(|(start, end, v)| (start as u32, end as u32, v)));
        let ranges4: Vec<_> = parsed.ip4.as_ref().unwrap().ranges().collect();
        check(&parsed, &ranges4, probes4(&entries4), |ip| trie_values(&entries4, ip));
        let ranges6: Vec<_> = parsed.ip6.as_ref().unwrap().ranges().collect();
        check_values(&parsed, &ranges6, probes6(&entries6), |ip| trie_values(&entries6, ip));
    }

    #[test]
    fn ip6trie_is_what_its_lines_say(lines in file(cidr6())) {
        let parsed = read(Kind::Ip6Trie, &lines);
        let entries = entries_of(&lines);
        let ranges: Vec<_> = parsed.ip6.as_ref().unwrap().ranges().collect();
        check(&parsed, &ranges, probes6(&entries), |ip| trie_values(&entries, ip));
        let distinct: std::collections::HashSet<_> =
            entries.iter().map(|entry| (entry.0, entry.1)).collect();
        prop_assert_eq!(parsed.entries, distinct.len() as u64);
    }

    #[test]
    fn ip6tset_is_what_its_lines_say(lines in file(cidr6())) {
        // Only /64 without a slash, and whole addresses, which the generator writes with one.
        let lines: Vec<_> = lines
            .into_iter()
            .map(|line| match line {
                Line::Entry { text, start, end, excluded, value } => {
                    let text = text.replace("/128", "");
                    Line::Entry { text, start, end, excluded, value }
                }
                line => line,
            })
            .collect();
        let parsed = read(Kind::Ip6Tset, &lines);
        let entries = entries_of(&lines);
        let ranges: Vec<_> = parsed.ip6.as_ref().unwrap().ranges().collect();
        let default = first_default(&lines);
        check(&parsed, &ranges, probes6(&entries), |ip| {
            let host = u128::from(u64::MAX);
            let lists = |entry: &Entry<u128>| {
                entry.2.is_some() && (entry.0, entry.1) == (ip & !host, ip | host)
            };
            let excludes =
                |entry: &Entry<u128>| entry.2.is_none() && (entry.0, entry.1) == (ip, ip);
            let listed = entries.iter().any(lists)
                && !entries.iter().any(excludes);
            listed.then_some(default).into_iter().collect()
        });
    }

    #[test]
    fn any_bytes_in_any_pieces_give_the_same(
        text in proptest::collection::vec(
            proptest::sample::select(&b"0123456789.:/-!#;$\n\n\n \t\r\0abf*=\\\xffSOANTL@"[..]), 0..400),
        cuts in proptest::collection::vec(
            (prop_oneof![1..40usize, 100..1000usize], any::<bool>()), 1..8),
        whole in prop::collection::vec(
            proptest::sample::select(&["1.2.3.4\n", "1.2.3.4\r\n", "255.255.255.255\n", ":2:x\n",
                "1.2.3.", "4\n", "$TTL 5\n", "1:2::3\n", "1.2.3.4 ", "1.2.3.0/24 :2:x\n", "!1.2.3.4\n",
                "1:2::/32 :3:y\r\n", "1.2.3.4/32 :2:y \n", "$MAXRANGE4 /25\n", ".a.b :3\n", ".a.b\n", "*.b.a-9\r\n", "a\n", "a A 1.2.3.4\n",
                "1.2.3.4 :2\n", "1.2.3.0/24 # x\n", "1.2.3.4 x@y :2:\n", "1.2.3.4 x @ ts=1\n", ".a.b :5:z\n",
                "a text\r\n", "!b.a\n", "1.2.3.4#x\n", "1.2.0.0/16\n", "0.0.0.0/0\n", ":3:z\n",
                "$DATASET ip4set:x a @\n", "$DATASET generic b.a\n", "@ 5 TXT x\n"][..]), 0..20),
        at in 0..20usize,
    ) {
        let mut file = text;
        let at = at.min(file.len());
        file.splice(at..at, whole.concat().into_bytes());
        for (_, kind) in Kind::NAMES {
            let want = parse_each(kind, &file);
            let mut parser = Parser::new(kind, options());
            parser.start_file();
            let mut rest = &file[..];
            let mut fed = Ok(());
            for &(cut, is_prepared) in cuts.iter().cycle() {
                let (head, tail) = rest.split_at(rest.len().min(cut));
                fed = fed.and_then(|()| match is_prepared {
                    true => parser.feed_batches(head, &Batches::new(kind, head)),
                    false => parser.feed(head),
                });
                rest = tail;
                if rest.is_empty() {
                    break;
                }
            }
            let got = fed.and_then(|()| parser.end_file()).map(|()| parser.finish());
            prop_assert_eq!(format!("{got:?}"), format!("{want:?}"));
        }
    }
}
