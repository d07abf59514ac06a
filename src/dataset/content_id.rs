//! What tells what a dataset serves from anything else that it could serve: equal on every machine.

use crate::config;
use crate::snapshot::{self, Id, Rules};
use crate::source::SourceFile;
use crate::zone::Dataset;
use xxhash_rust::xxh3::xxh3_64;

/// The content id of a dataset that was built of these files by these rules: that of its compiled form, or
/// if it has none, one of the bytes of the files and of how they are read.
pub(super) fn of(
    dataset: &Dataset,
    spec: &config::Dataset,
    rules: &Rules,
    sources: &[SourceFile],
) -> u64 {
    match snapshot::id_if_fit(dataset) {
        Some(id) => of_snapshot(id, spec),
        None => {
            let files: Vec<u128> = sources.iter().map(|source| source.report.hash).collect();
            xxh3_64(format!("{:?} {files:x?}", rules).as_bytes())
        }
    }
}

/// The content id of a dataset that is served from the snapshot of this id.
pub(super) fn of_snapshot(id: Id, spec: &config::Dataset) -> u64 {
    // The one setting that changes answers and is not in the compiled form.
    let hides = spec.hides_empty_non_terminals;
    xxh3_64(format!("{id} {hides}").as_bytes())
}
