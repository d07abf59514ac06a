//! What all workers have seen, in words.

use super::heavy::Heavy;
use super::misconfigured::Misconfigured;
use super::name::NameKey;
use super::{HALF_LIFE, Mode, NETWORK_BITS, Tops};
use crate::wire::name::NameBuf;
use crate::wire::reversed::{NIBBLES, nibbles, octets};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The most keys of each kind, and the most clients, that are told.
const TOLD: usize = 50;

/// What is asked most, and who asks most, the most first. All figures are estimates.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct TopReport {
    /// True if they are looked at; otherwise nothing is told.
    pub is_on: bool,
    /// The keys that are listed.
    pub listed: Vec<TopKey>,
    /// The keys that are not listed, and names of no zone.
    pub unlisted: Vec<TopKey>,
    /// The clients.
    pub clients: Vec<TopClient>,
    /// The clients that ask wrongly, for certain.
    #[serde(default)]
    pub misconfigured: Vec<TopMisconfigured>,
}

/// A key that is asked for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TopKey {
    /// The zone; `None` if the name is in no zone.
    pub zone: Option<String>,
    /// The address or the name; empty for the zone itself.
    pub key: String,
    /// The queries a second, for the last minutes.
    pub per_second: f64,
    /// The share of all queries.
    pub share: f64,
}

/// A client, or a network of clients.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TopClient {
    /// The address, or the prefix.
    pub client: String,
    /// The queries a second, for the last minutes.
    pub per_second: f64,
    /// The share of all queries.
    pub share: f64,
}

/// A client, or a network of clients, that asks what nobody asks who is set up well.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TopMisconfigured {
    /// The address, or the prefix.
    pub client: String,
    /// What is wrong: `doubled-suffix`, `unreversed-address` or `name-in-address-zone`.
    pub fault: String,
    /// The first name that it asked for so.
    pub example: String,
    /// Such queries a second, for the last minutes.
    pub per_second: f64,
    /// Their share of all queries.
    pub share: f64,
}

/// The weights of keys of all workers.
struct Sum<K> {
    heavy: HashMap<K, (f64, f64)>,
    total: f64,
}

impl<K: Copy + Eq + Hash> Sum<K> {
    fn of(parts: Vec<(Vec<Heavy<K>>, f64)>) -> Self {
        let mut sum = Self { heavy: HashMap::new(), total: 0.0 };
        for (heavies, total) in parts {
            sum.total += total;
            for Heavy { key, weight, error } in heavies {
                let of_key = sum.heavy.entry(key).or_default();
                *of_key = (of_key.0 + weight, of_key.1 + error);
            }
        }
        sum
    }

    /// The heaviest keys, without those of which too little is certain.
    fn heaviest(self) -> Vec<(K, f64)> {
        let certain =
            self.heavy.into_iter().filter(|(_, (weight, error))| error + error <= *weight);
        let mut list: Vec<_> =
            certain.map(|(key, (weight, error))| (key, weight - error / 2.0)).collect();
        list.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        list.truncate(TOLD);
        list
    }
}

impl Tops {
    /// What there is at that time, in seconds since 1970; names are told by the zone that they are in.
    pub fn report(&self, zones: &[&NameBuf], now: u64) -> TopReport {
        if self.has(Mode::Off) {
            return TopReport::default();
        }
        let (mut listed, mut unlisted) = (Vec::new(), Vec::new());
        let (mut clients, mut misconfigured) = (Vec::new(), Vec::new());
        for mut tables in self.tables() {
            let copy = |(heavies, total): (&[Heavy<NameKey>], f64)| (heavies.to_vec(), total);
            listed.push(copy(tables.listed.look(now)));
            unlisted.push(copy(tables.unlisted.look(now)));
            let (heavies, total) = tables.clients.look(now);
            clients.push((heavies.to_vec(), total));
            let (heavies, total) = tables.misconfigured.look(now);
            misconfigured.push((heavies.to_vec(), total));
        }
        let (listed, unlisted, clients) = (Sum::of(listed), Sum::of(unlisted), Sum::of(clients));
        let misconfigured = Sum::of(misconfigured);
        let total = clients.total.max(f64::MIN_POSITIVE);
        // The sum of what has decayed, where each second adds one.
        let seconds = now.saturating_sub(self.0.since).max(1) as f64;
        let decayed = (1.0 - (-seconds / HALF_LIFE).exp2()) * HALF_LIFE / std::f64::consts::LN_2;
        let key = |(key, weight): (NameKey, f64)| {
            let (zone, key) = split(key.wire(), zones);
            TopKey { zone, key, per_second: weight / decayed, share: weight / total }
        };
        let is_anonymised = self.has(Mode::Anonymised);
        let print = |client: IpAddr| match client {
            client if !is_anonymised => client.to_string(),
            IpAddr::V4(client) => format!("{client}/{}", NETWORK_BITS.0),
            IpAddr::V6(client) => format!("{client}/{}", NETWORK_BITS.1),
        };
        let client = |(client, weight): (IpAddr, f64)| TopClient {
            client: print(client),
            per_second: weight / decayed,
            share: weight / total,
        };
        let at_fault = |(key, weight): (Misconfigured, f64)| TopMisconfigured {
            client: print(key.client),
            fault: key.fault.word().to_owned(),
            example: text(key.example.wire()),
            per_second: weight / decayed,
            share: weight / total,
        };
        // The zone itself, and what it says of its health, are answered with records and are no entries.
        let is_entry = |key: &TopKey| !key.key.is_empty() && !key.key.starts_with('_');
        TopReport {
            is_on: true,
            listed: listed.heaviest().into_iter().map(key).filter(is_entry).collect(),
            unlisted: unlisted.heaviest().into_iter().map(key).collect(),
            clients: clients.heaviest().into_iter().map(client).collect(),
            misconfigured: misconfigured.heaviest().into_iter().map(at_fault).collect(),
        }
    }
}

/// A name in wire form, as people write it.
fn text(wire: &[u8]) -> String {
    NameBuf::from_wire(wire).map(|name| name.to_string()).unwrap_or_default()
}

/// The zone and the key of a name in wire form and lower case: an address where the name is one reversed
/// (RFC 5782 section 2.1).
fn split(wire: &[u8], zones: &[&NameBuf]) -> (Option<String>, String) {
    let labels = |apex: &NameBuf| wire.len() - apex.as_wire().len();
    let below = zones.iter().filter(|zone| is_below(wire, zone.as_wire()));
    let Some(zone) = below.min_by_key(|zone| labels(zone)) else { return (None, text(wire)) };
    let key = &wire[..labels(zone)];
    let key = match octets(key, 0) {
        Some((address, len)) if len == key.len() => Ipv4Addr::from_bits(address).to_string(),
        _ => match nibbles(key) {
            Some(address) if key.len() == NIBBLES => Ipv6Addr::from_bits(address).to_string(),
            _ => text(&[key, &[0]].concat()),
        },
    };
    let key = if key == "." { String::new() } else { key };
    (Some(zone.to_string()), key)
}

/// True if a name, in lower case, is the apex or below it.
fn is_below(wire: &[u8], apex: &[u8]) -> bool {
    let mut rest = wire;
    while rest.len() > apex.len() {
        let Some(next) = rest.get(1 + usize::from(rest[0])..) else { return false };
        rest = next;
    }
    rest.eq_ignore_ascii_case(apex)
}
