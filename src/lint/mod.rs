//! What the author of a list, and who mirrors it, wants to know of its files: lines that list nothing or
//! something else than is meant, and entries that say nothing new. `docs/lint.md` names the rules.
//!
//! ```
//! use dnsbld::lint::lint;
//!
//! let report = lint(b"127.0.0.2\n192.0.2.0/24\n192.0.2.7\n198.51.100.1 - 198.51.100.3\n", None, 5);
//! assert_eq!(report.form.to_string(), "ip4set");
//! let told: Vec<_> = report.shown.iter().map(|it| (it.line, it.rule)).collect();
//! assert_eq!(told, [(3, "covered"), (4, "range")]);
//! ```

mod cover;
mod entries;
mod fix;
mod guess;
mod merge;
mod mistakes;
mod quote;
mod report;
mod variables;

pub use fix::{Fixed, fix};
pub use guess::guess;
pub use quote::Quote;
pub use report::{Lint, LintReport, ListForm, NotShown, Weight};

use crate::answer::AnswerId;
use crate::range::Int;
use crate::zonefile::{Format, Kind, Parsed, is_json_text, sniff};
use cover::{Cover, EXCLUDED, Interval, Redundant};
use entries::{Entries, Names, Shown};
use quote::Lines;
use report::Findings;
use std::borrow::Cow;
use variables::Odd;

/// The most values of a key that Postfix uses (3.9, `MAX_DNS_LOOKUP_RECORDS`).
const MANY_VALUES: u64 = 100;

/// The longest text of rbldnsd, and of a string of a TXT record (RFC 1035 section 3.3), in bytes.
const LONG_TEXT: usize = 255;

/// Looks at the unpacked content of a file. Without a form, the content tells it. Up to `most` findings of
/// each rule are shown.
pub fn lint(text: &[u8], form: Option<&ListForm>, most: usize) -> LintReport {
    let lines = Lines::new(text);
    let mut findings = Findings::new(most);
    let is_guessed = form.is_none();
    let form = form.cloned().unwrap_or_else(|| guess::guess(text));
    if other_form(text, &form, &mut findings) {
        return findings.report(form, is_guessed, 0, &lines);
    }
    let Entries { ip4, ip6, names, parsed } = entries::read(text, &lines, &form, most);
    let mut entries = 0;
    match &parsed {
        Ok(parsed) => {
            entries = parsed.entries;
            mistakes::add(&parsed.diagnostics, form.kind, &mut findings);
            long_texts(text, parsed, &lines, &mut findings);
        }
        Err(fatal) => {
            let message = || format!("{}; nothing of the file is read", fatal.cause);
            findings.add((Weight::Error, "file"), (fatal.line, 1), message);
        }
    }
    if form.format == Format::Rbldnsd {
        odd_variables(text, &form, &lines, &mut findings);
    }
    let mut found = Found { form: &form, lines: &lines, findings: &mut findings };
    found.entries(&ip4, |it| Shown::shown(it.start, it.end));
    found.entries(&ip6, |it| Shown::shown(it.start, it.end));
    found.entries(&names.cover, |it| names.shown(it));
    // A wider range may be larger than the file allows.
    let has_bound = memchr::memmem::find(text, b"MAXRANGE4").is_some();
    if !has_bound {
        found.runs(&ip4);
    }
    found.runs(&ip6);
    found.mapped(&ip6);
    found.test_entries(&ip4, &names);
    findings.report(form, is_guessed, entries, &lines)
}

/// Tells that a file is in another form than it is read in; what else would be told of it would be wrong.
fn other_form(text: &[u8], form: &ListForm, findings: &mut Findings) -> bool {
    let has_forms = !matches!(form.kind, Kind::AclKey | Kind::Combined | Kind::Acl);
    let rule = (Weight::Error, "other-form");
    if has_forms && matches!(form.format, Format::Rbldnsd | Format::Jsonl) && is_json_text(text) {
        findings.add(rule, (0, 1), || {
            "is one JSON text, which no format reads: write an object in each line, for format = \
             \"jsonl\", as with `jq -c '.[]'`"
                .to_owned()
        });
        return true;
    }
    let found = (has_forms && form.format == Format::Rbldnsd).then(|| sniff(form.kind, text));
    let Some(other) = found.flatten() else { return false };
    findings.add(rule, (0, 1), || {
        let what = other.describe();
        match other.suits(form.kind) {
            true => format!("is {what}: set format = \"{other}\" for it"),
            false => {
                let kind = if other.is_for_names_alone() { Kind::Dnset } else { Kind::Mixed };
                format!(
                    "is {what}, which no {} reads: set type = \"{kind}\" and format = \"{other}\"",
                    form.kind
                )
            }
        }
    });
    true
}

