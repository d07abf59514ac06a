//! Queries in a closed loop: as fast as they are answered, each answer checked.

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg, sendmmsg};
use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// Queries and answers per system call.
pub(crate) const BATCH: usize = 64;
/// The size of the buffers for answers, in bytes.
pub(crate) const ANSWER: usize = 2048;
/// A query without an answer for this long is lost.
pub(crate) const PATIENCE: Duration = Duration::from_millis(1000);

/// A query and what the answer to it must be.
pub(crate) struct Query {
    /// The message; its id is replaced.
    pub(crate) packet: Vec<u8>,
    pub(crate) expect: Expect,
}

/// What an answer must be: with the id and the question of the query in any case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// NOERROR with a record in the answer section.
    Listed,
    /// NXDOMAIN.
    NxDomain,
    /// Anything.
    Any,
}

/// What to ask, and how.
pub(crate) struct Load<'a> {
    pub(crate) server: SocketAddr,
    pub(crate) queries: &'a [Query],
    /// How many queries to send, over and over from the first.
    pub(crate) count: usize,
    pub(crate) sockets: usize,
    /// How many queries of one socket may be under way.
    pub(crate) window: usize,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) answered: usize,
    pub(crate) lost: usize,
    pub(crate) elapsed: Duration,
    /// The size of all answers, in bytes.
    pub(crate) bytes: usize,
}

impl Load<'_> {
    /// Asks until all is answered or lost.
    ///
    /// # Errors
    ///
    /// The first answer that is not right, or what the system says.
    pub(crate) fn run(&self) -> Result<Outcome> {
        let lanes: Result<Vec<_>> = (0..self.sockets).map(|_| Lane::open(self)).collect();
        let mut lanes = lanes?;
        let mut outcome = Outcome::default();
        let start = Instant::now();
        let (mut sent, mut last_news) = (0, start);
        while outcome.answered + outcome.lost < self.count {
            for lane in &mut lanes {
                sent += lane.send(self.queries, sent, self.count - sent)?;
                let answered = lane.receive(self.queries, &mut outcome)?;
                if answered > 0 {
                    last_news = Instant::now();
                }
            }
            if last_news.elapsed() > PATIENCE {
                ensure!(outcome.answered > 0, "{} does not answer", self.server);
                // New sockets, so that late answers are not taken for others.
                for lane in &mut lanes {
                    outcome.lost += lane.pending();
                    *lane = Lane::open(self)?;
                }
                last_news = Instant::now();
            }
        }
        outcome.elapsed = start.elapsed();
        Ok(outcome)
    }
}

/// One socket and what is under way on it: the id of a query is its place in `asked`.
struct Lane {
    socket: UdpSocket,
    asked: Vec<usize>,
    free: Vec<u16>,
    headers: MultiHeaders<()>,
    answers: Vec<[u8; ANSWER]>,
}

impl Lane {
    fn open(load: &Load<'_>) -> Result<Self> {
        let any = if load.server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any)?;
        socket.connect(load.server)?;
        let window = u16::try_from(load.window).context("a window of that size")?;
        Ok(Self {
            socket,
            asked: vec![0; load.window],
            free: (0..window).collect(),
            headers: MultiHeaders::preallocate(BATCH, None),
            answers: vec![[0; ANSWER]; BATCH],
        })
    }

    fn pending(&self) -> usize {
        self.asked.len() - self.free.len()
    }

    /// Sends up to `due` queries, from this one on; their number.
    fn send(&mut self, queries: &[Query], first: usize, due: usize) -> Result<usize> {
        let count = due.min(self.free.len()).min(BATCH);
        if count == 0 {
            return Ok(0);
        }
        let ids = self.free.split_off(self.free.len() - count);
        for (id, number) in ids.iter().zip(first..) {
            self.asked[usize::from(*id)] = number % queries.len();
        }
        let bytes: Vec<_> = ids.iter().map(|id| id.to_be_bytes()).collect();
        let packet = |at: usize| &queries[(first + at) % queries.len()].packet[2..];
        let slices: Vec<_> =
            (0..count).map(|at| [IoSlice::new(&bytes[at]), IoSlice::new(packet(at))]).collect();
        let (socket, none) = (self.socket.as_raw_fd(), [None; BATCH]);
        let sent = sendmmsg(socket, &mut self.headers, &slices, none, [], MsgFlags::empty());
        let sent = match sent {
            Ok(results) => results.count(),
            Err(Errno::EAGAIN | Errno::ENOBUFS) => 0,
            Err(error) => return Err(error.into()),
        };
        self.free.extend(&ids[sent..]);
        Ok(sent)
    }

    /// Takes the answers that are there; their number.
    fn receive(&mut self, queries: &[Query], outcome: &mut Outcome) -> Result<usize> {
        let mut slices: Vec<_> =
            self.answers.iter_mut().map(|answer| [IoSliceMut::new(answer)]).collect();
        let (socket, now) = (self.socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        let received = recvmmsg(socket, &mut self.headers, &mut slices, now, None);
        let lengths: Vec<_> = match received {
            Ok(results) => results.map(|result| result.bytes).collect(),
            // Refused: what is sent to a server that is not there yet comes back.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        for (&len, answer) in lengths.iter().zip(&self.answers) {
            let answer = &answer[..len];
            let id = id(answer)?;
            let number = *self.asked.get(usize::from(id)).context("an answer to nothing")?;
            queries[number].check(answer).with_context(|| format!("query {number}"))?;
            ensure!(!self.free.contains(&id), "a second answer to one query");
            outcome.bytes += len;
            self.free.push(id);
        }
        outcome.answered += lengths.len();
        Ok(lengths.len())
    }
}

/// The id of an answer.
///
/// # Errors
///
/// When it has no header.
pub(crate) fn id(answer: &[u8]) -> Result<u16> {
    ensure!(answer.len() >= 12, "an answer of {} bytes", answer.len());
    Ok(u16::from_be_bytes([answer[0], answer[1]]))
}

impl Query {
    /// Compares an answer, which has a header, to what was asked.
    ///
    /// # Errors
    ///
    /// When it is not right.
    pub(crate) fn check(&self, answer: &[u8]) -> Result<()> {
        let question = 12..self.packet.len();
        let is_own = answer.get(question.clone()) == self.packet.get(question);
        ensure!(is_own, "an answer to something else");
        ensure!(self.expect.is_met_by(answer), "not the answer expected: {answer:02x?}");
        Ok(())
    }
}
