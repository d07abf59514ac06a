//! Files that start rbldnsd: which form a file has, and the command lines in it.

use super::instance::{CommandLines, Form};
use super::{compose, dockerfile, shell_file, unit};
use anyhow::{bail, ensure};
use std::ffi::OsString;

/// The largest file that is read.
pub const LARGEST_FILE: usize = 1 << 20;

impl CommandLines {
    /// Finds the command lines in a file of one of the known forms; nothing in it is run.
    ///
    /// # Errors
    ///
    /// A file without a command line of rbldnsd, or one that is not well formed.
    pub fn read(text: &[u8]) -> anyhow::Result<Self> {
        ensure!(text.len() <= LARGEST_FILE, "it is larger than {LARGEST_FILE} bytes");
        let form = Form::of(text);
        let mut found = Self { form, instances: Vec::new(), warnings: Vec::new() };
        match form {
            Form::Shell => shell_file::read(text, &mut found)?,
            Form::Unit => unit::read(&String::from_utf8_lossy(text), &mut found)?,
            Form::Dockerfile => dockerfile::read(&String::from_utf8_lossy(text), &mut found)?,
            Form::Compose => compose::read(&String::from_utf8_lossy(text), &mut found)?,
        }
        if found.instances.is_empty() {
            let seen = match form {
                Form::Shell => {
                    "it sets none of RBLDNSD, RBLDNSD_OPTIONS and rbldnsd_flags, and it is no systemd \
                     unit, compose file or Dockerfile"
                }
                Form::Unit => "no ExecStart= of this unit starts rbldnsd",
                Form::Dockerfile => "neither ENTRYPOINT nor CMD of this Dockerfile starts rbldnsd",
                Form::Compose => "no service of this compose file starts rbldnsd",
            };
            let mut reasons = found.warnings.iter().map(|warning| format!("\n  {warning}"));
            let reasons = reasons.by_ref().collect::<String>();
            bail!(
                "there is no command line of rbldnsd in it: {seen}. Write the command line yourself, \
                 as `ps` shows it: dnsbld migrate -- OPTIONS ZONE:TYPE:FILE{reasons}"
            );
        }
        Ok(found)
    }
}

impl Form {
    /// The form of a file by its first line that is no comment.
    fn of(text: &[u8]) -> Self {
        let lines = || text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end);
        let is_comment = |line: &&[u8]| line.is_empty() || b"#;".contains(&line[0]);
        let Some(first) = lines().find(|line| !is_comment(line)) else { return Self::Shell };
        let is_section = |line: &[u8]| {
            let name = line.strip_prefix(b"[").and_then(|line| line.strip_suffix(b"]"));
            name.is_some_and(|name| {
                name.iter().all(|&byte| byte.is_ascii_alphabetic() || byte == b'-')
            })
        };
        let is_instruction = |line: &[u8]| {
            let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
            let known: [&[u8]; 4] = [b"FROM", b"ARG", b"ENTRYPOINT", b"CMD"];
            end < line.len() && known.iter().any(|word| line[..end].eq_ignore_ascii_case(word))
        };
        let is_assignment = first.iter().find(|byte| b"=:".contains(byte)) == Some(&b'=');
        if is_section(first) {
            Self::Unit
        } else if is_instruction(first) {
            Self::Dockerfile
        } else if !is_assignment && lines().any(|line| line.starts_with(b"services:")) {
            Self::Compose
        } else {
            Self::Shell
        }
    }
}

/// What in a command line looks as if a shell, systemd or Docker had to replace it first: `$NAME`,
/// `${...}`, `$(...)` and the command between two backticks.
pub(super) fn unexpanded(words: &[OsString]) -> Vec<String> {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let line = words.join(" ");
    let mut found = Vec::new();
    let mut rest = line.as_str();
    while let Some(start) = rest.find(['$', '`']) {
        rest = &rest[start..];
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let size = match rest.as_bytes() {
            [b'$', b'(', ..] => rest.find(')').map(|end| end + 1),
            [b'$', b'{', ..] => rest.find('}').map(|end| end + 1),
            [b'`', ..] => rest[1..].find('`').map(|end| end + 2),
            _ => {
                let end = rest[1..].find(|c| !is_of_name(c)).unwrap_or(rest.len() - 1);
                (end > 0).then_some(end + 1)
            }
        };
        let (thing, behind) = rest.split_at(size.unwrap_or(1));
        if size.is_some() && !found.iter().any(|known| known == thing) {
            found.push(thing.to_owned());
        }
        rest = behind;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_by_the_first_line() {
        let cases = [
            ("", Form::Shell),
            ("# x\nRBLDNSD='a b'", Form::Shell),
            ("[ -f /x ] && exit\nRBLDNSD=''", Form::Shell),
            ("# x\n; y\n\n[Unit]\nDescription=x", Form::Unit),
            ("[Service]\r\nExecStart=x", Form::Unit),
            ("# syntax=docker/dockerfile:1\nfrom debian", Form::Dockerfile),
            ("ARG X\nFROM $X", Form::Dockerfile),
            ("CMD=x", Form::Shell),
            ("version: '3'\nservices:\n  a:", Form::Compose),
            ("---\nservices: {}", Form::Compose),
            ("RBLDNSD='a b:c:d\nservices: -n'", Form::Shell),
        ];
        for (text, want) in cases {
            assert_eq!(Form::of(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn files_of_other_kinds_are_refused_with_a_way_out() {
        for text in ["FOO=bar", "[Service]\nExecStart=/bin/true", "FROM x\nCMD y", "services:\n"] {
            let error = CommandLines::read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("dnsbld migrate -- OPTIONS ZONE:TYPE:FILE"), "{error}");
        }
        assert!(CommandLines::read(&vec![b'#'; LARGEST_FILE + 1]).is_err());
    }

    #[test]
    fn what_was_not_replaced_is_found() {
        let cases = [
            ("-b 127.1 z:ip4set:f", vec![]),
            (
                "-b $(hostname -f) -r $X/y -w ${Z} `id -u` $",
                vec!["$(hostname -f)", "$X", "${Z}", "`id -u`"],
            ),
            ("$X $X $(", vec!["$X"]),
        ];
        for (line, want) in cases {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(unexpanded(&words), want, "{line}");
        }
    }
}
