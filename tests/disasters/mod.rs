//! What can befall a server beside queries: the real program, and disasters one by one. All the while
//! answers are right, and nothing that was good is lost.

mod bodies;
mod clock;
mod disk_full;
mod flips;
mod kills;
mod limits;
mod signals;
mod state_folder;
