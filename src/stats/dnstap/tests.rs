//! Against a collector made here. The integration tests have that of the fstrm project.

use super::frames::{Control, control, expect};
use super::*;
use crate::event::Log;
use crate::stats::lanes::STOP_GRACE;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

const QUERY: &[u8] = b"\0\x09\x01\0\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x01\0\x01";
const APEX: &[u8] = b"\x04test\0";

fn start(socket: PathBuf) -> Dnstap {
    let sink: Arc<dyn EventSink> = Arc::new(Log);
    Dnstap::start(socket, "ns1", &sink).unwrap()
}

fn take(lane: &Lane) {
    let client: SocketAddr = "192.0.2.1:4711".parse().unwrap();
    let server = "127.0.0.1:53".parse().unwrap();
    let request = Request { query: QUERY, client: client.ip(), transport: Transport::Udp, now: 0 };
    lane.take(&request, QUERY, Ends { client, server }, APEX);
}

/// Takes a stream until its end: the data frames.
fn collect(listener: &UnixListener) -> Vec<Vec<u8>> {
    let (mut stream, _) = listener.accept().unwrap();
    shake_hands(&mut stream);
    let mut frames = Vec::new();
    loop {
        let mut len = [0; 4];
        stream.read_exact(&mut len).unwrap();
        if len == [0; 4] {
            let mut rest = [0; 8];
            stream.read_exact(&mut rest).unwrap();
            assert_eq!([&len[..], &rest].concat(), control(Control::Stop));
            stream.write_all(&control(Control::Finish)).unwrap();
            return frames;
        }
        let mut frame = vec![0; u32::from_be_bytes(len) as usize];
        stream.read_exact(&mut frame).unwrap();
        frames.push(frame);
    }
}

fn shake_hands(stream: &mut UnixStream) {
    expect(stream, Control::Ready).unwrap();
    stream.write_all(&control(Control::Accept)).unwrap();
    expect(stream, Control::Start).unwrap();
}

#[test]
fn queries_of_all_workers_arrive_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("tap");
    let listener = UnixListener::bind(&socket).unwrap();
    let dnstap = start(socket);
    let lanes = [dnstap.lane(), dnstap.lane()];
    let collector = std::thread::spawn(move || collect(&listener));
    for _ in 0..500 {
        lanes.iter().for_each(take);
    }
    dnstap.stop();
    let frames = collector.join().unwrap();
    assert_eq!(frames.len(), 2000);
    assert!(frames.iter().all(|frame| frame.windows(QUERY.len()).any(|part| part == QUERY)));
}

#[test]
fn a_collector_that_comes_late_gets_what_there_was_room_for() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("tap");
    let dnstap = start(socket.clone());
    let lane = dnstap.lane();
    let most = CAPACITY / (2 * QUERY.len() + APEX.len());
    (0..most + 10).for_each(|_| take(&lane));
    let listener = UnixListener::bind(&socket).unwrap();
    let collector = std::thread::spawn(move || collect(&listener));
    while !lane.0.lock().list.is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(dnstap.lost(), 10);
    take(&lane);
    dnstap.stop();
    assert_eq!(collector.join().unwrap().len(), 2 * (most + 1));
}

#[test]
fn a_collector_that_does_not_read_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("tap");
    let listener = UnixListener::bind(&socket).unwrap();
    let dnstap = start(socket);
    let lane = dnstap.lane();
    let (mut stream, _) = listener.accept().unwrap();
    shake_hands(&mut stream);
    let begin = Instant::now();
    (0..100_000).for_each(|_| take(&lane));
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(lane.0.lock().bytes.len() <= CAPACITY);
    let begin = Instant::now();
    dnstap.stop();
    assert!(begin.elapsed() < STOP_GRACE, "{:?}", begin.elapsed());
}
