//! SpamAssassin: `check_rbl` with a sub-test for each value, and `urirhssub` for names.

use super::filter::{Filter, Test};
use super::{Action, AskedZone, Rule, zone_name};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What a listing counts that is for refusing.
const FULL: f64 = 4.0;

pub(super) fn lines(rules: &[Rule<'_>]) -> String {
    let mut out = String::new();
    let mut asked = Vec::new();
    for rule in rules {
        let zone = rule.zone;
        out += &rule.comments("");
        if rule.names && rule.action == Action::LetIn {
            out += "# anybody can write a name into a mail: nothing is let in by it\n";
            continue;
        }
        let set = format!("{}-lastexternal", zone.replace('.', "-"));
        if !rule.names && !asked.contains(&zone) {
            asked.push(zone);
            let base = rule.base();
            let _ = writeln!(
                out,
                "header   __{base} eval:check_rbl('{set}', '{zone}.')\ntflags   __{base} net"
            );
        }
        for code in &rule.codes {
            let (name, a) = (rule.symbol(code), code.a);
            let _ = match rule.names {
                true => writeln!(
                    out,
                    "urirhssub {name} {zone}. A {a}\nbody     {name} eval:check_uridnsbl('{name}')\n\
                     describe {name} names a domain in {zone} ({a})"
                ),
                false => writeln!(
                    out,
                    "header   {name} eval:check_rbl_sub('{set}', '{a}')\n\
                     describe {name} listed in {zone} ({a})"
                ),
            };
            let nice = if rule.action == Action::LetIn { " nice" } else { "" };
            let _ =
                writeln!(out, "tflags   {name} net{nice}\nscore    {name} {:.1}", rule.score(FULL));
        }
    }
    out
}

/// A rule as a file defines it.
struct Defined {
    line: u32,
    name: String,
    /// The set of a `check_rbl` or `check_rbl_sub`.
    set: Option<String>,
    /// The zone; that of the set for a `check_rbl_sub`.
    zone: Option<String>,
    filter: Filter,
    names: bool,
}

/// Where a file of rules asks lists.
pub(super) fn asked(text: &str) -> Vec<AskedZone> {
    let (mut rules, mut scores) = (Vec::new(), BTreeMap::new());
    for (line, number) in text.lines().zip(1..) {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["score", name, score, ..] => {
                scores.insert(name.to_owned(), score.parse::<f64>().unwrap_or(1.0));
            }
            ["header", name, ..] => rules.extend(of_header(line, number, name)),
            ["urirhsbl" | "urinsrhsbl" | "urifullnsrhsbl", name, zone, ..] => {
                rules.push(of_uri(number, name, zone, Filter::Any, true));
            }
            ["urirhssub" | "urinsrhssub" | "urifullnsrhssub", name, zone, _, test, ..] => {
                rules.push(of_uri(number, name, zone, sub_test(test), true));
            }
            ["uridnsbl", name, zone, ..] => {
                rules.push(of_uri(number, name, zone, Filter::Any, false));
            }
            ["uridnssub", name, zone, _, test, ..] => {
                rules.push(of_uri(number, name, zone, sub_test(test), false));
            }
            _ => {}
        }
    }
    let zone_of_set = |set: &str| {
        let asks = |rule: &&Defined| rule.set.as_deref() == Some(set) && rule.zone.is_some();
        rules.iter().find(asks).and_then(|rule| rule.zone.clone())
    };
    // A name that begins with two underscores counts nothing by itself.
    let counts = rules.iter().filter(|rule| !rule.name.starts_with("__"));
    let asked = counts.filter_map(|rule| {
        let zone = rule.zone.clone().or_else(|| zone_of_set(rule.set.as_deref()?))?;
        let score = scores.get(&rule.name).copied();
        Some(AskedZone {
            line: rule.line,
            zone: zone_name(&zone),
            filter: rule.filter.clone(),
            lets_in: match score {
                Some(0.0) => None,
                score => Some(score.is_some_and(|score| score < 0.0)),
            },
            names: Some(rule.names),
        })
    });
    asked.collect()
}

fn of_header(line: &str, number: u32, name: &str) -> Option<Defined> {
    let call = line.split("eval:").nth(1)?;
    let (function, arguments) = call.split_once('(')?;
    let arguments: Vec<_> = arguments
        .trim_end()
        .trim_end_matches(')')
        .split(',')
        .map(|argument| argument.trim().trim_matches(['\'', '"']))
        .collect();
    let rule = |set: &str, zone: Option<&&str>, filter, names| Defined {
        line: number,
        name: name.to_owned(),
        set: Some(set.to_owned()),
        zone: zone.map(|zone| (*zone).to_owned()),
        filter,
        names,
    };
    let test = |at: usize| arguments.get(at).map_or(Filter::Any, |test| sub_test(test));
    let set = arguments.first()?;
    Some(match function {
        "check_rbl" | "check_rbl_txt" => rule(set, arguments.get(1), test(2), false),
        "check_rbl_sub" => rule(set, None, test(1), false),
        "check_rbl_envfrom" | "check_rbl_from_host" | "check_rbl_from_domain" => {
            rule(set, arguments.get(1), test(2), true)
        }
        _ => return None,
    })
}

fn of_uri(line: u32, name: &str, zone: &str, filter: Filter, names: bool) -> Defined {
    Defined { line, name: name.to_owned(), set: None, zone: Some(zone.to_owned()), filter, names }
}

/// A value, or a number whose bits are looked for; else a regular expression.
fn sub_test(text: &str) -> Filter {
    let bits = || text.parse().ok().map(|mask| Test::Bits { mask, all: false });
    Test::value(text).or_else(bits).map_or(Filter::Unknown, |test| Filter::OneOf(vec![test]))
}
