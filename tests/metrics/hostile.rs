//! Whatever a client sends: no panic, no point lost, and what came out is a request.

use bytes::Bytes;
use dragoman::otlp::Signal;
use dragoman::otlp::check::check;
use dragoman::otlp::metrics::metric::MAX_POINTS;
use opentelemetry_proto::tonic::metrics::v1::NumberDataPoint;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::stage::{all_settings, histogram, metrics, request, sum, translate};

const NAMES: [&str; 12] = [
    "gen_ai.client.token.usage",
    "gen_ai.client.operation.duration",
    "gen_ai.client.inference.duration",
    "gen_ai.client.inference.operation.input_tokens",
    "gen_ai.usage.input_tokens",
    "llm.openai.chat_completions.tokens",
    "llm.openai.chat_completions.duration",
    "prompt_tokens",
    "gen_ai.workflow.duration",
    "gen_ai.",
    "http.server.duration",
    "",
];
const UNITS: [&str; 5] = ["{token}", "token", "s", "ms", ""];
const KEYS: [&str; 11] = [
    "hidden_params",
    "traceloop.workflow.name",
    "gen_ai.system",
    "gen_ai.provider.name",
    "gen_ai.operation.name",
    "gen_ai.token.type",
    "llm.usage.token_type",
    "llm.response.model",
    "gen_ai.response.model",
    "model_id",
    "",
];
const WORDS: [&str; 9] = ["OpenAI", "openai", "Langchain", "chat", "embedding", "input", "completion", "total", ""];

type Drawn = (usize, usize, bool, Vec<(i64, Vec<(usize, usize)>)>);

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let labels = vec((0..KEYS.len(), 0..WORDS.len()), 0..6);
    let points = vec((0..1000i64, labels), 0..5);
    vec((0..NAMES.len(), 0..UNITS.len(), any::<bool>(), points), 0..5)
}

fn build(drawn: &[Drawn], scope: &str) -> Bytes {
    let metric = |(name, unit, is_sum, points): &Drawn| {
        let labels: Vec<Vec<(&str, &str)>> = points
            .iter()
            .map(|(_, labels)| labels.iter().map(|(key, word)| (KEYS[*key], WORDS[*word])).collect())
            .collect();
        let (name, unit) = (NAMES[*name], UNITS[*unit]);
        if *is_sum {
            let points: Vec<_> = points.iter().zip(&labels).map(|((n, _), labels)| (*n, &labels[..])).collect();
            sum(name, unit, &points)
        } else {
            let points: Vec<_> = points.iter().zip(&labels).map(|((n, _), labels)| (*n as f64, &labels[..])).collect();
            histogram(name, unit, &points)
        }
    };
    request("shop", scope, drawn.iter().map(metric).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn translation_is_idempotent_and_keeps_every_point(drawn in drawn(), scope in 0..4usize) {
        let body = build(&drawn, ["", "litellm", "openlit.x", "opentelemetry.instrumentation.openai.v1"][scope]);
        for settings in all_settings() {
            let (once, fates) = translate(&settings, &body);
            prop_assert_eq!(check(Signal::Metrics, &once.body).unwrap(), once.kept);
            let redundant: u64 = fates.iter().filter(|(fate, _)| fate.1 == "discarded").map(|(_, points)| points).sum();
            prop_assert_eq!(once.kept + redundant as usize, once.received);
            let (twice, _) = translate(&settings, &once.body);
            prop_assert_eq!(&twice.body, &once.body);
        }
    }

    #[test]
    fn what_is_damaged_is_refused_or_a_request(drawn in drawn(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = build(&drawn, "").to_vec();
        let place = place.index(body.len());
        body[place] = byte;
        let body = Bytes::from(body);
        if let Ok(points) = check(Signal::Metrics, &body) {
            for settings in all_settings() {
                let (outcome, _) = translate(&settings, &body);
                prop_assert_eq!(outcome.received, points);
                prop_assert_eq!(check(Signal::Metrics, &outcome.body).unwrap(), outcome.kept);
            }
        }
    }
}

#[test]
fn a_metric_of_too_many_points_passes_as_it_came_and_is_counted() {
    let mut many = sum("llm.openai.chat_completions.tokens", "token", &[]);
    let Some(Data::Sum(data)) = &mut many.data else { panic!("{many:?}") };
    data.data_points = vec![NumberDataPoint::default(); MAX_POINTS + 1];
    let body = request("shop", "", vec![many]);
    let (outcome, fates) = translate(&all_settings()[2], &body);
    assert_eq!(outcome.body.as_ptr(), body.as_ptr());
    assert_eq!(fates.len(), 1);
    assert_eq!((fates[0].0.2.name(), fates[0].1), ("too_many", MAX_POINTS as u64 + 1));
    assert_eq!(metrics(&body).len(), 1);
}
