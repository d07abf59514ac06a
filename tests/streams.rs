//! Clients that hold connections and do not ask: the server stays calm, and whoever asks is served.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use hickory_proto::rr::RecordType;
use rustix::process::Signal;

use crate::common::{Client, Process, Setup, free_port, kdig, make_certificate, wait_until};

const LIMIT: Duration = Duration::from_secs(30);

/// A server with few descriptors.
struct Served {
    setup: Setup,
    process: Process,
    tls: SocketAddr,
    https: SocketAddr,
}

impl Served {
    /// Serves a list over UDP, TCP, TLS and HTTPS with so many descriptors and these settings.
    fn start(descriptors: u32, settings: &str) -> Self {
        let setup = Setup::new();
        setup.write("list", "1.2.3.4\n");
        make_certificate(&setup.path(""), "dns.test");
        let [tls, https] = [(); 2].map(|()| SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())));
        let exposed = fs::Permissions::from_mode(0o644);
        fs::set_permissions(setup.path("tls.key"), exposed).expect("the key is ours");
        let settings = format!(
            "workers = 1\n{settings}\n\
             tls = {{ listen = [\"{tls}\"], https-listen = [\"{https}\"], certificate = \"tls.crt\", \
             key = \"tls.key\" }}"
        );
        setup.configure_lists(&settings, &[("bl.test".into(), "list".into())]);
        let serve = setup.command();
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={descriptors}"));
        command.arg(serve.get_program()).args(serve.get_args());
        command.current_dir(setup.path("")).env("RUNTIME_DIRECTORY", setup.path(""));
        let mut process = Process::start(&mut command, &setup.path("log"));
        process.wait(LIMIT, |process| process.out().contains("ready after"));
        Self { setup, process, tls, https }
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process.id())).expect("it runs").count()
    }

    /// User and system time, in ticks of 10 ms.
    fn ticks(&self) -> u64 {
        let stat =
            fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("it runs");
        let (_, fields) = stat.rsplit_once(')').expect("the name of the program");
        let times = fields.split_whitespace().skip(11).take(2);
        times.map(|time| time.parse::<u64>().expect("a number")).sum()
    }

    /// Fails if it works although nobody asks.
    fn expect_calm(&self) {
        let before = self.ticks();
        std::thread::sleep(Duration::from_secs(1));
        let spent = self.ticks() - before;
        assert!(spent <= 20, "{spent} ticks of 10 ms in a second: {}", self.process.out());
    }

    /// Fails if a new client is not served over this transport.
    fn expect_served(&self, server: SocketAddr, transport: &str) {
        let shown = kdig(server, &format!("{transport} +short 4.3.2.1.bl.test A"));
        assert_eq!(shown.0, "127.0.0.2\n", "{transport}: {}", self.process.out());
    }
}

/// A program that holds connections.
struct Holder {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Holder {
    fn start(server: SocketAddr, connections: usize, addresses: usize) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/holder.py");
        let numbers = [usize::from(server.port()), connections, addresses];
        let mut child = Command::new("python3")
            .arg(script)
            .args(numbers.map(|number| number.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the tests need python3");
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut holder = Self { child, input, output };
        assert_eq!(holder.line(), "held");
        holder
    }

    /// How many of its connections the server has closed.
    fn closed(&mut self) -> usize {
        self.input.write_all(b"\n").expect("it reads");
        self.line().parse().expect("a number")
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it writes lines");
        line.trim_end().to_owned()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Regression: all were held.
#[test]
fn of_thousands_of_tls_connections_without_a_handshake_few_are_held() {
    let served = Served::start(1024, "");
    let mut holder = Holder::start(served.tls, 5000, 40);
    served.expect_served(served.tls, "+tls");
    served.expect_served(served.setup.addr(), "+tcp");
    let in_time = wait_until(LIMIT, || holder.closed() >= 5000 - 512);
    assert!(in_time, "{} of 5000 are closed", holder.closed());
    assert!(served.descriptors() < 600, "{} descriptors", served.descriptors());
    served.expect_calm();
    // Who does not begin the handshake does not keep what it holds.
    assert!(wait_until(LIMIT, || holder.closed() == 5000), "{} are closed", holder.closed());
}

/// Regression: a thread span, and lists could not be read again.
#[test]
fn connections_leave_descriptors_for_a_reload() {
    let caps =
        "tcp-connections = 2000\ntcp-connections-per-client = 2000\ntcp-idle-timeout = \"1h\"";
    let served = Served::start(1024, caps);
    let addr = served.setup.addr();
    let _holders = [served.tls, addr].map(|server| Holder::start(server, 1100, 1));
    assert!(served.descriptors() < 1024 - 30, "{} descriptors", served.descriptors());
    served.expect_calm();
    served.expect_served(addr, "+tcp");
    served.expect_served(served.tls, "+tls");

    served.setup.write("list", "1.2.3.4\n1.2.3.5\n");
    served.process.signal(Signal::HUP);
    let client = Client::new(addr);
    let is_read = || {
        let reply = client.ask("5.3.2.1.bl.test", RecordType::A);
        reply.is_ok_and(|reply| reply.addresses().len() == 1)
    };
    assert!(wait_until(LIMIT, is_read), "{}", served.process.out());
    let log = served.process.out();
    assert!(!log.contains("ERROR") && !log.contains("cannot"), "{log}");
}

/// Regression: nobody else could use TCP.
#[test]
fn clients_that_hold_all_places_shut_out_nobody() {
    let served = Served::start(1024, "");
    let addr = served.setup.addr();
    let mut holder = Holder::start(addr, 512, 32);
    for _ in 0..3 {
        served.expect_served(addr, "+tcp");
        served.expect_served(served.tls, "+tls");
    }
    assert!(holder.closed() >= 1, "the idlest gave way");
}

/// The sandbox lets the relay through, and what cannot be bounded in hickory-server is bounded before it.
#[test]
fn https_is_answered_whoever_holds_its_places() {
    let served = Served::start(1024, "");
    let mut holder = Holder::start(served.https, 300, 40);
    served.expect_served(served.https, "+https");
    assert!(holder.closed() >= 300 - 128, "{} of 300 are closed", holder.closed());
    assert!(served.descriptors() < 500, "{} descriptors", served.descriptors());
    served.expect_calm();
    let log = served.process.out();
    assert_eq!(log.matches("event=\"key-exposed\"").count(), 1, "{log}");
    assert!(!log.contains("ERROR"), "{log}");
}
