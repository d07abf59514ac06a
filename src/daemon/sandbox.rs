//! The folders that the kernel lets the server use from its start on (Landlock), and nothing else: it reads those
//! of its settings and its lists, writes those of its state, its logs and its control socket, runs no program and
//! connects to no other machine.
//!
//! The rules cannot be widened while the server runs. They belong to the folders, not to their names: a folder that
//! is put in place of another one is out of sight.

use super::control_place;
use crate::config::{self, ConfigDiagnostic, ConfigSource, LogTarget, Settings};
use crate::event::{Event, EventSink};
use crate::status::SandboxState;
use anyhow::ensure;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope, make_bitflags,
};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The version of Landlock whose rights are asked for; an older kernel holds those that it knows. From version 9 on,
/// connecting to a unix socket is a right, which dnstap and systemd's socket would need.
const VERSION: ABI = ABI::V7;

/// What is read beside the files of the settings: how much memory there is, and what the process has.
const OF_SYSTEM: [&str; 2] = ["/proc", "/sys/fs/cgroup"];

type Rights = BitFlags<AccessFs>;

/// To read files, and to see which there are.
const READ: Rights = make_bitflags!(AccessFs::{ReadFile | ReadDir});

/// To keep files and folders: no devices, pipes or links to elsewhere.
const KEEP: Rights = make_bitflags!(AccessFs::{
    ReadFile | ReadDir | WriteFile | Truncate | MakeReg | MakeDir | MakeSym | RemoveFile | RemoveDir | Refer
});

/// To make a file and to add to it.
const APPEND: Rights = make_bitflags!(AccessFs::{WriteFile | MakeReg});

/// To have sockets.
const SOCKETS: Rights =
    make_bitflags!(AccessFs::{ReadFile | ReadDir | MakeDir | MakeSock | RemoveFile});

/// What a server may use.
#[derive(Debug, Default)]
pub(super) struct Sandbox {
    state: SandboxState,
    places: Vec<Place>,
}

/// A folder, or a file that is none and no part of one.
#[derive(Clone, Debug)]
struct Place {
    path: PathBuf,
    /// The device and the inode, which the rule is about.
    node: (u64, u64),
    rights: Rights,
}

impl Sandbox {
    /// Keeps this thread, and those that it starts, to what a server with these settings needs, which connects to
    /// `own_port` of its own.
    pub(super) fn enter(
        settings: &Settings,
        source: &ConfigSource,
        own_port: Option<u16>,
        sink: &dyn EventSink,
    ) -> Self {
        if !settings.server.sandbox {
            return Self { state: SandboxState::Off, places: Vec::new() };
        }
        let places = places(settings, source);
        let reason = match restrict(&places, own_port) {
            Ok(LandlockStatus::Available { .. }) => {
                return Self { state: SandboxState::On, places };
            }
            Ok(LandlockStatus::NotEnabled) => "it is off in this kernel (lsm=)".to_owned(),
            Ok(LandlockStatus::NotImplemented) => {
                "this kernel has no Landlock, or a filter of system calls hides it".to_owned()
            }
            Err(error) => error.to_string(),
        };
        sink.emit(&Event::SandboxUnavailable { reason });
        Self { state: SandboxState::Unavailable, places: Vec::new() }
    }

    /// Whether it holds.
    pub(super) fn state(&self) -> SandboxState {
        self.state
    }

    /// The folders whose files may be read, and those whose files may be written.
    pub(super) fn folders(&self) -> (Vec<String>, Vec<String>) {
        let own =
            self.places.iter().filter(|it| !OF_SYSTEM.iter().any(|of| it.path == Path::new(of)));
        let (written, read): (Vec<_>, Vec<_>) =
            own.partition(|place| place.rights.intersects(!READ));
        let path = |place: &'_ Place| place.path.display().to_string();
        (read.into_iter().map(path).collect(), written.into_iter().map(path).collect())
    }

