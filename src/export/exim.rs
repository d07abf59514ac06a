//! Files of Exim's single-key lookups: addresses for `net-iplsearch`, names for `partial0-lsearch`. The data is
//! what to say to the client; that of a name that is not listed is empty.
//!
//! A partial lookup tries the name, then `*.` before the name itself, then before those above it.

use super::entries::{Detail, ExportEntry, ExportKey, Kinds, NameScope};
use super::postfix::reason;
use super::{About, FormatWriter, is_host_name};
use std::io::{self, Write};

pub(super) struct Exim {
    zone: String,
    names: bool,
    /// The name that the last line is for, in wire form.
    last: Vec<u8>,
}

impl Exim {
    pub(super) fn new(zone: &str, names: bool) -> Self {
        Self { zone: zone.to_owned(), names, last: Vec::new() }
    }
}

impl FormatWriter for Exim {
    fn kinds(&self, zone: Kinds) -> Kinds {
        one_kind(zone, self.names)
    }

    fn detail(&self) -> Detail {
        Detail { values: true, hidden_names: true }
    }

    fn holds(&self, key: &ExportKey<'_>, _: bool) -> bool {
        !matches!(key, ExportKey::Name(name, _) if !is_host_name(name))
    }

    fn head(&mut self, about: &About, out: &mut dyn Write) -> io::Result<()> {
        about.comment("#", out)
    }

    fn entry(&mut self, entry: &ExportEntry<'_>, out: &mut dyn Write) -> io::Result<()> {
        let data = match entry.is_excluded {
            true => String::new(),
            false => format!(" {}", reason(&self.zone, entry.values)),
        };
        match entry.key {
            key @ ExportKey::Ip4(_) => writeln!(out, "{key}:{data}"),
            // Its colons would end the key.
            key @ ExportKey::Ip6(_) => writeln!(out, "\"{key}\":{data}"),
            ExportKey::Name(name, scope) => {
                // What is listed below a name only would be found for the name, too.
                if scope == NameScope::Below && self.last != name {
                    writeln!(out, "{}:", ExportKey::Name(name, NameScope::Itself))?;
                }
                self.last = name.to_vec();
                let scope = if scope == NameScope::Itself { scope } else { NameScope::Below };
                writeln!(out, "{}:{data}", ExportKey::Name(name, scope))
            }
        }
    }
}

/// What a file holds that holds either addresses or names: addresses, unless names are wanted or there is nothing
/// else.
pub(super) fn one_kind(zone: Kinds, names: bool) -> Kinds {
    let addresses = zone.addresses && !(names && zone.names);
    Kinds { addresses, names: zone.names && !addresses }
}
