//! One span before and after, key by key, with the rule: the same translation as
//! [`super::translate`] makes, told to people.

use serde::Serialize;
use serde_json::Value as Json;

use super::dialect::{Reason, Sign};
use super::job::OWN_RULE;
use super::passes::PASSES;
use super::read::{About, Claim, From, Outcome, Recognised};
use super::source::Source;
use super::translate::{Batch, Read, Translator, key_of};
use crate::otlp::represent::json;
use crate::otlp::span::Span;
use crate::otlp::traces::Origin;

/// What a translation did to one span.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The dialect that won.
    pub dialect: &'static str,
    /// By how much it beat the next one.
    pub margin: u32,
    /// What spoke for it.
    pub because: String,
    /// The target.
    pub target: &'static str,
    /// The span's name.
    pub name: Change<String>,
    /// The span's kind.
    pub kind: Change<&'static str>,
    /// Every attribute and event that some dialect knows, in the span's order.
    pub keys: Vec<KeyExplanation>,
    /// Attributes that no single key stands behind.
    pub added: Vec<Added>,
}

/// Before and after.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change<T> {
    /// Before translation.
    pub before: T,
    /// After it.
    pub after: T,
}

/// What became of one attribute or event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyExplanation {
    /// The attribute's key, or the event's name.
    pub key: String,
    /// Whether it is a span event.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub event: bool,
    /// The event that the attribute stands on, if not on the span itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// The dialect whose meaning counted.
    pub dialect: &'static str,
    /// The value as it came; an event's attributes.
    pub before: Json,
    /// `expressed`, `kept` or `discarded`.
    pub outcome: &'static str,
    /// Why it was kept or discarded; `current` if it stood in the target's words before.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub reason: &'static str,
    /// The target's attribute that says it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<&'static str>,
    /// That attribute's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Json>,
    /// What else it was the first to say, in the target's attributes as they stand now: an object that holds
    /// counts, a URL with a host.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub says: Vec<Added>,
    /// Whether the key is gone.
    pub removed: bool,
    /// The rule, in a few words.
    pub rule: &'static str,
}

/// An attribute that follows from several keys, or from the span's shape.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Added {
    /// The attribute's key.
    pub key: String,
    /// Its value.
    pub value: Json,
}

/// The rule of what nobody claimed. A dialect may know it all the same: of a chunk of a stream only its time
/// is read.
pub const FOREIGN: &str = "no dialect translates it; it passes as it came";

/// The rule of an object of which all was said before.
const SAID: &str = "others say it, or it follows from what they say";

impl KeyExplanation {
    /// An attribute, an event or a body that nobody claimed.
    pub fn foreign(key: String, event: bool, before: Json) -> KeyExplanation {
        KeyExplanation {
            key,
            event,
            on: None,
            dialect: "",
            before,
            outcome: "kept",
            reason: "foreign",
            to: None,
            after: None,
            says: Vec::new(),
            removed: false,
            rule: FOREIGN,
        }
    }

    /// Whether the key is why an attribute stands there.
    pub fn stands_behind(&self, attribute: &str) -> bool {
        self.to == Some(attribute) || self.says.iter().any(|said| said.key == attribute)
    }
}

impl Explanation {
    /// What a later pass made of keys that were kept.
    fn update(&mut self, later: Explanation) {
        let is_lost = |key: &&KeyExplanation| key.outcome == "discarded" && key.removed;
        let lost: Vec<KeyExplanation> = later.keys.iter().filter(is_lost).cloned().collect();
        for key in later.keys.into_iter().filter(|key| key.outcome != "kept") {
            let is_same = |known: &&mut KeyExplanation| {
                known.outcome == "kept"
                    && (&known.key, known.event, &known.on, &known.before)
                        == (&key.key, key.event, &key.on, &key.before)
            };
            if let Some(known) = self.keys.iter_mut().find(is_same) {
                *known = key;
            }
        }
        // What an earlier pass wrote, a later one may have discarded, once another emitter leads.
        for gone in lost {
            let is_said_there =
                |known: &&mut KeyExplanation| known.outcome == "expressed" && known.to == Some(&gone.key);
            for known in self.keys.iter_mut().filter(is_said_there) {
                (known.outcome, known.reason, known.rule) = (gone.outcome, gone.reason, gone.rule);
                (known.to, known.after) = (None, None);
            }
            self.keys.iter_mut().for_each(|known| known.says.retain(|said| said.key != gone.key));
        }
        self.added.extend(later.added);
    }
}

impl Translator {
    /// Translates a span in place, and tells what was done. `None` for a span that is no LLM
    /// operation; it is not touched.
    pub fn explain(&self, span: &mut Span<'_>, origin: &Origin<'_>, batch: &mut dyn Batch) -> Option<Explanation> {
        if !self.may_concern(span) {
            return None;
        }
        let (name, kind) = (span.name().to_owned(), span.kind().name());
        let (mut told, mut again) = self.explain_pass(span, origin, batch)?;
        for _ in 1..PASSES {
            if !again {
                break;
            }
            let Some((later, more)) = self.explain_pass(span, origin, batch) else { break };
            told.update(later);
            again = more;
        }
        told.name = Change { before: name, after: span.name().to_owned() };
        told.kind = Change { before: kind, after: span.kind().name() };
        Some(told)
    }

