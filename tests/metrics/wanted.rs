//! `native_metrics`: where an application sends a metric that is derived from its spans too, each token
//! is there once, or twice under two names.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use dragoman::genai::settings::{Genai, NativeMetrics, Target};
use dragoman::metrics::call::{Call, Usage};
use dragoman::metrics::families::Families;
use dragoman::metrics::ledger::{Direction, Recorder};
use dragoman::otlp::span::Kind;

use crate::stage::{accept, histogram, request, said, stage};

pub(crate) fn call(service: &str, operation: &str) -> Call {
    Call {
        trace_id: None,
        span_id: None,
        parent_span_id: None,
        kind: Kind::Client,
        service: service.into(),
        operation: operation.into(),
        provider: "openai".into(),
        request_model: "gpt-4o".into(),
        response_model: "gpt-4o-2024-08-06".into(),
        response_id: String::new(),
        server_address: String::new(),
        server_port: None,
        error_type: None,
        usage: Usage { input: Some(17), output: Some(9), ..Usage::default() },
        start_time_unix_nano: 1_000_000_000,
        end_time_unix_nano: 2_000_000_000,
        time_to_first_chunk: None,
        content: 0,
    }
}

fn record(families: &Families, service: &str, operation: &str) {
    let call = call(service, operation);
    families.duration(&call);
    families.tokens(&call, Direction::Input, 17);
    families.tokens(&call, Direction::Output, 9);
}

fn families(target: Target) -> Arc<Families> {
    Arc::new(Families::new(target, 100, Duration::ZERO))
}

fn rule(target: Target, native_metrics: NativeMetrics) -> Genai {
    Genai { target, native_metrics, ..Genai::default() }
}

/// What an instrumentation sends for one call.
fn own(service: &str, scope: &str) -> Bytes {
    let labels = |kind| {
        [("gen_ai.operation.name", "chat"), ("gen_ai.response.model", "gpt-4o-2024-08-06"), ("gen_ai.token.type", kind)]
    };
    let (input, output) = (labels("input"), labels("output"));
    let tokens = histogram("gen_ai.client.token.usage", "{token}", &[(17.0, &input), (9.0, &output)]);
    let duration = histogram("gen_ai.client.operation.duration", "s", &[(1.0, &input[..2])]);
    request(service, scope, vec![tokens, duration])
}

fn derived(families: &Families) -> Vec<String> {
    let encoded = families.to_otlp(SystemTime::now());
    encoded.map(|encoded| said(&encoded.body)).unwrap_or_default()
}

fn names(lines: &[String]) -> Vec<&str> {
    let mut names: Vec<&str> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    names.dedup();
    names
}

#[tokio::test]
async fn replaced_are_only_the_metrics_operations_and_services_that_are_derived() {
    let families = families(Target::V1_41);
    let stage = stage(&rule(Target::V1_41, NativeMetrics::Replace), families.clone());
    let body = own("shop", "any");
    // Nothing is derived yet.
    assert_eq!(accept(&stage, &body).body.as_ptr(), body.as_ptr());
    record(&families, "shop", "embeddings");
    assert_eq!(accept(&stage, &body).kept, 3, "another operation is derived, not this one");
    record(&families, "shop", "chat");
    let outcome = accept(&stage, &body);
    assert_eq!((outcome.received, outcome.kept, outcome.body.len()), (3, 0, 0));
    assert_eq!(accept(&stage, &own("other", "any")).kept, 3, "the rule is for each service");
    // One that does not say its operation is meant too.
    let unsaid = histogram("gen_ai.client.token.usage", "{token}", &[(17.0, &[("gen_ai.token.type", "input")])]);
    let kept = histogram("gen_ai.client.token.cost", "USD", &[(0.1, &[])]);
    assert_eq!(
        said(&accept(&stage, &request("shop", "any", vec![unsaid, kept])).body),
        ["gen_ai.client.token.cost USD 0.1 "]
    );
    let fates = stage.fates();
    let discarded = fates.iter().find(|(fate, _)| fate.2.name() == "derived").unwrap();
    assert_eq!((discarded.0.1, discarded.1), ("discarded", 4));
}

/// A client and the gateway behind it, each of which sends its own: the call is counted for the gateway,
/// which is nearer to the provider, and the client's number would be a second one.
#[tokio::test]
async fn replaced_is_what_was_counted_for_another_service() {
    use dragoman::metrics::ledger::{Ledger, LedgerWindow};
    use dragoman::otlp::{SpanId, TraceId};
    for target in [Target::V1_41, Target::Main] {
        let families = families(target);
        let stage = stage(&rule(target, NativeMetrics::Replace), families.clone());
        let ledger = Ledger::new(&LedgerWindow::default(), false);
        for (service, id) in [("gateway", 2), ("client", 1)] {
            let mut sightings = ledger.sightings();
            let response_id = "chatcmpl-0123456789abcdefghij".to_owned();
            let (trace_id, span_id) = (Some(TraceId([7; 16])), Some(SpanId([id; 8])));
            sightings.call(Call { response_id, trace_id, span_id, ..call(service, "chat") });
            ledger.settle(sightings, families.as_ref());
        }
        for service in ["gateway", "client"] {
            let left = said(&accept(&stage, &own(service, "any")).body);
            assert!(left.iter().all(|line| line.contains("duration")), "{service}: {left:?}");
        }
    }
}

