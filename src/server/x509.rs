//! What people want to know of a certificate: for which names it is, and until when (RFC 5280 section 4.1).
//!
//! rustls checks certificates, and tells of neither.

use crate::util::time::Utc;
use std::net::{Ipv4Addr, Ipv6Addr};

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// The version of a certificate.
const VERSION: u8 = 0xa0;
/// The extensions of a certificate.
const EXTENSIONS: u8 = 0xa3;
/// The kinds of a subject alternative name that servers have (RFC 5280 section 4.2.1.6).
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

/// The object identifier 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
/// The object identifier 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 29, 17];

/// What a certificate says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateFacts {
    /// The names and addresses that it is for; without any, its common name.
    pub names: Vec<String>,
    /// When it expires, in seconds since 1970.
    pub expires: i64,
}

impl CertificateFacts {
    /// Reads a certificate in DER. `None` if it is none.
    pub fn of(der: &[u8]) -> Option<Self> {
        let mut certificate = Der(Der(der).content(SEQUENCE)?);
        let mut fields = Der(certificate.content(SEQUENCE)?);
        fields.content(VERSION);
        fields.content(INTEGER)?;
        let (_algorithm, _issuer) = (fields.content(SEQUENCE)?, fields.content(SEQUENCE)?);
        let mut validity = Der(fields.content(SEQUENCE)?);
        validity.next()?;
        let (kind, expires) = validity.next()?;
        let subject = fields.content(SEQUENCE)?;
        let mut names: Vec<_> = fields
            .find_map(|(tag, content)| (tag == EXTENSIONS).then_some(content))
            .and_then(alternative_names)
            .unwrap_or_default();
        if names.is_empty() {
            names.extend(common_name(subject));
        }
        Some(Self { names, expires: time(kind, expires)? })
    }
}

/// The names in extensions.
fn alternative_names(extensions: &[u8]) -> Option<Vec<String>> {
    let extensions = Der(Der(extensions).content(SEQUENCE)?);
    let value = extensions.filter(|(tag, _)| *tag == SEQUENCE).find_map(|(_, extension)| {
        let mut extension = Der(extension);
        let id = extension.content(OBJECT_IDENTIFIER)?;
        let value = extension.find(|(tag, _)| *tag == OCTET_STRING)?;
        (id == SUBJECT_ALT_NAME).then_some(value.1)
    })?;
    let names = Der(Der(value).content(SEQUENCE)?);
    let name = |(kind, name): (u8, &[u8])| match kind {
        DNS_NAME => Some(text(name)),
        IP_ADDRESS => match name.len() {
            4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(name).ok()?).to_string()),
            _ => Some(Ipv6Addr::from(<[u8; 16]>::try_from(name).ok()?).to_string()),
        },
        _ => None,
    };
    Some(names.filter_map(name).collect())
}

/// The common name of a subject.
fn common_name(subject: &[u8]) -> Option<String> {
    Der(subject).filter(|(tag, _)| *tag == SET).find_map(|(_, set)| {
        let mut attribute = Der(Der(set).content(SEQUENCE)?);
        let id = attribute.content(OBJECT_IDENTIFIER)?;
        let (_, value) = attribute.next()?;
        (id == COMMON_NAME).then(|| text(value))
    })
}

/// What a terminal can show of a text.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).collect()
}

/// A time of one of the two kinds (RFC 5280 section 4.1.2.5) in seconds since 1970.
fn time(kind: u8, text: &[u8]) -> Option<i64> {
    let digits = text.strip_suffix(b"Z").filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let (year, rest) = match kind {
        UTC_TIME => digits.split_at_checked(2)?,
        GENERALIZED_TIME => digits.split_at_checked(4)?,
        _ => return None,
    };
    let number = |digits: &[u8]| {
        digits.iter().fold(0_i64, |number, digit| number * 10 + i64::from(digit - b'0'))
    };
    let year = match (kind, number(year)) {
        (UTC_TIME, year @ 50..) => 1900 + year,
        (UTC_TIME, year) => 2000 + year,
        (_, year) => year,
    };
    if rest.len() != 10 {
        return None;
    }
    let pair = |at: usize| number(&rest[at..at + 2]) as u8;
    let (month, day, hour, minute, second) = (pair(0), pair(2), pair(4), pair(6), pair(8));
    Utc { year, month, day, hour, minute, second }.to_unix()
}

