//! A queue on disk, through the whole service: what was acknowledged is delivered by the next process.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dragoman::otlp::Signal;
use dragoman::service::start::{Reloaded, start};

use crate::backend::Backend;
use crate::client::{Client, sample, status};
use crate::outage::reserved;
use crate::rig::{Rig, Way, plan};

/// Logs through `pipeline` to an exporter whose queue is in `folder`.
fn yaml(address: SocketAddr, folder: &Path, pipeline: &str, exporter: &str) -> String {
    format!(
        "receivers: {{ otlp: {{ protocols: {{ grpc: {{ endpoint: 127.0.0.1:0 }}, http: {{ endpoint: 127.0.0.1:0 }} }} }} }}
extensions: {{ health_check: {{ endpoint: 127.0.0.1:0 }}, file_storage/queues: {{ directory: '{}', timeout: 0s }} }}
exporters:
  {exporter}: {{ endpoint: 'http://{address}', tls: {{ insecure: true }}, sending_queue: {{ storage: file_storage/queues }},
    retry_on_failure: {{ initial_interval: 10ms, max_interval: 50ms, max_elapsed_time: 0s }} }}
service:
  extensions: [health_check, file_storage/queues]
  telemetry: {{ metrics: {{ address: 127.0.0.1:0 }} }}
  pipelines: {{ {pipeline}: {{ receivers: [otlp], exporters: [{exporter}] }} }}
",
        folder.display()
    )
}

/// Takes some requests while the backend is away, and ends in good order; how many items.
async fn outage(folder: &Path, pipeline: &str) -> u64 {
    let away = reserved();
    let rig = Rig::start(plan(&yaml(away.local_addr().unwrap(), folder, pipeline, "otlp_grpc/a"))).await;
    for way in Way::ALL {
        rig.must_take(way, Signal::Logs, body(way)).await;
    }
    let books = rig.books().await;
    let items = books.sum("otelcol_receiver_accepted_log_records_total", &[]);
    assert_eq!(books.sum("dragoman_exporter_held_items", &[]), items);
    assert!(books.sum("dragoman_queue_disk_bytes", &["exporter=\"otlp_grpc/a\"", "data_type=\"logs\""]) > 100);
    let stopped = rig.running.stop(Duration::from_millis(200)).await;
    // What is on disk is not lost: the exit code is 0.
    assert!(stopped.drained && stopped.lost == 0, "{stopped:?}");
    items
}

fn body(way: Way) -> Bytes {
    match way {
        Way::Json => {
            Bytes::from_static(br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityText":"INFO"}]}]}]}"#)
        }
        Way::Grpc | Way::Protobuf => sample(Signal::Logs),
    }
}

#[tokio::test]
async fn what_was_acknowledged_in_an_outage_is_delivered_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let items = outage(folder.path(), "logs").await;
    assert!(items > 3);

    let mut backend = Backend::start([]).await;
    let rig = Rig::start(plan(&yaml(backend.address, folder.path(), "logs", "otlp_grpc/a"))).await;
    let books = rig.books_when(|books| books.sum("otelcol_exporter_sent_log_records_total", &[]) == items).await;
    let of = ["pipeline=\"logs\"", "exporter=\"otlp_grpc/a\""];
    assert_eq!(books.sum("dragoman_pipeline_recovered_items_total", &of), items);
    assert_eq!(books.sum("dragoman_pipeline_exported_items_total", &of), items);
    assert_eq!(books.sum("dragoman_pipeline_queued_items", &of), 0);
    assert_eq!(books.sum("dragoman_queue_corrupt_records_total", &[]), 0);
    rig.stop().await;
    let mut seen = Vec::new();
    while let Ok(request) = backend.seen.try_recv() {
        seen.push(request.body);
    }
    assert_eq!(seen.len(), 3);
    assert_eq!(seen.iter().filter(|body| **body == sample(Signal::Logs)).count(), 2, "byte for byte");

    // Delivered once: the next process has nothing to send.
    let rig = Rig::start(plan(&yaml(backend.address, folder.path(), "logs", "otlp_grpc/a"))).await;
    assert_eq!(rig.books().await.sum("dragoman_pipeline_recovered_items_total", &of), 0);
    rig.stop().await;
    assert!(backend.seen.try_recv().is_err());
}

#[tokio::test]
async fn what_nobody_is_configured_for_stays_and_is_counted_as_held() {
    let folder = tempfile::tempdir().unwrap();
    let items = outage(folder.path(), "logs/old").await;
    let mut backend = Backend::start([]).await;
    for (pipeline, exporter) in [("logs/new", "otlp_grpc/a"), ("logs/old", "otlp_grpc/b")] {
        let rig = Rig::start(plan(&yaml(backend.address, folder.path(), pipeline, exporter))).await;
        let books = rig.books().await;
        assert_eq!(books.sum("dragoman_queue_held_items", &["exporter=\"otlp_grpc/a\""]), items, "{pipeline}");
        assert_eq!(books.sum("dragoman_pipeline_recovered_items_total", &[]), 0);
        rig.stop().await;
        assert!(backend.seen.try_recv().is_err(), "{pipeline}");
    }
    let rig = Rig::start(plan(&yaml(backend.address, folder.path(), "logs/old", "otlp_grpc/a"))).await;
    rig.books_when(|books| books.sum("otelcol_exporter_sent_log_records_total", &[]) == items).await;
    rig.stop().await;
}

