//! Zones as master files: what a name server that loads the dump would answer is what dnsbld does.

mod master;
mod random;
mod servers;
mod transfer;
