//! Queries taken from a network device past the kernel's stack (AF_XDP): experimental, and off by default.
//!
//! ```text
//! device -> program -> a queue's worker -> engine::answer -> device
//!              \-> the kernel's stack, for all that is no query for us -> the sockets
//! ```
//!
//! The program (`program`) sends queries for the addresses that are listened on to one worker for each queue
//! (`worker`), which reads and writes whole frames (`frame`) in memory that it shares with the kernel (`sys`).
//! The ordinary sockets stay open: what is late or long is sent by them (`fallback`), and they have all queries before the
//! workers start, after they stop, and where the mode cannot be had.
//!
//! All that takes privileges is done by [`XdpDevice::open`]. The program and the sockets end with the process, however
//! it ends.

mod error;
mod fallback;
pub mod frame;
#[cfg(test)]
#[path = "../../../fuzz/targets/frame.rs"]
mod model;
mod program;
mod sys;
mod worker;

pub use error::XdpError;
pub use fallback::Fallbacks;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::sys::socket::SockaddrStorage;
use rustix::io::Errno;
use rustix::net::netdevice::index_to_name_inlined;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::delay::DelayQueue;
use super::{AnswerFn, Context};
use crate::stats::{Recorders, Sampler};
use crate::status::{DeviceMode, DeviceStatus, QueueStatus};
use error::Step;
use program::{MAX_ENDPOINTS, Rules};
use sys::{Device, Link, Program, SocketWatch, XdpSocket};
use worker::{Counts, Worker};

/// How long another process may take to let a queue go that it has just left.
const BUSY_FOR: Duration = Duration::from_secs(2);

/// Why the sockets have the queries of a device that was taken away, though another one may have its name.
const GONE: &str = "the device that they were taken from is gone; restart the server once there is one of this name";

/// A device whose queries can be taken: nothing is yet.
pub struct XdpDevice {
    name: String,
    device: Device,
    program: Attached,
    sockets: Vec<XdpSocket>,
}

/// A program that a device runs, until this is dropped.
struct Attached {
    program: Program,
    _link: Link,
}

impl XdpDevice {
    /// Makes a device of this name ready to take the queries for these addresses. Takes CAP_NET_RAW, CAP_NET_ADMIN and
    /// CAP_BPF.
    ///
    /// # Errors
    ///
    /// When the system refuses something, or none of the addresses can be reached by the device.
    pub fn open(name: &str, listen: &[SocketAddr]) -> Result<Self, XdpError> {
        let fail = |step| move |cause| XdpError::new(step, cause);
        let device = Device::find(name).map_err(fail(Step::Find))?;
        let rules = rules(name, device.hardware, listen).map_err(fail(Step::Addresses))?;
        let program = Program::new(device.queues, |maps| program::program(&rules, maps))
            .map_err(fail(Step::Load))?;
        let link = retry(|| program.attach(device.index)).map_err(fail(Step::Attach))?;
        let mut sockets = Vec::new();
        for queue in 0..device.queues {
            let socket = XdpSocket::new().map_err(fail(Step::Socket))?;
            retry(|| socket.bind(device.index, queue)).map_err(fail(Step::Bind))?;
            program.add(queue, &socket).map_err(fail(Step::Bind))?;
            sockets.push(socket);
        }
        Ok(Self {
            name: name.to_owned(),
            device,
            program: Attached { program, _link: link },
            sockets,
        })
    }

    /// The queues that queries are taken from: one worker for each.
    pub fn queues(&self) -> usize {
        self.sockets.len()
    }

    /// Whether the driver needs no copies.
    pub fn is_zero_copy(&self) -> bool {
        self.sockets.iter().all(XdpSocket::is_zero_copy)
    }
}

impl std::fmt::Debug for XdpDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("XdpDevice").field("device", &self.device).finish_non_exhaustive()
    }
}

/// The workers of one device. Dropping it stops them.
pub struct XdpServer {
    name: String,
    index: u32,
    mode: DeviceMode,
    attached: Attached,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
    /// What each lets others see: its own counts, and those of its socket.
    watched: Vec<(Arc<Counts>, SocketWatch)>,
}

