//! An object's members while it is read: what is taken is understood, what remains is carried along.

use std::borrow::Cow;
use std::collections::HashSet;

use super::escape::write_string;
use super::json::{Kind, Node};

/// The members of one object that nothing has taken yet.
pub(super) struct Rest<'a>(Vec<(Cow<'a, str>, Node<'a>)>);

impl<'a> Rest<'a> {
    pub(super) fn of(object: Node<'a>) -> Rest<'a> {
        Rest(object.members().filter(|(_, value)| !value.is_null()).collect())
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| name == key)
    }

    pub(super) fn get(&self, key: &str) -> Option<Node<'a>> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, value)| *value)
    }

    /// Takes `key` if it is there and not `null`.
    pub(super) fn take(&mut self, key: &str) -> Option<Node<'a>> {
        self.take_if(key, |_| true)
    }

    /// Takes `key` if it is of this kind.
    pub(super) fn take_kind(&mut self, key: &str, kind: Kind) -> Option<Node<'a>> {
        self.take_if(key, |value| value.kind() == kind)
    }

    /// Takes `key` if it is a string.
    pub(super) fn take_str(&mut self, key: &str) -> Option<Cow<'a, str>> {
        self.take_kind(key, Kind::String).and_then(Node::as_str)
    }

    fn take_if(&mut self, key: &str, wanted: impl Fn(Node<'a>) -> bool) -> Option<Node<'a>> {
        let value = self.get(key).filter(|value| wanted(*value))?;
        self.0.retain(|(name, _)| name != key);
        Some(value)
    }

    /// Gives what is left under `key` another name.
    pub(super) fn rename(&mut self, key: &str, to: &'static str) {
        if !self.has(to) {
            for (name, _) in self.0.iter_mut().filter(|(name, _)| name == key) {
                *name = Cow::Borrowed(to);
            }
        }
    }

    /// Takes over what is left of an object inside this one.
    pub(super) fn absorb(&mut self, inner: Rest<'a>) {
        self.0.extend(inner.0);
    }

    /// What is left, as the members of a JSON object without braces; `null`, `""`, `[]` and `{}` say
    /// nothing and go. `None` if a name is one of `reserved` or stands there twice, so that carrying
    /// it along would say something else.
    pub(super) fn more(self, reserved: &[&str]) -> Option<Cow<'a, str>> {
        let mut more = String::new();
        let mut seen = HashSet::new();
        for (name, value) in &self.0 {
            if value.is_blank() {
                continue;
            }
            if !seen.insert(name) || reserved.contains(&&**name) {
                return None;
            }
            if !more.is_empty() {
                more.push(',');
            }
            write_string(name, &mut more);
            more.push(':');
            more.push_str(value.text());
        }
        Some(Cow::Owned(more))
    }
}
