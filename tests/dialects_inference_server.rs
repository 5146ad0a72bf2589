//! Inference servers: the other side of a call that its client reports.

mod support;

use support::made::Made;

/// No operation is made up, so that nothing is counted twice.
#[test]
fn vllm() {
    let span = Made::new(
        "vllm.llm_engine",
        "llm_request",
        said! {
            "gen_ai.response.model" => "Qwen/Qwen3-0.6B",
            "gen_ai.request.id" => "chatcmpl-9",
            "gen_ai.request.temperature" => 0.7,
            "gen_ai.request.top_p" => 0.9,
            "gen_ai.request.max_tokens" => 50,
            "gen_ai.request.n" => 2,
            "gen_ai.usage.num_sequences" => 2,
            "gen_ai.usage.prompt_tokens" => 29,
            "gen_ai.usage.completion_tokens" => 13,
            "gen_ai.latency.time_in_queue" => 0.01,
            "gen_ai.latency.time_to_first_token" => 0.2,
            "gen_ai.latency.e2e" => 1.5,
        },
    )
    .kind(2);
    assert_eq!(
        span.says(),
        r#"llm_request (SERVER)
  gen_ai.latency.e2e = 1.5 (double)
  gen_ai.latency.time_in_queue = 0.01 (double)
  gen_ai.latency.time_to_first_token = 0.2 (double)
  gen_ai.request.choice.count = 2 (int)
  gen_ai.request.id = chatcmpl-9
  gen_ai.request.max_tokens = 50 (int)
  gen_ai.request.temperature = 0.7 (double)
  gen_ai.request.top_p = 0.9 (double)
  gen_ai.response.model = Qwen/Qwen3-0.6B
  gen_ai.usage.input_tokens = 29 (int)
  gen_ai.usage.output_tokens = 13 (int)
"#
    );
}

#[test]
fn sglang() {
    let span = || {
        Made::new(
            "sglang.srt",
            "llm_request",
            said! {
                "gen_ai.usage.prompt_tokens" => 29,
                "gen_ai.usage.completion_tokens" => 13,
                "gen_ai.usage.cached_tokens" => 8,
                "gen_ai.request.top_k" => 5,
                "gen_ai.latency.e2e" => 1.5,
            },
        )
        .kind(2)
    };
    assert_eq!(
        span().says(),
        r#"llm_request (SERVER)
  gen_ai.latency.e2e = 1.5 (double)
  gen_ai.request.top_k = 5.0 (double)
  gen_ai.usage.cache_read.input_tokens = 8 (int)
  gen_ai.usage.input_tokens = 29 (int)
  gen_ai.usage.output_tokens = 13 (int)
"#
    );
    let main = span().says_in_main();
    assert!(main.contains(r#"  gen_ai.request.top_k = 5 (int)"#), "{main}");
}

#[test]
fn tgi_says_nothing_of_genai() {
    let span = Made::new(
        "text-generation-router",
        "generate",
        said! {
            "total_time" => "1.2s",
            "validation_time" => "56us",
            "seed" => "Some(42)",
            "parameters" => "GenerateParameters { temperature: Some(0.5) }",
        },
    )
    .kind(2);
    assert_eq!(
        span.says(),
        r#"generate (SERVER)
  parameters = GenerateParameters { temperature: Some(0.5) }
  seed = Some(42)
  total_time = 1.2s
  validation_time = 56us
"#
    );
}
