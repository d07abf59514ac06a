//! The name asked, in lower case.

use super::{MAX_LABEL, MAX_LABELS, MAX_NAME};
use crate::wire::HEADER;
use std::fmt;

/// A name (wire form, lower case) and any bytes behind it: from each position in the name on, eight
/// bytes can be read.
pub type PaddedName = [u8; MAX_NAME + 1 + size_of::<u64>()];

/// The name asked, in lower case. Once the zone is known, [`cut`](Self::cut) makes the name relative
/// to it.
#[derive(Clone, Debug)]
pub struct LowerName {
    room: PaddedName,
    starts: LabelStarts,
}

impl Default for LowerName {
    /// The root name.
    fn default() -> Self {
        Self { room: [0; size_of::<PaddedName>()], starts: LabelStarts::default() }
    }
}

impl LowerName {
    /// Takes the name at the start of `wire`: whole, uncompressed. Gives its length.
    #[inline]
    pub fn read(&mut self, wire: &[u8]) -> Option<usize> {
        let len = self.starts.read(wire)?;
        copy_lowercase_before(wire, len, &mut self.room)?;
        Some(len)
    }

    /// Takes the labels of a message from the start of its question up to `apex`, where the name of
    /// a zone begins.
    #[inline(always)]
    pub fn read_before(&mut self, message: &[u8], apex: usize) -> Option<()> {
        let (wire, len) = (message.get(HEADER..)?, apex.checked_sub(HEADER)?);
        self.starts.read_before(wire, len)?;
        copy_lowercase_before(wire, len, &mut self.room)?;
        self.room[usize::from(self.starts.end())] = 0;
        Some(())
    }

    /// The name in wire form, its final zero included.
    #[inline(always)]
    pub fn wire(&self) -> &[u8] {
        &self.room[..=usize::from(self.starts.end())]
    }

    /// The name and what stands behind it.
    #[inline(always)]
    pub fn padded(&self) -> &PaddedName {
        &self.room
    }

    /// The number of labels, the root not counted.
    #[inline(always)]
    pub fn labels(&self) -> usize {
        self.starts.count()
    }

    /// The position of each label and of the final zero.
    #[inline(always)]
    pub fn starts(&self) -> &[u8] {
        self.starts.as_slice()
    }

    /// The last label.
    pub fn last_label(&self) -> Option<&[u8]> {
        let &[.., start, end] = self.starts() else { return None };
        self.room.get(usize::from(start) + 1..usize::from(end))
    }

    /// The `count` labels before the last `tail` ones, without a final zero.
    pub fn labels_before(&self, count: u8, tail: u8) -> &[u8] {
        let end = self.labels().saturating_sub(usize::from(tail));
        let start = end.saturating_sub(usize::from(count));
        &self.room[usize::from(self.starts()[start])..usize::from(self.starts()[end])]
    }

    /// Leaves the first `count` labels, and gives the position in the message of the one behind them.
    #[inline(always)]
    pub fn cut(&mut self, count: usize) -> usize {
        self.starts.truncate(count);
        let end = usize::from(self.starts.end());
        self.room[end] = 0;
        HEADER + end
    }
}

/// Where the labels of a name start.
#[derive(Clone)]
pub struct LabelStarts {
    /// The position of each label's length byte, leftmost first, and then that of the final zero.
    starts: [u8; MAX_LABELS + 1],
    count: usize,
}

impl Default for LabelStarts {
    /// Those of the root name.
    fn default() -> Self {
        Self { starts: [0; MAX_LABELS + 1], count: 0 }
    }
}

impl LabelStarts {
    /// Takes those of the name at the start of `wire`: whole, uncompressed, ending in the root
    /// label. What follows the root label is ignored. The length of the name in bytes, its final
    /// zero included.
    pub fn read(&mut self, wire: &[u8]) -> Option<usize> {
        let wire = &wire[..wire.len().min(MAX_NAME)];
        let (mut at, mut count) = (0, 0);
        loop {
            let len = usize::from(*wire.get(at)?);
            // A label takes two bytes or more: no more than 127 of them are in 255 bytes.
            self.starts[count % (MAX_LABELS + 1)] = at as u8;
            at += 1 + len;
            if len.wrapping_sub(1) >= MAX_LABEL {
                self.count = count;
                return (len == 0).then_some(at);
            }
            count += 1;
        }
    }

    /// Takes those of the first `end` bytes of `wire`, which is where a label has to end: the final
    /// zero belongs there.
    #[inline(always)]
    fn read_before(&mut self, wire: &[u8], end: usize) -> Option<()> {
        let labels = wire.get(..end).filter(|_| end < MAX_NAME)?;
        let (mut at, mut count) = (0, 0);
        loop {
            // A label takes two bytes or more: no more than 127 of them are in 254 bytes.
            self.starts[count % (MAX_LABELS + 1)] = at as u8;
            let Some(&len) = labels.get(at) else {
                self.count = if at == end { count } else { 0 };
                return (at == end).then_some(());
            };
            if usize::from(len).wrapping_sub(1) >= MAX_LABEL {
                return None;
            }
            at += 1 + usize::from(len);
            count += 1;
        }
    }

