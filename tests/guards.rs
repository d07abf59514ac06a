//! What the guard refuses, and what it leaves to those who write their own lists, as an administrator meets it.

use std::fs;
use std::time::Duration;

use hickory_proto::op::ResponseCode::{self, NXDomain, NoError, Refused};
use hickory_proto::rr::RecordType;

use crate::common::{Client, Daemon, Server, Setup, event, in_parallel, temp_dir, wait_until};

/// A changed file is served within a second; a busy machine gets more.
const SOON: Duration = Duration::from_secs(5);

/// A server with one dataset `list` of this type, text and settings, and a zone `bl.test`.
fn setup(kind: &str, text: &str, settings: &str) -> Setup {
    let setup = Setup::new();
    setup.write("list", text);
    let tables = format!(
        "[guard]\nsentinels = ['203.0.113.0/24', 'big.example']\n\
         [[dataset]]\nname = 'list'\ntype = '{kind}'\nfiles = ['list']\n{settings}\n\
         [[zone]]\nname = 'bl.test'\ndatasets = ['list']\n"
    );
    setup.configure("state-dir = 'state'", &tables);
    setup
}

fn names(count: u32) -> String {
    (0..count).map(|number| format!("bad{number}.example\n")).collect()
}

fn addresses(count: u32) -> String {
    (0..count).map(|number| format!("192.0.{}.{}\n", number / 256, number % 256)).collect()
}

struct Refusal {
    kind: &'static str,
    before: String,
    /// A name that the data of before lists.
    listed: &'static str,
    after: String,
    rule: &'static str,
    /// Figures and words of the message.
    says: &'static [&'static str],
}

fn refusals() -> Vec<Refusal> {
    let named = |after: &str, rule, says| Refusal {
        kind: "dnset",
        before: names(200),
        listed: "bad7.example.bl.test",
        after: after.to_owned(),
        rule,
        says,
    };
    let addressed = |kind, before, after: String, rule, says| Refusal {
        kind,
        before,
        listed: "7.0.0.192.bl.test",
        after,
        rule,
        says,
    };
    let head = |serial: u32| format!("$SOA 1h ns.bl.test me.bl.test {serial} 2h 30m 1w 5m\n");
    let words = "The server\ncould not\nverify that\nyou are\nauthorized to\n".repeat(40);
    let code: String =
        (0..200).map(|n| format!("zone \"bad{n}.example\" {{ type x; }};\n")).collect();
    let json = |count: u32| {
        let lines: String =
            (0..count).map(|n| format!("{{\"cidr\":\"192.0.{n}.0/24\"}}\n")).collect();
        lines + "{\"type\":\"metadata\",\"timestamp\":1764460800,\"records\":120}\n"
    };
    vec![
        named("404: Not Found\n", "nothing-valid", &["1 line is wrong"]),
        named("{\"message\":\"Not Found\",\"status\":\"404\"}\n", "", &[]),
        named(
            "<<<<<<< HEAD\nbad1.example\n=======\nbad2.example\n>>>>>>> main\n",
            "shrank",
            &["2 entries", "200 before"],
        ),
        named("Not Found\n", "nothing-valid", &["single words"]),
        named(&words, "nothing-valid", &["200 lines"]),
        named(&code, "nothing-valid", &["1 key,", "as settings or code have them"]),
        named(&(names(200) + "big.example\n"), "sentinel", &["big.example"]),
        named(&names(900), "grew", &["lists 900 entries, and listed 200 before"]),
        named(&(names(150) + &"b@d\n".repeat(50)), "bad-lines", &["50 bad lines", "line 151"]),
        addressed(
            "ip4set",
            addresses(1000),
            "1.5 requests per second allowed\n".to_owned(),
            "shrank",
            &["1 entry", "1000 before"],
        ),
        addressed(
            "ip4trie",
            addresses(1000),
            "1.5 requests per second allowed\n".to_owned(),
            "",
            &[],
        ),
        addressed(
            "ip4set",
            addresses(1900),
            addresses(1900) + "0-255\n",
            "grew",
            &["4294967296 IPv4 addresses, and listed 1900 before", "0.0.0.0/0"],
        ),
        addressed(
            "ip4set",
            addresses(50),
            addresses(50) + "127/8\n",
            "sentinel",
            &["127.0.0.1", "127.0.0.0/8"],
        ),
        addressed(
            "ip4trie",
            addresses(50),
            addresses(50) + "203.0.113.9\n",
            "sentinel",
            &["203.0.113.0/24"],
        ),
        addressed(
            "ip4set",
            addresses(50) + "127.0.0.2\n",
            addresses(60),
            "test-entry-vanished",
            &["127.0.0.2"],
        ),
        addressed(
            "ip4set",
            head(2_026_113_002) + &addresses(50),
            head(2_026_113_001) + &addresses(60),
            "backwards",
            &["serial is 2026113001, and was 2026113002"],
        ),
        addressed(
            "ip4set",
            "$TIMESTAMP 2023-11-14-22-13-21\n".to_owned() + &addresses(50),
            "$TIMESTAMP 2023-11-14-22-13-20\n".to_owned() + &addresses(60),
            "backwards",
            &["timestamp is 1700000000, and was 1700000001"],
        ),
        addressed("ip4set", json(120), json(119), "count-differs", &["119 records", "120"]),
        addressed(
            "ip4set",
            json(120),
            json(120).replace("120}\n", ""),
            "count-differs",
            &["said 120 before", "its end may be missing"],
        ),
    ]
}