impl XdpServer {
    /// Starts a worker for each queue.
    ///
    /// # Errors
    ///
    /// When the system has no thread left.
    pub fn start(
        device: XdpDevice,
        fallbacks: &Arc<Fallbacks>,
        context: &Context,
        delay: &DelayQueue,
        recorders: &mut Recorders<'_>,
        answer: impl AnswerFn,
    ) -> io::Result<Self> {
        let mode = if device.is_zero_copy() { DeviceMode::ZeroCopy } else { DeviceMode::Copy };
        let XdpDevice { name, device, program, sockets } = device;
        let mut server = Self {
            name,
            index: device.index,
            mode,
            attached: program,
            stop: Arc::default(),
            workers: Vec::new(),
            watched: Vec::new(),
        };
        for (number, socket) in sockets.into_iter().enumerate() {
            let recorder = recorders.take();
            let counts = Arc::new(Counts::default());
            server.watched.push((Arc::clone(&counts), socket.watch()));
            let worker = Worker {
                socket,
                mtu: device.mtu,
                fallbacks: Arc::clone(fallbacks),
                stop: Arc::clone(&server.stop),
                catalog: context.catalog.cache(),
                delay: delay.sender(),
                context: context.clone(),
                answer: answer.clone(),
                state: recorder.state(),
                tops: recorder.top_sampler(),
                recorder,
                sampler: Sampler::default(),
                received: 0,
                next: 0,
                counts,
            };
            let thread = thread::Builder::new()
                .name(format!("xdp-{number}"))
                .spawn(move || worker.run_to_the_end())?;
            server.workers.push(thread);
        }
        server.attached.program.switch(true);
        Ok(server)
    }

    /// How often each worker has looked for queries: at least once a second, unless it hangs.
    pub fn rounds(&self) -> impl Iterator<Item = u64> {
        self.watched.iter().map(|(counts, _)| counts.rounds.load(Ordering::Relaxed))
    }

    /// What has come by each queue; or that the device is gone, and the program with it.
    pub fn status(&self) -> DeviceStatus {
        if is_gone(self.index) {
            return unavailable(&self.name, GONE);
        }
        let of_queue = |(queue, (counts, socket)): (usize, &(Arc<Counts>, SocketWatch))| {
            let answers = counts.answers.load(Ordering::Relaxed);
            let passed = self.attached.program.passed(queue);
            QueueStatus { queue: queue as u32, answers, passed, lost: socket.lost() }
        };
        DeviceStatus {
            device: self.name.clone(),
            mode: self.mode,
            reason: None,
            queues: queues(&self.name),
            workers: self.watched.iter().enumerate().map(of_queue).collect(),
        }
    }

    /// Stops the workers, after they have answered what had arrived. New queries go to the sockets.
    pub fn stop(self) {}
}

impl Drop for XdpServer {
    fn drop(&mut self) {
        self.attached.program.switch(false);
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.workers.drain(..) {
            // Panics were caught and logged in the thread.
            let _ = thread.join();
        }
    }
}

/// The status of a device whose queries the sockets have, and why that is so.
pub fn unavailable(name: &str, reason: &str) -> DeviceStatus {
    DeviceStatus {
        device: name.to_owned(),
        mode: DeviceMode::Sockets,
        reason: Some(reason.to_owned()),
        queues: queues(name),
        workers: Vec::new(),
    }
}

/// Whether there is no device of this number any more: each has one of its own. Not if nobody can be asked.
fn is_gone(index: u32) -> bool {
    let (family, kind) = (AddressFamily::INET, SocketType::DGRAM);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None);
    socket.is_ok_and(|socket| index_to_name_inlined(socket, index).err() == Some(Errno::NODEV))
}

/// The queues that a device has now: none if it is no such device.
fn queues(name: &str) -> u32 {
    Device::find(name).map_or(0, |device| device.queues)
}

