//! `dnsbld allow` and `dnsbld block`

use super::client::{Answer, Client};
use super::doctor::reachable;
use super::print;
use crate::config::{Dataset, Settings};
use crate::daemon::request::ControlRequest;
use crate::explain::doctor::is_listed;
use crate::listing::names::Scope;
use crate::own::{self, Added, Editor, Note, OwnEntry, OwnRole, Removed};
use crate::status::{FileStatus, Status, Time};
use crate::util::text::{counted, table};
use crate::util::time::{Utc, read_duration, read_utc, unix_time};
use crate::wire::name::NameBuf;
use crate::zonefile::LineKey;
use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// Let senders through, or show who is: entries of your own allow list.
///
/// What the list has is not listed in the zones that name it in `allow`. It is a file that you can edit, too.
#[derive(Args, Debug)]
pub struct Allow {
    #[command(subcommand)]
    action: Action,
}

/// List senders, or show who is: entries of your own blocklist.
///
/// What the list has is listed in the zones that name it in `datasets`. It is a file that you can edit, too.
#[derive(Args, Debug)]
pub struct Block {
    #[command(subcommand)]
    action: Action,
}

impl Allow {
    /// Changes or shows the list.
    ///
    /// # Errors
    ///
    /// [`crate::config::Errors`] if the configuration cannot be used; if there is no such list, a key is none, or
    /// the file cannot be changed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        self.action.run(OwnRole::Allow)
    }
}

impl Block {
    /// Changes or shows the list.
    ///
    /// # Errors
    ///
    /// As for [`Allow::run`].
    pub fn run(self) -> anyhow::Result<ExitCode> {
        self.action.run(OwnRole::Block)
    }
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Add entries, or give those that are there a new date and reason, and wait until they are served.
    ///
    /// The exit code is 0 if they are, or if no server runs; 1 if not.
    Add(Add),
    /// Remove entries, and wait until that is served.
    ///
    /// The exit code is 0 if they are gone, 1 if one was not there.
    Remove(Remove),
    /// Show the entries.
    List(List),
}

/// Which list.
#[derive(Args, Debug)]
struct Which {
    #[command(flatten)]
    client: Client,
    /// The zone whose list is meant.
    #[arg(long, value_name = "ZONE")]
    zone: Option<NameBuf>,
    /// The list, by the name of its dataset.
    #[arg(long, value_name = "DATASET", conflicts_with = "zone")]
    list: Option<String>,
}

#[derive(Args, Debug)]
struct Add {
    #[command(flatten)]
    which: Which,
    /// Addresses, prefixes or names; - for those on standard input, one a line: what comes together is written
    /// together.
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
    /// When they expire: a time from now such as 15m, 12h, 7d or 2w, or a date or a time of UTC such as 2026-12-07
    /// or 2026-12-07T18:00Z [default: never].
    #[arg(long, value_name = "TIME", value_parser = until)]
    until: Option<u64>,
    /// Why, for whoever reads the list.
    #[arg(long, value_name = "TEXT", default_value = "", value_parser = one_line)]
    reason: String,
    /// Take networks larger than a /8 (IPv6: a /32) and names of one label, too.
    #[arg(long)]
    force: bool,
}

