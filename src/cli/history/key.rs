//! What became of a key.

use super::time;
use crate::explain::past::{KeyHistory, by, text, times_listed};
use crate::history::{History, ListedValue, Moment, Sought, Timeline, Turn};
use crate::util::text::{age, counted};
use anyhow::Context as _;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// What the histories of these datasets tell of a key, and the exit code.
pub(super) fn tell(
    state_dir: &Path,
    datasets: &[&str],
    sought: &Sought,
    at: Option<u64>,
    as_json: bool,
) -> anyhow::Result<(String, u8)> {
    let look = |history: &History| history.timeline(sought, at.unwrap_or(u64::MAX));
    let known = |timeline: &Timeline| timeline.known.is_some();
    let timelines = read_all(state_dir, datasets, at, look, known)?;
    let is_something = |(_, timeline): &(_, Timeline)| match at {
        Some(_) => timeline.is_listed(),
        None => !timeline.entries.is_empty(),
    };
    let code = u8::from(!timelines.iter().any(is_something));
    let text = match as_json {
        true => serde_json::to_string_pretty(&KeyHistory::new(sought, at, &timelines))? + "\n",
        false => text_of(sought, at, &timelines),
    };
    Ok((text, code))
}

/// What each history tells; there must be one that knows something.
pub(super) fn read_all<'d, T>(
    state_dir: &Path,
    datasets: &[&'d str],
    at: Option<u64>,
    look: impl Fn(&History) -> T,
    is_known: impl Fn(&T) -> bool,
) -> anyhow::Result<Vec<(&'d str, T)>> {
    let mut told = Vec::new();
    for dataset in datasets {
        let history = History::read(state_dir, dataset)
            .with_context(|| format!("the history of dataset {dataset} cannot be read"))?;
        told.push((*dataset, look(&history)));
    }
    if !told.iter().any(|(_, told)| is_known(told)) {
        let when = at.map_or(String::new(), |at| format!(" from before {}", time(at)));
        anyhow::bail!("{} has no history{when}", state_dir.display());
    }
    Ok(told)
}

fn text_of(sought: &Sought, at: Option<u64>, timelines: &[(&str, Timeline)]) -> String {
    let mut out = match at {
        Some(at) => format!("{sought} at {} UTC\n", time(at)),
        None => format!("{sought} (times in UTC)\n"),
    };
    let (mut never, mut since) = (Vec::new(), 0);
    for (dataset, timeline) in timelines {
        let Some((first, last)) = timeline.known else { continue };
        if timeline.entries.is_empty() && !timeline.is_cut {
            never.push(*dataset);
            since = since.max(first);
            continue;
        }
        let _ = writeln!(out, "dataset {dataset}: {}", summary(timeline));
        for (entry, moments) in &timeline.entries {
            if let Some(by) = by(entry, sought) {
                let _ = writeln!(out, "  {by}");
            }
            let mut listed_at = None;
            for moment in moments {
                let _ = writeln!(out, "  {}", line(moment, listed_at, sought));
                listed_at = match moment.turn {
                    Turn::Listed(_) => Some(moment.time),
                    Turn::Changed(_) => listed_at,
                    Turn::Delisted | Turn::Excluded | Turn::Unknown => None,
                };
            }
        }
        let _ = writeln!(out, "  known from the loads from {} to {}", time(first), time(last));
    }
    if !never.is_empty() {
        let _ = writeln!(out, "never listed since {}, in: {}", time(since), never.join(", "));
    }
    out
}

fn summary(timeline: &Timeline) -> String {
    let now = if timeline.is_cut {
        "whether it is listed is not known: a load is missing"
    } else if timeline.is_listed() {
        "listed"
    } else {
        "not listed"
    };
    match times_listed(timeline) {
        0 if timeline.entries.is_empty() => now.to_owned(),
        times => format!("{now}; it was listed {}", counted(times as u64, "time", "times")),
    }
}

fn line(moment: &Moment, listed_at: Option<u64>, sought: &Sought) -> String {
    let (word, more) = match &moment.turn {
        Turn::Listed(values) if moment.is_first_known => (
            "listed",
            format!(
                "{} (or earlier: the first load that is known)",
                shown(values, &sought.to_string())
            ),
        ),
        Turn::Listed(values) => ("listed", shown(values, &sought.to_string())),
        Turn::Changed(values) => ("changed", shown(values, &sought.to_string())),
        Turn::Delisted => {
            let after = listed_at.map(|at| Duration::from_secs(moment.time.saturating_sub(at)));
            ("delisted", after.map_or(String::new(), |after| format!("after {}", age(after))))
        }
        Turn::Excluded => ("excluded", String::new()),
        Turn::Unknown => ("not known", "a load is missing".to_owned()),
    };
    format!("{}  {word:<10} {more}", time(moment.time)).trim_end().to_owned()
}

/// The values of a key.
pub(super) fn shown(values: &[ListedValue], key: &str) -> String {
    let value = |value: &ListedValue| match &*text(value, key) {
        "" => value.a.to_string(),
        text => format!("{} {text:?}", value.a),
    };
    values.iter().map(value).collect::<Vec<_>>().join(", ")
}