/// Tries again for a while what fails because a process that has ended has not let go yet.
fn retry<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(error)
                if error.kind() == io::ErrorKind::ResourceBusy && start.elapsed() < BUSY_FOR =>
            {
                thread::sleep(Duration::from_millis(20));
            }
            done => return done,
        }
    }
}

/// What the program of a device is for: the addresses listened on that queries can come to by it.
fn rules(name: &str, hardware: [u8; 6], listen: &[SocketAddr]) -> io::Result<Rules> {
    let (mut of_device, mut local, mut own) = (Vec::new(), Vec::new(), Vec::new());
    for InterfaceAddress { interface_name, address, netmask, broadcast, .. } in getifaddrs()? {
        let is_device = interface_name == name;
        let [address, netmask, broadcast] =
            [address, netmask, broadcast].map(|it| it.as_ref().and_then(ip));
        if is_device {
            of_device.extend(address);
            own.extend(broadcast);
            own.extend(address.zip(netmask).and_then(|(address, mask)| last_of(address, mask)));
        } else if interface_name == "lo" {
            local.extend(address);
        }
    }
    own.extend(&of_device);
    let mut endpoints = Vec::new();
    for &endpoint in listen {
        let (ip, port) = (endpoint.ip(), endpoint.port());
        match ip.is_unspecified() {
            // Addresses of services often stand at the loopback interface.
            true => endpoints.extend(
                of_device
                    .iter()
                    .chain(&local)
                    .filter(|address| address.is_ipv4() == ip.is_ipv4())
                    .map(|&address| SocketAddr::from((address, port))),
            ),
            false => endpoints.push(SocketAddr::from((ip, port))),
        }
    }
    endpoints.retain(|endpoint| can_be_reached(endpoint.ip()));
    endpoints.sort_unstable();
    endpoints.dedup();
    own.extend(endpoints.iter().map(SocketAddr::ip));
    own.sort_unstable();
    own.dedup();
    match endpoints.len() {
        0 => Err(io::Error::other(format!(
            "server.listen has no address that can be reached by {name}"
        ))),
        len if len > MAX_ENDPOINTS => Err(io::Error::other(format!(
            "{len} addresses are listened on, and there may be {MAX_ENDPOINTS}"
        ))),
        _ => Ok(Rules { hardware, endpoints, own }),
    }
}

/// The last address of the network of an IPv4 address, unless it has two addresses at the most: for the kernel, it is a
/// broadcast address, though the device may have been given none.
fn last_of(address: IpAddr, mask: IpAddr) -> Option<IpAddr> {
    let (IpAddr::V4(address), IpAddr::V4(mask)) = (address, mask) else { return None };
    (mask.to_bits().leading_ones() < 31).then(|| (address | !mask).into())
}

/// Whether queries for an address come from other machines, and mean the same by each device.
fn can_be_reached(address: IpAddr) -> bool {
    let is_link_local = match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !(address.is_loopback() || address.is_multicast() || is_link_local)
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let ipv4 = address.as_sockaddr_in().map(|address| address.ip().into());
    ipv4.or_else(|| address.as_sockaddr_in6().map(|address| address.ip().into()))
}

#[cfg(test)]
mod tests {
    use super::last_of;
    use std::net::IpAddr;

    #[test]
    fn the_last_address_of_a_network_is_one_for_all() {
        for (address, mask, last) in [
            ("10.9.0.1", "255.255.255.0", Some("10.9.0.255")),
            ("10.9.0.1", "255.255.240.0", Some("10.9.15.255")),
            ("10.9.0.1", "255.255.255.252", Some("10.9.0.3")),
            ("10.9.0.1", "255.255.255.254", None),
            ("10.9.0.1", "255.255.255.255", None),
            ("fd09::1", "ffff::", None),
        ] {
            let [address, mask]: [IpAddr; 2] = [address, mask].map(|it| it.parse().unwrap());
            assert_eq!(
                last_of(address, mask),
                last.map(|it| it.parse().unwrap()),
                "{address} {mask}"
            );
        }
    }
}
