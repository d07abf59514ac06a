//! Hosts files: an address and the names that have it (hosts(5)).

use super::{Item, Refusal, Unread, is_remark, words};
use std::net::IpAddr;

/// Names that every hosts file has for the machine itself.
const OWN: [&str; 13] = [
    "localhost",
    "localhost.localdomain",
    "localhost4",
    "localhost6",
    "local",
    "broadcasthost",
    "ip6-localhost",
    "ip6-loopback",
    "ip6-localnet",
    "ip6-mcastprefix",
    "ip6-allnodes",
    "ip6-allrouters",
    "ip6-allhosts",
];

/// Takes all names of a line but those of the machine itself.
pub(super) fn line<'l>(line: &'l [u8], say: &mut dyn FnMut(Item<'l>)) -> Result<(), Refusal> {
    let mut words = words(line).take_while(|(_, word)| !is_remark(word));
    let Some((_, address)) = words.next() else { return Ok(()) };
    // Short lists write `0` for 0.0.0.0 (inet_aton(3)).
    if !is_address(address) && address != b"0" {
        return Err((0, Unread::NoKey));
    }
    let mut names = words.peekable();
    if names.peek().is_none() {
        return Err((line.len(), Unread::NoKey));
    }
    for (at, word) in names {
        // A remark may follow a name without a blank.
        let name = word.split(|&byte| byte == b'#').next().unwrap_or(word);
        if !is_own(name) {
            say(Item::new(name, at));
        }
        if name.len() < word.len() {
            break;
        }
    }
    Ok(())
}

/// True for names of the machine itself, and for an address in place of a name.
fn is_own(name: &[u8]) -> bool {
    let name = name.strip_suffix(b".").unwrap_or(name);
    OWN.iter().any(|own| name.eq_ignore_ascii_case(own.as_bytes())) || is_address(name)
}

pub(super) fn is_address(word: &[u8]) -> bool {
    // A zone of an IPv6 address (`fe80::1%lo0`) is no part of it.
    let word = word.split(|&byte| byte == b'%').next().unwrap_or(word);
    str::from_utf8(word).is_ok_and(|word| word.parse::<IpAddr>().is_ok())
}
