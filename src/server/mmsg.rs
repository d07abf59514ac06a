//! Many datagrams per system call: `recvmmsg`, `sendmmsg`, and the socket options that no safe
//! crate offers. All `unsafe` of the network layer is in this file and in `xdp/sys`.
//!
//! A [`Batch`] is allocated once per worker. Its headers point into its own buffers and mostly stay as
//! they are: per datagram only lengths are written, and pointers only where one before it in the batch
//! got no answer, or the socket is bound to all addresses. A reply goes back to the very address
//! bytes and control message its query came with, so nothing is converted on the way.
#![allow(unsafe_code)]

use memmap2::MmapMut;
use std::io;
use std::mem::{MaybeUninit, offset_of, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};

use super::client_address;

/// Datagrams per system call.
pub(super) const BATCH: usize = 64;

/// Bytes kept of a query.
///
/// 1232 is the payload size our answers advertise (RFC 6891, 6.2.3), so nobody may send more.
const QUERY_SPACE: usize = 1280;

/// Bytes an answer may have: at least 1232.
pub(super) const REPLY_SPACE: usize = 1280;

/// Whether a socket tells to which local address a datagram was sent, and by which message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LocalAddress {
    /// The socket is bound to one address: the kernel uses it for replies.
    Bound,
    /// The socket is bound to 0.0.0.0: `IP_PKTINFO`.
    AnyIpv4,
    /// The socket is bound to `::`: `IPV6_PKTINFO`.
    AnyIpv6,
}

/// The way back to the sender of a datagram.
#[derive(Clone, Copy)]
pub(super) struct Route {
    address: Address,
    address_len: libc::socklen_t,
    control: Control,
    control_len: usize,
}

impl Route {
    /// The way to a client from an address of this machine, by a socket that is bound so. The kernel chooses the
    /// interface.
    pub(super) fn new(client: SocketAddr, from: IpAddr, local: LocalAddress) -> Self {
        let (address, address_len) = Address::new(client);
        let (control, control_len) = Control::new(from, local);
        Self { address, address_len, control, control_len }
    }
}

/// One query of a batch and the room for its answer.
pub(super) struct Exchange<'a> {
    pub(super) query: &'a [u8],
    pub(super) sender: &'a Address,
    pub(super) reply: &'a mut [u8; REPLY_SPACE],
}

/// The buffers of one worker.
pub(super) struct Batch {
    /// In the memory below. Kept as a raw pointer because the headers inside hold pointers to its other
    /// fields, which a reference that is kept would invalidate.
    arena: NonNull<Arena>,
    /// Mapped, so that a page of it takes memory, and time, only when that many datagrams come at once.
    _memory: MmapMut,
    local: LocalAddress,
    /// How many of the `received` headers the last call has written to.
    received: usize,
    queued: usize,
    /// Some slot is not aimed at the datagram of its own number: one before that had no answer.
    is_moved: bool,
}

// SAFETY: the arena is owned by the batch alone, and its pointers lead only into itself.
unsafe impl Send for Batch {}

impl Batch {
    /// # Errors
    ///
    /// When the system has no memory.
    pub(super) fn new(local: LocalAddress) -> io::Result<Self> {
        let mut memory = MmapMut::map_anon(size_of::<Arena>())?;
        let arena = NonNull::from(&mut *memory).cast::<Arena>();
        let (received, queued, is_moved) = (0, 0, false);
        let mut batch = Self { arena, _memory: memory, local, received, queued, is_moved };
        let base = arena.as_ptr();
        for index in 0..BATCH {
            // SAFETY: `base` is live memory of the size of an `Arena`, at the start of a page, which
            // is more than its alignment; zeroed, which is a valid value of it (integers and raw pointers
            // only); `index` is within its arrays, and only places are computed: no reference to the
            // arena exists meanwhile.
            unsafe {
                (*base).query_vectors[index] = libc::iovec {
                    iov_base: (&raw mut (*base).datagrams[index].query).cast(),
                    iov_len: QUERY_SPACE,
                };
                let received = &raw mut (*base).received[index].msg_hdr;
                (*received).msg_name = (&raw mut (*base).datagrams[index].address).cast();
                (*received).msg_iov = &raw mut (*base).query_vectors[index];
                (*received).msg_iovlen = 1;
                if local != LocalAddress::Bound {
                    (*received).msg_control = (&raw mut (*base).datagrams[index].control).cast();
                }

                let reply = &raw mut (*base).replies[index].msg_hdr;
                (*reply).msg_iov = &raw mut (*base).reply_vectors[index];
                (*reply).msg_iovlen = 1;
            }
        }
        (0..BATCH).for_each(|index| batch.aim(index, index));
        batch.reset(BATCH);
        Ok(batch)
    }

