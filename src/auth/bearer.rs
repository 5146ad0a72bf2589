//! Tokens: those that are let in, the first of which is the one that is sent.

use std::fmt;

use http::HeaderValue;
use subtle::{Choice, ConstantTimeEq};

use super::AuthError;
use super::settings::Bearer;
use super::tag::{Tag, Tagger};
use crate::net::reread::{self, LOOK_EVERY, Live};

const EXPECTED: &str = "a token, or one a line";

/// More tokens than this are no tokens.
const MOST: usize = 1000;

/// The tokens as the file or the configuration holds them now.
pub struct Tokens {
    scheme: String,
    tagger: Tagger,
    tags: Vec<Tag>,
    own: HeaderValue,
}

/// The tokens of an extension; those of a file follow it.
pub(super) fn follow(id: &str, settings: &Bearer) -> Result<Live<Tokens>, AuthError> {
    let (files, settings) = (settings.filename.iter().cloned().collect(), settings.clone());
    Live::start(format!("extensions.{id}"), files, LOOK_EVERY, move || Tokens::load(&settings))
}

impl Tokens {
    fn load(settings: &Bearer) -> Result<Tokens, AuthError> {
        let (place, tokens) = match &settings.filename {
            Some(path) => {
                let content = reread::read(path).map_err(|error| AuthError::Unreadable {
                    key: "filename",
                    path: path.clone(),
                    error,
                    expected: EXPECTED,
                })?;
                let lines: Vec<_> =
                    content.split(|byte| *byte == b'\n').map(|line| line.trim_ascii().to_vec()).collect();
                (format!("filename {path:?}"), lines)
            }
            None => {
                let tokens = settings.tokens.iter().map(|token| token.reveal().as_bytes().to_vec()).collect();
                ("token".to_owned(), tokens)
            }
        };
        // The Collector lets in who sends the scheme alone if its file ends with a line's end.
        let tokens: Vec<_> = tokens.into_iter().filter(|token: &Vec<u8>| !token.is_empty()).collect();
        let wrong = |reason: String| AuthError::Content { place: place.clone(), reason };
        let Some(first) = tokens.first() else { return Err(wrong(format!("it holds no token; expected {EXPECTED}"))) };
        if tokens.len() > MOST {
            return Err(wrong(format!("it holds {} tokens; expected at most {MOST}", tokens.len())));
        }
        let own = match settings.scheme.as_str() {
            "" => first.clone(),
            scheme => [scheme.as_bytes(), b" ", first].concat(),
        };
        let is_visible = |token: &Vec<u8>| token.iter().all(|byte| matches!(byte, b'!'..=b'~'));
        let own = HeaderValue::from_bytes(&own).ok().filter(|_| tokens.iter().all(is_visible));
        let mut own = own.ok_or_else(|| {
            wrong("a token has a character that no token can have; expected visible ASCII characters".to_owned())
        })?;
        // Keeps it out of debug output, and out of the peer's header compression table.
        own.set_sensitive(true);
        let tagger = Tagger::new()?;
        let tags = tokens.iter().map(|token| tagger.tag(token)).collect();
        Ok(Tokens { scheme: settings.scheme.clone(), tagger, tags, own })
    }

    /// Whether a header's value is one of these tokens. All are compared, whichever is the one.
    pub(super) fn knows(&self, value: &HeaderValue) -> bool {
        let Some(token) = self.token(value.as_bytes()) else { return false };
        let tag = self.tagger.tag(token);
        self.tags.iter().fold(Choice::from(0), |found, known| found | known.ct_eq(&tag)).into()
    }

    /// What stands behind the scheme, which has no case (RFC 9110, section 11.1).
    fn token<'v>(&self, value: &'v [u8]) -> Option<&'v [u8]> {
        if self.scheme.is_empty() {
            return Some(value);
        }
        let (scheme, rest) = value.split_at_checked(self.scheme.len())?;
        let is_scheme = scheme.eq_ignore_ascii_case(self.scheme.as_bytes()) && rest.starts_with(b" ");
        is_scheme.then(|| rest.trim_ascii())
    }

    pub(super) fn own(&self) -> HeaderValue {
        self.own.clone()
    }

    pub(super) fn challenge(&self) -> HeaderValue {
        HeaderValue::from_str(&self.scheme)
            .ok()
            .filter(|scheme| !scheme.is_empty())
            .unwrap_or(HeaderValue::from_static("Bearer"))
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("scheme", &self.scheme).field("tokens", &self.tags.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settings(filename: &std::path::Path) -> Bearer {
        let header = http::header::AUTHORIZATION;
        Bearer { scheme: "Bearer".into(), header, tokens: Vec::new(), filename: Some(filename.to_owned()) }
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_follow_their_file_and_a_blank_line_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens");
        std::fs::write(&file, "one\r\n\n two \n").unwrap();
        let tokens = follow("bearertokenauth", &settings(&file)).unwrap();
        let knows = |text: &'static str| tokens.get().knows(&HeaderValue::from_static(text));
        assert!(knows("Bearer one") && knows("Bearer two"));
        assert!(!knows("Bearer ") && !knows("Bearer") && !knows("Bearer three"));
        assert_eq!(tokens.get().own(), "Bearer one");
        std::fs::write(&file, "three").unwrap();
        tokio::time::sleep(LOOK_EVERY + Duration::from_secs(1)).await;
        assert!(knows("Bearer three") && !knows("Bearer one"));
        // An empty file lets in who was let in before, and says so.
        std::fs::write(&file, "").unwrap();
        tokio::time::sleep(LOOK_EVERY * 2).await;
        assert!(knows("Bearer three") && !knows("Bearer "));
    }

    #[test]
    fn nothing_of_a_token_is_shown() {
        let settings = Bearer { tokens: vec!["hunter2".into()], filename: None, ..settings("x".as_ref()) };
        let tokens = Tokens::load(&settings).unwrap();
        let own = tokens.own();
        assert!(own.is_sensitive() && !format!("{settings:?} {tokens:?} {own:?}").contains("hunter2"));
    }
}
