//! The values of the configuration: times, addresses, names, dataset types.

use super::error::{Problem, suggest};
use super::settings::{LogFormat, QueryLogFormat, StalePolicy, TtlBounds};
use crate::trie::digests::Alphabet;
use crate::util::time::read_duration;
use crate::wire::name::NameBuf;
use crate::zone::Unlisted;
use crate::zonefile::{Format, Kind};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// A time in whole seconds as rbldnsd writes it: a number, and at most one unit of s m h d w.
pub(super) fn seconds(text: &str) -> Result<u32, Problem> {
    let help = "write one number and one unit, such as \"30m\" (units s m h d w)";
    let wrong = || Problem::new(format!("{text:?} is not a time"), help);
    let Some((seconds, b"")) = read_duration(text.as_bytes()) else { return Err(wrong()) };
    match u32::try_from(seconds) {
        Ok(seconds) if seconds <= TtlBounds::UNBOUNDED => Ok(seconds),
        _ => Err(Problem::new(
            format!("{text:?} is too long"),
            "allowed: at most 2147483647 seconds, about 68 years (RFC 2181 section 8)",
        )),
    }
}

/// A time as [`seconds`] reads it, or in milliseconds with the unit ms.
pub(super) fn duration(text: &str) -> Result<Duration, Problem> {
    match text.strip_suffix("ms") {
        Some(number) if !number.is_empty() => match number.parse::<u32>() {
            Ok(millis) => Ok(Duration::from_millis(millis.into())),
            Err(_) => Err(Problem::new(
                format!("{text:?} is not a time"),
                "write one number and one unit, such as \"200ms\" (units ms s m h d w)",
            )),
        },
        _ => seconds(text).map(|seconds| Duration::from_secs(seconds.into())),
    }
}

/// A size in bytes, a number and a unit; "off" is one that nothing reaches.
pub(super) fn size(text: &str) -> Result<u64, Problem> {
    if text == "off" {
        return Ok(u64::MAX);
    }
    let unit = text.chars().last().and_then(|unit| "KMGT".find(unit));
    let number = text.get(..text.len().saturating_sub(1)).and_then(|number| number.parse().ok());
    let size = unit
        .zip(number)
        .and_then(|(unit, number): (usize, u64)| number.checked_mul(1 << (10 * (unit + 1))));
    let help =
        "write a number of at least 16 MiB and a unit, such as \"512M\" or \"2G\", or \"off\"";
    let size = size.filter(|&size| size >= 16 << 20);
    size.ok_or_else(|| Problem::new(format!("{text:?} is not a size"), help))
}

/// A number of bytes, with a unit if it is not the byte.
pub(super) fn bytes(text: &str) -> Result<u64, Problem> {
    let (number, shift) =
        match text.chars().last().and_then(|unit| "KMG".find(unit.to_ascii_uppercase())) {
            Some(unit) => (&text[..text.len() - 1], 10 * (unit as u32 + 1)),
            None => (text, 0),
        };
    let number = Some(number).filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    let bytes = number.and_then(|number| number.parse::<u64>().ok()?.checked_mul(1 << shift));
    let help = "write a number of bytes, such as \"500\", \"100K\", \"20M\" or \"4G\"";
    bytes.ok_or_else(|| Problem::new(format!("{text:?} is not a size"), help))
}

/// A prefix, or an address, which is a prefix of one.
pub(super) fn prefix(text: &str) -> Result<IpNet, Problem> {
    let whole = text.parse::<IpNet>().ok().filter(|net| net.addr() == net.network());
    whole.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).ok_or_else(|| {
        let help = "write an address, or a prefix without bits behind it, such as \"192.0.2.0/24\"";
        Problem::new(format!("{text:?} is not a prefix"), help)
    })
}

/// The address of a name server; without a port, the usual one.
pub(super) fn secondary(text: &str) -> Result<SocketAddr, Problem> {
    let with_port = text.parse().or_else(|_| text.parse().map(|ip: IpAddr| (ip, 53).into()));
    with_port.map_err(|_| {
        let help =
            "write it like \"192.0.2.53\", \"[2001:db8::53]:5300\" or \"192.0.2.53@name-of-key\"";
        Problem::new(format!("{text:?} is not the address of a name server"), help)
    })
}

/// The form of the query log.
pub(super) fn query_log_format(text: &str) -> Result<QueryLogFormat, Problem> {
    word(text, &[("rbldnsd", QueryLogFormat::Rbldnsd), ("json", QueryLogFormat::Json)])
}

/// The form of the server's log.
pub(super) fn log_format(text: &str) -> Result<LogFormat, Problem> {
    let all = [LogFormat::Text, LogFormat::Json, LogFormat::Journald];
    word(text, &all.map(|format| (format.to_string(), format)))
}

fn word<T: Copy>(text: &str, allowed: &[(impl AsRef<str>, T)]) -> Result<T, Problem> {
    let found = allowed.iter().find(|(word, _)| word.as_ref() == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = allowed.iter().map(|(word, _)| word.as_ref()).collect();
        Problem::new(format!("there is no form {text:?}"), suggest(text, &words))
    })
}

