//! Plain lists: a key a line. The dataset type `mixed` reads them.

use super::entries::{ExportEntry, Kinds};
use super::{About, FormatWriter};
use std::io::{self, Write};

pub(super) struct Plain;

impl FormatWriter for Plain {
    fn kinds(&self, zone: Kinds) -> Kinds {
        zone
    }

    fn head(&mut self, about: &About, out: &mut dyn Write) -> io::Result<()> {
        about.comment("#", out)
    }

    fn entry(&mut self, entry: &ExportEntry<'_>, out: &mut dyn Write) -> io::Result<()> {
        let sign = if entry.is_excluded { "!" } else { "" };
        writeln!(out, "{sign}{}", entry.key)
    }
}
