//! The machine's cores, the priority of a thread, and threads that outlive their panics.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

/// The pause before a thread that has panicked begins anew, so that it never spins.
const PAUSE: Duration = Duration::from_millis(100);

/// The niceness of a thread that loads once queries are answered. With the highest niceness, a busy
/// machine would never reload (decision 007).
const NICE: i32 = 5;

/// The niceness of the lowest priority.
const LOWEST: i32 = 19;

/// The number of cores that this process could use at the first call. To find it takes a dozen system calls.
pub fn cores() -> usize {
    static CORES: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, usize::from));
    *CORES
}

/// Makes this thread give way to those that answer queries: on Linux, each thread has its own priority.
pub fn lower_priority() {
    // If the system refuses, the work is done at the higher priority.
    let _ = rustix::process::nice(NICE);
}

/// Makes this thread give way to all others: for work that nobody waits for.
pub fn lowest_priority() {
    let _ = rustix::process::nice(LOWEST);
}

/// Calls `work` until it returns. When it panics, `told` gets the text of the panic, and `work` is called
/// again: the item at hand is lost, and the next one follows.
pub fn keep_at(told: impl Fn(&str), mut work: impl FnMut()) {
    while let Err(panic) = catch_unwind(AssertUnwindSafe(&mut work)) {
        // If `told` panics too, the panic hook has printed both panics.
        let _ = catch_unwind(AssertUnwindSafe(|| told(panic_message(&*panic))));
        thread::sleep(PAUSE);
    }
}

/// The message of a panic.
pub fn panic_message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn work_that_panics_is_told_and_goes_on_with_what_comes_next() {
        let told = Mutex::new(Vec::new());
        let mut jobs = vec![3, 2, 1, 0].into_iter();
        let mut done = Vec::new();
        let tell = |text: &str| {
            told.lock().unwrap().push(text.to_owned());
            assert_ne!(text, "a test's 3", "who is told may panic");
        };
        keep_at(tell, || {
            for job in jobs.by_ref() {
                assert!(job % 2 == 0, "a test's {job}");
                done.push(job);
            }
        });
        assert_eq!(
            (told.into_inner().unwrap(), done),
            (vec!["a test's 3".into(), "a test's 1".into()], vec![2, 0])
        );
    }
}
