//! Simulated services, each with its own kind of failure, and the calls to them.

use breakerbox::prelude::*;
use std::time::{Duration, Instant};
use tokio::time::sleep;

pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) settings: BreakerBuilder,
    /// The condition of the service at a time from 0.0 (start) to 1.0 (end).
    weather: fn(f64) -> Weather,
}

/// The condition of a service.
#[derive(Clone, Copy)]
enum Weather {
    Fine,
    /// It answers slowly.
    Slow,
    /// This many calls out of ten fail.
    Failing(u32),
    /// It asks for a pause, as with `Retry-After`.
    Busy,
}

#[derive(Debug)]
enum Trouble {
    Down,
    Busy,
}

const QUICK: Duration = Duration::from_millis(2);
const LATE: Duration = Duration::from_millis(60);
const PAUSE: Duration = Duration::from_millis(5);

/// Returns the services for a run of this length.
pub(crate) fn services(length: Duration) -> [Service; 6] {
    let settings = || CircuitBreaker::builder().recovery_timeout(length / 20);
    let half_of_twenty = TripRule::failure_rate(0.5).over(Window::calls(20));
    let late = TripRule::slow_calls(0.5).slower_than(LATE / 2);
    [
        Service {
            name: "users",
            settings: settings(),
            weather: |_| Weather::Fine,
        },
        Service {
            name: "payments",
            settings: settings()
                .trip_when(half_of_twenty)
                .recovery_backoff(Backoff::exponential(length / 30)),
            weather: |at| match at {
                0.2..0.5 => Weather::Failing(9),
                _ => Weather::Fine,
            },
        },
        Service {
            name: "search",
            settings: settings().trip_when(late.over(Window::time(length / 8)).minimum_calls(4)),
            weather: |at| match at {
                0.3..0.7 => Weather::Slow,
                _ => Weather::Fine,
            },
        },
        Service {
            name: "maps",
            settings: settings().max_trip_for(length / 4),
            weather: |at| match at {
                0.55..0.6 => Weather::Busy,
                _ => Weather::Fine,
            },
        },
        Service {
            name: "mail",
            settings: settings().trip_when(half_of_twenty).mode(Mode::MetricsOnly),
            weather: |at| match at {
                0.4..0.8 => Weather::Failing(6),
                _ => Weather::Fine,
            },
        },
        Service {
            name: "reports",
            settings: settings(),
            weather: |_| Weather::Fine,
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
        let weather = self.weather;
        async move {
            let begun = Instant::now();
            let mut number = 0;
            while begun.elapsed() < length {
                let at = begun.elapsed().as_secs_f64() / length.as_secs_f64();
                let judge = |result: &Result<(), Trouble>| match result {
                    Ok(()) => Outcome::Success,
                    Err(Trouble::Down) => Outcome::Failure,
                    // Longer than `max_trip_for`, which limits the pause.
                    Err(Trouble::Busy) => Outcome::TripFor(length),
                };
                let call = meet(weather(at), number);
                let _ = call.guarded_by(&breaker).classify(judge).await;
                number += 1;
                sleep(PAUSE).await;
            }
        }
    }
}

async fn meet(weather: Weather, number: u32) -> Result<(), Trouble> {
    let slow = matches!(weather, Weather::Slow);
    sleep(if slow { LATE } else { QUICK }).await;
    match weather {
        Weather::Busy => Err(Trouble::Busy),
        Weather::Failing(of_ten) if number % 10 < of_ten => Err(Trouble::Down),
        _ => Ok(()),
    }
}