/// An address and a port to listen on.
pub(super) fn address(text: &str) -> Result<SocketAddr, Problem> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if let Some(whole) = without_brackets(text) {
        let otherwise = match text.parse::<Ipv6Addr>() {
            Ok(ip) => format!(", or \"[{ip}]:53\" if all of it is the address"),
            Err(_) => String::new(),
        };
        return Err(Problem::new(
            format!("{text:?} has no brackets around the address"),
            format!("write \"{whole}\"{otherwise}"),
        ));
    }
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = bare.parse::<IpAddr>() {
        let whole = SocketAddr::new(ip, 53);
        return Err(Problem::new(
            format!("{text:?} has no port"),
            format!("write \"{whole}\" for the port of DNS"),
        ));
    }
    if let Some((ip, port)) = text.split_once('/')
        && let (Ok(ip), Ok(port)) = (ip.parse::<IpAddr>(), port.parse::<u16>())
    {
        let whole = SocketAddr::new(ip, port);
        return Err(Problem::new(
            format!("{text:?} is not an address with a port"),
            format!("write \"{whole}\", with a colon before the port"),
        ));
    }
    Err(Problem::new(
        format!("{text:?} is not an address with a port"),
        "write an IP address, not a host name: \"127.0.0.1:53\", \"[::1]:53\" or \"0.0.0.0:53\"",
    ))
}

/// The address and port of an IPv6 address without brackets and a colon and port behind it.
fn without_brackets(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.rsplit_once(':')?;
    Some(SocketAddr::new(ip.parse::<Ipv6Addr>().ok()?.into(), port.parse().ok()?))
}

/// True if a server cannot listen on both addresses: they are the same, or one is the wildcard of the other's
/// family. An IPv4-mapped address is an IPv4 address; port 0 is another free port each time.
pub fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let [one_ip, other_ip] = [one, other].map(|address| address.ip().to_canonical());
    let [one_scope, other_scope] = [one, other].map(|address| match address {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(address) => address.scope_id(),
    });
    let is_same_port = one.port() != 0 && one.port() == other.port();
    let has_wildcard = one_ip.is_unspecified() || other_ip.is_unspecified();
    let is_same = one_ip == other_ip && one_scope == other_scope;
    is_same_port && one_ip.is_ipv4() == other_ip.is_ipv4() && (has_wildcard || is_same)
}

/// The problem with `address` beside those in `listen`, if they collide.
pub(super) fn collision(listen: &[SocketAddr], address: SocketAddr) -> Option<Problem> {
    let other = *listen.iter().find(|&&other| collide(other, address))?;
    if other == address {
        return Some(Problem::new(format!("{address} is named twice"), "name it once"));
    }
    let message =
        format!("{other} and {address} collide: an address and port can be bound only once");
    let is_any = |address: &SocketAddr| address.ip().to_canonical().is_unspecified();
    let help = match [other, address].into_iter().find(is_any) {
        Some(any) => format!(
            "keep {any}, which covers all addresses of its family, or name single addresses"
        ),
        None => "they are the same address: name it once".to_owned(),
    };
    Some(Problem::new(message, help))
}

/// What a zone says of names that are not listed while a dataset is missing.
pub(super) fn unlisted(text: &str) -> Result<Unlisted, Problem> {
    match text {
        "answer" => Ok(Unlisted::Answer),
        "servfail" => Ok(Unlisted::ServFail),
        _ => {
            let message = format!("{text:?} is neither \"answer\" nor \"servfail\"");
            Err(Problem::new(message, "write one of the two"))
        }
    }
}

/// What a zone does with data that is out of policy.
pub(super) fn stale(text: &str) -> Result<StalePolicy, Problem> {
    match text {
        "serve" => Ok(StalePolicy::Serve),
        "unlist" => Ok(StalePolicy::Unlist),
        "servfail" => Ok(StalePolicy::ServFail),
        _ => {
            let message = format!("{text:?} is neither \"serve\" nor \"unlist\" nor \"servfail\"");
            Err(Problem::new(message, "write one of the three"))
        }
    }
}

/// A domain name other than the root, in lower case.
pub(super) fn domain(text: &str) -> Result<NameBuf, Problem> {
    let wrong =
        |why: &str, help: &str| Problem::new(format!("{text:?} is not a domain name: {why}"), help);
    let example = "write it like \"l2.apews.org\"";
    if text.is_empty() || text == "." {
        return Err(wrong("it is empty", example));
    }
    if let Some(bad) = text.chars().find(|c| !c.is_ascii_graphic()) {
        let help = if bad.is_ascii() { example } else { "write it in Punycode (xn--...)" };
        return Err(wrong(&format!("it has the character {bad:?}"), help));
    }
    if text.contains('@') {
        let help = "write the @ as a dot: \"hostmaster.example.org\"";
        return Err(wrong("it has the character '@'", help));
    }
    if text.starts_with('.') || text.contains("..") {
        return Err(wrong("it has an empty label", "write one dot between two labels"));
    }
    let name = NameBuf::from_text(text.as_bytes())
        .map_err(|error| wrong(&error.to_string(), "shorten it"))?;
    Ok(name.to_lowercase())
}

