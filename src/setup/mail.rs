//! The lines of mail servers and filters that ask the zones.

use super::{Asked, Use, Written};
use clap::ValueEnum;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// A program that asks lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum MailServer {
    /// Postfix.
    Postfix,
    /// Exim.
    Exim,
    /// rspamd.
    Rspamd,
    /// SpamAssassin.
    Spamassassin,
    /// Courier.
    Courier,
    /// HAProxy, before web servers.
    Haproxy,
}

impl MailServer {
    /// Its lines for these zones, as files. Most programs ask the resolver; HAProxy asks the server.
    pub(super) fn files(self, zones: &[Asked<'_>], server: Option<SocketAddr>) -> Vec<Written> {
        let file = |name: &str, text| Written { name: name.to_owned(), text };
        match self {
            Self::Postfix => vec![file("postfix-main.cf", postfix(zones))],
            Self::Exim => vec![file("exim.acl", exim(zones))],
            Self::Rspamd => vec![
                file("rspamd-rbl.conf", rspamd(zones)),
                file("rspamd-rbl_group.conf", rspamd_weights(zones)),
            ],
            Self::Spamassassin => vec![file("spamassassin.cf", spamassassin(zones))],
            Self::Courier => vec![file("courier-esmtpd", courier(zones))],
            Self::Haproxy => vec![file("haproxy.cfg", haproxy(zones, server))],
        }
    }

    /// What to do with the files, which are in this folder; `main_cf` has the settings of Postfix.
    pub(crate) fn advice(self, folder: &str, main_cf: &str) -> String {
        match self {
            // A second line of a setting would undo the first one.
            Self::Postfix if !main_cf.is_empty() && !has_restrictions(main_cf) => {
                format!("cat {folder}/postfix-main.cf >> /etc/postfix/main.cf && postfix reload")
            }
            Self::Postfix => format!(
                "add {folder}/postfix-main.cf to /etc/postfix/main.cf, and its restrictions to those that are there; \
                 postfix reload"
            ),
            Self::Exim => format!(
                "add {folder}/exim.acl to the ACL of acl_smtp_rcpt, after what lets your own clients in; \
                 systemctl reload exim4"
            ),
            Self::Rspamd => format!(
                "for file in rbl rbl_group; do install -m 644 {folder}/rspamd-$file.conf \
                 /etc/rspamd/local.d/$file.conf; done; systemctl reload rspamd"
            ),
            Self::Spamassassin => format!(
                "install -m 644 {folder}/spamassassin.cf /etc/spamassassin/dnsbld.cf; spamassassin --lint"
            ),
            Self::Courier => {
                format!(
                    "add {folder}/courier-esmtpd to /etc/courier/esmtpd; systemctl restart courier-mta"
                )
            }
            Self::Haproxy => {
                format!(
                    "add {folder}/haproxy.cfg to /etc/haproxy/haproxy.cfg; systemctl reload haproxy"
                )
            }
        }
    }
}

/// Whether Postfix's settings have one of those that [`postfix`] writes.
fn has_restrictions(main_cf: &str) -> bool {
    let ours = ["smtpd_client_restrictions", "smtpd_sender_restrictions", "default_rbl_reply"];
    main_cf.lines().any(|line| ours.iter().any(|name| line.starts_with(name)))
}

fn postfix(zones: &[Asked<'_>]) -> String {
    let restrictions = |names: bool| {
        let mut lines = String::new();
        for asked in zones.iter().filter(|asked| asked.is_names == names) {
            // If a list answers for everybody one day, it has another value.
            let values = asked.value.unwrap_or("127.0.0.[2..254]");
            let zone = asked.zone;
            let line = match (asked.use_of, names) {
                (Use::LetIn, false) if asked.zone == "list.dnswl.org" => {
                    format!("    permit_dnswl_client {zone}=127.0.[0..255].[1..3]\n")
                }
                (Use::LetIn, false) => format!("    permit_dnswl_client {zone}={values}\n"),
                (Use::LetIn, true) => continue,
                (Use::Refuse, false) => format!("    reject_rbl_client {zone}={values}\n"),
                (Use::Refuse, true) => format!("    reject_rhsbl_sender {zone}={values}\n"),
                (Use::Watch(_), false) => {
                    format!("    warn_if_reject reject_rbl_client {zone}={values}\n")
                }
                (Use::Watch(_), true) => {
                    format!("    warn_if_reject reject_rhsbl_sender {zone}={values}\n")
                }
            };
            lines += &line;
        }
        lines
    };
    let (clients, senders) = (restrictions(false), restrictions(true));
    let mut out = watched(zones, "#", "Postfix only logs who is listed there");
    if !clients.is_empty() {
        out += &format!("smtpd_client_restrictions =\n    permit_mynetworks\n{clients}");
    }
    if !senders.is_empty() {
        out += &format!("smtpd_sender_restrictions =\n{senders}");
    }
    out + "default_rbl_reply = $rbl_code Service unavailable; $rbl_class [$rbl_what] blocked using \
           $rbl_domain${rbl_reason?; $rbl_reason}\n"
}

fn exim(zones: &[Asked<'_>]) -> String {
    let mut out = watched(zones, "#", "Exim only logs who is listed there");
    for asked in zones {
        let value = asked.value.map(|value| format!("={value}")).unwrap_or_default();
        let key = if asked.is_names { "/$sender_address_domain" } else { "" };
        let item = format!("{}{value}{key}", asked.zone);
        let _ = match asked.use_of {
            Use::LetIn => {
                writeln!(out, "accept  domains = +local_domains\n        dnslists = {item}")
            }
            // If the list does not answer, the mail comes again later.
            Use::Refuse => writeln!(
                out,
                "deny    dnslists = +defer_unknown : {item}\n        \
                 message = blocked using $dnslist_domain; $dnslist_text"
            ),
            Use::Watch(_) => writeln!(
                out,
                "warn    dnslists = {item}\n        log_message = listed in $dnslist_domain"
            ),
        };
    }
    out
}

fn rspamd(zones: &[Asked<'_>]) -> String {
    let mut out = String::from("rbls {\n");
    for asked in zones {
        let (zone, symbol) = (asked.zone, symbol(asked.zone));
        let checks = if asked.is_names { "[\"urls\", \"emails\", \"dkim\"]" } else { "[\"from\"]" };
        let lets_in =
            if asked.use_of == Use::LetIn { "        is_whitelist = true;\n" } else { "" };
        let _ = writeln!(
            out,
            "    \"{zone}\" {{\n        symbol = \"{symbol}\";\n        rbl = \"{zone}\";\n        \
             checks = {checks};\n{lets_in}    }}"
        );
    }
    out + "}\n"
}

fn rspamd_weights(zones: &[Asked<'_>]) -> String {
    let mut out = watched(zones, "#", "they count less");
    out += "symbols = {\n";
    for asked in zones {
        let weight = match asked.use_of {
            Use::LetIn => "-4.0",
            Use::Refuse => "6.0",
            Use::Watch(_) => "1.0",
        };
        let (zone, symbol) = (asked.zone, symbol(asked.zone));
        let _ = writeln!(
            out,
            "    \"{symbol}\" {{\n        weight = {weight};\n        \
             description = \"listed in {zone}\";\n    }}"
        );
    }
    out + "}\n"
}

fn spamassassin(zones: &[Asked<'_>]) -> String {
    let mut out = watched(zones, "#", "they count less");
    for asked in zones.iter().filter(|asked| !asked.is_names) {
        let (name, zone) = (symbol(asked.zone), asked.zone);
        let score = match asked.use_of {
            Use::LetIn => "-4.0",
            Use::Refuse => "4.0",
            Use::Watch(_) => "0.5",
        };
        let set = zone.replace('.', "-");
        let _ = writeln!(
            out,
            "header   {name} eval:check_rbl('{set}-lastexternal', '{zone}.')\n\
             describe {name} listed in {zone}\ntflags   {name} net\nscore    {name} {score}"
        );
    }
    for asked in zones.iter().filter(|asked| asked.is_names && asked.use_of != Use::LetIn) {
        let (name, zone) = (symbol(asked.zone), asked.zone);
        let _ = writeln!(
            out,
            "urirhsbl {name} {zone}. A\nbody     {name} eval:check_uridnsbl('{name}')\n\
             describe {name} names a domain in {zone}\ntflags   {name} net\nscore    {name} 4.0"
        );
    }
    out
}

fn courier(zones: &[Asked<'_>]) -> String {
    let mut options = String::new();
    for asked in zones.iter().filter(|asked| !asked.is_names) {
        // Without the variable BLOCK, Courier refuses nothing.
        options += &match asked.use_of {
            Use::LetIn => format!(" -allow={}", asked.zone),
            Use::Refuse => format!(" -block={},BLOCK,*", asked.zone),
            Use::Watch(_) => continue,
        };
    }
    let note = watched(zones, "#", "they are left out");
    format!("{note}BLACKLISTS='{}'\n", options.trim())
}

fn haproxy(zones: &[Asked<'_>], server: Option<SocketAddr>) -> String {
    let server = server.map(|server| server.to_string()).unwrap_or_default();
    // Without the first two, every address that is not listed waits for two seconds.
    let mut out = format!(
        "resolvers dnsbld\n    nameserver dnsbld {server}\n    resolve_retries 1\n    timeout retry 200ms\n    \
         hold nx 5s\n    hold valid 5s\n\n# In a frontend:\n"
    );
    for asked in zones.iter().filter(|asked| !asked.is_names && asked.use_of == Use::Refuse) {
        let _ = writeln!(
            out,
            "http-request set-var(txn.dnsbl) src,'regsub(\"([0-9]+)[.]([0-9]+)[.]([0-9]+)[.]([0-9]+)\",\
             \"\\4.\\3.\\2.\\1.{}\")'\n\
             http-request do-resolve(txn.listed,dnsbld,ipv4) var(txn.dnsbl)\n\
             http-request deny deny_status 403 if {{ var(txn.listed) -m ip 127.0.0.0/8 }}",
            asked.zone
        );
    }
    out
}

/// A comment for the lists that are not for refusing.
fn watched(zones: &[Asked<'_>], sign: &str, what: &str) -> String {
    let mut out = String::new();
    for asked in zones {
        if let Use::Watch(why) = asked.use_of {
            let _ = writeln!(out, "{sign} {}: {why}; {what}.", asked.zone);
        }
    }
    out
}

/// The name of a rule for a zone.
fn symbol(zone: &str) -> String {
    let is_letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("DNSBLD_{}", zone.chars().map(is_letter).collect::<String>())
}
