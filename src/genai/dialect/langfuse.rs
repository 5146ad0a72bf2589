//! The Langfuse SDKs from version 3 on, which are built on OpenTelemetry, and whoever writes Langfuse's
//! attributes for its server.
//!
//! An observation's type says what it is; what it took and gave is JSON or a text. Token counts are
//! buckets that exclude each other: `input` leaves out what `cache_read_input_tokens` and the like say,
//! `output` what `output_reasoning_tokens` says.

use super::named::named;
use super::{Action, Dialect, List, Reason, Rule, SpanName, Tell, Verdict, body, instant, openinference};
use crate::genai::content::json::{self, Node};
use crate::genai::field::Field;
use crate::genai::operation::{Operation, Scalar, Seen};
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "langfuse";

/// The dialect.
pub static LANGFUSE: Dialect = Dialect {
    tells: &[Tell::scope_prefix("langfuse", 100), Tell::key_prefix("langfuse.", 20)],
    keys: &[
        Rule::mapped("langfuse.observation.type", Field::OperationName, &TYPE),
        Rule::field("langfuse.observation.model.name", Field::RequestModel),
        Rule::new("langfuse.observation.model.parameters", Action::Members(&openinference::PARAMETERS)),
        // The spelling of SDKs that are not Langfuse's own.
        Rule::new("langfuse.observation.model_parameters", Action::Members(&openinference::PARAMETERS)),
        Rule::new("langfuse.observation.usage_details", Action::Read(usage)),
        Rule::keep("langfuse.observation.cost_details", Reason::NoHome),
        Rule::field("langfuse.observation.prompt.name", Field::PromptName),
        Rule::field("langfuse.observation.prompt.version", Field::PromptVersion),
        Rule::new(
            "langfuse.observation.input",
            Action::ByOperation(&[
                ("chat", Action::Body(List::Input, &openinference::PARAMETERS)),
                ("embeddings", Action::Body(List::Input, &openinference::PARAMETERS)),
                ("execute_tool", Action::Field(Field::ToolCallArguments)),
                ("retrieval", Action::Members(QUERY)),
                ("invoke_agent", Action::Messages(List::Input)),
            ]),
        ),
        Rule::new(
            "langfuse.observation.output",
            Action::ByOperation(&[
                ("chat", Action::Body(List::Output, body::ANSWER)),
                ("execute_tool", Action::Field(Field::ToolCallResult)),
                ("retrieval", Action::Documents),
                ("invoke_agent", Action::Messages(List::Output)),
            ]),
        ),
        Rule::keep("langfuse.observation.completion_start_time", Reason::SaysMore),
        Rule::keep("langfuse.observation.level", Reason::NoHome),
        Rule::keep("langfuse.observation.status_message", Reason::NoHome),
        Rule::keep("langfuse.observation.version", Reason::NoHome),
        Rule::field("langfuse.session.id", Field::ConversationId),
        Rule::own("session.id", Action::Copy(Field::ConversationId)),
        Rule::field("langfuse.user.id", Field::UserId),
        Rule::keep("langfuse.environment", Reason::NoHome),
        Rule::keep("langfuse.release", Reason::NoHome),
        Rule::keep("langfuse.version", Reason::NoHome),
    ],
    kept: &[
        ("langfuse.observation.metadata", Reason::NoHome),
        // Repeats what the root observation says.
        ("langfuse.trace.", Reason::NoHome),
        ("langfuse.internal.", Reason::NoHome),
        ("langfuse.experiment.", Reason::NoHome),
        ("langfuse.", Reason::Unknown),
    ],
    // The names that the wrapper of OpenAI's client gives where the application gives none.
    span_names: &[SpanName::Exact("OpenAI-generation"), SpanName::Exact("OpenAI-embedding")],
    // LangChain hands tools their input as Python's text of a dictionary.
    python: true,
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

/// Types of observations. `span` and `event` say nothing; the others of which no convention has words are
/// named as what they are.
static TYPE: [(&str, Option<&str>); 10] = [
    ("generation", Some("chat")),
    ("embedding", Some("embeddings")),
    ("tool", Some("execute_tool")),
    ("agent", Some("invoke_agent")),
    ("retriever", Some("retrieval")),
    ("chain", None),
    ("evaluator", None),
    ("guardrail", None),
    ("span", None),
    ("event", None),
];

/// What was looked for; the decorator writes down how the function was called.
const QUERY: &[Rule] = &[
    Rule::field("query", Field::RetrievalQueryText),
    Rule::new("kwargs.query", Action::Copy(Field::RetrievalQueryText)),
    Rule::new("args.0", Action::Copy(Field::RetrievalQueryText)),
    Rule::field("input", Field::RetrievalQueryText),
    Rule::field("question", Field::RetrievalQueryText),
    Rule::field("", Field::RetrievalQueryText),
];

/// What a bucket's name says of it, by what it has in it; the first that fits.
const BUCKETS: &[(&str, Bucket)] = &[
    ("cache_creation", Bucket::Input(Some(Field::UsageCacheWriteInputTokens))),
    ("cache_write", Bucket::Input(Some(Field::UsageCacheWriteInputTokens))),
    ("cache", Bucket::Input(Some(Field::UsageCacheReadInputTokens))),
    ("reasoning", Bucket::Output(Some(Field::UsageReasoningOutputTokens))),
    ("thoughts", Bucket::Output(Some(Field::UsageReasoningOutputTokens))),
    ("input_audio", Bucket::Input(Some(Field::UsageAudioInputTokens))),
    ("output_audio", Bucket::Output(Some(Field::UsageAudioOutputTokens))),
    ("input", Bucket::Input(None)),
    ("prompt", Bucket::Input(None)),
    ("output", Bucket::Output(None)),
    ("completion", Bucket::Output(None)),
];

#[derive(Clone, Copy)]
enum Bucket {
    Input(Option<Field>),
    Output(Option<Field>),
}

/// The tokens of the observation, in buckets of which each token is in one. OpenAI's own usage object,
/// which the SDK's wrapper hands through, has totals with details.
fn usage<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let node = value.as_str().and_then(json::parse).filter(|node| node.is_object());
    let Some(node) = node else { return Verdict::Kept(Reason::Shape) };
    let is_openai = node.members().any(|(name, value)| name == "prompt_tokens" || value.is_object());
    if is_openai {
        return body::usage(operation, value);
    }
    let count = |node: Node<'_>| node.text().parse::<u64>().ok();
    let mut sums = [None::<u64>; 2];
    let mut plain = [0_u64; 2];
    let mut details: Vec<(Field, u64)> = Vec::new();
    let mut total = None;
    let mut says_more = false;
    for (name, node) in node.members().filter(|(_, node)| !node.is_null()) {
        let bucket = BUCKETS.iter().find(|(part, _)| name.contains(part)).map(|(_, bucket)| *bucket);
        let Some(count) = count(node) else {
            says_more = true;
            continue;
        };
        let (side, detail) = match (&*name, bucket) {
            ("total" | "total_tokens" | "totalTokens", _) => {
                total = Some(count);
                continue;
            }
            (_, Some(Bucket::Input(detail))) => (0, detail),
            (_, Some(Bucket::Output(detail))) => (1, detail),
            _ => {
                says_more = true;
                continue;
            }
        };
        // Within the bounds of the two arrays: `side` is one of two.
        if let (Some(sum), Some(plain)) = (sums.get_mut(side), plain.get_mut(side)) {
            *sum = Some(sum.unwrap_or(0).saturating_add(count));
            match detail {
                Some(field) => match details.iter_mut().find(|(known, _)| *known == field) {
                    Some((_, known)) => *known = known.saturating_add(count),
                    None => details.push((field, count)),
                },
                None => *plain = plain.saturating_add(count),
            }
        }
    }
    // The total proves that the buckets are not what they should be: who wrote them counts twice.
    let inclusive = total
        .is_some_and(|total| total == plain[0].saturating_add(plain[1]) && details.iter().any(|(_, count)| *count > 0));
    let mut repaired = Reason::None;
    for (sum, plain, field, reported, reason) in [
        (sums[0], plain[0], Field::UsageInputTokens, Field::UsageReportedInputTokens, Reason::InputWithoutCache),
        (sums[1], plain[1], Field::UsageOutputTokens, Field::UsageReportedOutputTokens, Reason::OutputWithoutReasoning),
    ] {
        let Some(sum) = sum else { continue };
        let whole = if inclusive { plain } else { sum };
        offer(operation, field, whole);
        if whole != plain && operation.int(field) == i64::try_from(whole).ok() {
            offer(operation, reported, plain);
            repaired = reason;
        }
    }
    for (field, count) in &details {
        offer(operation, *field, *count);
    }
    let is_audio =
        |(field, _): &(Field, u64)| matches!(field, Field::UsageAudioInputTokens | Field::UsageAudioOutputTokens);
    let said = |field: Field, count: Option<u64>| {
        count.is_none_or(|count| operation.int(field).and_then(|known| u64::try_from(known).ok()) == Some(count))
    };
    let whole = |side: usize| match inclusive {
        true => plain.get(side).copied(),
        false => sums.get(side).copied().flatten(),
    };
    let agrees = said(Field::UsageInputTokens, whole(0).filter(|_| sums[0].is_some()))
        && said(Field::UsageOutputTokens, whole(1).filter(|_| sums[1].is_some()));
    let sum = whole(0).unwrap_or(0).saturating_add(whole(1).unwrap_or(0));
    if !agrees {
        Verdict::Kept(Reason::Conflict)
    } else if says_more || total.is_some_and(|total| total != sum) || details.iter().any(is_audio) {
        // One target has no words for audio.
        Verdict::Kept(Reason::SaysMore)
    } else if repaired != Reason::None {
        Verdict::Repaired(repaired)
    } else {
        Verdict::Expressed
    }
}

