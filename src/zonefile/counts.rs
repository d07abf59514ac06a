//! What rbldnsd counts when it tells of a load.

/// The entries of a dataset by size or scope, each line for itself: rbldnsd counts lines that say
/// the same once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Counts {
    /// The type has nothing to tell apart.
    #[default]
    Plain,
    /// `ip4set`: single addresses and blocks of /24, /16 and /8.
    Blocks([u64; 4]),
    /// `ip6tset`: networks of /64, and single addresses excluded from them.
    Networks {
        /// The networks.
        listed: u64,
        /// The addresses.
        excluded: u64,
    },
    /// `dnset`: entries for the name itself and for what is below.
    Names {
        /// For the name itself.
        itself: u64,
        /// For what is below.
        below: u64,
    },
}
