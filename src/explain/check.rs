//! `dnsbld check`: what zones answer for a key, which lines of which files say so, and what lets a sender in.

use super::covering::{Covering, CoveringSet, KeyForms, ListFile, is_over, on_disk, search};
use super::key::AskedKey;
use super::lookup::ZoneLookup;
use super::oracle::Lookup;
use crate::config::{self, Settings};
use crate::dataset::parse_options;
use crate::own::{WIDEST_IP4, WIDEST_IP6};
use crate::resolver::{self, Need};
use crate::source::SourceFile;
use crate::state::accepted;
use crate::util::text::shell_word;
use crate::util::threads::cores;
use crate::util::time::unix_time;
use crate::zonefile::Kind;
use ipnet::IpNet;
use serde::Serialize;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// What the search for entries may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// When it ends, whatever was read by then; `None` for when all is read.
    pub(crate) until: Option<Instant>,
    /// How many datasets are read at once.
    pub(crate) threads: usize,
}

impl Effort {
    /// All the cores, until all is read.
    pub(crate) fn full() -> Self {
        Self { until: None, threads: cores() }
    }

    /// True if the time is over.
    pub(crate) fn is_over(self) -> bool {
        is_over(self.until)
    }
}

/// Everything that can be told of a key.
#[derive(Debug, Serialize)]
pub(crate) struct Explanation {
    /// Who answered: the `server`, or the `files` without one.
    pub(crate) from: &'static str,
    /// The answers of the zones.
    #[serde(flatten)]
    pub(crate) lookup: Lookup,
    /// Some zone lists it by a dataset that is not an allow list.
    pub(crate) blocked: bool,
    /// Some zone cannot tell.
    pub(crate) unknown: bool,
    /// The datasets that have entries about it, or whose files could not be read.
    pub(crate) datasets: Vec<DatasetExplanation>,
    /// What lets a sender in now, in its order; empty if nothing blocks it.
    pub(crate) remedy: Vec<String>,
}

/// What one dataset has about a key.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DatasetExplanation {
    pub(crate) dataset: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The state of its data: `live`, `stale`, `quarantined`, `never-loaded`; without a server `accepted` or
    /// `files`.
    pub(crate) state: String,
    /// What is wrong with it.
    pub(crate) problem: Option<String>,
    /// When its data was made, by its own account or else by its files.
    pub(crate) made: Option<String>,
    /// When it was accepted.
    pub(crate) accepted: Option<String>,
    /// The zones that list what it lists.
    pub(crate) lists_in: Vec<String>,
    /// The zones that do not list what it lists.
    pub(crate) allows_in: Vec<String>,
    /// The entries of what is served; `None` if its text is not at hand.
    pub(crate) served: Option<CoveringSet>,
    /// The entries of the files as they are now, if they differ from what is served.
    pub(crate) on_disk: Option<CoveringSet>,
}

/// The facts about a dataset.
#[derive(Clone, Debug)]
pub(crate) struct DatasetFacts {
    pub(crate) state: String,
    pub(crate) problem: Option<String>,
    pub(crate) made: Option<String>,
    pub(crate) accepted: Option<String>,
    /// The files that are served: path, size, and time of the last change in seconds since 1970.
    pub(crate) files: Vec<ServedFile>,
}

/// A file that is served, as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ServedFile {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    pub(crate) modified: i64,
}

impl DatasetFacts {
    /// Those about a dataset of which nothing was ever loaded.
    pub(crate) fn never_loaded(problem: Option<String>) -> Self {
        let state = "never-loaded".to_owned();
        Self { state, problem, made: None, accepted: None, files: Vec::new() }
    }
}

impl From<&SourceFile> for ServedFile {
    fn from(source: &SourceFile) -> Self {
        let identity = source.report.identity;
        let (size, modified) = (identity.size, identity.modified.seconds);
        Self { path: source.path.clone(), size, modified }
    }
}

impl ServedFile {
    /// True if the file on disk is what was read, as far as its size and time tell.
    fn is_on_disk(&self) -> bool {
        let modified = on_disk(&self.path).modified;
        let size = std::fs::metadata(&self.path).map(|metadata| metadata.len());
        size.is_ok_and(|size| size == self.size) && modified == Some(self.modified)
    }
}

