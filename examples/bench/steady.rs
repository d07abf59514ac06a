//! Queries at a steady rate, whatever becomes of them: how long the answers take, and which never
//! come.
//!
//! The time of an answer is the kernel's, of its arrival at our socket: what holds this program up
//! does not count as the server's.

use super::load::{ANSWER, BATCH, PATIENCE, Query, id};
use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::sys::prctl::set_timerslack;
use nix::sys::socket::sockopt::{RcvBuf, ReceiveTimestampns};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, recvmmsg, setsockopt};
use std::io::IoSliceMut;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Between two looks at what is to be sent and what has come.
const PULSE: Duration = Duration::from_micros(100);

/// Whom to ask what, and how.
pub(crate) struct Steady<'a> {
    pub(crate) server: SocketAddr,
    pub(crate) queries: &'a [Query],
    /// Queries per second.
    pub(crate) rate: f64,
    pub(crate) sockets: usize,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Times {
    pub(crate) lost: usize,
    /// How long each answer took, in nanoseconds.
    latencies: Vec<u64>,
    /// When each answer arrived, in nanoseconds since 1970.
    arrivals: Vec<u64>,
}

impl Steady<'_> {
    /// Asks for so long, but not beyond what `stop` says.
    ///
    /// # Errors
    ///
    /// The first answer that is not right, or what the system says.
    pub(crate) fn run(&self, time: Duration, stop: &AtomicBool) -> Result<Times> {
        // Otherwise each sleep is 50 microseconds longer.
        set_timerslack(1)?;
        let lanes: Result<Vec<_>> = (0..self.sockets).map(|_| Lane::open(self.server)).collect();
        let mut lanes = lanes?;
        let mut times = Times::default();
        let (start, mut sent) = (Instant::now(), 0);
        while start.elapsed() < time && !stop.load(Ordering::Relaxed) {
            let due = (start.elapsed().as_secs_f64() * self.rate) as usize;
            while sent < due {
                let lane = sent % lanes.len();
                times.lost += lanes[lane].send(self.queries, sent)?;
                sent += 1;
            }
            for lane in &mut lanes {
                lane.receive(self.queries, &mut times)?;
            }
            thread::sleep(PULSE);
        }
        let end = Instant::now();
        while end.elapsed() < PATIENCE && times.latencies.len() + times.lost < sent {
            for lane in &mut lanes {
                lane.receive(self.queries, &mut times)?;
            }
            thread::sleep(PULSE);
        }
        times.lost = sent - times.latencies.len();
        times.latencies.sort_unstable();
        times.arrivals.sort_unstable();
        Ok(times)
    }
}

impl Times {
    /// The latency that this share of the answers does not exceed.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        let place = (self.latencies.len() as f64 * share) as usize;
        let place = place.min(self.latencies.len().saturating_sub(1));
        Duration::from_nanos(self.latencies.get(place).copied().unwrap_or(0))
    }

    /// The longest time between two answers.
    pub(crate) fn silence(&self) -> Duration {
        let gaps = self.arrivals.windows(2).map(|pair| pair[1] - pair[0]);
        Duration::from_nanos(gaps.max().unwrap_or(0))
    }
}

/// One socket. The ids of its queries go round, and each has a place for what it was used for last.
struct Lane {
    socket: UdpSocket,
    /// The number of the query that is under way with an id, and when it was sent.
    asked: Vec<Option<(usize, u64)>>,
    next: u16,
    headers: MultiHeaders<()>,
    answers: Vec<[u8; ANSWER]>,
}

impl Lane {
    fn open(server: SocketAddr) -> Result<Self> {
        let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any)?;
        socket.connect(server)?;
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        // What arrives while this thread is held up must not get lost here.
        setsockopt(&socket, RcvBuf, &(8 << 20))?;
        Ok(Self {
            socket,
            asked: vec![None; 1 << 16],
            next: 0,
            headers: MultiHeaders::preallocate(BATCH, Some(nix::cmsg_space!(nix::libc::timespec))),
            answers: vec![[0; ANSWER]; BATCH],
        })
    }

    /// Sends the query of this number; how many were lost by that: the one that had the id before,
    /// if it was never answered.
    fn send(&mut self, queries: &[Query], number: usize) -> Result<usize> {
        let number = number % queries.len();
        let mut packet = queries[number].packet.clone();
        packet[..2].copy_from_slice(&self.next.to_be_bytes());
        let place = &mut self.asked[usize::from(self.next)];
        self.next = self.next.wrapping_add(1);
        let lost = place.replace((number, now())).is_some();
        match self.socket.send(&packet) {
            Ok(_) => Ok(usize::from(lost)),
            // Refused: what was sent before there was a server comes back.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the answers that are there.
    fn receive(&mut self, queries: &[Query], times: &mut Times) -> Result<()> {
        loop {
            let mut slices: Vec<_> =
                self.answers.iter_mut().map(|answer| [IoSliceMut::new(answer)]).collect();
            let (socket, flags) = (self.socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
            let received = recvmmsg(socket, &mut self.headers, &mut slices, flags, None);
            let received: Result<Vec<_>> = match received {
                Ok(results) => results.map(|one| Ok((one.bytes, arrival(&one)?))).collect(),
                Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let received = received?;
            for (&(len, arrival), answer) in received.iter().zip(&self.answers) {
                let answer = &answer[..len];
                let place = &mut self.asked[usize::from(id(answer)?)];
                let (number, sent) = place.take().context("an answer to nothing")?;
                queries[number].check(answer).with_context(|| format!("query {number}"))?;
                times.latencies.push(arrival.saturating_sub(sent));
                times.arrivals.push(arrival);
            }
            if received.len() < BATCH {
                return Ok(());
            }
        }
    }
}

/// When the kernel got a datagram, in nanoseconds since 1970.
fn arrival(message: &nix::sys::socket::RecvMsg<'_, '_, ()>) -> Result<u64> {
    let stamp = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::ScmTimestampns(time) => Some(time),
        _ => None,
    });
    let stamp = stamp.context("the kernel gives no time")?;
    ensure!(stamp.tv_sec() >= 0, "the clock is set before 1970");
    Ok(stamp.tv_sec() as u64 * 1_000_000_000 + stamp.tv_nsec() as u64)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64)
}
