//! What holds for queries over UDP holds for those that are taken from a device.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{
    CLIENTS, LIMIT, SERVER_4, SERVER_6, ask, at_clients, is_listed, linked, of_stack, query, setup,
    socket, start,
};
use crate::common::{sealed, wait_until};

/// The bit of the third byte that says that an answer is cut short.
const TC: u8 = 2;
const TXT: u16 = 16;

/// The answer over UDP to a query.
fn answer(socket: &UdpSocket, query: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 2048];
    socket.send(query).expect("a route");
    let len = socket.recv(&mut buffer).ok()?;
    buffer.truncate(len);
    Some(buffer)
}

/// The answer over TCP to a query, at the server's address of a client's family.
fn over_tcp(client: &str, query: &[u8]) -> Vec<u8> {
    let server = if client.contains(':') { SERVER_6 } else { SERVER_4 };
    let server = SocketAddr::new(server.parse::<IpAddr>().expect("an address"), 53);
    let mut stream = at_clients(|| TcpStream::connect(server)).expect("it listens");
    stream.set_read_timeout(Some(LIMIT)).expect("not zero");
    let len = (query.len() as u16).to_be_bytes();
    stream.write_all(&[&len, query].concat()).expect("it reads");
    let mut len = [0; 2];
    stream.read_exact(&mut len).expect("an answer");
    let mut answer = vec![0; u16::from_be_bytes(len).into()];
    stream.read_exact(&mut answer).expect("all of it");
    answer
}

#[test]
fn an_answer_that_is_cut_short_is_whole_over_tcp_and_a_late_one_is_late() {
    sealed(|| {
        linked(|| {
            let Some(_daemon) = start(setup("xdp = ['server']")) else { return };
            for client in [CLIENTS[0], CLIENTS[2]] {
                let (before, socket) = (of_stack(), socket(client));
                let long = query(5, "long.example.n.example", TXT, false);
                let cut = answer(&socket, &long).expect("an answer");
                assert!(cut[2] & TC != 0 && cut.len() <= 512, "{cut:02x?}");
                assert_eq!(of_stack(), before, "the sockets had it");
                let whole = over_tcp(client, &long);
                assert!(whole[2] & TC == 0 && whole.len() > 900, "{whole:02x?}");

                let (before, start) = (of_stack(), Instant::now());
                let late = query(6, "late.example.n.example", 1, false);
                let late = answer(&socket, &late).expect("an answer");
                assert!(is_listed(&late) && start.elapsed() >= Duration::from_secs(1));
                assert_eq!(of_stack(), (before.0, before.1 + 1), "a socket sends it");
            }
        });
    });
}

#[test]
fn access_lists_refuse_and_ignore() {
    sealed(|| {
        linked(|| {
            let Some(_daemon) = start(setup("xdp = ['server']")) else { return };
            let before = of_stack();
            for (client, want) in CLIENTS.into_iter().zip([Some(0), Some(5), Some(0), None]) {
                let socket = socket(client);
                socket.set_read_timeout(Some(Duration::from_millis(300))).expect("not zero");
                let closed = query(5, "9.2.0.192.closed.example", 1, false);
                let code = answer(&socket, &closed).map(|answer| answer[3] & 15);
                assert_eq!(code, want, "{client}");
                assert!(is_listed(&ask(&socket, "9.2.0.192.l.example")), "{client}");
            }
            assert_eq!(of_stack(), before, "the sockets had some");
        });
    });
}

#[test]
fn a_rate_limit_sends_clients_to_tcp() {
    sealed(|| {
        linked(|| {
            let settings = "xdp = ['server']\n[limit]\nqueries-per-second = 4\nburst = 8";
            let Some(_daemon) = start(setup(settings)) else { return };
            let (before, start) = (of_stack(), Instant::now());
            for client in [CLIENTS[0], CLIENTS[2]] {
                let socket = socket(client);
                let listed = query(5, "2.0.0.127.l.example", 1, false);
                let answers = (0..100).map(|_| answer(&socket, &listed).expect("an answer"));
                let (cut, whole): (Vec<_>, Vec<_>) = answers.partition(|it| it[2] & TC != 0);
                // From one port: the share of one of two workers at the least.
                let most = 8 + 4 * (start.elapsed().as_secs() as usize + 1);
                assert!((4..=most).contains(&whole.len()), "{client}: {}", whole.len());
                assert!(whole.iter().all(|answer| is_listed(answer)));
                assert!(cut.iter().all(|answer| answer[7] == 0 && answer.len() == listed.len()));
                assert!(is_listed(&over_tcp(client, &listed)));
            }
            assert_eq!(of_stack().0, before.0, "the sockets had some");
        });
    });
}

/// It is told to end before it has looked at them.
#[test]
fn what_has_arrived_is_answered_before_the_server_ends() {
    sealed(|| {
        linked(|| {
            let Some(daemon) = start(setup("xdp = ['server']")) else { return };
            let sockets = CLIENTS.map(socket);
            daemon.signal(Signal::STOP);
            let status = format!("/proc/{}/status", daemon.id());
            let is_stopped = || {
                std::fs::read_to_string(&status).is_ok_and(|status| status.contains("State:\tT"))
            };
            assert!(wait_until(LIMIT, is_stopped));
            for socket in &sockets {
                for _ in 0..100 {
                    socket.send(&query(7, "2.0.0.127.l.example", 1, false)).expect("a route");
                }
            }
            let before = of_stack();
            daemon.signal(Signal::TERM);
            daemon.signal(Signal::CONT);
            thread::scope(|scope| {
                for socket in &sockets {
                    scope.spawn(|| {
                        for number in 0..100 {
                            let len = socket.recv(&mut [0; 512]);
                            assert!(len.is_ok(), "{number} of 100 are answered");
                        }
                    });
                }
            });
            daemon.ended();
            assert_eq!(of_stack(), before, "the sockets had some");
        });
    });
}
