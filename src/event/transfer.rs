//! What becomes of the transfer of a zone, and its words.

use crate::util::text::age;
use crate::zone::sweep::Unswept;
use std::net::IpAddr;
use std::time::Duration;

/// What came of a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransferOutcome {
    /// The secondary has the zone, whole or by its changes.
    Sent {
        /// The serial.
        serial: u32,
        /// The serial that the changes begin with; `None` if the zone was sent whole.
        since: Option<u32>,
        /// The records, SOA counted as often as it was sent.
        records: u64,
        /// The bytes of the messages.
        bytes: u64,
        /// How long it took.
        took: Duration,
    },
    /// The secondary has a part of it only.
    Unfinished {
        /// The records that it has taken.
        records: u64,
        /// How long it took.
        took: Duration,
    },
    /// The secondary does not get it. Told once until a transfer of the zone begins.
    Refused(TransferRefusal),
}

/// Why a secondary does not get a zone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TransferRefusal {
    /// The zone has more records than a transfer of it may have.
    TooManyRecords {
        /// So many it may have.
        max: u64,
    },
    /// A record of the zone fits into no message.
    LongRecord,
    /// What the zone answers cannot be said in records.
    Unswept(Unswept),
    /// The zone is not served, or not whole.
    NotWhole,
    /// As many transfers as there may be are under way.
    Busy,
    /// It has signed its query, and the signature does not hold: the error (RFC 8945 section 3).
    Unproved(&'static str),
}

impl TransferOutcome {
    /// What is said of the zone that `client` asked for.
    pub(super) fn words(self, client: IpAddr) -> String {
        match self {
            Self::Sent { serial, since, records, bytes, took } => {
                let since =
                    since.map_or_else(String::new, |since| format!("its changes since {since}, "));
                let took = took.as_secs_f64();
                format!(
                    "sent to {client}: serial {serial}, {since}{records} records, {bytes} bytes, in {took:.1} s"
                )
            }
            Self::Unfinished { records, took } => format!(
                "sent to {client} in part: it went away or was too slow after {records} records and {}; it keeps \
                 what it had, and asks again; look at its log, and at the line to it",
                age(took)
            ),
            Self::Refused(refusal) => {
                let (why, remedy) = refusal.words();
                format!("not sent to {client}: {why}; it keeps what it had; {remedy}")
            }
        }
    }
}

impl TransferRefusal {
    /// Why, and what to do.
    fn words(self) -> (String, &'static str) {
        match self {
            Self::TooManyRecords { max } => (
                format!("it has more than {max} records"),
                "raise transfer-max-records of the zone, or write ranges as whole octets or nibbles",
            ),
            Self::LongRecord => (
                "a record of it fits into no message".to_owned(),
                "shorten the longest records of its generic datasets",
            ),
            Self::Unswept(why) => (why.to_string(), "remove transfer from the zone"),
            Self::NotWhole => (
                "it has expired, or one of its datasets was never loaded".to_owned(),
                "`dnsbld status` tells which",
            ),
            Self::Unproved(error) => (
                format!("its signature does not hold ({error})"),
                match error {
                    "BADTIME" => "set the clocks of the two right",
                    _ => "give the two the same key: name, algorithm and secret",
                },
            ),
            Self::Busy => {
                ("too many transfers are under way".to_owned(), "it asks again, and gets it then")
            }
        }
    }
}
