use super::super::template::LONGEST;
use super::super::tests::only_value;
use super::super::texts::FEW;
use super::super::{Answers, AnswersBuilder};
use super::*;
use crate::answer::AnswerId;
use proptest::prelude::*;
use std::net::Ipv4Addr;

#[test]
fn short_affixes_are_part_of_the_text() {
    for (text, parts) in [
        ("Evidence: https://bl.test/case/1234", ["Evidence: https://bl.test/case/", "1234", ""]),
        ("case 77 (phish)", ["case ", "77", " (phish)"]),
        ("case 1", ["", "case 1", ""]),
        ("no digit at all", ["", "no digit at all", ""]),
        ("", ["", "", ""]),
    ] {
        assert_eq!(split(text.as_bytes()), parts.map(str::as_bytes), "{text}");
    }
}

proptest! {
    /// A number between the affixes that were asked for last is found without a look for words.
    #[test]
    fn numbers_between_known_affixes_are_the_parts_of_split(
        texts in prop::collection::vec(
            "(|x|case |see bl.test/|Listed, see https://bl.test/|A B C D E F G H 7 )([0-9]{0,20}|[a-z][0-9]{1,16}|[0-9]{1,9}[.-])(|/| \\(spam\\)|&ok=1)",
            1..40,
        ),
        number in "[0-9]{1,20}",
    ) {
        let mut affixes = AffixesBuilder::default();
        for text in &texts {
            let [before, _, behind] = split(text.as_bytes());
            let pair = affixes.number(before, behind);
            prop_assert!(pair.is_some() || affixes.len() == MOST_PAIRS);
            // The last pair is another one if there are too many.
            let [before, behind] = affixes.last_places.clone().map(|place| affixes.bytes[place].to_vec());
            let near = [&before, number.as_bytes(), &behind].concat();
            for text in texts.iter().map(|text| text.as_bytes()).chain([&near[..]]) {
                if let Some(own) = affixes.own_number(text) {
                    prop_assert_eq!([&before, own, &behind], split(text));
                }
            }
            let is_found = before.len() + behind.len() >= MIN_AFFIXES
                && number.len() <= 16
                && before.len() + number.len() >= 16;
            prop_assert_eq!(affixes.own_number(&near), is_found.then_some(number.as_bytes()));
        }
    }
}

/// The answers with these values, numbered in the order of `keys`, which need not be that of the values.
fn answers(values: &[(u8, Vec<u8>)], keys: &[usize]) -> Answers {
    let mut builder = AnswersBuilder::default();
    let id = |(a, text): &(u8, Vec<u8>)| {
        let value = builder.value(Ipv4Addr::new(127, 0, 0, *a), text).unwrap();
        assert_eq!(builder.value(Ipv4Addr::new(127, 0, 0, *a), text), Some(value));
        assert_eq!(builder.get_value(value).text, Template::Whole(text));
        value.alone()
    };
    let ids: Vec<_> = values.iter().map(id).collect();
    builder.finish(keys.iter().map(|&key| ids[key])).0
}

/// The values in the order of the first keys that have them.
fn wanted<'v>(values: &'v [(u8, Vec<u8>)], keys: &[usize]) -> Vec<&'v (u8, Vec<u8>)> {
    let mut wanted: Vec<&(u8, Vec<u8>)> = Vec::new();
    for &key in keys {
        if !wanted.contains(&&values[key]) {
            wanted.push(&values[key]);
        }
    }
    wanted
}

proptest! {
    /// Answers give the texts that went in, and equal lists are stored in equal bytes: of few values and of
    /// many, with few pairs of affixes, too many, and too many only as long as some values are used.
    #[test]
    fn answers_do_not_depend_on_the_order_of_the_lines(
        values in prop::collection::vec(
            (1..4_u8, prop_oneof![
                3 => "(\n|=|)(Listed, see |Spam from |a-1/|)(https://(a|b|c).test/=)?[0-9$]{0,3}( [a-c]{0,6})?",
                3 => "Spam, see https://bl.test/[0-9]{1,2}( \\(a\\))?",
                1 => "Listed as [a-j]: [0-9]",
            ]),
            1..60,
        ),
        order in any::<[prop::sample::Index; 60]>(),
        keys in prop_oneof![
            prop::collection::vec(any::<prop::sample::Index>(), 0..80).prop_map(Some),
            Just(None),
        ],
    ) {
        let values: Vec<_> = values.into_iter().map(|(a, text)| (a, text.into_bytes())).collect();
        let keys: Vec<_> = match keys {
            Some(keys) => keys.iter().map(|key| key.index(values.len())).collect(),
            None => (0..values.len()).collect(),
        };
        let one = answers(&values, &keys);
        // The same lines in another order.
        let mut places: Vec<_> = (0..values.len()).collect();
        for (last, place) in (1..places.len()).zip(&order) {
            places.swap(last, place.index(last + 1));
        }
        let shuffled: Vec<_> = places.iter().map(|&place| values[place].clone()).collect();
        let moved = |key: &usize| places.iter().position(|place| place == key).unwrap();
        let other = answers(&shuffled, &keys.iter().map(moved).collect::<Vec<_>>());
        prop_assert_eq!(&one, &other);
        prop_assert!(one.is_canonical());
        let wanted = wanted(&values, &keys);
        prop_assert_eq!(one.len(), wanted.len());
        // Whether affixes are shared, the values alone decide.
        let mut pairs: Vec<_> = wanted.iter().map(|(_, text)| split(text)).map(|[a, _, b]| [a, b]).collect();
        pairs.sort_unstable();
        pairs.dedup();
        let are_shared = wanted.len() > FEW && pairs.len() <= MOST_PAIRS;
        prop_assert_eq!(one.affixes.ends.len(), if are_shared { pairs.len() } else { 0 });
        for ((a, text), id) in wanted.into_iter().zip(1..) {
            let (its_a, its_text) = only_value(&one, AnswerId(id)).unwrap();
            prop_assert_eq!(its_a.octets()[3], *a);
            prop_assert_eq!(its_text, Template::Whole(text));
            prop_assert_eq!(&*its_text.whole(), &text[..]);
            prop_assert_eq!(one.get(AnswerId(id)).values().next().unwrap().text, its_text);
        }
    }
}

