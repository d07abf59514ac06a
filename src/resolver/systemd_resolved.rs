//! systemd-resolved (resolved.conf(5)).

use super::{Facts, Need, joined};
use std::net::SocketAddr;

pub(super) const FACTS: Facts = Facts {
    name: "systemd-resolved",
    // It tells no version.
    version: "systemd",
    process: "systemd-resolve",
    files: &["/run/systemd/resolve/stub-resolv.conf"],
    place: "/etc/systemd/resolved.conf.d/dnsbld.conf",
    restart: "systemctl restart systemd-resolved",
};

pub(super) fn snippet(zones: &[&str], servers: &[SocketAddr]) -> String {
    // Several servers replace each other, and it stays with the second after the first did not answer.
    let servers = joined(servers, " ", |server| server.to_string());
    let zones = joined(zones, " ", |zone| format!("~{zone}"));
    format!(
        "[Resolve]\n\
         DNS={servers}\n\
         Domains={zones}\n\
         # Local copies of lists are not signed.\n\
         DNSSEC=no\n"
    )
}

pub(super) fn line(zone: &str, need: Need<'_>) -> String {
    match need {
        Need::Forward(servers) => snippet(&[zone], servers),
        Need::NoValidation => "[Resolve]\nDNSSEC=no\n".into(),
        Need::Loopback | Need::NoRewriting | Need::WholeNames => format!(
            "systemd-resolved changes no answers: look at the servers that `resolvectl query {zone}` asks\n"
        ),
        Need::NegativeTtl => "[Resolve]\nCache=no-negative\n".into(),
        Need::Flush => "resolvectl flush-caches\n".into(),
    }
}
