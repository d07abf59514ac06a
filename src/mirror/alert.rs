//! `[alert] command`: a program that is run once for each thing that goes wrong in the server or at a feed, and
//! once when it is well again. The server itself starts no programs: it is asked for its status.

use super::child::{self, End, Stop};
use super::console::Console;
use crate::state::feeds::WORKSHOP;
use crate::status::{CertificateStatus, Status, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::sleep;

/// How often the server is asked.
const EVERY: Duration = Duration::from_secs(60);

/// How long the command may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The tries of a feed that fail in a row before anybody is told: one is no news.
const TRIES: u32 = 3;

/// Asks the server how it is; `None` if it does not answer.
pub type Ask = Arc<dyn Fn() -> Option<Status> + Send + Sync>;

/// What has happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Alert {
    /// `quarantine`, `stale`, `certificate`, `listed`, or `recovered` from one of these.
    event: String,
    /// `dataset`, `feed`, `certificate` or `watched`.
    subject: String,
    /// The name of that.
    name: String,
    /// What is wrong, or was.
    cause: String,
    /// What to do about it.
    remedy: String,
    /// When it happened last, of what can happen once more before it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Time>,
}

/// Asks again and again, and runs `command` (the newest value of it) for what has changed, until `stop`.
pub(super) async fn watch(
    mirror: PathBuf,
    command: watch::Receiver<Vec<String>>,
    ask: Ask,
    console: Console,
    mut stop: Stop,
) {
    loop {
        let words = command.borrow().clone();
        if !words.is_empty() {
            let asked = Arc::clone(&ask);
            // If the task fails, there is no answer either.
            if let Ok(Some(status)) = tokio::task::spawn_blocking(move || asked()).await {
                tell(&mirror, &words, &status, &console, &mut stop).await;
            }
        }
        tokio::select! {
            () = sleep(EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

async fn tell(
    mirror: &Path,
    words: &[String],
    status: &Status,
    console: &Console,
    stop: &mut Stop,
) {
    let path = mirror.join(WORKSHOP).join("alerts.json");
    // What was told is not known any more: it is told again.
    let told = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let (now, news) = changes(told.unwrap_or_default(), status);
    for alert in &news {
        if let Err(problem) = run(words, alert, stop).await {
            let Alert { event, subject, name, .. } = alert;
            console.warn(&format!("alert {event} of {subject} {name}: {problem}"));
        }
    }
    if let (false, Err(error)) = (news.is_empty(), keep(&path, &now)) {
        console.warn(&format!("{} cannot be written: {error}; alerts may repeat", path.display()));
    }
}

/// What is wrong now, by subject and name, and what has to be told of it beside what was told.
fn changes(
    told: BTreeMap<String, Alert>,
    status: &Status,
) -> (BTreeMap<String, Alert>, Vec<Alert>) {
    let now: BTreeMap<String, Alert> = wrong(status)
        .into_iter()
        .map(|alert| (format!("{} {} {}", alert.event, alert.subject, alert.name), alert))
        .collect();
    let is_new = |(key, alert): &(&String, &Alert)| {
        told.get(*key).is_none_or(|told| told.since < alert.since)
    };
    let begun = now.iter().filter(is_new).map(|(_, alert)| alert.clone());
    let ended = told.iter().filter(|(key, _)| !now.contains_key(*key));
    let ended = ended.map(|(_, alert)| Alert {
        event: "recovered".to_owned(),
        remedy: String::new(),
        ..alert.clone()
    });
    let news = begun.chain(ended).collect();
    (now, news)
}

fn wrong(status: &Status) -> Vec<Alert> {
    let alert = |event: &str, subject: &str, name: &str, cause: String, remedy: &str| Alert {
        event: event.to_owned(),
        subject: subject.to_owned(),
        name: name.to_owned(),
        cause,
        remedy: remedy.to_owned(),
        since: None,
    };
    let datasets = status.datasets.iter().filter_map(|set| {
        let problem = set.problem.as_ref()?;
        let event = match set.state.as_str() {
            "quarantined" => "quarantine",
            "stale" => "stale",
            _ => return None,
        };
        let cause = format!("{}: {}", problem.file, problem.fault());
        Some(alert(event, "dataset", &set.name, cause, &problem.remedy))
    });
    let feeds = status.feeds.iter().filter_map(|feed| {
        let problem = feed.problem.as_ref()?;
        let is_news = match feed.state.as_str() {
            "failing" => feed.failures >= TRIES,
            state => ["stale", "late"].contains(&state),
        };
        is_news.then(|| alert("stale", "feed", &feed.name, problem.cause.clone(), &problem.remedy))
    });
    let is_ending = |it: &&CertificateStatus| !it.is_well(status.time);
    let certificates = status.server.certificates.iter().filter(is_ending).map(|it| {
        let expires = it.expires.map_or_else(|| "soon".to_owned(), |time| format!("at {time}"));
        alert("certificate", "certificate", &it.file, format!("it expires {expires}"), "renew it")
    });
    let watched = status.watched.iter().flat_map(|it| {
        it.listed.iter().map(|listing| {
            let name = format!("{} in {}", it.watched, listing.dataset);
            let remedy = "see dnsbld watch, and ask the list's operator to delist it";
            let cause = format!("{}: {}", it.label, listing.words());
            Alert {
                since: Some(listing.newest()),
                ..alert("listed", "watched", &name, cause, remedy)
            }
        })
    });
    datasets.chain(feeds).chain(certificates).chain(watched).collect()
}

/// Runs the command with an alert as JSON on its standard input, and in its environment.
async fn run(words: &[String], alert: &Alert, stop: &mut Stop) -> Result<(), String> {
    let [program, arguments @ ..] = words else { return Ok(()) };
    let mut command = Command::new(program);
    command.args(arguments);
    let Alert { event, subject, name, cause, remedy, since: _ } = alert;
    for (variable, value) in [
        ("DNSBLD_EVENT", event),
        ("DNSBLD_SUBJECT", subject),
        ("DNSBLD_NAME", name),
        ("DNSBLD_CAUSE", cause),
        ("DNSBLD_REMEDY", remedy),
    ] {
        // A variable ends at a zero byte.
        command.env(variable, value.replace('\0', "?"));
    }
    let mut input = serde_json::to_vec(alert).map_err(|error| error.to_string())?;
    input.push(b'\n');
    let ended = child::run(command, &input, LIMIT, stop, |_| {}).await;
    let ended = ended.map_err(|error| format!("cannot start {program}: {error}"))?;
    match ended.end {
        End::Code(0) | End::Stopped => Ok(()),
        End::Code(code) => Err(format!("{program} failed with code {code}: {}", ended.err.trim())),
        End::Signal(number) => Err(format!("signal {number} ended {program}")),
        End::TimedOut => Err(format!("{program} took longer than {} s", LIMIT.as_secs())),
    }
}

fn keep(path: &Path, now: &BTreeMap<String, Alert>) -> io::Result<()> {
    let mut new = crate::snapshot::Unfinished::create(path)?;
    new.file.write_all(&serde_json::to_vec_pretty(now)?)?;
    new.file.sync_all()?;
    new.finish(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A status with one feed, and what is wrong with it.
    fn status(state: &str, failures: u32) -> Status {
        let problem = match state {
            "live" => serde_json::Value::Null,
            _ => serde_json::json!({"cause": "it broke", "remedy": "mend it"}),
        };
        let feed = serde_json::json!({
            "name": "one", "source": "h::m/", "state": state, "datasets": [], "last_try": null,
            "last_success": null, "last_change": null, "next_try": null, "size": null,
            "transferred": null, "speed_up": null, "failures": failures, "problem": problem,
        });
        let status = serde_json::json!({
            "schema": 1, "time": "2026-11-30T08:30:00Z", "zones": [], "datasets": [], "feeds": [feed],
            "server": {
                "version": "", "pid": 1, "config": "", "loading": false,
                "listening": {"plain": [], "tls": []},
            },
        });
        serde_json::from_value(status).unwrap()
    }

    #[test]
    fn each_thing_is_told_once_and_its_end_too() {
        let events = |told: &BTreeMap<String, Alert>, status: &Status| {
            let (now, news) = changes(told.clone(), status);
            (now, news.into_iter().map(|alert| alert.event).collect::<Vec<_>>())
        };
        let (now, told) = events(&BTreeMap::new(), &status("live", 0));
        assert_eq!(told, [""; 0]);
        let (now, told) = events(&now, &status("failing", TRIES - 1));
        assert_eq!(told, [""; 0]);
        let (now, told) = events(&now, &status("failing", TRIES));
        assert_eq!(told, ["stale"]);
        let (now, told) = events(&now, &status("late", TRIES));
        assert_eq!(told, [""; 0]);
        assert_eq!(events(&now, &status("live", 0)).1, ["recovered"]);
    }
}
