//! `scripts/check-layers` refuses what it says it refuses, and the pages show the rooms as it has them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn check(root: &Path, arguments: &[&str]) -> Output {
    Command::new(format!("{ROOT}/scripts/check-layers"))
        .args(arguments)
        .env("CHECK_LAYERS_ROOT", root)
        .output()
        .expect("scripts/check-layers runs")
}

/// What the check says of a tree of these files, and whether it accepts it.
fn verdict(files: &[(&str, &str)]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let output = check(folder.path(), &[]);
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn this_tree_keeps_the_rules() {
    let output = check(Path::new(ROOT), &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn an_import_of_a_lower_room_is_accepted() {
    let (accepted, said) = verdict(&[
        ("src/wire/mod.rs", "pub struct Query;\n"),
        ("src/engine/mod.rs", "use crate::wire::Query;\n"),
    ]);
    assert!(accepted, "{said}");
}

#[test]
fn an_import_of_an_upper_room_is_refused() {
    let (accepted, said) = verdict(&[
        ("src/wire/mod.rs", "fn f() {\n    let _ = crate::engine::answer;\n}\n"),
        ("src/engine/mod.rs", "pub fn answer() {}\n"),
    ]);
    assert!(!accepted);
    assert!(said.contains("src/wire/mod.rs:2: wire must not use engine"), "{said}");
}

#[test]
fn a_comment_may_name_any_room() {
    let (accepted, said) =
        verdict(&[("src/wire/mod.rs", "//! See [`crate::engine`].\n"), ("src/engine.rs", "")]);
    assert!(accepted, "{said}");
}

#[test]
fn a_test_may_use_any_room() {
    let (accepted, said) = verdict(&[
        ("src/wire/mod.rs", "#[cfg(test)]\nmod tests {\n    use crate::engine::answer;\n}\n"),
        ("src/wire/tests.rs", "use crate::engine::answer;\n"),
        ("src/engine.rs", ""),
    ]);
    assert!(accepted, "{said}");
}

#[test]
fn a_name_for_two_types_is_refused_unless_one_is_a_setting_or_a_verb() {
    let both = |first, second| {
        verdict(&[(first, "pub struct Zone;\n"), (second, "\npub(crate) enum Zone {}\n")])
    };
    let (accepted, said) = both("src/zone/mod.rs", "src/server/mod.rs");
    assert!(!accepted);
    assert!(said.contains("Zone is also the name of a type of src/"), "{said}");
    for room in ["src/config/mod.rs", "src/cli/zone.rs"] {
        let (accepted, said) = both("src/zone/mod.rs", room);
        assert!(accepted, "{said}");
    }
}

#[test]
fn an_unknown_room_is_refused() {
    let (accepted, said) = verdict(&[("src/attic/mod.rs", "")]);
    assert!(!accepted);
    assert!(said.contains("attic is not in the list"), "{said}");
}

#[test]
fn files_that_use_each_other_are_refused_unless_both_say_why() {
    let (accepted, said) = verdict(&[
        ("src/trie/mod.rs", "mod a;\nmod b;\n"),
        ("src/trie/a.rs", "use super::b::B;\npub struct A;\n"),
        ("src/trie/b.rs", "use super::a::A;\npub struct B;\n"),
    ]);
    assert!(!accepted);
    assert!(said.contains("a circle of files"), "{said}");
    let (accepted, said) = verdict(&[
        ("src/trie/mod.rs", "mod a;\nmod b;\n"),
        ("src/trie/a.rs", "//! One unit with `b.rs`.\nuse super::b::B;\npub struct A;\n"),
        ("src/trie/b.rs", "//! One unit with `a.rs`.\nuse super::a::A;\npub struct B;\n"),
    ]);
    assert!(accepted, "{said}");
}

#[test]
fn a_circle_through_a_name_that_the_parent_passes_on_is_refused() {
    let (accepted, said) = verdict(&[
        ("src/trie/mod.rs", "mod a;\nmod b;\npub use b::B;\n"),
        ("src/trie/a.rs", "use super::B;\npub struct A;\n"),
        ("src/trie/b.rs", "use super::a::A;\npub struct B;\n"),
    ]);
    assert!(!accepted, "{said}");
}

#[test]
fn pure_rooms_have_no_files_and_no_clock() {
    let (accepted, said) = verdict(&[("src/zone/mod.rs", "use std::fs;\n")]);
    assert!(!accepted);
    assert!(said.contains("no runtime, file, socket, log or clock in zone"), "{said}");
}

#[test]
fn the_architecture_page_shows_the_rooms() {
    let output = check(Path::new(ROOT), &["diagram"]);
    let diagram = String::from_utf8(output.stdout).unwrap();
    let page = fs::read_to_string(format!("{ROOT}/docs/architecture.md")).unwrap();
    assert!(page.contains(&diagram), "docs/architecture.md shows other rooms than:\n{diagram}");
}

#[test]
fn the_page_of_the_library_shows_the_rooms_in_order() {
    let output = check(Path::new(ROOT), &["diagram"]);
    let diagram = String::from_utf8(output.stdout).unwrap();
    let mut rooms: Vec<&str> = diagram.lines().filter_map(|line| line.split(' ').next()).collect();
    rooms.retain(|&room| room != "main");
    rooms.reverse();
    let page = fs::read_to_string(format!("{ROOT}/src/lib.rs")).unwrap();
    let shown = page.lines().filter_map(|line| line.strip_prefix("//! | [`")?.split('`').next());
    assert_eq!(shown.collect::<Vec<_>>(), rooms);
}
