//! What is said of each emitter's metrics, one by one.

use bytes::Bytes;
use dragoman::genai::settings::{Genai, Originals, Target};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;

use crate::stage::{histogram, metrics, request, said, sum, to, translate};

const OPENAI: &str = "opentelemetry.instrumentation.openai.v1";

type Count = (&'static str, &'static str, &'static str, u64);

/// The lines of a translated request, and what became of its points.
fn read(target: Target, body: &Bytes) -> (Vec<String>, Vec<Count>) {
    let (outcome, fates) = translate(&to(target), body);
    let fates = fates.into_iter().map(|((dialect, outcome, reason), points)| (dialect, outcome, reason.name(), points));
    (said(&outcome.body), fates.collect())
}

#[test]
fn one_histogram_by_token_type_is_two_by_name() {
    let both = histogram(
        "gen_ai.client.token.usage",
        "{token}",
        &[
            (17.0, &[("gen_ai.provider.name", "openai"), ("gen_ai.token.type", "input")]),
            (9.0, &[("gen_ai.token.type", "output"), ("gen_ai.provider.name", "openai")]),
        ],
    );
    let body = request("shop", "any", vec![both]);
    let (lines, fates) = read(Target::Main, &body);
    assert_eq!(
        lines,
        [
            "gen_ai.client.inference.operation.input_tokens {token} 17 gen_ai.provider.name=openai",
            "gen_ai.client.inference.operation.output_tokens {token} 9 gen_ai.provider.name=openai",
        ]
    );
    assert_eq!(fates, [("otel", "expressed", "", 2)]);
    // Each has all else that the one had.
    let (outcome, _) = translate(&to(Target::Main), &body);
    for (.., metric) in metrics(&outcome.body) {
        let Some(Data::Histogram(histogram)) = metric.data else { panic!("{metric:?}") };
        assert_eq!(histogram.aggregation_temporality, 2);
        assert_eq!(histogram.data_points[0].explicit_bounds, [5.0]);
    }
    let (lines, fates) = read(Target::V1_41, &body);
    assert_eq!(lines, said(&body));
    assert_eq!(fates, [("otel", "expressed", "current", 2)]);
}

#[test]
fn a_duration_is_of_inference_or_of_another_operation_or_not_to_be_told() {
    let duration = histogram(
        "gen_ai.client.operation.duration",
        "s",
        &[
            (1.0, &[("gen_ai.operation.name", "chat")]),
            (2.0, &[("gen_ai.operation.name", "embeddings")]),
            (3.0, &[("gen_ai.operation.name", "rerank")]),
            (4.0, &[("gen_ai.provider.name", "openai")]),
        ],
    );
    let (lines, fates) = read(Target::Main, &request("shop", "any", vec![duration]));
    assert_eq!(
        lines,
        [
            "gen_ai.client.operation.duration s 2 gen_ai.operation.name=embeddings",
            "gen_ai.client.operation.duration s 3 gen_ai.operation.name=rerank",
            "gen_ai.client.operation.duration s 4 gen_ai.provider.name=openai",
            "gen_ai.client.inference.duration s 1 gen_ai.operation.name=chat",
        ]
    );
    assert_eq!(
        fates,
        [("otel", "expressed", "", 1), ("otel", "expressed", "current", 1), ("otel", "kept", "operation", 2)]
    );
}

#[test]
fn an_emitter_that_speaks_both_conventions_is_not_translated_into_saying_it_twice() {
    let old = histogram(
        "gen_ai.client.operation.duration",
        "s",
        &[(1.0, &[("gen_ai.operation.name", "chat")]), (2.0, &[("gen_ai.operation.name", "text_completion")])],
    );
    let new = histogram("gen_ai.client.inference.duration", "s", &[(1.0, &[("gen_ai.operation.name", "chat")])]);
    let (lines, fates) = read(Target::Main, &request("shop", "any", vec![old, new]));
    assert_eq!(
        lines,
        [
            "gen_ai.client.operation.duration s 1 gen_ai.operation.name=chat",
            "gen_ai.client.inference.duration s 2 gen_ai.operation.name=text_completion",
            "gen_ai.client.inference.duration s 1 gen_ai.operation.name=chat",
        ]
    );
    assert!(fates.contains(&("otel", "kept", "conflict", 1)), "{fates:?}");
}

#[test]
fn the_first_openllmetry_counted_in_sums() {
    let tokens = sum(
        "llm.openai.chat_completions.tokens",
        "token",
        &[
            (17, &[("llm.response.model", "gpt-4o"), ("llm.usage.token_type", "prompt")]),
            (9, &[("llm.response.model", "gpt-4o"), ("llm.usage.token_type", "completion")]),
        ],
    );
    let duration =
        histogram("llm.openai.embeddings.duration", "s", &[(0.5, &[("llm.response.model", "text-embedding-3")])]);
    let choices = sum("llm.openai.chat_completions.choices", "choice", &[(1, &[("llm.response.model", "gpt-4o")])]);
    let body = request("shop", OPENAI, vec![tokens, duration, choices]);
    let (lines, fates) = read(Target::Main, &body);
    let rest = "gen_ai.operation.name=chat gen_ai.provider.name=openai gen_ai.token.modality=unknown";
    assert_eq!(
        lines,
        [
            format!("gen_ai.client.inference.usage.input_tokens {{token}} 17 gen_ai.response.model=gpt-4o {rest}"),
            format!("gen_ai.client.inference.usage.output_tokens {{token}} 9 gen_ai.response.model=gpt-4o {rest}"),
            "gen_ai.client.operation.duration s 0.5 gen_ai.response.model=text-embedding-3 \
             gen_ai.operation.name=embeddings gen_ai.provider.name=openai"
                .to_owned(),
            "llm.openai.chat_completions.choices choice 1 llm.response.model=gpt-4o".to_owned(),
        ]
    );
    assert_eq!(fates, [("openllmetry", "expressed", "", 3), ("openllmetry", "kept", "no_home", 1)]);
    // 1.41 has no counter, and a sum cannot become a histogram: it stays as it is.
    let (lines, fates) = read(Target::V1_41, &body);
    assert_eq!(lines[..2], said(&body)[..2]);
    assert!(fates.contains(&("openllmetry", "kept", "instrument", 2)), "{fates:?}");
}

#[test]
fn llama_stacks_bare_names_are_tokens_only_with_its_attributes() {
    let labels: &[(&str, &str)] = &[("model_id", "openai/gpt-4o-mini"), ("provider_id", "openai")];
    let sums = request(
        "stack",
        "renamed",
        vec![sum("prompt_tokens", "tokens", &[(274, labels)]), sum("total_tokens", "tokens", &[(371, labels)])],
    );
    let (lines, fates) = read(Target::Main, &sums);
    let now = "gen_ai.request.model=openai/gpt-4o-mini gen_ai.provider.name=openai";
    assert_eq!(
        lines,
        [
            format!("gen_ai.client.inference.usage.input_tokens {{token}} 274 {now} gen_ai.token.modality=unknown"),
            "total_tokens tokens 371 model_id=openai/gpt-4o-mini provider_id=openai".to_owned(),
        ]
    );
    assert_eq!(fates, [("llama-stack", "expressed", "", 1), ("llama-stack", "kept", "no_home", 1)]);

    let histograms = request("stack", "", vec![histogram("completion_tokens", "tokens", &[(97.0, labels)])]);
    let (lines, _) = read(Target::V1_41, &histograms);
    assert_eq!(lines, [format!("gen_ai.client.token.usage {{token}} 97 {now} gen_ai.token.type=output")]);

    let foreign = request("tokeniser", "", vec![sum("prompt_tokens", "tokens", &[(5, &[("shard", "1")])])]);
    let (outcome, fates) = translate(&to(Target::Main), &foreign);
    assert_eq!((outcome.body.as_ptr(), fates), (foreign.as_ptr(), vec![]));
}

#[test]
fn openlits_sums_have_a_home_where_there_are_counters() {
    let labels: &[(&str, &str)] = &[("gen_ai.system", "openai"), ("gen_ai.operation.name", "embedding")];
    let metrics = ["gen_ai.usage.input_tokens", "gen_ai.usage.total_tokens"];
    let body = request("app", "openlit.otel.metrics", metrics.map(|name| sum(name, "1", &[(20, labels)])).to_vec());
    let (lines, fates) = read(Target::Main, &body);
    let now = "gen_ai.provider.name=openai gen_ai.operation.name=embeddings";
    assert_eq!(
        lines,
        [
            format!("gen_ai.client.inference.usage.input_tokens {{token}} 20 {now} gen_ai.token.modality=unknown"),
            format!("gen_ai.usage.total_tokens 1 20 {now}"),
        ]
    );
    assert_eq!(fates, [("openlit", "expressed", "", 1), ("openlit", "kept", "no_home", 1)]);
    let (lines, _) = read(Target::V1_41, &body);
    assert_eq!(lines[0], format!("gen_ai.usage.input_tokens 1 20 {now}"), "the name stays, its attributes are current");
}

#[test]
fn a_units_spelling_is_mended_and_another_unit_is_not() {
    let labels: &[(&str, &str)] = &[("gen_ai.token.type", "input")];
    for unit in ["token", "tokens", "1", ""] {
        let body = request("shop", OPENAI, vec![histogram("gen_ai.client.token.usage", unit, &[(1.0, labels)])]);
        let (lines, _) = read(Target::V1_41, &body);
        assert_eq!(lines, ["gen_ai.client.token.usage {token} 1 gen_ai.token.type=input"], "{unit:?}");
    }
    let slow = histogram("gen_ai.client.operation.duration", "ms", &[(900.0, &[("gen_ai.operation.name", "chat")])]);
    for target in [Target::V1_41, Target::Main] {
        let (lines, fates) = read(target, &request("shop", "", vec![slow.clone()]));
        assert_eq!(lines, ["gen_ai.client.operation.duration ms 900 gen_ai.operation.name=chat"]);
        assert_eq!(fates, [("otel", "kept", "unit", 1)]);
    }
}

#[test]
fn words_of_emitters_become_words_of_the_conventions() {
    let mapped = |scope: &str, from: (&str, &str), expected: &str| {
        let labels: &[(&str, &str)] = &[("gen_ai.token.type", "input"), from];
        let body = request("shop", scope, vec![histogram("gen_ai.client.token.usage", "{token}", &[(1.0, labels)])]);
        let (lines, _) = read(Target::V1_41, &body);
        assert_eq!(lines, [format!("gen_ai.client.token.usage {{token}} 1 gen_ai.token.type=input {expected}")]);
    };
    mapped("", ("gen_ai.system", "az.ai.openai"), "gen_ai.provider.name=azure.ai.openai");
    mapped("", ("gen_ai.system", "in-house"), "gen_ai.provider.name=in-house");
    mapped("", ("gen_ai.system", "Langchain"), "gen_ai.system=Langchain");
    mapped("", ("gen_ai.openai.response.service_tier", "flex"), "openai.response.service_tier=flex");
    mapped("litellm", ("gen_ai.operation.name", "acompletion"), "gen_ai.operation.name=chat");
    mapped("mine", ("gen_ai.operation.name", "completion"), "gen_ai.operation.name=completion");
    mapped("openlit.otel.metrics", ("gen_ai.operation.name", "embedding"), "gen_ai.operation.name=embeddings");

    let both: &[(&str, &str)] =
        &[("gen_ai.system", "OpenAI"), ("gen_ai.provider.name", "openai"), ("gen_ai.usage.token_type", "completion")];
    let body = request("shop", OPENAI, vec![histogram("gen_ai.client.token.usage", "token", &[(1.0, both)])]);
    assert_eq!(
        read(Target::V1_41, &body).0,
        ["gen_ai.client.token.usage {token} 1 gen_ai.provider.name=openai gen_ai.token.type=output"]
    );
    let conflict: &[(&str, &str)] = &[("gen_ai.system", "openai"), ("gen_ai.provider.name", "groq")];
    let body = request("shop", "", vec![histogram("gen_ai.server.request.duration", "s", &[(1.0, conflict)])]);
    assert_eq!(
        read(Target::V1_41, &body).0,
        ["gen_ai.server.request.duration s 1 gen_ai.system=openai gen_ai.provider.name=groq"]
    );
}

#[test]
fn a_total_beside_its_parts_goes_and_one_that_says_more_stays() {
    let of = |kind: &'static str| [("gen_ai.request.model", "gpt-4o"), ("gen_ai.token.type", kind)];
    let (input, output, total) = (of("input"), of("output"), of("total"));
    let spring =
        |total_count: i64| sum("gen_ai.client.token.usage", "", &[(17, &input), (9, &output), (total_count, &total)]);
    let (lines, fates) = read(Target::V1_41, &request("shop", "", vec![spring(26)]));
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(fates, [("otel", "discarded", "redundant", 1), ("otel", "kept", "instrument", 2)]);
    let (lines, fates) = read(Target::Main, &request("shop", "", vec![spring(30)]));
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("gen_ai.client.token.usage  30"), "{lines:?}");
    assert!(fates.contains(&("otel", "kept", "direction", 1)), "{fates:?}");
    let keep = Genai { originals: Originals::Keep, ..to(Target::V1_41) };
    assert_eq!(translate(&keep, &request("shop", "", vec![spring(26)])).0.kept, 3);
}

#[test]
fn with_originals_kept_new_attributes_stand_beside_the_old_and_names_stay() {
    let tokens = histogram(
        "gen_ai.client.token.usage",
        "token",
        &[(17.0, &[("gen_ai.system", "OpenAI"), ("gen_ai.token.type", "input")])],
    );
    let keep = Genai { originals: Originals::Keep, ..to(Target::Main) };
    let (outcome, fates) = translate(&keep, &request("shop", OPENAI, vec![tokens]));
    assert_eq!(
        said(&outcome.body),
        ["gen_ai.client.token.usage token 17 gen_ai.system=OpenAI gen_ai.token.type=input gen_ai.provider.name=openai"]
    );
    assert_eq!(fates[0].0.2.name(), "originals");
}
