//! The text, parsed -> [`Settings`]: checks every value and every reference, and fills in the defaults.
//!
//! A [`Resolver`] collects what is wrong; `server`, `dataset` and `zone` read the three kinds of tables with it.

mod dataset;
mod feed;
mod feed_lists;
mod guard;
mod handed;
mod http;
mod key;
mod limit;
mod secondary;
mod server;
mod verdict;
mod watch;
mod zone;

use super::error::{ConfigDiagnostic, Problem};
use super::parse::{Fault, Parsed};
use super::settings::{AgeLimit, Server, Settings, TtlBounds};
use super::spec::{Time, Typed};
use super::value;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

/// The meaning of a text, as far as it has one.
pub(super) struct Resolved {
    /// The settings; without what is wrong if there are errors.
    pub(super) settings: Settings,
    /// All mistakes, in the order of the text.
    pub(super) errors: Vec<ConfigDiagnostic>,
    /// Settings that are probably slips.
    pub(super) warnings: Vec<ConfigDiagnostic>,
}

/// The meaning of what was read from `text`. Relative paths are in `folder`; addresses in `listen` replace
/// those of the file.
pub(super) fn resolve(
    text: &str,
    parsed: Parsed,
    folder: &Path,
    listen: &[SocketAddr],
) -> Resolved {
    let Parsed { spec, faults } = parsed;
    let (errors, warnings) = (Vec::new(), Vec::new());
    let mut resolver = Resolver { text, folder, listen, faults, errors, warnings };
    let server = resolver.server(&spec.server);
    let guard = resolver.guard(&spec.guard);
    let mirror = resolver.mirror(&spec, server.state_dir.as_deref());
    let lists = resolver.lists(&spec, &mirror);
    let datasets = resolver.datasets(&lists.datasets, &server.ttl, &guard);
    let keys = resolver.keys(&spec.key);
    let has_feeds = !spec.feed.is_empty();
    let (zones, acl) =
        resolver.zones(&lists.zones, &lists.datasets, &spec.server, &keys, has_feeds);
    let catalog_zone = resolver.catalog_zone(&spec.catalog_zone, &zones, &keys);
    resolver.logged_zones(&spec.server, &zones);
    let http = spec.http.as_ref().and_then(|http| resolver.http(http, &server));
    let history = resolver.history(&spec.history);
    let watch = resolver.watch(&spec.watch);
    let rate_limit = resolver.rate_limit(&spec.limit);
    let top = server::top(&spec.stats);
    let quotas = resolver.quotas(&spec.quota, &zones);
    let server = Server { acl, http, history, rate_limit, quotas, top, ..server };
    let Resolver { faults, mut errors, warnings, .. } = resolver;
    errors.extend(faults.into_iter().map(|fault| fault.diagnostic));
    errors.sort_by_key(|diagnostic| diagnostic.place);
    let settings =
        Settings { server, datasets, zones, mirror, watch, keys, catalog_zone }.with_neighbours();
    Resolved { settings, errors, warnings }
}

struct Resolver<'a> {
    text: &'a str,
    folder: &'a Path,
    listen: &'a [SocketAddr],
    /// Entries that were left out, so that others are not told to be missing because of them.
    faults: Vec<Fault>,
    errors: Vec<ConfigDiagnostic>,
    warnings: Vec<ConfigDiagnostic>,
}

