//! `dnsbld report overrides`

use super::{Counted, Options, csv_line};
use crate::config;
use crate::explain::check::whole;
use crate::explain::covering::Covering;
use crate::explain::overrides::{OverrideEntries, entries_of};
use crate::status::{OverrideStatus, Time};
use crate::util::text::counted;
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;
use std::process::ExitCode;

/// Tell which senders a blocklist has that an allow list lets in: by blocklist, with the entry that lists each, ready
/// to be sent to the list's operator.
#[derive(Args, Debug)]
pub(super) struct OverridesReport {
    #[command(flatten)]
    options: Options,
    /// Tell of that many senders of each blocklist, the commonest; 0 for all.
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: usize,
}

/// The senders that one blocklist has.
#[derive(Serialize)]
struct ListReport {
    list: String,
    /// The zones that list what it lists.
    zones: Vec<String>,
    /// How many senders there are, also those that are not told.
    total: usize,
    senders: Vec<SenderReport>,
}

#[derive(Serialize)]
struct SenderReport {
    sender: String,
    count: u64,
    error: u64,
    first: Time,
    last: Time,
    allow: String,
    listed_by: Option<Covering>,
    allowed_by: Option<Covering>,
}

impl OverridesReport {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let counted = match self.options.ask(|usage| usage.lists)? {
            Ok(counted) => counted,
            Err(code) => return Ok(code),
        };
        let lists = self.lists(&counted);
        let text = || text(&counted, &lists, &self.options.lists);
        self.options.print(&counted, &lists, || csv(&lists), text)?;
        Ok(ExitCode::from(u8::from(lists.is_empty())))
    }

    /// What is to be told, by list.
    fn lists(&self, counted: &Counted) -> Vec<ListReport> {
        let named = &self.options.lists;
        let is_told = |it: &&OverrideStatus| {
            it.last >= counted.since && (named.is_empty() || named.contains(&it.key.list))
        };
        let told: Vec<_> = counted.overrides.overrides.iter().filter(is_told).collect();
        let mut names: Vec<_> = told.iter().map(|it| &it.key.list).collect();
        names.sort();
        names.dedup();
        let limit = if self.limit == 0 { usize::MAX } else { self.limit };
        let (mut kept, mut totals) = (Vec::new(), Vec::new());
        for name in &names {
            let of_list = || told.iter().filter(|it| it.key.list == **name);
            totals.push(of_list().count());
            kept.extend(of_list().take(limit).copied());
        }
        let keys: Vec<_> = kept.iter().map(|it| it.key.clone()).collect();
        let entries = entries_of(&counted.settings, &keys, |name| counted.facts(name));
        let mut senders: Vec<_> = kept.into_iter().zip(entries).collect();
        let list = |(name, total): (&String, usize)| {
            let rest = senders.iter().position(|(it, _)| it.key.list != *name);
            let of_list = senders.drain(..rest.unwrap_or(senders.len()));
            ListReport {
                list: name.clone(),
                zones: zones(counted, name),
                total,
                senders: of_list.map(SenderReport::new).collect(),
            }
        };
        names.into_iter().zip(totals).map(list).collect()
    }
}

/// The zones that list what a dataset, or a section of it, lists.
fn zones(counted: &Counted, list: &str) -> Vec<String> {
    let set = whole(&counted.settings, list);
    let lists = |zone: &&config::Zone| set.is_some_and(|set| zone.datasets.contains(&set.name));
    let zones = counted.settings.zones.iter().filter(lists);
    zones.map(|zone| zone.name.to_string()).collect()
}

impl SenderReport {
    fn new((told, entries): (&OverrideStatus, OverrideEntries)) -> Self {
        let OverrideStatus { key, count, error, first, last } = told.clone();
        let OverrideEntries { listed_by, allowed_by } = entries;
        Self {
            sender: key.sender,
            count,
            error,
            first,
            last,
            allow: key.allow,
            listed_by,
            allowed_by,
        }
    }

