//! DNS messages (RFC 1035, RFC 6891): no allocation, no I/O, no panic.
//!
//! A message from the network is read by [`Query::parse`], which borrows it and checks it whole;
//! a response is written by [`ResponseWriter`] into the caller's buffer.

pub mod codes;
pub mod cookie;
pub(crate) mod copy;
pub mod message;
pub mod name;
pub mod proxy;
pub mod reversed;

pub use codes::{Class, ExtendedError, Rcode, Type};
pub use message::query::{Edns, ParsedQuestion, Query, Reject};
pub use message::response::ResponseWriter;

/// The length of a message header, in bytes (RFC 1035 section 4.1.1).
pub const HEADER: usize = 12;
/// What a UDP response may hold if the client did not say more (RFC 1035 section 4.2.1).
pub const CLASSIC_UDP: usize = 512;
/// The most we put into a UDP response, so that it is not fragmented on the way, and what we
/// tell clients we can take (the recommendation of DNS flag day 2020).
pub const MAX_UDP: usize = 1232;
