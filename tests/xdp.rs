//! Queries past the kernel's stack (`server.xdp`): the real server at one end of a pair of virtual devices with two
//! queues, clients at the other, in a network namespace of their own.

mod rules;
mod same;
mod unit;

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::sched::{CloneFlags, setns};
use rustix::process::Signal;
use serde_json::Value;

use crate::common::{
    Daemon, LIMIT, Process, Random, Setup, dnsbld, is_root, proxy_header, run, sealed, skip,
    wait_until,
};

const SERVER_4: &str = "10.9.0.1";
const SERVER_6: &str = "fd09::1";
const CLIENTS: [&str; 4] = ["10.9.0.2", "10.9.0.3", "fd09::2", "fd09::3"];

/// The devices: the server's, and that of the clients in the namespace `clients`.
const LINK: &str = "
    ip netns add clients
    ip link add server numrxqueues 2 numtxqueues 2 type veth peer name client numrxqueues 2 numtxqueues 2
    ip link set client netns clients
    ip addr add 10.9.0.1/24 dev server
    ip addr add fd09::1/64 dev server nodad
    ip link set server up
    for address in 10.9.0.2/24 10.9.0.3/24; do ip -n clients addr add $address dev client; done
    for address in fd09::2/64 fd09::3/64; do ip -n clients addr add $address dev client nodad; done
    ip -n clients link set client up
    ip -n clients link set lo up
";

const LISTS: &str = "
    [[dataset]]
    name = 'list'
    type = 'ip4set'
    files = ['list']
    [[dataset]]
    name = 'names'
    type = 'dnset'
    files = ['names']
    [[dataset]]
    name = 'clients'
    type = 'acl'
    files = ['clients']
    [[zone]]
    name = 'l.example'
    datasets = ['list']
    [[zone]]
    name = 'n.example'
    datasets = ['names']
    [[zone]]
    name = 'closed.example'
    datasets = ['list']
    acl = ['clients']
";

/// Runs `body` in a machine with such devices; a word where there can be none.
fn linked<Body: FnOnce()>(body: Body) {
    if !is_root() {
        return skip("only root may attach a program to a device");
    }
    let made = Command::new("sh").args(["-ec", LINK]).output().expect("there is a shell");
    match made.status.success() {
        true => body(),
        false => skip(&String::from_utf8_lossy(&made.stderr)),
    }
}

/// The folder of a server with these lines in its table, which becomes nobody once it has started.
fn setup(server: &str) -> Setup {
    let setup = Setup::new();
    setup.write("list", "127.0.0.2\n192.0.2.0/24 :3:Listed $\n");
    let long = "x".repeat(900);
    setup.write("names", format!("long.example :2:{long}\nlate.example :4:late @ delay=1s\n"));
    setup.write("clients", "10.9.0.3 :refuse\nfd09::3 :ignore\n");
    // The serials are their times.
    for name in ["list", "names", "clients"] {
        let file = File::options().append(true).open(setup.path(name)).expect("it was written");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        file.set_modified(time).expect("it is ours");
    }
    setup.write("queries/log", "");
    for name in ["queries", "queries/log"] {
        let mode = Permissions::from_mode(0o777);
        fs::set_permissions(setup.path(name), mode).expect("it is ours");
    }
    setup.write(
        "dnsbld.toml",
        format!(
            "[server]\nlisten = ['0.0.0.0:53', '[::]:53']\nuser = '54321'\ngroup = '54322'\n{server}\n{LISTS}"
        ),
    );
    setup
}

/// What a thread does in the namespace of the clients.
fn at_clients<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let enter = || {
        let namespace = File::open("/run/netns/clients").expect("it was made");
        setns(namespace, CloneFlags::CLONE_NEWNET).expect("root may");
        work()
    };
    thread::scope(|scope| scope.spawn(enter).join().expect("it does not panic"))
}

/// A socket of a client, for the server's address of its family.
fn socket(client: &str) -> UdpSocket {
    let client: IpAddr = client.parse().expect("an address");
    let server = if client.is_ipv4() { SERVER_4 } else { SERVER_6 };
    let socket = at_clients(|| UdpSocket::bind((client, 0))).expect("any port");
    socket.connect((server.parse::<IpAddr>().expect("an address"), 53)).expect("a route");
    socket.set_read_timeout(Some(Duration::from_secs(2))).expect("not zero");
    socket
}

