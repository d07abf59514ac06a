//! Secondaries, and the keys by which they are known.

use crate::tsig::Algorithm;
use crate::wire::name::NameBuf;
use crate::zone::TransferAccess;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A catalog zone (RFC 9432). Its members are the zones that somebody may have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CatalogZone {
    /// The name, in lower case.
    pub name: NameBuf,
    /// Who may have it.
    pub transfer: TransferAccess,
    /// Which secondaries are told when it has changed.
    pub notify: Vec<NotifyTarget>,
}

/// A secondary that is told of changes (RFC 1996).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotifyTarget {
    /// Where it listens.
    pub address: SocketAddr,
    /// The name of the key that it is told by, in lower case.
    pub key: Option<NameBuf>,
}

/// A key (RFC 8945).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    /// Its name, in lower case.
    pub name: NameBuf,
    /// How it signs.
    pub algorithm: Algorithm,
    /// The file of its secret.
    pub secret_file: PathBuf,
}
