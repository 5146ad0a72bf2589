//! What the series of applications are labelled with, and thereby what tells them apart: the
//! attributes of the point, in the order of their keys, then what its resource and scope say.
//!
//! Values are bounded. One that is cut keeps a checksum of the whole, so that two that differ stay two.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hash, Hasher};

use super::reason::Why;
use crate::metrics::snapshot::{LONGEST_TEXT, Label, LabelValue, Labels, shortened};
use crate::otlp::metrics::{Attributes, Origin};
use crate::otlp::represent::text;
use crate::otlp::value::{KeyValue, Value};

/// Bytes of a label's value that are kept.
const MAX_VALUE: usize = LONGEST_TEXT;

/// Bytes of a label's name that are kept.
const MAX_KEY: usize = 256;

/// Attributes of a point, a scope or a resource at most; the limit that SDKs have by default.
const MAX_ATTRIBUTES: usize = 128;

/// Bytes of all labels of one `target_info`; what is beyond is left away.
const MAX_TARGET: usize = 8192;

/// What a point's attribute is called whose name is taken by its resource or scope; Prometheus calls
/// a label that gives way so.
const GIVES_WAY: &str = "exported_";

/// Attributes of a resource that are said as `job` and `instance`.
pub(super) const IDENTIFYING: [&str; 3] = ["service.name", "service.namespace", "service.instance.id"];

/// Which attributes of a resource become labels of its series: `resource_constant_labels`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceLabels {
    /// Patterns of keys; every key if there are none and some are excluded.
    pub included: Vec<String>,
    /// Patterns of keys that do not, whatever is included.
    pub excluded: Vec<String>,
}

impl ResourceLabels {
    fn has(&self, key: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, key));
        match (self.included.is_empty(), self.excluded.is_empty()) {
            (true, true) => false,
            (true, false) => !any(&self.excluded),
            (false, _) => any(&self.included) && !any(&self.excluded),
        }
    }
}

/// Whether a text matches a pattern in which `*` is any text and `?` any character.
fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // Where to go on after the last `*`, with one more character for it.
    let mut again = None;
    loop {
        let at = text.clone();
        match (pattern.next(), text.next()) {
            (Some('*'), _) => {
                text = at.clone();
                again = Some((pattern.clone(), at));
            }
            (None, None) => return true,
            (Some('?'), Some(_)) => {}
            (Some(wanted), Some(there)) if wanted == there => {}
            // The last `*` takes one character more, if there is one.
            _ => match again.as_mut().and_then(|(after, rest)| rest.next().map(|_| (after.clone(), rest.clone()))) {
                Some(next) => (pattern, text) = next,
                None => return false,
            },
        }
    }
}

/// What all points of one scope of a request have in common.
#[derive(Debug)]
pub(super) struct Common {
    /// Labels that stand behind the attributes of a point.
    labels: Vec<Label>,
    hash: u64,
    /// Tells resources apart.
    pub(super) resource: u64,
    /// Tells resources and scopes apart that have the same labels.
    writer: u64,
}

impl Common {
    pub(super) fn new(
        origin: &Origin<'_>,
        promoted: &ResourceLabels,
        with_scope: bool,
        hasher: &impl BuildHasher,
    ) -> Common {
        let mut labels = Vec::new();
        let mut writer = hasher.build_hasher();
        for (key, value) in sorted(&origin.resource) {
            (key, value.as_ref()).hash(&mut writer);
            if promoted.has(key) {
                put(&mut labels, shortened(Cow::Borrowed(key), MAX_KEY).into_owned().into(), value);
            }
        }
        let resource = writer.finish();
        if with_scope {
            for (key, text) in [
                ("otel_scope_name", origin.scope_name),
                ("otel_scope_version", origin.scope_version),
                ("otel_scope_schema_url", origin.scope_schema_url),
            ] {
                if !text.is_empty() {
                    put(&mut labels, key.into(), ValueRef::Text(Cow::Borrowed(text)));
                }
            }
        }
        (origin.scope_name, origin.scope_version, origin.scope_schema_url).hash(&mut writer);
        for (key, value) in sorted(&origin.scope_attributes) {
            (key, value.as_ref()).hash(&mut writer);
            // These three are labels of their own.
            if with_scope && !matches!(key, "name" | "version" | "schema_url") {
                let key = format!("otel_scope_{}", shortened(Cow::Borrowed(key), MAX_KEY));
                put(&mut labels, key.into(), value);
            }
        }
        let [job, instance] = job_and_instance(&origin.resource);
        for (key, text) in [("job", job), ("instance", instance)] {
            if !text.is_empty() {
                put(&mut labels, key.into(), ValueRef::Text(text.into()));
            }
        }
        let hash = hasher.hash_one(&labels);
        Common { labels, hash, resource, writer: writer.finish() }
    }
}

