//! The keys of entry lines in rbldnsd's format (rbldnsd's manual, "Dataset types and formats").

use super::entry::EntryKey;
use super::scan::{Scan, is_blank};
use super::{Dialect, HashForm, Kind, Mistake, hashes, ip4, ip6, native};
use crate::listing::names::Scope;
use crate::wire::name::{MAX_LABEL, NameBuf};

/// The key of an entry line.
pub(super) struct ReadKey<'k> {
    pub(super) key: EntryKey<'k>,
    pub(super) is_excluded: bool,
    /// What to tell about it.
    pub(super) warning: Option<Mistake>,
}

/// Reads the key of an entry of this type. A domain name, or the label of a hash of this form, is put into `name`.
pub(super) fn read<'k, 't: 'k>(
    kind: Kind,
    dialect: Dialect,
    hash: HashForm,
    scan: &mut Scan<'t>,
    name: &'k mut NameBuf,
) -> Result<ReadKey<'k>, Mistake> {
    let is_native = dialect == Dialect::Native;
    if is_native && kind == Kind::Ip4Tset && scan.peek() == b'!' {
        return Err(Mistake::NotSingle4);
    }
    let can_exclude = !matches!(kind, Kind::Ip4Tset | Kind::Acl | Kind::AclKey);
    let is_excluded = can_exclude && eat_exclusion(scan);
    let start = scan.clone();
    if is_native && let Some((key, warning)) = native::range(kind, scan)? {
        return Ok(ReadKey { key, is_excluded, warning });
    }
    let key = match kind {
        Kind::Ip4Set => ip4::range(scan),
        Kind::Ip4Tset => ip4::prefix(scan).map(|(address, len)| EntryKey::Prefix4 { address, len }),
        Kind::Ip4Trie => of_any_family(scan),
        Kind::Ip6Tset => ip6::prefix(scan).map(|(address, len)| EntryKey::Prefix6 { address, len }),
        Kind::Ip6Trie => prefix6(scan),
        Kind::Acl => client(scan),
        Kind::AclKey => {
            let key = EntryKey::AccessKey(access_key(scan)?);
            return Ok(ReadKey { key, is_excluded, warning: None });
        }
        Kind::Hashset => {
            *name = hashes::read(scan, hash)?;
            let key = EntryKey::Name { name: name.as_wire(), scope: Scope::Itself };
            let (key, warning) = native::behind(key, kind, is_excluded, scan);
            return Ok(ReadKey { key, is_excluded, warning });
        }
        Kind::Mixed => match address_or_none(scan) {
            Ok(Some(key)) => Ok(key),
            Ok(None) => return read_name(kind, is_native, is_excluded, scan, name),
            Err(reason) => Err(reason),
        },
        Kind::Dnset | Kind::Generic | Kind::Combined => {
            return read_name(kind, is_native, is_excluded, scan, name);
        }
    };
    let (key, warning) = match key.and_then(|key| ended(key, scan)) {
        Ok(key) if is_native && kind != Kind::Acl => native::behind(key, kind, is_excluded, scan),
        Ok(key) => (key, None),
        Err(reason) => {
            let mut again = start.clone();
            let read = is_native.then(|| native::instead(kind, &mut again)).flatten();
            let Some(read) = read else {
                let other = native::other_family(kind, start.rest());
                if other.is_some() {
                    *scan = start;
                }
                return Err(other.unwrap_or(reason));
            };
            *scan = again;
            read
        }
    };
    let spelled = &start.rest()[..scan.at() - start.at()];
    if is_native && native::has_padded_length(spelled) {
        let max = if matches!(key, EntryKey::Prefix6 { .. }) { 128 } else { 32 };
        return Err(Mistake::PrefixLength { max });
    }
    Ok(ReadKey { key, is_excluded, warning })
}

fn read_name<'k>(
    kind: Kind,
    is_native: bool,
    is_excluded: bool,
    scan: &mut Scan<'_>,
    name: &'k mut NameBuf,
) -> Result<ReadKey<'k>, Mistake> {
    let scope;
    (*name, scope) = match is_native {
        true => native::scoped_name(scan, scoped_name)?,
        false => scoped_name(scan)?,
    };
    let key = EntryKey::Name { name: name.as_wire(), scope };
    let (key, warning) = match is_native {
        true => native::behind(key, kind, is_excluded, scan),
        false => (key, None),
    };
    Ok(ReadKey { key, is_excluded, warning })
}