    /// Receives at least one datagram, and as many as are there already; returns their number.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if `wait` is false and there is none, or the socket's receive timeout passed.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>, wait: bool) -> io::Result<usize> {
        self.reset(self.received);
        self.received = 0;
        self.forget_queued();
        let flags = if wait { libc::MSG_WAITFORONE } else { libc::MSG_DONTWAIT };
        // SAFETY: the headers are initialised and point to buffers of the lengths they state,
        // all inside the arena, to which no reference exists during the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                (&raw mut (*self.arena.as_ptr()).received).cast(),
                BATCH as libc::c_uint,
                flags as _,
                ptr::null_mut(),
            )
        };
        self.received = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        Ok(self.received)
    }

    /// A received datagram and the room for its answer.
    ///
    /// `None` if it was longer than the buffer.
    #[inline]
    pub(super) fn exchange(&mut self, index: usize) -> Option<Exchange<'_>> {
        let arena = self.arena();
        let (header, datagram) = (&arena.received[index], &mut arena.datagrams[index]);
        if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
            return None;
        }
        Some(Exchange {
            query: datagram.query.get(..header.msg_len as usize)?,
            sender: &datagram.address,
            reply: &mut datagram.answer,
        })
    }

    /// The first `len` bytes of the room for an answer.
    pub(super) fn answer(&mut self, index: usize, len: usize) -> &[u8] {
        &self.arena().datagrams[index].answer[..len.min(REPLY_SPACE)]
    }

    /// The way back to the sender of a datagram, for an answer that is sent later.
    pub(super) fn route(&mut self, index: usize) -> Route {
        let control_len = self.return_control(index);
        let arena = self.arena();
        Route {
            address: arena.datagrams[index].address,
            address_len: arena.received[index].msg_hdr.msg_namelen,
            control: arena.datagrams[index].control,
            control_len,
        }
    }

    /// Adds the answer to a datagram, of `len` bytes, to the next [`Batch::send`].
    #[inline]
    pub(super) fn queue(&mut self, index: usize, len: usize) {
        let slot = self.queued;
        let base = self.arena.as_ptr();
        assert!(slot < BATCH && index < BATCH, "more answers than datagrams");
        // SAFETY: `base` is the live arena, to which no reference exists here, and both indexes were
        // checked. The pointers lead to the answer and the address of the datagram: see `aim`.
        unsafe {
            (*base).reply_vectors[slot].iov_len = len.min(REPLY_SPACE);
            (*base).replies[slot].msg_hdr.msg_namelen = (*base).received[index].msg_hdr.msg_namelen;
        }
        if slot != index {
            self.is_moved = true;
            self.aim(slot, index);
        }
        if self.local != LocalAddress::Bound {
            self.queue_control(slot, index);
        }
        self.queued += 1;
    }

    /// Has the answer to a datagram sent from a slot. Slots that nothing is queued in are aimed at the
    /// datagrams of their own number.
    #[inline(never)]
    fn aim(&mut self, slot: usize, index: usize) {
        let base = self.arena.as_ptr();
        // SAFETY: `base` is the live arena, to which no reference exists here; that both indexes are
        // within its arrays is checked where they are used.
        unsafe {
            (*base).reply_vectors[slot].iov_base =
                (&raw mut (*base).datagrams[index].answer).cast();
            (*base).replies[slot].msg_hdr.msg_name =
                (&raw mut (*base).datagrams[index].address).cast();
        }
    }

    /// Has the answer in a slot sent from the address that the datagram was sent to.
    #[inline(never)]
    fn queue_control(&mut self, slot: usize, index: usize) {
        let control_len = self.return_control(index);
        let base = self.arena.as_ptr();
        // SAFETY: `base` is the live arena, to which no reference exists here; that both indexes are
        // within its arrays is checked where they are used.
        unsafe {
            let reply = &raw mut (*base).replies[slot].msg_hdr;
            if control_len > 0 {
                (*reply).msg_control = (&raw mut (*base).datagrams[index].control).cast();
            }
            (*reply).msg_controllen = control_len as _;
        }
    }

    /// Sends what was queued; returns how many answers the kernel refused.
    ///
    /// An answer that cannot be sent (no route, a firewall, a bad address) is skipped. When the
    /// socket's send timeout passes, the rest is dropped.
    pub(super) fn send(&mut self, socket: BorrowedFd<'_>) -> u64 {
        let refused = self.send_queued(socket);
        self.forget_queued();
        refused
    }

    fn send_queued(&mut self, socket: BorrowedFd<'_>) -> u64 {
        let queued = self.queued;
        let mut done = 0;
        let mut refused = 0;
        while done < queued {
            // SAFETY: the headers `done..queued` were filled by `queue`; they and all they point
            // to lie in the arena, to which no reference exists during the call.
            let count = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    (&raw mut (*self.arena.as_ptr()).replies[done]).cast(),
                    (queued - done) as libc::c_uint,
                    0,
                )
            };
            if let Ok(count @ 1..) = usize::try_from(count) {
                done += count;
                continue;
            }
            match io::Error::last_os_error().kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => return refused + (queued - done) as u64,
                _ => {
                    done += 1;
                    refused += 1;
                }
            }
        }
        refused
    }

    /// Empties the slots, and aims all at the datagrams of their own number again.
    fn forget_queued(&mut self) {
        self.queued = 0;
        if std::mem::take(&mut self.is_moved) {
            (0..BATCH).for_each(|index| self.aim(index, index));
        }
    }

    /// Makes the first `count` receive headers ready again: the kernel writes to these fields.
    fn reset(&mut self, count: usize) {
        let control_len = match self.local {
            LocalAddress::Bound => 0,
            LocalAddress::AnyIpv4 | LocalAddress::AnyIpv6 => CONTROL_SPACE,
        };
        for header in &mut self.arena().received[..count] {
            header.msg_hdr.msg_namelen = size_of::<Address>() as libc::socklen_t;
            header.msg_hdr.msg_controllen = control_len as _;
        }
    }

    /// Turns the control message of a datagram into the one for its answer; returns its length.
    #[inline]
    fn return_control(&mut self, index: usize) -> usize {
        let local = self.local;
        if local == LocalAddress::Bound {
            return 0;
        }
        let arena = self.arena();
        let len: usize = arena.received[index].msg_hdr.msg_controllen as _;
        arena.datagrams[index].control.turn(local, len)
    }

    fn arena(&mut self) -> &mut Arena {
        // SAFETY: the pointer came from `new`, is live until `drop`, and `self` is borrowed
        // mutably for as long as the reference is. The kernel reads and writes the arena only
        // within the calls above.
        unsafe { self.arena.as_mut() }
    }
}

