//! Answers to questions about a running server: what it says of a key; why it is as it is, and what to do.

pub mod doctor;
pub mod lookup;
