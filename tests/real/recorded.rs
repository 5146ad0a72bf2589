//! What a backend of LLM traces shows of recorded requests, sent to it directly and by way of
//! Dragoman: the sending, the comparison and the table of both in `docs/backends.md`. How each
//! backend is started and asked stands in `phoenix.rs` and `mlflow.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::Value;

use crate::jaeger::hex;
use crate::process::{Dragoman, file, get, http};
use crate::support::{corpus, requests, spans};

/// How a request gets to the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// As the application sent it.
    Direct,
    /// By way of Dragoman.
    Translated,
    /// The same, with `originals: keep`.
    Kept,
}

impl Way {
    pub(crate) const ALL: [Way; 3] = [Way::Direct, Way::Translated, Way::Kept];

    /// The project or experiment.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Way::Direct => "direct",
            Way::Translated => "translated",
            Way::Kept => "kept",
        }
    }
}

/// What is shown of one recording, over all its traces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Input and output tokens; `None` if there is no number at all.
    pub(crate) tokens: Option<(u64, u64)>,
    /// Spans that show what went in, and what came out.
    pub(crate) content: (usize, usize),
    /// The same of lines in the list of traces.
    pub(crate) listed: (usize, usize),
}

impl Shown {
    pub(crate) fn add_tokens(&mut self, input: u64, output: u64) {
        let sum = self.tokens.get_or_insert_default();
        sum.0 += input;
        sum.1 += output;
    }

    /// A span, or a line of the list, that shows content or does not.
    pub(crate) fn add_content(place: &mut (usize, usize), has_input: bool, has_output: bool) {
        place.0 += usize::from(has_input);
        place.1 += usize::from(has_output);
    }
}

/// What a backend shows of each trace, by its id in hexadecimal digits.
pub(crate) type Answer = BTreeMap<String, Shown>;

