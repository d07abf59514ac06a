//! What changes in the records of a zone from one version to the next.
//!
//! Both versions are walked side by side, section by section, in the order of their names: memory grows with the
//! changes, not with the zone.

#[cfg(test)]
mod tests;

use super::packed::Packed;
use crate::dump::default_ttl;
use crate::dump::records::{RecordSink, Records};
use crate::wire::Type;
use crate::wire::name::{Labels, NameBuf};
use crate::zone::sweep::{SweepOptions, SweepSection, Unswept, sections};
use crate::zone::{Dataset, Zone};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::iter::Peekable;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::vec;

/// So many names are handed over at a time.
const BATCH: usize = 512;

/// The records to take out of a zone, and those to put in.
#[derive(Debug, Default)]
pub(super) struct Difference {
    pub(super) deleted: Packed,
    pub(super) added: Packed,
    /// The size of all records of the new version, packed alike.
    pub(super) whole: usize,
}

impl Difference {
    /// The size, in bytes.
    pub(super) fn len(&self) -> usize {
        self.deleted.len() + self.added.len()
    }
}

/// Why there is no difference of two versions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NoDifference {
    /// It would have more bytes than it may.
    Large,
    /// What a version lists depends on the time, or cannot be said in records.
    Unknown,
}

impl From<Unswept> for NoDifference {
    fn from(_: Unswept) -> Self {
        Self::Unknown
    }
}

/// Compares two versions of a zone, at `now` in seconds since 1970. The difference may have `max` bytes, and half of
/// those of the new version.
pub(super) fn difference(
    old: &Zone,
    new: &Zone,
    now: u64,
    max: usize,
) -> Result<Difference, NoDifference> {
    let difference = compare(old, new, now, max)?;
    if difference.len() > difference.whole / 2 { Err(NoDifference::Large) } else { Ok(difference) }
}

fn compare(old: &Zone, new: &Zone, now: u64, max: usize) -> Result<Difference, NoDifference> {
    if depends_on_time(old) || depends_on_time(new) {
        return Err(NoDifference::Unknown);
    }
    let mut compare = Compare { difference: Difference::default(), section: Vec::new(), max };
    compare.change(Some(&Group::of_servers(old)), Some(&Group::of_servers(new)))?;
    let options = SweepOptions { now, ip4_in_ip6: false };
    let mut apexes = BTreeSet::new();
    for zone in [old, new] {
        apexes.extend(sections(zone, options)?.map(|section| section.apex().clone()));
    }
    for apex in apexes {
        compare.section = apex.labels_before(&new.apex).unwrap_or_default().to_vec();
        compare.sections(old, new, &apex, options)?;
    }
    Ok(compare.difference)
}

fn depends_on_time(zone: &Zone) -> bool {
    let has_gates = |set: &Dataset| set.answers.has_gates();
    let in_subzones = |set: &Dataset| {
        set.subzones.as_ref().is_some_and(|subzones| subzones.datasets().any(has_gates))
    };
    zone.datasets.iter().any(|set| has_gates(set) || in_subzones(set))
}

/// The records of a name.
struct Group {
    /// The name, relative to the section, in wire form.
    name: Vec<u8>,
    /// The records are those of the wildcard below the name.
    is_wildcard: bool,
    /// The [bodies](Packed::body) of the records.
    records: Vec<Vec<u8>>,
}

impl Group {
    fn of_servers(zone: &Zone) -> Self {
        let ns = &zone.ns;
        let body = |name: &NameBuf| Packed::body(Type::NS, ns.ttl, name.as_wire());
        let records = ns.names.iter().map(body).collect();
        Self { name: vec![0], is_wildcard: false, records }
    }

    /// The order of a walk: canonical (RFC 4034 section 6.1), but the wildcard follows the name that it is below.
    fn cmp(&self, other: &Self) -> Ordering {
        let labels = |group: &Self| {
            let mut labels: Vec<_> = Labels::of(&group.name).map(<[u8]>::to_vec).collect();
            labels.reverse();
            labels
        };
        match self.name == other.name {
            true => self.is_wildcard.cmp(&other.is_wildcard),
            false => labels(self).cmp(&labels(other)),
        }
    }
}

/// Two versions that are being compared.
struct Compare {
    difference: Difference,
    /// The labels of the apex of the section before that of the zone.
    section: Vec<u8>,
    max: usize,
}

