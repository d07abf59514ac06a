//! Each form by its examples; the sniffer by all of them.

use super::*;
use proptest::prelude::*;

/// The keys of all lines, written as `!` (excluded), `.` or `*.` (scope), key, `=` text; and the lines
/// that were refused.
fn read(format: Format, column: Option<&str>, text: &str) -> (Vec<String>, Vec<(usize, Unread)>) {
    let mut reader = Reader::new(Kind::Mixed, format, column).unwrap();
    let (mut keys, mut refused) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let result = reader.line(line.as_bytes(), &mut |item: Item<'_>| {
            let mark = if item.excluded { "!" } else { "" };
            let scope = match item.scope {
                Scope::Itself => "",
                Scope::Below => "*.",
                Scope::Both => ".",
            };
            let text = item.text.map(|text| format!("={}", String::from_utf8_lossy(&text)));
            let key = String::from_utf8_lossy(&item.key).into_owned();
            keys.push(format!("{mark}{scope}{key}{}", text.unwrap_or_default()));
        });
        refused.extend(result.err().map(|(_, reason)| (number + 1, reason)));
    }
    (keys, refused)
}

fn keys(format: Format, text: &str) -> Vec<String> {
    let (keys, refused) = read(format, None, text);
    assert_eq!(refused, []);
    keys
}

#[test]
fn hosts_gives_all_names_but_those_of_the_machine() {
    let text = "# a list\n127.0.0.1 localhost\n::1 ip6-localhost ip6-loopback\n0.0.0.0 0.0.0.0\n\
                0.0.0.0 bad.example worse.example # both\n0.0.0.0\tw3.example#note\n";
    assert_eq!(keys(Format::Hosts, text), ["bad.example", "worse.example", "w3.example"]);
    assert_eq!(
        keys(Format::Hosts, "0 bad.example worse.example\n"),
        ["bad.example", "worse.example"]
    );
    let (_, refused) = read(Format::Hosts, None, "bad.example\n0.0.0.0\n");
    assert_eq!(refused, [(1, Unread::NoKey), (2, Unread::NoKey)]);
}

#[test]
fn adblock_lists_names_and_what_is_below() {
    let text = "[Adblock Plus 2.0]\n! Title: x\n||bad.example^\n||worse.example^$third-party,important\n\
                @@||good.example^\n||*.w3.example^\n||w4.example\nplain.example\nbad.example##.ad\n\
                example.com#@#.ad\n";
    let listed = [
        ".bad.example",
        ".worse.example",
        "!.good.example",
        "*.w3.example",
        ".w4.example",
        "plain.example",
    ];
    assert_eq!(keys(Format::Adblock, text), listed);
    let (listed, refused) = read(
        Format::Adblock,
        None,
        "||bad.example/path\n/ads?/\n||a*b.example^\n||x.example^$removeparam=y\n\
         @@||x.example^$generichide\n||x.example^$badfilter\n",
    );
    assert!(listed.is_empty());
    assert_eq!(refused.len(), 6);
    assert_eq!(keys(Format::Adblock, "0.0.0.0 bad.example\n"), ["bad.example"]);
}

#[test]
fn urls_give_their_hosts() {
    let text = "https://bad.example/login\nworse.example/path\nw3.example:8443\n# no\n\
                http://user@evil@w4.example:80/?q\nhttp://192.0.2.7/x\nhttp://[2001:db8::7]:8080/\n2001:db8::8\n";
    let hosts = [
        "bad.example",
        "worse.example",
        "w3.example",
        "w4.example",
        "192.0.2.7",
        "2001:db8::7",
        "2001:db8::8",
    ];
    assert_eq!(keys(Format::Urls, text), hosts);
}

#[test]
fn csv_gives_one_column() {
    let text = "Domain,Kind,Date\nbad.example,x,2026-01-01\n\"worse.example\",\"y\"\n";
    assert_eq!(keys(Format::Csv, text), ["bad.example", "worse.example"]);
    assert_eq!(
        keys(Format::Csv, "bad.example;x\nworse.example;y\n"),
        ["bad.example", "worse.example"]
    );
    let text = "id,\"the \"\"host\"\"\",x\n1,\"bad.example\",\n2,worse.example,z\n3\n";
    let (keys, refused) = read(Format::Csv, Some("the \"host\""), text);
    assert_eq!(keys, ["bad.example", "worse.example"]);
    assert_eq!(refused, [(4, Unread::NoKey)]);
    let text = "# feed of today\n# id,host\n1,bad.example\n";
    assert_eq!(read(Format::Csv, Some("host"), text), (vec!["bad.example".to_owned()], vec![]));
    let (keys, refused) = read(Format::Csv, Some("nothing"), "id,host\n1,bad.example\n");
    assert!(keys.is_empty());
    assert_eq!(refused, [(1, Unread::NoColumn)]);
    // A field that goes on over lines gives no keys.
    let text = "bad.example,1\nw.example,\"2\ngoogle.example,3\n\",4\nw4.example,5\n";
    let (keys, refused) = read(Format::Csv, None, text);
    assert_eq!(keys, ["bad.example", "w4.example"]);
    assert_eq!(refused, [(2, Unread::OpenQuote)]);
    let (keys, _) = read(
        Format::Csv,
        Some("ioc"),
        "# x, ioc, y\n# \"seen\", \"ioc\"\n\"a, b\", \"bad.example\"\n",
    );
    assert_eq!(keys, ["bad.example"]);
    assert_eq!(read(Format::Csv, None, "bad.example,a;b;c\n").0, ["bad.example"]);
}

