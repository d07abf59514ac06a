//! Any bytes as a file that may be gzip data: the content is right, or there is a problem; and
//! never more of it than allowed.

use super::file;
use super::input::Input;
use dnsbld::source::{Cause, Limits, read};
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use std::convert::Infallible;
use std::io::{Read, Write};

// The bits of the first byte of an input.
/// The rest is packed first; else it stands behind the magic number.
const PACK: u8 = 1;
/// The packed data is repeated, as one more member.
const TWICE: u8 = 2;
/// Some of it is overwritten.
const DAMAGE: u8 = 4;
/// The end is cut off.
const CUT: u8 = 8;
/// A long run is packed too.
const LONG: u8 = 16;
/// The rest is the file.
const PLAIN: u8 = 32;
const FORBID: u8 = 64;

pub(crate) const TOKENS: &[&[u8]] =
    &[b"\x1f\x8b", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", b"\x00\x00\x00\x00", b"\xff\xff"];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let texts = super::seeds::zone_files();
    let mut all = Vec::new();
    for (n, (_, text)) in texts.into_iter().take(15).enumerate() {
        let text = &text[..text.len().min(600)];
        for how in [PACK, PACK | TWICE | DAMAGE, PACK | CUT, PACK | LONG, PLAIN, PACK | FORBID] {
            all.push([&[how, n as u8, (3 * n) as u8, (7 * n) as u8], text].concat());
        }
        let packed = pack(text);
        all.push([&[0], &packed[2..]].concat());
    }
    all
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let how = input.byte();
    let limit = [1 << 20, 0, 1, 100, 262_144, 1000][usize::from(how >> 5) % 6];
    let bytes = file_of(how, &mut input);
    let limits = Limits { decompress: how & FORBID == 0, content: limit, ..Limits::default() };
    let path = file::with(&bytes);

    let mut content = Vec::new();
    let result = read(&path, &limits, &mut |chunk| {
        content.extend_from_slice(chunk);
        assert!(content.len() as u64 <= limit, "more than allowed");
        Ok::<(), Infallible>(())
    });
    let is_gzip = bytes.starts_with(&[0x1f, 0x8b]);
    let (want, is_whole) = if is_gzip { unpack(&bytes, limit) } else { (bytes.clone(), true) };
    let cause = match result {
        Ok(report) => {
            assert!(is_whole && content == want, "the content");
            assert_eq!((report.content, report.compressed), (content.len() as u64, is_gzip));
            assert_eq!(report.identity.size, bytes.len() as u64);
            return;
        }
        Err(problem) => problem.cause,
    };
    assert!(want.starts_with(&content), "the content before the problem");
    match cause {
        Cause::Compressed => assert!(is_gzip && !limits.decompress),
        Cause::TooBig(bound) => assert!(bound == limit && want.len() as u64 > limit),
        Cause::CorruptGzip(_) => assert!(is_gzip && !is_whole),
        other => panic!("{other}"),
    }
}

fn file_of(how: u8, input: &mut Input<'_>) -> Vec<u8> {
    if how & PLAIN != 0 {
        return input.take(usize::MAX).to_vec();
    }
    if how & PACK == 0 {
        return [&[0x1f, 0x8b], input.take(usize::MAX)].concat();
    }
    let [a, b, c] = [input.byte(), input.byte(), input.byte()];
    let mut text = input.take(usize::MAX).to_vec();
    if how & LONG != 0 {
        text.resize(text.len() + 1500 * usize::from(a), c);
    }
    let mut file = pack(&text);
    if how & TWICE != 0 {
        file.extend(pack(&text));
    }
    if how & DAMAGE != 0 {
        let at = usize::from(a) * file.len() / 256;
        file[at] ^= b;
    }
    if how & CUT != 0 {
        file.truncate(usize::from(c) * file.len() / 256);
    }
    file
}

fn pack(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

/// The content up to a little over the limit, and whether it came without an error: members, behind each of
/// which zeros may follow (`gzip -t`).
fn unpack(mut file: &[u8], limit: u64) -> (Vec<u8>, bool) {
    let most = limit + 300_000;
    let mut content = Vec::new();
    while !file.is_empty() {
        let left = most - content.len() as u64;
        if left == 0 {
            break;
        }
        if GzDecoder::new(&mut file).take(left).read_to_end(&mut content).is_err() {
            return (content, false);
        }
        let zeros = file.iter().take_while(|&&byte| byte == 0).count();
        file = &file[zeros..];
    }
    (content, true)
}
