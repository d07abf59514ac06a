//! Settings change on SIGHUP, certificates are renewed, and the server starts and ends as it
//! should.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode::{NXDomain, NoError, Refused};
use hickory_proto::rr::RecordType;
use rustix::process::Signal;
use sd_notify::NotifyState;

use super::{RATE, SOON};
use crate::common::{
    Daemon, Setup, Stream, Style, VersionedFeed, event, free_port, names_in, wait_until,
};

/// How soon a server must end.
const END: Duration = Duration::from_secs(2);

/// A file whose reading takes a second or more: behind a beginning that may be one of a list, one line of
/// zeros, where the file has no blocks.
fn write_slow_file(setup: &Setup, name: &str) {
    setup.write(name, "#\n".repeat(1 << 17));
    let file = fs::File::options().append(true).open(setup.path(name)).expect("it was made");
    file.set_len(4 << 30).expect("the file system has sparse files");
}

fn dataset(name: &str, kind: &str, file: &str) -> String {
    format!("[[dataset]]\nname = \"{name}\"\ntype = \"{kind}\"\nfiles = [\"{file}\"]\n")
}

fn zone(name: &str, dataset: &str) -> String {
    format!("[[zone]]\nname = \"{name}\"\ndatasets = [\"{dataset}\"]\n")
}

#[test]
fn settings_change_and_zones_they_leave_alone_answer_on() {
    let setup = Setup::new();
    let steady = VersionedFeed::new("steady", Style::Replaced, 300);
    setup.write("steady", steady.text(1));
    setup.write("a", "10.0.0.1 :2:a\n");
    setup.write("b", "10.0.0.1 :2:b\n");
    setup.write("junk", "@@@\n");
    let always = dataset("steady", "ip4set", "steady") + &zone("steady", "steady");
    setup.configure("", &always);
    let server = setup.start();
    let stream = Stream::start(server.addr(), std::slice::from_ref(&steady), RATE);
    let ask = |name: &str| server.ask(name, RecordType::TXT);
    let reload = |table: &str, rest: &str| {
        server.configure(table, &(always.clone() + rest));
        server.reload()
    };

    assert_eq!(ask("1.0.0.10.new.test").rcode(), Refused);
    let log = reload("", &(dataset("own", "ip4set", "a") + &zone("new.test", "own")));
    assert!(
        log.contains("event=\"setting-changed\" zone=new.test")
            && log.contains(&event("setting-changed", "own")),
        "{log}"
    );
    assert_eq!(ask("1.0.0.10.new.test").texts(), ["a"], "there when the log says so");

    let log = reload("", &(dataset("own", "ip4set", "b") + &zone("new.test", "own")));
    assert!(log.contains(&event("setting-changed", "own")), "{log}");
    assert_eq!(ask("1.0.0.10.new.test").texts(), ["b"]);
    fs::write(server.path("b"), "10.0.0.1 :2:b again\n").expect("it can be written");
    let followed = || ask("1.0.0.10.new.test").texts() == ["b again"];
    assert!(wait_until(SOON, followed), "the new file is watched: {}", server.log());

    // The same bytes in another type: a name is listed, and no address.
    let log = reload("", &(dataset("own", "dnset", "b") + &zone("new.test", "own")));
    assert!(log.contains(&event("setting-changed", "own")), "{log}");
    assert_eq!(ask("1.0.0.10.new.test").rcode(), NXDomain);
    assert_eq!(ask("10.0.0.1.new.test").texts(), ["b again"]);

    // Files that cannot be served leave what is served, and are watched.
    let log = reload("", &(dataset("own", "ip4set", "junk") + &zone("new.test", "own")));
    assert!(log.contains("1 entry loaded"), "{log}");
    assert_eq!(ask("10.0.0.1.new.test").texts(), ["b again"]);
    fs::write(server.path("junk"), "10.0.0.1 :2:junk no more\n").expect("it can be written");
    let healed = || ask("1.0.0.10.new.test").texts() == ["junk no more"];
    assert!(wait_until(SOON, healed), "{}", server.log());

    // Other rules for all: every dataset is built, even if its file is the same.
    let log =
        reload("default-ttl = 123", &(dataset("own", "ip4set", "a") + &zone("new.test", "own")));
    assert!(log.contains("server.default-ttl changes from"), "{log}");
    for name in ["1.0.0.10.steady", "1.0.0.10.new.test"] {
        assert_eq!(ask(name).ttls(), [123], "{name}");
    }

    // A mistake changes nothing, and is told with its place.
    let log = reload("default-ttl = 5\nworker = 3", &zone("new.test", "none"));
    let config = server.path("dnsbld.toml");
    let place = format!("{}:4:1: unknown key \"worker\"", config.display());
    assert!(log.contains("event=\"settings-refused\"") && log.contains(&place), "{log}");
    assert_eq!(ask("1.0.0.10.new.test").texts(), ["a"]);
    assert_eq!(ask("1.0.0.10.new.test").ttls(), [123]);
    fs::remove_file(&config).expect("it is there");
    let log = server.reload();
    assert!(log.contains("event=\"settings-refused\""), "{log}");

    // What needs a restart is said, and the rest is done.
    let text = format!("[server]\nlisten = [\"127.0.0.1:{}\"]\n{always}", free_port());
    server.write("dnsbld.toml", text);
    let log = server.reload();
    assert!(log.contains("event=\"setting-needs-restart\""), "{log}");
    assert_eq!(ask("1.0.0.10.new.test").rcode(), Refused, "the zone is gone");

    println!("{:?}", stream.finish());
    steady.check().expect("the steady zone is right all the time");
    assert_eq!(
        server.log_lines(&[&event("dataset-reloaded", "steady")]).len(),
        2,
        "for the TTL, and back"
    );
}

