//! The secrets of DNS cookies: a file that all servers of an address share, or one of this server's own.

use super::lock::StateLock;
use crate::snapshot::folder::create_folder;
use crate::wire::cookie::{CookieSecret, CookieSecrets};
use ring::rand::{SecureRandom, SystemRandom};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The longest file in bytes: two secrets and what is said of them.
const MAX_SIZE: u64 = 4096;

/// Why a file of secrets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CookieSecretsError {
    /// The system does not let it be read.
    #[error("it cannot be read: {0}")]
    Unreadable(io::Error),
    /// A line is neither a secret nor a comment.
    #[error("line {0} is no secret, which has 32 hexadecimal digits")]
    Line(usize),
    /// There is another number of secrets than one or two.
    #[error("it has {0} secrets in place of one or two")]
    Count(usize),
}

/// Not its source, which the message tells already.
impl From<io::Error> for CookieSecretsError {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

/// The file of a server's own secret in its state folder.
pub fn file_in(folder: &Path) -> PathBuf {
    folder.join("cookie-secrets")
}

/// Reads a file of one or two secrets, each 32 hexadecimal digits on a line; `#` begins a comment. New cookies are
/// made with the first.
///
/// # Errors
///
/// When the file cannot be read, or holds something else.
pub fn read(file: &Path) -> Result<CookieSecrets, CookieSecretsError> {
    let mut text = Vec::new();
    File::open(file)?.take(MAX_SIZE + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_SIZE {
        return Err(io::Error::from(ErrorKind::FileTooLarge).into());
    }
    parse(&text)
}

/// True if users of the machine other than those of the file's group can read the file.
pub fn is_exposed(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|file| file.mode() & 0o007 != 0)
}

/// The secret that this server keeps in its state folder; a new one if there is none. With the lock of the folder,
/// nobody else makes one meanwhile.
///
/// # Errors
///
/// When the file cannot be read or made, or holds something else.
pub fn own(folder: &Path, _: &StateLock) -> Result<CookieSecrets, CookieSecretsError> {
    let file = file_in(folder);
    match read(&file) {
        Err(CookieSecretsError::Unreadable(error)) if error.kind() == ErrorKind::NotFound => {
            let secrets = random()?;
            create_folder(folder)?;
            let next = file.with_extension("new");
            let written = write(&next, secrets.active).and_then(|()| fs::rename(&next, &file));
            if let Err(error) = written {
                let _ = fs::remove_file(next);
                return Err(error.into());
            }
            Ok(secrets)
        }
        known => known,
    }
}

/// A secret that nobody knows.
///
/// # Errors
///
/// When the system has no random numbers.
pub fn random() -> io::Result<CookieSecrets> {
    let mut secret = [0; 16];
    let filled = SystemRandom::new().fill(&mut secret);
    filled.map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(CookieSecrets { active: CookieSecret(secret), other: None })
}

fn write(file: &Path, CookieSecret(secret): CookieSecret) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut out = options.write(true).create(true).truncate(true).mode(0o600).open(file)?;
    let digits: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(out, "# Who knows this can forge the DNS cookies of this server.\n{digits}")?;
    out.sync_all()
}

fn parse(text: &[u8]) -> Result<CookieSecrets, CookieSecretsError> {
    let mut secrets = Vec::new();
    for (line, number) in text.split(|&byte| byte == b'\n').zip(1..) {
        let line = line.split(|&byte| byte == b'#').next().unwrap_or_default().trim_ascii();
        if !line.is_empty() {
            secrets.push(secret(line).ok_or(CookieSecretsError::Line(number))?);
        }
    }
    match secrets[..] {
        [active] => Ok(CookieSecrets { active, other: None }),
        [active, other] => Ok(CookieSecrets { active, other: Some(other) }),
        _ => Err(CookieSecretsError::Count(secrets.len())),
    }
}

fn secret(digits: &[u8]) -> Option<CookieSecret> {
    let mut secret = [0; 16];
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != secret.len() || !rest.is_empty() {
        return None;
    }
    for (byte, &[high, low]) in secret.iter_mut().zip(pairs) {
        let value = |digit: u8| char::from(digit).to_digit(16);
        *byte = (value(high)? << 4 | value(low)?) as u8;
    }
    Some(CookieSecret(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
    const TWO: &str = "445536BCD2513298075A5D379663C962";

    #[test]
    fn a_file_has_one_or_two_secrets() {
        let active = secret(ONE.as_bytes()).unwrap();
        let other = secret(TWO.as_bytes());
        assert_eq!(active.0[..3], [0xe5, 0xe9, 0x73]);
        for (text, want) in [
            (ONE.to_owned(), None),
            (format!("# of July\n\n  {ONE} # active\r\n"), None),
            (format!("{ONE}\n{TWO}\n"), other),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap(), CookieSecrets { active, other: want });
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line() {
        for (text, want) in [
            (String::new(), "it has 0 secrets in place of one or two"),
            (format!("{ONE}\n").repeat(3), "it has 3 secrets in place of one or two"),
            (format!("{ONE}\n{ONE}0\n"), "line 2 is no secret, which has 32 hexadecimal digits"),
            (format!("{}g", &ONE[1..]), "line 1 is no secret, which has 32 hexadecimal digits"),
            (ONE[1..].to_owned(), "line 1 is no secret, which has 32 hexadecimal digits"),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err().to_string(), want, "{text}");
        }
    }

    #[test]
    fn what_the_system_says_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let error = anyhow::Error::new(read(&file_in(folder.path())).unwrap_err());
        let told = format!("{error:#}");
        assert_eq!(told, "it cannot be read: No such file or directory (os error 2)");
    }

    #[test]
    fn a_server_keeps_its_own_secret_to_itself() {
        let folder = tempfile::tempdir().unwrap();
        let lock = StateLock::take(folder.path()).unwrap();
        let made = own(folder.path(), &lock).unwrap();
        assert_eq!(own(folder.path(), &lock).unwrap(), made);
        assert_ne!(random().unwrap(), made);
        let file = file_in(folder.path());
        assert!(!is_exposed(&file));
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        fs::write(&file, "no secret").unwrap();
        assert!(matches!(own(folder.path(), &lock), Err(CookieSecretsError::Line(1))));
    }
}
