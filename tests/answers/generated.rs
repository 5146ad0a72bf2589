//! The same through the clients that tonic generates from OTLP's service definitions: another
//! implementation of gRPC reads the answers.

use std::time::Duration;

use dragoman::otlp::Signal;
use dragoman::otlp::status::Status as RpcStatus;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use tonic::codec::CompressionEncoding;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::client::sample;
use crate::standing::{LIMIT, Standing, Target};

/// Exports over the signal's generated client; whether `partial_success` was set.
async fn export(
    channel: &Channel,
    signal: Signal,
    compression: Option<CompressionEncoding>,
    body: &[u8],
) -> Result<bool, Status> {
    macro_rules! with {
        ($client:ident, $request:ident) => {{
            let mut client = $client::new(channel.clone());
            if let Some(compression) = compression {
                client = client.send_compressed(compression).accept_compressed(compression);
            }
            let answer = client.export($request::decode(body).unwrap()).await?;
            Ok(answer.into_inner().partial_success.is_some())
        }};
    }
    match signal {
        Signal::Traces => with!(TraceServiceClient, ExportTraceServiceRequest),
        Signal::Metrics => with!(MetricsServiceClient, ExportMetricsServiceRequest),
        Signal::Logs => with!(LogsServiceClient, ExportLogsServiceRequest),
    }
}

async fn channel(target: &Target) -> Channel {
    Endpoint::from_shared(format!("http://{}", target.grpc)).unwrap().connect().await.unwrap()
}

/// A message of the sample's kind that is over the limit.
fn large(signal: Signal) -> Vec<u8> {
    let one = sample(signal);
    // Requests concatenate into one.
    one.repeat(LIMIT / one.len() + 1)
}

#[tokio::test]
async fn tonics_clients_read_every_kind_of_answer() {
    use CompressionEncoding::{Deflate, Gzip, Zstd};
    for standing in Standing::ALL.into_iter().filter(|standing| standing.is_known()) {
        for signal in Signal::ALL {
            let mut target = Target::start(standing, signal).await;
            let channel = channel(&target).await;
            let sent = export(&channel, signal, None, &sample(signal)).await;
            let case = format!("{standing:?}, {signal}: {sent:?}");
            let (code, has_delay) = match standing {
                Standing::Ready => {
                    assert!(!sent.unwrap(), "{signal}: partial_success must be unset");
                    drop(target.delivered().await);
                    for compression in [Gzip, Deflate, Zstd] {
                        assert!(!export(&channel, signal, Some(compression), &sample(signal)).await.unwrap());
                        drop(target.delivered().await);
                    }
                    assert!(!export(&channel, signal, None, &[]).await.unwrap());
                    let status = export(&channel, signal, None, &large(signal)).await.unwrap_err();
                    assert_eq!((status.code(), status.details()), (Code::ResourceExhausted, &b""[..]), "{status:?}");
                    let status = export(&channel, signal, Some(Gzip), &large(signal)).await.unwrap_err();
                    assert_eq!((status.code(), status.details()), (Code::ResourceExhausted, &b""[..]), "{status:?}");
                    continue;
                }
                Standing::NoPipeline => (Code::Unimplemented, false),
                Standing::QueueFull | Standing::MemoryFull | Standing::NotReady => (Code::Unavailable, true),
                Standing::Defect => (Code::Internal, false),
                Standing::Locked => (Code::Unauthenticated, false),
            };
            let status = sent.unwrap_err();
            assert_eq!(status.code(), code, "{case}");
            let delay = RpcStatus::decode(status.details()).unwrap().retry_delay();
            assert_eq!(delay.is_some_and(|delay| delay >= Duration::from_millis(1)), has_delay, "{case}");
        }
    }
}
