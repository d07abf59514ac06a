//! The sockets and the threads and tasks behind them.

use crate::config;
use crate::engine;
use crate::event::{Event, EventSink};
use crate::server::accept::{ConnectionCounts, StreamServer};
use crate::server::certificate::Certificate;
use crate::server::delay::DelayQueue;
use crate::server::https::{HttpsService, PrivateListener};
use crate::server::inherited::Inherited;
use crate::server::listen::{self, ListenError, UdpListener};
use crate::server::tcp::TcpService;
use crate::server::tls::TlsService;
use crate::server::udp::UdpServer;
use crate::server::xdp::{self, Fallbacks, XdpDevice, XdpError, XdpServer};
use crate::server::{Context, ServerCounters};
use crate::stats::{Recorders, Workers};
use crate::status::{CertificateStatus, Protocol, Sockets, Time};
use crate::util::threads::cores;
use anyhow::Context as _;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use tokio::task::JoinSet;

/// How many ports are tried before it is an error that all are in use.
const PORTS_TRIED: usize = 16;

/// Sockets that are bound but not served yet.
#[derive(Default)]
pub(crate) struct Bound {
    /// Those that others have bound, until they are taken.
    inherited: Inherited,
    udp: Vec<Vec<UdpListener>>,
    tcp: Vec<TcpListener>,
    tls: Option<(Arc<Certificate>, Vec<TcpListener>)>,
    https: Option<(PrivateListener, Vec<TcpListener>)>,
    http: Vec<TcpListener>,
    /// The devices of the settings, or why one cannot be used.
    xdp: Vec<(String, Result<XdpDevice, XdpError>)>,
}

impl Bound {
    /// Binds every address of the settings, but for those of which there is a socket already.
    pub(super) fn bind(server: &config::Server, inherited: Inherited) -> anyhow::Result<Self> {
        let mut bound = Self { inherited, ..Self::default() };
        for &address in &server.listen {
            bound.add(address, server.workers)?;
        }
        bound.open_devices(&server.xdp);
        if let Some(tls) = &server.tls {
            let certificate = Arc::new(Certificate::load(&tls.certificate, &tls.key)?);
            bound.tls = Some((certificate, bound.listen_all(&tls.listen)?));
            if !tls.https_listen.is_empty() {
                let listeners = bound.listen_all(&tls.https_listen)?;
                bound.https = Some((PrivateListener::bind()?, listeners));
            }
        }
        if let Some(http) = &server.http {
            bound.http = bound.listen_all(&http.listen)?;
        }
        bound.inherited.finish()?;
        Ok(bound)
    }

    /// Binds an address for UDP and TCP. Port 0 means any port, but the same one for both: if somebody has
    /// the one that UDP got, others are tried.
    fn add(
        &mut self,
        address: SocketAddr,
        workers: Option<NonZeroUsize>,
    ) -> Result<(), ListenError> {
        let mut tries = if address.port() == 0 { PORTS_TRIED } else { 1 };
        loop {
            let taken = self.add_udp(address, workers)?;
            tries -= 1;
            match self.add_tcp(taken) {
                Err(error) if tries > 0 && error.cause.kind() == ErrorKind::AddrInUse => {
                    self.udp.pop();
                }
                bound => return bound,
            }
        }
    }

    /// Binds an address for UDP, once for each worker (`None` for one per core): the address
    /// taken.
    pub(crate) fn add_udp(
        &mut self,
        address: SocketAddr,
        workers: Option<NonZeroUsize>,
    ) -> Result<SocketAddr, ListenError> {
        let (workers, sockets) =
            (workers.map_or_else(cores, usize::from), self.inherited.take_udp(address));
        let udp = match &sockets[..] {
            [] => listen::udp(address, workers)?,
            sockets => listen::udp_inherited(address, sockets, workers)?,
        };
        let taken = udp.first().map_or(address, UdpListener::address);
        self.udp.push(udp);
        Ok(taken)
    }

    /// Makes the devices ready whose queries are taken past the kernel's stack.
    fn open_devices(&mut self, names: &[String]) {
        let listened: Vec<_> = self.listeners().map(UdpListener::address).collect();
        let open = |name: &String| (name.clone(), XdpDevice::open(name, &listened));
        self.xdp = names.iter().map(open).collect();
    }

