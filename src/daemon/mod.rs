//! The running server.
//!
//! 1. The system has room (`room`), and sockets are bound (`servers`), so that what stands in the way is
//!    told before anything is loaded; those that another process has bound are taken (`handover`).
//! 2. What no running server needs is given up (`confinement`): the user root, capabilities (`privileges`), and what
//!    lies outside the folders of the settings (`sandbox`).
//! 3. All datasets are built, on all cores (`start`). If that takes longer than a moment, what follows begins
//!    with the zones whose lists are built; the others answer SERVFAIL until theirs are.
//! 4. The catalog is published (`catalog_builder`), and the threads that answer start.
//! 5. The control loop (`control`) obeys the commands (`command`) of signals, timers, builds and files; a
//!    reload of the settings takes several of them (`reload`).
//!
//! What is answered never waits for what is loaded: see [`crate::server`].

mod alarms;
mod catalog_builder;
mod catalog_zone;
mod clock;
mod command;
mod confinement;
mod control;
pub(crate) mod control_place;
pub(crate) mod control_socket;
mod cookies;
mod handover;
mod http;
pub(crate) mod keys;
mod personality;
mod phase;
mod privileges;
mod reload;
pub(crate) mod reload_report;
mod reloads;
pub(crate) mod request;
mod room;
mod sandbox;
mod servers;
mod signals;
mod start;
mod stats_reporter;
mod watchdog;
mod zone_health;

pub(crate) use personality::Personality;
pub(crate) use room::NoRoom;
pub(crate) use servers::Bound;

use crate::config::{self, ConfigSource, Settings};
use crate::event::{Event, EventSink as _};
use crate::server::inherited::Inherited;
use crate::status::Status;
use crate::zone::Catalog;
use anyhow::Context as _;
use confinement::Confinement;
use handover::Predecessor;
use personality::Plain;
use std::process::ExitCode;
use std::sync::Arc;

/// Loads `settings` as a server does at its start, and gives what it would answer from: for those
/// who ask [`crate::engine::answer`] without a socket. Not to be called from async code.
///
/// # Errors
///
/// When the system gives no thread. Data that cannot be loaded is no error, as for a server.
pub fn load(settings: &Settings) -> anyhow::Result<Catalog> {
    load_with(settings, Arc::new(Plain::new(&settings.server)))
}

/// [`load`] with this personality.
pub(crate) fn load_with(
    settings: &Settings,
    personality: Arc<dyn Personality>,
) -> anyhow::Result<Catalog> {
    let source = ConfigSource::given(settings.clone());
    Ok(start::load(settings, source, &personality)?.0)
}

/// [`load_with`], and what a server would tell of it in its status.
pub(crate) fn try_out(
    settings: &Settings,
    source: ConfigSource,
    personality: Arc<dyn Personality>,
) -> anyhow::Result<(Catalog, Status)> {
    start::load(settings, source, &personality)
}

/// A server whose sockets are bound, and which has given up what it does not need.
pub struct Prepared {
    settings: Settings,
    source: ConfigSource,
    bound: Bound,
    predecessor: Option<Predecessor>,
    confinement: Confinement,
    personality: Arc<dyn Personality>,
}

/// Binds the sockets of a server with these settings, and confines this process for good: user, capabilities, files.
/// `source` says where to read the settings again on SIGHUP. To be called while the process has one thread. Takes
/// the sockets that the manager of services has for it, and, if it `replaces` the server of this configuration, those
/// of that.
///
/// # Errors
///
/// When an address cannot be listened on, a certificate cannot be used, or the system gives no thread, or not the
/// user of the settings; when the manager of services has sockets for it that it does not listen on; when the server
/// to be replaced does not hand its sockets over.
pub fn prepare(
    settings: Settings,
    source: ConfigSource,
    replaces: bool,
) -> anyhow::Result<Prepared> {
    ensure_room(&settings.server)?;
    let personality = Arc::new(Plain::new(&settings.server));
    let mut inherited = Inherited::from_environment()?;
    let mut predecessor = None;
    if replaces
        && let Some((found, sockets)) = Predecessor::find(&settings.server.control, &source)?
    {
        inherited.add(sockets);
        personality.emit(&Event::TakingOver { process: found.process() });
        predecessor = Some(found);
    }
    let mut bound = Bound::bind(&settings.server, inherited);
    if replaces && predecessor.is_none() {
        bound = bound.context(
            "--replace has found no server of this configuration by its control socket; if one runs, restart it once \
             without --replace",
        );
    }
    let bound = bound?;
    let confinement = Confinement::enter(&settings, &source, bound.own_port()?, &*personality)?;
    Ok(Prepared { settings, source, bound, predecessor, confinement, personality })
}

impl Prepared {
    /// Serves until told to stop.
    ///
    /// # Errors
    ///
    /// When the system gives no thread. Data that cannot be loaded is no error: zones that have nothing else answer
    /// SERVFAIL until it can.
    pub fn serve(self) -> anyhow::Result<ExitCode> {
        let Self { settings, source, bound, predecessor, confinement, personality } = self;
        start::serve(settings, source, bound, predecessor, confinement, personality)
    }
}

/// Makes sure that the system gives what a server with these settings needs: to be called before its
/// sockets are bound.
///
/// # Errors
///
/// When it does not.
pub(crate) fn ensure_room(server: &config::Server) -> Result<(), NoRoom> {
    room::ensure(server)
}

/// Serves with sockets that are bound already, as this personality, which confines the process itself.
pub(crate) fn serve(
    settings: Settings,
    source: ConfigSource,
    bound: Bound,
    personality: Arc<dyn Personality>,
) -> anyhow::Result<ExitCode> {
    start::serve(settings, source, bound, None, Confinement::default(), personality)
}
