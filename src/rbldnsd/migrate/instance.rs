//! The command lines that a file has, and the instances of rbldnsd that they start.

use super::{CommandSource, Migration};
use anyhow::Context;
use std::ffi::OsString;
use std::path::PathBuf;

/// The name of an instance that needs none.
pub const NAMELESS: &str = "-";

/// The folder in which init scripts, systemd and containers start a program.
const ROOT: &str = "/";

/// The command lines of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommandLines {
    /// The form of the file.
    pub form: Form,
    /// The instances in the order of the file, at least one, each name once.
    pub instances: Vec<Instance>,
    /// What only the program that usually reads the file could tell, and what was not read.
    pub warnings: Vec<String>,
}

/// The forms of files that are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Assignments for an init script: `/etc/default/rbldnsd`, `/etc/rc.conf`.
    Shell,
    /// A service unit of systemd.
    Unit,
    /// A Dockerfile.
    Dockerfile,
    /// A compose file.
    Compose,
}

/// One rbldnsd that is started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instance {
    /// Its name, or [`NAMELESS`].
    pub name: String,
    /// The command line without the program's name.
    pub words: Vec<OsString>,
    /// The user that the program is started as, if the file says so.
    pub user: Option<String>,
    /// The folder in which it is started.
    pub folder: PathBuf,
}

impl Instance {
    pub(super) fn new(name: &str, words: Vec<OsString>) -> Self {
        Self { name: name.to_owned(), words, user: None, folder: ROOT.into() }
    }

    /// The configuration that does the same; `file` is named as its origin.
    ///
    /// # Errors
    ///
    /// As [`Migration::of`], with the file and the name of the instance.
    pub fn migrate(&self, file: &str) -> anyhow::Result<Migration> {
        let name = match self.name.as_str() {
            NAMELESS => file.to_owned(),
            name => format!("{file}, instance {name}"),
        };
        let origin =
            CommandSource { name: &name, folder: &self.folder, user: self.user.as_deref() };
        Migration::of(&self.words, origin).context(name.clone())
    }
}

impl CommandLines {
    pub(super) fn add(&mut self, instance: Instance) {
        if self.instances.iter().any(|known| known.name == instance.name) {
            self.warn(format!("{} is there twice: only the first is taken", instance.name));
            return;
        }
        self.instances.push(instance);
    }

    pub(super) fn warn(&mut self, text: String) {
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }
}
