//! The tables `[[zone]]`, and the access lists of the server.

use super::super::error::{ConfigDiagnostic, Problem, suggest};
use super::super::scoring::Scoring;
use super::super::secondary::Key;
use super::super::settings::Zone;
use super::super::spec::{DatasetSpec, ServerSpec, TypedList, ZoneSpec};
use super::super::value;
use super::{Resolver, span_of};
use crate::zone::TransferAccess;
use crate::zonefile::Kind;
use std::collections::{BTreeMap, HashMap, HashSet};
use toml::Spanned;

impl Resolver<'_> {
    pub(super) fn zones(
        &mut self,
        specs: &[Spanned<ZoneSpec>],
        datasets: &[Spanned<DatasetSpec>],
        server: &ServerSpec,
        keys: &[Key],
        has_feeds: bool,
    ) -> (Vec<Zone>, Vec<String>) {
        let typed_names = datasets.iter().filter_map(|typed| typed.get_ref().name.as_ref());
        let nameless = |typed: &&Spanned<DatasetSpec>| typed.get_ref().name.is_none();
        let all_named = !self.lacks_tables()
            && !datasets.iter().filter(nameless).any(|typed| self.is_faulty(&typed.span()));
        let known = Known { is_whole: all_named, ..Known::of(datasets, specs) };
        if specs.is_empty() && !has_feeds && !self.lacks_tables() {
            let help = "add a [[zone]] with a name and its datasets";
            self.errors
                .push(ConfigDiagnostic::general(Problem::new("there is no zone to serve", help)));
        }
        let (mut places, mut used) = (HashMap::new(), HashSet::new());
        let mut access_lists = |resolver: &mut Self, key: &str, list: &TypedList| match list {
            Some(list) => resolver.references(key, list, &known, true, &mut used),
            None => Vec::new(),
        };
        let server_acl = access_lists(self, "server.acl", &server.acl);
        let acls: Vec<Vec<String>> = specs
            .iter()
            .map(|typed| access_lists(self, "zone.acl", &typed.get_ref().acl))
            .collect();
        let mut zones = Vec::new();
        for (typed, acl) in specs.iter().zip(acls) {
            let spec = typed.get_ref();
            let Lists { datasets: served, allow, scoring } = match &spec.sum {
                Some(sum) => self.summed(spec, sum, &known, &mut used),
                None => self.listed(typed, &known, &mut used),
            };
            let Some(text) = self.required("zone.name", &spec.name, typed.span()) else { continue };
            let Some(name) = self.value("zone.name", text, value::domain) else { continue };
            let print = name.to_string();
            self.first_use("zone.name", "zone", print, text.span(), &mut places);
            let defaults = Zone::new(name, served);
            let test_points = spec.test_points.unwrap_or(defaults.test_points);
            let health = spec.health.unwrap_or(defaults.health);
            let partial = spec.partial.as_ref();
            let partial =
                partial.and_then(|text| self.value("zone.partial", text, value::unlisted));
            let partial = partial.unwrap_or_default();
            let stale = spec.stale.as_ref();
            let stale = stale.and_then(|text| self.value("zone.stale", text, value::stale));
            let stale = stale.unwrap_or_default();
            let transfer = self.transfer(spec, keys);
            let notify = self.notify("zone.notify", &spec.notify, keys);
            let example = spec.example.as_ref().and_then(|key| {
                self.value("zone.example", key, |text| value::name_of_key(text, &defaults.name))
            });
            zones.push(Zone {
                allow,
                scoring,
                acl,
                transfer,
                notify,
                test_points,
                health,
                partial,
                stale,
                example,
                ..defaults
            });
        }
        for name in typed_names.filter(|name| !used.contains(name.get_ref())) {
            let message = format!("no zone uses dataset {:?}, so it is not loaded", name.get_ref());
            let problem = Problem::new(message, "add it to the datasets, allow or acl of a zone");
            self.warnings.push(ConfigDiagnostic::at(self.text, name.span(), problem));
        }
        (zones, server_acl)
    }

    fn transfer(&mut self, spec: &ZoneSpec, known: &[Key]) -> TransferAccess {
        let key = "zone.transfer";
        let access = self.transfer_access(key, &spec.transfer, known);
        if spec.sum.is_some()
            && let Some(list) = &spec.transfer
        {
            let help = "remove transfer, or allow it for zones of the datasets";
            let message = "a zone with sum cannot be transferred: its sums are no records";
            self.error(key, list.span(), Problem::new(message, help));
        }
        let (key, typed) = ("zone.transfer-max-records", &spec.transfer_max_records);
        let max_records = self.number(key, typed, TransferAccess::MAX_RECORDS as u32, 1..=u32::MAX);
        TransferAccess { max_records: max_records.into(), ..access }
    }

    /// The lists of a zone that gives the values of all its datasets.
    fn listed(
        &mut self,
        typed: &Spanned<ZoneSpec>,
        known: &Known<'_>,
        used: &mut HashSet<String>,
    ) -> Lists {
        let spec = typed.get_ref();
        let datasets = match self.required("zone.datasets", &spec.datasets, typed.span()) {
            Some(list) => self.references("zone.datasets", list, known, false, used),
            None => Vec::new(),
        };
        if let Some(list) = spec.datasets.as_ref().filter(|list| list.get_ref().is_empty()) {
            let problem = Problem::new("the zone has no dataset", "name at least one");
            self.error("zone.datasets", list.span(), problem);
        }
        if let Some(at) = &spec.at {
            let problem = Problem::new("at has no effect without sum", "add sum, or remove at");
            self.error("zone.at", at.span(), problem);
        }
        let allow = match &spec.allow {
            Some(list) => self.references("zone.allow", list, known, false, used),
            None => Vec::new(),
        };
        if let Some(both) = allow.iter().find(|name| datasets.contains(name)) {
            let message = format!("{both:?} is in datasets too, so the zone lists nothing of it");
            let span = span_of(&spec.allow);
            self.error("zone.allow", span, Problem::new(message, "keep it in one of the two"));
        }
        if let Some(name) = allow.iter().find(|name| known.kind(name) == Some(Kind::Generic)) {
            let message = format!("{name:?} is of type generic, which has no entries to allow");
            let help = "allow a list; if the zone is to serve these records, name them in datasets";
            self.error("zone.allow", span_of(&spec.allow), Problem::new(message, help));
        }
        Lists { datasets, allow, scoring: None }
    }

    pub(super) fn references(
        &mut self,
        key: &str,
        list: &Spanned<Vec<Spanned<String>>>,
        known: &Known<'_>,
        access_lists: bool,
        used: &mut HashSet<String>,
    ) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for typed in list.get_ref() {
            let name = typed.get_ref();
            used.insert(name.clone());
            if names.contains(name) {
                let problem = Problem::new(format!("{name:?} is named twice"), "name it once");
                self.error(key, typed.span(), problem);
            } else if let Some(kind) = known.names.get(name.as_str()) {
                if kind.is_some_and(Kind::is_access_list) != access_lists {
                    let (message, help) = match access_lists {
                        true => ("is not an access list", "name a dataset of type acl or aclkey"),
                        false => ("is an access list", "name it in the acl of the zone or server"),
                    };
                    let message = format!("{name:?} {message}");
                    self.error(key, typed.span(), Problem::new(message, help));
                }
            } else if known.zones.contains(&name.as_str()) {
                let message = format!("{name:?} is a zone");
                let help = "name the datasets of that zone: zones are made of datasets alone";
                self.error(key, typed.span(), Problem::new(message, help));
            } else if known.is_whole {
                let message = format!("there is no dataset {name:?}");
                let known: Vec<&str> = known.names.keys().copied().collect();
                let help = match suggest(name, &known) {
                    help if help.is_empty() => "add a [[dataset]] of that name".to_owned(),
                    help => help,
                };
                self.error(key, typed.span(), Problem::new(message, help));
            }
            names.push(name.clone());
        }
        names
    }
}

