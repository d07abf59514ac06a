//! Data files: text that states which keys are listed.

mod kind;

pub use kind::{Kind, UnknownKind};
