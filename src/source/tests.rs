//! Reading whole files, in both ways.

use super::read::CHUNK;
use super::{Cause, Limits, Problem, ReadReport, read, read_ahead};
use flate2::{Compression, write::GzEncoder};
use std::convert::Infallible;
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

type Sink<'a, E> = &'a mut dyn FnMut(&[u8]) -> Result<(), E>;
type Read<E> = fn(&Path, &Limits, Sink<'_, E>) -> Result<ReadReport, Problem>;

/// Both ways to read a file.
fn ways<E: Display>() -> [Read<E>; 2] {
    [read, |path, limits, sink| {
        let prepare = |chunk: &[u8]| chunk.to_vec();
        read_ahead(path, limits, &prepare, &mut |chunk, prepared| {
            assert!(prepared.is_none_or(|prepared| prepared == chunk));
            sink(chunk)
        })
    }]
}

/// What both ways give.
fn slurp(path: &Path, limits: &Limits) -> Result<(Vec<u8>, ReadReport), Cause> {
    let [one, other] = ways().map(|read| {
        let mut text = Vec::new();
        let report = read(path, limits, &mut |chunk| {
            assert!(chunk.len() <= CHUNK);
            text.extend_from_slice(chunk);
            Ok::<(), Infallible>(())
        });
        report.map(|report| (text, report)).map_err(|problem| {
            assert_eq!(problem.file, path);
            problem.cause
        })
    });
    let unsettled = |got: &Result<(_, ReadReport), _>| {
        got.clone().map(|(text, report)| (text, ReadReport { settled: false, ..report }))
    };
    assert!(unsettled(&one) == unsettled(&other));
    one
}

#[test]
fn plain_and_gzip_files_of_all_sizes_come_out_whole() {
    for length in [0, 1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7] {
        let text: Vec<u8> = (0..length).map(|i| (i * 31 % 251) as u8).collect();
        let packed = gzip(&text);
        for (bytes, compressed) in [(&text, false), (&packed, true)] {
            let (_folder, path) = file(bytes);
            let (got, report) = slurp(&path, &Limits::default()).unwrap();
            assert!(got == text, "{length} bytes, compressed: {compressed}");
            assert_eq!(report.content, length as u64);
            assert_eq!(report.compressed, compressed);
            assert_eq!(report.identity.size, bytes.len() as u64);
            assert_eq!(report.hash, xxhash_rust::xxh3::xxh3_128(bytes));
        }
    }
}

#[test]
fn gzip_files_put_one_after_the_other_are_one_text() {
    let (_folder, path) = file(&[gzip(b"1.2.3.4\n"), gzip(b""), gzip(b"5.6.7.8\n")].concat());
    assert_eq!(slurp(&path, &Limits::default()).unwrap().0, b"1.2.3.4\n5.6.7.8\n");
}

#[test]
fn damaged_gzip_data_is_an_error_wherever_it_is_damaged() {
    let packed = gzip(&b"1.2.3.4 :2:text\n".repeat(500));
    for cut in 2..packed.len() {
        let (_folder, path) = file(&packed[..cut]);
        let cause = slurp(&path, &Limits::default()).unwrap_err();
        assert_eq!(cause, Cause::CorruptGzip("it is cut off".to_owned()), "cut at {cut}");
    }
    let mut wrong_sum = packed.clone();
    let end = wrong_sum.len();
    wrong_sum[end - 8] ^= 1;
    let (_folder, path) = file(&wrong_sum);
    let cause = slurp(&path, &Limits::default()).unwrap_err();
    assert!(matches!(cause, Cause::CorruptGzip(_)), "{cause:?}");
}

/// Regression: what is too long was said to be cut off, and zeros, which `gzip -t` lets pass, a fault.
#[test]
fn nothing_but_zeros_may_follow_gzip_data() {
    let packed = gzip(b"1.2.3.4\n");
    for zeros in [1, 512, 3 * CHUNK] {
        let (_folder, path) = file(&[&packed[..], &vec![0; zeros]].concat());
        assert_eq!(slurp(&path, &Limits::default()).unwrap().0, b"1.2.3.4\n");
    }
    for junk in [&b"junk"[..], b"\0\0j", b"j"] {
        let (_folder, path) = file(&[&packed[..], junk].concat());
        let cause = slurp(&path, &Limits::default()).unwrap_err();
        assert_eq!(cause, Cause::CorruptGzip("other bytes follow its end".to_owned()));
    }
}

/// Regression: gigabytes were read of what is too big by its size.
#[test]
fn of_a_file_that_is_too_big_nothing_is_handed_on() {
    let (_folder, path) = file(b"1.2.3.4\n");
    let limits = Limits { content: 7, ..Limits::default() };
    let problem = read(&path, &limits, &mut |_| -> Result<(), Infallible> { panic!("it is") });
    assert_eq!(problem.unwrap_err().cause, Cause::TooBig(7));
    assert!(slurp(&path, &Limits { content: 8, ..limits }).is_ok());
}

#[test]
fn a_gzip_bomb_stops_at_the_limit() {
    let (_folder, path) = file(&gzip(&vec![b'#'; 8 << 20]));
    let limits = Limits { content: 1 << 20, ..Limits::default() };
    let mut most = 0;
    let problem = read(&path, &limits, &mut |chunk| {
        most += chunk.len();
        Ok::<(), Infallible>(())
    });
    assert_eq!(problem.unwrap_err().cause, Cause::TooBig(1 << 20));
    assert!(most <= 1 << 20);
    assert!(slurp(&path, &Limits { content: 8 << 20, ..limits }).is_ok());
}

#[test]
fn what_no_list_packs_to_is_a_bomb() {
    let lines = b"1/8\n".repeat(5 << 20);
    let packed = gzip(&lines);
    let (_folder, path) = file(&packed);
    assert_eq!(slurp(&path, &Limits::default()).unwrap_err(), Cause::Bomb(100));
    let limits = Limits { expansion: 2000, ..Limits::default() };
    assert_eq!(slurp(&path, &limits).unwrap().0.len(), lines.len());
    // However well it packs, what is short is no danger.
    let (_folder, path) = file(&gzip(&lines[..16 << 20]));
    assert!(slurp(&path, &Limits::default()).is_ok());
}

#[test]
fn a_compressed_file_is_an_error_if_so_wanted() {
    let (_folder, path) = file(&gzip(b"1.2.3.4\n"));
    let limits = Limits { decompress: false, ..Limits::default() };
    assert_eq!(slurp(&path, &limits).unwrap_err(), Cause::Compressed);
}

#[test]
fn what_is_no_regular_file_is_an_error_and_never_blocks() {
    let (folder, _) = file(b"");
    let fifo = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let nothing = folder.path().join("dangling");
    std::os::unix::fs::symlink("nowhere", &nothing).unwrap();
    for (path, cause) in [
        (folder.path(), Cause::NotAFile("directory")),
        (&fifo, Cause::NotAFile("fifo")),
        (Path::new("/dev/zero"), Cause::NotAFile("device")),
        (&folder.path().join("absent"), Cause::Vanished),
        (&nothing, Cause::Vanished),
    ] {
        assert_eq!(slurp(path, &Limits::default()).unwrap_err(), cause);
    }
}

#[test]
fn any_change_under_the_reader_makes_the_read_torn() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 7] = [
        ("written in place", |path| {
            let file = OpenOptions::new().write(true).open(path).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, b"9", 0).unwrap();
        }),
        ("truncated", |path| {
            OpenOptions::new().write(true).open(path).unwrap().set_len(CHUNK as u64).unwrap();
        }),
        ("appended to", |path| {
            OpenOptions::new().append(true).open(path).unwrap().write_all(b"9").unwrap();
        }),
        ("time set back", |path| {
            File::open(path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        }),
        ("renamed over", |path| {
            let new = path.with_extension("new");
            std::fs::copy(path, &new).unwrap();
            std::fs::rename(new, path).unwrap();
        }),
        ("removed", |path| std::fs::remove_file(path).unwrap()),
        ("replaced by a folder", |path| {
            std::fs::remove_file(path).unwrap();
            std::fs::create_dir(path).unwrap();
        }),
    ];
    for ((name, change), read) in
        changes.into_iter().flat_map(|change| ways().map(|read| (change, read)))
    {
        // So long that nobody has read it all when the first chunk is taken.
        let (_folder, path) = file(&vec![b'1'; 8 * CHUNK + 1]);
        // Longer than the tick in which two changes get the same time.
        std::thread::sleep(std::time::Duration::from_millis(20));
        let mut done = false;
        let problem = read(&path, &Limits::default(), &mut |_| {
            if !std::mem::replace(&mut done, true) {
                change(&path);
            }
            Ok::<(), Infallible>(())
        });
        assert_eq!(problem.map_err(|problem| problem.cause), Err(Cause::Torn), "{name}");
    }
}

#[test]
fn an_error_of_the_sink_ends_the_reading_but_torn_comes_first() {
    for read in ways() {
        let (_folder, path) = file(&vec![b'1'; 8 * CHUNK]);
        let mut calls = 0;
        let problem = read(&path, &Limits::default(), &mut |_| {
            calls += 1;
            Err("line 1: $TIMESTAMP lies in the future")
        });
        let cause = Cause::Fatal("line 1: $TIMESTAMP lies in the future".to_owned());
        assert_eq!(problem.unwrap_err().cause, cause);
        assert_eq!(calls, 1);
        let problem = read(&path, &Limits::default(), &mut |_| {
            std::fs::remove_file(&path).unwrap();
            Err("garbage")
        });
        assert_eq!(problem.unwrap_err().cause, Cause::Torn);
    }
}
