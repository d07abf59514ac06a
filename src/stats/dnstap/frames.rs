//! Frame Streams (farsightsec/fstrm, `fstrm/control.h`): data frames with a length in front, and control frames
//! for the handshake of a bidirectional stream.

use std::io::{self, ErrorKind, Read};

/// What is sent in the frames.
pub(super) const CONTENT: &[u8] = b"protobuf:dnstap.Dnstap";

/// The only field of control frames.
const FIELD_CONTENT_TYPE: u32 = 1;

/// The longest control frame.
const MAX_CONTROL: u32 = 512;

/// The types of control frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(super) enum Control {
    Accept = 1,
    Start = 2,
    Stop = 3,
    Ready = 4,
    Finish = 5,
}

/// A control frame: a length of zero, then its own length, its type and its fields. Those that say what is sent
/// name the content.
pub(super) fn control(kind: Control) -> Vec<u8> {
    let mut body = (kind as u32).to_be_bytes().to_vec();
    if matches!(kind, Control::Ready | Control::Accept | Control::Start) {
        body.extend(FIELD_CONTENT_TYPE.to_be_bytes());
        body.extend((CONTENT.len() as u32).to_be_bytes());
        body.extend(CONTENT);
    }
    [&[0; 4][..], &(body.len() as u32).to_be_bytes(), &body].concat()
}

/// Appends a data frame.
pub(super) fn data(out: &mut Vec<u8>, payload: &[u8]) {
    out.extend((payload.len() as u32).to_be_bytes());
    out.extend(payload);
}

/// Reads a control frame of this type.
///
/// # Errors
///
/// Those of the stream; [`ErrorKind::InvalidData`] for anything else, also for an acceptance of other contents.
pub(super) fn expect(stream: &mut impl Read, kind: Control) -> io::Result<()> {
    let invalid = |what| Err(io::Error::new(ErrorKind::InvalidData, what));
    let mut number = || {
        let mut bytes = [0; 4];
        stream.read_exact(&mut bytes)?;
        Ok::<_, io::Error>(u32::from_be_bytes(bytes))
    };
    if number()? != 0 {
        return invalid("the collector sends data instead of a control frame");
    }
    let len = number()?;
    if !(4..=MAX_CONTROL).contains(&len) {
        return invalid("the collector sends a control frame of a wrong length");
    }
    if number()? != kind as u32 {
        return invalid("the collector sends another control frame than it should");
    }
    let mut fields = vec![0; len as usize - 4];
    stream.read_exact(&mut fields)?;
    if kind == Control::Accept && !contents(&fields).any(|content| content == CONTENT) {
        return invalid(
            "the collector does not accept dnstap; start it for protobuf:dnstap.Dnstap",
        );
    }
    Ok(())
}

/// The contents that the fields of a control frame name.
fn contents(mut fields: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (kind, rest) = fields.split_first_chunk()?;
        let (len, rest) = rest.split_first_chunk()?;
        let (content, rest) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
        fields = rest;
        (u32::from_be_bytes(*kind) == FIELD_CONTENT_TYPE).then_some(content)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for kind in [Control::Accept, Control::Finish, Control::Ready] {
            expect(&mut &control(kind)[..], kind).unwrap();
            let error = expect(&mut &control(kind)[..], Control::Stop).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
        }
        let mut other = control(Control::Accept);
        *other.last_mut().unwrap() ^= 1;
        let error = expect(&mut &other[..], Control::Accept).unwrap_err().to_string();
        assert!(error.contains("does not accept dnstap"), "{error}");
        let mut out = Vec::new();
        data(&mut out, b"abc");
        assert_eq!(out, b"\0\0\0\x03abc");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_read_on(bytes: Vec<u8>) {
            let _ = expect(&mut &bytes[..], Control::Accept);
            let framed = [&[0, 0, 0, 0, 0, 0, 0, (bytes.len() + 4) as u8, 0, 0, 0, 1], &bytes[..]];
            let _ = expect(&mut &framed.concat()[..], Control::Accept);
            let _ = contents(&bytes).count();
        }
    }
}
