//! What emitters say: a dialect is a table, and this file has the list of all dialects.
//!
//! A dialect knows its emitter's keys and what they mean; it knows nothing of targets (that is
//! [`super::convention`]) and nothing of spans as bytes. To add one, write a file with a
//! `pub static NAME: Dialect` and name it in [`BUILT_IN`]:
//!
//! ```
//! use dragoman::genai::dialect::*;
//! use dragoman::genai::field::Field;
//! use dragoman::genai::values;
//!
//! pub static ACME: Dialect = Dialect {
//!     // How to tell that a span speaks it. Scores add up; the best dialect of a span wins.
//!     tells: &[Tell::scope("acme.tracer", 100), Tell::key_prefix("acme.", 20)],
//!     // One key, one meaning. Of two keys for one field the first in the table is preferred.
//!     keys: &[
//!         Rule::mapped("acme.vendor", Field::ProviderName, values::PROVIDER),
//!         Rule::field("acme.model", Field::RequestModel),
//!         Rule::field("acme.tokens.in", Field::UsageInputTokens),
//!         Rule::new("acme.tokens.all", Action::Total),
//!         Rule::new("acme.prompt_json", Action::Input),
//!     ],
//!     // Keys with a number in the middle: acme.msg.0.role, acme.msg.0.calls.1.args.
//!     families: &[Family {
//!         prefix: "acme.msg.",
//!         list: List::Input,
//!         pieces: &[
//!             ("role", Piece::Role),
//!             ("text", Piece::Content),
//!             ("calls.#.tool", Piece::CallName),
//!             ("calls.#.args", Piece::CallArguments),
//!         ],
//!         unindexed: &[],
//!     }],
//!     // The emitter's keys that no target has words for: kept, and counted as such.
//!     kept: &[("acme.", Reason::NoHome)],
//!     // Names that the emitter gives its spans, and that may therefore be replaced.
//!     span_names: &[SpanName::Exact("acme_call")],
//!     ..Dialect::new("acme")
//! };
//! ```
//!
//! What a table cannot say goes into [`Action::Read`] (one key) or [`Dialect::quirk`] (the whole
//! operation, after all keys were read). Two dialects may know the same key: where they mean
//! different things by it the meaning counts of the dialect for which a [`Tell`] speaks loudest,
//! then of others that something speaks for, then official OpenTelemetry's, then the order of the
//! list. A value map must map its own results to themselves.

pub mod agent_framework;
pub mod anthropic_sdk;
pub mod autogen;
pub mod azure_inference;
pub mod azure_projects;
mod body;
pub mod braintrust;
pub mod claude_code;
pub mod codex;
pub mod crewai;
pub mod gemini_cli;
pub mod genkit;
pub mod github_copilot;
pub mod google_adk;
pub mod handwritten;
pub mod haystack;
pub mod inference_server;
mod instant;
pub mod langchain4j;
pub mod langfuse;
pub mod langsmith;
pub mod langtrace;
pub mod langwatch;
pub mod litellm;
pub mod livekit;
pub mod llama_index;
pub mod llama_stack;
pub mod logfire;
pub mod mastra;
pub mod mcp;
pub mod mlflow;
mod named;
pub mod openinference;
pub mod openlit;
pub mod openllmetry;
pub mod openrouter;
pub mod otel;
pub mod pydantic_ai;
pub mod semantic_kernel;
pub mod sentry;
pub mod spring_ai;
pub mod strands;
pub mod user;
pub mod vercel;
pub mod voltagent;

use super::field::Field;
use super::operation::{Operation, Seen};
use super::values::Table;

