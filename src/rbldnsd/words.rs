//! Events in the words of rbldnsd's log, for people and programs that know them.

use super::syslog::Severity;
use crate::event::{self, Event, Refusal};
use crate::source::Cause;
use crate::util::text::age;
use crate::util::time::Utc;
use crate::zonefile::{Counts, Kind, MAX_NAME_SERVERS, Mistake};
use std::path::Path;
use std::time::Duration;
use tracing::Level;

/// The lines of an event; `file` gives a file as it was typed, and building the datasets has taken
/// `building` since that was told.
pub(super) fn lines(
    event: &Event,
    file: &dyn Fn(&Path) -> String,
    building: Duration,
) -> Vec<(Severity, String)> {
    match event {
        Event::BadLine { file: path, line, reason, .. } => {
            vec![(Severity::Warning, format!("file {}({line}): {}", file(path), fault(*reason)))]
        }
        Event::BadLinesOmitted { dataset, lines, .. } => {
            vec![(Severity::Warning, format!("{dataset}: {lines} more warnings suppressed"))]
        }
        Event::DatasetLoaded { dataset, load, kind, tally, addresses, memory, newest, .. } => {
            let figures = figures(*kind, *tally, load.entries, *addresses, *memory);
            vec![(Severity::Info, format!("{dataset}: {}: {figures}", stamp(*newest)))]
        }
        Event::DatasetRecovered { dataset, failed_for } => {
            let past = age(*failed_for);
            let text = format!("{dataset}: good again after {past}: the files hold what is served");
            vec![(Severity::Info, text)]
        }
        Event::DatasetRefused { dataset, refusal: Refusal { problem, served, .. }, .. } => {
            let line = match problem.cause {
                Cause::Rejected(fatal) => format!("({})", fatal.line),
                _ => String::new(),
            };
            let text = format!("file {}{line}: {}", file(&problem.file), refusal(&problem.cause));
            let mut lines = vec![(Severity::Error, text)];
            if served.is_some() {
                let text = format!("{dataset}: the data loaded before stays in service");
                lines.push((Severity::Warning, text));
            }
            lines
        }
        Event::LoadsFinished { changed: false, .. } => Vec::new(),
        Event::LoadsFinished { took, incomplete, .. } => {
            let gap = |(zone, answers): &(_, bool)| {
                let service = match answers {
                    true => "zone is serviced without them",
                    false => "zone will not be serviced",
                };
                let text = format!("zone {zone}: not all datasets are loaded, {service}");
                (Severity::Warning, text)
            };
            let (took, building) = (took.as_secs_f64(), building.as_secs_f64());
            let text = format!("zones reloaded, time {took:.2}e/{building:.2}u sec");
            incomplete.iter().map(gap).chain([(Severity::Info, text)]).collect()
        }
        Event::ZoneExpired { zone } => {
            let text = format!("zone {zone}: zone data expired, zone will not be serviced");
            vec![(Severity::Warning, text)]
        }
        Event::Stopping => vec![(Severity::Info, "terminating".to_owned())],
        // rbldnsd does not mind small buffers, and says nothing when it reads its command line again.
        Event::ReceiveBufferSmall { .. } | Event::SettingsReloaded { .. } => Vec::new(),
        // rbldnsd has no words for the rest.
        other => in_our_words(other),
    }
}

fn in_our_words(event: &Event) -> Vec<(Severity, String)> {
    let severity = match event::level(event) {
        Level::ERROR => Severity::Error,
        Level::WARN => Severity::Warning,
        Level::INFO => Severity::Info,
        _ => return Vec::new(),
    };
    vec![(severity, event::text(event))]
}

