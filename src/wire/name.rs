//! Domain names in wire form (RFC 1035 section 3.1) and as text.
//!
//! ```
//! use dnsbld::wire::name::NameBuf;
//!
//! let name = NameBuf::from_text(b"L2.Apews.org").unwrap();
//! assert_eq!(name.as_wire(), b"\x02L2\x05Apews\x03org\0");
//! assert_eq!(name.to_lowercase().to_string(), "l2.apews.org");
//! ```

mod lower;

pub use lower::{LabelStarts, LowerName, PaddedName};

use super::copy::{any, copy};
use std::fmt;

/// The longest name in wire form, in bytes, its final zero included (RFC 1035 section 2.3.4).
pub const MAX_NAME: usize = 255;
/// The longest label, in bytes, without its length byte.
pub const MAX_LABEL: usize = 63;
/// The most labels a name can have, the root not counted.
pub const MAX_LABELS: usize = 127;

/// Why a text is not a domain name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A label has more than 63 bytes.
    #[error("a label is longer than 63 bytes")]
    LongLabel,
    /// The name has more than 255 bytes in wire form.
    #[error("the name is longer than 255 bytes")]
    LongName,
    /// A `\DDD` escape is above 255.
    #[error("an escape is above \\255")]
    BadEscape,
}

/// A domain name in wire form, of a fixed size and so without an allocation.
///
/// The case of its letters is kept as given. The bytes are always a whole, valid, uncompressed
/// name that ends in the root label.
#[derive(Clone)]
pub struct NameBuf {
    len: u8,
    bytes: [u8; MAX_NAME],
}

impl NameBuf {
    /// The root name.
    pub const ROOT: Self = Self { len: 1, bytes: [0; MAX_NAME] };

    /// Reads a name as rbldnsd does: trailing, leading and doubled dots are ignored, `\.` and
    /// `\DDD` are escapes, every other byte stands for itself.
    pub fn from_text(text: &[u8]) -> Result<Self, NameError> {
        let mut name = Self::ROOT;
        let mut label = 0;
        let mut at = 1;
        let mut rest = text.iter().copied().peekable();
        while let Some(byte) = rest.next() {
            let mut byte = byte;
            if byte == b'.' {
                if at > label + 1 {
                    name.close_label(label, at)?;
                    label = at;
                    at += 1;
                }
                continue;
            }
            if byte == b'\\' {
                let Some(escaped) = rest.next() else { break };
                byte = escaped;
                if escaped.is_ascii_digit() {
                    let mut code = u32::from(escaped - b'0');
                    for _ in 0..2 {
                        let Some(digit) = rest.next_if(u8::is_ascii_digit) else { break };
                        code = code * 10 + u32::from(digit - b'0');
                    }
                    byte = u8::try_from(code).map_err(|_| NameError::BadEscape)?;
                }
            }
            if at >= MAX_NAME - 1 {
                return Err(NameError::LongName);
            }
            name.bytes[at] = byte;
            at += 1;
        }
        if at > label + 1 {
            name.close_label(label, at)?;
            label = at;
        }
        name.bytes[label] = 0;
        name.len = (label + 1) as u8;
        Ok(name)
    }

    /// Takes the name at the start of `wire`: whole, uncompressed, ending in the root label.
    /// What follows the root label is ignored.
    pub fn from_wire(wire: &[u8]) -> Option<Self> {
        let mut at = 0;
        loop {
            let len = usize::from(*wire.get(at)?);
            if len > MAX_LABEL {
                return None;
            }
            at += 1 + len;
            if at > MAX_NAME || at > wire.len() {
                return None;
            }
            if len == 0 {
                break;
            }
        }
        let mut name = Self::ROOT;
        name.bytes[..at].copy_from_slice(&wire[..at]);
        name.len = at as u8;
        Some(name)
    }

    /// The name of whole labels in wire form, without a final zero; the root if they are too long.
    pub fn from_labels(labels: &[u8]) -> Self {
        let mut name = Self::ROOT;
        if labels.len() < MAX_NAME {
            name.bytes[..labels.len()].copy_from_slice(labels);
            name.len = labels.len() as u8 + 1;
        }
        name
    }

    /// The name in wire form, its final zero included.
    pub fn as_wire(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// True for the root name.
    pub fn is_root(&self) -> bool {
        self.len == 1
    }

    /// The labels without their length bytes, leftmost first, the root not among them.
    pub fn labels(&self) -> Labels<'_> {
        Labels { rest: self.as_wire() }
    }

    /// The same name with its ASCII letters in lower case (RFC 4343).
    pub fn to_lowercase(&self) -> Self {
        let mut lower = self.clone();
        lower.bytes.make_ascii_lowercase();
        lower
    }

