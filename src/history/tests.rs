//! The history beside a map of what each key was at each load.

use super::changes::sorted_by;
use super::files::{BASE, MAGIC, blocks, folder, read_file, segments};
use super::*;
use crate::listing::AnswersBuilder;
use crate::range::Range;
use crate::trie::names::NameTreeBuilder;
use crate::trie::{Trie4, Trie6};
use crate::wire::name::NameBuf;
use crate::zone::Dataset;
use crate::zone::diff::diff;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

const DAY: u64 = 86_400;

/// The number of keys of each sort.
const KEYS: usize = 12;

/// What is listed: the value of each key, 0 for none.
type Listed = [u8; KEYS];

/// A dataset that lists as many IPv4 addresses, IPv6 addresses and names.
fn dataset(listed: &Listed) -> Dataset {
    let mut builder = AnswersBuilder::default();
    let answers = listed.map(|value| {
        let text = format!("{value} of $");
        (value > 0).then(|| {
            let value = builder.value([127, 0, 0, value].into(), text.as_bytes()).unwrap();
            builder.answer(&[value])
        })
    });
    let (table, numbering) = builder.finish(answers.iter().flatten().copied());
    let answers = answers.map(|answer| answer.map(|answer| numbering.get(answer)));
    let mut ranges: Vec<Range<u32>> = Vec::new();
    let mut names = Vec::new();
    for (key, answer) in answers.iter().enumerate() {
        let Some(answer) = *answer else { continue };
        names.push((sorted_by(&name(key)), answer, (key % 2 == 1).then_some(answer)));
        let key = key as u32;
        match ranges.last_mut().filter(|last| last.end + 1 == key && last.answer == answer) {
            Some(last) => last.end = key,
            None => ranges.push(Range { start: key, end: key, answer }),
        }
    }
    names.sort();
    let mut tree = NameTreeBuilder::default();
    for (name, answer, below) in names {
        tree.push(&name, Some(answer), below);
    }
    let wide = ranges.iter().map(|range| Range {
        start: u128::from(range.start) << 64,
        end: (u128::from(range.end) << 64) + u128::from(u64::MAX),
        answer: range.answer,
    });
    Dataset {
        ip6: Some(Trie6::build(wide)),
        ip4: Some(Trie4::build(ranges.iter().copied())),
        names: Some(tree.finish()),
        answers: table,
        ..Dataset::default()
    }
}

fn name(key: usize) -> NameBuf {
    format!("k{key}.example").parse().unwrap()
}

/// The same key in all lists of the dataset.
fn sought(key: usize) -> Vec<Sought> {
    let mut all = vec![
        Sought::Address(IpAddr::V4(Ipv4Addr::from_bits(key as u32))),
        Sought::Address(IpAddr::V6(Ipv6Addr::from_bits(((key as u128) << 64) + 5))),
        Sought::Name(name(key)),
    ];
    if key % 2 == 1 {
        all.push(Sought::Name(format!("below.k{key}.example").parse().unwrap()));
    }
    all
}

/// What happens to a log.
#[derive(Clone, Debug)]
enum Act {
    /// A load of this.
    Load(Listed),
    /// A load of which the server has forgotten what was before.
    Whole(Listed),
    Refuse,
    /// The server is started again.
    Reopen,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let listed = || prop::array::uniform::<_, KEYS>(prop_oneof![3 => Just(0u8), 2 => 1u8..3]);
    let act = prop_oneof![
        6 => listed().prop_map(Act::Load),
        1 => listed().prop_map(Act::Whole),
        1 => Just(Act::Refuse),
        1 => Just(Act::Reopen),
    ];
    prop::collection::vec(act, 1..24)
}

/// The loads that were written: the time of each, and what it left listed. Each is half a day after the one before.
type Loads = Vec<(u64, Listed)>;

