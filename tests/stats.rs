//! Statistics and the query log of the real binary: beside Debian's rbldnsd line by line, under
//! several workers, over reloads and rotations, and with a reader that does not read.

use crate::common::{
    Client, Daemon, Process, Setup, as_nobody, dig, make_certificate, query, wait_until,
};
use hickory_proto::rr::RecordType;
use rustix::process::Signal;
use std::collections::HashMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

const LIST: &str = "$SOA 3000 ns.bl.test admin.bl.test 1 600 300 86400 300\n\
                    :2:listed $\n192.0.2.1\n192.0.2.16/28 :3:net\n";

/// The log line of a zone, or of all queries.
fn told(daemon: &Daemon, head: &str) -> String {
    daemon.expect_log(&[head], SOON);
    let line = daemon.log_lines(&[head]).pop().unwrap();
    line[line.find(": tot=").unwrap() + 2..].to_owned()
}

/// The first word of each line, which is a time, is taken off; all the times must be of the last
/// minutes.
fn without_times(text: &str) -> Vec<String> {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    text.lines()
        .map(|line| {
            let (time, rest) = line.split_once(' ').unwrap_or((line, ""));
            let time: u64 = time.parse().unwrap_or_else(|_| panic!("no time in {line:?}"));
            assert!((now - 600..=now).contains(&time), "{line:?}");
            rest.to_owned()
        })
        .collect()
}

/// The statistics in a log, without what stands before them and without their times.
fn stats_lines(log: &str) -> Vec<String> {
    let lines = log.lines().filter_map(|line| line.split_once("stats for "));
    lines
        // rbldnsd names no event.
        .map(|(_, line)| line.split(" event=").next().unwrap_or_default())
        .map(|line| line.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned())
        .collect()
}

/// Queries both servers answer alike, and some that neither answers.
fn questions() -> Vec<Vec<u8>> {
    let ask = |name: &str, rtype: u16| query(7, name, RecordType::from(rtype));
    let class = |mut message: Vec<u8>, class: u8| {
        *message.last_mut().unwrap() = class;
        message
    };
    let edit = |mut message: Vec<u8>, at: usize, byte: u8| {
        message[at] = byte;
        message
    };
    let odd = b"\x05a.\"$;\x04\x01@ \\\x03b\xe4r\x02bl\x04test\0\0\x01\0\x01";
    vec![
        ask("1.2.0.192.bl.test", 1),
        ask("17.2.0.192.BL.test", 16),
        ask("1.2.0.192.bl.test", 28),
        ask("1.2.0.192.bl.test", 0),
        ask("2.2.0.192.bl.test", 1),
        ask("2.2.0.192.bl.test", 99),
        ask("17.2.0.192.ot\u{24}her.test", 255),
        ask("bl.test", 6),
        ask("org", 1),
        ask("", 2),
        ask("1.2.0.192.bl.test", 252),
        class(ask("version.bind", 16), 3),
        class(ask("version.test", 16), 3),
        class(ask("1.2.0.192.bl.test", 1), 4),
        class(ask("1.2.0.192.bl.test", 1), 77),
        class(ask("1.2.0.192.bl.test", 1), 255),
        [&query(7, "", RecordType::A)[..12], &odd[..]].concat(),
        edit(ask("1.2.0.192.bl.test", 1), 2, 0x81),
        b"short".to_vec(),
    ]
}

/// Sends all, one after the other, and then a question whose answer tells that the server has seen
/// them all: those of one socket go to one worker, which answers and logs them in their order.
fn ask_all(socket: &UdpSocket, questions: &[Vec<u8>]) {
    const LAST: u16 = 9;
    for question in questions {
        socket.send(question).unwrap();
    }
    socket.send(&query(LAST, "1.2.0.192.bl.test", RecordType::A)).unwrap();
    let mut answer = [0; 2048];
    while answer[..2] != LAST.to_be_bytes() {
        socket.recv(&mut answer).unwrap();
    }
}

/// What one server wrote: the query log, the statistics file, its own log.
#[derive(PartialEq, Debug)]
struct Written {
    queries: Vec<String>,
    stats: Vec<String>,
    log: Vec<String>,
}

