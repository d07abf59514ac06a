//! What a zone lists, as the fewest prefixes and names.
//!
//! Of names, the most specific entry decides: that of the name itself, or else that below the nearest name above it.
//! An exclusion takes a name, or all below it, off an entry above.

use super::values::{ExportValue, Renderer};
use crate::range::Int;
use crate::trie::names::encode_key;
use crate::wire::name::write_text;
use crate::zone::key::{MAPPED, TestPoint};
use crate::zone::sweep::{Hit, Hits, ListedRange, Node, SweepSection, Visitor};
use ipnet::{Ipv4Net, Ipv6Net};
use std::fmt;
use std::io;

/// What is listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExportKey<'k> {
    /// IPv4 addresses.
    Ip4(Ipv4Net),
    /// IPv6 addresses.
    Ip6(Ipv6Net),
    /// A name in wire form, relative to the apex.
    Name(&'k [u8], NameScope),
}

/// What an entry of a name is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum NameScope {
    /// The name alone.
    Itself,
    /// All names below it, not the name itself.
    Below,
    /// The name, and all below it.
    Both,
}

impl NameScope {
    pub(super) const ALL: [Self; 3] = [Self::Itself, Self::Below, Self::Both];

    /// As JSON lines have it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Itself => "name",
            Self::Below => "below",
            Self::Both => "both",
        }
    }
}

/// An entry.
#[derive(Clone, Copy, Debug)]
pub struct ExportEntry<'e> {
    /// What is listed.
    pub key: ExportKey<'e>,
    /// What it is listed with; empty for an exclusion, and if values were not asked for.
    pub values: &'e [ExportValue],
    /// The entry takes names off one above it.
    pub is_excluded: bool,
}

/// How much is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Detail {
    /// Values; then prefixes whose answers differ are kept apart.
    pub(super) values: bool,
    /// Names that are listed by what is listed below a name above them, if they exist for another reason. A reader
    /// that holds with RFC 4592 needs them: a name that exists hides the wildcards above it.
    pub(super) hidden_names: bool,
}

/// Kinds of keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Kinds {
    /// Addresses.
    pub addresses: bool,
    /// Names.
    pub names: bool,
}

impl Kinds {
    /// Addresses and names.
    pub(super) const ALL: Self = Self { addresses: true, names: true };

    /// Whether a key is of these.
    pub(super) fn has(self, key: &ExportKey<'_>) -> bool {
        if matches!(key, ExportKey::Name(..)) { self.names } else { self.addresses }
    }

    /// For people.
    pub(super) fn words(self) -> &'static str {
        match (self.addresses, self.names) {
            (true, true) => "addresses and names",
            (true, false) => "addresses",
            (false, true) => "names",
            (false, false) => "nothing",
        }
    }
}

/// Walks through the entries of a section: IPv4, IPv6, names, each in order.
#[derive(Clone, Copy)]
pub(super) struct Walk<'s, 'z> {
    section: &'s SweepSection<'z>,
    test_points: bool,
    kinds: Kinds,
    detail: Detail,
}

impl<'s, 'z> Walk<'s, 'z> {
    pub(super) fn new(section: &'s SweepSection<'z>, test_points: bool) -> Self {
        Self { section, test_points, kinds: Kinds::ALL, detail: Detail::default() }
    }

    /// The kinds of keys that the section can list.
    pub(super) fn kinds(&self) -> Kinds {
        Kinds { addresses: self.section.has_addresses(), names: self.section.has_names() }
    }

    /// The walk through these keys alone.
    pub(super) fn of(self, kinds: Kinds, detail: Detail) -> Self {
        Self { kinds, detail, ..self }
    }

    /// Whether values are told.
    pub(super) fn has_values(&self) -> bool {
        self.detail.values
    }

