//! Copies a snapshot that others may write to, so that the copy can be mapped.

use super::folder::Folder;
use super::{OpenError, Opened, open_file};
use crate::trie::names::NameTree;
use crate::trie::{Trie4, Trie6};
use crate::zone::Dataset;
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::{File, OpenOptions, remove_file};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

/// A growing copy in a file without a name: nobody else can write to it, and the system frees it
/// with the last map of it.
#[derive(Debug)]
pub struct Intake(File);

impl Intake {
    /// An empty copy, in the folder, or in memory if there is no folder.
    pub fn new(folder: Option<&Folder>) -> io::Result<Self> {
        let Some(folder) = folder else {
            return Ok(Self(memfd_create(c"snapshot", MFdFlags::MFD_CLOEXEC)?.into()));
        };
        folder.create()?;
        let path = super::write::unfinished(&folder.scratch())?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(&path)?;
        remove_file(&path)?;
        Ok(Self(file))
    }

    /// Appends bytes.
    pub fn add(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.0.write_all(chunk)
    }

    /// Checks and maps the copy. Its writer is not trusted: beside the checks of [`open`](super::open()), this
    /// one makes sure that no query takes longer than with a snapshot of our own. The time grows with the size.
    pub fn open(self) -> Result<Opened, OpenError> {
        let opened = open_file(&self.0)?;
        let Dataset { ip4, ip6, names, .. } = &opened.dataset;
        let nonsense = |part| Err(OpenError::Nonsense(part));
        if !ip4.as_ref().is_none_or(Trie4::is_sound) {
            return nonsense("the IPv4 addresses are not sorted");
        }
        if !ip6.as_ref().is_none_or(Trie6::is_sound) {
            return nonsense("the IPv6 addresses are not sorted");
        }
        if !names.as_ref().is_none_or(NameTree::is_sound) {
            return nonsense("the names keep a search busy");
        }
        Ok(opened)
    }
}