/// Questions, USR1, questions, USR2, a question, TERM.
fn go_through(addr: SocketAddr, stats: &Path, signal: impl Fn(Signal)) {
    let lines = |want| {
        let lines = || fs::read_to_string(stats).unwrap_or_default().lines().count();
        assert!(wait_until(SOON, || lines() >= want), "{want}: {:?}", fs::read_to_string(stats));
    };
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect(addr).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    lines(1);
    ask_all(&socket, &questions());
    signal(Signal::USR1);
    lines(2);
    ask_all(&socket, &questions()[..3]);
    signal(Signal::USR2);
    lines(4);
    ask_all(&socket, &questions()[..1]);
    signal(Signal::TERM);
    lines(6);
}

/// Of Debian's rbldnsd, or of dnsbld under its name.
fn of_rbldnsd(program: &Path, plus: &str) -> Written {
    let folder = crate::common::temp_dir();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(folder.path().join("list"), LIST).unwrap();
    let path = |name: &str| folder.path().join(name);
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, crate::common::free_port()));
    let mut command = Command::new(program);
    command.args(["-n", "-a", "-v", "-c", "0", "-w"]).arg(folder.path());
    command.args(as_nobody().split_whitespace());
    command.args(["-b", &format!("127.0.0.1/{}", addr.port())]);
    command.args(["-l", &format!("{plus}queries"), "-s", &format!("{plus}stats")]);
    command.args(["bl.test:ip4set:list", "ot$her.test:ip4set:list"]);
    let mut process = Process::start(&mut command, &path("log"));
    go_through(addr, &path("stats"), |signal| process.signal(signal));
    assert!(wait_until(SOON, || process.has_ended()));
    written(folder.path())
}

fn of_dnsbld(plus: &str) -> Written {
    let setup = Setup::new();
    let on = !plus.is_empty();
    setup.write("list", LIST);
    setup.configure_lists(
        &format!(
            "version = \"rbldnsd\"\nworkers = 2\nquery-log = \"queries\"\nquery-log-flush = {on}\n\
             stats-file = \"stats\"\nstats-increments = {on}\nstats-interval = 0"
        ),
        &["bl.test", "ot$her.test"].map(|zone| (zone.into(), "list".into())),
    );
    let text = fs::read_to_string(setup.path("dnsbld.toml")).unwrap();
    let text = text.replace("name = \"ot$her.test\"\ntype", "name = \"other\"\ntype");
    let text = text.replace("datasets = [\"ot$her.test\"]", "datasets = [\"other\"]");
    setup.write("dnsbld.toml", text);
    let mut daemon = setup.start();
    go_through(daemon.addr(), &daemon.path("stats"), |signal| daemon.signal(signal));
    // The query log is whole when the server has ended.
    let folder = daemon.path("");
    assert!(wait_until(SOON, || daemon.has_ended()));
    written(&folder)
}

fn written(folder: &Path) -> Written {
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    Written {
        queries: without_times(&read("queries")),
        stats: without_times(&read("stats")),
        log: stats_lines(&read("log")),
    }
}

#[test]
fn all_that_is_written_is_what_rbldnsd_writes() {
    let folder = crate::common::temp_dir();
    let personality = folder.path().join("rbldnsd");
    symlink(env!("CARGO_BIN_EXE_dnsbld"), &personality).unwrap();
    for plus in ["", "+"] {
        let want = of_rbldnsd(Path::new("/usr/sbin/rbldnsd"), plus);
        // Two questions are not answered, and there is one more each time.
        assert_eq!(want.queries.len(), questions().len() - 2 + 3 + 1 + 3);
        for got in [of_dnsbld(plus), of_rbldnsd(&personality, plus)] {
            for (got, want) in got.queries.iter().zip(&want.queries) {
                assert_eq!(got, want);
            }
            assert_eq!(got, want, "{plus:?}");
        }
    }
}

/// A server of `bl.test` with two workers, a query log and these settings.
fn serve(server: &str) -> Daemon {
    let setup = Setup::new();
    setup.write("list", LIST);
    let server = format!("workers = 2\nquery-log = \"queries\"\n{server}");
    setup.configure_lists(&server, &[("bl.test".into(), "list".into())]);
    setup.start()
}

