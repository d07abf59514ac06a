//! When has a file come to rest? Pure: the watcher tells what it sees and when.

use super::identity::{COARSE_TICK, Sight};
use std::time::{Duration, Instant};

/// How many quiet periods an absence, or a file without a byte, is given to pass: that is what
/// the middle of a replacement looks like, and there is nothing to load from it.
const PATIENCE: u32 = 5;

/// How long a file must be at rest to be taken for whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pace {
    /// For a file nobody is known to have open for writing.
    pub(super) quiet: Duration,
    /// For a file somebody still has open for writing. A change that goes on for this long is
    /// remarked upon.
    pub(super) patience: Duration,
}

/// What an event tells about a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Touch {
    /// It was written to: its writer has it open.
    Written,
    /// A writer has closed it.
    Closed,
    /// Its times, mode or owner changed.
    Attributes,
    /// The name came to mean another file, or nothing.
    Replaced,
    /// Something may have been missed.
    Unknown,
}

/// Several events of one file, in brief.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Touches {
    /// Written to, whatever came after.
    written: bool,
    /// Came to mean another file, or may have.
    pub(super) replaced: bool,
    /// Whether a writer has it open, if any event told.
    open: Option<bool>,
}

impl Touches {
    /// Takes note of one more event.
    pub(super) fn add(&mut self, touch: Touch) {
        match touch {
            Touch::Written => {
                self.written = true;
                self.open = Some(true);
            }
            Touch::Closed => self.open = Some(false),
            Touch::Attributes => {}
            Touch::Replaced | Touch::Unknown => {
                self.replaced = true;
                self.open = Some(false);
            }
        }
    }
}

impl From<Touch> for Touches {
    fn from(touch: Touch) -> Self {
        let mut touches = Self::default();
        touches.add(touch);
        touches
    }
}

/// What a look at a file comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Nothing new.
    Still,
    /// It has changed and may not be at rest: look again then.
    Wait(Instant),
    /// The same, and for the first time after so long that somebody should know.
    Restless(Instant),
    /// It has changed and come to rest.
    Settled(Sight),
    /// It seems to be appended to all the time: it is longer than when it was reported last, and has not been
    /// at rest for so long, or somebody asks.
    Growing(Sight),
}

/// One file between two reports.
#[derive(Debug)]
pub(super) struct Settle {
    /// What was last reported or loaded.
    reported: Option<Sight>,
    /// It is to be reported, changed or not, as soon as it is at rest.
    wanted: bool,
    /// What was seen last, and since when.
    sight: Option<Sight>,
    since: Instant,
    /// The last event.
    touched: Option<Instant>,
    /// Written to since the last report, even if that should leave no trace in the file's times.
    written: bool,
    /// Somebody has written and not yet closed it.
    open: bool,
    /// Somebody wants it to be reported although it grows: since it showed this, or since now.
    asked: Option<Option<Sight>>,
    /// When the present change began, and whether its length was remarked upon.
    restless: Option<(Instant, bool)>,
}

impl Settle {
    /// A file of which `reported` is known already.
    pub(super) fn new(now: Instant, reported: Option<Sight>) -> Self {
        Self {
            reported,
            wanted: false,
            sight: None,
            since: now,
            touched: None,
            written: false,
            open: false,
            asked: None,
            restless: None,
        }
    }

    /// Somebody wants what is there to be reported, if that can be. The file should be looked at next.
    pub(super) fn ask(&mut self) {
        self.asked = Some(None);
    }

    /// The file is reported again when it is at rest.
    pub(super) fn want(&mut self) {
        self.wanted = true;
    }

    /// The same of a file that does not begin with what was reported: it does not just grow.
    pub(super) fn begin_anew(&mut self) {
        self.reported = None;
    }

    /// Takes note of events. The file should be looked at next.
    pub(super) fn touch(&mut self, now: Instant, touches: Touches) {
        self.touched = Some(now);
        self.written |= touches.written;
        self.open = touches.open.unwrap_or(self.open);
    }