/// The lists of a zone.
pub(super) struct Lists {
    pub(super) datasets: Vec<String>,
    pub(super) allow: Vec<String>,
    pub(super) scoring: Option<Scoring>,
}

/// The names of all datasets in the file, each with its type if that is a valid one, and of all zones. Of equal
/// names the first counts.
pub(super) struct Known<'t> {
    names: BTreeMap<&'t str, Option<Kind>>,
    zones: Vec<&'t str>,
    /// False if there are more in the file, whose names are not known for a mistake of form.
    is_whole: bool,
}

impl<'t> Known<'t> {
    fn of(datasets: &'t [Spanned<DatasetSpec>], zones: &'t [Spanned<ZoneSpec>]) -> Self {
        let mut names = BTreeMap::new();
        for spec in datasets.iter().map(Spanned::get_ref) {
            let kind = spec.kind.as_ref().and_then(|word| word.get_ref().parse().ok());
            if let Some(name) = &spec.name {
                names.entry(name.get_ref().as_str()).or_insert(kind);
            }
        }
        let zones = zones.iter().filter_map(|zone| zone.get_ref().name.as_ref());
        let zones = zones.map(|name| name.get_ref().as_str()).collect();
        Self { names, zones, is_whole: true }
    }

    /// The type of the dataset of this name.
    pub(super) fn kind(&self, name: &str) -> Option<Kind> {
        self.names.get(name).copied().flatten()
    }
}
