//! Fast readers of the commonest lines. They emit the same entries as the general reader, many at a
//! time, and leave every other line to it; they are parsers only and know no rule of a dataset type.

pub(super) mod addresses;
pub(super) mod names;
pub(super) mod prefixes;
pub(super) mod values;

pub(super) use prefixes::{FastEntry, FastKey, Prefix, Range4};
pub(super) use values::{FastValue, ValueHead};