#[tokio::test]
async fn replaced_are_a_targets_own_spellings() {
    let families = families(Target::Main);
    let stage = stage(&rule(Target::Main, NativeMetrics::Replace), families.clone());
    record(&families, "shop", "chat");
    assert_eq!(accept(&stage, &own("shop", "any")).kept, 0, "after translation they are the derived ones");
}

#[tokio::test(start_paused = true)]
async fn deferred_are_the_derived_ones_for_as_long_as_the_application_sends_its_own() {
    let families = families(Target::V1_41);
    let stage = stage(&rule(Target::V1_41, NativeMetrics::Defer), families.clone());
    record(&families, "shop", "chat");
    record(&families, "other", "chat");
    assert_eq!(derived(&families).len(), 6);
    // The first of the application's own ends what was derived for it before.
    let body = own("shop", "any");
    assert_eq!(accept(&stage, &body).body.as_ptr(), body.as_ptr());
    assert_eq!(derived(&families).len(), 3, "the other service's");
    record(&families, "shop", "chat");
    assert_eq!(derived(&families).len(), 3);
    // What the application does not send is derived all the same.
    record(&families, "shop", "embeddings");
    assert_eq!(derived(&families).len(), 6);

    tokio::time::advance(Duration::from_secs(599)).await;
    accept(&stage, &body);
    tokio::time::advance(Duration::from_secs(599)).await;
    record(&families, "shop", "chat");
    assert_eq!(derived(&families).len(), 6, "it is still sent");
    tokio::time::advance(Duration::from_secs(2)).await;
    record(&families, "shop", "chat");
    assert_eq!(derived(&families).len(), 9, "it stopped");
}

#[tokio::test]
async fn of_a_refused_request_nothing_is_learned() {
    use dragoman::otlp::metrics::{Metric, Origin, Visitor, edit};
    use dragoman::pipeline::{Context, Pass, Stage as _};
    struct Drive<'s>(Box<dyn Pass + Send + 's>, Bytes);
    impl Visitor for Drive<'_> {
        fn metric(&mut self, metric: &mut Metric<'_>, origin: &Origin<'_>) {
            self.0.metric(metric, &mut Context { origin, body: &self.1, call: None });
        }
    }
    let families = families(Target::V1_41);
    let stage = stage(&rule(Target::V1_41, NativeMetrics::Defer), families.clone());
    let body = own("shop", "any");
    edit(&body, &mut Drive(stage.pass(), body.clone())).unwrap();
    record(&families, "shop", "chat");
    assert_eq!(derived(&families).len(), 3);
    assert!(stage.fates().is_empty());
}

#[tokio::test]
async fn of_two_scopes_that_say_the_same_one_speaks() {
    let stage = stage(&rule(Target::V1_41, NativeMetrics::Defer), families(Target::V1_41));
    assert_eq!(accept(&stage, &own("shop", "openai")).kept, 3);
    assert_eq!(accept(&stage, &own("shop", "langchain")).kept, 0);
    assert_eq!(accept(&stage, &own("shop", "openai")).kept, 3, "always the same one");
    assert_eq!(accept(&stage, &own("other", "langchain")).kept, 3, "in each service");
    let claude: &[(&str, &str)] = &[("gen_ai.response.model", "claude-sonnet-4"), ("gen_ai.token.type", "input")];
    let another = histogram("gen_ai.client.token.usage", "{token}", &[(5.0, claude)]);
    assert_eq!(accept(&stage, &request("shop", "anthropic", vec![another])).kept, 1, "another model is another's");
    let fates = stage.fates();
    assert!(fates.iter().any(|(fate, points)| fate.2.name() == "second_scope" && *points == 3), "{fates:?}");
}

#[tokio::test]
async fn both_have_names_of_their_own() {
    let families = Arc::new(Families::apart(Target::V1_41, 100, Duration::ZERO));
    let stage = stage(&rule(Target::V1_41, NativeMetrics::Both), families.clone());
    record(&families, "shop", "chat");
    let body = own("shop", "any");
    assert_eq!(accept(&stage, &body).body.as_ptr(), body.as_ptr());
    assert_eq!(
        names(&derived(&families)),
        ["dragoman.gen_ai.client.token.usage", "dragoman.gen_ai.client.operation.duration"]
    );
}
