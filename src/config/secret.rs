//! Text that is never shown: tokens, passwords, keys, the values of headers.

use std::fmt;

use subtle::ConstantTimeEq;

/// What stands for a secret wherever one could be shown, as in the Collector.
pub(super) const MASK: &str = "[REDACTED]";

/// A secret text. `Debug` and `Display` show a mask; only [`Secret::reveal`] gives it away.
#[derive(Clone, Default)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for whoever sends or compares it. It belongs in no message.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Secret {
        Secret(text.to_owned())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_to_nobody() {
        let secret = Secret::from("hunter2");
        assert_eq!(format!("{secret} {secret:?} {:#?}", Some(&secret)).matches("hunter2").count(), 0);
        assert_eq!(secret.reveal(), "hunter2");
        assert_eq!((secret == Secret::from("hunter2"), secret == Secret::from("hunter3")), (true, false));
    }
}
