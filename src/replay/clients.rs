//! The clients of a log: how often each connected, and when.

use super::line::{LogFormat, Mention, client};
use super::stamp::{self, StampRules};
use std::collections::HashMap;
use std::io::{self, BufRead};
use std::net::IpAddr;

/// The most different addresses that are counted.
const MOST: usize = 2_000_000;

/// The most bytes of a line that are looked at.
const MAX_LINE: u64 = 16 << 10;

/// What the lines of logs tell of clients.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    seen: HashMap<IpAddr, Seen>,
    /// The lines that were read.
    pub(crate) lines: u64,
    /// The lines with a client of each format, in the order of [`LogFormat::ALL`].
    by_format: [u64; LogFormat::ALL.len()],
    /// There are more different addresses than are counted.
    pub(crate) is_cut: bool,
}

/// What lines tell of a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Seen {
    screened: u64,
    connected: u64,
    named: u64,
    /// The first and the last time, in seconds since 1970, as far as lines have one.
    pub(crate) times: Option<(i64, i64)>,
}

impl Seen {
    /// How often it has connected. The screen and the server behind it both tell of a connection; a log without
    /// connections tells of messages.
    pub(crate) fn connections(&self) -> u64 {
        match self.screened.max(self.connected) {
            0 => self.named,
            connections => connections,
        }
    }

    fn add(&mut self, mention: Mention, time: Option<i64>) {
        match mention {
            Mention::Screened => self.screened += 1,
            Mention::Connected => self.connected += 1,
            Mention::Named => self.named += 1,
        }
        if let Some(time) = time {
            let (first, last) = self.times.unwrap_or((time, time));
            self.times = Some((first.min(time), last.max(time)));
        }
    }
}

impl Clients {
    /// Adds the clients of a log, line by line.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(crate) fn read(&mut self, mut log: impl BufRead, rules: StampRules) -> io::Result<()> {
        let mut line = Vec::new();
        loop {
            line.clear();
            if io::Read::take(&mut log, MAX_LINE).read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            self.lines += 1;
            self.add(line.trim_ascii_end(), rules);
            // What is behind the end of a part is no line.
            if line.len() as u64 == MAX_LINE && !line.ends_with(b"\n") {
                skip_line(&mut log)?;
            }
        }
    }

    fn add(&mut self, line: &[u8], rules: StampRules) {
        let Some(client) = client(line) else { return };
        self.by_format[client.format as usize] += 1;
        if self.seen.len() >= MOST && !self.seen.contains_key(&client.address) {
            self.is_cut = true;
            return;
        }
        let seen = self.seen.entry(client.address).or_default();
        seen.add(client.mention, stamp::read(line, rules));
    }

    /// The clients, those first that have connected most.
    pub(crate) fn sorted(&self) -> Vec<(IpAddr, Seen)> {
        let mut all: Vec<_> = self.seen.iter().map(|(address, seen)| (*address, *seen)).collect();
        all.sort_unstable_by_key(|(address, seen)| {
            (std::cmp::Reverse(seen.connections()), *address)
        });
        all
    }

    /// How many lines of each format have a client, of those that have some.
    pub(crate) fn formats(&self) -> impl Iterator<Item = (LogFormat, u64)> {
        LogFormat::ALL.into_iter().zip(self.by_format).filter(|(_, lines)| *lines > 0)
    }
}

/// Goes on behind the end of the line.
fn skip_line(log: &mut impl BufRead) -> io::Result<()> {
    loop {
        let bytes = log.fill_buf()?;
        let (length, is_end) = match memchr::memchr(b'\n', bytes) {
            Some(end) => (end + 1, true),
            None => (bytes.len(), bytes.is_empty()),
        };
        log.consume(length);
        if is_end {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: StampRules = StampRules { now: 1_796_040_000, offset: 0 };

    fn read(log: &str) -> Clients {
        let mut clients = Clients::default();
        clients.read(log.as_bytes(), RULES).unwrap();
        clients
    }

    fn told(clients: &Clients) -> Vec<(String, u64)> {
        let all = clients.sorted().into_iter();
        all.map(|(address, seen)| (address.to_string(), seen.connections())).collect()
    }

    #[test]
    fn a_connection_counts_once() {
        let clients = read(
            "Nov 30 11:00:00 mx postfix/postscreen[1]: CONNECT from [192.0.2.7]:1 to [10.0.0.1]:25\n\
             Nov 30 11:00:01 mx postfix/smtpd[1]: connect from x[192.0.2.7]\n\
             Nov 30 11:00:02 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.7]: 554 no\r\n\
             Nov 30 11:00:03 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.7]: 554 no\n\
             no client\n\
             2026-11-30 10:59:59 H=x [192.0.2.9] F=<a> rejected RCPT <b>: no\n\
             2026-11-30 10:59:58 H=x [192.0.2.9] F=<a> rejected RCPT <b>: no",
        );
        assert_eq!(told(&clients), [("192.0.2.9".to_owned(), 2), ("192.0.2.7".to_owned(), 1)]);
        let hour = 1_796_036_400;
        let times: Vec<_> = clients.sorted().iter().map(|(_, seen)| seen.times).collect();
        assert_eq!(times, [Some((hour - 2, hour - 1)), Some((hour, hour + 3))]);
        assert_eq!(clients.lines, 7);
        let formats: Vec<_> = clients.formats().collect();
        assert_eq!(formats, [(LogFormat::Postfix, 4), (LogFormat::Exim, 2)]);
    }

    #[test]
    fn the_rest_of_a_very_long_line_is_no_line() {
        let line = "Nov 30 11:00:01 mx postfix/smtpd[1]: connect from x[192.0.2.7]";
        let filler = "x".repeat(MAX_LINE as usize);
        let clients = read(&format!("{filler}{line}\n{line}\n{filler}"));
        assert_eq!((told(&clients), clients.lines), (vec![("192.0.2.7".to_owned(), 1)], 3));
    }

    proptest! {
        /// The counts are those of a naive count of lines.
        #[test]
        fn lines_are_counted(lines in prop::collection::vec((0_u8..4, 0_usize..3), 0..40)) {
            let mut log = String::new();
            let mut model: HashMap<String, [u64; 3]> = HashMap::new();
            for (host, sort) in lines {
                let address = format!("192.0.2.{host}");
                log += &match sort {
                    0 => format!("Nov 30 11:00:00 mx postfix/postscreen[1]: CONNECT from [{address}]:1 to [10.0.0.1]:25\n"),
                    1 => format!("Nov 30 11:00:00 mx postfix/smtpd[1]: connect from x[{address}]\n"),
                    _ => format!("Nov 30 11:00:00 mx postfix/smtpd[1]: 4F: client=x[{address}]\n"),
                };
                model.entry(address).or_default()[sort] += 1;
            }
            let connections = |[screened, connected, named]: [u64; 3]| match screened.max(connected) {
                0 => named,
                most => most,
            };
            let mut want: Vec<_> = model.into_iter().map(|(address, counts)| (address, connections(counts))).collect();
            want.sort_by_key(|(address, count)| (std::cmp::Reverse(*count), address.clone()));
            prop_assert_eq!(told(&read(&log)), want);
        }
    }
}
