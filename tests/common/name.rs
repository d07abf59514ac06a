//! Domain names as lists of labels, leftmost first, and as text. Written apart from the library's
//! own names so that a mistake there cannot hide here.

use std::net::IpAddr;

/// A label's bytes.
pub(crate) type Label = Vec<u8>;
/// A name: its labels, leftmost first, without the root.
pub(crate) type Name = Vec<Label>;

/// Reads a name; `\c` is the byte `c`, `\DDD` the byte of that number, empty labels are skipped.
pub(crate) fn from_text(text: &[u8]) -> Name {
    let mut name = Name::new();
    let mut label = Label::new();
    let mut rest = text.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            b'.' => {
                if !label.is_empty() {
                    name.push(std::mem::take(&mut label));
                }
            }
            b'\\' => {
                let Some(escaped) = rest.next() else { break };
                let mut code = u32::from(escaped);
                if escaped.is_ascii_digit() {
                    code -= u32::from(b'0');
                    for _ in 0..2 {
                        let Some(digit) = rest.next_if(u8::is_ascii_digit) else { break };
                        code = code * 10 + u32::from(digit - b'0');
                    }
                }
                label.push(code as u8);
            }
            _ => label.push(byte),
        }
    }
    if !label.is_empty() {
        name.push(label);
    }
    name
}

/// The name as text that [`from_text`] reads back, without a final dot; the root is a dot.
pub(crate) fn to_text(name: &[Label]) -> String {
    if name.is_empty() {
        return ".".to_owned();
    }
    let mut text = String::new();
    for label in name {
        if !text.is_empty() {
            text.push('.');
        }
        for &byte in label {
            match byte {
                b'.' | b'\\' => text.extend(['\\', char::from(byte)]),
                0x21..0x7f => text.push(char::from(byte)),
                _ => text.push_str(&format!("\\{byte:03}")),
            }
        }
    }
    text
}

/// The name in wire form; too long labels and names are not refused.
pub(crate) fn to_wire(name: &[Label]) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name {
        wire.push(label.len() as u8);
        wire.extend_from_slice(label);
    }
    wire.push(0);
    wire
}

/// Takes a name in wire form from the start of `rest`; it is there.
pub(crate) fn from_wire(rest: &mut &[u8]) -> Name {
    let mut name = Name::new();
    loop {
        let (length, after) = rest.split_first().expect("a name ends");
        let (label, next) = after.split_at((*length).into());
        *rest = next;
        if label.is_empty() {
            return name;
        }
        name.push(label.to_vec());
    }
}

/// True if labels and name are not too long (RFC 1035 section 2.3.4).
pub(crate) fn is_valid(name: &[Label]) -> bool {
    name.iter().all(|label| (1..64).contains(&label.len())) && to_wire(name).len() <= 255
}

/// The name with its letters in lower case.
pub(crate) fn lowercase(name: &[Label]) -> Name {
    name.iter().map(|label| label.to_ascii_lowercase()).collect()
}

/// `labels` below `apex`.
pub(crate) fn under(labels: &[Label], apex: &[Label]) -> Name {
    [labels, apex].concat()
}

/// What `[address]` and `[address/length]` stand for (RFC 5782 section 2): octets in reverse, or
/// nibbles if the address has a colon.
pub(crate) fn of_block(text: &str) -> Result<Name, String> {
    let (address, length) = text.split_once('/').unwrap_or((text, ""));
    let address: IpAddr = address.parse().map_err(|_| format!("not an address: {text}"))?;
    let (mut labels, bits) = match address {
        IpAddr::V4(address) => (of_ipv4(address.into()), 8),
        IpAddr::V6(address) => (of_ipv6(address.into()), 4),
    };
    if !length.is_empty() {
        let length: usize = length.parse().map_err(|_| format!("not a length: {text}"))?;
        if !length.is_multiple_of(bits) || length > labels.len() * bits {
            return Err(format!("no length of whole labels: {text}"));
        }
        labels.drain(..labels.len() - length / bits);
    }
    Ok(labels)
}

/// The labels of `address` as IPv4 lists ask for them: octets, last first.
pub(crate) fn of_ipv4(address: u32) -> Name {
    address.to_le_bytes().iter().map(|octet| octet.to_string().into_bytes()).collect()
}

/// The labels of `address` as IPv6 lists ask for them: 32 nibbles, last first.
pub(crate) fn of_ipv6(address: u128) -> Name {
    (0..32).map(|at| format!("{:x}", (address >> (4 * at)) & 15).into_bytes()).collect()
}

/// `::ffff:a.b.c.d`, as which rbldnsd looks up IPv4 addresses too.
pub(crate) fn v4_mapped(address: u32) -> u128 {
    0xffff << 32 | u128::from(address)
}

/// `2002:AABB:CCDD::`, as which rbldnsd looks up IPv4 addresses too (6to4, RFC 3056).
pub(crate) fn six_to_four(address: u32) -> u128 {
    0x2002 << 112 | u128::from(address) << 80
}

/// What a label of an IPv4 name stands for: 1 to 3 digits, at most 255.
pub(crate) fn octet(label: &[u8]) -> Option<u8> {
    let digits = label.len() <= 3 && label.iter().all(u8::is_ascii_digit);
    if digits { std::str::from_utf8(label).ok()?.parse().ok() } else { None }
}

#[test]
fn a_name_with_odd_bytes_comes_back_from_its_text() {
    let name = vec![b"a.b\\".to_vec(), vec![0, 255, b' '], b"Com".to_vec()];
    assert_eq!(to_text(&name), "a\\.b\\\\.\\000\\255\\032.Com");
    assert_eq!(from_text(to_text(&name).as_bytes()), name);
    assert_eq!(from_text(b"..a..b."), [b"a".to_vec(), b"b".to_vec()]);
}