/// Texts that other servers cut. Where a text stands is told for the first of them.
fn long_texts(text: &[u8], parsed: &Parsed, lines: &Lines<'_>, findings: &mut Findings) {
    const FEW: usize = 5;
    let rule = (Weight::Warning, "long-text");
    let mut told = 0;
    let answers = (1..=parsed.answers.len() as u32).map(AnswerId);
    let values = answers.flat_map(|answer| parsed.answers.get(answer).values());
    let mut long: Vec<Cow<'_, [u8]>> =
        values.map(|value| value.text.whole()).filter(|text| text.len() > LONG_TEXT).collect();
    long.sort_unstable();
    long.dedup();
    for found in long {
        told += 1;
        let at = (told <= FEW).then(|| memchr::memmem::find(text, &found)).flatten();
        let place = at.map_or((0, 1), |at| {
            let start = memchr::memrchr(b'\n', &text[..at]).map_or(0, |end| end + 1);
            (lines.number(at), (at - start + 1) as u32)
        });
        findings.add(rule, place, || {
            format!(
                "the text has {} bytes: rbldnsd cuts it after {LONG_TEXT}, and some programs show \
                 no more of it",
                found.len()
            )
        });
    }
}

fn odd_variables(text: &[u8], form: &ListForm, lines: &Lines<'_>, findings: &mut Findings) {
    for it in variables::odd(text, lines, form.kind == Kind::Combined) {
        let name = char::from(it.digit);
        let (rule, message) = match it.odd {
            Odd::Unused => ("unused-variable", format!("no text has ${name}: leave it out")),
            Odd::SetAgain { first } => (
                "same-variable",
                format!("${name} is set in line {first}, which counts: leave this one out"),
            ),
            Odd::Unset => (
                "unset-variable",
                format!("no line sets ${name}, which is left as it stands: write ${name} TEXT"),
            ),
        };
        findings.add((Weight::Warning, rule), (it.line, it.column), || message);
    }
}

/// Where findings about entries go.
struct Found<'f, 't> {
    form: &'f ListForm,
    lines: &'f Lines<'t>,
    findings: &'f mut Findings,
}

