//! Service units of systemd, drop-ins and what `systemctl cat` prints (systemd.service(5),
//! systemd.syntax(7)).

use super::instance::{CommandLines, Instance, NAMELESS};
use super::program;
use super::shell::Variables;
use std::path::Path;

/// What the section `[Service]` says.
#[derive(Debug, Default)]
struct Service {
    starts: Vec<String>,
    environment: Variables,
    environment_files: Vec<String>,
    user: String,
    group: String,
    folder: String,
}

/// Reads the commands of `ExecStart=`.
///
/// # Errors
///
/// A script in a command that is not well formed.
pub(super) fn read(text: &str, found: &mut CommandLines) -> anyhow::Result<()> {
    let service = Service::read(text, found);
    for start in &service.starts {
        for command in commands(start, found) {
            let Some(words) = service.words(command, found) else { continue };
            let mut warnings = Vec::new();
            match program::arguments(&words, &service.environment, &mut warnings)? {
                Some(arguments) => {
                    let words = arguments.into_iter().map(Into::into).collect();
                    let folder = Path::new("/").join(&service.folder);
                    let user = service.user();
                    found.add(Instance { user, folder, ..Instance::new(NAMELESS, words) });
                }
                None => found.warn(format!(
                    "ExecStart= starts {}, which is not rbldnsd itself: migrate the file that it \
                     reads, such as /etc/default/rbldnsd",
                    words.first().map_or("nothing", String::as_str)
                )),
            }
            warnings.into_iter().for_each(|warning| found.warn(warning));
        }
    }
    Ok(())
}

impl Service {
    fn read(text: &str, found: &mut CommandLines) -> Self {
        let mut service = Self::default();
        let mut section = String::new();
        for line in lines(text) {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = name.to_owned();
            } else if let (Some((key, value)), "Service") = (line.split_once('='), &*section) {
                service.assign(key.trim_end(), value.trim_start(), found);
            }
        }
        service
    }

    fn assign(&mut self, key: &str, value: &str, found: &mut CommandLines) {
        match key {
            // An empty value takes back those before.
            "ExecStart" if value.is_empty() => self.starts.clear(),
            "ExecStart" => self.starts.push(value.to_owned()),
            "Environment" if value.is_empty() => self.environment.clear(),
            "Environment" => {
                for word in words(value).unwrap_or_default() {
                    if let Some((name, value)) = specifiers(&word, found).split_once('=') {
                        self.environment.insert(name.to_owned(), value.as_bytes().to_vec());
                    }
                }
            }
            "EnvironmentFile" if value.is_empty() => self.environment_files.clear(),
            "EnvironmentFile" => {
                self.environment_files.push(value.trim_start_matches('-').to_owned());
            }
            "User" => self.user = specifiers(value, found),
            "Group" => self.group = specifiers(value, found),
            "WorkingDirectory" => {
                self.folder = specifiers(value.trim_start_matches('-'), found);
                if self.folder == "~" {
                    found.warn("WorkingDirectory=~ is not read: / is taken".to_owned());
                    self.folder.clear();
                }
            }
            "RootDirectory" | "RootImage" | "BindPaths" | "BindReadOnlyPaths"
                if !value.is_empty() =>
            {
                found.warn(format!("{key}= is not read: paths are taken as rbldnsd sees them"));
            }
            _ => {}
        }
    }

    fn user(&self) -> Option<String> {
        let group = if self.group.is_empty() { String::new() } else { format!(":{}", self.group) };
        (!self.user.is_empty()).then(|| format!("{}{group}", self.user))
    }

    /// The words of a command with its variables, without the prefixes of the program.
    fn words(&self, mut command: Vec<String>, found: &mut CommandLines) -> Option<Vec<String>> {
        let first = command.first()?.clone();
        let program = first.trim_start_matches(['-', '@', ':', '+', '!', '|']);
        let prefixes = &first[..first.len() - program.len()];
        command[0] = program.to_owned();
        if prefixes.contains('@') && command.len() > 1 {
            // The name that the program is told it has.
            command.remove(1);
        }
        let command = command.iter().map(|word| specifiers(word, found)).collect::<Vec<_>>();
        if prefixes.contains(':') {
            return Some(command);
        }
        let mut out = Vec::new();
        for word in command {
            match word.strip_prefix('$') {
                Some(name) if !name.starts_with(['{', '$']) && !name.is_empty() => {
                    match self.value(name, found) {
                        Some(value) => out.extend(words(&value).unwrap_or_else(|| vec![value])),
                        None => out.push(word),
                    }
                }
                _ => out.push(self.expand(&word, found)),
            }
        }
        Some(out)
    }

    /// Replaces `${NAME}` and `$$`.
    fn expand(&self, word: &str, found: &mut CommandLines) -> String {
        let mut out = String::new();
        let mut rest = word;
        while let Some(at) = rest.find('$') {
            let (before, behind) = rest.split_at(at);
            out.push_str(before);
            let braced = behind.strip_prefix("${").and_then(|inside| inside.split_once('}'));
            rest = match (braced, behind.strip_prefix("$$")) {
                (_, Some(behind)) => {
                    out.push('$');
                    behind
                }
                (Some((name, behind)), _) => {
                    match self.value(name, found) {
                        Some(value) => out.push_str(&value),
                        None => out.extend(["${", name, "}"]),
                    }
                    behind
                }
                _ => {
                    out.push('$');
                    &behind[1..]
                }
            };
        }
        out + rest
    }

    fn value(&self, name: &str, found: &mut CommandLines) -> Option<String> {
        if let Some(value) = self.environment.get(name) {
            return Some(String::from_utf8_lossy(value).into_owned());
        }
        let place = match self.environment_files.as_slice() {
            [] => String::new(),
            files => format!("; look into {}, which is not read", files.join(" and ")),
        };
        found.warn(format!("only systemd can tell what ${name} stands for{place}"));
        None
    }
}

