//! `dnsbld migrate`

use crate::config;
use crate::rbldnsd::migrate::{Defaults, Instance, Migration, NAMELESS, Origin};
use anyhow::{Context, bail, ensure};
use clap::Args;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The folder from which the init script starts rbldnsd.
const ROOT: &str = "/";

/// The name of the file of the nameless instance.
const NAMELESS_FILE: &str = "dnsbld";

const EXAMPLES: &str = "\
Examples:
  dnsbld migrate /etc/default/rbldnsd -o /etc/dnsbld/dnsbld.toml
  dnsbld migrate -- -n -b 127.0.0.1/530 -r /var/lib/rbldns zone:ip4set:file";

/// Write a configuration that does the same as an rbldnsd command line.
///
/// Comments in the file say what each option became, what differs, and what to do next.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Migrate {
    /// A file that sets RBLDNSD, such as /etc/default/rbldnsd or /etc/sysconfig/rbldnsd.
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

impl Migrate {
    /// Writes the configurations.
    ///
    /// # Errors
    ///
    /// If the command line or the file cannot be understood, or if the output cannot be written. It
    /// overwrites nothing.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let migrated = match &self.file {
            Some(file) => self.of_file(file)?,
            None => vec![(NAMELESS.to_owned(), of_words(&self.words)?)],
        };
        for (name, migration) in &migrated {
            let of = if name == NAMELESS { String::new() } else { format!("{name}: ") };
            for warning in &migration.warnings {
                eprintln!("warning: {of}{warning}");
            }
        }
        self.write(&migrated)?;
        offer_to_join(&migrated);
        Ok(ExitCode::SUCCESS)
    }

    fn of_file(&self, file: &Path) -> anyhow::Result<Vec<(String, Migration)>> {
        let shown = file.display();
        let mut text = Vec::new();
        config::open(file)
            .and_then(|mut file| file.read_to_end(&mut text))
            .with_context(|| format!("cannot read {shown}"))?;
        let Defaults { mut instances, warnings } =
            Defaults::read(&text).with_context(|| shown.to_string())?;
        for warning in warnings {
            eprintln!("warning: {shown}: {warning}");
        }
        let names: Vec<String> = instances.iter().map(|known| known.name.clone()).collect();
        if let Some(wanted) = &self.instance {
            instances.retain(|instance| instance.name == *wanted);
            let names = names.join(" ");
            ensure!(!instances.is_empty(), "{shown}: no instance {wanted}; there are: {names}");
        }
        let migrate = |Instance { name, words }: Instance| {
            let origin = match name.as_str() {
                NAMELESS => shown.to_string(),
                name => format!("{shown}, instance {name}"),
            };
            let origin = Origin { name: &origin, folder: Path::new(ROOT) };
            let migration = Migration::of(&words, origin).context(origin.name.to_owned())?;
            Ok((name, migration))
        };
        instances.into_iter().map(migrate).collect()
    }

    fn write(&self, migrated: &[(String, Migration)]) -> anyhow::Result<()> {
        let folder = self.output.as_ref().filter(|output| output.is_dir());
        match (migrated, &self.output, folder) {
            (_, _, Some(folder)) => {
                for (name, migration) in migrated {
                    write_new(&folder.join(file_name(name)?), &migration.text)?;
                }
            }
            ([(_, migration)], Some(file), None) => write_new(file, &migration.text)?,
            ([(_, migration)], None, None) => {
                let text = migration.text.as_bytes();
                std::io::stdout().write_all(text).context("cannot print the configuration")?;
            }
            _ => {
                let names: Vec<&str> = migrated.iter().map(|(name, _)| name.as_str()).collect();
                bail!(
                    "there are several instances: {}; choose one with --instance, or give a folder \
                     for all of them with --output",
                    names.join(" ")
                );
            }
        }
        Ok(())
    }
}

fn of_words(words: &[OsString]) -> anyhow::Result<Migration> {
    let folder = std::env::current_dir().context("cannot determine the current folder")?;
    let is_program = |word: &OsString| {
        !word.to_string_lossy().contains(':') && Path::new(word).ends_with("rbldnsd")
    };
    let words = match words.split_first() {
        Some((first, rest)) if is_program(first) => rest,
        _ => words,
    };
    Migration::of(words, Origin { name: "the command line", folder: &folder })
}

fn file_name(instance: &str) -> anyhow::Result<String> {
    let stem = if instance == NAMELESS { NAMELESS_FILE } else { instance };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    ensure!(
        stem.chars().all(is_plain) && !stem.starts_with('.'),
        "{stem:?} cannot be the name of a file; write this instance alone, with --instance and --output FILE"
    );
    Ok(format!("{stem}.toml"))
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let mut file = File::create_new(path).with_context(cannot)?;
    file.write_all(text.as_bytes()).with_context(cannot)?;
    eprintln!("wrote {}; check it with: dnsbld check-config {0}", path.display());
    Ok(())
}

/// Says if one server can replace several.
fn offer_to_join(migrated: &[(String, Migration)]) {
    let Some(((first, one), others)) = migrated.split_first() else { return };
    let mut names = vec![first.as_str()];
    names.extend(others.iter().filter(|(_, other)| one.can_join(other)).map(|(name, _)| &**name));
    if names.len() > 1 {
        eprintln!(
            "note: {} have the same options and no zone in common, so one server can replace them: put all \
             addresses into one listen, and all datasets and zones into one file. Each address then \
             answers for all zones.",
            names.join(" and ")
        );
    }
}
