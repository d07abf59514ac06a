use super::*;
use crate::event::EventCounts;
use crate::wire::message::response::OPT_SIZE;
use crate::zone::testing::{dataset, zone};
use crate::zone::{Chaos, TransferAccess};
use crate::zonefile::Kind;
use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData, RecordType};
use proptest::prelude::*;
use std::net::Ipv4Addr;

/// A query for the zone `bl.Example`, with an OPT record if `edns`.
fn query(edns: bool) -> Vec<u8> {
    let mut query = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, edns.into()];
    query.extend(b"\x02bl\x07Example\0\0\xfc\0\x01");
    query.extend(&b"\0\0\x29\x04\xd0\0\0\x80\0\0\0"[..if edns { OPT_SIZE } else { 0 }]);
    query
}

/// As long as a label can be.
const LONG: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/// The labels of a name of few different ones, each with its length, so that names share ends and parts of labels
/// look like labels.
fn labels() -> impl Strategy<Value = Vec<u8>> {
    let label = proptest::sample::select(&["a", "b", "\x01a", "a\x01a", "text", "Text", LONG][..]);
    let label = label.prop_map(|text| [&[text.len() as u8], text.as_bytes()].concat());
    proptest::collection::vec(label, 0..4).prop_map(|labels| labels.concat())
}

proptest! {
    /// An independent reader sees the owners, the data and the question in every message.
    #[test]
    fn messages_hold_what_was_written(
        owners in proptest::collection::vec((labels(), 1..3000_usize), 0..40),
        edns: bool,
    ) {
        let bytes = query(edns);
        let mut writer = MessageWriter::new(&bytes, &Query::parse(&bytes).unwrap());
        let mut messages = Vec::new();
        for (labels, size) in &owners {
            writer.owner([&[], labels, &[]]);
            messages.extend(writer.record(Type(65_280), 7, &vec![1; *size]));
        }
        messages.push(writer.finish());
        let mut seen = Vec::new();
        for message in messages {
            prop_assert!(message.len() <= 1 << 14);
            let message = Message::from_vec(&message).unwrap();
            prop_assert_eq!(message.metadata.id, 0xabcd);
            prop_assert!(message.metadata.authoritative);
            prop_assert_eq!(message.queries[0].query_type(), RecordType::AXFR);
            prop_assert_eq!(message.edns.is_some(), edns);
            for record in &message.answers {
                seen.push((record.name.clone(), record.data.clone()));
            }
        }
        let name = |labels: &[u8]| {
            let labels = crate::wire::name::Labels::of(labels);
            Name::from_labels(labels.chain([&b"bl"[..], b"Example"])).unwrap()
        };
        prop_assert_eq!(seen.len(), owners.len());
        for ((owner, data), (labels, size)) in seen.iter().zip(&owners) {
            prop_assert_eq!(owner, &name(labels));
            let RData::Unknown { rdata, .. } = data else { panic!("{data:?}") };
            prop_assert_eq!(rdata.anything.len(), *size);
        }
    }
}

#[test]
fn a_refusal_says_why_if_the_client_can_read_it() {
    let why = TransferRefusal::TooManyRecords { max: 9 };
    for edns in [true, false] {
        let bytes = query(edns);
        let query = Query::parse(&bytes).unwrap();
        let message = refusal(&bytes, &query, Rcode::Refused, &extended_error(why));
        let read = Message::from_vec(&message).unwrap();
        assert_eq!((u16::from(read.metadata.response_code), read.answers.len()), (5, 0));
        let text = b"\0\x0f\0\x22\0\0more than transfer-max-records 9";
        let has_text = message.windows(text.len()).any(|part| part == text);
        assert_eq!(has_text, edns);
    }
}

/// It was not counted what a secondary had taken when its transfer was refused.
#[test]
fn what_is_taken_before_a_refusal_is_counted() {
    let entry = |number: u32| format!("{}\n", Ipv4Addr::from(0x0a00_0000 + 7 * number));
    let list = dataset(Kind::Ip4Set, &(0..5000).map(entry).collect::<String>());
    let prefixes = vec!["192.0.2.0/24".parse().unwrap()];
    let transfer = TransferAccess { prefixes, max_records: 4000, ..TransferAccess::default() };
    let zone = Zone { transfer, ..zone("bl.example", vec![list]) };
    let catalog = Arc::new(Catalog::new(vec![zone], Chaos::default()));
    let bytes = query(false);
    let client = [192, 0, 2, 1].into();
    let request = Request { query: &bytes, client, transport: Transport::Tcp, now: 1_700_000_000 };
    let mut transfer =
        Transfers::new(Arc::new(EventCounts::default())).answer(&catalog, &request).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut messages = Vec::new();
    while let Some(message) = runtime.block_on(transfer.next()).unwrap() {
        messages.push(message);
    }
    drop(transfer);
    let refusal = messages.pop().unwrap();
    assert_eq!(refusal[3] & 15, Rcode::Refused as u8);
    let records = |message: &Vec<u8>| u64::from(u16::from_be_bytes([message[6], message[7]]));
    let (records, bytes) =
        (messages.iter().map(records).sum(), messages.iter().map(|it| it.len() as u64).sum());
    assert!(records > 1000, "{records}");
    let counted = catalog.zone(b"\x02bl\x07example\0").unwrap().counters.transfers().figures();
    let whole = TransferFigures { records, bytes, ..REFUSED };
    let changes = TransferFigures::default();
    assert_eq!(counted, [(TransferKind::Whole, whole), (TransferKind::Changes, changes)]);
}
