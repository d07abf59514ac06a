//! The entry lines of the dataset types (rbldnsd's manual, "Dataset types and formats").

use super::acl::AclEntries;
use super::diagnostic::Refused;
use super::scan::Scan;
use super::values::Values;
use super::{FatalCause, Kind, Options, Reason, Tally, generic, ip4, ip6};
use crate::listing::addresses::{LayersBuilder, PrefixesBuilder, SetBuilder4, SetBuilder6};
use crate::listing::names::{NamesBuilder, Scope};
use crate::listing::records::RecordsBuilder;
use crate::wire::name::NameBuf;

/// The entries of a dataset so far.
#[derive(Debug)]
pub(super) enum Entries {
    Ip4Set(LayersBuilder),
    Ip4Tset(SetBuilder4),
    Ip4Trie(PrefixesBuilder<u32>, PrefixesBuilder<u128>),
    Ip6Tset(SetBuilder6),
    Ip6Trie(PrefixesBuilder<u128>),
    Dnset(NamesBuilder),
    Acl(AclEntries),
    Generic(RecordsBuilder),
}

impl Entries {
    /// None yet; `None` for a type that has no entries itself.
    pub(super) fn new(kind: Kind, options: &Options) -> Option<Self> {
        Some(match kind {
            Kind::Ip4Set => Self::Ip4Set(LayersBuilder::default()),
            Kind::Ip4Tset => Self::Ip4Tset(SetBuilder4::default()),
            Kind::Ip4Trie => Self::Ip4Trie(PrefixesBuilder::default(), PrefixesBuilder::default()),
            Kind::Ip6Tset => Self::Ip6Tset(SetBuilder6::default()),
            Kind::Ip6Trie => Self::Ip6Trie(PrefixesBuilder::default()),
            Kind::Dnset => Self::Dnset(NamesBuilder::new(options.threads)),
            Kind::Acl => Self::Acl(AclEntries::clients()),
            Kind::AclKey => Self::Acl(AclEntries::keys()),
            Kind::Generic => Self::Generic(RecordsBuilder::default()),
            Kind::Combined => return None,
        })
    }

    /// The entries by size or scope.
    pub(super) fn tally(&self) -> Tally {
        match self {
            Self::Ip4Set(set) => Tally::Blocks(set.blocks()),
            Self::Ip6Tset(set) => {
                let (listed, excluded) = set.counts();
                Tally::Networks { listed, excluded }
            }
            Self::Dnset(names) => {
                let (itself, below) = names.scopes();
                Tally::Names { itself, below }
            }
            _ => Tally::Plain,
        }
    }

    /// True if a line that starts like this sets the default value.
    pub(super) fn is_default_line(&self, scan: &Scan<'_>) -> bool {
        if let Self::Acl(acl) = self {
            return acl.is_default_line(scan);
        }
        let may_be_ip6 = matches!(self, Self::Ip4Trie(..) | Self::Ip6Trie(_));
        scan.peek() == b':'
            && !(may_be_ip6 && scan.peek_second() == b':')
            && !matches!(self, Self::Generic(_))
    }

    /// Takes a default line. A reason returned is a warning only.
    pub(super) fn default_line(
        &mut self,
        scan: &mut Scan<'_>,
        values: &mut Values,
    ) -> Result<Option<Reason>, Refused> {
        match self {
            Self::Acl(acl) => acl.default_line(scan, values),
            _ => values.default_line(scan),
        }
    }

