//! An upgrade loses no query: by sockets that the manager of services keeps, and by a new server that takes the
//! sockets of the old one.

use std::collections::HashMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::common::{
    Daemon, LIMIT, Machine, Process, Setup, dig, free_port, kdig, query, reversed, run, sealed,
    wait_until,
};
use hickory_proto::rr::RecordType;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBufForce;
use rustix::process::Signal;
use socket2::{Domain, Socket, Type};

/// Queries per second over UDP.
const RATE: u32 = 2000;

/// Sockets that ask: the kernel gives the queries of each to one of the server's.
const CLIENTS: usize = 32;

/// How often a client connects over TCP.
const CONNECT_EVERY: Duration = Duration::from_millis(10);

/// How long an answer may take before the query counts as lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// Clients that ask for a listed address all the time, over UDP and over TCP, and whether the server is ready.
struct Load {
    ends: Arc<AtomicBool>,
    udp: JoinHandle<Udp>,
    tcp: JoinHandle<Streams>,
    http: Option<JoinHandle<Streams>>,
}

/// What came of the queries over UDP.
#[derive(Default)]
struct Udp {
    sent: usize,
    lost: usize,
    wrong: usize,
    /// The longest time until an answer.
    slowest: Duration,
}

/// What came of connections with a question each.
#[derive(Default, Debug)]
struct Streams {
    connected: usize,
    refused: usize,
    /// Closed without an answer; what a client does then is to connect again (RFC 7766 section 6.2.4).
    closed: usize,
}

impl Load {
    fn start(server: SocketAddr, http: Option<SocketAddr>, zone: &str) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let question = query(0, &reversed([192, 0, 2, 1].into(), zone), RecordType::A);
        let (until, packet) = (Arc::clone(&ends), question.clone());
        let udp = thread::spawn(move || Udp::run(server, &packet, &until));
        let mut message = (question.len() as u16).to_be_bytes().to_vec();
        message.extend_from_slice(&question);
        let until = Arc::clone(&ends);
        let is_good = |reply: &[u8]| reply.len() > 2 && is_listed(&reply[2..]);
        let tcp = thread::spawn(move || Streams::run(server, &message, is_good, &until));
        let http = http.map(|http| {
            let until = Arc::clone(&ends);
            let request = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            let is_good = |reply: &[u8]| reply.starts_with(b"HTTP/1.1 200");
            thread::spawn(move || Streams::run(http, request, is_good, &until))
        });
        Self { ends, udp, tcp, http }
    }

    /// Fails if a query was lost, or a connection refused.
    fn expect_all_answered(self, least: usize) {
        self.ends.store(true, Ordering::Relaxed);
        let (udp, tcp) = (self.udp.join().unwrap(), self.tcp.join().unwrap());
        let Udp { sent, lost, wrong, slowest } = udp;
        println!("UDP: {sent} sent, {lost} lost, {wrong} wrong, slowest {slowest:?}; TCP: {tcp:?}");
        assert!(sent >= least, "{sent} were sent");
        assert_eq!((lost, wrong), (0, 0), "lost and wrong of {sent}");
        assert!(tcp.connected > 100 && tcp.refused == 0, "{tcp:?}");
        if let Some(http) = self.http {
            let http = http.join().unwrap();
            assert!(http.connected > 100 && http.refused == 0 && http.closed < 5, "{http:?}");
        }
    }
}

