//! Shell text (`/etc/default/rbldnsd`, `sh -c`), read without a shell: nothing in it is run.

use anyhow::bail;
use std::collections::HashMap;

/// Variables that hold each other can grow without bound.
const LONGEST_WORD: usize = 1 << 20;

const MOST_WARNINGS: usize = 50;

/// Values of variables by their names.
pub(super) type Variables = HashMap<String, Vec<u8>>;

/// What a file assigns.
#[derive(Debug, Default)]
pub(super) struct Assignments {
    /// The last value of each variable.
    pub(super) variables: Variables,
    /// What only a shell could tell, and commands that were not run, with the line.
    pub(super) warnings: Vec<String>,
}

/// The simple commands of a script, each with its words.
#[derive(Debug, Default)]
pub(super) struct Commands {
    pub(super) list: Vec<Vec<Vec<u8>>>,
    /// What only a shell could tell, with the line.
    pub(super) warnings: Vec<String>,
}

/// Reads the assignments of a file (POSIX.1-2024, "Shell Command Language", 2.2 and 2.9.1). Variables
/// in values are those that the file assigned before, and `known` ones.
///
/// # Errors
///
/// A quote or `$(` that is not closed.
pub(super) fn read(text: &[u8], known: Variables) -> anyhow::Result<Assignments> {
    let mut reader = Reader::new(text, known, &[]);
    while reader.skip_to_word() {
        if let Some(name) = reader.name_of_assignment() {
            let value = reader.word()?.text;
            reader.variables.insert(name, value);
            continue;
        }
        let start = reader.at;
        let word = reader.word()?.text;
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
    Ok(Assignments { variables: reader.variables, warnings: reader.warnings })
}

/// Reads the commands of a script with their arguments (2.9), where `parameters` are those of the
/// script (`$@`). Redirections are left out. A word that holds an unquoted variable is split at
/// blanks (2.6.5).
///
/// # Errors
///
/// A quote or `$(` that is not closed.
pub(super) fn commands(
    text: &[u8],
    known: Variables,
    parameters: &[Vec<u8>],
) -> anyhow::Result<Commands> {
    let mut reader = Reader::new(text, known, parameters);
    let mut list = vec![Vec::new()];
    while let Some(byte) = reader.peek() {
        let Some(command) = list.last_mut() else { break };
        match byte {
            b' ' | b'\t' | b'\r' => reader.at += 1,
            b'\\' if reader.rest().starts_with(b"\\\n") => reader.at += 2,
            b'#' => reader.skip_line(),
            b'\n' | b';' | b'&' | b'|' | b'(' | b')' => {
                reader.at += 1;
                list.push(Vec::new());
            }
            b'<' | b'>' => reader.skip_redirection(command)?,
            _ => match reader.name_of_assignment() {
                Some(name) if command.is_empty() => {
                    let value = reader.word()?.text;
                    reader.variables.insert(name, value);
                }
                name => {
                    reader.at -= name.map_or(0, |name| name.len() + 1);
                    command.extend(reader.word()?.fields());
                }
            },
        }
    }
    list.retain(|command| !command.is_empty());
    Ok(Commands { list, warnings: reader.warnings })
}

/// Splits a command line into words, and takes their quotes away; nothing else is special.
///
/// # Errors
///
/// A quote that is not closed.
pub(super) fn split(text: &str) -> anyhow::Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\\' => word.get_or_insert_default().extend(chars.next()),
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        None => bail!("the quote {c} is not closed"),
                        Some(end) if end == c => break,
                        Some('\\') if c == '"' => word.extend(chars.next()),
                        Some(inside) => word.push(inside),
                    }
                }
            }
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// A word without its quotes.
#[derive(Default)]
struct Word {
    text: Vec<u8>,
    /// The blanks at which it is split where words are: those of unquoted variables.
    breaks: Vec<usize>,
    /// A word with quotes is one even if it is empty.
    is_quoted: bool,
}

