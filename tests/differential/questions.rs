//! Random questions about a scenario: its keys and their neighbours in every spelling, its
//! apexes and what is beside them; every type and class; headers, EDNS and damage.

use super::access;
use super::files::Keyspace;
use super::keys::{self, Key};
use super::scenario::{Kind, Scenario, Spec};
use crate::common::Random;
use crate::common::message::{AA, RD, TC};
use crate::common::name::{self, Label, Name};
use crate::common::query::{
    CLASS_ANY, CLASS_CH, CLASS_IN, Damage, Edns, Query, TYPE_A, TYPE_ANY, TYPE_NS, TYPE_SOA,
    TYPE_TXT,
};

/// `count` questions about `scenario`.
pub(crate) fn questions(
    random: &mut Random,
    scenario: &Scenario,
    keyspace: &Keyspace,
    count: usize,
) -> Vec<Query> {
    let mut keys = Vec::new();
    for spec in scenario.specs.iter().filter(|spec| spec.kind != Kind::Acl) {
        for (section, line) in scenario.lines(spec) {
            let borders = keys::borders(section.kind, &line.text);
            if !borders.is_empty() {
                keys.extend(section.apexes.into_iter().map(|apex| (apex, borders.clone())));
            }
        }
    }
    let mut questions: Vec<Query> =
        (0..count).map(|_| question(random, scenario, keyspace, &keys)).collect();
    if scenario.specs.iter().any(|spec| spec.kind == Kind::Acl) {
        // Last, because who asks for them costs time.
        for query in questions.iter_mut().skip(count - count / 3) {
            query.from = Some(access::client(random));
        }
    }
    questions
}

fn question(
    random: &mut Random,
    scenario: &Scenario,
    keyspace: &Keyspace,
    keys: &[(Name, Vec<Key>)],
) -> Query {
    let name = match random.below(100) {
        0..72 if !keys.is_empty() => {
            let (apex, borders) = random.pick(keys);
            let key = if random.chance(60) { &borders[0] } else { random.pick(borders) };
            let key = neighbour(random, key);
            let labels = labels(random, &key);
            name::under(&labels, apex)
        }
        0..87 => {
            let apex = apex(random, scenario);
            let key = random_key(random, keyspace);
            name::under(&labels(random, &key), &apex)
        }
        87..94 => apex(random, scenario),
        _ => beside(random, scenario),
    };
    let name = random_case(random, name);
    let name = if name::is_valid(&name) { name } else { Name::new() };
    let mut query = Query::new(name, qtype(random));
    query.class = random.weighted(&[(92, CLASS_IN), (5, CLASS_ANY), (2, CLASS_CH), (1, 4)]);
    if query.class == CLASS_CH && random.chance(70) {
        let names: [&[u8]; 4] =
            [b"version.bind", b"Version.Server", b"id.server", b"hostname.bind"];
        query.name = name::from_text(random.pick::<&[u8]>(&names));
        query.qtype = *random.pick(&[TYPE_TXT, TYPE_TXT, TYPE_A, TYPE_ANY]);
    }
    header(random, &mut query);
    query
}

/// The apex of a zone, or of a subzone in it.
fn apex(random: &mut Random, scenario: &Scenario) -> Name {
    let spec = data(random, scenario);
    let mut apexes = vec![spec.apex()];
    apexes.extend(scenario.sections(spec).into_iter().flat_map(|section| section.apexes));
    random.pick(&apexes).clone()
}

/// A dataset that is no access list.
fn data<'a>(random: &mut Random, scenario: &'a Scenario) -> &'a Spec {
    let data: Vec<&Spec> = scenario.specs.iter().filter(|spec| spec.kind != Kind::Acl).collect();
    random.pick::<&Spec>(&data)
}

fn neighbour(random: &mut Random, key: &Key) -> Key {
    let step = random.weighted(&[(10, 0), (4, 1), (1, 255), (1, 65_536_u32)]);
    let up = random.chance(40);
    match key {
        Key::V4(address) if up => Key::V4(address.wrapping_add(step)),
        Key::V4(address) => Key::V4(address.wrapping_sub(step)),
        Key::V6(address) if up => Key::V6(address.wrapping_add(step.into())),
        Key::V6(address) => Key::V6(address.wrapping_sub(step.into())),
        Key::Name(name) => Key::Name(match step {
            0 => name.clone(),
            1 if up => name::under(&[b"deeper".to_vec()], name),
            1 => name.iter().skip(1).cloned().collect(),
            _ => name::under(&name[..name.len().min(1)], name),
        }),
    }
}

