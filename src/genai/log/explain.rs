//! A log record before and after, key by key, with the rule: the same translation as [`Records::translate`]
//! makes, told to people.

use bytes::Bytes;
use serde_json::Value as Json;

use super::call::EventTold;
use super::event::Rule;
use super::{Became, Listener, NAME_ATTRIBUTES, Records, name_of, place};
use crate::genai::explain::{Added, Change, Explanation, KeyExplanation};
use crate::genai::settings::Originals;
use crate::otlp::log_record::LogRecord;
use crate::otlp::logs::Origin;
use crate::otlp::represent::json;

/// What a translation notes.
#[derive(Default)]
pub(super) struct Told {
    /// Of the attributes.
    pub(super) attributes: Option<Explanation>,
    /// Of the events that a record carries.
    pub(super) call: Option<Vec<EventTold>>,
}

/// What a translation did to one log record.
#[derive(Debug)]
pub struct RecordExplanation {
    /// What became of it.
    pub became: Became,
    /// The dialect that won, or whose event it is; empty if nobody knows it.
    pub dialect: &'static str,
    /// By how much it beat the next one, where the attributes were weighed.
    pub margin: Option<u32>,
    /// What spoke for it.
    pub because: String,
    /// The event's name, wherever it stood.
    pub event_name: Change<String>,
    /// The record's body.
    pub body: Option<KeyExplanation>,
    /// Every attribute.
    pub keys: Vec<KeyExplanation>,
    /// Attributes that no single key of this record stands behind: of a record that carries its call, what
    /// the other events say.
    pub added: Vec<Added>,
    /// Of a record that carries its call: the other events' records, by their places among those that were
    /// explained of the request.
    pub carries: Vec<usize>,
    /// Of a record that went into its call: which record carries that.
    pub carried_by: Option<usize>,
    place: usize,
    events: Vec<EventTold>,
}

/// The rule of what stays because the configuration says so.
const KEPT: &str = "originals: keep; it stays beside what it became";
/// The key by which a body is called.
const BODY: &str = "body";

impl Records<'_> {
    /// Translates a record in place, and tells what was done. Once all records of the request are, see
    /// [`join`].
    pub fn explain(&mut self, record: &mut LogRecord<'_>, origin: &Origin<'_>, request: &Bytes) -> RecordExplanation {
        let keys: Vec<(String, Json)> =
            record.attributes().map(|(key, value)| (key.to_owned(), json(&value.parse()))).collect();
        let content = record.body().filter(|body| !body.is_empty()).map(|body| json(&body));
        let name = name_of(record).unwrap_or_default();
        let mut told = Told::default();
        let became = self.translate_for(record, origin, request, &mut Listener::Explanation(&mut told));
        let own = told.call.as_ref().and_then(|events| events.iter().find(|event| event.place == place(record)));
        let rule = Rule::of(&self.translator.index, &name);
        let (dialect, margin, because) = match (&told.attributes, rule) {
            (Some(of), _) => (of.dialect, Some(of.margin), of.because.clone()),
            (None, Some(rule)) => {
                let dialects = &self.translator.index.dialects;
                let dialect = dialects.get(usize::from(rule.dialect)).copied().unwrap_or_default();
                (dialect, None, format!("the event is called {name}"))
            }
            (None, None) => ("", None, String::new()),
        };
        let keeps = self.translator.originals == Originals::Keep && rule.is_some();
        let mut known = told.attributes.map(|of| of.keys).unwrap_or_default();
        let keys: Vec<KeyExplanation> = keys
            .into_iter()
            .map(|(key, before)| {
                let removed = !record.has(&key);
                let untold = KeyExplanation { removed, ..untold(key, before, keeps) };
                let is_name = NAME_ATTRIBUTES.contains(&untold.key.as_str());
                let is_content = own.is_some_and(|own| own.content.contains(&untold.key.as_str()));
                match known.iter().position(|known| known.key == untold.key) {
                    Some(found) => {
                        let known = known.swap_remove(found);
                        // On a record lists have structure, which the translation of a span does not give them.
                        let after = known.to.and_then(|to| record.get(to)).map(|value| json(&value));
                        KeyExplanation { after, ..known }
                    }
                    None if removed && is_name => said(untold, None, "the event's name has a field of its own"),
                    None if is_content => said(untold, own.map(|own| own.list), "folded into the published shape"),
                    None => untold,
                }
            })
            .collect();
        let body = content.map(|before| {
            let removed = record.body().is_none_or(|body| body.is_empty());
            let untold = KeyExplanation { removed, ..untold(BODY.to_owned(), before, keeps) };
            match own.filter(|_| removed) {
                Some(own) => said(untold, Some(own.list), "folded into the published shape"),
                None => untold,
            }
        });
        let stands = |key: &str| keys.iter().any(|known| known.key == key || known.stands_behind(key));
        let added = record.attributes().filter(|(key, _)| !stands(key));
        let added = added.map(|(key, value)| Added { key: key.to_owned(), value: json(&value.parse()) }).collect();
        let after = name_of(record).unwrap_or_default();
        RecordExplanation {
            became,
            dialect,
            margin,
            because,
            event_name: Change { before: name, after },
            body,
            keys,
            added,
            carries: Vec::new(),
            carried_by: None,
            place: place(record),
            events: told.call.unwrap_or_default(),
        }
    }
}

/// Tells of the records that went into a call which one carries it, once all records of a request were
/// explained.
pub fn join(records: &mut [RecordExplanation]) {
    for carrier in 0..records.len() {
        let events = records.get_mut(carrier).map(|record| std::mem::take(&mut record.events)).unwrap_or_default();
        for event in events {
            let folded = |(_, record): &(usize, &mut RecordExplanation)| record.place == event.place;
            let Some((number, record)) = records.iter_mut().enumerate().find(folded) else { continue };
            if number == carrier || record.became != Became::Folded {
                continue;
            }
            record.carried_by = Some(carrier);
            record.fold(&event);
            if let Some(carrier) = records.get_mut(carrier) {
                carrier.carries.push(number);
            }
        }
    }
}

impl RecordExplanation {
    /// What was said is said on another record.
    fn fold(&mut self, event: &EventTold) {
        let rule = "said by the record that carries the call";
        for key in &mut self.keys {
            let told = std::mem::replace(key, untold(String::new(), Json::Null, false));
            *key = match told.key.as_str() {
                name if NAME_ATTRIBUTES.contains(&name) => said(told, None, "the call is one event"),
                name if event.content.contains(&name) => said(told, Some(event.list), rule),
                name if event.members.iter().any(|member| member == name) => {
                    said(told, Some(event.list), "a member of its message, on the record that carries the call")
                }
                _ => said(told, None, rule),
            };
            (key.dialect, key.removed) = (self.dialect, true);
        }
        self.body = self.body.take().map(|body| KeyExplanation {
            dialect: self.dialect,
            removed: true,
            ..said(body, Some(event.list), rule)
        });
    }
}

fn said(key: KeyExplanation, to: Option<&'static str>, rule: &'static str) -> KeyExplanation {
    KeyExplanation { outcome: "expressed", reason: "", to, rule, ..key }
}

/// An attribute or a body of which nothing was told.
fn untold(key: String, before: Json, keeps: bool) -> KeyExplanation {
    let untold = KeyExplanation::foreign(key, false, before);
    if keeps { KeyExplanation { reason: "originals", rule: KEPT, ..untold } } else { untold }
}
