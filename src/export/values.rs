//! The values of an entry: what the server answers for its first address, or for the name that is listed.

use crate::engine::compose::shows_text;
use crate::engine::text::{KeyText, Text};
use crate::wire::name::Labels;
use crate::zone::sweep::{Hit, HitKind, SweepSection, suffix};
use std::net::Ipv4Addr;

/// A value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExportValue {
    /// The A record.
    pub a: Ipv4Addr,
    /// The text; empty if there is none.
    pub text: Vec<u8>,
}

/// Writes out the values of hits.
pub(super) struct Renderer<'s, 'z> {
    section: &'s SweepSection<'z>,
    text: Text,
    key_text: KeyText,
    values: Vec<ExportValue>,
    /// The hits that `values` are of, if these do not show the key.
    hits: Option<Vec<Hit>>,
}

impl<'s, 'z> Renderer<'s, 'z> {
    pub(super) fn new(section: &'s SweepSection<'z>) -> Self {
        let (text, key_text) = (Text::default(), KeyText::default());
        Self { section, text, key_text, values: Vec::new(), hits: None }
    }

    pub(super) fn of_ip4(&mut self, hits: &[Hit], address: u32) -> &[ExportValue] {
        self.values(hits, |text, _| _ = text.ip4(address))
    }

    pub(super) fn of_ip6(&mut self, hits: &[Hit], address: u128) -> &[ExportValue] {
        self.values(hits, |text, kind| {
            _ = match kind {
                HitKind::Ip4 => text.ip4(address as u32),
                _ => text.ip6(address),
            }
        })
    }

    pub(super) fn of_name(&mut self, hits: &[Hit], name: &[u8]) -> &[ExportValue] {
        let labels = Labels::of(name).count();
        self.values(hits, |text, kind| {
            if let HitKind::Name(listed) = kind {
                text.name(suffix(name, labels.saturating_sub(listed.into())));
            }
        })
    }

    fn values(
        &mut self,
        hits: &[Hit],
        write_key: impl Fn(&mut KeyText, HitKind),
    ) -> &[ExportValue] {
        if self.hits.as_deref() == Some(hits) {
            return &self.values;
        }
        self.values.clear();
        let mut shows_key = false;
        for hit in hits {
            let Some((dataset, answer)) = self.section.resolve(hit) else { continue };
            write_key(&mut self.key_text, hit.key);
            for value in answer.values_for(self.section.asker()) {
                let mut text = Vec::new();
                if shows_text(value.text, &dataset.vars) {
                    shows_key |= dataset.vars.base.is_some()
                        || value.text.pieces().iter().any(|piece| piece.contains(&b'$'));
                    self.text.expand(&value.text.whole(), &dataset.vars, self.key_text.written());
                    text.extend_from_slice(self.text.bytes());
                }
                let value = ExportValue { a: value.a, text };
                if !self.values.contains(&value) {
                    self.values.push(value);
                }
            }
        }
        self.hits = (!shows_key).then(|| hits.to_vec());
        &self.values
    }
}
