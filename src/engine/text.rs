//! TXT: the text of an answer from its template.

use crate::wire::name::write_text;
use crate::zone::Vars;
use crate::zonefile::MAX_TEXT;

/// A place for one text.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    /// The length of the text if it is below 256, and then the text.
    bytes: [u8; 1 + MAX_TEXT],
    /// The length of both.
    len: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; 1 + MAX_TEXT], len: 1 }
    }
}

impl Text {
    /// Writes out `template`, see [`expand`]. What is too long is cut.
    pub(crate) fn expand(&mut self, template: &[u8], vars: &Vars, key: &[u8]) {
        let (_, room) = self.bytes.split_at_mut(1);
        self.len = 1 + expand(template, vars, key, room).unwrap_or(MAX_TEXT);
        self.bytes[0] = (self.len - 1) as u8;
    }

    /// The text.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[1..self.len]
    }

    /// The text as one character-string (RFC 1035 section 3.3), if it has less than 256 bytes.
    pub(super) fn character_string(&self) -> Option<&[u8]> {
        (self.len <= 256).then_some(&self.bytes[..self.len])
    }
}

/// Writes out `template` as rbldnsd's manual ("Resulting A values and TXT templates") says:
/// `$` is the key, `$$` a dollar, `$0`..`$9` variables; with a base template that one is
/// written out instead, `$=` in it being the template, or the key if the template is empty.
///
/// The length of the text, or `None` if there is no room for all of it: `out` is full then.
#[inline]
pub(super) fn expand(template: &[u8], vars: &Vars, key: &[u8], out: &mut [u8]) -> Option<usize> {
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
        room.copy_from_slice(part);
        at += part.len();
        Some(at)
    };
    let mut rest = outer;
    // Most texts end in the key: then there is nothing to search any more.
    while !rest.is_empty() {
        let Some(dollar) = memchr::memchr(b'$', rest) else { break };
        push(&rest[..dollar])?;
        rest = &rest[dollar + 1..];
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

    /// An IPv6 address in the form of RFC 5952, but never with an IPv4 address in it, as rbldnsd
    /// writes it.
    pub(crate) fn ip6(&mut self, address: u128) -> &[u8] {
        self.bytes.clear();
        let words: [u16; 8] = std::array::from_fn(|i| (address >> (112 - 16 * i)) as u16);
        let zeros = longest_zeros(&words);
        for (i, word) in words.iter().enumerate() {
            if zeros.contains(&i) {
                if i == zeros.start {
                    self.bytes.extend_from_slice(b"::");
                }
                continue;
            }
            if i > 0 && i != zeros.end {
                self.bytes.push(b':');
            }
            let digits = (16 - word.leading_zeros()).div_ceil(4).max(1);
            for digit in (0..digits).rev() {
                self.bytes.push(b"0123456789abcdef"[usize::from(word >> (4 * digit) & 15)]);
            }
        }
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

/// The first of the longest runs of at least two zero words, empty and out of reach if there is
/// none.
fn longest_zeros(words: &[u16; 8]) -> std::ops::Range<usize> {
    let mut best = 9..9;
    let mut start = 0;
    for i in 0..=8 {
        if words.get(i) == Some(&0) {
            continue;
        }
        if i - start >= 2 && i - start > best.len() {
            best = start..i;
        }
        start = i + 1;
    }
    best
}

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

    #[test]
    fn long_texts_are_cut() {
        let long = "x".repeat(600);
        let text = expand("$1$1", &vars(&long, None));
        assert_eq!(text.len(), MAX_TEXT);
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
