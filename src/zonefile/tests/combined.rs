//! Combined files: what belongs to which section.

use super::*;
use crate::listing::records::NameRecords;
use crate::zonefile::section_reader::{MAX_SECTIONS, MAX_SECTIONS_OF_SUBZONE, MAX_SUBZONES};
use std::sync::Arc;

fn combined(files: &[&str]) -> Result<Parsed, Fatal> {
    let files: Vec<&[u8]> = files.iter().map(|file| file.as_bytes()).collect();
    parse(Kind::Combined, options(), &files)
}

/// The sections as text: `type name apexes ttl $1 entries`.
fn sections(parsed: &Parsed) -> Vec<String> {
    let section = |part: &ParsedSection| {
        let ParsedSection { name, apexes, parsed } = part;
        let apexes: Vec<_> = apexes.iter().map(ToString::to_string).collect();
        let one = parsed.vars.numbered[1].as_deref().map(String::from_utf8_lossy);
        let (kind, ttl, entries) = (parsed.kind, parsed.ttl, parsed.entries);
        format!("{kind} {name} {} {ttl} {} {entries}", apexes.join(","), one.unwrap_or_default())
    };
    parsed.parts.iter().map(section).collect()
}

fn reasons(parsed: &Parsed) -> Vec<(u16, u32, u32, Mistake)> {
    let at = |kept: &Diagnostic| (kept.file, kept.line, kept.column, kept.reason);
    parsed.diagnostics.kept.iter().map(at).collect()
}

#[test]
fn each_section_starts_from_what_stands_before_all_of_them() {
    let file = "$TTL 5m\n$1 common\n$MAXRANGE4 /24\n\
        $DATASET ip4set:one A.B @ . # comment\n$TTL 1m\n$1 late\n$2 own\n1.2.3.4\n:3:\n1.2.3.5\n\
        \t$dataset\tdnset  x ;y\n$SOA 0 ns. h. 1 2 3 4 5\n$NS 1h ns.\n.name\n1.2.3.4 $ $2\n\
        $DATASET ip4set z\n$TTL 0\n1.2.3.4\n1.2.0/23\n";
    let parsed = combined(&[file]).unwrap();
    assert_eq!(
        sections(&parsed),
        [
            "ip4set one a.b,.,. 60 common 2",
            "dnset dnset x 300 common 2",
            "ip4set ip4set z 2100 common 1"
        ]
    );
    assert_eq!((parsed.ttl, parsed.entries), (300, 5));
    let large = Mistake::LargeRange { size: 512, max: 256 };
    assert_eq!(reasons(&parsed), [(0, 19, 9, large)]);
    let soa = parsed.soa.as_ref().unwrap();
    assert_eq!((soa.ttl, soa.serial), (300, 1), "the TTL of the whole stands for 0");
    assert!(parsed.ns.is_some() && parsed.parts.iter().all(|part| part.parsed.soa.is_none()));
    assert_eq!(parsed.parts[0].parsed.vars.numbered[2].as_deref(), Some(&b"own"[..]));
    assert_eq!(parsed.parts[1].parsed.vars.numbered[2], None);
    assert_eq!(listing4(&parsed.parts[0].parsed), ["1.2.3.4 127.0.0.2 ", "1.2.3.5 127.0.0.3 "]);
    assert_eq!(listing4(&parsed.parts[2].parsed), ["1.2.3.4 127.0.0.2 "]);
}

#[test]
fn records_have_the_ttl_of_their_section() {
    let parsed = combined(&["$TTL 5\n$DATASET generic @\na A 1.2.3.4\n$TTL 6\nb A 1.2.3.4\n"]);
    let parsed = parsed.unwrap();
    let set = parsed.parts[0].parsed.records.as_ref().unwrap();
    for (name, ttl) in [(b"\x01a\0", 5), (b"\x01b\0", 6)] {
        let NameRecords::Records(name) = set.lookup(name) else { panic!() };
        assert_eq!(set.records(name).next().unwrap().ttl, ttl);
    }
}

#[test]
fn an_entry_needs_a_section_in_its_file() {
    let fatal = |files: &[&str]| combined(files).unwrap_err();
    let early = Fatal { file: 0, line: 3, cause: FatalCause::NoSection };
    assert_eq!(fatal(&["# comment\n$TTL 5\n1.2.3.4\n"]), early);
    let first = "$DATASET ip4set @\n:3:\n1.2.3.4\n";
    let again = Fatal { file: 1, line: 1, cause: FatalCause::NoSection };
    assert_eq!(fatal(&[first, "1.2.3.5\n"]), again);
    // After a special line of any kind, even one that means nothing, the last section goes on,
    // its default value included.
    for special in ["$TTL 5", "#$nonsense", "$1 x"] {
        let parsed = combined(&[first, &format!("{special}\n1.2.3.5\n")]).unwrap();
        let listed = listing4(&parsed.parts[0].parsed);
        assert_eq!(listed, ["1.2.3.4-1.2.3.5 127.0.0.3 "], "{special}");
    }
    let closed = Fatal { file: 0, line: 5, cause: FatalCause::NoSection };
    assert_eq!(fatal(&[&format!("{first}$DATASET # none\n1.2.3.4\n")]), closed);
    for kind in ["combined", "acl", "IP4SET", "ip4", ":x"] {
        let unknown = fatal(&[&format!("$DATASET {kind} @\n")]);
        assert_eq!(unknown.cause, FatalCause::SectionType(SectionTypes), "{kind}");
        assert!(unknown.to_string().contains("generic") && !unknown.to_string().contains("bined"));
    }
    let generic = fatal(&["$DATASET generic @\na A 1.2.3.4\na MX 1 x y\n"]);
    assert_eq!(generic, Fatal { file: 0, line: 3, cause: FatalCause::MailExchange });
}