#[test]
fn what_breaks_a_rule_leaves_the_last_good_data_in_place_over_a_restart() {
    in_parallel(&refusals(), |refusal| {
        let Refusal { kind, before, listed, after, rule, says } = refusal;
        let format = if before.starts_with('{') { "format = 'jsonl'" } else { "" };
        let server = setup(kind, before, format).start();
        server.expect_code(listed, NoError, SOON);
        server.expect_log(&[&event("snapshot-written", "list")], SOON);
        let expect = |server: &Daemon| {
            let (event, guard) = (event("dataset-refused", "list"), format!("guard {rule}"));
            let words = [&["ERROR", &event, &guard], *says].concat();
            server.expect_log(&words, SOON);
            server.expect_code(listed, NoError, SOON);
            let unlisted = ["77.66.55.44.bl.test", "other.test.bl.test"];
            for name in unlisted {
                server.expect_code(name, NXDomain, SOON);
            }
        };
        server.write("list", after);
        expect(&server);
        expect(&server.restart());
    });
}

/// A list of one's own: what it says, the query it answers, before and after its last entry is deleted.
struct Own {
    kind: &'static str,
    text: &'static str,
    /// What a person leaves in the file.
    rest: &'static str,
    query: &'static str,
    /// What the list is used for: `datasets`, `allow` or `acl`.
    role: &'static str,
    codes: [ResponseCode; 2],
}

const fn own(kind: &'static str, text: &'static str, query: &'static str) -> Own {
    Own { kind, text, rest: "", query, role: "datasets", codes: [NoError, NXDomain] }
}

const OWN: [Own; 9] = [
    own("dnset", "bad.example\n", "bad.example.bl.test"),
    own("ip4set", "192.0.2.7\n", "7.2.0.192.bl.test"),
    own("ip4trie", "192.0.2.7\n", "7.2.0.192.bl.test"),
    own(
        "ip6trie",
        "2001:db8::7\n",
        "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test",
    ),
    own("generic", "www A 127.0.0.2\n", "www.bl.test"),
    own("combined", "$DATASET ip4set one @\n192.0.2.7\n", "7.2.0.192.bl.test"),
    Own {
        rest: "$DATASET ip4set one @\n# none\n",
        ..own("combined", "$DATASET ip4set one @\n192.0.2.7\n", "7.2.0.192.bl.test")
    },
    Own {
        role: "allow",
        codes: [NXDomain, NoError],
        ..own("ip4set", "192.0.2.7\n", "7.2.0.192.bl.test")
    },
    Own {
        role: "acl",
        codes: [Refused, NoError],
        ..own("acl", "127.0.0.0/8 :refuse\n", "7.2.0.192.bl.test")
    },
];

fn own_setup(Own { kind, text, role, .. }: &Own) -> Setup {
    let setup = Setup::new();
    setup.write("list", text);
    setup.write("other", "192.0.2.7\n198.51.100.7\n");
    let datasets = if *role == "datasets" { "" } else { "datasets = ['other']\n" };
    let tables = format!(
        "[[dataset]]\nname = 'list'\ntype = '{kind}'\nfiles = ['list']\n\
         [[dataset]]\nname = 'other'\ntype = 'ip4set'\nfiles = ['other']\n\
         [[zone]]\nname = 'bl.test'\n{datasets}{role} = ['list']\n\
         [[zone]]\nname = 'other.test'\ndatasets = ['other']\n"
    );
    setup.configure("state-dir = 'state'", &tables);
    setup
}