/// Does that to a log, kept within so many days.
fn write(state: &Path, acts: &[Act], days: u32) -> Loads {
    let mut log = HistoryLog::open(state, "bl").unwrap();
    let mut loads: Loads = Vec::new();
    let mut time = 1000 * DAY;
    for act in acts {
        time += DAY / 2;
        let (listed, is_known) = match act {
            Act::Load(listed) => (listed, true),
            Act::Whole(listed) => (listed, false),
            Act::Refuse => {
                let entry = RefusedEntry { time, file: "/f".into(), cause: "empty".into() };
                log.append_refusal(&entry).unwrap();
                continue;
            }
            Act::Reopen => {
                log = HistoryLog::open(state, "bl").unwrap();
                continue;
            }
        };
        let before = loads.last().map(|(_, listed)| (dataset(listed), content_id(listed)));
        let before = before.as_ref().filter(|_| is_known);
        let before = before.map(|(dataset, id)| LoadedVersion { dataset, content_id: *id });
        let head = LoadHead { time, content_id: content_id(listed), ..LoadHead::default() };
        if log.append_load(before, &dataset(listed), head).unwrap() {
            loads.push((time, *listed));
        } else {
            assert_eq!(loads.last().unwrap().1, *listed);
        }
        log.keep_within(Bounds { days, size: u64::MAX }, time).unwrap();
    }
    loads
}

fn content_id(listed: &Listed) -> u64 {
    xxhash_rust::xxh3::xxh3_64(listed)
}

fn values(value: u8) -> ListedValues {
    let text = [&[b'0' + value][..], b" of ", &[KEY]].concat();
    vec![ListedValue { a: [127, 0, 0, value].into(), text }]
}

/// The keys in which two datasets differ.
fn differences(old: &Dataset, new: &Dataset) -> Vec<String> {
    let mut told = Vec::new();
    diff(old, new, &mut |difference| told.push(difference.to_string()));
    told
}

