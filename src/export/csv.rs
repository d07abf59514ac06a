//! CSV (RFC 4180): key, values and texts of each entry.

use super::entries::{Detail, ExportEntry, Kinds};
use super::{About, FormatWriter};
use std::io::{self, Write};

pub(super) struct Csv;

impl FormatWriter for Csv {
    fn kinds(&self, zone: Kinds) -> Kinds {
        zone
    }

    fn detail(&self) -> Detail {
        Detail { values: true, ..Detail::default() }
    }

    /// The names of the columns: CSV has no comments.
    fn head(&mut self, _: &About, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"key,values,texts\r\n")
    }

    fn entry(&mut self, entry: &ExportEntry<'_>, out: &mut dyn Write) -> io::Result<()> {
        let sign = if entry.is_excluded { "!" } else { "" };
        field(&format!("{sign}{}", entry.key), out)?;
        out.write_all(b",")?;
        for (at, value) in entry.values.iter().enumerate() {
            write!(out, "{}{}", if at > 0 { " " } else { "" }, value.a)?;
        }
        out.write_all(b",")?;
        let texts = entry.values.iter().map(|value| String::from_utf8_lossy(&value.text));
        let texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
        field(&texts.join("; "), out)?;
        out.write_all(b"\r\n")
    }
}

/// Writes a field, in quotes if it needs some.
fn field(text: &str, out: &mut dyn Write) -> io::Result<()> {
    match text.contains([',', '"', '\r', '\n']) {
        true => write!(out, "\"{}\"", text.replace('"', "\"\"")),
        false => out.write_all(text.as_bytes()),
    }
}
