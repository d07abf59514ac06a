//! What is asked of a route, and what it answers.

use super::form;
use hyper::StatusCode;
use maud::Markup;
use std::net::IpAddr;

/// The part of a request that its route leaves open.
pub(super) struct Asked {
    /// What stands behind the path of a route that ends with `/`; empty for the others.
    pub(super) rest: String,
    /// What stands behind the `?`, as it was sent; empty without it.
    pub(super) query: String,
    /// Who asks.
    pub(super) client: IpAddr,
}

impl Asked {
    /// The value of a field of a form; `None` if it was not sent.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        form::field(&self.query, name)
    }
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

    /// A page for people. What could turn the text of others into another one to the eye is replaced:
    /// control characters, and those that change the direction of writing (Unicode Technical Report 36
    /// section 2.4).
    pub(super) fn page(status: StatusCode, page: Markup) -> Self {
        let is_shown = |c: char| {
            let is_control = c.is_control() && c != '\n';
            let is_direction = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            !is_control && !is_direction && !matches!(c, '\u{fffe}' | '\u{ffff}')
        };
        let page = page.into_string();
        let page: String = page
            .chars()
            .map(|c| if is_shown(c) { c } else { char::REPLACEMENT_CHARACTER })
            .collect();
        Self::new(status, "text/html; charset=utf-8", page.into_bytes())
    }

    /// A file of the page.
    pub(super) fn file(content_type: &'static str, text: &'static str) -> Self {
        Self::new(StatusCode::OK, content_type, text.into())
    }

    /// A JSON object.
    pub(super) fn json(text: String) -> Self {
        Self::new(StatusCode::OK, "application/json", text.into_bytes())
    }
}
