//! The data sets that servers are compared by, as text files of rbldnsd's types, and the questions
//! to ask of them.

use crate::bounds;
use crate::common::{Entry, Random, addresses, cidrs, flatten, prefixes};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The type number of A records.
pub const A: u16 = 1;
/// The type number of TXT records.
pub const TXT: u16 = 16;

/// A data set.
pub struct Set {
    /// The type of the dataset, the one that suits it best, for dnsbld as for rbldnsd.
    pub kind: &'static str,
    content: Content,
    texts: Texts,
    order: Order,
}

/// The texts on the lines.
#[derive(Clone, Copy)]
enum Texts {
    /// None: the first line has the text of all entries.
    Default,
    /// One of so many for each entry.
    Of(u64),
}

/// In which order the lines of addresses and names stand.
#[derive(Clone, Copy)]
enum Order {
    /// That of the content.
    Content,
    Shuffled,
    /// That of the content, but for one line of the end, which stands near the beginning.
    OneAstray,
}

/// So many texts that nearly every entry has its own.
const OWN: u64 = 100_000_000;

enum Content {
    /// Single addresses, sorted.
    Addresses(Vec<u32>),
    /// IPv4 prefixes as they are written, and the ranges that they list.
    Prefixes(Vec<Entry>, Vec<Entry>),
    Names(Vec<String>, NameIndex),
    /// Labels of hashes, sorted.
    Digests(Vec<String>),
    /// IPv6 prefixes as they are written, and the ranges that they list.
    Prefixes6(Vec<Entry>, Vec<Entry>),
}

/// Which questions to ask.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A; one in ten is listed, half of the others are neighbours of listed keys.
    Mix,
    /// TXT; all are listed.
    Txt,
    /// A; none is listed.
    Unlisted,
}

/// One question.
pub struct Question {
    /// The name before the apex of the zone.
    pub name: String,
    /// The type: [`A`] or [`TXT`].
    pub qtype: u16,
    /// Whether it is to be answered, or the name does not exist.
    pub listed: bool,
}

/// How few bits a set could take.
pub struct Bound {
    /// If nothing is known of it but the number of its entries, of each length where they have one.
    pub bits: f64,
    /// If it is known too how many /24s have how many of them; for single addresses.
    pub by_networks: Option<f64>,
}

impl Set {
    /// `count` single IPv4 addresses with one value, most of them in one of `networks` /24s.
    pub fn addresses(count: usize, networks: usize) -> Self {
        Self::new("ip4tset", Content::Addresses(addresses(count, networks)))
    }

    fn new(kind: &'static str, content: Content) -> Self {
        Self { kind, content, texts: Texts::Default, order: Order::Content }
    }

    /// [`addresses`](Self::addresses), each with one of `texts` texts.
    pub fn addresses_with(count: usize, networks: usize, texts: u64) -> Self {
        let set = Self::addresses(count, networks);
        Self { kind: "ip4set", texts: Texts::Of(texts), ..set }
    }

    /// [`addresses`](Self::addresses), nearly each with a text of its own.
    pub fn addresses_with_own(count: usize, networks: usize) -> Self {
        Self::addresses_with(count, networks, OWN)
    }

    /// [`names`](Self::names), nearly each with a text of its own.
    pub fn names_with_own(count: usize) -> Self {
        Self { texts: Texts::Of(OWN), ..Self::names(count) }
    }

    /// Puts the lines in any order.
    pub fn shuffled(self) -> Self {
        Self { order: Order::Shuffled, ..self }
    }

    /// Puts one line where it is out of order.
    pub fn one_astray(self) -> Self {
        Self { order: Order::OneAstray, ..self }
    }

    /// `count` IPv4 prefixes /24 and /32 with one value, sorted.
    pub fn two_lengths(count: usize) -> Self {
        let entries = two_lengths(count);
        let ranges = flatten(entries.clone());
        Self::new("ip4set", Content::Prefixes(entries, ranges))
    }

    /// Some of the addresses of a set of addresses, by their places.
    pub fn part(&self, is_in: impl Fn(usize) -> bool) -> Self {
        let keys: &[u32] = match &self.content {
            Content::Addresses(keys) => keys,
            _ => &[],
        };
        let keys = keys.iter().enumerate().filter(|(place, _)| is_in(*place));
        Self::new(self.kind, Content::Addresses(keys.map(|(_, &key)| key).collect()))
    }

    /// `count` IPv4 prefixes with some of `texts` texts.
    pub fn cidrs(count: usize, texts: u64) -> Self {
        let entries = cidrs(count, texts);
        let ranges = flatten(entries.clone());
        let set = Self::new("ip4trie", Content::Prefixes(entries, ranges));
        Self { texts: Texts::Of(texts), ..set }
    }

