//! The lines that dnsbld by its own name reads as they are meant, written as rbldnsd reads that.

use super::scenario::{DataFile, Kind};
use std::net::Ipv6Addr;

/// What stands for a line.
enum Meant {
    /// The line itself.
    AsItIs,
    /// Nothing: it is refused.
    Nothing,
    Line(Vec<u8>),
}

/// Writes the lines of a file so that rbldnsd reads what dnsbld reads in them; true if any changes.
pub(super) fn rewrite(file: &mut DataFile, mut kind: Kind) -> bool {
    let is_combined = kind == Kind::Combined;
    let count = file.lines.len();
    let mut changed = false;
    let mut number = 0;
    let is_open = file.open;
    let mut cut_line_stays = true;
    file.lines.retain_mut(|line| {
        number += 1;
        if is_combined {
            kind = section(&line.text).unwrap_or(kind);
        }
        match meant(kind, &line.text, is_open && number == count) {
            Meant::AsItIs => true,
            Meant::Nothing => {
                changed = true;
                cut_line_stays &= number < count;
                false
            }
            Meant::Line(text) => {
                line.text = text;
                changed = true;
                true
            }
        }
    });
    // The line before one that is cut off has an end.
    file.open &= cut_line_stays;
    changed
}

/// The type of the section that a line begins.
fn section(line: &[u8]) -> Option<Kind> {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_start();
    let rest = text.strip_prefix('$').or_else(|| text.get(1..)?.strip_prefix('$'))?;
    let mut words = rest.split_ascii_whitespace();
    let is_section = words.next()?.eq_ignore_ascii_case("dataset");
    let name = words.next().filter(|_| is_section)?;
    let name = name.split(':').next().unwrap_or(name);
    Kind::ALL.into_iter().find(|kind| kind.as_str() == name)
}

fn meant(kind: Kind, line: &[u8], is_cut: bool) -> Meant {
    let text = line.trim_ascii();
    let is_special = text.starts_with(b"$") || matches!(text, [b'#' | b';' | b':', b'$', ..]);
    if is_special || text.is_empty() || text.starts_with(b"#") || text.starts_with(b";") {
        return Meant::AsItIs;
    }
    if kind == Kind::Generic && is_cut && !is_text_record(text) {
        return Meant::Nothing;
    }
    if kind == Kind::Generic || kind == Kind::Combined {
        return Meant::AsItIs;
    }
    let is_address6 =
        text.starts_with(b"::") && matches!(kind, Kind::Ip4trie | Kind::Ip6trie | Kind::Acl);
    if text.starts_with(b":") && !is_address6 || kind == Kind::Acl && text.starts_with(b"=") {
        return if is_cut && ends_in_value(text) { Meant::Nothing } else { default_line(text) };
    }
    let is_excluded = text.starts_with(b"!");
    let start = if is_excluded { text[1..].trim_ascii_start() } else { text };
    let end = start.iter().position(|byte| b" \t".contains(byte)).unwrap_or(start.len());
    let (word, rest) = start.split_at(end);
    let sign: &[u8] = if is_excluded { b"!" } else { b"" };
    let whole_line = |key: &[u8]| Meant::Line([sign, key, rest].concat());
    let is_cut_off = |is_whole: bool, behind: &[u8]| match behind {
        [] => is_cut && !is_whole,
        _ => is_cut && !is_excluded && ends_in_value(behind),
    };
    if kind == Kind::Dnset {
        return match odd_byte(word) {
            Some(at) if is_value(&word[at..]) && at > 0 => {
                if is_cut_off(true, &start[at..]) {
                    return Meant::Nothing;
                }
                Meant::Line([sign, &word[..at], b" ", &word[at..], rest].concat())
            }
            Some(_) => Meant::Nothing,
            None if is_cut_off(is_whole_name(word), rest) => Meant::Nothing,
            None => Meant::AsItIs,
        };
    }
    let end = word.iter().position(|byte| b"#;".contains(byte)).unwrap_or(word.len());
    let key = &word[..end];
    let without = |length: &[u8]| key.strip_suffix(length).map(<[u8]>::to_vec);
    let end = end_of_address(kind, key);
    if is_cut_off(is_whole_address(&key[..end]), &start[end..]) || has_padded_length(&key[..end]) {
        return Meant::Nothing;
    }
    match kind {
        Kind::Ip4tset => match without(b"/32") {
            Some(address) if address.iter().filter(|&&byte| byte == b'.').count() == 3 => {
                whole_line(&address)
            }
            _ => Meant::AsItIs,
        },
        Kind::Ip6trie | Kind::Acl => without_tail(key).map_or(Meant::AsItIs, |fields| {
            Meant::Line([sign, &fields, &start[key.len()..]].concat())
        }),
        Kind::Ip6tset if is_excluded => {
            without(b"/128").map_or(Meant::AsItIs, |key| whole_line(&key))
        }
        Kind::Ip6tset => match without(b"/64").and_then(|key| half(&key)) {
            Some(half) => whole_line(&half),
            None => Meant::AsItIs,
        },
        _ => Meant::AsItIs,
    }
}

