//! Debian's `/etc/default/rbldnsd`, RHEL's `/etc/sysconfig/rbldnsd` and the same of rbldnsd's fork.

use super::shell;
use anyhow::bail;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// The variable with a line for each instance: its name and its command line.
const INSTANCES: &str = "RBLDNSD";
/// The variable of the fork: one command line.
const OPTIONS: &str = "RBLDNSD_OPTIONS";

/// The name of an instance that needs none.
pub const NAMELESS: &str = "-";

/// What such a file says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Defaults {
    /// The instances in the order of the file, at least one, each name once.
    pub instances: Vec<Instance>,
    /// What a shell may understand otherwise.
    pub warnings: Vec<String>,
}

/// One rbldnsd that is started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instance {
    /// Its name, or [`NAMELESS`].
    pub name: String,
    /// The command line without the program's name.
    pub words: Vec<OsString>,
}

impl Defaults {
    /// Reads the bytes of a file as the init script does (`. file`, `echo "$RBLDNSD" | while read
    /// name args`, and `rbldnsd $args`), without running anything.
    ///
    /// # Errors
    ///
    /// A quote that is not closed, or no instance.
    pub fn read(text: &[u8]) -> anyhow::Result<Self> {
        let assigned = shell::read(text)?;
        let mut defaults = Self { instances: Vec::new(), warnings: assigned.warnings };
        let value = |name: &str| assigned.variables.get(name).map(Vec::as_slice);
        if let Some(lines) = value(INSTANCES) {
            defaults.add_lines(lines);
        }
        if let (true, Some(line)) = (defaults.instances.is_empty(), value(OPTIONS)) {
            defaults.add(NAMELESS.to_owned(), words(line));
        }
        if defaults.instances.is_empty() {
            bail!("there is no command line in it: {INSTANCES} (or {OPTIONS}) is not set");
        }
        Ok(defaults)
    }

    fn add_lines(&mut self, lines: &[u8]) {
        let joined = self.unescape(lines);
        for line in joined.split(|&byte| byte == b'\n') {
            let mut words = words(line);
            if words.is_empty() || line.trim_ascii_start().starts_with(b"#") {
                continue;
            }
            let name = words.remove(0).to_string_lossy().into_owned();
            self.add(name, words);
        }
    }

    /// What `read` makes of backslashes: one before the end of a line joins it with the next, any
    /// other is taken away.
    fn unescape(&mut self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut bytes = text.iter();
        while let Some(&byte) = bytes.next() {
            match (byte, bytes.as_slice().first()) {
                (b'\\', Some(b'\n')) => _ = bytes.next(),
                (b'\\', next) => {
                    out.extend(next);
                    bytes.next();
                    self.warn(format!("shells differ in what a backslash in {INSTANCES} means"));
                }
                _ => out.push(byte),
            }
        }
        out
    }

    fn add(&mut self, name: String, words: Vec<OsString>) {
        if self.instances.iter().any(|known| known.name == name) {
            self.warn(format!("{name} is there twice: only the first is taken"));
            return;
        }
        for word in &words {
            let word = word.to_string_lossy();
            if word.contains(['*', '?', '[']) {
                self.warn(format!("{name}: {word} is a pattern to a shell; it is taken as it is"));
            }
            if word.contains(['\'', '"']) {
                self.warn(format!("{name}: the quote in {word} belongs to the word"));
            }
        }
        self.instances.push(Instance { name, words });
    }

    fn warn(&mut self, text: String) {
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }
}

fn words(line: &[u8]) -> Vec<OsString> {
    let words = line.split(|byte| b" \t\n".contains(byte)).filter(|word| !word.is_empty());
    words.map(|word| OsString::from_vec(word.to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let shown = |instance: &Instance| {
            let words: Vec<_> = instance.words.iter().map(|word| word.to_string_lossy()).collect();
            format!("{}: {}", instance.name, words.join(" "))
        };
        Defaults::read(text.as_bytes()).unwrap().instances.iter().map(shown).collect()
    }

    #[test]
    fn debians_example() {
        let text = "# a comment with RBLDNSD=\"x y\"\n\
                    RBLDNSD=\"dsbl -r/var/lib/rbldns/dsbl -b 127.2 \\\n  \
                      list.dsbl.org:ip4set:list \\\n  multihop.dsbl.org:ip4set:multihop \\\n\n\
                    # not this one -b x\n\
                    \tlocal\t-r/var/lib/rbldns/local -b 127.3 \\\n  bl.example.com:ip4set:a\\\n\n \"\n";
        let want = [
            "dsbl: -r/var/lib/rbldns/dsbl -b 127.2 list.dsbl.org:ip4set:list \
             multihop.dsbl.org:ip4set:multihop",
            "local: -r/var/lib/rbldns/local -b 127.3 bl.example.com:ip4set:a",
        ];
        assert_eq!(read(text), want);
        // In single quotes, it is `read` that joins the lines.
        assert_eq!(read(&text.replace('"', "'").replacen('\'', "", 2)), want);
    }

    #[test]
    fn one_instance_and_the_forks_variable() {
        assert_eq!(read("RBLDNSD=\"- -b127.2 z:ip4set:f\"\n"), ["-: -b127.2 z:ip4set:f"]);
        assert_eq!(read("RBLDNSD_OPTIONS=\"-n\n-b127.2 \\\n z:a:b\""), ["-: -n -b127.2 z:a:b"]);
        assert_eq!(read("RBLDNSD=\nRBLDNSD_OPTIONS='-n x'"), ["-: -n x"]);
        for text in ["", "# RBLDNSD=\"a b\"", "RBLDNSD=\"\n # x\n\"", "FOO=bar"] {
            let error = Defaults::read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("RBLDNSD"), "{error}");
        }
    }

    #[test]
    fn what_is_odd_is_told() {
        let cases = [
            ("RBLDNSD='a -b 1 z:ip4set:*.txt'", "a: z:ip4set:*.txt is a pattern to a shell"),
            ("RBLDNSD=\"a -r '/x y' z\"", "a: the quote in '/x belongs to the word"),
            ("RBLDNSD='a b\na c'", "a is there twice"),
            ("RBLDNSD='a b\\tc'", "shells differ"),
        ];
        for (text, want) in cases {
            let warnings = Defaults::read(text.as_bytes()).unwrap().warnings;
            assert!(warnings[0].starts_with(want), "{text}: {warnings:?}");
        }
    }
}
