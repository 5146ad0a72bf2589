//! Values in values, and brackets in brackets: refused beyond the cap at every place where they can
//! stand, taken just below it, and no stack overflows.

use dragoman::otlp::Signal;
use prost::Message;

use crate::rig::{Setup, Target};

/// A place of an `AnyValue`: the fields that lead to it, of protobuf and of JSON. A name with `[]` is
/// a list of one.
struct Place {
    signal: Signal,
    path: &'static [(u32, &'static str)],
}

/// Every field of OTLP that holds an `AnyValue`, by way of each kind of data.
const PLACES: [Place; 20] = [
    traces(&[(1, "resourceSpans[]"), (1, "resource"), (1, "attributes[]"), (2, "value")]),
    traces(&[(1, "resourceSpans[]"), (2, "scopeSpans[]"), (1, "scope"), (3, "attributes[]"), (2, "value")]),
    traces(&[(1, "resourceSpans[]"), (2, "scopeSpans[]"), (2, "spans[]"), (9, "attributes[]"), (2, "value")]),
    traces(&[
        (1, "resourceSpans[]"),
        (2, "scopeSpans[]"),
        (2, "spans[]"),
        (11, "events[]"),
        (3, "attributes[]"),
        (2, "value"),
    ]),
    traces(&[
        (1, "resourceSpans[]"),
        (2, "scopeSpans[]"),
        (2, "spans[]"),
        (13, "links[]"),
        (4, "attributes[]"),
        (2, "value"),
    ]),
    logs(&[(1, "resourceLogs[]"), (1, "resource"), (1, "attributes[]"), (2, "value")]),
    logs(&[(1, "resourceLogs[]"), (2, "scopeLogs[]"), (1, "scope"), (3, "attributes[]"), (2, "value")]),
    logs(&[(1, "resourceLogs[]"), (2, "scopeLogs[]"), (2, "logRecords[]"), (6, "attributes[]"), (2, "value")]),
    logs(&[(1, "resourceLogs[]"), (2, "scopeLogs[]"), (2, "logRecords[]"), (5, "body")]),
    metrics(&[(1, "resourceMetrics[]"), (1, "resource"), (1, "attributes[]"), (2, "value")]),
    metrics(&[(1, "resourceMetrics[]"), (2, "scopeMetrics[]"), (1, "scope"), (3, "attributes[]"), (2, "value")]),
    metrics(&[(1, "resourceMetrics[]"), (2, "scopeMetrics[]"), (2, "metrics[]"), (12, "metadata[]"), (2, "value")]),
    point(&[(5, "gauge"), (1, "dataPoints[]"), (7, "attributes[]"), (2, "value")]),
    point(&[(7, "sum"), (1, "dataPoints[]"), (7, "attributes[]"), (2, "value")]),
    point(&[(9, "histogram"), (1, "dataPoints[]"), (9, "attributes[]"), (2, "value")]),
    point(&[(10, "exponentialHistogram"), (1, "dataPoints[]"), (1, "attributes[]"), (2, "value")]),
    point(&[(11, "summary"), (1, "dataPoints[]"), (7, "attributes[]"), (2, "value")]),
    point(&[(5, "gauge"), (1, "dataPoints[]"), (5, "exemplars[]"), (7, "filteredAttributes[]"), (2, "value")]),
    point(&[(9, "histogram"), (1, "dataPoints[]"), (8, "exemplars[]"), (7, "filteredAttributes[]"), (2, "value")]),
    point(&[
        (10, "exponentialHistogram"),
        (1, "dataPoints[]"),
        (11, "exemplars[]"),
        (7, "filteredAttributes[]"),
        (2, "value"),
    ]),
];

const fn traces(path: &'static [(u32, &'static str)]) -> Place {
    Place { signal: Signal::Traces, path }
}

const fn logs(path: &'static [(u32, &'static str)]) -> Place {
    Place { signal: Signal::Logs, path }
}

