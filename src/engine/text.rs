//! TXT: the text of an answer from its template.

use crate::wire::copy::{any, copy};
use crate::wire::name::write_text;
use crate::zone::Vars;
use crate::zonefile::MAX_TEXT;
use bytemuck::cast;
use std::fmt;
use wide::{i8x16, u8x16, u16x8};

/// A place for one text.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    /// The length of the text if it is below 256, and then the text.
    bytes: [u8; 1 + MAX_TEXT],
    /// The length of both.
    len: usize,
    /// Room for the text in pieces.
    strings: [u8; MAX_TEXT + MAX_TEXT.div_ceil(255)],
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; 1 + MAX_TEXT], len: 1, strings: [0; MAX_TEXT + MAX_TEXT.div_ceil(255)] }
    }
}

impl Text {
    /// Writes out `template`, see [`expand`]. What is too long is cut.
    pub(crate) fn expand(&mut self, template: &[u8], vars: &Vars, key: &[u8]) {
        let (_, room) = self.bytes.split_at_mut(1);
        self.len = 1 + expand(template, vars, key, room).unwrap_or(MAX_TEXT);
        self.bytes[0] = (self.len - 1) as u8;
    }

    /// Begins an empty text.
    pub(super) fn clear(&mut self) {
        self.grow_to(1);
    }

    /// Adds a piece. What is too long is cut.
    pub(super) fn push(&mut self, piece: &[u8]) {
        let room = &mut self.bytes[self.len..];
        let take = piece.len().min(room.len());
        room[..take].copy_from_slice(&piece[..take]);
        self.grow_to(self.len + take);
    }

    /// Adds what [`expand`](Self::expand) writes.
    pub(super) fn append(&mut self, template: &[u8], vars: &Vars, key: &[u8]) {
        let room = &mut self.bytes[self.len..];
        let most = room.len();
        let added = expand(template, vars, key, room).unwrap_or(most);
        self.grow_to(self.len + added);
    }

    fn grow_to(&mut self, len: usize) {
        self.len = len;
        self.bytes[0] = (len - 1) as u8;
    }

    /// The text.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[1..self.len]
    }

    /// The text as character-strings of up to 255 bytes (RFC 1035 section 3.3).
    pub(crate) fn character_strings(&mut self) -> &[u8] {
        if self.len <= 256 {
            return &self.bytes[..self.len];
        }
        let (strings, _) = self.strings.split_at_mut(self.len - 1 + (self.len - 1).div_ceil(255));
        for (string, text) in strings.chunks_mut(256).zip(self.bytes[1..self.len].chunks(255)) {
            string[0] = text.len() as u8;
            string[1..].copy_from_slice(text);
        }
        strings
    }
}

