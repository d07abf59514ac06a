//! What a log tells of a key, and of the loads.

use super::block::{Body, ListPlace, ListedValues, LoadHead, Operation, RefusedEntry, Space};
use super::changes::sorted_by;
use super::files::{LogBytes, Step, folder};
use super::fold;
use crate::wire::name::NameBuf;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Instant;

/// What is looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each command")]
pub enum Sought {
    /// An address.
    Address(IpAddr),
    /// A name, relative to the apex of its list; listings of all names below one of its parents count.
    Name(NameBuf),
}

/// A list that the key was in: the place, and the part of the name that was listed, for names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Entry {
    /// The list.
    pub place: ListPlace,
    /// The name itself, or the parent of which all names below are listed; `None` for addresses.
    pub name: Option<NameBuf>,
}

/// What became of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Turn {
    /// It is listed with these values.
    Listed(ListedValues),
    /// It stays listed, and has these values now.
    Changed(ListedValues),
    /// It is not listed any more.
    Delisted,
    /// It is an exclusion.
    Excluded,
    /// What is listed is not known, because a load is missing.
    Unknown,
}

/// Something that became of a key at a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moment {
    /// When, in seconds since 1970.
    pub time: u64,
    /// What.
    pub turn: Turn,
    /// True if that was so already when the history begins.
    pub is_first_known: bool,
}

/// What a log tells of a key.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Timeline {
    /// What became of it in each list that it was in, the oldest first.
    pub entries: BTreeMap<Entry, Vec<Moment>>,
    /// The times of the first and the last load that it looked at: nothing is known from before and after.
    pub known: Option<(u64, u64)>,
    /// What is listed now is not known, because a load is missing.
    pub is_cut: bool,
}

/// A load or a refusal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LoadEntry {
    /// A load.
    Accepted(LoadHead),
    /// A refusal.
    Refused(RefusedEntry),
}

/// The bytes of a log, to be asked several times.
pub struct History(pub(super) LogBytes);

impl History {
    /// Reads the log of a dataset, which a server may go on with meanwhile; an empty one if there is none.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn read(state_dir: &Path, dataset: &str) -> io::Result<Self> {
        Self::read_until(state_dir, dataset, None)
    }

    /// As [`read`](Self::read), but no further file once `until` is reached.
    ///
    /// # Errors
    ///
    /// Those of the system; [`io::ErrorKind::TimedOut`] if not all was read by then.
    pub fn read_until(state_dir: &Path, dataset: &str, until: Option<Instant>) -> io::Result<Self> {
        Ok(Self(LogBytes::read(&folder(state_dir, dataset), until)?))
    }

    /// A history from the bytes of its files: of the base, and of the segments, the oldest first. For those who try
    /// what damaged bytes do.
    pub fn from_bytes(base: Option<Vec<u8>>, segments: Vec<Vec<u8>>) -> Self {
        Self(LogBytes { base, segments })
    }

    /// The base that it would become if all of it were old; `None` if its end does not tell what is listed.
    pub fn fold(&self) -> Option<Vec<u8>> {
        fold::base(&self.0)
    }

    /// What became of a key up to a time, in seconds since 1970.
    pub fn timeline(&self, sought: &Sought, until: u64) -> Timeline {
        let mut timeline = Timeline::default();
        let keys = Keys::of(sought);
        self.0.walk_until(until, &mut |step| match step {
            Step::Load(head, body) => timeline.load(&head, body, &keys),
            Step::Unconnected(head) => timeline.cut(head.time),
            Step::Refusal(_) => {}
        });
        timeline
    }

    /// The loads and the refusals, the oldest first.
    pub fn loads(&self) -> Vec<LoadEntry> {
        let mut loads = Vec::new();
        self.0.walk(&mut |step| match step {
            Step::Load(head, _) | Step::Unconnected(head) => {
                loads.extend((!head.is_pruned).then_some(LoadEntry::Accepted(head)));
            }
            Step::Refusal(entry) => loads.push(LoadEntry::Refused(entry)),
        });
        loads
    }
}

/// What may list a key.
struct Keys {
    address: Option<(Space, u128)>,
    /// The name and its parents, each as it is sorted.
    names: Vec<(Space, NameBuf, Vec<u8>)>,
}

