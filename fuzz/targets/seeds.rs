//! Inputs to start from: the sample zones and the cases of the differential test.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the repository.
pub(crate) fn repository() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    if package.join("zones").is_dir() { package } else { package.parent().unwrap_or(package) }
}

/// The text of the configuration that has every setting.
pub(crate) fn config() -> String {
    fs::read_to_string(repository().join("docs/configuration.toml")).expect("every setting")
}

/// Data files: the sample zones, and those of the differential test with their type.
pub(crate) fn zone_files() -> Vec<(Option<String>, Vec<u8>)> {
    let mut files = Vec::new();
    for path in files_in("zones") {
        if path.extension().is_none_or(|end| end != "toml") {
            files.push((None, fs::read(&path).expect("a sample zone")));
        }
    }
    for case in cases() {
        let kind_of = |file: &str| {
            let mut served = case.lines().filter_map(|line| line.strip_prefix("serve "));
            served.find_map(|spec| {
                let (_, rest) = spec.split_once(':')?;
                let (kind, names) = rest.split_once(':')?;
                names.split(',').any(|name| name == file).then(|| kind.to_owned())
            })
        };
        for line in case.lines() {
            if let Some(name) = line.strip_prefix("file ") {
                files.push((kind_of(name.trim()), Vec::new()));
            } else if let (Some(text), Some((_, file))) = (line.strip_prefix('|'), files.last_mut())
            {
                file.extend(text.as_bytes());
                file.push(b'\n');
            }
        }
    }
    files
}

/// Names and types asked in the differential test.
pub(crate) fn questions() -> Vec<(String, u16)> {
    let mut questions = Vec::new();
    for case in cases() {
        for line in case.lines().filter_map(|line| line.strip_prefix("ask ")) {
            let mut words = line.split_whitespace();
            let (Some(name), Some(qtype)) = (words.next(), words.next()) else { continue };
            let qtype = match qtype {
                "A" => 1,
                "TXT" => 16,
                "SOA" => 6,
                "NS" => 2,
                "ANY" => 255,
                _ => 28,
            };
            for apex in ["bl.test", "all.test", "dn.test"] {
                let name = name.replace("bl.example", apex);
                if !questions.contains(&(name.clone(), qtype)) {
                    questions.push((name, qtype));
                }
            }
        }
    }
    questions.retain(|(name, _)| name.parse::<dnsbld::wire::name::NameBuf>().is_ok());
    questions
}

fn cases() -> Vec<String> {
    let read = |path: PathBuf| fs::read_to_string(path).expect("a case");
    files_in("tests/differential/cases").into_iter().map(read).collect()
}

fn files_in(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(repository().join(folder)).expect("a folder of the repository");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    paths
}
