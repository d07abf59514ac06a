//! The datasets: when each is built, and what its life has come to.

use super::assemble::Loaded;
use super::compile::{Built, Outcome, Task};
use super::pool::{Finished, Pool};
use super::snapshots::{self, Keep, Keeper};
use crate::config::{self, Settings};
use crate::event::{Event, EventSink, Role};
use crate::load::{Failure, Life, State};
use crate::source::{Cause, Identity, Problem, SourceFile};
use crate::state::lock::StateLock;
use crate::trie::Trie4;
use crate::util::cancel::CancelSource;
use crate::util::time::unix_time;
use crate::watch::{Change, WatchOptions, Watched, Watcher};
use crate::zone::Dataset;
use crate::zonefile::Diagnostics;
use anyhow::Context;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tracing::debug;
use xxhash_rust::xxh3::xxh3_64;

/// Between two looks at files that are not watched: once in ten years.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// All datasets that are served or about to be.
pub(super) struct Sets {
    sets: BTreeMap<String, Set>,
    shop: Shop,
}

/// What building needs.
struct Shop {
    server: Arc<config::Server>,
    pool: Pool,
    watcher: Watcher,
    sink: Arc<dyn EventSink>,
    /// Writes snapshots, if there is a state folder.
    keeper: Option<Keeper>,
}

/// One dataset.
struct Set {
    spec: Arc<config::Dataset>,
    life: Life,
    loaded: Option<Loaded>,
    took: Duration,
    /// When the data that is served was made by its own account, in seconds since 1970.
    stamp: Option<u64>,
    /// Cancels the last snapshot, which may not be written yet.
    keeping: Option<CancelSource>,
    /// Cancels the build under way.
    building: Option<CancelSource>,
    /// New settings wait for the build under way.
    awaited: bool,
    /// A file changed during the build.
    again: bool,
    /// When to have the files looked at again although none was seen to change.
    retry: Option<Instant>,
    /// What was served had expired when that was looked at last.
    was_expired: bool,
}

impl Sets {
    /// Starts the threads that build and the one that watches; no dataset yet. What comes from the
    /// receiver is for [`take`](Self::take). Without the lock of the state folder, no snapshots are kept.
    pub(super) fn new(
        server: &config::Server,
        lock: Option<&StateLock>,
        sink: Arc<dyn EventSink>,
    ) -> anyhow::Result<(Self, UnboundedReceiver<Finished>)> {
        let (done, finished) = unbounded_channel();
        let options = WatchOptions {
            poll: server.check_interval.unwrap_or(NEVER),
            quiet: server.quiet_period,
            events: server.check_interval.is_some(),
            ..WatchOptions::default()
        };
        let shop = Shop {
            server: Arc::new(server.clone()),
            pool: Pool::start(done).context("cannot start the threads that load")?,
            watcher: Watcher::start(options)
                .context("cannot start the thread that watches the files")?,
            keeper: server
                .state_dir
                .as_deref()
                .filter(|_| lock.is_some())
                .map(|folder| Keeper::start(folder, Arc::clone(&sink)))
                .transpose()
                .context("cannot start the thread that writes snapshots")?,
            sink,
        };
        Ok((Self { sets: BTreeMap::new(), shop }, finished))
    }

    /// Starts to build what is new in the settings or read in another way; the rest stays as it is,
    /// and so does, until [`settle_on`](Self::settle_on), what the settings no longer name.
    /// See [`awaited`](Self::awaited).
    pub(super) fn apply(&mut self, settings: &Settings) {
        self.shop.server = Arc::new(settings.server.clone());
        let used = used(settings);
        for (_, set) in self.sets.iter_mut().filter(|(name, _)| !used.contains(name)) {
            set.awaited = false;
        }
        for spec in settings.datasets.iter().filter(|spec| used.contains(&spec.name)) {
            let spec = Arc::new(spec.clone());
            let Some(set) = self.sets.get_mut(&spec.name) else {
                let namesake = self.sets.values().find_map(|set| set.under_another_name(&spec));
                let mut set = namesake.unwrap_or_else(|| Set::new(Arc::clone(&spec)));
                set.keep(&self.shop);
                set.rebuild(&self.shop);
                self.sets.insert(spec.name.clone(), set);
                continue;
            };
            if set.spec == spec && set.is_read_by(&self.shop.server) {
                continue;
            }
            if set.spec.files != spec.files || set.spec.kind != spec.kind {
                set.life.start_over();
            }
            set.spec = spec;
            set.rebuild(&self.shop);
        }
    }

