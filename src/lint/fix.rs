//! What can be mended in a file without a change of what it lists.

use super::cover::{Cover, EXCLUDED, Interval};
use super::entries::{self, Entries, Shown};
use super::merge::{Merged, merged};
use super::quote::Lines;
use super::{ListForm, may_go};
use crate::range::Int;
use crate::zonefile::{Diagnostic, Format, Kind, Mistake};
use ipnet::IpNet;
use std::collections::{HashMap, HashSet};
use std::net::Ipv6Addr;

/// The mark that some editors put in front of UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// How often what was mended is looked at once more.
const MORE: usize = 8;

/// A mended file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fixed {
    /// Its content.
    pub text: Vec<u8>,
    /// How many lines were left out, since another line says the same.
    pub removed: u64,
    /// How many lines were put together with others.
    pub merged: u64,
    /// How many lines were written in the form that every server reads as dnsbld does.
    pub rewritten: u64,
    /// True if the last line was ended.
    pub has_new_end: bool,
}

impl Fixed {
    /// True if anything is other than it was.
    pub fn is_changed(&self) -> bool {
        self.removed > 0 || self.merged > 0 || self.rewritten > 0 || self.has_new_end
    }
}

/// Leaves out entries that say nothing new, puts those together that fewer can say, and writes keys as they are
/// read. The file lists what it listed. A file in another form than rbldnsd's, and one that is not read at all,
/// stays as it is.
pub fn fix(text: &[u8], form: &ListForm) -> Fixed {
    let mut fixed = fix_once(text, form);
    // What was written anew can be put together with more.
    for _ in 0..MORE {
        let more = fix_once(&fixed.text, form);
        if !more.is_changed() {
            break;
        }
        fixed = Fixed {
            text: more.text,
            removed: fixed.removed + more.removed,
            merged: fixed.merged + more.merged,
            rewritten: fixed.rewritten + more.rewritten,
            has_new_end: fixed.has_new_end || more.has_new_end,
        };
    }
    fixed
}

fn fix_once(text: &[u8], form: &ListForm) -> Fixed {
    let mut fixed = Fixed {
        text: Vec::with_capacity(text.len()),
        removed: 0,
        merged: 0,
        rewritten: 0,
        has_new_end: false,
    };
    let lines = Lines::new(text);
    let read =
        (form.format == Format::Rbldnsd).then(|| entries::read(text, &lines, form, usize::MAX));
    let Some(Entries { ip4, ip6, names, parsed: Ok(parsed) }) = read else {
        fixed.text.extend_from_slice(text);
        return fixed;
    };
    let mut gone = HashSet::new();
    redundant(form.kind, &ip4, &mut gone);
    redundant(form.kind, &ip6, &mut gone);
    redundant(form.kind, &names.cover, &mut gone);
    let mut together = HashMap::new();
    if memchr::memmem::find(text, b"MAXRANGE4").is_none() {
        let of_ip4 = merged(form.kind, &ip4, &lines, &gone);
        let all = of_ip4.into_iter().chain(merged(form.kind, &ip6, &lines, &gone));
        for Merged { lines, keys, rest } in all {
            let keys = keys.iter().map(|key| [key.as_bytes(), &rest].concat());
            // The first line has the new keys in its place.
            let mut keys = Some(keys.collect::<Vec<_>>());
            together.extend(lines.into_iter().map(|line| (line, keys.take().unwrap_or_default())));
        }
    }
    let keys = written(&parsed.diagnostics.kept, &ip4, &ip6);
    let misread: HashMap<u32, &Diagnostic> = parsed
        .diagnostics
        .kept
        .iter()
        .filter(|it| it.is_used && keys.contains_key(&it.line))
        .map(|it| (it.line, it))
        .collect();
    let refused: HashSet<u32> =
        parsed.diagnostics.kept.iter().filter(|it| !it.is_used).map(|it| it.line).collect();
    for (line, number) in text.split_inclusive(|&byte| byte == b'\n').zip(1..) {
        if gone.contains(&number) {
            fixed.removed += 1;
            continue;
        }
        if let Some(keys) = together.get(&number) {
            fixed.merged += 1;
            let mark = if line.starts_with(BOM) { BOM } else { b"" };
            let newline: &[u8] = if line.ends_with(b"\r\n") { b"\r\n" } else { b"\n" };
            fixed.text.extend_from_slice(mark);
            keys.iter().for_each(|key| fixed.text.extend([key, newline].concat()));
            continue;
        }
        match misread.get(&number).and_then(|it| rewritten(line, it, keys.get(&number)?)) {
            Some(line) => {
                fixed.text.extend_from_slice(&line);
                fixed.rewritten += 1;
            }
            None => fixed.text.extend_from_slice(line),
        }
        // A last line that may be cut is not read; with an end, it would be.
        let is_open = !line.ends_with(b"\n") && !line.trim_ascii().is_empty();
        if is_open && !refused.contains(&number) {
            fixed.text.push(b'\n');
            fixed.has_new_end = true;
        }
    }
    fixed
}

