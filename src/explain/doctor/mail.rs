//! Processes of a mail server that may remember answers.

use super::{ChainFault, ChainFinding};
use std::fs;
use std::path::Path;

/// Postfix's server for SMTP, which remembers what lists answered until it ends.
const SMTPD: &str = "smtpd";

/// Clock ticks of a second in /proc: Linux shows this number of them on all machines (proc(5), USER_HZ).
const TICKS: u64 = 100;

/// The finding, if there are processes that started before the data changed, `age` seconds ago.
pub(super) fn older_than(age: u64, root: &Path) -> Option<ChainFinding> {
    let proc = root.join("proc");
    let uptime = fs::read_to_string(proc.join("uptime")).ok()?;
    let uptime: u64 = uptime.split('.').next()?.parse().ok()?;
    let old: Vec<_> = fs::read_dir(&proc)
        .ok()?
        .filter_map(|process| {
            let path = process.ok()?.path();
            let id: u32 = path.file_name()?.to_str()?.parse().ok()?;
            let started = started(&fs::read_to_string(path.join("stat")).ok()?)?;
            (uptime.saturating_sub(started) > age).then_some(id.to_string())
        })
        .collect();
    let processes = if old.len() == 1 { "process" } else { "processes" };
    (!old.is_empty()).then(|| ChainFinding {
        zone: None,
        resolver: None,
        fault: ChainFault::MailServer,
        text: format!(
            "Postfix may hold old answers: the data changed {age} s ago, and {SMTPD} has run for longer \
             ({processes} {})",
            old.join(" ")
        ),
        change: "postfix reload\n".into(),
    })
}

/// When an smtpd started, in seconds since the machine did; `None` for another program. `stat` is the
/// process's file of this name (proc(5)).
fn started(stat: &str) -> Option<u64> {
    let (head, rest) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let start = (name == SMTPD).then(|| rest.split_whitespace().nth(19))??;
    start.parse::<u64>().ok().map(|ticks| ticks / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smtpd_that_started_before_the_change_is_named() {
        let root = tempfile::tempdir().unwrap();
        let process = |id: &str, name: &str, ticks: u64| {
            let folder = root.path().join("proc").join(id);
            fs::create_dir_all(&folder).unwrap();
            let zeros = "0 ".repeat(18);
            fs::write(folder.join("stat"), format!("{id} ({name}) S {zeros}{ticks} 0 0\n"))
                .unwrap();
        };
        process("17", "smtpd", 90_000);
        process("18", "smtpd", 99_900);
        process("19", "other) S (smtpd", 100);
        fs::write(root.path().join("proc/uptime"), "1000.50 77.00\n").unwrap();
        let found = |age| older_than(age, root.path()).map(|finding| finding.text);
        let text = found(50).unwrap();
        assert!(text.contains("changed 50 s ago") && text.ends_with("(process 17)"), "{text}");
        assert_eq!(found(200), None);
    }
}