    /// The number of builds that new settings wait for.
    pub(super) fn awaited(&self) -> usize {
        self.sets.values().filter(|set| set.awaited).count()
    }

    /// Forgets the datasets that no zone uses, and watches the files of the others.
    pub(super) fn settle_on(&mut self, settings: &Settings) {
        let used = used(settings);
        self.sets.retain(|name, _| used.contains(name));
        self.shop.watcher.set_files(self.watched());
        if let Some(keeper) = &self.shop.keeper {
            keeper.retain(self.sets.keys().cloned().collect());
        }
    }

    /// From now on, snapshots are kept in the state folder: of what is served, to begin with.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub(super) fn keep(&mut self, state_dir: &Path, _: &StateLock) -> std::io::Result<()> {
        let keeper = Keeper::start(state_dir, Arc::clone(&self.shop.sink))?;
        keeper.retain(self.sets.keys().cloned().collect());
        self.shop.keeper = Some(keeper);
        self.sets.values_mut().for_each(|set| set.keep(&self.shop));
        Ok(())
    }

    /// Writes no snapshots from now on.
    pub(super) fn keep_no_more(&mut self) {
        self.shop.keeper = None;
        // What waits to be written is not wanted any more.
        self.sets.values_mut().for_each(|set| set.keeping = None);
    }

    /// Waits for files that have changed and come to rest.
    pub(super) async fn changes(&self) -> Vec<Change> {
        self.shop.watcher.changes().await
    }

    /// Has all files looked at now, and those of datasets in trouble read again and told of.
    pub(super) fn look_now(&mut self) {
        self.shop.watcher.look_now();
        for set in self.sets.values_mut().filter(|set| set.life.trouble().is_some()) {
            set.life.tell_again();
            set.recheck(&self.shop);
        }
    }

    /// When [`retry`](Self::retry) is due.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.sets.values().filter_map(|set| set.retry).min()
    }

    /// Has the files of those datasets read again that were to be tried again by now: once they
    /// are at rest.
    pub(super) fn retry(&mut self) {
        let now = Instant::now();
        for set in self.sets.values_mut().filter(|set| set.retry.is_some_and(|at| at <= now)) {
            set.recheck(&self.shop);
        }
    }

    /// Builds the datasets that read one of these files.
    pub(super) fn files_changed(&mut self, changes: &[Change]) {
        let has_changed = |file: &PathBuf| changes.iter().any(|change| change.path == *file);
        for set in self.sets.values_mut().filter(|set| set.spec.files.iter().any(has_changed)) {
            set.request(&self.shop);
        }
    }

    /// Judges a finished build. True if this is to be published at once; what new settings waited
    /// for is published with them.
    pub(super) fn take(&mut self, finished: Finished) -> bool {
        let Finished { name, token, outcome, former, events } = finished;
        let is_newest =
            |set: &&mut Set| set.building.as_ref().is_some_and(|source| token.is_of(source));
        let Some(set) = self.sets.get_mut(&name).filter(is_newest) else {
            debug!("dataset {name}: a build for settings that no longer hold is thrown away");
            return false;
        };
        events.iter().for_each(|event| self.shop.sink.emit(event));
        set.building = None;
        let awaited = std::mem::take(&mut set.awaited);
        let before = set.served();
        if let Some(former) = former {
            set.recall(*former, &self.shop);
        }
        match outcome {
            Outcome::Built(built) => set.judge(*built, &self.shop),
            Outcome::Same(sources) => set.confirm(sources, &self.shop),
            Outcome::Failed(problem) => set.refuse(problem, &self.shop),
            Outcome::Unstable(path) => {
                debug!("dataset {name}: waits for {} to come to rest", path.display());
                self.shop.watcher.recheck(&path);
            }
            Outcome::Rewritten(path) => {
                debug!("dataset {name}: waits for {} to be written anew", path.display());
                self.shop.watcher.recheck_rewritten(&path);
            }
        }
        if let Some(loaded) = &mut set.loaded {
            loaded.current = set.life.state() == State::Live;
        }
        if std::mem::take(&mut set.again) {
            set.request(&self.shop);
        }
        !awaited && before != set.served()
    }

    /// What is served of each dataset.
    pub(super) fn loaded(&self) -> HashMap<String, Loaded> {
        let loaded = |(name, set): (&String, &Set)| Some((name.clone(), set.loaded.clone()?));
        self.sets.iter().filter_map(loaded).collect()
    }

    /// The number of entry lines, and the time the last load took.
    pub(super) fn figures(&self, name: &str) -> Option<(u64, Duration)> {
        let set = self.sets.get(name)?;
        Some((set.life.good()?.entries(), set.took))
    }

    /// Tells of the datasets of zones whose data has expired since this was called last. True if that,
    /// or the contrary after the clock was set, is so of any.
    pub(super) fn tell_expired(&mut self, settings: &Settings, now: u64) -> bool {
        let mut has_changed = false;
        let zones = &settings.zones;
        let blocks = zones.iter().flat_map(|zone| &zone.datasets).map(|name| (name, Role::Block));
        let allows = zones.iter().flat_map(|zone| &zone.allow).map(|name| (name, Role::Allow));
        for (name, role) in blocks.chain(allows) {
            let Some(set) = self.sets.get_mut(name) else { continue };
            let is_expired = set.spec.guarded
                && set.loaded.as_ref().is_some_and(|loaded| loaded.dataset.is_expired(now));
            let was_expired = std::mem::replace(&mut set.was_expired, is_expired);
            has_changed |= is_expired != was_expired;
            if is_expired && !was_expired {
                self.shop.sink.emit(&Event::DatasetExpired { dataset: name.clone(), role });
            }
        }
        has_changed
    }

    /// Every file, and the version of it that was loaded.
    fn watched(&self) -> Vec<Watched> {
        let mut files: BTreeMap<&Path, Option<Identity>> = BTreeMap::new();
        for set in self.sets.values() {
            for path in &set.spec.files {
                let sources = set.life.good().map_or(&[][..], |good| &good.sources);
                let loaded = sources
                    .iter()
                    .find(|source| source.path == *path)
                    .map(|source| source.report.identity);
                files
                    .entry(path)
                    .and_modify(|known| *known = known.filter(|_| *known == loaded))
                    .or_insert(loaded);
            }
        }
        files.into_iter().map(|(path, loaded)| Watched { path: path.to_owned(), loaded }).collect()
    }

    /// True while datasets are being built.
    pub(super) fn is_building(&self) -> bool {
        self.sets.values().any(|set| set.building.is_some())
    }

    /// Has the memory given back that builds have left, when there are no more.
    pub(super) fn tidy(&self) {
        self.shop.pool.tidy();
    }

    /// From now on, building gives way to answering.
    pub(super) fn give_way(&self) {
        self.shop.pool.give_way();
    }
}