/// What rbldnsd would say of a line.
fn fault(reason: Mistake) -> String {
    let text = match reason {
        Mistake::LongLine => "long line (truncated)",
        Mistake::UnknownSpecial | Mistake::BadSpecial(_) | Mistake::OnlyInCombined => {
            "invalid or unrecognized special entry"
        }
        Mistake::ManyNameServers => {
            return format!(
                "too many NS records specified, only first {MAX_NAME_SERVERS} will be used"
            );
        }
        Mistake::RaisedMaxRange { from, to } => {
            return format!("ignoring attempt to increase $MAXRANGE4 from {from} to {to}");
        }
        Mistake::NotAddress4
        | Mistake::NotAddress6
        | Mistake::BareOctet(_)
        | Mistake::BareField(_)
        | Mistake::PrefixLength { .. }
        | Mistake::ZeroLength
        | Mistake::UnequalRange
        | Mistake::BackwardRange
        | Mistake::AfterAddress
        | Mistake::NotSingle4
        | Mistake::Ip6InIp4
        | Mistake::Ip4InIp6
        | Mistake::OtherType
        | Mistake::NoKey
        | Mistake::Unread(_) => "invalid address",
        Mistake::HostBits(_) => "invalid range (non-zero host part)",
        Mistake::LargeRange { size, max } => {
            return format!("too large range ({size}) ignored ({max} max)");
        }
        Mistake::Duplicate(net) => return format!("duplicated entry for {net}"),
        Mistake::BadA => "invalid A RR",
        Mistake::AfterA => "unrecognized value for an entry",
        Mistake::NoName | Mistake::BadName(_) => "invalid domain name",
        Mistake::NoRecord | Mistake::RecordType | Mistake::BadPreference => {
            "invalid/unrecognized entry"
        }
        Mistake::NotSingle6 { excluded: false } => {
            "invalid address for regular entry (should be 64 bits)"
        }
        Mistake::NotSingle6 { excluded: true } => {
            "invalid address for exclusion (should be 128 bits)"
        }
        Mistake::NoSubzone => "no subzone(s) specified for dataset, data will be ignored",
        other => return other.to_string(),
    };
    text.to_owned()
}

/// What rbldnsd would say of a file.
fn refusal(cause: &Cause) -> String {
    match cause {
        Cause::Vanished => "unable to open file: No such file or directory".to_owned(),
        Cause::SymlinkLoop => "unable to open file: Too many levels of symbolic links".to_owned(),
        Cause::Unreadable(reason) | Cause::Failing(reason) => {
            let reason = reason.split_once(" (os error").map_or(reason.as_str(), |(text, _)| text);
            format!("unable to open file: {reason}")
        }
        Cause::NotAFile("directory") => "error reading file: Is a directory".to_owned(),
        Cause::Rejected(fatal) => fatal.cause.to_string(),
        Cause::Torn => "file changed while we where reading it, data load aborted".to_owned(),
        Cause::Compressed => "file is compressed, decompression disabled".to_owned(),
        other => other.to_string(),
    }
}

/// What a dataset lists, in rbldnsd's numbers where there are such.
fn figures(kind: Kind, tally: Counts, entries: u64, addresses: u128, memory: usize) -> String {
    match tally {
        Counts::Blocks([e32, e24, e16, e8]) => format!("e32/24/16/8={e32}/{e24}/{e16}/{e8}"),
        Counts::Networks { listed, excluded } => format!("cnt={listed} exl={excluded}"),
        Counts::Names { itself, below } => format!("e/w={itself}/{below}"),
        Counts::Plain => match kind {
            Kind::Acl | Kind::AclKey => "loaded".to_owned(),
            Kind::Ip4Tset => format!("cnt={addresses}"),
            Kind::Ip4Trie | Kind::Ip6Trie => {
                format!("ents={entries} mem={}k", memory.div_ceil(1024))
            }
            _ => format!("e={entries}"),
        },
    }
}

/// `YYYYMMDD HHMMSS` of a time in seconds since 1970, UTC.
fn stamp(seconds: i64) -> String {
    let Utc { year, month, day, hour, minute, second } = Utc::from_unix(seconds);
    format!("{year:04}{month:02}{day:02} {hour:02}{minute:02}{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::samples::check_golden;

    const HEAD: &str = "\
# Events in the words of rbldnsd

Under the name `rbldnsd`, the log tells the following [events](events.md) in rbldnsd's words. It tells
others in those of dnsbld, and leaves out `settings-reloaded`, `receive-buffer-small` and what dnsbld
tells at DEBUG.

```text
";

    #[test]
    fn the_words_of_every_event_are_those_of_the_documentation() {
        let typed = |path: &Path| path.display().to_string();
        check_golden("docs/rbldnsd-events.md", HEAD, |event| {
            let lines = lines(event, &typed, Duration::from_millis(80));
            let lines = lines.iter().filter(|line| !in_our_words(event).contains(line));
            lines.map(|(severity, text)| format!("{severity:?}: {text}")).collect()
        });
    }

    #[test]
    fn stamps_are_dates() {
        let cases = [
            (0, "19700101 000000"),
            (951_782_399, "20000228 235959"),
            (951_782_400, "20000229 000000"),
            (951_868_800, "20000301 000000"),
            (4_107_542_400, "21000301 000000"),
            (1_795_297_662, "20261121 214742"),
            (-1, "19691231 235959"),
        ];
        for (seconds, want) in cases {
            assert_eq!(stamp(seconds), want);
        }
    }
}
