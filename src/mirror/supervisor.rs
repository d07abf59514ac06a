//! What is due, one transfer per host at a time, until all is done or somebody ends it.

use super::alert::{self, Ask};
use super::child::Stop;
use super::console::Console;
use super::fetch::fetch;
use super::lock::MirrorLock;
use super::outcome::{Fetched, NotFetched};
use super::places::Places;
use super::schedule::{calm, healed, next_try, random};
use super::staging::Staging;
use super::{curl, rsync};
use crate::config::{Feed, Mirror, Transport};
use crate::state::feeds::FeedRecord;
use crate::status::Time;
use crate::util::text::{age, counted};
use crate::util::time::unix_time;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// The longest pause before the clock is looked at again: somebody may set it.
const LOOK: Duration = Duration::from_secs(30);

/// How a run of the supervisor ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyncEnd {
    /// All feeds that were due are fetched.
    Well,
    /// Some feed was not fetched.
    Failed,
    /// Another supervisor has the folder.
    Locked,
}

/// What a run is to do.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    /// The names of the feeds; none for all.
    pub only: Vec<String>,
    /// Fetches them whether they are due or not.
    pub force: bool,
    /// Goes on until it is told to end.
    pub watch: bool,
}

/// Fetches the feeds of a mirror. `reread` gives the settings anew when somebody sends SIGHUP, `ask` the status of
/// the server.
///
/// # Errors
///
/// If the folder of the mirror cannot be used, or if the system refuses a signal handler.
pub async fn run(
    mirror: Mirror,
    orders: &Orders,
    console: &Console,
    reread: impl Fn() -> Option<Mirror>,
    ask: Ask,
) -> anyhow::Result<SyncEnd> {
    let Some(_lock) = MirrorLock::take(&mirror.dir)? else { return Ok(SyncEnd::Locked) };
    let mut signals = Signals::listen()?;
    let alert = watch::Sender::new(mirror.alert.clone());
    let mut supervisor = Supervisor::new(mirror, orders, console);
    if orders.watch {
        let (dir, stop) = (supervisor.mirror.dir.clone(), supervisor.stop.subscribe());
        tokio::spawn(alert::watch(dir, alert.subscribe(), ask, console.clone(), stop));
    }
    loop {
        match supervisor.work(&mut signals).await {
            Next::End(end) => return Ok(end),
            Next::Reread => {
                if let Some(mirror) = reread() {
                    alert.send_replace(mirror.alert.clone());
                    supervisor.take(mirror);
                }
            }
        }
    }
}

/// The commands that a run would start, and what is due when.
pub fn dry_run(mirror: &Mirror, orders: &Orders, now: u64) -> Vec<String> {
    let mut lines = Vec::new();
    for feed in mirror.feeds.iter().filter(|feed| orders.names(feed)) {
        let places = Places::new(&mirror.dir, feed);
        let record = FeedRecord::read(&mirror.dir, &feed.name).ok().flatten().unwrap_or_default();
        let when = match record.next_try {
            next if next <= now || orders.force => "due now".to_owned(),
            next => format!("due in {} ({})", age(Duration::from_secs(next - now)), time(next)),
        };
        let commands = match feed.source.transport {
            Transport::Rsync | Transport::Ssh => vec![rsync::command(feed, &places, false)],
            Transport::Web => curl::commands(feed, &places),
        };
        lines.push(format!("{}: {when}", feed.name));
        for command in commands {
            let command = command.as_std();
            let words = [command.get_program()].into_iter().chain(command.get_args());
            let words: Vec<String> = words.map(|word| quoted(&word.to_string_lossy())).collect();
            lines.push(format!("    {}", words.join(" ")));
        }
        if !feed.verify.is_empty() {
            let words: Vec<String> = feed.verify.iter().map(|word| quoted(word)).collect();
            lines.push(format!("    verify: {}", words.join(" ")));
        }
        lines.push(format!("    publish in {}", places.published.display()));
    }
    lines
}