/// The datasets that zones or the server use.
fn used(settings: &Settings) -> BTreeSet<&String> {
    let of_zones = settings.zones.iter();
    let of_zones =
        of_zones.flat_map(|zone| zone.datasets.iter().chain(&zone.allow).chain(&zone.acl));
    of_zones.chain(&settings.server.acl).collect()
}

impl Set {
    fn new(spec: Arc<config::Dataset>) -> Self {
        Self {
            spec,
            life: Life::default(),
            loaded: None,
            took: Duration::ZERO,
            stamp: None,
            keeping: None,
            building: None,
            awaited: false,
            again: false,
            retry: None,
            was_expired: false,
        }
    }

    /// The same data for settings that differ in the name alone: what is good stays served when its files
    /// cannot be read at that moment.
    fn under_another_name(&self, spec: &Arc<config::Dataset>) -> Option<Self> {
        let rename =
            |other: &config::Dataset| config::Dataset { name: spec.name.clone(), ..other.clone() };
        let loaded = self.loaded.as_ref().filter(|_| rename(&self.spec) == **spec)?;
        // Which are not the settings of now if it could not be built by those.
        let read_by = rename(&loaded.spec);
        Some(Self {
            life: self.life.clone(),
            loaded: Some(Loaded { spec: Arc::new(read_by), ..loaded.clone() }),
            took: self.took,
            stamp: self.stamp,
            ..Self::new(Arc::clone(spec))
        })
    }

