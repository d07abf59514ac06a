use super::*;
use crate::wire::name::NameBuf;
use proptest::prelude::*;
use std::sync::Arc;

/// The model of the fuzzer: what a plain reading of RFC 8945 finds.
#[path = "../../fuzz/targets/tsig.rs"]
#[allow(dead_code)]
mod tsig;

// Other tests have it, too: it is no part of the library.
#[path = "../../fuzz/targets/input.rs"]
#[allow(clippy::duplicate_mod, dead_code)]
mod input;

const NOW: u64 = 1_800_000_000;

fn name(text: &str) -> NameBuf {
    text.parse().unwrap()
}

fn key(text: &str, algorithm: Algorithm) -> Arc<TsigKey> {
    Arc::new(TsigKey::new(&name(text), algorithm, b"0123456789abcdef"))
}

/// A signed request for `bl.test` SOA, and its length without the signature.
fn request(signer: &mut Signer, now: u64) -> (Vec<u8>, usize) {
    let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x02bl\x04test\0\0\x06\0\x01";
    let mut out = [0; 512];
    out[..question.len()].copy_from_slice(question);
    let len = signer.sign(&mut out, question.len(), now).unwrap();
    (out[..len].to_vec(), question.len())
}

proptest! {
    #[test]
    fn what_is_found_is_what_the_standard_says(bytes: Vec<u8>) {
        tsig::run(&bytes);
        tsig::run(&[&[1][..], &bytes].concat());
    }

    /// Every bit of a signed request counts, but for its number and the case of the names of its signature.
    #[test]
    fn a_request_that_was_changed_is_not_taken(bit in 0_usize..1000, number in 0_usize..3) {
        let key = key("Key.Test", Algorithm::ALL[number]);
        let keys = TsigKeys::of_configured([Arc::clone(&key)]);
        let (mut message, start) = request(&mut Signer::requesting(key), NOW);
        let bit = bit % (message.len() * 8);
        message[bit / 8] ^= 1 << (bit % 8);
        let opened = open(&message, &keys, NOW);
        let names = start..start + 10;
        let algorithm = start + 20..start + 33;
        let is_letter_case = bit % 8 == 5
            && (names.contains(&(bit / 8)) || algorithm.contains(&(bit / 8)))
            && message[bit / 8].is_ascii_uppercase();
        let is_taken = matches!(opened, Proof::Signed(_));
        prop_assert_eq!(is_taken, bit / 8 < 2 || is_letter_case, "bit {} of byte {}", bit % 8, bit / 8);
    }
}

#[test]
fn an_answer_proves_who_sent_it() {
    for algorithm in Algorithm::ALL {
        let key = key("key.test", algorithm);
        let keys = TsigKeys::of_configured([Arc::clone(&key)]);
        let mut client = Signer::requesting(Arc::clone(&key));
        let (message, start) = request(&mut client, NOW);
        let Proof::Signed(mut server) = open(&message, &keys, NOW + 300) else { panic!() };
        assert_eq!(server.key().name(), key.name());
        let mut out = [0; 512];
        out[..start].copy_from_slice(&message[..start]);
        (out[2], out[11]) = (0x84, 0);
        let len = server.sign(&mut out, start, NOW).unwrap();
        assert_eq!(client.check_answer(&out[..len], NOW), Ok(()));
        assert_eq!(client.check_answer(&out[..len], NOW + 301), Err(AnswerError::BadTime));
        assert_eq!(client.check_answer(&out[..start], NOW), Err(AnswerError::Unsigned));
        out[3] ^= 3;
        assert_eq!(client.check_answer(&out[..len], NOW), Err(AnswerError::BadSignature));
        let mut small = out[..start + server.room() - 1].to_vec();
        assert_eq!(server.sign(&mut small, start, NOW), None, "no room");
    }
}

#[test]
fn a_signature_that_does_not_hold_is_answered_with_the_reason() {
    let known = key("key.test", Algorithm::Sha256);
    let keys = TsigKeys::of_configured([Arc::clone(&known)]);
    let refused = |key: Arc<TsigKey>, now, change: fn(&mut [u8])| {
        let mut client = Signer::requesting(key);
        let (mut message, _) = request(&mut client, NOW);
        change(&mut message);
        let Proof::Refused(refusal) = open(&message, &keys, now) else { panic!("not refused") };
        let mut out = [0; 512];
        let reason = refusal.name();
        let len = refusal.answer(&message, &mut out).unwrap();
        assert_eq!(out[2..4], [0x81, 9], "an answer, RD as asked, NOTAUTH");
        assert_eq!(out[4..12], [0, 1, 0, 0, 0, 0, 0, 1]);
        (reason, client.check_answer(&out[..len], NOW))
    };
    let unchanged: fn(&mut [u8]) = |_| {};
    for other in [key("other.test", Algorithm::Sha256), key("key.test", Algorithm::Sha512)] {
        let (reason, answer) = refused(other, NOW, unchanged);
        assert_eq!((reason, answer), ("BADKEY", Err(AnswerError::Refused("BADKEY"))));
    }
    let (reason, answer) = refused(Arc::clone(&known), NOW, |message| message[12 + 1] = b'x');
    assert_eq!((reason, answer), ("BADSIG", Err(AnswerError::Refused("BADSIG"))));
    let (reason, answer) = refused(known, NOW + 301, unchanged);
    assert_eq!((reason, answer), ("BADTIME", Err(AnswerError::Refused("BADTIME"))));
}

/// RFC 8945 section 5.3.2: the client is told the time of the server, by an answer that it can trust.
#[test]
fn an_answer_to_a_request_of_another_time_is_signed() {
    let key = key("key.test", Algorithm::Sha256);
    let keys = TsigKeys::of_configured([Arc::clone(&key)]);
    let mut client = Signer::requesting(Arc::clone(&key));
    let (message, _) = request(&mut client, NOW);
    let Proof::Refused(refusal) = open(&message, &keys, NOW + 1000) else { panic!() };
    let mut out = [0; 512];
    let len = refusal.answer(&message, &mut out).unwrap();
    let record = record::Record::find(&out[..len]).unwrap().unwrap();
    assert_eq!(record.fields.time, NOW);
    assert_eq!(record.fields.other, &(NOW + 1000).to_be_bytes()[2..]);
    let mut digest = digest::Digest::new(&key, digest::Mac::new(record_mac(&message)).as_ref());
    digest.add_unsigned(&out[..len], &record);
    digest.add_variables(&record.fields);
    assert!(digest.has(record.mac));
}

fn record_mac(message: &[u8]) -> &[u8] {
    record::Record::find(message).unwrap().unwrap().mac
}

/// The name of a key may be written as a pointer to one that was in the message before.
#[test]
fn the_name_of_a_key_may_be_compressed() {
    let key = key("bl.test", Algorithm::Sha256);
    let keys = TsigKeys::of_configured([Arc::clone(&key)]);
    let (message, start) = request(&mut Signer::requesting(key), NOW);
    let mut pointing = message[..start].to_vec();
    pointing.extend([0xc0, 12]);
    pointing.extend(&message[start + 9..]);
    assert!(matches!(open(&pointing, &keys, NOW), Proof::Signed(_)));
    pointing[start + 1] = start as u8;
    assert!(matches!(open(&pointing, &keys, NOW), Proof::Malformed), "a pointer to itself");
}