/// The name below `zone` that asks for a key: an address in reverse, or a name as it stands.
pub(super) fn name_of_key(text: &str, zone: &NameBuf) -> Result<NameBuf, Problem> {
    let key = match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        Ok(IpAddr::V6(address)) => {
            let nibbles = (0..32).map(|i| format!("{:x}", address.to_bits() >> (4 * i) & 15));
            nibbles.collect::<Vec<_>>().join(".")
        }
        Err(_) => text.to_owned(),
    };
    domain(&key)?.join(zone).ok_or_else(|| {
        Problem::new(format!("{text:?} is too long for a name in this zone"), "use a shorter key")
    })
}

/// Reads a format of lines.
pub(super) fn format(word: &str) -> Result<Format, Problem> {
    word.parse().map_err(|_| {
        let message = format!("{word:?} is not a format");
        let names: Vec<&str> = Format::names().collect();
        Problem::new(message, suggest(word, &names))
    })
}

/// Reads the encoding of hashes.
pub(super) fn encoding(word: &str) -> Result<Alphabet, Problem> {
    word.parse().map_err(|()| {
        let message = format!("{word:?} is not an encoding of hashes");
        Problem::new(message, suggest(word, &Alphabet::NAMES.map(|(name, _)| name)))
    })
}

/// Reads a dataset type.
pub(super) fn kind(word: &str) -> Result<Kind, Problem> {
    word.parse().map_err(|_| {
        let message = format!("{word:?} is not a dataset type");
        let names: Vec<&str> = Kind::names().collect();
        Problem::new(message, suggest(word, &names))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_units_of_rbldnsd() {
        let cases = [
            ("0", 0),
            ("90", 90),
            ("90s", 90),
            ("35m", 2100),
            ("1h", 3600),
            ("2D", 172_800),
            ("1w", 604_800),
        ];
        for (text, want) in cases {
            assert_eq!(seconds(text), Ok(want), "{text}");
            assert_eq!(duration(text), Ok(Duration::from_secs(want.into())), "{text}");
        }
        assert_eq!(seconds("2147483647"), Ok(TtlBounds::UNBOUNDED));
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        for text in
            ["", "m", "1y", "1h30m", "-1", "+1", "1.5h", " 1", "1 h", "200ms", "ms", "1\u{b5}"]
        {
            assert!(seconds(text).is_err(), "{text}");
        }
        for text in ["ms", "-1ms", "1.5ms", "99999999999ms", "4000w"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["2147483648", "3551w", "99999999999999999999999", "18446744073709551615w"] {
            assert!(seconds(text).unwrap_err().message.contains("too long"), "{text}");
        }
    }

    #[test]
    fn addresses_need_a_port() {
        assert_eq!(address("127.0.0.1:53"), Ok(SocketAddr::from(([127, 0, 0, 1], 53))));
        assert!(address("[::1]:53").unwrap().is_ipv6());
        for (text, help) in [
            ("127.0.0.1", "\"127.0.0.1:53\""),
            ("::1", "\"[::1]:53\""),
            ("[::1]", "\"[::1]:53\""),
            ("2001:db8::53", "\"[2001:db8::53]:53\" for the port"),
            ("::1:53", "write \"[::1]:53\", or \"[::1:53]:53\" if all of it"),
            ("[::1:53]", "write \"[::1:53]:53\" for the port"),
            ("2001:db8:0:0:0:0:0:1:5300", "write \"[2001:db8::1]:5300\""),
            ("127.0.0.1/5300", "\"127.0.0.1:5300\""),
            ("::1/5300", "\"[::1]:5300\""),
            ("localhost:53", "not a host name"),
            ("127.0.0.1:99999", "\"127.0.0.1:53\""),
            ("", "\"127.0.0.1:53\""),
        ] {
            let problem = address(text).unwrap_err();
            assert!(problem.help.contains(help), "{text}: {problem:?}");
        }
    }

    #[test]
    fn names_are_checked_and_lowered() {
        assert_eq!(domain("L2.Apews.ORG.").unwrap().to_string(), "l2.apews.org");
        let long = format!("{}.org", "a".repeat(64));
        for (text, want) in [
            ("", "empty"),
            (".", "empty"),
            ("a b", "' '"),
            ("b\u{fc}cher.example", "character '\u{fc}'"),
            ("me@example.org", "'@'"),
            ("a..b", "empty label"),
            (".a", "empty label"),
            (long.as_str(), "longer than 63"),
        ] {
            let problem = domain(text).unwrap_err();
            assert!(problem.message.contains(want), "{text}: {problem:?}");
            assert!(!problem.help.is_empty());
        }
    }

    #[test]
    fn every_kind_named_in_messages_exists() {
        for word in Kind::names() {
            let known = kind(word).unwrap();
            assert_eq!(kind(&known.to_string()), Ok(known));
        }
        assert_eq!(kind("dnhash"), kind("dnset"));
        assert!(kind("ip4sett").unwrap_err().help.contains("did you mean \"ip4set\"?"));
    }
}
