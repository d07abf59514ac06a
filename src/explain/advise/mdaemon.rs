//! MDaemon: the screens of its DNS-BL. It takes any value for a listing, asks for addresses only, and has no allow
//! lists that are asked by DNS (its manual, "DNS-BL Hosts" and "DNS-BL Settings").

use super::{Action, Rule};
use std::fmt::Write as _;

pub(super) fn lines(rules: &[Rule<'_>]) -> String {
    let mut out = String::from("# Security > Spam Filter > DNS-BL > Hosts: for each\n");
    let of_addresses = || rules.iter().filter(|rule| !rule.names);
    for rule in of_addresses() {
        // All values of a zone count alike, so one that does not refuse spoils the zone.
        let others = || of_addresses().filter(|other| other.zone == rule.zone);
        let is_for_refusing = others().all(|other| other.action == Action::Reject);
        out += &rule.comments("");
        let _ = match rule.action {
            Action::Reject if is_for_refusing => writeln!(
                out,
                "DNS-BL host: {}\nMessage: $IP$ is listed in {}",
                rule.zone, rule.zone
            ),
            Action::LetIn => writeln!(
                out,
                "# {}: an allow list cannot be asked; name its dataset in `allow` of the zones above",
                rule.zone
            ),
            Action::Reject | Action::Watch(_) => writeln!(
                out,
                "# {}: every value would refuse; weigh it in a verdict zone (docs/verdict-zones.md), and enter that",
                rule.zone
            ),
        };
    }
    for rule in rules.iter().filter(|rule| rule.names) {
        let _ = writeln!(out, "# {}: names cannot be asked for", rule.zone);
    }
    out
}
