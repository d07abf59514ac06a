//! The configurations that come with the project: the samples, the reference of all settings, the starter.

use super::parse::parse;
use super::{
    ConfigSource, ControlPath, Dataset, Feed, FeedLimits, Loaded, Mirror, Server, StalePolicy,
    StatsFile, Zone,
};
use crate::wire::name::NameBuf;
use crate::zone::Unlisted;
use crate::zonefile::Kind;
use std::collections::BTreeSet;
use std::path::PathBuf;

const SAMPLES: &str = "zones/dnsbld.toml";
const REFERENCE: &str = "docs/configuration.toml";
const STARTER: &str = "deploy/dnsbld.toml";

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn load(file: &str) -> Loaded {
    ConfigSource::file(path(file)).load().unwrap_or_else(|errors| panic!("{errors}"))
}

fn text(file: &str) -> String {
    std::fs::read_to_string(path(file)).unwrap()
}

/// The reference with what is commented out as `#key = ...` or `#[table]` switched on.
fn switched_on() -> String {
    let mut text = String::new();
    for line in self::text(REFERENCE).lines() {
        let setting = line.strip_prefix('#').filter(|rest| {
            rest.starts_with('[') || rest.starts_with(|c: char| c.is_ascii_lowercase())
        });
        text += setting.unwrap_or(line);
        text += "\n";
    }
    text
}

/// The keys that `text`, one with an unknown key "bogus", is told are allowed, in serde's words.
fn allowed_keys(text: &str) -> Vec<String> {
    let error = toml::from_str::<super::spec::Spec>(text).unwrap_err();
    let quoted = error.message().split('`').skip(1).step_by(2);
    quoted.filter(|&key| key != "bogus").map(str::to_owned).collect()
}

#[test]
fn samples_and_reference_load_without_a_warning_and_have_their_files() {
    for file in [SAMPLES, REFERENCE] {
        let loaded = load(file);
        assert_eq!(loaded.warnings, [], "{file}");
        for file in loaded.settings.datasets.iter().flat_map(|dataset| &dataset.files) {
            assert!(file.is_file(), "{}", file.display());
        }
    }
}

