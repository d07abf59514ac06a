//! The rules that the reader of lists knows: what it tells of single lines.

use super::report::{Findings, Weight};
use crate::zonefile::{Diagnostic, Diagnostics, Kind, Mistake};
use std::mem::discriminant;

/// Adds what the reader told.
pub(super) fn add(diagnostics: &Diagnostics, kind: Kind, findings: &mut Findings) {
    // Entries of lists that have a key twice are compared, to say with which line.
    let is_told =
        |reason: Mistake| kind.is_access_list() || !matches!(reason, Mistake::Duplicate(_));
    for it in diagnostics.kept.iter().filter(|it| is_told(it.reason)) {
        let key = it.excerpt.as_deref().filter(|_| it.line == 0);
        findings.add(sort(it.reason, it.is_used), (it.line, it.column), || match key {
            Some(key) => format!("{key}: {}", it.reason),
            None => it.reason.to_string(),
        });
    }
    // How many of them were used is told for all kinds together.
    for it in diagnostics.omitted().filter(|it| is_told(it.reason)) {
        let is_alike = |kept: &&Diagnostic| discriminant(&kept.reason) == discriminant(&it.reason);
        let is_used = diagnostics.kept.iter().find(is_alike).is_some_and(|kept| kept.is_used);
        let (weight, rule) = sort(it.reason, is_used);
        findings.add_count(weight, rule, it.lines);
    }
}

/// How bad a mistake is, and the rule that it breaks.
fn sort(mistake: Mistake, is_used: bool) -> (Weight, &'static str) {
    use Mistake as M;
    let rule = match mistake {
        M::HostBits(_) => "host-bits",
        M::SpacedRange | M::ShortRange | M::Range6 | M::UnequalRange | M::BackwardRange => "range",
        M::LargeRange { .. } | M::RaisedMaxRange { .. } => "max-range",
        M::Netmask(_) => "netmask",
        M::Columns(_) => "columns",
        M::SecondAddress => "second-address",
        M::BareOctet(_) | M::BareField(_) => "bare-number",
        M::Port(_) => "port",
        M::PassesInMap => "map-word",
        M::AddressInNames => "address-in-names",
        M::Mapped(_) | M::MappedRead(_) => "v4-mapped",
        M::Ip6InIp4 | M::Ip4InIp6 => "other-family",
        M::OddName(_) | M::BadName(_) | M::NoKey => "odd-name",
        M::Duplicate(_) | M::DuplicateKey => "same-key",
        M::ManyValues { .. } => "many-values",
        M::LongText | M::LongLine => "long-text",
        M::NoNewline | M::CutKey => "no-newline",
        M::UnknownSpecial | M::BadSpecial(_) | M::ManyNameServers | M::CommaInNs => "special",
        M::BadA | M::NotLoopback(_) | M::AfterA | M::BadAction => "value",
        M::DoubtfulParams => "parameters",
        M::NotSingle4 | M::NotSingle6 { .. } | M::OtherType => "other-type",
        M::Unread(_) => "other-line",
        _ => "syntax",
    };
    (if is_used { Weight::Warning } else { Weight::Error }, rule)
}
