//! What the control socket is asked, and what it answers: one line of JSON each way.

use super::reload_report::ReloadReport;
use crate::status::Status;
use serde::{Deserialize, Serialize};
use std::fmt;
use tokio::sync::oneshot;

/// A request, as `{"command":"status"}`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Tells how the server is.
    Status {},
    /// Reads the settings again and has all files looked at; answers when that is done.
    Reload {},
    /// Serves the files of a dataset that are refused; answers when that is done.
    Accept {
        /// The dataset.
        dataset: String,
    },
}

impl Request {
    /// True if it changes anything: then only root and the server's own user may send it.
    pub(super) fn is_change(&self) -> bool {
        match self {
            Self::Status {} => false,
            Self::Reload {} | Self::Accept { .. } => true,
        }
    }
}

/// The answer to a request: the JSON object that was asked for, or one with `error`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Answer {
    /// To [`Request::Status`].
    Status(Box<Status>),
    /// To [`Request::Reload`].
    Reload(Box<ReloadReport>),
    /// To [`Request::Accept`].
    Accept(AcceptReport),
    /// The request was not done.
    Refused(Refused),
}

/// What came of the wish to serve files that are refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct AcceptReport {
    /// [`SCHEMA`](crate::status::SCHEMA) of the server.
    pub(crate) schema: u32,
    /// The dataset.
    pub(crate) dataset: String,
    /// Its files are served now.
    pub(crate) served: bool,
    /// What happened, as a sentence.
    pub(crate) outcome: String,
}

/// Why a request was not done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Refused {
    /// What is wrong, and what to do about it.
    pub(crate) error: String,
}

impl Answer {
    /// The request was not done, for this reason.
    pub(super) fn refused(error: impl fmt::Display) -> Self {
        Self::Refused(Refused { error: error.to_string() })
    }
}

/// A request that waits for its answer.
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) reply: Reply,
}

/// Where the answer goes.
pub(super) struct Reply(pub(super) oneshot::Sender<Answer>);

impl Reply {
    /// Answers, unless the client has gone.
    pub(super) fn send(self, answer: Answer) {
        let _ = self.0.send(answer);
    }
}
