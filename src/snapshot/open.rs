//! Opens a snapshot: checks all bytes before it uses any.

use super::format::{self, HEADER, Header, Part, Section, u32_at, u64_at, u128_at};
use super::map::Mapping;
use super::origin::Origin;
use super::{Id, facts};
use crate::flat_array::{ArrayReader, Element, FlatArray};
use crate::listing::Answers;
use crate::trie::digests::DigestTable;
use crate::trie::names::NameTree;
use crate::trie::{Trie4, Trie6};
use crate::zone::Dataset;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

/// A snapshot that has passed all checks of [`open`].
#[derive(Debug)]
pub struct Opened {
    /// The dataset; its arrays lie in the mapped file.
    pub dataset: Dataset,
    /// The files and rules it was made from.
    pub origin: Origin,
    /// The identity of its data.
    pub id: Id,
    /// The size of the file in bytes.
    pub size: u64,
}

/// Why a file is not used as a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system's error.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Its first bytes are not those of a snapshot.
    #[error("is not a snapshot")]
    NotASnapshot,
    /// It was written by another version of dnsbld.
    #[error("is of version {found} of the format, and this is version {}", format::VERSION)]
    OtherVersion {
        /// Its version.
        found: u32,
    },
    /// It was written, or this program runs, on a machine that stores the highest byte of a number first.
    #[error("has its bytes in another order than this machine")]
    ByteOrder,
    /// Its size is not what its header says.
    #[error("is {found} bytes long and should be {wanted}: it was cut off, or added to")]
    WrongSize {
        /// The size of the file.
        found: u64,
        /// The size by its header.
        wanted: u64,
    },
    /// The bytes are not those that were written.
    #[error("is damaged: the checksum of its {0} is wrong")]
    WrongChecksum(&'static str),
    /// The bytes are those that were written, and are not valid.
    #[error("makes no sense: {0}")]
    Nonsense(&'static str),
}

impl OpenError {
    /// True if there is no such file.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// Opens and maps a snapshot. Only dnsbld may write to the file, as in the state folder: if somebody
/// cut it off later, the process would end. [`Intake`](super::intake::Intake) opens all other files.
///
/// Reads every byte once, for the checksum: about 10 GB/s if the file is in the cache.
pub fn open(path: &Path) -> Result<Opened, OpenError> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
    open_file(&options.open(path)?)
}

/// Opens and maps the snapshot in an open file.
pub fn open_file(file: &File) -> Result<Opened, OpenError> {
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Err(OpenError::NotASnapshot);
    }
    open_mapping(&Mapping::of(file)?)
}

/// Opens a snapshot from its bytes, which it copies.
pub fn open_bytes(bytes: &[u8]) -> Result<Opened, OpenError> {
    open_mapping(&Mapping::copy(bytes)?)
}

pub(super) fn open_mapping(mapping: &Arc<Mapping>) -> Result<Opened, OpenError> {
    let header = check(mapping.bytes())?;
    load(mapping, &header)
}

/// Reads the header and compares sizes and checksums.
fn check(bytes: &[u8]) -> Result<Header, OpenError> {
    if !super::is_snapshot(bytes) {
        return Err(OpenError::NotASnapshot);
    }
    let found = bytes.len() as u64;
    let Some(head) = bytes.first_chunk::<HEADER>() else {
        return Err(OpenError::WrongSize { found, wanted: HEADER as u64 });
    };
    match u32_at(head, format::VERSION_AT) {
        format::VERSION => {}
        found => return Err(OpenError::OtherVersion { found }),
    }
    if u32_at(head, format::BYTE_ORDER_AT) != format::BYTE_ORDER || cfg!(target_endian = "big") {
        return Err(OpenError::ByteOrder);
    }
    let wanted = u64_at(head, format::FILE_SIZE_AT);
    if wanted != found {
        return Err(OpenError::WrongSize { found, wanted });
    }
    let header = read_header(head);
    let (data, origin) = parts(bytes, &header)?;
    if format::checksum(head, origin) != u128_at(head, format::CHECKSUM_AT) {
        return Err(OpenError::WrongChecksum("header"));
    }
    if xxh3_128(data) != header.id {
        return Err(OpenError::WrongChecksum("data"));
    }
    Ok(header)
}

