//! The personality: dnsbld under rbldnsd's name, beside Debian's rbldnsd where both can be asked.

use std::fs::{self, File};
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{
    Foreground, LIMIT, NOBODY, Sandbox, as_nobody, ended, in_parallel, is_root, run, sealed, skip,
    wait_until,
};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use rustix::process::{Pid, Signal, kill_process};

/// What both programs say of command lines they refuse.
const REFUSED: &[(&str, &str)] = &[
    ("-z", "invalid option -- 'z'\ntype `rbldnsd -h' for help"),
    ("--help", "invalid option -- '-'\ntype `rbldnsd -h' for help"),
    ("-nqb", "option requires an argument -- 'b'\ntype `rbldnsd -h' for help"),
    ("-n -b @", "no zone(s) to service specified (-h for help)"),
    ("-n z.test:ip4set:data/list", "no address to listen on (-b option) specified"),
    ("-n -b/53 z.test:ip4set:x", "missing host part in bind address `/53'"),
    (
        "-n -b 127.0.0.1/nix z.test:ip4set:x",
        "127.0.0.1/nix: Servname not supported for ai_socktype",
    ),
    (
        "-n6 -b 127.0.0.1/9 z.test:ip4set:x",
        "127.0.0.1/9: Address family for hostname not supported",
    ),
    (
        "-n -b 192.0.2.1/9 z.test:ip4set:x",
        "unable to bind to 192.0.2.1/9: Cannot assign requested address",
    ),
    ("-t0 z.test:ip4set:x", "invalid ttl (-t) value `0'"),
    ("-t 1:x z.test:ip4set:x", "invalid minttl (-t) value `1:x'"),
    ("z.test:ip4set:x -t 5:10", "inconsistent def:min:max ttl: 5:10:0"),
    ("-c 1y z.test:ip4set:x", "invalid check interval (-c) value `1y'"),
    ("-n -b @ -F postal z.test:ip4set:x", "log facility postal is not valid"),
    ("-n -b @ -u nosuchuser z.test:ip4set:x", "unknown user `nosuchuser'"),
    ("-n -b @ -u 5:nosuchgroup z.test:ip4set:x", "unknown group `nosuchgroup'"),
    ("-n -b @ -u root z.test:ip4set:x", "daemon should not run as root, specify -u option"),
    ("-b @ -u 0:5 z.test:ip4set:x", "daemon should not run as root, specify -u option"),
    (
        "-n -b @ -u 5 -p nosuch/pid z.test:ip4set:x",
        "unable to write pidfile: No such file or directory",
    ),
    (
        "-n -b @ -u 5 -w nosuch z.test:ip4set:x",
        "unable to chdir to nosuch: No such file or directory",
    ),
    (
        "-n -b @ -u 5 -r /nosuch z.test:ip4set:x",
        "unable to chroot to /nosuch: No such file or directory",
    ),
];

/// The same, for what comes after the user change.
const REFUSED_LATER: &[(&str, &str)] = &[
    ("-n z.test", "invalid zone spec `z.test'"),
    ("-n z.test:x", "invalid zone data specification `x'"),
    ("-n z.test:set4:x", "unknown dataset type `set4'"),
    ("-n z.test:ip4set:,", "missing filenames for ip4set"),
    ("-n :ip4set:x", "missing domain name in `:ip4set:x'"),
    ("-n :acl:x .:acl:y", "global acl specified more than once"),
    ("-n z.test:acl:x z.test:acl:x", "repeated ACL definition for zone `z.test'"),
    (
        "-n z.test:acl:missing z.test:ip4set:data/one",
        "file missing: unable to open file: No such file or directory\n\
         zone loading errors, aborting",
    ),
    (
        "-n :acl:missing z.test:ip4set:data/one",
        "file missing: unable to open file: No such file or directory\n\
         zone loading errors, aborting",
    ),
    ("-n Z.test:acl:data/one", "missing data for zone `z.test'"),
    (
        "-n z.test:ip4set:missing,data/list",
        "file missing: unable to open file: No such file or directory\n\
         zone z.test: not all datasets are loaded, zone will not be serviced\n\
         zone loading errors, aborting",
    ),
    (
        "z.test:ip4set:missing",
        "file missing: unable to open file: No such file or directory\n\
         zone z.test: not all datasets are loaded, zone will not be serviced\n\
         zone loading errors, aborting",
    ),
];

