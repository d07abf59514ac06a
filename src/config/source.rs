//! Where a configuration comes from, and how it is read, at the start and on every reload.

use super::error::{Diagnostic, Errors, Problem};
use super::settings::Settings;
use super::{parse, resolve, zonespec};
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The configuration of the sample zones, as a checkout has it.
pub const SAMPLE_FILE: &str = "zones/dnsbld.toml";
/// The configuration of the system.
pub const SYSTEM_FILE: &str = "/etc/dnsbld/dnsbld.toml";

/// The longest configuration, in bytes: some 10,000 zones.
const MAX_SIZE: u64 = 2 << 20;

/// A configuration that can be used, with what is odd about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loaded {
    /// What it means.
    pub settings: Settings,
    /// What is probably not meant.
    pub warnings: Vec<Diagnostic>,
}

/// Where a configuration comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    origin: Origin,
    listen: Vec<SocketAddr>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Origin {
    File(PathBuf),
    Specs { specs: Vec<String>, folder: PathBuf },
    Given(Box<Settings>),
}

impl Source {
    /// A configuration file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { origin: Origin::File(path.into()), listen: Vec::new() }
    }

    /// The file to use when none is named: [`SAMPLE_FILE`] if there is one below `folder`, else
    /// [`SYSTEM_FILE`].
    pub fn default_file(folder: &Path) -> Self {
        let sample = folder.join(SAMPLE_FILE);
        Self::file(if sample.is_file() { sample } else { SYSTEM_FILE.into() })
    }

    /// Zone specs, `zone:type:file,file...` as rbldnsd takes them, with files relative to
    /// `folder`, which is absolute.
    pub fn zone_specs(specs: Vec<String>, folder: PathBuf) -> Self {
        Self { origin: Origin::Specs { specs, folder }, listen: Vec::new() }
    }

    /// Settings that are what they are.
    pub fn given(settings: Settings) -> Self {
        Self { origin: Origin::Given(Box::new(settings)), listen: Vec::new() }
    }

    /// Listens on these addresses, whatever the file says; on those of the file for none.
    pub fn with_listen(mut self, addresses: &[SocketAddr]) -> Self {
        self.listen.clear();
        for address in addresses {
            if address.port() == 0 || !self.listen.contains(address) {
                self.listen.push(*address);
            }
        }
        self
    }

    /// [`load`](Self::load) for a server that is running: it must not wait for whoever writes to a pipe.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load), and if the file is not a regular one.
    pub fn load_again(&self) -> Result<Loaded, Errors> {
        self.load_from(|path| {
            let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
            match file.metadata()?.is_file() {
                true => Ok(file),
                false => Err(std::io::Error::new(ErrorKind::InvalidInput, "it is no regular file")),
            }
        })
    }

    /// Reads the configuration as it is now.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or if anything in it cannot be used.
    pub fn load(&self) -> Result<Loaded, Errors> {
        self.load_from(|path| File::open(path))
    }

    fn load_from(
        &self,
        open: impl FnOnce(&Path) -> std::io::Result<File>,
    ) -> Result<Loaded, Errors> {
        let errors = |list| Errors { origin: self.to_string(), list };
        match &self.origin {
            Origin::Given(settings) => {
                Ok(Loaded { settings: Settings::clone(settings), warnings: Vec::new() })
            }
            Origin::Specs { specs, folder } => {
                let settings = zonespec::settings(specs, folder, &self.listen).map_err(errors)?;
                Ok(Loaded { settings, warnings: Vec::new() })
            }
            Origin::File(path) => {
                let text = self.read(open(path))?;
                let folder = std::path::absolute(path).map_err(|error| self.unreadable(&error))?;
                let folder = folder.parent().unwrap_or(Path::new("/"));
                let spec = parse::parse(&text).map_err(errors)?;
                resolve::resolve(&text, &spec, folder, &self.listen).map_err(errors)
            }
        }
    }

    fn read(&self, file: std::io::Result<File>) -> Result<String, Errors> {
        let unreadable = |error: std::io::Error| self.unreadable(&error);
        let mut text = Vec::new();
        file.and_then(|file| file.take(MAX_SIZE + 1).read_to_end(&mut text)).map_err(unreadable)?;
        if text.len() as u64 > MAX_SIZE {
            let message = format!("this is no configuration: it has more than {MAX_SIZE} bytes");
            let help = "name the file with the settings, not one with data";
            return Err(Errors::one(self.to_string(), Problem::new(message, help)));
        }
        let not_text = |error| std::io::Error::new(ErrorKind::InvalidData, error);
        String::from_utf8(text).map_err(|error| unreadable(not_text(error)))
    }

    fn unreadable(&self, error: &std::io::Error) -> Errors {
        let help = match error.kind() {
            ErrorKind::NotFound => "name another file, or zones as zone:type:file,file...",
            ErrorKind::InvalidData => "write the file in UTF-8",
            ErrorKind::InvalidInput => "put a regular file in its place, or restart",
            _ => "make the file readable for the user dnsbld runs as",
        };
        let problem = Problem::new(format!("cannot read the configuration: {error}"), help);
        Errors::one(self.to_string(), problem)
    }
}

/// The path of the file, or "command line".
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Specs { .. } | Origin::Given(_) => f.write_str("command line"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_zones_of_a_checkout_come_before_the_system() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Source::default_file(folder.path()), Source::file(SYSTEM_FILE));
        let sample = folder.path().join(SAMPLE_FILE);
        std::fs::create_dir(sample.parent().unwrap()).unwrap();
        std::fs::write(&sample, "").unwrap();
        assert_eq!(Source::default_file(folder.path()), Source::file(sample));
    }

    #[test]
    fn files_are_relative_to_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        let text = "dataset = [{ name = 'd', type = 'ip4set', files = ['f', '/abs/g'] }]\n\
                    zone = [{ name = 'z.example', datasets = ['d'] }]";
        std::fs::write(&path, text).unwrap();
        let settings = Source::file(&path).load().unwrap().settings;
        assert_eq!(settings.datasets[0].files, [folder.path().join("f"), "/abs/g".into()]);
        std::fs::write(&path, b"\xff").unwrap();
        let error = Source::file(&path).load().unwrap_err().to_string();
        assert!(error.contains("UTF-8"), "{error}");
        std::fs::remove_file(&path).unwrap();
        let error = Source::file(&path).load().unwrap_err().to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
        assert!(error.contains("name another file"), "{error}");
    }

    #[test]
    fn addresses_of_the_command_line_win() {
        let address: SocketAddr = "127.0.0.5:53".parse().unwrap();
        let specs = vec!["a.example:ip4set:f".to_owned()];
        let source = Source::zone_specs(specs, "/data".into()).with_listen(&[address, address]);
        assert_eq!(source.load().unwrap().settings.server.listen, [address]);
        assert_eq!(source.to_string(), "command line");
    }
}
