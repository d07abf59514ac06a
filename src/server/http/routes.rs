//! What is asked, and who answers: one row for each path.

use super::answer::{Answer, Asked};
use super::{Observation, api, health, metrics, page};
use crate::explain::check::Effort;

/// What is answered out of memory.
pub(super) type Tell = fn(&Observation, &Asked) -> Answer;

/// What needs files; without an effort, what can be told without them.
pub(super) type Read = fn(&Observation, &Asked, Option<Effort>) -> Answer;

/// Who answers.
#[derive(Clone, Copy)]
pub(super) enum Teller {
    AtOnce(Tell),
    Reader(Read),
}

use Teller::{AtOnce, Reader};

/// A path and who answers it.
pub(super) struct Route {
    /// The path; with a `/` at its end, all paths below it, but for `/` itself.
    path: &'static str,
    pub(super) teller: Teller,
}

const ROUTES: &[Route] = &[
    Route { path: "/", teller: AtOnce(page::overview) },
    Route { path: "/lookup", teller: Reader(page::lookup) },
    Route { path: "/k", teller: Reader(page::key) },
    Route { path: "/k/", teller: Reader(page::key) },
    Route { path: "/zone/", teller: Reader(page::zone) },
    Route { path: "/load/", teller: Reader(page::load) },
    Route { path: "/map/", teller: Reader(page::map) },
    Route { path: "/picture/", teller: Reader(page::picture) },
    Route { path: "/overrides", teller: AtOnce(page::overrides) },
    Route { path: "/page.css", teller: AtOnce(page::style) },
    Route { path: "/page.js", teller: AtOnce(page::script) },
    Route { path: "/icon/", teller: AtOnce(page::icon) },
    Route { path: "/metrics", teller: AtOnce(metrics::answer) },
    Route { path: "/healthz", teller: AtOnce(health::alive) },
    Route { path: "/readyz", teller: AtOnce(health::ready) },
    Route { path: "/readyz/", teller: AtOnce(health::zone_ready) },
    Route { path: "/api/status", teller: AtOnce(api::status) },
    Route { path: "/api/stats", teller: AtOnce(api::stats) },
    Route { path: "/api/history", teller: AtOnce(api::history) },
    Route { path: "/api/lookup", teller: AtOnce(api::lookup) },
    Route { path: "/api/check", teller: Reader(api::check) },
    Route { path: "/api/timeline", teller: Reader(api::timeline) },
    Route { path: "/api/overrides", teller: AtOnce(api::overrides) },
    Route { path: "/api/zone/", teller: Reader(api::zone) },
    Route { path: "/api/load/", teller: Reader(api::load) },
];

/// The route of a path, and what it leaves open.
pub(super) fn find(path: &str) -> Option<(&'static Route, &str)> {
    ROUTES.iter().find_map(|route| {
        let rest = path.strip_prefix(route.path)?;
        let is_for_all_below = route.path.len() > 1 && route.path.ends_with('/');
        (rest.is_empty() != is_for_all_below).then_some((route, rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_their_routes_alone() {
        let found = |path| find(path).map(|(route, rest)| (route.path, rest));
        for (path, want) in [
            ("/metrics", Some(("/metrics", ""))),
            ("/readyz", Some(("/readyz", ""))),
            ("/readyz/a.example", Some(("/readyz/", "a.example"))),
            ("/readyz/0/25.2.0.192", Some(("/readyz/", "0/25.2.0.192"))),
            ("/readyz/", None),
            ("/metrics/", None),
            ("/metricsx", None),
            ("/", Some(("/", ""))),
            ("//", None),
            ("", None),
        ] {
            assert_eq!(found(path), want, "{path}");
        }
    }
}
