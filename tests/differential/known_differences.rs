//! The wanted differences between rbldnsd and dnsbld: the only ones the differential test lets
//! pass. `judge` says for each one exactly when it is due and what dnsbld must then answer.

use std::fmt::Write as _;

use super::server::Program;

/// One wanted difference.
pub(crate) struct Difference {
    /// Its name in the figures of the test and in the cases.
    pub(crate) id: &'static str,
    /// What rbldnsd does.
    rbldnsd: &'static str,
    /// What dnsbld does.
    dnsbld: &'static str,
    /// Why that is better.
    why: &'static str,
    /// How to have it rbldnsd's way.
    off: &'static str,
    shows: Shows,
}

/// Under which names of dnsbld a difference shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shows {
    /// Its own only: under rbldnsd's name it is turned off.
    Natively,
    Always,
}

pub(crate) const EMPTY_NON_TERMINAL: &str = "empty-non-terminal";
pub(crate) const SOA_SYNTHESISED: &str = "soa-synthesised";
pub(crate) const APEX_SYNTHESISED: &str = "apex-synthesised";
pub(crate) const SERIAL: &str = "serial";
pub(crate) const TEST_POINT_LISTED: &str = "test-point-listed";
pub(crate) const TEST_POINT_UNLISTED: &str = "test-point-unlisted";
pub(crate) const A_OUTSIDE_127: &str = "a-outside-127";
pub(crate) const LONG_TXT: &str = "long-txt";
pub(crate) const TXT_255: &str = "txt-255";
pub(crate) const TTL_LIMIT: &str = "ttl-limit";
pub(crate) const CRLF: &str = "crlf";
pub(crate) const PARTLY_LOADED: &str = "partly-loaded";
pub(crate) const NOTHING_VALID: &str = "nothing-valid";
pub(crate) const IP4TRIE_IPV6: &str = "ip4trie-ipv6";
pub(crate) const AS_MEANT: &str = "as-meant";
pub(crate) const EDNS_OPT: &str = "edns-opt";
pub(crate) const EDNS_VERSION: &str = "edns-version";
pub(crate) const TRUNCATION: &str = "truncation";
pub(crate) const TYPES_256_UP: &str = "types-256-up";
pub(crate) const HEADER_BITS: &str = "header-bits";
pub(crate) const FORMERR: &str = "formerr";
pub(crate) const BAD_TAIL: &str = "bad-tail";
pub(crate) const NOTIMP_HEADER: &str = "notimp-header";
pub(crate) const VERSION_TEXT: &str = "version-text";
pub(crate) const NS_TWICE: &str = "ns-twice";
pub(crate) const ACL_NOT_LOADED: &str = "acl-not-loaded";
pub(crate) const ACL_MAPPED: &str = "acl-mapped";
pub(crate) const ACL_GENERIC: &str = "acl-generic";

const NEVER: &str = "not possible";