    /// Gives all keys, without values; `true` for exclusions.
    pub(super) fn keys(
        &self,
        take: &mut dyn FnMut(&ExportKey<'_>, bool) -> io::Result<()>,
    ) -> io::Result<()> {
        self.walk(None, &mut |entry| take(&entry.key, entry.is_excluded))
    }

    /// Gives all entries.
    pub(super) fn entries(
        &self,
        take: &mut dyn FnMut(&ExportEntry<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        self.walk(self.detail.values.then(|| Renderer::new(self.section)), take)
    }

    fn walk(
        &self,
        mut renderer: Option<Renderer<'s, 'z>>,
        take: &mut dyn FnMut(&ExportEntry<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.kinds.addresses {
            let point = (!self.test_points).then_some(TestPoint::LISTED);
            for (start, len, hits) in self.prefixes(self.section.ip4(), point) {
                let values = renderer.as_mut().map_or(&[][..], |it| it.of_ip4(&hits, start));
                let key = ExportKey::Ip4(Ipv4Net::new_assert(start.into(), len));
                take(&ExportEntry { key, values, is_excluded: false })?;
            }
            let point = point.map(|point| MAPPED | u128::from(point));
            for (start, len, hits) in self.prefixes(self.section.ip6(), point) {
                let values = renderer.as_mut().map_or(&[][..], |it| it.of_ip6(&hits, start));
                let key = ExportKey::Ip6(Ipv6Net::new_assert(start.into(), len));
                take(&ExportEntry { key, values, is_excluded: false })?;
            }
        }
        if self.kinds.names {
            let (test_points, hidden) = (self.test_points, self.detail.hidden_names);
            let mut names = Names { renderer, take, above: Vec::new(), test_points, hidden };
            self.section.names(&mut names)?;
        }
        Ok(())
    }

    /// The fewest prefixes of ranges.
    fn prefixes<K: Int>(
        &self,
        ranges: impl Iterator<Item = ListedRange<K>>,
        test_point: Option<K>,
    ) -> impl Iterator<Item = (K, u8, Hits)> {
        without(test_point, merged(ranges, self.detail.values)).flat_map(|range| {
            let ListedRange { start, end, hits } = range;
            prefixes(start, end).map(move |(start, len)| (start, len, hits.clone()))
        })
    }
}

/// The ranges of IPv4 addresses that a section lists, without the test point: the first and the last of each.
pub fn ip4_ranges(section: &SweepSection<'_>) -> impl Iterator<Item = (u32, u32)> {
    without(Some(TestPoint::LISTED), merged(section.ip4(), false))
        .map(|ListedRange { start, end, .. }| (start, end))
}

/// Ranges in order without that of the test point alone; a wider one that it is in stays whole.
fn without<K: Int>(
    test_point: Option<K>,
    ranges: impl Iterator<Item = ListedRange<K>>,
) -> impl Iterator<Item = ListedRange<K>> {
    let (mut ranges, mut before) = (ranges.peekable(), None);
    std::iter::from_fn(move || {
        loop {
            let range = ranges.next()?;
            let touches = before.and_then(K::successor) == Some(range.start)
                || ranges.peek().is_some_and(|next| range.end.successor() == Some(next.start));
            before = Some(range.end);
            if Some(range.start) != test_point || range.start != range.end || touches {
                return Some(range);
            }
        }
    })
}

/// Ranges in order, those that touch made one, whatever lists them if values are of no account.
fn merged<K: Int>(
    ranges: impl Iterator<Item = ListedRange<K>>,
    has_values: bool,
) -> impl Iterator<Item = ListedRange<K>> {
    let mut ranges = ranges.peekable();
    std::iter::from_fn(move || {
        let mut range = ranges.next()?;
        let goes_on = |range: &ListedRange<K>, next: &ListedRange<K>| {
            range.end.successor() == Some(next.start) && (!has_values || range.hits == next.hits)
        };
        while let Some(next) = ranges.next_if(|next| goes_on(&range, next)) {
            range.end = next.end;
        }
        Some(range)
    })
}

/// The fewest prefixes that make a range, in order: each with its first address and its length.
pub(super) fn prefixes<K: Int>(start: K, end: K) -> impl Iterator<Item = (K, u8)> {
    let mut next = Some(start);
    std::iter::from_fn(move || {
        let start = next.filter(|start| *start <= end)?;
        // As wide as its first address is aligned, and no wider than what is left.
        let fits = match (end - start).successor() {
            Some(left) => K::BITS - 1 - left.leading_zeros(),
            None => K::BITS,
        };
        let len = (K::BITS - fits.min(start.trailing_zeros())) as u8;
        next = start.last_of_prefix(len).successor();
        Some((start, len))
    })
}

/// Makes entries of the names of a sweep.
struct Names<'s, 'z, 't> {
    renderer: Option<Renderer<'s, 'z>>,
    take: &'t mut dyn FnMut(&ExportEntry<'_>) -> io::Result<()>,
    /// What is listed below the names from the apex down to that above the one at hand.
    above: Vec<Vec<Hit>>,
    test_points: bool,
    /// See [`Detail::hidden_names`].
    hidden: bool,
}

impl Visitor for Names<'_, '_, '_> {
    type Error = io::Error;

