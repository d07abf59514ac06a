//! The datasets: when each is built, and what its lifecycle has come to.

mod aging;
mod quarantine;

use super::acceptance::{AcceptCommand, RefusedVersions};
use super::lifecycle::{Failure, Lifecycle, State};
use super::pool::Pool;
use super::served::Served;
use super::task::{BuildOutcome, Built, Finished, Task};
use crate::config::{self, Settings};
use crate::event::{Event, EventSink, Overdue};
use crate::guard::{self, Baseline, Candidate, Verdict};
use crate::snapshot::Origin;
use crate::snapshot::folder::Folder;
use crate::source::{Identity, SourceFile};
use crate::state::historian::AcceptedLoad;
use crate::state::lock::StateLock;
use crate::state::record::{self, DatasetRecord, RecordedChange};
use crate::state::snapshot_writer::WriteJob;
use crate::state::writers::Writers;
use crate::util::cancel::CancelSource;
use crate::util::time::unix_time;
use crate::watch::{FileChange, WatchOptions, Watched, Watcher};
use crate::zone::Dataset;
use crate::zonefile::{Counts, Diagnostics, Kind};
use anyhow::Context;
use quarantine::{Accepting, Replies};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tracing::debug;

/// How long a server that ends waits for the state folder: systemd and Docker give it longer.
const PATIENCE_AT_THE_END: Duration = Duration::from_secs(5);

/// Between two looks at files that are not watched: once in ten years.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// All datasets that are served or about to be.
pub(crate) struct DatasetManager {
    datasets: BTreeMap<String, ManagedDataset>,
    replies: Replies,
    context: BuildContext,
}

/// What is served of a dataset.
#[derive(Clone, Copy)]
pub(crate) struct LoadedDataset<'a> {
    /// The data.
    pub(crate) served: &'a Served,
    /// Whether it is what the files hold.
    pub(crate) state: State,
    /// What is wrong with the files.
    pub(crate) failure: Option<&'a Failure>,
    /// The data is older than a limit allows.
    pub(crate) overdue: Option<Overdue>,
}

/// What building needs.
struct BuildContext {
    server: Arc<config::Server>,
    pool: Pool,
    watcher: Arc<Watcher>,
    sink: Arc<dyn EventSink>,
    accept: AcceptCommand,
    /// Write to the state folder, if there is one.
    writers: Option<Writers>,
}

/// One dataset.
struct ManagedDataset {
    spec: Arc<config::Dataset>,
    lifecycle: Lifecycle,
    /// What is known of the data that was accepted last, also before the start.
    record: Option<DatasetRecord>,
    /// The files that were refused and may be accepted all the same.
    refused: Option<RefusedVersions>,
    /// The files that were kept aside last.
    kept_aside: Option<RefusedVersions>,
    /// Somebody wants files to be served that were refused.
    accepting: Option<Accepting>,
    /// Cancels the last snapshot, which may not be written yet.
    writing: Option<CancelSource>,
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
    /// What was overdue when that was looked at last.
    was_overdue: Option<Overdue>,
}

impl DatasetManager {
    /// Starts the threads that build and the one that watches; no dataset yet. What comes from the
    /// receiver is for [`take`](Self::take). Without the lock of the state folder, no snapshots are kept.
    pub(crate) fn new(
        server: &config::Server,
        lock: Option<&StateLock>,
        accept: AcceptCommand,
        sink: Arc<dyn EventSink>,
    ) -> anyhow::Result<(Self, UnboundedReceiver<Finished>)> {
        let (done, finished) = unbounded_channel();
        let options = WatchOptions {
            poll: server.check_interval.unwrap_or(NEVER),
            quiet: server.quiet_period,
            events: server.check_interval.is_some(),
            ..WatchOptions::default()
        };
        let context = BuildContext {
            server: Arc::new(server.clone()),
            pool: Pool::start(done, &sink).context("cannot start the threads that load")?,
            watcher: Arc::new(
                Watcher::start(options, Arc::clone(&sink))
                    .context("cannot start the thread that watches the files")?,
            ),
            writers: server
                .state_dir
                .as_deref()
                .filter(|_| lock.is_some())
                .map(|folder| Writers::start(folder, &sink))
                .transpose()
                .context("cannot start the threads that write snapshots and keep files")?,
            accept,
            sink,
        };
        Ok((Self { datasets: BTreeMap::new(), replies: Replies::default(), context }, finished))
    }