/// Explains what was looked up. `facts` says what is known of a dataset.
pub(crate) fn explain(
    settings: &Settings,
    from: &'static str,
    lookups: Vec<Lookup>,
    effort: Effort,
    facts: impl Fn(&str) -> DatasetFacts,
) -> Vec<Explanation> {
    let keys: Vec<AskedKey> = lookups.iter().filter_map(Lookup::asked).collect();
    let forms: Vec<KeyForms> = keys.iter().map(KeyForms::of).collect();
    let used: Vec<_> = settings
        .datasets
        .iter()
        .filter(|set| set.usage.lists || set.usage.allows)
        .map(|set| (set, facts(&set.name)))
        .collect();
    let next = AtomicUsize::new(0);
    let search = || {
        let mut found = Vec::new();
        while let number = next.fetch_add(1, Ordering::Relaxed)
            && let Some((spec, facts)) = used.get(number)
        {
            found.push((number, of_dataset(settings, spec, facts, &forms, effort.until)));
        }
        found
    };
    let mut found: Vec<(usize, Vec<DatasetExplanation>)> = thread::scope(|scope| {
        let threads = effort.threads.min(used.len());
        let searches: Vec<_> = (0..threads).map(|_| scope.spawn(search)).collect();
        searches.into_iter().filter_map(|search| search.join().ok()).flatten().collect()
    });
    found.sort_by_key(|(number, _)| *number);
    let explain = |(number, lookup): (usize, Lookup)| {
        let all = found.iter().filter_map(|(_, sets)| sets.get(number));
        let datasets: Vec<_> = all.filter(|set| set.has_news()).cloned().collect();
        let blocking: Vec<_> = lookup.blocking(settings).collect();
        Explanation {
            from,
            blocked: !blocking.is_empty(),
            unknown: lookup.is_unknown(),
            remedy: remedy(settings, &lookup, &blocking),
            datasets,
            lookup,
        }
    };
    lookups.into_iter().enumerate().map(explain).collect()
}

impl Lookup {
    /// The zones that list it by a dataset that is not an allow list.
    fn blocking<'l>(&'l self, settings: &'l Settings) -> impl Iterator<Item = &'l ZoneLookup> {
        let is_allow = |name: &String| whole(settings, name).is_some_and(|set| set.usage.allows);
        self.zones.iter().filter(move |zone| {
            zone.is_listed() && (zone.listed_by.is_empty() || !zone.listed_by.iter().all(is_allow))
        })
    }

    /// True if there are any.
    pub(crate) fn is_blocked(&self, settings: &Settings) -> bool {
        self.blocking(settings).next().is_some()
    }

    /// True if some zone cannot tell.
    pub(crate) fn is_unknown(&self) -> bool {
        self.zones.iter().any(ZoneLookup::is_unknown)
    }
}

impl DatasetExplanation {
    /// True if its files were not read to their end because the time for it was over.
    pub(crate) fn is_cut(&self) -> bool {
        self.served.iter().chain(&self.on_disk).any(|set| set.is_cut)
    }

    /// True if it has entries about the key, or may have some.
    fn has_news(&self) -> bool {
        let has = |set: &CoveringSet| set.total > 0 || set.problem.is_some();
        self.served.as_ref().is_none_or(has) || self.on_disk.as_ref().is_some_and(has)
    }
}

/// The dataset with a name, or the combined one of which that is a section: such a name stands behind that of the
/// dataset.
pub(crate) fn whole<'s>(settings: &'s Settings, name: &str) -> Option<&'s config::Dataset> {
    settings.dataset(name).or_else(|| settings.dataset(name.rsplit_once('/')?.0))
}

/// True if the files of a dataset are those that are served.
fn is_current(spec: &config::Dataset, served: &[ServedFile]) -> bool {
    served.len() == spec.files.len() && served.iter().all(ServedFile::is_on_disk)
}

/// The files of a dataset as they are now.
fn files_on_disk(spec: &config::Dataset) -> Vec<ListFile> {
    spec.files.iter().map(|path| on_disk(path)).collect()
}

/// The text of what is served of a dataset, as far as it is at hand.
pub(super) fn served_files(
    state_dir: Option<&Path>,
    spec: &config::Dataset,
    served: &[ServedFile],
) -> Option<Vec<ListFile>> {
    match is_current(spec, served) {
        true => Some(files_on_disk(spec)),
        false => kept(state_dir?, spec, served),
    }
}

