//! AF_XDP sockets with their frames and rings, and bpf(2): what no safe crate offers. All `unsafe` of this room is in
//! this file.
//!
//! A frame is in one place at a time. The first half of the memory is for frames that come in: each is in the fill
//! ring, in the receive ring, or in the batch that is being answered. The other half is for answers: each is free, in
//! the transmit ring, or in the completion ring. Both sides of a ring count up; what lies between the counters
//! belongs to the one who takes. Every ring has a slot for each frame that can be in it, so that none is ever full.
//! See Documentation/networking/af_xdp.rst of the kernel.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use memmap2::{MmapMut, MmapOptions, MmapRaw};

use super::program::{Instruction, Maps};

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
    fd: OwnedFd,
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
            fd,
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

    /// Ends a batch: its frames can be received into again, and its answers are sent.
    pub(super) fn finish(&mut self) {
        for frame in self.batch.drain(..) {
            let start = frame.addr as usize / FRAME_SPACE * FRAME_SPACE;
            self.fill.push(start as u64);
        }
        self.fill.publish();
        self.transmit.publish();
        self.kick();
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

/// One ring, mapped from the kernel, of plain integers. This side produces or consumes, the kernel does the other.
struct Ring<T> {
    _memory: MmapRaw,
    producer: NonNull<AtomicU32>,
    consumer: NonNull<AtomicU32>,
    slots: NonNull<T>,
    /// How far this side has come. The kernel knows it once it is published or released.
    own: u32,
    /// How far the kernel had come when it was looked at: for a consumer.
    other: u32,
}

impl<T: Copy> Ring<T> {
    fn map(fd: &OwnedFd, at: u64, offsets: &libc::xdp_ring_offset) -> io::Result<Self> {
        let len = offsets.desc as usize + FRAMES * size_of::<T>();
        let memory = MmapOptions::new().offset(at).len(len).map_raw(fd.as_raw_fd())?;
        let start = NonNull::new(memory.as_mut_ptr()).expect("nothing is mapped at null");
        let place = |offset: u64| {
            let offset = offset as usize;
            assert!(
                offset < len && offset.is_multiple_of(align_of::<T>().max(4)),
                "a ring beyond itself"
            );
            // SAFETY: within the mapping, which is `len` bytes long.
            unsafe { start.add(offset) }
        };
        Ok(Self {
            producer: place(offsets.producer).cast(),
            consumer: place(offsets.consumer).cast(),
            slots: place(offsets.desc).cast(),
            _memory: memory,
            own: 0,
            other: 0,
        })
    }

    fn producer(&self) -> &AtomicU32 {
        // SAFETY: it lies in the mapping, which lives as long as `self`, is aligned, and both sides use it as an
        // atomic alone.
        unsafe { self.producer.as_ref() }
    }

    fn consumer(&self) -> &AtomicU32 {
        // SAFETY: as for the producer.
        unsafe { self.consumer.as_ref() }
    }

    /// The slot of this side.
    fn slot(&self) -> NonNull<T> {
        // SAFETY: the mapping has `FRAMES` slots.
        unsafe { self.slots.add(self.own as usize % FRAMES) }
    }

    /// Puts a value into the next slot. It is free: there are no more frames than slots.
    fn push(&mut self, value: T) {
        // SAFETY: the slot lies in the mapping, is aligned, and is this side's until it is published.
        unsafe { self.slot().write(value) };
        self.own = self.own.wrapping_add(1);
    }

    /// Lets the kernel see what was pushed.
    fn publish(&self) {
        self.producer().store(self.own, Ordering::Release);
    }

    /// Whether the kernel has taken all that was published.
    fn is_taken(&self) -> bool {
        self.consumer().load(Ordering::Acquire) == self.own
    }

    /// Takes the next value, if the kernel has published one.
    fn pop(&mut self) -> Option<T> {
        if self.own == self.other {
            self.other = self.producer().load(Ordering::Acquire);
            if self.own == self.other {
                return None;
            }
        }
        // SAFETY: the slot lies in the mapping, is aligned, and was published by the kernel, which leaves it alone until it is
        // released.
        let value = unsafe { self.slot().read() };
        self.own = self.own.wrapping_add(1);
        Some(value)
    }

    /// Lets the kernel have the slots of what was popped.
    fn release(&self) {
        self.consumer().store(self.own, Ordering::Release);
    }
}

/// A program and its maps, which are in the kernel as long as this is.
pub(super) struct Program {
    fd: OwnedFd,
    sockets: OwnedFd,
    switch: Switch,
}

/// Has a device run a program, until this is dropped or the process ends, however it does.
pub(super) struct Link(#[expect(dead_code, reason = "it is there to be closed")] OwnedFd);

/// The value that has the program send frames to the workers. It can be changed without any privilege.
struct Switch(MmapRaw);

impl Switch {
    fn set(&self, is_on: bool) {
        // SAFETY: a page of shared memory that lives as long as `self`, and both sides use its start as an atomic
        // alone.
        let value = unsafe { &*self.0.as_mut_ptr().cast::<AtomicU32>() };
        value.store(is_on.into(), Ordering::Release);
    }
}

impl Program {
    /// Loads a program, with room for the sockets of that many queues.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without CAP_BPF and CAP_NET_ADMIN; what the kernel's verifier says, should it refuse it.
    pub(super) fn new(
        queues: u32,
        program: impl FnOnce(Maps) -> Vec<Instruction>,
    ) -> io::Result<Self> {
        const ARRAY: u32 = 2;
        const XSK_MAP: u32 = 17;
        const MAPPABLE: u32 = 1 << 10;
        let page = MmapMut::map_anon(1)?.len();
        let switch = map(ARRAY, 1, MAPPABLE)?;
        let sockets = map(XSK_MAP, queues, 0)?;
        let maps = Maps { switch: switch.as_raw_fd(), sockets: sockets.as_raw_fd() };
        let instructions = program(maps);
        let fd = load(&instructions)?;
        let switch = Switch(MmapOptions::new().len(page).map_raw(switch.as_raw_fd())?);
        Ok(Self { fd, sockets, switch })
    }

    /// Has the program send the frames of a queue to this socket, once it is attached and switched on.
    ///
    /// # Errors
    ///
    /// What `bpf` says.
    pub(super) fn add(&self, queue: u32, socket: &XdpSocket) -> io::Result<()> {
        #[repr(C)]
        struct Update {
            map: u32,
            _padding: u32,
            key: u64,
            value: u64,
            flags: u64,
        }
        let value = socket.fd.as_raw_fd();
        let update = Update {
            map: self.sockets.as_raw_fd() as u32,
            _padding: 0,
            key: (&raw const queue) as u64,
            value: (&raw const value) as u64,
            flags: 0,
        };
        // SAFETY: key and value point to live values of the map's sizes, which are read only.
        unsafe { bpf(Bpf::MapUpdate, &update) }.map(drop)
    }

    /// Has a device run the program in its driver.
    ///
    /// # Errors
    ///
    /// `EBUSY` if it runs another one, `EOPNOTSUPP` if the driver cannot, `ERANGE` or `EINVAL` if frames may be
    /// longer than it can.
    pub(super) fn attach(&self, device: u32) -> io::Result<Link> {
        #[repr(C)]
        struct Create {
            program: u32,
            device: u32,
            kind: u32,
            flags: u32,
        }
        const XDP: u32 = 37;
        const IN_DRIVER: u32 = 1 << 2;
        let program = self.fd.as_raw_fd() as u32;
        let create = Create { program, device, kind: XDP, flags: IN_DRIVER };
        // SAFETY: it takes no pointers.
        Ok(Link(descriptor(unsafe { bpf(Bpf::LinkCreate, &create) }?)?))
    }

    /// Has it send frames to the sockets, or leave them all to the kernel.
    pub(super) fn switch(&self, is_on: bool) {
        self.switch.set(is_on);
    }

    /// Runs the program once on a frame: what it returns.
    #[cfg(test)]
    pub(super) fn try_out(&self, frame: &[u8], is_on: bool) -> io::Result<u32> {
        #[repr(C)]
        #[derive(Default)]
        struct TestRun {
            program: u32,
            result: u32,
            data_len: u32,
            out_len: u32,
            data: u64,
            out: u64,
            repeat: u32,
            took: u32,
            _context: [u64; 3],
            _more: [u32; 4],
        }
        self.switch.set(is_on);
        let mut run = TestRun {
            program: self.fd.as_raw_fd() as u32,
            data_len: frame.len() as u32,
            data: frame.as_ptr() as u64,
            repeat: 1,
            ..TestRun::default()
        };
        // SAFETY: the data is live and of the length stated, and is read only; the kernel writes to `run` alone.
        unsafe { bpf_mut(Bpf::TestRun, &mut run) }?;
        Ok(run.result)
    }
}

/// Commands of bpf(2).
#[derive(Clone, Copy)]
enum Bpf {
    MapCreate = 0,
    MapUpdate = 2,
    ProgramLoad = 5,
    #[cfg(test)]
    TestRun = 10,
    LinkCreate = 28,
}

fn map(kind: u32, entries: u32, flags: u32) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Create {
        kind: u32,
        key_size: u32,
        value_size: u32,
        entries: u32,
        flags: u32,
    }
    let create = Create { kind, key_size: 4, value_size: 4, entries, flags };
    // SAFETY: it takes no pointers.
    descriptor(unsafe { bpf(Bpf::MapCreate, &create) }?)
}

fn load(instructions: &[Instruction]) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Load {
        kind: u32,
        count: u32,
        instructions: u64,
        licence: u64,
        log_level: u32,
        log_size: u32,
        log: u64,
        kernel: u32,
        flags: u32,
        name: [u8; 16],
    }
    const XDP: u32 = 6;
    let licence = c"Dual MIT/GPL";
    let mut log = vec![0_u8; 1 << 16];
    let mut load = Load {
        kind: XDP,
        count: instructions.len() as u32,
        instructions: instructions.as_ptr() as u64,
        licence: licence.as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel: 0,
        flags: 0,
        name: *b"dnsbld\0\0\0\0\0\0\0\0\0\0",
    };
    // SAFETY: instructions and licence are live, and are read only.
    let error = match unsafe { bpf(Bpf::ProgramLoad, &load) } {
        Ok(fd) => return descriptor(fd),
        Err(error) => error,
    };
    if error.raw_os_error() == Some(libc::EPERM) {
        return Err(error);
    }
    // Once more, for what the verifier has against it.
    (load.log_level, load.log_size, load.log) = (1, log.len() as u32, log.as_mut_ptr() as u64);
    // SAFETY: as above, and the log is live, of the length stated, and nothing else refers to it.
    match unsafe { bpf(Bpf::ProgramLoad, &load) } {
        Ok(fd) => descriptor(fd),
        Err(_) => {
            let text = String::from_utf8_lossy(log.split(|&byte| byte == 0).next().unwrap_or(&[]));
            let lines: Vec<&str> = text.lines().rev().take(2).collect();
            match lines.is_empty() {
                true => Err(error),
                false => {
                    Err(io::Error::new(error.kind(), format!("{error} ({})", lines.join("; "))))
                }
            }
        }
    }
}

