//! Which lines each type takes: every row was put to rbldnsd 1.0 as well, where one exists.

use super::*;

/// Options of tests, under rbldnsd's name.
fn options() -> Options {
    Options { dialect: Dialect::Rbldnsd, ..super::options() }
}

fn accepts(kind: Kind, line: &str) -> bool {
    accepts_with(kind, options(), line)
}

fn accepts_with(kind: Kind, options: Options, line: &str) -> bool {
    let parsed = parse(kind, options, &[format!("{line}\n").as_bytes()]).unwrap();
    assert_eq!(parsed.entries + parsed.diagnostics.total, 1, "{line:?}");
    parsed.entries == 1
}

#[test]
fn ip4set_lines() {
    for line in IP4SET_GOOD {
        assert!(accepts(Kind::Ip4Set, line), "{line:?}");
    }
    for line in IP4SET_BAD {
        assert!(!accepts(Kind::Ip4Set, line), "{line:?}");
    }
}

const IP4SET_GOOD: [&str; 30] = [
    "1.2.3.4",
    "1.2.3",
    "1.2",
    "1/8",
    "1.2.3.4/32",
    "0-255",
    "0.0.0.0-255.255.255.255",
    "001.002.003.004",
    "1-2",
    "1.2-3",
    "1.2.3.4-5",
    "1.2.3-1.2.9",
    "1.2.3.4-255.255.255.255",
    "1.2.3.4-1.2.3.4",
    "!1.2.3.4",
    "! 1.2.3.4",
    "!\t1.2.3.0/24 :x:ignored",
    "1.2.3.4 text",
    "1.2.3.4\ttext",
    "1.2.3.4#comment",
    "1.2.3.4;comment",
    "1.2.3.4 # comment",
    "1.2.3.4:2:text",
    "1.2.3.4 :2:text",
    "1.2.3.4 :2",
    "1.2.3.4 :2:",
    "1.2.3.4 :2 :text",
    "1.2.3.4 :127.1:text",
    "1.2.3.4 =text",
    "1.2.3.4 - 5",
];

const IP4SET_BAD: [&str; 30] = [
    "x",
    "1",
    "0/0",
    "0.0.0.0/0",
    "1 text",
    "256.1.2.3",
    "1.2.3.4.5",
    "1.2.3.4.",
    "1.2.3.",
    ".1.2.3",
    "1.2.3.4text",
    "1.2.3.4,text",
    "1.2.3.4/33",
    "1.2.3.4/",
    "1.2.3.4/24",
    "1.2.3/23",
    "1.2.3.4/0",
    "1.2.3.4-",
    "1.2.3.4-3",
    "1.2.3.4-1.2.3",
    "1.2.3.4-5/24",
    "!",
    "!!1.2.3.4",
    "1.2.3.4 :",
    "1.2.3.4 :0:x",
    "1.2.3.4 :2 text",
    "1.2.3.4 :2 # comment",
    "1.2.3.4 :300:",
    "1.2.3.4 : 2:",
    "::1",
];

#[test]
fn host_bits_can_be_accepted() {
    let lenient = Options { accept_host_bits: true, ..options() };
    for (line, want) in [
        ("1.2.3.4/24", "1.2.3.0-1.2.3.255 127.0.0.2 "),
        ("1.2.3.4/31", "1.2.3.4-1.2.3.5 127.0.0.2 "),
    ] {
        for kind in [Kind::Ip4Set, Kind::Ip4Trie] {
            let parsed = parse(kind, lenient.clone(), &[line.as_bytes()]).unwrap();
            assert_eq!(listing4(&parsed), [want]);
        }
    }
    assert!(accepts_with(Kind::Ip6Trie, lenient.clone(), "1:2::3/64"));
    assert!(accepts_with(Kind::Ip4Trie, lenient, "1:2::3/64"));
    assert!(!accepts(Kind::Ip6Trie, "1:2::3/64"));
}

#[test]
fn max_range_bounds_sets_and_tries() {
    for (kind, line, good) in [
        (Kind::Ip4Set, "1.2.3.0/24", true),
        (Kind::Ip4Set, "1.2.3.0-1.2.4.0", false),
        (Kind::Ip4Set, "!1.2.0.0/16", false),
        (Kind::Ip4Set, "0/0", false),
        (Kind::Ip4Trie, "1.2.3.0/24", true),
        (Kind::Ip4Trie, "1.2.2.0/23", false),
        (Kind::Ip4Trie, "0/0", false),
        (Kind::Ip4Trie, "1::/16", true),
        (Kind::Ip6Trie, "1::/16", true),
    ] {
        let file = format!("$MAXRANGE4 256\n{line}");
        let parsed = parse(kind, options(), &[file.as_bytes()]).unwrap();
        assert_eq!(parsed.entries == 1, good, "{kind} {line}");
    }
}

