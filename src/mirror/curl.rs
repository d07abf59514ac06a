//! Files from the web, by the system's curl: only those that have changed are sent.

use super::child::{self, End, Stop};
use super::console::Bar;
use super::exit;
use super::outcome::{NotFetched, Transfer, broken_off, not_started};
use super::places::Places;
use super::staging::are_equal;
use crate::config::Feed;
use crate::state::feeds::create_folder;
use crate::util::time::Utc;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use tokio::process::Command;

/// How long a connection may take to be made, in seconds.
const CONNECT: u32 = 30;

/// Fetches the files of a feed that have changed, one after the other.
pub(super) async fn fetch(
    feed: &Feed,
    places: &Places,
    stop: &mut Stop,
    bar: &Bar,
) -> Result<Transfer, NotFetched> {
    create_folder(&places.tags).map_err(|error| unwritable(&error))?;
    let (urls, names) = (feed.urls(), feed.known_files());
    let mut all = Transfer::default();
    for (number, (url, name)) in urls.iter().zip(names).enumerate() {
        bar.percent((100 * number / urls.len()) as u64);
        let file = WebFile::new(url, name, places);
        all.transferred += file.fetch(feed, stop).await?;
        all.size += file.size();
    }
    Ok(all)
}

/// The commands that a fetch would start.
pub(super) fn commands(feed: &Feed, places: &Places) -> Vec<Command> {
    let (urls, names) = (feed.urls(), feed.known_files());
    let files = urls.iter().zip(names).map(|(url, name)| WebFile::new(url, name, places));
    files.map(|file| file.command(feed)).collect()
}

/// A file that is fetched, and what is known of its last version.
struct WebFile<'f> {
    url: &'f str,
    published: PathBuf,
    incoming: PathBuf,
    /// The entity tag of the published version.
    tag: PathBuf,
    /// The entity tag of the version that arrives.
    new_tag: PathBuf,
}

impl<'f> WebFile<'f> {
    fn new(url: &'f str, name: &str, places: &Places) -> Self {
        Self {
            url,
            published: places.published.join(name),
            incoming: places.incoming.join(name),
            tag: places.tags.join(name),
            new_tag: places.tags.join(format!(".{name}.new")),
        }
    }

    /// Brings the file, if it has changed: how many bytes came.
    async fn fetch(&self, feed: &Feed, stop: &mut Stop) -> Result<u64, NotFetched> {
        self.settle_tag().map_err(|error| unwritable(&error))?;
        let ended = child::run(self.command(feed), b"", feed.limits.time, stop, |_| {}).await;
        let ended = ended.map_err(|error| not_started("curl", &error))?;
        let (status, received) = figures(&ended.out);
        let outcome = match ended.end {
            // Some servers take no notice of the time.
            End::Code(0) if status == 304 || self.is_the_same() => {
                // It has not come, but an empty file may.
                let _ = (fs::remove_file(&self.incoming), fs::remove_file(&self.new_tag));
                return Ok(received);
            }
            End::Code(0) => return Ok(received),
            End::Code(code) => exit::curl(code, status, &ended.err).into(),
            other => broken_off(other, feed),
        };
        let _ = (fs::remove_file(&self.incoming), fs::remove_file(&self.new_tag));
        Err(outcome)
    }

    /// The tag of a version that arrived belongs to what is published as soon as it has been: then the file is
    /// not in the folder of new files any more.
    fn settle_tag(&self) -> std::io::Result<()> {
        if !self.published.exists() {
            let _ = fs::remove_file(&self.tag);
        }
        let is_waiting = self.incoming.exists();
        match (self.new_tag.exists(), is_waiting) {
            (true, false) => fs::rename(&self.new_tag, &self.tag),
            (true, true) => fs::remove_file(&self.new_tag),
            (false, _) => Ok(()),
        }
    }

    fn command(&self, feed: &Feed) -> Command {
        let mut command = Command::new("curl");
        command.env("LC_ALL", "C").args(self.arguments(feed));
        command
    }