    /// `self` followed by the labels of `parent`, if it fits.
    pub fn join(&self, parent: &Self) -> Option<Self> {
        let head = &self.as_wire()[..usize::from(self.len) - 1];
        let len = head.len() + parent.as_wire().len();
        if len > MAX_NAME {
            return None;
        }
        let mut joined = Self::ROOT;
        joined.bytes[..head.len()].copy_from_slice(head);
        joined.bytes[head.len()..len].copy_from_slice(parent.as_wire());
        joined.len = len as u8;
        Some(joined)
    }

    /// The bytes of the labels before `apex`, without a final zero, if the name is at or below it.
    pub fn labels_before(&self, apex: &Self) -> Option<&[u8]> {
        let head = self.as_wire().len().checked_sub(apex.as_wire().len())?;
        let (labels, tail) = self.as_wire().split_at(head);
        // The apex must begin at a label, not inside one.
        let mut at = 0;
        while at < head {
            at += usize::from(labels[at]) + 1;
        }
        (at == head && tail.eq_ignore_ascii_case(apex.as_wire())).then_some(labels)
    }

    fn close_label(&mut self, start: usize, end: usize) -> Result<(), NameError> {
        let len = end - start - 1;
        if len > MAX_LABEL {
            return Err(NameError::LongLabel);
        }
        self.bytes[start] = len as u8;
        Ok(())
    }
}

impl PartialEq for NameBuf {
    fn eq(&self, other: &Self) -> bool {
        self.as_wire() == other.as_wire()
    }
}

impl Eq for NameBuf {}

impl PartialOrd for NameBuf {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for NameBuf {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_wire().cmp(other.as_wire())
    }
}

impl std::hash::Hash for NameBuf {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_wire().hash(state);
    }
}

impl fmt::Debug for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NameBuf({self})")
    }
}

/// The text form without a final dot; the root is a single dot.
impl fmt::Display for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(MAX_NAME);
        write_text(self.as_wire(), &mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

impl std::str::FromStr for NameBuf {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::from_text(text.as_bytes())
    }
}

/// An iterator over the labels of a name, see [`NameBuf::labels`].
#[derive(Clone)]
pub struct Labels<'a> {
    rest: &'a [u8],
}

impl<'a> Labels<'a> {
    /// Over a whole, valid name in wire form; it stops where the bytes stop making sense.
    pub fn of(wire: &'a [u8]) -> Self {
        Self { rest: wire }
    }
}

/// Writes the labels of a name from right to left, each with its length byte: so what is below a name
/// begins with what is written of that, and follows it in a sorted array.
pub(crate) fn reverse_labels<'k>(name: &[u8], key: &'k mut [u8; MAX_NAME]) -> &'k [u8] {
    let size: usize = Labels::of(name).map(|label| label.len() + 1).sum();
    let mut end = size.min(MAX_NAME);
    for label in Labels::of(name) {
        let Some(start) = end.checked_sub(label.len() + 1) else { break };
        key[start] = label.len() as u8;
        key[start + 1..end].copy_from_slice(label);
        end = start;
    }
    &key[..size.min(MAX_NAME)]
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (&len, rest) = self.rest.split_first()?;
        if len == 0 {
            return None;
        }
        let (label, rest) = rest.split_at_checked(usize::from(len))?;
        self.rest = rest;
        Some(label)
    }
}

/// Appends the text form of a name to `out`: no final dot, the root as a single dot, and the
/// bytes `" . ; \ @ $`, blanks and those outside ASCII escaped, as rbldnsd writes them.
pub fn write_text(wire: &[u8], out: &mut Vec<u8>) {
    if wire.first().is_none_or(|&len| len == 0) {
        out.push(b'.');
        return;
    }
    // The text is no longer than the name, if that needs no escapes.
    let start = out.len();
    out.resize(start + wire.len(), 0);
    let labels = wire.strip_suffix(&[0]).unwrap_or(wire);
    match write_usual_text(labels, &mut out[start..]) {
        Some(len) => out.truncate(start + len),
        None => {
            out.truncate(start);
            write_escaped(wire, out);
        }
    }
}

/// Writes the text form of a name without its final zero, and not the root, to the start of `out`, and
/// gives its length: what [`write_text`] appends. `None` for a name that needs escapes, and for most with
/// bytes other than lower-case letters, digits, hyphens and underscores.
#[inline(always)]
pub fn write_usual_text(wire: &[u8], out: &mut [u8]) -> Option<usize> {
    let (&first, labels) = wire.split_first()?;
    let text = out.get_mut(..labels.len())?;
    if any(labels, |byte| byte == b'.') {
        return None;
    }
    copy(labels, text);
    let mut at = usize::from(first);
    while let Some(dot) = text.get_mut(at) {
        at += 1 + usize::from(*dot);
        *dot = b'.';
    }
    (at == text.len() && !any(text, |byte| !is_usual(byte))).then_some(at)
}

/// The same for any name but the root.
#[inline(never)]
fn write_escaped(wire: &[u8], out: &mut Vec<u8>) {
    for (i, label) in Labels::of(wire).enumerate() {
        if i > 0 {
            out.push(b'.');
        }
        label.iter().for_each(|&byte| write_byte(byte, out));
    }
}

