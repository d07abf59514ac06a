//! Data files made of lines whose meaning is known, against that meaning: the rules of each type
//! written as simply as they can be, all lines looked at for every key.

use super::address_listing::{trie4, trie6};
use super::input::Input;
use super::names_model::{self, NameLine};
use dnsbld::listing::AnswerId;
use dnsbld::listing::names::Scope;
use dnsbld::range::Int;
use dnsbld::zonefile::{Kind, Options, Parsed, Parser};
use std::fmt::{Debug, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The last octet of the A record, and the text.
pub(crate) type Value = (u8, &'static str);

/// The types that are lists.
const KINDS: [Kind; 6] =
    [Kind::Ip4Set, Kind::Ip4Tset, Kind::Ip4Trie, Kind::Ip6Tset, Kind::Ip6Trie, Kind::Dnset];
const BUILT_IN: Value = (2, "");
const TEXTS: [&str; 4] = ["", "one $", "two", "three: x"];
/// Lines without effect in a list of addresses; the last two are entries where values are ignored.
const NOISE: [&str; 17] = [
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
    "!",
    "1:2:3/33",
    "::g",
    ":0",
    ":2 x",
    "0.0.0.1 :0:",
    "0.0.0.1 :x",
];
const OF_VALUES: usize = 2;
const COMMENTS: usize = 4;

pub(crate) const TOKENS: &[&[u8]] = &[];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let seed = |n: u32| (0..120).map(move |i: u32| (n * 37 + i * i * (n + 3) + i / 3) as u8);
    (0..120).map(|n| std::iter::once(n as u8).chain(seed(n)).collect()).collect()
}

/// An entry: its first and last key, and its value, none for an exclusion.
#[derive(Clone, Copy, Debug)]
struct Entry<K> {
    start: K,
    end: K,
    value: Option<Value>,
}

/// The text of some files, and what it says.
struct Model {
    kind: Kind,
    files: Vec<String>,
    default: Value,
    first_default: Option<Value>,
    ip4: Vec<Entry<u32>>,
    ip6: Vec<Entry<u128>>,
    names: Vec<NameLine<Value>>,
    /// The number of lines that should count.
    entries: u64,
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = KINDS[input.below(KINDS.len())];
    let mut model = Model {
        kind,
        files: vec![String::new()],
        default: BUILT_IN,
        first_default: None,
        ip4: Vec::new(),
        ip6: Vec::new(),
        names: Vec::new(),
        entries: 0,
    };
    for _ in 0..60 {
        if input.is_empty() {
            break;
        }
        model.add_line(&mut input);
    }
    model.check();
}

impl Model {
    fn add_line(&mut self, input: &mut Input<'_>) {
        match input.below(16) {
            0 => {
                self.files.push(String::new());
                self.default = BUILT_IN;
            }
            1 | 2 => {
                let value = (1 + input.byte() % 3, input.choose(&TEXTS));
                self.default = value;
                self.first_default.get_or_insert(value);
                self.write(format_args!(":{}:{}", value.0, value.1));
            }
            3 => {
                let noise = match self.kind {
                    Kind::Dnset => &NOISE[..COMMENTS],
                    _ if self.has_one_value() => &NOISE[..NOISE.len() - OF_VALUES],
                    _ => &NOISE,
                };
                self.write(format_args!("{}\r", input.choose(noise)));
            }
            _ => self.add_entry(input),
        }
    }

    fn write(&mut self, line: std::fmt::Arguments<'_>) {
        let file = self.files.last_mut().expect("a file");
        writeln!(file, "{line}").expect("memory");
    }

    fn add_entry(&mut self, input: &mut Input<'_>) {
        let bits = input.byte();
        let excluded = bits & 3 == 0;
        let sign = ["", "! ", "!"][if excluded { 1 + usize::from(bits >> 7) } else { 0 }];
        let (a, text) = (1 + (bits >> 2 & 3) % 3, TEXTS[1 + usize::from(bits >> 4 & 1)]);
        let (suffix, value) = match bits >> 5 & 3 {
            _ if self.has_one_value() => (String::new(), self.default),
            0 | 1 => (String::new(), self.default),
            2 => (format!(" :127.0.0.{a}"), (a, self.default.1)),
            _ if excluded => (format!("\t{text}"), BUILT_IN),
            _ if bits & 0x10 == 0 => (format!("\t{text}"), (self.default.0, text)),
            _ => (format!(" :{a}: {text}"), (a, text)),
        };
        let value = (!excluded).then_some(value);
        let address = match self.kind {
            Kind::Dnset => {
                let (name, scope) = names_model::name_and_scope(input);
                let spelled = match scope {
                    Scope::Itself => format!("{name}"),
                    Scope::Below => format!("*.{name}"),
                    Scope::Both => format!(".{name}"),
                };
                self.names.push(NameLine { name: name.to_lowercase(), scope, value });
                self.entries += 1;
                spelled
            }
            Kind::Ip4Set if bits & 8 == 0 => self.range4(input, value),
            Kind::Ip4Set | Kind::Ip4Tset => self.prefix4(input, value),
            Kind::Ip4Trie if input.byte() & 1 == 0 => self.prefix4(input, value),
            Kind::Ip4Trie | Kind::Ip6Tset | Kind::Ip6Trie => self.prefix6(input, value),
            other => unreachable!("{other} is not among the types above"),
        };
        self.write(format_args!("{sign}{address}{suffix}"));
    }

    fn has_one_value(&self) -> bool {
        matches!(self.kind, Kind::Ip4Tset | Kind::Ip6Tset)
    }

    fn prefix4(&mut self, input: &mut Input<'_>, value: Option<Value>) -> String {
        let address = address4(input);
        let len = input.choose(&[32, 32, 24, 16, 8, 31, 25, 23, 17, 15, 9, 7, 1, 0]);
        let (start, end) = (address & !low_bits(len), address | low_bits(len));
        let [a, b, c, _] = start.to_be_bytes();
        let counts = match self.kind {
            Kind::Ip4Set => len > 0,
            Kind::Ip4Tset => len == 32 && value.is_some(),
            _ => true,
        };
        if counts {
            self.ip4.push(Entry { start, end, value });
            self.entries += 1;
        }
        match len {
            32 => Ipv4Addr::from(start).to_string(),
            24 => format!("{a}.{b}.{c}"),
            16 => format!("{a}.{b}"),
            8 => format!("{a}/8"),
            _ => format!("{}/{len}", Ipv4Addr::from(start)),
        }
    }

    fn range4(&mut self, input: &mut Input<'_>, value: Option<Value>) -> String {
        let (one, other, spelling) = (address4(input), address4(input), input.below(4));
        let (start, end) = (one.min(other), one.max(other));
        let ([a, b, c, d], [x, y, z, _]) = (start.to_be_bytes(), end.to_be_bytes());
        let ip = u32::from_be_bytes;
        let last = end as u8;
        let (text, start, end) = match spelling {
            0 => (format!("{}-{}", Ipv4Addr::from(start), Ipv4Addr::from(end)), start, end),
            1 => (format!("{a}.{b}.{c}-{x}.{y}.{z}"), ip([a, b, c, 0]), ip([x, y, z, 255])),
            2 => {
                let last = last.max(d);
                (format!("{a}.{b}.{c}.{d}-{last}"), start, ip([a, b, c, last]))
            }
            _ => {
                let last = last.max(b);
                (format!("{a}.{b}-{last}"), ip([a, b, 0, 0]), ip([a, last, 255, 255]))
            }
        };
        self.ip4.push(Entry { start, end, value });
        self.entries += 1;
        text
    }

    fn prefix6(&mut self, input: &mut Input<'_>, value: Option<Value>) -> String {
        const FIELDS: [u16; 6] = [0, 1, 0x8000, 0xffff, 0x2001, 0x00ab];
        let shape = input.byte();
        let mut fields: [u16; 8] = std::array::from_fn(|_| input.choose(&FIELDS));
        if shape & 0x40 != 0 {
            fields[..6].copy_from_slice(&[0, 0, 0, 0, 0, 0xffff]);
        }
        let len =
            input.choose(&[64, 128, 128, 127, 112, 104, 97, 96, 95, 65, 63, 48, 33, 32, 16, 1, 0]);
        let address = u128::from(Ipv6Addr::from(fields));
        let host = u128::MAX.checked_shr(len).unwrap_or(0);
        let (start, end) = (address & !host, address | host);
        let counts = match (self.kind, value) {
            (Kind::Ip6Tset, Some(_)) => len == 64,
            (Kind::Ip6Tset, None) => len == 128,
            _ => true,
        };
        // In an ip4trie, v4-mapped addresses are IPv4 addresses.
        if counts && self.kind == Kind::Ip4Trie && start >> 32 == 0xffff && end >> 32 == 0xffff {
            self.ip4.push(Entry { start: start as u32, end: end as u32, value });
        } else if counts {
            self.ip6.push(Entry { start, end, value });
        }
        self.entries += u64::from(counts);
        let fields: Vec<_> = Ipv6Addr::from(start).segments().map(|n| format!("{n:x}")).into();
        match len {
            64 if shape & 1 == 0 || self.kind == Kind::Ip6Tset => fields[..4].join(":"),
            48 if shape & 1 == 0 => format!("{}:/48", fields[..3].join(":")).replace(":/", "::/"),
            128 => fields.join(":"),
            // The standard library puts dots into some addresses, which rbldnsd does not read.
            _ if shape & 2 == 0 && start >> 96 != 0 => format!("{}/{len}", Ipv6Addr::from(start)),
            _ => format!("{}/{len}", fields.join(":")),
        }
    }

    fn check(&self) {
        let options = Options { now: 1_800_000_000, ..Options::default() };
        let mut parser = Parser::new(self.kind, options);
        for file in &self.files {
            parser.start_file();
            parser.feed(file.as_bytes()).expect("a file that loads");
            parser.end_file().expect("a file that loads");
        }
        let parsed = parser.finish();
        let text = || self.files.join("\n-- next file --\n");
        let is_trie = matches!(self.kind, Kind::Ip4Trie | Kind::Ip6Trie);
        let late = if is_trie { duplicates(&self.ip4) + duplicates(&self.ip6) } else { 0 };
        assert_eq!(parsed.entries, self.entries - late, "entries of\n{}", text());
        assert_eq!(
            (u32::from(parsed.default_value.0) as u8, &*parsed.default_value.1),
            self.first_default.map_or((2, &b""[..]), |(a, text)| (a, text.as_bytes())),
        );
        if let Some(addresses) = &parsed.ip4 {
            let trie = trie4(&addresses.ranges().collect::<Vec<_>>());
            for key in self.ip4.iter().flat_map(|entry| around(entry.start, entry.end)) {
                let want = self.values4(key);
                let got = values(&parsed, trie.lookup(key));
                assert_eq!(got, want, "{} in\n{}", Ipv4Addr::from(key), text());
            }
        }
        if let Some(addresses) = &parsed.ip6 {
            let trie = trie6(&addresses.ranges().collect::<Vec<_>>());
            for key in self.ip6.iter().flat_map(|entry| around(entry.start, entry.end)) {
                let want = self.values6(key);
                let got = values(&parsed, trie.lookup(key));
                assert_eq!(got, want, "{} in\n{}", Ipv6Addr::from(key), text());
            }
        }
        if let Some(tree) = &parsed.names {
            names_model::compare(tree, &self.names, |id| values(&parsed, id), &text);
        }
    }

    fn values4(&self, key: u32) -> Vec<Value> {
        match self.kind {
            Kind::Ip4Set => ip4set_values(&self.ip4, key),
            Kind::Ip4Trie => trie_value(&self.ip4, key),
            _ => self.one_value(self.ip4.iter().any(|entry| entry.start == key)),
        }
    }

    fn values6(&self, key: u128) -> Vec<Value> {
        if self.kind != Kind::Ip6Tset {
            return trie_value(&self.ip6, key);
        }
        let covers = |entry: &&Entry<u128>| entry.start <= key && key <= entry.end;
        let mut covering = self.ip6.iter().filter(covers).peekable();
        self.one_value(covering.peek().is_some() && covering.all(|entry| entry.value.is_some()))
    }

    fn one_value(&self, is_listed: bool) -> Vec<Value> {
        is_listed.then_some(self.first_default.unwrap_or(BUILT_IN)).into_iter().collect()
    }
}

fn address4(input: &mut Input<'_>) -> u32 {
    const OCTETS: [u8; 8] = [0, 1, 2, 127, 128, 254, 255, 77];
    let octets = std::array::from_fn(|n| match (n, input.byte()) {
        (0, byte) => OCTETS[usize::from(byte & 1)],
        (_, byte) => OCTETS[usize::from(byte & 7)],
    });
    u32::from_be_bytes(octets)
}

fn low_bits(len: u32) -> u32 {
    u32::MAX.checked_shr(len).unwrap_or(0)
}

/// The ends of a range and their neighbours.
fn around<K: Int>(start: K, end: K) -> [K; 4] {
    [start, start.predecessor(), end, end.successor().unwrap_or(start)]
}

fn values(parsed: &Parsed, id: AnswerId) -> Vec<Value> {
    let value = |value: dnsbld::listing::Value<'_>| {
        let text = TEXTS.into_iter().find(|text| text.as_bytes() == &*value.text.whole());
        (u32::from(value.a) as u8, text.expect("a text of the file"))
    };
    parsed.answers.get(id).values().map(value).collect()
}

