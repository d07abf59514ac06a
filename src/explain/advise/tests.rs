use super::filter::Test;
use super::judge::AdviceFault;
use super::*;
use std::net::Ipv4Addr;

fn code(last: u8, addresses: u64, names: u64) -> Code {
    Code {
        a: Ipv4Addr::new(127, 0, 0, last),
        ip4_addresses: addresses,
        ip4_ranges: addresses,
        ip6_ranges: 0,
        names,
        text: "Listed".to_owned(),
        lets_in: false,
        sum: None,
    }
}

fn zone(name: &str, codes: Vec<Code>) -> ZoneCodes {
    ZoneCodes {
        zone: name.to_owned(),
        addresses: codes.iter().any(|code| code.ip4_ranges > 0),
        names: codes.iter().any(|code| code.names > 0),
        hashes: false,
        is_incomplete: false,
        codes,
    }
}

/// A blocklist of addresses, an allow list, and a list of names.
fn zones() -> Vec<ZoneCodes> {
    let allowed = Code { lets_in: true, ..code(5, 7, 0) };
    vec![
        zone("bl.example", [2, 3, 4, 10].map(|last| code(last, 1, 0)).to_vec()),
        zone("wl.example", vec![allowed]),
        zone("names.example", vec![code(2, 0, 3)]),
    ]
}

fn faults(program: ListClient, text: &str) -> Vec<(u32, AdviceFault)> {
    let asked = program.asked(text).unwrap();
    let findings = judge(&asked, &zones(), &["zen.spamhaus.org".to_owned()]);
    findings.iter().map(|finding| (finding.line, finding.fault)).collect()
}

#[test]
fn what_it_prints_is_asked_as_it_says_and_has_no_fault() {
    for program in
        [ListClient::Postfix, ListClient::Exim, ListClient::Spamassassin, ListClient::Rspamd]
    {
        let text = &program.files(&zones())[0].text;
        let asked = program.asked(text).unwrap();
        for zone in zones() {
            assert!(asked.iter().any(|place| place.zone == zone.zone), "{program:?}: {text}");
        }
        assert_eq!(faults(program, text), [], "{program:?}: {text}");
        // Each value of the data counts, and none beside it.
        let counts = |value| {
            let here = asked.iter().filter(|place| place.zone == "bl.example");
            here.into_iter().any(|place| place.filter.takes(value) == Some(true))
        };
        let counting: Vec<u8> =
            (0..=255).filter(|last| counts(Ipv4Addr::new(127, 0, 0, *last))).collect();
        assert_eq!(counting, [2, 3, 4, 10], "{program:?}: {text}");
    }
}

#[test]
fn postfix_is_judged() {
    use AdviceFault as F;
    let text = "\
smtpd_client_restrictions = permit_mynetworks,
    reject_rbl_client bl.example,
# reject_rbl_client no.example
    reject_rbl_client bl.example=127.0.0.[2..4]
    reject_rbl_client bl.example=127.0.0.9, reject_rbl_client other.example=127.0.0.2
    reject_rbl_client wl.example=127.0.0.5
    permit_dnswl_client bl.example=127.0.0.2
    reject_rbl_client names.example=127.0.0.2
    reject_rhsbl_sender bl.example=127.0.0.2
    reject_rbl_client zen.spamhaus.org=127.[0..255].[0..255].[0..255]
postscreen_dnsbl_sites = wl.example*2 wl.example=127.0.0.5*-2
";
    let expected = [
        (2, F::NoFilter),
        (5, F::NoMatch),
        (5, F::NotServed),
        (6, F::AllowRefuses),
        (7, F::BlockLetsIn),
        (8, F::AskedForAddresses),
        (9, F::AskedForNames),
        (10, F::RefusalCounts),
        (11, F::NoFilter),
        (11, F::AllowRefuses),
    ];
    assert_eq!(faults(ListClient::Postfix, text), expected);
}

#[test]
fn exim_is_judged() {
    use AdviceFault as F;
    let text = "\
accept  domains = +local_domains
        dnslists = wl.example=127.0.0.5
deny    dnslists = +defer_unknown : bl.example : \\
                   names.example=127.0.0.2/$sender_address_domain
deny    dnslists = bl.example=127.0.0.2,127.0.0.3 : bl.example!&0.0.0.128
accept  dnslists = <; bl.example&0.0.0.8 ; other.example=127.0.0.2
";
    let expected =
        [(3, F::NoFilter), (6, F::RefusalCounts), (6, F::BlockLetsIn), (6, F::NotServed)];
    assert_eq!(faults(ListClient::Exim, text), expected);
}

