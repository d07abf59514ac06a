//! Candidates of texts, for the tests of the rules.

use super::{Baseline, Candidate, Facts};
use crate::config;
use crate::source::{Identity, ReadReport, SourceFile, Stamp};
use crate::zone::Dataset;
use crate::zonefile::{Diagnostics, Kind, Options, Parsed, Parser};

/// What came of a text.
pub(super) struct Made {
    pub(super) sources: Vec<SourceFile>,
    pub(super) dataset: Dataset,
    pub(super) facts: Facts,
    pub(super) diagnostics: Diagnostics,
}

impl Made {
    pub(super) fn candidate<'a>(&'a self, spec: &'a config::Dataset) -> Candidate<'a> {
        let Self { sources, dataset, facts, diagnostics } = self;
        let most_entries = Some(facts.entries);
        Candidate { spec, sources, dataset, facts, diagnostics, most_entries, now: 0 }
    }
}

/// What was accepted before.
pub(super) fn baseline(made: &Made) -> Baseline<'_> {
    let Made { sources, dataset, facts, .. } = made;
    Baseline { sources, facts, dataset: Some(dataset), is_predecessor: true }
}

/// A feed of this type.
pub(super) fn spec(kind: Kind) -> config::Dataset {
    let spec = config::Dataset::new("list".to_owned(), kind, vec!["list".into()]);
    config::Dataset { own: Some(false), ..spec }
}

/// What a text of this dataset gives.
pub(super) fn candidate(spec: &config::Dataset, text: &str) -> Made {
    let options = Options { format: spec.format, ..Options::default() };
    let mut parser = Parser::new(spec.kind, options);
    parser.start_file();
    parser.feed(text.as_bytes()).unwrap();
    parser.end_file().unwrap();
    let (entries, bad_lines) = (parser.entries(), parser.diagnostics().refused);
    let first = parser.diagnostics().kept.iter().find(|bad| !bad.is_used);
    let first_bad = first.map(|bad| bad.reason.to_string());
    let Parsed { ip4, ip6, names, answers, acl: _, diagnostics, stamp, stated, .. } =
        parser.finish();
    let dataset = Dataset {
        ip4: ip4.map(|addresses| addresses.into_trie(1)),
        ip6: ip6.map(|addresses| addresses.into_trie()),
        names,
        answers,
        ..Dataset::default()
    };
    let modified = Stamp { seconds: 1_600_000_000, nanoseconds: 5 };
    let size = text.len() as u64;
    let identity = Identity { device: 1, inode: 1, size, modified, changed: modified };
    let report =
        ReadReport { identity, settled: true, hash: size.into(), content: size, compressed: false };
    let sources = vec![SourceFile { path: "list".into(), report, entries, bad_lines, first_bad }];
    let facts = Facts::of(spec, &dataset, &sources, stamp, stated);
    Made { sources, dataset, facts, diagnostics }
}

/// The dataset of a text.
pub(super) fn dataset(kind: Kind, text: &str) -> Dataset {
    candidate(&spec(kind), text).dataset
}

/// The facts of a text.
pub(super) fn facts(kind: Kind, text: &str) -> Facts {
    candidate(&spec(kind), text).facts
}
