use super::*;
use crate::trie::{Trie4, Trie6};
use crate::wire::name::NameBuf;
use crate::zone::testing::{dataset, zone};
use crate::zone::{Chaos, Zone};
use crate::zonefile::Kind;
use proptest::prelude::*;
use std::net::Ipv6Addr;
use std::sync::Arc;

fn name(text: &str) -> NameBuf {
    text.parse().unwrap()
}

/// `bl.test` lists addresses of both families, `key.test` for those with a key, `dn.test` names.
pub(in crate::stats::top) fn catalog() -> Catalog {
    let addresses = || Dataset {
        ip4: Some(Trie4::build(Vec::new())),
        ip6: Some(Trie6::build(Vec::new())),
        ..Dataset::default()
    };
    let names = Dataset { names: Some(Default::default()), ..addresses() };
    let keys = Arc::new(dataset(Kind::AclKey, ":refuse\nsecret :pass\n"));
    let zones = vec![
        zone("bl.test", vec![addresses()]),
        Zone { acl: vec![keys], ..zone("key.test", vec![addresses()]) },
        zone("dn.test", vec![names]),
    ];
    Catalog::new(zones, Chaos::default())
}

fn of(text: &str) -> Option<Misconfiguration> {
    Misconfiguration::of(&catalog(), name(text).as_wire())
}

#[test]
fn what_no_client_that_is_set_up_well_asks_is_told_by_its_kind() {
    use Misconfiguration::{DoubledSuffix, NameInAddressZone, UnreversedAddress};
    let nibbles = |address: &str, is_reversed: bool| {
        let address: Ipv6Addr = address.parse().unwrap();
        let mut digits: Vec<_> = format!("{:032x}", address.to_bits()).chars().collect();
        if is_reversed {
            digits.reverse();
        }
        digits.iter().map(|digit| format!("{digit}.")).collect::<String>() + "bl.test"
    };
    for (name, want) in [
        ("7.2.0.192.bl.test.bl.test", Some(DoubledSuffix)),
        ("bl.test.bl.test", Some(DoubledSuffix)),
        ("7.2.0.192.key.test.secret.key.test", Some(DoubledSuffix)),
        ("198.51.100.240.bl.test", Some(UnreversedAddress)),
        ("198.51.100.0.bl.test", Some(UnreversedAddress)),
        ("mail.example.org.bl.test", Some(NameInAddressZone)),
        ("1.2.3.4.5000.bl.test", Some(NameInAddressZone)),
        ("mail.example.secret.key.test", Some(NameInAddressZone)),
        // Whatever may be right is not told.
        ("198.51.100.24.bl.test", None),
        ("240.100.51.198.bl.test", None),
        ("10.0.0.240.bl.test", None),
        ("2.0.0.127.bl.test", None),
        ("0.192.bl.test", None),
        ("7.2.0.192.secret.key.test", None),
        ("secret.key.test", None),
        ("bl.test", None),
        ("test.bl.test", None),
        ("_health.bl.test", None),
        ("a.8.b.d.0.1.0.0.2.bl.test", None),
        ("mail.example.org.dn.test", None),
        ("www.dn.test.dn.test", None),
        ("mail.example.org.elsewhere.test", None),
        (&nibbles("2001:db8::57", false), Some(UnreversedAddress)),
        (&nibbles("2001:db8::53", true), None),
        (&nibbles("fe80::2", true), None),
        (&nibbles("::ffff:127.0.0.2", true), None),
    ] {
        assert_eq!(of(name), want, "{name}");
    }
}

#[test]
fn all_names_end_in_that_of_the_root() {
    let addresses = Dataset { ip4: Some(Trie4::build(Vec::new())), ..Dataset::default() };
    let catalog = Catalog::new(vec![zone(".", vec![addresses])], Chaos::default());
    for (text, want) in [
        (".", None),
        ("7.2.0.192", None),
        ("mail.example.org", Some(Misconfiguration::NameInAddressZone)),
    ] {
        assert_eq!(Misconfiguration::of(&catalog, name(text).as_wire()), want, "{text}");
    }
}

proptest! {
    #[test]
    fn who_asks_for_an_address_of_the_internet_as_he_should_is_not_told(bits: u32, site in 0x2000_u16..0x4000, rest: u128) {
        let address = Ipv4Addr::from_bits(bits);
        prop_assume!(!matches!(address.octets()[0], 0 | 224..));
        let [a, b, c, d] = address.octets();
        prop_assert_eq!(of(&format!("{d}.{c}.{b}.{a}.bl.test")), None);
        let bits = u128::from(site) << 112 | rest >> 16;
        let digits: String = format!("{bits:032x}").chars().rev().map(|digit| format!("{digit}.")).collect();
        prop_assert_eq!(of(&format!("{digits}bl.test")), None);
    }

    #[test]
    fn no_name_makes_it_panic(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..8), 0..25)) {
        let labels: Vec<u8> = labels.iter().flat_map(|label| [&[label.len() as u8], &label[..]].concat()).collect();
        for apex in ["bl.test", "key.test", "elsewhere"] {
            let name = [&labels[..], name(apex).as_wire()].concat();
            let _ = Misconfiguration::of(&catalog(), &name);
        }
    }
}
