//! The two levels around the items of a request, resources and scopes, which are alike for every
//! signal: walked once, item by item, and written once, afterwards, by copying what nobody changed.
//!
//! What an item is, who sees it and what may be done to all of them in the end is its signal's:
//! [`super::traces`], [`super::logs`].

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;

use super::attributes::INDEXED_ABOVE;
use super::value::{KeyValue, Value, fields};
use super::wire::{Payload, Reader, WireError, WireType, delimited_len, put_bytes, put_key, put_varint, varint_len};

/// What the messages and fields of a signal are called, for errors. Their numbers are the same for
/// all signals: 1 for what comes from one resource, 2 within it for what comes from one scope, 2
/// within that for an item.
#[derive(Debug)]
pub(super) struct Names {
    /// `ExportTraceServiceRequest` and `resource_spans`.
    pub(super) request: (&'static str, &'static str),
    /// `ResourceSpans` and `scope_spans`.
    pub(super) resource: (&'static str, &'static str),
    /// `ScopeSpans` and `spans`.
    pub(super) scope: (&'static str, &'static str),
}

/// An item of a signal: a view that is made once for each request and parses one item after another.
pub(super) trait Item<'a>: Default {
    /// What its request is made of.
    const NAMES: Names;
    /// What is known of the item after the walk.
    type Record: Record;

    /// Checks an item's encoded content as prost would and makes this its view.
    fn parse_at(&mut self, bytes: &'a [u8], depth: Option<u32>) -> Result<(), WireError>;
    /// The encoded content as it came.
    fn source(&self) -> &'a [u8];
    /// Whether anything was changed.
    fn is_edited(&self) -> bool;
    /// Appends the content with all changes made.
    fn write(&self, out: &mut Vec<u8>);
    /// Appends whole fields that are to stand behind the item's own: what was split off from it.
    fn write_behind(&self, out: &mut Vec<u8>) {
        let _ = out;
    }
    /// What is to be known of the item once another one is read.
    fn record(&self, place: Place) -> Self::Record;
}

/// An item after the walk.
pub(super) trait Record {
    /// Where it stands.
    fn place(&self) -> &Place;
    /// Whether it goes.
    fn is_dropped(&self) -> bool;
    /// How much of what is counted came with it, and how much of that goes on.
    fn counts(&self) -> (usize, usize) {
        (1, usize::from(!self.is_dropped()))
    }
}

/// Where an item stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// Its content in the request.
    pub(super) source: Range<usize>,
    /// Its new content in the arena, if it was changed.
    pub(super) written: Option<Range<usize>>,
    /// Whole fields in the arena that stand behind it.
    pub(super) behind: Range<usize>,
}

/// The items of a request, in its order.
#[derive(Debug)]
pub(super) struct Items<R> {
    pub(super) records: Vec<R>,
    /// The new content of changed items.
    pub(super) arena: Vec<u8>,
}

impl<R> Default for Items<R> {
    fn default() -> Self {
        Items { records: Vec::new(), arena: Vec::new() }
    }
}

/// What became of a request.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The request to hand on; empty if nothing is left of it.
    pub body: Bytes,
    /// Items that came in.
    pub received: usize,
    /// Items that go on.
    pub kept: usize,
}

/// Where an item comes from: its resource and its instrumentation scope.
#[derive(Debug, Default)]
pub struct Origin<'a> {
    /// The resource's attributes.
    pub resource: Attributes<'a>,
    /// The scope's name; empty if unknown.
    pub scope_name: &'a str,
    /// The scope's version; empty if unknown.
    pub scope_version: &'a str,
    /// The scope's attributes.
    pub scope_attributes: Attributes<'a>,
    /// The scope's schema URL, or else the resource's; empty if neither is set.
    pub schema_url: &'a str,
    /// The scope's own schema URL; empty if it is not set.
    pub scope_schema_url: &'a str,
    /// The encoded content of both levels as they came.
    resource_content: &'a [u8],
    scope_content: &'a [u8],
}

/// Resource and scope without their items, unknown fields included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    resource: Vec<u8>,
    scope: Vec<u8>,
}

