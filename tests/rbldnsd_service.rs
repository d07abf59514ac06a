//! dnsbld under rbldnsd's name, at work: access lists, logs, Debian's service and its sockets.

use std::fs::{self, File};
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{
    Client, Foreground, LIMIT, Sandbox, as_nobody, ended, free_port, is_root, run, skip, wait_until,
};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use rustix::process::{Pid, Signal, kill_process};

/// The code and the number of addresses.
fn asked(sandbox: &Sandbox, name: &str) -> (ResponseCode, usize) {
    let reply = sandbox.client().ask(name, RecordType::A).unwrap();
    (reply.rcode(), reply.addresses().len())
}

/// Starts each of both programs in turn, waits until it answers and lets it be looked at.
fn both(sandbox: &Sandbox, line: &str, mut look: impl FnMut(&mut Foreground)) {
    let line = format!("{} -n -b @ {line}", as_nobody());
    for command in [sandbox.command(&line), sandbox.original(&line)] {
        let mut server = Foreground::start(command, &sandbox.path("out"), &sandbox.path("err"));
        assert!(wait_until(LIMIT, || sandbox.client().ask("any.test", RecordType::A).is_ok()));
        look(&mut server);
    }
}

/// Lets the server's user write.
fn open_up(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
}

#[test]
fn access_lists_are_for_a_zone_or_for_all() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("data/one"), "1.2.3.4\n").unwrap();
    let lists = [("refuse", "127/8 :refuse\n"), ("empty", "127.0.0.1 :empty\n")];
    for (name, text) in lists.into_iter().chain([("pass", ":refuse\n127/8 :pass\n")]) {
        fs::write(sandbox.path(name), text).unwrap();
    }
    let listed = "4.3.2.1";
    let refused = (ResponseCode::Refused, 0);
    let zones = "a.test:acl:refuse a.test:ip4set:data/one b.test:ip4set:data/one b.test:acl:empty \
                 c.test:ip4set:data/one c.test:acl:pass";
    let mut logs = Vec::new();
    both(&sandbox, zones, |server| {
        assert_eq!(asked(&sandbox, &format!("{listed}.a.test")), refused);
        assert_eq!(asked(&sandbox, &format!("{listed}.b.test")), (ResponseCode::NXDomain, 0));
        assert_eq!(asked(&sandbox, &format!("{listed}.c.test")), (ResponseCode::NoError, 1));
        let out = server.out();
        let loaded = |line: &&str| line.contains("acl:") && line.ends_with(": loaded");
        logs.push(out.lines().filter(loaded).map(str::to_owned).collect::<Vec<_>>());
    });
    assert_eq!((logs[0].len(), &logs[0]), (3, &logs[1]));
    both(&sandbox, ":acl:refuse z.test:ip4set:data/one", |_| {
        assert_eq!(asked(&sandbox, &format!("{listed}.z.test")), refused);
    });
}

#[test]
fn keys_are_of_the_fork() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("keys"), ":refuse\nsecret :pass\n").unwrap();
    let _server = sandbox.foreground("z.test:aclkey:keys z.test:ip4set:data/list");
    assert_eq!(asked(&sandbox, "4.3.2.1.z.test"), (ResponseCode::Refused, 0));
    assert_eq!(asked(&sandbox, "4.3.2.1.secret.z.test"), (ResponseCode::NoError, 1));
}

#[test]
fn an_access_list_that_never_loaded_answers_nobody_after_a_quick_start() {
    let sandbox = Sandbox::new();
    let server = sandbox.foreground("-q z.test:acl:missing z.test:ip4set:data/list");
    assert!(wait_until(LIMIT, || server.out().contains("zones reloaded")));
    assert!(wait_until(LIMIT, || sandbox.client().ask("z.test", RecordType::A).is_ok()));
    assert_eq!(asked(&sandbox, "4.3.2.1.z.test"), (ResponseCode::ServFail, 0));
}

