//! The list of options (`-h`).

use super::VERSION;
use crate::zonefile::Kind;
use std::io::Write as _;
use std::process::ExitCode;

const OPTIONS: &str = "\
usage: rbldnsd options zone:type:file,file... ...
Zones that are given several times have several datasets.
 -b host[/port]  listen on this address, UDP and TCP (needed; may be repeated)
 -4              only IPv4 addresses of a host
 -6              only IPv6 addresses of a host
 -u user[:group]  become this user (rbldns, if started by root)
 -r folder       have this folder as root folder
 -w folder       take the files from this folder, inside the root folder
 -p file         write the process id to this file
 -n              stay in the foreground and log to the terminal
 -q              leave the terminal before the zones are loaded
 -F facility     of syslog (daemon)
 -t ttl[:min[:max]]  default time to live of answers and its bounds (35m)
 -c time         between two looks at the files (1m), 0 for only at SIGHUP
 -e              take ranges that do not start at their network, as 127.0.0.1/8
 -C              do not unpack compressed files
 -a              no NS records in answers that do not ask for them
 -A              NS records in all answers (default)
 -v              hide the version from version.bind CH TXT, twice: refuse the question
 -l [+]file      log queries to this file, - for the standard output, + at once
 -s [+]file      write statistics to this file every -c, + since the last line
 -d              print the zones for BIND, and end
 -f              nothing: queries are always answered while zones are loaded
 -x, -X          refused: there are no extensions
Of the rspamd fork:
 -D              load the zones, and end
 -W number       threads that answer (one per core)
Dataset types:
";

/// The list of options.
pub(super) fn text() -> String {
    let mut text = format!("rbldnsd: rbl dns daemon version {VERSION}\n{OPTIONS}");
    for kind in Kind::names().filter(|name| name.parse().is_ok_and(Kind::is_of_rbldnsd)) {
        text.push_str(&format!(" {kind}\n"));
    }
    text
}

/// Prints it.
pub(super) fn print(code: ExitCode) -> ExitCode {
    // Nobody may be there to read it.
    let _ = std::io::stdout().write_all(text().as_bytes());
    code
}
