//! What programs ask for in JSON.

use super::Observation;
use super::answer::{Answer, Asked};
use super::page::ZonePast;
use crate::explain::check::{Effort, explain};
use crate::explain::lookup::{LookupKey, look_up};
use crate::explain::past::KeyHistory;
use crate::history::Sought;
use crate::stats::report::StatsReport;
use crate::status::{SCHEMA, Time};
use crate::util::time::unix_time;
use hyper::StatusCode;
use serde::Serialize;

/// Something that is told, and when.
#[derive(Serialize)]
struct Told<T> {
    schema: u32,
    time: Time,
    #[serde(flatten)]
    told: T,
}

impl<T> Told<T> {
    fn now(observation: &Observation, told: T) -> Self {
        Self { schema: SCHEMA, time: observation.status.time, told }
    }
}

/// Why nothing is told.
#[derive(Serialize)]
struct Refusal {
    error: String,
}

/// `/api/status`: what `dnsbld status --json` prints.
pub(super) fn status(observation: &Observation, _: &Asked) -> Answer {
    Answer::json(observation.status.to_json())
}

/// `/api/stats`: what `dnsbld stats --json` prints.
pub(super) fn stats(observation: &Observation, _: &Asked) -> Answer {
    json(StatusCode::OK, &observation.stats())
}

/// `/api/history`: how much was asked in each minute of the last day.
pub(super) fn history(observation: &Observation, _: &Asked) -> Answer {
    json(StatusCode::OK, &*observation.history)
}

/// `/api/lookup?key=`: what is answered for a key.
pub(super) fn lookup(observation: &Observation, asked: &Asked) -> Answer {
    let key = match LookupKey::read(&asked.field("key").unwrap_or_default()) {
        Ok(key) => key,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &error),
    };
    let Some(catalog) = &observation.catalog else {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, &"the data is not loaded yet");
    };
    let now = unix_time();
    let lookup = look_up(&catalog.load(), &key, asked.client, now);
    let time = Time(i64::try_from(now).unwrap_or(i64::MAX));
    json(StatusCode::OK, &Told { schema: SCHEMA, time, told: lookup })
}

/// `/api/check?key=`: what `dnsbld check --json KEY` prints.
pub(super) fn check(observation: &Observation, asked: &Asked, effort: Option<Effort>) -> Answer {
    let Some(effort) = effort else { return busy() };
    let typed = asked.field("key").unwrap_or_default();
    match observation.look_up(&typed, Some(effort)) {
        Ok(lookup) => {
            let facts = |dataset: &str| observation.status.facts(dataset);
            let told = explain(&observation.settings, "server", vec![lookup], effort, facts);
            json(StatusCode::OK, &told)
        }
        Err((status, error)) => refusal(status, &error),
    }
}

/// `/api/timeline?key=`: what `dnsbld history --json KEY` prints.
pub(super) fn timeline(observation: &Observation, asked: &Asked, effort: Option<Effort>) -> Answer {
    let Some(effort) = effort else { return busy() };
    let sought: Sought = match asked.field("key").unwrap_or_default().parse() {
        Ok(sought) => sought,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &error),
    };
    let settings = &observation.settings;
    let Some(folder) = &settings.server.state_dir else {
        return refusal(StatusCode::NOT_FOUND, &"no history is kept: that takes a state folder");
    };
    let datasets = settings.datasets.iter().map(|set| &*set.name);
    json(StatusCode::OK, &KeyHistory::read(folder, datasets, &sought, effort))
}

/// `/api/zone/NAME`: a zone, its datasets, and their last loads.
pub(super) fn zone(observation: &Observation, asked: &Asked, effort: Option<Effort>) -> Answer {
    match ZonePast::read(observation, &asked.rest, effort) {
        Some(zone) => json(StatusCode::OK, &Told::now(observation, zone)),
        None => refusal(StatusCode::NOT_FOUND, &"there is no such zone"),
    }
}

/// `/api/load/DATASET/NUMBER`: what one load listed and delisted.
pub(super) fn load(observation: &Observation, asked: &Asked, effort: Option<Effort>) -> Answer {
    match observation.load(asked, effort) {
        Ok((_, load)) => json(StatusCode::OK, &Told::now(observation, load)),
        Err(StatusCode::SERVICE_UNAVAILABLE) => busy(),
        Err(status) => refusal(status, &"there was no such load, or it is too old"),
    }
}

/// `/api/overrides`: the senders that a list has and an allow list lets in, the commonest.
pub(super) fn overrides(observation: &Observation, _: &Asked) -> Answer {
    match &observation.overrides {
        Some(told) => json(StatusCode::OK, told),
        None => refusal(StatusCode::SERVICE_UNAVAILABLE, &"the data is not loaded yet"),
    }
}

fn busy() -> Answer {
    let error = "too many look-ups read files at the moment; ask again in a moment";
    refusal(StatusCode::SERVICE_UNAVAILABLE, &error)
}

fn refusal(status: StatusCode, error: &dyn std::fmt::Display) -> Answer {
    json(status, &Refusal { error: error.to_string() })
}

fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    Answer { status, ..Answer::json(text) }
}

impl Observation {
    /// What was counted since the start.
    pub(super) fn stats(&self) -> StatsReport {
        let Time(now) = self.status.time;
        let Time(since) = self.status.server.since;
        let [now, since] = [now, since].map(|time| u64::try_from(time).unwrap_or(0));
        let report = StatsReport::new(&self.traffic, self.top.clone(), since, now, self.uptime);
        StatsReport { quotas: self.quotas.clone(), ..report }
    }
}
