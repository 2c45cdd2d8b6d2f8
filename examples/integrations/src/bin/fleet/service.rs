//! [`run`]: one process of the service.

use crate::message::{Change, Message, Report};
use crate::traffic::Traffic;
use breakerbox::{Cause, Event, prelude::*};
use breakerbox_redis::{Fleet, FleetEvent, RedisStore, Share};
use futures_util::future::join_all;
use std::cell::Cell;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::sync::watch;

/// The circuit that the processes share.
pub(crate) const SHARED: &str = "users-api";
/// The circuit around the same calls that each process has for itself.
pub(crate) const UNSHARED: &str = "unshared:users-api";
/// A shared circuit whose dependency always works.
pub(crate) const HEALTHY: &str = "orders-api";

/// The failed calls in a row that open a circuit.
pub(crate) const FAILURE_THRESHOLD: u32 = 5;
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(1);

/// Shares the circuits of this process, and calls the dependency, until the standard input ends.
pub(crate) async fn run(dependency: &str, redis: &str, pause: Duration) -> anyhow::Result<()> {
    let preset = CircuitBreaker::builder()
        .failure_threshold(FAILURE_THRESHOLD)
        .recovery_timeout(RECOVERY_TIMEOUT);
    let registry = BreakerRegistry::builder()
        .default_preset(preset)
        .on_change(report_change)
        .build()?;
    let store = RedisStore::builder(redis).build()?;
    let fleet = Fleet::builder(&registry, store)
        .share_for("unshared:", Share::local())
        .on_event(report_event)
        .start()?;
    fleet.ready(Duration::from_secs(1)).await;

    // The dependency is on this machine, whatever proxy the environment names.
    let client = reqwest::Client::builder().no_proxy().build()?;
    let circuits = [
        (SHARED, pause),
        (UNSHARED, pause),
        (HEALTHY, Duration::from_millis(100)),
    ];
    let traffic = circuits.map(|(circuit, pause)| Traffic {
        registry: &registry,
        client: &client,
        circuit,
        url: format!("{dependency}/{circuit}"),
        pause,
        calls: Cell::default(),
    });
    let report = || {
        let status = fleet.status();
        let calls = traffic
            .iter()
            .map(|traffic| (traffic.circuit.to_owned(), traffic.calls.get()));
        let report = Report {
            is_connected: status.is_connected(),
            open: status.open,
            calls: calls.collect(),
        };
        Message::Report(report).send();
    };
    let (stop, stopping) = watch::channel(false);
    let calls = join_all(traffic.iter().map(|traffic| traffic.run(stopping.clone())));
    let end_of_input = async {
        let mut input = Vec::new();
        let _ = tokio::io::stdin().read_to_end(&mut input).await;
        stop.send_replace(true);
    };
    let reports = async {
        loop {
            report();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        _ = async { tokio::join!(calls, end_of_input) } => {}
        () = reports => {}
    }
    report();
    fleet.shutdown(Duration::from_secs(2)).await;
    Ok(())
}

fn report_change(event: &Event) {
    if let Event::StateChanged {
        breaker, to, cause, ..
    } = event
    {
        if **breaker == *SHARED {
            let change = Change {
                to: to.to_string(),
                cause: cause.to_string(),
                is_by_fleet: matches!(cause, Cause::Fleet { .. }),
            };
            Message::Changed(change).send();
        }
    }
}

/// Reports the events that no transition shows.
fn report_event(event: &FleetEvent) {
    if !matches!(
        event,
        FleetEvent::Adopted { .. } | FleetEvent::LeaseGranted { .. }
    ) {
        Message::Fleet(event.to_string()).send();
    }
}
