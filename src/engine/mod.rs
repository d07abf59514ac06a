//! What to answer: one function, [`answer`], without sockets, clocks or allocations.

use std::net::IpAddr;
use std::time::Duration;

/// How a query came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// A datagram: the answer must fit what the client said it can take.
    Udp,
    /// A stream: the answer may be up to 65,535 bytes.
    Tcp,
}

/// One query as it came from the network.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The message, without a length prefix.
    pub query: &'a [u8],
    /// The client's address.
    pub client: IpAddr,
    /// How the query came in.
    pub transport: Transport,
    /// The time, in seconds since 1970.
    pub now: u64,
}

/// What to do with a query.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Outcome {
    /// Send that many bytes of the buffer.
    Respond(usize),
    /// Send that many bytes of the buffer after this time.
    RespondAfter(usize, Duration),
    /// Send nothing.
    Drop,
}

/// The zones to answer from: an immutable snapshot.
#[derive(Debug, Default)]
pub struct Catalog {}

/// What changes per query; one per thread, never shared.
#[derive(Debug, Default)]
pub struct WorkerState {}

/// Answers one query: writes the response into `out`, which should hold at least 1232 bytes for
/// UDP and 65,535 for TCP.
pub fn answer(
    _catalog: &Catalog,
    _state: &mut WorkerState,
    request: &Request<'_>,
    out: &mut [u8],
) -> Outcome {
    let (Some(header), Some(reply)) = (request.query.get(..12), out.get_mut(..12)) else {
        return Outcome::Drop;
    };
    reply.copy_from_slice(header);
    reply[2] |= 0x80;
    reply[3] = 5;
    reply[4..12].fill(0);
    Outcome::Respond(12)
}