    /// Starts to build what is new in the settings or read in another way; the rest stays as it is,
    /// and so does, until [`settle_on`](Self::settle_on), what the settings no longer name.
    /// See [`awaited`](Self::awaited).
    pub(crate) fn apply(&mut self, settings: &Settings) {
        self.context.server = Arc::new(settings.server.clone());
        let used = used(settings);
        for (_, managed) in self.datasets.iter_mut().filter(|(name, _)| !used.contains(name)) {
            managed.awaited = false;
        }
        for spec in settings.datasets.iter().filter(|spec| used.contains(&spec.name)) {
            let spec = Arc::new(spec.clone());
            let Some(managed) = self.datasets.get_mut(&spec.name) else {
                let namesake =
                    self.datasets.values().find_map(|managed| managed.under_another_name(&spec));
                let mut managed = namesake
                    .unwrap_or_else(|| ManagedDataset::first(Arc::clone(&spec), &self.context));
                managed.write_snapshot(&self.context);
                managed.write_record(&self.context);
                managed.rebuild(&self.context);
                self.datasets.insert(spec.name.clone(), managed);
                continue;
            };
            if managed.is_read_by(&spec, &self.context.server) {
                continue;
            }
            match managed.spec.files == spec.files {
                // Whoever changes the settings wants to know whether that helps.
                true => managed.lifecycle.tell_again(),
                false => managed.lifecycle.forget_failure(),
            }
            managed.spec = spec;
            managed.rebuild(&self.context);
        }
    }

    /// The datasets whose builds new settings wait for.
    pub(crate) fn awaited(&self) -> impl Iterator<Item = &String> {
        self.datasets.iter().filter(|(_, managed)| managed.awaited).map(|(name, _)| name)
    }