    /// Takes an entry; `place` is the number of the entry in the files. A reason returned is a
    /// warning only.
    pub(super) fn line(
        &mut self,
        scan: &mut Scan<'_>,
        values: &mut Values,
        rules: Rules<'_>,
        place: u32,
    ) -> Result<Option<Reason>, Refused> {
        match self {
            Self::Ip4Set(set) => {
                let excluded = eat_exclusion(scan);
                let block = ip4::range(scan)?;
                end_of_address(scan)?;
                if block.len == 0 {
                    return Err(Reason::ZeroLength.into());
                }
                let start = rules.network4(block.start, block.len)?;
                rules.check_size(start, block.end)?;
                let (value, warning) = values.of_entry(excluded, scan)?;
                set.add_range(start, block.end, value);
                Ok(warning)
            }
            Self::Ip4Tset(set) => {
                let (address, len) = ip4::prefix(scan)?;
                if len < 32 {
                    return Err(Reason::NotSingle4.into());
                }
                end_of_address(scan)?;
                set.add(address);
                Ok(None)
            }
            Self::Ip4Trie(trie4, trie6) => {
                let excluded = eat_exclusion(scan);
                match cidr_of_any_family(scan)? {
                    Prefix::Ip4(address, len) => {
                        end_of_address(scan)?;
                        let start = rules.network4(address, len)?;
                        rules.check_size(start, start | ip4::host_mask(len))?;
                        let (value, warning) = values.of_entry(excluded, scan)?;
                        trie4.add(start, len, values.answer(value), place);
                        Ok(warning)
                    }
                    Prefix::Ip6(address, len) => {
                        end_of_address(scan)?;
                        let start = rules.network6(address, len)?;
                        let (value, warning) = values.of_entry(excluded, scan)?;
                        let answer = values.answer(value);
                        match mapped_ip4(start, len) {
                            Some((start, len)) => trie4.add(start, len, answer, place),
                            None => trie6.add(start, len, answer, place),
                        }
                        Ok(warning)
                    }
                }
            }
            Self::Ip6Tset(set) => {
                let excluded = eat_exclusion(scan);
                let (address, len) = ip6::prefix(scan)?;
                end_of_address(scan)?;
                match (excluded, len) {
                    (false, 64) => set.add(address),
                    (true, 128) => set.exclude(address),
                    _ => return Err(Reason::NotSingle6 { excluded }.into()),
                }
                Ok(None)
            }
            Self::Ip6Trie(trie) => {
                let excluded = eat_exclusion(scan);
                let (address, len) = ip6::cidr(scan)?;
                end_of_address(scan)?;
                let start = rules.network6(address, len)?;
                let (value, warning) = values.of_entry(excluded, scan)?;
                trie.add(start, len, values.answer(value), place);
                Ok(warning)
            }
            Self::Dnset(names) => {
                let excluded = eat_exclusion(scan);
                let (name, scope) = scoped_name(scan)?;
                let (value, warning) = values.of_entry(excluded, scan)?;
                names.add(name.as_wire(), scope, value).map_err(|_| FatalCause::TooLarge)?;
                Ok(warning)
            }
            Self::Acl(acl) => acl.line(scan, values, rules, place),
            Self::Generic(records) => generic::line(scan, rules.ttl, rules.options, records),
        }
    }
}

/// What bounds the entries of a dataset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'o> {
    pub(super) options: &'o Options,
    pub(super) max_range: Option<u32>,
    /// The TTL where an entry gives none.
    pub(super) ttl: u32,
}

impl Rules<'_> {
    pub(super) fn network4(self, address: u32, len: u8) -> Result<u32, Reason> {
        let network = address & !ip4::host_mask(len);
        let good = network == address || self.options.accept_host_bits;
        good.then_some(network).ok_or(Reason::HostBits)
    }

    pub(super) fn network6(self, address: u128, len: u8) -> Result<u128, Reason> {
        let network = address & !ip6::host_mask(len);
        let good = network == address || self.options.accept_host_bits;
        good.then_some(network).ok_or(Reason::HostBits)
    }

    pub(super) fn check_size(self, start: u32, end: u32) -> Result<(), Reason> {
        let size = u64::from(end - start) + 1;
        match self.max_range {
            Some(max) if size > u64::from(max) => Err(Reason::LargeRange { size, max }),
            _ => Ok(()),
        }
    }
}

enum Prefix {
    Ip4(u32, u8),
    Ip6(u128, u8),
}

/// What is no IPv4 prefix may be an IPv6 one, as in the rspamd fork's `ip4trie`. It needs a colon:
/// a slip like 10/88 is not taken for 10::/88.
fn cidr_of_any_family(scan: &mut Scan<'_>) -> Result<Prefix, Reason> {
    let start = scan.clone();
    match ip4::cidr(scan) {
        Ok((address, len)) => Ok(Prefix::Ip4(address, len)),
        Err(_) if start.clone().word().contains(&b':') => {
            *scan = start;
            ip6::cidr(scan).map(|(address, len)| Prefix::Ip6(address, len))
        }
        Err(reason) => Err(reason),
    }
}

/// A prefix below `::ffff:0:0/96` speaks of IPv4 addresses (RFC 4291 section 2.5.5.2), as queries
/// for such addresses do.
pub(super) fn mapped_ip4(start: u128, len: u8) -> Option<(u32, u8)> {
    (start >> 32 == 0xffff && len >= 96).then(|| (start as u32, len - 96))
}

fn eat_exclusion(scan: &mut Scan<'_>) -> bool {
    let excluded = scan.eat(b'!');
    if excluded {
        scan.skip_blanks();
    }
    excluded
}

pub(super) fn end_of_address(scan: &Scan<'_>) -> Result<(), Reason> {
    match scan.peek() {
        0 | b' ' | b'\t' | b'#' | b';' | b':' => Ok(()),
        _ => Err(Reason::AfterAddress),
    }
}

/// The name of a `dnset` entry in lower case: `name`, `.name` or `*.name`.
pub(super) fn scoped_name(scan: &mut Scan<'_>) -> Result<(NameBuf, Scope), Reason> {
    let scope = if scan.eat(b'.') {
        Scope::Both
    } else if scan.peek() == b'*' && scan.peek_second() == b'.' {
        scan.skip(2);
        Scope::Below
    } else {
        Scope::Itself
    };
    let start = scan.clone();
    let name = NameBuf::from_text(scan.word()).map_err(Reason::BadName);
    match name {
        Ok(name) if !name.is_root() => Ok((name.to_lowercase(), scope)),
        refused => {
            *scan = start;
            Err(refused.err().unwrap_or(Reason::NoName))
        }
    }
}
