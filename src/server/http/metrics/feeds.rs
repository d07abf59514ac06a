//! Feeds: how `dnsbld sync` fetches them, by the records that it leaves.

use super::{Exposition, Figure, Kind, states};
use crate::status::{FeedStatus, Time};

/// The states of a feed.
const STATES: [&str; 6] = ["live", "never-fetched", "failing", "late", "stale", "unknown"];

pub(super) fn write(feeds: &[FeedStatus], out: &mut Exposition) {
    let help = "1 for the state that the feed is in, 0 for the others.";
    let mut family = out.family("dnsbld_feed_state", Kind::Gauge, help);
    for feed in feeds {
        for (state, value) in states(&STATES, &feed.state) {
            family.sample(&[("feed", &feed.name), ("state", state)], value);
        }
    }
    let times: [Figure<FeedStatus, Option<Time>>; 3] = [
        ("dnsbld_feed_last_try_timestamp_seconds", "When the last try began.", |feed| {
            feed.last_try
        }),
        (
            "dnsbld_feed_last_success_timestamp_seconds",
            "When the last try ended that brought all files, changed or not.",
            |feed| feed.last_success,
        ),
        (
            "dnsbld_feed_last_change_timestamp_seconds",
            "When files with other bytes were last published.",
            |feed| feed.last_change,
        ),
    ];
    for (name, help, time) in times {
        let mut family = out.family(name, Kind::Gauge, help);
        for feed in feeds {
            if let Some(Time(seconds)) = time(feed) {
                family.sample(&[("feed", &feed.name)], seconds);
            }
        }
    }
    let help = "Tries that have failed since the last success.";
    let mut family = out.family("dnsbld_feed_failures", Kind::Gauge, help);
    for feed in feeds {
        family.sample(&[("feed", &feed.name)], feed.failures);
    }
    let sizes: [Figure<FeedStatus, Option<u64>>; 2] = [
        ("dnsbld_feed_bytes", "Bytes of all files of the feed at the last success.", |feed| {
            feed.size
        }),
        (
            "dnsbld_feed_transferred_bytes",
            "Bytes that came and went at the last success.",
            |feed| feed.transferred,
        ),
    ];
    for (name, help, size) in sizes {
        let mut family = out.family(name, Kind::Gauge, help);
        for feed in feeds {
            if let Some(size) = size(feed) {
                family.sample(&[("feed", &feed.name)], size);
            }
        }
    }
}
