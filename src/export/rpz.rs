//! Response policy zones (draft-vixie-dnsop-dns-rpz): names are answered with NXDOMAIN, and so is what has
//! an address that is listed (`rpz-ip`).

use super::entries::{Detail, ExportEntry, ExportKey, Kinds, NameScope};
use super::{About, FormatWriter, halves};
use crate::dump::write_master_name;
use crate::wire::name::{Labels, MAX_NAME};
use crate::zone::Soa;
use ipnet::{Ipv4Net, Ipv6Net};
use std::io::{self, Write};

/// What is kept free behind a name, for the name of the policy zone and a wildcard.
const ROOM: usize = 64;

pub(super) struct Rpz<'s> {
    soa: &'s Soa,
}

impl<'s> Rpz<'s> {
    pub(super) fn new(soa: &'s Soa) -> Self {
        Self { soa }
    }
}

impl FormatWriter for Rpz<'_> {
    fn kinds(&self, zone: Kinds) -> Kinds {
        zone
    }

    fn detail(&self) -> Detail {
        Detail { hidden_names: true, ..Detail::default() }
    }

    /// What ends in `rpz-ip` and the like is no name there, but says whom or what to block.
    fn holds(&self, key: &ExportKey<'_>, _: bool) -> bool {
        let ExportKey::Name(name, _) = key else { return true };
        let is_trigger = Labels::of(name).last().is_some_and(|last| last.starts_with(b"rpz-"));
        name.len() + ROOM <= MAX_NAME && !is_trigger
    }

    /// All owners are relative: the zone takes the name that the resolver gives it.
    fn head(&mut self, about: &About, out: &mut dyn Write) -> io::Result<()> {
        about.comment(";", out)?;
        let Soa { refresh, retry, expire, minimum, ttl, .. } = self.soa;
        let timers = format!("{refresh} {retry} {expire} {minimum}");
        writeln!(out, "$TTL {ttl}")?;
        writeln!(out, "@ SOA localhost. nobody.invalid. {} {timers}", about.serial)?;
        out.write_all(b"@ NS localhost.\n")
    }

    fn entry(&mut self, entry: &ExportEntry<'_>, out: &mut dyn Write) -> io::Result<()> {
        let action = if entry.is_excluded { "rpz-passthru." } else { "." };
        // No address triggers a prefix of length 0.
        halves(&entry.key).try_for_each(|key| match key {
            ExportKey::Ip4(net) => writeln!(out, "{} CNAME {action}", owner4(net)),
            ExportKey::Ip6(net) => writeln!(out, "{} CNAME {action}", owner6(net)),
            ExportKey::Name(name, scope) => {
                let mut owner = Vec::new();
                if name != [0] {
                    write_master_name(name, &mut owner);
                }
                let mut line = |wildcard: &[u8]| {
                    out.write_all(wildcard)?;
                    out.write_all(&owner)?;
                    writeln!(out, " CNAME {action}")
                };
                let below: &[u8] = if owner.is_empty() { b"*" } else { b"*." };
                if scope != NameScope::Below {
                    line(b"")?;
                }
                if scope != NameScope::Itself {
                    line(below)?;
                }
                Ok(())
            }
        })
    }
}

fn owner4(net: Ipv4Net) -> String {
    let [a, b, c, d] = net.network().octets();
    format!("{}.{d}.{c}.{b}.{a}.rpz-ip", net.prefix_len())
}

/// The words in reverse, the longest run of zeros as `zz`.
fn owner6(net: Ipv6Net) -> String {
    let words = net.network().segments();
    let mut longest = 0..0;
    let mut at = 0;
    while at < words.len() {
        let run = words[at..].iter().take_while(|word| **word == 0).count();
        if run > longest.len() && run > 1 {
            longest = at..at + run;
        }
        at += run.max(1);
    }
    let mut owner = net.prefix_len().to_string();
    for at in (0..words.len()).rev() {
        if at + 1 == longest.end {
            owner.push_str(".zz");
        } else if !longest.contains(&at) {
            owner.push_str(&format!(".{:x}", words[at]));
        }
    }
    owner + ".rpz-ip"
}
