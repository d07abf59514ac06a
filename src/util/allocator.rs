//! The settings of glibc's allocator, and the `unsafe` calls that make them.
//!
//! A load needs arrays of many megabytes for a second. Without a setting, glibc maps only the first of
//! them. When that is freed, glibc takes all later arrays of that size from its heaps: the heaps keep the
//! memory of freed arrays, and an array that grows there needs a second one beside it. Decision 008 has
//! the measurements.
//!
//! When no build is under way any more, the heaps give their free memory back. No answer waits for that,
//! because answering allocates nothing.
#![allow(unsafe_code)]

/// Has glibc map large arrays, so that the system gets their memory back as soon as they are freed. Call
/// it before the first thread that loads starts.
pub(crate) fn give_back_large_arrays() {
    #[cfg(target_env = "gnu")]
    {
        /// The size from which an array is mapped. The buffers for reading are smaller: to map them anew
        /// for each file would slow down the load of short lists.
        const LARGE: std::ffi::c_int = 512 << 10;
        // SAFETY: `mallopt` takes numbers only, checks them, and locks the allocator. No setting
        // changes memory that was handed out.
        let done = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
        if done != 1 {
            tracing::debug!("the allocator keeps its own bounds");
        }
    }
}

/// Gives the free memory of the heaps back to the system. This takes milliseconds, in which other threads
/// may wait when they allocate.
pub(crate) fn give_back_the_rest() {
    // SAFETY: `malloc_trim` locks the heaps and releases whole pages that are free; it does not change
    // memory that was handed out.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}
