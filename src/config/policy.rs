//! Which rules hold for the data of a dataset: what a personality wants.

use crate::zonefile::Dialect;

/// The rules, one field each; `guard` applies most of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Refuses content that is no list by its first bytes.
    pub foreign: bool,
    /// Refuses lists in another form than rbldnsd's, where the dataset names none.
    pub other_form: bool,
    /// Refuses content with many bytes of value zero, if good data is served meanwhile.
    pub zeros: bool,
    /// Refuses gzip data that unpacks to far more than a list does.
    pub expansion: bool,
    /// Refuses what an interrupted transfer left, if a whole version is served.
    pub interrupted: bool,
    /// Refuses files of which no line is valid.
    pub nothing_valid: bool,
    /// Refuses empty files.
    pub empty: bool,
    /// Refuses files that would delist everything that is served of them.
    pub delisting: bool,
    /// Refuses data that has expired if what is served has not.
    pub expired: bool,
    /// Serves data of before the start while the files hold nothing good.
    pub recall: bool,
    /// Takes files from the future to be of now when a serial is made of their time.
    pub future_is_now: bool,
    /// Leaves expired datasets out of zones that have others; else they take the zone with them.
    pub leaves_out_expired: bool,
    /// How lines are read where rbldnsd differs.
    pub dialect: Dialect,
}

impl Policy {
    /// dnsbld's own.
    pub const NATIVE: Self = Self::all(true, Dialect::Native);
    /// rbldnsd's: whatever can be read is served, even if it lists nothing.
    pub const RBLDNSD: Self = Self::all(false, Dialect::Rbldnsd);

    const fn all(holds: bool, dialect: Dialect) -> Self {
        Self {
            foreign: holds,
            other_form: holds,
            zeros: holds,
            expansion: holds,
            interrupted: holds,
            nothing_valid: holds,
            empty: holds,
            delisting: holds,
            expired: holds,
            recall: holds,
            future_is_now: holds,
            leaves_out_expired: holds,
            dialect,
        }
    }
}
