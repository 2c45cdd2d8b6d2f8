//! Simulated dependencies, each with its own kind of failure, and the calls to them.

use breakerbox::prelude::*;
use std::time::Duration;
use tokio::time::{Instant, sleep};

pub(crate) struct Dependency {
    pub(crate) name: &'static str,
    pub(crate) settings: BreakerBuilder,
    /// The share of calls that fail in each of the six turns of a round, in tenths.
    failing: [u32; 6],
    latency: Duration,
}

#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("the server answered 503 Service Unavailable")]
    Unavailable,
    #[error("the connection was reset by the peer")]
    Reset,
}

/// Returns the dependencies. `pace` is the length of a turn.
pub(crate) fn dependencies(pace: Duration) -> [Dependency; 6] {
    let settings = || CircuitBreaker::builder().recovery_timeout(pace / 2);
    let half_of_twenty = TripRule::failure_rate(0.5).over(Window::calls(20));
    let healthy = |name, latency| Dependency {
        name,
        settings: settings(),
        failing: [0; 6],
        latency: Duration::from_millis(latency),
    };
    [
        healthy("users-api", 2),
        Dependency {
            settings: settings()
                .trip_when(half_of_twenty)
                .recovery_backoff(Backoff::exponential(pace / 2)),
            failing: [0, 9, 9, 0, 0, 0],
            ..healthy("payments", 4)
        },
        Dependency {
            failing: [0, 0, 10, 10, 0, 0],
            ..healthy("search", 8)
        },
        Dependency {
            settings: settings().trip_when(half_of_twenty).mode(Mode::MetricsOnly),
            failing: [0, 0, 0, 7, 7, 0],
            ..healthy("mail", 20)
        },
        Dependency {
            settings: settings().ramp_up(pace),
            failing: [0, 0, 0, 0, 10, 0],
            ..healthy("maps", 3)
        },
        healthy("reports", 40),
    ]
}

impl Dependency {
    /// Calls the dependency until the program ends.
    pub(crate) async fn run(self, breaker: CircuitBreaker, pace: Duration) {
        let begun = Instant::now();
        for call in 0_u32.. {
            let turns = begun.elapsed().as_millis() / pace.as_millis().max(1);
            let turn = usize::try_from(turns % 6).unwrap_or(0);
            let fails = call * 7 % 10 < self.failing[turn];
            let answer = async {
                sleep(self.latency).await;
                match (fails, call % 2) {
                    (false, _) => Ok(()),
                    (true, 0) => Err(CallError::Unavailable),
                    (true, _) => Err(CallError::Reset),
                }
            };
            let _ = answer.guarded_by(&breaker).await;
            sleep(Duration::from_millis(5)).await;
        }
    }
}
