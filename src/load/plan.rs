//! Which datasets a changed file concerns.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The files of all datasets. `D` names a dataset: a number or a name.
///
/// ```
/// use dnsbld::load::Plan;
/// use std::path::Path;
///
/// let plan = Plan::new([
///     ("zen", vec!["sbl".into(), "own".into()]),
///     ("white", vec!["own".into()]),
///     ("names", vec!["dbl".into()]),
/// ]);
/// assert_eq!(plan.affected([Path::new("own")]), [&"zen", &"white"]);
/// assert_eq!(plan.files().count(), 3);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan<D> {
    datasets: Vec<D>,
    /// By file, the datasets that read it, as indexes into `datasets`.
    users: BTreeMap<PathBuf, BTreeSet<usize>>,
}

impl<D> Plan<D> {
    /// A plan from datasets and their files, as the configuration names them.
    pub fn new(datasets: impl IntoIterator<Item = (D, Vec<PathBuf>)>) -> Self {
        let mut plan = Self { datasets: Vec::new(), users: BTreeMap::new() };
        for (dataset, files) in datasets {
            for file in files {
                plan.users.entry(file).or_default().insert(plan.datasets.len());
            }
            plan.datasets.push(dataset);
        }
        plan
    }

    /// Every file once: what is to be watched.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.users.keys().map(PathBuf::as_path)
    }

    /// The datasets that read any of the changed files, each once, in the order given to
    /// [`new`](Self::new). Files of no dataset are ignored: a report may be older than the plan.
    pub fn affected<'a>(&self, changed: impl IntoIterator<Item = &'a Path>) -> Vec<&D> {
        let indexes: BTreeSet<usize> = changed
            .into_iter()
            .filter_map(|file| self.users.get(file))
            .flatten()
            .copied()
            .collect();
        indexes.into_iter().map(|index| &self.datasets[index]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn exactly_the_datasets_with_a_changed_file_are_affected(
            files in prop::collection::vec(prop::collection::vec(0u8..8, 0..4), 0..6),
            changed in prop::collection::vec(0u8..10, 0..4),
        ) {
            let path = |n: &u8| PathBuf::from(n.to_string());
            let plan = Plan::new(
                files.iter().enumerate().map(|(i, f)| (i, f.iter().map(path).collect())),
            );
            let expected: Vec<usize> = (0..files.len())
                .filter(|&i| files[i].iter().any(|file| changed.contains(file)))
                .collect();
            let changed: Vec<PathBuf> = changed.iter().map(path).collect();
            let got: Vec<usize> =
                plan.affected(changed.iter().map(PathBuf::as_path)).into_iter().copied().collect();
            prop_assert_eq!(got, expected);
        }
    }
}