#[test]
fn json_lines_give_the_key_and_the_text() {
    let text = "{\"cidr\":\"192.0.2.0/24\",\"sblid\":\"SBL1\",\"rir\":\"x\"}\n\n\
                {\"x\":{\"cidr\":[1,null]},\"cidr\":\"2001:db8::/32\"}\n\
                {\"type\":\"metadata\",\"timestamp\":1764460800,\"records\":2}\n";
    let mut reader = Reader::new(Kind::Mixed, Format::Jsonl, None).unwrap();
    let mut count = 0;
    for line in text.lines() {
        reader.line(line.as_bytes(), &mut |_| count += 1).unwrap();
    }
    assert_eq!(count, 2);
    assert_eq!(reader.stated(), Stated { records: Some(2), timestamp: Some(1_764_460_800) });
    assert_eq!(keys(Format::Jsonl, text), ["192.0.2.0/24=SBL1", "2001:db8::/32"]);
    let (keys, _) = read(Format::Jsonl, Some("ip"), "{\"cidr\":\"x\",\"ip\":\"192.0.2.1\"}\n");
    assert_eq!(keys, ["192.0.2.1"]);
    let (keys, _) =
        read(Format::Jsonl, None, "{\"name\":\"*.a.example\"}\n{\"host\":\".b.example\"}\n");
    assert_eq!(keys, ["*.a.example", ".b.example"]);
    let (_, refused) =
        read(Format::Jsonl, None, "[]\n{\"a\":1}\n{\"cidr\":\"1.2.3.4\"} x\nnonsense\n");
    let reasons = [Unread::NotJson, Unread::NoKey, Unread::NotJson, Unread::NotJson];
    assert_eq!(refused.iter().map(|refused| refused.1).collect::<Vec<_>>(), reasons);
}

#[test]
fn a_policy_zone_lists_and_excludes_names() {
    let text = "$TTL 300\n@ SOA localhost. root.localhost. (\n 1 2 3\n 4 5 )\n NS localhost.\n\
                bad.example CNAME . ; a remark\n*.bad.example 60 IN CNAME *.\nok.example IN CNAME rpz-passthru.\n\
                dropped.example CNAME rpz-drop.\nold.example CNAME old.example.\n";
    let listed = ["bad.example", "*.bad.example", "!ok.example", "dropped.example", "!old.example"];
    assert_eq!(keys(Format::Rpz, text), listed);
    let text = "$ORIGIN rpz.example.\nbad.example.rpz.example. CNAME .\nworse.example CNAME .\n\
                elsewhere.test. CNAME .\n32.7.2.0.192.rpz-ip CNAME .\nlocal.example A 127.0.0.1\n";
    let (listed, refused) = read(Format::Rpz, None, text);
    assert_eq!(listed, ["bad.example", "worse.example"]);
    let reasons = [(4, Unread::OutOfZone), (5, Unread::NoPolicy), (6, Unread::NoPolicy)];
    assert_eq!(refused, reasons);
    let (_, refused) = read(Format::Rpz, None, "$INCLUDE x\n$GENERATE 1-3 h$.example CNAME .\n");
    assert_eq!(refused, [1, 2].map(|line| (line, Unread::OtherDirective)));
    // As BIND writes its zones.
    let text = "$ORIGIN .\nrpz.local IN SOA a. b. 1 2 3 4 5\n\tNS localhost.\n$ORIGIN com.rpz.local.\n\
                evil CNAME .\nx TXT \"listed (see; us\"\n$ORIGIN evil.org.rpz.local.\n* CNAME .\n";
    let (listed, refused) = read(Format::Rpz, None, text);
    assert_eq!(listed, ["evil.com", "*.evil.org"]);
    assert_eq!(refused, [(6, Unread::NoPolicy)]);
    let text = "rpz.example. SOA a. b. 1 2 3 4 5\nbad.example.rpz.example. CNAME .\n  CNAME .\n";
    assert_eq!(keys(Format::Rpz, text), ["bad.example", "bad.example"]);
}