pub(super) fn read_header(head: &[u8; HEADER]) -> Header {
    Header {
        data_size: u64_at(head, format::DATA_SIZE_AT),
        origin_size: u64_at(head, format::ORIGIN_SIZE_AT),
        id: u128_at(head, format::ID_AT),
    }
}

/// The data and the origin.
fn parts<'a>(bytes: &'a [u8], header: &Header) -> Result<(&'a [u8], &'a [u8]), OpenError> {
    let split = || {
        let (data, origin) =
            bytes.get(HEADER..)?.split_at_checked(usize::try_from(header.data_size).ok()?)?;
        (origin.len() as u64 == header.origin_size).then_some((data, origin))
    };
    split().ok_or(OpenError::Nonsense("its parts do not make up the file"))
}

/// Makes a dataset of any bytes, or says why it cannot.
pub(super) fn load(mapping: &Arc<Mapping>, header: &Header) -> Result<Opened, OpenError> {
    let (data, origin) = parts(mapping.bytes(), header)?;
    let origin = Origin::decode(origin).ok_or(OpenError::Nonsense("what it was made from"))?;
    let sections = table(data).ok_or(OpenError::Nonsense("the table of sections"))?;
    let part = |part| Arrays::of(mapping, &sections, part);
    let facts = part(Part::Facts).array::<u8>();
    let dataset = facts.and_then(|facts| facts::decode(&facts));
    let mut dataset = dataset.ok_or(OpenError::Nonsense("the facts"))?;
    let answers = Answers::load(&mut part(Part::Answers));
    dataset.answers = answers.ok_or(OpenError::Nonsense("the answers"))?;
    let nonsense = |part| move || OpenError::Nonsense(part);
    if part(Part::Ip4).exists() {
        let trie = Trie4::load(&mut part(Part::Ip4));
        dataset.ip4 = Some(trie.ok_or_else(nonsense("the IPv4 addresses"))?);
    }
    if part(Part::Ip6).exists() {
        let trie = Trie6::load(&mut part(Part::Ip6));
        dataset.ip6 = Some(trie.ok_or_else(nonsense("the IPv6 addresses"))?);
    }
    if part(Part::Names).exists() {
        let tree = NameTree::load(&mut part(Part::Names));
        dataset.names = Some(tree.ok_or_else(nonsense("the names"))?);
    }
    if part(Part::Digests).exists() {
        let table = DigestTable::load(&mut part(Part::Digests));
        dataset.digests = Some(table.ok_or_else(nonsense("the hashes"))?);
    }
    dataset.name.clone_from(&origin.name);
    Ok(Opened { dataset, origin, id: Id(header.id), size: mapping.bytes().len() as u64 })
}

/// The table of sections, at the start of the data.
pub(super) fn table(data: &[u8]) -> Option<Vec<Section>> {
    let count = u32_at(data, 0) as usize;
    if count > format::MAX_SECTIONS {
        return None;
    }
    let entries = data.get(format::TABLE_HEAD..)?;
    let entries = entries.get(..count * format::TABLE_ENTRY)?.as_chunks().0;
    Some(entries.iter().map(Section::read).collect())
}

/// The arrays of a part, one after the other.
struct Arrays<'a> {
    mapping: &'a Arc<Mapping>,
    sections: &'a [Section],
    part: Part,
    next: u32,
}

impl<'a> Arrays<'a> {
    fn of(mapping: &'a Arc<Mapping>, sections: &'a [Section], part: Part) -> Self {
        Self { mapping, sections, part, next: 0 }
    }

    fn exists(&self) -> bool {
        self.section().is_some()
    }

    fn section(&self) -> Option<&'a Section> {
        let tag = self.part.tag(self.next);
        self.sections.iter().find(|section| section.tag == tag)
    }
}

impl ArrayReader for Arrays<'_> {
    fn array<T: Element>(&mut self) -> Option<FlatArray<T>> {
        let section = self.section()?;
        self.next += 1;
        if section.item as usize != size_of::<T>() {
            return None;
        }
        self.mapping.array(section.range()?)
    }
}
