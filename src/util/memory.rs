//! How much memory this process may take, and how much it has, by what the system says.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A list that is being loaded, and the memory that it takes.
#[derive(Debug)]
pub struct LoadMemory {
    statm: Option<File>,
    page: u64,
    /// What the process had when the load began, in bytes.
    before: u64,
    max: u64,
}

/// A load needs more memory than it may take; all in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shortage {
    /// What the process has.
    pub used: u64,
    /// What it is expected to have at the end of the load.
    pub expected: u64,
    /// What it may have.
    pub max: u64,
}

impl LoadMemory {
    /// Begins a load in a process that may have so many bytes; `None` for the [usual](usual_max) number.
    /// Where the system does not say, nothing is bounded.
    pub fn begin(max: Option<u64>) -> Self {
        let statm = File::open("/proc/self/statm").ok();
        let mut memory = Self {
            statm,
            page: rustix::param::page_size() as u64,
            before: 0,
            max: max.or_else(usual_max).unwrap_or(u64::MAX),
        };
        memory.before = memory.used();
        memory
    }

    /// Looks at what the process has, and expects that to be as much again at the end of the load as it has grown
    /// by: what was read is sorted then, beside what it becomes. `copied` is what is held elsewhere, in
    /// bytes.
    pub fn check(&self, copied: u64) -> Result<(), Shortage> {
        let used = self.used();
        let expected = used + used.saturating_sub(self.before) + copied;
        if expected > self.max {
            return Err(Shortage { used, expected, max: self.max });
        }
        Ok(())
    }

    /// The memory of this process that no file stands for (`man 5 proc_pid_statm`).
    fn used(&self) -> u64 {
        let mut text = [0; 128];
        let Some(Ok(len)) = self.statm.as_ref().map(|statm| statm.read_at(&mut text, 0)) else {
            return 0;
        };
        let text = str::from_utf8(&text[..len]).unwrap_or("");
        let mut pages = text.split(' ').skip(1).map(|word| word.parse::<u64>().unwrap_or(0));
        let (resident, shared) = (pages.next().unwrap_or(0), pages.next().unwrap_or(0));
        resident.saturating_sub(shared) * self.page
    }
}

/// Four fifths of what the control group of the process may have (`MemoryMax=` of a unit), or else of the
/// machine's memory, in bytes.
pub fn usual_max() -> Option<u64> {
    let group = std::fs::read_to_string("/proc/self/cgroup").ok();
    let group =
        group.as_deref().and_then(|text| text.lines().find_map(|it| it.strip_prefix("0::/")));
    let of_group = group.and_then(|group| least_of_groups(Path::new("/sys/fs/cgroup"), group));
    let machine = std::fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.as_deref().and_then(total);
    let max = [of_group, machine].into_iter().flatten().min()?;
    Some(max / 5 * 4)
}

/// The least `memory.max` of a group and those above it.
fn least_of_groups(root: &Path, group: &str) -> Option<u64> {
    let folder = root.join(group);
    let groups = folder.ancestors().take_while(|folder| folder.starts_with(root));
    let bounds =
        groups.filter_map(|folder| std::fs::read_to_string(folder.join("memory.max")).ok());
    bounds.filter_map(|bound| bound.trim().parse().ok()).min()
}

/// The memory of the machine, from the text of `/proc/meminfo`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_bound_of_the_groups_counts() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("system.slice/dnsbld.service");
        std::fs::create_dir_all(&folder).unwrap();
        let least = || least_of_groups(root.path(), "system.slice/dnsbld.service");
        assert_eq!(least(), None);
        std::fs::write(folder.join("memory.max"), "max\n").unwrap();
        std::fs::write(root.path().join("system.slice/memory.max"), "1000\n").unwrap();
        assert_eq!(least(), Some(1000));
        std::fs::write(folder.join("memory.max"), "999\n").unwrap();
        assert_eq!(least(), Some(999));
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       16 kB\n"), Some(16_384));
        assert!(usual_max().is_none_or(|max| max > 1 << 20));
    }

    #[test]
    fn what_a_load_takes_is_seen() {
        let memory = LoadMemory::begin(Some(1 << 40));
        let taken = vec![1_u8; 64 << 20];
        assert!(memory.used() >= memory.before + taken.len() as u64 / 2);
        assert_eq!(memory.check(0), Ok(()));
        let shortage = memory.check(1 << 40).unwrap_err();
        assert!(shortage.expected > shortage.used && shortage.max == 1 << 40);
        std::hint::black_box(taken);
    }
}