#[test]
fn dnsmasq_lists_names_and_what_is_below() {
    let text = "# no\naddress=/bad.example/0.0.0.0\nserver=/a.example/.b.example/\nlocal=/c.example/\n\
                server=/ok.example/#\naddress=/null.example/#\nlocal=/*.w.example/\n\
                --address = /d.example/:: # remark\n";
    let listed = [
        ".bad.example",
        ".a.example",
        ".b.example",
        ".c.example",
        "!.ok.example",
        ".null.example",
        "*.w.example",
        ".d.example",
    ];
    assert_eq!(keys(Format::Dnsmasq, text), listed);
    let (_, refused) = read(
        Format::Dnsmasq,
        None,
        "port=53\naddress=//\nno-resolv\nserver=192.0.2.1\naddress=/a.example\n",
    );
    let reasons = [
        (1, Unread::OtherSetting),
        (2, Unread::NoKey),
        (3, Unread::OtherSetting),
        (4, Unread::OtherSetting),
        (5, Unread::NoKey),
    ];
    assert_eq!(refused, reasons);
}

#[test]
fn domains_are_one_name_a_line() {
    let text = "# no\n! no\n// no\nbad.example.\nb\u{fc}cher.example\n.both.example  remark\n\nw.example#remark\n";
    assert_eq!(
        keys(Format::Domains, text),
        ["bad.example.", "b\u{fc}cher.example", ".both.example", "w.example"]
    );
}

