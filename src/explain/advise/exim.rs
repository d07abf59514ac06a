//! Exim: conditions `dnslists` of an ACL.

use super::filter::{Filter, Test};
use super::{Action, AskedZone, Rule, zone_name};
use std::fmt::Write as _;

pub(super) fn lines(rules: &[Rule<'_>]) -> String {
    let mut out = String::new();
    for rule in rules {
        out += &rule.comments("");
        let key = if rule.names { "/$sender_address_domain" } else { "" };
        let item = format!("{}={}{key}", rule.zone, rule.values());
        let _ = match rule.action {
            Action::LetIn if rule.names => {
                writeln!(out, "# anybody can write the name of a sender: nobody is let in by it")
            }
            Action::LetIn => {
                writeln!(out, "accept  domains = +local_domains\n        dnslists = {item}")
            }
            // While the list does not answer, the mail is put off.
            Action::Reject => writeln!(
                out,
                "deny    dnslists = +defer_unknown : {item}\n        \
                 message = blocked using $dnslist_domain; $dnslist_text"
            ),
            Action::Watch(_) => writeln!(
                out,
                "warn    dnslists = {item}\n        log_message = listed in $dnslist_domain"
            ),
        };
    }
    out
}

/// Where a configuration asks lists.
pub(super) fn asked(text: &str) -> Vec<AskedZone> {
    let mut asked = Vec::new();
    let mut lets_in = None;
    for (line, number) in logical_lines(text) {
        let mut rest = line.trim();
        let word = rest.split_whitespace().next().unwrap_or_default();
        match word {
            "accept" => lets_in = Some(true),
            "deny" | "drop" | "defer" => lets_in = Some(false),
            "warn" | "require" | "discard" => lets_in = None,
            _ if word.ends_with(':') => lets_in = None,
            _ => {}
        }
        if ["accept", "deny", "drop", "defer", "warn", "require", "discard"].contains(&word) {
            rest = rest[word.len()..].trim_start();
        }
        let Some(list) = rest.trim_start_matches('!').trim_start().strip_prefix("dnslists") else {
            continue;
        };
        let Some(list) = list.trim_start().strip_prefix('=') else { continue };
        let list = list.trim_start();
        // Who is not listed is treated so.
        let lets_in = lets_in.filter(|_| !rest.starts_with('!'));
        let (list, separator) = match list.strip_prefix('<') {
            Some(rest) => (rest.get(1..).unwrap_or_default(), rest.chars().next().unwrap_or(':')),
            None => (list, ':'),
        };
        let items = list.split(separator).map(str::trim);
        for item in items.filter(|item| !item.is_empty() && !item.starts_with('+')) {
            asked.extend(of_item(item, number, lets_in));
        }
    }
    asked
}

/// Lines, those that end with a backslash made one with the next; each with the number of its first line.
fn logical_lines(text: &str) -> Vec<(String, u32)> {
    let mut lines: Vec<(String, u32)> = Vec::new();
    let mut goes_on = false;
    for (line, number) in text.lines().zip(1..) {
        if line.trim_start().starts_with('#') {
            continue;
        }
        let (part, continues) = match line.trim_end().strip_suffix('\\') {
            Some(part) => (part, true),
            None => (line, false),
        };
        match lines.last_mut().filter(|_| goes_on) {
            Some((whole, _)) => *whole += part.trim_start(),
            None => lines.push((part.to_owned(), number)),
        }
        goes_on = continues;
    }
    lines
}

/// Each domain of an item: `domain,domain=values/key` (Exim's specification, "DNS lists").
fn of_item(item: &str, line: u32, lets_in: Option<bool>) -> Vec<AskedZone> {
    let (item, key) = match item.split_once('/') {
        Some((item, key)) => (item, Some(key)),
        None => (item, None),
    };
    let end = item.find(['=', '&', '!']).unwrap_or(item.len());
    let (domains, filter) = item.split_at(end);
    let names = match key {
        None => Some(false),
        Some(key) if key.contains("domain") || key.contains("helo") => Some(true),
        Some(_) => None,
    };
    let filter = filter_of(filter);
    let asked = |zone: &str| AskedZone {
        line,
        zone: zone_name(zone.trim()),
        filter: filter.clone(),
        lets_in,
        names,
    };
    domains.split(',').map(asked).collect()
}

fn filter_of(text: &str) -> Filter {
    let (is_negated, text) = match text.strip_prefix('!') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let tests: Option<Vec<Test>> = if let Some(values) = text.strip_prefix('=') {
        let values = values.trim_start_matches('=');
        match values.strip_prefix('&') {
            Some(masks) => masks.split(',').map(|mask| bits(mask, true)).collect(),
            None => values.split(',').map(Test::value).collect(),
        }
    } else if let Some(masks) = text.strip_prefix('&') {
        masks.split(',').map(|mask| bits(mask, true)).collect()
    } else {
        return if text.is_empty() { Filter::Any } else { Filter::Unknown };
    };
    match tests {
        None => Filter::Unknown,
        Some(tests) if is_negated => Filter::NoneOf(tests),
        Some(tests) => Filter::OneOf(tests),
    }
}

fn bits(text: &str, all: bool) -> Option<Test> {
    let mask: std::net::Ipv4Addr = text.trim().parse().ok()?;
    Some(Test::Bits { mask: mask.into(), all })
}