    /// One pass, and whether there has to be another (see [`super::passes`]).
    fn explain_pass(
        &self,
        span: &mut Span<'_>,
        origin: &Origin<'_>,
        batch: &mut dyn Batch,
    ) -> Option<(Explanation, bool)> {
        let (name, kind) = (span.name().to_owned(), span.kind().name());
        self.with_source(span, |source, span| {
            let mut read = self.read(source, span, origin, batch).ok()?;
            self.write(&mut read, source, span);
            let mut claims = read.claims.clone();
            claims.sort_by_key(|claim| match claim.from {
                From::Attribute(number) => (0, number),
                From::Event(number) => (1, number),
            });
            let keys: Vec<KeyExplanation> =
                claims.iter().filter_map(|claim| self.key_explanation(claim, &read, source, span)).collect();
            let added = span
                .attributes()
                .filter(|(key, _)| source.get(key).is_none() && !keys.iter().any(|entry| entry.stands_behind(key)))
                .map(|(key, value)| Added { key: key.to_owned(), value: json(&value.parse()) })
                .collect();
            let explanation = Explanation {
                dialect: self.index.dialects.get(usize::from(read.recognised.winner)).copied().unwrap_or_default(),
                margin: read.recognised.margin,
                because: because(&read.recognised),
                target: self.target().name(),
                name: Change { before: name.clone(), after: span.name().to_owned() },
                kind: Change { before: kind, after: span.kind().name() },
                keys,
                added,
            };
            Some((explanation, self.is_unsettled(&read, source, span, origin)))
        })
    }

    fn key_explanation(
        &self,
        claim: &Claim,
        read: &Read<'_>,
        source: &Source<'_>,
        span: &Span<'_>,
    ) -> Option<KeyExplanation> {
        let attribute = self.attribute_of(claim.about, &read.operation);
        let (outcome, reason) = match claim.outcome {
            Outcome::Expressed(reason) => ("expressed", reason),
            Outcome::Discarded(reason) => ("discarded", reason),
            Outcome::Kept(reason) => ("kept", reason),
            Outcome::Open => ("kept", Reason::Unknown),
        };
        let lender = match claim.from {
            From::Attribute(number) => source.events.iter().find(|event| event.lent.contains(&number)),
            From::Event(_) => None,
        };
        let (key, before, event, removed) = match claim.from {
            From::Attribute(number) => {
                let (_, value) = source.attributes.get(number)?;
                let key = key_of(claim, source)?;
                let gone = match lender {
                    Some(event) => !span.events().any(|(index, _)| index == event.index),
                    None => !span.has(key),
                };
                (key, json(value), false, gone)
            }
            From::Event(number) => {
                let event = source.events.get(number)?;
                let attributes = event.attributes.iter().map(|(key, value)| ((*key).to_owned(), json(value)));
                let gone = !span.events().any(|(index, _)| index == event.index);
                (event.name, Json::Object(attributes.collect()), true, gone)
            }
        };
        let to = attribute.filter(|attribute| outcome == "expressed" && span.has(attribute));
        let after = to.and_then(|attribute| span.get(attribute)).map(|value| json(&value));
        let says = match claim.from {
            From::Attribute(number) => {
                let mut names: Vec<&'static str> = Vec::new();
                for (_, field) in read.told.iter().filter(|(attribute, _)| *attribute == number) {
                    let name = self.attribute_of(About::Field(*field), &read.operation);
                    names.extend(name.filter(|name| to != Some(*name) && *name != key && !names.contains(name)));
                }
                let says = |name: &'static str| Some(Added { key: name.to_owned(), value: json(&span.get(name)?) });
                names.into_iter().filter_map(says).collect()
            }
            From::Event(_) => Vec::new(),
        };
        let is_silent = says.is_empty();
        // A function of the dialect may have made messages of it, or a quirk something else.
        let is_said = claim.rule == OWN_RULE && claim.about == About::Nothing;
        Some(KeyExplanation {
            key: key.to_owned(),
            event,
            on: lender.map(|event| event.name.to_owned()),
            dialect: self.index.dialects.get(usize::from(claim.dialect)).copied().unwrap_or_default(),
            before,
            outcome,
            reason: reason.name(),
            to,
            after,
            says,
            removed,
            rule: match outcome {
                "expressed" if to.is_none() && is_said && is_silent => SAID,
                _ => claim.rule,
            },
        })
    }
}

fn because(recognised: &Recognised) -> String {
    match recognised.sign {
        Some(Sign::Scope(scope)) => format!("the scope is {scope}"),
        Some(Sign::ScopePrefix(prefix) | Sign::UnversionedScopePrefix(prefix) | Sign::SchemaScopePrefix(prefix)) => {
            format!("the scope begins with {prefix}")
        }
        Some(Sign::Resource(key, value)) => format!("the resource says {key} = {value}"),
        Some(Sign::SpanName(name)) => format!("the span is called {name}"),
        Some(Sign::SpanNamePrefix(prefix)) => format!("the span's name begins with {prefix}"),
        Some(Sign::Key(key)) => format!("there is a key {key}"),
        Some(Sign::KeyPrefix(prefix)) => format!("there are keys {prefix}*"),
        None => "it knows the most of the keys".to_owned(),
    }
}
