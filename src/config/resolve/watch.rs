//! The table `[watch]`.

use super::super::error::Problem;
use super::super::settings::{WatchEntry, WatchSubject};
use super::super::value;
use super::Resolver;
use ipnet::IpNet;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use toml::Spanned;

/// The most networks and domains that are watched.
const MAX_WATCHED: usize = 1000;

/// The longest name for people, in bytes.
const MAX_LABEL: usize = 100;

impl Resolver<'_> {
    /// What is watched, in the order of the file.
    pub(super) fn watch(
        &mut self,
        spec: &HashMap<Spanned<String>, Spanned<String>>,
    ) -> Vec<WatchEntry> {
        let mut typed: Vec<_> = spec.iter().collect();
        typed.sort_by_key(|(subject, _)| subject.span().start);
        if let Some((beyond, _)) = typed.get(MAX_WATCHED) {
            let message = format!("there are {} networks and domains", typed.len());
            let help = format!("name at most {MAX_WATCHED}: wider prefixes, domains higher up");
            self.error("watch", beyond.span(), Problem::new(message, help));
        }
        let mut watched: Vec<WatchEntry> = Vec::new();
        for (subject, label) in typed {
            let Some(read) = self.value("watch", subject, watch_subject) else { continue };
            if watched.iter().any(|other| other.subject == read) {
                let problem = Problem::new(format!("{read} is there twice"), "name it once");
                self.error("watch", subject.span(), problem);
                continue;
            }
            if let Some(label) = self.value(&format!("watch.{read}"), label, watch_label) {
                watched.push(WatchEntry { subject: read, label });
            }
        }
        watched
    }
}

/// Reads an address, a prefix or a domain name.
fn watch_subject(text: &str) -> Result<WatchSubject, Problem> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(WatchSubject::Prefix(address.to_canonical().into()));
    }
    match text.parse::<IpNet>() {
        Ok(prefix) => prefix_of(text, prefix.trunc()),
        Err(_) if text.contains('/') => {
            let message = format!("{text:?} is not a prefix");
            Err(Problem::new(message, "write it like \"192.0.2.0/24\" or \"2001:db8::/32\""))
        }
        Err(_) => value::domain(text).map(|name| WatchSubject::Domain(Box::new(name))),
    }
}

fn prefix_of(text: &str, prefix: IpNet) -> Result<WatchSubject, Problem> {
    let is_mapped = |address: Ipv6Addr| address.to_ipv4_mapped().is_some();
    match prefix {
        IpNet::V6(net) if net.prefix_len() >= 96 && is_mapped(net.addr()) => Err(Problem::new(
            format!("{text:?} has IPv4 addresses in the form of IPv6"),
            "write them as IPv4 addresses",
        )),
        prefix => Ok(WatchSubject::Prefix(prefix)),
    }
}

/// Reads what people call it.
fn watch_label(text: &str) -> Result<String, Problem> {
    match text {
        "" => Err(Problem::new("the name is empty", "say what it is, such as \"our mail\"")),
        text if text.len() > MAX_LABEL || text.chars().any(char::is_control) => {
            let help = format!("write at most {MAX_LABEL} bytes without control characters");
            Err(Problem::new("the name cannot be shown in one line", help))
        }
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::read;
    use std::path::Path;

    const ZONE: &str = "[[dataset]]\nname = 'a'\ntype = 'ip4set'\nfiles = ['a']\n\
                        [[zone]]\nname = 'a.example'\ndatasets = ['a']\n";

    #[test]
    fn networks_and_domains_are_read_in_their_order() {
        let text = "[watch]\n'203.0.113.0/24' = 'our mail'\n\"Example.ORG\" = 'our domain'\n\
                    '2001:db8::1' = 'a host'\n'::ffff:192.0.2.1' = 'another'\n192 = 'a label'\n";
        let watch = read(&format!("{ZONE}{text}"), Path::new("/")).unwrap().settings.watch;
        let shown: Vec<_> =
            watch.iter().map(|entry| format!("{} {}", entry.subject, entry.label)).collect();
        assert_eq!(
            shown,
            [
                "203.0.113.0/24 our mail",
                "example.org our domain",
                "2001:db8::1 a host",
                "192.0.2.1 another",
                "192 a label"
            ]
        );
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (line, place, message) in [
            ("'192.0.2.0/33' = 'x'", (9, 1), "watch: \"192.0.2.0/33\" is not a prefix"),
            ("'::ffff:192.0.2.0/120' = 'x'", (9, 1), "has IPv4 addresses in the form of IPv6"),
            ("'a..example' = 'x'", (9, 1), "it has an empty label"),
            ("'192.0.2.1' = ''", (9, 15), "watch.192.0.2.1: the name is empty"),
            ("'a.example' = 'x'\n'A.example' = 'x'", (10, 1), "a.example is there twice"),
            ("'a.example' = 1", (9, 15), "expected a string"),
        ] {
            let errors = read(&format!("{ZONE}[watch]\n{line}\n"), Path::new("/")).unwrap_err();
            assert_eq!(errors.list.len(), 1, "{line}: {errors}");
            assert_eq!(errors.list[0].place, Some(place), "{line}");
            assert!(errors.list[0].message.contains(message), "{line}: {errors}");
        }
    }
}
