//! What is asked, and who answers: one row for each path.

use super::answer::{Answer, Asked};
use super::{Observation, api, health, metrics, page};

/// A path and who answers it.
pub(super) struct Route {
    /// The path; with a `/` at its end, all paths below it, but for `/` itself.
    path: &'static str,
    pub(super) answer: fn(&Observation, &Asked<'_>) -> Answer,
}

const ROUTES: &[Route] = &[
    Route { path: "/", answer: page::overview },
    Route { path: "/lookup", answer: page::lookup },
    Route { path: "/page.css", answer: page::style },
    Route { path: "/page.js", answer: page::script },
    Route { path: "/icon/", answer: page::icon },
    Route { path: "/metrics", answer: metrics::answer },
    Route { path: "/healthz", answer: health::alive },
    Route { path: "/readyz", answer: health::ready },
    Route { path: "/readyz/", answer: health::zone_ready },
    Route { path: "/api/status", answer: api::status },
    Route { path: "/api/stats", answer: api::stats },
    Route { path: "/api/history", answer: api::history },
    Route { path: "/api/lookup", answer: api::lookup },
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
