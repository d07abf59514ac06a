//! The lines of the server's log for programs: JSON, and what systemd's journal takes.

use std::fmt::{self, Write as _};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The field that has the words.
const WORDS: &str = "message";

/// A JSON object for each line: `time`, `level`, `event`, what it is about, and the words as `message`.
pub(super) struct Json;

/// The priority in front (sd-daemon(3)), no time, and the fields behind the words. The journal takes each line
/// for an entry, so that every one has the priority.
pub(super) struct Journald;

/// The fields of an event of the log, in their order.
#[derive(Default)]
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    fn of(event: &Event<'_>) -> Self {
        let mut fields = Self::default();
        event.record(&mut fields);
        fields
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let level = event.metadata().level().as_str().to_lowercase();
        let own = [("time", time), ("level", level)];
        out.write_char('{')?;
        for (number, (name, value)) in own.into_iter().chain(Fields::of(event).0).enumerate() {
            let comma = if number > 0 { "," } else { "" };
            // A text is always valid JSON.
            let value = serde_json::to_string(&value).unwrap_or_default();
            write!(out, "{comma}\"{name}\":{value}")?;
        }
        out.write_str("}\n")
    }
}

impl<S, N> FormatEvent<S, N> for Journald
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            _ => 7,
        };
        let fields = Fields::of(event).0;
        let (words, about): (Vec<_>, Vec<_>) =
            fields.into_iter().partition(|(name, _)| *name == WORDS);
        let mut text = words.into_iter().map(|(_, words)| words).collect::<String>();
        for (name, value) in about {
            write!(text, " {name}={value:?}")?;
        }
        for line in text.lines() {
            writeln!(out, "<{priority}>{line}")?;
        }
        Ok(())
    }
}
