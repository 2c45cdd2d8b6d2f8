//! [`run`]: a service whose circuits reach every state, and whose calls have every outcome.

use super::{page, sharing};
use breakerbox::prelude::*;
use std::ops::Range;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

type Error = Box<dyn std::error::Error + Send + Sync>;

const SECOND: Duration = Duration::from_secs(1);

/// The payments fail in these seconds of each period.
const OUTAGE: Range<u64> = 7..11;
const PERIOD: u64 = 30;

#[derive(Debug, thiserror::Error)]
enum PaymentError {
    #[error("connection refused")]
    Unreachable,
    #[error("the card was declined")]
    Declined,
    #[error(transparent)]
    Circuit(#[from] BreakerError),
}

/// Serves `/metrics` at `listener`, and makes calls until the future is dropped.
pub(crate) async fn run(listener: TcpListener) -> Result<(), Error> {
    let registry = registry()?;
    tokio::spawn(page::serve(listener, &registry)?);
    tokio::select! {
        ended = sharing::run(&registry) => ended,
        () = make_calls(&registry) => Ok(()),
    }
}

async fn make_calls(registry: &BreakerRegistry) {
    let begin = Instant::now();
    let mut hanging = None;
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    for number in 0_u64.. {
        ticks.tick().await;
        let is_outage = OUTAGE.contains(&(begin.elapsed().as_secs() % PERIOD));
        payments(registry, number, is_outage).await;
        for name in ["catalogue", "mail", "audit"] {
            let _ = call(registry, name, number % 20 > 0).await;
        }
        // Five failures in a row would open the circuit, if it refused calls.
        let _ = call(registry, "search", number % 10 < 5).await;
        if number % 20 == 0 {
            // The trial of the exports outlives its lease, and is then cancelled.
            hanging = registry.breaker("exports").try_acquire().ok();
        }
    }
    drop(hanging);
}

fn registry() -> Result<BreakerRegistry, Error> {
    let registry = BreakerRegistry::new();
    let payments = CircuitBreaker::builder()
        .recovery_timeout(SECOND)
        .ramp_up(5 * SECOND)
        .ignored_error_if(|error: &PaymentError| matches!(error, PaymentError::Declined));
    registry.register("payments", payments)?;
    let rule = TripRule::failure_rate(0.5).over(Window::time(10 * SECOND));
    registry.register("catalogue", CircuitBreaker::builder().trip_when(rule))?;
    let exports = CircuitBreaker::builder().trial_timeout(SECOND / 2);
    registry.register("exports", exports)?.half_open();
    registry.breaker("search").because("rollout").metrics_only();
    registry.breaker("audit").because("INC-122").disable();
    registry.breaker("mail").because("INC-123").force_open();
    Ok(registry)
}

async fn payments(registry: &BreakerRegistry, number: u64, is_outage: bool) {
    let answer = async {
        match number % 10 {
            _ if is_outage => Err(PaymentError::Unreachable),
            0 => Err(PaymentError::Declined),
            _ => Ok(()),
        }
    };
    // Guarded twice, so that the inner call joins the trial of the outer one.
    let inner = answer.with_breaker(registry, "payments").flatten_err();
    let _ = inner.with_breaker(registry, "payments").await;

    // Another call is slow. It ends late if the circuit opens meanwhile. Every fourth caller gives up.
    if let Ok(slow) = registry.breaker("payments").try_acquire() {
        tokio::spawn(async move {
            tokio::time::sleep(SECOND / 5).await;
            match number % 4 {
                0 => drop(slow),
                _ if is_outage => slow.failure(),
                _ => slow.success(),
            }
        });
    }
}

/// Calls a dependency that works if `works` is true.
async fn call(
    registry: &BreakerRegistry,
    name: &str,
    works: bool,
) -> Result<(), BreakerError<&'static str>> {
    let answer = async || {
        if works {
            Ok(())
        } else {
            Err("connection refused")
        }
    };
    answer().with_breaker(registry, name).await
}