fn offer(operation: &mut Operation<'_>, field: Field, count: u64) {
    if let Ok(count) = i64::try_from(count) {
        operation.offer(field, Scalar::Int(count));
    }
}

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    // What every observation is of which nobody said a type.
    if matches!(operation.named.as_deref(), Some("span" | "event")) {
        operation.named = None;
    }
    named(operation, seen);
    instant::first_chunk(operation, seen, "langfuse.observation.completion_start_time");
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "langfuse.observation.type",
            "langfuse.observation.input",
            "langfuse.observation.output",
            "langfuse.observation.model.name",
            "langfuse.observation.model.parameters",
            "langfuse.observation.usage_details",
            "langfuse.observation.cost_details",
            "langfuse.observation.prompt.name",
            "langfuse.observation.prompt.version",
            "langfuse.observation.completion_start_time",
            "langfuse.observation.level",
            "langfuse.observation.status_message",
            "langfuse.observation.metadata.x",
            "langfuse.trace.name",
            "langfuse.trace.tags",
            "langfuse.trace.public",
            "langfuse.trace.metadata.x",
            "langfuse.trace.input",
            "langfuse.trace.output",
            "session.id",
            "langfuse.session.id",
            "langfuse.user.id",
            "langfuse.environment",
            "langfuse.release",
            "langfuse.version",
            "langfuse.internal.as_root",
            "langfuse.internal.is_app_root",
            "langfuse.experiment.id",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
        assert_eq!(unknown(&["langfuse.drift"]), ["langfuse.drift"]);
    }
}
