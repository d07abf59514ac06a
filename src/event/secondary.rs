//! Why secondaries are not told, and keys are not used.

use crate::tsig::{AnswerError, SecretError};
use crate::wire::Rcode;
use std::io;

/// Why a secondary does not know of a change.
#[derive(Debug, thiserror::Error)]
pub enum NotifyFault {
    /// It does not answer.
    #[error("it does not answer")]
    Silent,
    /// It cannot be reached.
    #[error("it cannot be reached: {0}")]
    Unreachable(io::Error),
    /// It answers with this response code.
    #[error("it answers {}", rcode_name(*.0))]
    Refused(u8),
    /// It does not prove that it is who it is.
    #[error(transparent)]
    Unproved(AnswerError),
}

fn rcode_name(code: u8) -> String {
    let known = Rcode::ALL.into_iter().find(|rcode| *rcode as u8 == code);
    known.map_or_else(|| format!("with the response code {code}"), |rcode| rcode.name().to_owned())
}

/// Why the secret of a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// Users who are neither its owner nor of its group can use the file.
    #[error("can be used by every user of this machine")]
    Exposed,
    /// It holds no secret.
    #[error("cannot be used: {0}")]
    NoSecret(SecretError),
}
