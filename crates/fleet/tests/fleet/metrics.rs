//! Metrics of a fleet.

use crate::support::*;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

#[test]
fn fleet_reports_to_the_recorder() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(fleet_after_outage());
    });
    let mut lines: Vec<_> = snapshotter
        .snapshot()
        .into_vec()
        .into_iter()
        .map(|(key, _, _, value)| {
            let key = key.key();
            let labels = key
                .labels()
                .map(|label| format!("{}={}", label.key(), label.value()));
            let labels = labels.collect::<Vec<_>>().join(",");
            let value = match value {
                DebugValue::Counter(number) => number.to_string(),
                DebugValue::Gauge(value) => value.to_string(),
                DebugValue::Histogram(values) => format!("{} times", values.len().min(1)),
            };
            format!("{}{{{labels}}} {value}", key.name())
        })
        .collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "breakerbox_fleet_connected{} 1",
            "breakerbox_fleet_leases_total{result=granted} 1",
            "breakerbox_fleet_propagation_seconds{} 1 times",
            "breakerbox_fleet_round_trip_seconds{} 1 times",
            "breakerbox_fleet_transitions_total{direction=in,why=consecutive} 1",
            "breakerbox_fleet_transitions_total{direction=in,why=succeeded} 1",
            "breakerbox_fleet_transitions_total{direction=out,why=consecutive} 1",
            "breakerbox_fleet_transitions_total{direction=out,why=succeeded} 1",
        ]
    );
}
