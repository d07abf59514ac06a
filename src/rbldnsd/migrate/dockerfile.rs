//! Dockerfiles: ENTRYPOINT and CMD of the last stage (Dockerfile reference).

use super::container;
use super::instance::{CommandLines, Instance, NAMELESS};
use super::shell::{self, Variables};
use super::yaml::Node;
use std::path::{Path, PathBuf};

/// What a stage says of the process that it starts.
#[derive(Clone, Debug, Default)]
struct Stage {
    name: String,
    entrypoint: Vec<String>,
    command: Vec<String>,
    /// CMD is of this stage, not of the one that it was made from.
    has_command: bool,
    shell: Vec<String>,
    environment: Variables,
    user: Option<String>,
    folder: PathBuf,
}

/// Reads what the last stage starts.
///
/// # Errors
///
/// A value or a script that is not well formed.
pub(super) fn read(text: &str, found: &mut CommandLines) -> anyhow::Result<()> {
    let mut stages: Vec<Stage> = Vec::new();
    let mut arguments = Variables::new();
    for line in lines(text) {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
        let rest = rest.trim();
        let word = word.to_ascii_uppercase();
        match (word.as_str(), stages.last_mut()) {
            ("FROM", _) => {
                let stage = Stage::from(rest, &stages);
                stages.push(stage);
            }
            ("ARG", stage) => {
                let known = stage.map(|stage| stage.environment.clone()).unwrap_or_default();
                arguments.extend(shell::read(rest.as_bytes(), known)?.variables);
            }
            (_, Some(stage)) => stage.obey(&word, rest, &arguments, found)?,
            (_, None) => {
                let mut stage = Stage::from("", &[]);
                stage.obey(&word, rest, &arguments, found)?;
                stages.push(stage);
            }
        }
    }
    let Some(stage) = stages.pop() else { return Ok(()) };
    let words = [stage.entrypoint.as_slice(), stage.command.as_slice()].concat();
    if let Some(words) = container::arguments("this file", &words, &stage.environment, found)? {
        let Stage { user, folder, .. } = stage;
        found.add(Instance { user, folder, ..Instance::new(NAMELESS, words) });
    }
    Ok(())
}

impl Stage {
    /// `[--platform=...] image [AS name]`, where the image may be a stage before.
    fn from(text: &str, stages: &[Self]) -> Self {
        let words: Vec<&str> =
            text.split_whitespace().filter(|word| !word.starts_with("--")).collect();
        let image = words.first().copied().unwrap_or_default();
        let base = stages.iter().rfind(|stage| !image.is_empty() && stage.name == image);
        let shell = ["/bin/sh", "-c"].map(str::to_owned).to_vec();
        let base = base.cloned().unwrap_or(Self { shell, folder: "/".into(), ..Self::default() });
        let name = words.get(2).copied().unwrap_or_default().to_owned();
        Self { name, has_command: false, ..base }
    }

    fn obey(
        &mut self,
        word: &str,
        rest: &str,
        arguments: &Variables,
        found: &mut CommandLines,
    ) -> anyhow::Result<()> {
        match word {
            "ENTRYPOINT" => {
                self.entrypoint = self.words(rest);
                if !self.has_command {
                    self.command.clear();
                }
            }
            "CMD" => {
                self.command = self.words(rest);
                self.has_command = true;
            }
            "SHELL" => self.shell = strings(rest).unwrap_or_default(),
            "USER" => self.user = Some(rest.to_owned()),
            "WORKDIR" => self.folder = self.folder.join(Path::new(rest)),
            "ENV" => {
                let is_pair = rest.split_whitespace().next().is_some_and(|word| word.contains('='));
                if !is_pair && let Some((name, value)) = rest.split_once(char::is_whitespace) {
                    self.environment.insert(name.to_owned(), value.trim().as_bytes().to_vec());
                    return Ok(());
                }
                let mut known = arguments.clone();
                known.extend(self.environment.clone());
                let assigned = shell::read(rest.as_bytes(), known)?;
                self.environment.extend(assigned.variables);
                assigned.warnings.into_iter().for_each(|warning| found.warn(warning));
            }
            _ => {}
        }
        Ok(())
    }

