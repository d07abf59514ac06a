//! Random scenarios: zones and data files over small key spaces, so that overlaps, exclusions
//! and neighbours are common.

use super::access;
use super::scenario::{DataFile, Kind, Line, Scenario, Spec};
use super::{known_differences, values};
use crate::common::Random;

/// The octets, words and labels that a scenario's keys are made of.
pub(crate) struct Keyspace {
    octets: [Vec<u8>; 4],
    words: Vec<u16>,
    labels: Vec<&'static str>,
}

impl Keyspace {
    fn new(random: &mut Random) -> Self {
        let mut some = |from: &[u8], count: usize| (0..count).map(|_| *random.pick(from)).collect();
        let octets = [
            some(&[127, 10, 1, 203, 0, 255], 2),
            some(&[0, 0, 1, 16, 31, 255], 2),
            some(&[0, 0, 1, 2, 128, 255], 3),
            some(&[0, 1, 2, 3, 7, 8, 9, 127, 128, 129, 254, 255], 7),
        ];
        let words = (0..3).map(|_| *random.pick(&[0, 1, 2, 0xdb8, 0xffff, 0xa, 0x7f00])).collect();
        let labels = [
            "a", "b", "c", "www", "mail", "com", "Example", "TEST", "invalid", "x-y", "_dmarc",
            "1", "127", "a\\.b", "\\065", "odd\"",
        ];
        let labels = (0..5).map(|_| *random.pick(&labels)).collect();
        Self { octets, words, labels }
    }

    /// An address.
    pub(crate) fn ipv4(&self, random: &mut Random) -> u32 {
        if random.chance(3) {
            return if random.chance(50) { 0x7f00_0002 } else { 0x7f00_0001 };
        }
        u32::from_be_bytes([0, 1, 2, 3].map(|at: usize| *random.pick(&self.octets[at])))
    }

    /// An address: mostly in 2001:db8::/32, sometimes v4-mapped or 6to4.
    pub(crate) fn ipv6(&self, random: &mut Random) -> u128 {
        let mut words = [0; 8];
        words[0] = random.weighted(&[(7, 0x2001), (1, 0x2002), (1, 0xfe80), (1, 0)]);
        words[1] = 0xdb8;
        for word in &mut words[2..] {
            *word = *random.pick(&self.words);
        }
        if random.chance(8) {
            words = [0, 0, 0, 0, 0, 0xffff, 0x7f00, *random.pick(&[1, 2, 3])];
        }
        words.iter().fold(0, |sum, word| sum << 16 | u128::from(*word))
    }

    /// A name of 1 to 4 labels, as text.
    pub(crate) fn name(&self, random: &mut Random) -> String {
        let labels: Vec<&str> =
            (0..1 + random.below(4)).map(|_| *random.pick(&self.labels)).collect();
        labels.join(".")
    }
}

/// A random scenario and the keys it is made of.
pub(crate) fn scenario(random: &mut Random) -> (Scenario, Keyspace) {
    let keyspace = Keyspace::new(random);
    let mut scenario = Scenario::default();
    let apexes = ["bl.example", "sub.bl.example", "x.sub.bl.example", "Other.Test", "test"];
    let zones: Vec<&str> = (0..1 + random.below(3)).map(|_| *random.pick(&apexes)).collect();
    for _ in 0..1 + random.below(4) {
        let kind = *random.pick(&Kind::ALL);
        let files = (0..random.weighted(&[(6, 1), (3, 2), (1, 3)]))
            .map(|_| {
                let name = format!("f{}", scenario.files.len());
                scenario.files.push(file(random, name.clone(), kind, &keyspace));
                name
            })
            .collect();
        let zone = match kind {
            // Nothing else in a zone of a combined dataset but records, and one such zone.
            Kind::Combined => COMBINED,
            Kind::Generic if random.chance(30) => COMBINED,
            _ if random.chance(5) => "a.combined.example",
            _ => random.pick(&zones),
        };
        let spec = Spec { zone: zone.to_owned(), kind, files };
        if kind == Kind::Combined && scenario.specs.iter().any(|spec| spec.kind == kind) {
            continue;
        }
        if kind != Kind::Combined && random.chance(20) {
            scenario.specs.push(Spec { zone: (*random.pick(&apexes)).to_owned(), ..spec.clone() });
        }
        scenario.specs.push(spec);
    }
    if random.chance(30) {
        let last = scenario.specs.pop().expect("there is at least one");
        scenario.specs.insert(0, last);
    }
    if random.chance(25) {
        access::add(random, &mut scenario);
    }
    (scenario, keyspace)
}

