//! AF_XDP sockets with their frames and rings, and bpf(2): what no safe crate offers. All `unsafe` of this room is
//! here.
//!
//! A frame is in one place at a time. The first half of the memory is for frames that come in: each is in the fill
//! ring, in the receive ring, or in the batch that is being answered. The other half is for answers: each is free, in
//! the transmit ring, or in the completion ring. Both sides of a ring count up; what lies between the counters
//! belongs to the one who takes. Every ring has a slot for each frame that can be in it, so that none is ever full.
//! See Documentation/networking/af_xdp.rst of the kernel.
#![allow(unsafe_code)]

mod bpf;
mod device;
mod ring;

pub(super) use bpf::{Link, Program};
pub(super) use device::Device;

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use memmap2::MmapMut;

use crate::status::LostFrames;
use ring::Ring;

/// The bytes of a frame.
pub(super) const FRAME_SPACE: usize = 2048;

/// The frames of a socket for each direction: as many as there are slots in a ring, a power of two.
const FRAMES: usize = 1024;

/// Frames that are looked at together.
pub(super) const BATCH: usize = 64;

/// How often in a row the kernel is told that there is something to send. It sends 32 frames each time, or more
/// where it can be told so.
const KICKS: usize = 8;

/// A socket of one queue of a device, with its frames.
pub(super) struct XdpSocket {
    fd: Arc<OwnedFd>,
    /// The start of the frames, which the kernel reads and writes while it has them. No reference to the whole is
    /// made.
    frames: NonNull<u8>,
    _memory: MmapMut,
    fill: Ring<u64>,
    received: Ring<libc::xdp_desc>,
    transmit: Ring<libc::xdp_desc>,
    completed: Ring<u64>,
    /// What is being answered.
    batch: Vec<libc::xdp_desc>,
    /// The frames for answers that are here.
    free: Vec<u64>,
}

// SAFETY: it alone has the memory that its pointers lead to; the kernel keeps to the rings.
unsafe impl Send for XdpSocket {}

