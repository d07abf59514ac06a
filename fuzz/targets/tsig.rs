//! Signed requests, and any bytes: what is found in them is what a plain reading of RFC 8945 finds.

use super::input::Input;
use dnsbld::tsig::{Algorithm, Proof, Signer, TsigKey, TsigKeys, open};
use dnsbld::wire::name::NameBuf;
use ring::hmac;
use std::sync::Arc;

/// The time of the server.
const NOW: u64 = 1_800_000_000;

/// The keys of the server: name in wire form, the name of the algorithm, secret.
const KEYS: [(&[u8], &str, &[u8]); 3] = [
    (b"\x01a\x04test\0", "hmac-sha256", b"0123456789abcdef0123456789abcdef"),
    (b"\x01b\x04test\0", "hmac-sha512", b"another secret of some length"),
    (b"\x0ba-long-name\x04test\0", "hmac-sha384", b"x"),
];

pub(crate) const TOKENS: &[&[u8]] = &[
    b"\x01a\x04test\0",
    b"\x0bhmac-sha256\0",
    b"\x0bhmac-sha512\0",
    b"\x00\xfa\x00\xff\x00\x00\x00\x00",
    b"\xc0\x0c",
];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let composed = (0..=255_u8).map(|n| (0..24).map(|i: u8| n.wrapping_mul(i + 1)).collect());
    composed.chain([[&[0], &*sign(&question(), 0, NOW, 300, false)].concat()]).collect()
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let message = if input.byte() == 0 { input.rest().to_vec() } else { compose(&mut input) };
    let keys = TsigKeys::of_configured(KEYS.iter().map(|(name, algorithm, secret)| {
        let (name, algorithm) = (NameBuf::from_wire(name), algorithm.parse::<Algorithm>());
        Arc::new(TsigKey::new(&name.expect("a name"), algorithm.expect("known"), secret))
    }));
    let found = open(&message, &keys, NOW);
    assert_eq!(verdict(&found), naive(&message), "{message:02x?}");
    let mut out = [0; 2000];
    match found {
        Proof::Signed(mut signer) => {
            let mut answer = message[..12].to_vec();
            answer[2] |= 0x80;
            answer[4..].fill(0);
            let request_mac = &mac_of(&message);
            check_answers(&mut signer, request_mac, &answer);
        }
        Proof::Refused(refusal) => {
            let len = refusal.answer(&message, &mut out).expect("room");
            assert!(len <= message.len() + 300, "the answer is much longer than the request");
            assert_eq!((out[2] & 0x80, out[3]), (0x80, 9));
            assert_eq!(out[..2], message[..2]);
        }
        Proof::Unsigned | Proof::Malformed => {}
    }
}

fn question() -> Vec<u8> {
    b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x02bl\x04test\0\0\xfc\0\x01".to_vec()
}

/// A request by choices: signed, and then perhaps changed.
fn compose(input: &mut Input<'_>) -> Vec<u8> {
    let mut message = question();
    if input.byte().is_multiple_of(3) {
        message.extend(b"\0\0\x29\x04\xd0\0\0\x80\0\0\0");
        message[11] += 1;
    }
    let time = NOW - 400 + 4 * u64::from(input.byte());
    let (key, how) = (input.below(KEYS.len()), input.byte());
    let fudge = u16::from(input.byte()) * 2;
    let mut message = sign(&message, key, time, fudge, how & 1 != 0);
    for _ in 0..input.below(4) {
        let at = input.below(message.len());
        match input.byte() % 4 {
            0 => message[at] ^= 1 << (input.byte() % 8),
            1 => message[at] ^= 0x20,
            2 => message.truncate(at),
            _ => message.push(input.byte()),
        }
        if message.is_empty() {
            break;
        }
    }
    message
}

