//! The commands that ask a running server: they find its control socket, send it a request, and read the
//! answer.

use super::config_source;
use crate::config::{ConfigSource, ControlPath};
use crate::daemon::control_place;
use crate::daemon::request::{ControlRefusal, ControlRequest, SentRequest};
use crate::status::Status;
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

/// How long the server may take for what takes its time, before it is said that it is waited for.
const QUIET: Duration = Duration::from_secs(2);

/// How often a request that the server did not hear is sent again.
const RETRIES: u32 = 20;

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
    /// The server with this configuration, or the default one.
    pub(super) fn of_config(config: Option<PathBuf>) -> Self {
        Self { config, socket: None }
    }

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
        self.reach(request, |mut stream, request, path| {
            let gone = |why: &dyn fmt::Display| {
                Unreachable(format!(
                    "the server at {} has gone: {why}; see its log",
                    path.display()
                ))
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
        })
    }

    fn send<T: DeserializeOwned>(
        &self,
        request: &ControlRequest,
        patience: Option<Duration>,
    ) -> anyhow::Result<Result<Answer<T>, Unreachable>> {
        self.reach(request, |stream, request, path| {
            let mut told = exchange(stream, request, patience);
            for _ in 0..RETRIES {
                if !told.as_ref().is_err_and(was_not_heard) {
                    break;
                }
                told = UnixStream::connect(path)
                    .and_then(|stream| exchange(stream, request, patience));
            }
            Ok(match told {
                Ok(text) => read(&text).map_err(|error| unreadable(path, &error)),
                Err(error) => Err(Unreachable(format!(
                    "the server at {} does not answer: {error}; see its log",
                    path.display()
                ))),
            })
        })
    }

    /// Has `talk` ask at the first place where the server is that is meant.
    fn reach<T>(
        &self,
        request: &ControlRequest,
        mut talk: impl FnMut(
            UnixStream,
            &SentRequest<'_>,
            &Path,
        ) -> anyhow::Result<Result<Answer<T>, Unreachable>>,
    ) -> anyhow::Result<Result<Answer<T>, Unreachable>> {
        let config = self.config.as_deref().map(std::path::absolute).transpose()?;
        let config = config.map(|file| file.display().to_string());
        let request = SentRequest { request, config };
        let mut others = Vec::new();
        for path in self.places()? {
            let elsewhere = match UnixStream::connect(&path) {
                Err(error) => Elsewhere::Nobody(error),
                Ok(stream) => match talk(stream, &request, &path)? {
                    Ok(Answer::Refused(refusal)) if refusal.other_server => {
                        Elsewhere::AnotherServer(refusal.error)
                    }
                    told => return Ok(told),
                },
            };
            others.push((path, elsewhere));
        }
        Ok(Err(nowhere(&others)))
    }

    /// The configuration of the server to ask; `None` if only its socket is known.
    pub(super) fn configuration(&self) -> anyhow::Result<Option<ConfigSource>> {
        match self.socket {
            Some(_) => Ok(None),
            None => config_source(self.config.as_deref()).map(Some),
        }
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

/// The status of the server behind the control socket of a configuration, whichever server that is, if one
/// answers.
pub(super) fn status(control: &ControlPath) -> Option<Status> {
    let places = control_place::of_client(control);
    let stream = places.iter().find_map(|path| UnixStream::connect(path).ok())?;
    let request = SentRequest { request: &ControlRequest::Status {}, config: None };
    let text = exchange(stream, &request, Some(PATIENCE)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Why the server is not there.
enum Elsewhere {
    /// Nobody can be asked there.
    Nobody(std::io::Error),
    /// It is another server, as that says.
    AnotherServer(String),
}

/// Says that the server is at none of these places.
fn nowhere(tried: &[(PathBuf, Elsewhere)]) -> Unreachable {
    let is_denied = |at: &&(PathBuf, Elsewhere)| matches!(&at.1, Elsewhere::Nobody(error) if error.kind() == ErrorKind::PermissionDenied);
    if let Some((path, Elsewhere::Nobody(error))) = tried.iter().find(is_denied) {
        return Unreachable(format!(
            "the control socket {} cannot be opened: {error}; run the command as root, or as a member of \
             the group of the socket",
            path.display()
        ));
    }
    let is_another = |(_, why): &(PathBuf, Elsewhere)| matches!(why, Elsewhere::AnotherServer(_));
    let remedy = match tried.iter().any(is_another) {
        true => {
            "start the one that is meant, and give each server of a user a socket of its own (control in the \
             [server] settings)"
        }
        false => {
            "start one (dnsbld serve), or say with --config FILE or --socket PATH which one to ask"
        }
    };
    let tried: Vec<_> = tried
        .iter()
        .map(|(path, why)| match why {
            Elsewhere::Nobody(error) => format!("{} ({error})", path.display()),
            Elsewhere::AnotherServer(what) => format!("{} ({what})", path.display()),
        })
        .collect();
    Unreachable(match &tried[..] {
        [] => "the configuration has control = \"off\": its server cannot be asked".to_owned(),
        tried => format!("no server answers at {}; {remedy}", tried.join(" or ")),
    })
}

/// True if the server has closed the connection before it read the request: where very many clients connect, the
/// one that has been silent for longest gives way, and each is silent at first.
fn was_not_heard(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

/// Sends a request and reads the answer to its end. Without a bound for its patience, it says that it waits.
fn exchange(
    mut stream: UnixStream,
    request: &SentRequest<'_>,
    patience: Option<Duration>,
) -> std::io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(patience.unwrap_or(QUIET)))?;
    write(&mut stream, request)?;
    let mut first = [0];
    let mut start = stream.read(&mut first);
    let is_late = |error: &std::io::Error| {
        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
    };
    if patience.is_none() && start.as_ref().is_err_and(is_late) {
        // If standard error is closed, nobody can be told.
        let _ = writeln!(
            std::io::stderr(),
            "dnsbld: waiting: the server is reading files, or files are being written; `dnsbld status` says \
             how far it is"
        );
        stream.set_read_timeout(None)?;
        start = stream.read(&mut first);
    }
    let mut text = first[..start?].to_vec();
    stream.read_to_end(&mut text)?;
    match text.is_empty() {
        true => Err(std::io::Error::new(ErrorKind::UnexpectedEof, "it has closed the connection")),
        false => Ok(text),
    }
}

/// Sends a request.
fn write(stream: &mut UnixStream, request: &SentRequest<'_>) -> std::io::Result<()> {
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
