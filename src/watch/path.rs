//! The folders and symlinks that a path leads through: a change in any of them can make the path mean
//! another file.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// The most symlinks on one path, as in Linux (path_resolution(7)).
const MOST_SYMLINKS: usize = 40;

/// What to watch for one file. All paths are absolute and free of symlinks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct ResolvedPath {
    /// The folder that holds the file, and those that hold a symlink on the way to it. If a name is missing
    /// on the way, the folder in which it is missing.
    pub(super) folders: BTreeSet<PathBuf>,
    /// The names in these folders that matter: the symlinks and the file, or the missing name.
    pub(super) names: BTreeSet<PathBuf>,
    /// The file itself: the last of the names.
    pub(super) file: PathBuf,
}

impl ResolvedPath {
    /// Resolves the path as the kernel would.
    pub(super) fn of(path: &Path) -> Self {
        let mut resolved = Self::default();
        let Ok(path) = std::path::absolute(path) else { return resolved };
        let mut ahead: VecDeque<OsString> = names(&path).collect();
        let mut here = PathBuf::from("/");
        let mut symlinks = 0;
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                here.pop();
                continue;
            }
            let next = here.join(&name);
            let target = std::fs::read_link(&next).ok();
            if target.is_none() && !ahead.is_empty() && next.is_dir() {
                here = next;
                continue;
            }
            resolved.folders.insert(here.clone());
            resolved.names.insert(next.clone());
            resolved.file = next;
            let Some(target) = target else { break };
            symlinks += 1;
            if symlinks > MOST_SYMLINKS {
                break;
            }
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            for name in names(&target).collect::<Vec<_>>().into_iter().rev() {
                ahead.push_front(name);
            }
        }
        resolved
    }
}

fn names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn set<const N: usize>(root: &Path, names: [&str; N]) -> BTreeSet<PathBuf> {
        names
            .iter()
            .map(|name| if name.is_empty() { root.into() } else { root.join(name) })
            .collect()
    }

    #[test]
    fn every_folder_that_decides_is_on_the_route() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(root.join("v1/deep")).unwrap();
        fs::create_dir(root.join("up")).unwrap();
        fs::write(root.join("v1/deep/list"), "").unwrap();
        fs::write(root.join("v1/deep/real"), "").unwrap();
        symlink("v1", root.join("current")).unwrap();
        symlink("../current/deep/real", root.join("up/list")).unwrap();
        symlink(root.join("up/list"), root.join("far")).unwrap();
        symlink("loop", root.join("loop")).unwrap();

        for (path, folders, names, file) in [
            ("v1/deep/list", set(&root, ["v1/deep"]), set(&root, ["v1/deep/list"]), "v1/deep/list"),
            (
                "current/deep/../deep/list",
                set(&root, ["", "v1/deep"]),
                set(&root, ["current", "v1/deep/list"]),
                "v1/deep/list",
            ),
            (
                "far",
                set(&root, ["", "up", "v1/deep"]),
                set(&root, ["far", "up/list", "current", "v1/deep/real"]),
                "v1/deep/real",
            ),
            ("v1/none/list", set(&root, ["v1"]), set(&root, ["v1/none"]), "v1/none"),
            (
                "v1/deep/list/x",
                set(&root, ["v1/deep"]),
                set(&root, ["v1/deep/list"]),
                "v1/deep/list",
            ),
            ("v1/deep", set(&root, ["v1"]), set(&root, ["v1/deep"]), "v1/deep"),
            ("loop", set(&root, [""]), set(&root, ["loop"]), "loop"),
        ] {
            let file = root.join(file);
            assert_eq!(
                ResolvedPath::of(&root.join(path)),
                ResolvedPath { folders, names, file },
                "{path}"
            );
        }
    }
}
