//! Where the control socket is: the server makes it there, and its clients look for it there.

use crate::config::{ConfigSource, ControlPath, SYSTEM_FILE};
use crate::util::text::shell_word;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The name of the socket in its folder.
const NAME: &str = "control";

/// The most servers of one user that have sockets at the usual place: beside `control`, there are `control-2` to
/// `control-9`.
const MOST: usize = 9;

/// The folder of a server that the system runs.
const SYSTEM_FOLDER: &str = "/run/dnsbld";

/// Where a server of this user makes its socket: at the first of these places where no other server answers.
pub(super) fn of_server(control: &ControlPath) -> Vec<PathBuf> {
    match control {
        ControlPath::Off => Vec::new(),
        ControlPath::At(path) => vec![path.clone()],
        ControlPath::Usual => {
            let first = usual();
            let others: Vec<PathBuf> = others(&first).collect();
            std::iter::once(first).chain(others).collect()
        }
    }
}

/// Where other servers are while one is at this place.
fn others(place: &Path) -> impl Iterator<Item = PathBuf> {
    (2..=MOST).map(|number| place.with_file_name(format!("{NAME}-{number}")))
}

/// Where a client of this user looks for the socket, the likeliest place first.
pub(crate) fn of_client(control: &ControlPath) -> Vec<PathBuf> {
    match control {
        ControlPath::Off => Vec::new(),
        ControlPath::At(path) => vec![path.clone()],
        ControlPath::Usual => {
            let mut places = vec![usual(), Path::new(SYSTEM_FOLDER).join(NAME)];
            places.dedup();
            let with_others = |place: PathBuf| {
                let others: Vec<_> = others(&place).filter(|other| other.exists()).collect();
                std::iter::once(place).chain(others)
            };
            places.into_iter().flat_map(with_others).collect()
        }
    }
}

/// The options by which a client of this user finds this socket from anywhere, as a shell reads them; none if
/// it looks there by itself.
pub(super) fn client_options(socket: &Path) -> String {
    let places = match ConfigSource::file(SYSTEM_FILE).control() {
        ControlPath::Off => Vec::new(),
        ControlPath::At(path) => vec![path],
        // Another terminal does not know the folder that was made for this process.
        ControlPath::Usual => {
            vec![usual_beside("RUNTIME_DIRECTORY"), Path::new(SYSTEM_FOLDER).join(NAME)]
        }
    };
    if places.iter().any(|place| place == socket) {
        return String::new();
    }
    format!("--socket {}", shell_word(&socket.display().to_string()))
}

fn usual() -> PathBuf {
    usual_beside("")
}

/// The usual place, without this variable of the environment.
fn usual_beside(unknown: &str) -> PathBuf {
    let user = rustix::process::geteuid();
    let is_ours = || fs::metadata(SYSTEM_FOLDER).is_ok_and(|folder| folder.uid() == user.as_raw());
    let variable =
        |name: &str| std::env::var_os(name).filter(|value| name != unknown && !value.is_empty());
    let temporary = std::env::temp_dir().join(format!("dnsbld-{}", user.as_raw()));
    usual_of(user.is_root() || is_ours(), variable, temporary)
}

/// The usual place, by the environment; `is_system` if the folder of the system's server is this user's.
fn usual_of(
    is_system: bool,
    variable: impl Fn(&str) -> Option<OsString>,
    temporary: PathBuf,
) -> PathBuf {
    // Of several folders, systemd separates the paths by colons.
    let first = |list: OsString| std::env::split_paths(&list).next().unwrap_or_default();
    let given = variable("RUNTIME_DIRECTORY").map(first);
    let system = || is_system.then(|| PathBuf::from(SYSTEM_FOLDER));
    let of_user = || variable("XDG_RUNTIME_DIR").map(|folder| Path::new(&folder).join("dnsbld"));
    given.or_else(system).or_else(of_user).unwrap_or(temporary).join(NAME)
}

/// Makes the folder of the socket, for its owner and group alone, unless it is there.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o750).create(folder)
}

/// True if nobody but this user and root can put another file in place of one in this folder.
pub(crate) fn is_trusted(folder: &Path) -> io::Result<bool> {
    let folder = fs::metadata(folder)?;
    let user = rustix::process::geteuid().as_raw();
    let is_closed = folder.mode() & 0o022 == 0 || folder.mode() & 0o1000 != 0;
    Ok([0, user].contains(&folder.uid()) && is_closed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_that_was_made_for_the_server_comes_first() {
        let place = |is_system, variables: &[(&str, &str)]| {
            let value = |name: &str| variables.iter().find(|(known, _)| *known == name);
            let value = |name: &str| value(name).map(|(_, value)| OsString::from(value));
            usual_of(is_system, value, "/tmp/dnsbld-7".into()).display().to_string()
        };
        let (made, user) =
            (("RUNTIME_DIRECTORY", "/run/a:/run/b"), ("XDG_RUNTIME_DIR", "/run/user/7"));
        assert_eq!(place(true, &[made, user]), "/run/a/control");
        assert_eq!(place(false, &[made, user]), "/run/a/control");
        assert_eq!(place(true, &[user]), "/run/dnsbld/control");
        assert_eq!(place(false, &[user]), "/run/user/7/dnsbld/control");
        assert_eq!(place(false, &[]), "/tmp/dnsbld-7/control");
    }

    #[test]
    fn a_client_looks_for_the_systems_server_last() {
        let places = of_client(&ControlPath::Usual);
        // Beside it there may be those of other servers of the system.
        assert_eq!(places.last().and_then(|last| last.parent()), Some(Path::new("/run/dnsbld")));
        assert_eq!(of_client(&ControlPath::At("/c".into())), [PathBuf::from("/c")]);
        assert!(of_client(&ControlPath::Off).is_empty());
    }
}
