//! Which list of the settings an entry goes to.

use super::editor::Editor;
use crate::config::{Dataset, Settings};
use crate::wire::name::NameBuf;
use crate::zonefile::{Format, Kind, LineKey, Mistake};
use ipnet::IpNet;
use std::fmt::{self, Write as _};
use std::net::IpAddr;

/// What a list is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OwnRole {
    /// What it lists is not listed in the zones that name it in `allow`.
    Allow,
    /// What it lists is listed in the zones that name it in `datasets`.
    Block,
}

impl fmt::Display for OwnRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Block => "block",
        })
    }
}

/// Why no list is found, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Unfound {
    #[error("there is no zone {zone}; the configuration has {}", zones.join(", "))]
    Zone { zone: Box<NameBuf>, zones: Vec<String> },
    #[error("there is no dataset {list:?}; the configuration has {}", lists.join(", "))]
    List { list: String, lists: Vec<String> },
    #[error(
        "the dataset {0} is not said to be your own, and what is written to a feed is lost when it is fetched again; \
         if it is your own, add this line to its [[dataset]]:\n\n    own = true\n"
    )]
    NotOwn(String),
    #[error("entries are not written to the dataset {list}: {reason}")]
    Unfit { list: String, reason: &'static str },
    #[error("{}", none_of_role(*role, zone))]
    None { role: OwnRole, zone: Option<String> },
    #[error("several lists take {key}: {}; say which one with --list", lists.join(", "))]
    Several { key: String, lists: Vec<String> },
    #[error("{key:?} is no key of {}{}", lists.join(", "), meant.map_or(String::new(), |net| format!("; write {net}")))]
    NoKey { key: String, lists: Vec<String>, meant: Option<IpNet> },
}

/// What to add to a configuration without a list of one's own.
fn none_of_role(role: OwnRole, zone: &Option<String>) -> String {
    let (name, how) = match role {
        OwnRole::Allow => {
            ("own-white", "to each [[zone]] that it lets senders through:\n\n    allow = ")
        }
        OwnRole::Block => ("own-black", "to the [[zone]] that is to list them:\n\n    datasets = "),
    };
    let place = zone.as_ref().map_or(String::new(), |zone| format!(" for {zone}"));
    let mut text =
        format!("the configuration has no list of your own to {role} senders{place}; add one:\n\n");
    let _ = write!(
        text,
        "    [[dataset]]\n    name = \"{name}\"\n    type = \"mixed\"\n    files = [\"{name}\"]\n    \
         own = true\n\nand {how}[\"{name}\"]\n\nthen `dnsbld reload`; `dnsbld init` writes a first configuration \
         with such a list"
    );
    text
}

/// The lists of one's own for a role: of a zone, or the list of this name.
///
/// # Errors
///
/// If there is none.
pub(crate) fn lists<'s>(
    settings: &'s Settings,
    role: OwnRole,
    zone: Option<&NameBuf>,
    list: Option<&str>,
) -> Result<Vec<&'s Dataset>, Unfound> {
    if let Some(name) = list {
        let Some(dataset) = settings.dataset(name) else {
            let lists = settings.datasets.iter().map(|dataset| dataset.name.clone()).collect();
            return Err(Unfound::List { list: name.to_owned(), lists });
        };
        return fit(dataset).map(|()| vec![dataset]);
    }
    if let Some(zone) = zone.filter(|zone| settings.zone(zone).is_none()) {
        let zones = settings.zones.iter().map(|zone| zone.name.to_string()).collect();
        return Err(Unfound::Zone { zone: Box::new(zone.clone()), zones });
    }
    let zones = settings.zones.iter().filter(|of| zone.is_none_or(|zone| of.name == *zone));
    let names: Vec<_> = zones
        .flat_map(|zone| match role {
            OwnRole::Allow => &zone.allow,
            OwnRole::Block => &zone.datasets,
        })
        .collect();
    // A list that lets senders through is often served as a zone of its own: nobody blocks by it.
    let blocks =
        |dataset: &Dataset| role == OwnRole::Allow || zone.is_some() || !dataset.usage.allows;
    let named = settings.datasets.iter().filter(|set| names.contains(&&set.name) && blocks(set));
    let (own, others): (Vec<_>, Vec<_>) = named.partition(|dataset| fit(dataset).is_ok());
    match (&own[..], &others[..]) {
        ([], []) => {}
        // Of lists that block, most are feeds.
        ([], others) if role == OwnRole::Allow || zone.is_some() => {
            let likely = others.iter().find(|dataset| dataset.own.is_none());
            return Err(likely.map_or_else(
                || Unfound::None { role, zone: zone.map(ToString::to_string) },
                |dataset| fit(dataset).err().unwrap_or(Unfound::NotOwn(dataset.name.clone())),
            ));
        }
        _ => {}
    }
    match own.is_empty() {
        true => Err(Unfound::None { role, zone: zone.map(ToString::to_string) }),
        false => Ok(own),
    }
}

/// An error if entries cannot be written to a dataset.
fn fit(dataset: &Dataset) -> Result<(), Unfound> {
    if dataset.own != Some(true) {
        return Err(Unfound::NotOwn(dataset.name.clone()));
    }
    let reason = match (dataset.kind, dataset.format) {
        (Kind::Generic | Kind::Combined | Kind::Acl | Kind::AclKey, _) => {
            "its type has other lines than keys; name one of another type"
        }
        (_, Format::Rbldnsd) => return Ok(()),
        _ => "its format is not rbldnsd's; name one without format",
    };
    Err(Unfound::Unfit { list: dataset.name.clone(), reason })
}

/// The one of these lists that takes what was typed, and the key that this is.
///
/// # Errors
///
/// If none takes it, or several do.
pub(crate) fn choose<'s>(
    lists: &[&'s Dataset],
    typed: &str,
) -> Result<(&'s Dataset, LineKey), Unfound> {
    let is_address = is_address(typed);
    let mut meant = None;
    let mut takers = Vec::new();
    // A list of names would take an address for a name.
    for list in lists.iter().filter(|list| !is_address || list.kind != Kind::Dnset) {
        match Editor::key(list.kind, typed) {
            Ok(key) => takers.push((*list, key)),
            Err(Mistake::HostBits(net)) => meant = Some(net),
            Err(_) => {}
        }
    }
    let names = |lists: &mut dyn Iterator<Item = &'s Dataset>| {
        lists.map(|list| format!("{} ({})", list.name, list.kind)).collect::<Vec<_>>()
    };
    match takers.len() {
        1 => Ok(takers.remove(0)),
        0 => Err(Unfound::NoKey {
            key: typed.to_owned(),
            lists: names(&mut lists.iter().copied()),
            meant,
        }),
        _ => Err(Unfound::Several {
            key: typed.to_owned(),
            lists: names(&mut takers.iter().map(|(list, _)| *list)),
        }),
    }
}

/// True for an address, a prefix or a range of addresses.
fn is_address(typed: &str) -> bool {
    let first = typed.split(['/', '-']).next().unwrap_or_default().trim();
    first.parse::<IpAddr>().is_ok()
}