    /// One listener of each address.
    fn listeners(&self) -> impl Iterator<Item = &UdpListener> {
        self.udp.iter().filter_map(|listeners| listeners.first())
    }

    /// Takes a UDP socket that another process has bound and keeps: its address.
    pub(crate) fn take_udp(&mut self, socket: UdpSocket) -> io::Result<SocketAddr> {
        let listener = listen::udp_handed_over(socket.into())?;
        let address = listener.address();
        self.udp.push(vec![listener]);
        Ok(address)
    }

    /// Binds an address for TCP.
    pub(crate) fn add_tcp(&mut self, address: SocketAddr) -> Result<(), ListenError> {
        let listeners = self.listen(address)?;
        self.tcp.extend(listeners);
        Ok(())
    }

    /// The port that the server connects to itself: that of the listener behind the relays of HTTPS.
    pub(super) fn own_port(&self) -> anyhow::Result<Option<u16>> {
        let port = self.https.as_ref().map(|(private, _)| private.port()).transpose();
        port.context("cannot tell the port of the private listener for HTTPS")
    }

    fn listen_all(&mut self, addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, ListenError> {
        let mut all = Vec::new();
        for &address in addresses {
            all.extend(self.listen(address)?);
        }
        Ok(all)
    }

    /// One listener, or all those that another process has bound to the address: the kernel spreads connections over
    /// them.
    fn listen(&mut self, address: SocketAddr) -> Result<Vec<TcpListener>, ListenError> {
        let inherited = self.inherited.take_tcp(address);
        if inherited.is_empty() {
            return listen::tcp(address).map(|listener| vec![listener]);
        }
        inherited.into_iter().map(|listener| listen::tcp_inherited(address, listener)).collect()
    }

    /// All sockets once more, for a server that takes the place of this one.
    pub(super) fn descriptors(&self) -> io::Result<Vec<OwnedFd>> {
        let udp = self.udp.iter().flatten().map(UdpListener::descriptor);
        let tls = self.tls.iter().flat_map(|(_, listeners)| listeners);
        let https = self.https.iter().flat_map(|(_, listeners)| listeners);
        let streams = self.tcp.iter().chain(tls).chain(https).chain(&self.http);
        let streams = streams.map(|listener| listener.as_fd().try_clone_to_owned());
        udp.chain(streams).collect()
    }

    /// Takes out the listeners of HTTP, which is served before queries are.
    pub(super) fn take_http(&mut self) -> Vec<TcpListener> {
        std::mem::take(&mut self.http)
    }

    /// The workers that [`Servers::start`] will have.
    pub(super) fn workers(&self) -> Workers {
        Workers {
            udp: self.udp.iter().map(Vec::len).sum(),
            xdp: self.xdp.iter().flat_map(|(_, device)| device).map(XdpDevice::queues).sum(),
            tcp: self.tcp.len(),
            tls: self.tls.as_ref().map_or(0, |(_, listeners)| listeners.len())
                + usize::from(self.https.is_some()),
        }
    }
}

/// Everything that answers queries.
pub(super) struct Servers {
    /// All sockets, those of HTTP too, for a server that takes the place of this one.
    descriptors: Vec<OwnedFd>,
    udp: Vec<UdpServer>,
    /// Each device of the settings, or why the sockets have its queries.
    xdp: Vec<(String, Result<XdpServer, String>)>,
    tcp: Vec<StreamServer>,
    tcp_service: TcpService,
    tls: Vec<StreamServer>,
    tls_service: Option<TlsService>,
    https: Vec<StreamServer>,
    https_service: Option<HttpsService>,
    certificate: Option<Arc<Certificate>>,
    counters: Arc<ServerCounters>,
    /// Ends when it is dropped, and the workers would go on filling it.
    delay: DelayQueue,
}

impl Servers {
    /// Starts to answer. Call it inside the tokio runtime.
    pub(super) fn start(
        bound: Bound,
        descriptors: Vec<OwnedFd>,
        server: &config::Server,
        context: Context,
        mut recorders: Recorders<'_>,
    ) -> anyhow::Result<Self> {
        let delay = DelayQueue::start(Arc::clone(&context.counters), &context.sink)
            .context("cannot start the thread for delayed replies")?;
        for listener in bound.listeners() {
            if let Some((bytes, wanted)) = listener.too_small_buffer() {
                let address = listener.address();
                context.sink.emit(&Event::ReceiveBufferSmall { address, bytes, wanted });
            }
        }
        let fallbacks = match bound.xdp.is_empty() {
            true => Fallbacks::default(),
            false => Fallbacks::new(bound.listeners()).context("no descriptor is left")?,
        };
        let udp = bound
            .udp
            .into_iter()
            .map(|listeners| UdpServer::start(listeners, &context, &delay, &mut recorders));
        let udp = udp
            .collect::<Result<_, _>>()
            .context("cannot start the threads that answer over UDP")?;
        let fallbacks = Arc::new(fallbacks);
        let mut xdp = Vec::new();
        for (name, device) in bound.xdp {
            let device = match device {
                Ok(device) => device,
                Err(error) => {
                    let reason = error.to_string();
                    xdp.push((name.clone(), Err(reason.clone())));
                    context.sink.emit(&Event::XdpUnavailable { device: name, reason });
                    continue;
                }
            };
            let (queues, is_zero_copy) = (device.queues(), device.is_zero_copy());
            let server = XdpServer::start(
                device,
                &fallbacks,
                &context,
                &delay,
                &mut recorders,
                engine::answer,
            );
            let server =
                server.context("cannot start the threads that take queries from a device")?;
            xdp.push((name.clone(), Ok(server)));
            context.sink.emit(&Event::XdpStarted { device: name, queues, is_zero_copy });
        }
        let service = TcpService::new(context.clone(), server.tcp.into());
        let tcp = bound.tcp.into_iter().map(|listener| service.serve(listener, recorders.take()));
        let tcp = tcp.collect::<Result<_, _>>().context("cannot start to answer over TCP")?;
        let (certificate, listeners) = bound.tls.unzip();
        let tls_service =
            certificate.iter().map(|held| TlsService::new(&service, Arc::clone(held))).next();
        let tls_service = tls_service.transpose().context("cannot prepare TLS")?;
        tell_exposed_key(certificate.as_deref(), &*context.sink);
        let mut tls = Vec::new();
        if let Some(service) = &tls_service {
            for listener in listeners.into_iter().flatten() {
                let server = service.serve(listener, recorders.take());
                tls.push(server.context("cannot start to answer over TLS")?);
            }
        }
        let mut https = Vec::new();
        let mut https_service = None;
        if let (Some((private, listeners)), Some(certificate)) = (bound.https, &certificate) {
            let certificate = Arc::clone(certificate);
            let started = HttpsService::start(&service, certificate, private, recorders.take())
                .context("cannot start to answer over HTTPS")?;
            let servers = listeners.into_iter().map(|listener| started.serve(listener));
            https =
                servers.collect::<Result<_, _>>().context("cannot start to answer over HTTPS")?;
            https_service = Some(started);
        }
        let (tcp_service, counters) = (service, context.counters);
        Ok(Self {
            descriptors,
            udp,
            xdp,
            tcp,
            tcp_service,
            tls,
            tls_service,
            https,
            https_service,
            certificate,
            counters,
            delay,
        })
    }

