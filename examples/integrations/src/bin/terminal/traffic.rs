//! Simulated services, each with its own kind of failure, and the calls to them.

use breakerbox::prelude::*;
use std::time::{Duration, Instant};
use tokio::time::sleep;

pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) settings: BreakerBuilder,
    /// The condition of the service at a time from 0.0 (start) to 1.0 (end).
    condition: fn(f64) -> Condition,
}

/// The condition of a service.
#[derive(Clone, Copy)]
enum Condition {
    Healthy,
    /// The service responds slowly.
    Slow,
    /// This many calls out of ten fail.
    Failing(u32),
    /// The service requests a pause, as with `Retry-After`.
    Busy,
}

#[derive(Debug)]
enum CallError {
    Down,
    Busy,
}

const FAST: Duration = Duration::from_millis(2);
const SLOW: Duration = Duration::from_millis(60);
const PAUSE: Duration = Duration::from_millis(5);

/// Returns the services for a run of this length.
pub(crate) fn services(length: Duration) -> [Service; 6] {
    let settings = || CircuitBreaker::builder().recovery_timeout(length / 20);
    let half_of_twenty_calls = TripRule::failure_rate(0.5).over(Window::calls(20));
    let slow = TripRule::slow_calls(0.5).slower_than(SLOW / 2);
    [
        Service {
            name: "users",
            settings: settings(),
            condition: |_| Condition::Healthy,
        },
        Service {
            name: "payments",
            settings: settings()
                .trip_when(half_of_twenty_calls)
                .recovery_backoff(Backoff::exponential(length / 30)),
            condition: |at| match at {
                0.2..0.5 => Condition::Failing(9),
                _ => Condition::Healthy,
            },
        },
        Service {
            name: "search",
            settings: settings().trip_when(slow.over(Window::time(length / 8)).minimum_calls(4)),
            condition: |at| match at {
                0.3..0.7 => Condition::Slow,
                _ => Condition::Healthy,
            },
        },
        Service {
            name: "maps",
            settings: settings().max_trip_for(length / 4),
            condition: |at| match at {
                0.55..0.6 => Condition::Busy,
                _ => Condition::Healthy,
            },
        },
        Service {
            name: "mail",
            settings: settings()
                .trip_when(half_of_twenty_calls)
                .mode(Mode::MetricsOnly),
            condition: |at| match at {
                0.4..0.8 => Condition::Failing(6),
                _ => Condition::Healthy,
            },
        },
        Service {
            name: "reports",
            settings: settings(),
            condition: |_| Condition::Healthy,
        },
    ]
}

impl Service {
    /// Calls the service until the run ends.
    pub(crate) fn run(
        &self,
        breaker: CircuitBreaker,
        length: Duration,
    ) -> impl Future<Output = ()> + Send + use<> {
        let condition = self.condition;
        async move {
            let begun = Instant::now();
            let mut number = 0;
            while begun.elapsed() < length {
                let at = begun.elapsed().as_secs_f64() / length.as_secs_f64();
                let classifier = |result: &Result<(), CallError>| match result {
                    Ok(()) => Outcome::Success,
                    Err(CallError::Down) => Outcome::Failure,
                    // Longer than `max_trip_for`, which limits the pause.
                    Err(CallError::Busy) => Outcome::TripFor(length),
                };
                let call = respond(condition(at), number);
                let _ = call.guarded_by(&breaker).classify(classifier).await;
                number += 1;
                sleep(PAUSE).await;
            }
        }
    }
}

async fn respond(condition: Condition, number: u32) -> Result<(), CallError> {
    let is_slow = matches!(condition, Condition::Slow);
    sleep(if is_slow { SLOW } else { FAST }).await;
    match condition {
        Condition::Busy => Err(CallError::Busy),
        Condition::Failing(out_of_ten) if number % 10 < out_of_ten => Err(CallError::Down),
        _ => Ok(()),
    }
}