/// Sends one datagram, without waiting.
///
/// # Errors
///
/// What `sendmsg` says.
pub(super) fn send_one(socket: BorrowedFd<'_>, route: &Route, answer: &[u8]) -> io::Result<()> {
    let mut vector =
        libc::iovec { iov_base: answer.as_ptr().cast_mut().cast(), iov_len: answer.len() };
    // SAFETY: `msghdr` is a C struct of integers and pointers, for which zero is valid.
    let mut header: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    header.msg_name = (&raw const route.address).cast_mut().cast();
    header.msg_namelen = route.address_len;
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    if route.control_len > 0 {
        header.msg_control = (&raw const route.control).cast_mut().cast();
        header.msg_controllen = route.control_len as _;
    }
    // SAFETY: name, vector and control point to live values of the lengths stated, and sendmsg
    // only reads them.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, libc::MSG_DONTWAIT) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Asks the kernel to tell with every datagram which local address it was sent to.
///
/// # Errors
///
/// What `setsockopt` says.
pub(super) fn report_local_address(socket: BorrowedFd<'_>, local: LocalAddress) -> io::Result<()> {
    match local {
        LocalAddress::Bound => Ok(()),
        LocalAddress::AnyIpv4 => set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1),
        LocalAddress::AnyIpv6 => set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1),
    }
}

