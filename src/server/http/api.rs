//! What programs ask for in JSON.

use super::Observation;
use super::answer::{Answer, Asked};

/// `/api/status`: what `dnsbld status --json` prints.
pub(super) fn status(observation: &Observation, _: &Asked<'_>) -> Answer {
    Answer::json(observation.status.to_json())
}
