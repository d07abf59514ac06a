//! An Ethernet frame as a network device gives it, read and answered, beside a reading of the standards that takes
//! its time.
//!
//! The first byte of an input says how long the answer is, and whether the checksum of an IPv4 header is set
//! right; the frame follows.

use dnsbld::server::xdp::frame::Datagram;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub(crate) const TOKENS: &[&[u8]] = &[
    b"\x08\x00\x45\x00",
    b"\x86\xdd\x60\x00",
    b"\x81\x00",
    b"\x40\x11",
    b"\x00\x35",
    b"\x20\x00",
    b"\x46",
    b"\x11\x40",
];

/// Has the checksum of an IPv4 header be right.
const MENDED: u8 = 0x80;

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01";
    let client4 = "192.0.2.7:40000".parse().expect("an address");
    let server4 = "198.51.100.53:53".parse().expect("an address");
    let client6 = "[2001:db8::7]:40000".parse().expect("an address");
    let server6 = "[2001:db8:1::53]:53".parse().expect("an address");
    let mut short = frame(client4, server4, query);
    // Ethernet pads short frames.
    short.resize(short.len() + 9, 0);
    [short, frame(client6, server6, query), frame(client4, server4, b"")]
        .into_iter()
        .map(|frame| [&[MENDED | 33][..], &frame].concat())
        .collect()
}

/// A frame with a datagram, as a client sends it.
pub(crate) fn frame(client: SocketAddr, server: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len()) as u16;
    let mut udp = [client.port(), server.port(), len, 0].map(u16::to_be_bytes).concat();
    udp.extend(payload);
    let (kind, mut ip, addresses) = match (client.ip(), server.ip()) {
        (IpAddr::V4(client), IpAddr::V4(server)) => {
            let [high, low] = (20 + len).to_be_bytes();
            let ip = vec![0x45, 0, high, low, 0xab, 0xcd, 0x40, 0, 57, 17, 0, 0];
            ([8, 0], ip, [client.octets(), server.octets()].concat())
        }
        (IpAddr::V6(client), IpAddr::V6(server)) => {
            let [high, low] = len.to_be_bytes();
            let ip = vec![0x60, 0x0a, 0xbc, 0xde, high, low, 17, 57];
            ([0x86, 0xdd], ip, [client.octets(), server.octets()].concat())
        }
        _ => panic!("two families"),
    };
    let udp_checksum = checksum(&[&addresses[..], &[0, 17], &len.to_be_bytes(), &udp].concat());
    udp[6..8].copy_from_slice(&udp_checksum.to_be_bytes());
    ip.extend(&addresses);
    let mut frame = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &kind, &ip, &udp].concat();
    mend(&mut frame);
    frame
}

pub(crate) fn run(bytes: &[u8]) {
    let Some((&first, frame)) = bytes.split_first() else { return };
    let mut frame = frame.to_vec();
    if first & MENDED != 0 {
        mend(&mut frame);
    }
    let read = Datagram::read(&frame);
    let seen = read.map(|read| (read.client, read.server, read.payload.to_vec()));
    assert_eq!(seen, naive(&frame));
    // Nobody listens on port 0, so nothing is answered from there.
    if let Some(datagram) = read.filter(|datagram| datagram.server.port() != 0) {
        answer(&datagram, &frame, usize::from(first & !MENDED) * 12);
    }
}