/// All built-in dialects, more specific ones first. [`user`] mappings stand before them.
pub static BUILT_IN: &[&Dialect] = &[
    &agent_framework::AGENT_FRAMEWORK,
    &anthropic_sdk::ANTHROPIC_SDK,
    &autogen::AUTOGEN,
    &azure_inference::AZURE_INFERENCE,
    &azure_projects::AZURE_PROJECTS,
    &braintrust::BRAINTRUST,
    &claude_code::CLAUDE_CODE,
    &codex::CODEX,
    &crewai::CREWAI,
    &gemini_cli::GEMINI_CLI,
    &genkit::GENKIT,
    &github_copilot::GITHUB_COPILOT,
    &google_adk::GOOGLE_ADK,
    &haystack::HAYSTACK,
    &inference_server::SGLANG,
    &inference_server::VLLM,
    &langchain4j::LANGCHAIN4J,
    &langfuse::LANGFUSE,
    &langsmith::LANGSMITH,
    &langtrace::LANGTRACE,
    &langwatch::LANGWATCH,
    &litellm::LITELLM,
    &livekit::LIVEKIT,
    &llama_index::LLAMA_INDEX,
    &llama_stack::LLAMA_STACK,
    &mastra::MASTRA,
    &logfire::LOGFIRE,
    &mcp::MCP,
    &mlflow::MLFLOW,
    &openinference::OPENINFERENCE,
    &openlit::OPENLIT,
    &openllmetry::OPENLLMETRY,
    &openrouter::OPENROUTER,
    &pydantic_ai::PYDANTIC_AI,
    &spring_ai::SPRING_AI,
    &vercel::VERCEL,
    &voltagent::VOLTAGENT,
    &sentry::SENTRY,
    &semantic_kernel::SEMANTIC_KERNEL,
    &strands::STRANDS,
    &otel::OTEL,
    &handwritten::HANDWRITTEN,
];

/// What one emitter says and how to tell that it is that emitter.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// For people, metric labels and `explain`: `litellm`.
    pub name: &'static str,
    /// What speaks for this dialect.
    pub tells: &'static [Tell],
    /// Its keys, with their meaning.
    pub keys: &'static [Rule],
    /// Its keys with a number in them.
    pub families: &'static [Family],
    /// Its span events that carry content.
    pub events: &'static [EventRule],
    /// Prefixes of keys that stay as they are, each with why. They do not make a span an LLM
    /// operation.
    pub kept: &'static [(&'static str, Reason)],
    /// Prefixes of keys that each hold one variable of a prompt template, under its name.
    pub variables: &'static [&'static str],
    /// Names that the emitter itself gives to its spans of GenAI operations. Only such a name is
    /// replaced by the convention's, and only such a span gets the convention's kind in place of
    /// INTERNAL.
    pub span_names: &'static [SpanName],
    /// Whether texts may hold Python literals (`[{'type': 'text'}]`) in place of JSON.
    pub python: bool,
    /// Whether every text value is the JSON of what is meant (`"\"LLM\""`, `"12"`).
    pub json: bool,
    /// How the emitter counts tokens, where the numbers themselves do not prove it.
    pub counts: Counts,
    /// Whether the provider's own numbers are handed through: where nothing else says it, Anthropic's
    /// and Bedrock's input leaves cached tokens out, and Gemini's output the thoughts.
    pub counts_as_provider: bool,
    /// What only this dialect needs: called after all keys were read, if this dialect won.
    pub quirk: Option<Quirk>,
}

/// How an emitter counts tokens. The conventions' input includes what was read from and written to
/// a cache, their output includes reasoning; whoever counts otherwise is repaired, and the number
/// that was reported is noted on the span (see [`Field::UsageReportedInputTokens`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Whether cached tokens are *not* part of the input. `None` if it depends on the provider, or
    /// is not known: then only the numbers decide.
    pub input_excludes_cache: Option<bool>,
    /// Whether reasoning tokens are *not* part of the output.
    pub output_excludes_reasoning: Option<bool>,
}

impl Counts {
    /// Nothing is known.
    pub const UNSAID: Counts = Counts { input_excludes_cache: None, output_excludes_reasoning: None };
    /// As the conventions count.
    pub const INCLUSIVE: Counts = Counts { input_excludes_cache: Some(false), output_excludes_reasoning: Some(false) };
}

/// See [`Dialect::quirk`].
pub type Quirk = for<'a> fn(&mut Operation<'a>, &Seen<'_, 'a>);

impl Dialect {
    /// A dialect that knows nothing yet; for `..Dialect::new("name")`.
    pub const fn new(name: &'static str) -> Dialect {
        Dialect {
            name,
            tells: &[],
            keys: &[],
            families: &[],
            events: &[],
            kept: &[],
            variables: &[],
            span_names: &[],
            python: false,
            json: false,
            counts: Counts::UNSAID,
            counts_as_provider: false,
            quirk: None,
        }
    }
}