    /// What is listened on, with which certificates, and how many connections there are.
    pub(super) fn sockets(&self) -> Sockets {
        let udp = self.udp.iter().map(|server| (server.address(), Protocol::Udp));
        let tcp = self.tcp.iter().map(|server| (server.address(), Protocol::Tcp));
        let tls = self.tls.iter().map(|server| (server.address(), Protocol::Tls));
        let https = self.https.iter().map(|server| (server.address(), Protocol::Https));
        let mut sockets = Sockets::default();
        for (address, protocol) in udp.chain(tcp).chain(tls).chain(https) {
            sockets.add_listener(address, protocol);
        }
        for (protocol, counts) in self.connections() {
            sockets.connections.push(counts.status(protocol));
        }
        let device = |(name, server): &(String, Result<XdpServer, String>)| match server {
            Ok(server) => server.status(),
            Err(reason) => xdp::unavailable(name, reason),
        };
        sockets.devices = self.xdp.iter().map(device).collect();
        sockets.certificates = self.certificates();
        sockets
    }

    /// The certificates in use.
    pub(super) fn certificates(&self) -> Vec<CertificateStatus> {
        let status = |certificate: &Arc<Certificate>| {
            let facts = certificate.facts();
            let (names, expires) = facts.map(|facts| (facts.names, Time(facts.expires))).unzip();
            let file = certificate.file().display().to_string();
            CertificateStatus { file, names: names.unwrap_or_default(), expires }
        };
        self.certificate.iter().map(status).collect()
    }

