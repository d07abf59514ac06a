//! The datasets and zones that feeds bring: those of presets, and those of feeds with a type and a zone.
//!
//! They are added before datasets and zones are resolved, as if they were written in the file. A `[[dataset]]`
//! or `[[zone]]` of the same name keeps its own values and takes the others of the feed.

use super::super::error::Problem;
use super::super::feed::Mirror;
use super::super::preset::{Preset, PresetList, preset};
use super::super::spec::{
    DatasetGuardSpec, DatasetSpec, FeedSpec, ServerSpec, Spec, Time, Typed, ZoneSpec,
};
use super::Resolver;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;

/// All datasets and all zones of a file.
pub(super) struct Lists {
    pub(super) datasets: Vec<Spanned<DatasetSpec>>,
    pub(super) zones: Vec<Spanned<ZoneSpec>>,
}

impl Resolver<'_> {
    /// The datasets and zones of the file, and those that its feeds bring.
    pub(super) fn lists(&mut self, spec: &Spec, mirror: &Mirror) -> Lists {
        let mut lists = Lists { datasets: spec.dataset.clone(), zones: spec.zone.clone() };
        let own = lists.datasets.len();
        for typed in &spec.feed {
            let feed = typed.get_ref();
            let known = feed.preset.as_ref().and_then(|name| preset(name.get_ref()));
            let name = feed.name.as_ref().map(|name| name.get_ref().as_str());
            let Some(name) = name.or(known.map(|preset| preset.name)) else { continue };
            let resolved = mirror.feeds.iter().find(|resolved| resolved.name == name);
            // A feed that cannot be used was reported.
            let Some(resolved) = resolved else { continue };
            let made = Made { folder: &mirror.folder(resolved), feed, span: typed.span() };
            match known {
                Some(preset) => {
                    self.check_own_list(feed, preset);
                    preset.lists.iter().for_each(|list| lists.add_dataset(made.dataset(list)));
                    preset.zones().iter().for_each(|zone| lists.add_zone(made.zone(preset, zone)));
                }
                None if feed.zone.is_some() => {
                    lists.add_dataset(made.own_dataset(name, &resolved.known_files()));
                    lists.add_zone(made.own_zone(name));
                }
                None => {}
            }
        }
        lists.drop_unused(own, &spec.server);
        lists
    }

    /// What a feed says of its list must be about one list.
    fn check_own_list(&mut self, feed: &FeedSpec, preset: &Preset) {
        let [first, _, ..] = preset.lists else { return };
        let keys =
            [("type", &feed.kind), ("zone", &feed.zone), ("default-text", &feed.default_text)];
        for (key, typed) in keys {
            let Some(typed) = typed else { continue };
            let message = format!("the preset {:?} has {} lists", preset.name, preset.lists.len());
            let table =
                if key == "zone" { ("zone", first.zone) } else { ("dataset", first.dataset) };
            let help =
                format!("write a [[{}]] with name = {:?}, and what differs", table.0, table.1);
            self.error(&format!("feed.{key}"), typed.span(), Problem::new(message, help));
        }
    }
}

impl Lists {
    fn add_dataset(&mut self, made: Spanned<DatasetSpec>) {
        let name = made.get_ref().name.as_ref().map(Spanned::get_ref);
        let is_it = |set: &&mut Spanned<DatasetSpec>| {
            set.get_ref().name.as_ref().map(Spanned::get_ref) == name
        };
        match self.datasets.iter_mut().find(is_it) {
            Some(own) => own.get_mut().take_missing(made.into_inner()),
            None => self.datasets.push(made),
        }
    }

    fn add_zone(&mut self, made: Spanned<ZoneSpec>) {
        let name = zone_name(made.get_ref());
        match self.zones.iter_mut().find(|zone| zone_name(zone.get_ref()) == name) {
            Some(own) => own.get_mut().take_missing(made.into_inner()),
            None => self.zones.push(made),
        }
    }

    /// Drops datasets behind the first `own` ones that no zone uses, because one in the file serves others.
    fn drop_unused(&mut self, own: usize, server: &ServerSpec) {
        let zones = self.zones.iter().map(Spanned::get_ref);
        let summed = zones.clone().filter_map(|zone| zone.sum.as_ref());
        let summed = summed.flat_map(|sum| sum.get_ref().keys());
        let lists = zones.flat_map(|zone| [&zone.datasets, &zone.allow, &zone.acl]);
        let used: Vec<String> = lists
            .chain([&server.acl])
            .flatten()
            .flat_map(|list| list.get_ref())
            .chain(summed)
            .map(|name| name.get_ref().clone())
            .collect();
        let mut place = 0..;
        self.datasets.retain(|set| {
            let is_own = place.next().is_some_and(|place| place < own);
            let name = set.get_ref().name.as_ref().map(Spanned::get_ref);
            is_own || name.is_some_and(|name| used.contains(name))
        });
    }
}