    /// True while new settings wait for builds.
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited().next().is_some()
    }

    /// Forgets the datasets that no zone uses, and watches the files of the others.
    pub(crate) fn settle_on(&mut self, settings: &Settings) {
        let used = used(settings);
        self.datasets.retain(|name, _| used.contains(name));
        self.context.watcher.set_files(self.watched(|_| true));
        if let Some(writers) = &self.context.writers {
            writers.retain(self.datasets.keys().cloned());
        }
    }

    /// Watches the files of those datasets that are not waited for: others may load for a long time.
    pub(crate) fn watch_loaded(&self) {
        self.context.watcher.set_files(self.watched(|managed| !managed.awaited));
    }

    /// From now on, snapshots are kept in the state folder: of what is served, to begin with.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub(crate) fn write_snapshots(
        &mut self,
        state_dir: &Path,
        _: &StateLock,
    ) -> std::io::Result<()> {
        let writers = Writers::start(state_dir, &self.context.sink)?;
        writers.retain(self.datasets.keys().cloned());
        self.context.writers = Some(writers);
        for managed in self.datasets.values_mut() {
            managed.write_snapshot(&self.context);
            managed.write_record(&self.context);
        }
        Ok(())
    }

    /// Writes no snapshots from now on.
    pub(crate) fn stop_writing_snapshots(&mut self) {
        self.context.writers = None;
        // What waits to be written is not wanted any more.
        self.datasets.values_mut().for_each(|managed| managed.writing = None);
    }

    /// Waits until what was accepted is on disk, so that a server that ends at once does not forget it.
    pub(crate) fn finish_writing(&mut self) {
        if let Some(writers) = self.context.writers.take() {
            writers.finish(PATIENCE_AT_THE_END);
        }
    }

    /// Tells of files that have changed and are stable again.
    pub(crate) fn watcher(&self) -> Arc<Watcher> {
        Arc::clone(&self.context.watcher)
    }

    /// Has all files looked at now, and those of datasets in trouble read again and told of.
    pub(crate) fn look_now(&mut self) {
        self.context.watcher.look_now();
        for managed in
            self.datasets.values_mut().filter(|managed| managed.lifecycle.failure().is_some())
        {
            managed.lifecycle.tell_again();
            managed.recheck(&self.context);
        }
    }

    /// When [`retry`](Self::retry) is due.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.datasets.values().filter_map(|managed| managed.retry).min()
    }

    /// Has the files of those datasets read again that were to be tried again by now: once they
    /// are at rest.
    pub(crate) fn retry(&mut self) {
        let now = Instant::now();
        for managed in
            self.datasets.values_mut().filter(|managed| managed.retry.is_some_and(|at| at <= now))
        {
            managed.recheck(&self.context);
        }
    }

    /// Builds the datasets that read one of these files.
    pub(crate) fn files_changed(&mut self, changes: &[FileChange]) {
        let has_changed = |file: &PathBuf| changes.iter().any(|change| change.path == *file);
        for managed in
            self.datasets.values_mut().filter(|managed| managed.spec.files.iter().any(has_changed))
        {
            managed.request(&self.context);
        }
        self.context.watcher.done();
    }

    /// True if nothing is being built, and no file is waited for.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.context.watcher.is_at_rest() && !self.is_building()
    }

    /// Judges a finished build. True if this is to be published at once; what new settings waited
    /// for is published with them.
    pub(crate) fn take(&mut self, finished: Finished) -> bool {
        let Finished { name, token, outcome, former, events } = finished;
        let is_newest = |managed: &&mut ManagedDataset| {
            managed.building.as_ref().is_some_and(|source| token.is_of(source))
        };
        let Some(managed) = self.datasets.get_mut(&name).filter(is_newest) else {
            debug!("dataset {name}: a build for settings that no longer hold is thrown away");
            return false;
        };
        events.iter().for_each(|event| self.context.sink.emit(event));
        managed.building = None;
        let awaited = std::mem::take(&mut managed.awaited);
        let before = managed.published();
        if let Some(former) = former {
            managed.recall(*former);
        }
        let accepting = managed.accepting.take();
        let wanted = accepting.as_ref().map(|accepting| &accepting.versions);
        let (mut of_those, mut unstable) = (false, None);
        match outcome {
            BuildOutcome::Built(built) => {
                of_those = wanted.is_some_and(|wanted| wanted.are(&built.sources));
                managed.judge(*built, of_those, &self.context);
            }
            BuildOutcome::Same(sources) => managed.confirm(sources, &self.context),
            BuildOutcome::Failed(problem, versions) => {
                of_those = wanted == Some(&versions);
                managed.refuse(problem, versions, &self.context);
            }
            BuildOutcome::Unstable(path) => {
                debug!("dataset {name}: waits for {} to become stable", path.display());
                self.context.watcher.recheck(&path);
                unstable = Some(path);
            }
            BuildOutcome::Rewritten(path) => {
                debug!("dataset {name}: waits for {} to be written anew", path.display());
                self.context.watcher.recheck_rewritten(&path);
                unstable = Some(path);
            }
        }
        match accepting {
            Some(accepting) if unstable.is_some() && accepting.is_patient() => {
                managed.accepting = Some(accepting);
            }
            Some(accepting) => self.replies.add(accepting, managed, of_those, unstable),
            None => {}
        }
        if std::mem::take(&mut managed.again) {
            managed.request(&self.context);
        }
        !awaited && before != managed.published()
    }

    /// What is served of each dataset at `now`.
    pub(crate) fn loaded(&self, now: SystemTime) -> HashMap<&String, LoadedDataset<'_>> {
        let loaded = self.datasets.iter().filter_map(|(name, managed)| {
            let life = &managed.lifecycle;
            let (state, failure) = (life.state(), life.failure());
            let overdue = managed.overdue(now);
            Some((name, LoadedDataset { served: life.served()?, state, failure, overdue }))
        });
        loaded.collect()
    }

    /// Whether anything of a dataset was ever loaded.
    pub(crate) fn is_loaded(&self, name: &str) -> bool {
        self.datasets.get(name).is_some_and(|managed| managed.lifecycle.served().is_some())
    }

    /// What is known of the data of a dataset that was accepted last, also before the start.
    pub(crate) fn record(&self, name: &str) -> Option<&DatasetRecord> {
        self.datasets.get(name)?.record.as_ref()
    }

    /// The command that has the refused files of a dataset served, if anybody can ask the server.
    pub(crate) fn accept_command(&self, name: &str) -> Option<String> {
        self.context.accept.of(name)
    }

    /// All datasets: name, type and lifecycle.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, Kind, &Lifecycle)> {
        let all = self.datasets.iter();
        all.map(|(name, managed)| (name.as_str(), managed.spec.kind, &managed.lifecycle))
    }

    /// Every file of these datasets, and the version of it that was loaded.
    fn watched(&self, is_watched: impl Fn(&ManagedDataset) -> bool) -> Vec<Watched> {
        let mut files: BTreeMap<&Path, Option<Identity>> = BTreeMap::new();
        for managed in self.datasets.values().filter(|managed| is_watched(managed)) {
            for path in &managed.spec.files {
                let sources = managed.lifecycle.served().map_or(&[][..], |served| &served.sources);
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
    pub(crate) fn is_building(&self) -> bool {
        self.datasets.values().any(|managed| managed.building.is_some())
    }

    /// Has the memory given back that builds have left, when there are no more.
    pub(crate) fn tidy(&self) {
        self.context.pool.tidy();
    }

    /// From now on, building gives way to answering.
    pub(crate) fn enter_background(&self) {
        self.context.pool.enter_background();
    }
}

/// The datasets that zones or the server use.
fn used(settings: &Settings) -> BTreeSet<&String> {
    let of_zones = settings.zones.iter();
    let of_zones =
        of_zones.flat_map(|zone| zone.datasets.iter().chain(&zone.allow).chain(&zone.acl));
    of_zones.chain(&settings.server.acl).collect()
}

impl ManagedDataset {
    fn new(spec: Arc<config::Dataset>) -> Self {
        Self {
            spec,
            lifecycle: Lifecycle::default(),
            record: None,
            refused: None,
            kept_aside: None,
            accepting: None,
            writing: None,
            building: None,
            awaited: false,
            again: false,
            retry: None,
            was_expired: false,
            was_overdue: None,
        }
    }

    /// A dataset that was not served before by this process; the state folder may know of it.
    fn first(spec: Arc<config::Dataset>, context: &BuildContext) -> Self {
        let folder = context.server.state_dir.as_deref().map(Folder::of);
        let record = folder.and_then(|folder| match DatasetRecord::read(&folder, &spec.name) {
            Ok(record) => record,
            Err(error) => {
                let (dataset, file) = (spec.name.clone(), folder.record(&spec.name));
                context.sink.emit(&Event::RecordUnusable { dataset, file, error });
                None
            }
        });
        Self { record, ..Self::new(spec) }
    }

    /// The same data for settings that differ in the name alone: what is good stays served when its files
    /// cannot be read at that moment.
    fn under_another_name(&self, spec: &Arc<config::Dataset>) -> Option<Self> {
        let rename =
            |other: &config::Dataset| config::Dataset { name: spec.name.clone(), ..other.clone() };
        let mut lifecycle = self.lifecycle.clone();
        let served = lifecycle.served_mut().filter(|_| rename(&self.spec) == **spec)?;
        // These differ from the settings of now if the data could not be built by those.
        served.spec = Arc::new(rename(&served.spec));
        let record = self.record.clone();
        let record = record.map(|record| DatasetRecord { name: spec.name.clone(), ..record });
        let (refused, kept_aside) = (self.refused.clone(), self.kept_aside.clone());
        Some(Self { lifecycle, record, refused, kept_aside, ..Self::new(Arc::clone(spec)) })
    }

    /// Builds for new settings; what a build under way brings is thrown away.
    fn rebuild(&mut self, context: &BuildContext) {
        self.building = None;
        self.again = false;
        self.awaited = true;
        self.request(context);
    }

    fn request(&mut self, context: &BuildContext) {
        if self.building.is_some() {
            self.again = true;
            return;
        }
        context.sink.emit(&Event::LoadStarted { dataset: self.spec.name.clone() });
        let source = CancelSource::default();
        let task = Task {
            spec: Arc::clone(&self.spec),
            server: Arc::clone(&context.server),
            last_stable: self
                .spec
                .files
                .iter()
                .map(|path| context.watcher.last_stable(path))
                .collect(),
            good: self.lifecycle.served().map(|served| served.sources.clone()),
            before: self.lifecycle.served().map(|served| Arc::clone(&served.dataset)),
            by_these_rules: self.is_read_by(&self.spec, &context.server)
                && !self.has_expired_entries(unix_time()),
            owns_snapshots: context.writers.is_some(),
            accepting: self.accepting.as_ref().map(|accepting| accepting.versions.clone()),
            all_cores: context.pool.uses_all_cores(),
            token: source.token(),
        };
        self.building = Some(source);
        context.pool.submit(task);
    }

    /// True if the settings are these, and what is served was read by them.
    fn is_read_by(&self, spec: &config::Dataset, server: &config::Server) -> bool {
        *self.spec == *spec
            && self.lifecycle.served().is_some_and(|served| served.is_read_by(spec, server))
    }

    fn recheck(&mut self, context: &BuildContext) {
        self.retry = None;
        self.spec.files.iter().for_each(|file| context.watcher.recheck(file));
    }

    /// What was published of this dataset, for comparison.
    fn published(&self) -> (State, Option<(*const Dataset, u64)>) {
        let served = self.lifecycle.served();
        let data = served.map(|served| (Arc::as_ptr(&served.dataset), served.newest()));
        (self.lifecycle.state(), data)
    }

    /// Serves what was good before the start, until the files bring better.
    fn recall(&mut self, former: Built) {
        if self.lifecycle.served().is_some() || !self.spec.policy.recall {
            return;
        }
        let former = self.served(former).0;
        let bad_since = self.record.as_ref().and_then(|record| record.bad_since);
        let bad_since =
            bad_since.and_then(|since| UNIX_EPOCH.checked_add(Duration::from_secs(since)));
        self.lifecycle.recall(former, bad_since);
    }

    /// What would be served of a build, and what is to be told of it.
    fn served(&self, built: Built) -> (Served, Diagnostics, Counts) {
        let Built {
            dataset,
            sources,
            rules,
            diagnostics,
            counts,
            mut facts,
            content_id,
            change,
            since,
            took,
            is_cached: _,
        } = built;
        let since =
            since.map_or_else(SystemTime::now, |since| self.accepted(&sources).unwrap_or(since));
        if let Some(record) = &self.record {
            record.complete(&mut facts, &sources);
        }
        let served = Served {
            dataset: Arc::new(dataset),
            sources,
            since,
            spec: Arc::clone(&self.spec),
            rules,
            facts,
            content_id,
            change,
            took,
        };
        (served, diagnostics, counts)
    }

    /// When these very files were accepted, as far as is remembered.
    fn accepted(&self, sources: &[SourceFile]) -> Option<SystemTime> {
        let record = self.record.as_ref()?;
        let is_of_them = record.content == record::content(sources);
        UNIX_EPOCH.checked_add(Duration::from_secs(record.accepted)).filter(|_| is_of_them)
    }

    /// What was accepted last before `new`: what is served, or what is remembered of it.
    fn baseline(&self, new: &Served) -> Option<Baseline<'_>> {
        let remembered = || Some(self.record.as_ref()?.baseline(&self.spec));
        self.lifecycle.baseline(new).or_else(remembered)
    }

    /// True if these very files, read in this way, were accepted last: they are not judged once more.
    fn was_accepted(&self, sources: &[SourceFile]) -> bool {
        let origin = record::origin(&self.spec);
        let is_same = self.record.as_ref().is_some_and(|record| record.origin == origin);
        let is_of_them =
            |served: &Served| record::content(&served.sources) == record::content(sources);
        is_same
            && self.accepted(sources).is_some()
            && self.lifecycle.served().is_none_or(is_of_them)
    }

    /// Serves a build unless a rule of the guard refuses it: whatever the rules say, if its files are `wanted` by
    /// somebody, or if they were accepted before the start.
    fn judge(&mut self, built: Built, wanted: bool, context: &BuildContext) {
        let is_cached = built.is_cached;
        let (new, diagnostics, counts) = self.served(built);
        let candidate = Candidate {
            spec: &self.spec,
            sources: &new.sources,
            dataset: &new.dataset,
            facts: &new.facts,
            diagnostics: &diagnostics,
            most_entries: self.record.as_ref().and_then(|record| record.most_entries(&self.spec)),
            now: unix_time(),
        };
        let before = self.baseline(&new);
        let doubt = match guard::judge(&candidate, before.as_ref(), &self.spec.policy) {
            Verdict::Accept => None,
            Verdict::Warn(doubt) => Some(doubt),
            Verdict::Quarantine(_) if wanted || self.was_accepted(&new.sources) => {
                let all = guard::judge_by_all(&candidate, before.as_ref(), &self.spec.policy);
                for problem in all.broken {
                    let (dataset, before) = (self.spec.name.clone(), !wanted);
                    context.sink.emit(&Event::DatasetAccepted { dataset, problem, before });
                }
                all.doubt
            }
            Verdict::Quarantine(problem) => {
                let versions = RefusedVersions::of(&new.sources);
                return self.refuse(problem, versions, context);
            }
        };
        let former = self.lifecycle.served().cloned();
        let load = self.lifecycle.accept(SystemTime::now(), new, doubt);
        self.keep_history(former.as_ref(), context);
        (self.retry, self.refused, self.kept_aside) = (None, None, None);
        self.keep_record(context);
        self.tell_bad_lines(&diagnostics, context);
        if let Some(served) = self.lifecycle.served() {
            let times = served.sources.iter().map(|file| file.report.identity.modified.seconds);
            context.sink.emit(&Event::DatasetLoaded {
                dataset: self.spec.name.clone(),
                load,
                kind: self.spec.kind,
                tally: counts,
                addresses: served.facts.ip4.map_or(0, u128::from),
                memory: served.dataset.memory(),
                newest: times.max().unwrap_or(0),
                took: served.took,
            });
        }
        match is_cached {
            true => self.keep_text(context),
            false => self.write_snapshot(context),
        }
    }

    fn confirm(&mut self, sources: Vec<SourceFile>, context: &BuildContext) {
        debug!("dataset {}: its files hold what is served", self.spec.name);
        (self.retry, self.refused, self.kept_aside) = (None, None, None);
        if let Some(failed_for) = self.lifecycle.confirm(SystemTime::now(), sources) {
            let dataset = self.spec.name.clone();
            context.sink.emit(&Event::DatasetRecovered { dataset, failed_for });
        }
        self.keep_record(context);
        self.write_snapshot(context);
    }

    /// Has a snapshot written of what is served, and its text kept.
    fn write_snapshot(&mut self, context: &BuildContext) {
        let (Some(writers), Some(served)) = (&context.writers, self.lifecycle.served()) else {
            return;
        };
        let Served { dataset, sources, rules, facts, .. } = served;
        let source = CancelSource::default();
        writers.snapshots.write(WriteJob {
            dataset: Arc::clone(dataset),
            origin: Origin {
                name: self.spec.name.clone(),
                rules: rules.clone(),
                stamp: facts.stamp,
                sources: sources.clone(),
            },
            token: source.token(),
        });
        self.writing = Some(source);
        self.keep_text(context);
    }

    /// Has written to the history how what is served differs from what was served before.
    fn keep_history(&self, former: Option<&Served>, context: &BuildContext) {
        let (Some(writers), Some(served)) = (&context.writers, self.lifecycle.served()) else {
            return;
        };
        let version = |served: &Served| (Arc::clone(&served.dataset), served.content_id);
        writers.historian.keep_load(AcceptedLoad {
            dataset: self.spec.name.clone(),
            before: former.map(version),
            now: version(served),
            time: served.since.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            entries: served.entries(),
            size: served.sources.iter().map(|source| source.report.identity.size).sum(),
            bounds: context.server.history,
        });
    }

    /// Notes what is served and that its files were looked at, and has that written if it is news.
    fn keep_record(&mut self, context: &BuildContext) {
        let Some(served) = self.lifecycle.served() else { return };
        let accepted = served.since.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let new = DatasetRecord {
            name: self.spec.name.clone(),
            origin: record::origin(&self.spec),
            content: record::content(&served.sources),
            accepted,
            fetched: record::fetched(&served.sources, unix_time()),
            facts: served.facts.clone(),
            last_change: served.change.map(RecordedChange::from),
            ..DatasetRecord::default()
        };
        let record = Some(DatasetRecord::after(self.record.as_ref(), new));
        if record != self.record {
            self.record = record;
            self.write_record(context);
        }
    }

    /// Has the record written.
    fn write_record(&self, context: &BuildContext) {
        if let (Some(writers), Some(record)) = (&context.writers, &self.record) {
            writers.snapshots.write_record(record.clone());
        }
    }

    fn tell_bad_lines(&self, diagnostics: &Diagnostics, context: &BuildContext) {
        let file = |number: u16| self.spec.files.get(usize::from(number)).cloned();
        for bad in &diagnostics.kept {
            context.sink.emit(&Event::BadLine {
                dataset: self.spec.name.clone(),
                file: file(bad.file).unwrap_or_default(),
                line: bad.line,
                column: bad.column,
                reason: bad.reason,
                excerpt: bad.excerpt.clone(),
            });
        }
        for omitted in diagnostics.omitted() {
            context.sink.emit(&Event::BadLinesOmitted {
                dataset: self.spec.name.clone(),
                file: file(omitted.file).unwrap_or_default(),
                reason: omitted.reason,
                lines: omitted.lines,
            });
        }
    }
}
