//! When is a file stable? A debounce, without clock or files: the watcher tells what it sees and when.

use crate::source::{COARSE_TICK, FileState};
use std::time::{Duration, Instant};

/// How many quiet periods an absence must last: the middle of a replacement looks like that, and there is
/// nothing to load from it.
const ABSENCE_PERIODS: u32 = 5;

/// How many quiet periods an empty file must last: the middle of a replacement looks like that, too, but
/// somebody may have removed the last entry, and expects that it counts within a second.
const EMPTY_PERIODS: u32 = 3;

/// After so many quiet periods of changes, a file counts that was renamed to its place: it was written before, and
/// whoever replaces a file several times a second would keep it from ever being stable.
const RENAMED_PERIODS: u32 = 5;

/// How long a file must stay unchanged to be taken for whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Timing {
    /// For a file nobody is known to have open for writing.
    pub(super) quiet: Duration,
    /// For a file that a writer still has open. A change that goes on for this long is reported once as
    /// [`Observation::KeepsChanging`].
    pub(super) quiet_while_open: Duration,
}

/// What an event tells about a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FileEvent {
    /// It was written to: its writer has it open.
    Written,
    /// A writer has closed it.
    Closed,
    /// Its times, mode or owner changed.
    Attributes,
    /// Another file was renamed to the name.
    Renamed,
    /// The name came to mean another file in another way, or nothing.
    Replaced,
    /// Something may have been missed.
    Unknown,
}

/// Several events of one file, in brief.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct FileEvents {
    /// Written to, whatever came after.
    written: bool,
    /// Came to mean another file, or may have.
    pub(super) replaced: bool,
    /// Whether a writer has it open, if any event told.
    open: Option<bool>,
    /// Whether it was renamed to its place and not written to since, if any event told.
    renamed: Option<bool>,
}

impl FileEvents {
    /// Takes note of one more event.
    pub(super) fn add(&mut self, event: FileEvent) {
        if event != FileEvent::Attributes {
            self.renamed = Some(event == FileEvent::Renamed);
        }
        match event {
            FileEvent::Written => {
                self.written = true;
                self.open = Some(true);
            }
            FileEvent::Closed => self.open = Some(false),
            FileEvent::Attributes => {}
            FileEvent::Renamed | FileEvent::Replaced | FileEvent::Unknown => {
                self.replaced = true;
                self.open = Some(false);
            }
        }
    }
}

impl From<FileEvent> for FileEvents {
    fn from(event: FileEvent) -> Self {
        let mut events = Self::default();
        events.add(event);
        events
    }
}

/// What a look at a file comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Observation {
    /// Nothing new.
    Unchanged,
    /// It has changed and may not be stable: look again then.
    Wait(Instant),
    /// Like `Wait`, once after [`Timing::quiet_while_open`] of changes: the administrator should know.
    KeepsChanging(Instant),
    /// It has changed and is stable.
    Stable(FileState),
    /// It is longer than when it was reported last, and either has not been stable for
    /// [`Timing::quiet_while_open`] or was asked for: it seems to be appended to all the time.
    Appending(FileState),
}

/// One file between two reports.
#[derive(Debug)]
pub(super) struct Stability {
    /// What was last reported or loaded.
    reported: Option<FileState>,
    /// It is to be reported, changed or not, as soon as it is stable.
    wanted: bool,
    /// What was seen last, and since when.
    state: Option<FileState>,
    since: Instant,
    /// The last event.
    last_event: Option<Instant>,
    /// Written to since the last report, even if that should leave no trace in the file's times.
    written: bool,
    /// Somebody has written and not yet closed it.
    open: bool,
    /// It was renamed to its place, and not written to since.
    renamed: bool,
    /// It was asked for, to be reported even while it is appended to: since it showed this, or since now.
    asked: Option<Option<FileState>>,
    /// When the present change began, and whether it was reported that it goes on.
    changing: Option<(Instant, bool)>,
}