/// A default line whose text is only a comment.
fn default_line(text: &[u8]) -> Meant {
    let is_a = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let end = 1 + text[1..].iter().take_while(|byte| is_a(byte)).count();
    let rest = text[end..].trim_ascii_start();
    let is_comment = |text: &[u8]| text.starts_with(b"#") || text.starts_with(b";");
    match rest.strip_prefix(b":") {
        _ if end == 1 => Meant::AsItIs,
        Some(rest) if is_comment(rest.trim_ascii_start()) => {
            Meant::Line([&text[..end], b":"].concat())
        }
        None if is_comment(rest) => Meant::Line(text[..end].to_vec()),
        _ => Meant::AsItIs,
    }
}

/// The first byte of a name that is part of none that is asked for.
fn odd_byte(word: &[u8]) -> Option<usize> {
    let star = if word.starts_with(b"*.") { 2 } else { 0 };
    let is_odd = |at: &usize| {
        let byte = word[*at];
        (byte >= 0x80 || b"#*,/:;|^@=<>(){}[]".contains(&byte))
            && (*at == 0 || word[*at - 1] != b'\\')
    };
    (star..word.len()).find(is_odd)
}

fn is_value(text: &[u8]) -> bool {
    matches!(text, [b':', b'0'..=b'9', ..])
}

fn is_whole_name(word: &[u8]) -> bool {
    let text = String::from_utf8_lossy(word).replace("\\.", "");
    let name = text.strip_prefix("*.").unwrap_or(&text);
    name.split('.').filter(|label| !label.is_empty()).count() > 1
}

fn is_whole_address(key: &[u8]) -> bool {
    let count = |sign: u8| key.iter().filter(|&&byte| byte == sign).count();
    if let Some(slash) = key.iter().position(|&byte| byte == b'/') {
        let most = if key.contains(&b':') { 128 } else { 32 };
        let len: Option<u32> =
            str::from_utf8(&key[slash + 1..]).ok().and_then(|len| len.parse().ok());
        return len.is_none_or(|len| len == 0 || len * 10 > most);
    }
    let is_range = key.contains(&b'-');
    let is_ip4 = count(b'.') >= if is_range { 6 } else { 3 };
    let is_ip6 = key.windows(2).any(|two| two == b"::") || count(b':') == 7;
    is_ip4 || is_ip6
}

/// Where a value begins that sticks to an address.
fn end_of_address(kind: Kind, word: &[u8]) -> usize {
    let colons: Vec<usize> = (0..word.len()).filter(|&at| word[at] == b':').collect();
    let dot = word.iter().position(|&byte| byte == b'.');
    let is_ip4 = match kind {
        Kind::Ip6tset | Kind::Ip6trie => false,
        Kind::Acl => dot.is_some_and(|dot| colons.first().is_none_or(|&colon| dot < colon)),
        _ => true,
    };
    if is_ip4 {
        return colons.first().copied().unwrap_or(word.len());
    }
    let mut doubles = colons.windows(2).filter(|two| two[0] + 1 == two[1]).map(|two| two[1]);
    let end = if doubles.next().is_some() { doubles.next() } else { colons.get(7).copied() };
    end.unwrap_or(word.len())
}

/// An IPv6 address that ends in an IPv4 one, in fields, with what follows it.
fn without_tail(key: &[u8]) -> Option<Vec<u8>> {
    let end = key.iter().position(|&byte| byte == b'/').unwrap_or(key.len());
    let (address, length) = key.split_at(end);
    let text = str::from_utf8(address).ok().filter(|text| text.contains('.'))?;
    let address: Ipv6Addr = text.parse().ok()?;
    let fields: Vec<String> = address.segments().iter().map(|field| format!("{field:x}")).collect();
    Some([fields.join(":").as_bytes(), length].concat())
}

fn has_padded_length(key: &[u8]) -> bool {
    let slash = key.iter().position(|&byte| byte == b'/');
    slash.is_some_and(|at| matches!(key[at + 1..], [b'0', b'0'..=b'9', ..]))
}

/// True if a line ends within its A value, and another digit would give another value.
fn ends_in_value(behind: &[u8]) -> bool {
    let Some(a) = behind.trim_ascii_start().strip_prefix(b":") else { return false };
    let octets: Vec<&[u8]> = a.split(|&byte| byte == b'.').collect();
    let last = octets.last().and_then(|octet| str::from_utf8(octet).ok()?.parse::<u32>().ok());
    let is_whole = octets.len() == 4 && last.is_some_and(|last| last > 25);
    a.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') && !is_whole
}

/// True if a record of a `generic` file is a text.
fn is_text_record(text: &[u8]) -> bool {
    let words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.skip(1).take(3).any(|word| word.eq_ignore_ascii_case(b"txt"))
}

/// The first four fields of an address whose others are zero.
fn half(key: &[u8]) -> Option<Vec<u8>> {
    let text = str::from_utf8(key).ok()?;
    let fields = |text: &str| -> Option<Vec<u16>> {
        let fields = text.split(':').filter(|field| !field.is_empty());
        fields.map(|field| u32::from_str_radix(field, 16).ok()?.try_into().ok()).collect()
    };
    let mut all = match text.split_once("::") {
        Some((before, behind)) => {
            let (mut all, behind) = (fields(before)?, fields(behind)?);
            all.resize(8usize.checked_sub(behind.len())?, 0);
            all.extend(behind);
            all
        }
        None => fields(text)?,
    };
    all.resize(all.len().max(4), 0);
    let is_network = all.len() <= 8 && all[4..].iter().all(|&field| field == 0);
    let half = || all[..4].iter().map(|field| format!("{field:x}")).collect::<Vec<_>>().join(":");
    is_network.then(|| half().into_bytes())
}