/// Options of rbldnsd's command line that have to do with answers.
pub(crate) fn options(random: &mut Random) -> Vec<String> {
    let ttls = ["1800", "1h", "30m:60", "1h:10m:2h", "::1h", "5:5:5", "2h:1h", "1d::2w", ":1m"];
    let mut options: Vec<&str> = Vec::new();
    for (percent, forms) in [
        (60, &[&["-a"][..], &["-a"], &["-A"], &["-aA"], &["-A", "-a"]][..]),
        (30, &[&["-e"]]),
        (50, &[&["-v"], &["-vv"]]),
        (20, &[&["-4"], &["-f"], &["-4f"], &["-F", "local0"], &["-fe"]]),
        (5, &[&["-C"]]),
    ] {
        if random.chance(percent) {
            options.extend(*random.pick(forms));
        }
    }
    if random.chance(60) {
        options.extend(["-t", random.pick::<&str>(&ttls)]);
    }
    options.into_iter().map(str::to_owned).collect()
}

/// The zone of combined datasets.
const COMBINED: &str = "combined.example";

fn file(random: &mut Random, name: String, kind: Kind, keyspace: &Keyspace) -> DataFile {
    let mut lines = Vec::new();
    if random.chance(50) {
        lines.push(Line::new("$SOA 1h ns.example host.example 0 2h 1h 1w 5m"));
    }
    if random.chance(40) {
        lines.push(Line::new("$NS 1h ns1.example ns2.example"));
    }
    if kind == Kind::Combined {
        sections(random, &mut lines, &name, keyspace);
    } else {
        body(random, &mut lines, kind, &name, keyspace);
    }
    let (crlf, gzip, open) = (random.chance(3), random.chance(10), random.chance(15));
    DataFile { name, lines, crlf, gzip, open }
}

/// The sections of a combined file.
fn sections(random: &mut Random, lines: &mut Vec<Line>, name: &str, keyspace: &Keyspace) {
    for _ in 0..random.below(3) {
        lines.push(values::special(random, Kind::Ip4set));
    }
    for _ in 0..random.weighted(&[(1, 0), (10, 1), (10, 2), (10, 3)]) {
        let kind = *random.pick(&Kind::ALL[..7]);
        let lead = *random.pick(&["$DATASET", "$dataset", " $DataSet", "#$DATASET", ":$DATASET"]);
        let title = *random.pick(&["", "", ":", ":title", ":twenty-one-characters-"]);
        let mut text = format!("{lead} {}{title}", kind.as_str());
        for _ in 0..random.weighted(&[(1, 0), (20, 1), (15, 2), (5, 3)]) {
            let subzones =
                ["@", "a", "b.a", "c.b.a", "A.", "sub", "x.sub", "deep.down", ".", "127"];
            text.push_str(random.pick::<&str>(&[" ", "\t", "  "]));
            text.push_str(random.pick::<&str>(&subzones));
        }
        if random.chance(10) {
            text.push_str(random.pick::<&str>(&[" # a", "\t;a", " \\256", " a#b"]));
        }
        lines.push(Line::new(text));
        let first = lines.len();
        body(random, lines, kind, name, keyspace);
        // IPv6 in an ip4trie is served in a dataset of its own, which a section cannot have.
        let mut number = 0..;
        lines.retain(|line| {
            let is_old = number.next().is_some_and(|number| number < first);
            is_old || line.only_one != Some(known_differences::IP4TRIE_IPV6)
        });
    }
    if random.chance(1) {
        let odd = ["$DATASET", "$DATASET #x", "$DATASET ip4st @", "$DATASET combined @", "1.2.3.4"];
        let at = random.below(lines.len() + 1);
        lines.insert(at, Line::new(*random.pick(&odd)));
    }
}