/// Answers a datagram with that many bytes, and looks at each byte of the answer.
fn answer(datagram: &Datagram<'_>, frame: &[u8], len: usize) {
    let payload: Vec<u8> = (0..len).map(|at| (at * 7) as u8).collect();
    let headers = datagram.headers();
    // What an answer before has left there must not matter.
    let mut room = vec![0xa5; 2048];
    room[headers..headers + len].copy_from_slice(&payload);
    assert_eq!(datagram.write_answer_headers(&mut room[..headers + len], len + 1), None);
    let end = datagram.write_answer_headers(&mut room, len).expect("there is room");
    assert_eq!(end, headers + len);
    assert!(room[end..].iter().all(|&byte| byte == 0xa5), "more was written");
    let answer = &room[..end];
    let (_, _, sent) = naive(answer).expect("it can be read");
    assert_eq!(sent, payload);
    assert_eq!([&answer[6..12], &answer[..6], &answer[12..14]].concat(), frame[..14]);
    let at = headers - 8;
    let size = if at == 34 { 4 } else { 16 };
    let swapped = [&answer[at - size..at], &answer[at - 2 * size..at - size]].concat();
    assert_eq!(swapped, frame[at - 2 * size..at]);
    assert_eq!([&answer[at + 2..at + 4], &answer[at..at + 2]].concat(), frame[at..at + 4]);
    assert_ne!(answer[at + 6..at + 8], [0, 0], "it has a checksum");
    let udp_len = answer[at + 4..at + 6].to_vec();
    let summed = [&answer[at - 2 * size..at], &[0, 17], &udp_len[..], &answer[at..]].concat();
    assert_eq!(checksum(&summed), 0, "of UDP");
    let (hops, class) =
        if size == 4 { (answer[22], &answer[15..16]) } else { (answer[21], &answer[15..18]) };
    assert_eq!(hops, 64);
    assert!(class.iter().all(|&byte| byte == 0));
}

/// Sets the checksum of an IPv4 header, if there is one.
fn mend(frame: &mut [u8]) {
    if frame.get(12..14) == Some(&[8, 0]) && frame.len() >= 34 {
        frame[24..26].fill(0);
        let sum = checksum(&frame[14..34]);
        frame[24..26].copy_from_slice(&sum.to_be_bytes());
    }
}

/// The client, the server and the payload of the datagram in a frame.
fn naive(frame: &[u8]) -> Option<(SocketAddr, SocketAddr, Vec<u8>)> {
    let mut bytes = frame.iter().copied();
    let mut take = |count: usize| -> Option<Vec<u8>> {
        let taken: Vec<u8> = bytes.by_ref().take(count).collect();
        (taken.len() == count).then_some(taken)
    };
    let number = |bytes: &[u8]| bytes.iter().fold(0, |all, &byte| all << 8 | usize::from(byte));
    take(12)?;
    let (source, destination, left): (IpAddr, IpAddr, usize) = match number(&take(2)?) {
        0x0800 => {
            let header = take(20)?;
            let (flags, total) = (number(&header[6..8]), number(&header[2..4]));
            let (more, offset) = (flags & 0x2000 != 0, flags & 0x1fff);
            let is_plain = header[0] == 0x45 && header[9] == 17 && !more && offset == 0;
            if !is_plain || checksum(&header) != 0 {
                return None;
            }
            let address = |at: usize| {
                Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3])
            };
            (address(12).into(), address(16).into(), total.checked_sub(20)?)
        }
        0x86dd => {
            let header = take(40)?;
            if header[0] & 0xf0 != 0x60 || header[6] != 17 {
                return None;
            }
            let address = |at: usize| Ipv6Addr::from(number128(&header[at..at + 16]));
            let source = address(8).to_canonical();
            (source, address(24).into(), number(&header[4..6]))
        }
        _ => return None,
    };
    let is_ipv6 = destination.is_ipv6();
    let packet = take(left)?;
    let (header, data) = (packet.get(..8)?, &packet[8..]);
    let [from, to, len, sum] = [0, 2, 4, 6].map(|at| number(&header[at..at + 2]));
    let payload = data.get(..len.checked_sub(8)?)?.to_vec();
    if from == 0 || (is_ipv6 && sum == 0) {
        return None;
    }
    Some(((source, from as u16).into(), (destination, to as u16).into(), payload))
}

fn number128(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |all, &byte| all << 8 | u128::from(byte))
}

/// The checksum of the internet (RFC 1071), word by word; 0 over what has a right one in it.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u16 = 0;
    for pair in bytes.chunks(2) {
        let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
        let (added, carries) = sum.overflowing_add(word);
        sum = added + u16::from(carries);
    }
    !sum
}
