//! The last changes of zones, which a secondary can be sent instead of the whole (IXFR, RFC 1995).

use super::difference::Difference;
use super::packed::Packed;
use super::zone_records::soa_data;
use crate::wire::name::NameBuf;
use crate::zone::Zone;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most bytes for the changes of one zone.
pub(super) const MAX_SIZE: usize = 16 << 20;

/// The most steps of one zone.
const MAX_STEPS: usize = 1000;

/// The changes of all zones that somebody may have, in memory alone: after a start, who asks for changes gets the
/// whole.
#[derive(Default)]
pub(super) struct Journal {
    zones: Mutex<HashMap<NameBuf, Steps>>,
}

/// The steps of a zone, each from where the one before leads to, together with at most half of the bytes of the
/// zone.
#[derive(Default)]
struct Steps {
    steps: VecDeque<Arc<Step>>,
    /// This serial has stood for more than one content: nobody knows what a client has that says it.
    reused: Option<u32>,
}

/// From one serial to the next.
pub(super) struct Step {
    /// The old SOA record: its serial, TTL in seconds, and data.
    pub(super) old_soa: (u32, u32, Vec<u8>),
    /// The new serial.
    pub(super) serial: u32,
    pub(super) deleted: Packed,
    pub(super) added: Packed,
}

impl Step {
    fn len(&self) -> usize {
        self.deleted.len() + self.added.len()
    }
}

impl Journal {
    /// Adds the changes that lead to a version of a zone.
    pub(super) fn add(&self, old: &Zone, new: &Zone, difference: Difference) {
        let old_soa = (old.soa.serial, old.soa.ttl, soa_data(&old.soa));
        let Difference { deleted, added, whole } = difference;
        let step = Step { old_soa, serial: new.soa.serial, deleted, added };
        self.add_step(&new.apex, step, whole);
    }

    /// Adds a step to a version of a zone whose records have so many bytes.
    fn add_step(&self, zone: &NameBuf, step: Step, whole: usize) {
        let max = MAX_SIZE.min(whole / 2);
        let mut zones = self.zones();
        let Steps { steps, reused } = zones.entry(zone.clone()).or_default();
        // A serial that goes back may come to stand for other contents than it has.
        let is_more = step.serial.wrapping_sub(step.old_soa.0).cast_signed() > 0;
        let is_known = reused.take() != Some(step.old_soa.0);
        if !is_more || !is_known || steps.back().is_some_and(|last| last.serial != step.old_soa.0) {
            steps.clear();
        }
        if !is_more || !is_known {
            return;
        }
        steps.push_back(Arc::new(step));
        let size = |steps: &VecDeque<Arc<Step>>| steps.iter().map(|step| step.len()).sum::<usize>();
        while steps.len() > MAX_STEPS || size(steps) > max {
            steps.pop_front();
        }
    }

    /// Notes that a zone has changed, but not its serial.
    pub(super) fn reuse(&self, zone: &NameBuf, serial: u32) {
        let steps = Steps { steps: VecDeque::new(), reused: Some(serial) };
        self.zones().insert(zone.clone(), steps);
    }

    /// Forgets the changes of a zone.
    pub(super) fn forget(&self, zone: &NameBuf) {
        self.zones().remove(zone);
    }

    /// Forgets the zones that are not to be kept.
    pub(super) fn retain(&self, is_kept: impl Fn(&NameBuf) -> bool) {
        self.zones().retain(|zone, _| is_kept(zone));
    }

    /// The steps from one serial of a zone to another, if they are known.
    pub(super) fn steps(&self, zone: &NameBuf, from: u32, to: u32) -> Option<Vec<Arc<Step>>> {
        let zones = self.zones();
        let steps = &zones.get(zone)?.steps;
        steps.back().filter(|last| last.serial == to)?;
        let first = steps.iter().position(|step| step.old_soa.0 == from)?;
        Some(steps.iter().skip(first).cloned().collect())
    }

    fn zones(&self) -> MutexGuard<'_, HashMap<NameBuf, Steps>> {
        self.zones.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The serials of the steps that lead from one serial to another.
    fn serials(journal: &Journal, zone: &NameBuf, from: u32, to: u32) -> Option<Vec<u32>> {
        let steps = journal.steps(zone, from, to)?;
        Some(steps.iter().map(|step| step.serial).collect())
    }

    #[test]
    fn steps_follow_each_other_or_are_forgotten() {
        let zone: NameBuf = "bl.test".parse().unwrap();
        let journal = Journal::default();
        let add = |from, serial, size| {
            let mut added = Packed::default();
            added.push(b"", &vec![0; size]);
            let step =
                Step { old_soa: (from, 0, Vec::new()), serial, deleted: Packed::default(), added };
            journal.add_step(&zone, step, 2000);
        };
        add(1, 2, 100);
        add(2, 5, 100);
        add(5, 6, 100);
        assert_eq!(serials(&journal, &zone, 1, 6), Some(vec![2, 5, 6]));
        assert_eq!(serials(&journal, &zone, 5, 6), Some(vec![6]));
        assert_eq!(serials(&journal, &zone, 3, 6), None, "a serial that was never there");
        assert_eq!(serials(&journal, &zone, 1, 5), None, "not the version that is served");
        add(6, 7, 800);
        assert_eq!(serials(&journal, &zone, 1, 7), None, "all together would be more than half");
        assert_eq!(serials(&journal, &zone, 5, 7), Some(vec![6, 7]));
        add(9, 10, 100);
        assert_eq!(serials(&journal, &zone, 6, 10), None, "a step is missing");
        assert_eq!(serials(&journal, &zone, 9, 10), Some(vec![10]));
        journal.retain(|_| false);
        assert_eq!(serials(&journal, &zone, 9, 10), None);
        // A serial that stands for two contents, and one that goes back.
        add(9, 10, 100);
        journal.reuse(&zone, 10);
        assert_eq!(serials(&journal, &zone, 9, 10), None);
        add(10, 11, 100);
        assert_eq!(serials(&journal, &zone, 10, 11), None, "from which content is not known");
        add(11, 12, 100);
        assert_eq!(serials(&journal, &zone, 11, 12), Some(vec![12]));
        add(12, 11, 100);
        assert_eq!(serials(&journal, &zone, 12, 11), None, "the serial goes back");
        add(u32::MAX, 3, 100);
        assert_eq!(serials(&journal, &zone, u32::MAX, 3), Some(vec![3]), "serials are a circle");
    }
}
