//! Zones in the master file format (RFC 1035 section 5), for name servers that have no lists.
//!
//! A server that loads the file answers for each key, a whole address or a name, as
//! [`crate::engine::answer`] does for a client without a key: all datasets of the zone together,
//! allow lists taken off, test points included. Wildcards ([`zone::sweep`](crate::zone::sweep), RFC 4592) make it
//! as short as it can be. What a master file cannot say:
//!
//! - A text that shows the key (`$`) shows the first address of the block under a wildcard, as
//!   rbldnsd's dump does.
//! - A name that is no key, such as `5.10` of 10.0.0.0/8, is listed under a wildcard.
//! - Access lists, delays and keys; the order of records; names with the label `*` in them.
//! - IPv4 addresses written as v4-mapped or 6to4 addresses, unless asked for
//!   ([`SweepOptions::ip4_in_ip6`]).

mod lines;
pub(crate) mod records;

pub use crate::zone::sweep::SweepOptions;

use crate::listing::records::NameRecords;
use crate::trie::names::NameLookup;
use crate::wire::Type;
use crate::wire::name::NameBuf;
use crate::zone::Zone;
use crate::zone::sweep::{Unswept, relative, sections};
pub(crate) use lines::write_master_name;
use lines::{Lines, absolute};
use records::Records;
use std::io::{self, Write};

/// Writes a zone. Many small pieces are written: `out` should have a buffer.
///
/// # Errors
///
/// Those of `out` and of [`check`].
pub fn zone(zone: &Zone, options: SweepOptions, out: &mut dyn Write) -> io::Result<()> {
    let sections = sections(zone, options).map_err(unsupported)?;
    let ttl = default_ttl(zone);
    header(zone, ttl, out)?;
    for section in sections {
        if zone.datasets.iter().any(|set| set.subzones.is_some()) {
            writeln!(out, "$ORIGIN {}", String::from_utf8_lossy(&absolute(section.apex())))?;
        }
        section.nodes(&mut Records::new(&section, ttl, &mut Lines::new(ttl, out)))?;
    }
    out.flush()
}

/// The TTL of most records of a zone, in seconds: that of its first list.
pub(crate) fn default_ttl(zone: &Zone) -> u32 {
    let mut lists = zone.datasets.iter().flat_map(|set| set.flat()).filter(|set| set.is_list());
    lists.next().map_or(zone.soa.ttl, |set| set.ttl)
}

/// Checks whether a zone can be dumped.
///
/// # Errors
///
/// [`io::ErrorKind::Unsupported`] if a `combined` dataset stands beside others or is an allow list, and of verdict zones.
pub fn check(zone: &Zone) -> io::Result<()> {
    sections(zone, SweepOptions { now: 0, ip4_in_ip6: false }).map(drop).map_err(unsupported)
}

fn unsupported(error: Unswept) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, error)
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
    let Some(name) = relative(&name.to_lowercase(), &zone.apex) else { return true };
    zone.datasets.iter().any(|set| {
        let records = set
            .records
            .as_ref()
            .zip(set.records.as_ref().map(|records| records.lookup(name.as_wire())));
        let has_record = records.is_some_and(|(set, found)| match found {
            NameRecords::Records(name) => set.records(name).any(|record| record.rtype == Type::A),
            NameRecords::EmptyNonTerminal | NameRecords::Nothing => false,
        });
        let listed = set.names.as_ref().map(|names| names.lookup(name.as_wire()));
        has_record || matches!(listed, Some(NameLookup::Listed { .. }))
    })
}