/// Something about a span that speaks for a dialect, and how loudly. Use 100 for what nobody else
/// does (the emitter's scope), 20 for a key that is only its own, 1 to 5 for a mere habit, which
/// counts only where nothing louder speaks for another dialect.
#[derive(Debug, Clone, Copy)]
pub struct Tell {
    /// What must be seen.
    pub sign: Sign,
    /// What it adds to the score, once for the span.
    pub weight: u16,
}

/// What a [`Tell`] looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// The scope has this name.
    Scope(&'static str),
    /// The scope's name begins so.
    ScopePrefix(&'static str),
    /// The scope's name begins so, it has a version `0.x` and no schema URL (how OpenLLMetry differs from the
    /// official packages of the same names).
    UnversionedScopePrefix(&'static str),
    /// The scope's name begins so and there is a schema URL.
    SchemaScopePrefix(&'static str),
    /// An attribute with this key.
    Key(&'static str),
    /// An attribute whose key begins so.
    KeyPrefix(&'static str),
    /// A resource attribute with this text.
    Resource(&'static str, &'static str),
    /// The span has this name.
    SpanName(&'static str),
    /// The span's name begins so.
    SpanNamePrefix(&'static str),
}

impl Tell {
    /// The scope has this name.
    pub const fn scope(name: &'static str, weight: u16) -> Tell {
        Tell { sign: Sign::Scope(name), weight }
    }

    /// The scope's name begins so.
    pub const fn scope_prefix(prefix: &'static str, weight: u16) -> Tell {
        Tell { sign: Sign::ScopePrefix(prefix), weight }
    }

    /// An attribute with this key.
    pub const fn key(key: &'static str, weight: u16) -> Tell {
        Tell { sign: Sign::Key(key), weight }
    }

    /// An attribute whose key begins so.
    pub const fn key_prefix(prefix: &'static str, weight: u16) -> Tell {
        Tell { sign: Sign::KeyPrefix(prefix), weight }
    }

    /// A resource attribute with this text.
    pub const fn resource(key: &'static str, value: &'static str, weight: u16) -> Tell {
        Tell { sign: Sign::Resource(key, value), weight }
    }

    /// The span has this name.
    pub const fn span_name(name: &'static str, weight: u16) -> Tell {
        Tell { sign: Sign::SpanName(name), weight }
    }

    /// The span's name begins so.
    pub const fn span_name_prefix(prefix: &'static str, weight: u16) -> Tell {
        Tell { sign: Sign::SpanNamePrefix(prefix), weight }
    }
}

/// One key and what it means.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The attribute's key.
    pub key: &'static str,
    /// What to do with its value.
    pub action: Action,
    /// Translates the value's text first; words that are not in the map pass through.
    pub values: Option<&'static Table>,
    /// The key says too little by itself (`prompt_tokens`): it counts only on a span that is not
    /// SERVER, that has a model, the sibling count or a total under a longer name, and none of whose
    /// children in the batch has usage.
    pub guarded: bool,
    /// The key is a word that anybody may use (`output`, `url`, `input_tokens`): it means this only on
    /// a span on which something else speaks for the dialect, and is foreign on all others.
    pub own: bool,
    /// Where the dialect leads, this key is believed before the target's own name of the field: the
    /// emitter is known to guess what it writes there.
    pub corrects: bool,
}

impl Rule {
    /// A key and any action.
    pub const fn new(key: &'static str, action: Action) -> Rule {
        Rule { key, action, values: None, guarded: false, own: false, corrects: false }
    }

    /// The key says a field.
    pub const fn field(key: &'static str, field: Field) -> Rule {
        Rule::new(key, Action::Field(field))
    }

    /// The key says a field in the emitter's words.
    pub const fn mapped(key: &'static str, field: Field, values: &'static Table) -> Rule {
        Rule { values: Some(values), ..Rule::field(key, field) }
    }

    /// The key says a field, but only under the guard.
    pub const fn guarded(key: &'static str, field: Field) -> Rule {
        Rule { guarded: true, ..Rule::field(key, field) }
    }

    /// A common word that means something only where the dialect speaks (see [`Rule::own`]).
    pub const fn own(key: &'static str, action: Action) -> Rule {
        Rule { own: true, ..Rule::new(key, action) }
    }

    /// The key stays, and this is why.
    pub const fn keep(key: &'static str, reason: Reason) -> Rule {
        Rule::new(key, Action::Keep(reason))
    }
}

/// What a key's value is to an operation.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Says the field, whole; the key goes once the field is written.
    Field(Field),
    /// Says the field among other things, or only perhaps: it is taken if nothing else says the
    /// field, and the key stays.
    Copy(Field),
    /// The total of input and output tokens, for which no target has a word.
    Total,
    /// Input messages: JSON of any known shape, or one user's text.
    Input,
    /// Output messages: JSON of any known shape, or one assistant's text.
    Output,
    /// Messages of the list if they are JSON of any known shape of messages; anything else stays.
    Messages(List),
    /// The body of a request (input) or of an answer (output), whole: messages, and the instructions and
    /// the tools beside them. What else it says is read by these rules, as members of an object; the key
    /// goes if nothing is left. What is no body is one message.
    Body(List, &'static [Rule]),
    /// System instructions that were passed apart from the messages.
    Instructions,
    /// Tool definitions as JSON.
    Tools,
    /// Retrieved documents as JSON.
    Documents,
    /// A piece of the only message of the list, in a key of its own (`ai.response.text`). All such
    /// keys of a dialect and a list make one message.
    Piece(List, Piece),
    /// An object, as JSON or structured, of which the members mean something: the keys of these rules
    /// are paths in it (`usage.input_tokens`, `choices.0.id`). The key goes if all its members are
    /// expressed, or stand on the span as attributes of their own. A rule with the empty key says what a
    /// value means that is no object, one with the key `*` what an object means that has none of the
    /// members of the others.
    Members(&'static [Rule]),
    /// Means what stands beside the operation's name, or beside the empty text for any other; without
    /// either it stays. Such a key (`input.value`) is believed after all others.
    ByOperation(&'static [(&'static str, Action)]),
    /// Means what stands beside the first prefix that the span's name begins with; otherwise it stays.
    /// For emitters that write the same keys on every span and say in its name which one it is.
    BySpanName(&'static [(&'static str, Action)]),
    /// Variables of a prompt template: an object from their names to their values.
    Variables,
    /// A whole usage object as text: JSON, a Python literal or a Python class' representation.
    Usage,
    /// An URL that was called: gives server address and port; stays if it says more.
    Url,
    /// Where the value is this text, it says nothing, and goes; any other value stays.
    Sentinel(&'static str),
    /// Stays.
    Keep(Reason),
    /// Stays, for no target has words for it, but makes the span an operation, if the quirk says which.
    Marks,
    /// Anything else. The function may offer facts to the operation and returns what becomes of
    /// the key.
    Read(Read),
}

/// See [`Action::Read`].
pub type Read = for<'a> fn(&mut Operation<'a>, &crate::otlp::value::Value<'a>) -> Verdict;

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All that it said is in the operation: it may go.
    Expressed,
    /// As [`Verdict::Expressed`], after a repair.
    Repaired(Reason),
    /// It said nothing: it may go.
    Discarded(Reason),
    /// It stays.
    Kept(Reason),
}

/// Why a key stays, or goes without being expressed. A bounded set: these are metric labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// No reason needed: it is expressed.
    None,
    /// Already in the target's words.
    Current,
    /// No target has words for it, or this one has not.
    NoHome,
    /// Something else that was said before it says otherwise.
    Conflict,
    /// The value is not of the type that it should be.
    Uncoercible,
    /// An unknown key under a known prefix.
    Unknown,
    /// Part of it was expressed; it says more.
    SaysMore,
    /// The guard of a bare key did not let it through.
    Guarded,
    /// Empty, or a word for nothing.
    Empty,
    /// A total that is the sum of input and output.
    Redundant,
    /// A total above the sum of input and output.
    AboveSum,
    /// A total below the sum of input and output.
    BelowSum,
    /// Content in a shape that nobody knows.
    Shape,
    /// A copy of what another span says.
    Copy,
    /// Expressed after a repair: cached tokens were added to the input.
    InputWithoutCache,
    /// Expressed after a repair: reasoning tokens were added to the output.
    OutputWithoutReasoning,
    /// A zero that stands for "nothing was reported".
    ZeroUsage,
}

impl Reason {
    /// All reasons, in the order of their declaration.
    pub const ALL: [Reason; 17] = [
        Reason::None,
        Reason::Current,
        Reason::NoHome,
        Reason::Conflict,
        Reason::Uncoercible,
        Reason::Unknown,
        Reason::SaysMore,
        Reason::Guarded,
        Reason::Empty,
        Reason::Redundant,
        Reason::AboveSum,
        Reason::BelowSum,
        Reason::Shape,
        Reason::Copy,
        Reason::InputWithoutCache,
        Reason::OutputWithoutReasoning,
        Reason::ZeroUsage,
    ];

    /// Whether a count was made whole.
    pub(in crate::genai) const fn is_repair(self) -> bool {
        matches!(self, Reason::InputWithoutCache | Reason::OutputWithoutReasoning)
    }

    /// As a metric label.
    pub const fn name(self) -> &'static str {
        match self {
            Reason::None => "",
            Reason::Current => "current",
            Reason::NoHome => "no_home",
            Reason::Conflict => "conflict",
            Reason::Uncoercible => "uncoercible",
            Reason::Unknown => "unknown",
            Reason::SaysMore => "says_more",
            Reason::Guarded => "guarded",
            Reason::Empty => "empty",
            Reason::Redundant => "redundant",
            Reason::AboveSum => "above_sum",
            Reason::BelowSum => "below_sum",
            Reason::Shape => "shape",
            Reason::Copy => "copy",
            Reason::InputWithoutCache => "input_without_cache",
            Reason::OutputWithoutReasoning => "output_without_reasoning",
            Reason::ZeroUsage => "zero_usage",
        }
    }
}

/// Keys of the form `{prefix}{number}.{piece}`, folded into one list. Numbers sort as numbers and
/// may have gaps; a second segment that is no number is not the family's.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// With its dot: `gen_ai.prompt.`.
    pub prefix: &'static str,
    /// Which list the pieces make.
    pub list: List,
    /// What may follow the number and its dot; `#` stands for an inner number, the empty text for
    /// nothing at all (`gen_ai.completion.0` itself). A piece that is not here is kept as unknown.
    pub pieces: &'static [(&'static str, Piece)],
    /// Pieces that may follow the prefix without a number, meaning number 0.
    pub unindexed: &'static [(&'static str, Piece)],
}

