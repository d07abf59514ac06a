//! Zones in the master file format (RFC 1035 section 5), for name servers that have no lists.
//!
//! A server that loads the file answers for each key, a whole address or a name, as
//! [`crate::engine::answer`] does for a client without a key: all datasets of the zone together,
//! allow lists taken off, test points included. Wildcards ([`addresses`](self), RFC 4592) make it
//! as short as it can be. What a master file cannot say:
//!
//! - A text that shows the key (`$`) shows the first address of the block under a wildcard, as
//!   rbldnsd's dump does.
//! - A name that is no key, such as `5.10` of 10.0.0.0/8, is listed under a wildcard.
//! - Access lists, delays and keys; the order of records; names with the label `*` in them.
//! - IPv4 addresses written as v4-mapped or 6to4 addresses, unless asked for
//!   ([`Options::ip4_in_ip6`]).

mod addresses;
mod lines;
mod lists;
mod merge;

use crate::listing::records::Found;
use crate::trie::names::NameLookup;
use crate::wire::Type;
use crate::wire::name::NameBuf;
use crate::zone::{Subzones, Zone};
use lines::{Lines, absolute};
use lists::Lists;
use merge::Merge;
use std::io::{self, Write};

/// How to dump.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The time, in seconds since 1970: entries that are listed later (`ts=`) are left out.
    pub now: u64,
    /// List IPv4 addresses as v4-mapped and 6to4 addresses too, as the server does: the dump is
    /// about three times as long.
    pub ip4_in_ip6: bool,
}

/// Writes a zone. Many small pieces are written: `out` should have a buffer.
///
/// # Errors
///
/// Those of `out` and of [`check`].
pub fn zone(zone: &Zone, options: Options, out: &mut dyn Write) -> io::Result<()> {
    check(zone)?;
    let combined = combined(zone);
    let mut lists = zone.datasets.iter().flat_map(|set| set.flat()).filter(|set| set.is_list());
    let ttl = lists.next().map_or(zone.soa.ttl, |set| set.ttl);
    header(zone, ttl, out)?;
    let Some(parts) = combined else {
        return section(&Lists::new(zone, &zone.datasets, zone.apex.clone(), options), ttl, out);
    };
    for part in parts.all() {
        let Some(apex) = part.apex.join(&zone.apex) else { continue };
        let mut lists = Lists::new(zone, &part.datasets, apex, options);
        let others = parts.all().iter().filter(|other| other.apex != part.apex);
        lists.cuts = others.filter_map(|other| below(&other.apex, &part.apex)).collect();
        writeln!(out, "$ORIGIN {}", String::from_utf8_lossy(&absolute(&lists.apex)))?;
        section(&lists, ttl, out)?;
    }
    Ok(())
}

/// Looks whether a zone can be dumped.
///
/// # Errors
///
/// [`io::ErrorKind::Unsupported`] if a `combined` dataset stands beside others or is an allow list: the
/// answers of several subzones for one name are not merged.
pub fn check(zone: &Zone) -> io::Result<()> {
    let is_plain = combined(zone).is_none() || zone.datasets.len() == 1;
    if is_plain && zone.allow.iter().all(|set| set.subzones.is_none()) {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::Unsupported, "its combined dataset is not alone in it"))
}

fn combined(zone: &Zone) -> Option<&Subzones> {
    zone.datasets.iter().find_map(|set| set.subzones.as_ref())
}

/// What is listed below one apex.
fn section(lists: &Lists<'_>, ttl: u32, out: &mut dyn Write) -> io::Result<()> {
    let mut merge = Merge::start(lists, Lines::new(lists, ttl, out))?;
    if lists.has_addresses() {
        addresses::walk(lists, &mut merge)?;
    }
    merge.finish()
}

/// A name relative to one that it is at or below.
fn below(name: &NameBuf, apex: &NameBuf) -> Option<NameBuf> {
    let labels = name.labels().count().checked_sub(apex.labels().count())?;
    let rest = suffix(name.as_wire(), labels);
    let head = &name.as_wire()[..name.as_wire().len() - rest.len()];
    (rest == apex.as_wire()).then(|| NameBuf::from_wire(&[head, &[0]].concat()))?
}

/// A name without that many of its first labels.
fn suffix(name: &[u8], without: usize) -> &[u8] {
    let mut rest = name;
    for _ in 0..without {
        rest = rest.get(usize::from(rest[0]) + 1..).unwrap_or(&[0]);
    }
    rest
}

/// Comments, origin, SOA and NS records.
fn header(zone: &Zone, ttl: u32, out: &mut dyn Write) -> io::Result<()> {
    let text = |name: &NameBuf| String::from_utf8_lossy(&absolute(name)).into_owned();
    if !zone.acl.is_empty() {
        writeln!(out, "; Access lists hold for this zone: they are not dumped.")?;
    }
    writeln!(out, "$ORIGIN {}\n$TTL {ttl}", text(&zone.apex))?;
    let soa = &zone.soa;
    let (mname, rname) = (text(&soa.mname), text(&soa.rname));
    writeln!(
        out,
        "@\t{}\tSOA\t{mname} {rname} ({} {} {} {} {})",
        soa.ttl, soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum
    )?;
    let (usable, other): (Vec<_>, Vec<_>) =
        zone.ns.names.iter().partition(|name| has_address(zone, name));
    for name in other {
        writeln!(out, "; NS {} is left out: the zone has no address of it.", text(name))?;
    }
    for name in &usable {
        writeln!(out, "\t{}\tNS\t{}", zone.ns.ttl, text(name))?;
    }
    if usable.is_empty() {
        writeln!(out, "\t{}\tNS\tlocalhost.", zone.ns.ttl)?;
    }
    Ok(())
}

/// False if a name server is in the zone but has no address there: name servers refuse such a
/// zone.
fn has_address(zone: &Zone, name: &NameBuf) -> bool {
    let Some(relative) = below(&name.to_lowercase(), &zone.apex) else { return true };
    zone.datasets.iter().any(|set| {
        let records = set
            .records
            .as_ref()
            .zip(set.records.as_ref().map(|records| records.lookup(relative.as_wire())));
        let has_record = records.is_some_and(|(set, found)| match found {
            Found::Records(name) => set.records(name).any(|record| record.rtype == Type::A),
            Found::EmptyNonTerminal | Found::Nothing => false,
        });
        let listed = set.names.as_ref().map(|names| names.lookup(relative.as_wire()));
        has_record || matches!(listed, Some(NameLookup::Listed { .. }))
    })
}
