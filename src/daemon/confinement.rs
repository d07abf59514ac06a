//! What a server gives up before its first thread starts, so that a fault in it stays its own.

use super::control_place;
use super::privileges::{self, Identity};
use super::sandbox::Sandbox;
use crate::config::{ConfigSource, Settings};
use crate::event::EventSink;
use crate::status::ConfinementStatus;
use anyhow::ensure;
use nix::unistd::{Uid, User};
use rustix::thread::capabilities;

/// What is left to the server; by default, what it was started with.
#[derive(Debug, Default)]
pub(super) struct Confinement {
    pub(super) sandbox: Sandbox,
    pub(super) status: Option<ConfinementStatus>,
}

impl Confinement {
    /// Gives up all that a server with these settings, whose sockets are bound, does not need. `own_port` is the port
    /// that it connects to itself. To be called while the process has one thread.
    ///
    /// # Errors
    ///
    /// The system refuses, or what the settings ask for is not there.
    pub(super) fn enter(
        settings: &Settings,
        source: &ConfigSource,
        own_port: Option<u16>,
        sink: &dyn EventSink,
    ) -> anyhow::Result<Self> {
        let identity = Identity::find(&settings.server)?;
        if let Some(root) = &settings.server.chroot {
            privileges::enter_root(root)?;
            ensure!(
                source.load_again().is_ok_and(|inside| inside.settings == *settings),
                "server.chroot: {source} is not to be read inside {}, or is another one there, so that no reload could \
                 read it; let both be one file (mount --bind)",
                root.display()
            );
        }
        let sockets = control_place::of_server(&settings.server.control);
        let of_socket = sockets.first().and_then(|socket| socket.parent());
        for folder in settings.server.state_dir.as_deref().into_iter().chain(of_socket) {
            // Who wants to write there tells why it is not.
            let _ = identity.make_folder(folder);
        }
        identity.settle(sink)?;
        // Later, nothing that tells the name can be read.
        let user = Uid::effective();
        let name = User::from_uid(user).ok().flatten().map(|user| user.name);
        let kept = capabilities(None)?.permitted;
        let sandbox = Sandbox::enter(settings, source, own_port, sink);
        let (reads, writes) = sandbox.folders();
        let status = ConfinementStatus {
            user: name.unwrap_or_else(|| user.to_string()),
            capabilities: kept.iter_names().map(|(name, _)| format!("CAP_{name}")).collect(),
            sandbox: sandbox.state(),
            reads,
            writes,
        };
        Ok(Self { sandbox, status: Some(status) })
    }
}
