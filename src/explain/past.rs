//! What the histories of the datasets tell of a key, and of the newest loads: `dnsbld history` and the page.

use super::check::Effort;
use crate::history::{
    Entry, History, KEY, ListedValue, LoadEntry, LoadHead, LoadedKeys, Moment, PrefixMoment,
    PrefixTimeline, RecentLoad, RefusedEntry, Sought, Timeline, Turn,
};
use crate::util::json;
use crate::util::time::Utc;
use crate::wire::name::NameBuf;
use ipnet::IpNet;
use serde::Serialize;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;

/// The version of the form of [`KeyHistory`]: new fields do not change it.
const SCHEMA: u32 = 1;

/// What the histories tell of a key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct KeyHistory {
    pub(crate) schema: u32,
    pub(crate) key: String,
    /// The time as of which it is told; `None` for now.
    pub(crate) at: Option<String>,
    /// The datasets that have a history, in the order of the settings.
    pub(crate) datasets: Vec<DatasetPast>,
    /// The datasets whose histories were not read, each with the cause behind a colon.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unread: Vec<String>,
}

/// What the history of one dataset tells of a key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct DatasetPast {
    pub(crate) dataset: String,
    /// It is listed; `None` if that is not known because a load is missing.
    pub(crate) listed: Option<bool>,
    /// How often it was listed.
    pub(crate) times: usize,
    /// The first and the last load that is known.
    pub(crate) known_from: Option<String>,
    pub(crate) known_to: Option<String>,
    pub(crate) entries: Vec<EntryPast>,
}

/// What became of an entry about the key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct EntryPast {
    /// The apex below the zone, in a combined dataset.
    pub(crate) apex: Option<String>,
    /// What listed the key, if that is not the key itself.
    pub(crate) by: Option<String>,
    /// What became of it, the oldest first.
    pub(crate) moments: Vec<MomentPast>,
}

/// Something that became of an entry.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct MomentPast {
    pub(crate) time: String,
    /// `listed`, `changed`, `delisted`, `excluded` or `unknown`.
    pub(crate) what: &'static str,
    /// The history begins with it.
    pub(crate) or_earlier: bool,
    pub(crate) values: Vec<ValuePast>,
}

/// A value that the key was listed with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct ValuePast {
    pub(crate) a: Ipv4Addr,
    pub(crate) text: String,
}

impl KeyHistory {
    /// Of these datasets, as of a time in seconds since 1970.
    pub(crate) fn new(sought: &Sought, at: Option<u64>, timelines: &[(&str, Timeline)]) -> Self {
        let known = timelines.iter().filter(|(_, timeline)| timeline.known.is_some());
        let datasets = known.map(|(dataset, timeline)| DatasetPast {
            dataset: (*dataset).to_owned(),
            listed: (!timeline.is_cut).then(|| timeline.is_listed()),
            times: times_listed(timeline),
            known_from: timeline.known.map(|(first, _)| rfc3339(first)),
            known_to: timeline.known.map(|(_, last)| rfc3339(last)),
            entries: timeline
                .entries
                .iter()
                .map(|(entry, moments)| EntryPast::new(entry, moments, sought))
                .collect(),
        });
        Self {
            schema: SCHEMA,
            key: sought.to_string(),
            at: at.map(rfc3339),
            datasets: datasets.collect(),
            unread: Vec::new(),
        }
    }

    /// Reads the histories of these datasets, as far as that can be done in time.
    pub(crate) fn read<'d>(
        state_dir: &Path,
        datasets: impl Iterator<Item = &'d str>,
        sought: &Sought,
        effort: Effort,
    ) -> Self {
        let look = |history: &History| history.timeline(sought, u64::MAX);
        let (timelines, unread) = read_each(state_dir, datasets, effort, look);
        Self { unread, ..Self::new(sought, None, &timelines) }
    }
}

