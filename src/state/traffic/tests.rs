use super::*;
use crate::event::Log;
use proptest::prelude::*;

fn name(text: &str) -> NameBuf {
    text.parse().unwrap()
}

fn count(queries: u64, listed: u64) -> Count {
    Count { queries, listed }
}

fn open(folder: &Path, now: u64) -> TrafficHistory {
    TrafficHistory::open(Some(folder), StateLock::take(folder).as_ref(), now, &Log)
}

fn minutes(series: &Series) -> Vec<(u64, u64)> {
    series.counts().map(|count| (count.queries, count.listed)).collect()
}

#[test]
fn minutes_are_counted_in_all_and_by_zone_and_go_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (name("a.test"), name("b.test"));
    let mut traffic = open(folder.path(), 6000);
    assert!(!traffic.is_due(6059) && traffic.is_due(6060));
    traffic.count(6060, [(None, count(5, 2)), (Some(&a), count(3, 2))].into_iter());
    assert_eq!((traffic.newest(), minutes(traffic.all())), (6000, vec![(5, 2)]));
    traffic.count(
        6180,
        [(None, count(9, 3)), (Some(&a), count(3, 2)), (Some(&b), count(4, 1))].into_iter(),
    );
    assert_eq!(minutes(traffic.all()), [(5, 2), (4, 1)]);
    assert_eq!(minutes(traffic.zone(&a).unwrap()), [(3, 2), (0, 0)]);
    assert_eq!(minutes(traffic.zone(&b).unwrap()), [(4, 1)]);
    // The server ends in the middle of a minute, and the next one starts in it.
    traffic.count(6190, [(None, count(10, 3))].into_iter());
    traffic.save().unwrap();
    drop(traffic);
    let mut traffic = open(folder.path(), 6200);
    assert_eq!(
        (traffic.newest(), minutes(traffic.all())),
        (6180, vec![(5, 2), (4, 1), (0, 0), (1, 0)])
    );
    traffic.count(6240, [(None, count(7, 7))].into_iter());
    assert_eq!(minutes(traffic.all()), [(5, 2), (4, 1), (0, 0), (8, 7)]);
    assert_eq!(minutes(traffic.zone(&a).unwrap()), [(3, 2), (0, 0), (0, 0), (0, 0)]);
    // A day later.
    traffic.count(6240 + 86_400, [].into_iter());
    traffic.count(6300 + 86_400, [].into_iter());
    assert_eq!(traffic.all().counts().len(), KEPT);
    assert!(traffic.all().is_empty() && traffic.zone(&a).is_none());
}

#[test]
fn what_is_written_is_bounded_and_waits_for_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("traffic");
    let mut traffic = open(folder.path(), 0);
    let zones: Vec<_> =
        (0..MAX_ZONES + 5).map(|number| name(&format!("zone{number}.test"))).collect();
    traffic.count(240, zones.iter().map(|zone| (Some(zone), count(1, 0))));
    traffic.save_now_and_then().unwrap();
    assert!(!file.exists());
    traffic.count(300, [].into_iter());
    traffic.save_now_and_then().unwrap();
    assert_eq!(open(folder.path(), 300).zones.len(), MAX_ZONES);
    traffic.keep_no_more();
    fs::remove_file(&file).unwrap();
    traffic.save().unwrap();
    assert!(!file.exists());
}

#[test]
fn what_is_damaged_or_from_the_future_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("traffic");
    let good = format!("{HEAD}\n100\n. 5/2 *3 4/1\na.test 5/2 *3 4/1\n");
    fs::write(&file, &good).unwrap();
    let traffic = open(folder.path(), 6060);
    assert_eq!(minutes(traffic.all()), [(5, 2), (0, 0), (0, 0), (0, 0), (4, 1)]);
    assert_eq!(traffic.text(), good);
    let traffic = open(folder.path(), 5940);
    assert_eq!((traffic.newest(), traffic.all().counts().len()), (0, 0), "the clock was set back");
    for bad in [
        "",
        "dnsbld traffic 2\n100\n",
        "dnsbld traffic 1\nx\n",
        "dnsbld traffic 1\n100\n. 5\n",
        "dnsbld traffic 1\n100\n. 5/x\n",
        "dnsbld traffic 1\n100\n. *x\n",
        "dnsbld traffic 1\n100\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1/1\n",
    ] {
        assert!(TrafficHistory::read(bad).is_none(), "{bad:?}");
        fs::write(&file, bad).unwrap();
        assert_eq!(open(folder.path(), 6060).all().counts().len(), 0);
    }
}

proptest! {
    #[test]
    fn any_text_is_read_in_bounds(text in "[.a0-9*/ \n]{0,200}") {
        if let Some(traffic) = TrafficHistory::read(&format!("{HEAD}\n7\n{text}")) {
            prop_assert!(traffic.zones.values().chain([&traffic.all]).all(|series| series.0.len() <= KEPT));
        }
    }

    #[test]
    fn a_series_is_read_as_it_was_written(counts in prop::collection::vec((0_u64..3, 0_u64..3), 0..20)) {
        let counts = counts.into_iter().map(|(queries, listed)| count(queries, listed.min(queries)));
        let series = Series(counts.collect());
        let mut text = String::new();
        series.write(&mut text);
        prop_assert_eq!(Series::read(text.split_whitespace()), Some(series));
    }
}
