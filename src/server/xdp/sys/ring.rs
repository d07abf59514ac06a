//! One ring of an AF_XDP socket.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use memmap2::{MmapOptions, MmapRaw};

use super::FRAMES;

/// One ring, mapped from the kernel, of plain integers. This side produces or consumes, the kernel does the other.
pub(super) struct Ring<T> {
    _memory: MmapRaw,
    producer: NonNull<AtomicU32>,
    consumer: NonNull<AtomicU32>,
    slots: NonNull<T>,
    /// How far this side has come. The kernel knows it once it is published or released.
    own: u32,
    /// How far the kernel had come when it was looked at: for a consumer.
    other: u32,
}

impl<T: Copy> Ring<T> {
    pub(super) fn map(fd: &OwnedFd, at: u64, offsets: &libc::xdp_ring_offset) -> io::Result<Self> {
        let len = offsets.desc as usize + FRAMES * size_of::<T>();
        let memory = MmapOptions::new().offset(at).len(len).map_raw(fd.as_raw_fd())?;
        let start = NonNull::new(memory.as_mut_ptr()).expect("nothing is mapped at null");
        let place = |offset: u64| {
            let offset = offset as usize;
            assert!(
                offset < len && offset.is_multiple_of(align_of::<T>().max(4)),
                "a ring beyond itself"
            );
            // SAFETY: within the mapping, which is `len` bytes long.
            unsafe { start.add(offset) }
        };
        Ok(Self {
            producer: place(offsets.producer).cast(),
            consumer: place(offsets.consumer).cast(),
            slots: place(offsets.desc).cast(),
            _memory: memory,
            own: 0,
            other: 0,
        })
    }

    fn producer(&self) -> &AtomicU32 {
        // SAFETY: it lies in the mapping, which lives as long as `self`, is aligned, and both sides use it as an
        // atomic alone.
        unsafe { self.producer.as_ref() }
    }

    fn consumer(&self) -> &AtomicU32 {
        // SAFETY: as for the producer.
        unsafe { self.consumer.as_ref() }
    }

    /// The slot of this side.
    fn slot(&self) -> NonNull<T> {
        // SAFETY: the mapping has `FRAMES` slots.
        unsafe { self.slots.add(self.own as usize % FRAMES) }
    }

    /// Puts a value into the next slot. It is free: there are no more frames than slots.
    pub(super) fn push(&mut self, value: T) {
        // SAFETY: the slot lies in the mapping, is aligned, and is this side's until it is published.
        unsafe { self.slot().write(value) };
        self.own = self.own.wrapping_add(1);
    }

    /// Lets the kernel see what was pushed; returns how much that is.
    pub(super) fn publish(&self) -> u32 {
        // Nobody else writes it.
        let published = self.producer().load(Ordering::Relaxed);
        self.producer().store(self.own, Ordering::Release);
        self.own.wrapping_sub(published)
    }

    /// Whether the kernel has taken all that was published.
    pub(super) fn is_taken(&self) -> bool {
        self.consumer().load(Ordering::Acquire) == self.own
    }

    /// Takes the next value, if the kernel has published one.
    pub(super) fn pop(&mut self) -> Option<T> {
        if self.own == self.other {
            self.other = self.producer().load(Ordering::Acquire);
            if self.own == self.other {
                return None;
            }
        }
        // SAFETY: the slot lies in the mapping, is aligned, and was published by the kernel, which leaves it alone until it is
        // released.
        let value = unsafe { self.slot().read() };
        self.own = self.own.wrapping_add(1);
        Some(value)
    }

    /// Lets the kernel have the slots of what was popped.
    pub(super) fn release(&self) {
        self.consumer().store(self.own, Ordering::Release);
    }
}
