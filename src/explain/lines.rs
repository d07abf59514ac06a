//! The lines that list what a dataset lists.

use super::check::{ServedFile, served_files};
use super::covering::{CoveringSet, KeyForms, search};
use crate::config;
use crate::dataset::parse_options;
use crate::event::ListingLine;
use crate::util::time::unix_time;
use crate::zone::diff::Key;

/// The line that lists each of these keys, in one pass over the text of what is served: of a range, that of the
/// widest entry in it. `None` where the text is not at hand, or another line decides.
pub(crate) fn listing_lines(
    spec: &config::Dataset,
    server: &config::Server,
    served: &[ServedFile],
    keys: &[Key],
) -> Vec<Option<ListingLine>> {
    let Some(files) = served_files(server.state_dir.as_deref(), spec, served) else {
        return vec![None; keys.len()];
    };
    let forms: Vec<_> = keys.iter().map(KeyForms::of_listed).collect();
    let options = parse_options(spec, server, unix_time());
    let found = search(spec.kind, options, &files, &forms, server.decompress, None);
    found.into_iter().map(deciding).collect()
}

/// Of an address or a name, the first entry that decides; of a range, the widest.
fn deciding(set: CoveringSet) -> Option<ListingLine> {
    let decided = set.entries.iter().position(|entry| entry.lists());
    let place = decided.or_else(|| {
        set.entries.iter().position(|entry| !entry.excluded && entry.expired.is_none())
    })?;
    let entry = set.entries.into_iter().nth(place)?;
    Some(ListingLine { file: entry.file.into(), line: entry.line, text: entry.text })
}
