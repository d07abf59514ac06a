//! Settings of dnsmasq that block names: `address=/name/0.0.0.0`, `server=/name/`, `local=/name/`
//! (dnsmasq(8)). Each is about the name and what is below it.

use super::{Item, Refusal, Unread, is_remark, words};
use crate::listing::names::Scope;

/// Takes the names of a setting. One that sends a name to the usual servers (`server=/name/#`) excludes it.
pub(super) fn line<'l>(line: &'l [u8], say: &mut dyn FnMut(Item<'l>)) -> Result<(), Refusal> {
    let Some((start, first)) = words(line).next() else { return Ok(()) };
    if is_remark(first) {
        return Ok(());
    }
    let other = Err((start, Unread::OtherSetting));
    // Blanks may stand around the sign.
    let Some(sign) = memchr::memchr(b'=', line) else { return other };
    let setting = line[start..sign].trim_ascii_end();
    let setting = setting.strip_prefix(b"--").unwrap_or(setting);
    if ![&b"server"[..], b"address", b"local"].contains(&setting) {
        return other;
    }
    let Some((at, value)) = words(&line[sign + 1..]).next() else { return other };
    let Some(rest) = value.strip_prefix(b"/") else { return other };
    let mut at = sign + 1 + at + 1;
    let Some(last) = memchr::memrchr(b'/', rest) else {
        return Err((at + rest.len(), Unread::NoKey));
    };
    let (list, target) = (&rest[..last], &rest[last + 1..]);
    // As an address, `#` is the null address, which blocks.
    let excluded = target == b"#" && setting != b"address";
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
