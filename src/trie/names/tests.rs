use super::*;
use crate::answer::AnswerId;
use crate::listing::names::{NamesBuilder, Scope};
use crate::listing::{Answers, AnswersBuilder};
use crate::wire::name::{LabelStarts, NameBuf};
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::BTreeSet;

/// An entry as it stands in a file; no text is an exclusion.
type Line = (NameBuf, Scope, Option<&'static str>);

const TEXTS: [&str; 4] = ["", "one", "two", "see $"];

fn name(text: &str) -> NameBuf {
    NameBuf::from_text(text.as_bytes()).unwrap()
}

fn line(text: &str, scope: Scope, value: Option<&'static str>) -> Line {
    (name(text), scope, value)
}

fn build(lines: &[Line]) -> (NameTree, Answers) {
    build_with(lines, 1)
}

fn build_with(lines: &[Line], threads: usize) -> (NameTree, Answers) {
    let mut answers = AnswersBuilder::default();
    let mut names = NamesBuilder::new(threads);
    for (name, scope, text) in lines {
        let value = text.map(|text| answers.value([127, 0, 0, 2].into(), text.as_bytes()).unwrap());
        names.add(name.as_wire(), *scope, value).unwrap();
    }
    assert_eq!(names.len(), lines.len());
    names.finish(answers, b"")
}

fn parent(name: &NameBuf) -> NameBuf {
    let wire = name.as_wire();
    NameBuf::from_wire(&wire[1 + usize::from(wire[0])..]).unwrap()
}

fn child(label: &str, parent: &NameBuf) -> NameBuf {
    name(label).join(parent).unwrap()
}

/// What the lines say about exactly this name and scope, by reading them all.
fn naive_entry<'a>(lines: &[Line], name: &NameBuf, below: bool) -> Option<Vec<&'a str>> {
    let other = if below { Scope::Itself } else { Scope::Below };
    let mut texts = Vec::new();
    let mut excluded = false;
    for (_, _, text) in lines.iter().filter(|line| line.0 == *name && line.1 != other) {
        match text {
            None => excluded = true,
            Some(text) if texts.contains(text) => {}
            Some(text) => texts.push(text),
        }
    }
    if excluded { Some(Vec::new()) } else { Some(texts).filter(|texts| !texts.is_empty()) }
}

/// The texts of a name, none if it is not listed, and the name that gives them.
fn naive_lookup<'a>(lines: &[Line], name: &NameBuf) -> (Vec<&'a str>, NameBuf) {
    let mut found = naive_entry(lines, name, false);
    let mut above = name.clone();
    while found.is_none() && !above.is_root() {
        above = parent(&above);
        found = naive_entry(lines, &above, true);
    }
    (found.unwrap_or_default(), above)
}

fn naive_listed_below(lines: &[Line], name: &NameBuf) -> bool {
    let is_below = |other: &NameBuf| {
        let depth = other.labels().count().checked_sub(name.labels().count());
        let mut above = other.clone();
        (0..depth.unwrap_or(0)).for_each(|_| above = parent(&above));
        depth.is_some() && above == *name
    };
    // Any other name below has the same answer as one of these.
    lines.iter().map(|line| &line.0).chain([name]).filter(|other| is_below(other)).any(|other| {
        let listed = |candidate: &NameBuf| !naive_lookup(lines, candidate).0.is_empty();
        other != name && listed(other) || listed(&child("other", other))
    })
}

fn texts(answers: &Answers, id: AnswerId) -> Vec<String> {
    answers
        .get(id)
        .values()
        .map(|value| String::from_utf8(value.text.whole().into_owned()).unwrap())
        .collect()
}

/// Looks up a name, also with other bytes behind it.
fn look(tree: &NameTree, name: &[u8]) -> NameLookup {
    let found = tree.lookup(name);
    let mut labels = LabelStarts::default();
    if labels.read(name).is_some() {
        let mut padded = [0xee; size_of::<PaddedName>()];
        padded[..name.len()].copy_from_slice(name);
        assert_eq!(tree.lookup_labels(&padded, labels.as_slice()), found, "{name:?}");
    }
    found
}

