//! `dnsbld doctor`: asks each zone as a mail server does, and says where the chain from the resolver of this
//! machine to the server breaks, and which line to change.

mod ask;
mod mail;
mod resolv_conf;
mod text;
mod way;
mod zone;

pub(crate) use resolv_conf::ResolvConf;

use crate::resolver::{self, Resolver};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use serde::Serialize;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::thread;

/// Whether the server at this address lists a key in a zone; `None` if it does not say.
pub(crate) fn is_listed(server: SocketAddr, key: &str, zone: &str) -> Option<bool> {
    let name = zone::key_name(key, zone);
    let question = ask::Question { name: &name, rtype: RecordType::A, unchecked: false };
    let reply = ask::ask(server, question).ok()?;
    match reply.code {
        ResponseCode::NoError | ResponseCode::NXDomain => Some(!reply.addresses.is_empty()),
        _ => None,
    }
}

/// What is examined.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Where the server listens, as it can be reached from here.
    pub(crate) servers: Vec<SocketAddr>,
    /// The zones.
    pub(crate) zones: Vec<String>,
    /// The resolvers to ask.
    pub(crate) resolvers: Vec<SocketAddr>,
    /// The rights that the server has kept, in words, if it is running.
    pub(crate) rights: Option<String>,
    /// A key whose answers are compared: an address or a name.
    pub(crate) key: Option<String>,
}

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct Diagnosis {
    /// Where the server was asked.
    pub(crate) servers: Vec<SocketAddr>,
    /// The resolvers that were asked.
    pub(crate) resolvers: Vec<Recognised>,
    /// The rights that the server has kept, in words, if it is running.
    pub(crate) rights: Option<String>,
    /// The zones that were asked for.
    pub(crate) zones: Vec<String>,
    /// What is wrong or cannot be told, in the order in which it should be looked at.
    pub(crate) findings: Vec<ChainFinding>,
}

/// A resolver, and which program it is, as far as that can be told.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Recognised {
    /// Where it answers.
    pub(crate) address: SocketAddr,
    /// Its name.
    pub(crate) program: Option<String>,
    #[serde(skip)]
    resolver: Option<Resolver>,
}

/// Something that is wrong, or cannot be told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct ChainFinding {
    /// The zone; `None` if all are concerned.
    pub(crate) zone: Option<String>,
    /// The resolver; `None` if it is not the resolver's fault.
    pub(crate) resolver: Option<SocketAddr>,
    /// What is wrong.
    pub(crate) fault: ChainFault,
    /// What happened, and its consequence.
    pub(crate) text: String,
    /// What to change or to run.
    pub(crate) change: String,
}

/// What can be wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ChainFault {
    /// Nothing answers where the server should be.
    ServerDown,
    /// The server does not serve the zone to this machine.
    NotServed,
    /// Data of the zone is missing or too old.
    NotReady,
    /// The mail server may ask other resolvers than this machine.
    OtherResolvConf,
    /// The resolver does not answer.
    ResolverSilent,
    /// The resolver does not answer this machine.
    ResolverRefuses,
    /// The resolver wants signatures.
    Validation,
    /// The resolver cannot get an answer.
    ResolverFails,
    /// The resolver asks the rest of the DNS.
    NotForwarded,
    /// The resolver asks another server.
    OtherServer,
    /// The resolver takes addresses of 127.0.0.0/8 out of answers.
    Rebinding,
    /// The resolver lists what is not listed.
    Rewritten,
    /// The resolver finds nothing below a name that it asks for first.
    Minimisation,
    /// The resolver remembers what is not listed for too long.
    NegativeTtl,
    /// The resolver remembers an answer that has changed.
    OldAnswer,
    /// The mail server may remember an answer that has changed.
    MailServer,
    /// The server tells too little of itself.
    Unknown,
}

impl ChainFault {
    /// What the exit code tells of it.
    fn conclusion(self) -> Conclusion {
        match self {
            Self::Unknown => Conclusion::Unknown,
            _ => Conclusion::Fault,
        }
    }
}

/// What the exit code tells, the better first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Conclusion {
    /// No fault was found.
    Well,
    /// Something cannot be told.
    Unknown,
    /// A fault was found.
    Fault,
}

/// Examines all. `root` is the root folder of this machine.
pub(crate) fn examine(case: &Case, root: &Path) -> Diagnosis {
    let resolvers: Vec<_> =
        case.resolvers.iter().map(|address| recognise(*address, root)).collect();
    let mut findings = Vec::new();
    match case.server() {
        Err(finding) => findings.push(finding),
        Ok(()) => {
            // Who waits for one zone does not wait for the others.
            let of_zone = |zone: &String| case.zone(zone, &resolvers);
            findings = thread::scope(|scope| {
                let tasks: Vec<_> =
                    case.zones.iter().map(|zone| scope.spawn(move || of_zone(zone))).collect();
                tasks.into_iter().flat_map(|task| task.join().unwrap_or_default()).collect()
            });
            findings.extend(resolv_conf::of_postfix(root));
            let changed = findings.iter().all(|finding| finding.fault != ChainFault::OldAnswer);
            if changed && case.key.is_some() {
                let ages = case.zones.iter().filter_map(|zone| case.age(zone));
                findings.extend(ages.min().and_then(|age| mail::older_than(age, root)));
            }
        }
    }
    findings.sort_by_key(|finding| finding.fault);
    Diagnosis {
        servers: case.servers.clone(),
        resolvers,
        rights: case.rights.clone(),
        zones: case.zones.clone(),
        findings,
    }
}

/// Which program answers there: as it says itself, or as this machine tells if it runs here.
fn recognise(address: SocketAddr, root: &Path) -> Recognised {
    let version = ask::version(address);
    let named = version.as_deref().and_then(Resolver::by_version);
    let is_here = is_local(address.ip());
    let found = named
        .or_else(|| resolver::by_address(address.ip()))
        .or_else(|| is_here.then(|| resolver::by_processes(&root.join("proc"))).flatten())
        .or_else(|| is_here.then(|| resolver::by_files(root)).flatten());
    let program = match (named, version) {
        (Some(Resolver::Bind), Some(version)) => Some(format!("BIND {version}")),
        (Some(_), Some(version)) => Some(version),
        _ => found.map(|resolver| resolver.to_string()),
    };
    Recognised { address, program, resolver: found }
}

/// Whether this address can only be one of this machine.
fn is_local(address: IpAddr) -> bool {
    address.is_loopback() || std::net::UdpSocket::bind((address, 0)).is_ok()
}

impl Diagnosis {
    /// The worst of the findings.
    pub(crate) fn conclusion(&self) -> Conclusion {
        let conclusions = self.findings.iter().map(|finding| finding.fault.conclusion());
        conclusions.max().unwrap_or(Conclusion::Well)
    }
}
