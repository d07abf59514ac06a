//! Who may have zones, and who is told of them: lists of secondaries, and the table `[catalog-zone]`.

use super::super::error::Problem;
use super::super::secondary::{CatalogZone, Key, NotifyTarget};
use super::super::settings::Zone;
use super::super::spec::{CatalogZoneSpec, Typed, TypedList};
use super::super::value;
use super::Resolver;
use crate::wire::name::NameBuf;
use crate::zone::TransferAccess;

impl Resolver<'_> {
    pub(super) fn transfer_access(
        &mut self,
        key: &str,
        list: &TypedList,
        known: &[Key],
    ) -> TransferAccess {
        let mut access = TransferAccess::default();
        for typed in list.iter().flat_map(|list| list.get_ref()) {
            match typed.get_ref().strip_prefix("key:") {
                Some(name) => {
                    access.keys.extend(self.value(key, typed, |_| known_key(name, known)));
                }
                None => access.prefixes.extend(self.value(key, typed, value::prefix)),
            }
        }
        access
    }

    pub(super) fn notify(
        &mut self,
        key: &str,
        list: &TypedList,
        known: &[Key],
    ) -> Vec<NotifyTarget> {
        let typed = list.iter().flat_map(|list| list.get_ref());
        let target = |text: &str| {
            let (address, key) =
                text.split_once('@').map_or((text, None), |(address, key)| (address, Some(key)));
            let address = value::secondary(address)?;
            Ok(NotifyTarget { address, key: key.map(|name| known_key(name, known)).transpose()? })
        };
        typed.filter_map(|typed| self.value(key, typed, target)).collect()
    }

    pub(super) fn catalog_zone(
        &mut self,
        spec: &Typed<CatalogZoneSpec>,
        zones: &[Zone],
        known: &[Key],
    ) -> Option<CatalogZone> {
        let (table, spec) = (spec.as_ref()?.span(), spec.as_ref()?.get_ref());
        self.required("catalog-zone.transfer", &spec.transfer, table.clone());
        let text = self.required("catalog-zone.name", &spec.name, table)?;
        let name = self.value("catalog-zone.name", text, value::domain)?;
        if zones.iter().any(|zone| zone.name == name) {
            let problem =
                Problem::new(format!("{name} is a zone"), "give the catalog zone another name");
            self.error("catalog-zone.name", text.span(), problem);
        }
        let transfer = self.transfer_access("catalog-zone.transfer", &spec.transfer, known);
        let notify = self.notify("catalog-zone.notify", &spec.notify, known);
        Some(CatalogZone { name, transfer, notify })
    }
}

/// The key of this name.
fn known_key(name: &str, known: &[Key]) -> Result<NameBuf, Problem> {
    let name = value::domain(name)?;
    match known.iter().any(|key| key.name == name) {
        true => Ok(name),
        false => Err(Problem::new(format!("there is no key {name}"), "add a [[key]] of that name")),
    }
}