/// The lines of a dataset, or of one section.
fn body(random: &mut Random, lines: &mut Vec<Line>, kind: Kind, name: &str, keyspace: &Keyspace) {
    if kind != Kind::Generic && random.chance(70) {
        lines.push(values::default_line(random, kind));
    }
    for _ in 0..random.below(30) {
        lines.push(match random.below(100) {
            0..80 => entry(random, kind, keyspace),
            80..87 if kind != Kind::Generic => values::default_line(random, kind),
            80..87 => entry(random, kind, keyspace),
            87..94 => values::special(random, kind),
            _ => Line::new(*random.pick(&[
                "",
                "# comment",
                "; comment",
                "   ",
                "#",
                "\t# x",
                "#:2:x",
            ])),
        });
    }
    if kind != Kind::Generic && random.chance(5) {
        // More values for one key than a reply can hold.
        let key = key(random, kind, keyspace);
        for number in 3..3 + random.below(60) {
            lines.push(Line::new(format!(
                "{key} :{number}:Reason number {number}, see list {name}"
            )));
        }
    }
}

/// A line of a generic dataset: a record, or a near miss.
fn record(random: &mut Random, keyspace: &Keyspace) -> Line {
    let name = match random.below(10) {
        0 | 1 => "@".to_owned(),
        2 | 3 => {
            let octets = keyspace.ipv4(random).to_le_bytes().map(|octet| octet.to_string());
            octets.join(".")
        }
        _ => keyspace.name(random),
    };
    // What dnsbld makes of test points that are both listed and recorded is another matter.
    let is_test_point =
        ["test", "invalid", "2.0.0.127", "1.0.0.127"].contains(&&*name.to_lowercase());
    let name = if is_test_point { format!("g.{name}") } else { name };
    let ttl = *random.pick(&["", "", "", "", "60", "2m", "0", "1D", "1h", "4294967295", "300:"]);
    let class = *random.pick(&["", "", "", "", "IN", "in", "CH"]);
    let data = match random.below(100) {
        0..40 => format!(
            "{} {}",
            random.pick(&["A", "a"]),
            random.pick(&[
                "127.0.0.2",
                "127.0.0.3",
                "10.1.2.3x",
                "127.2",
                "2",
                "0.0.0.0 # x",
                "1.2.3.256"
            ])
        ),
        40..70 => {
            let texts =
                ["text", "\"quoted $ $1\"", "\"\"", "\"half", "=x", "a  b\t; c", "v=spf1 -all"];
            format!("{} {}", random.pick(&["TXT", "txt"]), random.pick(&texts))
        }
        70..72 => format!("TXT {}", "long ".repeat(random.below(70))),
        72..90 => {
            let data =
                ["10 Mail.Example", "20 mail.example.", "0 .", "5 a", "65535 b\\.c", "65536 a"];
            format!("MX {}", random.pick(&data))
        }
        _ => (*random.pick(&[
            "NS ns.example",
            "AAAA ::x",
            "A",
            "TXT",
            "MX",
            "MX x",
            "A x",
            "",
            "A\t:2",
        ]))
        .to_owned(),
    };
    let words = [&name, ttl, class, &*data];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let mut text = words.join(random.pick::<&str>(&[" ", "\t", "  "]));
    if random.chance(1) && random.chance(30) {
        text = (*random.pick(&[
            "a 5x A 127.0.0.2",
            "a MX 10",
            "a MX 10 b c",
            "a 4294967296 A 1.2.3.4",
        ]))
        .to_owned();
    }
    Line::new(text)
}

