//! Feeds that come from a sibling: another dnsbld, which hands out the files that it has accepted.

use super::super::error::Problem;
use super::super::feed::{Feed, FeedLimits, FeedSchedule, FeedSource, HandedList};
use super::super::preset::Preset;
use super::super::spec::FeedSpec;
use super::Resolver;
use std::time::Duration;

/// The module of rsyncd.conf in which a server hands out its accepted files.
const MODULE: &str = "dnsbld";

/// How often a sibling is asked: what it hands out costs no publisher anything.
const INTERVAL: Duration = Duration::from_secs(5 * 60);

/// The least time between two sessions with a sibling.
const MIN_INTERVAL: Duration = Duration::from_secs(60);

impl Resolver<'_> {
    /// The source of a feed that has `from`.
    pub(super) fn sibling(&mut self, spec: &FeedSpec) -> Option<FeedSource> {
        if let Some(source) = &spec.source {
            let help = "write from for a server of your own, or source for the publisher";
            let problem = Problem::new("the feed has a sibling and a source", help);
            self.error("feed.source", source.span(), problem);
        }
        self.value("feed.from", spec.from.as_ref()?, |host| {
            let source = FeedSource::parse(&format!("rsync://{host}/{MODULE}/"));
            source.ok().filter(|_| !host.contains('/')).ok_or_else(|| {
                let help = "write its name or address, with a port if that is not 873: \"host\" or \"host:8730\"";
                Problem::new(format!("{host:?} is not a host"), help)
            })
        })
    }

    /// What is usual of such a feed: it brings the lists of its preset, or one of its own name.
    pub(super) fn handed_feed(
        &mut self,
        spec: &FeedSpec,
        preset: Option<&Preset>,
        name: String,
        source: FeedSource,
    ) -> Feed {
        let max_age = preset.map_or(Feed::MAX_AGE, Preset::max_age);
        let handed = match preset {
            Some(preset) => preset.lists.iter().map(HandedList::from).collect(),
            None => self.own_list(spec, &name).into_iter().collect(),
        };
        let schedule = FeedSchedule { min_interval: MIN_INTERVAL, ..FeedSchedule::every(INTERVAL) };
        let limits = FeedLimits { min_size: 0, ..FeedLimits::default() };
        Feed { schedule, limits, max_age, handed, ..Feed::new(name, source) }
    }

    fn own_list(&mut self, spec: &FeedSpec, name: &str) -> Option<HandedList> {
        let place = spec.from.as_ref().map(toml::Spanned::span).unwrap_or_default();
        let files = self.required("feed.files", &spec.files, place)?;
        let files = files.get_ref().iter().map(|file| file.get_ref().clone()).collect();
        Some(HandedList { dataset: name.to_owned(), files })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Errors, Feed, read};
    use std::path::Path;
    use std::time::Duration;

    fn feeds(text: &str) -> Result<Vec<Feed>, Errors> {
        Ok(read(text, Path::new("/etc/dnsbld"))?.settings.mirror.feeds)
    }

    #[test]
    fn a_sibling_is_asked_for_the_datasets_of_each_feed() {
        let feeds = feeds(
            "[[feed]]\npreset = 'uceprotect'\nfrom = '[::1]:8730'\n\
             [[feed]]\nname = 'own'\nfrom = '[::1]:8730'\nfiles = ['a', 'b']\ninterval = '1m'\n",
        );
        let [uceprotect, own] = &feeds.unwrap()[..] else { panic!("two feeds") };
        assert_eq!(uceprotect.urls().len(), 5);
        assert!(uceprotect.urls()[0].starts_with("rsync://[::1]:8730/dnsbld/uceprotect-1-"));
        assert_eq!(uceprotect.known_files()[4], "ips.whitelisted.org");
        assert_eq!(uceprotect.schedule.interval, Duration::from_secs(300));
        assert!(own.urls()[0].starts_with("rsync://[::1]:8730/dnsbld/own-"));
        assert_eq!(own.known_files(), ["a", "b"]);
        assert_eq!(own.schedule.interval, Duration::from_secs(60));
    }

    #[test]
    fn mistakes_are_told() {
        for (text, said) in [
            ("preset = 'psbl'\nfrom = 'a/b'", "is not a host"),
            ("preset = 'psbl'\nfrom = ''", "is not a host"),
            ("preset = 'psbl'\nfrom = 'h'\nsource = 'h::m'", "a sibling and a source"),
            ("preset = 'psbl'\nfrom = 'h'\ninterval = '30s'", "\"1m\""),
            ("name = 'x'\nfrom = 'h'", "files"),
        ] {
            let errors = feeds(&format!("[[feed]]\n{text}\n")).unwrap_err().to_string();
            assert!(errors.contains(said), "{text}: {errors}");
        }
    }
}