impl Origin<'_> {
    /// What is around the items of this scope, to send some of them on alone.
    pub fn envelope(&self) -> Envelope {
        let without_items = |content: &[u8]| {
            let mut rest = Vec::new();
            for field in fields(content).filter(|field| field.number != 2) {
                rest.extend_from_slice(content.get(field.start..field.end).unwrap_or_default());
            }
            rest
        };
        Envelope { resource: without_items(self.resource_content), scope: without_items(self.scope_content) }
    }

    /// Tells the scopes of one request apart.
    pub fn place(&self) -> usize {
        self.scope_content.as_ptr() as usize
    }
}

impl Envelope {
    /// How many bytes it takes.
    pub fn size(&self) -> usize {
        self.resource.len() + self.scope.len()
    }

    /// Appends these encoded items of one signal to a request, in this envelope.
    pub fn wrap<'i>(&self, items: impl Iterator<Item = &'i [u8]>, request: &mut Vec<u8>) {
        let mut scope = self.scope.clone();
        items.for_each(|item| put_bytes(&mut scope, 2, item));
        let mut resource = self.resource.clone();
        put_bytes(&mut resource, 2, &scope);
        put_bytes(request, 1, &resource);
    }
}

/// Attributes that are only read.
#[derive(Debug, Default, Clone)]
pub struct Attributes<'a> {
    entries: Vec<KeyValue<'a>>,
    /// Where the first attribute of a key is, once there are too many to look through them for
    /// each of a million spans.
    index: Option<HashMap<&'a str, usize, foldhash::fast::RandomState>>,
}

impl<'a> Attributes<'a> {
    /// The value of the first attribute named `key`.
    pub fn get(&self, key: &str) -> Option<Value<'_>> {
        let entry = match &self.index {
            Some(index) => self.entries.get(*index.get(key)?),
            None => self.entries.iter().find(|entry| entry.key_bytes() == key.as_bytes()),
        };
        entry.map(|entry| Value::parse(&entry.value))
    }

    /// All attributes, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Value<'_>)> {
        self.entries.iter().map(|entry| (entry.key(), Value::parse(&entry.value)))
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.index = None;
    }

    /// To be called after the last attribute.
    fn settle(&mut self) {
        if self.entries.len() > INDEXED_ABOVE {
            let entries = self.entries.iter().enumerate().rev();
            self.index = Some(entries.map(|(position, entry)| (entry.key(), position)).collect());
        }
    }
}

/// Where the messages of a request stand.
#[derive(Debug, Default)]
pub(super) struct Shape {
    resources: Vec<ResourceShape>,
    scopes: Vec<ScopeShape>,
    /// Every item's whole field, in step with the records.
    fields: Vec<Range<usize>>,
}

#[derive(Debug)]
struct ResourceShape {
    field: Range<usize>,
    content: Range<usize>,
    scopes: Range<usize>,
}

#[derive(Debug)]
struct ScopeShape {
    field: Range<usize>,
    content: Range<usize>,
    items: Range<usize>,
}

/// Shows every item of an encoded request to `see`.
pub(super) fn walk<'a, I: Item<'a>>(
    body: &'a [u8],
    see: &mut dyn FnMut(&mut I, &Origin<'_>),
) -> Result<(Shape, Items<I::Record>), WireError> {
    let (request, resources) = I::NAMES.request;
    let mut walk =
        Walk { body, see, item: I::default(), shape: Shape::default(), items: Items::<I::Record>::default() };
    let mut reader = Reader::new(body);
    while let Some(field) = reader.next()? {
        match field.number {
            1 => {
                let bytes = field.bytes(request, resources)?;
                let content = field.end - bytes.len()..field.end;
                let scopes = walk.shape.scopes.len();
                walk.resource(content.clone(), reader.below())?;
                let scopes = scopes..walk.shape.scopes.len();
                walk.shape.resources.push(ResourceShape { field: field.start..field.end, content, scopes });
            }
            _ => reader.unknown()?,
        }
    }
    Ok((walk.shape, walk.items))
}

struct Walk<'w, 'a, I: Item<'a>> {
    body: &'a [u8],
    see: &'w mut dyn FnMut(&mut I, &Origin<'_>),
    item: I,
    shape: Shape,
    items: Items<I::Record>,
}