fn prefix4(scan: &mut Scan<'_>) -> Result<EntryKey<'static>, Mistake> {
    ip4::cidr(scan).map(|(address, len)| EntryKey::Prefix4 { address, len })
}

fn prefix6(scan: &mut Scan<'_>) -> Result<EntryKey<'static>, Mistake> {
    ip6::cidr(scan).map(|(address, len)| EntryKey::Prefix6 { address, len })
}

/// What is no IPv4 prefix may be an IPv6 one, as in the rspamd fork's `ip4trie`. It needs a colon:
/// a slip like 10/88 is not taken for 10::/88.
fn of_any_family(scan: &mut Scan<'_>) -> Result<EntryKey<'static>, Mistake> {
    let start = scan.clone();
    match prefix4(scan) {
        Err(_) if start.clone().word().contains(&b':') => {
            *scan = start;
            prefix6(scan)
        }
        read => read,
    }
}

/// An address if the word is one; none for a name.
fn address_or_none(scan: &mut Scan<'_>) -> Result<Option<EntryKey<'static>>, Mistake> {
    let word = scan.clone().word();
    let is_part4 = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'/' | b'-');
    let end4 = word.iter().position(|byte| !is_part4(byte)).unwrap_or(word.len());
    let is_ip4 = end4 > 0 && matches!(word.get(end4), None | Some(b':' | b'#' | b';'));
    let is_part6 = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
    let end6 = word.iter().position(|byte| !is_part6(byte)).unwrap_or(word.len());
    let (address, rest) = word.split_at(end6);
    // Octets stand behind all colons, the labels of a name with a value before them.
    let last_colon = memchr::memrchr(b':', address);
    let is_ip6 = memchr::memchr(b':', address) < last_colon
        && memchr::memchr(b'.', address).is_none_or(|dot| Some(dot) > last_colon)
        && matches!(rest.first(), None | Some(b'/' | b'#' | b';'));
    if is_ip4 || is_ip6 { of_any_family(scan).map(Some) } else { Ok(None) }
}

/// An IPv4 prefix, or what is none as an IPv6 prefix: so 10/88 is 10::/88 here, as in rbldnsd.
fn client(scan: &mut Scan<'_>) -> Result<EntryKey<'static>, Mistake> {
    type Reader = fn(&mut Scan<'_>) -> Result<EntryKey<'static>, Mistake>;
    let start = scan.clone();
    let whole = |read: Reader, scan: &mut Scan<'_>| read(scan).and_then(|key| ended(key, scan));
    let reason4 = match whole(prefix4, scan) {
        Ok(key) => return Ok(key),
        Err(reason) => reason,
    };
    let after_ip4 = std::mem::replace(scan, start.clone());
    match whole(prefix6, scan) {
        Err(_) if !start.clone().word().contains(&b':') => {
            *scan = after_ip4;
            Err(reason4)
        }
        read => read,
    }
}

fn eat_exclusion(scan: &mut Scan<'_>) -> bool {
    let excluded = scan.eat(b'!');
    if excluded {
        scan.skip_blanks();
    }
    excluded
}

/// The key, if an address may end where it does.
fn ended(key: EntryKey<'static>, scan: &Scan<'_>) -> Result<EntryKey<'static>, Mistake> {
    if scan.is_end_of_address() { Ok(key) } else { Err(Mistake::AfterAddress) }
}

/// The name of a `dnset` entry in lower case: `name`, `.name` or `*.name`.
pub(super) fn scoped_name(scan: &mut Scan<'_>) -> Result<(NameBuf, Scope), Mistake> {
    let scope = if scan.eat(b'.') {
        Scope::Both
    } else if scan.peek() == b'*' && scan.peek_second() == b'.' {
        scan.skip(2);
        Scope::Below
    } else {
        Scope::Itself
    };
    let start = scan.clone();
    let name = NameBuf::from_text(scan.word()).map_err(Mistake::BadName);
    match name {
        Ok(name) if !name.is_root() => Ok((name.to_lowercase(), scope)),
        refused => {
            *scan = start;
            Err(refused.err().unwrap_or(Mistake::NoName))
        }
    }
}

/// A key of an `aclkey` dataset: the last label before the apex.
fn access_key<'k>(scan: &mut Scan<'k>) -> Result<&'k [u8], Mistake> {
    let rest = scan.rest();
    let end = |&byte: &u8| is_blank(byte) || matches!(byte, b':' | b'=');
    let key = &rest[..rest.iter().position(end).unwrap_or(rest.len())];
    if key.len() > MAX_LABEL {
        return Err(Mistake::LongKey);
    }
    scan.skip(key.len());
    Ok(key)
}
