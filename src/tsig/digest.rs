//! What a MAC is made of (RFC 8945 section 4.3).

use super::key::TsigKey;
use super::record::{Fields, Record};
use crate::wire::HEADER;
use ring::hmac;

/// A MAC as it was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mac {
    len: usize,
    bytes: [u8; Self::MAX],
}

impl Mac {
    /// The size of the longest, that of SHA-512.
    const MAX: usize = 64;

    /// `None` if it is longer than any.
    pub(super) fn new(mac: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::MAX];
        bytes.get_mut(..mac.len())?.copy_from_slice(mac);
        Some(Self { len: mac.len(), bytes })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The digest of a message under way.
pub(super) struct Digest<'k> {
    key: &'k TsigKey,
    context: hmac::Context,
}

impl<'k> Digest<'k> {
    /// Begins with the MAC of the message before, if there is one.
    pub(super) fn new(key: &'k TsigKey, prior: Option<&Mac>) -> Self {
        let mut digest = Self { key, context: hmac::Context::with_key(&key.hmac) };
        if let Some(prior) = prior {
            digest.add(&(prior.len as u16).to_be_bytes());
            digest.add(prior.bytes());
        }
        digest
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    /// A message as it was before it was signed.
    pub(super) fn add_unsigned(&mut self, message: &[u8], record: &Record<'_>) {
        let Some(header) = message.first_chunk::<HEADER>() else { return };
        let additional = u16::from_be_bytes([header[10], header[11]]).saturating_sub(1);
        self.add(&record.original_id);
        self.add(&header[2..10]);
        self.add(&additional.to_be_bytes());
        self.add(message.get(HEADER..record.start).unwrap_or_default());
    }

    /// The timers alone, as from the second message of a stream on.
    pub(super) fn add_timers(&mut self, fields: &Fields<'_>) {
        self.add(&time_bytes(fields.time));
        self.add(&fields.fudge.to_be_bytes());
    }

    /// All that the record says.
    pub(super) fn add_variables(&mut self, fields: &Fields<'_>) {
        self.add(self.key.name().as_wire());
        self.add(&[0, 255, 0, 0, 0, 0]);
        self.add(self.key.algorithm().wire());
        self.add_timers(fields);
        self.add(&fields.error.to_be_bytes());
        self.add(&(fields.other.len() as u16).to_be_bytes());
        self.add(fields.other);
    }

    /// The MAC.
    pub(super) fn sign(self) -> Mac {
        let tag = self.context.sign();
        let mut mac = Mac { len: 0, bytes: [0; Mac::MAX] };
        mac.len = tag.as_ref().len();
        mac.bytes[..mac.len].copy_from_slice(tag.as_ref());
        mac
    }

    /// True if this is the MAC, or the start of it. How long that takes does not tell how much of it is right:
    /// not the two are compared, but MACs of them.
    pub(super) fn has(self, mac: &[u8]) -> bool {
        let key = &self.key.hmac;
        let own = self.sign();
        let Some(own) = own.bytes().get(..mac.len()) else { return false };
        hmac::verify(key, own, hmac::sign(key, mac).as_ref()).is_ok()
    }
}

/// The lower 48 bits.
pub(super) fn time_bytes(time: u64) -> [u8; 6] {
    let [_, _, bytes @ ..] = time.to_be_bytes();
    bytes
}
