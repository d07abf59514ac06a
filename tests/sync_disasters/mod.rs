//! What can befall a mirror: real rsync daemons that hang, refuse, or serve half of what they should; a disk
//! that is full, a clock that is set back, a kill at any moment. All the while a server beside the mirror
//! answers rightly, no half file is published, and the next run heals what went wrong.

mod contents;
mod machine;
mod mirror;
mod refusals;
mod source;
mod supervisors;
