//! Flat arrays of numbers, which tries and answers consist of: owned, or a part of memory that is
//! shared, such as a mapped snapshot. Those who read them cannot tell.

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// What keeps shared memory in place.
pub type Owner = Arc<dyn Any + Send + Sync>;

/// An array of numbers, immutable once it is built.
///
/// ```
/// use dnsbld::flat::Flat;
/// use std::sync::Arc;
///
/// let owned = Flat::from(vec![1u32, 2, 3]);
/// let shared = Flat::shared(&[1, 2, 3], Arc::new(()));
/// assert_eq!(owned, shared);
/// assert_eq!(owned[1], 2);
/// assert_eq!((shared.heap(), shared.mapped()), (0, 12));
/// ```
#[derive(Clone)]
pub struct Flat<T: 'static>(Memory<T>);

/// With `repr`, both have their items at the same place, so that reading them takes no branch.
#[derive(Clone)]
#[repr(usize)]
enum Memory<T: 'static> {
    Owned(Box<[T]>),
    /// `items` may live only as long as the owner: nothing here hands it out for longer than a
    /// borrow of the array itself.
    Shared {
        items: &'static [T],
        _owner: Owner,
    },
    #[cfg(any(test, fuzzing))]
    Changing(Vec<T>),
}

/// Gives an array that is no longer small room for many items at once, of which the system gives only
/// what is used: an array that grows step by step leaves its smaller places behind in the heap.
#[inline]
pub(crate) fn make_room<T>(items: &mut Vec<T>) {
    const FEW: usize = 16 << 10;
    const MANY: usize = 1 << 20;
    let size = size_of::<T>();
    if items.len() * size >= FEW && items.capacity() * size < MANY {
        items.reserve(MANY / size);
    }
}

impl<T> Flat<T> {
    /// An array in memory that `owner` keeps.
    pub fn shared(items: &'static [T], owner: Owner) -> Self {
        Self(Memory::Shared { items, _owner: owner })
    }

    /// Its size in this process's own memory, in bytes.
    pub fn heap(&self) -> usize {
        match &self.0 {
            Memory::Owned(items) => size_of_val(&**items),
            Memory::Shared { .. } => 0,
            #[cfg(any(test, fuzzing))]
            Memory::Changing(items) => size_of_val(&**items),
        }
    }

    /// Its size in shared memory, in bytes.
    pub fn mapped(&self) -> usize {
        match &self.0 {
            Memory::Shared { items, .. } => size_of_val(*items),
            _ => 0,
        }
    }

    /// The array to be changed, as the process's own.
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

impl<T> Deref for Flat<T> {
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

impl<T> From<Vec<T>> for Flat<T> {
    fn from(items: Vec<T>) -> Self {
        Self(Memory::Owned(items.into()))
    }
}

impl<T> FromIterator<T> for Flat<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Vec::from_iter(items).into()
    }
}

impl<T> Default for Flat<T> {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl<T: PartialEq> PartialEq for Flat<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Flat<T> {}

impl<T: fmt::Debug> fmt::Debug for Flat<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&**self).finish()
    }
}

/// A number that an array can be stored of, or a pair: any bytes are one, and none is padding.
pub trait Item: Copy + Send + Sync + sealed::Sealed + 'static {
    /// Appends the bytes of these items, of each number the lowest first.
    fn put(items: &[Self], out: &mut Vec<u8>);
}

mod sealed {
    /// Only this module says what an item is; [`crate::snapshot`] relies on it.
    pub trait Sealed {}
}

macro_rules! items {
    ($($type:ty)*) => {
        $(impl sealed::Sealed for $type {}

        impl Item for $type {
            fn put(items: &[Self], out: &mut Vec<u8>) {
                out.extend(items.iter().flat_map(|item| item.to_le_bytes()));
            }
        })*
    };
}
items!(u16 u32 u64 u128);

impl sealed::Sealed for u8 {}

impl Item for u8 {
    fn put(items: &[Self], out: &mut Vec<u8>) {
        out.extend_from_slice(items);
    }
}

impl sealed::Sealed for [u32; 2] {}

impl Item for [u32; 2] {
    fn put(items: &[Self], out: &mut Vec<u8>) {
        u32::put(items.as_flattened(), out);
    }
}

/// Takes the arrays of a structure, in an order that is part of the structure's format.
pub trait Sink {
    /// The next array.
    fn array<T: Item>(&mut self, items: &[T]);
}

/// Gives back the arrays that a [`Sink`] took, in the same order.
pub trait Source {
    /// The next array; `None` if there is none of this type. Its content may be anything.
    fn array<T: Item>(&mut self) -> Option<Flat<T>>;

    /// The next array, of a known length.
    fn numbers<T: Item, const N: usize>(&mut self) -> Option<[T; N]> {
        self.array()?.first_chunk().copied()
    }
}
