//! The pages that the program writes, read by others: the reference OpenMetrics parser and
//! `promtool check metrics`. Both are installed by `tests/real/install.sh`; a test whose reader is
//! not there says so and passes, or fails if `DRAGOMAN_REAL` is set or the tests are built with
//! `--features real`.
//!
//! Here are the pages of known content; `generated` makes others, `protobuf` reads the binary ones.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod generated;
mod protobuf;

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use dragoman::exporter::prometheus::Prometheus;
use dragoman::exporter::settings;
use dragoman::metrics::application::Store;
use dragoman::metrics::call::{Call, Usage};
use dragoman::metrics::families::Families;
use dragoman::metrics::ledger::{Direction, Recorder};
use dragoman::metrics::own::process::Process;
use dragoman::metrics::own::{Registry, known};
use dragoman::metrics::snapshot::{Bounds, Distribution, Exemplar, Family, Kind, Label, Labels, Series, Source, Value};
use dragoman::otlp::answer::Reason;
use dragoman::otlp::span::Kind as SpanKind;
use dragoman::otlp::{Signal, SpanId, TraceId};
use dragoman::processor::settings::Target;

const OPENMETRICS: &str = "application/openmetrics-text";
const CLASSIC: &str = "text/plain";

/// Calls with everything in them, into both targets' metrics, past the cap.
fn families(target: Target) -> Families {
    let families = Families::new(target, 5, Duration::ZERO);
    let models = ["gpt-4o", "claude \"3\"", "a\\b", "line\nbreak", "nul\0", "émile", "seventh", ""];
    for (number, model) in (1_u8..).zip(models) {
        let call = Call {
            trace_id: Some(TraceId([number; 16])),
            span_id: Some(SpanId([number; 8])),
            parent_span_id: None,
            kind: SpanKind::Client,
            service: "shop".into(),
            operation: "chat".into(),
            provider: "openai".into(),
            request_model: model.into(),
            response_model: model.into(),
            response_id: String::new(),
            server_address: "api.openai.com".into(),
            server_port: Some(443),
            error_type: (number == 2).then(|| "timeout".into()),
            content: 0,
            usage: Usage { cache_read: Some(5), reasoning: Some(1), ..Usage::default() },
            start_time_unix_nano: 1_000_000_000,
            end_time_unix_nano: 1_000_000_000 + u64::from(number) * 700_000_000,
            time_to_first_chunk: Some(0.3),
        };
        families.tokens(&call, Direction::Input, u64::from(number) * 100);
        families.tokens(&call, Direction::Output, u64::from(number) * 10);
        families.duration(&call);
    }
    families
}

/// What an application might send one day.
struct Nasty;

