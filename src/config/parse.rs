//! TOML text -> [`Spec`]. Reports every mistake of form.

use super::error::{ConfigDiagnostic, Problem, suggest};
use super::spec::Spec;
use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A text whose syntax is right.
pub(super) struct Parsed {
    /// What is left of it without the entries whose form is wrong.
    pub(super) spec: Spec,
    /// Those entries.
    pub(super) faults: Vec<Fault>,
}

/// An entry whose form is wrong: its key is unknown, or its value is of another type.
pub(super) struct Fault {
    /// Where it starts, in bytes.
    pub(super) start: usize,
    /// True if it is a table of the whole, with all that is in it.
    pub(super) is_table: bool,
    /// What to tell.
    pub(super) diagnostic: ConfigDiagnostic,
}

/// Reads the form of `text`: syntax, known keys, types of values.
///
/// # Errors
///
/// Mistakes of syntax: nothing else can be told of the text.
pub(super) fn parse(text: &str) -> Result<Parsed, Vec<ConfigDiagnostic>> {
    let (mut root, syntax) = DeTable::parse_recoverable(text);
    if !syntax.is_empty() {
        let at = |error: &toml::de::Error| {
            let help = match error.message() {
                "duplicate key" => {
                    "write it once; [[dataset]], [[zone]] and [[feed]] have two brackets"
                }
                _ => "see https://toml.io for how a TOML file is written",
            };
            let problem = Problem::new(error.message(), help);
            ConfigDiagnostic::at(text, error.span().unwrap_or_default(), problem)
        };
        let mut errors: Vec<ConfigDiagnostic> = syntax.iter().map(at).collect();
        errors.sort_by_key(|diagnostic| diagnostic.place);
        return Err(errors);
    }
    let mut faults = Vec::new();
    // The deserializer stops at its first error. Remove the faulty entry and try again to find the next
    // one; each round removes an entry, so the loop ends.
    loop {
        let error = match Spec::deserialize(toml::Deserializer::from(root.clone())) {
            Ok(spec) => return Ok(Parsed { spec, faults }),
            Err(error) => error,
        };
        let span = error.span().unwrap_or_default();
        let (start, path) = (span.start, remove_at(root.get_mut(), &span));
        let problem = describe(error.message(), path.as_deref().unwrap_or_default());
        let diagnostic = ConfigDiagnostic::at(text, span, problem);
        let Some(path) = path else {
            let told = faults.into_iter().map(|fault: Fault| fault.diagnostic);
            return Err(told.chain([diagnostic]).collect());
        };
        faults.push(Fault { start, is_table: path.len() == 1, diagnostic });
    }
}

/// Removes the innermost entry whose key or value is at `span`, and returns its path.
fn remove_at(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<Vec<String>> {
    for (key, value) in table.iter_mut() {
        let inner = match value.get_mut() {
            DeValue::Table(inner) => remove_at(inner, span),
            DeValue::Array(items) => items.iter_mut().find_map(|item| match item.get_mut() {
                DeValue::Table(inner) => remove_at(inner, span),
                _ => None,
            }),
            _ => None,
        };
        if let Some(mut path) = inner {
            path.insert(0, key.get_ref().to_string());
            return Some(path);
        }
    }
    let holds = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
    let (key, _) = table
        .iter()
        .find(|(key, value)| holds(Spanned::span(key)) || holds(Spanned::span(value)))?;
    let key = key.get_ref().to_string();
    table.remove(key.as_str());
    Some(vec![key])
}

/// Rewords an error of serde about the entry at `path`.
fn describe(message: &str, path: &[String]) -> Problem {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if let (true, Some((unknown, allowed))) =
        (message.starts_with("unknown field"), quoted.split_first())
    {
        let table = match path {
            [table @ .., _] if !table.is_empty() => format!(" in {}", table.join(".")),
            _ => String::new(),
        };
        return Problem::new(format!("unknown key {unknown:?}{table}"), suggest(unknown, allowed));
    }
    let help = match message.rsplit_once("expected ").map_or("", |(_, expected)| expected) {
        "a sequence" if path == ["dataset"] => "write [[dataset]], with two brackets",
        "a sequence" if path == ["zone"] => "write [[zone]], with two brackets",
        "a sequence" if path == ["feed"] => "write [[feed]], with two brackets",
        "a string" => "write a text in quotes, such as \"text\"",
        "a boolean" => "write true or false, without quotes",
        "a sequence" => "write a list, such as [\"first\", \"second\"]",
        "a time" => "write a time such as \"30m\" (units s m h d w), or a number of seconds",
        "i64" => "write a whole number, without quotes",
        "a table" => "write the keys it has, each on a line of its own below its heading",
        _ => "",
    };
    let message = message.replace('`', "").replace("expected i64", "expected a whole number");
    Problem::new(message, help).of(&path.join("."))
}
