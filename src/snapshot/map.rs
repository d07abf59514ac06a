//! Maps files. All `unsafe` code of snapshots stands here.
#![allow(unsafe_code)]

use crate::flat_array::{Element, FlatArray};
use memmap2::{Mmap, MmapMut};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// A mapped file. It is unmapped when the last array in it is dropped.
pub(super) struct Mapping(Mmap);

impl Mapping {
    /// Maps a whole file at its present length.
    pub(super) fn of(file: &File) -> io::Result<Arc<Self>> {
        // SAFETY: the bytes must not change while they are mapped. The caller of `open` promises that
        // only dnsbld writes to the file, and dnsbld never writes to a snapshot that has its name:
        // `write` renames a new file over the old one, whose bytes stay for those who have mapped them.
        let map = unsafe { Mmap::map(file) }?;
        Ok(Arc::new(Self(map)))
    }

    /// A copy of these bytes in memory, laid out as in a mapped file.
    pub(super) fn copy(bytes: &[u8]) -> io::Result<Arc<Self>> {
        // The system maps no empty range.
        let mut map = MmapMut::map_anon(bytes.len().max(1))?;
        map[..bytes.len()].copy_from_slice(bytes);
        Ok(Arc::new(Self(map.make_read_only()?)))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The items in a range of bytes; `None` if the range is outside, holds no whole number of items, or
    /// is not aligned for them.
    pub(super) fn array<T: Element>(self: &Arc<Self>, range: Range<usize>) -> Option<FlatArray<T>> {
        if range.is_empty() {
            return Some(FlatArray::default());
        }
        // A big-endian machine would have to turn the bytes of each number round.
        if cfg!(target_endian = "big") {
            return None;
        }
        let bytes = self.0.get(range)?;
        // SAFETY: `Element` is sealed: only integers and arrays of them, of which any bytes are a
        // value and none is padding. `align_to` checks length and alignment.
        let (before, items, after) = unsafe { bytes.align_to::<T>() };
        if !before.is_empty() || !after.is_empty() {
            return None;
        }
        // SAFETY: the memory lives as long as `self`, which the array keeps beside the slice and
        // drops with it; `FlatArray` hands the slice out for no longer than a borrow of itself.
        let items =
            unsafe { std::slice::from_raw_parts::<'static, T>(items.as_ptr(), items.len()) };
        Some(FlatArray::shared(items, Arc::clone(self) as _))
    }
}
