//! `/metrics`: an observation in the form of Prometheus. `docs/metrics.md` has a row for each metric.

mod data;
mod feeds;
mod process;
mod server;
mod traffic;
mod watched;

use super::Observation;
use super::answer::{Answer, Asked};
use super::exposition::{Exposition, Kind};
use hyper::StatusCode;

/// The form of the text.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics.
pub(super) fn answer(observation: &Observation, _: &Asked) -> Answer {
    let mut out = Exposition::default();
    traffic::write(observation, &mut out);
    data::write_zones(&observation.status, &mut out);
    data::write_datasets(observation, &mut out);
    feeds::write(&observation.status.feeds, &mut out);
    watched::write(&observation.status.watched, &mut out);
    server::write(observation, &mut out);
    process::write(&mut out);
    Answer::new(StatusCode::OK, CONTENT_TYPE, out.into_text().into_bytes())
}

/// A metric of each thing: its name, its help, and its value, if there is one.
type Figure<T, V> = (&'static str, &'static str, fn(&T) -> V);

/// A sample for each of the states that there are: 1 for the one that is, 0 for the others.
fn states<'a>(all: &[&'a str], is: &str) -> impl Iterator<Item = (&'a str, u8)> {
    all.iter().map(move |&state| (state, u8::from(state == is)))
}
