//! Which text form the beginning of a file looks like.

use super::super::{BYTE_ORDER_MARK, Kind};
use super::hosts::is_address;
use super::rpz::is_ttl_or_class;
use super::{Format, is_remark, words};

/// Tells whether a line has a form.
type Test = fn(&[u8]) -> bool;

/// How many lines are looked at.
const LINES: usize = 200;

/// The form of a file that is to be read as a dataset of this type: the one that at least half of its
/// first lines have; `None` for rbldnsd's own formats, and where no form is certain. `start` is the
/// beginning of the file.
pub fn sniff(kind: Kind, start: &[u8]) -> Option<Format> {
    let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    // The last line may be cut.
    let whole = memchr::memrchr(b'\n', start).map_or(start, |end| &start[..end]);
    // Exclusions, the remarks of filter lists, and the head of a zone or list tell nothing.
    let is_data = |line: &&[u8]| {
        let first = words(line).next();
        first.is_some_and(|(_, word)| !is_remark(word) && !matches!(word[0], b'!' | b'$'))
            && !is_head_of_zone(line)
    };
    let lines: Vec<&[u8]> =
        whole.split(|&byte| byte == b'\n').filter(is_data).take(LINES).collect();
    if lines.iter().any(|line| is_adblock_header(line)) {
        return Some(Format::Adblock);
    }
    if is_hosts_file(kind, &lines) {
        return Some(Format::Hosts);
    }
    let tests: [(Format, Test); 5] = [
        (Format::Adblock, is_adblock),
        (Format::Urls, is_url),
        (Format::Jsonl, is_json),
        (Format::Rpz, is_rpz),
        (Format::Dnsmasq, is_dnsmasq),
    ];
    let half = |count: usize| count > 0 && count * 2 >= lines.len();
    let by_line =
        tests.into_iter().find(|(_, test)| half(lines.iter().filter(|line| test(line)).count()));
    by_line.map(|(format, _)| format).or_else(|| is_csv(kind, &lines).then_some(Format::Csv))
}

/// True if a file begins as a JSON text of more than a line, or as an array: no reader reads it.
pub fn is_json_text(start: &[u8]) -> bool {
    let text = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start).trim_ascii_start();
    let Some((first, rest)) = text.split_first() else { return false };
    let next = rest.trim_ascii_start().first();
    match first {
        b'[' => matches!(next, Some(b'{' | b'[' | b'"')),
        b'{' => next == Some(&b'"') && matches!(rest.first(), Some(b'\n' | b'\r')),
        _ => false,
    }
}

/// Names are in no list of an address type, where an address and a text may look like a line of a hosts
/// file: there, several lines are needed that give names the address of nobody.
fn is_hosts_file(kind: Kind, lines: &[&[u8]]) -> bool {
    const FEWEST: usize = 3;
    let count = |test: Test| lines.iter().filter(|line| test(line)).count();
    match kind {
        Kind::Dnset | Kind::Generic => {
            let count = count(gives_a_name);
            count > 0 && count * 2 >= lines.len()
        }
        _ => {
            let count = count(blocks_a_name);
            count >= FEWEST && count * 2 > lines.len()
        }
    }
}

/// An address, and a name behind it.
fn gives_a_name(line: &[u8]) -> bool {
    let mut words = words(line);
    let (Some((_, address)), Some((_, name))) = (words.next(), words.next()) else { return false };
    is_address(address)
        && !is_remark(name)
        && !name.starts_with(b":")
        && (name.contains(&b'.') || name.starts_with(b"local"))
        && !is_address(name)
}

/// A blocking hosts file gives all names the address of nobody.
fn blocks_a_name(line: &[u8]) -> bool {
    let address = words(line).next().map_or(&b""[..], |(_, word)| word);
    matches!(address, b"0.0.0.0" | b"127.0.0.1" | b"::" | b"::1" | b"255.255.255.255")
        && gives_a_name(line)
}

