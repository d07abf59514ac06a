//! Where the files of a feed are on their way.

use crate::config::Feed;
use crate::state::feeds::workshop;
use std::path::{Path, PathBuf};

/// Where the files of a feed are on their way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Places {
    /// Where datasets find them.
    pub(super) published: PathBuf,
    /// All that is kept of the feed besides.
    pub(super) workshop: PathBuf,
    /// Where they arrive.
    pub(super) incoming: PathBuf,
    /// Where they are once all have arrived and been checked.
    pub(super) ready: PathBuf,
    /// Where the packed files of a sibling arrive, and stay.
    pub(super) packed: PathBuf,
    /// The entity tags of files from the web that are published.
    pub(super) tags: PathBuf,
}

impl Places {
    pub(super) fn new(mirror: &Path, feed: &Feed) -> Self {
        let workshop = workshop(mirror, &feed.name);
        Self {
            published: mirror.join(&feed.folder),
            incoming: workshop.join("incoming"),
            ready: workshop.join("ready"),
            packed: workshop.join("packed"),
            tags: workshop.join("tags"),
            workshop,
        }
    }
}
