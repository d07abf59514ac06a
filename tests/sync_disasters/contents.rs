//! Sources that change in the middle of a session, or hand out something else than the list.

use std::sync::Arc;

use super::mirror::{self, LISTS, Served, fetch, lists, offer, published, sync};
use super::source::Source;
use crate::common::{Fault, event};

const MISUSE: &str =
    "You have been found to misuse this service. See http://list.example/rsync-use\n";

/// What has begun is fetched as it was, what comes later as it is; each list is whole.
#[test]
fn lists_that_change_between_two_files_of_a_session() {
    let source = Source::new();
    offer(&source, 1);
    let setup = mirror::configured(&source.module(), "");
    fetch(&setup);
    let served = Served::start(setup);

    offer(&source, 2);
    let feeds = source.daemon.feeds();
    let change = move || {
        for (name, list) in LISTS.iter().zip(lists()) {
            std::fs::write(feeds.join(".new"), list.text(3)).expect("the folder is ours");
            std::fs::rename(feeds.join(".new"), feeds.join(name)).expect("the folder is ours");
        }
    };
    source.proxy.set(Fault::Do(20_000, Arc::new(change)));
    served.allow(3);
    fetch(&served.server);
    assert_eq!(published(&served.server, 3), [Some(2), Some(3)]);
    served.expect_each([2, 3]);

    source.proxy.set(Fault::None);
    fetch(&served.server);
    assert_eq!(published(&served.server, 3), [Some(3); 2]);
    served.expect(3);
    served.finish();
}

/// Some publishers send a note in place of the list to those that they refuse.
#[test]
fn a_note_in_place_of_a_list() {
    let source = Source::new();
    offer(&source, 1);
    let setup = mirror::configured(&source.module(), "min-size = \"1K\"");
    fetch(&setup);
    let served = Served::start(setup);

    source.write("a", MISUSE);
    source.write("b", &lists()[1].text(2));
    let ran = sync(&served.server, &["--force"]);
    assert!(ran.code == Some(1) && ran.said.contains("You have been found to misuse"), "{ran:?}");
    assert_eq!(published(&served.server, 2), [Some(1); 2]);
    served.expect(1);

    // Without min-size, the server's guard is there.
    mirror::configure(&served.server, &source.module(), "");
    served.allow(2);
    fetch(&served.server);
    served.server.expect_log(&[&event("dataset-refused", "a")], mirror::LIMIT);
    served.expect_each([1, 2]);

    offer(&source, 2);
    fetch(&served.server);
    served.expect(2);
    served.finish();
}
