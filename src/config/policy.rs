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
    /// Refuses feeds that have far fewer entries than before.
    pub shrank: bool,
    /// Refuses feeds that list far more than before.
    pub grew: bool,
    /// Refuses data that lists what must never be listed.
    pub sentinel: bool,
    /// Refuses feeds with far more bad lines than before.
    pub bad_lines: bool,
    /// Refuses feeds that have lost the test entry of RFC 5782.
    pub test_entry: bool,
    /// Refuses feeds that are older than what is served, by their own account.
    pub backwards: bool,
    /// Refuses allow lists that allow everything by a value that refuses questions.
    pub abuse_code: bool,
    /// Refuses data with another number of entries than it says.
    pub count: bool,
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
            shrank: holds,
            grew: holds,
            sentinel: holds,
            bad_lines: holds,
            test_entry: holds,
            backwards: holds,
            abuse_code: holds,
            count: holds,
            recall: holds,
            future_is_now: holds,
            leaves_out_expired: holds,
            dialect,
        }
    }
}

/// Turns off a rule.
pub type TurnOff = fn(&mut Policy);

/// The rules that a setting can turn off: the name, as messages of the guard have it, and how.
pub const RULES: &[(&str, TurnOff)] = &[
    ("foreign", |policy| (policy.foreign, policy.zeros) = (false, false)),
    ("wrong-form", |policy| policy.other_form = false),
    ("expansion", |policy| policy.expansion = false),
    ("interrupted", |policy| policy.interrupted = false),
    ("nothing-valid", |policy| policy.nothing_valid = false),
    ("empty", |policy| policy.empty = false),
    ("delisting", |policy| policy.delisting = false),
    ("expired", |policy| policy.expired = false),
    ("shrank", |policy| policy.shrank = false),
    ("grew", |policy| policy.grew = false),
    ("sentinel", |policy| policy.sentinel = false),
    ("bad-lines", |policy| policy.bad_lines = false),
    ("test-entry-vanished", |policy| policy.test_entry = false),
    ("backwards", |policy| policy.backwards = false),
    ("abuse-code", |policy| policy.abuse_code = false),
    ("count-differs", |policy| policy.count = false),
];
