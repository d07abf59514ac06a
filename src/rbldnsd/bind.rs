//! Addresses to listen on (rbldnsd(8), "-b", "-4" and "-6"): `host[/port]`, both of which may be
//! names. A name may have several addresses; `*` is every address of the machine.

use super::Sockets;
use super::log::{Log, reason};
use super::options::Family;
use super::syslog::Severity;
use crate::daemon::Bound;
use crate::server::listen::ListenError;
use anyhow::{anyhow, bail};
use listenfd::ListenFd;
use std::env;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::num::NonZeroUsize;

/// The most sockets that rbldnsd opens.
const MAX_SOCKETS: usize = 20;

/// The port of the service `domain`.
pub(super) const DNS_PORT: u16 = 53;

/// The host that the C library, and so rbldnsd, takes for the wildcard addresses. Rust's standard library
/// would look it up as a name.
const ANY_HOST: &str = "*";

/// The first descriptor that systemd hands over (sd_listen_fds(3)).
const FIRST_DESCRIPTOR: usize = 3;

/// Sockets that systemd has bound and handed over (Debian's `rbldnsd.socket`).
pub(super) struct HandedOver(ListenFd);

impl HandedOver {
    /// Takes the sockets meant for this process. Call it before threads start: it removes variables from
    /// the environment.
    pub(super) fn from_environment() -> Self {
        let is_ours = env::var("LISTEN_PID").is_ok_and(|pid| !pid.is_empty());
        Self(if is_ours { ListenFd::from_env() } else { ListenFd::empty() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.len() == 0
    }
}

/// Binds all addresses that `typed` names, for UDP and TCP. Takes the sockets that were handed over, and
/// binds TCP at their addresses.
///
/// # Errors
///
/// The first address that cannot be found, bound for UDP, or taken. A TCP port that cannot be bound is
/// only a warning: rbldnsd starts when another server has it.
pub(super) fn bind(
    typed: &[String],
    handed_over: HandedOver,
    family: Family,
    workers: Option<NonZeroUsize>,
    log: &Log,
) -> anyhow::Result<Sockets> {
    let mut bound = Bound::default();
    let mut taken: Vec<SocketAddr> = Vec::new();
    for text in typed {
        let mut usable = 0;
        for address in resolve(text, family)? {
            if taken.contains(&address) {
                usable += 1;
                continue;
            }
            if taken.len() >= MAX_SOCKETS {
                bail!("too many listening sockets ({MAX_SOCKETS} max)");
            }
            match bound.add_udp(address, workers) {
                Ok(address) => {
                    log.say(Severity::Info, &format!("listening on {}", shown(address)));
                    add_tcp(&mut bound, address, log);
                    taken.push(address);
                    usable += 1;
                }
                Err(error) if is_unknown_family(&error.cause) => {}
                Err(error) => return Err(unable(&error)),
            }
        }
        if usable == 0 {
            bail!("{text}: no available protocols");
        }
    }
    let count = taken.len() + handed_over.0.len();
    add_mapped(&mut bound, &taken, workers, log)?;
    take(&mut bound, handed_over, count, log)?;
    Ok(Sockets { bound, count })
}

fn take(
    bound: &mut Bound,
    HandedOver(mut sockets): HandedOver,
    count: usize,
    log: &Log,
) -> anyhow::Result<()> {
    if count > MAX_SOCKETS {
        bail!("too many listening sockets ({MAX_SOCKETS} max)");
    }
    for number in 0..sockets.len() {
        let descriptor = FIRST_DESCRIPTOR + number;
        let Ok(Some(socket)) = sockets.take_udp_socket(number) else {
            bail!("systemd listening socket {descriptor} is not a datagram socket");
        };
        let address = bound.take_udp(socket).map_err(|error| {
            anyhow!("unable to use systemd listening socket {descriptor}: {}", reason(&error))
        })?;
        let text = format!("systemd socket listening on {} (fd {descriptor})", shown(address));
        log.say(Severity::Info, &text);
        add_tcp(bound, address, log);
    }
    Ok(())
}

fn add_tcp(bound: &mut Bound, address: SocketAddr, log: &Log) {
    if let Err(error) = bound.add_tcp(address) {
        let (address, reason) = (shown(address), reason(&error.cause));
        let text = format!("no TCP on {address}: {reason}; replies that need it will not be had");
        log.say(Severity::Warning, &text);
    }
}

/// Binds `0.0.0.0` beside each `::`, because rbldnsd's `::` takes IPv4 queries too, unless the system
/// setting `bindv6only` forbids it.
fn add_mapped(
    bound: &mut Bound,
    taken: &[SocketAddr],
    workers: Option<NonZeroUsize>,
    log: &Log,
) -> anyhow::Result<()> {
    let is_apart = |text: String| text.trim() == "1";
    if fs::read_to_string("/proc/sys/net/ipv6/bindv6only").is_ok_and(is_apart) {
        return Ok(());
    }
    for any in taken.iter().filter(|address| address.ip() == Ipv6Addr::UNSPECIFIED) {
        if taken.iter().any(|other| other.is_ipv4() && other.port() == any.port()) {
            continue;
        }
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, any.port()));
        bound
            .add_udp(address, workers)
            .map_err(|error| unable(&ListenError { address: *any, ..error }))?;
        add_tcp(bound, address, log);
    }
    Ok(())
}