impl Orders {
    fn names(&self, feed: &Feed) -> bool {
        self.only.is_empty() || self.only.contains(&feed.name)
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// What comes after some work.
enum Next {
    End(SyncEnd),
    Reread,
}

struct Supervisor<'a> {
    mirror: Mirror,
    orders: &'a Orders,
    console: &'a Console,
    records: HashMap<String, FeedRecord>,
    /// The feeds that are still to be fetched, of a run that ends then.
    pending: HashSet<String>,
    /// The hosts of the transfers that go on.
    busy: HashSet<String>,
    transfers: JoinSet<Done>,
    stop: watch::Sender<bool>,
    has_failed: bool,
}

/// A transfer that has ended.
struct Done {
    feed: Feed,
    began: u64,
    outcome: Result<Fetched, NotFetched>,
}

impl<'a> Supervisor<'a> {
    fn new(mirror: Mirror, orders: &'a Orders, console: &'a Console) -> Self {
        let mut supervisor = Self {
            mirror,
            orders,
            console,
            records: HashMap::new(),
            pending: HashSet::new(),
            busy: HashSet::new(),
            transfers: JoinSet::new(),
            stop: watch::Sender::new(false),
            has_failed: false,
        };
        supervisor.begin();
        let now = unix_time();
        let due = supervisor.feeds().filter(|feed| orders.force || supervisor.next(feed) <= now);
        supervisor.pending = due.map(|feed| feed.name.clone()).collect();
        if orders.watch || supervisor.pending.is_empty() {
            supervisor.say_what_is_next();
        }
        supervisor
    }

    /// Takes other settings. Transfers that go on are not disturbed.
    fn take(&mut self, mirror: Mirror) {
        if mirror.dir != self.mirror.dir {
            self.console
                .warn("mirror.dir has changed: restart `dnsbld sync` to use the new folder");
        }
        self.mirror = Mirror { dir: self.mirror.dir.clone(), ..mirror };
        self.begin();
        self.console.say(&format!(
            "settings read: {}",
            counted(self.mirror.feeds.len() as u64, "feed", "feeds")
        ));
    }

    /// Reads what is known of the feeds, and ends what another supervisor has begun.
    fn begin(&mut self) {
        let now = unix_time();
        for feed in &self.mirror.feeds {
            // A transfer of ours may be publishing it just now.
            if self.records.contains_key(&feed.name) {
                continue;
            }
            let places = Places::new(&self.mirror.dir, feed);
            if let Err(NotFetched::Failed(failure)) = Staging::new(feed, &places).go_on() {
                self.console.warn(&format!("{}: {}; {}", feed.name, failure.cause, failure.remedy));
            }
            let read = FeedRecord::read(&self.mirror.dir, &feed.name);
            let mut record = read.unwrap_or_else(|error| {
                self.console.warn(&format!(
                    "{}: what was known of it is lost: its record cannot be read: {error}",
                    feed.name
                ));
                None
            });
            let record = record.get_or_insert_with(|| FeedRecord::new(&feed.name));
            let (next, failures) = (record.next_try, record.failures);
            record.next_try = healed(now, next, &feed.schedule, failures, &mut random);
            let is_healed = record.next_try != next;
            self.records.insert(feed.name.clone(), record.clone());
            if is_healed {
                // A cron job decides once: each next one would put the time off again.
                self.keep(&feed.name);
            }
        }
    }

    fn feeds(&self) -> impl Iterator<Item = &Feed> {
        self.mirror.feeds.iter().filter(|feed| self.orders.names(feed))
    }

    fn say_what_is_next(&self) {
        let Some(next) = self.feeds().min_by_key(|feed| self.next(feed)) else { return };
        let (at, now) = (self.next(next), unix_time());
        let when = match at.saturating_sub(now) {
            0 => "now".to_owned(),
            wait => format!("in {}, at {}", age(Duration::from_secs(wait)), time(at)),
        };
        self.console.say(&format!("next is {}: {when}", next.name));
    }

    /// When a feed may be tried next.
    fn next(&self, feed: &Feed) -> u64 {
        self.records.get(&feed.name).map_or(0, |record| record.next_try)
    }

    /// Works until the end, or until the settings are to be read again.
    async fn work(&mut self, signals: &mut Signals) -> Next {
        loop {
            let pause = self.start_what_is_due();
            let is_over = !self.orders.watch && self.pending.is_empty();
            if self.transfers.is_empty() && (is_over || *self.stop.borrow()) {
                let is_well = self.orders.watch || !self.has_failed;
                let end = if is_well { SyncEnd::Well } else { SyncEnd::Failed };
                return Next::End(end);
            }
            tokio::select! {
                Some(done) = self.transfers.join_next() => match done {
                    Ok(done) => self.finish(done),
                    Err(panic) => self.console.warn(&format!("a transfer has failed: {panic}")),
                },
                () = sleep(pause) => {}
                signal = signals.next(), if !*self.stop.borrow() => match signal {
                    Told::End => { self.stop.send_replace(true); }
                    Told::Reread => return Next::Reread,
                },
            }
        }
    }

