//! Keys: a name, an algorithm and a secret, which both sides know.

use crate::wire::name::NameBuf;
use ring::hmac;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// How a message is signed (RFC 8945 section 6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Sha256,
    /// HMAC with SHA-384.
    Sha384,
    /// HMAC with SHA-512.
    Sha512,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// The name, as other name servers have it in their settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "hmac-sha256",
            Self::Sha384 => "hmac-sha384",
            Self::Sha512 => "hmac-sha512",
        }
    }

    /// The name in wire form.
    pub(super) fn wire(self) -> &'static [u8] {
        match self {
            Self::Sha256 => b"\x0bhmac-sha256\0",
            Self::Sha384 => b"\x0bhmac-sha384\0",
            Self::Sha512 => b"\x0bhmac-sha512\0",
        }
    }

    /// The size of a MAC, in bytes.
    pub(super) fn size(self) -> usize {
        self.ring().digest_algorithm().output_len()
    }

    fn ring(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is = |algorithm: &Self| algorithm.name().eq_ignore_ascii_case(text);
        Self::ALL.into_iter().find(is).ok_or(())
    }
}

/// A key. Its secret is never shown.
#[derive(Debug)]
pub struct TsigKey {
    name: NameBuf,
    algorithm: Algorithm,
    pub(super) hmac: hmac::Key,
}

impl TsigKey {
    /// The key of this name, in any case.
    pub fn new(name: &NameBuf, algorithm: Algorithm, secret: &[u8]) -> Self {
        let hmac = hmac::Key::new(algorithm.ring(), secret);
        Self { name: name.to_lowercase(), algorithm, hmac }
    }

    /// The name, in lower case.
    pub fn name(&self) -> &NameBuf {
        &self.name
    }

    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// The keys of a server.
#[derive(Clone, Debug, Default)]
pub struct TsigKeys {
    usable: Vec<Arc<TsigKey>>,
    are_configured: bool,
}

impl TsigKeys {
    /// Those that can be used, of the keys that are configured. If none can, no signature holds.
    pub fn of_configured(usable: impl IntoIterator<Item = Arc<TsigKey>>) -> Self {
        Self { usable: usable.into_iter().collect(), are_configured: true }
    }

    /// True if some are configured; without, signatures mean nothing.
    #[inline]
    pub fn are_configured(&self) -> bool {
        self.are_configured
    }

    /// The key of this name (in lower case), if it can be used.
    pub fn find(&self, name: &NameBuf) -> Option<&Arc<TsigKey>> {
        self.usable.iter().find(|key| key.name == *name)
    }
}
