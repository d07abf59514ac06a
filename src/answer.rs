//! The number of an answer: the one thing that listings, tries and zones all speak of.

/// The number of an interned [`Answer`](crate::listing::Answer) of a dataset.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct AnswerId(pub u32);

impl AnswerId {
    /// Zero: the key is not listed.
    pub const NONE: Self = Self(0);

    /// True if a key with this answer is listed.
    pub fn is_listed(self) -> bool {
        self != Self::NONE
    }
}
