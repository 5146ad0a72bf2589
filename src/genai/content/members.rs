//! An object's members while it is read: what is taken is understood, what remains is carried along.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::escape::write_string;
use super::json::{Kind, Node};

/// The members of one object that nothing has taken yet.
#[derive(Clone)]
pub(super) struct Rest<'a> {
    members: Vec<(Cow<'a, str>, Node<'a>)>,
    object: Node<'a>,
}

impl<'a> Rest<'a> {
    pub(super) fn of(object: Node<'a>) -> Rest<'a> {
        Rest { members: object.members().filter(|(_, value)| !value.is_null()).collect(), object }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.members.iter().any(|(name, _)| name == key)
    }

    pub(super) fn get(&self, key: &str) -> Option<Node<'a>> {
        self.members.iter().rev().find(|(name, _)| name == key).map(|(_, value)| *value)
    }

    /// The object's member `key` where it is there and `null`.
    pub(super) fn null(&self, key: &str) -> Option<Node<'a>> {
        self.object.get(key).filter(|value| value.is_null())
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
        self.members.retain(|(name, _)| name != key);
        Some(value)
    }

    /// Takes all that is left.
    pub(super) fn take_all(&mut self) -> Rest<'a> {
        Rest { members: std::mem::take(&mut self.members), object: self.object }
    }

    /// Gives what is left under `key` another name.
    pub(super) fn rename(&mut self, key: &str, to: &'static str) {
        if !self.has(to) {
            for (name, _) in self.members.iter_mut().filter(|(name, _)| name == key) {
                *name = Cow::Borrowed(to);
            }
        }
    }

    /// The names and values that are left.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Node<'a>)> {
        self.members.iter().map(|(name, value)| (&**name, *value))
    }

    /// Takes over what is left of an object inside this one. Of two members of one name that say
    /// different things the inner one gets the name `name_2`.
    pub(super) fn absorb(&mut self, inner: Rest<'a>) {
        let names: HashMap<_, _> = inner.iter().map(|(name, value)| (name.to_owned(), value.is_blank())).collect();
        self.members.retain(|(name, value)| !(value.is_blank() && names.get(&**name) == Some(&false)));
        let known: HashMap<_, _> = self.iter().map(|(name, value)| (name.to_owned(), value)).collect();
        for (name, value) in inner.members {
            match known.get(&*name) {
                None => self.members.push((name, value)),
                Some(outer) if value.is_blank() || outer.text() == value.text() => {}
                Some(_) => self.members.push((Cow::Owned(format!("{name}_2")), value)),
            }
        }
    }

    /// Adds a member.
    pub(super) fn insert(&mut self, key: &'static str, value: Node<'a>) {
        self.members.push((Cow::Borrowed(key), value));
    }

    /// Gives the members of these names, of which the reader could make nothing, names that are free.
    pub(super) fn set_aside(&mut self, keys: &[&str]) {
        for (name, _) in self.members.iter_mut().filter(|(name, value)| keys.contains(&&**name) && !value.is_blank()) {
            *name = Cow::Owned(format!("{name}_2"));
        }
    }

    /// What is left, as the members of a JSON object without braces; `null`, `""`, `[]` and `{}` say
    /// nothing and go. `None` if a name is one of `reserved` or stands there twice, so that carrying
    /// it along would say something else.
    pub(super) fn more(self, reserved: &[&str]) -> Option<Cow<'a, str>> {
        let mut more = String::new();
        let mut seen = HashSet::new();
        for (name, value) in &self.members {
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
