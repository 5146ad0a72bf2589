//! A scrape's answer: families written for Prometheus, in the format that the scraper asks for.
//!
//! [`accept`] chooses the format, `page` decides what can be on one page, `name`, `escaping` and
//! `labels` say how it is called there, `text` and `protobuf` write it, `native` makes of exponential
//! histograms what Prometheus has. The listener that takes the request is not here.

pub mod accept;
mod escaping;
mod labels;
mod name;
mod native;
mod number;
mod output;
mod page;
mod protobuf;
#[cfg(test)]
mod strict;
mod style;
#[cfg(test)]
mod tests;
mod text;

use std::borrow::Cow;

use bytes::Bytes;

use self::accept::{accepts_gzip, choose};
use self::output::Output;
pub use self::page::{Disputed, LeftOut};
pub use self::style::{Style, Translation};
use super::snapshot::Family;

/// An answer to a scrape.
#[derive(Debug, Clone)]
pub struct Scrape {
    /// `Content-Type`.
    pub content_type: Cow<'static, str>,
    /// `Content-Encoding`, if the body is compressed.
    pub content_encoding: Option<&'static str>,
    /// The page.
    pub body: Bytes,
    /// Why series are missing on it, an entry for each of them.
    pub left_out: Vec<LeftOut>,
    /// Metrics that are described in several ways, of which none is missing.
    pub disputed: Disputed,
}

/// Answers a scrape with `Accept` and `Accept-Encoding` headers as they came. A page of 10,000
/// series takes some 40 ms (docs/performance.md): not for a thread that has requests to serve. What it holds meanwhile is the families, the page itself (compressed, if it is to
/// be) and what one series needs; with protobuf, what one family needs.
pub fn respond(families: Vec<Family>, style: &Style, accept: Option<&str>, accept_encoding: Option<&str>) -> Scrape {
    let choice = choose(accept, style.translation);
    let compressed = accepts_gzip(accept_encoding);
    let mut output = Output::new(compressed);
    let (left_out, disputed) = page::write(families, style, &choice, &mut output);
    let body = output.finish().unwrap_or_else(|error| {
        tracing::error!(%error, "a page could not be compressed, and an empty one is sent");
        Vec::new()
    });
    Scrape {
        content_type: choice.content_type,
        content_encoding: compressed.then_some("gzip"),
        body: body.into(),
        left_out,
        disputed,
    }
}

/// Families as text.
#[cfg(test)]
pub(crate) fn render(families: Vec<Family>, style: &Style, format: accept::Format) -> (String, Vec<LeftOut>) {
    let (escaping, content_type) = (accept::Escaping::Underscores, Cow::Borrowed(""));
    let mut output = Output::new(false);
    let choice = accept::Choice { format, escaping, content_type };
    let (left_out, _) = page::write(families, style, &choice, &mut output);
    (String::from_utf8(output.finish().unwrap()).unwrap(), left_out)
}