    /// What these settings name and the server may not read: a mistake each, with its consequence and remedy.
    pub(super) fn outside(&self, settings: &Settings) -> Vec<ConfigDiagnostic> {
        if self.state != SandboxState::On {
            return Vec::new();
        }
        let of_sets = settings.datasets.iter().flat_map(|set| {
            set.files.iter().map(move |file| (format!("dataset {}", set.name), file.as_path()))
        });
        let of_keys = settings
            .keys
            .iter()
            .map(|key| (format!("key {}", key.name), key.secret_file.as_path()));
        let feeds = !settings.mirror.feeds.is_empty();
        let mirror = feeds.then(|| ("mirror.dir".to_owned(), settings.mirror.dir.as_path()));
        let secrets = settings.server.cookie_secrets.as_ref();
        let secrets = secrets.map(|file| ("server.cookie-secrets".to_owned(), file.as_path()));
        of_sets
            .chain(of_keys)
            .chain(mirror)
            .chain(secrets)
            .filter(|(_, path)| !self.lets_read(path))
            .map(|(subject, path)| ConfigDiagnostic {
                place: None,
                message: format!(
                    "{subject}: {} is in none of the folders that the running server may read (server.sandbox)",
                    path.display()
                ),
                help: "restart the server, which then may".to_owned(),
            })
            .collect()
    }

    /// The folders in whose place others are now, which the server may not use.
    pub(super) fn replaced(&self) -> impl Iterator<Item = &Path> {
        let is_other = |place: &&Place| {
            fs::metadata(&place.path).is_ok_and(|there| node(&there) != place.node)
                && !self.allows(&place.path, place.rights)
        };
        self.places.iter().filter(is_other).map(|place| &*place.path)
    }

    /// Whether the file may be read, or could be if it were there.
    fn lets_read(&self, path: &Path) -> bool {
        self.allows(path, READ)
    }

    /// As the kernel decides it: by the folder, and those above it.
    fn allows(&self, path: &Path, rights: Rights) -> bool {
        let Some(there) = nearest(path) else { return false };
        there.ancestors().any(|above| {
            fs::metadata(above).is_ok_and(|above| {
                let mut of_it = self.places.iter().filter(|place| place.node == node(&above));
                of_it.any(|place| place.rights.contains(rights))
            })
        })
    }
}

/// What a server with these settings needs, each place once.
fn places(settings: &Settings, source: &ConfigSource) -> Vec<Place> {
    let mut all = Places::default();
    let config::Server { state_dir, query_log, stats_file, tls, control, cookie_secrets, .. } =
        &settings.server;
    OF_SYSTEM.iter().for_each(|folder| all.add(Path::new(folder), READ));
    source.path().iter().for_each(|file| all.add_folder_of(file, READ));
    let files = settings.datasets.iter().flat_map(|dataset| &dataset.files);
    files.for_each(|file| all.add_folder_of(file, READ));
    if !settings.mirror.feeds.is_empty() {
        all.add(&settings.mirror.dir, READ);
    }
    if let Some(tls) = tls {
        all.add_folder_of(&tls.certificate, READ);
        all.add_folder_of(&tls.key, READ);
    }
    cookie_secrets.iter().for_each(|file| all.add_folder_of(file, READ));
    settings.keys.iter().for_each(|key| all.add_folder_of(&key.secret_file, READ));
    state_dir.iter().for_each(|folder| all.add(folder, KEEP));
    if let Some(LogTarget::File(path)) = query_log.as_ref().map(|log| &log.target) {
        all.add_log(path);
    }
    stats_file.iter().for_each(|file| all.add_log(&file.path));
    control_place::of_server(control).iter().for_each(|socket| all.add_folder_of(socket, SOCKETS));
    all.0.into_iter().map(|(node, (path, rights))| Place { path, node, rights }).collect()
}

/// Places by what they are, not by their names.
#[derive(Default)]
struct Places(BTreeMap<(u64, u64), (PathBuf, Rights)>);