/// All wanted differences.
pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        id: EMPTY_NON_TERMINAL,
        rbldnsd: "NXDOMAIN for a name that is not listed itself although names below it are",
        dnsbld: "NOERROR without records, for octets, nibbles (v4-mapped and 6to4 too), names and \
                 the parents of subzones and of the subzones of `combined`",
        why: "resolvers that minimise query names (RFC 9156) or believe RFC 8020 take the NXDOMAIN \
              to hold for everything below and then see nothing as listed",
        off: NEVER,
        shows: Shows::Always,
    },
    Difference {
        id: SOA_SYNTHESISED,
        rbldnsd: "negative answers without an SOA record if no data file has $SOA",
        dnsbld: "a synthesised SOA record, with its minimum as TTL",
        why: "without an SOA record no cache keeps a negative answer (RFC 2308), and public \
              resolvers answer SERVFAIL",
        off: "write a $SOA line",
        shows: Shows::Always,
    },
    Difference {
        id: APEX_SYNTHESISED,
        rbldnsd: "REFUSED for SOA, NS and ANY at the apex if no data file has $SOA or $NS",
        dnsbld: "the synthesised SOA and NS records",
        why: "resolvers and zone checkers ask for them; REFUSED marks the server as lame",
        off: "write $SOA and $NS lines",
        shows: Shows::Always,
    },
    Difference {
        id: SERIAL,
        rbldnsd: "the newest modification time of the files as serial where $SOA says 0, even \
                  when that goes back",
        dnsbld: "the same, but it never goes back and grows with every change",
        why: "a serial that goes back stops secondaries and checks (RFC 1982)",
        off: "write a serial other than 0",
        shows: Shows::Always,
    },
    Difference {
        id: TEST_POINT_LISTED,
        rbldnsd: "the test entry 127.0.0.2, ::ffff:7f00:2 or TEST is listed only if a file has it",
        dnsbld: "always listed, with the default value of the zone's first dataset; in `combined`, of \
                 each subzone",
        why: "RFC 5782 section 5: clients and monitors take a zone without it for dead",
        off: "`test-points = false` at the zone",
        shows: Shows::Natively,
    },
    Difference {
        id: TEST_POINT_UNLISTED,
        rbldnsd: "127.0.0.1, ::ffff:7f00:1 or INVALID is listed if a file covers it",
        dnsbld: "never listed",
        why: "RFC 5782 section 5: clients take a zone that lists it for one that lists the world",
        off: "`test-points = false` at the zone",
        shows: Shows::Natively,
    },
    Difference {
        id: A_OUTSIDE_127,
        rbldnsd: "any A value is served",
        dnsbld: "a line with an A value outside 127.0.0.0/8 is refused at load, with a warning",
        why: "an address that a mail server or proxy may connect to is a mistake or an attack",
        off: "`allow-any-a = true` at the dataset",
        shows: Shows::Natively,
    },
    Difference {
        id: LONG_TXT,
        rbldnsd: "TXT is cut at 254 bytes, in `generic` at 255",
        dnsbld: "up to 1,020 bytes, in character-strings of up to 255 bytes",
        why: "the end of the text is often the link the reader needs",
        off: NEVER,
        shows: Shows::Always,
    },
    Difference {
        id: TXT_255,
        rbldnsd: "beside a `generic` text of 255 bytes, duplicates of records are not left out, and \
                  those of one type may have different TTLs",
        dnsbld: "each record once, and one TTL for those of a type",
        why: "RFC 2181 section 5; rbldnsd counts the length of what it has written in one byte",
        off: NEVER,
        shows: Shows::Always,
    },
    Difference {
        id: TTL_LIMIT,
        rbldnsd: "TTLs of up to 4294967295 seconds",
        dnsbld: "of up to 2147483647 seconds, some 68 years",
        why: "RFC 2181 section 8: longer ones are taken for 0 by who receives them",
        off: NEVER,
        shows: Shows::Always,
    },
    Difference {
        id: CRLF,
        rbldnsd: "the CR of a CR LF line end belongs to the line: in values, names and addresses",
        dnsbld: "CR LF is a line end",
        why: "files from Windows would list nothing, or send a control byte in every text",
        off: NEVER,
        shows: Shows::Always,
    },
    Difference {
        id: PARTLY_LOADED,
        rbldnsd: "SERVFAIL for a zone when one of its datasets cannot be loaded or has expired",
        dnsbld: "what the zone's other datasets list is served, without test points, so that monitors \
                 see it; under rbldnsd's name, not when data has expired; the rest is SERVFAIL",
        why: "one bad file must neither take a zone down nor delist anything",
        off: NEVER,
        shows: Shows::Always,
    },
    Difference {
        id: NOTHING_VALID,
        rbldnsd: "files without a byte, or of garbage without one entry, are an empty list",
        dnsbld: "they are not loaded: SERVFAIL, or the last good data; comments alone are a list at \
                 the first load, and later if there were fewer than 20 entries beside other files",
        why: "what a broken mirror leaves must not delist the world",
        off: "`accept-empty = true` for files without a byte",
        shows: Shows::Natively,
    },
    Difference {
        id: IP4TRIE_IPV6,
        rbldnsd: "IPv6 prefixes in an `ip4trie` file are invalid lines",
        dnsbld: "they are listed",
        why: "rspamd's fork of rbldnsd reads them so, and lists are written for it",
        off: NEVER,
        shows: Shows::Always,
    },
    Difference {
        id: AS_MEANT,
        rbldnsd: "a value that sticks to a name is a part of the name, and so is any other byte; \
                  `/32` in `ip4tset` and `/64` in `ip6tset` are invalid; a comment behind a default \
                  value is its text; the last line of a file without a newline is taken as it is",
        dnsbld: "the value is a value, and a name that nobody asks for is refused; the length is \
                 taken; the comment is none; the last line is taken only if its key is whole",
        why: "the line says something else to its author, and a file that was cut must not list more",
        off: NEVER,
        shows: Shows::Natively,
    },
    Difference {
        id: EDNS_OPT,
        rbldnsd: "an OPT record only in replies over 512 bytes, with a size of 2048",
        dnsbld: "an OPT record if and only if the query has one, with a size of 1232",
        why: "RFC 6891 section 6.1.1; 1232 bytes pass every path unfragmented",
        off: NEVER,
        shows: Shows::Always,
    },
    Difference {
        id: EDNS_VERSION,
        rbldnsd: "the EDNS version is not looked at",
        dnsbld: "BADVERS above version 0",
        why: "RFC 6891 section 6.1.3",
        off: NEVER,
        shows: Shows::Always,
    },
    Difference {
        id: TRUNCATION,
        rbldnsd: "records that do not fit are left out and AA is cleared, without a word",
        dnsbld: "the TC bit, so that the client asks again over TCP, beside the records that fit, \
                 A records first",
        why: "the client cannot know that values are missing (RFC 2181 section 9)",
        off: NEVER,
        shows: Shows::Always,
    },
    Difference {
        id: TYPES_256_UP,
        rbldnsd: "NOTIMP for query types from 256 up",
        dnsbld: "answered as any type without records is",
        why: "NOTIMP is for opcodes; CAA is type 257 and asked for by certificate authorities",
        off: NEVER,
        shows: Shows::Always,
    },
    Difference {
        id: HEADER_BITS,
        rbldnsd: "NOTIMP for a query with the AA or TC bit set; RA, Z, AD and CD are copied into \
                  replies about its version",
        dnsbld: "the bits are ignored, and clear in replies",
        why: "they have no meaning in a query (RFC 1035 section 4.1.1)",
        off: NEVER,
        shows: Shows::Always,
    },
    Difference {
        id: FORMERR,
        rbldnsd: "silence when the question cannot be parsed or is not exactly one",
        dnsbld: "FORMERR; NOTIMP if the opcode is another than 0",
        why: "RFC 1035 section 4.1.1: the client need not wait and ask again",
        off: NEVER,
        shows: Shows::Always,
    },
    Difference {
        id: BAD_TAIL,
        rbldnsd: "what follows the question is not looked at, but for one OPT record",
        dnsbld: "FORMERR for records that cannot be parsed and for two OPT records",
        why: "RFC 6891 section 6.1.1: it is no message",
        off: NEVER,
        shows: Shows::Always,
    },
    Difference {
        id: NOTIMP_HEADER,
        rbldnsd: "the opcode and the RD bit are cleared in a NOTIMP reply, which has the question",
        dnsbld: "both are copied, the question is not",
        why: "RFC 1035 section 4.1.1: a client drops a reply of another opcode; what a question is \
              depends on the opcode",
        off: NEVER,
        shows: Shows::Always,
    },
    Difference {
        id: VERSION_TEXT,
        rbldnsd: "version.bind and version.server CH TXT tell rbldnsd's version",
        dnsbld: "they tell dnsbld's name, under rbldnsd's name its version too",
        why: "it is another program",
        off: "`version` of the server: any text, or `hide`",
        shows: Shows::Always,
    },
    Difference {
        id: NS_TWICE,
        rbldnsd: "without `-a`, the NS records that are asked for at the apex stand in the authority \
                  section too",
        dnsbld: "in the answer only",
        why: "a set of records belongs into a message once",
        off: NEVER,
        shows: Shows::Always,
    },
    Difference {
        id: ACL_NOT_LOADED,
        rbldnsd: "an access list that was never loaded is as if it were not there: everybody may ask",
        dnsbld: "SERVFAIL for its zone, or for all zones",
        why: "who may ask must not depend on a file being there",
        off: NEVER,
        shows: Shows::Always,
    },
    Difference {
        id: ACL_MAPPED,
        rbldnsd: "an entry below ::ffff:0:0/96 in an access list is for clients whom a socket for \
                  both families shows so, and no IPv4 entry is",
        dnsbld: "they are IPv4 clients and IPv4 entries",
        why: "a list must not be evaded by way of the socket",
        off: NEVER,
        shows: Shows::Always,
    },
    Difference {
        id: ACL_GENERIC,
        rbldnsd: "records of `generic` datasets are not there for a client for whom an access list \
                  says `:empty` or a value",
        dnsbld: "they are there for everybody who is answered",
        why: "it is what the manual says",
        off: NEVER,
        shows: Shows::Always,
    },
];

