//! PowerDNS Recursor (its settings, and Lua configuration).

use super::{Facts, Need, joined};
use std::net::SocketAddr;

pub(super) const FACTS: Facts = Facts {
    name: "PowerDNS Recursor",
    version: "powerdns recursor",
    process: "pdns_recursor",
    files: &["/etc/powerdns/recursor.conf"],
    place: "/etc/powerdns/recursor.d/dnsbld.conf",
    restart: "systemctl restart pdns-recursor",
};

pub(super) fn snippet(zones: &[&str], servers: &[SocketAddr]) -> String {
    format!(
        "forward-zones={}\n\
         # A restart of dnsbld is not remembered: otherwise names that are asked meanwhile fail for a minute.\n\
         dont-throttle-netmasks=127.0.0.0/8, ::1/128\n\
         packetcache-servfail-ttl=1\n\
         # If it validates: local copies of lists are not signed. In the file that lua-config-file names:\n{}",
        joined(zones, ", ", |zone| forward(zone, servers)),
        joined(zones, "", |zone| format!("#   {}", unsigned(zone))),
    )
}

fn forward(zone: &str, servers: &[SocketAddr]) -> String {
    format!("{zone}={}", joined(servers, ";", |server| server.to_string()))
}

fn unsigned(zone: &str) -> String {
    format!("addNTA(\"{zone}\", \"a local list\")\n")
}

pub(super) fn line(zone: &str, need: Need<'_>) -> String {
    match need {
        Need::Forward(servers) => snippet(&[zone], servers),
        Need::NoValidation => format!("in the file that lua-config-file names: {}", unsigned(zone)),
        Need::Loopback => format!(
            "let the preresolve, postresolve or ipfilter function of lua-dns-script return false below {zone}\n"
        ),
        Need::NoRewriting => format!(
            "let the nxdomain function of lua-dns-script return false below {zone}, or take the zone out of \
             the rpzFile and rpzPrimary policies\n"
        ),
        Need::NegativeTtl => "minimum-ttl-override=1\n".into(),
        Need::WholeNames => "qname-minimization=no\n".into(),
        Need::Flush => format!("rec_control wipe-cache '{zone}$'\n"),
    }
}
