//! The files and rules that a snapshot was made from.

use super::bytes::{Reader, Writer};
use crate::source::{Identity, ReadReport, SourceFile, Stamp};
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The files that a dataset was made from, and the rules by which they were read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Origin {
    /// The name of the dataset, for people; it is not compared.
    pub name: String,
    /// How the files were read.
    pub rules: Rules,
    /// The `$TIMESTAMP` of the data, in seconds since 1970: the data must not be served earlier.
    pub stamp: Option<u64>,
    /// The files, in the order of reading.
    pub sources: Vec<SourceFile>,
}

impl Origin {
    /// The number of entry lines.
    pub fn entries(&self) -> u64 {
        self.sources.iter().map(|source| source.entries).sum()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let Self { name, rules, stamp, sources } = self;
        let mut out = Writer::default();
        out.text(name.as_bytes());
        out.list(rules.0.iter(), |out, (key, value)| {
            out.text(key.as_bytes());
            out.text(value.as_bytes());
        });
        out.option(*stamp, Writer::u64);
        out.list(sources.iter(), put_source);
        out.0
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader(bytes);
        let origin = Self {
            name: from.string()?,
            rules: Rules(from.list(|from| Some((from.string()?, from.string()?)))?),
            stamp: from.option(Reader::u64)?,
            sources: from.list(take_source)?,
        };
        from.end()?;
        Some(origin)
    }
}

/// The settings by which the files of a dataset are read. Files of the same bytes and the same rules
/// give the same dataset.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rules(Vec<(String, String)>);

impl Rules {
    /// Adds a rule. Rules in another order are other rules.
    pub fn add(&mut self, key: &str, value: impl fmt::Display) {
        self.0.push((key.to_owned(), value.to_string()));
    }

    /// The value of a rule, if there is such a rule.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// The first rule that differs from those of `others`.
    pub fn difference(&self, others: &Self) -> Option<RuleDifference> {
        let value = |rules: &Self, key: &str| rules.get(key).unwrap_or("nothing").to_owned();
        let keys = self.0.iter().chain(&others.0).map(|(key, _)| key);
        let mut differences = keys.map(|key| RuleDifference {
            rule: key.clone(),
            ours: value(self, key),
            theirs: value(others, key),
        });
        differences.find(|difference| difference.ours != difference.theirs)
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (key, value)) in self.0.iter().enumerate() {
            write!(f, "{}{key} {value}", if number == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// A rule that differs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleDifference {
    /// The name of the rule.
    pub rule: String,
    /// Its value here.
    pub ours: String,
    /// Its value in the other set.
    pub theirs: String,
}

fn put_source(out: &mut Writer, source: &SourceFile) {
    let SourceFile { path, report, entries, bad_lines, first_bad } = source;
    let ReadReport { identity, settled, hash, content, compressed } = report;
    let Identity { device, inode, size, modified, changed } = identity;
    out.text(path.as_os_str().as_bytes());
    for number in [device, inode, size] {
        out.u64(*number);
    }
    for Stamp { seconds, nanoseconds } in [modified, changed] {
        out.i64(*seconds);
        out.i64(*nanoseconds);
    }
    out.byte((*settled).into());
    out.u128(*hash);
    out.u64(*content);
    out.byte((*compressed).into());
    out.u64(*entries);
    out.u64(*bad_lines);
    out.option(first_bad.as_deref(), |out, text| out.text(text.as_bytes()));
}

fn take_source(from: &mut Reader<'_>) -> Option<SourceFile> {
    let stamp =
        |from: &mut Reader<'_>| Some(Stamp { seconds: from.i64()?, nanoseconds: from.i64()? });
    Some(SourceFile {
        path: PathBuf::from(Path::new(OsStr::from_bytes(from.text()?))),
        report: ReadReport {
            identity: Identity {
                device: from.u64()?,
                inode: from.u64()?,
                size: from.u64()?,
                modified: stamp(from)?,
                changed: stamp(from)?,
            },
            settled: from.flag()?,
            hash: from.u128()?,
            content: from.u64()?,
            compressed: from.flag()?,
        },
        entries: from.u64()?,
        bad_lines: from.u64()?,
        first_bad: from.option(Reader::string)?,
    })
}
