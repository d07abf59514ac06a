use super::*;
use crate::transfer::packed::PackedRecord;
use crate::zone::{Ns, testing};
use crate::zonefile::Kind;
use proptest::prelude::*;
use std::convert::Infallible;

fn zone(lists: &[String], servers: &[&str]) -> Zone {
    let names = servers.iter().map(|server| server.parse().unwrap()).collect();
    let datasets = lists.iter().map(|text| testing::dataset(Kind::Mixed, text)).collect();
    let ns = Ns { names, ttl: 1, explicit: true };
    Zone { ns, ..testing::zone("bl.test", datasets) }
}

/// A record as it is compared: owner, type, TTL, data.
type Plain = (Vec<u8>, u16, u32, Vec<u8>);

/// All records of a zone of one section, without SOA.
#[derive(Default)]
struct All {
    owner: Vec<u8>,
    records: BTreeSet<Plain>,
}

impl RecordSink for All {
    type Error = Infallible;

    fn owner(&mut self, name: &[u8], is_wildcard: bool) {
        let star = if is_wildcard { &b"\x01*"[..] } else { &[] };
        self.owner = [star, &name[..name.len() - 1]].concat();
    }

    fn record(&mut self, rtype: Type, ttl: u32, data: &[u8]) -> Result<(), Infallible> {
        self.records.insert((self.owner.clone(), rtype.0, ttl, data.to_vec()));
        Ok(())
    }
}

fn all(zone: &Zone) -> BTreeSet<Plain> {
    let mut all = All::default();
    for server in &zone.ns.names {
        all.record(Type::NS, zone.ns.ttl, server.as_wire()).unwrap();
    }
    let options = SweepOptions { now: 0, ip4_in_ip6: false };
    for section in sections(zone, options).unwrap() {
        let section = section.with_whole_blocks();
        section.nodes(&mut Records::new(&section, default_ttl(zone), &mut all)).unwrap();
    }
    all.records
}

fn plain(packed: &Packed) -> BTreeSet<Plain> {
    let plain = |PackedRecord { owner, rtype, ttl, data }: PackedRecord<'_>| {
        (owner.to_vec(), rtype.0, ttl, data.to_vec())
    };
    packed.records().map(plain).collect()
}

/// Entries that lie side by side, in one another and apart.
fn entry() -> impl Strategy<Value = String> {
    proptest::sample::select(
        &[
            "10.0.0.1",
            "10.0.0.2",
            "10.0.0.0/24",
            "10.0.0.0/25",
            "10.0.0.0/23",
            "!10.0.0.7",
            "10.0.0.9 :3:other",
            "192.0.2.200",
            "2001:db8::/32",
            "2001:db8::1",
            "!2001:db8:1::/48",
            "a.example",
            ".example",
            "!b.example",
            ".c.a.example",
            "*.example",
            "-.example",
            "zz",
            "10.0.0.1 :2:$ is listed",
            "a.test",
        ][..],
    )
    .prop_map(str::to_owned)
}

fn lists() -> impl Strategy<Value = Vec<String>> {
    let text =
        proptest::collection::vec(entry(), 0..12).prop_map(|entries| entries.join("\n") + "\n");
    proptest::collection::vec(text, 1..3)
}

proptest! {
    #[test]
    fn a_difference_makes_the_new_version_of_the_old(old in lists(), new in lists(), servers: bool) {
        let old = zone(&old, &["ns.test", "a.test"]);
        let new = zone(&new, if servers { &["a.test", "b.test"] } else { &["ns.test", "a.test"] });
        let difference = compare(&old, &new, 0, usize::MAX).unwrap();
        let (before, after) = (all(&old), all(&new));
        let (deleted, added) = (plain(&difference.deleted), plain(&difference.added));
        prop_assert_eq!(&deleted, &before.difference(&after).cloned().collect::<BTreeSet<_>>());
        prop_assert_eq!(&added, &after.difference(&before).cloned().collect::<BTreeSet<_>>());
    }
}

#[test]
fn a_difference_that_is_too_large_is_none() {
    let list = |entries: std::ops::Range<u32>| {
        let lines = entries.map(|n| format!("10.{}.{}.1 :2:listed\n", n / 250, n % 250));
        zone(&[lines.collect()], &["ns.test"])
    };
    // More batches than wait for the other side.
    let (old, new) = (list(0..5000), list(50..5050));
    let change = difference(&old, &new, 0, usize::MAX).unwrap();
    assert_eq!((change.deleted.records().count(), change.added.records().count()), (100, 100));
    assert!(change.len() * 40 < change.whole, "{} of {}", change.len(), change.whole);
    assert_eq!(difference(&old, &new, 0, 1000).unwrap_err(), NoDifference::Large);
    assert_eq!(
        difference(&old, &list(4000..9000), 0, usize::MAX).unwrap_err(),
        NoDifference::Large
    );
    assert_eq!(difference(&old, &old, 0, 0).unwrap().len(), 0);
}