/// Regression: a dataset that got another name while its file was away, or being written, took its zones
/// down, or left them without their allow list.
#[test]
fn a_dataset_of_another_name_is_served_on_without_its_file() {
    let setup = Setup::new();
    setup.write("list", "10.0.0.1\n10.0.0.2\n");
    setup.write("good", "10.0.0.2\n");
    let settings = |suffix: &str| {
        let datasets = ["list", "good"]
            .map(|file| dataset(&format!("{file}{suffix}"), "ip4set", file))
            .concat();
        let zone = zone("renamed.test", &format!("list{suffix}"));
        format!("{datasets}{zone}allow = [\"good{suffix}\"]\n")
    };
    setup.configure("state-dir = \"state\"", &settings(""));
    let server = setup.start();
    let expect = |server: &Daemon| {
        let code = |name: &str| server.ask(name, RecordType::A).rcode();
        assert_eq!(code("1.0.0.10.renamed.test"), NoError, "{}", server.log());
        assert_eq!(code("2.0.0.10.renamed.test"), NXDomain, "{}", server.log());
    };
    expect(&server);
    for file in ["list", "good"] {
        fs::remove_file(server.path(file)).expect("it is there");
    }
    server.configure("state-dir = \"state\"", &settings("-again"));
    server.reload();
    expect(&server);
    server
        .expect_log(&[&event("dataset-refused", "list-again"), "there is no such file"], 2 * SOON);
    let kept = || names_in(&server.path("state/snapshots"));
    let is_renamed = |name: &&String| name.contains("-again-") && name.ends_with(".snapshot");
    let are_kept = || kept().iter().filter(is_renamed).count() == 2;
    assert!(wait_until(SOON, are_kept), "{:?}", kept());
    expect(&server.restart());
}