/// True for the dot and for bytes that stand for themselves, all but capitals and a few others: quickly
/// told of many bytes at once.
fn is_usual(byte: u8) -> bool {
    (byte.wrapping_sub(b'a') < 26) | (byte.wrapping_sub(b'-') <= b'9' - b'-') | (byte == b'_')
}

/// True for the bytes that stand for themselves in the text form.
const fn is_plain(byte: u8) -> bool {
    const PLAIN: [bool; 256] = {
        let mut plain = [false; 256];
        let mut byte = 0x21;
        while byte < 0x7f {
            plain[byte] = !matches!(byte as u8, b'"' | b'.' | b';' | b'\\' | b'@' | b'$');
            byte += 1;
        }
        plain
    };
    PLAIN[byte as usize]
}

fn write_byte(byte: u8, out: &mut Vec<u8>) {
    match byte {
        _ if is_plain(byte) => out.push(byte),
        0x21..=0x7e => out.extend([b'\\', byte]),
        _ => out.extend([b'\\', b'0' + byte / 100, b'0' + byte / 10 % 10, b'0' + byte % 10]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(text: &str) -> Vec<u8> {
        NameBuf::from_text(text.as_bytes()).unwrap().as_wire().to_vec()
    }

    #[test]
    fn text_becomes_wire_form() {
        assert_eq!(wire("a.bc"), b"\x01a\x02bc\0");
        assert_eq!(wire("a.bc."), b"\x01a\x02bc\0");
        assert_eq!(wire("..a...bc.."), b"\x01a\x02bc\0");
        assert_eq!(wire(""), b"\0");
        assert_eq!(wire("."), b"\0");
        assert_eq!(wire(r"a\.b\065\7x"), b"\x06a.bA\x07x\0");
        assert_eq!(wire("a\\"), b"\x01a\0");
    }

    #[test]
    fn limits_are_those_of_the_rfc() {
        let label63 = "a".repeat(63);
        assert_eq!(wire(&label63).len(), 65);
        assert_eq!(NameBuf::from_text("a".repeat(64).as_bytes()), Err(NameError::LongLabel));
        let longest = format!("{label63}.{label63}.{label63}.{}", "a".repeat(61));
        assert_eq!(wire(&longest).len(), MAX_NAME);
        let longer = format!("{longest}a");
        assert_eq!(NameBuf::from_text(longer.as_bytes()), Err(NameError::LongName));
        assert_eq!(NameBuf::from_text(br"\256"), Err(NameError::BadEscape));
        assert_eq!(wire(&"a.".repeat(127)).len(), MAX_NAME);
        assert!(NameBuf::from_text("a.".repeat(128).as_bytes()).is_err());
    }

    #[test]
    fn labels_before_an_apex_are_those_of_names_at_or_below_it() {
        let name = |text: &str| NameBuf::from_text(text.as_bytes()).unwrap();
        let before = |text: &str, apex: &str| name(text).labels_before(&name(apex)).map(Vec::from);
        assert_eq!(before("ns.BL.test", "bl.test"), Some(b"\x02ns".to_vec()));
        assert_eq!(before("bl.test", "bl.test"), Some(vec![]));
        assert_eq!(before("a.b", ""), Some(b"\x01a\x01b".to_vec()));
        assert_eq!(before("test", "bl.test"), None);
        assert_eq!(before("ns.cl.test", "bl.test"), None);
        assert_eq!(before(r"x\002bl.test", "bl.test"), None, "an apex inside of a label");
    }

    #[test]
    fn text_form_escapes_what_a_zone_file_would_misread() {
        let name = NameBuf::from_wire(b"\x05a.\"$ \x01\x80\0").unwrap();
        assert_eq!(name.to_string(), r#"a\.\"\$\032.\128"#);
        assert_eq!(NameBuf::from_text(name.to_string().as_bytes()).unwrap(), name);
        assert_eq!(NameBuf::ROOT.to_string(), ".");
    }

    #[test]
    fn wire_form_is_checked() {
        assert_eq!(NameBuf::from_wire(b""), None);
        assert_eq!(NameBuf::from_wire(b"\x01a"), None);
        assert_eq!(NameBuf::from_wire(b"\xc0\x0c"), None);
        assert_eq!(NameBuf::from_wire(b"\x01a\0rest").unwrap().as_wire(), b"\x01a\0");
    }

    proptest::proptest! {
        #[test]
        fn any_text_gives_a_valid_name_or_an_error(text: Vec<u8>) {
            if let Ok(name) = NameBuf::from_text(&text) {
                let again = NameBuf::from_wire(name.as_wire()).unwrap();
                proptest::prop_assert_eq!(&again, &name);
                let printed = name.to_string();
                proptest::prop_assert_eq!(NameBuf::from_text(printed.as_bytes()).unwrap(), name);
            }
        }
    }
}