/// What differs by choice and is made equal by options before the two are compared.
const MADE_EQUAL: &[[&str; 4]] = &[
    [
        "default TTL",
        "35 minutes; the test starts it with `-t 1800`",
        "30 minutes",
        "`default-ttl` of the server",
    ],
    [
        "NS records in the authority section of positive answers",
        "yes; the test starts it with `-a`",
        "no (minimal answers)",
        "`minimal-answers = false` at the server",
    ],
    [
        "a dataset that cannot be loaded at the start, such as one with a $TIMESTAMP in the future",
        "it does not start; the test starts it with `-q`",
        "it starts, and its zones are SERVFAIL",
        NEVER,
    ],
];

/// What the test does not try: as the columns of the page.
const NOT_COMPARED: &[[&str; 6]] = &[
    [
        "parameters behind values (`value @ ts=;delay=;key=`)",
        "a part of the text",
        "obeyed, if all behind the last `@` are known ones",
        "rspamd's fork of rbldnsd obeys them, and lists are written for it",
        "both",
        NEVER,
    ],
    [
        "an access list with a text alone, or an A value alone, behind a default line that is a \
         keyword",
        "it crashes",
        "the A value of the last default line that had one, else 127.0.0.2",
        "a server must not end because of a line in a file",
        "both",
        NEVER,
    ],
    [
        "UDP queries of more than 1280 bytes",
        "answered",
        "dropped",
        "no answer of ours invites such (RFC 6891 section 6.2.3); over TCP they are answered up to 4096 \
         bytes, and longer ones end the connection",
        "both",
        NEVER,
    ],
    [
        "an OPT record whose options do not end where it does",
        "answered",
        "FORMERR",
        "RFC 6891 section 6.1.2",
        "both",
        NEVER,
    ],
    [
        "`$NS` records of more than some 500 bytes together",
        "not served: the apex answers REFUSED",
        "served, up to 32 of them",
        "nobody wants a zone without name servers",
        "both",
        NEVER,
    ],
    [
        "a dump (`-d`) of a zone with a `combined` dataset and others",
        "dataset by dataset, with records of one name that do not go together",
        "refused, with exit code 1",
        "a dump gives what the server answers, and that is not merged of several subzones",
        "both",
        NEVER,
    ],
    ["TCP", "no", "yes", "answers that do not fit a datagram need it", "both", NEVER],
    [
        "A records of the zone's name servers that `generic` data of its own has",
        "in the additional section, without `-a`",
        "no additional records",
        "who needs them asks for them",
        "both",
        NEVER,
    ],
    [
        "gzip data that unpacks to more than a hundred times its size, beyond 16 MiB",
        "unpacked",
        "not loaded, or the last good data stays",
        "a few hundred kilobytes could take all memory",
        "natively",
        NEVER,
    ],
    [
        "further members of gzip data",
        "the first alone is read",
        "they are read, too",
        "RFC 1952 section 2.2",
        "both",
        NEVER,
    ],
    [
        "data files that are no regular files (pipes, also with `-d`)",
        "read; at a reload, everything waits for the writer",
        "not loaded, or the last good data stays",
        "nothing may hold up a server",
        "both",
        "write the data to a file first",
    ],
    [
        "a UTF-8 byte order mark at the start of a file",
        "a part of the first line: its name is another, or it is no address",
        "passed over",
        "some editors write it, and the first line was not meant to be lost",
        "both",
        NEVER,
    ],
    [
        "`a - b` with blanks, ranges in `ip4trie`, `a.b.c.d/255.255.255.0`, and DShield's columns of a \
         first address, a last one and a length",
        "the first address, with the rest as its text, or an invalid line",
        "the range or the network, with a warning",
        "lists are published so, and the first address alone is not meant",
        "natively",
        NEVER,
    ],
    [
        "`AAAA` records in `generic`",
        "invalid lines",
        "served",
        "a name server of the zone may have one",
        "natively",
        NEVER,
    ],
    [
        "a record in `generic` whose line begins with a blank and a class or a type",
        "a record of a name called `IN` or the like",
        "an invalid line",
        "in a master file, it has the name of the line before",
        "natively",
        NEVER,
    ],
    [
        "a comment behind `$SOA`, `$NS`, `$TTL`, `$MAXRANGE4` and `$TIMESTAMP`",
        "the line is ignored, or the words of the comment are name servers",
        "it ends the line",
        "the line was not meant to be lost",
        "both",
        NEVER,
    ],
    [
        "commas between the names of `$NS`",
        "a part of the names",
        "passed over, with a warning; under rbldnsd's name, a part of the names",
        "no server has such a name",
        "natively",
        NEVER,
    ],
    [
        "a $TIMESTAMP line with a year from 2039 on",
        "ignored, with a warning",
        "obeyed",
        "else data from the future is served, and data with a time to expire never expires",
        "both",
        NEVER,
    ],
    [
        "bytes other than zero behind the end of gzip data",
        "they are not looked at",
        "the file is taken for damaged, and the last good data stays",
        "they may be all that is left of the rest",
        "both",
        NEVER,
    ],
];

