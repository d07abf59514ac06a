//! A clock that is wrong at the start, and is then set, forward or back.

use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::common::{Clock, Daemon, Setup, skip, wait_until};

const LIMIT: Duration = Duration::from_secs(5);

/// Some decades in seconds.
const FAR: i64 = 1_000_000_000;

/// A server whose clock is off, and whose list begins with this line.
fn start(offset: i64, line: &str) -> Option<(Daemon, Clock)> {
    let mut setup = Setup::new();
    let Some(clock) = Clock::new(&setup) else {
        skip("there is no C compiler to make a clock with");
        return None;
    };
    clock.set(&setup, offset);
    setup.write("list", format!("{line}\n1.2.3.4\n"));
    setup.configure_lists("", &[("bl.test".into(), "list".into())]);
    clock.environment().iter().for_each(|(name, value)| setup.environment(name, value));
    Some((setup.start(), clock))
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
    let Some((server, clock)) = start(-FAR, "$TIMESTAMP 2024:01:01") else { return };
    // By now it is not tried again soon.
    assert!(!wait_until(Duration::from_secs(7), || is_listed(&server)), "{}", server.log());
    clock.set(&server, 0);
    expect_listed(&server);
}

#[test]
fn data_has_not_expired_once_the_clock_is_set_back() {
    let Some((server, clock)) = start(3 * FAR, "$TIMESTAMP 2024:01:01 2100:01:01") else { return };
    assert!(!is_listed(&server), "{}", server.log());
    clock.set(&server, 0);
    expect_listed(&server);
    clock.set(&server, -FAR);
    assert!(!wait_until(Duration::from_secs(2), || !is_listed(&server)), "{}", server.log());
}

/// Regression: the serial stayed at that of the wrong clock until something changed.
#[test]
fn the_serial_follows_a_clock_that_is_set_forward() {
    let Some((server, clock)) = start(-FAR, "") else { return };
    let wrong = server.serial("bl.test");
    clock.set(&server, 0);
    let follows = || server.serial("bl.test") > wrong + u32::try_from(FAR / 2).expect("small");
    assert!(wait_until(LIMIT, follows), "{wrong}: {}", server.log());
}
