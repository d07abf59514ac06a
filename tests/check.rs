//! `dnsbld check` as people meet it: on the sample zones, on a running server, and on one with a refused file.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use hickory_proto::op::ResponseCode::NoError;
use serde_json::Value;

use crate::common::{Setup, event};

const SOON: Duration = Duration::from_secs(10);

/// Runs `dnsbld check` in a folder, with a text on standard input: exit code, standard output and error.
fn check(folder: &std::path::Path, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dnsbld"))
        .arg("check")
        .args(arguments)
        .current_dir(folder)
        .env_remove("DNSBLD_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it is read");
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("it ends by itself"), text(&output.stdout), text(&output.stderr))
}

/// The same on the sample zones, without a server.
fn sample(key: &str) -> (i32, String) {
    let (code, out, err) = check(env!("CARGO_MANIFEST_DIR").as_ref(), &["--offline", key], "");
    assert_eq!(err, "", "{key}");
    (code, out)
}

fn expect(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn the_sample_zones_are_explained_without_a_server() {
    let (code, told) = sample("61.135.132.132");
    assert_eq!(code, 1);
    expect(
        &told,
        &[
            "61.135.132.132: listed in 1 of ",
            "l2.apews.org: listed (in apews-l2)\n  A    127.0.0.2\n  TXT  \"E-492519 See: ",
            "not listed in: white.example, ",
            "  => ",
            "zones/l2.apews.org:27: 61.135.132.132   E-492519",
            "1. dnsbld allow add 61.135.132.132 --list own-white --until 7d",
            // Which resolver this is depends on what runs on the machine.
            "forget what it remembers",
        ],
    );

    // An exclusion of a section, beside the wider entry.
    let (code, told) = sample("3.100.51.198.ip.dnsbl.example");
    assert_eq!(code, 1, "other zones list it");
    expect(
        &told,
        &[
            "198.51.100.3: listed in ",
            "(a query name of ip.dnsbl.example)",
            "zones/dnsbl.example:20: !198.51.100.3   (an exclusion; for ip, both; ",
            "     ",
            "zones/dnsbl.example:18: 198.51.100.0/27   (for ip, both; ",
        ],
    );

    // An allow list and its exclusion.
    let (code, told) = sample("192.0.2.7");
    expect(
        &told,
        &["white.example: listed (in own-white)", "zones/white.example:16: 192.0.2.0/26"],
    );
    assert_eq!(code, i32::from(told.contains("to let it in now")), "{told}");

    let (code, told) = sample("2001:db8:42::/52");
    assert_eq!(code, 1);
    expect(
        &told,
        &[
            "ip6.example: listed (in ip6)",
            "75557863725914323419135 of 75557863725914323419136 addresses",
            "widest: 2001:db8:42::beae-2001:db8:42:fff:ffff:ffff:ffff:ffff, ",
            "neighbours: before it ::ffff:127.0.0.2, behind it 2001:db8:c000::",
            "zones/ip6.example:19: !2001:db8:42::bead",
        ],
    );

    // By its hash, however it is written, in a list of hashes.
    for key in ["Spammer+list@bad.example", "86851c79306bed218940ba4542ae0c8ce320264e"] {
        let (code, told) = sample(key);
        assert_eq!(code, 1, "{told}");
        expect(
            &told,
            &[
                &format!("{key}: listed in "),
                "ebl.example: listed (in ebl)\n  A    127.0.0.2\n  TXT  \"86851c79",
                "=> ",
                "zones/ebl.example:12: 86851c79306bed218940ba4542ae0c8ce320264e",
            ],
        );
    }
    let (_, told) = sample("partner@bad.example");
    assert!(!told.contains("ebl.example: listed"), "{told}");
    expect(&told, &["zones/ebl.example:16: !7b25be85"]);

    let (code, told) = sample("nobody@nowhere.test");
    assert_eq!(code, 0, "{told}");
    expect(&told, &["nobody@nowhere.test: not listed in any of "]);
    assert!(!told.contains("to let it in"), "{told}");
}

#[test]
fn nobody_is_told_to_let_everything_in() {
    let (code, said) = sample("::/0");
    assert_eq!(code, 1, "{said}");
    expect(&said, &["::/0 is much to let in by one entry of own-white"]);
    assert!(!said.contains("allow add ::/0"), "{said}");
}

#[test]
fn what_is_no_key_cannot_be_told() {
    let (code, out, err) = check(env!("CARGO_MANIFEST_DIR").as_ref(), &["--offline", "a/b"], "");
    assert_eq!((code, &*out), (2, ""));
    assert!(err.contains("\"a/b\" is no address, prefix, name"), "{err}");
}

/// A server with a list and an allow list before it.
fn setup() -> Setup {
    let setup = Setup::new();
    setup.write("list", names(200));
    setup.write("own", "192.0.2.7 # ticket 4711\n");
    setup.write("addresses", "192.0.2.0/24 :3:net\n192.0.2.9\n!192.0.2.8\n");
    setup.configure(
        "state-dir = 'state'\ncontrol = 'control'",
        "[[dataset]]\nname = 'list'\ntype = 'dnset'\nfiles = ['list']\n\
         [[dataset]]\nname = 'own'\ntype = 'ip4trie'\nfiles = ['own']\nown = true\n\
         [[dataset]]\nname = 'addresses'\ntype = 'ip4trie'\nfiles = ['addresses']\n\
         [[zone]]\nname = 'bl.test'\ndatasets = ['addresses']\nallow = ['own']\n\
         [[zone]]\nname = 'names.test'\ndatasets = ['list']\n",
    );
    setup
}

fn names(count: u32) -> String {
    (0..count).map(|number| format!(".bad{number}.example :2:listed\n")).collect()
}

#[test]
fn a_running_server_is_asked() {
    let server = setup().start();
    server.expect_code("9.2.0.192.bl.test", NoError, SOON);
    let folder = server.path("");
    let ask = |arguments: &[&str], input: &str| {
        let (code, out, err) =
            check(&folder, &[&["--config", "dnsbld.toml"], arguments].concat(), input);
        assert_eq!(err, "");
        (code, out)
    };

    let (code, told) = ask(&["192.0.2.9"], "");
    assert_eq!(code, 1, "{told}");
    expect(
        &told,
        &["bl.test: listed (in addresses)", "=> ", "/addresses:2: 192.0.2.9   (it decides"],
    );
    expect(&told, &["/addresses:1: 192.0.2.0/24 :3:net   (file of "]);
    expect(&told, &["1. dnsbld allow add 192.0.2.9 --list own --until 7d --reason"]);
    assert!(!told.contains("without a server"), "{told}");

    let (code, told) = ask(&["192.0.2.7"], "");
    assert_eq!(code, 0, "{told}");
    expect(&told, &["bl.test: not listed, because the allow list own has it (in addresses)"]);
    expect(&told, &["/own:1: 192.0.2.7 # ticket 4711", "/addresses:1: 192.0.2.0/24 :3:net"]);

    let (code, told) = ask(&["192.0.2.8"], "");
    assert_eq!(code, 0, "{told}");
    expect(&told, &["=> ", "/addresses:3: !192.0.2.8   (an exclusion; "]);

    let log = "NOQUEUE: reject: RCPT from unknown[192.0.2.9]: 554\n\
               NOQUEUE: reject: RCPT from unknown[192.0.2.9]: 554\n\
               connect from x[192.0.2.7] via 198.51.100.1\n";
    let (code, told) = ask(&["-"], log);
    assert_eq!(code, 1);
    let want = "3 addresses in 3 lines: 1 listed\n\
                lines  address       listed in\n\
                2      192.0.2.9     bl.test\n\
                1      192.0.2.7     (allowed by own)\n\
                1      198.51.100.1  -\n";
    assert_eq!(told, want);

    let (code, json) = ask(&["--json", "192.0.2.9", "x.bad7.example"], "");
    assert_eq!(code, 1);
    let json: Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(json[0]["key"], "192.0.2.9");
    assert_eq!(json[0]["from"], "server");
    assert_eq!(json[0]["blocked"], true);
    assert_eq!(json[0]["zones"][0]["addresses"][0], "127.0.0.2");
    assert_eq!(json[0]["datasets"][0]["served"]["entries"][0]["line"], 2);
    assert_eq!(json[1]["zones"][0]["texts"][0], "listed");
    assert_eq!(json[1]["datasets"][0]["served"]["entries"][0]["entry"], ".bad7.example");

    let queries = server.ask("9.2.0.192.bl.test", hickory_proto::rr::RecordType::A);
    assert_eq!(queries.rcode(), NoError);
    let (_, status) = {
        let output = Command::new(env!("CARGO_BIN_EXE_dnsbld"))
            .args(["status", "--json", "--config"])
            .arg(server.path("dnsbld.toml"))
            .output()
            .expect("the program runs");
        (output.status, String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let status: Value = serde_json::from_str(&status).expect("it is JSON");
    let names: Vec<_> = status["zones"].as_array().expect("zones").iter().collect();
    assert_eq!(names[1]["queries"], 0, "what is checked is not counted");
}

#[test]
fn what_is_served_and_what_lies_on_disk_are_both_told() {
    let server = setup().start();
    server.expect_code("x.bad7.example.names.test", NoError, SOON);
    let kept = || {
        let text = std::fs::read_dir(server.path("state/accepted")).into_iter().flatten();
        text.flatten().any(|entry| {
            entry.file_name().to_string_lossy().starts_with("list-")
                && entry.path().join("manifest.json").exists()
        })
    };
    assert!(crate::common::wait_until(SOON, kept), "{}", server.log());
    // Far fewer names, and one of them at another place.
    server.write("list", "# new\n.bad9.example :3:other\n*.bad7.example\n");
    server.expect_log(&[&event("dataset-refused", "list")], SOON);
    let folder = server.path("");
    let (code, told, err) = check(&folder, &["--config", "dnsbld.toml", "x.bad7.example"], "");
    assert_eq!((code, &*err), (1, ""), "{told}");
    expect(
        &told,
        &[
            "names.test: listed (in list)\n  A    127.0.0.2\n  TXT  \"listed\"\n",
            "dataset list (dnset): quarantined, ",
            "  problem: ",
            "  what is served:\n  => ",
            "/list:8: .bad7.example :2:listed   (it decides",
            "  the files on disk, which differ from it:\n  => ",
            "/list:3: *.bad7.example   (it decides",
        ],
    );

    // The same without the server, from its state folder.
    let arguments = ["--config", "dnsbld.toml", "--offline", "x.bad7.example"];
    let (code, offline, err) = check(&folder, &arguments, "");
    assert_eq!((code, &*err), (1, ""), "{offline}");
    expect(
        &offline,
        &["dataset list (dnset): accepted, ", "/list:8: .bad7.example", "/list:3: *.bad7.example"],
    );
}

#[test]
fn without_a_server_the_files_are_read() {
    let setup = setup();
    let folder = setup.path("");
    let (code, told, err) = check(&folder, &["--config", "dnsbld.toml", "192.0.2.9"], "");
    assert_eq!(code, 1, "{told}");
    assert!(err.contains("no server answers at ") && err.contains("are read instead"), "{err}");
    expect(&told, &["(told from the files, without a server)", "/addresses:2: 192.0.2.9"]);

    let folder = setup.path("");
    std::fs::remove_file(setup.path("addresses")).expect("it is there");
    let arguments = ["--config", "dnsbld.toml", "--offline", "192.0.2.9"];
    let (code, told, _) = check(&folder, &arguments, "");
    assert_eq!(code, 2, "{told}");
    expect(&told, &["cannot tell: bl.test", "dataset addresses (ip4trie): never-loaded"]);
}

/// It was told as a list that does not have the address.
#[test]
fn the_catalog_zone_is_no_list() {
    let setup = setup();
    let config = std::fs::read_to_string(setup.path("dnsbld.toml")).expect("it was written");
    let config = config.replace("allow = ['own']", "allow = ['own']\ntransfer = ['127.0.0.1']");
    let catalog = "[catalog-zone]\nname = 'catalog.test'\ntransfer = ['127.0.0.1']\n";
    setup.write("dnsbld.toml", config + catalog);
    let told = |folder: &std::path::Path, way: &[&str]| {
        let arguments = [way, &["--config", "dnsbld.toml"]].concat();
        for (key, code) in [("192.0.2.9", 1), ("192.0.2.8", 0), ("bad1.example", 1)] {
            let (seen, told, _) = check(folder, &[&arguments[..], &[key]].concat(), "");
            assert!(seen == code && !told.contains("catalog.test"), "{told}");
        }
    };
    told(&setup.path(""), &["--offline"]);
    let server = setup.start();
    told(&server.path(""), &[]);
}

#[test]
fn the_hash_is_that_of_the_name_as_it_is_sent() {
    let folder = crate::common::temp_dir();
    let arguments = ["hash", "--as", "surbl", "x@b\u{fc}cher.example"];
    let said = crate::common::dnsbld(folder.path(), &arguments);
    assert!(said.out.ends_with(" x@xn--bcher-kva.example\n"), "{said:?}");
}