impl Word {
    fn fields(self) -> Vec<Vec<u8>> {
        if self.breaks.is_empty() {
            let is_word = self.is_quoted || !self.text.is_empty();
            return if is_word { vec![self.text] } else { Vec::new() };
        }
        let mut fields = Vec::new();
        let mut start = 0;
        for end in self.breaks.into_iter().chain([self.text.len()]) {
            fields.push(self.text[start..end].to_vec());
            start = end + 1;
        }
        fields.retain(|field| !field.is_empty());
        fields
    }

    fn expand(&mut self, value: &[u8], splits: bool) {
        let start = self.text.len();
        if splits {
            let blanks = value.iter().enumerate().filter(|(_, byte)| byte.is_ascii_whitespace());
            self.breaks.extend(blanks.map(|(at, _)| start + at));
        }
        self.text.extend_from_slice(value);
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    variables: Variables,
    parameters: &'a [Vec<u8>],
    warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a [u8], variables: Variables, parameters: &'a [Vec<u8>]) -> Self {
        Self { text, at: 0, variables, parameters, warnings: Vec::new() }
    }

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
        let rest = self.rest();
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

    /// Skips an operator such as `2>&1` with its file; the number is the last word of `command`.
    fn skip_redirection(&mut self, command: &mut Vec<Vec<u8>>) -> anyhow::Result<()> {
        let is_number = |word: &mut Vec<u8>| word.iter().all(u8::is_ascii_digit);
        let is_adjacent = self.at > 0 && self.text[self.at - 1].is_ascii_digit();
        if is_adjacent {
            command.pop_if(is_number);
        }
        while self.peek().is_some_and(|byte| b"<>&| \t-".contains(&byte)) {
            self.at += 1;
        }
        self.word()?;
        Ok(())
    }

    /// The name in front of an equals sign, both of which are read.
    fn name_of_assignment(&mut self) -> Option<String> {
        let name = name(self.rest());
        let end = self.at + name.len();
        if name.is_empty() || self.text.get(end) != Some(&b'=') {
            return None;
        }
        self.at = end + 1;
        Some(name)
    }