#[derive(Args, Debug)]
struct Remove {
    #[command(flatten)]
    which: Which,
    /// The keys as they were added; - for those on standard input, one a line.
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

#[derive(Args, Debug)]
struct List {
    #[command(flatten)]
    which: Which,
    /// Print JSON, as docs/own-entries.md explains it.
    #[arg(long)]
    json: bool,
}

/// The end of entries, in seconds since 1970.
fn until(text: &str) -> Result<u64, String> {
    let now = unix_time();
    let ends = match (read_utc(text.as_bytes()), read_duration(text.as_bytes())) {
        (Some((time, [])), _) => time.to_unix().and_then(|time| u64::try_from(time).ok()),
        (None, Some((0, []))) => Some(now),
        (None, Some((seconds, []))) if !text.ends_with(|last: char| last.is_ascii_digit()) => {
            // A minute that is said is a whole one.
            now.checked_add(seconds)
                .filter(|ends| *ends < 1 << 37)
                .map(|ends| ends.div_ceil(60) * 60)
        }
        _ => None,
    };
    match ends {
        None => Err("write 15m, 12h, 7d, 2w, 2026-12-07 or 2026-12-07T18:00Z".into()),
        Some(ends) if ends <= now => Err("that has passed".into()),
        Some(ends) => Ok(ends),
    }
}

fn one_line(text: &str) -> Result<String, String> {
    match text.chars().any(char::is_control) {
        true => Err("write it on one line".into()),
        false => Ok(text.trim().to_owned()),
    }
}

impl Action {
    fn run(self, role: OwnRole) -> anyhow::Result<ExitCode> {
        match self {
            Self::Add(add) => {
                let Add { which, keys, until, reason, force } = add;
                let change = Change::Add { until, reason, force };
                which.open(role)?.apply_all(&keys, &change)
            }
            Self::Remove(Remove { which, keys }) => {
                which.open(role)?.apply_all(&keys, &Change::Remove)
            }
            Self::List(List { which, json }) => {
                let rows = which.open(role)?.rows()?;
                print(&if json { to_json(&rows)? } else { to_text(&rows, role) })?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

impl Which {
    fn open(self, role: OwnRole) -> anyhow::Result<Lists> {
        let Self { client, zone, list } = self;
        let source = client
            .configuration()?
            .context("the lists are found in the configuration: name it with --config FILE")?;
        let zone = zone.map(|zone| zone.to_lowercase());
        Ok(Lists { settings: source.load()?.settings, client, role, zone, list })
    }
}

/// What is to be done with entries.
enum Change {
    Add { until: Option<u64>, reason: String, force: bool },
    Remove,
}

/// The lists of the role that are meant.
struct Lists {
    settings: Settings,
    client: Client,
    role: OwnRole,
    zone: Option<NameBuf>,
    list: Option<String>,
}

/// The most entries that are told one by one.
const MOST_TOLD: usize = 20;

/// How long the server may take to serve a change.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is asked whether it does.
const LOOK: Duration = Duration::from_millis(20);

/// How long entries are waited for that come on standard input right after one.
const TOGETHER: Duration = Duration::from_millis(300);

impl Lists {
    fn all(&self) -> anyhow::Result<Vec<&Dataset>> {
        Ok(own::lists(&self.settings, self.role, self.zone.as_ref(), self.list.as_deref())?)
    }

    /// Applies a change to these keys, and to those on standard input if one is `-`.
    fn apply_all(&self, keys: &[String], change: &Change) -> anyhow::Result<ExitCode> {
        let lists = self.all()?;
        let mut is_well = true;
        let typed: Vec<_> = keys.iter().filter(|key| *key != "-").cloned().collect();
        if !typed.is_empty() {
            is_well &= self.apply(&lists, &typed, change)?;
        }
        if typed.len() < keys.len() {
            let lines = lines_of_stdin();
            while let Ok(first) = lines.recv() {
                let (mut batch, end) = (vec![first], Instant::now() + TOGETHER);
                while let Ok(next) =
                    lines.recv_timeout(end.saturating_duration_since(Instant::now()))
                {
                    batch.push(next);
                }
                let typed = batch.len();
                batch.retain(|key| match self.chosen(&lists, key, change) {
                    Ok(_) => true,
                    Err(error) => {
                        // If standard error is closed, nobody can be told.
                        let _ = writeln!(std::io::stderr(), "dnsbld: {error:#}; left out");
                        false
                    }
                });
                is_well &= batch.len() == typed;
                is_well &= self.apply(&lists, &batch, change)?;
            }
        }
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Applies a change to these keys, waits until it is served, and tells. True if all is well.
    fn apply(&self, lists: &[&Dataset], typed: &[String], change: &Change) -> anyhow::Result<bool> {
        let mut by_list: BTreeMap<&str, (&Dataset, Vec<LineKey>)> = BTreeMap::new();
        for typed in typed {
            let (list, key) = self.chosen(lists, typed, change).context("nothing has changed")?;
            by_list.entry(&list.name).or_insert_with(|| (list, Vec::new())).1.push(key);
        }
        let status = self.status()?;
        let mut is_well = true;
        for (list, keys) in by_list.values() {
            let needless = match (change, &status) {
                (Change::Add { .. }, Ok(status)) => self.needless(list, keys, status),
                _ => Vec::new(),
            };
            let file = list.files.first().context("the dataset has no file")?;
            let (mut told, is_done, is_changed) = match change {
                Change::Add { until, reason, .. } => {
                    let note = Note { now: unix_time(), until: *until, reason };
                    let (added, dropped) = own::change(file, list.kind, |editor| {
                        let added: Vec<_> = keys.iter().map(|key| editor.add(key, note)).collect();
                        (added, editor.drop_expired(note.now))
                    })?;
                    let told = tell_added(&list.name, keys, &added, note);
                    (told + &tell_dropped(&dropped), true, true)
                }
                Change::Remove => {
                    let now = unix_time();
                    let (removed, dropped) = own::change(file, list.kind, |editor| {
                        let removed: Vec<_> =
                            keys.iter().map(|key| editor.remove(key, now)).collect();
                        (removed, editor.drop_expired(now))
                    })?;
                    let is_gone = |one: &Removed| matches!(one, Removed::Done(_));
                    let is_done = removed.iter().all(is_gone);
                    let is_changed = !dropped.is_empty() || removed.iter().any(is_gone);
                    let told = tell_removed(&list.name, file, keys, &removed);
                    (told + &tell_dropped(&dropped), is_done, is_changed)
                }
            };
            for key in needless {
                let _ = writeln!(
                    told,
                    "{key}: no zone that allows by {} lists it now: whoever blocks it does so by something else",
                    list.name
                );
            }
            print(&told)?;
            let is_served = match &status {
                _ if !is_changed => true,
                Ok(_) => self.wait(list, file)?,
                Err(unreachable) => {
                    // If standard error is closed, nobody can be told.
                    let _ = writeln!(
                        std::io::stderr(),
                        "dnsbld: {} is written, and the next server that starts serves it: {unreachable}",
                        file.display()
                    );
                    true
                }
            };
            is_well &= is_done && is_served;
        }
        Ok(is_well)
    }

    /// The list that takes a key, and the key as it stands there.
    fn chosen<'s>(
        &self,
        lists: &[&'s Dataset],
        typed: &str,
        change: &Change,
    ) -> anyhow::Result<(&'s Dataset, LineKey)> {
        let (list, key) = own::choose(lists, typed)?;
        if let Change::Add { force: false, .. } = change {
            anyhow::ensure!(
                !is_broad(&key),
                "{typed} is much to {} by one entry; --force writes it",
                self.role
            );
        }
        Ok((list, key))
    }

    /// How the server is; why it is not reached, otherwise.
    fn status(&self) -> anyhow::Result<Result<Status, String>> {
        Ok(match self.client.ask::<Status>(&ControlRequest::Status {})? {
            Ok(Answer::Done(status)) => Ok(status),
            Ok(Answer::Refused(refused)) => Err(refused.error),
            Err(unreachable) => Err(unreachable.to_string()),
        })
    }

    /// The few keys that no zone lists which this list allows in.
    fn needless<'k>(
        &self,
        list: &Dataset,
        keys: &'k [LineKey],
        status: &Status,
    ) -> Vec<&'k LineKey> {
        let zones: Vec<_> =
            status.zones.iter().filter(|zone| zone.allow.contains(&list.name)).collect();
        let server = reachable(&status.server.listening.plain).first().copied();
        let (Some(server), false) = (server, self.role == OwnRole::Block || keys.len() > MOST_TOLD)
        else {
            return Vec::new();
        };
        let is_needless = |key: &&LineKey| {
            // Of a network, some part may be listed.
            is_single(key)
                && zones
                    .iter()
                    .all(|zone| is_listed(server, &key.to_string(), &zone.name) == Some(false))
        };
        keys.iter().filter(is_needless).collect()
    }

    /// Waits until the server serves a file as it is now, or as somebody else has changed it since; true if it
    /// does.
    fn wait(&self, list: &Dataset, file: &Path) -> anyhow::Result<bool> {
        let (start, path) = (Instant::now(), file.display().to_string());
        let now = fs::metadata(file).with_context(|| format!("cannot look at {path}"))?;
        loop {
            let status = match self.status()? {
                Ok(status) => status,
                Err(gone) => anyhow::bail!("{path} is written, but the server has gone: {gone}"),
            };
            let Some(dataset) = status.datasets.iter().find(|set| set.name == list.name) else {
                anyhow::bail!(
                    "{path} is written, but the server has no dataset {}: name it in a zone, and `dnsbld reload`",
                    list.name
                );
            };
            let current = fs::metadata(file).with_context(|| format!("cannot look at {path}"))?;
            let is_it = |served: &&FileStatus| {
                let Time(modified) = served.modified;
                let is_current = served.size == current.size() && modified == current.mtime();
                served.path == path && (is_current || modified > now.mtime())
            };
            if dataset.files.iter().any(|served| is_it(&served)) && dataset.problem.is_none() {
                let zones = status.zones.iter().filter(|zone| {
                    zone.allow.contains(&list.name) || zone.datasets.contains(&list.name)
                });
                let zones: Vec<_> = zones.map(|zone| zone.name.as_str()).collect();
                let took = start.elapsed().as_secs_f32();
                print(&format!("served after {took:.1} s in {}\n", zones.join(", ")))?;
                return Ok(true);
            }
            if start.elapsed() > PATIENCE {
                let why = dataset
                    .problem
                    .as_ref()
                    .map_or(String::new(), |problem| format!(": {}", problem.cause));
                anyhow::bail!(
                    "{path} is written, but not served after {} s{why}; see `dnsbld status {}`",
                    PATIENCE.as_secs(),
                    list.name
                );
            }
            std::thread::sleep(LOOK);
        }
    }

    /// All entries of the lists.
    fn rows(&self) -> anyhow::Result<Vec<Row>> {
        let now = unix_time();
        let mut rows = Vec::new();
        for list in self.all()? {
            for file in &list.files {
                let text = own::read(file)?;
                let entries = Editor::new(list.kind, &text);
                rows.extend(entries.entries().map(|entry| Row::new(list, file, &entry, now)));
            }
        }
        Ok(rows)
    }
}

/// The lines of standard input that have a key, as they come.
fn lines_of_stdin() -> Receiver<String> {
    // What is not written yet is not read.
    let (sender, lines) = sync_channel(1 << 16);
    std::thread::spawn(move || {
        // What is no text is no key, and is told as such.
        for line in std::io::stdin().lock().split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            let key = line.split(['#', ';']).next().unwrap_or_default().trim();
            if !key.is_empty() && sender.send(key.to_owned()).is_err() {
                return;
            }
        }
    });
    lines
}

/// True for a network larger than a /8 (IPv6: a /32), and a name of one label.
fn is_broad(key: &LineKey) -> bool {
    match key {
        LineKey::Ip4(start, end) => end - start >= 1 << (32 - own::WIDEST_IP4),
        LineKey::Ip6(start, end) => end - start >= 1 << (128 - own::WIDEST_IP6),
        LineKey::Name(name, _) => name.labels().count() < 2,
    }
}

/// True for one address or one name.
fn is_single(key: &LineKey) -> bool {
    match key {
        LineKey::Ip4(start, end) => start == end,
        LineKey::Ip6(start, end) => start == end,
        LineKey::Name(_, scope) => *scope == Scope::Itself,
    }
}

fn written(seconds: u64) -> String {
    Utc::from_unix(i64::try_from(seconds).unwrap_or(i64::MAX / 4)).to_string()
}

/// What an entry says of its end and its reason, in brackets.
fn said(entry: &OwnEntry) -> String {
    let mut parts = vec![format!("line {}", entry.line)];
    parts.extend(entry.expires.map(|ends| format!("until {}", written(ends))));
    parts.extend(entry.added.as_ref().map(|date| format!("of {date}")));
    parts.extend(Some(&entry.reason).filter(|reason| !reason.is_empty()).cloned());
    format!("({})", parts.join(", "))
}

fn tell_added(list: &str, keys: &[LineKey], added: &[Added], note: Note<'_>) -> String {
    let mut out = String::new();
    let until =
        note.until.map_or("without an end".to_owned(), |ends| format!("until {}", written(ends)));
    if keys.len() > MOST_TOLD {
        let renewed = added.iter().filter(|added| added.before.is_some()).count();
        let _ = writeln!(
            out,
            "{list}: {} added, {renewed} renewed, {until}",
            counted((keys.len() - renewed) as u64, "entry", "entries")
        );
        return out;
    }
    for (key, Added { before, covered_by }) in keys.iter().zip(added) {
        let _ = match before {
            None => writeln!(out, "{key}: added to {list}, {until}"),
            Some(before) if before.is_excluded => {
                writeln!(
                    out,
                    "{key}: added to {list}, {until}, in place of an exclusion {}",
                    said(before)
                )
            }
            Some(before) => {
                writeln!(out, "{key}: renewed in {list}, {until}; before {}", said(before))
            }
        };
        if let Some(wide) = covered_by {
            let _ = writeln!(out, "  {} covers it, too {}", wide.key, said(wide));
        }
    }
    out
}

fn tell_removed(list: &str, file: &Path, keys: &[LineKey], removed: &[Removed]) -> String {
    let mut out = String::new();
    let mut done = 0u64;
    for (key, removed) in keys.iter().zip(removed) {
        let _ = match removed {
            Removed::Done(entries) => {
                done += 1;
                match &entries[..] {
                    [entry, ..] if keys.len() <= MOST_TOLD => {
                        writeln!(out, "{key}: removed from {list} {}", said(entry))
                    }
                    _ => continue,
                }
            }
            Removed::Absent { covered_by: None } => writeln!(out, "{key}: is not in {list}"),
            Removed::Absent { covered_by: Some(wide) } => writeln!(
                out,
                "{key}: is not in {list}, but {} covers it {}: remove that, or write !{key} into {}",
                wide.key,
                said(wide),
                file.display()
            ),
        };
    }
    if keys.len() > MOST_TOLD {
        let _ = writeln!(out, "{list}: {} removed", counted(done, "entry", "entries"));
    }
    out
}

fn tell_dropped(dropped: &[OwnEntry]) -> String {
    let mut out = String::new();
    for entry in dropped.iter().take(MOST_TOLD) {
        let _ = writeln!(out, "{}: had expired, and is taken out {}", entry.key, said(entry));
    }
    if dropped.len() > MOST_TOLD {
        let _ =
            writeln!(out, "and {} more had expired, and are taken out", dropped.len() - MOST_TOLD);
    }
    out
}

/// An entry as it is shown.
#[derive(Debug, Serialize)]
struct Row {
    list: String,
    key: String,
    excluded: bool,
    expires: Option<String>,
    expired: bool,
    added: Option<String>,
    reason: String,
    file: String,
    line: u32,
}

impl Row {
    fn new(list: &Dataset, file: &Path, entry: &OwnEntry, now: u64) -> Self {
        Self {
            list: list.name.clone(),
            key: entry.key.to_string(),
            excluded: entry.is_excluded,
            expires: entry.expires.map(written),
            expired: entry.is_expired(now),
            added: entry.added.clone(),
            reason: entry.reason.clone(),
            file: file.display().to_string(),
            line: entry.line,
        }
    }
}

fn to_json(rows: &[Row]) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(rows).context("cannot write JSON")? + "\n")
}

fn to_text(rows: &[Row], role: OwnRole) -> String {
    if rows.is_empty() {
        return format!("there is no entry; `dnsbld {role} add KEY` adds one\n");
    }
    let mut out = String::new();
    let head = ["key", "ends", "added", "list", "reason"].map(str::to_owned);
    let cells = rows.iter().map(|row| {
        let ends = match &row.expires {
            None => "never".to_owned(),
            Some(time) if row.expired => format!("{time} (expired)"),
            Some(time) => time.clone(),
        };
        let mark = if row.excluded { "!" } else { "" };
        let added = row.added.clone().unwrap_or_else(|| "-".into());
        [format!("{mark}{}", row.key), ends, added, row.list.clone(), row.reason.clone()]
    });
    table(&mut out, head, cells.collect(), 5);
    out
}
