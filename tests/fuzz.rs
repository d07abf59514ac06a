//! Short runs of the fuzz targets: the checked-in inputs, the seeds, and then changes of them for
//! `FUZZ_SECONDS` (one by default) per target. The long ones, guided by coverage, are
//! `scripts/fuzz`.
//!
//! An input that fails is written to `target/fuzz/failures`. Put into `fuzz/corpus/TARGET`, it is
//! tried every time.

#[path = "../fuzz/targets/mod.rs"]
pub(crate) mod targets;

use crate::common::Random;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use targets::Target;

macro_rules! short_runs {
    ($($name:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(#[test]
        fn $name() {
            short_run(stringify!($name));
        })*
    };
}

short_runs! {
    query zone_text zone_model trie4_model trie6_model names_model name_text list_format config_text gzip
    defaults_file snapshot certificate history mail_log proxy_header frame tsig
}

#[test]
fn every_target_is_run() {
    assert!(targets::ALL.iter().map(|target| target.name).eq(NAMES.iter().copied()));
    // The script knows one more, for which the tries are built another way.
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/fuzz");
    let list = Command::new(script).arg("list").output().expect("scripts/fuzz runs").stdout;
    let list = String::from_utf8(list).expect("text");
    assert!(list.lines().eq(NAMES.iter().copied().chain(["trie_bytes"])));
}

fn short_run(name: &str) {
    let target = targets::ALL.iter().find(|target| target.name == name).expect("a target");
    let seconds = std::env::var("FUZZ_SECONDS").map_or(1, |text| text.parse().expect("a number"));
    let end = Instant::now() + Duration::from_secs(seconds);
    let inputs = [corpus(name), (target.seeds)()].concat();
    for input in &inputs {
        attempt(target, input);
    }
    let mut mutator = Mutator { random: Random::new(1), target, inputs: &inputs };
    let mut changed = 0;
    while Instant::now() < end {
        attempt(target, &mutator.next());
        changed += 1;
    }
    println!("{name}: {} inputs and {changed} changed ones", inputs.len());
}

/// The checked-in inputs.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("an input")).collect()
}

/// Tries an input; if it fails, keeps it.
fn attempt(target: &Target, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.run)(input))) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../fuzz/failures");
        fs::create_dir_all(&folder).expect("a folder for the input");
        let path = folder.join(target.name);
        fs::write(&path, input).expect("a file for the input");
        eprintln!("the input is in {}", path.display());
        resume_unwind(panic);
    }
}

/// Makes inputs from others.
struct Mutator<'a> {
    random: Random,
    target: &'a Target,
    inputs: &'a [Vec<u8>],
}

impl Mutator<'_> {
    fn next(&mut self) -> Vec<u8> {
        let mut input = self.random.pick(self.inputs).clone();
        input.truncate(self.target.max_size);
        for _ in 0..=self.random.below(6) {
            self.change(&mut input);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let random = &mut self.random;
        let at = random.below(input.len() + 1);
        let end = at + random.below(input.len() - at + 1).min(random.below(40));
        let insertion = match random.below(9) {
            0 if at < input.len() => {
                input[at] ^= 1 << random.below(8);
                return;
            }
            1 if at < input.len() => {
                input[at] = input[at].wrapping_add(random.below(9) as u8).wrapping_sub(4);
                return;
            }
            2 => {
                input.drain(at..end);
                return;
            }
            3 => {
                input.truncate(at);
                return;
            }
            4 => input[at..end].to_vec(),
            5 => {
                let other = random.pick(self.inputs);
                let start = random.below(other.len() + 1);
                let len = random.below(other.len() - start + 1).min(random.below(200));
                other[start..start + len].to_vec()
            }
            6 | 7 if !self.target.tokens.is_empty() => random.pick(self.target.tokens).to_vec(),
            _ => (0..=random.below(4)).map(|_| random.below(256) as u8).collect(),
        };
        // In place of as many bytes, or between them.
        let replaced =
            if random.below(2) == 0 { at } else { input.len().min(at + insertion.len()) };
        input.splice(at..replaced, insertion);
        input.truncate(self.target.max_size);
    }
}
