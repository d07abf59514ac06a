//! A thread that answers and hangs, as systemd's watchdog sees it.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use crate::common::{Setup, skip};

/// Counts how often systemd is told in that time that all goes on.
fn told(systemd: &UnixDatagram, time: Duration) -> usize {
    let until = Instant::now() + time;
    let mut count = 0;
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|it| !it.is_zero()) {
        systemd.set_read_timeout(Some(left)).expect("it is not zero");
        let mut buffer = [0; 1024];
        if let Ok(length) = systemd.recv(&mut buffer) {
            count += usize::from(buffer[..length].starts_with(b"WATCHDOG=1"));
        }
    }
    count
}

#[test]
fn systemd_is_not_told_that_all_goes_on_while_one_thread_hangs() {
    let mut setup = Setup::new();
    setup.write("list", "192.0.2.1\n");
    setup.configure_lists("workers = 2", &[("bl.test".to_owned(), "list".to_owned())]);
    let socket = setup.path("notify");
    let systemd = UnixDatagram::bind(&socket).expect("a short path");
    setup.environment("NOTIFY_SOCKET", &socket.to_string_lossy());
    setup.environment("WATCHDOG_USEC", "30000000");
    let daemon = setup.start();
    assert!(told(&systemd, Duration::from_secs(4)) >= 2, "{}", daemon.log());

    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.id())).expect("it runs");
    let worker = tasks
        .map(|task| task.expect("a thread").path())
        .find(|task| fs::read_to_string(task.join("comm")).is_ok_and(|name| name == "udp-1\n"));
    let name = worker.expect("there are two").file_name().unwrap().to_string_lossy().into_owned();
    let thread = Pid::from_raw(name.parse().unwrap());
    // A debugger holds a single thread; a signal would stop all.
    if ptrace::seize(thread, ptrace::Options::empty()).is_err() {
        return skip("this user may not trace a process of its own");
    }
    ptrace::interrupt(thread).expect("it is ours");
    waitpid(thread, Some(WaitPidFlag::__WALL)).expect("it stops");
    daemon.expect_log(&["worker-hangs", "thread udp-1"], Duration::from_secs(15));
    told(&systemd, Duration::from_millis(100));
    assert_eq!(told(&systemd, Duration::from_secs(3)), 0, "{}", daemon.log());

    ptrace::detach(thread, None).expect("it is stopped");
    assert!(told(&systemd, Duration::from_secs(4)) >= 1, "{}", daemon.log());
}
