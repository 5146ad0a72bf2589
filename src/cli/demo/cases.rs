//! What the demo sends: requests that unmodified instrumentation libraries exported, byte for byte
//! as `tests/corpus/<emitter>/<case>/` holds them (22 KB in all, accounts included), each with the
//! token usage that the provider returned and will bill. Each `case.json` says how it was recorded.

use serde::Deserialize;

use super::tokens::Tokens;

/// How a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    Http,
    Grpc,
}

/// Recorded traffic.
#[derive(Debug)]
pub(super) struct Case {
    /// What it is, in a few words.
    pub(super) title: &'static str,
    /// The export requests, in the order in which they were recorded.
    pub(super) requests: &'static [(Over, &'static [u8])],
    /// The recording's account; `None` for traffic that repeats what was sent before.
    account: Option<&'static str>,
}

macro_rules! corpus {
    ($path:literal) => {
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/", $path)
    };
}

/// LiteLLM's proxy in front of ollama.
pub(super) const LITELLM: Case = Case {
    title: "LiteLLM 1.40 proxy before ollama",
    requests: &[(Over::Http, include_bytes!(corpus!("litellm-proxy-1.40.18/codegemma_seed/00.traces.pb")))],
    account: Some(include_str!(corpus!("litellm-proxy-1.40.18/codegemma_seed/case.json"))),
};

/// A stream that ends in two tool calls.
pub(super) const OPENLLMETRY: Case = Case {
    title: "OpenLLMetry 0.49, a stream with tool calls",
    requests: &[(Over::Grpc, include_bytes!(corpus!("openllmetry-0.49.6/tools_stream/01.traces.pb")))],
    account: Some(include_str!(corpus!("openllmetry-0.49.6/tools_stream/case.json"))),
};

const PROXY: &[u8] = include_bytes!(corpus!("app+litellm-proxy-1.65.8/app_chat_linked/03.traces.pb"));

/// One call that two programs report, each in a span of the same trace.
pub(super) const BOTH_SIDES: Case = Case {
    title: "an app and its LiteLLM proxy, both report",
    requests: &[
        (Over::Grpc, include_bytes!(corpus!("app+litellm-proxy-1.65.8/app_chat_linked/02.traces.pb"))),
        (Over::Http, PROXY),
    ],
    account: Some(include_str!(corpus!("app+litellm-proxy-1.65.8/app_chat_linked/case.json"))),
};

/// The proxy's export once more, as after a timeout.
pub(super) const AGAIN: Case =
    Case { title: "the proxy exports it again", requests: &[(Over::Http, PROXY)], account: None };

/// A service that writes to sqlite, Postgres and redis, and asks a model three times.
pub(super) const SERVICE: Case = Case {
    title: "a web service with three databases",
    requests: &[(Over::Http, include_bytes!(corpus!("app-otel-0.66b1-default/chat_mixed/00.traces.pb")))],
    account: Some(include_str!(corpus!("app-otel-0.66b1-default/chat_mixed/case.json"))),
};

/// In the order in which they are sent.
pub(super) const ALL: [&Case; 5] = [&LITELLM, &OPENLLMETRY, &BOTH_SIDES, &AGAIN, &SERVICE];

impl Case {
    /// What the provider bills for it.
    ///
    /// # Errors
    /// An account that does not say it.
    pub(super) fn billed(&self) -> Result<Tokens, String> {
        #[derive(Deserialize)]
        struct Account {
            provider_tokens: Tokens,
        }
        let Some(account) = self.account else { return Ok(Tokens::default()) };
        let account: Account = serde_json::from_str(account)
            .map_err(|error| format!("the account of \"{}\" cannot be read: {error}", self.title))?;
        Ok(account.provider_tokens)
    }
}
