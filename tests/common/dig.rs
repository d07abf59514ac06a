//! dig and kdig, the way administrators ask.

use std::net::SocketAddr;
use std::process::Command;

/// What dig or kdig shows of a reply.
#[derive(Debug)]
pub(crate) struct Shown(pub(crate) String);

/// Asks the server at `addr` by dig: once, and for at most three seconds.
pub(crate) fn dig(addr: SocketAddr, arguments: &str) -> Shown {
    // The user's own settings are not read.
    ask("dig", addr, &format!("+tries=1 +time=3 {arguments}"), &["-r"])
}

/// Asks the server at `addr` by kdig.
pub(crate) fn kdig(addr: SocketAddr, arguments: &str) -> Shown {
    ask("kdig", addr, &format!("+retry=0 +time=3 {arguments}"), &[])
}

fn ask(program: &str, addr: SocketAddr, arguments: &str, first: &[&str]) -> Shown {
    let server = format!("@{}", addr.ip());
    let output = Command::new(program)
        .args(first)
        .args([&server, "-p", &addr.port().to_string()])
        .args(arguments.split_whitespace())
        .output()
        .unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
    Shown(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Shown {
    /// Whether the reply has this response code, such as `NXDOMAIN`.
    pub(crate) fn is(&self, rcode: &str) -> bool {
        self.0.contains(&format!("status: {rcode}"))
    }

    /// The bits of the header, as in `qr aa rd`.
    pub(crate) fn flags(&self) -> &str {
        let (_, rest) = self.0.split_once("lags: ").unwrap_or(("", ""));
        rest.split(';').next().unwrap_or("")
    }

    /// The lines of a section, such as `ANSWER`, without the names and with single spaces: time
    /// to live, class, type and data; sorted.
    pub(crate) fn section(&self, name: &str) -> Vec<String> {
        let lines = self.0.lines().skip_while(|line| !line.contains(&format!("{name} SECTION")));
        let records = lines.skip(1).take_while(|line| !line.is_empty());
        let mut records: Vec<_> = records
            .map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" "))
            .collect();
        records.sort();
        records
    }

    /// The data of the records in the answer, sorted; TXT in quotation marks.
    pub(crate) fn data(&self) -> Vec<String> {
        let records = self.section("ANSWER");
        let data =
            records.iter().filter_map(|record| Some(record.splitn(4, ' ').nth(3)?.to_owned()));
        let mut data: Vec<_> = data.collect();
        data.sort();
        data
    }

    /// The time to live of the first record in a section.
    pub(crate) fn ttl(&self, section: &str) -> Option<u32> {
        self.section(section).first()?.split(' ').next()?.parse().ok()
    }
}