#[test]
fn every_file_of_the_samples_is_served() {
    let settings = load(SAMPLES).settings;
    let served: BTreeSet<PathBuf> =
        settings.datasets.iter().flat_map(|dataset| dataset.files.clone()).collect();
    let there: BTreeSet<PathBuf> = std::fs::read_dir(path("zones"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("dnsbld.toml"))
        .collect();
    assert_eq!(served, there);
}

#[test]
fn every_kind_has_a_sample_and_stands_in_the_reference() {
    let settings = load(SAMPLES).settings;
    let kinds: BTreeSet<Kind> = settings.datasets.iter().map(|dataset| dataset.kind).collect();
    let all = [
        Kind::Ip4Set,
        Kind::Ip4Tset,
        Kind::Ip4Trie,
        Kind::Ip6Tset,
        Kind::Ip6Trie,
        Kind::Dnset,
        Kind::Hashset,
        Kind::Mixed,
        Kind::Acl,
        Kind::AclKey,
        Kind::Generic,
        Kind::Combined,
    ];
    assert_eq!(kinds, all.into());
    let reference = text(REFERENCE);
    assert!(all.iter().all(|kind| reference.contains(&kind.to_string())));
    let zen: NameBuf = "zen.example".parse().unwrap();
    assert_eq!(settings.zone(&zen).unwrap().datasets.len(), 3);
}

#[test]
fn samples_and_reference_have_the_defaults_of_the_server() {
    for file in [SAMPLES, REFERENCE] {
        assert_eq!(load(file).settings.server, Server::default(), "{file}");
    }
}

/// A newcomer has at most 20 lines to read.
#[test]
fn the_starter_is_short_and_good() {
    let Loaded { settings, warnings } = load(STARTER);
    assert_eq!(warnings, []);
    let state_dir = Some("/var/lib/dnsbld/state".into());
    assert_eq!(settings.server, Server { state_dir, ..Server::default() });
    let text = text(STARTER);
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert!(lines.count() <= 20, "{text}");
}

#[test]
fn what_is_commented_out_is_valid() {
    let copy = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(copy.path(), switched_on()).unwrap();
    let settings = ConfigSource::file(copy.path()).load().unwrap().settings;
    let [feed, ..] = &settings.mirror.feeds[..] else { panic!("the reference has feeds") };
    let usual = Feed::new(feed.name.clone(), feed.source.clone());
    let shown = Feed {
        limits: FeedLimits { bandwidth: None, ..feed.limits },
        files: Vec::new(),
        verify: Vec::new(),
        password_file: None,
        ..feed.clone()
    };
    assert_eq!(shown, usual);
    assert_eq!(settings.mirror.dir, PathBuf::from(Mirror::DIR));
    let server = settings.server;
    assert!(server.tls.is_some());
    let http = server.http.as_ref().unwrap();
    assert!(http.listen.iter().all(|address| address.ip().is_loopback()));
    let stats = server.stats_file.as_ref().unwrap();
    assert_eq!((stats.increments, stats.interval), (false, Some(StatsFile::INTERVAL)));
    assert!(!server.query_log.as_ref().unwrap().flush);
    let shown = Server {
        tls: None,
        state_dir: None,
        max_memory: None,
        control: ControlPath::Usual,
        cookie_secrets: None,
        user: None,
        group: None,
        chroot: None,
        xdp: Vec::new(),
        http: None,
        query_log: None,
        dnstap: None,
        stats_file: None,
        quotas: Vec::new(),
        ..server
    };
    assert_eq!(shown, Server::default(), "nothing but these thirteen is commented out");
}

#[test]
fn every_setting_appears_with_its_default() {
    let template: toml::Table = switched_on().parse().unwrap();
    let sections: [(&str, &[&str]); 18] = [
        ("bogus = 1", &[]),
        ("[server]\nbogus = 1", &["server"]),
        ("[server.tls]\nbogus = 1", &["server", "tls"]),
        ("[[dataset]]\nbogus = 1", &["dataset"]),
        ("[[dataset]]\nsoa = { bogus = 1 }", &["dataset", "soa"]),
        ("[http]\nbogus = 1", &["http"]),
        ("[guard]\nbogus = 1", &["guard"]),
        ("[limit]\nbogus = 1", &["limit"]),
        ("[[quota]]\nbogus = 1", &["quota"]),
        ("[stats]\nbogus = 1", &["stats"]),
        ("[history]\nbogus = 1", &["history"]),
        ("[[dataset]]\nguard = { bogus = 1 }", &["dataset", "guard"]),
        ("[[zone]]\nbogus = 1", &["zone"]),
        ("[[key]]\nbogus = 1", &["key"]),
        ("[catalog-zone]\nbogus = 1", &["catalog-zone"]),
        ("[mirror]\nbogus = 1", &["mirror"]),
        ("[alert]\nbogus = 1", &["alert"]),
        ("[[feed]]\nbogus = 1", &["feed"]),
    ];
    for (bogus, path) in sections {
        let shown = keys_at(&template, path);
        for key in allowed_keys(bogus) {
            // A preset stands in the place of other settings of a feed.
            let is_shown = shown.contains(key.as_str()) || key == "preset";
            assert!(is_shown, "{key} is not shown in {path:?}");
        }
    }
    let spec = parse(&switched_on()).unwrap().spec;
    let dataset = Dataset::new(String::new(), Kind::Dnset, Vec::new());
    let shown: Vec<bool> =
        spec.dataset.iter().filter_map(|dataset| dataset.get_ref().allow_any_a).collect();
    assert_eq!(shown, [dataset.allow_any_a]);
    let shown: Vec<bool> =
        spec.dataset.iter().filter_map(|dataset| dataset.get_ref().accept_empty).collect();
    assert_eq!(shown, [dataset.accept_empty]);
    let shown: Vec<bool> =
        spec.dataset.iter().filter_map(|dataset| dataset.get_ref().accept_snapshot).collect();
    assert_eq!(shown, [dataset.accept_snapshot]);
    let settings = load(REFERENCE).settings;
    assert_eq!(settings.dataset("apews-l2").unwrap().guard, dataset.guard);
    let zone = Zone::new(NameBuf::ROOT, Vec::new());
    let shown: Vec<bool> = spec.zone.iter().filter_map(|zone| zone.get_ref().test_points).collect();
    assert_eq!(shown, [zone.test_points]);
    let shown: Vec<bool> = spec.zone.iter().filter_map(|zone| zone.get_ref().health).collect();
    assert_eq!(shown, [zone.health]);
    let shown: Vec<&str> = spec
        .zone
        .iter()
        .filter_map(|zone| Some(zone.get_ref().stale.as_ref()?.get_ref().as_str()))
        .collect();
    assert_eq!((shown, zone.stale), (vec!["serve"], StalePolicy::Serve));
    let shown: Vec<&str> = spec
        .zone
        .iter()
        .filter_map(|zone| Some(zone.get_ref().partial.as_ref()?.get_ref().as_str()))
        .collect();
    assert_eq!((shown, zone.partial), (vec!["servfail"], Unlisted::ServFail));
}

/// The keys of all tables at `path`, where a list of tables counts as each of them.
fn keys_at<'t>(table: &'t toml::Table, path: &[&str]) -> BTreeSet<&'t str> {
    let Some((first, rest)) = path.split_first() else {
        return table.keys().map(String::as_str).collect();
    };
    let inner: Vec<&toml::Table> = match &table.get(*first) {
        Some(toml::Value::Table(inner)) => vec![inner],
        Some(toml::Value::Array(items)) => {
            items.iter().filter_map(|item| item.as_table()).collect()
        }
        _ => Vec::new(),
    };
    inner.into_iter().flat_map(|inner| keys_at(inner, rest)).collect()
}
