//! What the kernel makes of the program, frame by frame (BPF_PROG_TEST_RUN): no device is needed, but root is.

use super::super::model;
use super::super::sys::{Program, XdpSocket};
use super::*;
use std::fs::File;
use std::io::{self, Write as _};

/// `XDP_REDIRECT`: the frame goes to the worker.
const TAKEN: u32 = 4;

const CLIENT_4: &str = "192.0.2.7:40000";
const SERVER_4: &str = "198.51.100.53:53";
const CLIENT_6: &str = "[2001:db8::7]:40000";
const SERVER_6: &str = "[2001:db8:1::53]:5353";

fn frame(client: &str, server: &str, len: usize) -> Vec<u8> {
    model::frame(client.parse().unwrap(), server.parse().unwrap(), &vec![b'q'; len])
}

/// The program for these two, with a worker for queue 0; `None`, and a word, where it cannot be had.
fn loaded() -> Option<(Program, XdpSocket)> {
    let rules = Rules {
        hardware: [2, 0, 0, 0, 0, 1],
        endpoints: [
            "203.0.113.1:53",
            SERVER_4,
            "198.51.100.54:54",
            SERVER_6,
            "[2001:db8:1::54]:53",
        ]
        .map(|endpoint| endpoint.parse().unwrap())
        .to_vec(),
        own: ["198.51.100.53", "198.51.100.255", "2001:db8:1::53"]
            .map(|address| address.parse().unwrap())
            .to_vec(),
    };
    let make = || {
        let program = Program::new(1, |maps| program(&rules, maps))?;
        let socket = XdpSocket::new()?;
        program.add(0, &socket)?;
        io::Result::Ok((program, socket))
    };
    match make() {
        Ok(made) => Some(made),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => panic!("{error}"),
        Err(error) => {
            let line = format!("SKIPPED xdp program: {error}\n");
            io::stderr().write_all(line.as_bytes()).unwrap();
            if let Some(file) = std::env::var_os("DNSBLD_SKIPPED") {
                let mut file = File::options().append(true).create(true).open(file).unwrap();
                file.write_all(line.as_bytes()).unwrap();
            }
            None
        }
    }
}