#[test]
fn mistakes_are_told_in_rbldnsds_words_and_end_with_1() {
    let later =
        REFUSED_LATER.iter().map(|(line, want)| (format!("{} -b @ {line}", as_nobody()), *want));
    let lines = REFUSED.iter().map(|(line, want)| ((*line).to_owned(), *want)).chain(later);
    for (line, want) in lines {
        let sandbox = Sandbox::new();
        fs::write(sandbox.path("data/one"), "1.2.3.4\n").unwrap();
        let want: String = want.lines().map(|text| format!("rbldnsd: {text}\n")).collect();
        for command in [sandbox.command(&line), sandbox.original(&line)] {
            let said = ended(command);
            assert_eq!((said.code, &said.err), (1, &want), "{line}: {said:?}");
        }
    }
}

#[test]
fn help_goes_to_the_standard_output() {
    let sandbox = Sandbox::new();
    for (line, code) in [("-h", 0), ("", 1), ("-4h -z", 0)] {
        let said = sandbox.ended(line);
        let original = ended(sandbox.original(line));
        assert_eq!((said.code, original.code), (code, code), "{line}");
        assert_eq!((said.err.as_str(), original.err.as_str()), ("", ""), "{line}");
        for letter in "urbwtcpnelqs46dvaAfFCx".chars() {
            let names = |text: &str| {
                text.lines().any(|text| text.trim_start().starts_with(&format!("-{letter}")))
            };
            assert!(names(&said.out) && names(&original.out), "-{letter}:\n{}", said.out);
        }
    }
}

#[test]
fn what_cannot_be_had_is_refused_with_a_reason() {
    let sandbox = Sandbox::new();
    for line in ["-x a.so z.test:ip4set:x", "-U ::1/9 z.test:ip4set:x", "-M z.test:ip4set:x"] {
        let said = sandbox.ended(line);
        assert_eq!(said.code, 1, "{line}");
        assert!(said.err.contains("not supported: "), "{line}: {}", said.err);
    }
}

/// Lines without what differs from run to run and program to program.
fn masked(text: &str) -> Vec<String> {
    let mask = |line: &str| match (line.find(", time "), line.find("version ")) {
        (Some(at), _) => line[..at].to_owned(),
        (_, Some(at)) => {
            let end = line.find(" started").unwrap_or(line.len());
            format!("{}{}", &line[..at], &line[end..])
        }
        _ => line.to_owned(),
    };
    text.lines().map(mask).collect()
}

#[test]
fn the_log_is_rbldnsds_line_by_line() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("data/names"), ".a.test\nb.test :3:b\n*.c.test\n!d.a.test\n").unwrap();
    fs::write(sandbox.path("data/six"), "2001:db8:0:1\n2001:db8:0:2\n!2001:db8:0:1::5\nx\n")
        .unwrap();
    let bad: String = (0..8).map(|number| format!("bad {number}\n")).collect();
    fs::write(sandbox.path("data/bad"), format!("{bad}127.0.0.2\n127.0.0.2\n")).unwrap();
    let zones = "a.test:ip4set:data/list b.test:dnset:data/names,data/list c.test:ip6tset:data/six \
                 d.test:ip4tset:data/bad b.test:ip4set:data/list";
    let line = format!("{} -n -b @ -b localhost/{} -4 {zones}", as_nobody(), sandbox.port);
    let mut seen = Vec::new();
    for command in [sandbox.command(&line), sandbox.original(&line)] {
        let mut server = Foreground::start(command, &sandbox.path("out"), &sandbox.path("err"));
        assert!(wait_until(LIMIT, || sandbox.listed("4.3.2.1.a.test")));
        let code = server.end(Signal::TERM);
        assert_eq!(code, Some(0));
        let (mut out, err) = (masked(&server.out()), masked(&server.err()));
        // Figures at the end are of the statistics.
        out.retain(|line| !line.contains("stats for"));
        seen.push((out, err));
    }
    assert_eq!(seen[0], seen[1]);
    let (out, err) = &seen[0];
    assert!(out.iter().any(|line| line.ends_with("e32/24/16/8=8/1/3/0")), "{out:#?}");
    assert_eq!(err.iter().filter(|line| line.contains("suppressed")).count(), 1, "{err:#?}");
}

