use super::Acl;
use crate::listing::{Action, Keyword};
use crate::zonefile::{Kind, Mistake, Options, Parsed, Parser};
use std::net::IpAddr;

fn parse(kind: Kind, files: &[&str]) -> Parsed {
    let mut parser = Parser::new(kind, Options::default());
    for file in files {
        parser.start_file();
        parser.feed(file.as_bytes()).unwrap();
        parser.feed(b"\n").unwrap();
        parser.end_file().unwrap();
    }
    parser.finish()
}

fn shown(action: Option<Action<'_>>) -> String {
    match action {
        None => "nothing".to_owned(),
        Some(Action::Keyword(keyword)) => format!("{keyword:?}").to_lowercase(),
        Some(Action::Listed(answer)) => {
            let value = answer.values().next().unwrap();
            format!("{} {}", value.a, String::from_utf8_lossy(&value.text.whole()))
        }
    }
}

/// What the list has for each of these clients.
fn clients(files: &[&str], asked: &[&str]) -> Vec<String> {
    let Acl::Clients(acl) = Acl::new(parse(Kind::Acl, files).acl.unwrap()) else {
        panic!("a list of keys")
    };
    let action = |client: &&str| shown(acl.action(client.parse::<IpAddr>().unwrap()));
    asked.iter().map(action).collect()
}

/// What the list has for each of these labels, "-" for what it does not know.
fn keys(files: &[&str], asked: &[&str]) -> Vec<String> {
    let Acl::Keys(acl) = Acl::new(parse(Kind::AclKey, files).acl.unwrap()) else {
        panic!("a list of clients")
    };
    let action = |key: &&str| {
        let known = acl.known(key.as_bytes());
        if known.is_some() { shown(known) } else { format!("- {}", shown(acl.unknown())) }
    };
    asked.iter().map(action).collect()
}

fn reasons(kind: Kind, file: &str) -> Vec<(u32, Mistake)> {
    parse(kind, &[file]).diagnostics.kept.iter().map(|bad| (bad.column, bad.reason)).collect()
}

#[test]
fn actions_in_all_their_spellings() {
    for (action, want) in [
        (":ignore", "ignore"),
        (":blackhole", "ignore"),
        (":refuse", "refuse"),
        (":REFUSE", "refuse"),
        ("=refuse", "refuse"),
        (":empty", "empty"),
        (":pass", "pass"),
        (":pass:whatever", "pass"),
        (":pass ; whatever", "pass"),
        (":pass#", "pass"),
        // rbldnsd looks only as far as the word goes.
        (":r", "refuse"),
        ("=bl", "ignore"),
        ("", "ignore"),
        ("# comment", "ignore"),
        (":5", "127.0.0.5 "),
        (":127.0.0.1:go away, $", "127.0.0.1 go away, $"),
        ("go away", "127.0.0.2 go away"),
        (":2:mail us @ delay=2s", "127.0.0.2 mail us @ delay=2s"),
    ] {
        let entry = format!("1.2.3.4 {action}");
        assert_eq!(clients(&[&entry], &["1.2.3.4", "1.2.3.5"]), [want, "nothing"], "{entry}");
        assert_eq!(reasons(Kind::Acl, &entry), [], "{entry}");
        let entry = format!("key {action}");
        assert_eq!(keys(&[&entry], &["key", "ke"]), [want, "- ignore"], "{entry}");
    }
    assert_eq!(clients(&["1.2.3.4:refuse"], &["1.2.3.4"]), ["refuse"]);
    assert_eq!(keys(&["a=pass\nb:accept\nc\t:a"], &["a", "b", "c"]), ["pass"; 3]);
}

#[test]
fn what_is_refused() {
    let lines = [
        ("1.2.3.4 =nonsense", 9, Mistake::BadAction),
        ("1.2.3.4 :nonsense", 10, Mistake::BadAction),
        ("1.2.3.4 :refused", 10, Mistake::BadAction),
        ("1.2.3.4 :accept", 10, Mistake::BadAction),
        ("1.2.3.4 : refuse", 10, Mistake::BadAction),
        ("=nonsense", 1, Mistake::BadAction),
        (":nonsense", 2, Mistake::BadAction),
        ("1.2.3.4=refuse", 8, Mistake::AfterAddress),
        ("!1.2.3.4", 1, Mistake::NotAddress4),
        ("host", 1, Mistake::NotAddress4),
        ("1:2:x", 5, Mistake::NotAddress6),
        ("1.2.3.4/24", 11, Mistake::HostBits("1.2.3.0/24".parse().unwrap())),
        ("$SOA 1 a b 1 1 1 1 1", 2, Mistake::NotInAccessList),
        ("$ns 1 a", 2, Mistake::NotInAccessList),
    ];
    for (line, column, reason) in lines {
        let (_, found) = reasons(Kind::Acl, line)[0];
        assert_eq!(found, reason, "{line}");
        assert_eq!(reasons(Kind::Acl, line), [(column, reason)], "{line}");
    }
    let long = "k".repeat(64);
    assert_eq!(reasons(Kind::AclKey, &long), [(1, Mistake::LongKey)]);
    assert_eq!(reasons(Kind::AclKey, "::x"), [(2, Mistake::BadAction)]);
    assert_eq!(reasons(Kind::AclKey, "key =nonsense"), [(5, Mistake::BadAction)]);
}

