//! The process, under the names that all programs use; what the system does not tell is left out.

use super::{Exposition, Kind};
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};
use std::fs;

pub(super) fn write(out: &mut Exposition) {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    if let Some(figures) = Figures::read(&stat) {
        let second = clock_ticks_per_second() as f64;
        let help = "Processor time in user and system mode.";
        let time = figures.cpu_ticks as f64 / second;
        out.single("process_cpu_seconds_total", Kind::Counter, help, time);
        if let Some(boot) = fs::read_to_string("/proc/stat").ok().as_deref().and_then(boot_time) {
            let help = "When the process was started.";
            let start = boot as f64 + figures.start_ticks as f64 / second;
            out.single("process_start_time_seconds", Kind::Gauge, help, start);
        }
        let help = "Bytes of memory in use, shared and mapped pages included.";
        let resident = figures.resident_pages * page_size() as u64;
        out.single("process_resident_memory_bytes", Kind::Gauge, help, resident);
        let help = "Bytes of address space.";
        let bytes = figures.virtual_bytes;
        out.single("process_virtual_memory_bytes", Kind::Gauge, help, bytes);
        out.single("process_threads", Kind::Gauge, "Threads.", figures.threads);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // The folder itself is open, too.
        let open = open.count().saturating_sub(1);
        out.single("process_open_fds", Kind::Gauge, "Open file descriptors.", open);
    }
    if let Some(most) = getrlimit(Resource::Nofile).current {
        let help = "The most file descriptors that may be open.";
        out.single("process_max_fds", Kind::Gauge, help, most);
    }
}

/// What the system tells of a process (proc_pid_stat(5)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Figures {
    cpu_ticks: u64,
    threads: u64,
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Figures {
    fn read(stat: &str) -> Option<Self> {
        // The name of the program, in brackets, may hold anything. The third field follows.
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: field(14)? + field(15)?,
            threads: field(20)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// When the machine was started, in seconds since 1970 (proc_stat(5)).
fn boot_time(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("btime ")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_behind_any_name() {
        let stat = "9 (a) b) S 1 9 9 0 -1 4 5 0 0 0 7 2 0 0 20 0 13 0 4711 8192 42 18446744073709551615 1\n";
        let want = Figures {
            cpu_ticks: 9,
            threads: 13,
            start_ticks: 4711,
            virtual_bytes: 8192,
            resident_pages: 42,
        };
        assert_eq!(Figures::read(stat), Some(want));
        assert_eq!(Figures::read("9 (a) S 1 9"), None);
        assert_eq!(boot_time("cpu 1 2\nbtime 1700000000\nctxt 5\n"), Some(1_700_000_000));
        assert!(Figures::read(&fs::read_to_string("/proc/self/stat").unwrap()).is_some());
    }
}
