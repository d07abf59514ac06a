//! Memory that lies in a file. All that is `unsafe` about snapshots is here.
#![allow(unsafe_code)]

use crate::flat_array::{Element, FlatArray};
use memmap2::{Mmap, MmapMut};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// A mapped file, unmapped with the last array that lies in it.
pub(super) struct Mapping(Mmap);

impl Mapping {
    /// Maps a whole file, as long as it is now.
    pub(super) fn of(file: &File) -> io::Result<Arc<Self>> {
        // SAFETY: the bytes must not change while they are mapped. Whoever opens a snapshot
        // promises (see `open`) that dnsbld alone writes to the file, and dnsbld never writes to
        // a snapshot that has its name: `write` makes a new file, which takes the place of the
        // old one, whose bytes live on for those who have mapped them.
        let map = unsafe { Mmap::map(file) }?;
        Ok(Arc::new(Self(map)))
    }

    /// Memory of our own with these bytes, laid out as in a mapped file.
    pub(super) fn copy(bytes: &[u8]) -> io::Result<Arc<Self>> {
        // The system gives no map of nothing.
        let mut map = MmapMut::map_anon(bytes.len().max(1))?;
        map[..bytes.len()].copy_from_slice(bytes);
        Ok(Arc::new(Self(map.make_read_only()?)))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The items in a range of bytes; `None` if the range is not whole, or does not start where
    /// an item can.
    pub(super) fn array<T: Element>(self: &Arc<Self>, range: Range<usize>) -> Option<FlatArray<T>> {
        if range.is_empty() {
            return Some(FlatArray::default());
        }
        // Elsewhere the bytes of a number would have to be turned round.
        if cfg!(target_endian = "big") {
            return None;
        }
        let bytes = self.0.get(range)?;
        // SAFETY: `Element` is sealed: only integers and arrays of them, of which any bytes are a
        // value and none is padding. `align_to` sees to length and alignment.
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
