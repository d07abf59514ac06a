//! Maps of rspamd: keys alone. It reads what stands behind a key as a symbol or a score.

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
        if scope != NameScope::Below {
            writeln!(out, "{}", ExportKey::Name(name, NameScope::Itself))?;
        }
        if scope != NameScope::Itself {
            writeln!(out, "{}", ExportKey::Name(name, NameScope::Below))?;
        }
        Ok(())
    }
}
