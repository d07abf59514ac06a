//! `dnsbld init`

use super::print;
use crate::config::{ConfigSource, PRESETS, Preset, preset};
use crate::resolver::{self, Resolver};
use crate::setup::{MailServer, OwnList, Plan, Written, free_listen, in_use, word};
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Write a first configuration, and the lines of the resolver and the mail server that fit it.
///
/// Asks at a terminal for what no option says. Starts nothing, changes no file of other programs, and says which
/// commands come next.
#[derive(Args, Debug)]
pub struct Init {
    /// A public list to serve, which `dnsbld sync` fetches; may be repeated. `dnsbld sync --list` shows them all.
    #[arg(long, value_name = "NAME", value_parser = known_preset)]
    feed: Vec<&'static Preset>,
    /// A list of your own, whose entries are listed; may be repeated. A file that is not there is made.
    #[arg(long, value_name = "ZONE:TYPE:FILE", value_parser = own_list)]
    zone: Vec<OwnList>,
    /// A list of your own whose entries are let in, whatever the other lists say.
    #[arg(long, value_name = "ZONE:TYPE:FILE", value_parser = own_list)]
    allow: Option<OwnList>,
    /// The resolver that mail servers ask.
    #[arg(long, value_enum, value_name = "NAME")]
    resolver: Option<Resolver>,
    /// The mail server or filter.
    #[arg(long, value_enum, value_name = "NAME")]
    mta: Option<MailServer>,
    /// The folder for all of it.
    #[arg(long, value_name = "FOLDER", default_value = SYSTEM_DIR)]
    dir: PathBuf,
    /// An address and port for UDP and TCP [default: the loopback addresses, with the first free port from 5300
    /// on]; may be repeated.
    #[arg(long, value_name = "ADDR:PORT", value_parser = crate::config::listen_address)]
    listen: Vec<SocketAddr>,
    /// Ask nothing.
    #[arg(long)]
    yes: bool,
    /// Overwrite files that are there. Lists are never overwritten.
    #[arg(long)]
    force: bool,
}

/// The folder of the system's configuration.
const SYSTEM_DIR: &str = "/etc/dnsbld";

/// The state folder that goes with it, which the service has.
const SYSTEM_STATE: &str = "/var/lib/dnsbld/state";

/// The name of the configuration.
const CONFIG: &str = "dnsbld.toml";

/// The settings of Postfix.
const POSTFIX: &str = "/etc/postfix/main.cf";

/// The configuration that a package brings. Nobody misses it.
const STARTER: &str = include_str!("../../deploy/dnsbld.toml");