/// A frame that the program takes, changed so that it is left to the kernel.
type Change = (&'static str, fn(&mut Vec<u8>));

#[test]
fn the_kernel_sends_queries_to_workers_and_all_else_its_usual_way() {
    let Some((program, _socket)) = loaded() else { return };
    let run = |frame: &[u8]| program.try_out(frame, true).unwrap();
    let [query_4, query_6] = [frame(CLIENT_4, SERVER_4, 40), frame(CLIENT_6, SERVER_6, 40)];
    for query in [&query_4, &query_6] {
        assert_eq!(run(query), TAKEN);
        assert_eq!(program.try_out(query, false).unwrap(), PASS, "it is switched off");
    }
    assert_eq!(run(&frame(CLIENT_4, "198.51.100.54:54", 1)), TAKEN);
    assert_eq!(run(&frame(CLIENT_6, "[2001:db8:1::54]:53", 1)), TAKEN);
    assert_eq!(run(&frame(CLIENT_4, SERVER_4, 0)), TAKEN, "an empty datagram");
    let longest = MAX_FRAME - ETHERNET - IPV6 - UDP;
    for (client, server, headers) in [(CLIENT_4, SERVER_4, IPV4), (CLIENT_6, SERVER_6, IPV6)] {
        let most = MAX_FRAME - ETHERNET - headers - UDP;
        assert!(most >= longest);
        assert_eq!(run(&frame(client, server, most)), TAKEN);
        assert_eq!(run(&frame(client, server, most + 1)), PASS, "a query is never so long");
    }

    for (client, server) in [
        // Of one address another port, of one port another address.
        (CLIENT_4, "198.51.100.53:54"),
        (CLIENT_4, "198.51.100.54:53"),
        (CLIENT_4, "198.51.100.55:53"),
        (CLIENT_6, "[2001:db8:1::53]:53"),
        (CLIENT_6, "[2001:db8:2::53]:5353"),
        (CLIENT_6, "[2001:db8:1::153]:5353"),
        // Sources that the kernel drops, or that mean nothing without their link.
        ("0.0.0.0:40000", SERVER_4),
        ("0.1.2.3:40000", SERVER_4),
        ("127.0.0.1:40000", SERVER_4),
        ("224.0.0.1:40000", SERVER_4),
        ("240.0.0.1:40000", SERVER_4),
        ("255.255.255.255:40000", SERVER_4),
        ("198.51.100.53:40000", SERVER_4),
        ("198.51.100.255:40000", SERVER_4),
        ("192.0.2.7:0", SERVER_4),
        ("[::]:40000", SERVER_6),
        ("[::1]:40000", SERVER_6),
        ("[::ffff:192.0.2.7]:40000", SERVER_6),
        ("[ff02::1]:40000", SERVER_6),
        ("[fe80::1]:40000", SERVER_6),
        ("[febf::1]:40000", SERVER_6),
        ("[2001:db8:1::53]:40000", SERVER_6),
        ("[2001:db8::7]:0", SERVER_6),
    ] {
        assert_eq!(run(&frame(client, server, 40)), PASS, "{client} to {server}");
    }
    for client in ["1.0.0.1:1", "126.0.0.1:1", "128.0.0.1:1", "223.0.0.1:65535", "198.51.100.254:9"]
    {
        assert_eq!(run(&frame(client, SERVER_4, 40)), TAKEN, "{client}");
    }
    for client in ["[64:ff9b::1]:1", "[fec0::1]:1", "[fe7f::1]:1", "[fd00::1]:1"] {
        assert_eq!(run(&frame(client, SERVER_6, 40)), TAKEN, "{client}");
    }

    let for_all: [Change; 8] = [
        ("for another machine on the link", |it| it[5] ^= 1),
        ("for another machine on the link", |it| it[0] ^= 4),
        ("a broadcast", |it| it[..6].fill(0xff)),
        ("a multicast", |it| it[..6].copy_from_slice(&[1, 0, 0x5e, 0, 0, 1])),
        ("ARP", |it| it[13] = 6),
        ("a VLAN", |it| drop(it.splice(12..12, [0x81, 0, 0, 7]))),
        ("a service VLAN", |it| drop(it.splice(12..12, [0x88, 0xa8, 0, 7]))),
        ("another version", |it| it[14] ^= 0x30),
    ];
    let of_4: [Change; 8] = [
        ("options", |it| it[14] = 0x46),
        ("a header that is too short", |it| it[14] = 0x44),
        ("the first fragment", |it| it[20] |= 0x20),
        ("a later fragment", |it| it[21] |= 1),
        ("a fragment far behind", |it| it[20] |= 0x1f),
        ("TCP", |it| it[23] = 6),
        ("ICMP", |it| it[23] = 1),
        ("IPv6 by its type", |it| it[12..14].copy_from_slice(&TYPE_IPV6)),
    ];
    let of_6: [Change; 7] = [
        ("a fragment", |it| it[20] = 44),
        ("hop-by-hop options", |it| it[20] = 0),
        ("destination options", |it| it[20] = 60),
        ("ICMPv6", |it| it[20] = 58),
        ("TCP", |it| it[20] = 6),
        ("no checksum", |it| it[60..62].fill(0)),
        ("IPv4 by its type", |it| it[12..14].copy_from_slice(&TYPE_IPV4)),
    ];
    for (query, changes) in [(&query_4, &of_4[..]), (&query_6, &of_6[..])] {
        for (what, change) in for_all.iter().chain(changes) {
            let mut frame = query.clone();
            change(&mut frame);
            assert_eq!(run(&frame), PASS, "{what}: {frame:02x?}");
        }
        let headers = query.len() - 40;
        for len in ETHERNET..query.len() {
            let want = if len < headers { PASS } else { TAKEN };
            assert_eq!(run(&query[..len]), want, "cut after {len}");
        }
    }
    let passed = program.passed(0);
    program.try_out(&query_4, true).unwrap();
    assert_eq!(program.passed(0), passed, "what is taken is not passed");
    program.try_out(&query_4, false).unwrap();
    program.try_out(&query_6[..50], true).unwrap();
    assert_eq!(program.passed(0), passed + 2);
    let mut may_not_be_cut = query_4;
    may_not_be_cut[20] ^= 0x40;
    assert_eq!(run(&may_not_be_cut), TAKEN, "with and without Don't Fragment");
}

#[test]
fn as_many_addresses_as_are_let_in_make_a_program_that_the_kernel_takes() {
    if loaded().is_none() {
        return;
    }
    let address = |number: usize| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, number as u16]);
    let endpoints: Vec<SocketAddr> =
        (0..MAX_ENDPOINTS).map(|number| (address(number), 53).into()).collect();
    let own = endpoints.iter().map(SocketAddr::ip).collect();
    let rules = Rules { hardware: [2, 0, 0, 0, 0, 1], endpoints: endpoints.clone(), own };
    let program = Program::new(1, |maps| program(&rules, maps)).unwrap();
    let socket = XdpSocket::new().unwrap();
    program.add(0, &socket).unwrap();
    let client = "[2001:db8:9::7]:40000".parse().unwrap();
    for endpoint in endpoints {
        let frame = model::frame(client, endpoint, b"q");
        assert_eq!(program.try_out(&frame, true).unwrap(), TAKEN, "{endpoint}");
    }
}