fn check(lines: &[Line], queries: impl IntoIterator<Item = NameBuf>) {
    let (tree, answers) = build(lines);
    for query in queries {
        let (wanted, listed_name) = naive_lookup(lines, &query);
        match look(&tree, query.as_wire()) {
            NameLookup::Listed { answer, labels } => {
                assert_eq!(texts(&answers, answer), wanted, "{query} in {lines:?}");
                if wanted.iter().any(|text| text.contains('$')) {
                    let wanted = listed_name.labels().count();
                    assert_eq!(usize::from(labels), wanted, "{query} in {lines:?}");
                }
            }
            found => {
                assert!(wanted.is_empty(), "{query} in {lines:?}");
                let wanted = naive_listed_below(lines, &query);
                assert_eq!(found == NameLookup::EmptyNonTerminal, wanted, "{query} in {lines:?}");
            }
        }
    }
}

fn any_name() -> impl Strategy<Value = NameBuf> {
    let label =
        prop_oneof![4 => Just("a"), 4 => Just("b"), 1 => Just("\\000"), 1 => Just("a\\001a")];
    proptest::collection::vec(label, 0..6).prop_map(|labels| name(&labels.join(".")))
}

fn any_line() -> impl Strategy<Value = Line> {
    let scope = prop_oneof![Just(Scope::Itself), Just(Scope::Below), Just(Scope::Both)];
    let value = prop_oneof![
        1 => Just(None),
        3 => proptest::sample::select(&TEXTS[..]).prop_map(Some),
    ];
    (any_name(), scope, value)
}

