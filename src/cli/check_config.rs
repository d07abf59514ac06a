//! `dnsbld check-config`

use crate::config::{ConfigDiagnostic, ConfigSource, Settings, Tls};
use crate::server::tls::Certificate;
use crate::util::text::counted;
use anyhow::Context;
use clap::Args;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Check whether a configuration can be used.
///
/// Prints its meaning and OK, or every mistake with its place and remedy (exit code 78). It does not
/// read the data files.
#[derive(Args, Debug)]
pub struct CheckConfig {
    /// The configuration file [default: zones/dnsbld.toml if there is one in the current
    /// folder, else /etc/dnsbld/dnsbld.toml].
    file: Option<PathBuf>,
}

impl CheckConfig {
    /// Checks the configuration and prints the result.
    ///
    /// # Errors
    ///
    /// [`crate::config::Errors`] if the configuration cannot be used.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let source = match self.file {
            Some(file) => ConfigSource::file(file),
            None => {
                let folder =
                    std::env::current_dir().context("cannot determine the current folder")?;
                ConfigSource::default_file(&folder)
            }
        };
        let loaded = source.load()?;
        let report = report(&source, &loaded.settings, &loaded.warnings);
        std::io::stdout().write_all(report.as_bytes()).context("cannot print the result")?;
        Ok(ExitCode::SUCCESS)
    }
}

fn report(source: &ConfigSource, settings: &Settings, warnings: &[ConfigDiagnostic]) -> String {
    let mut out = format!("configuration {source}\n");
    summary(&mut out, settings);
    let missing = missing_files(settings);
    for warning in warnings {
        line(&mut out, format_args!("warning: {source}:{warning}"));
    }
    for file in &missing {
        line(&mut out, format_args!("warning: there is no file {}", file.display()));
    }
    let tls = settings.server.tls.as_ref().and_then(tls_fault);
    if let Some(fault) = &tls {
        line(&mut out, format_args!("warning: {fault}"));
    }
    let zones = counted(settings.zones.len() as u64, "zone", "zones");
    let datasets = counted(settings.datasets.len() as u64, "dataset", "datasets");
    let warnings = warnings.len() + missing.len() + usize::from(tls.is_some());
    let warnings = counted(warnings as u64, "warning", "warnings");
    line(&mut out, format_args!("OK: {zones}, {datasets}, {warnings}"));
    out
}

fn summary(out: &mut String, settings: &Settings) {
    for address in &settings.server.listen {
        line(out, format_args!("listen  {address} (UDP and TCP)"));
    }
    for address in settings.server.tls.iter().flat_map(|tls| &tls.listen) {
        line(out, format_args!("listen  {address} (TLS)"));
    }
    let named = |what: &str, lists: &[String]| match lists {
        [] => String::new(),
        lists => format!(", {what} {}", lists.join(" ")),
    };
    if !settings.server.acl.is_empty() {
        line(out, format_args!("acl     {}", settings.server.acl.join(" ")));
    }
    for dataset in &settings.datasets {
        let files: Vec<_> = dataset.files.iter().map(|file| file.display().to_string()).collect();
        let (name, kind) = (&dataset.name, dataset.kind);
        line(out, format_args!("dataset {name} ({kind}): {}", files.join(" ")));
    }
    for zone in &settings.zones {
        let (allow, acl) = (named("allow", &zone.allow), named("acl", &zone.acl));
        line(out, format_args!("zone    {}: {}{allow}{acl}", zone.name, zone.datasets.join(" ")));
    }
}

/// Why the server will not start with this certificate, or why that is unknown: another user may start
/// the server. [`missing_files`] reports missing files.
fn tls_fault(tls: &Tls) -> Option<String> {
    let files = [&tls.certificate, &tls.key];
    if files.iter().any(|file| !file.exists()) {
        return None;
    }
    if let Some(file) = files.iter().find(|file| File::open(file).is_err()) {
        return Some(format!("{} was not checked: this user cannot read it", file.display()));
    }
    let error = Certificate::load(&tls.certificate, &tls.key).err()?;
    Some(format!("the server will not start: {error}"))
}

/// The files of the settings that do not exist (yet).
fn missing_files(settings: &Settings) -> Vec<&Path> {
    let data = settings.datasets.iter().flat_map(|dataset| &dataset.files);
    let tls = settings.server.tls.iter().flat_map(|tls| [&tls.certificate, &tls.key]);
    data.chain(tls).filter(|file| !file.exists()).map(PathBuf::as_path).collect()
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}
