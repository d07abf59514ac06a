//! `dnsbld lint`

use super::print;
use crate::lint::{self, Fixed, LintReport, ListForm, Weight};
use crate::source::{self, Limits};
use crate::util::text::{counted, shell_word};
use crate::zonefile::{Format, Kind};
use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::json;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The exit code if a file cannot be read.
const UNREAD: u8 = 2;

/// What standard input is called.
const STDIN: &str = "-";

/// Tell what is wrong with the files of a list, and what could be shorter.
///
/// For authors and mirrors of lists, without a server: lines that list nothing or something else than is
/// meant, entries that say nothing new, texts and numbers of values that other programs cut. The exit code is 0
/// if there are neither errors nor warnings, 1 if there are, 2 if a file cannot be read or written.
#[derive(Args, Debug)]
pub struct Lint {
    /// The type of the dataset, perhaps with the format of the lines and the column or field that has the
    /// keys [default: what the content looks like].
    #[arg(long = "as", value_name = "TYPE[:FORMAT[:COLUMN]]", value_parser = form)]
    form: Option<ListForm>,
    /// Leave out entries that say nothing new, and write keys as every server reads them. The file lists
    /// what it listed.
    #[arg(long, conflicts_with = "json")]
    fix: bool,
    /// Write the mended file there instead.
    #[arg(long, short, value_name = "FILE", requires = "fix")]
    output: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// The most findings of each rule to print for a file; 0 for all.
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    limit: usize,
    /// The files, plain or packed with gzip; - for standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Reads `TYPE[:FORMAT[:COLUMN]]`.
pub(super) fn form(text: &str) -> Result<ListForm, String> {
    let mut words = text.splitn(3, ':');
    let kind: Kind = words.next().unwrap_or_default().parse().map_err(shown)?;
    let format: Format = words.next().map_or(Ok(Format::Rbldnsd), str::parse).map_err(shown)?;
    let column = words.next().map(Box::from);
    if !format.suits(kind) {
        return Err(format!("no {kind} is read in the format {format}"));
    }
    Ok(ListForm { kind, format, column })
}

fn shown(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Lint {
    /// Looks at all files, and mends them if that is asked for.
    ///
    /// # Errors
    ///
    /// When the result cannot be printed, or --output is given for several files.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        ensure!(
            self.output.is_none() || self.files.len() == 1,
            "--output takes one file, not {}",
            self.files.len()
        );
        let most = if self.limit == 0 { usize::MAX } else { self.limit };
        let (mut code, mut reports) = (0, Vec::new());
        for file in &self.files {
            let (text, is_packed) = match content(file) {
                Ok(read) => read,
                Err(error) => {
                    eprintln!("dnsbld: {error:#}");
                    code = UNREAD;
                    continue;
                }
            };
            let mut report = lint::lint(&text, self.form.as_ref(), most);
            if self.fix {
                let fixed = lint::fix(&text, &report.form);
                if let Err(error) = self.write(file, &fixed, is_packed) {
                    eprintln!("dnsbld: {error:#}");
                    code = UNREAD;
                    continue;
                }
                let target = self.output.as_deref().unwrap_or(file);
                print(&format!("{}: {}\n", target.display(), mended(&fixed)))?;
                // What is left to do by hand.
                report = lint::lint(&fixed.text, Some(&report.form), most);
            }
            code = code.max(u8::from(report.is_bad()));
            match self.json {
                true => reports.push(to_json(file, &report)),
                false => print(&to_text(file, &report))?,
            }
        }
        if self.json {
            let all = json!({ "schema": 1, "files": reports });
            print(&(serde_json::to_string_pretty(&all)? + "\n"))?;
        }
        Ok(ExitCode::from(code))
    }

    /// Writes a mended file.
    fn write(&self, file: &Path, fixed: &Fixed, is_packed: bool) -> anyhow::Result<()> {
        let target = self.output.as_deref().unwrap_or(file);
        let is_in_place = self.output.is_none();
        if is_in_place {
            let name = file.display();
            ensure!(file != Path::new(STDIN), "name with -o where to write standard input to");
            ensure!(!is_packed, "{name} is packed: name with -o where to write it unpacked");
        }
        if !is_in_place || fixed.is_changed() {
            replace(target, &fixed.text)
                .with_context(|| format!("cannot write {}", target.display()))?;
        }
        Ok(())
    }
}

/// What was mended.
fn mended(fixed: &Fixed) -> String {
    let Fixed { removed, merged, rewritten, has_new_end, .. } = *fixed;
    let mut told = Vec::new();
    if removed > 0 {
        told.push(format!("left out {}", counted(removed, "line", "lines")));
    }
    if merged > 0 {
        told.push(format!("put {} together", counted(merged, "line", "lines")));
    }
    if rewritten > 0 {
        told.push(format!("wrote {} anew", counted(rewritten, "line", "lines")));
    }
    if has_new_end {
        told.push("ended the last line".to_owned());
    }
    if told.is_empty() {
        told.push("nothing to mend".to_owned());
    }
    told.join(", ")
}

