//! What the control socket is asked, and what it answers: one line of JSON each way.

use super::reload_report::ReloadReport;
use crate::status::Status;
use serde::{Deserialize, Serialize};
use std::fmt;
use tokio::sync::oneshot;

/// A request, as `{"command":"status"}`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum ControlRequest {
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

impl ControlRequest {
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
pub(super) enum ControlAnswer {
    /// To [`ControlRequest::Status`].
    Status(Box<Status>),
    /// To [`ControlRequest::Reload`].
    Reload(Box<ReloadReport>),
    /// To [`ControlRequest::Accept`].
    Accept(AcceptReport),
    /// The request was not done.
    Refused(ControlRefusal),
}

impl ControlAnswer {
    /// The answer to a request that is not done.
    pub(super) fn refused(error: impl fmt::Display) -> Self {
        Self::Refused(ControlRefusal { error: error.to_string() })
    }
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
pub(crate) struct ControlRefusal {
    /// What is wrong, and what to do about it.
    pub(crate) error: String,
}

/// A request that waits for its answer.
pub(super) struct Asked {
    pub(super) request: ControlRequest,
    pub(super) reply: Reply,
}

/// Where the answer goes.
pub(super) struct Reply(pub(super) oneshot::Sender<ControlAnswer>);

impl Reply {
    /// Answers, unless the client has gone.
    pub(super) fn send(self, answer: ControlAnswer) {
        let _ = self.0.send(answer);
    }
}
