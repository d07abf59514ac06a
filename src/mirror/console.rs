//! What `dnsbld sync` says: a bar for each transfer on a terminal, and plain lines.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

/// Where it is said.
#[derive(Clone, Debug)]
pub struct Console {
    /// `None` if standard error is no terminal.
    bars: Option<MultiProgress>,
}

impl Console {
    /// Standard output for what went well, standard error for trouble and for bars.
    pub fn new() -> Self {
        let is_terminal = io::stderr().is_terminal() && io::stdout().is_terminal();
        let target = ProgressDrawTarget::stderr_with_hz(10);
        Self { bars: is_terminal.then(|| MultiProgress::with_draw_target(target)) }
    }

    /// Says a line.
    pub(super) fn say(&self, line: &str) {
        // If nobody listens, the work goes on.
        self.between_bars(|| drop(writeln!(io::stdout(), "{line}")));
    }

    /// Says that something is wrong.
    pub(super) fn warn(&self, line: &str) {
        self.between_bars(|| drop(writeln!(io::stderr(), "{line}")));
    }

    fn between_bars(&self, say: impl FnOnce()) {
        match &self.bars {
            Some(bars) => bars.suspend(say),
            None => say(),
        }
    }

    /// The bar of a transfer that begins.
    pub(super) fn bar(&self, feed: &str) -> Bar {
        let Some(bars) = &self.bars else { return Bar(None) };
        let style = ProgressStyle::with_template("{msg:20} [{bar:30}] {percent:>3}% {elapsed}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bars.add(ProgressBar::new(100).with_style(style.progress_chars("=> ")));
        bar.set_message(feed.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        Bar(Some(bar))
    }
}

impl Default for Console {
    fn default() -> Self {
        Self::new()
    }
}

/// The bar of a transfer, if there is a terminal; it is gone when this is dropped.
pub(super) struct Bar(Option<ProgressBar>);

impl Bar {
    /// Whether anybody sees it.
    pub(super) fn is_shown(&self) -> bool {
        self.0.is_some()
    }

    /// Shows how much is done.
    pub(super) fn percent(&self, percent: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(percent);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
