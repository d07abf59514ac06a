//! Flat arrays of integers, the parts of tries and answers. An array is owned, or lies in shared
//! memory such as a mapped snapshot; a reader sees no difference.

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The owner of shared memory, which keeps it in place.
pub type Owner = Arc<dyn Any + Send + Sync>;

/// An array of integers, immutable once it is built.
///
/// ```
/// use dnsbld::flat_array::FlatArray;
/// use std::sync::Arc;
///
/// let owned = FlatArray::from(vec![1u32, 2, 3]);
/// let shared = FlatArray::shared(&[1, 2, 3], Arc::new(()));
/// assert_eq!(owned, shared);
/// assert_eq!(owned[1], 2);
/// assert_eq!((shared.heap(), shared.mapped()), (0, 12));
/// ```
#[derive(Clone)]
pub struct FlatArray<T: 'static>(Memory<T>);

/// `repr(usize)` puts the items of all variants at the same place, so that a read takes no branch.
#[derive(Clone)]
#[repr(usize)]
enum Memory<T: 'static> {
    Owned(Box<[T]>),
    /// `items` lives only as long as the owner: no method hands it out for longer than a borrow of
    /// the array itself.
    Shared {
        items: &'static [T],
        _owner: Owner,
    },
    #[cfg(any(test, fuzzing))]
    Changing(Vec<T>),
}

/// Reserves capacity for many items once a vector is no longer small. The system only backs the part
/// that is used, while a vector that grows step by step leaves its smaller copies behind in the heap.
#[inline]
pub(crate) fn make_room<T>(items: &mut Vec<T>) {
    const FEW: usize = 16 << 10;
    const MANY: usize = 1 << 20;
    let size = size_of::<T>();
    if items.len() * size >= FEW && items.capacity() * size < MANY {
        items.reserve(MANY / size);
    }
}

impl<T> FlatArray<T> {
    /// An array in memory that `owner` keeps in place.
    pub fn shared(items: &'static [T], owner: Owner) -> Self {
        Self(Memory::Shared { items, _owner: owner })
    }

    /// The size in this process's own memory, in bytes.
    pub fn heap(&self) -> usize {
        match &self.0 {
            Memory::Owned(items) => size_of_val(&**items),
            Memory::Shared { .. } => 0,
            #[cfg(any(test, fuzzing))]
            Memory::Changing(items) => size_of_val(&**items),
        }
    }

    /// The size in shared memory, in bytes.
    pub fn mapped(&self) -> usize {
        match &self.0 {
            Memory::Shared { items, .. } => size_of_val(*items),
            _ => 0,
        }
    }

    /// A vector of the items that can be changed, in the process's own memory.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn to_mut(&mut self) -> &mut Vec<T>
    where
        T: Clone,
    {
        if !matches!(self.0, Memory::Changing(_)) {
            self.0 = Memory::Changing(self.to_vec());
        }
        match &mut self.0 {
            Memory::Changing(items) => items,
            _ => unreachable!("it was just made one to be changed"),
        }
    }
}

impl<T> Deref for FlatArray<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        match &self.0 {
            Memory::Owned(items) => items,
            Memory::Shared { items, .. } => items,
            #[cfg(any(test, fuzzing))]
            Memory::Changing(items) => items,
        }
    }
}

impl<T> From<Vec<T>> for FlatArray<T> {
    fn from(items: Vec<T>) -> Self {
        Self(Memory::Owned(items.into()))
    }
}

impl<T> FromIterator<T> for FlatArray<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Vec::from_iter(items).into()
    }
}

impl<T> Default for FlatArray<T> {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl<T: PartialEq> PartialEq for FlatArray<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for FlatArray<T> {}

impl<T: fmt::Debug> fmt::Debug for FlatArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&**self).finish()
    }
}

/// An integer, or an array of them: any bytes are a valid value, and no byte is padding.
pub trait Element: Copy + Send + Sync + sealed::Sealed + 'static {
    /// Appends the bytes of these items, little-endian.
    fn put(items: &[Self], out: &mut Vec<u8>);
}

mod sealed {
    /// Seals the trait: mapping bytes as items is sound only for the types below.
    pub trait Sealed {}
}

macro_rules! items {
    ($($type:ty)*) => {
        $(impl sealed::Sealed for $type {}

        impl Element for $type {
            fn put(items: &[Self], out: &mut Vec<u8>) {
                out.extend(items.iter().flat_map(|item| item.to_le_bytes()));
            }
        })*
    };
}
items!(u16 u32 u64 u128);

impl sealed::Sealed for u8 {}

impl Element for u8 {
    fn put(items: &[Self], out: &mut Vec<u8>) {
        out.extend_from_slice(items);
    }
}

impl sealed::Sealed for [u32; 2] {}

impl Element for [u32; 2] {
    fn put(items: &[Self], out: &mut Vec<u8>) {
        u32::put(items.as_flattened(), out);
    }
}

/// Writes the arrays of a structure, in an order that is part of the structure's format.
pub trait ArrayWriter {
    /// Writes the next array.
    fn array<T: Element>(&mut self, items: &[T]);
}

/// Reads the arrays that an [`ArrayWriter`] wrote, in the same order.
pub trait ArrayReader {
    /// Reads the next array; `None` if it is missing or of another type. The content is unchecked.
    fn array<T: Element>(&mut self) -> Option<FlatArray<T>>;

    /// Reads the next array, of a known length.
    fn numbers<T: Element, const N: usize>(&mut self) -> Option<[T; N]> {
        self.array()?.first_chunk().copied()
    }
}
