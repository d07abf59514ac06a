//! Limits of the system, from nothing to enough: the server says what it is short of and ends, or serves.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use hickory_proto::rr::RecordType;

use crate::common::{Process, Setup, in_parallel, is_root, skip};

const LIMIT: Duration = Duration::from_secs(20);

/// `EX_OSERR` of sysexits.h.
const EX_OSERR: i32 = 71;

/// A user without any process, by number: all those of a user count as one.
const USERS: u32 = 54_400;

/// Starts a server under a limit; whether it serves. If not, it has said why.
fn serves_with(option: &str, limit: u32, user: Option<u32>) -> bool {
    let setup = Setup::new();
    setup.write("list", "1.2.3.4\n");
    let state = setup.path("state");
    setup.configure_lists(&format!("state-dir = {state:?}"), &[("bl.test".into(), "list".into())]);
    let serve = setup.command();
    let mut command = Command::new("prlimit");
    command.arg(format!("--{option}={limit}")).arg(serve.get_program()).args(serve.get_args());
    command.current_dir(setup.path("")).env("RUNTIME_DIRECTORY", &state);
    if let Some(user) = user {
        std::fs::create_dir(&state).expect("the folder is empty");
        std::os::unix::fs::chown(&state, Some(user), Some(user)).expect("root may");
        command.uid(user).gid(user);
    }
    let mut process = Process::start(&mut command, &setup.path("log"));
    let is_up = |process: &Process| process.out().contains("ready after");
    let decided = crate::common::wait_until(LIMIT, || is_up(&process) || process.has_ended());
    let log = process.out();
    assert!(decided, "{option} {limit}: it hangs: {log}");
    if is_up(&process) {
        let client = crate::common::Client::new(setup.addr());
        let reply = client.ask("4.3.2.1.bl.test", RecordType::A).expect("it answers");
        assert_eq!(reply.addresses().len(), 1, "{option} {limit}: {log}");
        for bad in ["panicked", "ERROR", "cannot"] {
            assert!(!log.contains(bad), "{option} {limit}: {log}");
        }
        return true;
    }
    // Below this the program cannot even load its libraries, and that is told, too.
    if !log.contains("while loading shared libraries") {
        let code = process.status().and_then(|status| status.code());
        assert_eq!(code, Some(EX_OSERR), "{option} {limit}: {log}");
        assert!(log.starts_with("dnsbld: ") && log.lines().count() == 1, "{option} {limit}: {log}");
    }
    false
}

/// The sweep ends with a limit that is enough, and what is enough stays so.
fn sweep(option: &str, limits: &[u32], user: impl Fn(u32) -> Option<u32> + Sync) {
    let served = in_parallel(limits, |&limit| serves_with(option, limit, user(limit)));
    assert!(served.is_sorted(), "{option}: {limits:?}: {served:?}");
    assert_eq!((served.first(), served.last()), (Some(&false), Some(&true)), "{option}");
}

/// What a server of this machine needs grows with its cores.
fn limits(most: usize) -> Vec<u32> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let most = u32::try_from(most + 4 * cores).expect("a small number");
    (1..40).chain((40..=most).step_by(3)).filter(|&limit| limit <= most).collect()
}

/// Regression: a server that could not open a descriptor panicked, or served without its list.
#[test]
fn descriptors() {
    sweep("nofile", &limits(50)[2..], |_| None);
}

/// Regression: a server that got no thread panicked or hung, or was aborted after it had begun to
/// serve.
#[test]
fn threads() {
    if !is_root() {
        return skip("only root can start a server as a user without other processes");
    }
    sweep("nproc", &limits(30), |limit| Some(USERS + limit));
}
