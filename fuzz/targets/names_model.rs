//! Trees of any names against the lines they were made of.

use super::input::Input;
use super::zone_model::Value;
use dnsbld::listing::names::{NamesBuilder, Scope};
use dnsbld::listing::{AnswerId, Answers, AnswersBuilder};
use dnsbld::trie::names::{NameLookup, NameTree, PaddedName};
use dnsbld::wire::name::{LabelStarts, MAX_NAME, NameBuf};
use std::fmt::Debug;

/// What a line says about a name, in lower case.
#[derive(Clone, Debug)]
pub(crate) struct NameLine<V> {
    pub(crate) name: NameBuf,
    pub(crate) scope: Scope,
    /// None for an exclusion.
    pub(crate) value: Option<V>,
}

pub(crate) const TOKENS: &[&[u8]] = &[];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let seed = |n: u32| (0..150).map(move |i: u32| (n * 29 + i * (i + n) + i / 7) as u8);
    (0..60).map(|n| seed(n).collect()).collect()
}

pub(crate) fn run(data: &[u8]) {
    const TEXTS: [&str; 4] = ["", "one", "two", "see $"];
    let mut input = Input::new(data);
    let base: &[u8] = if input.byte() & 3 == 0 { b"base $" } else { b"" };
    let mut lines: Vec<NameLine<Value>> = Vec::new();
    while !input.is_empty() && lines.len() < 60 {
        let (name, scope) = name_and_scope(&mut input);
        let what = input.byte();
        let value = (what & 3 != 0).then_some((what >> 2 & 1, TEXTS[usize::from(what >> 3 & 3)]));
        lines.push(NameLine { name: name.to_lowercase(), scope, value });
    }
    let mut answers = AnswersBuilder::default();
    let mut builder = NamesBuilder::default();
    for line in &lines {
        let value = line
            .value
            .map(|(a, text)| answers.value([127, 0, 0, a].into(), text.as_bytes()).expect("room"));
        builder.add(line.name.as_wire(), line.scope, value).expect("room");
    }
    let (tree, answers) = builder.finish(answers, base);
    let values = |id| values(&answers, id, &TEXTS);
    let line =
        |line: &NameLine<Value>| format!("{} {:?} {:?}\n", line.name, line.scope, line.value);
    compare(&tree, &lines, values, &|| lines.iter().map(line).collect());
}

fn values(answers: &Answers, id: AnswerId, texts: &[&'static str]) -> Vec<Value> {
    let value = |value: dnsbld::listing::Value<'_>| {
        let text = texts.iter().find(|text| text.as_bytes() == &*value.text.whole());
        (u32::from(value.a) as u8, *text.expect("a text of the lines"))
    };
    answers.get(id).values().map(value).collect()
}

/// A name of up to five labels or, rarely, many; often one that was chosen before, or one below.
pub(crate) fn name_and_scope(input: &mut Input<'_>) -> (NameBuf, Scope) {
    const LABELS: [&str; 16] = [
        "a",
        "b",
        "com",
        "c",
        "A",
        "spam",
        "example",
        "x-1",
        "aa",
        "ab",
        "\\000",
        "\\255z",
        "0",
        "1",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "x\\.y",
    ];
    let shape = input.byte();
    let count = match shape & 0x3f {
        0 => 100,
        few => 1 + usize::from(few) % 5,
    };
    let mut name = NameBuf::ROOT;
    for n in 0..count {
        let label = match input.byte() {
            byte @ 0..0xf0 => LABELS[usize::from(byte) % 16].to_owned(),
            byte => format!("n{byte}"),
        };
        let label: NameBuf = label.parse().expect("a label");
        match label.join(&name) {
            // With room for one more label.
            Some(longer) if longer.as_wire().len() < MAX_NAME - 1 => name = longer,
            _ => break,
        }
        if n > 5 && input.is_empty() {
            break;
        }
    }
    let scope = [Scope::Itself, Scope::Both, Scope::Below, Scope::Both][usize::from(shape >> 6)];
    (name, scope)
}

