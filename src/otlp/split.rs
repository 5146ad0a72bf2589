//! Cuts an encoded export request into parts that are no larger than a backend takes.
//!
//! Items are not decoded: whole fields are copied as they came, and what stands around them
//! (resource, scope, their schema URLs, unknown fields) is repeated in every part that has items of
//! theirs. One code path for all signals, driven by [`super::schema`]; of a metric that is too large
//! the data points are shared out, each time below its name, unit and temporality. Putting requests
//! together needs no code: two encoded requests after each other are one.

use std::ops::Range;

use bytes::Bytes;
use thiserror::Error;

use super::check::Tally;
use super::schema::{self, Items, Kind, METRIC, Message, Rule};
use super::signal::Signal;
use super::wire::{Reader, WireError, WireType, delimited_len, put_key, put_varint};

/// How many bytes of envelopes are repeated at most: this many times the request, and
/// [`FREE_ENVELOPES`] in any case. A resource that fills a part by itself would otherwise turn a
/// request of some MiB into terabytes, one small span each time.
const MOST_ENVELOPES: usize = 16;

/// As [`MOST_ENVELOPES`], in bytes, for small requests.
const FREE_ENVELOPES: usize = 1 << 20;

/// What no part is to exceed. A part of one item may: an item is not cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Encoded bytes of a part.
    pub bytes: usize,
    /// Spans, data points or log records of a part.
    pub items: usize,
}

impl Limits {
    /// None at all.
    pub const NONE: Limits = Limits { bytes: usize::MAX, items: usize::MAX };
}

/// A request that holds some of the items of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The encoded request.
    pub body: Bytes,
    /// How many spans, data points or log records it holds. None where a resource, a scope or a
    /// metric came without any.
    pub items: usize,
}

/// Why a request could not be cut.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SplitError {
    /// It is no request.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Its envelopes leave hardly any room for items.
    #[error(
        "resources and scopes take so much of the {limit} bytes of a request that they would have to be repeated {MOST_ENVELOPES} times over"
    )]
    Envelopes {
        /// [`Limits::bytes`].
        limit: usize,
    },
}

/// Cuts one request. Holds one part at a time, takes time in proportion to the bytes that go out,
/// and reads the envelopes only: what an item holds is neither looked at nor checked.
#[derive(Debug)]
pub struct Split<'b> {
    body: &'b Bytes,
    limits: Limits,
    /// The messages around the next field, from the request down to what holds items.
    frames: Vec<Frame<'b>>,
    /// What was read and did not fit into the part before.
    pending: Option<Child>,
    part: Draft,
    /// Bytes of envelopes that were repeated.
    repeated: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New(Signal),
    Within,
    Done,
}

impl<'b> Split<'b> {
    /// Begins to cut `body`, an export request of `signal`.
    pub fn new(signal: Signal, body: &'b Bytes, limits: Limits) -> Self {
        Split {
            body,
            limits,
            frames: Vec::new(),
            pending: None,
            part: Draft::default(),
            repeated: 0,
            state: State::New(signal),
        }
    }

    /// The next part, in the order of the request; `None` after the last one. A request within the
    /// limits is its own only part, the same buffer.
    ///
    /// # Errors
    /// [`SplitError`]; nothing comes after one.
    #[allow(clippy::should_implement_trait, reason = "fallible, as `Reader::next`")]
    pub fn next(&mut self) -> Result<Option<Part>, SplitError> {
        let next = self.advance();
        if next.is_err() {
            self.state = State::Done;
        }
        next
    }

    fn advance(&mut self) -> Result<Option<Part>, SplitError> {
        match self.state {
            State::Done => return Ok(None),
            State::Within => {}
            State::New(signal) => {
                let message = schema::request(signal);
                if self.body.len() <= self.limits.bytes {
                    let items = count(message, self.body)?;
                    if items <= self.limits.items {
                        self.state = State::Done;
                        return Ok(Some(Part { body: self.body.clone(), items }));
                    }
                }
                let whole = 0..self.body.len();
                let request = Frame::new(self.body, 0, message, vec![whole])?;
                self.frames.push(request);
                self.state = State::Within;
            }
        }
        loop {
            let child = match self.pending.take() {
                Some(child) => child,
                None => match self.next_child()? {
                    Some(child) => child,
                    None if self.frames.len() > 1 => {
                        self.leave();
                        continue;
                    }
                    None => {
                        self.state = State::Done;
                        return Ok((!self.part.is_empty()).then(|| self.cut()));
                    }
                },
            };
            if self.is_cut_before(&child)? {
                self.pending = Some(child);
                return Ok(Some(self.cut()));
            }
        }
    }

    fn next_child(&mut self) -> Result<Option<Child>, WireError> {
        match self.frames.last_mut() {
            Some(frame) => frame.next(self.body),
            None => Ok(None),
        }
    }

