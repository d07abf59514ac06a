//! Filter lists of AdBlock, uBlock Origin and AdGuard: `||name^` lists a name and what is below it.

use super::{Item, Refusal, Unread, hosts, words};
use crate::listing::names::Scope;

/// Marks of cosmetic rules: what follows them is about parts of a page.
const COSMETIC: [&[u8]; 8] = [b"##", b"#@#", b"#?#", b"#@?#", b"#$#", b"#@$#", b"#%#", b"$$"];

/// Options with which a rule is about all of a name.
const WHOLE: &[&[u8]] = &[b"important", b"all", b"document", b"doc"];

/// Options with which a rule still blocks: it is about what others load from the name.
const BLOCKING: &[&[u8]] = &[
    b"third-party",
    b"3p",
    b"popup",
    b"popunder",
    b"script",
    b"image",
    b"stylesheet",
    b"font",
    b"media",
    b"object",
    b"other",
    b"ping",
    b"subdocument",
    b"frame",
    b"websocket",
    b"xmlhttprequest",
    b"xhr",
];

/// Takes a rule.
pub(super) fn line<'l>(line: &'l [u8], say: &mut dyn FnMut(Item<'l>)) -> Result<(), Refusal> {
    let Some((start, first)) = words(line).next() else { return Ok(()) };
    let is_remark = matches!(first[0], b'!' | b'[') || first == b"#" || first.starts_with(b"# ");
    if is_remark || is_cosmetic(line) || first[0] == b'#' {
        return Ok(());
    }
    // DNS filters may have lines of hosts files, too.
    if hosts::is_address(first) {
        return hosts::line(line, say);
    }
    let (rule, excluded) = match first.strip_prefix(b"@@") {
        Some(rule) => (rule, true),
        None => (first, false),
    };
    let at = start + first.len() - rule.len();
    let Some(pattern) = rule.strip_prefix(b"||") else {
        return plain(rule, excluded, at, say);
    };
    let end = pattern.iter().position(|byte| matches!(byte, b'^' | b'$' | b'|' | b'/' | b':'));
    let (name, rest) = pattern.split_at(end.unwrap_or(pattern.len()));
    let options = match rest {
        [] | [b'^'] | [b'^', b'|'] => &[][..],
        [b'$', options @ ..] | [b'^', b'$', options @ ..] | [b'^', b'|', b'$', options @ ..] => {
            options
        }
        _ => return Err((at, Unread::NotAName)),
    };
    let allowed = if excluded { WHOLE } else { BLOCKING };
    let mut options = options.split(|&byte| byte == b',').filter(|option| !option.is_empty());
    if !options.all(|option| allowed.contains(&option) || WHOLE.contains(&option)) {
        return Err((at, Unread::OtherOption));
    }
    let (name, scope, skip) = match name.strip_prefix(b"*.") {
        Some(name) => (name, Scope::Below, 4),
        None => (name, Scope::Both, 2),
    };
    if name.is_empty() || name.contains(&b'*') {
        return Err((at, Unread::NotAName));
    }
    say(Item::new(name, at + skip).scope(scope).excluded(excluded));
    Ok(())
}

/// A rule without `||`: AdGuard takes a bare name for that name alone.
fn plain<'l>(
    rule: &'l [u8],
    excluded: bool,
    at: usize,
    say: &mut dyn FnMut(Item<'l>),
) -> Result<(), Refusal> {
    let is_name = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') || *byte >= 0x80
    };
    if !rule.contains(&b'.') || !rule.iter().all(is_name) {
        return Err((at, Unread::NotAName));
    }
    say(Item::new(rule, at).excluded(excluded));
    Ok(())
}

fn is_cosmetic(line: &[u8]) -> bool {
    COSMETIC.iter().any(|mark| line.windows(mark.len()).any(|bytes| bytes == *mark))
}
