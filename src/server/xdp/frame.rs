//! Ethernet frames with a query in a UDP datagram, and the frames of the answers: bytes only.
//!
//! A frame is read as the kernel's stack would read it; what is not a whole datagram, or has something that
//! `super::program` leaves to the kernel, is none. An answer goes back to where its frame came from: all addresses
//! are swapped, so that neither routes nor neighbours are looked up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::server::client_address;

/// The bytes of an Ethernet header without tags: both addresses and the type.
pub(super) const ETHERNET: usize = 14;

/// The bytes of an IPv4 header without options (RFC 791).
pub(super) const IPV4: usize = 20;

/// The bytes of an IPv6 header (RFC 8200).
pub(super) const IPV6: usize = 40;

/// The bytes of a UDP header (RFC 768).
pub(super) const UDP: usize = 8;

/// The number of UDP among the protocols above IP.
pub(super) const PROTOCOL_UDP: u8 = 17;

/// The Ethernet type of IPv4.
pub(super) const TYPE_IPV4: [u8; 2] = [0x08, 0x00];

/// The Ethernet type of IPv6.
pub(super) const TYPE_IPV6: [u8; 2] = [0x86, 0xdd];

/// IPv4 with a header of 20 bytes.
pub(super) const VERSION_4: u8 = 0x45;

/// The time to live, or hop limit, of an answer, as that of Linux.
const HOPS: u8 = 64;

