//! Reports what a fleet does through the [`metrics`](https://docs.rs/metrics) facade.

use super::panic::catch;
use crate::event::FleetEvent;
use crate::planner::Time;
use crate::protocol::Why;
use crate::status::FleetCounters;
use metrics::{counter, gauge, histogram};
use std::collections::BTreeMap;
use std::time::Duration;

/// The time after which everything is reported again. Exporters may drop series that are not updated,
/// and the state of a connection often stays the same for days.
const REFRESH: Duration = Duration::from_secs(5);

/// The reasons of transitions that have series from the start, with 0: the first increment of a counter
/// that did not exist before is invisible to queries for its increase.
const EXPECTED: [Why; 7] = [
    Why::Consecutive,
    Why::Failures,
    Why::Rate,
    Why::Slow,
    Why::Trial,
    Why::Asked,
    Why::Succeeded,
];

/// What a report contains besides events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) connected: bool,
    pub(crate) nodes: u64,
    pub(crate) counters: FleetCounters,
}

/// Reports what a fleet does. Recorders are user code: their panics are caught.
#[derive(Debug)]
pub(crate) struct Metrics {
    reported: Figures,
    /// When the latest report was made.
    at: Option<Time>,
    /// The transitions that are not reported yet, by direction and reason. A series stays here with 0.
    transitions: BTreeMap<(&'static str, &'static str), u64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let expected = EXPECTED.map(Why::code).into_iter();
        let series = expected.flat_map(|why| [("in", why), ("out", why)]);
        Self {
            reported: Figures::default(),
            at: None,
            transitions: series.map(|series| (series, 0)).collect(),
        }
    }
}

impl Metrics {
    pub(crate) fn round_trip(time: Duration) {
        contain(|| histogram!("breakerbox_fleet_round_trip_seconds").record(time.as_secs_f64()));
    }

    /// Reports everything since the previous report. A report without news costs nothing until
    /// [`REFRESH`] has passed.
    pub(crate) fn report(
        &mut self,
        now: Time,
        figures: Figures,
        events: &[FleetEvent],
        published: &[&'static str],
        delays: &[Duration],
    ) {
        for why in published {
            *self.transitions.entry(("out", why)).or_default() += 1;
        }
        for event in events {
            let why = match event {
                FleetEvent::Adopted { why, .. } => Why::from_code(why).code(),
                FleetEvent::Commanded { .. } => Why::Command.code(),
                _ => continue,
            };
            *self.transitions.entry(("in", why)).or_default() += 1;
        }
        let is_due = self.at.is_none_or(|at| now.saturating_sub(at) >= REFRESH);
        let is_news = figures != self.reported || !published.is_empty() || !delays.is_empty();
        if !is_due && !is_news {
            return;
        }
        self.at = Some(now);
        let before = std::mem::replace(&mut self.reported, figures).counters;
        let counters = figures.counters;
        let transitions = &mut self.transitions;
        contain(|| {
            gauge!("breakerbox_fleet_connected").set(u32::from(figures.connected));
            // The facade has no gauges of integers.
            #[allow(clippy::cast_precision_loss)]
            gauge!("breakerbox_fleet_nodes").set(figures.nodes as f64);
            for ((direction, why), number) in transitions {
                counter!("breakerbox_fleet_transitions_total", "direction" => *direction, "why" => *why)
                    .increment(std::mem::take(number));
            }
            for delay in delays {
                histogram!("breakerbox_fleet_propagation_seconds").record(delay.as_secs_f64());
            }
            for (result, number) in [
                ("granted", counters.leases_granted - before.leases_granted),
                ("denied", counters.leases_denied - before.leases_denied),
                ("lost", counters.leases_lost - before.leases_lost),
            ] {
                counter!("breakerbox_fleet_leases_total", "result" => result).increment(number);
            }
            for (why, number) in [
                ("gap", counters.gaps - before.gaps),
                ("record", counters.refused_records - before.refused_records),
            ] {
                counter!("breakerbox_fleet_refused_messages_total", "why" => why).increment(number);
            }
            counter!("breakerbox_fleet_coalesced_total")
                .increment(counters.coalesced - before.coalesced);
            counter!("breakerbox_fleet_stale_total").increment(counters.stale - before.stale);
            counter!("breakerbox_fleet_ignored_total").increment(counters.ignored - before.ignored);
        });
    }
}

fn contain(code: impl FnOnce()) {
    // A recorder that panics loses its figures, and nothing else.
    let _ = catch(code);
}
