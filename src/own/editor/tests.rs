use super::*;
use proptest::prelude::*;

/// 2026-11-30T13:05Z
const NOW: u64 = 1_796_043_900;
const WEEK: u64 = 7 * 86_400;

fn note(until: Option<u64>, reason: &str) -> Note<'_> {
    Note { now: NOW, until, reason }
}

fn key(kind: Kind, typed: &str) -> LineKey {
    Editor::key(kind, typed).unwrap()
}

/// The file after something was done with it.
fn edited(kind: Kind, text: &str, edit: impl FnOnce(&mut Editor<'_>)) -> String {
    let mut editor = Editor::new(kind, text.as_bytes());
    edit(&mut editor);
    String::from_utf8(editor.into_bytes()).unwrap()
}

fn added(kind: Kind, text: &str, typed: &str, note: Note<'_>) -> String {
    edited(kind, text, |editor| {
        editor.add(&key(kind, typed), note);
    })
}

#[test]
fn an_entry_is_added_at_the_end_with_its_date_and_reason() {
    let ticket = note(Some(NOW + WEEK), "ticket 4711");
    let line = "192.0.2.7 @ expires=2026-12-07T13:05Z  # 2026-11-30: ticket 4711";
    assert_eq!(added(Kind::Ip4Trie, "", "192.0.2.7", ticket), format!("{line}\n"));
    assert_eq!(added(Kind::Ip4Trie, "# own\n", "192.0.2.7", ticket), format!("# own\n{line}\n"));
    let open = added(Kind::Ip4Trie, "10.0.0.1", "192.0.2.7", ticket);
    assert_eq!(open, format!("10.0.0.1\n{line}\n"));
    let crlf = added(Kind::Ip4Trie, "10.0.0.1\r\n", "192.0.2.7", ticket);
    assert_eq!(crlf, format!("10.0.0.1\r\n{line}\r\n"));
    let bare = note(None, "");
    for (kind, typed, line) in [
        (Kind::Ip4Trie, "2001:db8::/32", "2001:db8::/32  # 2026-11-30\n"),
        (Kind::Ip4Set, "192.0.2.3-192.0.2.9", "192.0.2.3-192.0.2.9  # 2026-11-30\n"),
        (Kind::Dnset, ".Example.ORG", ".example.org  # 2026-11-30\n"),
        (Kind::Mixed, "*.example.org", "*.example.org  # 2026-11-30\n"),
    ] {
        assert_eq!(added(kind, "", typed, bare), line);
    }
}

#[test]
fn an_entry_that_is_there_is_renewed_in_its_place() {
    let text = "# one\n192.0.2.7  # 2025-01-01: old\n192.0.2.8\n";
    let new = added(Kind::Ip4Trie, text, "192.0.2.7", note(Some(NOW + WEEK), ""));
    let line = "192.0.2.7 @ expires=2026-12-07T13:05Z  # 2026-11-30: old";
    assert_eq!(new, format!("# one\n{line}\n192.0.2.8\n"));
    let again = added(Kind::Ip4Trie, &new, "192.0.2.7", note(None, "new"));
    assert_eq!(again, "# one\n192.0.2.7  # 2026-11-30: new\n192.0.2.8\n");
    for (line, until, want) in [
        ("  192.0.2.7 :3:see $", None, "  192.0.2.7 :3:see $ @ expires=never  # 2026-11-30"),
        (
            "192.0.2.7 :3:see $",
            Some(NOW),
            "192.0.2.7 :3:see $ @ expires=2026-11-30T13:05Z  # 2026-11-30",
        ),
        (
            "192.0.2.7 x @ key=require;expires=2026-01-01 # 2025-01-01: a",
            None,
            "192.0.2.7 x @ key=require  # 2026-11-30: a",
        ),
        (
            "192.0.2.7 x @ delay=2",
            Some(NOW),
            "192.0.2.7 x @ expires=2026-11-30T13:05Z;delay=2  # 2026-11-30",
        ),
        ("!192.0.2.7", None, "192.0.2.7  # 2026-11-30"),
        ("192.0.2.7 # asked by joe @ home", None, "192.0.2.7  # 2026-11-30: asked by joe @ home"),
    ] {
        let new = added(Kind::Ip4Trie, &format!("{line}\r\n"), "192.0.2.7", note(until, ""));
        assert_eq!(new, format!("{want}\r\n"));
    }
}

#[test]
fn what_a_wider_entry_covers_is_told() {
    let text = "192.0.0.0/16\n192.0.2.0/24 # 2026-01-01: net\n192.0.2.0/25 @ expires=2026-01-01\n";
    let mut editor = Editor::new(Kind::Ip4Trie, text.as_bytes());
    let host = key(Kind::Ip4Trie, "192.0.2.7");
    let Removed::Absent { covered_by: Some(wide) } = editor.remove(&host, NOW) else { panic!() };
    assert_eq!(
        (wide.key.to_string(), wide.line, &wide.reason[..]),
        ("192.0.2.0/24".into(), 2, "net")
    );
    let told = editor.add(&host, note(None, ""));
    assert_eq!((told.before, told.covered_by), (None, Some(wide)));
    let names = "*.example.org\n";
    let mut editor = Editor::new(Kind::Dnset, names.as_bytes());
    let covered = |name: &str, editor: &mut Editor<'_>| {
        matches!(
            editor.remove(&key(Kind::Dnset, name), NOW),
            Removed::Absent { covered_by: Some(_) }
        )
    };
    assert!(covered("a.example.org", &mut editor) && covered(".b.example.org", &mut editor));
    assert!(!covered("example.org", &mut editor) && !covered(".example.org", &mut editor));
    assert!(!covered("badexample.org", &mut editor));
}

