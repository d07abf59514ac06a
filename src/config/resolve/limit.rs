//! The table `[limit]`.

use super::super::error::Problem;
use super::super::limit::RateLimit;
use super::super::spec::LimitSpec;
use super::super::value;
use super::{Resolver, span_of};
use toml::Spanned;

/// The most queries a second that can be a limit.
const MOST: u32 = 100_000;

impl Resolver<'_> {
    pub(super) fn rate_limit(&mut self, spec: &LimitSpec) -> RateLimit {
        let defaults = RateLimit::default();
        let key = "limit.queries-per-second";
        let queries_per_second = self.number(key, &spec.queries_per_second, 0, 0..=MOST);
        let usual = RateLimit::usual_burst(queries_per_second);
        let burst = self.number("limit.burst", &spec.burst, usual, 0..=2 * MOST);
        if burst < queries_per_second {
            let message = format!("{burst} is less than queries-per-second ({queries_per_second})");
            let help = "allow at once what may be asked in a second, or leave burst out";
            self.error("limit.burst", span_of(&spec.burst), Problem::new(message, help));
        }
        let exempt = spec.exempt.as_ref().map(Spanned::get_ref).map(|list| {
            list.iter()
                .filter_map(|typed| self.value("limit.exempt", typed, value::prefix))
                .collect()
        });
        RateLimit {
            queries_per_second,
            burst,
            dry_run: spec.dry_run.unwrap_or(defaults.dry_run),
            exempt: exempt.unwrap_or(defaults.exempt),
        }
    }
}
