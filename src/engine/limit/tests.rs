use super::table::Table;
use crate::engine::health::tests::health;
use crate::engine::tests::{NOW, catalog, ip4, query, zone};
use crate::engine::{Catalog, Outcome, Reason, Request, Transport, WorkerState, answer};
use crate::zone::{IP4_PREFIXES, IP6_PREFIXES, LENGTHS, RateLimit, SECOND, Zone};
use hickory_proto::op::{Message, ResponseCode};
use proptest::prelude::*;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// With this key, no two prefixes of these tests share a bucket.
const KEY: u64 = 0x9e37_79b9_7f4a_7c15;

/// So many queries a second, and at once.
fn limit(rate: u32, burst: u32) -> RateLimit {
    RateLimit::new(rate, burst, false, Vec::new(), 1)
}

fn take(table: &mut Table, limit: &RateLimit, client: IpAddr, now: u64) -> bool {
    let paid = match client {
        IpAddr::V4(client) => table.take_surely_ip4(limit, client.to_bits(), now),
        IpAddr::V6(client) => table.take_surely_ip6(limit, client.to_bits(), now),
    };
    paid == LENGTHS || table.take_rest(paid, limit, client, now)
}

/// The allowances of every prefix, each for itself, in the words of the documentation.
#[derive(Default)]
struct Naive(HashMap<(bool, u32, u128), u64>);

impl Naive {
    fn take(&mut self, rate: u64, burst: u64, client: IpAddr, now: u64) -> bool {
        let (bits, width, prefixes) = match client {
            IpAddr::V4(client) => (u128::from(client.to_bits()), 32, IP4_PREFIXES),
            IpAddr::V6(client) => (client.to_bits(), 128, IP6_PREFIXES),
        };
        let now = now * SECOND;
        prefixes.iter().all(|&(len, times)| {
            let prefix = (client.is_ipv4(), len, bits >> (width - len));
            let used_up = self.0.entry(prefix).or_default();
            let next = (*used_up).max(now) + SECOND / rate / times;
            let is_within = next <= now + SECOND / rate * burst;
            if is_within {
                *used_up = next;
            }
            is_within
        })
    }
}

/// An address of few, so that they meet in prefixes of each length.
fn client() -> impl Strategy<Value = IpAddr> {
    let ip4 = (0..2_u32, 0..2_u32, 0..2_u32, 0..3_u32).prop_map(|(a, b, c, d)| {
        IpAddr::from((0xc000_0200 + (a << 14 | b << 12 | c << 8 | d)).to_be_bytes())
    });
    let ip6 = (0..2_u128, 0..2_u128, 0..2_u128, 0..3_u128).prop_map(|(a, b, c, d)| {
        IpAddr::from(Ipv6Addr::from_bits(0x2001_0db8 << 96 | a << 80 | b << 72 | c << 64 | d))
    });
    prop_oneof![ip4, ip6]
}

proptest! {
    #[test]
    fn each_prefix_has_its_allowance(
        (rate, more) in (1..20_u32, 0..20_u32),
        queries in prop::collection::vec((client(), 0..3_u64, 1..30_usize), 1..200),
    ) {
        let (mut table, mut naive) = (Table::with_key(KEY), Naive::default());
        let (limit, mut now) = (limit(rate, rate + more), NOW);
        for (client, later, times) in queries {
            now += later;
            for _ in 0..times {
                let wanted = naive.take(rate.into(), (rate + more).into(), client, now);
                prop_assert_eq!(take(&mut table, &limit, client, now), wanted, "{}", client);
            }
        }
    }

    #[test]
    fn no_query_makes_it_panic(key: u64, rate: u32, burst: u32, client: u128, now: [u64; 4]) {
        let (mut table, limit) = (Table::with_key(key), limit(rate, burst));
        for now in now {
            take(&mut table, &limit, Ipv4Addr::from_bits(client as u32).into(), now);
            take(&mut table, &limit, Ipv6Addr::from_bits(client).into(), now);
        }
    }
}

fn victim() -> IpAddr {
    [192, 0, 2, 1].into()
}