impl Stability {
    /// A file of which `reported` is known already.
    pub(super) fn new(now: Instant, reported: Option<FileState>) -> Self {
        Self {
            reported,
            wanted: false,
            state: None,
            since: now,
            last_event: None,
            written: false,
            open: false,
            renamed: false,
            asked: None,
            changing: None,
        }
    }

    /// Asks for a report even while the file is appended to. The file should be looked at next.
    pub(super) fn ask(&mut self) {
        self.asked = Some(None);
    }

    /// Asks for a report when the file is stable, changed or not.
    pub(super) fn want(&mut self) {
        self.wanted = true;
    }

    /// The file no longer begins with what was reported: it is reported when it is stable, and not as
    /// appended to.
    pub(super) fn rewritten(&mut self) {
        self.reported = None;
    }

    /// Takes note of events. The file should be looked at next.
    pub(super) fn note_events(&mut self, now: Instant, events: FileEvents) {
        self.last_event = Some(now);
        self.written |= events.written;
        self.open = events.open.unwrap_or(self.open);
        self.renamed = events.renamed.unwrap_or(self.renamed);
    }

    /// Takes note of what the path shows now.
    pub(super) fn look(&mut self, now: Instant, state: FileState, timing: &Timing) -> Observation {
        if self.state != Some(state) {
            self.state = Some(state);
            self.since = now;
        }
        if self.reported == Some(state) && !self.written && !self.wanted {
            (self.changing, self.asked) = (None, None);
            return Observation::Unchanged;
        }
        let last = self.last_event.map_or(self.since, |last_event| last_event.max(self.since));
        let stable_at = last + self.quiet_period(state, timing);
        if now >= stable_at || self.is_renamed_again(now, state, timing) {
            self.reported = Some(state);
            (self.written, self.wanted) = (false, false);
            (self.changing, self.asked) = (None, None);
            return Observation::Stable(state);
        }
        let (began, remarked) = self.changing.get_or_insert((now, false));
        let is_long = now.duration_since(*began) >= timing.quiet_while_open;
        let quiet = last + timing.quiet;
        let is_longer = self.reported.is_some_and(|before| state.is_longer_than(&before));
        self.asked = self.asked.filter(|_| is_longer);
        // Whoever asked gets the whole file if it is stable soon.
        let asked_at = self.asked.as_mut().map(|asked| *asked.get_or_insert(state));
        let is_due = is_long || asked_at.is_some_and(|then| then != state || now >= quiet);
        if is_due && is_longer {
            self.reported = Some(state);
            // Once it is stable, it is read as any other file.
            self.wanted = true;
            (self.changing, self.asked) = (None, None);
            return Observation::Appending(state);
        }
        if !*remarked && is_long {
            *remarked = true;
            return Observation::KeepsChanging(stable_at);
        }
        Observation::Wait(if asked_at.is_some() && now < quiet {
            stable_at.min(quiet)
        } else {
            stable_at
        })
    }

    /// True for a whole file that is replaced again and again.
    fn is_renamed_again(&self, now: Instant, state: FileState, timing: &Timing) -> bool {
        let is_whole = matches!(state, FileState::File(identity) if identity.size > 0 && !identity.has_coarse_times());
        let began = self.changing.map(|(began, _)| began).filter(|_| self.renamed && is_whole);
        began.is_some_and(|began| now.duration_since(began) >= timing.quiet * RENAMED_PERIODS)
    }

