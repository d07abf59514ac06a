//! Which resolver it is.

use super::Resolver;
use clap::ValueEnum as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

impl Resolver {
    /// The one that calls itself so in its answer to `version.bind`.
    pub(crate) fn by_version(version: &str) -> Option<Self> {
        let version = version.to_lowercase();
        all().find(|resolver| version.starts_with(resolver.facts().version))
    }
}

fn all() -> impl Iterator<Item = Resolver> {
    Resolver::value_variants().iter().copied()
}

/// The one that answers at this address alone.
pub(crate) fn by_address(address: IpAddr) -> Option<Resolver> {
    let own = [Ipv4Addr::new(127, 0, 0, 53), Ipv4Addr::new(127, 0, 0, 54)].map(IpAddr::V4);
    own.contains(&address).then_some(Resolver::SystemdResolved)
}

/// The only one that runs here, as the folders of processes below `proc` tell.
pub(crate) fn by_processes(proc: &Path) -> Option<Resolver> {
    let names: Vec<_> = fs::read_dir(proc)
        .into_iter()
        .flatten()
        .filter_map(|process| fs::read_to_string(process.ok()?.path().join("comm")).ok())
        .collect();
    only(all().filter(|resolver| names.iter().any(|name| name.trim() == resolver.facts().process)))
}

/// The only one whose files are below this folder.
pub(crate) fn by_files(root: &Path) -> Option<Resolver> {
    let exists = |file: &str| root.join(file.trim_start_matches('/')).exists();
    only(all().filter(|resolver| resolver.facts().files.iter().any(|file| exists(file))))
}

fn only(mut found: impl Iterator<Item = Resolver>) -> Option<Resolver> {
    let first = found.next();
    found.next().is_none().then_some(first).flatten()
}
