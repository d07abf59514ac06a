use super::super::tests::{catalog, ip4, query, raw, zone};
use super::super::{Outcome, Transport};
use crate::zone::{Catalog, Zone, ZoneHealth, ZoneState};

const NSID: u16 = 3;

pub(in crate::engine) fn health(is_ready: bool) -> ZoneHealth {
    ZoneHealth {
        is_ready,
        state: "live",
        changed: Some(0),
        content_id: 0x0123_4567_89ab_cdef,
        reason: "".into(),
        instance: 0xfeed,
    }
}

fn with(health: Option<ZoneHealth>, state: ZoneState) -> Catalog {
    let lists = ip4(300, &[("1.2.3.4", "1.2.3.4", [127, 0, 0, 2], "see $")]);
    catalog(vec![Zone { health, state, ..zone("bl.test", vec![lists]) }])
}

/// The answer's RCODE and number of answers, and its bytes.
fn ask(catalog: &Catalog, name: &str, qtype: u16) -> (u8, u8, Vec<u8>) {
    let (outcome, answer) = raw(catalog, &query(name, qtype, 1, None), Transport::Udp);
    assert!(matches!(outcome, Outcome::Respond(_)));
    (answer[3] & 15, answer[7], answer)
}

fn holds(answer: &[u8], text: &[u8]) -> bool {
    answer.windows(text.len()).any(|part| part == text)
}

#[test]
fn a_ready_zone_says_so() {
    let catalog = with(Some(health(true)), ZoneState::Live);
    let (rcode, answers, answer) = ask(&catalog, "_HEALTH.bl.test", 1);
    assert_eq!((rcode, answers), (0, 1));
    assert!(answer.ends_with(&[0, 4, 127, 0, 0, 2]));
    let (rcode, answers, answer) = ask(&catalog, "_health.bl.test", 16);
    assert_eq!((rcode, answers), (0, 1));
    assert!(holds(&answer, b"\x0astate=live"));
    assert!(holds(&answer, b"\x13id=0123456789abcdef"));
    let (rcode, answers, answer) = ask(&catalog, "_ready.bl.test", 1);
    assert_eq!((rcode, answers), (0, 1));
    assert!(answer.ends_with(&[0, 4, 127, 0, 0, 2]));
    let (rcode, answers, _) = ask(&catalog, "_health.bl.test", 28);
    assert_eq!((rcode, answers), (0, 0));
}

#[test]
fn a_zone_that_is_not_ready_has_no_address_but_a_reason_even_if_it_does_not_answer() {
    let health =
        ZoneHealth { state: "never-loaded", reason: "l2: nothing".into(), ..health(false) };
    for state in [ZoneState::Unloaded, ZoneState::Live] {
        let catalog = with(Some(health.clone()), state);
        let (rcode, answers, _) = ask(&catalog, "_health.bl.test", 1);
        assert_eq!((rcode, answers), (0, 0));
        for qtype in [1, 16, 255] {
            assert_eq!(ask(&catalog, "_ready.bl.test", qtype).0, 3);
        }
        let (_, answers, answer) = ask(&catalog, "_health.bl.test", 16);
        assert_eq!(answers, 1);
        assert!(holds(&answer, b"\x12reason=l2: nothing"));
    }
}

#[test]
fn a_name_of_the_doctor_tells_the_process_whether_the_zone_is_ready_or_not() {
    for (is_ready, state) in [(true, ZoneState::Live), (false, ZoneState::Unloaded)] {
        let catalog = with(Some(health(is_ready)), state);
        let (rcode, answers, answer) = ask(&catalog, "_doctor-a1.bl.test", 16);
        assert_eq!((rcode, answers), (0, 1));
        assert!(answer.ends_with(b"\0\0\0\0\0\x1a\x19instance=000000000000feed"));
        let (rcode, answers, answer) = ask(&catalog, "_DOCTOR-b2.bl.test", 1);
        assert_eq!((rcode, answers), (0, 1));
        assert!(answer.ends_with(&[0, 4, 127, 0, 0, 2]));
    }
    let catalog = with(Some(health(true)), ZoneState::Live);
    for other in ["_doctor.bl.test", "a._doctor-b2.bl.test", "doctor-a.bl.test"] {
        assert_eq!(ask(&catalog, other, 16).0, 3, "{other}");
    }
}

#[test]
fn a_zone_without_health_has_no_such_name() {
    let catalog = with(None, ZoneState::Live);
    assert_eq!(ask(&catalog, "_health.bl.test", 1).0, 3);
    let catalog = with(Some(health(true)), ZoneState::Live);
    assert_eq!(ask(&catalog, "a._health.bl.test", 1).0, 3);
    assert_eq!(ask(&catalog, "health.bl.test", 1).0, 3);
}

/// A query with an OPT record that has these options.
fn with_options(name: &str, options: &[u8]) -> Vec<u8> {
    let mut message = query(name, 1, 1, Some(1232));
    let end = message.len();
    message[end - 2..].copy_from_slice(&(options.len() as u16).to_be_bytes());
    message.extend(options);
    message
}

#[test]
fn a_client_that_asks_for_it_gets_the_content_id_as_the_identifier() {
    let wanted = [&NSID.to_be_bytes()[..], &[0, 16], b"0123456789abcdef"].concat();
    let cookie = [&[0, 10, 0, 8][..], b"clientid"].concat();
    let nsid = [0, 3, 0, 0];
    for options in [nsid.to_vec(), [&cookie[..], &nsid].concat(), [&nsid[..], &cookie].concat()] {
        for name in ["4.3.2.1.bl.test", "5.3.2.1.bl.test", "bl.test", "_health.bl.test"] {
            let catalog = with(Some(health(true)), ZoneState::Live);
            let (_, answer) = raw(&catalog, &with_options(name, &options), Transport::Udp);
            assert!(answer.ends_with(&[&[0, 20][..], &wanted].concat()), "{name}");
            assert_eq!(answer[11], 1);
        }
    }
    let catalog = with(None, ZoneState::Live);
    let (_, answer) = raw(&catalog, &with_options("4.3.2.1.bl.test", &nsid), Transport::Udp);
    assert!(answer.ends_with(&[0, 0]));
    let catalog = with(Some(health(true)), ZoneState::Live);
    let (_, answer) = raw(&catalog, &with_options("4.3.2.1.bl.test", &cookie), Transport::Udp);
    assert!(answer.ends_with(&[0, 0]));
}

#[test]
fn a_long_reason_is_cut() {
    let health = ZoneHealth { reason: "x".repeat(1000).into(), ..health(false) };
    let catalog = with(Some(health), ZoneState::Live);
    let (_, answers, answer) = ask(&catalog, "_health.bl.test", 16);
    assert_eq!(answers, 1);
    assert!(holds(&answer, &[&[255][..], b"reason=xxx"].concat()));
}
