//! `dnsbld migrate`

use super::current_folder;
use crate::config;
use crate::rbldnsd::migrate::{CommandLines, CommandSource, LARGEST_FILE, Migration, NAMELESS};
use anyhow::{Context, bail, ensure};
use clap::Args;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The name of the file of the nameless instance.
const NAMELESS_FILE: &str = "dnsbld";

const EXAMPLES: &str = "\
Examples:
  dnsbld migrate /etc/default/rbldnsd -o /etc/dnsbld/dnsbld.toml
  dnsbld migrate /etc/systemd/system/rbldnsd.service -o /etc/dnsbld/dnsbld.toml
  dnsbld migrate -- -n -b 127.0.0.1/530 -r /var/lib/rbldns zone:ip4set:file";

/// Write a configuration that does the same as an rbldnsd command line.
///
/// Comments in the file say what each option became, what differs, and what to do next.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Migrate {
    /// A file that starts rbldnsd: /etc/default/rbldnsd, /etc/sysconfig/rbldnsd, /etc/rc.conf, a
    /// systemd unit, a compose file or a Dockerfile. Nothing in it is run.
    #[arg(required_unless_present = "words", conflicts_with = "words")]
    file: Option<PathBuf>,
    /// The file to write, which must not exist yet, or a folder, which gets a file NAME.toml for each
    /// instance [default: standard output].
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Migrate only this instance of the file; "-" is the one without a name.
    #[arg(long, value_name = "NAME", allow_hyphen_values = true, conflicts_with = "words")]
    instance: Option<String>,
    /// rbldnsd's command line, after "--".
    #[arg(last = true, value_name = "RBLDNSD-ARGUMENT")]
    words: Vec<OsString>,
}

/// An instance by its name.
type Named = (String, Migration);

impl Migrate {
    /// Writes the configurations.
    ///
    /// # Errors
    ///
    /// If a command line or the file cannot be understood, or if an output cannot be written. It
    /// overwrites nothing. One bad instance of several does not keep the others from being written.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let (all, failed) = match &self.file {
            Some(file) => self.of_file(file)?,
            None => (vec![(NAMELESS.to_owned(), of_words(&self.words)?)], Vec::new()),
        };
        for (name, migration) in &all {
            let of = if name == NAMELESS { String::new() } else { format!("{name}: ") };
            for warning in &migration.warnings {
                eprintln!("warning: {of}{warning}");
            }
        }
        let failed = [failed, self.write(&all)?].concat();
        offer_to_join(&all);
        ensure!(failed.is_empty(), "not migrated: {}", failed.join(" "));
        Ok(ExitCode::SUCCESS)
    }

    /// The instances that can be migrated, and the names of the others.
    fn of_file(&self, file: &Path) -> anyhow::Result<(Vec<Named>, Vec<String>)> {
        let shown = file.display();
        let mut text = Vec::new();
        config::open(file)
            .and_then(|file| file.take(LARGEST_FILE as u64 + 1).read_to_end(&mut text))
            .with_context(|| format!("cannot read {shown}"))?;
        let CommandLines { mut instances, warnings, .. } =
            CommandLines::read(&text).with_context(|| shown.to_string())?;
        for warning in warnings {
            eprintln!("warning: {shown}: {warning}");
        }
        let names: Vec<String> = instances.iter().map(|known| known.name.clone()).collect();
        if let Some(wanted) = &self.instance {
            instances.retain(|instance| instance.name == *wanted);
            let names = names.join(" ");
            ensure!(!instances.is_empty(), "{shown}: no instance {wanted}; there are: {names}");
        }
        let is_alone = instances.len() == 1;
        let (mut all, mut failed) = (Vec::new(), Vec::new());
        for instance in instances {
            match instance.migrate(&shown.to_string()) {
                Ok(migration) => all.push((instance.name, migration)),
                Err(error) if is_alone => return Err(error),
                Err(error) => {
                    eprintln!("error: {error:#}");
                    failed.push(instance.name);
                }
            }
        }
        if !is_alone && !self.output.as_ref().is_some_and(|output| output.is_dir()) {
            bail!(
                "there are several instances: {}; choose one with --instance, or give a folder \
                 for all of them with --output",
                names.join(" ")
            );
        }
        Ok((all, failed))
    }

    /// Writes what can be written, and gives the names of the instances that cannot.
    fn write(&self, migrated: &[Named]) -> anyhow::Result<Vec<String>> {
        let mut failed = Vec::new();
        match (&self.output, migrated) {
            (Some(folder), _) if folder.is_dir() => {
                for (name, migration) in migrated {
                    let written = file_name(name)
                        .and_then(|file| write_new(&folder.join(file), &migration.text));
                    match written {
                        Err(error) if migrated.len() == 1 => return Err(error),
                        Err(error) => {
                            eprintln!("error: {error:#}");
                            failed.push(name.clone());
                        }
                        Ok(()) => {}
                    }
                }
            }
            (Some(file), [(_, migration)]) => write_new(file, &migration.text)?,
            _ => {
                for (_, migration) in migrated {
                    let text = migration.text.as_bytes();
                    std::io::stdout().write_all(text).context("cannot print the configuration")?;
                }
            }
        }
        Ok(failed)
    }
}

fn of_words(words: &[OsString]) -> anyhow::Result<Migration> {
    let folder = current_folder()?;
    let is_program = |word: &OsString| {
        !word.to_string_lossy().contains(':') && Path::new(word).ends_with("rbldnsd")
    };
    let words = match words.split_first() {
        Some((first, rest)) if is_program(first) => rest,
        _ => words,
    };
    Migration::of(words, CommandSource { name: "the command line", folder: &folder, user: None })
}

fn file_name(instance: &str) -> anyhow::Result<String> {
    let stem = if instance == NAMELESS { NAMELESS_FILE } else { instance };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    ensure!(
        stem.chars().all(is_plain) && !stem.starts_with('.'),
        "{stem:?} cannot be the name of a file; take it with --instance, and name the file"
    );
    Ok(format!("{stem}.toml"))
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let mut file = File::create_new(path).with_context(cannot)?;
    file.write_all(text.as_bytes()).with_context(cannot)?;
    eprintln!("wrote {}: next, dnsbld check-config {0}", path.display());
    Ok(())
}

/// Says if one server can replace several.
fn offer_to_join(migrated: &[Named]) {
    let Some(((first, one), others)) = migrated.split_first() else { return };
    let mut names = vec![first.as_str()];
    names.extend(others.iter().filter(|(_, other)| one.can_join(other)).map(|(name, _)| &**name));
    if names.len() > 1 {
        eprintln!(
            "note: {} have the same options and no zone in common. One server can do it: put all \
             addresses into one listen, and the datasets and zones into one file. Then each \
             address answers for all zones.",
            names.join(" and ")
        );
    }
}