/// Calls bpf(2), which reads the attributes and returns a number.
///
/// # Safety
///
/// What addresses are in the attributes must lead to what the command takes there.
unsafe fn bpf<T>(command: Bpf, attributes: &T) -> io::Result<libc::c_int> {
    // SAFETY: the attributes are live, of the size stated, and of the layout of the command; the commands that this is called with
    // write nothing to them.
    check(unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as libc::c_long,
            &raw const *attributes,
            size_of::<T>(),
        ) as libc::c_int
    })
}

/// The same for a command that writes to its attributes.
///
/// # Safety
///
/// As for [`bpf`].
#[cfg(test)]
unsafe fn bpf_mut<T>(command: Bpf, attributes: &mut T) -> io::Result<libc::c_int> {
    // SAFETY: as above, and nothing else refers to the attributes.
    check(unsafe {
        libc::syscall(libc::SYS_bpf, command as libc::c_long, &raw mut *attributes, size_of::<T>())
            as libc::c_int
    })
}

/// What the system tells of a network device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Device {
    /// Its number.
    pub(super) index: u32,
    /// Its hardware address.
    pub(super) hardware: [u8; 6],
    /// The bytes that a packet in a frame may have.
    pub(super) mtu: usize,
    /// The queues that it receives by.
    pub(super) queues: u32,
}