/// Lines without comments; a backslash at the end of one joins it with the next that is no comment.
fn lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut joined = String::new();
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            continue;
        }
        match line.strip_suffix('\\') {
            Some(line) => joined.extend([line, " "]),
            None => lines.push((std::mem::take(&mut joined) + line).trim().to_owned()),
        }
    }
    lines.push(joined.trim().to_owned());
    lines
}

/// The commands of a value, which a word `;` separates; `\;` is that word itself.
fn commands(value: &str, found: &mut CommandLines) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut rest = value.trim_start();
    while !rest.is_empty() {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let Some(command) = commands.last_mut() else { break };
        match &rest[..end] {
            ";" => {
                commands.push(Vec::new());
                rest = &rest[end..];
            }
            "\\;" => {
                command.push(";".to_owned());
                rest = &rest[end..];
            }
            _ => match word(rest) {
                Some((word, behind)) => {
                    command.push(word);
                    rest = behind;
                }
                None => {
                    found
                        .warn("a quote in ExecStart= is not closed: systemd ignores it".to_owned());
                    return Vec::new();
                }
            },
        }
        rest = rest.trim_start();
    }
    commands.retain(|command| !command.is_empty());
    commands
}

/// The words of a value; `None` if a quote is not closed.
fn words(value: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = value.trim_start();
    while !rest.is_empty() {
        let (word, behind) = word(rest)?;
        words.push(word);
        rest = behind.trim_start();
    }
    Some(words)
}

/// The first word without its quotes and escapes, and what is behind it.
fn word(text: &str) -> Option<(String, &str)> {
    let mut bytes = Vec::new();
    let mut quote = None;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let behind = &rest[c.len_utf8()..];
        match (c, quote) {
            ('\\', _) => {
                rest = unescape(behind, &mut bytes);
                continue;
            }
            (_, Some(end)) if c == end => quote = None,
            ('\'' | '"', None) => quote = Some(c),
            (_, None) if c.is_whitespace() => break,
            _ => bytes.extend_from_slice(&rest.as_bytes()[..c.len_utf8()]),
        }
        rest = behind;
    }
    quote.is_none().then(|| (String::from_utf8_lossy(&bytes).into_owned(), rest))
}

/// Takes in what is escaped behind a backslash; an unknown escape stands for itself.
fn unescape<'a>(text: &'a str, out: &mut Vec<u8>) -> &'a str {
    let Some(letter) = text.chars().next() else {
        out.push(b'\\');
        return text;
    };
    let simple = match letter {
        'a' => Some(7),
        'b' => Some(8),
        'f' => Some(12),
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        'v' => Some(11),
        's' => Some(b' '),
        '\\' | '"' | '\'' => Some(letter as u8),
        _ => None,
    };
    if let Some(byte) = simple {
        out.push(byte);
        return &text[1..];
    }
    let (start, size, radix) = match letter {
        'x' => (1, 2, 16),
        'u' => (1, 4, 16),
        'U' => (1, 8, 16),
        '0'..='7' => (0, 3, 8),
        _ => (0, 0, 10),
    };
    let digits = text.get(start..start + size).unwrap_or_default();
    let number = u32::from_str_radix(digits, radix).ok().filter(|_| !digits.contains('+'));
    let is_wide = matches!(letter, 'u' | 'U');
    match (number, number.and_then(char::from_u32), number.and_then(|n| u8::try_from(n).ok())) {
        (Some(1..), Some(c), _) if is_wide => out.extend(c.to_string().bytes()),
        (Some(1..), _, Some(byte)) if !is_wide => out.push(byte),
        _ => {
            out.push(b'\\');
            return text;
        }
    }
    &text[start + size..]
}

