//! Root folder, working folder and user (rbldnsd(8), "-r", "-w" and "-u").

use super::log::failure;
use anyhow::bail;
use nix::unistd::{self, Gid, Group, Uid, User};
use std::io;
use std::path::Path;

/// The user that the program becomes if root starts it without `-u`.
const DEFAULT_USER: &str = "rbldns";

/// The user and group that the program becomes; `None` keeps those it was started with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Identity(Option<(Uid, Gid)>);

impl Identity {
    /// Reads `user[:group]`, names or numbers. A user number without a group is also the group number.
    ///
    /// # Errors
    ///
    /// The user or group does not exist, or the user is root.
    pub(super) fn find(given: Option<&str>) -> anyhow::Result<Self> {
        let given = match given {
            Some(given) => given,
            None if Uid::current().is_root() => DEFAULT_USER,
            None => return Ok(Self(None)),
        };
        let (user, group) = match given.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (given, None),
        };
        let (uid, own_gid) = match number(user) {
            Some(id) => (Uid::from_raw(id), Gid::from_raw(id)),
            None => match User::from_name(user) {
                Ok(Some(found)) => (found.uid, found.gid),
                _ => bail!("unknown user `{user}'"),
            },
        };
        if uid.is_root() {
            bail!("daemon should not run as root, specify -u option");
        }
        let gid = match group {
            None => own_gid,
            Some(group) => match number(group) {
                Some(id) => Gid::from_raw(id),
                None => match Group::from_name(group) {
                    Ok(Some(found)) => found.gid,
                    _ => bail!("unknown group `{group}'"),
                },
            },
        };
        Ok(Self(Some((uid, gid))))
    }

    /// Changes to that user for good, with that group and no other.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub(super) fn assume(self) -> anyhow::Result<()> {
        let Some((uid, gid)) = self.0 else { return Ok(()) };
        unistd::setgroups(&[gid])
            .and_then(|()| unistd::setgid(gid))
            .and_then(|()| unistd::setuid(uid))
            .map_err(|error| failure(format!("unable to setuid({uid}:{gid})"), &error.into()))
    }
}

fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Enters the root folder and then the working folder, a path inside the root folder.
///
/// # Errors
///
/// The system refuses.
pub(super) fn enter(root: Option<&Path>, folder: Option<&Path>) -> anyhow::Result<()> {
    if let Some(root) = root {
        // chroot(".") from inside the folder, because a relative path would mean another folder after
        // the first step.
        std::env::set_current_dir(root)
            .and_then(|()| unistd::chroot(".").map_err(io::Error::from))
            .map_err(|error| failure(format!("unable to chroot to {}", root.display()), &error))?;
    }
    if let Some(folder) = folder {
        std::env::set_current_dir(folder)
            .map_err(|error| failure(format!("unable to chdir to {}", folder.display()), &error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_by_name_and_number() {
        let found = |given| Identity::find(Some(given)).map(|Identity(ids)| ids.unwrap());
        let ids = |uid, gid| (Uid::from_raw(uid), Gid::from_raw(gid));
        assert_eq!(found("1234").unwrap(), ids(1234, 1234));
        assert_eq!(found("1234:56").unwrap(), ids(1234, 56));
        assert_eq!(found("1234:root").unwrap(), ids(1234, 0));
        let errors = [
            ("root", "daemon should not run as root, specify -u option"),
            ("0:5", "daemon should not run as root, specify -u option"),
            ("no such user", "unknown user `no such user'"),
            ("5:no such group", "unknown group `no such group'"),
            ("99999999999", "unknown user `99999999999'"),
            ("", "unknown user `'"),
        ];
        for (given, want) in errors {
            assert_eq!(found(given).unwrap_err().to_string(), want);
        }
    }
}
