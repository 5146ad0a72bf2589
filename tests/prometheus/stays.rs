//! What an exporter holds stays over a reload as long as the exporter keeps what of its settings says
//! what is held, and nobody waits for a scrape.

use std::time::Duration;

use bytes::Bytes;
use dragoman::otlp::Signal;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, number_data_point,
};
use prost::Message;

use crate::rig::{Rig, Way, plan};
use crate::shows;

const DEADLINE: Duration = Duration::from_secs(20);

/// Three more, counted since the last time.
fn three_more(time: u64) -> Bytes {
    let point = NumberDataPoint {
        start_time_unix_nano: time - 1,
        time_unix_nano: time,
        value: Some(number_data_point::Value::AsInt(3)),
        ..NumberDataPoint::default()
    };
    let sum = Sum {
        data_points: vec![point],
        aggregation_temporality: AggregationTemporality::Delta as i32,
        is_monotonic: true,
    };
    let metric = Metric { name: "jobs".into(), data: Some(Data::Sum(sum)), ..Metric::default() };
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }];
    let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec().into()
}

#[tokio::test]
async fn counts_go_on_over_a_reload() {
    let mut rig = Rig::start(plan(&shows("", ""))).await;
    rig.must_take(Way::Grpc, Signal::Metrics, three_more(10)).await;
    for (keys, processors, name) in [("", "genai", "jobs_total"), ("namespace: x", "", "x_jobs_total")] {
        rig.running.reload(plan(&shows(keys, processors)), DEADLINE).await.unwrap();
        rig.must_take(Way::Grpc, Signal::Metrics, three_more(20)).await;
        assert_eq!(rig.page().await.sum(name, &[]), 6, "{keys}");
    }
    // Other limits are another memory.
    rig.running.reload(plan(&shows("cardinality_limit: 7", "")), DEADLINE).await.unwrap();
    rig.must_take(Way::Grpc, Signal::Metrics, three_more(30)).await;
    assert_eq!(rig.page().await.sum("jobs_total", &[]), 3);
    rig.stop().await;
}
