//! Names for datasets that only had a type and files.

use crate::config::Dataset;
use std::path::Path;

/// The longest name made of several files.
const LONGEST: usize = 40;

/// A name for each dataset, all different: that of its file or files; where that is taken, with
/// the folder, the type or a number.
pub(super) fn of(datasets: &[Dataset]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for dataset in datasets {
        let base = base(dataset);
        let folder = dataset.files.first().and_then(|file| file.parent()).map(last);
        let kind = dataset.kind;
        let wider = folder.filter(|folder| !folder.is_empty()).map(|f| format!("{f}-{base}"));
        let mut wishes = [Some(base.clone()), wider, Some(format!("{base}-{kind}"))]
            .into_iter()
            .flatten()
            .chain((2..).map(|number| format!("{base}-{kind}-{number}")));
        // There is an end to the names that are taken.
        let name = wishes.find(|wish| !names.contains(wish)).unwrap_or_default();
        names.push(name);
    }
    names
}

fn base(dataset: &Dataset) -> String {
    let files: Vec<String> = dataset.files.iter().map(|file| last(file)).collect();
    let joined = files.join("-");
    let base = match files.as_slice() {
        [first, _, ..] if joined.len() > LONGEST => format!("{first}-and-{}", files.len() - 1),
        _ => joined,
    };
    if base.is_empty() { dataset.kind.to_string() } else { base }
}

/// The last part of a path, in the letters that a name may have.
fn last(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name: String = name.chars().map(|c| if is_allowed(c) { c } else { '-' }).collect();
    name.trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zonefile::Kind;

    #[test]
    fn names_are_those_of_files_and_differ() {
        let sets = [
            (Kind::Ip4Set, "/d/list"),
            (Kind::Dnset, "/d/list"),
            (Kind::Dnset, "/e/list"),
            (Kind::Dnset, "/d/x /d/list"),
            (Kind::Dnset, "/d/list /d/x"),
            (Kind::Ip4Trie, "/d/list"),
            (Kind::Ip4Trie, "/d/./list"),
            (Kind::Ip4Set, "/d/...c!\u{fc}d"),
            (Kind::Ip4Set, "/d/a-very-long-name-of-a-file /d/another-very-long-name /d/c"),
            (Kind::Acl, "/"),
        ];
        let set = |(kind, files): (Kind, &str)| {
            let files = files.split_whitespace().map(Into::into).collect();
            Dataset::new(String::new(), kind, files)
        };
        let want = [
            "list",
            "d-list",
            "e-list",
            "x-list",
            "list-x",
            "list-ip4trie",
            "list-ip4trie-2",
            "c--d",
            "a-very-long-name-of-a-file-and-2",
            "acl",
        ];
        assert_eq!(of(&sets.map(set)), want);
    }
}
