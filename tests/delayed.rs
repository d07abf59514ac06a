//! Replies that wait because an entry says so (`@ delay=`), from the real server.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use crate::common::{Server, temp_dir};

/// A query for the A record of a name below l.example.
fn query(id: u8, label: &str) -> Vec<u8> {
    let mut query = vec![0, id, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, label.len() as u8];
    query.extend_from_slice(label.as_bytes());
    query.extend_from_slice(b"\x01l\x07example\0\0\x01\0\x01");
    query
}

/// The server once ended the thread that sends them as soon as it had started it.
#[test]
fn a_delayed_reply_comes_over_udp_and_holds_up_no_other() {
    let folder = temp_dir();
    fs::write(folder.path().join("list"), "slow :2:x @ delay=1s\nfast :3:x\n").expect("our folder");
    let arguments = ["--listen", "127.0.0.1:0", "l.example:dnset:list"];
    let server = Server::reporting(&arguments, folder.path());
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
    socket.connect(server.addr()).expect("loopback can be reached");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("not zero");
    let start = Instant::now();
    // More than there are workers.
    let slow: Vec<u8> = (1..=100).collect();
    for &id in &slow {
        socket.send(&query(id, "slow")).expect("the server listens");
    }
    socket.send(&query(0, "fast")).expect("the server listens");
    let mut got = Vec::new();
    let mut buffer = [0; 512];
    while got.len() <= slow.len() {
        let len = socket.recv(&mut buffer).expect("a reply to each query");
        assert_eq!(buffer[7], 1, "one answer in {:02x?}", &buffer[..len]);
        let is_slow = buffer[1] != 0;
        assert!(!is_slow || start.elapsed() >= Duration::from_secs(1), "too early");
        got.push(buffer[1]);
    }
    assert_eq!(got[0], 0, "the fast one comes first");
    got.sort_unstable();
    assert_eq!(got[1..], slow);
}