#[test]
fn a_daemon_leaves_the_terminal_when_it_serves() {
    let sandbox = Sandbox::new();
    let daemon = sandbox.daemon("z.test:ip4set:data/list");
    assert!(daemon.said.out.contains("rbldnsd: listening on 127.0.0.1/"), "{:?}", daemon.said);
    assert!(daemon.said.out.ends_with("started (1 socket(s), 1 zone(s))\n"), "{:?}", daemon.said);
    assert!(sandbox.listed("4.3.2.1.z.test"), "it serves when the first process has ended");
    let proc = PathBuf::from(format!("/proc/{}", daemon.pid));
    assert_eq!(fs::read_to_string(proc.join("comm")).unwrap(), "rbldnsd\n");
    assert!(fs::read_to_string(proc.join("cmdline")).unwrap().starts_with("./rbldnsd\0"));
    for stream in ["0", "1", "2"] {
        assert_eq!(fs::read_link(proc.join("fd").join(stream)).unwrap(), Path::new("/dev/null"));
    }
    let stat = fs::read_to_string(proc.join("stat")).unwrap();
    let session = stat.split_whitespace().nth(5).unwrap();
    assert_eq!(session, daemon.pid.to_string(), "it leads a session of its own");
    daemon.signal(Signal::TERM);
    assert!(wait_until(Duration::from_millis(900), || daemon.has_ended()));
    assert!(sandbox.path("pid").exists(), "rbldnsd leaves the pid file, too");
}

#[test]
fn a_quick_start_does_not_wait_for_the_zones() {
    let sandbox = Sandbox::new();
    let daemon = sandbox.daemon("-q z.test:ip4set:data/list lost.test:ip4set:missing");
    assert_eq!((daemon.said.out.as_str(), daemon.said.err.as_str()), ("", ""));
    assert!(wait_until(LIMIT, || sandbox.listed("4.3.2.1.z.test")));
    let reply = sandbox.client().ask("4.3.2.1.lost.test", RecordType::A).unwrap();
    assert_eq!(reply.rcode(), ResponseCode::ServFail);
}

#[test]
fn a_daemon_that_cannot_bind_ends_with_1() {
    let sandbox = Sandbox::new();
    let _taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, sandbox.port)).unwrap();
    let said = sandbox.ended("-p pid -b @ z.test:ip4set:data/list");
    let address = sandbox.address();
    let want = format!("rbldnsd: unable to bind to {address}: Address already in use\n");
    assert_eq!((said.code, said.err), (1, want));
    assert!(!sandbox.path("pid").exists());
}

/// Regression: the pid file was open to everybody under an open umask, and root wrote it to where a link led.
#[test]
fn the_pid_file_is_narrow_and_no_link_leads_from_it() {
    let sandbox = Sandbox::new();
    let mut command = Command::new("sh");
    command.args(["-c", "umask 0; exec ./rbldnsd \"$@\"", "sh"]).current_dir(sandbox.path(""));
    command.args(sandbox.words(&format!("{} -p pid -b @ z.test:ip4set:data/list", as_nobody())));
    let daemon = sandbox.background(ended(command));
    let mode = fs::metadata(sandbox.path("pid")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    drop(daemon);
    fs::write(sandbox.path("other"), "precious").unwrap();
    fs::remove_file(sandbox.path("pid")).unwrap();
    std::os::unix::fs::symlink("other", sandbox.path("pid")).unwrap();
    let other = Sandbox::new();
    let line = format!("{} -p pid -b {} z.test:ip4set:data/list", as_nobody(), other.address());
    let said = sandbox.ended(&line);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("unable to write pidfile: Too many levels"), "{said:?}");
    assert_eq!(fs::read_to_string(sandbox.path("other")).unwrap(), "precious");
}

