//! Lines that say something else to their authors than to rbldnsd, in [`Dialect::Native`]: what is
//! plain is read as it is meant, what is not is told.

use super::entry::{EntryKey, net4, net6};
use super::scan::{Scan, is_blank};
use super::{Kind, Mistake, ip4, ip6};
use crate::listing::names::Scope;
use crate::wire::name::NameBuf;
use std::net::Ipv6Addr;

#[cfg(doc)]
use super::Dialect;

/// A key, and what to tell about it.
pub(super) type Reading = (EntryKey<'static>, Option<Mistake>);

/// Reads the key that rbldnsd does not read here; the cursor moves only if there is one.
pub(super) fn instead(kind: Kind, scan: &mut Scan<'_>) -> Option<Reading> {
    let masks = matches!(kind, Kind::Ip4Set | Kind::Ip4Trie | Kind::Mixed | Kind::Acl);
    let tails = matches!(kind, Kind::Ip4Trie | Kind::Ip6Trie | Kind::Mixed | Kind::Acl);
    let mut try_each = |reader: fn(&mut Scan<'_>) -> Option<Reading>| {
        let mut ahead = scan.clone();
        let read = reader(&mut ahead)?;
        if !ahead.is_end_of_address() {
            return None;
        }
        *scan = ahead;
        Some(read)
    };
    let cidr4 = |scan: &mut Scan<'_>| {
        let (address, len) = ip4::cidr(scan).ok()?;
        Some((EntryKey::Prefix4 { address, len }, None))
    };
    let cidr6 = |scan: &mut Scan<'_>| {
        let (address, len) = ip6::cidr(scan).ok()?;
        Some((EntryKey::Prefix6 { address, len }, None))
    };
    match kind {
        Kind::Ip4Tset => return try_each(cidr4),
        Kind::Ip6Tset => return try_each(cidr6),
        _ => {}
    }
    let read = masks.then(|| try_each(netmask)).flatten();
    read.or_else(|| tails.then(|| try_each(with_tail)).flatten())
}

/// Reads a range that rbldnsd does not read here: with blanks around its dash, with a dash of another
/// script than ASCII, in another type than `ip4set`, or of IPv6 addresses. The cursor moves only if
/// there is one.
pub(super) fn range(kind: Kind, scan: &mut Scan<'_>) -> Result<Option<Reading>, Mistake> {
    let mut ahead = scan.clone();
    let mut read = if kind.lists_ip4() { range4(kind, &mut ahead)? } else { None };
    if read.is_none() && kind.lists_ip6() {
        ahead = scan.clone();
        read = range6(&mut ahead)?;
    }
    if read.is_some() {
        *scan = ahead;
    }
    Ok(read)
}

fn range4(kind: Kind, scan: &mut Scan<'_>) -> Result<Option<Reading>, Mistake> {
    let Ok((start, bits)) = ip4::prefix(scan) else { return Ok(None) };
    let Some(dash) = dash(scan) else { return Ok(None) };
    let is_ours = dash == Dash::Loose || kind != Kind::Ip4Set;
    let Ok((end, end_bits)) = ip4::prefix(scan) else { return Ok(None) };
    if !is_ours || bits == 8 || !scan.is_end_of_address() {
        return Ok(None);
    }
    let (end, warning) = match (end_bits == bits, dash) {
        (true, Dash::Loose) => (end, Some(Mistake::SpacedRange)),
        (true, Dash::Tight) if bits == 32 => (end, None),
        (true, Dash::Tight) => (end, Some(Mistake::ShortRange)),
        // A single number is the new value of the last octet given.
        (false, Dash::Tight) if end_bits == 8 => {
            let kept = start & !ip4::host_mask(bits - 8);
            (end >> (bits - 8) | kept, Some(Mistake::ShortRange))
        }
        (false, Dash::Tight) => return Err(Mistake::UnequalRange),
        (false, Dash::Loose) => return Ok(None),
    };
    let end = end | ip4::host_mask(bits);
    if start > end {
        return Err(Mistake::BackwardRange);
    }
    Ok(Some((EntryKey::Range4 { start, end }, warning)))
}

