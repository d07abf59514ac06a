//! Any text as a list in one of the forms other than rbldnsd's: no panic, no difference between ways to
//! cut it into pieces, and of the simple forms the keys that a naive reader finds.

use super::input::Input;
use dnsbld::wire::name::NameBuf;
use dnsbld::zonefile::{EntryKey, FatalCause, Format, Kind, Options, Parser, Says, sniff};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Mutex;

const FORMATS: [Format; 8] = [
    Format::Hosts,
    Format::Adblock,
    Format::Urls,
    Format::Csv,
    Format::Jsonl,
    Format::Rpz,
    Format::Dnsmasq,
    Format::Domains,
];

pub(crate) const TOKENS: &[&[u8]] = &[
    b"\n",
    b"\r\n",
    b"0.0.0.0 bad.example\n",
    b"127.0.0.1 localhost",
    b"||bad.example^",
    b"@@||",
    b"^$third-party",
    b"##",
    b"https://",
    b"user@",
    b":8443/",
    b"[2001:db8::1]",
    b"192.0.2.0/24",
    b"192.0.2.1-192.0.2.9",
    b"/255.255.255.0",
    b",",
    b"\"",
    b"\"\"",
    b";",
    b"\t",
    b"{\"cidr\":\"192.0.2.0/24\",\"sblid\":\"SBL1\"}\n",
    b"{\"type\":\"metadata\",\"records\":1,\"timestamp\":1}\n",
    b"{\"a\":[[[[{}]]]],",
    b"\\u0041",
    b"$ORIGIN rpz.example.\n",
    b"@ SOA a. b. (\n1 2 3 4 5)\n",
    b" CNAME .\n",
    b" IN CNAME rpz-passthru.\n",
    b"*.",
    b".rpz-ip",
    b"address=/bad.example/0.0.0.0\n",
    b"server=/",
    b"local=/",
    b"/#\n",
    b"xn--",
    b"b\xc3\xbccher.example",
    b"\xff",
    b"#",
    b"!",
];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let texts: [(u8, &str); 8] = [
        (0, "# x\n127.0.0.1 localhost\n0.0.0.0 bad.example worse.example # y\n"),
        (1, "[Adblock]\n! x\n||bad.example^$third-party\n@@||good.example^\nx.example##.ad\n"),
        (2, "https://user@bad.example:8443/x\nw.example/y\nhttp://[2001:db8::1]/\n"),
        (3, "id,host\n1,\"bad.example\"\n2,192.0.2.1\n"),
        (
            4,
            "{\"cidr\":\"192.0.2.0/24\",\"sblid\":\"SBL1\"}\n{\"type\":\"metadata\",\"records\":1}\n",
        ),
        (5, "@ SOA a. b. (\n1 2 3 4 5)\nbad.example CNAME .\n*.bad.example IN CNAME *.\n"),
        (6, "address=/bad.example/0.0.0.0\nserver=/ok.example/#\n"),
        (7, "bad.example.\nb\u{fc}cher.example\n*.x.example\n"),
    ];
    texts.map(|(format, text)| [&[format, 0, 7][..], text.as_bytes()].concat()).into()
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let format = input.choose(&FORMATS);
    let has_column = input.byte() & 1 != 0;
    let size = 1 + input.below(64);
    let text = input.rest();
    let kinds = [Kind::Dnset, Kind::Mixed, Kind::Ip4Trie, Kind::Ip4Set, Kind::Ip6Trie];
    for kind in kinds.into_iter().filter(|&kind| format.suits(kind)) {
        let _ = sniff(kind, text);
        let column = has_column.then(|| "host".into());
        let options = Options { format, column, ..Options::default() };
        let whole = read(kind, &options, &[text]);
        let pieces: Vec<&[u8]> = text.chunks(size).collect();
        assert_eq!(read(kind, &options, &pieces), whole, "{kind} {format}");
        // The last line of a file that ends in the middle of one has rules of its own.
        let is_simple = kind == Kind::Dnset && text.is_ascii() && text.ends_with(b"\n");
        if is_simple && format == Format::Hosts {
            assert_eq!(whole.0, listed(text, names_of_hosts));
        }
        if is_simple && format == Format::Domains {
            assert_eq!(whole.0, listed(text, name_of_domain));
        }
    }
}