/// What the test does not look at, because it means nothing (RFC 1034 section 3.6): as the columns of
/// the page.
const ORDER: &[[&str; 3]] = &[
    [
        "NS records, in the authority section and at the apex",
        "another one first from query to query",
        "always in the order of the $NS line",
    ],
    [
        "records of one name and type in `generic`",
        "another one first from query to query",
        "always in the order of the file",
    ],
    [
        "several values of one address or name",
        "the default value first, then in the order of the lines",
        "of a name in the order of the lines, of an address in the order in which the dataset first \
         named them",
    ],
    [
        "answers to ANY",
        "A and TXT by turns, value by value; `generic`: A, MX, TXT",
        "all A, then all TXT, then all MX",
    ],
];

/// The wanted difference called `id`.
pub(crate) fn difference(id: &str) -> Result<&'static Difference, String> {
    let known = DIFFERENCES.iter().find(|difference| difference.id == id);
    known.ok_or_else(|| format!("no wanted difference is called {id:?}"))
}

/// True if the difference called `id` shows with `program`.
pub(crate) fn shows(id: &str, program: Program) -> bool {
    let shows = difference(id).map(|difference| difference.shows);
    program == Program::Dnsbld || shows == Ok(Shows::Always)
}

/// The page `docs/compat.md`.
pub(crate) fn page() -> String {
    let mut page = String::from(
        "# Where dnsbld differs from rbldnsd\n\n\
         Same files, same questions, same answers: that is what `dnsbld` promises to users of\n\
         rbldnsd, and what `tests/differential` checks against Debian's rbldnsd with random files,\n\
         options and packets (`scripts/differential`). It differs where rbldnsd is wrong, and\n\
         nowhere else. This page is written by that test\n\
         (`DIFF_LIST=1 cargo test documented`).\n\n\
         ## Answers\n\n\
         No differences but these pass the test. Under rbldnsd's name, on rbldnsd's command line\n\
         ([rbldnsd.md](rbldnsd.md)), those that can be turned off are: they show natively only.\n\n\
         | name | rbldnsd | dnsbld | why | shows | rbldnsd's way |\n|---|---|---|---|---|---|\n",
    );
    for Difference { id, rbldnsd, dnsbld, why, off, shows } in DIFFERENCES {
        let shows = match shows {
            Shows::Natively => "natively",
            Shows::Always => "both",
        };
        row(&mut page, &[&format!("`{id}`"), rbldnsd, dnsbld, why, shows, off]);
    }
    page.push_str(
        "\nWhat follows differs natively by default; under rbldnsd's name it is as rbldnsd has it:\n\n\
         | choice | rbldnsd | dnsbld | rbldnsd's way |\n|---|---|---|---|\n",
    );
    MADE_EQUAL.iter().for_each(|choice| row(&mut page, choice));
    page.push_str(
        "\nNot compared by the test, because it is given neither such files nor such clients:\n\n\
         | what | rbldnsd | dnsbld | why | shows | rbldnsd's way |\n|---|---|---|---|---|---|\n",
    );
    NOT_COMPARED.iter().for_each(|difference| row(&mut page, difference));
    page.push_str(
        "\nThe order of records differs, under both names, and is not compared, because it has no\n\
         meaning. Resolvers change it themselves for their clients:\n\n\
         | what | rbldnsd | dnsbld |\n|---|---|---|\n",
    );
    ORDER.iter().for_each(|order| row(&mut page, order));
    page.push_str(
        "\n## Everything else\n\n\
         - What the process does otherwise under rbldnsd's name (TCP, loading, reloads, log lines,\n  \
         options that are refused): [rbldnsd.md](rbldnsd.md).\n\
         - Access lists, and the keys and entry parameters of rspamd's fork, beside what is above:\n  \
         [decision 9](decisions/009-access-lists.md).\n\
         - What the data files may say beyond what rbldnsd reads: the comments in [zones](../zones).\n",
    );
    page
}

fn row(page: &mut String, cells: &[&str]) {
    writeln!(page, "| {} |", cells.join(" | ")).expect("writing to a string does not fail");
}
