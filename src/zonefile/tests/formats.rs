//! Lists in other forms than rbldnsd's, and of several kinds of keys, from the text to what is listed.

use super::super::*;
use crate::trie::names::NameLookup;
use std::net::{IpAddr, Ipv4Addr};

fn parse(kind: Kind, format: Format, text: &str) -> Parsed {
    let options = Options { format, ..Options::default() };
    let mut parser = Parser::new(kind, options);
    parser.start_file();
    // In two pieces, so that some line is cut.
    let (head, tail) = text.as_bytes().split_at(text.len() / 2);
    parser.feed(head).unwrap();
    parser.feed(tail).unwrap();
    parser.end_file().unwrap();
    parser.finish()
}

/// The A value and the text of an address or a name, if it is listed.
fn ask(parsed: &Parsed, key: &str) -> Option<(Ipv4Addr, String)> {
    let answer = match key.parse() {
        Ok(IpAddr::V4(address)) => {
            let trie = parsed.ip4.clone()?.into_trie(1);
            trie.lookup(address.to_bits())
        }
        Ok(IpAddr::V6(address)) => {
            let trie = parsed.ip6.clone()?.into_trie();
            trie.lookup(address.to_bits())
        }
        Err(_) => {
            let name = crate::wire::name::NameBuf::from_text(key.as_bytes()).unwrap();
            match parsed.names.as_ref()?.lookup(name.as_wire()) {
                NameLookup::Listed { answer, .. } => answer,
                _ => return None,
            }
        }
    };
    let value = parsed.answers.get(answer).values().next()?;
    Some((value.a, String::from_utf8_lossy(&value.text.whole()).into_owned()))
}

fn is_listed(parsed: &Parsed, key: &str) -> bool {
    ask(parsed, key).is_some()
}

fn reasons(parsed: &Parsed) -> Vec<(u32, u32, Mistake)> {
    let place = |bad: &Diagnostic| (bad.line, bad.column, bad.reason);
    parsed.diagnostics.kept.iter().map(place).collect()
}

#[test]
fn a_hosts_file_lists_its_names() {
    let parsed = parse(
        Kind::Dnset,
        Format::Hosts,
        "# x\r\n127.0.0.1 localhost\r\n0.0.0.0 Bad.Example worse.example\r\n0.0.0.0 192.0.2.1\n0.0.0.0 a..b\n",
    );
    assert_eq!(parsed.entries, 2);
    assert!(is_listed(&parsed, "bad.example") && is_listed(&parsed, "worse.example"));
    assert!(!is_listed(&parsed, "www.bad.example") && !is_listed(&parsed, "localhost"));
    assert_eq!(reasons(&parsed), [(5, 9, Mistake::NoKey)]);
    assert_eq!(parsed.diagnostics.kept[0].excerpt.as_deref(), Some("0.0.0.0 a..b"));
}

#[test]
fn filter_rules_list_what_is_below_and_exceptions_do_not() {
    let text = "||bad.example^$third-party\n@@||good.bad.example^\n";
    let parsed = parse(Kind::Dnset, Format::Adblock, text);
    assert!(is_listed(&parsed, "bad.example") && is_listed(&parsed, "www.bad.example"));
    assert!(!is_listed(&parsed, "good.bad.example") && !is_listed(&parsed, "x.good.bad.example"));
}

#[test]
fn spamhaus_drop_is_read_with_its_texts_and_what_it_says_of_itself() {
    let text = "{\"cidr\":\"192.0.2.0/24\",\"sblid\":\"SBL1\",\"rir\":\"x\"}\n\
                {\"cidr\":\"2001:db8::/32\",\"sblid\":\"SBL2\"}\n\
                {\"type\":\"metadata\",\"timestamp\":1764460800,\"records\":2}\n";
    let parsed = parse(Kind::Ip4Trie, Format::Jsonl, text);
    assert_eq!((parsed.entries, reasons(&parsed)), (2, vec![]));
    assert_eq!(ask(&parsed, "192.0.2.7"), Some((Ipv4Addr::new(127, 0, 0, 2), "SBL1".into())));
    assert_eq!(ask(&parsed, "2001:db8::7").map(|(_, text)| text).as_deref(), Some("SBL2"));
    assert_eq!(parsed.stated, Stated { records: Some(2), timestamp: Some(1_764_460_800) });
    assert_eq!(parsed.stamp, Some(1_764_460_800));
}

/// A list of names took the address of each, which it refuses.
#[test]
fn a_list_takes_the_field_that_it_lists() {
    let text = "{\"ip\":\"192.0.2.1\",\"domain\":\"bad.example\"}\n";
    let listed = |kind| {
        let parsed = parse(kind, Format::Jsonl, text);
        assert_eq!(parsed.diagnostics.total, 0, "{kind}");
        ["192.0.2.1", "bad.example"].map(|key| is_listed(&parsed, key))
    };
    assert_eq!(listed(Kind::Dnset), [false, true]);
    assert_eq!(listed(Kind::Mixed), [true, false]);
    assert_eq!(listed(Kind::Ip4Set), [true, false]);
}

