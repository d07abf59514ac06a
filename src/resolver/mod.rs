//! The resolvers that stand between mail servers and this server: what to tell each of them, so that it asks this
//! server about the lists, and how to recognise it.

mod bind;
mod dnsmasq;
mod knot_resolver;
mod powerdns;
mod recognise;
mod systemd_resolved;
mod unbound;

pub(crate) use recognise::{by_address, by_files, by_processes};

use clap::ValueEnum;
use std::fmt;
use std::net::SocketAddr;

/// A resolver program.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Resolver {
    /// NLnet Labs' unbound.
    Unbound,
    /// ISC's BIND (named).
    Bind,
    /// dnsmasq.
    Dnsmasq,
    /// CZ.NIC's Knot Resolver (kresd), version 5.
    KnotResolver,
    /// PowerDNS Recursor.
    PdnsRecursor,
    /// The resolver that comes with systemd.
    SystemdResolved,
}

/// What a resolver can do wrong with the answers of this server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Need<'a> {
    /// It has to ask the servers at these addresses about a zone.
    Forward(&'a [SocketAddr]),
    /// It must not want signatures in the zone.
    NoValidation,
    /// It must let addresses of 127.0.0.0/8 through (protection against DNS rebinding).
    Loopback,
    /// It must not put an address in place of NXDOMAIN.
    NoRewriting,
    /// It must remember what is not listed no longer than the SOA record says (RFC 2308 section 5).
    NegativeTtl,
    /// It must ask for whole names (RFC 9156 describes what it does).
    WholeNames,
    /// It has to forget what it remembers of a zone.
    Flush,
}

/// What the documentation and the packages of a resolver call things.
struct Facts {
    /// For people.
    name: &'static str,
    /// What its answer to `version.bind` begins with, in small letters.
    version: &'static str,
    /// The process, as the kernel cuts it.
    process: &'static str,
    /// Files that are there where it is set up.
    files: &'static [&'static str],
    /// Where its lines go.
    place: &'static str,
    /// The command that has it read them.
    restart: &'static str,
}

impl Resolver {
    /// Its name, as people write it.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// Where the lines of [`snippet`](Self::snippet) go.
    pub fn place(self) -> &'static str {
        self.facts().place
    }

    /// The ending of a file with its lines.
    pub(crate) fn extension(self) -> &'static str {
        if self == Self::KnotResolver { "lua" } else { "conf" }
    }

    /// What to do with a file that has its lines.
    pub(crate) fn advice(self, path: &str) -> String {
        let (place, restart) = (self.place(), self.restart());
        match self {
            // These read one file, which has more in it.
            Self::Bind | Self::KnotResolver => format!("cat {path} >> {place} && {restart}"),
            _ => format!("install -D -m 644 {path} {place} && {restart}"),
        }
    }

    /// The command that has it read them.
    pub fn restart(self) -> &'static str {
        self.facts().restart
    }

    /// The lines that make it ask the servers at these addresses about these zones.
    pub fn snippet(self, zones: &[&str], servers: &[SocketAddr]) -> String {
        match self {
            Self::Unbound => unbound::snippet(zones, servers),
            Self::Bind => bind::snippet(zones, servers),
            Self::Dnsmasq => dnsmasq::snippet(zones, servers),
            Self::KnotResolver => knot_resolver::snippet(zones, servers),
            Self::PdnsRecursor => powerdns::snippet(zones, servers),
            Self::SystemdResolved => systemd_resolved::snippet(zones, servers),
        }
    }

    /// The line to change for one zone.
    pub(crate) fn line(self, zone: &str, need: Need<'_>) -> String {
        match self {
            Self::Unbound => unbound::line(zone, need),
            Self::Bind => bind::line(zone, need),
            Self::Dnsmasq => dnsmasq::line(zone, need),
            Self::KnotResolver => knot_resolver::line(zone, need),
            Self::PdnsRecursor => powerdns::line(zone, need),
            Self::SystemdResolved => systemd_resolved::line(zone, need),
        }
    }

    fn facts(self) -> &'static Facts {
        match self {
            Self::Unbound => &unbound::FACTS,
            Self::Bind => &bind::FACTS,
            Self::Dnsmasq => &dnsmasq::FACTS,
            Self::KnotResolver => &knot_resolver::FACTS,
            Self::PdnsRecursor => &powerdns::FACTS,
            Self::SystemdResolved => &systemd_resolved::FACTS,
        }
    }
}

impl fmt::Display for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The texts that `text` makes of each item, one after the other with this between them.
fn joined<T: Copy>(items: &[T], between: &str, text: impl Fn(T) -> String) -> String {
    items.iter().map(|item| text(*item)).collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests;
