//! Programs that run beside a test.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::wait_until;

/// A program that is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Process {
    /// Starts it without input; what it says goes to the file `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let file = File::create(log).expect("the log can be written");
        let errors = file.try_clone().expect("a second handle of the log");
        Self::spawn(command.stdin(Stdio::null()).stdout(file).stderr(errors), log, log)
    }

    /// Starts it with the input that it has; each of the two outputs has a file.
    pub(crate) fn start_apart(command: &mut Command, out: &Path, err: &Path) -> Self {
        let [stdout, stderr] = [out, err].map(|path| File::create(path).expect("a file of ours"));
        Self::spawn(command.stdout(stdout).stderr(stderr), out, err)
    }

    /// Starts it with these descriptors as standard input and standard output; what it says on its standard error goes
    /// to the file `log`.
    pub(crate) fn start_with(
        command: &mut Command,
        input: OwnedFd,
        output: OwnedFd,
        log: &Path,
    ) -> Self {
        let errors = File::create(log).expect("the log can be written");
        Self::spawn(command.stdin(input).stdout(output).stderr(errors), log, log)
    }

    fn spawn(command: &mut Command, out: &Path, err: &Path) -> Self {
        let child = command.spawn();
        let child = child.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self { child, out: out.to_owned(), err: err.to_owned() }
    }

    /// Waits until it is ready. Fails if it ends before that, or needs more time.
    pub(crate) fn wait(&mut self, limit: Duration, mut is_ready: impl FnMut(&Self) -> bool) {
        let in_time = wait_until(limit, || is_ready(self) || self.has_ended());
        let (out, err) = (self.out(), self.err());
        assert!(in_time && !self.has_ended(), "it has not started: {out}\n{err}");
    }

    /// What its standard output has taken so far, and the standard error if both go to one file.
    pub(crate) fn out(&self) -> String {
        read(&self.out)
    }

    /// What its standard error has taken so far, and the standard output if both go to one file.
    pub(crate) fn err(&self) -> String {
        read(&self.err)
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.child);
        kill_process(id, signal).expect("it is our child, and has not been waited for");
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.status().is_some()
    }

    /// How it has ended, if it has.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is our child")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