    /// Puts `child` into the part, or enters it to share out what it holds. True if the part must
    /// end first.
    fn is_cut_before(&mut self, child: &Child) -> Result<bool, SplitError> {
        let field = child.field.len();
        let fits = self.size_with(field, false) <= self.limits.bytes;
        let room = self.limits.items.saturating_sub(self.part.items);
        if child.message.items == Items::Itself {
            if !self.part.is_empty() && (!fits || room == 0) {
                return Ok(true);
            }
            self.put(child.field.clone(), 1)?;
            return Ok(false);
        }
        // A metric is torn apart only if it is too large for any part.
        let is_metric = std::ptr::eq(child.message, &METRIC);
        if fits || is_metric {
            let items = count(child.message, self.bytes(&child.content))?;
            if fits && items <= room {
                self.put(child.field.clone(), items)?;
                return Ok(false);
            }
            let fits_alone = self.size_with(field, true) <= self.limits.bytes && items <= self.limits.items;
            if is_metric && fits_alone && !self.part.is_empty() {
                return Ok(true);
            }
        }
        self.enter(child)
    }

    /// As [`Split::is_cut_before`].
    fn enter(&mut self, child: &Child) -> Result<bool, SplitError> {
        let mut frame = Frame::new(self.body, child.number, child.message, vec![child.content.clone()])?;
        let inner = match frame.only.take() {
            Some(Only { number, message, contents }) => Some(Frame::new(self.body, number, message, contents)?),
            None => None,
        };
        if inner.as_ref().unwrap_or(&frame).has_children {
            if inner.is_some() {
                // All that there was to read.
                frame.contents.clear();
            }
            self.frames.push(frame);
            self.frames.extend(inner);
            return Ok(false);
        }
        // There is nothing to share out.
        if !self.part.is_empty() {
            return Ok(true);
        }
        self.put(child.field.clone(), 0)?;
        Ok(false)
    }

    fn bytes(&self, range: &Range<usize>) -> &'b [u8] {
        self.body.get(range.clone()).unwrap_or_default()
    }

    /// The size of the part with `more` bytes in the innermost message; `alone`: with nothing else.
    fn size_with(&self, more: usize, alone: bool) -> usize {
        let mut size = more;
        for (depth, frame) in self.frames.iter().enumerate().rev() {
            size += match frame.opened {
                Some(_) if !alone => frame.length,
                _ => frame.header_length,
            };
            if depth > 0 {
                size = delimited_len(frame.number, size);
            }
        }
        size
    }

    fn put(&mut self, field: Range<usize>, items: usize) -> Result<(), SplitError> {
        for (depth, frame) in self.frames.iter_mut().enumerate() {
            if frame.opened.is_some() {
                continue;
            }
            if frame.is_repeated {
                self.repeated += frame.header_length;
            }
            frame.is_repeated = true;
            frame.opened = Some(self.part.pieces.len());
            frame.length = frame.header_length;
            if depth > 0 {
                self.part.pieces.push(Piece::Open { number: frame.number, length: 0 });
            }
            frame.header.iter().for_each(|run| self.part.copy(run.clone()));
        }
        if self.repeated > self.body.len().saturating_mul(MOST_ENVELOPES).max(FREE_ENVELOPES) {
            return Err(SplitError::Envelopes { limit: self.limits.bytes });
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.length += field.len();
        }
        self.part.copy(field);
        self.part.items += items;
        Ok(())
    }

    /// The innermost message is at its end.
    fn leave(&mut self) {
        let Some(frame) = self.frames.pop() else { return };
        if let Some(length) = self.part.close(&frame)
            && let Some(parent) = self.frames.last_mut()
        {
            parent.length += delimited_len(frame.number, length);
        }
    }

    /// Ends the part.
    fn cut(&mut self) -> Part {
        let mut inner = 0;
        for frame in self.frames.iter_mut().skip(1).rev() {
            frame.length += inner;
            inner = match self.part.close(frame) {
                Some(length) => delimited_len(frame.number, length),
                None => 0,
            };
        }
        self.frames.iter_mut().for_each(|frame| frame.opened = None);
        self.part.write(self.body)
    }
}

/// A field that holds items or is one.
#[derive(Debug)]
struct Child {
    number: u32,
    message: &'static Message,
    /// The whole field, its key included.
    field: Range<usize>,
    content: Range<usize>,
}

/// A message that is being shared out.
#[derive(Debug)]
struct Frame<'b> {
    /// Of the field that it stands in.
    number: u32,
    message: &'static Message,
    /// What the message consists of; several pieces if it came so and merges.
    contents: Vec<Range<usize>>,
    /// The first of `contents` that was not begun.
    next: usize,
    reader: Reader<'b>,
    /// Where the reader's bytes begin.
    base: usize,
    /// The one child that counts, where there may be but one; not read by [`Frame::next`].
    only: Option<Only>,
    /// Whether there are children of any other kind.
    has_children: bool,
    /// Where everything stands that is not a child.
    header: Vec<Range<usize>>,
    header_length: usize,
    /// Where in the part it was opened, if it was.
    opened: Option<usize>,
    /// How many bytes of it the part holds, without those of the frame below.
    length: usize,
    is_repeated: bool,
}

/// The member of a `oneof` that holds items, in as many pieces as it came in.
#[derive(Debug)]
struct Only {
    number: u32,
    message: &'static Message,
    contents: Vec<Range<usize>>,
}

