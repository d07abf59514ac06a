//! The files and folders that a server uses beside its data: certificates, the state folder, its logs.

use super::ports::Running;
use super::report::{Problem, Report};
use crate::config::{ControlPath, CookieMode, Key, LogTarget, Server, Settings, Tls};
use crate::daemon::keys;
use crate::server::CertificateFacts;
use crate::server::certificate::{Certificate, is_exposed};
use crate::state::cookie_secrets;
use crate::util::text::age;
use crate::util::time::unix_time;
use rustix::fs::{Access, access};
use socket2::SockAddr;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

/// A certificate that is valid for less than this should have been renewed.
const RENEWED_BEFORE: Duration = Duration::from_secs(14 * 24 * 3600);

/// Looks at all of them.
pub(super) fn check(report: &mut Report, settings: &Settings, running: Option<&Running>) {
    let Server { tls, state_dir, query_log, stats_file, control, cookies, cookie_secrets, .. } =
        &settings.server;
    if let Some(tls) = tls {
        certificate(report, tls);
    }
    if let Some(file) = cookie_secrets.as_ref().filter(|_| *cookies != CookieMode::Off) {
        self::cookie_secrets(report, file);
    }
    settings.keys.iter().for_each(|key| secret(report, key));
    if let Some(folder) = state_dir {
        state_folder(report, folder, running);
    }
    if let Some(LogTarget::File(path)) = query_log.as_ref().map(|log| &log.target) {
        appended(report, "query log", path);
    }
    if let Some(file) = stats_file {
        appended(report, "statistics file", &file.path);
    }
    // Where the usual one is depends on who starts the server.
    if let ControlPath::At(path) = control {
        control_socket(report, path, running);
    }
}

/// Without it a server serves all the same, but cannot be asked.
fn control_socket(report: &mut Report, path: &Path, running: Option<&Running>) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let made_in = folder.ancestors().find(|folder| folder.exists());
    let fault = match fs::symlink_metadata(path) {
        _ if SockAddr::unix(path).is_err() => {
            Some("the path is too long for a socket (107 bytes)".to_owned())
        }
        Ok(file) if !file.file_type().is_socket() => {
            Some("there is a file that is no socket".to_owned())
        }
        _ if running.is_some_and(|running| running.process().is_none()) => {
            Some("another server answers there".to_owned())
        }
        _ => made_in.and_then(|folder| writable(folder).err()).map(|error| {
            let (user, folder) = (super::user::name(), folder.display());
            format!("user {user} cannot make it in {folder}: {error}")
        }),
    };
    if let Some(fault) = fault {
        let message =
            format!("control socket: {fault}; dnsbld status, reload and accept do not work");
        let help = "set another path as control, or let the server's user write to its folder";
        report.tell(Problem::warning(message, help).in_file(path.display().to_string()));
    }
}

fn cookie_secrets(report: &mut Report, file: &Path) {
    let problem = if let Err(error) = cookie_secrets::read(file) {
        let help =
            "write one or two lines of 32 hexadecimal digits to it, as openssl rand -hex 16 prints";
        Problem::error(format!("the server does not start: cookie secrets: {error}"), help)
    } else if cookie_secrets::is_exposed(file) {
        let message = "every user of this machine can use the cookie secrets, and so forge cookies";
        Problem::warning(
            message,
            format!("chmod o= {}, and write new secrets to it", file.display()),
        )
    } else {
        return;
    };
    report.tell(problem.in_file(file.display().to_string()));
}

fn secret(report: &mut Report, key: &Key) {
    if let Err(fault) = keys::read(key) {
        let (name, file) = (&key.name, key.secret_file.display().to_string());
        let message =
            format!("key {name}: the file {fault}; what is signed with the key is refused");
        let help =
            "let the server's user read the file, and nobody else; tsig-keygen makes secrets";
        report.tell(Problem::warning(message, help).in_file(file));
    }
}

fn certificate(report: &mut Report, tls: &Tls) {
    let readable = "let the server's user read the file, or name another";
    let unreadable = |file: &Path| Some((file.to_owned(), File::open(file).err()?));
    let closed: Vec<_> =
        [&tls.certificate, &tls.key].into_iter().filter_map(|file| unreadable(file)).collect();
    for (file, error) in &closed {
        let message = format!("the server does not start: the file cannot be read: {error}");
        report.tell(Problem::error(message, readable).in_file(file.display().to_string()));
    }
    if !closed.is_empty() {
        return;
    }
    if is_exposed(&tls.key) {
        let (key, help) = (tls.key.display(), format!("chmod o= {}", tls.key.display()));
        let message = "every user of this machine can use the private key";
        report.tell(Problem::warning(message, help).in_file(key.to_string()));
    }
    let certificate = match Certificate::load(&tls.certificate, &tls.key) {
        Ok(certificate) => certificate,
        Err(error) => {
            let help = "name the certificate chain and the key that belongs to it, both in PEM";
            return report
                .tell(Problem::error(format!("the server does not start: {error}"), help));
        }
    };
    let Some(CertificateFacts { expires, .. }) = certificate.facts() else { return };
    let now = unix_time() as i64;
    let message = match expires.saturating_sub(now) {
        left @ ..0 => {
            let ago = age(Duration::from_secs(left.unsigned_abs()));
            format!("the certificate expired {ago} ago: clients refuse it")
        }
        left if left.unsigned_abs() < RENEWED_BEFORE.as_secs() => {
            let left = age(Duration::from_secs(left.unsigned_abs()));
            format!("the certificate expires in {left}")
        }
        _ => return,
    };
    let file = tls.certificate.display().to_string();
    report.tell(Problem::warning(message, "renew the certificate").in_file(file));
}