fn is_adblock_header(line: &[u8]) -> bool {
    let programs: [&[u8]; 3] = [b"[adblock", b"[ublock", b"[adguard"];
    let starts = |program: &&[u8]| {
        line.get(..program.len()).is_some_and(|start| start.eq_ignore_ascii_case(program))
    };
    programs.iter().any(starts)
}

fn is_adblock(line: &[u8]) -> bool {
    line.starts_with(b"||") || line.starts_with(b"@@||")
}

/// A scheme, or a name with a path or a port behind it.
fn is_url(line: &[u8]) -> bool {
    let Some((_, word)) = words(line).next() else { return false };
    if [&b"http://"[..], b"https://", b"ftp://", b"hxxp://", b"hxxps://"]
        .iter()
        .any(|s| word.starts_with(s))
    {
        return true;
    }
    let Some(end) = word.iter().position(|byte| matches!(byte, b'/' | b':')) else { return false };
    let (host, rest) = word.split_at(end);
    let last = host.rsplit(|&byte| byte == b'.').next().unwrap_or_default();
    let is_name = host.contains(&b'.')
        && last.len() > 1
        && last.iter().all(u8::is_ascii_alphabetic)
        && !host.starts_with(b"!");
    // A small number behind a colon can be a value.
    let is_port = |digits: &[u8]| {
        let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
        let number =
            str::from_utf8(&digits[..end]).ok().and_then(|digits| digits.parse::<u32>().ok());
        number.is_some_and(|number| (256..=65_535).contains(&number))
            && matches!(digits.get(end), None | Some(b'/'))
    };
    is_name
        && if rest[0] == b'/' {
            !rest[1..].first().is_some_and(u8::is_ascii_digit)
        } else {
            is_port(&rest[1..])
        }
}

fn is_json(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let begins = |line: &[u8]| {
        line.strip_prefix(b"{").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"\""))
    };
    begins(line) && line.ends_with(b"}")
}

/// The type and the data of a line of a master file. Behind the owner, a TTL and a class alone may
/// stand before them.
fn record(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    words(line)
        .map(|(_, word)| word)
        .skip(usize::from(!line.starts_with(b" ") && !line.starts_with(b"\t")))
        .skip_while(|word| is_ttl_or_class(word))
}

/// The SOA or the first NS of a zone.
fn is_head_of_zone(line: &[u8]) -> bool {
    let is_of_zone = line.starts_with(b"@") || line.starts_with(b" ") || line.starts_with(b"\t");
    is_of_zone
        && record(line).next().is_some_and(|word| {
            word.eq_ignore_ascii_case(b"soa") || word.eq_ignore_ascii_case(b"ns")
        })
}

fn is_rpz(line: &[u8]) -> bool {
    let mut record = record(line);
    let is_cname = record.next().is_some_and(|word| word.eq_ignore_ascii_case(b"cname"));
    let target = record.next().unwrap_or_default();
    is_cname && (matches!(target, b"." | b"*.") || target.starts_with(b"rpz-"))
}

fn is_dnsmasq(line: &[u8]) -> bool {
    [&b"server=/"[..], b"address=/", b"local=/"].iter().any(|setting| line.starts_with(setting))
}

/// Nearly all lines have fields between commas, of which the first is one word; or between semicolons,
/// which begin a remark behind an address, but not behind a name.
fn is_csv(kind: Kind, lines: &[&[u8]]) -> bool {
    let has_semicolons = kind == Kind::Dnset;
    let is_separator = |&byte: &u8| byte == b',' || has_semicolons && byte == b';';
    let is_row = |line: &&&[u8]| {
        let Some(end) = line.iter().position(is_separator) else { return false };
        let first = &line[..end];
        // What stands behind a colon is a value, and the text of a value may have commas.
        let is_value = first.contains(&b':') && !is_address(first);
        !is_value
            && !first.iter().any(u8::is_ascii_whitespace)
            && !first.is_empty()
            && !line.ends_with(b",")
    };
    !lines.is_empty() && lines.iter().filter(is_row).count() * 10 >= lines.len() * 9
}
