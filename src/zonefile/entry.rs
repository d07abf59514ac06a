//! The entry event: what one line of a list says.
//!
//! Every reader of text emits entries, and one place takes them: [`ListBuilder`], where the rules
//! of the dataset types stand once. Readers are parsers only: they say what a line spells, and
//! refuse only what spells nothing.
//!
//! A further text form (hosts, CSV, ...) is one more reader. It is a function of a line without
//! margins that calls [`Parser::emit`] for every entry of the line:
//!
//! - the [key](EntryKey) as it is written, host bits included: the rules refuse it or mend it;
//! - the [value](EntryValue): [`Default`](EntryValue::Default), or a [`Text`](EntryValue::Text) of
//!   the line;
//! - the reader advances its [`Scan`] up to the end of the key before it emits, because a refusal
//!   or a warning of the entry is reported where the cursor stands.
//!
//! The fast readers emit the same events many at a time, as a [`Batch`](super::batch::Batch).

use super::scan::Scan;
use crate::listing::ValueId;
use crate::listing::names::Scope;
use crate::wire::Type;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{Ipv4Addr, Ipv6Addr};

#[cfg(doc)]
use super::{list_builder::ListBuilder, parser::Parser};

/// An entry of a list.
#[derive(Debug)]
pub(super) struct Entry<'s, 't> {
    pub(super) key: EntryKey<'s>,
    pub(super) value: EntryValue<'s, 't>,
}

/// What an entry is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryKey<'k> {
    /// A prefix of IPv4 addresses.
    Prefix4 {
        /// The address as it is written, perhaps with bits below the length.
        address: u32,
        /// The length, at most 32.
        len: u8,
    },
    /// IPv4 addresses from a first to a last one.
    Range4 {
        /// The first address.
        start: u32,
        /// The last address, not below the first.
        end: u32,
    },
    /// A prefix of IPv6 addresses.
    Prefix6 {
        /// The address as it is written, perhaps with bits below the length.
        address: u128,
        /// The length, at most 128.
        len: u8,
    },
    /// A domain name.
    Name {
        /// The name in wire form and lower case.
        name: &'k [u8],
        /// Whether it stands for itself, for what is below, or for both.
        scope: Scope,
    },
    /// A key of an `aclkey` dataset, as it is written.
    AccessKey(&'k [u8]),
}

/// What an entry says about its key.
#[derive(Debug)]
pub(super) enum EntryValue<'s, 't> {
    /// The key is not listed.
    Excluded,
    /// The key has the default value.
    Default,
    /// The key has this text, and the A record of the default value.
    Text(&'s [u8]),
    /// The rest of the line is a value in rbldnsd's format.
    Rest(&'s mut Scan<'t>),
    /// The key has a record.
    Record(Record<'s>),
}

/// A record of a `generic` dataset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'s> {
    pub(super) rtype: Type,
    pub(super) ttl: u32,
    pub(super) data: &'s [u8],
    /// The text was longer than is used.
    pub(super) was_cut: bool,
}

/// Where an entry stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The file: the number of calls of `Parser::start_file` before its own.
    pub file: u16,
    /// The line, from 1.
    pub line: u32,
}

/// What an entry that was taken says about its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Says {
    /// The key is not listed.
    Excluded,
    /// The key is listed with this value: entries of one dataset, or of one section of a `combined` one, have
    /// equal values if these are equal. It is 0 in a type of which all entries have one value, and means
    /// nothing in access lists and for records.
    Listed(ValueId),
}

/// Is told of every entry that is taken: its place, its key, and what it says.
pub type Observer<'o> = dyn FnMut(Place, EntryKey<'_>, Says) + Send + 'o;

/// The IPv4 network that an address lies in.
pub(super) fn net4(address: u32, len: u8) -> IpNet {
    Ipv4Net::new(Ipv4Addr::from_bits(address), len).unwrap_or_default().trunc().into()
}

/// The IPv6 network that an address lies in.
pub(super) fn net6(address: u128, len: u8) -> IpNet {
    Ipv6Net::new(Ipv6Addr::from_bits(address), len).unwrap_or_default().trunc().into()
}