    /// `count` domain names, half of them with all names below them.
    pub fn names(count: usize) -> Self {
        let names: Vec<_> = names(1, count).collect();
        let index = NameIndex::new(&names);
        Self::new("dnset", Content::Names(names, index))
    }

    /// `count` hashes of 160 bits in hex.
    pub fn digests(count: usize) -> Self {
        let mut random = Random::new(7);
        let mut labels: Vec<_> = (0..count).map(|_| digest(&mut random)).collect();
        labels.sort_unstable();
        Self::new("hashset", Content::Digests(labels))
    }

    /// `count` IPv6 prefixes with one value.
    pub fn ip6(count: usize) -> Self {
        let entries = prefixes(count, true);
        let ranges = flatten(entries.clone());
        Self::new("ip6trie", Content::Prefixes6(entries, ranges))
    }

    /// Writes the file.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let parameter = match &self.content {
            Content::Names(..) => "name",
            Content::Digests(_) => "hash",
            _ => "ip",
        };
        if let Texts::Default = self.texts {
            writeln!(out, ":127.0.0.2:Blocked - see https://bl.test/lookup?{parameter}=$")?;
        }
        match &self.content {
            Content::Addresses(keys) => self.places(keys.len()).try_for_each(|place| {
                let address = Ipv4Addr::from(keys[place]);
                writeln!(out, "{address}{}", self.value(place))
            }),
            Content::Prefixes(entries, _) => entries.iter().try_for_each(|&(start, end, answer)| {
                let prefix = Ipv4Addr::from(start as u32);
                let length = 32 - (end - start + 1).ilog2();
                match (answer, self.texts) {
                    (0, _) => writeln!(out, "!{prefix}/{length}"),
                    (_, Texts::Default) => writeln!(out, "{prefix}/{length}"),
                    (_, Texts::Of(_)) => writeln!(
                        out,
                        "{prefix}/{length} :2:See http://www.bl.test/?page=test&C=2&E={answer}&ip=$"
                    ),
                }
            }),
            Content::Names(names, _) => self.places(names.len()).try_for_each(|place| {
                let dot = if is_wide(place) { "." } else { "" };
                writeln!(out, "{dot}{}{}", names[place], self.value(place))
            }),
            Content::Digests(labels) => labels.iter().try_for_each(|label| writeln!(out, "{label}")),
            Content::Prefixes6(entries, _) => entries.iter().try_for_each(|&(start, end, _)| {
                let length = 128 - (end - start + 1).ilog2();
                writeln!(out, "{}/{length}", Ipv6Addr::from(start))
            }),
        }
    }

    /// The places of so many entries, in the order of their lines.
    fn places(&self, count: usize) -> impl Iterator<Item = usize> {
        let mut places: Vec<usize> = (0..count).collect();
        match self.order {
            Order::Content => {}
            Order::Shuffled => {
                let mut random = Random::new(9);
                (1..count)
                    .for_each(|last| places.swap(last, random.below(last as u64 + 1) as usize));
            }
            Order::OneAstray => places[count / 100..=count / 100 * 95].rotate_right(1),
        }
        places.into_iter()
    }

    /// The value and the text of the entry at this place.
    fn value(&self, place: usize) -> String {
        match self.texts {
            Texts::Default => String::new(),
            Texts::Of(texts) => {
                let case = Random::new(place as u64).below(texts);
                format!(
                    " :127.0.0.2:Spam seen, evidence at https://bl.test/evidence?case={case:08}"
                )
            }
        }
    }

    /// How few bits it could take, with its answers but without their texts.
    pub fn bound(&self) -> Bound {
        let (bits, by_networks) = match &self.content {
            Content::Addresses(keys) => {
                (bounds::addresses(keys), Some(bounds::addresses_by_networks(keys)))
            }
            Content::Prefixes(entries, _) => (bounds::prefixes(entries, 32, 0), None),
            Content::Prefixes6(entries, _) => (bounds::prefixes(entries, 128, 3), None),
            Content::Names(names, _) => {
                let bits: f64 = names.iter().map(|name| 1.0 + surprise(name)).sum();
                (bits - bounds::order(names.len()), None)
            }
            Content::Digests(labels) => {
                (160.0 * labels.len() as f64 - bounds::order(labels.len()), None)
            }
        };
        Bound { bits, by_networks }
    }

    /// Questions, the same ones at each call.
    pub fn questions(&self, mix: Asked, count: usize) -> Vec<Question> {
        let mut random = Random::new(5);
        let question = |_| {
            let sort = random.below(20);
            let listed = mix == Asked::Txt || mix == Asked::Mix && sort < 2;
            let qtype = if mix == Asked::Txt { TXT } else { A };
            let name = match (listed, sort < 11) {
                (true, _) => self.listed(&mut random),
                (false, true) => self.unlisted(&mut random, Self::neighbour),
                (false, false) => self.unlisted(&mut random, Self::anywhere),
            };
            Question { name, qtype, listed }
        };
        (0..count).map(question).collect()
    }

    fn listed(&self, random: &mut Random) -> String {
        match &self.content {
            Content::Addresses(keys) => octets(keys[pick(random, keys)]),
            Content::Prefixes(_, ranges) => octets(ranges[pick(random, ranges)].1 as u32),
            Content::Names(names, _) => names[pick(random, names)].clone(),
            Content::Digests(labels) => labels[pick(random, labels)].clone(),
            Content::Prefixes6(_, ranges) => nibbles(ranges[pick(random, ranges)].1),
        }
    }

    /// The first of the names that this gives which is not listed, nor above one that is.
    fn unlisted(
        &self,
        random: &mut Random,
        name: impl Fn(&Self, &mut Random) -> Option<String>,
    ) -> String {
        loop {
            if let Some(name) = name(self, random) {
                return name;
            }
        }
    }

    fn neighbour(&self, random: &mut Random) -> Option<String> {
        let near = 1 + random.below(255);
        match &self.content {
            Content::Addresses(keys) => {
                let key = keys[pick(random, keys)] ^ near as u32;
                keys.binary_search(&key).is_err().then(|| octets(key))
            }
            Content::Prefixes(_, ranges) => {
                let key = ranges[pick(random, ranges)].1 ^ u128::from(near);
                is_outside(ranges, key).then(|| octets(key as u32))
            }
            Content::Names(names, index) => {
                let listed = &names[pick(random, names)];
                // Another first label, in the mean as long.
                let (first, rest) = listed.split_once('.')?;
                let mut name: String = first.chars().rev().collect();
                name.push('.');
                name.push_str(rest);
                index.is_free(&name).then_some(name)
            }
            Content::Digests(labels) => {
                // The first digits of a listed one: it is sought among the same rows.
                let (head, tail) = (&labels[pick(random, labels)][..8], digest(random));
                let label = format!("{head}{}", &tail[8..]);
                labels.binary_search(&label).is_err().then_some(label)
            }
            Content::Prefixes6(_, ranges) => {
                let key = ranges[pick(random, ranges)].1 ^ u128::from(near) << 64;
                is_outside(ranges, key).then(|| nibbles(key))
            }
        }
    }

    fn anywhere(&self, random: &mut Random) -> Option<String> {
        match &self.content {
            Content::Addresses(keys) => {
                let key = random.ip4();
                keys.binary_search(&key).is_err().then(|| octets(key))
            }
            Content::Prefixes(_, ranges) => {
                let key = random.ip4();
                is_outside(ranges, key.into()).then(|| octets(key))
            }
            Content::Names(_, index) => {
                let name = names(random.bits(), 1).next()?;
                index.is_free(&name).then_some(name)
            }
            Content::Digests(labels) => {
                let label = digest(random);
                labels.binary_search(&label).is_err().then_some(label)
            }
            Content::Prefixes6(_, ranges) => {
                let bits = u128::from(random.bits()) << 64 | u128::from(random.bits());
                let key = bits >> 3 | 1 << 125;
                is_outside(ranges, key).then(|| nibbles(key))
            }
        }
    }
}

