//! Random A values, texts and special entries, valid ones and near misses.

use super::known_differences;
use super::scenario::{Kind, Line};
use crate::common::Random;

/// What may stand behind a key, and whether its A value is outside 127/8.
pub(crate) fn value(random: &mut Random) -> (Vec<u8>, bool) {
    let outside = random.chance(1);
    let address: &[&str] = if outside {
        &["10.0.0.1", "192.0.2.7", "2.3", "126.255.255.255", "128.0.0.1", "1.2.3"]
    } else {
        &["2", "6", "127.0.0.5", "127.0.1.2", "127.3", "127.1.2", "002", "127.255.255.255", "255"]
    };
    let address = *random.pick(address);
    let text = template(random);
    let with = |parts: &[&[u8]]| parts.concat();
    let near_misses: &[&[u8]] = &[
        b":",
        b"::",
        b"::text",
        b":256:text",
        b":0:text",
        b":127.0.0.2 text",
        b":x:text",
        b":2x:",
        b":127.0.0.2.:",
        b":127.0.0.256:",
        b": 2:text",
    ];
    let choice = random.below(100);
    let value = match choice {
        0..50 => with(&[b":", address.as_bytes(), b":", &text]),
        50..60 => with(&[b":", address.as_bytes()]),
        60..70 => with(&[b":", address.as_bytes(), b":"]),
        70..75 => with(&[b":", address.as_bytes(), b" : ", &text]),
        75..94 => return (text, false),
        _ => return (random.pick(near_misses).to_vec(), false),
    };
    (value, outside)
}

/// A default line; in an `ip4trie` never one that dnsbld takes for an IPv6 address.
pub(crate) fn default_line(random: &mut Random, kind: Kind) -> Line {
    let (mut value, outside) = value(random);
    if !value.starts_with(b":") || kind == Kind::Ip4trie && value.starts_with(b"::") {
        value.splice(..0, *b":2:");
    }
    Line { text: value, only_one: outside.then_some(known_differences::A_OUTSIDE_127) }
}

/// A text with and without the parts that are replaced.
fn template(random: &mut Random) -> Vec<u8> {
    const PARTS: [&[u8]; 24] = [
        b"Listed",
        b"see http://bl.example/?ip=$",
        b"$",
        b"$$",
        b"$0",
        b"$1",
        b"$2",
        b"$9",
        b"$=",
        b"$x",
        b" ",
        b"  ",
        b"a:b",
        b"\"quoted\"",
        b"back\\slash",
        b"; not a comment",
        b"#",
        b"\xc3\xa9",
        b"$1$2",
        b"$$$",
        b"=",
        b"why",
        b"\t",
        b"%s",
    ];
    let mut text = Vec::new();
    if random.chance(12) {
        text.push(b'=');
    }
    for _ in 0..1 + random.below(4) {
        text.extend_from_slice(random.pick::<&[u8]>(&PARTS));
    }
    if random.chance(2) {
        let length = *random.pick(&[200, 230, 240, 250, 253, 254, 255, 256, 300]);
        while text.len() < length {
            text.extend_from_slice(b"long and longer, ");
        }
        text.truncate(length);
    }
    text
}

/// A line that starts with `$`, in any of its four spellings.
pub(crate) fn special(random: &mut Random, kind: Kind) -> Line {
    let entry = match random.below(100) {
        0..22 => variable(random),
        22..40 => soa(random).into_bytes(),
        40..56 => ns(random).into_bytes(),
        56..72 => ttl(random).into_bytes(),
        72..86 if kind.is_ipv4() => max_range(random).into_bytes(),
        72..95 => timestamp(random).into_bytes(),
        _ => random
            .pick(&[
                "SOAP 1",
                "",
                "$1 x",
                "10 two digits",
                "1",
                "=",
                " TTL 5",
                "TTL",
                "NSX a b",
                "MAXRANGE6 /64",
                "ORIGIN a.",
            ])
            .as_bytes()
            .to_vec(),
    };
    let sign: &[u8] = random.weighted(&[(6, &b"$"[..]), (2, b"#$"), (1, b";$"), (1, b":$")]);
    Line::new([sign, &entry].concat())
}

fn word<'a>(random: &mut Random, word: &'a str) -> std::borrow::Cow<'a, str> {
    if random.chance(20) { word.to_lowercase().into() } else { word.into() }
}

fn variable(random: &mut Random) -> Vec<u8> {
    let name = *random.pick(&[b"0", b"1", b"2", b"9", b"="]);
    let gap = *random.pick(&[&b" "[..], b"\t", b"   "]);
    [&name[..], gap, &template(random)].concat()
}

/// A length of time; not so long that its seconds need more than 31 bits.
fn time(random: &mut Random) -> &'static str {
    random.pick::<&str>(&["0", "1", "60", "300s", "5m", "2H", "1d", "1W", "86400", "2147483647"])
}

fn ttl(random: &mut Random) -> String {
    let near_misses = ["5x", "-1", "1h2", "4294967296", "5 m", "99999999w", "1 2"];
    let value = if random.chance(15) { random.pick::<&str>(&near_misses) } else { time(random) };
    format!("{} {value}", word(random, "TTL"))
}

fn host(random: &mut Random) -> &'static str {
    random.pick::<&str>(&[
        "ns1.example.",
        "ns2.example",
        "NS3.Example.net",
        "ns.bl.example",
        "a.b.c.d.test",
        "x",
        "host\\.master.example",
    ])
}

fn soa(random: &mut Random) -> String {
    let serial = *random.pick(&["0", "0", "1", "2026112101", "4294967295"]);
    let mut fields = vec![time(random), host(random), host(random), serial];
    fields.extend((0..4).map(|_| time(random)));
    match random.below(20) {
        0 => drop(fields.pop()),
        1 => fields.push("extra"),
        2 => fields[3] = "serial",
        3 => fields[7] = "5x",
        _ => {}
    }
    let gap = if random.chance(10) { "  " } else { " " };
    format!("{} {}", word(random, "SOA"), fields.join(gap))
}

fn ns(random: &mut Random) -> String {
    let mut line = format!("{} {}", word(random, "NS"), time(random));
    for _ in 0..random.below(4) {
        let minus = if random.chance(25) { "-" } else { "" };
        line.push_str(&format!(" {minus}{}", host(random)));
    }
    line
}

fn max_range(random: &mut Random) -> String {
    let sizes =
        ["/24", "256", "/16", "/8", "/32", "1", "/0", "0", "/33", "255", "257", "/x", "65536"];
    format!("{} {}", word(random, "MAXRANGE4"), random.pick(&sizes))
}

fn timestamp(random: &mut Random) -> String {
    let stamps = [
        "0",
        "-",
        "2005:01:02",
        "2005-01-02",
        "20050102",
        "2026:01:01:00:00:00",
        "2005:02:30",
        "1969:01:01",
        "2005:1:1",
        "2005:01:01:24",
        "2004-02-29-23-59-59",
        "2005:01",
        "x",
    ];
    // Far from now on both sides, so that the time of the run does not matter.
    let expiries = ["", "0", "-", "+400w", "+600000h", "2037:12:31", "+0", "+5x", "2036-01-01 x"];
    let (mut stamp, mut expiry) = (*random.pick(&stamps), *random.pick(&expiries));
    match random.below(16) {
        0 => stamp = "2037:01:01",
        1 => expiry = random.pick::<&str>(&["2006:01:01", "20200101", "+1h", "+10w"]),
        _ => {}
    }
    format!("{} {stamp} {expiry}", word(random, "TIMESTAMP"))
}
