//! Special entries: what a file says about the dataset as a whole (rbldnsd's manual, "Special
//! Entries").

use super::fatal::Refused;
use super::scan::{Scan, is_blank};
use super::{Dialect, FatalCause, Kind, MAX_NAME_SERVERS, MAX_TEXT, Mistake, Options, Special};
use crate::util::time::Utc;
use crate::wire::name::NameBuf;
use std::sync::Arc;

/// The start of authority a file asks for (RFC 1035 section 3.3.13). Times are in seconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SoaData {
    /// The TTL of the record.
    pub ttl: u32,
    /// The primary name server.
    pub mname: NameBuf,
    /// The mailbox of who is responsible.
    pub rname: NameBuf,
    /// The serial; 0 stands for the time of the newest file.
    pub serial: u32,
    /// How often secondaries ask.
    pub refresh: u32,
    /// How soon they ask again after a failure.
    pub retry: u32,
    /// When they give up.
    pub expire: u32,
    /// The TTL of negative answers (RFC 2308).
    pub minimum: u32,
}

/// The name servers a file asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NsData {
    /// The TTL of the records, in seconds.
    pub ttl: u32,
    /// At least one and at most 32.
    pub names: Vec<NameBuf>,
}

/// The texts that `$0` to `$9` stand for in templates, and the base template `$=`. All sections of a
/// `combined` file share those that stand before them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Vars {
    /// `$0` to `$9`.
    pub numbered: [Option<Arc<[u8]>>; 10],
    /// `$=`.
    pub base: Option<Arc<[u8]>>,
}

/// The most bytes of a variable that are kept. Two bytes of a template give at least one of the text,
/// which has [`MAX_TEXT`] at most: what is behind them is in no text.
pub const MAX_VARIABLE: usize = 2 * MAX_TEXT;

/// What the specials of a dataset have said so far.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) local: Local,
    pub(super) soa: Option<SoaData>,
    pub(super) ns: Option<NsData>,
    pub(super) stamp: Option<u64>,
    pub(super) expires: Option<u64>,
    /// The most addresses an IPv4 entry may cover.
    pub(super) max_range: Option<u32>,
    /// An access list has no records of its own, and only `combined` files have sections.
    kind: Kind,
}

/// What each section of a combined dataset has of its own.
#[derive(Clone, Debug)]
pub(super) struct Local {
    pub(super) ttl: u32,
    pub(super) vars: Vars,
}

impl Head {
    pub(super) fn new(options: &Options, kind: Kind) -> Self {
        Self {
            local: Local { ttl: options.default_ttl, vars: Vars::default() },
            soa: None,
            ns: None,
            stamp: None,
            expires: None,
            max_range: None,
            kind,
        }
    }