#[test]
fn another_server_may_have_the_tcp_port() {
    let sandbox = Sandbox::new();
    let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, sandbox.port)).unwrap();
    let server = sandbox.foreground("z.test:ip4set:data/list");
    assert!(sandbox.listed("4.3.2.1.z.test"));
    let want = format!("no TCP on {}: Address already in use", sandbox.address());
    assert!(server.err().contains(&want), "{}", server.err());
}

#[test]
fn files_are_read_again_at_sighup_and_only_then_with_c_0() {
    let sandbox = Sandbox::new();
    let mut server = sandbox.foreground("-c 0 z.test:ip4set:data/list");
    assert!(!sandbox.listed("9.9.9.9.z.test"));
    // Every file is looked at once when the server has started, and nothing tells of it.
    std::thread::sleep(Duration::from_millis(500));
    fs::write(sandbox.path("data/list"), "9.9.9.9\n").unwrap();
    // Longer than a change takes to be served.
    std::thread::sleep(Duration::from_millis(1500));
    assert!(!sandbox.listed("9.9.9.9.z.test"), "nobody has asked for it");
    server.signal(Signal::HUP);
    assert!(wait_until(LIMIT, || sandbox.listed("9.9.9.9.z.test")), "{}", server.out());
    // It is served a moment before it is told.
    let reloads = || server.out().matches("zones reloaded, time ").count();
    assert!(wait_until(LIMIT, || reloads() == 2), "{}", server.out());
    fs::remove_file(sandbox.path("data/list")).unwrap();
    server.signal(Signal::HUP);
    assert!(wait_until(LIMIT, || server.err().contains("data/list: unable to open file")));
    assert!(sandbox.listed("9.9.9.9.z.test"), "the last good data stays");
    let told = || server.err().matches("data/list: unable to open file").count();
    assert_eq!(told(), 1);
    server.signal(Signal::HUP);
    assert!(wait_until(LIMIT, || told() == 2), "who asks again is told again");
    assert_eq!(server.end(Signal::INT), Some(0));
    let out = server.out();
    let (_, end) = out.split_once("rbldnsd: terminating\n").unwrap_or_else(|| panic!("{out}"));
    assert!(end.lines().all(|line| line.starts_with("rbldnsd: stats for ")), "{out}");
}

#[test]
fn garbage_is_an_empty_zone() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("data/html"), "<!DOCTYPE html>\n<h1>404</h1>\n").unwrap();
    fs::write(sandbox.path("data/empty"), "").unwrap();
    let _server = sandbox.foreground("a.test:ip4set:data/html b.test:ip4tset:data/empty");
    for name in ["2.0.0.127.a.test", "2.0.0.127.b.test"] {
        let reply = sandbox.client().ask(name, RecordType::A).unwrap();
        assert_eq!(reply.rcode(), ResponseCode::NXDomain, "no test points either: {name}");
    }
}

#[test]
fn data_that_has_expired_ends_no_start_but_takes_its_zone_as_in_rbldnsd() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("data/old"), "$TIMESTAMP 2001:01:01 +1w\n1.2.3.5\n").unwrap();
    let zones = "z.test:ip4set:data/list z.test:ip4set:data/old y.test:ip4set:data/list";
    let line = format!("{} -n -b @ {zones}", as_nobody());
    for command in [sandbox.command(&line), sandbox.original(&line)] {
        let _server = Foreground::start(command, &sandbox.path("out"), &sandbox.path("err"));
        assert!(wait_until(LIMIT, || sandbox.listed("4.3.2.1.y.test")));
        let reply = sandbox.client().ask("4.3.2.1.z.test", RecordType::A).unwrap();
        assert_eq!(reply.rcode(), ResponseCode::ServFail);
    }
}