#[test]
fn keys_are_read_as_people_write_them() {
    let name = |text: &str| match Key::read(text.as_bytes()) {
        Some(Key::Name(name)) => name.to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!(name("B\u{fc}cher.example."), "xn--bcher-kva.example");
    assert_eq!(name("Mail_1.EXAMPLE"), "mail_1.example");
    assert_eq!(Key::read(b"192.0.2.0/255.255.255.0"), Some(Key::Prefix4(0xc000_0200, 24)));
    assert_eq!(Key::read(b"192.0.2.1 - 192.0.2.9"), Some(Key::Range4(0xc000_0201, 0xc000_0209)));
    assert_eq!(Key::read(b"2001:db8::/32"), Some(Key::Prefix6(0x2001_0db8 << 96, 32)));
    for bad in [
        "",
        ".",
        "a b",
        "404: Not Found",
        "192.0.2.999",
        "<html>",
        "192.0.2.0/33",
        "192.0.2.0/255.0.255.0",
        "a..b",
    ] {
        assert_eq!(Key::read(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn the_sniffer_knows_each_form_and_leaves_rbldnsd_alone() {
    let forms = [
        (Format::Hosts, "0.0.0.0 bad.example\n0.0.0.0 worse.example\n"),
        (Format::Hosts, "127.0.0.1 localhost\n127.0.0.1 w3.example\n"),
        (Format::Adblock, "! Title: x\n||bad.example^\n@@||good.example^\n"),
        (Format::Urls, "https://bad.example/login\nworse.example/path\nw3.example:8443\n"),
        (Format::Csv, "Domain,Kind,Date\nbad.example,x,2026-01-01\n\"w.example\",\"y\"\n"),
        (
            Format::Jsonl,
            "{\"cidr\":\"192.0.2.0/24\",\"sblid\":\"SBL1\"}\n{\"type\":\"metadata\"}\n",
        ),
        (
            Format::Rpz,
            "$TTL 60\n@ SOA a. b. 1 2 3 4 5\nbad.example CNAME .\n*.bad.example CNAME .\n",
        ),
        (Format::Dnsmasq, "address=/bad.example/0.0.0.0\n"),
        (Format::Hosts, "192.168.0.1 a.example\n10.0.0.1 b.example\nfe80::1%lo0 localhost\n"),
        (Format::Hosts, "\u{feff}0.0.0.0 bad.example\n"),
        (Format::Adblock, "[Adblock Plus 2.0]\nexample.com##.ad\n/banner/\n/ads/\n"),
        (Format::Csv, "id;name\n1;bad.example\n"),
        (Format::Jsonl, "{ \"domain\": \"bad.example\" }\n"),
        (Format::Rpz, "$TTL 60\n$ORIGIN x.\n@ SOA a. b. 1 2 3 4 5\n\tNS a.\nbad.example CNAME .\n"),
    ];
    for (format, text) in forms {
        assert_eq!(sniff(Kind::Dnset, text.as_bytes()), Some(format), "{text}");
    }
    let head = "! A remark\n!\n".repeat(1000);
    let text = format!("{head}||bad.example^\n");
    assert_eq!(sniff(Kind::Dnset, text.as_bytes()), Some(Format::Adblock));
    let hosts = b"0.0.0.0 bad.example\n0.0.0.0 worse.example\n127.0.0.1 w3.example\n";
    for kind in [Kind::Ip4Set, Kind::Ip4Tset, Kind::Ip4Trie, Kind::Mixed] {
        assert_eq!(sniff(kind, hosts), Some(Format::Hosts), "{kind}");
    }
    // Lists of an address type with a text.
    let texts = [
        "127.0.0.1 test.entry\n",
        "::1 localhost.localdomain\n",
        "0.0.0.0 do.not use\n",
        "127.0.0.1 test.entry\n::1 test.entry\n",
        "127.0.0.1 test.entry\n192.0.2.1 a.example\n192.0.2.2 b.example\n192.0.2.3 c.example\n",
    ];
    for text in texts {
        assert_eq!(sniff(Kind::Ip4Trie, text.as_bytes()), None, "{text}");
        assert_eq!(sniff(Kind::Mixed, text.as_bytes()), None, "{text}");
    }
    let own = [
        "",
        "\n",
        "# only remarks\n",
        "192.0.2.1\n192.0.2.2 :127.0.0.3:text, with commas\n",
        "127.0.0.2 Test Record\n10.0.0.0/8\n",
        "192.0.2.1,\n192.0.2.2,\n",
        "192.0.2.1:127.0.0.2:Spam,x\n192.0.2.2:127.0.0.2:Spam,y\n",
        "bad.example:2:text\nworse.example:\nw3.example#note\nw4.example,\n",
        ".bad.example :2:see http://x.example/$\n*.worse.example\n",
        ":127.0.0.2:Listed, see https://x.example/?$\n192.0.2.0/24\n",
        "$SOA 300 a. b. 1 2 3 4 5\n$NS 300 a.\nname A 192.0.2.1\n",
        "2001:db8::/32\n2001:db8:1::1\n",
        "1.2.3.4\tSpam,seen\n1.2.3.5\tSpam,seen\n",
        "bad.example :2:what CNAME . does\n",
    ];
    for text in own {
        for kind in [Kind::Dnset, Kind::Ip4Set, Kind::Generic, Kind::Mixed] {
            assert_eq!(sniff(kind, text.as_bytes()), None, "{kind} {text}");
        }
    }
}

#[test]
fn json_that_is_no_object_in_each_line_is_told() {
    for text in
        ["[{\"a\":1}]", "[\n  {\n", "\u{feff} [\"bad.example\"]\n", "[[1,2]]", "{\n  \"a\": [\n"]
    {
        assert!(is_json_text(text.as_bytes()), "{text}");
    }
    for text in ["", "[", "{\"a\":1}\n", "[Adblock Plus 2.0]\n", "192.0.2.1\n", "[2001:db8::1]\n"] {
        assert!(!is_json_text(text.as_bytes()), "{text}");
    }
}

proptest! {
    #[test]
    fn no_line_of_any_form_panics_and_keys_lie_in_the_line(
        lines in prop::collection::vec("[ -~\t\u{fc}]{0,40}", 0..8),
        form in 1usize..9,
        column in prop::option::of("[a-c]"),
    ) {
        let mut reader = Reader::new(Kind::Mixed, Format::NAMES[form].1, column.as_deref()).unwrap();
        for line in &lines {
            let line = line.as_bytes();
            let mut wrong = 0;
            let result = reader.line(line, &mut |item| {
                wrong += usize::from(item.at > line.len());
                let _ = Key::read(&item.key);
            });
            prop_assert_eq!(wrong, 0);
            prop_assert!(result.is_ok_and(|()| true) || result.is_err_and(|(at, _)| at <= line.len()));
        }
    }

    /// Names that have nothing to do with a form come back from each as they are.
    #[test]
    fn names_survive_every_form(names in prop::collection::vec("[a-z]{1,8}\\.[a-z]{2,5}", 1..20)) {
        type Write = fn(&str) -> String;
        let write: [(Format, Write); 7] = [
            (Format::Hosts, |name| format!("0.0.0.0 {name}\n")),
            (Format::Adblock, |name| format!("||{name}^$important\n")),
            (Format::Urls, |name| format!("https://{name}/path?{name}\n")),
            (Format::Csv, |name| format!("\"{name}\",\"a,b\",c\n")),
            (Format::Jsonl, |name| format!("{{\"a\":[{{}}],\"domain\":\"{name}\"}}\n")),
            (Format::Rpz, |name| format!("{name} 60 IN CNAME .\n")),
            (Format::Dnsmasq, |name| format!("address=/{name}/::\n")),
        ];
        for (format, line) in write {
            let text: String = names.iter().map(|name| line(name)).collect();
            let (keys, refused) = read(format, None, &text);
            let bare: Vec<&str> = keys.iter().map(|key| key.trim_start_matches('.')).collect();
            prop_assert_eq!(refused, vec![]);
            prop_assert_eq!(&bare, &names);
        }
    }
}
