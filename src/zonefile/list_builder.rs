//! What each dataset type makes of entries (rbldnsd's manual, "Dataset types and formats"): the one
//! place where an entry meets the rules of its type.

use super::acl::AclBuilder;
use super::batch::Batch;
use super::entry::{Entry, EntryKey, EntryValue, net4};
use super::fast::{FastEntry, Prefix, Range4};
use super::fatal::Refused;
use super::hashes::HashesBuilder;
use super::rules::{Address, Rules, mapped_ip4};
use super::scan::Scan;
use super::values::{GROUP, Values};
use super::{Counts, FatalCause, Kind, Mistake, Options};
use crate::listing::addresses::{
    LayersBuilder, PREFIXES_OF_RANGE, PrefixesBuilder, SetBuilder4, SetBuilder6,
};
use crate::listing::names::{NamesBuilder, Scope};
use crate::listing::records::RecordsBuilder;
use crate::listing::{AnswerId, NewNumbers, ValueId};

/// The entries of a dataset so far.
#[derive(Debug)]
pub(super) enum ListBuilder {
    Ip4Set(LayersBuilder),
    Ip4Tset(SetBuilder4),
    Ip4Trie(PrefixesBuilder<u32>, PrefixesBuilder<u128>),
    Ip6Tset(SetBuilder6),
    Ip6Trie(PrefixesBuilder<u128>),
    Dnset(NamesBuilder),
    Hashset(HashesBuilder),
    Mixed(PrefixesBuilder<u32>, PrefixesBuilder<u128>, NamesBuilder),
    Acl(AclBuilder),
    Generic(RecordsBuilder),
}

impl ListBuilder {
    /// No entries yet; `None` for a type that has no entries itself.
    pub(super) fn new(kind: Kind, options: &Options) -> Option<Self> {
        Some(match kind {
            Kind::Ip4Set => Self::Ip4Set(LayersBuilder::default()),
            Kind::Ip4Tset => Self::Ip4Tset(SetBuilder4::default()),
            Kind::Ip4Trie => Self::Ip4Trie(PrefixesBuilder::default(), PrefixesBuilder::default()),
            Kind::Ip6Tset => Self::Ip6Tset(SetBuilder6::default()),
            Kind::Ip6Trie => Self::Ip6Trie(PrefixesBuilder::default()),
            Kind::Dnset => Self::Dnset(NamesBuilder::new(options.threads)),
            Kind::Hashset => Self::Hashset(HashesBuilder::new(options.hash)),
            Kind::Mixed => Self::Mixed(
                PrefixesBuilder::default(),
                PrefixesBuilder::default(),
                NamesBuilder::new(options.threads),
            ),
            Kind::Acl => Self::Acl(AclBuilder::clients()),
            Kind::AclKey => Self::Acl(AclBuilder::keys()),
            Kind::Generic => Self::Generic(RecordsBuilder::default()),
            Kind::Combined => return None,
        })
    }

    /// The entries by size or scope.
    pub(super) fn counts(&self) -> Counts {
        match self {
            Self::Ip4Set(set) => Counts::Blocks(set.blocks()),
            Self::Ip6Tset(set) => {
                let (listed, excluded) = set.counts();
                Counts::Networks { listed, excluded }
            }
            Self::Dnset(names) => {
                let (itself, below) = names.scopes();
                Counts::Names { itself, below }
            }
            _ => Counts::Plain,
        }
    }

    /// True if a line that starts like this sets the default value.
    pub(super) fn is_default_line(&self, scan: &Scan<'_>) -> bool {
        if let Self::Acl(acl) = self {
            return acl.is_default_line(scan);
        }
        let may_be_ip6 = matches!(self, Self::Ip4Trie(..) | Self::Ip6Trie(_) | Self::Mixed(..));
        scan.peek() == b':'
            && !(may_be_ip6 && scan.peek_second() == b':')
            && !matches!(self, Self::Generic(_))
    }

    /// Takes a default line. A reason returned is a warning only.
    pub(super) fn default_line(
        &mut self,
        scan: &mut Scan<'_>,
        values: &mut Values,
    ) -> Result<Option<Mistake>, Refused> {
        match self {
            Self::Acl(acl) => acl.default_line(scan, values),
            _ => values.default_line(scan),
        }
    }