/// The zone answered SERVFAIL by itself as soon as the time had come.
#[test]
fn with_c_0_data_expires_at_a_signal_and_not_by_itself() {
    const LIFE: u64 = 6;
    let runs = [false, true].map(|original| [Signal::HUP, Signal::ALARM].map(|s| (original, s)));
    in_parallel(runs.as_flattened(), |&(original, signal)| {
        let sandbox = Sandbox::new();
        let date = format!("+{LIFE} sec");
        let date = Command::new("date").args(["-u", "-d", &date, "+%Y:%m:%d:%H:%M:%S"]).output();
        let expires = Instant::now() + Duration::from_secs(LIFE + 1);
        let soon = String::from_utf8(date.unwrap().stdout).unwrap();
        let list = format!("$TIMESTAMP 2001:01:01 {}\n1.2.3.4\n", soon.trim());
        fs::write(sandbox.path("data/short"), list).unwrap();
        let zones = "z.test:ip4set:data/short y.test:ip4set:data/list";
        let line = format!("{} -n -c 0 -b @ {zones}", as_nobody());
        let command = if original { sandbox.original(&line) } else { sandbox.command(&line) };
        let server = Foreground::start(command, &sandbox.path("out"), &sandbox.path("err"));
        assert!(wait_until(LIMIT, || sandbox.listed("4.3.2.1.y.test")));
        // Its time is what the test is about.
        std::thread::sleep(expires.saturating_duration_since(Instant::now()));
        assert!(sandbox.listed("4.3.2.1.z.test"), "its time has come, but no signal");
        server.signal(signal);
        let fails = || {
            let reply = sandbox.client().ask("4.3.2.1.z.test", RecordType::A);
            reply.unwrap().rcode() == ResponseCode::ServFail
        };
        assert!(wait_until(LIMIT, fails));
    });
}

#[test]
fn compressed_files_are_refused_if_wanted() {
    let sandbox = Sandbox::new();
    let list = File::create(sandbox.path("data/gz")).unwrap();
    let gzip = Command::new("gzip").arg("-c").arg(sandbox.path("data/list")).stdout(list).status();
    assert!(gzip.unwrap().success());
    let line = format!("{} -n -C -b @ z.test:ip4set:data/gz", as_nobody());
    let [ours, original] = [sandbox.command(&line), sandbox.original(&line)].map(ended);
    assert_eq!((ours.code, &ours.err), (1, &original.err));
    let _server = sandbox.foreground("z.test:ip4set:data/gz");
    assert!(sandbox.listed("4.3.2.1.z.test"));
}

#[test]
fn any_address_takes_ipv4_queries_too() {
    let sandbox = Sandbox::new();
    let line = format!("{} -n -b ::/{} z.test:ip4set:data/list", as_nobody(), sandbox.port);
    for command in [sandbox.command(&line), sandbox.original(&line)] {
        let server = Foreground::start(command, &sandbox.path("out"), &sandbox.path("err"));
        assert!(wait_until(LIMIT, || sandbox.listed("4.3.2.1.z.test")));
        assert!(server.out().contains("started (1 socket(s), 1 zone(s))"));
    }
}

/// The start failed: sockets for IPv6 are for nothing else.
#[test]
fn an_ipv4_address_may_be_written_as_an_ipv6_one() {
    let sandbox = Sandbox::new();
    for family in ["", "-4"] {
        let address = format!("::ffff:127.0.0.1/{}", sandbox.port);
        let line = format!("{} {family} -n -b {address} z.test:ip4set:data/list", as_nobody());
        for command in [sandbox.command(&line), sandbox.original(&line)] {
            let _server = Foreground::start(command, &sandbox.path("out"), &sandbox.path("err"));
            assert!(wait_until(LIMIT, || sandbox.listed("4.3.2.1.z.test")), "{family}");
        }
    }
}