impl<'a, I: Item<'a>> Walk<'_, 'a, I> {
    fn resource(&mut self, content: Range<usize>, depth: Option<u32>) -> Result<(), WireError> {
        let (message, scopes) = I::NAMES.resource;
        let base = content.start;
        let mut origin = Origin { resource_content: &self.body[content.clone()], ..Origin::default() };
        let mut resource_schema_url = "";
        let mut reader = Reader::at_depth(&self.body[content], depth)?;
        let below = reader.below();
        // The resource may stand after its scopes, so it is read before any item is shown.
        let first = self.shape.scopes.len();
        while let Some(field) = reader.next()? {
            match field.number {
                1 => check_resource(field.bytes(message, "resource")?, below, &mut origin.resource)?,
                2 => {
                    let bytes = field.bytes(message, scopes)?;
                    let end = base + field.end;
                    self.shape.scopes.push(ScopeShape {
                        field: base + field.start..end,
                        content: end - bytes.len()..end,
                        items: 0..0,
                    });
                }
                3 => resource_schema_url = field.string(message, "schema_url")?,
                _ => reader.unknown()?,
            }
        }
        origin.resource.settle();
        for index in first..self.shape.scopes.len() {
            let content = self.shape.scopes[index].content.clone();
            origin.schema_url = resource_schema_url;
            let start = self.items.records.len();
            self.scope(content, below, &mut origin)?;
            self.shape.scopes[index].items = start..self.items.records.len();
        }
        Ok(())
    }

    fn scope(&mut self, content: Range<usize>, depth: Option<u32>, origin: &mut Origin<'a>) -> Result<(), WireError> {
        let (message, items) = I::NAMES.scope;
        let base = content.start;
        let mut reader = Reader::at_depth(&self.body[content.clone()], depth)?;
        let below = reader.below();
        origin.scope_content = &self.body[content];
        origin.scope_name = "";
        origin.scope_version = "";
        origin.scope_attributes.clear();
        let mut schema_url = "";
        let first = self.shape.fields.len();
        // As with the resource: the scope may stand after its items.
        while let Some(field) = reader.next()? {
            match field.number {
                1 => check_scope(field.bytes(message, "scope")?, below, origin)?,
                2 => {
                    field.bytes(message, items)?;
                    self.shape.fields.push(base + field.start..base + field.end);
                }
                3 => schema_url = field.string(message, "schema_url")?,
                _ => reader.unknown()?,
            }
        }
        origin.scope_schema_url = schema_url;
        if !schema_url.is_empty() {
            origin.schema_url = schema_url;
        }
        origin.scope_attributes.settle();
        self.items.records.reserve(self.shape.fields.len() - first);
        for index in first..self.shape.fields.len() {
            let field = self.shape.fields[index].clone();
            let source = delimited_content(self.body, field)?;
            self.item.parse_at(&self.body[source.clone()], below)?;
            (self.see)(&mut self.item, origin);
            let mut place = Place { source, ..Place::default() };
            // A dropped item is written too: the last word on dropping is spoken after the walk.
            if self.item.is_edited() {
                let arena = &mut self.items.arena;
                if arena.is_empty() {
                    // It grows by copying otherwise, again and again where much is changed.
                    arena.reserve(self.body.len() / 4);
                }
                let start = arena.len();
                self.item.write(arena);
                let end = arena.len();
                self.item.write_behind(arena);
                if arena.len() > end {
                    place.written = Some(start..end);
                    place.behind = end..arena.len();
                } else {
                    place.written = keep_change(arena, start, self.item.source());
                }
            }
            self.items.records.push(self.item.record(place));
        }
        Ok(())
    }
}