/// The rest of the file was one record, and was dropped without a word.
#[test]
fn a_parenthesis_that_is_not_closed_refuses_the_zone() {
    let end = |text: &str| {
        let options = Options { format: Format::Rpz, ..Options::default() };
        let mut parser = Parser::new(Kind::Dnset, options);
        parser.start_file();
        parser.feed(text.as_bytes()).unwrap();
        parser.end_file().map_err(|fatal| fatal.to_string())
    };
    let head = "$TTL 60\n@ SOA a. b. ( 1 2\n3 4 5 )\n";
    assert_eq!(end(&format!("{head}bad.example CNAME .\n")), Ok(()));
    let told = "line 4: the parenthesis at column 19 is not closed up to the end of the file";
    let text = format!("{head}bad.example CNAME (.\nworse.example CNAME .\n");
    assert_eq!(end(&text), Err(told.to_owned()));
}

#[test]
fn a_key_of_another_kind_is_told() {
    let parsed = parse(Kind::Dnset, Format::Urls, "http://192.0.2.1/x\nhttp://bad.example/\n");
    assert_eq!((parsed.entries, reasons(&parsed).len()), (1, 1));
    let parsed =
        parse(Kind::Ip4Set, Format::Csv, "ip,x\n192.0.2.1,1\nbad.example,2\n192.0.2.9/24,3\n");
    assert_eq!((parsed.entries, reasons(&parsed).len()), (1, 2));
}

#[test]
fn names_of_other_scripts_are_listed_as_they_are_asked() {
    let parsed = parse(Kind::Dnset, Format::Domains, "b\u{fc}cher.example.\n");
    assert!(is_listed(&parsed, "xn--bcher-kva.example"));
}

#[test]
fn a_mixed_file_lists_each_key_where_it_belongs() {
    let text = ":127.0.0.4:default $\n192.0.2.7\n2001:db8::7\n198.51.100.0/24 :5:range\n\
                2001:db8:1::/48\nbad.example\n.worse.example :6:name\n!198.51.100.9\n\
                3com.example\nfade.cafe :7:hex\n!ok.worse.example\n";
    let parsed = parse(Kind::Mixed, Format::Rbldnsd, text);
    assert_eq!((parsed.entries, reasons(&parsed)), (10, vec![]));
    let a = |key| ask(&parsed, key).map(|(a, _)| a.octets()[3]);
    assert_eq!(a("192.0.2.7"), Some(4));
    assert_eq!(a("192.0.2.8"), None);
    assert_eq!(a("2001:db8::7"), Some(4));
    assert_eq!(a("2001:db8:1:2::3"), Some(4));
    assert_eq!((a("198.51.100.7"), a("198.51.100.9")), (Some(5), None));
    assert_eq!((a("bad.example"), a("x.bad.example")), (Some(4), None));
    assert_eq!((a("x.worse.example"), a("ok.worse.example")), (Some(6), None));
    assert_eq!((a("3com.example"), a("fade.cafe")), (Some(4), Some(7)));
}

#[test]
fn a_mixed_dataset_takes_every_form() {
    let parsed = parse(
        Kind::Mixed,
        Format::Urls,
        "http://192.0.2.1/x\nhttp://[2001:db8::1]/\nbad.example/x\n",
    );
    assert_eq!((parsed.entries, reasons(&parsed)), (3, vec![]));
    assert!(["192.0.2.1", "2001:db8::1", "bad.example"].iter().all(|key| is_listed(&parsed, key)));
    let parsed =
        parse(Kind::Mixed, Format::Csv, "192.0.2.1-192.0.2.6,x\n2001:db8::/64,y\nbad.example,z\n");
    assert_eq!((parsed.entries, reasons(&parsed)), (3, vec![]));
    assert!(is_listed(&parsed, "192.0.2.6") && !is_listed(&parsed, "192.0.2.7"));
    // Filters and lists of names have some addresses among their names.
    for (format, text) in [
        (Format::Adblock, "||192.0.2.1^\n||bad.example^\n@@||2001:db8::1^\n"),
        (Format::Domains, "192.0.2.1\nbad.example\n"),
    ] {
        let parsed = parse(Kind::Mixed, format, text);
        assert!(is_listed(&parsed, "192.0.2.1") && is_listed(&parsed, "bad.example"), "{format}");
        let parsed = parse(Kind::Dnset, format, text);
        assert_eq!(reasons(&parsed)[0].2, Mistake::NoKey, "{format}");
    }
}
