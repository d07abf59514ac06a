//! Bytes of value zero, counted over all chunks of a file.

use super::foreign::MOST_ZEROS;
use crate::source::Cause;

/// The rule, with what it has seen of one file.
#[derive(Debug, Default)]
pub struct Zeros(usize);

impl Zeros {
    /// Looks at the next chunk of the content.
    pub fn take(&mut self, chunk: &[u8]) -> Option<Cause> {
        self.0 += memchr::memchr_iter(0, chunk).count();
        (self.0 > MOST_ZEROS).then_some(Cause::Binary)
    }
}
