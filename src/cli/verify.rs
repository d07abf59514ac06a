//! `dnsbld verify`

use super::EX_DATAERR;
use crate::snapshot::{self, Fault, OpenError, Verified};
use crate::util::text::counted;
use anyhow::Context;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Check every byte and every key of snapshots.
///
/// Prints a line for each good file, and for each other file what is wrong with it. The exit code is
/// 65 if a file is damaged, and 1 if a file cannot be read.
#[derive(Args, Debug)]
pub struct Verify {
    /// The snapshots.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Verify {
    /// Verifies all files.
    ///
    /// # Errors
    ///
    /// When the result cannot be printed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut code = ExitCode::SUCCESS;
        for file in &self.files {
            let shown = file.display();
            if file.metadata().is_ok_and(|metadata| !metadata.is_file()) {
                eprintln!("dnsbld: {shown} is not a regular file");
                code = ExitCode::FAILURE;
                continue;
            }
            match snapshot::verify(file) {
                Ok(verified) => {
                    let line = format!("{shown}: {}\n", text(&verified));
                    std::io::stdout()
                        .write_all(line.as_bytes())
                        .context("cannot print the result")?;
                }
                Err(fault) => {
                    eprintln!("dnsbld: {shown} {fault}");
                    code = match fault {
                        Fault::Open(OpenError::Io(_)) => ExitCode::FAILURE,
                        _ => ExitCode::from(EX_DATAERR),
                    };
                }
            }
        }
        Ok(code)
    }
}

fn text(verified: &Verified) -> String {
    let Verified { id, origin, size, ip4, ip6, names, digests, answers } = verified;
    let counts = [
        (*ip4, "IPv4 range", "IPv4 ranges"),
        (*ip6, "IPv6 range", "IPv6 ranges"),
        (*names, "name", "names"),
        (*digests, "hash", "hashes"),
        (Some(*answers), "answer", "answers"),
    ];
    let told = |(count, one, many): (Option<usize>, _, _)| Some(counted(count? as u64, one, many));
    let counts: Vec<_> = counts.into_iter().filter_map(told).collect();
    let files: Vec<_> =
        origin.sources.iter().map(|source| source.path.display().to_string()).collect();
    format!(
        "OK, snapshot {id} of {}: {}, {size} bytes; made with {} from {}",
        origin.name,
        counts.join(", "),
        origin.rules,
        files.join(" ")
    )
}
