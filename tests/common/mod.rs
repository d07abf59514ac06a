//! What the integration tests share: free ports, folders and waiting here; in the submodules DNS
//! clients, programs that end with the test, and namespaces for tests that need some of their own.
//!
//! Every program is started by [`Process`]. On it stand three ways to serve: [`Setup`] and
//! [`Daemon`] have a configuration file and a folder to change, [`Server`] takes a command line,
//! and [`Sandbox`] runs dnsbld under rbldnsd's name.

mod certificate;
mod clock;
mod daemon;
pub(crate) mod data_file;
mod dig;
mod dns;
mod exim;
mod machine;
pub(crate) mod name;
pub(crate) mod postfix;
mod process;
mod proxy;
pub(crate) mod query;
mod random;
pub(crate) mod reply;
pub(crate) mod resolver;
mod rsync;
mod sandbox;
mod sealed;
mod server;
mod stream;
mod unbound;

pub(crate) use crate::fuzz::targets::message;
pub(crate) use certificate::make_certificate;
pub(crate) use clock::Clock;
pub(crate) use daemon::{Daemon, Setup, event, send_signal_to_group, slow_list};
pub(crate) use dig::{Shown, dig, kdig};
pub(crate) use dns::{Client, query, reversed};
pub(crate) use exim::Exim;
pub(crate) use machine::Machine;
pub(crate) use process::Process;
pub(crate) use proxy::{Fault, Proxy, proxy_header};
pub(crate) use random::Random;
pub(crate) use reply::Reply;
pub(crate) use rsync::{RsyncDaemon, mirror, sync};
pub(crate) use sandbox::{Ended, Foreground, LIMIT, NOBODY, Sandbox, as_nobody, dnsbld, ended};
pub(crate) use sealed::{add_address, add_user, hide, is_root, run, sealed, skip};
pub(crate) use server::Server;
pub(crate) use stream::{Keys, Stream, Style, VersionedFeed};
pub(crate) use unbound::Unbound;

use std::fs;
use std::iter;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A folder of the test's own that other users may read, for servers that drop their privileges.
pub(crate) fn temp_dir() -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("its mode is ours");
    dir
}

/// A port of 127.0.0.1 that is free for UDP and TCP. It is below those that the system gives to
/// clients, and each call gives another one, so that tests do not take each other's.
pub(crate) fn free_port() -> u16 {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    loop {
        let offset = std::process::id() % 22_000 * 101 + CALLS.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(10_000 + offset % 22_000).expect("below 32,000");
        let addr = (Ipv4Addr::LOCALHOST, port);
        if UdpSocket::bind(addr).is_ok() && TcpListener::bind(addr).is_ok() {
            return port;
        }
    }
}

/// Asks again and again until `done` says yes; false if that took longer than `limit`.
pub(crate) fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > limit {
            return false;
        }
        // The one pause between two looks.
        thread::sleep(Duration::from_millis(10));
    }
    true
}

/// Does something for each item, some at a time, and gives the results in the order of the items:
/// for work that waits for servers most of the time.
pub(crate) fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    const THREADS: usize = 4;
    let next = AtomicUsize::new(0);
    let take = || {
        let at = next.fetch_add(1, Ordering::Relaxed);
        Some((at, work(items.get(at)?)))
    };
    let mut results: Vec<(usize, R)> = thread::scope(|scope| {
        let thread = || scope.spawn(|| iter::from_fn(take).collect::<Vec<_>>());
        let threads: Vec<_> = iter::repeat_with(thread).take(THREADS).collect();
        let done =
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|p| resume_unwind(p)));
        done.flatten().collect()
    });
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The names in a folder, hidden ones too, sorted.
pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
