//! `drop`: takes spans that match a rule out of the traces without leaving orphans.
//!
//! Here are the rules; how children are given another parent is in [`super::mend`].

use std::sync::Arc;

use super::mend::{Counts, Mender, Share, Taken};
use super::settings::{Drop as Settings, DropRule, Pattern};
use crate::otlp::span::{Span, StatusCode};
use crate::otlp::traces::Spans;
use crate::otlp::value::Value;
use crate::pipeline::{Context, Pass, Stage};

/// The stage. One instance serves every request of its pipeline.
#[derive(Debug)]
pub struct DropSpans {
    rules: Vec<DropRule>,
    keep_errors: bool,
    mender: Arc<Mender>,
}

impl DropSpans {
    /// A stage with these rules, the only one of its pipeline that drops spans.
    pub fn new(settings: &Settings) -> Self {
        DropSpans::sharing(settings, Share::alone(&settings.memory))
    }

    /// As [`DropSpans::new`], beside others.
    pub fn sharing(settings: &Settings, share: Share) -> Self {
        DropSpans {
            rules: settings.rules.clone(),
            keep_errors: settings.keep_errors,
            mender: Arc::new(Mender::new(share, "rule")),
        }
    }

    /// What was done since the start.
    pub fn counts(&self) -> &Counts {
        self.mender.counts()
    }

    /// What gives children another parent, and counts.
    pub fn mender(&self) -> &Arc<Mender> {
        &self.mender
    }

    fn matches(&self, span: &Span<'_>, context: &Context<'_, '_>) -> bool {
        if self.keep_errors && span.status_code() == StatusCode::Error {
            return false;
        }
        self.rules.iter().any(|rule| rule.matches(span, context))
    }
}

impl Stage for DropSpans {
    fn pass(&self) -> Box<dyn Pass + Send + '_> {
        Box::new(DropPass { stage: self, taken: Taken::default() })
    }
}

struct DropPass<'s> {
    stage: &'s DropSpans,
    taken: Taken,
}

impl Pass for DropPass<'_> {
    fn span(&mut self, span: &mut Span<'_>, context: &mut Context<'_, '_>) {
        if self.stage.matches(span, context) {
            self.taken.take(span);
        }
    }

    fn drop_reason(&self) -> &'static str {
        self.stage.mender.reason()
    }

    fn finish(&mut self, spans: &mut Spans) {
        self.stage.mender.mend(spans, &self.taken);
    }
}

impl DropRule {
    /// The `sqlite` preset: either generation of the attribute and nothing else. Names and scopes
    /// are shared with other databases (`connect`, `INSERT`, the SQLAlchemy scope).
    pub fn sqlite() -> Vec<DropRule> {
        ["db.system", "db.system.name"]
            .into_iter()
            .map(|key| DropRule {
                attributes: vec![(key.to_owned(), Pattern::Exact("sqlite".to_owned()))],
                ..DropRule::default()
            })
            .collect()
    }

    fn names_something(&self) -> bool {
        !self.resource.is_empty()
            || !self.attributes.is_empty()
            || self.scope.is_some()
            || self.name.is_some()
            || self.kind.is_some()
            || self.status.is_some()
    }

    fn matches(&self, span: &Span<'_>, context: &Context<'_, '_>) -> bool {
        self.names_something()
            && self.kind.is_none_or(|kind| kind == span.kind())
            && self.status.is_none_or(|status| status == span.status_code())
            && self.name.as_ref().is_none_or(|pattern| pattern.matches(span.name()))
            && self.scope.as_ref().is_none_or(|pattern| pattern.matches(context.origin.scope_name))
            && self.attributes.iter().all(|(key, pattern)| pattern.matches_value(span.get(key)))
            && self.resource.iter().all(|(key, pattern)| pattern.matches_value(context.origin.resource.get(key)))
    }
}

impl Pattern {
    fn matches(&self, text: &str) -> bool {
        match self {
            Pattern::Exact(exact) => exact == text,
            Pattern::Regex(regex) => regex.is_match(text),
        }
    }

    fn matches_value(&self, value: Option<Value<'_>>) -> bool {
        match value {
            Some(Value::Str(text)) => self.matches(&text),
            Some(Value::Int(number)) => self.matches(&number.to_string()),
            Some(Value::Double(number)) => self.matches(&number.to_string()),
            Some(Value::Bool(flag)) => self.matches(if flag { "true" } else { "false" }),
            _ => false,
        }
    }
}
