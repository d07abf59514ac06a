//! The lines of a `generic` dataset: records of any name (rbldnsd's manual, "generic Dataset").

use super::entry::Record;
use super::fatal::Refused;
use super::rules::Rules;
use super::scan::Scan;
use super::special::ttl;
use super::{FatalCause, MAX_TEXT, Mistake, ip4, native};
use crate::wire::Type;
use crate::wire::name::{MAX_NAME, NameBuf};
use std::net::Ipv6Addr;

/// The most bytes of data: a text in character-strings, or a preference and a name.
const MAX_DATA: usize = MAX_TEXT + MAX_TEXT.div_ceil(255);
const _: () = assert!(MAX_DATA >= 2 + MAX_NAME);

/// Reads `name [ttl] [IN] type data`; the data is put into `data`.
///
/// As in rbldnsd, what follows the address of an A record is ignored, and a TTL or the name of an
/// MX record that cannot be read makes the whole dataset unusable.
pub(super) fn read<'d>(
    scan: &mut Scan<'_>,
    rules: Rules<'_>,
    is_indented: bool,
    data: &'d mut Data,
) -> Result<(NameBuf, Record<'d>), Refused> {
    let is_native = rules.is_native();
    if is_native && is_indented && native::lacks_owner(scan.clone().word()) {
        return Err(Mistake::NoOwner.into());
    }
    let name = owner(scan)?;
    let ttl = match scan.peek() {
        b'0'..=b'9' => ttl(scan, rules.ttl, rules.options).ok_or(FatalCause::RecordTtl)?,
        _ => rules.ttl,
    };
    let rtype = record_type(scan, is_native)?;
    let mut was_cut = false;
    match rtype {
        Type::A => {
            let (address, _) = ip4::inet_address(scan).ok_or(Mistake::NotAddress4)?;
            data.push(&address.to_be_bytes());
        }
        Type::AAAA => {
            let word = str::from_utf8(scan.rest()).unwrap_or_default().split([' ', '\t']).next();
            let address = word.and_then(|word| word.parse::<Ipv6Addr>().ok());
            data.push(&address.ok_or(Mistake::NotAddress6)?.octets());
        }
        Type::MX => mail_exchange(scan, data)?,
        _ => was_cut = texts(scan, data),
    }
    Ok((name, Record { rtype, ttl, data: data.as_slice(), was_cut }))
}

/// The name that has the record, in lower case: `@` for the zone itself.
fn owner(scan: &mut Scan<'_>) -> Result<NameBuf, Mistake> {
    let start = scan.clone();
    let word = scan.word();
    if word == b"@" {
        return Ok(NameBuf::ROOT);
    }
    let name = NameBuf::from_text(word).map_err(Mistake::BadName);
    match name {
        Ok(name) if !name.is_root() => Ok(name.to_lowercase()),
        refused => {
            *scan = start;
            Err(refused.err().unwrap_or(Mistake::NoName))
        }
    }
}

/// The type: A, MX or TXT, natively also AAAA.
fn record_type(scan: &mut Scan<'_>, is_native: bool) -> Result<Type, Mistake> {
    let mut start = scan.clone();
    let mut word = scan.word();
    if word.eq_ignore_ascii_case(b"in") {
        start = scan.clone();
        word = scan.word();
    }
    if scan.is_end() {
        return Err(Mistake::NoRecord);
    }
    let types =
        [(&b"a"[..], Type::A), (b"txt", Type::TXT), (b"mx", Type::MX), (b"aaaa", Type::AAAA)];
    let types = if is_native { &types[..] } else { &types[..3] };
    let known = types.iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
    known.map(|&(_, rtype)| rtype).ok_or_else(|| {
        *scan = start;
        Mistake::RecordType
    })
}

/// A preference and a name, whole.
fn mail_exchange(scan: &mut Scan<'_>, data: &mut Data) -> Result<(), Refused> {
    let start = scan.clone();
    let preference = scan.number_word().and_then(|number| u16::try_from(number).ok());
    let Some(preference) = preference else {
        *scan = start;
        return Err(Mistake::BadPreference.into());
    };
    let name = scan.name().filter(|_| scan.is_end()).ok_or(FatalCause::MailExchange)?;
    data.push(&preference.to_be_bytes());
    data.push(name.as_wire());
    Ok(())
}

/// The rest of the line, with or without quotation marks around it, as character-strings; true if it
/// was cut.
fn texts(scan: &mut Scan<'_>, data: &mut Data) -> bool {
    let rest = scan.rest();
    let text = match rest {
        [b'"', text @ .., b'"'] => text,
        _ => rest,
    };
    let used = &text[..text.len().min(MAX_TEXT)];
    if used.is_empty() {
        data.push(&[0]);
    }
    for string in used.chunks(255) {
        data.push(&[string.len() as u8]);
        data.push(string);
    }
    scan.skip(used.len());
    used.len() < text.len()
}

/// The data of one record.
pub(super) struct Data {
    bytes: [u8; MAX_DATA],
    len: usize,
}

impl Default for Data {
    fn default() -> Self {
        Self { bytes: [0; MAX_DATA], len: 0 }
    }
}

impl Data {
    fn push(&mut self, more: &[u8]) {
        self.bytes[self.len..self.len + more.len()].copy_from_slice(more);
        self.len += more.len();
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zonefile::Options;
    use std::sync::LazyLock;

    static OPTIONS: LazyLock<Options> = LazyLock::new(Options::default);

    fn rules(options: &Options) -> Rules<'_> {
        Rules { options, max_range: None, ttl: 77 }
    }