    /// Of each thread that answers over UDP: its address, its number, and how often it has looked for queries.
    pub(super) fn rounds(&self) -> impl Iterator<Item = (SocketAddr, usize, u64)> {
        let of = |server: &UdpServer| {
            let (address, rounds) = (server.address(), server.rounds().collect::<Vec<_>>());
            rounds.into_iter().enumerate().map(move |(number, rounds)| (address, number, rounds))
        };
        let of_sockets = self.udp.iter().flat_map(of);
        // A device has no address; its threads are numbered behind those of the first one.
        let first = self.udp.first().map(|server| (server.address(), server.rounds().count()));
        let rounds = self.xdp.iter().flat_map(|(_, server)| server).flat_map(XdpServer::rounds);
        let of_devices = rounds.enumerate().filter_map(move |(number, rounds)| {
            first.map(|(address, sockets)| (address, sockets + number, rounds))
        });
        of_sockets.chain(of_devices)
    }

    /// What went wrong between the network and the engine.
    pub(super) fn counters(&self) -> &Arc<ServerCounters> {
        &self.counters
    }

    /// The connections of each protocol.
    pub(super) fn connections(&self) -> Vec<(Protocol, ConnectionCounts)> {
        let tls = self.tls_service.iter().map(|tls| (Protocol::Tls, tls.connections()));
        let https = self.https_service.iter().map(|https| (Protocol::Https, https.connections()));
        [(Protocol::Tcp, self.tcp_service.connections())]
            .into_iter()
            .chain(tls)
            .chain(https)
            .collect()
    }

    /// Takes a renewed certificate into use.
    pub(super) fn reload_certificate(&self, sink: &dyn EventSink) {
        let Some(certificate) = &self.certificate else { return };
        match certificate.reload_if_changed() {
            Ok(true) => {
                sink.emit(&Event::CertificateRenewed);
                tell_exposed_key(Some(certificate), sink);
            }
            Ok(false) => {}
            Err(error) => sink.emit(&Event::CertificateRefused { reason: error.to_string() }),
        }
    }

    /// The sockets for a server that takes the place of this one. Both answer until this one stops.
    ///
    /// # Errors
    ///
    /// When no descriptor is left.
    pub(super) fn hand_over(&mut self) -> io::Result<Vec<OwnedFd>> {
        let descriptors = self.descriptors.iter().map(OwnedFd::try_clone).collect();
        self.udp.iter_mut().for_each(UdpServer::share);
        descriptors
    }

    /// Stops to answer; what is under way is finished.
    pub(super) async fn stop(self) {
        drop(self.descriptors);
        // At once: each may take a second.
        let streams = self.tcp.into_iter().chain(self.tls).chain(self.https);
        streams.map(StreamServer::stop).collect::<JoinSet<()>>().join_all().await;
        // They leave new queries to the sockets.
        self.xdp.into_iter().flat_map(|(_, server)| server).for_each(XdpServer::stop);
        drop(self.https_service);
        for server in self.udp {
            server.stop();
        }
        drop(self.delay);
    }
}

fn tell_exposed_key(certificate: Option<&Certificate>, sink: &dyn EventSink) {
    if let Some(file) = certificate.and_then(Certificate::exposed_key) {
        sink.emit(&Event::KeyExposed { file: file.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    /// Any port for UDP can be one that somebody has for TCP: now and then the start failed.
    #[test]
    fn regression_any_port_is_one_that_is_free_for_both() {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let _in_use: Vec<_> = (0..300).map(|_| TcpListener::bind(any).unwrap()).collect();
        for _ in 0..600 {
            let mut bound = Bound::default();
            bound.add(any, NonZeroUsize::new(1)).unwrap();
            let port = bound.udp[0][0].address().port();
            assert_eq!((bound.udp.len(), bound.tcp[0].local_addr().unwrap().port()), (1, port));
        }
    }
}
