//! Metrics that applications send by themselves, put into a target's words: what a metric *is*, which
//! names emitters have for it ([`dialect`]), which names targets have ([`convention`]), and the one
//! place where they meet ([`translate`]).
//!
//! What spans say is the rest of [`crate::genai`]; metrics that are derived from spans are
//! [`crate::metrics`]'. A number is never computed here: a histogram stays a histogram with its bounds,
//! a sum a sum, and what a target has no words for passes as it came.

mod attributes;
pub mod convention;
pub mod dialect;
pub mod explain;
mod totals;
pub mod translate;

pub use translate::{Fate, Fates, Translator};

/// Which way tokens went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the model.
    Input,
    /// From the model.
    Output,
}

/// What is measured, whoever says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Tokens of each operation, a distribution.
    Tokens(Direction),
    /// Tokens altogether, a sum.
    TokenTotal(Direction),
    /// Input tokens that a provider's cache gave, a sum.
    CacheReadTotal,
    /// Input tokens that went to a provider's cache, a sum.
    CacheWriteTotal,
    /// Output tokens for reasoning, a sum.
    ReasoningTotal,
    /// How long chats, generations and completions took.
    InferenceDuration,
    /// How long other operations of a client took.
    OperationDuration,
    /// From a request to the first chunk of its answer.
    TimeToFirstChunk,
    /// Between two chunks.
    TimePerOutputChunk,
    /// How long workflows took.
    WorkflowDuration,
    /// What a target knows and no emitter says otherwise.
    Other(&'static str),
}

/// What an emitter's metric measures, as far as its name says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// Tokens; a histogram's are those of an operation, a sum's are a total. Without a direction each
    /// point says it.
    Tokens(Option<Direction>),
    /// How long operations took; each point says which operation.
    Duration,
    /// This.
    Is(Measure),
    /// Something that no target has words for.
    Nothing,
}

/// Why a data point was kept under its name, discarded, or expressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// No reason needed: it is expressed.
    None,
    /// It stood in the target's words already.
    Current,
    /// The target has no words for it.
    NoHome,
    /// The target measures this with another instrument: a sum cannot become a histogram.
    Instrument,
    /// It is measured in another unit, and numbers are not converted.
    Unit,
    /// It does not say which way its tokens went.
    Direction,
    /// It does not say of which operation it is, or names one that the conventions do not know.
    Operation,
    /// The emitter says the same under the target's name too.
    Conflict,
    /// `originals: keep`: it was given the target's attributes and stays under its name.
    Originals,
    /// A metric of more data points than are looked at.
    TooMany,
    /// A total that is the sum of the input and output beside it.
    Redundant,
    /// The metric of this name is derived from the service's spans.
    Derived,
    /// Another scope of the service says the same.
    SecondScope,
}

impl Reason {
    /// As a metric label.
    pub const fn name(self) -> &'static str {
        match self {
            Reason::None => "",
            Reason::Current => "current",
            Reason::NoHome => "no_home",
            Reason::Instrument => "instrument",
            Reason::Unit => "unit",
            Reason::Direction => "direction",
            Reason::Operation => "operation",
            Reason::Conflict => "conflict",
            Reason::Originals => "originals",
            Reason::TooMany => "too_many",
            Reason::Redundant => "redundant",
            Reason::Derived => "derived",
            Reason::SecondScope => "second_scope",
        }
    }

    /// In the words of `docs/metrics.md`, for people.
    pub const fn because(self) -> &'static str {
        match self {
            Reason::None => "it goes to the metric that the target has for it",
            Reason::Current => "it stood in the target's words already",
            Reason::NoHome => "the target has no words for it",
            Reason::Instrument => "the target measures it with another instrument",
            Reason::Unit => "it is measured in another unit, and numbers are not converted",
            Reason::Direction => "it does not say which way its tokens went",
            Reason::Operation => "it does not say of which operation it is, or of one that the conventions do not know",
            Reason::Conflict => "its scope says the same under the target's name, too",
            Reason::Originals => "originals: keep; it was given the target's attributes and stays under its name",
            Reason::TooMany => "its metric has more points than are looked at",
            Reason::Redundant => "a total beside the input and output that it is the sum of",
            Reason::Derived => "the metric of this name is derived from the service's spans (native_metrics: replace)",
            Reason::SecondScope => "another scope of the service says the same (native_metrics: defer)",
        }
    }
}
