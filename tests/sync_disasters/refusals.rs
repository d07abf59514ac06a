//! Sources that refuse, one for each exit code of rsync.

use std::process::Command;

use super::mirror::{self, IMPATIENT, LISTS, Served, fetch, offer, published, sync};
use super::source::{Refusal, Source};
use crate::common::{in_parallel, temp_dir};

/// The sources are what they claim: rsync itself says so.
#[test]
fn rsync_has_these_exit_codes() {
    for refusal in Refusal::ALL {
        let mut source = Source::new();
        offer(&source, 1);
        let folder = temp_dir();
        let module = source.refuse(refusal, LISTS[1]);
        let mut command = Command::new("rsync");
        command.args(["--times", "--timeout=1", "--contimeout=1"]);
        command.args(LISTS.map(|name| format!("{module}{name}"))).arg(folder.path());
        let output = command.output().expect("rsync is there");
        assert_eq!(output.status.code(), Some(refusal.code()), "{refusal:?}: {output:?}");
    }
}

#[test]
fn a_source_that_refuses_changes_nothing_and_the_next_run_heals_it() {
    in_parallel(&Refusal::ALL, |&refusal| {
        let mut source = Source::new();
        offer(&source, 1);
        let setup = mirror::configured(&source.module(), IMPATIENT);
        fetch(&setup);
        let served = Served::start(setup);

        offer(&source, 2);
        let module = source.refuse(refusal, LISTS[1]);
        mirror::configure(&served.server, &module, IMPATIENT);
        let ran = sync(&served.server, &["--force"]);
        let code = format!("(rsync's code {}", refusal.code());
        assert!(ran.code == Some(1) && ran.said.contains(&code), "{refusal:?}: {ran:?}");
        assert!(!ran.said.contains("see what rsync said"), "{refusal:?} has no words: {ran:?}");
        assert_eq!(published(&served.server, 2), [Some(1); 2], "{refusal:?}");
        served.expect(1);
        let status = served.status();
        assert!(status.contains(&code), "{refusal:?}: {status}");

        source.heal();
        offer(&source, 2);
        served.allow(2);
        mirror::configure(&served.server, &source.module(), IMPATIENT);
        fetch(&served.server);
        assert_eq!(published(&served.server, 2), [Some(2); 2], "{refusal:?}");
        served.expect(2);
        let status = served.status();
        assert!(!status.contains("rsync's code"), "{refusal:?}: {status}");
        served.finish();
    });
}
