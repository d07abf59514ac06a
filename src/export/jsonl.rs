//! JSON lines: an object that says what the export is, then one object for each entry.
//!
//! ```json
//! {"type":"metadata","zone":"bl.example","serial":7,"content_id":"00c0ffee00c0ffee","records":3,"ip4_prefixes":1,"ip4_addresses":256,"ip6_prefixes":0,"names":2}
//! {"cidr":"192.0.2.0/24","values":[{"a":"127.0.0.2","text":"a text"}]}
//! {"name":"bad.example","scope":"both","values":[{"a":"127.0.0.2"}]}
//! {"name":"good.bad.example","scope":"name","excluded":true}
//! ```
//!
//! Changes have a `change` in each object, `add` or `remove`; what is added takes the place of an entry with the
//! same key.

use super::changes::{Change, Changes};
use super::entries::{Detail, ExportEntry, ExportKey, Kinds, NameScope};
use super::values::ExportValue;
use super::{About, ExportCounts, FormatWriter};
use serde::Serialize;
use std::io::{self, Write};
use std::net::Ipv4Addr;

pub(super) struct Jsonl;

#[derive(Serialize)]
struct Metadata<'a> {
    r#type: &'static str,
    zone: &'a str,
    serial: u32,
    content_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// The objects that follow.
    records: u64,
    ip4_prefixes: u64,
    ip4_addresses: u64,
    ip6_prefixes: u64,
    names: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cidr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    excluded: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<LineValue<'a>>,
}

#[derive(Serialize)]
struct LineValue<'a> {
    a: Ipv4Addr,
    #[serde(skip_serializing_if = "str::is_empty")]
    text: std::borrow::Cow<'a, str>,
}

impl<'a> Line<'a> {
    fn new(key: &ExportKey<'_>, is_excluded: bool, values: &'a [ExportValue]) -> Self {
        let is_name = matches!(key, ExportKey::Name(..));
        let (text, scope) = match key {
            ExportKey::Name(name, scope) => {
                (ExportKey::Name(name, NameScope::Itself).to_string(), Some(scope.word()))
            }
            other => (other.to_string(), None),
        };
        let values = values.iter().map(|ExportValue { a, text }| LineValue {
            a: *a,
            text: String::from_utf8_lossy(text),
        });
        Self {
            change: None,
            cidr: (!is_name).then(|| text.clone()),
            name: is_name.then_some(text),
            scope,
            excluded: is_excluded,
            values: values.collect(),
        }
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.write_all(b"\n")
    }
}

impl FormatWriter for Jsonl {
    fn kinds(&self, zone: Kinds) -> Kinds {
        zone
    }

    fn detail(&self) -> Detail {
        Detail { values: true, ..Detail::default() }
    }

    fn head(&mut self, about: &About, out: &mut dyn Write) -> io::Result<()> {
        metadata(about, None, out)
    }

    fn entry(&mut self, entry: &ExportEntry<'_>, out: &mut dyn Write) -> io::Result<()> {
        Line::new(&entry.key, entry.is_excluded, entry.values).write(out)
    }

    fn has_changes(&self) -> bool {
        true
    }

    fn changes(&mut self, about: &About, changes: &Changes, out: &mut dyn Write) -> io::Result<()> {
        metadata(about, Some(changes), out)?;
        changes.entries.iter().try_for_each(|(change, entry)| {
            let key = entry.key();
            let (word, line) = match change {
                Change::Remove => ("remove", Line::new(&key, false, &[])),
                Change::Add => ("add", Line::new(&key, entry.is_excluded, &entry.values)),
            };
            Line { change: Some(word), ..line }.write(out)
        })
    }
}

fn metadata(about: &About, changes: Option<&Changes>, out: &mut dyn Write) -> io::Result<()> {
    let About { zone, serial, content_id, counts } = about;
    let ExportCounts { ip4_prefixes, ip4_addresses, ip6_prefixes, names, left_out: _ } = *counts;
    let metadata = Metadata {
        r#type: "metadata",
        zone,
        serial: *serial,
        content_id: format!("{content_id:016x}"),
        since: changes.map(|changes| changes.since.clone()),
        records: changes.map_or(ip4_prefixes + ip6_prefixes + names, |it| it.entries.len() as u64),
        ip4_prefixes,
        ip4_addresses,
        ip6_prefixes,
        names,
    };
    serde_json::to_writer(&mut *out, &metadata)?;
    out.write_all(b"\n")
}
