//! Which type and form the content of a file is of.

use super::ListForm;
use super::entries::options;
use crate::zonefile::{Format, Kind, Parser, sniff};

/// How much of a file is looked at, in bytes.
const SAMPLE: usize = 64 * 1024;

/// The types in which a file may be meant, the likeliest first: of those that take it equally well, the first
/// counts. Nothing tells an `aclkey` from a list of names, and nothing an `ip4tset` from an `ip4set`.
const KINDS: [Kind; 8] = [
    Kind::Ip4Set,
    Kind::Ip6Trie,
    Kind::Ip4Trie,
    Kind::Generic,
    Kind::Hashset,
    Kind::Dnset,
    Kind::Mixed,
    Kind::Acl,
];

/// The form and the type of which the fewest lines at the beginning of a file are wrong.
pub fn guess(text: &[u8]) -> ListForm {
    let sample = &text[..text.len().min(SAMPLE)];
    let whole = match memchr::memrchr(b'\n', sample) {
        Some(end) if sample.len() < text.len() => &sample[..=end],
        _ => sample,
    };
    if let Some(format) = sniff(Kind::Dnset, whole).or_else(|| sniff(Kind::Ip4Set, whole)) {
        let kind = if format.is_for_names_alone() { Kind::Dnset } else { Kind::Mixed };
        let form = ListForm { format, ..ListForm::of(kind) };
        return if format == Format::Csv { with_column(form, whole) } else { form };
    }
    if has_sections(whole) {
        return ListForm::of(Kind::Combined);
    }
    // An access list takes the lines of other lists, and tells less of them.
    let may_be = |kind: &Kind| *kind != Kind::Acl || has_actions(whole);
    let forms = KINDS.into_iter().filter(may_be).map(ListForm::of);
    forms.min_by_key(|form| wrong(form, whole)).unwrap_or(ListForm::of(Kind::Ip4Set))
}

/// The column of a CSV file in which the fewest keys are wrong.
fn with_column(form: ListForm, text: &[u8]) -> ListForm {
    const MANY: usize = 30;
    let mut lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let head = lines.find(|line| !matches!(line, [] | [b'#' | b';', ..])).unwrap_or_default();
    let fields = head.split(|byte| b",;\t".contains(byte)).take(MANY);
    let words = fields.filter_map(|field| str::from_utf8(field.trim_ascii()).ok());
    let columns = words.map(|word| Some(word.trim_matches('"').into()));
    let forms =
        std::iter::once(None).chain(columns).map(|column| ListForm { column, ..form.clone() });
    forms.min_by_key(|form| wrong(form, text)).unwrap_or(form)
}

/// True if a line says what is done with a client.
fn has_actions(text: &[u8]) -> bool {
    let text = text.to_ascii_lowercase();
    let actions: [&[u8]; 4] = [b":ignore", b":refuse", b":empty", b":pass"];
    actions.iter().any(|action| memchr::memmem::find(&text, action).is_some())
}

/// The number of lines that are wrong in this form.
fn wrong(form: &ListForm, text: &[u8]) -> u64 {
    let mut parser = Parser::new(form.kind, options(form));
    parser.start_file();
    match parser.feed(text).and_then(|()| parser.end_file()) {
        Ok(()) => parser.finish().diagnostics.total,
        Err(_) => u64::MAX,
    }
}

/// True if a line begins a section of a `combined` file.
fn has_sections(text: &[u8]) -> bool {
    const WORD: &[u8] = b"$DATASET";
    text.split(|&byte| byte == b'\n').any(|line| {
        let line = line.trim_ascii_start();
        let line = line.strip_prefix(b"#").or(line.strip_prefix(b";")).unwrap_or(line);
        line.get(..WORD.len()).is_some_and(|start| start.eq_ignore_ascii_case(WORD))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_by_their_lines() {
        for (text, kind, format) in [
            ("", Kind::Ip4Set, Format::Rbldnsd),
            ("192.0.2.1\n192.0.2.8-10 :3:x\n", Kind::Ip4Set, Format::Rbldnsd),
            ("192.0.2.1\n2001:db8::/32\n", Kind::Ip4Trie, Format::Rbldnsd),
            ("2001:db8::/32\n", Kind::Ip6Trie, Format::Rbldnsd),
            ("bad.example\n.worse.example :2:x\n", Kind::Dnset, Format::Rbldnsd),
            ("d41d8cd98f00b204e9800998ecf8427e\n", Kind::Hashset, Format::Rbldnsd),
            ("bad.example\n192.0.2.0/24\n2001:db8::/32\n", Kind::Mixed, Format::Rbldnsd),
            ("www A 192.0.2.1\n@ MX 10 mail.example\n", Kind::Generic, Format::Rbldnsd),
            ("192.0.2.0/24 :refuse\n:pass\n::/0 :ignore\n", Kind::Acl, Format::Rbldnsd),
            ("$DATASET ip4set:x a\n192.0.2.1\n", Kind::Combined, Format::Rbldnsd),
            (
                "0.0.0.0 a.example\n0.0.0.0 b.example\n0.0.0.0 c.example\n",
                Kind::Dnset,
                Format::Hosts,
            ),
            ("192.0.2.1 OK\n192.0.2.1\n", Kind::Ip4Set, Format::Rbldnsd),
            ("||bad.example^\n", Kind::Dnset, Format::Adblock),
            ("{\"cidr\":\"192.0.2.0/24\",\"sblid\":\"SBL1\"}\n", Kind::Mixed, Format::Jsonl),
        ] {
            let told = guess(text.as_bytes());
            assert_eq!((told.kind, told.format), (kind, format), "{text}");
        }
    }

    #[test]
    fn the_column_of_the_keys_is_found() {
        let told =
            guess(b"# x\nseen,\"host\",why\n2026-01-01,a.example,x\n2026-01-02,b.example,y\n");
        assert_eq!((told.kind, told.column.as_deref()), (Kind::Mixed, Some("host")));
        let told = guess(b"host,why\na.example,x\nb.example,y\n");
        assert_eq!((told.kind, told.column.as_deref()), (Kind::Mixed, None));
    }
}
