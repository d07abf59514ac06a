//! What UDP costs: a server that sends every query back, padded to a size, and does nothing else.
//! It has the sockets, threads and system calls of dnsbld.
//!
//! ```text
//! echo --listen 127.0.0.1:5301 --size 90
//! ```

use clap::Parser;
use dnsbld::engine::{Catalog, Outcome, Request, WorkerState};
use dnsbld::event::Log;
use dnsbld::server::delay::DelayQueue;
use dnsbld::server::shared_catalog::SharedCatalog;
use dnsbld::server::udp::UdpServer;
use dnsbld::server::{Context, listen};
use dnsbld::stats::Recorders;
use std::net::SocketAddr;
use std::sync::Arc;

#[derive(Parser)]
struct Args {
    /// Where to listen.
    #[arg(long)]
    listen: SocketAddr,
    /// The size of the answers in bytes, unless the query is longer.
    #[arg(long)]
    size: usize,
    /// Threads and sockets.
    #[arg(long, default_value_t = 1)]
    workers: usize,
}

fn main() -> anyhow::Result<()> {
    let Args { listen, size, workers } = Args::parse();
    let catalog = Arc::new(SharedCatalog::new(Catalog::default()));
    let context = Context::new(catalog, Arc::new(Log));
    let delay = DelayQueue::start(Arc::clone(&context.counters), &context.sink)?;
    let echo = move |_: &Catalog, _: &mut WorkerState, request: &Request<'_>, out: &mut [u8]| {
        let query = request.query;
        let (Some(start), true) = (out.get_mut(..query.len()), query.len() >= 12) else {
            return Outcome::Drop;
        };
        start.copy_from_slice(query);
        start[2] |= 0x80;
        Outcome::Respond(size.clamp(query.len(), out.len()))
    };
    let (sockets, mut recorders) = (listen::udp(listen, workers)?, Recorders::default());
    let _server = UdpServer::start_with(sockets, &context, &delay, &mut recorders, echo)?;
    println!("echo of {size} bytes on {listen}");
    loop {
        std::thread::park();
    }
}
