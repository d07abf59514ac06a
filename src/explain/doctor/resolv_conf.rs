//! `/etc/resolv.conf` (resolv.conf(5)), and the copy that Postfix keeps of it.

use super::{ChainFault, ChainFinding};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

/// The file that names the resolvers.
const PATH: &str = "etc/resolv.conf";

/// Where Postfix has its own, if it runs in a folder of its own (chroot), as on Debian.
const OF_POSTFIX: &str = "var/spool/postfix/etc/resolv.conf";

/// The port of resolvers.
pub(super) const PORT: u16 = 53;

/// More are not looked at (resolv.conf(5), MAXNS).
const MOST: usize = 3;

/// The resolvers of this machine.
pub(crate) struct ResolvConf;

impl ResolvConf {
    /// Reads the file below this folder.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(crate) fn read(root: &Path) -> io::Result<Vec<SocketAddr>> {
        fs::read_to_string(root.join(PATH)).map(|text| servers(&text))
    }
}

/// The resolvers that it names; without any it is the one of this machine.
fn servers(text: &str) -> Vec<SocketAddr> {
    let mut servers: Vec<_> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let is_server = words.next() == Some("nameserver");
            // A zone index of a link-local address is of no use elsewhere.
            let address = words.next()?.split('%').next()?;
            is_server.then_some(address)?.parse::<IpAddr>().ok()
        })
        .map(|address| SocketAddr::new(address, PORT))
        .take(MOST)
        .collect();
    if servers.is_empty() {
        servers.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), PORT));
    }
    servers
}

/// Postfix copies the file when it starts, and asks those resolvers until it starts again.
pub(super) fn of_postfix(root: &Path) -> Option<ChainFinding> {
    let own = servers(&fs::read_to_string(root.join(OF_POSTFIX)).ok()?);
    let system = ResolvConf::read(root).ok()?;
    let shown = |list: &[SocketAddr]| {
        list.iter().map(|server| server.ip().to_string()).collect::<Vec<_>>().join(" ")
    };
    (own != system).then(|| ChainFinding {
        zone: None,
        resolver: None,
        fault: ChainFault::OtherResolvConf,
        text: format!(
            "Postfix asks other resolvers than this machine: /{OF_POSTFIX} has {}, /{PATH} has {}; what is \
             found here does not hold for Postfix",
            shown(&own),
            shown(&system)
        ),
        change: "systemctl restart postfix\n".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_as_the_c_library_reads_them() {
        let read = |text: &str| servers(text).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            read("# x\nnameserver 192.0.2.1\n nameserver ::1 \n"),
            ["192.0.2.1:53", "[::1]:53"]
        );
        assert_eq!(read("search example\nnameserver fe80::1%eth0"), ["[fe80::1]:53"]);
        assert_eq!(read(""), ["127.0.0.1:53"]);
        assert_eq!(read(&"nameserver 192.0.2.1\n".repeat(5)).len(), 3);
    }

    #[test]
    fn a_copy_of_postfix_that_names_others_is_a_fault() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(PATH, "nameserver 127.0.0.1\n");
        assert_eq!(of_postfix(root.path()), None);
        write(OF_POSTFIX, "# the same\nnameserver 127.0.0.1\n");
        assert_eq!(of_postfix(root.path()), None);
        write(OF_POSTFIX, "nameserver 192.0.2.53\n");
        let finding = of_postfix(root.path()).unwrap();
        assert!(finding.text.contains("has 192.0.2.53, /etc/resolv.conf has 127.0.0.1"));
    }
}
