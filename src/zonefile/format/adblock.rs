//! Filter lists of AdBlock, uBlock Origin and AdGuard: `||name^` lists a name and what is below it.

use super::{Item, Refusal, Unread, words};
use crate::listing::names::Scope;

/// Marks of cosmetic rules: what follows them is about parts of a page.
const COSMETIC: [&[u8]; 8] = [b"##", b"#@#", b"#?#", b"#@?#", b"#$#", b"#@$#", b"#%#", b"$$"];

/// Takes a rule.
pub(super) fn line<'l>(line: &'l [u8], say: &mut dyn FnMut(Item<'l>)) -> Result<(), Refusal> {
    let Some((start, first)) = words(line).next() else { return Ok(()) };
    let is_remark = matches!(first[0], b'!' | b'[') || first == b"#" || first.starts_with(b"# ");
    if is_remark || is_cosmetic(line) || first[0] == b'#' {
        return Ok(());
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
    // It takes back another rule, which then lists nothing; that rule is not known here.
    if options.split(|&byte| byte == b',').any(|option| option == b"badfilter") {
        return Ok(());
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