impl Udp {
    fn run(server: SocketAddr, question: &[u8], ends: &AtomicBool) -> Self {
        let clients: Vec<UdpSocket> = (0..CLIENTS)
            .map(|_| {
                let client = UdpSocket::bind("127.0.0.1:0").unwrap();
                client.connect(server).unwrap();
                client.set_nonblocking(true).unwrap();
                client
            })
            .collect();
        let mut waiting: HashMap<(usize, u16), Instant> = HashMap::new();
        let (mut counts, start) = (Self::default(), Instant::now());
        let mut packet = question.to_vec();
        let mut last = start;
        while !ends.load(Ordering::Relaxed) || !waiting.is_empty() && last.elapsed() < PATIENCE {
            let due = (start.elapsed().as_secs_f64() * f64::from(RATE)) as usize;
            // A client that was held up makes up for little: a burst would test the socket's buffer.
            for _ in 0..(due.saturating_sub(counts.sent)).min(32) {
                if ends.load(Ordering::Relaxed) {
                    break;
                }
                let (client, id) = (counts.sent % CLIENTS, (counts.sent / CLIENTS) as u16);
                packet[..2].copy_from_slice(&id.to_be_bytes());
                clients[client].send(&packet).unwrap();
                last = Instant::now();
                waiting.insert((client, id), last);
                counts.sent += 1;
            }
            counts.receive(&clients, &mut waiting);
            thread::sleep(Duration::from_millis(1));
        }
        counts.lost = waiting.len();
        counts
    }

    fn receive(&mut self, clients: &[UdpSocket], waiting: &mut HashMap<(usize, u16), Instant>) {
        let mut reply = [0; 1500];
        for (number, client) in clients.iter().enumerate() {
            while let Ok(length) = client.recv(&mut reply) {
                let id = u16::from_be_bytes([reply[0], reply[1]]);
                let Some(sent) = waiting.remove(&(number, id)) else { continue };
                self.slowest = self.slowest.max(sent.elapsed());
                self.wrong += usize::from(!is_listed(&reply[..length]));
            }
        }
    }
}

impl Streams {
    fn run(
        server: SocketAddr,
        message: &[u8],
        is_good: impl Fn(&[u8]) -> bool,
        ends: &AtomicBool,
    ) -> Self {
        let mut counts = Self::default();
        while !ends.load(Ordering::Relaxed) {
            match TcpStream::connect(server) {
                Ok(mut stream) => {
                    counts.connected += 1;
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    let mut reply = [0; 1500];
                    let answered = stream.write_all(message).and_then(|()| stream.read(&mut reply));
                    let is_good = answered.is_ok_and(|length| is_good(&reply[..length]));
                    counts.closed += usize::from(!is_good);
                }
                Err(_) => counts.refused += 1,
            }
            thread::sleep(CONNECT_EVERY);
        }
        counts
    }
}

/// NOERROR with one answer.
fn is_listed(reply: &[u8]) -> bool {
    reply.len() > 12 && reply[3] & 15 == 0 && reply[6..8] == [0, 1]
}

/// With a state folder, so that the next start has the list at once.
fn setup(server: &str) -> Setup {
    let setup = Setup::new();
    setup.write("list", "192.0.2.1\n");
    let zone = "[[dataset]]\nname = \"list\"\ntype = \"ip4set\"\nfiles = [\"list\"]\n\
                [[zone]]\nname = \"l.test\"\ndatasets = [\"list\"]";
    setup.configure(&format!("state-dir = \"state\"\nworkers = 2\n{server}"), zone);
    setup
}

fn seconds(time: u64) {
    thread::sleep(Duration::from_secs(time));
}

/// Starts a server that takes the place of the one that runs.
fn replace(setup: &Setup, number: usize) -> Process {
    let mut command = setup.command();
    command.arg("--replace");
    Process::start(&mut command, &setup.path(&format!("log-{number}")))
}

fn said(process: &Process, event: &str) -> bool {
    process.out().contains(&format!("event=\"{event}\""))
}

