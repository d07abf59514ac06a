//! URLs (RFC 3986), or hosts with a path or a port: the host is listed.

use super::{Item, Refusal, Unread, is_remark, words};

/// Takes the host of a URL.
pub(super) fn line<'l>(line: &'l [u8], say: &mut dyn FnMut(Item<'l>)) -> Result<(), Refusal> {
    let Some((start, word)) = words(line).next() else { return Ok(()) };
    if is_remark(word) {
        return Ok(());
    }
    let rest = match memchr::memmem::find(word, b"://") {
        Some(end) => &word[end + 3..],
        None => word.strip_prefix(b"//").unwrap_or(word),
    };
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\'));
    let authority = &rest[..end.unwrap_or(rest.len())];
    // What stands before `@` is a user, perhaps made to look like a host.
    let host = memchr::memrchr(b'@', authority).map_or(authority, |user| &authority[user + 1..]);
    let host = match host {
        [b'[', bracketed @ ..] => {
            let end = memchr::memchr(b']', bracketed).unwrap_or(bracketed.len());
            &bracketed[..end]
        }
        // Of several colons none begins a port: it is an IPv6 address without brackets.
        _ if memchr::memchr_iter(b':', host).nth(1).is_some() => host,
        _ => host.split(|&byte| byte == b':').next().unwrap_or(host),
    };
    let at = start + (host.as_ptr() as usize - word.as_ptr() as usize);
    if host.is_empty() {
        return Err((at, Unread::NoKey));
    }
    say(Item::new(host, at));
    Ok(())
}