/// Makes tables, each of whose values stands where the feed does.
struct Made<'f> {
    /// The folder in which the files of the feed are published.
    folder: &'f Path,
    feed: &'f FeedSpec,
    span: Range<usize>,
}

impl Made<'_> {
    fn dataset(&self, list: &PresetList) -> Spanned<DatasetSpec> {
        let max_age = Time(list.max_age.as_secs().to_string());
        let off = (!list.off.is_empty()).then(|| self.words(list.off));
        self.here(DatasetSpec {
            name: self.word(list.dataset),
            kind: self.feed.kind.clone().or_else(|| self.word(&list.kind.to_string())),
            format: self.word(&list.format.to_string()),
            files: Some(self.files(&[list.file])),
            default_a: list.default_a.and_then(|a| self.word(&a.to_string())),
            default_text: self
                .feed
                .default_text
                .clone()
                .or_else(|| list.default_text.and_then(|text| self.word(text))),
            max_age: self.feed.max_age.clone().or_else(|| Some(self.here(max_age))),
            guard: DatasetGuardSpec { off, ..DatasetGuardSpec::default() },
            ..DatasetSpec::default()
        })
    }

    fn zone(&self, preset: &Preset, zone: &str) -> Spanned<ZoneSpec> {
        let lists = preset.lists.iter().filter(|list| list.zone == zone);
        let datasets: Vec<&str> = lists.clone().map(|list| list.dataset).collect();
        let allow: Vec<&str> = lists.flat_map(|list| list.allow).copied().collect();
        self.here(ZoneSpec {
            name: self.feed.zone.clone().or_else(|| self.word(zone)),
            datasets: Some(self.words(&datasets)),
            allow: (!allow.is_empty()).then(|| self.words(&allow)),
            ..ZoneSpec::default()
        })
    }

    /// The dataset of a feed without a preset.
    fn own_dataset(&self, name: &str, files: &[&str]) -> Spanned<DatasetSpec> {
        self.here(DatasetSpec {
            name: self.word(name),
            kind: self.feed.kind.clone(),
            files: Some(self.files(files)),
            default_text: self.feed.default_text.clone(),
            max_age: self.feed.max_age.clone(),
            ..DatasetSpec::default()
        })
    }

    fn own_zone(&self, dataset: &str) -> Spanned<ZoneSpec> {
        self.here(ZoneSpec {
            name: self.feed.zone.clone(),
            datasets: Some(self.words(&[dataset])),
            ..ZoneSpec::default()
        })
    }

    fn here<T>(&self, value: T) -> Spanned<T> {
        Spanned::new(self.span.clone(), value)
    }

    fn word(&self, text: &str) -> Typed<String> {
        Some(self.here(text.to_owned()))
    }

    fn words(&self, list: &[&str]) -> Spanned<Vec<Spanned<String>>> {
        self.here(list.iter().map(|&word| self.here(word.to_owned())).collect())
    }

    fn files(&self, names: &[&str]) -> Spanned<Vec<Spanned<String>>> {
        let files = names.iter().map(|name| self.folder.join(name).to_string_lossy().into_owned());
        self.here(files.map(|file| self.here(file)).collect())
    }
}

impl DatasetSpec {
    /// Takes the values that it does not have.
    fn take_missing(&mut self, made: Self) {
        take(&mut self.kind, made.kind);
        take(&mut self.format, made.format);
        take(&mut self.files, made.files);
        take(&mut self.default_a, made.default_a);
        take(&mut self.default_text, made.default_text);
        take(&mut self.max_age, made.max_age);
        take(&mut self.guard.off, made.guard.off);
    }
}

impl ZoneSpec {
    /// Takes the values that it does not have. A verdict zone has its lists in its sum.
    fn take_missing(&mut self, made: Self) {
        if self.sum.is_some() {
            return;
        }
        take(&mut self.datasets, made.datasets);
        take(&mut self.allow, made.allow);
    }
}

fn take<T>(own: &mut Option<T>, made: Option<T>) {
    *own = own.take().or(made);
}

