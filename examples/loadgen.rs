//! A load generator: sends queries in a closed loop, checks every answer, and tells what the
//! server spent on them.
//!
//! ```text
//! loadgen --server 127.0.0.1:5300 --pid 1234 --queries FILE [--count N] [--sockets 4] [--window 32]
//! ```
//!
//! FILE has one question a line, `name type rcode`: the answer must have the same id and question,
//! that response code, and an answer record if the code is 0. The CPU time is that of process PID
//! (all its threads) over the run, from /proc/PID/stat and /proc/PID/task/*/schedstat.

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use dnsbld::wire::name::NameBuf;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(Parser)]
struct Args {
    /// The server to ask.
    #[arg(long)]
    server: SocketAddr,
    /// The process whose CPU time is told.
    #[arg(long)]
    pid: u32,
    /// The questions.
    #[arg(long)]
    queries: PathBuf,
    /// How many queries to send.
    #[arg(long, default_value_t = 200_000)]
    count: usize,
    /// How many sockets to send from.
    #[arg(long, default_value_t = 4)]
    sockets: usize,
    /// How many queries of one socket are under way at a time.
    #[arg(long, default_value_t = 32)]
    window: usize,
}

/// Queries without an answer for this long are given up.
const PATIENCE: Duration = Duration::from_millis(500);

struct Question {
    packet: Vec<u8>,
    rcode: u8,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let text = std::fs::read_to_string(&args.queries)
        .with_context(|| format!("{}", args.queries.display()))?;
    let questions: Vec<Question> = text.lines().map(question).collect::<Result<_>>()?;
    ensure!(!questions.is_empty(), "no questions in {}", args.queries.display());
    let mut sockets =
        (0..args.sockets).map(|_| Lane::open(args.server)).collect::<Result<Vec<_>>>()?;
    let before = Usage::of(args.pid)?;
    let start = Instant::now();
    let (mut sent, mut answered, mut lost) = (0, 0, 0);
    let mut last_news = Instant::now();
    while answered + lost < args.count {
        let mut news = 0;
        for lane in &mut sockets {
            while lane.pending < args.window && sent < args.count {
                lane.send(&questions, sent % questions.len())?;
                sent += 1;
            }
            news += lane.receive(&questions)?;
        }
        answered += news;
        if news > 0 {
            last_news = Instant::now();
        } else if last_news.elapsed() > PATIENCE {
            ensure!(answered > 0, "the server does not answer");
            // A new socket, so that late answers are not taken for others.
            for lane in &mut sockets {
                lost += lane.pending;
                *lane = Lane::open(args.server)?;
            }
            last_news = Instant::now();
        }
    }
    let wall = start.elapsed().as_secs_f64();
    let used = Usage::of(args.pid)?;
    let per = |seconds: f64| seconds * 1e6 / answered as f64;
    println!(
        "queries={answered} lost={lost} qps={:.0} cpu_us={:.3} user_share={:.2}",
        answered as f64 / wall,
        per(used.cpu - before.cpu),
        (used.user - before.user)
            / (used.user - before.user + used.system - before.system).max(1e-9),
    );
    Ok(())
}

fn question(line: &str) -> Result<Question> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(qtype), Some(rcode)) = (words.next(), words.next(), words.next()) else {
        bail!("not `name type rcode`: {line}");
    };
    let name: NameBuf = name.parse()?;
    let qtype: u16 = match qtype {
        "A" => 1,
        "TXT" => 16,
        other => other.parse()?,
    };
    let mut packet = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    packet.extend(name.as_wire());
    packet.extend(qtype.to_be_bytes());
    packet.extend([0, 1]);
    Ok(Question { packet, rcode: rcode.parse()? })
}

/// One socket and what is under way on it: the id of a query is its place in `asked`.
struct Lane {
    socket: UdpSocket,
    asked: Vec<u32>,
    free: Vec<u16>,
    pending: usize,
}

impl Lane {
    fn open(server: SocketAddr) -> Result<Self> {
        let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any)?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, asked: Vec::new(), free: Vec::new(), pending: 0 })
    }

    fn send(&mut self, questions: &[Question], number: usize) -> Result<()> {
        let id = self.free.pop().unwrap_or_else(|| {
            self.asked.push(0);
            (self.asked.len() - 1) as u16
        });
        self.asked[usize::from(id)] = number as u32;
        let mut packet = [0; 512];
        let template = &questions[number].packet;
        packet[..template.len()].copy_from_slice(template);
        packet[..2].copy_from_slice(&id.to_be_bytes());
        self.socket.send(&packet[..template.len()])?;
        self.pending += 1;
        Ok(())
    }

    fn receive(&mut self, questions: &[Question]) -> Result<usize> {
        let mut buffer = [0; 2048];
        let mut count = 0;
        loop {
            let len = match self.socket.recv(&mut buffer) {
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(count),
                Err(error) => return Err(error.into()),
            };
            ensure!(len >= 12, "an answer of {len} bytes");
            let id = u16::from_be_bytes([buffer[0], buffer[1]]);
            let asked = self.asked.get(usize::from(id)).context("an answer to nothing")?;
            let question = &questions[*asked as usize];
            ensure!(
                buffer[12..question.packet.len()] == question.packet[12..],
                "an answer to another question"
            );
            let rcode = buffer[3] & 15;
            ensure!(
                rcode == question.rcode,
                "rcode {rcode} instead of {}: question {asked}",
                question.rcode
            );
            ensure!(rcode != 0 || buffer[7] > 0, "no record in the answer to question {asked}");
            self.free.push(id);
            self.pending -= 1;
            count += 1;
        }
    }
}

/// CPU time of a process, in seconds: the sum from the scheduler, exact, and its parts, in ticks.
struct Usage {
    cpu: f64,
    user: f64,
    system: f64,
}

impl Usage {
    fn of(pid: u32) -> Result<Self> {
        let stat =
            std::fs::read_to_string(format!("/proc/{pid}/stat")).context("no such process")?;
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
        let ticks = |index: usize| {
            fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0) / 100.0
        };
        let mut cpu = 0.0;
        for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else {
                continue;
            };
            let nanoseconds: f64 =
                text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0.0);
            cpu += nanoseconds / 1e9;
        }
        Ok(Self { cpu, user: ticks(11), system: ticks(12) })
    }
}