    fn arguments(&self, feed: &Feed) -> Vec<OsString> {
        let limits = &feed.limits;
        let seconds = |time: Duration| time.as_secs().max(1).to_string();
        let protocols = if feed.source.is_plain() { "=http,https" } else { "=https" };
        let mut arguments: Vec<OsString> = Vec::new();
        let mut option = |name: &str, value: OsString| arguments.extend([name.into(), value]);
        option("--proto", protocols.into());
        option("--proto-redir", protocols.into());
        option("--max-redirs", "5".into());
        option("--connect-timeout", CONNECT.to_string().into());
        // Less than a byte a second for so long is no data.
        option("--speed-limit", "1".into());
        option("--speed-time", seconds(limits.timeout).into());
        option("--max-time", seconds(limits.time).into());
        option("--max-filesize", limits.max_size.to_string().into());
        option("--user-agent", concat!("dnsbld/", env!("CARGO_PKG_VERSION")).into());
        option("--write-out", "%{http_code} %{size_download} %{size_header}".into());
        option("--output", self.incoming.clone().into());
        option("--etag-save", self.new_tag.clone().into());
        if let Some(bytes) = limits.bandwidth {
            option("--limit-rate", bytes.to_string().into());
        }
        if has_bytes(&self.tag) {
            option("--etag-compare", self.tag.clone().into());
        } else if let Some(date) = self.date() {
            // Not --time-cond: curl itself would leave out a file that its publisher has taken back to an
            // earlier version, or that had a time to come.
            option("--header", format!("If-Modified-Since: {date}").into());
        }
        // Its own settings file could say anything.
        arguments.insert(0, "--disable".into());
        for flag in ["--fail", "--silent", "--show-error", "--location", "--remote-time"] {
            arguments.push(flag.into());
        }
        if feed.compress {
            arguments.push("--compressed".into());
        }
        arguments.extend(["--url".into(), self.url.into()]);
        arguments
    }

    /// The time of the published version as HTTP writes it (RFC 9110, section 5.6.7).
    fn date(&self) -> Option<String> {
        let modified = fs::metadata(&self.published).and_then(|data| data.modified()).ok()?;
        let seconds = modified.duration_since(UNIX_EPOCH).ok()?.as_secs();
        i64::try_from(seconds).ok().map(http_date)
    }

    /// Whether what has come is what is published, with its time.
    fn is_the_same(&self) -> bool {
        let modified = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
        modified(&self.incoming) == modified(&self.published)
            && are_equal(&self.incoming, &self.published).unwrap_or(false)
    }

    /// The bytes of the file that has come or is published.
    fn size(&self) -> u64 {
        let size = |path: &Path| fs::metadata(path).map(|data| data.len());
        size(&self.incoming).or_else(|_| size(&self.published)).unwrap_or(0)
    }
}

fn http_date(seconds: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Utc { year, month, day, hour, minute, second } = Utc::from_unix(seconds);
    let week_day = DAYS[seconds.div_euclid(86_400).rem_euclid(7) as usize];
    let month = MONTHS[usize::from(month) - 1];
    format!("{week_day}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

fn has_bytes(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| data.len() > 2)
}

/// The status of HTTP, and the bytes that came, as the format above writes them.
fn figures(said: &str) -> (u32, u64) {
    let mut numbers = said.split_whitespace().map(|word| word.parse::<u64>().unwrap_or(0));
    let status = numbers.next().and_then(|status| u32::try_from(status).ok()).unwrap_or(0);
    (status, numbers.fold(0, u64::saturating_add))
}

fn unwritable(error: &std::io::Error) -> NotFetched {
    NotFetched::failed(format!("cannot write below mirror.dir: {error}"), "see to mirror.dir")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read;

    #[test]
    fn only_what_has_changed_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[[feed]]\nname = 'x'\nsource = 'https://h/d/'\nfiles = ['a']\n";
        let feed = &read(text, Path::new("/etc")).unwrap().settings.mirror.feeds[0];
        let places = Places::new(folder.path(), feed);
        let urls = feed.urls();
        let file = WebFile::new(&urls[0], "a", &places);
        let has = |option: &str| file.arguments(feed).iter().any(|word| word == option);
        let has_date = || {
            file.arguments(feed)
                .iter()
                .any(|word| word.to_string_lossy().starts_with("If-Modified"))
        };
        for there in [&places.published, &places.tags, &places.incoming] {
            fs::create_dir_all(there).unwrap();
        }
        assert!(!has("--etag-compare") && !has_date(), "nothing is published");
        fs::write(&file.published, "list").unwrap();
        assert!(!has("--etag-compare") && has_date());
        // A version arrived, and was published.
        fs::write(&file.new_tag, "\"v1\"\n").unwrap();
        file.settle_tag().unwrap();
        assert!(has("--etag-compare") && !has_date());
        // Another arrived, and was refused.
        fs::write(&file.new_tag, "\"v2\"\n").unwrap();
        fs::write(&file.incoming, "bad list").unwrap();
        file.settle_tag().unwrap();
        assert_eq!(fs::read_to_string(&file.tag).unwrap(), "\"v1\"\n");
        assert!(!file.new_tag.exists());
        fs::remove_file(&file.published).unwrap();
        file.settle_tag().unwrap();
        assert!(!has("--etag-compare") && !has_date(), "regression: nothing ever came again");
    }

    #[test]
    fn times_are_written_as_http_writes_them() {
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn figures_are_numbers_or_nothing() {
        assert_eq!(figures("200 10 300"), (200, 310));
        assert_eq!(figures(""), (0, 0));
        assert_eq!(figures("x -1 7"), (0, 7));
    }
}
