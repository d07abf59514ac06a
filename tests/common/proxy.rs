//! A TCP proxy in front of a daemon, which does harm to what the daemon sends, or says whom it asks for.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use socket2::{Domain, Socket, Type};

/// The bytes that may be under way: a daemon must not be far ahead of what has passed.
const BUFFER: usize = 4096;

/// What befalls a connection.
#[derive(Clone)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// It ends after so many bytes of the daemon.
    Close(usize),
    /// Nothing passes after so many bytes of the daemon, and both ends stay open.
    Hang(usize),
    /// This is done after so many bytes of the daemon, before the next ones pass.
    Do(usize, Arc<dyn Fn() + Send + Sync>),
}

/// The proxy; it takes no more connections when dropped.
pub(crate) struct Proxy {
    addr: SocketAddr,
    state: Arc<State>,
}

struct State {
    behind: SocketAddr,
    /// What it sends the daemon before what a client sends.
    head: Vec<u8>,
    fault: Mutex<Fault>,
    connections: AtomicUsize,
    passed: AtomicUsize,
    stop: AtomicBool,
}

impl Proxy {
    /// A proxy on a free port of the loopback interface.
    pub(crate) fn start(behind: SocketAddr) -> Self {
        Self::start_with(behind, Vec::new())
    }

    /// One that sends the daemon these bytes before what each client sends.
    pub(crate) fn start_with(behind: SocketAddr, head: Vec<u8>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
        let addr = listener.local_addr().expect("it is bound");
        let state = Arc::new(State {
            behind,
            head,
            fault: Mutex::new(Fault::None),
            connections: AtomicUsize::new(0),
            passed: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                if shared.stop.load(Ordering::SeqCst) {
                    return;
                }
                let (client, shared) = (client.expect("a connection"), Arc::clone(&shared));
                thread::spawn(move || shared.serve(&client));
            }
        });
        Self { addr, state }
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What befalls the connections from now on.
    pub(crate) fn set(&self, fault: Fault) {
        *self.state.fault.lock().expect("nobody panics with it") = fault;
    }

    /// The connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// The bytes of the daemon that have passed so far, of all connections.
    pub(crate) fn passed(&self) -> usize {
        self.state.passed.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        // Nobody may be there any more.
        let _ = TcpStream::connect(self.addr);
    }
}

impl State {
    fn serve(self: &Arc<Self>, client: &TcpStream) {
        self.connections.fetch_add(1, Ordering::SeqCst);
        let Ok(mut daemon) = self.connect() else { return };
        if daemon.write_all(&self.head).is_err() {
            return;
        }
        let (up, down) = [client, &daemon].map(TcpStream::try_clone).into();
        let (mut up, mut down) = (up.expect("a second handle"), down.expect("a second handle"));
        thread::spawn(move || {
            // An error is the end of a connection.
            let _ = std::io::copy(&mut up, &mut down);
            let _ = down.shutdown(Shutdown::Write);
        });
        // An error is the end of a connection.
        let _ = self.pass(&daemon, client);
        for stream in [client, &daemon] {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        let socket = Socket::new(Domain::for_address(self.behind), Type::STREAM, None)?;
        socket.set_recv_buffer_size(BUFFER)?;
        socket.connect(&self.behind.into())?;
        Ok(socket.into())
    }

    /// Passes what the daemon sends.
    fn pass(&self, mut daemon: &TcpStream, mut client: &TcpStream) -> std::io::Result<()> {
        let mut fault = self.fault.lock().expect("nobody panics with it").clone();
        let mut buffer = [0; BUFFER];
        let mut passed = 0;
        loop {
            let most = match fault {
                Fault::None => BUFFER,
                Fault::Close(at) | Fault::Hang(at) | Fault::Do(at, _) => at - passed,
            };
            if most == 0 {
                match std::mem::replace(&mut fault, Fault::None) {
                    Fault::Close(_) => return Ok(()),
                    Fault::Hang(_) => return wait_for_end(client),
                    Fault::Do(_, act) => act(),
                    Fault::None => {}
                }
                continue;
            }
            let length = daemon.read(&mut buffer[..most.min(BUFFER)])?;
            if length == 0 {
                return Ok(());
            }
            client.write_all(&buffer[..length])?;
            passed += length;
            self.passed.fetch_add(length, Ordering::SeqCst);
        }
    }
}

/// Waits until the other end is gone.
fn wait_for_end(stream: &TcpStream) -> std::io::Result<()> {
    let mut byte = [0];
    // What it sends is read by the other thread; a peek does not take it away.
    while stream.peek(&mut byte)? != 0 {
        thread::sleep(std::time::Duration::from_millis(10));
    }
    Ok(())
}

/// The header of a proxy that asks for this client, over a stream or by a datagram (version 2 of the PROXY protocol,
/// section 2.2).
pub(crate) fn proxy_header(client: IpAddr, is_stream: bool) -> Vec<u8> {
    let (family, addresses) = match client {
        IpAddr::V4(client) => (0x10, [client.octets(); 2].concat()),
        IpAddr::V6(client) => (0x20, [client.octets(); 2].concat()),
    };
    let signature = b"\r\n\r\n\0\r\nQUIT\n";
    let protocol = if is_stream { 1 } else { 2 };
    let length = addresses.len() as u8 + 4;
    // PROXY, the two addresses, and two ports.
    [&signature[..], &[0x21, family | protocol, 0, length], &addresses, &[0x30, 0x39, 0, 53]]
        .concat()
}
