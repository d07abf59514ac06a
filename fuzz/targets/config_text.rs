//! Any text as a configuration: settings that make sense, or mistakes with a place in it.

use super::{file, seeds};
use dnsbld::config::{ConfigSource, Loaded};
use std::collections::HashSet;
use std::path::Path;

pub(crate) const TOKENS: &[&[u8]] = &[
    b"[server]\n",
    b"[[dataset]]\n",
    b"[[zone]]\n",
    b"[server.tls]\n",
    b"name = ",
    b"type = \"ip4set\"\n",
    b"files = [\"a\"]\n",
    b"datasets = [\"a\"]\n",
    b"listen = [\"127.0.0.1:53\"]\n",
    b"\"1h\"",
    b"true",
    b"0",
    b"-1",
    b"4294967296",
    b"[]",
    b"{}",
    b"{ x = 1 }",
    b"\"\"\"",
    b"soa = { mname = \"a\", ",
    b"ns = [",
    b"ttl = ",
    b"allow = [",
    b"#",
    b"\n",
    b"'",
    b".",
    b"=",
    b"1979-05-27",
    b"inf",
    b"0x7f",
];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let sample = seeds::config();
    // What is off in the template is a comment without a blank.
    let uncommented: String = sample
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') => format!("{key}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let parts = sample.split("\n[[").map(|part| format!("[[{part}\n"));
    let mut all: Vec<_> = parts.map(String::into_bytes).collect();
    all.extend([sample.clone().into_bytes(), uncommented.into_bytes()]);
    all.push(b"bl.example:ip4set:list,other\nbl.example:dnset:names".to_vec());
    all
}

pub(crate) fn run(data: &[u8]) {
    let path = file::with(data);
    match ConfigSource::file(&path).load() {
        Ok(loaded) => {
            check_settings(&loaded);
            assert_eq!(ConfigSource::file(&path).load().as_ref(), Ok(&loaded));
        }
        Err(errors) => {
            assert!(!errors.list.is_empty());
            let lines = data.split(|&byte| byte == b'\n').count();
            let is_text = std::str::from_utf8(data).is_ok();
            for diagnostic in &errors.list {
                assert!(!diagnostic.message.is_empty());
                let (line, column) = match diagnostic.place {
                    Some(place) => place,
                    // What is missing from the file is nowhere in it.
                    None if !is_text || diagnostic.message == "there is no zone to serve" => {
                        continue;
                    }
                    None => panic!("no place: {diagnostic}"),
                };
                assert!((1..=lines).contains(&line), "line {line} of {lines}: {diagnostic}");
                let text = data.split(|&byte| byte == b'\n').nth(line - 1).unwrap_or_default();
                assert!((1..=text.len() + 1).contains(&column), "column {column}: {diagnostic}");
            }
            assert!(errors.list.is_sorted_by_key(|diagnostic| diagnostic.place));
            assert!(errors.to_string().starts_with(&*path.to_string_lossy()));
        }
    }
    let text = String::from_utf8_lossy(data);
    let specs = text.lines().take(8).map(str::to_owned).collect();
    match ConfigSource::zone_specs(specs, "/mirror".into()).load() {
        Ok(loaded) => check_settings(&loaded),
        Err(errors) => assert!(!errors.list.is_empty() && !errors.to_string().is_empty()),
    }
}

fn check_settings(loaded: &Loaded) {
    let settings = &loaded.settings;
    let mut names = HashSet::new();
    for dataset in &settings.datasets {
        assert!(names.insert(&dataset.name), "two datasets {}", dataset.name);
        assert!(!dataset.files.is_empty());
        assert!(dataset.files.iter().all(|file| Path::is_absolute(file)));
    }
    let mut apexes = HashSet::new();
    for zone in &settings.zones {
        assert!(apexes.insert(&zone.name), "two zones {}", zone.name);
        assert_eq!(zone.name, zone.name.to_lowercase());
        for name in zone.datasets.iter().chain(&zone.allow) {
            assert!(names.contains(name), "no dataset {name}");
        }
    }
    let server = &settings.server;
    assert!(server.tcp.per_client <= server.tcp.connections);
    assert!(server.ttl.min <= server.ttl.max || server.ttl.max == 0);
}
