//! Which of the two processors a thread, and what it starts, may run on.

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Processors to run on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cores {
    /// The one of a server that has it to itself.
    First,
    /// The one of the generator beside it.
    Second,
    /// Both.
    Both,
}

impl Cores {
    /// Does this work on these processors alone, then goes back to those it came from. What is
    /// started meanwhile stays on them.
    ///
    /// # Errors
    ///
    /// When the machine has no two processors.
    pub(crate) fn hold<T>(self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let this = Pid::from_raw(0);
        let before = sched_getaffinity(this)?;
        let numbers: &[usize] = match self {
            Self::First => &[0],
            Self::Second => &[1],
            Self::Both => &[0, 1],
        };
        let mut set = CpuSet::new();
        for &number in numbers {
            set.set(number)?;
        }
        sched_setaffinity(this, &set).context("this takes two processors")?;
        let outcome = work();
        sched_setaffinity(this, &before)?;
        outcome
    }
}
