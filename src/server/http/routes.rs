//! What is asked, and who answers: one row for each path.

use super::answer::{Answer, Asked};
use super::{Observation, api, health, metrics};
use std::borrow::Cow;

/// A path and who answers it.
pub(super) struct Route {
    /// The path; with a `/` at its end, all paths below it.
    path: &'static str,
    pub(super) answer: fn(&Observation, &Asked<'_>) -> Answer,
}

const ROUTES: &[Route] = &[
    Route { path: "/metrics", answer: metrics::answer },
    Route { path: "/healthz", answer: health::alive },
    Route { path: "/readyz", answer: health::ready },
    Route { path: "/readyz/", answer: health::zone_ready },
    Route { path: "/api/status", answer: api::status },
];

/// The route of a path, and what it leaves open.
pub(super) fn find(path: &str) -> Option<(&'static Route, Asked<'_>)> {
    ROUTES.iter().find_map(|route| {
        let rest = path.strip_prefix(route.path)?;
        let is_for_all_below = route.path.ends_with('/');
        (rest.is_empty() != is_for_all_below).then_some((route, Asked { rest }))
    })
}

/// A path with its `%xx` (RFC 3986 section 2.1) read; `None` if one of them is none, or if it is no text then.
pub(super) fn decoded(path: &str) -> Option<Cow<'_, str>> {
    if !path.contains('%') {
        return Some(path.into());
    }
    let (mut bytes, mut rest) = (Vec::new(), path.as_bytes());
    while let Some((first, others)) = rest.split_first() {
        rest = others;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, others) = others.split_first_chunk::<2>()?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        bytes.push((digit(digits[0])? * 16 + digit(digits[1])?) as u8);
        rest = others;
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_their_routes_alone() {
        let found = |path| find(path).map(|(route, asked)| (route.path, asked.rest.to_owned()));
        for (path, want) in [
            ("/metrics", Some(("/metrics", ""))),
            ("/readyz", Some(("/readyz", ""))),
            ("/readyz/a.example", Some(("/readyz/", "a.example"))),
            ("/readyz/0/25.2.0.192", Some(("/readyz/", "0/25.2.0.192"))),
            ("/readyz/", None),
            ("/metrics/", None),
            ("/metricsx", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(found(path), want.map(|(path, rest)| (path, rest.to_owned())), "{path}");
        }
    }

    #[test]
    fn percent_signs_stand_for_bytes() {
        for (path, want) in [
            ("/a", Some("/a")),
            ("/0%2f25.2%2E0", Some("/0/25.2.0")),
            ("%C3%a4", Some("\u{e4}")),
            ("%", None),
            ("%4", None),
            ("%4g", None),
            ("%+1", None),
            ("%ff", None),
        ] {
            assert_eq!(decoded(path).as_deref(), want, "{path}");
        }
    }
}
