//! The running server: start order, the control loop, the end.
//!
//! 1. Sockets are bound, so that a mistake in the addresses is told before anything is loaded.
//! 2. All datasets are built, on all cores.
//! 3. The catalog is published, and the threads that answer start.
//! 4. The control loop waits for changed files, finished builds and signals (`control`).
//!
//! What is answered never waits for what is loaded: see [`crate::server`].

mod assemble;
mod control;
mod personality;
mod report;
mod reporter;
mod servers;

pub(crate) use personality::Personality;
pub(crate) use servers::Bound;

use crate::config::{Settings, Source};
use crate::dataset::manager::DatasetManager;
use crate::event::{Event, EventSink};
use crate::server::Context;
use crate::server::shared_catalog::SharedCatalog;
use crate::state::lock::StateLock;
use crate::state::serials::Serials;
use crate::stats::Statistics;
use crate::stats::query_log::QueryLog;
use crate::util::time::unix_time;
use crate::zone::Catalog;
use anyhow::Context as _;
use control::Control;
use personality::Plain;
use reporter::Reporter;
use servers::Servers;
use std::collections::HashSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

/// Loads `settings` as [`run`] does at its start, and gives what it would answer from: for those
/// who ask [`crate::engine::answer`] without a socket. Not to be called from async code.
///
/// # Errors
///
/// When the system gives no thread. Data that cannot be loaded is no error, as in [`run`].
pub fn load(settings: &Settings) -> anyhow::Result<Catalog> {
    load_with(settings, Arc::new(Plain::new(&settings.server)))
}

/// [`load`] with this personality.
pub(crate) fn load_with(
    settings: &Settings,
    personality: Arc<dyn Personality>,
) -> anyhow::Result<Catalog> {
    let start = Instant::now();
    let sink: Arc<dyn EventSink> = Arc::clone(&personality) as _;
    let (mut datasets, mut finished) = DatasetManager::new(&settings.server, None, sink)?;
    let mut serials = Serials::open(settings.server.state_dir.as_deref(), None, &*personality);
    datasets.apply(settings);
    while datasets.awaited() > 0
        && let Some(ended) = finished.blocking_recv()
    {
        datasets.take(ended);
    }
    let mut statistics = Statistics::new(1, 0);
    let catalog = assemble::assemble(
        settings,
        &datasets.loaded(),
        unix_time(),
        &mut serials,
        &mut statistics,
    );
    let incomplete = control::incomplete(settings, catalog.zones());
    personality.emit(&Event::LoadsFinished { took: start.elapsed(), changed: true, incomplete });
    personality.first_load()?;
    Ok(catalog)
}

/// Serves `settings` until told to stop; `source` says where to read them again on SIGHUP.
///
/// # Errors
///
/// When an address cannot be listened on, a certificate cannot be used, or the system gives no
/// thread. Data that cannot be loaded is no error: zones that have nothing else answer SERVFAIL until
/// it can.
pub fn run(settings: Settings, source: Source) -> anyhow::Result<ExitCode> {
    let bound = Bound::bind(&settings.server)?;
    let personality = Arc::new(Plain::new(&settings.server));
    serve(settings, source, bound, personality)
}

/// [`run`] with sockets that are bound already, and this personality.
pub(crate) fn serve(
    settings: Settings,
    source: Source,
    bound: Bound,
    personality: Arc<dyn Personality>,
) -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build()
        .context("cannot start the control threads")?;
    allow_descriptors();
    let lock = settings.server.state_dir.as_deref().and_then(StateLock::take);
    if let (None, Some(folder)) = (&lock, &settings.server.state_dir) {
        personality.emit(&Event::StateFolderBusy { folder: folder.clone() });
    }
    let sink: Arc<dyn EventSink> = Arc::clone(&personality) as _;
    let (mut datasets, mut finished) =
        DatasetManager::new(&settings.server, lock.as_ref(), Arc::clone(&sink))?;
    let mut serials = Serials::open(settings.server.state_dir.as_deref(), lock.as_ref(), &*sink);
    runtime.block_on(async {
        let mut signals = control::Signals::listen().context("cannot listen to signals")?;
        datasets.apply(&settings);
        while datasets.awaited() > 0 {
            tokio::select! {
                Some(ended) = finished.recv() => {
                    datasets.take(ended);
                }
                () = signals.stop() => {
                    control::tell_the_end(&*personality);
                    return Ok(ExitCode::SUCCESS);
                }
            }
        }
        let mut reporter =
            Reporter::new(bound.workers(), settings.server.stats_file.clone(), Arc::clone(&sink));
        let statistics = reporter.statistics();
        // What is held here would stay as long as the server runs.
        let catalog = assemble::assemble(
            &settings,
            &datasets.loaded(),
            unix_time(),
            &mut serials,
            statistics,
        );
        let incomplete = control::incomplete(&settings, catalog.zones());
        personality.emit(&Event::LoadsFinished {
            took: start.elapsed(),
            changed: true,
            incomplete,
        });
        personality.first_load()?;
        let catalog = Arc::new(SharedCatalog::new(catalog));
        let query_log = settings.server.query_log.as_ref();
        let query_log = query_log.map(|log| QueryLog::start(log, &sink)).transpose();
        let query_log = query_log.context("cannot start the thread of the query log")?;
        let servers = Servers::start(
            bound,
            &settings.server,
            Context::new(Arc::clone(&catalog), sink),
            query_log.as_ref(),
        )?;
        datasets.enter_background();
        datasets.tidy();
        personality.ready(&report::text(
            &settings,
            &source,
            &datasets,
            catalog.load().zones(),
            &servers.addresses(),
            start.elapsed(),
        ))?;
        let control = Control {
            settings,
            source,
            datasets,
            finished,
            lock,
            serials,
            catalog,
            servers,
            personality,
            reporter,
            query_log,
            pending: None,
            round: None,
            changed: false,
            expired: HashSet::new(),
            unguarded: HashSet::new(),
        };
        control.run(signals).await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Takes all the descriptors this process may have: connections, above all those of TLS, must not
/// leave none for reading a changed file.
fn allow_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::debug!("keeps the limit of {current:?} open files: {error}");
    }
}