#[test]
fn rspamd_is_judged() {
    use AdviceFault as F;
    let text = "\
rbls {
    /* a list
       of all */
    bl { rbl = \"bl.example\"; checks = [\"from\"]; }
    \"good\" = {
        rbl = \"bl.example\";
        from = true;
        returncodes { A = \"127.0.0.2\"; B = [\"127.0.0.3\", \"127.0.0.4\"]; }
    }
    w { rbl = \"bl.example\"; is_whitelist = true; returncodes = { A = \"127.0.0.2\" } }
    n { rbl = \"names.example\"; checks = [\"from\"]; returncodes { N = \"127.0.0.2\"; } }
}
";
    let expected = [(4, F::NoFilter), (10, F::BlockLetsIn), (11, F::AskedForAddresses)];
    assert_eq!(faults(ListClient::Rspamd, text), expected);
}

#[test]
fn spamassassin_is_judged() {
    use AdviceFault as F;
    let text = "\
header __BL eval:check_rbl('bl-lastexternal', 'bl.example.')
header BL_2 eval:check_rbl_sub('bl-lastexternal', '127.0.0.2')
header BL_9 eval:check_rbl_sub('bl-lastexternal', '127.0.0.9')
header BL_RE eval:check_rbl_sub('bl-lastexternal', '^127\\.0\\.0\\.[23]$')
header ALL eval:check_rbl('all', 'bl.example.')
header WL eval:check_rbl('wl', 'wl.example.', '127.0.0.5')
score WL 2.0
urirhsbl URI names.example. A
urirhssub URI_BL bl.example. A 127.0.0.2
";
    let expected = [
        (3, F::NoMatch),
        (5, F::NoFilter),
        (6, F::AllowRefuses),
        (8, F::NoFilter),
        (9, F::AskedForNames),
    ];
    assert_eq!(faults(ListClient::Spamassassin, text), expected);
}

#[test]
fn postfix_gets_few_patterns_and_no_trust_lets_nobody_in() {
    let of_dnswl = |third: u8, last: u8| Code {
        a: Ipv4Addr::new(127, 0, third, last),
        lets_in: true,
        ..code(0, 1, 0)
    };
    let codes =
        [2, 3, 4, 9].into_iter().flat_map(|third| [0, 1, 2].map(|last| of_dnswl(third, last)));
    let zones = [zone("list.dnswl.org", codes.chain([of_dnswl(10, 3)]).collect())];
    let text = &ListClient::Postfix.files(&zones)[0].text;
    let lines: Vec<_> = text.lines().filter(|line| line.contains("permit_dnswl_client")).collect();
    let expected = [
        "    permit_dnswl_client list.dnswl.org=127.0.[2..4;9].[1..2]",
        "    permit_dnswl_client list.dnswl.org=127.0.10.3",
    ];
    assert_eq!(lines, expected);
    assert!(text.contains("stand for no trust"), "{text}");
}

#[test]
fn patterns_of_postfix_are_read() {
    let takes = |pattern: &str, value: [u8; 4]| {
        let test = Test::pattern(pattern).unwrap();
        Filter::OneOf(vec![test]).takes(value.into()) == Some(true)
    };
    assert!(takes("127.0.[0..255].[1..3;9]", [127, 0, 7, 9]));
    assert!(!takes("127.0.[0..255].[1..3;9]", [127, 0, 7, 4]));
    for bad in ["", "127.0.0", "127.0.0.2.3", "127.0.0.[2", "127.0.0.x", "127.0.0.256"] {
        assert_eq!(Test::pattern(bad), None, "{bad}");
    }
}

/// Pieces of which configurations are made, and some that no program writes.
const PIECES: &[&str] = &[
    "reject_rbl_client ",
    "permit_dnswl_client ",
    "reject_rhsbl_sender ",
    "postscreen_dnsbl_sites = ",
    "smtpd_client_restrictions =\n ",
    "dnslists = ",
    "!dnslists = ",
    "rbls {",
    "rbl = ",
    "returncodes {",
    "urirhssub ",
    "header X eval:check_rbl('a', ",
    "check_rbl_sub('a', ",
    "bl.example",
    "wl.example.",
    "[2..11]",
    "[0..255]",
    "[9..2]",
    "[1;2;",
    "=127.0.0.",
    "=127.[0..9].0.[2;4]",
    "*-3",
    "&0.0.0.255",
    "==",
    "!=&",
    "127.0.0.2",
    "'^127\\.0\\.0\\.(2|3)$'",
    "=",
    ",",
    ":",
    "<",
    "{",
    "}",
    "\"",
    "'",
    "(",
    ")",
    "\\",
    "#",
    "\n",
    "\n  ",
    " ",
    "\u{e9}",
    "\0",
];

proptest::proptest! {
    /// A configuration is of whoever wrote it.
    #[test]
    fn any_text_is_read(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40)) {
        let text = pieces.concat();
        let lines = text.split('\n').count();
        for program in ListClient::value_variants() {
            for place in program.asked(&text).unwrap_or_default() {
                assert!((1..=lines).contains(&(place.line as usize)), "{place:?}");
                assert!(text.to_ascii_lowercase().contains(&place.zone), "{place:?}");
                judge(&[place], &zones(), &[]);
            }
        }
    }
}
