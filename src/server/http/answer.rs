//! What is asked of a route, and what it answers.

use hyper::StatusCode;

/// The part of a request that its route leaves open.
pub(super) struct Asked<'r> {
    /// What stands behind the path of a route that ends with `/`; empty for the others.
    pub(super) rest: &'r str,
}

/// The answer to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn new(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status, content_type, body }
    }

    /// A text for people.
    pub(super) fn text(status: StatusCode, text: impl Into<String>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", text.into().into_bytes())
    }

    /// A JSON object.
    pub(super) fn json(text: String) -> Self {
        Self::new(StatusCode::OK, "application/json", text.into_bytes())
    }
}
