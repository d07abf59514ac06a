//! EDNS, truncation, and odd messages.

use super::*;

#[test]
fn edns_is_answered_by_the_rfc() {
    let catalog = listed();
    let (_, bytes) = raw(&catalog, &query("4.3.2.1.bl.test", 1, 1, Some(4096)), Transport::Udp);
    let message = Message::from_vec(&bytes).unwrap();
    let edns = message.edns.as_ref().unwrap();
    assert_eq!((edns.max_payload(), edns.version(), edns.flags().dnssec_ok), (1232, 0, true));
    let mut newer = query("4.3.2.1.bl.test", 1, 1, Some(4096));
    let version = newer.len() - 5;
    newer[version] = 1;
    let (_, bytes) = raw(&catalog, &newer, Transport::Udp);
    let message = Message::from_vec(&bytes).unwrap();
    assert_eq!(u16::from(message.metadata.response_code), 16);
    assert!(message.answers.is_empty());
}

#[test]
fn what_does_not_fit_is_truncated_over_udp_and_whole_over_tcp() {
    let texts: Vec<_> = (0..6)
        .map(|n| ip4(300, &[("1.2.3.4", "1.2.3.4", [127, 0, 0, n], &format!("{n}").repeat(300))]))
        .collect();
    let catalog = catalog(vec![zone("bl.test", texts)]);
    let cases = [(None, 512, 1), (Some(700), 700, 2), (Some(65_535), 1232, 3), (Some(0), 512, 1)];
    for (payload, limit, records) in cases {
        let (_, bytes) = raw(&catalog, &query("4.3.2.1.bl.test", 16, 1, payload), Transport::Udp);
        assert!(bytes.len() <= limit);
        let message = Message::from_vec(&bytes).unwrap();
        assert!(message.metadata.truncation, "{payload:?}");
        assert_eq!(message.answers.len(), records, "{payload:?}");
        assert_eq!(message.edns.is_some(), payload.is_some());
    }
    let (_, bytes) = raw(&catalog, &query("4.3.2.1.bl.test", 16, 1, None), Transport::Tcp);
    let message = Message::from_vec(&bytes).unwrap();
    assert_eq!((message.answers.len(), message.metadata.truncation), (6, false));
    assert_eq!(message.answers[1].data.to_string(), "1".repeat(300));
}

/// Clients that ask directly and do not look at TC took an empty answer for "not listed".
#[test]
fn a_truncated_answer_has_as_many_records_as_fit_and_an_address_first() {
    let value = |n| ip4(300, &[("1.2.3.4", "1.2.3.4", [127, 0, 0, n], "a text")]);
    let many = catalog(vec![zone("bl.test", (2..62).map(value).collect())]);
    for (qtype, records) in [(1, 29), (255, 29), (16, 1)] {
        let (_, bytes) = raw(&many, &query("4.3.2.1.bl.test", qtype, 1, None), Transport::Udp);
        let message = Message::from_vec(&bytes).unwrap();
        assert_eq!(message.metadata.truncation, qtype != 16);
        assert_eq!(message.answers.len(), records, "{qtype}");
        assert!(qtype == 16 || message.answers[0].data.to_string().starts_with("127.0.0."));
    }
    // A record that does not fit does not keep the others out.
    let texts = ["x".repeat(600), "short".to_owned()];
    let list = |text: &String| ip4(300, &[("1.2.3.4", "1.2.3.4", [127, 0, 0, 2], text.as_str())]);
    let lists = catalog(vec![zone("bl.test", texts.iter().map(list).collect())]);
    let (_, bytes) = raw(&lists, &query("4.3.2.1.bl.test", 16, 1, None), Transport::Udp);
    let message = Message::from_vec(&bytes).unwrap();
    assert!(message.metadata.truncation);
    assert_eq!(message.answers.len(), 1);
    assert_eq!(message.answers[0].data.to_string(), "short");
}

/// NXDOMAIN without room for its SOA record was NOERROR, in the counters too.
#[test]
fn a_truncated_nxdomain_is_one() {
    let long = |letter: &str| {
        let label = letter.repeat(60);
        NameBuf::from_text(format!("{label}.{label}.{label}.{label}").as_bytes()).unwrap()
    };
    let mut zone = zone("bl.test", vec![ip4(300, &[])]);
    zone.soa.mname = long("m");
    zone.soa.rname = long("r");
    let catalog = catalog(vec![zone]);
    let (_, bytes) = raw(&catalog, &query("4.3.2.1.bl.test", 1, 1, None), Transport::Udp);
    let message = Message::from_vec(&bytes).unwrap();
    assert!(message.metadata.truncation && message.authorities.is_empty());
    assert_eq!(u16::from(message.metadata.response_code), 3);
    let figures = catalog.zones()[0].counters.figures();
    assert_eq!(figures.queries(Reason::NxDomain), 1);
    assert_eq!(figures.queries(Reason::Truncated), 0);
}

#[test]
fn the_letter_case_of_the_question_is_kept() {
    let (_, bytes) = raw(&listed(), &query("4.3.2.1.bL.TeSt", 1, 1, None), Transport::Udp);
    assert_eq!(bytes[20..29], *b"\x02bL\x04TeSt\0");
    assert_eq!(Message::from_vec(&bytes).unwrap().answers.len(), 1);
}

#[test]
fn other_classes_and_odd_messages() {
    let catalog = listed();
    let rcode = |query: &[u8]| {
        let (outcome, bytes) = raw(&catalog, query, Transport::Udp);
        (outcome != Outcome::Drop).then(|| bytes[3] & 15)
    };
    let good = query("4.3.2.1.bl.test", 1, 1, None);
    assert_eq!(rcode(&good), Some(0));
    assert_eq!(rcode(&query("4.3.2.1.bl.test", 1, 4, None)), Some(5));
    assert_eq!(rcode(&query("4.3.2.1.bl.test", 252, 1, None)), Some(4));
    assert_eq!(rcode(&query("4.3.2.1.bl.test", 257, 1, None)), Some(0));
    assert_eq!(rcode(&good[..good.len() - 1]), Some(1));
    assert_eq!(rcode(&good[..11]), None);
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    assert_eq!(rcode(&with(2, 0x80)), None);
    assert_eq!(rcode(&with(2, 0x20)), Some(4));
    assert_eq!(rcode(&with(2, 0x06)), Some(0));
    assert_eq!(rcode(&with(5, 2)), Some(1));
    let (_, bytes) = raw(&catalog, &query("4.3.2.1.bl.test", 1, 255, None), Transport::Udp);
    assert_eq!((bytes[2] & 4, bytes[7]), (0, 1));
}

#[test]
fn the_server_says_its_version_unless_hidden() {
    let catalog = listed();
    let ask = |qname: &str, qtype| {
        let (_, bytes) = raw(&catalog, &query(qname, qtype, 3, None), Transport::Udp);
        Message::from_vec(&bytes).unwrap()
    };
    assert_eq!(ask("Version.Bind", 16).answers[0].data.to_string(), "dnsbld");
    assert_eq!(ask("version.server", 16).answers.len(), 1);
    for (qname, qtype) in [("id.server", 16), ("version.bind", 1), ("other.bind", 16)] {
        assert_eq!(ask(qname, qtype).metadata.response_code, ResponseCode::Refused);
    }
}