/// Regression: a dataset that could not be built by new settings, and then got another name, passed for built by
/// these when its file came back.
#[test]
fn a_dataset_of_another_name_is_built_by_the_settings_of_now() {
    let setup = Setup::new();
    setup.write("list", "10.0.0.1\n");
    let settings = |name: &str, a: &str| {
        dataset(name, "ip4set", "list")
            + &format!("default-a = \"{a}\"\n")
            + &zone("own.test", name)
    };
    setup.configure("state-dir = \"state\"", &settings("old", "127.0.0.2"));
    let server = setup.start();
    let addresses = |server: &Daemon| {
        let reply = server.ask("1.0.0.10.own.test", RecordType::A);
        reply.addresses().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let (list, away) = (server.path("list"), server.path("away"));
    fs::rename(&list, &away).expect("it is there");
    for name in ["old", "new"] {
        server.configure("state-dir = \"state\"", &settings(name, "127.0.0.9"));
        server.reload();
        assert_eq!(addresses(&server), ["127.0.0.2"], "{}", server.log());
    }
    fs::rename(&away, &list).expect("it is there");
    assert!(wait_until(2 * SOON, || addresses(&server) == ["127.0.0.9"]), "{}", server.log());
    let server = server.restart();
    assert_eq!(addresses(&server), ["127.0.0.9"], "{}", server.log());
}

/// A pipe in the place of the configuration held up all that the control loop does, SIGTERM included.
#[test]
fn settings_are_not_read_again_from_a_pipe() {
    let setup = Setup::new();
    setup.write("list", "10.0.0.1\n");
    setup.configure("", &(dataset("list", "ip4set", "list") + &zone("bl.test", "list")));
    let server = setup.start();
    let file = server.path("dnsbld.toml");
    fs::remove_file(&file).expect("ours");
    assert!(Command::new("mkfifo").arg(&file).status().expect("it runs").success());
    server.signal(Signal::HUP);
    server.expect_log(&["put a regular file in its place", "event=\"settings-refused\""], SOON);
    let (status, ..) = server.terminate();
    assert!(status.success());
}

/// Regression: new settings were not taken before no dataset at all was being built, and the
/// changes of other datasets not published before that.
#[test]
fn a_slow_dataset_of_new_settings_holds_up_nothing_else() {
    let setup = Setup::new();
    let feed = VersionedFeed::new("feed", Style::Replaced, 50);
    setup.write("feed", feed.text(1));
    write_slow_file(&setup, "slow");
    let always = dataset("feed", "ip4set", "feed") + &zone("feed", "feed");
    setup.configure("", &always);
    let server = setup.start();
    let stream = Stream::start(server.addr(), std::slice::from_ref(&feed), RATE);
    let slow = dataset("slow", "ip4set", "slow") + &zone("slow.test", "slow");
    server.configure("", &(always.clone() + &slow));
    server.signal(Signal::HUP);
    server.expect_log(&[&event("load-started", "slow")], SOON);
    feed.allow(2);
    fs::write(server.path("feed"), feed.text(2)).expect("it can be written");
    feed.wait_for(2, SOON).expect("it is not held up");
    assert!(
        server.log_lines(&["event=\"settings-reloaded\""]).is_empty(),
        "the slow one was too quick"
    );
    assert_eq!(server.ask("1.0.0.10.slow.test", RecordType::A).rcode(), Refused, "not yet");

    // The settings are changed back and forth meanwhile; what counts is the last.
    for _ in 0..5 {
        for rest in [String::new(), slow.clone()] {
            server.configure("", &(always.clone() + &rest));
            server.signal(Signal::HUP);
            // Signals that come at once are one.
            sleep(Duration::from_millis(20));
        }
    }
    server.configure("", &always);
    server.reload();
    assert_eq!(server.ask("1.0.0.10.slow.test", RecordType::A).rcode(), Refused);
    stream.finish();
    feed.check().expect("answers are right");
    let (status, took, log) = server.terminate();
    assert!(status.success() && took < END, "{status} after {took:?} in a big load:\n{log}");
}

/// Regression: a second SIGHUP put the settings into effect that waited for a dataset, without it.
#[test]
fn a_dataset_that_a_reload_waits_for_is_awaited_after_a_second_sighup() {
    let setup = Setup::new();
    setup.write("list", "10.0.0.1\n");
    write_slow_file(&setup, "slow");
    let always = dataset("list", "ip4set", "list") + &zone("bl.test", "list");
    setup.configure("", &always);
    let server = setup.start();
    let slow = always + &dataset("slow", "ip4set", "slow") + &zone("slow.test", "slow");
    server.configure("", &slow);
    server.signal(Signal::HUP);
    server.expect_log(&[&event("load-started", "slow")], SOON);

    server.configure("", &(slow + &zone("other.test", "slow")));
    server.signal(Signal::HUP);
    server.expect_log(&["event=\"setting-changed\" zone=other.test"], SOON);
    // The loop obeys one command after the other: what it logs now comes after the reload.
    server.signal(Signal::USR1);
    server.expect_log(&["event=\"statistics\""], SOON);
    for name in ["1.0.0.10.slow.test", "1.0.0.10.other.test"] {
        assert_eq!(server.ask(name, RecordType::A).rcode(), Refused, "{name}: not yet");
    }
    assert!(server.log_lines(&["event=\"settings-reloaded\""]).is_empty(), "{}", server.log());

    // The file ends below the reader, which is therefore soon done with it.
    server.write("slow", "10.0.0.1\n");
    for name in ["1.0.0.10.slow.test", "1.0.0.10.other.test"] {
        server.expect_code(name, NoError, Duration::from_secs(20));
    }
    assert_eq!(server.log_lines(&["event=\"settings-reloaded\""]).len(), 1, "{}", server.log());
}

#[test]
fn sigterm_ends_it_during_the_first_load_too() {
    let setup = Setup::new();
    write_slow_file(&setup, "slow");
    setup.configure("", &(dataset("slow", "ip4set", "slow") + &zone("slow.test", "slow")));
    let server = setup.launch();
    server.expect_log(&[&event("load-started", "slow")], Duration::from_secs(20));
    assert!(!server.log().contains("ready after"));
    let (status, took, log) = server.terminate();
    assert!(status.success() && took < END, "{status} after {took:?}:\n{log}");
    assert!(log.contains("event=\"stopping\""), "{log}");
}

/// A self-signed certificate with this name.
fn make_certificate(setup: &Setup, name: &str) {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    openssl.args(["-nodes", "-days", "2", "-subj", &format!("/CN={name}")]);
    openssl.args(["-keyout", "new.key", "-out", "new.pem"]).current_dir(setup.path("."));
    let output = openssl.output().expect("openssl is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for file in ["key", "pem"] {
        fs::rename(setup.path(&format!("new.{file}")), setup.path(&format!("tls.{file}")))
            .expect("openssl has written it");
    }
}

/// The subject of the certificate that a server shows.
fn subject(server: SocketAddr) -> String {
    let script = format!(
        "openssl s_client -connect {server} </dev/null 2>/dev/null | openssl x509 -noout -subject"
    );
    let output = Command::new("sh").args(["-c", &script]).output().expect("sh is there");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn a_certificate_is_renewed_and_the_end_is_soon_with_open_connections() {
    let setup = Setup::new();
    let tls = SocketAddr::from(([127, 0, 0, 1], free_port()));
    make_certificate(&setup, "first.test");
    setup.write("list", "10.0.0.1\n");
    let tables = format!(
        "[server.tls]\nlisten = [\"{tls}\"]\ncertificate = \"tls.pem\"\nkey = \"tls.key\"\n{}{}",
        dataset("list", "ip4set", "list"),
        zone("bl.test", "list")
    );
    setup.configure("", &tables);
    let server = setup.start();
    assert!(subject(tls).ends_with("first.test"), "{}", subject(tls));
    make_certificate(&server, "second.test");
    let renewed = || subject(tls).ends_with("second.test");
    assert!(wait_until(Duration::from_secs(3), renewed), "{}\n{}", subject(tls), server.log());
    server.expect_log(&["event=\"certificate-renewed\""], SOON);
    fs::write(server.path("tls.pem"), "no certificate").expect("it can be written");
    server.expect_log(&["event=\"certificate-refused\"", "tls.pem"], SOON);
    assert!(renewed());

    let mut kdig = Command::new("kdig");
    kdig.args(["+tls", "+short", "@127.0.0.1", "-p", &tls.port().to_string()]);
    let output = kdig.args(["1.0.0.10.bl.test", "A"]).output().expect("kdig is there");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "127.0.0.2\n");

    // One that says nothing over TCP, one that is in the middle of TLS, one that has finished it.
    let mut quiet = TcpStream::connect(server.addr()).expect("it listens");
    let mut greeting = TcpStream::connect(tls).expect("it listens");
    greeting.write_all(&[0x16, 3, 1, 2, 0]).expect("it is open");
    let mut client = Command::new("openssl");
    client.args(["s_client", "-connect", &tls.to_string()]).stdin(Stdio::piped());
    let mut client = client.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
    let said = BufReader::new(client.stdout.take().expect("a pipe")).lines();
    let mut said = said.map(|line| line.expect("text"));
    assert!(said.any(|line| line.starts_with("SSL handshake has read")), "no TLS");
    let (status, took, log) = server.terminate();
    // It may have ended with the connection.
    let _ = client.kill();
    client.wait().expect("it is ours");
    assert!(status.success() && took < END, "{status} after {took:?}:\n{log}");
    assert_eq!(quiet.read(&mut [0]).expect("closed in order"), 0);
}

#[test]
fn an_address_in_use_is_told_and_nothing_starts() {
    let setup = Setup::new();
    setup.write("list", "10.0.0.1\n");
    setup.configure("", &(dataset("list", "ip4set", "list") + &zone("bl.test", "list")));
    let mut command = setup.command();
    let mut refused = |protocol: &str| {
        let output = command.output().expect("it runs");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{complaint}");
        let line = format!("dnsbld: cannot listen on {} ({protocol}): ", setup.addr());
        assert!(complaint.contains(&line) && complaint.contains("in use"), "{complaint}");
    };
    let other = TcpListener::bind(setup.addr()).expect("it is free");
    refused("TCP");
    drop(other);
    let other = UdpSocket::bind(setup.addr()).expect("it is free");
    refused("UDP");
    drop(other);
    let mut second = setup.command();
    let server = setup.start();
    assert_eq!(second.output().expect("it runs").status.code(), Some(1));
    assert_eq!(server.ask("1.0.0.10.bl.test", RecordType::A).rcode(), NoError);
}

/// Regression: the report at the start was printed to a pipe that nobody read any more, which
/// ended the server.
#[test]
fn nobody_needs_to_read_the_report() {
    let setup = Setup::new();
    setup.write("list", "10.0.0.1\n");
    setup.configure("", &(dataset("list", "ip4set", "list") + &zone("bl.test", "list")));
    let mut command = setup.command();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
    drop(child.stdout.take());
    let client = crate::common::Client::new(setup.addr());
    let answers = || client.ask("1.0.0.10.bl.test", RecordType::A).is_ok();
    let answered = wait_until(Duration::from_secs(20), &answers);
    // What it says goes to a thread of its own, which says it soon after.
    sleep(Duration::from_millis(300));
    let on = answers();
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
    assert!(answered && on);
}

/// What a service manager is told.
struct Manager(UnixDatagram);

impl Manager {
    fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).expect("the path is free");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("it is not zero");
        Self(socket)
    }

    fn next(&self) -> String {
        let mut buffer = [0; 1024];
        let length = self.0.recv(&mut buffer).expect("a message comes");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }
}

