//! Files of assignments for an init script: Debian's `/etc/default/rbldnsd`, RHEL's
//! `/etc/sysconfig/rbldnsd`, the same of rbldnsd's fork, and FreeBSD's `/etc/rc.conf`.

use super::instance::{CommandLines, Instance, NAMELESS};
use super::shell::{self, Variables};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// The variable with a line for each instance: its name and its command line.
const INSTANCES: &str = "RBLDNSD";
/// The variable of the fork: one command line.
const OPTIONS: &str = "RBLDNSD_OPTIONS";
/// The variable of FreeBSD: one command line, which its rc.subr reads as a shell once more.
const FLAGS: &str = "rbldnsd_flags";
/// What FreeBSD's rc.subr obeys besides (rc.subr(8)).
const RC_SUBR: [&str; 5] =
    ["rbldnsd_chdir", "rbldnsd_chroot", "rbldnsd_user", "rbldnsd_env", "rbldnsd_program"];

/// Reads a file as the init script does (`. file`, `echo "$RBLDNSD" | while read name args`, and
/// `rbldnsd $args`).
///
/// # Errors
///
/// A quote that is not closed.
pub(super) fn read(text: &[u8], found: &mut CommandLines) -> anyhow::Result<()> {
    let assigned = shell::read(text, Variables::new())?;
    found.warnings = assigned.warnings;
    let value = |name: &str| assigned.variables.get(name).map(Vec::as_slice);
    if let Some(lines) = value(INSTANCES) {
        add_lines(lines, found);
    }
    if let (true, Some(line)) = (found.instances.is_empty(), value(OPTIONS)) {
        add(found, NAMELESS, words(line));
    }
    if let (true, Some(line)) = (found.instances.is_empty(), value(FLAGS)) {
        let commands = shell::commands(line, Variables::new(), &[])?;
        if commands.list.len() > 1 {
            found.warn(format!("{FLAGS} holds several commands: only the first is taken"));
        }
        let words = commands.list.into_iter().next().unwrap_or_default();
        found.add(Instance::new(NAMELESS, words.into_iter().map(OsString::from_vec).collect()));
        for name in RC_SUBR.iter().filter(|&name| value(name).is_some_and(|text| !text.is_empty()))
        {
            found.warn(format!("{name} is not read: write down yourself what it means"));
        }
    }
    Ok(())
}

fn add_lines(lines: &[u8], found: &mut CommandLines) {
    let joined = unescape(lines, found);
    for line in joined.split(|&byte| byte == b'\n') {
        let mut words = words(line);
        if words.is_empty() || line.trim_ascii_start().starts_with(b"#") {
            continue;
        }
        let name = words.remove(0).to_string_lossy().into_owned();
        add(found, &name, words);
    }
}

/// What `read` makes of backslashes: one before the end of a line joins it with the next, any
/// other is taken away.
fn unescape(text: &[u8], found: &mut CommandLines) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        match (byte, bytes.as_slice().first()) {
            (b'\\', Some(b'\n')) => _ = bytes.next(),
            (b'\\', next) => {
                out.extend(next);
                bytes.next();
                found.warn(format!("shells differ in what a backslash in {INSTANCES} means"));
            }
            _ => out.push(byte),
        }
    }
    out
}

fn add(found: &mut CommandLines, name: &str, words: Vec<OsString>) {
    for word in &words {
        let word = word.to_string_lossy();
        if word.contains(['*', '?', '[']) {
            found.warn(format!("{name}: {word} is a pattern to a shell; it is taken as it is"));
        }
        if word.contains(['\'', '"']) {
            found.warn(format!("{name}: the quote in {word} belongs to the word"));
        }
    }
    found.add(Instance::new(name, words));
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
        CommandLines::read(text.as_bytes()).unwrap().instances.iter().map(shown).collect()
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
            let error = CommandLines::read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("RBLDNSD"), "{error}");
        }
    }

    #[test]
    fn freebsds_rc_conf() {
        let text = "hostname=\"mx.example.org\"\nsshd_enable=\"YES\"\nrbldnsd_enable=\"YES\"\n\
                    rbldnsd_flags=\"-r /usr/local/etc/rbldnsd -b 192.0.2.1 bl.example.org:ip4tset:l\"\n";
        let want = "-: -r /usr/local/etc/rbldnsd -b 192.0.2.1 bl.example.org:ip4tset:l";
        assert_eq!(read(text), [want]);
        // rc.subr gives the flags to a shell.
        let text = "D=/var/db\nrbldnsd_flags=\"-r '$D/a b' \\\n z:ip4set:l\"\nrbldnsd_chdir=/x";
        let found = CommandLines::read(text.as_bytes()).unwrap();
        assert_eq!(found.instances[0].words, ["-r", "/var/db/a b", "z:ip4set:l"]);
        assert_eq!(
            found.warnings,
            ["rbldnsd_chdir is not read: write down yourself what it means"]
        );
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
            let warnings = CommandLines::read(text.as_bytes()).unwrap().warnings;
            assert!(warnings[0].starts_with(want), "{text}: {warnings:?}");
        }
    }
}
