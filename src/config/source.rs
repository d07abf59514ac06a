//! Where a configuration comes from, and how it is read, at the start and on every reload.

use super::error::{Errors, Problem};
use super::resolve::Resolved;
use super::settings::{Checked, ControlPath, Loaded, LogFormat, Settings};
use super::{parse, resolve, value, zonespec};
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The configuration of the sample zones, as a checkout has it.
pub const SAMPLE_FILE: &str = "zones/dnsbld.toml";
/// The configuration of the system.
pub const SYSTEM_FILE: &str = "/etc/dnsbld/dnsbld.toml";

/// The origin of settings that are given as arguments.
const COMMAND_LINE: &str = "command line";

/// The longest configuration in bytes, enough for about 10,000 zones.
const MAX_SIZE: u64 = 2 << 20;

/// Where a configuration comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigSource {
    origin: Origin,
    listen: Vec<SocketAddr>,
    log_format: Option<LogFormat>,
    /// The command also takes zone specs, so an error may suggest them.
    has_specs: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Origin {
    File(PathBuf),
    Specs { specs: Vec<String>, folder: PathBuf },
    Given(Box<Settings>),
}

/// Whether a configuration is read at the start or by a running server.
#[derive(Clone, Copy)]
enum Turn {
    First,
    Again,
}