#[test]
fn defaults_hold_up_to_the_end_of_their_file() {
    let first = "10.1/16\n:refuse\n10.2/16\n=pass\n10.3/16\n:5:go\n10.4/16\n:6\n10.5/16\n";
    let asked = ["10.1.0.0", "10.2.0.0", "10.3.0.0", "10.4.0.0", "10.5.0.0", "10.6.0.0"];
    let want = ["ignore", "refuse", "pass", "127.0.0.5 go", "127.0.0.6 go", "ignore"];
    assert_eq!(clients(&[first, "10.6/16\n"], &asked), want);
}

#[test]
fn a_text_behind_a_keyword_default_has_the_last_value() {
    // rbldnsd takes the number of the keyword for an address, and crashes.
    let file = ":refuse\n1.1.1.1 text\n1.1.1.2 :5\n:7:seven\n:empty\n1.1.1.3 text\n1.1.1.4 :8\n";
    let want = ["127.0.0.2 text", "127.0.0.5 ", "127.0.0.7 text", "127.0.0.8 seven"];
    assert_eq!(clients(&[file], &["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"]), want);
}

#[test]
fn the_longest_prefix_counts_and_of_equal_ones_the_first() {
    let file = "0/0 :refuse\n10/8 :pass\n10.1/16 :empty\n10.1.2.3 :pass\n10/8 :ignore\n\
                ::/0 :empty\n::1 :pass\n2001:db8::/32 :refuse\n";
    let asked = ["9.9.9.9", "10.9.9.9", "10.1.1.1", "10.1.2.3", "::2", "::1", "2001:db8::1"];
    let want = ["refuse", "pass", "empty", "pass", "empty", "pass", "refuse"];
    assert_eq!(clients(&[file], &asked), want);
    let duplicate = Mistake::Duplicate("10.0.0.0/8".parse().unwrap());
    assert_eq!(reasons(Kind::Acl, file), [(1, duplicate)]);
    assert_eq!(parse(Kind::Acl, &[file]).entries, 7);
}

#[test]
fn mapped_addresses_are_ip4_addresses() {
    let file = "10.0.0.0/8 :refuse\n::ffff:c000:200/120 :pass\n::/0 :empty\n";
    let asked = ["::ffff:10.1.1.1", "192.0.2.1", "::ffff:192.0.2.1", "::ffff:9.9.9.9"];
    assert_eq!(clients(&[file], &asked), ["refuse", "pass", "pass", "nothing"]);
}

#[test]
fn what_is_no_ip4_prefix_may_be_an_ip6_prefix_without_a_colon() {
    assert_eq!(clients(&["10/88 :refuse"], &["10.0.0.1", "10::1"]), ["nothing", "refuse"]);
}

#[test]
fn keys_have_no_letter_case_and_the_last_of_equal_ones_counts() {
    let file = ":refuse\nOne :pass\ntwo\ntwo :pass\nthree :pass\nThree :empty\n";
    let want = ["pass", "pass", "empty", "- refuse"];
    assert_eq!(keys(&[file], &["one", "two", "three", "four"]), want);
    assert_eq!(
        reasons(Kind::AclKey, file),
        [(5, Mistake::DuplicateKey), (7, Mistake::DuplicateKey)]
    );
    assert_eq!(
        keys(&["a\n", ":pass\nb\n", "c\n"], &["a", "b", "c", "d"]),
        ["ignore", "pass", "ignore", "- pass"]
    );
}

#[test]
fn punctuation_is_no_danger() {
    // The fork crashed on such files.
    for file in ["=:=:=:\n", ":::\n=\n=\n", ": =\n::\n", "@ @\n!\n.\n,;\n", "= x\n=pass x\nx = y\n"]
    {
        for kind in [Kind::Acl, Kind::AclKey] {
            assert!(parse(kind, &[file]).acl.is_some());
        }
    }
}

#[test]
fn equal_lists_have_equal_numbers_whatever_their_order() {
    let number = |file| {
        let Acl::Keys(acl) = Acl::new(parse(Kind::AclKey, &[file]).acl.unwrap()) else { panic!() };
        format!("{acl:?}")
    };
    let keyword = Keyword::Pass.id();
    assert_eq!(keyword.0, 4);
    assert_eq!(number("a :2:x\n:pass\n"), number(":pass\na :2:x\n"));
}
