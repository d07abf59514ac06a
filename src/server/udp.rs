//! UDP: one thread and one socket per worker, a batch of queries per system call.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use socket2::Socket;

use super::delay::{DelayQueue, DelaySender};
use super::listen::UdpListener;
use super::mmsg::Batch;
use super::proxies::{self, NoHeader};
use super::shared_catalog::CatalogCache;
use super::throttle::Throttle;
use super::{AnswerFn, Context, PAUSE, ServerCounters};
use crate::engine::{self, Catalog, Outcome, Request, Transport, WorkerState};
use crate::event::Event;
use crate::stats::dnstap::Ends;
use crate::stats::top::TopSampler;
use crate::stats::{Recorder, Recorders, Sampler};
use crate::util::time::unix_time;

/// Batches a worker still answers after it was told to stop: what the receive buffer may hold.
const LAST_BATCHES: usize = 64;

/// The workers of one listen address. Dropping it stops them.
#[derive(Debug)]
pub struct UdpServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    /// The socket of each, unless another process has it, too.
    workers: Vec<(Option<Arc<Socket>>, JoinHandle<()>)>,
    /// How often each has looked for queries.
    rounds: Vec<Arc<AtomicU64>>,
}

impl UdpServer {
    /// Starts a worker for each of the sockets, which belong to one address.
    ///
    /// # Errors
    ///
    /// When there is no socket, or the system has no thread left.
    pub fn start(
        listeners: Vec<UdpListener>,
        context: &Context,
        delay: &DelayQueue,
        recorders: &mut Recorders<'_>,
    ) -> io::Result<Self> {
        Self::start_with(listeners, context, delay, recorders, engine::answer)
    }

    /// The same with another function in place of the engine: for tests, and to measure what is
    /// not the engine's.
    ///
    /// # Errors
    ///
    /// As for [`Self::start`].
    pub fn start_with(
        listeners: Vec<UdpListener>,
        context: &Context,
        delay: &DelayQueue,
        recorders: &mut Recorders<'_>,
        answer: impl AnswerFn,
    ) -> io::Result<Self> {
        let address = listeners
            .first()
            .map(UdpListener::address)
            .ok_or_else(|| io::Error::other("a UDP server needs at least one worker"))?;
        let mut server =
            Self { address, stop: Arc::default(), workers: Vec::new(), rounds: Vec::new() };
        for (number, listener) in listeners.into_iter().enumerate() {
            let socket = Arc::new(listener.socket);
            let own = (!listener.shared).then(|| Arc::clone(&socket));
            let recorder = recorders.take();
            let rounds = Arc::new(AtomicU64::new(0));
            server.rounds.push(Arc::clone(&rounds));
            let worker = Worker {
                address,
                socket,
                stop: Arc::clone(&server.stop),
                catalog: context.catalog.cache(),
                delay: delay.sender(),
                context: context.clone(),
                answer: answer.clone(),
                state: recorder.state(),
                tops: recorder.top_sampler(),
                recorder,
                sampler: Sampler::default(),
                batch: Batch::new(listener.local)?,
                received: 0,
                next: 0,
                rounds,
                receive_errors: Throttle::default(),
            };
            let thread = thread::Builder::new()
                .name(format!("udp-{number}"))
                .spawn(move || worker.run_to_the_end())?;
            server.workers.push((own, thread));
        }
        Ok(server)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often each worker has looked for queries: at least once a second, unless it hangs.
    pub fn rounds(&self) -> impl Iterator<Item = u64> {
        self.rounds.iter().map(|rounds| rounds.load(Ordering::Relaxed))
    }

    /// From now on, another process reads from the sockets, too: they are not shut down at the end.
    pub fn share(&mut self) {
        for (own, _) in &mut self.workers {
            *own = None;
        }
    }

    /// Stops the workers, after they have answered what had arrived.
    pub fn stop(self) {}
}

impl Drop for UdpServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for socket in self.workers.iter().filter_map(|(socket, _)| socket.as_ref()) {
            // Wakes the thread if it waits in recvmmsg. The socket was never connected, which is
            // reported as an error though the call has its effect.
            let _ = socket.shutdown(std::net::Shutdown::Read);
        }
        for (_, thread) in self.workers.drain(..) {
            // Panics were caught and logged in the thread.
            let _ = thread.join();
        }
    }
}

struct Worker<A> {
    address: SocketAddr,
    socket: Arc<Socket>,
    stop: Arc<AtomicBool>,
    catalog: CatalogCache,
    delay: DelaySender,
    context: Context,
    answer: A,
    state: WorkerState,
    recorder: Recorder,
    sampler: Sampler,
    tops: TopSampler,
    batch: Batch,
    /// Datagrams in the batch.
    received: usize,
    /// The first of them not looked at yet. Kept here so that a panic costs one query only.
    next: usize,
    rounds: Arc<AtomicU64>,
    receive_errors: Throttle,
}

