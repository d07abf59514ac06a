//! Files of assignments that a shell reads (`/etc/default/rbldnsd`), read without a shell: nothing
//! in them is run.

use anyhow::bail;
use std::collections::HashMap;

/// What a file assigns.
#[derive(Debug, Default)]
pub(super) struct Assignments {
    /// The last value of each variable.
    pub(super) variables: HashMap<String, Vec<u8>>,
    /// What a shell may understand otherwise, with the line.
    pub(super) warnings: Vec<String>,
}

/// Reads the assignments of a file (POSIX.1-2024, "Shell Command Language", 2.2 and 2.9.1). Variables
/// in values are those that the file assigned before.
///
/// # Errors
///
/// A quote that is not closed.
pub(super) fn read(text: &[u8]) -> anyhow::Result<Assignments> {
    let mut reader = Reader { text, at: 0, found: Assignments::default() };
    while reader.skip_to_word() {
        if let Some(name) = reader.name_of_assignment() {
            let value = reader.word()?;
            reader.found.variables.insert(name, value);
            continue;
        }
        let start = reader.at;
        let word = reader.word()?;
        match word.as_slice() {
            b"export" | b"readonly" => {}
            _ if reader.at == start => reader.at += 1,
            _ => {
                let word = String::from_utf8_lossy(&word).into_owned();
                reader.warn(format!("the command \"{word}\" is not run"));
                reader.skip_command()?;
            }
        }
    }
    Ok(reader.found)
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    found: Assignments,
}

