//! Health, for load balancers and those who watch services: 200 if all is well, 503 if not.

use super::Observation;
use super::answer::{Answer, Asked};
use crate::status::{Health, ZoneStatus};
use hyper::StatusCode;

/// `/healthz`: the process answers, and so does its control loop, which made the observation.
pub(super) fn alive(_: &Observation, _: &Asked) -> Answer {
    Answer::text(StatusCode::OK, "ok\n")
}

/// `/readyz`: all zones are ready, as `_health.ZONE` says it.
pub(super) fn ready(observation: &Observation, _: &Asked) -> Answer {
    verdict(&observation.status.zones.iter().collect::<Vec<_>>())
}

/// `/readyz/ZONE`: one zone is ready.
pub(super) fn zone_ready(observation: &Observation, asked: &Asked) -> Answer {
    let name = asked.rest.strip_suffix('.').unwrap_or(&asked.rest).to_lowercase();
    let zones: Vec<_> = observation.status.zones.iter().filter(|zone| zone.name == name).collect();
    match zones.is_empty() {
        true => Answer::text(StatusCode::NOT_FOUND, "there is no such zone\n"),
        false => verdict(&zones),
    }
}

/// A line for each zone that is not ready.
fn verdict(zones: &[&ZoneStatus]) -> Answer {
    let not_ready: Vec<_> = zones.iter().filter(|zone| !zone.ready).collect();
    if not_ready.is_empty() {
        return Answer::text(StatusCode::OK, "ready\n");
    }
    let line = |zone: &&&ZoneStatus| {
        let reason = zone.reason.clone().unwrap_or_else(|| match zone.state {
            Health::Unloaded => "nothing was ever loaded".to_owned(),
            other => other.to_string(),
        });
        format!("{}: {reason}\n", zone.name)
    };
    let text: String = not_ready.iter().map(line).collect();
    Answer::text(StatusCode::SERVICE_UNAVAILABLE, text)
}
