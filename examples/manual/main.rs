//! Writes the man pages and the completions of shells into a folder, as they lie below `/usr/share`:
//! `cargo run --example manual -- FOLDER`. `scripts/package` packs them.

mod completions;
mod pages;

use anyhow::Context as _;
use std::fs;
use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    let folder: PathBuf = std::env::args_os().nth(1).context("usage: manual FOLDER")?.into();
    for (path, text) in pages::all().into_iter().chain(completions::all()) {
        let path = folder.join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