    /// Takes an entry; `number` is its number in the files. A reason returned is a warning only.
    pub(super) fn add(
        &mut self,
        entry: Entry<'_, '_>,
        values: &mut Values,
        rules: Rules<'_>,
        number: u32,
    ) -> Result<Option<Mistake>, Refused> {
        use EntryKey::{Name, Prefix4, Prefix6, Range4};
        let Entry { key, value } = entry;
        match (self, key) {
            (Self::Ip4Set(set), Prefix4 { .. } | Range4 { .. }) => {
                let (start, end) = match key {
                    Prefix4 { address, len } => rules.set_block(address, len)?,
                    Range4 { start, end } => {
                        rules.check_size(start, end)?;
                        (start, end)
                    }
                    _ => return Err(Mistake::OtherType.into()),
                };
                let (value, warning) = values.of_entry(value)?;
                set.add_range(start, end, value);
                Ok(warning)
            }
            (Self::Ip4Tset(set), Prefix4 { address, len }) => {
                if len < 32 {
                    return Err(Mistake::NotSingle4.into());
                }
                set.add(address);
                Ok(None)
            }
            (Self::Ip4Tset(_), Range4 { .. }) => Err(Mistake::NotSingle4.into()),
            (Self::Ip4Trie(trie, _) | Self::Mixed(trie, ..), Prefix4 { address, len }) => {
                add_prefix(trie, address, len, value, values, rules, number)
            }
            (
                Self::Ip4Trie(trie4, trie6) | Self::Mixed(trie4, trie6, _),
                Prefix6 { address, len },
            ) => {
                let start = address.admit(len, rules)?;
                let (value, warning) = values.of_entry(value)?;
                let answer = values.answer(value);
                let Some((start, len)) = mapped_ip4(start, len) else {
                    trie6.add(start, len, answer, number);
                    return Ok(warning);
                };
                trie4.add(start, len, answer, number);
                let read = Mistake::MappedRead(net4(start, len));
                Ok(warning.or(rules.is_native().then_some(read)))
            }
            (Self::Ip4Trie(trie, _) | Self::Mixed(trie, ..), Range4 { start, end }) => {
                rules.check_size(start, end)?;
                let (value, warning) = values.of_entry(value)?;
                add_scattered(trie, (start, end), values.answer(value), number)?;
                Ok(warning)
            }
            (Self::Ip6Tset(set), Prefix6 { address, len }) => {
                let excluded = matches!(value, EntryValue::Excluded);
                match (excluded, len) {
                    (false, 64) => set.add(address.admit(len, rules)?),
                    (true, 128) => set.exclude(address),
                    _ => return Err(Mistake::NotSingle6 { excluded }.into()),
                }
                Ok(None)
            }
            (Self::Ip6Trie(trie), Prefix6 { address, len }) => {
                let warning = add_prefix(trie, address, len, value, values, rules, number)?;
                let mapped = mapped_ip4(address, len).filter(|_| rules.options.is_beside_ip4);
                let mapped = mapped.map(|(start, len)| Mistake::Mapped(net4(start, len)));
                Ok(mapped.or(warning))
            }
            (Self::Dnset(names) | Self::Mixed(_, _, names), Name { name, scope }) => {
                let (value, warning) = values.of_entry(value)?;
                names.add(name, scope, value).map_err(|_| FatalCause::TooLarge)?;
                Ok(warning)
            }
            (Self::Hashset(hashes), Name { name, scope: Scope::Itself }) => {
                let (value, warning) = values.of_entry(value)?;
                hashes.add(name, value)?;
                Ok(warning)
            }
            (Self::Acl(acl), _) => acl.add(key, value, values, rules, number),
            (Self::Generic(records), Name { name, .. }) => {
                let EntryValue::Record(record) = value else {
                    return Err(Mistake::OtherType.into());
                };
                let added = records.add(name, record.rtype, record.ttl, record.data);
                added.map_err(|_| FatalCause::TooLarge)?;
                Ok(record.was_cut.then_some(Mistake::LongText))
            }
            _ => Err(Mistake::OtherType.into()),
        }
    }

    /// Gives values their new numbers, where some values of batches had several.
    pub(super) fn renumber_values(&mut self, numbers: &NewNumbers) {
        match self {
            Self::Ip4Set(set) => set.renumber_values(numbers),
            Self::Ip4Trie(trie4, trie6) => {
                trie4.renumber_values(numbers);
                trie6.renumber_values(numbers);
            }
            Self::Ip6Trie(trie) => trie.renumber_values(numbers),
            Self::Dnset(names) => names.renumber_values(numbers),
            Self::Hashset(hashes) => hashes.renumber_values(numbers),
            Self::Ip4Tset(_)
            | Self::Ip6Tset(_)
            | Self::Mixed(..)
            | Self::Acl(_)
            | Self::Generic(_) => {}
        }
    }

