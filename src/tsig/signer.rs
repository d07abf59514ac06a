//! Signs messages, one after the other, and checks the answer to one (RFC 8945 sections 5.3 and 5.4).

use super::FUDGE;
use super::digest::{Digest, Mac, time_bytes};
use super::key::TsigKey;
use super::record::{Fields, Record};
use crate::wire::{Class, HEADER, Type};
use std::sync::Arc;

/// The bytes of a record beside its names and its MAC: type, class, TTL, size, time, fudge, size of the MAC,
/// number, error, size of what follows.
const FIXED: usize = 26;

/// Signs what is sent in answer to one request, or a request.
///
/// Each message of a stream is signed by itself: whoever gets it needs to hold none back.
#[derive(Debug)]
pub struct Signer {
    key: Arc<TsigKey>,
    /// That of the message before.
    prior: Option<Mac>,
    /// The first message of a stream is signed with all that its record says.
    is_first: bool,
}

/// Why an answer is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AnswerError {
    /// It is not signed, or not by the key.
    #[error("the answer is not signed with the key")]
    Unsigned,
    /// The server does not know the key, or finds the signature wrong or too old.
    #[error("the server does not take the key: {0}")]
    Refused(&'static str),
    /// The signature does not hold.
    #[error("the signature of the answer does not hold")]
    BadSignature,
    /// The clocks are too far apart.
    #[error("the clocks of the two are too far apart")]
    BadTime,
}

impl Signer {
    /// For a request with this key.
    pub fn requesting(key: Arc<TsigKey>) -> Self {
        Self { key, prior: None, is_first: true }
    }

    /// For the answer to a request with this MAC.
    pub(super) fn answering(key: Arc<TsigKey>, mac: Mac) -> Self {
        Self { key, prior: Some(mac), is_first: true }
    }

    /// The key.
    pub fn key(&self) -> &TsigKey {
        &self.key
    }

    /// The bytes that a signature adds to a message.
    pub fn room(&self) -> usize {
        let algorithm = self.key.algorithm();
        self.key.name().as_wire().len() + algorithm.wire().len() + algorithm.size() + FIXED
    }

    /// Signs the message of `len` bytes at the start of `out`, at `now` in seconds since 1970, and gives its
    /// length then. `None` if there is no room.
    pub fn sign(&mut self, out: &mut [u8], len: usize, now: u64) -> Option<usize> {
        self.sign_with(out, len, &Fields { time: now, fudge: FUDGE, error: 0, other: &[] })
    }

    pub(super) fn sign_with(
        &mut self,
        out: &mut [u8],
        len: usize,
        fields: &Fields<'_>,
    ) -> Option<usize> {
        let message = out.get(..len)?;
        let mut digest = Digest::new(&self.key, self.prior.as_ref());
        digest.add(message);
        if self.is_first {
            digest.add_variables(fields)
        } else {
            digest.add_timers(fields)
        }
        let mac = digest.sign();
        let id = *message.first_chunk()?;
        let names = [self.key.name().as_wire(), self.key.algorithm().wire()];
        let len = write_record(out, len, names, fields, mac.bytes(), id)?;
        (self.prior, self.is_first) = (Some(mac), false);
        Some(len)
    }

    /// Checks the answer to the request that was signed, at `now` in seconds since 1970.
    ///
    /// # Errors
    ///
    /// When it does not prove that its sender has the key.
    pub fn check_answer(&self, answer: &[u8], now: u64) -> Result<(), AnswerError> {
        let Ok(Some(record)) = Record::find(answer) else { return Err(AnswerError::Unsigned) };
        if record.key != *self.key.name()
            || record.algorithm.as_wire() != self.key.algorithm().wire()
        {
            return Err(AnswerError::Unsigned);
        }
        let fields = &record.fields;
        if let Some(name) = super::error::name(fields.error) {
            return Err(AnswerError::Refused(name));
        }
        let mut digest = Digest::new(&self.key, self.prior.as_ref());
        digest.add_unsigned(answer, &record);
        digest.add_variables(fields);
        if record.mac.len() < self.key.algorithm().size() || !digest.has(record.mac) {
            return Err(AnswerError::BadSignature);
        }
        match now.abs_diff(fields.time) <= u64::from(fields.fudge) {
            true => Ok(()),
            false => Err(AnswerError::BadTime),
        }
    }
}

/// Appends a TSIG record to a message of `len` bytes, with the names of the key and the algorithm.
pub(super) fn write_record(
    out: &mut [u8],
    len: usize,
    names: [&[u8]; 2],
    fields: &Fields<'_>,
    mac: &[u8],
    id: [u8; 2],
) -> Option<usize> {
    let [key, algorithm] = names;
    let number = |len: usize| (len as u16).to_be_bytes();
    let data_size = algorithm.len() + mac.len() + fields.other.len() + 16;
    let parts: [&[u8]; 14] = [
        key,
        &Type::TSIG.0.to_be_bytes(),
        &Class::ANY.0.to_be_bytes(),
        &[0; 4],
        &number(data_size),
        algorithm,
        &time_bytes(fields.time),
        &fields.fudge.to_be_bytes(),
        &number(mac.len()),
        mac,
        &id,
        &fields.error.to_be_bytes(),
        &number(fields.other.len()),
        fields.other,
    ];
    let mut at = len;
    for part in parts {
        out.get_mut(at..at + part.len())?.copy_from_slice(part);
        at += part.len();
    }
    let header = out.first_chunk_mut::<HEADER>()?;
    let additional = u16::from_be_bytes([header[10], header[11]]).checked_add(1)?;
    header[10..].copy_from_slice(&additional.to_be_bytes());
    Some(at)
}