/// Where an item's new content stands, which begins at `start` of the arena. Changes that cancel
/// out are no change: such an item's bytes go on as they came.
pub(super) fn keep_change(arena: &mut Vec<u8>, start: usize, source: &[u8]) -> Option<Range<usize>> {
    if arena[start..] == *source {
        arena.truncate(start);
        return None;
    }
    Some(start..arena.len())
}

/// The content of a length-delimited field that was read before.
fn delimited_content(body: &[u8], field: Range<usize>) -> Result<Range<usize>, WireError> {
    match Reader::new(&body[field.clone()]).next()? {
        Some(inner) => match inner.payload {
            Payload::Bytes(bytes) => Ok(field.end - bytes.len()..field.end),
            _ => Ok(field.end..field.end),
        },
        None => Ok(field.end..field.end),
    }
}

/// Several resources in one `ResourceSpans` merge: their attributes add up.
fn check_resource<'a>(bytes: &'a [u8], depth: Option<u32>, into: &mut Attributes<'a>) -> Result<(), WireError> {
    let mut reader = Reader::at_depth(bytes, depth)?;
    while let Some(field) = reader.next()? {
        match field.number {
            1 => into.entries.push(KeyValue::check(field.bytes("Resource", "attributes")?, reader.below())?),
            2 => drop(field.varint("Resource", "dropped_attributes_count")?),
            3 => check_entity_ref(field.bytes("Resource", "entity_refs")?, reader.below())?,
            _ => reader.unknown()?,
        }
    }
    Ok(())
}

fn check_entity_ref(bytes: &[u8], depth: Option<u32>) -> Result<(), WireError> {
    let mut reader = Reader::at_depth(bytes, depth)?;
    while let Some(field) = reader.next()? {
        match field.number {
            1 => drop(field.string("EntityRef", "schema_url")?),
            2 => drop(field.string("EntityRef", "type")?),
            3 => drop(field.string("EntityRef", "id_keys")?),
            4 => drop(field.string("EntityRef", "description_keys")?),
            _ => reader.unknown()?,
        }
    }
    Ok(())
}

fn check_scope<'a>(bytes: &'a [u8], depth: Option<u32>, into: &mut Origin<'a>) -> Result<(), WireError> {
    let mut reader = Reader::at_depth(bytes, depth)?;
    while let Some(field) = reader.next()? {
        match field.number {
            1 => into.scope_name = field.string("InstrumentationScope", "name")?,
            2 => into.scope_version = field.string("InstrumentationScope", "version")?,
            3 => {
                let entry = field.bytes("InstrumentationScope", "attributes")?;
                into.scope_attributes.entries.push(KeyValue::check(entry, reader.below())?);
            }
            4 => drop(field.varint("InstrumentationScope", "dropped_attributes_count")?),
            _ => reader.unknown()?,
        }
    }
    Ok(())
}

/// What stands in the place of one field.
enum Piece<'r> {
    /// The field as it came.
    Same,
    /// Nothing.
    Gone,
    /// New content, and whole fields behind it.
    New(&'r Range<usize>, &'r Range<usize>),
}

/// The request with all changes made, and how many items came and go on.
pub(super) fn finish<R: Record>(body: &Bytes, shape: &Shape, items: &Items<R>) -> Outcome {
    let mut outcome = Outcome { body: body.clone(), received: 0, kept: 0 };
    for record in &items.records {
        let (received, kept) = record.counts();
        outcome.received += received;
        outcome.kept += kept;
    }
    if items.records.iter().any(is_changed) {
        outcome.body = write(body, shape, items);
    }
    outcome
}

