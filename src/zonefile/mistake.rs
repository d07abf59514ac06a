//! What can be wrong with a line, and the words for it.

use super::format::Unread;
use crate::trie::digests::{Alphabet, MIN_DIGITS};
use crate::util::text::counted;
use crate::wire::name::{MAX_LABEL, NameError};
use ipnet::IpNet;
use std::fmt;
use std::net::Ipv4Addr;

/// What is wrong with a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mistake {
    /// The line is too long; its beginning was used.
    LongLine,
    /// A word after `$` that means nothing here.
    UnknownSpecial,
    /// The arguments of this special do not parse.
    BadSpecial(Special),
    /// More name servers than count; the others were ignored.
    ManyNameServers,
    /// `$MAXRANGE4` may only get smaller; the line was ignored.
    RaisedMaxRange {
        /// The bound that holds, in addresses.
        from: u32,
        /// The bound of the line, in addresses.
        to: u32,
    },
    /// Not an IPv4 address.
    NotAddress4,
    /// Not an IPv6 address.
    NotAddress6,
    /// A single number, which may be meant as this network.
    BareOctet(IpNet),
    /// A single hexadecimal field, which may be meant as this network.
    BareField(IpNet),
    /// The length after `/` is missing or too large.
    PrefixLength {
        /// The largest length.
        max: u8,
    },
    /// `ip4set` takes no /0.
    ZeroLength,
    /// The two ends of a range have different numbers of octets.
    UnequalRange,
    /// A range ends before it starts.
    BackwardRange,
    /// Something sticks to the address.
    AfterAddress,
    /// The address has bits set below the length of its prefix; the network it lies in.
    HostBits(IpNet),
    /// The range is larger than `$MAXRANGE4`.
    LargeRange {
        /// The number of addresses of the line.
        size: u64,
        /// The most that a line may have.
        max: u32,
    },
    /// `ip4tset` takes single addresses.
    NotSingle4,
    /// `ip6tset` takes /64 networks, and single addresses as exclusions.
    NotSingle6 {
        /// True for an exclusion.
        excluded: bool,
    },
    /// The prefix was listed or excluded before; the first line counts.
    Duplicate(IpNet),
    /// An entry of a kind that the dataset type does not have.
    OtherType,
    /// Neither an address nor a name that can be asked for.
    NoKey,
    /// A line of another form than rbldnsd's that does not say what the form says.
    Unread(Unread),
    /// An IPv6 address in a type of IPv4 addresses.
    Ip6InIp4,
    /// An IPv4 address in a type of IPv6 addresses.
    Ip4InIp6,
    /// A range with blanks around its dash, or with a dash that is not of ASCII, read as the range.
    SpacedRange,
    /// A range of which an end is not written out, read as the range.
    ShortRange,
    /// A range of IPv6 addresses that is no network.
    Range6,
    /// A network with a mask in place of a length, read as this network.
    Netmask(IpNet),
    /// The first and the last address of a network, perhaps with its length, read as this network.
    Columns(IpNet),
    /// Another address behind the key.
    SecondAddress,
    /// What may be a port sticks to the address, and is its A value.
    Port(u8),
    /// The text is what lets a client pass in a map of a mail server.
    PassesInMap,
    /// An IPv4 address among names, beside datasets of IPv4 addresses.
    AddressInNames,
    /// No question is about a v4-mapped address: questions about it are about this network.
    Mapped(IpNet),
    /// The v4-mapped address was read as this network.
    MappedRead(IpNet),
    /// A byte that is no part of a name that is asked for.
    OddName(u8),
    /// A byte that is no digit of the hashes of the list.
    HashDigit {
        /// The byte.
        byte: u8,
        /// Their alphabet.
        alphabet: Alphabet,
    },
    /// A hash of another length than those before, or than the settings say.
    HashLength {
        /// The digits of the line.
        found: usize,
        /// The digits of the others.
        digits: u8,
    },
    /// Not as many digits as a hash has.
    NoHash {
        /// The digits of the line.
        found: usize,
    },
    /// A record without a name.
    NoOwner,
    /// A star as a label of the name of a record.
    Star,
    /// A key has more values than are used.
    ManyValues {
        /// How many are left out.
        values: u64,
    },
    /// The file ends without a newline; its last line was used.
    NoNewline,
    /// The file ends without a newline, and the key or the value of its last line may be cut.
    CutKey,
    /// Commas between name servers.
    CommaInNs,
    /// Not an A value.
    BadA,
    /// The A value is outside 127.0.0.0/8.
    NotLoopback(Ipv4Addr),
    /// Something other than a colon follows the A value.
    AfterA,
    /// The text is too long; its beginning was used.
    LongText,
    /// Neither an action nor a value of an access list.
    BadAction,
    /// The key is longer than a label of a name can be.
    LongKey,
    /// The key has an entry already; this one counts.
    DuplicateKey,
    /// An access list has no records of its own.
    NotInAccessList,
    /// The text ends in what looks like parameters of the entry; it was used as it stands.
    DoubtfulParams,
    /// No domain name where one should be.
    NoName,
    /// Not a domain name.
    BadName(NameError),
    /// No type and data behind the name of a record.
    NoRecord,
    /// A record of a type that `generic` does not have.
    RecordType,
    /// The data of an MX record does not begin with a preference.
    BadPreference,
    /// `$DATASET` in a file of another type than `combined`.
    OnlyInCombined,
    /// A section that is for no subzone; its entries are ignored.
    NoSubzone,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LongLine => {
                write!(f, "the line is longer than {} bytes: the rest was ignored", super::MAX_LINE)
            }
            Self::UnknownSpecial => f.write_str(
                "unknown special: expected $SOA, $NS, $TTL, $TIMESTAMP, $MAXRANGE4, $0 to $9 or $=",
            ),
            Self::BadSpecial(special) => write!(f, "expected `{}`", special.syntax()),
            Self::ManyNameServers => {
                write!(f, "only the first {} name servers are used", super::MAX_NAME_SERVERS)
            }
            Self::RaisedMaxRange { from, to } => {
                write!(f, "$MAXRANGE4 cannot be raised from {from} to {to} addresses: ignored")
            }
            Self::NotAddress4 => f.write_str(
                "not an IPv4 address: expected numbers up to 255, as in 192.0.2.1, 192.0.2, \
                 192.0.2.0/24 or 192.0.2.1-7",
            ),
            Self::NotAddress6 => f.write_str(
                "not an IPv6 address: expected fields up to ffff, as in 2001:db8::1, \
                 2001:db8:1:2 or 2001:db8::/32",
            ),
            Self::BareOctet(net) => {
                write!(f, "a single number is no address: write {net} for the network")
            }
            Self::BareField(net) => {
                write!(f, "a single field is no address: write {net} for the network")
            }
            Self::PrefixLength { max } => {
                write!(f, "expected the length of a prefix, 0 to {max} without zeros before it, after the slash")
            }
            Self::ZeroLength => {
                f.write_str("ip4set takes no /0: write 0-255 if every address is meant")
            }
            Self::UnequalRange => f.write_str(
                "both ends of a range need the same number of octets, or the end just one: \
                 10.1-10.3 or 10.1-3",
            ),
            Self::BackwardRange => f.write_str("the range ends before it starts"),
            Self::AfterAddress => {
                f.write_str("expected a blank, a colon or a comment after the address")
            }
            Self::HostBits(net) => write!(
                f,
                "the address has bits set below its prefix length: write {net} for the network"
            ),
            Self::LargeRange { size, max } => {
                write!(f, "{size} addresses are more than the {max} that $MAXRANGE4 allows")
            }
            Self::NotSingle4 => {
                f.write_str("ip4tset holds single addresses: use ip4set or ip4trie for networks, ranges and exclusions")
            }
            Self::NotSingle6 { excluded: false } => {
                f.write_str("ip6tset holds networks of /64: use ip6trie for others")
            }
            Self::NotSingle6 { excluded: true } => {
                f.write_str("ip6tset excludes single addresses only: expected a whole address")
            }
            Self::Duplicate(net) => {
                write!(f, "{net} has an entry already: the first one counts")
            }
            Self::OtherType => f.write_str("the dataset type holds no such entries"),
            Self::NoKey => f.write_str(
                "neither an address nor a domain name that can be asked for: the line is left out",
            ),
            Self::Unread(unread) => unread.fmt(f),
            Self::Ip6InIp4 => f.write_str(
                "an IPv6 address in a dataset of IPv4 addresses: ip4trie holds both families, and mixed names, too",
            ),
            Self::Ip4InIp6 => f.write_str(
                "an IPv4 address in a dataset of IPv6 addresses: ip4trie holds both families, and mixed names, too",
            ),
            Self::SpacedRange => f.write_str(
                "read as a range: write it with a hyphen and without blanks, as in \
                 192.0.2.1-192.0.2.9",
            ),
            Self::ShortRange => f.write_str(
                "read as a range: write both addresses out, as in 192.0.2.1-192.0.2.9",
            ),
            Self::Range6 => f.write_str(
                "a range of IPv6 addresses that is no network: write the networks it has, as in \
                 2001:db8::/64",
            ),
            Self::Netmask(net) | Self::Columns(net) => write!(f, "read as {net}: write it so"),
            Self::SecondAddress => f.write_str(
                "only the first address is listed, the second one is its text: write \
                 192.0.2.1-192.0.2.9 for a range, or :2: before the text",
            ),
            Self::Port(port) => write!(
                f,
                "listed with the A value 127.0.0.{port}: leave :{port} out if it is a port, or put a \
                 blank before it"
            ),
            Self::PassesInMap => f.write_str(
                "listed, though this word lets a client pass in a map of Postfix or sendmail: write \
                 ! before the key to exclude it, or :2: before the text",
            ),
            Self::AddressInNames => f.write_str(
                "taken for a name, which is the question about the address with its octets reversed: \
                 put addresses into an ip4set or ip4trie",
            ),
            Self::Mapped(net) => write!(
                f,
                "no question reaches a v4-mapped address beside IPv4 lists: put {net} into one of them"
            ),
            Self::MappedRead(net) => write!(
                f,
                "read as {net}, which questions about v4-mapped addresses are about: write it so"
            ),
            Self::OddName(b'/') => {
                f.write_str("a URL or a path is no name: write the host name alone")
            }
            Self::OddName(b'*') => {
                f.write_str("a star stands only in front of a dot: write *.example.com")
            }
            Self::OddName(byte @ 0x80..) => write!(
                f,
                "byte {byte:#x} is part of no name that is asked for: write the name in ASCII, as in \
                 xn--bcher-kva.example"
            ),
            Self::OddName(byte) => write!(
                f,
                "`{}` is part of no name that is asked for: put a blank before a value or a comment",
                char::from(*byte)
            ),
            Self::HashDigit { byte, alphabet } => write!(
                f,
                "`{}` is no digit of {alphabet}, in which the hashes of this list are: write the hash alone, with a \
                 blank before a value; if the list is in another alphabet, set encoding",
                byte.escape_ascii()
            ),
            Self::HashLength { found, digits } => write!(
                f,
                "a hash of {found} digits among hashes of {digits}: nobody asks for it here; fetch the list again \
                 if it was cut, or put the hash into a list of its own"
            ),
            Self::NoHash { found } => write!(
                f,
                "not a hash: it has {found} digits, and a hash has {MIN_DIGITS} to {MAX_LABEL}, or 64 of hex"
            ),
            Self::NoOwner => f.write_str(
                "the line begins with a blank and has no name: write the name, @ for the zone itself",
            ),
            Self::Star => f.write_str(
                "a star stands for itself in a generic dataset: it has no wildcards",
            ),
            Self::ManyValues { values } => write!(
                f,
                "of the values of a key 255 are used, {} left out: use fewer lists in one dataset",
                counted(*values, "more is", "more are")
            ),
            Self::NoNewline => f.write_str(
                "the file ends without a newline: end it with one, or fetch it again if it was cut",
            ),
            Self::CutKey => f.write_str(
                "the file ends without a newline, and the key or the value of this line may be cut: end \
                 the line with a newline, or fetch the file again",
            ),
            Self::CommaInNs => f.write_str("name servers are separated by blanks, not by commas"),
            Self::BadA => {
                f.write_str("expected an A value after the colon, as in :127.0.0.2: or :2:")
            }
            Self::NotLoopback(a) => {
                write!(
                    f,
                    "guard outside-127: the A value {a} is outside 127.0.0.0/8 (RFC 5782 section 2.1): \
                     the line is left out, unless its dataset has allow-any-a = true"
                )
            }
            Self::AfterA => {
                f.write_str("expected a colon and a text after the A value, or the end of the line")
            }
            Self::LongText => {
                write!(f, "the text is longer than {} bytes: it was cut", super::MAX_TEXT)
            }
            Self::BadAction => f.write_str(
                "expected :ignore, :refuse, :empty, :pass, or an A value as in :127.0.0.2:text",
            ),
            Self::LongKey => f.write_str("the key is longer than the 63 bytes of a label"),
            Self::DuplicateKey => {
                f.write_str("this key has an entry already: this one takes its place")
            }
            Self::NotInAccessList => {
                f.write_str("an access list has no $SOA and no $NS: the zone takes them elsewhere")
            }
            Self::DoubtfulParams => f.write_str(
                "taken as a text to its end: parameters are `@ ts=seconds;delay=time;key=require` \
                 or `key=nodelay`",
            ),
            Self::NoName => {
                f.write_str("expected a domain name, as in example.com or *.example.com")
            }
            Self::BadName(error) => write!(f, "not a domain name: {error}"),
            Self::NoRecord => f.write_str(
                "expected a name, perhaps a TTL, a type and its data, as in www 1h A 192.0.2.1",
            ),
            Self::RecordType => f.write_str("expected a record of type A, AAAA, TXT or MX"),
            Self::BadPreference => f.write_str(
                "expected a preference up to 65535 and a name, as in MX 10 mail.example",
            ),
            Self::OnlyInCombined => {
                f.write_str("$DATASET belongs into files of the dataset type combined")
            }
            Self::NoSubzone => f.write_str(
                "the section is for no subzone, its entries are ignored: name some behind the \
                 type, @ for the zone itself",
            ),
        }
    }
}

/// A special whose arguments can be wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Special {
    /// `$SOA`
    Soa,
    /// `$NS`
    Ns,
    /// `$TTL`
    Ttl,
    /// `$TIMESTAMP`
    Timestamp,
    /// `$MAXRANGE4`
    MaxRange4,
    /// `$0` to `$9`, `$=`
    Variable,
    /// `$DATASET`
    Dataset,
}

impl Special {
    fn syntax(self) -> &'static str {
        match self {
            Self::Soa => "$SOA ttl origin person serial refresh retry expire minimum",
            Self::Ns => "$NS ttl name name...",
            Self::Ttl => "$TTL time",
            Self::Timestamp => "$TIMESTAMP yyyy-mm-dd[-hh[-mm[-ss]]] [+time or the same again]",
            Self::MaxRange4 => "$MAXRANGE4 number of addresses, or $MAXRANGE4 /1 to /32",
            Self::Variable => "$0 text to $9 text, or $= text",
            Self::Dataset => "$DATASET type[:name] subzone subzone...",
        }
    }
}
