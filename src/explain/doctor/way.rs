//! The way from a resolver to the server: whether it leads there, and what becomes of the answers.

use super::ask::{Question, Reply, ask, nonce};
use super::zone::{Direct, key_name, shown};
use super::{Case, ChainFault, ChainFinding, Recognised};
use crate::resolver::{Need, Resolver};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use std::io;

/// One zone as one resolver answers for it.
struct Way<'a> {
    case: &'a Case,
    zone: &'a str,
    direct: &'a Direct,
    resolver: &'a Recognised,
}

impl Case {
    /// What is wrong with the answers of a resolver.
    pub(super) fn way(
        &self,
        zone: &str,
        direct: &Direct,
        resolver: &Recognised,
    ) -> Vec<ChainFinding> {
        let way = Way { case: self, zone, direct, resolver };
        // What comes of a way that does not lead to the server is another server's.
        match way.leads_elsewhere() {
            Some(finding) => vec![finding],
            None => [
                way.strips_addresses(),
                way.rewrites(),
                way.remembers_too_long(),
                way.stops_above_the_name(),
                way.holds_an_old_answer(),
            ]
            .into_iter()
            .flatten()
            .collect(),
        }
    }
}

impl Way<'_> {
    fn ask(&self, name: &str, rtype: RecordType) -> io::Result<Reply> {
        self.put(Question { name, rtype, unchecked: false })
    }

    fn put(&self, question: Question<'_>) -> io::Result<Reply> {
        ask(self.resolver.address, question)
    }

    fn finding(&self, fault: ChainFault, text: String, need: Need<'_>) -> ChainFinding {
        let change = match self.resolver.resolver {
            Some(resolver) => self.change(resolver, need),
            // The words of the best known one say what is meant.
            None => format!("as in unbound:\n{}", Resolver::Unbound.line(self.zone, need)),
        };
        ChainFinding {
            zone: Some(self.zone.into()),
            resolver: Some(self.resolver.address),
            fault,
            text,
            change,
        }
    }

    fn change(&self, resolver: Resolver, need: Need<'_>) -> String {
        let line = resolver.line(self.zone, need);
        match need {
            Need::Flush => line,
            _ => format!("{line}# in {}, then: {}\n", resolver.place(), resolver.restart()),
        }
    }

    fn forward(&self) -> Need<'_> {
        Need::Forward(&self.case.servers)
    }

    /// Whether a question gets to another place than the server, or nowhere.
    fn leads_elsewhere(&self) -> Option<ChainFinding> {
        let name = self.case.doctor_name(self.zone);
        let reply = match self.ask(&name, RecordType::TXT) {
            Ok(reply) => reply,
            Err(error) => return Some(self.is_silent(&error)),
        };
        match (reply.value("instance"), &self.direct.instance) {
            _ if reply.code != ResponseCode::NoError => Some(self.has_no_way(&reply)),
            (Some(there), Some(here)) if there == here => None,
            (Some(there), Some(_)) => self.is_another(there),
            // The server does not tell its process: what is known of the way are its answers alone.
            (_, None) => None,
            _ => Some(self.has_no_way(&reply)),
        }
    }

    fn is_silent(&self, error: &io::Error) -> ChainFinding {
        let address = self.resolver.address;
        // If it answers anything, it is the zone that it waits for.
        let question = Question { name: "localhost", rtype: RecordType::A, unchecked: false };
        if error.kind() == io::ErrorKind::TimedOut && self.put(question).is_ok() {
            let servers = shown(&self.case.servers);
            let text = format!(
                "the resolver has no answer in time: it does not reach a server of the zone; the server is \
                 at {servers}"
            );
            return self.finding(ChainFault::ResolverFails, text, self.forward());
        }
        let restart = self.resolver.resolver.map(Resolver::restart);
        ChainFinding {
            zone: None,
            change: match restart {
                Some(restart) => format!("{restart}\n"),
                None => "start the resolver, or name another in /etc/resolv.conf\n".into(),
            },
            ..self.finding(
                ChainFault::ResolverSilent,
                format!(
                    "no resolver answers at {address} ({error}); mail servers of this machine cannot look \
                     anything up there"
                ),
                self.forward(),
            )
        }
    }

    /// Another dnsbld is as good if it serves the same.
    fn is_another(&self, there: &str) -> Option<ChainFinding> {
        let health = self.ask(&format!("_health.{}", self.zone), RecordType::TXT).ok();
        let content = health.as_ref().and_then(|health| health.value("id"));
        (content.is_none() || content != self.direct.content.as_deref()).then(|| {
            self.finding(
                ChainFault::OtherServer,
                format!(
                    "another dnsbld with other data answers (process {there}, not {}); a change here does \
                     not reach mail servers",
                    self.direct.instance.as_deref().unwrap_or("-")
                ),
                self.forward(),
            )
        })
    }

    fn has_no_way(&self, reply: &Reply) -> ChainFinding {
        // The failure for the other name may be remembered.
        let fresh = self.case.doctor_name(self.zone);
        let unchecked = Question { name: &fresh, rtype: RecordType::TXT, unchecked: true };
        // systemd-resolved shows what it does not believe.
        let is_ours = |reply: &Reply| {
            self.direct.instance.is_some()
                && reply.value("instance") == self.direct.instance.as_deref()
        };
        let is_validation =
            || is_ours(reply) || self.put(unchecked).is_ok_and(|reply| is_ours(&reply));
        let zone = self.zone;
        match reply.code {
            ResponseCode::ServFail if is_validation() => self.finding(
                ChainFault::Validation,
                "the resolver wants signatures, which a local zone has not, and answers SERVFAIL; mail \
                 servers see nothing as listed"
                    .into(),
                Need::NoValidation,
            ),
            ResponseCode::ServFail => self.finding(
                ChainFault::ResolverFails,
                format!(
                    "the resolver answers SERVFAIL: it has no way to the zone, or does not reach the server \
                     at {}; mail servers see nothing as listed",
                    shown(&self.case.servers)
                ),
                self.forward(),
            ),
            ResponseCode::Refused => self.finding(
                ChainFault::ResolverRefuses,
                "the resolver refuses: it does not answer this machine, or hands the question to a server \
                 without the zone; mail servers see nothing as listed"
                    .into(),
                self.forward(),
            ),
            _ => {
                let by = match &reply.soa {
                    Some(soa) if soa.zone.is_empty() => "the root of the DNS answered".to_owned(),
                    Some(soa) if soa.zone == zone => format!("another server of {zone} answered"),
                    Some(soa) => format!("{} answered", soa.zone),
                    None => "another server answered".to_owned(),
                };
                let (fault, how) = match &reply.soa {
                    Some(soa) if soa.zone == zone => (ChainFault::OtherServer, "does not reach this server"),
                    _ => (ChainFault::NotForwarded, "does not forward the zone"),
                };
                let listed = match reply.addresses.is_empty() && reply.strings.is_empty() {
                    true => "",
                    false => ", and lists what nobody lists (NXDOMAIN is rewritten)",
                };
                self.finding(
                    fault,
                    format!("the resolver {how}: {by}{listed}; mail servers do not see the lists of this server"),
                    self.forward(),
                )
            }
        }
    }

    fn strips_addresses(&self) -> Option<ChainFinding> {
        self.direct.instance.as_ref()?;
        let reply = self.ask(&self.case.doctor_name(self.zone), RecordType::A).ok()?;
        reply.addresses.is_empty().then(|| {
            self.finding(
                ChainFault::Rebinding,
                format!(
                    "protection against DNS rebinding strips 127.0.0.0/8: the answer 127.0.0.2 arrives as {}; \
                     mail servers see nothing as listed",
                    words(&reply)
                ),
                Need::Loopback,
            )
        })
    }

    fn rewrites(&self) -> Option<ChainFinding> {
        let reply = self.ask(self.direct.unlisted.as_ref()?, RecordType::A).ok()?;
        (!reply.addresses.is_empty()).then(|| {
            self.finding(
                ChainFault::Rewritten,
                format!(
                    "NXDOMAIN is rewritten: what is not listed arrives as {}; a mail server that does not \
                     look at the value refuses all mail",
                    words(&reply)
                ),
                Need::NoRewriting,
            )
        })
    }

    fn remembers_too_long(&self) -> Option<ChainFinding> {
        let ttl = self.direct.negative_ttl?;
        let name = format!("unlisted-{}.{}", nonce(), self.zone);
        let reply = self.ask(&name, RecordType::A).ok()?;
        let remembered = reply.soa?.ttl;
        (remembered > ttl).then(|| {
            self.finding(
                ChainFault::NegativeTtl,
                format!(
                    "what is not listed is remembered for {remembered} s, and the SOA record allows {ttl} s; \
                     a new entry takes effect that much later"
                ),
                Need::NegativeTtl,
            )
        })
    }

    /// Whether it takes a step to the test entry for a name that does not exist, and what is below for
    /// missing (RFC 8020).
    fn stops_above_the_name(&self) -> Option<ChainFinding> {
        let name = self.direct.test_entry.as_ref()?;
        let reply = self.ask(name, RecordType::A).ok()?;
        if reply.code != ResponseCode::NXDomain {
            return None;
        }
        let mut steps = name.trim_end_matches(self.zone).trim_end_matches('.').match_indices('.');
        let step = steps.find_map(|(dot, _)| {
            let step = &name[dot + 1..];
            let is_missing = self.ask(step, RecordType::A).ok()?.code == ResponseCode::NXDomain;
            let exists = self.case.direct(step, RecordType::A).ok()?.code == ResponseCode::NoError;
            (is_missing && exists).then_some(step)
        });
        Some(match step {
            Some(step) => self.finding(
                ChainFault::Minimisation,
                format!(
                    "the resolver says that {step} does not exist, so that it finds nothing below it \
                     (query-name minimisation); the server says that it exists"
                ),
                Need::WholeNames,
            ),
            None => self.old(name, &reply, "it is listed"),
        })
    }

    fn holds_an_old_answer(&self) -> Option<ChainFinding> {
        let name = key_name(self.case.key.as_ref()?, self.zone);
        let now = self.case.direct(&name, RecordType::A).ok()?;
        let reply = self.ask(&name, RecordType::A).ok()?;
        (now.addresses != reply.addresses).then(|| self.old(&name, &reply, &words(&now)))
    }

    fn old(&self, name: &str, reply: &Reply, now: &str) -> ChainFinding {
        let left = match &reply.soa {
            Some(soa) if reply.addresses.is_empty() => soa.ttl,
            _ => reply.ttl,
        };
        self.finding(
            ChainFault::OldAnswer,
            format!(
                "the resolver holds an old answer for {name}: {}, for {left} s more; the server says: {now}",
                words(reply)
            ),
            Need::Flush,
        )
    }
}

/// An answer in a few words.
fn words(reply: &Reply) -> String {
    match (&reply.addresses[..], reply.code) {
        ([], ResponseCode::NoError) => "no data".into(),
        ([], ResponseCode::NXDomain) => "NXDOMAIN".into(),
        ([], code) => code.to_str().to_uppercase(),
        (addresses, _) => addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
    }
}
