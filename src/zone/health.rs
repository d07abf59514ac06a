//! What a zone says of itself: whether it is ready, and of what content.

use crate::wire::name::LowerName;

/// How a zone is, as it says itself at the name `_health` below its apex.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZoneHealth {
    /// All datasets of the zone are within their policy: clients may trust what it lists.
    pub is_ready: bool,
    /// The state in one word.
    pub state: &'static str,
    /// When the oldest of the data last changed, in seconds since 1970; `None` if a dataset has no data.
    pub changed: Option<u64>,
    /// Equal for zones that answer from equal data by equal settings.
    pub content_id: u64,
    /// What is wrong; empty if nothing is.
    pub reason: Box<str>,
    /// The process that answers: another number after each start.
    pub instance: u64,
}

/// The names that tell the health of a zone. No name of a host begins with an underscore (RFC 8552
/// section 1.1): no list needs them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HealthName {
    /// `_health` below the apex always exists.
    Health,
    /// `_ready` below the apex exists while the zone is ready, for who looks at the response code alone.
    Ready,
    /// `_doctor-ANYTHING` below the apex always exists, for who makes up a name that no resolver can know yet,
    /// to see whether a question gets as far as the server. It is one label, so that a resolver that minimises
    /// query names (RFC 9156) asks for it at once.
    Doctor,
}

/// What the label begins with that `dnsbld doctor` makes up.
pub(crate) const DOCTOR_PREFIX: &str = "_doctor-";

impl HealthName {
    /// The one that this name is, relative to its zone.
    #[inline]
    pub(crate) fn of(name: &LowerName) -> Option<Self> {
        match name.labels_before(1, 0) {
            _ if name.labels() != 1 => None,
            b"\x07_health" => Some(Self::Health),
            b"\x06_ready" => Some(Self::Ready),
            [_, label @ ..] if label.starts_with(DOCTOR_PREFIX.as_bytes()) => Some(Self::Doctor),
            _ => None,
        }
    }
}

impl ZoneHealth {
    /// The content id in hexadecimal digits, as people and programs compare it.
    pub fn content_digits(&self) -> [u8; 16] {
        std::array::from_fn(|place| {
            let digit = (self.content_id >> (60 - 4 * place) & 15) as u8;
            if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }
        })
    }
}
