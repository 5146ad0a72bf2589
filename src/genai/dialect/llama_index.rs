//! LlamaIndex' own package. What most people use is OpenInference or
//! OpenLLMetry; this one writes its events' members as they are, in no words of any convention. They stay,
//! and its spans keep their names. With its option for current names it writes those.

use super::{Dialect, Reason, Tell};

/// The dialect's name.
pub const NAME: &str = "llama-index";

/// The dialect.
pub static LLAMA_INDEX: Dialect = Dialect {
    tells: &[Tell::scope("llamaindex.opentelemetry.tracer", 100)],
    kept: &[("llama_index.", Reason::NoHome), ("llamaindex.", Reason::NoHome)],
    ..Dialect::new(NAME)
};
