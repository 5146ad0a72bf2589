//! Lines of an htpasswd file: `name:password`, the password hashed or plain.
//!
//! Of the forms that the Collector takes, bcrypt, `{SHA}` and plain text are taken. The others (MD5
//! and SHA crypt, salted SHA-1) are refused by name rather than taken for a plain password that nobody
//! can type. A bcrypt hash that would take longer than a tenth of a second or two is refused as well:
//! who sends passwords would decide what the processor is busy with.

use base64::Engine as _;
use base64::alphabet::BCRYPT;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{NO_PAD, STANDARD};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use subtle::ConstantTimeEq;

use super::tag::{Tag, Tagger};

/// bcrypt's own base64.
const BCRYPT_TEXT: GeneralPurpose = GeneralPurpose::new(&BCRYPT, NO_PAD);

/// 12 is a quarter of a second; each one more doubles it.
const COSTS: std::ops::RangeInclusive<u32> = 4..=12;

/// What bcrypt reads of a password.
const BCRYPT_BYTES: usize = 72;

/// How forms begin that are not taken, and what they are.
const OTHERS: &[(&str, &str)] = &[
    ("$apr1$", "MD5"),
    ("$1$", "MD5"),
    ("$5$", "SHA crypt"),
    ("$6$", "SHA crypt"),
    ("$y$", "yescrypt"),
    ("$argon2", "Argon2"),
    ("{SSHA}", "salted SHA-1"),
    ("{MD5}", "MD5"),
];

/// A password as a line holds it.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Password {
    Plain(Tag),
    Sha1([u8; 20]),
    Bcrypt(Bcrypt),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Bcrypt {
    pub(super) cost: u32,
    salt: [u8; 16],
    hash: [u8; 23],
}

impl Password {
    /// Reads what stands behind the name. The error says what is wrong without repeating it.
    pub(super) fn parse(text: &str, tagger: &Tagger) -> Result<Password, String> {
        const EXPECTED: &str = "expected bcrypt (htpasswd -B), {SHA} or plain text";
        if let Some((_, name)) = OTHERS.iter().find(|(prefix, _)| text.starts_with(prefix)) {
            return Err(format!("{name} is not supported; {EXPECTED}"));
        }
        if let Some(hash) = text.strip_prefix("{SHA}") {
            let hash = STANDARD.decode(hash).ok().and_then(|hash| hash.try_into().ok());
            return hash.map(Password::Sha1).ok_or_else(|| format!("the {{SHA}} hash is damaged; {EXPECTED}"));
        }
        if ["$2a$", "$2b$", "$2x$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
            return Bcrypt::parse(text).map(Password::Bcrypt);
        }
        match text {
            "" => Err(format!("the password is missing; {EXPECTED}")),
            _ => Ok(Password::Plain(tagger.tag(text.as_bytes()))),
        }
    }

    /// Whether it is this one, told at once; `None` if that takes a while and [`Bcrypt::is`] does it.
    pub(super) fn is(&self, password: &[u8], tagger: &Tagger) -> Result<bool, Bcrypt> {
        match self {
            Password::Plain(tag) => Ok(tag.ct_eq(&tagger.tag(password)).into()),
            Password::Sha1(hash) => Ok(digest(&SHA1_FOR_LEGACY_USE_ONLY, password).as_ref().ct_eq(hash).into()),
            Password::Bcrypt(bcrypt) => Err(*bcrypt),
        }
    }
}

