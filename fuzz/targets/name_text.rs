//! Any bytes as a name, written and in wire form.

use super::input::Input;
use dnsbld::wire::name::{Labels, MAX_LABEL, MAX_LABELS, MAX_NAME, NameBuf, write_text};

pub(crate) const TOKENS: &[&[u8]] = &[
    b"\\",
    b"\\.",
    b"\\000",
    b"\\255",
    b"\\256",
    b"\\1",
    b".",
    b"..",
    b"\x3f",
    b"\x40",
    b"\xc0\x0c",
    b"\x00",
    b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    b"a.a.a.a.a.a.a.a.",
];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = super::seeds::questions()
        .into_iter()
        .flat_map(|(name, _)| {
            let wire = super::catalog::name(&name).as_wire().to_vec();
            [wire, name.into_bytes()]
        })
        .collect();
    seeds.push(b"\x01a".repeat(127));
    seeds.push(b"a.".repeat(127));
    seeds.push([&[b'l'; 63][..], b".", &[b'm'; 63], b".", &[b'n'; 63], b".", &[b'o'; 61]].concat());
    seeds
}

pub(crate) fn run(data: &[u8]) {
    let from_text = NameBuf::from_text(data).ok();
    let from_wire = NameBuf::from_wire(data);
    assert_eq!(from_wire.is_some(), wire_length(data).is_some());
    for name in [from_text, from_wire].iter().flatten() {
        check(name);
        check_text(name);
    }
    let mut input = Input::new(data);
    let first = input.byte().into();
    let [one, other] = [input.take(first), input.rest()].map(NameBuf::from_text);
    if let (Ok(one), Ok(other)) = (one, other) {
        check_join(&one, &other);
    }
}

/// The length of the whole, uncompressed name at the start of some bytes.
fn wire_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while *bytes.get(at)? != 0 {
        let len = usize::from(bytes[at]);
        if len > MAX_LABEL {
            return None;
        }
        at += len + 1;
    }
    (at < MAX_NAME).then_some(at + 1)
}

fn check(name: &NameBuf) {
    let wire = name.as_wire();
    assert_eq!(wire_length(wire), Some(wire.len()));
    assert_eq!(NameBuf::from_wire(wire).as_ref(), Some(name));
    assert_eq!(name.is_root(), wire == [0]);
    let labels: Vec<_> = name.labels().collect();
    assert!(labels.len() <= MAX_LABELS);
    assert!(labels.iter().all(|label| (1..=MAX_LABEL).contains(&label.len())));
    assert_eq!(labels.iter().map(|label| label.len() + 1).sum::<usize>() + 1, wire.len());
    assert!(Labels::of(wire).eq(labels.iter().copied()));
    let lower = name.to_lowercase();
    assert!(lower.labels().map(<[u8]>::to_vec).eq(labels.iter().map(|l| l.to_ascii_lowercase())));
    assert_eq!(lower.to_lowercase(), lower);
}

/// The text form is ASCII and gives the name back.
fn check_text(name: &NameBuf) {
    let text = name.to_string();
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text:?}");
    let mut bytes = Vec::new();
    write_text(name.as_wire(), &mut bytes);
    assert_eq!(bytes, text.as_bytes());
    assert_eq!(text.parse::<NameBuf>().as_ref(), Ok(name));
    let padded = format!("..{}..", text);
    assert_eq!(padded.parse::<NameBuf>().as_ref(), Ok(name));
}

fn check_join(one: &NameBuf, other: &NameBuf) {
    let fits = one.as_wire().len() + other.as_wire().len() - 1 <= MAX_NAME;
    let joined = one.join(other);
    assert_eq!(joined.is_some(), fits);
    if let Some(joined) = joined {
        assert!(joined.labels().eq(one.labels().chain(other.labels())));
        check(&joined);
    }
}
