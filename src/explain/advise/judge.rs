//! What is wrong with a configuration that asks lists.

use super::{AskedZone, Code, Filter, ZoneCodes, zone_name};
use crate::setup::LETS_IN;
use serde::Serialize;
use std::net::Ipv4Addr;

/// Something that is wrong at a place of a configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct AdviceFinding {
    /// The line, from 1.
    pub(crate) line: u32,
    /// The zone that is asked there.
    pub(crate) zone: String,
    /// What is wrong.
    pub(crate) fault: AdviceFault,
    /// What is wrong there, and its consequence.
    pub(crate) text: String,
    /// What to change.
    pub(crate) change: String,
}

/// What can be wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AdviceFault {
    /// The server has no such zone.
    NotServed,
    /// Every value counts.
    NoFilter,
    /// A value that says that a question was refused counts as a listing.
    RefusalCounts,
    /// No value of the zone counts.
    NoMatch,
    /// A value of an allow list counts against who has it.
    AllowRefuses,
    /// A value of a blocklist lets in who has it.
    BlockLetsIn,
    /// The zone lists addresses, and is asked for names.
    AskedForNames,
    /// The zone lists names, and is asked for addresses.
    AskedForAddresses,
}

/// The values by which public lists say that they refused a question.
const REFUSALS: [Ipv4Addr; 3] = [
    Ipv4Addr::new(127, 255, 255, 252),
    Ipv4Addr::new(127, 255, 255, 254),
    Ipv4Addr::new(127, 255, 255, 255),
];

/// What is wrong with these places. The zones of `elsewhere` are meant to be asked in the public DNS.
pub(crate) fn judge(
    asked: &[AskedZone],
    zones: &[ZoneCodes],
    elsewhere: &[String],
) -> Vec<AdviceFinding> {
    let elsewhere: Vec<_> = elsewhere.iter().map(|zone| zone_name(zone)).collect();
    asked.iter().flat_map(|place| place.judge(zones, &elsewhere)).collect()
}

impl AskedZone {
    fn judge(&self, zones: &[ZoneCodes], elsewhere: &[String]) -> Vec<AdviceFinding> {
        let name = &self.zone;
        let mut findings = Vec::new();
        let mut find = |fault, text: String, change: String| {
            findings.push(AdviceFinding {
                line: self.line,
                zone: name.clone(),
                fault,
                text,
                change,
            });
        };
        let zone = zones.iter().find(|zone| zone.zone == *name);
        let listed = match self.lets_in {
            Some(true) => "let in",
            _ => "taken for listed",
        };
        let values = || match zone.map(ZoneCodes::values) {
            Some(values) if !values.is_empty() => format!("name the values of the data: {values}"),
            _ => "name the values that the operator of the list documents".to_owned(),
        };
        let below: Vec<_> = zones.iter().filter(|zone| zone.is_below(name)).collect();
        if zone.is_none() && !below.is_empty() {
            let below: Vec<_> = below.iter().map(|zone| &*zone.zone).collect();
            find(
                AdviceFault::NotServed,
                "nothing is listed at this name, but below it; nothing is ever found".to_owned(),
                format!("ask one of these: {}", below.join(", ")),
            );
        } else if zone.is_none() && !elsewhere.contains(name) {
            find(
                AdviceFault::NotServed,
                "no zone of this server has this name; each question goes to the public DNS"
                    .to_owned(),
                format!(
                    "serve the zone, correct its name, or say --elsewhere {name} if it is meant to be asked there"
                ),
            );
        }
        if self.filter == Filter::Any {
            find(
                AdviceFault::NoFilter,
                format!(
                    "every value counts; if the list is shut down and answers for everybody, or a resolver makes \
                     an answer up, everybody is {listed}"
                ),
                values(),
            );
        } else if let Some(refusal) =
            REFUSALS.into_iter().find(|value| self.filter.takes(*value) == Some(true))
        {
            find(
                AdviceFault::RefusalCounts,
                format!(
                    "{refusal} counts, by which lists refuse a question; once they refuse yours, everybody is {listed}"
                ),
                values(),
            );
        }
        let Some(zone) = zone else { return findings };
        if self.names == Some(true) && zone.addresses && !zone.names {
            find(
                AdviceFault::AskedForNames,
                "the zone lists addresses, and is asked for names; nothing is ever found"
                    .to_owned(),
                "ask it for addresses, or ask another zone".to_owned(),
            );
            return findings;
        }
        if self.names == Some(false) && zone.names && !zone.addresses {
            find(
                AdviceFault::AskedForAddresses,
                "the zone lists names, and is asked for addresses; nothing is ever found"
                    .to_owned(),
                "ask it for names, or ask another zone".to_owned(),
            );
            return findings;
        }
        let counts = |code: &&Code| self.filter.takes(code.a) == Some(true);
        let counting: Vec<_> = zone.codes.iter().filter(counts).collect();
        let can_tell = self.filter != Filter::Unknown && !zone.is_incomplete;
        if counting.is_empty() && !zone.codes.is_empty() && can_tell {
            find(
                AdviceFault::NoMatch,
                "no value of the data counts; nothing is ever found".to_owned(),
                values(),
            );
        }
        let wrong = |lets_in: bool| -> Vec<String> {
            let wrong =
                counting.iter().filter(|code| code.lets_in == lets_in && !code.is_refusal());
            wrong.map(|code| code.a.to_string()).collect()
        };
        match self.lets_in {
            Some(false) if !wrong(true).is_empty() => find(
                AdviceFault::AllowRefuses,
                format!(
                    "{} is of an allow list; who is on it is refused, or counted against",
                    wrong(true).join(", ")
                ),
                "let in by these values, or leave them out".to_owned(),
            ),
            Some(true) if !wrong(false).is_empty() => find(
                AdviceFault::BlockLetsIn,
                format!("{} is of a blocklist; who is on it is let in", wrong(false).join(", ")),
                format!(
                    "refuse by these values; if it is an allow list, name its dataset in `allow` of a zone, which \
                     tells so (public ones that are known: {})",
                    LETS_IN.join(", ")
                ),
            ),
            _ => {}
        }
        findings
    }
}

impl ZoneCodes {
    fn is_below(&self, name: &str) -> bool {
        self.zone.strip_suffix(name).is_some_and(|before| before.ends_with('.'))
    }

    fn values(&self) -> String {
        let values = self.codes.iter().filter(|code| !code.is_refusal());
        values.map(|code| code.a.to_string()).collect::<Vec<_>>().join(", ")
    }
}
