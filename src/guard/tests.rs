//! The rules together: what they say of ordinary days, and whether the documentation has them all.

use super::testing::{baseline, candidate, spec};
use super::{BUILT_IN_SENTINELS, Verdict, judge};
use crate::config::{Dataset, Guard, Policy, RULES};
use crate::zonefile::Kind;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A list that gains and loses entries, as those of feeds do.
struct Feed {
    kind: Kind,
    entries: BTreeSet<u32>,
    random: u64,
}

impl Feed {
    fn new(kind: Kind, count: usize, seed: u64) -> Self {
        let mut feed = Self { kind, entries: BTreeSet::new(), random: seed };
        feed.add(count);
        feed
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ self.random >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn add(&mut self, count: usize) {
        let wanted = self.entries.len() + count;
        while self.entries.len() < wanted {
            let entry = self.next() as u32;
            self.entries.insert(entry);
        }
    }

    /// One day: up to a third fewer or a third more, beside as many that come and go.
    fn pass_a_day(&mut self) {
        let count = self.entries.len();
        let change = |random: u64, most: usize| (random % most.max(1) as u64) as usize;
        let (gone, come) = (change(self.next(), count / 3), change(self.next(), count / 3));
        for _ in 0..gone {
            let from = self.next() as u32;
            let victim = self.entries.range(from..).next().or(self.entries.iter().next()).copied();
            victim.map(|victim| self.entries.remove(&victim));
        }
        self.add(come);
    }

    fn text(&self, day: u32) -> String {
        let mut text = format!("$SOA 1h ns.test me.test {} 2h 30m 1w 5m\n", 2_026_110_100 + day);
        text += match self.kind {
            Kind::Dnset => ".test\n",
            Kind::Ip6Trie => "::ffff:7f00:2\n",
            _ => "127.0.0.2\n",
        };
        for &entry in &self.entries {
            let bits = u128::from(entry);
            let address = Ipv4Addr::from(entry | 0x2000_0000);
            let line = match self.kind {
                Kind::Dnset if entry % 3 == 0 => writeln!(text, ".d{entry}.example :3:see $"),
                Kind::Dnset => writeln!(text, "d{entry}.example"),
                Kind::Ip6Trie if entry % 4 == 0 => {
                    writeln!(text, "{}/64", Ipv6Addr::from(0x2a00 << 112 | bits << 64))
                }
                Kind::Ip6Trie => {
                    writeln!(text, "{}", Ipv6Addr::from(0x2a01 << 112 | bits << 64 | 1))
                }
                Kind::Ip4Trie if entry % 50 == 0 => {
                    writeln!(text, "{}/24", Ipv4Addr::from(u32::from(address) & !255))
                }
                _ if entry % 97 == 0 => writeln!(text, "{address} :4:seen"),
                _ if entry % 101 == 0 => writeln!(text, "not a line {entry}"),
                _ => writeln!(text, "{address}"),
            };
            line.unwrap();
        }
        text
    }
}

#[test]
fn thirty_ordinary_days_break_no_rule() {
    let mut judged = 0;
    for kind in [Kind::Ip4Set, Kind::Ip4Trie, Kind::Ip6Trie, Kind::Dnset] {
        for (count, seed) in [(120, 1), (1_900, 2), (5_000, 3)] {
            let spec = spec(kind);
            let mut feed = Feed::new(kind, count, seed);
            let mut before = candidate(&spec, &feed.text(0));
            for day in 1..=30 {
                feed.pass_a_day();
                let new = candidate(&spec, &feed.text(day));
                let verdict =
                    judge(&new.candidate(&spec), Some(&baseline(&before)), &Policy::NATIVE);
                assert_eq!(verdict, Verdict::Accept, "{kind}, {count} entries, day {day}");
                before = new;
                judged += 1;
            }
        }
    }
    assert_eq!(judged, 4 * 3 * 30);
}

/// A mixed list of reserved networks, and one of 40 % of all addresses, as both always were.
#[test]
fn lists_of_much_are_taken_as_they_always_were() {
    let reserved = "0/8\n10/8\n127/8\n224-255\n".to_owned();
    let wide: String = (1..=102).map(|octet| format!("{octet}/8\n")).collect();
    for text in [reserved, wide] {
        let spec = Dataset { guard: Guard::default(), ..spec(Kind::Ip4Trie) };
        let first = candidate(&spec, &text);
        let verdict = judge(&first.candidate(&spec), None, &Policy::NATIVE);
        assert!(matches!(verdict, Verdict::Warn(_)), "{verdict:?}");
        let next = candidate(&spec, &(text + "203.0.113.0/24\n"));
        let verdict = judge(&next.candidate(&spec), Some(&baseline(&first)), &Policy::NATIVE);
        assert_eq!(verdict, Verdict::Accept);
    }
}

#[test]
fn the_documentation_has_every_rule_with_its_default() {
    let page = include_str!("../../docs/guards.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|row| row.split(" | ").collect())
        .skip(1)
        .collect();
    let shown: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    // A value outside 127.0.0.0/8 costs a line, and has a setting of its own.
    let rules: Vec<&str> = RULES.iter().map(|(rule, _)| *rule).chain(["outside-127"]).collect();
    assert_eq!(shown, rules);
    let Guard { shrink, grow, bad_lines, .. } = Guard::default();
    let built_in = format!("{} built in", BUILT_IN_SENTINELS.len());
    for row in rows {
        let [rule, _, _, default, setting] = row[..] else { panic!("{row:?}") };
        let want = match rule {
            "shrank" => (shrink.to_string(), "`shrink`"),
            "grew" => (grow.to_string(), "`grow`"),
            "bad-lines" => (bad_lines.to_string(), "`bad-lines`"),
            "sentinel" => (built_in.clone(), "`sentinels`"),
            _ => ("on".to_owned(), setting),
        };
        assert_eq!((default.to_owned(), setting), want, "{rule}");
    }
}

#[test]
fn every_rule_can_be_turned_off() {
    let mut policy = Policy::NATIVE;
    for (rule, turn_off) in RULES {
        let before = policy;
        turn_off(&mut policy);
        assert_ne!(policy, before, "{rule}");
    }
    let Policy { recall, future_is_now, leaves_out_expired, dialect, .. } = Policy::NATIVE;
    let rest = Policy { recall, future_is_now, leaves_out_expired, dialect, ..Policy::RBLDNSD };
    assert_eq!(policy, rest, "what is left is no rule about data");
}