#[test]
fn every_query_of_every_transport_is_counted_and_logged_over_a_rotation() {
    let tls = SocketAddr::from((Ipv4Addr::LOCALHOST, crate::common::free_port()));
    let setup = Setup::new();
    setup.write("list", LIST);
    make_certificate(&setup.path(""), "dns.test");
    let server = format!(
        "workers = 2\nquery-log = \"queries\"\n[server.tls]\nlisten = [\"{tls}\"]\n\
         certificate = \"tls.crt\"\nkey = \"tls.key\""
    );
    setup.configure_lists(&server, &[("bl.test".into(), "list".into())]);
    let daemon = setup.start();

    // Sockets of their own, so that both workers get some.
    const CLIENTS: usize = 20;
    const EACH: usize = 100;
    let addr = daemon.addr();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            std::thread::spawn(move || {
                let client = Client::new(addr);
                for index in 0..EACH {
                    client.ask(&format!("{index}.{number}.0.10.bl.test"), RecordType::A).unwrap();
                }
            })
        })
        .collect();
    wait_until(Duration::from_millis(300), || clients.iter().all(|client| client.is_finished()));
    fs::rename(daemon.path("queries"), daemon.path("queries.1")).unwrap();
    daemon.reload();
    clients.into_iter().for_each(|client| client.join().unwrap());
    let mut stream = TcpStream::connect(addr).unwrap();
    for _ in 0..3 {
        let message = query(1, "tcp.bl.test", RecordType::A);
        stream.write_all(&[&[0, message.len() as u8][..], &message].concat()).unwrap();
        let mut len = [0; 2];
        stream.read_exact(&mut len).unwrap();
        stream.read_exact(&mut vec![0; usize::from(u16::from_be_bytes(len))]).unwrap();
    }
    assert!(crate::common::kdig(tls, "+tls tls.bl.test A").is("NXDOMAIN"));

    daemon.signal(Signal::USR1);
    let all = CLIENTS * EACH + 4;
    assert!(told(&daemon, "secs zone bl.test").starts_with(&format!("tot={all} ok=0 nxd={all} ")));
    daemon.signal(Signal::TERM);
    let read = |name: &str| fs::read_to_string(daemon.path(name)).unwrap_or_default();
    let lines = || read("queries.1").lines().count() + read("queries").lines().count();
    assert!(wait_until(SOON, || lines() >= all), "{} of {all} lines", lines());
    let (old, new) = (read("queries.1"), read("queries"));
    assert!(!old.is_empty() && !new.is_empty(), "{} {}", old.len(), new.len());
    let mut seen: HashMap<String, usize> = HashMap::new();
    for line in without_times(&(old + &new)) {
        let name = line.split(' ').nth(1).unwrap().to_owned();
        *seen.entry(name).or_default() += 1;
    }
    assert_eq!((seen.remove("tcp.bl.test"), seen.remove("tls.bl.test")), (Some(3), Some(1)));
    assert_eq!((seen.len(), seen.values().sum()), (CLIENTS * EACH, CLIENTS * EACH));
}

#[test]
fn counts_outlive_reloads_and_zones_that_come_back() {
    let daemon = serve("");
    let lists = |zones: &[&str]| -> Vec<_> {
        zones.iter().map(|zone| (String::from(*zone), String::from("list"))).collect()
    };
    let ask = |name: &str| daemon.ask(name, RecordType::A);
    ask("1.2.0.192.bl.test");
    daemon.configure_lists("workers = 2\nquery-log = \"queries\"", &lists(&["new.test"]));
    daemon.reload();
    ask("1.2.0.192.bl.test");
    ask("1.2.0.192.new.test");
    daemon
        .configure_lists("workers = 2\nquery-log = \"queries\"", &lists(&["new.test", "bl.test"]));
    daemon.reload();
    ask("1.2.0.192.bl.test");
    ask("9.9.9.9.new.test");
    daemon.signal(Signal::USR1);
    assert!(told(&daemon, "secs zone bl.test").starts_with("tot=2 ok=2 nxd=0 err=0 "));
    assert!(told(&daemon, "secs zone new.test").starts_with("tot=2 ok=1 nxd=1 err=0 "));
    assert!(told(&daemon, "sec:").starts_with("tot=5 ok=3 nxd=1 err=1 "));
}

#[test]
fn lines_of_the_statistics_file_come_by_the_clock_and_go_on_in_a_new_file() {
    let daemon = serve("stats-file = \"stats\"\nstats-increments = true\nstats-interval = \"1s\"");
    let read = |name: &str| fs::read_to_string(daemon.path(name)).unwrap_or_default();
    assert!(wait_until(SOON, || read("stats").lines().count() >= 3));
    fs::rename(daemon.path("stats"), daemon.path("stats.1")).unwrap();
    daemon.ask("1.2.0.192.bl.test", RecordType::A);
    assert!(wait_until(SOON, || read("stats").contains("bl.test:1:1:0:35:51 *:1:1:0:35:51\n")));
    let old = without_times(&read("stats.1"));
    assert_eq!(old[0], "", "a mark at the start");
    assert!(old[1..].iter().all(|line| line == "bl.test:0:0:0:0:0 *:0:0:0:0:0"), "{old:?}");
}