impl<'b> Frame<'b> {
    /// Reads what stands around the children.
    fn new(
        body: &'b [u8],
        number: u32,
        message: &'static Message,
        contents: Vec<Range<usize>>,
    ) -> Result<Self, WireError> {
        let mut frame = Frame {
            number,
            message,
            contents,
            next: 0,
            reader: Reader::new(&[]),
            base: 0,
            only: None,
            has_children: false,
            header: Vec::new(),
            header_length: 0,
            opened: None,
            length: 0,
            is_repeated: false,
        };
        let mut only: Option<Only> = None;
        for content in &frame.contents {
            let mut reader = Reader::new(body.get(content.clone()).unwrap_or_default());
            while let Some(field) = reader.next()? {
                let whole = content.start + field.start..content.start + field.end;
                match child(message, &field, content.start)? {
                    None => {
                        frame.header_length += whole.len();
                        extend(&mut frame.header, whole);
                    }
                    // As for every reader of protobuf the last member counts, and merges with what
                    // came of the same member directly before it.
                    Some((child, Rule::Oneof)) => match &mut only {
                        Some(only) if only.number == child.number => only.contents.push(child.content),
                        _ => {
                            let Child { number, message, content, .. } = child;
                            only = Some(Only { number, message, contents: vec![content] });
                        }
                    },
                    Some(_) => frame.has_children = true,
                }
            }
        }
        frame.only = only;
        Ok(frame)
    }

    fn next(&mut self, body: &'b [u8]) -> Result<Option<Child>, WireError> {
        loop {
            while let Some(field) = self.reader.next()? {
                if let Some((child, _)) = child(self.message, &field, self.base)? {
                    return Ok(Some(child));
                }
            }
            let Some(content) = self.contents.get(self.next) else { return Ok(None) };
            self.next += 1;
            self.base = content.start;
            self.reader = Reader::new(body.get(content.clone()).unwrap_or_default());
        }
    }
}

/// The part that is being put together.
#[derive(Debug, Default)]
struct Draft {
    pieces: Vec<Piece>,
    items: usize,
}

#[derive(Debug)]
enum Piece {
    /// A length-delimited field begins whose content has this length.
    Open { number: u32, length: usize },
    /// These bytes of the request.
    Copy(Range<usize>),
}

impl Draft {
    fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Neighbours in the request are copied at once.
    fn copy(&mut self, range: Range<usize>) {
        match self.pieces.last_mut() {
            Some(Piece::Copy(last)) if last.end == range.start => last.end = range.end,
            _ => self.pieces.push(Piece::Copy(range)),
        }
    }

    /// Sets the length of an opened message, and returns it.
    fn close(&mut self, frame: &Frame<'_>) -> Option<usize> {
        if let Some(Piece::Open { length, .. }) = self.pieces.get_mut(frame.opened?) {
            *length = frame.length;
        }
        Some(frame.length)
    }

    fn write(&mut self, body: &[u8]) -> Part {
        let size = self.pieces.iter().map(|piece| match piece {
            // A key and a length, at their longest.
            Piece::Open { .. } => 10,
            Piece::Copy(range) => range.len(),
        });
        let mut out = Vec::with_capacity(size.sum());
        for piece in self.pieces.drain(..) {
            match piece {
                Piece::Open { number, length } => {
                    put_key(&mut out, number, WireType::Bytes);
                    put_varint(&mut out, length as u64);
                }
                Piece::Copy(range) => out.extend_from_slice(body.get(range).unwrap_or_default()),
            }
        }
        Part { body: out.into(), items: std::mem::take(&mut self.items) }
    }
}

/// The child that a field of `message` is, if it is one. `base` is where the message begins.
fn child(
    message: &'static Message,
    field: &super::wire::Field<'_>,
    base: usize,
) -> Result<Option<(Child, Rule)>, WireError> {
    let Some(known) = message.field(field.number) else { return Ok(None) };
    let Kind::Message(inner) = known.kind else { return Ok(None) };
    if inner.items == Items::None {
        return Ok(None);
    }
    let content = field.bytes(message.name, known.name)?;
    let end = base + field.end;
    let child = Child {
        number: field.number,
        message: inner,
        field: base + field.start..end,
        content: end - content.len()..end,
    };
    Ok(Some((child, known.rule)))
}

/// Counts the items in a message whose envelopes it checks on the way.
fn count(message: &'static Message, bytes: &[u8]) -> Result<usize, WireError> {
    if message.items != Items::Inside {
        return Ok(usize::from(message.items == Items::Itself));
    }
    let mut tally = Tally::default();
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.next()? {
        if let Some(known) = message.field(field.number)
            && let Kind::Message(inner) = known.kind
            && inner.items != Items::None
        {
            tally.add(known, count(inner, field.bytes(message.name, known.name)?)?);
        }
    }
    Ok(tally.total())
}

fn extend(runs: &mut Vec<Range<usize>>, range: Range<usize>) {
    match runs.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ => runs.push(range),
    }
}