/// `job` and `instance` of a resource, each empty if it is not said.
pub(super) fn job_and_instance(resource: &Attributes<'_>) -> [String; 2] {
    let text = |key: &str| resource.get(key).map(|value| text(value).into_owned()).unwrap_or_default();
    let [name, namespace, instance] = IDENTIFYING.map(text);
    let job = if name.is_empty() || namespace.is_empty() { name } else { format!("{namespace}/{name}") };
    [job, instance].map(|text| shortened(Cow::Owned(text), MAX_VALUE).into_owned())
}

/// The labels of `target_info`: all of a resource that is not said as `job` or `instance`. Empty if
/// there is nothing to say.
pub(super) fn of_target(resource: &Attributes<'_>, [job, instance]: &[String; 2]) -> Vec<Label> {
    let mut labels = Vec::new();
    let mut bytes = 0;
    for (key, value) in sorted(resource) {
        bytes += key.len() + value.bytes();
        if !IDENTIFYING.contains(&key) && bytes <= MAX_TARGET {
            let key = if matches!(key, "job" | "instance") { format!("{GIVES_WAY}{key}") } else { key.to_owned() };
            put(&mut labels, shortened(Cow::Owned(key), MAX_KEY).into_owned().into(), value);
        }
    }
    if !labels.is_empty() {
        for (key, text) in [("job", job), ("instance", instance)] {
            if !text.is_empty() {
                put(&mut labels, key.into(), ValueRef::Text(Cow::Borrowed(text)));
            }
        }
    }
    labels
}

fn put(labels: &mut Vec<Label>, key: Cow<'static, str>, value: ValueRef<'_>) {
    labels.push(Label { key, value: value.to_owned() });
}

/// The first attribute of every key, in the order of the keys.
fn sorted<'a>(attributes: &'a Attributes<'a>) -> impl Iterator<Item = (&'a str, ValueRef<'a>)> {
    let mut all: Vec<_> = attributes.iter().map(|(key, value)| (key, ValueRef::of(value))).collect();
    all.sort_by_key(|(key, _)| *key);
    all.dedup_by_key(|(key, _)| *key);
    all.truncate(MAX_ATTRIBUTES);
    all.into_iter()
}

/// What tells a point from points of other series of its metric; made once and used for one point
/// after another.
#[derive(Debug, Default)]
pub(super) struct Scratch<'a> {
    attributes: Vec<(Cow<'a, str>, ValueRef<'a>)>,
}

/// The identity of a point's series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity<'s, 'a> {
    attributes: &'s [(Cow<'a, str>, ValueRef<'a>)],
    common: &'s Common,
    pub(super) hash: u64,
}

impl<'a> Scratch<'a> {
    /// The identity of a point with these attributes.
    pub(super) fn identify<'s>(
        &'s mut self,
        attributes: impl Iterator<Item = KeyValue<'a>>,
        common: &'s Common,
        hasher: &impl BuildHasher,
    ) -> Result<Identity<'s, 'a>, Why> {
        self.attributes.clear();
        for entry in attributes {
            if self.attributes.len() >= MAX_ATTRIBUTES {
                return Err(Why::TooManyAttributes);
            }
            let key = match common.labels.iter().any(|label| label.key == entry.key()) {
                true => Cow::Owned(format!("{GIVES_WAY}{}", entry.key())),
                false => Cow::Borrowed(entry.key()),
            };
            self.attributes.push((shortened(key, MAX_KEY), ValueRef::of(entry.parse_value())));
        }
        self.attributes.sort_by(|(a, _), (b, _)| a.cmp(b));
        // Of a key that stands there twice the first counts, as everywhere.
        self.attributes.dedup_by(|(a, _), (b, _)| a == b);
        let mut hash = hasher.build_hasher();
        self.attributes.hash(&mut hash);
        common.hash.hash(&mut hash);
        Ok(Identity { attributes: &self.attributes, common, hash: hash.finish() })
    }
}