#[test]
fn names_above_listed_ones_do_not_exist_in_a_dnhash() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("names"), "*.wild.tld :2:x\na.b.tld :2:x\n").unwrap();
    let _server = sandbox.foreground("h.test:dnhash:names s.test:dnset:names");
    for name in ["wild.tld", "b.tld", "tld"] {
        let none = |code| (code, 0);
        assert_eq!(
            asked(&sandbox, &format!("{name}.h.test")),
            none(ResponseCode::NXDomain),
            "{name}"
        );
        assert_eq!(
            asked(&sandbox, &format!("{name}.s.test")),
            none(ResponseCode::NoError),
            "{name}"
        );
    }
    assert_eq!(asked(&sandbox, "a.b.tld.h.test"), (ResponseCode::NoError, 1));
}

#[test]
fn queries_go_to_the_standard_output_if_wanted() {
    let sandbox = Sandbox::new();
    for option in ["-", "+-"] {
        let mut seen = Vec::new();
        both(&sandbox, &format!("-a -l {option} z.test:ip4set:data/list"), |server| {
            assert_eq!(asked(&sandbox, "4.3.2.1.z.test"), (ResponseCode::NoError, 1));
            if option == "+-" {
                assert!(wait_until(LIMIT, || server.out().contains("4.3.2.1.z.test A IN")));
            }
            server.end(Signal::TERM);
            let out = server.out();
            let line = out.lines().find(|line| line.contains("4.3.2.1.z.test A IN")).unwrap();
            let (_time, line) = line.split_once(' ').unwrap();
            seen.push(line.to_owned());
        });
        assert_eq!(seen, ["127.0.0.1 4.3.2.1.z.test A IN: NOERROR/1/48"; 2]);
    }
}

#[test]
fn a_daemon_keeps_the_standard_output_for_the_queries() {
    let sandbox = Sandbox::new();
    let line = format!("{} -p pid -b @ -l +- z.test:ip4set:data/list", as_nobody());
    let mut command = sandbox.command(&line);
    command.stdout(File::create(sandbox.path("out")).unwrap());
    let daemon = sandbox.background(ended(command));
    assert_eq!(asked(&sandbox, "4.3.2.1.z.test"), (ResponseCode::NoError, 1));
    let out = || fs::read_to_string(sandbox.path("out")).unwrap();
    assert!(wait_until(LIMIT, || out().contains(" 4.3.2.1.z.test A IN: NOERROR/1/")));
    assert_eq!(out().lines().count(), 1, "nothing else goes there: {}", out());
    daemon.signal(Signal::TERM);
    assert!(wait_until(LIMIT, || daemon.has_ended()));
}

#[test]
fn statistics_come_with_each_look_at_the_files() {
    let sandbox = Sandbox::new();
    open_up(&sandbox.path("data"));
    let mut server = sandbox.foreground("-c 1 -w data -s +stats z.test:ip4set:list");
    let stats = || fs::read_to_string(sandbox.path("data/stats")).unwrap_or_default();
    assert!(wait_until(LIMIT, || stats().lines().count() >= 3), "{}", stats());
    server.end(Signal::TERM);
    let (first, last) = (stats(), stats());
    let (first, last) = (first.lines().next().unwrap(), last.lines().last().unwrap());
    let is_mark = |line: &str| line.bytes().all(|byte| byte.is_ascii_digit());
    assert!(is_mark(first) && is_mark(last), "{}", stats());
}

#[test]
fn logs_are_the_users_and_in_the_root_folder() {
    if !is_root() {
        return skip("only root may change its root folder");
    }
    let sandbox = Sandbox::new();
    open_up(&sandbox.path("data"));
    let root = sandbox.folder.path().display().to_string();
    let daemon = sandbox.daemon(&format!("-r {root} -w data -l +q -s /data/s z.test:ip4set:list"));
    assert_eq!(asked(&sandbox, "4.3.2.1.z.test"), (ResponseCode::NoError, 1));
    daemon.signal(Signal::USR1);
    let read = |name: &str| fs::read_to_string(sandbox.path("data").join(name)).unwrap_or_default();
    assert!(wait_until(LIMIT, || read("s").contains(" z.test:1:1:0:") && !read("q").is_empty()));
    for name in ["q", "s"] {
        assert_eq!(fs::metadata(sandbox.path("data").join(name)).unwrap().uid(), 54321);
    }
}

