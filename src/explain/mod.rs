//! Answers to questions about a running server: why it is as it is, and what to do.

pub mod doctor;
