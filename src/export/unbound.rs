//! Lines of unbound for names: `local-zone` for a name and all below it. They are matched by the nearest name,
//! so that one name alone is a transparent zone with a TXT record of its own: other questions for it have no answer.
//!
//! What is listed below a name but not there, and an exclusion of one name alone, cannot be said: use a
//! response policy zone.

use super::entries::{Detail, ExportEntry, ExportKey, Kinds, NameScope};
use super::postfix::reason;
use super::{About, FormatWriter, is_host_name};
use std::io::{self, Write};

pub(super) struct Unbound {
    zone: String,
}

impl Unbound {
    pub(super) fn new(zone: &str) -> Self {
        Self { zone: zone.to_owned() }
    }
}

impl FormatWriter for Unbound {
    fn kinds(&self, zone: Kinds) -> Kinds {
        Kinds { addresses: false, ..zone }
    }

    fn detail(&self) -> Detail {
        Detail { values: true, ..Detail::default() }
    }

    fn holds(&self, key: &ExportKey<'_>, is_excluded: bool) -> bool {
        match key {
            ExportKey::Name(name, NameScope::Both) => is_host_name(name),
            ExportKey::Name(name, NameScope::Itself) => is_host_name(name) && !is_excluded,
            _ => false,
        }
    }

    fn head(&mut self, about: &About, out: &mut dyn Write) -> io::Result<()> {
        about.comment("#", out)?;
        out.write_all(b"server:\n")
    }

    fn entry(&mut self, entry: &ExportEntry<'_>, out: &mut dyn Write) -> io::Result<()> {
        let ExportKey::Name(name, scope) = entry.key else { return Ok(()) };
        let name = ExportKey::Name(name, NameScope::Itself);
        if entry.is_excluded {
            return writeln!(out, "local-zone: \"{name}.\" transparent");
        }
        if scope == NameScope::Both {
            return writeln!(out, "local-zone: \"{name}.\" always_nxdomain");
        }
        // Quotes and backslashes would end the text.
        let text = reason(&self.zone, entry.values).replace(['"', '\'', '\\'], "?");
        let text: String = text.chars().take(255).collect();
        writeln!(out, "local-zone: \"{name}.\" transparent")?;
        writeln!(out, "local-data: '{name}. TXT \"{text}\"'")
    }
}
