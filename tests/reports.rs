//! `dnsbld report` as people meet it: on a running server, and after it was started again.

use std::path::Path;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::op::ResponseCode::{NXDomain, NoError};
use hickory_proto::rr::RecordType;
use serde_json::Value;

use crate::common::{Daemon, Ended, Setup, dnsbld};

const SOON: Duration = Duration::from_secs(10);

/// Two lists, with an allow list before both zones, and one without.
fn setup() -> Setup {
    let setup = Setup::new();
    setup.write("net", "# of a feed\n192.0.2.0/24 :3:E-4711 see $\n");
    setup.write("names", ".bad.example\n");
    setup.write("other", "192.0.2.1\n");
    setup.write("own", "192.0.2.7 # ticket 4711\n198.51.100.1 # an old customer\n203.0.113.0/24\n");
    setup.write("own-names", "mail.bad.example\n");
    setup.configure(
        "state-dir = 'state'\ncontrol = 'control'",
        "[[dataset]]\nname = 'net'\ntype = 'ip4trie'\nfiles = ['net']\n\
         [[dataset]]\nname = 'names'\ntype = 'dnset'\nfiles = ['names']\n\
         [[dataset]]\nname = 'other'\ntype = 'ip4trie'\nfiles = ['other']\n\
         [[dataset]]\nname = 'own'\ntype = 'ip4trie'\nfiles = ['own']\n\
         [[dataset]]\nname = 'own-names'\ntype = 'dnset'\nfiles = ['own-names']\n\
         [[zone]]\nname = 'bl.test'\ndatasets = ['net']\nallow = ['own']\n\
         [[zone]]\nname = 'names.test'\ndatasets = ['names']\nallow = ['own-names']\n\
         [[zone]]\nname = 'other.test'\ndatasets = ['other']\n",
    );
    setup
}

fn report(folder: &Path, arguments: &[&str]) -> Ended {
    dnsbld(folder, &[&["report"], arguments, &["--config", "dnsbld.toml"]].concat())
}

fn ask(server: &Daemon, name: &str, code: ResponseCode, times: usize) {
    for _ in 0..times {
        assert_eq!(server.ask(name, RecordType::A).rcode(), code, "{name}");
    }
}

#[test]
fn what_an_allow_list_lets_in_is_counted_and_kept() {
    let server = setup().start();
    server.expect_code("9.2.0.192.bl.test", NoError, SOON);
    let folder = server.path("");
    let nothing = report(&folder, &["overrides"]);
    assert_eq!(nothing.code, 1, "{nothing:?}");
    assert!(nothing.out.ends_with(", no allow list has changed an answer\n"), "{nothing:?}");

    ask(&server, "7.2.0.192.bl.test", NXDomain, 3);
    // Names below it are listed.
    ask(&server, "MAIL.bad.example.names.test", NoError, 2);
    // On no list, and on a list but not allowed.
    ask(&server, "1.113.0.203.bl.test", NXDomain, 1);
    server.expect_code("x.bad.example.names.test", NoError, SOON);

    let told = report(&folder, &["overrides"]);
    assert_eq!((told.code, &*told.err), (0, ""));
    for part in [
        "To the operator of net (here in bl.test)\n",
        "False positive #1: 192.0.2.7\n  your entry:  192.0.2.0/24 :3:E-4711 see $\n",
        "/net:2, file of 20",
        "  asked for:   3 times, first 20",
        "  let in by:   192.0.2.7 # ticket 4711 (our list own)\n",
        "To the operator of names (here in names.test)\n",
        "False positive #1: mail.bad.example\n  your entry:  .bad.example\n",
        "  asked for:   2 times, ",
    ] {
        assert!(told.out.contains(part), "{part}\n{}", told.out);
    }
    assert!(!told.out.contains("203.0.113"), "{}", told.out);

    let none = report(&folder, &["overrides", "--days", "1", "other"]);
    assert_eq!(none.code, 1, "{none:?}");
    assert!(none.out.ends_with(", no allow list has changed an answer of other\n"), "{none:?}");

    let unused = report(&folder, &["unused-allow", "own"]);
    assert_eq!(unused.code, 0, "{unused:?}");
    assert!(unused.out.contains("own: of 3 entries, 2 changed no answer since 20"), "{unused:?}");
    for line in ["/own:2: 198.51.100.1 # an old customer\n", "/own:3: 203.0.113.0/24\n"] {
        assert!(unused.out.contains(line), "{}", unused.out);
    }
    let none = report(&folder, &["unused-allow", "own-names"]);
    assert_eq!(none.code, 1, "{none:?}");
    assert!(none.out.contains("own-names: of 1 entry, none changed no answer"), "{none:?}");

    // 1 would say that there is nothing to tell.
    for (report_of, list, known) in [
        ("overrides", "nets", "net, names, other"),
        ("overrides", "own", "net, names, other"),
        ("unused-allow", "net", "own, own-names"),
    ] {
        let unknown = report(&folder, &[report_of, list]);
        assert_eq!((unknown.code, &*unknown.out), (2, ""), "{unknown:?}");
        let says = format!("there is no such list: {list:?}; there are {known}\n");
        assert!(unknown.err.ends_with(&says), "{unknown:?}");
    }

    // A restart forgets nothing, and goes on.
    let server = server.restart();
    server.expect_code("9.2.0.192.bl.test", NoError, SOON);
    ask(&server, "7.2.0.192.bl.test", NXDomain, 1);
    let folder = server.path("");
    let json = report(&folder, &["overrides", "--json", "net"]);
    let json: Value = serde_json::from_str(&json.out).expect("it is JSON");
    let [list] = &json["lists"].as_array().expect("a list")[..] else { panic!("{json}") };
    let sender = &list["senders"][0];
    assert_eq!((&sender["sender"], &sender["count"]), (&"192.0.2.7".into(), &4.into()));
    assert_eq!((&sender["error"], &sender["allow"]), (&0.into(), &"own".into()));
    assert_eq!(sender["listed_by"]["line"], 2);
    assert_eq!(sender["allowed_by"]["text"], "192.0.2.7 # ticket 4711");
    let text = include_str!("../docs/reports.md");
    for object in [&json, list, sender] {
        for field in object.as_object().expect("an object").keys() {
            assert!(text.contains(&format!("`{field}`")), "docs/reports.md lacks {field}");
        }
    }
    let json = report(&folder, &["unused-allow", "--json", "own"]).out;
    let json: Value = serde_json::from_str(&json).expect("it is JSON");
    for object in [&json, &json["lists"][0], &json["lists"][0]["unused"][0]] {
        for field in object.as_object().expect("an object").keys() {
            assert!(text.contains(&format!("`{field}`")), "docs/reports.md lacks {field}");
        }
    }
    let csv = report(&folder, &["overrides", "--csv", "names"]).out;
    let lines: Vec<_> = csv.split("\r\n").collect();
    assert!(lines[0].starts_with("list,sender,count,first,last,entry,"), "{csv}");
    assert!(lines[1].starts_with("names,mail.bad.example,2,20"), "{csv}");
    assert!(lines[1].contains(",.bad.example,") && lines[1].ends_with("/own-names,1"), "{csv}");
}

#[test]
fn without_a_server_nothing_can_be_told() {
    let setup = setup();
    let told = report(&setup.path(""), &["overrides"]);
    assert_eq!(told.code, 2, "{told:?}");
    assert!(told.err.contains("no server answers at "), "{told:?}");
}