    /// Takes a special line from behind its `$`. `section` is what belongs to the section that the
    /// line stands in, if it stands in one. A reason returned is a warning only.
    pub(super) fn line(
        &mut self,
        scan: &mut Scan<'_>,
        options: &Options,
        section: Option<&mut Local>,
    ) -> Result<Option<Mistake>, Refused> {
        let start = scan.clone();
        let word = scan.word();
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword.as_bytes());
        if let [digit @ (b'0'..=b'9' | b'=')] = word {
            let local = section.unwrap_or(&mut self.local);
            return local.variable(*digit, scan).ok_or(Special::Variable.into()).map(|()| None);
        }
        if is("dataset") && self.kind == Kind::Combined {
            return Err(Special::Dataset.into());
        }
        scan.end_at_comment();
        if self.kind.is_access_list() && (is("soa") || is("ns") || is("nameserver")) {
            *scan = start;
            return Err(Mistake::NotInAccessList.into());
        } else if is("soa") {
            self.soa(scan, options).ok_or(Special::Soa)?;
        } else if is("ns") || is("nameserver") {
            return self.ns(scan, options);
        } else if is("ttl") {
            section.unwrap_or(&mut self.local).ttl(scan, options).ok_or(Special::Ttl)?;
        } else if is("maxrange4") {
            self.max_range(scan)?;
        } else if is("timestamp") {
            self.timestamp(scan, options.now)?;
        } else if is("dataset") {
            *scan = start;
            return Err(Mistake::OnlyInCombined.into());
        } else if !is("ent") && !is("qnmin") {
            // Those two are settings of another server's.
            *scan = start;
            return Err(Mistake::UnknownSpecial.into());
        }
        Ok(None)
    }

    fn soa(&mut self, scan: &mut Scan<'_>, options: &Options) -> Option<()> {
        if scan.is_end() {
            return None;
        }
        if self.soa.is_some() {
            return Some(());
        }
        let soa = SoaData {
            ttl: ttl(scan, self.local.ttl, options)?,
            mname: scan.name()?,
            rname: scan.name()?,
            serial: scan.number_word()?,
            refresh: scan.time()?,
            retry: scan.time()?,
            expire: scan.time()?,
            minimum: scan.time()?,
        };
        scan.is_end().then(|| self.soa = Some(soa))
    }

    fn ns(&mut self, scan: &mut Scan<'_>, options: &Options) -> Result<Option<Mistake>, Refused> {
        let (ttl, mut names, has_commas) = match &self.ns {
            Some(_) if !scan.is_end() => return Ok(None),
            _ => self.name_servers(scan, options).ok_or(Special::Ns)?,
        };
        let are_many = names.len() > MAX_NAME_SERVERS;
        names.truncate(MAX_NAME_SERVERS);
        if !names.is_empty() {
            self.ns = Some(NsData { ttl, names });
        }
        let many = are_many.then_some(Mistake::ManyNameServers);
        Ok(many.or(has_commas.then_some(Mistake::CommaInNs)))
    }

    /// The TTL, the names, and whether there are commas between them; natively, the commas are
    /// passed over.
    fn name_servers(
        &self,
        scan: &mut Scan<'_>,
        options: &Options,
    ) -> Option<(u32, Vec<NameBuf>, bool)> {
        if scan.is_end() {
            return None;
        }
        let ttl = ttl(scan, self.local.ttl, options)?;
        let (mut names, mut has_commas) = (Vec::new(), false);
        loop {
            let start = scan.clone();
            let word = scan.word();
            let name = word.strip_suffix(b",");
            has_commas |= name.is_some();
            let name = name.filter(|_| options.dialect == Dialect::Native).unwrap_or(word);
            let is_none = name.starts_with(b"-") || name.is_empty() && has_commas;
            if !is_none {
                let name = (!name.is_empty()).then(|| NameBuf::from_text(name).ok()).flatten();
                names.push(name.or_else(|| {
                    *scan = start;
                    None
                })?);
            }
            if scan.is_end() {
                return Some((ttl, names, has_commas));
            }
        }
    }

    fn max_range(&mut self, scan: &mut Scan<'_>) -> Result<(), Refused> {
        let is_length = scan.eat(b'/');
        let number = scan.number_word().filter(|&number| number > 0 && scan.is_end());
        let size = match (number, is_length) {
            (Some(size), false) => size,
            (Some(len @ 1..=32), true) => 1 << (32 - len),
            _ => return Err(Special::MaxRange4.into()),
        };
        match self.max_range {
            Some(from) if from < size => Err(Mistake::RaisedMaxRange { from, to: size }.into()),
            _ => {
                self.max_range = Some(size);
                Ok(())
            }
        }
    }

    fn timestamp(&mut self, scan: &mut Scan<'_>, now: u64) -> Result<(), Refused> {
        let (stamp, expires) = stamps(scan).ok_or(Special::Timestamp)?;
        if stamp > now {
            return Err(FatalCause::FutureTimestamp(stamp).into());
        }
        if stamp > 0 {
            self.stamp = self.stamp.max(Some(stamp));
        }
        if expires > 0 {
            self.expires = Some(self.expires.map_or(expires, |before| before.min(expires)));
        }
        Ok(())
    }
}

