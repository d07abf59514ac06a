//! A disk of the state folder that is full at any write, from the first to the last: answers are right, old
//! files stay whole, and what finds room later is written.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::common::{Setup, Stream, Style, VersionedFeed, event, in_parallel, names_in, sealed};

const LIMIT: Duration = Duration::from_secs(20);

const PAGE: &str = "<html><body>502 Bad Gateway</body></html>\n";

/// Room in the state folder, in pages: for nothing at all, for something, for everything.
const PAGES: [u32; 14] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 18, 64];

fn mount(folder: &Path, options: &str) {
    let mut command = Command::new("mount");
    let status = command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder).status();
    assert!(status.expect("it runs").success(), "{options}");
}

/// All files below a folder that are not finished.
fn unfinished(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for name in names_in(folder) {
        let path = folder.join(&name);
        if path.is_dir() {
            all.extend(unfinished(&path));
        } else if name.ends_with(".new") {
            all.push(name);
        }
    }
    all
}

fn run_with(pages: u32) -> Result<(), String> {
    let setup = Setup::new();
    let feed = VersionedFeed::new("bl", Style::Replaced, 300);
    let state = setup.path("state");
    fs::create_dir(&state).expect("there is none");
    mount(&state, &format!("size={}k", 4 * pages));
    setup.write("list", feed.text(1));
    setup.configure_lists("state-dir = \"state\"", &[("bl".into(), "list".into())]);
    let server = setup.start();
    let stream = Stream::start(server.addr(), &[Arc::clone(&feed)], 200);
    // A page is to be kept aside, and then a list is to be written.
    setup_write(&server, PAGE);
    server.find_in_log(&[&event("dataset-refused", "bl")], LIMIT)?;
    feed.wait_for_all_answers(LIMIT)?;
    feed.allow(2);
    setup_write(&server, &feed.text(2));
    feed.wait_for(2, LIMIT)?;
    // A write that fails as the one before is not told again: this is time enough for all of them.
    thread::sleep(Duration::from_millis(500));
    stream.finish();
    let log = server.log();
    let left = unfinished(&state);
    if log.contains("panicked") || !left.is_empty() {
        return Err(format!("{pages}: {left:?}: {log}"));
    }

    // There is no list, and room again: what is answered is right, or nothing is known.
    let setup = server.stop();
    fs::remove_file(setup.path("list")).expect("it is there");
    let mut command = Command::new("mount");
    let status = command.args(["-o", "remount,size=4m"]).arg(&state).status();
    assert!(status.expect("it runs").success());
    let server = setup.start();
    let known = ["1.1.1.10.bl", "1.2.1.10.bl"].map(|name| {
        let reply = server.ask(name, hickory_proto::rr::RecordType::TXT);
        (reply.rcode().to_string(), reply.texts())
    });
    let own = |known: &(String, Vec<String>)| known.1 == ["own"];
    let is_right = match known.each_ref().map(own) {
        [true, false] | [false, true] => true,
        _ => pages < 64 && known.iter().all(|(code, _)| code.contains("Server Failure")),
    };
    if !is_right {
        return Err(format!("{pages}: {known:?}: {}", server.log()));
    }
    // The list comes back, and all is written.
    setup_write(&server, &feed.text(3));
    server.find_in_log(&[&event("snapshot-written", "bl")], LIMIT)?;
    // A folder that something is mounted on cannot be removed.
    let _setup = server.stop();
    let unmounted = Command::new("umount").arg(&state).status().expect("it runs").success();
    if unmounted { Ok(()) } else { Err(format!("{pages}: not unmounted")) }
}

fn setup_write(setup: &Setup, text: &str) {
    setup.write("next", text);
    fs::rename(setup.path("next"), setup.path("list")).expect("it is ours");
}

#[test]
fn a_disk_that_is_full_at_any_write_costs_no_answer() {
    sealed(|| {
        let failures = in_parallel(&PAGES, |&pages| run_with(pages));
        let failures: Vec<String> = failures.into_iter().filter_map(Result::err).collect();
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    });
}
