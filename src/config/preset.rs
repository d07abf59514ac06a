//! Feeds that are known: where each is fetched, how often at the most, and how it is served.
//!
//! The facts are those of the operators' pages, which [`Preset::facts`] names. Where a page says nothing, the
//! value is the more careful one, and [`Preset::interval_origin`] says so.

use crate::zonefile::{Format, Kind};
use std::net::Ipv4Addr;
use std::time::Duration;

/// A feed that is known by name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Preset {
    /// The word for it in the settings.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// What its files are fetched from: the beginning of the address of each, with a slash at its end, or a colon
    /// for a host that is reached by ssh. `None` if the operator tells it to subscribers alone.
    pub source: Option<&'static str>,
    /// What must be arranged before anything can be fetched; `None` for a feed that is open to everybody.
    pub needs: Option<&'static str>,
    /// How often it is fetched.
    pub interval: Duration,
    /// The least time between two fetches.
    pub min_interval: Duration,
    /// Who says so.
    pub interval_origin: IntervalOrigin,
    /// Public pages that say all this.
    pub facts: &'static [&'static str],
    /// The least bytes of a file that is the list: some operators hand out a note to those who misuse the feed.
    pub min_size: u64,
    /// Packs the data on its way.
    pub compress: bool,
    /// What is served of it, each file once.
    pub lists: &'static [PresetList],
}

/// Whose word something is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntervalOrigin {
    /// The operator's.
    Operator,
    /// The operator's, who shows it in examples and does not ask for it.
    Example,
    /// Nobody's: the operator's pages say nothing, so this is a careful choice.
    Choice,
}

/// A list of a feed: a dataset, and the zone that it is served in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PresetList {
    /// The dataset.
    pub dataset: &'static str,
    /// The file, by its name at the source.
    pub file: &'static str,
    /// The type of the dataset.
    pub kind: Kind,
    /// The form of its lines.
    pub format: Format,
    /// The A value of entries that have none; `None` for 127.0.0.2 or what the file says.
    pub default_a: Option<Ipv4Addr>,
    /// The text of entries that have none; `None` for what the file says.
    pub default_text: Option<&'static str>,
    /// How long the list may stay unchanged.
    pub max_age: Duration,
    /// The rules of the guard that do not hold for it.
    pub off: &'static [&'static str],
    /// The zone.
    pub zone: &'static str,
    /// The datasets whose entries the zone does not list.
    pub allow: &'static [&'static str],
}

impl Preset {
    /// The files to fetch, by their names at the source.
    pub fn files(&self) -> impl Iterator<Item = &'static str> {
        self.lists.iter().map(|list| list.file)
    }

    /// How long all of it may stay unchanged.
    pub fn max_age(&self) -> Duration {
        self.lists.iter().map(|list| list.max_age).max().unwrap_or_default()
    }

    /// The zones that it is served in, each once.
    pub fn zones(&self) -> Vec<&'static str> {
        let mut zones: Vec<_> = self.lists.iter().map(|list| list.zone).collect();
        zones.dedup();
        zones
    }
}

impl PresetList {
    /// A list of addresses in rbldnsd's format, renewed several times a day.
    const ADDRESSES: Self = Self {
        dataset: "",
        file: "",
        kind: Kind::Ip4Set,
        format: Format::Rbldnsd,
        default_a: None,
        default_text: None,
        max_age: hours(48),
        off: &[],
        zone: "",
        allow: &[],
    };
}

/// For lists of whole providers: one more of them may have more addresses than a /8.
const WIDE: &[&str] = &["grew"];

const fn hours(number: u64) -> Duration {
    Duration::from_secs(number * 3600)
}

