//! Response rate limiting: how often a client may ask over UDP.
//!
//! A forged source address makes a server send its answers to somebody else, and answers are larger than
//! queries. Beyond the limit, a query gets the question and the TC bit alone, which is no larger than the query:
//! a true client asks again over TCP, and the victim of a forger gets next to nothing. Silence would have
//! resolvers take the server for dead.
//!
//! Each worker has a table of its own, so that no query waits for another worker.

mod table;

use super::cookie::Cookie;
use super::{Request, Transport};
use crate::zone::{LENGTHS, RateLimit};
use std::net::IpAddr;
use table::Table;

/// The allowances of one worker. The table is made for the first query that is limited by something.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    table: Option<Table>,
}

impl Limiter {
    /// Takes a query off the allowances of its client, and tells whether it is beyond one of them.
    ///
    /// Apart, so that queries without a limit save no registers for it.
    #[inline(never)]
    pub(super) fn is_beyond(
        &mut self,
        limit: &RateLimit,
        request: &Request<'_>,
        cookie: &Cookie,
    ) -> bool {
        if source_is_proved(request, cookie) {
            return false;
        }
        match (&mut self.table, request.client) {
            (None, _) => self.look_closer(limit, request, 0),
            (Some(table), IpAddr::V4(client)) => {
                match table.take_surely_ip4(limit, client.to_bits(), request.now) {
                    LENGTHS => false,
                    paid => self.look_closer(limit, request, paid),
                }
            }
            (Some(_), IpAddr::V6(client)) => self.is_beyond_ip6(limit, request, client.to_bits()),
        }
    }

    /// Apart, because it needs more registers.
    #[inline(never)]
    fn is_beyond_ip6(&mut self, limit: &RateLimit, request: &Request<'_>, client: u128) -> bool {
        let Some(table) = &mut self.table else { return false };
        match table.take_surely_ip6(limit, client, request.now) {
            LENGTHS => false,
            paid => self.look_closer(limit, request, paid),
        }
    }

    /// Goes on where so many prefixes of the client have paid.
    #[cold]
    #[inline(never)]
    fn look_closer(&mut self, limit: &RateLimit, request: &Request<'_>, paid: usize) -> bool {
        let table = self.table.get_or_insert_with(Table::new);
        !table.take_rest(paid, limit, request.client, request.now) && !limit.exempts(request.client)
    }
}

/// True if the client has shown that it has the address that the query came from: what is sent there was asked
/// for there.
#[inline(always)]
fn source_is_proved(request: &Request<'_>, cookie: &Cookie) -> bool {
    request.transport != Transport::Udp || matches!(cookie, Cookie::Proved(_))
}

#[cfg(test)]
mod tests;
