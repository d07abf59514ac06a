//! Addresses as names: a walk through octets and nibbles at once.
//!
//! A block is what lies below a name such as `10` (10.0.0.0/8) or `8.b.d` (db80::/12), or both, as
//! `0.0.2` does (2.0.0.0/24 and 2000::/12). A block whose addresses all give the same is one
//! wildcard, and nothing if the wildcard above gives it anyway. Any other block exists as a name,
//! which hides the wildcards above it (RFC 4592 section 3.3.1); each of its parts is written that
//! differs from what most parts give, if that is made a wildcard of its own, else each that is
//! listed.
//!
//! A wildcard takes names of any length: so `*.0.0.2` for 2.0.0.0/24 alone would list most of the
//! IPv6 Internet. It is not alone: its parts that are nibbles too are written one by one.

use super::lists::{Hit, Hits, Lists};
use super::merge::{Merge, Node};
use hashbrown::HashMap;
use std::io;
use std::rc::Rc;

/// Gives all names that exist for the addresses listed to `merge`, in canonical order.
pub(super) fn walk(lists: &Lists<'_>, merge: &mut Merge<'_, '_>) -> io::Result<()> {
    let labels: Rc<[Label]> = labels().into();
    let mut walk = Walk { merge, lists, labels, none: Hits::from([]) };
    let root = Block { name: vec![0], depth: 0, octets: Some(0), nibbles: Some(0) };
    let none = walk.none.clone();
    walk.visit(&root, none)
}

struct Walk<'w, 'z, 'm, 'o> {
    merge: &'w mut Merge<'m, 'o>,
    lists: &'w Lists<'z>,
    labels: Rc<[Label]>,
    none: Hits,
}

/// The addresses below a name.
struct Block {
    /// The name, in wire form.
    name: Vec<u8>,
    /// The number of its labels.
    depth: u32,
    /// The first IPv4 address, if the labels are octets.
    octets: Option<u32>,
    /// The first IPv6 address, if the labels are nibbles.
    nibbles: Option<u128>,
}

/// A label of an address.
struct Label {
    text: Vec<u8>,
    octet: Option<u8>,
    nibble: Option<u8>,
}

/// A part of a block.
struct Part<'l> {
    label: &'l Label,
    /// What its IPv4 addresses give, if there are such and they all give the same.
    octets: Option<Option<Hits>>,
    nibbles: Option<Option<Hits>>,
}

impl Part<'_> {
    /// What all addresses in it give, if that is the same.
    fn hits(&self) -> Option<&Hits> {
        match (&self.octets, &self.nibbles) {
            (Some(hits), None) | (None, Some(hits)) => hits.as_ref(),
            (Some(octets), Some(nibbles)) => octets.as_ref().filter(|_| octets == nibbles),
            (None, None) => None,
        }
    }
}

const IP4_DEPTH: u32 = 4;
const IP6_DEPTH: u32 = 32;

impl Walk<'_, '_, '_, '_> {
    /// Gives the name of a block whose addresses differ, which itself gives `itself`, and those
    /// below it.
    fn visit(&mut self, block: &Block, itself: Hits) -> io::Result<()> {
        let labels = Rc::clone(&self.labels);
        let parts = self.parts(block, &labels);
        let wildcard = if block.depth == 0 { self.none.clone() } else { self.wildcard(&parts) };
        let node = Node { itself, below: wildcard.clone(), has_more: true };
        self.merge.address(&block.name, node)?;
        for part in parts {
            if part.hits() != Some(&wildcard) {
                self.part(&self.child(block, part.label), part)?;
            }
        }
        Ok(())
    }

    /// Gives the names of a part that the wildcard of its block does not do for.
    fn part(&mut self, child: &Block, part: Part<'_>) -> io::Result<()> {
        let full_ip4 = part.octets.is_some() && child.depth == IP4_DEPTH;
        let full_ip6 = part.nibbles.is_some() && child.depth == IP6_DEPTH;
        let longer = part.octets.is_some() && !full_ip4 || part.nibbles.is_some() && !full_ip6;
        let only = |wanted: bool, hits: &Hits| if wanted { hits } else { &self.none }.clone();
        if let Some(hits) = part.hits() {
            let itself = only(full_ip4 || full_ip6, hits);
            let node = Node { itself, below: only(longer, hits), has_more: false };
            return self.merge.address(&child.name, node);
        }
        let itself = part.octets.flatten().filter(|_| full_ip4);
        self.visit(child, itself.unwrap_or_else(|| self.none.clone()))
    }

