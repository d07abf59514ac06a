//! A request that may be signed, checked (RFC 8945 section 5.2).

use super::digest::{Digest, Mac, time_bytes};
use super::key::{TsigKey, TsigKeys};
use super::record::{Fields, Record};
use super::signer::{Signer, write_record};
use super::{FUDGE, error};
use crate::wire::name::NameBuf;
use crate::wire::{HEADER, Rcode};
use std::sync::Arc;

/// What is known of who sent a request.
#[derive(Debug)]
pub enum Proof {
    /// Nothing: it is not signed, or no request.
    Unsigned,
    /// It has a signature that cannot be read: the answer is FORMERR.
    Malformed,
    /// Who sent it has the [key](Signer::key), and its answers must be signed.
    Signed(Signer),
    /// Its signature does not hold.
    Refused(Box<BadSignature>),
}

/// Why a signature does not hold.
#[derive(Debug)]
pub struct BadSignature {
    /// The name of the key, as the request has it, in lower case.
    pub key: NameBuf,
    algorithm: NameBuf,
    original_id: [u8; 2],
    now: u64,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    Key,
    Signature,
    /// The clocks are too far apart; the answer is signed, with the time of the request.
    Time(Signer, u64),
}

/// Reads the signature of a request, at `now` in seconds since 1970.
pub fn open(message: &[u8], keys: &TsigKeys, now: u64) -> Proof {
    if message.get(2).is_none_or(|flags| flags & 0x80 != 0) {
        return Proof::Unsigned;
    }
    let record = match Record::find(message) {
        Ok(None) => return Proof::Unsigned,
        Ok(Some(record)) => record,
        Err(_) => return Proof::Malformed,
    };
    let Record { original_id, fields, mac, .. } = record;
    let is_its = |key: &&Arc<TsigKey>| key.algorithm().wire() == record.algorithm.as_wire();
    let refusal = |cause| {
        let (key, algorithm) = (record.key.clone(), record.algorithm.clone());
        Proof::Refused(Box::new(BadSignature { key, algorithm, original_id, now, cause }))
    };
    let Some(key) = keys.find(&record.key).filter(is_its) else { return refusal(Cause::Key) };
    // RFC 8945 section 5.2.2.1: a part of a MAC is as good, if it is long enough.
    let size = key.algorithm().size();
    let Some(sent) = Mac::new(mac).filter(|_| (10.max(size / 2)..=size).contains(&mac.len()))
    else {
        return Proof::Malformed;
    };
    let mut digest = Digest::new(key, None);
    digest.add_unsigned(message, &record);
    digest.add_variables(&fields);
    if !digest.has(mac) {
        return refusal(Cause::Signature);
    }
    let signer = Signer::answering(Arc::clone(key), sent);
    if now.abs_diff(fields.time) > u64::from(fields.fudge) {
        return refusal(Cause::Time(signer, fields.time));
    }
    Proof::Signed(signer)
}

impl BadSignature {
    /// The mnemonic of the error (RFC 8945 section 3).
    pub fn name(&self) -> &'static str {
        error::name(self.error()).unwrap_or_default()
    }

    fn error(&self) -> u16 {
        match self.cause {
            Cause::Key => error::BADKEY,
            Cause::Signature => error::BADSIG,
            Cause::Time(..) => error::BADTIME,
        }
    }

    /// Writes the answer to the request, NOTAUTH, and gives its length (RFC 8945 section 5.3.2): that of the
    /// request and at most 300 bytes. `None` if there is no room for it.
    pub fn answer(self, request: &[u8], out: &mut [u8]) -> Option<usize> {
        let question = NameBuf::from_wire(request.get(HEADER..)?)?;
        let len = HEADER + question.as_wire().len() + 4;
        out.get_mut(..len)?.copy_from_slice(request.get(..len)?);
        let header = out.first_chunk_mut::<HEADER>()?;
        header[2] = header[2] & 0x79 | 0x80;
        header[3] = Rcode::NotAuth as u8;
        header[6..].fill(0);
        let fields = Fields { time: self.now, fudge: FUDGE, error: self.error(), other: &[] };
        if let Cause::Time(mut signer, time) = self.cause {
            let own_time = time_bytes(self.now);
            return signer.sign_with(out, len, &Fields { time, other: &own_time, ..fields });
        }
        let names = [self.key.as_wire(), self.algorithm.as_wire()];
        write_record(out, len, names, &fields, &[], self.original_id)
    }
}
