//! What the control loop is told to do, and by whom: signals, timers, builds and files send commands to one
//! channel, which the loop obeys in their order.

use super::request::Asked;
use crate::dataset::manager::DatasetManager;
use crate::dataset::task::Finished;
use crate::server::http::Observation;
use crate::watch::FileChange;
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, channel};
use tokio::sync::oneshot;

/// The most commands that wait; whoever sends more waits, too.
const WAITING: usize = 64;

/// One thing to do.
pub(super) enum Command {
    /// Judge a build that has ended.
    TakeBuild(Box<Finished>),
    /// Build what reads these files, which have changed and are stable again.
    TakeChanges(Vec<FileChange>),
    /// Look again at the files of datasets whose time to try again has come.
    Retry,
    /// Look at what changes with time: certificates, expired data, the state folder.
    Tick,
    /// Add a line to the statistics file.
    WriteStatistics,
    /// Log the statistics; count from zero after that, or not.
    LogStatistics {
        /// Whether to count from zero.
        reset: bool,
    },
    /// Read the settings again, and look at all files.
    Reload,
    /// Look at all files, and write a line of statistics.
    Check,
    /// Do what a client of the control socket asks for.
    Ask(Asked),
    /// Tell a client of HTTP how the server is and what it has counted.
    Observe(oneshot::Sender<Observation>),
    /// The server that is to take the place of this one is ready to answer, or has ended before.
    EndHandover {
        /// Whether it is ready.
        is_ready: bool,
    },
    /// End the server.
    Stop,
}

/// The channel of the loop.
pub(super) fn commands() -> (Sender<Command>, Receiver<Command>) {
    channel(WAITING)
}

/// Sends the loop what builds and files ask for.
pub(super) fn send_loads(
    datasets: &DatasetManager,
    builds: UnboundedReceiver<Finished>,
    sender: &Sender<Command>,
) {
    tokio::spawn(send_builds(builds, sender.clone()));
    let (watcher, to_loop) = (datasets.watcher(), sender.clone());
    tokio::spawn(async move {
        while to_loop.send(Command::TakeChanges(watcher.changes().await)).await.is_ok() {}
    });
}

async fn send_builds(mut builds: UnboundedReceiver<Finished>, sender: Sender<Command>) {
    while let Some(finished) = builds.recv().await
        && sender.send(Command::TakeBuild(Box::new(finished))).await.is_ok()
    {}
}