impl Init {
    /// Asks, writes the files, and says what comes next.
    ///
    /// # Errors
    ///
    /// If there is nothing to serve, a file is there already, an address is in use, or a file cannot be written.
    pub fn run(mut self) -> anyhow::Result<ExitCode> {
        if !self.yes && io::stdin().is_terminal() && io::stdout().is_terminal() {
            self.ask()?;
        }
        anyhow::ensure!(
            !self.feed.is_empty() || !self.zone.is_empty() || self.allow.is_some(),
            "there is nothing to serve; name a public list with --feed NAME (known: {}), or a list of your own \
             with --zone ZONE:TYPE:FILE",
            PRESETS.iter().map(|preset| preset.name).collect::<Vec<_>>().join(", ")
        );
        if let Some(feed) = self.feed.iter().find(|feed| feed.source.is_none()) {
            anyhow::bail!(
                "{} cannot be set up here: it needs {}; add it to the configuration later",
                feed.name,
                feed.needs.unwrap_or("a source")
            );
        }
        let plan = Plan {
            listen: self.addresses()?,
            state_dir: if self.dir == Path::new(SYSTEM_DIR) { SYSTEM_STATE } else { "state" }
                .into(),
            feeds: self.feed.clone(),
            own: self.zone.clone(),
            allow: self.allow.clone(),
            resolver: self.resolver,
            mail: self.mta,
        };
        print(&self.write(&plan)?)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Those that are wanted, if they are free, or others that are.
    fn addresses(&self) -> anyhow::Result<Vec<SocketAddr>> {
        let free = free_listen();
        for address in &self.listen {
            if let Some(error) = in_use(*address) {
                let other = match free.as_ref().and_then(|free| free.first()) {
                    Some(free) => format!("--listen {free} is free"),
                    None => "no port from 5300 on is free".into(),
                };
                anyhow::bail!("cannot listen on {address}: {error}; {other}");
            }
        }
        if !self.listen.is_empty() {
            return Ok(self.listen.clone());
        }
        free.context("no loopback port from 5300 on is free; name one with --listen ADDR:PORT")
    }

    /// Writes the files, and gives what to say of them.
    fn write(&self, plan: &Plan) -> anyhow::Result<String> {
        let config = Written { name: CONFIG.into(), text: plan.config() };
        let snippets = plan.snippets();
        let path = |name: &str| self.dir.join(name);
        for file in [&config].into_iter().chain(&snippets) {
            let path_of = path(&file.name);
            let is_starter = || fs::read_to_string(&path_of).is_ok_and(|text| text == STARTER);
            anyhow::ensure!(
                self.force || !path_of.exists() || is_starter(),
                "{} is there already; --force overwrites it, --dir FOLDER takes another folder",
                path(&file.name).display()
            );
        }
        let folder = |path: &Path| {
            fs::create_dir_all(path)
                .with_context(|| format!("cannot make the folder {}", path.display()))
        };
        folder(&self.dir)?;
        folder(&self.dir.join(&plan.state_dir))?;
        let mut said = String::new();
        for list in plan.own.iter().chain(&plan.allow) {
            let file = self.dir.join(&list.file);
            if make(&file, &list.first_text())? {
                let _ = writeln!(
                    said,
                    "made    {} ({}, for entries of your own)",
                    file.display(),
                    list.zone
                );
            }
        }
        // What is not understood must not stay.
        let new = path(&format!(".{CONFIG}.new"));
        replace(&new, &config.text)?;
        if let Err(errors) = ConfigSource::file(&new).load() {
            let _ = fs::remove_file(&new);
            return Err(errors.into());
        }
        fs::rename(&new, path(CONFIG))
            .with_context(|| format!("cannot write {}", path(CONFIG).display()))?;
        let _ = writeln!(said, "wrote   {}", path(CONFIG).display());
        for file in &snippets {
            replace(&path(&file.name), &file.text)?;
            let _ = writeln!(said, "wrote   {}", path(&file.name).display());
        }
        let listen: Vec<_> = plan.listen.iter().map(ToString::to_string).collect();
        let _ = writeln!(said, "listens {} (once it is started)\n\nnext:", listen.join(", "));
        self.next(plan, &snippets, &mut said);
        Ok(said)
    }

    /// The commands that come next.
    fn next(&self, plan: &Plan, snippets: &[Written], said: &mut String) {
        let config = self.dir.join(CONFIG);
        let option = if self.dir == Path::new(SYSTEM_DIR) {
            String::new()
        } else {
            format!(" --config {}", config.display())
        };
        let mut step = |text: String| {
            let _ = writeln!(said, "    {text}");
        };
        for feed in &plan.feeds {
            if let Some(needs) = feed.needs {
                step(format!("# {} needs {needs}", feed.name));
            }
        }
        if !plan.feeds.is_empty() {
            step(format!("dnsbld sync{option}"));
        }
        step(format!("dnsbld check-config {}", config.display()));
        step(match option.is_empty() {
            true if plan.feeds.is_empty() => "systemctl enable --now dnsbld".into(),
            true => "systemctl enable --now dnsbld dnsbld-sync".into(),
            false => format!("dnsbld serve{option}"),
        });
        if let (Some(resolver), Some(file)) = (plan.resolver, snippets.first()) {
            step(resolver.advice(&self.dir.join(&file.name).display().to_string()));
        }
        if let Some(mail) = plan.mail {
            let settings = fs::read_to_string(POSTFIX).unwrap_or_default();
            step(mail.advice(&self.dir.display().to_string(), &settings));
        }
        step(format!("dnsbld doctor{option}"));
    }

    /// Asks for what no option says.
    fn ask(&mut self) -> anyhow::Result<()> {
        if self.feed.is_empty() && self.zone.is_empty() && self.allow.is_none() {
            let mut text = String::from("Public lists:\n");
            for preset in PRESETS {
                let _ = writeln!(text, "  {:<14} {}", preset.name, preset.about);
            }
            print(&text)?;
            self.feed = asked("Which ones (names, or none)?", "", |line| {
                line.split([' ', ',']).filter(|name| !name.is_empty()).map(known_preset).collect()
            })?;
            self.zone = asked("A list of your own, as ZONE:TYPE:FILE (or none)?", "", |line| {
                line.split_whitespace().map(own_list).collect()
            })?;
            self.allow = asked(
                "A list of your own that lets in, as ZONE:TYPE:FILE (or none)?",
                "white.example:ip4trie:white.example",
                |line| Some(line).filter(|line| !line.is_empty()).map(own_list).transpose(),
            )?;
        }
        if self.resolver.is_none() {
            let found = resolver::by_processes(Path::new("/proc"))
                .or_else(|| resolver::by_files(Path::new("/")));
            self.resolver = choice("Which resolver do mail servers ask", found)?;
        }
        if self.mta.is_none() {
            let found = Path::new(POSTFIX).exists().then_some(MailServer::Postfix);
            self.mta = choice("Which mail server or filter", found)?;
        }
        Ok(())
    }
}

/// Asks until the answer is understood.
fn asked<T>(
    question: &str,
    default: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> anyhow::Result<T> {
    loop {
        let shown = if default.is_empty() { String::new() } else { format!(" [{default}]") };
        print(&format!("{question}{shown} "))?;
        io::stdout().flush().context("cannot ask")?;
        let mut line = String::new();
        let length = io::stdin().lock().read_line(&mut line).context("cannot read the answer")?;
        anyhow::ensure!(length > 0, "the input has ended; nothing was written");
        let line = line.trim();
        let answer = match line {
            "" => default,
            "none" | "-" => "",
            line => line,
        };
        match read(answer) {
            Ok(value) => return Ok(value),
            Err(error) => print(&format!("{error}\n"))?,
        }
    }
}

/// Asks for one of several words, or none.
fn choice<T: ValueEnum + Copy>(question: &str, found: Option<T>) -> anyhow::Result<Option<T>> {
    let words: Vec<_> = T::value_variants().iter().map(|value| word(*value)).collect();
    let question = format!("{question} ({}, none)?", words.join(", "));
    asked(&question, &found.map(word).unwrap_or_else(|| "none".into()), |line| match line {
        "" | "none" => Ok(None),
        line => T::from_str(line, false)
            .map(Some)
            .map_err(|_| format!("there is no {line:?}; known: {}, none", words.join(", "))),
    })
}

fn known_preset(name: &str) -> Result<&'static Preset, String> {
    preset(name).ok_or_else(|| {
        let names: Vec<_> = PRESETS.iter().map(|preset| preset.name).collect();
        format!("there is no public list {name:?}; known: {}", names.join(", "))
    })
}

fn own_list(text: &str) -> Result<OwnList, String> {
    text.parse()
}

/// Makes a file, unless it is there.
fn make(path: &Path, text: &str) -> anyhow::Result<bool> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => {
            file.write_all(text.as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot make {}", path.display())),
    }
}

/// Writes a file, whatever is there.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = File::create(path).and_then(|mut file| file.write_all(text.as_bytes()));
    file.with_context(|| format!("cannot write {}", path.display()))
}
