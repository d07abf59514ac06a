//! Settings of dnsmasq that block names: `address=/name/0.0.0.0`, `server=/name/`, `local=/name/`
//! (dnsmasq(8)). Each is about the name and what is below it.

use super::{Item, Refusal, Unread, is_remark, words};
use crate::listing::names::Scope;

/// Takes the names of a setting. One that sends a name to the usual servers (`server=/name/#`) excludes it.
pub(super) fn line<'l>(line: &'l [u8], say: &mut dyn FnMut(Item<'l>)) -> Result<(), Refusal> {
    let Some((start, word)) = words(line).next() else { return Ok(()) };
    if is_remark(word) {
        return Ok(());
    }
    let setting = word.strip_prefix(b"--").unwrap_or(word);
    let names = [&b"server=/"[..], b"address=/", b"local=/"];
    let Some(rest) = names.iter().find_map(|name| setting.strip_prefix(*name)) else {
        return Err((start, Unread::OtherSetting));
    };
    let Some(last) = memchr::memrchr(b'/', rest) else {
        return Err((start + word.len(), Unread::NoKey));
    };
    let (list, target) = (&rest[..last], &rest[last + 1..]);
    let mut at = start + word.len() - rest.len();
    // As an address, `#` is the null address, which blocks.
    let excluded = target == b"#" && !setting.starts_with(b"address");
    for name in list.split(|&byte| byte == b'/') {
        // `*.` before a name leaves out the name itself, a dot changes nothing (dnsmasq(8), --server).
        let (bare, scope) = match name.strip_prefix(b"*.") {
            Some(bare) => (bare, Scope::Below),
            None => (name.strip_prefix(b".").unwrap_or(name), Scope::Both),
        };
        if bare.is_empty() || bare.contains(&b'*') {
            return Err((at, Unread::NoKey));
        }
        let item = Item::new(bare, at + name.len() - bare.len());
        say(item.scope(scope).excluded(excluded));
        at += name.len() + 1;
    }
    Ok(())
}