/// Looks up every name of the lines, those above, and some below and beside them.
pub(crate) fn compare<V: Copy + PartialEq + Debug>(
    tree: &NameTree,
    lines: &[NameLine<V>],
    values: impl Fn(AnswerId) -> Vec<V>,
    text: &dyn Fn() -> String,
) {
    let mut names: Vec<NameBuf> = vec![NameBuf::ROOT];
    for line in lines {
        names.extend(above(&line.name));
        names.extend(["a", "zz", "1"].iter().filter_map(|label| child(label, &line.name)));
        names.extend(["b", "zz"].iter().filter_map(|label| child(label, &parent(&line.name))));
    }
    names.sort();
    names.dedup();
    let all_listed = all_listed(lines);
    for name in &names {
        let want = listed(lines, name);
        let found = tree.lookup(name.as_wire());
        assert_eq!(look_padded(tree, name), found, "{name} in\n{}", text());
        match found {
            NameLookup::Listed { answer, labels } => {
                let (want, by) = want.unwrap_or_else(|| panic!("{name} is listed in\n{}", text()));
                assert_eq!(values(answer), want, "{name} in\n{}", text());
                // A name that says what the one above says may be left out.
                assert!(usize::from(labels) <= by.labels().count(), "{name} in\n{}", text());
            }
            not_listed => {
                assert_eq!(want, None, "{name} is not listed in\n{}", text());
                let is_above = not_listed == NameLookup::EmptyNonTerminal;
                // Whether something is below a name that nothing fits below is all the same.
                if name.as_wire().len() < MAX_NAME - 1 {
                    let is_child_listed =
                        child("~", name).is_some_and(|child| listed(lines, &child).is_some());
                    let want = is_child_listed || is_above_one(name, &all_listed);
                    assert_eq!(is_above, want, "{name} in\n{}", text());
                }
            }
        }
    }
    let entries: Vec<_> = tree.iter().collect();
    assert_eq!((entries.len(), entries.is_empty()), (tree.entries(), tree.is_empty()));
    for entry in &entries {
        assert!(lines.iter().any(|line| line.name == entry.name));
        assert!(entry.itself.is_some() || entry.below.is_some());
    }
    let key = |name: &NameBuf| {
        let mut labels: Vec<_> = name.labels().map(<[u8]>::to_vec).collect();
        labels.reverse();
        labels
    };
    assert!(entries.is_sorted_by(|a, b| key(&a.name) < key(&b.name)));
}

/// The values of a name and the name that gives them; none if it is not listed.
fn listed<V: Copy + PartialEq>(lines: &[NameLine<V>], name: &NameBuf) -> Option<(Vec<V>, NameBuf)> {
    let mut by = name.clone();
    let mut found = said(lines, name, Scope::Below);
    while found.is_none() && !by.is_root() {
        by = parent(&by);
        found = said(lines, &by, Scope::Itself);
    }
    found.filter(|values| !values.is_empty()).map(|values| (values, by))
}

/// What the lines of all scopes but one say about exactly this name: nothing, or its values, none
/// for an exclusion.
fn said<V: Copy + PartialEq>(
    lines: &[NameLine<V>],
    name: &NameBuf,
    other: Scope,
) -> Option<Vec<V>> {
    let mut here = lines.iter().filter(|line| line.name == *name && line.scope != other).peekable();
    here.peek()?;
    let mut values = Vec::new();
    for line in here {
        match line.value {
            None => return Some(Vec::new()),
            Some(value) if values.contains(&value) => {}
            Some(value) => values.push(value),
        }
    }
    Some(values)
}

/// The names of the lines that are listed and, for those below them that no line has, one each.
fn all_listed<V: Copy + PartialEq>(lines: &[NameLine<V>]) -> Vec<NameBuf> {
    let names = lines.iter().flat_map(|line| [Some(line.name.clone()), child("~", &line.name)]);
    let mut names: Vec<_> = names.flatten().collect();
    names.sort();
    names.dedup();
    names.retain(|name| listed(lines, name).is_some());
    names
}

/// True if one of these names is below the other one.
fn is_above_one(name: &NameBuf, others: &[NameBuf]) -> bool {
    let depth = name.labels().count();
    others.iter().any(|other| {
        let more = other.labels().count().saturating_sub(depth);
        more > 0 && other.labels().skip(more).eq(name.labels())
    })
}

/// A name and those above it, without the root.
fn above(name: &NameBuf) -> impl Iterator<Item = NameBuf> {
    std::iter::successors(Some(name.clone()), |name| Some(parent(name)))
        .take_while(|name| !name.is_root())
}

fn parent(name: &NameBuf) -> NameBuf {
    let wire = name.as_wire();
    let after_label = wire.get(1 + usize::from(wire[0])..).unwrap_or_default();
    NameBuf::from_wire(after_label).unwrap_or(NameBuf::ROOT)
}

fn child(label: &str, parent: &NameBuf) -> Option<NameBuf> {
    label.parse::<NameBuf>().expect("a label").join(parent)
}

/// The quick lookup.
fn look_padded(tree: &NameTree, name: &NameBuf) -> NameLookup {
    let wire = name.as_wire();
    let mut labels = LabelStarts::default();
    labels.read(wire);
    let mut room: PaddedName = [0xee; size_of::<PaddedName>()];
    room[..wire.len()].copy_from_slice(wire);
    tree.lookup_labels(&room, labels.as_slice())
}