#[test]
fn ip4tset_lines() {
    for line in ["1.2.3.4", "1.2.3.4 text", "1.2.3.4:x", "1.2.3.4 :x", "1.2.3.4#c", "01.2.3.4;"] {
        assert!(accepts(Kind::Ip4Tset, line), "{line:?}");
    }
    for line in ["1.2.3", "1.2.3.4/32", "1.2.3.4-5", "!1.2.3.4", "1.2.3.4x", "1.2.3.4.", "x", "1::"]
    {
        assert!(!accepts(Kind::Ip4Tset, line), "{line:?}");
    }
}

#[test]
fn ip4trie_lines() {
    let good = [
        "1.2.3.4",
        "1.2.3",
        "1.2",
        "1/8",
        "0/0",
        "!1.2.3.4",
        "1.2.3.4 :2:x",
        "1/8:2:x",
        "1.2:3",
        "1.2.3.0/24 ; SBL1",
        "1:2",
        "1:2::/32",
        "2001:db8::/32 text",
        "::1",
        "::/0",
        "!1::2",
        "::ffff:102:304",
        "1::2::3",
    ];
    for line in good {
        assert!(accepts(Kind::Ip4Trie, line), "{line:?}");
    }
    for line in [
        "1",
        "1-2",
        "1.2.3.4-5",
        "1.2.3.4/31x",
        "1.2.3.4/24",
        "1:2:",
        "10:2:text",
        "10/88",
        "2001/16",
        "1::/129",
        "g::",
    ] {
        assert!(!accepts(Kind::Ip4Trie, line), "{line:?}");
    }
}

#[test]
fn ip6tset_lines() {
    for line in ["1:2:3:4", "1:2:3:4 x", "1:2:3:4#", "!1:2:3:4:5:6:7:8", "! 1::2", "!::"] {
        assert!(accepts(Kind::Ip6Tset, line), "{line:?}");
    }
    for line in [
        "1:2:3",
        "1:2:3:4:5",
        "1:2:3:4::",
        "1:2:3:4/64",
        "!1:2:3:4",
        "1:2:3:4:",
        "1::2",
        "x",
        "!",
        "1:2:3:4x",
        "!1::2/128",
    ] {
        assert!(!accepts(Kind::Ip6Tset, line), "{line:?}");
    }
}

#[test]
fn ip6trie_lines() {
    for line in [
        "1:2",
        "1:2:3:4:5:6:7:8",
        "::",
        "::1",
        "1::",
        "1::/16",
        "1/16",
        "::/0",
        "!1::2",
        "! 1:2",
        "1::2:",
        "1::2::3",
        "1:2 text",
        "1:2 :3:text",
        "1:2:3:4:5:6:7:8:9:text",
        "1:2#c",
        "1::2;c",
    ] {
        assert!(accepts(Kind::Ip6Trie, line), "{line:?}");
    }
    for line in [
        "1",
        "1:",
        "1:2:",
        "12345::",
        "1::2::",
        "1:2:3:4:5:6:7::8",
        "1::/129",
        "1::/",
        "1::1/64",
        "::1.2.3.4",
        "1.2.3.4",
        "1::x",
        "1::2,",
        "1:2 :x",
        "1:2 :2 text",
        "x",
        "!",
    ] {
        assert!(!accepts(Kind::Ip6Trie, line), "{line:?}");
    }
}

#[test]
fn dnset_lines() {
    let long_label = format!("{}.example", "a".repeat(64));
    let longest_label = format!("{}.example", "a".repeat(63));
    for line in [
        "example.com",
        ".example.com",
        "*.example.com",
        "*",
        "*example",
        "!example.com",
        "! *.example.com",
        "example.com text",
        "example.com :2:text",
        "example.com #c",
        "example.com:2:x",
        "example.com.",
        "a..b",
        "..a",
        r"a\.b",
        r"\065",
        "!!x",
        "!#x",
        "*.*.x",
        &longest_label,
    ] {
        assert!(accepts(Kind::Dnset, line), "{line:?}");
    }
    for line in
        [".", "..", "*.", "!", "!.", ". example.com", "*. x", r"\256", "x :y", "x :0:", &long_label]
    {
        assert!(!accepts(Kind::Dnset, line), "{line:?}");
    }
}

#[test]
fn dnset_names_and_scopes() {
    use crate::listing::names::Scope;
    let read = |line: &str| {
        let (name, scope) = keys::scoped_name(&mut Scan::new(line.as_bytes())).unwrap();
        (name.to_string(), scope)
    };
    assert_eq!(read("Example.COM. text"), ("example.com".into(), Scope::Itself));
    assert_eq!(read(".example.com"), ("example.com".into(), Scope::Both));
    assert_eq!(read("*.example.com"), ("example.com".into(), Scope::Below));
    assert_eq!(read("*.*.x"), ("*.x".into(), Scope::Below));
    assert_eq!(read("..x"), ("x".into(), Scope::Both));
    assert_eq!(read("*x"), ("*x".into(), Scope::Itself));
}