/// A launcher that hands over datagram sockets, as systemd does, and the server under it.
struct Activated {
    process: Child,
    ports: Vec<u16>,
}

impl Activated {
    /// Starts `program` with the sockets of these addresses. It runs once somebody asks.
    fn start(
        sandbox: &Sandbox,
        hosts: &[&str],
        program: &str,
        arguments: &str,
        notify: &Path,
    ) -> Self {
        let ports: Vec<u16> = hosts.iter().map(|_| free_port()).collect();
        let mut command = Command::new("systemd-socket-activate");
        command.arg("--datagram");
        for (host, port) in hosts.iter().zip(&ports) {
            command.args(["-l", &format!("{host}:{port}")]);
        }
        if notify != Path::new("") {
            command.arg("-E").arg(format!("NOTIFY_SOCKET={}", notify.display()));
        }
        command.arg(program).args(arguments.split_whitespace());
        command.current_dir(sandbox.folder.path()).env_remove("NOTIFY_SOCKET").stdin(Stdio::null());
        command.stdout(File::create(sandbox.path("out")).unwrap());
        command.stderr(File::create(sandbox.path("err")).unwrap());
        let process = command.spawn().expect("systemd-socket-activate is of Debian's systemd");
        let err = || fs::read_to_string(sandbox.path("err")).unwrap();
        let listens = || err().matches("Listening on ").count() == hosts.len();
        assert!(wait_until(LIMIT, listens), "{}", err());
        Self { process, ports }
    }

    fn client(&self, number: usize) -> Client {
        Client::new(SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports[number])))
    }

    fn lists(&self, number: usize, name: &str) -> bool {
        let reply = self.client(number).ask(name, RecordType::A);
        reply.is_ok_and(|reply| !reply.addresses().is_empty())
    }

    fn end(&mut self) {
        let start = Instant::now();
        kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
        assert!(self.process.wait().unwrap().success());
        assert!(start.elapsed() < Duration::from_millis(900));
    }
}

impl Drop for Activated {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn sockets_of_systemd_are_served_beside_those_asked_for() {
    let sandbox = Sandbox::new();
    let line = format!("-n {} -b {} z.test:ip4set:data/list", as_nobody(), sandbox.address());
    let hosts = ["127.0.0.1", "0.0.0.0", "[::]"];
    let mut server = Activated::start(&sandbox, &hosts, "./rbldnsd", &line, Path::new(""));
    for number in 0..hosts.len() {
        assert!(wait_until(LIMIT, || server.lists(number, "4.3.2.1.z.test")), "{number}");
    }
    assert!(sandbox.listed("4.3.2.1.z.test"));
    // TCP is bound beside them.
    let words = ["@127.0.0.1", "+tcp", "+short", "4.3.2.1.z.test", "-p"];
    assert_eq!(
        run(Command::new("dig").args(words).arg(server.ports[0].to_string())),
        "127.0.0.4\n"
    );
    server.end();
    let out = fs::read_to_string(sandbox.path("out")).unwrap();
    let told =
        format!("rbldnsd: systemd socket listening on 127.0.0.1/{} (fd 3)\n", server.ports[0]);
    assert!(out.contains(&told) && out.contains("started (4 socket(s), 1 zone(s))"), "{out}");
    assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, server.ports[0])).is_ok());
}

