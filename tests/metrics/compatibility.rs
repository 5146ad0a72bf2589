//! `genai_metrics.compatibility`: the tokens under the names of Llama Stack up to 0.3 too, equal to the
//! conventions' metrics, and each once where a server still sends them itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use dragoman::genai::settings::{Genai, NativeMetrics, Target};
use dragoman::metrics::call::{Call, Usage};
use dragoman::metrics::families::{Compatibility, Families};
use dragoman::metrics::ledger::{Direction, Recorder};

use crate::stage::{accept, metrics, points, request, said, stage, sum};
use crate::support::{corpus, requests, text};
use crate::wanted::call;

const NAMES: [&str; 3] = ["prompt_tokens", "completion_tokens", "total_tokens"];

/// The service of the recorded server.
const SERVER: &str = "llama-stack-server";

fn families(target: Target) -> Families {
    Families::new(target, 100, Duration::ZERO).compatible_with(&[Compatibility::LlamaStack])
}

fn record(families: &Families, call: &Call, input: u64, output: u64) {
    let call = Call { usage: Usage { input: Some(input), output: Some(output), ..Usage::default() }, ..call.clone() };
    families.duration(&call);
    families.tokens(&call, Direction::Input, input);
    families.tokens(&call, Direction::Output, output);
}

fn model(request_model: &str, provider: &str) -> Call {
    Call { request_model: request_model.into(), provider: provider.into(), ..call(SERVER, "chat") }
}

fn body(families: &Families) -> Bytes {
    families.to_otlp(SystemTime::now()).map(|encoded| encoded.body).unwrap_or_default()
}

/// Every old name in a request: whose it is, its labels and its number.
fn older(body: &[u8]) -> Vec<(String, String)> {
    let mut lines: Vec<_> = metrics(body)
        .iter()
        .filter(|(.., metric)| NAMES.contains(&metric.name.as_str()))
        .flat_map(|(service, scope, metric)| {
            points(metric).into_iter().map(move |(number, labels)| {
                let labels: Vec<_> = labels
                    .iter()
                    .map(|label| format!("{}={}", label.key, text(&labels, &label.key).unwrap()))
                    .collect();
                let line = format!("{} {} {number} {}", metric.name, metric.unit, labels.join(" "));
                (format!("{service}/{}", scope.split('.').next().unwrap()), line)
            })
        })
        .collect();
    lines.sort();
    lines
}

fn lines(body: &[u8]) -> Vec<String> {
    older(body).into_iter().map(|(_, line)| line).collect()
}

#[test]
fn tokens_are_there_as_the_old_servers_sent_them() {
    for target in [Target::V1_41, Target::Main] {
        let families = families(target);
        record(&families, &model("gpt-4o-mini", "openai"), 270, 68);
        record(&families, &model("Qwen/Qwen3-0.6B", "vllm"), 4, 15);
        // Qualified already, and the same model.
        record(&families, &model("openai/gpt-4o-mini", "openai"), 30, 2);
        assert_eq!(
            lines(&body(&families)),
            [
                "completion_tokens tokens 15 model_id=vllm/Qwen/Qwen3-0.6B provider_id=vllm",
                "completion_tokens tokens 70 model_id=openai/gpt-4o-mini provider_id=openai",
                "prompt_tokens tokens 300 model_id=openai/gpt-4o-mini provider_id=openai",
                "prompt_tokens tokens 4 model_id=vllm/Qwen/Qwen3-0.6B provider_id=vllm",
                "total_tokens tokens 19 model_id=vllm/Qwen/Qwen3-0.6B provider_id=vllm",
                "total_tokens tokens 370 model_id=openai/gpt-4o-mini provider_id=openai",
            ],
            "{target:?}"
        );
    }
}

#[test]
fn a_model_is_qualified_by_its_provider_and_once() {
    for (request_model, response_model, provider, expected) in [
        ("gpt-4o", "gpt-4o-2024-08-06", "openai", "model_id=openai/gpt-4o provider_id=openai"),
        ("", "gpt-4o-2024-08-06", "openai", "model_id=openai/gpt-4o-2024-08-06 provider_id=openai"),
        ("openai", "", "openai", "model_id=openai/openai provider_id=openai"),
        ("openai-community/gpt2", "", "openai", "model_id=openai/openai-community/gpt2 provider_id=openai"),
        ("gpt-4o", "", "", "model_id=gpt-4o"),
        ("", "", "openai", "provider_id=openai"),
    ] {
        let families = families(Target::V1_41);
        let call = Call { response_model: response_model.into(), ..model(request_model, provider) };
        families.tokens(&call, Direction::Input, 1);
        assert_eq!(lines(&body(&families))[0], format!("prompt_tokens tokens 1 {expected}"));
    }
}

#[test]
fn without_the_key_there_are_none() {
    let families = Families::new(Target::V1_41, 100, Duration::ZERO);
    record(&families, &model("gpt-4o", "openai"), 1, 2);
    assert_eq!(lines(&body(&families)), Vec::<String>::new());
}

