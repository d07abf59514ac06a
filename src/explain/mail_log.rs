//! The addresses in a bounce or a log, however it is written.

use std::collections::HashMap;
use std::io::{self, BufRead};
use std::net::IpAddr;

/// The most different addresses that are counted.
const MOST: usize = 100_000;

/// The most bytes of a line that are looked at.
const MAX_LINE: u64 = 64 << 10;

/// Addresses, and how often each stands in a text.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    counts: HashMap<IpAddr, u64>,
    /// The lines that were read.
    pub(crate) lines: u64,
    /// There are more different ones than are counted.
    pub(crate) is_cut: bool,
}

impl Addresses {
    /// Counts those in a text, line by line; a line counts each address once.
    ///
    /// # Errors
    ///
    /// If the text cannot be read.
    pub(crate) fn read(mut text: impl BufRead) -> io::Result<Self> {
        let mut all = Self::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            if io::Read::take(&mut text, MAX_LINE).read_until(b'\n', &mut line)? == 0 {
                return Ok(all);
            }
            all.lines += 1;
            let mut found: Vec<_> = in_line(&line).collect();
            found.sort_unstable();
            found.dedup();
            for address in found {
                if all.counts.len() < MOST || all.counts.contains_key(&address) {
                    *all.counts.entry(address).or_default() += 1;
                } else {
                    all.is_cut = true;
                }
            }
        }
    }

    /// The addresses with the numbers of their lines, the commonest first.
    pub(crate) fn into_counts(self) -> Vec<(IpAddr, u64)> {
        let mut counts: Vec<_> = self.counts.into_iter().collect();
        counts.sort_unstable_by_key(|&(address, count)| (std::cmp::Reverse(count), address));
        counts
    }
}

/// The addresses of a line, perhaps several times.
fn in_line(line: &[u8]) -> impl Iterator<Item = IpAddr> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b".:-_".contains(byte);
    line.split(move |byte| !is_part(byte)).filter_map(in_word)
}

/// The address that a word is, perhaps with a port behind it or a word and a colon before it.
fn in_word(word: &[u8]) -> Option<IpAddr> {
    let word = std::str::from_utf8(word).ok()?;
    if !word.contains(['.', ':']) {
        return None;
    }
    // A sentence ends in a dot, and an address perhaps in two colons.
    let text = word.trim_end_matches(['.', ':', '-']);
    let whole = || word.parse::<IpAddr>().or_else(|_| text.parse()).ok();
    let with_port = || text.split_once(':').and_then(|(head, _)| head.parse().ok());
    // As in Received: "IPv6:2001:db8::7", and as in "client:192.0.2.7".
    let behind = || text.split_once(':').and_then(|(_, tail)| tail.parse().ok());
    Some(whole().or_else(with_port).or_else(behind)?.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Vec<(String, u64)> {
        let all = Addresses::read(text.as_bytes()).unwrap();
        all.into_counts().into_iter().map(|(address, count)| (address.to_string(), count)).collect()
    }

    #[test]
    fn addresses_are_found_as_logs_have_them() {
        for (line, want) in [
            ("NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 554 5.7.1 blocked", "192.0.2.7"),
            ("connect from mail.example[2001:db8::7]:25", "2001:db8::7"),
            ("H=(x) [192.0.2.7]:4711 rejected", "192.0.2.7"),
            ("client=192.0.2.7:4711, to=1", "192.0.2.7"),
            ("Received: from x ([IPv6:2001:db8::7])", "2001:db8::7"),
            ("ip: 192.0.2.7.", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("from 2001:db8:: to", "2001:db8::"),
            ("see https://psbl.example/listing?ip=192.0.2.7", "192.0.2.7"),
        ] {
            assert_eq!(read(line), [(want.to_owned(), 1)], "{line}");
        }
        for none in [
            "Nov 30 12:44:04 mx postfix/smtpd[123]: x",
            "host-192-0-2-7.dyn.example 1.2.3 4.5.6.7.8 1.2.3.4.dyn.example",
            "2026-11-30T12:44:04.123456+00:00",
        ] {
            assert_eq!(read(none), [], "{none}");
        }
    }

    #[test]
    fn a_line_counts_an_address_once() {
        let text = "192.0.2.7 for 192.0.2.7\n192.0.2.9\n192.0.2.7";
        assert_eq!(read(text), [("192.0.2.7".to_owned(), 2), ("192.0.2.9".to_owned(), 1)]);
    }

    proptest! {
        /// A word that stands alone is found if and only if it is an address.
        #[test]
        fn words_are_addresses_or_not(words in prop::collection::vec("[0-9a-f.:]{1,12}|1[.]2[.]3[.][0-9]{1,3}", 0..9)) {
            let found: Vec<_> = in_line(words.join(" ").as_bytes()).collect();
            for word in &words {
                if let Ok(address) = word.parse::<IpAddr>() {
                    prop_assert!(found.contains(&address.to_canonical()), "{}", word);
                }
            }
            for address in found {
                let text = address.to_string();
                let ends = |word: &String| word.contains(':') || *word == text || word.trim_end_matches('.') == text;
                prop_assert!(words.iter().any(ends), "{}", text);
            }
        }

        #[test]
        fn no_text_is_too_odd(text in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Addresses::read(&text[..]);
        }
    }
}
