//! Credentials as tags: of one length and under a key of this process, so that comparing two tells
//! nothing of either, and a table of them gives nothing away.

use ring::hmac::{self, HMAC_SHA256, Key};
use ring::rand::SystemRandom;
use subtle::{Choice, ConstantTimeEq};

use super::AuthError;

/// The key of a table of tags.
#[derive(Clone)]
pub(super) struct Tagger(Key);

/// What stands for a credential.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Tag([u8; 32]);

impl Tagger {
    /// With a key that nobody knows.
    pub(super) fn new() -> Result<Tagger, AuthError> {
        let key = Key::generate(HMAC_SHA256, &SystemRandom::new());
        key.map(Tagger).map_err(|_| AuthError::Content {
            place: "authentication".to_owned(),
            reason: "the system gives no random numbers".to_owned(),
        })
    }

    pub(super) fn tag(&self, credential: &[u8]) -> Tag {
        let mut tag = [0; 32];
        tag.copy_from_slice(hmac::sign(&self.0, credential).as_ref());
        Tag(tag)
    }
}

impl ConstantTimeEq for Tag {
    fn ct_eq(&self, other: &Tag) -> Choice {
        self.0.ct_eq(&other.0)
    }
}