impl Reader<'_> {
    /// Goes to the next word; false at the end.
    fn skip_to_word(&mut self) -> bool {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b';' => self.at += 1,
                b'\\' if self.text.get(self.at + 1) == Some(&b'\n') => self.at += 2,
                b'#' => self.skip_line(),
                _ => return true,
            }
        }
        false
    }

    fn skip_line(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
    }

    /// Goes to the end of a command: a newline or semicolon outside quotes.
    fn skip_command(&mut self) -> anyhow::Result<()> {
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' | b';' => break,
                b'#' => self.skip_line(),
                _ => {
                    let start = self.at;
                    self.word()?;
                    // A blank or an operator.
                    self.at += usize::from(self.at == start);
                }
            }
        }
        Ok(())
    }

    /// The name in front of an equals sign, both of which are read.
    fn name_of_assignment(&mut self) -> Option<String> {
        let name = self.name();
        let end = self.at + name.len();
        if name.is_empty() || self.text.get(end) != Some(&b'=') {
            return None;
        }
        self.at = end + 1;
        Some(name)
    }

    /// The name of a variable that stands here; it is not read yet.
    fn name(&self) -> String {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_of_name = |&&byte: &&u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let name: Vec<u8> = rest.iter().take_while(is_of_name).copied().collect();
        match name.first() {
            Some(first) if !first.is_ascii_digit() => String::from_utf8_lossy(&name).into_owned(),
            _ => String::new(),
        }
    }

    /// Reads a word up to a blank or an operator, and takes its quotes away.
    fn word(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut word = Vec::new();
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => {
                    break;
                }
                b'\'' => self.single_quoted(&mut word)?,
                b'"' => self.double_quoted(&mut word)?,
                b'\\' => {
                    if let Some(&next) = self.text.get(self.at + 1)
                        && next != b'\n'
                    {
                        word.push(next);
                    }
                    self.at += 2;
                }
                _ => self.plain(&mut word),
            }
        }
        Ok(word)
    }

    fn single_quoted(&mut self, word: &mut Vec<u8>) -> anyhow::Result<()> {
        let line = self.line();
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        let Some(end) = rest.iter().position(|&byte| byte == b'\'') else {
            bail!("line {line}: the quote ' is not closed");
        };
        word.extend_from_slice(&rest[..end]);
        self.at += end + 2;
        Ok(())
    }

    fn double_quoted(&mut self, word: &mut Vec<u8>) -> anyhow::Result<()> {
        let line = self.line();
        self.at += 1;
        while let Some(byte) = self.peek() {
            match (byte, self.text.get(self.at + 1)) {
                (b'"', _) => {
                    self.at += 1;
                    return Ok(());
                }
                (b'\\', Some(b'\n')) => self.at += 2,
                (b'\\', Some(&next)) if b"$`\"\\".contains(&next) => {
                    word.push(next);
                    self.at += 2;
                }
                _ => self.plain(word),
            }
        }
        bail!("line {line}: the quote \" is not closed");
    }

    /// A byte that is no quote: it stands for itself, or for a variable.
    fn plain(&mut self, word: &mut Vec<u8>) {
        let Some(byte) = self.peek() else { return };
        self.at += 1;
        match byte {
            b'$' => {
                let start = self.at;
                let has_brace = self.peek() == Some(b'{');
                self.at += usize::from(has_brace);
                let name = self.name();
                self.at += name.len();
                let is_whole = !name.is_empty() && (!has_brace || self.peek() == Some(b'}'));
                if let (true, Some(value)) = (is_whole, self.found.variables.get(&name)) {
                    word.extend_from_slice(value);
                    self.at += usize::from(has_brace);
                    return;
                }
                self.at = start;
                word.push(byte);
                match name.as_str() {
                    "" => self.warn("what $ stands for here is not known".to_owned()),
                    _ => self.warn(format!("what ${name} stands for is not known")),
                }
            }
            b'`' => {
                word.push(byte);
                self.warn("the command in ` ` is not run".to_owned());
            }
            _ => word.push(byte),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn line(&self) -> usize {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        before.iter().filter(|&&byte| byte == b'\n').count() + 1
    }

    fn warn(&mut self, text: String) {
        let warning = format!("line {}: {text}", self.line());
        if !self.found.warnings.contains(&warning) {
            self.found.warnings.push(warning);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> String {
        let found = read(text.as_bytes()).unwrap();
        String::from_utf8(found.variables["A"].clone()).unwrap()
    }

    #[test]
    fn values_are_those_of_a_shell() {
        let cases = [
            ("A=b", "b"),
            ("A=", ""),
            ("# A=c\nA=b # c\n", "b"),
            ("A=b;A=c", "c"),
            ("export A='b c'", "b c"),
            ("A=\"b \\\n c\\\\ \\$x \\\"q\\\" \\x 'y'\"", "b  c\\ $x \"q\" \\x 'y'"),
            ("A='b \\\n \"c\"'", "b \\\n \"c\""),
            ("A=a\"b\"'c'\\ d\\\ne", "abc de"),
            ("B=1\nA=\"$B ${B}2$B\"", "1 121"),
            ("A='x\n# y\nz'", "x\n# y\nz"),
            ("  A=b#c", "b#c"),
        ];
        for (text, want) in cases {
            assert_eq!(value(text), want, "{text}");
        }
    }

    /// The shell itself says what the values are.
    #[test]
    fn values_are_what_sh_says() {
        let texts = [
            "A=\"- -b 1 \\\n  z:ip4set:f\\\n\n# c\nb -n\"",
            "X=/var/lib\nA=\"a -r$X/rbl -w ${X} '\\n' \\z\"",
            "A=one'two three'\"four \"five\nA=\"$A again\"",
            "A='a\\\nb'; export A\nB=c",
        ];
        for text in texts {
            let script = format!("{text}\nprintf %s \"$A\"");
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(value(text), String::from_utf8(output.stdout).unwrap(), "{text}");
        }
    }

    #[test]
    fn what_a_shell_would_do_is_told() {
        let cases = [
            ("\nA=$X", "line 2: what $X stands for is not known"),
            ("A=\"${X:-y}\"", "line 1: what $X stands for is not known"),
            ("A=\"$(id)\"", "line 1: what $ stands for here is not known"),
            ("A=`id`", "line 1: the command in ` ` is not run"),
            ("A=b\n. /etc/more", "line 2: the command \".\" is not run"),
            ("A=b\ntest -f \"x;\ny\" && exit 0; A=b", "line 2: the command \"test\" is not run"),
        ];
        for (text, want) in cases {
            let found = read(text.as_bytes()).unwrap();
            assert_eq!(found.warnings[0], want, "{text}");
            assert!(found.variables.contains_key("A"), "{text}");
        }
        for text in ["A='b", "\nA=\"b\\\"", "x \"b"] {
            let line = text.lines().count();
            let error = read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(&format!("line {line}: the quote ")), "{error}");
        }
    }
}