/// The unpacked content of a file, and whether it was packed.
fn content(file: &Path) -> anyhow::Result<(Vec<u8>, bool)> {
    let mut text = Vec::new();
    if file == Path::new(STDIN) {
        std::io::stdin().lock().read_to_end(&mut text).context("cannot read standard input")?;
        return Ok((text, false));
    }
    let report = source::read(file, &Limits::default(), &mut |chunk| {
        text.extend_from_slice(chunk);
        Ok::<(), std::convert::Infallible>(())
    })
    .map_err(|problem| anyhow::anyhow!("{problem}"))?;
    Ok((text, report.compressed))
}

/// Puts a new version of a file into its place, whole or not at all, with the permissions of the old one.
fn replace(path: &Path, text: &[u8]) -> anyhow::Result<()> {
    // The file itself, if the path is a link to it.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().context("it has no name")?.to_string_lossy().into_owned();
    let new = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = (|| {
        let mut file = File::create_new(&new)?;
        file.write_all(text)?;
        if let Ok(old) = path.metadata() {
            file.set_permissions(fs::Permissions::from_mode(old.permissions().mode()))?;
        }
        file.sync_all()?;
        fs::rename(&new, &path)
    })();
    if written.is_err() {
        // It may not be there, and nothing can be done about it.
        let _ = fs::remove_file(&new);
    }
    Ok(written?)
}

fn to_text(file: &Path, report: &LintReport) -> String {
    let LintReport { form, is_guessed, entries, counts, shown, not_shown } = report;
    let name = file.display();
    let mut out = String::new();
    for it in shown {
        let (word, message, rule) = (it.weight.word(), &it.message, it.rule);
        let _ = match it.line {
            0 => writeln!(out, "{name}: {word}: {message} [{rule}]"),
            line => writeln!(out, "{name}:{line}:{}: {word}: {message} [{rule}]", it.column),
        };
        if let Some(quote) = &it.quote {
            let _ = writeln!(out, "    | {}\n    | {}^", quote.text, " ".repeat(quote.before));
        }
    }
    for it in not_shown {
        let (word, rule) = (it.weight.word(), it.rule);
        let _ = writeln!(out, "{name}: {word}: {} more of {rule}; --limit 0 prints all", it.count);
    }
    let entries = counted(*entries, "entry", "entries");
    let how = match (is_guessed, shell_word(&form_word(form))) {
        (true, word) => format!("read as {form}, by its content (--as {word} says so)"),
        (false, _) => format!("read as {form}"),
    };
    let [errors, warnings, notes] = *counts;
    let found =
        [(errors, "error", "errors"), (warnings, "warning", "warnings"), (notes, "note", "notes")];
    let found: Vec<_> = found
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| counted(count, one, many))
        .collect();
    let found = if found.is_empty() { "nothing to remark".to_owned() } else { found.join(", ") };
    let _ = writeln!(out, "{name}: {how}: {entries}; {found}");
    out
}

/// A form as `--as` takes it.
fn form_word(form: &ListForm) -> String {
    let ListForm { kind, format, column } = form;
    match (format, column) {
        (Format::Rbldnsd, _) => kind.to_string(),
        (_, None) => format!("{kind}:{format}"),
        (_, Some(column)) => format!("{kind}:{format}:{column}"),
    }
}

fn to_json(file: &Path, report: &LintReport) -> serde_json::Value {
    let LintReport { form, is_guessed, entries, counts, shown, not_shown } = report;
    let findings: Vec<_> = shown
        .iter()
        .map(|it| {
            json!({
                "weight": it.weight.word(),
                "rule": it.rule,
                "line": (it.line > 0).then_some(it.line),
                "column": (it.line > 0).then_some(it.column),
                "message": it.message,
                "text": it.quote.as_ref().map(|quote| &quote.text),
            })
        })
        .collect();
    let not_shown: Vec<_> = not_shown
        .iter()
        .map(|it| json!({ "weight": it.weight.word(), "rule": it.rule, "count": it.count }))
        .collect();
    let [errors, warnings, notes] =
        [Weight::Error, Weight::Warning, Weight::Note].map(|weight| counts[weight as usize]);
    json!({
        "file": file.display().to_string(),
        "type": form.kind.to_string(),
        "format": form.format.to_string(),
        "guessed": is_guessed,
        "entries": entries,
        "errors": errors,
        "warnings": warnings,
        "notes": notes,
        "findings": findings,
        "not-shown": not_shown,
    })
}
