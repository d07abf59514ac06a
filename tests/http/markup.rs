//! A reader of HTML that is strict: each element is closed where it must be, each text is escaped.

/// An element, or a text between elements.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The name of an element and its attributes, in their order.
    Open(String, Vec<(String, String)>),
    /// A text, without its escapes.
    Text(String),
}

/// Elements that have no end (HTML, section 13.1.2).
const VOID: [&str; 6] = ["meta", "link", "input", "br", "img", "area"];

/// All parts of a page.
///
/// # Panics
///
/// If it is not well formed.
pub(super) fn parts(page: &str) -> Vec<Part> {
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a page of HTML");
    let (mut parts, mut open) = (Vec::new(), Vec::<String>::new());
    while !rest.is_empty() {
        let Some(tag) = rest.strip_prefix('<') else {
            let end = rest.find('<').unwrap_or(rest.len());
            parts.push(Part::Text(unescaped(&rest[..end])));
            rest = &rest[end..];
            continue;
        };
        let end = tag_end(tag);
        let (inner, behind) = (&tag[..end], &tag[end + 1..]);
        rest = behind;
        if let Some(name) = inner.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "an end without its start");
            continue;
        }
        let (name, attributes) = element(inner);
        if !VOID.contains(&&*name) {
            open.push(name.clone());
        }
        parts.push(Part::Open(name, attributes));
    }
    assert!(open.is_empty(), "{open:?} are not closed");
    let ids: Vec<_> = attributes(&parts, "id").collect();
    let unique: std::collections::HashSet<_> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "each id is there once: {ids:?}");
    for label in attributes(&parts, "aria-labelledby").flat_map(str::split_whitespace) {
        assert!(ids.contains(&label), "{label} is nowhere");
    }
    parts
}

/// The values of an attribute of any element.
pub(super) fn attributes<'p>(parts: &'p [Part], name: &str) -> impl Iterator<Item = &'p str> {
    let all = parts.iter().filter_map(|part| match part {
        Part::Open(_, attributes) => Some(attributes),
        Part::Text(_) => None,
    });
    all.flatten().filter(move |(other, _)| other == name).map(|(_, value)| &**value)
}

/// All texts, one after the other.
pub(super) fn text(parts: &[Part]) -> String {
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(&**text),
        Part::Open(..) => None,
    });
    texts.collect::<Vec<_>>().join(" ")
}

/// Where a tag ends that has begun.
fn tag_end(tag: &str) -> usize {
    let mut quoted = false;
    let end = tag.bytes().position(|byte| {
        quoted ^= byte == b'"';
        assert!(quoted || byte != b'<', "a tag in a tag: {tag:.100}");
        byte == b'>' && !quoted
    });
    end.expect("the tag ends")
}

fn element(inner: &str) -> (String, Vec<(String, String)>) {
    let (name, mut rest) = inner.split_once(' ').unwrap_or((inner, ""));
    assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{inner:?}");
    let mut attributes = Vec::new();
    while !rest.is_empty() {
        let end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let (attribute, behind) = rest.split_at(end);
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        assert!(!attribute.is_empty() && attribute.bytes().all(is_name), "{inner:?}");
        let (value, behind) = match behind.strip_prefix("=\"") {
            Some(quoted) => quoted.split_once('"').expect("the value ends"),
            None => ("", behind),
        };
        attributes.push((attribute.to_owned(), unescaped(value)));
        rest = behind.strip_prefix(' ').unwrap_or(behind);
        assert!(rest.is_empty() || behind.starts_with(' '), "{inner:?}");
    }
    (name.to_owned(), attributes)
}

fn unescaped(text: &str) -> String {
    assert!(!text.contains('>'), "a character that is not escaped: {text:.200}");
    let mut parts = text.split('&');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';').unwrap_or_else(|| panic!("no escape: &{part:.20}"));
        whole.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            other => panic!("an escape that nobody writes: {other:.20}"),
        });
        whole.push_str(rest);
    }
    whole
}
