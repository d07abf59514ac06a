//! How the hashes of a `hashset` are written.

use crate::trie::digests::{Alphabet, DigestForm, LONG_HEX};

/// How the hashes of a dataset are written, as far as it is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HashForm {
    /// The alphabet.
    pub alphabet: Option<Alphabet>,
    /// The number of digits.
    pub digits: Option<u8>,
}

impl HashForm {
    /// The form of settings; `None` if no hash has it. A SHA-256 in hex (64 digits) is asked for in base32, since it
    /// fits no label.
    pub fn new(alphabet: Option<Alphabet>, digits: Option<usize>) -> Option<Self> {
        let (alphabet, digits) = match (alphabet, digits) {
            (None | Some(Alphabet::Hex), Some(LONG_HEX)) => {
                let label = DigestForm::of_long_hex();
                (Some(label.alphabet()), Some(label.digits()))
            }
            other => other,
        };
        let fits = |digits| DigestForm::new(Alphabet::Hex, digits).is_some();
        let is_valid = digits.is_none_or(fits);
        is_valid.then_some(Self { alphabet, digits: digits.map(|digits| digits as u8) })
    }

    /// True if nothing contradicts this form.
    pub(super) fn fits(self, form: DigestForm) -> bool {
        self.alphabet.is_none_or(|alphabet| alphabet == form.alphabet())
            && self.digits.is_none_or(|digits| usize::from(digits) == form.digits())
    }

    /// The form of a hash; `None` if it is too short or too long for one.
    pub(super) fn of(self, label: &[u8]) -> Option<DigestForm> {
        DigestForm::new(self.alphabet_of(label), label.len())
    }

    /// The alphabet that is known, or else the one that a text seems to be of.
    pub(super) fn alphabet_of(self, text: &[u8]) -> Alphabet {
        let is_hex = || text.iter().all(|&byte| Alphabet::Hex.has(byte));
        let guessed = || if is_hex() { Alphabet::Hex } else { Alphabet::Base32 };
        self.alphabet.unwrap_or_else(guessed)
    }
}
