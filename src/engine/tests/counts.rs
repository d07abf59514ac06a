//! What is counted, and what a query has time for.

use super::*;

#[test]
fn queries_are_counted_by_zone_worker_and_reason() {
    let catalog = listed();
    let mut out = [0; 1232];
    let mut sizes = [0, 0];
    for worker in [0, 1, 1] {
        let mut state = WorkerState::new(worker);
        for (qname, qtype) in
            [("4.3.2.1.bl.test", 1), ("4.3.2.1.bl.test", 28), ("5.3.2.1.bl.test", 1), ("org", 1)]
        {
            let query = query(qname, qtype, 1, None);
            let client = Ipv4Addr::LOCALHOST.into();
            let request = Request { query: &query, client, transport: Transport::Udp, now: NOW };
            let outcome = answer(&catalog, &mut state, &request, &mut out);
            if qname != "org" {
                sizes = [sizes[0] + query.len(), sizes[1] + outcome.bytes().unwrap()];
            }
        }
    }
    let (zone, rest) = (catalog.zones()[0].counters.figures(), catalog.counters().figures());
    for reason in Reason::ALL {
        let of_zone = [Reason::Answered, Reason::NoData, Reason::NxDomain].contains(&reason);
        assert_eq!(zone.queries(reason), if of_zone { 3 } else { 0 }, "{reason:?}");
        let of_none = reason == Reason::Refused;
        assert_eq!(rest.queries(reason), if of_none { 3 } else { 0 }, "{reason:?}");
    }
    assert_eq!([zone.bytes_in, zone.bytes_out], sizes.map(|size| size as u64));
    // A REFUSED is as long as its query.
    assert_eq!((rest.bytes_in, rest.bytes_out), (63, 63));
}

/// Each list that an allow list overrules is noted, on the fast and the general way, and nothing else is.
#[test]
fn answers_that_an_allow_list_changes_are_noted() {
    let list = |name: &str, address| Dataset {
        name: name.to_owned(),
        ..ip4(300, &[(address, address, [127, 0, 0, 2], "see $")])
    };
    let with_allow = |apex, lists: &[(&str, &'static str)]| Zone {
        allow: vec![Arc::new(list("allow", "1.2.3.4"))],
        ..zone(apex, lists.iter().map(|(name, address)| list(name, address)).collect())
    };
    let one = with_allow("one.test", &[("a", "1.2.3.4"), ("b", "1.2.3.5")]);
    let two = with_allow("two.test", &[("a", "1.2.3.4"), ("b", "1.2.3.4")]);
    let catalog = catalog(vec![one, two]);
    let mut state = WorkerState::new(1);
    for (now, qname) in [
        (1, "4.3.2.1.one.test"),
        (2, "5.3.2.1.one.test"),
        (3, "6.3.2.1.one.test"),
        (4, "4.3.2.1.two.test"),
        (5, "4.3.2.1.one.test"),
    ] {
        let query = query(qname, 1, 1, None);
        let client = Ipv4Addr::LOCALHOST.into();
        let request = Request { query: &query, client, transport: Transport::Udp, now };
        let _ = answer(&catalog, &mut state, &request, &mut [0; 1280]);
    }
    let tables = catalog.overrides().take();
    let told: Vec<_> = tables
        .iter()
        .flat_map(|table| table.iter().map(|it| (it.list, it.allow, it.sender, it.count, it.last)))
        .collect();
    let sender = SenderKey::Ip4(0x0102_0304);
    assert_eq!(told, [("a", "allow", sender, 3, 5), ("b", "allow", sender, 1, 4)]);
}

#[test]
fn a_worker_without_a_place_counts_nothing() {
    let catalog = listed();
    let query = query("4.3.2.1.bl.test", 1, 1, None);
    let client = Ipv4Addr::LOCALHOST.into();
    let request = Request { query: &query, client, transport: Transport::Udp, now: NOW };
    let outcome = answer(&catalog, &mut WorkerState::new(2), &request, &mut [0; 1232]);
    assert!(outcome.bytes().is_some());
    assert_eq!(catalog.zones()[0].counters.figures(), Figures::default());
}

/// A name with very many records, or values in very many datasets, must not take longer for each of them.
#[test]
fn no_query_looks_at_more_than_some_values_and_each_stands_once() {
    let of_set = |set: u16| {
        let mut records = RecordsBuilder::default();
        for number in 0..255_u16 {
            let preference = (set / 2 * 255 + number).to_be_bytes();
            let data = [&preference[..], b"\x04mail\0"].concat();
            records.add(b"\x01x\0", Type::MX, 60 + u32::from(set), &data).unwrap();
        }
        Dataset { records: Some(records.finish()), ..Dataset::default() }
    };
    let asked = |sets: u16, transport| {
        let catalog = catalog(vec![zone("bl.test", (0..sets).map(of_set).collect())]);
        let (_, bytes) = raw(&catalog, &query("x.bl.test", 15, 1, Some(1232)), transport);
        Message::from_vec(&bytes).unwrap()
    };
    for (sets, records, truncated) in [(1, 255, false), (2, 255, false), (4, 257, true)] {
        let message = asked(sets, Transport::Tcp);
        assert_eq!((message.answers.len(), message.metadata.truncation), (records, truncated));
        assert!(message.answers.iter().all(|record| record.ttl == 60));
        let mut seen: Vec<_> = message.answers.iter().map(|mx| mx.data.to_string()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), records);
    }
    let message = asked(1, Transport::Udp);
    assert!(message.metadata.truncation && message.answers.len() > 50);
}

#[test]
fn values_beyond_those_that_a_query_has_time_for_are_left_out() {
    let list = |set: u8| {
        let mut builder = AnswersBuilder::default();
        let values: Vec<_> =
            (0..255).map(|n| builder.value([127, 0, set, n].into(), b"").unwrap()).collect();
        let answer = builder.answer(&values);
        let (answers, new) = builder.finish([answer]);
        let listed = Range { start: 0x0102_0304, end: 0x0102_0304, answer: new.get(answer) };
        Dataset { ip4: Some(Trie4::build([listed])), answers, ttl: 300, ..Dataset::default() }
    };
    let catalog = catalog(vec![zone("bl.test", (0..3).map(list).collect())]);
    let (_, bytes) = raw(&catalog, &query("4.3.2.1.bl.test", 1, 1, None), Transport::Tcp);
    let message = Message::from_vec(&bytes).unwrap();
    assert_eq!((message.answers.len(), message.metadata.truncation), (255, true));
}
