//! The machine's cores, the priority of a thread, and threads that outlive their panics.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

/// What a thread that has panicked waits before it begins anew, so as never to spin.
const PAUSE: Duration = Duration::from_millis(100);

/// What a thread that loads takes from its priority once queries are answered. Not more: at the lowest
/// priority a busy machine would never reload (docs/decisions/007).
const NICE: i32 = 5;

/// What takes any thread to the lowest priority.
const LOWEST: i32 = 19;

/// The number of cores this process could use when that was first asked: finding it takes a dozen
/// system calls.
pub fn cores() -> usize {
    static CORES: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, usize::from));
    *CORES
}

/// Makes this thread give way to those that answer queries: on Linux, each thread has its own priority.
pub fn lower_priority() {
    // The work is done at the higher priority too.
    let _ = rustix::process::nice(NICE);
}

/// Makes this thread give way to all others: for work that nobody waits for.
pub fn lowest_priority() {
    let _ = rustix::process::nice(LOWEST);
}

/// Works until `work` returns. When it panics, `told` gets the text of the panic, and the work begins anew:
/// what it was at is lost, and it goes on with what comes next.
pub fn keep_at(told: impl Fn(&str), mut work: impl FnMut()) {
    while let Err(panic) = catch_unwind(AssertUnwindSafe(&mut work)) {
        // Who cannot tell it has said so by the panic hook.
        let _ = catch_unwind(AssertUnwindSafe(|| told(panic_message(&*panic))));
        thread::sleep(PAUSE);
    }
}

/// The text a panic was raised with.
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