/// Two IPv6 addresses are a network or nothing: no type has ranges of them.
fn range6(scan: &mut Scan<'_>) -> Result<Option<Reading>, Mistake> {
    let Ok((start, bits @ 17..)) = ip6::prefix(scan) else { return Ok(None) };
    if dash(scan).is_none() {
        return Ok(None);
    }
    let Ok((end, end_bits)) = ip6::prefix(scan) else { return Ok(None) };
    if end_bits != bits || !scan.is_end_of_address() {
        return Ok(None);
    }
    let end = end | ip6::host_mask(bits);
    if start > end {
        return Err(Mistake::BackwardRange);
    }
    let len = (start ^ end).leading_zeros() as u8;
    let host = ip6::host_mask(len);
    if start & host != 0 || end & host != host {
        return Err(Mistake::Range6);
    }
    let key = EntryKey::Prefix6 { address: start, len };
    Ok(Some((key, Some(Mistake::Columns(net6(start, len))))))
}

/// How two addresses are joined.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dash {
    /// By a hyphen alone.
    Tight,
    /// With blanks, or by a dash that is not of ASCII.
    Loose,
}

/// Skips a dash and the blanks around it.
fn dash(scan: &mut Scan<'_>) -> Option<Dash> {
    let is_loose = scan.is_blank();
    scan.skip_blanks();
    let len = dash_len(scan.rest())?;
    scan.skip(len);
    let is_loose = is_loose || len > 1 || scan.is_blank();
    scan.skip_blanks();
    Some(if is_loose { Dash::Loose } else { Dash::Tight })
}

/// The length of the dash that a text begins with: a hyphen, U+2010 to U+2015 or U+2212.
fn dash_len(text: &[u8]) -> Option<usize> {
    match text {
        [b'-', ..] => Some(1),
        [0xe2, 0x80, 0x90..=0x95, ..] | [0xe2, 0x88, 0x92, ..] => Some(3),
        _ => None,
    }
}

/// An IPv6 address that ends in an IPv4 one (RFC 4291 section 2.2), perhaps with a length.
fn with_tail(scan: &mut Scan<'_>) -> Option<Reading> {
    let rest = scan.rest();
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let end = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
    let text = str::from_utf8(&rest[..end]).ok().filter(|text| text.contains('.'))?;
    let address: Ipv6Addr = text.parse().ok()?;
    scan.skip(end);
    let len = if scan.eat(b'/') { scan.number(128)? as u8 } else { 128 };
    Some((EntryKey::Prefix6 { address: address.to_bits(), len }, None))
}

/// `192.0.2.0/255.255.255.0`
fn netmask(scan: &mut Scan<'_>) -> Option<Reading> {
    let (address, _) = ip4::prefix(scan).ok()?;
    let (mask, bits) = scan.eat(b'/').then(|| ip4::prefix(scan).ok())??;
    let len = mask.leading_ones() as u8;
    let is_mask = bits == 32 && mask == !ip4::host_mask(len);
    is_mask
        .then(|| (EntryKey::Prefix4 { address, len }, Some(Mistake::Netmask(net4(address, len)))))
}

/// Looks at what follows the key of an entry for IPv4 addresses or names, which may make another
/// key of it. A column that belongs to it is skipped.
pub(super) fn behind<'k>(
    key: EntryKey<'k>,
    kind: Kind,
    is_excluded: bool,
    scan: &mut Scan<'_>,
) -> (EntryKey<'k>, Option<Mistake>) {
    let rest = scan.rest();
    // An exclusion has no value.
    let of_value = |reason: Option<Mistake>| reason.filter(|_| !is_excluded);
    let next = rest.trim_ascii_start();
    if let Some(dash) = dash_len(next) {
        let end = next[dash..].trim_ascii_start();
        let doubt = match key {
            EntryKey::Prefix4 { .. } => is_number_or_address(end),
            EntryKey::Prefix6 { .. } => matches!(ip6::fields(end), Ok((_, 17.., _))),
            _ => false,
        };
        return (key, doubt.then_some(Mistake::SecondAddress));
    }
    let may_have_port = match key {
        EntryKey::Prefix4 { len, .. } => len == 32 && kind != Kind::Ip4Tset,
        EntryKey::Name { .. } => true,
        _ => false,
    };
    if let Some(port) = port(rest).filter(|_| may_have_port) {
        return (key, of_value(Some(Mistake::Port(port))));
    }
    let EntryKey::Prefix4 { address, len: 32 } = key else {
        return (key, of_value(map_word(next)));
    };
    let Some((second, after)) = whole_address(next) else {
        return (key, of_value(map_word(next)));
    };
    let mut third = Scan::new(after.trim_ascii_start());
    let len = third.number(32).filter(|_| third.is_end() || third.is_blank());
    match len.map(|len| len as u8) {
        Some(len) if second == address | ip4::host_mask(len) => {
            scan.skip(rest.len());
            (EntryKey::Prefix4 { address, len }, Some(Mistake::Columns(net4(address, len))))
        }
        _ => (key, Some(Mistake::SecondAddress)),
    }
}

