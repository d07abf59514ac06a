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
            // An error, such as an interruption, must leave the place between two members.
            let is_followed = is_followed(member.get_mut())?;
            self.0 = self
                .0
                .take()
                .filter(|_| is_followed)
                .map(|ended| GzDecoder::new(ended.into_inner()));
        }
        Ok(0)
    }
}

/// Whether another member follows, perhaps behind zeros.
fn is_followed(packed: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = packed.fill_buf()?;
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        match bytes.first() {
            None => return Ok(false),
            Some(first) if *first == MAGIC[0] => return Ok(true),
            Some(0) => packed.consume(zeros),
            Some(_) => {
                return Err(io::Error::new(ErrorKind::InvalidData, "other bytes follow its end"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    /// Is interrupted before it gives anything, byte by byte.
    struct Interrupted<'a> {
        bytes: &'a [u8],
        is_next: bool,
    }

    impl Read for Interrupted<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.fill_buf()?.read(buffer)?;
            self.consume(length);
            Ok(length)
        }
    }

    impl BufRead for Interrupted<'_> {
        fn fill_buf(&mut self) -> io::Result<&[u8]> {
            self.is_next = !self.is_next;
            match self.is_next {
                true => Err(ErrorKind::Interrupted.into()),
                false => Ok(&self.bytes[..self.bytes.len().min(1)]),
            }
        }

        fn consume(&mut self, amount: usize) {
            self.bytes = &self.bytes[amount..];
        }
    }

    /// Regression: after an interruption between two members, the rest was taken for the end.
    #[test]
    fn interruptions_lose_nothing() {
        let member = |text: &str| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap()
        };
        let bytes = [member("1.2.3.4\n"), member("5.6.7.8\n"), vec![0; 3]].concat();
        for is_next in [false, true] {
            let mut text = String::new();
            let mut members = Members::new(Interrupted { bytes: &bytes, is_next });
            members.read_to_string(&mut text).unwrap();
            assert_eq!(text, "1.2.3.4\n5.6.7.8\n");
        }
    }
}