#[test]
fn a_socket_of_systemd_serves_the_next_server_too() {
    let sandbox = Sandbox::new();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, sandbox.port)).unwrap();
    let line = format!("-n {} z.test:ip4set:data/list", as_nobody());
    for round in 0..2 {
        // As descriptor 3, of the process that the shell becomes.
        let mut command = Command::new("sh");
        command.args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec ./rbldnsd \"$@\" 3<&0", "sh"]);
        command.args(line.split_whitespace()).current_dir(sandbox.folder.path());
        command.stdin(Stdio::from(OwnedFd::from(socket.try_clone().unwrap())));
        let mut server = Foreground::start(command, &sandbox.path("out"), &sandbox.path("err"));
        assert!(wait_until(LIMIT, || sandbox.listed("4.3.2.1.z.test")), "{round}");
        assert_eq!(server.end(Signal::TERM), Some(0));
    }
}

#[test]
fn sockets_that_are_no_datagram_sockets_are_refused() {
    let sandbox = Sandbox::new();
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec ./rbldnsd -n z.test:ip4set:x 3<&0"]);
    command.stdin(Stdio::from(OwnedFd::from(socket))).current_dir(sandbox.folder.path());
    let said = ended(command);
    let want = "rbldnsd: systemd listening socket 3 is not a datagram socket\n";
    assert_eq!((said.code, said.err.as_str()), (1, want));
}

/// Debian's wrapper, with another program in place of rbldnsd and another file of defaults.
fn wrapper(sandbox: &Sandbox, defaults: &str) {
    let text = fs::read_to_string("/usr/sbin/rbldnsd.wrapper").expect("Debian's rbldnsd has it");
    let program = sandbox.path("rbldnsd").display().to_string();
    let file = sandbox.path("defaults");
    fs::write(&file, defaults).unwrap();
    let text = text.replace("/usr/sbin/rbldnsd", &program);
    let text = text.replace("/etc/default/rbldnsd", &file.display().to_string());
    fs::write(sandbox.path("wrapper"), text).unwrap();
    run(Command::new("chmod").arg("755").arg(sandbox.path("wrapper")));
}

#[test]
fn debians_service_and_its_sockets_work() {
    let sandbox = Sandbox::new();
    let root = sandbox.folder.path().display().to_string();
    let user = as_nobody();
    wrapper(
        &sandbox,
        &format!(
            "RBLDNSD=\"- {user} -w {root}/data -b {address} a.test:ip4set:list\n\
             other -vqa {user} -w {root}/data -b127.0.0.1/1 b.test:ip4set:list\"\n",
            address = sandbox.address()
        ),
    );
    let manager = UnixDatagram::bind(sandbox.path("notify")).unwrap();
    run(Command::new("chmod").arg("666").arg(sandbox.path("notify")));
    manager.set_read_timeout(Some(LIMIT)).unwrap();
    let heard = || {
        let mut buffer = [0; 2048];
        let length = manager.recv(&mut buffer).expect("a word in time");
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    };
    // The service.
    let mut service = Command::new(sandbox.path("wrapper"));
    service.env("NOTIFY_SOCKET", sandbox.path("notify")).env_remove("LISTEN_FDS");
    let mut service = service.stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    assert_eq!(heard(), "READY=1");
    assert!(sandbox.listed("4.3.2.1.a.test"));
    kill_process(Pid::from_child(&service), Signal::HUP).unwrap();
    assert!(heard().starts_with("RELOADING=1"));
    assert_eq!(heard(), "READY=1");
    kill_process(Pid::from_child(&service), Signal::TERM).unwrap();
    assert_eq!(heard(), "STOPPING=1");
    assert!(service.wait().unwrap().success());
    let mut err = String::new();
    service.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(err, "", "its log is syslog's");
    // Its socket, for another instance.
    let notify = sandbox.path("notify");
    let mut server = Activated::start(&sandbox, &["127.0.0.1"], "./wrapper", "other", &notify);
    assert!(wait_until(LIMIT, || server.lists(0, "4.3.2.1.b.test")));
    assert_eq!(heard(), "READY=1");
    server.end();
}
