//! An edited message as its source with pieces cut out and put in: what did not change is copied as
//! it came, unknown fields included, whatever the message is.

use std::borrow::Cow;
use std::ops::Range;

/// The changes to one message, gathered and then written once.
#[derive(Debug)]
pub(super) struct Patch<'s> {
    source: &'s [u8],
    cuts: Vec<Cut<'s>>,
}

/// Where a message's editable singular fields stand, by number; more than one range for one that is
/// repeated.
#[derive(Debug, Default)]
pub(super) struct Singular(Vec<(u32, Range<usize>)>);

impl Singular {
    /// Takes up a field of this number.
    pub(super) fn note(&mut self, number: u32, at: Range<usize>) {
        self.0.push((number, at));
    }

    /// For another message.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// A range of the source, and the whole fields that stand in its place.
#[derive(Debug)]
struct Cut<'s> {
    at: Range<usize>,
    with: Cow<'s, [u8]>,
}

impl<'s> Patch<'s> {
    /// Nothing is changed yet.
    pub(super) fn new(source: &'s [u8]) -> Patch<'s> {
        Patch { source, cuts: Vec::new() }
    }

    /// Makes room for so many changes, and the few that usually come with them.
    pub(super) fn reserve(&mut self, changes: usize) {
        self.cuts.reserve(changes + 4);
    }

    /// Puts a whole field, or nothing, in the place of one.
    pub(super) fn replace(&mut self, at: Range<usize>, with: impl Into<Cow<'s, [u8]>>) {
        self.cuts.push(Cut { at, with: with.into() });
    }

    /// Puts a whole field before whatever begins at `at`, or at the end.
    pub(super) fn insert(&mut self, at: Option<usize>, field: impl Into<Cow<'s, [u8]>>) {
        let at = at.unwrap_or(self.source.len());
        self.replace(at..at, field);
    }

    /// The first occurrence of a singular field gets the new content, all others go; a field that
    /// was not there is written at the end.
    pub(super) fn singular(&mut self, fields: &Singular, number: u32, field: Vec<u8>) {
        let mut field = Some(field);
        for at in fields.0.iter().filter(|(of, _)| *of == number).map(|(_, at)| at.clone()) {
            self.replace(at, field.take().unwrap_or_default());
        }
        if let Some(field) = field {
            let end = self.source.len();
            self.replace(end..end, field);
        }
    }

    /// Appends the message as it is now.
    pub(super) fn write(mut self, out: &mut Vec<u8>) {
        // By both ends: an insertion stands before the field that begins where it is made. Stable:
        // several insertions in one place keep their order.
        self.cuts.sort_by_key(|cut| (cut.at.start, cut.at.end));
        out.reserve(self.source.len());
        let mut copied = 0;
        for Cut { at, with } in self.cuts {
            out.extend_from_slice(&self.source[copied..at.start]);
            copied = at.end;
            out.extend_from_slice(&with);
        }
        out.extend_from_slice(&self.source[copied..]);
    }
}
