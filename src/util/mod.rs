//! What no field has a word for: text, time, threads, cancellation. Imports no other room.

pub mod cancel;
pub mod text;
pub mod threads;
pub mod time;