#[test]
fn the_last_entry_of_a_list_of_ones_own_can_be_deleted() {
    in_parallel(&OWN, |own| {
        let &Own { kind, text, rest, query, role, codes: [before, after] } = own;
        let server = own_setup(own).start();
        let expect = |server: &Daemon, code| server.expect_code(query, code, SOON);
        expect(&server, before);
        server.write("list", rest);
        expect(&server, after);
        server.write("list", text);
        expect(&server, before);
        server.write("list", rest);
        expect(&server, after);
        let server = server.restart();
        expect(&server, after);
        server.write("list", text);
        expect(&server, before);
        server.expect_log(&[&event("dataset-reloaded", "list")], SOON);
        // What the state folder remembers, and what happens while no server runs.
        std::thread::sleep(Duration::from_millis(500));
        let setup = server.stop();
        setup.write("list", rest);
        let server = setup.start();
        expect(&server, after);
        let refused = server.log_lines(&["event=\"dataset-refused\""]);
        assert!(refused.is_empty(), "{kind} as {role}: {refused:?}");
    });
}

#[test]
fn a_long_list_is_somebodys_own_if_they_say_so() {
    let server = setup("ip4set", &addresses(200), "own = true").start();
    server.expect_code("7.0.0.192.bl.test", NoError, SOON);
    server.write("list", "203.0.113.9\n0-126\n");
    server.expect_code("9.113.0.203.bl.test", NoError, SOON);
    server.write("list", "");
    server.expect_code("9.113.0.203.bl.test", NXDomain, SOON);
    server.write("list", addresses(200));
    server.expect_code("7.0.0.192.bl.test", NoError, SOON);
    server.write("list", "<html>no list</html>\n");
    server.expect_log(&[&event("dataset-refused", "list"), "HTML"], SOON);
    server.expect_code("7.0.0.192.bl.test", NoError, SOON);
}

#[test]
fn rules_can_be_turned_off_and_bounds_be_moved() {
    let settings = "guard = { shrink = 0.01, sentinels = false, off = ['grew'] }";
    let server = setup("ip4set", &addresses(300), settings).start();
    server.expect_code("7.0.0.192.bl.test", NoError, SOON);
    server.write("list", "0-255\n".to_owned() + &addresses(10));
    server.expect_code("77.66.55.44.bl.test", NoError, SOON);
    server.write("list", addresses(300));
    server.expect_code("77.66.55.44.bl.test", NXDomain, SOON);
    server.write("list", addresses(2));
    server.expect_log(&[&event("dataset-refused", "list"), "guard shrank: has 2 entries"], SOON);
}

/// The world by a value that means "you ask too much" would let everybody pass.
#[test]
fn an_allow_list_of_refusals_allows_nobody() {
    let setup = own_setup(&OWN[7]);
    setup.write("list", "0/1 :127.0.0.255:too many queries\n128/1 :127.0.0.255:too many queries\n");
    let server = setup.start();
    let words = [&event("dataset-refused", "list"), "guard abuse-code", "127.0.0.255"];
    server.expect_log(&words, SOON);
    server.expect_code("7.2.0.192.bl.test", NoError, SOON);
}

/// Lists of reserved networks have 127.0.0.0/8, and always had.
#[test]
fn the_first_data_may_list_a_built_in_sentinel_and_never_a_configured_one() {
    let server = setup("ip4set", &(addresses(50) + "127/8\n"), "").start();
    let told = [&event("dataset-loaded", "list"), "127.0.0.1", "guard = { sentinels = false }"];
    server.expect_log(&told, SOON);
    server.expect_code("7.0.0.192.bl.test", NoError, SOON);
    let server = server.restart();
    server.expect_code("7.0.0.192.bl.test", NoError, SOON);
    assert!(server.log_lines(&["guard = { sentinels"]).is_empty(), "{}", server.log());
    let server = setup("ip4set", &(addresses(50) + "203.0.113.9\n"), "").start();
    server.expect_log(&[&event("dataset-refused", "list"), "guard sentinel"], SOON);
    server.expect_code("7.0.0.192.bl.test", ResponseCode::ServFail, SOON);
}

#[test]
fn a_zone_of_the_command_line_can_have_a_list_of_ones_own() {
    let folder = temp_dir();
    let list = folder.path().join("list");
    fs::write(&list, addresses(200)).expect("it can be written");
    let server = Server::start(&[&format!("bl.test:ip4set:{}@own", list.display())]);
    let client = Client::new(server.plain[0]);
    let code = || client.ask("7.0.0.192.bl.test", RecordType::A).map(|reply| reply.rcode());
    assert_eq!(code().expect("an answer"), NoError);
    fs::write(&list, "").expect("it can be written");
    assert!(wait_until(SOON, || matches!(code(), Ok(NXDomain))), "it is listed still");
}