impl fmt::Write for Text {
    /// Adds a piece; an error if there is no room for all of it.
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.push(piece.as_bytes());
        if self.len < self.bytes.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// Writes out `template` as rbldnsd's manual ("Resulting A values and TXT templates") says:
/// `$` is the key, `$$` a dollar, `$0`..`$9` variables; with a base template that one is
/// written out instead, `$=` in it being the template, or the key if the template is empty.
///
/// The length of the text, or `None` if there is no room for all of it: `out` is full then.
#[inline]
pub(super) fn expand(template: &[u8], vars: &Vars, key: &[u8], out: &mut [u8]) -> Option<usize> {
    let write = |room: &mut [u8]| {
        copy(key, room.get_mut(..key.len())?);
        Some(key.len())
    };
    match expand_quickly(template, vars, write, out) {
        None => expand_any(template, vars, key, out),
        len => len,
    }
}

/// The same for a text that ends in the key and has no other `$`, as most do: `write` writes the key.
/// `None` for others, or if there is no room for all.
#[inline(always)]
pub(super) fn expand_quickly(
    template: &[u8],
    vars: &Vars,
    write: impl FnOnce(&mut [u8]) -> Option<usize>,
    out: &mut [u8],
) -> Option<usize> {
    let own = template.strip_suffix(b"$")?;
    if vars.base.is_some() || own.starts_with(b"=") || any(own, |byte| byte == b'$') {
        return None;
    }
    let (first, rest) = out.split_at_mut_checked(own.len())?;
    copy(own, first);
    Some(own.len() + write(rest)?)
}

#[inline(never)]
pub(super) fn expand_any(
    template: &[u8],
    vars: &Vars,
    key: &[u8],
    out: &mut [u8],
) -> Option<usize> {
    let (outer, inner) = match (template, vars.base.as_deref()) {
        ([b'=', own @ ..], _) => (own, own),
        (_, Some(base)) => (base, if template.is_empty() { key } else { template }),
        (_, None) => (template, template),
    };
    let mut at = 0;
    let mut push = |part: &[u8]| {
        let Some(room) = out.get_mut(at..at + part.len()) else {
            let rest = out.get_mut(at..)?;
            rest.copy_from_slice(part.get(..rest.len())?);
            return None;
        };
        copy(part, room);
        at += part.len();
        Some(at)
    };
    let mut rest = outer;
    loop {
        // Where many stand side by side, each is found at once.
        if rest.first() != Some(&b'$') {
            let Some(dollar) = memchr::memchr(b'$', rest) else { break };
            push(&rest[..dollar])?;
            rest = &rest[dollar..];
        }
        rest = &rest[1..];
        let (part, used) = match rest.first() {
            Some(b'$') => (&b"$"[..], 1),
            Some(b'=') => (inner, 1),
            Some(digit @ b'0'..=b'9') => match &vars.numbered[usize::from(digit - b'0')] {
                Some(value) => (&**value, 1),
                None => (&b"$"[..], 0),
            },
            _ => (key, 0),
        };
        push(part)?;
        rest = &rest[used..];
    }
    push(rest)
}

/// The key as it stands in a text, written once per query and only if a text asks for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyText {
    bytes: Vec<u8>,
}

impl KeyText {
    /// An IPv4 address as a dotted quad.
    pub(crate) fn ip4(&mut self, address: u32) -> &[u8] {
        self.bytes.clear();
        self.bytes.extend_from_slice(Ip4Text::new(address).bytes());
        &self.bytes
    }

    /// An IPv6 address, see [`Ip6Text`].
    pub(crate) fn ip6(&mut self, address: u128) -> &[u8] {
        self.bytes.clear();
        self.bytes.extend_from_slice(Ip6Text::new(address).bytes());
        &self.bytes
    }

    /// The text written last.
    pub(crate) fn written(&self) -> &[u8] {
        &self.bytes
    }

    /// A name in wire form, with or without its final zero, escaped.
    pub(crate) fn name(&mut self, name: &[u8]) -> &[u8] {
        self.bytes.clear();
        write_text(name, &mut self.bytes);
        &self.bytes
    }
}

/// An IPv4 address as a dotted quad.
pub(super) struct Ip4Text {
    bytes: [u8; 16],
    len: usize,
}