    /// Builds for new settings; what a build under way brings is thrown away.
    fn rebuild(&mut self, shop: &Shop) {
        self.building = None;
        self.again = false;
        self.awaited = true;
        self.request(shop);
    }

    fn request(&mut self, shop: &Shop) {
        if self.building.is_some() {
            self.again = true;
            return;
        }
        shop.sink.emit(&Event::LoadStarted { dataset: self.spec.name.clone() });
        let source = CancelSource::default();
        let task = Task {
            spec: Arc::clone(&self.spec),
            server: Arc::clone(&shop.server),
            last_stable: self
                .spec
                .files
                .iter()
                .map(|path| shop.watcher.last_stable(path))
                .collect(),
            good: self.life.good().map(|good| good.sources.clone()),
            by_these_rules: self.is_read_by(&shop.server),
            keeps: shop.keeper.is_some(),
            in_haste: shop.pool.is_in_haste(),
            token: source.token(),
        };
        self.building = Some(source);
        shop.pool.submit(task);
    }

    /// Whether what is served was read by the rules that hold now.
    fn is_read_by(&self, server: &config::Server) -> bool {
        self.loaded.as_ref().is_some_and(|loaded| {
            loaded.spec == self.spec
                && loaded.server.ttl == server.ttl
                && loaded.server.accept_host_bits == server.accept_host_bits
        })
    }

    fn recheck(&mut self, shop: &Shop) {
        self.retry = None;
        self.spec.files.iter().for_each(|file| shop.watcher.recheck(file));
    }

    /// What was published of this dataset, for comparison.
    fn served(&self) -> (State, Option<(*const Dataset, u64)>) {
        let loaded = self.loaded.as_ref();
        (self.life.state(), loaded.map(|loaded| (Arc::as_ptr(&loaded.dataset), loaded.newest)))
    }

    /// Takes what was good before the start for what is served: it is, if the files of now cannot be.
    fn recall(&mut self, former: Built, shop: &Shop) {
        if self.loaded.is_some() || !self.spec.guarded {
            return;
        }
        let is_same_files = former.is_of(&self.spec.files);
        let Built { dataset, sources, stamp, since, took, .. } = former;
        self.life.recall(since.unwrap_or_else(SystemTime::now), sources);
        self.put(dataset, stamp, took, shop);
        if !is_same_files {
            self.life.start_over();
        }
    }

    /// Puts the data of the good sources in the place of what is served.
    fn put(&mut self, dataset: Dataset, stamp: Option<u64>, took: Duration, shop: &Shop) {
        let sources = self.life.good().map_or(&[][..], |good| &good.sources);
        let content = content(sources, &self.spec, &shop.server);
        (self.took, self.stamp) = (took, stamp);
        self.loaded = Some(Loaded {
            dataset: Arc::new(dataset),
            spec: Arc::clone(&self.spec),
            server: Arc::clone(&shop.server),
            newest: newest(sources),
            content,
            current: true,
        });
    }

    fn judge(&mut self, built: Built, shop: &Shop) {
        let Built { dataset, sources, diagnostics, tally, stamp, is_kept, since, took } = built;
        let candidate = if !self.spec.guarded {
            Ok(self.life.trust(sources))
        } else if let Some(problem) = self.expired_too_early(&dataset) {
            Err(problem)
        } else {
            self.life.judge(sources, self.spec.accept_empty)
        };
        let candidate = match candidate {
            Ok(candidate) => candidate,
            Err(problem) => return self.refuse(problem, shop),
        };
        let load = self.life.accept(SystemTime::now(), candidate);
        if let Some(since) = since {
            self.life.date(since);
        }
        self.retry = None;
        self.tell_bad_lines(&diagnostics, shop);
        let sources = self.life.good().map_or(&[][..], |good| &good.sources);
        let times = sources.iter().map(|source| source.report.identity.modified.seconds);
        shop.sink.emit(&Event::DatasetLoaded {
            dataset: self.spec.name.clone(),
            load,
            kind: self.spec.kind,
            tally,
            addresses: dataset.ip4.as_ref().map_or(0, Trie4::covered),
            memory: dataset.memory(),
            newest: times.max().unwrap_or(0),
            took,
        });
        self.put(dataset, stamp, took, shop);
        if !is_kept {
            self.keep(shop);
        }
    }

