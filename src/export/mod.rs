//! Exports: what a zone lists, in the forms that other programs load.
//!
//! All come out of [`zone::sweep`](crate::zone::sweep): all datasets of the zone together, as a client without a key
//! sees them, allow lists taken off. [`entries`] makes the fewest prefixes of it, and the fewest names; a
//! format writes them, one file for each. Test entries (RFC 5782 section 5) are left out: they are there for
//! those who test a list by DNS, and a firewall need not know them.
//!
//! An export says in its head what it holds: zone, serial, content id and counts, but no time, so that equal
//! content gives equal bytes. It is written as the sweep goes, after another sweep that counts: memory does not grow with
//! the zone. `changes` tells the difference from an earlier one. [`map`] draws a picture of the addresses.

mod changes;
mod csv;
pub mod entries;
mod exim;
mod ipset;
mod jsonl;
pub mod map;
mod nftables;
mod plain;
mod postfix;
mod rpz;
mod rspamd;
#[cfg(test)]
mod tests;
mod unbound;
mod values;

pub use changes::{Earlier, EarlierError};

use crate::util::text::counted;
use crate::zone::Zone;
use crate::zone::sweep::SweepSection;
use changes::Changes;
use clap::ValueEnum;
use entries::{Detail, ExportEntry, ExportKey, Kinds, Walk};
use std::io::{self, Write};

/// A form that some program loads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ExportFormat {
    /// One prefix or name a line, as the dataset type `mixed` reads them.
    Plain,
    /// One JSON object a line, with values and texts.
    Jsonl,
    /// RFC 4180, with values and texts.
    Csv,
    /// Sets of nftables: `nft -f`.
    Nftables,
    /// Sets of ipset: `ipset restore`.
    Ipset,
    /// A response policy zone, for unbound, BIND, Knot Resolver and PowerDNS Recursor.
    Rpz,
    /// `local-zone` lines of unbound: names only.
    Unbound,
    /// A `cidr:` table of Postfix, with texts: addresses only.
    PostfixCidr,
    /// The `postscreen_access_list` of Postfix: addresses only.
    Postscreen,
    /// A file of Exim for `net-iplsearch`, of names for `partial0-lsearch`.
    Exim,
    /// A map of rspamd, of addresses (`type = "ip"`) or names.
    Rspamd,
}

/// How to export.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExportOptions<'o> {
    /// The name of sets, without the ending for the family [default: the name of the zone].
    pub set: Option<&'o str>,
    /// Formats that hold either addresses or names hold names, though the zone has addresses.
    pub names: bool,
    /// Test entries are exported, too.
    pub test_points: bool,
}

/// What an export is of.
#[derive(Clone, Debug)]
pub struct About {
    /// The apex of the zone, or of the part of a `combined` zone.
    pub zone: String,
    /// The serial.
    pub serial: u32,
    /// The content id of the zone.
    pub content_id: u64,
    /// How much it is.
    pub counts: ExportCounts,
}

/// How much an export holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ExportCounts {
    /// Prefixes of IPv4 addresses.
    pub ip4_prefixes: u64,
    /// The addresses in them.
    pub ip4_addresses: u64,
    /// Prefixes of IPv6 addresses.
    pub ip6_prefixes: u64,
    /// Names.
    pub names: u64,
    /// Prefixes and names that the format cannot say.
    pub left_out: u64,
}

