//! A clock that is wrong at the start, and is then set, forward or back.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::common::{Daemon, Setup, skip, wait_until};

const LIMIT: Duration = Duration::from_secs(5);

/// Some decades in seconds.
const FAR: i64 = 1_000_000_000;

/// A clock of the day that is off by as much as a file says.
const CLOCK: &str = r#"
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <fcntl.h>
    #include <stdlib.h>
    #include <time.h>
    #include <unistd.h>

    int clock_gettime(clockid_t clock, struct timespec *now) {
        static int (*real)(clockid_t, struct timespec *);
        if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
        int result = real(clock, now);
        if (clock != CLOCK_REALTIME) return result;
        char text[32] = {0};
        int file = open(getenv("TEST_CLOCK"), O_RDONLY | O_CLOEXEC);
        if (read(file, text, sizeof text - 1) > 0) now->tv_sec += atoll(text);
        close(file);
        return result;
    }
"#;

/// Makes the library that a server is started with; false if there is no compiler.
fn make_clock(folder: &Path) -> bool {
    let source = folder.join("clock.c");
    fs::write(&source, CLOCK).expect("the folder is ours");
    let mut command = Command::new("cc");
    command.args(["-shared", "-fPIC", "-o"]).arg(folder.join("clock.so")).arg(source).arg("-ldl");
    command.output().is_ok_and(|output| output.status.success())
}

/// Sets the clock: so many seconds from now.
fn set(setup: &Setup, offset: i64) {
    // Whole at any time.
    setup.write("offset.new", offset.to_string());
    fs::rename(setup.path("offset.new"), setup.path("offset")).expect("it is ours");
}

/// A server whose clock is off, and whose list begins with this line.
fn start(offset: i64, line: &str) -> Option<Daemon> {
    let mut setup = Setup::new();
    if !make_clock(&setup.path("")) {
        skip("there is no C compiler to make a clock with");
        return None;
    }
    set(&setup, offset);
    setup.write("list", format!("{line}\n1.2.3.4\n"));
    setup.configure_lists("", &[("bl.test".into(), "list".into())]);
    let [library, offset] = ["clock.so", "offset"].map(|name| setup.path(name));
    setup.environment("LD_PRELOAD", library.to_str().expect("it is text"));
    setup.environment("TEST_CLOCK", offset.to_str().expect("it is text"));
    Some(setup.start())
}

fn is_listed(server: &Daemon) -> bool {
    server.ask("4.3.2.1.bl.test", RecordType::A).rcode() == ResponseCode::NoError
}

fn expect_listed(server: &Daemon) {
    assert!(wait_until(LIMIT, || is_listed(server)), "{}", server.log());
}

/// Regression: what was from the future at the start was looked at again after a time that grew as long as
/// the clock was wrong.
#[test]
fn data_is_not_from_the_future_once_the_clock_is_set_forward() {
    let Some(server) = start(-FAR, "$TIMESTAMP 2024:01:01") else { return };
    // By now it is not tried again soon.
    assert!(!wait_until(Duration::from_secs(7), || is_listed(&server)), "{}", server.log());
    set(&server, 0);
    expect_listed(&server);
}

#[test]
fn data_has_not_expired_once_the_clock_is_set_back() {
    let Some(server) = start(3 * FAR, "$TIMESTAMP 2024:01:01 2100:01:01") else { return };
    assert!(!is_listed(&server), "{}", server.log());
    set(&server, 0);
    expect_listed(&server);
    set(&server, -FAR);
    assert!(!wait_until(Duration::from_secs(2), || !is_listed(&server)), "{}", server.log());
}

/// Regression: the serial stayed at that of the wrong clock until something changed.
#[test]
fn the_serial_follows_a_clock_that_is_set_forward() {
    let Some(server) = start(-FAR, "") else { return };
    let wrong = server.serial("bl.test");
    set(&server, 0);
    let follows = || server.serial("bl.test") > wrong + u32::try_from(FAR / 2).expect("small");
    assert!(wait_until(LIMIT, follows), "{wrong}: {}", server.log());
}