/// Values in DER (X.690 section 8.1), one after the other: the tag and the content of each. It ends where the
/// bytes end or make no sense.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of the next value, if that has this tag; otherwise nothing is read.
    fn content(&mut self, tag: u8) -> Option<&'a [u8]> {
        (self.0.first() == Some(&tag)).then(|| self.next())?.map(|(_, content)| content)
    }
}

impl<'a> Iterator for Der<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let [tag, len, rest @ ..] = self.0 else { return None };
        let (len, rest) = match len {
            0..=0x7f => (usize::from(*len), rest),
            // In so many bytes; 0x80 has no end of its own.
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(len & 0x7f))?;
                (bytes.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some((*tag, content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::time::unix_time;
    use proptest::prelude::*;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use std::process::Command;

    fn certificate(arguments: &[&str]) -> Vec<u8> {
        let output = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-nodes", "-keyout", "/dev/null"])
            .args(arguments)
            .output()
            .expect("the tests need the openssl command");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        CertificateDer::from_pem_slice(&output.stdout).unwrap().to_vec()
    }

    #[test]
    fn names_and_expiry_are_those_that_openssl_was_told() {
        let names =
            "subjectAltName=DNS:dns.test,IP:192.0.2.1,email:a@b.test,IP:2001:db8::1,DNS:*.b.test";
        // 100 years are written in the other form.
        for days in [3, 36_500] {
            let days = days.to_string();
            let arguments = ["-subj", "/O=x/CN=other", "-days", &days];
            let der = certificate(&[&arguments[..], &["-addext", names]].concat());
            let facts = CertificateFacts::of(&der).unwrap();
            assert_eq!(facts.names, ["dns.test", "192.0.2.1", "2001:db8::1", "*.b.test"]);
            let left = facts.expires - unix_time() as i64;
            let days: i64 = days.parse().unwrap();
            assert!((days * 86_400 - 60..=days * 86_400).contains(&left), "{left}");
        }
        let facts = CertificateFacts::of(&certificate(&["-subj", "/O=x/CN=other"])).unwrap();
        assert_eq!(facts.names, ["other"]);
    }

    #[test]
    fn times_of_both_kinds_are_read_and_nothing_else_is() {
        assert_eq!(time(UTC_TIME, b"700101000001Z"), Some(1));
        assert_eq!(time(UTC_TIME, b"491231235959Z"), Some(2_524_607_999));
        assert_eq!(time(GENERALIZED_TIME, b"20500101000000Z"), Some(2_524_608_000));
        for bad in
            [&b""[..], b"Z", b"7001010000Z", b"700132000001Z", b"70010100000-Z", b"700101000001"]
        {
            assert_eq!(time(UTC_TIME, bad), None, "{bad:?}");
        }
        assert_eq!(time(INTEGER, b"700101000001Z"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(der in prop::collection::vec(any::<u8>(), 0..200)) {
            CertificateFacts::of(&der);
            CertificateFacts::of(&[&[SEQUENCE, 0x7f, SEQUENCE, 0x7d][..], &der].concat());
        }
    }

    /// Bytes that are nearly a certificate reach further into the reader.
    #[test]
    fn a_damaged_certificate_is_read_or_is_none() {
        let der = certificate(&["-subj", "/CN=dns.test", "-addext", "subjectAltName=DNS:dns.test"]);
        for at in 0..der.len() {
            for byte in [0, 1, 0x30, 0x7f, 0x80, 0x81, 0x84, 0xff] {
                let mut der = der.clone();
                der[at] = byte;
                CertificateFacts::of(&der);
            }
            CertificateFacts::of(&der[..at]);
        }
    }
}