fn write<R: Record>(body: &[u8], shape: &Shape, items: &Items<R>) -> Bytes {
    // Lengths first, bottom up, so that every length is a minimal varint and the buffer is
    // allocated once.
    let scope_lengths: Vec<Option<usize>> =
        shape.scopes.iter().map(|scope| scope_length(scope, shape, items)).collect();
    let resource_lengths: Vec<Option<usize>> =
        shape.resources.iter().map(|resource| resource_length(resource, shape, &scope_lengths)).collect();

    // To the byte: the request may wait in queues for long.
    let before: usize = shape.resources.iter().map(|resource| resource.field.len()).sum();
    let after: usize = resource_lengths.iter().flatten().map(|length| delimited_len(1, *length)).sum();
    let mut out = Vec::with_capacity(body.len().saturating_sub(before).saturating_add(after));
    let mut copied = 0;
    for (resource, length) in shape.resources.iter().zip(&resource_lengths) {
        out.extend_from_slice(&body[copied..resource.field.start]);
        copied = resource.field.end;
        let Some(length) = *length else { continue };
        if length == resource.content.len() && !changed(resource, shape, items) {
            out.extend_from_slice(&body[resource.field.clone()]);
            continue;
        }
        put_key(&mut out, 1, WireType::Bytes);
        put_varint(&mut out, length as u64);
        let mut copied = resource.content.start;
        for index in resource.scopes.clone() {
            let scope = &shape.scopes[index];
            out.extend_from_slice(&body[copied..scope.field.start]);
            copied = scope.field.end;
            let Some(length) = scope_lengths[index] else { continue };
            put_key(&mut out, 2, WireType::Bytes);
            put_varint(&mut out, length as u64);
            write_scope(body, scope, shape, items, &mut out);
        }
        out.extend_from_slice(&body[copied..resource.content.end]);
    }
    // A request of which no item is left is no request; whoever sends it on sends nothing.
    if resource_lengths.iter().all(Option::is_none) && !resource_lengths.is_empty() {
        return Bytes::new();
    }
    out.extend_from_slice(&body[copied..]);
    Bytes::from(out)
}

fn changed<R: Record>(resource: &ResourceShape, shape: &Shape, items: &Items<R>) -> bool {
    resource
        .scopes
        .clone()
        .flat_map(|scope| shape.scopes[scope].items.clone())
        .any(|item| is_changed(&items.records[item]))
}

fn is_changed<R: Record>(record: &R) -> bool {
    record.is_dropped() || record.place().written.is_some()
}

fn write_scope<R: Record>(body: &[u8], scope: &ScopeShape, shape: &Shape, items: &Items<R>, out: &mut Vec<u8>) {
    let mut copied = scope.content.start;
    for index in scope.items.clone() {
        let field = &shape.fields[index];
        let piece = piece(&items.records[index]);
        if let Piece::Same = piece {
            continue;
        }
        out.extend_from_slice(&body[copied..field.start]);
        copied = field.end;
        if let Piece::New(written, behind) = piece {
            put_bytes(out, 2, &items.arena[written.clone()]);
            out.extend_from_slice(&items.arena[behind.clone()]);
        }
    }
    out.extend_from_slice(&body[copied..scope.content.end]);
}

fn piece<R: Record>(record: &R) -> Piece<'_> {
    let place = record.place();
    match &place.written {
        _ if record.is_dropped() => Piece::Gone,
        Some(written) => Piece::New(written, &place.behind),
        None => Piece::Same,
    }
}

/// The length of a scope's new content; `None` if it had items and none is left.
fn scope_length<R: Record>(scope: &ScopeShape, shape: &Shape, items: &Items<R>) -> Option<usize> {
    let mut length = scope.content.len();
    let mut left = scope.items.is_empty();
    for index in scope.items.clone() {
        let was = shape.fields[index].len();
        match piece(&items.records[index]) {
            Piece::Same => left = true,
            Piece::Gone => length -= was,
            Piece::New(written, behind) => {
                left = true;
                length = length - was + delimited_len(2, written.len()) + behind.len();
            }
        }
    }
    left.then_some(length)
}

/// The length of a resource's new content; `None` if it had scopes and none is left.
fn resource_length(resource: &ResourceShape, shape: &Shape, scope_lengths: &[Option<usize>]) -> Option<usize> {
    let mut length = resource.content.len();
    let mut left = resource.scopes.is_empty();
    for index in resource.scopes.clone() {
        length -= shape.scopes[index].field.len();
        if let Some(content) = scope_lengths[index] {
            left = true;
            length += 1 + varint_len(content as u64) + content;
        }
    }
    left.then_some(length)
}
