//! Metrics and health over HTTP: the listeners, and how they get what they tell from the loop.

use super::command::Command;
use crate::config;
use crate::event::EventSink;
use crate::server::accept::{ConnectionCounts, StreamServer};
use crate::server::http::{HttpLimits, HttpService, Observe};
use crate::state::traffic::TrafficHistory;
use crate::status::{Protocol, Sockets, TrafficStatus};
use crate::wire::name::NameBuf;
use anyhow::Context as _;
use std::net::TcpListener;
use std::sync::Arc;
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;

/// The listeners being served; none if HTTP is off. Dropping it stops them.
#[derive(Default)]
pub(super) struct HttpServers {
    service: Option<HttpService>,
    servers: Vec<StreamServer>,
    /// The past as it was told last; it grows once a minute.
    history: Option<Arc<TrafficStatus>>,
}

impl HttpServers {
    /// Serves these listeners, inside the tokio runtime.
    pub(super) fn start(
        listeners: Vec<TcpListener>,
        settings: Option<&config::Http>,
        commands: &Sender<Command>,
        sink: Arc<dyn EventSink>,
    ) -> anyhow::Result<Self> {
        let Some(config::Http { allow, .. }) = settings else { return Ok(Self::default()) };
        let commands = commands.clone();
        let observe: Observe = Arc::new(move || {
            let (sender, observation) = oneshot::channel();
            // If the loop has too much to do, or has ended, the sender is dropped, which tells it.
            let _ = commands.try_send(Command::Observe(sender));
            observation
        });
        let service = HttpService::new(observe, allow.clone(), HttpLimits::default(), sink);
        let servers = listeners.into_iter().map(|listener| service.serve(listener));
        let servers =
            servers.collect::<Result<_, _>>().context("cannot start to answer over HTTP")?;
        Ok(Self { service: Some(service), servers, history: None })
    }

    /// How much was asked in each minute of the last day.
    pub(super) fn history<'z>(
        &mut self,
        traffic: &TrafficHistory,
        zones: impl Iterator<Item = &'z NameBuf>,
    ) -> Arc<TrafficStatus> {
        let history =
            self.history.get_or_insert_with(|| Arc::new(TrafficStatus::new(traffic, zones)));
        Arc::clone(history)
    }

    /// The past, or the zones, are no longer those that were told.
    pub(super) fn forget_history(&mut self) {
        self.history = None;
    }

    /// These connections, and its own.
    pub(super) fn with_connections(
        &self,
        others: Option<Vec<(Protocol, ConnectionCounts)>>,
    ) -> Vec<(Protocol, ConnectionCounts)> {
        let own = self.service.iter().map(|service| (Protocol::Http, service.connections()));
        others.into_iter().flatten().chain(own).collect()
    }

    /// These sockets, and its own.
    pub(super) fn added_to(&self, mut sockets: Sockets) -> Sockets {
        for server in &self.servers {
            sockets.add_listener(server.address(), Protocol::Http);
        }
        for (protocol, counts) in self.with_connections(None) {
            sockets.connections.push(counts.status(protocol));
        }
        sockets
    }
}