/// The name of a zone in the one form of many that it may be written in.
fn zone_name(zone: &ZoneSpec) -> Option<String> {
    let name = zone.name.as_ref()?.get_ref();
    Some(name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use crate::config::{AgeLimit, Errors, Settings, read};
    use crate::wire::name::NameBuf;
    use crate::zonefile::Kind;
    use std::path::Path;
    use std::time::Duration;

    fn load(text: &str) -> Result<Settings, Errors> {
        let text = format!("[mirror]\ndir = \"/m\"\n{text}");
        let loaded = read(&text, Path::new("/etc/dnsbld"))?;
        assert_eq!(loaded.warnings, []);
        Ok(loaded.settings)
    }

    fn settings(text: &str) -> Settings {
        load(text).unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn names(settings: &Settings) -> (Vec<&str>, Vec<String>) {
        let datasets = settings.datasets.iter().map(|set| set.name.as_str()).collect();
        (datasets, settings.zones.iter().map(|zone| zone.name.to_string()).collect())
    }

    #[test]
    fn a_preset_alone_is_served() {
        let settings = settings("[[feed]]\npreset = \"psbl\"");
        let psbl = settings.dataset("psbl").unwrap();
        assert_eq!(psbl.files, [Path::new("/m/psbl/psbl.txt")]);
        assert_eq!(psbl.kind, Kind::Ip4Tset);
        assert_eq!(psbl.freshness.max_age, AgeLimit::Limit(Duration::from_secs(48 * 3600)));
        let zone: NameBuf = "psbl.surriel.com".parse().unwrap();
        assert_eq!(settings.zone(&zone).unwrap().datasets, ["psbl"]);
    }

    #[test]
    fn what_the_feed_says_goes_before_the_preset() {
        let settings = settings(
            "[[feed]]\npreset = \"psbl\"\nname = \"p\"\ntype = \"ip4set\"\nzone = \"p.example\"\n\
             default-text = \"$\"\nmax-age = \"3d\"",
        );
        assert_eq!(names(&settings), (vec!["psbl"], vec!["p.example".to_owned()]));
        let psbl = settings.dataset("psbl").unwrap();
        assert_eq!(psbl.files, [Path::new("/m/p/psbl.txt")]);
        assert_eq!((psbl.kind, psbl.default_text.as_deref()), (Kind::Ip4Set, Some("$")));
        assert_eq!(psbl.freshness.max_age, AgeLimit::Limit(Duration::from_secs(72 * 3600)));
    }

    #[test]
    fn tables_of_the_same_name_keep_what_they_say_and_take_the_rest() {
        let settings = settings(
            "[[feed]]\npreset = \"psbl\"\n[[dataset]]\nname = \"psbl\"\nttl = \"5m\"\n\
             default-text = \"own\"\n[[dataset]]\nname = \"white\"\ntype = \"ip4trie\"\n\
             files = [\"white\"]\n[[zone]]\nname = \"PSBL.surriel.com.\"\nallow = [\"white\"]",
        );
        let psbl = settings.dataset("psbl").unwrap();
        assert_eq!((psbl.ttl, psbl.default_text.as_deref()), (Some(300), Some("own")));
        assert_eq!(psbl.kind, Kind::Ip4Tset);
        let [zone] = &settings.zones[..] else { panic!("{:?}", settings.zones) };
        assert_eq!(
            (&zone.datasets[..], &zone.allow[..]),
            (&["psbl".into()][..], &["white".into()][..])
        );
    }

    #[test]
    fn a_list_that_another_dataset_serves_is_not_loaded_twice() {
        let settings = settings(
            "[[feed]]\npreset = \"psbl\"\n[[dataset]]\nname = \"mine\"\ntype = \"ip4tset\"\n\
             files = [\"/m/psbl/psbl.txt\"]\n[[zone]]\nname = \"psbl.surriel.com\"\ndatasets = [\"mine\"]",
        );
        assert_eq!(names(&settings).0, ["mine"]);
    }

    #[test]
    fn a_feed_with_a_zone_and_a_type_is_served() {
        let feed = "[[feed]]\nname = \"x\"\nsource = \"host::module\"\nfiles = [\"a\", \"b\"]\n";
        let served = settings(&format!("{feed}type = \"ip4set\"\nzone = \"x.example\""));
        let set = served.dataset("x").unwrap();
        assert_eq!(set.files, [Path::new("/m/x/a"), Path::new("/m/x/b")]);
        assert_eq!(names(&served), (vec!["x"], vec!["x.example".to_owned()]));
        // Without a zone it is fetched alone.
        assert_eq!(names(&settings(feed)), (vec![], vec![]));
        let untyped = load(&format!("{feed}zone = \"x.example\"")).unwrap_err().to_string();
        assert!(untyped.contains("type"), "{untyped}");
    }

    #[test]
    fn what_is_meant_for_one_of_several_lists_needs_a_table() {
        let errors = load("[[feed]]\npreset = \"uceprotect\"\nzone = \"x.example\"").unwrap_err();
        let said = errors.to_string();
        assert!(said.contains("the preset \"uceprotect\" has 5 lists"), "{said}");
        assert!(said.contains("write a [[zone]] with name = \"dnsbl-1.uceprotect.net\""), "{said}");
    }
}
