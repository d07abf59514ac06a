//! A program that is run for a while: with a time limit, and in a process group of its own, so that whatever it
//! starts ends with it.

use rustix::process::{Pid, Signal, kill_process_group};
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How long a program has for its end after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

/// The most bytes that are kept of what a program says; the first ones of them.
const KEPT: usize = 64 << 10;

/// Told when the supervisor is to end.
pub(super) type Stop = watch::Receiver<bool>;

/// How a program ended, and what it said.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) end: End,
    pub(super) out: String,
    pub(super) err: String,
}

/// How a program ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// By itself, with this code.
    Code(i32),
    /// By this signal of somebody else.
    Signal(i32),
    /// By us, because its time was over.
    TimedOut,
    /// By us, because the supervisor ends.
    Stopped,
}

/// Runs a program with `input`. `heard` gets each piece of its standard output.
///
/// # Errors
///
/// If it cannot be started.
pub(super) async fn run(
    mut command: Command,
    input: &[u8],
    limit: Duration,
    stop: &mut Stop,
    mut heard: impl FnMut(&[u8]),
) -> io::Result<Ended> {
    let stdin = if input.is_empty() { Stdio::null() } else { Stdio::piped() };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = Group::of(command.spawn()?);
    let (stdin, stdout, stderr) =
        (child.child.stdin.take(), child.child.stdout.take(), child.child.stderr.take());
    let write = async {
        if let Some(mut pipe) = stdin {
            // A program that does not read its input tells so by its code, or has no need of it.
            let _ = pipe.write_all(input).await;
        }
    };
    let mut out = Kept::default();
    let mut err = Kept::default();
    let mut nobody = |_: &[u8]| {};
    let finished = async {
        tokio::join!(
            write,
            out.read(stdout, &mut heard),
            err.read(stderr, &mut nobody),
            child.child.wait()
        )
        .3
    };
    let end = tokio::select! {
        status = finished => ended(status?),
        () = sleep(limit) => End::TimedOut,
        _ = stop.wait_for(|stop| *stop) => End::Stopped,
    };
    match end {
        // Nobody is left in its group, as far as it matters: the number may be another's by now.
        End::Code(_) | End::Signal(_) => child.group = None,
        End::TimedOut | End::Stopped => child.end().await,
    }
    Ok(Ended { end, out: out.text(), err: err.text() })
}

fn ended(status: ExitStatus) -> End {
    match status.code() {
        Some(code) => End::Code(code),
        None => End::Signal(status.signal().unwrap_or_default()),
    }
}

/// A program and all that it has started in its group; ends when dropped.
struct Group {
    child: Child,
    group: Option<Pid>,
}

impl Group {
    fn of(child: Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self { child, group: id.and_then(Pid::from_raw) }
    }

    /// Ends what is left of it.
    async fn end(&mut self) {
        self.signal(Signal::TERM);
        let _ = timeout(GRACE, self.child.wait()).await;
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // Most often, nobody is left.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// The beginning of what a program says.
#[derive(Default)]
struct Kept(Vec<u8>);

impl Kept {
    async fn read(&mut self, pipe: Option<impl AsyncRead + Unpin>, heard: &mut impl FnMut(&[u8])) {
        let Some(mut pipe) = pipe else { return };
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
            heard(&buffer[..length]);
            let room = KEPT.saturating_sub(self.0.len());
            self.0.extend_from_slice(&buffer[..length.min(room)]);
        }
    }

    fn text(self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn what_it_says_and_its_code_are_told() {
        let (_keep, mut stop) = watch::channel(false);
        let limit = Duration::from_secs(20);
        let script = "cat; echo trouble >&2; exit 7";
        let ended = block_on(run(shell(script), b"input", limit, &mut stop, |_| {})).unwrap();
        let told = (ended.end, ended.out.as_str(), ended.err.as_str());
        assert_eq!(told, (End::Code(7), "input", "trouble\n"));
        let ended = block_on(run(shell("kill -9 $$"), b"", limit, &mut stop, |_| {})).unwrap();
        assert_eq!(ended.end, End::Signal(9));
    }

    #[test]
    fn a_flood_is_kept_in_part() {
        let (_keep, mut stop) = watch::channel(false);
        let script = "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2";
        let limit = Duration::from_secs(20);
        let mut heard = 0;
        let count = |piece: &[u8]| heard += piece.len();
        let ended = block_on(run(shell(script), b"", limit, &mut stop, count)).unwrap();
        assert_eq!((ended.end, ended.out.len(), ended.err.len()), (End::Code(0), KEPT, KEPT));
        assert_eq!(heard, 300_000);
    }

    #[test]
    fn what_it_has_started_ends_with_it() {
        let (_keep, mut stop) = watch::channel(false);
        // The pipe stays open as long as any of them is there.
        let script = "sleep 1000 & trap '' TERM; sleep 1000";
        let limit = Duration::from_millis(50);
        let ended = block_on(run(shell(script), b"", limit, &mut stop, |_| {})).unwrap();
        assert_eq!(ended.end, End::TimedOut);
        let (stopper, mut stop) = watch::channel(false);
        stopper.send_replace(true);
        let limit = Duration::from_secs(20);
        let ended = block_on(run(shell("sleep 1000"), b"", limit, &mut stop, |_| {})).unwrap();
        assert_eq!(ended.end, End::Stopped);
    }
}
