//! A certificate and its key: read from files, used for new connections, read again when the files change.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::CertificateFacts;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The certificate file is missing, unreadable, or holds no certificate in PEM.
    #[error("certificate file {}: {cause}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: pem::Error,
    },
    /// The key file is missing, unreadable, or holds no private key in PEM.
    #[error("key file {}: {cause}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: pem::Error,
    },
    /// Each file is well, but not the two together.
    #[error("certificate {} with key {}: {cause}", certificate.display(), key.display())]
    Pair {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What is wrong, for example keys that do not match.
        cause: rustls::Error,
    },
}

/// A certificate chain and its key, read from PEM files and read again when these change.
#[derive(Debug)]
pub struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
    /// The state of the files when they were last read, well or not.
    seen: Mutex<[Option<FileState>; 2]>,
}

impl Certificate {
    /// Reads the chain (the server's own certificate first) and the key.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, has no PEM section of its kind, or the two do not match.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        // The state comes first: a change while reading is then seen by the next look.
        let seen = [FileState::of(certificate), FileState::of(key)];
        Ok(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            current: ArcSwap::from_pointee(read_pair(certificate, key)?),
            seen: Mutex::new(seen),
        })
    }

    /// The file of the chain.
    pub fn file(&self) -> &Path {
        &self.certificate
    }

    /// The file of the key, if every user of the machine can read or write it.
    pub fn exposed_key(&self) -> Option<&Path> {
        is_exposed(&self.key).then_some(&*self.key)
    }

    /// What the certificate in use says of itself, if it can be read.
    pub fn facts(&self) -> Option<CertificateFacts> {
        CertificateFacts::of(self.current.load().cert.first()?)
    }

    /// Reads the files again if they changed since the last look; returns whether new
    /// connections now get another certificate.
    ///
    /// # Errors
    ///
    /// As [`Certificate::load`], once per change; the certificate in use then stays. Renewal
    /// programs write one file after the other, so a mismatch may heal with the next change.
    pub fn reload_if_changed(&self) -> Result<bool, CertificateError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = [FileState::of(&self.certificate), FileState::of(&self.key)];
        if *seen == now {
            return Ok(false);
        }
        *seen = now;
        self.current.store(Arc::new(read_pair(&self.certificate, &self.key)?));
        Ok(true)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// True if every user of the machine can read or write the file of a key.
pub fn is_exposed(key: &Path) -> bool {
    fs::metadata(key).is_ok_and(|key| key.mode() & 0o006 != 0)
}

fn read_pair(certificate: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
        .map_err(|cause| CertificateError::Certificate { path: certificate.to_owned(), cause })?;
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|cause| CertificateError::Key { path: key.to_owned(), cause })?;
    CertifiedKey::from_der(chain, private, &ring::default_provider()).map_err(|cause| {
        CertificateError::Pair { certificate: certificate.to_owned(), key: key.to_owned(), cause }
    })
}

/// What changes when a file is written or replaced, also behind a symbolic link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct FileState {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileState {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}
