//! Names and passwords, from either side.
//!
//! A password that is hashed with bcrypt costs up to a quarter of a second to check. So each is checked
//! on a thread for such work, one at a time, with few that wait; and what came of it is remembered, so
//! that a client that sends with every request pays once, right or wrong.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use tokio::sync::Semaphore;

use super::htpasswd::{Bcrypt, Password, lines};
use super::settings::{Client, Htpasswd, Text};
use super::tag::{Tag, Tagger};
use super::{AuthError, Denied};
use crate::net::reread::{self, LOOK_EVERY, Live};

/// Requests that may wait for the one that is being checked.
const WAITING: usize = 16;

/// Credentials that are remembered of each kind; then all of the kind are forgotten.
const REMEMBERED: usize = 1024;

/// The longest header value that is looked at.
const LONGEST: usize = 4096;

/// Those who are let in.
pub struct Users {
    known: Live<Known>,
    /// One password at a time, and so many that wait.
    turn: Semaphore,
    waiting: Semaphore,
}

/// The users as the file and the configuration hold them now, and what was found out about
/// credentials since.
struct Known {
    tagger: Tagger,
    passwords: HashMap<String, Password>,
    /// Checked for a name that nobody has, so that the time does not tell that.
    anybody: Option<Bcrypt>,
    checked: Mutex<Checked>,
}

#[derive(Default)]
struct Checked {
    right: HashSet<Tag>,
    wrong: HashSet<Tag>,
}

impl Users {
    pub(super) fn follow(id: &str, settings: &Htpasswd) -> Result<Users, AuthError> {
        let (files, settings) = (settings.file.iter().cloned().collect(), settings.clone());
        let known = Live::start(format!("extensions.{id}"), files, LOOK_EVERY, move || Known::load(&settings))?;
        Ok(Users { known, turn: Semaphore::new(1), waiting: Semaphore::new(WAITING) })
    }

    /// Whether `Authorization` holds a name and its password.
    pub(super) async fn check(&self, value: &HeaderValue) -> Result<(), Denied> {
        let known = self.known.get();
        let value = Some(value.as_bytes()).filter(|value| value.len() <= LONGEST).ok_or(Denied::Unauthenticated)?;
        let tag = known.tagger.tag(value);
        if let Some(remembered) = known.remembered(&tag) {
            return remembered;
        }
        let (name, password) = parse(value).ok_or(Denied::Unauthenticated)?;
        let bcrypt = match known.passwords.get(&name) {
            Some(held) => match held.is(&password, &known.tagger) {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(Denied::Unauthenticated),
                Err(bcrypt) => Some(bcrypt),
            },
            None => None,
        };
        let Some(slow) = bcrypt.or(known.anybody) else { return Err(Denied::Unauthenticated) };
        let _place = self.waiting.try_acquire().map_err(|_| Denied::Busy)?;
        let _turn = self.turn.acquire().await.map_err(|_| Denied::Busy)?;
        // The same client's other connections may have waited for the same answer.
        if let Some(remembered) = known.remembered(&tag) {
            return remembered;
        }
        let is = tokio::task::spawn_blocking(move || slow.is(&password)).await;
        let is = is.map_err(|_| Denied::Busy)? && bcrypt.is_some();
        known.remember(tag, is);
        if is { Ok(()) } else { Err(Denied::Unauthenticated) }
    }
}

impl Known {
    fn load(settings: &Htpasswd) -> Result<Known, AuthError> {
        let tagger = Tagger::new()?;
        let mut passwords = HashMap::new();
        let mut add = |place: &str, text: &str| {
            let users = lines(text, &tagger).map_err(|(line, wrong)| AuthError::Content {
                place: place.to_owned(),
                reason: format!("line {line}: {wrong}"),
            })?;
            passwords.extend(users);
            Ok(())
        };
        if let Some(path) = &settings.file {
            add(&format!("htpasswd.file {path:?}"), &text_of("htpasswd.file", path, "lines of name:password")?)?;
        }
        // After the file, over which it wins.
        if let Some(inline) = &settings.inline {
            add("htpasswd.inline", inline.reveal())?;
        }
        if passwords.is_empty() {
            let reason = "it names nobody; expected lines of name:password in file or inline".to_owned();
            return Err(AuthError::Content { place: "htpasswd".to_owned(), reason });
        }
        let slow = passwords.values().filter_map(|password| match password {
            Password::Bcrypt(bcrypt) => Some(*bcrypt),
            Password::Plain(_) | Password::Sha1(_) => None,
        });
        let anybody = slow.max_by_key(|bcrypt| bcrypt.cost);
        Ok(Known { tagger, passwords, anybody, checked: Mutex::default() })
    }

    fn remembered(&self, tag: &Tag) -> Option<Result<(), Denied>> {
        let checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        match (checked.right.contains(tag), checked.wrong.contains(tag)) {
            (true, _) => Some(Ok(())),
            (_, true) => Some(Err(Denied::Unauthenticated)),
            _ => None,
        }
    }

    fn remember(&self, tag: Tag, is: bool) {
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        // Apart, so that who guesses does not make the right ones forgotten.
        let tags = if is { &mut checked.right } else { &mut checked.wrong };
        if tags.len() >= REMEMBERED {
            tags.clear();
        }
        tags.insert(tag);
    }
}

