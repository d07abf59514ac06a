//! Whether data is a newer version of other data: what the guards compare.

use crate::snapshot::Rules;
use crate::source::SourceFile;
use crate::state::record;
use crate::zonefile::Kind;

/// The rules that say how the lines of files are read.
const READING: [&str; 5] = ["type", "format", "column", "encoding", "length"];

/// Files, and the rules that they were read by.
#[derive(Clone, Copy)]
pub(super) struct Lineage<'a> {
    pub(super) sources: &'a [SourceFile],
    pub(super) rules: &'a Rules,
}

impl Lineage<'_> {
    /// True if the other is a newer version of this, so that their figures can be compared. The same bytes that
    /// are read in another way are none: somebody has found out how they are to be read. Other bytes are one as
    /// long as keys of one sort are looked up in both, or the list could change at will with the settings.
    pub(super) fn precedes(self, newer: Lineage<'_>) -> bool {
        let paths = |sources: &[SourceFile]| -> Vec<_> {
            sources.iter().map(|source| source.path.clone()).collect()
        };
        if paths(self.sources) != paths(newer.sources) {
            return false;
        }
        let is_read_alike =
            READING.iter().all(|rule| self.rules.get(rule) == newer.rules.get(rule));
        let is_same = || record::content(self.sources) == record::content(newer.sources);
        is_read_alike || shares_keys(self.rules, newer.rules) && !is_same()
    }
}

/// True if data of both rules can be asked for keys of one sort.
fn shares_keys(one: &Rules, other: &Rules) -> bool {
    let kind = |rules: &Rules| rules.get("type")?.parse::<Kind>().ok();
    kind(one).zip(kind(other)).is_some_and(|(one, other)| one.shares_keys_with(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Identity, ReadReport, Stamp};

    fn source(path: &str, hash: u128) -> SourceFile {
        let nothing = Stamp::default();
        let identity =
            Identity { device: 1, inode: 1, size: 9, modified: nothing, changed: nothing };
        let report = ReadReport { identity, settled: true, hash, content: 9, compressed: false };
        SourceFile { path: path.into(), report, entries: 1, bad_lines: 0, first_bad: None }
    }

    fn rules(kind: &str, format: &str) -> Rules {
        let mut rules = Rules::default();
        rules.add("type", kind);
        rules.add("format", format);
        rules
    }

    #[test]
    fn other_bytes_are_a_newer_version_while_keys_of_one_sort_are_looked_up() {
        let (old, new) = ([source("/one", 1)], [source("/one", 2)]);
        let precedes = |sources: &[SourceFile], kind: &str, format: &str| {
            let [was, is] = [rules("ip4set", "rbldnsd"), rules(kind, format)];
            let newer = Lineage { sources, rules: &is };
            Lineage { sources: &old, rules: &was }.precedes(newer)
        };
        assert!(precedes(&old, "ip4set", "rbldnsd") && precedes(&new, "ip4set", "rbldnsd"));
        // Another type or form.
        for (kind, format) in [("ip4trie", "rbldnsd"), ("mixed", "rbldnsd"), ("ip4set", "csv")] {
            assert!(!precedes(&old, kind, format) && precedes(&new, kind, format), "{kind}");
        }
        // Other keys, or other files.
        assert!(!precedes(&new, "dnset", "rbldnsd") && !precedes(&new, "acl", "rbldnsd"));
        assert!(!precedes(&[source("/two", 2)], "ip4set", "rbldnsd"));
    }
}
