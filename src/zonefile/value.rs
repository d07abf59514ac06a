//! The value of an entry: an A record and the template of a TXT record (rbldnsd's manual,
//! "Resulting A values and TXT templates").

use super::scan::Scan;
use super::{MAX_TEXT, Mistake, ip4};
use std::net::Ipv4Addr;

/// An A record and a text, as a line or its defaults give them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pair<'a> {
    pub(super) a: Ipv4Addr,
    pub(super) text: &'a [u8],
}

impl Pair<'_> {
    /// What is returned when no default line was given.
    pub(super) const BUILT_IN: Self = Self { a: Ipv4Addr::new(127, 0, 0, 2), text: b"" };
}

/// Reads the rest of a line: `:A:TXT`, `:A:`, `:A` or a text; what it leaves out comes from
/// `default`. `true` says that the text was too long and has been cut. If `comments` is set, a comment
/// is no text.
pub(super) fn pair<'v, 't: 'v>(
    scan: &mut Scan<'t>,
    default: Pair<'v>,
    loopback_only: bool,
    comments: bool,
) -> Result<(Pair<'v>, bool), Mistake> {
    if !scan.eat(b':') {
        return Ok(cut(scan, default.a));
    }
    let start = scan.clone();
    let a = match ip4::inet_address(scan) {
        None | Some((0, _)) => Err(Mistake::BadA),
        // A single number is the last octet of 127.0.0.x.
        Some((octet, 8)) => Ok(Ipv4Addr::from(octet | 0x7f00_0000)),
        Some((a, _)) => Ok(Ipv4Addr::from(a)),
    };
    let a = a.and_then(|a| match loopback_only && !a.is_loopback() {
        true => Err(Mistake::NotLoopback(a)),
        false => Ok(a),
    });
    let a = a.inspect_err(|_| *scan = start)?;
    scan.skip_blanks();
    if scan.is_end() || comments && scan.is_end_or_comment() {
        return Ok((Pair { a, ..default }, false));
    }
    if !scan.eat(b':') {
        return Err(Mistake::AfterA);
    }
    scan.skip_blanks();
    if comments && scan.is_end_or_comment() {
        return Ok((Pair { a, text: b"" }, false));
    }
    Ok(cut(scan, a))
}

fn cut<'a>(scan: &mut Scan<'a>, a: Ipv4Addr) -> (Pair<'a>, bool) {
    let rest = scan.rest();
    let text = &rest[..rest.len().min(MAX_TEXT)];
    scan.skip(text.len());
    (Pair { a, text }, text.len() < rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, loopback_only: bool) -> Result<(String, String), (Mistake, usize)> {
        let default = Pair { a: Ipv4Addr::new(127, 0, 0, 9), text: b"default" };
        let mut scan = Scan::new(text.as_bytes());
        match pair(&mut scan, default, loopback_only, false) {
            Ok((pair, _)) => Ok((pair.a.to_string(), String::from_utf8_lossy(pair.text).into())),
            Err(reason) => Err((reason, scan.at())),
        }
    }

    #[test]
    fn what_is_left_out_comes_from_the_default() {
        for (text, a, txt) in [
            (":2:x", "127.0.0.2", "x"),
            (":127.0.0.3:  x : y ;z", "127.0.0.3", "x : y ;z"),
            (":5", "127.0.0.5", "default"),
            (":6:", "127.0.0.6", ""),
            (":127.1\t: =x", "127.0.0.1", "=x"),
            (":127.2.3:", "127.2.0.3", ""),
            ("x :2:", "127.0.0.9", "x :2:"),
            ("=x", "127.0.0.9", "=x"),
            (":255", "127.0.0.255", "default"),
        ] {
            assert_eq!(read(text, true), Ok((a.to_owned(), txt.to_owned())), "{text}");
        }
        assert_eq!(read(":10.0.0.1:x", false), Ok(("10.0.0.1".to_owned(), "x".to_owned())));
        assert_eq!(read(":0.1", false), Ok(("0.0.0.1".to_owned(), "default".to_owned())));
    }

    #[test]
    fn what_is_refused() {
        for (text, reason, at) in [
            (":", Mistake::BadA, 1),
            ("::", Mistake::BadA, 1),
            (": 2:", Mistake::BadA, 1),
            (":x", Mistake::BadA, 1),
            (":0:", Mistake::BadA, 1),
            (":0.0.0.0:", Mistake::BadA, 1),
            (":256:", Mistake::BadA, 1),
            (":127.0.0.2.1:", Mistake::AfterA, 10),
            (":2 x", Mistake::AfterA, 3),
            (":2 # comment", Mistake::AfterA, 3),
            (":10.0.0.1:", Mistake::NotLoopback(Ipv4Addr::new(10, 0, 0, 1)), 1),
        ] {
            assert_eq!(read(text, true), Err((reason, at)), "{text}");
        }
    }

    #[test]
    fn long_texts_are_cut() {
        let text = "x".repeat(MAX_TEXT + 1);
        let (pair, was_cut) =
            pair(&mut Scan::new(text.as_bytes()), Pair::BUILT_IN, true, false).expect("a text");
        assert_eq!((pair.text.len(), was_cut), (MAX_TEXT, true));
        let line = format!(":2:{}", "x".repeat(MAX_TEXT));
        let (pair, was_cut) =
            super::pair(&mut Scan::new(line.as_bytes()), Pair::BUILT_IN, true, false)
                .expect("a text");
        assert_eq!((pair.text.len(), was_cut), (MAX_TEXT, false));
    }
}
