//! Numbers of the protocol: types, classes, response codes.

/// A record type or query type (RFC 1035 section 3.2.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Type(pub u16);

impl Type {
    /// An IPv4 address.
    pub const A: Self = Self(1);
    /// An authoritative name server.
    pub const NS: Self = Self(2);
    /// The start of a zone of authority.
    pub const SOA: Self = Self(6);
    /// The kind of a host (RFC 1035 section 3.3.2), which nobody asks for any more.
    pub const HINFO: Self = Self(13);
    /// The name that is meant (RFC 1035 section 3.3.12).
    pub const PTR: Self = Self(12);
    /// A mail exchange.
    pub const MX: Self = Self(15);
    /// Text strings.
    pub const TXT: Self = Self(16);
    /// An IPv6 address (RFC 3596).
    pub const AAAA: Self = Self(28);
    /// The EDNS pseudo record (RFC 6891).
    pub const OPT: Self = Self(41);
    /// The signature of a message (RFC 8945).
    pub const TSIG: Self = Self(250);
    /// The first of the types that ask for something other than records: TSIG, IXFR, AXFR,
    /// MAILB, MAILA (RFC 6895 section 3.1).
    pub const FIRST_META: Self = Self(250);
    /// A query for the changes of a zone (RFC 1995).
    pub const IXFR: Self = Self(251);
    /// A query for the whole zone (RFC 5936).
    pub const AXFR: Self = Self(252);
    /// A query for all records.
    pub const ANY: Self = Self(255);
}

/// A record class or query class (RFC 1035 section 3.2.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Class(pub u16);

impl Class {
    /// The Internet.
    pub const IN: Self = Self(1);
    /// Chaos, used for questions about the server itself (RFC 4892).
    pub const CH: Self = Self(3);
    /// Any class.
    pub const ANY: Self = Self(255);
}

/// Why an answer is what it is: an extended DNS error (RFC 8914 section 5.2, and IANA's registry).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum ExtendedError {
    /// The answer is made of data that should have been renewed.
    StaleAnswer = 3,
    /// The server cannot answer yet.
    NotReady = 14,
    /// The client may not ask.
    Prohibited = 18,
    /// The client asks too often.
    RateLimited = 31,
    /// The client has asked more than it may in this period.
    OverQuota = 32,
}

impl ExtendedError {
    /// What people are told beside the code (RFC 8914 section 2): what the code alone leaves open.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::StaleAnswer => "the data of the zone is overdue",
            _ => "",
        }
    }
}

/// A response code (RFC 1035 section 4.1.1, RFC 6891 section 9).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Rcode {
    /// No error; without records of the type asked this is "no data" (RFC 2308).
    NoError = 0,
    /// The message could not be understood.
    FormErr = 1,
    /// The zone cannot be answered for now.
    ServFail = 2,
    /// The name does not exist and nothing exists below it (RFC 8020).
    NxDomain = 3,
    /// The kind of query is not implemented.
    NotImp = 4,
    /// The server does not answer this.
    Refused = 5,
    /// The request is signed, and the signature does not hold (RFC 8945 section 5.2); the server is not
    /// authoritative for the zone (RFC 2136 section 2.2).
    NotAuth = 9,
    /// The EDNS version is not known; needs an OPT record to be expressed.
    BadVers = 16,
    /// The client has to show the cookie of the answer (RFC 7873 section 5.2.3).
    BadCookie = 23,
}

impl Rcode {
    /// All of them, those that are seen most first.
    pub const ALL: [Self; 9] = [
        Self::NoError,
        Self::NxDomain,
        Self::ServFail,
        Self::Refused,
        Self::FormErr,
        Self::NotImp,
        Self::NotAuth,
        Self::BadVers,
        Self::BadCookie,
    ];

    /// The mnemonic (IANA, DNS RCODEs).
    pub fn name(self) -> &'static str {
        match self {
            Self::NoError => "NOERROR",
            Self::FormErr => "FORMERR",
            Self::ServFail => "SERVFAIL",
            Self::NxDomain => "NXDOMAIN",
            Self::NotImp => "NOTIMP",
            Self::Refused => "REFUSED",
            Self::NotAuth => "NOTAUTH",
            Self::BadVers => "BADVERS",
            Self::BadCookie => "BADCOOKIE",
        }
    }
}
