//! What no field has a word for: text, time, threads, cancellation, signals, memory, the allocator. Imports no other room.

pub(crate) mod allocator;
pub mod cancel;
pub mod memory;
pub mod signals;
pub mod text;
pub mod threads;
pub mod time;