/// Signs a request as RFC 8945 section 4.3.2 says, with the key at `key`; `cut` leaves half of the MAC.
fn sign(message: &[u8], key: usize, time: u64, fudge: u16, cut: bool) -> Vec<u8> {
    let (name, algorithm, secret) = KEYS[key];
    let timers = join(&[&time.to_be_bytes()[2..], &fudge.to_be_bytes()]);
    let wire = join(&[&[algorithm.len() as u8], algorithm.as_bytes(), &[0]]);
    let digested = join(&[message, name, b"\0\xff\0\0\0\0", &wire, &timers, b"\0\0\0\0"]);
    let mut mac = hmac_of(algorithm, secret, &digested);
    if cut {
        mac.truncate(mac.len() / 2);
    }
    let size = (mac.len() as u16).to_be_bytes();
    let data = join(&[&wire, &timers, &size, &mac, &message[..2], b"\0\0\0\0"]);
    let data_size = (data.len() as u16).to_be_bytes();
    let mut signed = join(&[message, name, b"\0\xfa\0\xff\0\0\0\0", &data_size, &data]);
    signed[11] += 1;
    signed
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn hmac_of(algorithm: &str, secret: &[u8], bytes: &[u8]) -> Vec<u8> {
    let algorithm = match algorithm {
        "hmac-sha256" => hmac::HMAC_SHA256,
        "hmac-sha384" => hmac::HMAC_SHA384,
        _ => hmac::HMAC_SHA512,
    };
    hmac::sign(&hmac::Key::new(algorithm, secret), bytes).as_ref().to_vec()
}

fn verdict(found: &Proof) -> &'static str {
    match found {
        Proof::Unsigned => "unsigned",
        Proof::Malformed => "malformed",
        Proof::Signed(_) => "signed",
        Proof::Refused(refusal) => refusal.name(),
    }
}

/// A reader of bytes.
struct Reader<'m> {
    message: &'m [u8],
    at: usize,
}

impl<'m> Reader<'m> {
    fn take(&mut self, len: usize) -> Option<&'m [u8]> {
        let bytes = self.message.get(self.at..self.at + len)?;
        self.at += len;
        Some(bytes)
    }

    fn number(&mut self, len: usize) -> Option<u64> {
        Some(self.take(len)?.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// The labels of a name in lower case; `None` for `Some` where a pointer leads astray.
    fn name(&mut self) -> Option<Option<Vec<Vec<u8>>>> {
        let mut labels = Vec::new();
        loop {
            let start = self.at;
            match self.number(1)? as usize {
                0 => return Some(Some(labels)),
                len @ 1..=63 => labels.push(self.take(len)?.to_ascii_lowercase()),
                high @ 192.. => {
                    let target = (high - 192) * 256 + self.number(1)? as usize;
                    let own_start =
                        start - labels.iter().map(|label| label.len() + 1).sum::<usize>();
                    if target >= own_start {
                        return Some(None);
                    }
                    let mut there = Reader { message: self.message, at: target };
                    let rest = there.name().flatten();
                    return Some(rest.map(|rest| [labels, rest].concat()));
                }
                _ => return None,
            }
        }
    }
}

/// Labels in wire form; `None` if they are too many.
fn wire(labels: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut wire: Vec<u8> =
        labels.iter().flat_map(|label| [&[label.len() as u8], &label[..]].concat()).collect();
    wire.push(0);
    (wire.len() <= 255).then_some(wire)
}

fn naive(message: &[u8]) -> &'static str {
    find(message).unwrap_or("unsigned")
}

/// `None` where the message ends before a signature is found.
fn find(message: &[u8]) -> Option<&'static str> {
    let mut reader = Reader { message, at: 0 };
    let header = reader.take(12)?;
    if header[2] >= 128 || header[4..6] != [0, 1] {
        return None;
    }
    let before = reader.at;
    let labels = reader.name()??;
    // The question is the first name there is: nothing before it to point at.
    let len = wire(&labels)?.len();
    if reader.at != before + len {
        return None;
    }
    reader.take(4)?;
    let count = |at: usize| u64::from(header[at]) << 8 | u64::from(header[at + 1]);
    let (all, additional) = (count(6) + count(8) + count(10), count(10));
    for index in 1..=all {
        let start = reader.at;
        let owner = reader.name()?;
        let kind = reader.number(2)?;
        let class_and_ttl = reader.take(6)?;
        let size = reader.number(2)?;
        let data = reader.take(size as usize)?;
        if kind == 250 {
            let is_last = index == all && additional > 0 && reader.at == message.len();
            let is_usual = class_and_ttl == b"\0\xff\0\0\0\0";
            let judged = owner.and_then(|owner| judge(message, start, &wire(&owner)?, data));
            return Some(judged.filter(|_| is_last && is_usual).unwrap_or("malformed"));
        }
    }
    None
}

