//! The text of `dnsbld.toml`.

use super::notes::{self, CommandLine};
use super::own;
use super::text::{Text, list, quoted};
use crate::config::{Dataset, LogTarget, Server, Settings, TtlBounds, Zone};
use crate::util::time::write_duration;
use anyhow::Context;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Writes what `settings` mean, where only what rbldnsd can be told is looked at.
///
/// # Errors
///
/// A path that is not UTF-8, which TOML cannot say.
pub(super) fn write(
    settings: &Settings,
    command_line: &CommandLine<'_>,
    origin: &str,
    warnings: &[String],
) -> anyhow::Result<String> {
    let mut out = Text::default();
    out.comment(&format!("The configuration of dnsbld, made by `dnsbld migrate` from {origin}:"));
    out.comment("");
    out.comment(&format!("    rbldnsd {}", command_line.line()));
    notes::head(&mut out, settings, command_line, warnings);
    out.line("");
    server(&mut out, &settings.server)?;
    out.line("");
    notes::before_datasets(&mut out);
    for set in &settings.datasets {
        dataset(&mut out, set)?;
    }
    notes::before_zones(&mut out);
    for set in &settings.zones {
        zone(&mut out, set);
    }
    Ok(out.finish())
}

fn server(out: &mut Text, server: &Server) -> anyhow::Result<()> {
    let defaults = Server::default();
    out.line("[server]");
    out.set("listen", list(server.listen.iter().map(ToString::to_string)));
    if let Some(workers) = server.workers {
        out.set("workers", workers.to_string());
    }
    let TtlBounds { default, min, max, .. } = server.ttl;
    out.comment("rbldnsd's default is 35m (-t); dnsbld's would be 30m.");
    out.set("default-ttl", duration(default.into()));
    if min > 0 {
        out.set("min-ttl", duration(min.into()));
    }
    if max < TtlBounds::UNBOUNDED {
        out.set("max-ttl", duration(max.into()));
    }
    out.comment(
        "false as in rbldnsd without -a. true makes answers smaller, and no resolver minds.",
    );
    out.set("minimal-answers", server.minimal_answers.to_string());
    if server.version.is_none() {
        out.set("version", quoted("hide"));
    }
    match server.check_interval {
        None => out.set("check-interval", "0".to_owned()),
        Some(time) if time == notes::CHECK_INTERVAL => {}
        Some(time) => out.set("check-interval", duration(time.min(LONGEST_INTERVAL).as_secs())),
    }
    if server.accept_host_bits {
        out.set("accept-host-bits", "true".to_owned());
    }
    if let Some(log) = &server.query_log {
        match &log.target {
            LogTarget::Stdout => out.set("query-log", quoted("-")),
            LogTarget::File(path) => out.set("query-log", quoted(text(path)?)),
        }
        out.set("query-log-flush", log.flush.to_string());
    }
    if let Some(stats) = &server.stats_file {
        out.set("stats-file", quoted(text(&stats.path)?));
        out.set("stats-increments", stats.increments.to_string());
        let interval = stats.interval.unwrap_or(Duration::ZERO);
        out.set("stats-interval", duration(interval.min(LONGEST_INTERVAL).as_secs()));
    }
    if server.acl != defaults.acl {
        out.set("acl", list(server.acl.iter().cloned()));
    }
    out.comment("Remembers serials and data over a restart, so that it answers at once.");
    out.line("#state-dir = \"/var/lib/dnsbld/state\"");
    Ok(())
}

/// The longest interval that a configuration may have.
const LONGEST_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

fn dataset(out: &mut Text, set: &Dataset) -> anyhow::Result<()> {
    let files: Vec<&str> = set.files.iter().map(|file| text(file)).collect::<Result<_, _>>()?;
    out.line("[[dataset]]");
    out.set("name", quoted(&set.name));
    out.set("type", quoted(&set.kind.to_string()));
    out.set("files", list(files.iter().map(|&file| file.to_owned())));
    let is_empty = |file| fs::metadata(file).is_ok_and(|data| data.is_file() && data.len() == 0);
    if files.iter().all(is_empty) {
        out.comment("The list is empty now, so it may be; else this would be taken for a mishap.");
        out.set("accept-empty", "true".to_owned());
    } else if let Some(sign) = own::sign(set) {
        out.wrapped(
            "",
            &format!(
                "A list of your own, it seems: {sign}. It is taken as you write it, empty, too; for a feed, \
                 remove this line."
            ),
        );
        out.set("own", "true".to_owned());
    }
    out.line("");
    Ok(())
}

fn zone(out: &mut Text, zone: &Zone) {
    out.line("[[zone]]");
    out.set("name", quoted(&zone.name.to_string()));
    out.set("datasets", list(zone.datasets.iter().cloned()));
    if !zone.acl.is_empty() {
        out.set("acl", list(zone.acl.iter().cloned()));
    }
    out.line("");
}

/// A duration, which is a number if it has no unit.
fn duration(seconds: u64) -> String {
    let text = write_duration(seconds.min(TtlBounds::UNBOUNDED.into()));
    if text.ends_with(|c: char| c.is_ascii_digit()) { text } else { quoted(&text) }
}

fn text(path: &Path) -> anyhow::Result<&str> {
    let name = path.display();
    path.to_str().with_context(|| format!("{name} is not UTF-8; give the file another name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let cases = [(0, "0"), (90, "90"), (120, "\"2m\""), (2100, "\"35m\""), (604_800, "\"1w\"")];
        for (time, want) in cases {
            assert_eq!(duration(time), want);
        }
        assert_eq!(duration(u64::from(u32::MAX)), "2147483647");
    }
}
