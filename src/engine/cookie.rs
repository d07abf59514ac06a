//! The stage before all others where DNS cookies are on (RFC 7873): what the cookies of a query prove.

use super::{Reason, Request, Transport};
use crate::wire::Rcode;
use crate::wire::cookie::{CookieOption, QueryCookies};
use crate::wire::message::query::{cookie_alone, cookie_data};
use crate::wire::message::response;
use crate::zone::{Catalog, Cookies};

/// What is to be done about the cookies of a query.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cookie {
    /// Nothing: it has none, or cookies are off.
    None,
    /// It has an option of a wrong length, which is FORMERR (RFC 7873 section 5.2.2).
    Malformed,
    /// It proves nothing, and the answer is BADCOOKIE with a cookie that will (RFC 7873 section 5.2.3).
    Demanded(CookieOption),
    /// It proves nothing; the answer has a cookie.
    Unproved(CookieOption),
    /// It proves that the address it came from is the client's own; the answer has a cookie.
    Proved(CookieOption),
}

impl Cookie {
    #[inline(never)]
    pub(super) fn of(cookies: &Cookies, request: &Request<'_>) -> Self {
        let Some(data) = cookie_data(request.query) else { return Self::None };
        let Some(shown) = QueryCookies::parse(data) else { return Self::Malformed };
        let (option, is_proof) = cookies.secrets.answer(shown, request.client, request.now);
        match is_proof {
            true => Self::Proved(option),
            false if cookies.is_demanded && request.transport == Transport::Udp => {
                Self::Demanded(option)
            }
            false => Self::Unproved(option),
        }
    }

    /// The option of the answer.
    #[inline(always)]
    pub(super) fn option(&self) -> Option<&CookieOption> {
        match self {
            Self::None | Self::Malformed => None,
            Self::Demanded(option) | Self::Unproved(option) | Self::Proved(option) => Some(option),
        }
    }

    /// True if the query gets its answer.
    #[inline(always)]
    pub(super) fn is_accepted(&self) -> bool {
        !matches!(self, Self::Malformed | Self::Demanded(_))
    }
}

/// The answer to a message without a question that asks for a cookie, or whether the one it shows holds (RFC 7873
/// section 5.4), written to `out`: its length, and why it is so. `None` for any other message.
pub(super) fn answer_alone(
    catalog: &Catalog,
    request: &Request<'_>,
    out: &mut [u8],
) -> Option<(usize, Reason)> {
    let cookies = catalog.cookies()?;
    let (edns, data) = cookie_alone(request.query)?;
    let shown = QueryCookies::parse(data)?;
    let (option, is_proof) = cookies.secrets.answer(shown, request.client, request.now);
    let (rcode, reason) = match edns.version {
        0 if is_proof || shown.server.is_empty() => (Rcode::NoError, Reason::Chaos),
        0 => (Rcode::BadCookie, Reason::BadCookie),
        _ => (Rcode::BadVers, Reason::BadVers),
    };
    let len = response::cookie_alone(request.query, edns, &option, rcode, out)?;
    Some((len, reason))
}

#[cfg(test)]
mod tests;