impl Found<'_, '_> {
    fn add(&mut self, rule: (Weight, &'static str), line: u32, message: impl FnOnce() -> String) {
        let column = self.lines.first_column(line);
        self.findings.add(rule, (line, column), message);
    }

    /// Entries that say nothing new, and keys with more values than are used.
    fn entries<K: Int>(&mut self, cover: &Cover<K>, shown: impl Fn(&Interval<K>) -> String) {
        let mut redundant = cover.redundant();
        redundant.retain(|it| may_go(self.form.kind, it));
        redundant.sort_by_key(|it| it.entry.line);
        for it in redundant {
            let (rule, says) = match (it.is_repeat(), it.by.value == EXCLUDED) {
                (true, _) => ("repeated", "says the same"),
                (false, false) => ("covered", "lists all of it, with the same value"),
                (false, true) => ("covered", "excludes all of it"),
            };
            let rule = (Weight::Warning, rule);
            self.add(rule, it.entry.line, || {
                let by =
                    if it.is_repeat() { String::new() } else { format!(" ({})", shown(&it.by)) };
                format!("{}: line {}{by} {says}: leave this one out", shown(&it.entry), it.by.line)
            });
        }
        for (entry, first) in self.same_keys(cover) {
            self.add((Weight::Error, "same-key"), entry.line, || {
                format!(
                    "{} has an entry in line {}, which counts: leave one out",
                    shown(&entry),
                    first
                )
            });
        }
        for (entry, values) in cover.crowded(MANY_VALUES) {
            self.add((Weight::Warning, "many-values"), entry.line, || {
                format!(
                    "{} has {values} values: Postfix uses the first {MANY_VALUES} of an answer",
                    shown(&entry)
                )
            });
        }
    }

    /// Of a type in which the first entry for a key counts, the others that say something else, and the line of
    /// the first.
    fn same_keys<K: Int>(&self, cover: &Cover<K>) -> Vec<(Interval<K>, u32)> {
        let is_tree = matches!(self.form.kind, Kind::Ip4Trie | Kind::Ip6Trie)
            || self.form.kind == Kind::Mixed && K::BITS != 64;
        let mut found = if is_tree { cover.contradicted() } else { Vec::new() };
        found.sort_by_key(|(entry, _)| entry.line);
        found
    }

    /// Entries that fewer could replace.
    fn runs<K: Shown>(&mut self, cover: &Cover<K>) {
        let has_ranges = self.form.kind == Kind::Ip4Set;
        if matches!(self.form.kind, Kind::Ip4Tset | Kind::Ip6Tset) {
            return;
        }
        let mut runs = cover.runs();
        runs.sort_by_key(|run| run.line);
        for run in runs {
            let pieces = cover::prefixes(run.start, run.end);
            let pieces: Vec<_> = match has_ranges {
                true => vec![K::shown(run.start, run.end)],
                false => pieces
                    .map(|(start, len)| K::shown(start, start.last_of_prefix(len)))
                    .take(run.entries.min(1000) as usize)
                    .collect(),
            };
            if pieces.len() as u64 >= run.entries {
                continue;
            }
            self.add((Weight::Note, "mergeable"), run.line, || {
                const FEW: usize = 3;
                let more = if pieces.len() > FEW { " ..." } else { "" };
                let first = &pieces[..pieces.len().min(FEW)];
                format!("{} entries can be one range: {}{more}", run.entries, first.join(" "))
            });
        }
    }

    /// IPv6 addresses that stand for IPv4 ones, of which queries are about the IPv4 ones.
    fn mapped(&mut self, ip6: &Cover<u128>) {
        let is_mapped = |it: &&Interval<u128>| it.start >> 32 == 0xffff && it.end >> 32 == 0xffff;
        let is_test = |it: &&Interval<u128>| it.start as u32 >> 24 == 127;
        let mut found: Vec<_> =
            ip6.entries().iter().filter(is_mapped).filter(|it| !is_test(it)).collect();
        found.sort_by_key(|it| it.line);
        for it in found {
            let net = u32::shown(it.start as u32, it.end as u32);
            self.add((Weight::Warning, "v4-mapped"), it.line, || {
                format!(
                    "no query reaches a v4-mapped address where the zone has IPv4 lists: put {net} \
                     into one of them"
                )
            });
        }
    }

    /// The entries that RFC 5782 section 5 wants, and those that it forbids.
    fn test_entries(&mut self, ip4: &Cover<u32>, names: &Names) {
        const LISTED: u32 = 0x7f00_0002;
        const NOT_LISTED: u32 = 0x7f00_0001;
        if !ip4.entries().is_empty() {
            let found = [LISTED, NOT_LISTED].map(|key| ip4.narrowest(key).copied());
            self.test_entry(found, ["127.0.0.2", "127.0.0.1"]);
        } else if !names.cover.entries().is_empty() && self.form.kind != Kind::Hashset {
            let found = ["test", "invalid"].map(|name| {
                let place = names.place(&name.parse().ok()?)?;
                names.cover.narrowest(place).copied()
            });
            self.test_entry(found, ["test", "invalid"]);
        }
    }

    fn test_entry<K: Int>(
        &mut self,
        [test, forbidden]: [Option<Interval<K>>; 2],
        [test_key, forbidden_key]: [&str; 2],
    ) {
        let lists = |entry: Option<Interval<K>>| entry.filter(|entry| entry.value != EXCLUDED);
        if lists(test).is_none() {
            self.findings.add((Weight::Note, "test-entry"), (0, 1), || {
                format!("has no test entry {test_key} (RFC 5782 section 5): add it to one file of the list")
            });
        }
        if let Some(entry) = lists(forbidden) {
            self.add((Weight::Error, "never-listed"), entry.line, || {
                format!(
                    "lists {forbidden_key}, by which programs tell a list of everything (RFC 5782 \
                     section 5): exclude it"
                )
            });
        }
    }
}

/// Whether an entry that says nothing new can be left out of a list of this type. A name that is excluded
/// exists, and that can be seen.
fn may_go<K: Int>(kind: Kind, it: &Redundant<K>) -> bool {
    let is_of_names = kind == Kind::Dnset || kind == Kind::Mixed && K::BITS == 64;
    it.is_repeat() || !(is_of_names && it.entry.value == EXCLUDED)
}

#[cfg(test)]
mod tests;