#[test]
fn duplicates_are_told_with_their_prefix() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("data/4"), "10/8\n10.0.0.0/8\n").unwrap();
    fs::write(sandbox.path("data/6"), "2001:db8::/32\n2001:db8::/32\n0::/1\n::/1\n").unwrap();
    let zones = "a.test:ip4trie:data/4 b.test:ip6trie:data/6";
    let line = format!("{} -n -b @ {zones}", as_nobody());
    let mut seen = Vec::new();
    for command in [sandbox.command(&line), sandbox.original(&line)] {
        let mut server = Foreground::start(command, &sandbox.path("out"), &sandbox.path("err"));
        assert!(wait_until(LIMIT, || sandbox.listed("1.1.1.10.a.test")));
        server.end(Signal::TERM);
        seen.push(server.err());
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].matches("duplicated entry for ").count(), 3, "{}", seen[0]);
}

#[test]
fn options_reach_the_answers() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("data/list"), "10.1.2.3/8 :192.0.2.9:x\n").unwrap();
    let _server = sandbox.foreground("-et 77 -v z.test:ip4set:data/list");
    let reply = sandbox.client().ask("1.1.1.10.z.test", RecordType::A).unwrap();
    assert_eq!((reply.ttls(), reply.addresses()), (vec![77], vec!["192.0.2.9".parse().unwrap()]));
    assert_eq!(version(&sandbox), "\"rbldnsd\"\n");
}

fn version(sandbox: &Sandbox) -> String {
    let port = sandbox.port.to_string();
    let words = ["@127.0.0.1", "-p", &port, "+short", "CH", "TXT", "version.bind"];
    run(Command::new("dig").args(words))
}

#[test]
fn a_dry_run_loads_and_ends() {
    let sandbox = Sandbox::new();
    let good = sandbox.ended("-D z.test:ip4set:data/list");
    assert_eq!((good.code, good.out.as_str()), (0, "zones loaded successfully\n"), "{good:?}");
    let bad = sandbox.ended("-D z.test:ip4set:missing");
    assert_eq!((bad.code, bad.out.as_str()), (1, ""), "{bad:?}");
}

#[test]
fn root_gives_up_its_rights_and_its_root() {
    if !is_root() {
        return skip("only root has rights to give up");
    }
    let sandbox = Sandbox::new();
    let root = sandbox.folder.path().display().to_string();
    let daemon = sandbox
        .daemon(&format!("-r {root} -w data -c 0 z.test:ip4set:list y.test:ip4set:/data/list"));
    assert_eq!(daemon.status("Uid"), ["54321"; 4]);
    assert_eq!(daemon.status("Gid"), ["54322"; 4]);
    assert_eq!(daemon.status("Groups"), ["54322"]);
    assert_eq!(daemon.status("CapEff"), ["0000000000000000"]);
    let seen = |name: &str| fs::read_link(format!("/proc/{}/{name}", daemon.pid)).unwrap();
    assert_eq!(seen("root"), sandbox.folder.path());
    assert_eq!(seen("cwd"), sandbox.path("data"));
    assert!(sandbox.listed("4.3.2.1.z.test") && sandbox.listed("4.3.2.1.y.test"));
    fs::write(sandbox.path("data/list"), "9.9.9.9\n").unwrap();
    daemon.signal(Signal::HUP);
    assert!(wait_until(LIMIT, || sandbox.listed("9.9.9.9.z.test")), "files are found from inside");
}

#[test]
fn others_than_root_stay_who_they_are() {
    if is_root() {
        return skip("root does not stay who it is");
    }
    let sandbox = Sandbox::new();
    let daemon = sandbox.daemon("z.test:ip4set:data/list");
    let own = rustix::process::getuid().as_raw().to_string();
    assert_eq!(daemon.status("Uid"), [own.as_str(); 4]);
    let said = sandbox.ended("-n -b 127.0.0.1/0 -u 54321 z.test:ip4set:data/list");
    assert!(
        said.err.contains("unable to setuid(54321:54321): Operation not permitted"),
        "{said:?}"
    );
}

