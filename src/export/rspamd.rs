//! Maps of rspamd: keys alone, as it reads what stands behind one as a symbol or a score. Names are regular expressions,
//! because its globs match in the middle of a name.

use super::entries::{ExportEntry, ExportKey, Kinds, NameScope};
use super::exim::one_kind;
use super::{About, FormatWriter, is_host_name};
use std::io::{self, Write};

pub(super) struct Rspamd {
    pub(super) names: bool,
}

impl FormatWriter for Rspamd {
    fn kinds(&self, zone: Kinds) -> Kinds {
        one_kind(zone, self.names)
    }

    /// A map has no exclusions.
    fn holds(&self, key: &ExportKey<'_>, is_excluded: bool) -> bool {
        !is_excluded && !matches!(key, ExportKey::Name(name, _) if !is_host_name(name))
    }

    fn head(&mut self, about: &About, out: &mut dyn Write) -> io::Result<()> {
        about.comment("#", out)
    }

    fn entry(&mut self, entry: &ExportEntry<'_>, out: &mut dyn Write) -> io::Result<()> {
        let ExportKey::Name(name, scope) = entry.key else { return writeln!(out, "{}", entry.key) };
        let name = ExportKey::Name(name, NameScope::Itself).to_string().replace('.', "\\.");
        match scope {
            NameScope::Itself => writeln!(out, "/^{name}$/"),
            NameScope::Below => writeln!(out, "/\\.{name}$/"),
            NameScope::Both => writeln!(out, "/(^|\\.){name}$/"),
        }
    }
}