/// All names of up to `depth` labels `a` and `b`.
fn all_names(depth: usize) -> Vec<NameBuf> {
    let mut names = vec![NameBuf::ROOT];
    let mut start = 0;
    for _ in 0..depth {
        let end = names.len();
        for above in start..end {
            for label in ["a", "b"] {
                names.push(child(label, &names[above]));
            }
        }
        start = end;
    }
    names
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn lookups_agree_with_the_rules(
        lines in proptest::collection::vec(any_line(), 0..40),
        queries in proptest::collection::vec(any_name(), 0..10),
    ) {
        let beside = lines.iter().flat_map(|(name, ..)| [name.clone(), child("x", name)]);
        check(&lines, queries.into_iter().chain(beside.collect::<Vec<_>>()).chain(all_names(4)));
    }

    #[test]
    fn listing_comes_back_sorted_and_builds_the_same_tree(
        lines in proptest::collection::vec(any_line(), 0..40),
    ) {
        let (tree, answers) = build(&lines);
        let entries: Vec<_> = tree.iter().collect();
        prop_assert_eq!(entries.len(), tree.entries());
        prop_assert_eq!(entries.is_empty(), tree.is_empty());
        let key = |entry: &NameEntry| {
            let mut key = Vec::new();
            encode_key(entry.name.as_wire(), &mut key);
            key
        };
        prop_assert!(entries.is_sorted_by(|a, b| key(a) < key(b)));
        let mut again: Vec<Line> = Vec::new();
        for entry in &entries {
            for (scope, id) in [(Scope::Itself, entry.itself), (Scope::Below, entry.below)] {
                match id {
                    None => {}
                    Some(AnswerId::NONE) => again.push((entry.name.clone(), scope, None)),
                    Some(id) => again.extend(texts(&answers, id).into_iter().map(|text| {
                        let text = TEXTS.into_iter().find(|&known| known == text);
                        (entry.name.clone(), scope, text)
                    })),
                }
            }
        }
        prop_assert_eq!(build(&again), (tree, answers));
    }

    #[test]
    fn the_way_of_a_name_has_the_names_above_and_below_it(
        lines in proptest::collection::vec(any_line(), 0..40),
        names in proptest::collection::vec(any_name(), 1..10),
    ) {
        let wide = wide_lines(300);
        for lines in [&lines, &wide] {
            let (tree, _) = build(lines);
            let listed = lines.iter().map(|(name, ..)| name);
            for name in names.iter().chain(listed).chain([&NameBuf::ROOT]) {
                let is_along = |entry: &NameEntry| {
                    let other = &entry.name;
                    other.labels_before(name).is_some() || name.labels_before(other).is_some()
                };
                let want: Vec<_> = tree.iter().filter(is_along).collect();
                prop_assert_eq!(tree.iter_along(name).collect::<Vec<_>>(), want, "{}", name);
            }
        }
    }

    #[test]
    fn listing_has_nothing_without_effect(lines in proptest::collection::vec(any_line(), 0..40)) {
        let (tree, answers) = build(&lines);
        for entry in &tree {
            let mut above = entry.name.clone();
            let mut inherited = None;
            while inherited.is_none() && !above.is_root() {
                above = parent(&above);
                inherited = naive_entry(&lines, &above, true);
            }
            let inherited = inherited.unwrap_or_default();
            let kept = |id: AnswerId| {
                let texts = texts(&answers, id);
                texts != inherited || texts.iter().any(|text| text == "see $")
            };
            prop_assert!(entry.itself.is_some() || entry.below.is_some());
            prop_assert!(entry.itself.is_none_or(kept) && entry.below.is_none_or(kept), "{entry:?}");
        }
    }

    #[test]
    fn order_of_the_names_does_not_matter(
        lines in proptest::collection::vec((any_line(), 0..9u8), 0..40),
    ) {
        let lines_as_given: Vec<Line> = lines.iter().map(|(line, _)| line.clone()).collect();
        let rank = |name: &NameBuf| lines.iter().find(|(line, _)| line.0 == *name).unwrap().1;
        let mut moved = lines_as_given.clone();
        moved.sort_by_key(|line| (rank(&line.0), line.0.clone()));
        prop_assert_eq!(build(&moved), build(&lines_as_given));
    }

    #[test]
    fn damaged_trees_neither_panic_nor_hang(
        bits in proptest::collection::vec(any::<u64>(), 3..60),
    ) {
        let lines: Vec<Line> = wide_lines(300);
        let (mut tree, _) = build(&lines);
        prop_assert!(tree.is_sound());
        for bits in bits.chunks(3) {
            let mut bits = bits.iter().copied();
            tree.damage(&mut || bits.next().unwrap_or(0));
        }
        let is_sound = tree.is_sound();
        for (name, ..) in &lines {
            for name in [name, &child("x", name)] {
                look(&tree, name.as_wire());
                let steps = steps(&tree, name);
                prop_assert!(!is_sound || steps <= 50 * name.labels().count(), "{steps}");
            }
        }
        prop_assert!(tree.iter().count() <= tree.records.len() + 1);
    }

    #[test]
    fn bytes_that_are_no_name_find_nothing(name: Vec<u8>) {
        let (tree, _) = build(&wide_lines(50));
        if NameBuf::from_wire(&name).is_none() {
            prop_assert_eq!(look(&tree, &name), NameLookup::Nothing);
        }
    }
}

/// Names in all shapes of nodes: wide, deep, of one label and of several.
fn wide_lines(count: usize) -> Vec<Line> {
    let values = [Some("one"), Some("two"), None, Some("see $"), Some("")];
    let scopes = [Scope::Itself, Scope::Both, Scope::Below];
    (0..count)
        .map(|i| {
            let text = match i % 4 {
                0 => format!("n{i}.com"),
                1 => format!("w.x{i}.n{}.com", i % 20),
                2 => format!("a-long-label-{i}.org"),
                _ => format!("d.{}t{}.net", "e.".repeat(i % 90), i % 3),
            };
            (name(&text), scopes[i % 3], values[i % 5])
        })
        .collect()
}

