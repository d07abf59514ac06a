//! BIND 9 (the Administrator Reference Manual).

use super::{Facts, Need, joined};
use std::net::SocketAddr;

pub(super) const FACTS: Facts = Facts {
    name: "BIND",
    // Its answer is a number alone.
    version: "9.",
    process: "named",
    files: &["/etc/bind/named.conf", "/etc/named.conf"],
    place: "/etc/bind/named.conf.local",
    restart: "named-checkconf && systemctl reload named",
};

pub(super) fn snippet(zones: &[&str], servers: &[SocketAddr]) -> String {
    let names = joined(zones, " ", |zone| format!("\"{zone}\";"));
    format!(
        "// Add to the options in named.conf.options: local copies of lists are not signed, and answer with\n\
         // addresses of 127.0.0.0/8, which deny-answer-addresses may hold (then with except-from {{ {names} }}).\n\
         //   validate-except {{ {names} }};\n{}",
        joined(zones, "", |zone| forward(zone, servers)),
    )
}

fn forward(zone: &str, servers: &[SocketAddr]) -> String {
    let servers = joined(servers, " ", |server| format!("{} port {};", server.ip(), server.port()));
    format!(
        "zone \"{zone}\" {{\n    type forward;\n    forward only;\n    forwarders {{ {servers} }};\n}};\n"
    )
}

pub(super) fn line(zone: &str, need: Need<'_>) -> String {
    match need {
        Need::Forward(servers) => forward(zone, servers),
        Need::NoValidation => format!("options {{ validate-except {{ \"{zone}\"; }}; }};\n"),
        Need::Loopback => format!(
            "options {{ deny-answer-addresses {{ 127.0.0.0/8; }} except-from {{ \"{zone}\"; }}; }};\n"
        ),
        Need::NoRewriting => format!(
            "remove the zone \".\" of type redirect, nxdomain-redirect, or the response-policy that matches \
             names below {zone}\n"
        ),
        Need::NegativeTtl => "options { min-ncache-ttl 0; };\n".into(),
        Need::WholeNames => "options { qname-minimization off; };\n".into(),
        Need::Flush => format!("rndc flushtree {zone}\n"),
    }
}