const fn metrics(path: &'static [(u32, &'static str)]) -> Place {
    Place { signal: Signal::Metrics, path }
}

/// In a metric; its own way there is put before it.
const fn point(path: &'static [(u32, &'static str)]) -> Place {
    Place { signal: Signal::Metrics, path }
}

const TO_A_METRIC: [(u32, &str); 3] = [(1, "resourceMetrics[]"), (2, "scopeMetrics[]"), (2, "metrics[]")];

impl Place {
    fn path(&self) -> Vec<(u32, &'static str)> {
        match self.path[0].1.starts_with("resource") {
            true => self.path.to_vec(),
            false => [&TO_A_METRIC, self.path].concat(),
        }
    }

    fn name(&self) -> String {
        self.path().iter().map(|(_, name)| format!("/{name}")).collect()
    }

    /// A request with a value of so many levels of `kind` in it.
    fn protobuf(&self, kind: Kind, depth: usize) -> Vec<u8> {
        let levels = std::iter::repeat_n(kind.fields(), depth).flatten().copied();
        let path: Vec<u32> = self.path().iter().map(|(number, _)| *number).chain(levels).collect();
        // From the inside, with what stands before it behind it, so that nothing is moved.
        let mut reversed = Vec::new();
        for number in path.iter().rev() {
            let mut head = Vec::new();
            prost::encoding::encode_varint(u64::from(number << 3 | 2), &mut head);
            prost::encoding::encode_varint(reversed.len() as u64, &mut head);
            reversed.extend(head.iter().rev());
        }
        reversed.reverse();
        reversed
    }

    /// The same request.
    fn json(&self, kind: Kind, depth: usize) -> String {
        let (open, close) = kind.json();
        let mut text = format!("{}{{}}{}", open.repeat(depth), close.repeat(depth));
        for (_, name) in self.path().iter().rev() {
            text = match name.strip_suffix("[]") {
                Some(name) => format!("{{\"{name}\":[{text}]}}"),
                None => format!("{{\"{name}\":{text}}}"),
            };
        }
        text
    }
}

/// What a value holds values in.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Array,
    Map,
}

impl Kind {
    /// From a value to the value in it: `array_value.values`, `kvlist_value.values.value`.
    fn fields(self) -> &'static [u32] {
        match self {
            Kind::Array => &[5, 1],
            Kind::Map => &[6, 1, 2],
        }
    }

    fn json(self) -> (&'static str, &'static str) {
        match self {
            Kind::Array => ("{\"arrayValue\":{\"values\":[", "]}}"),
            Kind::Map => ("{\"kvlistValue\":{\"values\":[{\"value\":", "}]}}"),
        }
    }
}

/// prost is the judge of what is too deep.
fn is_taken(signal: Signal, body: &[u8]) -> bool {
    use opentelemetry_proto::tonic::collector::{logs, metrics, trace};
    match signal {
        Signal::Traces => trace::v1::ExportTraceServiceRequest::decode(body).is_ok(),
        Signal::Metrics => metrics::v1::ExportMetricsServiceRequest::decode(body).is_ok(),
        Signal::Logs => logs::v1::ExportLogsServiceRequest::decode(body).is_ok(),
    }
}

/// The detailed debug exporter writes every value out, so what is taken is walked to its end.
fn start() -> Target {
    Target::start(Setup { verbosity: "detailed", ..Setup::default() })
}

