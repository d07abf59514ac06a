//! One zone: first the server, then the way to it through each resolver.

use super::ask::{Question, Reply, ask, nonce};
use super::{Case, ChainFault, ChainFinding, Recognised};
use crate::zone::DOCTOR_PREFIX;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// What the server itself says of a zone: what has to arrive.
pub(super) struct Direct {
    /// The process that answers; `None` if it does not tell.
    pub(super) instance: Option<String>,
    /// The content of the zone (`id=` of `_health.ZONE`).
    pub(super) content: Option<String>,
    /// How long what is not listed may be remembered, in seconds.
    pub(super) negative_ttl: Option<u32>,
    /// A name that is not listed.
    pub(super) unlisted: Option<String>,
    /// The test entry (RFC 5782 section 5), with the labels that are steps to it.
    pub(super) test_entry: Option<String>,
}

impl Case {
    /// Whether anything answers where the server should be.
    pub(super) fn server(&self) -> Result<(), ChainFinding> {
        let Some(address) = self.servers.first() else {
            return Err(self.down("it listens nowhere yet".into()));
        };
        let zone = self.zones.first().map_or("", String::as_str);
        match self.direct(zone, RecordType::SOA) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.down(format!("{address}: {error}"))),
        }
    }

    fn down(&self, why: String) -> ChainFinding {
        ChainFinding {
            zone: None,
            resolver: None,
            fault: ChainFault::ServerDown,
            text: format!("the server does not answer ({why}); nothing is listed for mail servers"),
            change: "systemctl start dnsbld\n".into(),
        }
    }

    /// Asks the server.
    pub(super) fn direct(&self, name: &str, rtype: RecordType) -> io::Result<Reply> {
        let address = self.servers.first().copied();
        let address = address.ok_or_else(|| io::Error::other("no address is known"))?;
        ask(address, Question { name, rtype, unchecked: false })
    }

    /// How many seconds ago the data of a zone changed, as the server says.
    pub(super) fn age(&self, zone: &str) -> Option<u64> {
        let health = self.direct(&format!("_health.{zone}"), RecordType::TXT).ok()?;
        health.value("age")?.parse().ok()
    }

    /// A name that only this server can have an answer for, which tells its process.
    pub(super) fn doctor_name(&self, zone: &str) -> String {
        format!("{DOCTOR_PREFIX}{}.{zone}", nonce())
    }

    /// Examines a zone.
    pub(super) fn zone(&self, zone: &str, resolvers: &[Recognised]) -> Vec<ChainFinding> {
        let finding = |fault, text: String, change: String| ChainFinding {
            zone: Some(zone.into()),
            resolver: None,
            fault,
            text,
            change,
        };
        let doctor = match self.direct(&self.doctor_name(zone), RecordType::TXT) {
            Ok(reply) => reply,
            Err(error) => return vec![self.down(error.to_string())],
        };
        if doctor.code == ResponseCode::Refused {
            return vec![finding(
                ChainFault::NotServed,
                "the server refuses: it does not have the zone, or an access list shuts this machine out".into(),
                "dnsbld reload    # if the zone is new in the configuration; `dnsbld status` shows the zones\n"
                    .into(),
            )];
        }
        let mut findings = Vec::new();
        let direct = self.said_by_server(zone, &doctor);
        let health = self.direct(&format!("_health.{zone}"), RecordType::TXT).ok();
        if let Some(health) = health
            && let Some(state) = health.value("state")
            && self
                .direct(&format!("_ready.{zone}"), RecordType::A)
                .is_ok_and(|reply| reply.code == ResponseCode::NXDomain)
        {
            let reason =
                health.value("reason").map(|reason| format!(": {reason}")).unwrap_or_default();
            findings.push(finding(
                ChainFault::NotReady,
                format!(
                    "the zone is not ready ({state}{reason}); it does not list all that it should"
                ),
                format!("dnsbld status {zone}\n"),
            ));
        }
        if direct.instance.is_none() {
            findings.push(finding(
                ChainFault::Unknown,
                "the server does not tell which process answers; whether a resolver reaches it cannot be told"
                    .into(),
                "remove health = false from the zone; or the server is an older dnsbld, or runs under rbldnsd's name\n".into(),
            ));
        }
        for resolver in resolvers {
            findings.extend(self.way(zone, &direct, resolver));
        }
        findings
    }

    fn said_by_server(&self, zone: &str, doctor: &Reply) -> Direct {
        let health = self.direct(&format!("_health.{zone}"), RecordType::TXT).ok();
        let unlisted = format!("unlisted-{}.{zone}", nonce());
        let negative = self.direct(&unlisted, RecordType::A).ok();
        let negative = negative.filter(|reply| reply.code == ResponseCode::NXDomain);
        let entries = [
            "2.0.0.127",
            "test",
            "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0",
        ];
        let entries = entries.map(|entry| format!("{entry}.{zone}"));
        let is_listed = |name: &&String| {
            let reply = self.direct(name, RecordType::A);
            reply.is_ok_and(|reply| !reply.addresses.is_empty())
        };
        Direct {
            instance: doctor.value("instance").map(str::to_owned),
            content: health.and_then(|health| health.value("id").map(str::to_owned)),
            negative_ttl: negative.as_ref().and_then(|reply| Some(reply.soa.as_ref()?.ttl)),
            unlisted: negative.map(|_| unlisted),
            test_entry: entries.iter().find(is_listed).cloned(),
        }
    }
}

/// The name below the zone that asks for a key: an address (RFC 5782 section 2.1), or a name as it is.
pub(super) fn key_name(key: &str, zone: &str) -> String {
    match key.parse() {
        Ok(IpAddr::V4(address)) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.{zone}")
        }
        Ok(IpAddr::V6(address)) => {
            let nibbles =
                address.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}.")).collect::<String>() + zone
        }
        Err(_) => format!("{}.{zone}", key.trim_end_matches('.')),
    }
}

/// A server as text, for people.
pub(super) fn shown(servers: &[SocketAddr]) -> String {
    servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