/// What the histories tell of a prefix.
pub(crate) struct PrefixHistory<'d> {
    /// What became of its addresses, by dataset, in the order of the settings.
    pub(crate) timelines: Vec<(&'d str, PrefixTimeline)>,
    /// The datasets whose histories were not read, each with the cause behind a colon.
    pub(crate) unread: Vec<String>,
}

impl<'d> PrefixHistory<'d> {
    /// Reads the histories of these datasets, as far as that can be done in time: the newest `most` changes of each.
    pub(crate) fn read(
        state_dir: &Path,
        datasets: impl Iterator<Item = &'d str>,
        net: IpNet,
        most: usize,
        effort: Effort,
    ) -> Self {
        let look = |history: &History| history.within(net, u64::MAX, most);
        let (mut timelines, unread) = read_each(state_dir, datasets, effort, look);
        timelines.retain(|(_, timeline)| timeline.known.is_some());
        Self { timelines, unread }
    }
}

/// What is looked for in the histories of these datasets, and those that were not read in time.
fn read_each<'d, T>(
    state_dir: &Path,
    datasets: impl Iterator<Item = &'d str>,
    effort: Effort,
    look: impl Fn(&History) -> T,
) -> (Vec<(&'d str, T)>, Vec<String>) {
    let (mut told, mut unread) = (Vec::new(), Vec::new());
    for dataset in datasets {
        match History::read_until(state_dir, dataset, effort.until) {
            Ok(history) => told.push((dataset, look(&history))),
            Err(error) => unread.push(format!("{dataset}: {error}")),
        }
    }
    (told, unread)
}

impl EntryPast {
    fn new(entry: &Entry, moments: &[Moment], sought: &Sought) -> Self {
        let apex = Some(&entry.place.apex).filter(|apex| **apex != NameBuf::ROOT);
        Self {
            apex: apex.map(ToString::to_string),
            by: by(entry, sought),
            moments: moments.iter().map(|moment| MomentPast::new(moment, sought)).collect(),
        }
    }
}

impl ValuePast {
    /// The values of a key.
    pub(crate) fn all(values: &[ListedValue], key: &str) -> Vec<Self> {
        values.iter().map(|value| Self { a: value.a, text: text(value, key) }).collect()
    }
}

impl MomentPast {
    fn new(moment: &Moment, sought: &Sought) -> Self {
        let (what, values) = turned(&moment.turn);
        let key = sought.to_string();
        Self {
            time: rfc3339(moment.time),
            what,
            or_earlier: moment.is_first_known,
            values: ValuePast::all(values, &key),
        }
    }
}

impl From<&PrefixMoment> for MomentPast {
    fn from(moment: &PrefixMoment) -> Self {
        let (what, values) = turned(&moment.turn);
        Self {
            time: rfc3339(moment.time),
            what,
            or_earlier: moment.is_first_known,
            values: ValuePast::all(values, &moment.key.to_string()),
        }
    }
}

/// A load or a refusal, and the first keys that it is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub(crate) enum LoadPast {
    /// A load.
    Loaded {
        #[serde(flatten)]
        load: LoadFigures,
        /// The first keys that it lists, or lists with other values.
        listed: Vec<String>,
        /// The first keys that it delists.
        delisted: Vec<String>,
    },
    /// Files that were refused.
    Refused { time: String, file: String, cause: String },
}

/// The figures of a load.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct LoadFigures {
    pub(crate) time: String,
    /// By which it can be asked for.
    pub(crate) number: u64,
    pub(crate) entries: u64,
    pub(crate) size: u64,
    /// It states all that was listed.
    pub(crate) whole: bool,
    #[serde(with = "json::count")]
    pub(crate) added: u128,
    #[serde(with = "json::count")]
    pub(crate) removed: u128,
    #[serde(with = "json::count")]
    pub(crate) changed: u128,
}

/// Some of the keys that a load is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct LoadKeysPast {
    #[serde(flatten)]
    pub(crate) load: LoadFigures,
    pub(crate) keys: Vec<LoadedKeyPast>,
    /// There are more behind them.
    pub(crate) more: bool,
}

