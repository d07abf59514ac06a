use super::*;
use crate::event::Log;
use crate::zone::{Dataset, Overrides};
use proptest::prelude::*;

const NOW: u64 = 1_796_040_000;

fn open(folder: &Path, now: u64) -> OverrideLog {
    OverrideLog::open(Some(folder), StateLock::take(folder).as_ref(), now, &Log)
}

/// What a worker notes of these addresses.
fn noted(senders: impl IntoIterator<Item = u32>, now: u64) -> Vec<Table> {
    let overrides = Overrides::new(1);
    let [list, allow] =
        ["list", "own"].map(|name| Dataset { name: name.to_owned(), ..Dataset::default() });
    for sender in senders {
        overrides.note(0, &list, &allow, SenderKey::Ip4(sender), now);
    }
    overrides.take()
}

fn counts(log: &OverrideLog) -> Vec<(String, u64, u64)> {
    let all = log.tallies().into_iter();
    all.map(|(key, tally)| (key.sender.clone(), tally.count, tally.error)).collect()
}

#[test]
fn counts_go_on_after_a_restart_until_they_are_old() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), NOW);
    log.add(&noted([7, 8, 7], NOW + 1));
    log.save(NOW + 2).unwrap();
    drop(log);

    let mut log = open(folder.path(), NOW + 100);
    assert_eq!(log.since(), NOW);
    log.add(&noted([7], NOW + 101));
    assert_eq!(counts(&log), [("0.0.0.7".to_owned(), 3, 0), ("0.0.0.8".to_owned(), 1, 0)]);
    let (key, tally) = log.tallies()[0];
    assert_eq!((&*key.list, &*key.allow, key.sort), ("list", "own", SenderSort::Address));
    assert_eq!((tally.first, tally.last), (NOW + 1, NOW + 101));
    log.save_now_and_then(NOW + 200).unwrap();
    assert_eq!(counts(&open(folder.path(), NOW + 200))[0].1, 2, "it is not time yet");
    log.save_now_and_then(NOW + 400).unwrap();
    drop(log);

    let log = open(folder.path(), NOW + 2 + FORGOTTEN_AFTER);
    assert_eq!(counts(&log), [("0.0.0.7".to_owned(), 3, 0)]);
}

#[test]
fn a_damaged_file_is_left_out_and_without_the_lock_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("overrides");
    for damaged in
        ["", "{}", "{\"version\":2,\"since\":0,\"floor\":0,\"unnamed\":0,\"senders\":[]}"]
    {
        fs::write(&file, damaged).unwrap();
        assert_eq!(counts(&open(folder.path(), NOW)), []);
    }
    fs::remove_file(&file).unwrap();
    let mut log = OverrideLog::open(Some(folder.path()), None, NOW, &Log);
    log.add(&noted([7], NOW));
    log.save(NOW).unwrap();
    assert!(!file.exists());
    log.keep(folder.path(), &StateLock::take(folder.path()).unwrap());
    log.save(NOW).unwrap();
    assert_eq!(counts(&open(folder.path(), NOW)).len(), 1);
}

#[test]
fn the_rarest_give_way() {
    let mut log = OverrideLog::default();
    let all: Vec<u32> = (0..ROOM as u32).collect();
    for part in all.chunks(4096) {
        log.add(&noted(part.iter().copied(), NOW));
        log.add(&noted(part.iter().copied(), NOW));
    }
    assert_eq!((log.tallies().len(), log.floor()), (ROOM, 0));
    log.add(&noted([99_999], NOW + 1));
    assert_eq!((log.tallies().len(), log.floor()), (ROOM, 1), "it was the rarest itself");
    log.add(&noted([99_999, 99_999], NOW + 2));
    let new = log.tallies().into_iter().find(|(key, _)| key.sender == "0.1.134.159").unwrap().1;
    assert_eq!((new.count, new.error, log.floor()), (3, 1, 2));
}

proptest! {
    /// What is promised of counts, whatever comes in which order.
    #[test]
    fn no_count_is_too_small_and_none_too_great_by_more_than_its_error(
        rounds in prop::collection::vec((0_u32..3, 1_u32..4000), 1..12),
    ) {
        let mut log = OverrideLog::default();
        let mut exact = HashMap::<u32, u64>::new();
        for (number, (start, len)) in rounds.into_iter().enumerate() {
            // Some come each time, the others in parts that overlap.
            let part = start * 9000 + number as u32 * 700;
            let senders: Vec<u32> = (part..part + len).chain(1_000_000..1_000_050).collect();
            log.add(&noted(senders.iter().copied(), NOW));
            senders.into_iter().for_each(|sender| *exact.entry(sender).or_default() += 1);
        }
        prop_assert_eq!(log.unnamed(), 0);
        let told = log.tallies();
        prop_assert!(told.len() <= ROOM);
        let told: HashMap<u32, OverrideTally> = told
            .into_iter()
            .map(|(key, tally)| (key.sender.parse::<Ipv4Addr>().unwrap().to_bits(), tally))
            .collect();
        for (sender, exact) in exact {
            match told.get(&sender) {
                Some(OverrideTally { count, error, .. }) => {
                    prop_assert!(exact <= *count && count - error <= exact);
                }
                None => prop_assert!(exact <= log.floor()),
            }
        }
    }
}
