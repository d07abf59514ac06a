//! Nobody takes what the server says: its log is on a full disk, or goes into a pipe that is not read.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::time::Duration;

use hickory_proto::op::ResponseCode::{NXDomain, NoError};
use hickory_proto::rr::RecordType;
use rustix::process::{Pid, Signal, kill_process};

use super::SOON;
use crate::common::{Client, Setup, wait_until};

/// A server whose standard error goes somewhere; ends when dropped.
struct Unheard {
    setup: Setup,
    process: Child,
}

impl Unheard {
    /// Starts a server with a list of 10.0.0.1, and waits until it answers.
    fn start(stderr: impl Into<Stdio>, stdout: impl Into<Stdio>, zones: usize) -> Self {
        let setup = Setup::new();
        setup.write("list", "10.0.0.1\n");
        let lists: Vec<_> = (0..zones).map(|n| (format!("z{n}.test"), "list".to_owned())).collect();
        setup.configure_lists("", &lists);
        let process = setup.command().stderr(stderr).stdout(stdout).spawn().expect("it starts");
        let mut server = Self { setup, process };
        server.expect("1.0.0.10.z0.test");
        server
    }

    /// Waits until this name is listed.
    fn expect(&mut self, name: &str) {
        let client = Client::new(self.setup.addr());
        let is_listed = || {
            client.ask(name, RecordType::A).is_ok_and(|reply| {
                assert!([NoError, NXDomain].contains(&reply.rcode()), "{:?}", reply.rcode());
                reply.rcode() == NoError
            })
        };
        assert!(wait_until(4 * SOON, is_listed), "{name}: {:?}", self.process.try_wait());
    }

    /// Changes the list, some lines of which are wrong, and expects the change to be served.
    fn change(&mut self, octet: u8) {
        let text = format!("10.0.0.1\n10.0.0.{octet}\n@@@\n@@@\n@@@\n");
        fs::write(self.setup.path("list"), text).expect("it can be written");
        self.expect(&format!("{octet}.0.0.10.z0.test"));
    }

    fn terminate(mut self) {
        let id = Pid::from_child(&self.process);
        kill_process(id, Signal::TERM).expect("it is there");
        let ended = wait_until(Duration::from_secs(5), || {
            self.process.try_wait().expect("it is ours").is_some()
        });
        assert!(ended, "still there");
        assert!(self.process.wait().expect("it has ended").success());
    }
}

impl Drop for Unheard {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Regression: a line of the log that could not be written ended the server.
#[test]
fn a_log_on_a_full_disk_costs_lines_and_nothing_else() {
    let full = || File::options().write(true).open("/dev/full").expect("the system has it");
    let mut server = Unheard::start(full(), full(), 1);
    server.change(2);
    server.change(3);
    server.terminate();
}

/// Regression: likewise if the reader of the log had ended.
#[test]
fn a_log_whose_reader_has_ended_costs_lines_and_nothing_else() {
    let (mut reader, writer) = std::io::pipe().expect("there are pipes");
    let mut server = Unheard::start(OwnedFd::from(writer), Stdio::null(), 1);
    reader.read_exact(&mut [0; 10]).expect("it says something");
    drop(reader);
    server.change(2);
    server.change(3);
    server.terminate();
}

/// Regression: a full pipe that nobody read held up the loads, the report at the start and the end.
#[test]
fn a_log_that_is_not_read_holds_up_nothing() {
    let (_log, stderr) = std::io::pipe().expect("there are pipes");
    let (_report, stdout) = std::io::pipe().expect("there are pipes");
    // The report is more than a pipe takes, and each change more than that and the queue of lines do.
    let mut server = Unheard::start(OwnedFd::from(stderr), OwnedFd::from(stdout), 1500);
    for octet in 2..4 {
        server.change(octet);
    }
    server.terminate();
}
