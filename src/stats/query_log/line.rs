//! One line of the query log.

use crate::config::QueryLogFormat;
use crate::engine::{Request, Transport};
use crate::wire::message::response::OPT_SIZE;
use crate::wire::{HEADER, Rcode, name};
use std::io::Write as _;
use std::net::IpAddr;

/// The longest line: a name of 255 bytes, all escaped, for JSON once more, and what stands around it.
pub(super) const MAX_LINE: usize = 1600;

/// The names rbldnsd has for types, as dig has them otherwise.
const TYPES: [&str; 42] = [
    "INVALID", "A", "NS", "MD", "MF", "CNAME", "SOA", "MB", "MG", "MR", "NULL", "WKS", "PTR",
    "HINFO", "MINFO", "MX", "TXT", "RP", "AFSDB", "X25", "ISDN", "RT", "NSAP", "NSAP_PTR", "SIG",
    "KEY", "PX", "GPOS", "AAAA", "LOC", "NXT", "EID", "NIMLOC", "SRV", "ATMA", "NAPTR", "KX",
    "CERT", "A6", "DNAME", "SINK", "OPT",
];

/// The types from 250 on.
const META_TYPES: [&str; 7] = ["TSIG", "IXFR", "AXFR", "MAILB", "MAILA", "ANY", "ZXFR"];

/// The names rbldnsd has for response codes.
const RCODES: [&str; 11] = [
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMPL", "REFUSED", "YXDOMAIN", "YXRRSET",
    "NXRRSET", "NOTAUTH", "NOTZONE",
];

/// What a line says.
struct Line<'a> {
    now: u64,
    client: IpAddr,
    transport: Transport,
    /// In wire form.
    name: &'a [u8],
    rtype: u16,
    class: u16,
    rcode: u16,
    answers: u16,
    bytes: usize,
}

/// Appends a line in this form; nothing if the query has no question that could be read, as rbldnsd does not
/// log those.
pub(super) fn write(
    out: &mut Vec<u8>,
    format: QueryLogFormat,
    request: &Request<'_>,
    answer: &[u8],
) {
    let Request { query, client, transport, now } = *request;
    let Some((name, [t0, t1, c0, c1])) = question(query) else { return };
    let Some(header) = answer.first_chunk::<HEADER>() else { return };
    let line = Line {
        now,
        client,
        transport,
        name,
        rtype: u16::from_be_bytes([t0, t1]),
        class: u16::from_be_bytes([c0, c1]),
        rcode: rcode(header, answer),
        answers: u16::from_be_bytes([header[6], header[7]]),
        bytes: answer.len(),
    };
    match format {
        QueryLogFormat::Rbldnsd => line.write_text(out),
        QueryLogFormat::Json => line.write_json(out),
    }
}

