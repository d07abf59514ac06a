//! The datasets: building them on threads of their own, and what each one's life has come to.

use super::assemble::Loaded;
use super::compile::{Built, compile};
use crate::config::{self, Settings};
use crate::load::{Cause, Identity, Life, Plan, Problem, State, Watched};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::{Level, debug, error, info, warn};

/// How many lines that could not be used are logged for one load of a dataset.
const TOLD_DIAGNOSTICS: usize = 5;

/// All datasets of the configuration.
pub(super) struct Sets {
    server: Arc<config::Server>,
    sets: BTreeMap<String, Set>,
    pool: Pool,
    /// Finished builds.
    pub(super) finished: UnboundedReceiver<Finished>,
}

/// One dataset.
struct Set {
    spec: Arc<config::Dataset>,
    life: Life,
    loaded: Option<Loaded>,
    took: Duration,
    /// A build is under way, of this many requests so far.
    building: Option<u64>,
    /// A file changed during the build.
    again: bool,
    /// Counts the builds, so that one for settings that no longer hold is told from the newest.
    builds: u64,
}

/// A build that ended.
pub(super) struct Finished {
    name: String,
    build: u64,
    outcome: Result<Built, Problem>,
}

/// What is to be done after a build.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct After {
    /// What is served is no longer what was published.
    pub(super) publish: bool,
    /// The dataset is to be built again after this time.
    pub(super) retry: Option<Duration>,
    /// The file changed while it was read and is to be watched until it rests.
    pub(super) recheck: Option<std::path::PathBuf>,
}

impl Sets {
    /// Starts the threads that build; no dataset yet.
    pub(super) fn new() -> std::io::Result<Self> {
        let (done, finished) = unbounded_channel();
        let server = Arc::new(config::Server::default());
        Ok(Self { server, sets: BTreeMap::new(), pool: Pool::start(done)?, finished })
    }

    /// Takes over new settings: starts to build what is new or read in another way, forgets what
    /// is gone, and keeps the rest. Gives the number of builds under way.
    pub(super) fn apply(&mut self, settings: &Settings) -> usize {
        let server = Arc::new(settings.server.clone());
        let same_rules = server.ttl == self.server.ttl
            && server.accept_host_bits == self.server.accept_host_bits;
        self.server = server;
        let used: BTreeSet<&String> = settings
            .zones
            .iter()
            .flat_map(|zone| zone.datasets.iter().chain(&zone.allow))
            .collect();
        self.sets.retain(|name, _| used.contains(name));
        for spec in settings.datasets.iter().filter(|spec| used.contains(&spec.name)) {
            let known = self.sets.get(&spec.name).is_some_and(|set| *set.spec == *spec);
            if known && same_rules {
                continue;
            }
            let spec = Arc::new(spec.clone());
            let set =
                self.sets.entry(spec.name.clone()).or_insert_with(|| Set::new(Arc::clone(&spec)));
            // Other files are no newer version of the old ones: they are judged on their own.
            if set.spec.files != spec.files || set.spec.kind != spec.kind {
                *set = Set {
                    builds: set.builds,
                    loaded: set.loaded.take(),
                    ..Set::new(Arc::clone(&spec))
                };
            }
            set.spec = spec;
            set.building = None;
            set.request(&self.server, &self.pool);
        }
        self.building()
    }

    /// The number of builds under way.
    pub(super) fn building(&self) -> usize {
        self.sets.values().filter(|set| set.building.is_some()).count()
    }