    /// Starts a transfer for each host that has a feed that is due, and gives the time until another is.
    fn start_what_is_due(&mut self) -> Duration {
        if *self.stop.borrow() {
            return LOOK;
        }
        let now = unix_time();
        let mut pause = LOOK.as_secs();
        let mut due: Vec<Feed> = Vec::new();
        for feed in self.feeds() {
            let next = match (self.orders.watch, self.pending.contains(&feed.name)) {
                (false, false) => continue,
                (false, true) => self.calm_start(feed, now),
                (true, _) => self.calm_start(feed, self.next(feed).max(now)),
            };
            match next.saturating_sub(now) {
                0 => due.push(feed.clone()),
                wait => pause = pause.min(wait),
            }
        }
        // Those that have waited longest come first.
        due.sort_by_key(|feed| self.next(feed));
        for feed in due {
            if self.busy.insert(feed.source.host.clone()) {
                self.start(feed, now);
            }
        }
        Duration::from_secs(pause)
    }

    /// When a feed may start that is due `at`: not at a full or half hour, unless somebody waits for its first
    /// files.
    fn calm_start(&self, feed: &Feed, at: u64) -> u64 {
        let is_first = self.records.get(&feed.name).is_none_or(|record| record.last_try.is_none());
        if self.orders.force || is_first { at } else { calm(at, &mut |_| 0) }
    }

    fn start(&mut self, feed: Feed, now: u64) {
        self.pending.remove(&feed.name);
        // Should this process be killed, the next one must not come too soon.
        let earliest = now + feed.schedule.min_interval.as_secs();
        let source = feed.source.to_string();
        let places = Places::new(&self.mirror.dir, &feed);
        let record = self.records.entry(feed.name.clone()).or_default();
        if record.source != source {
            // What is left of another source is of no use.
            let _ = std::fs::remove_dir_all(&places.incoming);
            let _ = std::fs::remove_dir_all(&places.tags);
        }
        *record = FeedRecord {
            name: feed.name.clone(),
            source,
            last_try: Some(now),
            next_try: earliest,
            ..record.clone()
        };
        self.keep(&feed.name);
        let (bar, mut stop): (_, Stop) = (self.console.bar(&feed.name), self.stop.subscribe());
        self.transfers.spawn(async move {
            let outcome = fetch(&feed, &places, &mut stop, &bar).await;
            Done { feed, began: now, outcome }
        });
    }

    fn finish(&mut self, done: Done) {
        let Done { feed, began, outcome } = done;
        self.busy.remove(&feed.source.host);
        let now = unix_time();
        let took = age(Duration::from_secs(now.saturating_sub(began)));
        let Some(record) = self.records.get_mut(&feed.name) else { return };
        let name = &feed.name;
        match outcome {
            Ok(Fetched { transfer, published, changed, orphans }) => {
                record.failures = 0;
                record.failure = None;
                record.last_success = Some(now);
                (record.size, record.transferred) = (transfer.size, transfer.transferred);
                record.orphans = orphans;
                if changed > 0 || record.last_change.is_none() {
                    record.last_change = Some(now);
                }
                let speed_up = match record.speed_up() {
                    Some(times @ 2..) => format!(" (speed-up {times})"),
                    _ => String::new(),
                };
                let files = match published {
                    0 => "nothing has changed".to_owned(),
                    files => format!("published {}", counted(files as u64, "file", "files")),
                };
                let bytes = transfer.transferred;
                self.console.say(&format!("{name}: {files}; {bytes} bytes in {took}{speed_up}"));
            }
            Err(NotFetched::Failed(failure)) => {
                record.failures = record.failures.saturating_add(1);
                self.console.warn(&format!("{name}: {}; {}", failure.cause, failure.remedy));
                record.failure = Some(failure);
                self.has_failed = true;
            }
            Err(NotFetched::Stopped) => {
                self.console.say(&format!("{name}: stopped; the next try goes on where it was"));
                self.has_failed = true;
                return;
            }
        }
        record.next_try = next_try(now, &feed.schedule, record.failures, &mut random);
        if self.orders.watch {
            self.console.say(&format!("{name}: next try at {}", time(record.next_try)));
        }
        self.keep(&feed.name);
    }

    fn keep(&self, feed: &str) {
        let Some(record) = self.records.get(feed) else { return };
        if let Err(error) = record.write(&self.mirror.dir) {
            self.console.warn(&format!(
                "{feed}: what is known of it cannot be written: {error}; see to the disk and the rights of {}",
                self.mirror.dir.display()
            ));
        }
    }
}

fn time(seconds: u64) -> Time {
    Time(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// The signals that a supervisor obeys.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

/// What a signal tells.
enum Told {
    End,
    Reread,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::End,
            _ = self.interrupt.recv() => Told::End,
            _ = self.hangup.recv() => Told::Reread,
        }
    }
}
