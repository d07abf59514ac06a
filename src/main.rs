//! The `dnsbld` command: parse the arguments, run, say how it went. Under the name `rbldnsd`, it is
//! that.

use clap::Parser;
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    dnsbld::util::signals::hold();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.first().is_some_and(|name| dnsbld::rbldnsd::is_meant_by(name)) {
        return dnsbld::rbldnsd::run(&arguments);
    }
    dnsbld::cli::Cli::parse_from(arguments).run()
}