#[test]
fn what_has_expired_is_taken_out_and_told() {
    let text = "# 1\n10.0.0.1 @ expires=2026-11-30T13:05Z # 2026-11-29: a\n10.0.0.2 @ expires=2026-11-30T13:06Z\n!10.0.0.3 @ expires=2020-01-01\n";
    let mut editor = Editor::new(Kind::Ip4Trie, text.as_bytes());
    let dropped = editor.drop_expired(NOW);
    assert_eq!(
        dropped.iter().map(|entry| (entry.line, &entry.reason[..])).collect::<Vec<_>>(),
        [(2, "a"), (4, "")]
    );
    assert_eq!(editor.into_bytes(), b"# 1\n10.0.0.2 @ expires=2026-11-30T13:06Z\n");
}

#[test]
fn only_keys_are_keys() {
    for typed in [
        "192.0.2.7/24",
        "192.0.2.7 # x",
        "192.0.2.7 :2",
        "!192.0.2.7",
        "",
        "#",
        "$TTL 5",
        ":2:x",
        "x y",
    ] {
        assert!(Editor::key(Kind::Ip4Trie, typed).is_err(), "{typed}");
    }
}

/// Keys of which some cover others.
fn keys() -> impl Strategy<Value = String> {
    let addresses = (0u8..4, 0u8..4, prop::sample::select(vec![32u8, 31, 30, 24]));
    addresses.prop_map(|(c, d, len)| {
        let address = u32::from_be_bytes([10, 0, c, d]);
        let address = u64::from(address) >> (32 - len) << (32 - len);
        let address = std::net::Ipv4Addr::from_bits(address as u32);
        if len == 32 { address.to_string() } else { format!("{address}/{len}") }
    })
}

/// Files as people and others write them.
fn files() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
            keys().prop_map(String::into_bytes),
            (keys(), "[ -~]{0,20}").prop_map(|(key, rest)| format!("{key} {rest}").into_bytes()),
            keys().prop_map(|key| format!("!{key}").into_bytes()),
            keys().prop_map(
                |key| format!("{key} :2:x @ expires=2030-01-01 # 2026-01-01: y").into_bytes()
            ),
            prop::collection::vec(any::<u8>(), 0..30),
            "[#:$;][ -~]{0,20}".prop_map(String::into_bytes),
        ];
    let end = prop::sample::select(vec![&b"\n"[..], b"\r\n"]);
    let lines = prop::collection::vec((line, end), 0..20);
    lines
        .prop_map(|lines| lines.into_iter().flat_map(|(line, end)| [&line, end].concat()).collect())
}

/// The keys that a file lists, by a plain scan: the last word on each counts.
fn listed(text: &[u8]) -> Vec<LineKey> {
    let entries = text
        .split(|&byte| byte == b'\n')
        .filter_map(|line| EntryLine::read(Kind::Ip4Trie, line).ok()?);
    entries.filter(|entry| !entry.is_excluded).map(|entry| entry.key).collect()
}