    /// Reads a word up to a blank or an operator, and takes its quotes away.
    fn word(&mut self) -> anyhow::Result<Word> {
        let mut word = Word::default();
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
                        word.text.push(next);
                    }
                    self.at += 2;
                }
                _ => self.plain(&mut word, true)?,
            }
        }
        Ok(word)
    }

    fn single_quoted(&mut self, word: &mut Word) -> anyhow::Result<()> {
        let line = self.line();
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        let Some(end) = rest.iter().position(|&byte| byte == b'\'') else {
            bail!("line {line}: the quote ' is not closed");
        };
        word.text.extend_from_slice(&rest[..end]);
        word.is_quoted = true;
        self.at += end + 2;
        Ok(())
    }

    fn double_quoted(&mut self, word: &mut Word) -> anyhow::Result<()> {
        let line = self.line();
        self.at += 1;
        word.is_quoted = true;
        while let Some(byte) = self.peek() {
            match (byte, self.text.get(self.at + 1)) {
                (b'"', _) => {
                    self.at += 1;
                    return Ok(());
                }
                (b'\\', Some(b'\n')) => self.at += 2,
                (b'\\', Some(&next)) if b"$`\"\\".contains(&next) => {
                    word.text.push(next);
                    self.at += 2;
                }
                _ => self.plain(word, false)?,
            }
        }
        bail!("line {line}: the quote \" is not closed");
    }

    /// A byte that is no quote: it stands for itself, or begins what the shell replaces.
    fn plain(&mut self, word: &mut Word, splits: bool) -> anyhow::Result<()> {
        let rest = self.rest();
        let size = match rest {
            [b'$', b'@' | b'*', ..] => {
                self.at += 2;
                self.all_parameters(word);
                return Ok(());
            }
            [b'$', b'(' | b'{', ..] => closing(rest),
            [b'`', inside @ ..] => inside.iter().position(|&byte| byte == b'`').map(|end| end + 2),
            [b'$', after @ ..] => Some(1 + name(after).len()),
            _ => Some(1),
        };
        let Some(size) = size else {
            let start = String::from_utf8_lossy(&rest[..rest.len().min(2)]);
            bail!("line {}: {start} is not closed", self.line());
        };
        let whole = &rest[..size];
        let value = self.value(whole);
        if value.is_none() && matches!(rest.first(), Some(b'$' | b'`')) && size > 1 {
            let whole = String::from_utf8_lossy(whole);
            self.warn(format!("only a shell can tell what {whole} stands for"));
        }
        self.at += size;
        word.expand(value.as_deref().unwrap_or(whole), splits && value.is_some());
        if word.text.len() > LONGEST_WORD {
            bail!("line {}: a word of more than {LONGEST_WORD} bytes", self.line());
        }
        Ok(())
    }

    /// What stands for `$NAME` or `${NAME}`, or the default of `${NAME:-default}`.
    fn value(&mut self, whole: &[u8]) -> Option<Vec<u8>> {
        let inside = whole.strip_prefix(b"$")?;
        let inside = inside.strip_prefix(b"{").and_then(|i| i.strip_suffix(b"}")).unwrap_or(inside);
        let name = name(inside);
        let operator = &inside[name.len()..];
        let default = operator.strip_prefix(b":-").or(operator.strip_prefix(b"-"));
        if let (Some(value), true) =
            (self.variables.get(&name), operator.is_empty() || default.is_some())
        {
            return Some(value.clone());
        }
        let default = default.filter(|text| !text.iter().any(|byte| b"$`'\"\\".contains(byte)))?;
        let shown = String::from_utf8_lossy(default).into_owned();
        self.warn(format!("${name} is taken to be its default, \"{shown}\""));
        Some(default.to_vec())
    }

    fn all_parameters(&mut self, word: &mut Word) {
        if self.parameters.is_empty() && word.text.is_empty() {
            word.is_quoted = false;
        }
        for (number, parameter) in self.parameters.iter().enumerate() {
            if number > 0 {
                word.breaks.push(word.text.len());
                word.text.push(b' ');
            }
            word.text.extend_from_slice(parameter);
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn line(&self) -> usize {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        before.iter().filter(|&&byte| byte == b'\n').count() + 1
    }

    fn warn(&mut self, text: String) {
        if self.warnings.len() >= MOST_WARNINGS {
            return;
        }
        let warning = format!("line {}: {text}", self.line());
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

/// The name of a variable at the start of `text`, or nothing.
fn name(text: &[u8]) -> String {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let end = text.iter().position(|byte| !is_of_name(byte)).unwrap_or(text.len());
    match text.first() {
        Some(first) if !first.is_ascii_digit() => {
            String::from_utf8_lossy(&text[..end]).into_owned()
        }
        _ => String::new(),
    }
}

/// The length of `$(...)` or `${...}` with all that is nested in it, if it is closed.
pub(super) fn closing(text: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'(' | b'{' => depth += 1,
            b')' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assignments(text: &str) -> anyhow::Result<Assignments> {
        read(text.as_bytes(), Variables::new())
    }

    fn value(text: &str) -> String {
        String::from_utf8(assignments(text).unwrap().variables["A"].clone()).unwrap()
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
            ("A=$", "$"),
            ("A=\"${X:-y z}\" B=${X-}", "y z"),
        ];
        for (text, want) in cases {
            assert_eq!(value(text), want, "{text}");
        }
    }

    fn said_by_sh(script: &str) -> String {
        let output = std::process::Command::new("sh").args(["-c", script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
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
            assert_eq!(value(text), said_by_sh(&format!("{text}\nprintf %s \"$A\"")), "{text}");
        }
    }

    /// The shell itself says what the words are.
    #[test]
    fn words_are_what_sh_says() {
        let arguments = [
            "a 'b c' \"d  e\" f\\ g",
            "$X \"$X\" x${X}y '$X' $EMPTY \"$EMPTY\"",
            "a 2>&1 b 4>/dev/null c 3< /dev/null",
            "\"$@\" -n \"$@\"",
            "a\\\nb # c",
            "${NONE:-d e} a",
        ];
        for text in arguments {
            let variables = Variables::from([
                ("X".to_owned(), b"1  2 3".to_vec()),
                ("EMPTY".to_owned(), Vec::new()),
            ]);
            let parameters = [b"p".to_vec(), b"q r".to_vec()];
            let found = commands(format!("run {text}").as_bytes(), variables, &parameters).unwrap();
            assert_eq!(found.list.len(), 1, "{text}: {found:?}");
            let shown = |word: &Vec<u8>| format!("<{}>", String::from_utf8_lossy(word));
            let words: String = found.list[0][1..].iter().map(shown).collect();
            let script = format!("X='1  2 3'; EMPTY=\nset -- p 'q r'\nprintf '<%s>' {text}");
            assert_eq!(words, said_by_sh(&script), "{text}");
        }
    }

    #[test]
    fn a_script_has_commands() {
        let script = b"# x\nset -e; A=b\ncd /x && B=1 exec rbldnsd $A\nwait";
        let found = commands(script, Variables::new(), &[]).unwrap();
        let shown: Vec<String> = found
            .list
            .iter()
            .map(|words| String::from_utf8_lossy(&words.join(&b' ')).into_owned())
            .collect();
        assert_eq!(shown, ["set -e", "cd /x", "exec rbldnsd b", "wait"]);
    }

    #[test]
    fn a_line_is_split_into_words() {
        let cases = [
            ("", vec![]),
            (" a  b\tc\n", vec!["a", "b", "c"]),
            ("'a b' \"c 'd' \\\" e\" f\\ g ''", vec!["a b", "c 'd' \" e", "f g", ""]),
            ("a;b $X", vec!["a;b", "$X"]),
        ];
        for (text, want) in cases {
            assert_eq!(split(text).unwrap(), want, "{text}");
        }
        assert!(split("a 'b").is_err());
    }

    #[test]
    fn what_a_shell_would_do_is_told() {
        let cases = [
            ("\nA=$X", "line 2: only a shell can tell what $X stands for"),
            ("A=\"${X:+y}\"", "line 1: only a shell can tell what ${X:+y} stands for"),
            ("A=\"${X:-y}\"", "line 1: $X is taken to be its default, \"y\""),
            ("A=\"$(id -u)\"", "line 1: only a shell can tell what $(id -u) stands for"),
            ("A=$(id $(x))", "line 1: only a shell can tell what $(id $(x)) stands for"),
            ("A=`id`", "line 1: only a shell can tell what `id` stands for"),
            ("A=b\n. /etc/more", "line 2: the command \".\" is not run"),
            ("A=b\ntest -f \"x;\ny\" && exit 0; A=b", "line 2: the command \"test\" is not run"),
        ];
        for (text, want) in cases {
            let found = assignments(text).unwrap();
            assert_eq!(found.warnings, [want], "{text}");
            assert!(found.variables.contains_key("A"), "{text}");
        }
        for text in ["A='b", "\nA=\"b\\\"", "x \"b", "A=$(b", "\nA=\"${b\"", "A=`b"] {
            let line = text.lines().count();
            let error = assignments(text).unwrap_err().to_string();
            let is_told = error.starts_with(&format!("line {line}: "));
            assert!(is_told && error.ends_with("not closed"), "{error}");
        }
    }

    /// Twenty lines of this took all memory.
    #[test]
    fn values_do_not_grow_without_bound() {
        let text = format!("A=xxxxxxxx\n{}", "A=$A$A$A$A\n".repeat(40));
        assert!(assignments(&text).unwrap_err().to_string().contains("a word of more than"));
    }
}
