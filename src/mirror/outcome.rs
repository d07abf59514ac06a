//! What became of a fetch.

use super::child::End;
use crate::config::Feed;
use crate::state::feeds::FeedFailure;

/// What a session has moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Transfer {
    /// The bytes of all files of the source.
    pub(super) size: u64,
    /// The bytes that came and went.
    pub(super) transferred: u64,
    /// The files of the source, as far as its transport tells.
    pub(super) files: Option<u64>,
}

/// What a fetch that went well has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Fetched {
    pub(super) transfer: Transfer,
    /// The files that were published.
    pub(super) published: usize,
    /// Those of them that have other bytes than before.
    pub(super) changed: usize,
    /// The files that are published and that the source has no more.
    pub(super) orphans: u64,
}

/// Why there is nothing to publish.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum NotFetched {
    /// Something went wrong.
    Failed(FeedFailure),
    /// The supervisor ends.
    Stopped,
}

impl NotFetched {
    pub(super) fn failed(cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Failed(FeedFailure { cause: cause.into(), remedy: remedy.into() })
    }
}

impl From<FeedFailure> for NotFetched {
    fn from(failure: FeedFailure) -> Self {
        Self::Failed(failure)
    }
}

/// What to say of a program that did not end by itself.
pub(super) fn broken_off(end: End, feed: &Feed) -> NotFetched {
    match end {
        End::Stopped => NotFetched::Stopped,
        End::TimedOut => NotFetched::failed(
            format!("it took longer than time-limit ({} s)", feed.limits.time.as_secs()),
            "nothing, if it is rare: the next try goes on where this one ended; else set time-limit higher",
        ),
        End::Signal(number) => NotFetched::failed(
            format!("signal {number} ended the transfer"),
            "see the log of the system: it may be out of memory",
        ),
        End::Code(code) => NotFetched::failed(format!("code {code}"), "see what it said"),
    }
}

/// What to say of a program that is not there.
pub(super) fn not_started(program: &str, error: &std::io::Error) -> NotFetched {
    NotFetched::failed(format!("cannot start {program}: {error}"), format!("install {program}"))
}