    /// Builds the datasets that read one of these files.
    pub(super) fn files_changed<'a>(&mut self, files: impl IntoIterator<Item = &'a Path>) {
        let plan =
            Plan::new(self.sets.iter().map(|(name, set)| (name.clone(), set.spec.files.clone())));
        for name in plan.affected(files) {
            if let Some(set) = self.sets.get_mut(name) {
                set.request(&self.server, &self.pool);
            }
        }
    }

    /// Builds a dataset again, if it is still in trouble.
    pub(super) fn retry(&mut self, name: &str) {
        if let Some(set) = self.sets.get_mut(name).filter(|set| set.life.trouble().is_some()) {
            set.request(&self.server, &self.pool);
        }
    }

    /// Judges a finished build. Gives the dataset's name and what is to be done.
    pub(super) fn take(&mut self, finished: Finished) -> (String, After) {
        let Finished { name, build, outcome } = finished;
        let Some(set) = self.sets.get_mut(&name).filter(|set| set.building == Some(build)) else {
            debug!("dataset {name}: a build for settings that no longer hold is thrown away");
            return (name, After::default());
        };
        set.building = None;
        let before =
            (set.life.state(), set.loaded.as_ref().map(|loaded| Arc::as_ptr(&loaded.dataset)));
        let mut after = match outcome {
            Ok(built) => set.judge(&name, built),
            Err(problem) => set.refuse(&name, problem),
        };
        if let Some(loaded) = &mut set.loaded {
            loaded.current = set.life.state() == State::Live;
        }
        let now =
            (set.life.state(), set.loaded.as_ref().map(|loaded| Arc::as_ptr(&loaded.dataset)));
        after.publish = before != now;
        if std::mem::take(&mut set.again) {
            set.request(&self.server, &self.pool);
        }
        (name, after)
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

    /// Every file, and the version of it that was loaded.
    pub(super) fn watched(&self) -> Vec<Watched> {
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

    /// From now on, building gives way to answering.
    pub(super) fn give_way(&self) {
        self.pool.give_way.store(true, Ordering::Relaxed);
    }
}

impl Set {
    fn new(spec: Arc<config::Dataset>) -> Self {
        Self {
            spec,
            life: Life::default(),
            loaded: None,
            took: Duration::ZERO,
            building: None,
            again: false,
            builds: 0,
        }
    }

    fn request(&mut self, server: &Arc<config::Server>, pool: &Pool) {
        if self.building.is_some() {
            self.again = true;
            return;
        }
        self.builds += 1;
        self.building = Some(self.builds);
        pool.submit(Job {
            spec: Arc::clone(&self.spec),
            server: Arc::clone(server),
            build: self.builds,
        });
    }

    fn judge(&mut self, name: &str, built: Built) -> After {
        let Built { dataset, sources, diagnostics, took } = built;
        let now = SystemTime::now();
        // The same bytes read by other rules are another dataset.
        let same = self.life.holds(&sources)
            && self.loaded.as_ref().is_some_and(|loaded| loaded.spec == self.spec);
        if same {
            let step = self.life.confirm(now, sources);
            self.tell(name, step.message);
            return After { retry: step.retry, ..After::default() };
        }
        let newest =
            sources.iter().map(|source| source.report.identity.modified.seconds).max().unwrap_or(0);
        let content = sources.iter().fold(0, |hash: u64, source| {
            let file = source.report.hash;
            hash.rotate_left(7) ^ file as u64 ^ (file >> 64) as u64
        });
        let candidate = match self.life.judge(sources, self.spec.accept_empty) {
            Ok(candidate) => candidate,
            Err(problem) => return self.refuse(name, problem),
        };
        for bad in diagnostics.kept.iter().take(TOLD_DIAGNOSTICS) {
            let file = self
                .spec
                .files
                .get(usize::from(bad.file))
                .map_or("".into(), |file| file.to_string_lossy());
            warn!("dataset {name}: {file}:{}:{}: {}", bad.line, bad.column, bad.reason);
        }
        if diagnostics.total > TOLD_DIAGNOSTICS as u64 {
            warn!(
                "dataset {name}: {} more such lines",
                diagnostics.total - TOLD_DIAGNOSTICS as u64
            );
        }
        let step = self.life.accept(now, candidate);
        self.tell(name, step.message);
        self.took = took;
        self.loaded = Some(Loaded {
            dataset: Arc::new(dataset),
            spec: Arc::clone(&self.spec),
            newest: u64::try_from(newest).unwrap_or(0),
            content,
            current: true,
        });
        After { retry: step.retry, ..After::default() }
    }

    fn refuse(&mut self, name: &str, problem: Problem) -> After {
        let recheck = (problem.cause == Cause::Torn).then(|| problem.file.clone());
        let step = self.life.refuse(SystemTime::now(), problem);
        self.tell(name, step.message);
        After { publish: false, retry: step.retry, recheck }
    }

    fn tell(&self, name: &str, message: Option<crate::load::Message>) {
        let Some(message) = message else { return };
        let text = message.text;
        match message.level {
            Level::ERROR => error!("dataset {name}: {text}"),
            Level::WARN => warn!("dataset {name}: {text}"),
            _ => info!("dataset {name}: {text}"),
        }
    }
}

/// A dataset to be built.
struct Job {
    spec: Arc<config::Dataset>,
    server: Arc<config::Server>,
    build: u64,
}

/// Threads that build datasets, one per core.
struct Pool {
    jobs: mpsc::Sender<Job>,
    give_way: Arc<AtomicBool>,
}

impl Pool {
    fn start(done: UnboundedSender<Finished>) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        let give_way = Arc::new(AtomicBool::new(false));
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let (queue, give_way, done) = (Arc::clone(&queue), Arc::clone(&give_way), done.clone());
            std::thread::Builder::new().name("load".to_owned()).spawn(move || {
                let mut polite = false;
                loop {
                    let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(job) = job else { return };
                    if !polite && give_way.load(Ordering::Relaxed) {
                        polite = true;
                        // On Linux the priority is the thread's own. Failing to be polite is no
                        // reason not to load.
                        let _ = rustix::process::nice(19);
                    }
                    if done.send(job.run()).is_err() {
                        return;
                    }
                }
            })?;
        }
        Ok(Self { jobs, give_way })
    }

    fn submit(&self, job: Job) {
        // The threads hold the other end for as long as the pool lives.
        let _ = self.jobs.send(job);
    }
}

impl Job {
    /// Builds; a panic of the parser or the builder is a fault of this dataset alone.
    fn run(self) -> Finished {
        let Self { spec, server, build } = self;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let work = std::panic::AssertUnwindSafe(|| compile(&spec, &server, now));
        let outcome = std::panic::catch_unwind(work).unwrap_or_else(|_| {
            let file = spec.files.first().cloned().unwrap_or_default();
            Err(Problem {
                file,
                cause: Cause::Refused("building it failed by a fault in dnsbld".to_owned()),
            })
        });
        Finished { name: spec.name.clone(), build, outcome }
    }
}