/// A line with a key: listed or excluded, with and without a value, or a near miss.
fn entry(random: &mut Random, kind: Kind, keyspace: &Keyspace) -> Line {
    if kind == Kind::Ip4trie && random.chance(2) {
        let text =
            *random.pick(&["2001:db8::/33 :6:six $", "!2001:db8:1::/48", "2001:db8:2::1 :7:"]);
        return Line { text: text.into(), only_one: Some(known_differences::IP4TRIE_IPV6) };
    }
    if kind == Kind::Generic {
        return record(random, keyspace);
    }
    let key = key(random, kind, keyspace);
    let lead = *random.pick(&["", "", "", "", " ", "\t"]);
    if random.chance(15) {
        let gap = *random.pick(&["", "", " "]);
        return Line::new(format!("{lead}!{gap}{key}"));
    }
    let mut text = format!("{lead}{key}").into_bytes();
    let mut outside = false;
    match random.below(10) {
        0..5 => {}
        5 => text.extend_from_slice(random.pick::<&[u8]>(&[
            b" ",
            b"\t",
            b" # comment",
            b" ; why",
            b"\t;x",
        ])),
        _ => {
            let (value, value_outside) = values::value(random);
            text.extend_from_slice(random.pick::<&[u8]>(&[b" ", b"\t", b"  "]));
            text.extend_from_slice(&value);
            // These types ignore the values of entries.
            outside = value_outside && !matches!(kind, Kind::Ip4tset | Kind::Ip6tset);
            // Some keys bring a value of their own, behind which this is text.
            outside &= !key.contains(' ');
        }
    }
    Line { text, only_one: outside.then_some(known_differences::A_OUTSIDE_127) }
}

fn key(random: &mut Random, kind: Kind, keyspace: &Keyspace) -> String {
    let (ipv4, ipv6) = (keyspace.ipv4(random), keyspace.ipv6(random));
    match kind {
        Kind::Ip4set => ipv4_range(random, ipv4),
        Kind::Ip4trie => ipv4_cidr(random, ipv4),
        Kind::Ip4tset if random.chance(85) => dotted(random, ipv4, 4),
        Kind::Ip4tset => ipv4_cidr(random, ipv4),
        Kind::Ip6trie => ipv6_cidr(random, ipv6),
        Kind::Ip6tset => ipv6_half(random, ipv6),
        Kind::Dnset | Kind::Acl | Kind::Generic | Kind::Combined => dn(random, keyspace),
    }
}

/// The first octets of an address, now and then with leading zeros.
fn dotted(random: &mut Random, address: u32, octets: usize) -> String {
    let bytes = address.to_be_bytes();
    let octets: Vec<String> = bytes[..octets]
        .iter()
        .map(|octet| if random.chance(3) { format!("{octet:03}") } else { octet.to_string() })
        .collect();
    octets.join(".")
}

fn ipv4_cidr(random: &mut Random, address: u32) -> String {
    let bits = *random.pick(&[8, 12, 15, 16, 17, 20, 22, 23, 24, 25, 28, 29, 30, 31, 32_u32]);
    let network = address & u32::MAX << (32 - bits);
    match random.below(100) {
        0..40 => dotted(random, address, 4),
        40..65 => format!("{}/{bits}", dotted(random, network, 4)),
        65..75 => format!("{}/{bits}", dotted(random, network, bits.div_ceil(8) as usize)),
        75..85 => dotted(random, address, 3),
        85..88 => dotted(random, address, 2),
        _ => ipv4_near_miss(random, address),
    }
}

fn ipv4_range(random: &mut Random, address: u32) -> String {
    if random.chance(60) {
        return ipv4_cidr(random, address);
    }
    let span = *random.pick(&[0, 1, 5, 100, 255, 256, 300, 65_535, 70_000, 20_000_000]);
    let last = address.saturating_add(span);
    let octets = 1 + random.below(4);
    match random.below(10) {
        0..4 => format!("{}-{}", dotted(random, address, 4), dotted(random, last, 4)),
        4..6 => format!("{}-{}", dotted(random, address, octets), dotted(random, last, octets)),
        6 => format!("{}-{}", dotted(random, last, 4), dotted(random, address, 4)),
        7 => format!("{}-{}", dotted(random, address, 1), dotted(random, address, octets)),
        _ => format!("{}-{}", dotted(random, address, octets), random.below(260)),
    }
}

