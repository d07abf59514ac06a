//! A diagnosis as text and as JSON.

use super::resolv_conf::PORT;
use super::{ChainFinding, Conclusion, Diagnosis};
use crate::util::text::counted;
use std::fmt::Write as _;
use std::net::SocketAddr;

impl Diagnosis {
    /// For people: what was asked, then each finding with the line to change.
    pub(crate) fn to_text(&self) -> String {
        let mut out = String::new();
        let servers: Vec<_> = self.servers.iter().map(ToString::to_string).collect();
        line(&mut out, format_args!("server    {}", servers.join(", ")));
        if let Some(rights) = &self.rights {
            line(&mut out, format_args!("process   {rights}"));
        }
        for resolver in &self.resolvers {
            let program = resolver.program.as_deref().unwrap_or("unknown program");
            line(&mut out, format_args!("resolver  {} ({program})", shown(resolver.address)));
        }
        for zone in &self.zones {
            let is_bad =
                |finding: &&ChainFinding| finding.zone.as_ref().is_none_or(|name| name == zone);
            let word = if self.findings.iter().any(|finding| is_bad(&finding)) {
                "see below"
            } else {
                "ok"
            };
            line(&mut out, format_args!("zone      {zone}: {word}"));
        }
        for finding in &self.findings {
            out.push('\n');
            finding.write(&mut out);
        }
        out.push('\n');
        line(&mut out, format_args!("{}", self.sum()));
        out
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> String {
        // All of it are texts and lists.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    fn sum(&self) -> String {
        let zones = counted(self.zones.len() as u64, "zone", "zones");
        let resolvers = counted(self.resolvers.len() as u64, "resolver", "resolvers");
        match self.conclusion() {
            Conclusion::Well => {
                format!(
                    "no fault found: {zones} through {resolvers}, every answer came from this server"
                )
            }
            _ => counted(self.findings.len() as u64, "finding", "findings"),
        }
    }
}

impl ChainFinding {
    fn write(&self, out: &mut String) {
        let zone = self.zone.as_deref().map(|zone| format!("{zone}: ")).unwrap_or_default();
        let at = self.resolver.map(|at| format!(" (resolver {})", shown(at)));
        let at = at.unwrap_or_default();
        line(out, format_args!("{zone}{}{at}", self.text));
        for change in self.change.lines() {
            line(out, format_args!("    {change}"));
        }
    }
}

/// The address of a resolver, with its port if that is not the usual one.
fn shown(resolver: SocketAddr) -> String {
    if resolver.port() == PORT { resolver.ip().to_string() } else { resolver.to_string() }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}
