//! `dnsbld report unused-allow`

use super::{Counted, Options, csv_line};
use crate::explain::check::whole;
use crate::explain::unused::{UnusedAllow, unused};
use crate::util::text::counted;
use clap::Args;
use std::fmt::Write as _;
use std::process::ExitCode;

/// Tell which allow entries have changed no answer: no sender that they let in was on a blocklist when it was asked
/// for.
#[derive(Args, Debug)]
pub(super) struct UnusedAllowReport {
    #[command(flatten)]
    options: Options,
}

impl UnusedAllowReport {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let counted = match self.options.ask(|usage| usage.allows)? {
            Ok(counted) => counted,
            Err(code) => return Ok(code),
        };
        let settings = &counted.settings;
        let recent = counted.overrides.overrides.iter().filter(|it| it.last >= counted.since);
        let senders: Vec<_> = recent.map(|it| it.key.clone()).collect();
        let mut lists = unused(settings, &senders, |name| counted.facts(name));
        let named: Vec<_> =
            self.options.lists.iter().filter_map(|name| whole(settings, name)).collect();
        lists.retain(|list| named.is_empty() || named.iter().any(|set| set.name == list.allow));
        self.options.print(&counted, &lists, || csv(&lists), || text(&counted, &lists))?;
        let has_news = |list: &UnusedAllow| !list.unused.is_empty() || list.problem.is_some();
        Ok(ExitCode::from(u8::from(!lists.iter().any(has_news))))
    }
}

fn csv(lists: &[UnusedAllow]) -> String {
    let mut out = csv_line(["allow list", "entry", "file", "line", "text"]);
    for list in lists {
        for it in &list.unused {
            let line = it.line.to_string();
            out.push_str(&csv_line([&*list.allow, &it.entry, &it.file, &line, &it.text]));
        }
    }
    out
}

fn text(told: &Counted, lists: &[UnusedAllow]) -> String {
    let mut out = String::new();
    if lists.is_empty() {
        out.push_str("no zone has an allow list\n");
    }
    for list in lists {
        let UnusedAllow { allow, entries, unused, problem } = list;
        let entries = counted(*entries, "entry", "entries");
        let _ = writeln!(
            out,
            "{allow}: of {entries}, {} changed no answer since {}",
            if unused.is_empty() { "none".to_owned() } else { unused.len().to_string() },
            told.since
        );
        for it in unused {
            let _ = writeln!(out, "  {}:{}: {}", it.file, it.line, it.text);
        }
        if let Some(problem) = problem {
            let _ = writeln!(out, "  not read to the end: {problem}");
        }
    }
    out.extend(told.caveat());
    out
}
