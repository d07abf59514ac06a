//! Zones as master files: what a name server that loads the dump would answer is what dnsbld does.

#[path = "../common/mod.rs"]
mod common;
mod master;
mod random;
mod servers;
