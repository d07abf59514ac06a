use super::*;
use crate::config::LogTarget;
use crate::engine::Transport;
use crate::event::Log;
use crate::stats::lanes::STOP_GRACE;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const QUERY: &[u8] = b"\0\x09\x01\0\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x01\0\x01";

fn start(path: &Path, flush: bool) -> QueryLog {
    let settings =
        config::QueryLog { flush, ..config::QueryLog::new(LogTarget::File(path.into())) };
    let sink: Arc<dyn EventSink> = Arc::new(Log);
    QueryLog::start(&settings, &sink).unwrap()
}

fn log(lane: &Lane, now: u64) {
    let client = [192, 0, 2, 1].into();
    let request = Request { query: QUERY, client, transport: Transport::Udp, now };
    lane.log(&request, QUERY);
}

fn line(now: u64) -> String {
    format!("{now} 192.0.2.1 a.test A IN: NOERROR/0/24\n")
}

fn eventually(condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > Duration::from_secs(5) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

#[test]
fn lines_of_several_workers_are_written_in_the_order_of_their_times() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    fs::write(&path, "before\n").unwrap();
    let query_log = start(&path, false);
    let lanes = [query_log.lane(), query_log.lane()];
    // The writer may look between any two of them, so that only within a worker is it certain.
    let guard = query_log.reader.lanes();
    for now in [7, 8, 9, 10] {
        log(&lanes[0], now);
        log(&lanes[1], now);
    }
    drop(guard);
    query_log.stop();
    let want: String = [7, 7, 8, 8, 9, 9, 10, 10].map(line).concat();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("before\n{want}"));
}

#[test]
fn without_buffering_a_line_is_there_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let query_log = start(&path, true);
    let lane = query_log.lane();
    for now in 0..20 {
        let start = Instant::now();
        log(&lane, now);
        assert!(eventually(|| fs::read_to_string(&path).unwrap().ends_with(&line(now))));
        assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    }
    query_log.stop();
}

#[test]
fn what_was_logged_before_the_file_was_renamed_is_in_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let [path, old] = ["log", "log.1"].map(|name| folder.path().join(name));
    let query_log = start(&path, false);
    let lane = query_log.lane();
    log(&lane, 1);
    fs::rename(&path, &old).unwrap();
    query_log.reopen();
    assert!(eventually(|| path.exists()));
    log(&lane, 2);
    query_log.stop();
    assert_eq!(fs::read_to_string(&old).unwrap(), line(1));
    assert_eq!(fs::read_to_string(&path).unwrap(), line(2));
}

#[test]
fn a_pipe_that_is_full_loses_whole_lines_and_never_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    // Opened for both, so that opening does not wait for the log.
    let mut reader = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let query_log = start(&path, false);
    let lane = query_log.lane();
    let start = Instant::now();
    let lines = 3 * CAPACITY / line(0).len();
    (0..lines).for_each(|_| log(&lane, 0));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let text = |lane: &Lane| {
        let text = lane.lane.lock();
        (text.lines.len(), text.lost)
    };
    assert!(text(&lane).1 > 0, "{:?}", text(&lane));
    assert!(text(&lane).0 <= CAPACITY, "{:?}", text(&lane));
    let mut buffer = vec![0; 1 << 16];
    let len = std::io::Read::read(&mut reader, &mut buffer).unwrap();
    let got = String::from_utf8(buffer[..len].to_vec()).unwrap();
    assert!(got.split_inclusive('\n').all(|got| got == line(0)), "only whole lines");
    let start = Instant::now();
    query_log.stop();
    assert!(start.elapsed() < STOP_GRACE, "{:?}", start.elapsed());
}

#[test]
fn a_log_that_could_not_be_opened_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new").join("log");
    let query_log = start(&path, true);
    let lane = query_log.lane();
    log(&lane, 1);
    fs::create_dir(path.parent().unwrap()).unwrap();
    let written = eventually(|| {
        log(&lane, 2);
        fs::read_to_string(&path).is_ok_and(|text| text.ends_with(&line(2)))
    });
    assert!(written);
    query_log.stop();
}