impl Local {
    fn ttl(&mut self, scan: &mut Scan<'_>, options: &Options) -> Option<()> {
        let ttl = ttl(scan, options.default_ttl, options)?;
        scan.is_end().then(|| self.ttl = ttl)
    }

    fn variable(&mut self, digit: u8, scan: &Scan<'_>) -> Option<()> {
        let slot = match digit {
            b'=' => &mut self.vars.base,
            _ => &mut self.vars.numbered[usize::from(digit - b'0')],
        };
        let text = scan.rest();
        if text.is_empty() {
            return None;
        }
        slot.get_or_insert_with(|| text[..text.len().min(MAX_VARIABLE)].into());
        Some(())
    }
}

/// A TTL within the bounds that were set; 0 stands for `default`.
pub(super) fn ttl(scan: &mut Scan<'_>, default: u32, options: &Options) -> Option<u32> {
    let ttl = scan.time()?;
    Some(match ttl {
        0 => default,
        _ if options.min_ttl > 0 && ttl < options.min_ttl => options.min_ttl,
        _ if options.max_ttl > 0 && ttl > options.max_ttl => options.max_ttl,
        _ => ttl,
    })
}

/// When the data was made and when it expires, 0 for not given.
fn stamps(scan: &mut Scan<'_>) -> Option<(u64, u64)> {
    let stamp = stamp(scan)?;
    if scan.is_end() {
        return Some((stamp, 0));
    }
    if !scan.eat(b'+') {
        let expires = self::stamp(scan)?;
        return scan.is_end().then_some((stamp, expires));
    }
    let after = scan.time()?;
    (scan.is_end() && stamp > 0 && after > 0).then(|| (stamp, stamp + u64::from(after)))
}

/// A point of time, in seconds since 1970 (UTC).
fn stamp(scan: &mut Scan<'_>) -> Option<u64> {
    if matches!(scan.peek(), b'0' | b'-' | b':') && matches!(scan.peek_second(), 0 | b' ' | b'\t') {
        scan.word();
        return Some(0);
    }
    let year = i64::from(stamp_part(scan, 4)?);
    let [month, day] = [stamp_part(scan, 2)?, stamp_part(scan, 2)?];
    let mut clock = [0; 3];
    for part in &mut clock {
        if scan.is_end() || is_blank(scan.peek()) {
            break;
        }
        *part = stamp_part(scan, 2)?;
    }
    scan.end_word()?;
    let [month, day, hour, minute, second] =
        [month, day, clock[0], clock[1], clock[2]].map(|n| n as u8);
    Utc { year, month, day, hour, minute, second }.to_unix()?.try_into().ok()
}

