//! Official OpenTelemetry: metrics that never were in a release, and every attribute that data points
//! ever had under another name. These attributes hold for every dialect.

use super::{Attribute, Dialect, Row};
use crate::genai::metric::convention::TOKEN_TYPE;
use crate::genai::metric::{Measure, Says};
use crate::genai::values;

/// The dialect.
pub(super) static OTEL: Dialect = Dialect {
    metrics: &[Row::new("gen_ai.workflow.duration", Says::Is(Measure::WorkflowDuration))],
    kept: &["gen_ai."],
    attributes: &[
        // 1.37.0
        Attribute::mapped("gen_ai.system", "gen_ai.provider.name", values::PROVIDER),
        Attribute::renamed("gen_ai.openai.request.service_tier", "openai.request.service_tier"),
        Attribute::renamed("gen_ai.openai.response.service_tier", "openai.response.service_tier"),
        Attribute::renamed("gen_ai.openai.response.system_fingerprint", "openai.response.system_fingerprint"),
        // 1.35.0
        Attribute::renamed("az.namespace", "azure.resource_provider.namespace"),
        // 1.31.0: the registry's word for output was `completion` by mistake.
        Attribute::reworded(TOKEN_TYPE, values::TOKEN_TYPE),
        // The draft of March 2024.
        Attribute::mapped("gen_ai.llm.system", "gen_ai.provider.name", values::PROVIDER),
        Attribute::renamed("gen_ai.llm.request.model", "gen_ai.request.model"),
        Attribute::renamed("gen_ai.llm.response.model", "gen_ai.response.model"),
        // The draft of January 2024.
        Attribute::mapped("llm.vendor", "gen_ai.provider.name", values::PROVIDER),
        Attribute::mapped("llm.system", "gen_ai.provider.name", values::PROVIDER),
        Attribute::renamed("llm.request.model", "gen_ai.request.model"),
        Attribute::renamed("llm.response.model", "gen_ai.response.model"),
        Attribute::mapped("llm.usage.token_type", TOKEN_TYPE, values::TOKEN_TYPE),
    ],
    ..Dialect::new("otel")
};