#[test]
fn many_texts_share_their_affixes() {
    let text = |n: usize| format!("Spam seen, see https://bl.test/case/{n:04}").into_bytes();
    let values: Vec<_> = (0..100).map(|n| (2, text(n))).collect();
    let keys: Vec<_> = (0..100).collect();
    let all = answers(&values, &keys);
    assert_eq!(all.texts.len(), 100 * (size_of::<u16>() + 4));
    assert_eq!(all.affixes.bytes.len(), text(0).len() - 4);
    assert!(all.answers.is_empty() && all.members.is_empty());
    let few = answers(&values, &keys[..FEW]);
    assert_eq!(few.texts.len(), FEW * text(0).len());
    // One more pair than there may be, of a value that is used or not.
    let mut others: Vec<_> = values.clone();
    let other = |n: usize| (2, format!("Listed as {}: 1", ["a", "b"].repeat(n).concat()).into());
    others.extend((0..MOST_PAIRS).map(other));
    let keys: Vec<_> = (0..others.len()).collect();
    let whole = others.iter().map(|(_, text)| text.len()).sum::<usize>();
    assert_eq!(answers(&others, &keys).texts.len(), whole);
    let shared = answers(&others, &keys[..keys.len() - 1]);
    assert_eq!(shared.affixes.ends.len(), MOST_PAIRS);
    assert!(shared.is_canonical());
}

/// The affixes of a damaged snapshot may be as long as the snapshot, and all of its texts may have them.
#[test]
fn texts_that_no_reader_gives_are_cut_and_not_canonical() {
    let text = |len: usize| vec![b'x'; len];
    assert!(answers(&[(2, text(LONGEST))], &[0]).is_canonical());
    assert!(!answers(&[(2, text(LONGEST + 1))], &[0]).is_canonical());
    let many = answers(
        &(0..100).map(|n| (2, format!("Spam, case {n}").into_bytes())).collect::<Vec<_>>(),
        &(0..100).collect::<Vec<_>>(),
    );
    let affixes = Affixes { ends: vec![[1 << 20, 2 << 20]].into(), bytes: text(2 << 20).into() };
    let damaged = Answers { affixes, ..many };
    assert!(!damaged.is_canonical());
    let (_, stored) = damaged.only_stored(AnswerId(100)).unwrap();
    let (mut room, mut other) = (Vec::new(), Vec::new());
    assert_eq!(damaged.template(stored, &mut room).len(), 2 * LONGEST + 2);
    assert_eq!(damaged.affixes.template(stored).join(&mut other), room);
}

proptest! {
    /// Whatever the arrays are, each answer is given, and it is found out whether they are what dnsbld writes.
    #[test]
    fn damaged_arrays_are_safe(
        damage in prop::collection::vec(
            (0..4_u8, any::<prop::sample::Index>(), any::<bool>(), prop_oneof![0..300_u32, any::<u32>()]),
            1..4,
        ),
        is_cut: bool,
    ) {
        let text = |n: usize| format!("{} see case {n} here", ["Spam", "Phish"][n % 2]).into_bytes();
        let good = answers(&(0..40).map(|n| (2, text(n))).collect::<Vec<_>>(), &(0..40).collect::<Vec<_>>());
        let (mut values, mut texts) = (good.values.to_vec(), good.texts.to_vec());
        let (mut ends, mut bytes) = (good.affixes.ends.to_vec(), good.affixes.bytes.to_vec());
        for (array, place, which, new) in &damage {
            match array {
                0 => values[place.index(40)][usize::from(*which)] = *new,
                1 => *place.get_mut(&mut texts) = *new as u8,
                2 => place.get_mut(&mut ends)[usize::from(*which)] = *new,
                _ => *place.get_mut(&mut bytes) = *new as u8,
            }
        }
        if is_cut {
            ends.truncate(1);
            values.truncate(20);
        }
        let affixes = Affixes { ends: ends.into(), bytes: bytes.into() };
        let damaged = Answers { values: values.into(), texts: texts.into(), affixes, ..good.clone() };
        let mut room = Vec::new();
        for id in (0..50).map(AnswerId) {
            let stored = damaged.only_stored(id).map(|(_, stored)| stored);
            let text = stored.map(|stored| damaged.template(stored, &mut room).to_vec());
            let values: Vec<_> = damaged.get(id).values().map(|value| value.text.whole().into_owned()).collect();
            if let Some(text) = text {
                prop_assert_eq!(values, [text]);
            }
        }
        if damaged.is_canonical() {
            prop_assert!(damaged.values.is_sorted_by_key(|value| value[1]));
        }
    }
}