/// A UDP datagram in a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Datagram<'a> {
    /// The frame up to the payload.
    headers: &'a [u8],
    /// The sender.
    pub client: SocketAddr,
    /// The address and the port that it was sent to.
    pub server: SocketAddr,
    /// What was sent.
    pub payload: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// Reads a frame. `None` if it holds no whole UDP datagram right behind an IP header without options,
    /// extensions or fragments, if the checksum of the IPv4 header is wrong, or if the sender has port 0, to
    /// which there is no answer. The UDP checksum is not looked at: the network card has seen to it, or nothing
    /// has been on a wire.
    #[inline]
    pub fn read(frame: &'a [u8]) -> Option<Self> {
        match *frame.get(12..ETHERNET)?.first_chunk()? {
            TYPE_IPV4 => Self::read_ipv4(frame),
            TYPE_IPV6 => Self::read_ipv6(frame),
            _ => None,
        }
    }

    #[inline]
    fn read_ipv4(frame: &'a [u8]) -> Option<Self> {
        let ip = frame.get(ETHERNET..)?;
        let header: &[u8; IPV4] = ip.first_chunk()?;
        let is_fragment = u16_at(header, 6) & 0x3fff != 0;
        if header[0] != VERSION_4
            || is_fragment
            || header[9] != PROTOCOL_UDP
            || checksum(sum(0, header)) != [0, 0]
        {
            return None;
        }
        let packet = ip.get(..usize::from(u16_at(header, 2)))?;
        let [source, destination] =
            [12, 16].map(|at| Ipv4Addr::from(array::<4>(header, at)).into());
        Self::read_udp(frame, ETHERNET + IPV4, packet.get(IPV4..)?, source, destination)
    }

    #[inline]
    fn read_ipv6(frame: &'a [u8]) -> Option<Self> {
        let ip = frame.get(ETHERNET..)?;
        let header: &[u8; IPV6] = ip.first_chunk()?;
        if header[0] >> 4 != 6 || header[6] != PROTOCOL_UDP {
            return None;
        }
        let udp = ip[IPV6..].get(..usize::from(u16_at(header, 4)))?;
        // RFC 8200 section 8.1: over IPv6 there is always a checksum.
        if udp.get(6..UDP)? == [0, 0] {
            return None;
        }
        let [source, destination] =
            [8, 24].map(|at| Ipv6Addr::from(array::<16>(header, at)).into());
        Self::read_udp(frame, ETHERNET + IPV6, udp, source, destination)
    }

    /// Reads what is behind the IP header, which ends at `at` in the frame.
    #[inline]
    fn read_udp(
        frame: &'a [u8],
        at: usize,
        packet: &'a [u8],
        source: IpAddr,
        destination: IpAddr,
    ) -> Option<Self> {
        let header: &[u8; UDP] = packet.first_chunk()?;
        let [from, to, len] = [0, 2, 4].map(|at| u16_at(header, at));
        if from == 0 {
            return None;
        }
        Some(Self {
            headers: &frame[..at + UDP],
            client: (client_address(source), from).into(),
            server: (destination, to).into(),
            payload: packet.get(UDP..usize::from(len))?,
        })
    }

    /// How many bytes the headers of the answer take: its payload stands behind them.
    #[inline]
    pub fn headers(&self) -> usize {
        self.headers.len()
    }

    /// Writes the headers of the answer before its payload of `len` bytes, which stands in the frame already;
    /// returns the length of the frame. `None` if there is no room for such an answer.
    #[inline]
    pub fn write_answer_headers(&self, frame: &mut [u8], len: usize) -> Option<usize> {
        let end = self.headers.len() + len;
        let frame = frame.get_mut(..end)?;
        let udp_len = u16::try_from(UDP + len).ok()?;
        let at = self.headers.len() - UDP;
        frame[..6].copy_from_slice(&self.headers[6..12]);
        frame[6..12].copy_from_slice(&self.headers[..6]);
        frame[12..ETHERNET].copy_from_slice(&self.headers[12..ETHERNET]);
        // Both IP headers end with the addresses, which the UDP checksum is about, too.
        let addresses = if at == ETHERNET + IPV4 { 8 } else { 32 };
        let (source, destination) = self.headers[at - addresses..at].split_at(addresses / 2);
        frame[at - addresses..at - addresses / 2].copy_from_slice(destination);
        frame[at - addresses / 2..at].copy_from_slice(source);

        frame[at..at + 2].copy_from_slice(&self.headers[at + 2..at + 4]);
        frame[at + 2..at + 4].copy_from_slice(&self.headers[at..at + 2]);
        frame[at + 4..at + 6].copy_from_slice(&udp_len.to_be_bytes());
        frame[at + 6..at + UDP].fill(0);
        let pseudo_header = sum(0, &[0, PROTOCOL_UDP]) + sum(0, &udp_len.to_be_bytes());
        let udp_checksum = match checksum(sum(pseudo_header, &frame[at - addresses..])) {
            // RFC 768: zero stands for none.
            [0, 0] => [0xff, 0xff],
            it => it,
        };
        frame[at + 6..at + UDP].copy_from_slice(&udp_checksum);

        let header = &mut frame[ETHERNET..at];
        if header.len() == IPV4 {
            let total = u16::try_from(IPV4 + UDP + len).ok()?;
            header[..2].copy_from_slice(&[VERSION_4, 0]);
            header[2..4].copy_from_slice(&total.to_be_bytes());
            // Should a router cut it into fragments, those of another answer have another number: as a rule,
            // and without anything to keep.
            header[4..6].copy_from_slice(&udp_checksum);
            header[6..12].copy_from_slice(&[0, 0, HOPS, PROTOCOL_UDP, 0, 0]);
            let header_checksum = checksum(sum(0, header));
            header[10..12].copy_from_slice(&header_checksum);
        } else {
            header[..4].copy_from_slice(&[0x60, 0, 0, 0]);
            header[4..6].copy_from_slice(&udp_len.to_be_bytes());
            header[6..8].copy_from_slice(&[PROTOCOL_UDP, HOPS]);
        }
        Some(end)
    }
}

#[inline(always)]
fn array<const LEN: usize>(bytes: &[u8], at: usize) -> [u8; LEN] {
    std::array::from_fn(|index| bytes[at + index])
}

#[inline(always)]
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(array(bytes, at))
}

/// Adds bytes to a sum for the checksum of the internet. All parts but the last have an even length. RFC 1071
/// section 2: words of any size and byte order may be added, if the checksum is stored in the same order.
#[inline]
fn sum(start: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    let add = |sum: u64, word: &[u8; 4]| sum + u64::from(u32::from_ne_bytes(*word));
    add(words.iter().fold(start, add), &last)
}

/// The checksum to a sum: two bytes as they stand in a header.
#[inline]
fn checksum(sum: u64) -> [u8; 2] {
    let mut folded = sum;
    while folded > 0xffff {
        folded = (folded & 0xffff) + (folded >> 16);
    }
    (!(folded as u16)).to_ne_bytes()
}

#[cfg(test)]
mod tests;