/// True if a text is an address or the end of one, or begins with a whole one.
fn is_number_or_address(text: &[u8]) -> bool {
    let Ok((_, bits, end)) = ip4::octets(text) else { return false };
    match text.get(end) {
        None | Some(b'#' | b';' | b':' | b'/') => true,
        Some(&byte) => bits == 32 && is_blank(byte),
    }
}

/// The whole IPv4 address that a text begins with, and what follows.
fn whole_address(text: &[u8]) -> Option<(u32, &[u8])> {
    let Ok((address, 32, end)) = ip4::octets(text) else { return None };
    let after = &text[end..];
    after.first().is_none_or(|&byte| is_blank(byte) || byte == b'#').then_some((address, after))
}

/// The port of a well-known service that seems to follow an address or a name: `192.0.2.1:25`.
fn port(rest: &[u8]) -> Option<u8> {
    const PORTS: [u8; 14] = [21, 22, 23, 25, 53, 80, 81, 88, 110, 111, 123, 135, 139, 143];
    let number = str::from_utf8(rest.strip_prefix(b":")?.trim_ascii_end()).ok()?;
    let port = number.parse().ok().filter(|port| PORTS.contains(port))?;
    number.starts_with(|first: char| matches!(first, '1'..='9')).then_some(port)
}

/// True if what stands behind a key may be a part of the key, or a word that is told: the general
/// reader then reads the line, whatever the dialect.
#[inline]
pub(super) fn may_mean_more(text: &[u8]) -> bool {
    match text {
        [b'-' | 0xe2, ..] => true,
        [b'0'..=b'9', ..] => matches!(ip4::octets(text), Ok((_, 32, _))),
        // Few texts begin like one of the words.
        [first, ..] if PASSES.iter().any(|word| word[0] == first.to_ascii_lowercase()) => {
            is_pass(text)
        }
        _ => false,
    }
}

/// The words that let a client pass in a map of Postfix or sendmail.
const PASSES: [&[u8]; 4] = [b"ok", b"permit", b"dunno", b"relay"];

/// True if a text is such a word, perhaps with a remark or a text behind it.
fn is_pass(text: &[u8]) -> bool {
    const LONGEST: usize = 6;
    let head = &text[..text.len().min(LONGEST + 1)];
    // A line ends at a NUL; Postfix has `permit_mynetworks` and its like.
    let is_end = |byte: &u8| is_blank(*byte) || matches!(byte, 0 | b'#' | b';' | b'_');
    let (word, rest) = head.split_at(head.iter().position(is_end).unwrap_or(head.len()));
    // Texts begin with `relay`, too.
    let is_alone = || matches!(rest.trim_ascii_start(), [] | [0 | b'#' | b';', ..]);
    match PASSES.iter().position(|known| word.eq_ignore_ascii_case(known)) {
        Some(3) => is_alone(),
        found => found.is_some(),
    }
}

fn map_word(text: &[u8]) -> Option<Mistake> {
    is_pass(text).then_some(Mistake::PassesInMap)
}