/// The exporter is given another backend while requests come in: what its queue holds goes there, and
/// nobody is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_queue_is_handed_on_when_its_exporter_changes() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = reserved();
    let away = yaml(nobody.local_addr().unwrap(), folder.path(), "logs", "otlp_grpc/a");
    let mut rig = Rig::start(plan(&away)).await;
    for way in Way::ALL {
        rig.must_take(way, Signal::Logs, body(way)).await;
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let (http, over) = (rig.address("OTLP HTTP"), Arc::clone(&is_over));
    let client = tokio::spawn(async move {
        let mut client = Client::http1(http).await;
        let mut taken = 0;
        while !over.load(Ordering::Relaxed) || taken == 0 {
            let body = sample(Signal::Logs);
            let answer = client.post(Signal::Logs.http_path(), "application/x-protobuf", "", body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            taken += 1;
        }
        taken
    });
    let patience = Duration::from_secs(20);
    // One that concerns another part keeps the queue open.
    let other = away.replace("http: { endpoint: 127.0.0.1:0 }", "http: { endpoint: 127.0.0.1:0, max_connections: 9 }");
    assert_eq!(rig.running.reload(plan(&other), patience).await.unwrap(), Reloaded::Applied);
    let backend = Backend::start([]).await;
    let there = yaml(backend.address, folder.path(), "logs", "otlp_grpc/a");
    assert_eq!(rig.running.reload(plan(&there), patience).await.unwrap(), Reloaded::Applied);
    is_over.store(true, Ordering::Relaxed);
    let taken: u64 = client.await.unwrap();
    assert!(taken > 0);
    let of = ["pipeline=\"logs\"", "exporter=\"otlp_grpc/a\""];
    let books = rig.books_when(|books| books.sum("dragoman_pipeline_queued_items", &of) == 0).await;
    let received = books.sum("dragoman_pipeline_received_items_total", &[]);
    assert_eq!(received, 5 + 2 * taken);
    assert_eq!(books.sum("dragoman_pipeline_given_items_total", &of), received);
    assert_eq!(books.sum("dragoman_pipeline_exported_items_total", &of), received);
    assert_eq!(books.sum("dragoman_pipeline_recovered_items_total", &of), 0, "they were never gone");
    rig.stop().await;

    // What cannot work is found before the queue is closed.
    let mut rig = Rig::start(plan(&there)).await;
    let broken = there.replace("insecure: true", "ca_file: /nowhere/ca.pem").replace("http://", "https://");
    rig.running.reload(plan(&broken), patience).await.unwrap_err();
    rig.must_take(Way::Grpc, Signal::Logs, sample(Signal::Logs)).await;
    rig.stop().await;
}

/// The error of a start that must fail.
async fn refused(yaml: &str) -> String {
    let Err(error) = start(plan(yaml), Duration::ZERO, Arc::new(|| Box::new(std::io::sink()))).await else {
        panic!("it started")
    };
    error.to_string()
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_named_before_anything_is_accepted() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("queues");
    let nobody = reserved();
    let yaml = yaml(nobody.local_addr().unwrap(), &folder, "logs", "otlp_grpc/a");
    let said = refused(&yaml).await;
    assert!(said.contains("extensions.file_storage/queues") && said.contains("create_directory: true"), "{said}");

    let rig = Rig::start(plan(&yaml.replace("timeout: 0s", "create_directory: true"))).await;
    rig.must_take(Way::Grpc, Signal::Logs, sample(Signal::Logs)).await;
    rig.running.stop(Duration::ZERO).await;

    // Another process has it.
    let lock = File::open(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let said = refused(&yaml).await;
    assert!(said.contains(folder.to_str().unwrap()) && said.contains("in use by another process"), "{said}");
    drop(lock);

    // A later version wrote there: one byte of each copy of a segment's header, and their checksums.
    let log = folder.join("queue.otlp_grpc%2Fa.logs");
    let segment = fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().path()).next().unwrap();
    let whole = fs::read(&segment).unwrap();
    let mut newer = whole.clone();
    for copy in newer[..64].chunks_exact_mut(32) {
        copy[8] = 9;
        let crc = crc32fast::hash(&copy[..28]);
        copy[28..].copy_from_slice(&crc.to_le_bytes());
    }
    fs::write(&segment, &newer).unwrap();
    let said = refused(&yaml).await;
    assert!(said.contains("exporters.otlp_grpc/a") && said.contains("format 9"), "{said}");
    assert_eq!(fs::read(&segment).unwrap(), newer);
    fs::write(&segment, whole).unwrap();
    Rig::start(plan(&yaml)).await.running.stop(Duration::ZERO).await;
}

/// The bound is that of the files: a full queue refuses, and says so.
#[tokio::test]
async fn a_full_queue_on_disk_refuses_for_now() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = reserved();
    let yaml = yaml(nobody.local_addr().unwrap(), folder.path(), "logs", "otlp_grpc/a");
    let small = yaml.replace("storage: file", "sizer: bytes, queue_size: 65536, storage: file");
    let rig = Rig::start(plan(&small)).await;
    let mut request = sample(Signal::Logs).to_vec();
    // Padding in a field that nobody knows.
    prost::encoding::bytes::encode(1000, &vec![7u8; 9000], &mut request);
    let mut taken = 0;
    let answer = loop {
        let answer = rig.send(Way::Protobuf, Signal::Logs, request.clone()).await;
        if answer.status != 200 {
            break answer;
        }
        taken += 1;
        assert!(taken < 10);
    };
    assert!(taken >= 5, "{taken}");
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"));
    let (_, message, _) = status(&answer);
    assert!(message.contains("otlp_grpc/a is full"), "{message}");
    let files = fs::read_dir(folder.path().join("queue.otlp_grpc%2Fa.logs")).unwrap();
    let bytes: u64 = files.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= 65536, "{bytes}");
    rig.running.stop(Duration::ZERO).await;
}
