//! What glibc's allocator is told, and nothing else: all `unsafe` that this takes is here.
//!
//! A load needs arrays of many megabytes for a second. By itself, glibc maps the first of them, and
//! when that is freed it takes all that are not larger from its heaps from then on: these keep
//! what was freed, and growing an array there means a second one beside it. Measured in
//! docs/decisions/008.
//!
//! What smaller arrays have left in the heaps is given back when no build is under way any more.
//! Nobody who answers waits for that: answering allocates nothing.
#![allow(unsafe_code)]

/// Has the system give the memory of large arrays, and get it back as soon as they are freed. To be
/// called before the threads start that load.
pub(crate) fn give_back_large_arrays() {
    #[cfg(target_env = "gnu")]
    {
        /// From this size on an array is mapped. The buffers for reading are smaller: mapped anew for
        /// each file, they would slow down the load of a short list.
        const LARGE: std::ffi::c_int = 512 << 10;
        // SAFETY: `mallopt` takes numbers only and checks them, it takes the lock of the allocator,
        // and whatever it sets, memory that was handed out stays as it is.
        let done = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
        if done != 1 {
            tracing::debug!("the allocator keeps its own bounds");
        }
    }
}

/// Gives the system the memory that is free in the heaps. Takes milliseconds, in which other threads
/// may have to wait when they allocate.
pub(crate) fn give_back_the_rest() {
    // SAFETY: `malloc_trim` takes the locks of the heaps and lets go of whole pages that nothing is
    // in; memory that was handed out stays as it is.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}
