use super::*;
use proptest::prelude::*;

fn a(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, last)
}

/// The A record and the template of the only value of an answer.
pub(super) fn only_value(answers: &Answers, id: AnswerId) -> Option<(Ipv4Addr, Template<'_>)> {
    let (a, stored) = answers.only_stored(id)?;
    Some((a, answers.affixes.template(stored)))
}

#[test]
fn equal_values_and_answers_share_a_number() {
    let mut builder = AnswersBuilder::default();
    let one = builder.value(a(2), b"text").unwrap();
    let other = builder.value(a(3), b"text").unwrap();
    assert_eq!(builder.value(a(2), b"text"), Some(one));
    assert_ne!(one, other);
    let hashed = |text| Hashed::new(HashedA::new(a(2)), text, AnswersBuilder::text_hash(text));
    let (text, another) = (hashed(b"text"), hashed(b"other"));
    let guesses = builder.guess(&[Some(text), None, Some(another)]);
    assert_eq!(guesses, [Some(one), None, None]);
    // A guess that is wrong does no harm.
    for guess in [None, Some(one), Some(other)] {
        assert_eq!(builder.guessed_value(guess, text), Some(one));
    }
    let single = builder.answer(&[one]);
    assert_eq!(builder.answer(&[one]), single);
    let pair = builder.answer(&[one, other]);
    assert_eq!(builder.answer(&[one, other]), pair);
    assert_ne!(pair, single);
    let gate = Some(Gate { not_before: 9, ..Gate::default() });
    let gated = builder.gated_value(a(2), b"text", gate).unwrap();
    assert_ne!(gated, one);
    assert_eq!(builder.gated_value(a(2), b"text", gate), Some(gated));
    assert_ne!(builder.gated_value(a(2), b"text", Some(Gate::default())), Some(gated));
    assert_ne!(builder.answer(&[gated]), single);
    // More than fit the index at first: the hashes stay right when it grows.
    let values: Vec<_> = (0..200).map(|n| builder.value(a(n), b"").unwrap()).collect();
    let ids: Vec<_> = values.windows(3).map(|three| builder.answer(three)).collect();
    let again: Vec<_> = values.windows(3).map(|three| builder.answer(three)).collect();
    assert_eq!(ids, again);
    assert_eq!(builder.answer(&[one, other]), pair);
}

#[test]
fn answers_with_one_value_each_are_found_by_their_numbers() {
    let mut builder = AnswersBuilder::default();
    let values: Vec<_> = (2..6).map(|n| builder.value(a(n), &[n]).unwrap()).collect();
    let ids: Vec<_> = values.iter().map(|v| builder.answer(&[*v])).collect();
    let used = [ids[2], ids[0], ids[3]];
    let (answers, new) = builder.finish(used);
    assert!(answers.are_alike());
    for (id, n) in used.iter().zip([4, 2, 5]) {
        let id = new.get(*id);
        assert_eq!(only_value(&answers, id), Some((a(n), Template::Whole(&[n]))));
        assert_eq!(answers.get(id).values().next().unwrap().a, a(n));
    }
    for none in [AnswerId::NONE, AnswerId(4)] {
        assert_eq!(only_value(&answers, none), None);
        assert_eq!(answers.get(none).values().len(), 0);
    }
    assert!(answers.is_canonical());
    let spelled =
        Answers { answers: vec![1, 2, 3].into(), members: vec![0, 1, 2].into(), ..answers.clone() };
    assert!(!spelled.is_canonical());
}

#[test]
fn only_used_answers_are_kept_in_the_order_of_use() {
    let mut builder = AnswersBuilder::default();
    let values: Vec<_> = (2..6).map(|n| builder.value(a(n), &[n]).unwrap()).collect();
    let ids: Vec<_> = values.iter().map(|v| builder.answer(&[*v])).collect();
    let gate = Gate { delay: Duration::from_secs(1), ..Gate::default() };
    let behind = builder.gated_value(a(5), &[5], Some(gate)).unwrap();
    let gated = builder.answer(&[behind, values[0]]);
    let (answers, new) = builder.finish([gated, ids[1], AnswerId::NONE, gated]);
    assert_eq!(answers.len(), 2);
    assert_eq!(new.get(ids[0]), AnswerId::NONE);
    assert_eq!(new.get(ids[1]), AnswerId(2));
    assert_eq!(new.get(gated), AnswerId(1));
    let answer = answers.get(AnswerId(1));
    let got: Vec<_> = answer.values().collect();
    let first = Value { a: a(5), text: Template::Whole(&[5]), gate: Some(gate) };
    assert_eq!(got, [first, Value { a: a(2), text: Template::Whole(&[2]), gate: None }]);
    assert!(answers.has_gates());
    assert_eq!(answers.get(AnswerId(2)).values().next().unwrap().gate, None);
    assert_eq!(answers.get(AnswerId(3)).values().len(), 0);
    assert_eq!(only_value(&answers, AnswerId(1)), None, "it has two");
    assert_eq!(only_value(&answers, AnswerId(2)), Some((a(3), Template::Whole(&[3]))));
    assert_eq!(only_value(&answers, AnswerId(3)), None);
    assert_eq!(answers.get(AnswerId::NONE).values().len(), 0);
    assert!(answers.is_canonical());
    for broken in [
        Answers { texts: b"\x05\x02\x03x".to_vec().into(), ..answers.clone() },
        Answers { members: vec![1, 0, 2].into(), ..answers.clone() },
        Answers { members: vec![0, 1, 1].into(), ..answers.clone() },
        Answers { members: vec![0, 1, 9].into(), ..answers.clone() },
        Answers { answers: vec![2, 1, 3].into(), ..answers.clone() },
    ] {
        assert!(!broken.is_canonical(), "{broken:?}");
    }
}

