//! The tables `[limit]` and `[[quota]]`.

use super::super::error::{Problem, suggest};
use super::super::limit::{Quota, QuotaAnswer, RateLimit, this_machine};
use super::super::settings::Zone;
use super::super::spec::{LimitSpec, QuotaSpec, TypedList};
use super::super::value;
use super::{Resolver, span_of};
use crate::wire::name::NameBuf;
use crate::zone::QuotaSubject;
use ipnet::IpNet;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;
use toml::Spanned;

/// The most queries a second that can be a limit.
const MOST: u32 = 100_000;

impl Resolver<'_> {
    pub(super) fn rate_limit(&mut self, spec: &LimitSpec) -> RateLimit {
        let defaults = RateLimit::default();
        let key = "limit.queries-per-second";
        let queries_per_second = self.number(key, &spec.queries_per_second, 0, 0..=MOST);
        let usual = RateLimit::usual_burst(queries_per_second);
        let burst = self.number("limit.burst", &spec.burst, usual, 0..=2 * MOST);
        if burst < queries_per_second {
            let message = format!("{burst} is less than queries-per-second ({queries_per_second})");
            let help = "allow at once what may be asked in a second, or leave burst out";
            self.error("limit.burst", span_of(&spec.burst), Problem::new(message, help));
        }
        RateLimit {
            queries_per_second,
            burst,
            dry_run: spec.dry_run.unwrap_or(defaults.dry_run),
            exempt: self.exempt("limit.exempt", &spec.exempt),
        }
    }

    /// The prefixes that a limit spares; those of this machine if none are written.
    fn exempt(&mut self, key: &str, list: &TypedList) -> Vec<IpNet> {
        let Some(list) = list else { return this_machine() };
        list.get_ref().iter().filter_map(|typed| self.value(key, typed, value::prefix)).collect()
    }

    pub(super) fn quotas(&mut self, specs: &[Spanned<QuotaSpec>], zones: &[Zone]) -> Vec<Quota> {
        let mut places = HashMap::new();
        specs.iter().filter_map(|typed| self.quota(typed, zones, &mut places)).collect()
    }

    fn quota(
        &mut self,
        typed: &Spanned<QuotaSpec>,
        zones: &[Zone],
        places: &mut HashMap<String, std::ops::Range<usize>>,
    ) -> Option<Quota> {
        let spec = typed.get_ref();
        let name = self.required("quota.name", &spec.name, typed.span());
        let per = self.required("quota.per", &spec.per, typed.span());
        self.required("quota.queries", &spec.queries, typed.span());
        let ip4 = self.number("quota.ip4-prefix", &spec.ip4_prefix, 32, 1..=32) as u8;
        let ip6 = self.number("quota.ip6-prefix", &spec.ip6_prefix, 64, 1..=128) as u8;
        let subject = per.and_then(|per| {
            self.value("quota.per", per, |word| match word {
                "client" => Ok(QuotaSubject::Client { ip4, ip6 }),
                "key" => Ok(QuotaSubject::Key),
                "zone" => Ok(QuotaSubject::Zone),
                _ => {
                    let help = suggest(word, &["client", "key", "zone"]);
                    Err(Problem::new(format!("a quota cannot be counted per {word:?}"), help))
                }
            })
        });
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let allowed = Duration::from_secs(1)..=366 * DAY;
        let words = "\"1s\" to \"366d\"";
        let period = self.duration("quota.period", &spec.period, DAY, allowed, words);
        let answer = spec.answer.as_ref();
        let answer = answer.and_then(|text| self.value("quota.answer", text, answer_of));
        let of_zones = self.zones_of(&spec.zones, zones);
        let text = name?;
        let name = text.get_ref().clone();
        Some(Quota {
            name: self.first_use("quota.name", "quota", name, text.span(), places)?,
            subject: subject?,
            queries: self.number("quota.queries", &spec.queries, 1, 1..=i32::MAX as u32),
            period,
            answer: answer.unwrap_or_default(),
            zones: of_zones,
            exempt: self.exempt("quota.exempt", &spec.exempt),
        })
    }

    fn zones_of(&mut self, list: &TypedList, zones: &[Zone]) -> Vec<NameBuf> {
        let key = "quota.zones";
        let mut names = Vec::new();
        for typed in list.iter().flat_map(Spanned::get_ref) {
            let Some(name) = self.value(key, typed, value::domain) else { continue };
            if !self.lacks_tables() && !zones.iter().any(|zone| zone.name == name) {
                let known: Vec<_> = zones.iter().map(|zone| zone.name.to_string()).collect();
                let known: Vec<_> = known.iter().map(String::as_str).collect();
                let help = suggest(typed.get_ref(), &known);
                let problem = Problem::new(format!("there is no zone {:?}", typed.get_ref()), help);
                self.error(key, typed.span(), problem);
            }
            names.push(name);
        }
        names
    }
}

/// What is answered beyond a quota: a word, or an A value and a text.
fn answer_of(text: &str) -> Result<QuotaAnswer, Problem> {
    match text {
        "refuse" => return Ok(QuotaAnswer::Refuse),
        "empty" => return Ok(QuotaAnswer::Empty),
        "ignore" => return Ok(QuotaAnswer::Ignore),
        _ => {}
    }
    let (a, text) = text.split_once(' ').unwrap_or((text, ""));
    let a = a.parse::<Ipv4Addr>().ok().filter(|a| a.octets().starts_with(&[127, 255, 255]));
    match a {
        Some(a) if text.len() <= 255 => Ok(QuotaAnswer::Listed(a, text.trim().to_owned())),
        _ => {
            let help = "write \"refuse\", \"empty\", \"ignore\", or such as \"127.255.255.255 too many queries\"";
            Err(Problem::new("this is no answer beyond a quota", help))
        }
    }
}