#[test]
fn empty_listing_lists_nothing() {
    let (tree, answers) = build(&[line("a", Scope::Both, None)]);
    assert!(tree.is_empty() && answers.is_empty());
    assert_eq!(tree, NameTree::default());
    assert_eq!(look(&tree, b"\0"), NameLookup::Nothing);
    assert_eq!(look(&tree, b"\x01a\0"), NameLookup::Nothing);
    assert_eq!(tree.iter().count(), 0);
}

#[test]
fn wide_nodes_agree_with_the_rules() {
    let lines = wide_lines(600);
    let queries: BTreeSet<NameBuf> = lines
        .iter()
        .flat_map(|(name, ..)| {
            [name.clone(), child("x", name), parent(name), child("x", &parent(name))]
        })
        .collect();
    check(&lines, queries);
}

#[test]
fn names_with_a_wildcard_below_are_empty_non_terminals() {
    let (tree, _) =
        build(&[line("foo.com", Scope::Below, Some("")), line("x.y.org", Scope::Itself, Some(""))]);
    for (text, wanted) in [
        (".", true),
        ("com", true),
        ("foo.com", true),
        ("oo.com", false),
        ("org", true),
        ("y.org", true),
        ("z.org", false),
        ("a.x.y.org", false),
    ] {
        let found = look(&tree, name(text).as_wire());
        assert_eq!(found == NameLookup::EmptyNonTerminal, wanted, "{text}");
        assert_eq!(found == NameLookup::Nothing, !wanted, "{text}");
    }
}

/// A label may hold bytes that look like length bytes.
#[test]
fn tail_of_an_edge_matches_whole_labels_only() {
    let (tree, _) = build(&[line("a.b.c", Scope::Both, Some(""))]);
    assert!(matches!(look(&tree, b"\x01a\x01b\x01c\0"), NameLookup::Listed { .. }));
    assert_eq!(look(&tree, b"\x03x\x01a\x01b\x01c\0"), NameLookup::Nothing);
    assert_eq!(look(&tree, b"\x03a\x01b\x01c\0"), NameLookup::Nothing);
    assert_eq!(look(&tree, b"\x05\x01a\x01bx\x01c\0"), NameLookup::Nothing);
}

/// The query is longer than what is left of the tree's bytes.
#[test]
fn regression_name_ends_inside_of_the_last_edge() {
    let lines = [line(r"a.\000.b", Scope::Itself, None), line("", Scope::Below, Some(""))];
    check(&lines, [name(r"a\001a.b"), name("long-label.b"), name("long-label.a.b")]);
}

/// Behind a record's length of two bytes the quick lookup took the second of them for the label's first.
#[test]
fn regression_the_length_of_a_long_record_is_no_part_of_its_label() {
    // Of most of them, the filter of the bucket tells that they are not there.
    for parent in 0..300 {
        let children = (0..8).map(|i| format!("{}{i}.s{parent}.com", "a".repeat(16)));
        let names: Vec<_> = children.chain(["other.com".to_owned()]).collect();
        let lines: Vec<Line> =
            names.iter().map(|name| line(name, Scope::Itself, Some("one"))).collect();
        let label = format!("s{parent}");
        let shifted = format!("\\001{}.com", &label[..label.len() - 1]);
        check(&lines, [name(&shifted)]);
    }
}

#[test]
fn an_equal_entry_below_is_kept_only_if_its_text_may_show_the_name() {
    let find = |text: &'static str, base: &[u8]| {
        let mut answers = AnswersBuilder::default();
        let value = answers.value([127, 0, 0, 2].into(), text.as_bytes());
        let mut names = NamesBuilder::default();
        names.add(b"\x01a\0", Scope::Both, value).unwrap();
        names.add(b"\x01b\x01a\0", Scope::Itself, value).unwrap();
        let (tree, _) = names.finish(answers, base);
        match look(&tree, b"\x01b\x01a\0") {
            NameLookup::Listed { labels, .. } => (tree.entries(), labels),
            _ => panic!("not listed"),
        }
    };
    assert_eq!(find("fixed", b""), (1, 1));
    assert_eq!(find("see $", b""), (2, 2));
    assert_eq!(find("fixed", b"$ in $="), (2, 2));
    assert_eq!(find("fixed", b"no name"), (1, 1));
    assert_eq!(find("=fixed", b"$ in $="), (1, 1));
    assert_eq!(find("=see $", b"no name"), (2, 2));
}

