//! A source that can go wrong in each way that rsync has an exit code for.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use socket2::{Domain, Socket, Type};

use crate::common::{Fault, Proxy, RsyncDaemon};

/// A daemon behind a proxy, with one module.
pub(super) struct Source {
    pub(super) daemon: RsyncDaemon,
    pub(super) proxy: Proxy,
    crowd: Option<Crowd>,
}

impl Source {
    /// One without files.
    pub(super) fn new() -> Self {
        let daemon = RsyncDaemon::with_small_buffers();
        let proxy = Proxy::start(daemon.addr());
        Self { daemon, proxy, crowd: None }
    }

    /// Puts a file where the daemon serves it, in one step.
    pub(super) fn write(&self, name: &str, text: &str) {
        let [new, file] = [format!(".{name}.new"), name.to_owned()].map(|name| self.path(&name));
        fs::write(&new, text).expect("the folder is ours");
        fs::rename(&new, &file).expect("the folder is ours");
    }

    /// A file that the daemon serves.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.daemon.feeds().join(name)
    }

    /// The module, through the proxy.
    pub(super) fn module(&self) -> String {
        format!("rsync://{}/feeds/", self.proxy.addr())
    }
}

/// Why rsync ends with a code that is not zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// 5: there is no such module.
    NoModule,
    /// 10: nobody listens.
    NoDaemon,
    /// 12: the connection ends in the middle of a file.
    CutOff,
    /// 23: a file is not there.
    Missing,
    /// 24: a file goes while others are sent.
    Vanished,
    /// 30: nothing comes any more.
    Silent,
    /// 35: no connection is made.
    Unreachable,
}

impl Refusal {
    pub(super) const ALL: [Self; 7] = [
        Self::NoModule,
        Self::NoDaemon,
        Self::CutOff,
        Self::Missing,
        Self::Vanished,
        Self::Silent,
        Self::Unreachable,
    ];

    /// rsync's exit code.
    pub(super) fn code(self) -> i32 {
        match self {
            Self::NoModule => 5,
            Self::NoDaemon => 10,
            Self::CutOff => 12,
            Self::Missing => 23,
            Self::Vanished => 24,
            Self::Silent => 30,
            Self::Unreachable => 35,
        }
    }
}

/// How far a session of a long file is when something befalls it, in bytes.
const MIDDLE: usize = 20_000;

impl Source {
    /// Has it refuse the session in which `last`, the last of its files, is to come, until [`heal`](Self::heal)
    /// is called: where it is to be fetched from meanwhile.
    pub(super) fn refuse(&mut self, refusal: Refusal, last: &str) -> String {
        let last = self.path(last);
        match refusal {
            Refusal::NoModule => return self.module().replace("/feeds/", "/foods/"),
            Refusal::NoDaemon => return "rsync://127.0.0.1:1/feeds/".to_owned(),
            Refusal::CutOff => self.proxy.set(Fault::Close(MIDDLE)),
            Refusal::Silent => self.proxy.set(Fault::Hang(MIDDLE)),
            Refusal::Missing => fs::remove_file(last).expect("it is there"),
            Refusal::Vanished => {
                let remove = move || fs::remove_file(&last).expect("it is there");
                self.proxy.set(Fault::Do(MIDDLE, Arc::new(remove)));
            }
            Refusal::Unreachable => {
                let crowd = self.crowd.insert(Crowd::new());
                return format!("rsync://{}/feeds/", crowd.addr);
            }
        }
        self.module()
    }

    /// Puts it right; what is missing is still to be written.
    pub(super) fn heal(&mut self) {
        self.proxy.set(Fault::None);
        self.crowd = None;
    }
}

/// A port whose queue of connections is full: the system answers no more.
struct Crowd {
    addr: SocketAddr,
    _listener: Socket,
    _guests: Vec<Socket>,
}

impl Crowd {
    fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
        listener.listen(0).expect("it is bound");
        let addr =
            listener.local_addr().ok().and_then(|addr| addr.as_socket()).expect("it is IPv4");
        let guests = (0..4).map(|_| {
            let guest = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            guest.set_nonblocking(true).expect("it is ours");
            // It need not be let in, only stand in the queue.
            let _ = guest.connect(&addr.into());
            guest
        });
        Self { addr, _guests: guests.collect(), _listener: listener }
    }
}