fn unable(error: &ListenError) -> anyhow::Error {
    anyhow!("unable to bind to {}: {}", shown(error.address), reason(&error.cause))
}

fn is_unknown_family(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

/// `host/port`.
fn shown(address: SocketAddr) -> String {
    format!("{}/{}", address.ip(), address.port())
}

/// The addresses of `host[/port]`.
///
/// # Errors
///
/// The words of getaddrinfo(3) if there are none.
pub(super) fn resolve(text: &str, family: Family) -> anyhow::Result<Vec<SocketAddr>> {
    let (host, service) = text.split_once('/').unwrap_or((text, ""));
    if host.is_empty() && text.contains('/') {
        bail!("missing host part in bind address `{text}'");
    }
    let Some(port) = port(service) else {
        bail!("{text}: Servname not supported for ai_socktype");
    };
    if host.is_empty() {
        bail!("{text}: Name or service not known");
    }
    let found = if host == ANY_HOST {
        let any = [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()];
        any.map(|ip| SocketAddr::new(ip, port)).to_vec()
    } else {
        look_up(text, host, port)?
    };
    let wanted = |address: &SocketAddr| match family {
        Family::Any => true,
        Family::Ip4 => address.ip().to_canonical().is_ipv4(),
        Family::Ip6 => address.is_ipv6(),
    };
    let addresses: Vec<SocketAddr> = found.into_iter().filter(wanted).collect();
    match (addresses.is_empty(), host.parse::<IpAddr>()) {
        (false, _) => Ok(addresses),
        (true, Ok(_)) => bail!("{text}: Address family for hostname not supported"),
        (true, Err(_)) => bail!("{text}: No address associated with hostname"),
    }
}

fn look_up(text: &str, host: &str, port: u16) -> anyhow::Result<Vec<SocketAddr>> {
    let found = (host, port).to_socket_addrs().map_err(|error| {
        let said = reason(&error);
        let (_, why) = said.split_once("address information: ").unwrap_or(("", &said));
        anyhow!("{text}: {why}")
    })?;
    Ok(found.collect())
}

/// The port of a service over UDP: a number or a name (services(5)).
fn port(service: &str) -> Option<u16> {
    if service.bytes().all(|byte| byte.is_ascii_digit()) {
        return if service.is_empty() { Some(DNS_PORT) } else { service.parse().ok() };
    }
    let services = fs::read_to_string("/etc/services").unwrap_or_default();
    let known = services.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let (name, port) = (words.next()?, words.next()?.strip_suffix("/udp")?);
        (name == service || words.any(|alias| alias == service)).then(|| port.parse().ok())?
    });
    known.or((service == "domain").then_some(DNS_PORT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        let good = [
            ("127.0.0.1", Family::Any, "127.0.0.1:53"),
            ("127.2", Family::Ip4, "127.0.0.2:53"),
            ("127.0.0.1/", Family::Any, "127.0.0.1:53"),
            ("::1/5300", Family::Ip6, "[::1]:5300"),
            ("localhost/domain", Family::Ip4, "127.0.0.1:53"),
            ("*/5300", Family::Ip4, "0.0.0.0:5300"),
            ("*/5300", Family::Ip6, "[::]:5300"),
            ("*", Family::Ip6, "[::]:53"),
        ];
        for (text, family, want) in good {
            assert_eq!(resolve(text, family).unwrap()[0].to_string(), want, "{text}");
        }
        let bad = [
            ("/53", Family::Any, "missing host part in bind address `/53'"),
            ("", Family::Any, ": Name or service not known"),
            ("::1/no", Family::Any, "::1/no: Servname not supported for ai_socktype"),
            ("::1/53/3", Family::Any, "::1/53/3: Servname not supported for ai_socktype"),
            ("::1/65536", Family::Any, "::1/65536: Servname not supported for ai_socktype"),
            ("::1", Family::Ip4, "::1: Address family for hostname not supported"),
            ("127.1.2.3", Family::Ip6, "127.1.2.3: Address family for hostname not supported"),
        ];
        for (text, family, want) in bad {
            assert_eq!(resolve(text, family).unwrap_err().to_string(), want);
        }
    }

    /// `-b '*/530'` was "Name or service not known".
    #[test]
    fn a_star_is_every_address() {
        let any = resolve("*/530", Family::Any).unwrap();
        assert_eq!(any, ["0.0.0.0:530".parse().unwrap(), "[::]:530".parse().unwrap()]);
        assert!(resolve("**/530", Family::Any).is_err());
    }
}
