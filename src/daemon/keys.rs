//! The secrets of the keys, read from their files.

use crate::config;
use crate::event::{Event, EventSink, KeyFault};
use crate::tsig::{TsigKey, TsigKeys, read_secret};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::sync::Arc;

/// The longest file of a secret, in bytes.
const MAX_SIZE: u64 = 16 << 10;

/// Reads the secrets of all keys. One that cannot be used is told; what was `known` of it stays in use.
pub(super) fn read_all(
    settings: &[config::Key],
    known: &TsigKeys,
    sink: &dyn EventSink,
) -> TsigKeys {
    let read = |key: &config::Key| match read(key) {
        Ok(key) => Some(Arc::new(key)),
        Err(fault) => {
            let kept = known.find(&key.name).filter(|old| old.algorithm() == key.algorithm);
            let (file, is_kept) = (key.secret_file.clone(), kept.is_some());
            sink.emit(&Event::KeyUnusable { key: key.name.clone(), file, fault, is_kept });
            kept.cloned()
        }
    };
    match settings.is_empty() {
        true => TsigKeys::default(),
        false => TsigKeys::of_configured(settings.iter().filter_map(read)),
    }
}

/// Reads the secret of a key.
///
/// # Errors
///
/// When the file cannot be read, or by everybody, or holds no secret.
pub(crate) fn read(key: &config::Key) -> Result<TsigKey, KeyFault> {
    // A pipe that nobody writes to is empty, and stops no reload.
    let mut options = File::options();
    options.read(true).custom_flags(libc::O_NONBLOCK);
    let file = options.open(&key.secret_file).map_err(KeyFault::Unreadable)?;
    let metadata = file.metadata().map_err(KeyFault::Unreadable)?;
    if metadata.mode() & 0o007 != 0 {
        return Err(KeyFault::Exposed);
    }
    let mut text = String::new();
    file.take(MAX_SIZE).read_to_string(&mut text).map_err(KeyFault::Unreadable)?;
    let secret = read_secret(&text).map_err(KeyFault::NoSecret)?;
    Ok(TsigKey::new(&key.name, key.algorithm, &secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Log;
    use crate::tsig::{Algorithm, SecretError};
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_that_cannot_be_used_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let secret_file = folder.path().join("secret");
        let write = |text: &str, mode| {
            fs::write(&secret_file, text).unwrap();
            fs::set_permissions(&secret_file, Permissions::from_mode(mode)).unwrap();
        };
        let name = "a.test".parse().unwrap();
        let key =
            config::Key { name, algorithm: Algorithm::Sha256, secret_file: secret_file.clone() };
        assert!(matches!(read(&key), Err(KeyFault::Unreadable(_))));
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&pipe).status();
        assert!(made.unwrap().success());
        let of_pipe = config::Key { secret_file: pipe, ..key.clone() };
        assert!(matches!(read(&of_pipe), Err(KeyFault::NoSecret(SecretError::NoBase64))));
        write("MDEyMzQ1Njc4OWFiY2RlZg==\n", 0o644);
        assert!(matches!(read(&key), Err(KeyFault::Exposed)));
        write("MDEyMzQ1Njc4OWFiY2RlZg==\n", 0o640);
        let keys = read_all(std::slice::from_ref(&key), &TsigKeys::default(), &Log);
        let first = Arc::clone(keys.find(&key.name).unwrap());
        write("short", 0o640);
        assert!(matches!(read(&key), Err(KeyFault::NoSecret(SecretError::NoBase64))));
        let kept = read_all(std::slice::from_ref(&key), &keys, &Log);
        assert!(Arc::ptr_eq(kept.find(&key.name).unwrap(), &first));
        // A key of another algorithm is another.
        let other = config::Key { algorithm: Algorithm::Sha512, ..key.clone() };
        let none = read_all(&[other], &keys, &Log);
        assert!(none.find(&key.name).is_none());
        // Regression: signatures were no longer checked then, and queries with them answered.
        assert!(none.are_configured());
        assert!(!read_all(&[], &keys, &Log).are_configured());
    }
}