#[test]
fn deepest_names_work() {
    let deepest = name(&"a.".repeat(127));
    let mut lines: Vec<Line> = Vec::new();
    let mut above = deepest.clone();
    while !above.is_root() {
        let value = Some("see $").filter(|_| above.labels().count() % 2 == 1);
        lines.push((above.clone(), Scope::Both, value));
        above = parent(&above);
    }
    check(&lines, lines.iter().map(|line| line.0.clone()));
    let (tree, _) = build(&lines);
    assert_eq!(tree.entries(), 127);
    check(&lines[..1], [deepest.clone(), parent(&deepest)]);
}

thread_local! {
    static STEPS: Cell<usize> = const { Cell::new(0) };
}

/// Called for each record that a lookup reads in search of a label.
pub(super) fn count_step() {
    STEPS.set(STEPS.get() + 1);
}

fn steps(tree: &NameTree, name: &NameBuf) -> usize {
    STEPS.set(0);
    let _ = tree.lookup(name.as_wire());
    STEPS.get()
}

/// More threads make the same tree, also of names that begin alike.
#[test]
fn number_of_threads_does_not_matter() {
    let mut lines = wide_lines(4000);
    lines.extend((0..4000).map(|i| line(&format!("n{}.example", i % 7), Scope::Both, Some("one"))));
    lines.extend(wide_lines(4000).into_iter().rev().map(|line| (line.0, Scope::Both, Some("x"))));
    let alone = build(&lines);
    for threads in [0, 2, 3, 8] {
        assert_eq!(build_with(&lines, threads), alone, "{threads}");
    }
    check(&lines[..100], lines[..100].iter().map(|line| line.0.clone()));
}

/// However many names there are, and whatever their labels, few records are read.
#[test]
fn cost_of_a_lookup_is_bounded() {
    for count in [1_000, 50_000] {
        let lines: Vec<Line> =
            (0..count).map(|i| (name(&format!("x.n{i}.com")), Scope::Itself, Some(""))).collect();
        let (tree, _) = build(&lines);
        let total: usize = lines.iter().map(|(name, ..)| steps(&tree, name)).sum();
        assert!(total < 4 * count, "{total} steps for {count} names");
        let not_listed = (0..count).map(|i| name(&format!("m{i}.com")));
        let total: usize = not_listed.map(|name| steps(&tree, &name)).sum();
        assert!(total < count / 2, "{total} steps for {count} names that are not listed");
    }
    // 127 labels, at each of which names part.
    let deep = name(&"a.".repeat(127));
    let mut lines = vec![(deep.clone(), Scope::Itself, Some(""))];
    let mut above = parent(&parent(&deep));
    while !above.is_root() {
        lines.push((child("b", &above), Scope::Itself, Some("")));
        above = parent(&above);
    }
    let (tree, _) = build(&lines);
    assert!(steps(&tree, &deep) <= 2 * 127, "{}", steps(&tree, &deep));
}

/// Labels chosen to lie in one bucket slow down only each other, and those little.
#[test]
fn colliding_labels_are_sorted() {
    let table = table::Table { start: 0, count: 100 };
    let collides = |label: &String| table.place(label::Label::of(label.as_bytes())).0 == 7;
    let colliding = (0..).map(|i: u32| format!("l{i}")).filter(collides).take(300);
    let lines: Vec<Line> = colliding
        .chain((0..100).map(|i| format!("x{i}")))
        .map(|label| (name(&label).join(&name("com")).unwrap(), Scope::Itself, Some("")))
        .collect();
    let (tree, answers) = build(&lines);
    let names = lines.iter().map(|line| line.0.clone());
    check(&lines, names.clone().chain(names.map(|name| child("x", &name))));
    let longest = |lines: &[Line]| lines.iter().map(|line| steps(&tree, &line.0)).max();
    assert!(longest(&lines[..300]) <= Some(16), "{:?}", longest(&lines));
    assert!(longest(&lines[300..]) <= Some(24), "{:?}", longest(&lines[300..]));
    assert_eq!(tree.iter().count(), lines.len());
    assert!(tree.iter().all(|entry| texts(&answers, entry.itself.unwrap()) == [""]));
}

