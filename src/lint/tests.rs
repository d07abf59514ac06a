//! Whole files: what is told of them, and that mending changes nothing of what they list.

use super::*;
use crate::trie::names::NameLookup;
use crate::wire::name::NameBuf;
use crate::zonefile::Parser;
use proptest::prelude::*;

/// The line, the weight and the rule of all that is told.
fn told(text: &str, kind: Kind) -> Vec<(u32, u32, &'static str, &'static str)> {
    let report = lint(text.as_bytes(), Some(&ListForm::of(kind)), 100);
    let told = report.shown.iter().filter(|it| it.rule != "test-entry");
    told.map(|it| (it.line, it.column, it.weight.word(), it.rule)).collect()
}

#[test]
fn each_rule_is_told_where_it_is_broken() {
    let long = format!("1.2.3.4 {}\n", "x".repeat(256));
    let many: String = (1..=101).map(|n| format!("1.2.3.4 text {n}\n")).collect();
    for (kind, text, want) in [
        (Kind::Ip4Set, "127.0.0.2\n10.0.0.0/8\n", &[][..]),
        (Kind::Ip4Set, "1.2.3.4\n 1.2.3.4\n", &[(2, 2, "warning", "repeated")]),
        (Kind::Ip4Set, "10.1.2.3\n10.0.0.0/8\n", &[(1, 1, "warning", "covered")]),
        (Kind::Ip4Set, "10.1.2.3 :3:x\n10.0.0.0/8\n", &[]),
        (Kind::Ip4Set, "1.2.3.4\n1.2.3.4 :3:x\n", &[]),
        (Kind::Ip4Set, "1.2.3.4\n1.2.3.4 @ expires=2030-01-01\n", &[]),
        (Kind::Ip4Trie, "1.2.3.4\n1.2.3.4 :3:x\n", &[(2, 1, "error", "same-key")]),
        (Kind::Ip4Trie, "1.2.3.4\n1.2.3.4\n", &[(2, 1, "warning", "repeated")]),
        (Kind::Ip4Set, "1.2.3.4\n1.2.3.5\n1.2.3.6\n", &[(1, 1, "note", "mergeable")]),
        (Kind::Ip4Trie, "1.2.3.5\n1.2.3.6\n", &[]),
        (Kind::Ip4Trie, "1.2.3.4\n1.2.3.5\n", &[(1, 1, "note", "mergeable")]),
        (Kind::Ip4Set, "$MAXRANGE4 1\n1.2.3.4\n1.2.3.5\n", &[]),
        (Kind::Ip4Set, "127.0.0.1\n", &[(1, 1, "error", "never-listed")]),
        (Kind::Ip4Set, "127.0.0.0/24\n!127.0.0.1\n", &[]),
        (Kind::Dnset, "invalid\n", &[(1, 1, "error", "never-listed")]),
        (Kind::Dnset, "a.example\n.example\n", &[(1, 1, "warning", "covered")]),
        (Kind::Dnset, "!a.b.example\n!.b.example\n.example\n", &[]),
        (Kind::Dnset, "10.0.0.1\n", &[(1, 9, "warning", "address-in-names")]),
        (Kind::Ip6Trie, "::ffff:102:304\n", &[(1, 1, "warning", "v4-mapped")]),
        (Kind::Ip6Trie, "::ffff:7f00:2\n", &[]),
        (Kind::Ip4Set, "1.2.3.4 - 1.2.3.9\n", &[(1, 18, "warning", "range")]),
        (Kind::Ip4Set, "1.2.3.4:25\n", &[(1, 8, "warning", "port")]),
        (Kind::Ip4Set, "1.2.3.4 OK\n", &[(1, 8, "warning", "map-word")]),
        (Kind::Ip4Set, "1.2.3.9/24\n", &[(1, 11, "error", "host-bits")]),
        (Kind::Ip4Set, "1.2.3.4", &[(1, 8, "warning", "no-newline")]),
        (Kind::Ip4Set, "$0 x\n1.2.3.4 y\n", &[(1, 1, "warning", "unused-variable")]),
        (Kind::Ip4Set, "1.2.3.4 $4\n", &[(1, 9, "warning", "unset-variable")]),
        (Kind::Ip4Set, &long, &[(1, 9, "warning", "long-text")]),
        (Kind::Ip4Set, &many, &[(1, 1, "warning", "many-values")]),
        (Kind::Ip4Set, "$TIMESTAMP x\n1.2.3.4\n", &[(1, 12, "error", "special")]),
        (Kind::Combined, "1.2.3.4\n", &[(1, 1, "error", "file")]),
        (
            Kind::Ip4Set,
            "0.0.0.0 a.example\n0.0.0.0 b.example\n0.0.0.0 c.example\n",
            &[(0, 1, "error", "other-form")],
        ),
    ] {
        let shown = if text.len() < 100 { text } else { &text[..20] };
        assert_eq!(told(text, kind), want, "{kind} {shown:?}");
    }
}