/// Ignores what others claim about the path MTU, and never sets Don't Fragment: forged ICMP
/// messages could make answers be cut into fragments that are then spoofed.
///
/// # Errors
///
/// What `setsockopt` says.
pub(super) fn ignore_path_mtu(socket: BorrowedFd<'_>, ipv6: bool) -> io::Result<()> {
    if ipv6 {
        let (level, name) = (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER);
        set_option(socket, level, name, libc::IPV6_PMTUDISC_OMIT)
    } else {
        let (level, name) = (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER);
        set_option(socket, level, name, libc::IP_PMTUDISC_OMIT)
    }
}

/// Sets the receive buffer beyond the system's limit, which takes `CAP_NET_ADMIN`.
///
/// # Errors
///
/// What `setsockopt` says.
pub(super) fn force_receive_buffer(socket: BorrowedFd<'_>, bytes: libc::c_int) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes)
}

fn set_option(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: `value` is a live int of the length stated, and setsockopt only reads it.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// All memory of a batch in one allocation. Zeroed memory is a valid value.
#[repr(C, align(64))]
struct Arena {
    received: [libc::mmsghdr; BATCH],
    replies: [libc::mmsghdr; BATCH],
    query_vectors: [libc::iovec; BATCH],
    reply_vectors: [libc::iovec; BATCH],
    datagrams: [Datagram; BATCH],
}

/// What there is of one datagram, side by side: one place to be found instead of four. In whole cache
/// lines, and in size far from 4096 and its multiples: with buffers so far apart, all would compete for the
/// same few cache sets.
#[repr(C, align(64))]
struct Datagram {
    address: Address,
    control: Control,
    query: [u8; QUERY_SPACE],
    answer: [u8; REPLY_SPACE],
}

/// A socket address as the kernel wrote it: `sockaddr_in` or `sockaddr_in6`.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(super) struct Address([u8; 32]);

impl Address {
    /// That of a client, and the length of it. Scopes of IPv6 are left out.
    fn new(client: SocketAddr) -> (Self, libc::socklen_t) {
        let mut bytes = [0; 32];
        let (family, octets, at, len) = match client.ip() {
            IpAddr::V4(ip) => (
                libc::AF_INET,
                ip.octets().to_vec(),
                offset_of!(libc::sockaddr_in, sin_addr),
                size_of::<libc::sockaddr_in>(),
            ),
            IpAddr::V6(ip) => (
                libc::AF_INET6,
                ip.octets().to_vec(),
                offset_of!(libc::sockaddr_in6, sin6_addr),
                size_of::<libc::sockaddr_in6>(),
            ),
        };
        let mut write =
            |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        write(
            offset_of!(libc::sockaddr_in, sin_family),
            &(family as libc::sa_family_t).to_ne_bytes(),
        );
        write(Self::PORT, &client.port().to_be_bytes());
        write(at, &octets);
        (Self(bytes), len as libc::socklen_t)
    }

    const PORT: usize = offset_of!(libc::sockaddr_in, sin_port);

    /// The sender, taken for an IPv4 address: [`Address::is_ip4`] says whether it is one.
    #[inline(always)]
    pub(super) fn ip4(&self) -> Ipv4Addr {
        self.field::<4, { offset_of!(libc::sockaddr_in, sin_addr) }>().into()
    }

    /// True if it is an IPv4 address that can be answered.
    #[inline(always)]
    pub(super) fn is_ip4(&self) -> bool {
        self.family() == libc::AF_INET && self.has_port()
    }

    /// The sender, unless it is of another family or has port 0, which cannot be answered.
    #[inline(never)]
    pub(super) fn client(&self) -> Option<IpAddr> {
        const IPV6: usize = offset_of!(libc::sockaddr_in6, sin6_addr);
        const { assert!(Self::PORT == offset_of!(libc::sockaddr_in6, sin6_port)) };
        const { assert!(size_of::<libc::sockaddr_in6>() <= size_of::<Self>()) };

        if self.is_ip4() {
            return Some(self.ip4().into());
        }
        let is_ip6 = self.family() == libc::AF_INET6 && self.has_port();
        is_ip6.then(|| client_address(IpAddr::V6(Ipv6Addr::from(self.field::<16, IPV6>()))))
    }

    #[inline(always)]
    fn family(&self) -> i32 {
        const FAMILY: usize = offset_of!(libc::sockaddr_in, sin_family);
        libc::sa_family_t::from_ne_bytes(self.field::<2, FAMILY>()).into()
    }

    /// The port of the sender.
    pub(super) fn port(&self) -> u16 {
        u16::from_be_bytes(self.field::<2, { Self::PORT }>())
    }

    #[inline(always)]
    fn has_port(&self) -> bool {
        self.field::<2, { Self::PORT }>() != [0, 0]
    }

    #[inline(always)]
    fn field<const LEN: usize, const OFFSET: usize>(&self) -> [u8; LEN] {
        const { assert!(OFFSET + LEN <= size_of::<Self>()) };
        std::array::from_fn(|index| self.0[OFFSET + index])
    }
}

/// Room for one `IP_PKTINFO` or `IPV6_PKTINFO` message.
const CONTROL_SPACE: usize = size_of::<Control>();

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; 40]);