    /// What is wrong with a list that has expired already, while what is served has not. Of access lists
    /// the newest holds in any case (docs/decisions/009).
    fn expired_too_early(&self, dataset: &Dataset) -> Option<Problem> {
        let now = unix_time();
        let is_better = self.loaded.as_ref().is_some_and(|old| !old.dataset.is_expired(now));
        (is_better && dataset.is_expired(now) && dataset.acl.is_none()).then(|| {
            let file = self.spec.files.first().cloned().unwrap_or_default();
            let reason = "the data has expired by its $TIMESTAMP line, and what is served has not";
            Problem { file, cause: Cause::Refused(reason.to_owned()) }
        })
    }

    fn confirm(&mut self, sources: Vec<SourceFile>, shop: &Shop) {
        debug!("dataset {}: its files hold what is served", self.spec.name);
        self.retry = None;
        if let Some(failed_for) = self.life.confirm(SystemTime::now(), sources) {
            let dataset = self.spec.name.clone();
            shop.sink.emit(&Event::DatasetRecovered { dataset, failed_for });
        }
        if let (Some(loaded), Some(good)) = (&mut self.loaded, self.life.good()) {
            loaded.newest = newest(&good.sources);
        }
        self.keep(shop);
    }

    /// Has a snapshot written of what is served.
    fn keep(&mut self, shop: &Shop) {
        let (Some(keeper), Some(loaded), Some(good)) =
            (&shop.keeper, &self.loaded, self.life.good())
        else {
            return;
        };
        let source = CancelSource::default();
        keeper.keep(Keep {
            dataset: Arc::clone(&loaded.dataset),
            origin: snapshots::origin(&loaded.spec, &loaded.server, self.stamp, &good.sources),
            token: source.token(),
        });
        self.keeping = Some(source);
    }

    fn refuse(&mut self, problem: Problem, shop: &Shop) {
        let Failure { refusal, retry } = self.life.refuse(SystemTime::now(), problem);
        self.retry = Some(Instant::now() + retry);
        if let Some(refusal) = refusal {
            shop.sink.emit(&Event::DatasetRefused { dataset: self.spec.name.clone(), refusal });
        }
    }

    fn tell_bad_lines(&self, diagnostics: &Diagnostics, shop: &Shop) {
        let file = |number: u16| self.spec.files.get(usize::from(number)).cloned();
        for bad in &diagnostics.kept {
            shop.sink.emit(&Event::BadLine {
                dataset: self.spec.name.clone(),
                file: file(bad.file).unwrap_or_default(),
                line: bad.line,
                column: bad.column,
                reason: bad.reason,
                excerpt: bad.excerpt.clone(),
            });
        }
        for omitted in diagnostics.omitted() {
            shop.sink.emit(&Event::BadLinesOmitted {
                dataset: self.spec.name.clone(),
                file: file(omitted.file).unwrap_or_default(),
                reason: omitted.reason,
                lines: omitted.lines,
            });
        }
    }
}

/// The modification time of the newest of the files, in seconds since 1970.
fn newest(sources: &[SourceFile]) -> u64 {
    let newest = sources.iter().map(|source| source.report.identity.modified.seconds).max();
    newest.and_then(|newest| u64::try_from(newest).ok()).unwrap_or(0)
}

/// A hash of all that decides what is served of a dataset.
fn content(sources: &[SourceFile], spec: &config::Dataset, server: &config::Server) -> u64 {
    let nameless = config::Dataset { name: String::new(), ..spec.clone() };
    let rules = format!("{nameless:?} {:?} {}", server.ttl, server.accept_host_bits);
    sources.iter().fold(xxh3_64(rules.as_bytes()), |hash, source| {
        let file = source.report.hash;
        hash.rotate_left(7) ^ file as u64 ^ (file >> 64) as u64
    })
}
