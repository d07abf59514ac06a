//! `dnsbld lint` as authors of lists meet it: output, exit codes and mended files.

use crate::common::{Ended, dnsbld, temp_dir};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn lint(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let Ended { code, out, err } = dnsbld(folder, &[&["lint"], arguments].concat());
    (code, out, err)
}

const LIST: &str = "\
$0 nobody has it
:2:listed, see https://bl.example/$
192.0.2.0/24
192.0.2.7
198.51.100.1 - 198.51.100.3 # our own
198.51.100.1\t198.51.100.9
203.0.113.0/255.255.255.0
203.0.113.5 OK
192.0.2.0/24
10.1.2.3/24
203.0.113.9:25
127.0.0.1";

#[test]
fn what_cannot_be_written_is_told() {
    let folder = temp_dir();
    fs::write(folder.path().join("list"), "127.0.0.2\n192.0.2.7\n192.0.2.7\n").unwrap();
    let (code, out, err) = lint(folder.path(), &["--fix", "-o", "none/list", "list"]);
    assert_eq!((code, &*out), (2, ""), "{err}");
    assert!(err.contains("cannot write none/list: "), "{err}");
}

#[test]
fn findings_have_line_and_caret_and_the_file_is_mended() {
    let folder = temp_dir();
    fs::write(folder.path().join("list"), LIST).unwrap();
    let (code, out, _) = lint(folder.path(), &["list"]);
    let want = "\
list: note: has no test entry 127.0.0.2 (RFC 5782 section 5): add it to one file of the list [test-entry]
list:1:1: warning: no text has $0: leave it out [unused-variable]
    | $0 nobody has it
    | ^
list:4:1: warning: 192.0.2.7: line 3 (192.0.2.0/24) lists all of it, with the same value: leave this one out [covered]
    | 192.0.2.7
    | ^
list:5:28: warning: read as a range: write it with a hyphen and without blanks, as in 192.0.2.1-192.0.2.9 [range]
    | 198.51.100.1 - 198.51.100.3 # our own
    |                            ^
";
    assert!(out.starts_with(want), "{out}");
    let rules =
        ["second-address", "netmask", "map-word", "repeated", "host-bits", "port", "never-listed"];
    for rule in rules {
        assert!(out.contains(&format!("[{rule}]\n")), "{rule}: {out}");
    }
    let sum = "list: read as ip4set, by its content (--as ip4set says so): 9 entries; 2 errors, ";
    assert!(out.lines().last().unwrap().starts_with(sum), "{out}");
    assert_eq!(code, 1, "{out}");

    let path = folder.path().join("list");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let (code, out, _) = lint(folder.path(), &["--fix", "list"]);
    let told = out.lines().next();
    let want = Some("list: left out 2 lines, wrote 2 lines anew, ended the last line");
    assert_eq!((code, told), (1, want), "{out}");
    let mended = "\
$0 nobody has it
:2:listed, see https://bl.example/$
192.0.2.0/24
198.51.100.1-198.51.100.3 # our own
198.51.100.1\t198.51.100.9
203.0.113.0/24
203.0.113.5 OK
10.1.2.3/24
203.0.113.9:25
127.0.0.1
";
    assert_eq!(fs::read_to_string(&path).unwrap(), mended);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    let (_, out, _) = lint(folder.path(), &["--fix", "list"]);
    assert!(out.starts_with("list: nothing to mend\n"), "{out}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_sample_lists_are_clean() {
    let zones = Path::new(env!("CARGO_MANIFEST_DIR")).join("zones");
    let names: Vec<String> = fs::read_dir(&zones)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".toml") && !name.ends_with(".aclkey"))
        .collect();
    let mut arguments: Vec<&str> = names.iter().map(String::as_str).collect();
    arguments.sort_unstable();
    let (code, out, err) = lint(&zones, &arguments);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let types = [
        ("bl.spamcop.net", "ip4set"),
        ("clients.acl", "acl"),
        ("dnsbl.example", "combined"),
        ("dnsbl.example.web", "generic"),
        ("ebl.example", "hashset"),
        ("hosts.example", "dnset in the format hosts"),
        ("ip6.example", "ip6trie"),
        ("l1.apews.org", "dnset"),
        ("mixed.example", "mixed"),
        ("white.example", "ip4trie"),
    ];
    for (name, kind) in types {
        assert!(out.contains(&format!("{name}: read as {kind}, by its content")), "{name}: {out}");
    }
    let keys = lint(&zones, &["--as", "aclkey", "subscribers.aclkey"]);
    assert_eq!(keys.0, 0, "{}", keys.1);
}

#[test]
fn json_has_all_of_it_and_what_cannot_be_read_is_said() {
    let folder = temp_dir();
    fs::write(folder.path().join("a"), "0.0.0.0 a.example\n0.0.0.0 b.example\n").unwrap();
    fs::write(folder.path().join("b"), "1.2.3.4\n1.2.3.4\n1.2.3.4\n").unwrap();
    let (code, out, err) =
        lint(folder.path(), &["--json", "--as", "dnset", "--limit", "1", "a", "none", "b"]);
    assert_eq!(code, 2, "{out}");
    assert!(err.contains("none"), "{err}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["schema"], 1);
    let first = &report["files"][0]["findings"][0];
    assert_eq!((&first["rule"], &first["line"]), (&"other-form".into(), &serde_json::Value::Null));
    assert!(first["message"].as_str().unwrap().contains("format = \"hosts\""), "{first}");
    let second = &report["files"][1];
    assert_eq!((&second["type"], &second["guessed"]), (&"dnset".into(), &false.into()));
    assert_eq!(second["warnings"], 5);
    let (code, out, _) = lint(folder.path(), &["--as", "dnset:hosts", "a"]);
    assert_eq!(code, 0, "{out}");
    let (code, _, err) = lint(folder.path(), &["--as", "ip4set:hosts", "a"]);
    assert_eq!(code, 2, "{err}");
}
