//! What a `combined` dataset is made of: datasets below apexes of their own. One unit with `dataset.rs`:
//! a dataset has subzones, and subzones have datasets.

use super::Dataset;
use super::apex_tree::ApexTree;
use crate::wire::name::NameBuf;
use std::collections::HashMap;
use std::sync::Arc;

/// The subzones of a `combined` dataset. Of those that a name is at or below, the longest answers,
/// and it alone.
#[derive(Debug, Default)]
pub struct Subzones {
    apexes: ApexTree,
    subzones: Vec<Subzone>,
}

/// A subzone of a `combined` dataset.
#[derive(Debug)]
pub struct Subzone {
    /// The apex relative to the zone, in lower case; the root for the zone itself.
    pub apex: NameBuf,
    /// What is listed in it, in the order of the files.
    pub datasets: Vec<Arc<Dataset>>,
}

impl Subzones {
    /// Sorts datasets by the subzones that each is for: names relative to the zone, in lower case.
    pub fn new(sections: impl IntoIterator<Item = (Vec<NameBuf>, Dataset)>) -> Self {
        let mut subzones: Vec<Subzone> = Vec::new();
        let mut numbers = HashMap::new();
        for (apexes, dataset) in sections {
            let dataset = Arc::new(dataset);
            for apex in apexes {
                let number = *numbers.entry(apex.as_wire().to_vec()).or_insert(subzones.len());
                if number == subzones.len() {
                    subzones.push(Subzone { apex, datasets: Vec::new() });
                }
                let datasets = &mut subzones[number].datasets;
                if !datasets.last().is_some_and(|last| Arc::ptr_eq(last, &dataset)) {
                    datasets.push(Arc::clone(&dataset));
                }
            }
        }
        let apexes = ApexTree::new(subzones.iter().map(|subzone| subzone.apex.as_wire()));
        Self { apexes, subzones }
    }

    /// The subzones, in the order of the files.
    pub fn all(&self) -> &[Subzone] {
        &self.subzones
    }

    /// The datasets of all subzones, each once.
    pub fn datasets(&self) -> impl Iterator<Item = &Dataset> {
        let mut seen = std::collections::HashSet::new();
        let all = self.subzones.iter().flat_map(|subzone| &subzone.datasets);
        all.filter(move |dataset| seen.insert(Arc::as_ptr(dataset))).map(Arc::as_ref)
    }

    /// The number of the subzone that answers for a name relative to the zone (wire form, lower
    /// case), and the number of labels before its apex. `starts` has the position of each label of
    /// the name and of its final zero.
    pub fn find(&self, name: &[u8], starts: &[u8]) -> Option<(u32, usize)> {
        let (number, labels) = self.apexes.find(name)?;
        Some((number, starts.len().checked_sub(1 + labels)?))
    }

    /// True if the apex of a subzone lies below this name, which is none itself.
    pub fn is_above_apex(&self, name: &[u8]) -> bool {
        self.apexes.is_above_apex(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_subzone_is_found_in_any_order() {
        let apexes = |text: &str| -> Vec<NameBuf> {
            text.split(' ').map(|apex| NameBuf::from_text(apex.as_bytes()).unwrap()).collect()
        };
        let dataset = |name: &str| Dataset { name: name.to_owned(), ..Dataset::default() };
        let subzones = Subzones::new([
            (apexes(". a a"), dataset("one")),
            (apexes("x.a"), dataset("two")),
            (apexes("a"), dataset("three")),
        ]);
        let names = |number: u32| -> Vec<&str> {
            subzones.subzones[number as usize].datasets.iter().map(|set| &*set.name).collect()
        };
        let find = |name: &[u8], starts: &[u8]| {
            subzones.find(name, starts).map(|(number, before)| (names(number), before))
        };
        assert_eq!(find(b"\x01y\x01x\x01a\0", &[0, 2, 4, 6]), Some((vec!["two"], 1)));
        assert_eq!(find(b"\x01y\x01a\0", &[0, 2, 4]), Some((vec!["one", "three"], 1)));
        assert_eq!(find(b"\x01y\0", &[0, 2]), Some((vec!["one"], 1)));
        assert_eq!(subzones.datasets().count(), 3);
    }
}