/// Distinct prefixes /24 and /32, half of each, sorted; the shorter ones do not cover others.
fn two_lengths(count: usize) -> Vec<Entry> {
    let keys = addresses(4 * count, count);
    let networks = keys.chunk_by(|a, b| a >> 8 == b >> 8);
    let mut entries = Vec::with_capacity(count);
    for (number, network) in networks.enumerate() {
        let first = u128::from(network[0]);
        entries.push(if number % 2 == 0 {
            (first & !255, first | 255, 1)
        } else {
            (first, first, 1)
        });
    }
    entries.truncate(count);
    entries
}

/// Whether the name with this place in the file stands for the names below it too.
fn is_wide(number: usize) -> bool {
    number % 2 == 1
}

fn pick<T>(random: &mut Random, of: &[T]) -> usize {
    random.below(of.len() as u64) as usize
}

fn is_outside(ranges: &[Entry], key: u128) -> bool {
    let after = ranges.partition_point(|range| range.0 <= key);
    after == 0 || ranges[after - 1].1 < key
}

fn octets(key: u32) -> String {
    let [a, b, c, d] = key.to_be_bytes();
    format!("{d}.{c}.{b}.{a}")
}

fn nibbles(key: u128) -> String {
    let digits = (0..32).map(|at| format!("{:x}", key >> (4 * at) & 15));
    digits.collect::<Vec<_>>().join(".")
}

