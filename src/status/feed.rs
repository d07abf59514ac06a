//! How the feeds are that `dnsbld sync` fetches, by the records that it leaves.

use super::Time;
use crate::config::{Feed, Mirror, Settings};
use crate::state::feeds::{FeedFailure, FeedRecord};
use crate::util::text::{age, counted};
use serde::{Deserialize, Serialize};
use std::io;
use std::time::Duration;

/// The least time for which a try may be late before somebody should look after it.
const LATE: Duration = Duration::from_secs(3600);

/// One feed. What is not known, because it was never fetched or for another reason, is `None`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FeedStatus {
    /// The name.
    pub name: String,
    /// Where it is fetched from, without a password.
    pub source: String,
    /// `live`, `never-fetched`, `failing`, `late`, `stale` or `unknown`.
    pub state: String,
    /// The datasets that its files are read for.
    pub datasets: Vec<String>,
    /// When the last try began.
    pub last_try: Option<Time>,
    /// When the last try ended that brought all files, changed or not.
    pub last_success: Option<Time>,
    /// When files with other bytes were last published.
    pub last_change: Option<Time>,
    /// The next try is not before that.
    pub next_try: Option<Time>,
    /// The bytes of all its files at the last success.
    pub size: Option<u64>,
    /// The bytes that came and went at the last success.
    pub transferred: Option<u64>,
    /// How many times fewer those are, rounded.
    pub speed_up: Option<u64>,
    /// The tries that have failed since the last success.
    pub failures: u32,
    /// What is wrong.
    pub problem: Option<FeedProblem>,
}

/// What is wrong with a feed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FeedProblem {
    /// What has happened.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
}

impl From<FeedFailure> for FeedProblem {
    fn from(FeedFailure { cause, remedy }: FeedFailure) -> Self {
        Self { cause, remedy }
    }
}

impl FeedStatus {
    /// How the feeds of these settings are at `now`, in seconds since 1970. Reads a small file for each.
    pub(super) fn all(settings: &Settings, now: u64) -> Vec<Self> {
        let Mirror { dir, feeds, .. } = &settings.mirror;
        let status = |feed: &Feed| {
            let status = Self::new(feed, FeedRecord::read(dir, &feed.name), now);
            Self { datasets: datasets_of(settings, feed), ..status }
        };
        feeds.iter().map(status).collect()
    }

    /// How a feed is by its record.
    fn new(feed: &Feed, read: io::Result<Option<FeedRecord>>, now: u64) -> Self {
        let (record, error) = match read {
            Ok(record) => (record, None),
            Err(error) => (None, Some(error)),
        };
        let record = record.unwrap_or_default();
        let known = |seconds: u64| (record.last_success.is_some()).then_some(seconds);
        let (state, problem) = match error {
            Some(error) => ("unknown", Some(unreadable(&error))),
            None => verdict(feed, &record, now),
        };
        Self {
            name: feed.name.clone(),
            source: feed.source.to_string(),
            state: state.to_owned(),
            datasets: Vec::new(),
            last_try: record.last_try.map(time),
            last_success: record.last_success.map(time),
            last_change: record.last_change.map(time),
            next_try: record.last_try.map(|_| time(record.next_try)),
            size: known(record.size),
            transferred: known(record.transferred),
            speed_up: record.speed_up(),
            failures: record.failures,
            problem,
        }
    }

    /// True if it is fetched when it is due, and has not died.
    pub fn is_well(&self) -> bool {
        self.problem.is_none()
    }
}

/// The state of a feed, and what is wrong with it.
fn verdict(feed: &Feed, record: &FeedRecord, now: u64) -> (&'static str, Option<FeedProblem>) {
    let since = |then: u64| age(Duration::from_secs(now.saturating_sub(then)));
    let problem =
        |cause: String, remedy: &str| Some(FeedProblem { cause, remedy: remedy.to_owned() });
    let schedule = &feed.schedule;
    let late = (schedule.interval + schedule.jitter).max(LATE).as_secs();
    if record.last_try.is_none() {
        let remedy = "run `dnsbld sync`, as a service or by cron (docs/feeds.md)";
        return ("never-fetched", problem("nobody has fetched it yet".to_owned(), remedy));
    }
    if record.next_try.saturating_add(late) < now {
        let cause = format!("its next try was due {} ago", since(record.next_try));
        return (
            "late",
            problem(cause, "see whether `dnsbld sync` still runs, as a service or by cron"),
        );
    }
    if let (Some(failure), 1..) = (&record.failure, record.failures) {
        return ("failing", Some(failure.clone().into()));
    }
    if record.orphans > 0 {
        let cause = format!(
            "{} published, and not at the source any more",
            counted(record.orphans, "file is", "files are")
        );
        let remedy = format!(
            "see `rsync --list-only {}`; remove what is gone from its folder and from the datasets",
            feed.source
        );
        return ("stale", problem(cause, &remedy));
    }
    match record.last_change {
        Some(then) if now.saturating_sub(then) > feed.max_age.as_secs() => {
            let limit = age(feed.max_age);
            let cause = format!("it has not changed for {}, max-age is {limit}", since(then));
            let remedy =
                "see whether its publisher is still there; remove the feed, or set max-age higher";
            ("stale", problem(cause, remedy))
        }
        _ => ("live", None),
    }
}

