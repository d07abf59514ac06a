//! The life of a dataset: what may replace what is served, what to tell, and when to try again.

mod life;

pub use life::{Candidate, Failure, Good, Life, RetryPolicy, State, Trouble};
