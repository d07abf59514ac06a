use super::*;
use crate::server::xdp::model;
use proptest::prelude::*;

fn addresses() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
    let ports = || (any::<u16>(), any::<u16>());
    prop_oneof![
        (any::<[[u8; 4]; 2]>(), ports())
            .prop_map(|([a, b], (from, to))| ((a, from).into(), (b, to).into())),
        (any::<[[u8; 16]; 2]>(), ports())
            .prop_map(|([a, b], (from, to))| ((a, from).into(), (b, to).into())),
    ]
}

proptest! {
    /// Frames that clients send, of which some bytes were changed, cut off or added.
    #[test]
    fn frames_are_read_and_answered_as_the_standards_say(
        (client, server) in addresses(),
        payload in proptest::collection::vec(any::<u8>(), 0..600),
        first in any::<u8>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        len in 0..700_usize,
    ) {
        let mut frame = model::frame(client, server, &payload);
        model::run(&[&[first][..], &frame].concat());
        let headers = 62.min(frame.len());
        changes.iter().for_each(|(at, byte)| frame[at.index(headers)] = *byte);
        model::run(&[&[first][..], &frame].concat());
        frame.resize(len, 0);
        model::run(&[&[first][..], &frame].concat());
    }
}

#[test]
fn the_seeds_of_the_fuzzer_are_read() {
    for seed in model::seeds() {
        assert!(Datagram::read(&seed[1..]).is_some(), "{seed:02x?}");
        model::run(&seed);
    }
    assert!(model::TOKENS.iter().all(|token| token.len() < 8));
}

/// The example of RFC 1071 section 3.
#[test]
fn the_checksum_is_that_of_the_standard() {
    let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(checksum(sum(0, &bytes)), (!0xddf2_u16).to_be_bytes());
    assert_eq!(checksum(sum(sum(0, &bytes[..2]), &bytes[2..])), (!0xddf2_u16).to_be_bytes());
}

#[test]
fn a_mapped_client_is_known_by_its_ipv4_address() {
    let (client, server) = ("[::ffff:192.0.2.1]:7".parse().unwrap(), "[::2]:53".parse().unwrap());
    let frame = model::frame(client, server, b"x");
    assert_eq!(Datagram::read(&frame).unwrap().client, "192.0.2.1:7".parse().unwrap());
}

#[test]
fn each_end_cut_off_leaves_nothing() {
    for seed in model::seeds() {
        let frame = &seed[1..];
        let whole = Datagram::read(frame).unwrap();
        let needed = whole.headers() + whole.payload.len();
        for len in 0..frame.len() {
            assert_eq!(Datagram::read(&frame[..len]).is_some(), len >= needed, "{len}");
        }
    }
}
