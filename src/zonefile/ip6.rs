//! IPv6 addresses as zone files spell them (rbldnsd's manual, "ip6trie Dataset"). There is no form
//! with an IPv4 tail.

use super::Reason;
use super::scan::Scan;

/// The mask of the host bits below a prefix of this length, at most 128.
pub(super) fn host_mask(len: u8) -> u128 {
    u128::MAX.checked_shr(len.into()).unwrap_or(0)
}

/// An address, which may have `::` in it (128 bits), or its first fields (16 bits each).
///
/// A colon after a field is part of the address even when no field follows, provided that there
/// was a `::` before; so `1::2::3` is the address `1::2` and the value `:3`.
pub(super) fn prefix(scan: &mut Scan<'_>) -> Result<(u128, u8), Reason> {
    let mut fields = [0u16; 8];
    let mut count = 0;
    let mut gap = None;
    let mut whole = false;
    if scan.peek() == b':' && scan.peek_second() == b':' {
        scan.eat(b':');
        scan.eat(b':');
        gap = Some(0);
    }
    while let Some(field) = field(scan) {
        fields[count] = field;
        count += 1;
        if count == 8 || !scan.eat(b':') {
            whole = true;
            break;
        }
        if gap.is_none() && scan.eat(b':') {
            gap = Some(count);
        }
    }
    if let Some(gap) = gap {
        if count == 8 {
            return Err(Reason::NotAddress6);
        }
        fields[gap..].rotate_right(8 - count);
        count = 8;
    } else if !whole {
        return Err(Reason::NotAddress6);
    }
    let address = fields.iter().fold(0, |all, &field| all << 16 | u128::from(field));
    Ok((address, 16 * count as u8))
}

/// A prefix of at least two fields, or CIDR: the address as it stands, host bits included, and the
/// length.
pub(super) fn cidr(scan: &mut Scan<'_>) -> Result<(u128, u8), Reason> {
    let (address, bits) = prefix(scan)?;
    if scan.eat(b'/') {
        let len = scan.number(128).ok_or(Reason::PrefixLength { max: 128 })?;
        return Ok((address, len as u8));
    }
    if bits == 16 {
        return Err(Reason::BareField);
    }
    Ok((address, bits))
}

/// Hexadecimal digits up to ffff, leading zeros allowed.
#[inline]
fn field(scan: &mut Scan<'_>) -> Option<u16> {
    let mut value = 0;
    let mut digits = 0;
    for &byte in scan.rest() {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' | b'A'..=b'F' => (byte | 0x20) - b'a' + 10,
            _ => break,
        };
        if value > 0xfff {
            scan.skip(digits);
            return None;
        }
        value = value << 4 | u16::from(digit);
        digits += 1;
    }
    scan.skip(digits);
    (digits > 0).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(String, u8, &str), Reason> {
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
            assert_eq!(read(text), Err(Reason::NotAddress6), "{text}");
        }
        assert_eq!(read("2001"), Err(Reason::BareField));
        for text in ["1::/129", "1::/", "1::/x", "1::/1000"] {
            assert_eq!(read(text), Err(Reason::PrefixLength { max: 128 }), "{text}");
        }
    }
}
