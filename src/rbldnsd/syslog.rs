//! Lines for syslog, as syslog(3) of the GNU C library sends them, but without the time: the
//! receiver stamps them, and does so in the right zone even if it cannot be told here (chroot).

use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// Where the system's logger listens.
const SOCKET: &str = "/dev/log";

/// How long a logger that does not read may hold up the server.
const PATIENCE: Duration = Duration::from_millis(200);

/// The part of the system that messages are from (syslog.h).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Facility(u8);

impl Facility {
    /// rbldnsd's default.
    pub(super) const DAEMON: Self = Self(3);

    const NAMES: [(&'static str, u8); 20] = [
        ("auth", 4),
        ("authpriv", 10),
        ("cron", 9),
        ("daemon", 3),
        ("ftp", 11),
        ("kern", 0),
        ("local0", 16),
        ("local1", 17),
        ("local2", 18),
        ("local3", 19),
        ("local4", 20),
        ("local5", 21),
        ("local6", 22),
        ("local7", 23),
        ("lpr", 6),
        ("mail", 2),
        ("news", 7),
        ("syslog", 5),
        ("user", 1),
        ("uucp", 8),
    ];

    /// The facility of this name.
    pub(super) fn of(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|&(_, number)| Self(number))
    }
}

/// How grave a message is (syslog.h).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Severity {
    /// Something does not work.
    Error = 3,
    /// Something is odd.
    Warning = 4,
    /// As it should be.
    Info = 6,
}

/// A way to the system's logger.
pub(super) struct Syslog {
    /// None while the logger is away.
    socket: Option<UnixDatagram>,
    name: &'static str,
    facility: Facility,
}

impl Syslog {
    /// Opens the way now, for it may not be seen from the root folder to come. A logger that is
    /// not there is looked for with each message.
    pub(super) fn open(name: &'static str, facility: Facility) -> Self {
        Self { socket: connect().ok(), name, facility }
    }

    /// Sends a line. What cannot be sent, even to a logger that was started anew, is lost.
    pub(super) fn send(&mut self, severity: Severity, text: &str) {
        let priority = u16::from(self.facility.0) * 8 + severity as u16;
        let line = format!("<{priority}>{}[{}]: {text}", self.name, std::process::id());
        let send = |socket: &UnixDatagram| match socket.send(line.as_bytes()) {
            // It is there, but busy.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            result => result,
        };
        if self.socket.as_ref().is_none_or(|socket| send(socket).is_err())
            && let Ok(socket) = connect()
        {
            let _ = send(&socket);
            self.socket = Some(socket);
        }
    }
}

fn connect() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(SOCKET)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}
