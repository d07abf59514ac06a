//! The commands that ask a running server: they find its control socket, send it a request, and read the
//! answer.

use crate::config::{ConfigSource, ControlPath};
use crate::daemon::control_place;
use crate::daemon::request::{ControlRefusal, ControlRequest};
use anyhow::Context as _;
use clap::Args;
use serde::de::DeserializeOwned;
use std::fmt;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// The exit code if no server answers.
const UNREACHABLE: u8 = 2;

/// How long the server may take for an answer that it has at hand.
const PATIENCE: Duration = Duration::from_secs(30);

/// How to find the server.
#[derive(Args, Debug)]
pub(super) struct Client {
    /// The configuration file of the server to ask [default: as for `dnsbld serve`].
    #[arg(long, short, value_name = "FILE", conflicts_with = "socket")]
    config: Option<PathBuf>,
    /// The control socket of the server to ask.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

/// No server answers, or not as it should.
#[derive(Debug)]
pub(super) struct Unreachable(String);

impl Unreachable {
    /// Says that no server answers, and gives the exit code for it.
    pub(super) fn tell(&self) -> ExitCode {
        // If standard error is closed, nobody can be told.
        let _ = writeln!(std::io::stderr(), "dnsbld: {self}");
        ExitCode::from(UNREACHABLE)
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An answer of the server.
pub(super) enum Answer<T> {
    /// The answer of the server.
    Done(T),
    /// The server did not do it.
    Refused(ControlRefusal),
}

impl Client {
    /// Asks for what the server has at hand.
    pub(super) fn ask<T: DeserializeOwned>(
        &self,
        request: &ControlRequest,
    ) -> anyhow::Result<Result<Answer<T>, Unreachable>> {
        self.send(request, Some(PATIENCE))
    }

    /// Asks for what takes the server its time.
    pub(super) fn wait<T: DeserializeOwned>(
        &self,
        request: &ControlRequest,
    ) -> anyhow::Result<Result<Answer<T>, Unreachable>> {
        self.send(request, None)
    }

    /// Asks for what comes line by line, as it happens, and gives each line to `take`, until that or the server
    /// ends it.
    pub(super) fn follow<T: DeserializeOwned>(
        &self,
        request: &ControlRequest,
        mut take: impl FnMut(T) -> anyhow::Result<ControlFlow<()>>,
    ) -> anyhow::Result<Result<Answer<()>, Unreachable>> {
        let places = self.places()?;
        let (mut stream, path) = match connect(&places) {
            Ok(found) => found,
            Err(unreachable) => return Ok(Err(unreachable)),
        };
        let gone = |why: &dyn fmt::Display| {
            Unreachable(format!("the server at {} has gone: {why}; see its log", path.display()))
        };
        if let Err(error) = write(&mut stream, request) {
            return Ok(Err(gone(&error)));
        }
        for line in BufReader::new(stream).lines() {
            let line = match line {
                Ok(line) => line,
                Err(error) => return Ok(Err(gone(&error))),
            };
            match read(line.as_bytes()) {
                Ok(Answer::Done(line)) => {
                    if take(line)?.is_break() {
                        return Ok(Ok(Answer::Done(())));
                    }
                }
                Ok(Answer::Refused(refused)) => return Ok(Ok(Answer::Refused(refused))),
                Err(error) => return Ok(Err(unreadable(path, &error))),
            }
        }
        Ok(Err(gone(&"it has closed the connection")))
    }

    fn send<T: DeserializeOwned>(
        &self,
        request: &ControlRequest,
        patience: Option<Duration>,
    ) -> anyhow::Result<Result<Answer<T>, Unreachable>> {
        let places = self.places()?;
        let (stream, path) = match connect(&places) {
            Ok(found) => found,
            Err(unreachable) => return Ok(Err(unreachable)),
        };
        Ok(match exchange(stream, request, patience) {
            Ok(text) => read(&text).map_err(|error| unreadable(path, &error)),
            Err(error) => Err(Unreachable(format!(
                "the server at {} does not answer: {error}; see its log",
                path.display()
            ))),
        })
    }

    /// The configuration of the server to ask; `None` if only its socket is known.
    pub(super) fn configuration(&self) -> anyhow::Result<Option<ConfigSource>> {
        Ok(match (&self.socket, &self.config) {
            (Some(_), _) => None,
            (None, Some(file)) => Some(ConfigSource::file(file)),
            (None, None) => {
                let folder =
                    std::env::current_dir().context("cannot determine the current folder")?;
                Some(ConfigSource::default_file(&folder))
            }
        })
    }

    /// Where the socket may be, the likeliest place first.
    fn places(&self) -> anyhow::Result<Vec<PathBuf>> {
        let control = match (&self.socket, self.configuration()?) {
            (Some(socket), _) => ControlPath::At(socket.clone()),
            (None, source) => source.map_or(ControlPath::Usual, |source| source.control()),
        };
        Ok(control_place::of_client(&control))
    }
}

/// Connects to the first of these sockets behind which a server is.
fn connect(places: &[PathBuf]) -> Result<(UnixStream, &Path), Unreachable> {
    const REMEDY: &str = "start one (dnsbld serve), or say with --config FILE or --socket PATH which one \
                          to ask";
    let mut failures = Vec::new();
    for path in places {
        match UnixStream::connect(path) {
            Ok(stream) => return Ok((stream, path)),
            Err(error) => failures.push((path, error)),
        }
    }
    let is_refused =
        |(_, error): &&(&PathBuf, _)| std::io::Error::kind(error) == ErrorKind::PermissionDenied;
    if let Some((path, error)) = failures.iter().find(is_refused) {
        return Err(Unreachable(format!(
            "the control socket {} cannot be opened: {error}; run the command as root, or as a member of \
             the group of the socket",
            path.display()
        )));
    }
    let tried: Vec<_> =
        failures.iter().map(|(path, error)| format!("{} ({error})", path.display())).collect();
    Err(Unreachable(match &tried[..] {
        [] => "the configuration has control = \"off\": its server cannot be asked".to_owned(),
        tried => format!("no server answers at {}; {REMEDY}", tried.join(" or ")),
    }))
}

/// Sends a request and reads the answer to its end.
fn exchange(
    mut stream: UnixStream,
    request: &ControlRequest,
    patience: Option<Duration>,
) -> std::io::Result<Vec<u8>> {
    stream.set_read_timeout(patience)?;
    write(&mut stream, request)?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    match text.is_empty() {
        true => Err(std::io::Error::new(ErrorKind::UnexpectedEof, "it has closed the connection")),
        false => Ok(text),
    }
}

/// Sends a request.
fn write(stream: &mut UnixStream, request: &ControlRequest) -> std::io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut text = serde_json::to_vec(request)?;
    text.push(b'\n');
    stream.write_all(&text)
}

fn unreadable(path: &Path, error: &serde_json::Error) -> Unreachable {
    let path = path.display();
    Unreachable(format!(
        "the answer of the server at {path} cannot be read: {error}; use a dnsbld of the server's version"
    ))
}

fn read<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<Answer<T>> {
    match serde_json::from_slice(text) {
        Ok(refused) => Ok(Answer::Refused(refused)),
        Err(_) => serde_json::from_slice(text).map(Answer::Done),
    }
}
