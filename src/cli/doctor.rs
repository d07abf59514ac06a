//! `dnsbld doctor`

use super::client::{Answer, Client};
use super::print;
use crate::daemon::request::ControlRequest;
use crate::explain::doctor::{Case, Conclusion, ResolvConf, examine};
use crate::status::Status;
use anyhow::Context as _;
use clap::Args;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

/// Find where the chain from the resolver of this machine to the server breaks.
///
/// Asks each zone as a mail server does, and the server itself, and compares. Each finding ends with the line to
/// change. The exit code is 0 if no fault is found, 1 if one is, 2 if it cannot be told.
#[derive(Args, Debug)]
pub struct Doctor {
    #[command(flatten)]
    client: Client,
    /// A resolver to ask in place of those in /etc/resolv.conf; may be repeated.
    #[arg(long, value_name = "ADDR:PORT", value_parser = crate::config::listen_address)]
    resolver: Vec<SocketAddr>,
    /// An address or name whose answers are compared too: whether the resolver, or Postfix, may still hold an old
    /// one.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Print JSON, as docs/doctor.md explains it.
    #[arg(long)]
    json: bool,
    /// The zones to look at [default: all zones of the server].
    #[arg(value_name = "ZONE")]
    zones: Vec<String>,
}

/// The exit code if it cannot be told.
const CANNOT_TELL: u8 = 2;

/// What is known of the server.
struct Known {
    /// Where it listens, as it is reached from this machine.
    servers: Vec<SocketAddr>,
    /// The names of its zones.
    zones: Vec<String>,
    /// The rights that it has kept, in words, if it is running.
    rights: Option<String>,
}

impl Doctor {
    /// Asks, and prints what is wrong.
    ///
    /// # Errors
    ///
    /// If the server has no such zone, or the result cannot be printed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let Known { servers, zones: known, rights } = match self.known()? {
            Ok(known) => known,
            Err(why) => {
                // If standard error is closed, nobody can be told.
                let _ = writeln!(std::io::stderr(), "dnsbld: {why}");
                return Ok(ExitCode::from(CANNOT_TELL));
            }
        };
        let zone = |zone: &String| zone.trim_end_matches('.').to_lowercase();
        let zones: Vec<_> = self.zones.iter().map(zone).collect();
        if let Some(zone) = zones.iter().find(|zone| !known.contains(zone)) {
            anyhow::bail!(
                "the server has no zone {zone:?}; `dnsbld status` names those that it has"
            );
        }
        let resolvers = match self.resolver.is_empty() {
            true => ResolvConf::read(Path::new("/")).context("cannot read /etc/resolv.conf")?,
            false => self.resolver,
        };
        let zones = if zones.is_empty() { known } else { zones };
        let case = Case { servers, zones, resolvers, rights, key: self.key };
        let diagnosis = examine(&case, Path::new("/"));
        print(&if self.json { diagnosis.to_json() } else { diagnosis.to_text() })?;
        Ok(match diagnosis.conclusion() {
            Conclusion::Well => ExitCode::SUCCESS,
            Conclusion::Fault => ExitCode::FAILURE,
            Conclusion::Unknown => ExitCode::from(CANNOT_TELL),
        })
    }

    /// Where the server listens and its zones: as it says, or if none runs, as the configuration does. Why
    /// neither is known, otherwise.
    fn known(&self) -> anyhow::Result<Result<Known, String>> {
        let unreachable = match self.client.ask::<Status>(&ControlRequest::Status {})? {
            Ok(Answer::Done(status)) => {
                let zones = status.zones.into_iter().map(|zone| zone.name).collect();
                let servers = reachable(&status.server.listening.plain);
                let rights = status.server.confinement.map(|it| it.to_string());
                return Ok(Ok(Known { servers, zones, rights }));
            }
            Ok(Answer::Refused(refused)) => anyhow::bail!(refused.error),
            Err(unreachable) => unreachable,
        };
        let Some(source) = self.client.configuration()? else {
            return Ok(Err(unreachable.to_string()));
        };
        Ok(match source.load() {
            Ok(loaded) => {
                let zones =
                    loaded.settings.zones.iter().map(|zone| zone.name.to_string()).collect();
                let servers = reachable(&loaded.settings.server.listen);
                Ok(Known { servers, zones, rights: None })
            }
            Err(_) => Err(format!(
                "{unreachable}; and {source} cannot be used: see `dnsbld check-config`"
            )),
        })
    }
}

/// The addresses as they are reached from this machine.
pub(super) fn reachable(listening: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut addresses = listening.to_vec();
    for address in &mut addresses {
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
    }
    addresses
}
