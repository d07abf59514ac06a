//! Queries as they are read, and responses as they are written.

pub mod query;
pub mod response;