#[test]
fn a_list_without_a_test_entry_is_noted() {
    let rules = |text: &str, kind| {
        let report = lint(text.as_bytes(), Some(&ListForm::of(kind)), 5);
        report.shown.iter().any(|it| it.rule == "test-entry")
    };
    assert!(rules("1.2.3.4\n", Kind::Ip4Set) && rules("a.example\n", Kind::Dnset));
    assert!(!rules("127.0.0.0/24\n!127.0.0.1\n", Kind::Ip4Set) && !rules("test\n", Kind::Dnset));
    assert!(!rules("0cc175b9c0f1b6a831c399e269772661\n", Kind::Hashset));
    assert!(!rules("", Kind::Ip4Set) && !rules("2001:db8::/32\n", Kind::Ip6Trie));
}

#[test]
fn what_is_shown_is_bounded_and_all_is_counted() {
    let text: String = (0..40).map(|n| format!("1.2.3.{}\n", n % 20 * 2)).collect();
    let report = lint(text.as_bytes(), None, 7);
    let lines: Vec<_> = report.shown.iter().map(|it| it.line).collect();
    assert_eq!(lines, [0, 21, 22, 23, 24, 25, 26, 27]);
    let not_shown = NotShown { weight: Weight::Warning, rule: "repeated", count: 13 };
    assert_eq!((report.counts, report.not_shown), ([0, 20, 1], vec![not_shown]));
    let text = "x\n".repeat(40);
    let report = lint(text.as_bytes(), Some(&ListForm::of(Kind::Ip4Set)), 7);
    assert_eq!((report.counts, report.not_shown[0].count), ([40, 0, 0], 33));
}

fn fixed(text: &str, kind: Kind) -> String {
    String::from_utf8(fix(text.as_bytes(), &ListForm::of(kind)).text).unwrap()
}

#[test]
fn keys_are_written_as_they_are_read() {
    for (kind, text, want) in [
        (Kind::Ip4Set, " 1.2.3.4 - 1.2.3.9 :2:x\r\n", " 1.2.3.4-1.2.3.9 :2:x\r\n"),
        (Kind::Ip4Set, "!1.2.3.0/255.255.255.0 # x\n", "!1.2.3.0/24 # x\n"),
        (Kind::Ip4Set, "1.2.3.0 1.2.3.255 24 9 X\n", "1.2.3.0/24 # 1.2.3.0 1.2.3.255 24 9 X\n"),
        (Kind::Ip4Trie, "1.2.3.4-9 x\n", "1.2.3.4-1.2.3.9 x\n"),
        (Kind::Ip4Trie, "::ffff:102:304 x\n", "1.2.3.4 x\n"),
        (Kind::Ip4Trie, "! ::ffff:1.2.3.0/120\n", "!1.2.3.0/24\n"),
        (Kind::Ip6Trie, "1:: - 1::ffff x\n", "1::/112 x\n"),
        (Kind::Ip4Set, "0.0.0.0 - 255.255.255.255\n", "0.0.0.0 - 255.255.255.255\n"),
        (Kind::Ip4Set, "1.2.3.4\n1.2.3.9", "1.2.3.4\n1.2.3.9\n"),
        // Perhaps the line is cut, and is not read.
        (Kind::Ip4Set, "1.2.3.4\n1.2", "1.2.3.4\n1.2"),
        (Kind::Ip4Set, "# a\n1.2.3.4\n# b\n1.2.3.4\n", "# a\n1.2.3.4\n# b\n"),
        (Kind::Generic, "a A 1.2.3.4\na A 1.2.3.4\n", "a A 1.2.3.4\na A 1.2.3.4\n"),
    ] {
        assert_eq!(fixed(text, kind), want, "{kind} {text:?}");
    }
}

