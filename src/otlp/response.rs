//! What a backend answers to a request that it took: the three `Export*ServiceResponse` messages,
//! which are one shape.
//!
//! These are small messages off the hot path, so prost decodes them. A refusal is a
//! [`super::status`].

use prost::Message;

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
}