/// A list that pieces are folded into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// Input messages.
    Input,
    /// Output messages.
    Output,
    /// Tool definitions.
    Tools,
    /// Retrieved documents.
    Documents,
}

/// A piece of a message, or of a tool definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// The message's role.
    Role,
    /// The participant's name.
    Name,
    /// The message's content: text, or JSON of content blocks.
    Content,
    /// The text of a user's message: role and content in one.
    UserText,
    /// Why generation ended, in the provider's words.
    FinishReason,
    /// What the model thought: text, or JSON of blocks with text.
    Reasoning,
    /// The model's refusal.
    Refusal,
    /// The call that this message (role `tool`) answers.
    ToolCallId,
    /// A list of tool calls as JSON, in any provider's shape.
    Calls,
    /// More of the content: a JSON list of content blocks, such as generated files.
    Blocks,
    /// The `#`-th of more content blocks, as JSON.
    BlockJson,
    /// A member of the `#`-th content block, by the name that it has in the block's JSON: `type`,
    /// `text`, `url`, ...
    Block(&'static str),
    /// The `#`-th tool call's id (number 0 without `#`).
    CallId,
    /// The `#`-th tool call's name.
    CallName,
    /// The `#`-th tool call's arguments, JSON text if the source allows it.
    CallArguments,
    /// The `#`-th tool call's type: said by the part itself.
    CallType,
    /// What else is said of the `#`-th tool call, under this name, which no schema knows.
    CallMember(&'static str),
    /// A tool call's name, where the family's number counts the tool calls of the only choice.
    ChoiceCallName,
    /// As [`Piece::ChoiceCallName`]: the arguments.
    ChoiceCallArguments,
    /// A tool's name.
    ToolName,
    /// A tool's description.
    ToolDescription,
    /// A tool's parameters, JSON text.
    ToolParameters,
    /// A tool's type.
    ToolType,
    /// A whole tool definition, JSON in any provider's shape.
    ToolJson,
    /// A document's id.
    DocumentId,
    /// A document's score.
    DocumentScore,
    /// A document's text.
    DocumentContent,
    /// A document's metadata, JSON.
    DocumentMetadata,
    /// A vector, of which only the number of dimensions is said; what the list is does not matter.
    Vector,
    /// Stays.
    Keep(Reason),
}

/// A span event that says something of the operation.
#[derive(Debug, Clone, Copy)]
pub struct EventRule {
    /// The event's name; `name*` stands for all that begin so.
    pub name: &'static str,
    /// What it is.
    pub action: EventAction,
}

impl EventRule {
    /// A message.
    pub const fn message(
        name: &'static str,
        list: List,
        role: &'static str,
        content: &'static [&'static str],
    ) -> EventRule {
        EventRule { name, action: EventAction::Message(EventMessage { list, role, content }) }
    }

    /// Attributes that could stand on the span as well.
    pub const fn attributes(name: &'static str) -> EventRule {
        EventRule { name, action: EventAction::Attributes }
    }

    /// A chunk of a streamed answer.
    pub const fn chunk(name: &'static str) -> EventRule {
        EventRule { name, action: EventAction::Chunk }
    }

    /// Attributes that mean something on this event only.
    pub const fn rules(name: &'static str, rules: &'static [Rule]) -> EventRule {
        EventRule { name, action: EventAction::Rules(rules) }
    }

    /// Whether an event of this name is meant.
    pub fn matches(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => self.name == name,
        }
    }
}