#[test]
fn a_new_server_takes_the_place_of_the_old_one() {
    let [http, tls, https] = [(); 3].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port())));
    let setup = setup(&format!(
        "cookies = \"demand\"\n[server.tls]\nlisten = [\"{tls}\"]\nhttps-listen = [\"{https}\"]\n\
         certificate = \"tls.crt\"\nkey = \"tls.key\"\n[http]\nlisten = [\"{http}\"]"
    ));
    let words =
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 -subj /CN=test";
    let mut certify = Command::new("openssl");
    certify.args(words.split(' ')).arg("-keyout").arg(setup.path("tls.key"));
    run(certify.arg("-out").arg(setup.path("tls.crt")));
    let first = setup.start();
    // A client's cookie outlives the server that has made it.
    let asked = |cookie: &str| {
        dig(first.addr(), &format!("+nobadcookie +cookie={cookie} 1.2.0.192.l.test"))
    };
    let refused = asked("0123456789abcdef");
    let told = refused.0.lines().find_map(|line| line.strip_prefix("; COOKIE: "));
    let cookie = told.and_then(|told| told.split(' ').next()).unwrap().to_owned();
    assert!(refused.is("BADCOOKIE") && asked(&cookie).is("NOERROR"), "{refused:?}");
    let load = Load::start(first.addr(), Some(http), "l.test");
    seconds(1);
    let mut servers = Vec::new();
    for number in 0..3 {
        let new = replace(&first, number);
        assert!(wait_until(LIMIT, || said(&new, "took-over")), "{}", new.out());
        for (server, transport) in [(tls, "+tls"), (https, "+https")] {
            let shown = kdig(server, &format!("{transport} 1.2.0.192.l.test"));
            assert_eq!(shown.data(), ["127.0.0.2"], "{transport}: {}", new.out());
        }
        seconds(1);
        servers.push(new);
    }
    load.expect_all_answered(6000);
    let mut last = servers.pop().unwrap();
    for old in &mut servers {
        assert!(wait_until(LIMIT, || old.has_ended()), "{}", old.out());
        assert!(old.status().unwrap().success() && said(old, "handed-over"), "{}", old.out());
        assert!(!old.out().contains("locked by another"), "{}", old.out());
    }
    assert!(asked(&cookie).is("NOERROR"));
    // The commands find the new one, and the state folder is its own.
    let status = |daemon: &Daemon| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
        command.args(["status", "--json", "--config"]).arg(daemon.path("dnsbld.toml"));
        run(command.env("RUNTIME_DIRECTORY", daemon.path("")))
    };
    assert!(status(&first).contains("\"schema\""));
    assert!(
        run(Command::new("sh")
            .arg("-c")
            .arg("! flock -n \"$0\" true")
            .arg(first.path("state/lock")))
        .is_empty()
    );
    last.signal(Signal::TERM);
    assert!(wait_until(LIMIT, || last.has_ended()));
    assert!(!first.path("control").exists(), "the last one removes its socket");
}

#[test]
fn a_new_server_that_cannot_load_a_zone_leaves_the_old_one_at_work() {
    let setup = setup("");
    let old = setup.start();
    let text = fs::read_to_string(old.path("dnsbld.toml")).unwrap();
    old.write("dnsbld.toml", text.replace("files = [\"list\"]", "files = [\"gone\"]"));
    let mut new = replace(&old, 0);
    assert!(wait_until(LIMIT, || new.has_ended()), "{}", new.out());
    assert!(!new.status().unwrap().success());
    assert!(new.out().contains("zone l.test cannot be loaded, and process"), "{}", new.out());
    old.expect_log(
        &["has ended before it was ready; this server goes on", "handover-abandoned"],
        LIMIT,
    );
    assert_eq!(old.ask("1.2.0.192.l.test", RecordType::A).addresses().len(), 1);
    old.write("dnsbld.toml", text);
    fs::remove_file(old.path("log-0")).unwrap();
    let new = replace(&old, 1);
    assert!(wait_until(LIMIT, || said(&new, "took-over")), "{}", new.out());
}

#[test]
fn without_a_server_to_replace_it_starts_as_usual() {
    let setup = setup("");
    let new = replace(&setup, 0);
    assert!(wait_until(LIMIT, || new.out().contains("ready after")), "{}", new.out());
    assert!(!said(&new, "taking-over"));
}

#[test]
fn a_server_that_cannot_be_asked_is_not_replaced_and_it_is_said_why() {
    let setup = setup("");
    let _other = TcpListener::bind(setup.addr()).unwrap();
    let mut new = replace(&setup, 0);
    assert!(wait_until(LIMIT, || new.has_ended()), "{}", new.out());
    let said = new.out();
    assert!(said.contains("found no server of this configuration by its control socket"), "{said}");
    assert!(said.contains("Address already in use"), "{said}");
}

/// A UDP socket and a TCP socket of one address, which the test keeps as a manager of services does.
struct Kept {
    udp: OwnedFd,
    tcp: OwnedFd,
}

