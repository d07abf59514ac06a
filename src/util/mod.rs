//! Hashes, text, time, JSON, threads, cancellation, signals, memory and the allocator, for all rooms. This room imports no other.

pub(crate) mod allocator;
pub mod cancel;
pub(crate) mod digest;
pub(crate) mod json;
pub mod memory;
pub mod signals;
pub mod text;
pub mod threads;
pub mod time;
