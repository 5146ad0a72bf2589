//! How many items a request holds, for the books of what was refused: best effort, since a refused
//! request need not be a valid one.

use super::Signal;
use super::wire::{Payload, Reader};

/// Spans, data points or log records in an encoded `Export*ServiceRequest`; what stands before the
/// first malformed field, if there is one.
pub fn items(signal: Signal, body: &[u8]) -> usize {
    /// The fields on the way to an item: `resource_*`, `scope_*`, `spans` or `log_records`.
    const RECORDS: &[&[u32]] = &[&[1], &[2], &[2]];
    /// A metric's data points stand in its gauge, sum, histogram, exponential histogram or summary.
    const DATA_POINTS: &[&[u32]] = &[&[1], &[2], &[2], &[5, 7, 9, 10, 11], &[1]];
    match signal {
        Signal::Traces | Signal::Logs => count(body, RECORDS),
        Signal::Metrics => count(body, DATA_POINTS),
    }
}

fn count(message: &[u8], path: &[&[u32]]) -> usize {
    let Some((fields, below)) = path.split_first() else {
        return 1;
    };
    let mut reader = Reader::new(message);
    let mut total = 0;
    while let Ok(Some(field)) = reader.next() {
        if let Payload::Bytes(content) = field.payload
            && fields.contains(&field.number)
        {
            total += count(content, below);
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    use opentelemetry_proto::tonic::metrics::v1::{
        Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics,
    };
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message;

    use super::*;

    #[test]
    fn spans_of_all_scopes_count() {
        let scope = |spans| ScopeSpans { spans: vec![Span::default(); spans], ..Default::default() };
        let resource = ResourceSpans { scope_spans: vec![scope(2), scope(3)], ..Default::default() };
        let request = ExportTraceServiceRequest { resource_spans: vec![resource.clone(), resource] };
        let body = request.encode_to_vec();
        assert_eq!(items(Signal::Traces, &body), 10);
        assert!(items(Signal::Traces, &body[..body.len() - 1]) <= 10);
    }

    #[test]
    fn data_points_count_not_metrics() {
        let metric = |data| Metric { data: Some(data), ..Default::default() };
        let gauge = Data::Gauge(Gauge { data_points: vec![NumberDataPoint::default(); 4] });
        let points = vec![HistogramDataPoint { count: 1, ..Default::default() }; 2];
        let histogram = Data::Histogram(Histogram { data_points: points, aggregation_temporality: 2 });
        let scope = ScopeMetrics { metrics: vec![metric(gauge), metric(histogram)], ..Default::default() };
        let resource = ResourceMetrics { scope_metrics: vec![scope], ..Default::default() };
        let body = ExportMetricsServiceRequest { resource_metrics: vec![resource] }.encode_to_vec();
        assert_eq!(items(Signal::Metrics, &body), 6);
    }
}
