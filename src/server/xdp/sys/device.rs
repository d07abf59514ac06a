//! What the system tells of a network device.

use std::ffi::CString;
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, OwnedFd};

use super::{check, descriptor};

/// What the system tells of a network device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::server::xdp) struct Device {
    /// Its number.
    pub(in crate::server::xdp) index: u32,
    /// Its hardware address.
    pub(in crate::server::xdp) hardware: [u8; 6],
    /// The bytes that a packet in a frame may have.
    pub(in crate::server::xdp) mtu: usize,
    /// The queues that it receives by.
    pub(in crate::server::xdp) queues: u32,
}

impl Device {
    /// Finds a device by its name.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is none, `Unsupported` if it is not Ethernet.
    pub(in crate::server::xdp) fn find(name: &str) -> io::Result<Self> {
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
