//! What a backend answers: the three `Export*ServiceResponse` messages, which are one shape, and
//! `google.rpc.Status` with the one detail that matters to a sender.
//!
//! These are small messages off the hot path, so prost decodes them. What *this* program answers
//! is in [`super::answer`].

use std::time::Duration;

use prost::Message;

/// The type of a [`RetryInfo`] inside of an [`Any`].
pub const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// `ExportTraceServiceResponse`, `ExportMetricsServiceResponse` and `ExportLogsServiceResponse`:
/// the field numbers are the same for all signals (OTLP 1.11).
#[derive(Clone, PartialEq, Message)]
pub struct ExportResponse {
    /// Set if not everything was taken, or if the backend has a warning.
    #[prost(message, optional, tag = "1")]
    pub partial_success: Option<PartialSuccess>,
}

/// `ExportTracePartialSuccess` and its siblings.
#[derive(Clone, PartialEq, Message)]
pub struct PartialSuccess {
    /// `rejected_spans`, `rejected_data_points`, `rejected_log_records`.
    #[prost(int64, tag = "1")]
    pub rejected: i64,
    /// Why; a warning if nothing was rejected.
    #[prost(string, tag = "2")]
    pub error_message: String,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub struct Status {
    /// `google.rpc.Code`.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// For people.
    #[prost(string, tag = "2")]
    pub message: String,
    /// For programs.
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub struct Any {
    /// The message's type.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The encoded message.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
pub struct RetryInfo {
    /// When to come back.
    #[prost(message, optional, tag = "1")]
    pub retry_delay: Option<WireDuration>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct WireDuration {
    /// Whole seconds.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds of the last second.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl Status {
    /// The first [`RetryInfo`] among the details. `Some(Duration::ZERO)` if it names no delay, or
    /// one that is no positive time: its presence alone is what allows a retry.
    pub fn retry_delay(&self) -> Option<Duration> {
        let info = self.details.iter().find(|detail| detail.type_url == RETRY_INFO)?;
        let delay = RetryInfo::decode(info.value.as_slice()).ok()?.retry_delay.unwrap_or_default();
        let seconds = u64::try_from(delay.seconds).unwrap_or_default();
        let nanos = u32::try_from(delay.nanos).unwrap_or_default().min(999_999_999);
        Some(Duration::new(seconds, nanos))
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::{logs, metrics, trace};

    use super::*;

    #[test]
    fn the_responses_of_all_signals_are_one_shape() {
        let traces = trace::v1::ExportTraceServiceResponse {
            partial_success: Some(trace::v1::ExportTracePartialSuccess {
                rejected_spans: 3,
                error_message: "a".into(),
            }),
        };
        let metrics = metrics::v1::ExportMetricsServiceResponse {
            partial_success: Some(metrics::v1::ExportMetricsPartialSuccess {
                rejected_data_points: 3,
                error_message: "a".into(),
            }),
        };
        let logs = logs::v1::ExportLogsServiceResponse {
            partial_success: Some(logs::v1::ExportLogsPartialSuccess {
                rejected_log_records: 3,
                error_message: "a".into(),
            }),
        };
        let expected =
            ExportResponse { partial_success: Some(PartialSuccess { rejected: 3, error_message: "a".into() }) };
        for encoded in [traces.encode_to_vec(), metrics.encode_to_vec(), logs.encode_to_vec()] {
            assert_eq!(ExportResponse::decode(encoded.as_slice()).unwrap(), expected);
        }
    }

    #[test]
    fn the_delay_of_a_status_is_its_retry_info() {
        let status = |seconds, nanos| Status {
            code: 14,
            message: String::new(),
            details: vec![
                Any { type_url: "type.googleapis.com/google.rpc.DebugInfo".into(), value: vec![1, 2] },
                Any {
                    type_url: RETRY_INFO.into(),
                    value: RetryInfo { retry_delay: Some(WireDuration { seconds, nanos }) }.encode_to_vec(),
                },
            ],
        };
        assert_eq!(status(7, 500_000_000).retry_delay(), Some(Duration::from_millis(7500)));
        assert_eq!(status(-7, i32::MIN).retry_delay(), Some(Duration::ZERO));
        assert_eq!(status(1, i32::MAX).retry_delay(), Some(Duration::new(1, 999_999_999)));
        assert_eq!(Status::default().retry_delay(), None);
    }
}
