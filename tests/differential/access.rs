//! Random access lists (`acl`), and clients for them to be about.
//!
//! One thing is left out, because it crashes rbldnsd when it loads the file: a value without a
//! text or without an A value of its own, behind a default line that is a keyword.

use std::net::Ipv4Addr;

use super::scenario::{DataFile, Kind, Line, Scenario, Section, Spec};
use super::{known_differences, values};
use crate::common::Random;

/// An address other than that of the client which is always let in.
pub(crate) fn client(random: &mut Random) -> Ipv4Addr {
    let last = 2 + random.below(16) as u8;
    match random.below(10) {
        0 => Ipv4Addr::new(127, 0, 1, last),
        1 => Ipv4Addr::new(127, 1, 0, last),
        _ => Ipv4Addr::new(127, 0, 0, last),
    }
}

/// Gives some of the zones an access list, or all together.
pub(crate) fn add(random: &mut Random, scenario: &mut Scenario) {
    let mut zones: Vec<Spec> = Vec::new();
    for spec in &scenario.specs {
        if zones.iter().all(|zone| zone.apex() != spec.apex()) {
            zones.push(spec.clone());
        }
    }
    let is_clear = |zone: &Spec| !is_mixed(scenario, zone);
    let mut lists: Vec<String> = Vec::new();
    if random.chance(50) && zones.iter().all(is_clear) {
        lists.push(String::new());
    }
    let clear = zones.iter().filter(|zone| is_clear(zone));
    lists.extend(clear.filter(|_| random.chance(60)).map(|zone| zone.zone.clone()));
    for zone in lists {
        let known = scenario.specs.iter().find(|spec| spec.kind == Kind::Acl);
        let files = match known.filter(|_| random.chance(20)) {
            Some(spec) => spec.files.clone(),
            None => {
                let names = (0..1 + random.below(2)).map(|_| {
                    let name = format!("acl{}", scenario.files.len());
                    scenario.files.push(file(random, name.clone()));
                    name
                });
                names.collect()
            }
        };
        scenario.specs.push(Spec { zone, kind: Kind::Acl, files });
    }
}

/// True if a zone has records of `generic` datasets beside other data: what an access list leaves
/// of them, `judge` cannot tell.
fn is_mixed(scenario: &Scenario, zone: &Spec) -> bool {
    let specs = scenario.specs.iter().filter(|spec| spec.apex() == zone.apex());
    let kinds: Vec<Kind> = specs
        .flat_map(|spec| {
            let sections = scenario.sections(spec).into_iter().map(|Section { kind, .. }| kind);
            sections.chain([spec.kind])
        })
        .collect();
    kinds.contains(&Kind::Generic) && kinds.iter().any(|kind| *kind != Kind::Generic)
}

fn file(random: &mut Random, name: String) -> DataFile {
    // The client that asks for what the judge must know: the first entry of equal ones counts.
    let mut lines = vec![Line::new("127.0.0.1 :pass")];
    // The default value is one that others can take a text from.
    let mut is_whole = true;
    for _ in 0..random.below(14) {
        lines.push(match random.below(100) {
            0..65 => entry(random, is_whole),
            65..82 => {
                let text = default_line(random, &mut is_whole);
                Line::new(text)
            }
            82..92 => special(random),
            _ => Line::new(*random.pick(&["", "# comment", "   ", "#", "\t; x", "#:2:x"])),
        });
    }
    let (gzip, open) = (random.chance(10), random.chance(15));
    DataFile { name, lines, crlf: false, gzip, open }
}

