//! Cancelling work on another thread.

use std::sync::{Arc, Weak};

/// The requester's side of a piece of work: dropping it cancels the work.
#[derive(Debug, Default)]
pub struct CancelSource(Arc<()>);

impl CancelSource {
    /// A token for the worker.
    pub fn token(&self) -> CancelToken {
        CancelToken(Arc::downgrade(&self.0))
    }
}

/// The worker's side of a [`CancelSource`].
#[derive(Clone, Debug)]
pub struct CancelToken(Weak<()>);

impl CancelToken {
    /// True if this token came from `source`.
    pub fn is_of(&self, source: &CancelSource) -> bool {
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(&source.0))
    }

    /// True once the source was dropped: nobody waits for the outcome any more.
    pub fn is_cancelled(&self) -> bool {
        self.0.strong_count() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_the_source_cancels_its_tokens() {
        let (source, other) = (CancelSource::default(), CancelSource::default());
        let token = source.token();
        assert!(token.is_of(&source) && !token.is_of(&other));
        assert!(!token.is_cancelled());
        drop(source);
        assert!(token.is_cancelled() && !token.is_of(&other));
    }
}