#[test]
fn a_flood_gets_the_burst_and_then_the_rate() {
    let (mut table, limit) = (Table::with_key(KEY), limit(50, 100));
    let answered =
        |table: &mut Table, now| (0..10_000).filter(|_| take(table, &limit, victim(), now)).count();
    assert_eq!(answered(&mut table, NOW), 100);
    assert_eq!([1, 2, 3].map(|later| answered(&mut table, NOW + later)), [50; 3]);
    let neighbour = [192, 0, 2, 2].into();
    assert!(take(&mut table, &limit, neighbour, NOW + 3), "the flood takes nothing from others");
    assert_eq!(answered(&mut table, NOW + 1000), 100);
}

#[test]
fn a_network_gets_more_than_an_address_and_no_more() {
    let (mut table, limit) = (Table::with_key(KEY), limit(50, 50));
    let mut host = 0_u32;
    let mut answered = |bits: u32| {
        let clients = (0..100_000).map(|_| {
            host = host.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
            0xc633_0000 | host >> bits
        });
        let mut answered =
            |client: u32| take(&mut table, &limit, Ipv4Addr::from_bits(client).into(), NOW);
        clients.filter(|&client| answered(client)).count()
    };
    assert_eq!(answered(24), 32 * 50);
    // The /18, in which the /24 lies, has been asked for already.
    let rest = answered(18);
    assert!((35_000..=768 * 50).contains(&rest), "{rest}");
}

/// Whoever sends queries from all addresses displaces others, and gives none of them a new allowance.
#[test]
fn a_flood_from_everywhere_gives_nobody_more() {
    let (mut table, limit) = (Table::with_key(KEY), limit(5, 10));
    let mut answered = 0;
    for other in 0..2_000_000_u32 {
        take(&mut table, &limit, other.wrapping_mul(0x9e37_79b1).to_be_bytes().into(), NOW);
        answered += u32::from(take(&mut table, &limit, victim(), NOW));
    }
    assert_eq!(answered, 10);
}

#[test]
fn a_clock_that_is_set_back_limits_nobody() {
    let (mut table, limit) = (Table::with_key(KEY), limit(5, 10));
    assert!(take(&mut table, &limit, victim(), NOW));
    for now in [NOW - 3600, NOW - 1, 0, NOW + 3600] {
        let answered = (0..100).filter(|_| take(&mut table, &limit, victim(), now)).count();
        assert!((5..=10).contains(&answered), "{answered} at {now}");
    }
}

#[test]
fn workers_share_the_rate() {
    let limit = RateLimit::new(40, 80, false, Vec::new(), 8);
    let mut tables = [(); 8].map(|()| Table::with_key(KEY));
    let mut answered = |now| -> usize {
        let each =
            |table: &mut Table| (0..100).filter(|_| take(table, &limit, victim(), now)).count();
        tables.iter_mut().map(each).sum()
    };
    assert_eq!([0, 1, 2].map(|later| answered(NOW + later)), [80, 40, 40]);
    // However many there are, each answers something.
    let limit = RateLimit::new(1, 1, false, Vec::new(), 1000);
    assert!(take(&mut Table::with_key(KEY), &limit, victim(), NOW));
}

/// The list of `bl.test` has 1.2.3.4.
fn listed(limit: RateLimit) -> Catalog {
    let list = ip4(300, &[("1.2.3.4", "1.2.3.4", [127, 0, 0, 2], "see $")]);
    let health = Some(health(true));
    let zone = Zone { health, ..zone("bl.test", vec![list]) };
    catalog(vec![zone]).with_rate_limit(Some(limit))
}

/// What a client of this state is answered.
fn ask(
    catalog: &Catalog,
    state: &mut WorkerState,
    transport: Transport,
    query: &[u8],
) -> (Vec<u8>, Outcome) {
    let mut out = vec![0; 65_535];
    let request = Request { query, client: victim(), transport, now: NOW };
    let outcome = answer(catalog, state, &request, &mut out);
    out.truncate(outcome.bytes().unwrap_or(0));
    (out, outcome)
}