#[test]
fn entries_side_by_side_are_put_together() {
    for (kind, text, want) in [
        (Kind::Ip4Set, "1.2.3.4 x\n9.9.9.9 x\n1.2.3.5 x\n", "1.2.3.4/31 x\n9.9.9.9 x\n"),
        (Kind::Ip4Set, "1.2.3.4\r\n1.2.3.5\r\n1.2.3.6\r\n", "1.2.3.4-1.2.3.6\r\n"),
        (Kind::Ip4Trie, "1.2.3.4\n1.2.3.5\n1.2.3.6\n", "1.2.3.4/31\n1.2.3.6\n"),
        (Kind::Ip4Trie, "1.2.2.0/24 :3:x\n1.2.3.0/24 :3:x\n", "1.2.2.0/23 :3:x\n"),
        (Kind::Ip6Trie, "1::/64\n1:0:0:1::/64\n", "1::/63\n"),
        // Another comment, another value, an exclusion, an end: the line says more than its key.
        (Kind::Ip4Set, "1.2.3.4 # a\n1.2.3.5 # b\n", "1.2.3.4 # a\n1.2.3.5 # b\n"),
        (Kind::Ip4Set, "1.2.3.4 a\n1.2.3.5 b\n", "1.2.3.4 a\n1.2.3.5 b\n"),
        (Kind::Ip4Set, "!1.2.3.4\n!1.2.3.5\n", "!1.2.3.4\n!1.2.3.5\n"),
        (
            Kind::Ip4Set,
            "1.2.3.4 @ expires=2100-01-01\n1.2.3.5 @ expires=2100-01-01\n",
            "1.2.3.4 @ expires=2100-01-01\n1.2.3.5 @ expires=2100-01-01\n",
        ),
        (Kind::Ip4Set, ":2:a\n1.2.3.4\n:3:b\n1.2.3.5\n", ":2:a\n1.2.3.4\n:3:b\n1.2.3.5\n"),
        (Kind::Ip4Set, "$MAXRANGE4 /32\n1.2.3.4\n1.2.3.5\n", "$MAXRANGE4 /32\n1.2.3.4\n1.2.3.5\n"),
        (Kind::Ip4Tset, "1.2.3.4\n1.2.3.5\n", "1.2.3.4\n1.2.3.5\n"),
        (Kind::Dnset, "a.example\nb.example\n", "a.example\nb.example\n"),
        // What is written anew is put together, too.
        (Kind::Ip4Set, "1.2.3.4 - 1.2.3.7\n1.2.3.8/29\n", "1.2.3.4-1.2.3.15\n"),
    ] {
        assert_eq!(fixed(text, kind), want, "{kind} {text:?}");
    }
}

fn parse(kind: Kind, text: &[u8]) -> Parsed {
    let mut parser = Parser::new(kind, entries::options(&ListForm::of(kind)));
    parser.start_file();
    parser.feed(text).and_then(|()| parser.end_file()).unwrap();
    parser.finish()
}

/// Every range and name that is asked for, with its values.
fn listing(kind: Kind, text: &[u8]) -> Vec<String> {
    let parsed = parse(kind, text);
    let values = |answer| {
        let values = parsed.answers.get(answer).values();
        let mut values: Vec<_> = values.map(|it| format!("{} {:?}", it.a, it.text)).collect();
        values.sort();
        values.join(" ")
    };
    let mut all = Vec::new();
    if let Some(ip4) = &parsed.ip4 {
        all.extend(ip4.ranges().map(|it| format!("{}-{} {}", it.start, it.end, values(it.answer))));
    }
    if let Some(ip6) = &parsed.ip6 {
        all.extend(ip6.ranges().map(|it| format!("{}-{} {}", it.start, it.end, values(it.answer))));
    }
    let labels = ["", "a.", "b.", "a.b.", "b.a.", "x.", "x.a.", "a.a.b."];
    for name in
        labels.iter().flat_map(|head| [format!("{head}example"), format!("{head}b.example")])
    {
        let name: NameBuf = name.parse().unwrap();
        let found = parsed.names.as_ref().map(|names| names.lookup(name.as_wire()));
        all.push(match found {
            Some(NameLookup::Listed { answer, .. }) => format!("{name} {}", values(answer)),
            other => format!("{name} {other:?}"),
        });
    }
    all
}