    /// How long after its last change this must stay as it is.
    fn quiet_period(&self, state: FileState, timing: &Timing) -> Duration {
        match state {
            _ if self.open => timing.quiet_while_open,
            FileState::File(identity) if identity.size == 0 => timing.quiet * EMPTY_PERIODS,
            FileState::File(identity) if identity.has_coarse_times() => {
                timing.quiet.max(COARSE_TICK)
            }
            FileState::File(_) => timing.quiet,
            FileState::Vanished | FileState::NotAFile(_) | FileState::Unreadable(_) => {
                timing.quiet * ABSENCE_PERIODS
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Identity, Stamp};

    const TIMING: Timing =
        Timing { quiet: Duration::from_millis(200), quiet_while_open: Duration::from_secs(30) };

    fn file(inode: u64, size: u64, tick: i64) -> FileState {
        let changed = Stamp { seconds: 1_700_000_000, nanoseconds: tick };
        FileState::File(Identity { device: 1, inode, size, modified: changed, changed })
    }

    /// A file under a clock of its own, in milliseconds.
    struct Timeline {
        start: Instant,
        stability: Stability,
    }

    impl Timeline {
        fn new(reported: FileState) -> Self {
            let start = Instant::now();
            let mut timeline = Self { start, stability: Stability::new(start, Some(reported)) };
            assert_eq!(timeline.look(0, reported), Observation::Unchanged);
            timeline
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn look(&mut self, ms: u64, state: FileState) -> Observation {
            self.stability.look(self.at(ms), state, &TIMING)
        }

        fn event(&mut self, ms: u64, event: FileEvent) {
            let now = self.at(ms);
            self.stability.note_events(now, event.into());
        }
    }

    #[test]
    fn a_replaced_file_settles_after_the_quiet_period_and_once() {
        let mut timeline = Timeline::new(file(1, 8, 1));
        let new = file(2, 9, 2);
        timeline.event(100, FileEvent::Replaced);
        assert_eq!(timeline.look(100, new), Observation::Wait(timeline.at(300)));
        assert_eq!(timeline.look(299, new), Observation::Wait(timeline.at(300)));
        assert_eq!(timeline.look(300, new), Observation::Stable(new));
        assert_eq!(timeline.look(301, new), Observation::Unchanged);
    }

    #[test]
    fn a_file_that_keeps_changing_is_waited_for_and_remarked_upon_once() {
        let mut timeline = Timeline::new(file(1, 8, 1));
        let mut remarks = 0;
        for step in 1..=400 {
            let now = step * 100;
            match timeline.look(now, file(2 + step % 2, 8 + step, step as i64)) {
                Observation::Wait(again) => assert_eq!(again, timeline.at(now + 200)),
                Observation::KeepsChanging(_) => remarks += 1,
                observation => panic!("{observation:?}"),
            }
        }
        assert_eq!(remarks, 1);
        let last = file(2, 408, 400);
        assert_eq!(timeline.look(40_200, last), Observation::Stable(last));
    }

    /// Regression: a list that something appends to all the time was never loaded again.
    #[test]
    fn a_file_that_keeps_growing_is_reported_now_and_then_and_when_asked_for() {
        let mut timeline = Timeline::new(file(1, 8, 1));
        let mut reports = Vec::new();
        for step in 1..=1000 {
            let state = file(1, 8 + step, step as i64);
            timeline.event(step * 100, FileEvent::Written);
            if step == 700 {
                timeline.stability.ask();
            }
            match timeline.look(step * 100, state) {
                Observation::Wait(_) => {}
                Observation::Appending(seen) if seen == state => reports.push(step),
                observation => panic!("{observation:?}"),
            }
        }
        assert_eq!(reports, [301, 602, 701]);
        let last = file(1, 1008, 1000);
        assert_eq!(timeline.look(130_000, last), Observation::Stable(last));
        assert_eq!(timeline.look(130_001, last), Observation::Unchanged);
    }

    /// Regression: who asked for a file that had grown, and was at rest, got its whole lines only, for good.
    #[test]
    fn who_asks_gets_the_whole_of_a_file_that_rests() {
        let mut timeline = Timeline::new(file(1, 8, 1));
        let new = file(1, 9, 2);
        timeline.stability.ask();
        assert_eq!(timeline.look(5000, new), Observation::Wait(timeline.at(5200)));
        assert_eq!(timeline.look(5200, new), Observation::Stable(new));
        assert_eq!(timeline.look(5201, new), Observation::Unchanged);
    }

    /// A writer that has it open and pauses: what is there is reported, and the whole when that is at rest.
    #[test]
    fn who_asks_for_a_file_that_is_open_gets_it_and_the_rest_later() {
        let mut timeline = Timeline::new(file(1, 8, 1));
        let new = file(1, 9, 2);
        timeline.event(100, FileEvent::Written);
        assert_eq!(timeline.look(100, new), Observation::Wait(timeline.at(30_100)));
        timeline.stability.ask();
        assert_eq!(timeline.look(200, new), Observation::Wait(timeline.at(300)));
        assert_eq!(timeline.look(300, new), Observation::Appending(new));
        assert_eq!(timeline.look(301, new), Observation::Wait(timeline.at(30_100)));
        timeline.event(400, FileEvent::Closed);
        assert_eq!(timeline.look(600, new), Observation::Stable(new));
    }

    /// Regression: once it was wanted again, for whatever reason, a file that grows was not reported any more.
    #[test]
    fn a_file_that_is_wanted_again_goes_on_to_grow_unless_it_begins_anew() {
        for anew in [false, true] {
            let mut timeline = Timeline::new(file(1, 8, 1));
            timeline.look(100, file(1, 9, 2));
            timeline.stability.want();
            if anew {
                timeline.stability.rewritten();
            }
            timeline.stability.ask();
            timeline.look(200, file(1, 10, 3));
            let grown =
                timeline.look(300, file(1, 11, 4)) == Observation::Appending(file(1, 11, 4));
            assert_eq!(grown, !anew);
        }
    }

    #[test]
    fn a_file_that_became_shorter_or_another_is_not_taken_for_growing() {
        for shown in [file(1, 7, 2), file(2, 9, 2), FileState::Vanished] {
            let mut timeline = Timeline::new(file(1, 8, 1));
            timeline.event(50, FileEvent::Written);
            timeline.stability.ask();
            for ms in [100, 200] {
                assert!(matches!(timeline.look(ms, shown), Observation::Wait(_)));
            }
            let Observation::Wait(again) = timeline.look(260, shown) else { panic!("it is open") };
            assert!(again > timeline.at(260), "no time to wait");
        }
    }

    #[test]
    fn a_writer_that_pauses_is_waited_for_until_it_closes() {
        let mut timeline = Timeline::new(file(1, 8, 1));
        let half = file(1, 9, 2);
        timeline.event(100, FileEvent::Written);
        assert_eq!(timeline.look(300, half), Observation::Wait(timeline.at(30_300)));
        assert_eq!(timeline.look(5000, half), Observation::Wait(timeline.at(30_300)));
        let whole = file(1, 10, 3);
        timeline.event(5100, FileEvent::Written);
        timeline.event(5101, FileEvent::Closed);
        assert_eq!(timeline.look(5301, whole), Observation::Wait(timeline.at(5501)));
        assert_eq!(timeline.look(5501, whole), Observation::Stable(whole));
    }

    #[test]
    fn a_writer_that_never_closes_does_not_hold_the_file_for_ever() {
        let mut timeline = Timeline::new(file(1, 8, 1));
        let new = file(1, 9, 2);
        timeline.event(100, FileEvent::Written);
        timeline.look(300, new);
        assert_eq!(timeline.look(30_300, new), Observation::Stable(new));
    }

    #[test]
    fn the_writer_of_the_old_file_does_not_hold_the_new_one() {
        let mut timeline = Timeline::new(file(1, 8, 1));
        timeline.event(100, FileEvent::Written);
        timeline.event(200, FileEvent::Replaced);
        let new = file(2, 9, 2);
        timeline.look(200, new);
        assert_eq!(timeline.look(400, new), Observation::Stable(new));
    }

    #[test]
    fn a_file_that_is_replaced_all_the_time_is_taken_now_and_then() {
        let mut timeline = Timeline::new(file(1, 8, 1));
        let mut taken = Vec::new();
        for (number, ms) in (2..).zip((100..3000).step_by(100)) {
            timeline.event(ms, FileEvent::Renamed);
            if let Observation::Stable(_) = timeline.look(ms, file(number, 8, ms as i64)) {
                taken.push(ms);
            }
        }
        assert_eq!(taken, [1100, 2200]);
        // What is written to in its place is not whole.
        timeline.event(3000, FileEvent::Written);
        timeline.event(4100, FileEvent::Written);
        assert!(matches!(timeline.look(4200, file(1, 9, 4100)), Observation::Wait(_)));
    }

    #[test]
    fn the_writer_of_a_file_just_created_holds_it() {
        let mut timeline = Timeline::new(file(1, 8, 1));
        let half = file(2, 4, 2);
        timeline.event(100, FileEvent::Replaced);
        timeline.event(101, FileEvent::Written);
        timeline.look(102, half);
        assert_eq!(timeline.look(400, half), Observation::Wait(timeline.at(30_102)));
    }

    #[test]
    fn a_write_that_leaves_no_trace_in_the_times_is_reported() {
        let same = file(1, 8, 1);
        let mut timeline = Timeline::new(same);
        timeline.event(100, FileEvent::Written);
        timeline.event(101, FileEvent::Closed);
        assert_eq!(timeline.look(301, same), Observation::Stable(same));
        timeline.event(400, FileEvent::Closed);
        assert_eq!(
            timeline.look(700, same),
            Observation::Unchanged,
            "closed, but nothing was written"
        );
    }

    #[test]
    fn coarse_times_take_longer_because_two_changes_can_look_like_one() {
        let mut timeline = Timeline::new(file(1, 8, 1));
        let new = file(1, 9, 0);
        timeline.look(100, new);
        assert_eq!(timeline.look(1000, new), Observation::Wait(timeline.at(2100)));
        assert_eq!(timeline.look(2100, new), Observation::Stable(new));
    }

    #[test]
    fn an_absence_or_an_empty_file_is_given_time_to_pass() {
        let absences = [FileState::Vanished, FileState::NotAFile("directory")];
        for (gap, time) in absences.map(|gap| (gap, 1000)).into_iter().chain([(file(1, 0, 2), 600)])
        {
            let old = file(1, 8, 1);
            let mut timeline = Timeline::new(old);
            timeline.look(100, gap);
            assert_eq!(timeline.look(time, gap), Observation::Wait(timeline.at(time + 100)));
            assert_eq!(timeline.look(time + 50, old), Observation::Unchanged, "back as it was");
            timeline.look(1060, gap);
            assert_eq!(timeline.look(1060 + time, gap), Observation::Stable(gap));
            assert_eq!(timeline.look(1061 + time, gap), Observation::Unchanged);
            timeline.look(2100, old);
            assert_eq!(timeline.look(2300, old), Observation::Stable(old), "a return is a change");
        }
    }

    #[test]
    fn what_is_not_known_or_was_forgotten_is_reported() {
        let state = file(1, 8, 1);
        let mut timeline = Timeline::new(state);
        timeline.stability.want();
        assert_eq!(timeline.look(300, state), Observation::Stable(state));
        timeline.stability = Stability::new(timeline.at(1000), None);
        assert_eq!(timeline.look(1000, state), Observation::Wait(timeline.at(1200)));
        assert_eq!(timeline.look(1200, state), Observation::Stable(state));
    }

    /// Any mixture of pauses and changes: nothing is reported that changed, or had an event,
    /// within the quiet period, and every change is reported in the end.
    #[test]
    fn random_films_never_settle_early_and_always_settle_at_last() {
        let mut random = 7u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % below
        };
        for _ in 0..2000 {
            let mut shown = file(1, 8, 1);
            let mut timeline = Timeline::new(shown);
            let (mut now, mut last, mut reported) = (1, 0, shown);
            for tick in 2..30 {
                now += next(500);
                match next(4) {
                    0 => shown = file(next(3), next(3) * 8, tick),
                    1 => shown = FileState::Vanished,
                    2 => timeline.event(now, FileEvent::Closed),
                    _ => {}
                }
                let before = timeline.stability.state;
                if before != Some(shown) || timeline.stability.last_event == Some(timeline.at(now))
                {
                    last = now;
                }
                if let Observation::Stable(state) = timeline.look(now, shown) {
                    assert!(now >= last + 200 && state == shown);
                    reported = state;
                }
            }
            match timeline.look(now + 1000, shown) {
                Observation::Stable(state) => reported = state,
                observation => assert_eq!(observation, Observation::Unchanged),
            }
            assert_eq!(reported, shown);
        }
    }
}