/// Puts a folder of the test's own over /dev, with a logger's socket in it.
fn own_logger() -> UnixDatagram {
    run(Command::new("sh").args([
        "-ec",
        "mkdir /run/dev; mount --rbind /dev /run/dev; mount -t tmpfs tmpfs /dev; \
         for f in null zero urandom; do touch /dev/$f; mount --bind /run/dev/$f /dev/$f; done",
    ]));
    let socket = UnixDatagram::bind("/dev/log").unwrap();
    run(Command::new("chmod").args(["666", "/dev/log"]));
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket
}

/// False for the root of a namespace in which there is nobody else.
fn may_become_others() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    map.split_whitespace().nth(2) != Some("1")
}

fn next_line(logger: &UnixDatagram) -> String {
    let mut buffer = [0; 2048];
    let length = logger.recv(&mut buffer).expect("a line in time");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[test]
fn a_daemon_logs_to_syslog() {
    sealed(|| {
        let logger = own_logger();
        let sandbox = Sandbox::new();
        let root = sandbox.folder.path().display().to_string();
        let mut seen = Vec::new();
        for original in [false, true] {
            let line =
                format!("-u {NOBODY} -p pid -b @ -r {root} -F local3 -c 0 z.test:ip4set:data/list");
            let said =
                ended(if original { sandbox.original(&line) } else { sandbox.command(&line) });
            let pid = fs::read_to_string(sandbox.path("pid")).unwrap();
            let pid: i32 = pid.trim().parse().unwrap();
            // Who is root in this namespace only cannot become somebody else.
            let serves = said.code == 0;
            assert!(serves || said.err.contains("unable to setuid"), "{said:?}");
            if serves {
                // Before that, rbldnsd does not heed signals.
                assert!(wait_until(LIMIT, || sandbox.listed("4.3.2.1.z.test")));
                kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
            }
            let mut lines: Vec<String> = Vec::new();
            let last = |line: &String| line.contains("terminating") || line.contains("unable to");
            while !lines.last().is_some_and(last) {
                let line = next_line(&logger);
                // `<priority>time name[pid]: text`, the time being the receiver's to add.
                let (priority, rest) = line.split_once('>').unwrap();
                let (_, text) = rest.split_once(&format!("rbldnsd[{pid}]: ")).unwrap();
                lines.push(format!("{priority} {text}"));
            }
            assert!(wait_until(LIMIT, || UdpSocket::bind(("127.0.0.1", sandbox.port)).is_ok()));
            seen.push(masked(&lines.join("\n")));
            // The statistics at the end.
            logger.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            while logger.recv(&mut [0; 2048]).is_ok() {}
            logger.set_read_timeout(Some(LIMIT)).unwrap();
        }
        assert_eq!(seen[0], seen[1]);
        assert!(seen[0][0].starts_with("<158 listening on 127.0.0.1/"), "{seen:?}");
        if may_become_others() {
            let bad = "<156 file data/list(7): invalid address".to_owned();
            assert!(seen[0].contains(&bad), "{seen:?}");
            assert_eq!(seen[0].last().unwrap(), "<158 terminating");
        }
    });
}

#[test]
fn a_service_of_systemd_stays_and_says_when_it_is_ready() {
    let sandbox = Sandbox::new();
    let manager = UnixDatagram::bind(sandbox.path("notify")).unwrap();
    run(Command::new("chmod").arg("666").arg(sandbox.path("notify")));
    manager.set_read_timeout(Some(LIMIT)).unwrap();
    let mut command = sandbox.command(&format!("{} -b @ z.test:ip4set:data/list", as_nobody()));
    let mut process = command
        .env("NOTIFY_SOCKET", sandbox.path("notify"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(next_line(&manager).trim(), "READY=1");
    assert!(sandbox.listed("4.3.2.1.z.test"));
    kill_process(Pid::from_child(&process), Signal::HUP).unwrap();
    assert!(next_line(&manager).starts_with("RELOADING=1"));
    kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
    assert!(process.wait().unwrap().success(), "it did not leave for the background");
    let (mut out, mut err) = (String::new(), String::new());
    process.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    process.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((out.as_str(), err.as_str()), ("", ""), "its log is syslog's");
}