/// A zone cannot be exported so.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The zone has nothing that the format can hold.
    #[error("the zone lists only {has}, and {format} holds {holds}")]
    NothingToHold {
        /// What the zone lists.
        has: &'static str,
        /// The format, as it is named.
        format: String,
        /// What the format holds.
        holds: &'static str,
    },
    /// The set has no name that the program takes.
    #[error("{name:?} cannot be the name of a set: {why}; give one with --set")]
    SetName {
        /// The name.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// The format has no form for changes.
    #[error("{0} has no form for changes; nftables, ipset and jsonl have one")]
    NoChanges(String),
    /// The earlier export.
    #[error(transparent)]
    Earlier(#[from] EarlierError),
    /// It cannot be written.
    #[error("cannot write")]
    Write(#[from] io::Error),
}

/// Writes one format.
trait FormatWriter {
    /// What it can hold of a zone with these kinds of keys.
    fn kinds(&self, zone: Kinds) -> Kinds;

    /// How much it says of an entry.
    fn detail(&self) -> Detail {
        Detail::default()
    }

    /// Whether it can say this of a name.
    fn holds(&self, _key: &ExportKey<'_>, _is_excluded: bool) -> bool {
        true
    }

    /// Writes what comes before all entries.
    fn head(&mut self, about: &About, out: &mut dyn Write) -> io::Result<()>;

    /// Writes one entry. They come in order: IPv4, IPv6, names.
    fn entry(&mut self, entry: &ExportEntry<'_>, out: &mut dyn Write) -> io::Result<()>;

    /// Writes what comes behind all entries.
    fn tail(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    /// Whether it has a form for changes.
    fn has_changes(&self) -> bool {
        false
    }

    /// Writes what has changed, if there is a form for it.
    fn changes(&mut self, _: &About, _: &Changes, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

/// Exports a section of a zone, whole or what has changed since an earlier export; also writes it whole as
/// JSON lines to `save`. Many small pieces are written: `out` and `save` should have buffers.
///
/// # Errors
///
/// [`ExportError`].
pub fn export(
    (zone, section): (&Zone, &SweepSection<'_>),
    format: ExportFormat,
    options: ExportOptions<'_>,
    since: Option<Earlier<'_>>,
    out: &mut dyn Write,
    save: Option<&mut dyn Write>,
) -> Result<(), ExportError> {
    let name = section.apex().to_string();
    let set = options.set.unwrap_or(&name);
    let mut writer: Box<dyn FormatWriter> = match format {
        ExportFormat::Plain => Box::new(plain::Plain),
        ExportFormat::Jsonl => Box::new(jsonl::Jsonl),
        ExportFormat::Csv => Box::new(csv::Csv),
        ExportFormat::Nftables => Box::new(nftables::Nftables::new(set)?),
        ExportFormat::Ipset => Box::new(ipset::Ipset::new(set)?),
        ExportFormat::Rpz => Box::new(rpz::Rpz::new(&zone.soa)),
        ExportFormat::Unbound => Box::new(unbound::Unbound::new(&name)),
        ExportFormat::PostfixCidr => Box::new(postfix::Table::access(&name)),
        ExportFormat::Postscreen => Box::new(postfix::Table::postscreen()),
        ExportFormat::Exim => Box::new(exim::Exim::new(&name, options.names)),
        ExportFormat::Rspamd => Box::new(rspamd::Rspamd { names: options.names }),
    };
    let all = Walk::new(section, options.test_points);
    let about = |counts| About {
        zone: name.clone(),
        serial: zone.soa.serial,
        content_id: zone.content_id,
        counts,
    };
    let has = all.kinds();
    let kinds = writer.kinds(has);
    if kinds == Kinds::default() && has != kinds {
        return Err(ExportError::NothingToHold {
            has: has.words(),
            format: format.name(),
            holds: writer.kinds(Kinds { addresses: true, names: true }).words(),
        });
    }
    if since.is_some() && !writer.has_changes() {
        return Err(ExportError::NoChanges(format.name()));
    }
    if let Some(save) = save {
        write_whole(&mut jsonl::Jsonl, all, has, about, save)?;
    }
    let Some(earlier) = since else {
        return Ok(write_whole(&mut *writer, all, kinds, about, out)?);
    };
    let counts = count(&*writer, all, kinds)?;
    let changes = Changes::since(earlier, all.of(kinds, writer.detail()), &name)?;
    writer.changes(&about(counts), &changes, out)?;
    Ok(out.flush()?)
}

fn write_whole(
    writer: &mut dyn FormatWriter,
    all: Walk<'_, '_>,
    kinds: Kinds,
    about: impl Fn(ExportCounts) -> About,
    out: &mut dyn Write,
) -> io::Result<()> {
    let about = about(count(writer, all, kinds)?);
    writer.head(&about, out)?;
    all.of(kinds, writer.detail()).entries(&mut |entry| {
        if writer.holds(&entry.key, entry.is_excluded) {
            writer.entry(entry, out)?;
        }
        Ok(())
    })?;
    writer.tail(out)?;
    out.flush()
}

/// Counts what an export holds, and what it leaves out.
fn count(writer: &dyn FormatWriter, all: Walk<'_, '_>, kinds: Kinds) -> io::Result<ExportCounts> {
    let mut counts = ExportCounts::default();
    all.of(all.kinds(), writer.detail()).keys(&mut |key, is_excluded| {
        if !kinds.has(key) || !writer.holds(key, is_excluded) {
            counts.left_out += 1;
            return Ok(());
        }
        match key {
            ExportKey::Ip4(net) => {
                counts.ip4_prefixes += 1;
                counts.ip4_addresses += 1 << (32 - net.prefix_len());
            }
            ExportKey::Ip6(_) => counts.ip6_prefixes += 1,
            ExportKey::Name(..) => counts.names += 1,
        }
        Ok(())
    })?;
    Ok(counts)
}

impl ExportFormat {
    /// As it is named on the command line.
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

impl About {
    /// Writes it as comments, each behind `sign`.
    fn comment(&self, sign: &str, out: &mut dyn Write) -> io::Result<()> {
        let Self { zone, serial, content_id, counts } = self;
        writeln!(out, "{sign} {zone}, serial {serial}, content id {content_id:016x}")?;
        let ExportCounts { ip4_prefixes, ip4_addresses, ip6_prefixes, names, left_out } = counts;
        let mut parts = Vec::new();
        if *ip4_prefixes > 0 {
            let addresses = counted(*ip4_addresses, "IPv4 address", "IPv4 addresses");
            parts.push(format!("{addresses} in {}", counted(*ip4_prefixes, "prefix", "prefixes")));
        }
        if *ip6_prefixes > 0 {
            parts.push(counted(*ip6_prefixes, "IPv6 prefix", "IPv6 prefixes"));
        }
        if *names > 0 || parts.is_empty() {
            parts.push(counted(*names, "name", "names"));
        }
        writeln!(out, "{sign} {}", parts.join(", "))?;
        match left_out {
            0 => Ok(()),
            _ => writeln!(out, "{sign} left out, because this format cannot say it: {left_out}"),
        }
    }
}

/// The two families, in the order of exports, with the words that formats have for them.
const FAMILIES: [&str; 2] = ["v4", "v6"];

/// 0 for IPv4, 1 for IPv6, `None` for names.
fn family(key: &ExportKey<'_>) -> Option<usize> {
    match key {
        ExportKey::Ip4(_) => Some(0),
        ExportKey::Ip6(_) => Some(1),
        ExportKey::Name(..) => None,
    }
}

/// A key; the two halves of the one that is all addresses, for programs that do not take it.
fn halves<'k>(key: &ExportKey<'k>) -> impl Iterator<Item = ExportKey<'k>> {
    let (mut ip4, mut ip6, mut other) = (None, None, None);
    match key {
        ExportKey::Ip4(net) if net.prefix_len() == 0 => ip4 = net.subnets(1).ok(),
        ExportKey::Ip6(net) if net.prefix_len() == 0 => ip6 = net.subnets(1).ok(),
        key => other = Some(*key),
    }
    let ip4 = ip4.into_iter().flatten().map(ExportKey::Ip4);
    let ip6 = ip6.into_iter().flatten().map(ExportKey::Ip6);
    ip4.chain(ip6).chain(other)
}

/// A name as hosts have it: its text needs no quotes anywhere. The root is none.
fn is_host_name(name: &[u8]) -> bool {
    let is_usual =
        |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(byte);
    name.len() > 1 && crate::wire::name::Labels::of(name).all(|label| label.iter().all(is_usual))
}

/// A text on one line of ASCII characters.
fn one_line(text: &[u8]) -> String {
    let shown = |&byte: &u8| if matches!(byte, b' '..=b'~') { char::from(byte) } else { '?' };
    text.iter().map(shown).collect::<String>().trim().to_owned()
}
