//! Any bytes as the files of a history: the first byte says where the base ends.

use dnsbld::history::{History, LoadEntry, Recent, Sought, framed};
use std::net::Ipv4Addr;

pub(crate) const TOKENS: &[&[u8]] =
    &[b"dnsbld history 1\n", b"\x00\x01", b"\x02\x01", b"\x80\x80\x01", b"\x01\x00\x00\x02\x00"];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    // A load that states one address, of the answer without values.
    let mut load = vec![0, 1, 1, 1, 1, 1];
    load.extend([0; 8]);
    load.extend([1, 0, 0, 1, 0, 1, 0, 0, 0, 2, 0, 1, 1]);
    vec![vec![0], [&[0][..], &framed(&load)].concat(), load]
}

pub(crate) fn run(bytes: &[u8]) {
    let Some((&end, bytes)) = bytes.split_first() else { return };
    let (base, segment) = bytes.split_at(usize::from(end).min(bytes.len()));
    // As they are, and with a sum that is right.
    for [base, segment] in [[base.to_vec(), segment.to_vec()], [framed(base), framed(segment)]] {
        let magic = |bytes: Vec<u8>| [b"dnsbld history 1\n".to_vec(), bytes].concat();
        let recent = Recent::from_bytes(vec![magic(segment.clone())]);
        for load in recent.loads(100, 5) {
            if let LoadEntry::Accepted(head) = load.entry {
                let keys = recent.load(head.number, 1, 5).expect("it was told");
                assert!(keys.keys.len() <= 5);
            }
        }
        let history = History::from_bytes(Some(magic(base)), vec![magic(segment)]);
        for entry in history.loads() {
            if let LoadEntry::Refused(refused) = entry {
                // Nothing in it may reach a terminal as a command.
                let texts = [refused.file, refused.cause];
                assert!(!texts.iter().any(|text| text.chars().any(char::is_control)));
            }
        }
        for sought in ["0.0.0.1", "2001:db8::1", "a.b.example", "."] {
            let sought: Sought = sought.parse().expect("a key");
            let timeline = history.timeline(&sought, u64::MAX);
            assert!(timeline.known.is_some() || timeline.entries.is_empty());
        }
        history.within("0.0.0.0/1".parse().expect("a prefix"), u64::MAX, 9);
        history.known(&[(Ipv4Addr::from_bits(1).into(), 1)]);
        history.as_of(u64::MAX);
        history.fold();
    }
}