fn redundant<K: Int>(kind: Kind, cover: &Cover<K>, gone: &mut HashSet<u32>) {
    let found = cover.redundant();
    gone.extend(found.iter().filter(|it| may_go(kind, it)).map(|it| it.entry.line));
}

/// The keys of lines that other servers read otherwise, as all of them read them.
fn written(told: &[Diagnostic], ip4: &Cover<u32>, ip6: &Cover<u128>) -> HashMap<u32, String> {
    let is_misread = |it: &&Diagnostic| {
        it.is_used
            && matches!(
                it.reason,
                Mistake::SpacedRange
                    | Mistake::ShortRange
                    | Mistake::Netmask(_)
                    | Mistake::Columns(_)
                    | Mistake::MappedRead(_)
            )
    };
    let lines: HashSet<u32> = told.iter().filter(is_misread).map(|it| it.line).collect();
    if lines.is_empty() {
        return HashMap::new();
    }
    let mut keys = HashMap::new();
    keys_of(ip4, &lines, &mut keys);
    keys_of(ip6, &lines, &mut keys);
    keys
}

fn keys_of<K: Shown>(cover: &Cover<K>, lines: &HashSet<u32>, keys: &mut HashMap<u32, String>) {
    for &Interval { start, end, value, line } in cover.entries() {
        if lines.contains(&line) {
            let sign = if value == EXCLUDED { "!" } else { "" };
            keys.insert(line, format!("{sign}{}", K::shown(start, end)));
        }
    }
}

/// A line with its key written so, if the whole key can be found in it.
fn rewritten(line: &[u8], told: &Diagnostic, key: &str) -> Option<Vec<u8>> {
    // No type takes it as a prefix.
    let key = if key.ends_with("0.0.0.0/0") { return None } else { key.as_bytes() };
    let mark = if line.starts_with(BOM) { BOM.len() } else { 0 };
    let (mark, line) = line.split_at(mark);
    let end = match line {
        [.., b'\r', b'\n'] => line.len() - 2,
        [.., b'\n'] => line.len() - 1,
        _ => line.len(),
    };
    let (line, newline) = line.split_at(end);
    let blanks = line.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let (margin, text) = line.split_at(blanks);
    let rest: Vec<u8> = match told.reason {
        // What stands in the other columns has no meaning for a list.
        Mistake::Columns(IpNet::V4(_)) => [b" # ", text].concat(),
        Mistake::MappedRead(_) => {
            let key = text.strip_prefix(b"!").unwrap_or(text).trim_ascii_start();
            let is_part = |byte: &u8| byte.is_ascii_hexdigit() || b":./".contains(byte);
            let (key, rest) = key.split_at(key.iter().take_while(|byte| is_part(byte)).count());
            // A value may stick to it.
            let address =
                key.split(|&byte| byte == b'/').next().and_then(|it| str::from_utf8(it).ok());
            address.filter(|address| address.parse::<Ipv6Addr>().is_ok())?;
            rest.to_vec()
        }
        _ => line.get(told.column as usize - 1..)?.to_vec(),
    };
    Some([mark, margin, key, &rest, newline].concat())
}