fn entry(random: &mut Random, is_whole: bool) -> Line {
    if random.chance(6) {
        let text = format!("::ffff:7f00:{:x}", 2 + random.below(16));
        let action = *random.pick(&[":refuse", ":empty", ":7:mapped $", ":pass"]);
        return Line {
            text: format!("{text} {action}").into(),
            only_one: Some(known_differences::ACL_MAPPED),
        };
    }
    let mut text = format!("{}{}", random.pick(&["", "", "", " ", "\t"]), key(random)).into_bytes();
    let mut outside = false;
    let gap: &[u8] = random.pick::<&[u8]>(&[b" ", b"\t", b"  ", b""]);
    match random.below(10) {
        0..3 => {
            let ends: [&[u8]; 4] = [b"", b" ", b" # why", b"\t;x"];
            text.extend_from_slice(random.pick::<&[u8]>(&ends));
        }
        3..7 => text.extend([gap, action(random).as_bytes()].concat()),
        7 if is_whole => {
            let value;
            (value, outside) = values::value(random);
            text.extend([b" ", &value[..]].concat());
        }
        _ => text.extend([gap, whole_value(random).as_bytes()].concat()),
    }
    Line { text, only_one: outside.then_some(known_differences::A_OUTSIDE_127) }
}

/// A client, several, or a near miss.
fn key(random: &mut Random) -> String {
    let last = 2 + random.below(16);
    let bits = *random.pick(&[8, 16, 24, 28, 30, 31, 32]);
    match random.below(20) {
        0..10 => format!("127.0.0.{last}"),
        10 | 11 => format!("127.0.0.{last}/{bits}"),
        12 => format!("127.0.0.{}/30", last / 4 * 4),
        13 => format!("127.0.0.{}/31", last / 2 * 2),
        14 | 15 => (*random.pick(&["127.0.0", "127.0.1.0/24", "127.1/16", "127", "127.0.0.16/28"]))
            .to_owned(),
        16 => {
            (*random.pick(&["0/0", "127/8", "10/88", "::/0", "::1", "2001:db8::/32", "10:1::/32"]))
                .to_owned()
        }
        17 => (*random.pick(&["2001:db8::1/32", "::/1", "::2:0/112", "1:2", "127.0.0.2:pass"]))
            .to_owned(),
        18 => format!("127.0.0.{last}-{}", last + 2),
        _ => {
            let forms = [
                format!("127.0.0.{last}x"),
                format!("!127.0.0.{last}"),
                format!("127.0.0.{last}/33"),
                format!("127.0.0.{last}#"),
                format!("127.0.0.{last}="),
                format!("127.0.0.{last:03}"),
                "x".to_owned(),
            ];
            random.pick(&forms).clone()
        }
    }
}

/// A keyword, in one of its spellings, or a near miss.
fn action(random: &mut Random) -> &'static str {
    const NEAR_MISSES: [&str; 9] =
        [":emptyness", "=nothing", ": empty", ":", "=", "=2", ":2x", ":0:x", ":pass-on"];
    if random.chance(10) { random.pick::<&str>(&NEAR_MISSES) } else { keyword(random) }
}

fn keyword(random: &mut Random) -> &'static str {
    let forms = match random.below(10) {
        0 | 1 => &[":ignore", "=blackhole", ":i", "=Black"],
        2..5 => &[":refuse", "=refuse", ":R", ":refuse:x"],
        5..8 => &[":empty", "=EMPTY", ":e # comment", ":Emp more"],
        _ => &[":pass", "=pass", ":p", "=PASS;x"],
    };
    random.pick::<&str>(forms)
}

/// A value with an A value and a text, though it may be empty.
fn whole_value(random: &mut Random) -> &'static str {
    random.pick::<&str>(&[
        ":7:Too many queries, $",
        ":127.0.0.9:see $1$",
        ":8:",
        ":127.1.2.3 : $ $$ $2",
        ":3:=quiet",
        ":255:a; b # c",
    ])
}

fn default_line(random: &mut Random, is_whole: &mut bool) -> &'static str {
    match random.below(10) {
        0..5 => {
            *is_whole = false;
            keyword(random)
        }
        5 => random.pick::<&str>(&[":emptyness", "=nothing", "=2", ":2x", ":0:x"]),
        6 if *is_whole => random.pick::<&str>(&[":9", ":127.0.0.4"]),
        _ => {
            *is_whole = true;
            whole_value(random)
        }
    }
}

/// A line that starts with `$`; none that is from the future, with which no list is loaded.
fn special(random: &mut Random) -> Line {
    loop {
        let line = values::special(random, Kind::Ip4set);
        if !line.text.windows(10).any(|text| text == b"2037:01:01") {
            return line;
        }
    }
}