/// The listed keys as text, and the number of refused lines.
type Read = (BTreeSet<String>, u64);

fn read(kind: Kind, options: &Options, pieces: &[&[u8]]) -> Read {
    let keys = Mutex::new(BTreeSet::new());
    let observe = |_, key: EntryKey<'_>, says: Says| {
        let key = match key {
            EntryKey::Name { name, scope } => format!("{scope:?} {name:?}"),
            other => format!("{other:?}"),
        };
        keys.lock().expect("no panic holds it").insert(if says == Says::Excluded {
            format!("!{key}")
        } else {
            key
        });
    };
    let refused = {
        let mut parser = Parser::observed(kind, options.clone(), Box::new(observe));
        parser.start_file();
        let fed = pieces.iter().try_for_each(|piece| parser.feed(piece));
        if let Err(fatal) = fed.and_then(|()| parser.end_file()) {
            let is_cut = matches!(fatal.cause, FatalCause::OpenParenthesis { .. });
            assert!(is_cut, "nothing else of these forms fails a file: {fatal:?}");
            return (BTreeSet::from([format!("{fatal:?}")]), 0);
        }
        let entries = parser.entries();
        let parsed = parser.finish();
        assert!(parsed.entries <= entries);
        parsed.diagnostics.total
    };
    (keys.into_inner().expect("no panic holds it"), refused)
}

/// The keys that a naive reader of lines lists.
fn listed(text: &[u8], names: fn(&str) -> Vec<String>) -> BTreeSet<String> {
    let text = str::from_utf8(text).expect("it is ASCII");
    text.split('\n').flat_map(names).collect()
}

/// The words of a line, apart by what isspace(3) calls a space.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let is_space = |c: char| c.is_ascii_whitespace() || c == '\x0b';
    line.split(is_space).filter(|word| !word.is_empty())
}

fn names_of_hosts(line: &str) -> Vec<String> {
    let mut words = words(line).take_while(|word| !word.starts_with(['#', ';']));
    // Short lists write `0` for 0.0.0.0.
    if !words.next().is_some_and(|word| is_address(word) || word == "0") {
        return Vec::new();
    }
    let mut names = Vec::new();
    for word in words {
        let name = word.split('#').next().unwrap_or(word);
        let own = [
            "localhost",
            "localhost.localdomain",
            "localhost4",
            "localhost6",
            "local",
            "broadcasthost",
        ];
        let bare = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let is_ip6 = [
            "localhost",
            "loopback",
            "localnet",
            "mcastprefix",
            "allnodes",
            "allrouters",
            "allhosts",
        ];
        let is_own = own.contains(&bare.as_str())
            || bare.strip_prefix("ip6-").is_some_and(|rest| is_ip6.contains(&rest));
        if !is_own && !is_address(&bare) {
            names.extend(shown("Itself", name));
        }
        if name.len() < word.len() {
            break;
        }
    }
    names
}

fn name_of_domain(line: &str) -> Vec<String> {
    let Some(word) = words(line).next() else { return Vec::new() };
    if word.starts_with(['#', ';', '!']) || word.starts_with("//") {
        return Vec::new();
    }
    let word = word.split('#').next().unwrap_or(word);
    let name = match (word.strip_prefix("*."), word.strip_prefix('.')) {
        (Some(name), _) => shown("Below", name),
        (_, Some(name)) => shown("Both", name),
        _ => shown("Itself", word),
    };
    name.into_iter().collect()
}

fn is_address(word: &str) -> bool {
    word.split('%').next().is_some_and(|word| word.parse::<IpAddr>().is_ok())
}

/// A name as [`read`] shows it, if it can be asked for.
fn shown(scope: &str, name: &str) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let is_usual = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut labels = name.split('.');
    let is_number =
        labels.clone().next_back().is_some_and(|label| label.chars().all(|c| c.is_ascii_digit()));
    if is_number || !labels.all(|label| !label.is_empty() && label.chars().all(is_usual)) {
        return None;
    }
    if scope == "Itself" && !name.contains('.') {
        return None;
    }
    let wire = NameBuf::from_text(name.as_bytes()).ok()?;
    Some(format!("{scope} {:?}", wire.as_wire()))
}
