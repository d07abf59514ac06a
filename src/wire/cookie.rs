//! DNS cookies (RFC 7873), made as all servers of an address make them (RFC 9018).
//!
//! A client sends a cookie of its own. The server sends it back with another: a keyed hash of it, of the client's
//! address and of the time. Who shows both later has received the answer, so the address is not forged.

use siphasher::sip::SipHasher24;
use std::fmt;
use std::hash::Hasher;
use std::net::IpAddr;

/// The code of the option (RFC 7873 section 4).
pub(super) const COOKIE: u16 = 10;

/// A cookie that a client makes.
pub type ClientCookie = [u8; 8];

/// The option of an answer: code, length, the client's cookie and the server's.
pub type CookieOption = [u8; 4 + 8 + 16];

/// How old a cookie may be, in seconds, and how far from the future (RFC 9018 section 4.3).
const MAX_AGE: i32 = 3600;
const MAX_LEAD: i32 = 300;

/// An older one is renewed, in seconds (RFC 9018 section 4.3).
const RENEWED_AT: i32 = 1800;

/// Version 1, and the reserved bytes (RFC 9018 section 4).
const VERSION: [u8; 4] = [1, 0, 0, 0];

/// The cookies of a query.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueryCookies<'a> {
    /// The client's.
    pub client: &'a ClientCookie,
    /// What it takes for the server's; empty if it knows none.
    pub server: &'a [u8],
}

impl<'a> QueryCookies<'a> {
    /// Reads the data of an option; `None` if it has no length of these (RFC 7873 section 5.2.2).
    pub fn parse(data: &'a [u8]) -> Option<Self> {
        let (client, server) = data.split_first_chunk()?;
        matches!(server.len(), 0 | 8..=32).then_some(Self { client, server })
    }
}

/// A key of 128 bits that server cookies are made with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CookieSecret(pub [u8; 16]);

/// Never shown, not even in a message about a fault.
impl fmt::Debug for CookieSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieSecret")
    }
}

impl CookieSecret {
    /// The hash at the end of a cookie that begins with `head` (RFC 9018 section 4.4).
    fn hash(&self, client: &ClientCookie, head: &[u8], address: IpAddr) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(client);
        hasher.write(head);
        match address.to_canonical() {
            IpAddr::V4(address) => hasher.write(&address.octets()),
            IpAddr::V6(address) => hasher.write(&address.octets()),
        }
        hasher.finish()
    }
}

/// The secrets of a server, or of all servers that answer for one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CookieSecrets {
    /// New cookies are made with this one.
    pub active: CookieSecret,
    /// Cookies made with this one hold, too: the next secret, or the one before (RFC 9018 section 5).
    pub other: Option<CookieSecret>,
}

impl CookieSecrets {
    /// The option for the answer to a client at this address, at a time in seconds since 1970; and whether the
    /// cookies of the query show that the address is the client's own.
    pub fn answer(
        &self,
        cookies: QueryCookies<'_>,
        address: IpAddr,
        now: u64,
    ) -> (CookieOption, bool) {
        // Times are compared as serial numbers are (RFC 1982).
        let now = now as u32;
        let known = self.check(cookies, address, now);
        let server = match known {
            Some(Known { cookie, is_fresh: true }) => *cookie,
            _ => self.make(cookies.client, address, now),
        };
        let mut option = CookieOption::default();
        option[..4].copy_from_slice(&[0, COOKIE as u8, 0, (size_of::<CookieOption>() - 4) as u8]);
        option[4..12].copy_from_slice(cookies.client);
        option[12..].copy_from_slice(&server);
        (option, known.is_some())
    }

    /// A server's cookie of this time.
    fn make(&self, client: &ClientCookie, address: IpAddr, now: u32) -> ServerCookie {
        let mut cookie = ServerCookie::default();
        cookie[..4].copy_from_slice(&VERSION);
        cookie[4..8].copy_from_slice(&now.to_be_bytes());
        let hash = self.active.hash(client, &cookie[..8], address);
        cookie[8..].copy_from_slice(&hash.to_le_bytes());
        cookie
    }

    /// The server's cookie of a query, if it was made with one of the secrets, for this client and address, and
    /// not too long ago.
    fn check<'a>(&self, cookies: QueryCookies<'a>, address: IpAddr, now: u32) -> Option<Known<'a>> {
        let cookie: &ServerCookie = cookies.server.try_into().ok()?;
        let (head, hash) = cookie.split_last_chunk()?;
        let (&version, made) = (head.first()?, head.last_chunk()?);
        let age = now.wrapping_sub(u32::from_be_bytes(*made)).cast_signed();
        if version != VERSION[0] || !(-MAX_LEAD..=MAX_AGE).contains(&age) {
            return None;
        }
        let is_of = |secret: &CookieSecret| {
            secret.hash(cookies.client, head, address) == u64::from_le_bytes(*hash)
        };
        let is_of_active = is_of(&self.active);
        let is_known = is_of_active || self.other.as_ref().is_some_and(is_of);
        is_known.then_some(Known { cookie, is_fresh: is_of_active && age < RENEWED_AT })
    }
}

/// Version, three reserved bytes, the time and the hash (RFC 9018 section 4).
type ServerCookie = [u8; 16];

/// A server's cookie that holds.
#[derive(Clone, Copy)]
struct Known<'a> {
    cookie: &'a ServerCookie,
    /// It need not be renewed.
    is_fresh: bool,
}

#[cfg(test)]
mod tests;
