//! Data that has expired, by its own account, while what is served has not.

use super::{Baseline, Candidate};
use crate::source::Cause;

/// Of access lists the newest holds in any case (docs/decisions/009).
pub(super) fn expired(candidate: &Candidate<'_>, served: &Baseline<'_>) -> Option<Cause> {
    let is_expired = candidate.dataset.is_expired(candidate.now);
    let is_worse = served.dataset.is_some_and(|served| served.is_expired(candidate.now));
    (is_expired && !is_worse && served.dataset.is_some() && candidate.dataset.acl.is_none())
        .then_some(Cause::Expired)
}