impl Bcrypt {
    fn parse(text: &str) -> Result<Bcrypt, String> {
        let damaged = || "the bcrypt hash is damaged; expected the line as htpasswd -B writes it".to_owned();
        let (cost, rest) = text.get(4..).and_then(|rest| rest.split_once('$')).ok_or_else(damaged)?;
        let cost = cost.parse().map_err(|_| damaged())?;
        if !COSTS.contains(&cost) {
            let (least, most) = (COSTS.start(), COSTS.end());
            return Err(format!(
                "the bcrypt hash has cost {cost}; expected {least} to {most}: each request with a wrong password would take it (htpasswd -B -C 10)"
            ));
        }
        let (salt, hash) = rest.split_at_checked(22).ok_or_else(damaged)?;
        let salt = BCRYPT_TEXT.decode(salt).ok().and_then(|salt| salt.try_into().ok()).ok_or_else(damaged)?;
        let hash = BCRYPT_TEXT.decode(hash).ok().and_then(|hash| hash.try_into().ok()).ok_or_else(damaged)?;
        Ok(Bcrypt { cost, salt, hash })
    }

    /// Whether it is this password. Takes up to a quarter of a second.
    pub(super) fn is(&self, password: &[u8]) -> bool {
        // C's string, so with its end, and no more of it than the algorithm reads.
        let mut text = password.iter().copied().take_while(|byte| *byte != 0).collect::<Vec<_>>();
        let has_zero = text.len() < password.len();
        text.push(0);
        text.truncate(BCRYPT_BYTES);
        let hash = bcrypt::bcrypt(self.cost, self.salt, &text);
        let same: bool = hash.get(..23).unwrap_or_default().ct_eq(&self.hash).into();
        // A password with a zero byte would be as good as its beginning.
        same && !has_zero
    }
}

/// The lines of a file or text; a later line of a name wins. The error names the line.
pub(super) fn lines(text: &str, tagger: &Tagger) -> Result<Vec<(String, Password)>, (usize, String)> {
    let mut users = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let numbered = |wrong: String| (index + 1, wrong);
        let Some((name, password)) = line.split_once(':').filter(|(name, _)| !name.is_empty()) else {
            return Err(numbered("expected name:password".to_owned()));
        };
        users.push((name.to_owned(), Password::parse(password, tagger).map_err(numbered)?));
    }
    Ok(users)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(line: &str, password: &str) -> bool {
        let tagger = Tagger::new().unwrap();
        let users = lines(line, &tagger).unwrap();
        users[0].1.is(password.as_bytes(), &tagger).unwrap_or_else(|bcrypt| bcrypt.is(password.as_bytes()))
    }

    /// Made by others: the first two are of the published test vectors of jBCrypt, the third is
    /// RFC 2307's SHA-1 of `password`.
    #[test]
    fn passwords_of_every_form() {
        for (line, password) in [
            ("a:$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.", ""),
            ("a:$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe", "a"),
            ("a:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "password"),
            ("a:hunter2", "hunter2"),
            ("a:with:colon", "with:colon"),
        ] {
            assert!(is(line, password), "{line}");
            assert!(!is(line, "other") && !is(line, &format!("{password}x")), "{line}");
        }
    }

    #[test]
    fn a_zero_byte_does_not_end_a_password_early() {
        assert!(!is("a:$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe", "a\0b"));
    }

    #[test]
    fn what_cannot_be_used_is_named_and_not_repeated() {
        let tagger = Tagger::new().unwrap();
        for (text, line, said) in [
            ("# users\n\na:$apr1$hunter2", 3, "MD5 is not supported"),
            ("a:$6$hunter2", 1, "SHA crypt is not supported"),
            ("a:{SSHA}hunter2", 1, "salted SHA-1"),
            ("a:$2y$14$hunter2", 1, "cost 14; expected 4 to 12"),
            ("a:$2y$31$hunter2", 1, "cost 31"),
            ("a:$2y$10$hunter2", 1, "damaged"),
            ("a:{SHA}hunter2", 1, "damaged"),
            ("hunter2", 1, "expected name:password"),
            (":hunter2", 1, "expected name:password"),
            ("a:", 1, "missing"),
        ] {
            let Err((at, wrong)) = lines(text, &tagger) else { panic!("{text}") };
            assert!(at == line && wrong.contains(said) && !wrong.contains("hunter2"), "{text}: {at}: {wrong}");
        }
    }
}