impl ConfigSource {
    /// A configuration file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::of(Origin::File(path.into()))
    }

    /// The file to use when none is named: [`SYSTEM_FILE`], but [`SAMPLE_FILE`] if `folder` is a checkout.
    pub fn default_file(folder: &Path) -> Self {
        let [sample, manifest] = [SAMPLE_FILE, "Cargo.toml"].map(|file| folder.join(file));
        let is_checkout = sample.is_file() && manifest.is_file();
        Self::file(if is_checkout { sample } else { SYSTEM_FILE.into() })
    }

    /// Zone specs, `zone:type:file,file...` as rbldnsd takes them, with files relative to
    /// `folder`, which is absolute.
    pub fn zone_specs(specs: Vec<String>, folder: PathBuf) -> Self {
        Self::of(Origin::Specs { specs, folder })
    }

    /// Settings that were made in memory.
    pub fn given(settings: Settings) -> Self {
        Self::of(Origin::Given(Box::new(settings)))
    }

    /// Where a server with this configuration has its control socket, as far as it can be told: a mistake
    /// elsewhere in the file is no reason not to find the server.
    pub fn control(&self) -> ControlPath {
        let Origin::File(path) = &self.origin else { return ControlPath::Usual };
        let table = self.read(path, Turn::Again).ok().and_then(|text| text.parse().ok());
        let control =
            |table: toml::Table| Some(table.get("server")?.get("control")?.as_str()?.to_owned());
        match table.and_then(control) {
            None => ControlPath::Usual,
            Some(text) if text == "off" => ControlPath::Off,
            Some(text) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                ControlPath::At(path.parent().unwrap_or(Path::new("/")).join(text))
            }
        }
    }

    /// The configuration file; `None` if the settings come from elsewhere.
    pub fn path(&self) -> Option<PathBuf> {
        let Origin::File(path) = &self.origin else { return None };
        Some(std::path::absolute(path).unwrap_or_else(|_| path.clone()))
    }

    /// True if this is that configuration file, however the path names it.
    pub fn is_file(&self, other: &Path) -> bool {
        let place = |path: &Path| {
            let absolute = || std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            path.canonicalize().unwrap_or_else(|_| absolute())
        };
        matches!(&self.origin, Origin::File(path) if place(path) == place(other))
    }

    fn of(origin: Origin) -> Self {
        Self { origin, listen: Vec::new(), log_format: None, has_specs: false }
    }

    /// Lets errors suggest zone specs, for commands that take them.
    pub fn or_zone_specs(self) -> Self {
        Self { has_specs: true, ..self }
    }

    /// Replaces the addresses of the file by these; an empty list keeps those of the file.
    pub fn with_listen(mut self, addresses: &[SocketAddr]) -> Self {
        self.listen.clear();
        for address in addresses {
            if address.port() == 0 || !self.listen.contains(address) {
                self.listen.push(*address);
            }
        }
        self
    }

    /// Replaces the form of the log of the file by this; `None` keeps that of the file.
    pub fn with_log_format(self, log_format: Option<LogFormat>) -> Self {
        Self { log_format, ..self }
    }

    /// [`load`](Self::load) for a running server, which must not wait for the writer of a pipe.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load), and if the file is not a regular one.
    pub fn load_again(&self) -> Result<Loaded, Errors> {
        self.load_from(Turn::Again)
    }

    /// Reads the configuration as it is now.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or if anything in it cannot be used.
    pub fn load(&self) -> Result<Loaded, Errors> {
        self.load_from(Turn::First)
    }

    fn load_from(&self, turn: Turn) -> Result<Loaded, Errors> {
        match self.read_from(turn)? {
            Checked { settings: Some(settings), errors, warnings } if errors.is_empty() => {
                Ok(Loaded { settings, warnings })
            }
            Checked { errors: list, .. } => Err(Errors { origin: self.to_string(), list }),
        }
    }

    /// Everything that can be told of the configuration as it is now.
    pub fn check(&self) -> Checked {
        let unusable = |errors: Errors| Checked { errors: errors.list, ..Checked::default() };
        self.read_from(Turn::First).unwrap_or_else(unusable)
    }

    /// The settings with all mistakes.
    ///
    /// # Errors
    ///
    /// Mistakes beside which nothing else can be told.
    fn read_from(&self, turn: Turn) -> Result<Checked, Errors> {
        let errors = |list| Errors { origin: self.to_string(), list };
        self.check_listen()?;
        let without_mistakes =
            |settings| Checked { settings: Some(settings), ..Checked::default() };
        let mut checked = match &self.origin {
            Origin::Given(settings) => without_mistakes(Settings::clone(settings)),
            Origin::Specs { specs, folder } => {
                without_mistakes(zonespec::settings(specs, folder, &self.listen).map_err(errors)?)
            }
            Origin::File(path) => {
                let text = self.read(path, turn)?;
                let folder =
                    std::path::absolute(path).map_err(|error| self.unreadable(&error, turn))?;
                let folder = folder.parent().unwrap_or(Path::new("/"));
                let parsed = parse::parse(&text).map_err(errors)?;
                let Resolved { settings, errors, warnings } =
                    resolve::resolve(&text, parsed, folder, &self.listen);
                Checked { settings: Some(settings), errors, warnings }
            }
        };
        if let (Some(format), Some(settings)) = (self.log_format, &mut checked.settings) {
            settings.server.log_format = format;
        }
        Ok(checked)
    }

    /// Checks the addresses of the command line; the resolver checks those of a file, with their places.
    fn check_listen(&self) -> Result<(), Errors> {
        let addresses = self.listen.iter().enumerate();
        let mut problems =
            addresses.filter_map(|(at, &address)| value::collision(&self.listen[..at], address));
        match problems.next() {
            None => Ok(()),
            Some(problem) => Err(Errors::one(COMMAND_LINE, problem.of("--listen"))),
        }
    }

    fn read(&self, path: &Path, turn: Turn) -> Result<String, Errors> {
        let unreadable = |error: std::io::Error| self.unreadable(&error, turn);
        let file = match turn {
            Turn::First => open(path),
            Turn::Again => open_at_once(path),
        };
        let mut text = Vec::new();
        file.and_then(|file| file.take(MAX_SIZE + 1).read_to_end(&mut text)).map_err(unreadable)?;
        if text.len() as u64 > MAX_SIZE {
            let message = format!(
                "the file is too large for a configuration: it has more than {MAX_SIZE} bytes"
            );
            let help = "name the configuration file, not a data file";
            return Err(Errors::one(self.to_string(), Problem::new(message, help)));
        }
        let not_text = |error| std::io::Error::new(ErrorKind::InvalidData, error);
        String::from_utf8(text).map_err(|error| unreadable(not_text(error)))
    }

    fn unreadable(&self, error: &std::io::Error, turn: Turn) -> Errors {
        let help = match (error.kind(), turn) {
            (ErrorKind::NotFound | ErrorKind::NotADirectory, Turn::Again) => {
                "put it back, or restart with another file"
            }
            (ErrorKind::NotFound | ErrorKind::NotADirectory, Turn::First) => match self.has_specs {
                true => "name another file, or zones as zone:type:file,file...",
                false => "name another file",
            },
            (ErrorKind::InvalidData, _) => "write the file in UTF-8",
            (ErrorKind::IsADirectory, _) => "name the configuration file in that folder",
            (ErrorKind::InvalidInput, Turn::Again) => "put a regular file in its place, or restart",
            (ErrorKind::InvalidInput, Turn::First) => "put a regular file in its place",
            _ => "make the file readable to the user that dnsbld runs as",
        };
        let problem = Problem::new(format!("cannot read the configuration: {error}"), help);
        Errors::one(self.to_string(), problem)
    }
}

/// Opens a file for reading, but refuses a fifo: opening one waits silently for a writer that may never
/// come. A pipe that the shell gives to this process (`<(command)`, /dev/stdin) is accepted.
///
/// # Errors
///
/// Those of the system; [`ErrorKind::InvalidInput`] for a fifo or a socket.
pub fn open(path: &Path) -> std::io::Result<File> {
    let is_given = ["/dev/fd", "/dev/stdin", "/proc"].iter().any(|place| path.starts_with(place));
    if !is_given {
        let kind = std::fs::metadata(path)?.file_type();
        if kind.is_fifo() || kind.is_socket() {
            return Err(irregular());
        }
    }
    File::open(path)
}