/// The name of a `dnset` entry. A value may stick to it, as to an address; any other byte that no
/// name asked for has is a slip.
pub(super) fn scoped_name(
    scan: &mut Scan<'_>,
    read: impl Fn(&mut Scan<'_>) -> Result<(NameBuf, Scope), Mistake>,
) -> Result<(NameBuf, Scope), Mistake> {
    let word = scan.clone().word();
    let star = if word.starts_with(b"*.") { 2 } else { 0 };
    let odd = |&byte: &u8| !byte.is_ascii() || b"#*,/:;|^@=<>(){}[]".contains(&byte);
    // An escape spells any byte.
    let found = (star..word.len()).find(|&at| odd(&word[at]) && (at == 0 || word[at - 1] != b'\\'));
    let Some(at) = found else { return read(scan) };
    let is_value = word[at] == b':' && word.get(at + 1).is_some_and(u8::is_ascii_digit);
    if !is_value || at == star {
        scan.skip(at);
        return Err(Mistake::OddName(word[at]));
    }
    let read = read(&mut Scan::new(&word[..at]))?;
    scan.skip(at);
    Ok(read)
}

/// True if the key of a line, which ends with it and may be cut, cannot be the beginning of another
/// one. A name of two labels or more is taken for whole.
pub(super) fn is_whole(key: EntryKey<'_>, text: &[u8]) -> bool {
    let count = |sign: u8| text.iter().filter(|&&byte| byte == sign).count();
    // A length is whole if no digit behind it gives another length.
    let ends_in_length = text.contains(&b'/') && !text.ends_with(b"/");
    let is_length = |len: u8, max: u16| ends_in_length && (len == 0 || u16::from(len) * 10 > max);
    match key {
        EntryKey::Prefix4 { len, .. } => match text.contains(&b'/') {
            true => is_length(len, 32),
            false => count(b'.') == 3,
        },
        EntryKey::Range4 { .. } => count(b'.') == 6,
        EntryKey::Prefix6 { len, .. } => match text.contains(&b'/') {
            true => is_length(len, 128),
            false => text.windows(2).any(|two| two == b"::") || count(b':') == 7,
        },
        EntryKey::Name { name, .. } => {
            name.get(1 + usize::from(name[0])).is_some_and(|&len| len > 0)
        }
        EntryKey::AccessKey(_) => false,
    }
}

/// True if what stands behind a key, of a line that may be cut, ends within its A value.
pub(super) fn ends_in_a_value(rest: &[u8]) -> bool {
    let Some(a) = rest.trim_ascii_start().strip_prefix(b":") else { return false };
    let is_part = a.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    // Four octets are whole if no digit behind them gives others.
    let is_whole = matches!(ip4::octets(a), Ok((a, 32, _)) if a & 0xff > 25);
    is_part && !is_whole
}

/// True if a length has a zero before it, as no length of other programs has.
pub(super) fn has_padded_length(key: &[u8]) -> bool {
    let slash = memchr::memchr(b'/', key);
    slash.is_some_and(|at| matches!(key[at + 1..], [b'0', b'0'..=b'9', ..]))
}

/// True if a name, or what it is below, is four octets or the first of them.
pub(super) fn is_address(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"!").unwrap_or(text).trim_ascii();
    let text = text.strip_prefix(b"*").unwrap_or(text);
    let text = text.strip_prefix(b".").unwrap_or(text);
    matches!(ip4::octets(text), Ok((_, 16.., end)) if end == text.len())
}

/// True if a word is a TTL, a class or a type, and no name: what a line of BIND begins with that has the
/// name of the line before.
pub(super) fn lacks_owner(word: &[u8]) -> bool {
    let is_part_of_ttl = |byte: &u8| byte.is_ascii_digit() || b"smhdwSMHDW".contains(byte);
    if word.first().is_some_and(u8::is_ascii_digit) && word.iter().all(is_part_of_ttl) {
        return true;
    }
    const WORDS: [&[u8]; 9] = [b"in", b"ch", b"a", b"aaaa", b"txt", b"mx", b"ns", b"cname", b"ptr"];
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// What to tell of a line that begins with an address of the other family.
pub(super) fn other_family(kind: Kind, text: &[u8]) -> Option<Mistake> {
    let text = text.strip_prefix(b"!").unwrap_or(text).trim_ascii_start();
    let is_end =
        |end: usize| text.get(end).is_none_or(|&byte| is_blank(byte) || b"/#;".contains(&byte));
    match kind {
        Kind::Ip4Set | Kind::Ip4Tset => {
            let (_, bits, end) = ip6::fields(text).ok()?;
            (bits > 16 && is_end(end)).then_some(Mistake::Ip6InIp4)
        }
        Kind::Ip6Tset | Kind::Ip6Trie => {
            let (_, bits, end) = ip4::octets(text).ok()?;
            (bits > 8 && is_end(end)).then_some(Mistake::Ip4InIp6)
        }
        _ => None,
    }
}
