//! The header and the table of sections. `docs/format.md` has the byte map; a test compares the two.

use std::ops::Range;
use xxhash_rust::xxh3::Xxh3Default;

/// The first bytes of a snapshot. The first byte is no ASCII and the last a newline, so that a transfer
/// as text or in 7 bits is noticed.
pub const MAGIC: [u8; 8] = *b"\x89dnsbld\n";
/// The version of the format: of the header, the sections, the tries and the hash in the names'
/// tree. Snapshots of other versions are not read.
pub const VERSION: u32 = 4;
/// The bytes `04 03 02 01` as a number of a little-endian machine.
pub const BYTE_ORDER: u32 = 0x0102_0304;

/// The size of the header.
pub const HEADER: usize = 128;
/// The offset of the version in the header.
pub const VERSION_AT: usize = 8;
/// The offset of the byte order.
pub const BYTE_ORDER_AT: usize = 12;
/// The offset of the size of the whole file.
pub const FILE_SIZE_AT: usize = 16;
/// The offset of the size of the data part, which follows the header.
pub const DATA_SIZE_AT: usize = 24;
/// The offset of the size of the origin, which follows the data part.
pub const ORIGIN_SIZE_AT: usize = 32;
/// The offset of the zeros before the id.
pub const RESERVED_AT: usize = 40;
/// The offset of the id, the hash of the data part.
pub const ID_AT: usize = 96;
/// The offset of the hash of the header before it and of the origin.
pub const CHECKSUM_AT: usize = 112;

/// The size of the number of sections with the zeros behind it.
pub const TABLE_HEAD: usize = 8;
/// The size of an entry of the table of sections.
pub const TABLE_ENTRY: usize = 24;
/// The highest number of sections.
pub const MAX_SECTIONS: usize = 64;
/// Sections start at multiples of this, from the start of the file.
pub const ALIGNMENT: usize = 64;

/// The part of the dataset that a section belongs to: the upper bits of its tag, above its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u32)]
pub enum Part {
    /// TTL, SOA, NS, variables and the other values that are no arrays.
    Facts = 1,
    /// The answers of listed keys.
    Answers = 2,
    /// IPv4 addresses.
    Ip4 = 3,
    /// IPv6 addresses.
    Ip6 = 4,
    /// Names.
    Names = 5,
    /// Hashes.
    Digests = 6,
}

impl Part {
    /// All parts, with the number of sections of each part that is there.
    pub const ALL: [(Self, u32); 6] = [
        (Self::Facts, 1),
        (Self::Answers, 6),
        (Self::Ip4, 7),
        (Self::Ip6, 5),
        (Self::Names, 4),
        (Self::Digests, 3),
    ];

    /// The tag of the section with this number.
    pub const fn tag(self, number: u32) -> u32 {
        (self as u32) << 8 | number
    }
}

/// An entry of the table: an array.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Section {
    pub(super) tag: u32,
    /// The size of an item.
    pub(super) item: u32,
    /// The offset of its first byte in the file.
    pub(super) start: u64,
    /// The number of its items.
    pub(super) items: u64,
}

impl Section {
    /// The number of its bytes; `None` if no file has so many.
    pub(super) fn range(&self) -> Option<Range<usize>> {
        let size = self.items.checked_mul(self.item.into())?;
        let end = self.start.checked_add(size)?;
        Some(usize::try_from(self.start).ok()?..usize::try_from(end).ok()?)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.tag.to_le_bytes());
        out.extend_from_slice(&self.item.to_le_bytes());
        out.extend_from_slice(&self.start.to_le_bytes());
        out.extend_from_slice(&self.items.to_le_bytes());
    }

    pub(super) fn read(bytes: &[u8; TABLE_ENTRY]) -> Self {
        Self {
            tag: u32_at(bytes, 0),
            item: u32_at(bytes, 4),
            start: u64_at(bytes, 8),
            items: u64_at(bytes, 16),
        }
    }
}

/// The size of the table of this number of sections, with the zeros up to the first section.
pub(super) fn table_size(sections: usize) -> usize {
    (TABLE_HEAD + sections * TABLE_ENTRY).next_multiple_of(ALIGNMENT)
}

/// The fields of the header that vary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) data_size: u64,
    pub(super) origin_size: u64,
    pub(super) id: u128,
}

impl Header {
    /// The bytes of the header of a file with this origin.
    pub(super) fn seal(&self, origin: &[u8]) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let mut put = |at: usize, number: &[u8]| {
            bytes[at..at + number.len()].copy_from_slice(number);
        };
        let file_size = HEADER as u64 + self.data_size + self.origin_size;
        put(0, &MAGIC);
        put(VERSION_AT, &VERSION.to_le_bytes());
        put(BYTE_ORDER_AT, &BYTE_ORDER.to_le_bytes());
        put(FILE_SIZE_AT, &file_size.to_le_bytes());
        put(DATA_SIZE_AT, &self.data_size.to_le_bytes());
        put(ORIGIN_SIZE_AT, &self.origin_size.to_le_bytes());
        put(ID_AT, &self.id.to_le_bytes());
        let sum = checksum(&bytes, origin);
        bytes[CHECKSUM_AT..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }
}

/// The checksum of a header and the origin.
pub(super) fn checksum(header: &[u8; HEADER], origin: &[u8]) -> u128 {
    let mut hash = Xxh3Default::new();
    hash.update(&header[..CHECKSUM_AT]);
    hash.update(origin);
    hash.digest128()
}

/// The number at offset `at`, zero if the bytes end before.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

/// The number at offset `at`, zero if the bytes end before.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

/// The number at offset `at`, zero if the bytes end before.
pub(super) fn u128_at(bytes: &[u8], at: usize) -> u128 {
    u128::from_le_bytes(array_at(bytes, at))
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}
