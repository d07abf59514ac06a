//! What is seen on a terminal.

use std::process::Command;

use super::{Feeds, OK, Run, daemon, publish, run};
use crate::common::RsyncDaemon;

/// Runs `dnsbld sync` on a terminal, with these steps of `terminal.py`.
fn on_terminal(feeds: &Feeds, steps: &[&str]) -> Run {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/terminal.py");
    let sync = feeds.command();
    let mut command = Command::new("python3");
    command.arg(script).arg("150x30").args(steps).args(["show", "end", "--"]);
    command.arg(sync.get_program()).args(sync.get_args()).env_remove("RSYNC_PASSWORD");
    run(&mut command)
}

#[test]
fn a_bar_shows_how_much_is_there() {
    let daemon = daemon();
    publish(&daemon, "a", &"127.0.0.2\n".repeat(100_000));
    let feeds = Feeds::of(&daemon.url("a"), "bandwidth-limit = '500K'");
    let told = on_terminal(&feeds, &["wait:one   ", "wait:[==", "wait:published 1 file"]);
    told.expect(OK, &["one: published 1 file", "exit [0] as before"]);
    assert!(!told.out.contains("[=="), "the bar is gone: {told:?}");
}

/// Regression: rsync asked the terminal for the password, was stopped for it, and nothing went on for two hours.
#[test]
fn nobody_is_asked_for_a_password() {
    let daemon = RsyncDaemon::start("auth users = mx\nsecrets file = /dev/null");
    publish(&daemon, "a", "127.0.0.2\n");
    let feeds = Feeds::of(&daemon.url("a").replace("//", "//mx@"), "");
    on_terminal(&feeds, &["wait:refuses the user or the password"])
        .expect(OK, &["exit [1] as before"]);
}
