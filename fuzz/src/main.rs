//! The targets under libFuzzer. `FUZZ_TARGET` names one; before the first input its seeds go to
//! the folder `FUZZ_SEEDS`, and its tokens into the dictionary `FUZZ_DICTIONARY`.
#![no_main]

#[path = "../targets/mod.rs"]
mod targets;

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use targets::Target;

static TARGET: OnceLock<&Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(
    init: start(),
    |data: &[u8]| (TARGET.get().expect("started").run)(data)
);

fn start() {
    let wanted = env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    let target = targets::ALL.iter().find(|target| target.name == wanted);
    let target = target.unwrap_or_else(|| panic!("no target {wanted}"));
    TARGET.set(target).ok().expect("one start");
    if let Ok(folder) = env::var("FUZZ_SEEDS") {
        for (number, seed) in (target.seeds)().iter().enumerate() {
            let seed = &seed[..seed.len().min(target.max_size)];
            fs::write(Path::new(&folder).join(format!("seed-{number}")), seed).expect("a seed");
        }
    }
    if let Ok(file) = env::var("FUZZ_DICTIONARY") {
        let mut text = String::from("# tokens\n");
        for token in target.tokens {
            text.push('"');
            for byte in *token {
                write!(text, "\\x{byte:02x}").expect("memory");
            }
            text.push_str("\"\n");
        }
        fs::write(file, text).expect("the dictionary");
    }
}
