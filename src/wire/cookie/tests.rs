use super::*;
use proptest::prelude::*;

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    assert_eq!(hex.len(), 2 * N);
    std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
}

fn secrets(active: &str, other: Option<&str>) -> CookieSecrets {
    let secret = |hex| CookieSecret(bytes(hex));
    CookieSecrets { active: secret(active), other: other.map(secret) }
}

/// The option for a query with these cookies, without code and length; and whether they are a proof.
fn answer(secrets: &CookieSecrets, data: &[u8], address: &str, now: u64) -> ([u8; 24], bool) {
    let cookies = QueryCookies::parse(data).unwrap();
    let (option, is_proof) = secrets.answer(cookies, address.parse().unwrap(), now);
    assert_eq!(option[..4], [0, 10, 0, 24]);
    (*option.last_chunk().unwrap(), is_proof)
}

/// RFC 9018 appendix A.
#[test]
fn cookies_are_those_of_the_rfc() {
    let one = secrets("e5e973e5a6b2a43f48e7dc849e37bfcf", None);
    let first = bytes("2464c4abcf10c957010000005cf79f111f8130c3eee29480");
    assert_eq!(answer(&one, &first[..8], "198.51.100.100", 1_559_731_985), (first, false));
    let renewed = bytes("2464c4abcf10c957010000005cf7a871d4a564a1442aca77");
    assert_eq!(answer(&one, &first, "198.51.100.100", 1_559_734_385), (renewed, true));
    let reserved: [u8; 24] = bytes("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5");
    let renewed = bytes("fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e");
    assert_eq!(answer(&one, &reserved, "203.0.113.203", 1_559_734_700), (renewed, false));
    assert!(answer(&one, &reserved, "203.0.113.203", 1_559_730_700).1);
    let (old, new) = ("dd3bdf9344b678b185a6f5cb60fca715", "445536bcd2513298075a5d379663c962");
    let before: [u8; 24] = bytes("22681ab97d52c298010000005cf7c57926556bd0934c72f8");
    let after = bytes("22681ab97d52c298010000005cf7c609a6bb79d16625507a");
    let rolled = secrets(new, Some(old));
    let address = "2001:db8:220:1:59de:d0f4:8769:82b8";
    assert_eq!(answer(&rolled, &before, address, 1_559_741_961), (after, true));
}

#[test]
fn lengths_are_those_of_the_rfc() {
    for len in 0..60 {
        let is_valid = len == 8 || (16..=40).contains(&len);
        assert_eq!(QueryCookies::parse(&vec![7; len]).is_some(), is_valid, "{len}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?}", secrets(&"5a".repeat(16), None));
    assert!(!shown.contains("90") && !shown.contains("5a"), "{shown}");
}

/// SipHash-2-4 as its authors have it ("SipHash: a fast short-input PRF", section 2).
fn siphash(key: [u8; 16], data: &[u8]) -> u64 {
    let word =
        |bytes: &[u8]| bytes.iter().rev().fold(0u64, |word, &byte| word << 8 | u64::from(byte));
    let (k0, k1) = (word(&key[..8]), word(&key[8..]));
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let round = |v: &mut [u64; 4]| {
        v[0] = v[0].wrapping_add(v[1]);
        v[2] = v[2].wrapping_add(v[3]);
        (v[1], v[3]) = (v[1].rotate_left(13) ^ v[0], v[3].rotate_left(16) ^ v[2]);
        v[0] = v[0].rotate_left(32);
        v[2] = v[2].wrapping_add(v[1]);
        v[0] = v[0].wrapping_add(v[3]);
        (v[1], v[3]) = (v[1].rotate_left(17) ^ v[2], v[3].rotate_left(21) ^ v[0]);
        v[2] = v[2].rotate_left(32);
    };
    let mut padded = data.to_vec();
    padded.resize(data.len() / 8 * 8 + 7, 0);
    padded.push(data.len() as u8);
    for block in padded.chunks(8) {
        v[3] ^= word(block);
        round(&mut v);
        round(&mut v);
        v[0] ^= word(block);
    }
    v[2] ^= 0xff;
    (0..4).for_each(|_| round(&mut v));
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

proptest! {
    /// What the RFCs say, word for word.
    #[test]
    fn an_answer_is_what_an_oracle_says(
        [active, other]: [[u8; 16]; 2],
        has_other: bool,
        client: [u8; 8],
        address: IpAddr,
        now in prop_oneof![Just(0), Just(u64::from(u32::MAX)), 1_700_000_000_u64..1_800_000_000],
        age in -400_i64..4000,
        version in prop_oneof![9 => Just(1_u8), 1 => any::<u8>()],
        reserved: [u8; 3],
        // Made with the active secret, the other, or none; and with one bit wrong.
        by in 0_usize..3,
        flip in proptest::option::weighted(0.3, 0_usize..192),
    ) {
        let secrets = CookieSecrets {
            active: CookieSecret(active),
            other: has_other.then_some(CookieSecret(other)),
        };
        let octets = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.to_ipv4_mapped().map_or_else(
                || address.octets().to_vec(),
                |address| address.octets().to_vec(),
            ),
        };
        let made = (now as i64 - age) as u32;
        let head = [&[version][..], &reserved, &made.to_be_bytes()].concat();
        let hash = |secret, client: &[u8], head: &[u8]| {
            siphash(secret, &[client, head, &octets].concat()).to_le_bytes()
        };
        let key = [active, other, [0x33; 16]][by];
        let mut data = [&client[..], &head, &hash(key, &client, &head)].concat();
        if let Some(bit) = flip {
            data[bit / 8] ^= 1 << (bit % 8);
        }
        let cookies = QueryCookies::parse(&data).unwrap();
        let (option, is_proof) = secrets.answer(cookies, address, now);

        let (client, head, sent) = (&data[..8], &data[8..16], &data[16..]);
        let made = u32::from_be_bytes(head[4..].try_into().unwrap());
        let age = i64::from((now as u32).wrapping_sub(made) as i32);
        let is_in_time = head[0] == 1 && (-300..=3600).contains(&age);
        let is_by = |secret| is_in_time && hash(secret, client, head) == sent;
        let want_proof = is_by(active) || has_other && is_by(other);
        prop_assert_eq!(is_proof, want_proof);
        let fresh = [&[1, 0, 0, 0][..], &(now as u32).to_be_bytes()].concat();
        let fresh_hash = hash(active, client, &fresh);
        let server = match is_by(active) && age < 1800 {
            true => data[8..].to_vec(),
            false => [&fresh[..], &fresh_hash].concat(),
        };
        let want = [&[0, 10, 0, 24][..], client, &server].concat();
        prop_assert_eq!(&option[..], &want[..]);
    }
}
