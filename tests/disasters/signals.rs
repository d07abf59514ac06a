//! Signals at any time.

use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use rustix::process::Signal;

use crate::common::{Client, Process, Random, Setup};

const LIMIT: Duration = Duration::from_secs(20);

/// How a process takes SIGHUP.
#[derive(PartialEq, Eq, Debug)]
enum Hangup {
    /// It ends.
    Fatal,
    /// It waits.
    Held,
    /// It is listened to.
    Heard,
}

/// What the system says of a process (proc_pid_status(5)).
fn hangup(process: &Process) -> Hangup {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap_or_default();
    let has = |mask: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(mask)).unwrap_or("0");
        u64::from_str_radix(mask.trim(), 16).expect("a mask of signals") & 1 != 0
    };
    match (has("SigCgt:"), has("SigBlk:")) {
        (true, _) => Hangup::Heard,
        (false, true) => Hangup::Held,
        (false, false) => Hangup::Fatal,
    }
}

/// Regression: these signals ended a server that had not come to listen to them.
#[test]
fn before_anybody_listens_signals_do_no_harm() {
    let start = Instant::now();
    loop {
        let setup = Setup::new();
        setup.write("list", "1.2.3.4\n");
        setup.configure_lists("", &[("bl.test".into(), "list".into())]);
        let mut process = Process::start(&mut setup.command(), &setup.path("log"));
        while hangup(&process) == Hangup::Fatal && start.elapsed() < LIMIT {}
        for signal in [Signal::HUP, Signal::USR1, Signal::USR2, Signal::ALARM, Signal::PIPE] {
            process.signal(signal);
        }
        let early = hangup(&process) == Hangup::Held;
        process.wait(LIMIT, |process| process.out().contains("ready after"));
        // Else the test was late.
        if early {
            return;
        }
        assert!(start.elapsed() < LIMIT, "signals are never held");
    }
}

/// Regression: a file that may not grow any more ended the server; the write gets an error, and that is
/// told.
#[test]
fn a_file_at_its_greatest_size_is_told() {
    let setup = Setup::new();
    let mut random = Random::new(1);
    let mut ip = || Ipv4Addr::from(0x0a00_0000 | random.below(1 << 24) as u32);
    setup.write(
        "list",
        "10.0.0.0\n".to_owned() + &(0..20_000).map(|_| format!("{}\n", ip())).collect::<String>(),
    );
    let state = setup.path("state");
    setup.configure_lists(&format!("state-dir = {state:?}"), &[("bl.test".into(), "list".into())]);
    let serve = setup.command();
    let mut command = Command::new("prlimit");
    // The log is a file, too.
    command.arg("--fsize=20000").arg(serve.get_program()).args(serve.get_args());
    command.current_dir(setup.path(""));
    let mut process = Process::start(&mut command, &setup.path("log"));
    let is_told = |process: &Process| {
        process.out().lines().any(|line| {
            line.contains("event=\"snapshot-not-written\"") && line.contains("File too large")
        })
    };
    process.wait(LIMIT, is_told);
    let client = Client::new(setup.addr());
    let reply = client.ask("0.0.0.10.bl.test", RecordType::A);
    assert_eq!(reply.expect("it answers").rcode(), ResponseCode::NoError);
}
