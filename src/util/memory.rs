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
    /// Begins a load in a process that may have so many bytes; `None` for four fifths of what its control group,
    /// the machine, or what the machine has left, allows. Where the system does not say, nothing is bounded.
    pub fn begin(max: Option<u64>) -> Self {
        let statm = File::open("/proc/self/statm").ok();
        let mut memory =
            Self { statm, page: rustix::param::page_size() as u64, before: 0, max: u64::MAX };
        memory.before = memory.used();
        memory.max = max.or_else(|| usual_max(memory.before)).unwrap_or(u64::MAX);
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

/// Four fifths of the least of three, in bytes: what the control group of the process may have (`MemoryMax=` of a
/// unit), the machine's memory, and what the process has beside what the machine can still give. The rest is for what
/// a load does not count: caches of the system, answers under way, other lists that grow meanwhile.
fn usual_max(used: u64) -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let of_group = least_of_groups(Path::new("/sys/fs/cgroup"), &groups);
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let left = amount(&meminfo, "MemAvailable:").map(|available| used + available);
    Some([of_group, of_machine(&meminfo), left].into_iter().flatten().min()? / 5 * 4)
}

/// The machine's memory, in bytes; also where a unit hides the file (`ProcSubset=pid`).
fn of_machine(meminfo: &str) -> Option<u64> {
    let asked = || {
        let machine = rustix::system::sysinfo();
        let total = machine.totalram as u64 * u64::from(machine.mem_unit);
        (total > 0).then_some(total)
    };
    amount(meminfo, "MemTotal:").or_else(asked)
}

/// The least bound of memory of the groups of a process (`man 5 proc_pid_cgroup`), and of those above them.
fn least_of_groups(root: &Path, groups: &str) -> Option<u64> {
    let bounds = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, group) = (fields.next()?, fields.next()?);
        let (root, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            _ if controllers.split(',').any(|it| it == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let folder = root.join(group.trim_start_matches('/'));
        let groups = folder.ancestors().take_while(|folder| folder.starts_with(&root));
        let bounds = groups.filter_map(|folder| std::fs::read_to_string(folder.join(file)).ok());
        bounds.filter_map(|bound| bound.trim().parse::<u64>().ok()).min()
    });
    bounds.min()
}

/// An amount of bytes in the text of `/proc/meminfo`.
fn amount(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
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
        let least =
            || least_of_groups(root.path(), "1:name=x:/y\n0::/system.slice/dnsbld.service\n");
        assert_eq!(least(), None);
        std::fs::write(folder.join("memory.max"), "max\n").unwrap();
        std::fs::write(root.path().join("system.slice/memory.max"), "1000\n").unwrap();
        assert_eq!(least(), Some(1000));
        std::fs::write(folder.join("memory.max"), "999\n").unwrap();
        assert_eq!(least(), Some(999));
        // The first version of control groups has a tree for memory.
        std::fs::create_dir_all(root.path().join("memory/a/b")).unwrap();
        std::fs::write(root.path().join("memory/a/memory.limit_in_bytes"), "77\n").unwrap();
        assert_eq!(least_of_groups(root.path(), "4:cpu,memory:/a/b\n0::/\n"), Some(77));
        assert_eq!(amount("MemFree: 1 kB\nMemTotal:       16 kB\n", "MemTotal:"), Some(16_384));
        assert!(usual_max(0).is_some_and(|max| max > 1 << 20));
    }

    /// The files of the machine are out of sight of a unit with `ProcSubset=pid`: without the system's word, nothing
    /// was bounded there.
    #[test]
    fn the_machine_tells_its_memory_without_its_file() {
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
        assert_eq!(of_machine(""), amount(&meminfo, "MemTotal:"));
        assert_eq!(of_machine("MemTotal: 16 kB\n"), Some(16_384));
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