/// The hashes of the names that are listed, of those that have all names below them listed, and
/// of the names above them, each sorted.
struct NameIndex {
    listed: Vec<u64>,
    wide: Vec<u64>,
    above: Vec<u64>,
}

impl NameIndex {
    fn new(names: &[String]) -> Self {
        let mut index = Self { listed: Vec::new(), wide: Vec::new(), above: Vec::new() };
        for (number, name) in names.iter().enumerate() {
            index.listed.push(hash(name));
            if is_wide(number) {
                index.wide.push(hash(name));
            }
            index.above.extend(parents(name).map(hash));
        }
        for hashes in [&mut index.listed, &mut index.wide, &mut index.above] {
            hashes.sort_unstable();
            hashes.dedup();
        }
        index
    }

    /// True if neither the name nor one below it is listed.
    fn is_free(&self, name: &str) -> bool {
        let within = |hashes: &[u64], name: &str| hashes.binary_search(&hash(name)).is_ok();
        !within(&self.listed, name)
            && !within(&self.above, name)
            && !parents(name).any(|parent| within(&self.wide, parent))
    }
}

fn parents(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| Some(name.split_once('.')?.1)).skip(1)
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// A hash of 160 bits in hex.
fn digest(random: &mut Random) -> String {
    let words = [random.bits(), random.bits(), random.bits() >> 32];
    format!("{:016x}{:016x}{:08x}", words[0], words[1], words[2])
}

/// Domain names of two labels (60 %), three (30 %) or four, 17 bytes in wire form in the mean.
pub fn names(seed: u64, count: usize) -> impl Iterator<Item = String> {
    let mut random = Random::new(seed);
    (0..count).map(move |_| name(&mut random))
}

const TOPS: [&str; 11] =
    ["com", "com", "com", "com", "net", "org", "info", "de", "ru", "top", "xyz"];
/// Labels before the last two.
const MORE_LABELS: [usize; 10] = [0, 0, 0, 0, 0, 0, 1, 1, 1, 2];

fn name(random: &mut Random) -> String {
    let mut name = String::new();
    for _ in 0..MORE_LABELS[pick(random, &MORE_LABELS)] {
        let len = 1 + random.below(5);
        push_label(random, len, &mut name);
    }
    let len = 6 + random.below(8);
    push_label(random, len, &mut name);
    name.push_str(TOPS[pick(random, &TOPS)]);
    name
}

fn push_label(random: &mut Random, len: u64, name: &mut String) {
    for at in 0..len {
        // No hyphen at the ends of a label.
        let letters = if at == 0 || at == len - 1 { 36 } else { 37 };
        let letter = random.below(letters) as usize;
        name.push(char::from(b"abcdefghijklmnopqrstuvwxyz0123456789-"[letter]));
    }
    name.push('.');
}

/// The text of a `generic` dataset: an A and a TXT record for each of the [`names`] of seed 1.
pub fn records(count: usize) -> String {
    let lines = |name: String| format!("{name} A 127.0.0.2\n{name} TXT \"Listed: {name}\"\n");
    names(1, count).map(lines).collect()
}

/// The text of a `combined` dataset of two subzones, `ip` and `name`, with these sets.
pub fn combined(ip: &Set, name: &Set) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    for (subzone, set) in [("ip", ip), ("name", name)] {
        writeln!(out, "$DATASET {} {subzone}", set.kind)?;
        set.write(&mut out)?;
    }
    Ok(out)
}

/// The base-2 logarithm of one in how many names is this one.
fn surprise(name: &str) -> f64 {
    let mut labels = name.rsplit('.');
    let top = labels.next();
    let labels: Vec<_> = labels.map(str::len).collect();
    let share = |same: usize, all: usize| (all as f64 / same as f64).log2();
    let tops = TOPS.iter().filter(|&&other| Some(other) == top).count();
    let more = MORE_LABELS.iter().filter(|&&more| more + 1 == labels.len()).count();
    let letters = |len: usize| {
        let ends = len.min(2);
        ends as f64 * 36_f64.log2() + (len - ends) as f64 * 37_f64.log2()
    };
    let lengths = 8_f64.log2() + (labels.len() - 1) as f64 * 5_f64.log2();
    let letters: f64 = labels.into_iter().map(letters).sum();
    share(tops, TOPS.len()) + share(more, MORE_LABELS.len()) + lengths + letters
}