impl Source for Nasty {
    fn collect(&self, families: &mut Vec<Family>) {
        let series = |labels: &[(&'static str, &str)], value| Series {
            labels: labels.iter().map(|(key, value)| Label::text(key, *value)).collect::<Labels>(),
            start_time_unix_nano: 0,
            time_unix_nano: 0,
            value,
        };
        let family = |name: &'static str, unit: &'static str, kind, series| Family {
            name: name.into(),
            help: "Help with \"quotes\", \\ and\na line break".into(),
            unit: unit.into(),
            kind,
            scope: None,
            namespace: None,
            series,
        };
        let exemplar = Exemplar {
            value: 0.3,
            time_unix_nano: 1_700_000_000_000_000_000,
            trace_id: Some(TraceId([7; 16])),
            span_id: Some(SpanId([7; 8])),
            attributes: vec![Label::text("long", "é".repeat(61)), Label::text("longer", "x".repeat(100))],
        };
        let distribution = Value::Histogram(Distribution {
            bounds: Bounds::Static(&[0.5, 1e21]),
            counts: [1, 0, 2].into(),
            sum: Some(1e300),
            exemplars: vec![(0, exemplar)],
        });
        families.extend([
            family(
                "9.lives",
                "By/s",
                Kind::Gauge,
                vec![
                    series(&[("a.b", "2"), ("a-b", "1"), ("__name__", "x"), ("9", "y")], Value::Double(-1.5e-9, None)),
                    series(&[("k", "NaN")], Value::Double(f64::NAN, None)),
                    series(&[("k", "1")], Value::Integer(1, None)),
                    series(&[("k", "1")], Value::Integer(2, None)),
                ],
            ),
            family("lives.of.cats", "ms", Kind::Histogram, vec![series(&[("le", "x")], distribution.clone())]),
            family("lives.of.cats.milliseconds.count", "", Kind::Counter, vec![series(&[], Value::Integer(1, None))]),
            family("lives.of.cats.milliseconds.sum", "", Kind::Gauge, vec![series(&[], Value::Integer(1, None))]),
            family("bare", "", Kind::Histogram, vec![series(&[], distribution)]),
            family("huge", "{thing}", Kind::Counter, vec![series(&[], Value::Integer(u64::MAX, None))]),
        ]);
    }
}

fn own() -> Registry {
    let own = Registry::new();
    own.add_source(Arc::new(Process::new()));
    let receiver = known::Receiver::new(&own, "otlp", "grpc");
    receiver.accepted.add(Signal::Traces, 7);
    receiver.refused_request(Reason::Malformed);
    let exporter = known::Exporter::new(&own, "otlp/jaeger");
    exporter.sent.add(Signal::Traces, 5);
    exporter.lost(Signal::Traces, 2, "rejected");
    own.gauges("otelcol_exporter_queue_size", "Bytes", &["exporter", "data_type"]).with(&["otlp", "traces"]).set(10);
    known::Processor::new(&own, "genai", Signal::Traces).incoming.add(7);
    own.counters("dragoman_genai_keys_total", "Keys", &["dialect", "reason"]).with(&["litellm", ""]).increment();
    own
}

/// Every kind of page, in a format.
fn pages(accept: &str) -> Vec<(&'static str, String)> {
    let quiet = Registry::new();
    let settings = settings::Prometheus::default();
    let exporter = || Prometheus::new("prometheus", &settings, Arc::new(Store::new(settings.store.clone())), &quiet);
    [
        ("1.41", exporter().with_source(Arc::new(families(Target::V1_41)))),
        ("main", exporter().with_source(Arc::new(families(Target::Main)))),
        ("nasty", exporter().with_source(Arc::new(Nasty)).with_source(Arc::new(families(Target::V1_41)))),
        ("own", exporter().with_source(Arc::new(own()))),
        ("empty", exporter()),
    ]
    .map(|(name, exporter)| (name, String::from_utf8_lossy(&exporter.respond(Some(accept), None).body).into_owned()))
    .into()
}

/// Runs a reader over a page; its output if it was content.
fn read(command: &mut Command, page: &str) -> io::Result<Result<String, String>> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // The reader may stop at the first wrong line; that is its answer then.
    if let Some(mut stdin) = child.stdin.take()
        && let Err(error) = stdin.write_all(page.as_bytes())
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        return Err(error);
    }
    let output = child.wait_with_output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) })
}

fn absent(what: &str) {
    let wanted = cfg!(feature = "real") || env::var_os("DRAGOMAN_REAL").is_some();
    assert!(!wanted, "{what} is not installed: run tests/real/install.sh");
    eprintln!("{what} is not installed: nothing was checked; run tests/real/install.sh");
}

fn python() -> Option<PathBuf> {
    let dir = env::var_os("DRAGOMAN_REAL_DIR").map(PathBuf::from).or_else(|| {
        let cache = env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))?;
        Some(cache.join("dragoman-real"))
    })?;
    Some(dir.join("python/bin/python")).filter(|python| python.exists())
}

#[test]
fn the_reference_parser_reads_every_page() {
    let Some(python) = python() else { return absent("the reference OpenMetrics parser") };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/parse_openmetrics.py");
    for (accept, flag) in [(OPENMETRICS, None), (CLASSIC, Some("--classic"))] {
        for (name, page) in pages(accept) {
            let samples = read(Command::new(&python).arg(&script).args(flag), &page)
                .expect("the parser runs")
                .unwrap_or_else(|error| panic!("{name} as {accept}: {error}\n{page}"));
            let lines = page.lines().filter(|line| !line.starts_with('#')).count();
            assert_eq!(samples.lines().count(), lines, "{name} as {accept}");
        }
    }
}

#[test]
fn promtool_finds_no_error_on_a_page() {
    for (name, page) in pages(CLASSIC) {
        match read(Command::new("promtool").args(["check", "metrics"]), &page) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return absent("promtool"),
            Err(error) => panic!("promtool: {error}"),
            Ok(Ok(_)) => {}
            // Advice on style ends with 3; it is wanted on what is ours.
            Ok(Err(advice)) => {
                assert!(name == "nasty" && !advice.contains("error while linting"), "{name}: {advice}\n{page}");
            }
        }
    }
}