    fn child(&self, block: &Block, label: &Label) -> Block {
        let depth = block.depth + 1;
        let mut name = Vec::with_capacity(block.name.len() + 1 + label.text.len());
        name.push(label.text.len() as u8);
        name.extend_from_slice(&label.text);
        name.extend_from_slice(&block.name);
        let octets = block.octets.filter(|_| depth <= IP4_DEPTH).zip(label.octet);
        let nibbles = block.nibbles.filter(|_| depth <= IP6_DEPTH).zip(label.nibble);
        Block {
            name,
            depth,
            octets: octets.map(|(start, octet)| start | u32::from(octet) << (32 - 8 * depth)),
            nibbles: nibbles.map(|(start, nibble)| start | u128::from(nibble) << (128 - 4 * depth)),
        }
    }

    /// The parts of a block, in canonical order.
    fn parts<'l>(&self, block: &Block, labels: &'l [Label]) -> Vec<Part<'l>> {
        let octets = block.octets.filter(|_| block.depth < IP4_DEPTH).map(|start| {
            self.give(start.into(), 256, 24 - 8 * block.depth, |key| {
                let (hits, last) = self.lists.of_ip4(key as u32);
                (hits, last.into())
            })
        });
        let nibbles = block
            .nibbles
            .filter(|_| block.depth < IP6_DEPTH)
            .map(|start| self.give(start, 16, 124 - 4 * block.depth, |key| self.lists.of_ip6(key)));
        let part = |label: &'l Label| {
            let of = |parts: &Option<Vec<Option<Hits>>>, index: Option<u8>| {
                Some(parts.as_ref()?[usize::from(index?)].clone())
            };
            let part = Part {
                label,
                octets: of(&octets, label.octet),
                nibbles: of(&nibbles, label.nibble),
            };
            (part.octets.is_some() || part.nibbles.is_some()).then_some(part)
        };
        labels.iter().filter_map(part).collect()
    }

    /// What each of `count` parts of 2^`bits` addresses gives, from `start` on; `None` where the
    /// addresses of a part differ. `at` gives the hits of an address, and up to where they hold.
    fn give(
        &self,
        start: u128,
        count: u128,
        bits: u32,
        at: impl Fn(u128) -> (Vec<Hit>, u128),
    ) -> Vec<Option<Hits>> {
        let look_up = |key| {
            let (hits, last) = at(key);
            (if hits.is_empty() { self.none.clone() } else { Hits::from(hits) }, last)
        };
        let (mut hits, mut last) = look_up(start);
        let part = |index: u128| {
            let first = start + (index << bits);
            let end = first + ((1 << bits) - 1);
            if last < first {
                (hits, last) = look_up(first);
            }
            // What is known can end although the same holds behind it.
            while last < end {
                let (next, next_last) = look_up(last + 1);
                if next != hits {
                    return None;
                }
                last = next_last;
            }
            Some(hits.clone())
        };
        (0..count).map(part).collect()
    }

    /// What a wildcard for all these parts should give: what most of them do, if writing the others
    /// is shorter than writing those that are listed; else nothing. A text that shows the key is
    /// not put where not all addresses are listed.
    fn wildcard(&mut self, parts: &[Part<'_>]) -> Hits {
        let mut counts: HashMap<&Hits, usize> = HashMap::new();
        for hits in parts.iter().filter_map(Part::hits) {
            *counts.entry(hits).or_default() += 1;
        }
        let none = counts.get(&self.none).copied().unwrap_or(0);
        let most = parts
            .iter()
            .filter_map(Part::hits)
            .filter(|hits| !hits.is_empty())
            .max_by_key(|hits| counts.get(*hits).copied().unwrap_or(0));
        match most {
            Some(hits) if counts[hits] > none + 1 && !self.merge.shows_key(hits) => hits.clone(),
            _ => self.none.clone(),
        }
    }
}

/// All labels of addresses, in canonical order.
fn labels() -> Vec<Label> {
    let octet = |octet: u8| Label {
        text: octet.to_string().into_bytes(),
        octet: Some(octet),
        nibble: (octet < 10).then_some(octet),
    };
    let letter =
        |nibble: u8| Label { text: vec![b'a' + nibble - 10], octet: None, nibble: Some(nibble) };
    let mut labels: Vec<_> = (0..=255).map(octet).chain((10..16).map(letter)).collect();
    labels.sort_by(|a, b| a.text.cmp(&b.text));
    labels
}
