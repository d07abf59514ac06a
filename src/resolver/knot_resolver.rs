//! Knot Resolver 5 (its documentation of the modules policy and rebinding).

use super::{Facts, Need, joined};
use std::net::SocketAddr;

pub(super) const FACTS: Facts = Facts {
    name: "Knot Resolver",
    version: "knot resolver",
    process: "kresd",
    files: &["/etc/knot-resolver/kresd.conf"],
    place: "/etc/knot-resolver/kresd.conf",
    restart: "systemctl restart 'kresd@*.service'",
};

pub(super) fn snippet(zones: &[&str], servers: &[SocketAddr]) -> String {
    let quoted = |zone| format!("'{zone}'");
    let lines = joined(zones, ",\n    ", quoted);
    let servers = joined(servers, ", ", |server| format!("'{}@{}'", server.ip(), server.port()));
    format!(
        "modules.load('policy')\n\
         local dnsbld = {{\n    {lines},\n}}\n\
         -- Local copies of lists are not signed.\n\
         trust_anchors.set_insecure(dnsbld)\n\
         dnsbld = policy.todnames(dnsbld)\n\
         -- With the module rebinding: lists answer with addresses of 127.0.0.0/8.\n\
         policy.add(policy.suffix(policy.FLAGS({{'ALLOW_LOCAL'}}), dnsbld))\n\
         policy.add(policy.suffix(policy.STUB({{{servers}}}), dnsbld))\n"
    )
}

pub(super) fn line(zone: &str, need: Need<'_>) -> String {
    let flags = |flag: &str| {
        format!(
            "policy.add(policy.suffix(policy.FLAGS({{'{flag}'}}), policy.todnames({{'{zone}'}})))\n"
        )
    };
    match need {
        Need::Forward(servers) => snippet(&[zone], servers),
        Need::NoValidation => format!("trust_anchors.set_insecure({{'{zone}'}})\n"),
        // A policy that ends the search must stand behind it.
        Need::Loopback => flags("ALLOW_LOCAL"),
        Need::NoRewriting => {
            format!("remove the policy.ANSWER or policy.rpz rules that match names below {zone}\n")
        }
        Need::NegativeTtl => "cache.min_ttl(0)\n".into(),
        Need::WholeNames => flags("NO_MINIMIZE"),
        Need::Flush => format!(
            "for socket in /run/knot-resolver/control/*; do \
             echo \"cache.clear('{zone}')\" | socat - UNIX-CONNECT:$socket; done\n"
        ),
    }
}
