use super::*;
use proptest::prelude::*;
use std::collections::HashMap;
use std::net::Ipv6Addr;

fn quota(subject: QuotaSubject, queries: u32) -> Quota {
    let (answer, counts) = (QuotaAnswer::Refuse, QuotaCounts::default());
    Quota { subject, queries, period: 60, answer, exempt: Vec::new(), counts }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

proptest! {
    #[test]
    fn each_subject_has_its_quota_in_each_period(
        queries in 1..20_u32,
        asked in prop::collection::vec((0..40_u64, 0..2_u64, 1..10_usize), 0..200),
    ) {
        let (counts, mut exact, mut period) = (QuotaCounts::default(), HashMap::new(), 1);
        for (subject, later, times) in asked {
            period += later;
            for _ in 0..times {
                let before = exact.entry((subject, period)).or_insert(0_u32);
                let wanted = *before < queries;
                *before += u32::from(wanted);
                prop_assert_eq!(counts.take(xxh3_64(&[subject as u8]), queries, period), wanted);
            }
        }
    }

    /// However many others ask, nobody gets more than his quota.
    #[test]
    fn nobody_begins_anew_because_of_others(others: [u64; 32]) {
        let counts = QuotaCounts::default();
        // All compete for the places of one subject.
        let subject = 7 << 32 | 5;
        let answered = others.iter().filter(|&&other| {
            counts.take(other << 32 | 5, 9, 1);
            counts.take(subject, 9, 1)
        });
        prop_assert!(answered.count() <= 9);
    }
}

/// Who knows how subjects are hashed, but not the key of the server, displaces nobody.
#[test]
fn chosen_subjects_do_not_fall_into_the_buckets_of_another() {
    let quota = quota(QuotaSubject::Key, 3);
    let is_beyond = |key| quota.is_beyond(Some(key), ip("192.0.2.1"), b"\0", 0);
    for other in 1..=100_u64 {
        (0..3).for_each(|_| assert!(!is_beyond(other << 32 | 5), "{other}"));
    }
    assert!(!is_beyond(7 << 48 | 5));
}

#[test]
fn workers_count_together() {
    let counts = QuotaCounts::default();
    let answered: usize = std::thread::scope(|scope| {
        let ask = || (0..1000).filter(|_| counts.take(3 << 40, 1500, 1)).count();
        let workers = [(); 4].map(|()| scope.spawn(ask));
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    // Those that look at the same time may see one more than there is.
    assert!((1500..1504).contains(&answered), "{answered}");
    assert_eq!(counts.beyond(), 4000 - answered as u64);
}

#[test]
fn clients_are_counted_by_prefix_without_those_with_a_key_or_exempt() {
    let subject = QuotaSubject::Client { ip4: 24, ip6: 64 };
    let quota = Quota { exempt: vec!["192.0.2.9/32".parse().unwrap()], ..quota(subject, 1) };
    let is_beyond = |key, client| quota.is_beyond(key, ip(client), b"\0", 600);
    assert!(!is_beyond(None, "192.0.2.1"));
    assert!(is_beyond(None, "192.0.2.255"));
    assert!(!is_beyond(Some(7), "192.0.2.255") && !is_beyond(None, "192.0.2.9"));
    assert!(!is_beyond(None, "192.0.3.1"));
    assert!(!is_beyond(None, "2001:db8::1"));
    assert!(is_beyond(None, "2001:db8::2"));
    assert!(!is_beyond(None, "2001:db8:0:1::2"));
    assert!(!quota.is_beyond(None, ip("192.0.2.1"), b"\0", 660), "in the next minute");
    for (ip4, ip6) in [(0, 0), (32, 128)] {
        assert_eq!(
            prefix_hash(ip("192.0.2.1"), ip4, ip6) == prefix_hash(ip("198.51.100.1"), ip4, ip6),
            ip4 == 0
        );
        let [one, other] =
            [1, 2].map(|bits| prefix_hash(Ipv6Addr::from_bits(bits).into(), ip4, ip6));
        assert_eq!(one == other, ip6 == 0);
    }
}

#[test]
fn keys_and_zones_are_counted_whoever_asks() {
    let keys = quota(QuotaSubject::Key, 1);
    assert!(
        !keys.is_beyond(None, ip("192.0.2.1"), b"\0", 0)
            && !keys.is_beyond(None, ip("192.0.2.1"), b"\0", 0)
    );
    assert!(!keys.is_beyond(Some(9 << 32), ip("192.0.2.1"), b"\0", 0));
    assert!(keys.is_beyond(Some(9 << 32), ip("192.0.2.2"), b"\x01a\0", 0));
    assert!(!keys.is_beyond(Some(6 << 32), ip("192.0.2.2"), b"\0", 0));
    let zones = quota(QuotaSubject::Zone, 1);
    assert!(!zones.is_beyond(None, ip("192.0.2.1"), b"\x01a\0", 0));
    assert!(zones.is_beyond(Some(1), ip("192.0.2.2"), b"\x01a\0", 0));
    assert!(!zones.is_beyond(None, ip("192.0.2.2"), b"\x01b\0", 0));
}
