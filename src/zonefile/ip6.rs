//! IPv6 addresses as zone files spell them (rbldnsd's manual, "ip6trie Dataset"). There is no form
//! with an IPv4 tail.

use super::Mistake;
use super::entry::net6;
use super::scan::Scan;

/// The mask of the host bits below a prefix of this length, at most 128.
#[inline]
pub(super) fn host_mask(len: u8) -> u128 {
    u128::MAX.checked_shr(len.into()).unwrap_or(0)
}

/// What a hexadecimal digit stands for; more for any other byte.
const DIGITS: [u8; 256] = {
    let mut digits = [u8::MAX; 256];
    let mut byte = 0;
    while byte < 256 {
        digits[byte] = match byte as u8 {
            digit @ b'0'..=b'9' => digit - b'0',
            digit @ (b'a'..=b'f' | b'A'..=b'F') => (digit | 0x20) - b'a' + 10,
            _ => u8::MAX,
        };
        byte += 1;
    }
    digits
};

#[inline(always)]
fn digit(text: &[u8], at: usize) -> u8 {
    text.get(at).map_or(u8::MAX, |&byte| DIGITS[usize::from(byte)])
}

/// Reads the address that a text begins with, which may have `::` in it (128 bits), or its first
/// fields (16 bits each): the address, the number of bits, and where it ends. The error is where the
/// text stops making sense.
///
/// A colon after a field is part of the address even when no field follows, provided that there
/// was a `::` before; so `1::2::3` is the address `1::2` and the value `:3`.
#[inline]
pub(super) fn fields(text: &[u8]) -> Result<(u128, u8, usize), usize> {
    let (mut address, mut count) = (0_u128, 0_u8);
    let (mut at, mut gap) = if text.starts_with(b"::") { (2, Some(0)) } else { (0, None) };
    let mut is_whole = false;
    loop {
        let (mut field, start) = (0_u32, at);
        while let digit @ 0..=15 = digit(text, at) {
            field = field << 4 | u32::from(digit);
            at += 1;
        }
        if at == start {
            break;
        }
        if at - start > 4 {
            match long_field(text, start) {
                Ok(end) => at = end,
                Err(stop) => {
                    at = stop;
                    break;
                }
            }
        }
        address = address << 16 | u128::from(field);
        count += 1;
        if count == 8 || text.get(at) != Some(&b':') {
            is_whole = true;
            break;
        }
        at += 1;
        if gap.is_none() && text.get(at) == Some(&b':') {
            gap = Some(count);
            at += 1;
        }
    }
    match gap {
        Some(_) if count == 8 => Err(at),
        Some(0) => Ok((address, 128, at)),
        Some(gap) => {
            // Up to six fields lie behind the gap, and as many more as are missing are zero.
            let behind = 16 * (count - gap);
            let low = address & !(u128::MAX << behind);
            Ok((address >> behind << (16 * (8 - gap)) | low, 128, at))
        }
        None if is_whole => Ok((address << (16 * (8 - count)), 16 * count, at)),
        None => Err(at),
    }
}

/// Where a field of more than four digits ends, if it has zeros before it; else where it gets too
/// large.
#[cold]
fn long_field(text: &[u8], start: usize) -> Result<usize, usize> {
    let (mut value, mut at) = (0_u32, start);
    while let digit @ 0..=15 = digit(text, at) {
        if value > 0xfff {
            return Err(at);
        }
        value = value << 4 | u32::from(digit);
        at += 1;
    }
    Ok(at)
}

/// An address or its first fields, as [`fields`] reads them.
pub(super) fn prefix(scan: &mut Scan<'_>) -> Result<(u128, u8), Mistake> {
    let read = fields(scan.rest());
    scan.skip(read.map_or_else(|stop| stop, |(.., end)| end));
    read.map(|(address, bits, _)| (address, bits)).map_err(|_| Mistake::NotAddress6)
}

/// A prefix of at least two fields, or CIDR: the address as it stands, host bits included, and the
/// length.
pub(super) fn cidr(scan: &mut Scan<'_>) -> Result<(u128, u8), Mistake> {
    let (address, bits) = prefix(scan)?;
    if scan.eat(b'/') {
        let len = scan.number(128).ok_or(Mistake::PrefixLength { max: 128 })?;
        return Ok((address, len as u8));
    }
    if bits == 16 {
        return Err(Mistake::BareField(net6(address, 16)));
    }
    Ok((address, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(String, u8, &str), Mistake> {
        let mut scan = Scan::new(text.as_bytes());
        let (address, len) = cidr(&mut scan)?;
        let address = std::net::Ipv6Addr::from(address).to_string();
        Ok((address, len, std::str::from_utf8(scan.rest()).unwrap()))
    }

    #[test]
    fn addresses_and_prefixes() {
        for (text, address, len, rest) in [
            ("2001:21ab:c000/36", "2001:21ab:c000::", 36, ""),
            ("2001:21ab:def7:4242", "2001:21ab:def7:4242::", 64, ""),
            ("2605:6001:42::/52", "2605:6001:42::", 52, ""),
            ("::1", "::1", 128, ""),
            ("::", "::", 128, ""),
            ("::/0", "::", 0, ""),
            ("1::", "1::", 128, ""),
            ("2001/16", "2001::", 16, ""),
            ("00001:2", "1:2::", 32, ""),
            ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", 128, ""),
            ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0", 128, ""),
            ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8", 128, ""),
            ("1:2:3:4:5:6:7:8:5:text", "1:2:3:4:5:6:7:8", 128, ":5:text"),
            ("ABCD::eF", "abcd::ef", 128, ""),
            ("1::2::3", "1::2", 128, ":3"),
            ("1::2:", "1::2", 128, ""),
            ("1:::3:", "1::", 128, ":3:"),
            ("1::1.2.3.4", "1::1", 128, ".2.3.4"),
            ("1::2:fffff", "1::2", 128, "f"),
            ("1:2:3/128", "1:2:3::", 128, ""),
            ("1:2 text", "1:2::", 32, " text"),
        ] {
            assert_eq!(read(text), Ok((address.to_owned(), len, rest)), "{text}");
        }
    }

    #[test]
    fn what_is_no_address() {
        for text in
            ["", ":", "g", "1:", "1:2:", "1:2:g", "12345", "1:2:3:4:5:6:7::8", "::1:2:3:4:5:6:7:8"]
        {
            assert_eq!(read(text), Err(Mistake::NotAddress6), "{text}");
        }
        assert_eq!(read("2001"), Err(Mistake::BareField("2001::/16".parse().unwrap())));
        for text in ["1::/129", "1::/", "1::/x", "1::/1000"] {
            assert_eq!(read(text), Err(Mistake::PrefixLength { max: 128 }), "{text}");
        }
    }
}