/// What is shown of each recording, by its name and its way.
pub(crate) type Table = BTreeMap<(&'static str, Way), Shown>;

/// Emitters of several eras, one in the conventions' current words and one in those of
/// OpenInference, which are Phoenix' own.
const RECORDED: [&str; 20] = [
    "litellm-1.53.1/chat",
    "litellm-1.53.1/multiturn",
    "litellm-1.53.1/anthropic_cache",
    "litellm-1.80.17/chat",
    "litellm-proxy-1.40.18/codegemma_seed",
    "litellm-proxy-1.40.18/tools",
    "openllmetry-0.16.6/chat",
    "openllmetry-0.16.6/multiturn",
    "openllmetry-0.49.6/chat",
    "openllmetry-0.49.6/anthropic_tools",
    "openllmetry-0.62.4/chat",
    "traceloop-sdk-0.16.6/workflow",
    "openlit-1.22.5/chat",
    "langtrace-2.2.18/chat",
    "langtrace-3.8.21/tools",
    "vercel-ai-4.3.19-proto/generate_text",
    "vercel-ai-4.3.19-proto/tool_round_trip",
    "pydantic-ai-1.9.1-v1/nested_agents",
    "llama-stack-0.7.2-optin/tool_round_trip",
    "openinference-openai-0.1.66/chat",
];

/// How long a backend may take. Both import for tens of seconds; on a machine with seven times
/// the work it can do, 185 s were seen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// A case of the corpus.
pub(crate) struct Recording {
    /// `EMITTER/CASE`.
    pub(crate) name: &'static str,
    /// What the provider billed, as the conventions count: tokens read from or written to a cache
    /// are inside of the input.
    pub(crate) billed: (u64, u64),
    /// Calls that the provider answered.
    pub(crate) calls: usize,
    /// How many spans were recorded.
    pub(crate) spans: usize,
    requests: BTreeMap<Way, Vec<Vec<u8>>>,
    traces: BTreeMap<Way, BTreeSet<String>>,
}

impl Recording {
    /// All that are compared.
    pub(crate) fn all() -> Vec<Recording> {
        RECORDED.map(Recording::read).into()
    }

    fn read(name: &'static str) -> Recording {
        let folder = corpus().join(name);
        let facts: Value = serde_json::from_slice(&std::fs::read(folder.join("case.json")).unwrap()).unwrap();
        let calls = facts["llm_calls"].as_array().unwrap();
        let mut billed = (0, 0);
        for call in calls {
            // Anthropic's words; where others say them, the input includes them.
            let beside = ["cache_creation_input_tokens", "cache_read_input_tokens"];
            let beside: u64 = beside.iter().filter_map(|key| call["usage"][key].as_u64()).sum();
            billed.0 += call["input_tokens"].as_u64().unwrap_or(0) + beside;
            billed.1 += call["output_tokens"].as_u64().unwrap_or(0);
        }
        let mut requests_by_way = BTreeMap::<_, Vec<_>>::new();
        let mut traces = BTreeMap::<_, BTreeSet<_>>::new();
        let bodies = requests(&folder, "traces.pb");
        for way in Way::ALL {
            for body in &bodies {
                let request = with_ids_of(way, body);
                let body = request.encode_to_vec();
                traces.entry(way).or_default().extend(spans(&body).iter().map(|span| hex(&span.trace_id)));
                requests_by_way.entry(way).or_default().push(body);
            }
        }
        let spans = bodies.iter().map(|body| spans(body).len()).sum();
        Recording { name, billed, calls: calls.len(), spans, requests: requests_by_way, traces }
    }

    /// Sends it one way.
    pub(crate) fn send(&self, way: Way, to: SocketAddr, headers: &[(&str, &str)]) {
        let headers: Vec<_> = [("content-type", "application/x-protobuf")].iter().chain(headers).copied().collect();
        for body in &self.requests[&way] {
            let answer = http(to, "POST", "/v1/traces", &headers, body).unwrap();
            assert_eq!(answer.status, 200, "{}, {way:?}: {}", self.name, String::from_utf8_lossy(&answer.body));
        }
    }

    /// What is shown of it, all its traces together.
    fn shown(&self, way: Way, answer: &Answer) -> Shown {
        let mut sum = Shown::default();
        for shown in self.traces[&way].iter().filter_map(|trace| answer.get(trace)) {
            if let Some((input, output)) = shown.tokens {
                sum.add_tokens(input, output);
            }
            sum.content = (sum.content.0 + shown.content.0, sum.content.1 + shown.content.1);
            sum.listed = (sum.listed.0 + shown.listed.0, sum.listed.1 + shown.listed.1);
        }
        sum
    }
}

/// What nobody may lose: through Dragoman, content is shown for every call, and the tokens that
/// the provider billed.
pub(crate) fn assert_whole(recording: &Recording, shown: &Shown) {
    let name = recording.name;
    assert_eq!(shown.tokens, Some(recording.billed), "{name}: {shown:?}");
    assert!(shown.content.0 >= recording.calls && shown.content.1 >= recording.calls, "{name}: {shown:?}");
}

/// Waits until a backend has answered for all that Dragoman was sent.
pub(crate) fn delivered(dragoman: &mut Dragoman, recordings: &[Recording]) {
    let count: usize = recordings.iter().map(|recording| recording.spans).sum();
    let sent = format!("otelcol_exporter_sent_spans_total{{exporter=\"otlp_http\"}} {count}");
    let own_metrics = dragoman.own_metrics;
    dragoman.process.wait_long_for(&sent, PATIENCE, |_| {
        let page = get(own_metrics, "/metrics").ok()?.text();
        page.lines().any(|line| line == sent).then_some(())
    });
}

/// What is shown of every recording that was sent one way.
pub(crate) fn shown<'r>(
    recordings: &'r [Recording],
    way: Way,
    answer: &'r Answer,
) -> impl Iterator<Item = ((&'static str, Way), Shown)> {
    recordings.iter().map(move |recording| ((recording.name, way), recording.shown(way, answer)))
}

/// A recorded request with ids of this way's own: a backend takes an id that it has seen for the
/// same span.
fn with_ids_of(way: Way, body: &[u8]) -> ExportTraceServiceRequest {
    let mut request = ExportTraceServiceRequest::decode(body).unwrap();
    let scopes = request.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
    for span in scopes.flat_map(|scope| &mut scope.spans) {
        let links = span.links.iter_mut().flat_map(|link| [&mut link.trace_id, &mut link.span_id]);
        for id in [&mut span.trace_id, &mut span.span_id, &mut span.parent_span_id].into_iter().chain(links) {
            id.iter_mut().for_each(|byte| *byte ^= way as u8);
        }
    }
    request
}

/// Dragoman before a backend: everything goes on to `endpoint` over HTTP, in protobuf, with one
/// header.
pub(crate) fn dragoman(way: Way, endpoint: SocketAddr, header: (&str, &str)) -> Dragoman {
    let (name, value) = header;
    let originals = if way == Way::Kept { "keep" } else { "replace" };
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "receivers:\n  otlp: {{ protocols: {{ http: {{ endpoint: 127.0.0.1:0 }}, grpc: {{ endpoint: 127.0.0.1:0 }} }} }}\n\
         processors:\n  genai: {{ originals: {originals} }}\n\
         exporters:\n  otlp_http: {{ endpoint: \"http://{endpoint}\", headers: {{ {name}: \"{value}\" }} }}\n\
         extensions:\n  health_check: {{ endpoint: 127.0.0.1:0 }}\n\
         service:\n  extensions: [health_check]\n  telemetry: {{ metrics: {{ address: 127.0.0.1:0 }} }}\n  pipelines:\n    \
         traces: {{ receivers: [otlp], processors: [genai], exporters: [otlp_http] }}\n"
    );
    // Its file goes with this function.
    Dragoman::start_with(&file(&folder, "dragoman.yaml", &config), &["--no-config-watch"])
}

