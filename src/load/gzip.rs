//! Gzip data (RFC 1952): its members one after the other, and nothing behind them but zeros.

use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, ErrorKind, Read};

/// The first two bytes of gzip data (RFC 1952, section 2.3.1).
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Unpacks all members. As `gzip -t` does, it lets zeros follow, with which blocks are filled up; other
/// bytes may be all that is left of the rest.
pub(super) struct Members<R: BufRead>(Option<GzDecoder<R>>);

impl<R: BufRead> Members<R> {
    pub(super) fn new(packed: R) -> Self {
        Self(Some(GzDecoder::new(packed)))
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.0 {
            let length = member.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            self.0 = match self.0.take() {
                Some(ended) => next(ended.into_inner())?,
                None => None,
            };
        }
        Ok(0)
    }
}

/// What follows a member.
fn next<R: BufRead>(mut packed: R) -> io::Result<Option<GzDecoder<R>>> {
    if packed.fill_buf()?.first() == Some(&MAGIC[0]) {
        return Ok(Some(GzDecoder::new(packed)));
    }
    loop {
        let bytes = packed.fill_buf()?;
        if bytes.iter().any(|&byte| byte != 0) {
            return Err(io::Error::new(ErrorKind::InvalidData, "other bytes follow its end"));
        }
        match bytes.len() {
            0 => return Ok(None),
            zeros => packed.consume(zeros),
        }
    }
}