impl Compare {
    fn sections(
        &mut self,
        old: &Zone,
        new: &Zone,
        apex: &NameBuf,
        options: SweepOptions,
    ) -> Result<(), NoDifference> {
        let (sender, receiver) = sync_channel(2);
        thread::scope(|scope| {
            scope.spawn(move || send_groups(old, apex, options, &sender));
            let mut old = OldGroups { receiver, batch: Vec::new().into_iter().peekable() };
            walk(new, apex, options, |group| {
                while let Some(gone) = old.next_if(|old| old.cmp(&group) == Ordering::Less) {
                    self.change(Some(&gone), None)?;
                }
                let before = old.next_if(|old| old.cmp(&group) == Ordering::Equal);
                self.change(before.as_ref(), Some(&group))
            })?;
            while let Some(gone) = old.next_if(|_| true) {
                self.change(Some(&gone), None)?;
            }
            Ok(())
        })
    }

    /// Notes what becomes of the records of a name.
    fn change(&mut self, old: Option<&Group>, new: Option<&Group>) -> Result<(), NoDifference> {
        let Some(Group { name, is_wildcard, .. }) = new.or(old) else { return Ok(()) };
        let [before, after] =
            [old, new].map(|group| group.map_or(&[][..], |group| &group.records[..]));
        let star = if *is_wildcard { &b"\x01*"[..] } else { &[] };
        let (_, labels) = name.split_last().unwrap_or((&0, &[]));
        let owner = [star, labels, &self.section].concat();
        let Difference { deleted, added, whole } = &mut self.difference;
        *whole += after.iter().map(|record| 1 + owner.len() + record.len()).sum::<usize>();
        for record in before.iter().filter(|record| !after.contains(record)) {
            deleted.push(&owner, record);
        }
        for record in after.iter().filter(|record| !before.contains(record)) {
            added.push(&owner, record);
        }
        if self.difference.len() > self.max { Err(NoDifference::Large) } else { Ok(()) }
    }
}

/// The groups of the old version, which a thread of its own walks.
struct OldGroups {
    receiver: Receiver<Vec<Group>>,
    batch: Peekable<vec::IntoIter<Group>>,
}

impl OldGroups {
    fn next_if(&mut self, is_wanted: impl FnOnce(&Group) -> bool) -> Option<Group> {
        if self.batch.peek().is_none() {
            self.batch = self.receiver.recv().ok()?.into_iter().peekable();
        }
        self.batch.next_if(is_wanted)
    }
}

/// Sends the groups of a section until nobody takes them any more.
fn send_groups(
    zone: &Zone,
    apex: &NameBuf,
    options: SweepOptions,
    sender: &SyncSender<Vec<Group>>,
) {
    let mut batch = Vec::new();
    let walked = walk(zone, apex, options, |group| {
        batch.push(group);
        match batch.len() < BATCH {
            true => Ok(()),
            false => sender.send(std::mem::take(&mut batch)).map_err(|_| NoDifference::Large),
        }
    });
    if walked.is_ok() {
        // Who is not there any more needs no rest.
        let _ = sender.send(batch);
    }
}

/// Gives the names of the section with this apex that have records, each with its records.
fn walk(
    zone: &Zone,
    apex: &NameBuf,
    options: SweepOptions,
    take: impl FnMut(Group) -> Result<(), NoDifference>,
) -> Result<(), NoDifference> {
    let Some(section) = sections(zone, options)?.find(|section| section.apex() == apex) else {
        return Ok(());
    };
    let section = SweepSection::with_whole_blocks(section);
    let group = Group { name: Vec::new(), is_wildcard: false, records: Vec::new() };
    let mut grouping = Grouping { take, owner: (Vec::new(), false), group };
    section.nodes(&mut Records::new(&section, default_ttl(zone), &mut grouping))?;
    grouping.give()
}

/// Puts the records of a name together.
struct Grouping<F> {
    take: F,
    /// The owner of the records to come.
    owner: (Vec<u8>, bool),
    /// What came last.
    group: Group,
}

impl<F: FnMut(Group) -> Result<(), NoDifference>> Grouping<F> {
    fn give(&mut self) -> Result<(), NoDifference> {
        let (name, is_wildcard) = self.owner.clone();
        let group = Group { name, is_wildcard, records: Vec::new() };
        let group = std::mem::replace(&mut self.group, group);
        if group.records.is_empty() { Ok(()) } else { (self.take)(group) }
    }
}

impl<F: FnMut(Group) -> Result<(), NoDifference>> RecordSink for Grouping<F> {
    type Error = NoDifference;

    fn owner(&mut self, name: &[u8], is_wildcard: bool) {
        self.owner = (name.to_vec(), is_wildcard);
    }

    fn record(&mut self, rtype: Type, ttl: u32, data: &[u8]) -> Result<(), NoDifference> {
        if (&self.group.name, self.group.is_wildcard) != (&self.owner.0, self.owner.1) {
            self.give()?;
        }
        self.group.records.push(Packed::body(rtype, ttl, data));
        Ok(())
    }
}