#[test]
fn usual_names_take_few_bytes() {
    let lines: Vec<Line> = (0..20_000u32)
        .map(|i| {
            let scope = if i % 2 == 0 { Scope::Itself } else { Scope::Both };
            (name(&format!("{:08x}.com", i.wrapping_mul(0x9e37_79b9))), scope, Some(""))
        })
        .collect();
    let (tree, _) = build(&lines);
    assert_eq!(tree.entries(), lines.len());
    let bytes = tree.memory() as f64 / lines.len() as f64;
    assert!(bytes < 8.0 + 2.0 + 2.3, "{bytes}");
}

/// Records that lead a search on and on, however whole their bytes are, are told.
#[test]
fn trees_that_keep_a_search_busy_are_not_sound() {
    let record = |label: &[u8]| [&[label.len() as u8, 2], label].concat();
    let list = |count: u32| -> Vec<u8> {
        (0..count).flat_map(|number| record(format!("{number:07}").as_bytes())).chain([0]).collect()
    };
    let tree = |records: Vec<u8>, root: usize, buckets: Vec<[u32; 2]>| NameTree {
        records: [records, vec![0; record::PADDING]].concat().into(),
        buckets: buckets.into(),
        root: root as u32,
        ..NameTree::default()
    };
    const INLINE: u8 = 1 << 4;
    for (count, is_sound) in [(8, true), (9, false), (5_000, false)] {
        let inline = tree([vec![INLINE], list(count)].concat(), 0, Vec::new());
        assert_eq!(inline.is_sound(), is_sound, "{count}");
    }
    for (count, is_sound) in [(24, true), (25, false)] {
        let records = [list(count), vec![0]].concat();
        let root = records.len() - 1;
        assert_eq!(tree(records, root, vec![[0, u32::MAX]]).is_sound(), is_sound, "{count}");
    }
    // All buckets have one list.
    let records = [list(24), vec![0]].concat();
    let root = records.len() - 1;
    assert!(!tree(records, root, vec![[0, u32::MAX]; 5_000]).is_sound());
    // Each record has the next inside of it.
    let nested = |depth| {
        (0..depth).fold(vec![0], |inner: Vec<u8>, _| {
            let length = inner.len() + 1;
            let length = [length as u8 | 0x80, (length >> 7) as u8];
            [&[0x81, INLINE][..], &length, b"a", &inner, &[0]].concat()
        })
    };
    for (depth, is_sound) in [(7, true), (100, false)] {
        let records = [vec![INLINE], nested(depth), vec![0]].concat();
        assert_eq!(tree(records, 0, Vec::new()).is_sound(), is_sound, "{depth}");
    }
}

#[test]
fn the_last_labels_are_counted() {
    let itself = |text: &str| line(text, Scope::Itself, Some(""));
    let count = |lines: &[Line]| build(lines).0.top_level();
    let top = |labels, alone, numbers| TopLevel { labels, alone, numbers };
    assert_eq!(count(&[]), top(0, 0, 0));
    let words = ["not", "zone", "deep.name.test", "a.org", "b.org"].map(itself);
    assert_eq!(count(&words), top(4, 2, 0));
    assert_eq!(count(&[itself("192.0.2.1"), itself("192.0.2.2"), itself("5")]), top(3, 1, 3));
    let many: Vec<_> = (0..3000).map(|number| itself(&format!("w{number}"))).collect();
    assert_eq!(count(&many), top(3000, 3000, 0));
    assert_eq!(count(&[line("org", Scope::Below, Some("")), itself("a.org")]), top(1, 1, 0));
}