    /// Takes note of what the path shows now.
    pub(super) fn look(&mut self, now: Instant, sight: Sight, pace: &Pace) -> Verdict {
        if self.sight != Some(sight) {
            self.sight = Some(sight);
            self.since = now;
        }
        if self.reported == Some(sight) && !self.written && !self.wanted {
            (self.restless, self.asked) = (None, None);
            return Verdict::Still;
        }
        let last = self.touched.map_or(self.since, |touched| touched.max(self.since));
        let rest = last + self.rest(sight, pace);
        if now >= rest {
            self.reported = Some(sight);
            (self.written, self.wanted) = (false, false);
            (self.restless, self.asked) = (None, None);
            return Verdict::Settled(sight);
        }
        let (began, remarked) = self.restless.get_or_insert((now, false));
        let is_long = now.duration_since(*began) >= pace.patience;
        let quiet = last + pace.quiet;
        let grows = self.reported.is_some_and(|before| sight.is_longer_than(&before));
        self.asked = self.asked.filter(|_| grows);
        // Whoever asks gets the whole file if it is at rest soon.
        let asked_at = self.asked.as_mut().map(|asked| *asked.get_or_insert(sight));
        let is_due = is_long || asked_at.is_some_and(|then| then != sight || now >= quiet);
        if is_due && grows {
            self.reported = Some(sight);
            // When it is at rest at last, it is read as any other.
            self.wanted = true;
            (self.restless, self.asked) = (None, None);
            return Verdict::Growing(sight);
        }
        if !*remarked && is_long {
            *remarked = true;
            return Verdict::Restless(rest);
        }
        Verdict::Wait(if asked_at.is_some() && now < quiet { rest.min(quiet) } else { rest })
    }

