//! Signed messages (TSIG, RFC 8945): who asks proves that it knows a secret, and who is answered that the answer
//! is ours. HMAC with SHA-2 alone: what is weaker is out of use.
//!
//! [`open`] reads what stands at the end of a request. The [`Signer`] that a valid signature gives signs the
//! answer: one message, or all messages of a stream. No files and no sockets: secrets come as bytes.

mod digest;
mod key;
mod record;
mod request;
mod secret;
mod signer;
#[cfg(test)]
mod tests;

pub use key::{Algorithm, TsigKey, TsigKeys};
pub use request::{BadSignature, Proof, open};
pub use secret::{SecretError, read_secret};
pub use signer::{AnswerError, Signer};

/// How far the clocks of the two sides may be apart, in seconds, in what we sign (RFC 8945 section 10).
const FUDGE: u16 = 300;

/// The errors of a TSIG record (RFC 8945 section 3).
mod error {
    pub(super) const BADSIG: u16 = 16;
    pub(super) const BADKEY: u16 = 17;
    pub(super) const BADTIME: u16 = 18;

    /// The mnemonic of an error; `None` if there is none.
    pub(super) fn name(error: u16) -> Option<&'static str> {
        Some(match error {
            0 => return None,
            BADSIG => "BADSIG",
            BADKEY => "BADKEY",
            BADTIME => "BADTIME",
            _ => "unknown error",
        })
    }
}
