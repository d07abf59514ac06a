//! Lists of hashes.

use super::*;
use crate::trie::digests::Alphabet;
use proptest::prelude::*;

const MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";
const SHA1: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
/// The same in base32.
const SHA256_LABEL: &str = "t6dnbamijr6wlgrp5kqmkwwqcwr36ty3fmfyelgrlvwblmhqbiea";
/// The first 32 digits of a hash as rspamd writes them.
const RSPAMD: &str = "s6rs3dn6jqgfwxh1ce5tuz81ommxgh7k";

fn read(text: &str) -> Parsed {
    read_as(HashForm::default(), text)
}

fn read_as(hash: HashForm, text: &str) -> Parsed {
    parse(Kind::Hashset, Options { hash, ..options() }, &[text.as_bytes()]).unwrap()
}

/// The values of a label.
fn of(parsed: &Parsed, label: &str) -> Vec<String> {
    let answer = parsed.digests.as_ref().unwrap().lookup(label.to_ascii_lowercase().as_bytes());
    values(parsed, answer)
}

/// What is told: line, column and words.
fn told_of(parsed: &Parsed) -> Vec<(u32, u32, String)> {
    let kept = parsed.diagnostics.kept.iter();
    kept.map(|told| (told.line, told.column, told.reason.to_string())).collect()
}

#[test]
fn entries_have_the_values_and_exclusions_of_other_lists() {
    let other = SHA1.replace("da", "00");
    let text = format!(
        ":3:see $\n{SHA1}\n{} :4:own\n{other}\n{} # a comment\n!{}\n{}:5:glued\n",
        SHA1.to_uppercase(),
        SHA1.replace("da", "aa"),
        other.to_uppercase(),
        SHA1.replace("da", "bb"),
    );
    let parsed = read(&text);
    assert_eq!(parsed.diagnostics.kept, []);
    assert_eq!(parsed.entries, 6);
    assert_eq!(
        of(&parsed, SHA1),
        ["127.0.0.3 see $", "127.0.0.4 own"],
        "one entry whatever the case"
    );
    assert_eq!(of(&parsed, &other), [""; 0], "excluded");
    assert_eq!(of(&parsed, &SHA1.replace("da", "aa")), ["127.0.0.3 see $"]);
    assert_eq!(of(&parsed, &SHA1.replace("da", "bb")), ["127.0.0.5 glued"]);
    assert_eq!(parsed.digests.unwrap().len(), 3);
}

#[test]
fn the_first_entry_tells_the_form_of_all() {
    let text = format!(
        "test\n{SHA1}\n{}\n {MD5}\n{SHA1}0\n{}\n.{SHA1}\nbad.example\n{SHA256_LABEL}\n",
        &SHA1[1..],
        SHA1.replace('5', "z"),
    );
    let parsed = read(&text);
    assert_eq!(parsed.digests.as_ref().unwrap().form().to_string(), "40 digits of hex");
    assert_eq!((parsed.entries, of(&parsed, SHA1).len()), (1, 1));
    let told = told_of(&parsed);
    let places: Vec<_> = told.iter().map(|&(line, column, _)| (line, column)).collect();
    let z = SHA1.find('5').unwrap() as u32 + 1;
    assert_eq!(places, [(1, 1), (3, 40), (4, 34), (5, 41), (6, z), (7, 1), (8, 4), (9, 1)]);
    assert_eq!(told[0].2, "not a hash: it has 4 digits, and a hash has 16 to 63, or 64 of hex");
    assert!(told[1].2.starts_with("a hash of 39 digits among hashes of 40: "), "{told:?}");
    assert!(told[4].2.starts_with("`z` is no digit of hex, "), "{told:?}");
    let parsed = read(&format!("{SHA256_LABEL}\n{SHA1}\n"));
    assert_eq!(parsed.digests.unwrap().form().to_string(), "52 digits of base32");
    assert_eq!(parsed.diagnostics.total, 1);
}

#[test]
fn settings_can_tell_the_form() {
    let form = |alphabet, digits| HashForm::new(alphabet, digits).unwrap();
    let parsed = read_as(form(Some(Alphabet::Zbase32), None), &format!("{RSPAMD}\n{MD5}\n"));
    assert_eq!((of(&parsed, RSPAMD).len(), parsed.diagnostics.total), (1, 1), "MD5 has a zero");
    let parsed = read_as(form(None, Some(40)), &format!("{MD5}\n{SHA1}\n"));
    assert_eq!((of(&parsed, SHA1).len(), parsed.diagnostics.total), (1, 1));
    assert_eq!(told_of(&parsed)[0].1, 33);
    let parsed = read(&format!("{RSPAMD}\n"));
    assert!(told_of(&parsed)[0].2.contains("no digit of base32"), "{:?}", parsed.diagnostics.kept);
    for (alphabet, digits) in [(None, 15), (None, 65), (Some(Alphabet::Base32), 64)] {
        assert_eq!(HashForm::new(alphabet, Some(digits)), None, "{alphabet:?} {digits}");
    }
}