impl Device {
    /// Finds a device by its name.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is none, `Unsupported` if it is not Ethernet.
    pub(super) fn find(name: &str) -> io::Result<Self> {
        let name = CString::new(name)?;
        // SAFETY: it takes no pointers.
        let socket = descriptor(unsafe {
            libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0)
        })?;
        // SAFETY: integers and pointers only, for which zero is valid.
        let mut request: libc::ifreq = unsafe { zeroed() };
        let bytes = name.as_bytes();
        if bytes.len() >= request.ifr_name.len() {
            return Err(io::Error::from_raw_os_error(libc::ENODEV));
        }
        request.ifr_name.iter_mut().zip(bytes).for_each(|(to, &from)| *to = from as libc::c_char);
        let mut ask = |what: libc::Ioctl| {
            // SAFETY: the request is live, holds a name that ends with zero, and, where the command wants one,
            // a pointer to a live value of its own.
            check(unsafe { libc::ioctl(socket.as_raw_fd(), what, &raw mut request) })?;
            io::Result::Ok(request.ifr_ifru)
        };
        // SAFETY: the kernel has just written this field of the union, and each is plain integers.
        let index = unsafe { ask(libc::SIOCGIFINDEX)?.ifru_ifindex };
        // SAFETY: as above.
        let hardware = unsafe { ask(libc::SIOCGIFHWADDR)?.ifru_hwaddr };
        // SAFETY: as above.
        let mtu = unsafe { ask(libc::SIOCGIFMTU)?.ifru_mtu };
        if hardware.sa_family != libc::ARPHRD_ETHER {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "it is not Ethernet"));
        }
        Ok(Self {
            index: index as u32,
            hardware: std::array::from_fn(|at| hardware.sa_data[at] as u8),
            mtu: usize::try_from(mtu).unwrap_or(0),
            queues: queues(&socket, request),
        })
    }
}

/// The queues that a device receives by: one if its driver does not tell.
fn queues(socket: &OwnedFd, mut request: libc::ifreq) -> u32 {
    /// `struct ethtool_channels`.
    #[repr(C)]
    #[derive(Default)]
    struct Channels {
        command: u32,
        _most: [u32; 4],
        receive: u32,
        _transmit: u32,
        _other: u32,
        combined: u32,
    }
    const ETHTOOL_GCHANNELS: u32 = 0x3c;
    let mut channels = Channels { command: ETHTOOL_GCHANNELS, ..Channels::default() };
    request.ifr_ifru.ifru_data = (&raw mut channels).cast();
    // SAFETY: the request is live and points to a live value of the layout of its command, which the kernel
    // writes to.
    let told =
        check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) });
    told.map_or(1, |_| (channels.receive + channels.combined).max(1))
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
