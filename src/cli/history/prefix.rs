//! What became of the addresses of a prefix.

use super::key::{read_all, shown};
use super::time;
use crate::explain::past::{ValuePast, rfc3339};
use crate::history::{History, PrefixMoment, PrefixTimeline, Turn};
use crate::util::text::counted;
use crate::wire::name::NameBuf;
use ipnet::IpNet;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

/// What the histories of these datasets tell of a prefix, the newest `limit` changes of each, and the exit code.
pub(super) fn tell(
    state_dir: &Path,
    datasets: &[&str],
    net: IpNet,
    at: Option<u64>,
    limit: usize,
    as_json: bool,
) -> anyhow::Result<(String, u8)> {
    let most = if limit == 0 { usize::MAX } else { limit };
    let look = |history: &History| history.within(net, at.unwrap_or(u64::MAX), most);
    let known = |timeline: &PrefixTimeline| timeline.known.is_some();
    let timelines = read_all(state_dir, datasets, at, look, known)?;
    let is_something = |(_, timeline): &(&str, PrefixTimeline)| match at {
        Some(_) => timeline.listed > 0,
        None => timeline.older > 0 || !timeline.moments.is_empty(),
    };
    let code = u8::from(!timelines.iter().any(is_something));
    let text = match as_json {
        true => json_of(net, at, &timelines)?,
        false => text_of(net, at, &timelines),
    };
    Ok((text, code))
}

fn text_of(net: IpNet, at: Option<u64>, timelines: &[(&str, PrefixTimeline)]) -> String {
    let mut out = match at {
        Some(at) => format!("{net} at {} UTC\n", time(at)),
        None => format!("{net} (times in UTC)\n"),
    };
    for (dataset, timeline) in timelines {
        let Some((first, last)) = timeline.known else { continue };
        let _ = writeln!(out, "dataset {dataset}: {}", summary(timeline));
        if timeline.older > 0 {
            let older = counted(timeline.older, "older change", "older changes");
            let _ = writeln!(out, "  ... {older}; --limit 0 prints all");
        }
        for moment in &timeline.moments {
            let _ = writeln!(out, "  {}", line(moment));
        }
        let _ = writeln!(out, "  known from the loads from {} to {}", time(first), time(last));
    }
    out
}

fn summary(timeline: &PrefixTimeline) -> String {
    let is_empty = timeline.older == 0 && timeline.moments.is_empty();
    match timeline.listed {
        _ if timeline.is_cut => "what of it is listed is not known: a load is missing".to_owned(),
        0 if is_empty => "none of it is listed; none ever was".to_owned(),
        0 => "none of it is listed".to_owned(),
        1 => "1 address of it is listed".to_owned(),
        many => format!("{many} addresses of it are listed"),
    }
}

fn word(turn: &Turn) -> &'static str {
    match turn {
        Turn::Listed(_) => "listed",
        Turn::Changed(_) => "changed",
        Turn::Delisted => "delisted",
        Turn::Excluded => "excluded",
        Turn::Unknown => "unknown",
    }
}

fn line(moment: &PrefixMoment) -> String {
    let key = moment.key.to_string();
    let values = match &moment.turn {
        Turn::Listed(values) | Turn::Changed(values) => shown(values, &key),
        Turn::Delisted | Turn::Excluded | Turn::Unknown => String::new(),
    };
    let apex = match moment.place.apex == NameBuf::ROOT {
        true => String::new(),
        false => format!(" in {}", moment.place.apex),
    };
    let earlier = if moment.is_first_known { " (or earlier)" } else { "" };
    let text =
        format!("{}  {:<10} {key}{apex}  {values}{earlier}", time(moment.time), word(&moment.turn));
    text.trim_end().to_owned()
}

fn json_of(
    net: IpNet,
    at: Option<u64>,
    timelines: &[(&str, PrefixTimeline)],
) -> anyhow::Result<String> {
    let known = timelines.iter().filter(|(_, timeline)| timeline.known.is_some());
    let datasets = known.map(|(dataset, timeline)| {
        json!({
            "dataset": dataset,
            "listed": if timeline.is_cut { Value::Null } else { timeline.listed.to_string().into() },
            "known_from": timeline.known.map(|(first, _)| rfc3339(first)),
            "known_to": timeline.known.map(|(_, last)| rfc3339(last)),
            "older": timeline.older,
            "moments": timeline.moments.iter().map(moment_json).collect::<Vec<_>>(),
        })
    });
    let report = json!({
        "schema": 1,
        "key": net.to_string(),
        "at": at.map(rfc3339),
        "datasets": datasets.collect::<Vec<_>>(),
    });
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

fn moment_json(moment: &PrefixMoment) -> Value {
    let key = moment.key.to_string();
    let values = match &moment.turn {
        Turn::Listed(values) | Turn::Changed(values) => ValuePast::all(values, &key),
        Turn::Delisted | Turn::Excluded | Turn::Unknown => Vec::new(),
    };
    let apex = Some(&moment.place.apex).filter(|apex| **apex != NameBuf::ROOT);
    json!({
        "time": rfc3339(moment.time),
        "what": word(&moment.turn),
        "key": key,
        "apex": apex.map(ToString::to_string),
        "or_earlier": moment.is_first_known,
        "values": values,
    })
}