impl<A: AnswerFn> Worker<A> {
    fn run_to_the_end(mut self) {
        let (context, address) = (self.context.clone(), self.address);
        context.run_worker(address, &mut self, Self::run, |own| own.state = own.recorder.state());
    }

    fn run(&mut self) {
        self.finish_batch();
        while !self.stop.load(Ordering::Relaxed) {
            self.serve_batch(true);
        }
        for _ in 0..LAST_BATCHES {
            if !self.serve_batch(false) {
                break;
            }
        }
    }

    /// Answers what is there; returns whether there was anything.
    fn serve_batch(&mut self, wait: bool) -> bool {
        // Nobody else writes it.
        self.rounds.store(self.rounds.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        match self.batch.receive(self.socket.as_fd(), wait) {
            Ok(received) => {
                self.received = received;
                self.next = 0;
                self.finish_batch();
                received > 0
            }
            Err(error) => {
                self.after_receive_error(error);
                false
            }
        }
    }

    /// Answers the rest of the batch.
    fn finish_batch(&mut self) {
        let now = unix_time();
        let top = self.tops.pick(self.received - self.next, now).map(|picked| self.next + picked);
        if let Some(picked) = self.sampler.pick(self.received - self.next) {
            self.answer_up_to(self.next + picked, now);
            let start = Instant::now();
            self.answer_up_to(self.next + 1, now);
            self.recorder.took(start.elapsed());
        }
        self.answer_up_to(self.received, now);
        if let Some(index) = top {
            self.take_top(index, now);
        }
        let unsent = self.batch.send(self.socket.as_fd());
        ServerCounters::add(&self.context.counters.udp_unsent, unsent);
    }

    /// Has a query of the batch, which was answered, counted for what is asked most.
    #[cold]
    #[inline(never)]
    fn take_top(&mut self, index: usize, now: u64) {
        let Some(exchange) = self.batch.exchange(index) else { return };
        let Some(client) = exchange.sender.client() else { return };
        let catalog: &Catalog = self.catalog.load();
        let peer = (client, exchange.sender.port());
        let origin = proxies::of_datagram(catalog.proxies(), peer.into(), exchange.query);
        let Ok((client, query)) = origin else { return };
        let (client, transport) = (client.ip(), Transport::Udp);
        self.tops.take(catalog, &Request { query, client, transport, now }, exchange.reply);
    }

    /// Answers the queries of the batch before `end`, at that time in seconds since 1970. One function, so that
    /// the engine is in it once.
    #[inline(never)]
    fn answer_up_to(&mut self, end: usize, now: u64) {
        let catalog: &Catalog = self.catalog.load();
        let mut unusable = 0;
        while self.next < end {
            let index = self.next;
            self.next += 1;
            let Some(exchange) = self.batch.exchange(index) else {
                unusable += 1;
                continue;
            };
            // It is made in its place: moved, it would be moved byte by byte.
            let mut request = Request {
                query: exchange.query,
                client: IpAddr::V4(exchange.sender.ip4()),
                transport: Transport::Udp,
                now,
            };
            if !exchange.sender.is_ip4() {
                let Some(client) = exchange.sender.client() else {
                    unusable += 1;
                    continue;
                };
                request.client = client;
            }
            let mut port = None;
            if !catalog.proxies().is_empty() {
                let peer = (request.client, exchange.sender.port()).into();
                match proxies::of_datagram(catalog.proxies(), peer, exchange.query) {
                    Ok((client, query)) => {
                        (request.client, request.query) = (client.ip(), query);
                        port = Some(client.port());
                    }
                    Err(NoHeader) => {
                        ServerCounters::add(&self.context.counters.udp_unproxied, 1);
                        proxies::tell(&self.context, Transport::Udp, peer.ip());
                        continue;
                    }
                }
            }
            let outcome = (self.answer)(catalog, &mut self.state, &request, exchange.reply);
            self.recorder.log(catalog, &request, outcome, exchange.reply, || Ends {
                client: (request.client, port.unwrap_or_else(|| exchange.sender.port())).into(),
                server: self.address,
            });
            match outcome {
                Outcome::Respond(len) => self.batch.queue(index, len),
                Outcome::RespondAfter(len, wait) => {
                    let (route, answer) = (self.batch.route(index), self.batch.answer(index, len));
                    if !self.delay.push(wait, &self.socket, route, answer) {
                        self.batch.queue(index, len);
                    }
                }
                Outcome::Drop => {}
            }
        }
        ServerCounters::add(&self.context.counters.udp_unusable, unusable);
    }

    fn after_receive_error(&mut self, error: io::Error) {
        // An idle worker wakes here now and then: the catalog it holds may have been replaced.
        self.catalog.load();
        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
            return;
        }
        if let Some(suppressed) = self.receive_errors.pass() {
            let address = self.address;
            self.context.sink.emit(&Event::ReceiveFailed { address, error, suppressed });
        }
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests;
