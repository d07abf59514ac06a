//! `dnsbld diff OLD NEW`: files, snapshots, and what is served.

use crate::common::{Setup, dnsbld, temp_dir, wait_until};
use std::fs;
use std::path::Path;
use std::time::Duration;

fn diff(folder: &Path, arguments: &[&str]) -> (i32, String) {
    dnsbld(folder, arguments).code_and_text()
}

#[test]
fn files_and_snapshots_are_compared_the_widest_first() {
    let folder = temp_dir();
    let here = folder.path();
    fs::write(here.join("old"), "192.0.2.0/25\n10.0.0.1\n").unwrap();
    fs::write(here.join("new"), "198.51.100.7\n8.8.8.0/24\n10.0.0.1 :3:x\n").unwrap();
    let want = "\
+ 8.8.8.0/24 hits 8.8.8.8, Google's resolver
- 192.0.2.0/25
~ 10.0.0.1
+ 198.51.100.7
added: 257 addresses in 2 ranges
removed: 128 addresses in 1 range
changed: 1 address in 1 range
";
    let told = diff(here, &["diff", "--as", "ip4set", "old", "new"]);
    assert_eq!(told, (1, want.to_owned()));
    let (code, out) = diff(here, &["compile", "-o", "snapshot", "ip4set:old"]);
    assert_eq!(code, 0, "{out}");
    assert_eq!(diff(here, &["diff", "--as", "ip4set", "snapshot", "new"]).1, want);
    let (code, out) = diff(here, &["diff", "snapshot", "old"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("old: read as ip4set, by its content"), "{out}");
    assert!(out.contains("snapshot and old list the same\n"), "{out}");
    let (code, out) =
        diff(here, &["diff", "--json", "--as", "ip4set", "--limit", "1", "old", "new"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["old"], &report["new"]), (1, &"old".into(), &"new".into()), "{out}");
    assert_eq!(report["differences"].as_array().unwrap().len(), 1);
    assert_eq!(report["differences"][0]["hits"][0], "8.8.8.8, Google's resolver");
    for (arguments, says) in [
        (["old", "none"], "none"),
        (["old@24h", "new"], "cannot tell: "),
        (["live:old", "new"], "cannot tell: "),
    ] {
        let (code, out) = diff(here, &[&["diff", "--as", "ip4set"][..], &arguments].concat());
        assert_eq!((code, out.contains(says)), (2, true), "{out}");
    }
}

#[test]
fn what_is_served_is_compared_with_the_disk_and_hits_on_ones_own_come_first() {
    let setup = Setup::new();
    let first: String = (0..100).map(|n| format!("192.0.2.{n}\n")).collect();
    setup.write("list", &first);
    setup.write("white", "203.0.113.7\n");
    setup.configure(
        "state-dir = 'state'",
        "[guard]\nsentinels = ['198.51.100.0/24']\n\
         [[dataset]]\nname = 'list'\ntype = 'ip4set'\nfiles = ['list']\n\
         [[dataset]]\nname = 'white'\ntype = 'ip4set'\nfiles = ['white']\n\
         [[zone]]\nname = 'bl.test'\ndatasets = ['list']\nallow = ['white']\n",
    );
    let server = setup.start();
    let folder = server.path("");
    let config = server.path("dnsbld.toml");
    let run = |arguments: &[&str]| {
        let config = ["diff", "--config", config.to_str().unwrap()];
        diff(&folder, &[&config[..], arguments].concat())
    };
    let is_kept = || run(&["live:list", "disk:list"]).0 == 0;
    assert!(wait_until(Duration::from_secs(10), is_kept));
    let text = first + "10.0.0.0/16\n203.0.113.7\n198.51.100.128/25\n";
    fs::write(server.path("new"), text).unwrap();
    let want = "\
+ 198.51.100.128/25 hits sentinel 198.51.100.0/24
+ 203.0.113.7 hits allow list white
+ 10.0.0.0/16
added: 65665 addresses in 3 ranges
";
    let told = run(&["--as", "list", "live:list", "new"]);
    assert_eq!(told, (1, want.to_owned()));
    assert_eq!(run(&["list", "new"]), (1, want.to_owned()));
}
