//! One fetch of one feed: transfer, check, publish.

use super::child::{self, End, Stop};
use super::console::Bar;
use super::outcome::{Fetched, NotFetched, Transfer, broken_off, not_started};
use super::places::Places;
use super::staging::Staging;
use super::{curl, exit, handed, rsync};
use crate::config::{Feed, Transport};
use std::path::Path;
use tokio::process::Command;

/// Fetches a feed and publishes it.
///
/// # Errors
///
/// If it cannot be fetched, or must not be published. What was published before stays as it was.
pub(super) async fn fetch(
    feed: &Feed,
    places: &Places,
    stop: &mut Stop,
    bar: &Bar,
) -> Result<Fetched, NotFetched> {
    let staging = Staging::new(feed, places);
    staging.prepare()?;
    let transfer = match feed.source.transport {
        Transport::Rsync | Transport::Ssh => by_rsync(feed, places, stop, bar).await?,
        Transport::Web => curl::fetch(feed, places, stop, bar).await?,
    };
    handed::unpack(feed, places)?;
    staging.check()?;
    if staging.has_files()? && !feed.verify.is_empty() {
        let view = staging.view()?;
        verify(feed, view.folder(), stop).await?;
    }
    let (published, changed) = staging.publish()?;
    let orphans = staging.orphans(transfer.files)?;
    Ok(Fetched { transfer, published, changed, orphans })
}

async fn by_rsync(
    feed: &Feed,
    places: &Places,
    stop: &mut Stop,
    bar: &Bar,
) -> Result<Transfer, NotFetched> {
    let command = rsync::command(feed, places, bar.is_shown());
    let heard = |piece: &[u8]| {
        if let Some(percent) = rsync::percent(piece) {
            bar.percent(percent);
        }
    };
    let ended = child::run(command, b"", feed.limits.time, stop, heard).await;
    let ended = ended.map_err(|error| not_started("rsync", &error))?;
    match ended.end {
        End::Code(0) => match rsync::too_large(&ended.out) {
            None => Ok(rsync::stats(&ended.out)),
            Some(file) => Err(NotFetched::failed(
                format!("{file} has more bytes than max-size allows ({})", feed.limits.max_size),
                "set max-size higher if that is right",
            )),
        },
        End::Code(code) => Err(exit::rsync(code, &ended.err).into()),
        other => Err(broken_off(other, feed)),
    }
}

/// Runs the program that says whether the files of a folder are those of their publisher.
async fn verify(feed: &Feed, folder: &Path, stop: &mut Stop) -> Result<(), NotFetched> {
    let path = folder.display().to_string();
    let mut words = feed.verify.iter().map(|word| word.replace("{folder}", &path));
    let Some(program) = words.next() else { return Ok(()) };
    let mut command = Command::new(&program);
    command.args(words).current_dir(folder);
    let ended = child::run(command, b"", feed.limits.time, stop, |_| {}).await;
    let ended = ended.map_err(|error| not_started(&program, &error))?;
    match ended.end {
        End::Code(0) => Ok(()),
        End::Code(code) => {
            let said = if ended.err.trim().is_empty() { &ended.out } else { &ended.err };
            Err(NotFetched::failed(
                format!(
                    "the new files do not pass verify ({program}, code {code}: {})",
                    exit::verdict(said)
                ),
                format!("look at them in {}; ask their publisher", folder.display()),
            ))
        }
        other => Err(broken_off(other, feed)),
    }
}