proptest! {
    /// Values that are met again late have the number of the first in the end, as if they had been found at once.
    #[test]
    fn each_value_has_one_number_in_the_end(
        values in prop::collection::vec((0..100_u8, 1..3_u8, 0..30_u8), 0..300),
    ) {
        let gate = |n| (n == 0).then_some(Gate { not_before: 9, ..Gate::default() });
        let first = (0..40).map(|n| (n, 1, 1));
        let values: Vec<_> = first.chain(values).map(|(text, a, g)| (vec![b'x', text], a, gate(g))).collect();
        let (mut late, mut at_once) = (AnswersBuilder::default(), AnswersBuilder::default());
        let mut ids = Vec::new();
        for group in values.chunks(4) {
            let hashed: [_; 4] = std::array::from_fn(|n| {
                let (text, last, gate) = group.get(n)?;
                gate.is_none().then(|| Hashed::new(HashedA::new(a(*last)), text, AnswersBuilder::text_hash(text)))
            });
            let guesses = late.guess(&hashed);
            for (((text, last, gate), hashed), guess) in group.iter().zip(hashed).zip(guesses) {
                let id = match hashed {
                    Some(hashed) => late.guessed_value(guess, hashed),
                    None => late.gated_value(a(*last), text, *gate),
                };
                ids.push((id.unwrap(), at_once.gated_value(a(*last), text, *gate).unwrap()));
            }
        }
        let numbers = late.settle();
        let number = |id| numbers.as_ref().map_or(id, |numbers| numbers.value(id));
        for ((text, last, gate), &(id, want)) in values.iter().zip(&ids) {
            prop_assert_eq!(number(id), want);
            let value = Value { a: a(*last), text: Template::Whole(text), gate: *gate };
            prop_assert_eq!(late.get_value(want), value);
        }
        let used = ids.iter().rev().map(|(_, id)| id.alone());
        prop_assert_eq!(late.finish(used.clone()).0, at_once.finish(used).0);
    }
}

#[test]
fn gates_open_by_time_and_key() {
    let asker = |now, has_key| Asker { now, has_key };
    let delay = Duration::from_secs(5);
    let later = Gate { not_before: 10, ..Gate::default() };
    assert_eq!(later.pass(asker(9, true)), None);
    assert_eq!(later.pass(asker(10, false)), Some(Duration::ZERO));
    let slow = Gate { delay, ..Gate::default() };
    assert_eq!(slow.pass(asker(0, true)), Some(delay));
    let spared = Gate { not_before: 10, delay, key_spares: true, ..Gate::default() };
    assert_eq!(spared.pass(asker(0, true)), Some(Duration::ZERO));
    assert_eq!(spared.pass(asker(0, false)), None);
    assert_eq!(spared.pass(asker(10, false)), Some(delay));
    let locked = Gate { needs_key: true, ..slow };
    assert_eq!(locked.pass(asker(0, false)), None);
    assert_eq!(locked.pass(asker(0, true)), Some(delay));
    let both = Gate { needs_key: true, ..spared };
    assert_eq!(both.pass(asker(99, false)), None);
    assert_eq!(both.pass(asker(0, true)), Some(Duration::ZERO));
}

#[test]
fn values_are_given_to_those_they_are_for() {
    let mut builder = AnswersBuilder::default();
    let gate = Gate { not_before: 10, ..Gate::default() };
    let values =
        [builder.gated_value(a(2), b"", Some(gate)).unwrap(), builder.value(a(3), b"").unwrap()];
    let id = builder.answer(&values);
    let (answers, new) = builder.finish([id]);
    let given = |now| {
        let asker = Asker { now, has_key: false };
        answers.get(new.get(id)).values_for(asker).map(|value| value.a).collect::<Vec<_>>()
    };
    assert_eq!(given(9), [a(3)]);
    assert_eq!(given(10), [a(2), a(3)]);
}

/// A values went into the hash by a product that everybody can invert: a file whose A values made all hashes
/// neighbours took quadratic time.
#[test]
fn no_choice_of_a_values_makes_searches_long() {
    let mut builder = AnswersBuilder::default();
    let inverse = 0x144c_bc89_u32;
    let chosen = (0..).map(|n: u32| n.wrapping_mul(inverse)).filter(|a| a >> 24 == 127);
    for a in chosen.take(4000) {
        builder.value(a.into(), b"one text").unwrap();
    }
    for a in 0..4000_u32 {
        builder.value(a.into(), b"another text").unwrap();
    }
    assert!(builder.longest_search() < 1000, "{}", builder.longest_search());
}