impl XdpSocket {
    /// Makes a socket and its frames, bound to nothing yet.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without CAP_NET_RAW, `ENOBUFS` beyond the limit of locked memory, `EAFNOSUPPORT` if the
    /// kernel has no such sockets.
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: it takes no pointers.
        let fd = descriptor(unsafe {
            libc::socket(libc::AF_XDP, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0)
        })?;
        let mut memory = MmapMut::map_anon(2 * FRAMES * FRAME_SPACE)?;
        let frames = NonNull::from(&mut *memory).cast::<u8>();
        let registration = libc::xdp_umem_reg {
            addr: frames.as_ptr() as u64,
            len: memory.len() as u64,
            chunk_size: FRAME_SPACE as u32,
            headroom: 0,
            flags: 0,
            tx_metadata_len: 0,
        };
        // SAFETY: it is what the option takes; the memory is the socket's own, and lives as long as it.
        unsafe { set(&fd, libc::XDP_UMEM_REG, &registration) }?;
        let slots = FRAMES as libc::c_int;
        for ring in [
            libc::XDP_UMEM_FILL_RING,
            libc::XDP_UMEM_COMPLETION_RING,
            libc::XDP_RX_RING,
            libc::XDP_TX_RING,
        ] {
            // SAFETY: the options take a number.
            unsafe { set(&fd, ring, &slots) }?;
        }
        // Since Linux 6.17; a kernel that does not know it sends 32 frames at a time.
        const XDP_MAX_TX_SKB_BUDGET: libc::c_int = 9;
        // SAFETY: the option takes a number.
        let _ = unsafe { set(&fd, XDP_MAX_TX_SKB_BUDGET, &(BATCH as libc::c_int)) };
        // SAFETY: integers only, for which zero is valid.
        let mut offsets: libc::xdp_mmap_offsets = unsafe { zeroed() };
        // SAFETY: it is what the option gives, plain integers.
        unsafe { get(&fd, libc::XDP_MMAP_OFFSETS, &mut offsets) }?;
        let mut socket = Self {
            fill: Ring::map(&fd, libc::XDP_UMEM_PGOFF_FILL_RING, &offsets.fr)?,
            completed: Ring::map(&fd, libc::XDP_UMEM_PGOFF_COMPLETION_RING, &offsets.cr)?,
            received: Ring::map(&fd, libc::XDP_PGOFF_RX_RING as u64, &offsets.rx)?,
            transmit: Ring::map(&fd, libc::XDP_PGOFF_TX_RING as u64, &offsets.tx)?,
            fd: Arc::new(fd),
            frames,
            _memory: memory,
            batch: Vec::with_capacity(BATCH),
            free: (FRAMES..2 * FRAMES).map(|frame| (frame * FRAME_SPACE) as u64).collect(),
        };
        (0..FRAMES).for_each(|frame| socket.fill.push((frame * FRAME_SPACE) as u64));
        socket.fill.publish();
        Ok(socket)
    }

    /// Binds it to a queue of a device. Frames come in once the program sends them.
    ///
    /// # Errors
    ///
    /// `EBUSY` if the queue has a socket, which may have been closed a moment ago.
    pub(super) fn bind(&self, device: u32, queue: u32) -> io::Result<()> {
        let address = libc::sockaddr_xdp {
            sxdp_family: libc::AF_XDP as u16,
            // No flag: without copies if the driver can do that.
            sxdp_flags: 0,
            sxdp_ifindex: device,
            sxdp_queue_id: queue,
            sxdp_shared_umem_fd: 0,
        };
        // SAFETY: the address is a live value of the size stated, and bind only reads it.
        check(unsafe {
            libc::bind(
                self.fd.as_raw_fd(),
                (&raw const address).cast(),
                size_of::<libc::sockaddr_xdp>() as libc::socklen_t,
            )
        })
        .map(drop)
    }

    /// Whether the driver works on the frames themselves, without copies. It is bound.
    pub(super) fn is_zero_copy(&self) -> bool {
        let mut options = libc::xdp_options { flags: 0 };
        // SAFETY: it is what the option gives, plain integers.
        let told = unsafe { get(&self.fd, libc::XDP_OPTIONS, &mut options) };
        told.is_ok() && options.flags & libc::XDP_OPTIONS_ZEROCOPY != 0
    }

    /// What tells of it while a worker has it.
    pub(super) fn watch(&self) -> SocketWatch {
        SocketWatch(Arc::clone(&self.fd))
    }

    /// Waits until there are frames, for that long at most. Not for so long if answers are still to be sent.
    ///
    /// # Errors
    ///
    /// What `poll` says.
    pub(super) fn wait(&mut self, time: Duration) -> io::Result<()> {
        let has_room = !self.free.is_empty();
        let is_sent = self.transmit.is_taken() && has_room;
        let time = if is_sent { time } else { time.min(Duration::from_millis(1)) };
        // Without room for an answer, no frame is taken, however many there are.
        let events = if has_room { libc::POLLIN } else { 0 };
        let mut poll = libc::pollfd { fd: self.fd.as_raw_fd(), events, revents: 0 };
        // SAFETY: one live value, as stated.
        let found = check(unsafe { libc::poll(&raw mut poll, 1, time.as_millis() as libc::c_int) });
        match found {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            found => found.map(drop),
        }
    }

    /// Takes what has come in, as far as there are frames for answers; returns the number. The batch before must be
    /// [finished](Self::finish).
    pub(super) fn receive(&mut self) -> usize {
        self.take_sent();
        let most = BATCH.min(self.free.len());
        while self.batch.len() < most {
            let Some(frame) = self.received.pop() else { break };
            self.batch.push(frame);
        }
        self.received.release();
        self.batch.len()
    }

    /// A frame of the batch and the room for the frame of its answer, which [`send`](Self::send) sends.
    #[inline]
    pub(super) fn exchange(&mut self, index: usize) -> (&[u8], &mut [u8; FRAME_SPACE]) {
        let &libc::xdp_desc { addr, len, .. } = &self.batch[index];
        let (addr, len) = (addr as usize, len as usize);
        let free = *self.free.last().expect("there is one for each frame of the batch") as usize;
        assert!(addr + len <= FRAMES * FRAME_SPACE, "a frame that was never received into");
        assert!((FRAMES..2 * FRAMES).contains(&(free / FRAME_SPACE)), "a frame that is none");
        // SAFETY: both lie in the memory, as was just checked, in different halves of it. The first was taken from the
        // receive ring and was not put back, the second is in no ring: the kernel touches neither meanwhile, and there
        // is no other reference to them, as `self` is borrowed for as long as these two are.
        unsafe {
            let query = self.frames.as_ptr().add(addr);
            let answer = self.frames.as_ptr().add(free / FRAME_SPACE * FRAME_SPACE);
            (std::slice::from_raw_parts(query, len), &mut *answer.cast())
        }
    }

    /// Queues the frame of an answer, of `len` bytes, that was written to the room of the last exchange.
    #[inline]
    pub(super) fn send(&mut self, len: usize) {
        let Some(addr) = self.free.pop() else { return };
        let len = len.min(FRAME_SPACE) as u32;
        self.transmit.push(libc::xdp_desc { addr, len, options: 0 });
    }

    /// Ends a batch: its frames can be received into again, and its answers are sent. Returns the number of answers.
    pub(super) fn finish(&mut self) -> u32 {
        for frame in self.batch.drain(..) {
            let start = frame.addr as usize / FRAME_SPACE * FRAME_SPACE;
            self.fill.push(start as u64);
        }
        self.fill.publish();
        let answers = self.transmit.publish();
        self.kick();
        answers
    }

    /// Has the kernel send what is queued. What it cannot send now is sent with the next batch, or after the next
    /// wait.
    pub(super) fn kick(&mut self) {
        for _ in 0..KICKS {
            if self.transmit.is_taken() {
                return;
            }
            // SAFETY: no pointers but null ones of length 0.
            let sent = check(unsafe {
                let fd = self.fd.as_raw_fd();
                libc::sendto(fd, ptr::null(), 0, libc::MSG_DONTWAIT, ptr::null(), 0) as libc::c_int
            });
            let goes_on = |error: io::Error| {
                matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
            };
            if sent.is_err_and(|error| !goes_on(error)) {
                return;
            }
        }
    }

    /// Whether the kernel has sent all answers.
    pub(super) fn has_sent_all(&mut self) -> bool {
        self.take_sent();
        self.free.len() == FRAMES
    }

    /// Takes back the frames of answers that were sent.
    fn take_sent(&mut self) {
        while let Some(frame) = self.completed.pop() {
            self.free.push(frame);
        }
        self.completed.release();
    }
}

