//! Maps of rspamd: keys alone. It reads what stands behind a key as a symbol or a score.

use super::entries::{Entry, Key, Kinds, NameScope};
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
    fn holds(&self, key: &Key<'_>, is_excluded: bool) -> bool {
        !is_excluded && !matches!(key, Key::Name(name, _) if !is_host_name(name))
    }

    fn head(&mut self, about: &About, out: &mut dyn Write) -> io::Result<()> {
        about.comment("#", out)
    }

    fn entry(&mut self, entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<()> {
        let Key::Name(name, scope) = entry.key else { return writeln!(out, "{}", entry.key) };
        if scope != NameScope::Below {
            writeln!(out, "{}", Key::Name(name, NameScope::Itself))?;
        }
        if scope != NameScope::Itself {
            writeln!(out, "{}", Key::Name(name, NameScope::Below))?;
        }
        Ok(())
    }
}