    /// How long after its last change this must stay as it is.
    fn rest(&self, sight: Sight, pace: &Pace) -> Duration {
        match sight {
            _ if self.open => pace.patience,
            Sight::File(identity) if identity.size == 0 => pace.quiet * PATIENCE,
            Sight::File(identity) if identity.has_coarse_times() => pace.quiet.max(COARSE_TICK),
            Sight::File(_) => pace.quiet,
            Sight::Vanished | Sight::NotAFile(_) | Sight::Unreadable(_) => pace.quiet * PATIENCE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::identity::{Identity, Stamp};

    const PACE: Pace =
        Pace { quiet: Duration::from_millis(200), patience: Duration::from_secs(30) };

    fn file(inode: u64, size: u64, tick: i64) -> Sight {
        let changed = Stamp { seconds: 1_700_000_000, nanoseconds: tick };
        Sight::File(Identity { device: 1, inode, size, modified: changed, changed })
    }

    /// A file under a clock of its own, in milliseconds.
    struct Film {
        start: Instant,
        settle: Settle,
    }

    impl Film {
        fn new(reported: Sight) -> Self {
            let start = Instant::now();
            let mut film = Self { start, settle: Settle::new(start, Some(reported)) };
            assert_eq!(film.look(0, reported), Verdict::Still);
            film
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn look(&mut self, ms: u64, sight: Sight) -> Verdict {
            self.settle.look(self.at(ms), sight, &PACE)
        }

        fn touch(&mut self, ms: u64, touch: Touch) {
            let now = self.at(ms);
            self.settle.touch(now, touch.into());
        }
    }

    #[test]
    fn a_replaced_file_settles_after_the_quiet_period_and_once() {
        let mut film = Film::new(file(1, 8, 1));
        let new = file(2, 9, 2);
        film.touch(100, Touch::Replaced);
        assert_eq!(film.look(100, new), Verdict::Wait(film.at(300)));
        assert_eq!(film.look(299, new), Verdict::Wait(film.at(300)));
        assert_eq!(film.look(300, new), Verdict::Settled(new));
        assert_eq!(film.look(301, new), Verdict::Still);
    }

    #[test]
    fn a_file_that_keeps_changing_is_waited_for_and_remarked_upon_once() {
        let mut film = Film::new(file(1, 8, 1));
        let mut remarks = 0;
        for step in 1..=400 {
            let now = step * 100;
            match film.look(now, file(2 + step % 2, 8 + step, step as i64)) {
                Verdict::Wait(again) => assert_eq!(again, film.at(now + 200)),
                Verdict::Restless(_) => remarks += 1,
                verdict => panic!("{verdict:?}"),
            }
        }
        assert_eq!(remarks, 1);
        let last = file(2, 408, 400);
        assert_eq!(film.look(40_200, last), Verdict::Settled(last));
    }

    /// Regression: a list that something appends to all the time was never loaded again.
    #[test]
    fn a_file_that_keeps_growing_is_reported_now_and_then_and_when_asked_for() {
        let mut film = Film::new(file(1, 8, 1));
        let mut reports = Vec::new();
        for step in 1..=1000 {
            let sight = file(1, 8 + step, step as i64);
            film.touch(step * 100, Touch::Written);
            if step == 700 {
                film.settle.ask();
            }
            match film.look(step * 100, sight) {
                Verdict::Wait(_) => {}
                Verdict::Growing(seen) if seen == sight => reports.push(step),
                verdict => panic!("{verdict:?}"),
            }
        }
        assert_eq!(reports, [301, 602, 701]);
        let last = file(1, 1008, 1000);
        assert_eq!(film.look(130_000, last), Verdict::Settled(last));
        assert_eq!(film.look(130_001, last), Verdict::Still);
    }

    /// Regression: who asked for a file that had grown, and was at rest, got its whole lines only, for good.
    #[test]
    fn who_asks_gets_the_whole_of_a_file_that_rests() {
        let mut film = Film::new(file(1, 8, 1));
        let new = file(1, 9, 2);
        film.settle.ask();
        assert_eq!(film.look(5000, new), Verdict::Wait(film.at(5200)));
        assert_eq!(film.look(5200, new), Verdict::Settled(new));
        assert_eq!(film.look(5201, new), Verdict::Still);
    }

    /// A writer that has it open and pauses: what is there is reported, and the whole when that is at rest.
    #[test]
    fn who_asks_for_a_file_that_is_open_gets_it_and_the_rest_later() {
        let mut film = Film::new(file(1, 8, 1));
        let new = file(1, 9, 2);
        film.touch(100, Touch::Written);
        assert_eq!(film.look(100, new), Verdict::Wait(film.at(30_100)));
        film.settle.ask();
        assert_eq!(film.look(200, new), Verdict::Wait(film.at(300)));
        assert_eq!(film.look(300, new), Verdict::Growing(new));
        assert_eq!(film.look(301, new), Verdict::Wait(film.at(30_100)));
        film.touch(400, Touch::Closed);
        assert_eq!(film.look(600, new), Verdict::Settled(new));
    }

    /// Regression: once it was wanted again, for whatever reason, a file that grows was not reported any more.
    #[test]
    fn a_file_that_is_wanted_again_goes_on_to_grow_unless_it_begins_anew() {
        for anew in [false, true] {
            let mut film = Film::new(file(1, 8, 1));
            film.look(100, file(1, 9, 2));
            film.settle.want();
            if anew {
                film.settle.begin_anew();
            }
            film.settle.ask();
            film.look(200, file(1, 10, 3));
            let grown = film.look(300, file(1, 11, 4)) == Verdict::Growing(file(1, 11, 4));
            assert_eq!(grown, !anew);
        }
    }

    #[test]
    fn a_file_that_became_shorter_or_another_is_not_taken_for_growing() {
        for shown in [file(1, 7, 2), file(2, 9, 2), Sight::Vanished] {
            let mut film = Film::new(file(1, 8, 1));
            film.touch(50, Touch::Written);
            film.settle.ask();
            for ms in [100, 200] {
                assert!(matches!(film.look(ms, shown), Verdict::Wait(_)));
            }
            let Verdict::Wait(again) = film.look(260, shown) else { panic!("it is open") };
            assert!(again > film.at(260), "no time to wait");
        }
    }

    #[test]
    fn a_writer_that_pauses_is_waited_for_until_it_closes() {
        let mut film = Film::new(file(1, 8, 1));
        let half = file(1, 9, 2);
        film.touch(100, Touch::Written);
        assert_eq!(film.look(300, half), Verdict::Wait(film.at(30_300)));
        assert_eq!(film.look(5000, half), Verdict::Wait(film.at(30_300)));
        let whole = file(1, 10, 3);
        film.touch(5100, Touch::Written);
        film.touch(5101, Touch::Closed);
        assert_eq!(film.look(5301, whole), Verdict::Wait(film.at(5501)));
        assert_eq!(film.look(5501, whole), Verdict::Settled(whole));
    }

    #[test]
    fn a_writer_that_never_closes_does_not_hold_the_file_for_ever() {
        let mut film = Film::new(file(1, 8, 1));
        let new = file(1, 9, 2);
        film.touch(100, Touch::Written);
        film.look(300, new);
        assert_eq!(film.look(30_300, new), Verdict::Settled(new));
    }

    #[test]
    fn the_writer_of_the_old_file_does_not_hold_the_new_one() {
        let mut film = Film::new(file(1, 8, 1));
        film.touch(100, Touch::Written);
        film.touch(200, Touch::Replaced);
        let new = file(2, 9, 2);
        film.look(200, new);
        assert_eq!(film.look(400, new), Verdict::Settled(new));
    }

    #[test]
    fn the_writer_of_a_file_just_created_holds_it() {
        let mut film = Film::new(file(1, 8, 1));
        let half = file(2, 4, 2);
        film.touch(100, Touch::Replaced);
        film.touch(101, Touch::Written);
        film.look(102, half);
        assert_eq!(film.look(400, half), Verdict::Wait(film.at(30_102)));
    }

    #[test]
    fn a_write_that_leaves_no_trace_in_the_times_is_reported() {
        let same = file(1, 8, 1);
        let mut film = Film::new(same);
        film.touch(100, Touch::Written);
        film.touch(101, Touch::Closed);
        assert_eq!(film.look(301, same), Verdict::Settled(same));
        film.touch(400, Touch::Closed);
        assert_eq!(film.look(700, same), Verdict::Still, "closed, but nothing was written");
    }

    #[test]
    fn coarse_times_take_longer_because_two_changes_can_look_like_one() {
        let mut film = Film::new(file(1, 8, 1));
        let new = file(1, 9, 0);
        film.look(100, new);
        assert_eq!(film.look(1000, new), Verdict::Wait(film.at(2100)));
        assert_eq!(film.look(2100, new), Verdict::Settled(new));
    }

    #[test]
    fn an_absence_or_an_empty_file_is_given_time_to_pass() {
        for gap in [Sight::Vanished, Sight::NotAFile("directory"), file(1, 0, 2)] {
            let old = file(1, 8, 1);
            let mut film = Film::new(old);
            film.look(100, gap);
            assert_eq!(film.look(1000, gap), Verdict::Wait(film.at(1100)));
            assert_eq!(film.look(1050, old), Verdict::Still, "back as it was");
            film.look(1060, gap);
            assert_eq!(film.look(2060, gap), Verdict::Settled(gap));
            assert_eq!(film.look(2061, gap), Verdict::Still);
            film.look(2100, old);
            assert_eq!(film.look(2300, old), Verdict::Settled(old), "a return is a change");
        }
    }

    #[test]
    fn what_is_not_known_or_was_forgotten_is_reported() {
        let sight = file(1, 8, 1);
        let mut film = Film::new(sight);
        film.settle.want();
        assert_eq!(film.look(300, sight), Verdict::Settled(sight));
        film.settle = Settle::new(film.at(1000), None);
        assert_eq!(film.look(1000, sight), Verdict::Wait(film.at(1200)));
        assert_eq!(film.look(1200, sight), Verdict::Settled(sight));
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
            let mut film = Film::new(shown);
            let (mut now, mut last, mut reported) = (1, 0, shown);
            for tick in 2..30 {
                now += next(500);
                match next(4) {
                    0 => shown = file(next(3), next(3) * 8, tick),
                    1 => shown = Sight::Vanished,
                    2 => film.touch(now, Touch::Closed),
                    _ => {}
                }
                let before = film.settle.sight;
                if before != Some(shown) || film.settle.touched == Some(film.at(now)) {
                    last = now;
                }
                if let Verdict::Settled(sight) = film.look(now, shown) {
                    assert!(now >= last + 200 && sight == shown);
                    reported = sight;
                }
            }
            match film.look(now + 1000, shown) {
                Verdict::Settled(sight) => reported = sight,
                verdict => assert_eq!(verdict, Verdict::Still),
            }
            assert_eq!(reported, shown);
        }
    }
}
