//! Sets of nftables, one for each family, in the table `inet dnsbld`: `nft -f` replaces what they hold, or
//! changes it, in one step.

use super::changes::{Change, Changes};
use super::entries::{ExportEntry, ExportKey, Kinds};
use super::{About, ExportError, FAMILIES, FormatWriter, family};
use std::io::{self, Write};

const TABLE: &str = "inet dnsbld";
/// The longest name of a set, in bytes (`NFT_SET_MAXNAMELEN` with the final zero).
const MAX_NAME: usize = 255;

pub(super) struct Nftables {
    set: String,
    /// The family whose elements are being written.
    open: Option<usize>,
}

impl Nftables {
    pub(super) fn new(set: &str) -> Result<Self, ExportError> {
        let refuse = |why| Err(ExportError::SetName { name: set.to_owned(), why });
        let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !set.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return refuse("nftables wants a letter first");
        }
        if !set.bytes().all(is_usual) {
            return refuse("nftables takes letters, digits, '.', '-' and '_'");
        }
        if set.len() + "-v4".len() > MAX_NAME {
            return refuse("it is too long");
        }
        Ok(Self { set: set.to_owned(), open: None })
    }

    fn element(&mut self, verb: &str, key: &ExportKey<'_>, out: &mut dyn Write) -> io::Result<()> {
        let Some(at) = family(key) else { return Ok(()) };
        if self.open == Some(at) {
            return writeln!(out, "{key},");
        }
        self.close(out)?;
        self.open = Some(at);
        writeln!(out, "{verb} element {TABLE} {}-{} {{\n{key},", self.set, FAMILIES[at])
    }

    fn close(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.open.take().is_some() { out.write_all(b"}\n") } else { Ok(()) }
    }
}

impl FormatWriter for Nftables {
    fn kinds(&self, zone: Kinds) -> Kinds {
        Kinds { names: false, ..zone }
    }

    fn head(&mut self, about: &About, out: &mut dyn Write) -> io::Result<()> {
        about.comment("#", out)?;
        writeln!(out, "table {TABLE} {{")?;
        for (name, kind) in FAMILIES.into_iter().zip(["ipv4_addr", "ipv6_addr"]) {
            writeln!(out, "\tset {}-{name} {{ type {kind}; flags interval; }}", self.set)?;
        }
        out.write_all(b"}\n")?;
        FAMILIES
            .into_iter()
            .try_for_each(|name| writeln!(out, "flush set {TABLE} {}-{name}", self.set))
    }

    fn entry(&mut self, entry: &ExportEntry<'_>, out: &mut dyn Write) -> io::Result<()> {
        self.element("add", &entry.key, out)
    }

    fn tail(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.close(out)
    }

    fn has_changes(&self) -> bool {
        true
    }

    fn changes(&mut self, about: &About, changes: &Changes, out: &mut dyn Write) -> io::Result<()> {
        changes.comment(about, out)?;
        // What is added may lie in what is removed.
        for (verb, change) in [("delete", Change::Remove), ("add", Change::Add)] {
            for key in changes.prefixes(change) {
                self.element(verb, &key, out)?;
            }
            self.close(out)?;
        }
        Ok(())
    }
}
