//! What the zones of a server answer with: each value, how much it lists, and whether it lets in.

use crate::config::Settings;
use crate::setup;
use crate::util::text::counted;
use crate::zone::sweep::{Hit, Node, SweepOptions, SweepSection, Visitor, sections};
use crate::zone::{Dataset, Zone, ZoneState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;

/// A zone, or the subzone of a `combined` dataset, as a client's configuration names it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct ZoneCodes {
    /// The name.
    pub(crate) zone: String,
    /// It is asked for addresses.
    pub(crate) addresses: bool,
    /// It is asked for names.
    pub(crate) names: bool,
    /// It is asked for hashes of mail addresses and URLs.
    pub(crate) hashes: bool,
    /// Some of its data was never loaded: it may have values that are not told.
    pub(crate) is_incomplete: bool,
    /// The values, in order.
    pub(crate) codes: Vec<Code>,
}

/// A value, and what it stands for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Code {
    /// The A record.
    pub(crate) a: Ipv4Addr,
    /// The IPv4 addresses that have it.
    pub(crate) ip4_addresses: u64,
    /// The ranges that these make.
    pub(crate) ip4_ranges: u64,
    /// The ranges of IPv6 addresses that have it.
    pub(crate) ip6_ranges: u64,
    /// The names that have it; all names below one count as one.
    pub(crate) names: u64,
    /// The text of one of them, as the file has it, cut to a line; empty if there is none.
    pub(crate) text: String,
    /// All that lists it are allow lists.
    pub(crate) lets_in: bool,
    /// In a verdict zone, the sum of weights from which on it is given.
    pub(crate) sum: Option<i32>,
}

/// So long may a text be in a comment.
const TEXT: usize = 60;

/// The codes of all zones at this time, in seconds since 1970. It walks through all that is listed.
pub(crate) fn codes(settings: &Settings, zones: &[Zone], now: u64) -> Vec<ZoneCodes> {
    let options = SweepOptions { now, ip4_in_ip6: false };
    settings.zones_of_lists(zones).flat_map(|zone| of_zone(settings, zone, options)).collect()
}

fn of_zone(settings: &Settings, zone: &Zone, options: SweepOptions) -> Vec<ZoneCodes> {
    let is_incomplete = matches!(zone.state, ZoneState::Partial(_) | ZoneState::Unloaded);
    let of = |name: String, datasets: &[&Dataset], codes| ZoneCodes {
        zone: name,
        addresses: datasets.iter().any(|set| set.ip4.is_some() || set.ip6.is_some()),
        names: datasets.iter().any(|set| set.names.is_some()),
        hashes: datasets.iter().any(|set| set.digests.is_some()),
        is_incomplete,
        codes,
    };
    if let Some(scoring) = &zone.scoring {
        let lists: Vec<&Dataset> = scoring.lists().map(|(set, _)| &**set).collect();
        let mut codes: Vec<_> = scoring.thresholds().map(|it| Code::of_sum(it.sum, it.a)).collect();
        codes.sort_by_key(|code| code.sum);
        return vec![of(zone.apex.to_string(), &lists, codes)];
    }
    let Ok(sections) = sections(zone, options) else { return Vec::new() };
    let of_section = |section: SweepSection<'_>| {
        let name = section.apex().to_string();
        let is_public_allow_list = setup::lets_in(&name);
        let lets_in = |set: &Dataset| {
            is_public_allow_list
                || settings.dataset(&set.name).is_some_and(|spec| spec.usage.allows)
        };
        let sets: Vec<_> = section.datasets().map(|set| &**set).collect();
        of(name, &sets, Count::of(&section, &lets_in))
    };
    sections.map(of_section).collect()
}

impl Code {
    fn new(a: Ipv4Addr) -> Self {
        Self {
            a,
            ip4_addresses: 0,
            ip4_ranges: 0,
            ip6_ranges: 0,
            names: 0,
            text: String::new(),
            lets_in: true,
            sum: None,
        }
    }

    fn of_sum(sum: i32, a: Ipv4Addr) -> Self {
        Self { lets_in: false, sum: Some(sum), ..Self::new(a) }
    }

    /// It says that the question was refused, and lists nothing (RFC 5782 knows no such value; public lists
    /// do, as Spamhaus' 127.255.255.254).
    pub(crate) fn is_refusal(&self) -> bool {
        self.a.octets()[..3] == [127, 255, 255]
    }

