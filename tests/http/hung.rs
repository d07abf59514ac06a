//! Clients that hang harm nobody.

use super::{LIMIT, start};
use crate::common::{Process, query};
use hickory_proto::rr::RecordType;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// How many clients hang at each of the two sockets.
const CLIENTS: usize = 1000;

/// Queries in a second, and for how long.
const RATE: u32 = 2000;
const SECONDS: u32 = 3;

/// Opens so many connections to the port and to the socket, sends half a request on each, and opens another for each
/// that is closed. A process of its own may have the descriptors for that.
const HANG: &str = r#"
import resource, socket, sys, time
port, path, clients = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

def hang(family, address, half):
    client = socket.socket(family)
    client.setblocking(False)
    try:
        client.connect(address)
    except OSError:
        pass
    try:
        client.send(half)
    except OSError:
        pass
    return client

def is_over(client):
    try:
        return client.recv(4096) == b''
    except BlockingIOError:
        return False
    except OSError:
        return True

kinds = [(socket.AF_INET, ('127.0.0.1', port), b'GET /metrics HTTP/1.1\r\nHost: 127'),
         (socket.AF_UNIX, path, b'{"command":')]
all = [[hang(*kind) for _ in range(clients)] for kind in kinds]
print('open', flush=True)
while True:
    time.sleep(0.2)
    for kind, clients in zip(kinds, all):
        for number, client in enumerate(clients):
            if is_over(client):
                client.close()
                clients[number] = hang(*kind)
"#;

#[test]
fn clients_that_hang_harm_no_query() {
    let (server, http) = start();
    let mut command = Command::new("python3");
    command.args(["-c", HANG, &http.0.port().to_string()]);
    command.arg(server.path("control")).arg(CLIENTS.to_string());
    let mut clients = Process::start(&mut command, &server.path("clients.log"));
    clients.wait(LIMIT, |clients| clients.out().contains("open"));

    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
    socket.connect(server.addr()).expect("loopback can be reached");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("it is not zero");
    let receiver = socket.try_clone().expect("a second handle");
    let answers = thread::spawn(move || {
        let mut buffer = [0; 512];
        (0..RATE * SECONDS).take_while(|_| receiver.recv(&mut buffer).is_ok()).count()
    });
    let begin = Instant::now();
    for number in 0..RATE * SECONDS {
        let due = begin + Duration::from_secs(1) / RATE * number;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let message = query(number as u16, "1.2.0.192.bl.example", RecordType::A);
        socket.send(&message).expect("it is there");
    }
    let answered = answers.join().expect("no panic");
    assert_eq!(answered as u32, RATE * SECONDS, "queries were lost");

    // Another client than the one that hangs is told how it is.
    let reply = http.send_over(
        http.connect_from(Ipv4Addr::new(127, 0, 0, 2)),
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    assert_eq!((reply.status, &*reply.body), (200, "ok\n"));
}
