//! The network devices whose queries are taken past the kernel's stack (`docs/xdp.md`).

use crate::util::text::counted;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Add;

/// One device of `server.xdp`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeviceStatus {
    /// The name.
    pub device: String,
    /// How its queries come to the server.
    pub mode: DeviceMode,
    /// Why by the sockets, and what to do about it.
    pub reason: Option<String>,
    /// The queues that it receives by now; 0 if there is no such device.
    pub queues: u32,
    /// The workers, of which each has a queue.
    pub workers: Vec<QueueStatus>,
}

/// How queries come to the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceMode {
    /// Past the stack, in the memory that the driver receives to.
    ZeroCopy,
    /// Past the stack, in copies.
    Copy,
    /// By the stack.
    Sockets,
}

/// What has come by a queue since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct QueueStatus {
    /// The number of the queue.
    pub queue: u32,
    /// Answers that left by it.
    pub answers: u64,
    /// Frames that were left to the kernel's stack.
    pub passed: u64,
    /// Frames that were for the worker and did not reach it.
    pub lost: LostFrames,
}

/// Frames that are lost, as the kernel counts them (`XDP_STATISTICS`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LostFrames {
    /// Those that there was no memory for, or that were too long.
    pub dropped: u64,
    /// Those that the ring had no place for.
    pub ring_full: u64,
    /// How often all memory was in use. Where frames are copied, those are among the dropped.
    pub no_frame: u64,
    /// Places in a ring that the kernel could not use.
    pub invalid: u64,
}

impl DeviceStatus {
    /// What has come by all queues.
    pub(crate) fn sum(&self) -> QueueStatus {
        self.workers.iter().fold(QueueStatus::default(), |sum, &queue| sum + queue)
    }
}

impl Add for QueueStatus {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (lost, more) = (self.lost, other.lost);
        Self {
            queue: self.queue,
            answers: self.answers + other.answers,
            passed: self.passed + other.passed,
            lost: LostFrames {
                dropped: lost.dropped + more.dropped,
                ring_full: lost.ring_full + more.ring_full,
                no_frame: lost.no_frame + more.no_frame,
                invalid: lost.invalid + more.invalid,
            },
        }
    }
}

/// `xdp eth0: 4 of 4 queues past the kernel's stack, with copies; 12 answers, 1 frame left to the kernel, 0 lost`
impl fmt::Display for DeviceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "xdp {}: ", self.device)?;
        let copies = match self.mode {
            DeviceMode::ZeroCopy => "without copies",
            DeviceMode::Copy => "with copies",
            DeviceMode::Sockets => {
                let reason = self.reason.as_deref().unwrap_or_default();
                return write!(f, "the sockets have its queries: {reason}");
            }
        };
        let workers = self.workers.len();
        let queues = counted(self.queues.into(), "queue", "queues");
        let QueueStatus { answers, passed, lost, .. } = self.sum();
        write!(
            f,
            "{workers} of {queues} past the kernel's stack, {copies}; {}, {} left to the kernel, {} lost",
            counted(answers, "answer", "answers"),
            counted(passed, "frame", "frames"),
            lost.dropped + lost.ring_full,
        )
    }
}
