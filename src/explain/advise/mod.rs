//! `dnsbld advise`: the configuration of programs that ask lists, made of the values that are in the data; and what
//! is wrong with one that exists.

mod codes;
mod exim;
mod filter;
mod judge;
mod mdaemon;
mod postfix;
mod rspamd;
mod spamassassin;
#[cfg(test)]
mod tests;

pub(crate) use codes::{Code, ZoneCodes, codes};
pub(crate) use judge::{AdviceFinding, judge};

use crate::setup;
use clap::ValueEnum;
use filter::Filter;
use std::fmt::Write as _;

/// A program that asks lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ListClient {
    /// main.cf of Postfix: smtpd and postscreen.
    Postfix,
    /// An ACL of Exim.
    Exim,
    /// rbl.conf and rbl_group.conf of rspamd.
    Rspamd,
    /// Rules of SpamAssassin.
    Spamassassin,
    /// The screens of MDaemon's DNS-BL.
    Mdaemon,
}

/// A file of a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct AdviceFile {
    /// Its name in a folder.
    pub(crate) name: &'static str,
    /// What it holds.
    pub(crate) text: String,
}

/// A place in a configuration where a list is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct AskedZone {
    /// The line, from 1.
    line: u32,
    /// The zone, in lower case, without the last dot.
    zone: String,
    /// The values that count.
    filter: Filter,
    /// Who is listed is let in; `false`: refused, or counted against. `None` if that is not told.
    lets_in: Option<bool>,
    /// The zone is asked for names; `false`: for addresses. `None` if that is not told.
    names: Option<bool>,
}

impl ListClient {
    /// The files for these zones.
    pub(crate) fn files(self, zones: &[ZoneCodes]) -> Vec<AdviceFile> {
        let rules = rules(zones);
        let left_out = left_out(zones);
        let file = |name, text: String| AdviceFile { name, text: text + &left_out };
        match self {
            Self::Postfix => vec![file("main.cf", postfix::lines(&rules))],
            Self::Exim => vec![file("exim.acl", exim::lines(&rules))],
            Self::Rspamd => vec![
                file("rbl.conf", rspamd::lists(&rules)),
                AdviceFile { name: "rbl_group.conf", text: rspamd::weights(&rules) },
            ],
            Self::Spamassassin => vec![file("dnsbld.cf", spamassassin::lines(&rules))],
            Self::Mdaemon => vec![file("mdaemon.txt", mdaemon::lines(&rules))],
        }
    }

    /// Where a configuration asks lists; `None` for a program without a file that can be read.
    pub(crate) fn asked(self, text: &str) -> Option<Vec<AskedZone>> {
        Some(match self {
            Self::Postfix => postfix::asked(text),
            Self::Exim => exim::asked(text),
            Self::Rspamd => rspamd::asked(text),
            Self::Spamassassin => spamassassin::asked(text),
            Self::Mdaemon => return None,
        })
    }
}

/// What to do with who is listed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Action {
    LetIn,
    Reject,
    /// Only to be written down, or to count a little, for this reason.
    Watch(&'static str),
}

/// The values of a zone that are treated alike, for one sort of keys.
#[derive(Clone, Debug)]
struct Rule<'z> {
    zone: &'z str,
    action: Action,
    /// For names, not addresses.
    names: bool,
    codes: Vec<&'z Code>,
}

/// What to do about all zones: first who is let in, then who is refused, then who is watched.
fn rules(zones: &[ZoneCodes]) -> Vec<Rule<'_>> {
    let mut rules: Vec<Rule<'_>> = Vec::new();
    for zone in zones {
        for names in [false, true] {
            let first = rules.len();
            for code in zone.codes.iter().filter(|code| zone.gives(code, names)) {
                let action = zone.action(code);
                let same = rules[first..].iter_mut().find(|rule| rule.action == action);
                match same {
                    Some(rule) => rule.codes.push(code),
                    None => {
                        rules.push(Rule { zone: &zone.zone, action, names, codes: vec![code] });
                    }
                }
            }
        }
    }
    rules.sort_by_key(|rule| match rule.action {
        Action::LetIn => 0,
        Action::Reject => 1,
        Action::Watch(_) => 2,
    });
    rules
}