/// What a span event is.
#[derive(Debug, Clone, Copy)]
pub enum EventAction {
    /// A message.
    Message(EventMessage),
    /// Its attributes mean what they would mean on the span, where they are read after those of the
    /// span itself. It goes once all of them are expressed.
    Attributes,
    /// A chunk of a streamed answer: how long after the span's start the first one came is said where
    /// nothing else says it. The events stay.
    Chunk,
    /// As [`EventAction::Attributes`], by rules that hold on this event only: what `value` means, its
    /// name says.
    Rules(&'static [Rule]),
}

/// How an event holds a message. Log events of the same name hold it in their body as well.
#[derive(Debug, Clone, Copy)]
pub struct EventMessage {
    /// The list that the message belongs to.
    pub list: List,
    /// The role of the message where the event says none.
    pub role: &'static str,
    /// The attributes that hold it, first found first; an event with none of them stays.
    pub content: &'static [&'static str],
}

/// A name that an emitter gives to its own spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanName {
    /// This name.
    Exact(&'static str),
    /// A name that begins so.
    Prefix(&'static str),
    /// A name that ends so.
    Suffix(&'static str),
    /// Any name: all spans on which something speaks for the dialect are the emitter's own.
    Any,
    /// Any name in a scope whose name begins so.
    InScope(&'static str),
    /// A name that begins so, on a span with this attribute: the name that takes its place says it.
    With(&'static str, &'static str),
}

impl SpanName {
    /// Whether `name`, in a scope of this name and on a span of which `has` says what attributes it
    /// has, is one of these.
    pub fn matches(self, name: &str, scope_name: &str, has: impl Fn(&str) -> bool) -> bool {
        match self {
            SpanName::Exact(exact) => name == exact,
            SpanName::Prefix(prefix) => name.starts_with(prefix),
            SpanName::Suffix(suffix) => name.ends_with(suffix),
            SpanName::Any => true,
            SpanName::InScope(prefix) => scope_name.starts_with(prefix),
            SpanName::With(prefix, key) => name.starts_with(prefix) && has(key),
        }
    }
}

#[cfg(test)]
mod coverage {
    use super::*;
    use crate::genai::index::{Found, Index};

    /// Those of `keys` that no rule, family or deliberate prefix knows.
    pub(super) fn unknown<'k>(keys: &[&'k str]) -> Vec<&'k str> {
        let index = Index::new(Vec::new(), BUILT_IN);
        let is_known = |key: &str| match index.find(key) {
            Found::Entry(_) => true,
            Found::Member(member) => index
                .families
                .get(member.family)
                .is_some_and(|entry| entry.families.iter().any(|family| family.piece(&member).is_some())),
            Found::Kept(_, reason) => reason != Reason::Unknown,
            Found::OnEvent(_) | Found::Foreign => false,
        };
        keys.iter().copied().filter(|key| !is_known(key)).collect()
    }

    /// A dialect that is named twice is its own runner-up, and no span is clearly its own.
    #[test]
    fn every_dialect_is_listed_once() {
        let mut names: Vec<_> = BUILT_IN.iter().map(|dialect| dialect.name).collect();
        names.sort_unstable();
        let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}
