//! Postfix: restrictions of smtpd, and the weights of postscreen.

use super::filter::{Filter, Test};
use super::{Action, AskedZone, Rule, zone_name};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

pub(super) fn lines(rules: &[Rule<'_>]) -> String {
    let restrictions = |names: bool| {
        let mut out = String::new();
        for rule in rules.iter().filter(|rule| rule.names == names) {
            out += &rule.comments("    ");
            let word = match (rule.action, names) {
                (Action::LetIn, false) => "permit_dnswl_client",
                (Action::LetIn, true) => {
                    out += "    # anybody can write the name of a sender: nobody is let in by it\n";
                    continue;
                }
                (Action::Reject, false) => "reject_rbl_client",
                (Action::Reject, true) => "reject_rhsbl_sender",
                (Action::Watch(_), false) => "warn_if_reject reject_rbl_client",
                (Action::Watch(_), true) => "warn_if_reject reject_rhsbl_sender",
            };
            for pattern in patterns(rule) {
                let _ = writeln!(out, "    {word} {}={pattern}", rule.zone);
            }
        }
        out
    };
    let mut out = String::new();
    for (name, rest) in [("client", restrictions(false)), ("sender", restrictions(true))] {
        if !rest.is_empty() {
            let _ = write!(out, "smtpd_{name}_restrictions =\n    permit_mynetworks\n{rest}");
        }
    }
    out += "default_rbl_reply = $rbl_code Service unavailable; $rbl_class [$rbl_what] blocked using \
            $rbl_domain${rbl_reason?; $rbl_reason}\n";
    out + &postscreen(rules)
}

fn postscreen(rules: &[Rule<'_>]) -> String {
    let mut sites = String::new();
    for rule in rules.iter().filter(|rule| !rule.names) {
        let weight = match rule.action {
            Action::LetIn => "-4",
            Action::Reject => "2",
            Action::Watch(_) => "1",
        };
        for pattern in patterns(rule) {
            let _ = writeln!(sites, "    {}={pattern}*{weight}", rule.zone);
        }
    }
    if sites.is_empty() {
        return sites;
    }
    format!(
        "# Only with postscreen (master.cf): 2 points refuse.\npostscreen_dnsbl_sites =\n{sites}\
         postscreen_dnsbl_threshold = 2\npostscreen_dnsbl_action = enforce\n"
    )
}

/// The values of a rule in as few patterns as have no other value.
fn patterns(rule: &Rule<'_>) -> Vec<String> {
    let mut networks: BTreeMap<[u8; 3], BTreeSet<u8>> = BTreeMap::new();
    for [a, b, c, d] in rule.codes.iter().map(|code| code.a.octets()) {
        networks.entry([a, b, c]).or_default().insert(d);
    }
    // The third octets that go with the same last ones.
    let mut alike: BTreeMap<([u8; 2], BTreeSet<u8>), BTreeSet<u8>> = BTreeMap::new();
    for ([a, b, c], last) in networks {
        alike.entry(([a, b], last)).or_default().insert(c);
    }
    let pattern = |(([a, b], last), third): (&([u8; 2], BTreeSet<u8>), &BTreeSet<u8>)| {
        format!("{a}.{b}.{}.{}", octets(third), octets(last))
    };
    alike.iter().map(pattern).collect()
}

/// Octets as a pattern has them.
fn octets(octets: &BTreeSet<u8>) -> String {
    let octets: Vec<u8> = octets.iter().copied().collect();
    let runs = octets.chunk_by(|a, b| a.checked_add(1) == Some(*b));
    let runs: Vec<_> = runs
        .map(|run| match run {
            [first, .., end] => format!("{first}..{end}"),
            _ => run.iter().map(u8::to_string).collect(),
        })
        .collect();
    if octets.len() == 1 { runs.concat() } else { format!("[{}]", runs.join(";")) }
}

/// Where main.cf asks lists.
pub(super) fn asked(text: &str) -> Vec<AskedZone> {
    let mut asked = Vec::new();
    let mut in_sites = false;
    // The restriction before a zone, whether it lets in, and whether names are asked for.
    let mut before: Option<(bool, bool)> = None;
    for (line, number) in text.lines().zip(1..) {
        if line.trim_start().starts_with('#') {
            continue;
        }
        let mut rest = line;
        if !line.starts_with([' ', '\t']) {
            let Some((name, value)) = line.split_once('=') else { continue };
            (in_sites, rest, before) = (name.trim() == "postscreen_dnsbl_sites", value, None);
        }
        for word in rest.split([' ', '\t', ',']).filter(|word| !word.is_empty()) {
            if in_sites {
                let (site, weight) = word.split_once('*').unwrap_or((word, "1"));
                let lets_in = weight.starts_with('-');
                asked.push(site_of(site, number, lets_in, false));
            } else if let Some((lets_in, names)) = before.take() {
                asked.push(site_of(word, number, lets_in, names));
            } else {
                before = match word {
                    "reject_rbl_client" => Some((false, false)),
                    "permit_dnswl_client" => Some((true, false)),
                    "permit_rhswl_client" => Some((true, true)),
                    _ if word.starts_with("reject_rhsbl_") => Some((false, true)),
                    _ => None,
                };
            }
        }
    }
    asked
}

fn site_of(site: &str, line: u32, lets_in: bool, names: bool) -> AskedZone {
    let (zone, filter) = match site.split_once('=') {
        None => (site, Filter::Any),
        Some((zone, pattern)) => {
            let test = Test::pattern(pattern);
            (zone, test.map_or(Filter::Unknown, |test| Filter::OneOf(vec![test])))
        }
    };
    AskedZone { line, zone: zone_name(zone), filter, lets_in: Some(lets_in), names: Some(names) }
}
