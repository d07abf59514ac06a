//! Settings of dnsmasq that block names: `address=/name/0.0.0.0`, `server=/name/`, `local=/name/`
//! (dnsmasq(8)). Each is about the name and what is below it.

use super::{Item, Refusal, Unread, is_remark, words};
use crate::listing::names::Scope;

/// Takes the names of a setting. One that sends a name to the usual servers (`#`) excludes it.
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
    for name in list.split(|&byte| byte == b'/') {
        if name.is_empty() {
            return Err((at, Unread::NoKey));
        }
        // A leading dot or `*.` changes nothing (dnsmasq(8), --server).
        let bare = name.strip_prefix(b"*").unwrap_or(name);
        let bare = bare.strip_prefix(b".").unwrap_or(bare);
        let item = Item::new(bare, at + name.len() - bare.len());
        say(item.scope(Scope::Both).excluded(target == b"#"));
        at += name.len() + 1;
    }
    Ok(())
}