    /// The record of a line, if its name is this one.
    fn read(name: &[u8], line: &str) -> Option<(Type, u32, Vec<u8>)> {
        let mut data = Data::default();
        let mut scan = Scan::new(line.as_bytes());
        let (owner, record) = super::read(&mut scan, rules(&OPTIONS), false, &mut data).ok()?;
        (owner.as_wire() == name).then(|| (record.rtype, record.ttl, record.data.to_vec()))
    }

    fn refused(line: &str) -> (Refused, usize) {
        let mut scan = Scan::new(line.as_bytes());
        let mut data = Data::default();
        let result = super::read(&mut scan, rules(&OPTIONS), false, &mut data);
        (result.map(drop).expect_err(line), scan.at())
    }

    #[test]
    fn records_in_every_spelling() {
        let a = |ttl| Some((Type::A, ttl, vec![192, 0, 2, 1]));
        for (line, ttl) in [
            ("www A 192.0.2.1", 77),
            ("WWW \t in\ta 192.0.2.1", 77),
            ("www. 300 IN A 192.0.2.1", 300),
            ("www 0 A 192.0.2.1", 77),
            ("www 2m A 192.0.2.1junk", 120),
            ("www A 192.0.513 x", 77),
            ("..www A 192.0.2.1.5", 77),
        ] {
            let due = if line.contains("513") { None } else { a(ttl) };
            assert_eq!(read(b"\x03www\0", line), due, "{line}");
        }
        assert_eq!(read(b"\0", "@ A 10.1"), Some((Type::A, 77, vec![10, 0, 0, 1])));
        assert_eq!(read(b"\0", "@\tA 2"), Some((Type::A, 77, vec![0, 0, 0, 2])));
        assert_eq!(
            read(b"\x01a\x02:2\0", "a.:2 1h MX 10 Mail.Example."),
            Some((Type::MX, 3600, b"\x00\x0a\x04Mail\x07Example\0".to_vec()))
        );
        assert_eq!(read(b"\x01a\0", "a mx 65535 ."), Some((Type::MX, 77, vec![255, 255, 0])));
        let address = "2001:db8::1".parse::<Ipv6Addr>().unwrap().octets().to_vec();
        assert_eq!(read(b"\x01a\0", "a aaaa 2001:db8::1 x"), Some((Type::AAAA, 77, address)));
        assert_eq!(read(b"\x02in\0", "in in TXT x"), Some((Type::TXT, 77, b"\x01x".to_vec())));
    }

    #[test]
    fn texts_with_and_without_quotation_marks() {
        for (text, data) in [
            ("plain ; text", &b"\x0cplain ; text"[..]),
            ("\"quoted\"", b"\x06quoted"),
            ("\"\"", b"\0"),
            ("\"", b"\x01\""),
            ("\"half", b"\x05\"half"),
            ("$ $1 \\\"", b"\x07$ $1 \\\""),
        ] {
            let found = read(b"\x01t\0", &format!("t TXT {text}"));
            assert_eq!(found, Some((Type::TXT, 77, data.to_vec())), "{text}");
        }
        let long = format!("t TXT \"{}\"", "x".repeat(256));
        let (_, _, data) = read(b"\x01t\0", &long).unwrap();
        assert_eq!((data[0], data[256], data.len()), (255, 1, 258));
        let too_long = format!("t TXT {}", "x".repeat(MAX_TEXT + 1));
        let mut scan = Scan::new(too_long.as_bytes());
        let mut data = Data::default();
        let (_, record) = super::read(&mut scan, rules(&OPTIONS), false, &mut data).unwrap();
        assert!(record.was_cut);
    }

    #[test]
    fn what_is_refused() {
        for (line, reason, at) in [
            ("www", Mistake::NoRecord, 3),
            ("www 300", Mistake::NoRecord, 7),
            ("www A", Mistake::NoRecord, 5),
            ("www IN", Mistake::NoRecord, 6),
            ("@", Mistake::NoRecord, 1),
            (". A 127.0.0.2", Mistake::NoName, 0),
            ("www NS ns.example", Mistake::RecordType, 4),
            ("www AAAA 1.2.3.4", Mistake::NotAddress6, 9),
            ("www IN 300 A 127.0.0.2", Mistake::RecordType, 7),
            ("www 5: A 127.0.0.2", Mistake::RecordType, 5),
            ("www A x", Mistake::NotAddress4, 6),
            ("www A 127.0.0.", Mistake::NotAddress4, 14),
            ("www MX mail.example", Mistake::BadPreference, 7),
            ("www MX 65536 mail.example", Mistake::BadPreference, 7),
            ("www MX 10x mail.example", Mistake::BadPreference, 7),
        ] {
            assert_eq!(refused(line), (Refused::Line(reason), at), "{line}");
        }
        for (line, cause) in [
            ("www 300x A 127.0.0.2", FatalCause::RecordTtl),
            ("www 4294967296 A 127.0.0.2", FatalCause::RecordTtl),
            ("www 3.5 A 127.0.0.2", FatalCause::RecordTtl),
            ("www MX 10", FatalCause::MailExchange),
            ("www MX 10 mail.example x", FatalCause::MailExchange),
            ("www MX 10 mail.example # x", FatalCause::MailExchange),
            ("www MX 10 \\256", FatalCause::MailExchange),
        ] {
            assert_eq!(refused(line).0, Refused::Dataset(cause), "{line}");
        }
    }
}