#[test]
fn sha256_in_hex_is_asked_for_in_base32() {
    let sets = [
        HashForm::default(),
        HashForm::new(Some(Alphabet::Hex), None).unwrap(),
        HashForm::new(Some(Alphabet::Hex), Some(64)).unwrap(),
        HashForm::new(None, Some(64)).unwrap(),
    ];
    for form in sets {
        let parsed = read_as(form, &format!("{}\n!{SHA256_LABEL}\n", SHA256.replace("9f", "00")));
        assert_eq!((parsed.diagnostics.total, parsed.digests.unwrap().len()), (0, 1), "{form:?}");
        let parsed = read_as(form, &format!("{SHA256} :2:x\n"));
        assert_eq!(of(&parsed, SHA256_LABEL), ["127.0.0.2 x"], "{form:?}");
    }
    let parsed = read(&format!("{SHA1}\n{SHA256}\n"));
    assert_eq!(told_of(&parsed)[0].1, 41, "this list is of others");
}

#[test]
fn only_the_length_of_the_others_tells_that_the_last_line_is_whole() {
    assert_eq!(read(&format!("{SHA1}\n{}", SHA1.replace("da", "aa"))).entries, 2);
    let parsed = read(SHA1);
    assert_eq!((parsed.entries, parsed.diagnostics.kept[0].reason), (0, Mistake::CutKey));
}

#[test]
fn sections_of_a_combined_list_have_forms_of_their_own() {
    let text =
        format!("$DATASET hashset _email\n{SHA1}\n$DATASET hashset _cw _url\n{SHA256_LABEL}\n");
    let parsed = parse(Kind::Combined, options(), &[text.as_bytes()]).unwrap();
    assert_eq!(parsed.diagnostics.kept, []);
    let digits: Vec<_> = parsed
        .parts
        .iter()
        .map(|part| part.parsed.digests.as_ref().unwrap().form().digits())
        .collect();
    assert_eq!(digits, [40, 52]);
    let rbldnsd = Options { dialect: Dialect::Rbldnsd, ..options() };
    let fatal = parse(Kind::Combined, rbldnsd, &[text.as_bytes()]).unwrap_err();
    assert!(matches!(fatal.cause, FatalCause::SectionType(_)), "{fatal:?}");
}

proptest! {
    /// Lines that are read many at a time are those that are read one by one.
    #[test]
    fn fast_lines_are_read_as_the_others(
        lines in prop::collection::vec(prop::sample::select(&[
            "00000000000000aa\n", "00000000000000ab\n", "00000000000000AA\n", "!00000000000000ab\n",
            "00000000000000ac :2:x\n", "00000000000000ac :3\n", "0000000000000aa\n", "00000000000000aaa\n",
            "00000000000000a.\n", "00000000000000ag\n", ".00000000000000aa\n", "0000000000000.aa\n", ":4:y\n",
            "\n", "# z\n", "00000000000000ad\r\n", "000000000000000000000000000000000000000000000000000000000000000a\n",
        ][..]), 0..120),
        at in 1..200_usize,
    ) {
        let text = lines.concat();
        let one_by_one = {
            let mut parser = Parser::observed(Kind::Hashset, options(), Box::new(|_, _, _| {}));
            parser.start_file();
            parser.feed(text.as_bytes()).unwrap();
            parser.end_file().unwrap();
            parser.finish()
        };
        for ahead in [false, true] {
            let mut parser = Parser::new(Kind::Hashset, options());
            parser.start_file();
            for chunk in text.as_bytes().chunks(at) {
                match ahead {
                    true => parser.feed_batches(chunk, &Batches::new(Kind::Hashset, chunk)).unwrap(),
                    false => parser.feed(chunk).unwrap(),
                }
            }
            parser.end_file().unwrap();
            let parsed = parser.finish();
            prop_assert_eq!(&parsed.digests, &one_by_one.digests);
            prop_assert_eq!(&parsed.answers, &one_by_one.answers);
            prop_assert_eq!(parsed.entries, one_by_one.entries);
            prop_assert_eq!(&parsed.diagnostics.kept, &one_by_one.diagnostics.kept);
        }
    }
}