#[test]
fn ten_thousand_networks_are_added_at_once() {
    let start = std::time::Instant::now();
    let text = edited(Kind::Ip4Trie, "10.0.0.0/9\n", |editor| {
        for net in 0..10_000u32 {
            let first = 0x0a40_0000 + net * 16;
            let added = editor.add(&LineKey::Ip4(first, first + 15), note(None, ""));
            assert_eq!(added.covered_by.map(|wide| wide.line), Some(1));
        }
    });
    assert_eq!(text.lines().count(), 10_001);
    // Each is looked up, and not compared with all others: that took ten times as long.
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

proptest! {
    /// The narrowest entry that covers a key is the one that a scan of all finds.
    #[test]
    fn what_covers_a_key_is_found(text in files(), typed in keys()) {
        let wanted = key(Kind::Ip4Trie, &typed);
        let editor = Editor::new(Kind::Ip4Trie, &text);
        let found = editor.cover(&wanted, 0);
        let covers = |entry: &OwnEntry| {
            !entry.is_excluded && entry.key != wanted && entry.key.covers(&wanted) && !entry.is_expired(0)
        };
        let all: Vec<_> = editor.entries().filter(covers).collect();
        prop_assert_eq!(found.is_some(), !all.is_empty());
        if let Some(found) = found {
            prop_assert!(covers(&found));
            let is_narrower = |other: &&OwnEntry| other.key != found.key && found.key.covers(&other.key);
            prop_assert_eq!(all.iter().find(is_narrower), None);
        }
    }
}

proptest! {
    /// A key that no line is about is added and removed, and nothing is left of it.
    #[test]
    fn what_is_added_and_removed_leaves_no_trace(text in files(), typed in keys(), reason in "[ -~]{0,40}") {
        let key = key(Kind::Ip4Trie, &typed);
        let is_new = Editor::new(Kind::Ip4Trie, &text).entries().all(|entry| entry.key != key);
        prop_assume!(is_new);
        let mut editor = Editor::new(Kind::Ip4Trie, &text);
        editor.add(&key, note(Some(NOW + WEEK), reason.trim()));
        let with = editor.into_bytes();
        prop_assert!(with.starts_with(&text));
        let last = Editor::new(Kind::Ip4Trie, &with).entries().last().unwrap();
        prop_assert_eq!((last.key.clone(), last.expires), (key.clone(), Some(NOW + WEEK)));
        prop_assert_eq!(last.added.as_deref(), Some("2026-11-30"));
        prop_assert_eq!(last.reason, reason.trim());
        let mut editor = Editor::new(Kind::Ip4Trie, &with);
        prop_assert!(matches!(editor.remove(&key, NOW), Removed::Done(_)));
        prop_assert_eq!(editor.into_bytes(), text);
    }

    /// Whatever is done, the lines about other keys stay as they are, in their order.
    #[test]
    fn other_lines_stay(text in files(), changes in prop::collection::vec((keys(), any::<bool>()), 0..6)) {
        let changed: Vec<_> = changes.iter().map(|(typed, _)| key(Kind::Ip4Trie, typed)).collect();
        let mut editor = Editor::new(Kind::Ip4Trie, &text);
        for ((_, adds), key) in changes.iter().zip(&changed) {
            if *adds {
                editor.add(key, note(None, "x"));
            } else {
                editor.remove(key, NOW);
            }
        }
        let new = editor.into_bytes();
        let others = |text: &[u8]| -> Vec<Vec<u8>> {
            let is_other = |line: &&[u8]| {
                !matches!(EntryLine::read(Kind::Ip4Trie, without_end(line)), Ok(Some(entry)) if changed.contains(&entry.key))
            };
            text.split_inclusive(|&byte| byte == b'\n').filter(is_other).map(<[u8]>::to_vec).collect()
        };
        prop_assert_eq!(others(&new), others(&text));
        // What was done last with a key counts.
        for key in &changed {
            let last = changes.iter().zip(&changed).rfind(|(_, of)| *of == key).map(|((_, adds), _)| *adds);
            prop_assert_eq!(Some(listed(&new).contains(key)), last);
        }
    }

    /// Any bytes can be edited, and stay if nothing is changed.
    #[test]
    fn any_bytes_stay(text in prop::collection::vec(any::<u8>(), 0..200)) {
        for kind in [Kind::Ip4Set, Kind::Ip4Tset, Kind::Ip6Tset, Kind::Ip6Trie, Kind::Dnset, Kind::Mixed] {
            let mut editor = Editor::new(kind, &text);
            editor.drop_expired(0);
            prop_assert_eq!(editor.entries().count() as u32 <= 200, true);
            prop_assert_eq!(editor.into_bytes(), text.clone());
        }
    }
}
