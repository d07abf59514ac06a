//! What is shown: the newest answers of the server, and what the user wants to see of them.

use super::super::sample::Sample;
use super::Answers;
use crate::status::Status;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// The state of the screen.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// The counters.
    pub(super) sample: Sample,
    /// The status, once the server has answered.
    pub(super) status: Option<Status>,
    /// Why the server does not answer.
    pub(super) fault: Option<String>,
    /// The section that is shown alone; `None` for the beginnings of all.
    pub(super) section: Option<Section>,
    /// How many of its rows are passed over.
    pub(super) scroll: usize,
    /// The order of the zones.
    pub(super) sort: Sort,
    /// What comes is not shown.
    pub(super) is_paused: bool,
    /// The keys are shown in place of the sections.
    pub(super) shows_keys: bool,
}

/// A part of the screen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Section {
    /// The zones and their rates.
    Zones,
    /// The keys that are listed, those asked for most first.
    Listed,
    /// The keys that are not.
    Unlisted,
    /// The clients, those that ask most first.
    Clients,
    /// The clients that ask wrongly.
    Misconfigured,
    /// The states of the datasets.
    Datasets,
    /// The newest events.
    Events,
}

impl Section {
    pub(super) const ALL: [Self; 7] = [
        Self::Zones,
        Self::Listed,
        Self::Unlisted,
        Self::Clients,
        Self::Misconfigured,
        Self::Datasets,
        Self::Events,
    ];
}

/// An order of the zones.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Sort {
    /// Most queries a second first.
    #[default]
    Queries,
    /// Most listed answers a second first.
    Listed,
    /// Most queries since the start first.
    Total,
    /// By name.
    Name,
}

impl Sort {
    fn next(self) -> Self {
        match self {
            Self::Queries => Self::Listed,
            Self::Listed => Self::Total,
            Self::Total => Self::Name,
            Self::Name => Self::Queries,
        }
    }

    /// What it is called.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Queries => "queries a second",
            Self::Listed => "listed a second",
            Self::Total => "queries",
            Self::Name => "name",
        }
    }
}

/// What a key asks for beside a change of the view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wish {
    /// To go on.
    GoOn,
    /// To end.
    Quit,
}

impl View {
    /// Takes what the server has answered, or why it has not.
    pub(super) fn take(&mut self, answers: Result<Answers, String>) {
        if self.is_paused {
            return;
        }
        match answers {
            Ok((stats, status)) => {
                self.sample.add(stats);
                (self.status, self.fault) = (Some(status), None);
            }
            Err(fault) => self.fault = Some(fault),
        }
    }

    /// Does what a key asks for.
    pub(super) fn press(&mut self, key: KeyEvent) -> Wish {
        let with_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if with_control => return Wish::Quit,
            _ if self.shows_keys => self.shows_keys = false,
            KeyCode::Char('q') => return Wish::Quit,
            KeyCode::Char('?') => self.shows_keys = true,
            KeyCode::Char('p') => self.is_paused = !self.is_paused,
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Tab | KeyCode::Right => self.turn(1),
            KeyCode::BackTab | KeyCode::Left => self.turn(Section::ALL.len()),
            KeyCode::Esc => (self.section, self.scroll) = (None, 0),
            KeyCode::Down => self.scroll += 1,
            KeyCode::Up => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::PageDown => self.scroll += 10,
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(10),
            KeyCode::Home => self.scroll = 0,
            _ => {}
        }
        Wish::GoOn
    }

    /// Goes on by so many sections; behind the last are all together.
    fn turn(&mut self, by: usize) {
        let all = Section::ALL;
        let place = |section| all.iter().position(|other| *other == section).unwrap_or(0) + 1;
        let now = self.section.map_or(0, place);
        let next = (now + by) % (all.len() + 1);
        (self.section, self.scroll) = (next.checked_sub(1).and_then(|at| all.get(at).copied()), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(view: &mut View, code: KeyCode) -> Wish {
        view.press(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn keys_change_what_is_seen() {
        let mut view = View::default();
        for section in Section::ALL.map(Some).into_iter().chain([None]) {
            press(&mut view, KeyCode::Tab);
            assert_eq!(view.section, section);
        }
        press(&mut view, KeyCode::BackTab);
        assert_eq!(view.section, Some(Section::Events));
        press(&mut view, KeyCode::Down);
        press(&mut view, KeyCode::Down);
        press(&mut view, KeyCode::Up);
        assert_eq!(view.scroll, 1);
        press(&mut view, KeyCode::Right);
        assert_eq!((view.section, view.scroll), (None, 0));
        for sort in [Sort::Listed, Sort::Total, Sort::Name, Sort::Queries] {
            press(&mut view, KeyCode::Char('s'));
            assert_eq!(view.sort, sort);
        }
        press(&mut view, KeyCode::Char('?'));
        assert!(view.shows_keys);
        assert_eq!(press(&mut view, KeyCode::Char('q')), Wish::GoOn, "any key leaves the help");
        assert!(!view.shows_keys);
        assert_eq!(press(&mut view, KeyCode::Char('q')), Wish::Quit);
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(view.press(interrupt), Wish::Quit);
    }

    #[test]
    fn a_pause_keeps_what_is_seen() {
        let mut view = View::default();
        press(&mut view, KeyCode::Char('p'));
        view.take(Err("no server answers".to_owned()));
        assert_eq!(view.fault, None);
        press(&mut view, KeyCode::Char('p'));
        view.take(Err("no server answers".to_owned()));
        assert!(view.fault.is_some());
    }
}