    fn node(&mut self, Node { name, itself, wildcard, .. }: Node<'_, '_>) -> io::Result<()> {
        let labels = crate::wire::name::Labels::of(name).count();
        self.above.truncate(labels);
        let above = self.above.last().map_or(&[][..], Vec::as_slice);
        // The apex is no key.
        let is_test = !self.test_points && name == b"\x04test\0" && wildcard.is_empty();
        let is_told = |hits: &[Hit]| hits != above || self.hidden && !hits.is_empty();
        let itself_told = labels > 0 && is_told(itself) && !(is_test && above.is_empty());
        let below_told = is_told(wildcard);
        if itself_told && below_told && itself == wildcard {
            self.entry(name, NameScope::Both, itself)?;
        } else {
            if itself_told {
                self.entry(name, NameScope::Itself, itself)?;
            }
            if below_told {
                self.entry(name, NameScope::Below, wildcard)?;
            }
        }
        self.above.push(wildcard.to_vec());
        Ok(())
    }

    /// Only wildcards for addresses ask.
    fn shows_key(&mut self, _: &Hit) -> bool {
        false
    }
}

impl Names<'_, '_, '_> {
    fn entry(&mut self, name: &[u8], scope: NameScope, hits: &[Hit]) -> io::Result<()> {
        let values = self.renderer.as_mut().map_or(&[][..], |it| it.of_name(hits, name));
        let key = ExportKey::Name(name, scope);
        (self.take)(&ExportEntry { key, values, is_excluded: hits.is_empty() })
    }
}

/// The place of a key in the order of entries.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Place {
    Ip4(u32, u8),
    Ip6(u128, u8),
    Name(Vec<u8>, NameScope),
}

impl ExportKey<'_> {
    pub(super) fn place(&self) -> Place {
        match self {
            Self::Ip4(net) => Place::Ip4(net.network().into(), net.prefix_len()),
            Self::Ip6(net) => Place::Ip6(net.network().into(), net.prefix_len()),
            Self::Name(name, scope) => {
                let mut key = Vec::with_capacity(name.len());
                encode_key(name, &mut key);
                Place::Name(key, *scope)
            }
        }
    }
}

/// An address without the length of its prefix, or a prefix; a name as the dataset type `dnset` has it: `*.` before it
/// for all below it, `.` for the name and all below it.
impl fmt::Display for ExportKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip4(net) if net.prefix_len() == 32 => net.network().fmt(f),
            Self::Ip4(net) => net.fmt(f),
            Self::Ip6(net) if net.prefix_len() == 128 => net.network().fmt(f),
            Self::Ip6(net) => net.fmt(f),
            Self::Name(name, scope) => {
                let mut text = Vec::with_capacity(name.len());
                write_text(name, &mut text);
                let text = String::from_utf8_lossy(&text);
                let is_root = text == ".";
                match scope {
                    NameScope::Below if is_root => f.write_str("*"),
                    NameScope::Both if !is_root => write!(f, ".{text}"),
                    NameScope::Below => write!(f, "*.{text}"),
                    NameScope::Itself | NameScope::Both => f.write_str(&text),
                }
            }
        }
    }
}
