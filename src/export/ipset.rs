//! Sets of ipset (`hash:net`), one for each family: `ipset restore` fills a new set and swaps it with the old one,
//! or changes that.

use super::changes::{Change, Changes};
use super::entries::{ExportEntry, ExportKey, Kinds};
use super::{About, ExportError, FAMILIES, FormatWriter, family, halves};
use std::io::{self, Write};

/// What the new set is called until it takes the place of the old one: the set's name and this.
const NEW: &str = "-new";
/// The longest name of a set, in bytes (`IPSET_MAXNAMELEN` with the final zero).
const MAX_NAME: usize = 31;
/// The same for all sets, whatever their size: sets are swapped only if it is equal, and `-exist` asks for that, too.
const MAX_ELEMENTS: u32 = u32::MAX;

pub(super) struct Ipset {
    set: String,
}

impl Ipset {
    pub(super) fn new(set: &str) -> Result<Self, ExportError> {
        let refuse = |why| Err(ExportError::SetName { name: set.to_owned(), why });
        if set.is_empty() || !set.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refuse("ipset takes characters of ASCII, no blanks");
        }
        if set.len() + "-v4".len() + NEW.len() > MAX_NAME {
            return refuse("ipset takes 24 characters at most");
        }
        Ok(Self { set: set.to_owned() })
    }

    fn line(
        &self,
        verb: &str,
        new: &str,
        key: &ExportKey<'_>,
        end: &str,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let Some(at) = family(key) else { return Ok(()) };
        let (set, family) = (&self.set, FAMILIES[at]);
        halves(key).try_for_each(|key| writeln!(out, "{verb} {set}-{family}{new} {key}{end}"))
    }
}

impl FormatWriter for Ipset {
    fn kinds(&self, zone: Kinds) -> Kinds {
        Kinds { names: false, ..zone }
    }

    fn head(&mut self, about: &About, out: &mut dyn Write) -> io::Result<()> {
        about.comment("#", out)?;
        let (set, counts) = (&self.set, about.counts);
        for (at, family) in ["inet", "inet6"].into_iter().enumerate() {
            let count = [counts.ip4_prefixes, counts.ip6_prefixes][at];
            // The greatest power of two up to the count: the table need not grow often.
            let buckets = (count / 2 + 1).next_power_of_two().clamp(64, 1 << 24);
            let name = FAMILIES[at];
            for (new, buckets) in [("", 64), (NEW, buckets)] {
                writeln!(
                    out,
                    "create {set}-{name}{new} hash:net family {family} hashsize {buckets} \
                     maxelem {MAX_ELEMENTS} -exist"
                )?;
            }
            writeln!(out, "flush {set}-{name}{NEW}")?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &ExportEntry<'_>, out: &mut dyn Write) -> io::Result<()> {
        self.line("add", NEW, &entry.key, "", out)
    }

    fn tail(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let set = &self.set;
        FAMILIES.into_iter().try_for_each(|name| {
            writeln!(out, "swap {set}-{name}{NEW} {set}-{name}\ndestroy {set}-{name}{NEW}")
        })
    }

    fn has_changes(&self) -> bool {
        true
    }

    fn changes(&mut self, about: &About, changes: &Changes, out: &mut dyn Write) -> io::Result<()> {
        changes.comment(about, out)?;
        for (verb, change) in [("del", Change::Remove), ("add", Change::Add)] {
            for key in changes.prefixes(change) {
                self.line(verb, "", &key, " -exist", out)?;
            }
        }
        Ok(())
    }
}
