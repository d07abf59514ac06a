//! What a server gives up once its sockets are bound: the user root, other groups, and capabilities.
//!
//! Nothing that a running server does needs a capability. It binds no socket after its start: other addresses
//! wait for a restart.

use crate::config;
use crate::event::{Event, EventSink};
use anyhow::{Context as _, bail};
use nix::unistd::{self, Gid, Group, Uid, User};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, lchown};
use std::path::Path;

/// The user that a server becomes if root starts it and the settings name none.
const USUAL_USER: &str = "dnsbld";

/// What is left to a server that stays root: it reads lists of any owner, as it does with all capabilities.
const OF_ROOT: CapabilitySet = CapabilitySet::DAC_READ_SEARCH;

/// The user and the group that the server is to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Identity {
    /// Those that it was started with.
    AsStarted,
    /// Root, as there is no usual user.
    RootForWantOfUser,
    /// Others.
    Other(Uid, Gid),
}

impl Identity {
    /// Finds those of the settings; only root can become another user.
    ///
    /// # Errors
    ///
    /// A user or a group of the settings does not exist.
    pub(super) fn find(server: &config::Server) -> anyhow::Result<Self> {
        if !Uid::effective().is_root() {
            return Ok(Self::AsStarted);
        }
        let user = match &server.user {
            Some(name) => user(name).with_context(|| {
                format!(
                    "server.user: there is no user {name:?}, and root does not serve in its place; make it \
                     (adduser --system --group --no-create-home {name}), or name another"
                )
            })?,
            None => match User::from_name(USUAL_USER) {
                Ok(Some(user)) => (user.uid, user.gid),
                _ => return Ok(Self::RootForWantOfUser),
            },
        };
        let group = match &server.group {
            Some(name) => group(name).with_context(|| {
                format!(
                    "server.group: there is no group {name:?}, and the server does not start without it; make it \
                     (addgroup --system {name}), or name another"
                )
            })?,
            None => user.1,
        };
        Ok(if user.0.is_root() { Self::AsStarted } else { Self::Other(user.0, group) })
    }

    /// Makes a folder of the server's own, unless it is there, for this user and group alone. Its parents stay root's,
    /// and no umask lets others write to them, who could put another folder in its place.
    pub(super) fn make_folder(self, folder: &Path) -> io::Result<()> {
        if folder.exists() {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
        }
        fs::DirBuilder::new().mode(0o750).create(folder)?;
        match self {
            Self::Other(uid, gid) => lchown(folder, Some(uid.as_raw()), Some(gid.as_raw())),
            Self::AsStarted | Self::RootForWantOfUser => Ok(()),
        }
    }

    /// Becomes this user for good, with this group and no other.
    fn assume(self) -> nix::Result<()> {
        let Self::Other(uid, gid) = self else { return Ok(()) };
        unistd::setgroups(&[gid])?;
        unistd::setgid(gid)?;
        unistd::setuid(uid)
    }

    /// Becomes this user for good, without any capability, nor a way to one. To be called before the first
    /// thread starts: capabilities are those of a thread.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub(super) fn settle(self, sink: &dyn EventSink) -> anyhow::Result<()> {
        if self == Self::RootForWantOfUser {
            sink.emit(&Event::StaysRoot);
        }
        let kept = || match Uid::effective().is_root() {
            true => OF_ROOT,
            false => CapabilitySet::empty(),
        };
        // While it may: with CAP_SETPCAP, which who is not root has not. What is never permitted and cannot be
        // gained by a program (`no_new_privs`) is out of reach all the same.
        let may_bound = capabilities(None)?.effective.contains(CapabilitySet::SETPCAP);
        if may_bound {
            for capability in CapabilitySet::all().difference(OF_ROOT).iter() {
                // EINVAL: the kernel does not know it.
                match remove_capability_from_bounding_set(capability) {
                    Err(rustix::io::Errno::INVAL) | Ok(()) => {}
                    Err(error) => return Err(refused("bound the capabilities", error)),
                }
            }
        }
        self.assume().map_err(|error| match self {
            Self::Other(uid, gid) => anyhow::anyhow!(
                "the system does not let the server become user {uid} and group {gid}: {error}; it does not start \
                 as root in their place; start it as that user, or set server.user"
            ),
            _ => error.into(),
        })?;
        clear_ambient_capability_set().map_err(|error| refused("clear the ambient set", error))?;
        let kept = kept().intersection(capabilities(None)?.permitted);
        let sets = CapabilitySets {
            effective: kept,
            permitted: kept,
            inheritable: CapabilitySet::empty(),
        };
        match set_capabilities(None, sets) {
            // A filter of system calls (`SystemCallFilter=~@privileged`) keeps the little that a unit gives from being
            // given up; the status tells.
            Err(rustix::io::Errno::PERM) if !Uid::effective().is_root() => {}
            set => set.map_err(|error| refused("drop the capabilities", error))?,
        }
        set_no_new_privs(true).map_err(|error| refused("set no_new_privs", error))
    }
}

fn refused(what: &str, error: rustix::io::Errno) -> anyhow::Error {
    anyhow::anyhow!(
        "cannot {what}: {error}; the server does not start with more rights than it needs"
    )
}

/// Enters the root folder of the settings, and in it the folder of the same path as before, in which names without
/// a path are looked for.
///
/// # Errors
///
/// The system refuses, or systemd could not be told from in there that the server is ready.
pub(super) fn enter_root(folder: &Path) -> anyhow::Result<()> {
    if std::env::var_os("NOTIFY_SOCKET").is_some() {
        bail!(
            "server.chroot: the manager of services cannot be reached from inside {}, so that the start would fail; \
             use RootDirectory= of the unit in its place",
            folder.display()
        );
    }
    let place = std::env::current_dir().unwrap_or_else(|_| "/".into());
    std::env::set_current_dir(folder)
        .and_then(|()| unistd::chroot(".").map_err(io::Error::from))
        .and_then(|()| std::env::set_current_dir(place).or_else(|_| std::env::set_current_dir("/")))
        .with_context(|| {
            format!(
                "server.chroot: {} cannot become the root folder; start the server as root, or leave the setting out",
                folder.display()
            )
        })
}

fn user(name: &str) -> Option<(Uid, Gid)> {
    let number = name.parse().ok();
    let found = match number {
        Some(number) => User::from_uid(Uid::from_raw(number)),
        None => User::from_name(name),
    };
    match (found, number) {
        (Ok(Some(user)), _) => Some((user.uid, user.gid)),
        // A number need not have a name.
        (_, Some(number)) => Some((Uid::from_raw(number), Gid::from_raw(number))),
        _ => None,
    }
}

fn group(name: &str) -> Option<Gid> {
    match name.parse() {
        Ok(number) => Some(Gid::from_raw(number)),
        Err(_) => Some(Group::from_name(name).ok()??.gid),
    }
}