    /// The exec form, a JSON list of words, or the shell form.
    fn words(&self, text: &str) -> Vec<String> {
        strings(text).unwrap_or_else(|| [self.shell.as_slice(), &[text.to_owned()]].concat())
    }
}

/// A JSON list of strings, which is YAML.
fn strings(text: &str) -> Option<Vec<String>> {
    if !text.starts_with('[') {
        return None;
    }
    match &*Node::read(text).ok()? {
        Node::List(items) => items.iter().map(|item| item.text().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// Instructions without comments. The escape character at the end of a line joins it with the
/// next; here-documents are left out.
fn lines(text: &str) -> Vec<String> {
    let mut escape = '\\';
    let mut lines: Vec<String> = Vec::new();
    let mut joined = String::new();
    let mut document: Option<&str> = None;
    for line in text.lines() {
        if let Some(end) = document {
            if line.trim() == end {
                document = None;
            }
            continue;
        }
        let trimmed = line.trim();
        if let Some(directive) = trimmed.strip_prefix('#') {
            if let (true, Some(("escape", value))) =
                (lines.is_empty(), directive.trim().split_once('='))
            {
                escape = value.chars().next().unwrap_or(escape);
            }
            continue;
        }
        if trimmed.is_empty() {
            continue;
        }
        if let Some(part) = trimmed.strip_suffix(escape) {
            joined.extend([part, " "]);
            continue;
        }
        let whole = std::mem::take(&mut joined) + trimmed;
        let word = whole.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        if ["RUN", "COPY", "ADD"].contains(&word.as_str())
            && let Some((_, mark)) = trimmed.split_once("<<")
        {
            let mark = mark.trim_start_matches('-').split_whitespace().next().unwrap_or_default();
            document = Some(mark.trim_matches(['"', '\''])).filter(|mark| !mark.is_empty());
        }
        lines.push(whole);
    }
    lines.push(joined);
    lines.retain(|line| !line.trim().is_empty());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(text: &str) -> Instance {
        let found = CommandLines::read(text.as_bytes());
        found.unwrap_or_else(|error| panic!("{text}: {error:#}")).instances.remove(0)
    }

    fn words(text: &str) -> String {
        let words = instance(text).words;
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn entrypoint_and_command_are_joined() {
        let cases = [
            ("ENTRYPOINT [ \"rbldnsd\", \"-n\" ]\nCMD [\"z:ip4set:a b\"]", "-n|z:ip4set:a b"),
            ("CMD rbldnsd -n \\\n # no\n\n  z:ip4set:'a b'", "-n|z:ip4set:a b"),
            ("ENTRYPOINT /usr/sbin/rbldnsd -n \"$@\"\nCMD [\"x\", \"z:a:b\"]", "-n|z:a:b"),
            ("ENV A=\"-e -n\" B=c\nENV D -v\nCMD exec rbldnsd $A $D $B", "-e|-n|-v|c"),
            ("ARG V=1\nENV A=x$V\nCMD rbldnsd $A", "x1"),
            ("CMD [\"-n\", \"z:ip4set:f\"]", "-n|z:ip4set:f"),
            ("RUN <<EOF\nCMD rbldnsd no\nEOF\nCMD rbldnsd yes", "yes"),
            ("SHELL [\"/bin/bash\", \"-ec\"]\nCMD rbldnsd a", "a"),
        ];
        for (text, want) in cases {
            assert_eq!(words(&format!("FROM debian\n{text}\n")), want, "{text}");
        }
    }

    #[test]
    fn the_last_stage_counts_and_takes_over_from_its_base() {
        let text = "# escape=`\nFROM --platform=x debian AS base\nWORKDIR /var\nWORKDIR lib\nUSER mail\n\
                    ENTRYPOINT [\"rbldnsd\"]\nCMD [\"base\"]\nFROM debian AS other\nCMD no\n\
                    FROM base\nCMD [ `\n \"own\" ]";
        let found = instance(text);
        assert_eq!(found.words, ["own"]);
        assert_eq!(found.user.as_deref(), Some("mail"));
        assert_eq!(found.folder, Path::new("/var/lib"));
        let text =
            "FROM debian AS base\nCMD [\"base\"]\nFROM base\nENTRYPOINT [\"rbldnsd\", \"x\"]";
        assert_eq!(words(text), "x");
    }
}
