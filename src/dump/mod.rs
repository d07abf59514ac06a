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
use crate::zone::Zone;
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
/// Those of `out`.
pub fn zone(zone: &Zone, options: Options, out: &mut dyn Write) -> io::Result<()> {
    let ttl = zone.datasets.iter().find(|set| set.is_list()).map_or(zone.soa.ttl, |set| set.ttl);
    header(zone, ttl, out)?;
    let lists = Lists::new(zone, options.now, options.ip4_in_ip6);
    let mut merge = Merge::start(&lists, Lines::new(&lists, ttl, out))?;
    if lists.has_addresses() {
        addresses::walk(&lists, &mut merge)?;
    }
    merge.finish()
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
    let name = name.to_lowercase();
    let (wire, apex) = (name.as_wire(), zone.apex.as_wire());
    let mut start = 0;
    while start < wire.len() && wire[start..] != *apex {
        start += usize::from(wire[start]) + 1;
    }
    if start >= wire.len() {
        return true;
    }
    let mut relative = wire[..start].to_vec();
    relative.push(0);
    zone.datasets.iter().any(|set| {
        let records = set.records.as_ref().map(|records| records.lookup(&relative));
        let listed = set.names.as_ref().map(|names| names.lookup(&relative));
        matches!(records, Some(Found::Records(records)) if records.iter().any(|r| r.rtype == Type::A))
            || matches!(listed, Some(NameLookup::Listed(_)))
    })
}