/// What a signature is worth; `None` if it cannot be read.
fn judge(message: &[u8], start: usize, name: &[u8], data: &[u8]) -> Option<&'static str> {
    let mut reader = Reader { message: data, at: 0 };
    let labels = reader.name()??;
    let algorithm = wire(&labels)?;
    if reader.at != algorithm.len() {
        return None;
    }
    let timers = reader.take(8)?;
    let mac_size = reader.number(2)? as usize;
    let mac = reader.take(mac_size)?;
    let id = reader.take(2)?;
    let error = reader.take(2)?;
    let other_size = reader.take(2)?;
    let other = reader.take(usize::from(other_size[0]) << 8 | usize::from(other_size[1]))?;
    if reader.at != data.len() {
        return None;
    }
    let text = labels.first().map_or(&b""[..], |label| label);
    let is_its = |key: &&(&[u8], &str, &[u8])| {
        key.0 == name && key.1.as_bytes() == text && labels.len() == 1
    };
    let Some((_, algorithm_name, secret)) = KEYS.iter().find(is_its) else { return Some("BADKEY") };
    let mut digested = message[..start].to_vec();
    digested[..2].copy_from_slice(id);
    let additional = (u16::from_be_bytes([digested[10], digested[11]]) - 1).to_be_bytes();
    digested[10..12].copy_from_slice(&additional);
    for part in [name, b"\0\xff\0\0\0\0", &algorithm, timers, error, other_size, other] {
        digested.extend(part);
    }
    let right = hmac_of(algorithm_name, secret, &digested);
    if mac.len() > right.len() || mac.len() * 2 < right.len() {
        return None;
    }
    if right[..mac.len()] != *mac {
        return Some("BADSIG");
    }
    let time = timers[..6].iter().fold(0, |time, &byte| time * 256 + u64::from(byte));
    let fudge = u64::from(timers[6]) * 256 + u64::from(timers[7]);
    Some(if time + fudge < NOW || NOW + fudge < time { "BADTIME" } else { "signed" })
}

/// The MAC of a valid request.
fn mac_of(message: &[u8]) -> Vec<u8> {
    // Behind it stand number, error and the size of nothing, or of what follows.
    (0..=64)
        .rev()
        .find_map(|size| {
            let end = message.len() - 6;
            let start = end.checked_sub(size + 2)?;
            let sized = message[start..start + 2] == (size as u16).to_be_bytes();
            (sized && size >= 10).then(|| message[start + 2..end].to_vec())
        })
        .unwrap_or_default()
}

/// The first answer is signed with all its record says, those behind it with the timers, each with the MAC of
/// the message before (RFC 8945 section 5.3.1).
fn check_answers(signer: &mut Signer, request_mac: &[u8], answer: &[u8]) {
    let (name, algorithm, secret) = KEYS
        .into_iter()
        .find(|key| key.0 == signer.key().name().as_wire())
        .expect("a key of the server");
    let mut prior = request_mac.to_vec();
    for number in 0..3_u64 {
        let mut out = [0; 500];
        out[..answer.len()].copy_from_slice(answer);
        let len = signer.sign(&mut out, answer.len(), NOW + number).expect("room");
        assert_eq!(len, answer.len() + signer.room());
        let timers = join(&[&(NOW + number).to_be_bytes()[2..], &300_u16.to_be_bytes()]);
        let wire = join(&[&[algorithm.len() as u8], algorithm.as_bytes(), &[0]]);
        let size = (prior.len() as u16).to_be_bytes();
        let digested = match number {
            0 => join(&[&size, &prior, answer, name, b"\0\xff\0\0\0\0", &wire, &timers, &[0; 4]]),
            _ => join(&[&size, &prior, answer, &timers]),
        };
        prior = hmac_of(algorithm, secret, &digested);
        assert_eq!(out[len - 6 - prior.len()..len - 6], prior, "message {number}");
        assert_eq!(out[10..12], [0, 1]);
    }
}