/// The clock that systemd compares with, in microseconds.
fn monotonic() -> i128 {
    match NotifyState::monotonic_usec_now() {
        Ok(NotifyState::MonotonicUsec(time)) => time,
        other => panic!("there is no time: {other:?}"),
    }
}

#[test]
fn systemd_is_told_as_notify_reload_wants_it() {
    let mut setup = Setup::new();
    setup.write("list", "10.0.0.1\n");
    let manager = Manager::at(&setup.path("notify"));
    setup.environment("NOTIFY_SOCKET", setup.path("notify").to_str().expect("it is text"));
    let tables = dataset("list", "ip4set", "list") + &zone("bl.test", "list");
    setup.configure("", &tables);
    let server = setup.start();
    assert_eq!(manager.next(), "READY=1\n");
    for good in [true, false] {
        server.configure(if good { "" } else { "no-such-key = 1" }, &tables);
        let before = monotonic();
        server.signal(Signal::HUP);
        let message = manager.next();
        let time = message.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("in one message");
        let time: i128 = time.trim_end().parse().expect("a number");
        assert!((before..=monotonic()).contains(&time), "{before} {time}");
        assert_eq!(manager.next(), "READY=1\n");
    }
    let start = Instant::now();
    let (status, _, log) = server.terminate();
    assert_eq!(manager.next(), "STOPPING=1\n");
    assert!(status.success() && start.elapsed() < END, "{log}");
}