/// Opens a regular file without waiting.
fn open_at_once(path: &Path) -> std::io::Result<File> {
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(irregular()) }
}

fn irregular() -> std::io::Error {
    std::io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")
}

/// The path of the file, or "command line".
impl fmt::Display for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Specs { .. } | Origin::Given(_) => f.write_str(COMMAND_LINE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_in_a_checkout_do_the_sample_zones_come_before_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let sample = folder.path().join(SAMPLE_FILE);
        std::fs::create_dir(sample.parent().unwrap()).unwrap();
        std::fs::write(&sample, "").unwrap();
        assert_eq!(ConfigSource::default_file(folder.path()), ConfigSource::file(SYSTEM_FILE));
        std::fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        assert_eq!(ConfigSource::default_file(folder.path()), ConfigSource::file(sample));
    }

    #[test]
    fn a_file_is_known_by_any_of_its_paths() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("x.toml"), "").unwrap();
        std::os::unix::fs::symlink("x.toml", path("y.toml")).unwrap();
        let source = ConfigSource::file(path("y.toml"));
        assert!(source.is_file(&path("x.toml")) && source.is_file(&path("./y.toml")));
        assert!(!source.is_file(&path("z.toml")));
        let gone = ConfigSource::file(path("gone.toml"));
        assert!(gone.is_file(&path("gone.toml")) && !gone.is_file(&path("x.toml")));
        let specs = ConfigSource::zone_specs(Vec::new(), folder.path().to_owned());
        assert!(!specs.is_file(&path("x.toml")));
    }

    #[test]
    fn files_are_relative_to_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        let text = "dataset = [{ name = 'd', type = 'ip4set', files = ['f', '/abs/g'] }]\n\
                    zone = [{ name = 'z.example', datasets = ['d'] }]";
        std::fs::write(&path, text).unwrap();
        let settings = ConfigSource::file(&path).load().unwrap().settings;
        assert_eq!(settings.datasets[0].files, [folder.path().join("f"), "/abs/g".into()]);
        std::fs::write(&path, b"\xff").unwrap();
        let error = ConfigSource::file(&path).load().unwrap_err().to_string();
        assert!(error.contains("UTF-8"), "{error}");
        std::fs::remove_file(&path).unwrap();
        let error = ConfigSource::file(&path).load().unwrap_err().to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
        assert!(error.ends_with("help: name another file"), "{error}");
        let error = ConfigSource::file(&path).or_zone_specs().load().unwrap_err().to_string();
        assert!(error.contains("name another file, or zones as"), "{error}");
        let error = ConfigSource::file(&path).load_again().unwrap_err().to_string();
        assert!(error.contains("put it back"), "{error}");
        let error = ConfigSource::file(folder.path()).load().unwrap_err().to_string();
        assert!(error.contains("name the configuration file in"), "{error}");
    }

    #[test]
    fn the_control_socket_is_found_in_spite_of_mistakes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        let control = |text: &str| {
            std::fs::write(&path, text).unwrap();
            ConfigSource::file(&path).control()
        };
        let at = |path: &str| ControlPath::At(folder.path().join(path));
        assert_eq!(control("server.control = 'c'\nbogus = 1"), at("c"));
        assert_eq!(control("server.control = '/run/c'"), ControlPath::At("/run/c".into()));
        assert_eq!(control("server.control = 'off'"), ControlPath::Off);
        assert_eq!(control("[server]\ncontrol = 1"), ControlPath::Usual);
        assert_eq!(control("[server"), ControlPath::Usual);
    }

    #[test]
    fn addresses_of_the_command_line_win() {
        let address: SocketAddr = "127.0.0.5:53".parse().unwrap();
        let specs = vec!["a.example:ip4set:f".to_owned()];
        let source =
            ConfigSource::zone_specs(specs, "/data".into()).with_listen(&[address, address]);
        assert_eq!(source.load().unwrap().settings.server.listen, [address]);
        assert_eq!(source.to_string(), "command line");
    }

    #[test]
    fn addresses_of_the_command_line_must_not_collide() {
        let listen = ["127.0.0.5:53", "0.0.0.0:53"].map(|address| address.parse().unwrap());
        let specs = vec!["a.example:ip4set:f".to_owned()];
        let error = ConfigSource::zone_specs(specs, "/data".into()).with_listen(&listen).load();
        let error = error.unwrap_err().to_string();
        let want = "command line: --listen: 127.0.0.5:53 and 0.0.0.0:53 collide";
        assert!(error.starts_with(want), "{error}");
    }

    /// Regression: every command waited silently for a writer.
    #[test]
    fn a_fifo_is_no_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        let error = ConfigSource::file(&path).load().unwrap_err().to_string();
        assert!(error.contains("it is not a regular file"), "{error}");
    }
}
