//! The tables `[mirror]` and `[[feed]]`.

use super::super::error::{Problem, suggest};
use super::super::feed::{
    Feed, FeedLimits, FeedSchedule, FeedSource, Mirror, Transport, file_name,
};
use super::super::preset::{PRESETS, Preset, preset};
use super::super::spec::{FeedSpec, Spec, Typed};
use super::super::value;
use super::{Resolver, span_of};
use crate::util::time::write_duration;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The names, folders and sessions that are taken, with their places.
#[derive(Default)]
struct Taken {
    names: HashMap<String, Range<usize>>,
    folders: HashMap<String, Range<usize>>,
    sessions: HashMap<String, Range<usize>>,
}

impl Resolver<'_> {
    pub(super) fn mirror(&mut self, spec: &Spec, state_dir: Option<&Path>) -> Mirror {
        let dir = spec.mirror.dir.as_ref().and_then(|dir| self.file("mirror.dir", dir));
        let beside = state_dir.and_then(Path::parent).map(|folder| folder.join("mirror"));
        let dir = dir.or(beside).unwrap_or_else(|| PathBuf::from(Mirror::DIR));
        let mut taken = Taken::default();
        let feeds = spec.feed.iter().filter_map(|typed| self.feed(typed, &mut taken)).collect();
        let alert = spec.alert.command.as_ref();
        let alert = alert.map_or_else(Vec::new, |list| self.command("alert.command", list));
        Mirror { dir, feeds, alert }
    }

    fn feed(&mut self, typed: &Spanned<FeedSpec>, taken: &mut Taken) -> Option<Feed> {
        let spec = typed.get_ref();
        let preset = spec.preset.as_ref().and_then(|name| self.preset(name));
        let name = match (&spec.name, preset) {
            (None, Some(preset)) => {
                let span = span_of(&spec.preset);
                self.first_use("feed.name", "feed", preset.name.to_owned(), span, &mut taken.names)
            }
            _ => {
                let name = self.required("feed.name", &spec.name, typed.span());
                name.and_then(|name| self.entry_name("feed", name, &mut taken.names))
            }
        };
        let source = match (&spec.source, preset) {
            _ if spec.from.is_some() => self.sibling(spec),
            (None, Some(preset)) if preset.source.is_some() => {
                preset.source.and_then(|source| FeedSource::parse(source).ok())
            }
            (None, Some(preset)) => {
                let help = preset.needs.unwrap_or("add source = ...");
                let problem = Problem::new("the publisher tells it to subscribers alone", help);
                self.error("feed.source", span_of(&spec.preset), problem);
                None
            }
            // The preset is unknown, which was said.
            (None, None) if spec.preset.is_some() => None,
            _ => {
                let source = self.required("feed.source", &spec.source, typed.span());
                source.and_then(|text| self.value("feed.source", text, FeedSource::parse))
            }
        };
        let usual = match (name.clone(), source.clone(), preset) {
            (Some(name), Some(source), preset) if spec.from.is_some() => {
                self.handed_feed(spec, preset, name, source)
            }
            (Some(name), Some(source), None) => Feed::new(name, source),
            (Some(name), Some(source), Some(preset)) => preset.feed(name, source),
            _ => {
                // The other settings are checked all the same.
                let source = FeedSource::parse("host::module").ok()?;
                Feed::new(String::new(), source)
            }
        };
        let feed = self.feed_settings(spec, usual);
        self.session(spec, &feed, taken);
        let folder = self.folder(spec, &feed, taken);
        (name.is_some() && source.is_some()).then_some(Feed { folder: folder?, ..feed })
    }

    fn preset(&mut self, typed: &Spanned<String>) -> Option<&'static Preset> {
        self.value("feed.preset", typed, |name| {
            preset(name).ok_or_else(|| {
                let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
                let help = suggest(name, &names);
                Problem::new(
                    format!("there is no preset {name:?}"),
                    match help.is_empty() {
                        true => "write name and source; `dnsbld sync --list` shows the presets"
                            .to_owned(),
                        false => help,
                    },
                )
            })
        })
    }

    /// What the settings say of a feed, over what is usual of it.
    fn feed_settings(&mut self, spec: &FeedSpec, usual: Feed) -> Feed {
        let transport = usual.source.transport;
        if !usual.source.is_guarded() && spec.plain_http != Some(true) {
            let message = "http is read and changed by anybody on the way";
            let help = "write https, or set plain-http = true if the files are signed";
            self.error("feed.source", span_of(&spec.source), Problem::new(message, help));
        }
        let names_nothing = match transport {
            Transport::Rsync => false,
            Transport::Ssh => usual.source.text.ends_with(':'),
            Transport::Web => usual.source.file().is_none(),
        };
        if names_nothing && usual.files.is_empty() && spec.files.is_none() {
            let message = "the source is a folder whose files are not known";
            let help = "name them in files, or the file in the source";
            self.error("feed.source", span_of(&spec.source), Problem::new(message, help));
        }
        for (key, typed, wanted) in [
            ("feed.key", &spec.key, Transport::Ssh),
            ("feed.password-file", &spec.password_file, Transport::Rsync),
        ] {
            if let Some(typed) = typed.as_ref().filter(|_| transport != wanted) {
                let (message, help) = match wanted {
                    Transport::Ssh => ("only ssh has a key", "write the source as user@host:path"),
                    _ => ("only an rsync daemon asks for a password", "remove it"),
                };
                self.error(key, typed.span(), Problem::new(message, help));
            }
        }
        let mut path = |key: &str, typed: &Typed<String>| {
            typed.as_ref().and_then(|typed| self.file(key, typed))
        };
        let key = path("feed.key", &spec.key);
        let password_file = path("feed.password-file", &spec.password_file);
        let files = match &spec.files {
            _ if !usual.handed.is_empty() => Vec::new(),
            None => usual.files.clone(),
            Some(list) => self.feed_files(list, transport),
        };
        Feed {
            schedule: self.schedule(spec, usual.schedule),
            limits: self.feed_limits(spec, usual.limits),
            verify: spec
                .verify
                .as_ref()
                .map_or_else(Vec::new, |list| self.command("feed.verify", list)),
            compress: spec.compress.unwrap_or(usual.compress),
            max_age: self.duration(
                "feed.max-age",
                &spec.max_age,
                usual.max_age,
                Duration::from_secs(60)..=3650 * DAY,
                "\"1m\" to \"3650d\"",
            ),
            files,
            key,
            password_file,
            ..usual
        }
    }

    fn feed_files(
        &mut self,
        list: &Spanned<Vec<Spanned<String>>>,
        transport: Transport,
    ) -> Vec<String> {
        let mut files = Vec::new();
        for typed in list.get_ref() {
            let name = typed.get_ref();
            if self.value("feed.files", typed, |name| file_name(name, transport)).is_none() {
                continue;
            }
            if files.contains(name) {
                let problem = Problem::new(format!("{name:?} is named twice"), "name it once");
                self.error("feed.files", typed.span(), problem);
            }
            files.push(name.clone());
        }
        files
    }

    fn command(&mut self, key: &str, list: &Spanned<Vec<Spanned<String>>>) -> Vec<String> {
        let words: Vec<String> = list.get_ref().iter().map(|word| word.get_ref().clone()).collect();
        if words.first().is_none_or(String::is_empty) {
            let help = "write a program and its arguments, or leave the key out";
            self.error(key, list.span(), Problem::new("there is no program", help));
        }
        words
    }

    fn schedule(&mut self, spec: &FeedSpec, usual: FeedSchedule) -> FeedSchedule {
        let allowed = Duration::from_secs(60)..=30 * DAY;
        let words = "\"1m\" to \"30d\"";
        let interval =
            self.duration("feed.interval", &spec.interval, usual.interval, allowed, words);
        let min_interval = match spec.preset.as_ref().or(spec.from.as_ref()) {
            Some(_) => usual.min_interval,
            None => FeedSchedule::every(interval).min_interval,
        };
        if interval < min_interval {
            let message = format!("{} is more often than the publisher allows", told(interval));
            let help = format!("write \"{}\" or more", told(min_interval));
            self.error("feed.interval", span_of(&spec.interval), Problem::new(message, help));
        }
        let jitter = FeedSchedule::every(interval).jitter;
        let allowed = Duration::ZERO..=DAY;
        let jitter = self.duration("feed.jitter", &spec.jitter, jitter, allowed, "0 to \"1d\"");
        FeedSchedule { interval, jitter, min_interval }
    }

    fn feed_limits(&mut self, spec: &FeedSpec, usual: FeedLimits) -> FeedLimits {
        let second = Duration::from_secs(1);
        let timeout = self.duration(
            "feed.timeout",
            &spec.timeout,
            usual.timeout,
            second..=3600 * second,
            "\"1s\" to \"1h\"",
        );
        let time = self.duration(
            "feed.time-limit",
            &spec.time_limit,
            usual.time,
            second..=DAY,
            "\"1s\" to \"1d\"",
        );
        let mut size = |key: &str, typed: &Typed<String>| {
            typed.as_ref().and_then(|typed| self.value(key, typed, value::bytes))
        };
        let min_size = size("feed.min-size", &spec.min_size).unwrap_or(usual.min_size);
        let max_size = size("feed.max-size", &spec.max_size).unwrap_or(usual.max_size);
        let bandwidth = size("feed.bandwidth-limit", &spec.bandwidth_limit).or(usual.bandwidth);
        if bandwidth.is_some_and(|bytes| bytes < 1024) {
            let problem = Problem::new("it is less than 1K a second", "write \"1K\" or more");
            self.error("feed.bandwidth-limit", span_of(&spec.bandwidth_limit), problem);
        }
        if min_size > max_size {
            let message = format!("{min_size} bytes are more than max-size ({max_size} bytes)");
            let help = "make min-size smaller or max-size larger";
            self.error("feed.min-size", span_of(&spec.min_size), Problem::new(message, help));
        }
        FeedLimits { timeout, time, bandwidth, min_size, max_size }
    }

    /// All files of a module come in one session: publishers ask for that.
    fn session(&mut self, spec: &FeedSpec, feed: &Feed, taken: &mut Taken) {
        let span = span_of(if spec.source.is_some() { &spec.source } else { &spec.preset });
        let is_publisher = feed.source.transport == Transport::Rsync && feed.handed.is_empty();
        if !is_publisher || feed.name.is_empty() {
            return;
        }
        let session = feed.source.session.clone();
        if let Some(first) = taken.sessions.get(&session) {
            let (line, _) = self.line_column(first.clone());
            let message = format!("the feed in line {line} is fetched from the same module");
            let help =
                "name all files of a module in `files` of one feed: publishers ask for one session";
            self.error("feed.source", span, Problem::new(message, help));
            return;
        }
        taken.sessions.insert(session, span);
    }

    fn folder(&mut self, spec: &FeedSpec, feed: &Feed, taken: &mut Taken) -> Option<PathBuf> {
        let Some(typed) = &spec.folder else {
            let folder = feed.folder.to_str().filter(|folder| !folder.is_empty())?.to_owned();
            let span = span_of(if spec.name.is_some() { &spec.name } else { &spec.preset });
            return self.own_folder(folder, span, taken);
        };
        let folder: PathBuf = Path::new(typed.get_ref()).components().collect();
        let is_plain = |part: Component<'_>| matches!(part, Component::Normal(name) if !name.as_encoded_bytes().starts_with(b"."));
        if folder.as_os_str().is_empty() || !folder.components().all(is_plain) {
            let message = format!("{:?} is not a folder below mirror.dir", typed.get_ref());
            let help = "write its names with slashes between them, none of which begins with a dot";
            self.error("feed.folder", typed.span(), Problem::new(message, help));
            return None;
        }
        self.own_folder(folder.to_str()?.to_owned(), typed.span(), taken)
    }

    /// A folder that no other feed has, nor one above or below it.
    fn own_folder(
        &mut self,
        folder: String,
        span: Range<usize>,
        taken: &mut Taken,
    ) -> Option<PathBuf> {
        let path = Path::new(&folder);
        let is_inside = |other: &&String| {
            let other = Path::new(other);
            path != other && (path.starts_with(other) || other.starts_with(path))
        };
        if let Some(other) = taken.folders.keys().find(is_inside) {
            let message =
                format!("one of the folders {folder:?} and {other:?} is inside the other");
            let help = "give each feed a folder that is its own";
            self.error("feed.folder", span, Problem::new(message, help));
            return None;
        }
        self.first_use("feed.folder", "folder", folder, span, &mut taken.folders).map(PathBuf::from)
    }
}

impl Preset {
    /// The feed that this preset says.
    fn feed(&self, name: String, source: FeedSource) -> Feed {
        let usual = Feed::new(name, source);
        Feed {
            files: self.files().map(str::to_owned).collect(),
            schedule: FeedSchedule {
                min_interval: self.min_interval,
                ..FeedSchedule::every(self.interval)
            },
            limits: FeedLimits { min_size: self.min_size, ..usual.limits },
            compress: self.compress,
            max_age: self.max_age(),
            ..usual
        }
    }
}

fn told(time: Duration) -> String {
    write_duration(time.as_secs())
}
