//! Entries side by side that fewer can say, where their lines have nothing but the key that differs.

use super::cover::{Cover, EXCLUDED, Interval, prefixes};
use super::entries::Shown;
use super::quote::Lines;
use crate::zonefile::Kind;
use ipnet::IpNet;
use std::collections::HashSet;
use std::net::IpAddr;

/// Entries that can be put together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Merged {
    /// Their lines, in the order of the file.
    pub(super) lines: Vec<u32>,
    /// The keys that say the same, fewer than there are lines.
    pub(super) keys: Vec<String>,
    /// What stands behind the key in each of the lines.
    pub(super) rest: Vec<u8>,
}

/// The entries that can be put together, but for those in lines that are `gone`.
pub(super) fn merged<K: Shown>(
    kind: Kind,
    cover: &Cover<K>,
    lines: &Lines<'_>,
    gone: &HashSet<u32>,
) -> Vec<Merged> {
    if matches!(kind, Kind::Ip4Tset | Kind::Ip6Tset) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut rest = cover.entries();
    for run in cover.runs() {
        rest = &rest[rest.partition_point(|it| it.start < run.start)..];
        let (inside, after) = rest.split_at(rest.partition_point(|it| it.start <= run.end));
        rest = after;
        let mut group: Option<Group<'_, K>> = None;
        for entry in inside.iter().filter(|it| !gone.contains(&it.line)) {
            let line = plain(entry, lines.get(entry.line));
            match (&mut group, line) {
                (Some(group), Some(line)) if group.takes(entry, line) => group.add(entry),
                (_, line) => {
                    found.extend(group.take().and_then(|group| group.merged(kind)));
                    group = line.map(|rest| Group::of(entry, rest));
                }
            }
        }
        found.extend(group.and_then(|group| group.merged(kind)));
    }
    found
}

/// Entries side by side whose lines end alike.
struct Group<'l, K> {
    start: K,
    end: K,
    lines: Vec<u32>,
    rest: &'l [u8],
}

impl<'l, K: Shown> Group<'l, K> {
    fn of(entry: &Interval<K>, rest: &'l [u8]) -> Self {
        Self { start: entry.start, end: entry.end, lines: vec![entry.line], rest }
    }

    fn takes(&self, entry: &Interval<K>, rest: &[u8]) -> bool {
        self.rest == rest && self.end.successor().is_none_or(|next| entry.start <= next)
    }

    fn add(&mut self, entry: &Interval<K>) {
        self.end = self.end.max(entry.end);
        self.lines.push(entry.line);
    }

    fn merged(mut self, kind: Kind) -> Option<Merged> {
        let keys: Vec<String> = match kind {
            Kind::Ip4Set => vec![K::shown(self.start, self.end)],
            _ => prefixes(self.start, self.end)
                .map(|(start, len)| K::shown(start, start.last_of_prefix(len)))
                .take(self.lines.len())
                .collect(),
        };
        self.lines.sort_unstable();
        // No type takes all addresses as a prefix.
        let is_fit = keys.len() < self.lines.len() && !keys.iter().any(|key| key.ends_with("/0"));
        is_fit.then(|| Merged { lines: self.lines, keys, rest: self.rest.to_vec() })
    }
}

/// What stands behind the key of a line, if the line begins with the key as every server reads it.
fn plain<'l, K: Shown>(entry: &Interval<K>, line: &'l [u8]) -> Option<&'l [u8]> {
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    let (key, rest) = line.split_at(end);
    let key = str::from_utf8(key).ok()?;
    let is_key = |shown: &str| shown == K::shown(entry.start, entry.end);
    let of_address = |text: &str| text.parse::<IpAddr>().ok().map(|it| it.to_string());
    let written = match key.split_once('-') {
        Some((first, last)) => format!("{}-{}", of_address(first)?, of_address(last)?),
        None => match key.parse::<IpNet>() {
            Ok(net) if net.prefix_len() == net.max_prefix_len() => net.addr().to_string(),
            Ok(net) if net == net.trunc() => net.to_string(),
            Ok(_) => return None,
            Err(_) => of_address(key)?,
        },
    };
    (entry.value != EXCLUDED && is_key(&written)).then_some(rest)
}
