//! unbound (unbound.conf(5)).

use super::{Facts, Need, joined};
use std::net::SocketAddr;

pub(super) const FACTS: Facts = Facts {
    name: "unbound",
    version: "unbound",
    process: "unbound",
    files: &["/etc/unbound/unbound.conf"],
    place: "/etc/unbound/unbound.conf.d/dnsbld.conf",
    restart: "unbound-checkconf && systemctl restart unbound",
};

/// Top level domains that unbound answers for itself.
const OWN: [&str; 3] = ["test", "invalid", "onion"];

pub(super) fn snippet(zones: &[&str], servers: &[SocketAddr]) -> String {
    let each = |key: &str| joined(zones, "", |zone| format!("    {key}: \"{zone}\"\n"));
    let own: Vec<_> = zones.iter().copied().filter(|zone| is_own(zone)).collect();
    let own = joined(&own, "", |zone| format!("    local-zone: \"{zone}\" transparent\n"));
    let stubs = joined(zones, "", |zone| stub(zone, servers));
    format!(
        "server:\n    \
         # Otherwise unbound never asks a server on a loopback address.\n    \
         do-not-query-localhost: no\n    \
         # Local copies of lists are not signed.\n{}    \
         # Where private-address has 127.0.0.0/8: lists answer with such addresses.\n{}{own}{stubs}",
        each("domain-insecure"),
        each("private-domain"),
    )
}

fn is_own(zone: &str) -> bool {
    zone.rsplit('.').next().is_some_and(|top| OWN.contains(&top))
}

fn stub(zone: &str, servers: &[SocketAddr]) -> String {
    let servers =
        joined(servers, "", |server| format!("    stub-addr: {}@{}\n", server.ip(), server.port()));
    format!("stub-zone:\n    name: \"{zone}\"\n{servers}")
}

pub(super) fn line(zone: &str, need: Need<'_>) -> String {
    match need {
        Need::Forward(servers) => snippet(&[zone], servers),
        Need::NoValidation => format!("server:\n    domain-insecure: \"{zone}\"\n"),
        Need::Loopback => format!("server:\n    private-domain: \"{zone}\"\n"),
        Need::NoRewriting => {
            format!(
                "remove the local-zone, local-data or rpz lines that match names below {zone}\n"
            )
        }
        Need::NegativeTtl => "server:\n    cache-min-ttl: 0\n".into(),
        Need::WholeNames => "server:\n    qname-minimisation: no\n".into(),
        Need::Flush => format!("unbound-control flush_zone {zone}\n"),
    }
}
