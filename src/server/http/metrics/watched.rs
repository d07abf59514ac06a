//! Networks and domains that are watched: how many lists have something of them.

use super::{Exposition, Kind};
use crate::status::WatchedStatus;

pub(super) fn write(watched: &[WatchedStatus], out: &mut Exposition) {
    let help = "The datasets that list something of a watched network or domain.";
    let mut family = out.family("dnsbld_watch_listed", Kind::Gauge, help);
    for it in watched {
        family.sample(&[("watched", &it.watched), ("label", &it.label)], it.listed.len());
    }
}