impl Line<'_> {
    /// `time client name type class: code/answers/length` (rbldnsd's manual, `-l`).
    fn write_text(&self, out: &mut Vec<u8>) {
        // Writing to a vector does not fail.
        let _ = write!(out, "{} {} ", self.now, self.client);
        name::write_text(self.name, out);
        out.push(b' ');
        self.write_type(out);
        out.push(b' ');
        self.write_class(out);
        out.extend(b": ");
        self.write_rcode(out);
        let _ = writeln!(out, "/{}/{}", self.answers, self.bytes);
    }

    /// A JSON object with the same, and the transport. The time comes first: lines are sorted by it.
    fn write_json(&self, out: &mut Vec<u8>) {
        let transport = self.transport.name();
        let _ = write!(
            out,
            r#"{{"time":{},"client":"{}","transport":"{transport}","name":""#,
            self.now, self.client
        );
        let start = out.len();
        name::write_text(self.name, out);
        escape(out, start);
        out.extend(br#"","type":""#);
        self.write_type(out);
        out.extend(br#"","class":""#);
        self.write_class(out);
        out.extend(br#"","rcode":""#);
        self.write_rcode(out);
        let _ = writeln!(out, r#"","answers":{},"bytes":{}}}"#, self.answers, self.bytes);
    }

    fn write_type(&self, out: &mut Vec<u8>) {
        match self.rtype {
            rtype if usize::from(rtype) < TYPES.len() => {
                out.extend(TYPES[usize::from(rtype)].as_bytes());
            }
            rtype @ 250..=256 => out.extend(META_TYPES[usize::from(rtype) - 250].as_bytes()),
            rtype => {
                let _ = write!(out, "type{rtype}");
            }
        }
    }

    fn write_class(&self, out: &mut Vec<u8>) {
        match self.class {
            0 => out.extend(b"INVALID"),
            1 => out.extend(b"IN"),
            3 => out.extend(b"CH"),
            4 => out.extend(b"HS"),
            255 => out.extend(b"ANY"),
            class => {
                let _ = write!(out, "class{class}");
            }
        }
    }

    fn write_rcode(&self, out: &mut Vec<u8>) {
        match RCODES.get(usize::from(self.rcode)) {
            Some(name) => out.extend(name.as_bytes()),
            None if self.rcode == Rcode::BadVers as u16 => out.extend(b"BADVERS"),
            None if self.rcode == Rcode::BadCookie as u16 => out.extend(b"BADCOOKIE"),
            None => {
                let _ = write!(out, "rcode{}", self.rcode);
            }
        }
    }
}

/// Puts a backslash before each quote and backslash of what stands from `start` on: printable ASCII, which needs
/// nothing else in JSON.
fn escape(out: &mut Vec<u8>, start: usize) {
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\');
    let added = out[start..].iter().filter(|byte| is_special(byte)).count();
    let (mut from, mut to) = (out.len(), out.len() + added);
    out.resize(to, 0);
    while from < to {
        (from, to) = (from - 1, to - 1);
        out[to] = out[from];
        if is_special(&out[from]) {
            to -= 1;
            out[to] = b'\\';
        }
    }
}

/// The response code with its upper bits, which are in the OPT record at the end (RFC 6891 section
/// 6.1.3).
fn rcode(header: &[u8; HEADER], answer: &[u8]) -> u16 {
    let has_opt = header[11] != 0 && answer.len() >= HEADER + OPT_SIZE;
    let upper = match answer.last_chunk::<OPT_SIZE>() {
        Some([0, 0, 41, _, _, upper, ..]) if has_opt => *upper,
        _ => 0,
    };
    u16::from(upper) << 4 | u16::from(header[3] & 0x0f)
}

/// The name, and the bytes of type and class, of the only question of a message.
pub(in crate::stats) fn question(query: &[u8]) -> Option<(&[u8], [u8; 4])> {
    let (header, rest) = query.split_first_chunk::<HEADER>()?;
    if header[4..6] != [0, 1] {
        return None;
    }
    let len: usize = name::Labels::of(rest).map(|label| label.len() + 1).sum::<usize>() + 1;
    let (wire, rest) = rest.split_at_checked(len)?;
    let valid = wire.last() == Some(&0) && len <= name::MAX_NAME;
    let longest = name::Labels::of(wire).map(<[u8]>::len).max().unwrap_or(0);
    (valid && longest <= name::MAX_LABEL).then_some((wire, *rest.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(out: &mut Vec<u8>, now: u64, client: IpAddr, query: &[u8], answer: &[u8]) {
        write_as(QueryLogFormat::Rbldnsd, out, now, client, query, answer);
    }

    fn write_as(
        format: QueryLogFormat,
        out: &mut Vec<u8>,
        now: u64,
        client: IpAddr,
        query: &[u8],
        answer: &[u8],
    ) {
        let request = Request { query, client, transport: Transport::Tcp, now };
        super::write(out, format, &request, answer);
    }

    #[test]
    fn a_line_of_json_says_the_same_of_any_name() {
        let name = b"\x05a.\"$\\\x02\xe4\x01\x02bl\0";
        let query = [&[0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], &name[..], &[0, 1, 0, 1]].concat();
        let (mut text, mut json) = (Vec::new(), Vec::new());
        let client = "2001:db8::1".parse().unwrap();
        write(&mut text, 7, client, &query, &query);
        write_as(QueryLogFormat::Json, &mut json, 7, client, &query, &query);
        let text = String::from_utf8(text).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let want = serde_json::json!({
            "time": 7, "client": "2001:db8::1", "transport": "tcp",
            "name": text.split(' ').nth(2).unwrap(), "type": "A", "class": "IN", "rcode": "NOERROR",
            "answers": 0, "bytes": query.len(),
        });
        assert_eq!(json, want);
    }

    fn line(qname: &[u8], fixed: [u8; 4], code: u8, answers: u8) -> String {
        let mut query = vec![0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        query.extend(qname);
        query.extend(fixed);
        let mut answer = query.clone();
        answer[3] = 0x80 | code;
        answer[7] = answers;
        let mut out = Vec::new();
        write(&mut out, 1_700_000_000, "192.0.2.1".parse().unwrap(), &query, &answer);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_says_who_asked_what_and_what_came() {
        let got = line(b"\x012\x02Bl\x04test\0", [0, 1, 0, 1], 0, 2);
        assert_eq!(got, "1700000000 192.0.2.1 2.Bl.test A IN: NOERROR/2/27\n");
        let got = line(b"\0", [0, 16, 0, 3], 5, 0);
        assert_eq!(got, "1700000000 192.0.2.1 . TXT CH: REFUSED/0/17\n");
    }

    #[test]
    fn numbers_without_a_name_are_written_as_numbers() {
        let rest = |rtype: u16, class: u16, code| {
            let ([t0, t1], [c0, c1]) = (rtype.to_be_bytes(), class.to_be_bytes());
            let text = line(b"\0", [t0, t1, c0, c1], code, 0);
            text.split_once(". ").unwrap().1.trim_end().to_owned()
        };
        assert_eq!(rest(0, 0, 4), "INVALID INVALID: NOTIMPL/0/17");
        assert_eq!(rest(41, 4, 10), "OPT HS: NOTZONE/0/17");
        assert_eq!(rest(42, 2, 11), "type42 class2: rcode11/0/17");
        assert_eq!(rest(256, 255, 3), "ZXFR ANY: NXDOMAIN/0/17");
        assert_eq!(rest(257, 254, 1), "type257 class254: FORMERR/0/17");
        assert_eq!(rest(249, 1, 0), "type249 IN: NOERROR/0/17");
        assert_eq!(rest(250, 1, 0), "TSIG IN: NOERROR/0/17");
    }

    /// BADVERS was logged as NOERROR.
    #[test]
    fn the_upper_bits_of_the_code_are_in_the_opt_record() {
        let query = [&[0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1][..], &[0, 0, 1, 0, 1]].concat();
        let answer = |upper, lower| {
            let mut answer = [&query[..], &[0, 0, 41, 4, 208, upper, 0, 0, 0, 0, 0]].concat();
            answer[3] = lower;
            answer
        };
        let codes = [(0, 0, "NOERROR"), (1, 0, "BADVERS"), (1, 7, "BADCOOKIE"), (2, 0, "rcode32")];
        for (upper, lower, code) in codes {
            let mut out = Vec::new();
            write(&mut out, 0, "192.0.2.1".parse().unwrap(), &query, &answer(upper, lower));
            let line = String::from_utf8(out).unwrap();
            assert!(line.ends_with(&format!(" A IN: {code}/0/28\n")), "{line}");
        }
    }

    #[test]
    fn the_longest_line_fits() {
        let label = [&[63u8][..], &[200; 63]].concat();
        let name = [&label[..], &label, &label, &[61], &[200; 61], &[0]].concat();
        assert_eq!(name.len(), name::MAX_NAME);
        let mut query = vec![0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        query.extend(name);
        query.extend([0xff; 4]);
        let client = "1111:2222:3333:4444:5555:6666:7777:8888".parse().unwrap();
        for format in [QueryLogFormat::Rbldnsd, QueryLogFormat::Json] {
            let (mut out, answer) = (Vec::new(), vec![0xff; 65_535]);
            write_as(format, &mut out, u64::MAX, client, &query, &answer);
            assert!((1000..MAX_LINE).contains(&out.len()), "{}", out.len());
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(query: Vec<u8>, answer: Vec<u8>, tail: Vec<u8>) {
            let client = IpAddr::from([192, 0, 2, 1]);
            for query in [&query[..], &[&[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], &tail[..]].concat()] {
                let mut out = Vec::new();
                write(&mut out, 0, client, query, &answer);
                assert!(out.len() <= MAX_LINE);
            }
        }
    }
}