#[test]
fn subzones_that_are_none_are_told() {
    let parsed = combined(&["$DATASET ip4set:a\n1.2.3.4\n  $DATASET ip4set x \\256 y\n1.2.3.4\n\
        $DATASET\n$DATASET ip4trie:t z\n1.2.3.4\n1.2.3.4\n"])
    .unwrap();
    assert_eq!(sections(&parsed), ["ip4set ip4set x,y 2100  1", "ip4trie t z 2100  1"]);
    assert_eq!(parsed.entries, 2);
    let duplicate = Mistake::Duplicate("1.2.3.4/32".parse().unwrap());
    assert_eq!(
        reasons(&parsed),
        [
            (0, 1, 18, Mistake::NoSubzone),
            (0, 3, 21, Mistake::BadName(crate::wire::name::NameError::BadEscape)),
            (0, 5, 9, Mistake::BadSpecial(Special::Dataset)),
            (0, 8, 1, duplicate),
        ]
    );
}

/// Regression: the duplicates of a section that ends in the next file were taken from the count of
/// entry lines, which the files share, and that of the second file fell below zero.
#[test]
fn the_count_of_entry_lines_never_falls() {
    let mut parser = Parser::new(Kind::Combined, options());
    parser.start_file();
    parser.feed(b"$DATASET ip4trie a\n1.2.3.4\n1.2.3.4\n").unwrap();
    parser.end_file().unwrap();
    assert_eq!(parser.entries(), 2);
    parser.start_file();
    parser.feed(b"$DATASET ip4trie b\n").unwrap();
    parser.end_file().unwrap();
    assert_eq!(parser.entries(), 2);
    assert_eq!(parser.finish().entries, 1);
}

/// Regression: the duplicates of a section that ends in the next file were bad lines of that file,
/// which without entries of its own was then taken for garbage.
#[test]
fn duplicates_are_no_bad_lines_of_the_next_file() {
    let mut parser = Parser::new(Kind::Combined, Options::default());
    for file in ["$DATASET ip4trie @\n0/0 :2:a\n0/0 :3:b\n", "$DATASET ip4set x\n"] {
        parser.start_file();
        parser.feed(file.as_bytes()).unwrap();
        parser.end_file().unwrap();
        assert_eq!(parser.diagnostics().total, 0);
    }
    let parsed = parser.finish();
    assert_eq!((parsed.entries, parsed.diagnostics.total), (1, 1));
    let diagnostic = &parsed.diagnostics.kept[0];
    assert_eq!((diagnostic.file, diagnostic.line), (0, 3));
}

#[test]
fn sections_and_subzones_are_bounded() {
    let sections = |count: usize| -> String {
        (0..count).map(|number| format!("$DATASET ip4set s{number}\n")).collect()
    };
    assert!(combined(&[&sections(MAX_SECTIONS)]).is_ok());
    let refused = |text: &str| combined(&[text]).map(|_| ()).unwrap_err().cause;
    let cause = FatalCause::ManySections(MAX_SECTIONS);
    assert_eq!(refused(&sections(MAX_SECTIONS + 1)), cause);
    let of_one = "$DATASET ip4set x X y\n".repeat(MAX_SECTIONS_OF_SUBZONE);
    assert!(combined(&[&of_one]).is_ok());
    let cause = FatalCause::ManySectionsOfSubzone(MAX_SECTIONS_OF_SUBZONE);
    assert_eq!(refused(&format!("{of_one}$DATASET dnset z y\n")), cause);
    let line = |line: usize| -> String {
        let names = (0..1024).map(|number| format!(" {line}.{number}"));
        format!("$DATASET ip4set{}\n", names.collect::<String>())
    };
    let lines: String = (0..MAX_SUBZONES / 1024).map(line).collect();
    assert!(combined(&[&lines]).is_ok());
    let cause = FatalCause::ManySubzones(MAX_SUBZONES);
    assert_eq!(refused(&format!("{lines}$DATASET ip4set x\n")), cause);
}

#[test]
fn sections_share_the_variables_before_them() {
    let text = "x".repeat(20_000);
    let file = format!("$1 {text}\n$= {text}\n$DATASET ip4set a\n$2 own\n$DATASET ip4set b\n");
    let parsed = combined(&[&file]).unwrap();
    let vars = |part: usize| &parsed.parts[part].parsed.vars;
    let same = |of: fn(&Vars) -> &Option<Arc<[u8]>>| {
        Arc::ptr_eq(of(vars(0)).as_ref().unwrap(), of(vars(1)).as_ref().unwrap())
    };
    assert!(same(|vars| &vars.numbered[1]) && same(|vars| &vars.base));
    assert_eq!(vars(0).numbered[1].as_deref(), Some(&text.as_bytes()[..2 * MAX_TEXT]));
}
