//! The terminal: it is as it was when this ends, however that comes.

use super::Answers;
use super::screen::{Line, Look, screen};
use super::view::{View, Wish};
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{Event, KeyEventKind, poll, read};
use crossterm::style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode, size,
};
use crossterm::{execute, queue};
use nix::sys::signal::{SigSet, Signal};
use std::io::{self, Write as _, stdout};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, TryRecvError};
use std::thread;
use std::time::Duration;

/// How long a key or a new answer may wait.
const LOOK: Duration = Duration::from_millis(50);

/// The terminal is ours.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Gives the terminal back when it is dropped.
struct Terminal;

impl Terminal {
    fn take() -> io::Result<Self> {
        enable_raw_mode()?;
        IS_TAKEN.store(true, Ordering::SeqCst);
        let terminal = Self;
        execute!(stdout(), EnterAlternateScreen, Hide)?;
        Ok(terminal)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// Makes the terminal what it was, once.
fn give_back() {
    if IS_TAKEN.swap(false, Ordering::SeqCst) {
        // If it has gone, there is nothing to give back.
        let _ = execute!(stdout(), Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}

/// Shows what `ask` gives at each interval, and obeys the keys, until one says to end.
///
/// # Errors
///
/// If the terminal cannot be used.
pub(super) fn show(
    mut view: View,
    interval: Duration,
    ask: impl Fn() -> Result<Answers, String> + Send + 'static,
) -> anyhow::Result<()> {
    // Threads that are started from here on leave these signals to one of their own.
    let mut signals = SigSet::empty();
    signals.extend([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT]);
    signals.thread_block()?;
    let terminal = Terminal::take()?;
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        give_back();
        before(panic);
    }));
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if let Ok(signal) = signals.wait() {
            give_back();
            std::process::exit(128 + signal as i32);
        }
    })?;
    let (sender, answers) = mpsc::channel();
    thread::Builder::new().name("asking".to_owned()).spawn(move || {
        while sender.send(ask()).is_ok() {
            thread::sleep(interval);
        }
    })?;
    let mut shown = Vec::new();
    loop {
        match answers.try_recv() {
            Ok(answer) => view.take(answer),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => anyhow::bail!("the thread that asks has ended"),
        }
        draw(&view, &mut shown)?;
        if poll(LOOK)? {
            match read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => match view.press(key) {
                    Wish::Quit => break,
                    Wish::GoOn => {}
                },
                // Whatever was on the screen is another terminal's now.
                Event::Resize(..) => shown.clear(),
                _ => {}
            }
        }
    }
    drop(terminal);
    Ok(())
}

/// Draws the lines that are others than those that are `shown`.
fn draw(view: &View, shown: &mut Vec<Line>) -> io::Result<()> {
    let (width, height) = size()?;
    let lines = screen(view, usize::from(width), usize::from(height));
    let mut out = stdout().lock();
    if shown.len() != lines.len() {
        queue!(out, Clear(ClearType::All))?;
        shown.clear();
    }
    for (row, line) in lines.iter().enumerate() {
        if shown.get(row) == Some(line) {
            continue;
        }
        queue!(out, MoveTo(0, row as u16))?;
        match line.look {
            Look::Plain => {}
            Look::Head => queue!(out, SetAttribute(Attribute::Bold))?,
            Look::Alarm => queue!(out, SetForegroundColor(Color::Red))?,
        }
        queue!(
            out,
            Print(&line.text),
            SetAttribute(Attribute::Reset),
            ResetColor,
            Clear(ClearType::UntilNewLine)
        )?;
    }
    *shown = lines;
    out.flush()
}
