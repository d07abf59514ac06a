//! A machine whose disk is full, or whose clock is wrong.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::mirror::{self, Served, command, fetch, offer, published, sync};
use super::source::Source;
use crate::common::{Clock, in_parallel, sealed, skip};

/// Some decades in seconds.
const FAR: i64 = 1_000_000_000;

/// Room in the folder of the mirror beside what the first version takes, in pages: from nothing to all that the
/// second one needs, which is about 75.
const PAGES: [u32; 14] = [0, 1, 2, 4, 8, 16, 32, 60, 66, 70, 74, 78, 84, 200];

fn mount(folder: &Path, options: &str) {
    let mut command = Command::new("mount");
    let status = command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder).status();
    assert!(status.expect("it runs").success(), "{options}");
}

fn resize(folder: &Path, kilobytes: u32) {
    let options = format!("remount,size={kilobytes}k");
    let status = Command::new("mount").args(["-o", &options]).arg(folder).status();
    assert!(status.expect("it runs").success(), "{options}");
}

/// The kilobytes that a file system of its own has in use.
fn used(folder: &Path) -> u32 {
    let output = Command::new("df").args(["-k", "--output=used"]).arg(folder).output();
    let text = String::from_utf8(output.expect("it runs").stdout).expect("it is text");
    text.lines().nth(1).and_then(|line| line.trim().parse().ok()).expect("a number")
}

/// True if there was too little room for the second version.
fn run_with(pages: u32) -> bool {
    let source = Source::new();
    offer(&source, 1);
    let setup = mirror::configured(&source.module(), "");
    let folder = setup.path("mirror");
    fs::create_dir(&folder).expect("there is none");
    mount(&folder, "size=4m");
    fetch(&setup);
    let served = Served::start(setup);
    resize(&folder, used(&folder) + 4 * pages);

    offer(&source, 2);
    served.allow(2);
    let ran = sync(&served.server, &["--force"]);
    let there = published(&served.server, 2);
    let was_full = match ran.code {
        Some(0) => {
            assert_eq!(there, [Some(2); 2], "{pages}: {ran:?}");
            false
        }
        code => {
            assert_eq!(code, Some(1), "{pages}: {ran:?}");
            let is_told = ["space", "full"].iter().any(|word| ran.said.contains(word));
            assert!(is_told, "{pages}: {ran:?}");
            assert_eq!(there, [Some(1); 2], "{pages}: {ran:?}");
            served.expect(1);
            true
        }
    };
    resize(&folder, 4096);
    fetch(&served.server);
    assert_eq!(published(&served.server, 2), [Some(2); 2], "{pages}");
    served.expect(2);
    // A folder that something is mounted on cannot be removed.
    let _setup = served.finish().stop();
    assert!(Command::new("umount").arg(&folder).status().expect("it runs").success());
    was_full
}

#[test]
fn a_disk_that_is_full_at_any_moment_of_a_sync() {
    sealed(|| {
        let full = in_parallel(&PAGES, |&pages| run_with(pages));
        let count = full.iter().filter(|&&was_full| was_full).count();
        println!("{count} of {} times the disk was full", PAGES.len());
        assert!(full[0] && !full[PAGES.len() - 1]);
    });
}

/// Regression for clocks that jump: a time to come that no interval reaches is no reason to wait for it.
#[test]
fn a_clock_that_is_set_back_does_not_stop_the_mirror() {
    let source = Source::new();
    offer(&source, 1);
    let setup = mirror::configured(&source.module(), "interval = \"1h\"");
    let Some(clock) = Clock::new(&setup) else {
        return skip("there is no C compiler to make a clock with");
    };
    let run = |arguments: &[&str]| {
        let output = clock.apply(&mut command(&setup, arguments)).output().expect("it runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    };
    clock.set(&setup, FAR);
    let (code, said) = run(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(published(&setup, 1), [Some(1); 2]);

    clock.set(&setup, 0);
    let (code, said) = run(&[]);
    assert_eq!(code, Some(0), "{said}");
    // An interval, a quarter of it at random, and a detour around the full hour.
    clock.set(&setup, 3600 * 5 / 4 + 300);
    offer(&source, 2);
    let (code, said) = run(&[]);
    assert_eq!((code, published(&setup, 2)), (Some(0), [Some(2); 2]), "{said}");
    // What was fetched "in the future" is not fetched again at once.
    clock.set(&setup, 0);
    assert_eq!(source.daemon.sessions().len(), 2);
}
