//! Any bytes as what a proxy sends before a query.

use dnsbld::wire::proxy::{FIXED, ProxyHeader};

pub(crate) const TOKENS: &[&[u8]] = &[
    b"\r\n\r\n\0\r\nQUIT\n",
    b"\x20\0\0\0",
    b"\x21\x11\0\x0c",
    b"\x21\x12\0\x0c",
    b"\x21\x21\0\x24",
    b"\x21\x22\0\x24",
    b"\x21\x31\0\xd8",
    b"\x03\0\x04\0\0\0\0",
];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let rests = [(&b"\x21\x12"[..], 12_u8), (b"\x21\x21", 36), (b"\x20\0", 0), (b"\x21\x11", 20)];
    let headers = rests.iter().map(|(kind, len)| {
        let rest = vec![7; usize::from(*len)];
        [b"\r\n\r\n\0\r\nQUIT\n", *kind, &[0, *len], &rest, b"a query"].concat()
    });
    headers.collect()
}

pub(crate) fn run(bytes: &[u8]) {
    let fixed = bytes.first_chunk::<FIXED>();
    let Some(header) = ProxyHeader::parse(bytes) else {
        // It is not there, not whole, or names a family that it has no addresses of.
        let Some(len) = fixed.and_then(ProxyHeader::len_of) else { return };
        assert!(len > bytes.len() || bytes[12] & 0x0f != 0);
        return;
    };
    assert_eq!(fixed.and_then(ProxyHeader::len_of), Some(header.len));
    assert!((FIXED..=bytes.len()).contains(&header.len));
    // What is behind it makes no difference.
    assert_eq!(ProxyHeader::parse(&bytes[..header.len]), Some(header));
    if let Some(client) = header.client {
        assert_eq!(bytes[13] >> 4, if client.is_ipv4() { 1 } else { 2 });
    }
}