impl Ip4Text {
    #[inline]
    pub(super) fn new(address: u32) -> Self {
        let mut bytes = [0; 16];
        let mut len = 0;
        for octet in address.to_be_bytes() {
            let (digits, used) = OCTETS[usize::from(octet)];
            bytes[len..len + 4].copy_from_slice(&digits);
            len += usize::from(used);
        }
        Self { bytes, len: len - 1 }
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// For each octet its decimal digits and a dot, and how many bytes these are.
const OCTETS: [([u8; 4], u8); 256] = {
    let mut octets = [([b'.'; 4], 0); 256];
    let mut octet = 0;
    while octet < octets.len() {
        let digits = [octet / 100, octet / 10 % 10, octet % 10];
        let unused = if octet < 10 { 2 } else { (octet < 100) as usize };
        let mut at = unused;
        while at < 3 {
            octets[octet].0[at - unused] = b'0' + digits[at] as u8;
            at += 1;
        }
        octets[octet].1 = 4 - unused as u8;
        octet += 1;
    }
    octets
};

/// An IPv6 address in the form of RFC 5952, but never with an IPv4 address in it, as rbldnsd writes
/// it.
pub(super) struct Ip6Text {
    bytes: [u8; 48],
    len: usize,
}

impl Ip6Text {
    #[inline]
    pub(super) fn new(address: u128) -> Self {
        let digits = hexadecimal(address);
        let empty = zero_words((address >> 64) as u64) | zero_words(address as u64) << 4;
        let (start, end) = ZEROS[empty];
        let mut text = Self { bytes: [b':'; 48], len: 0 };
        for word in &digits[..usize::from(start).min(8)] {
            text.push(*word);
        }
        if start < 8 {
            // Of the two colons one has been written behind the word before.
            text.len += 1 + usize::from(start == 0);
            for word in digits.get(usize::from(end)..).unwrap_or(&[]) {
                text.push(*word);
            }
        }
        if end != 8 {
            text.len -= 1;
        }
        text
    }

    /// Appends four digits without the zeros in front, and a colon.
    #[inline(always)]
    fn push(&mut self, digits: [u8; 4]) {
        let digits = u32::from_le_bytes(digits);
        // The last one stays, zero or not.
        let leading = ((digits ^ 0x3030_3030) | 1 << 24).trailing_zeros() & !7;
        let word = (u64::from(digits) | 0x3a3a_3a3a_0000_0000) >> leading;
        self.bytes[self.len..self.len + 8].copy_from_slice(&word.to_le_bytes());
        self.len += 5 - leading as usize / 8;
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The set of the words of 16 bits that are zero, the highest word at the lowest bit.
#[inline(always)]
fn zero_words(words: u64) -> usize {
    const REST: u64 = 0x7fff_7fff_7fff_7fff;
    let zeros = !(((words & REST) + REST) | words | REST);
    // The highest bits of the words, moved side by side.
    ((zeros >> 15).wrapping_mul(1 | 1 << 17 | 1 << 34 | 1 << 51) >> 48) as usize & 15
}

/// The 32 digits of a number, four by four.
#[inline(always)]
fn hexadecimal(number: u128) -> [[u8; 4]; 8] {
    let (octets, low) = (u8x16::new(number.to_be_bytes()), u8x16::splat(15));
    let high: u8x16 = cast(cast::<_, u16x8>(octets) >> 4);
    let (high, low) = (high & low, octets & low);
    let halves = [u8x16::unpack_low(high, low), u8x16::unpack_high(high, low)];
    cast(halves.map(|nibbles| {
        let (nibbles, all): (i8x16, _) = (cast(nibbles), i8x16::splat);
        nibbles + all(b'0' as i8) + (nibbles.simd_gt(all(9)) & all(39))
    }))
}

/// For each set of zero words of eight, the first word at the lowest bit, the first of the longest runs of at
/// least two: its start and end, both out of reach if there is none.
const ZEROS: [(u8, u8); 256] = {
    let mut zeros = [(9, 9); 256];
    let mut set = 0;
    while set < zeros.len() {
        let mut start = 0;
        while start < 8 {
            let length = (set >> start).trailing_ones() as u8;
            let (known, known_end) = zeros[set];
            if length >= 2 && length > known_end - known {
                zeros[set] = (start, start + length);
            }
            start += 1;
        }
        set += 1;
    }
    zeros
};

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(one: &str, base: Option<&str>) -> Vars {
        let mut vars = Vars::default();
        vars.numbered[1] = Some(one.as_bytes().into());
        vars.base = base.map(|base| base.as_bytes().into());
        vars
    }

    fn expand(template: &str, vars: &Vars) -> String {
        let mut text = Text::default();
        text.expand(template.as_bytes(), vars, b"KEY");
        String::from_utf8(text.bytes().to_vec()).unwrap()
    }

    #[test]
    fn dollars_are_replaced() {
        let vars = vars("a$b", None);
        assert_eq!(expand("see $ at $1, $2 and $$.", &vars), "see KEY at a$b, $2 and $.");
        assert_eq!(expand("$", &vars), "KEY");
        assert_eq!(expand("$$$", &vars), "$KEY");
        assert_eq!(expand("$x$=", &vars), "KEYx$x$=");
        assert_eq!(expand("=plain $", &vars), "plain KEY");
        assert_eq!(expand("", &vars), "");
    }

    #[test]
    fn the_base_template_takes_over_unless_escaped() {
        let vars = vars("one", Some("bl?$= ($) $1"));
        assert_eq!(expand("r123", &vars), "bl?r123 (KEY) one");
        assert_eq!(expand("r$", &vars), "bl?r$ (KEY) one");
        assert_eq!(expand("", &vars), "bl?KEY (KEY) one");
        assert_eq!(expand("=other $", &vars), "other KEY");
    }

    proptest::proptest! {
        #[test]
        fn the_quick_way_and_the_other_write_the_same(
            template in "=?[ab]{0,50}\\$?[ab$]{0,3}\\$",
            key in "[a-z.0-9]{1,40}",
            room in 0_usize..120,
            base in proptest::option::weighted(0.2, "[ab$=]{0,20}"),
        ) {
            let vars = Vars { base: base.map(|base| base.into_bytes().into()), ..Vars::default() };
            let (mut quick, mut other) = (vec![0; room], vec![0; room]);
            let (template, key) = (template.as_bytes(), key.as_bytes());
            let len = super::expand(template, &vars, key, &mut quick);
            proptest::prop_assert_eq!(len, expand_any(template, &vars, key, &mut other));
            proptest::prop_assert_eq!(quick, other);
        }
    }

    #[test]
    fn long_texts_are_cut() {
        let long = "x".repeat(600);
        let text = expand("$1$1", &vars(&long, None));
        assert_eq!(text.len(), MAX_TEXT);
    }

    proptest::proptest! {
        #[test]
        fn addresses_are_written_as_by_the_standard_library(words: [u16; 8], masks: [u16; 8], zeros: u8) {
            let mut words: [u16; 8] = std::array::from_fn(|i| words[i] & masks[i]);
            for (i, word) in words.iter_mut().enumerate() {
                // So that it has no IPv4 address in it.
                *word = if i == 0 || zeros >> i & 1 == 0 { *word | 0x100 } else { 0 };
            }
            let address = std::net::Ipv6Addr::from(words);
            let (text, wanted) = (Ip6Text::new(address.into()), address.to_string());
            proptest::prop_assert_eq!(text.bytes(), wanted.as_bytes());
        }
    }

    #[test]
    fn keys_are_written_as_people_do() {
        let mut key = KeyText::default();
        for octet in 0..=255 {
            let address = std::net::Ipv4Addr::new(octet, 255 - octet, 0, octet);
            assert_eq!(key.ip4(address.into()), address.to_string().as_bytes());
        }
        assert_eq!(key.ip4(0x0164_0a00), b"1.100.10.0");
        assert_eq!(key.ip4(0xff09_63c8), b"255.9.99.200");
        for text in
            ["::", "::1", "1::", "2001:db8::42", "1:0:0:4::8", "1:2:3:4:5:6:7:8", "1:0:2:0:3:0:4:0"]
        {
            let address: std::net::Ipv6Addr = text.parse().unwrap();
            assert_eq!(key.ip6(address.into()), text.as_bytes(), "{text}");
        }
        assert_eq!(key.ip6(0xffff_7f00_0002), b"::ffff:7f00:2");
        assert_eq!(key.name(b"\x02b$\x01c"), br"b\$.c");
        assert_eq!(key.name(b"\x01a\x02b$\x01c\0"), br"a.b\$.c");
    }
}