/// `Basic` and base64 of `name:password` (RFC 7617).
fn parse(value: &[u8]) -> Option<(String, Vec<u8>)> {
    let (scheme, rest) = value.split_at_checked(5)?;
    if !scheme.eq_ignore_ascii_case(b"basic") || !rest.starts_with(b" ") {
        return None;
    }
    let decoded = STANDARD.decode(rest.trim_ascii()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (name, password) = decoded.split_at_checked(colon)?;
    Some((String::from_utf8(name.to_vec()).ok()?, password.get(1..)?.to_vec()))
}

/// The header that says this name and password; it follows their files.
pub(super) fn follow(id: &str, settings: &Client) -> Result<Live<HeaderValue>, AuthError> {
    let file = |text: &Text| match text {
        Text::File(path) => Some(path.clone()),
        Text::Said(_) => None,
    };
    let files = [file(&settings.username), file(&settings.password)].into_iter().flatten().collect();
    let settings = settings.clone();
    Live::start(format!("extensions.{id}"), files, LOOK_EVERY, move || {
        let name = one_line("client_auth.username_file", &settings.username)?;
        let password = one_line("client_auth.password_file", &settings.password)?;
        if name.contains(':') {
            let reason = "it has a colon, which ends a name here (RFC 7617)".to_owned();
            return Err(AuthError::Content { place: "client_auth.username".to_owned(), reason });
        }
        let value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))));
        let mut value = value.map_err(|_| AuthError::Content {
            place: "client_auth".to_owned(),
            reason: "it cannot be sent in a header".to_owned(),
        })?;
        // Keeps it out of debug output, and out of the peer's header compression table.
        value.set_sensitive(true);
        Ok(value)
    })
}

fn one_line(key: &'static str, text: &Text) -> Result<String, AuthError> {
    match text {
        Text::Said(said) => Ok(said.reveal().to_owned()),
        Text::File(path) => Ok(text_of(key, path, "one line of text")?.trim().to_owned()),
    }
}

fn text_of(key: &'static str, path: &std::path::Path, expected: &'static str) -> Result<String, AuthError> {
    let content =
        reread::read(path).map_err(|error| AuthError::Unreadable { key, path: path.to_owned(), error, expected })?;
    String::from_utf8(content).map_err(|_| AuthError::Content {
        place: format!("{key} {path:?}"),
        reason: format!("it is no UTF-8 text; expected {expected}"),
    })
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("users", &self.known.get().passwords.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// `slow` has the password `a`, by a test vector of jBCrypt.
    const SLOW: &str = "slow:$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe";

    fn users(inline: &str) -> Arc<Users> {
        Arc::new(Users::follow("basicauth", &Htpasswd { file: None, inline: Some(inline.into()) }).unwrap())
    }

    fn header(credentials: &str) -> HeaderValue {
        HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(credentials))).unwrap()
    }

    /// A check that does not wait for a turn; one that does is given up.
    async fn at_once(users: &Users, credentials: &str) -> Option<Result<(), Denied>> {
        tokio::time::timeout(std::time::Duration::from_secs(60), users.check(&header(credentials))).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_checked_is_remembered_within_bounds_and_apart() {
        let users = users(SLOW);
        assert_eq!(users.check(&header("slow:a")).await, Ok(()));
        // Nobody can check a password now; what is known needs nobody.
        let turn = users.turn.acquire().await.unwrap();
        assert_eq!(at_once(&users, "slow:a").await, Some(Ok(())));
        let known = users.known.get();
        for guess in 0..10 * REMEMBERED {
            known.remember(known.tagger.tag(&guess.to_be_bytes()), false);
        }
        {
            let checked = known.checked.lock().unwrap();
            assert!(checked.wrong.len() <= REMEMBERED && checked.right.len() == 1);
        }
        drop(turn);
        assert_eq!(users.check(&header("slow:b")).await, Err(Denied::Unauthenticated));
        let _turn = users.turn.acquire().await.unwrap();
        assert_eq!(at_once(&users, "slow:b").await, Some(Err(Denied::Unauthenticated)));
    }

    #[tokio::test(start_paused = true)]
    async fn few_wait_for_a_check_and_the_others_come_back() {
        let users = users(SLOW);
        let turn = users.turn.acquire().await.unwrap();
        let waiting: Vec<_> = (0..WAITING)
            .map(|guess| {
                let users = Arc::clone(&users);
                // A name that nobody has waits as long as one that is there.
                let name = if guess % 2 == 0 { "slow" } else { "nobody" };
                tokio::spawn(async move { users.check(&header(&format!("{name}:{guess}"))).await })
            })
            .collect();
        while users.waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(at_once(&users, "slow:one more").await, Some(Err(Denied::Busy)));
        drop(turn);
        for waited in waiting {
            assert_eq!(waited.await.unwrap(), Err(Denied::Unauthenticated));
        }
        assert_eq!(users.check(&header("slow:a")).await, Ok(()));
    }

    #[tokio::test]
    async fn a_later_line_wins_and_the_text_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("htpasswd");
        std::fs::write(&file, "# users\na:one\na:two\nb:file\nc:file\n").unwrap();
        let settings = Htpasswd { file: Some(file), inline: Some("b:text".into()) };
        let users = Users::follow("basicauth", &settings).unwrap();
        for (credentials, is) in
            [("a:two", true), ("a:one", false), ("b:text", true), ("b:file", false), ("c:file", true)]
        {
            assert_eq!(users.check(&header(credentials)).await.is_ok(), is, "{credentials}");
        }
        assert!(!format!("{users:?} {settings:?}").contains("text"));
    }
}
