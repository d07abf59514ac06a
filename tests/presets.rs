//! Each preset alone in a configuration: its lists are served as they are when they have arrived, with nothing
//! else written down.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use dnsbld::config::{PRESETS, Preset, PresetList};
use dnsbld::zonefile::{Format, Kind};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::common::{Daemon, LIMIT, Random, Setup, event, reversed};

/// The entries of a sample, more than a list of somebody's own would have.
const ENTRIES: usize = 150;

/// A list as its publisher writes it, with keys of the test.
struct Sample {
    text: String,
    /// What is asked for each key, in its zone, and how the text has the key.
    keys: Vec<(String, String)>,
}

fn sample(list: &PresetList, first: u8, random: &mut Random) -> Sample {
    let mut text = String::new();
    if list.format == Format::Rbldnsd {
        text += "# made by a test\n";
    }
    if list.format == Format::Rbldnsd && list.default_text.is_none() {
        writeln!(text, ":127.0.0.2:{} lists $", list.dataset).expect("memory");
    }
    let mut keys = Vec::new();
    for number in 0..ENTRIES {
        let key = random.below(1 << 16) as u16;
        let [a, b] = key.to_be_bytes();
        let place = u8::try_from(number % 200).expect("it is small");
        let ip4 = Ipv4Addr::new(first, place, a, b);
        let ip6 = Ipv6Addr::new(0x2001, 0xdb8, u16::from(place), key, 0, 0, 0, 1);
        let (line, asked, shown) = match (list.kind, list.format) {
            (Kind::Ip4Trie, Format::Jsonl) => {
                (json(&format!("{ip4}/32"), number), reversed(ip4, list.zone), ip4.to_string())
            }
            (Kind::Ip6Trie, Format::Jsonl) => {
                (json(&format!("{ip6}/128"), number), nibbles(ip6, list.zone), ip6.to_string())
            }
            (Kind::Dnset, _) => {
                let name = format!("host{place}-{key}.example");
                (name.clone(), format!("{name}.{}", list.zone), name)
            }
            _ => (ip4.to_string(), reversed(ip4, list.zone), ip4.to_string()),
        };
        writeln!(text, "{line}").expect("memory");
        keys.push((asked, shown));
    }
    if list.format == Format::Jsonl {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("later than 1970").as_secs();
        let metadata = format!(
            "{{\"type\":\"metadata\",\"timestamp\":{now},\"size\":{},\"records\":{ENTRIES}}}",
            text.len()
        );
        writeln!(text, "{metadata}").expect("memory");
    }
    Sample { text, keys }
}

fn json(cidr: &str, number: usize) -> String {
    format!("{{\"cidr\":\"{cidr}\",\"sblid\":\"SBL{number}\",\"rir\":\"test\"}}")
}

fn nibbles(address: Ipv6Addr, zone: &str) -> String {
    let digits: Vec<_> = format!("{:032x}", u128::from(address)).chars().rev().collect();
    let labels: String = digits.iter().map(|digit| format!("{digit}.")).collect();
    labels + zone
}

/// A configuration of one feed, as short as it can be, and its files as `dnsbld sync` publishes them.
fn arrived(preset: &Preset, random: &mut Random) -> (Daemon, Vec<Sample>) {
    let setup = Setup::new();
    // No list has an address of another.
    let samples: Vec<_> =
        (11..).zip(preset.lists).map(|(first, list)| sample(list, first, random)).collect();
    for (list, sample) in preset.lists.iter().zip(&samples) {
        setup.write(&format!("mirror/{}/{}", preset.name, list.file), &sample.text);
    }
    let source = match preset.source {
        Some(_) => "",
        None => "source = \"rsync://mirror.example.org/lists/\"",
    };
    let feed = format!("[[feed]]\npreset = \"{}\"\n{source}", preset.name);
    setup.configure("", &format!("[mirror]\ndir = \"mirror\"\n{feed}"));
    let mut check = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    let checked =
        check.arg("check-config").arg(setup.path("dnsbld.toml")).output().expect("it runs");
    let said = String::from_utf8_lossy(&checked.stdout) + String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.contains(" 0 warnings"), "{}: {said}", preset.name);
    (setup.start(), samples)
}

#[test]
fn each_preset_alone_serves_what_has_arrived() {
    let mut random = Random::new(19);
    for preset in PRESETS {
        let (server, samples) = arrived(preset, &mut random);
        for (list, sample) in preset.lists.iter().zip(&samples) {
            let value = list.default_a.unwrap_or(Ipv4Addr::new(127, 0, 0, 2));
            for (asked, shown) in &sample.keys {
                let a = server.ask(asked, RecordType::A);
                assert_eq!(a.addresses(), [value], "{asked}: {}", server.log());
                let texts = server.ask(asked, RecordType::TXT).texts();
                if list.format == Format::Rbldnsd {
                    let template = format!("{} lists $", list.dataset);
                    let template = list.default_text.unwrap_or(&template);
                    assert_eq!(texts, [template.replace('$', shown)], "{asked}");
                } else {
                    assert!(texts[0].starts_with("SBL"), "{asked}: {texts:?}");
                }
            }
            let other = format!("1.2.0.192.{}", list.zone);
            assert_eq!(server.ask(&other, RecordType::A).rcode(), ResponseCode::NXDomain);
        }
        assert_eq!(server.log_lines(&["ERROR"]), [""; 0], "{}", preset.name);
    }
}

#[test]
fn whitelisted_org_goes_before_levels_2_and_3() {
    let uceprotect = PRESETS.iter().find(|preset| preset.name == "uceprotect").expect("a preset");
    let (server, samples) = arrived(uceprotect, &mut Random::new(20));
    let allowed = &samples[4].keys[0].1;
    for (level, expected) in
        [(1, ResponseCode::NoError), (2, ResponseCode::NXDomain), (3, ResponseCode::NXDomain)]
    {
        let file = format!("dnsbl-{level}.uceprotect.net");
        let text = &samples[level - 1].text;
        server.write(&format!("mirror/uceprotect/{file}"), format!("{text}{allowed}\n"));
        server.expect_log(
            &[&event("dataset-reloaded", &format!("uceprotect-{level}")), "151"],
            LIMIT,
        );
        let name = reversed(allowed.parse().expect("an address"), &file);
        assert_eq!(server.ask(&name, RecordType::A).rcode(), expected, "{name}");
    }
}
