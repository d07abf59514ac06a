//! The `dnsbld` command: parse the arguments, run, say how it went.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    dnsbld::cli::Cli::parse().run()
}
