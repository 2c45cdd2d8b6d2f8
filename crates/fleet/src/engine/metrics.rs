//! Reports what a fleet does through the [`metrics`](https://docs.rs/metrics) facade.

use super::panic::catch;
use crate::event::FleetEvent;
use crate::protocol::Why;
use crate::status::FleetCounters;
use metrics::{counter, gauge, histogram};
use std::time::Duration;

/// Reports what a fleet does. Recorders are user code: their panics are caught.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    reported: FleetCounters,
    connected: Option<bool>,
}

impl Metrics {
    pub(crate) fn round_trip(time: Duration) {
        contain(|| histogram!("breakerbox_fleet_round_trip_seconds").record(time.as_secs_f64()));
    }

    /// Reports everything since the previous report. A report without news costs nothing.
    pub(crate) fn report(
        &mut self,
        connected: bool,
        counters: &FleetCounters,
        events: &[FleetEvent],
        published: &[&'static str],
        delays: &[Duration],
    ) {
        let is_same = *counters == self.reported && self.connected == Some(connected);
        if is_same && published.is_empty() && delays.is_empty() {
            return;
        }
        let before = std::mem::replace(&mut self.reported, *counters);
        self.connected = Some(connected);
        contain(|| {
            gauge!("breakerbox_fleet_connected").set(u32::from(connected));
            for why in published {
                transition("out", why);
            }
            for event in events {
                match event {
                    FleetEvent::Adopted { why, .. } => {
                        transition("in", Why::from_code(why).code());
                    }
                    FleetEvent::Commanded { .. } => transition("in", Why::Command.code()),
                    _ => {}
                }
            }
            for delay in delays {
                histogram!("breakerbox_fleet_propagation_seconds").record(delay.as_secs_f64());
            }
            let leases = [
                ("granted", counters.leases_granted - before.leases_granted),
                ("denied", counters.leases_denied - before.leases_denied),
                ("lost", counters.leases_lost - before.leases_lost),
            ];
            for (result, number) in leases.into_iter().filter(|(_, number)| *number > 0) {
                counter!("breakerbox_fleet_leases_total", "result" => result).increment(number);
            }
            let refused = [
                ("gap", counters.gaps - before.gaps),
                ("record", counters.refused_records - before.refused_records),
            ];
            for (why, number) in refused.into_iter().filter(|(_, number)| *number > 0) {
                counter!("breakerbox_fleet_refused_messages_total", "why" => why).increment(number);
            }
            let coalesced = counters.coalesced - before.coalesced;
            if coalesced > 0 {
                counter!("breakerbox_fleet_coalesced_total").increment(coalesced);
            }
            if counters.stale > before.stale {
                counter!("breakerbox_fleet_stale_total").increment(counters.stale - before.stale);
            }
        });
    }
}

fn transition(direction: &'static str, why: &'static str) {
    counter!("breakerbox_fleet_transitions_total", "direction" => direction, "why" => why)
        .increment(1);
}

fn contain(code: impl FnOnce()) {
    // A recorder that panics loses its figures, and nothing else.
    let _ = catch(code);
}