fn random_key(random: &mut Random, keyspace: &Keyspace) -> Key {
    match random.below(5) {
        0 | 1 => Key::V4(keyspace.ipv4(random)),
        2 => Key::V6(keyspace.ipv6(random)),
        3 => Key::Name(name::from_text(keyspace.name(random).as_bytes())),
        _ => Key::Name(name::from_text(random.pick::<&[u8]>(&[b"TEST", b"invalid", b"www", b"*"]))),
    }
}

/// A key's labels below the apex, in one of its forms, whole or not.
fn labels(random: &mut Random, key: &Key) -> Name {
    let forms = key.names();
    let mut labels = if random.chance(70) { forms[0].clone() } else { random.pick(&forms).clone() };
    let numbers = !matches!(key, Key::Name(_));
    match random.below(100) {
        0..15 if labels.len() > 1 => drop(labels.drain(..random.below(labels.len()))),
        15..18 => {
            labels.insert(0, random.pick(&[b"0".to_vec(), b"x".to_vec(), b"*".to_vec()]).clone())
        }
        18..28 if numbers => {
            let at = random.below(labels.len());
            labels[at] = odd_number(random, &labels[at]);
        }
        28..30 if !labels.is_empty() => {
            let at = random.below(labels.len());
            labels[at] =
                random.pick(&[b"g".to_vec(), b"a.b".to_vec(), vec![0], b"-1".to_vec()]).clone();
        }
        _ => {}
    }
    labels
}

fn odd_number(random: &mut Random, label: &Label) -> Label {
    let text = String::from_utf8_lossy(label);
    let forms = [
        format!("{text:0>2}"),
        format!("{text:0>3}"),
        format!("{text:0>4}"),
        format!("{text}x"),
        "256".to_owned(),
        "999".to_owned(),
        "0x1".to_owned(),
        "F".to_owned(),
    ];
    random.pick(&forms).clone().into_bytes()
}

/// A name that no zone has, or a zone's parent.
fn beside(random: &mut Random, scenario: &Scenario) -> Name {
    let mut apex = data(random, scenario).apex();
    match random.below(4) {
        0 => drop(apex.remove(0)),
        1 => apex[0].insert(0, b'x'),
        2 => apex.push(b"org".to_vec()),
        _ => apex = name::from_text(b"2.0.0.127.foreign.invalid"),
    }
    apex
}

fn random_case(random: &mut Random, mut name: Name) -> Name {
    if random.chance(15) {
        for byte in name.iter_mut().flatten() {
            if random.chance(50) {
                byte.make_ascii_uppercase();
            }
        }
    }
    name
}

fn qtype(random: &mut Random) -> u16 {
    match random.below(100) {
        0..35 => TYPE_A,
        35..65 => TYPE_TXT,
        65..77 => TYPE_ANY,
        77..81 => TYPE_SOA,
        81..85 => TYPE_NS,
        85..93 => *random.pick(&[15, 28, 12, 41, 5, 13, 33, 65]),
        93..96 => 249 + random.below(12) as u16,
        96..98 => random.next() as u16,
        _ => TYPE_A,
    }
}

fn header(random: &mut Random, query: &mut Query) {
    if random.chance(50) {
        query.bits |= RD;
    }
    if random.chance(5) {
        query.bits |= *random.pick(&[AA, TC, 0x80, 0x40, 0x20, 0x10, 0xf0]);
    }
    if random.chance(2) {
        query.opcode = 1 + random.below(15) as u8;
    }
    if random.chance(30) {
        let size = *random
            .pick(&[0, 100, 511, 512, 513, 520, 523, 700, 1231, 1232, 1233, 2048, 4096, 65_535]);
        query.edns = Some(Edns {
            version: if random.chance(3) { *random.pick(&[1, 2, 255]) } else { 0 },
            dnssec_ok: random.chance(30),
            cookie: random.chance(10),
            ..Edns::of_size(size)
        });
    }
    if random.chance(4) {
        let length = query.packet().len();
        query.damage = Some(match random.below(14) {
            0 => Damage::Response,
            1..6 => Damage::Cut(random.below(length + 1)),
            6 => Damage::Questions(*random.pick(&[0, 2, 256, 65_535])),
            7 => Damage::Pointer,
            8 => Damage::LabelType,
            9 => Damage::LongName,
            10 => Damage::Trailing(1 + random.below(12)),
            11 => Damage::Answers,
            12 => Damage::SecondOpt,
            _ => Damage::OptOwner,
        });
    }
}
