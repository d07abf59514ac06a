//! dnsmasq (dnsmasq(8)).

use super::{Facts, Need, joined};
use std::net::SocketAddr;

pub(super) const FACTS: Facts = Facts {
    name: "dnsmasq",
    version: "dnsmasq",
    process: "dnsmasq",
    files: &["/etc/dnsmasq.conf"],
    place: "/etc/dnsmasq.d/dnsbld.conf",
    restart: "dnsmasq --test && systemctl restart dnsmasq",
};

pub(super) fn snippet(zones: &[&str], servers: &[SocketAddr]) -> String {
    format!(
        "{}# With stop-dns-rebind: lists answer with addresses of 127.0.0.0/8.\n{}",
        joined(zones, "", |zone| forward(zone, servers)),
        joined(zones, "", may_rebind),
    )
}

fn forward(zone: &str, servers: &[SocketAddr]) -> String {
    joined(servers, "", |server| format!("server=/{zone}/{}#{}\n", server.ip(), server.port()))
}

fn may_rebind(zone: &str) -> String {
    format!("rebind-domain-ok=/{zone}/\n")
}

pub(super) fn line(zone: &str, need: Need<'_>) -> String {
    match need {
        Need::Forward(servers) => forward(zone, servers) + &may_rebind(zone),
        Need::NoValidation => format!(
            "remove the dnssec-check-unsigned line, or the trust-anchor lines at and above {zone}\n"
        ),
        Need::Loopback => may_rebind(zone),
        Need::NoRewriting => format!("remove the address= lines that match names below {zone}\n"),
        Need::NegativeTtl => "min-cache-ttl=0\n".into(),
        Need::WholeNames => {
            format!("dnsmasq asks for whole names: look at the servers of {zone} that it asks\n")
        }
        Need::Flush => "systemctl kill -s HUP dnsmasq\n".into(),
    }
}