#[test]
fn beyond_the_limit_is_the_question_and_tc_and_no_more_bytes_than_asked() {
    let catalog = listed(limit(1, 1));
    let mut state = WorkerState::default();
    let (first, _) =
        ask(&catalog, &mut state, Transport::Udp, &query("4.3.2.1.bl.test", 1, 1, None));
    assert_eq!(Message::from_vec(&first).unwrap().answers.len(), 1);
    for (name, qtype, class) in [
        ("4.3.2.1.BL.test", 1, 1),
        ("4.3.2.1.bl.test", 16, 1),
        ("5.3.2.1.bl.test", 1, 1),
        ("bl.test", 6, 1),
        ("_health.bl.test", 16, 1),
        ("version.bind", 16, 3),
    ] {
        for payload in [None, Some(4096)] {
            let query = query(name, qtype, class, payload);
            let (reply, _) = ask(&catalog, &mut state, Transport::Udp, &query);
            assert_eq!(reply.len(), query.len(), "{name}");
            let message = Message::from_vec(&reply).unwrap();
            let metadata = message.metadata;
            assert!(metadata.truncation, "{name}");
            assert_eq!((metadata.response_code, metadata.id), (ResponseCode::NoError, 0xabcd));
            assert!(message.answers.is_empty() && message.authorities.is_empty(), "{name}");
            assert_eq!(message.edns.is_some(), payload.is_some(), "{name}");
        }
    }
    let of_zone = catalog.zones()[0].counters.figures();
    assert_eq!((of_zone.queries(Reason::RateLimited), of_zone.spared), (10, 0));
    assert_eq!(catalog.counters().figures().queries(Reason::RateLimited), 2);
    // What is as short anyhow stays what it is.
    let refused = query("elsewhere.test", 1, 1, None);
    let (reply, _) = ask(&catalog, &mut state, Transport::Udp, &refused);
    let metadata = Message::from_vec(&reply).unwrap().metadata;
    assert_eq!((metadata.truncation, metadata.response_code), (false, ResponseCode::Refused));
    let (_, outcome) = ask(&catalog, &mut state, Transport::Udp, b"no query");
    assert_eq!(outcome, Outcome::Drop);
}

#[test]
fn streams_and_exempt_clients_have_no_limit() {
    let query = query("4.3.2.1.bl.test", 1, 1, None);
    let is_whole =
        |(reply, _): (Vec<u8>, Outcome)| !Message::from_vec(&reply).unwrap().metadata.truncation;
    let catalog = listed(limit(1, 1));
    let mut state = WorkerState::default();
    for transport in [Transport::Tcp, Transport::Tls] {
        assert!((0..9).all(|_| is_whole(ask(&catalog, &mut state, transport, &query))));
    }
    assert!(is_whole(ask(&catalog, &mut state, Transport::Udp, &query)), "streams use up nothing");
    assert!(!is_whole(ask(&catalog, &mut state, Transport::Udp, &query)));
    for (exempt, passes) in [("192.0.2.0/24", true), ("192.0.2.2/32", false)] {
        let limit = RateLimit::new(1, 1, false, vec![exempt.parse().unwrap()], 1);
        let (catalog, mut state) = (listed(limit), WorkerState::default());
        let all = (0..9).all(|_| is_whole(ask(&catalog, &mut state, Transport::Udp, &query)));
        assert_eq!(all, passes, "{exempt}");
    }
}

#[test]
fn a_dry_run_counts_and_changes_no_answer() {
    let catalog = listed(RateLimit::new(1, 1, true, Vec::new(), 1));
    let without = listed(limit(100_000, 100_000));
    let (mut state, mut free) = (WorkerState::default(), WorkerState::default());
    for (name, qtype) in
        [("4.3.2.1.bl.test", 1), ("4.3.2.1.bl.test", 16), ("x.bl.test", 1), ("_health.bl.test", 16)]
    {
        let query = query(name, qtype, 1, None);
        let answer = ask(&catalog, &mut state, Transport::Udp, &query);
        assert_eq!(answer, ask(&without, &mut free, Transport::Udp, &query), "{name}");
    }
    let figures = catalog.zones()[0].counters.figures();
    assert_eq!((figures.spared, figures.queries(Reason::RateLimited)), (3, 0));
    // What the limit would leave as it is does not count.
    for query in [&query("elsewhere.test", 1, 1, None)[..], b"no query", b""] {
        let _ = ask(&catalog, &mut state, Transport::Udp, query);
    }
    assert_eq!(catalog.counters().figures().spared, 0);
    let _ = ask(&catalog, &mut state, Transport::Udp, &query("version.bind", 16, 3, None));
    assert_eq!(catalog.counters().figures().spared, 1);
}
