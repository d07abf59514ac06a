//! Data from the future, by its own account.

/// The time at which the data was made, in seconds since 1970, if that lies in the future.
pub fn future(stamp: Option<u64>, now: u64) -> Option<u64> {
    stamp.filter(|&stamp| stamp > now)
}
