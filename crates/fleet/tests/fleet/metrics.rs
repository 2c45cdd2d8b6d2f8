//! Metrics of a fleet.

use crate::support::*;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

/// Returns the reported series with their values, except those with 0, and the number of these.
fn reported(snapshotter: &Snapshotter) -> (Vec<String>, usize) {
    let series = snapshotter.snapshot().into_vec().into_iter();
    let mut lines: Vec<_> = series
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
    let all = lines.len();
    lines.retain(|line| !line.ends_with(" 0"));
    lines.sort_unstable();
    let zeros = all - lines.len();
    (lines, zeros)
}

#[test]
fn fleet_reports_to_the_recorder() {
    let recorder = DebuggingRecorder::new();
    metrics::with_local_recorder(&recorder, || {
        runtime().block_on(fleet_after_outage());
    });
    let (lines, zeros) = reported(&recorder.snapshotter());
    assert_eq!(zeros, 17);
    assert_eq!(
        lines,
        [
            "breakerbox_fleet_connected{} 1",
            "breakerbox_fleet_leases_total{result=granted} 1",
            "breakerbox_fleet_nodes{} 2",
            "breakerbox_fleet_propagation_seconds{} 1 times",
            "breakerbox_fleet_round_trip_seconds{} 1 times",
            "breakerbox_fleet_transitions_total{direction=in,why=consecutive} 1",
            "breakerbox_fleet_transitions_total{direction=in,why=succeeded} 1",
            "breakerbox_fleet_transitions_total{direction=out,why=consecutive} 1",
            "breakerbox_fleet_transitions_total{direction=out,why=succeeded} 1",
        ]
    );
}

#[test]
fn openings_that_are_not_followed_are_counted() {
    let recorder = DebuggingRecorder::new();
    metrics::with_local_recorder(&recorder, || {
        runtime().block_on(async {
            let store = Memory::new();
            let shares = [Share::always(), Share::observe(), Share::always()];
            let start = |(index, share): (usize, Share)| {
                Node::start(index, store.clone(), |builder| builder.share(share))
            };
            let nodes: Vec<_> = shares.into_iter().enumerate().map(start).collect();
            for node in &nodes {
                assert!(node.fleet.ready(secs(1)).await);
            }
            nodes[2].breaker.metrics_only();
            pass(ms(10)).await;
            nodes[0].fail();
            pass(secs(1)).await;
            assert_eq!(states(&nodes[1..]), [State::Closed, State::MetricsOnly]);
        });
    });
    let (lines, _) = reported(&recorder.snapshotter());
    let ignored = "breakerbox_fleet_ignored_total{} 2".to_owned();
    assert!(lines.contains(&ignored), "{lines:?}");
}

/// Exporters may drop series that are not updated. An alert on a store that is away must not end then.
#[test]
fn series_without_news_are_updated() {
    let runtime = runtime();
    let (store, nodes) = metrics::with_local_recorder(&DebuggingRecorder::new(), || {
        runtime.block_on(async {
            let store = Faulty::default();
            let nodes = fleet_on(2, Share::always(), store.clone()).await;
            pass(secs(60)).await;
            (store, nodes)
        })
    });
    for connected in [true, false] {
        let recorder = DebuggingRecorder::new();
        metrics::with_local_recorder(&recorder, || {
            runtime.block_on(async {
                store.set(|faults| faults.away = !connected);
                pass(secs(60)).await;
            });
        });
        let (lines, zeros) = reported(&recorder.snapshotter());
        assert!(lines.contains(&"breakerbox_fleet_nodes{} 2".to_owned()));
        let gauge = lines.contains(&"breakerbox_fleet_connected{} 1".to_owned());
        assert_eq!(gauge, connected);
        // All counters, and the other value of the gauge.
        assert_eq!(zeros, 22 + usize::from(!connected));
    }
    drop(nodes);
}
