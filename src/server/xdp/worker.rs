//! One thread for one queue of a device: what [`crate::server::udp`] does for a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::fallback::Fallbacks;
use super::frame::{Datagram, ETHERNET};
use super::sys::XdpSocket;
use crate::engine::{Catalog, Outcome, Request, Transport, WorkerState};
use crate::server::delay::DelaySender;
use crate::server::mmsg::REPLY_SPACE;
use crate::server::proxies;
use crate::server::shared_catalog::CatalogCache;
use crate::server::{AnswerFn, Context, PAUSE, ServerCounters};
use crate::stats::dnstap::Ends;
use crate::stats::top::TopSampler;
use crate::stats::{Recorder, Sampler};
use crate::util::time::unix_time;

/// How long an idle worker waits: it must notice by itself when it is to stop.
const PATIENCE: Duration = Duration::from_millis(200);

/// How long a worker that stops waits for queries that were on their way to it, and then for each look whether its answers
/// are sent.
const LAST_LOOK: Duration = Duration::from_millis(5);

/// How often it looks: a device that is down sends nothing.
const LAST_LOOKS: usize = 20;

pub(super) struct Worker<A> {
    pub(super) socket: XdpSocket,
    /// The bytes that a packet may have.
    pub(super) mtu: usize,
    pub(super) fallbacks: Arc<Fallbacks>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) catalog: CatalogCache,
    pub(super) delay: DelaySender,
    pub(super) context: Context,
    pub(super) answer: A,
    pub(super) state: WorkerState,
    pub(super) recorder: Recorder,
    pub(super) sampler: Sampler,
    pub(super) tops: TopSampler,
    /// Frames in the batch.
    pub(super) received: usize,
    /// The first of them not looked at yet. Kept here so that a panic costs one query only.
    pub(super) next: usize,
    pub(super) counts: Arc<Counts>,
}

/// What others see of a worker, which alone writes it.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// How often it has looked for queries.
    pub(super) rounds: AtomicU64,
    /// The answers that left by the device.
    pub(super) answers: AtomicU64,
}

impl Counts {
    fn add(counter: &AtomicU64, more: u64) {
        counter.store(counter.load(Ordering::Relaxed) + more, Ordering::Relaxed);
    }
}

impl<A: AnswerFn> Worker<A> {
    pub(super) fn run_to_the_end(mut self) {
        let (context, address) = (self.context.clone(), self.fallbacks.first());
        context.run_worker(address, &mut self, Self::run, |own| own.state = own.recorder.state());
    }

    fn run(&mut self) {
        self.finish_batch();
        while !self.stop.load(Ordering::Relaxed) {
            Counts::add(&self.counts.rounds, 1);
            if !self.serve_batch() {
                self.wait(PATIENCE);
            }
        }
        self.wait(LAST_LOOK);
        while self.serve_batch() {}
        for _ in 0..LAST_LOOKS {
            if self.socket.has_sent_all() {
                break;
            }
            self.socket.kick();
            thread::sleep(LAST_LOOK);
        }
    }

    fn wait(&mut self, time: Duration) {
        // An idle worker wakes now and then: the catalog it holds may have been replaced.
        self.catalog.load();
        if self.socket.wait(time).is_err() {
            thread::sleep(PAUSE);
        }
        self.socket.kick();
    }

    /// Answers what is there; returns whether there was anything.
    fn serve_batch(&mut self) -> bool {
        self.received = self.socket.receive();
        self.next = 0;
        if self.received == 0 {
            return false;
        }
        self.finish_batch();
        true
    }

    /// Answers the rest of the batch.
    fn finish_batch(&mut self) {
        let now = unix_time();
        let left = self.received - self.next;
        let top = self.tops.pick(left, now).map(|picked| self.next + picked);
        if let Some(picked) = self.sampler.pick(left) {
            self.answer_up_to(self.next + picked, now, top);
            let start = Instant::now();
            self.answer_up_to(self.next + 1, now, top);
            self.recorder.took(start.elapsed());
        }
        self.answer_up_to(self.received, now, top);
        let answers = self.socket.finish();
        Counts::add(&self.counts.answers, answers.into());
    }

    /// Answers the queries of the batch before `end`, at that time in seconds since 1970, and has the one with the
    /// number `top` counted for what is asked most. One function, so that the engine is in it once.
    #[inline(never)]
    fn answer_up_to(&mut self, end: usize, now: u64, top: Option<usize>) {
        let catalog: &Catalog = self.catalog.load();
        let mut unusable = 0;
        while self.next < end {
            let index = self.next;
            self.next += 1;
            let (frame, room) = self.socket.exchange(index);
            let Some(datagram) = Datagram::read(frame) else {
                unusable += 1;
                continue;
            };
            let Some(fallback) = self.fallbacks.of(datagram.server) else {
                unusable += 1;
                continue;
            };
            let start = datagram.headers();
            let Some(reply) = room.get_mut(start..start + REPLY_SPACE) else { continue };
            let origin = proxies::of_datagram(catalog.proxies(), datagram.client, datagram.payload);
            let Ok((client, query)) = origin else {
                ServerCounters::add(&self.context.counters.udp_unproxied, 1);
                proxies::tell(&self.context, Transport::Udp, datagram.client.ip());
                continue;
            };
            let request = Request { query, client: client.ip(), transport: Transport::Udp, now };
            let outcome = (self.answer)(catalog, &mut self.state, &request, reply);
            let server = fallback.address;
            self.recorder.log(catalog, &request, outcome, reply, || Ends { client, server });
            if top == Some(index) {
                self.tops.take(catalog, &request, reply);
            }
            let (len, wait) = match outcome {
                Outcome::Respond(len) => (len, None),
                Outcome::RespondAfter(len, wait) => (len, Some(wait)),
                Outcome::Drop => continue,
            };
            let len = len.min(reply.len());
            let answer = &reply[..len];
            let waits = wait.is_some_and(|wait| {
                self.delay.push(wait, &fallback.socket, fallback.route(&datagram), answer)
            });
            if waits {
                continue;
            }
            // The kernel may cut an answer into fragments; here, nobody does.
            if start - ETHERNET + len > self.mtu {
                if fallback.send(&datagram, answer).is_err() {
                    ServerCounters::add(&self.context.counters.udp_unsent, 1);
                }
                continue;
            }
            if let Some(len) = datagram.write_answer_headers(room, len) {
                self.socket.send(len);
            }
        }
        ServerCounters::add(&self.context.counters.udp_unusable, unusable);
    }
}