/// Compares the table of a backend in `docs/backends.md` with what it showed; writes it there if
/// `UPDATE_EXPECTED` is set.
pub(crate) fn check_page(backend: &str, recordings: &[Recording], shown: &Table) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/backends.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- {backend} -->\n"), format!("<!-- /{backend} -->\n"));
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("{begin} is not in docs/backends.md"));
    let (is, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{end} is not in docs/backends.md"));
    let table = table(recordings, shown);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        return std::fs::write(&path, [before, &begin, &table, &end, after].concat()).unwrap();
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (says, shows) = (lines(is), lines(&table));
    assert!(
        is == table,
        "docs/backends.md is not what {backend} shows, and what\n  \
         UPDATE_EXPECTED=1 cargo test --features real --test real -- {backend}\nwrites.\nit says {:#?}\nbut it is {:#?}",
        says.difference(&shows).collect::<Vec<_>>(),
        shows.difference(&says).collect::<Vec<_>>()
    );
}

/// What a backend showed, as `docs/backends.md` has it.
pub(crate) fn table(recordings: &[Recording], shown: &Table) -> String {
    let mut table = "| recorded | billed | tokens, directly | and translated | content, directly | and translated \
                     | list, directly | and translated |\n|---|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    let pair = |(input, output): (usize, usize)| format!("{input} / {output}");
    let tokens = |tokens: Option<(u64, u64)>| {
        tokens.map_or_else(|| "none".into(), |(input, output)| format!("{input} / {output}"))
    };
    for recording in recordings {
        let [direct, translated] = [Way::Direct, Way::Translated].map(|way| &shown[&(recording.name, way)]);
        let cells = [
            tokens(Some(recording.billed)),
            tokens(direct.tokens),
            tokens(translated.tokens),
            pair(direct.content),
            pair(translated.content),
            pair(direct.listed),
            pair(translated.listed),
        ];
        writeln!(table, "| {} | {} |", recording.name, cells.join(" | ")).unwrap();
    }
    table
}