impl Places {
    /// A folder, or the nearest above it that is there; where that is the root folder, nothing is let in.
    fn add(&mut self, path: &Path, rights: Rights) {
        let Some(there) = nearest(path).filter(|there| there != Path::new("/")) else { return };
        let Ok(metadata) = fs::metadata(&there) else { return };
        let (_, known) = self.0.entry(node(&metadata)).or_insert_with(|| (there, rights));
        *known |= rights;
    }

    /// The folder of a file. If a link leads to that folder, the one beside which the next version will lie.
    fn add_folder_of(&mut self, file: &Path, rights: Rights) {
        let folder = file.parent().unwrap_or(file);
        self.add(folder, rights);
        let by_link = |path: &Path| fs::canonicalize(path).ok().filter(|real| real != path);
        if let Some(real) = by_link(folder) {
            real.parent().iter().for_each(|above| self.add(above, rights));
        }
        if let Some(real) = by_link(file) {
            real.parent().iter().for_each(|folder| self.add(folder, rights));
        }
    }

    /// The folder of a log, where it is made anew after it was renamed; a named pipe or a device alone.
    fn add_log(&mut self, file: &Path) {
        match fs::canonicalize(file) {
            Ok(real) if real.is_file() => self.add_folder_of(&real, APPEND),
            Ok(real) => self.add(&real, APPEND & AccessFs::from_file(VERSION)),
            // A pipe or a socket without a name, as /dev/stdout may be: no rule is about those.
            Err(_) if file.exists() => {}
            Err(_) => self.add_folder_of(file, APPEND),
        }
    }
}

/// Rules are about ports, not about machines: `own_port` can be connected to everywhere.
fn restrict(places: &[Place], own_port: Option<u16>) -> anyhow::Result<LandlockStatus> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(VERSION))?
        // Nothing is bound any more, and nothing is connected to but the server itself.
        .handle_access(AccessNet::from_all(VERSION))?
        .scope(Scope::Signal)?
        .create()?;
    for Place { path, rights, .. } in places {
        rules = rules.add_rule(PathBeneath::new(PathFd::new(path)?, *rights))?;
    }
    if let Some(port) = own_port {
        rules = rules.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
    }
    let done = rules.restrict_self()?;
    let is_available = matches!(done.landlock, LandlockStatus::Available { .. });
    ensure!(
        !is_available || done.ruleset != RulesetStatus::NotEnforced,
        "the kernel holds no rule"
    );
    Ok(done.landlock)
}

/// The path without links, or that of the nearest folder above it that is there.
fn nearest(path: &Path) -> Option<PathBuf> {
    path.ancestors().find_map(|path| fs::canonicalize(path).ok())
}

fn node(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::symlink;

    fn of_log(file: &Path) -> Vec<PathBuf> {
        let mut places = Places::default();
        places.add_log(file);
        places.0.into_values().map(|(path, _)| path).collect()
    }

    /// `/dev/stdout` let the server write to all devices.
    #[test]
    fn a_log_behind_a_link_opens_no_folder_of_the_link() {
        let (_reader, writer) = std::io::pipe().unwrap();
        let pipe = PathBuf::from(format!("/proc/self/fd/{}", writer.as_raw_fd()));
        assert!(of_log(&pipe).is_empty());
        assert_eq!(of_log(Path::new("/dev/null")), [PathBuf::from("/dev/null")]);
        let folder = tempfile::tempdir().unwrap();
        let [folder, link] = [folder.path().join("real"), folder.path().join("link")];
        fs::create_dir(&folder).unwrap();
        let folder = fs::canonicalize(folder).unwrap();
        assert_eq!(of_log(&folder.join("log")), std::slice::from_ref(&folder));
        fs::write(folder.join("log"), "").unwrap();
        symlink(folder.join("log"), &link).unwrap();
        assert_eq!(of_log(&link), [folder]);
    }
}
