use super::*;
use crate::config::Top;
use crate::engine::Transport;
use crate::wire::HEADER;

const FULL: Top = Top { is_on: true, anonymise_clients: false };

/// A query for a name, and an answer with one record or none.
fn message(name: &str, records: u8) -> Vec<u8> {
    let mut message = vec![0; HEADER];
    (message[2], message[7]) = (if records > 0 { 0x80 } else { 0 }, records);
    let name: crate::wire::name::NameBuf = name.parse().unwrap();
    message.extend_from_slice(name.as_wire());
    message
}

fn ask(tops: &Tops, worker: usize, client: &str, name: &str, records: u8, weight: f64) {
    let query = message(name, 0);
    let (client, transport) = (client.parse().unwrap(), Transport::Udp);
    let request = Request { query: &query, client, transport, now: 1000 };
    let answer = message(name, records);
    tops.add(worker, weight, &Catalog::default(), &request, &answer);
}

fn tops(workers: usize, settings: Top, since: u64) -> Tops {
    let tops = Tops::new(workers, since);
    tops.apply(settings);
    tops
}

fn report(tops: &Tops) -> TopReport {
    let zones = ["bl.example", "sub.bl.example"].map(|zone| zone.parse().unwrap());
    tops.report(&zones.each_ref(), 1000)
}

#[test]
fn keys_and_clients_of_all_workers_are_told_by_zone_the_most_first() {
    let tops = tops(2, FULL, 999);
    ask(&tops, 0, "192.0.2.7", "2.0.0.127.BL.example", 1, 4.0);
    ask(&tops, 1, "192.0.2.7", "2.0.0.127.bl.example", 1, 2.0);
    ask(&tops, 1, "2001:db8::1", "spam.sub.bl.example", 1, 1.0);
    ask(&tops, 1, "192.0.2.8", &format!("2{}.bl.example", ".0".repeat(31)), 0, 1.0);
    ask(&tops, 1, "192.0.2.8", "elsewhere.example", 0, 0.5);
    ask(&tops, 1, "192.0.2.8", "bl.example", 1, 0.75);
    ask(&tops, 1, "192.0.2.8", "_health.bl.example", 1, 0.75);
    ask(&tops, 2, "192.0.2.9", "no-such-worker.example", 1, 9.0);
    let report = report(&tops);
    let keys = |keys: &[TopKey]| -> Vec<(Option<String>, String)> {
        keys.iter().map(|key| (key.zone.clone(), key.key.clone())).collect()
    };
    let key = |zone: &str, key: &str| (Some(zone.to_owned()), key.to_owned());
    assert_eq!(
        keys(&report.listed),
        [key("bl.example", "127.0.0.2"), key("sub.bl.example", "spam")]
    );
    let elsewhere = (None, "elsewhere.example".to_owned());
    assert_eq!(keys(&report.unlisted), [key("bl.example", "::2"), elsewhere]);
    assert_eq!(report.listed[0].share, 0.6);
    let rate = report.listed[0].per_second;
    assert!((5.9..6.1).contains(&rate), "six in the second there was: {rate}");
    let clients: Vec<_> = report.clients.iter().map(|client| client.client.as_str()).collect();
    assert_eq!(clients, ["192.0.2.7", "192.0.2.8", "2001:db8::1"]);
}

#[test]
fn clients_can_be_anonymised_and_all_can_be_switched_off() {
    let tops = tops(1, Top { anonymise_clients: true, ..FULL }, 0);
    for client in ["192.0.2.7", "192.0.2.8", "2001:db8:1:2:3::4"] {
        ask(&tops, 0, client, "bl.example", 0, 1.0);
    }
    let clients = |tops: &Tops| -> Vec<String> {
        report(tops).clients.into_iter().map(|client| client.client).collect()
    };
    assert_eq!(clients(&tops), ["192.0.2.0/24", "2001:db8:1::/48"]);
    tops.apply(FULL);
    assert!(clients(&tops).is_empty(), "nothing stays that was kept by other settings");
    ask(&tops, 0, "192.0.2.7", "bl.example", 0, 1.0);
    tops.apply(FULL);
    assert_eq!(clients(&tops), ["192.0.2.7"]);
    tops.apply(Top { is_on: false, ..FULL });
    ask(&tops, 0, "192.0.2.7", "bl.example", 0, 1.0);
    assert_eq!(report(&tops), TopReport::default());
    tops.apply(FULL);
    assert!(report(&tops).is_on && clients(&tops).is_empty());
}

#[test]
fn of_many_keys_those_that_weigh_nothing_for_certain_are_not_told() {
    let tops = tops(1, FULL, 0);
    for number in 0..20_000 {
        ask(
            &tops,
            0,
            &format!("10.0.{}.{}", number / 256 % 256, number % 256),
            "a.bl.example",
            0,
            1.0,
        );
        if number % 20 == 0 {
            ask(&tops, 0, "192.0.2.7", "b.bl.example", 0, 1.0);
        }
    }
    let report = report(&tops);
    assert_eq!(report.clients.len(), 1, "{:?}", report.clients);
    assert_eq!(report.clients[0].client, "192.0.2.7");
    assert!((0.04..0.06).contains(&report.clients[0].share), "{:?}", report.clients);
}

#[test]
fn an_answer_to_another_query_makes_no_key_listed() {
    let query = message("bl.example", 0);
    let name = NameKey::of(&query).unwrap();
    let answer = message("BL.example", 1);
    assert!(has_records(&answer) && answers(&answer, &query, name));
    let changed = |at: usize| {
        let mut other = answer.clone();
        other[at] ^= 0x80;
        other
    };
    assert!(!answers(&changed(0), &query, name), "its number");
    assert!(!answers(&changed(2), &query, name), "it is a query");
    assert!(!answers(&changed(13), &query, name), "its name");
    assert!(!has_records(&message("bl.example", 0)) && !has_records(b""));
}

#[test]
fn clients_that_ask_wrongly_are_told_by_fault_with_the_first_name() {
    let tops = tops(2, FULL, 999);
    let catalog = misconfigured::tests::catalog();
    for (worker, client, name, weight) in [
        (0, "192.0.2.7", "mail.example.org.bl.test", 4.0),
        (1, "192.0.2.7", "www.example.org.bl.test", 2.0),
        (1, "192.0.2.7", "7.2.0.192.bl.test.bl.test", 1.0),
        (1, "192.0.2.8", "7.2.0.192.bl.test", 3.0),
    ] {
        let query = message(name, 0);
        let (client, transport) = (client.parse().unwrap(), Transport::Udp);
        let request = Request { query: &query, client, transport, now: 1000 };
        tops.add(worker, weight, &catalog, &request, &message(name, 0));
    }
    let told: Vec<_> =
        report(&tops).misconfigured.into_iter().map(|it| (it.client, it.fault, it.share)).collect();
    let client = || "192.0.2.7".to_owned();
    let want = [
        (client(), "name-in-address-zone".to_owned(), 0.6),
        (client(), "doubled-suffix".to_owned(), 0.1),
    ];
    assert_eq!(told, want);
    assert_eq!(report(&tops).misconfigured[1].example, "7.2.0.192.bl.test.bl.test");
}