    /// The number of labels, the root not counted.
    #[inline]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Leaves the first `count` labels: the final zero is then where the next one started.
    #[inline(always)]
    fn truncate(&mut self, count: usize) {
        self.count = self.count.min(count);
    }

    /// The position of the final zero.
    #[inline(always)]
    fn end(&self) -> u8 {
        self.starts[self.count]
    }

    /// The positions: one for each label, and that of the final zero.
    #[inline(always)]
    pub fn as_slice(&self) -> &[u8] {
        &self.starts[..self.count + 1]
    }
}

impl fmt::Debug for LabelStarts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

/// Copies a name to the start of `out` with its ASCII letters in lower case (RFC 4343), sixteen
/// bytes at a time. (Length bytes are below 64 and so are no letters.)
#[inline(always)]
fn copy_lowercase<const N: usize>(name: &[u8], out: &mut [u8; N]) {
    let out = &mut out[..name.len().min(N)];
    let name = &name[..out.len()];
    let (Some(first), Some(last)) = (name.first_chunk::<16>(), name.last_chunk::<16>()) else {
        return copy_lowercase_short(name, out);
    };
    if let Some(out) = out.first_chunk_mut() {
        *out = lowercase(first);
    }
    if name.len() > 32 {
        copy_lowercase_middle(name, out);
    }
    if let Some(out) = out.last_chunk_mut() {
        *out = lowercase(last);
    }
}

/// The same for a name that is `len` bytes long and may be followed by anything: of `out` a bit more may be
/// written to.
#[inline(always)]
fn copy_lowercase_before<const N: usize>(from: &[u8], len: usize, out: &mut [u8; N]) -> Option<()> {
    match from.first_chunk::<16>() {
        Some(first) if len <= 16 => out[..16].copy_from_slice(&lowercase(first)),
        _ => copy_lowercase(from.get(..len)?, out),
    }
    Some(())
}

/// The same for what lies between the first and the last sixteen bytes.
#[inline(never)]
fn copy_lowercase_middle(name: &[u8], out: &mut [u8]) {
    for (block, out) in name.as_chunks::<16>().0.iter().zip(out.as_chunks_mut().0) {
        *out = lowercase(block);
    }
}

/// The same for less than sixteen bytes.
#[inline(never)]
fn copy_lowercase_short(name: &[u8], out: &mut [u8]) {
    if let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk()) {
        let (first, last) = (lowercase(first), lowercase(last));
        out[..8].copy_from_slice(&first);
        if let Some(out) = out.last_chunk_mut::<8>() {
            *out = last;
        }
        return;
    }
    out.copy_from_slice(name);
    out.make_ascii_lowercase();
}

/// Of a size that fits a register: the compiler makes a few instructions of it.
#[inline(always)]
fn lowercase<const N: usize>(bytes: &[u8; N]) -> [u8; N] {
    let mut lower = *bytes;
    for byte in &mut lower {
        *byte |= u8::from(byte.is_ascii_uppercase()) << 5;
    }
    lower
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::name::NameBuf;

    #[test]
    fn labels_start_where_labels_do() {
        let nibbles = "1.".repeat(31);
        let address = format!("{nibbles}f.bl.test");
        let long = [&address[..], &nibbles, &format!("{nibbles}f"), &format!("{nibbles}ff.bl")];
        for text in [
            "",
            "a",
            "a.b.c.d",
            "1.22.333.4",
            "1.22.123.4.bl",
            "1.2.3.4",
            "001.02.3.255.a.b.c",
            "a.b.c.d.e",
            "a.b.c.dd.e.f.g.h",
            "ab.c.d.e.f.com",
        ]
        .iter()
        .chain(&long)
        {
            let wire = NameBuf::from_text(text.as_bytes()).unwrap();
            let mut wanted = vec![0];
            wanted.extend(wire.labels().scan(0, |at, label| {
                *at += 1 + label.len() as u8;
                Some(*at)
            }));
            let mut labels = LabelStarts::default();
            // What follows the name makes no difference.
            for tail in [&b""[..], b"\x01", b"\x01x\x01x\x01x\x01x\x01x\x01x\0"] {
                let bytes = [wire.as_wire(), tail].concat();
                assert_eq!(labels.read(&bytes), Some(wire.as_wire().len()), "{text}");
                assert_eq!(labels.as_slice(), wanted, "{text}");
                assert_eq!(labels.count(), wire.labels().count());
            }
        }
        let mut labels = LabelStarts::default();
        assert_eq!(labels.read(&[b"\x01a".repeat(127), vec![0]].concat()), Some(255));
        assert_eq!(labels.count(), 127);
        assert_eq!(labels.read(&[b"\x01a".repeat(128), vec![0]].concat()), None);
        assert_eq!(labels.read(&b"\x01a".repeat(10)), None);
    }

    #[test]
    fn every_byte_gets_the_case_of_the_standard_library() {
        for len in 0..40_u8 {
            for start in (0..=255).step_by(7) {
                let name: Vec<u8> = (0..len).map(|at| at.wrapping_add(start)).collect();
                let mut lower = [0xff; MAX_NAME + 1];
                copy_lowercase(&name, &mut lower);
                assert_eq!(lower[..name.len()], name.to_ascii_lowercase());
            }
        }
    }
}