#[test]
fn no_file_is_read_when_the_time_is_over() {
    let state = tempfile::tempdir().unwrap();
    write(state.path(), &[Act::Load([1; KEYS])], 1000);
    let read =
        |until| History::read_until(state.path(), "bl", Some(until)).map(|it| it.loads().len());
    let now = std::time::Instant::now();
    assert_eq!(read(now).unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    assert_eq!(read(now + std::time::Duration::from_secs(600)).unwrap(), 1);
}

/// Damaged bytes, whose sum is right, name a list that no dataset can have.
#[test]
fn regression_the_number_of_a_list_makes_no_version_grow() {
    let mut load = vec![0, 1, 1, 1, 1, 1];
    load.extend([0; 8]);
    load.extend([1, 0, 0, 0, 1, 0]);
    for (number, is_listed) in [(&[0u8][..], true), (&[0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], false)]
    {
        let group = [number, &[0, 1, 0, 1, 1]].concat();
        let block = super::block::framed(&[&load[..], &group].concat());
        let history = History::from_bytes(None, vec![[MAGIC, &block].concat()]);
        let (_, dataset) = history.as_of(u64::MAX).unwrap();
        assert_eq!(dataset.ip4.is_some(), is_listed);
        assert!(dataset.subzones.is_none());
    }
}

/// A day of refusals alone becomes part of a base that lists nothing, or whose newest load has left nothing.
#[test]
fn regression_a_base_stays_when_only_refusals_are_added() {
    let state = tempfile::tempdir().unwrap();
    let one = |value| std::array::from_fn(|key| if key == 1 { value } else { 0 });
    for first in [0, 1] {
        let loads = [one(first), one(1), one(first)].map(Act::Load);
        let refusals = [Act::Refuse, Act::Refuse];
        let more = [one(first), one(2), one(1), one(0), one(2), one(1)].map(Act::Load);
        let acts: Vec<_> = loads.into_iter().chain(refusals).chain(more).collect();
        let folder = state.path().join(first.to_string());
        std::fs::create_dir(&folder).unwrap();
        let loads = write(&folder, &acts, 1);
        let history = History::read(&folder, "bl").unwrap();
        let timeline = history.timeline(&sought(1)[0], u64::MAX);
        assert!(!timeline.is_cut);
        assert_eq!(history.as_of(u64::MAX).unwrap().0.number, loads.len() as u64);
    }
}

proptest! {
    #[test]
    fn what_was_listed_at_each_load_comes_back(acts in acts(), days in 0..8u32) {
        let state = tempfile::tempdir().unwrap();
        let loads = write(state.path(), &acts, days);
        let history = History::read(state.path(), "bl").unwrap();
        let first = loads.first().map_or(u64::MAX, |(time, _)| *time);
        prop_assert!(history.as_of(first - 1).is_none());
        let mut is_known = false;
        for (time, listed) in &loads {
            let Some((head, found)) = history.as_of(time + 5) else {
                prop_assert!(!is_known, "a later load is not known, and an earlier one is");
                continue;
            };
            is_known = true;
            prop_assert_eq!(head.time, *time);
            let want = comparable(&dataset(listed)).unwrap();
            prop_assert_eq!(differences(&want, &found), [""; 0]);
        }
        prop_assert_eq!(is_known, !loads.is_empty());
    }
}

proptest! {
    /// Told of a prefix, the moments of each address in it are those of the address.
    #[test]
    fn a_prefix_has_the_moments_of_its_addresses(acts in acts(), days in 0..8u32) {
        let state = tempfile::tempdir().unwrap();
        let loads = write(state.path(), &acts, days);
        let history = History::read(state.path(), "bl").unwrap();
        let net: ipnet::IpNet = "0.0.0.0/29".parse().unwrap();
        let all = history.within(net, u64::MAX, usize::MAX);
        let last = loads.last().map_or([0; KEYS], |(_, listed)| *listed);
        prop_assert_eq!(all.listed, last[..8].iter().filter(|value| **value > 0).count() as u128);
        for key in 0..KEYS as u32 {
            let of = all.moments.iter().filter(|moment| match moment.key {
                crate::zone::diff::Key::Ip4(start, end) => (start..=end).contains(&key),
                _ => false,
            });
            let told: Vec<_> = of.map(|it| (it.time, it.turn.clone())).collect();
            let address = Sought::Address(Ipv4Addr::from_bits(key).into());
            let single = history.timeline(&address, u64::MAX).entries.into_values().flatten();
            // A load that states all does not say what has changed since.
            let wanted = single.map(|it| (it.time, it.turn));
            let is_told = |turn: &Turn| !matches!(turn, Turn::Changed(_));
            let told: Vec<_> = told.into_iter().filter(|(_, turn)| is_told(turn)).collect();
            let wanted: Vec<_> = wanted.filter(|(_, turn)| is_told(turn)).collect();
            prop_assert_eq!(told, if key < 8 { wanted } else { Vec::new() }, "{}", key);
        }
        let newest = history.within(net, u64::MAX, 3);
        let skipped = all.moments.len().saturating_sub(3);
        prop_assert_eq!(newest.older as usize, skipped);
        prop_assert_eq!(newest.moments, all.moments.into_iter().skip(skipped).collect::<Vec<_>>());
    }
}

/// What became of a key.
fn model(loads: &[(u64, Listed)], key: usize) -> Vec<(u64, Turn)> {
    let mut moments = Vec::new();
    let mut before = 0;
    for (time, listed) in loads {
        let now = listed[key];
        match (before, now) {
            (before, now) if before == now => {}
            (0, now) => moments.push((*time, Turn::Listed(values(now)))),
            (_, 0) => moments.push((*time, Turn::Delisted)),
            (_, now) => moments.push((*time, Turn::Changed(values(now)))),
        }
        before = now;
    }
    moments
}

/// What a history says became of a key.
fn told(timeline: &Timeline) -> Vec<(u64, Turn)> {
    let moments = timeline.entries.values().flatten();
    moments.map(|moment| (moment.time, moment.turn.clone())).collect()
}

/// What a timeline says of a key around a moment.
fn known(timeline: &Timeline, at: u64) -> Known {
    let of_entry = |moments: &Vec<Moment>| {
        let mut since: Option<(u64, bool)> = None;
        for moment in moments.iter().filter(|moment| moment.time <= at) {
            since = match moment.turn {
                Turn::Listed(_) => Some((moment.time, moment.is_first_known)),
                Turn::Changed(_) => since,
                _ => None,
            };
        }
        let later = |moment: &&Moment| moment.time > at && matches!(moment.turn, Turn::Listed(_));
        (since, moments.iter().find(later).map(|moment| moment.time))
    };
    let entries: Vec<_> = timeline.entries.values().map(of_entry).collect();
    let since = entries.iter().filter_map(|(since, _)| *since).min();
    let later = entries.iter().filter_map(|(_, later)| *later).min();
    Known {
        since: since.map(|(time, _)| time),
        or_earlier: since.is_some_and(|(_, or_earlier)| or_earlier),
        later: later.filter(|_| since.is_none()),
    }
}

/// Compares what is known of all addresses at once with what their timelines say.
fn compare_known(history: &History, at: u64) -> Result<(), TestCaseError> {
    let mut asked = Vec::new();
    for key in 0..KEYS {
        for sought in sought(key) {
            if let Sought::Address(address) = sought {
                asked.push((address, at + key as u64 % 3 * DAY / 2));
            }
        }
    }
    for ((address, at), told) in asked.iter().zip(history.known(&asked)) {
        let timeline = history.timeline(&Sought::Address(*address), u64::MAX);
        prop_assert_eq!(told, known(&timeline, *at), "{} at {}", address, at);
    }
    Ok(())
}

/// The bytes of the files of a log.
fn files(state: &Path) -> (Option<Vec<u8>>, Vec<Vec<u8>>) {
    let folder = folder(state, "bl");
    let segments = segments(&folder).unwrap().into_iter();
    let segments =
        segments.map(|(segment, _)| read_file(&folder.join(segment.file_name())).unwrap().unwrap());
    (read_file(&folder.join(BASE)).unwrap(), segments.collect())
}

proptest! {
    #[test]
    fn a_history_tells_what_a_map_of_all_keys_does(acts in acts(), until in 0u64..14) {
        let state = tempfile::tempdir().unwrap();
        let loads = write(state.path(), &acts, 1000);
        let history = History::read(state.path(), "bl").unwrap();
        let until = 1000 * DAY + until * DAY;
        let seen: Vec<_> = loads.iter().filter(|(time, _)| *time <= until).copied().collect();
        for key in 0..KEYS {
            for sought in sought(key) {
                let all = history.timeline(&sought, u64::MAX);
                prop_assert_eq!(told(&all), model(&loads, key), "{}", sought);
                let then = history.timeline(&sought, until);
                prop_assert_eq!(told(&then), model(&seen, key), "{} until {}", sought, until);
            }
        }
        compare_known(&history, until)?;
        let count = |is: fn(&LoadEntry) -> bool| history.loads().iter().filter(|it| is(it)).count();
        prop_assert_eq!(count(|it| matches!(it, LoadEntry::Accepted(_))), loads.len());
        let refused = acts.iter().filter(|act| matches!(act, Act::Refuse)).count();
        prop_assert_eq!(count(|it| matches!(it, LoadEntry::Refused(_))), refused);
    }

    /// Each load tells the names that it lists and delists, in parts as well as at once.
    #[test]
    fn a_load_tells_what_it_is_about(acts in acts(), most in 1usize..5) {
        let state = tempfile::tempdir().unwrap();
        let loads = write(state.path(), &acts, 1000);
        let recent = Recent::read(state.path(), "bl", usize::MAX).unwrap();
        let told = recent.loads(usize::MAX, usize::MAX);
        let heads: Vec<_> = told.iter().rev().filter_map(|load| match &load.entry {
            LoadEntry::Accepted(head) => Some((head, load)),
            LoadEntry::Refused(_) => None,
        }).collect();
        prop_assert_eq!(heads.len(), loads.len());
        prop_assert_eq!(told.len(), recent.loads(told.len(), 0).len());
        for (at, (head, load)) in heads.iter().enumerate() {
            let recent = Recent::read_load(state.path(), "bl", head.number).unwrap();
            let all = recent.load(head.number, 0, usize::MAX - 1).unwrap();
            prop_assert!(!all.has_more && all.head == **head);
            let mut parts = Vec::new();
            while let Some(part) = recent.load(head.number, parts.len(), most) {
                parts.extend(part.keys);
                if !part.has_more { break }
            }
            prop_assert_eq!(&parts, &all.keys);
            if head.is_whole { continue }
            let (old, new) = (loads[at - 1].1, loads[at].1);
            let names = |is: fn(u8, u8) -> bool| -> Vec<String> {
                let keys = (0..KEYS).filter(|key| is(old[*key], new[*key]));
                let mut names: Vec<_> = keys.map(|key| name(key).to_string()).collect();
                names.sort();
                names
            };
            let told = |keys: &[String]| {
                let own = (0..KEYS).map(|key| name(key).to_string());
                let mut own: Vec<_> = own.filter(|name| keys.contains(name)).collect();
                own.sort();
                own
            };
            prop_assert_eq!(told(&load.listed), names(|old, new| new > 0 && old != new));
            prop_assert_eq!(told(&load.delisted), names(|old, new| new == 0 && old > 0));
        }
        prop_assert_eq!(Recent::read_load(state.path(), "bl", 0).unwrap().load(0, 0, 1), None);
    }

    /// Of loads that are too old, what is listed since then is kept, and since when.
    #[test]
    fn old_loads_leave_what_is_still_listed(acts in acts(), days in 0u32..6) {
        let state = tempfile::tempdir().unwrap();
        let loads = write(state.path(), &acts, days);
        let history = History::read(state.path(), "bl").unwrap();
        compare_known(&history, 1000 * DAY + u64::from(days) * 2 * DAY)?;
        let (base, _) = files(state.path());
        let base = base.as_deref().map(|base| super::files::base(base).unwrap().0);
        let through = base.map_or(0, |base| base.time);
        let old = loads.iter().filter(|(time, _)| *time <= through).count();
        let is_old = |load: &&(u64, Listed)| load.0 / DAY + u64::from(days) < loads.last().unwrap().0 / DAY;
        if loads.len() > 1 {
            let due = loads.iter().filter(is_old).count();
            prop_assert!(old >= due.min(loads.len() - 2), "{} of {}", old, due);
        }
        for key in 0..KEYS {
            let wanted = model(&loads, key);
            // Of what the old loads did to a key that they left listed: the listing, and the last change of its values.
            let (past, rest) = wanted.split_at(wanted.iter().filter(|(time, _)| *time <= through).count());
            let mut left = Vec::new();
            for moment in past {
                match moment.1 {
                    Turn::Listed(_) => left = vec![moment.clone()],
                    Turn::Delisted => left.clear(),
                    _ => {
                        left.truncate(1);
                        left.push(moment.clone());
                    }
                }
            }
            // It was changed back.
            let back = |left: &[(u64, Turn)]| matches!(left, [(_, Turn::Listed(a)), (_, Turn::Changed(b))] if a == b);
            if back(&left) {
                left.pop();
            }
            let wanted: Vec<_> = left.into_iter().chain(rest.iter().cloned()).collect();
            for sought in sought(key) {
                let timeline = history.timeline(&sought, u64::MAX);
                prop_assert_eq!(told(&timeline), wanted.clone(), "{}", sought);
            }
        }
    }

    /// A log that ends anywhere tells all of the loads that are whole, and nothing else; so does a server that goes on.
    #[test]
    fn a_log_that_is_cut_off_loses_its_end_alone(acts in acts(), cut in any::<prop::sample::Index>(), next in prop::array::uniform::<_, KEYS>(0u8..3)) {
        let state = tempfile::tempdir().unwrap();
        let mut loads = write(state.path(), &acts, 1000);
        let (_, mut bytes) = files(state.path());
        let Some(last) = bytes.last_mut() else { return Ok(()) };
        let lost = |bytes: &[u8]| {
            blocks(bytes).filter(|(block, _)| matches!(block, super::block::Block::Load(..))).count()
        };
        let all = lost(last);
        last.truncate(cut.index(last.len()));
        loads.truncate(loads.len() - (all - lost(last)));
        let (segment, _) = segments(&folder(state.path(), "bl")).unwrap().pop().unwrap();
        std::fs::write(folder(state.path(), "bl").join(segment.file_name()), &last).unwrap();
        for goes_on in [false, true] {
            if goes_on {
                let mut log = HistoryLog::open(state.path(), "bl").unwrap();
                let time = 2000 * DAY;
                let head = LoadHead { time, content_id: content_id(&next), ..LoadHead::default() };
                if log.append_load(None, &dataset(&next), head).unwrap() {
                    loads.push((time, next));
                }
            }
            let history = History::read(state.path(), "bl").unwrap();
            for key in 0..KEYS {
                for sought in sought(key) {
                    let timeline = history.timeline(&sought, u64::MAX);
                    prop_assert_eq!(told(&timeline), model(&loads, key), "{}", sought);
                    prop_assert!(!timeline.is_cut);
                }
            }
        }
    }

    /// Whatever byte is damaged, what is told was so.
    #[test]
    fn damage_makes_a_history_silent_not_wrong(
        acts in acts(),
        days in prop_oneof![Just(2u32), Just(1000)],
        place in any::<prop::sample::Index>(),
        change in 1u8..,
    ) {
        let state = tempfile::tempdir().unwrap();
        let loads = write(state.path(), &acts, days);
        let (mut base, mut segments) = files(state.path());
        let sizes = base.iter().chain(&segments).map(Vec::len).sum::<usize>();
        if sizes == 0 {
            return Ok(());
        }
        let mut at = place.index(sizes);
        for bytes in base.iter_mut().chain(&mut segments) {
            if at < bytes.len() {
                bytes[at] ^= change;
                break;
            }
            at -= bytes.len();
        }
        let history = History::from_bytes(base, segments);
        for key in 0..KEYS {
            for sought in sought(key) {
                let timeline = history.timeline(&sought, u64::MAX);
                for (time, turn) in told(&timeline) {
                    let then = loads.iter().rfind(|load| load.0 <= time).map_or(0, |load| load.1[key]);
                    match turn {
                        Turn::Listed(told) | Turn::Changed(told) => prop_assert_eq!(told, values(then)),
                        Turn::Delisted => prop_assert_eq!(then, 0),
                        Turn::Unknown => {}
                        Turn::Excluded => prop_assert!(false),
                    }
                }
                if let Some((_, last)) = timeline.known.filter(|_| !timeline.is_cut) {
                    let then = loads.iter().rfind(|load| load.0 <= last).map_or(0, |load| load.1[key]);
                    prop_assert_eq!(timeline.is_listed(), then > 0, "{} at {}", sought, last);
                }
            }
        }
    }

    #[test]
    fn no_bytes_make_the_reader_fail(
        base in prop::collection::vec(any::<u8>(), 0..60),
        segment in prop::collection::vec(any::<u8>(), 0..60),
        is_framed: bool,
    ) {
        let frame = |bytes: Vec<u8>| match is_framed {
            true => [MAGIC, &super::block::framed(&bytes)].concat(),
            false => bytes,
        };
        let recent = Recent::from_bytes(vec![frame(segment.clone())]);
        for load in recent.loads(9, 9) {
            if let LoadEntry::Accepted(head) = load.entry {
                recent.load(head.number, 1, 9);
            }
        }
        let history = History::from_bytes(Some(frame(base)), vec![frame(segment)]);
        history.loads();
        for sought in sought(1) {
            history.timeline(&sought, u64::MAX);
        }
        history.within("0.0.0.0/1".parse().unwrap(), u64::MAX, 9);
        history.known(&[(Ipv4Addr::from_bits(1).into(), 1)]);
        history.as_of(u64::MAX);
        history.fold();
    }
}
