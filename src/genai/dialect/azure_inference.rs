//! Azure AI Inference, the client for models in Azure AI Foundry and on GitHub.
//!
//! Messages are span events, read as official OpenTelemetry's. Where the client does not know the model
//! it writes `chat`, and where it does not know why a generation ended, `none`. Its neighbour for agents
//! and projects is [`super::azure_projects`].

use super::{Dialect, Reason, Rule, Tell};
use crate::genai::field::Field;
use crate::genai::operation::{Operation, Scalar, Seen};
use crate::genai::values;

/// The dialect's name.
pub const NAME: &str = "azure-ai-inference";

/// The dialect.
pub static AZURE_INFERENCE: Dialect = Dialect {
    tells: &[
        Tell::scope_prefix("azure.ai.inference", 100),
        Tell::scope_prefix("Azure.AI.Inference", 100),
        // Clients of other Azure services have these as well, and none of the keys below.
        Tell::key("az.namespace", 20),
        Tell::key("azure.resource_provider.namespace", 20),
    ],
    keys: &[
        Rule::mapped("gen_ai.system", Field::ProviderName, values::PROVIDER),
        Rule::mapped("gen_ai.request.model", Field::RequestModel, &MODEL),
        Rule::mapped("gen_ai.response.finish_reasons", Field::ResponseFinishReasons, &FINISH_REASON),
        Rule::keep("az.client_request_id", Reason::NoHome),
    ],
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

/// The name of the operation stands in for a model that is not known.
static MODEL: [(&str, Option<&str>); 1] = [("chat", None)];

/// What stands there where nothing is known.
static FINISH_REASON: [(&str, Option<&str>); 2] = [("none", None), ("unknown", None)];

/// One client for all models of Azure: the host tells those of Azure OpenAI.
fn quirk<'a>(operation: &mut Operation<'a>, _: &Seen<'_, 'a>) {
    let is_openai = operation.text(Field::ServerAddress).is_some_and(|address| address.ends_with(".openai.azure.com"));
    if is_openai
        && !operation.is_current(Field::ProviderName)
        && operation.text(Field::ProviderName) == Some("azure.ai.inference")
    {
        operation.set(Field::ProviderName, Scalar::Str("azure.ai.openai".into()));
    }
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "gen_ai.system",
            "gen_ai.request.model",
            "gen_ai.response.finish_reasons",
            "az.namespace",
            "az.client_request_id",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}