/// Spellings that are not addresses, or not always.
fn ipv4_near_miss(random: &mut Random, address: u32) -> String {
    let whole = dotted(random, address, 4);
    let forms = [
        format!("{whole}/{}", 8 + random.below(26)),
        format!("{whole}/"),
        format!("{whole}."),
        format!("{whole}.1"),
        format!("{whole}x"),
        format!("{whole}:2"),
        format!("{whole};why"),
        format!("{whole}#why"),
        format!("{whole}/32/32"),
        format!(".{whole}"),
        format!("-{whole}"),
        format!("{whole}-"),
        format!("{}.256", dotted(random, address, 3)),
        format!("{}..1", dotted(random, address, 2)),
        dotted(random, address, 1),
        format!("{}/8", dotted(random, address, 1)),
        "0/0".to_owned(),
        "0.0.0.0/1".to_owned(),
        "!".to_owned(),
        "x".to_owned(),
    ];
    random.pick(&forms).clone()
}

/// An address's first words, in one of its spellings.
fn ipv6_words(random: &mut Random, address: u128, words: usize) -> String {
    let mut text = Vec::new();
    for at in 0..words {
        let word = (address >> (112 - 16 * at)) as u16;
        text.push(match random.below(20) {
            0 => format!("{word:04x}"),
            1 => format!("{word:X}"),
            2 => format!("{word:06x}"),
            _ => format!("{word:x}"),
        });
    }
    text.join(":")
}

fn ipv6_compressed(address: u128) -> String {
    std::net::Ipv6Addr::from(address).to_string()
}

fn ipv6_cidr(random: &mut Random, address: u128) -> String {
    let bits = *random.pick(&[16, 20, 32, 36, 48, 52, 64, 65, 80, 96, 112, 113, 126, 127, 128_u32]);
    let network = address & u128::MAX << (128 - bits);
    match random.below(100) {
        0..25 => ipv6_compressed(address),
        25..35 => ipv6_words(random, address, 8),
        35..60 => format!("{}/{bits}", ipv6_compressed(network)),
        60..75 => format!("{}/{bits}", ipv6_words(random, network, bits.div_ceil(16) as usize)),
        75..90 => {
            let words = 2 + random.below(6);
            ipv6_words(random, address, words)
        }
        _ => ipv6_near_miss(random, address),
    }
}

fn ipv6_half(random: &mut Random, address: u128) -> String {
    match random.below(10) {
        0..6 => ipv6_words(random, address, 4),
        6..9 => ipv6_compressed(address),
        _ => ipv6_cidr(random, address),
    }
}

fn ipv6_near_miss(random: &mut Random, address: u128) -> String {
    let whole = ipv6_words(random, address, 8);
    let forms = [
        format!("{whole}/{}", 100 + random.below(32)),
        format!("{whole}/"),
        format!("{whole}g"),
        format!("{whole};why"),
        format!("{whole} :3:"),
        ipv6_words(random, address, 1),
        format!("{}/16", ipv6_words(random, address, 1)),
        format!("{}:", ipv6_words(random, address, 3)),
        format!("{}:12345::", ipv6_words(random, address, 2)),
        "::/0".to_owned(),
        "8000::/1".to_owned(),
        "::".to_owned(),
        ":".to_owned(),
        "2001".to_owned(),
    ];
    random.pick(&forms).clone()
}

fn dn(random: &mut Random, keyspace: &Keyspace) -> String {
    let name = keyspace.name(random);
    match random.below(100) {
        0..45 => name,
        45..65 => format!(".{name}"),
        65..85 => format!("*.{name}"),
        85..90 => format!("{name}."),
        _ => random
            .pick(&[
                format!("..{name}"),
                format!("*{name}"),
                format!("*.*.{name}"),
                format!("{name}..com"),
                format!("{name}:2:x"),
                format!("{name}#x"),
                format!("{}.{name}", "l".repeat(63)),
                format!("{}.{name}", "l".repeat(64)),
                format!("{}{name}", "label.".repeat(38)),
                format!("{name}.\\300"),
                name.to_uppercase(),
                ".".to_owned(),
                "*".to_owned(),
                "*.".to_owned(),
                "!".to_owned(),
            ])
            .clone(),
    }
}
