//! What lists would have done to the mail of a log: who was on which, and whom other lists, or weights, would have
//! turned away.
//!
//! `line.rs` finds the client in a line, `stamp.rs` its time, `clients.rs` counts them. `lists.rs` are the lists
//! that can be asked, `figures.rs` what comes of asking all of them for all clients, and `earlier.rs` what their
//! histories add.

mod clients;
mod earlier;
mod figures;
mod line;
mod lists;
mod stamp;

pub(crate) use clients::{Clients, Seen};
pub(crate) use earlier::{EarlierListing, earlier};
pub(crate) use figures::{
    ClientTally, ListFigures, Question, ReplayFigures, ReplayOutcome, Weights,
};
pub(crate) use line::LogFormat;
pub(crate) use lists::of_zones;
pub(crate) use stamp::StampRules;

/// The client that a line of a log names, and the time of the line, for those who try odd lines.
#[doc(hidden)]
pub fn client_and_time(line: &[u8]) -> (Option<std::net::IpAddr>, Option<i64>) {
    let rules = StampRules { now: 0, offset: 0 };
    (line::client(line).map(|client| client.address), stamp::read(line, rules))
}