/// Replaces `%%`; what other specifiers stand for depends on the unit's name and the machine.
fn specifiers(text: &str, found: &mut CommandLines) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(c);
        if c != '%' {
            continue;
        }
        if let Some(letter) = chars.next().filter(|&letter| letter != '%') {
            out.push(letter);
            if letter.is_ascii_alphabetic() {
                found.warn(format!("only systemd can tell what %{letter} stands for"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> CommandLines {
        CommandLines::read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error:#}"))
    }

    fn arguments(start: &str) -> String {
        let found = read(&format!("[Service]\nExecStart={start}\n"));
        let words = &found.instances[0].words;
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join("|")
    }

    /// The examples of systemd.service(5) and its rules.
    #[test]
    fn commands_are_read_by_systemds_rules() {
        let cases = [
            ("/usr/sbin/rbldnsd -n z:ip4set:f", "-n|z:ip4set:f"),
            ("-/usr/sbin/rbldnsd a", "a"),
            ("@/usr/sbin/rbldnsd name a", "a"),
            ("+-@/usr/sbin/rbldnsd name a", "a"),
            ("!!/usr/sbin/rbldnsd a", "a"),
            (":/usr/sbin/rbldnsd $A ${A}", "$A|${A}"),
            ("/bin/echo one ; rbldnsd two \"two two\"", "two|two two"),
            ("rbldnsd / >/dev/null & \\; ls", "/|>/dev/null|&|;|ls"),
            ("rbldnsd 'a b'\"c d\"e '' \\x41\\101\\s\\t\\u20ac", "a bc de||AA \t\u{20ac}"),
            ("rbldnsd 'a\\'b' \"\\\"\" \\z \\x4 %%i 5%%", "a'b|\"|\\z|\\x4|%i|5%"),
            ("rbldnsd $$A $${A} a$A", "$A|${A}|a$A"),
            ("/bin/sh -c 'exec rbldnsd -n \"$$@\"' x a", "-n|a"),
            ("/usr/bin/nice -n 5 rbldnsd -n", "-n"),
        ];
        for (start, want) in cases {
            assert_eq!(arguments(start), want, "{start}");
        }
    }

    #[test]
    fn variables_are_those_of_the_unit() {
        let text = "[Service]\nEnvironment=\"ONE=one\" 'TWO=two two' THREE=\n\
                    Environment=FOUR=-b\\x20127.1 \"FIVE='a b' c\"\n\
                    ExecStart=rbldnsd $ONE $TWO ${TWO} $THREE ${THREE} $FOUR x${ONE}y $FIVE\n";
        let words = ["one", "two", "two", "two two", "", "-b", "127.1", "xoney", "a b", "c"];
        assert_eq!(read(text).instances[0].words, words);

        let text = "[Service]\nEnvironmentFile=-/etc/default/x\nExecStart=rbldnsd $X ${Y} %i";
        let found = read(text);
        assert_eq!(found.instances[0].words, ["$X", "${Y}", "%i"]);
        let look = "; look into /etc/default/x, which is not read";
        let want = [
            "only systemd can tell what %i stands for".to_owned(),
            format!("only systemd can tell what $X stands for{look}"),
            format!("only systemd can tell what $Y stands for{look}"),
        ];
        assert_eq!(found.warnings, want);
    }

    #[test]
    fn lines_go_on_and_drop_ins_take_back() {
        let text = "# /lib/systemd/system/x.service\n[Unit]\nExecStart=rbldnsd no\n[Service]\n\
                    User = mail\nWorkingDirectory=-/var/db\nExecStart=rbldnsd old\n\n\
                    # /etc/systemd/system/x.service.d/override.conf\n[Service]\nExecStart=\n\
                    ExecStart = /usr/sbin/rbldnsd -n \\\n   -b 127.1\\\n# a comment \\\n; another\n \
                    z:ip4set:f\nGroup=lists\n[Install]\nWantedBy=x";
        let found = read(text);
        let [instance] = found.instances.as_slice() else { panic!("{found:?}") };
        assert_eq!(instance.words, ["-n", "-b", "127.1", "z:ip4set:f"]);
        assert_eq!(instance.user.as_deref(), Some("mail:lists"));
        assert_eq!(instance.folder, Path::new("/var/db"));
        assert_eq!(found.warnings, [""; 0]);
    }

    #[test]
    fn another_program_is_named() {
        let text = "[Service]\nExecStart=/usr/sbin/rbldnsd.wrapper %i";
        let error = CommandLines::read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("starts /usr/sbin/rbldnsd.wrapper"), "{error}");
        let text = "[Service]\nExecStart=rbldnsd 'x";
        let error = CommandLines::read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("a quote in ExecStart= is not closed"), "{error}");
    }
}
