//! A naive name server: a master file read line by line, RFC 4592 word by word.

use std::collections::{BTreeMap, BTreeSet};

/// A zone as it stands in a dump.
pub(crate) struct Master {
    /// By owner, in lower case and relative to the zone: type and data.
    records: BTreeMap<String, Vec<(String, String)>>,
    /// All names that exist.
    names: BTreeSet<String>,
}

impl Master {
    /// Reads a dump of one zone; names in it are not escaped.
    pub(crate) fn read(dump: &str) -> Self {
        let mut records: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        let mut owner = String::new();
        for line in dump.lines().filter(|line| !line.starts_with([';', '$'])) {
            let fields: Vec<_> = line.splitn(2, '\t').collect();
            if !fields[0].is_empty() {
                owner = fields[0].replace('@', "");
            }
            let rest = fields[1].trim_start_matches(|c: char| c.is_ascii_digit());
            let (rtype, data) = rest.trim_start_matches('\t').split_once('\t').expect("type, data");
            records.entry(owner.clone()).or_default().push((rtype.into(), data.into()));
        }
        let mut names = BTreeSet::from([String::new()]);
        for owner in records.keys() {
            let mut name = &owner[..];
            while !name.is_empty() {
                names.insert(name.to_owned());
                name = parent(name);
            }
        }
        Self { records, names }
    }

    /// The data of the records of a name and type, and whether they are those of a wildcard.
    pub(crate) fn ask(&self, name: &str, rtype: &str) -> (BTreeSet<String>, bool) {
        if self.names.contains(name) {
            return (self.at(name, rtype), false);
        }
        let mut encloser = parent(name);
        while !self.names.contains(encloser) {
            encloser = parent(encloser);
        }
        let wildcard = if encloser.is_empty() { "*".into() } else { format!("*.{encloser}") };
        (self.at(&wildcard, rtype), true)
    }

    /// True if the name exists, or a wildcard covers it.
    pub(crate) fn exists(&self, name: &str) -> bool {
        let mut encloser = name;
        while !self.names.contains(encloser) {
            encloser = parent(encloser);
        }
        encloser == name || self.records.contains_key(&format!("*.{encloser}"))
    }

    /// The number of records.
    pub(crate) fn len(&self) -> usize {
        self.records.values().map(Vec::len).sum()
    }

    fn at(&self, owner: &str, rtype: &str) -> BTreeSet<String> {
        let records = self.records.get(owner).into_iter().flatten();
        records.filter(|record| record.0 == rtype).map(|record| record.1.clone()).collect()
    }
}

fn parent(name: &str) -> &str {
    name.split_once('.').map_or("", |(_, parent)| parent)
}