impl ZoneCodes {
    /// Whether an address, or a name, can have the code.
    fn gives(&self, code: &Code, names: bool) -> bool {
        let asks = if names { self.names } else { self.addresses };
        let has = if names { code.names > 0 } else { code.ip4_ranges > 0 || code.ip6_ranges > 0 };
        asks && !code.is_refusal() && !self.is_without_trust(code) && (has || code.sum.is_some())
    }

    /// Of dnswl.org, whose last octet is the trust (its documentation, "Return codes").
    fn is_without_trust(&self, code: &Code) -> bool {
        self.zone == "list.dnswl.org" && code.a.octets()[3] == 0
    }

    fn action(&self, code: &Code) -> Action {
        let highest = self.codes.iter().filter_map(|code| code.sum).max();
        match setup::watched(&self.zone) {
            _ if code.lets_in => Action::LetIn,
            Some(why) => Action::Watch(why),
            None if code.sum < highest => Action::Watch("a sum below the highest"),
            None => Action::Reject,
        }
    }
}

impl Rule<'_> {
    /// The values, with how much has each, as comments.
    fn comments(&self, indent: &str) -> String {
        let mut out = String::new();
        for code in &self.codes {
            let _ = writeln!(out, "{indent}# {} {}: {}", self.zone, code.a, code.facts());
        }
        if let Action::Watch(why) = self.action {
            let _ = writeln!(out, "{indent}# {}: {why}; nobody is refused for it alone", self.zone);
        }
        out
    }

    /// The values, as most programs take several.
    fn values(&self) -> String {
        let values: Vec<_> = self.codes.iter().map(|code| code.a.to_string()).collect();
        values.join(",")
    }

    /// The name of a rule of a filter for one of its values.
    fn symbol(&self, code: &Code) -> String {
        let [a, b, c, d] = code.a.octets();
        let value = if [a, b, c] == [127, 0, 0] { d.to_string() } else { format!("{b}_{c}_{d}") };
        format!("{}_{value}", self.base())
    }

    /// The name of the rules of a filter, without the value.
    fn base(&self) -> String {
        let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let zone: String = self.zone.chars().map(letter).collect();
        format!("DNSBLD_{zone}{}", if self.names { "_NAME" } else { "" })
    }

    /// What a code counts for in a filter that refuses at some points: these for who is refused.
    fn score(&self, full: f64) -> f64 {
        match self.action {
            Action::LetIn => -4.0,
            Action::Reject => full,
            Action::Watch(_) => 0.5,
        }
    }
}

/// Why zones, or values, are in no line.
fn left_out(zones: &[ZoneCodes]) -> String {
    let mut out = String::new();
    for zone in zones {
        let name = &zone.zone;
        if zone.is_incomplete {
            let _ = writeln!(
                out,
                "# {name}: not all of its data was loaded; ask once more when dnsbld status finds it live"
            );
        }
        if zone.hashes {
            let _ = writeln!(out, "# {name} lists hashes: docs/hashes.md has the lines for them");
        }
        if zone.codes.is_empty() && !zone.is_incomplete {
            let _ = writeln!(out, "# {name} lists no address and no name: it is left out");
        }
        if zone.codes.iter().any(|code| zone.is_without_trust(code)) {
            let _ = writeln!(
                out,
                "# {name}: the values whose last octet is 0 stand for no trust; they let nobody in"
            );
        }
        for code in zone.codes.iter().filter(|code| code.is_refusal()) {
            let _ = writeln!(
                out,
                "# {name} {}: a refused question, not a listing; it is left out ({})",
                code.a,
                code.facts()
            );
        }
    }
    out
}

/// A zone as it is compared.
fn zone_name(text: &str) -> String {
    text.trim_end_matches('.').to_ascii_lowercase()
}
