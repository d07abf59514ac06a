//! DNS messages: no allocation, no I/O, no panic.

pub mod name;