/// The server waited for a reader, and obeyed no signal any more.
#[test]
fn a_statistics_file_that_is_a_pipe_without_a_reader_is_told() {
    let setup = Setup::new();
    crate::common::run(Command::new("mkfifo").arg(setup.path("stats")));
    setup.write("list", LIST);
    let server = "stats-file = \"stats\"\nstats-interval = \"1s\"";
    setup.configure_lists(server, &[("bl.test".into(), "list".into())]);
    let daemon = setup.start();
    daemon.expect_log(&["event=\"statistics-not-written\""], SOON);
    let (status, took, _) = daemon.terminate();
    assert!(status.success() && took < Duration::from_secs(5), "{status} {took:?}");
}

#[test]
fn an_alarm_writes_a_line_of_statistics() {
    let daemon = serve("stats-file = \"stats\"\nstats-interval = \"1h\"");
    let lines = || fs::read_to_string(daemon.path("stats")).unwrap_or_default().lines().count();
    let before = lines();
    daemon.signal(Signal::ALARM);
    assert!(wait_until(SOON, || lines() > before));
}

#[test]
fn a_pipe_nobody_reads_does_not_hold_up_answers() {
    let setup = Setup::new();
    crate::common::run(Command::new("mkfifo").arg(setup.path("queries")));
    setup.write("list", LIST);
    let server = "workers = 2\nquery-log = \"queries\"\nquery-log-flush = true";
    setup.configure_lists(server, &[("bl.test".into(), "list".into())]);
    // Held open, but never read.
    let reader = fs::OpenOptions::new().read(true).write(true).open(setup.path("queries"));
    let daemon = setup.start();
    let client = daemon.client();
    let long = format!("{}.{}.{}.bl.test", "$".repeat(63), "$".repeat(63), "$".repeat(63));
    for _ in 0..8000 {
        client.ask(&long, RecordType::A).expect("an answer in time");
    }
    daemon.expect_log(&["event=\"query-log-lines-lost\""], SOON);
    let (status, took, _) = daemon.terminate();
    assert!(status.success() && took < Duration::from_secs(5), "{status} {took:?}");
    drop(reader);
}

#[test]
fn a_pipe_without_a_reader_is_told_and_written_once_there_is_one() {
    let setup = Setup::new();
    crate::common::run(Command::new("mkfifo").arg(setup.path("queries")));
    setup.write("list", LIST);
    setup.configure_lists("query-log = \"queries\"", &[("bl.test".into(), "list".into())]);
    let daemon = setup.start();
    daemon.expect_log(&["query log", "event=\"query-log-failed\""], SOON);
    daemon.ask("1.2.0.192.bl.test", RecordType::A);
    let mut reader =
        fs::OpenOptions::new().read(true).write(true).open(daemon.path("queries")).unwrap();
    daemon.reload();
    daemon.ask("2.2.0.192.bl.test", RecordType::A);
    // Regression: a line that came just when the log was opened was lost, and nothing came.
    let mut text = Vec::new();
    let has_come = || {
        let mut more = vec![0; rustix::io::ioctl_fionread(&reader).expect("it is a pipe") as usize];
        reader.read_exact(&mut more).expect("it is there");
        text.extend(more);
        let lines = without_times(&String::from_utf8_lossy(&text));
        lines.iter().any(|line| line == "127.0.0.1 2.2.0.192.bl.test A IN: NXDOMAIN/0/80")
    };
    assert!(wait_until(SOON, has_come));
}

#[test]
fn the_query_log_may_go_to_standard_output() {
    let setup = Setup::new();
    setup.write("list", LIST);
    setup.configure_lists(
        "query-log = \"-\"\nquery-log-flush = true",
        &[("bl.test".into(), "list".into())],
    );
    let daemon = setup.start();
    assert!(dig(daemon.addr(), "+noedns +tcp 1.2.0.192.bl.test A").is("NOERROR"));
    daemon.expect_log(&["127.0.0.1 1.2.0.192.bl.test A IN: NOERROR/1/51"], SOON);
}
