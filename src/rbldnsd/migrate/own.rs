//! Lists that somebody writes by hand, told from those that are fetched.
//!
//! A feed has its hundreds of entries, and losing half of them is a mishap; a list of one's own may
//! have three, and losing one is what its owner did. What cannot be told for sure is a feed, because
//! the guards of a feed harm less where they are not needed than they are missed.

use crate::config::Dataset;
use crate::source::FileState;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// With fewer entries, any list is somebody's own.
const FEW: usize = 20;
/// With fewer, an access list is, and one with a name that says so.
const SOME: usize = 100;

/// No list of so few entries is larger.
const LARGEST: u64 = 64 << 10;

/// Words in names of files that are somebody's own.
const WORDS: [&str; 6] = ["own", "my", "local", "custom", "manual", "private"];

/// The magic number of gzip: nobody writes such a file by hand.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Why a list looks like somebody's own; `None` for a feed, and if its files cannot be read. Of files
/// that are not there, the name is all that is known.
pub(super) fn sign(set: &Dataset) -> Option<String> {
    if let Some(missing) = missing(set).next() {
        return Some(format!(
            "it is named {}, and is not there now",
            missing.file_name()?.display()
        ));
    }
    let counts: Option<Vec<usize>> = set.files.iter().map(|file| entries(file)).collect();
    let count = counts?.iter().sum::<usize>();
    let entries = match count {
        0 => "it has no entry".to_owned(),
        1 => "it has one entry".to_owned(),
        _ => format!("it has {count} entries"),
    };
    if count < FEW {
        return Some(entries);
    }
    if count >= SOME {
        return None;
    }
    if set.kind.is_access_list() {
        return Some(format!("it is an access list, and {entries}"));
    }
    let name = set.files.iter().find(|file| has_own_name(file))?;
    Some(format!("it is named {}, and {entries}", name.file_name()?.display()))
}

/// How many entries a small text file has.
fn entries(path: &Path) -> Option<usize> {
    // Opening another thing, such as a pipe, might wait.
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = Vec::new();
    File::open(path).ok()?.take(LARGEST + 1).read_to_end(&mut text).ok()?;
    if text.len() as u64 > LARGEST || text.starts_with(&GZIP) {
        return None;
    }
    let is_entry = |line: &&[u8]| match line {
        [] | [b'#' | b';' | b'$', ..] => false,
        [b':', after @ ..] => after.starts_with(b":"),
        _ => true,
    };
    Some(text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(is_entry).count())
}

/// The files of a list that have a name of somebody's own and are not there.
pub(super) fn missing(set: &Dataset) -> impl Iterator<Item = &Path> {
    let files = set.files.iter().map(PathBuf::as_path);
    files.filter(|file| has_own_name(file) && matches!(FileState::of(file), FileState::Vanished))
}

fn has_own_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    name.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| WORDS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zonefile::Kind;
    use std::fs;

    #[test]
    fn few_entries_a_name_or_an_access_list_are_signs() {
        let folder = tempfile::tempdir().unwrap();
        let sign_of = |name: &str, entries: usize, kind| {
            let path = folder.path().join(name);
            let lines = "192.0.2.1\n!192.0.2.2\n".repeat(entries / 2);
            fs::write(&path, format!("# x\n$SOA 1 a b 0 1 1 1 1\n:2:x\n\n{lines}")).unwrap();
            sign(&Dataset::new(String::new(), kind, vec![path]))
        };
        let cases = [
            ("feed", 0, Kind::Ip4Set, Some("it has no entry")),
            ("feed", 18, Kind::Ip4Set, Some("it has 18 entries")),
            ("feed", 20, Kind::Ip4Set, None),
            (
                "white.local",
                98,
                Kind::Ip4Set,
                Some("it is named white.local, and it has 98 entries"),
            ),
            ("white.local", 100, Kind::Ip4Set, None),
            ("locality", 50, Kind::Ip4Set, None),
            ("clients", 50, Kind::Acl, Some("it is an access list, and it has 50 entries")),
            ("clients", 100, Kind::Acl, None),
        ];
        for (name, entries, kind, want) in cases {
            assert_eq!(sign_of(name, entries, kind).as_deref(), want, "{name} {entries}");
        }
        let missing = folder.path().join("none");
        assert_eq!(sign(&Dataset::new(String::new(), Kind::Ip4Set, vec![missing])), None);
        let missing = folder.path().join("own-black");
        let sign_of_missing = sign(&Dataset::new(String::new(), Kind::Ip4Set, vec![missing]));
        assert_eq!(sign_of_missing.as_deref(), Some("it is named own-black, and is not there now"));
        let packed = folder.path().join("packed");
        fs::write(&packed, [0x1f, 0x8b, 8]).unwrap();
        assert_eq!(sign(&Dataset::new(String::new(), Kind::Ip4Set, vec![packed])), None);
    }
}