const LINES: [&str; 40] = [
    "1.2.3.4",
    "1.2.3.5",
    "1.2.3.4/31",
    "1.2.3.0/24",
    "1.2.3.0-1.2.3.9",
    "1.2.3.4 - 1.2.3.9",
    "1.2.3.2-7",
    "1.2.0.0/16",
    "1.2/16",
    "!1.2.3.4",
    "!1.2.3.0/24",
    "! 1.2.3.4-1.2.3.6",
    "1.2.3.0/255.255.255.0",
    "1.2.3.0 1.2.3.255 24 x",
    "1.2.3.4 1.2.3.9",
    "1.2.3.4:25",
    "::ffff:1.2.3.4",
    "::ffff:102:304",
    "::ffff:1.2.3.0/120",
    "!::ffff:102:304",
    "1::/32",
    "1::1",
    "1::-1::ffff",
    "1::1 - 1::1",
    "!1::1",
    "1:0:0:0",
    "!1:0:0:0:0:0:0:1",
    "example",
    ".example",
    "*.example",
    "b.example",
    ".b.example",
    "*.b.example",
    "a.b.example",
    "!a.b.example",
    "!.b.example",
    ":3:y",
    ":2:",
    "# x",
    "$MAXRANGE4 /24",
];

fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(
        &[
            Kind::Ip4Set,
            Kind::Ip4Tset,
            Kind::Ip4Trie,
            Kind::Ip6Tset,
            Kind::Ip6Trie,
            Kind::Dnset,
            Kind::Mixed,
        ][..],
    )
}

fn files() -> impl Strategy<Value = Vec<u8>> {
    let value = prop::sample::select(&["", " :2:", " :3:y", " y", " # y", ":3:y", " @ ts=5"][..]);
    let end = prop::sample::select(&["\n", "\n", "\n", "\r\n"][..]);
    let line = (prop::sample::select(&LINES[..]), value, end);
    let lines = prop::collection::vec(line, 0..14);
    (lines, any::<bool>()).prop_map(|(lines, has_end)| {
        let lines: String = lines
            .into_iter()
            .map(|(key, value, end)| match key.starts_with([':', '#', '$']) {
                true => format!("{key}{end}"),
                false => format!("{key}{value}{end}"),
            })
            .collect();
        let text = if has_end { &lines[..] } else { lines.trim_end() };
        text.as_bytes().to_vec()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// A mended file lists what it listed, and there is nothing more to mend.
    #[test]
    fn mending_changes_nothing_of_the_listing(kind in kinds(), text in files()) {
        let form = ListForm::of(kind);
        let mended = fix(&text, &form);
        let shown = String::from_utf8_lossy(&mended.text);
        prop_assert_eq!(listing(kind, &mended.text), listing(kind, &text), "{}", shown);
        let again = fix(&mended.text, &form);
        prop_assert!(!again.is_changed(), "{}", String::from_utf8_lossy(&again.text));
        prop_assert_eq!(mended.is_changed(), mended.text != text);
        // What was told of entries that say nothing new is not told any more.
        let report = lint(&mended.text, Some(&form), 5);
        let is_mended = |rule: &str| matches!(rule, "repeated" | "covered");
        prop_assert!(!report.shown.iter().any(|it| is_mended(it.rule)), "{report:?}");
    }

    /// Any bytes, with any type.
    #[test]
    fn no_bytes_are_too_odd(
        kind in kinds(),
        bytes in prop::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(&b"0123456789.:/-!#;$\n\n\n \t\r\0abf*"[..])], 0..200),
    ) {
        for form in [None, Some(ListForm::of(kind))] {
            let report = lint(&bytes, form.as_ref(), 3);
            let [errors, warnings, notes] = report.counts;
            let shown = report.shown.len() as u64;
            let more: u64 = report.not_shown.iter().map(|it| it.count).sum();
            prop_assert_eq!(errors + warnings + notes, shown + more);
            for it in &report.shown {
                let quote = it.quote.as_ref();
                prop_assert!(quote.is_none_or(|quote| quote.before <= quote.text.chars().count() || it.line > 0));
            }
            let _ = fix(&bytes, &report.form);
        }
    }
}