/// Without it a server serves all the same, but forgets its serials and reads all files at each start.
fn state_folder(report: &mut Report, folder: &Path, running: Option<&Running>) {
    let mut warn = |message: String, help: String| {
        let message = format!("state folder: {message}");
        report.tell(Problem::warning(message, help).in_file(folder.display().to_string()));
    };
    let lost =
        "no snapshots and serials are kept: each start reads all files, and serials may go back";
    let (path, user) = (folder.display(), super::user::name());
    let give =
        || format!("install -d -o {user} -m 750 {path}, or StateDirectory= of a systemd unit");
    let metadata = match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => return warn(format!("it is no folder; {lost}"), give()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let parent = folder.ancestors().skip(1).find(|parent| parent.exists());
            if parent.is_none_or(|parent| writable(parent).is_err()) {
                let message = format!("it does not exist, and user {user} may not make it; {lost}");
                warn(message, give());
            }
            return;
        }
        Err(error) => return warn(format!("{error}; {lost}"), give()),
    };
    if let Err(error) = writable(folder) {
        return warn(format!("user {user} may not write to it: {error}; {lost}"), give());
    }
    let own = rustix::process::geteuid();
    if !own.is_root() && ![0, own.as_raw()].contains(&metadata.uid())
        || metadata.mode() & 0o002 != 0
    {
        let message = "other users can change what the next start serves";
        warn(message.to_owned(), format!("chown {user} {path} && chmod 750 {path}"));
    }
    let holder = lock_holder(&folder.join("lock"));
    if let Some(process) =
        holder.filter(|process| Some(*process) != running.and_then(Running::process))
    {
        let message = format!(
            "process {process} has locked it: a second server reads snapshots from it and writes nothing"
        );
        warn(message, "set another state-dir, unless that process is to be replaced".to_owned());
    }
}

/// The process that has locked the file, as the system tells it without the lock being tried: a server that
/// starts at that moment would find it taken.
fn lock_holder(path: &Path) -> Option<u32> {
    let inode = fs::metadata(path).ok()?.ino();
    fs::read_to_string("/proc/locks").ok()?.lines().find_map(|line| holder_in(line, inode))
}

/// The process of a line of `/proc/locks`: `1: FLOCK ADVISORY WRITE 1234 08:01:5678 0 EOF`.
fn holder_in(line: &str, inode: u64) -> Option<u32> {
    let mut fields = line.split_whitespace().skip(1);
    let is_flock = fields.next() == Some("FLOCK");
    let process = fields.nth(2)?.parse().ok();
    let file = fields.next()?.rsplit(':').next()?.parse() == Ok(inode);
    process.filter(|_| is_flock && file)
}

/// A file that lines are appended to.
fn appended(report: &mut Report, what: &str, path: &Path) {
    let is_there = fs::symlink_metadata(path).is_ok();
    let error = match (is_there, path.parent()) {
        (true, _) if fs::metadata(path).as_ref().is_ok_and(Metadata::is_dir) => {
            Some(io::Error::from(ErrorKind::IsADirectory))
        }
        (true, _) => access(path, Access::WRITE_OK).err().map(io::Error::from),
        (false, Some(parent)) => writable(parent).err(),
        (false, None) => None,
    };
    if let Some(error) = error {
        let user = super::user::name();
        let message =
            format!("{what}: user {user} cannot write to it: {error}; its lines are lost");
        let help = "let the server's user write to the file and its folder, or name another";
        report.tell(Problem::warning(message, help).in_file(path.display().to_string()));
    }
}

/// Whether files can be made in a folder.
fn writable(folder: &Path) -> io::Result<()> {
    Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_found() {
        let line = "12: FLOCK  ADVISORY  WRITE 4711 fd:01:1835012 0 EOF";
        assert_eq!(holder_in(line, 1_835_012), Some(4711));
        assert_eq!(holder_in(line, 1_835_013), None);
        assert_eq!(holder_in(&line.replace("FLOCK", "POSIX"), 1_835_012), None);
        assert_eq!(holder_in("", 1), None);
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(lock_holder(&folder.path().join("lock")), None);
        let lock = crate::state::lock::StateLock::take(folder.path()).unwrap();
        assert_eq!(lock_holder(&folder.path().join("lock")), Some(std::process::id()));
        drop(lock);
        assert_eq!(lock_holder(&folder.path().join("lock")), None);
    }
}