/// Up to `width` digits, and the delimiter behind them if there is one.
fn stamp_part(scan: &mut Scan<'_>, width: usize) -> Option<u16> {
    let mut number = u16::from(scan.digit()?);
    for _ in 1..width {
        let Some(digit) = scan.digit() else { break };
        number = number * 10 + u16::from(digit);
    }
    if !scan.eat(b':') {
        scan.eat(b'-');
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &[&str], options: &Options) -> (Head, Vec<Refused>) {
        let mut head = Head::new(options, Kind::Dnset);
        let refused = lines
            .iter()
            .filter_map(|line| head.line(&mut Scan::new(line.as_bytes()), options, None).err())
            .collect();
        (head, refused)
    }

    fn options() -> Options {
        Options { now: 1_700_000_000, ..Options::default() }
    }

    fn good(lines: &[&str]) -> Head {
        let (head, refused) = head(lines, &options());
        assert_eq!(refused, [], "{lines:?}");
        head
    }

    fn bad(line: &str) -> Refused {
        let (_, refused) = head(&[line], &options());
        assert_eq!(refused.len(), 1, "{line}");
        refused[0]
    }

    #[test]
    fn the_first_soa_counts() {
        let lines = ["TTL 1h", "soa 0 Ns.Example. host.example 0 1h 2m 3d 4", "SOA nonsense"];
        let soa = good(&lines).soa.unwrap();
        assert_eq!(soa.ttl, 3600);
        assert_eq!(soa.mname.to_string(), "Ns.Example");
        assert_eq!(soa.rname.to_string(), "host.example");
        let numbers = [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum];
        assert_eq!(numbers, [0, 3600, 120, 259_200, 4]);
        for line in [
            "SOA",
            "SOA 0",
            "SOA 0 a b 0 1 2 3",
            "SOA 0 a b 0 1 2 3 4 5",
            "SOA 0 a b 4294967296 1 2 3 4",
            "SOA 0 a b 0 1:2 3 4 5",
            "SOA 1y a b 0 1 2 3 4",
        ] {
            assert_eq!(bad(line), Special::Soa.into(), "{line}");
        }
    }

    #[test]
    fn the_first_name_servers_count() {
        let ns = good(&["NS 1d a.example -b.example . c", "NS x"]).ns.unwrap();
        let names: Vec<_> = ns.names.iter().map(ToString::to_string).collect();
        assert_eq!((ns.ttl, names), (86_400, vec!["a.example".into(), ".".into(), "c".into()]));
        let ns = good(&["ns 1 -a", "NameServer 2 b"]).ns.unwrap();
        assert_eq!((ns.ttl, ns.names.len()), (2, 1));
        let many = format!("NS 0 {}", "x ".repeat(40));
        let (head, told) = head(&[many.trim_end()], &options());
        assert_eq!(head.ns.unwrap().names.len(), MAX_NAME_SERVERS);
        assert_eq!(told, []);
        for line in ["NS", "NS 300", "NS a.example", "NS 0 a..\\256"] {
            assert_eq!(bad(line), Special::Ns.into(), "{line}");
        }
        assert_eq!(bad("NAMESERVERS 0 a"), Refused::Line(Mistake::UnknownSpecial));
    }

    #[test]
    fn ttls_are_bounded_and_the_last_counts() {
        assert_eq!(good(&["TTL 5", "TTL 2m"]).local.ttl, 120);
        assert_eq!(good(&["TTL 5", "TTL 0"]).local.ttl, Options::default().default_ttl);
        let bounds = Options { min_ttl: 60, max_ttl: 600, ..options() };
        for (line, want) in [("TTL 5", 60), ("TTL 60", 60), ("TTL 1h", 600), ("TTL 0", 2100)] {
            assert_eq!(head(&[line], &bounds).0.local.ttl, want, "{line}");
        }
        for line in ["TTL", "TTL x", "TTL 5 5", "TTL 5:", "TTL -5"] {
            assert_eq!(bad(line), Special::Ttl.into(), "{line}");
        }
    }

    #[test]
    fn max_range_only_gets_smaller() {
        assert_eq!(good(&["MAXRANGE4 /24"]).max_range, Some(256));
        assert_eq!(good(&["maxrange4 /1", "MAXRANGE4 256", "MAXRANGE4 /32"]).max_range, Some(1));
        let (head, refused) = head(&["MAXRANGE4 256", "MAXRANGE4 /23"], &options());
        assert_eq!(head.max_range, Some(256));
        assert_eq!(refused, [Refused::Line(Mistake::RaisedMaxRange { from: 256, to: 512 })]);
        for line in ["MAXRANGE4", "MAXRANGE4 /0", "MAXRANGE4 0", "MAXRANGE4 /33", "MAXRANGE4 1 2"] {
            assert_eq!(bad(line), Special::MaxRange4.into(), "{line}");
        }
    }

    #[test]
    fn the_first_text_of_a_variable_counts() {
        let vars = good(&["1 one", "1 two", "=\t base $= ", "0  x"]).local.vars;
        assert_eq!((vars.numbered[1].as_deref(), &vars.numbered[2]), (Some(&b"one"[..]), &None));
        assert_eq!(vars.numbered[0].as_deref(), Some(&b"x"[..]));
        assert_eq!(vars.base.as_deref(), Some(&b"base $= "[..]));
        assert_eq!(bad("1"), Special::Variable.into());
        for line in ["", "1x", "12 x", "SOAx", " TTL 5", "ORIGIN a"] {
            assert_eq!(bad(line), Refused::Line(Mistake::UnknownSpecial), "{line}");
        }
        assert_eq!(bad("Dataset ip4set x"), Refused::Line(Mistake::OnlyInCombined));
    }

    #[test]
    fn timestamps() {
        let stamp = |text: &str| stamps(&mut Scan::new(text.as_bytes()));
        assert_eq!(stamp("1970-01-01"), Some((0, 0)));
        assert_eq!(stamp("2005:03:01"), Some((1_109_635_200, 0)));
        assert_eq!(stamp("20050301"), Some((1_109_635_200, 0)));
        assert_eq!(stamp("2005-3-1-"), Some((1_109_635_200, 0)));
        assert_eq!(stamp("2000-02-29:12"), Some((951_825_600, 0)));
        assert_eq!(stamp("2000-12-31-23-59-59 -"), Some((978_307_199, 0)));
        assert_eq!(stamp("20001231235959 0"), Some((978_307_199, 0)));
        assert_eq!(stamp("2005:03:01 +1d"), Some((1_109_635_200, 1_109_721_600)));
        assert_eq!(stamp("2005:03:01 2005:03:02"), Some((1_109_635_200, 1_109_721_600)));
        assert_eq!(stamp("0 2005:03:02"), Some((0, 1_109_721_600)));
        assert_eq!(stamp("2038-12-31"), Some((2_177_366_400, 0)));
        assert_eq!(stamp("2039-01-01"), Some((2_177_452_800, 0)));
        assert_eq!(stamp("2100-03-01 +1d"), Some((4_107_542_400, 4_107_628_800)));
        assert_eq!(stamp("0 9999-12-31-23-59-59"), Some((0, 253_402_300_799)));
        for text in [
            "",
            "x",
            "1969-12-31",
            "12005-01-01",
            "2100-02-29",
            "2005",
            "2005-13-01",
            "2005-02-29",
            "1900-02-29",
            "2005-01-01-24",
            "2005-01-01 12:00:00",
            "2005-01-01-12-60",
            "2005-01-01--12",
            "2005-01-01 + 1d",
            "2005-01-01 +0",
            "0 +1d",
            "2005-01-01 +1d x",
            "2005-01-01-00-00-00-00",
        ] {
            assert_eq!(stamp(text), None, "{text}");
        }
    }

    /// Such lines were refused, as rbldnsd refuses them: data from the future was served, and data with
    /// a time to expire never expired.
    #[test]
    fn years_from_2039_on_are_years() {
        assert_eq!(good(&["TIMESTAMP 2023-01-01 2040-01-01"]).expires, Some(2_208_988_800));
        let late = bad("TIMESTAMP 2040-01-01");
        assert_eq!(late, Refused::Dataset(FatalCause::FutureTimestamp(2_208_988_800)));
    }

    #[test]
    fn the_newest_stamp_and_the_earliest_end_count() {
        let lines = ["TIMESTAMP 2005-03-01 +2d", "TIMESTAMP 2005-03-02 +1h", "TIMESTAMP 0 0"];
        let head = good(&lines);
        assert_eq!(head.stamp, Some(1_109_721_600));
        assert_eq!(head.expires, Some(1_109_725_200));
        assert_eq!(bad("TIMESTAMP"), Special::Timestamp.into());
        let late = bad("TIMESTAMP 2023-11-14-22-13-30");
        assert_eq!(late, Refused::Dataset(FatalCause::FutureTimestamp(1_700_000_010)));
        let text = |stamp| FatalCause::FutureTimestamp(stamp).to_string();
        assert!(text(1_700_000_010).contains("is dated 2023-11-14 22:13:30 UTC, in the future"));
        assert!(text(1_709_251_199).contains("2024-02-29 23:59:59"));
        assert!(text(2_145_916_799).contains("2037-12-31 23:59:59"));
        assert_eq!(good(&["TIMESTAMP 2023-11-14-22-13-20"]).stamp, Some(1_700_000_000));
    }
}