    /// How much has it, and the text of one: for a comment.
    pub(super) fn facts(&self) -> String {
        let mut parts = Vec::new();
        if self.ip4_ranges > 0 {
            let addresses = counted(self.ip4_addresses, "IPv4 address", "IPv4 addresses");
            parts.push(match self.ip4_addresses == self.ip4_ranges {
                true => addresses,
                false => format!("{addresses} in {}", counted(self.ip4_ranges, "range", "ranges")),
            });
        }
        if self.ip6_ranges > 0 {
            parts.push(counted(self.ip6_ranges, "range of IPv6", "ranges of IPv6"));
        }
        if self.names > 0 {
            parts.push(counted(self.names, "name", "names"));
        }
        parts.extend(self.sum.map(|sum| format!("weights of {sum} or more")));
        let text = if self.text.is_empty() { String::new() } else { format!(": {}", self.text) };
        format!("{}{text}", parts.join(", "))
    }
}

/// Counts what a section lists.
struct Count<'s, 'z> {
    section: &'s SweepSection<'z>,
    lets_in: &'s dyn Fn(&Dataset) -> bool,
    codes: BTreeMap<Ipv4Addr, Code>,
    /// What is listed below the names from the apex down to that above the one at hand.
    above: Vec<Vec<Hit>>,
}

impl<'s, 'z> Count<'s, 'z> {
    fn of(section: &'s SweepSection<'z>, lets_in: &'s dyn Fn(&Dataset) -> bool) -> Vec<Code> {
        let mut count = Self { section, lets_in, codes: BTreeMap::new(), above: Vec::new() };
        let test_point = u32::from(Ipv4Addr::new(127, 0, 0, 2));
        for range in section.ip4().filter(|it| (it.start, it.end) != (test_point, test_point)) {
            let addresses = u64::from(range.end - range.start) + 1;
            count.each(&range.hits, |code| {
                code.ip4_ranges += 1;
                code.ip4_addresses += addresses;
            });
        }
        let test_point = 0xffff_0000_0000 | u128::from(test_point);
        for range in section.ip6().filter(|it| (it.start, it.end) != (test_point, test_point)) {
            count.each(&range.hits, |code| code.ip6_ranges += 1);
        }
        if section.has_names() {
            let Ok(()) = section.names(&mut count);
        }
        count.codes.into_values().collect()
    }

    /// Counts each value of these hits once.
    fn each(&mut self, hits: &[Hit], add: impl Fn(&mut Code)) {
        let mut seen: Vec<Ipv4Addr> = Vec::new();
        for (set, answer) in hits.iter().filter_map(|hit| self.section.resolve(hit)) {
            for value in answer.values_for(self.section.asker()) {
                let code = self.codes.entry(value.a).or_insert_with(|| Code::new(value.a));
                code.lets_in &= (self.lets_in)(set);
                if code.text.is_empty() {
                    code.text = one_line(&value.text.whole());
                }
                if !seen.contains(&value.a) {
                    seen.push(value.a);
                    add(code);
                }
            }
        }
    }
}

impl Visitor for Count<'_, '_> {
    type Error = Infallible;

    fn node(
        &mut self,
        Node { name, itself, wildcard, .. }: Node<'_, '_>,
    ) -> Result<(), Infallible> {
        let labels = crate::wire::name::Labels::of(name).count();
        self.above.truncate(labels);
        let above = self.above.last().cloned().unwrap_or_default();
        let is_test = name == b"\x04test\0" && wildcard.is_empty();
        // The apex is no key; a name with all names below it is one entry.
        if wildcard != above {
            self.each(wildcard, |code| code.names += 1);
        }
        if labels > 0 && itself != above && itself != wildcard && !is_test {
            self.each(itself, |code| code.names += 1);
        }
        self.above.push(wildcard.to_vec());
        Ok(())
    }

    /// Only wildcards for addresses ask.
    fn shows_key(&mut self, _: &Hit) -> bool {
        false
    }
}

/// A text as a comment can have it.
fn one_line(text: &[u8]) -> String {
    let shown = |&byte: &u8| if matches!(byte, b' '..=b'~') { char::from(byte) } else { '?' };
    let line: String = text.iter().map(shown).collect();
    let line = line.trim();
    if line.len() > TEXT { format!("{}...", &line[..TEXT]) } else { line.to_owned() }
}