impl Kept {
    fn bind(address: SocketAddr) -> Self {
        let udp = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        // As ReceiveBuffer= of systemd.socket(5); root may.
        if setsockopt(&udp, RcvBufForce, &(8 << 20)).is_err() {
            udp.set_recv_buffer_size(8 << 20).unwrap();
        }
        udp.bind(&address.into()).unwrap();
        let tcp = TcpListener::bind(address).unwrap();
        Self { udp: udp.into(), tcp: tcp.into() }
    }

    /// Starts a server with them as descriptors 3 and 4, in the process that the shell becomes.
    fn start(&self, setup: &Setup, number: usize) -> Process {
        let server = setup.command();
        let script = "exec 3<&0 4>&1 0</dev/null 1>&2; LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=a.socket:b.socket \
                      exec \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(server.get_program()).args(server.get_args());
        for (name, value) in server.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(setup.path(""));
        let log = setup.path(&format!("log-{number}"));
        let [udp, tcp] = [&self.udp, &self.tcp].map(|socket| socket.try_clone().unwrap());
        Process::start_with(&mut command, udp, tcp, &log)
    }
}

#[test]
fn sockets_of_the_manager_of_services_outlive_three_restarts() {
    let setup = setup("");
    let kept = Kept::bind(setup.addr());
    let ready = |server: &Process| {
        assert!(wait_until(LIMIT, || server.out().contains("ready after")), "{}", server.out());
    };
    let mut server = kept.start(&setup, 0);
    ready(&server);
    let load = Load::start(setup.addr(), None, "l.test");
    seconds(1);
    for number in 1..4 {
        server.signal(Signal::TERM);
        assert!(wait_until(LIMIT, || server.has_ended()), "{}", server.out());
        server = kept.start(&setup, number);
        ready(&server);
        seconds(1);
    }
    load.expect_all_answered(6000);
}

#[test]
fn systemd_restarts_the_service_with_the_socket_unit_as_they_are_shipped() {
    if !Machine::can_boot() {
        return;
    }
    sealed(|| {
        let machine = Machine::boot("clean");
        let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
        machine.bring(Path::new(env!("CARGO_BIN_EXE_dnsbld")));
        for file in ["dnsbld.toml", "systemd/dnsbld.service", "systemd/dnsbld.socket"] {
            machine.bring(&deploy.join(file));
        }
        machine.must(
            "set -e; useradd --system dnsbld; install dnsbld /usr/local/bin/; mkdir -p /etc/dnsbld /var/lib/dnsbld/mirror; \
             install -m 644 dnsbld.service dnsbld.socket /etc/systemd/system/; \
             printf '%s\\n' '[server]' \"$(grep ^listen dnsbld.toml)\" 'state-dir = \"/var/lib/dnsbld/state\"' '[[dataset]]' \
             'name = \"list\"' 'type = \"ip4set\"' 'files = [\"list\"]' '[[zone]]' 'name = \"l.test\"' \
             'datasets = [\"list\"]' >/etc/dnsbld/dnsbld.toml; echo 192.0.2.1 >/etc/dnsbld/list; systemctl daemon-reload; \
             systemctl enable --now dnsbld.socket; systemctl start dnsbld",
        );
        let load = Load::start("127.0.0.1:5300".parse().unwrap(), None, "l.test");
        for _ in 0..3 {
            seconds(1);
            machine.must("systemctl restart dnsbld");
        }
        load.expect_all_answered(6000);
    });
}

#[test]
fn sockets_where_the_settings_do_not_listen_are_refused() {
    let setup = setup("");
    let kept = Kept::bind("127.0.0.1:0".parse().unwrap());
    // Its TCP socket is of another port, as the system has chosen.
    let mut server = kept.start(&setup, 0);
    assert!(wait_until(LIMIT, || server.has_ended()), "{}", server.out());
    let said = server.out();
    assert!(
        said.contains(
            "descriptor 3 (a.socket) of the manager of services is a UDP socket of 127.0.0.1:"
        ),
        "{said}"
    );
    assert!(said.contains("where the settings do not listen"), "{said}");
}
