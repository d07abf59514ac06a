//! The user that a configuration is checked as.

use anyhow::{Context as _, bail};
use nix::unistd::{self, Gid, Uid, User};
use std::ffi::CString;

/// A user of this system that a server is to run as.
pub(super) struct ServerUser {
    name: CString,
    uid: Uid,
    gid: Gid,
}

impl ServerUser {
    /// Finds a user by name.
    ///
    /// # Errors
    ///
    /// There is no such user.
    pub(super) fn find(name: &str) -> anyhow::Result<Self> {
        let Ok(Some(User { uid, gid, .. })) = User::from_name(name) else {
            bail!(
                "there is no user {name:?}; make one (adduser --system --group {name}), or name another"
            );
        };
        Ok(Self { name: CString::new(name)?, uid, gid })
    }

    /// Becomes this user for good, with the groups that the system gives it.
    ///
    /// # Errors
    ///
    /// The system refuses, because this is not root.
    pub(super) fn assume(self) -> anyhow::Result<()> {
        let Self { name, uid, gid } = self;
        if Uid::effective() == uid {
            return Ok(());
        }
        unistd::initgroups(&name, gid)
            .and_then(|()| unistd::setgid(gid))
            .and_then(|()| unistd::setuid(uid))
            .with_context(|| {
                format!("cannot check as user {name:?}; run the command as root or as that user")
            })
    }
}

/// The name of the user that this process is, or the number if it has no name.
pub(super) fn name() -> String {
    let uid = Uid::effective();
    match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        _ => uid.to_string(),
    }
}