    /// How often it was let in.
    fn times(&self) -> String {
        let most = if self.error > 0 { "up to " } else { "" };
        format!("{most}{}", counted(self.count, "time", "times"))
    }
}

fn csv(lists: &[ListReport]) -> String {
    let mut out = csv_line([
        "list",
        "sender",
        "count",
        "first",
        "last",
        "entry",
        "entry file",
        "entry line",
        "allow list",
        "allow entry",
        "allow file",
        "allow line",
    ]);
    for list in lists {
        for it in &list.senders {
            let [count, first, last] =
                [it.count.to_string(), it.first.to_string(), it.last.to_string()];
            let (entry, allow) = (cells(it.listed_by.as_ref()), cells(it.allowed_by.as_ref()));
            out.push_str(&csv_line([
                &*list.list,
                &it.sender,
                &count,
                &first,
                &last,
                &entry[0],
                &entry[1],
                &entry[2],
                &it.allow,
                &allow[0],
                &allow[1],
                &allow[2],
            ]));
        }
    }
    out
}

/// The text, the file and the line of an entry.
fn cells(entry: Option<&Covering>) -> [String; 3] {
    entry
        .map_or_else(Default::default, |it| [it.text.clone(), it.file.clone(), it.line.to_string()])
}

fn text(counted: &Counted, lists: &[ListReport], named: &[String]) -> String {
    let (since, now) = (counted.since, counted.overrides.time);
    let mut out = String::new();
    if lists.is_empty() {
        let of = if named.is_empty() { String::new() } else { format!(" of {}", named.join(", ")) };
        let _ = writeln!(out, "since {since}, no allow list has changed an answer{of}");
    }
    for list in lists {
        of_list(&mut out, list, since, now);
    }
    out.extend(counted.caveat());
    out
}

fn of_list(out: &mut String, list: &ListReport, since: Time, now: Time) {
    let zones = match list.zones.is_empty() {
        true => String::new(),
        false => format!(" (here in {})", list.zones.join(", ")),
    };
    let _ = write!(
        out,
        "To the operator of {}{zones}\n\n\
         Your list has senders that we know, and whose mail we want: an allow list of ours lets them in. We take\n\
         these entries for false positives; please look at them. The figures are from {since} to {now}.\n",
        list.list
    );
    for (number, it) in (1..).zip(&list.senders) {
        let _ = writeln!(out, "\nFalse positive #{number}: {}", it.sender);
        match &it.listed_by {
            Some(entry) => {
                let _ = writeln!(out, "  your entry:  {}", entry.text);
                let _ =
                    writeln!(out, "               {}:{}{}", entry.file, entry.line, dated(entry));
            }
            None => out
                .push_str("  your entry:  none now; it was there when the sender was asked for\n"),
        }
        let _ =
            writeln!(out, "  asked for:   {}, first {}, last {}", it.times(), it.first, it.last);
        match &it.allowed_by {
            Some(entry) => {
                let _ = writeln!(out, "  let in by:   {} (our list {})", entry.text, it.allow);
            }
            None => _ = writeln!(out, "  let in by:   our list {}", it.allow),
        }
    }
    let more = list.total - list.senders.len();
    if more > 0 {
        let _ = writeln!(out, "\n... and {} (--limit 0 tells all)", counted_senders(more));
    }
    out.push('\n');
}

fn counted_senders(number: usize) -> String {
    counted(number as u64, "more sender", "more senders")
}

/// Since when an entry is there, as far as that is known.
fn dated(entry: &Covering) -> String {
    match (&entry.date, entry.date_of) {
        (Some(date), Some("ts")) => format!(", listed since {date}"),
        (Some(date), Some("timestamp")) => format!(", list of {date}"),
        (Some(date), _) => format!(", file of {date}"),
        (None, _) => String::new(),
    }
}