    /// Takes entries of a batch up to the first that breaks a rule, which [`add`](Self::add) refuses,
    /// and returns their number. Their lines are in `chunk`, and `number` is the number of the first
    /// of them. `None` if the batch is of another type.
    pub(super) fn add_batch(
        &mut self,
        batch: Batch<'_>,
        chunk: &[u8],
        values: &mut Values,
        rules: Rules<'_>,
        number: u64,
    ) -> Result<Option<usize>, FatalCause> {
        let count = match (self, batch) {
            (Self::Ip4Set(set), Batch::Addresses(addresses)) => {
                set.add_singles(addresses, values.default_id()?);
                addresses.len()
            }
            (Self::Ip4Tset(set), Batch::Addresses(addresses)) => {
                set.add_all(addresses);
                addresses.len()
            }
            (Self::Ip4Set(set), Batch::Prefixes4(entries)) => {
                let block = |key: Prefix<u32>| rules.set_block(key.address, key.len).ok();
                let add = |(start, end), value, _: &mut Values| {
                    set.add_range(start, end, value);
                    Ok(())
                };
                add_admitted(entries, chunk, values, block, add)?
            }
            (Self::Ip4Set(set), Batch::Ranges4(entries)) => {
                let add = |range: Range4, value, _: &mut Values| {
                    set.add_range(range.start, range.end, value);
                    Ok(())
                };
                add_admitted(entries, chunk, values, |range| rules.range(range), add)?
            }
            (Self::Ip4Trie(trie, _), Batch::Prefixes4(entries)) => {
                add_prefixes(trie, entries, chunk, values, rules, number)?
            }
            (Self::Ip4Trie(trie, _), Batch::Ranges4(entries)) => {
                let mut number = entry_numbers(number, entries.len())?;
                // The general reader refuses or tells the others.
                let admit = |range: Range4| {
                    rules.range(range).filter(|_| range.is_whole && rules.is_native())
                };
                add_admitted(entries, chunk, values, admit, |range, value, values| {
                    let answer = values.answer(value);
                    add_scattered(trie, (range.start, range.end), answer, number)?;
                    number += 1;
                    Ok(())
                })?
            }
            (Self::Ip6Trie(trie), Batch::Prefixes6(entries)) => {
                add_prefixes(trie, entries, chunk, values, rules, number)?
            }
            (Self::Dnset(names), Batch::Names(mut written, its_values)) => {
                if !names.has_room(written, its_values.len()) {
                    return Err(FatalCause::TooLarge);
                }
                for its_values in its_values.chunks(GROUP) {
                    let group = values.of_group(its_values.iter().copied(), chunk)?;
                    for &value in &group[..its_values.len()] {
                        written = names.add_written(written, value);
                    }
                }
                its_values.len()
            }
            (Self::Hashset(hashes), Batch::Names(mut written, its_values)) => {
                let mut taken = 0;
                for its_values in its_values.chunks(GROUP) {
                    let count;
                    (count, written) = hashes.pack_group(written);
                    let its_values = its_values.iter().copied().take(count);
                    hashes.add_group(&values.of_group(its_values, chunk)?[..count]);
                    taken += count;
                    if count < GROUP {
                        break;
                    }
                }
                taken
            }
            _ => return Ok(None),
        };
        Ok(Some(count))
    }
}

fn add_prefix<A: Address>(
    trie: &mut PrefixesBuilder<A>,
    address: A,
    len: u8,
    value: EntryValue<'_, '_>,
    values: &mut Values,
    rules: Rules<'_>,
    number: u32,
) -> Result<Option<Mistake>, Refused> {
    let start = address.admit(len, rules)?;
    let (value, warning) = values.of_entry(value)?;
    trie.add(start, len, values.answer(value), number);
    Ok(warning)
}

/// Adds a range, unless the ranges are made of too many prefixes.
fn add_scattered(
    trie: &mut PrefixesBuilder<u32>,
    (start, end): (u32, u32),
    answer: AnswerId,
    number: u32,
) -> Result<(), FatalCause> {
    let added = trie.add_range(start, end, answer, number);
    added.map_err(|prefixes| FatalCause::ScatteredRanges(PREFIXES_OF_RANGE, prefixes))
}

fn add_prefixes<A: Address>(
    trie: &mut PrefixesBuilder<A>,
    entries: &[FastEntry<Prefix<A>>],
    chunk: &[u8],
    values: &mut Values,
    rules: Rules<'_>,
    number: u64,
) -> Result<usize, FatalCause> {
    let mut number = entry_numbers(number, entries.len())?;
    let admit = |Prefix { address, len }: Prefix<A>| match address.is_mapped_ip4() {
        // The general reader tells it.
        true => None,
        false => address.admit(len, rules).ok().map(|start| (start, len)),
    };
    add_admitted(entries, chunk, values, admit, |(start, len), value, values| {
        trie.add(start, len, values.answer(value), number);
        number += 1;
        Ok(())
    })
}

/// Adds entries up to the first that is not admitted, and returns their number.
fn add_admitted<K: Copy, L>(
    entries: &[FastEntry<K>],
    chunk: &[u8],
    values: &mut Values,
    admit: impl Fn(K) -> Option<L>,
    mut add: impl FnMut(L, Option<ValueId>, &mut Values) -> Result<(), FatalCause>,
) -> Result<usize, FatalCause> {
    let mut count = 0;
    for group in entries.chunks(GROUP) {
        let good = group.iter().take_while(|entry| admit(entry.key).is_some()).count();
        let its_values = values.of_group(group[..good].iter().map(|entry| entry.value), chunk)?;
        for (entry, value) in group[..good].iter().zip(its_values) {
            if let Some(key) = admit(entry.key) {
                add(key, value, values)?;
            }
        }
        count += good;
        if good < group.len() {
            break;
        }
    }
    Ok(count)
}

/// The number of the first of so many entries.
fn entry_numbers(first: u64, count: usize) -> Result<u32, FatalCause> {
    entry_number(first + count as u64)?;
    entry_number(first)
}

/// The number of an entry, of which there are fewer than 2^31.
pub(super) fn entry_number(number: u64) -> Result<u32, FatalCause> {
    i32::try_from(number).map(i32::cast_unsigned).map_err(|_| FatalCause::TooLarge)
}
