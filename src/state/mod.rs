//! The state folder: who may write there, and the serials of the zones.

pub mod lock;
pub mod serials;
