use super::*;
use proptest::prelude::*;

/// A header of this command and family, with this rest.
fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let len = (rest.len() as u16).to_be_bytes();
    [&SIGNATURE[..], &[command, family], &len, rest].concat()
}

/// The addresses and ports of a client and a server.
fn rest(client: SocketAddr, server: SocketAddr) -> Vec<u8> {
    let octets = |address: SocketAddr| match address.ip() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let ports = [client.port().to_be_bytes(), server.port().to_be_bytes()].concat();
    [octets(client), octets(server), ports].concat()
}

#[test]
fn the_client_is_the_source_of_the_header() {
    for (client, server, family) in [
        ("192.0.2.1:1234", "198.51.100.1:53", 0x11),
        ("192.0.2.1:1234", "198.51.100.1:53", 0x12),
        ("[2001:db8::1]:65535", "[2001:db8::53]:53", 0x21),
        ("[2001:db8::1]:65535", "[2001:db8::53]:53", 0x22),
    ] {
        let [client, server] = [client, server].map(|text| text.parse().unwrap());
        let fields = [&rest(client, server)[..], b"\x04\0\x03abc"].concat();
        for rest in [rest(client, server), fields] {
            let bytes = [&header(0x21, family, &rest)[..], b"a query"].concat();
            let len = FIXED + rest.len();
            assert_eq!(ProxyHeader::parse(&bytes), Some(ProxyHeader { client: Some(client), len }));
            assert_eq!(&bytes[len..], b"a query");
        }
    }
}

#[test]
fn a_proxy_asks_for_itself() {
    for (command, family, rest) in
        [(0x20, 0, &b""[..]), (0x20, 0x11, &[1; 12]), (0x20, 0xff, b"any"), (0x21, 0, b"")]
    {
        let len = FIXED + rest.len();
        let found = ProxyHeader::parse(&header(command, family, rest));
        assert_eq!(found, Some(ProxyHeader { client: None, len }), "{command:x} {family:x}");
    }
    let unix = ProxyHeader::parse(&header(0x21, 0x31, &[0; 216]));
    assert_eq!(unix, Some(ProxyHeader { client: None, len: 232 }));
}

#[test]
fn what_is_no_header_is_not_taken_for_one() {
    let good = header(0x21, 0x12, &[1; 12]);
    assert!(ProxyHeader::parse(&good).is_some());
    for len in 0..good.len() {
        assert_eq!(ProxyHeader::parse(&good[..len]), None, "{len}");
    }
    for (at, byte) in [(0, 0), (11, 0), (12, 0x11), (12, 0x22), (13, 0x13), (13, 0x41), (15, 11)] {
        let mut bad = good.clone();
        bad[at] = byte;
        assert_eq!(ProxyHeader::parse(&bad), None, "{at}");
    }
    assert_eq!(ProxyHeader::parse(&header(0x21, 0x22, &[1; 35])), None);
}

/// The specification, by positions.
fn oracle(bytes: &[u8]) -> Option<ProxyHeader> {
    if bytes.len() < 16 || bytes[..12] != *b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a" {
        return None;
    }
    let len = 16 + bytes[14] as usize * 256 + bytes[15] as usize;
    if bytes[12] / 16 != 2 || bytes.len() < len {
        return None;
    }
    let port = |at: usize| u16::from(bytes[at]) * 256 + u16::from(bytes[at + 1]);
    let none = Some(ProxyHeader { client: None, len });
    match (bytes[12] % 16, bytes[13]) {
        (0, _) => none,
        (1, 0x00..=0x02 | 0x30..=0x32) => none,
        (1, 0x10..=0x12) if len >= 16 + 12 => {
            let client = Ipv4Addr::new(bytes[16], bytes[17], bytes[18], bytes[19]);
            Some(ProxyHeader { client: Some((client, port(24)).into()), len })
        }
        (1, 0x20..=0x22) if len >= 16 + 36 => {
            let client: [u8; 16] = std::array::from_fn(|at| bytes[16 + at]);
            Some(ProxyHeader { client: Some((client, port(48)).into()), len })
        }
        _ => None,
    }
}

proptest! {
    #[test]
    fn a_header_is_what_an_oracle_says(
        signature in prop_oneof![9 => Just(SIGNATURE), 1 => any::<[u8; 12]>()],
        command in prop_oneof![4 => Just(0x21_u8), 1 => Just(0x20), 1 => any::<u8>()],
        family in prop_oneof![
            4 => prop::sample::select(vec![0x11_u8, 0x12, 0x21, 0x22]),
            1 => prop::sample::select(vec![0_u8, 0x10, 0x20, 0x31, 0x13, 0x41]),
            1 => any::<u8>(),
        ],
        len in prop_oneof![3 => Just(12_u16), 3 => Just(36), 2 => 0_u16..60, 1 => any::<u16>()],
        rest in prop::collection::vec(any::<u8>(), 0..80),
        cut in 0_usize..100,
    ) {
        let mut bytes = [&signature[..], &[command, family], &len.to_be_bytes(), &rest].concat();
        bytes.truncate(bytes.len().max(cut));
        prop_assert_eq!(ProxyHeader::parse(&bytes), oracle(&bytes));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        prop_assert_eq!(ProxyHeader::parse(&bytes), oracle(&bytes));
    }
}