/// The number of entries for a prefix that had one before.
fn duplicates<K: PartialEq>(entries: &[Entry<K>]) -> u64 {
    let same = |a: &Entry<K>, b: &Entry<K>| a.start == b.start && a.end == b.end;
    let is_late = |&n: &usize| entries[..n].iter().any(|other| same(other, &entries[n]));
    (0..entries.len()).filter(is_late).count() as u64
}

/// `ip4set`: of the tables of /32, /24, /16 and /8, the smallest that has the block of the
/// address decides.
fn ip4set_values(entries: &[Entry<u32>], key: u32) -> Vec<Value> {
    let mut named = Vec::new();
    for value in entries.iter().filter_map(|entry| entry.value) {
        if !named.contains(&value) {
            named.push(value);
        }
    }
    for len in [32, 24, 16, 8] {
        let has_block = |entry: &Entry<u32>, len| {
            entry.start <= key & !low_bits(len) && key | low_bits(len) <= entry.end
        };
        let is_here =
            |entry: &&Entry<u32>| has_block(entry, len) && (len == 8 || !has_block(entry, len - 8));
        let here: Vec<_> = entries.iter().filter(is_here).collect();
        if here.iter().any(|entry| entry.value.is_none()) {
            return Vec::new();
        }
        if !here.is_empty() {
            named.retain(|value| here.iter().any(|entry| entry.value == Some(*value)));
            return named;
        }
    }
    Vec::new()
}

/// The tries: the longest prefix decides, of the same ones the first.
fn trie_value<K: Copy + Ord>(entries: &[Entry<K>], key: K) -> Vec<Value> {
    let mut best: Option<&Entry<K>> = None;
    for entry in entries.iter().filter(|entry| entry.start <= key && key <= entry.end) {
        let is_better = |best: &Entry<K>| {
            best.start <= entry.start
                && entry.end <= best.end
                && (entry.start, entry.end) != (best.start, best.end)
        };
        if best.is_none_or(is_better) {
            best = Some(entry);
        }
    }
    best.and_then(|entry| entry.value).into_iter().collect()
}
