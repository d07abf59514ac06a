//! Snapshots with one bit that is another, or without their ends: what is in them is right or not used, and
//! the text that was kept takes their place.

use std::fs;
use std::time::Duration;

use hickory_proto::rr::RecordType;

use crate::common::{Random, Setup, Style, VersionedFeed, event, names_in, wait_until};

const LIMIT: Duration = Duration::from_secs(20);

/// Datasets, each with a damage of its own. Every second one has no list beside its snapshot.
const DATASETS: usize = 200;

#[test]
fn a_damaged_snapshot_is_told_and_does_no_harm() {
    let mut random = Random::new(3);
    let setup = Setup::new();
    let zones: Vec<_> = (0..DATASETS).map(|number| format!("bl{number}")).collect();
    let feeds: Vec<_> =
        zones.iter().map(|zone| VersionedFeed::new(zone, Style::Replaced, 300)).collect();
    for feed in &feeds {
        setup.write(&format!("lists/{}", feed.zone()), feed.text(1));
    }
    let lists = zones.iter().map(|zone| (zone.clone(), format!("lists/{zone}")));
    setup.configure_lists("state-dir = \"state\"", &lists.collect::<Vec<_>>());
    let server = setup.start();
    for zone in &zones {
        server.expect_log(&[&event("snapshot-written", zone)], LIMIT);
    }
    // The text, too: it is kept at leisure.
    let kept = server.path("state/accepted");
    let is_kept = |name: &String| kept.join(name).join("manifest.json").exists();
    let all =
        || kept.exists() && names_in(&kept).iter().filter(|name| is_kept(name)).count() == DATASETS;
    assert!(wait_until(LIMIT, all), "{}", server.log());
    let setup = server.stop();

    let folder = setup.path("state/snapshots");
    let names = names_in(&folder).into_iter().filter(|name| name.ends_with(".snapshot"));
    let snapshots: Vec<_> = names.map(|name| folder.join(name)).collect();
    assert_eq!(snapshots.len(), DATASETS);
    for (number, path) in snapshots.iter().enumerate() {
        let mut bytes = fs::read(path).expect("it is there");
        let at = random.below(bytes.len());
        if number % 10 == 9 {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << random.below(8);
        }
        fs::write(path, bytes).expect("it is ours");
    }
    let without = |number: usize| number % 2 == 1;
    for (_, feed) in feeds.iter().enumerate().filter(|(number, _)| without(*number)) {
        fs::remove_file(setup.path(&format!("lists/{}", feed.zone()))).expect("it is there");
    }

    let server = setup.start();
    for feed in &feeds {
        let answers =
            [("1.0.0.10", Some("start 1")), ("1.1.1.10", Some("own")), ("1.2.1.10", None)];
        for (name, text) in answers {
            let reply = server.ask(&format!("{name}.{}", feed.zone()), RecordType::TXT);
            assert_eq!(reply.texts(), text.as_slice(), "{}: {reply:?}", feed.zone());
        }
    }
    // A flip between the arrays may be overlooked, and then changes nothing.
    let told = server.log_lines(&["event=\"snapshot-unusable\""]).len();
    assert!(told > DATASETS * 9 / 10, "{told}: {}", server.log());
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
