//! What a zone says of itself at `_health.ZONE`.

use crate::config::Zone as ZoneSettings;
use crate::dataset::State;
use crate::dataset::manager::LoadedDataset;
use crate::event::{Overdue, Renewal};
use crate::util::text::age;
use crate::zone::ZoneHealth;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

/// The longest reason, in bytes: it fits a character-string.
const MAX_REASON: usize = 240;

/// All lists that decide what a zone answers, and whom.
pub(super) fn lists<'a>(
    settings: &'a ZoneSettings,
    server_acl: &'a [String],
) -> impl Iterator<Item = &'a String> {
    settings.datasets.iter().chain(&settings.allow).chain(&settings.acl).chain(server_acl)
}

/// The health of a zone that waits for this list at the start.
pub(super) fn while_loading(health: ZoneHealth, list: &str) -> ZoneHealth {
    ZoneHealth { reason: shortened(format!("{list}: still loading")).into(), ..health }
}

/// The health of a zone with these settings at `now`, in seconds since 1970.
pub(super) fn of(
    settings: &ZoneSettings,
    server_acl: &[String],
    loaded: &HashMap<&String, LoadedDataset<'_>>,
    content_id: u64,
    now: u64,
) -> ZoneHealth {
    let names = || lists(settings, server_acl);
    let worst = names().map(|name| Condition::of(loaded.get(name), now)).max();
    let worst = worst.unwrap_or(Condition::Live);
    let culprit = names().find(|name| Condition::of(loaded.get(name), now) == worst);
    let reason = match (worst, culprit) {
        (Condition::Live, _) | (_, None) => String::new(),
        (_, Some(name)) => worst.reason(name, loaded.get(name)),
    };
    let lists = || settings.datasets.iter().chain(&settings.allow);
    let times = lists().map(|name| loaded.get(name).map(|list| list.served.newest()));
    ZoneHealth {
        is_ready: worst < Condition::Overdue,
        state: worst.word(),
        changed: times.collect::<Option<Vec<_>>>().and_then(|times| times.into_iter().min()),
        content_id,
        reason: shortened(reason).into(),
        instance: *INSTANCE,
    }
}

/// The number of this process.
static INSTANCE: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));

/// How one dataset is, the best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Condition {
    /// It serves what its files hold.
    Live,
    /// It was not renewed for long, which its settings do not forbid.
    Aging,
    /// Its files are away; the last good data is served.
    Stale,
    /// Its files hold something wrong; the last good data is served.
    Quarantined,
    /// It was not renewed for longer than its settings allow.
    Overdue,
    /// Its data has expired by its own account.
    Expired,
    /// Nothing of it was ever loaded.
    NeverLoaded,
}

impl Condition {
    fn of(list: Option<&LoadedDataset<'_>>, now: u64) -> Self {
        match list {
            None => Self::NeverLoaded,
            Some(list) if list.served.dataset.is_expired(now) => Self::Expired,
            Some(list) if list.overdue.is_some_and(|overdue| overdue.is_by_setting) => {
                Self::Overdue
            }
            Some(list) => match list.state {
                State::Live if list.overdue.is_some() => Self::Aging,
                State::Live => Self::Live,
                State::Stale => Self::Stale,
                State::Quarantined => Self::Quarantined,
                State::NeverLoaded => Self::NeverLoaded,
            },
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Aging | Self::Stale | Self::Overdue => "stale",
            Self::Quarantined => "quarantined",
            Self::Expired => "expired",
            Self::NeverLoaded => "never-loaded",
        }
    }

    fn reason(self, name: &str, list: Option<&LoadedDataset<'_>>) -> String {
        let problem = list.and_then(|list| list.failure).map(|failure| &failure.problem.cause);
        match (self, problem) {
            (Self::Expired, _) => format!("{name}: the data has expired ($TIMESTAMP)"),
            (Self::NeverLoaded, _) => format!("{name}: nothing was ever loaded"),
            (Self::Aging | Self::Overdue, cause) => match list.and_then(|list| list.overdue) {
                Some(Overdue { what: Renewal::Change, limit, .. }) => {
                    format!("{name}: unchanged for more than {}", age(limit))
                }
                Some(Overdue { what: Renewal::GoodFiles, limit, .. }) => {
                    let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
                    format!("{name}: no good files for more than {}{cause}", age(limit))
                }
                None => format!("{name}: {}", self.word()),
            },
            (_, Some(cause)) => format!("{name}: {cause}"),
            (_, None) => format!("{name}: {}", self.word()),
        }
    }
}

/// The reason in printable ASCII, cut where it is too long.
fn shortened(reason: String) -> String {
    let printable = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    reason.chars().map(printable).take(MAX_REASON).collect()
}