/// What a service has too many of goes to one series that says so, and no token goes with it.
#[test]
fn the_bounds_are_those_of_the_other_metrics() {
    let families = Families::new(Target::V1_41, 2, Duration::ZERO).compatible_with(&[Compatibility::LlamaStack]);
    for model_number in 0..5 {
        record(&families, &model(&format!("m{model_number}"), "vllm"), 10, 1);
    }
    let sizes: BTreeMap<_, _> = families.series().into_iter().collect();
    assert_eq!(NAMES.map(|name| sizes[name]), [2, 2, 2]);
    let shown = body(&families);
    let all: f64 = metrics(&shown)
        .iter()
        .filter(|(.., metric)| metric.name == "total_tokens")
        .flat_map(|(.., metric)| points(metric))
        .map(|(number, _)| number)
        .sum();
    assert_eq!(all, 55.0);
}

fn rule(target: Target, native_metrics: NativeMetrics) -> Genai {
    Genai { target, native_metrics, ..Genai::default() }
}

/// What the recorded server of 0.2.23 sends by itself.
fn recorded() -> Bytes {
    requests(&corpus().join("llama-stack-0.2.23/shutdown"), "metrics.pb").remove(0)
}

/// A server that sends the three sums itself: whichever rule, each name has one speaker.
#[test]
fn a_server_that_sends_them_itself_is_not_counted_twice() {
    let own = older(&recorded());
    assert_eq!(own.len(), 8);
    assert!(own.iter().all(|(speaker, _)| speaker == "llama-stack-server/llama_stack"));
    for (rule_of, derived_speaks) in
        [(NativeMetrics::Replace, true), (NativeMetrics::Defer, false), (NativeMetrics::Both, false)]
    {
        let families = match rule_of {
            NativeMetrics::Both => Families::apart(Target::V1_41, 100, Duration::ZERO),
            NativeMetrics::Replace | NativeMetrics::Defer => Families::new(Target::V1_41, 100, Duration::ZERO),
        };
        let families = Arc::new(families.compatible_with(&[Compatibility::LlamaStack]));
        let stage = stage(&rule(Target::V1_41, rule_of), families.clone());
        record(&families, &model("gpt-4o-mini", "openai"), 298, 98);
        // The same server's report comes each minute.
        for _ in 0..2 {
            let passed = accept(&stage, &recorded()).body;
            record(&families, &model("gpt-4o-mini", "openai"), 1, 1);
            let mut speakers: Vec<_> = older(&passed).into_iter().chain(older(&body(&families))).collect();
            speakers.dedup_by(|a, b| a.0 == b.0);
            let expected =
                if derived_speaks { "llama-stack-server/dragoman" } else { "llama-stack-server/llama_stack" };
            assert_eq!(speakers.iter().map(|(speaker, _)| &**speaker).collect::<Vec<_>>(), [expected], "{rule_of:?}");
        }
        // Where the application's own are kept under both, the derived ones have the rest.
        let names: Vec<_> = metrics(&body(&families)).into_iter().map(|(.., metric)| metric.name).collect();
        let usage = if rule_of == NativeMetrics::Both {
            "dragoman.gen_ai.client.token.usage"
        } else {
            "gen_ai.client.token.usage"
        };
        assert_eq!(names.iter().any(|name| name == usage), rule_of != NativeMetrics::Defer, "{rule_of:?}: {names:?}");
    }
}

/// Under `main` a server's sums get the conventions' names, and the derived ones keep the old.
#[test]
fn renamed_sums_leave_the_old_names_to_the_derived_ones() {
    let families = Arc::new(families(Target::Main));
    let stage = stage(&rule(Target::Main, NativeMetrics::Replace), families.clone());
    record(&families, &model("gpt-4o-mini", "openai"), 298, 98);
    let passed = accept(&stage, &recorded()).body;
    let tokens = |line: &&String| line.contains("_tokens tokens") || line.contains("usage.input_tokens");
    assert_eq!(said(&passed).iter().find(tokens), None);
}

/// One of this program behind another: what the first one derived is no server's report.
#[test]
fn what_another_dragoman_sends_on_is_not_renamed_to_a_second_copy() {
    let first = families(Target::Main);
    record(&first, &model("gpt-4o-mini", "openai"), 298, 98);
    let sent = body(&first);
    let behind = Arc::new(Families::new(Target::Main, 100, Duration::ZERO));
    let passed = accept(&stage(&rule(Target::Main, NativeMetrics::Replace), behind), &sent).body;
    assert_eq!(passed, sent);
    // A third one that derives them too, of the same service, has them once.
    let third = Arc::new(families(Target::Main));
    record(&third, &model("gpt-4o-mini", "openai"), 298, 98);
    let passed = accept(&stage(&rule(Target::Main, NativeMetrics::Replace), third), &sent).body;
    assert_eq!(lines(&passed), Vec::<String>::new());
}

/// An ordinary metric of the same bare name is nobody's business.
#[test]
fn another_prompt_tokens_is_left_alone() {
    let families = Arc::new(families(Target::V1_41));
    let stage = stage(&rule(Target::V1_41, NativeMetrics::Replace), families.clone());
    record(&families, &model("gpt-4o-mini", "openai"), 298, 98);
    let other = request(SERVER, "my-app", vec![sum("prompt_tokens", "1", &[(5, &[("template", "greeting")])])]);
    assert_eq!(accept(&stage, &other).body, other);
}
