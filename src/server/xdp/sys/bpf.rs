//! bpf(2): the program, its maps and its link.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};

use super::super::program::{COUNTER_SPACE, Instruction, Maps};
use super::{XdpSocket, check, descriptor};

/// A program and its maps, which are in the kernel as long as this is.
pub(in crate::server::xdp) struct Program {
    fd: OwnedFd,
    sockets: OwnedFd,
    shared: Shared,
}

/// Has a device run a program, until this is dropped or the process ends, however it does.
pub(in crate::server::xdp) struct Link(
    #[expect(dead_code, reason = "it is there to be closed")] OwnedFd,
);

/// Memory that the program and the server share: the switch of [`program`](super::super::program), and what it
/// counts. The server needs no privilege for it.
struct Shared(MmapRaw);

impl Shared {
    fn word(&self, at: usize) -> *mut u8 {
        assert!(at + size_of::<u64>() <= self.0.len() && at.is_multiple_of(COUNTER_SPACE));
        self.0.as_mut_ptr().wrapping_add(at)
    }

    fn set_switch(&self, is_on: bool) {
        // SAFETY: it lies in memory that lives as long as `self`, as was checked, is aligned, and both sides use it
        // as an atomic alone.
        let value = unsafe { &*self.word(0).cast::<AtomicU32>() };
        value.store(is_on.into(), Ordering::Release);
    }

    fn passed(&self, queue: usize) -> u64 {
        // SAFETY: as above; the program alone writes it, as a whole.
        unsafe { &*self.word(COUNTER_SPACE * (1 + queue)).cast::<AtomicU64>() }
            .load(Ordering::Relaxed)
    }
}

impl Program {
    /// Loads a program, with room for the sockets of that many queues.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without CAP_BPF and CAP_NET_ADMIN; what the kernel's verifier says, should it refuse it.
    pub(in crate::server::xdp) fn new(
        queues: u32,
        program: impl FnOnce(Maps) -> Vec<Instruction>,
    ) -> io::Result<Self> {
        const ARRAY: u32 = 2;
        const XSK_MAP: u32 = 17;
        const MAPPABLE: u32 = 1 << 10;
        let space = COUNTER_SPACE * (1 + queues as usize);
        let shared = map(ARRAY, space as u32, 1, MAPPABLE)?;
        let sockets = map(XSK_MAP, size_of::<u32>() as u32, queues, 0)?;
        let maps = Maps { shared: shared.as_raw_fd(), sockets: sockets.as_raw_fd(), queues };
        let instructions = program(maps);
        let fd = load(&instructions)?;
        let shared = Shared(MmapOptions::new().len(space).map_raw(shared.as_raw_fd())?);
        Ok(Self { fd, sockets, shared })
    }

    /// Has the program send the frames of a queue to this socket, once it is attached and switched on.
    ///
    /// # Errors
    ///
    /// What `bpf` says.
    pub(in crate::server::xdp) fn add(&self, queue: u32, socket: &XdpSocket) -> io::Result<()> {
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
    pub(in crate::server::xdp) fn attach(&self, device: u32) -> io::Result<Link> {
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
    pub(in crate::server::xdp) fn switch(&self, is_on: bool) {
        self.shared.set_switch(is_on);
    }

    /// How many frames of a queue it has left to the kernel.
    pub(in crate::server::xdp) fn passed(&self, queue: usize) -> u64 {
        self.shared.passed(queue)
    }

    /// Runs the program once on a frame: what it returns.
    #[cfg(test)]
    pub(in crate::server::xdp) fn try_out(&self, frame: &[u8], is_on: bool) -> io::Result<u32> {
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
        self.shared.set_switch(is_on);
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

fn map(kind: u32, value_size: u32, entries: u32, flags: u32) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Create {
        kind: u32,
        key_size: u32,
        value_size: u32,
        entries: u32,
        flags: u32,
    }
    let create = Create { kind, key_size: 4, value_size, entries, flags };
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
