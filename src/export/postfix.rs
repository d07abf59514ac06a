//! Tables of Postfix for addresses, `cidr:` (cidr_table(5)): for `check_client_access`, with texts, and for
//! `postscreen_access_list`.

use super::entries::{Detail, ExportEntry, Kinds};
use super::values::ExportValue;
use super::{About, FormatWriter, one_line};
use std::io::{self, Write};

pub(super) struct Table {
    /// The zone, if texts are told.
    zone: Option<String>,
}

impl Table {
    /// For `check_client_access`: `REJECT` with the text.
    pub(super) fn access(zone: &str) -> Self {
        Self { zone: Some(zone.to_owned()) }
    }

    /// For postscreen, which takes no text.
    pub(super) fn postscreen() -> Self {
        Self { zone: None }
    }
}

impl FormatWriter for Table {
    fn kinds(&self, zone: Kinds) -> Kinds {
        Kinds { names: false, ..zone }
    }

    fn detail(&self) -> Detail {
        Detail { values: self.zone.is_some(), ..Detail::default() }
    }

    fn head(&mut self, about: &About, out: &mut dyn Write) -> io::Result<()> {
        about.comment("#", out)
    }

    fn entry(&mut self, entry: &ExportEntry<'_>, out: &mut dyn Write) -> io::Result<()> {
        let Some(zone) = &self.zone else { return writeln!(out, "{} reject", entry.key) };
        writeln!(out, "{} REJECT {}", entry.key, reason(zone, entry.values))
    }
}

/// What a mail server says to who is listed, on one line.
pub(super) fn reason(zone: &str, values: &[ExportValue]) -> String {
    let texts = values.iter().map(|value| one_line(&value.text));
    let texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
    match texts[..] {
        [] => format!("listed in {zone}"),
        _ => format!("listed in {zone}: {}", texts.join("; ")),
    }
}