#[test]
fn values_are_nested_to_the_cap_and_no_further_wherever_they_stand() {
    let target = start();
    for (place, kind) in PLACES.iter().flat_map(|place| [(place, Kind::Array), (place, Kind::Map)]) {
        let name = format!("{kind:?} at {}", place.name());
        let cap = (1..200).take_while(|depth| is_taken(place.signal, &place.protobuf(kind, *depth))).count();
        assert!((25..50).contains(&cap), "{name}: {cap}");
        for depth in [1, cap, cap + 1, 1000, 100_000] {
            let body = place.protobuf(kind, depth);
            let answer = target.post(place.signal.http_path(), "application/x-protobuf", &[], &body);
            assert_eq!(answer.status, if depth <= cap { 200 } else { 400 }, "{name}, {depth} deep");
            let json = place.json(kind, depth);
            let answer = target.post(place.signal.http_path(), "application/json", &[], json.as_bytes());
            assert_eq!(answer.status, if depth <= cap { 200 } else { 400 }, "{name}, {depth} deep in JSON");
            if depth > cap {
                let said = answer.text();
                assert!(said.contains("nested more than 100 deep") && said.len() < 2048, "{name}: {said}");
            }
        }
    }
    target.assert_serves();
}

/// What no schema knows must be passed over, and is, without a stack that grows with it. Groups have
/// prost's cap.
#[test]
fn unknown_fields_as_deep_as_they_like_are_passed_over() {
    let target = start();
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        for depth in [20, 10_000, 400_000] {
            let text = format!("{{\"new\":{}0{}}}", open.repeat(depth), close.repeat(depth));
            assert_eq!(target.post("/v1/logs", "application/json", &[], text.as_bytes()).status, 200, "{open}");
            // Not even closed.
            let text = format!("{{\"new\":{}", open.repeat(depth));
            assert_eq!(target.post("/v1/logs", "application/json", &[], text.as_bytes()).status, 400, "{open}");
        }
    }
    // Groups, which protobuf nests without a length: field 99 begins, and begins, and ends.
    let (begin, end) = ([0x9b, 0x06], [0x9c, 0x06]);
    for (depth, status) in [(20, 200), (10_000, 400), (1_000_000, 400)] {
        let groups = [begin.repeat(depth), end.repeat(depth)].concat();
        assert_eq!(target.post("/v1/traces", "application/x-protobuf", &[], &groups).status, status, "{depth}");
    }
    target.assert_serves();
}

/// Content of messages is JSON, or Python, in a string: there the depth is not the protocol's. It is
/// kept as it came.
#[test]
fn content_in_strings_may_be_as_deep_as_it_likes() {
    let target = start();
    let keys = [
        "gen_ai.input.messages",
        "gen_ai.prompt",
        "gen_ai.prompt.0.content",
        "gen_ai.completion.0.tool_calls.0.arguments",
        "llm.input_messages.0.message.content",
        "input.value",
        "output.value",
        "llm.prompts",
        "ai.prompt.messages",
        "ai.response.toolCalls",
        "traceloop.entity.input",
        "langfuse.observation.input",
        "mlflow.spanInputs",
        "gen_ai.system_instructions",
        "gen_ai.tool.definitions",
        "gcp.vertex.agent.llm_request",
        "metadata",
        "hidden_params",
    ];
    let contents = [
        "[".repeat(110_000),
        format!("{}{}", "[".repeat(70_000), "]".repeat(70_000)),
        "{\"content\":".repeat(10_000),
        format!("{}1{}", "{\"content\":[".repeat(10_000), "]}".repeat(10_000)),
        "{'content': [".repeat(10_000),
        format!("{}1{}", "[{'a': (".repeat(10_000), ")}]".repeat(10_000)),
        "\"\\\"".repeat(50_000),
        "[\"[\\\"[".repeat(10_000),
    ];
    for content in contents {
        let body = crate::text::span(&keys.map(|key| (key, content.as_str())), "litellm");
        let answer = target.post("/v1/traces", "application/x-protobuf", &[], &body);
        assert_eq!(answer.status, 200, "{:.30}: {}", content, answer.text());
        let body = crate::text::record(&keys.map(|key| (key, content.as_str())), &content);
        assert_eq!(target.post("/v1/logs", "application/x-protobuf", &[], &body).status, 200, "{:.30}", content);
    }
    target.assert_serves();
}