/// What a dataset has about each of the keys.
pub(super) fn of_dataset(
    settings: &Settings,
    spec: &config::Dataset,
    facts: &DatasetFacts,
    forms: &[KeyForms],
    until: Option<Instant>,
) -> Vec<DatasetExplanation> {
    let server = &settings.server;
    let look = |files: &[ListFile]| {
        let options = parse_options(spec, server, unix_time());
        search(spec.kind, options, files, forms, server.decompress, until)
    };
    let served = served_files(server.state_dir.as_deref(), spec, &facts.files);
    let served = served.map(|files| look(&files));
    let on_disk = (!is_current(spec, &facts.files)).then(|| look(&files_on_disk(spec)));
    let zones = |uses: fn(&config::Zone) -> &Vec<String>| {
        let zones = settings.zones.iter().filter(|zone| uses(zone).contains(&spec.name));
        zones.map(|zone| zone.name.to_string()).collect::<Vec<_>>()
    };
    let (lists_in, allows_in) = (zones(|zone| &zone.datasets), zones(|zone| &zone.allow));
    let of_key = |number: usize| DatasetExplanation {
        dataset: spec.name.clone(),
        kind: spec.kind.to_string(),
        state: facts.state.clone(),
        problem: facts.problem.clone(),
        made: facts.made.clone(),
        accepted: facts.accepted.clone(),
        lists_in: lists_in.clone(),
        allows_in: allows_in.clone(),
        served: match &served {
            Some(sets) => sets.get(number).cloned(),
            // Nothing of it is served.
            None if facts.files.is_empty() => Some(CoveringSet::default()),
            None => None,
        },
        on_disk: on_disk.as_ref().and_then(|sets| sets.get(number)).cloned(),
    };
    (0..forms.len()).map(of_key).collect()
}

/// The text that was kept of what is served.
fn kept(folder: &Path, spec: &config::Dataset, served: &[ServedFile]) -> Option<Vec<ListFile>> {
    let kept = accepted::find(folder, &spec.name)?;
    let is_served =
        kept.files.iter().map(|(source, _)| ServedFile::from(source)).eq(served.iter().cloned());
    let files = kept.files.into_iter().map(|(source, copy)| ListFile {
        modified: Some(source.report.identity.modified.seconds),
        path: source.path,
        text: copy,
    });
    is_served.then(|| files.collect())
}

/// True for a network that `dnsbld allow add` does not take without more ado.
fn is_broad(key: &AskedKey) -> bool {
    match key {
        AskedKey::Prefix(IpNet::V4(net)) => net.prefix_len() < WIDEST_IP4,
        AskedKey::Prefix(IpNet::V6(net)) => net.prefix_len() < WIDEST_IP6,
        AskedKey::Address(_) | AskedKey::Name(_) | AskedKey::Mail(..) => false,
    }
}

