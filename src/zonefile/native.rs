//! Lines that say something else to their authors than to rbldnsd, in [`Dialect::Native`]: what is
//! plain is read as it is meant, what is not is told.

use super::entry::{EntryKey, net4};
use super::scan::{Scan, is_blank};
use super::{Kind, Mistake, ip4, ip6};
use crate::listing::names::Scope;
use crate::wire::name::NameBuf;

#[cfg(doc)]
use super::Dialect;

/// A key, and what to tell about it.
pub(super) type Reading = (EntryKey<'static>, Option<Mistake>);

/// Reads the key that rbldnsd does not read here; the cursor moves only if there is one.
pub(super) fn instead(kind: Kind, scan: &mut Scan<'_>) -> Option<Reading> {
    let ranges = matches!(kind, Kind::Ip4Tset | Kind::Ip4Trie | Kind::Mixed);
    let masks = matches!(kind, Kind::Ip4Set | Kind::Ip4Trie | Kind::Mixed | Kind::Acl);
    let mut try_each = |reader: fn(&mut Scan<'_>) -> Option<Reading>| {
        let mut ahead = scan.clone();
        let read = reader(&mut ahead)?;
        if !ahead.is_end_of_address() {
            return None;
        }
        *scan = ahead;
        Some(read)
    };
    let range = |scan: &mut Scan<'_>| ip4::range(scan).ok().map(|key| (key, None));
    let prefix6 = |scan: &mut Scan<'_>| {
        let (address, len) = ip6::cidr(scan).ok()?;
        Some((EntryKey::Prefix6 { address, len }, None))
    };
    let read = ranges.then(|| try_each(range)).flatten();
    let read = read.or_else(|| masks.then(|| try_each(netmask)).flatten());
    read.or_else(|| (kind == Kind::Ip6Tset).then(|| try_each(prefix6)).flatten())
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
    scan: &mut Scan<'_>,
) -> Result<(EntryKey<'k>, Option<Mistake>), Mistake> {
    let rest = scan.rest();
    let EntryKey::Prefix4 { address, len: 32 } = key else {
        return Ok((key, map_word(rest)));
    };
    if let Some(port) = port(rest).filter(|_| kind != Kind::Ip4Tset) {
        return Ok((key, Some(Mistake::Port(port))));
    }
    let dash = rest
        .trim_ascii_start()
        .strip_prefix(b"-")
        .filter(|_| rest.first().is_some_and(|&byte| is_blank(byte)));
    let next = dash.unwrap_or(rest).trim_ascii_start();
    let Some((second, after)) = whole_address(next) else {
        return Ok((key, map_word(rest)));
    };
    if dash.is_some() {
        scan.skip(rest.len() - after.len());
        if second < address {
            return Err(Mistake::BackwardRange);
        }
        let key = EntryKey::Range4 { start: address, end: second };
        return Ok((key, Some(Mistake::SpacedRange)));
    }
    let mut third = Scan::new(after.trim_ascii_start());
    let len = third.number(32).filter(|_| third.is_end() || third.is_blank());
    match len.map(|len| len as u8) {
        Some(len) if second == address | ip4::host_mask(len) => {
            scan.skip(rest.len());
            let key = EntryKey::Prefix4 { address, len };
            Ok((key, Some(Mistake::Columns(net4(address, len)))))
        }
        _ => Ok((key, Some(Mistake::SecondAddress))),
    }
}

/// The whole IPv4 address that a text begins with, and what follows.
fn whole_address(text: &[u8]) -> Option<(u32, &[u8])> {
    let Ok((address, 32, end)) = ip4::octets(text) else { return None };
    let after = &text[end..];
    after.first().is_none_or(|&byte| is_blank(byte) || byte == b'#').then_some((address, after))
}

/// The port of a mail or web server that seems to follow an address: `192.0.2.1:25`.
fn port(rest: &[u8]) -> Option<u8> {
    let number = rest.strip_prefix(b":")?.trim_ascii_end();
    let ports: [(&[u8], u8); 5] =
        [(b"22", 22), (b"25", 25), (b"53", 53), (b"80", 80), (b"110", 110)];
    ports.iter().find(|(text, _)| *text == number).map(|(_, port)| *port)
}

/// True if what stands behind a key may be a part of the key, or a word that is told: the general
/// reader then reads the line, whatever the dialect.
#[inline]
pub(super) fn may_mean_more(text: &[u8]) -> bool {
    match text {
        [b'-', ..] => true,
        [b'0'..=b'9', ..] => matches!(ip4::octets(text), Ok((_, 32, _))),
        // A line ends at a NUL.
        _ => {
            let word = &text[..text.len().min(MAX_PASS + 1)];
            let end = word.iter().position(|&byte| byte == 0).unwrap_or(word.len());
            is_pass(word[..end].trim_ascii_end())
        }
    }
}

/// The length of the longest word that [is a pass](is_pass).
const MAX_PASS: usize = 6;

/// True if a text is what lets a client pass in a map of Postfix or sendmail.
fn is_pass(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 4] = [b"ok", b"permit", b"dunno", b"relay"];
    text.len() <= MAX_PASS && WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn map_word(rest: &[u8]) -> Option<Mistake> {
    is_pass(rest.trim_ascii()).then_some(Mistake::PassesInMap)
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

/// True if the key of a line that is cut off cannot be the beginning of another one.
pub(super) fn is_whole(key: EntryKey<'_>, text: &[u8]) -> bool {
    let count = |sign: u8| text.iter().filter(|&&byte| byte == sign).count();
    match key {
        EntryKey::Prefix4 { .. } => text.contains(&b'/') || count(b'.') == 3,
        EntryKey::Range4 { .. } => count(b'.') == 6,
        EntryKey::Prefix6 { .. } => {
            text.contains(&b'/') || text.windows(2).any(|two| two == b"::") || count(b':') == 7
        }
        EntryKey::Name { name, .. } => {
            name.get(1 + usize::from(name[0])).is_some_and(|&len| len > 0)
        }
        EntryKey::AccessKey(_) => false,
    }
}

/// True if a name is four octets.
pub(super) fn is_address(text: &[u8]) -> bool {
    matches!(ip4::octets(text), Ok((_, 32, end)) if end == text.trim_ascii_end().len())
}

/// True if a word is a class or a type, and no name: what a line of BIND begins with that has the
/// name of the line before.
pub(super) fn lacks_owner(word: &[u8]) -> bool {
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
