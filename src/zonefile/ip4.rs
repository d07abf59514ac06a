//! IPv4 addresses as zone files spell them (rbldnsd's manual, "ip4set Dataset").

use super::Mistake;
use super::entry::{EntryKey, net4};
use super::scan::Scan;

/// The mask of the host bits below a prefix of this length, at most 32.
#[inline]
pub(super) fn host_mask(len: u8) -> u32 {
    u32::MAX.checked_shr(len.into()).unwrap_or(0)
}

/// Reads the one to four octets that a text begins with: the address they start, the number of bits
/// given, and where they end. The error is where the text stops making sense.
#[inline]
pub(super) fn octets(text: &[u8]) -> Result<(u32, u8, usize), usize> {
    whole(text).map_or_else(|| any_octets(text), |(address, end)| Ok((address, 32, end)))
}

/// Four octets of up to three digits each, and where they end.
#[inline(always)]
fn whole(text: &[u8]) -> Option<(u32, usize)> {
    let (mut address, mut at) = (0, 0);
    for index in 0..4 {
        let (value, end) = octet(text, at)?;
        at = end;
        if index < 3 {
            if *text.get(at)? != b'.' {
                return None;
            }
            at += 1;
        }
        address = address << 8 | value;
    }
    text.get(at).is_none_or(|byte| !byte.is_ascii_digit()).then_some((address, at))
}

/// The number up to 255, of up to three digits, that stands at a place, and where it ends.
#[inline(always)]
pub(super) fn octet(text: &[u8], at: usize) -> Option<(u32, usize)> {
    let mut value = u32::from(text.get(at)?.wrapping_sub(b'0'));
    if value > 9 {
        return None;
    }
    let mut end = at + 1;
    for _ in 0..2 {
        let Some(&byte) = text.get(end) else { break };
        let digit = u32::from(byte.wrapping_sub(b'0'));
        if digit > 9 {
            break;
        }
        value = value * 10 + digit;
        end += 1;
    }
    (value <= 255).then_some((value, end))
}

/// As [`octets`], of any number of them and with any number of zeros before them.
#[inline(never)]
fn any_octets(text: &[u8]) -> Result<(u32, u8, usize), usize> {
    let mut scan = Scan::new(text);
    let (mut address, mut bits) = (0, 0);
    loop {
        let Some(octet) = scan.number(255) else { return Err(scan.at()) };
        bits += 8;
        address |= octet << (32 - bits);
        if bits == 32 || !scan.eat(b'.') {
            return Ok((address, bits, scan.at()));
        }
    }
}

/// One to four octets: the address they start, and the number of bits given.
pub(super) fn prefix(scan: &mut Scan<'_>) -> Result<(u32, u8), Mistake> {
    let read = octets(scan.rest());
    scan.skip(read.map_or_else(|stop| stop, |(.., end)| end));
    read.map(|(address, bits, _)| (address, bits)).map_err(|_| Mistake::NotAddress4)
}

/// An address, a prefix of at least two octets, or CIDR: the address as it stands, host bits
/// included, and the length.
pub(super) fn cidr(scan: &mut Scan<'_>) -> Result<(u32, u8), Mistake> {
    let (address, bits) = prefix(scan)?;
    after_prefix(scan, address, bits)
}