impl Identity<'_, '_> {
    /// Who writes the point.
    pub(super) fn writer(&self) -> u64 {
        self.common.writer
    }

    pub(super) fn is(&self, labels: &[Label]) -> bool {
        let Some((own, common)) = labels.split_at_checked(self.attributes.len()) else { return false };
        own.iter().zip(self.attributes).all(|(label, (key, value))| label.key == *key && value.is(&label.value))
            && common == self.common.labels
    }

    pub(super) fn to_labels(self) -> Labels {
        let own = self
            .attributes
            .iter()
            .map(|(key, value)| Label { key: Cow::Owned(key.clone().into_owned()), value: value.as_ref().to_owned() });
        own.chain(self.common.labels.iter().cloned()).collect()
    }
}

/// A label's value, borrowed where it can be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum ValueRef<'a> {
    Text(Cow<'a, str>),
    Integer(i64),
    Bool(bool),
}

impl<'a> ValueRef<'a> {
    fn of(value: Value<'a>) -> Self {
        match value {
            Value::Int(number) => ValueRef::Integer(number),
            Value::Bool(flag) => ValueRef::Bool(flag),
            other => ValueRef::Text(shortened(text(other), MAX_VALUE)),
        }
    }

    fn as_ref(&self) -> ValueRef<'_> {
        match self {
            ValueRef::Text(text) => ValueRef::Text(Cow::Borrowed(text)),
            ValueRef::Integer(number) => ValueRef::Integer(*number),
            ValueRef::Bool(flag) => ValueRef::Bool(*flag),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            ValueRef::Text(text) => text.len(),
            ValueRef::Integer(_) | ValueRef::Bool(_) => 0,
        }
    }

    fn is(&self, value: &LabelValue) -> bool {
        match (self, value) {
            (ValueRef::Text(a), LabelValue::Text(b)) => **a == **b,
            (ValueRef::Integer(a), LabelValue::Integer(b)) => a == b,
            (ValueRef::Bool(a), LabelValue::Bool(b)) => a == b,
            _ => false,
        }
    }

    fn to_owned(&self) -> LabelValue {
        match self {
            ValueRef::Text(text) => LabelValue::Text((**text).into()),
            ValueRef::Integer(number) => LabelValue::Integer(*number),
            ValueRef::Bool(flag) => LabelValue::Bool(*flag),
        }
    }
}

/// An attribute's value as a label has it.
pub(super) fn own(value: Value<'_>) -> LabelValue {
    ValueRef::of(value).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, text, is) in [
            ("*", "", true),
            ("service.*", "service.name", true),
            ("service.*", "service", false),
            ("service.*", "service.", true),
            ("k8s.*.name", "k8s.pod.name", true),
            ("k8s.*.name", "k8s.pod.name.x", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxaxxbxx", true),
            ("", "x", false),
            ("service.name", "service.name", true),
        ] {
            assert_eq!(matches(pattern, text), is, "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_excluded_alone_includes_the_rest() {
        let of = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let has = |included: &[&str], excluded: &[&str], key| {
            ResourceLabels { included: of(included), excluded: of(excluded) }.has(key)
        };
        assert!(!has(&[], &[], "a"));
        assert!(has(&[], &["b*"], "a") && !has(&[], &["b*"], "bc"));
        assert!(has(&["*"], &["b"], "a") && !has(&["*"], &["b"], "b"));
        assert!(!has(&["b"], &[], "a"));
    }

    #[test]
    fn numbers_and_flags_keep_their_type_and_the_rest_is_text() {
        assert_eq!(own(Value::Double(1.0)), LabelValue::Text("1".into()));
        assert_eq!(own(Value::Double(0.25)), LabelValue::Text("0.25".into()));
        assert_eq!(own(Value::Bytes(Cow::Borrowed(&[1, 2, 255]))), LabelValue::Text("AQL/".into()));
        assert_eq!(own(Value::strings(["a", "b\""])), LabelValue::Text(r#"["a","b\""]"#.into()));
        assert_eq!(own(Value::Int(7)), LabelValue::Integer(7));
        assert_eq!(own(Value::Bool(true)), LabelValue::Bool(true));
    }
}