fn query(id: u16, name: &str, qtype: u16, is_edns: bool) -> Vec<u8> {
    let mut query = [id, 0x0100, 1, 0, 0, is_edns.into()].map(u16::to_be_bytes).concat();
    for label in name.split('.') {
        query.push(label.len() as u8);
        query.extend(label.as_bytes());
    }
    query.push(0);
    query.extend([qtype, 1].map(u16::to_be_bytes).concat());
    if is_edns {
        query.extend([0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
    }
    query
}

/// Queries of all kinds, each with a number of its own, and a few thousand random ones.
fn queries() -> Vec<Vec<u8>> {
    let names = [
        "2.0.0.127.l.example",
        "9.2.0.192.l.example",
        "1.0.0.127.l.example",
        "0.192.l.example",
        "l.example",
        "long.example.n.example",
        "late.example.n.example",
        "9.2.0.192.closed.example",
        "other.test",
    ];
    let mut queries = Vec::new();
    for name in names {
        for qtype in [1, 16, 28, 6, 2, 255] {
            for is_edns in [false, true] {
                queries.push(query(queries.len() as u16, name, qtype, is_edns));
            }
        }
    }
    let mut random = Random::new(24);
    for _ in 0..300 {
        let mut bytes = queries[random.below(108)].clone();
        match random.below(4) {
            0 => bytes.truncate(random.below(bytes.len())),
            1 => bytes.extend(vec![b'x'; random.below(1100)]),
            _ => {
                let at = 2 + random.below(bytes.len() - 2);
                bytes[at] = random.below(256) as u8;
            }
        }
        if let Some(id) = bytes.first_chunk_mut() {
            *id = (queries.len() as u16).to_be_bytes();
        }
        queries.push(bytes);
    }
    queries
}

/// Asks all, some at a time: the answer to each number.
fn ask_all(socket: &UdpSocket, queries: &[Vec<u8>]) -> BTreeMap<u16, Vec<u8>> {
    let mut answers = BTreeMap::new();
    let mut buffer = [0; 4096];
    let mut take = |time: Duration| {
        socket.set_read_timeout(Some(time)).expect("not zero");
        while let Ok(len) = socket.recv(&mut buffer) {
            let id = u16::from_be_bytes([buffer[0], buffer[1]]);
            assert_eq!(answers.insert(id, buffer[..len].to_vec()), None, "two answers");
        }
    };
    for some in queries.chunks(32) {
        some.iter().for_each(|query| assert_eq!(socket.send(query).expect("a route"), query.len()));
        take(Duration::from_millis(20));
    }
    take(Duration::from_millis(1300));
    answers
}

/// One question; fails if it is not answered within two seconds.
fn ask(socket: &UdpSocket, name: &str) -> Vec<u8> {
    socket.send(&query(7, name, 1, false)).expect("a route");
    let mut buffer = [0; 512];
    let len = socket.recv(&mut buffer).expect("an answer");
    buffer[..len].to_vec()
}

fn is_listed(answer: &[u8]) -> bool {
    answer[3] & 15 == 0 && answer[7] == 1
}

/// The datagrams over IPv4 and IPv6 that the kernel's stack has given to sockets of the server's machine, and has taken
/// from them.
fn of_stack() -> (u64, u64) {
    let snmp = fs::read_to_string("/proc/net/snmp").expect("Linux");
    let udp = snmp.lines().rfind(|line| line.starts_with("Udp:")).expect("it has UDP");
    let of_4 = |at: usize| udp.split(' ').nth(at).and_then(|it| it.parse::<u64>().ok());
    let snmp = fs::read_to_string("/proc/net/snmp6").expect("Linux");
    let of_6 = |name: &str| {
        let line = snmp.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|it| it.trim().parse::<u64>().ok())
    };
    let sum =
        |of_4: Option<u64>, of_6: Option<u64>| of_4.expect("a number") + of_6.expect("a number");
    (sum(of_4(1), of_6("Udp6InDatagrams")), sum(of_4(4), of_6("Udp6OutDatagrams")))
}

/// What `dnsbld status` prints with these options, of a server whose control socket is `queries/control`.
fn status(daemon: &Daemon, options: &[&str]) -> String {
    let socket = daemon.path("queries/control");
    let socket = socket.to_str().expect("ASCII");
    dnsbld(&daemon.path("."), &[&["status", "--socket", socket], options].concat()).out
}

/// What it tells of the first device.
fn device(daemon: &Daemon) -> Value {
    let text = status(daemon, &["--json"]);
    let status: Value = serde_json::from_str(&text).expect(&text);
    status["server"]["xdp"][0].clone()
}

/// The sum of a figure over the workers of a device, by its path in the status of one.
fn sum(device: &Value, path: &str) -> u64 {
    let workers = device["workers"].as_array().expect("a list");
    let figure = |worker: &Value| worker.pointer(path)?.as_u64();
    workers.iter().map(|worker| figure(worker).expect("a number")).sum()
}

/// Whether the server takes queries past the stack.
fn is_attached() -> bool {
    run(Command::new("ip").args(["link", "show", "server"])).contains(" xdp ")
}

/// Starts the server. `None`, and a word, where the kernel has no such sockets.
fn start(setup: Setup) -> Option<Daemon> {
    let daemon = setup.start();
    if daemon.log().contains("it takes a kernel") {
        skip("the kernel has no AF_XDP");
        return None;
    }
    assert_eq!(daemon.log_lines(&["xdp-started"]).len(), 1, "{}", daemon.log());
    assert!(is_attached());
    Some(daemon)
}

/// The lines of the query log of a server that has ended, without the time, sorted.
fn logged(setup: &Setup) -> Vec<String> {
    let text = fs::read_to_string(setup.path("queries/log")).expect("there is one");
    let mut lines: Vec<String> =
        text.lines().map(|line| line.split_once(' ').unwrap_or_default().1.to_owned()).collect();
    lines.sort();
    lines
}

#[test]
fn answers_are_those_of_the_sockets_byte_for_byte() {
    sealed(|| {
        linked(|| {
            let queries = queries();
            let mut seen = Vec::new();
            for xdp in ["xdp = ['server']", ""] {
                let setup = setup(&format!("query-log = 'queries/log'\n{xdp}"));
                let daemon = match xdp.is_empty() {
                    true => setup.start(),
                    false => match start(setup) {
                        Some(daemon) => daemon,
                        None => return,
                    },
                };
                let before = of_stack();
                let answers = thread::scope(|scope| {
                    let queries = &queries;
                    let ask = |client| scope.spawn(move || ask_all(&socket(client), queries));
                    CLIENTS.map(ask).map(|answers| answers.join().expect("no panic"))
                });
                let after = of_stack();
                let (taken_in, sent) = (after.0 - before.0, after.1 - before.1);
                let late = answers.iter().map(|answers| {
                    let is_late = |it: &&Vec<u8>| it.windows(6).any(|part| part == b"\x04late\x07");
                    answers.values().filter(is_late).count() as u64
                });
                let late = late.sum::<u64>();
                assert!(late > 20);
                if xdp.is_empty() {
                    assert!(taken_in >= 4 * 108, "{taken_in}");
                } else {
                    assert_eq!(taken_in, 0, "the sockets had some");
                    // Those that come later, but not all that ask for this name do.
                    assert!((1..=late).contains(&sent), "{sent} of {late}");
                }
                seen.push((answers, logged(&daemon.stop())));
            }
            let [(with, log_with), (without, log_without)] = &seen[..] else { panic!("two runs") };
            for ((client, with), without) in CLIENTS.iter().zip(with).zip(without) {
                for (number, query) in queries.iter().enumerate() {
                    let id = query.first_chunk().map_or(0, |id| u16::from_be_bytes(*id));
                    if usize::from(id) == number {
                        assert_eq!(with.get(&id), without.get(&id), "{client} {query:02x?}");
                    }
                }
                assert!(with.len() > 108, "{client}: {}", with.len());
            }
            assert!(log_with.len() > 1000);
            assert_eq!(log_with, log_without, "the query log");
        });
    });
}

#[test]
fn what_is_no_query_for_us_goes_its_usual_way() {
    sealed(|| {
        linked(|| {
            let Some(_daemon) = start(setup("xdp = ['server', 'nosuch', 'lo']")) else { return };
            let before = of_stack();
            // In fragments, and to a port that nobody has.
            let socket = socket(CLIENTS[0]);
            socket.send(&query(1, "l.example", 6, false).repeat(100)).expect("a route");
            assert!(wait_until(Duration::from_secs(2), || of_stack().0 > before.0), "a fragment");
            let other = at_clients(|| UdpSocket::bind("10.9.0.2:0")).expect("any port");
            other.connect("10.9.0.1:54").expect("a route");
            other.set_read_timeout(Some(Duration::from_secs(2))).expect("not zero");
            other.send(b"x").expect("a route");
            let error = other.recv(&mut [0]).expect_err("nobody answers");
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
            for address in [SERVER_4, SERVER_6] {
                run(Command::new("ip")
                    .args(["netns", "exec", "clients"])
                    .args(["ping", "-c", "1", "-W", "2", address]));
                let address = SocketAddr::new(address.parse().expect("an address"), 53);
                let mut stream = at_clients(|| TcpStream::connect(address)).expect("it listens");
                let query = query(9, "2.0.0.127.l.example", 1, false);
                stream.write_all(&(query.len() as u16).to_be_bytes()).expect("it takes it");
                stream.write_all(&query).expect("it takes it");
                let mut answer = [0; 14];
                stream.read_exact(&mut answer).expect("an answer");
                assert!(is_listed(&answer[2..]));
            }
        });
    });
}

/// A proxy says whom it asks for, and access lists see that client.
#[test]
fn the_client_of_a_proxy_is_seen_past_the_stack() {
    sealed(|| {
        linked(|| {
            let settings = "xdp = ['server']\nproxies = ['10.9.0.2', 'fd09::2']";
            let Some(daemon) = start(setup(settings)) else { return };
            let before = of_stack();
            for proxy in ["10.9.0.2", "fd09::2"] {
                let socket = socket(proxy);
                let ask = |client: &str| {
                    let query = query(7, "9.2.0.192.closed.example", 1, false);
                    socket
                        .send(
                            &[proxy_header(client.parse().expect("an address"), false), query]
                                .concat(),
                        )
                        .expect("a route");
                    let mut buffer = [0; 512];
                    let len = socket.recv(&mut buffer).ok()?;
                    Some((buffer[3] & 15, is_listed(&buffer[..len])))
                };
                for client in ["10.9.0.9", "fd09::9"] {
                    assert_eq!(ask(client), Some((0, true)), "{client} by {proxy}");
                }
                assert_eq!(ask("10.9.0.3"), Some((5, false)), "REFUSED by {proxy}");
                socket.send(&query(7, "2.0.0.127.l.example", 1, false)).expect("a route");
                socket.set_read_timeout(Some(Duration::from_millis(300))).expect("not zero");
                assert!(
                    socket.recv(&mut [0; 512]).is_err(),
                    "{proxy} does not say whom it asks for"
                );
            }
            assert_eq!(of_stack().0, before.0, "the sockets had some");
            daemon.expect_log(&["event=\"proxy-header-missing\""], LIMIT);
        });
    });
}

#[test]
fn answers_that_do_not_fit_the_device_leave_by_the_sockets() {
    sealed(|| {
        linked(|| {
            run(Command::new("ip").args(["link", "set", "server", "mtu", "600"]));
            let Some(_daemon) = start(setup("xdp = ['server']")) else { return };
            let socket = socket(CLIENTS[0]);
            let before = of_stack();
            let mut buffer = [0; 2048];
            socket.send(&query(1, "long.example.n.example", 16, true)).expect("a route");
            let len = socket.recv(&mut buffer).expect("an answer in fragments");
            assert!(len > 600, "{len}");
            assert_eq!(of_stack(), (before.0, before.1 + 1));
            assert!(is_listed(&ask(&socket, "2.0.0.127.l.example")));
            assert_eq!(of_stack(), (before.0, before.1 + 1));
        });
    });
}

#[test]
fn a_reload_under_load_costs_no_answer() {
    sealed(|| {
        linked(|| {
            let Some(daemon) =
                start(setup("xdp = ['server']\ncheck-interval = '100ms'\nquiet-period = 0"))
            else {
                return;
            };
            let before = of_stack();
            let is_done = AtomicBool::new(false);
            thread::scope(|scope| {
                let clients = CLIENTS.map(|client| {
                    let (socket, is_done) = (socket(client), &is_done);
                    scope.spawn(move || {
                        let mut asked = 0;
                        while !is_done.load(Ordering::Relaxed) {
                            assert!(is_listed(&ask(&socket, "2.0.0.127.l.example")));
                            asked += 1;
                        }
                        asked
                    })
                });
                let socket = socket(CLIENTS[0]);
                for number in 1..=5 {
                    daemon.write("list", format!("127.0.0.2\n198.51.100.{number}\n"));
                    let name = format!("{number}.100.51.198.l.example");
                    let new =
                        wait_until(Duration::from_secs(5), || is_listed(&ask(&socket, &name)));
                    assert!(new, "{}", daemon.log());
                }
                daemon.reload();
                is_done.store(true, Ordering::Relaxed);
                let asked: u64 =
                    clients.map(|client| client.join().expect("no panic")).iter().sum();
                assert!(asked > 100, "{asked}");
            });
            assert_eq!(of_stack().0, before.0, "the sockets had some");
        });
    });
}

#[test]
fn nothing_is_left_behind_and_a_restart_takes_the_device_again() {
    sealed(|| {
        linked(|| {
            let Some(mut daemon) = start(setup("xdp = ['server']")) else { return };
            let socket = socket(CLIENTS[0]);
            socket.set_read_timeout(Some(Duration::from_millis(300))).expect("not zero");
            let is_done = AtomicBool::new(false);
            let _daemon = thread::scope(|scope| {
                // They take no notice of what becomes of their queries.
                let load = scope.spawn(|| {
                    let sockets = CLIENTS.map(self::socket);
                    while !is_done.load(Ordering::Relaxed) {
                        for socket in &sockets {
                            let _ = socket.send(&query(3, "2.0.0.127.l.example", 1, false));
                        }
                        thread::sleep(Duration::from_millis(1));
                    }
                });
                for signal in [Signal::KILL, Signal::TERM, Signal::KILL, Signal::TERM] {
                    // Under load, the first may be lost.
                    let answers = || {
                        socket.send(&query(7, "2.0.0.127.l.example", 1, false)).expect("a route");
                        socket.recv(&mut [0; 512]).is_ok()
                    };
                    assert!(wait_until(Duration::from_secs(10), answers));
                    let start_of_end = Instant::now();
                    daemon.signal(signal);
                    let setup = daemon.ended();
                    assert!(start_of_end.elapsed() < Duration::from_secs(3));
                    let gone = wait_until(Duration::from_secs(2), || !is_attached());
                    assert!(gone, "the program stays after {signal:?}");
                    daemon = start(setup).expect("as before");
                }
                is_done.store(true, Ordering::Relaxed);
                load.join().expect("no panic");
                daemon
            });
            let (before, other) = (of_stack(), self::socket(CLIENTS[1]));
            assert!(is_listed(&ask(&other, "2.0.0.127.l.example")));
            assert_eq!(of_stack().0, before.0, "the sockets had it");
        });
    });
}

#[test]
fn the_status_and_the_metrics_tell_what_came_by_each_device_and_what_was_lost() {
    sealed(|| {
        linked(|| {
            let settings = "xdp = ['server', 'nosuch']\ncontrol = 'queries/control'\n\
                            [http]\nlisten = ['127.0.0.1:9153']";
            let Some(daemon) = start(setup(settings)) else { return };
            let sockets = CLIENTS.map(socket);
            let passed = sum(&device(&daemon), "/passed");
            for socket in &sockets {
                for _ in 0..10 {
                    ask(socket, "2.0.0.127.l.example");
                }
            }
            let ping = ["netns", "exec", "clients", "ping", "-c", "3", "-i", "0.01", SERVER_4];
            run(Command::new("ip").args(ping));
            let seen = device(&daemon);
            assert_eq!((&seen["mode"], &seen["queues"]), (&"copy".into(), &2.into()), "{seen}");
            assert_eq!(seen["workers"][1]["queue"], 1, "{seen}");
            assert_eq!((sum(&seen, "/answers"), sum(&seen, "/lost/dropped")), (40, 0), "{seen}");
            assert!(sum(&seen, "/passed") >= passed + 3, "{seen}");

            // More than there is memory for, while nobody takes them.
            daemon.signal(Signal::STOP);
            let is_stopped = || {
                let status = fs::read_to_string(format!("/proc/{}/status", daemon.id()));
                status.expect("it is there").contains("State:\tT")
            };
            assert!(wait_until(LIMIT, is_stopped));
            for _ in 0..3000 {
                sockets[0].send(&query(7, "2.0.0.127.l.example", 1, false)).expect("a route");
            }
            daemon.signal(Signal::CONT);
            let answered = || sum(&device(&daemon), "/answers");
            assert!(wait_until(LIMIT, || answered() >= 40 + 1024), "{}", answered());
            let seen = device(&daemon);
            let dropped = sum(&seen, "/lost/dropped");
            assert!(dropped > 0 && answered() + dropped <= 3040, "{seen}");
            assert_eq!(sum(&seen, "/lost/no_frame"), dropped, "{seen}");
            assert_eq!(sum(&seen, "/lost/invalid"), 0, "{seen}");

            let mut stream = TcpStream::connect("127.0.0.1:9153").expect("it listens");
            stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("it reads");
            let mut metrics = String::new();
            stream.read_to_string(&mut metrics).expect("text");
            for (name, label, want) in [
                ("queues", "", 2),
                ("workers", "", 2),
                ("answers_total", "", answered()),
                ("lost_frames_total", ",reason=\"dropped\"", dropped),
                ("lost_frames_total", ",reason=\"ring-full\"", sum(&seen, "/lost/ring_full")),
            ] {
                let line = format!("\ndnsbld_xdp_{name}{{device=\"server\"{label}}} {want}\n");
                assert!(metrics.contains(&line), "{line} {metrics}");
            }
            assert!(metrics.contains("\ndnsbld_xdp_workers{device=\"nosuch\"} 0\n"), "{metrics}");
            let text = status(&daemon, &[]);
            for want in [
                "\nxdp server: 2 of 2 queues past the kernel's stack, with copies; ",
                "\nxdp nosuch: the sockets have its queries: the device cannot be used: ",
            ] {
                assert!(text.contains(want), "{text}");
            }
        });
    });
}

/// A device that came back by its name was told as the one whose queries are taken.
#[test]
fn of_a_device_that_is_gone_it_is_told_that_the_sockets_serve() {
    sealed(|| {
        linked(|| {
            let settings = "xdp = ['server']\ncontrol = 'queries/control'";
            let Some(daemon) = start(setup(settings)) else { return };
            assert!(is_listed(&ask(&socket(CLIENTS[0]), "2.0.0.127.l.example")));
            let told = |queues: u64| {
                let seen = device(&daemon);
                let reason = seen["reason"].as_str().expect("one").to_owned();
                assert!(
                    reason.starts_with("the device that they were taken from is gone; "),
                    "{seen}"
                );
                assert_eq!((&seen["mode"], &seen["queues"]), (&"sockets".into(), &queues.into()));
                assert_eq!(seen["workers"].as_array().map(Vec::len), Some(0), "{seen}");
            };
            run(Command::new("ip").args(["link", "delete", "server"]));
            told(0);
            run(Command::new("ip").args(["netns", "delete", "clients"]));
            run(Command::new("sh").args(["-ec", LINK]));
            told(2);
            let before = of_stack();
            assert!(is_listed(&ask(&socket(CLIENTS[0]), "2.0.0.127.l.example")));
            assert_eq!(of_stack().0, before.0 + 1, "a socket has it");
        });
    });
}

/// The old server has the device until it ends; after that, the new one answers by the sockets.
#[test]
fn a_server_in_place_of_another_serves_by_the_sockets_and_says_how_to_get_the_device() {
    sealed(|| {
        linked(|| {
            // Its user may write there.
            let settings = "xdp = ['server']\ncontrol = 'queries/control'";
            let Some(daemon) = start(setup(settings)) else { return };
            let mut command = daemon.command();
            let new = Process::start(command.arg("--replace"), &daemon.path("new"));
            let took_over = || new.out().contains("event=\"took-over\"");
            assert!(wait_until(LIMIT, took_over), "{}", new.out());
            assert!(wait_until(LIMIT, || !is_attached()), "the old one has ended");
            let (before, socket) = (of_stack(), socket(CLIENTS[0]));
            assert!(is_listed(&ask(&socket, "2.0.0.127.l.example")));
            assert_eq!(of_stack().0, before.0 + 1, "the sockets had it");
            let told = "if that is of the server that this one replaces, restart without --replace";
            assert_eq!(new.out().matches(told).count(), 1, "{}", new.out());
        });
    });
}

#[test]
fn without_capabilities_or_a_device_the_sockets_serve() {
    sealed(|| {
        linked(|| {
            let mut setup = Setup::new();
            setup.as_ordinary_user();
            setup.write("list", "127.0.0.2\n");
            setup.write(
                "dnsbld.toml",
                "[server]\nlisten = ['0.0.0.0:5300']\nxdp = ['server', 'nosuch', 'lo']\n\
                 [[dataset]]\nname = 'list'\ntype = 'ip4set'\nfiles = ['list']\n\
                 [[zone]]\nname = 'l.example'\ndatasets = ['list']\n",
            );
            let daemon = setup.start();
            assert!(!is_attached());
            let told = |device: &str, remedy: &str| {
                let lines =
                    daemon.log_lines(&["xdp-unavailable", &format!(" xdp {device}: "), remedy]);
                assert_eq!(lines.len(), 1, "{}", daemon.log());
            };
            told("server", "CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF");
            told("nosuch", "name a network device of this machine");
            told("lo", "name an Ethernet device");
            let socket = at_clients(|| UdpSocket::bind("10.9.0.2:0")).expect("any port");
            socket.connect("10.9.0.1:5300").expect("a route");
            socket.set_read_timeout(Some(Duration::from_secs(2))).expect("not zero");
            assert!(is_listed(&ask(&socket, "2.0.0.127.l.example")));
        });
    });
}

/// Who needs root for nothing else has these three, and none once it serves.
#[test]
fn three_capabilities_are_enough_and_are_given_up() {
    sealed(|| {
        linked(|| {
            // Its usual control socket would stay in the temporary folder.
            let setup = setup("xdp = ['server']\ncontrol = 'off'");
            let capabilities = "-all,+net_bind_service,+net_raw,+net_admin,+bpf";
            let served = setup.command();
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid", "54321", "--regid", "54322", "--clear-groups"])
                .args(["--inh-caps", capabilities, "--ambient-caps", capabilities])
                .args(["--bounding-set", capabilities])
                .arg(served.get_program())
                .args(served.get_args())
                .current_dir(setup.path("."));
            let mut process = Process::start(&mut command, &setup.path("log"));
            process.wait(LIMIT, |process| process.out().contains("ready after"));
            if process.out().contains("it takes a kernel") {
                return skip("the kernel has no AF_XDP");
            }
            assert!(process.out().contains("xdp-started"), "{}", process.out());
            let status = fs::read_to_string(format!("/proc/{}/status", process.id()));
            let status = status.expect("it runs");
            for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
                assert!(status.contains(&format!("{set}:\t{:016x}\n", 0)), "{status}");
            }
            let before = of_stack();
            assert!(is_listed(&ask(&socket(CLIENTS[0]), "2.0.0.127.l.example")));
            assert_eq!(of_stack().0, before.0, "the sockets had it");
        });
    });
}

#[test]
fn the_drop_in_is_the_one_that_the_page_shows() {
    let drop_in = include_str!("../deploy/xdp.conf");
    let page = include_str!("../docs/xdp.md");
    let settings: Vec<&str> =
        drop_in.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert!(settings.len() > 4);
    let shown = page.split("```ini\n").nth(1).and_then(|rest| rest.split("```").next());
    let shown: Vec<&str> = shown.expect("a block").lines().map(str::trim).collect();
    assert_eq!(shown[..shown.len() - 1], settings);
}