impl Control {
    /// Where the data of the message begins. The header is a whole number of machine words, so
    /// there is no padding after it.
    const DATA: usize = size_of::<libc::cmsghdr>();

    /// The message that has an answer sent from this address, and its length.
    fn new(from: IpAddr, local: LocalAddress) -> (Self, usize) {
        let mut control = Self([0; 40]);
        let (level, kind, at, size) = match local {
            LocalAddress::Bound => return (control, 0),
            LocalAddress::AnyIpv4 => (
                libc::IPPROTO_IP,
                libc::IP_PKTINFO,
                offset_of!(libc::in_pktinfo, ipi_spec_dst),
                size_of::<libc::in_pktinfo>(),
            ),
            LocalAddress::AnyIpv6 => (
                libc::IPPROTO_IPV6,
                libc::IPV6_PKTINFO,
                offset_of!(libc::in6_pktinfo, ipi6_addr),
                size_of::<libc::in6_pktinfo>(),
            ),
        };
        let len = Self::DATA + size;
        let octets = match from {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let mut write =
            |at: usize, field: &[u8]| control.0[at..at + field.len()].copy_from_slice(field);
        // Its type differs between C libraries, its width is that of the space before the level.
        let len_field =
            &len.to_ne_bytes()[..offset_of!(libc::cmsghdr, cmsg_level).min(size_of::<usize>())];
        write(offset_of!(libc::cmsghdr, cmsg_len), len_field);
        write(offset_of!(libc::cmsghdr, cmsg_level), &level.to_ne_bytes());
        write(offset_of!(libc::cmsghdr, cmsg_type), &kind.to_ne_bytes());
        write(Self::DATA + at, &octets);
        (control, len)
    }

    /// Makes a received message of `len` bytes fit for the answer; returns its length, or 0 if it
    /// is not the message expected.
    ///
    /// The local address stays. The interface goes, so that the answer is routed like any other
    /// packet; only to a link-local address there is no way without it.
    fn turn(&mut self, local: LocalAddress, len: usize) -> usize {
        const { assert!(Self::DATA + size_of::<libc::in6_pktinfo>() <= CONTROL_SPACE) };
        let (level, kind, interface, size) = match local {
            LocalAddress::Bound => return 0,
            LocalAddress::AnyIpv4 => (
                libc::IPPROTO_IP,
                libc::IP_PKTINFO,
                offset_of!(libc::in_pktinfo, ipi_ifindex),
                size_of::<libc::in_pktinfo>(),
            ),
            LocalAddress::AnyIpv6 => (
                libc::IPPROTO_IPV6,
                libc::IPV6_PKTINFO,
                offset_of!(libc::in6_pktinfo, ipi6_ifindex),
                size_of::<libc::in6_pktinfo>(),
            ),
        };
        if len < Self::DATA + size
            || len > CONTROL_SPACE
            || self.int(offset_of!(libc::cmsghdr, cmsg_level)) != level
            || self.int(offset_of!(libc::cmsghdr, cmsg_type)) != kind
        {
            return 0;
        }
        let link_local = local == LocalAddress::AnyIpv6
            && self.0[Self::DATA] == 0xfe
            && self.0[Self::DATA + 1] & 0xc0 == 0x80;
        if !link_local {
            self.0[Self::DATA + interface..][..4].fill(0);
        }
        len
    }

    fn int(&self, offset: usize) -> i32 {
        i32::from_ne_bytes(std::array::from_fn(|index| self.0[offset + index]))
    }
}

#[cfg(test)]
mod tests;