/// A key that a load is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct LoadedKeyPast {
    pub(crate) key: String,
    /// The apex below the zone, in a combined dataset.
    pub(crate) apex: Option<String>,
    /// `listed` (or changed), `delisted` or `excluded`.
    pub(crate) what: &'static str,
    /// The values, with `$` for the key.
    pub(crate) values: Vec<ValuePast>,
}

impl From<RecentLoad> for LoadPast {
    fn from(load: RecentLoad) -> Self {
        let RecentLoad { entry, listed, delisted } = load;
        match entry {
            LoadEntry::Accepted(head) => Self::Loaded { load: (&head).into(), listed, delisted },
            LoadEntry::Refused(RefusedEntry { time, file, cause }) => {
                Self::Refused { time: rfc3339(time), file, cause }
            }
        }
    }
}

impl From<&LoadHead> for LoadFigures {
    fn from(head: &LoadHead) -> Self {
        let LoadHead { number, time, entries, size, is_whole, tally, .. } = *head;
        Self {
            time: rfc3339(time),
            number,
            entries,
            size,
            whole: is_whole,
            added: tally.added,
            removed: tally.removed,
            changed: tally.changed,
        }
    }
}

impl From<LoadedKeys> for LoadKeysPast {
    fn from(loaded: LoadedKeys) -> Self {
        let key = |loaded: crate::history::LoadedKey| {
            let (what, values) = turned(&loaded.turn);
            let text = |text: &[u8]| {
                let parts: Vec<_> = text.split(|byte| *byte == KEY).collect();
                String::from_utf8_lossy(&parts.join(&b"$"[..])).into_owned()
            };
            let value = |value: &ListedValue| ValuePast { a: value.a, text: text(&value.text) };
            let apex = Some(loaded.place.apex).filter(|apex| *apex != NameBuf::ROOT);
            LoadedKeyPast {
                key: loaded.key,
                apex: apex.map(|apex| apex.to_string()),
                what,
                values: values.iter().map(value).collect(),
            }
        };
        Self {
            load: (&loaded.head).into(),
            keys: loaded.keys.into_iter().map(key).collect(),
            more: loaded.has_more,
        }
    }
}

/// What became of a key in a word, and its values.
fn turned(turn: &Turn) -> (&'static str, &[ListedValue]) {
    match turn {
        Turn::Listed(values) => ("listed", values),
        Turn::Changed(values) => ("changed", values),
        Turn::Delisted => ("delisted", &[]),
        Turn::Excluded => ("excluded", &[]),
        Turn::Unknown => ("unknown", &[]),
    }
}

/// How often a key was listed.
pub(crate) fn times_listed(timeline: &Timeline) -> usize {
    let moments = timeline.entries.values().flatten();
    moments.filter(|moment| matches!(moment.turn, Turn::Listed(_))).count()
}

/// What listed a key, if that is not the key itself.
pub(crate) fn by(entry: &Entry, sought: &Sought) -> Option<String> {
    let mut by = match &entry.name {
        Some(name) if matches!(sought, Sought::Name(sought) if sought == name) => String::new(),
        Some(name) if name.is_root() => "by *".to_owned(),
        Some(name) => format!("by *.{name}"),
        None => String::new(),
    };
    if entry.place.apex != NameBuf::ROOT {
        let _ = write!(by, "{}in {}", if by.is_empty() { "" } else { " " }, entry.place.apex);
    }
    (!by.is_empty()).then_some(by)
}

/// The text of a value, with the key in it.
pub(crate) fn text(value: &ListedValue, key: &str) -> String {
    let parts: Vec<_> = value.text.split(|byte| *byte == KEY).collect();
    String::from_utf8_lossy(&parts.join(key.as_bytes())).into_owned()
}

/// A time in seconds since 1970 as machines read it (RFC 3339).
pub(crate) fn rfc3339(seconds: u64) -> String {
    Utc::from_unix(i64::try_from(seconds).unwrap_or(i64::MAX)).rfc3339()
}