/// Tells of a socket that a worker has.
pub(super) struct SocketWatch(Arc<OwnedFd>);

impl SocketWatch {
    /// What the kernel has counted: nothing that it could refuse.
    pub(super) fn lost(&self) -> LostFrames {
        // SAFETY: integers only, for which zero is valid.
        let mut counts: libc::xdp_statistics = unsafe { zeroed() };
        // SAFETY: it is what the option gives, plain integers.
        let _ = unsafe { get(&self.0, libc::XDP_STATISTICS, &mut counts) };
        LostFrames {
            dropped: counts.rx_dropped,
            ring_full: counts.rx_ring_full,
            no_frame: counts.rx_fill_ring_empty_descs,
            invalid: counts.rx_invalid_descs + counts.tx_invalid_descs,
        }
    }
}

/// Sets an option of an AF_XDP socket.
///
/// # Safety
///
/// The value is what the option takes, and an address in it leads to memory that the kernel may have.
unsafe fn set<T>(fd: &OwnedFd, name: libc::c_int, value: &T) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the value is live and of the length stated, and setsockopt only reads it.
    check(unsafe {
        libc::setsockopt(fd.as_raw_fd(), libc::SOL_XDP, name, (&raw const *value).cast(), len)
    })
    .map(drop)
}

/// Gives an option of an AF_XDP socket.
///
/// # Safety
///
/// The value is what the option gives, and any bytes are one.
unsafe fn get<T>(fd: &OwnedFd, name: libc::c_int, value: &mut T) -> io::Result<()> {
    let mut len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the value is live and of the length stated, beyond which getsockopt does not write.
    check(unsafe {
        let value = (&raw mut *value).cast();
        libc::getsockopt(fd.as_raw_fd(), libc::SOL_XDP, name, value, &raw mut len)
    })?;
    match len as usize == size_of::<T>() {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel is too old")),
    }
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A descriptor that a call has just given.
fn descriptor(fd: libc::c_int) -> io::Result<OwnedFd> {
    let fd = check(fd)?;
    // SAFETY: it is open, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