fn unreadable(error: &io::Error) -> FeedProblem {
    FeedProblem {
        cause: format!("its record cannot be read: {error}"),
        remedy: "make mirror.dir readable for the server's user".to_owned(),
    }
}

/// The datasets that have a file in the folder of a feed.
fn datasets_of(settings: &Settings, feed: &Feed) -> Vec<String> {
    let folder = settings.mirror.folder(feed);
    let reads = |file: &std::path::PathBuf| file.starts_with(&folder);
    let sets = settings.datasets.iter().filter(|set| set.files.iter().any(reads));
    sets.map(|set| set.name.clone()).collect()
}

fn time(seconds: u64) -> Time {
    Time(i64::try_from(seconds).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read;
    use std::path::Path;

    const HOUR: u64 = 3600;
    const NOW: u64 = 1_000_000_000;

    fn settings() -> Settings {
        let text = "[[feed]]\nname = 'f'\nsource = 'h::m/a'\nmax-age = '2d'\n\
                    [[dataset]]\nname = 'd'\ntype = 'ip4set'\nfiles = ['/m/f/a', '/x']\n\
                    [[dataset]]\nname = 'e'\ntype = 'ip4set'\nfiles = ['/m/ff/a']\n\
                    [[zone]]\nname = 'z'\ndatasets = ['d', 'e']\n[mirror]\ndir = '/m'\n";
        read(text, Path::new("/etc")).unwrap().settings
    }

    fn good() -> FeedRecord {
        FeedRecord {
            last_try: Some(NOW - 60),
            last_success: Some(NOW - 50),
            last_change: Some(NOW - 50),
            next_try: NOW + HOUR,
            size: 1000,
            transferred: 100,
            ..FeedRecord::new("f")
        }
    }

    fn status(record: FeedRecord) -> FeedStatus {
        FeedStatus::new(&settings().mirror.feeds[0], Ok(Some(record)), NOW)
    }

    #[test]
    fn a_feed_is_as_its_record_says() {
        let told = |record: FeedRecord| {
            let status = status(record);
            assert_eq!(status.is_well(), status.state == "live");
            (status.state, status.problem.map(|problem| problem.cause).unwrap_or_default())
        };
        assert_eq!(told(good()), ("live".to_owned(), String::new()));
        assert_eq!(told(FeedRecord::new("f")).0, "never-fetched");
        let late = FeedRecord { next_try: NOW - 3 * HOUR, ..good() };
        assert_eq!(told(late), ("late".into(), "its next try was due 3 h ago".into()));
        let unchanged = FeedRecord { last_change: Some(NOW - 100 * HOUR), ..good() };
        let cause = "it has not changed for 4 days, max-age is 2 days";
        assert_eq!(told(unchanged), ("stale".into(), cause.into()));
        let deserted = FeedRecord { orphans: 2, ..good() };
        let cause = "2 files are published, and not at the source any more";
        assert_eq!(told(deserted), ("stale".into(), cause.into()));
        let failure = FeedFailure { cause: "it broke".into(), remedy: "mend it".into() };
        let failing = FeedRecord { failures: 1, failure: Some(failure), ..good() };
        assert_eq!(told(failing), ("failing".into(), "it broke".into()));
        assert_eq!(status(good()).speed_up, Some(10));
        let unreadable = Err(io::Error::from(io::ErrorKind::PermissionDenied));
        let unknown = FeedStatus::new(&settings().mirror.feeds[0], unreadable, NOW);
        assert_eq!((unknown.state.as_str(), unknown.is_well()), ("unknown", false));
    }

    #[test]
    fn a_feed_knows_its_datasets() {
        let feeds = FeedStatus::all(&settings(), NOW);
        assert_eq!(feeds[0].datasets, ["d"]);
    }
}