/// Everything [`cidr`] takes, or two prefixes and a dash between them.
pub(super) fn range(scan: &mut Scan<'_>) -> Result<EntryKey<'static>, Mistake> {
    let (start, bits) = prefix(scan)?;
    if !scan.eat(b'-') {
        let (address, len) = after_prefix(scan, start, bits)?;
        return Ok(EntryKey::Prefix4 { address, len });
    }
    let (start, end) = between((start, bits), prefix(scan)?)?;
    Ok(EntryKey::Range4 { start, end })
}

/// The first and the last address of two prefixes with a dash between them, each given by the address it
/// starts and the number of bits.
#[inline]
pub(super) fn between(
    (start, bits): (u32, u8),
    (mut end, end_bits): (u32, u8),
) -> Result<(u32, u32), Mistake> {
    if end_bits == 8 {
        // A single number is the new value of the last octet given: 10.1-3 is 10.1 to 10.3.
        end = (end >> (bits - 8)) | (start & !host_mask(bits - 8));
    } else if end_bits != bits {
        return Err(Mistake::UnequalRange);
    }
    end |= host_mask(bits);
    if start > end {
        return Err(Mistake::BackwardRange);
    }
    Ok((start, end))
}

/// An address as inet_aton reads it, the last number given being the last octet: 127.1 is
/// 127.0.0.1. Returns the number of bits given, too.
pub(super) fn inet_address(scan: &mut Scan<'_>) -> Option<(u32, u8)> {
    let (address, bits) = prefix(scan).ok()?;
    let last = (address >> (32 - bits)) & 0xff;
    Some(((address & !host_mask(bits - 8)) | last, bits))
}

fn after_prefix(scan: &mut Scan<'_>, address: u32, bits: u8) -> Result<(u32, u8), Mistake> {
    if scan.eat(b'/') {
        let len = scan.number(32).ok_or(Mistake::PrefixLength { max: 32 })?;
        return Ok((address, len as u8));
    }
    if bits == 8 {
        return Err(Mistake::BareOctet(net4(address, 8)));
    }
    Ok((address, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> u32 {
        text.parse::<std::net::Ipv4Addr>().unwrap().into()
    }

    /// What `range` makes of the text, and what it leaves.
    fn read(text: &str) -> Result<(u32, u32, u8, &str), Mistake> {
        let mut scan = Scan::new(text.as_bytes());
        let (start, end, len) = match range(&mut scan)? {
            EntryKey::Prefix4 { address, len } => (address, address | host_mask(len), len),
            EntryKey::Range4 { start, end } => (start, end, 32),
            other => panic!("{other:?}"),
        };
        Ok((start, end, len, std::str::from_utf8(scan.rest()).unwrap()))
    }

    #[test]
    fn every_spelling_of_the_manual() {
        for text in ["127.0.0.0/24", "127.0.0", "127/24", "127.0.0.0-127.0.0.255", "127.0.0.0-255"]
        {
            let (start, end, _, rest) = read(text).unwrap();
            assert_eq!((start, end, rest), (ip("127.0.0.0"), ip("127.0.0.255"), ""), "{text}");
        }
        // In the manual, but rbldnsd itself refuses it.
        assert_eq!(read("127-127.0.0"), Err(Mistake::UnequalRange));
        for text in ["127.16.0.0-127.31.255.255", "127.16.0-127.31.255", "127.16-127.31"] {
            let (start, end, len, rest) = read(text).unwrap();
            assert_eq!((start, end, len, rest), (ip("127.16.0.0"), ip("127.31.255.255"), 32, ""));
        }
        for text in ["127.16-31", "127.16.0.0/12", "127.16.0/12", "127.16/12"] {
            let (start, end, _, rest) = read(text).unwrap();
            assert_eq!((start, end, rest), (ip("127.16.0.0"), ip("127.31.255.255"), ""), "{text}");
        }
        assert_eq!(read("127.16.0-31"), Ok((ip("127.16.0.0"), ip("127.16.31.255"), 32, "")));
    }

    #[test]
    fn corners_of_the_syntax() {
        assert_eq!(read("0/0"), Ok((0, u32::MAX, 0, "")));
        assert_eq!(read("1.2.3.4/0"), Ok((ip("1.2.3.4"), u32::MAX, 0, "")));
        assert_eq!(read("001.02.3.0004x"), Ok((ip("1.2.3.4"), ip("1.2.3.4"), 32, "x")));
        assert_eq!(read("1.2.3.4.5"), Ok((ip("1.2.3.4"), ip("1.2.3.4"), 32, ".5")));
        assert_eq!(read("1.2.3.4/032"), Ok((ip("1.2.3.4"), ip("1.2.3.4"), 32, "")));
        assert_eq!(read("1.2.3.4/31:"), Ok((ip("1.2.3.4"), ip("1.2.3.5"), 31, ":")));
        assert_eq!(read("10-11"), Ok((ip("10.0.0.0"), ip("11.255.255.255"), 32, "")));
        assert_eq!(read("1.2.3.4-4"), Ok((ip("1.2.3.4"), ip("1.2.3.4"), 32, "")));
        assert_eq!(read("1.2.3.4-5/8"), Ok((ip("1.2.3.4"), ip("1.2.3.5"), 32, "/8")));
        for (text, reason) in [
            ("", Mistake::NotAddress4),
            ("x", Mistake::NotAddress4),
            (" 1.2", Mistake::NotAddress4),
            ("1.2.", Mistake::NotAddress4),
            ("1..2", Mistake::NotAddress4),
            ("1.2.3.", Mistake::NotAddress4),
            ("256.1", Mistake::NotAddress4),
            ("1.2.3.256", Mistake::NotAddress4),
            ("99999999999999999999", Mistake::NotAddress4),
            ("1.2.3.4-", Mistake::NotAddress4),
            ("1.2.3.4-x", Mistake::NotAddress4),
            ("10", Mistake::BareOctet("10.0.0.0/8".parse().unwrap())),
            ("10 /8", Mistake::BareOctet("10.0.0.0/8".parse().unwrap())),
            ("1.2.3.4/", Mistake::PrefixLength { max: 32 }),
            ("1.2.3.4/33", Mistake::PrefixLength { max: 32 }),
            ("1.2.3.4/x", Mistake::PrefixLength { max: 32 }),
            ("1.2.3.4-1.2", Mistake::UnequalRange),
            ("1.2-1.2.3.4", Mistake::UnequalRange),
            ("1.2.3.4-3", Mistake::BackwardRange),
            ("1.2.3.4-1.2.3.3", Mistake::BackwardRange),
            ("11-10", Mistake::BackwardRange),
        ] {
            assert_eq!(read(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn short_values_are_read_as_inet_aton_does() {
        for (text, want) in
            [("2", 2), ("127.1", 0x7f00_0001), ("127.3.4", 0x7f03_0004), ("1.2.3.4", 0x0102_0304)]
        {
            assert_eq!(inet_address(&mut Scan::new(text.as_bytes())).unwrap().0, want, "{text}");
        }
        assert_eq!(inet_address(&mut Scan::new(b"127.")), None);
    }
}