/// What lets a sender in that these zones list.
fn remedy(settings: &Settings, lookup: &Lookup, blocking: &[&ZoneLookup]) -> Vec<String> {
    let is_mended = |key: &AskedKey| !blocking.is_empty() && !key.is_test_point();
    let Some(key) = lookup.asked().filter(is_mended) else { return Vec::new() };
    let (mut remedy, mut lists, mut without) = (Vec::new(), Vec::new(), Vec::new());
    let mut zones: Vec<&str> = Vec::new();
    for blocking in blocking {
        let below = |zone: &&config::Zone| {
            let apex = zone.name.to_string();
            blocking.zone == apex || blocking.zone.ends_with(&format!(".{apex}"))
        };
        let zone = settings.zones.iter().filter(below).max_by_key(|zone| zone.name.as_wire().len());
        let Some(zone) = zone else { continue };
        zones.push(&blocking.zone);
        let asked = blocking.name.strip_suffix(&format!(".{}", blocking.zone));
        let asked = asked.unwrap_or(&blocking.name);
        // A list of hashes knows a mail address by its hash.
        let is_hash = match &key {
            AskedKey::Mail(_, domain) => domain.to_string() != asked,
            AskedKey::Name(name) => name.labels().count() == 1,
            _ => false,
        };
        let fits = |set: &&config::Dataset| match set.kind {
            Kind::Hashset => is_hash,
            kind => takes(kind, &key),
        };
        let is_enough = |set: &&config::Dataset| {
            let (scoring, score) = (zone.scoring.as_ref(), blocking.score.as_ref());
            let weight = scoring.and_then(|scoring| scoring.weights.get(&set.name));
            weight.zip(score).is_none_or(|(weight, score)| score.sum + weight < score.lowest)
        };
        let allow = zone.allow.iter().filter_map(|name| settings.dataset(name));
        let fit = allow.filter(fits).find(is_enough);
        if fit.is_none() && zone.scoring.is_some() {
            remedy.push(format!(
                "no allow list of the verdict zone {} takes its sum below {}: give one that you write a lower \
                 weight in sum (docs/verdict-zones.md)",
                blocking.zone,
                blocking.score.as_ref().map_or(1, |score| score.lowest)
            ));
            continue;
        }
        let Some(list) = fit else {
            without.push(&*blocking.zone);
            continue;
        };
        let line = match &key {
            AskedKey::Mail(..) if is_hash => asked.to_owned(),
            AskedKey::Name(_) if list.kind == Kind::Hashset => asked.to_owned(),
            AskedKey::Name(name) | AskedKey::Mail(_, name) => format!(".{name}"),
            key => key.to_string(),
        };
        if !lists.contains(&(list, line.clone())) {
            lists.push((list, line));
        }
    }
    for (list, line) in lists {
        if is_broad(&key) {
            remedy.push(format!(
                "{line} is much to let in by one entry of {}: name the addresses or networks in it that you trust",
                list.name
            ));
        } else if list.own == Some(true) {
            remedy.push(format!(
                "dnsbld allow add {} --list {} --until 7d --reason \"...\"",
                shell_word(&line),
                shell_word(&list.name)
            ));
        } else if let Some(file) = list.files.last() {
            let file = file.display().to_string();
            remedy.push(format!(
                "add the line {line} to {file}, the file of the allow list {}: echo {} >> {}",
                list.name,
                shell_word(&line),
                shell_word(&file)
            ));
        }
    }
    if !without.is_empty() {
        let (noun, verb) = if without.len() == 1 { ("zone", "has") } else { ("zones", "have") };
        remedy.push(format!(
            "the {noun} {} {verb} no allow list for such a key: make a dataset of your own, and name it in the \
             setting allow (docs/own-entries.md)",
            without.join(", ")
        ));
    }
    let longest = blocking.iter().filter_map(|zone| zone.ttl).max();
    let root = Path::new("/");
    let resolver = resolver::by_processes(&root.join("proc")).or_else(|| resolver::by_files(root));
    let flush = match resolver {
        Some(resolver) => {
            let lines =
                zones.iter().map(|zone| resolver.line(zone, Need::Flush).trim_end().to_owned());
            format!(
                "have {resolver} forget what it remembers: {}",
                lines.collect::<Vec<_>>().join("; ")
            )
        }
        None => format!("have your resolver forget what it remembers of {}", zones.join(", ")),
    };
    remedy.push(match longest {
        Some(ttl) => format!("{flush} (otherwise it may answer as before for up to {ttl} s)"),
        None => flush,
    });
    remedy.push("if Postfix screens with postscreen: postfix reload".to_owned());
    remedy
}

/// True if a list of this type can have such a key.
fn takes(kind: Kind, key: &AskedKey) -> bool {
    use ipnet::IpNet;
    match key {
        AskedKey::Address(IpAddr::V4(_)) => {
            matches!(kind, Kind::Ip4Set | Kind::Ip4Tset | Kind::Ip4Trie | Kind::Mixed)
        }
        AskedKey::Prefix(IpNet::V4(_)) => {
            matches!(kind, Kind::Ip4Set | Kind::Ip4Trie | Kind::Mixed)
        }
        AskedKey::Address(IpAddr::V6(_)) | AskedKey::Prefix(IpNet::V6(_)) => {
            matches!(kind, Kind::Ip4Trie | Kind::Ip6Trie | Kind::Mixed)
        }
        AskedKey::Name(_) | AskedKey::Mail(..) => matches!(kind, Kind::Dnset | Kind::Mixed),
    }
}

impl Covering {
    /// True if it is what lists the key.
    pub(super) fn lists(&self) -> bool {
        self.decides && !self.excluded
    }
}