impl Keys {
    fn of(sought: &Sought) -> Self {
        match sought {
            Sought::Address(IpAddr::V4(address)) => {
                Self { address: Some((Space::Ip4, address.to_bits().into())), names: Vec::new() }
            }
            Sought::Address(IpAddr::V6(address)) => {
                Self { address: Some((Space::Ip6, address.to_bits())), names: Vec::new() }
            }
            Sought::Name(name) => {
                let name = name.to_lowercase();
                let key = sorted_by(&name);
                let mut names = vec![
                    (Space::Name, name.clone(), key.clone()),
                    (Space::Records, name.clone(), key),
                ];
                let mut wire = name.as_wire();
                while let Some((&length, _)) = wire.split_first().filter(|(length, _)| **length > 0)
                {
                    wire = &wire[usize::from(length) + 1..];
                    let Some(parent) = NameBuf::from_wire(wire) else { break };
                    let key = sorted_by(&parent);
                    names.push((Space::Below, parent, key));
                }
                Self { address: None, names }
            }
        }
    }

    /// What a load says of them.
    fn said(&self, body: Body<'_>) -> BTreeMap<Entry, Operation> {
        let mut said = BTreeMap::new();
        for group in body.groups() {
            let space = group.place.space;
            match self.address {
                Some((family, address))
                    if family == space && group.keys.clone().covers(address) =>
                {
                    said.insert(Entry { place: group.place, name: None }, group.operation);
                }
                _ => {
                    let of_space = self.names.iter().filter(|(of, ..)| *of == space);
                    for (_, name, key) in of_space {
                        if group.keys.clone().has(key) {
                            let (place, name) = (group.place.clone(), Some(name.clone()));
                            said.insert(Entry { place, name }, group.operation);
                        }
                    }
                }
            }
        }
        said
    }
}

impl Timeline {
    fn load(&mut self, head: &LoadHead, body: Body<'_>, keys: &Keys) {
        let time = head.time;
        let is_first = self.known.is_none();
        let first = self.known.map_or(time, |(first, _)| first);
        self.known = Some((first, time));
        let said = keys.said(body);
        let answers = if said.is_empty() { Vec::new() } else { body.answers() };
        if head.is_whole {
            self.is_cut = false;
            for (entry, moments) in &mut self.entries {
                if !said.contains_key(entry) {
                    turn(moments, time, Turn::Delisted, false);
                }
            }
        }
        for (entry, operation) in said {
            let moments = self.entries.entry(entry).or_default();
            let new = match operation {
                Operation::Delist => Turn::Delisted,
                Operation::Exclude => Turn::Excluded,
                Operation::List(answer) => {
                    Turn::Listed(answers.get(answer).cloned().unwrap_or_default())
                }
            };
            turn(moments, time, new, head.is_whole && is_first);
        }
    }

    fn cut(&mut self, time: u64) {
        self.is_cut = true;
        let first = self.known.map_or(time, |(first, _)| first);
        self.known = Some((first, time));
        for moments in self.entries.values_mut() {
            turn(moments, time, Turn::Unknown, false);
        }
    }

    /// Whether the key is listed at the end, and not known otherwise.
    pub fn is_listed(&self) -> bool {
        let last = |moments: &Vec<Moment>| moments.last().map(|moment| moment.turn.clone());
        self.entries.values().filter_map(last).any(|turn| turn.is_listed())
    }
}

impl Turn {
    /// True if the key is listed from then on.
    pub fn is_listed(&self) -> bool {
        matches!(self, Self::Listed(_) | Self::Changed(_))
    }

    fn values(&self) -> Option<&ListedValues> {
        match self {
            Self::Listed(values) | Self::Changed(values) => Some(values),
            Self::Delisted | Self::Excluded | Self::Unknown => None,
        }
    }
}

/// Adds what became of a key, unless that is no news.
fn turn(moments: &mut Vec<Moment>, time: u64, new: Turn, is_first_known: bool) {
    let before = moments.last().map(|moment| &moment.turn);
    let turn = match (before, new) {
        (Some(before), new) if *before == new => return,
        (Some(before), Turn::Listed(values)) if before.is_listed() => {
            if before.values() == Some(&values) {
                return;
            }
            Turn::Changed(values)
        }
        (None | Some(Turn::Unknown), Turn::Unknown) => return,
        (Some(Turn::Delisted), Turn::Unknown) => return,
        (None, Turn::Delisted) => return,
        (_, new) => new,
    };
    moments.push(Moment { time, turn, is_first_known });
}

impl std::fmt::Display for Sought {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl std::str::FromStr for Sought {
    type Err = crate::wire::name::NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mapped = |address: Ipv6Addr| address.to_ipv4_mapped().map(IpAddr::from);
        let address = text.parse::<Ipv4Addr>().map(IpAddr::from);
        let address = address.or_else(|_| {
            text.parse::<Ipv6Addr>().map(|address| mapped(address).unwrap_or(address.into()))
        });
        match address {
            Ok(address) => Ok(Self::Address(address)),
            Err(_) => Ok(Self::Name(NameBuf::from_text(text.as_bytes())?.to_lowercase())),
        }
    }
}
