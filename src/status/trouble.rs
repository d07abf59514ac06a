//! What is wrong, and what to do about it.

use super::text::ago;
use super::{CertificateStatus, DatasetStatus, FeedStatus, Health, Status, Time, ZoneStatus};
use crate::util::text::counted;
use std::fmt;

/// Something that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trouble {
    /// What it is about, such as `dataset list`.
    pub subject: String,
    /// What has happened, and what follows from it.
    pub what: String,
    /// What to do about it, if that is not said of something else that is wrong.
    pub remedy: Option<String>,
}

/// A line: the subject, what happened, the remedy.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.what)?;
        self.remedy.iter().try_for_each(|remedy| write!(f, "; {remedy}"))
    }
}

impl Status {
    /// All that is wrong: with datasets, feeds, zones and certificates.
    pub fn troubles(&self) -> Vec<Trouble> {
        let datasets = self.datasets.iter().filter_map(|set| set.trouble(self.time, &self.zones));
        let feeds = self.feeds.iter().filter_map(|feed| feed.trouble(self.time));
        let zones = self.zones.iter().filter_map(ZoneStatus::trouble);
        let certificates = self.server.certificates.iter();
        let certificates = certificates.filter_map(|it| it.trouble(self.time));
        datasets.chain(feeds).chain(zones).chain(certificates).collect()
    }
}

impl CertificateStatus {
    fn trouble(&self, now: Time) -> Option<Trouble> {
        (!self.is_well(now)).then(|| Trouble {
            subject: self.subject(),
            what: format!("{}; clients refuse it from then on", self.left(now)),
            remedy: Some("renew it".to_owned()),
        })
    }
}

impl ZoneStatus {
    /// What it does while data of it is overdue.
    fn does(&self) -> &'static str {
        match self.stale.as_str() {
            "unlist" => "lists nothing of it",
            "servfail" => "answers SERVFAIL",
            _ => "serves it and is not ready",
        }
    }

    /// What is wrong with it, beside what is wrong with its datasets.
    fn trouble(&self) -> Option<Trouble> {
        let (what, remedy) = match self.state {
            Health::Whole | Health::Kept if self.ready => return None,
            Health::Whole | Health::Kept => {
                let reason = self.reason.as_deref().unwrap_or("-");
                (format!("not ready: {reason}"), None)
            }
            Health::Partial => {
                let what = "one of its datasets was never loaded or has expired; the zone answers SERVFAIL for \
                            what only that could list, unless its setting `partial` says otherwise";
                (what.to_owned(), None)
            }
            Health::Withheld => {
                let what = "its data is older than max-age or keep-bad-for allows; the zone answers SERVFAIL, \
                            as its setting `stale` says";
                (what.to_owned(), None)
            }
            Health::Expired => {
                let what = "its data has expired; the zone answers SERVFAIL";
                (what.to_owned(), Some("fetch newer data".to_owned()))
            }
            Health::Unloaded => {
                ("nothing of it was ever loaded; the zone answers SERVFAIL".to_owned(), None)
            }
        };
        Some(Trouble { subject: format!("zone {}", self.name), what, remedy })
    }
}

impl DatasetStatus {
    /// What is wrong with its files, since when, and what to do about it.
    fn trouble(&self, now: Time, zones: &[ZoneStatus]) -> Option<Trouble> {
        let problem = self.problem.as_ref()?;
        let is_expired = self.expires.is_some_and(|expires| expires < now);
        let kept = match self.entries.filter(|_| !is_expired) {
            Some(entries) if self.overdue => {
                let kept = counted(entries, "entry is kept", "entries are kept");
                let zones = zones.iter().filter(|zone| zone.datasets.contains(&self.name));
                let told = zones.map(|zone| format!(", zone {} {}", zone.name, zone.does()));
                kept + &told.collect::<String>()
            }
            Some(entries) => {
                format!("{} in service", counted(entries, "entry stays", "entries stay"))
            }
            None => "nothing of it is served".to_owned(),
        };
        let (state, file, fault) = (&self.state, &problem.file, problem.fault());
        let since = ago(now, problem.since);
        Some(Trouble {
            subject: format!("dataset {}", self.name),
            what: format!("{state}: {file}: {fault} (met {since}); {kept}"),
            remedy: Some(problem.remedy.clone()),
        })
    }
}

impl FeedStatus {
    /// What is wrong with it, and what to do about it.
    fn trouble(&self, now: Time) -> Option<Trouble> {
        let problem = self.problem.as_ref()?;
        let tries = match self.failures {
            0 => String::new(),
            failures => {
                let tries = counted(failures.into(), "try has failed", "tries have failed");
                match self.last_success {
                    Some(then) => format!("; {tries}, the last good one was {}", ago(now, then)),
                    None => format!("; {tries}, and none went well"),
                }
            }
        };
        Some(Trouble {
            subject: format!("feed {}", self.name),
            what: format!("{}: {}{tries}", self.state, problem.cause),
            remedy: Some(problem.remedy.clone()),
        })
    }
}