/// The preset of this name.
pub fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// All of them, by name.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "apews",
        about: "APEWS: level 1 names, level 2 addresses and whole networks; the operator is gone, copies are about",
        source: None,
        needs: Some("a mirror that hands out l1.apews.org and l2.apews.org: set source"),
        interval: hours(12),
        min_interval: hours(1),
        interval_origin: IntervalOrigin::Choice,
        facts: &["https://en.wikipedia.org/wiki/Anonymous_Postmaster_Early_Warning_System"],
        min_size: 1024,
        compress: false,
        lists: &[
            PresetList {
                dataset: "apews-l1",
                file: "l1.apews.org",
                kind: Kind::Dnset,
                max_age: hours(14 * 24),
                zone: "l1.apews.org",
                ..PresetList::ADDRESSES
            },
            PresetList {
                dataset: "apews-l2",
                file: "l2.apews.org",
                off: WIDE,
                max_age: hours(14 * 24),
                zone: "l2.apews.org",
                ..PresetList::ADDRESSES
            },
        ],
    },
    Preset {
        name: "dnswl",
        about: "dnswl.org: hosts that send wanted mail; 127.0.CATEGORY.TRUST",
        source: Some("rsync2.dnswl.org::dnswl/"),
        needs: Some("an account at dnswl.org that has this machine's address registered"),
        interval: hours(1),
        min_interval: hours(1),
        interval_origin: IntervalOrigin::Operator,
        facts: &["https://www.dnswl.org/?page_id=110"],
        min_size: 10 << 10,
        compress: false,
        lists: &[PresetList {
            dataset: "dnswl",
            file: "rbldnsd-dnswl",
            zone: "list.dnswl.org",
            ..PresetList::ADDRESSES
        }],
    },
    Preset {
        name: "psbl",
        about: "PSBL: addresses that sent to spam traps in the last two weeks",
        source: Some("psbl-mirror.surriel.com::psbl/"),
        needs: None,
        interval: hours(1),
        min_interval: Duration::from_secs(30 * 60),
        interval_origin: IntervalOrigin::Choice,
        facts: &["http://psbl.surriel.com/howto"],
        min_size: 10 << 10,
        compress: true,
        lists: &[PresetList {
            dataset: "psbl",
            file: "psbl.txt",
            kind: Kind::Ip4Tset,
            default_text: Some("Listed in PSBL, see https://psbl.org/listing?ip=$"),
            zone: "psbl.surriel.com",
            ..PresetList::ADDRESSES
        }],
    },
    Preset {
        name: "spamcop",
        about: "SpamCop: addresses that users reported for spam in the last days",
        source: Some("bl@blrsync.spamcop.net:"),
        needs: Some(
            "a subscription or a public mirror's licence, an ssh key registered at SpamCop, and its host key",
        ),
        interval: Duration::from_secs(30 * 60),
        min_interval: Duration::from_secs(5 * 60),
        interval_origin: IntervalOrigin::Choice,
        facts: &["https://www.spamcop.net/fom-serve/cache/340.html"],
        min_size: 10 << 10,
        compress: false,
        lists: &[PresetList {
            dataset: "spamcop",
            file: "rbldnsdbl.data",
            default_text: Some("Blocked - see https://www.spamcop.net/bl.shtml?$"),
            max_age: hours(24),
            zone: "bl.spamcop.net",
            ..PresetList::ADDRESSES
        }],
    },
    Preset {
        name: "spamhaus-drop",
        about: "Spamhaus DROP: hijacked networks and those of professional spammers; drop all traffic",
        source: Some("https://www.spamhaus.org/drop/"),
        needs: None,
        interval: hours(12),
        min_interval: hours(1),
        interval_origin: IntervalOrigin::Operator,
        facts: &[
            "https://www.spamhaus.org/blocklists/do-not-route-or-peer/",
            "https://www.spamhaus.org/faqs/do-not-route-or-peer-drop/",
        ],
        min_size: 1024,
        compress: false,
        lists: &[
            PresetList {
                dataset: "spamhaus-drop-v4",
                file: "drop_v4.json",
                kind: Kind::Ip4Trie,
                format: Format::Jsonl,
                default_a: Some(Ipv4Addr::new(127, 0, 0, 9)),
                max_age: hours(7 * 24),
                zone: "drop.spamhaus.org",
                ..PresetList::ADDRESSES
            },
            PresetList {
                dataset: "spamhaus-drop-v6",
                file: "drop_v6.json",
                kind: Kind::Ip6Trie,
                format: Format::Jsonl,
                default_a: Some(Ipv4Addr::new(127, 0, 0, 9)),
                max_age: hours(7 * 24),
                zone: "drop.spamhaus.org",
                ..PresetList::ADDRESSES
            },
        ],
    },
    Preset {
        name: "surbl",
        about: "SURBL: names in the bodies of spam; a bit of the last octet for each list",
        source: None,
        needs: Some(
            "rsync access for one address, asked for at surbl.org: set source to what you are told",
        ),
        interval: Duration::from_secs(30 * 60),
        min_interval: Duration::from_secs(30 * 60),
        interval_origin: IntervalOrigin::Example,
        facts: &[
            "http://george.surbl.org/rsync-signup.html",
            "https://www.surbl.org/surbl-nameserver-setup",
        ],
        min_size: 1 << 20,
        compress: false,
        lists: &[PresetList {
            dataset: "surbl",
            file: "multi.surbl.org.rbldnsd",
            kind: Kind::Dnset,
            max_age: hours(24),
            zone: "multi.surbl.org",
            ..PresetList::ADDRESSES
        }],
    },
    Preset {
        name: "uceprotect",
        about: "UCEPROTECT levels 1 to 3, backscatterer.org, and whitelisted.org, which goes before levels 2 and 3",
        source: Some("rsync-mirrors.uceprotect.net::RBLDNSD-ALL/"),
        needs: None,
        interval: hours(1),
        min_interval: Duration::from_secs(30 * 60),
        interval_origin: IntervalOrigin::Choice,
        facts: &[
            "http://www.uceprotect.net/en/index.php?m=12&s=0",
            "http://www.whitelisted.org/?go=policy",
        ],
        min_size: 100,
        compress: false,
        lists: &[
            PresetList {
                dataset: "uceprotect-1",
                file: "dnsbl-1.uceprotect.net",
                zone: "dnsbl-1.uceprotect.net",
                ..PresetList::ADDRESSES
            },
            PresetList {
                dataset: "uceprotect-2",
                file: "dnsbl-2.uceprotect.net",
                zone: "dnsbl-2.uceprotect.net",
                allow: &["whitelisted"],
                ..PresetList::ADDRESSES
            },
            PresetList {
                dataset: "uceprotect-3",
                file: "dnsbl-3.uceprotect.net",
                off: WIDE,
                zone: "dnsbl-3.uceprotect.net",
                allow: &["whitelisted"],
                ..PresetList::ADDRESSES
            },
            PresetList {
                dataset: "backscatterer",
                file: "ips.backscatterer.org",
                zone: "ips.backscatterer.org",
                ..PresetList::ADDRESSES
            },
            PresetList {
                dataset: "whitelisted",
                file: "ips.whitelisted.org",
                max_age: hours(7 * 24),
                zone: "ips.whitelisted.org",
                ..PresetList::ADDRESSES
            },
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RULES;
    use std::collections::HashSet;

    #[test]
    fn presets_are_sorted_and_have_names_of_their_own() {
        assert!(PRESETS.is_sorted_by(|a, b| a.name < b.name));
        let lists: Vec<_> = PRESETS.iter().flat_map(|preset| preset.lists).collect();
        let datasets: HashSet<_> = lists.iter().map(|list| list.dataset).collect();
        assert_eq!(datasets.len(), lists.len());
    }

    #[test]
    fn presets_are_whole() {
        for preset in PRESETS {
            assert!(preset.interval >= preset.min_interval, "{}", preset.name);
            assert!(preset.source.is_some() || preset.needs.is_some(), "{}", preset.name);
            assert!(!preset.facts.is_empty() && !preset.lists.is_empty(), "{}", preset.name);
            assert!(preset.facts.iter().all(|page| page.starts_with("http")), "{}", preset.name);
            let source = preset.source.unwrap_or("/");
            assert!(source.ends_with(['/', ':']), "{source}");
            for list in preset.lists {
                assert!(list.format.suits(list.kind), "{}", list.dataset);
                assert!(list.off.iter().all(|rule| RULES.iter().any(|(name, _)| name == rule)));
                let own = |name: &&str| preset.lists.iter().any(|list| list.dataset == *name);
                assert!(list.allow.iter().all(own), "{}", list.dataset);
                let text = list.default_text.unwrap_or_default();
                assert!(text.len() <= 255 && text.is_ascii(), "{text}");
            }
        }
    }
}