impl Resolver<'_> {
    fn addresses(&mut self, key: &str, list: &Spanned<Vec<Spanned<String>>>) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        for typed in list.get_ref() {
            let Some(address) = self.value(key, typed, value::address) else { continue };
            if let Some(problem) = value::collision(&addresses, address) {
                self.error(key, typed.span(), problem);
            }
            addresses.push(address);
        }
        addresses
    }

    fn file(&mut self, key: &str, typed: &Spanned<String>) -> Option<PathBuf> {
        if typed.get_ref().is_empty() {
            let problem = Problem::new("the path is empty", "write the path of a file or folder");
            self.error(key, typed.span(), problem);
            return None;
        }
        Some(self.folder.join(typed.get_ref()))
    }

    /// `name`, unless it is taken.
    fn first_use(
        &mut self,
        key: &str,
        what: &str,
        name: String,
        span: Range<usize>,
        places: &mut HashMap<String, Range<usize>>,
    ) -> Option<String> {
        if let Some(first) = places.get(&name) {
            let (line, _) = self.line_column(first.clone());
            let message = format!("{what} {name:?} is already defined in line {line}");
            let help = "rename one of the two, or merge them";
            self.error(key, span, Problem::new(message, help));
            return None;
        }
        places.insert(name.clone(), span);
        Some(name)
    }

    fn number(
        &mut self,
        key: &str,
        typed: &Typed<i64>,
        default: u32,
        allowed: RangeInclusive<u32>,
    ) -> u32 {
        let Some(typed) = typed else { return default };
        let number = u32::try_from(*typed.get_ref()).ok().filter(|number| allowed.contains(number));
        if number.is_none() {
            let message = format!("{} is out of range", typed.get_ref());
            let help = format!("allowed: {} to {}", allowed.start(), allowed.end());
            self.error(key, typed.span(), Problem::new(message, help));
        }
        number.unwrap_or(default)
    }

    fn duration(
        &mut self,
        key: &str,
        typed: &Typed<Time>,
        default: Duration,
        allowed: RangeInclusive<Duration>,
        words: &str,
    ) -> Duration {
        let Some(typed) = typed else { return default };
        match value::duration(&typed.get_ref().0) {
            Ok(time) if allowed.contains(&time) => return time,
            Ok(_) => {
                let message = format!("{:?} is out of range", typed.get_ref().0);
                let problem = Problem::new(message, format!("allowed: {words}"));
                self.error(key, typed.span(), problem);
            }
            Err(problem) => self.error(key, typed.span(), problem),
        }
        default
    }

    /// A duration, or 0 for never, which is `None`.
    fn duration_or_never(
        &mut self,
        key: &str,
        typed: &Typed<Time>,
        default: Option<Duration>,
        allowed: RangeInclusive<Duration>,
        words: &str,
    ) -> Option<Duration> {
        let typed_time = typed.as_ref().map(|time| value::duration(&time.get_ref().0));
        match typed_time {
            None => default,
            Some(Ok(Duration::ZERO)) => None,
            Some(_) => match self.duration(key, typed, Duration::ZERO, allowed, words) {
                // It cannot be used, which was told: the rest is looked at as if it were not there.
                Duration::ZERO => default,
                time => Some(time),
            },
        }
    }

    /// A limit for an age; 0 is none, and without the setting the default holds.
    fn age_limit(&mut self, key: &str, typed: &Typed<Time>, default: AgeLimit) -> AgeLimit {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
        if typed.is_none() {
            return default;
        }
        let allowed = Duration::from_secs(1)..=10 * YEAR;
        let limit = self.duration_or_never(key, typed, None, allowed, "0, or \"1s\" to \"3650d\"");
        limit.map_or(AgeLimit::Off, AgeLimit::Limit)
    }

    /// A time to live within the bounds.
    fn ttl(&mut self, key: &str, typed: &Typed<Time>, bounds: &TtlBounds) -> Option<u32> {
        let ttl = self.seconds(key, typed)?;
        let span = span_of(typed);
        self.within_bounds(key, span, ttl, bounds);
        Some(ttl)
    }

    fn seconds(&mut self, key: &str, typed: &Typed<Time>) -> Option<u32> {
        let typed = typed.as_ref()?;
        value::seconds(&typed.get_ref().0)
            .map_err(|problem| self.error(key, typed.span(), problem))
            .ok()
    }

    /// A time to live of the configuration must keep the bounds of the configuration.
    fn within_bounds(&mut self, key: &str, span: Range<usize>, ttl: u32, bounds: &TtlBounds) {
        let least = bounds.min.max(1);
        if bounds.min <= bounds.max && !(least..=bounds.max).contains(&ttl) {
            let message = format!("{ttl} s is outside what min-ttl and max-ttl allow");
            let help = format!("allowed: {least} to {} seconds", bounds.max);
            self.error(key, span, Problem::new(message, help));
        }
    }

    fn value<T>(
        &mut self,
        key: &str,
        typed: &Spanned<String>,
        read: impl Fn(&str) -> Result<T, Problem>,
    ) -> Option<T> {
        read(typed.get_ref()).map_err(|problem| self.error(key, typed.span(), problem)).ok()
    }

    /// The value of a mandatory key of the table at `table`.
    fn required<'t, T>(
        &mut self,
        key: &str,
        typed: &'t Typed<T>,
        table: Range<usize>,
    ) -> Option<&'t Spanned<T>> {
        if typed.is_none() && !self.is_faulty(&table) {
            let last = key.rsplit('.').next().unwrap_or(key);
            let problem = Problem::new("the key is missing", format!("add {last} = ..."));
            self.error(key, table, problem);
        }
        typed.as_ref()
    }

    /// True if something was left out of the table at `table`: perhaps the key that is missing, misspelt.
    fn is_faulty(&self, table: &Range<usize>) -> bool {
        let rest = self.text.get(table.end..).unwrap_or_default();
        let mut lines = rest.split_inclusive('\n');
        let first = lines.next().map_or(0, str::len);
        let inside = lines.take_while(|line| !line.trim_start().starts_with('['));
        let end = table.end + first + inside.map(str::len).sum::<usize>();
        self.faults.iter().any(|fault| (table.start..end).contains(&fault.start))
    }

    /// True if a whole table was left out, and what is in it is not missing.
    fn lacks_tables(&self) -> bool {
        self.faults.iter().any(|fault| fault.is_table)
    }

    fn error(&mut self, key: &str, span: Range<usize>, problem: Problem) {
        self.errors.push(ConfigDiagnostic::at(self.text, span, problem.of(key)));
    }

    fn line_column(&self, span: Range<usize>) -> (usize, usize) {
        let nothing = Problem::new("", "");
        ConfigDiagnostic::at(self.text, span, nothing).place.unwrap_or_default()
    }
}

/// The place of a value; the start of the file for one that is missing.
fn span_of<T>(typed: &Typed<T>) -> Range<usize> {
    typed.as_ref().map_or(0..0, Spanned::span)
}
